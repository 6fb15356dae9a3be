//! The certificate of a key that no authority certified, signed by itself (RFC 5280, section 4;
//! RFC 8410).
//!
//! ```text
//! Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
//! tbsCertificate ::= SEQUENCE {
//!     version [0] v3, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
//!     extensions [3] { basicConstraints, keyUsage, subjectAltName, subjectKeyIdentifier }
//! }
//! ```
//!
//! This is written by hand because only the key and the names ever differ, and so that a program
//! that issues nothing needs no general encoder. A test compares the result with what that encoder
//! (`authority/encode/`) writes for the same content.

use core::net::IpAddr;

use base64ct::{Base64, Encoding as _};

use crate::crypto::signature::SigningKey;
use crate::identity::alt_name::AltName;
use crate::identity::profile;
use crate::identity::public_key::PublicKey;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// INTEGER 2.
const V3: &[u8] = &[INTEGER, 1, 2];

/// id-Ed25519, 1.3.101.112. RFC 8410, section 3: the parameters MUST be absent.
const ED25519: &[u8] = &[SEQUENCE, 5, 0x06, 3, 0x2b, 0x65, 0x70];

/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 0x04, 3];

/// Critical, with an empty SEQUENCE: not a CA (2.5.29.19).
const BASIC_CONSTRAINTS: &[u8] = &[
    SEQUENCE,
    12,
    0x06,
    3,
    0x55,
    0x1d,
    19,
    0x01,
    1,
    0xff,
    OCTET_STRING,
    2,
    SEQUENCE,
    0,
];

/// Critical, with digitalSignature alone, as RFC 9846, 4.5.1.2, requires (2.5.29.15).
const KEY_USAGE: &[u8] = &[
    SEQUENCE,
    14,
    0x06,
    3,
    0x55,
    0x1d,
    15,
    0x01,
    1,
    0xff,
    OCTET_STRING,
    4,
    BIT_STRING,
    2,
    7,
    0x80,
];

const SUBJECT_ALT_NAME: &[u8] = &[0x06, 3, 0x55, 0x1d, 17];
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x06, 3, 0x55, 0x1d, 14];

/// Returns the certificate in DER: the same each time for the same key and names, and valid at all
/// times. Without a common name the subject is the identifier of the key.
pub(crate) fn self_signed(
    key: &SigningKey,
    common_name: Option<&str>,
    names: &[AltName],
) -> Vec<u8> {
    let public_key = PublicKey::from(key.public_key());
    let id = profile::key_identifier(&public_key);
    let mut serial = [0; 16];
    for (out, byte) in serial.iter_mut().zip(&id) {
        *out = *byte;
    }
    // RFC 5280, 4.1.2.4: an issuer's name is never empty. The identifier adds nothing to the key.
    let text = common_name.map_or_else(|| Base64::encode_string(&id), str::to_owned);
    let attribute = element(
        SEQUENCE,
        &[COMMON_NAME, &element(UTF8_STRING, &[text.as_bytes()])],
    );
    let name = element(SEQUENCE, &[&element(SET, &[&attribute])]);
    // RFC 5280, 4.1.2.5: years up to 2049 are written as UTCTime, later ones as GeneralizedTime.
    let (from, until) = (
        element(UTC_TIME, &[b"700101000000Z"]),
        element(GENERALIZED_TIME, &[b"99991231235959Z"]),
    );

    let mut extensions = [BASIC_CONSTRAINTS, KEY_USAGE].concat();
    if !names.is_empty() {
        let names: Vec<u8> = names.iter().flat_map(general_name).collect();
        extensions.extend(extension(SUBJECT_ALT_NAME, &element(SEQUENCE, &[&names])));
    }
    extensions.extend(extension(
        SUBJECT_KEY_IDENTIFIER,
        &element(OCTET_STRING, &[&id]),
    ));

    let tbs = element(
        SEQUENCE,
        &[
            &element(context(0, true), &[V3]),
            // Its first bits are 01: positive, and without a superfluous leading zero.
            &element(INTEGER, &[&profile::serial(serial)]),
            ED25519,
            &name,
            &element(SEQUENCE, &[&from, &until]),
            &name,
            &public_key.to_spki(),
            &element(context(3, true), &[&element(SEQUENCE, &[&extensions])]),
        ],
    );
    // No bit of the last byte is unused.
    let signature = element(BIT_STRING, &[&[0], &key.sign(&tbs)]);
    element(SEQUENCE, &[&tbs, ED25519, &signature])
}

fn extension(id: &[u8], content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[id, &element(OCTET_STRING, &[content])])
}

/// Encodes a GeneralName (RFC 5280, 4.2.1.6).
fn general_name(name: &AltName) -> Vec<u8> {
    match name {
        AltName::Dns(text) => element(context(2, false), &[text.as_bytes()]),
        AltName::Uri(text) => element(context(6, false), &[text.as_bytes()]),
        AltName::Ip(IpAddr::V4(ip)) => element(context(7, false), &[&ip.octets()]),
        AltName::Ip(IpAddr::V6(ip)) => element(context(7, false), &[&ip.octets()]),
    }
}

/// Returns a context-specific tag.
const fn context(number: u8, constructed: bool) -> u8 {
    0x80 | number | if constructed { 0x20 } else { 0 }
}

/// Encodes a DER element: tag, length, and the parts as its content.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(len @ ..0x80) => out.push(len),
        _ => {
            let len: Vec<u8> = content
                .len()
                .to_be_bytes()
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            // Never more than 8 bytes.
            out.push(0x80 | u8::try_from(len.len()).unwrap_or_default());
            out.extend(len);
        }
    }
    out.extend(content);
    out
}
