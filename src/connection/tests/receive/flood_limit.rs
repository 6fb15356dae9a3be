//! What is legal and brings nothing is bounded, and the bound does not reach who has something to
//! say.

use crate::connection::tests::puppet::server::{key_update, new_session_ticket};
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, refused};
use crate::error::Fault;

/// So many idle records or messages in a row are let through: a policy of ours.
const IDLE: usize = 64;

/// Sends what is idle, of one kind; after a KeyUpdate the keys move on.
fn idle(puppet: &mut Puppet, kind: &str) -> Vec<u8> {
    match kind {
        "empty data" => puppet.protect(APPLICATION_DATA, &[], 5),
        "user_canceled" => puppet.protect(ALERT, &[1, 90], 0),
        "tickets" => puppet.protect(HANDSHAKE, &new_session_ticket(), 0),
        "KeyUpdates" | "requests" => {
            let record = puppet.protect(HANDSHAKE, &key_update(u8::from(kind == "requests")), 0);
            puppet.write.as_mut().unwrap().update();
            record
        }
        other => panic!("{other}"),
    }
}

/// All kinds that may come to this side.
fn kinds(puppet: &Puppet) -> &'static [&'static str] {
    let all = &[
        "empty data",
        "user_canceled",
        "KeyUpdates",
        "requests",
        "tickets",
    ];
    if puppet.side == crate::connection::tests::puppet::Side::Server {
        all
    } else {
        &all[..4]
    }
}

/// Our answers to requests, for the keys to follow.
fn hear_answers(puppet: &mut Puppet) {
    while let Some(record) = puppet.hear() {
        assert_eq!(record.content, key_update(0));
        puppet.read.as_mut().unwrap().update();
    }
}

#[test]
fn each_kind_is_bounded() {
    for index in 0..5 {
        for mut puppet in Puppet::both_connected() {
            let Some(kind) = kinds(&puppet).get(index) else {
                continue;
            };
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
        let kinds = kinds(&puppet);
        for index in 0..IDLE {
            let record = idle(&mut puppet, kinds[index % kinds.len()]);
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

/// One byte of data, either way, and it may begin again: RFC 9846, 4.7.3 lets a peer renew its keys
/// as often as it likes, "receiving implementations MUST NOT enforce this rule", and one that only
/// listens may ask for ours as often.
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

/// The answers to our own requests are not idle.
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

/// A peer that asks for new keys and does not read cannot make us heap up answers: one waits at
/// most, beyond what the application wrote.
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
        // Now there is room: one answer for all.
        puppet.feed(&[]).unwrap();
        assert_eq!(puppet.hear_type(HANDSHAKE).content, key_update(0));
        puppet.read.as_mut().unwrap().update();
        puppet.hears_nothing();
    }
}
