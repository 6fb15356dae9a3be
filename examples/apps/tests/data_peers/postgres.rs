//! tokio-postgres over our stream, against PostgreSQL.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use apps::pki;
use apps::postgres::Tls;
use bytes::Bytes;
use fleeting::{AlertDescription, Authority, CertificateError, Client, Error, Fault};
use fleeting::{Identity, Server, Trust};
use futures_util::{SinkExt, TryStreamExt, pin_mut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client as Session, Config, Error as PostgresError};

use crate::cause;
use crate::support::{Folder, free_port, run};

const PASSWORD: &str = "correct horse";

/// How each database is entered.
const ACCESS: &str = "
hostssl by_password    all 127.0.0.1/32 scram-sha-256
hostssl by_certificate all 127.0.0.1/32 cert
hostssl by_both        all 127.0.0.1/32 scram-sha-256 clientcert=verify-full
";

const SETUP: &str = "
CREATE ROLE alice LOGIN PASSWORD 'correct horse';
CREATE ROLE bob LOGIN PASSWORD 'correct horse';
CREATE DATABASE by_password OWNER bob;
CREATE DATABASE by_certificate;
CREATE DATABASE by_both;
";

/// A running server.
struct Postgres {
    process: Child,
    port: u16,
}

impl Postgres {
    /// Starts a server that shows `identity`.
    async fn start(folder: &Folder, identity: &Identity, more: &[&str]) -> Self {
        let programs = fs::read_dir("/usr/lib/postgresql")
            .expect("PostgreSQL must be installed: apt-get install postgresql");
        let programs = programs.map(|version| version.unwrap().path().join("bin"));
        let programs = programs.max().unwrap();
        let home = folder.0.join("postgres");
        fs::create_dir(&home).unwrap();
        let key = home.join("server.key");
        fs::write(home.join("server.pem"), identity.chain_pem()).unwrap();
        fs::write(&key, identity.key_pem().unwrap().expose()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = account().await {
            chown(&home, Some(user), Some(group)).unwrap();
            chown(&key, Some(user), Some(group)).unwrap();
        }
        let data = home.join("data").display().to_string();
        let port = free_port();

        let options = [
            "--no-sync",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
        ];
        let mut init = as_user(&programs.join("initdb")).await;
        succeed(init.args(options).args(["--pgdata", &data]), "");
        fs::write(home.join("data/pg_hba.conf"), ACCESS).unwrap();
        let mut single = as_user(&programs.join("postgres")).await;
        succeed(single.args(["--single", "-D", &data, "postgres"]), SETUP);

        let file = |name: &str| home.join(name).display().to_string();
        let mut server = as_user(&programs.join("postgres")).await;
        server.args(["-D", &data, "-p", &port.to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            "ssl_min_protocol_version=TLSv1.3".to_owned(),
            format!("ssl_cert_file={}", file("server.pem")),
            format!("ssl_key_file={}", file("server.key")),
            format!("ssl_ca_file={}", folder.file("ca.pem")),
        ];
        for setting in settings
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
        {
            server.args(["-c", setting]);
        }
        let log = folder.0.join("log");
        server.stderr(fs::File::create(&log).unwrap());
        let mut process = tokio::process::Command::from(server).spawn().unwrap();
        // It listens before it is ready.
        while !fs::read_to_string(&log)
            .unwrap()
            .contains("ready to accept connections")
        {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { process, port }
    }

    fn config(&self, database: &str, user: &str) -> Config {
        let mut config = Config::new();
        config
            .host("localhost")
            .hostaddr([127, 0, 0, 1].into())
            .port(self.port)
            .dbname(database)
            .user(user)
            .ssl_mode(SslMode::Require);
        config
    }
}

impl Drop for Postgres {
    /// Killing it would leave its other processes and shared memory behind.
    fn drop(&mut self) {
        let Some(id) = self.process.id() else {
            return;
        };
        let stopped = Command::new("kill")
            .args(["-QUIT", &id.to_string()])
            .status();
        while stopped.is_ok() && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the user and the group to run as. PostgreSQL refuses to run as root.
async fn account() -> Option<(u32, u32)> {
    if run("id", &["-u"]).await != "0" {
        return None;
    }
    let user = run("id", &["-u", "postgres"]).await.parse().unwrap();
    let group = run("id", &["-g", "postgres"]).await.parse().unwrap();
    Some((user, group))
}

async fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some((user, group)) = account().await {
        command.uid(user).gid(group);
    }
    command
}

/// Runs a program to its end, with this input.
fn succeed(command: &mut Command, input: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !errors.contains("ERROR"),
        "{command:?}: {errors}"
    );
}

/// A PKI, and its server's identity.
fn pki(name: &str) -> (Folder, Identity) {
    let folder = Folder::new(name);
    let identity =
        Identity::from_pem_files(folder.file("server.pem"), folder.file("server.key")).unwrap();
    (folder, identity)
}

/// alice, with her certificate.
fn alice(folder: &Folder) -> Tls {
    Tls::new(pki::client(&folder.0, &[]).unwrap())
}

/// Somebody without a certificate.
fn nobody(folder: &Folder) -> Tls {
    let trust = Trust::roots_from_pem_file(folder.file("ca.pem")).unwrap();
    trusting(trust)
}

fn trusting(trust: Trust) -> Tls {
    Tls::new(Client::builder().trust(trust).build().unwrap())
}

async fn connect(config: &Config, tls: Tls) -> Result<Session, PostgresError> {
    let (session, connection) = config.connect(tls).await?;
    tokio::spawn(connection);
    Ok(session)
}

async fn one(session: &Session, query: &str) -> String {
    session.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_password_and_much_data() {
    let (folder, identity) = pki("postgres-password");
    let postgres = Postgres::start(&folder, &identity, &[]).await;
    let mut config = postgres.config("by_password", "bob");
    config.password(PASSWORD);
    let mut session = connect(&config, nobody(&folder)).await.unwrap();

    let facts = "SELECT version || ' ' || cipher || ' ' || (client_dn IS NULL)
                 FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(
        one(&session, facts).await,
        "TLSv1.3 TLS_AES_256_GCM_SHA384 true"
    );

    let large = one(&session, "SELECT repeat('x', 5000000)").await;
    assert!(large.len() == 5_000_000 && large.bytes().all(|byte| byte == b'x'));
    let rows = session
        .query("SELECT generate_series(1, 200000)", &[])
        .await
        .unwrap();
    assert!((1..=200_000).eq(rows.iter().map(|row| row.get::<_, i32>(0))));

    // Many bytes in both directions by COPY, and a transaction that is rolled back.
    session
        .batch_execute("CREATE TABLE lines (number int, text text)")
        .await
        .unwrap();
    let lines: Vec<String> = (0..100_000)
        .map(|number| format!("{number}\tline {number} of many\n"))
        .collect();
    let copying = "COPY lines FROM STDIN";
    let sink = session.copy_in(copying).await.unwrap();
    pin_mut!(sink);
    for lines in lines.chunks(1000) {
        sink.send(Bytes::from(lines.concat())).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 100_000);
    let transaction = session.transaction().await.unwrap();
    assert_eq!(
        transaction.execute("DELETE FROM lines", &[]).await.unwrap(),
        100_000
    );
    transaction.rollback().await.unwrap();
    let copied = session.copy_out("COPY lines TO STDOUT").await.unwrap();
    let copied: Vec<Bytes> = copied.try_collect().await.unwrap();
    assert!(copied.concat() == lines.concat().as_bytes());

    // A query is cancelled by a connection of its own.
    let cancel = session.cancel_token();
    let sleeping = tokio::spawn(async move { session.execute("SELECT pg_sleep(60)", &[]).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    cancel.cancel_query(nobody(&folder)).await.unwrap();
    let error = sleeping.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));

    config.password("wrong");
    let error = connect(&config, nobody(&folder)).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn certificates() {
    let (folder, identity) = pki("postgres-certificates");
    let postgres = Postgres::start(&folder, &identity, &[]).await;
    let facts = "SELECT current_user || ' ' || client_dn
                 FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let config = postgres.config("by_certificate", "alice");
    let session = connect(&config, alice(&folder)).await.unwrap();
    assert_eq!(one(&session, facts).await, "alice /CN=alice");

    // So does the command.
    let connection = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=alice dbname=by_certificate \
         sslmode=disable",
        postgres.port
    );
    let files = ["ca.pem", "client.pem", "client.key"].map(|name| folder.file(name));
    let [ca, cert, key] = files.each_ref().map(String::as_str);
    let options = ["--ca", ca, "--cert", cert, "--key", key, &connection];
    let ask = [&options[..], &["SELECT 6 * 7"]].concat();
    let said = run(env!("CARGO_BIN_EXE_postgres"), &ask).await;
    assert_eq!(
        said,
        "TLSv1.3 with TLS_AES_256_GCM_SHA384; certificate: /CN=alice; user: alice\n42"
    );

    let mut both = postgres.config("by_both", "alice");
    both.password(PASSWORD);
    let session = connect(&both, alice(&folder)).await.unwrap();
    assert_eq!(one(&session, facts).await, "alice /CN=alice");
    both.password("wrong");
    let error = connect(&both, alice(&folder)).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));

    // Her certificate is not for another user, and it is needed.
    for (user, tls) in [("bob", alice(&folder)), ("alice", nobody(&folder))] {
        let config = postgres.config("by_certificate", user);
        let error = connect(&config, tls).await.unwrap_err();
        assert_eq!(
            error.code(),
            Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        );
    }

    // The certificate of another authority's alice. In TLS 1.3 the client has finished by then.
    let stranger = Authority::new("a stranger").unwrap();
    let tls = Client::builder()
        .trust(Trust::roots_from_pem_file(folder.file("ca.pem")).unwrap())
        .identity(stranger.issue_client("alice").unwrap())
        .build()
        .unwrap();
    let error = connect(&config, Tls::new(tls)).await.unwrap_err();
    let Error::AlertReceived { alert, .. } = cause(&error) else {
        panic!("{error:?}");
    };
    assert_eq!(*alert, AlertDescription::UNKNOWN_CA);

    // The server is checked too: its authority, and its name.
    let error = connect(&config, trusting(stranger.trust()))
        .await
        .unwrap_err();
    let refused = CertificateError::UnknownIssuer {
        issuer: "CN=tried out".into(),
        trusted: vec!["CN=a stranger".into()],
        more: 0,
    };
    assert!(
        matches!(cause(&error), Error::Protocol { fault: Fault::Certificate(error), .. }
        if *error == refused)
    );
    let mut elsewhere = Config::new();
    elsewhere
        .host("db.internal")
        .hostaddr([127, 0, 0, 1].into())
        .port(postgres.port)
        .user("alice")
        .dbname("by_certificate");
    let error = connect(&elsewhere, alice(&folder)).await.unwrap_err();
    assert!(matches!(
        cause(&error),
        Error::Protocol {
            fault: Fault::Certificate(CertificateError::WrongName { .. }),
            ..
        }
    ));
}

/// Creates an Ed25519 key with a certificate by an ECDSA authority, with SHA-384.
async fn certified_with_ecdsa(folder: &Folder, name: &str) -> Identity {
    let file = |end: &str| folder.file(&format!("{name}.{end}"));
    let [ca, ca_key, key, request, extensions, certificate] =
        ["ca", "ca.key", "key", "csr", "ext", "pem"].map(file);
    fs::write(&extensions, "subjectAltName=DNS:localhost").unwrap();
    let ec = "req -x509 -days 1 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ECDSA";
    let leaf = "req -new -newkey ed25519 -nodes -subj /CN=localhost";
    for (command, files) in [
        (ec, vec!["-out", &ca, "-keyout", &ca_key]),
        (leaf, vec!["-out", &request, "-keyout", &key]),
        (
            "x509 -req -days 1 -sha384",
            vec![
                "-in",
                &request,
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-extfile",
                &extensions,
                "-out",
                &certificate,
            ],
        ),
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(files).collect();
        run("openssl", &arguments).await;
    }
    Identity::from_pem_files(certificate, key).unwrap()
}

/// Decrypts one connection to the server, and passes it on. Returns its port, and what the client
/// has sent in the end.
async fn middleman(server: Server, onward: Client, port: u16) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut victim = listener.accept().await.unwrap().0;
        let mut real = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut ssl_request = [0; 8];
        victim.read_exact(&mut ssl_request).await.unwrap();
        real.write_all(&ssl_request).await.unwrap();
        let answer = real.read_u8().await.unwrap();
        victim.write_u8(answer).await.unwrap();
        let (mut from_victim, mut to_victim) = split(server.accept_async(victim).await.unwrap());
        let real = onward.connect_async("localhost", real).await.unwrap();
        let (mut from_real, mut to_real) = split(real);
        let there = async {
            let (mut sent, mut passed) = (Vec::new(), 0);
            while from_victim
                .read_buf(&mut sent)
                .await
                .is_ok_and(|count| count > 0)
            {
                to_real.write_all(&sent[passed..]).await.unwrap();
                to_real.flush().await.unwrap();
                passed = sent.len();
            }
            let _ = to_real.shutdown().await;
            sent
        };
        tokio::join!(there, copy(&mut from_real, &mut to_victim)).0
    });
    (own_port, task)
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[tokio::test]
#[ignore = "needs PostgreSQL and openssl"]
async fn channel_binding_keeps_a_middleman_out() {
    let (folder, _) = pki("postgres-binding");
    let real = certified_with_ecdsa(&folder, "real").await;
    let other = certified_with_ecdsa(&folder, "other").await;
    let postgres = Postgres::start(&folder, &real, &[]).await;
    let mut config = postgres.config("by_password", "bob");
    config
        .password(PASSWORD)
        .channel_binding(ChannelBinding::Require);
    // SCRAM-SHA-256-PLUS, or else this is an error.
    let tls = trusting(Trust::key_for("localhost", real.public_key()));
    let session = connect(&config, tls).await.unwrap();
    assert_eq!(one(&session, "SELECT current_user::text").await, "bob");

    // Whoever holds another key that the client trusts can be in the middle.
    let between = Server::builder().identity(other.clone()).build().unwrap();
    let onward = Client::builder()
        .trust(Trust::keys([real.public_key()]))
        .build()
        .unwrap();
    let both = || trusting(Trust::keys([real.public_key(), other.public_key()]));
    let (port, task) = middleman(between.clone(), onward.clone(), postgres.port).await;
    let mut config = postgres.config("by_password", "bob");
    config.password(PASSWORD);
    let mut misled = config.clone();
    misled.channel_binding(ChannelBinding::Disable);
    let misled = connect(&at_port(&misled, port), both()).await.unwrap();
    assert_eq!(one(&misled, "SELECT 'a secret'").await, "a secret");
    drop(misled);
    assert!(contains(&task.await.unwrap(), "SELECT 'a secret'"));

    // The default is to bind if both sides can.
    let (port, task) = middleman(between, onward, postgres.port).await;
    let error = connect(&at_port(&config, port), both()).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    );
    assert!(
        error
            .as_db_error()
            .unwrap()
            .message()
            .contains("channel binding check failed")
    );
    assert!(contains(&task.await.unwrap(), "SCRAM-SHA-256-PLUS"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn an_ed25519_certificate_has_no_channel_binding() {
    let (folder, identity) = pki("postgres-unbound");
    let postgres = Postgres::start(&folder, &identity, &[]).await;
    let mut config = postgres.config("by_password", "bob");
    config.password(PASSWORD);
    // The server offers SCRAM-SHA-256-PLUS, and the client does without.
    connect(&config, nobody(&folder)).await.unwrap();

    // If it must not, nothing of the password is sent.
    config.channel_binding(ChannelBinding::Require);
    let server = Server::builder().identity(identity).build().unwrap();
    let onward = pki::client(&folder.0, &[]).unwrap();
    let (port, task) = middleman(server, onward, postgres.port).await;
    let error = connect(&at_port(&config, port), nobody(&folder))
        .await
        .unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "server did not use channel binding");
    let sent = task.await.unwrap();
    assert!(contains(&sent, "bob") && !contains(&sent, "SCRAM"));
}

fn at_port(config: &Config, port: u16) -> Config {
    let mut moved = Config::new();
    moved
        .host("localhost")
        .hostaddr([127, 0, 0, 1].into())
        .port(port)
        .dbname(config.get_dbname().unwrap())
        .user(config.get_user().unwrap())
        .password(config.get_password().unwrap())
        .ssl_mode(config.get_ssl_mode())
        .channel_binding(config.get_channel_binding());
    moved
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_server_without_tls_receives_nothing() {
    let (folder, identity) = pki("postgres-plain");
    let postgres = Postgres::start(&folder, &identity, &["ssl=off"]).await;
    let mut config = postgres.config("by_password", "bob");
    config.password(PASSWORD);
    let error = connect(&config, nobody(&folder)).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        (error.to_string(), &*source),
        (
            "error performing TLS handshake".to_owned(),
            "server does not support TLS"
        )
    );
}
