//! [`RevocationListBuilder`]: an authority's certificate revocation lists.

use crate::error::{ConfigError, Error};
use crate::identity::authority::encode::revocation_list::{self, RevocationTemplate};
use crate::identity::authority::issuer::Issuer;
use crate::identity::certificate::Certificate;
use crate::identity::own::Identity;
use crate::identity::pem;
use crate::identity::validity::Validity;

/// How long a list is valid by default, in days.
const LIST_DAYS: u32 = 7;

/// A certificate revocation list (CRL) of an [`Authority`](crate::Authority): all its certificates
/// that are revoked before they expire.
///
/// An authority keeps no record of what it revoked. Each list is complete,
/// [continues](Self::following) the former one, and must be issued anew before it expires.
/// Authorities below it sign lists of their own.
///
/// ```
/// use fleeting::{Authority, RevocationLists, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let server = authority.issue_server(["db.internal"])?;
///
/// let none: String = authority.revocation_list().issue_pem()?;
/// let pem: String = authority
///     .revocation_list()
///     .following(none)
///     .revoke(&server)
///     .validity(Validity::days(1))
///     .issue_pem()?;
/// let trust = authority.trust().with_revocation_lists(RevocationLists::from_pem(pem)?);
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RevocationListBuilder<'a> {
    authority: &'a Issuer,
    former: Vec<Vec<u8>>,
    /// Big-endian.
    serials: Vec<Vec<u8>>,
    validity: Option<Validity>,
    /// The first invalid argument, reported when the list is issued.
    defect: Option<Error>,
}

impl<'a> RevocationListBuilder<'a> {
    pub(crate) fn new(authority: &'a Issuer) -> Self {
        Self {
            authority,
            former: Vec::new(),
            serials: Vec::new(),
            validity: None,
            defect: None,
        }
    }

    /// Continues a former list of this authority, in PEM: takes over its entries, has a higher
    /// number, and begins no earlier.
    #[must_use]
    pub fn following(mut self, pem: impl AsRef<[u8]>) -> Self {
        match pem::revocation_lists(pem.as_ref()) {
            Ok(lists) => self.former.extend(lists),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// Revokes the certificate of this identity, which the authority issued.
    #[must_use]
    pub fn revoke(self, identity: &Identity) -> Self {
        self.revoke_certificate(
            identity
                .certificates()
                .first()
                .map(Vec::as_slice)
                .unwrap_or_default(),
        )
    }

    /// Revokes a certificate, in DER, that the authority issued: for example the first of
    /// [`Peer::certificates`](crate::Peer::certificates), or of
    /// [`Authority::certificates`](crate::Authority::certificates) for an authority below it.
    #[must_use]
    pub fn revoke_certificate(mut self, der: impl AsRef<[u8]>) -> Self {
        match (Certificate::parse(der.as_ref()), self.authority.own()) {
            (Ok(revoked), Ok(own)) if revoked.issuer == own.subject => {
                self.serials.push(revoked.serial.to_vec())
            }
            (Ok(_), Ok(_)) => self.refuse(ConfigError::Issue {
                reason: "a certificate to be revoked was issued by another authority",
            }),
            (Err(error), _) => self.refuse(ConfigError::Certificate { index: 0, error }),
            (_, Err(error)) => self.refuse(error),
        }
        self
    }

    /// Revokes the certificate with this serial number, a positive number with the most significant
    /// byte first, as `openssl x509 -serial` shows it and
    /// [`CertificateInfo::serial_number`](crate::CertificateInfo::serial_number) returns it.
    #[must_use]
    pub fn revoke_serial(mut self, serial: impl AsRef<[u8]>) -> Self {
        self.serials.push(serial.as_ref().to_vec());
        self
    }

    /// Sets from when the list applies (thisUpdate) until when a newer one will exist (nextUpdate).
    /// After that it is refused. It lasts no longer than the authority. Defaults to a week from
    /// now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// Issues the list as PEM text.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the former list or a certificate is malformed or another
    /// authority's, if a serial number has more than 20 bytes, if the validity lies outside of the
    /// authority's own, or if its certificate does not allow it (KeyUsage without cRLSign).
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`), unless a validity is set.
    pub fn issue_pem(self) -> Result<String, Error> {
        Ok(pem::write_revocation_list(&self.issue_der()?))
    }

    /// Issues the list in DER, as authorities publish it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`issue_pem`](Self::issue_pem).
    ///
    /// # Panics
    ///
    /// Panics like [`issue_pem`](Self::issue_pem).
    pub fn issue_der(self) -> Result<Vec<u8>, Error> {
        if let Some(defect) = self.defect {
            return Err(defect);
        }
        let own = self.authority.own()?;
        if !may_revoke(&own) {
            return Err(ConfigError::Issue {
                reason: "the authority's certificate does not allow it to sign lists (KeyUsage \
                         without cRLSign)",
            }
            .into());
        }
        let validity = self
            .authority
            .limit(self.validity.unwrap_or_else(|| Validity::days(LIST_DAYS)))?;
        let template = RevocationTemplate {
            former: &self.former,
            serials: &self.serials,
            validity,
        };
        Ok(revocation_list::issue(
            &template,
            &self.authority.key,
            own.subject,
            Issuer::key_identifier(&own),
        )?)
    }

    fn refuse(&mut self, error: impl Into<Error>) {
        self.defect.get_or_insert(error.into());
    }
}

/// Returns true if the certificate's key may sign certificate revocation lists.
fn may_revoke(own: &Certificate<'_>) -> bool {
    // RFC 5280, 6.3.3 (f): if Key Usage is present, cRLSign is set.
    own.key_usage()
        .is_ok_and(|usage| usage.is_none_or(|usage| usage.crl_sign()))
}
