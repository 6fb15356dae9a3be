//! EndOfEarlyData at our server (RFC 9846, 4.6): where it must be, and what must not be in its
//! place or after it.

use crate::code_point::ContentType;
use crate::connection::tests::early_data::received::{END, about_to, completes};
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::early_client::{early, taking, ticket_of};
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, message, plain, refused, server,
};
use crate::error::{DecodeProblem, Fault};

/// A.2: WAIT_EOED accepts only EndOfEarlyData, under the early key (4.6). `states.rs` tests all
/// other messages.
#[test]
fn finished_without_an_end() {
    let mut puppet = Puppet::accepted(1000);
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(
        puppet,
        record,
        "WAIT_EOED",
        10,
        Fault::Unexpected {
            expected: "EndOfEarlyData",
            got: "Finished"
        }
    );
    // 4.5: "Client | ClientHello ... later of server Finished/EndOfEarlyData". A Finished whose
    // transcript lacks EndOfEarlyData is wrong.
    let mut puppet = Puppet::accepted(1000);
    let finished = puppet.finished();
    puppet.say_end_of_early_data();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, record, "WAIT_FINISHED", 51, Fault::BadFinished);
}

/// 4.7.3: a KeyUpdate before Finished is an "unexpected_message".
#[test]
fn a_key_update() {
    for ask in [0, 1] {
        let mut puppet = Puppet::accepted(1000);
        let record = puppet.record(HANDSHAKE, &key_update(ask));
        refused!(
            puppet,
            record,
            "WAIT_EOED",
            10,
            Fault::Unexpected {
                expected: "EndOfEarlyData",
                got: "KeyUpdate"
            }
        );
    }
}

/// 5.1: "Because the ClientHello, EndOfEarlyData, ... can immediately precede a key change,
/// implementations MUST send these messages in alignment with a record boundary".
#[test]
fn the_end_ends_its_record() {
    for follower in [&[20][..], &[20, 0, 0, 32], &END, &[5]] {
        let mut puppet = Puppet::accepted(1000);
        let record = puppet.record(HANDSHAKE, &[&END, follower].concat());
        refused!(
            puppet,
            record,
            "WAIT_EOED",
            10,
            Fault::NotAligned {
                message: "EndOfEarlyData"
            }
        );
    }
    let mut puppet = Puppet::accepted(1000);
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &[&END[..], &finished].concat());
    refused!(
        puppet,
        record,
        "WAIT_EOED",
        10,
        Fault::NotAligned {
            message: "EndOfEarlyData"
        }
    );
    // The ClientHello also ends its record, whatever it offers.
    let (mut puppet, hello) = about_to(&taking(1000));
    refused!(
        puppet,
        plain(HANDSHAKE, &[&hello[..], &END].concat()),
        "START",
        10,
        Fault::NotAligned {
            message: "ClientHello"
        }
    );
}

/// "Handshake messages MAY be ... fragmented across several records"; "there MUST NOT be any other
/// records between them".
#[test]
fn the_end_in_pieces() {
    for size in [1, 2, 3] {
        let mut puppet = Puppet::accepted(1000);
        puppet.send(b"early").unwrap();
        for part in END.chunks(size) {
            let record = puppet.protect(HANDSHAKE, part, 3);
            puppet.feed(&record).unwrap();
        }
        puppet.transcript.extend_from_slice(&END);
        puppet.install_deferred_keys();
        assert_eq!(puppet.state(), "WAIT_FINISHED");
        completes(&mut puppet);
    }
    type Make = fn(&mut Puppet) -> Vec<u8>;
    let between: [(Make, u8); 4] = [
        (
            |puppet| puppet.protect(APPLICATION_DATA, b"data", 0),
            APPLICATION_DATA,
        ),
        (
            |puppet| puppet.protect(APPLICATION_DATA, b"", 0),
            APPLICATION_DATA,
        ),
        (|puppet| puppet.protect(ALERT, &[1, 90], 0), ALERT),
        (|_| plain(CHANGE_CIPHER_SPEC, &[1]), CHANGE_CIPHER_SPEC),
    ];
    for (record, content_type) in between {
        let mut puppet = Puppet::accepted(1000);
        let part = puppet.protect(HANDSHAKE, &END[..2], 0);
        puppet.feed(&part).unwrap();
        let record = record(&mut puppet);
        refused!(
            puppet,
            record,
            "WAIT_EOED",
            10,
            Fault::Interleaved { got } if got.0 == content_type
        );
    }
    // The second half is under the next key.
    let mut puppet = Puppet::accepted(1000);
    let part = puppet.protect(HANDSHAKE, &END[..2], 0);
    puppet.feed(&part).unwrap();
    puppet.install_deferred_keys();
    refused!(
        puppet,
        puppet.protect(HANDSHAKE, &END[2..], 0),
        "WAIT_EOED",
        20,
        Fault::BadRecordMac
    );
}

/// `struct {} EndOfEarlyData;`
#[test]
fn the_end_is_empty() {
    let mut puppet = Puppet::accepted(1000);
    let record = puppet.record(HANDSHAKE, &message(5, &[0]));
    refused!(
        puppet,
        record,
        "WAIT_EOED",
        50,
        Fault::Decode {
            message: "EndOfEarlyData",
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
}

/// 4.6: "This message is encrypted under keys derived from the client_early_traffic_secret",
/// "indicates that ... the following records are protected under handshake traffic keys", and comes
/// if early data was accepted, once.
#[test]
fn the_end_where_it_does_not_belong() {
    let mut puppet = Puppet::accepted(1000);
    let mut keys = puppet.deferred.take().unwrap();
    refused!(
        puppet,
        keys.seal(0x0303, &[&END[..], &[HANDSHAKE]].concat()),
        "WAIT_EOED",
        20,
        Fault::BadRecordMac
    );
    // EndOfEarlyData is sent twice, under either key.
    let mut puppet = Puppet::accepted(1000);
    puppet.feed_record(HANDSHAKE, &END);
    refused!(
        puppet,
        puppet.record(HANDSHAKE, &END),
        "WAIT_FINISHED",
        20,
        Fault::BadRecordMac
    );
    let mut puppet = Puppet::accepted(1000);
    puppet.say_end_of_early_data();
    let record = puppet.record(HANDSHAKE, &END);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected {
            expected: "Finished",
            got: "EndOfEarlyData"
        }
    );
    // EndOfEarlyData is sent where no early data was offered, and where it was rejected, after
    // which records under the early key are skipped.
    for (server, state, expects) in [
        (server(), "WAIT_FINISHED", "Finished"),
        (asking_server(required()), "WAIT_CERT", "Certificate"),
    ] {
        let mut puppet = Puppet::calling_at(&server, state);
        let record = puppet.record(HANDSHAKE, &END);
        refused!(
            puppet,
            record,
            state,
            10,
            Fault::Unexpected { expected, got: "EndOfEarlyData" } if expected == expects
        );
    }
    let rejecting = server();
    let rejected = || {
        let mut puppet = Puppet::calling_early(&rejecting, &ticket_of(&rejecting));
        puppet.say_client_hello();
        puppet.hear_flight();
        assert!(!puppet.is_accepted());
        let end = puppet
            .early
            .as_mut()
            .unwrap()
            .seal(0x0303, &[&END[..], &[HANDSHAKE]].concat());
        puppet.feed(&end).unwrap();
        puppet
    };
    let mut puppet = rejected();
    let record = puppet.record(HANDSHAKE, &END);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected {
            expected: "Finished",
            got: "EndOfEarlyData"
        }
    );
    let mut puppet = rejected();
    puppet.lead_server_to("CONNECTED");
    let record = puppet.record(HANDSHAKE, &END);
    refused!(
        puppet,
        record,
        "CONNECTED",
        10,
        Fault::Unexpected {
            expected: "KeyUpdate",
            got: "EndOfEarlyData"
        }
    );
}

/// 4.5.3 and 4.6: between its end and Finished there is no application data under any key.
#[test]
fn data_between_its_end_and_finished() {
    for content in [&b"data"[..], b""] {
        let mut puppet = Puppet::accepted(1000);
        puppet.say_end_of_early_data();
        let record = puppet.protect(APPLICATION_DATA, content, 0);
        refused!(
            puppet,
            record,
            "WAIT_FINISHED",
            10,
            Fault::UnexpectedRecord {
                got: ContentType::APPLICATION_DATA
            }
        );
        let mut puppet = Puppet::accepted(1000);
        puppet.feed_record(HANDSHAKE, &END);
        let record = puppet.protect(APPLICATION_DATA, content, 0);
        refused!(puppet, record, "WAIT_FINISHED", 20, Fault::BadRecordMac);
        // After EndOfEarlyData there is none either: the early key is gone.
        let mut puppet = Puppet::accepted(1000);
        puppet.feed_record(HANDSHAKE, &END);
        puppet.transcript.extend_from_slice(&END);
        puppet.early = puppet.write.take();
        puppet.install_deferred_keys();
        puppet.lead_server_to("CONNECTED");
        refused!(
            puppet,
            early(puppet.early.as_mut().unwrap(), content),
            "CONNECTED",
            20,
            Fault::BadRecordMac
        );
    }
}

impl Puppet {
    /// Feeds a record that the transcript does not include.
    fn feed_record(&mut self, content_type: u8, content: &[u8]) {
        let record = self.record(content_type, content);
        self.feed(&record).unwrap();
    }
}
