//! What our record layer refuses and accepts, in both roles (RFC 9846, section 5).

use crate::client::Client;
use crate::code_point::ContentType;
use crate::connection::tests::puppet::client::add_raw;
use crate::connection::tests::puppet::server::{encrypted_extensions, new_session_ticket};
use crate::connection::tests::puppet::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Puppet, Side, WORLD, plain,
    plain_version, refused, server,
};
use crate::error::Fault;
use crate::record::Padding;
use crate::server::Server;

/// 2^14, 2^14 + 1 and 2^14 + 256: the limits of 5.1, 5.4 and 5.2.
const CONTENT: usize = 16384;
const INNER: usize = 16385;
const CIPHERTEXT: usize = 16640;

/// Connections under handshake keys and under application keys, in both roles.
fn all_protected() -> [Puppet; 4] {
    let [a, b] = Puppet::both_in_handshake();
    let [c, d] = Puppet::both_connected();
    [a, b, c, d]
}

fn all() -> [Puppet; 6] {
    let [a, b] = Puppet::both_in_the_clear();
    let [c, d, e, f] = all_protected();
    [a, b, c, d, e, f]
}

/// Returns a record that would be valid: the next handshake message, or data.
fn next_record(puppet: &mut Puppet) -> Vec<u8> {
    match puppet.state() {
        "WAIT_EE" => puppet.record(HANDSHAKE, &encrypted_extensions(&[])),
        "WAIT_FINISHED" => {
            let finished = puppet.finished();
            puppet.record(HANDSHAKE, &finished)
        }
        "CONNECTED" => puppet.record(APPLICATION_DATA, b"some data"),
        other => panic!("{other}"),
    }
}

// ---- what does not open ----

/// 5.2: "If the decryption fails, the receiver MUST terminate the connection with a
/// "bad_record_mac" alert." The header is authenticated too.
#[test]
fn a_flipped_bit_anywhere() {
    for at in [1, 2].into_iter().chain(5..63) {
        for mut puppet in all_protected() {
            let mut record = next_record(&mut puppet);
            let Some(byte) = record.get_mut(at) else {
                continue;
            };
            *byte ^= 1 << (at % 8);
            let state = puppet.state();
            refused!(puppet, record, state, 20, Fault::BadRecordMac);
        }
    }
}

/// A record was cut, and its length changed accordingly: it has another tag, or no space for one.
#[test]
fn a_record_that_was_cut() {
    for length in [0, 1, 15, 16, 17, 20] {
        for mut puppet in all_protected() {
            let mut record = next_record(&mut puppet);
            record.truncate(5 + length);
            record[3..5].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            let state = puppet.state();
            refused!(puppet, record, state, 20, Fault::BadRecordMac);
        }
    }
}

/// 5.3: the nonce counts records, so none may be repeated, reordered or missing.
#[test]
fn records_repeated_exchanged_or_dropped() {
    for mut puppet in Puppet::both_connected() {
        let record = next_record(&mut puppet);
        puppet.feed(&record).unwrap();
        refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
        assert_eq!(puppet.delivered, b"some data");
    }
    for mut puppet in Puppet::both_connected() {
        let (_, second) = (next_record(&mut puppet), next_record(&mut puppet));
        refused!(puppet, second, "CONNECTED", 20, Fault::BadRecordMac);
        assert!(puppet.delivered.is_empty());
    }
}

/// 4.5.3: "Any records following a Finished message MUST be encrypted under the appropriate
/// application traffic key".
#[test]
fn old_keys_after_finished() {
    let mut puppet = Puppet::client_at("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap();
    puppet.derive_application_secrets();
    puppet.hear_client_flight();
    let record = puppet.protect(APPLICATION_DATA, b"late", 0);
    refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);

    let mut puppet = Puppet::server_at("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap();
    let record = puppet.protect(APPLICATION_DATA, b"late", 0);
    refused!(puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
}

/// Records under new keys arrive too early.
#[test]
fn new_keys_before_finished() {
    let mut puppet = Puppet::server_at("WAIT_FINISHED");
    puppet.install_application_keys(Side::Client);
    let record = puppet.protect(APPLICATION_DATA, b"early", 0);
    refused!(puppet, record, "WAIT_FINISHED", 20, Fault::BadRecordMac);
}

// ---- what is too long ----

/// 5.2: "An endpoint that receives a record that exceeds this length MUST terminate the connection
/// with a "record_overflow" alert". The header alone is enough.
#[test]
fn ciphertext_over_the_limit() {
    for mut puppet in all_protected() {
        let state = puppet.state();
        let header = [
            &[23, 3, 3][..],
            &u16::try_from(CIPHERTEXT + 1).unwrap().to_be_bytes(),
        ]
        .concat();
        refused!(
            puppet,
            header,
            state,
            22,
            Fault::RecordOverflow {
                length: 16641,
                limit: 16640
            }
        );
    }
    // A record of exactly the limit is read, but does not open.
    for mut puppet in all_protected() {
        let state = puppet.state();
        refused!(
            puppet,
            plain(APPLICATION_DATA, &[0x55; CIPHERTEXT]),
            state,
            20,
            Fault::BadRecordMac
        );
    }
}

/// 5.4: "the full encoded TLSInnerPlaintext MUST NOT exceed 2^14 + 1 octets", padding included.
/// 6.2: record_overflow.
#[test]
fn inner_plaintext_over_the_limit() {
    for (content, padding) in [
        (CONTENT + 1, 0),
        (CONTENT, 1),
        (1, CONTENT),
        (CONTENT + 239, 0),
        (0, INNER),
    ] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding);
            let length = content + 1 + padding;
            refused!(
                puppet,
                record,
                "CONNECTED",
                22,
                Fault::RecordOverflow { length: l, limit: 16385 } if l == length
            );
        }
    }
    for mut puppet in Puppet::both_in_handshake() {
        let state = puppet.state();
        let record = puppet.protect(HANDSHAKE, &[8, 0, 0, 2, 0, 0], CONTENT);
        refused!(
            puppet,
            record,
            state,
            22,
            Fault::RecordOverflow { limit: 16385, .. }
        );
    }
    for (content, padding) in [
        (CONTENT, 0),
        (CONTENT - 1, 1),
        (1, CONTENT - 1),
        (0, CONTENT),
    ] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(APPLICATION_DATA, &vec![7; content], padding);
            puppet.feed(&record).unwrap();
            assert_eq!(puppet.delivered, vec![7; content]);
        }
    }
}

/// 5.1: "The length MUST NOT exceed 2^14 bytes ... "record_overflow"".
#[test]
fn plaintext_over_the_limit() {
    for content_type in [HANDSHAKE, ALERT] {
        for mut puppet in Puppet::both_in_the_clear() {
            let state = puppet.state();
            let header = [content_type, 3, 3, 0x40, 0x01];
            refused!(
                puppet,
                header,
                state,
                22,
                Fault::RecordOverflow {
                    length: 16385,
                    limit: 16384
                }
            );
        }
    }
    // A ClientHello has more than one record, of which the first is as long as allowed.
    let mut puppet = Puppet::calling(&server());
    let hello = puppet.make_client_hello(|hello| add_raw(hello, 21, &[0; 20_000]));
    puppet.transcript.extend_from_slice(&hello);
    for part in hello.chunks(CONTENT) {
        puppet.feed(&plain(HANDSHAKE, part)).unwrap();
    }
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
}

// ---- types ----

/// Section 5: "If a TLS implementation receives an unexpected record type, it MUST terminate the
/// connection with an "unexpected_message" alert". The header alone is enough, so the rest is not
/// awaited.
#[test]
fn unknown_record_types() {
    for content_type in [0, 1, 19, 24, 25, 26, 0x16 | 0x80, b'G', 255] {
        for mut puppet in all() {
            let state = puppet.state();
            refused!(
                puppet,
                [content_type, 3, 3, 0, 100],
                state,
                10,
                Fault::UnexpectedRecord { got } if got.0 == content_type
            );
        }
    }
}

/// What no record begins with is taken for another protocol only where TLS has not begun.
#[test]
fn text_in_the_middle_of_a_connection() {
    let mut puppet = Puppet::calling(&server());
    refused!(puppet, *b"hello", "START", 10, Fault::NotTls { .. });
    for mut puppet in Puppet::both_connected() {
        refused!(
            puppet,
            *b"hello",
            "CONNECTED",
            10,
            Fault::UnexpectedRecord { got } if got.0 == b'h'
        );
    }
}

#[test]
fn unknown_inner_types() {
    for content_type in [1, 19, 24, 26, 255] {
        for mut puppet in all_protected() {
            let state = puppet.state();
            let record = puppet.protect(content_type, b"content", 3);
            refused!(
                puppet,
                record,
                state,
                10,
                Fault::UnexpectedRecord { got } if got.0 == content_type
            );
        }
    }
}

/// 5.4: "If a receiving implementation does not find a non-zero octet in the cleartext, it MUST
/// terminate the connection with an "unexpected_message" alert."
#[test]
fn all_zero_inner_plaintext() {
    for length in [0, 1, 2, 100, INNER] {
        for mut puppet in all_protected() {
            let state = puppet.state();
            let record = puppet.protect_inner(&vec![0; length]);
            refused!(puppet, record, state, 10, Fault::NoContentType);
        }
    }
}

/// Section 5: "An implementation which ... receives a protected change_cipher_spec record MUST
/// abort the handshake with an "unexpected_message" alert."
#[test]
fn protected_change_cipher_spec() {
    for content in [&[1][..], &[], &[0]] {
        for mut puppet in all_protected() {
            let state = puppet.state();
            let record = puppet.protect(CHANGE_CIPHER_SPEC, content, 0);
            refused!(puppet, record, state, 10, Fault::ChangeCipherSpec);
        }
    }
}

/// 5.4: "Implementations MUST NOT send Handshake and Alert records that have a zero-length
/// TLSInnerPlaintext.content; if such a message is received, ... "unexpected_message"". 5.1: "even
/// if those fragments contain padding".
#[test]
fn empty_handshake_and_alert_fragments() {
    for content_type in [HANDSHAKE, ALERT] {
        for padding in [0, 1, 50] {
            for mut puppet in all_protected() {
                let state = puppet.state();
                let record = puppet.protect(content_type, &[], padding);
                refused!(
                    puppet,
                    record,
                    state,
                    10,
                    Fault::EmptyFragment { content_type: ContentType(got) } if got == content_type
                );
            }
        }
        for mut puppet in Puppet::both_in_the_clear() {
            let state = puppet.state();
            refused!(
                puppet,
                plain(content_type, &[]),
                state,
                10,
                Fault::EmptyFragment { content_type: ContentType(got) } if got == content_type
            );
        }
    }
}

/// 5.1: "Application Data messages are always protected." 6.2: "premature Application Data" is an
/// inappropriate message.
#[test]
fn application_data_before_its_time() {
    for mut puppet in Puppet::both_in_the_clear() {
        let state = puppet.state();
        refused!(
            puppet,
            plain(APPLICATION_DATA, b"data"),
            state,
            10,
            Fault::UnexpectedRecord {
                got: ContentType(23)
            }
        );
    }
    for content in [&b"data"[..], b""] {
        for mut puppet in Puppet::both_in_handshake() {
            let state = puppet.state();
            let record = puppet.protect(APPLICATION_DATA, content, 10);
            refused!(
                puppet,
                record,
                state,
                10,
                Fault::UnexpectedRecord {
                    got: ContentType(23)
                }
            );
        }
    }
}

/// Unprotected records are refused when there are keys.
#[test]
fn unprotected_records_under_keys() {
    for mut puppet in all_protected() {
        let state = puppet.state();
        refused!(
            puppet,
            plain(HANDSHAKE, &new_session_ticket()),
            state,
            10,
            Fault::UnexpectedRecord {
                got: ContentType(22)
            }
        );
    }
}

/// 5.1: "Zero-length fragments of Application Data ... MAY be sent".
#[test]
fn empty_application_data() {
    for mut puppet in Puppet::both_connected() {
        for padding in [0, 1, 1000] {
            let record = puppet.protect(APPLICATION_DATA, &[], padding);
            puppet.feed(&record).unwrap();
        }
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
        puppet.hears_nothing();
    }
}

// ---- what does not matter ----

/// 5.1, legacy_record_version: "This field is deprecated and MUST be ignored for all purposes."
#[test]
fn record_versions() {
    for version in [0x0000, 0x0300, 0x0301, 0x0302, 0x0304, 0x7f1c, 0xffff] {
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|_| {});
        puppet.transcript.extend_from_slice(&hello);
        puppet
            .feed(&plain_version(HANDSHAKE, version, &hello))
            .unwrap();
        puppet.hear_flight();
        puppet
            .feed(&plain_version(CHANGE_CIPHER_SPEC, version, &[1]))
            .unwrap();
        puppet.lead_server_to("CONNECTED");
        assert_data_under(&mut puppet, version);

        let mut puppet = Puppet::client_at("WAIT_SH");
        let hello = puppet.server_hello(|_| {});
        puppet.transcript.extend_from_slice(&hello);
        puppet
            .feed(&plain_version(HANDSHAKE, version, &hello))
            .unwrap();
        puppet.install_handshake_keys();
        puppet
            .feed(&plain_version(CHANGE_CIPHER_SPEC, version, &[1]))
            .unwrap();
        puppet.lead_to("CONNECTED");
        assert_data_under(&mut puppet, version);
    }
}

fn assert_data_under(puppet: &mut Puppet, version: u16) {
    let record = puppet.write.as_mut().unwrap().seal(version, b"data\x17");
    puppet.feed(&record).unwrap();
    assert_eq!(puppet.delivered, b"data");
}

/// 5.1: 0x0303 "for all records generated by a TLS 1.3 implementation other than an initial
/// ClientHello".
#[test]
fn our_record_versions() {
    for mut puppet in Puppet::both_connected() {
        puppet.us.write(b"data").unwrap();
        assert_eq!(puppet.hear_type(APPLICATION_DATA).version, 0x0303);
    }
    let mut puppet = Puppet::calling(&server());
    puppet.say_client_hello();
    assert_eq!(puppet.hear().unwrap().version, 0x0303);
    assert_eq!(puppet.hear().unwrap().version, 0x0303);
}

/// 5.4: any record can be padded.
#[test]
fn padding_is_read() {
    for padding in [1, 255, 1000, CONTENT - 100] {
        for mut puppet in Puppet::both_in_handshake() {
            let message = if puppet.side == Side::Server {
                encrypted_extensions(&[])
            } else {
                puppet.finished()
            };
            puppet.transcript.extend_from_slice(&message);
            let record = puppet.protect(HANDSHAKE, &message, padding);
            puppet.feed(&record).unwrap();
        }
        for mut puppet in Puppet::both_connected() {
            // Zeros at the end of the content are not treated as padding.
            let record = puppet.protect(APPLICATION_DATA, b"data\0\0\0", padding);
            puppet.feed(&record).unwrap();
            assert_eq!(puppet.delivered, b"data\0\0\0");
            let record = puppet.protect(ALERT, &[1, 0], padding);
            assert_eq!(
                puppet.feed(&record).unwrap(),
                crate::connection::Status::Closed
            );
        }
    }
}

/// 5.4: our own policies write padding, but never beyond the limit.
#[test]
fn padding_is_written() {
    let client = |padding| {
        Client::builder()
            .trust(WORLD.authority.trust())
            .padding(padding)
            .build()
            .unwrap()
    };
    let server = |padding| {
        Server::builder()
            .identity(WORLD.server.clone())
            .padding(padding)
            .build()
            .unwrap()
    };
    for (padding, lengths) in [
        (Padding::None, [1, 100, 101, 16384]),
        (Padding::Block(100), [100, 100, 200, 16384]),
        (Padding::PowerOfTwo, [1, 128, 128, 16384]),
        (Padding::Full, [16384; 4]),
    ] {
        for mut puppet in [
            Puppet::serving_at(&client(padding), "CONNECTED"),
            Puppet::calling_at(&server(padding), "CONNECTED"),
        ] {
            for (content, expected) in [1, 100, 101, 16384].into_iter().zip(lengths) {
                assert_eq!(puppet.us.write(&vec![7; content]).unwrap(), content);
                let record = puppet.hear_type(APPLICATION_DATA);
                assert_eq!(record.content, vec![7; content]);
                assert_eq!(
                    record.content.len() + record.padding,
                    expected,
                    "{padding:?}"
                );
                puppet.hears_nothing();
            }
        }
    }
}

/// 5.1: "chunks of 2^14 bytes or less".
#[test]
fn long_data_is_cut_into_records() {
    for mut puppet in Puppet::both_connected() {
        assert_eq!(puppet.us.write(&[7; 40_000]).unwrap(), 40_000);
        let lengths: Vec<_> = std::iter::from_fn(|| puppet.hear())
            .map(|record| record.content.len())
            .collect();
        assert_eq!(lengths, [16384, 16384, 7232]);
    }
}
