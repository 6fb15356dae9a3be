//! certificate_authorities (RFC 9846, 4.3.4): whose certificates an endpoint would like to see.
//!
//! ```text
//! opaque DistinguishedName<1..2^16-1>;
//!
//! struct {
//!     DistinguishedName authorities<3..2^16-1>;
//! } CertificateAuthoritiesExtension;
//! ```
//!
//! The names are DER; they are not looked into here.

use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Fault> {
    r.list16("certificate_authorities.authorities", 3..)?.items(|r| r.vec16("certificate_authorities.authorities.name", 1..))
}

pub(crate) fn write(authorities: &[&[u8]], w: &mut Writer) {
    w.vec16(|w| authorities.iter().for_each(|name| w.opaque16(name)));
}
