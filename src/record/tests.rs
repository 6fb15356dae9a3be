//! Sealing and opening: against each other, and with everything that must be refused according to
//! the standard.

use crate::code_point::{AlertDescription, ContentType};
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::key_schedule::{EarlySecret, TrafficSecret};
use crate::record::header::{self, Header};
use crate::record::limits::{MAX_FRAGMENT, OVERHEAD};
use crate::record::open::{Open, Opened};
use crate::record::output::Output;
use crate::record::protection::Protection;
use crate::record::seal::{Seal, SealError};

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
const ALERT: ContentType = ContentType::ALERT;
const DATA: ContentType = ContentType::APPLICATION_DATA;
const CHANGE_CIPHER_SPEC: ContentType = ContentType::CHANGE_CIPHER_SPEC;

/// Returns a traffic secret, the same one for each call with the same suite.
fn secret(suite: Suite) -> TrafficSecret {
    EarlySecret::new(suite.hash(), None).client_early_traffic(&suite.hash().hash(b"ClientHello"))
}

fn pair(suite: Suite) -> (Seal, Open) {
    (
        Seal::protected(suite, secret(suite)),
        Open::protected(suite, secret(suite)),
    )
}

fn aes() -> (Seal, Open) {
    pair(Suite::Aes128GcmSha256)
}

fn sealed(seal: &mut Seal, content_type: ContentType, content: &[u8], padding: usize) -> Vec<u8> {
    let mut out = Output::default();
    seal.seal(content_type, content, padding, &mut out).unwrap();
    out.waiting().to_vec()
}

/// Seals this TLSInnerPlaintext, legal or not, as the first record under `secret(AES-128)`.
fn forged(inner: &[u8]) -> Vec<u8> {
    let suite = Suite::Aes128GcmSha256;
    let protection = Protection::new(suite, secret(suite));
    let header = header::encode(DATA, 0x0303, inner.len() + 16).unwrap();
    let mut inner = inner.to_vec();
    let tag = protection
        .key()
        .seal_in_place(&protection.nonce(), &header, &mut inner)
        .unwrap();
    [&header[..], &inner, &tag].concat()
}

/// Makes an unprotected record.
fn plain(content_type: ContentType, content: &[u8]) -> Vec<u8> {
    [
        &header::encode(content_type, 0x0303, content.len()).unwrap()[..],
        content,
    ]
    .concat()
}

/// Opens one whole record, and returns its type and its content.
fn opened(open: &mut Open, record: &[u8]) -> Result<(ContentType, Vec<u8>), Fault> {
    let (header, body) = record.split_first_chunk().unwrap();
    let header = Header::parse(*header)?;
    assert_eq!(header.length, body.len());
    let mut body = body.to_vec();
    let opened = open.open(&header, &mut body, &mut [])?;
    Ok((opened.content_type, body[..opened.len].to_vec()))
}

/// Asserts that opening a record fails with this alert, and returns the fault.
fn refused(open: &mut Open, record: &[u8], alert: AlertDescription) -> Fault {
    let fault = opened(open, record).unwrap_err();
    assert_eq!(fault.alert(), alert, "{fault}");
    fault
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| i.to_le_bytes()[0]).collect()
}

#[test]
fn what_is_sealed_opens() {
    for suite in Suite::ALL {
        let (mut seal, mut open) = pair(suite);
        for content_type in [HANDSHAKE, ALERT, DATA] {
            for (length, padding) in [
                (1, 0),
                (1, 1),
                (13, 100),
                (16383, 1),
                (16384, 0),
                (1, 16383),
            ] {
                let record = sealed(&mut seal, content_type, &content(length), padding);
                assert_eq!(record.len(), length + padding + OVERHEAD);
                assert_eq!(record[..3], [23, 3, 3]);
                assert_eq!(
                    opened(&mut open, &record).unwrap(),
                    (content_type, content(length))
                );
            }
        }
    }
}

#[test]
fn what_is_lent_is_sealed_as_what_is_given() {
    for suite in Suite::ALL {
        for (length, padding) in [(0, 0), (1, 0), (13, 100), (MAX_FRAGMENT, 0), (1, 16383)] {
            for head in [0, length / 2, length] {
                let (mut out, mut seal) = (Output::default(), pair(suite).0);
                Seal::lend(&mut out, length)[head..].copy_from_slice(&content(length)[head..]);
                seal.keep_lent(length, &mut out).unwrap();
                assert_eq!(Seal::lent(&out), length);
                seal.seal_lent(&content(length)[..head], padding, &mut out)
                    .unwrap();
                assert_eq!(
                    out.waiting(),
                    sealed(&mut pair(suite).0, DATA, &content(length), padding)
                );
                assert_eq!(Seal::lent(&out), 0);
            }
        }
    }
}

#[test]
fn what_was_lent_and_not_sealed_is_wiped() {
    let mut out = Output::default();
    let (mut seal, _) = aes();
    Seal::lend(&mut out, 100).fill(7);
    seal.keep_lent(100, &mut out).unwrap();
    assert!(matches!(
        seal.seal_lent(b"", MAX_FRAGMENT, &mut out),
        Err(SealError::Internal { .. })
    ));
    assert_eq!(
        (Seal::lent(&out), Seal::lend(&mut out, 100)),
        (0, &mut [0; 100][..])
    );
    // What is kept can be sealed before the keys reach their end. If no record is left for it,
    // nothing is kept.
    seal.start_at(seal.records_left() - 3);
    for (left, kept) in [(3, 10), (3, 100), (2, 0)] {
        assert_eq!(seal.records_left(), left);
        Seal::lend(&mut out, 100).fill(7);
        assert_eq!(seal.keep_lent(kept.max(1), &mut out).is_ok(), kept > 0);
        assert_eq!(Seal::lent(&out), kept);
        if kept == 100 {
            seal.seal_lent(b"", 0, &mut out).unwrap();
            out.sent(usize::MAX);
        }
    }
    assert!(matches!(
        seal.keep_lent(100, &mut out),
        Err(SealError::KeyLimit)
    ));
    assert_eq!(
        (Seal::lent(&out), Seal::lend(&mut out, 100)),
        (0, &mut [0; 100][..])
    );
    assert!(out.waiting().is_empty());
}

#[test]
fn a_record_that_is_made_meanwhile_goes_before_what_is_kept() {
    for length in [1, 30, 16_000] {
        let (mut out, (mut seal, mut open)) = (Output::default(), aes());
        Seal::lend(&mut out, length).copy_from_slice(&content(length));
        seal.keep_lent(length, &mut out).unwrap();
        seal.seal(HANDSHAKE, b"meanwhile", 0, &mut out).unwrap();
        let first = out.waiting().to_vec();
        out.sent(usize::MAX);
        assert_eq!(
            opened(&mut open, &first).unwrap(),
            (HANDSHAKE, b"meanwhile".to_vec())
        );
        assert_eq!(Seal::lent(&out), length);
        seal.seal_lent(b"", 0, &mut out).unwrap();
        assert_eq!(
            opened(&mut open, out.waiting()).unwrap(),
            (DATA, content(length))
        );
    }
}

#[test]
fn records_are_appended_one_behind_the_other() {
    let (mut seal, mut open) = aes();
    let mut out = Output::default();
    Seal::change_cipher_spec(&mut out).unwrap();
    seal.seal(DATA, b"one", 0, &mut out).unwrap();
    let first = out.waiting().len();
    seal.seal(DATA, b"two", 5, &mut out).unwrap();
    assert_eq!(out.waiting()[..6], [20, 3, 3, 0, 1, 1]);
    assert_eq!(
        opened(&mut open, &out.waiting()[6..first]).unwrap().1,
        b"one"
    );
    assert_eq!(
        opened(&mut open, &out.waiting()[first..]).unwrap().1,
        b"two"
    );
}

#[test]
fn application_data_may_be_empty_and_nothing_else() {
    // RFC 9846, 5.1 and 5.4.
    let (mut seal, mut open) = aes();
    for padding in [0, 10] {
        let record = sealed(&mut seal, DATA, b"", padding);
        assert_eq!(opened(&mut open, &record).unwrap(), (DATA, vec![]));
        for content_type in [HANDSHAKE, ALERT] {
            let mut out = Output::default();
            assert!(matches!(
                seal.seal(content_type, b"", padding, &mut out),
                Err(SealError::Internal { .. })
            ));
            assert!(out.waiting().is_empty());
            let inner = [&[content_type.0][..], &vec![0; padding]].concat();
            let fault = refused(
                &mut aes().1,
                &forged(&inner),
                AlertDescription::UNEXPECTED_MESSAGE,
            );
            assert!(
                matches!(fault, Fault::EmptyFragment { content_type: got } if got == content_type)
            );
        }
    }
    for content_type in [HANDSHAKE, ALERT] {
        let fault = refused(
            &mut Open::plaintext(),
            &plain(content_type, b""),
            AlertDescription::UNEXPECTED_MESSAGE,
        );
        assert!(matches!(fault, Fault::EmptyFragment { .. }));
        assert!(
            Seal::plaintext()
                .seal(content_type, b"", 0, &mut Output::default())
                .is_err()
        );
    }
}

/// Opens one whole record into a buffer of `room` bytes that is filled with [`HELD`]. Returns what
/// was opened, that buffer, and what is left in the body.
fn opened_into(
    open: &mut Open,
    record: &[u8],
    room: usize,
) -> (Result<Opened, Fault>, Vec<u8>, Vec<u8>) {
    let (header, body) = record.split_first_chunk().unwrap();
    let (mut body, mut into) = (body.to_vec(), vec![HELD; room]);
    let opened = open.open(&Header::parse(*header).unwrap(), &mut body, &mut into);
    (opened, into, body)
}

/// The content of the caller's buffer before a record is opened.
const HELD: u8 = 0xee;

fn is_untouched(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| [0, HELD].contains(byte))
}

#[test]
fn application_data_opens_into_buffers_of_any_length() {
    for suite in Suite::ALL {
        for (length, padding) in [
            (0, 0),
            (0, 40),
            (1, 0),
            (100, 0),
            (100, 1),
            (100, 300),
            (MAX_FRAGMENT, 0),
        ] {
            let record = sealed(&mut pair(suite).0, DATA, &content(length), padding);
            for room in [
                0,
                1,
                length.saturating_sub(1),
                length,
                length + 1,
                length + 2,
                length + padding,
                length + padding + 1,
                20_000,
            ] {
                let (opened, into, body) = opened_into(&mut pair(suite).1, &record, room);
                let opened = opened.unwrap();
                assert_eq!(
                    opened,
                    Opened {
                        content_type: DATA,
                        len: length,
                        placed: length.min(room)
                    }
                );
                let got = [&into[..opened.placed], &body[opened.placed..opened.len]].concat();
                assert_eq!(got, content(length), "{length} {padding} {room}");
                // Not even the type is left there.
                assert!(
                    is_untouched(&into[opened.placed..]),
                    "{length} {padding} {room}"
                );
            }
        }
    }
}

#[test]
fn nothing_but_application_data_stays_in_the_callers_buffer() {
    for room in [1, 5, 63, 64, 65, 66, 100, 20_000] {
        for (content_type, padding) in [(HANDSHAKE, 0), (ALERT, 0), (HANDSHAKE, 30), (ALERT, 200)] {
            let (mut seal, mut open) = aes();
            let (opened, into, body) = opened_into(
                &mut open,
                &sealed(&mut seal, content_type, &content(64), padding),
                room,
            );
            assert_eq!(
                opened.unwrap(),
                Opened {
                    content_type,
                    len: 64,
                    placed: 0
                }
            );
            assert_eq!(body[..64], content(64));
            assert!(is_untouched(&into));
            // It advances the sequence number like any other record.
            let (opened, ..) = opened_into(&mut open, &sealed(&mut seal, DATA, b"next", 0), room);
            assert_eq!(opened.unwrap().len, 4);
        }
        // RFC 9846, 5.2 and 5.4: a refused record leaves nothing either: a wrong tag, no type, a
        // type that must not be protected, and a record that is too long.
        let mut wrong = sealed(&mut aes().0, DATA, &content(64), 0);
        *wrong.last_mut().unwrap() ^= 1;
        let unknown = [&content(64)[..], &[99]].concat();
        for (record, alert) in [
            (wrong, AlertDescription::BAD_RECORD_MAC),
            (forged(&[0; 65]), AlertDescription::UNEXPECTED_MESSAGE),
            (forged(&unknown), AlertDescription::UNEXPECTED_MESSAGE),
            (
                forged(&[&content(64)[..], &[20]].concat()),
                AlertDescription::UNEXPECTED_MESSAGE,
            ),
            (
                forged(&vec![23; MAX_FRAGMENT + 2]),
                AlertDescription::RECORD_OVERFLOW,
            ),
        ] {
            let (opened, into, _) = opened_into(&mut aes().1, &record, room);
            assert_eq!(opened.unwrap_err().alert(), alert);
            assert!(is_untouched(&into), "{alert} {room}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    // RFC 9846, 5.2: bad_record_mac. A flipped bit in the header may cause another fault first, but
    // none is accepted.
    for suite in Suite::ALL {
        let (mut seal, mut open) = pair(suite);
        let record = sealed(&mut seal, DATA, b"attack at dawn", 3);
        for bit in 0..8 * record.len() {
            let mut changed = record.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (header, body) = changed.split_first_chunk().unwrap();
            let Ok(mut header) = Header::parse(*header) else {
                continue;
            };
            let before = body.to_vec();
            let mut body = before.clone();
            header.length = body.len();
            let fault = open.open(&header, &mut body, &mut []).unwrap_err();
            if header.content_type == DATA {
                assert!(matches!(fault, Fault::BadRecordMac), "bit {bit}");
                assert_eq!(fault.alert(), AlertDescription(20));
                // Nothing of the plaintext is left: it was never written, or it is overwritten.
                let inner = body.len() - 16;
                assert!(
                    body[..inner] == before[..inner] || body[..inner].iter().all(|byte| *byte == 0)
                );
            }
        }
        // RFC 9846, 4.3.10: a record that did not open is not counted.
        assert!(open.is_fresh());
        assert_eq!(opened(&mut open, &record).unwrap().1, b"attack at dawn");
        assert!(!open.is_fresh());
    }
}

#[test]
fn records_open_once_and_in_order() {
    // RFC 9846, 5.3.
    let (mut seal, mut open) = aes();
    let records: Vec<_> = (0..3u8).map(|i| sealed(&mut seal, DATA, &[i], 0)).collect();
    refused(&mut open, &records[1], AlertDescription::BAD_RECORD_MAC);
    opened(&mut open, &records[0]).unwrap();
    refused(&mut open, &records[0], AlertDescription::BAD_RECORD_MAC);
    refused(&mut open, &records[2], AlertDescription::BAD_RECORD_MAC);
    opened(&mut open, &records[1]).unwrap();
    opened(&mut open, &records[2]).unwrap();
}

#[test]
fn a_record_too_short_for_a_tag_does_not_open() {
    for length in 0..=16 {
        refused(
            &mut aes().1,
            &plain(DATA, &vec![0; length]),
            AlertDescription::BAD_RECORD_MAC,
        );
    }
}

#[test]
fn the_inner_plaintext_has_its_limit() {
    // RFC 9846, 5.4: 2^14 + 1 for content, type and padding together.
    let largest = [&content(MAX_FRAGMENT)[..], &[23]].concat();
    assert_eq!(
        opened(&mut aes().1, &forged(&largest)).unwrap().1.len(),
        MAX_FRAGMENT
    );
    let padded = [&largest[..], &[0]].concat();
    let longer = [&content(MAX_FRAGMENT + 1)[..], &[23]].concat();
    let most = [&content(MAX_FRAGMENT + 256 - 17)[..], &[23]].concat();
    for inner in [padded, longer, most, vec![0; MAX_FRAGMENT + 2]] {
        let fault = refused(
            &mut aes().1,
            &forged(&inner),
            AlertDescription::RECORD_OVERFLOW,
        );
        assert!(
            matches!(fault, Fault::RecordOverflow { length, limit: 16385 } if length == inner.len())
        );
    }
    // A record that does not open is bad_record_mac, regardless of its length.
    let mut changed = forged(&vec![1; MAX_FRAGMENT + 2]);
    changed[100] ^= 1;
    refused(&mut aes().1, &changed, AlertDescription::BAD_RECORD_MAC);
    // We do not send such records either.
    for (length, padding) in [
        (MAX_FRAGMENT + 1, 0),
        (MAX_FRAGMENT, 1),
        (0, MAX_FRAGMENT + 1),
        (1 << 16, 0),
    ] {
        let mut out = Output::default();
        assert!(matches!(
            aes().0.seal(DATA, &content(length), padding, &mut out),
            Err(SealError::Internal { .. })
        ));
        assert!(out.waiting().is_empty());
    }
}

#[test]
fn a_smaller_limit_counts_type_and_padding() {
    // RFC 8449, section 4.
    let (mut seal, mut open) = aes();
    seal.set_max_inner(64);
    open.set_max_inner(64);
    assert_eq!(seal.max_fragment(), 63);
    for (length, padding) in [(63, 0), (1, 62), (0, 63)] {
        assert_eq!(
            opened(
                &mut open,
                &sealed(&mut seal, DATA, &content(length), padding)
            )
            .unwrap()
            .1
            .len(),
            length
        );
    }
    assert!(
        seal.seal(DATA, &content(64), 0, &mut Output::default())
            .is_err()
    );
    assert!(
        seal.seal(DATA, &content(63), 1, &mut Output::default())
            .is_err()
    );
    let (_, mut open) = aes();
    open.set_max_inner(64);
    refused(
        &mut open,
        &forged(&[23; 65]),
        AlertDescription::RECORD_OVERFLOW,
    );
    // A limit outside of 64 to 2^14 + 1 counts as the nearer of the two.
    seal.set_max_inner(1 << 20);
    assert_eq!(seal.max_fragment(), MAX_FRAGMENT);
    seal.set_max_inner(0);
    assert_eq!(seal.max_fragment(), 63);
}

#[test]
fn padding_alone_has_no_content_type() {
    // RFC 9846, 5.4.
    for length in [0, 1, 100, MAX_FRAGMENT + 1] {
        let fault = refused(
            &mut aes().1,
            &forged(&vec![0; length]),
            AlertDescription::UNEXPECTED_MESSAGE,
        );
        assert!(matches!(fault, Fault::NoContentType));
    }
}

#[test]
fn the_inner_type_is_one_that_may_be_protected() {
    // RFC 9846, section 5.
    for inner_type in 1..=255 {
        let inner = [1, inner_type, 0, 0];
        match inner_type {
            21..=23 => assert_eq!(
                opened(&mut aes().1, &forged(&inner)).unwrap(),
                (ContentType(inner_type), vec![1])
            ),
            20 => {
                let fault = refused(
                    &mut aes().1,
                    &forged(&inner),
                    AlertDescription::UNEXPECTED_MESSAGE,
                );
                assert!(matches!(fault, Fault::ChangeCipherSpec));
            }
            _ => {
                let fault = refused(
                    &mut aes().1,
                    &forged(&inner),
                    AlertDescription::UNEXPECTED_MESSAGE,
                );
                assert!(matches!(fault, Fault::UnexpectedRecord { got } if got.0 == inner_type));
            }
        }
    }
}

#[test]
fn a_change_cipher_spec_is_never_protected_and_always_one_byte() {
    // RFC 9846, section 5.
    for mut open in [Open::plaintext(), aes().1] {
        assert_eq!(
            opened(&mut open, &plain(CHANGE_CIPHER_SPEC, &[1])).unwrap(),
            (CHANGE_CIPHER_SPEC, vec![1])
        );
        for wrong in [&[][..], &[0], &[2], &[1, 1]] {
            let fault = refused(
                &mut open,
                &plain(CHANGE_CIPHER_SPEC, wrong),
                AlertDescription::UNEXPECTED_MESSAGE,
            );
            assert!(matches!(fault, Fault::ChangeCipherSpec));
        }
        // It does not use a sequence number.
        assert!(open.is_fresh());
    }
    assert!(
        aes()
            .0
            .seal(CHANGE_CIPHER_SPEC, &[1], 0, &mut Output::default())
            .is_err()
    );
    let mut out = Output::default();
    Seal::change_cipher_spec(&mut out).unwrap();
    assert_eq!(out.waiting(), [20, 3, 3, 0, 1, 1]);
}

#[test]
fn keys_decide_what_may_come() {
    // RFC 9846, section 5: an unexpected record type.
    let fault = refused(
        &mut Open::plaintext(),
        &plain(DATA, b"data"),
        AlertDescription::UNEXPECTED_MESSAGE,
    );
    assert!(matches!(fault, Fault::UnexpectedRecord { got: DATA }));
    for content_type in [HANDSHAKE, ALERT] {
        assert_eq!(
            opened(&mut Open::plaintext(), &plain(content_type, b"12")).unwrap(),
            (content_type, b"12".to_vec())
        );
        let fault = refused(
            &mut aes().1,
            &plain(content_type, b"12"),
            AlertDescription::UNEXPECTED_MESSAGE,
        );
        assert!(matches!(fault, Fault::UnexpectedRecord { got } if got == content_type));
    }
    // RFC 9846, 5.1: application data is never written unprotected.
    assert!(
        Seal::plaintext()
            .seal(DATA, b"data", 0, &mut Output::default())
            .is_err()
    );
    assert!(
        Seal::plaintext()
            .seal(
                HANDSHAKE,
                &content(MAX_FRAGMENT + 1),
                0,
                &mut Output::default()
            )
            .is_err()
    );
}

#[test]
fn an_update_changes_the_keys_and_starts_at_zero() {
    // RFC 9846, 4.7.3 and 7.2.
    for suite in Suite::ALL {
        let (mut seal, mut open) = pair(suite);
        for generation in 0..4u8 {
            for _ in 0..3 {
                let record = sealed(&mut seal, DATA, &[generation], 0);
                assert_eq!(opened(&mut open, &record).unwrap().1, [generation]);
            }
            let old = sealed(&mut seal, DATA, b"old", 0);
            seal.update().unwrap();
            let new = sealed(&mut seal, DATA, b"new", 0);
            refused(&mut open, &new, AlertDescription::BAD_RECORD_MAC);
            opened(&mut open, &old).unwrap();
            open.update();
            assert!(open.is_fresh());
            refused(&mut open, &old, AlertDescription::BAD_RECORD_MAC);
            assert_eq!(opened(&mut open, &new).unwrap().1, b"new");
        }
        // The keys of a generation are derived from its own secret.
        let (mut seal, _) = pair(suite);
        seal.update().unwrap();
        let record = sealed(&mut seal, DATA, b"new", 0);
        assert_eq!(
            opened(&mut Open::protected(suite, secret(suite).next()), &record)
                .unwrap()
                .1,
            b"new"
        );
    }
}

#[test]
fn a_key_seals_as_many_records_as_it_may() {
    // RFC 9846, 5.5: 2^24.5 records for AES-GCM.
    for suite in [Suite::Aes128GcmSha256, Suite::Aes256GcmSha384] {
        let (mut seal, mut open) = pair(suite);
        assert_eq!(seal.records_left(), 23_726_566);
        seal.start_at(23_726_566 - 3);
        open.start_at(23_726_566 - 3);
        assert_eq!(
            opened(&mut open, &sealed(&mut seal, DATA, b"last", 0))
                .unwrap()
                .1,
            b"last"
        );
        // Two records are reserved for the end of the key: for a KeyUpdate or an alert.
        let mut out = Output::default();
        assert!(matches!(
            seal.seal(DATA, b"no more", 0, &mut out),
            Err(SealError::KeyLimit)
        ));
        assert!(out.waiting().is_empty());
        for content_type in [HANDSHAKE, ALERT] {
            let record = sealed(&mut seal, content_type, b"24", 0);
            assert_eq!(opened(&mut open, &record).unwrap().1, b"24");
        }
        assert_eq!(seal.records_left(), 0);
        for content_type in [HANDSHAKE, ALERT, DATA] {
            assert!(matches!(
                seal.seal(content_type, b"24", 0, &mut out),
                Err(SealError::KeyLimit)
            ));
            assert!(out.waiting().is_empty());
        }
        // New keys have a new count. The receiver does not enforce the limit.
        open.start_at(1 << 60);
        seal.update().unwrap();
        open.update();
        assert_eq!(seal.records_left(), 23_726_566);
        assert_eq!(
            opened(&mut open, &sealed(&mut seal, DATA, b"first", 0))
                .unwrap()
                .1,
            b"first"
        );
    }
}

#[test]
fn a_receiver_enforces_no_limit_but_the_last_sequence_number() {
    // RFC 9846, 5.3 and 5.5.
    for suite in Suite::ALL {
        let nonce_at = |sequence| {
            let mut protection = Protection::new(suite, secret(suite));
            protection.start_at(sequence);
            protection
        };
        for sequence in [23_726_566, u64::MAX - 1] {
            let mut inner = b"data\x17".to_vec();
            let header = header::encode(DATA, 0x0303, inner.len() + 16).unwrap();
            let protection = nonce_at(sequence);
            let tag = protection
                .key()
                .seal_in_place(&protection.nonce(), &header, &mut inner)
                .unwrap();
            let record = [&header[..], &inner, &tag].concat();
            let mut open = Open::protected(suite, secret(suite));
            open.start_at(sequence);
            assert_eq!(opened(&mut open, &record).unwrap().1, b"data");
            if sequence == u64::MAX - 1 {
                let fault = refused(&mut open, &record, AlertDescription::UNEXPECTED_MESSAGE);
                assert!(matches!(fault, Fault::TooMany { .. }));
            }
        }
    }
}

#[test]
fn chacha_seals_until_the_sequence_number_ends() {
    let (mut seal, mut open) = pair(Suite::ChaCha20Poly1305Sha256);
    let left = seal.records_left();
    assert!(left >= u64::MAX - 1);
    seal.start_at(left - 2);
    open.start_at(left - 2);
    for _ in 0..2 {
        let record = sealed(&mut seal, ALERT, &[1, 0], 0);
        assert_eq!(opened(&mut open, &record).unwrap().0, ALERT);
    }
    assert!(matches!(
        seal.seal(ALERT, &[1, 0], 0, &mut Output::default()),
        Err(SealError::KeyLimit)
    ));
}

#[test]
fn keys_are_renewed_as_often_as_they_may() {
    // RFC 9846, 4.7.3: the epoch does not exceed 2^48-1.
    let (mut seal, _) = aes();
    seal.set_updates((1 << 48) - 2);
    assert!(seal.can_update());
    seal.update().unwrap();
    assert!(!seal.can_update());
    assert!(matches!(seal.update(), Err(SealError::KeyLimit)));
    // The current keys can still be used.
    sealed(&mut seal, DATA, b"data", 0);
    assert!(!Seal::plaintext().can_update());
}
