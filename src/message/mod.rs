//! Handshake messages: bytes to types and back (RFC 9846, section 4 and B.3). No policy, no crypto.
//!
//! ```text
//! Client                                               Server
//!
//! ClientHello              -------->
//!                          <--------        HelloRetryRequest*
//! ClientHello*             -------->
//!                                                 ServerHello
//!                                         EncryptedExtensions
//!                                        CertificateRequest*
//!                                                Certificate*
//!                                          CertificateVerify*
//!                          <--------                 Finished
//! EndOfEarlyData*
//! Certificate*
//! CertificateVerify*
//! Finished                 -------->
//!                          <--------         NewSessionTicket*
//! KeyUpdate*               <------->               KeyUpdate*
//! ExtendedKeyUpdate*       <------->       ExtendedKeyUpdate*
//! ```
//!
//! [`Message::decode`] reads one whole message. The result borrows from its bytes. Only lists are
//! allocated, and never more than a small multiple of the message's length. A syntax error, or a
//! field out of its range, is a decode_error that names the message and the field. A few rules that
//! concern only the message itself are checked here too, where each is read: no extension twice,
//! none in a message where it does not belong, pre_shared_key last, a binder for each identity, a
//! valid server name, a KeyUpdateRequest of 0 or 1. The handshake checks everything else (what was
//! offered, what is required, legacy versions, compression).
//!
//! What is decoded encodes to the same bytes again: extensions keep their order, and unknown ones
//! their content.

#![cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "messages are read and written whole, including fields that only the tests and \
                  the fuzzer use"
    )
)]

mod codec;
mod extensions;

mod client_hello;
mod hello_retry_request;
mod server_hello;

mod encrypted_extensions;

mod certificate_request;

mod certificate;
mod certificate_verify;
mod finished;

mod post_handshake;

mod extended_key_update;

pub(crate) use certificate::{Certificate, CertificateEntry, CertificateEntryExtension};
pub(crate) use certificate_request::{CertificateRequest, CertificateRequestExtension};
pub(crate) use certificate_verify::CertificateVerify;
pub(crate) use client_hello::{ClientHello, ClientHelloExtension};
pub(crate) use codec::Reader;
pub(crate) use encrypted_extensions::{EncryptedExtension, EncryptedExtensions};
pub(crate) use extended_key_update::ExtendedKeyUpdate;
pub(crate) use extensions::key_share::KeyShareEntry;
pub(crate) use extensions::oid_filters::OidFilter;
pub(crate) use extensions::pre_shared_key::{OfferedPsks, PskIdentity};
pub(crate) use extensions::server_name::ServerName;
pub(crate) use extensions::tls_flags::TlsFlags;
pub(crate) use finished::{EndOfEarlyData, Finished};
pub(crate) use hello_retry_request::{HelloRetryRequest, RETRY_RANDOM, RetryExtension};
pub(crate) use post_handshake::{KeyUpdate, KeyUpdateRequest, NewSessionTicket, TicketExtension};
pub(crate) use server_hello::{ServerHello, ServerHelloExtension};

use crate::code_point::HandshakeType;
use crate::error::{DecodeProblem, Fault};
use codec::Writer;

/// A handshake message.
///
/// ```text
/// struct {
///     HandshakeType msg_type;    /* handshake type */
///     uint24 length;             /* remaining bytes in message */
///     select (Handshake.msg_type) {
///         case client_hello:          ClientHello;
///         case server_hello:          ServerHello;
///         case end_of_early_data:     EndOfEarlyData;
///         case encrypted_extensions:  EncryptedExtensions;
///         case certificate_request:   CertificateRequest;
///         case certificate:           Certificate;
///         case certificate_verify:    CertificateVerify;
///         case finished:              Finished;
///         case new_session_ticket:    NewSessionTicket;
///         case key_update:            KeyUpdate;
///         case extended_key_update:   ExtendedKeyUpdate;
///     };
/// } Handshake;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    ClientHello(ClientHello<'a>),
    ServerHello(ServerHello<'a>),
    /// A message of type server_hello, distinguished by its random.
    HelloRetryRequest(HelloRetryRequest<'a>),
    EncryptedExtensions(EncryptedExtensions<'a>),
    CertificateRequest(CertificateRequest<'a>),
    Certificate(Certificate<'a>),
    CertificateVerify(CertificateVerify<'a>),
    Finished(Finished<'a>),
    EndOfEarlyData(EndOfEarlyData),
    NewSessionTicket(NewSessionTicket<'a>),
    KeyUpdate(KeyUpdate),
    ExtendedKeyUpdate(ExtendedKeyUpdate<'a>),
}

impl<'a> Message<'a> {
    /// Reads one whole message: its 4-byte header and exactly as many bytes as that says.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut header = Reader::new("Handshake", bytes);
        let msg_type = HandshakeType(header.u8("msg_type")?);
        let length = header.u24("length")?;
        let body = header.bytes("length", length)?;
        header.end("length")?;

        let whole = |message, read: fn(&mut Reader<'a>) -> Result<Self, Fault>| {
            let mut r = Reader::new(message, body);
            let message = read(&mut r)?;
            r.end("length")?;
            Ok(message)
        };
        match msg_type {
            HandshakeType::CLIENT_HELLO => whole(ClientHello::NAME, |r| {
                ClientHello::read(r).map(Self::ClientHello)
            }),
            HandshakeType::SERVER_HELLO if HelloRetryRequest::is(body) => {
                whole(HelloRetryRequest::NAME, |r| {
                    HelloRetryRequest::read(r).map(Self::HelloRetryRequest)
                })
            }
            HandshakeType::SERVER_HELLO => whole(ServerHello::NAME, |r| {
                ServerHello::read(r).map(Self::ServerHello)
            }),
            HandshakeType::ENCRYPTED_EXTENSIONS => whole(EncryptedExtensions::NAME, |r| {
                EncryptedExtensions::read(r).map(Self::EncryptedExtensions)
            }),
            HandshakeType::CERTIFICATE_REQUEST => whole(CertificateRequest::NAME, |r| {
                CertificateRequest::read(r).map(Self::CertificateRequest)
            }),
            HandshakeType::CERTIFICATE => whole(Certificate::NAME, |r| {
                Certificate::read(r).map(Self::Certificate)
            }),
            HandshakeType::CERTIFICATE_VERIFY => whole(CertificateVerify::NAME, |r| {
                CertificateVerify::read(r).map(Self::CertificateVerify)
            }),
            HandshakeType::FINISHED => {
                whole(Finished::NAME, |r| Ok(Self::Finished(Finished::read(r))))
            }
            HandshakeType::END_OF_EARLY_DATA => whole(EndOfEarlyData::NAME, |_| {
                Ok(Self::EndOfEarlyData(EndOfEarlyData))
            }),
            HandshakeType::NEW_SESSION_TICKET => whole(NewSessionTicket::NAME, |r| {
                NewSessionTicket::read(r).map(Self::NewSessionTicket)
            }),
            HandshakeType::KEY_UPDATE => {
                whole(KeyUpdate::NAME, |r| KeyUpdate::read(r).map(Self::KeyUpdate))
            }
            HandshakeType::EXTENDED_KEY_UPDATE => whole(ExtendedKeyUpdate::NAME, |r| {
                ExtendedKeyUpdate::read(r).map(Self::ExtendedKeyUpdate)
            }),
            // RFC 9846, section 4: no state accepts any other type. message_hash occurs only in
            // transcripts, never on the wire.
            other => Err(Fault::Unexpected {
                expected: "a handshake message of TLS 1.3",
                got: foreign(other),
            }),
        }
    }

    /// Checks by its header a message that will not be read: the length is that of what follows the
    /// header.
    ///
    /// # Errors
    ///
    /// Returns [`Fault::Decode`] for a length that the syntax of its type does not allow, and
    /// [`Fault::Unexpected`] for a type that no state accepts.
    pub(crate) fn check_header(msg_type: HandshakeType, length: usize) -> Result<(), Fault> {
        const RANDOM: usize = 32;
        const SESSION_ID: usize = 1 + 32;
        const EXTENSIONS: usize = 2 + 65535;
        let (message, longest) = match msg_type {
            HandshakeType::CLIENT_HELLO => (
                ClientHello::NAME,
                2 + RANDOM + SESSION_ID + (2 + 65534) + (1 + 255) + EXTENSIONS,
            ),
            HandshakeType::SERVER_HELLO => (
                ServerHello::NAME,
                2 + RANDOM + SESSION_ID + 2 + 1 + EXTENSIONS,
            ),
            HandshakeType::ENCRYPTED_EXTENSIONS => (EncryptedExtensions::NAME, EXTENSIONS),
            HandshakeType::CERTIFICATE_REQUEST => {
                (CertificateRequest::NAME, (1 + 255) + EXTENSIONS)
            }
            // Its list may be as long as any message.
            HandshakeType::CERTIFICATE => (Certificate::NAME, 0xff_ffff),
            HandshakeType::CERTIFICATE_VERIFY => (CertificateVerify::NAME, 2 + (2 + 65535)),
            HandshakeType::FINISHED => (Finished::NAME, Finished::MAX_LEN),
            HandshakeType::END_OF_EARLY_DATA => (EndOfEarlyData::NAME, 0),
            HandshakeType::NEW_SESSION_TICKET => {
                (NewSessionTicket::NAME, NewSessionTicket::MAX_LEN - 4)
            }
            HandshakeType::KEY_UPDATE => (KeyUpdate::NAME, 1),
            HandshakeType::EXTENDED_KEY_UPDATE => {
                (ExtendedKeyUpdate::NAME, ExtendedKeyUpdate::MAX_LEN)
            }
            other => {
                return Err(Fault::Unexpected {
                    expected: "a handshake message of TLS 1.3",
                    got: foreign(other),
                });
            }
        };
        if length > longest {
            return Err(Fault::Decode {
                message,
                field: "length",
                problem: DecodeProblem::Length,
            });
        }
        Ok(())
    }

    /// Returns the message's name in the standard.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => ClientHello::NAME,
            Self::ServerHello(_) => ServerHello::NAME,
            Self::HelloRetryRequest(_) => HelloRetryRequest::NAME,
            Self::EncryptedExtensions(_) => EncryptedExtensions::NAME,
            Self::CertificateRequest(_) => CertificateRequest::NAME,
            Self::Certificate(_) => Certificate::NAME,
            Self::CertificateVerify(_) => CertificateVerify::NAME,
            Self::Finished(_) => Finished::NAME,
            Self::EndOfEarlyData(_) => EndOfEarlyData::NAME,
            Self::NewSessionTicket(_) => NewSessionTicket::NAME,
            Self::KeyUpdate(_) => KeyUpdate::NAME,
            Self::ExtendedKeyUpdate(_) => ExtendedKeyUpdate::NAME,
        }
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        match self {
            Self::ClientHello(message) => message.encode(),
            Self::ServerHello(message) => message.encode(),
            Self::HelloRetryRequest(message) => message.encode(),
            Self::EncryptedExtensions(message) => message.encode(),
            Self::CertificateRequest(message) => message.encode(),
            Self::Certificate(message) => message.encode(),
            Self::CertificateVerify(message) => message.encode(),
            Self::Finished(message) => message.encode(),
            Self::EndOfEarlyData(message) => message.encode(),
            Self::NewSessionTicket(message) => message.encode(),
            Self::KeyUpdate(message) => message.encode(),
            Self::ExtendedKeyUpdate(message) => message.encode(),
        }
    }
}

/// Encodes the message that replaces the first ClientHello in the transcript after a
/// HelloRetryRequest (RFC 9846, 4.1).
///
/// ```text
/// message_hash ||        /* Handshake type */
/// 00 00 Hash.length  ||  /* Handshake message length (bytes) */
/// Hash(ClientHello1)     /* Hash of ClientHello1 */
/// ```
pub(crate) fn message_hash(hash: &[u8]) -> Result<Vec<u8>, Fault> {
    Writer::message(HandshakeType::MESSAGE_HASH, "message_hash", |w| {
        w.bytes(hash)
    })
}

/// Returns the name, for an error, of a message that is not part of TLS 1.3. Those of older
/// versions have names (B.3).
fn foreign(msg_type: HandshakeType) -> &'static str {
    match msg_type.0 {
        0 => "a HelloRequest of an older version",
        3 => "a HelloVerifyRequest of DTLS",
        12 => "a ServerKeyExchange of an older version",
        14 => "a ServerHelloDone of an older version",
        16 => "a ClientKeyExchange of an older version",
        21 => "a CertificateURL of an older version",
        22 => "a CertificateStatus of an older version",
        23 => "a SupplementalData of an older version",
        254 => "a message_hash, which is never sent",
        _ => "a handshake message of an unknown type",
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
