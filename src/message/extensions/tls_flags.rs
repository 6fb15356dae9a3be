//! tls_flags (draft-ietf-tls-tlsflags): optional features, one bit for each.
//!
//! ```text
//! struct {
//!     opaque flags<0..255>;
//! } FlagExtensions;
//! ```

use crate::code_point::EXTENDED_KEY_UPDATE_FLAG;
use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

/// The flags that are set. Flag 0 is the lowest bit of the first byte. The last byte is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsFlags<'a>(&'a [u8]);

/// The flag of the extended key update alone.
static EXTENDED_KEY_UPDATE: [u8; EXTENDED_KEY_UPDATE_FLAG / 8 + 1] = {
    let mut flags = [0; EXTENDED_KEY_UPDATE_FLAG / 8 + 1];
    flags[EXTENDED_KEY_UPDATE_FLAG / 8] = 1 << (EXTENDED_KEY_UPDATE_FLAG % 8);
    flags
};

impl<'a> TlsFlags<'a> {
    /// Sets the one flag that we know.
    pub(crate) fn extended_key_update() -> TlsFlags<'static> {
        TlsFlags(&EXTENDED_KEY_UPDATE)
    }

    /// Reads them. "An implementation that receives an all-zero value for this extension or a value
    /// that contains trailing zero bytes MUST generate a fatal illegal_parameter alert."
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        match r.vec8("tls_flags.flags", ..)? {
            [.., 0] | [] => Err(Illegal::TlsFlags.into()),
            flags => Ok(Self(flags)),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.opaque8(self.0);
    }

    /// Returns true if this flag is set.
    pub(crate) fn has(&self, flag: usize) -> bool {
        let byte = self.0.get(flag / 8).copied().unwrap_or_default();
        byte & (1 << (flag % 8)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::{AlertDescription, ExtensionType};
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{extension, fault, hex, message_with};

    const TYPE: ExtensionType = ExtensionType::TLS_FLAGS;

    fn flags(data: &str) -> TlsFlags<'static> {
        match extension(Place::ClientHello, TYPE, data) {
            Message::ClientHello(hello) => hello.tls_flags().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The examples of the draft: flag 0; flags 1 and 5; flags 3, 5 and 23.
    #[test]
    fn flags_are_bits() {
        for (data, set) in [
            ("01 01", &[0][..]),
            ("01 22", &[1, 5]),
            ("03 28 00 80", &[3, 5, 23]),
        ] {
            let flags = flags(data);
            for flag in 0..2048 {
                assert_eq!(flags.has(flag), set.contains(&flag), "{flag} in {data}");
            }
        }
    }

    #[test]
    fn our_own_flag_is_the_only_one() {
        let own = TlsFlags::extended_key_update();
        for flag in 0..2048 {
            assert_eq!(own.has(flag), flag == EXTENDED_KEY_UPDATE_FLAG);
        }
        assert_ne!(own.0.last(), Some(&0));
    }

    #[test]
    fn no_flags_and_zeros_at_the_end_are_refused() {
        for data in ["00", "01 00", "02 01 00", "03 00 00 00"] {
            for place in [Place::ClientHello, Place::EncryptedExtensions] {
                let fault = fault(&message_with(place, &[(TYPE, &hex(data))]));
                assert!(
                    matches!(fault, Fault::Illegal(Illegal::TlsFlags)),
                    "{fault}"
                );
                assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
            }
        }
    }
}
