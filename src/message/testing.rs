//! Shared by the tests of this folder: messages assembled byte by byte, without the code under
//! test.

use crate::code_point::ExtensionType;
use crate::error::{DecodeProblem, Fault};
use crate::message::Message;
use crate::message::extensions::placement::Place;

/// Makes bytes from hexadecimal digits. All other characters are ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    assert_eq!(digits.len() % 2, 0, "an odd number of digits");
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect()
}

/// Like [`hex`], but returns a leaked slice, so that messages can be compared without a lifetime.
pub(crate) fn bytes(text: &str) -> &'static [u8] {
    hex(text).leak()
}

/// Makes a vector, with a length of `width` bytes before its content.
pub(crate) fn vector(width: usize, content: &[u8]) -> Vec<u8> {
    [&content.len().to_be_bytes()[8 - width..], content].concat()
}

/// Makes a handshake message with the right length in its header.
pub(crate) fn message(msg_type: u8, body: &[u8]) -> Vec<u8> {
    [&[msg_type][..], &vector(3, body)].concat()
}

/// Makes a block of extensions, with its length.
pub(crate) fn block(extensions: &[(ExtensionType, &[u8])]) -> Vec<u8> {
    let content: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, data)| [&kind.0.to_be_bytes()[..], &vector(2, data)].concat())
        .collect();
    vector(2, &content)
}

/// Makes the smallest message of its kind that has these extensions.
pub(crate) fn message_with(place: Place, extensions: &[(ExtensionType, &[u8])]) -> Vec<u8> {
    let block = block(extensions);
    let (msg_type, before) = match place {
        Place::ClientHello => (
            1,
            [hex("0303"), vec![0xc1; 32], hex("00  0002 1301  01 00")].concat(),
        ),
        Place::ServerHello => (
            2,
            [hex("0303"), vec![0x5e; 32], hex("00  1301  00")].concat(),
        ),
        Place::HelloRetryRequest => (
            2,
            [
                hex("0303"),
                // RFC 9846, 4.2.3
                hex("CF21AD74E59A6111BE1D8C021E65B891 C2A211167ABB8C5E079E09E2C8A8339C"),
                hex("00  1301  00"),
            ]
            .concat(),
        ),
        Place::NewSessionTicket => (4, hex("00000e10 aabbccdd  01 00  0001 77")),
        Place::EncryptedExtensions => (8, Vec::new()),
        Place::Certificate => {
            let entry = [hex("000001 30"), block].concat();
            return message(11, &[vector(1, &[]), vector(3, &entry)].concat());
        }
        Place::CertificateRequest => (13, hex("00")),
    };
    message(msg_type, &[before, block].concat())
}

/// Makes a message with this extension, and with supported_versions if it is needed for the message
/// to be read as one of TLS 1.3.
pub(crate) fn message_of_tls13_with(
    place: Place,
    extension_type: ExtensionType,
    data: &[u8],
) -> Vec<u8> {
    match place {
        Place::ServerHello if extension_type != ExtensionType::SUPPORTED_VERSIONS => message_with(
            place,
            &[
                (ExtensionType::SUPPORTED_VERSIONS, &[3, 4]),
                (extension_type, data),
            ],
        ),
        _ => message_with(place, &[(extension_type, data)]),
    }
}

/// Returns the fault of a message that must be refused.
#[track_caller]
pub(crate) fn fault(message: &[u8]) -> Fault {
    match Message::decode(message) {
        Err(fault) => fault,
        Ok(message) => panic!("accepted: {message:?}"),
    }
}

/// Returns message, field and problem of a message that must be refused with a decode_error.
#[track_caller]
pub(crate) fn breach(bytes: &[u8]) -> (&'static str, &'static str, DecodeProblem) {
    match fault(bytes) {
        Fault::Decode {
            message,
            field,
            problem,
        } => (message, field, problem),
        other => panic!("not a decode_error: {other}"),
    }
}

/// Decodes a message, and checks that it encodes to the same bytes.
#[track_caller]
pub(crate) fn round_trip(bytes: &'static [u8]) -> Message<'static> {
    let message = match Message::decode(bytes) {
        Ok(message) => message,
        Err(fault) => panic!("refused: {fault}"),
    };
    assert_eq!(message.encode().unwrap(), bytes, "not the same bytes again");
    message
}

/// Runs the three tests of a wire type for an extension: round trip, cut at every byte, and one
/// byte too many. All lengths outside of the extension are right, so only the extension itself ends
/// early or has bytes left over.
#[track_caller]
pub(crate) fn extension(
    place: Place,
    extension_type: ExtensionType,
    data: &str,
) -> Message<'static> {
    let data = hex(data);
    let whole = message_of_tls13_with(place, extension_type, &data);
    let message = round_trip(whole.leak());
    for cut in 0..data.len() {
        let (name, field, _) = breach(&message_of_tls13_with(place, extension_type, &data[..cut]));
        assert_eq!(name, place.message());
        assert!(
            field.starts_with(extension_type.name().unwrap()),
            "{field} at {cut}"
        );
    }
    let longer = [&data[..], &[0]].concat();
    let (name, field, problem) = breach(&message_of_tls13_with(place, extension_type, &longer));
    assert_eq!(
        (name, problem),
        (place.message(), DecodeProblem::TrailingBytes),
        "{field}"
    );
    message
}

/// Runs the three tests of a wire type for a whole message: round trip, cut at every byte, and one
/// byte too many. The header's length is right each time. `also_whole` returns true for the cuts at
/// which the message is a whole one of another kind.
#[track_caller]
pub(crate) fn whole_message(
    bytes: &'static [u8],
    name: &str,
    also_whole: impl Fn(usize) -> bool,
) -> Message<'static> {
    let message = round_trip(bytes);
    assert_eq!(message.name(), name);
    let (msg_type, body) = (bytes[0], &bytes[4..]);
    for cut in 0..body.len() {
        let shorter = self::message(msg_type, &body[..cut]);
        if also_whole(cut) {
            assert_eq!(
                Message::decode(&shorter).unwrap().encode().unwrap(),
                shorter,
                "{cut}"
            );
        } else {
            let (refused, _, problem) = breach(&shorter);
            // Before the end of its random, a ServerHello and a HelloRetryRequest cannot be told
            // apart.
            assert!(refused == name || cut < 34, "{refused} at {cut}");
            assert!(
                matches!(problem, DecodeProblem::Truncated | DecodeProblem::Empty),
                "{problem:?} at {cut}"
            );
        }
    }
    let (refused, _, problem) = breach(&self::message(msg_type, &[body, &[0]].concat()));
    assert_eq!((refused, problem), (name, DecodeProblem::TrailingBytes));
    // A message shorter or longer than its header says.
    for cut in 0..bytes.len() {
        assert_eq!(breach(&bytes[..cut]).0, "Handshake");
    }
    assert_eq!(
        breach(&[bytes, &[0]].concat()),
        ("Handshake", "length", DecodeProblem::TrailingBytes)
    );
    message
}
