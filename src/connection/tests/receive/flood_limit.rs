//! Legal records and messages without content are limited, but a peer that sends data does not
//! reach the limit.

use crate::connection::tests::puppet::server::{key_update, new_session_ticket};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, plain, refused,
};
use crate::error::Fault;
use crate::server::Server;

/// How many idle records or messages in a row are accepted. This is our policy.
const IDLE: usize = 64;

/// Sends an idle record or message of this kind. After a KeyUpdate the keys change.
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

/// Returns all kinds that this side may receive.
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

/// Hears our answers to requests, so that the keys follow.
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

/// The configuration limits handshake messages as soon as the header has arrived, however they are
/// split.
#[test]
fn long_messages() {
    let server = Server::builder()
        .identity(WORLD.server.clone())
        .max_handshake_size(5000)
        .build()
        .unwrap();
    let mut puppet = Puppet::calling(&server);
    let length = u16::try_from(5000 - 4 + 1).unwrap().to_be_bytes();
    for byte in [1, 0, length[0]] {
        puppet.feed(&plain(HANDSHAKE, &[byte])).unwrap();
    }
    refused!(
        puppet,
        plain(HANDSHAKE, &[length[1]]),
        "START",
        50,
        Fault::MessageTooLong {
            length: 5001,
            limit: 5000
        }
    );
    for mut puppet in Puppet::both_connected() {
        let record = puppet.protect(HANDSHAKE, &[24, 1, 0, 0], 0);
        refused!(
            puppet,
            record,
            "CONNECTED",
            50,
            Fault::MessageTooLong {
                length: 65540,
                limit: 32768
            }
        );
    }
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
