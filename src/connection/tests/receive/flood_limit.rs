//! Legal records and messages without content are limited, but a peer that sends data does not
//! reach the limit.

use core::time::Duration;

use crate::client::Client;
use crate::connection::Status;
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, message, now, refused, vector,
};
use crate::crypto::random::SystemRandom;
use crate::error::{Error, Fault};
use crate::time::Now;

/// How many idle records or messages in a row are accepted. This is our policy.
const IDLE: usize = 64;

/// Sends an idle record or message of this kind. After a KeyUpdate the keys change.
fn idle(puppet: &mut Puppet, kind: &str) -> Vec<u8> {
    match kind {
        "empty data" => puppet.protect(APPLICATION_DATA, &[], 5),
        "user_canceled" => puppet.protect(ALERT, &[1, 90], 0),
        "KeyUpdates" | "requests" => {
            let record = puppet.protect(HANDSHAKE, &key_update(u8::from(kind == "requests")), 0);
            puppet.write.as_mut().unwrap().update();
            record
        }
        other => panic!("{other}"),
    }
}

/// All kinds that may come to either side.
const KINDS: [&str; 4] = ["empty data", "user_canceled", "KeyUpdates", "requests"];

/// Hears our answers to requests, so that the keys follow.
fn hear_answers(puppet: &mut Puppet) {
    while let Some(record) = puppet.hear() {
        assert_eq!(record.content, key_update(0));
        puppet.read.as_mut().unwrap().update();
    }
}

#[test]
fn each_kind_is_bounded() {
    for kind in KINDS {
        for mut puppet in Puppet::both_connected() {
            for _ in 0..IDLE {
                let record = idle(&mut puppet, kind);
                puppet.feed(&record).unwrap();
                hear_answers(&mut puppet);
            }
            let record = idle(&mut puppet, kind);
            refused!(
                puppet,
                record,
                "CONNECTED",
                10,
                Fault::TooMany { limit: 64, .. }
            );
        }
    }
}

/// All kinds are counted together.
#[test]
fn a_mixture_is_bounded() {
    for mut puppet in Puppet::both_connected() {
        for index in 0..IDLE {
            let record = idle(&mut puppet, KINDS[index % KINDS.len()]);
            puppet.feed(&record).unwrap();
            hear_answers(&mut puppet);
        }
        let record = idle(&mut puppet, "empty data");
        refused!(
            puppet,
            record,
            "CONNECTED",
            10,
            Fault::TooMany { limit: 64, .. }
        );
    }
}

/// One byte of the peer's data refills the bucket. RFC 9846, 4.7.3 lets a peer renew its keys as
/// often as it likes, "receiving implementations MUST NOT enforce this rule".
#[test]
fn data_from_the_peer_refills_the_bucket() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..10 {
            for _ in 0..IDLE {
                let record = idle(&mut puppet, "requests");
                puppet.feed(&record).unwrap();
                hear_answers(&mut puppet);
            }
            puppet.send(b"x").unwrap();
        }
    }
}

/// How many records we may seal, and how many seconds may pass between two reads, for the peer to
/// get one idle message more for each. This is our policy.
const MOST_SEALED: usize = 1 << 17;
const MOST_SECONDS: u64 = 1024;

/// So many seconds after the handshake.
fn at(seconds: u64) -> Now {
    let Now { monotonic, unix } = now();
    Now {
        monotonic: monotonic + Duration::from_secs(seconds),
        unix,
    }
}

/// Receives these bytes without processing them.
fn receive(puppet: &mut Puppet, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = puppet.us.input();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        puppet.us.received(count);
        bytes = &bytes[count..];
    }
}

/// Sends `count` idle messages, which are accepted, and one more, which is not.
#[track_caller]
fn exactly(puppet: Puppet, count: usize, kind: &str) {
    exactly_at(puppet, 0, count, kind);
}

/// Like `exactly`, so many seconds after the handshake.
#[track_caller]
fn exactly_at(mut puppet: Puppet, seconds: u64, count: usize, kind: &str) {
    for number in 0..count {
        let record = idle(&mut puppet, kind);
        receive(&mut puppet, &record);
        let result = puppet.us.process(at(seconds), &mut SystemRandom);
        assert!(result.is_ok(), "number {number} of {count}: {result:?}");
        hear_answers(&mut puppet);
    }
    // No time has passed since.
    let record = idle(&mut puppet, kind);
    receive(&mut puppet, &record);
    let result = puppet.us.process(at(seconds), &mut SystemRandom);
    let error = result.expect_err("one too many");
    assert!(
        matches!(
            error,
            Error::Protocol {
                fault: Fault::TooMany { limit: 64, .. },
                ..
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, Some(10));
}

/// Writes `count` records of application data, which the puppet does not open.
fn seal(puppet: &mut Puppet, count: usize) {
    for _ in 0..count {
        puppet.us.write(b"x").unwrap();
        puppet.us.sent(usize::MAX);
        puppet.read.as_mut().unwrap().sequence += 1;
    }
}

/// A peer may send an idle message for each record of ours: while it only receives, it has no other
/// occasion to ask for new keys.
#[test]
fn each_record_that_we_seal_allows_one_more() {
    for kind in KINDS {
        for sealed in [0, 1, 100] {
            for mut puppet in Puppet::both_connected() {
                seal(&mut puppet, sealed);
                exactly(puppet, IDLE + sealed, kind);
            }
        }
    }
}

/// Records count, not bytes and not calls.
#[test]
fn each_record_counts_whatever_made_it() {
    for mut puppet in Puppet::both_connected() {
        // Two records, and a third by way of the cork.
        assert_eq!(puppet.us.write(&[7; 20_000]).unwrap(), 20_000);
        puppet.us.set_corked(true).unwrap();
        for _ in 0..50 {
            puppet.us.write(b"gathered").unwrap();
        }
        puppet.us.flush().unwrap();
        // A fourth. What is gathered is no record yet.
        puppet.us.write_with(10, |_| 10).unwrap();
        puppet.us.flush().unwrap();
        puppet.us.write(b"gathered").unwrap();
        while let Some(record) = puppet.hear() {
            assert_eq!(record.content_type, APPLICATION_DATA);
        }
        let answered = IDLE + 4;
        for _ in 0..answered {
            let record = idle(&mut puppet, "KeyUpdates");
            puppet.feed(&record).unwrap();
        }
        let record = idle(&mut puppet, "KeyUpdates");
        assert!(puppet.feed(&record).is_err());
    }
}

/// What is spent is spent: the same record of ours does not count twice, and writing does not
/// refill the bucket.
#[test]
fn a_record_counts_once() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..10 {
            seal(&mut puppet, 10);
            for _ in 0..10 {
                let record = idle(&mut puppet, "requests");
                puppet.feed(&record).unwrap();
                hear_answers(&mut puppet);
            }
        }
        exactly(puppet, IDLE, "requests");
    }
}

#[test]
fn the_most_that_sealing_allows() {
    for (sealed, allowed) in [
        (MOST_SEALED - 1, MOST_SEALED - 1),
        (MOST_SEALED, MOST_SEALED),
        (MOST_SEALED + 1, MOST_SEALED),
    ] {
        let mut puppet = Puppet::client_at("CONNECTED");
        seal(&mut puppet, sealed);
        exactly(puppet, IDLE + allowed, "empty data");
    }
}

/// A second without a read allows one more, since the peer may have sent it meanwhile.
#[test]
fn the_most_that_time_allows() {
    for (seconds, allowed) in [
        (1, 1),
        (MOST_SECONDS - 1, MOST_SECONDS - 1),
        (MOST_SECONDS, MOST_SECONDS),
        (MOST_SECONDS + 1, MOST_SECONDS),
        (1 << 40, MOST_SECONDS),
    ] {
        let allowed = usize::try_from(allowed).unwrap();
        for kind in KINDS {
            let puppet = Puppet::client_at("CONNECTED");
            exactly_at(puppet, seconds, IDLE + allowed, kind);
        }
        // The same, with an empty bucket.
        let mut puppet = Puppet::client_at("CONNECTED");
        for _ in 0..IDLE {
            let record = idle(&mut puppet, "empty data");
            puppet.feed(&record).unwrap();
        }
        exactly_at(puppet, seconds, allowed, "empty data");
    }
}

/// A part of a second counts once it is whole, even if bytes arrive meanwhile.
#[test]
fn parts_of_seconds_are_kept() {
    let mut puppet = Puppet::client_at("CONNECTED");
    let mut send_at = |milliseconds| {
        let record = idle(&mut puppet, "empty data");
        receive(&mut puppet, &record);
        let later = Now {
            monotonic: now().monotonic + Duration::from_millis(milliseconds),
            ..now()
        };
        puppet.us.process(later, &mut SystemRandom).is_ok()
    };
    // 127 of them: 64, and 63 for as many seconds.
    for milliseconds in (0..=63_000).step_by(500) {
        assert!(send_at(milliseconds), "after {milliseconds} ms");
    }
    assert!(!send_at(63_999));
}

/// All three add up.
#[test]
fn what_is_allowed_adds_up() {
    for mut puppet in Puppet::both_connected() {
        seal(&mut puppet, 30);
        exactly_at(puppet, 20, IDLE + 30 + 20, "KeyUpdates");
    }
}

/// Time runs between the arrivals of bytes, not between calls: however slowly the application takes
/// what came at once, it came at once, and a call without bytes ends no wait.
#[test]
fn time_counts_between_arrivals() {
    let process = |puppet: &mut Puppet, seconds| puppet.us.process(at(seconds), &mut SystemRandom);
    for mut puppet in Puppet::both_connected() {
        let mut batch = [
            puppet.protect(APPLICATION_DATA, b"one", 0),
            puppet.protect(APPLICATION_DATA, b"two", 0),
        ]
        .concat();
        for _ in 0..=IDLE {
            batch.extend(puppet.protect(APPLICATION_DATA, &[], 0));
        }
        receive(&mut puppet, &batch);
        for seconds in [0, 3600] {
            assert_eq!(process(&mut puppet, seconds).unwrap(), Status::Data);
            puppet.us.consume(usize::MAX);
        }
        assert!(matches!(
            process(&mut puppet, 3600),
            Err(Error::Protocol {
                fault: Fault::TooMany { limit: 64, .. },
                ..
            })
        ));
    }
    for mut puppet in Puppet::both_connected() {
        for seconds in 1..3600 {
            assert_eq!(process(&mut puppet, seconds).unwrap(), Status::NeedsInput);
        }
        exactly_at(puppet, 3600, IDLE + 1024, "KeyUpdates");
    }
}

/// The answers to our own requests do not count as idle.
#[test]
fn answers_are_not_counted() {
    for mut puppet in Puppet::both_connected() {
        for _ in 0..3 * IDLE {
            puppet.us.rekey().unwrap();
            assert_eq!(puppet.hear_type(HANDSHAKE).content, key_update(1));
            puppet.read.as_mut().unwrap().update();
            let record = idle(&mut puppet, "KeyUpdates");
            puppet.feed(&record).unwrap();
            puppet.hears_nothing();
        }
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
    }
}

/// So many tickets in a row are let through; no more than `IDLE` of them are used.
const TICKETS: usize = 1024;

/// A ticket that can be told from the others.
fn ticket(number: usize) -> Vec<u8> {
    let parts = [
        &3600_u32.to_be_bytes()[..],
        &[1, 2, 3, 4],
        &vector(1, &[0]),
        &vector(2, format!("ticket {number}").as_bytes()),
        &vector(2, &[]),
    ];
    message(4, &parts.concat())
}

/// The newest ticket that this client has stored.
fn newest(client: &Client) -> Option<String> {
    let (ticket, _) = Puppet::serving(client).offered_ticket()?;
    Some(String::from_utf8(ticket).unwrap())
}

/// RFC 9846, 4.7.1: "The server MAY send multiple tickets", and a client need not use them: those
/// that come beyond use are ignored, in one record or many, and the connection goes on.
#[test]
fn tickets_beyond_use_are_ignored() {
    for at_once in [1, 7, TICKETS] {
        let client = Client::builder()
            .trust(WORLD.authority.trust())
            .build()
            .unwrap();
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        let tickets: Vec<_> = (1..=TICKETS).map(ticket).collect();
        for some in tickets.chunks(at_once) {
            for part in some.concat().chunks(16384) {
                let record = puppet.protect(HANDSHAKE, part, 0);
                puppet.feed(&record).unwrap();
            }
        }
        assert_eq!(newest(&client).as_deref(), Some("ticket 64"));
        // They use up none of what other messages may.
        for _ in 0..IDLE {
            let record = idle(&mut puppet, "requests");
            puppet.feed(&record).unwrap();
            hear_answers(&mut puppet);
        }
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
        // After data they are used again.
        let record = puppet.protect(HANDSHAKE, &ticket(5000), 0);
        puppet.feed(&record).unwrap();
        assert_eq!(newest(&client).as_deref(), Some("ticket 5000"));
    }
}

/// A flood of them is bounded all the same.
#[test]
fn too_many_tickets() {
    let mut puppet = Puppet::client_at("CONNECTED");
    for number in 0..TICKETS {
        let record = puppet.protect(HANDSHAKE, &ticket(number), 0);
        puppet.feed(&record).unwrap();
    }
    let record = puppet.protect(HANDSHAKE, &ticket(TICKETS), 0);
    refused!(
        puppet,
        record,
        "CONNECTED",
        10,
        Fault::TooMany { limit: TICKETS, .. }
    );
}

/// Time makes up for them too: a server may give out a ticket now and then for as long as it likes.
#[test]
fn tickets_now_and_then() {
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .build()
        .unwrap();
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    for number in 0..3 * TICKETS {
        let record = puppet.protect(HANDSHAKE, &ticket(number), 0);
        puppet.us.input()[..record.len()].copy_from_slice(&record);
        puppet.us.received(record.len());
        let later = Now {
            monotonic: Duration::from_secs(number.try_into().unwrap()),
            ..now()
        };
        puppet.us.process(later, &mut SystemRandom).unwrap();
    }
    assert_eq!(newest(&client).as_deref(), Some("ticket 3071"));
}

/// A peer that requests new keys and does not read cannot make answers accumulate: at most one
/// waits, beyond what the application wrote.
#[test]
fn requests_of_a_peer_that_does_not_read() {
    for mut puppet in Puppet::both_connected() {
        // The application fills the output until no more is taken.
        while puppet.us.write(&[7; 16384]).unwrap() > 0 {}
        let waiting = puppet.us.output().len();
        for _ in 0..10 {
            let record = idle(&mut puppet, "requests");
            puppet.feed(&record).unwrap();
        }
        assert_eq!(puppet.us.output().len(), waiting);
        while let Some(record) = puppet.hear() {
            assert_eq!(record.content_type, APPLICATION_DATA);
        }
        // Now there is space, and one answer for all requests is sent.
        puppet.feed(&[]).unwrap();
        assert_eq!(puppet.hear_type(HANDSHAKE).content, key_update(0));
        puppet.read.as_mut().unwrap().update();
        puppet.hears_nothing();
    }
}
