//! [`Acceptance`]: what an offline check of certificates finds.

use core::time::Duration;

use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::certificate_info::CertificateInfo;
use crate::identity::peer::VerifiedIdentity;
use crate::identity::pem;
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::trust::trust::Trust;
use crate::time::Now;

/// What [`Trust::check_server`] and [`Trust::check_client`] find of certificates that would be
/// accepted.
///
/// These are facts about the certificates, which anyone can have copied. Only a connection proves
/// that a peer holds the key in them, and only a connection returns a [`Peer`](crate::Peer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acceptance {
    /// The key that the peer would have to hold.
    pub public_key: PublicKey,
    /// The names that [`Peer::names`](crate::Peer::names) would return.
    pub names: Vec<String>,
    /// Until when the certificates are accepted, as time since 1970-01-01 00:00:00 UTC: see
    /// [`Peer::expires`](crate::Peer::expires). `None` if the key is trusted, whatever the dates
    /// of the certificate that it comes in.
    pub expires: Option<Duration>,
    /// What the peer's own certificate says. `None` if the key is trusted, since then nobody
    /// vouches for the certificate.
    pub certificate_info: Option<CertificateInfo>,
}

impl Trust {
    /// Checks offline whether a client with this trust would accept a server that shows these
    /// certificates under this name, at this time: before a new certificate is put in use (see
    /// [`LiveServer`](crate::LiveServer)), in monitoring, or in tests of a deployment.
    ///
    /// `chain` is PEM text with the server's own certificate first, or that one certificate as
    /// DER. `at` is the time since 1970-01-01 00:00:00 UTC. The revocation lists that are in force
    /// now apply. An `authorize` hook is not asked, and nothing proves that anybody holds the key.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// use fleeting::Authority;
    ///
    /// let authority = Authority::new("Example CA")?;
    /// let renewed = authority.issue_server(["db.internal"])?;
    ///
    /// let in_a_month = SystemTime::now() + Duration::from_secs(30 * 86_400);
    /// let at = in_a_month.duration_since(UNIX_EPOCH).unwrap_or_default();
    /// let found = authority.trust().check_server(renewed.chain_pem(), "db.internal", at)?;
    /// assert_eq!(found.names, ["db.internal"]);
    /// assert!(found.expires > Some(at));
    /// assert!(authority.trust().check_server(renewed.chain_pem(), "db.example", at).is_err());
    /// # Ok::<(), fleeting::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::NotAccepted`] with the reason if the certificates would be refused,
    /// [`Error::Name`] if the name is invalid, or another [`ConfigError`] if `chain` cannot be read
    /// or this trust is not valid.
    pub fn check_server(
        &self,
        chain: impl AsRef<[u8]>,
        name: &str,
        at: Duration,
    ) -> Result<Acceptance, Error> {
        let name = ServerName::parse(name)?;
        self.check_offline(chain.as_ref(), at, |chain, now| {
            self.verify_server(chain, Some(&name), now)
        })
    }

    /// Checks offline whether a server with this trust would accept a client that shows these
    /// certificates at this time. Otherwise it is like [`check_server`](Self::check_server).
    ///
    /// # Errors
    ///
    /// Returns the errors of `check_server`.
    pub fn check_client(&self, chain: impl AsRef<[u8]>, at: Duration) -> Result<Acceptance, Error> {
        self.check_offline(chain.as_ref(), at, |chain, now| {
            self.verify_client(chain, now)
        })
    }

    fn check_offline(
        &self,
        chain: &[u8],
        at: Duration,
        verify: impl Fn(&[&[u8]], Now) -> Result<VerifiedIdentity, CertificateError>,
    ) -> Result<Acceptance, Error> {
        self.check()?;
        let chain = pem::certificates(chain)?;
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let verified = verify(&chain, Now::new(Duration::ZERO, at))
            .map_err(|error| ConfigError::NotAccepted { error })?;
        let claimed = verified.claimed();
        Ok(Acceptance {
            public_key: claimed.public_key(),
            names: claimed.names(),
            expires: claimed.expires(),
            certificate_info: claimed.certificate_info(),
        })
    }
}
