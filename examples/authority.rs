//! Creates a private authority and issues certificates, as PEM files.
//!
//! ```text
//! cargo run --example authority -- --server localhost,127.0.0.1,::1 --server db.internal \
//!     --client alice
//! ```
//!
//! The directory (`--dir`, by default `pki`) then contains `ca.pem`, `ca-key.pem`, `localhost.pem`,
//! `localhost-key.pem`, `db.internal.pem` and so on. If it already contains an authority, that one
//! issues the certificates. Key files are never overwritten, and only their owner can read them.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use common::Failure;
use fleeting::{Authority, Identity, Secret, Validity};

/// Creates a private authority and issues certificates for servers and clients.
#[derive(Parser)]
struct Arguments {
    /// The directory of the files
    #[arg(long, default_value = "pki")]
    dir: PathBuf,
    /// The name of a new authority
    #[arg(long, default_value = "fleeting example authority")]
    name: String,
    /// Issue a server certificate for these DNS names or IP addresses, separated by commas;
    /// repeatable
    #[arg(long, value_name = "NAMES")]
    server: Vec<String>,
    /// Issue a client certificate for this name; repeatable
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// The validity of the certificates, in days
    #[arg(long, default_value_t = 365)]
    days: u32,
}

fn main() -> ExitCode {
    common::exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.dir)?;
    let authority = open_or_make(arguments)?;
    let validity = Validity::days(arguments.days);
    for names in &arguments.server {
        let names: Vec<&str> = names.split(',').collect();
        let identity = authority
            .certificate()
            .server(names.iter().copied())
            .validity(validity)
            .issue()?;
        write(&arguments.dir, names[0], &identity)?;
    }
    for name in &arguments.client {
        let identity = authority
            .certificate()
            .client(name)
            .validity(validity)
            .issue()?;
        write(&arguments.dir, name, &identity)?;
    }
    Ok(())
}

/// Opens the authority of the directory, or creates one.
fn open_or_make(arguments: &Arguments) -> Result<Authority, Failure> {
    let certificate = arguments.dir.join("ca.pem");
    let key = arguments.dir.join("ca-key.pem");
    if certificate.exists() {
        println!("{}: using this authority", certificate.display());
        // A long-running program would read the key into a buffer that is wiped.
        return Ok(Authority::from_pem(read(&certificate)?, read(&key)?)?);
    }
    let authority = Authority::new(&arguments.name)?;
    write_key(&key, &authority.key_pem())?;
    fs::write(&certificate, authority.certificate_pem())?;
    println!(
        "{}: a new authority; keep its key, {}, secret",
        certificate.display(),
        key.display()
    );
    Ok(authority)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn write(dir: &Path, name: &str, identity: &Identity) -> Result<(), Failure> {
    // "*.db.internal" and "::1" are inconvenient as file names, and "../x" is dangerous.
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '.' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let (certificate, key) = (
        dir.join(format!("{name}.pem")),
        dir.join(format!("{name}-key.pem")),
    );
    write_key(&key, &identity.key_pem()?)?;
    fs::write(&certificate, identity.chain_pem())?;
    println!(
        "{} and {}: public key {}",
        certificate.display(),
        key.display(),
        identity.public_key()
    );
    Ok(())
}

/// Writes a new file that only its owner can read. It has these permissions from the beginning.
fn write_key(path: &Path, pem: &Secret) -> Result<(), Failure> {
    let mut file = match create_private(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(format!(
                "{} already exists; keys are not overwritten",
                path.display()
            )
            .into());
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
