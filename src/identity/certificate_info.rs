//! [`CertificateInfo`]: what a certificate says, for logs, monitoring and renewal.

use crate::crypto::hash::sha256;
use crate::identity::certificate::Certificate;
use crate::identity::validity::Validity;

/// What an X.509 certificate says of itself (RFC 5280, 4.1).
///
/// [`Identity::certificate_info`](crate::Identity::certificate_info) returns it for our own
/// certificate, [`Peer::certificate_info`](crate::Peer::certificate_info) for a peer's.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use fleeting::{Authority, Validity};
///
/// let identity = Authority::new("Example CA")?
///     .certificate()
///     .server(["db.internal"])
///     .validity(Validity::days(90))
///     .issue()?;
/// let info = identity.certificate_info().expect("it has a certificate");
/// println!("{} by {}, serial {:02x?}", info.subject(), info.issuer(), info.serial_number());
/// # assert_eq!(info.issuer(), "CN=Example CA");
///
/// let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
/// if info.validity().not_after() < now + Duration::from_secs(30 * 86_400) {
///     println!("renew this certificate");
/// }
/// # assert_eq!(info.fingerprint().len(), 32);
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    subject: String,
    issuer: String,
    serial_number: Vec<u8>,
    validity: Validity,
    fingerprint: [u8; 32],
}

impl CertificateInfo {
    /// Reads a certificate. Returns `None` if it cannot be read.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::parse(der).ok()?;
        Some(Self {
            subject: certificate.subject_text()?,
            issuer: certificate.issuer_text()?,
            serial_number: without_leading_zeros(certificate.serial).to_vec(),
            validity: Validity::from_der(certificate.validity)?,
            fingerprint: sha256(der),
        })
    }

    /// Returns the subject as text (RFC 4514), such as `CN=alice,O=Example`. Control characters,
    /// and those that change the direction of writing, are escaped.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the issuer as text, in the form of [`subject`](Self::subject).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the serial number, most significant byte first, without leading zeros. It has at
    /// most 20 bytes in certificates that follow RFC 5280. `openssl x509 -serial` prints the same
    /// bytes.
    pub fn serial_number(&self) -> &[u8] {
        &self.serial_number
    }

    /// Returns the period in which the certificate is valid. A peer can be refused earlier, when a
    /// certificate of an issuer expires: see [`Peer::expires`](crate::Peer::expires).
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns the SHA-256 of the certificate in DER, as `openssl x509 -fingerprint -sha256` prints
    /// it.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

/// Removes the zero that DER puts before a number whose first bit is set. The number zero keeps one
/// byte.
fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number
        && !rest.is_empty()
    {
        number = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_has_no_leading_zeros() {
        assert_eq!(without_leading_zeros(&[0, 0xff, 0]), [0xff, 0]);
        assert_eq!(without_leading_zeros(&[1, 2]), [1, 2]);
        assert_eq!(without_leading_zeros(&[0]), [0]);
    }

    #[test]
    fn what_is_no_certificate_has_no_info() {
        assert_eq!(CertificateInfo::read(b"no certificate"), None);
    }
}
