//! The registries: numbers that TLS gives names to.
//!
//! Each registry is a newtype over the number on the wire, so that an unknown value can be carried,
//! compared and shown. The values that are implemented are closed enums elsewhere (the suites and
//! groups in `crypto`, the messages in `message`). `Display` and `Debug` write the registry's name,
//! or the number if no name is known.

use core::fmt;

/// Declares one registry: a newtype, its named values, and their names for `Display` and `Debug`.
macro_rules! registry {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($int:ty), width $width:literal;
        $( $(#[$value_meta:meta])* $constant:ident = $value:literal, $text:literal; )+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub $int);

        impl $name {
            $(
                #[doc = concat!("`", $text, "`.")]
                $(#[$value_meta])* $vis const $constant: Self = Self($value);
            )+

            /// Returns the name in the registry, or `None` if the value is not known here.
            #[allow(dead_code, reason = "one macro for all registries; not each is asked")]
            $vis fn name(self) -> Option<&'static str> {
                match self {
                    $( Self::$constant => Some($text), )+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!("{:#0", $width, "x}"), self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

registry! {
    /// The type of a record (RFC 9846, 5.1 and B.1).
    pub struct ContentType(u8), width "4";
    CHANGE_CIPHER_SPEC = 20, "change_cipher_spec";
    ALERT = 21, "alert";
    HANDSHAKE = 22, "handshake";
    APPLICATION_DATA = 23, "application_data";
}

registry! {
    /// The type of a handshake message (RFC 9846, section 4 and B.3).
    pub(crate) struct HandshakeType(u8), width "4";
    CLIENT_HELLO = 1, "client_hello";
    SERVER_HELLO = 2, "server_hello";
    NEW_SESSION_TICKET = 4, "new_session_ticket";
    END_OF_EARLY_DATA = 5, "end_of_early_data";
    ENCRYPTED_EXTENSIONS = 8, "encrypted_extensions";
    CERTIFICATE = 11, "certificate";
    CERTIFICATE_REQUEST = 13, "certificate_request";
    CERTIFICATE_VERIFY = 15, "certificate_verify";
    FINISHED = 20, "finished";
    KEY_UPDATE = 24, "key_update";
    /// Experimental: see [`EXTENDED_KEY_UPDATE_FLAG`].
    EXTENDED_KEY_UPDATE = 240, "extended_key_update";
    MESSAGE_HASH = 254, "message_hash";
}

registry! {
    /// The type of an extension: those of RFC 9846, 4.3, and those that fleeting uses besides.
    pub struct ExtensionType(u16), width "6";
    SERVER_NAME = 0, "server_name";
    STATUS_REQUEST = 5, "status_request";
    SUPPORTED_GROUPS = 10, "supported_groups";
    SIGNATURE_ALGORITHMS = 13, "signature_algorithms";
    USE_SRTP = 14, "use_srtp";
    HEARTBEAT = 15, "heartbeat";
    ALPN = 16, "application_layer_protocol_negotiation";
    CLIENT_CERTIFICATE_TYPE = 19, "client_certificate_type";
    SERVER_CERTIFICATE_TYPE = 20, "server_certificate_type";
    PADDING = 21, "padding";
    COMPRESS_CERTIFICATE = 27, "compress_certificate";
    RECORD_SIZE_LIMIT = 28, "record_size_limit";
    PRE_SHARED_KEY = 41, "pre_shared_key";
    EARLY_DATA = 42, "early_data";
    SUPPORTED_VERSIONS = 43, "supported_versions";
    COOKIE = 44, "cookie";
    PSK_KEY_EXCHANGE_MODES = 45, "psk_key_exchange_modes";
    CERTIFICATE_AUTHORITIES = 47, "certificate_authorities";
    OID_FILTERS = 48, "oid_filters";
    POST_HANDSHAKE_AUTH = 49, "post_handshake_auth";
    SIGNATURE_ALGORITHMS_CERT = 50, "signature_algorithms_cert";
    KEY_SHARE = 51, "key_share";
    TICKET_REQUEST = 58, "ticket_request";
    /// A temporary registration (draft-ietf-tls-tlsflags).
    TLS_FLAGS = 62, "tls_flags";
}

/// The number in tls_flags of extended_key_update (draft-ietf-tls-extended-key-update).
///
/// Experimental: neither this number nor that of
/// [`HandshakeType::EXTENDED_KEY_UPDATE`](HandshakeType::EXTENDED_KEY_UPDATE), which is one for
/// private use, has been assigned. Both change once they are.
pub(crate) const EXTENDED_KEY_UPDATE_FLAG: usize = 23;

registry! {
    /// A version of the protocol (RFC 9846, 4.3.1). Only TLS 1.3 is implemented; the others have
    /// names for errors.
    pub struct ProtocolVersion(u16), width "6";
    SSL3 = 0x0300, "SSL 3.0";
    TLS1_0 = 0x0301, "TLS 1.0";
    TLS1_1 = 0x0302, "TLS 1.1";
    TLS1_2 = 0x0303, "TLS 1.2";
    TLS1_3 = 0x0304, "TLS 1.3";
}

registry! {
    /// A cipher suite: an AEAD and the hash of the key schedule (RFC 9846, B.4).
    pub struct CipherSuite(u16), width "6";
    /// AES-128-GCM and SHA-256. The fastest suite on CPUs with AES instructions.
    TLS_AES_128_GCM_SHA256 = 0x1301, "TLS_AES_128_GCM_SHA256";
    /// AES-256-GCM and SHA-384.
    TLS_AES_256_GCM_SHA384 = 0x1302, "TLS_AES_256_GCM_SHA384";
    /// ChaCha20-Poly1305 and SHA-256. The fastest suite, and constant in time, on CPUs without AES
    /// instructions.
    TLS_CHACHA20_POLY1305_SHA256 = 0x1303, "TLS_CHACHA20_POLY1305_SHA256";
    /// Not implemented; named for errors.
    TLS_AES_128_CCM_SHA256 = 0x1304, "TLS_AES_128_CCM_SHA256";
    /// Not implemented; named for errors.
    TLS_AES_128_CCM_8_SHA256 = 0x1305, "TLS_AES_128_CCM_8_SHA256";
}

registry! {
    /// A group for key exchange (RFC 9846, 4.3.7). Groups that are not implemented have names for
    /// errors.
    pub struct NamedGroup(u16), width "6";
    /// NIST P-256.
    SECP256R1 = 0x0017, "secp256r1";
    /// NIST P-384; not implemented.
    SECP384R1 = 0x0018, "secp384r1";
    /// NIST P-521; not implemented.
    SECP521R1 = 0x0019, "secp521r1";
    /// Curve25519 (RFC 7748).
    X25519 = 0x001d, "x25519";
    /// Curve448; not implemented.
    X448 = 0x001e, "x448";
    /// ML-KEM-768 and X25519 together (RFC 10024).
    X25519_MLKEM768 = 0x11ec, "X25519MLKEM768";
}

registry! {
    /// A signature scheme (RFC 9846, 4.3.3). Only Ed25519 is implemented; the others have names for
    /// errors.
    pub struct SignatureScheme(u16), width "6";
    /// RSASSA-PKCS1-v1_5 with SHA-256; not implemented.
    RSA_PKCS1_SHA256 = 0x0401, "rsa_pkcs1_sha256";
    /// ECDSA on P-256 with SHA-256; not implemented.
    ECDSA_SECP256R1_SHA256 = 0x0403, "ecdsa_secp256r1_sha256";
    /// ECDSA on P-384 with SHA-384; not implemented.
    ECDSA_SECP384R1_SHA384 = 0x0503, "ecdsa_secp384r1_sha384";
    /// RSASSA-PSS with SHA-256; not implemented.
    RSA_PSS_RSAE_SHA256 = 0x0804, "rsa_pss_rsae_sha256";
    /// RSASSA-PSS with SHA-384; not implemented.
    RSA_PSS_RSAE_SHA384 = 0x0805, "rsa_pss_rsae_sha384";
    /// RSASSA-PSS with SHA-512; not implemented.
    RSA_PSS_RSAE_SHA512 = 0x0806, "rsa_pss_rsae_sha512";
    /// Ed25519 (RFC 8032).
    ED25519 = 0x0807, "ed25519";
    /// Ed448; not implemented.
    ED448 = 0x0808, "ed448";
}

registry! {
    /// How a PSK may be used (RFC 9846, 4.3.9).
    pub(crate) struct PskKeyExchangeMode(u8), width "4";
    /// The PSK alone, without forward secrecy.
    PSK_KE = 0, "psk_ke";
    /// The PSK together with a fresh key exchange.
    PSK_DHE_KE = 1, "psk_dhe_ke";
}

registry! {
    /// The kind of content of a CertificateEntry (RFC 9846, 4.5.1, and RFC 7250).
    pub struct CertificateType(u8), width "4";
    /// An X.509 certificate.
    X509 = 0, "X509";
    /// A public key without a certificate.
    RAW_PUBLIC_KEY = 2, "RawPublicKey";
}

registry! {
    /// The meaning of an alert (RFC 9846, section 6 and B.2).
    pub struct AlertDescription(u8), width "4";
    /// The sender sends no more data.
    CLOSE_NOTIFY = 0, "close_notify";
    /// A message or record came that is not allowed at this point.
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    /// A record does not open: it was changed, or the keys differ.
    BAD_RECORD_MAC = 20, "bad_record_mac";
    /// A record is too long.
    RECORD_OVERFLOW = 22, "record_overflow";
    /// The two sides have no acceptable set of parameters in common.
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    /// A certificate is corrupt, or its signature is wrong.
    BAD_CERTIFICATE = 42, "bad_certificate";
    /// A certificate is of an unsupported kind.
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    /// A certificate was revoked by its issuer.
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    /// A certificate has expired or is not valid yet.
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    /// A certificate was not accepted for another reason.
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    /// A field has a value that is not allowed.
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    /// A certificate has no trusted issuer, or a key is not among the trusted ones.
    UNKNOWN_CA = 48, "unknown_ca";
    /// A certificate is valid, but its holder is not authorized.
    ACCESS_DENIED = 49, "access_denied";
    /// A message does not follow the syntax.
    DECODE_ERROR = 50, "decode_error";
    /// A signature, Finished or binder is wrong.
    DECRYPT_ERROR = 51, "decrypt_error";
    /// The version of the protocol is not supported.
    PROTOCOL_VERSION = 70, "protocol_version";
    /// The offered parameters are too weak.
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    /// The sender failed for a reason that is not the peer's fault.
    INTERNAL_ERROR = 80, "internal_error";
    /// A client fell back to an older version without need.
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    /// The sender canceled the handshake for a reason of its own.
    USER_CANCELED = 90, "user_canceled";
    /// A required extension is missing.
    MISSING_EXTENSION = 109, "missing_extension";
    /// A message has an extension that was not asked for.
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    /// The server does not serve the requested name.
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    /// An OCSP response is not acceptable.
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    /// No acceptable pre-shared key was offered.
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    /// A client certificate is required, but none was sent.
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    /// An error that no other alert describes.
    GENERAL_ERROR = 117, "general_error";
    /// The two sides have no application protocol (ALPN) in common.
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_show_the_registrys_name_and_unknown_ones_their_number() {
        assert_eq!(CipherSuite(0x1301).to_string(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(CipherSuite(0x00ff).to_string(), "0x00ff");
        assert_eq!(format!("{:?}", AlertDescription(51)), "decrypt_error");
        assert_eq!(AlertDescription(7).to_string(), "0x07");
        assert_eq!(NamedGroup(0x11ec).to_string(), "X25519MLKEM768");
    }
}
