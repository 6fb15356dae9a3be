//! [`VerifiedIdentity`]: a peer whose certificate or key is trusted; [`Peer`]: one that has proved that it holds that key.

use core::fmt;
use std::sync::Arc;

use crate::crypto::signature::VerifyingKey;
use crate::identity::certificate::{AltName, Certificate};
use crate::identity::public_key::PublicKey;

/// What [`Trust`](crate::Trust) made of a peer's certificates. Whoever sent them may have copied them: the key is there to check the
/// CertificateVerify with (RFC 9846, 4.5.2).
pub(crate) struct VerifiedIdentity {
    key: VerifyingKey,
    peer: Peer,
}

impl VerifiedIdentity {
    pub(crate) fn new(chain: &[&[u8]], public_key: PublicKey, key: VerifyingKey, trusted: Trusted) -> Self {
        let certificates = chain.iter().map(|der| der.to_vec()).collect();
        Self { key, peer: Peer(Arc::new(Inner { certificates, public_key, trusted })) }
    }

    /// The key of the leaf certificate.
    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// Why a peer was accepted, and so who vouches for its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// A path leads from its certificate to a root: the authorities on it vouch for what the certificate says.
    Path,
    /// Its key is bound to this name: nobody vouches for its certificate, which it may have made itself.
    Bound(String),
    /// Its key is one of a set: nobody vouches for any name (RFC 9846, F.9).
    Key,
}

/// The other side of a connection: it proved that it holds this key, and the key, or a certificate with it, is trusted.
///
/// Cheap to clone. The names it has here are vouched for: by the authorities that issued its certificate, or by the one who bound its key to a name. What
/// a peer that is known by its key alone says of itself in a certificate of its own making is not among them; it stands in
/// [`certificates`](Self::certificates).
///
/// ```
/// use fleeting::Peer;
///
/// /// For `ServerBuilder::authorize`, or with what a stream's `peer()` gives.
/// fn greet(peer: &Peer) -> String {
///     match peer.common_name().as_deref() {
///         Some("alice") => format!("hello, Alice with the key {}", peer.public_key()),
///         _ => format!("hello, {}", peer.subject()),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

struct Inner {
    certificates: Vec<Vec<u8>>,
    public_key: PublicKey,
    trusted: Trusted,
}

impl Peer {
    /// The peer, once its CertificateVerify and its Finished have been verified with [`VerifiedIdentity::key`].
    pub(crate) fn from_verified(verified: VerifiedIdentity) -> Self {
        verified.peer
    }

    /// Its certificates in DER, as it sent them, its own first.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0.certificates
    }

    /// Its key.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    /// The name that [`Trust::key_for`](crate::Trust::key_for) bound its key to, if it was accepted for that.
    pub fn pinned_name(&self) -> Option<&str> {
        match &self.0.trusted {
            Trusted::Bound(name) => Some(name),
            Trusted::Path | Trusted::Key => None,
        }
    }

    /// The DNS names and IP addresses in its certificate (subjectAltName); a DNS name may begin with `*.`. For a peer accepted by its key, the name that
    /// the key is bound to, if any.
    pub fn names(&self) -> Vec<String> {
        if let Trusted::Bound(name) = &self.0.trusted {
            return vec![name.clone()];
        }
        self.alt_names().iter().filter(|name| !matches!(name, AltName::Uri(_))).map(AltName::to_string).collect()
    }

    /// The URIs in its certificate (subjectAltName), as `spiffe://example.org/db`. None for a peer accepted by its key.
    pub fn uris(&self) -> Vec<String> {
        self.alt_names().iter().filter(|name| matches!(name, AltName::Uri(_))).map(AltName::to_string).collect()
    }

    /// The subject of its certificate as text (RFC 4514), as `CN=alice,O=Example`. Empty for a peer accepted by its key.
    pub fn subject(&self) -> String {
        self.leaf().and_then(|leaf| leaf.subject_text()).unwrap_or_default()
    }

    /// The common name in the subject of its certificate, as `alice`. It counts for nothing when a server's name is checked. None
    /// for a peer accepted by its key.
    pub fn common_name(&self) -> Option<String> {
        self.leaf()?.common_name()
    }

    /// The certificate whose content is vouched for. Read again for each question: a connection that waits keeps the bytes only.
    fn leaf(&self) -> Option<Certificate<'_>> {
        match self.0.trusted {
            Trusted::Path => Certificate::parse(self.0.certificates.first()?).ok(),
            Trusted::Bound(_) | Trusted::Key => None,
        }
    }

    fn alt_names(&self) -> Vec<AltName> {
        self.leaf().map(|leaf| leaf.alt_names()).unwrap_or_default()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Peer");
        out.field("public_key", &self.public_key()).field("subject", &self.subject()).field("names", &self.names());
        if let Some(name) = self.pinned_name() {
            out.field("pinned_name", &name);
        }
        out.finish_non_exhaustive()
    }
}
