//! application_layer_protocol_negotiation (RFC 7301, section 3.1).
//!
//! ```text
//! opaque ProtocolName<1..2^8-1>;
//!
//! struct {
//!     ProtocolName protocol_name_list<2..2^16-1>
//! } ProtocolNameList;
//! ```

use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

const LIST: &str = "application_layer_protocol_negotiation.protocol_name_list";
const NAME: &str = "application_layer_protocol_negotiation.protocol_name";

/// Reads what a client offers, in its order of preference.
pub(crate) fn read_offer<'a>(r: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Fault> {
    r.list16(LIST, 2..)?.items(|r| r.vec8(NAME, 1..))
}

pub(crate) fn write_offer(protocols: &[&[u8]], w: &mut Writer) {
    w.vec16(|w| protocols.iter().for_each(|name| w.opaque8(name)));
}

/// Reads what a server chose.
pub(crate) fn read_answer<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let mut list = r.list16(LIST, 2..)?;
    let name = list.vec8(NAME, 1..)?;
    // RFC 7301, 3.1: an answer must contain exactly one ProtocolName.
    list.end(LIST)?;
    Ok(name)
}

pub(crate) fn write_answer(protocol: &[u8], w: &mut Writer) {
    write_offer(&[protocol], w);
}

#[cfg(test)]
mod tests {
    use crate::code_point::ExtensionType;
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, hex, message_with};

    const TYPE: ExtensionType = ExtensionType::ALPN;

    fn refused(place: Place, data: &str) -> (&'static str, DecodeProblem) {
        let (_, field, problem) = breach(&message_with(place, &[(TYPE, &hex(data))]));
        (field, problem)
    }

    #[test]
    fn an_offer() {
        let Message::ClientHello(hello) =
            extension(Place::ClientHello, TYPE, "000c 02 6832 08 687474702f312e31")
        else {
            panic!("not a ClientHello")
        };
        assert_eq!(hello.alpn(), Some(&[&b"h2"[..], b"http/1.1"][..]));
    }

    #[test]
    fn an_answer() {
        let Message::EncryptedExtensions(answer) =
            extension(Place::EncryptedExtensions, TYPE, "0003 02 6832")
        else {
            panic!("not EncryptedExtensions")
        };
        assert_eq!(answer.alpn(), Some(&b"h2"[..]));
    }

    /// RFC 7301, 3.1: the list of an answer "MUST contain exactly one ProtocolName".
    #[test]
    fn an_answer_of_two_is_refused() {
        let list = "application_layer_protocol_negotiation.protocol_name_list";
        assert_eq!(
            refused(Place::EncryptedExtensions, "0005 02 6832 01 78"),
            (list, DecodeProblem::TrailingBytes)
        );
        assert_eq!(
            refused(Place::EncryptedExtensions, "0000"),
            (list, DecodeProblem::Empty)
        );
    }

    /// `opaque ProtocolName<1..2^8-1>; ProtocolName protocol_name_list<2..2^16-1>`
    #[test]
    fn neither_list_nor_names_are_empty() {
        let list = "application_layer_protocol_negotiation.protocol_name_list";
        let name = "application_layer_protocol_negotiation.protocol_name";
        assert_eq!(
            refused(Place::ClientHello, "0000"),
            (list, DecodeProblem::Empty)
        );
        assert_eq!(
            refused(Place::ClientHello, "0001 00"),
            (list, DecodeProblem::Length)
        );
        assert_eq!(
            refused(Place::ClientHello, "0004 02 6832 00"),
            (name, DecodeProblem::Empty)
        );
        assert_eq!(
            refused(Place::EncryptedExtensions, "0002 00 00"),
            (name, DecodeProblem::Empty)
        );
    }
}
