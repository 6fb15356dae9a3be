//! certificate_authorities (RFC 9846, 4.3.4): the authorities whose certificates an endpoint
//! prefers.
//!
//! ```text
//! opaque DistinguishedName<1..2^16-1>;
//!
//! struct {
//!     DistinguishedName authorities<3..2^16-1>;
//! } CertificateAuthoritiesExtension;
//! ```
//!
//! The names are DER, which is not parsed here.

use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Fault> {
    r.list16("certificate_authorities.authorities", 3..)?
        .items(|r| r.vec16("certificate_authorities.authorities.name", 1..))
}

pub(crate) fn write(authorities: &[&[u8]], w: &mut Writer) {
    w.vec16(|w| authorities.iter().for_each(|name| w.opaque16(name)));
}

#[cfg(test)]
mod tests {
    use crate::code_point::ExtensionType;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, hex, message_with};

    const TYPE: ExtensionType = ExtensionType::CERTIFICATE_AUTHORITIES;

    #[test]
    fn in_both_messages_that_have_it() {
        let data = "0007 0002 3000 0001 31";
        let expected = [&[0x30, 0x00][..], &[0x31]];
        let Message::ClientHello(hello) = extension(Place::ClientHello, TYPE, data) else {
            panic!("not a ClientHello")
        };
        assert_eq!(hello.certificate_authorities(), Some(&expected[..]));
        let Message::CertificateRequest(request) = extension(Place::CertificateRequest, TYPE, data)
        else {
            panic!("not a request")
        };
        assert_eq!(request.certificate_authorities(), Some(&expected[..]));
    }

    /// `authorities<3..2^16-1>` of `DistinguishedName<1..2^16-1>`
    #[test]
    fn neither_list_nor_names_are_empty() {
        let refused = |data: &str| {
            breach(&message_with(
                Place::CertificateRequest,
                &[(TYPE, &hex(data))],
            ))
        };
        assert_eq!(
            refused("0000"),
            (
                "CertificateRequest",
                "certificate_authorities.authorities",
                DecodeProblem::Empty
            )
        );
        assert_eq!(
            refused("0002 0000"),
            (
                "CertificateRequest",
                "certificate_authorities.authorities",
                DecodeProblem::Length
            )
        );
        assert_eq!(
            refused("0005 0001 30 0000").1,
            "certificate_authorities.authorities.name"
        );
    }
}
