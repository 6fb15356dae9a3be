//! An alert that was received: who sent it, what this side had said before, and what it usually
//! means.
//!
//! An alert is one byte. What it answers is known on this side alone, so [`Said`] keeps that. The
//! causes are those for which fleeting, OpenSSL, GnuTLS, rustls, Go and the JDK send each alert.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use super::certificate::Date;
use super::list::{List, Protocols};
use crate::code_point::{AlertDescription as Alert, CipherSuite, NamedGroup, SignatureScheme};

/// One of the two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connects.
    Client,
    /// The side that accepts.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// What this side had last said about itself when an alert came: what the peer refused is usually
/// in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// Nothing that a peer usually refuses by an alert.
    Nothing,
    /// This client's ClientHello, which the server has not accepted yet.
    Offer(Arc<Offer>),
    /// This side's certificate.
    Certificate {
        /// Its subject as text (RFC 4514).
        subject: String,
        /// Its issuer, in the same form.
        issuer: String,
        /// Its last moment, as time since 1970-01-01 00:00:00 UTC.
        not_after: Duration,
    },
    /// This side's key, without a certificate that names it.
    Key {
        /// The key as text, as [`PublicKey`](crate::PublicKey) writes and reads it.
        key: String,
    },
    /// The server asked for a client certificate, and this client had none to send.
    NoCertificate {
        /// Why, as the end of a sentence about this client, such as `has no identity`.
        why: &'static str,
    },
}

/// What a client offers in its ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// The name or address that it connects to. An address is not sent as server_name.
    pub name: Option<String>,
    /// Its cipher suites, in order of preference.
    pub cipher_suites: Vec<CipherSuite>,
    /// Its groups for the key exchange, in order of preference.
    pub groups: Vec<NamedGroup>,
    /// The signature schemes that it accepts. Empty if it accepts only a PSK.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Its application protocols, in order of preference. Empty if it does not use ALPN.
    pub alpn: Vec<Vec<u8>>,
    /// Whether it offers an external PSK.
    pub external_psk: bool,
}

impl Said {
    /// Returns true for a client's offer with an external PSK.
    pub(super) fn has_external_psk(&self) -> bool {
        matches!(self, Self::Offer(offer) if offer.external_psk)
    }
}

/// An alert that was received, as a sentence that says what it means and what to do.
pub(super) struct Received<'a> {
    pub(super) alert: Alert,
    pub(super) from: Side,
    pub(super) said: &'a Said,
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alert, from, .. } = self;
        write!(
            f,
            "the {from} ended the connection with the alert {alert}: "
        )?;
        match *alert {
            Alert::HANDSHAKE_FAILURE | Alert::INSUFFICIENT_SECURITY => self.nothing_in_common(f),
            Alert::PROTOCOL_VERSION
            | Alert::NO_APPLICATION_PROTOCOL
            | Alert::UNRECOGNIZED_NAME
            | Alert::MISSING_EXTENSION
            | Alert::DECRYPT_ERROR
            | Alert::UNKNOWN_PSK_IDENTITY => self.about_the_offer(f),
            // OpenSSL and GnuTLS answer a PSK with another secret, and GnuTLS an unknown one, so.
            Alert::ILLEGAL_PARAMETER if self.said.has_external_psk() => self.about_the_offer(f),
            Alert::UNKNOWN_CA
            | Alert::BAD_CERTIFICATE
            | Alert::UNSUPPORTED_CERTIFICATE
            | Alert::CERTIFICATE_UNKNOWN
            | Alert::CERTIFICATE_EXPIRED
            | Alert::CERTIFICATE_REVOKED
            | Alert::CERTIFICATE_REQUIRED
            | Alert::ACCESS_DENIED => self.about_the_certificate(f),
            Alert::CLOSE_NOTIFY => f.write_str(
                "it closed the connection before the handshake was complete, for example after a \
                 time-out",
            ),
            Alert::INTERNAL_ERROR => f.write_str(
                "it failed for a reason that is not the fault of this side, such as a key that it \
                 could not use; see its log, and connect again",
            ),
            Alert::BAD_RECORD_MAC => f.write_str(
                "a record from this side does not open there: it was changed on the way, or the \
                 keys of the two sides differ; connect again, and if that fails look for what \
                 changes the traffic",
            ),
            Alert::UNEXPECTED_MESSAGE
            | Alert::RECORD_OVERFLOW
            | Alert::ILLEGAL_PARAMETER
            | Alert::DECODE_ERROR
            | Alert::UNSUPPORTED_EXTENSION => f.write_str(
                "it says that this side broke the protocol; if nothing changes the traffic on its \
                 way, report this to the maintainers of both TLS implementations, with the peer's \
                 log",
            ),
            _ => f.write_str("its log may say why"),
        }
    }
}

impl Received<'_> {
    /// The side that received the alert.
    fn us(&self) -> Side {
        match self.from {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    /// RFC 9846, 6.2: "unable to negotiate an acceptable set of security parameters".
    fn nothing_in_common(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said::Offer(offer) = self.said else {
            let us = self.us();
            return write!(
                f,
                "it has no cipher suite, group or signature scheme in common with this {us}: \
                 enable ed25519 there; fleeting authenticates by Ed25519 alone, and does not speak \
                 TLS 1.2"
            );
        };
        write!(
            f,
            "it has no cipher suite, group or signature scheme in common with this client, no \
             Ed25519 certificate, or no TLS 1.3; this client offers the cipher suites {}; the \
             groups {}; the signature schemes {}{}: enable one of each in the server; fleeting \
             authenticates by Ed25519 alone, and does not speak TLS 1.2",
            List(&offer.cipher_suites),
            List(&offer.groups),
            List(&offer.signature_schemes),
            // OpenSSL without a certificate says so.
            if offer.external_psk {
                "; and an external PSK, which the server may not know"
            } else {
                ""
            }
        )
    }

    fn about_the_offer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.us();
        let offer = match self.said {
            Said::Offer(offer) => Some(offer.as_ref()),
            _ => None,
        };
        let name = offer.and_then(|offer| offer.name.as_deref());
        let address = name.filter(|name| name.parse::<IpAddr>().is_ok());
        match (self.alert, offer) {
            (Alert::PROTOCOL_VERSION, _) => write!(
                f,
                "it does not speak TLS 1.3, the only version of this {us}: enable it in the peer"
            ),
            (Alert::NO_APPLICATION_PROTOCOL, Some(offer)) => write!(
                f,
                "it serves none of the ALPN protocols that this client offers ({}): configure the \
                 same protocol on both sides",
                Protocols(&offer.alpn)
            ),
            (Alert::NO_APPLICATION_PROTOCOL, None) => f.write_str(
                "it accepts no ALPN protocol of this side: configure the same protocol on both \
                 sides",
            ),
            // RFC 6066, section 3: an address is not sent.
            (Alert::MISSING_EXTENSION | Alert::UNRECOGNIZED_NAME, _) if address.is_some() => {
                write!(
                    f,
                    "it chooses its certificate by server_name, which is not sent for the IP \
                     address {}: connect by a name",
                    address.unwrap_or_default()
                )
            }
            (Alert::UNRECOGNIZED_NAME, _) => write!(
                f,
                "it does not serve the name {}: check the name, and for which names the server has \
                 certificates",
                name.unwrap_or("that was asked for")
            ),
            (Alert::MISSING_EXTENSION, Some(offer)) if offer.external_psk => f.write_str(
                "it does not know the external PSK of this client, has a certificate instead, and \
                 this client accepts none (a required extension is missing): configure the same \
                 external PSK on both sides, or trust() here",
            ),
            (Alert::MISSING_EXTENSION, _) => write!(
                f,
                "it requires an extension that this {us} did not send: if it accepts clients by an \
                 external PSK alone, configure the same external PSK on both sides; if it chooses \
                 its certificate by name, connect by one"
            ),
            (_, Some(offer)) if offer.external_psk => f.write_str(
                "it does not have the same external PSK (identity, names and secret) as this \
                 client: configure the same identity, names and secret on both sides",
            ),
            (Alert::UNKNOWN_PSK_IDENTITY, _) => f.write_str(
                "it accepts clients by a PSK alone, and knows none that this side offers: \
                 configure the same external PSK on both sides",
            ),
            // DECRYPT_ERROR. OpenSSL and rustls send it for a signature in the chain too.
            _ => write!(
                f,
                "it could not verify a signature or the Finished message of this {us}, or a \
                 signature in the chain of its certificate: check that the chain is whole and \
                 belongs to the key, and that the peer supports ed25519"
            ),
        }
    }

    fn about_the_certificate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.us();
        let ours = Ours {
            us,
            said: self.said,
        };
        // Older JDKs send bad_certificate for a certificate that is missing.
        if let (Alert::BAD_CERTIFICATE | Alert::CERTIFICATE_REQUIRED, Said::NoCertificate { why }) =
            (self.alert, self.said)
        {
            return write!(
                f,
                "it requires a client certificate, and this client {why}: configure an identity \
                 that the server trusts, by one of its authorities or by its key"
            );
        }
        match (self.alert, self.said) {
            (Alert::CERTIFICATE_REQUIRED, _) => f.write_str(
                "it requires a client certificate: configure an identity that it trusts, by one \
                 of its authorities or by its key",
            ),
            (Alert::UNKNOWN_CA, Said::Key { .. }) => {
                write!(f, "it does not trust {ours}: add the key to its trust")
            }
            (Alert::UNKNOWN_CA, _) => write!(
                f,
                "it does not trust the issuer or the key of {ours}, or has no revocation list of \
                 that issuer: add the root or the key to its trust, or send the whole chain"
            ),
            (Alert::CERTIFICATE_EXPIRED, Said::Certificate { not_after, .. }) => write!(
                f,
                "{ours}, valid until {}, or one above it, has expired or is not valid yet by its \
                 clock: renew it, or correct the peer's clock",
                Date(*not_after)
            ),
            (Alert::CERTIFICATE_EXPIRED, _) => write!(
                f,
                "{ours} has expired or is not valid yet by its clock: renew it, or correct the \
                 peer's clock"
            ),
            (Alert::CERTIFICATE_REVOKED, _) => write!(
                f,
                "{ours}, or one above it, was revoked by its issuer: have a new one issued"
            ),
            // rustls sends it if it has no certificate for the name.
            (Alert::ACCESS_DENIED, Said::Offer(offer)) => write!(
                f,
                "it does not let this client in, or has no certificate for the name {}: check the \
                 name, or have this client authorized there",
                offer.name.as_deref().unwrap_or("that was not sent")
            ),
            (Alert::ACCESS_DENIED, _) => write!(
                f,
                "it does not let in the holder of {ours}: have it authorized there; GnuTLS says \
                 so for every reason, so check its issuer and its dates too"
            ),
            (Alert::UNSUPPORTED_CERTIFICATE, _) => write!(
                f,
                "it does not support the kind of {ours}: check that the peer supports ed25519, and \
                 that the extended key usage of the certificate allows the role of this {us}"
            ),
            // BAD_CERTIFICATE, which clients of Go and GnuTLS send for every reason, and
            // CERTIFICATE_UNKNOWN, which JDKs send for almost every one.
            _ => write!(
                f,
                "it refused {ours}: check its names, its extended key usage, its dates and \
                 whether the peer trusts its issuer, and see the peer's log"
            ),
        }
    }
}

/// What this side showed, as a part of a sentence.
struct Ours<'a> {
    us: Side,
    said: &'a Said,
}

impl fmt::Display for Ours<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.us;
        match self.said {
            Said::Certificate {
                subject, issuer, ..
            } => write!(f, "this {us}'s certificate ({subject}, issued by {issuer})"),
            Said::Key { key } => write!(f, "this {us}'s key ({key})"),
            Said::Nothing | Said::Offer(_) | Said::NoCertificate { .. } => {
                write!(f, "this {us}'s certificate")
            }
        }
    }
}
