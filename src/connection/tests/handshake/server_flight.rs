//! What our client refuses in EncryptedExtensions, CertificateRequest, Certificate,
//! CertificateVerify and Finished (RFC 9846, 4.4 and 4.5), and after the handshake (4.7).

use core::time::Duration;

use crate::client::Client;
use crate::code_point::SignatureScheme;
use crate::connection::tests::puppet::server::{
    certificate_request, certificate_request_with, encrypted_extensions, key_update,
    new_session_ticket, new_session_ticket_with,
};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, certificate_message, certificate_of,
    certificate_verify_of, client, extension, message, now, refused, vector,
};
use crate::error::{CertificateError, DecodeProblem, Fault, Illegal};
use crate::identity::{Identity, Trust, Validity};

/// Asserts that a message is refused in a state. The alert is protected by handshake keys until the
/// client's Finished, and by application keys after it (A.1).
macro_rules! refused_message {
    ($state:expr, $message:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {
        refused_by!(&client(), $state, |_: &Puppet| $message, $alert, $fault $(if $guard)?)
    };
}

macro_rules! refused_by {
    ($client:expr, $state:expr, $message:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::serving_at($client, $state);
        let message: Vec<u8> = $message(&puppet);
        let record = puppet.record(HANDSHAKE, &message);
        refused!(puppet, record, $state, $alert, $fault $(if $guard)?);
    }};
}

fn alpn_client() -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .alpn(["h2", "http/1.1"])
        .build()
        .unwrap()
}

// ---- EncryptedExtensions ----

/// 4.3: an answer to an extension that was not sent is refused with "unsupported_extension".
#[test]
fn encrypted_extensions_unsolicited() {
    // This client offers neither ALPN nor the others.
    for (extension_type, data) in [
        (16, &[0, 3, 2, b'h', b'2'][..]),
        (19, &[0]),
        (20, &[2]),
        (42, &[]),
        (0x0a0a, &[]),
        (0xff01, &[0]),
        (23, &[]),
        (65037, &[]),
    ] {
        refused_message!(
            "WAIT_EE",
            encrypted_extensions(&extension(extension_type, data)),
            110,
            Fault::UnsolicitedExtension { message: "EncryptedExtensions", extension }
                if extension.0 == extension_type
        );
    }
    // This client sent no server_name, because an IP address is not allowed in it (RFC 6066,
    // section 3).
    let mut puppet = Puppet::serving_name(&client(), "192.0.2.7");
    assert_eq!(puppet.offer().server_name(), None);
    puppet.lead_to("WAIT_EE");
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(0, &[])));
    refused!(
        puppet,
        record,
        "WAIT_EE",
        110,
        Fault::UnsolicitedExtension { extension, .. } if extension.0 == 0
    );
}

/// 4.4.1: "The client MUST check EncryptedExtensions for the presence of any forbidden extensions
/// and if any are found ... illegal_parameter". These are the rows of 4.3's table without EE.
#[test]
fn encrypted_extensions_forbidden() {
    for extension_type in [5, 13, 21, 27, 41, 43, 44, 45, 47, 48, 49, 50, 51] {
        refused_message!(
            "WAIT_EE",
            encrypted_extensions(&extension(extension_type, &[])),
            47,
            Fault::MisplacedExtension { message: "EncryptedExtensions", extension }
                if extension.0 == extension_type
        );
    }
}

/// 4.3: no extension may occur twice.
#[test]
fn encrypted_extensions_twice() {
    let twice = [extension(0, &[]), extension(0, &[])].concat();
    refused_message!(
        "WAIT_EE",
        encrypted_extensions(&twice),
        47,
        Fault::DuplicateExtension { extension, .. } if extension.0 == 0
    );
}

/// RFC 7301, 3.1 and 3.2: exactly one protocol, of those offered.
#[test]
fn alpn_answer() {
    let answer = |names: &[&[u8]]| {
        let list: Vec<u8> = names.iter().flat_map(|name| vector(1, name)).collect();
        encrypted_extensions(&extension(16, &vector(2, &list)))
    };
    for name in [&b"h3"[..], b"H2", b"h2 ", b"http/1.0"] {
        refused_by!(
            &alpn_client(),
            "WAIT_EE",
            |_: &Puppet| answer(&[name]),
            47,
            Fault::Illegal(Illegal::ProtocolNotOffered(got)) if got == name
        );
    }
    for names in [&[&b"h2"[..], b"http/1.1"][..], &[b"h2", b"h2"]] {
        refused_by!(
            &alpn_client(),
            "WAIT_EE",
            |_: &Puppet| answer(names),
            50,
            Fault::Decode {
                problem: DecodeProblem::TrailingBytes,
                ..
            }
        );
    }
    for names in [&[][..], &[&b""[..]]] {
        refused_by!(
            &alpn_client(),
            "WAIT_EE",
            |_: &Puppet| answer(names),
            50,
            Fault::Decode { .. }
        );
    }
    let mut puppet = Puppet::serving_at(&alpn_client(), "WAIT_EE");
    puppet.say(&answer(&[b"http/1.1"])).unwrap();
    puppet.lead_to("CONNECTED");
    assert_eq!(
        puppet.us.negotiated().unwrap().alpn(),
        Some(&b"http/1.1"[..])
    );
    // A server that does not support ALPN does not answer.
    let puppet = Puppet::serving_at(&alpn_client(), "CONNECTED");
    assert_eq!(puppet.us.negotiated().unwrap().alpn(), None);
}

/// 4.3: there must be no "data left over after parsing the structure". The acknowledgement of
/// server_name is empty (RFC 6066, section 3).
#[test]
fn encrypted_extensions_syntax() {
    refused_message!(
        "WAIT_EE",
        encrypted_extensions(&extension(0, &[0])),
        50,
        Fault::Decode {
            message: "EncryptedExtensions",
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
    refused_message!(
        "WAIT_EE",
        message(8, &[]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
    refused_message!(
        "WAIT_EE",
        message(8, &[0, 0, 0]),
        50,
        Fault::Decode {
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
    refused_message!(
        "WAIT_EE",
        message(8, &[0, 4, 0, 0, 0]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
}

/// 4.3.7: "servers are permitted to send the "supported_groups" extension". They may also
/// acknowledge the name.
#[test]
fn encrypted_extensions_that_are_fine() {
    let mut puppet = Puppet::client_at("WAIT_EE");
    let extensions = [
        extension(10, &[0, 6, 0x0a, 0x0a, 0, 0x17, 0, 0x1d]),
        extension(0, &[]),
    ]
    .concat();
    puppet.say(&encrypted_extensions(&extensions)).unwrap();
    puppet.lead_to("CONNECTED");
}

// ---- CertificateRequest ----

/// 4.4.2: "This field SHALL be zero length unless used for the post-handshake authentication
/// exchanges".
#[test]
fn certificate_request_context() {
    let schemes = extension(13, &[0, 2, 8, 7]);
    refused_message!(
        "WAIT_CERT_CR",
        certificate_request_with(b"x", &schemes),
        47,
        Fault::Illegal(Illegal::RequestContext)
    );
}

/// 4.4.2: "The "signature_algorithms" extension MUST be specified".
#[test]
fn certificate_request_without_signature_algorithms() {
    for extensions in [&[][..], &extension(50, &[0, 2, 8, 7])] {
        refused_message!(
            "WAIT_CERT_CR",
            certificate_request_with(&[], extensions),
            109,
            Fault::MissingExtension { message: "CertificateRequest", extension }
                if extension.0 == 13
        );
    }
}

/// 4.3: the rows of the table without CR are refused, as are repeated extensions and trailing data.
#[test]
fn certificate_request_extensions() {
    let schemes = extension(13, &[0, 2, 8, 7]);
    for extension_type in [
        10, 14, 15, 16, 19, 20, 21, 28, 41, 42, 43, 44, 45, 49, 51, 58,
    ] {
        refused_message!(
            "WAIT_CERT_CR",
            certificate_request_with(
                &[],
                &[schemes.clone(), extension(extension_type, &[])].concat(),
            ),
            47,
            Fault::MisplacedExtension { message: "CertificateRequest", extension }
                if extension.0 == extension_type
        );
    }
    refused_message!(
        "WAIT_CERT_CR",
        certificate_request_with(&[], &[schemes.clone(), schemes.clone()].concat()),
        47,
        Fault::DuplicateExtension { message: "CertificateRequest", extension } if extension.0 == 13
    );
    for bad in [
        extension(13, &[0, 2, 8, 7, 0]),
        extension(13, &[0, 0]),
        extension(13, &[0, 1, 8]),
    ] {
        refused_message!(
            "WAIT_CERT_CR",
            certificate_request_with(&[], &bad),
            50,
            Fault::Decode {
                message: "CertificateRequest",
                ..
            }
        );
    }
    // 4.3.5: "Any given OID MUST NOT appear more than once in the filters list."
    let filter = [vector(1, &[6, 3, 0x55, 0x1d, 15]), vector(2, &[])].concat();
    let twice = extension(48, &vector(2, &[filter.clone(), filter].concat()));
    refused_message!(
        "WAIT_CERT_CR",
        certificate_request_with(&[], &[schemes, twice].concat()),
        47,
        Fault::Illegal(Illegal::DuplicateEntry {
            list: "oid_filters"
        })
    );
}

/// Returns the number of certificates in our client's answer to a request. Asserts that
/// CertificateVerify follows if there is one.
fn answer_to(client: &Client, request: &[u8]) -> usize {
    let mut puppet = Puppet::serving_at(client, "WAIT_CERT_CR");
    puppet.say(request).unwrap();
    puppet.lead_to("WAIT_FINISHED");
    puppet.say_finished();
    let flight = puppet.hear_client_flight();
    let types: Vec<u8> = flight.iter().map(|message| message[0]).collect();
    let entries = match crate::message::Message::decode(&flight[0]).unwrap() {
        crate::message::Message::Certificate(certificate) => {
            assert!(certificate.certificate_request_context.is_empty());
            assert_eq!(certificate.extension_types().count(), 0);
            certificate.certificate_list.len()
        }
        other => panic!("{other:?}"),
    };
    // 4.5.2: "Clients MUST send this message whenever authenticating via a certificate (i.e., when
    // the Certificate message is non-empty)."
    assert_eq!(
        types,
        if entries == 0 {
            vec![11, 20]
        } else {
            vec![11, 15, 20]
        }
    );
    entries
}

/// 4.5.1: "If ... no suitable certificate is available, the client MUST send a Certificate message
/// containing no certificates".
#[test]
fn what_the_client_shows() {
    let with_identity = Client::builder()
        .trust(WORLD.authority.trust())
        .identity(WORLD.client.clone())
        .build()
        .unwrap();
    assert_eq!(
        answer_to(&with_identity, &certificate_request()),
        WORLD.client.certificates().len()
    );
    assert_eq!(answer_to(&client(), &certificate_request()), 0);
    // 4.5.2: the scheme "MUST be one of those present in ... signature_algorithms". A server that
    // does not accept Ed25519 gets no signature.
    let others = certificate_request_with(&[], &extension(13, &[0, 4, 4, 3, 8, 4]));
    assert_eq!(answer_to(&with_identity, &others), 0);
    // Section 9.3: "a client receiving a CertificateRequest ... MUST also ignore all unrecognized
    // extensions", and schemes.
    let grease = [
        extension(0x0a0a, b"grease"),
        extension(13, &[0, 6, 0x0a, 0x0a, 8, 7, 4, 3]),
        extension(0x7a7a, &[]),
    ]
    .concat();
    assert_eq!(
        answer_to(&with_identity, &certificate_request_with(&[], &grease)),
        WORLD.client.certificates().len()
    );
}

/// 4.3.5 and 4.5.1.2: "the end-entity certificate MUST match the extension OIDs that are recognized
/// by the client".
#[test]
fn oid_filters() {
    let with_identity = Client::builder()
        .trust(WORLD.authority.trust())
        .identity(WORLD.client.clone())
        .build()
        .unwrap();
    let request = |filters: &[(&[u8], &[u8])]| {
        let list: Vec<u8> = filters
            .iter()
            .flat_map(|(oid, values)| [vector(1, oid), vector(2, values)].concat())
            .collect();
        certificate_request_with(
            &[],
            &[
                extension(13, &[0, 2, 8, 7]),
                extension(48, &vector(2, &list)),
            ]
            .concat(),
        )
    };
    let all = WORLD.client.certificates().len();
    const KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 15];
    const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 37];
    // BIT STRINGs: digitalSignature (bit 0), keyCertSign (bit 5).
    let digital_signature = &[3, 2, 7, 0x80][..];
    let key_cert_sign = &[3, 2, 2, 0x04][..];
    // SEQUENCE OF OBJECT IDENTIFIER: id-kp-clientAuth 1.3.6.1.5.5.7.3.2, id-kp-serverAuth .1.
    let client_auth = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2][..];
    let server_auth = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1][..];
    // "If the server has included a non-empty filters list". This list is empty.
    assert_eq!(answer_to(&with_identity, &request(&[])), all);
    assert_eq!(
        answer_to(&with_identity, &request(&[(KEY_USAGE, digital_signature)])),
        all
    );
    assert_eq!(
        answer_to(
            &with_identity,
            &request(&[(EXTENDED_KEY_USAGE, client_auth)])
        ),
        all
    );
    assert_eq!(
        answer_to(
            &with_identity,
            &request(&[
                (KEY_USAGE, digital_signature),
                (EXTENDED_KEY_USAGE, client_auth)
            ])
        ),
        all
    );
    assert_eq!(
        answer_to(&with_identity, &request(&[(KEY_USAGE, key_cert_sign)])),
        0
    );
    assert_eq!(
        answer_to(
            &with_identity,
            &request(&[(EXTENDED_KEY_USAGE, server_auth)])
        ),
        0
    );
    assert_eq!(
        answer_to(
            &with_identity,
            &request(&[
                (KEY_USAGE, digital_signature),
                (EXTENDED_KEY_USAGE, server_auth)
            ])
        ),
        0
    );
    // "the client MUST ignore and skip any unrecognized certificate extension OIDs".
    assert_eq!(
        answer_to(
            &with_identity,
            &request(&[(&[6, 3, 0x2a, 3, 4], b"whatever")])
        ),
        all
    );
}

// ---- Certificate ----

/// 4.5.1.3: "If the server supplies an empty Certificate message, the client MUST abort the
/// handshake with a "decode_error" alert."
#[test]
fn empty_certificate() {
    refused_message!(
        "WAIT_CERT_CR",
        certificate_message(&[], &[]),
        50,
        Fault::Decode {
            message: "Certificate",
            field: "certificate_list",
            problem: DecodeProblem::Empty
        }
    );
    refused_message!(
        "WAIT_CERT",
        certificate_message(&[], &[]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    // `opaque cert_data<1..2^24-1>`
    refused_message!(
        "WAIT_CERT_CR",
        certificate_message(&[], &[(&[], &[])]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// 4.5.1: "in the case of server authentication ... this field SHALL be zero length".
#[test]
fn certificate_context() {
    let leaf = &WORLD.server.certificates()[0];
    refused_message!(
        "WAIT_CERT_CR",
        certificate_message(b"x", &[(leaf, &[])]),
        47,
        Fault::Illegal(Illegal::RequestContext)
    );
}

/// 4.5.1: "Extensions in the Certificate message from the server MUST correspond to ones from the
/// ClientHello message."
#[test]
fn certificate_extensions() {
    let leaf = &WORLD.server.certificates()[0];
    for extension_type in [5, 18, 34, 0x0a0a] {
        refused_message!(
            "WAIT_CERT_CR",
            certificate_message(&[], &[(leaf, &extension(extension_type, &[1, 0, 0, 0]))]),
            110,
            Fault::UnsolicitedExtension { message: "Certificate", extension }
                if extension.0 == extension_type
        );
    }
    for extension_type in [
        0, 10, 13, 16, 21, 28, 41, 42, 43, 44, 45, 47, 48, 49, 50, 51,
    ] {
        refused_message!(
            "WAIT_CERT_CR",
            certificate_message(&[], &[(leaf, &extension(extension_type, &[]))]),
            47,
            Fault::MisplacedExtension { message: "Certificate", extension }
                if extension.0 == extension_type
        );
    }
}

fn certificate_refused(identity: &Identity, alert: u8) -> CertificateError {
    let mut puppet = Puppet::client_at("WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &certificate_of(identity));
    match puppet.refused(&record, "WAIT_CERT_CR", alert) {
        Fault::Certificate(error) => error,
        other => panic!("{other}"),
    }
}

/// 6.2 and the alert table: each kind of invalid certificate has its alert.
#[test]
fn certificates_that_are_refused() {
    let authority = &WORLD.authority;
    let stranger = WORLD.stranger.issue_server(["db.internal"]).unwrap();
    assert!(matches!(
        certificate_refused(&stranger, 48),
        CertificateError::UnknownIssuer { issuer, .. } if issuer == "CN=stranger"
    ));
    let (hour, unix) = (Duration::from_secs(3600), now().unix);
    let issue = |from, to| {
        authority
            .certificate()
            .server(["db.internal"])
            .validity(Validity::between(from, to).unwrap())
            .issue()
            .unwrap()
    };
    assert_eq!(
        certificate_refused(&issue(unix - 2 * hour, unix - hour), 45),
        CertificateError::Expired {
            subject: "CN=db.internal".to_owned(),
            not_after: Duration::from_secs((unix - hour).as_secs()),
        }
    );
    assert_eq!(
        certificate_refused(&issue(unix + hour, unix + 2 * hour), 45),
        CertificateError::NotValidYet {
            subject: "CN=db.internal".to_owned(),
            not_before: Duration::from_secs((unix + hour).as_secs()),
        }
    );
    assert!(matches!(
        certificate_refused(&authority.issue_server(["other.internal"]).unwrap(), 42),
        CertificateError::WrongName { expected, .. } if expected == "db.internal"
    ));
    assert_eq!(
        certificate_refused(
            &authority
                .certificate()
                .client("db.internal")
                .issue()
                .unwrap(),
            43
        ),
        CertificateError::ExtendedKeyUsage
    );
}

/// A chain of garbage, and a chain with changed bytes, cause bad_certificate.
#[test]
fn certificates_that_are_corrupt() {
    refused_message!(
        "WAIT_CERT_CR",
        certificate_message(&[], &[(b"not DER", &[])]),
        42,
        Fault::Certificate(CertificateError::Malformed)
    );
    let mut leaf = WORLD.server.certificates()[0].clone();
    *leaf.last_mut().unwrap() ^= 1;
    refused_message!(
        "WAIT_CERT_CR",
        certificate_message(&[], &[(&leaf, &[])]),
        42,
        Fault::Certificate(CertificateError::BadSignature)
    );
}

/// A pinned key that is not the presented one is refused.
#[test]
fn key_that_is_not_trusted() {
    let trusted = Identity::generate().unwrap();
    let client = Client::builder()
        .trust(Trust::key_for("db.internal", trusted.public_key()))
        .build()
        .unwrap();
    refused_by!(
        &client,
        "WAIT_CERT_CR",
        |puppet: &Puppet| puppet.certificate(),
        48,
        Fault::Certificate(
            CertificateError::UntrustedKey { .. } | CertificateError::UnknownIssuer { .. }
        )
    );
}

// ---- CertificateVerify ----

/// 4.5.2: "If the verification fails, the receiver MUST terminate the handshake with a
/// "decrypt_error" alert."
#[test]
fn certificate_verify_that_does_not_verify() {
    let sign = |content: &[u8]| WORLD.server.sign(content).unwrap().unwrap();
    let refused = |make: &dyn Fn(&Puppet) -> Vec<u8>| {
        refused_by!(&client(), "WAIT_CV", make, 51, Fault::BadSignature)
    };
    for at in [0, 31, 32, 63] {
        refused(&|puppet| {
            let mut signature = sign(&puppet.signed_content(Side::Server));
            signature[at] ^= 1;
            certificate_verify_of(0x0807, &signature)
        });
    }
    // These sign the client's context string, another transcript, or content without the 64 spaces,
    // or use another key.
    refused(&|puppet| certificate_verify_of(0x0807, &sign(&puppet.signed_content(Side::Client))));
    refused(&|puppet| {
        let mut content = puppet.signed_content(Side::Server);
        *content.last_mut().unwrap() ^= 1;
        certificate_verify_of(0x0807, &sign(&content))
    });
    refused(&|puppet| {
        certificate_verify_of(0x0807, &sign(&puppet.signed_content(Side::Server)[64..]))
    });
    refused(&|puppet| {
        certificate_verify_of(
            0x0807,
            &WORLD
                .client
                .sign(&puppet.signed_content(Side::Server))
                .unwrap()
                .unwrap(),
        )
    });
    // These lengths are impossible for an Ed25519 signature.
    for length in [0, 1, 63] {
        refused(&|puppet| {
            certificate_verify_of(
                0x0807,
                &sign(&puppet.signed_content(Side::Server))[..length],
            )
        });
    }
    refused(&|puppet| {
        certificate_verify_of(
            0x0807,
            &[&sign(&puppet.signed_content(Side::Server))[..], &[0]].concat(),
        )
    });
}

/// 4.5.2: "the signature algorithm MUST be one offered in the client's "signature_algorithms"
/// extension".
#[test]
fn certificate_verify_by_a_scheme_not_offered() {
    for scheme in [0x0000, 0x0201, 0x0401, 0x0403, 0x0804, 0x0808, 0x0a0a] {
        refused_by!(
            &client(),
            "WAIT_CV",
            |puppet: &Puppet| certificate_verify_of(
                scheme,
                &WORLD.server.sign(&puppet.signed_content(Side::Server)).unwrap().unwrap(),
            ),
            47,
            Fault::Illegal(Illegal::SchemeNotOffered(SignatureScheme(got))) if got == scheme
        );
    }
}

#[test]
fn certificate_verify_syntax() {
    refused_message!(
        "WAIT_CV",
        message(15, &[8, 7, 0, 64]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
    refused_message!(
        "WAIT_CV",
        message(15, &[8]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Truncated,
            ..
        }
    );
    refused_by!(
        &client(),
        "WAIT_CV",
        |puppet: &Puppet| message(15, &[&puppet.certificate_verify()[4..], &[0]].concat()),
        50,
        Fault::Decode {
            problem: DecodeProblem::TrailingBytes,
            ..
        }
    );
}

/// 4.5.2: "Servers MUST send this message when authenticating via a certificate".
#[test]
fn missing_certificate_verify() {
    refused_by!(
        &client(),
        "WAIT_CV",
        |puppet: &Puppet| puppet.finished(),
        10,
        Fault::Unexpected {
            expected: "CertificateVerify",
            got: "Finished"
        }
    );
}

// ---- Finished ----

/// 4.5.3: "if incorrect MUST terminate the connection with a "decrypt_error" alert".
#[test]
fn wrong_finished() {
    for at in [4, 20, 35] {
        refused_by!(
            &client(),
            "WAIT_FINISHED",
            |puppet: &Puppet| {
                let mut finished = puppet.finished();
                finished[at] ^= 1;
                finished
            },
            51,
            Fault::BadFinished
        );
    }
    // The Finished is made with the other side's key.
    refused_by!(
        &client(),
        "WAIT_FINISHED",
        |puppet: &Puppet| message(
            20,
            &puppet
                .schedule
                .as_ref()
                .unwrap()
                .client_finished
                .verify_data(&puppet.digest())
        ),
        51,
        Fault::BadFinished
    );
    // `opaque verify_data[Hash.length]`: another length violates the syntax.
    for length in [0, 12, 31, 33, 48] {
        refused_message!(
            "WAIT_FINISHED",
            message(20, &vec![0; length]),
            50,
            Fault::Decode {
                message: "Finished",
                ..
            }
        );
    }
}

/// A hook that refuses causes access_denied (6.2), before anything of ours is sent.
#[test]
fn server_that_is_not_authorized() {
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .authorize(|_| Err("not today"))
        .build()
        .unwrap();
    refused_by!(
        &client,
        "WAIT_FINISHED",
        |puppet: &Puppet| puppet.finished(),
        49,
        Fault::Denied(reason) if reason.to_string() == "not today"
    );
}

// ---- after the handshake ----

/// 4.5.3: "Servers MAY send data after sending their first flight"; 4.7.1: and a ticket
/// "immediately upon sending its Finished". Both may directly follow the Finished.
#[test]
fn data_right_behind_finished() {
    let mut puppet = Puppet::client_at("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.transcript.extend_from_slice(&finished);
    let finished = puppet.record(HANDSHAKE, &finished);
    puppet.derive_application_secrets();
    puppet.install_application_keys(Side::Server);
    let ticket = puppet.record(HANDSHAKE, &new_session_ticket());
    let data = puppet.record(APPLICATION_DATA, b"welcome");
    puppet.feed(&[finished, ticket, data].concat()).unwrap();
    assert_eq!(puppet.delivered, b"welcome");
    puppet.hear_client_flight();
    assert_eq!(puppet.state(), "CONNECTED");
}

/// 4.7.1: clients that do not resume "MUST silently ignore this message", with any lifetime and
/// unknown extensions.
#[test]
fn tickets_are_ignored() {
    let mut puppet = Puppet::client_at("CONNECTED");
    let extensions = [
        extension(42, &[0, 0, 0x40, 0]),
        extension(0x0a0a, b"grease"),
    ]
    .concat();
    for ticket in [
        new_session_ticket(),
        new_session_ticket_with(0, &[]),
        new_session_ticket_with(604_801, &[]),
        new_session_ticket_with(u32::MAX, &extensions),
    ] {
        puppet.say(&ticket).unwrap();
        assert_eq!(puppet.state(), "CONNECTED");
    }
    // Several tickets are in one record, and one is split over three records.
    let record = puppet.together(&[&new_session_ticket(), &new_session_ticket()]);
    puppet.feed(&record).unwrap();
    for part in new_session_ticket().chunks(10) {
        let record = puppet.protect(HANDSHAKE, part, 3);
        puppet.feed(&record).unwrap();
    }
    puppet.send(b"data").unwrap();
    assert_eq!(puppet.delivered, b"data");
    puppet.hears_nothing();
}

#[test]
fn tickets_that_are_malformed() {
    refused_message!(
        "CONNECTED",
        message(4, &[0; 8]),
        50,
        Fault::Decode {
            message: "NewSessionTicket",
            ..
        }
    );
    // `opaque ticket<1..2^16-1>`
    refused_message!(
        "CONNECTED",
        message(4, &[0; 13]),
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
    refused_message!(
        "CONNECTED",
        new_session_ticket_with(1, &extension(42, &[0, 0, 1])),
        50,
        Fault::Decode {
            message: "NewSessionTicket",
            ..
        }
    );
    // 4.3's table: of the extensions that we know, NewSessionTicket may contain only early_data.
    for extension_type in [0, 10, 13, 16, 28, 41, 43, 51] {
        refused_message!(
            "CONNECTED",
            new_session_ticket_with(1, &extension(extension_type, &[])),
            47,
            Fault::MisplacedExtension { message: "NewSessionTicket", extension }
                if extension.0 == extension_type
        );
    }
    refused_message!(
        "CONNECTED",
        new_session_ticket_with(1, &[extension(42, &[0; 4]), extension(42, &[0; 4])].concat()),
        47,
        Fault::DuplicateExtension { message: "NewSessionTicket", extension } if extension.0 == 42
    );
}

/// 4.7.2: "A client that receives a post-handshake CertificateRequest message without having sent
/// the "post_handshake_auth" extension MUST send an "unexpected_message" fatal alert."
#[test]
fn certificate_request_after_the_handshake() {
    let schemes = extension(13, &[0, 2, 8, 7]);
    for request in [
        certificate_request(),
        certificate_request_with(b"context", &schemes),
    ] {
        refused_message!(
            "CONNECTED",
            request,
            10,
            Fault::Unexpected {
                got: "CertificateRequest",
                ..
            }
        );
    }
}

/// 4.6: "Servers MUST NOT send this message, and clients receiving it MUST terminate the connection
/// with an "unexpected_message" alert."
#[test]
fn end_of_early_data_at_a_client() {
    for state in ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED", "CONNECTED"] {
        refused_message!(
            state,
            message(5, &[]),
            10,
            Fault::Unexpected {
                got: "EndOfEarlyData",
                ..
            }
        );
    }
}

/// 4.7.3: "Implementations that receive a KeyUpdate message prior to receiving a Finished message
/// MUST terminate the connection with an "unexpected_message" alert."
#[test]
fn key_update_before_finished() {
    for state in [
        "WAIT_SH",
        "WAIT_EE",
        "WAIT_CERT_CR",
        "WAIT_CERT",
        "WAIT_CV",
        "WAIT_FINISHED",
    ] {
        refused_message!(
            state,
            key_update(0),
            10,
            Fault::Unexpected {
                got: "KeyUpdate",
                ..
            }
        );
    }
}
