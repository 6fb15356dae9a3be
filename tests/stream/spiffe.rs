//! Connections by SPIFFE ID: asked for by the client, authorized by the server, resumed.

use fleeting::{
    Authority, CertificateError, Client, ClientAuth, Error, Fault, Identity, Server, Trust,
};

use crate::pipe::wide_pipe;
use crate::side::Side;

const DB: &str = "spiffe://example.org/db";
const WEB: &str = "spiffe://example.org/web";

fn issue(authority: &Authority, id: &str) -> Identity {
    authority
        .certificate()
        .server([id])
        .client(id)
        .issue()
        .unwrap()
}

/// Runs one connection, and returns the server's error or the client's.
fn run(client: &Client, server: &Server, name: &str) -> Result<bool, Error> {
    let (a, b) = wide_pipe();
    let mut a = Side::new(client.start(name, a)?, b"hello".to_vec());
    let mut b = Side::new(server.start(b), b"welcome".to_vec());
    for _ in 0..1000 {
        let (client, server) = (a.step(), b.step());
        match (client, server) {
            (Err(Error::AlertReceived { .. }), Err(error)) | (Err(error), _) | (_, Err(error)) => {
                return Err(error);
            }
            _ if a.is_done() && b.is_done() => return Ok(a.received == b"welcome"),
            _ => {}
        }
    }
    panic!("it stands still")
}

#[test]
fn a_connection_by_spiffe_id() {
    let authority = Authority::new("example.org").unwrap();
    let trust = Trust::spiffe_roots_from_pem("example.org", authority.certificate_pem()).unwrap();
    let server = Server::builder()
        .identity(issue(&authority, DB))
        .client_auth(ClientAuth::Required(trust.clone()))
        .authorize(|peer| match peer.spiffe_id().as_deref() {
            Some(WEB) => Ok(()),
            _ => Err("only the web servers"),
        })
        .build()
        .unwrap();
    let client = |id| {
        let client = Client::builder().identity(issue(&authority, id));
        client.trust(trust.clone()).build().unwrap()
    };
    let web = client(WEB);
    // The second and the third time it is resumed, and authorized again.
    for _ in 0..3 {
        assert!(run(&web, &server, DB).unwrap());
    }
    assert!(matches!(
        run(&web, &server, "spiffe://example.org/other"),
        Err(Error::Protocol {
            fault: Fault::Certificate(CertificateError::WrongName { .. }),
            ..
        })
    ));
    assert!(matches!(
        run(&client("spiffe://example.org/web2"), &server, DB),
        Err(Error::Protocol {
            fault: Fault::Denied(_),
            ..
        } | Error::AlertReceived { .. })
    ));
}
