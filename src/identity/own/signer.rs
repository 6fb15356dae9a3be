//! [`Signer`]: a private key that is held elsewhere. [`Held`]: where an identity's key is, and how
//! it signs.

use core::fmt;
use std::sync::Arc;

use crate::crypto::signature::{SIGNATURE_LEN, SigningKey, VerifyingKey};
use crate::error::Fault;

/// A private key that is held elsewhere (in an agent, a hardware module or another process) and
/// answers at once.
///
/// [`Identity::with_signer`](crate::Identity::with_signer) makes an identity from it and the
/// certificates for its key. It is called during a handshake, on the thread that drives it, which
/// does nothing else until the signature is there. If that takes long, or needs an `await`, let the
/// handshake ask the application instead: [`Identity::asking`](crate::Identity::asking).
///
/// The signature is verified with the key in the certificate before it is sent: a corrupted Ed25519
/// signature can reveal the key, and a wrong key is noticed here rather than by every peer.
///
/// ```
/// use std::error::Error;
/// use std::sync::mpsc;
/// use fleeting::{Authority, Identity, Server, Signer};
///
/// /// A thread that has the key to itself, as a process or a machine could have it.
/// struct Agent(mpsc::Sender<(Vec<u8>, mpsc::Sender<Vec<u8>>)>);
///
/// impl Signer for Agent {
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
///         let (answer, signature) = mpsc::channel();
///         self.0.send((message.to_vec(), answer))?;
///         Ok(signature.recv()?)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn Error>> {
/// # let mut seed = [0; 32];
/// # getrandom::fill(&mut seed)?;
/// let (agent, requests) = mpsc::channel::<(Vec<u8>, mpsc::Sender<Vec<u8>>)>();
/// let key = ed25519_dalek::SigningKey::from_bytes(&seed);
/// let public_key = key.verifying_key().to_bytes().into();
/// std::thread::spawn(move || {
///     for (message, answer) in requests {
///         let signature = ed25519_dalek::Signer::sign(&key, &message);
///         answer.send(signature.to_vec()).ok();
///     }
/// });
///
/// // An authority certifies a key that it never sees.
/// let chain = Authority::new("my services")?
///     .certificate()
///     .server(["db.internal"])
///     .issue_for(public_key)?;
/// let identity = Identity::with_signer(chain, Agent(agent))?;
/// let server = Server::builder().identity(identity).build()?;
/// # Ok(())
/// # }
/// ```
pub trait Signer: Send + Sync {
    /// Returns the Ed25519 signature of `message`, 64 bytes (RFC 8032; not Ed25519ph, and without a
    /// context).
    ///
    /// The message is what a CertificateVerify covers (RFC 9846, 4.5.2): 64 spaces, the signing
    /// side, and a hash. It is not secret.
    ///
    /// # Errors
    ///
    /// Returns whatever prevented the signature. The connection fails with
    /// [`Error::Signer`](crate::Error::Signer), which contains the error, and the peer receives
    /// internal_error.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

/// One signer for several identities, as for several certificates with the same key.
impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        S::sign(self, message)
    }
}

/// The place of an identity's private key.
pub(crate) enum Held {
    /// Here.
    Here(SigningKey),
    /// Elsewhere: with a signer, or, without one, where only the application can have something
    /// signed.
    Elsewhere {
        key: VerifyingKey,
        signer: Option<Box<dyn Signer>>,
    },
}

impl Held {
    /// Signs, unless the application must be asked.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Option<[u8; SIGNATURE_LEN]>, Fault> {
        match self {
            Self::Here(key) => Ok(Some(key.sign(message))),
            Self::Elsewhere {
                key,
                signer: Some(signer),
            } => {
                let signature = signer
                    .sign(message)
                    .map_err(|error| Fault::Signer(error.into()))?;
                checked(key, message, &signature).map(Some)
            }
            Self::Elsewhere { signer: None, .. } => Ok(None),
        }
    }

    /// Checks the application's answer where [`sign`](Self::sign) returned `None`.
    pub(crate) fn check(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<[u8; SIGNATURE_LEN], Fault> {
        match self {
            Self::Elsewhere { key, .. } => checked(key, message, signature),
            Self::Here(_) => Err(Fault::Internal {
                what: "an answer from elsewhere for a key that is here",
            }),
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "here",
            Self::Elsewhere {
                signer: Some(_), ..
            } => "with a signer",
            Self::Elsewhere { signer: None, .. } => "asked for",
        })
    }
}

/// Verifies a signature before it is sent. The peer would refuse a wrong signature too, but one
/// that is almost right, of the same message, would reveal the private key to it.
fn checked(
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> Result<[u8; SIGNATURE_LEN], Fault> {
    let wrong = |defect: Defect| Fault::Signer(Arc::new(defect));
    let signature: [u8; SIGNATURE_LEN] = signature
        .try_into()
        .map_err(|_| wrong(Defect::Length(signature.len())))?;
    key.verify(message, &signature)
        .map_err(|_| wrong(Defect::Mismatch))?;
    Ok(signature)
}

/// The reason why a signature from elsewhere is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    Length(usize),
    Mismatch,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(len) => write!(
                f,
                "its signature is {len} bytes long, and an Ed25519 signature has {SIGNATURE_LEN}"
            ),
            Self::Mismatch => f.write_str(
                "its signature is not one of this message by the first certificate's key: it holds \
                 another key, or signs something else (a hash of the message, Ed25519ph)",
            ),
        }
    }
}

impl std::error::Error for Defect {}
