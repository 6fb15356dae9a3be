//! [`CertificateBuilder`]: the settings of one certificate.

use crate::crypto::random::SystemRandom;
use crate::crypto::signature::SigningKey;
use crate::error::{ConfigError, Error};
use crate::identity::alt_name::AltName;
use crate::identity::authority::encode::certificate::{Purpose, Template};
use crate::identity::authority::issuer::{Issuer, common_name, serial};
use crate::identity::own::Identity;
use crate::identity::public_key::PublicKey;
use crate::identity::trust::path::Role;
use crate::identity::validity::Validity;
use crate::identity::{pem, profile, uri};

/// How long a certificate is valid by default, in days.
const LEAF_DAYS: u32 = 365;

/// The settings of a certificate that an [`Authority`](crate::Authority) issues. Without
/// [`server`](Self::server) or [`client`](Self::client) it is valid for either role.
///
/// ```
/// use fleeting::{Authority, Identity, Validity};
///
/// let authority = Authority::new("Example CA")?;
/// let member = authority
///     .certificate()
///     .server(["node-1.mesh.internal"])
///     .client("node-1")
///     .validity(Validity::days(2))
///     .issue()?;
///
/// // For a key that another machine made and keeps.
/// let theirs = Identity::generate()?.public_key();
/// let chain_pem: String =
///     authority.certificate().server(["node-2.mesh.internal"]).issue_for(theirs)?;
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CertificateBuilder<'a> {
    authority: &'a Issuer,
    common_name: Option<String>,
    names: Vec<String>,
    /// Names given to [`client`](Self::client): names of the certificate only if it is no server's.
    client_names: Vec<String>,
    server: bool,
    client: bool,
    validity: Option<Validity>,
}

impl<'a> CertificateBuilder<'a> {
    pub(crate) fn new(authority: &'a Issuer) -> Self {
        Self {
            authority,
            common_name: None,
            names: Vec::new(),
            client_names: Vec::new(),
            server: false,
            client: false,
            validity: None,
        }
    }
}

impl CertificateBuilder<'_> {
    /// Makes the certificate valid for a server with these names: DNS names, IP addresses or URIs.
    /// A DNS name may begin with `*.`, followed by two labels or more.
    #[must_use]
    pub fn server<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.server = true;
        self.names(names)
    }

    /// Makes the certificate valid for a client with this common name. If the name is also a valid
    /// DNS name, it is added to subjectAltName, unless [`server`](Self::server) is called too: a
    /// client's name does not become a server's. A URI is added to subjectAltName and is not a
    /// common name.
    #[must_use]
    pub fn client(mut self, name: &str) -> Self {
        self.client = true;
        if uri::is_meant(name) {
            return self.names([name]);
        }
        self.client_names.push(name.to_owned());
        self.common_name(name)
    }

    /// Adds names to subjectAltName, whatever the role: DNS names, IP addresses or URIs, such as
    /// `spiffe://example.org/db`. A certificate with a SPIFFE ID has no other URI, and if it is for
    /// one role, then for both (the X.509-SVID standard, sections 2 and 4.4).
    #[must_use]
    pub fn names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            if !self.names.iter().any(|known| known == name) {
                self.names.push(name.to_owned());
            }
        }
        self
    }

    /// Sets the common name in the subject. Defaults to the first name, if that has at most 64
    /// characters.
    #[must_use]
    pub fn common_name(mut self, name: &str) -> Self {
        self.common_name = Some(name.to_owned());
        self
    }

    /// Sets when the certificate is valid. It is cut to the authority's own validity. Defaults to a
    /// year from now.
    #[must_use]
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = Some(validity);
        self
    }

    /// Issues the certificate for a new key.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Name`] if a name is invalid; [`Error::Config`] if there is no name, if the
    /// common name is invalid, or if no peer would accept the certificate: the authority may not
    /// issue for a name, a wildcard has a single label after it, or the validity lies outside of
    /// the authority's own; or [`Error::Random`].
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`), unless a validity is set.
    pub fn issue(self) -> Result<Identity, Error> {
        let key = SigningKey::generate(&mut SystemRandom).map_err(|_| Error::Random)?;
        let leaf = self.leaf(PublicKey::from(key.public_key()))?;
        Ok(Identity::from_parts(self.authority.chain_for(leaf), key))
    }

    /// Issues the certificate for a key that is kept elsewhere, and returns it with its chain as
    /// PEM text.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`issue`](Self::issue).
    ///
    /// # Panics
    ///
    /// Panics like [`issue`](Self::issue).
    pub fn issue_for(self, key: PublicKey) -> Result<String, Error> {
        let leaf = self.leaf(key)?;
        Ok(pem::write_certificates(
            self.authority.chain_for(leaf).iter().map(Vec::as_slice),
        ))
    }

    fn leaf(&self, key: PublicKey) -> Result<Vec<u8>, Error> {
        let mut names = self
            .names
            .iter()
            .map(|name| AltName::parse_or_uri(name))
            .collect::<Result<Vec<_>, _>>()?;
        self.check_spiffe(&names)?;
        if !self.server {
            let client_names = self.client_names.iter();
            names.extend(
                client_names
                    .filter_map(|name| AltName::parse(name).ok())
                    .filter(|name| matches!(name, AltName::Dns(_))),
            );
        }
        if self.server && names.is_empty() {
            return Err(ConfigError::Missing {
                what: "a name for the server's certificate",
            }
            .into());
        }
        let first = names.first().map(AltName::to_string);
        let common_name = match &self.common_name {
            Some(name) => Some(common_name(name)?),
            None => first.as_deref().and_then(profile::fitting_common_name),
        };
        if common_name.is_none() && names.is_empty() {
            return Err(ConfigError::Missing {
                what: "a name for the certificate",
            }
            .into());
        }
        let validity = self
            .authority
            .limit(self.validity.unwrap_or_else(|| Validity::days(LEAF_DAYS)))?;
        let purpose = Purpose::Leaf {
            server: self.server,
            client: self.client,
        };
        let leaf = self.authority.sign(&Template {
            serial: serial()?,
            common_name,
            names: &names,
            purpose,
            validity,
            key,
        })?;
        let (role, names) = if self.client && !self.server {
            // A client's names are not compared with a wanted one.
            (Role::Client, Vec::new())
        } else {
            (
                Role::Server,
                names.iter().filter_map(AltName::example).collect(),
            )
        };
        self.authority.check(&leaf, role, &names, validity)?;
        Ok(leaf)
    }

    /// Checks what the X.509-SVID standard says about a certificate with a SPIFFE ID.
    fn check_spiffe(&self, names: &[AltName]) -> Result<(), ConfigError> {
        let uris = || {
            names.iter().filter_map(|name| match name {
                AltName::Uri(uri) => Some(uri),
                AltName::Dns(_) | AltName::Ip(_) => None,
            })
        };
        if !uris().any(|uri| uri::has_spiffe_scheme(uri)) {
            return Ok(());
        }
        let reason = if uris().count() > 1 {
            "a certificate with a SPIFFE ID has no other URI"
        } else if self.server != self.client {
            "a certificate with a SPIFFE ID is for both roles: call server() and client()"
        } else {
            return Ok(());
        };
        Err(ConfigError::Issue { reason })
    }
}
