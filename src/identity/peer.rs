//! [`VerifiedIdentity`]: a peer whose certificate or key is trusted. [`Peer`]: a peer that has
//! proven to hold that key.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::crypto::signature::VerifyingKey;
use crate::identity::alt_name::{self, AltName};
use crate::identity::certificate::{Certificate, MAX_CHAIN};
use crate::identity::certificate_info::CertificateInfo;
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::signature_hash::server_end_point;
use crate::identity::uri;

/// A peer's certificates or raw public key, accepted by a [`Trust`](crate::Trust). Whoever sent
/// them may have copied them: the key is there to check the CertificateVerify with (RFC 9846,
/// 4.5.2).
pub(crate) struct VerifiedIdentity {
    key: VerifyingKey,
    peer: Peer,
    trust_digest: [u8; 32],
}

impl VerifiedIdentity {
    /// `chain` is empty if the peer sent a raw key. `trust_digest` is that of the trust when it
    /// accepted the peer.
    pub(crate) fn new(
        chain: &[&[u8]],
        public_key: PublicKey,
        key: VerifyingKey,
        trusted: Trusted,
        trust_digest: [u8; 32],
    ) -> Self {
        let held = chain.iter().take(MAX_CHAIN);
        let certificates = held.map(|der| der.to_vec()).collect();
        Self {
            key,
            peer: Peer(Arc::new(Inner {
                certificates,
                public_key,
                trusted,
            })),
            trust_digest,
        }
    }

    /// Returns the key of the leaf certificate, or the raw key.
    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the peer that it becomes if whoever sent it proves to hold the key.
    pub(crate) fn claimed(&self) -> &Peer {
        &self.peer
    }

    /// Returns [`Trust::digest`](crate::Trust::digest) at the moment when it accepted the peer:
    /// later revocation lists are not in it.
    pub(crate) fn trust_digest(&self) -> &[u8; 32] {
        &self.trust_digest
    }
}

/// The reason why a peer is trusted, which also says who vouches for its names.
pub(crate) enum Trusted {
    /// Its certificates lead to a root, until one of them or a revocation list expires (Unix time).
    /// An authority vouches for the content of the peer's own certificate.
    Path { expires: Duration },
    /// The same, to a root that vouches for the SPIFFE ID in the certificate and for nothing else
    /// in it.
    Svid { expires: Duration },
    /// Its key is bound to these names: only to the one that was asked for, if there was one.
    Bound(Vec<String>),
    /// Its key is trusted for every name. Nobody vouches for a name.
    Key,
}

/// The other side of a connection. It has proven that it holds its key, and the key, or a
/// certificate for it, is trusted.
///
/// The names that it returns are vouched for, by the authority that issued the certificate or by
/// [`Trust::key_for`](crate::Trust::key_for). If the peer was accepted for its key, anyone may have
/// made the certificate that the key came in (RFC 9846, F.9). So nothing in that certificate is
/// returned as a name; its bytes are in [`certificates`](Self::certificates). A peer that supports
/// RFC 7250 may have shown a raw public key instead of a certificate. Everything else is the same
/// then.
///
/// It is cheap to clone.
///
/// ```
/// use fleeting::Peer;
///
/// /// For `ServerBuilder::authorize`, or with what a stream's `peer()` gives.
/// fn greet(peer: &Peer) -> String {
///     match peer.common_name().as_deref() {
///         Some("alice") => format!("hello, Alice with the key {}", peer.public_key()),
///         // Known by its key, it has the names that the key is bound to.
///         _ => format!("hello, {}", peer.names().join(" or ")),
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
    /// Makes the peer, once its CertificateVerify and its Finished have been verified with
    /// [`VerifiedIdentity::key`].
    pub(crate) fn from_verified(verified: VerifiedIdentity) -> Self {
        verified.peer
    }

    /// Returns its certificates in DER, as it sent them, its own first, and at most ten. Empty if
    /// it showed a raw public key (RFC 7250). On a resumed connection, a server has only the
    /// client's own certificate, because a ticket has no room for a chain.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0.certificates
    }

    /// Returns its public key.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    /// Returns the names that [`Trust::key_for`](crate::Trust::key_for) bound its key to, if it was
    /// accepted for its key: for a server the name that was asked for, for a client all of them.
    pub fn pinned_names(&self) -> &[String] {
        if let Trusted::Bound(names) = &self.0.trusted {
            names
        } else {
            &[]
        }
    }

    /// Returns its names.
    ///
    /// If its certificate leads to a root, these are the DNS names and IP addresses in the
    /// certificate (subjectAltName); a DNS name may begin with `*.`. If it was accepted for its
    /// key, they are the names that [`Trust::key_for`](crate::Trust::key_for) bound the key to, and
    /// none with [`Trust::keys`](crate::Trust::keys). If it was accepted by its SPIFFE ID, that is
    /// its only name.
    pub fn names(&self) -> Vec<String> {
        if !self.pinned_names().is_empty() {
            return self.pinned_names().to_vec();
        }
        if let Some(id) = self.spiffe_id() {
            return vec![id];
        }
        self.alt_names()
            .iter()
            .filter(|name| !matches!(name, AltName::Uri(_)))
            .map(AltName::to_string)
            .collect()
    }

    /// Returns its SPIFFE ID, such as `spiffe://example.org/db`, if it was accepted by a root of
    /// that trust domain
    /// ([`Trust::spiffe_roots_from_pem`](crate::Trust::spiffe_roots_from_pem)).
    ///
    /// Only that root can vouch for it. So this is `None` for a certificate under another root,
    /// even if it contains such a URI ([`uris`](Self::uris)).
    pub fn spiffe_id(&self) -> Option<String> {
        match self.0.trusted {
            Trusted::Svid { .. } => Some(svid_of(self.0.certificates.first()?)?.to_owned()),
            Trusted::Path { .. } | Trusted::Bound(_) | Trusted::Key => None,
        }
    }

    /// Returns the URIs in its certificate (subjectAltName), such as `spiffe://example.org/db`.
    /// Empty if it was accepted for its key.
    ///
    /// To authorize by a SPIFFE ID, use [`spiffe_id`](Self::spiffe_id).
    pub fn uris(&self) -> Vec<String> {
        if let Some(id) = self.spiffe_id() {
            return vec![id];
        }
        self.alt_names()
            .iter()
            .filter(|name| matches!(name, AltName::Uri(_)))
            .map(AltName::to_string)
            .collect()
    }

    /// Returns the subject of its certificate as text (RFC 4514), such as `CN=alice,O=Example`.
    /// Empty if it was accepted for its key or by its SPIFFE ID. Control characters, and those that
    /// change the direction of writing, are escaped.
    pub fn subject(&self) -> String {
        self.leaf()
            .and_then(|leaf| leaf.subject_text())
            .unwrap_or_default()
    }

    /// Returns the common name in the subject of its certificate, such as `alice`. `None` if it was
    /// accepted for its key or by its SPIFFE ID, or if the name contains control characters or
    /// characters that change the direction of writing. It is ignored when a server's name is
    /// checked.
    pub fn common_name(&self) -> Option<String> {
        self.leaf()?.common_name()
    }

    /// Returns what its certificate says: subject, issuer, serial number, validity and fingerprint.
    /// `None` if it was accepted for its key, since then nobody vouches for its certificate.
    pub fn certificate_info(&self) -> Option<CertificateInfo> {
        self.expires()?;
        CertificateInfo::read(self.0.certificates.first()?)
    }

    /// Returns its certificate, if somebody vouches for all names in it. It is parsed on each call,
    /// so that an idle connection holds only the bytes.
    fn leaf(&self) -> Option<Certificate<'_>> {
        match self.0.trusted {
            Trusted::Path { .. } => Certificate::parse(self.0.certificates.first()?).ok(),
            Trusted::Svid { .. } | Trusted::Bound(_) | Trusted::Key => None,
        }
    }

    fn alt_names(&self) -> Vec<AltName> {
        self.leaf().map(|leaf| leaf.alt_names()).unwrap_or_default()
    }

    /// Returns until when the peer's certificates lead to a root, as Unix time: the earliest
    /// notAfter on the path, or the earliest nextUpdate of the revocation lists for it. `None` if
    /// its key is trusted, since the dates of its certificate are then ignored.
    pub fn expires(&self) -> Option<Duration> {
        match self.0.trusted {
            Trusted::Path { expires } | Trusted::Svid { expires } => Some(expires),
            Trusted::Bound(_) | Trusted::Key => None,
        }
    }

    /// Returns the channel binding `tls-server-end-point` (RFC 5929), if this is a server that has
    /// shown a certificate for which it is defined.
    pub(crate) fn server_end_point(&self) -> Option<Arc<[u8]>> {
        server_end_point(self.0.certificates.first()?)
    }

    /// Writes what a ticket remembers of the peer: all but the certificates above its own.
    ///
    /// ```text
    /// 1, expires:u64 (seconds) || leaf                    Trusted::Path
    /// 2, (name || 0) ..., 0    || leaf or key             Trusted::Bound, the names as text
    /// 3                        || leaf or key             Trusted::Key
    /// 4, expires:u64 (seconds) || leaf                    Trusted::Svid
    /// ```
    ///
    /// A leaf is a Certificate, a key a SubjectPublicKeyInfo, both in DER, and neither can be read
    /// as the other.
    pub(crate) fn to_ticket(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.0.trusted {
            Trusted::Path { expires } => {
                out.push(PATH);
                out.extend(expires.as_secs().to_be_bytes());
            }
            Trusted::Svid { expires } => {
                out.push(SVID);
                out.extend(expires.as_secs().to_be_bytes());
            }
            Trusted::Bound(names) => {
                out.push(BOUND);
                for name in names {
                    out.extend(name.as_bytes());
                    out.push(0);
                }
                out.push(0);
            }
            Trusted::Key => out.push(KEY),
        }
        match self.0.certificates.first() {
            Some(leaf) => out.extend(leaf),
            None => out.extend(self.public_key().to_spki()),
        }
        out
    }

    /// Reads what `to_ticket` wrote, and nothing else. Why the peer is trusted is taken from there
    /// too, so this is only for what we sealed ourselves.
    pub(crate) fn from_ticket(bytes: &[u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let (trusted, shown) = match tag {
            PATH | SVID => {
                let (seconds, shown) = rest.split_first_chunk()?;
                let expires = Duration::from_secs(u64::from_be_bytes(*seconds));
                let trusted = if tag == SVID {
                    svid_of(shown)?;
                    Trusted::Svid { expires }
                } else {
                    Trusted::Path { expires }
                };
                (trusted, shown)
            }
            BOUND => {
                let (names, shown) = read_names(rest)?;
                (Trusted::Bound(names), shown)
            }
            KEY => (Trusted::Key, rest),
            _ => return None,
        };
        let (certificates, public_key) = match (PublicKey::from_spki(shown), &trusted) {
            // No root vouches for a raw key.
            (Some(_), Trusted::Path { .. } | Trusted::Svid { .. }) => return None,
            (Some(key), _) => (Vec::new(), key),
            (None, _) => (
                vec![shown.to_vec()],
                Certificate::parse(shown).ok()?.public_key().ok()?,
            ),
        };
        Some(Self(Arc::new(Inner {
            certificates,
            public_key,
            trusted,
        })))
    }
}

/// The first byte of a peer in a ticket.
const PATH: u8 = 1;
const BOUND: u8 = 2;
const KEY: u8 = 3;
const SVID: u8 = 4;

/// Returns the SPIFFE ID of a certificate that was accepted by it.
fn svid_of(der: &[u8]) -> Option<&str> {
    let leaf = Certificate::parse(der).ok()?;
    let uri = alt_name::only_uri(leaf.subject_alt_name?).ok()??;
    uri::spiffe_trust_domain(uri).map(|_| uri)
}

/// Reads the names of [`Trusted::Bound`], at least one, each once and in the order that `Trust`
/// gives them. Returns them with the bytes that follow.
fn read_names(mut bytes: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let mut names: Vec<ServerName> = Vec::new();
    loop {
        let (text, rest) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == 0)?)?;
        bytes = rest.get(1..)?;
        if text.is_empty() {
            let names: Vec<_> = names.iter().map(ServerName::to_string).collect();
            return (!names.is_empty()).then_some((names, bytes));
        }
        let text = core::str::from_utf8(text).ok()?;
        let name = ServerName::parse(text)
            .ok()
            .filter(|name| name.to_string() == text)?;
        if names.last().is_some_and(|last| *last >= name) {
            return None;
        }
        names.push(name);
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Peer");
        out.field("public_key", &self.public_key())
            .field("subject", &self.subject())
            .field("names", &self.names());
        out.finish_non_exhaustive()
    }
}
