//! PEM (RFC 7468): finds the sections of a text and decodes those that are wanted.
//!
//! A text that contains a key is secret, so it is never copied: a section is a slice of it, and a
//! key is decoded in constant time directly into a [`Secret`]. The lenient decoder, which leaves
//! its buffers behind, only sees sections that are not keys.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use der::pem as rfc7468;
use rustls_pki_types as pki;
use rustls_pki_types::pem::PemObject;

use crate::crypto::scrub::scrubbed;
use crate::error::{CertificateError, ConfigError};
use crate::secret::Secret;

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";
const REVOCATION_LIST: &str = "X509 CRL";

/// The length to which an error cuts a label, which can be anything.
const LABEL_SHOWN: usize = 32;

/// One section, from its BEGIN line to its END line, or to the end of the text.
struct Section<'a> {
    label: &'a [u8],
    text: &'a [u8],
}

impl Section<'_> {
    fn is(&self, label: &str) -> bool {
        self.label == label.as_bytes()
    }
}

/// Returns the sections of a text, in order.
fn sections(mut text: &[u8]) -> impl Iterator<Item = Section<'_>> {
    core::iter::from_fn(move || {
        let mut open: Option<(&[u8], &[u8])> = None;
        while !text.is_empty() {
            let from_here = text;
            let len = text
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
                .map_or(text.len(), |end| end + 1);
            let (line, rest) = text.split_at_checked(len)?;
            text = rest;
            let line = line.trim_ascii();
            match open {
                None => {
                    if let Some(label) = line
                        .strip_prefix(b"-----BEGIN ")
                        .and_then(|line| line.strip_suffix(b"-----"))
                    {
                        open = Some((label, from_here));
                    }
                }
                Some((label, begin)) => {
                    if line
                        .strip_prefix(b"-----END ")
                        .and_then(|line| line.strip_suffix(b"-----"))
                        == Some(label)
                    {
                        let (section, _) = begin.split_at_checked(begin.len() - text.len())?;
                        return Some(Section {
                            label,
                            text: section,
                        });
                    }
                }
            }
        }
        open.map(|(label, text)| Section { label, text })
    })
}

/// Makes the error for a text without a section of the wanted kind.
fn missing(wanted: &'static str, pem: &[u8]) -> ConfigError {
    let found = sections(pem).next().map(|section| {
        let label: Vec<u8> = section.label.iter().copied().take(LABEL_SHOWN).collect();
        String::from_utf8_lossy(&label).into_owned()
    });
    ConfigError::NoPemSection { wanted, found }
}

/// Returns all certificates in a text, as DER.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    let mut certificates = Vec::new();
    for section in sections(pem).filter(|section| section.is(CERTIFICATE)) {
        let der = pki::CertificateDer::from_pem_slice(section.text).map_err(|_| {
            ConfigError::Certificate {
                index: certificates.len(),
                error: CertificateError::Malformed,
            }
        })?;
        certificates.push(der.to_vec());
    }
    if certificates.is_empty() {
        return Err(missing(CERTIFICATE, pem));
    }
    Ok(certificates)
}

/// Returns all certificate revocation lists in a text, as DER.
pub(crate) fn revocation_lists(pem: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    let mut lists = Vec::new();
    for section in sections(pem).filter(|section| section.is(REVOCATION_LIST)) {
        let der =
            pki::CertificateRevocationListDer::from_pem_slice(section.text).map_err(|_| {
                ConfigError::RevocationList {
                    index: lists.len(),
                    reason: "its PEM is not well-formed",
                }
            })?;
        lists.push(der.to_vec());
    }
    if lists.is_empty() {
        Err(missing(REVOCATION_LIST, pem))
    } else {
        Ok(lists)
    }
}

/// Returns the first public key in a text, as a DER SubjectPublicKeyInfo.
pub(crate) fn public_key(pem: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let section = sections(pem)
        .find(|section| section.is(PUBLIC_KEY))
        .ok_or_else(|| missing(PUBLIC_KEY, pem))?;
    let spki = pki::SubjectPublicKeyInfoDer::from_pem_slice(section.text).map_err(|_| {
        ConfigError::PublicKey {
            reason: "its PEM is not well-formed",
        }
    })?;
    Ok(spki.to_vec())
}

/// Returns the only private key in a text, as DER PKCS#8.
pub(crate) fn private_key(pem: &[u8]) -> Result<Secret, ConfigError> {
    let mut keys = sections(pem).filter(|section| section.is(PRIVATE_KEY));
    let Some(section) = keys.next() else {
        return Err(other_key(pem).unwrap_or_else(|| missing(PRIVATE_KEY, pem)));
    };
    if keys.next().is_some() {
        return Err(ConfigError::Key {
            reason: "the PEM has more than one private key; leave the one that belongs to the \
                     certificate",
        });
    }
    decode_secret(section.text).ok_or(ConfigError::Key {
        reason: "its PEM is not well-formed",
    })
}

/// Makes the error for a key in another form than PKCS#8, which says what to do about it.
fn other_key(pem: &[u8]) -> Option<ConfigError> {
    sections(pem).find_map(|section| {
        let reason = match section.label {
            b"ENCRYPTED PRIVATE KEY" => {
                "it is encrypted; decrypt it first (openssl pkey -in KEY -out PLAIN)"
            }
            b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"DSA PRIVATE KEY" => {
                "it is not Ed25519; make one with Identity::generate, Authority, or openssl \
                 genpkey -algorithm ed25519"
            }
            b"OPENSSH PRIVATE KEY" => {
                "it is in the form of OpenSSH; PKCS#8 is needed (BEGIN PRIVATE KEY)"
            }
            _ => return None,
        };
        Some(ConfigError::Key { reason })
    })
}

/// Decodes a key. The decoder holds a block of it on the stack, so all of this runs where the stack
/// is overwritten afterwards.
fn decode_secret(section: &[u8]) -> Option<Secret> {
    scrubbed(|| {
        let mut decoder = rfc7468::Decoder::new_detect_wrap(section).ok()?;
        let secret =
            Secret::try_filled(decoder.remaining_len(), |out| decoder.decode(out).map(drop))
                .ok()?;
        decoder.is_finished().then_some(secret)
    })
}

/// Writes DER certificates as PEM text.
pub(crate) fn write_certificates<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    // It fails only for more than 2^62 bytes.
    certificates
        .into_iter()
        .filter_map(|der| rfc7468::encode_string(CERTIFICATE, rfc7468::LineEnding::LF, der).ok())
        .collect()
}

/// Writes a DER certificate revocation list as PEM text.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) fn write_revocation_list(der: &[u8]) -> String {
    // It fails only for more than 2^62 bytes.
    rfc7468::encode_string(REVOCATION_LIST, rfc7468::LineEnding::LF, der).unwrap_or_default()
}

/// Writes a PKCS#8 key as PEM text, in place.
#[expect(
    clippy::expect_used,
    reason = "it fails for a buffer that is too short, and this one is measured"
)]
pub(crate) fn write_private_key(pkcs8: &Secret) -> Secret {
    scrubbed(|| {
        let len = rfc7468::encoded_len(PRIVATE_KEY, rfc7468::LineEnding::LF, pkcs8.expose());
        len.and_then(|len| {
            Secret::try_filled(len, |out| {
                rfc7468::encode(PRIVATE_KEY, rfc7468::LineEnding::LF, pkcs8.expose(), out).map(drop)
            })
        })
        .expect("a key fits into its PEM")
    })
}

/// The longest file of PEM text that is read, in bytes: far more than any chain, and still
/// harmless.
const MAX_FILE: usize = 16 * 1024 * 1024;

/// Reads a file's content as a secret, since it may contain a key. The buffer is replaced by a
/// larger one, never grown in place, so that no copy stays behind. This works for a pipe too.
pub(crate) fn read_file(path: &Path) -> Result<Secret, ConfigError> {
    let failed = |reason: String| ConfigError::File {
        path: path.display().to_string(),
        reason,
    };
    let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut buffer = Secret::filled(4096, |_| ());
    let mut filled = 0;
    loop {
        let mut read = Ok(0);
        buffer = Secret::filled(
            if filled == buffer.len() {
                buffer.len() * 2
            } else {
                buffer.len()
            },
            |out| {
                if let Some((done, rest)) = out.split_at_mut_checked(filled) {
                    for (out, byte) in done.iter_mut().zip(buffer.expose()) {
                        *out = *byte;
                    }
                    read = file.read(rest);
                }
            },
        );
        match read {
            Ok(0) => {
                return Ok(Secret::copy_of(
                    buffer.expose().get(..filled).unwrap_or_default(),
                ));
            }
            Ok(more) => filled += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        if filled > MAX_FILE {
            return Err(failed(format!("it is longer than {MAX_FILE} bytes")));
        }
    }
}
