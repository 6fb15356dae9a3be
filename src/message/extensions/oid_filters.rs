//! oid_filters (RFC 9846, 4.3.5): the required extensions of a client's certificate.
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
            certificate_extension_oid: r
                .vec8("oid_filters.filters.certificate_extension_oid", 1..)?,
            certificate_extension_values: r
                .vec16("oid_filters.filters.certificate_extension_values", ..)?,
        })
    })?;
    // RFC 9846, 4.3.5: any given OID must not appear more than once. The OIDs are sorted first, so
    // that a long list does not take quadratic time.
    let mut oids: Vec<_> = filters
        .iter()
        .map(|filter| filter.certificate_extension_oid)
        .collect();
    oids.sort_unstable();
    if oids
        .iter()
        .zip(oids.iter().skip(1))
        .any(|(one, next)| one == next)
    {
        return Err(Illegal::DuplicateEntry {
            list: "oid_filters",
        }
        .into());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::{AlertDescription, ExtensionType};
    use crate::error::DecodeProblem;
    use crate::message::Message;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, fault, hex, message_with};

    const TYPE: ExtensionType = ExtensionType::OID_FILTERS;

    #[test]
    fn filters_with_and_without_values() {
        let Message::CertificateRequest(request) = extension(
            Place::CertificateRequest,
            TYPE,
            "000d 03 551d0f 0002 0780 02 551d 0000",
        ) else {
            panic!("not a CertificateRequest")
        };
        let expected = [
            OidFilter {
                certificate_extension_oid: &[0x55, 0x1d, 0x0f],
                certificate_extension_values: &[0x07, 0x80],
            },
            OidFilter {
                certificate_extension_oid: &[0x55, 0x1d],
                certificate_extension_values: &[],
            },
        ];
        assert_eq!(request.oid_filters(), Some(&expected[..]));
        // filters<0..2^16-1>: an empty list is legal.
        extension(Place::CertificateRequest, TYPE, "0000");
    }

    /// `opaque certificate_extension_oid<1..2^8-1>;`
    #[test]
    fn an_oid_is_not_empty() {
        let bytes = message_with(Place::CertificateRequest, &[(TYPE, &hex("0003 00 0000"))]);
        assert_eq!(
            breach(&bytes),
            (
                "CertificateRequest",
                "oid_filters.filters.certificate_extension_oid",
                DecodeProblem::Empty
            )
        );
    }

    /// RFC 9846, 4.3.5: "Any given OID MUST NOT appear more than once in the filters list."
    #[test]
    fn an_oid_comes_once() {
        let fault = fault(&message_with(
            Place::CertificateRequest,
            &[(TYPE, &hex("000d 01 55 0000 01 56 0000 01 55 0001 07"))],
        ));
        assert!(
            matches!(
                fault,
                Fault::Illegal(Illegal::DuplicateEntry {
                    list: "oid_filters"
                })
            ),
            "{fault}"
        );
        assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
    }
}
