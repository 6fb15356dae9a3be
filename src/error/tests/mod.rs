//! Tests of every variant of every error: its alert against the standard's number, which is written
//! out here, and its text.

mod received;
mod table;

use core::time::Duration;

use super::*;
use crate::code_point::{
    CertificateType, CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion,
    SignatureScheme,
};

/// Numbers the variants of a type. The match has no `_`, so a new variant does not compile until it
/// has a number here, and [`complete`] fails until it has a row in a table.
trait Variants {
    /// The patterns of the variants.
    const NAMES: &'static [&'static str];

    fn place(&self) -> usize;
}

macro_rules! variants {
    ($type:ty, $($pattern:pat),+ $(,)?) => {
        impl Variants for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($pattern)),+];

            fn place(&self) -> usize {
                use $type as E;
                let mut places = 0..;
                let mut next = || places.next().unwrap();
                // Each pattern takes the next number. All are counted, and the one that matches is
                // returned.
                let mut found = None;
                $(let place = next(); if matches!(self, $pattern) { found = Some(place); })+
                match self { $($pattern)|+ => found.unwrap() }
            }
        }
    };
}

variants! {
    Fault,
    E::Unexpected { .. }, E::UnexpectedRecord { .. }, E::NotTls { .. }, E::ChangeCipherSpec,
    E::NotAligned { .. }, E::Interleaved { .. }, E::EmptyFragment { .. }, E::NoContentType,
    E::BadRecordMac, E::RecordOverflow { .. }, E::Decode { .. }, E::MessageTooLong { .. },
    E::DoesNotFit { .. }, E::TooMany { .. },
    E::TooMuchEarlyData { .. },
    E::DuplicateExtension { .. }, E::MisplacedExtension { .. }, E::UnsolicitedExtension { .. },
    E::MissingExtension { .. }, E::Illegal(_), E::Version { .. }, E::LegacyVersion(_),
    E::NoCommonSuite { .. },
    E::NoCommonGroup { .. }, E::NoCommonScheme { .. }, E::NoCommonCertificateType { .. },
    E::NoCommonProtocol { .. }, E::UnrecognizedName { .. }, E::BadSignature, E::BadFinished,
    E::BadBinder, E::UnknownPsk, E::PskNotTaken, E::CertificateRequired { .. }, E::Certificate(_),
    E::Denied(_), E::Internal { .. }, E::Random, E::Signer(_),
}

variants! {
    Illegal,
    E::SessionIdEcho, E::Compression, E::SuiteNotOffered(_), E::SuiteChanged { .. },
    E::VersionNotOffered(_), E::Downgrade, E::GroupNotOffered(_), E::GroupChanged { .. },
    E::RetryWithoutChange, E::HelloChanged { .. }, E::KeyShares(_), E::KeyShare { .. },
    E::ZeroSharedSecret { .. }, E::DuplicateEntry { .. }, E::SchemeNotOffered(_),
    E::ProtocolNotOffered(_), E::CertificateTypeNotOffered(_), E::RecordSizeLimit(_),
    E::RequestContext, E::RawKeys(_), E::KeyUpdateRequest(_), E::TlsFlags, E::FlagNotOffered,
    E::UpdateGroup { .. }, E::PskNotLast, E::BinderCount { .. }, E::PskIndex(_),
    E::PskHash { .. }, E::PskWithoutKeyShare,
    E::EarlyDataTerms { .. }, E::ServerName,
}

variants! {
    CertificateError,
    E::UnknownIssuer { .. }, E::SelfSigned { .. }, E::UntrustedKey { .. },
    E::Expired { .. }, E::NotValidYet { .. },
    E::DateBefore1970 { .. }, E::WrongName { .. }, E::NotAnSvid { .. },
    E::Malformed, E::BadSignature,
    E::UnsupportedAlgorithm, E::BrokenHash, E::UnsupportedVersion { .. },
    E::UnsupportedExtension { .. }, E::KeyUsage, E::ExtendedKeyUsage, E::NameConstraint,
    E::AuthorityAsLeaf, E::NotAnAuthority, E::IssuerNotAnAuthority, E::PathTooLong, E::TooComplex,
    E::Revoked, E::UnknownRevocation, E::RevocationListExpired, E::RevocationListNotIssuers,
}

variants! {
    Error,
    E::Protocol { .. }, E::AlertReceived { .. }, E::Truncated, E::NothingReceived,
    E::HandshakeTimeout,
    E::Io(_), E::Config(_), E::Name(_), E::Random, E::Signer(_), E::KeyLimit, E::Expired { .. },
    E::Ended, E::Closed,
    E::Refused(_), E::Asked(_), E::WrongState { .. },
}

variants! {
    ConfigError,
    E::NoPemSection { .. }, E::Pem { .. }, E::File { .. }, E::KeyLogFile { .. }, E::InFile { .. },
    E::Certificate { .. }, E::NotAccepted { .. }, E::RevocationList { .. }, E::Key { .. },
    E::KeyMismatch, E::KeyElsewhere, E::PublicKey { .. }, E::Missing { .. },
    E::Setting { .. }, E::Request { .. }, E::Issue { .. },
}

variants! { NameError, E::Empty, E::Port { .. }, E::NotAscii, E::Invalid, E::Uri }

/// Fails unless each variant has a row.
fn complete<'a, T: Variants + 'a>(rows: impl Iterator<Item = &'a T>) {
    let mut seen = vec![false; T::NAMES.len()];
    rows.for_each(|row| seen[row.place()] = true);
    assert!(
        seen.iter().all(|seen| *seen),
        "variants without a row: {seen:?}"
    );
}

/// Checks that the text is one line, contains these words, and begins and ends like the part of a
/// sentence that it is.
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    assert!(
        text.len() > 10 && !text.contains('\n') && !text.ends_with('.') && !text.ends_with(' '),
        "{text:?}"
    );
}

/// A fault, the number of its alert, and the words that its text contains.
type Row = (Fault, u8, &'static [&'static str]);

fn faults() -> Vec<Row> {
    let (message, extension) = ("ServerHello", ExtensionType::KEY_SHARE);
    let offered = vec![CipherSuite(0x1304)];
    vec![
        // RFC 9846, 6.2: unexpected_message(10), and section 5 for the records.
        (
            Fault::Unexpected {
                expected: "ServerHello",
                got: "Finished",
            },
            10,
            &["expected ServerHello", "sent Finished"],
        ),
        (
            Fault::UnexpectedRecord {
                got: ContentType(23),
            },
            10,
            &["application_data"],
        ),
        (
            Fault::NotTls { protocol: "HTTP" },
            10,
            &["speaks HTTP", "not TLS"],
        ),
        (Fault::ChangeCipherSpec, 10, &["ChangeCipherSpec"]),
        (
            Fault::NotAligned {
                message: "Finished",
            },
            10,
            &["Finished", "end its record"],
        ),
        (
            Fault::Interleaved {
                got: ContentType(21),
            },
            10,
            &["alert", "split handshake message"],
        ),
        (
            Fault::EmptyFragment {
                content_type: ContentType(22),
            },
            10,
            &["empty", "handshake"],
        ),
        (Fault::NoContentType, 10, &["padding alone"]),
        (
            Fault::TooMany {
                what: "KeyUpdates",
                limit: 64,
            },
            10,
            &["64", "KeyUpdates"],
        ),
        (
            Fault::TooMuchEarlyData { limit: 16_384 },
            10,
            &["16384", "early data"],
        ),
        // bad_record_mac(20), record_overflow(22).
        (Fault::BadRecordMac, 20, &["does not open"]),
        (
            Fault::RecordOverflow {
                length: 16_641,
                limit: 16_640,
            },
            22,
            &["16641", "16640"],
        ),
        // handshake_failure(40).
        (
            Fault::NoCommonSuite {
                offered,
                accepted: vec![CipherSuite(0x1301), CipherSuite(0x1302)],
            },
            40,
            &[
                "TLS_AES_128_CCM_SHA256",
                "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384",
            ],
        ),
        (
            Fault::NoCommonGroup {
                offered: vec![NamedGroup(0x18)],
                accepted: vec![NamedGroup(0x1d)],
            },
            40,
            &["secp384r1", "x25519"],
        ),
        (
            Fault::NoCommonScheme {
                offered: vec![SignatureScheme(0x0804)],
            },
            40,
            &["ed25519", "rsa_pss_rsae_sha256"],
        ),
        (Fault::PskNotTaken, 40, &["PSK", "trusts nothing else"]),
        // unsupported_certificate(43): RFC 7250, 4.2.
        (
            Fault::NoCommonCertificateType {
                offered: vec![CertificateType(2)],
                accepted: vec![CertificateType(0)],
            },
            43,
            &["certificate type", "offers RawPublicKey", "accepts X509"],
        ),
        // illegal_parameter(47).
        (
            Fault::DuplicateExtension { message, extension },
            47,
            &["ServerHello", "key_share", "twice"],
        ),
        (
            Fault::MisplacedExtension { message, extension },
            47,
            &["ServerHello", "key_share", "not belong"],
        ),
        (Fault::Illegal(Illegal::Compression), 47, &["compression"]),
        // access_denied(49).
        (
            Fault::Denied("not on the list".to_owned().into_error()),
            49,
            &["not authorized", "not on the list"],
        ),
        // decode_error(50), decrypt_error(51).
        (
            Fault::Decode {
                message,
                field: "random",
                problem: DecodeProblem::Truncated,
            },
            50,
            &["ServerHello.random", "ends early"],
        ),
        (
            Fault::MessageTooLong {
                length: 100_000,
                limit: 81_920,
            },
            80,
            &["100000", "81920", "max_handshake_size"],
        ),
        (Fault::BadSignature, 51, &["CertificateVerify"]),
        (Fault::BadFinished, 51, &["Finished"]),
        (Fault::BadBinder, 51, &["binder", "PSK"]),
        (
            Fault::UnknownPsk,
            51,
            &["PSK", "known", "no certificate", "names"],
        ),
        // protocol_version(70).
        (
            Fault::Version {
                got: vec![ProtocolVersion(0x0303)],
            },
            70,
            &["TLS 1.3", "TLS 1.2"],
        ),
        (
            Fault::LegacyVersion(ProtocolVersion(0x0304)),
            70,
            &["legacy_version", "TLS 1.2", "TLS 1.3"],
        ),
        // internal_error(80): ours.
        (
            Fault::DoesNotFit {
                message: "ClientHello",
            },
            80,
            &["ClientHello"],
        ),
        (
            Fault::Internal { what: "sealing" },
            80,
            &["sealing", "report"],
        ),
        (Fault::Random, 80, &["random number generator"]),
        (
            Fault::Signer("the agent is gone".to_owned().into_error()),
            80,
            &["held elsewhere", "the agent is gone"],
        ),
        // missing_extension(109), unsupported_extension(110), unrecognized_name(112),
        // certificate_required(116), no_application_protocol(120).
        (
            Fault::MissingExtension { message, extension },
            109,
            &["ServerHello", "key_share", "lacks"],
        ),
        (
            Fault::UnsolicitedExtension { message, extension },
            110,
            &["ServerHello", "key_share", "not asked"],
        ),
        (
            Fault::UnrecognizedName {
                name: "a.example".to_owned(),
                served: vec!["b.example".to_owned(), "c.example".to_owned()],
                more: 7,
            },
            112,
            &["\"a.example\"", "but for b.example, c.example and 7 more"],
        ),
        (
            Fault::CertificateRequired {
                trusted: vec!["CN=a".to_owned()],
                more: 1,
            },
            116,
            &["client certificate", "required", "CN=a and 1 more"],
        ),
        (
            Fault::CertificateRequired {
                trusted: Vec::new(),
                more: 0,
            },
            116,
            &["client certificate", "required", "by their keys"],
        ),
        (
            Fault::NoCommonProtocol {
                offered: vec![b"h2".to_vec(), b"\n\xff".to_vec()],
                accepted: vec![vec![b'x'; 255], b"http/1.1".to_vec()],
            },
            120,
            &[
                "offers h2, \\n\\xff",
                "accepts xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..., http/1.1",
            ],
        ),
        // Certificate errors have a table of their own below.
        (
            Fault::Certificate(CertificateError::Revoked),
            44,
            &["certificate was not accepted", "revoked"],
        ),
    ]
}

trait IntoError {
    fn into_error(self) -> Arc<dyn std::error::Error + Send + Sync>;
}

impl IntoError for String {
    fn into_error(self) -> Arc<dyn std::error::Error + Send + Sync> {
        Box::<dyn std::error::Error + Send + Sync>::from(self).into()
    }
}

#[test]
fn each_fault_has_its_alert_and_says_what_came() {
    let rows = faults();
    complete(rows.iter().map(|(fault, ..)| fault));
    for (fault, alert, words) in rows {
        assert_eq!(fault.alert().0, alert, "{fault}");
        says(&fault.to_string(), words);
        // The error adds the state and the alert's name, and its alert is the fault's.
        let error = Error::Protocol {
            state: "WAIT_SH",
            fault: fault.clone(),
        };
        assert_eq!(error.alert().map(|alert| alert.0), Some(alert));
        says(&error.to_string(), words);
        says(
            &error.to_string(),
            &[
                "ended by this side, state: WAIT_SH",
                &format!("alert sent: {}", AlertDescription(alert)),
            ],
        );
        // The source is the fault alone.
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            fault.to_string()
        );
    }
}

#[test]
fn what_must_not_be_there_is_illegal_parameter() {
    let group = NamedGroup(0x1d);
    let rows: [(Illegal, &[&str]); 31] = [
        (Illegal::SessionIdEcho, &["legacy_session_id"]),
        (Illegal::TlsFlags, &["tls_flags", "no flag"]),
        (Illegal::FlagNotOffered, &["tls_flags", "not offered"]),
        (
            Illegal::UpdateGroup {
                negotiated: group,
                got: NamedGroup(0x17),
            },
            &["x25519", "secp256r1", "ExtendedKeyUpdate"],
        ),
        (Illegal::Compression, &["compression"]),
        (
            Illegal::SuiteNotOffered(CipherSuite(0x1304)),
            &["TLS_AES_128_CCM_SHA256", "not offered"],
        ),
        (
            Illegal::SuiteChanged {
                retry: CipherSuite(0x1301),
                got: CipherSuite(0x1303),
            },
            &["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
        ),
        (
            Illegal::VersionNotOffered(ProtocolVersion(0x0303)),
            &["TLS 1.2", "not offered"],
        ),
        (Illegal::Downgrade, &["downgrade"]),
        (Illegal::GroupNotOffered(group), &["x25519", "not offered"]),
        (
            Illegal::GroupChanged {
                retry: group,
                got: NamedGroup(0x17),
            },
            &["x25519", "secp256r1"],
        ),
        (Illegal::RetryWithoutChange, &["HelloRetryRequest"]),
        (
            Illegal::HelloChanged { field: "random" },
            &["second ClientHello", "random"],
        ),
        (Illegal::KeyShares(group), &["x25519"]),
        (Illegal::KeyShare { group }, &["x25519", "malformed"]),
        (
            Illegal::ZeroSharedSecret { group },
            &["x25519", "small order"],
        ),
        (
            Illegal::DuplicateEntry { list: "key_share" },
            &["key_share", "repeats"],
        ),
        (
            Illegal::SchemeNotOffered(SignatureScheme(0x0804)),
            &["rsa_pss_rsae_sha256", "not offered"],
        ),
        (
            Illegal::ProtocolNotOffered(b"h3".to_vec()),
            &["h3", "not offered"],
        ),
        (
            Illegal::CertificateTypeNotOffered(CertificateType(0)),
            &["X509", "not offered"],
        ),
        (Illegal::RecordSizeLimit(63), &["63", "below 64"]),
        (Illegal::RequestContext, &["certificate_request_context"]),
        (Illegal::RawKeys(2), &["2", "raw public keys"]),
        (Illegal::KeyUpdateRequest(2), &["KeyUpdateRequest", "2"]),
        (Illegal::PskNotLast, &["pre_shared_key", "last"]),
        (
            Illegal::BinderCount {
                identities: 2,
                binders: 1,
            },
            &["2", "1", "binders"],
        ),
        (Illegal::PskIndex(7), &["7", "not offered"]),
        (
            Illegal::PskHash {
                suite: CipherSuite(0x1302),
            },
            &["TLS_AES_256_GCM_SHA384", "PSK", "hash"],
        ),
        (Illegal::PskWithoutKeyShare, &["PSK", "key share"]),
        (
            Illegal::EarlyDataTerms {
                field: "the cipher suite",
            },
            &["early data", "the cipher suite"],
        ),
        (Illegal::ServerName, &["server_name"]),
    ];
    complete(rows.iter().map(|(illegal, _)| illegal));
    for (illegal, words) in rows {
        says(&illegal.to_string(), words);
        assert_eq!(Fault::from(illegal).alert().0, 47);
    }
}

/// A certificate error, the number of its alert, and the words that its text contains.
fn certificate_errors() -> Vec<(CertificateError, u8, &'static [&'static str])> {
    let wrong_name = CertificateError::WrongName {
        expected: "a.example".to_owned(),
        presented: vec!["b.example".to_owned()],
        more: 2,
    };
    // RFC 9846, 6.2: bad_certificate(42), unsupported_certificate(43), certificate_revoked(44),
    // certificate_expired(45), certificate_unknown(46), unknown_ca(48).
    let id = Some("2.5.29.32".to_owned());
    let date = "1950-01-01".to_owned();
    let (expired, early) = (
        CertificateError::Expired {
            subject: "CN=a".to_owned(),
            not_after: Duration::from_secs(1_900_000_000),
        },
        CertificateError::NotValidYet {
            subject: "CN=b".to_owned(),
            not_before: Duration::MAX,
        },
    );
    vec![
        (
            CertificateError::UnknownIssuer {
                issuer: "CN=x".to_owned(),
                trusted: vec!["CN=y".to_owned()],
                more: 3,
            },
            48,
            &["trusted root", "issued by CN=x", "trusted: CN=y and 3 more"],
        ),
        (
            CertificateError::SelfSigned {
                key: "MCow".to_owned(),
            },
            48,
            &["self-signed", "MCow", "Trust::key_for"],
        ),
        (
            CertificateError::UntrustedKey {
                key: "MCow".to_owned(),
            },
            48,
            &["key MCow", "trusted"],
        ),
        (expired, 45, &["CN=a expired at 2030-03-17T17:46:40Z"]),
        (
            early,
            45,
            &["CN=b", "not valid before", "18446744073709551615"],
        ),
        (
            CertificateError::DateBefore1970 { date },
            42,
            &["1950-01-01", "1970"],
        ),
        (wrong_name, 42, &["a.example", "b.example", "2"]),
        (
            CertificateError::NotAnSvid { reason: "it" },
            42,
            &["X.509-SVID, because it: have", "spiffe://"],
        ),
        (CertificateError::Malformed, 42, &["not a well-formed"]),
        (CertificateError::BadSignature, 42, &["signature"]),
        // RFC 9846, 4.5.1.3: an algorithm that is not offered is unsupported_certificate; MD5 and
        // SHA-1 are bad_certificate.
        (CertificateError::UnsupportedAlgorithm, 43, &["not Ed25519"]),
        (CertificateError::BrokenHash, 42, &["MD5", "SHA-1"]),
        (
            CertificateError::UnsupportedVersion { version: 1 },
            43,
            &["X.509 version 1", "requires version 3"],
        ),
        (
            CertificateError::UnsupportedExtension { id },
            43,
            &["critical extension 2.5.29.32 that"],
        ),
        (
            CertificateError::UnsupportedExtension { id: None },
            43,
            &["critical extension that"],
        ),
        (CertificateError::KeyUsage, 43, &["digitalSignature"]),
        (
            CertificateError::ExtendedKeyUsage,
            43,
            &["extended key usage"],
        ),
        (CertificateError::NameConstraint, 42, &["name constraint"]),
        (
            CertificateError::AuthorityAsLeaf,
            42,
            &["CA", "Trust::key_for"],
        ),
        (
            CertificateError::NotAnAuthority,
            42,
            &["CA", "Trust::key_for"],
        ),
        (
            CertificateError::IssuerNotAnAuthority,
            42,
            &["issuer", "CA"],
        ),
        (CertificateError::PathTooLong, 42, &["longer"]),
        (CertificateError::TooComplex, 42, &["more"]),
        (CertificateError::Revoked, 44, &["revoked"]),
        // Missing or expired lists are not the certificate's fault: certificate_unknown(46).
        (
            CertificateError::UnknownRevocation,
            46,
            &["no revocation list", "allow_unknown"],
        ),
        (
            CertificateError::RevocationListExpired,
            46,
            &["revocation list", "expired", "reload"],
        ),
        (
            CertificateError::RevocationListNotIssuers,
            46,
            &["revocation list", "not signed"],
        ),
    ]
}

#[test]
fn each_certificate_error_has_its_alert() {
    let rows = certificate_errors();
    complete(rows.iter().map(|(error, ..)| error));
    for (error, alert, words) in rows {
        assert_eq!(error.alert().0, alert, "{error}");
        assert_eq!(Fault::from(error.clone()).alert().0, alert);
        says(&error.to_string(), words);
    }
}

/// Each error, the alert it sends, the kind of `io::Error` it becomes, and the words that its text
/// contains.
fn errors() -> Vec<(Error, Option<u8>, io::ErrorKind, &'static [&'static str])> {
    use io::ErrorKind as Kind;
    let reset = Arc::new(io::Error::new(Kind::ConnectionReset, "cable pulled"));
    vec![
        (
            Error::Protocol {
                state: "WAIT_CV",
                fault: Fault::BadSignature,
            },
            Some(51),
            Kind::InvalidData,
            &["WAIT_CV"],
        ),
        // RFC 9846, 6.2: nothing answers an alert.
        (
            Error::AlertReceived {
                alert: AlertDescription(40),
                from: Side::Server,
                said: Said::Nothing,
            },
            None,
            Kind::InvalidData,
            &["handshake_failure", "Ed25519 alone"],
        ),
        (
            Error::Truncated,
            None,
            Kind::UnexpectedEof,
            &["close_notify", "incomplete"],
        ),
        (
            Error::NothingReceived,
            None,
            Kind::UnexpectedEof,
            &["without sending anything", "health checks"],
        ),
        // RFC 9846, 6.1: user_canceled(90), then close_notify.
        (
            Error::HandshakeTimeout,
            Some(90),
            Kind::TimedOut,
            &["handshake_timeout"],
        ),
        (
            Error::Io(reset),
            None,
            Kind::ConnectionReset,
            &["cable pulled"],
        ),
        (
            Error::Config(ConfigError::KeyMismatch),
            None,
            Kind::InvalidInput,
            &["configuration: ", "private key"],
        ),
        (
            Error::Name(NameError::Empty),
            None,
            Kind::InvalidInput,
            &["server name: ", "empty"],
        ),
        (
            Error::Random,
            Some(80),
            Kind::Other,
            &["random number generator"],
        ),
        (
            Error::Signer("the agent is gone".to_owned().into_error()),
            Some(80),
            Kind::Other,
            &["the agent is gone", "connect again"],
        ),
        (Error::KeyLimit, Some(80), Kind::Other, &["new connection"]),
        // RFC 9846, 6.1: close_notify(0).
        (
            Error::Expired {
                limit: TimeLimit::Idle,
            },
            Some(0),
            Kind::ConnectionAborted,
            &["idle_timeout", "new connection"],
        ),
        (
            Error::Ended,
            Some(0),
            Kind::ConnectionAborted,
            &["this application", "running connections"],
        ),
        (Error::Closed, None, Kind::BrokenPipe, &["close()"]),
        (
            Error::Refused(AlertDescription(112)),
            Some(112),
            Kind::PermissionDenied,
            &["refused", "unrecognized_name"],
        ),
        (
            Error::Asked("Signature"),
            None,
            Kind::InvalidInput,
            &["Signature", "start() and advance()"],
        ),
        (
            Error::WrongState {
                call: "write",
                state: "WAIT_SH",
            },
            None,
            Kind::InvalidInput,
            &["write", "WAIT_SH"],
        ),
    ]
}

#[test]
fn each_error_travels_through_io_error_and_back() {
    let rows = errors();
    complete(rows.iter().map(|(error, ..)| error));
    for (error, alert, kind, words) in rows {
        assert_eq!(error.alert().map(|alert| alert.0), alert, "{error}");
        says(&error.to_string(), words);
        let text = error.to_string();
        let io = io::Error::from(error.clone());
        assert_eq!((io.kind(), io.to_string()), (kind, text.clone()));
        assert_eq!(io.downcast::<Error>().unwrap().to_string(), text);
        // `?` in a function that returns our error gives the original error back.
        assert_eq!(Error::from(io::Error::from(error)).to_string(), text);
    }
    // An error of the transport stays one.
    assert!(matches!(
        Error::from(io::Error::other("cable pulled")),
        Error::Io(error) if error.to_string() == "cable pulled"
    ));
}

/// Who connects by an IP address sends no server_name (RFC 6066, section 3).
#[test]
fn a_server_that_needs_a_name_says_why_it_may_be_missing() {
    let missing = Fault::MissingExtension {
        message: "ClientHello",
        extension: ExtensionType::SERVER_NAME,
    };
    says(
        &missing.in_state("START").to_string(),
        &["ClientHello", "server_name", "IP address", "identity()"],
    );
}

#[test]
fn each_configuration_error_says_what_to_do() {
    let file = ConfigError::File {
        path: "/etc/key".to_owned(),
        reason: "denied".to_owned(),
    };
    let rows: [(ConfigError, &[&str]); 17] = [
        (
            ConfigError::NoPemSection {
                wanted: "CERTIFICATE",
                found: Some("PRIVATE KEY".to_owned()),
            },
            &["CERTIFICATE", "PRIVATE KEY", "swapped"],
        ),
        (
            ConfigError::NoPemSection {
                wanted: "CERTIFICATE",
                found: None,
            },
            &["CERTIFICATE", "none"],
        ),
        (
            ConfigError::Pem {
                line: 7,
                reason: "it was cut",
            },
            &["line 7", "PEM", "it was cut"],
        ),
        (file, &["/etc/key", "denied"]),
        (
            ConfigError::KeyLogFile {
                path: "/tmp/keys".to_owned(),
                reason: "it is a symbolic link".to_owned(),
            },
            &["log secrets", "/tmp/keys", "symbolic link"],
        ),
        (
            ConfigError::InFile {
                path: "/etc/ca".to_owned(),
                error: Box::new(ConfigError::KeyMismatch),
            },
            &["/etc/ca", "does not belong"],
        ),
        (
            ConfigError::Certificate {
                index: 3,
                error: CertificateError::Malformed,
            },
            &["certificate 3", "well-formed"],
        ),
        (
            ConfigError::NotAccepted {
                error: CertificateError::Revoked,
            },
            &["would not be accepted", "revoked"],
        ),
        (
            ConfigError::RevocationList {
                index: 2,
                reason: "it is old",
            },
            &["revocation list 2", "it is old"],
        ),
        (
            ConfigError::Key {
                reason: "it is encrypted",
            },
            &["private key", "it is encrypted"],
        ),
        (ConfigError::KeyMismatch, &["does not belong"]),
        (
            ConfigError::KeyElsewhere,
            &["held elsewhere", "whoever holds it"],
        ),
        (
            ConfigError::PublicKey {
                reason: "it is short",
            },
            &["public key", "it is short"],
        ),
        (
            ConfigError::Missing { what: "trust()" },
            &["missing", "trust()"],
        ),
        (
            ConfigError::Setting {
                name: "alpn",
                reason: "it is empty",
            },
            &["alpn", "it is empty"],
        ),
        (
            ConfigError::Request {
                reason: "it is late",
            },
            &["request", "it is late"],
        ),
        (
            ConfigError::Issue {
                reason: "it is late",
            },
            &["certificate", "it is late"],
        ),
    ];
    complete(rows.iter().map(|(error, _)| error));
    for (error, words) in rows {
        says(&error.to_string(), words);
        assert_eq!(
            std::error::Error::source(&Error::from(error.clone()))
                .unwrap()
                .to_string(),
            error.to_string()
        );
    }
    let rows: [(NameError, &[&str]); 5] = [
        (NameError::Empty, &["empty", "connect_unnamed"]),
        (
            NameError::Port {
                name: "a.example".to_owned(),
            },
            &["port", "a.example"],
        ),
        (NameError::NotAscii, &["ASCII", "xn--"]),
        (NameError::Uri, &["URI", "spiffe://TRUST-DOMAIN/PATH"]),
        (
            NameError::Invalid,
            &["DNS name", "IP address", "not a number"],
        ),
    ];
    complete(rows.iter().map(|(error, _)| error));
    for (error, words) in rows {
        says(&error.to_string(), words);
        says(&Error::from(error).to_string(), words);
    }
}

#[test]
fn a_list_that_a_peer_wrote_is_not_repeated_without_end() {
    let fault = Fault::NoCommonSuite {
        offered: vec![CipherSuite(0x0a0a); 30_000],
        accepted: Vec::new(),
    };
    let text = fault.to_string();
    assert!(text.len() < 500, "{}", text.len());
    says(&text, &["and 29984 more", "accepts nothing"]);
}

/// The numbers and names of RFC 9846, B.2, in its order, except the reserved ones.
#[test]
fn alerts_have_the_standards_numbers() {
    let alerts = [
        (0, "close_notify"),
        (10, "unexpected_message"),
        (20, "bad_record_mac"),
        (22, "record_overflow"),
        (40, "handshake_failure"),
        (42, "bad_certificate"),
        (43, "unsupported_certificate"),
        (44, "certificate_revoked"),
        (45, "certificate_expired"),
        (46, "certificate_unknown"),
        (47, "illegal_parameter"),
        (48, "unknown_ca"),
        (49, "access_denied"),
        (50, "decode_error"),
        (51, "decrypt_error"),
        (70, "protocol_version"),
        (71, "insufficient_security"),
        (80, "internal_error"),
        (86, "inappropriate_fallback"),
        (90, "user_canceled"),
        (109, "missing_extension"),
        (110, "unsupported_extension"),
        (112, "unrecognized_name"),
        (113, "bad_certificate_status_response"),
        (115, "unknown_psk_identity"),
        (116, "certificate_required"),
        (117, "general_error"),
        (120, "no_application_protocol"),
    ];
    for (number, name) in alerts {
        assert_eq!(AlertDescription(number).to_string(), name);
    }
}

#[test]
fn errors_are_send_sync_and_clone() {
    fn holds<T: std::error::Error + Send + Sync + Clone + 'static>() {}
    holds::<Error>();
    holds::<Fault>();
    holds::<ConfigError>();
    holds::<NameError>();
    holds::<CertificateError>();
}
