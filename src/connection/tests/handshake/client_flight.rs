//! What our server refuses of a client's Certificate, CertificateVerify and Finished (RFC 9846,
//! 4.5), and after the handshake (4.7).
//!
//! 4.5.3: "Any records following a Finished message MUST be encrypted under the appropriate
//! application traffic key ... In particular, this includes any alerts sent by the server in
//! response to client Certificate and CertificateVerify messages." The puppet opens them under that
//! key and no other.

use core::time::Duration;

use crate::code_point::SignatureScheme;
use crate::connection::tests::puppet::client::{asking_server, required};
use crate::connection::tests::puppet::server::{key_update, new_session_ticket};
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, Side, WORLD, certificate_message, certificate_of, certificate_verify_of,
    extension, message, now, refused, server, vector,
};
use crate::error::{CertificateError, DecodeProblem, Fault, Illegal};
use crate::identity::Validity;
use crate::server::{ClientAuth, Server};

/// Asserts that a message is refused in a state of a server that requires a certificate.
macro_rules! refused_message {
    ($state:expr, $message:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {
        refused_by!(
            &asking_server(required()),
            $state,
            |_: &Puppet| $message,
            $alert,
            $fault $(if $guard)?
        )
    };
}

macro_rules! refused_by {
    ($server:expr, $state:expr, $message:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = Puppet::calling_at($server, $state);
        let message: Vec<u8> = $message(&puppet);
        let record = puppet.record(HANDSHAKE, &message);
        refused!(puppet, record, $state, $alert, $fault $(if $guard)?);
    }};
}

/// 4.5.1.3: "the server MAY at its discretion either continue the handshake without client
/// authentication, or abort the handshake with a "certificate_required" alert."
#[test]
fn no_certificate() {
    refused_message!(
        "WAIT_CERT",
        certificate_message(&[], &[]),
        116,
        Fault::CertificateRequired { .. }
    );
    let optional = asking_server(ClientAuth::Optional(WORLD.authority.trust()));
    let mut puppet = Puppet::calling_at(&optional, "WAIT_CERT");
    puppet.say(&certificate_message(&[], &[])).unwrap();
    puppet.lead_server_to("CONNECTED");
    assert!(puppet.us.negotiated().unwrap().peer().is_none());
    // 4.5.1: "The client MUST send a Certificate message if and only if the server has requested"
    // it.
    for server in [&asking_server(required()), &optional] {
        refused_by!(
            server,
            "WAIT_CERT",
            |puppet: &Puppet| puppet.finished(),
            10,
            Fault::Unexpected {
                expected: "Certificate",
                got: "Finished"
            }
        );
    }
    refused_by!(
        &server(),
        "WAIT_FINISHED",
        |puppet: &Puppet| puppet.certificate(),
        10,
        Fault::Unexpected {
            expected: "Finished",
            got: "Certificate"
        }
    );
}

/// The application learns who the client is from a valid certificate, but not before the Finished.
#[test]
fn a_good_certificate() {
    for client_auth in [required(), ClientAuth::Optional(WORLD.authority.trust())] {
        let mut puppet = Puppet::calling_at(&asking_server(client_auth), "WAIT_FINISHED");
        assert!(puppet.us.negotiated().is_none());
        puppet.lead_server_to("CONNECTED");
        assert_eq!(
            puppet
                .us
                .negotiated()
                .unwrap()
                .peer()
                .unwrap()
                .certificates(),
            WORLD.client.certificates()
        );
    }
}

/// 4.5.1: the context is that of the CertificateRequest, which was empty; extensions "MUST
/// correspond to extensions in the CertificateRequest".
#[test]
fn certificate_context_and_extensions() {
    let leaf = &WORLD.client.certificates()[0];
    refused_message!(
        "WAIT_CERT",
        certificate_message(b"x", &[(leaf, &[])]),
        47,
        Fault::Illegal(Illegal::RequestContext)
    );
    refused_message!(
        "WAIT_CERT",
        certificate_message(b"x", &[]),
        47,
        Fault::Illegal(Illegal::RequestContext)
    );
    for extension_type in [5, 18, 0x0a0a] {
        refused_message!(
            "WAIT_CERT",
            certificate_message(&[], &[(leaf, &extension(extension_type, &[1, 0, 0, 0]))]),
            110,
            Fault::UnsolicitedExtension { message: "Certificate", extension }
                if extension.0 == extension_type
        );
    }
    refused_message!(
        "WAIT_CERT",
        certificate_message(&[], &[(leaf, &extension(51, &[]))]),
        47,
        Fault::MisplacedExtension { message: "Certificate", extension } if extension.0 == 51
    );
}

/// 6.2: each invalid certificate has its alert. "Optional" does not allow an invalid one.
#[test]
fn certificates_that_are_refused() {
    let (hour, unix) = (Duration::from_secs(3600), now().unix);
    let issue = |from, to| {
        WORLD
            .authority
            .certificate()
            .client("me")
            .validity(Validity::between(from, to).unwrap())
            .issue()
            .unwrap()
    };
    let mut corrupt = WORLD.client.certificates()[0].clone();
    *corrupt.last_mut().unwrap() ^= 1;
    for (message, alert, expected) in [
        (
            certificate_of(&WORLD.stranger.issue_client("me").unwrap()),
            48,
            CertificateError::UnknownIssuer {
                issuer: "CN=stranger".to_owned(),
                trusted: vec!["CN=test".to_owned()],
                more: 0,
            },
        ),
        (
            certificate_of(&issue(unix - 2 * hour, unix - hour)),
            45,
            CertificateError::Expired {
                subject: "CN=me".to_owned(),
                not_after: Duration::from_secs((unix - hour).as_secs()),
            },
        ),
        (
            certificate_of(&issue(unix + hour, unix + 2 * hour)),
            45,
            CertificateError::NotValidYet {
                subject: "CN=me".to_owned(),
                not_before: Duration::from_secs((unix + hour).as_secs()),
            },
        ),
        (
            certificate_of(&WORLD.server),
            43,
            CertificateError::ExtendedKeyUsage,
        ),
        (
            certificate_message(&[], &[(b"not DER", &[])]),
            42,
            CertificateError::Malformed,
        ),
        (
            certificate_message(&[], &[(&corrupt, &[])]),
            42,
            CertificateError::BadSignature,
        ),
    ] {
        for client_auth in [required(), ClientAuth::Optional(WORLD.authority.trust())] {
            refused_by!(
                &asking_server(client_auth),
                "WAIT_CERT",
                |_: &Puppet| message.clone(),
                alert,
                Fault::Certificate(error) if error == expected
            );
        }
    }
}

/// 4.5.2: decrypt_error for a signature that does not verify.
#[test]
fn certificate_verify_that_does_not_verify() {
    let server = asking_server(required());
    let sign = |content: &[u8]| WORLD.client.sign(content).unwrap().unwrap();
    let refused = |make: &dyn Fn(&Puppet) -> Vec<u8>| {
        refused_by!(&server, "WAIT_CV", make, 51, Fault::BadSignature)
    };
    for at in [0, 31, 32, 63] {
        refused(&|puppet| {
            let mut signature = sign(&puppet.signed_content(Side::Client));
            signature[at] ^= 1;
            certificate_verify_of(0x0807, &signature)
        });
    }
    // These are over the server's context string, as in a reflection, by another key, or of another
    // length.
    refused(&|puppet| certificate_verify_of(0x0807, &sign(&puppet.signed_content(Side::Server))));
    refused(&|puppet| {
        certificate_verify_of(
            0x0807,
            &WORLD
                .server
                .sign(&puppet.signed_content(Side::Client))
                .unwrap()
                .unwrap(),
        )
    });
    refused(&|puppet| {
        certificate_verify_of(0x0807, &sign(&puppet.signed_content(Side::Client))[..63])
    });
}

/// 4.5.2: "the signature algorithm used in the signature MUST be one of those present in the ...
/// "signature_algorithms" extension in the CertificateRequest message".
#[test]
fn certificate_verify_by_a_scheme_not_offered() {
    for scheme in [0x0401, 0x0403, 0x0804, 0x0808, 0x0a0a] {
        refused_by!(
            &asking_server(required()),
            "WAIT_CV",
            |puppet: &Puppet| certificate_verify_of(
                scheme,
                &WORLD.client.sign(&puppet.signed_content(Side::Client)).unwrap().unwrap(),
            ),
            47,
            Fault::Illegal(Illegal::SchemeNotOffered(SignatureScheme(got))) if got == scheme
        );
    }
}

/// 4.5.2: "Clients MUST send this message whenever authenticating via a certificate".
#[test]
fn missing_certificate_verify() {
    refused_by!(
        &asking_server(required()),
        "WAIT_CV",
        |puppet: &Puppet| puppet.finished(),
        10,
        Fault::Unexpected {
            expected: "CertificateVerify",
            got: "Finished"
        }
    );
}

/// 4.5.3: decrypt_error.
#[test]
fn wrong_finished() {
    for server in [server(), asking_server(required())] {
        for at in [4, 35] {
            refused_by!(
                &server,
                "WAIT_FINISHED",
                |puppet: &Puppet| {
                    let mut finished = puppet.finished();
                    finished[at] ^= 0x80;
                    finished
                },
                51,
                Fault::BadFinished
            );
        }
        refused_by!(
            &server,
            "WAIT_FINISHED",
            |puppet: &Puppet| message(
                20,
                &puppet
                    .schedule
                    .as_ref()
                    .unwrap()
                    .server_finished
                    .verify_data(&puppet.digest())
            ),
            51,
            Fault::BadFinished
        );
        for length in [0, 12, 31, 33] {
            refused_by!(
                &server,
                "WAIT_FINISHED",
                |_: &Puppet| message(20, &vec![0; length]),
                50,
                Fault::Decode {
                    message: "Finished",
                    problem: DecodeProblem::Length,
                    ..
                }
            );
        }
    }
}

/// A hook that refuses is reported as access_denied (6.2).
#[test]
fn client_that_is_not_authorized() {
    let server = Server::builder()
        .identity(WORLD.server.clone())
        .client_auth(required())
        .authorize(|_| Err("not today"))
        .build()
        .unwrap();
    refused_by!(
        &server,
        "WAIT_FINISHED",
        |puppet: &Puppet| puppet.finished(),
        49,
        Fault::Denied(reason) if reason.to_string() == "not today"
    );
}

/// 4.2.2: "if a server has negotiated TLS 1.3 and receives a ClientHello at any other time, it MUST
/// terminate the connection with an "unexpected_message" alert." 4.7.3: KeyUpdate before Finished.
/// 4.7.1: only servers send tickets.
#[test]
fn messages_at_the_wrong_time() {
    for state in ["WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"] {
        let hello = Puppet::calling(&server()).make_client_hello(|_| {});
        refused_message!(
            state,
            hello.clone(),
            10,
            Fault::Unexpected {
                got: "ClientHello",
                ..
            }
        );
        refused_message!(
            state,
            new_session_ticket(),
            10,
            Fault::Unexpected {
                got: "NewSessionTicket",
                ..
            }
        );
        // 4.6: EndOfEarlyData is allowed only if early data was accepted, which it is not here.
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
    for state in ["WAIT_CERT", "WAIT_CV", "WAIT_FINISHED"] {
        refused_message!(
            state,
            key_update(1),
            10,
            Fault::Unexpected {
                got: "KeyUpdate",
                ..
            }
        );
    }
}

/// Checks our server's flight: RFC 9846, 4.4 and 4.5. `hear_flight` has verified its Finished.
#[test]
fn the_flight_is_as_it_must_be() {
    let types = |server: &Server| -> Vec<u8> {
        let mut puppet = Puppet::calling(server);
        puppet.say_client_hello();
        puppet
            .hear_flight()
            .iter()
            .map(|message| message[0])
            .collect()
    };
    assert_eq!(types(&server()), [2, 8, 11, 15, 20]);
    assert_eq!(types(&asking_server(required())), [2, 8, 13, 11, 15, 20]);
    let mut puppet = Puppet::calling(&asking_server(required()));
    puppet.say_client_hello();
    let flight = puppet.hear_flight();
    // EncryptedExtensions has an empty server_name(0). CertificateRequest has an empty context,
    // signature_algorithms(13) with only Ed25519, and certificate_authorities(47) with only the
    // name CN=test.
    assert_eq!(flight[1], message(8, &[0, 4, 0, 0, 0, 0]));
    let name = [
        &[0x30, 15, 0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 3, 0x0c, 4][..],
        b"test",
    ]
    .concat();
    let authorities = extension(47, &vector(2, &vector(2, &name)));
    assert_eq!(
        flight[2],
        message(
            13,
            &[&[0, 0, 33, 0, 13, 0, 4, 0, 2, 8, 7][..], &authorities].concat()
        )
    );
    assert_eq!(flight[3], certificate_of(&WORLD.server));
}
