//! CertificateVerify (RFC 9846, 4.5.2): the proof that the sender has the key of its certificate.

use crate::code_point::{HandshakeType, SignatureScheme};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

/// A signature over the handshake so far.
///
/// ```text
/// struct {
///     SignatureScheme algorithm;
///     opaque signature<0..2^16-1>;
/// } CertificateVerify;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateVerify<'a> {
    pub(crate) algorithm: SignatureScheme,
    pub(crate) signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    pub(crate) const NAME: &'static str = "CertificateVerify";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(Self {
            algorithm: SignatureScheme(r.u16("algorithm")?),
            signature: r.vec16("signature", ..)?,
        })
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::CERTIFICATE_VERIFY, Self::NAME, |w| {
            w.u16(self.algorithm.0);
            w.opaque16(self.signature);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::message::testing::{bytes, whole_message};

    #[test]
    fn a_whole_one() {
        let message = whole_message(
            bytes("0f 000007  0807  0003 515253"),
            "CertificateVerify",
            |_| false,
        );
        let expected = CertificateVerify {
            algorithm: SignatureScheme::ED25519,
            signature: &[0x51, 0x52, 0x53],
        };
        assert_eq!(message, Message::CertificateVerify(expected));
    }

    /// `opaque signature<0..2^16-1>;`: the syntax allows an empty signature, which then fails to
    /// verify.
    #[test]
    fn an_empty_signature_is_read() {
        whole_message(bytes("0f 000004  0807  0000"), "CertificateVerify", |_| {
            false
        });
    }
}
