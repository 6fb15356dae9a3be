//! Certificate revocation lists that are replaced while the application runs: before certificates
//! are verified (RFC 9846, 4.5.1), between issuing a ticket and its use, and during a handshake.

use crate::client::Client;
use crate::connection::tests::puppet::client::asking_server;
use crate::connection::tests::puppet::server::new_session_ticket;
use crate::connection::tests::puppet::session::{Ticket, known};
use crate::connection::tests::puppet::{HANDSHAKE, Puppet, WORLD, certificate_of, refused};
use crate::error::{CertificateError, Fault};
use crate::identity::{RevocationLists, Validity};
use crate::server::{ClientAuth, Server};
use crate::session::{SessionCache, TicketKeys};

/// A list that revokes nothing.
fn harmless() -> String {
    list(&[9])
}

/// A list that revokes the server and the client.
fn harmful() -> String {
    let list = WORLD
        .authority
        .revocation_list()
        .validity(Validity::unlimited());
    list.revoke(&WORLD.server)
        .revoke(&WORLD.client)
        .issue_pem()
        .unwrap()
}

fn list(serial: &[u8]) -> String {
    WORLD
        .authority
        .revocation_list()
        .validity(Validity::unlimited())
        .revoke_serial(serial)
        .issue_pem()
        .unwrap()
}

fn lists() -> RevocationLists {
    RevocationLists::from_pem(harmless()).unwrap()
}

fn client_with(lists: &RevocationLists) -> Client {
    Client::builder()
        .trust(WORLD.authority.trust().with_revocation_lists(lists.clone()))
        .build()
        .unwrap()
}

fn required(lists: &RevocationLists) -> ClientAuth {
    ClientAuth::Required(WORLD.authority.trust().with_revocation_lists(lists.clone()))
}

fn resumes(server: &Server, ticket: &Ticket) -> bool {
    Puppet::calling_with_ticket(server, ticket).is_resumed()
}

/// Each revoked peer is refused with its alert (6.2): certificate_revoked(44),
/// certificate_unknown(46).
#[test]
fn a_revoked_peer() {
    let lists = lists();
    let (client, server) = (client_with(&lists), asking_server(required(&lists)));
    Puppet::serving_at(&client, "CONNECTED");
    Puppet::calling_at(&server, "CONNECTED");
    lists.reload_pem(harmful()).unwrap();
    let mut puppet = Puppet::serving_at(&client, "WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.server));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        44,
        Fault::Certificate(CertificateError::Revoked)
    );
    let mut puppet = Puppet::calling_at(&server, "WAIT_CERT");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.client));
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        44,
        Fault::Certificate(CertificateError::Revoked)
    );

    lists
        .reload_pem(WORLD.stranger.revocation_list().issue_pem().unwrap())
        .unwrap();
    let mut puppet = Puppet::serving_at(&client, "WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.server));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        46,
        Fault::Certificate(CertificateError::UnknownRevocation)
    );
    let mut puppet = Puppet::calling_at(&server, "WAIT_CERT");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.client));
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        46,
        Fault::Certificate(CertificateError::UnknownRevocation)
    );
}

/// A server does not accept the ticket after a new list, and refuses the client that presents its
/// certificate instead.
#[test]
fn a_list_that_comes_between_ticket_and_resumption() {
    let lists = lists();
    let server = asking_server(required(&lists));
    let tickets = Puppet::tickets_of(&server);
    assert!(resumes(&server, &tickets[0]));
    lists.reload_pem(harmful()).unwrap();
    assert!(!Puppet::calling_with_ticket(&server, &tickets[1]).would_be_resumed());
    let mut puppet = Puppet::calling_with_ticket(&server, &tickets[1]);
    puppet.lead_server_to("WAIT_CERT");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.client));
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        44,
        Fault::Certificate(CertificateError::Revoked)
    );

    // A list that does not mention this client ends its tickets too: the handshake is a full one.
    lists.reload_pem(list(&[8])).unwrap();
    assert!(!resumes(&server, &tickets[1]));
    // The list that applied when the ticket was issued applies again.
    lists.reload_pem(harmless()).unwrap();
    assert!(resumes(&server, &tickets[1]));
}

/// A client does not offer its session after a new list, and refuses the server that presents its
/// certificate instead.
#[test]
fn a_list_that_comes_between_session_and_resumption() {
    let lists = lists();
    let client = client_with(&lists);
    known(&client);
    assert!(Puppet::serving(&client).offered_ticket().is_some());
    known(&client);
    lists.reload_pem(harmful()).unwrap();
    let mut puppet = Puppet::serving(&client);
    assert!(puppet.offered_ticket().is_none());
    puppet.lead_to("WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.server));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        44,
        Fault::Certificate(CertificateError::Revoked)
    );
}

/// Another process with the same keys or cache, and the same lists from another source, resumes
/// sessions. One with newer lists does not.
#[test]
fn the_same_lists_in_another_process() {
    let keys = TicketKeys::rotating();
    let server = |lists: &RevocationLists| {
        Server::builder()
            .identity(WORLD.server.clone())
            .client_auth(required(lists))
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let newer = RevocationLists::from_pem(harmful()).unwrap();
    let tickets = Puppet::tickets_of(&server(&lists()));
    assert!(resumes(&server(&lists()), &tickets[0]));
    assert!(!Puppet::calling_with_ticket(&server(&newer), &tickets[1]).would_be_resumed());

    let cache = SessionCache::new(10);
    let client = |lists: &RevocationLists| {
        let trust = WORLD.authority.trust().with_revocation_lists(lists.clone());
        Client::builder()
            .trust(trust)
            .sessions(cache.clone())
            .build()
            .unwrap()
    };
    known(&client(&lists()));
    assert!(Puppet::serving(&client(&newer)).offered_ticket().is_none());
    assert!(
        Puppet::serving(&client(&lists()))
            .offered_ticket()
            .is_some()
    );
}

/// The list is replaced during the handshake, after the certificate was accepted. The session is
/// bound to the lists at that moment, so a peer cannot avoid a list by being slow.
#[test]
fn a_list_that_comes_before_finished() {
    let lists = lists();
    let server = asking_server(required(&lists));
    for state in ["WAIT_CV", "WAIT_FINISHED"] {
        lists.reload_pem(harmless()).unwrap();
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.lead_server_to(state);
        lists.reload_pem(harmful()).unwrap();
        let ticket = puppet.finish_for_tickets().remove(0);
        assert!(
            !Puppet::calling_with_ticket(&server, &ticket).would_be_resumed(),
            "{state}"
        );
    }
    // The next one is a resumed session.
    lists.reload_pem(harmless()).unwrap();
    let ticket = Puppet::tickets_of(&server).remove(0);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.lead_server_to("WAIT_FINISHED");
    lists.reload_pem(harmful()).unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(puppet.us.negotiated().unwrap().resumed());
    assert!(!Puppet::calling_with_ticket(&server, &ticket).would_be_resumed());

    let client = client_with(&lists);
    for state in ["WAIT_CV", "WAIT_FINISHED", "CONNECTED"] {
        lists.reload_pem(harmless()).unwrap();
        let mut puppet = Puppet::serving_at(&client, state);
        lists.reload_pem(harmful()).unwrap();
        puppet.lead_to("CONNECTED");
        puppet.say_ticket(&new_session_ticket());
        assert!(
            Puppet::serving(&client).offered_ticket().is_none(),
            "{state}"
        );
        // The session is still there for the lists under which it was made.
        lists.reload_pem(harmless()).unwrap();
        assert!(
            Puppet::serving(&client).offered_ticket().is_some(),
            "{state}"
        );
    }
}

/// The list is replaced during the handshake, before the certificate. The new list applies to the
/// certificate and to the session.
#[test]
fn a_list_that_comes_before_the_certificate() {
    let lists = lists();
    let (client, server) = (client_with(&lists), asking_server(required(&lists)));
    let mut puppet = Puppet::serving(&client);
    lists.reload_pem(list(&[8])).unwrap();
    puppet.lead_to("CONNECTED");
    puppet.say_ticket(&new_session_ticket());
    lists.reload_pem(harmless()).unwrap();
    assert!(Puppet::serving(&client).offered_ticket().is_none());
    lists.reload_pem(list(&[8])).unwrap();
    assert!(Puppet::serving(&client).offered_ticket().is_some());

    lists.reload_pem(harmless()).unwrap();
    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.lead_server_to("WAIT_CERT");
    lists.reload_pem(list(&[8])).unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(resumes(&server, &ticket));
    lists.reload_pem(harmless()).unwrap();
    assert!(!resumes(&server, &ticket));

    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.lead_server_to("WAIT_CERT");
    lists.reload_pem(harmful()).unwrap();
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.client));
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        44,
        Fault::Certificate(CertificateError::Revoked)
    );
}
