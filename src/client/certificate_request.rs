//! [`CertificateRequested`]: what a server's CertificateRequest asks for, and whether our
//! certificate meets it (RFC 9846, 4.4.2).

use crate::code_point::{CertificateType, ExtensionType, SignatureScheme};
use crate::error::{Fault, Illegal};
use crate::identity::Identity;
use crate::message::{CertificateRequest, OidFilter};

/// The result of a CertificateRequest.
pub(crate) struct CertificateRequested {
    /// Whether there is a certificate or key of ours, and it is what the server asks for.
    pub(crate) suits_us: bool,
}

impl CertificateRequested {
    /// Reads the request. `certificate_type` is the type in which `identity` would be sent.
    pub(crate) fn new(
        message: &CertificateRequest<'_>,
        identity: Option<&Identity>,
        certificate_type: CertificateType,
    ) -> Result<Self, Fault> {
        // RFC 9846, 4.4.2: "This field SHALL be zero length unless used for the post-handshake
        // authentication exchanges".
        if !message.certificate_request_context.is_empty() {
            return Err(Illegal::RequestContext.into());
        }
        // RFC 9846, 4.4.2: "The signature_algorithms extension MUST be specified". Unknown
        // extensions are ignored.
        let schemes = message
            .signature_algorithms()
            .ok_or(Fault::MissingExtension {
                message: CertificateRequest::NAME,
                extension: ExtensionType::SIGNATURE_ALGORITHMS,
            })?;
        let suits_us = schemes.contains(&SignatureScheme::ED25519)
            && identity.is_some_and(|identity| match certificate_type {
                // A raw key has no issuer, no signature and no extensions, so it cannot match a
                // filter.
                CertificateType::RAW_PUBLIC_KEY => {
                    message.oid_filters().unwrap_or_default().is_empty()
                }
                _ => certificate_suits(identity, message),
            });
        Ok(Self { suits_us })
    }
}

/// Returns true if the certificates of this identity are what the CertificateRequest asks for.
fn certificate_suits(identity: &Identity, message: &CertificateRequest<'_>) -> bool {
    // RFC 9846, 4.3.3: "signature_algorithms_cert" applies to the signatures in certificates.
    // Without it, "signature_algorithms" does.
    let signed = message
        .signature_algorithms_cert()
        .is_none_or(|schemes| schemes.contains(&SignatureScheme::ED25519));
    // RFC 9846, 4.3.4: certificate_authorities is there "to guide certificate selection", and there
    // is one certificate. It may name a root above authorities that only the server has, or write a
    // name with other string types, so the server decides whether it accepts the chain.
    //
    // RFC 9846, 4.5.1.2: the certificate MUST match the filters that we recognize.
    let filters = message.oid_filters().unwrap_or_default();
    let passes = |filter: &OidFilter<'_>| {
        identity.matches_filter(
            filter.certificate_extension_oid,
            filter.certificate_extension_values,
        )
    };
    signed && filters.iter().all(passes)
}
