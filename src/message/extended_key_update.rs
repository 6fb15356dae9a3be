//! ExtendedKeyUpdate (draft-ietf-tls-extended-key-update): a key exchange inside a connection.

use crate::code_point::HandshakeType;
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::key_share::KeyShareEntry;

/// One of the three messages of an extended key update.
///
/// ```text
/// enum {
///    key_update_request(0), key_update_response(1), key_update_finish(2), (255)
/// } ExtendedKeyUpdateType;
///
/// struct {
///    ExtendedKeyUpdateType eku_type;
///    select (eku_type) {
///       case key_update_request:  KeyShareEntry key_share;
///       case key_update_response: KeyShareEntry key_share;
///       case key_update_finish:   /* empty */
///    };
/// } ExtendedKeyUpdate;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExtendedKeyUpdate<'a> {
    /// The initiator's share.
    Request(KeyShareEntry<'a>),
    /// The responder's share. Its next record is under its new key.
    Response(KeyShareEntry<'a>),
    /// The initiator's next record is under its new key.
    Finish,
}

impl<'a> ExtendedKeyUpdate<'a> {
    pub(crate) const NAME: &'static str = "ExtendedKeyUpdate";

    /// The longest body that its syntax allows, in bytes.
    pub(crate) const MAX_LEN: usize = 1 + 2 + (2 + 65535);

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(match r.u8("eku_type")? {
            0 => Self::Request(KeyShareEntry::read(r)?),
            1 => Self::Response(KeyShareEntry::read(r)?),
            2 => Self::Finish,
            // "A TLS peer which receives a ExtendedKeyUpdate with an unexpected message subtype
            // MUST abort the connection with an "unexpected_message" alert."
            _ => {
                return Err(Fault::Unexpected {
                    expected: "an ExtendedKeyUpdate of type 0, 1 or 2",
                    got: "an ExtendedKeyUpdate of another type",
                });
            }
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::EXTENDED_KEY_UPDATE, Self::NAME, |w| {
            let (eku_type, share) = match self {
                Self::Request(share) => (0, Some(share)),
                Self::Response(share) => (1, Some(share)),
                Self::Finish => (2, None),
            };
            w.u8(eku_type);
            if let Some(share) = share {
                share.write(w);
            }
        })
    }

    /// Returns the name of the message with its type, for an error.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "an ExtendedKeyUpdate that requests",
            Self::Response(_) => "an ExtendedKeyUpdate that responds",
            Self::Finish => "an ExtendedKeyUpdate that finishes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::{AlertDescription, NamedGroup};
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::testing::{breach, bytes, fault, hex, message, whole_message};

    #[test]
    fn the_three_messages() {
        let share = KeyShareEntry {
            group: NamedGroup::X25519,
            key_exchange: &[0xa1, 0xa2, 0xa3],
        };
        for (text, expected) in [
            (
                "f0 000008  00  001d 0003 a1a2a3",
                ExtendedKeyUpdate::Request(share.clone()),
            ),
            (
                "f0 000008  01  001d 0003 a1a2a3",
                ExtendedKeyUpdate::Response(share),
            ),
            ("f0 000001  02", ExtendedKeyUpdate::Finish),
        ] {
            let message = whole_message(bytes(text), "ExtendedKeyUpdate", |_| false);
            assert_eq!(message, Message::ExtendedKeyUpdate(expected));
        }
    }

    #[test]
    fn any_other_type_is_unexpected() {
        for eku_type in 3..=255 {
            let fault = fault(&message(0xf0, &[eku_type]));
            assert!(matches!(fault, Fault::Unexpected { .. }), "{fault}");
            assert_eq!(fault.alert(), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }

    #[test]
    fn a_finish_with_a_share_and_a_request_without_one_are_refused() {
        assert_eq!(
            breach(&message(0xf0, &hex("02 001d 0001 a1"))),
            ("ExtendedKeyUpdate", "length", DecodeProblem::TrailingBytes)
        );
        assert_eq!(
            breach(&message(0xf0, &hex("00"))),
            (
                "ExtendedKeyUpdate",
                "key_share.group",
                DecodeProblem::Truncated
            )
        );
        assert_eq!(
            breach(&message(0xf0, &hex("01 001d 0000"))),
            (
                "ExtendedKeyUpdate",
                "key_share.key_exchange",
                DecodeProblem::Empty
            )
        );
    }
}
