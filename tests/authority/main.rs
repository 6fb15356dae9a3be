//! The example `authority`, run as a program: what it writes works, and nothing is overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{
    CertificateError, Client, ClientAuth, ConfigError, Error, Identity, RevocationLists, Server,
    Trust,
};

mod openssl;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("fleeting-authority-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program, which must succeed, and returns what it prints.
    #[track_caller]
    fn run(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program, which must fail, and returns why.
    #[track_caller]
    fn refused(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn output(&self, arguments: &str) -> Output {
        Command::new(program())
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .unwrap()
    }

    fn identity(&self, name: &str) -> Identity {
        let key = self.path(&format!("{name}-key.pem"));
        Identity::from_pem_files(self.path(&format!("{name}.pem")), key).unwrap()
    }

    fn trust(&self, lists: &[&str]) -> Trust {
        let trust = Trust::roots_from_pem_file(self.path("pki/ca.pem")).unwrap();
        let lists: String = lists.iter().map(|name| self.text(name)).collect();
        if lists.is_empty() {
            return trust;
        }
        trust.with_revocation_lists(RevocationLists::from_pem(lists).unwrap())
    }

    /// The content of every file.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, files),
                    false => drop(files.insert(path.clone(), fs::read(path).unwrap())),
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.0, &mut files);
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Returns the built example. `cargo test` builds it before it runs tests; a narrower command may
/// not have, so it is built here if it is missing or older than its source.
fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let name = format!("authority{}", std::env::consts::EXE_SUFFIX);
    let path = folder.join("examples").join(name);
    BUILT.call_once(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/authority");
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let is_fresh = ["main.rs", "store.rs"]
            .iter()
            .all(|file| changed(&path) > changed(&source.join(file)));
        if !is_fresh {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--locked", "--example", "authority"]);
            cargo
                .arg("--manifest-path")
                .arg(source.join("../../Cargo.toml"));
            cargo.arg("--target-dir").arg(folder.parent().unwrap());
            if folder.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(
                cargo.status().unwrap().success(),
                "the example does not build"
            );
        }
        assert!(
            path.exists(),
            "{}: run cargo build --examples",
            path.display()
        );
    });
    path
}

/// Makes a connection, and returns the client's subject that the server saw.
fn handshake(
    server: (Identity, Trust),
    client: (Identity, Trust),
    name: &str,
) -> Result<String, Error> {
    let server = Server::builder()
        .identity(server.0)
        .client_auth(ClientAuth::Required(server.1))
        .build()?;
    let client = Client::builder()
        .identity(client.0)
        .trust(client.1)
        .build()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let stream = server.accept(listener.accept().unwrap().0)?;
        Ok(stream.peer().unwrap().subject())
    });
    let connected = client
        .connect(name, std::net::TcpStream::connect(address).unwrap())
        .map(drop);
    let accepted = serving.join().unwrap();
    // If both fail, the side that refused knows why.
    match (accepted, connected) {
        (Err(Error::AlertReceived { .. }), Err(error)) => Err(error),
        (accepted, _) => accepted,
    }
}

fn certificate_error<T: std::fmt::Debug>(result: Result<T, Error>) -> CertificateError {
    match result {
        Err(Error::Protocol {
            fault: fleeting::Fault::Certificate(error),
            ..
        }) => error,
        Err(Error::Config(ConfigError::NotAccepted { error })) => error,
        other => panic!("{other:?}"),
    }
}

fn in_days(days: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now + Duration::from_secs(days * 86_400)
}

#[test]
fn from_a_root_to_a_revoked_client() {
    let folder = Folder::new("whole");
    folder.run("init --name Root");
    folder.run("intermediate databases --name Databases --permit internal");
    folder.run("--dir pki/databases issue server db.internal --days 30");
    folder.refused("--dir pki/databases issue server db.example");
    folder.run("--dir pki/databases issue server db.internal --file again");
    folder.run("issue client alice");
    folder.run("issue both node-1.internal spiffe://example.org/node-1");
    let lists = ["pki/crl.pem", "pki/databases/crl.pem"];
    let server = || (folder.identity("pki/databases/again"), folder.trust(&lists));
    let client = |name| (folder.identity(name), folder.trust(&lists));
    assert_eq!(
        handshake(server(), client("pki/alice"), "db.internal").unwrap(),
        "CN=alice"
    );
    assert_eq!(
        handshake(server(), client("pki/node-1.internal"), "db.internal").unwrap(),
        "CN=node-1.internal"
    );

    folder.run("revoke alice");
    assert_eq!(
        certificate_error(handshake(server(), client("pki/alice"), "db.internal")),
        CertificateError::Revoked
    );
    handshake(server(), client("pki/node-1.internal"), "db.internal").unwrap();
    // A whole authority.
    folder.run("revoke databases");
    assert_eq!(
        certificate_error(handshake(
            server(),
            client("pki/node-1.internal"),
            "db.internal"
        )),
        CertificateError::Revoked
    );
    assert!(folder.refused("revoke databases").contains("in force"));
    assert!(folder.refused("renew alice").contains("revoked"));
}

#[test]
fn renewal_keeps_the_key_and_the_names() {
    let folder = Folder::new("renewal");
    folder.run("init");
    folder.run("issue server db.internal 10.0.0.7 urn:a,b --days 10 --file db");
    let first = folder.identity("pki/db");
    let before = folder.files();
    folder.run("renew db --days 20");
    let second = folder.identity("pki/db");
    assert_eq!(first.public_key(), second.public_key());
    assert_ne!(first.certificates(), second.certificates());
    for name in ["db.internal", "10.0.0.7"] {
        let found = folder
            .trust(&[])
            .check_server(second.chain_pem(), name, in_days(19))
            .unwrap();
        assert_eq!(found.names, ["db.internal", "10.0.0.7"]);
    }
    // Only the certificate and the index were replaced.
    let after = folder.files();
    let changed = before.iter().filter(|(path, text)| after[*path] != **text);
    let changed: Vec<_> = changed.map(|(path, _)| path.file_name().unwrap()).collect();
    assert_eq!(changed, ["db.pem", "index.tsv"]);
    assert_eq!(after.len(), before.len() + 1);
    // Both are revoked with the name.
    assert_eq!(folder.run("revoke db").matches("revoked: ").count(), 2);
    let lists = RevocationLists::from_pem(folder.text("pki/crl.pem")).unwrap();
    let trust = folder.trust(&[]).with_revocation_lists(lists);
    for identity in [first, second] {
        let checked = trust.check_server(identity.chain_pem(), "db.internal", in_days(0));
        assert_eq!(certificate_error(checked), CertificateError::Revoked);
    }
    // A new list has what the former had.
    folder.run("crl --days 30");
    let lists = RevocationLists::from_pem(folder.text("pki/crl.pem")).unwrap();
    assert!(lists.next_update() > Some(in_days(29)));
}

#[test]
fn requests_are_signed_for_the_names_that_the_authority_says() {
    let folder = Folder::new("requests");
    folder.run("init");
    folder.run("--dir theirs request db.internal 10.0.0.7");
    folder.run("sign theirs/db.internal.csr server db.internal --file one");
    folder.run("sign theirs/db.internal.csr server --as-requested --file two");
    folder.run("sign theirs/db.internal.csr client carol --file three");
    for (name, names) in [
        ("one", &["db.internal"][..]),
        ("two", &["db.internal", "10.0.0.7"]),
    ] {
        let chain = folder.path(&format!("pki/{name}.pem"));
        let key = folder.path("theirs/db.internal-key.pem");
        let identity = Identity::from_pem_files(chain, key).unwrap();
        let found = folder
            .trust(&[])
            .check_server(identity.chain_pem(), "db.internal", in_days(1))
            .unwrap();
        assert_eq!(found.names, names);
    }
    let carol = folder.text("pki/three.pem");
    let found = folder.trust(&[]).check_client(carol, in_days(1)).unwrap();
    assert_eq!(found.certificate_info.unwrap().subject(), "CN=carol");
    // A request that somebody has changed.
    let request = folder.text("theirs/db.internal.csr");
    let line = request.lines().nth(2).unwrap();
    let changed: String = line.chars().rev().collect();
    fs::write(folder.path("changed.csr"), request.replace(line, &changed)).unwrap();
    let reason = folder.refused("sign changed.csr server db.internal --file four");
    assert!(reason.contains("request cannot be used"), "{reason}");
    assert!(!folder.path("pki/four.pem").exists());
    assert_eq!(folder.text("pki/index.tsv").lines().count(), 4);
}

#[test]
fn nothing_is_overwritten_and_keys_are_private() {
    let folder = Folder::new("kept");
    folder.run("init");
    folder.run("issue server db.internal");
    folder.run("--dir theirs request db.internal");
    folder.run("intermediate below");
    let before = folder.files();
    for (arguments, why) in [
        ("init", "ca-key.pem already exists"),
        ("issue server db.internal", "db.internal.pem already exists"),
        ("issue client db.internal", "db.internal.pem already exists"),
        (
            "sign theirs/db.internal.csr server db.internal",
            "db.internal.pem already exists",
        ),
        (
            "--dir theirs request db.internal",
            "db.internal.csr already exists",
        ),
        ("intermediate below", "below already exists"),
        ("issue server db.internal --file ca", "cannot name a file"),
        (
            "issue server db.internal --file .lock",
            "cannot name a file",
        ),
        ("issue server db.internal --file ../x", "cannot name a file"),
        ("issue server db.internal:80 --file x", "contains a port"),
        ("issue server spiffe://example.org/x --file x", "both roles"),
        ("--dir nowhere issue server db.internal", "authority init"),
        ("renew nobody", "no certificate"),
        ("revoke nobody", "in force"),
    ] {
        let reason = folder.refused(arguments);
        assert!(reason.contains(why), "{arguments}: {reason}");
        assert!(folder.files() == before, "{arguments}");
    }
    #[cfg(unix)]
    for path in before.keys() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let is_key = path.to_str().unwrap().ends_with("-key.pem");
        assert_eq!(mode & 0o077 == 0, is_key, "{}: {mode:o}", path.display());
    }
    assert_eq!(
        before
            .keys()
            .filter(|path| path.to_str().unwrap().contains("-key"))
            .count(),
        4
    );
}

#[test]
fn what_ends_soon_is_shown_and_fails() {
    let folder = Folder::new("show");
    folder.run("init --name Root --days 100");
    folder.run("issue server db.internal --days 20");
    folder.run("issue client alice --days 80");
    folder.run("crl --days 60");
    let all = folder.run("show");
    assert_eq!(all.lines().count(), 4, "{all}");
    assert!(all.contains("valid  server  db.internal"), "{all}");
    folder.run("show --expiring 19");
    let output = folder.output("show --expiring 70");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(
        shown.contains("crl.pem") && shown.contains("db.internal"),
        "{shown}"
    );
    // What is renewed or revoked may end.
    folder.run("renew db.internal --days 90");
    folder.run("revoke alice --days 90");
    folder.run("show --expiring 85");
    let all = folder.run("show");
    assert!(
        all.contains("renewed  server") && all.contains("revoked 20"),
        "{all}"
    );
}

#[test]
fn two_at_once_lose_nothing() {
    let folder = Folder::new("two");
    folder.run("init");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let folder = &folder;
            scope.spawn(move || folder.run(&format!("issue client number-{number}")));
        }
    });
    assert_eq!(folder.text("pki/index.tsv").lines().count(), 9);
    assert_eq!(fs::read_dir(folder.path("pki/issued")).unwrap().count(), 8);
}
