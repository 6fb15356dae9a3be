//! Records delayed, reordered, repeated and dropped. Each causes a typed error with its alert, and
//! only what was written at that place is read.

use fleeting::{AlertDescription, Error, Fault, Illegal, Status};

use crate::support::{End, Options, Pair, SUITES, data, records};

/// What is done to one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    Drop,
    Repeat,
    /// It is swapped with the next one.
    Swap,
    /// It comes after all others.
    Delay,
}

use Disturbance::{Delay, Drop, Repeat, Swap};

impl Disturbance {
    pub const ALL: [Self; 4] = [Drop, Repeat, Swap, Delay];

    pub fn disturb(self, records: &[Vec<u8>], at: usize) -> Vec<u8> {
        let mut records = records.to_vec();
        match self {
            Drop => drop(records.remove(at)),
            Repeat => records.insert(at, records[at].clone()),
            Swap if at + 1 == records.len() => {}
            Swap => records.swap(at, at + 1),
            Delay => {
                let record = records.remove(at);
                records.push(record);
            }
        }
        records.concat()
    }
}

/// The result of a disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No effect: the side connects and reads all the data.
    Sound,
    /// The missing record never arrives, and the transport ends.
    Truncated,
    /// The side is a server, and nothing arrives at all.
    NothingReceived,
    /// A record under other keys than the reader's, or with another sequence number.
    BadRecordMac,
    /// A record of this type arrives at the wrong time.
    Unexpected(u8),
    ChangeCipherSpec,
    /// A ClientHello does not answer the HelloRetryRequest before it.
    HelloChanged,
}

impl Outcome {
    pub fn of(end: &End) -> Self {
        match &end.status {
            Ok(Status::Closed) => Self::Sound,
            Ok(other) => panic!("{other:?}"),
            Err(error @ Error::Protocol { fault, .. }) => {
                assert_eq!(error.alert(), Some(fault.alert()));
                match fault {
                    Fault::BadRecordMac => {
                        assert_eq!(fault.alert(), AlertDescription::BAD_RECORD_MAC);
                        Self::BadRecordMac
                    }
                    Fault::UnexpectedRecord { got } => {
                        assert_eq!(fault.alert(), AlertDescription::UNEXPECTED_MESSAGE);
                        Self::Unexpected(got.0)
                    }
                    Fault::ChangeCipherSpec => {
                        assert_eq!(fault.alert(), AlertDescription::UNEXPECTED_MESSAGE);
                        Self::ChangeCipherSpec
                    }
                    Fault::Illegal(Illegal::HelloChanged { .. }) => {
                        assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
                        Self::HelloChanged
                    }
                    fault => panic!("{fault}"),
                }
            }
            Err(Error::Truncated) => Self::Truncated,
            Err(Error::NothingReceived) => Self::NothingReceived,
            Err(error) => panic!("{error}"),
        }
    }
}

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// A handshake, then four records each way, the last a close_notify.
fn recording(options: Options) -> Pair {
    let mut pair = options.connected();
    for (end, first) in [(&mut pair.client, 0), (&mut pair.server, 1000)] {
        end.write(&data(first, 10));
        end.write(&data(first + 10, 20));
        // RFC 9846, 4.7.3: the record after the KeyUpdate is under other keys.
        end.connection.rekey().unwrap();
        end.write(&data(first + 30, 30));
        end.connection.close();
    }
    pair.settle();
    pair
}

fn disturbed(mut end: End, stream: &[u8]) -> End {
    end.receive(stream, usize::MAX);
    end.end();
    end
}

/// The handshake is a hello, ChangeCipherSpec (RFC 9846, E.4), and the flight under handshake keys.
/// Two records of data, KeyUpdate, data and close_notify follow.
fn check(new: impl Fn() -> End, stream: &[u8], written: &[u8], handshake: [[Outcome; 4]; 3]) {
    let records = records(stream);
    assert_eq!(
        records.iter().map(|record| record[0]).collect::<Vec<_>>(),
        [22, 20, 23, 23, 23, 23, 23, 23]
    );
    for (at, outcomes) in handshake.into_iter().enumerate() {
        for (disturbance, expected) in Disturbance::ALL.into_iter().zip(outcomes) {
            let end = disturbed(new(), &disturbance.disturb(&records, at));
            assert_eq!(Outcome::of(&end), expected, "{disturbance:?} {at}");
            if expected == Outcome::Sound {
                assert!(end.read == written);
            } else if disturbance != Delay {
                assert!(end.read.is_empty());
            }
            assert!(written.starts_with(&end.read));
        }
    }
    for at in 3..8 {
        for disturbance in Disturbance::ALL {
            let end = disturbed(new(), &disturbance.disturb(&records, at));
            let expected = match (disturbance, at) {
                // Dropping the last record is like cutting before it. Repeated, it is ignored, and
                // it cannot be later than it is.
                (Drop, 7) => Outcome::Truncated,
                (Repeat | Swap | Delay, 7) => Outcome::Sound,
                // RFC 9846, 5.3: a record opens only under its own number.
                _ => Outcome::BadRecordMac,
            };
            assert_eq!(Outcome::of(&end), expected, "{disturbance:?} {at}");
            // The records in their right place were read, and nothing else.
            let in_order = if disturbance == Repeat { at + 1 } else { at };
            let lengths = [10, 20, 0, 30, 0];
            assert_eq!(end.read, written[..lengths[..in_order - 3].iter().sum()]);
        }
    }
}

#[test]
fn what_the_client_sends() {
    use Outcome::{BadRecordMac, ChangeCipherSpec, Sound, Unexpected};
    for suite in SUITES {
        let options = Options {
            suite,
            ..Options::default()
        };
        let pair = recording(options);
        check(
            || options.server_end(),
            &pair.client.sent,
            &data(0, 60),
            [
                // ClientHello: without it even a ChangeCipherSpec is unexpected (RFC 9846, section
                // 5), and a second one is not protected.
                [
                    ChangeCipherSpec,
                    Unexpected(HANDSHAKE),
                    ChangeCipherSpec,
                    ChangeCipherSpec,
                ],
                // ChangeCipherSpec: it may be dropped, and is accepted until Finished (RFC 9846,
                // section 5).
                [Sound, Sound, ChangeCipherSpec, Sound],
                // Certificate, CertificateVerify, Finished.
                [BadRecordMac; 4],
            ],
        );
    }
}

#[test]
fn what_the_server_sends() {
    use Outcome::{BadRecordMac, ChangeCipherSpec, Sound, Unexpected};
    for suite in SUITES {
        let options = Options {
            suite,
            ..Options::default()
        };
        let pair = recording(options);
        check(
            || options.client_end(),
            &pair.server.sent,
            &data(1000, 60),
            [
                // ServerHello: a client accepts the ChangeCipherSpec before it, but has no keys for
                // the protected records that follow.
                [
                    Unexpected(APPLICATION_DATA),
                    Unexpected(HANDSHAKE),
                    Sound,
                    Unexpected(APPLICATION_DATA),
                ],
                [Sound, Sound, ChangeCipherSpec, Sound],
                // EncryptedExtensions to Finished.
                [BadRecordMac; 4],
            ],
        );
    }
}

/// A record is replaced by that of another connection between the same two sides, at the same
/// place.
#[test]
fn records_of_another_connection() {
    let options = Options::default();
    let ours = records(&recording(options).client.sent);
    let theirs = records(
        &recording(Options {
            seed: 99,
            ..options
        })
        .client
        .sent,
    );
    for at in 2..8 {
        let mut mixed = ours.clone();
        mixed[at].clone_from(&theirs[at]);
        assert_eq!(
            Outcome::of(&disturbed(options.server_end(), &mixed.concat())),
            Outcome::BadRecordMac
        );
    }
}

/// What one side sent is sent back to it.
#[test]
fn reflected_records() {
    let options = Options::default();
    let mut pair = options.connected();
    pair.client.write(b"to the server");
    let bytes = pair.client.send(usize::MAX);
    pair.client.receive(&bytes, usize::MAX);
    assert!(matches!(
        pair.client.error(),
        Error::Protocol {
            fault: Fault::BadRecordMac,
            ..
        }
    ));

    let mut client = options.client_end();
    let hello = client.send(usize::MAX);
    client.receive(&hello, usize::MAX);
    let error = client.error();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "WAIT_SH",
                fault: Fault::Unexpected {
                    expected: "ServerHello or HelloRetryRequest",
                    got: "ClientHello"
                }
            }
        ),
        "{error}"
    );
}
