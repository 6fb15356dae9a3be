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
//! A binder covers the ClientHello up to the list of binders, with all lengths as if the list were
//! there. So a client encodes its hello with binders of the right lengths, hashes all but the last
//! [`OfferedPsks::binders_len`] bytes, and inserts the binders. This is why pre_shared_key is the
//! last extension.

use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

/// The name of a PSK, and its age.
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
    /// Milliseconds since the ticket was received, plus its ticket_age_add, modulo 2^32 (RFC 9846,
    /// 4.3.11.1).
    pub(crate) obfuscated_ticket_age: u32,
}

/// The PSKs that a client offers, each with a proof that the client has it.
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
        let binders = r
            .list16("pre_shared_key.binders", 33..)?
            .items(|r| r.vec8("pre_shared_key.binders.entry", 32..))?;
        // RFC 9846, 4.3.11: one binder for each identity, in the same order.
        if identities.len() != binders.len() {
            return Err(Illegal::BinderCount {
                identities: identities.len(),
                binders: binders.len(),
            }
            .into());
        }
        Ok(Self {
            identities,
            binders,
        })
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

    /// Returns the length in bytes of the list of binders, including the length before it: the part
    /// that a binder does not cover (RFC 9846, 4.3.11.2).
    pub(crate) fn binders_len(&self) -> usize {
        self.binders
            .iter()
            .fold(2, |length, binder| length + 1 + binder.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::{AlertDescription, ExtensionType};
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, fault, hex, message_with};

    const TYPE: ExtensionType = ExtensionType::PRE_SHARED_KEY;

    /// Two identities, one with a binder of the shortest length and one with a longer binder.
    fn offer() -> String {
        let identities = "0010  0001 aa 00000001  0003 b1b2b3 fffffffe";
        format!(
            "{identities}  0052  20 {}  30 {}",
            "11".repeat(32),
            "22".repeat(48)
        )
    }

    #[test]
    fn an_offer() {
        let Message::ClientHello(hello) = extension(Place::ClientHello, TYPE, &offer()) else {
            panic!("not a ClientHello")
        };
        let expected = OfferedPsks {
            identities: vec![
                PskIdentity {
                    identity: &[0xaa],
                    obfuscated_ticket_age: 1,
                },
                PskIdentity {
                    identity: &[0xb1, 0xb2, 0xb3],
                    obfuscated_ticket_age: 0xffff_fffe,
                },
            ],
            binders: vec![&[0x11; 32], &[0x22; 48]],
        };
        assert_eq!(hello.pre_shared_key(), Some(&expected));
        // RFC 9846, 4.3.11.2: the list of binders is cut off, with the two bytes of its length.
        assert_eq!(hello.binders_len(), 2 + 1 + 32 + 1 + 48);
        let encoded = hello.encode().unwrap();
        assert!(encoded[..encoded.len() - hello.binders_len()].ends_with(&hex("b1b2b3 fffffffe")));
    }

    #[test]
    fn an_answer() {
        let Message::ServerHello(hello) = extension(Place::ServerHello, TYPE, "0102") else {
            panic!("not a ServerHello")
        };
        assert_eq!(hello.pre_shared_key(), Some(0x0102));
    }

    #[test]
    fn lengths_out_of_range() {
        let refused = |data: &str| {
            let (_, field, problem) =
                breach(&message_with(Place::ClientHello, &[(TYPE, &hex(data))]));
            (field, problem)
        };
        let (identity, binder) = (
            "0007 0001 aa 00000000",
            format!("0021 20 {}", "11".repeat(32)),
        );
        // identities<7..2^16-1>
        assert_eq!(
            refused(&format!("0000 {binder}")),
            ("pre_shared_key.identities", DecodeProblem::Empty)
        );
        assert_eq!(
            refused(&format!("0006 0000 00000000 {binder}")),
            ("pre_shared_key.identities", DecodeProblem::Length)
        );
        // identity<1..2^16-1>
        let two = "000d 0001 aa 00000000 0000 00000000";
        assert_eq!(
            refused(&format!("{two} {binder}")),
            ("pre_shared_key.identities.identity", DecodeProblem::Empty)
        );
        // binders<33..2^16-1>
        assert_eq!(
            refused(&format!("{identity} 0000")),
            ("pre_shared_key.binders", DecodeProblem::Empty)
        );
        assert_eq!(
            refused(&format!("{identity} 0020 1f {}", "11".repeat(31))),
            ("pre_shared_key.binders", DecodeProblem::Length)
        );
        // PskBinderEntry<32..255>
        let short = format!("0022 1f {} 01 11", "11".repeat(31));
        assert_eq!(
            refused(&format!("{identity} {short}")),
            ("pre_shared_key.binders.entry", DecodeProblem::Length)
        );
    }

    /// RFC 9846, 4.3.11: binders are "one for each value in the identities list".
    #[test]
    fn as_many_binders_as_identities() {
        let one = format!("20 {}", "11".repeat(32));
        for data in [
            format!("0007 0001 aa 00000000  0042 {one} {one}"),
            format!("000e 0001 aa 00000000 0001 bb 00000000 0021 {one}"),
        ] {
            let fault = fault(&message_with(Place::ClientHello, &[(TYPE, &hex(&data))]));
            assert!(
                matches!(
                    fault,
                    Fault::Illegal(Illegal::BinderCount { identities, binders })
                        if identities != binders
                ),
                "{fault}"
            );
            assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
        }
    }

    /// RFC 9846, 4.3.11: "Servers MUST check that it is the last extension and otherwise fail [...]
    /// with an illegal_parameter alert."
    #[test]
    fn stands_last_in_a_client_hello_and_anywhere_in_a_server_hello() {
        let (psk, modes) = (hex(&offer()), hex("01 01"));
        let modes: (_, &[u8]) = (ExtensionType::PSK_KEY_EXCHANGE_MODES, &modes);
        assert!(Message::decode(&message_with(Place::ClientHello, &[modes, (TYPE, &psk)])).is_ok());
        for after in [modes, (ExtensionType(0x1a1a), &[])] {
            let fault = fault(&message_with(Place::ClientHello, &[(TYPE, &psk), after]));
            assert!(
                matches!(fault, Fault::Illegal(Illegal::PskNotLast)),
                "{fault}"
            );
            assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
        }
        let versions: (_, &[u8]) = (ExtensionType::SUPPORTED_VERSIONS, &[3, 4]);
        assert!(
            Message::decode(&message_with(
                Place::ServerHello,
                &[(TYPE, &[0, 0]), versions]
            ))
            .is_ok()
        );
    }
}
