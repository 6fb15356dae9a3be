//! Makes a private authority and certificates of it, as PEM files.
//!
//! ```text
//! cargo run --example authority -- --server localhost,127.0.0.1,::1 --server db.internal --client alice
//! ```
//!
//! The directory (`--dir`, `pki` by default) then holds `ca.pem`, `ca-key.pem`, `localhost.pem`, `localhost-key.pem`, `db.internal.pem` and so on. With an
//! authority that is there already more is issued. No key file is ever overwritten; only their owner can read them.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use common::Failure;
use fleeting::{Authority, Identity, Secret, Validity};

/// Makes a private authority, and certificates for servers and clients.
#[derive(Parser)]
struct Arguments {
    /// Where the files are
    #[arg(long, default_value = "pki")]
    dir: PathBuf,
    /// The name of an authority that is made
    #[arg(long, default_value = "fleeting example authority")]
    name: String,
    /// Issue a certificate for a server with these names, DNS or IP, with commas between them; can be given many times
    #[arg(long, value_name = "NAMES")]
    server: Vec<String>,
    /// Issue a certificate for a client with this name; can be given many times
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// How long the certificates are valid, in days
    #[arg(long, default_value_t = 365)]
    days: u32,
}

fn main() {
    if let Err(error) = run(&Arguments::parse()) {
        eprintln!("authority: {error}");
        std::process::exit(1);
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.dir)?;
    let authority = open_or_make(arguments)?;
    let validity = Validity::days(arguments.days);
    for names in &arguments.server {
        let names: Vec<&str> = names.split(',').collect();
        let identity = authority.certificate().server(names.iter().copied()).validity(validity).issue()?;
        write(&arguments.dir, names[0], &identity)?;
    }
    for name in &arguments.client {
        let identity = authority.certificate().client(name).validity(validity).issue()?;
        write(&arguments.dir, name, &identity)?;
    }
    Ok(())
}

/// The authority of the directory, made if there is none.
fn open_or_make(arguments: &Arguments) -> Result<Authority, Failure> {
    let certificate = arguments.dir.join("ca.pem");
    let key = arguments.dir.join("ca-key.pem");
    if certificate.exists() {
        println!("{}: issuing with the authority that is there", certificate.display());
        // A program that keeps such a key for long would read it into a buffer that it wipes.
        return Ok(Authority::from_pem(read(&certificate)?, read(&key)?)?);
    }
    let authority = Authority::new(&arguments.name)?;
    write_key(&key, &authority.key_pem())?;
    fs::write(&certificate, authority.certificate_pem())?;
    println!("{}: a new authority; its key is in {}: keep it to yourself", certificate.display(), key.display());
    Ok(authority)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn write(dir: &Path, name: &str, identity: &Identity) -> Result<(), Failure> {
    // "*.internal" and "::1" are no good names for files, and "../x" is a bad one.
    let name: String = name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}-key.pem")));
    write_key(&key, &identity.key_pem()?)?;
    fs::write(&certificate, identity.chain_pem())?;
    println!("{} and {}: the key {}", certificate.display(), key.display(), identity.public_key());
    Ok(())
}

/// A file that only its owner can read, from its first moment on, and that was not there before.
fn write_key(path: &Path, pem: &Secret) -> Result<(), Failure> {
    let mut file = match create_private(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(format!("{} is there already; keys are not overwritten", path.display()).into());
        }
        result => result?,
    };
    file.write_all(pem.expose())?;
    file.sync_all()?;
    Ok(())
}

fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
