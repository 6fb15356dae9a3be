//! A private certificate authority as a command: roots, authorities below them, certificates for
//! servers and clients, requests, renewal, and revocation lists.
//!
//! ```text
//! alias authority='cargo run --example authority --'
//! authority init --name "Example CA"
//! authority issue server localhost 127.0.0.1 ::1
//! authority issue client alice
//! authority renew localhost
//! authority revoke alice
//! authority show --expiring 30
//!
//! # An authority below the root, in a folder of its own, which can be moved elsewhere.
//! authority intermediate databases --permit internal
//! authority --dir pki/databases issue server db.internal
//!
//! # For a key that never leaves its machine.
//! authority --dir . request db.internal            # or: openssl req -new ...
//! authority sign db.internal.csr server db.internal
//! ```
//!
//! Each authority is a folder (`--dir`, by default `pki`):
//!
//! ```text
//! ca.pem              its certificate: a root's is what peers trust
//! ca-chain.pem        the same, followed by those above it
//! ca-key.pem          its key: keep it secret
//! crl.pem             its revocation list, to be issued anew before it ends (authority crl)
//! index.tsv           every certificate that it issued, one a line
//! issued/SERIAL.pem   and the certificates themselves
//! NAME.pem            the newest certificate of that name, with its chain
//! NAME-key.pem        the key for it, if it was made here
//! ```
//!
//! Only their owner can read key files, from the beginning. Nothing is overwritten, except for
//! `NAME.pem` by `renew`, `crl.pem` and `index.tsv`, each of which is replaced as a whole.

#[path = "../common/mod.rs"]
mod common;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand, ValueEnum};
use common::Failure;
use fleeting::{
    Authority, AuthorityBuilder, CertificateBuilder, CertificationRequest, Identity,
    RevocationLists, Validity,
};
use store::{Entry, Store, date, file_name};

/// Runs a private certificate authority.
#[derive(Parser)]
struct Arguments {
    /// The folder of the authority
    #[arg(long, global = true, default_value = "pki")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a root
    Init {
        #[command(flatten)]
        authority: NewAuthority,
    },
    /// Create an authority below this one, in a folder inside of its folder
    Intermediate {
        /// The name of the folder
        folder: String,
        #[command(flatten)]
        authority: NewAuthority,
    },
    /// Issue a certificate with a new key
    Issue {
        #[command(flatten)]
        certificate: NewCertificate,
    },
    /// Issue a certificate for a key that somebody else has
    Sign {
        /// The request: PKCS #10 in a PEM file
        request: PathBuf,
        #[command(flatten)]
        certificate: NewCertificate,
        /// Take the names from the request: only if you know who sent it
        #[arg(long, conflicts_with = "names")]
        as_requested: bool,
    },
    /// Make a key, and a request for it (in --dir, which need not be an authority's)
    Request {
        /// DNS names, IP addresses or URIs
        #[arg(required = true)]
        names: Vec<String>,
        /// The name of the files, instead of the first name
        #[arg(long)]
        file: Option<String>,
    },
    /// Issue a certificate anew, with the same names for the same key
    Renew {
        /// The name of its file
        file: String,
        /// How many days it is valid
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Revoke a certificate, and issue a new revocation list
    Revoke {
        /// The name of its file, for all certificates in it so far, or a serial number
        certificate: String,
        /// How many days the list is valid
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
    /// Issue a new revocation list
    Crl {
        /// How many days it is valid
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
    /// Show what was issued
    Show {
        /// Show only what ends within this many days, and fail if there is any
        #[arg(long, value_name = "DAYS")]
        expiring: Option<u32>,
    },
}

#[derive(clap::Args)]
struct NewAuthority {
    /// Its name
    #[arg(long, default_value = "fleeting example authority")]
    name: String,
    /// How many days it is valid
    #[arg(long, default_value_t = 3650)]
    days: u32,
    /// A DNS name (with all below it) or an IP address that it may issue for; repeatable. Without
    /// one it may issue for every name
    #[arg(long)]
    permit: Vec<String>,
    /// How many authorities may be between it and a certificate
    #[arg(long)]
    path_length: Option<u8>,
}

#[derive(clap::Args)]
struct NewCertificate {
    profile: Profile,
    /// DNS names, IP addresses or URIs; a client's first name becomes its common name
    names: Vec<String>,
    /// How many days it is valid
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// The name of its file, instead of the first name
    #[arg(long)]
    file: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    Server,
    Client,
    Both,
}

/// The profile of an authority in the index.
const AUTHORITY: &str = "authority";

fn main() -> ExitCode {
    common::exit_code(run(Arguments::parse()))
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let dir = &arguments.dir;
    match arguments.command {
        Command::Init { authority } => init(dir, &authority),
        Command::Intermediate { folder, authority } => intermediate(dir, &folder, &authority),
        Command::Issue { certificate } => issue(dir, &certificate),
        Command::Sign {
            request,
            certificate,
            as_requested,
        } => sign(dir, &request, certificate, as_requested),
        Command::Request { names, file } => request(dir, &names, file.as_deref()),
        Command::Renew { file, days } => renew(dir, &file, days),
        Command::Revoke { certificate, days } => revoke(dir, &certificate, days),
        Command::Crl { days } => crl(&Store::open(dir)?, days),
        Command::Show { expiring } => show(dir, expiring),
    }
}

fn init(dir: &Path, new: &NewAuthority) -> Result<(), Failure> {
    create(dir, &builder(new).build()?)?;
    println!(
        "peers trust {}; keep {} secret",
        dir.join("ca.pem").display(),
        dir.join("ca-key.pem").display()
    );
    Ok(())
}

fn intermediate(dir: &Path, folder: &str, new: &NewAuthority) -> Result<(), Failure> {
    let mut store = Store::open(dir)?;
    let below = dir.join(file_name(folder)?);
    let authority = builder(new).build_under(&store.authority()?)?;
    if below.exists() {
        return Err(format!("{} already exists", below.display()).into());
    }
    let info = authority
        .certificate_info()
        .ok_or("it has no certificate")?;
    // In the index first: what exists can be revoked.
    store.record(
        Entry::new(&info, AUTHORITY, folder, std::slice::from_ref(&new.name)),
        &authority.certificate_pem(),
    )?;
    create(&below, &authority)?;
    println!(
        "{}: an authority below that in {}; peers trust the root's ca.pem, and need both crl.pem",
        below.display(),
        dir.display()
    );
    Ok(())
}

fn builder(new: &NewAuthority) -> AuthorityBuilder {
    let builder = Authority::builder(&new.name)
        .validity(Validity::days(new.days))
        .permit(new.permit.iter().map(String::as_str));
    match new.path_length {
        Some(length) => builder.path_length(length),
        None => builder,
    }
}

/// Writes an authority into a folder of its own.
fn create(dir: &Path, authority: &Authority) -> Result<(), Failure> {
    let store = Store::create(dir)?;
    // All or nothing: not a key beside the certificate of another authority.
    for name in ["ca-key.pem", "ca.pem", "ca-chain.pem"] {
        store.must_be_new(name)?;
    }
    store.write_new_key("ca-key.pem", &authority.key_pem())?;
    store.write_new("ca.pem", &authority.certificate_pem())?;
    store.write_new("ca-chain.pem", &authority.chain_pem())?;
    crl(&store, 7)
}

fn issue(dir: &Path, new: &NewCertificate) -> Result<(), Failure> {
    let mut store = Store::open(dir)?;
    let (file, authority) = (file_of(new)?, store.authority()?);
    store.must_be_new(&format!("{file}.pem"))?;
    store.must_be_new(&format!("{file}-key.pem"))?;
    let profile = name_of(new.profile);
    let identity = certificate(&authority, profile, &new.names, new.days)?.issue()?;
    record(&mut store, &identity, profile, &file, &new.names)?;
    store.write_new_key(&format!("{file}-key.pem"), &identity.key_pem()?)?;
    store.write_new(&format!("{file}.pem"), &identity.chain_pem())?;
    println!(
        "{0} and {1}: public key {2}",
        dir.join(format!("{file}.pem")).display(),
        dir.join(format!("{file}-key.pem")).display(),
        identity.public_key()
    );
    Ok(())
}

fn sign(
    dir: &Path,
    request: &Path,
    mut new: NewCertificate,
    as_requested: bool,
) -> Result<(), Failure> {
    let mut store = Store::open(dir)?;
    let request = CertificationRequest::from_pem_file(request)?;
    if as_requested {
        new.names = request.names().to_vec();
        if let (Profile::Client, Some(name)) = (new.profile, request.common_name()) {
            new.names.retain(|known| known != name);
            new.names.insert(0, name.to_owned());
        }
        println!("the request asks for: {}", new.names.join(", "));
    }
    let (file, authority) = (file_of(&new)?, store.authority()?);
    store.must_be_new(&format!("{file}.pem"))?;
    let profile = name_of(new.profile);
    let chain =
        certificate(&authority, profile, &new.names, new.days)?.issue_for(request.public_key())?;
    record(
        &mut store,
        &Identity::asking(&chain)?,
        profile,
        &file,
        &new.names,
    )?;
    store.write_new(&format!("{file}.pem"), &chain)?;
    println!("{}", dir.join(format!("{file}.pem")).display());
    Ok(())
}

fn request(dir: &Path, names: &[String], file: Option<&str>) -> Result<(), Failure> {
    let file = file_name(file.unwrap_or(names.first().ok_or("a name is needed")?))?;
    let identity = Identity::generate()?;
    let request = CertificationRequest::make_pem(&identity, names.iter().map(String::as_str))?;
    let store = Store::create(dir)?;
    store.must_be_new(&format!("{file}.csr"))?;
    store.write_new_key(&format!("{file}-key.pem"), &identity.key_pem()?)?;
    store.write_new(&format!("{file}.csr"), &request)?;
    println!("{}", dir.join(format!("{file}.csr")).display());
    Ok(())
}

fn renew(dir: &Path, file: &str, days: u32) -> Result<(), Failure> {
    let mut store = Store::open(dir)?;
    let entry = store
        .entries()
        .iter()
        .rfind(|entry| entry.file == file)
        .cloned()
        .ok_or_else(|| format!("no certificate was issued as {file:?}: see authority show"))?;
    if entry.profile == AUTHORITY {
        return Err("an authority is not renewed: create another one before it ends".into());
    }
    if entry.revoked.is_some() {
        return Err("it was revoked: issue another one, with a new key".into());
    }
    let former = store.read(&format!("{file}.pem"))?;
    let key = Identity::asking(former)?.public_key();
    let chain =
        certificate(&store.authority()?, &entry.profile, &entry.names, days)?.issue_for(key)?;
    record(
        &mut store,
        &Identity::asking(&chain)?,
        &entry.profile,
        file,
        &entry.names,
    )?;
    store.replace(&format!("{file}.pem"), &chain)?;
    println!("{}", dir.join(format!("{file}.pem")).display());
    Ok(())
}

fn revoke(dir: &Path, certificate: &str, days: u32) -> Result<(), Failure> {
    let mut store = Store::open(dir)?;
    let revoked = store.revoke(certificate, &date(now()))?;
    if revoked.is_empty() {
        return Err(format!("{certificate:?} is no certificate that is in force").into());
    }
    for serial in revoked {
        println!("revoked: {serial}");
    }
    crl(&store, days)
}

/// Issues a list of everything that the index says is revoked.
fn crl(store: &Store, days: u32) -> Result<(), Failure> {
    let authority = store.authority()?;
    let mut list = authority.revocation_list().validity(Validity::days(days));
    if let Ok(former) = store.read("crl.pem") {
        list = list.following(former);
    }
    for entry in store.entries() {
        if entry.revoked.is_some() {
            list = list.revoke_serial(entry.serial_bytes()?);
        }
    }
    let list = list.issue_pem()?;
    let until = RevocationLists::from_pem(&list)?.next_update();
    store.replace("crl.pem", &list)?;
    println!(
        "{}: valid until {}",
        store.path("crl.pem").display(),
        until.map(date).unwrap_or_default()
    );
    Ok(())
}

fn show(dir: &Path, expiring: Option<u32>) -> Result<(), Failure> {
    let store = Store::open(dir)?;
    let limit = expiring.map(|days| date(now() + Duration::from_secs(86_400) * days));
    // Dates in this form sort as text.
    let is_shown = |until: &str| limit.as_deref().is_none_or(|limit| until <= limit);
    let mut found = 0;
    let mut line = |until: &str, what: &str| {
        if is_shown(until) {
            found += 1;
            println!("{until}  {what}");
        }
    };
    if let Some(info) = store.authority()?.certificate_info() {
        let until = date(info.validity().not_after());
        line(&until, &format!("this authority, {}", info.subject()));
    }
    let lists = RevocationLists::from_pem(store.read("crl.pem")?)?;
    if let Some(until) = lists.next_update() {
        line(&date(until), "crl.pem");
    }
    for (index, entry) in store.entries().iter().enumerate() {
        let newest = store.entries()[index + 1..]
            .iter()
            .all(|later| later.file != entry.file);
        let state = match (&entry.revoked, newest) {
            (Some(when), _) => format!("revoked {when}"),
            (None, true) => "valid".to_owned(),
            (None, false) => "renewed".to_owned(),
        };
        // What was revoked or renewed may end.
        if limit.is_none() || state == "valid" {
            let Entry {
                until,
                profile,
                file,
                names,
                serial,
                ..
            } = entry;
            let names = names.join(", ");
            line(
                until,
                &format!("{state}  {profile}  {file}  {names}  {serial}"),
            );
        }
    }
    match (limit, found) {
        (Some(limit), 1..) => Err(format!("{found} of these end before {limit}").into()),
        _ => Ok(()),
    }
}

fn certificate<'a>(
    authority: &'a Authority,
    profile: &str,
    names: &[String],
    days: u32,
) -> Result<CertificateBuilder<'a>, Failure> {
    let first = names.first().ok_or("a name is needed")?;
    let names = || names.iter().map(String::as_str);
    let builder = authority.certificate().validity(Validity::days(days));
    Ok(match profile {
        "server" => builder.server(names()),
        "client" => builder.client(first).names(names().skip(1)),
        "both" => builder.server(names()).client(first),
        other => return Err(format!("{other:?} is no profile").into()),
    })
}

fn record(
    store: &mut Store,
    identity: &Identity,
    profile: &str,
    file: &str,
    names: &[String],
) -> Result<(), Failure> {
    let info = identity.certificate_info().ok_or("it has no certificate")?;
    store.record(
        Entry::new(&info, profile, file, names),
        &identity.chain_pem(),
    )
}

fn name_of(profile: Profile) -> &'static str {
    match profile {
        Profile::Server => "server",
        Profile::Client => "client",
        Profile::Both => "both",
    }
}

fn file_of(new: &NewCertificate) -> Result<String, Failure> {
    let first = new.names.first().ok_or("give a name")?;
    file_name(new.file.as_deref().unwrap_or(first))
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
