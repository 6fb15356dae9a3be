//! A server and a client whose files change while connections are made.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use fleeting::{
    AlertDescription, Authority, CertificateError, Client, ClientAuth, CredentialFiles, Error,
    Fault, Identity, ReloadEvent, ReloadPart, Reloading, Server, SessionCache, Stream, TicketKeys,
};

use crate::pipe::{End, wide_pipe};
use crate::side::{Side, streams};

const NAME: &str = "db.internal";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fleeting-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.pem"), identity.chain_pem());
        let key = identity.key_pem().unwrap();
        self.write(&format!("{name}-key.pem"), key.expose());
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn files(&self, name: &str) -> CredentialFiles {
        let key = self.0.join(format!("{name}-key.pem"));
        CredentialFiles::new()
            .identity(self.0.join(format!("{name}.pem")), key)
            .roots(self.0.join("ca.pem"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn server(folder: &Folder) -> Reloading<Server> {
    let tickets = TicketKeys::rotating();
    let files = folder.files("server");
    let files = files.revocation_lists(folder.0.join("crl.pem"));
    files
        .check_server(NAME)
        .watch(move |files| {
            Server::builder()
                .identity(files.identity()?)
                .client_auth(ClientAuth::Required(files.trust()?))
                .ticket_keys(tickets.clone())
                .build()
        })
        .unwrap()
}

fn client(folder: &Folder) -> Reloading<Client> {
    let sessions = SessionCache::new(10);
    let files = folder.files("client").check_client();
    files
        .watch(move |files| {
            Client::builder()
                .identity(files.identity()?)
                .trust(files.trust()?)
                .sessions(sessions.clone())
                .build()
        })
        .unwrap()
}

fn connect(client: &Reloading<Client>, server: &Reloading<Server>) -> (Stream<End>, Stream<End>) {
    let (a, b) = wide_pipe();
    let (a, b) = (
        client.current().start(NAME, a).unwrap(),
        server.current().start(b),
    );
    let (mut a, mut b) = streams(a, b);
    exchange(&mut a, &mut b);
    (a, b)
}

/// Exchanges data, after which the client has its tickets.
fn exchange(a: &mut Stream<End>, b: &mut Stream<End>) {
    let mut text = [0; 5];
    a.write_all(b"hello").unwrap();
    b.read_exact(&mut text).unwrap();
    b.write_all(&text).unwrap();
    a.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello");
}

fn parts(events: &[ReloadEvent]) -> Vec<ReloadPart> {
    let part = |event: &ReloadEvent| match event {
        ReloadEvent::Replaced { part, .. } => *part,
        other => panic!("{other}"),
    };
    events.iter().map(part).collect()
}

#[test]
fn both_sides_are_renewed_while_a_connection_is_open() {
    let (folder, authority) = (Folder::new("renewed"), Authority::new("CA").unwrap());
    let servers = [(); 2].map(|()| authority.issue_server([NAME]).unwrap());
    let clients = [(); 2].map(|()| authority.issue_client("alice").unwrap());
    folder.put("server", &servers[0]);
    folder.put("client", &clients[0]);
    folder.write("ca.pem", authority.certificate_pem());
    let first_list = authority.revocation_list().issue_pem().unwrap();
    folder.write("crl.pem", &first_list);
    let (server, client) = (server(&folder), client(&folder));

    let key = |stream: &Stream<End>| stream.peer().unwrap().public_key();
    let mut old = connect(&client, &server);
    assert_eq!(key(&old.0), servers[0].public_key());
    assert_eq!(key(&old.1), clients[0].public_key());
    assert!(connect(&client, &server).0.resumed());

    // A renewed certificate for the same key: sessions go on.
    let same_key = authority.certificate().server([NAME]);
    let renewed = same_key.issue_for(servers[0].public_key()).unwrap();
    folder.write("server.pem", renewed);
    assert_eq!(parts(&server.reload()), [ReloadPart::Identity]);
    assert!(connect(&client, &server).0.resumed());

    // New keys on both sides.
    folder.put("server", &servers[1]);
    folder.put("client", &clients[1]);
    assert_eq!(parts(&server.reload()), [ReloadPart::Identity]);
    assert_eq!(parts(&client.reload()), [ReloadPart::Identity]);
    let new = connect(&client, &server);
    assert!(!new.0.resumed());
    assert_eq!(key(&new.0), servers[1].public_key());
    assert_eq!(key(&new.1), clients[1].public_key());
    // The connection from before is as it was.
    exchange(&mut old.0, &mut old.1);

    // The client is revoked: it is neither admitted nor resumed.
    let second_list = authority.revocation_list().following(first_list);
    folder.write(
        "crl.pem",
        second_list.revoke(&clients[1]).issue_pem().unwrap(),
    );
    assert_eq!(parts(&server.reload()), [ReloadPart::RevocationLists]);
    let (a, b) = wide_pipe();
    let mut a = Side::new(client.current().start(NAME, a).unwrap(), Vec::new());
    let mut b = Side::new(server.current().start(b), Vec::new());
    let refused = (0..100).find_map(|_| {
        drop(a.step());
        b.step().err()
    });
    match refused {
        Some(Error::Protocol {
            fault: fault @ Fault::Certificate(CertificateError::Revoked),
            ..
        }) => assert_eq!(fault.alert(), AlertDescription::CERTIFICATE_REVOKED),
        other => panic!("{other:?}"),
    }
    assert!(server.problems().is_empty() && client.problems().is_empty());
}
