//! Who the peer is, as a chain of proofs (RFC 9846, 4.5).
//!
//! ```text
//! Certificate        ─> VerifiedIdentity   its chain or key is trusted             (identity)
//! CertificateVerify  ─> SignatureVerified  the peer holds its key                  (here)
//! or a PSK           ─> SelectedPsk        the peer is the other holder            (psk.rs)
//! Finished           ─> FinishedVerified   both sides saw the same handshake       (finished.rs)
//! both               ─> Authenticated      what the application and a ticket learn
//! ```
//!
//! Each type is made only by its own check, so a state that holds one cannot have skipped it.
//!
//! Our own proof is made in two parts, [`show`] and [`attest`], because somebody else may have to
//! make the signature in between.

use core::time::Duration;

use crate::code_point::{CertificateType, SignatureScheme};
use crate::crypto::hash::Digest;
use crate::error::{Fault, Illegal};
use crate::handshake::finished::FinishedVerified;
use crate::handshake::psk::SelectedPsk;
use crate::handshake::transcript::Transcript;
use crate::identity::{Identity, Peer, VerifiedIdentity};
use crate::message::{Certificate, CertificateEntry, CertificateVerify};
use crate::session::Whose;
use crate::time::Now;

/// The signing side, which decides between the two context strings of RFC 9846, 4.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    fn context_string(self) -> &'static [u8] {
        match self {
            Self::Client => b"TLS 1.3, client CertificateVerify",
            Self::Server => b"TLS 1.3, server CertificateVerify",
        }
    }
}

/// Returns what a CertificateVerify signs (RFC 9846, 4.5.2): 64 spaces, the context string, a zero
/// byte, and the transcript hash.
pub(crate) fn signed_content(role: Role, transcript: &Digest) -> Vec<u8> {
    let mut content = vec![0x20; 64];
    content.extend_from_slice(role.context_string());
    content.push(0);
    content.extend_from_slice(transcript.as_bytes());
    content
}

/// Proof that the peer holds the key of its certificate. Made only by [`verify`].
pub(crate) struct SignatureVerified(VerifiedIdentity);

/// Verifies a CertificateVerify with the certificate that the peer sent before it.
pub(crate) fn verify(
    identity: VerifiedIdentity,
    role: Role,
    transcript: &Digest,
    message: &CertificateVerify<'_>,
) -> Result<SignatureVerified, Fault> {
    // RFC 9846, 4.5.2: "the signature algorithm MUST be one offered in the ... signature_algorithms
    // extension". We offer one.
    if message.algorithm != SignatureScheme::ED25519 {
        return Err(Illegal::SchemeNotOffered(message.algorithm).into());
    }
    // RFC 9846, 4.5.2: "If the verification fails, the receiver MUST terminate the handshake with a
    // decrypt_error alert."
    identity
        .key()
        .verify(&signed_content(role, transcript), message.signature)
        .map_err(|_| Fault::BadSignature)?;
    Ok(SignatureVerified(identity))
}

/// What authenticates the peer, apart from its Finished.
pub(crate) enum Proof {
    /// Nothing: a client that was not asked, or did not authenticate.
    None,
    /// Its signature in this handshake.
    Signature(SignatureVerified),
    /// A key that only it and we hold.
    Psk(SelectedPsk),
}

/// Who the peer is, and when it authenticated.
pub(crate) struct Authenticated {
    pub(crate) whose: Whose,
    /// The unix time of the handshake in which certificates were verified, or an external PSK was
    /// used.
    pub(crate) since: Duration,
    pub(crate) resumed: bool,
}

impl Proof {
    /// Combines both proofs: the peer has authenticated in this handshake.
    pub(crate) fn confirm(self, _: &FinishedVerified, now: Now) -> Authenticated {
        match self {
            Self::None => Authenticated {
                whose: Whose::Nobody,
                since: now.unix,
                resumed: false,
            },
            Self::Signature(SignatureVerified(identity)) => Authenticated {
                whose: Whose::Peer(Peer::from_verified(identity)),
                since: now.unix,
                resumed: false,
            },
            Self::Psk(SelectedPsk {
                whose,
                since,
                resumed,
            }) => Authenticated {
                whose,
                since,
                resumed,
            },
        }
    }
}

/// Makes our own Certificate, of the negotiated type, and adds it to the transcript.
pub(crate) fn show(
    identity: &Identity,
    certificate_type: CertificateType,
    transcript: &mut Transcript,
) -> Result<Vec<u8>, Fault> {
    let spki = identity.spki();
    let certificate_list = match certificate_type {
        // RFC 9846, 4.5.1: "the certificate_list MUST contain no more than one CertificateEntry,
        // which contains an ASN1_subjectPublicKeyInfo value as defined in RFC 7250, Section 3".
        CertificateType::RAW_PUBLIC_KEY => vec![CertificateEntry::new(&spki)],
        _ => identity
            .certificates()
            .iter()
            .map(|der| CertificateEntry::new(der))
            .collect(),
    };
    let certificate = Certificate {
        certificate_request_context: &[],
        certificate_list,
    }
    .encode()?;
    transcript.add(&certificate);
    Ok(certificate)
}

/// Makes our own CertificateVerify, with the signature over [`signed_content`], and adds it to the
/// transcript.
pub(crate) fn attest(signature: &[u8], transcript: &mut Transcript) -> Result<Vec<u8>, Fault> {
    let verify = CertificateVerify {
        algorithm: SignatureScheme::ED25519,
        signature,
    }
    .encode()?;
    transcript.add(&verify);
    Ok(verify)
}

/// The content of a peer's Certificate message.
pub(crate) enum Shown<'a> {
    /// Nothing: an empty list.
    Nothing,
    /// Certificates, the peer's own first.
    Chain(Vec<&'a [u8]>),
    /// A SubjectPublicKeyInfo (RFC 7250).
    Key(&'a [u8]),
}

/// Reads what a peer's Certificate message shows, in the negotiated type, after the checks that
/// apply to both sides.
pub(crate) fn shown<'a>(
    message: &Certificate<'a>,
    certificate_type: CertificateType,
) -> Result<Shown<'a>, Fault> {
    // RFC 9846, 4.5.1: in the main handshake CertificateRequest has an empty context, and the
    // server's own Certificate too.
    if !message.certificate_request_context.is_empty() {
        return Err(Illegal::RequestContext.into());
    }
    // RFC 9846, 4.5.1: extensions here answer those that we sent, and we send none that is answered
    // here.
    if let Some(extension) = message.extension_types().next() {
        return Err(Fault::UnsolicitedExtension {
            message: Certificate::NAME,
            extension,
        });
    }
    Ok(
        match (certificate_type, message.certificate_list.as_slice()) {
            (_, []) => Shown::Nothing,
            (CertificateType::RAW_PUBLIC_KEY, [entry]) => Shown::Key(entry.cert_data),
            // RFC 9846, 4.5.1: "no more than one CertificateEntry".
            (CertificateType::RAW_PUBLIC_KEY, entries) => {
                return Err(Illegal::RawKeys(entries.len()).into());
            }
            (_, entries) => Shown::Chain(entries.iter().map(|entry| entry.cert_data).collect()),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::HashAlgorithm;

    /// RFC 9846, 4.5.2 has this example, with a transcript hash of 32 bytes of 0x01. Only the hash
    /// differs here.
    #[test]
    fn signs_what_the_standard_shows() {
        let digest = HashAlgorithm::Sha256.hash(b"");
        let content = signed_content(Role::Server, &digest);
        assert_eq!(content.len(), 64 + 33 + 1 + 32);
        assert_eq!(&content[..64], [0x20; 64]);
        assert_eq!(&content[64..98], b"TLS 1.3, server CertificateVerify\0");
        assert_eq!(&content[98..], digest.as_bytes());
        assert_eq!(
            &signed_content(Role::Client, &digest)[64..98],
            b"TLS 1.3, client CertificateVerify\0"
        );
    }
}
