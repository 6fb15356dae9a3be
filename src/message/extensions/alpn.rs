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

/// What a client offers, in the order of its preference.
pub(crate) fn read_offer<'a>(r: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Fault> {
    r.list16(LIST, 2..)?.items(|r| r.vec8(NAME, 1..))
}

pub(crate) fn write_offer(protocols: &[&[u8]], w: &mut Writer) {
    w.vec16(|w| protocols.iter().for_each(|name| w.opaque8(name)));
}

/// What a server chose.
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
