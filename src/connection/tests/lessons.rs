//! Known faults of other implementations that must not occur here: a test for each, named after the
//! fault. `retry/server.rs` has those about HelloRetryRequest.

use core::time::Duration;

use crate::client::Client;
use crate::code_point::{CipherSuite, ExtensionType, NamedGroup};
use crate::connection::tests::early_data::client_refused::{Rejection, offered_to_be_rejected};
use crate::connection::tests::external_psk::server::offered;
use crate::connection::tests::puppet::client::{add, asking_server, remove, required, set};
use crate::connection::tests::puppet::retry::Asked;
use crate::connection::tests::puppet::server::{encrypted_extensions, new_session_ticket};
use crate::connection::tests::puppet::session::{Psk, Ticket, known};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, certificate_message, certificate_of, client,
    message, now, plain, refused, server,
};
use crate::crypto::suite::Suite;
use crate::error::{CertificateError, ConfigError, DecodeProblem, Error, Fault, Illegal};
use crate::identity::{Identity, Trust};
use crate::message::ClientHelloExtension::{
    CertificateAuthorities, KeyShare, ServerName, SupportedGroups,
};
use crate::message::{self, ServerHelloExtension};
use crate::server::{ClientAuth, Server, ServerBuilder};
use crate::session::{ExternalPsk, PskNames, SessionCache, TicketKey, TicketKeys};

fn builder() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

fn ticket_of(server: &Server) -> Ticket {
    Puppet::tickets_of(server).pop().expect("a ticket")
}

/// RUSTSEC-2026-0347: if early data was rejected, plaintext that was buffered as early data was
/// sent automatically as ordinary data. Here early data is encrypted when it is written, and what
/// is left of it in the output is sent unchanged, so the server skips it. This holds for each way
/// of rejecting it, and however much had been sent by then.
#[test]
fn rustsec_2026_0347_early_data_does_not_leave_as_ordinary_data() {
    for rejection in Rejection::ALL {
        // These are two records of 5 bytes of data each, with 1 byte of type, 5 of header and 16 of
        // tag.
        for gone in 0..=2 * (5 + 22) {
            let mut puppet = offered_to_be_rejected(rejection, gone % 2 == 0);
            assert_eq!(
                puppet.us.write_early_data(b"GET /").unwrap()
                    + puppet.us.write_early_data(b"PUT /").unwrap(),
                10
            );
            assert_eq!(puppet.us.output().len(), 2 * (5 + 22));
            puppet.take(gone);
            puppet.reject_late(rejection, |puppet| {
                puppet.hear_early(b"GET /");
                puppet.hear_early(b"PUT /");
            });
            // `lead_to` hears our flight, and checks that there is nothing else.
            puppet.lead_to("CONNECTED");
            puppet.send(b"is there more?").unwrap();
            puppet.hears_nothing();
            puppet.us.write(b"ordinary").unwrap();
            assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"ordinary");
            puppet.us.close();
            assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
            puppet.hears_nothing();
        }
    }
}

/// RUSTSEC-2026-0349: state from a handshake was stored before its Finished was verified, and used
/// by the next connection. Here neither a client's cache nor a server's tickets contain anything
/// from a handshake that did not complete, wherever it ended.
#[test]
fn rustsec_2026_0349_nothing_is_remembered_before_finished() {
    // One server's Finished is wrong, with a ticket after it. Another server sends its ticket too
    // early.
    let client = client();
    let mut puppet = Puppet::serving_at(&client, "WAIT_FINISHED");
    let mut finished = puppet.finished();
    puppet.transcript.extend_from_slice(&finished);
    finished[4] ^= 1;
    let finished = puppet.record(HANDSHAKE, &finished);
    puppet.derive_application_secrets();
    puppet.install_application_keys(crate::connection::tests::puppet::Side::Server);
    let ticket = puppet.record(HANDSHAKE, &new_session_ticket());
    refused!(
        puppet,
        [finished, ticket].concat(),
        "WAIT_FINISHED",
        51,
        Fault::BadFinished
    );
    for state in [
        "WAIT_SH",
        "WAIT_EE",
        "WAIT_CERT_CR",
        "WAIT_CERT",
        "WAIT_CV",
        "WAIT_FINISHED",
    ] {
        let mut puppet = Puppet::serving_at(&client, state);
        let ticket = puppet.record(HANDSHAKE, &new_session_ticket());
        refused!(
            puppet,
            ticket,
            state,
            10,
            Fault::Unexpected {
                got: "NewSessionTicket",
                ..
            }
        );
    }
    assert!(client.config.sessions.is_empty());
    assert!(Puppet::serving(&client).offered_ticket().is_none());

    // The same when a session is resumed: the session is gone, and none replaces it.
    let psk = known(&client);
    let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_FINISHED");
    let mut finished = puppet.finished();
    finished[4] ^= 1;
    let finished = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, finished, "WAIT_FINISHED", 51, Fault::BadFinished);
    assert!(client.config.sessions.is_empty());

    // A client without a right Finished gets no ticket: only the alert is heard. The same holds for
    // a client whose certificate is refused, or not proven.
    let server = asking_server(required());
    type Breach = fn(&mut Puppet) -> Vec<u8>;
    let breaches: [(&str, Breach, u8); 3] = [
        (
            "WAIT_CERT",
            |_| certificate_of(&WORLD.stranger.issue_client("me").unwrap()),
            48,
        ),
        (
            "WAIT_CV",
            |puppet| {
                let mut verify = puppet.certificate_verify();
                *verify.last_mut().unwrap() ^= 1;
                verify
            },
            51,
        ),
        (
            "WAIT_FINISHED",
            |puppet| {
                let mut finished = puppet.finished();
                finished[4] ^= 1;
                finished
            },
            51,
        ),
    ];
    for (state, breach, alert) in breaches {
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.lead_server_to(state);
        let message = breach(&mut puppet);
        let record = puppet.record(HANDSHAKE, &message);
        puppet.refused(&record, state, alert);
    }
}

/// Go CVE-2025-68121: a session that was made when other roots were trusted was resumed after they
/// were removed. Here a ticket is valid only under the configuration under which it was issued, on
/// both sides.
#[test]
fn cve_2025_68121_trust_is_checked_again_on_resumption() {
    let keys = TicketKeys::rotating();
    let with = |client_auth| {
        builder()
            .client_auth(client_auth)
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let both = || WORLD.authority.trust().and(WORLD.stranger.trust());
    let before = with(ClientAuth::Required(both()));
    // The client's certificate is by the authority that is removed.
    let mut puppet = Puppet::calling_for_tickets(&before);
    puppet.identity = WORLD.stranger.issue_client("me").unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(Puppet::calling_with_ticket(&before, &ticket).is_resumed());
    // The same roots in another order are the same trust.
    let same = with(ClientAuth::Required(
        WORLD.stranger.trust().and(WORLD.authority.trust()),
    ));
    assert!(Puppet::calling_with_ticket(&same, &ticket).is_resumed());

    // The handshake is a full one, and the server asks for a client certificate.
    let after = with(ClientAuth::Required(WORLD.authority.trust()));
    let mut puppet = Puppet::calling_with_ticket(&after, &ticket);
    puppet.identity = WORLD.stranger.issue_client("me").unwrap();
    puppet.lead_server_to("WAIT_CERT");
    let certificate = puppet.certificate();
    let record = puppet.record(HANDSHAKE, &certificate);
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        48,
        Fault::Certificate(CertificateError::UnknownIssuer { .. })
    );
    let optional = with(ClientAuth::Optional(WORLD.authority.trust()));
    assert!(!Puppet::calling_with_ticket(&optional, &ticket).is_resumed());

    // A client does not use sessions made under other trust, even in a shared cache.
    let cache = SessionCache::new(10);
    let trusting = |trust: Trust| {
        Client::builder()
            .trust(trust)
            .sessions(cache.clone())
            .build()
            .unwrap()
    };
    let (before, after) = (trusting(both()), trusting(WORLD.stranger.trust()));
    known(&before);
    let mut puppet = Puppet::serving(&after);
    assert!(puppet.offered_ticket().is_none());
    puppet.lead_to("WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &certificate_of(&WORLD.server));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        48,
        Fault::Certificate(CertificateError::UnknownIssuer { .. })
    );
    assert!(Puppet::serving(&before).offered_ticket().is_some());
}

/// nginx CVE-2025-23419: the ticket of one virtual host, which did not ask for client certificates,
/// was accepted by another that does. Here both share their ticket keys, and differ in all ways in
/// which two hosts can.
#[test]
fn cve_2025_23419_a_ticket_of_one_virtual_host_at_another() {
    let keys = TicketKeys::rotating();
    let (one, two) = (
        WORLD.authority.issue_server(["one.internal"]).unwrap(),
        WORLD.authority.issue_server(["two.internal"]).unwrap(),
    );
    let both = WORLD
        .authority
        .issue_server(["one.internal", "two.internal"])
        .unwrap();
    let host = |name: &'static str| ServerName(vec![message::ServerName::HostName(name)]);
    /// Returns the first flight with which this server answers a name, and a ticket for it.
    fn visit(
        server: &Server,
        name: message::ClientHelloExtension<'static>,
        ticket: Option<&Ticket>,
    ) -> (Vec<u8>, Ticket) {
        let mut puppet = Puppet::calling_for_tickets(server);
        puppet.psks.extend(ticket.map(Ticket::psk));
        let hello = puppet.make_client_hello(|hello| set(hello, name));
        puppet.say(&hello).unwrap();
        let flight = puppet
            .hear_flight()
            .iter()
            .map(|message| message[0])
            .collect();
        (flight, puppet.finish_for_tickets().remove(0))
    }
    let open = |identity: &Identity| {
        Server::builder()
            .identity(identity.clone())
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let closed = |identity: &Identity| {
        Server::builder()
            .identity(identity.clone())
            .client_auth(required())
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };

    // An open host and a closed one have two certificates, or share one.
    for (public, private) in [(open(&one), closed(&two)), (open(&both), closed(&both))] {
        let (_, ticket) = visit(&public, host("one.internal"), None);
        assert_eq!(
            visit(&public, host("one.internal"), Some(&ticket)).0,
            [2, 8, 20]
        );
        for name in ["one.internal", "two.internal"] {
            // ServerHello, EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify,
            // Finished.
            assert_eq!(
                visit(&private, host(name), Some(&ticket)).0,
                [2, 8, 13, 11, 15, 20]
            );
        }
        // The other direction is refused too, since it would reveal a client's name to a host that
        // did not ask.
        let (_, ticket) = visit(&private, host("two.internal"), None);
        assert_eq!(
            visit(&public, host("two.internal"), Some(&ticket)).0,
            [2, 8, 11, 15, 20]
        );
    }
    // Two closed hosts have different clients.
    let theirs = ClientAuth::Required(WORLD.authority.trust().and(WORLD.stranger.trust()));
    let (public, private) = (
        closed(&both),
        Server::builder()
            .identity(both.clone())
            .client_auth(theirs)
            .ticket_keys(keys.clone())
            .build()
            .unwrap(),
    );
    let (_, ticket) = visit(&private, host("two.internal"), None);
    assert_eq!(
        visit(&public, host("two.internal"), Some(&ticket)).0,
        [2, 8, 13, 11, 15, 20]
    );
    // One server has two names.
    let server = Server::builder()
        .identity_by_name(one)
        .identity_by_name(two)
        .ticket_keys(keys.clone())
        .build()
        .unwrap();
    let (_, ticket) = visit(&server, host("one.internal"), None);
    assert_eq!(
        visit(&server, host("one.internal"), Some(&ticket)).0,
        [2, 8, 20]
    );
    assert_eq!(
        visit(&server, host("two.internal"), Some(&ticket)).0,
        [2, 8, 11, 15, 20]
    );
}

/// wolfSSL CVE-2026-94419: a client's cache was keyed by a value that the server chose, so one
/// server could store its session where another server's was looked up. Here the key is what the
/// client requested. Nothing that a server sends can move or remove a session of another.
#[test]
fn cve_2026_94419_the_cache_is_keyed_by_what_was_asked() {
    let client = client();
    let honest = known(&client);
    // A server of another name, whose certificate also has the first name, sends the same ticket,
    // nonce and age_add, and echoes the same session id.
    for _ in 0..10 {
        let mut puppet = Puppet::serving_name(&client, "evil.internal");
        assert!(
            puppet
                .offered_ticket()
                .is_none_or(|(ticket, _)| ticket == b"ticket")
        );
        puppet.identity = WORLD
            .authority
            .issue_server(["db.internal", "evil.internal"])
            .unwrap();
        puppet.lead_to("WAIT_EE");
        // The server acknowledges the name.
        puppet
            .say(&encrypted_extensions(
                &crate::connection::tests::puppet::extension(0, &[]),
            ))
            .unwrap();
        puppet.lead_to("CONNECTED");
        let theirs = puppet.say_ticket(&new_session_ticket());
        assert_ne!(theirs.key, honest.key);
    }
    let mut puppet = Puppet::serving(&client);
    // `select` verifies the binder under the key of the honest server.
    puppet.select(&honest);
    puppet.lead_to("CONNECTED");
    assert!(puppet.us.negotiated().unwrap().resumed());
    assert!(Puppet::serving(&client).offered_ticket().is_none());
    assert!(
        Puppet::serving_name(&client, "evil.internal")
            .offered_ticket()
            .is_some()
    );
}

/// GnuTLS CVE-2020-13777: until its first rotation a server sealed its tickets under a key of
/// zeros. Here every key is random or given, and one of zeros is refused.
#[test]
fn cve_2020_13777_ticket_keys_are_never_default() {
    // A fresh server's tickets open at no other server.
    let servers = [
        server(),
        server(),
        builder()
            .ticket_keys(TicketKeys::rotating())
            .build()
            .unwrap(),
    ];
    let tickets: Vec<Ticket> = servers.iter().map(ticket_of).collect();
    for (one, server) in servers.iter().enumerate() {
        for (two, ticket) in tickets.iter().enumerate() {
            assert_eq!(
                Puppet::calling_with_ticket(server, ticket).is_resumed(),
                one == two
            );
        }
    }
    // The key's name at the beginning differs too.
    assert!(
        tickets[0].ticket[..16] != tickets[1].ticket[..16] && tickets[0].ticket[..16] != [0; 16]
    );
    // No ticket consists of a single repeated byte.
    for byte in [0, 0xff] {
        let ticket = Ticket {
            ticket: vec![byte; tickets[0].ticket.len()],
            key: vec![byte; 32],
            ..tickets[0].clone()
        };
        assert!(!Puppet::calling_with_ticket(&servers[0], &ticket).is_resumed());
    }
    let (unix, hour) = (now().unix, Duration::from_secs(3600));
    for length in [0, 16, 31, 32, 64] {
        assert!(TicketKey::new(vec![0; length], unix, unix + hour, unix + hour).is_err());
    }
    // Without a key no ticket is issued or accepted.
    let keyless = builder().ticket_keys(TicketKeys::empty()).build().unwrap();
    assert_eq!(Puppet::tickets_of(&keyless), []);
    assert!(!Puppet::calling_with_ticket(&keyless, &tickets[0]).is_resumed());
}

/// wolfSSL CVE-2023-3724: if a ServerHello had neither a key share nor a PSK, keys were derived
/// from public values. Here there is no handshake without a key exchange, on either side, with a
/// PSK or without.
#[test]
fn cve_2023_3724_neither_share_nor_psk() {
    // Our client receives a ServerHello without key_share.
    let mut puppet = Puppet::serving(&client());
    let hello = puppet.server_hello(|hello| hello.extensions.as_mut().unwrap().truncate(1));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        109,
        Fault::MissingExtension {
            message: "ServerHello",
            extension: ExtensionType(51)
        }
    );
    let client = client();
    let psk = known(&client);
    for selects in [false, true] {
        known(&client);
        let mut puppet = Puppet::serving(&client);
        assert_eq!(puppet.offered_ticket().unwrap().0, psk.identity);
        let hello = puppet.server_hello(|hello| {
            let extensions = hello.extensions.as_mut().unwrap();
            extensions.truncate(1);
            extensions.extend(selects.then_some(ServerHelloExtension::PreSharedKey(0)));
        });
        if selects {
            refused!(
                puppet,
                plain(HANDSHAKE, &hello),
                "WAIT_SH",
                47,
                Fault::Illegal(Illegal::PskWithoutKeyShare)
            );
        } else {
            refused!(
                puppet,
                plain(HANDSHAKE, &hello),
                "WAIT_SH",
                109,
                Fault::MissingExtension {
                    extension: ExtensionType(51),
                    ..
                }
            );
        }
    }

    // Our server receives a hello without key_share and supported_groups, with and without a PSK
    // and psk_ke (9.2).
    let server = server();
    let ticket = ticket_of(&server);
    for (modes, psks) in [
        (&[][..], vec![]),
        (&[0], vec![]),
        (&[0], vec![ticket.psk()]),
        (&[0, 1], vec![ticket.psk()]),
        (&[1], vec![Psk::unknown()]),
    ] {
        for without_groups in [false, true] {
            let mut puppet = Puppet::calling(&server);
            (puppet.modes, puppet.psks) = (modes.to_vec(), psks.clone());
            let hello = puppet.make_client_hello(|hello| {
                remove(hello, KeyShare(vec![]));
                if without_groups {
                    remove(hello, SupportedGroups(vec![]));
                }
            });
            let missing = ExtensionType(if without_groups { 10 } else { 51 });
            refused!(
                puppet,
                plain(HANDSHAKE, &hello),
                "START",
                109,
                Fault::MissingExtension { message: "ClientHello", extension }
                    if extension == missing
            );
        }
    }
    // An empty list of shares causes a retry, also with a PSK.
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    let hello = puppet.make_client_hello(|hello| set(hello, KeyShare(vec![])));
    puppet.say(&hello).unwrap();
    assert_eq!(
        puppet.hear_retry(),
        Asked {
            group: Some(NamedGroup(0x001d)),
            cookie: None
        }
    );
}

/// wolfSSL CVE-2024-5814: a client resumed with a suite that it had not offered. Here the suite
/// must be one of the ClientHello, whatever the session's was, on both sides.
#[test]
fn cve_2024_5814_a_suite_that_was_not_offered() {
    let cache = SessionCache::new(10);
    let with = |suites: &[u16]| {
        let suites = suites.iter().copied().map(CipherSuite);
        Client::builder()
            .trust(WORLD.authority.trust())
            .cipher_suites(suites)
            .sessions(cache.clone())
            .build()
            .unwrap()
    };
    let (both, chacha) = (with(&[0x1301, 0x1303]), with(&[0x1303]));
    // These are the session's suite, which is no longer offered, one of the same hash that was
    // never offered, and one of another hash.
    for suite in [0x1301, 0x1304, 0x1302] {
        let psk = known(&both);
        let mut puppet = Puppet::serving(&chacha);
        puppet.select(&psk);
        let hello = puppet.server_hello(|hello| {
            hello.cipher_suite = CipherSuite(suite);
            hello
                .extensions
                .as_mut()
                .unwrap()
                .push(ServerHelloExtension::PreSharedKey(0));
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "WAIT_SH",
            47,
            Fault::Illegal(Illegal::SuiteNotOffered(got)) if got.0 == suite
        );
    }

    // A server resumes a session whose suite is no longer offered with one that is. If it supports
    // none, the handshake fails.
    let server = builder()
        .cipher_suites([CipherSuite(0x1301), CipherSuite(0x1303)])
        .build()
        .unwrap();
    let ticket = ticket_of(&server);
    assert_eq!(ticket.suite, Suite::Aes128GcmSha256);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.suite = Suite::ChaCha20Poly1305Sha256;
    assert!(puppet.is_resumed());
    assert_eq!(
        puppet.us.negotiated().unwrap().cipher_suite(),
        CipherSuite(0x1303)
    );
    for offered in [
        vec![CipherSuite(0x1302)],
        vec![CipherSuite(0x1304), CipherSuite(0x00ff)],
    ] {
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        let hello = puppet.make_client_hello(|hello| hello.cipher_suites = offered);
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            40,
            Fault::NoCommonSuite { .. }
        );
    }
    // This suite was removed from the server's configuration since.
    let keys = TicketKeys::rotating();
    let ticket = ticket_of(&builder().ticket_keys(keys.clone()).build().unwrap());
    let narrow = builder()
        .ticket_keys(keys)
        .cipher_suites([CipherSuite(0x1303)])
        .build()
        .unwrap();
    let mut puppet = Puppet::calling_with_ticket(&narrow, &ticket);
    let hello = puppet.make_client_hello(|hello| {
        hello.cipher_suites = vec![CipherSuite(0x1301), CipherSuite(0x1303)]
    });
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    puppet.finish_for_tickets();
    assert_eq!(
        puppet.us.negotiated().unwrap().cipher_suite(),
        CipherSuite(0x1303)
    );
}

/// OpenSSL CVE-2024-2511: a session cache grew without limit, although its sessions were for single
/// use. Here a client's cache is limited for each server and in total, whatever servers send. A
/// server has no cache.
#[test]
fn cve_2024_2511_the_cache_does_not_grow() {
    let cache = SessionCache::new(20);
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .sessions(cache.clone())
        .build()
        .unwrap();
    // As many tickets as are allowed without data between them arrive repeatedly.
    for _ in 0..5 {
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        for _ in 0..20 {
            puppet.say(&new_session_ticket()).unwrap();
            puppet.send(b"data").unwrap();
            assert!(cache.len() <= 8, "{}", cache.len());
        }
    }
    assert_eq!(cache.len(), 8);
    // There are many servers.
    let names: Vec<String> = (0..50)
        .map(|number| format!("s{number}.internal"))
        .collect();
    let server = WORLD
        .authority
        .issue_server(names.iter().map(String::as_str))
        .unwrap();
    for name in &names {
        let mut puppet = Puppet::serving_name(&client, name);
        puppet.identity = server.clone();
        puppet.lead_to("CONNECTED");
        for _ in 0..2 {
            puppet.say(&new_session_ticket()).unwrap();
            assert!(cache.len() <= 20, "{}", cache.len());
        }
    }
    assert_eq!(cache.len(), 20);
    // The newest sessions are there, and the oldest are not.
    assert!(
        Puppet::serving_name(&client, "s49.internal")
            .offered_ticket()
            .is_some()
    );
    assert!(
        Puppet::serving_name(&client, "s0.internal")
            .offered_ticket()
            .is_none()
    );
    assert!(Puppet::serving(&client).offered_ticket().is_none());
}

/// OpenSSL CVE-2026-14457: a raw public key was used where no certificate was configured. Here both
/// sides work without any certificate, whatever the other side sends or leaves out.
#[test]
fn cve_2026_14457_a_raw_key_and_no_certificate() {
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let server = |client_auth| {
        Server::builder()
            .identity(ours.clone())
            .client_auth(client_auth)
            .build()
            .unwrap()
    };
    let keys = || Trust::keys([theirs.public_key()]);
    // The client offers raw keys and presents nothing.
    for (client_auth, required) in [
        (ClientAuth::Optional(keys()), false),
        (ClientAuth::Required(keys()), true),
    ] {
        let mut puppet = Puppet::calling(&server(client_auth));
        let hello = puppet
            .make_client_hello(crate::connection::tests::handshake::raw_keys::offers_raw_keys);
        puppet.say(&hello).unwrap();
        puppet.hear_flight();
        let empty = certificate_message(&[], &[]);
        if required {
            let record = puppet.record(HANDSHAKE, &empty);
            refused!(
                puppet,
                record,
                "WAIT_CERT",
                116,
                Fault::CertificateRequired { .. }
            );
        } else {
            puppet.say(&empty).unwrap();
            puppet.lead_server_to("CONNECTED");
            assert!(puppet.us.negotiated().unwrap().peer().is_none());
        }
    }
    // The client offers neither raw keys nor authorities: our key is presented in a certificate of
    // its own.
    let mut puppet = Puppet::calling(&server(ClientAuth::None));
    let hello = puppet.make_client_hello(|hello| {
        set(hello, CertificateAuthorities(vec![b"0\0"]));
    });
    puppet.say(&hello).unwrap();
    assert_eq!(puppet.hear_flight()[2], certificate_of(&ours));

    // Our client without an identity is asked for a raw key, and one with a key is asked for a
    // certificate.
    for (identity, answered) in [(None, 0), (Some(theirs.clone()), 1)] {
        let builder = Client::builder().trust(Trust::keys([ours.public_key()]));
        let client = match identity {
            Some(identity) => builder.identity(identity).build().unwrap(),
            None => builder.build().unwrap(),
        };
        let mut puppet = Puppet::serving(&client);
        puppet.identity = ours.clone();
        puppet.lead_to("WAIT_CERT");
        puppet.lead_to("WAIT_FINISHED");
        puppet.say_finished();
        let flight = puppet.hear_client_flight();
        assert_eq!(flight.len(), if answered == 0 { 2 } else { 3 });
        let expected = if answered == 0 {
            message(11, &[0, 0, 0, 0])
        } else {
            certificate_of(&theirs)
        };
        assert_eq!(flight[0], expected);
    }
}

/// A client that offers this PSK.
fn offering(server: &Server, psk: Psk) -> Puppet {
    let mut puppet = Puppet::calling_for_tickets(server);
    puppet.suite = psk.suite;
    puppet.psks = vec![psk];
    puppet
}

/// GnuTLS CVE-2026-1584: a wrong binder crashed a server with PSKs. Here it is refused in every
/// form: too short for the syntax, of another hash's length, too long, or of zeros. The server then
/// serves the next client.
#[test]
fn cve_2026_1584_a_bad_binder() {
    let secret = b"thirty-two bytes that are random";
    let psks = [
        crate::connection::tests::external_psk::server::at_the_hub(),
        ExternalPsk::not_imported("plain", secret).unwrap(),
    ];
    for server in [
        Server::builder().external_psks(psks.clone()),
        builder().external_psks(psks),
    ] {
        let server = server.build().unwrap();
        for psk in [
            offered(Suite::Aes128GcmSha256),
            offered(Suite::Aes256GcmSha384),
            Psk::not_imported(b"plain", secret),
        ] {
            for length in 0..=255 {
                let mut puppet = offering(&server, psk.clone());
                puppet.psks.clear();
                let hello = puppet.make_client_hello(|hello| {
                    let identities = vec![message::PskIdentity {
                        identity: psk.identity.clone().leak(),
                        obfuscated_ticket_age: 0,
                    }];
                    let binders = vec![&[0; 255][..length]];
                    add(
                        hello,
                        message::ClientHelloExtension::PreSharedKey(message::OfferedPsks {
                            identities,
                            binders,
                        }),
                    );
                });
                // `opaque PskBinderEntry<32..255>`.
                if length < 32 {
                    refused!(
                        puppet,
                        plain(HANDSHAKE, &hello),
                        "START",
                        50,
                        Fault::Decode {
                            problem: DecodeProblem::Length | DecodeProblem::Empty,
                            ..
                        }
                    );
                } else {
                    refused!(
                        puppet,
                        plain(HANDSHAKE, &hello),
                        "START",
                        51,
                        Fault::BadBinder
                    );
                }
            }
            offering(&server, psk).lead_server_to("CONNECTED");
        }
    }
}

/// GnuTLS CVE-2026-42010: an identity was compared as a C string, so "a\0b" was "a". Here all of
/// its bytes are compared (RFC 9257, 6.1.1).
#[test]
fn cve_2026_42010_nul_in_an_identity() {
    let secret = b"thirty-two bytes that are random";
    let names = PskNames {
        own: "hub",
        peer: "sensor",
    };
    let client = ["sensor", "hub"];
    let identities: [&[u8]; 6] = [b"a", b"a\0", b"a\0b", b"\0a", b"\0", b"A"];
    for known in identities {
        let psks = [
            ExternalPsk::new(known, secret, names).unwrap(),
            ExternalPsk::not_imported(known, secret).unwrap(),
        ];
        let server = Server::builder().external_psks(psks).build().unwrap();
        for identity in identities {
            for psk in [
                Psk::imported(identity, secret, client, Suite::Aes128GcmSha256),
                Psk::not_imported(identity, secret),
            ] {
                let mut puppet = offering(&server, psk);
                if identity == known {
                    puppet.lead_server_to("CONNECTED");
                    assert_eq!(
                        puppet
                            .us
                            .negotiated()
                            .unwrap()
                            .external_psk()
                            .unwrap()
                            .identity(),
                        known
                    );
                } else {
                    let hello = puppet.make_client_hello(|_| {});
                    refused!(
                        puppet,
                        plain(HANDSHAKE, &hello),
                        "START",
                        51,
                        Fault::UnknownPsk
                    );
                }
            }
        }
    }
}

/// wolfSSL CVE-2025-11932: the comparison of binders ended at the first byte that differs. Here
/// `Mac::verify_slice` compares them in constant time (`crypto::hmac` compares nothing itself). The
/// test shows that a wrong first byte, a wrong last byte and all bytes wrong have the same result:
/// the same work, error and alert.
#[test]
fn cve_2025_11932_binders_are_compared_to_their_end() {
    use crate::crypto::hmac::TAGS;
    let server = Server::builder()
        .external_psks([crate::connection::tests::external_psk::server::at_the_hub()])
        .build()
        .unwrap();
    for suite in Suite::ALL {
        let length = suite.hash().output_len();
        let mut costs = Vec::new();
        for wrong in [0..1, length - 1..length, 0..length] {
            let mut puppet = offering(&server, offered(suite));
            let mut hello = puppet.make_client_hello(|_| {});
            let binder = hello.len() - length;
            hello[binder..][wrong]
                .iter_mut()
                .for_each(|byte| *byte ^= 0x80);
            let before = TAGS.get();
            refused!(
                puppet,
                plain(HANDSHAKE, &hello),
                "START",
                51,
                Fault::BadBinder
            );
            costs.push(TAGS.get() - before);
        }
        assert!(
            costs[0] > 0 && costs.iter().all(|cost| *cost == costs[0]),
            "{costs:?}"
        );
    }
}

/// Selfie (Drucker and Gueron, 2019; RFC 9257, 4.1; RFC 9258, "Addressing Selfie"): a node that is
/// client and server under one PSK received its own ClientHello, reflected, and took itself for its
/// peer. Here a PSK has a direction, so a node does not accept what it offers. Nor does a third
/// node of a group that shares a secret, against all advice.
#[test]
fn selfie_a_client_is_not_reflected_to_itself() {
    let secret = b"what one of the group has, all do";
    let psk = |own, peer| ExternalPsk::new("a group", secret, PskNames { own, peer }).unwrap();
    let parties = ["one", "two", "three"];
    let others = |own| parties.into_iter().filter(move |peer| *peer != own);
    for own in parties {
        for peer in others(own) {
            let client = Client::builder()
                .external_psk(psk(own, peer))
                .build()
                .unwrap();
            for party in parties {
                // The server has PSKs for all its clients, with and without a certificate.
                let psks = || others(party).map(|peer| psk(party, peer));
                let alone = Server::builder().external_psks(psks()).build().unwrap();
                let besides = builder().external_psks(psks()).build().unwrap();
                let hello = Puppet::serving(&client).client_hello;
                if party == peer {
                    for server in [alone, besides] {
                        let mut puppet = Puppet::calling(&server);
                        puppet.feed(&plain(HANDSHAKE, &hello)).unwrap();
                        assert_eq!(puppet.state(), "WAIT_FINISHED");
                    }
                } else {
                    let mut puppet = Puppet::calling(&alone);
                    refused!(
                        puppet,
                        plain(HANDSHAKE, &hello),
                        "START",
                        51,
                        Fault::UnknownPsk
                    );
                    // The client could not verify a certificate, and does not offer it:
                    // missing_extension (9.2).
                    let mut puppet = Puppet::calling(&besides);
                    refused!(
                        puppet,
                        plain(HANDSHAKE, &hello),
                        "START",
                        109,
                        Fault::MissingExtension {
                            extension: ExtensionType(13),
                            ..
                        }
                    );
                }
            }
        }
        // A server that is configured with the PSKs of both directions gets an error.
        for peer in others(own) {
            let error = Server::builder()
                .external_psks([psk(own, peer), psk(peer, own)])
                .build()
                .unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Config(ConfigError::Setting {
                        name: "external_psks",
                        ..
                    })
                ),
                "{error}"
            );
        }
        assert!(ExternalPsk::new("a group", secret, PskNames { own, peer: own }).is_err());
    }
}
