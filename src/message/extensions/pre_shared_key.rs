//! pre_shared_key (RFC 9846, 4.3.11).
//!
//! ```text
//! struct {
//!     select (Handshake.msg_type) {
//!         case client_hello: OfferedPsks;
//!         case server_hello: uint16 selected_identity;
//!     };
//! } PreSharedKeyExtension;
//! ```
//!
//! A binder is made over the ClientHello up to the list of binders, with all lengths as if the list were there. So a client encodes
//! its hello with binders of the right lengths, hashes all but the last [`OfferedPsks::binders_len`] bytes, and puts the binders in
//! their place; pre_shared_key is the last extension for that.

use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

/// The name of a PSK, and how old it is.
///
/// ```text
/// struct {
///     opaque identity<1..2^16-1>;
///     uint32 obfuscated_ticket_age;
/// } PskIdentity;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PskIdentity<'a> {
    /// A ticket, or a label agreed upon outside of TLS.
    pub(crate) identity: &'a [u8],
    /// Milliseconds since the ticket came, plus its ticket_age_add, modulo 2^32 (RFC 9846, 4.3.11.1).
    pub(crate) obfuscated_ticket_age: u32,
}

/// The PSKs a client offers, and a proof for each that it holds it.
///
/// ```text
/// opaque PskBinderEntry<32..255>;
///
/// struct {
///     PskIdentity identities<7..2^16-1>;
///     PskBinderEntry binders<33..2^16-1>;
/// } OfferedPsks;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfferedPsks<'a> {
    pub(crate) identities: Vec<PskIdentity<'a>>,
    /// As many as identities, in the same order.
    pub(crate) binders: Vec<&'a [u8]>,
}

impl<'a> OfferedPsks<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let identities = r.list16("pre_shared_key.identities", 7..)?.items(|r| {
            Ok(PskIdentity {
                identity: r.vec16("pre_shared_key.identities.identity", 1..)?,
                obfuscated_ticket_age: r.u32("pre_shared_key.identities.obfuscated_ticket_age")?,
            })
        })?;
        let binders = r.list16("pre_shared_key.binders", 33..)?.items(|r| r.vec8("pre_shared_key.binders.entry", 32..))?;
        // RFC 9846, 4.3.11: one binder for each identity, in the same order.
        if identities.len() != binders.len() {
            return Err(Illegal::BinderCount { identities: identities.len(), binders: binders.len() }.into());
        }
        Ok(Self { identities, binders })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.vec16(|w| {
            for identity in &self.identities {
                w.opaque16(identity.identity);
                w.u32(identity.obfuscated_ticket_age);
            }
        });
        w.vec16(|w| self.binders.iter().for_each(|binder| w.opaque8(binder)));
    }

    /// How many bytes the list of binders takes, with the length before it: what a binder does not cover (RFC 9846, 4.3.11.2).
    pub(crate) fn binders_len(&self) -> usize {
        self.binders.iter().fold(2, |length, binder| length + 1 + binder.len())
    }
}
