//! Tickets that our server issues (RFC 9846, 4.7.1; RFC 9149): to whom, how many, and their
//! content. `server.rs` tests how they are used.

use core::time::Duration;

use crate::connection::Status;
use crate::connection::tests::puppet::client::{add, add_raw, asking_server, required};
use crate::connection::tests::puppet::session::Ticket;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, message, now, plain, refused, server,
};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::RekeyPolicy;
use crate::identity::{Identity, Trust};
use crate::message::ClientHelloExtension::RecordSizeLimit;
use crate::message::Message;
use crate::server::{ClientAuth, Server, ServerBuilder};
use crate::session::{TicketKey, TicketKeys};
use crate::time::Now;

const HOUR: Duration = Duration::from_secs(3600);

fn builder() -> ServerBuilder {
    Server::builder().identity(WORLD.server.clone())
}

fn ticket_of(server: &Server) -> Ticket {
    Puppet::tickets_of(server).pop().expect("a ticket")
}

/// Our policy is to send 2 after a full handshake and 1 after a resumed one, with each suite.
#[test]
fn two_and_one() {
    for suite in Suite::ALL {
        for server in [server(), asking_server(required())] {
            let mut puppet = Puppet::calling_for_tickets(&server);
            puppet.suite = suite;
            let tickets = puppet.finish_for_tickets();
            assert_eq!(tickets.len(), 2);
            for ticket in tickets {
                let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
                puppet.say_client_hello();
                puppet.hear_flight();
                let [next] = &puppet.finish_for_tickets()[..] else {
                    panic!("not one ticket")
                };
                // The next session is resumed with the new ticket.
                assert!(Puppet::calling_with_ticket(&server, next).is_resumed());
            }
        }
    }
}

/// 4.7.1: a nonce "unique across all tickets issued on this connection", and a "securely generated,
/// random" ticket_age_add, "fresh ... for each ticket". wolfSSL fails on nonces of more than 8
/// bytes.
#[test]
fn each_is_another() {
    let server = server();
    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.request_tickets(8, 0);
    let mut tickets = puppet.finish_for_tickets();
    assert_eq!(tickets.len(), 8);
    assert!(tickets.iter().all(|ticket| ticket.nonce.len() <= 8));
    let different = |tickets: &[Ticket], part: fn(&Ticket) -> Vec<u8>| {
        let parts: std::collections::BTreeSet<Vec<u8>> = tickets.iter().map(part).collect();
        assert_eq!(parts.len(), tickets.len());
    };
    different(&tickets, |ticket| ticket.nonce.clone());
    different(&tickets, |ticket| ticket.key.clone());
    // This holds also between connections.
    tickets.extend(Puppet::tickets_of(&server));
    different(&tickets, |ticket| ticket.ticket.clone());
    different(&tickets, |ticket| ticket.age_add.to_be_bytes().to_vec());
    different(&tickets, |ticket| ticket.key.clone());
}

/// 4.7.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)." Ours is 2 hours,
/// and a setting.
#[test]
fn their_lifetime() {
    assert_eq!(ticket_of(&server()).lifetime, 7200);
    for seconds in [1, 60, 604_800] {
        let server = builder()
            .ticket_lifetime(Duration::from_secs(seconds))
            .max_session_age(Duration::from_secs(u64::MAX))
            .build()
            .unwrap();
        assert_eq!(u64::from(ticket_of(&server).lifetime), seconds);
    }
    for seconds in [0, 604_801, u64::MAX] {
        assert!(
            builder()
                .ticket_lifetime(Duration::from_secs(seconds))
                .build()
                .is_err()
        );
    }
    // The lifetime never exceeds the time for which the session may be resumed.
    let server = builder().max_session_age(HOUR).build().unwrap();
    assert_eq!(ticket_of(&server).lifetime, 3600);
}

/// The validity of the ticket key is a limit too, because the ticket would be useless after it.
/// Without a key there are no tickets.
#[test]
fn no_longer_than_their_key() {
    let unix = now().unix;
    let keys = TicketKeys::empty();
    let server = builder().ticket_keys(keys.clone()).build().unwrap();
    assert_eq!(Puppet::tickets_of(&server), []);
    keys.install(TicketKey::new([7; 32], unix - HOUR, unix + HOUR, unix + HOUR).unwrap());
    let ticket = ticket_of(&server);
    assert!(
        (3540..=3600).contains(&ticket.lifetime),
        "{}",
        ticket.lifetime
    );
    assert!(Puppet::calling_with_ticket(&server, &ticket).is_resumed());
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    puppet.later = HOUR + Duration::from_secs(1);
    assert!(!puppet.is_resumed());
}

/// "If the client's hello contained a suitable "psk_key_exchange_modes" extension, the server MAY
/// send". Otherwise it sends none. We do not support psk_ke(0).
#[test]
fn none_for_clients_that_cannot_use_them() {
    for modes in [&[][..], &[0], &[0x0b], &[0, 0x0b, 2]] {
        let mut puppet = Puppet::calling(&server());
        puppet.modes = modes.to_vec();
        assert_eq!(puppet.finish_for_tickets(), []);
    }
    for modes in [&[1][..], &[0, 1], &[0x0b, 1]] {
        let mut puppet = Puppet::calling(&server());
        puppet.modes = modes.to_vec();
        assert_eq!(puppet.finish_for_tickets().len(), 2);
    }
    assert_eq!(
        Puppet::tickets_of(&builder().without_tickets().build().unwrap()),
        []
    );
}

/// RFC 9149, section 3: "the minimum of the server's self-imposed limit and the number requested".
/// The answer contains the number. Our limit is 8.
#[test]
fn as_many_as_are_asked_for() {
    /// Returns `expected_count` of EncryptedExtensions, and the number of tickets that arrived.
    fn asked(
        mut puppet: Puppet,
        new_session_count: u8,
        resumption_count: u8,
    ) -> (Option<u8>, Vec<Ticket>) {
        let flight = puppet.request_tickets(new_session_count, resumption_count);
        let Message::EncryptedExtensions(answers) = Message::decode(&flight[1]).unwrap() else {
            panic!("{flight:?}")
        };
        let expected = answers.ticket_request();
        (expected, puppet.finish_for_tickets())
    }
    let server = server();
    for (wanted, sent) in [(0, 0), (1, 1), (3, 3), (8, 8), (9, 8), (255, 8)] {
        let (expected, tickets) = asked(Puppet::calling_for_tickets(&server), wanted, 77);
        assert_eq!((expected, tickets.len()), (Some(sent), usize::from(sent)));
        let (expected, tickets) = asked(
            Puppet::calling_with_ticket(&server, &ticket_of(&server)),
            77,
            wanted,
        );
        assert_eq!((expected, tickets.len()), (Some(sent), usize::from(sent)));
    }
    // A server that sends none because the client lacks a mode says so. A server without tickets
    // does not know the extension.
    let (expected, tickets) = asked(Puppet::calling(&server), 3, 3);
    assert_eq!((expected, tickets.len()), (Some(0), 0));
    let (expected, tickets) = asked(
        Puppet::calling_for_tickets(&builder().without_tickets().build().unwrap()),
        3,
        3,
    );
    assert_eq!((expected, tickets.len()), (None, 0));
    // A server without a key to seal tickets answers that none will come.
    let (expected, tickets) = asked(
        Puppet::calling_for_tickets(&builder().ticket_keys(TicketKeys::empty()).build().unwrap()),
        3,
        3,
    );
    assert_eq!((expected, tickets.len()), (Some(0), 0));
    // Without the extension there is no answer.
    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.say_client_hello();
    assert_eq!(puppet.hear_flight()[1], message(8, &[0, 4, 0, 0, 0, 0]));
}

/// 4.7.1: "at any time after it has received the client Finished message".
#[test]
fn not_before_finished() {
    for server in [server(), asking_server(required())] {
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.lead_server_to("WAIT_FINISHED");
        puppet.hears_nothing();
        let mut finished = puppet.finished();
        finished[10] ^= 1;
        let record = puppet.record(HANDSHAKE, &finished);
        // `refused` hears only the alert.
        refused!(puppet, record, "WAIT_FINISHED", 51, Fault::BadFinished);
    }
}

/// A client has completed its handshake, and tickets wait for it.
fn waiting() -> Puppet {
    let mut puppet = Puppet::calling_for_tickets(&server());
    puppet.lead_server_to("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap();
    puppet.install_application_keys(Side::Client);
    puppet
}

fn hears_two_tickets(puppet: &mut Puppet) {
    for _ in 0..2 {
        assert_eq!(puppet.hear_message()[0], 4);
    }
}

/// Our policy: if the client closes a TCP connection with unread tickets, it could lose the data
/// that it sent last.
#[test]
fn a_client_that_only_sends_is_sent_nothing() {
    let mut puppet = waiting();
    puppet.hears_nothing();
    for _ in 0..100 {
        puppet.send(b"data").unwrap();
        puppet.hears_nothing();
    }
    assert_eq!(puppet.alert(1, 0).unwrap(), Status::Closed);
    puppet.hears_nothing();
    puppet.us.close();
    hears_two_tickets(&mut puppet);
    assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
    puppet.hears_nothing();
}

/// Our policy: tickets wait for at most a minute. Time passes when the connection is told so, by
/// `process` or by a stream that is about to send.
#[test]
fn they_do_not_wait_for_ever() {
    let processed = |puppet: &mut Puppet, now| {
        assert_eq!(
            puppet.us.process(now, &mut SystemRandom).unwrap(),
            Status::NeedsInput
        )
    };
    let told = |puppet: &mut Puppet, now: Now| puppet.us.at(now.monotonic);
    let ways: [fn(&mut Puppet, Now); 2] = [processed, told];
    for pass in ways {
        for (seconds, come) in [
            (0, true),
            (30, true),
            (59, true),
            (60, false),
            (120, false),
            (100_000, false),
        ] {
            let later = Now {
                monotonic: Duration::from_secs(seconds),
                ..now()
            };
            let mut puppet = waiting();
            puppet.us.sender.set_rekey_policy(RekeyPolicy::never());
            pass(&mut puppet, later);
            puppet.hears_nothing();
            puppet.us.write(b"answer").unwrap();
            if come {
                hears_two_tickets(&mut puppet);
            }
            assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");

            let mut puppet = waiting();
            pass(&mut puppet, later);
            puppet.us.close();
            if come {
                hears_two_tickets(&mut puppet);
            }
            assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);
        }
    }
    // The minute begins when they start to wait, independent of the clock's value, and does not
    // begin again each time that the connection checks.
    let started = Duration::from_secs(25);
    for (last, come) in [(59, true), (60, false)] {
        let mut puppet = Puppet::calling_for_tickets(&server());
        puppet.lead_server_to("WAIT_FINISHED");
        let finished = puppet.finished();
        let record = puppet.record(HANDSHAKE, &finished);
        puppet.us.input()[..record.len()].copy_from_slice(&record);
        puppet.us.received(record.len());
        puppet.install_application_keys(Side::Client);
        for seconds in [0, 20, 40, last] {
            processed(
                &mut puppet,
                Now {
                    monotonic: started + Duration::from_secs(seconds),
                    ..now()
                },
            );
        }
        puppet.us.write(b"answer").unwrap();
        if come {
            hears_two_tickets(&mut puppet);
        }
        assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");
    }
}

/// Our policy: tickets are sent before the first data or the close_notify, under the key at that
/// time. If the connection fails, they are not sent.
#[test]
fn they_wait_for_the_first_data() {
    let mut puppet = waiting();
    puppet.send(b"question").unwrap();
    puppet.hears_nothing();
    puppet.us.write(b"answer").unwrap();
    hears_two_tickets(&mut puppet);
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");
    puppet.us.write(b"more").unwrap();
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"more");

    let mut puppet = waiting();
    puppet.us.close();
    hears_two_tickets(&mut puppet);
    assert_eq!(puppet.hear_type(ALERT).content, [1, 0]);

    // 4.7.3: after a KeyUpdate it is the next key.
    let mut puppet = waiting();
    puppet.us.rekey().unwrap();
    assert_eq!(puppet.hear_message()[0], 24);
    puppet.read.as_mut().unwrap().update();
    puppet.us.write(b"answer").unwrap();
    hears_two_tickets(&mut puppet);
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"answer");

    // `refused` hears only the alert.
    let mut puppet = waiting();
    let record = puppet.record(HANDSHAKE, &message(99, b"?"));
    refused!(puppet, record, "CONNECTED", 10, Fault::Unexpected { .. });
}

/// RFC 8449, section 4: records with tickets obey the client's limit.
#[test]
fn they_keep_to_the_record_size_limit() {
    let mut puppet = Puppet::calling_for_tickets(&asking_server(required()));
    let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(64)));
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    puppet.lead_server_to("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap();
    puppet.install_application_keys(Side::Client);
    puppet.us.write(b"").unwrap();
    let mut rest = puppet.us.output();
    let mut records = 0;
    while let [23, _, _, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        assert!(length <= 64 + 16, "{length}");
        rest = &rest[5 + length..];
        records += 1;
    }
    assert!(rest.is_empty() && records > 4, "{records}");
    assert_eq!(puppet.hear_tickets().len(), 2);
}

// ---- what fits ----

/// A client with a certificate that has so many names, and so is long.
fn with_names(count: usize) -> Identity {
    let names: Vec<_> = (0..count)
        .map(|number| format!("a-rather-long-label-{number:04}.internal"))
        .collect();
    Identity::self_signed(names.iter().map(String::as_str)).unwrap()
}

/// A server that knows this client by its key, and accepts messages of this length.
fn with_limit(client: &Identity, keys: &TicketKeys, limit: Option<usize>) -> Server {
    let server = builder()
        .client_auth(ClientAuth::Required(Trust::keys([client.public_key()])))
        .ticket_keys(keys.clone());
    match limit {
        Some(limit) => server.max_handshake_size(limit),
        None => server,
    }
    .build()
    .unwrap()
}

/// 4.7.1: a ticket comes back in a ClientHello, so it is given only if that is not too long for us:
/// `max_handshake_size`, with 192 bytes to spare (ours). Clients that got a longer one would be
/// refused once for each such ticket. Beside the ticket, pre_shared_key has 63 bytes at most, and
/// early_data 4.
#[test]
fn a_ticket_fits_our_own_limit() {
    const LIMIT: usize = 4096;
    let (mut given, mut not_given) = (0, 0);
    for count in [1, 20, 40, 50, 60, 70, 80, 85, 90, 95, 100] {
        let (client, keys) = (with_names(count), TicketKeys::rotating());
        let calling = |limit| {
            let mut puppet = Puppet::calling_for_tickets(&with_limit(&client, &keys, limit));
            puppet.identity = client.clone();
            puppet
        };
        let ticket_len = calling(None).finish_for_tickets()[0].ticket.len();
        let mut puppet = calling(Some(LIMIT));
        let hello_len = puppet.make_client_hello(|_| {}).len();
        let tickets = puppet.finish_for_tickets();
        let fits = hello_len + 63 + 4 + ticket_len + 192 <= LIMIT;
        assert_eq!(tickets.len(), if fits { 2 } else { 0 }, "{count} names");
        given += usize::from(fits);
        not_given += usize::from(!fits);
        // Each is worth another connection, and leaves another ticket, which takes its place.
        for ticket in tickets {
            let server = with_limit(&client, &keys, Some(LIMIT));
            let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
            puppet.say_client_hello();
            assert_eq!(puppet.hear_flight().len(), 3);
            assert_eq!(puppet.finish_for_tickets().len(), 1);
        }
    }
    assert!(given >= 5 && not_given >= 2, "{given} and {not_given}");
}

/// The same for a limit that is not ours: `Extension extensions<8..2^16-1>` (4.2.2).
#[test]
fn a_ticket_fits_the_extensions_of_a_client_hello() {
    let (client, keys) = (with_names(150), TicketKeys::rotating());
    for (extension, expected) in [(50_000, 2), (62_000, 0)] {
        let mut puppet = Puppet::calling_for_tickets(&with_limit(&client, &keys, None));
        puppet.identity = client.clone();
        let hello =
            puppet.make_client_hello(|hello| add_raw(hello, 0xfafa, vec![0; extension].leak()));
        puppet.transcript.extend_from_slice(&hello);
        for part in hello.chunks(16384) {
            puppet.feed(&plain(HANDSHAKE, part)).unwrap();
        }
        puppet.hear_flight();
        assert_eq!(puppet.finish_for_tickets().len(), expected);
    }
}

/// Our policy: the tickets of a connection have at most 16 KiB together, because they wait until
/// something is sent. One always fits.
#[test]
fn long_tickets_are_fewer() {
    for (names, expected) in [(1, 8), (40, 8), (100, 4), (150, 2), (400, 1)] {
        let client = with_names(names);
        let server = with_limit(&client, &TicketKeys::rotating(), None);
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.identity = client;
        puppet.request_tickets(8, 8);
        let tickets = puppet.finish_for_tickets();
        let length = tickets[0].ticket.len();
        assert_eq!(tickets.len(), expected, "{names} names, {length} bytes");
    }
}
