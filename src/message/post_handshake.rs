//! NewSessionTicket and KeyUpdate (RFC 9846, 4.7): the messages after the handshake.

use crate::code_point::{ExtensionType, HandshakeType};
use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};
use crate::message::extensions::block::{self, Extension};
use crate::message::extensions::placement::Place;

/// A ticket with which the client can resume the session.
///
/// ```text
/// struct {
///     uint32 ticket_lifetime;
///     uint32 ticket_age_add;
///     opaque ticket_nonce<0..255>;
///     opaque ticket<1..2^16-1>;
///     Extension extensions<0..2^16-1>;
/// } NewSessionTicket;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSessionTicket<'a> {
    /// In seconds, at most 604800. The client checks that.
    pub(crate) ticket_lifetime: u32,
    /// Added to the ticket's age, in milliseconds, when the ticket is used.
    pub(crate) ticket_age_add: u32,
    /// Different for each ticket of a connection.
    pub(crate) ticket_nonce: &'a [u8],
    pub(crate) ticket: &'a [u8],
    pub(crate) extensions: Vec<TicketExtension<'a>>,
}

/// The extensions of a NewSessionTicket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TicketExtension<'a> {
    /// RFC 9846, 4.3.10: `uint32 max_early_data_size;`
    EarlyData { max_early_data_size: u32 },
    /// Any other, which a client must ignore.
    Unknown {
        extension_type: ExtensionType,
        data: &'a [u8],
    },
}

/// Announces that the sender's next records are protected with its next keys.
///
/// ```text
/// struct {
///     KeyUpdateRequest request_update;
/// } KeyUpdate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUpdate {
    pub(crate) request_update: KeyUpdateRequest,
}

/// Whether the receiver should renew its keys too.
///
/// ```text
/// enum {
///     update_not_requested(0), update_requested(1), (255)
/// } KeyUpdateRequest;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUpdateRequest {
    NotRequested,
    Requested,
}

impl<'a> NewSessionTicket<'a> {
    pub(crate) const NAME: &'static str = "NewSessionTicket";

    /// The longest that its syntax allows, in bytes, with its handshake header.
    pub(crate) const MAX_LEN: usize = 4 + 4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65535);

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            ticket_lifetime: r.u32("ticket_lifetime")?,
            ticket_age_add: r.u32("ticket_age_add")?,
            ticket_nonce: r.vec8("ticket_nonce", ..)?,
            ticket: r.vec16("ticket", 1..)?,
            extensions: block::read(r)?,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::NEW_SESSION_TICKET, Self::NAME, |w| {
            w.u32(self.ticket_lifetime);
            w.u32(self.ticket_age_add);
            w.opaque8(self.ticket_nonce);
            w.opaque16(self.ticket);
            block::write(&self.extensions, w);
        })
    }

    /// Returns max_early_data_size in bytes. `None` if the ticket allows no early data.
    pub(crate) fn early_data(&self) -> Option<u32> {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                TicketExtension::EarlyData {
                    max_early_data_size,
                } => Some(*max_early_data_size),
                TicketExtension::Unknown { .. } => None,
            })
    }
}

impl<'a> Extension<'a> for TicketExtension<'a> {
    const PLACE: Place = Place::NewSessionTicket;

    fn read(extension_type: ExtensionType, r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        Ok(match extension_type {
            ExtensionType::EARLY_DATA => Some(Self::EarlyData {
                max_early_data_size: r.u32("early_data.max_early_data_size")?,
            }),
            _ => None,
        })
    }

    fn unknown(extension_type: ExtensionType, data: &'a [u8]) -> Self {
        Self::Unknown {
            extension_type,
            data,
        }
    }

    fn extension_type(&self) -> ExtensionType {
        match self {
            Self::EarlyData { .. } => ExtensionType::EARLY_DATA,
            Self::Unknown { extension_type, .. } => *extension_type,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::EarlyData {
                max_early_data_size,
            } => w.u32(*max_early_data_size),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

impl KeyUpdate {
    pub(crate) const NAME: &'static str = "KeyUpdate";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let request_update = match r.u8("request_update")? {
            0 => KeyUpdateRequest::NotRequested,
            1 => KeyUpdateRequest::Requested,
            // RFC 9846, 4.7.3: any other value is an illegal_parameter.
            other => return Err(Illegal::KeyUpdateRequest(other).into()),
        };
        Ok(Self { request_update })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::KEY_UPDATE, Self::NAME, |w| {
            w.u8(match self.request_update {
                KeyUpdateRequest::NotRequested => 0,
                KeyUpdateRequest::Requested => 1,
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::testing::{breach, bytes, extension, fault, hex, message, whole_message};

    #[test]
    fn a_whole_ticket() {
        let bytes =
            bytes("04 00001a  00093a80 a1b2c3d4  02 0001  0003 717273  0008  002a 0004 00004000");
        let Message::NewSessionTicket(ticket) = whole_message(bytes, "NewSessionTicket", |_| false)
        else {
            panic!("not a ticket")
        };
        assert_eq!(
            ticket,
            NewSessionTicket {
                ticket_lifetime: 604_800,
                ticket_age_add: 0xa1b2_c3d4,
                ticket_nonce: &[0, 1],
                ticket: &[0x71, 0x72, 0x73],
                extensions: vec![TicketExtension::EarlyData {
                    max_early_data_size: 0x4000
                }],
            }
        );
        assert_eq!(ticket.early_data(), Some(0x4000));
    }

    #[test]
    fn a_ticket_for_early_data() {
        extension(
            Place::NewSessionTicket,
            ExtensionType::EARLY_DATA,
            "ffffffff",
        );
    }

    /// `opaque ticket<1..2^16-1>;`
    #[test]
    fn a_ticket_is_not_empty() {
        let bytes = message(4, &hex("00000000 00000000 00 0000 0000"));
        assert_eq!(
            breach(&bytes),
            ("NewSessionTicket", "ticket", DecodeProblem::Empty)
        );
        whole_message(
            self::bytes("04 00000e  00000000 00000000  00  0001 71  0000"),
            "NewSessionTicket",
            |_| false,
        );
    }

    #[test]
    fn key_updates() {
        let update = |request_update| Message::KeyUpdate(KeyUpdate { request_update });
        assert_eq!(
            whole_message(bytes("18 000001 00"), "KeyUpdate", |_| false),
            update(KeyUpdateRequest::NotRequested)
        );
        assert_eq!(
            whole_message(bytes("18 000001 01"), "KeyUpdate", |_| false),
            update(KeyUpdateRequest::Requested)
        );
    }

    /// RFC 9846, 4.7.3: "If an implementation receives any other value, it MUST terminate the
    /// connection with an illegal_parameter alert."
    #[test]
    fn any_other_key_update_is_refused() {
        for value in 2..=255 {
            let fault = fault(&message(24, &[value]));
            assert!(
                matches!(fault, Fault::Illegal(Illegal::KeyUpdateRequest(got)) if got == value),
                "{fault}"
            );
            assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
        }
    }
}
