//! Alerts that were received: what each says, depending on what this side had said before.

use super::*;

/// The alerts of RFC 9846, 6.2, a warning that ends a handshake (6.1), and an unknown number.
const ALERTS: [u8; 29] = [
    0, 10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 86, 90, 109, 110, 112,
    113, 115, 116, 117, 120, 200,
];

pub(super) fn offer(name: &str, external_psk: bool) -> Said {
    Said::Offer(Arc::new(Offer {
        name: (!name.is_empty()).then(|| name.to_owned()),
        cipher_suites: vec![CipherSuite(0x1301), CipherSuite(0x1303)],
        groups: vec![NamedGroup(0x1d)],
        signature_schemes: vec![SignatureScheme(0x0807)],
        alpn: vec![b"h2".to_vec(), b"\x1b[31m".to_vec()],
        external_psk,
    }))
}

fn certificate() -> Said {
    Said::Certificate {
        subject: "CN=a".to_owned(),
        issuer: "CN=b".to_owned(),
        not_after: Duration::from_secs(1_900_000_000),
    }
}

fn key() -> Said {
    Said::Key {
        key: "MCow".to_owned(),
    }
}

fn none() -> Said {
    Said::NoCertificate {
        why: "has no identity",
    }
}

#[test]
fn each_alert_says_who_sent_it_and_what_to_do() {
    for alert in ALERTS.map(AlertDescription) {
        for from in [Side::Client, Side::Server] {
            for said in [
                Said::Nothing,
                offer("a.example", false),
                offer("", true),
                certificate(),
                key(),
                none(),
            ] {
                let text = Error::AlertReceived { alert, from, said }.to_string();
                let begin = format!("the {from} ended the connection with the alert {alert}: ");
                assert!(text.starts_with(&begin), "{text}");
                says(&text, &[]);
                assert!(text.len() < 600 && text.is_ascii(), "{text}");
            }
        }
    }
}

/// What an alert usually means there: OpenSSL 3 (`ssl/statem/statem_lib.c`, the table of
/// X509_V_ERR), rustls 0.23 (`error.rs`: CertificateError to AlertDescription), Go 1.25
/// (`crypto/tls`: sendAlert) and JDK (`CertificateMessage`: getCertificateAlert).
#[test]
fn what_was_said_before_is_in_the_text() {
    use Side::{Client, Server};
    let rows: [(u8, Side, Said, &[&str]); 34] = [
        (
            40,
            Server,
            offer("a.example", false),
            &[
                "TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256",
                "the groups x25519;",
                "the signature schemes ed25519:",
                "does not speak TLS 1.2",
            ],
        ),
        (40, Client, certificate(), &["enable ed25519 there"]),
        (71, Server, offer("", false), &["the groups x25519;"]),
        (70, Server, offer("", false), &["TLS 1.3", "this client"]),
        (70, Client, certificate(), &["TLS 1.3", "this server"]),
        (
            120,
            Server,
            offer("", false),
            &["(h2, \\x1b[31m)", "both sides"],
        ),
        (120, Client, certificate(), &["ALPN", "both sides"]),
        (
            112,
            Server,
            offer("a.example", false),
            &["a.example", "check the name"],
        ),
        (
            112,
            Server,
            offer("::1", false),
            &["IP address ::1", "connect by a name"],
        ),
        (
            109,
            Server,
            offer("192.0.2.7", false),
            &["IP address 192.0.2.7", "by a name"],
        ),
        (
            109,
            Server,
            offer("a.example", true),
            &["external PSK", "trust() here"],
        ),
        (
            109,
            Server,
            offer("a.example", false),
            &["extension", "external PSK"],
        ),
        (
            51,
            Server,
            offer("a.example", true),
            &["external PSK", "identity, names and secret"],
        ),
        (115, Server, offer("a.example", false), &["PSK alone"]),
        // OpenSSL and GnuTLS answer a PSK with another secret by illegal_parameter, and OpenSSL
        // without a certificate an unknown one by handshake_failure.
        (
            47,
            Server,
            offer("a.example", true),
            &["same external PSK", "identity, names and secret"],
        ),
        (
            40,
            Server,
            offer("a.example", true),
            &["external PSK, which the server may not know"],
        ),
        // OpenSSL and rustls send decrypt_error for a wrong signature in the chain.
        (
            51,
            Client,
            certificate(),
            &["this server", "signature in the chain"],
        ),
        (
            48,
            Client,
            certificate(),
            &["this server's certificate (CN=a, issued by CN=b)", "root"],
        ),
        (
            48,
            Server,
            certificate(),
            &["this client's certificate (CN=a, issued by CN=b)", "chain"],
        ),
        (
            48,
            Client,
            key(),
            &["this server's key (MCow)", "add the key"],
        ),
        // OpenSSL and rustls send unknown_ca if a revocation list is missing.
        (48, Client, certificate(), &["revocation list"]),
        (
            45,
            Client,
            certificate(),
            &["(CN=a, issued by CN=b)", "until 2030-03-17T17:46:40Z"],
        ),
        (45, Server, key(), &["this client's key", "clock"]),
        (44, Server, certificate(), &["CN=a", "revoked", "new one"]),
        (
            43,
            Client,
            certificate(),
            &["CN=a", "ed25519", "extended key usage"],
        ),
        // Go's clients send bad_certificate, and JDKs certificate_unknown, for an unknown root.
        (
            42,
            Client,
            certificate(),
            &["CN=a", "names", "trusts its issuer"],
        ),
        (
            46,
            Client,
            certificate(),
            &["CN=a", "names", "trusts its issuer"],
        ),
        (
            116,
            Server,
            none(),
            &["this client has no identity", "configure an identity"],
        ),
        // Older JDKs send bad_certificate where a certificate is missing.
        (
            42,
            Server,
            none(),
            &["this client has no identity", "configure an identity"],
        ),
        (
            116,
            Server,
            Said::Nothing,
            &["client certificate", "configure an identity"],
        ),
        // rustls sends access_denied if it has no certificate for a name.
        (
            49,
            Server,
            offer("a.example", false),
            &["a.example", "no certificate"],
        ),
        (
            49,
            Server,
            certificate(),
            &["CN=a", "does not let in", "authorized there"],
        ),
        (80, Server, certificate(), &["its log"]),
        (
            50,
            Client,
            certificate(),
            &["this side broke the protocol", "maintainers"],
        ),
    ];
    for (alert, from, said, words) in rows {
        let alert = AlertDescription(alert);
        says(
            &Error::AlertReceived { alert, from, said }.to_string(),
            words,
        );
    }
}

#[test]
fn what_a_program_configured_is_bounded_too() {
    let said = Said::Offer(Arc::new(Offer {
        name: None,
        cipher_suites: Vec::new(),
        groups: Vec::new(),
        signature_schemes: Vec::new(),
        alpn: vec![vec![b'\n'; 255]; 200],
        external_psk: false,
    }));
    let text = Error::AlertReceived {
        alert: AlertDescription::NO_APPLICATION_PROTOCOL,
        from: Side::Server,
        said,
    }
    .to_string();
    assert!(text.len() < 2000, "{}", text.len());
    says(&text, &["\\n\\n...", "and 184 more"]);
}
