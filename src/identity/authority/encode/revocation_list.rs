//! Makes certificate revocation lists (RFC 5280, section 5).

use core::time::Duration;
use std::collections::BTreeSet;

use ed25519_dalek::pkcs8::{ALGORITHM_OID, spki};
use x509_cert::certificate::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::asn1::{BitString, OctetString, Uint};
use x509_cert::der::{self, Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use crate::crypto::signature::{SigningKey, VerifyingKey};
use crate::error::ConfigError;
use crate::identity::authority::encode::parts;
use crate::identity::trust::revocation_lists::Fields;
use crate::identity::validity::Validity;

/// The content of a certificate revocation list.
pub(crate) struct RevocationTemplate<'a> {
    /// Lists whose entries it takes over, in DER.
    pub(crate) former: &'a [Vec<u8>],
    /// Serial numbers, big-endian.
    pub(crate) serials: &'a [Vec<u8>],
    /// From thisUpdate to nextUpdate.
    pub(crate) validity: Validity,
}

/// Signs a certificate revocation list, and returns it in DER. The builder of `x509-cert` is not
/// used, because it would name the key above the issuer's instead of the issuer's own.
pub(crate) fn issue(
    template: &RevocationTemplate<'_>,
    key: &SigningKey,
    issuer: &[u8],
    key_identifier: Option<&[u8]>,
) -> Result<Vec<u8>, ConfigError> {
    let failed = |reason| move |_| ConfigError::Issue { reason };
    let (mut revoked, mut number) = (Vec::new(), template.validity.not_before.as_secs());
    let mut validity = template.validity;
    for former in template.former {
        let (list, last, this_update) = former_list(former, issuer, key)?;
        revoked.extend(list);
        // A peer that has both lists uses the one that begins later.
        validity.not_before = validity.not_before.max(this_update);
        // RFC 5280, 5.2.3: a monotonically increasing sequence number. The first list uses its
        // thisUpdate in seconds.
        number = number.max(last.saturating_add(1));
    }
    if validity.not_before >= validity.not_after {
        return Err(ConfigError::Issue {
            reason: "it ends before the former list begins",
        });
    }
    let validity = parts::validity(validity).map_err(failed("its dates cannot be encoded"))?;
    for serial in template.serials {
        let serial_number =
            SerialNumber::new(serial).map_err(failed("a serial number is longer than 20 bytes"))?;
        revoked.push(RevokedCert {
            serial_number,
            revocation_date: validity.not_before,
            crl_entry_extensions: None,
        });
    }
    // Each serial number once, with its first revocation.
    let mut seen = BTreeSet::new();
    revoked.retain(|entry| seen.insert(entry.serial_number.as_bytes().to_vec()));

    let unreadable = "the authority's name cannot be read";
    let issuer = Name::from_der(issuer).map_err(failed(unreadable))?;
    let extensions = list_extensions(number, key_identifier, &issuer)
        .map_err(failed("an extension cannot be encoded"))?;
    let algorithm = spki::AlgorithmIdentifierOwned {
        oid: ALGORITHM_OID,
        parameters: None,
    };
    let tbs_cert_list = TbsCertList {
        version: Version::V2,
        signature: algorithm.clone(),
        issuer,
        this_update: validity.not_before,
        next_update: Some(validity.not_after),
        // RFC 5280, 5.1.2.6: "When there are no revoked certificates, the revoked certificates list
        // MUST be absent."
        revoked_certificates: (!revoked.is_empty()).then_some(revoked),
        crl_extensions: Some(extensions),
    };
    let unencodable = "the list cannot be encoded";
    let signature = key.sign(&tbs_cert_list.to_der().map_err(failed(unencodable))?);
    let signature = BitString::from_bytes(&signature).map_err(failed(unencodable))?;
    CertificateList {
        tbs_cert_list,
        signature_algorithm: algorithm,
        signature,
    }
    .to_der()
    .map_err(failed(unencodable))
}

/// Returns the entries of a former list of ours, its number, and its thisUpdate.
fn former_list(
    der: &[u8],
    issuer: &[u8],
    key: &SigningKey,
) -> Result<(Vec<RevokedCert>, u64, Duration), ConfigError> {
    let malformed = ConfigError::Issue {
        reason: "the former list is not well-formed",
    };
    let (Ok(fields), Ok(list)) = (Fields::read(der), CertificateList::from_der(der)) else {
        return Err(malformed);
    };
    let signature = fields.signature.strip_prefix(&[0]).unwrap_or_default();
    let ours = VerifyingKey::parse(&key.public_key())
        .is_ok_and(|key| key.verify(fields.signed, signature).is_ok());
    if fields.issuer != issuer || !ours {
        return Err(ConfigError::Issue {
            reason: "the former list is another authority's",
        });
    }
    // A list with a longer number is not ours: ours count from a time in seconds.
    let number = fields.number().ok_or(ConfigError::Issue {
        reason: "the number of the former list is too large",
    })?;
    Ok((
        list.tbs_cert_list.revoked_certificates.unwrap_or_default(),
        number,
        fields.this_update,
    ))
}

/// Returns the CRL number and the AuthorityKeyIdentifier. RFC 5280, 5.2: both are REQUIRED.
fn list_extensions(
    number: u64,
    key_identifier: Option<&[u8]>,
    issuer: &Name,
) -> der::Result<Vec<Extension>> {
    let mut out = vec![parts::extension(
        &CrlNumber(Uint::new(&number.to_be_bytes())?),
        issuer,
    )?];
    if let Some(id) = key_identifier {
        let id = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(id)?),
            ..AuthorityKeyIdentifier::default()
        };
        out.push(parts::extension(&id, issuer)?);
    }
    Ok(out)
}
