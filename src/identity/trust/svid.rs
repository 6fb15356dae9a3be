//! Which SPIFFE ID a certificate has (the X.509-SVID standard, section 5.2).
//!
//! The path is verified before: the leaf is no authority's, is for the role, and leads to a root of
//! the trust domain. The rest is here.

use crate::error::CertificateError;
use crate::identity::alt_name;
use crate::identity::certificate::Certificate;
use crate::identity::uri;

/// Returns the SPIFFE ID of a leaf and its trust domain.
pub(crate) fn spiffe_id<'a>(
    leaf: &Certificate<'a>,
) -> Result<(&'a str, &'a str), CertificateError> {
    let refused = |reason| CertificateError::NotAnSvid { reason };
    // "SVIDs containing more than one URI SAN MUST be rejected."
    let uri = leaf.subject_alt_name.map(alt_name::only_uri).transpose()?;
    let uri = uri
        .flatten()
        .ok_or(refused("it does not have exactly one URI"))?;
    // "The validator MUST also ensure that the scheme of the SPIFFE ID is set to spiffe, and MUST
    // ensure that the SPIFFE ID has a non-root path component."
    let domain = uri::spiffe_trust_domain(uri).ok_or(refused("its URI is not a SPIFFE ID"))?;
    // "the validator MUST ensure that [...] keyCertSign and cRLSign are not set in the key usage
    // extension", and 4.3: "The key usage extension MUST be set on all SVIDs".
    match leaf.key_usage()? {
        Some(usage) if usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign() => {
            Ok((uri, domain))
        }
        _ => Err(refused(
            "its key usage is missing, or allows it to issue certificates or lists",
        )),
    }
}
