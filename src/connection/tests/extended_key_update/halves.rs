//! A connection in two halves, of which another thread may hold the writing one: what the reading
//! half receives, the writing half answers.

use super::{Peer, RESPONSE, finish, with_share};
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Keys};
use crate::connection::tests::split::Halves;
use crate::crypto::key_exchange::{Group, respond};
use crate::crypto::random::SystemRandom;
use crate::error::Error;

/// A peer of a connection in two halves.
struct Split {
    halves: Halves,
    epoch: Option<crate::key_schedule::Epoch>,
}

impl Split {
    fn both() -> [Self; 2] {
        Peer::both().map(|peer| Self {
            halves: Halves::of(peer.puppet),
            epoch: peer.epoch,
        })
    }

    /// The peer works on the puppet as if the connection were whole.
    fn peer<T>(&mut self, work: impl FnOnce(&mut Peer) -> T) -> T {
        let spare = crate::connection::tests::puppet::Puppet::server_at("START");
        let mut peer = Peer {
            puppet: std::mem::replace(&mut self.halves.puppet, spare),
            epoch: self.epoch.take(),
        };
        let result = work(&mut peer);
        self.halves.puppet = peer.puppet;
        self.epoch = peer.epoch;
        result
    }

    /// The reading half receives a message, and sends nothing.
    fn receives(&mut self, message: &[u8]) {
        let record = self.halves.puppet.protect(HANDSHAKE, message, 0);
        assert!(self.halves.reading(&record).unwrap().is_empty());
        self.halves.puppet.hears_nothing();
    }

    /// The peer responds to the request that it heard. Returns the keys that the connection sends
    /// under after its finish.
    fn responds(&mut self, (request, share): &(Vec<u8>, Vec<u8>)) -> Keys {
        let (own_share, shared) = respond(Group::X25519, share, &mut SystemRandom).unwrap();
        let response = with_share(RESPONSE, Group::X25519, &own_share);
        let (own, theirs) = self.peer(|peer| peer.next(&shared, [request, &response]));
        self.receives(&response);
        self.halves.puppet.write = Some(own);
        theirs
    }

    /// The writing half begins an update, and the peer responds.
    fn begins_and_is_answered(&mut self) -> Keys {
        self.halves
            .writing(|writing, notes| writing.rekey(notes))
            .unwrap();
        let heard = self.peer(|peer| peer.hear(super::REQUEST));
        self.responds(&heard)
    }

    fn converses(&mut self) {
        let record = self.halves.puppet.protect(APPLICATION_DATA, b"to us", 0);
        assert_eq!(self.halves.reading(&record).unwrap(), b"to us");
        self.halves.write(b"from us");
        self.halves.puppet.hear_data(b"from us");
        self.halves.puppet.hears_nothing();
    }

    /// The writing half sends data, or flushes.
    fn sends(&mut self, flush: bool) {
        if flush {
            self.halves
                .writing(|writing, notes| writing.flush(notes))
                .unwrap();
        } else {
            self.halves.write(b"data");
        }
    }

    fn hears_sent(&mut self, flush: bool) {
        if !flush {
            self.halves.puppet.hear_data(b"data");
        }
    }
}

#[test]
fn the_writing_half_answers() {
    for flush in [false, true] {
        for mut split in Split::both() {
            for _ in 0..3 {
                let key = split.peer(|peer| peer.generate());
                let request = with_share(super::REQUEST, Group::X25519, key.public());
                split.receives(&request);
                assert!(
                    split
                        .halves
                        .writing(|writing, notes| writing.wants_write(notes))
                );
                split.sends(flush);
                let own = split.peer(|peer| peer.hear_response(key, &request));
                split.hears_sent(flush);
                split.receives(&finish());
                split.halves.puppet.write = Some(own);
                split.converses();
            }
        }
    }
}

#[test]
fn the_writing_half_begins_and_finishes() {
    for flush in [false, true] {
        for mut split in Split::both() {
            for round in 0..3 {
                split.halves.writing(|writing, notes| {
                    writing.at(core::time::Duration::from_secs(round), notes);
                    writing.rekey(notes).unwrap();
                    writing.flush(notes).unwrap();
                });
                let heard = split.peer(|peer| peer.hear(super::REQUEST));
                split.halves.puppet.hears_nothing();
                split.converses();
                let theirs = split.responds(&heard);
                // Read under the new key before we have finished.
                let record = split.halves.puppet.protect(APPLICATION_DATA, b"new", 0);
                assert_eq!(split.halves.reading(&record).unwrap(), b"new");
                split.sends(flush);
                split.peer(Peer::hear_finish);
                split.halves.puppet.read = Some(theirs);
                split.hears_sent(flush);
                split.converses();
            }
        }
    }
}

/// An update that is running when the connection is split goes on.
#[test]
fn an_update_survives_the_split() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let heard = peer.hear(super::REQUEST);
        let mut split = Split {
            halves: Halves::of(peer.puppet),
            epoch: peer.epoch,
        };
        let theirs = split.responds(&heard);
        split.sends(true);
        split.peer(Peer::hear_finish);
        split.halves.puppet.read = Some(theirs);
        split.converses();
    }
}

#[test]
fn a_violation_ends_both_halves() {
    for mut split in Split::both() {
        let record = split.halves.puppet.protect(HANDSHAKE, &key_update(0), 0);
        let error = split.halves.reading(&record).unwrap_err();
        assert_eq!(error.alert().unwrap().0, 10, "{error}");
        let error = split.halves.try_write(b"x").unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error}");
    }
}

/// One that is asked for too early is begun later.
#[test]
fn an_update_that_came_too_early_is_made_up_for() {
    for mut split in Split::both() {
        let theirs = split.begins_and_is_answered();
        split.sends(true);
        split.peer(Peer::hear_finish);
        split.halves.puppet.read = Some(theirs);
        split.halves.writing(|writing, notes| {
            writing.at(core::time::Duration::from_millis(100), notes);
            writing.rekey(notes).unwrap();
            assert!(!writing.wants_write(notes));
        });
        split.halves.puppet.hears_nothing();
        let wants = split.halves.writing(|writing, notes| {
            writing.at(core::time::Duration::from_millis(125), notes);
            writing.wants_write(notes)
        });
        assert!(wants);
        split.sends(false);
        split.peer(|peer| peer.hear(super::REQUEST));
        split.hears_sent(false);
    }
}

/// What the reading half wants and cannot be begun any more is forgotten, so that a program that
/// sends as long as something waits comes to an end.
#[test]
fn nothing_waits_that_cannot_be_sent() {
    for mut peer in Peer::both() {
        peer.puppet.us.receiver.settings.rekey_policy =
            crate::handshake::RekeyPolicy::never().records(3);
        let mut split = Split {
            halves: Halves::of(peer.puppet),
            epoch: peer.epoch,
        };
        let mut records = Vec::new();
        for _ in 0..30 {
            records.extend(split.halves.puppet.protect(APPLICATION_DATA, b"x", 0));
        }
        split.halves.reading(&records).unwrap();
        let close = split.halves.puppet.protect(ALERT, &[1, 0], 0);
        split.halves.reading_to_the_end(&close);
        for _ in 0..3 {
            assert!(
                !split
                    .halves
                    .writing(|writing, notes| writing.wants_write(notes))
            );
            split.sends(true);
        }
        split.halves.puppet.hears_nothing();
    }
}

/// The finish that is owed goes out before close_notify.
#[test]
fn the_finish_precedes_close_notify() {
    for mut split in Split::both() {
        let theirs = split.begins_and_is_answered();
        split.halves.writing(|writing, notes| writing.close(notes));
        split.peer(Peer::hear_finish);
        split.halves.puppet.read = Some(theirs);
        assert_eq!(split.halves.puppet.hear_alert().content, [1, 0]);
    }
}

/// A finish that comes before our response was sent.
#[test]
fn a_finish_before_the_response() {
    for mut split in Split::both() {
        let key = split.peer(|peer| peer.generate());
        let request = with_share(super::REQUEST, Group::X25519, key.public());
        split.receives(&request);
        let record = split.halves.puppet.protect(HANDSHAKE, &finish(), 0);
        let error = split.halves.reading(&record).unwrap_err();
        assert_eq!(error.alert().unwrap().0, 10, "{error}");
    }
}

/// A finish that is owed when the peer closes still goes out, and our key is renewed.
#[test]
fn a_finish_after_the_peer_closed() {
    for mut split in Split::both() {
        let theirs = split.begins_and_is_answered();
        let close = split.halves.puppet.protect(ALERT, &[1, 0], 0);
        split.halves.reading_to_the_end(&close);
        split.sends(false);
        split.peer(Peer::hear_finish);
        split.halves.puppet.read = Some(theirs);
        split.hears_sent(false);
    }
}

/// The reading half derives the keying material of the epochs.
#[test]
fn the_reading_half_knows_the_epoch() {
    for mut split in Split::both() {
        let of = |split: &Split, epoch| {
            let exported = split.halves.reading.export_epoch(epoch, b"label", b"", 32);
            exported.unwrap().expose().to_vec()
        };
        assert_eq!(split.halves.reading.epoch(), 0);
        let before = of(&split, 0);
        split.begins_and_is_answered();
        assert_eq!(split.halves.reading.epoch(), 0);
        split.sends(true);
        assert_eq!(split.halves.reading.epoch(), 1);
        assert_eq!(of(&split, 0), before);
        assert_ne!(of(&split, 1), before);
    }
}
