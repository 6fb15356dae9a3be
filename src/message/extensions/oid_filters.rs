//! oid_filters (RFC 9846, 4.3.5): what a server wants to see in the extensions of a client's certificate.
//!
//! ```text
//! struct {
//!     OIDFilter filters<0..2^16-1>;
//! } OIDFilterExtension;
//! ```

use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

/// One certificate extension and the values it must have.
///
/// ```text
/// struct {
///     opaque certificate_extension_oid<1..2^8-1>;
///     opaque certificate_extension_values<0..2^16-1>;
/// } OIDFilter;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OidFilter<'a> {
    /// The extension's object identifier, in DER.
    pub(crate) certificate_extension_oid: &'a [u8],
    /// The values it must contain, in DER.
    pub(crate) certificate_extension_values: &'a [u8],
}

pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<Vec<OidFilter<'a>>, Fault> {
    let filters = r.list16("oid_filters.filters", ..)?.items(|r| {
        Ok(OidFilter {
            certificate_extension_oid: r.vec8("oid_filters.filters.certificate_extension_oid", 1..)?,
            certificate_extension_values: r.vec16("oid_filters.filters.certificate_extension_values", ..)?,
        })
    })?;
    // RFC 9846, 4.3.5: any given OID must not appear more than once. Sorted first, so that a long list is not compared with itself.
    let mut oids: Vec<_> = filters.iter().map(|filter| filter.certificate_extension_oid).collect();
    oids.sort_unstable();
    if oids.iter().zip(oids.iter().skip(1)).any(|(one, next)| one == next) {
        return Err(Illegal::DuplicateEntry { list: "oid_filters" }.into());
    }
    Ok(filters)
}

pub(crate) fn write(filters: &[OidFilter<'_>], w: &mut Writer) {
    w.vec16(|w| {
        for filter in filters {
            w.opaque8(filter.certificate_extension_oid);
            w.opaque16(filter.certificate_extension_values);
        }
    });
}
