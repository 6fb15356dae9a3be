//! A block of extensions: the rules for every extension in every message.
//!
//! ```text
//! struct {
//!     ExtensionType extension_type;
//!     opaque extension_data<0..2^16-1>;
//! } Extension;
//! ```
//!
//! One pass over the block checks for each extension that it is the first of its type, that it
//! belongs in this message, and that nothing is left over after its content. The message's own enum
//! ([`Extension`]) reads the content. A type that it does not know is kept as bytes.

use crate::code_point::ExtensionType;
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::placement::{Place, belongs};

/// The extensions of one kind of message: an enum with a variant for each that we read there, and
/// one for all others.
pub(crate) trait Extension<'a>: Sized {
    /// The message that contains them.
    const PLACE: Place;

    /// Reads the content of an extension. Returns `None` if its type is not known here.
    fn read(extension_type: ExtensionType, data: &mut Reader<'a>) -> Result<Option<Self>, Fault>;

    /// Keeps an extension of a type that is not known here, as bytes.
    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self;

    fn extension_type(&self) -> ExtensionType;

    /// Writes the content.
    fn write(&self, w: &mut Writer);
}

/// Reads a block: `Extension extensions<0..2^16-1>;`
pub(crate) fn read<'a, E: Extension<'a>>(r: &mut Reader<'a>) -> Result<Vec<E>, Fault> {
    let block = r.list16("extensions", ..)?;
    let mut seen = Seen::default();
    let mut extensions = Vec::with_capacity(usize::min(block.len() / 4, 16));
    each(block, |extension_type, mut data| {
        seen.add(extension_type, E::PLACE)?;
        // RFC 9846, 4.3: an extension that is recognized but not specified for this message is
        // refused.
        if !belongs(extension_type, E::PLACE) {
            return Err(Fault::MisplacedExtension {
                message: E::PLACE.message(),
                extension: extension_type,
            });
        }
        let unread = data.clone();
        extensions.push(match E::read(extension_type, &mut data)? {
            Some(extension) => {
                // RFC 9846, 4.3: data left over after the structure is a decode_error.
                data.end(extension_type.name().unwrap_or("extension_data"))?;
                extension
            }
            None => E::unknown(extension_type, { unread }.remainder()),
        });
        Ok(())
    })?;
    seen.finish(E::PLACE)?;
    Ok(extensions)
}

/// Like [`read`], for a message of an older version: no extension is known, and none is misplaced.
pub(crate) fn read_older<'a, E: Extension<'a>>(r: &mut Reader<'a>) -> Result<Vec<E>, Fault> {
    let mut seen = Seen::default();
    let mut extensions = Vec::new();
    each(r.list16("extensions", ..)?, |extension_type, mut data| {
        seen.add(extension_type, E::PLACE)?;
        extensions.push(E::unknown(extension_type, data.remainder()));
        Ok(())
    })?;
    seen.finish(E::PLACE)?;
    Ok(extensions)
}

/// Returns true if the block that follows has an extension of this type. Nothing is consumed.
pub(crate) fn contains(r: &Reader<'_>, wanted: ExtensionType) -> Result<bool, Fault> {
    let mut found = false;
    each(r.clone().list16("extensions", ..)?, |extension_type, _| {
        found |= extension_type == wanted;
        Ok(())
    })?;
    Ok(found)
}

/// Writes a block, with its length.
pub(crate) fn write<'a, E: Extension<'a>>(extensions: &[E], w: &mut Writer) {
    w.vec16(|w| {
        for extension in extensions {
            w.u16(extension.extension_type().0);
            w.vec16(|w| extension.write(w));
        }
    });
}

fn each<'a>(
    mut block: Reader<'a>,
    mut visit: impl FnMut(ExtensionType, Reader<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    while !block.is_empty() {
        let extension_type = ExtensionType(block.u16("extensions.extension_type")?);
        let data = block.list16(
            extension_type.name().unwrap_or("extensions.extension_data"),
            ..,
        )?;
        visit(extension_type, data)?;
    }
    Ok(())
}

/// The types that a block has had so far.
///
/// A block can hold 16383 extensions, so searching the earlier ones for each would take time
/// quadratic in what a peer sends. Types under 64 are bits of a number; the others are sorted at
/// the end.
#[derive(Default)]
struct Seen {
    small: u64,
    others: Vec<ExtensionType>,
}

impl Seen {
    /// Adds a type. RFC 9846, 4.3: there must not be more than one extension of the same type in a
    /// block.
    fn add(&mut self, extension_type: ExtensionType, place: Place) -> Result<(), Fault> {
        match 1_u64.checked_shl(u32::from(extension_type.0)) {
            Some(bit) if self.small & bit != 0 => Err(duplicate(extension_type, place)),
            Some(bit) => {
                self.small |= bit;
                Ok(())
            }
            None => {
                self.others.push(extension_type);
                Ok(())
            }
        }
    }

    fn finish(mut self, place: Place) -> Result<(), Fault> {
        self.others.sort_unstable();
        match self
            .others
            .iter()
            .zip(self.others.iter().skip(1))
            .find(|(one, next)| one == next)
        {
            Some((extension_type, _)) => Err(duplicate(*extension_type, place)),
            None => Ok(()),
        }
    }
}

fn duplicate(extension: ExtensionType, place: Place) -> Fault {
    Fault::DuplicateExtension {
        message: place.message(),
        extension,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use crate::error::DecodeProblem;
    use crate::message::testing::{
        block, breach, fault, message, message_of_tls13_with, message_with, round_trip,
    };
    use crate::message::{ClientHelloExtension, Message};

    const PLACES: [Place; 7] = [
        Place::ClientHello,
        Place::ServerHello,
        Place::HelloRetryRequest,
        Place::EncryptedExtensions,
        Place::CertificateRequest,
        Place::Certificate,
        Place::NewSessionTicket,
    ];
    const UNKNOWN: ExtensionType = ExtensionType(0x1a2a);

    /// RFC 9846, 4.3: "There MUST NOT be more than one extension of the same type in a given
    /// extension block."
    #[test]
    fn no_extension_may_come_twice() {
        for place in PLACES {
            for extension_type in [UNKNOWN, ExtensionType(34), ExtensionType(0xffff)] {
                let fault = fault(&message_with(
                    place,
                    &[
                        (extension_type, &[]),
                        (ExtensionType(63), &[]),
                        (extension_type, &[1]),
                    ],
                ));
                assert!(
                    matches!(
                        fault,
                        Fault::DuplicateExtension { message, extension }
                            if message == place.message() && extension == extension_type
                    ),
                    "{fault}"
                );
                assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
            }
        }
        let versions: (_, &[u8]) = (ExtensionType::SUPPORTED_VERSIONS, &[2, 3, 4]);
        let fault = fault(&message_with(Place::ClientHello, &[versions, versions]));
        assert!(matches!(
            fault,
            Fault::DuplicateExtension {
                extension: ExtensionType::SUPPORTED_VERSIONS,
                ..
            }
        ));
    }

    /// Each certificate has a block of its own.
    #[test]
    fn the_same_extension_may_stand_beside_two_certificates() {
        let entry = [&[0, 0, 1, 0x30][..], &block(&[(UNKNOWN, &[])])].concat();
        let list = [entry.clone(), entry].concat();
        round_trip(message(11, &[&[0, 0, 0, list.len() as u8][..], &list].concat()).leak());
    }

    /// RFC 9846, 4.3: "receivers MUST abort the handshake with a decode_error alert if there is
    /// data left over after parsing the structure."
    #[test]
    fn data_left_over_in_an_extension_is_a_decode_error() {
        let bytes = message_with(
            Place::EncryptedExtensions,
            &[(ExtensionType::SERVER_NAME, &[0])],
        );
        assert_eq!(
            breach(&bytes),
            (
                "EncryptedExtensions",
                "server_name",
                DecodeProblem::TrailingBytes
            )
        );
        assert_eq!(fault(&bytes).alert(), AlertDescription::DECODE_ERROR);
    }

    /// RFC 9846, 4.3: "This does not apply if the receiver does not implement [...] an extension".
    /// 9.3: unrecognized extensions are ignored.
    #[test]
    fn an_unknown_extension_is_kept_with_its_bytes_in_every_message() {
        for place in PLACES {
            for data in [&[][..], &[0xff; 300]] {
                round_trip(message_of_tls13_with(place, UNKNOWN, data).leak());
            }
        }
        let bytes = message_with(Place::ClientHello, &[(UNKNOWN, &[7, 8])]).leak();
        let Message::ClientHello(hello) = round_trip(bytes) else {
            panic!("not a ClientHello")
        };
        assert_eq!(
            hello.extensions,
            Some(vec![ClientHelloExtension::Unknown {
                extension_type: UNKNOWN,
                data: &[7, 8]
            }])
        );
        assert!(hello.has(UNKNOWN));
        assert!(!hello.has(ExtensionType::COOKIE));
    }

    #[test]
    fn a_block_that_ends_inside_an_extension_is_a_decode_error() {
        let header = |content: &[u8]| message(8, &crate::message::testing::vector(2, content));
        assert_eq!(
            breach(&header(&[0])),
            (
                "EncryptedExtensions",
                "extensions.extension_type",
                DecodeProblem::Truncated
            )
        );
        assert_eq!(
            breach(&header(&[0, 16])).1,
            "application_layer_protocol_negotiation"
        );
        assert_eq!(
            breach(&header(&[0x1a, 0x2a, 0])),
            (
                "EncryptedExtensions",
                "extensions.extension_data",
                DecodeProblem::Truncated
            )
        );
        assert_eq!(
            breach(&header(&[0x1a, 0x2a, 0, 1])).2,
            DecodeProblem::Truncated
        );
    }

    /// As many extensions as a block can hold: the search for duplicates must not take quadratic
    /// time.
    #[test]
    fn a_block_full_of_extensions_is_read_in_one_pass() {
        let types: Vec<(ExtensionType, &[u8])> = (0..16383)
            .map(|n| (ExtensionType(1000 + n), &[][..]))
            .collect();
        let Message::ClientHello(hello) =
            round_trip(message_with(Place::ClientHello, &types).leak())
        else {
            panic!("not a ClientHello")
        };
        assert_eq!(hello.extensions.unwrap().len(), 16383);
        let mut types = types;
        types[16382].0 = types[0].0;
        assert!(matches!(
            fault(&message_with(Place::ClientHello, &types)),
            Fault::DuplicateExtension { .. }
        ));
    }
}
