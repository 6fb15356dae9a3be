//! PEM (RFC 7468): finds the sections of a text and decodes those that are wanted.
//!
//! ```text
//! -----BEGIN label-----
//! base64, in lines of any length, indented and blank ones too
//! -----END label-----
//! ```
//!
//! No section is lost in silence: every `-----BEGIN` and `-----END` in a text belongs to a section
//! that was found, or the text is refused. A byte order mark before a BEGIN line is skipped. END
//! and BEGIN may share a line, as in a file that was appended to one without a final newline.
//! DER is taken as it is, since tools do not agree on which of the two a `.crt`, `.crl` or `.key`
//! file contains.
//!
//! A text that contains a key is secret: a section is a slice of it, and a key is decoded in
//! constant time into a [`Secret`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64ct::{Base64, Encoding};
use der::asn1::AnyRef;
use der::pem as rfc7468;
use der::{Decode, Tag, Tagged};

use crate::crypto::scrub::scrubbed;
use crate::error::{ConfigError, Error};
use crate::secret::Secret;

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";
const REVOCATION_LIST: &str = "X509 CRL";
#[cfg(any(test, fuzzing, feature = "authority"))]
const REQUEST: &str = "CERTIFICATE REQUEST";

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// U+FEFF in UTF-8, which some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The length to which an error cuts a label, which can be anything.
const LABEL_SHOWN: usize = 32;

const STRAY: &str = "a BEGIN or END in it does not begin the line or has no counterpart: give \
                     each marker a line of its own, and restore what was cut";

/// One section.
struct Section<'a> {
    label: &'a [u8],
    /// Everything between the two markers.
    body: &'a [u8],
    /// The number of the BEGIN line, counted from 1.
    line: usize,
}

/// Finds the sections of a text, in order.
fn sections(text: &[u8]) -> Result<Vec<Section<'_>>, ConfigError> {
    // A part in UTF-16 has no marker that would be found.
    if let Some(at) = text.iter().position(|byte| *byte == 0) {
        let before = text.get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        return Err(refused(line, "it is UTF-16 or no text: save it as UTF-8"));
    }
    let mut sections = Vec::new();
    let mut lines = Lines {
        rest: text,
        number: 0,
    };
    while let Some(line) = lines.next() {
        let Some(label) = without_mark(line).strip_prefix(BEGIN) else {
            if has_marker(line) {
                return Err(refused(lines.number, STRAY));
            }
            continue;
        };
        let label = label
            .strip_suffix(DASHES)
            .filter(|label| !has_marker(label) && label.trim_ascii() == *label)
            .ok_or(refused(lines.number, STRAY))?;
        let line = lines.number;
        let body = lines.body(label)?;
        sections.push(Section { label, body, line });
    }
    Ok(sections)
}

/// The lines of a text, without the whitespace around them.
struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line that was taken last, counted from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let len = self
            .rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(self.rest.len());
        let (line, end) = self.rest.split_at_checked(len)?;
        let end_len = if end.starts_with(b"\r\n") { 2 } else { 1 };
        self.rest = end.get(end_len..).unwrap_or_default();
        self.number += 1;
        Some(line.trim_ascii())
    }

    /// Takes the body of the section whose BEGIN line was taken, and its END marker. What follows
    /// the marker is the next line, with the same number.
    fn body(&mut self, label: &[u8]) -> Result<&'a [u8], ConfigError> {
        let (from, begin) = (self.rest, self.number);
        loop {
            let here = self.rest;
            let Some(line) = self.next() else {
                return Err(refused(
                    begin,
                    "the section that begins there has no END: restore the end of the text",
                ));
            };
            let Some(end) = line.strip_prefix(END) else {
                if has_marker(line) {
                    return Err(refused(self.number, STRAY));
                }
                continue;
            };
            let label = end
                .strip_prefix(label)
                .and_then(|end| end.strip_prefix(DASHES))
                // The next marker needs dashes of its own.
                .filter(|behind| !behind.starts_with(b"BEGIN") && !behind.starts_with(b"END"))
                .map(|behind| end.len() - behind.len())
                .ok_or(refused(self.number, STRAY))?;
            let indent = here.len() - here.trim_ascii_start().len();
            self.rest = here.get(indent + END.len() + label..).unwrap_or_default();
            self.number -= 1;
            return Ok(from.get(..from.len() - here.len()).unwrap_or_default());
        }
    }
}

fn without_mark(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest.trim_ascii_start();
    }
    line
}

fn has_marker(line: &[u8]) -> bool {
    let contains = |marker: &[u8]| line.windows(marker.len()).any(|part| part == marker);
    line.contains(&b'-') && (contains(b"-----BEGIN") || contains(b"-----END"))
}

fn refused(line: usize, reason: &'static str) -> ConfigError {
    ConfigError::Pem { line, reason }
}

/// What a section contains: public, or a key.
trait Content: Sized {
    fn decode(body: &[u8]) -> Option<Self>;
    fn from_der(der: &[u8]) -> Self;
}

impl Content for Vec<u8> {
    fn decode(body: &[u8]) -> Option<Self> {
        let digits: Self = digits(body).copied().collect();
        Base64::decode_vec(core::str::from_utf8(&digits).ok()?).ok()
    }

    fn from_der(der: &[u8]) -> Self {
        der.to_vec()
    }
}

impl Content for Secret {
    /// The decoder holds parts of the key on the stack, so all of this runs where the stack is
    /// overwritten afterwards. Only what is whitespace decides a branch.
    fn decode(body: &[u8]) -> Option<Self> {
        scrubbed(|| {
            let base64 = Self::filled(digits(body).count(), |out| {
                for (out, digit) in out.iter_mut().zip(digits(body)) {
                    *out = *digit;
                }
            });
            let padding = digits(body)
                .rev()
                .take_while(|digit| **digit == b'=')
                .count();
            let len = (base64.len() / 4 * 3).checked_sub(padding)?;
            Self::try_filled(len, |out| Base64::decode(base64.expose(), out).map(drop)).ok()
        })
    }

    fn from_der(der: &[u8]) -> Self {
        Self::copy_of(der)
    }
}

fn digits(body: &[u8]) -> impl DoubleEndedIterator<Item = &u8> {
    body.iter().filter(|byte| !byte.is_ascii_whitespace())
}

/// Returns the content of all sections of one kind, or the text itself if it is DER.
fn contents<T: Content>(text: &[u8], wanted: &'static str) -> Result<Vec<T>, ConfigError> {
    if AnyRef::from_der(text).is_ok_and(|content| content.tag() == Tag::Sequence) {
        return Ok(vec![T::from_der(text)]);
    }
    let sections = sections(text)?;
    let mut contents = Vec::new();
    for section in &sections {
        if kind(section, wanted)? == wanted.as_bytes() {
            contents.push(T::decode(section.body).ok_or(refused(
                section.line,
                "the section that begins there is not base64: copy it again",
            ))?);
        }
    }
    if contents.is_empty() {
        let found = sections.first().map(|section| {
            let label = section.label.get(..LABEL_SHOWN).unwrap_or(section.label);
            String::from_utf8_lossy(label).into_owned()
        });
        return Err(
            other_key(wanted, &sections).unwrap_or(ConfigError::NoPemSection { wanted, found })
        );
    }
    Ok(contents)
}

/// Returns the label that RFC 7468 gives to what is in a section. Fails for a section that contains
/// what is wanted in a form that is not read.
fn kind<'a>(section: &Section<'a>, wanted: &str) -> Result<&'a [u8], ConfigError> {
    match section.label {
        // RFC 7468, 5.1 and 6, advises against these older labels, and allows them for the sake of
        // old files.
        b"X509 CERTIFICATE" | b"X.509 CERTIFICATE" => Ok(CERTIFICATE.as_bytes()),
        b"CRL" => Ok(REVOCATION_LIST.as_bytes()),
        // RFC 7468, section 7: it is treated as equivalent.
        b"NEW CERTIFICATE REQUEST" => Ok(b"CERTIFICATE REQUEST"),
        b"TRUSTED CERTIFICATE" if wanted == CERTIFICATE => Err(refused(
            section.line,
            "a TRUSTED CERTIFICATE has settings of OpenSSL behind the certificate: convert it \
             (openssl x509 -in FILE)",
        )),
        b"PKCS7" | b"CMS" | b"PKCS #7 SIGNED DATA"
            if wanted == CERTIFICATE || wanted == REVOCATION_LIST =>
        {
            Err(refused(
                section.line,
                "certificates or lists are in a PKCS #7 envelope: take them out (openssl pkcs7 \
                 -print_certs -in FILE)",
            ))
        }
        label => Ok(label),
    }
}

/// Returns all certificates in a text, as DER.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    contents(text, CERTIFICATE)
}

/// Returns all certificate revocation lists in a text, as DER.
pub(crate) fn revocation_lists(text: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    contents(text, REVOCATION_LIST)
}

/// Returns the only public key in a text, as a DER SubjectPublicKeyInfo.
pub(crate) fn public_key(text: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let mut keys: Vec<Vec<u8>> = contents(text, PUBLIC_KEY)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(ConfigError::PublicKey {
            reason: "the PEM has more than one public key; pass them one by one",
        }),
    }
}

/// Returns the only private key in a text, as DER PKCS#8.
pub(crate) fn private_key(text: &[u8]) -> Result<Secret, ConfigError> {
    let mut keys: Vec<Secret> = contents(text, PRIVATE_KEY)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(ConfigError::Key {
            reason: "the PEM has more than one private key; leave the one that belongs to the \
                     certificate",
        }),
    }
}

/// Makes the error for a key in another form than PKCS#8, which says what to do about it.
fn other_key(wanted: &str, sections: &[Section<'_>]) -> Option<ConfigError> {
    if wanted != PRIVATE_KEY {
        return None;
    }
    sections.iter().find_map(|section| {
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

/// Writes DER certificates as PEM text.
pub(crate) fn write_certificates<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    // It fails only for more than 2^62 bytes.
    certificates
        .into_iter()
        .filter_map(|der| rfc7468::encode_string(CERTIFICATE, rfc7468::LineEnding::LF, der).ok())
        .collect()
}

/// Returns the only certification request in a text, as DER.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) fn request(text: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let mut requests: Vec<Vec<u8>> = contents(text, REQUEST)?;
    match (requests.pop(), requests.is_empty()) {
        (Some(request), true) => Ok(request),
        _ => Err(ConfigError::Request {
            reason: "the PEM has more than one request: pass them one by one",
        }),
    }
}

/// Writes a DER certification request as PEM text.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) fn write_request(der: &[u8]) -> String {
    // It fails only for more than 2^62 bytes.
    rfc7468::encode_string(REQUEST, rfc7468::LineEnding::LF, der).unwrap_or_default()
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

/// Uses the content of a file, which may contain a key. An error names the file.
pub(crate) fn from_file<T>(
    path: &Path,
    with: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    with(read_file(path)?.expose()).map_err(in_file(path))
}

/// Makes the error about the content of a file, which names the file.
pub(crate) fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    |error| match error {
        Error::Config(error) => Error::Config(ConfigError::InFile {
            path: path.display().to_string(),
            error: Box::new(error),
        }),
        other => other,
    }
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
