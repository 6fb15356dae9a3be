//! key_share (RFC 9846, 4.3.8).
//!
//! ```text
//! struct {
//!     KeyShareEntry client_shares<0..2^16-1>;
//! } KeyShareClientHello;
//!
//! struct {
//!     NamedGroup selected_group;
//! } KeyShareHelloRetryRequest;
//!
//! struct {
//!     KeyShareEntry server_share;
//! } KeyShareServerHello;
//! ```
//!
//! The handshake and the group check whether shares repeat a group, follow the order of
//! supported_groups and have the right length.

use crate::code_point::NamedGroup;
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

/// The public half of one side's key for one group.
///
/// ```text
/// struct {
///     NamedGroup group;
///     opaque key_exchange<1..2^16-1>;
/// } KeyShareEntry;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyShareEntry<'a> {
    pub(crate) group: NamedGroup,
    /// The bytes that the group defines: 32 for X25519.
    pub(crate) key_exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            group: NamedGroup(r.u16("key_share.group")?),
            key_exchange: r.vec16("key_share.key_exchange", 1..)?,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.group.0);
        w.opaque16(self.key_exchange);
    }
}

/// Reads a ClientHello's shares. The list may be empty, which asks for a HelloRetryRequest.
pub(crate) fn read_client_shares<'a>(r: &mut Reader<'a>) -> Result<Vec<KeyShareEntry<'a>>, Fault> {
    r.list16("key_share.client_shares", ..)?
        .items(KeyShareEntry::read)
}

pub(crate) fn write_client_shares(shares: &[KeyShareEntry<'_>], w: &mut Writer) {
    w.vec16(|w| shares.iter().for_each(|share| share.write(w)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::ExtensionType;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, hex, message_of_tls13_with, message_with};

    const TYPE: ExtensionType = ExtensionType::KEY_SHARE;

    #[test]
    fn a_clients_shares() {
        let Message::ClientHello(hello) = extension(
            Place::ClientHello,
            TYPE,
            "000c 001d 0003 a1a2a3 0017 0001 b1",
        ) else {
            panic!("not a ClientHello")
        };
        let expected = [
            KeyShareEntry {
                group: NamedGroup::X25519,
                key_exchange: &[0xa1, 0xa2, 0xa3],
            },
            KeyShareEntry {
                group: NamedGroup::SECP256R1,
                key_exchange: &[0xb1],
            },
        ];
        assert_eq!(hello.key_share(), Some(&expected[..]));
    }

    /// RFC 9846, 4.3.8: "This list MAY be empty if the client is requesting a HelloRetryRequest."
    #[test]
    fn a_client_may_send_no_share() {
        let Message::ClientHello(hello) = extension(Place::ClientHello, TYPE, "0000") else {
            panic!("not a ClientHello")
        };
        assert_eq!(hello.key_share(), Some(&[][..]));
    }

    #[test]
    fn a_servers_share() {
        let Message::ServerHello(hello) = extension(Place::ServerHello, TYPE, "001d 0002 a1a2")
        else {
            panic!("not a ServerHello")
        };
        assert_eq!(
            hello.key_share(),
            Some(&KeyShareEntry {
                group: NamedGroup::X25519,
                key_exchange: &[0xa1, 0xa2]
            })
        );
    }

    #[test]
    fn the_group_of_a_retry() {
        let Message::HelloRetryRequest(retry) = extension(Place::HelloRetryRequest, TYPE, "001d")
        else {
            panic!("not a retry")
        };
        assert_eq!(retry.key_share(), Some(NamedGroup::X25519));
    }

    /// `opaque key_exchange<1..2^16-1>;`
    #[test]
    fn a_share_is_not_empty() {
        let bytes = message_with(Place::ClientHello, &[(TYPE, &hex("0004 001d 0000"))]);
        assert_eq!(
            breach(&bytes),
            (
                "ClientHello",
                "key_share.key_exchange",
                DecodeProblem::Empty
            )
        );
        let bytes = message_of_tls13_with(Place::ServerHello, TYPE, &hex("001d 0000"));
        assert_eq!(
            breach(&bytes),
            (
                "ServerHello",
                "key_share.key_exchange",
                DecodeProblem::Empty
            )
        );
    }
}
