//! What went wrong elsewhere, and must not here: a test for each, by the name it is known under.
//! Those about HelloRetryRequest stand in `retry/server.rs`.

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

/// RUSTSEC-2026-0347: plaintext that was buffered as early data left as ordinary data when the
/// early data was rejected, by itself. Here it is sealed when it is written, and what is left of it
/// in the output goes out as it is: a server skips it. However it is rejected, and however much of
/// it had gone by then.
#[test]
fn rustsec_2026_0347_early_data_does_not_leave_as_ordinary_data() {
    for rejection in Rejection::ALL {
        // Two records, each of 5 bytes, 1 of type, 5 of header and 16 of tag.
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
            // `lead_to` hears our flight, and that there is nothing besides.
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

/// RUSTSEC-2026-0349: what a handshake brought was kept before its Finished was verified, and met
/// with by the next connection. Here a client's cache and the tickets of a server know nothing of a
/// handshake that ends before, wherever it ends.
#[test]
fn rustsec_2026_0349_nothing_is_remembered_before_finished() {
    // A server whose Finished is wrong, with a ticket behind it; and one that sends its ticket too
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

    // The same where a session is resumed: it is gone, and none is in its place.
    let psk = known(&client);
    let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_FINISHED");
    let mut finished = puppet.finished();
    finished[4] ^= 1;
    let finished = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, finished, "WAIT_FINISHED", 51, Fault::BadFinished);
    assert!(client.config.sessions.is_empty());

    // A client without a good Finished gets no ticket: nothing but the alert is heard. Nor does one
    // whose certificate is not believed, or not proven.
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
/// had been taken away. Here what a ticket allows ends with the configuration that it was made
/// under, on both sides.
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
    // The client is of the authority that goes.
    let mut puppet = Puppet::calling_for_tickets(&before);
    puppet.identity = WORLD.stranger.issue_client("me").unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(Puppet::calling_with_ticket(&before, &ticket).is_resumed());
    // The same roots in another order are the same trust.
    let same = with(ClientAuth::Required(
        WORLD.stranger.trust().and(WORLD.authority.trust()),
    ));
    assert!(Puppet::calling_with_ticket(&same, &ticket).is_resumed());

    // The handshake is a full one, and asks who the client is.
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
        Fault::Certificate(CertificateError::UnknownIssuer)
    );
    let optional = with(ClientAuth::Optional(WORLD.authority.trust()));
    assert!(!Puppet::calling_with_ticket(&optional, &ticket).is_resumed());

    // A client: sessions of another trust are not met with in a cache that both use.
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
        Fault::Certificate(CertificateError::UnknownIssuer)
    );
    assert!(Puppet::serving(&before).offered_ticket().is_some());
}

/// nginx CVE-2025-23419: the ticket of one virtual host, which asked nothing of its clients, was
/// taken by another that asks for certificates. Here both share their ticket keys, with all the
/// ways that two hosts can differ.
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
    /// The first flight that this server answers a name with, and a ticket for it.
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

    // An open host and a closed one: two certificates, or one for both.
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
        // Nor the other way round, which would show a client's name to a host that did not ask.
        let (_, ticket) = visit(&private, host("two.internal"), None);
        assert_eq!(
            visit(&public, host("two.internal"), Some(&ticket)).0,
            [2, 8, 11, 15, 20]
        );
    }
    // Two closed hosts, each with clients of its own.
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
    // Two names of one server.
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

/// wolfSSL CVE-2026-94419: a client's cache was keyed by a value that the server chose, so that one
/// server could put its session where another's was looked for. Here the key is what the client
/// asked for; nothing that a server says moves a session from one place to another, or takes one
/// out.
#[test]
fn cve_2026_94419_the_cache_is_keyed_by_what_was_asked() {
    let client = client();
    let honest = known(&client);
    // A server of another name, whose certificate has the first name as well, sends the same
    // ticket, nonce and age_add, and echoes the same session id.
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
        // The server's name is acknowledged, whatever that says.
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
/// zeros. Here there is no key that is not random or given, and one of zeros is refused.
#[test]
fn cve_2020_13777_ticket_keys_are_never_default() {
    // A fresh server's tickets open at no other.
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
    // The key's name, which stands first, differs too.
    assert!(
        tickets[0].ticket[..16] != tickets[1].ticket[..16] && tickets[0].ticket[..16] != [0; 16]
    );
    // No ticket can be guessed: none whose every byte is the same.
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
    // Without a key there is no ticket, and none is taken.
    let keyless = builder().ticket_keys(TicketKeys::empty()).build().unwrap();
    assert_eq!(Puppet::tickets_of(&keyless), []);
    assert!(!Puppet::calling_with_ticket(&keyless, &tickets[0]).is_resumed());
}

/// wolfSSL CVE-2023-3724: where a ServerHello had neither a key share nor a PSK, keys were derived
/// from what was known to everybody. Here there is no handshake without a key exchange, on either
/// side, with a PSK or without.
#[test]
fn cve_2023_3724_neither_share_nor_psk() {
    // Our client, and a ServerHello without key_share.
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

    // Our server: without key_share and supported_groups, with and without a PSK and psk_ke (9.2).
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
    // A list of no shares asks for a retry, with a PSK too.
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

/// wolfSSL CVE-2024-5814: a client resumed with a suite that it had not offered. Here the suite is
/// one of the ClientHello's, whatever the session's was, on both sides.
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
    // The session's suite, which is not offered any more; one of the same hash that never was; one
    // of another hash.
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

    // A server takes the session of a suite that is not offered any more with one that is; if it
    // has none, it is no handshake.
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
    // A suite that the server's configuration has lost since.
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

/// OpenSSL CVE-2024-2511: a session cache grew without an end, in what was to be single use. Here a
/// client's is bounded for each server and in all, whatever servers send; a server has none.
#[test]
fn cve_2024_2511_the_cache_does_not_grow() {
    let cache = SessionCache::new(20);
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .sessions(cache.clone())
        .build()
        .unwrap();
    // As many tickets as may come without data between them, again and again.
    for _ in 0..5 {
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        for _ in 0..20 {
            puppet.say(&new_session_ticket()).unwrap();
            puppet.send(b"data").unwrap();
            assert!(cache.len() <= 8, "{}", cache.len());
        }
    }
    assert_eq!(cache.len(), 8);
    // Many servers.
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
    // The newest are there, and the oldest are not.
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

/// OpenSSL CVE-2026-14457: a raw public key where no certificate was configured. Here both sides do
/// without any certificate, whatever the other one says or leaves out.
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
    // A client that offers raw keys and shows nothing.
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
            refused!(puppet, record, "WAIT_CERT", 116, Fault::CertificateRequired);
        } else {
            puppet.say(&empty).unwrap();
            puppet.lead_server_to("CONNECTED");
            assert!(puppet.us.negotiated().unwrap().peer().is_none());
        }
    }
    // A client that offers none of it, nor any authority: our key goes in a certificate of its own.
    let mut puppet = Puppet::calling(&server(ClientAuth::None));
    let hello = puppet.make_client_hello(|hello| {
        set(hello, CertificateAuthorities(vec![b"0\0"]));
    });
    puppet.say(&hello).unwrap();
    assert_eq!(puppet.hear_flight()[2], certificate_of(&ours));

    // A client of ours without an identity, asked for a raw key; and one with a key that is asked
    // for a certificate.
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

/// GnuTLS CVE-2026-1584: a binder that is wrong, at a server with PSKs, and a crash. Here it is
/// refused whatever it is: too short for the syntax, of another hash's length, too long, of zeros;
/// and the server serves the next one.
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

/// GnuTLS CVE-2026-42010: an identity was compared as a C string, so "a\0b" was "a". Here it is
/// bytes, all of them (RFC 9257, 6.1.1).
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

/// wolfSSL CVE-2025-11932: binders were compared until the first byte that differs. Here that is
/// `Mac::verify_slice`'s part, in constant time (`crypto::hmac` compares nothing itself); what
/// shows of it is that a wrong first byte, a wrong last one and all of them wrong are one and the
/// same: as much work, the same error, the same alert.
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

/// Selfie (Drucker and Gueron, 2019; RFC 9257, 4.1; RFC 9258, "Addressing Selfie"): who is client
/// and server under one PSK had its own ClientHello reflected, and took itself for its peer. Here a
/// PSK has a direction: what a party offers it does not accept; nor does a third one of a group
/// that shares a secret, against all advice.
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
                // With all whom it may hear from, and besides a certificate.
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
                    // The client could not judge a certificate, and does not ask for one:
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
        // Who is given the lists of both parties is told so.
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
