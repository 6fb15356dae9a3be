//! Early data is accepted at most once by our server (RFC 9846, section 8), and not after a
//! HelloRetryRequest or beyond the budget. What is not accepted is skipped, and the session is
//! resumed all the same.

use core::time::Duration;

use crate::code_point::NamedGroup;
use crate::connection::Status;
use crate::connection::tests::puppet::client::{add, set};
use crate::connection::tests::puppet::early_client::{builder, early, guard, taking, ticket_of};
use crate::connection::tests::puppet::session::{Psk, Ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, now, plain, refused,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::error::{Fault, Illegal};
use crate::handshake::{Answer, EarlyData, Question};
use crate::message::ClientHelloExtension::{EarlyData as Offered, KeyShare};
use crate::server::Server;
use crate::session::{ReplayGuard, ReplayVerdict, TicketKeys};

/// The time of everything here, unless a test says otherwise. The clock does not advance by itself.
const THEN: Duration = Duration::from_secs(1_800_000_000);

/// Returns the tickets of a full handshake.
fn tickets_then(server: &Server) -> Vec<Ticket> {
    let mut puppet = Puppet::calling_for_tickets(server);
    puppet.clock = Some(THEN);
    puppet.finish_for_tickets()
}

/// Returns a client with early data under this ticket, whose age it states correctly.
fn offering(server: &Server, ticket: &Ticket, seconds: u32) -> Puppet {
    let mut puppet = Puppet::calling_early(server, ticket);
    puppet.clock = Some(THEN + Duration::from_secs(seconds.into()));
    puppet.psks[0].obfuscated_ticket_age = ticket.age_add.wrapping_add(seconds * 1000);
    puppet
}

/// Returns true if a server accepts the early data of this hello.
fn takes(server: &Server, hello: &[u8], seconds: u32) -> bool {
    let mut puppet = Puppet::calling(server);
    puppet.clock = Some(THEN + Duration::from_secs(seconds.into()));
    puppet.feed(&plain(HANDSHAKE, hello)).unwrap();
    assert!(puppet.us.is_handshaking());
    puppet.us.takes_early_data()
}

// ---- seen before ----

/// 8.2: "If one is found, it ... accepts the PSK but rejects 0-RTT". This holds at the server that
/// accepted it, at another one with the same guard, and for as long as it would be fresh. After
/// that it is too old.
#[test]
fn a_replay_is_resumed_without() {
    let (guard, keys) = (guard(), TicketKeys::rotating());
    let build = || {
        builder()
            .ticket_keys(keys.clone())
            .early_data(1000, guard.clone())
            .build()
            .unwrap()
    };
    let server = build();
    let ticket = tickets_then(&server).remove(0);
    let mut puppet = offering(&server, &ticket, 1);
    let hello = puppet.make_client_hello(|_| {});
    assert!(takes(&server, &hello, 1));
    for seconds in [1, 0, 5, 11, 12, 3600, 1] {
        assert!(!takes(&server, &hello, seconds), "{seconds}");
        assert!(!takes(&build(), &hello, seconds), "{seconds}");
    }
    // A whole replay: its early data is skipped, and the client that has the keys can continue.
    puppet.derive_early_keys(&hello);
    puppet.say(&hello).unwrap();
    assert!(!puppet.completes_early());
    assert!(puppet.us.negotiated().unwrap().resumed());
    // Another hello under the same ticket is not a replay.
    assert!(offering(&server, &ticket, 1).would_be_accepted());
}

/// Early data of a replay is not read even if that of the original has not arrived.
#[test]
fn a_replay_brings_nothing() {
    let server = taking(1000);
    let mut puppet = Puppet::calling_early(&server, &ticket_of(&server));
    let hello = puppet.make_client_hello(|_| {});
    puppet.derive_early_keys(&hello);
    let flight = [
        plain(HANDSHAKE, &hello),
        early(puppet.early.as_mut().unwrap(), b"pay"),
    ]
    .concat();
    for taken in [true, false, false] {
        let mut puppet = Puppet::calling(&server);
        puppet.feed(&flight).unwrap();
        assert_eq!(puppet.early_data, if taken { &b"pay"[..] } else { b"" });
        assert!(puppet.us.is_handshaking() && puppet.delivered.is_empty());
    }
}

/// "The server MUST derive the storage key only from validated sections of the ClientHello. ... if
/// the client sends PSKs A and B but the server prefers A, then the attacker can change the binder
/// for B without affecting the binder for A". It is still a replay.
#[test]
fn a_changed_binder_of_another_psk_is_still_a_replay() {
    let server = taking(1000);
    let [one, two] = &tickets_then(&server)[..] else {
        panic!("not two tickets")
    };
    for second in [two.psk(), Psk::unknown()] {
        for first_goes in [true, false] {
            let mut puppet = offering(&server, one, 1);
            puppet.psks.push(second.clone());
            let hello = puppet.make_client_hello(|_| {});
            let mut changed = hello.clone();
            *changed.last_mut().unwrap() ^= 1;
            let (before, after) = if first_goes {
                (&hello, &changed)
            } else {
                (&changed, &hello)
            };
            assert!(takes(&server, before, 1));
            for _ in 0..2 {
                assert!(!takes(&server, after, 1));
            }
            for at in 1..32 {
                let at = changed.len() - 1 - at;
                changed[at] ^= 1;
                assert!(!takes(&server, &changed, 1));
            }
        }
    }
}

// ---- guards that do not know ----

/// A full guard refuses until an entry has expired. It does not remove entries for new ones.
#[test]
fn a_full_guard() {
    let server = builder()
        .early_data(1000, ReplayGuard::in_memory(2))
        .build()
        .unwrap();
    let ticket = tickets_then(&server).remove(0);
    let first = offering(&server, &ticket, 1).make_client_hello(|_| {});
    assert!(takes(&server, &first, 1));
    assert!(offering(&server, &ticket, 1).would_be_accepted());
    for _ in 0..3 {
        let mut puppet = offering(&server, &ticket, 1);
        assert!(!puppet.would_be_accepted());
        assert!(puppet.us.negotiated().unwrap().resumed());
    }
    assert!(!takes(&server, &first, 1));
    // After a little more than two windows there is room again.
    assert!(offering(&server, &ticket, 60).would_be_accepted());
    assert!(
        !takes(&server, &first, 1),
        "a clock that is set back brings nothing back"
    );

    let none = builder()
        .early_data(1000, ReplayGuard::in_memory(0))
        .build()
        .unwrap();
    let ticket = tickets_then(&none).remove(0);
    assert!(!offering(&none, &ticket, 1).would_be_accepted());
}

/// The clock is set back to before an entry that was removed, so that its age is right again.
/// Nothing is accepted that could have been recorded then.
#[test]
fn a_clock_set_back_brings_nothing_back() {
    let server = taking(1000);
    let ticket = tickets_then(&server).remove(0);
    let hello = offering(&server, &ticket, 1).make_client_hello(|_| {});
    assert!(takes(&server, &hello, 1));
    for seconds in [30, 60, 90] {
        assert!(offering(&server, &ticket, seconds).would_be_accepted());
    }
    assert!(!takes(&server, &hello, 1));
    assert!(!offering(&server, &ticket, 1).would_be_accepted());
    assert!(offering(&server, &ticket, 91).would_be_accepted());
}

/// The application is asked. Nothing is sent and nothing read before its answer, and a copy leads
/// to the same question.
#[test]
fn the_application_is_asked() {
    let server = builder()
        .early_data(1000, ReplayGuard::asking("a store"))
        .build()
        .unwrap();
    let ticket = tickets_then(&server).remove(0);
    let mut entries = Vec::new();
    for (verdict, taken) in [
        (ReplayVerdict::Fresh, true),
        (ReplayVerdict::Seen, false),
        (ReplayVerdict::Unavailable, false),
    ] {
        let mut puppet = offering(&server, &ticket, 1);
        let hello = puppet.make_client_hello(|hello| hello.random = [0xc2; 32]);
        puppet.derive_early_keys(&hello);
        let record = early(puppet.early.as_mut().unwrap(), b"first");
        puppet.transcript.extend_from_slice(&hello);
        let status = puppet
            .feed(&[plain(HANDSHAKE, &hello), record].concat())
            .unwrap();
        assert_eq!(status, Status::Ask(Question::Replay));
        assert!(puppet.early_data.is_empty() && !puppet.us.takes_early_data());
        puppet.hears_nothing();
        let entry = puppet.us.replay_entry().unwrap();
        // The ticket's creation, its age, and the window.
        assert_eq!(entry.expires(), THEN + Duration::from_secs(1 + 10));
        assert!(!entries.contains(&entry));
        let mut copy = Puppet::calling(&server);
        copy.clock = Some(THEN + Duration::from_secs(7));
        assert_eq!(
            copy.feed(&plain(HANDSHAKE, &hello)).unwrap(),
            Status::Ask(Question::Replay)
        );
        assert_eq!(copy.us.replay_entry(), Some(entry));
        entries.push(entry);
        puppet
            .us
            .answer(Answer::Replay(verdict), now(), &mut SystemRandom)
            .unwrap();
        puppet.feed(&[]).unwrap();
        assert_eq!(puppet.early_data, if taken { &b"first"[..] } else { b"" });
        puppet.hear_flight();
        assert_eq!(puppet.is_accepted(), taken);
        puppet.early_data.clear();
        puppet.lead_server_to("CONNECTED");
        assert!(puppet.us.negotiated().unwrap().resumed());
    }
    // Early data that would be rejected anyway leads to no question.
    let mut late = offering(&server, &ticket, 1);
    late.clock = Some(THEN + Duration::from_secs(12));
    assert!(!late.would_be_accepted());
}

// ---- after a HelloRetryRequest ----

/// Returns a client with early data under a valid ticket and an unsuitable share, after the
/// HelloRetryRequest.
fn asked_again(server: &Server, ticket: &Ticket) -> Puppet {
    let mut puppet = Puppet::calling_without_share(server);
    puppet.modes = vec![1];
    puppet.psks = vec![ticket.psk()];
    puppet.offers_early_data = true;
    let hello = puppet.make_client_hello(|hello| set(hello, KeyShare(vec![])));
    puppet.derive_early_keys(&hello);
    puppet.say(&hello).unwrap();
    assert_eq!(puppet.hear_retry().group, Some(NamedGroup(0x0017)));
    assert!(!puppet.us.takes_early_data());
    puppet.share(Group::Secp256r1);
    puppet.offers_early_data = false;
    puppet
}

/// 4.3.10: "The server then ignores early data by skipping all records with an external content
/// type of "application_data"". It does so although it could open them, and resumes the session.
#[test]
fn after_a_retry_it_is_skipped() {
    let server = taking(1000);
    let ticket = ticket_of(&server);
    for count in [0, 1, 5] {
        let mut puppet = asked_again(&server, &ticket);
        puppet.feed(&plain(CHANGE_CIPHER_SPEC, &[1])).unwrap();
        for _ in 0..count {
            let record = early(puppet.early.as_mut().unwrap(), b"early");
            puppet.feed(&record).unwrap();
        }
        puppet.say_client_hello();
        puppet.hear_flight();
        assert!(!puppet.is_accepted());
        puppet.lead_server_to("CONNECTED");
        assert!(puppet.early_data.is_empty());
        let negotiated = puppet.us.negotiated().unwrap();
        assert!(negotiated.resumed());
        assert_eq!(negotiated.early_data(), EarlyData::Rejected);
    }
    // After the second hello, records are no longer early data.
    let mut puppet = asked_again(&server, &ticket);
    puppet.say_client_hello();
    puppet.hear_flight();
    let record = early(puppet.early.as_mut().unwrap(), b"early");
    refused!(puppet, record, "WAIT_FINISHED", 20, Fault::BadRecordMac);
}

/// 4.2.2: "Removing the "early_data" extension ... Early data is not permitted after a
/// HelloRetryRequest."
#[test]
fn after_a_retry_it_is_not_offered_again() {
    let server = taking(1000);
    let ticket = ticket_of(&server);
    let mut puppet = asked_again(&server, &ticket);
    let hello = puppet.make_client_hello(|hello| add(hello, Offered));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "early_data"
        })
    );
    // It must not be added there either.
    let mut puppet = Puppet::calling_without_share(&server);
    puppet.modes = vec![1];
    puppet.psks = vec![ticket.psk()];
    puppet.say_first();
    puppet.share(Group::Secp256r1);
    let hello = puppet.make_client_hello(|hello| add(hello, Offered));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "early_data"
        })
    );
}

/// A retry records nothing: a guard with space for one entry is still empty.
#[test]
fn a_retry_records_nothing() {
    let server = builder()
        .early_data(1000, ReplayGuard::in_memory(1))
        .build()
        .unwrap();
    let ticket = ticket_of(&server);
    for _ in 0..3 {
        let mut puppet = asked_again(&server, &ticket);
        puppet.say_client_hello();
        puppet.hear_flight();
    }
    assert!(Puppet::calling_early(&server, &ticket).would_be_accepted());
    assert!(!Puppet::calling_early(&server, &ticket).would_be_accepted());
}

/// GnuTLS CVE-2025-6395: a null pointer was used if a second ClientHello lacked the PSK of the
/// first one. The same is tested with early data under that PSK: it is skipped, and the handshake
/// is a full one.
#[test]
fn cve_2025_6395_psk_of_early_data_removed_in_the_second_client_hello() {
    let server = taking(1000);
    let ticket = ticket_of(&server);
    for more in [vec![], vec![Psk::unknown()]] {
        for modes in [vec![1], vec![]] {
            let mut puppet = asked_again(&server, &ticket);
            let record = early(puppet.early.as_mut().unwrap(), b"early");
            puppet.feed(&record).unwrap();
            puppet.psks.clone_from(&more);
            puppet.modes.clone_from(&modes);
            let hello = puppet.make_client_hello(|_| {});
            if !more.is_empty() || modes.is_empty() {
                // A PSK was added that was not there before, or psk_key_exchange_modes was removed,
                // which is not allowed.
                let field = if modes.is_empty() {
                    "extensions"
                } else {
                    "pre_shared_key"
                };
                refused!(
                    puppet,
                    plain(HANDSHAKE, &hello),
                    "START",
                    47,
                    Fault::Illegal(Illegal::HelloChanged { field: got }) if got == field
                );
                continue;
            }
            puppet.say(&hello).unwrap();
            assert_eq!(puppet.hear_flight().len(), 5);
            puppet.lead_server_to("CONNECTED");
            let negotiated = puppet.us.negotiated().unwrap();
            assert!(!negotiated.resumed() && puppet.early_data.is_empty());
            assert_eq!(negotiated.early_data(), EarlyData::Rejected);
        }
    }
}

// ---- the budget ----

/// 4.3.10: "up to the configured max_early_data_size". What a client may have sent under our ticket
/// is skipped in addition to what any client may send. It counts twice, because padding cannot be
/// distinguished from content. A ticket may be older than the configuration, and then its own limit
/// counts.
#[test]
fn what_was_allowed_is_skipped_on_top() {
    const ALLOWED: u32 = 10_000;
    const BUDGET: usize = 64 * 1024 + 2 * 10_000;
    for (allowed, configured, known) in [
        (ALLOWED, Some(ALLOWED), true),
        (1000, Some(ALLOWED), true),
        (1000, Some(ALLOWED), false),
        (ALLOWED, Some(1000), true),
        (ALLOWED, None, true),
    ] {
        let keys = TicketKeys::rotating();
        let build = |size: Option<u32>| {
            let builder = builder().ticket_keys(keys.clone());
            let builder = match size {
                Some(size) => builder.early_data(size, guard()),
                None => builder,
            };
            builder.build().unwrap()
        };
        let (ticket, server) = (ticket_of(&build(Some(allowed))), build(configured));
        if !known {
            keys.clear();
        }
        // 5 records of 16 KiB of ciphertext, and the rest.
        let spend = |puppet: &mut Puppet| {
            let keys = puppet.early.as_mut().unwrap();
            let mut records: Vec<_> = (0..5).map(|_| early(keys, &[0xed; 16384 - 17])).collect();
            records.push(early(keys, &[0xed; BUDGET - 5 * 16384 - 17]));
            assert_eq!(
                records.iter().map(|record| record.len() - 5).sum::<usize>(),
                BUDGET
            );
            puppet.feed(&records.concat()).unwrap();
        };
        let rejected = || {
            let mut puppet = Puppet::calling_early(&server, &ticket);
            puppet.say_client_hello();
            puppet.hear_flight();
            assert!(!puppet.is_accepted());
            spend(&mut puppet);
            puppet
        };
        rejected().lead_server_to("CONNECTED");
        let mut puppet = rejected();
        let record = early(puppet.early.as_mut().unwrap(), b"");
        refused!(puppet, record, "WAIT_FINISHED", 20, Fault::BadRecordMac);

        let retried = || {
            let mut puppet = asked_again(&server, &ticket);
            spend(&mut puppet);
            puppet
        };
        let mut puppet = retried();
        puppet.say_client_hello();
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");
        let mut puppet = retried();
        let record = early(puppet.early.as_mut().unwrap(), b"");
        refused!(
            puppet,
            record,
            "START",
            10,
            Fault::UnexpectedRecord { got } if got.0 == APPLICATION_DATA
        );
    }
}

/// The client's early data is under its first PSK (4.3.10), so no other ticket adds to the budget.
#[test]
fn only_the_first_ticket_adds_to_what_is_skipped() {
    const BUDGET: usize = 64 * 1024;
    let keys = TicketKeys::rotating();
    let ticket = ticket_of(
        &builder()
            .ticket_keys(keys.clone())
            .early_data(10_000, guard())
            .build()
            .unwrap(),
    );
    let server = builder().ticket_keys(keys).build().unwrap();
    let mut puppet = Puppet::calling_early(&server, &ticket);
    puppet.psks.insert(0, Psk::unknown());
    puppet.say_client_hello();
    puppet.hear_flight();
    let keys = puppet.early.as_mut().unwrap();
    let records: Vec<_> = (0..BUDGET / 16384)
        .map(|_| early(keys, &[0xed; 16384 - 17]))
        .collect();
    let over = early(keys, b"");
    puppet.feed(&records.concat()).unwrap();
    refused!(puppet, over, "WAIT_FINISHED", 20, Fault::BadRecordMac);
}

/// A limit that no client reaches causes no overflow.
#[test]
fn the_largest_limit() {
    let keys = TicketKeys::rotating();
    let build = || {
        builder()
            .ticket_keys(keys.clone())
            .early_data(u32::MAX, guard())
            .build()
            .unwrap()
    };
    let server = build();
    let ticket = ticket_of(&server);
    assert_eq!(ticket.max_early_data_size, Some(u32::MAX));
    assert!(Puppet::calling_early(&server, &ticket).would_be_accepted());
    assert!(!Puppet::calling_early(&build(), &ticket).would_be_accepted());
}
