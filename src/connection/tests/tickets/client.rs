//! Tickets at our client (RFC 9846, 4.3.11 and 4.7.1; RFC 9149): which it keeps, how it offers
//! them, and what it refuses in the answer.

use core::time::Duration;

use crate::client::{Client, ClientBuilder};
use crate::code_point::CipherSuite;
use crate::connection::tests::puppet::server::{
    certificate_request, encrypted_extensions, new_session_ticket, new_session_ticket_with,
};
use crate::connection::tests::puppet::session::{Psk, known};
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, Side, WORLD, certificate_of, client, extension, message, now, plain,
    refused, vector,
};
use crate::connection::{Connection, Shared};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error, Fault, Illegal};
use crate::identity::{Authority, Trust, Validity};
use crate::message::{ServerHello, ServerHelloExtension};
use crate::session::SessionCache;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn builder() -> ClientBuilder {
    Client::builder().trust(WORLD.authority.trust())
}

/// A NewSessionTicket with these fields.
fn ticket(lifetime: u32, age_add: u32, nonce: &[u8], ticket: &[u8]) -> Vec<u8> {
    let parts = [
        &lifetime.to_be_bytes()[..],
        &age_add.to_be_bytes(),
        &vector(1, nonce),
        &vector(2, ticket),
        &vector(2, &[]),
    ];
    message(4, &parts.concat())
}

fn sends_ticket(hello: &mut ServerHello<'_>) {
    hello
        .extensions
        .as_mut()
        .unwrap()
        .push(ServerHelloExtension::PreSharedKey(0));
}

/// Asserts that a ServerHello that selects our client's PSK, with one change, is refused in
/// WAIT_SH. The alert is in the clear.
macro_rules! refused_hello {
    ($edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let client = client();
        let psk = known(&client);
        let mut puppet = Puppet::serving(&client);
        puppet.select(&psk);
        let hello = puppet.server_hello(|hello| {
            sends_ticket(hello);
            let edit: fn(&mut ServerHello<'_>) = $edit;
            edit(hello);
        });
        refused!(puppet, plain(HANDSHAKE, &hello), "WAIT_SH", $alert, $fault $(if $guard)?);
    }};
}

// ---- the offer ----

/// 4.3.9 and RFC 9149: a client that keeps sessions says so, and how many tickets it wants. A
/// client that keeps none sends none of these extensions.
#[test]
fn what_a_client_asks_for() {
    // RFC 9149, section 3: "new_session_count to the desired number of session tickets and
    // resumption_count to 0".
    for (client, wanted) in [
        (client(), (2, 0)),
        (builder().tickets(7, 3).build().unwrap(), (7, 0)),
    ] {
        let puppet = Puppet::serving(&client);
        let offer = puppet.offer();
        assert_eq!(offer.ticket_request(), Some(wanted));
        assert_eq!(
            offer
                .psk_key_exchange_modes()
                .unwrap()
                .iter()
                .map(|mode| mode.0)
                .collect::<Vec<_>>(),
            [1]
        );
        assert!(offer.pre_shared_key().is_none() && !offer.early_data());
    }
    let puppet = Puppet::serving(&builder().sessions(SessionCache::new(0)).build().unwrap());
    assert!(
        puppet.offer().ticket_request().is_none()
            && puppet.offer().psk_key_exchange_modes().is_none()
    );
}

/// A client may request as many tickets as it keeps for one server.
#[test]
fn as_many_tickets_as_are_kept() {
    for (new_session, resumption) in [(9, 1), (2, 9), (255, 255)] {
        let refused = builder().tickets(new_session, resumption).build().err();
        assert!(matches!(
            refused,
            Some(Error::Config(ConfigError::Setting {
                name: "tickets",
                ..
            }))
        ));
    }
    let client = builder().tickets(8, 8).build().unwrap();
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    for _ in 0..8 {
        puppet.say(&new_session_ticket()).unwrap();
    }
    assert_eq!(client.config.sessions.len(), 8);
}

/// A cleared cache accepts nothing from connections that began before: they may depend on what was
/// to be forgotten.
#[test]
fn a_cleared_cache_stays_cleared() {
    let client = client();
    let cache = &client.config.sessions;
    let (mut open, mut begun) = (
        Puppet::serving_at(&client, "CONNECTED"),
        Puppet::serving(&client),
    );
    let psk = known(&client);
    let mut resumed = Puppet::serving(&client);
    assert!(begun.offered_ticket().is_none() && resumed.offered_ticket().is_some());
    cache.clear();
    begun.lead_to("CONNECTED");
    resumed.select(&psk);
    resumed.lead_to("CONNECTED");
    assert!(resumed.us.negotiated().unwrap().resumed());
    for puppet in [&mut open, &mut begun, &mut resumed] {
        puppet.say(&new_session_ticket()).unwrap();
        puppet.send(b"data").unwrap();
        assert!(cache.is_empty());
    }
    known(&client);
    assert_eq!(cache.len(), 1);
}

/// A complete resumption: the PSK is offered with a right binder, the server proves with its
/// Finished that it has it, and neither side presents a certificate.
#[test]
fn a_session_is_resumed() {
    for suite in Suite::ALL {
        let client = client();
        let mut puppet = Puppet::serving(&client);
        puppet.suite = suite;
        puppet.lead_to("CONNECTED");
        let psk = puppet.say_ticket(&new_session_ticket());
        let certificates = puppet
            .us
            .negotiated()
            .unwrap()
            .peer()
            .unwrap()
            .certificates()
            .to_vec();
        assert!(!puppet.us.negotiated().unwrap().resumed());
        let puppet = Puppet::resuming_at(&client, &psk, "CONNECTED");
        assert_eq!(puppet.offer().ticket_request(), Some((2, 1)));
        let negotiated = puppet.us.negotiated().unwrap();
        assert!(negotiated.resumed());
        assert_eq!(negotiated.cipher_suite(), suite.code_point());
        let peer = negotiated.peer().unwrap();
        assert_eq!(peer.public_key(), WORLD.server.public_key());
        assert_eq!(peer.certificates().first(), certificates.first());
    }
}

/// A server that does not accept the PSK makes a full handshake (4.3.11), whose certificate is
/// verified as usual.
#[test]
fn a_server_that_declines() {
    let client = client();
    known(&client);
    let puppet = Puppet::serving(&client);
    assert!(puppet.offered_ticket().is_some());
    let mut puppet = puppet;
    puppet.lead_to("CONNECTED");
    assert!(!puppet.us.negotiated().unwrap().resumed());

    known(&client);
    let mut puppet = Puppet::serving(&client);
    assert!(puppet.offered_ticket().is_some());
    puppet.lead_to("WAIT_CERT_CR");
    let record = puppet.record(
        HANDSHAKE,
        &certificate_of(&WORLD.stranger.issue_server(["db.internal"]).unwrap()),
    );
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        48,
        Fault::Certificate(crate::error::CertificateError::UnknownIssuer { .. })
    );
}

/// C.4: each ticket is for one connection, whatever its outcome. The newest is used first.
#[test]
fn each_ticket_is_used_once() {
    let client = client();
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    for name in [&b"one"[..], b"two", b"three"] {
        puppet.say(&ticket(3600, 7, name, name)).unwrap();
    }
    for expected in [Some(&b"three"[..]), Some(b"two"), Some(b"one"), None, None] {
        let puppet = Puppet::serving(&client);
        assert_eq!(
            puppet.offered_ticket().map(|(ticket, _)| ticket).as_deref(),
            expected
        );
    }
}

/// 4.3.11.1: "the age in milliseconds and adding the "ticket_age_add" value ..., modulo 2^32".
#[test]
fn obfuscated_ticket_age() {
    for (age_add, later, expected) in [
        (0, 0, 0),
        (5, 1000, 1_000_005),
        (u32::MAX, 1, 999),
        (0xffff_0000, 3600, 3_600_000 - 0x1_0000),
    ] {
        let client = client();
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        puppet.say(&ticket(7200, age_add, &[0], b"ticket")).unwrap();
        let puppet = Puppet::serving_later(&client, "db.internal", Duration::from_secs(later));
        let (_, age) = puppet.offered_ticket().unwrap();
        // The time that the test takes is added.
        assert!(age.wrapping_sub(expected) < 60_000, "{age} {expected}");
    }
}

/// 4.7.1: nonces may have any length, also zero. Each leads to another PSK.
#[test]
fn ticket_nonces() {
    for length in [0, 1, 8, 9, 255] {
        let client = client();
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        let psk = puppet.say_ticket(&ticket(3600, 1, &vec![5; length], b"ticket"));
        assert!(
            Puppet::resuming_at(&client, &psk, "CONNECTED")
                .us
                .negotiated()
                .unwrap()
                .resumed()
        );
    }
}

// ---- which are kept, and for how long ----

/// 4.7.1: "The value of zero indicates that the ticket should be discarded immediately."
#[test]
fn a_lifetime_of_zero() {
    let client = client();
    Puppet::serving_at(&client, "CONNECTED")
        .say(&new_session_ticket_with(0, &[]))
        .unwrap();
    assert!(client.config.sessions.is_empty());
    assert!(Puppet::serving(&client).offered_ticket().is_none());
}

/// 4.3.11.1: "Clients MUST NOT attempt to use tickets which have ages greater than the
/// "ticket_lifetime" value"; 4.7.1: "for longer than 7 days after issuance, regardless of the
/// ticket_lifetime".
#[test]
fn no_ticket_is_used_after_its_time() {
    for (lifetime, last) in [
        (100, 100),
        (3600, 3600),
        (604_800, 604_800),
        (604_801, 604_800),
        (u32::MAX, 604_800),
    ] {
        for (later, offered) in [
            (Duration::from_secs(last - 60), true),
            (Duration::from_secs(last + 1), false),
        ] {
            let client = client();
            Puppet::serving_at(&client, "CONNECTED")
                .say(&new_session_ticket_with(lifetime, &[]))
                .unwrap();
            let puppet = Puppet::serving_later(&client, "db.internal", later);
            assert_eq!(
                puppet.offered_ticket().is_some(),
                offered,
                "{lifetime} {later:?}"
            );
        }
    }
}

/// 4.7.1: "Clients MUST only resume if the new SNI value is valid for the server certificate
/// presented in the original session". The client does not resume after that certificate has
/// expired.
#[test]
fn no_longer_than_the_certificate() {
    let unix = now().unix;
    let hour = Validity::between(unix - HOUR, unix + HOUR).unwrap();
    let client = client();
    let mut puppet = Puppet::serving(&client);
    puppet.identity = WORLD
        .authority
        .certificate()
        .server(["db.internal"])
        .validity(hour)
        .issue()
        .unwrap();
    puppet.lead_to("CONNECTED");
    let nonces: [&[u8]; 2] = [&[0], &[1]];
    for nonce in nonces {
        puppet.say(&ticket(86400, 7, nonce, b"ticket")).unwrap();
    }
    let before = Puppet::serving_later(&client, "db.internal", Duration::from_secs(3000));
    assert!(before.offered_ticket().is_some());
    let after = Puppet::serving_later(&client, "db.internal", HOUR + Duration::from_secs(2));
    assert!(after.offered_ticket().is_none());
}

/// A resumed handshake does not prove an identity, so the 7 days begin with the first handshake,
/// however many tickets followed.
#[test]
fn a_chain_of_sessions_ends() {
    let client = client();
    let connect = |psk: &Psk, later: Duration| {
        let mut puppet = Puppet::serving_later(&client, "db.internal", later);
        puppet.select(psk);
        puppet.lead_to("CONNECTED");
        assert!(puppet.us.negotiated().unwrap().resumed());
        puppet.say_ticket(&new_session_ticket_with(604_800, &[]))
    };
    let mut psk =
        Puppet::serving_at(&client, "CONNECTED").say_ticket(&new_session_ticket_with(604_800, &[]));
    for days in [3, 6] {
        psk = connect(&psk, days * DAY);
    }
    let puppet = Puppet::serving_later(&client, "db.internal", 7 * DAY + HOUR);
    assert!(puppet.offered_ticket().is_none());
}

/// A ticket must fit in a ClientHello with everything else. Longer tickets are ignored.
#[test]
fn oversized_tickets() {
    for (length, kept) in [
        (1, true),
        (5000, true),
        (16385, false),
        (30_000, false),
        (65535, false),
    ] {
        let client = builder().build().unwrap();
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        for part in ticket(3600, 7, &[0], &vec![0x71; length]).chunks(16384) {
            let record = puppet.protect(HANDSHAKE, part, 0);
            puppet.feed(&record).unwrap();
        }
        assert_eq!(puppet.state(), "CONNECTED");
        assert_eq!(
            Puppet::serving(&client)
                .offered_ticket()
                .map(|(ticket, _)| ticket.len()),
            kept.then_some(length)
        );
    }
}

/// The same if it is the rest of the ClientHello that is long: `Extension extensions<8..2^16-1>`
/// (4.2.2).
#[test]
fn a_ticket_beside_long_extensions() {
    for (protocols, kept) in [(190, true), (200, false), (250, false)] {
        // Each takes 256 bytes.
        let protocols = (0..protocols).map(|number| format!("{number:0>255}"));
        let client = builder().alpn(protocols).build().unwrap();
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        let record = puppet.protect(HANDSHAKE, &ticket(3600, 7, &[0], &[0x71; 15_000]), 0);
        puppet.feed(&record).unwrap();
        let mut puppet = Puppet::serving(&client);
        assert_eq!(puppet.offered_ticket().is_some(), kept);
        // RFC 9149, section 3: without a session "resumption_count to 0".
        let (_, resumption_count) = puppet.offer().ticket_request().unwrap();
        assert_eq!(resumption_count > 0, kept);
        puppet.lead_to("CONNECTED");
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
    }
}

/// 4.7.1: "Clients which receive a NewSessionTicket message but do not support resumption MUST
/// silently ignore this message."
#[test]
fn a_client_without_sessions_ignores_tickets() {
    let client = builder().sessions(SessionCache::new(0)).build().unwrap();
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    puppet.say(&new_session_ticket()).unwrap();
    puppet.send(b"data").unwrap();
    assert_eq!(puppet.delivered, b"data");
    assert!(Puppet::serving(&client).offered_ticket().is_none());
    // This client did not request any (RFC 9149).
    let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(58, &[2])));
    refused!(
        puppet,
        record,
        "WAIT_EE",
        110,
        Fault::UnsolicitedExtension { message: "EncryptedExtensions", extension }
            if extension.0 == 58
    );
}

/// RFC 9149, section 3: "struct { uint8 expected_count; } ServerTicketRequestHint;". The number of
/// tickets that arrive may differ.
#[test]
fn the_answer_to_a_ticket_request() {
    for expected in [0, 1, 255] {
        let mut puppet = Puppet::client_at("WAIT_EE");
        puppet
            .say(&encrypted_extensions(&extension(58, &[expected])))
            .unwrap();
        puppet.lead_to("CONNECTED");
        puppet.say(&new_session_ticket()).unwrap();
    }
    for data in [&[][..], &[1, 1]] {
        let mut puppet = Puppet::client_at("WAIT_EE");
        let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(58, data)));
        refused!(
            puppet,
            record,
            "WAIT_EE",
            50,
            Fault::Decode {
                message: "EncryptedExtensions",
                ..
            }
        );
    }
}

/// Section 6: "forget the secret values and keys established in failed connections". This includes
/// the tickets of this connection, but of no other.
#[test]
fn the_tickets_of_a_failed_connection_are_forgotten() {
    type Failure = fn(&mut Puppet) -> Error;
    let failures: [(Failure, bool); 5] = [
        (
            |puppet| {
                puppet
                    .feed(&[
                        23, 3, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    ])
                    .unwrap_err()
            },
            true,
        ),
        (|puppet| puppet.alert(2, 40).unwrap_err(), true),
        (|puppet| puppet.say(&message(99, b"?")).unwrap_err(), true),
        // Neither a close_notify nor a cut is a failure in this sense.
        (
            |puppet| {
                puppet.alert(1, 0).unwrap();
                Error::Truncated
            },
            false,
        ),
        (
            |puppet| {
                puppet.us.received_end();
                puppet.feed(&[]).unwrap_err()
            },
            false,
        ),
    ];
    for (fail, forgotten) in failures {
        let client = client();
        let mut other = Puppet::serving_at(&client, "CONNECTED");
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        other.say(&ticket(3600, 1, &[0], b"of another")).unwrap();
        puppet.say(&ticket(3600, 1, &[0], b"one")).unwrap();
        puppet.say(&ticket(3600, 1, &[1], b"two")).unwrap();
        assert_eq!(client.config.sessions.len(), 3);
        fail(&mut puppet);
        assert_eq!(client.config.sessions.len(), if forgotten { 1 } else { 3 });
    }
}

/// The same holds for a connection in two halves, if the writing half failed.
#[test]
fn the_tickets_of_a_half_that_failed_are_forgotten() {
    let client = client();
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    puppet.say(&ticket(3600, 1, &[0], b"one")).unwrap();
    assert_eq!(client.config.sessions.len(), 1);
    let (mut reading, writing, notes) =
        std::mem::replace(&mut puppet.us, Connection::undecided(now())).split();
    let shared = Shared::new(writing, notes);
    shared
        .notes
        .fail(Fault::Internal { what: "sealing" }.in_state("CONNECTED"));
    for _ in 0..2 {
        let error = reading
            .process_into(&mut [0; 10], now(), &shared.notes)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Protocol {
                    fault: Fault::Internal { what: "sealing" },
                    ..
                }
            ),
            "{error}"
        );
    }
    assert_eq!(client.config.sessions.len(), 0);
}

/// Section 6: the ticket with which a failed connection began is not returned either.
#[test]
fn the_ticket_that_a_failed_connection_used_is_forgotten() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED"] {
        let client = client();
        let psk = known(&client);
        let mut puppet = Puppet::resuming_at(&client, &psk, state);
        puppet.alert(2, 40).unwrap_err();
        drop(puppet);
        assert!(client.config.sessions.is_empty());
        assert!(Puppet::serving(&client).offered_ticket().is_none());
    }
}

// ---- which client may use them ----

/// In a shared cache, a session is used only by a client with the same trust, the same identity and
/// the same server name.
#[test]
fn a_shared_cache() {
    let authority = Authority::builder("test")
        .validity(Validity::unlimited())
        .build()
        .unwrap();
    let both = || WORLD.authority.trust().and(authority.trust());
    let me = || WORLD.client.clone();
    let cache = SessionCache::new(100);
    let with = |builder: ClientBuilder| builder.sessions(cache.clone()).build().unwrap();
    let clients = [
        with(builder()),
        with(Client::builder().trust(both())),
        with(builder().identity(me())),
        with(builder().identity(WORLD.authority.issue_client("me").unwrap())),
        with(
            Client::builder().trust(
                WORLD
                    .authority
                    .trust()
                    .and(Trust::keys([WORLD.server.public_key()])),
            ),
        ),
        with(
            Client::builder().trust(
                WORLD
                    .authority
                    .trust()
                    .and(Trust::key_for("db.internal", WORLD.server.public_key())),
            ),
        ),
    ];
    for (one, client) in clients.iter().enumerate() {
        for (two, other) in clients.iter().enumerate() {
            cache.clear();
            known(client);
            assert_eq!(
                Puppet::serving(other).offered_ticket().is_some(),
                one == two,
                "{one} {two}"
            );
        }
    }
    // Another `Client` that requires the same, whatever its other settings, and a clone of the
    // client use it.
    for other in [
        with(builder()),
        with(builder().alpn(["h2"]).tickets(5, 5)),
        clients[0].clone(),
    ] {
        cache.clear();
        known(&clients[0]);
        assert!(Puppet::serving(&other).offered_ticket().is_some());
    }
}

/// An IP address is not a DNS name, even if it looks like one. Each name is separate.
#[test]
fn each_name_has_its_own() {
    let client = client();
    let server = WORLD
        .authority
        .issue_server(["db.internal", "other.internal", "10.0.0.1"])
        .unwrap();
    let names = ["db.internal", "other.internal", "10.0.0.1"];
    for one in names {
        for two in names {
            client.config.sessions.clear();
            let mut puppet = Puppet::serving_name(&client, one);
            puppet.identity = server.clone();
            puppet.lead_to("CONNECTED");
            puppet.say(&new_session_ticket()).unwrap();
            assert_eq!(
                Puppet::serving_name(&client, two)
                    .offered_ticket()
                    .is_some(),
                one == two,
                "{one} {two}"
            );
        }
    }
    // A trailing dot and case do not matter.
    client.config.sessions.clear();
    known(&client);
    assert!(
        Puppet::serving_name(&client, "DB.internal.")
            .offered_ticket()
            .is_some()
    );
}

/// A connection without a name does not match any name.
#[test]
fn a_server_without_a_name() {
    let client = Client::builder()
        .trust(Trust::keys([WORLD.server.public_key()]))
        .allow_unnamed()
        .build()
        .unwrap();
    let unnamed = || {
        let mut puppet = Puppet::new(
            Side::Server,
            client.connection_unnamed(now(), &mut SystemRandom).unwrap(),
        );
        puppet.client_hello = puppet.hear_message();
        puppet.session_id = puppet.offer().session_id.to_vec();
        puppet
    };
    let mut puppet = unnamed();
    puppet.lead_to("CONNECTED");
    puppet.say_ticket(&new_session_ticket());
    // A session without a name could not be assigned: 4.7.1 binds it to a name. So it is neither
    // kept nor requested.
    let puppet = unnamed();
    assert!(
        puppet.offered_ticket().is_none() && Puppet::serving(&client).offered_ticket().is_none()
    );
    assert!(
        puppet.offer().ticket_request().is_none()
            && puppet.offer().psk_key_exchange_modes().is_none()
    );
    known(&client);
    assert!(unnamed().offered_ticket().is_none());
}

/// A session whose hash none of our suites has is not offered, because it could not be selected
/// (4.3.11).
#[test]
fn a_session_of_a_suite_that_is_not_offered() {
    let cache = SessionCache::new(10);
    let with = |suite| {
        builder()
            .sessions(cache.clone())
            .cipher_suites([CipherSuite(suite)])
            .build()
            .unwrap()
    };
    let (aes128, aes256, chacha) = (with(0x1301), with(0x1302), with(0x1303));
    known(&aes128);
    assert!(Puppet::serving(&aes256).offered_ticket().is_none());
    cache.clear();
    // With the same hash, it may be selected with the offered suite.
    let psk = known(&aes128);
    let mut puppet = Puppet::serving(&chacha);
    puppet.select(&psk);
    puppet.suite = Suite::ChaCha20Poly1305Sha256;
    puppet.lead_to("CONNECTED");
    assert!(puppet.us.negotiated().unwrap().resumed());
}

// ---- what is refused of the answer ----

/// 4.3.11: "that the server's selected_identity is within the range supplied by the client ...
/// illegal_parameter".
#[test]
fn index_out_of_range() {
    for index in [1, 2, 0xffff] {
        let client = client();
        known(&client);
        let mut puppet = Puppet::serving(&client);
        let hello = puppet.server_hello(|hello| {
            hello
                .extensions
                .as_mut()
                .unwrap()
                .push(ServerHelloExtension::PreSharedKey(index))
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "WAIT_SH",
            47,
            Fault::Illegal(Illegal::PskIndex(got)) if got == index
        );
    }
    // 4.3: if nothing was offered, this is unsupported_extension.
    let mut puppet = Puppet::serving(&client());
    let hello = puppet.server_hello(sends_ticket);
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        110,
        Fault::UnsolicitedExtension { extension, .. } if extension.0 == 41
    );
}

/// "that the server selected a cipher suite indicating a Hash associated with the PSK".
#[test]
fn another_hash() {
    refused_hello!(
        |hello| hello.cipher_suite = CipherSuite(0x1302),
        47,
        Fault::Illegal(Illegal::PskHash {
            suite: CipherSuite(0x1302)
        })
    );
}

/// "and that a server "key_share" extension is present if required by the ClientHello
/// "psk_key_exchange_modes" extension".
#[test]
fn no_key_share() {
    fn not_a_share(extension: &ServerHelloExtension<'_>) -> bool {
        !matches!(extension, ServerHelloExtension::KeyShare(_))
    }
    refused_hello!(
        |hello| hello.extensions.as_mut().unwrap().retain(not_a_share),
        47,
        Fault::Illegal(Illegal::PskWithoutKeyShare)
    );
}

/// The checks of every other ServerHello are made too.
#[test]
fn other_rules_hold_with_a_psk() {
    refused_hello!(
        |hello| hello.cipher_suite = CipherSuite(0x1304),
        47,
        Fault::Illegal(Illegal::SuiteNotOffered(_))
    );
    refused_hello!(
        |hello| hello.session_id_echo = &[],
        47,
        Fault::Illegal(Illegal::SessionIdEcho)
    );
    refused_hello!(
        |hello| {
            let entry = crate::message::KeyShareEntry {
                group: crate::code_point::NamedGroup(0x0018),
                key_exchange: &[4; 97],
            };
            hello.extensions.as_mut().unwrap()[1] = ServerHelloExtension::KeyShare(entry);
        },
        47,
        Fault::Illegal(Illegal::GroupNotOffered(_))
    );
    refused_hello!(
        sends_ticket,
        47,
        Fault::DuplicateExtension { message: "ServerHello", extension } if extension.0 == 41
    );
}

/// 4.4.2: "Servers which are authenticating with a resumption PSK MUST NOT send the
/// CertificateRequest message in the main handshake"; 4.5.1: they do not send Certificate either.
#[test]
fn certificates_with_a_psk() {
    let client = builder().identity(WORLD.client.clone()).build().unwrap();
    let messages: [fn(&Puppet) -> Vec<u8>; 3] = [
        |_| certificate_request(),
        Puppet::certificate,
        Puppet::certificate_verify,
    ];
    for make in messages {
        let psk = known(&client);
        let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_FINISHED");
        let message = make(&puppet);
        let record = puppet.record(HANDSHAKE, &message);
        refused!(
            puppet,
            record,
            "WAIT_FINISHED",
            10,
            Fault::Unexpected {
                expected: "Finished",
                ..
            }
        );
    }
}

/// 4.3.10: early_data was not offered.
#[test]
fn early_data_that_was_not_offered() {
    let client = client();
    let psk = known(&client);
    let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_EE");
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(42, &[])));
    refused!(
        puppet,
        record,
        "WAIT_EE",
        110,
        Fault::UnsolicitedExtension { extension, .. } if extension.0 == 42
    );
}

/// A server that claims to resume without the PSK uses other keys.
#[test]
fn a_server_that_does_not_hold_the_psk() {
    let client = client();
    let psk = known(&client);
    let mut puppet = Puppet::serving(&client);
    puppet.select(&psk);
    puppet.psk = Some(crate::secret::Secret::copy_of(&[7; 32]));
    puppet.say_server_hello();
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&[]));
    let error = puppet.feed(&record).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "WAIT_EE",
                fault: Fault::BadRecordMac
            }
        ),
        "{error}"
    );
}

/// The hook is called "also when a session is resumed, before anything is sent": access_denied
/// (6.2).
#[test]
fn the_authorize_hook_is_asked_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let allowed = Arc::new(AtomicBool::new(true));
    let client = builder()
        .authorize({
            let allowed = Arc::clone(&allowed);
            move |peer| {
                assert_eq!(peer.public_key(), WORLD.server.public_key());
                if allowed.load(Ordering::SeqCst) {
                    Ok(())
                } else {
                    Err("not any more")
                }
            }
        })
        .build()
        .unwrap();
    let psk = known(&client);
    let mut puppet = Puppet::resuming_at(&client, &psk, "WAIT_FINISHED");
    allowed.store(false, Ordering::SeqCst);
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        49,
        Fault::Denied(reason) if reason.to_string() == "not any more"
    );
}
