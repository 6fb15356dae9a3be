//! Legal records and messages without content are limited, but a peer that sends data does not
//! reach the limit.

use core::time::Duration;

use crate::client::Client;
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, message, now, refused, vector,
};
use crate::crypto::random::SystemRandom;
use crate::error::Fault;
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

/// One byte of data, in either direction, resets the count. RFC 9846, 4.7.3 lets a peer renew its
/// keys as often as it likes, "receiving implementations MUST NOT enforce this rule", and a peer
/// that only receives may request ours as often.
#[test]
fn data_either_way_starts_the_count_anew() {
    for ours in [false, true] {
        for mut puppet in Puppet::both_connected() {
            for _ in 0..10 {
                for _ in 0..IDLE {
                    let record = idle(&mut puppet, "requests");
                    puppet.feed(&record).unwrap();
                    hear_answers(&mut puppet);
                }
                if ours {
                    puppet.us.write(b"x").unwrap();
                    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"x");
                } else {
                    puppet.send(b"x").unwrap();
                }
            }
        }
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
