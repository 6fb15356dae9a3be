//! A private PKI in a folder, for programs that are tried out.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use fleeting::{Authority, Client, ClientAuth, Error, Identity, Server, Trust};

/// Any error. Its `Display` says what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes a PKI into a folder, unless there is one: `ca.pem`, and for `server` and `client` a chain
/// (`.pem`) and its key (`.key`).
pub fn ensure(folder: &Path, names: &[&str]) -> Result<(), Failure> {
    let root = folder.join("ca.pem");
    if root.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let authority = Authority::new("tried out")?;
    let identities = [
        ("server", authority.issue_server(names.iter().copied())?),
        ("client", authority.issue_client("alice")?),
    ];
    for (name, identity) in identities {
        fs::write(
            folder.join(name).with_extension("pem"),
            identity.chain_pem(),
        )?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut key = options.open(folder.join(name).with_extension("key"))?;
        key.write_all(identity.key_pem()?.expose())?;
    }
    // Last, so that a folder with it is complete.
    fs::write(root, authority.certificate_pem())?;
    Ok(())
}

/// A server from such a folder. Clients may show a certificate.
pub fn server(folder: &Path, alpn: &[&str]) -> Result<Server, Error> {
    let trust = Trust::roots_from_pem_file(folder.join("ca.pem"))?;
    Server::builder()
        .identity(identity(folder, "server")?)
        .client_auth(ClientAuth::Optional(trust))
        .alpn(alpn.iter().copied())
        // A client that is silent is not kept for longer.
        .handshake_timeout(Duration::from_secs(5))
        .build()
}

/// A client from such a folder, which shows its certificate if it is asked.
pub fn client(folder: &Path, alpn: &[&str]) -> Result<Client, Error> {
    Client::builder()
        .trust(Trust::roots_from_pem_file(folder.join("ca.pem"))?)
        .identity(identity(folder, "client")?)
        .alpn(alpn.iter().copied())
        .build()
}

fn identity(folder: &Path, name: &str) -> Result<Identity, Error> {
    let file = folder.join(name);
    Identity::from_pem_files(file.with_extension("pem"), file.with_extension("key"))
}
