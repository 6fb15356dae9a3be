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
//! Whether shares repeat a group, stand in the order of supported_groups or have the right length is for the handshake and the group to say.

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
    /// As the group defines it: 32 bytes for X25519.
    pub(crate) key_exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self { group: NamedGroup(r.u16("key_share.group")?), key_exchange: r.vec16("key_share.key_exchange", 1..)? })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.group.0);
        w.opaque16(self.key_exchange);
    }
}

/// A ClientHello's shares. The list may be empty, which asks for a HelloRetryRequest.
pub(crate) fn read_client_shares<'a>(r: &mut Reader<'a>) -> Result<Vec<KeyShareEntry<'a>>, Fault> {
    r.list16("key_share.client_shares", ..)?.items(KeyShareEntry::read)
}

pub(crate) fn write_client_shares(shares: &[KeyShareEntry<'_>], w: &mut Writer) {
    w.vec16(|w| shares.iter().for_each(|share| share.write(w)));
}
