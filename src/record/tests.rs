//! Sealing and opening against each other, and each against what the standard says it must refuse.

use super::*;
use crate::code_point::{AlertDescription, ContentType};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::key_schedule::{EarlySecret, TrafficSecret};

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;
const ALERT: ContentType = ContentType::ALERT;
const DATA: ContentType = ContentType::APPLICATION_DATA;
const CHANGE_CIPHER_SPEC: ContentType = ContentType::CHANGE_CIPHER_SPEC;

/// A traffic secret; the same for the same suite.
fn secret(suite: Suite) -> TrafficSecret {
    EarlySecret::new(suite.hash(), None).client_early_traffic(&suite.hash().hash(b"ClientHello"))
}

fn pair(suite: Suite) -> (Seal, Open) {
    (Seal::protected(suite, secret(suite)), Open::protected(suite, secret(suite)))
}

fn sealed(seal: &mut Seal, content_type: ContentType, content: &[u8], padding: usize) -> Vec<u8> {
    let mut out = Vec::new();
    seal.seal(content_type, content, padding, &mut out).unwrap();
    out
}

/// Opens one whole record: its type and its content.
fn opened(open: &mut Open, record: &[u8]) -> Result<(ContentType, Vec<u8>), Fault> {
    let (header, body) = record.split_first_chunk().unwrap();
    let header = Header::parse(*header)?;
    assert_eq!(header.length, body.len());
    let mut body = body.to_vec();
    let opened = open.open(&header, &mut body)?;
    Ok((opened.content_type, body[..opened.len].to_vec()))
}

#[test]
fn what_is_sealed_opens() {
    for suite in Suite::ALL {
        let (mut seal, mut open) = pair(suite);
        for content_type in [HANDSHAKE, ALERT, DATA] {
            for (length, padding) in [(1, 0), (1, 1), (13, 100), (16383, 1), (16384, 0), (1, 16383)] {
                let content: Vec<u8> = (0..length).map(|i: usize| i.to_le_bytes()[0]).collect();
                let record = sealed(&mut seal, content_type, &content, padding);
                assert_eq!(record.len(), length + padding + OVERHEAD);
                assert_eq!(record[..3], [23, 3, 3]);
                assert_eq!(opened(&mut open, &record).unwrap(), (content_type, content));
            }
        }
    }
}
