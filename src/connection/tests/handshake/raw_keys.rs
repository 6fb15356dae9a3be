//! Raw public keys (RFC 7250; RFC 9846, 4.5.1) in both directions: when they are offered, chosen
//! and presented, and what is refused.

use crate::client::Client;
use crate::code_point::{CertificateType, ExtensionType};
use crate::connection::tests::puppet::client::{add, remove, set};
use crate::connection::tests::puppet::server::{
    certificate_request, certificate_request_with, encrypted_extensions,
};
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, Side, WORLD, certificate_message, certificate_of, certificate_verify_of,
    extension, message, plain, refused, server, vector,
};
use crate::error::{CertificateError, DecodeProblem, Fault, Illegal};
use crate::identity::{Identity, PublicKey, Trust};
use crate::message::ClientHelloExtension::{
    ClientCertificateType, ServerCertificateType, ServerName,
};
use crate::message::{self, ClientHello, Message};
use crate::server::{ClientAuth, Server};

/// RFC 7250, 4.1 and 7.3: the codes of the extensions, and of two types.
const CLIENT_TYPE: u16 = 19;
const SERVER_TYPE: u16 = 20;
const X509: u8 = 0;
const RAW: u8 = 2;

fn untrusted(key: PublicKey) -> CertificateError {
    CertificateError::UntrustedKey {
        key: key.to_string(),
    }
}

/// RFC 8410, section 4: the SubjectPublicKeyInfo of an Ed25519 key.
fn spki(identity: &Identity) -> Vec<u8> {
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    [&prefix[..], identity.public_key().as_bytes()].concat()
}

/// RFC 9846, 4.5.1: there is one entry, with the SubjectPublicKeyInfo instead of a certificate.
fn raw_certificate(identity: &Identity) -> Vec<u8> {
    certificate_message(&[], &[(&spki(identity), &[])])
}

fn types(types: &[u8]) -> Vec<CertificateType> {
    types.iter().copied().map(CertificateType).collect()
}

/// Makes this hello prefer raw keys in both directions.
pub(crate) fn offers_raw_keys(hello: &mut ClientHello<'_>) {
    offer(hello, &[RAW, X509], &[RAW, X509]);
}

/// Sets the certificate types of a hello. An empty list removes the extension.
fn offer(hello: &mut ClientHello<'_>, client: &[u8], server: &[u8]) {
    if !client.is_empty() {
        add(hello, ClientCertificateType(types(client)));
    }
    if !server.is_empty() {
        add(hello, ServerCertificateType(types(server)));
    }
}

// ---- our client, and the server's key ----

fn trusting(trust: Trust) -> Client {
    Client::builder().trust(trust).build().unwrap()
}

/// Our client trusts this key and waits in WAIT_CERT_CR. The server's answer announced a raw key.
fn shown_a_key(trust: Trust) -> Puppet {
    let mut puppet = Puppet::serving_at(&trusting(trust), "WAIT_EE");
    puppet
        .say(&encrypted_extensions(&extension(SERVER_TYPE, &[RAW])))
        .unwrap();
    puppet
}

/// Raw keys are offered if keys are trusted, in order of preference. They are not offered if only
/// roots are trusted, because no root can vouch for one.
#[test]
fn what_our_client_offers() {
    let key = || Identity::generate().unwrap().public_key();
    let roots = || WORLD.authority.trust();
    for (trust, offered) in [
        (roots(), None),
        (Trust::keys([key()]), Some([RAW, X509])),
        (Trust::key_for("db.internal", key()), Some([RAW, X509])),
        (roots().and(Trust::keys([key()])), Some([X509, RAW])),
        (
            roots().and(Trust::key_for("other.internal", key())),
            Some([X509, RAW]),
        ),
    ] {
        for (identity, own) in [
            (None, None),
            (Some(WORLD.client.clone()), None),
            (Some(Identity::generate().unwrap()), Some([RAW, X509])),
        ] {
            let builder = Client::builder().trust(trust.clone());
            let client = match identity {
                Some(identity) => builder.identity(identity).build().unwrap(),
                None => builder.build().unwrap(),
            };
            let puppet = Puppet::serving(&client);
            let offer = puppet.offer();
            assert_eq!(
                offer.server_certificate_type(),
                offered.map(|offered| types(&offered)).as_deref()
            );
            assert_eq!(
                offer.client_certificate_type(),
                own.map(|own| types(&own)).as_deref()
            );
        }
    }
}

/// A key alone works without any certificate or authority. `Peer` then has no certificates.
#[test]
fn a_server_by_its_key() {
    let identity = Identity::generate().unwrap();
    for trust in [
        Trust::keys([identity.public_key()]),
        Trust::key_for("db.internal", identity.public_key()),
        WORLD
            .authority
            .trust()
            .and(Trust::key_for("db.internal", identity.public_key())),
    ] {
        let mut puppet = shown_a_key(trust);
        puppet.identity = identity.clone();
        puppet.say(&raw_certificate(&identity)).unwrap();
        puppet.lead_to("CONNECTED");
        let peer = puppet.us.negotiated().unwrap().peer().unwrap().clone();
        assert_eq!(peer.public_key(), identity.public_key());
        assert!(peer.certificates().is_empty());
    }
    // A server without RFC 7250 presents the same key in a certificate. It sends no answer or
    // X.509, with the same meaning.
    for answer in [vec![], extension(SERVER_TYPE, &[X509])] {
        let mut puppet = Puppet::serving_at(
            &trusting(Trust::key_for("db.internal", identity.public_key())),
            "WAIT_EE",
        );
        puppet.identity = identity.clone();
        puppet.say(&encrypted_extensions(&answer)).unwrap();
        puppet.lead_to("CONNECTED");
        assert_eq!(
            puppet
                .us
                .negotiated()
                .unwrap()
                .peer()
                .unwrap()
                .certificates()
                .len(),
            1
        );
    }
}

/// RFC 9846, 4.3: an answer to an extension that was not sent is unsupported_extension. RFC 7250,
/// 4.2: the answer must be one of the types that were offered.
#[test]
fn answers_that_are_refused() {
    let key = Trust::keys([WORLD.server.public_key()]);
    for (client, answered) in [
        (trusting(WORLD.authority.trust()), SERVER_TYPE),
        (trusting(key.clone()), CLIENT_TYPE),
    ] {
        for certificate_type in [X509, RAW] {
            let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
            let record = puppet.record(
                HANDSHAKE,
                &encrypted_extensions(&extension(answered, &[certificate_type])),
            );
            refused!(
                puppet,
                record,
                "WAIT_EE",
                110,
                Fault::UnsolicitedExtension { message: "EncryptedExtensions", extension }
                    if extension.0 == answered
            );
        }
    }
    let client = Client::builder()
        .trust(key)
        .identity(Identity::generate().unwrap())
        .build()
        .unwrap();
    for answered in [SERVER_TYPE, CLIENT_TYPE] {
        for certificate_type in [1, 3, 255] {
            let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
            let record = puppet.record(
                HANDSHAKE,
                &encrypted_extensions(&extension(answered, &[certificate_type])),
            );
            refused!(
                puppet,
                record,
                "WAIT_EE",
                47,
                Fault::Illegal(Illegal::CertificateTypeNotOffered(got)) if got.0 == certificate_type
            );
        }
        for data in [&[][..], &[RAW, RAW], &[1, RAW]] {
            let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
            let record =
                puppet.record(HANDSHAKE, &encrypted_extensions(&extension(answered, data)));
            refused!(
                puppet,
                record,
                "WAIT_EE",
                50,
                Fault::Decode {
                    message: "EncryptedExtensions",
                    ..
                }
            );
        }
    }
}

/// 4.5.1: "the certificate_list MUST contain no more than one CertificateEntry"; 4.5.1.3: it must
/// not be empty.
#[test]
fn more_keys_than_one_and_none() {
    let trust = Trust::keys([WORLD.server.public_key()]);
    let key = spki(&WORLD.server);
    for entries in [vec![(&key[..], &[][..]); 2], vec![(&key[..], &[][..]); 5]] {
        let mut puppet = shown_a_key(trust.clone());
        let record = puppet.record(HANDSHAKE, &certificate_message(&[], &entries));
        // Section 6: "syntactically correct but semantically invalid".
        let expected = entries.len();
        refused!(
            puppet,
            record,
            "WAIT_CERT_CR",
            47,
            Fault::Illegal(Illegal::RawKeys(count)) if count == expected
        );
    }
    let mut puppet = shown_a_key(trust.clone());
    let record = puppet.record(HANDSHAKE, &certificate_message(&[], &[]));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        50,
        Fault::Decode {
            message: "Certificate",
            problem: DecodeProblem::Empty,
            ..
        }
    );
    // The rules of every Certificate apply: no context, and no extensions that were not requested.
    let mut puppet = shown_a_key(trust.clone());
    let record = puppet.record(HANDSHAKE, &certificate_message(b"x", &[(&key, &[])]));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        47,
        Fault::Illegal(Illegal::RequestContext)
    );
    let mut puppet = shown_a_key(trust);
    let record = puppet.record(
        HANDSHAKE,
        &certificate_message(&[], &[(&key, &extension(0x0a0a, &[]))]),
    );
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        110,
        Fault::UnsolicitedExtension {
            message: "Certificate",
            ..
        }
    );
}

/// Contents that are not an Ed25519 SubjectPublicKeyInfo (RFC 8410), and keys that are not trusted
/// under this name.
#[test]
fn keys_that_are_refused() {
    let trust = || Trust::keys([WORLD.server.public_key()]);
    let key = spki(&WORLD.server);
    let mut x25519 = key.clone();
    x25519[8] = 0x6e;
    let mut with_parameters = key.clone();
    with_parameters.splice(9..9, [5, 0]);
    (with_parameters[1], with_parameters[3]) = (0x2c, 0x07);
    let cases: [(Trust, Vec<u8>, u8, CertificateError); 9] = [
        (trust(), key[..43].to_vec(), 42, CertificateError::Malformed),
        (
            trust(),
            [&key[..], &[0]].concat(),
            42,
            CertificateError::Malformed,
        ),
        (trust(), key[12..].to_vec(), 42, CertificateError::Malformed),
        (
            trust(),
            b"not DER".to_vec(),
            42,
            CertificateError::Malformed,
        ),
        // The server presents a certificate after agreeing on a key.
        (
            trust(),
            WORLD.server.certificates()[0].clone(),
            42,
            CertificateError::Malformed,
        ),
        (trust(), x25519, 43, CertificateError::UnsupportedAlgorithm),
        (
            trust(),
            spki(&WORLD.client),
            48,
            untrusted(WORLD.client.public_key()),
        ),
        (
            Trust::key_for("other.internal", WORLD.server.public_key()),
            key.clone(),
            48,
            untrusted(WORLD.server.public_key()),
        ),
        // A root does not vouch for a raw key, even if it issued a certificate for that key.
        (
            WORLD
                .authority
                .trust()
                .and(Trust::keys([WORLD.client.public_key()])),
            key.clone(),
            48,
            untrusted(WORLD.server.public_key()),
        ),
    ];
    for (trust, shown, alert, expected) in cases {
        let mut puppet = shown_a_key(trust);
        let record = puppet.record(HANDSHAKE, &certificate_message(&[], &[(&shown, &[])]));
        refused!(
            puppet,
            record,
            "WAIT_CERT_CR",
            alert,
            Fault::Certificate(error) if error == expected
        );
    }
    // RFC 8410 forbids parameters, so this is refused, with any name for the error.
    let mut puppet = shown_a_key(trust());
    let record = puppet.record(
        HANDSHAKE,
        &certificate_message(&[], &[(&with_parameters, &[])]),
    );
    assert!(puppet.feed(&record).is_err());
    // The server presents a key after agreeing on a certificate.
    let mut puppet = Puppet::serving_at(&trusting(trust()), "WAIT_CERT_CR");
    let record = puppet.record(HANDSHAKE, &raw_certificate(&WORLD.server));
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        42,
        Fault::Certificate(CertificateError::Malformed)
    );
}

/// A server that repeats another server's key cannot sign with it: decrypt_error (4.5.2).
#[test]
fn a_key_that_the_server_does_not_hold() {
    let mut puppet = shown_a_key(Trust::keys([WORLD.server.public_key()]));
    puppet.say(&raw_certificate(&WORLD.server)).unwrap();
    let signature = WORLD
        .client
        .sign(&puppet.signed_content(Side::Server))
        .unwrap()
        .unwrap();
    let record = puppet.record(HANDSHAKE, &certificate_verify_of(0x0807, &signature));
    refused!(puppet, record, "WAIT_CV", 51, Fault::BadSignature);
}

/// The peer of a resumed session is the key of the first handshake.
#[test]
fn a_session_made_by_a_key() {
    let client = trusting(Trust::key_for("db.internal", WORLD.server.public_key()));
    let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
    puppet
        .say(&encrypted_extensions(&extension(SERVER_TYPE, &[RAW])))
        .unwrap();
    puppet.say(&raw_certificate(&WORLD.server)).unwrap();
    puppet.lead_to("CONNECTED");
    let psk = puppet.say_ticket(&crate::connection::tests::puppet::server::new_session_ticket());
    let puppet = Puppet::resuming_at(&client, &psk, "CONNECTED");
    let peer = puppet.us.negotiated().unwrap().peer().unwrap().clone();
    assert_eq!(peer.public_key(), WORLD.server.public_key());
    assert!(peer.certificates().is_empty());
}

// ---- our client, and its own key ----

/// Returns the Certificate with which our client answers a request, in the type that the server
/// chose.
fn answer(identity: &Identity, chosen: Option<u8>, request: &[u8]) -> Vec<u8> {
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .identity(identity.clone())
        .build()
        .unwrap();
    let mut puppet = Puppet::serving_at(&client, "WAIT_EE");
    let chosen = chosen
        .map(|chosen| extension(CLIENT_TYPE, &[chosen]))
        .unwrap_or_default();
    puppet.say(&encrypted_extensions(&chosen)).unwrap();
    puppet.say(request).unwrap();
    puppet.lead_to("WAIT_FINISHED");
    puppet.say_finished();
    let flight = puppet.hear_client_flight();
    assert_eq!(flight.len(), if flight[0].len() == 8 { 2 } else { 3 });
    flight[0].clone()
}

/// RFC 7250, 4.2: our client uses the type that the server chose, and X.509 without a choice.
#[test]
fn what_our_client_shows() {
    let identity = Identity::generate().unwrap();
    let nothing = message(11, &[0, 0, 0, 0]);
    assert_eq!(
        answer(&identity, Some(RAW), &certificate_request()),
        raw_certificate(&identity)
    );
    assert_eq!(
        answer(&identity, Some(X509), &certificate_request()),
        certificate_of(&identity)
    );
    assert_eq!(
        answer(&identity, None, &certificate_request()),
        certificate_of(&identity)
    );
    assert_eq!(
        answer(&WORLD.client, None, &certificate_request()),
        certificate_of(&WORLD.client)
    );

    // The server does not accept Ed25519 (4.5.2).
    let others = certificate_request_with(&[], &extension(13, &[0, 2, 4, 3]));
    assert_eq!(answer(&identity, Some(RAW), &others), nothing);
    // The server's requirements for issuers and for signatures in certificates do not apply to a
    // key (4.3.3, 4.3.4).
    let schemes = extension(13, &[0, 2, 8, 7]);
    let issuers = [
        schemes.clone(),
        extension(47, &vector(2, &vector(2, b"0\0"))),
        extension(50, &[0, 2, 4, 3]),
    ]
    .concat();
    assert_eq!(
        answer(
            &identity,
            Some(RAW),
            &certificate_request_with(&[], &issuers)
        ),
        raw_certificate(&identity)
    );
    // A filter does not match a key, which has no extensions (4.3.5). An empty list is not a
    // filter.
    let filter = [
        vector(1, &[6, 3, 0x55, 0x1d, 15]),
        vector(2, &[3, 2, 7, 0x80]),
    ]
    .concat();
    for (filters, expected) in [(filter, nothing), (vec![], raw_certificate(&identity))] {
        let request = certificate_request_with(
            &[],
            &[schemes.clone(), extension(48, &vector(2, &filters))].concat(),
        );
        assert_eq!(answer(&identity, Some(RAW), &request), expected);
    }
}

// ---- our server, and its own key ----

/// Returns what our server answers and presents: server_certificate_type of EncryptedExtensions,
/// and the Certificate.
fn shown(server: &Server, client: &[u8], server_types: &[u8]) -> (Option<u8>, Option<u8>, Vec<u8>) {
    let mut puppet = Puppet::calling(server);
    let hello = puppet.make_client_hello(|hello| offer(hello, client, server_types));
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    let Message::EncryptedExtensions(answers) = Message::decode(&flight[1]).unwrap() else {
        panic!("{flight:?}")
    };
    let certificate = flight
        .iter()
        .find(|message| message[0] == 11)
        .unwrap()
        .clone();
    (
        answers.client_certificate_type().map(|answer| answer.0),
        answers.server_certificate_type().map(|answer| answer.0),
        certificate,
    )
}

/// RFC 7250, 4.2: our preference decides among what the client offers. A client that offers nothing
/// accepts X.509.
#[test]
fn what_our_server_shows() {
    let key = Identity::generate().unwrap();
    let by_key = Server::builder().identity(key.clone()).build().unwrap();
    let raw = (None, Some(RAW), raw_certificate(&key));
    let (unasked, certificate) = (
        (None, None, certificate_of(&key)),
        (None, Some(X509), certificate_of(&key)),
    );
    for (offered, expected) in [
        (&[][..], &unasked),
        (&[X509], &certificate),
        (&[RAW], &raw),
        (&[RAW, X509], &raw),
        (&[X509, RAW], &raw),
        (&[1, RAW, 3], &raw),
    ] {
        assert_eq!(&shown(&by_key, &[], offered), expected, "{offered:?}");
    }
    // If there is a certificate by another issuer, the key alone is only for clients that accept
    // nothing else.
    let raw = (None, Some(RAW), raw_certificate(&WORLD.server));
    let (unasked, certificate) = (
        (None, None, certificate_of(&WORLD.server)),
        (None, Some(X509), certificate_of(&WORLD.server)),
    );
    for (offered, expected) in [
        (&[][..], &unasked),
        (&[X509], &certificate),
        (&[RAW, X509], &certificate),
        (&[RAW], &raw),
    ] {
        assert_eq!(&shown(&server(), &[], offered), expected, "{offered:?}");
    }
}

/// RFC 7250, 4.2: "terminates the session with a fatal alert of type "unsupported_certificate"".
#[test]
fn no_common_type() {
    let asking = |trust| {
        Server::builder()
            .identity(WORLD.server.clone())
            .client_auth(ClientAuth::Required(trust))
            .build()
            .unwrap()
    };
    let refused = |server: &Server, client: &[u8], server_types: &[u8], expected: &[u8]| {
        let mut puppet = Puppet::calling(server);
        let hello = puppet.make_client_hello(|hello| offer(hello, client, server_types));
        let expected = types(expected);
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            43,
            Fault::NoCommonCertificateType { offered, .. } if offered == expected
        );
    };
    refused(&server(), &[], &[1], &[1]);
    refused(&server(), &[], &[3, 255], &[3, 255]);
    // Roots alone do not vouch for a raw key.
    refused(&asking(WORLD.authority.trust()), &[RAW], &[], &[RAW]);
    refused(&asking(WORLD.authority.trust()), &[RAW, 1], &[], &[RAW, 1]);
    refused(
        &asking(Trust::keys([WORLD.client.public_key()])),
        &[1],
        &[],
        &[1],
    );
    // `CertificateType client_certificate_types<1..2^8-1>`
    for extension_type in [CLIENT_TYPE, SERVER_TYPE] {
        for data in [&[][..], &[0], &[1], &[2, RAW]] {
            let mut puppet = Puppet::calling(&server());
            let hello = puppet.make_client_hello(|hello| {
                crate::connection::tests::puppet::client::add_raw(hello, extension_type, data)
            });
            refused!(
                puppet,
                plain(HANDSHAKE, &hello),
                "START",
                50,
                Fault::Decode {
                    message: "ClientHello",
                    ..
                }
            );
        }
    }
}

/// RFC 9846, F.9: a server with raw keys can require that server_name is its own name:
/// unrecognized_name for others, missing_extension if there is none (9.2).
#[test]
fn a_key_for_a_name() {
    let key = Identity::generate().unwrap();
    let server = Server::builder()
        .identity_for("DB.internal", key.clone())
        .identity_for("two.internal", WORLD.server.clone())
        .build()
        .unwrap();
    let host = |name: &'static str| ServerName(vec![message::ServerName::HostName(name)]);
    for (name, identity) in [
        ("db.internal", &key),
        ("DB.INTERNAL", &key),
        ("two.internal", &WORLD.server),
    ] {
        let mut puppet = Puppet::calling(&server);
        let hello = puppet.make_client_hello(|hello| {
            set(hello, host(name));
            offer(hello, &[], &[RAW]);
        });
        puppet.say(&hello).unwrap();
        assert_eq!(puppet.hear_flight()[2], raw_certificate(identity));
        puppet.lead_server_to("CONNECTED");
    }
    for name in ["other.internal", "a.db.internal", "internal"] {
        let mut puppet = Puppet::calling(&server);
        let hello = puppet.make_client_hello(|hello| {
            set(hello, host(name));
            offer(hello, &[], &[RAW]);
        });
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            112,
            Fault::UnrecognizedName { name: got, .. } if got == name
        );
    }
    let mut puppet = Puppet::calling(&server);
    let hello = puppet.make_client_hello(|hello| {
        remove(hello, host(""));
        offer(hello, &[], &[RAW]);
    });
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        109,
        Fault::MissingExtension {
            message: "ClientHello",
            extension: ExtensionType(0)
        }
    );
    // A client cannot request an address by server_name (RFC 6066, section 3), or an invalid name.
    for name in ["10.0.0.1", "::1", "", "db internal"] {
        assert!(
            Server::builder()
                .identity_for(name, key.clone())
                .build()
                .is_err()
        );
    }
    // The second of two identities for a name would never be presented.
    assert!(
        Server::builder()
            .identity_for("db.internal", key.clone())
            .identity_for("DB.internal.", key)
            .build()
            .is_err()
    );
}

// ---- our server, and the client's key ----

fn asking(client_auth: ClientAuth) -> Server {
    Server::builder()
        .identity(WORLD.server.clone())
        .client_auth(client_auth)
        .build()
        .unwrap()
}

/// The server chooses raw keys only if it trusts keys, and prefers them to X.509 only if it trusts
/// no roots. It answers only if it asks for a client certificate.
#[test]
fn what_our_server_asks_for() {
    let keys = || Trust::keys([WORLD.client.public_key()]);
    let roots = || WORLD.authority.trust();
    let both = || keys().and(roots());
    for (client_auth, offered, expected) in [
        (ClientAuth::None, &[RAW, X509][..], None),
        (ClientAuth::None, &[RAW], None),
        (ClientAuth::Required(roots()), &[RAW, X509], Some(X509)),
        (ClientAuth::Required(keys()), &[RAW, X509], Some(RAW)),
        (ClientAuth::Optional(keys()), &[X509, RAW], Some(RAW)),
        (ClientAuth::Required(keys()), &[X509], Some(X509)),
        (ClientAuth::Required(keys()), &[], None),
        (ClientAuth::Required(both()), &[RAW, X509], Some(X509)),
        (ClientAuth::Required(both()), &[RAW], Some(RAW)),
    ] {
        assert_eq!(
            shown(&asking(client_auth), offered, &[]).0,
            expected,
            "{offered:?}"
        );
    }
}

/// Our server waits in WAIT_CERT for a raw key.
fn asked_for_a_key(client_auth: ClientAuth) -> Puppet {
    let mut puppet = Puppet::calling(&asking(client_auth));
    puppet.modes = vec![1];
    let hello = puppet.make_client_hello(|hello| offer(hello, &[RAW], &[]));
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    assert_eq!(
        flight.iter().map(|message| message[0]).collect::<Vec<_>>(),
        [2, 8, 13, 11, 15, 20]
    );
    puppet
}

#[test]
fn a_client_by_its_key() {
    let keys = || Trust::keys([WORLD.client.public_key()]);
    let server = asking(ClientAuth::Required(keys()));
    for client_auth in [
        ClientAuth::Required(keys()),
        ClientAuth::Optional(keys().and(WORLD.authority.trust())),
    ] {
        let mut puppet = asked_for_a_key(client_auth);
        puppet.say(&raw_certificate(&WORLD.client)).unwrap();
        puppet.finish_for_tickets();
        let peer = puppet.us.negotiated().unwrap().peer().unwrap().clone();
        assert_eq!(peer.public_key(), WORLD.client.public_key());
        assert!(peer.certificates().is_empty());
    }
    // A session contains the key.
    let mut puppet = Puppet::calling_for_tickets(&server);
    let hello = puppet.make_client_hello(|hello| offer(hello, &[RAW], &[]));
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    puppet.say(&raw_certificate(&WORLD.client)).unwrap();
    let ticket = puppet.finish_for_tickets().remove(0);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    assert!(puppet.is_resumed());
    let peer = puppet.us.negotiated().unwrap().peer().unwrap().clone();
    assert_eq!(
        (peer.public_key(), peer.certificates().len()),
        (WORLD.client.public_key(), 0)
    );
}

/// The same violations as a server's are refused. The alert is under the application key (4.5.3).
#[test]
fn client_keys_that_are_refused() {
    let required = || ClientAuth::Required(Trust::keys([WORLD.client.public_key()]));
    let optional = || ClientAuth::Optional(Trust::keys([WORLD.client.public_key()]));
    let key = spki(&WORLD.client);
    for client_auth in [required, optional] {
        let mut puppet = asked_for_a_key(client_auth());
        let record = puppet.record(
            HANDSHAKE,
            &certificate_message(&[], &[(&key, &[]), (&key, &[])]),
        );
        refused!(
            puppet,
            record,
            "WAIT_CERT",
            47,
            Fault::Illegal(Illegal::RawKeys(2))
        );
        for (shown, alert, expected) in [
            (key[..43].to_vec(), 42, CertificateError::Malformed),
            (
                WORLD.client.certificates()[0].clone(),
                42,
                CertificateError::Malformed,
            ),
            (
                spki(&WORLD.server),
                48,
                untrusted(WORLD.server.public_key()),
            ),
        ] {
            let mut puppet = asked_for_a_key(client_auth());
            let record = puppet.record(HANDSHAKE, &certificate_message(&[], &[(&shown, &[])]));
            refused!(
                puppet,
                record,
                "WAIT_CERT",
                alert,
                Fault::Certificate(error) if error == expected
            );
        }
        let mut puppet = asked_for_a_key(client_auth());
        puppet.say(&raw_certificate(&WORLD.client)).unwrap();
        let signature = WORLD
            .server
            .sign(&puppet.signed_content(Side::Client))
            .unwrap()
            .unwrap();
        let record = puppet.record(HANDSHAKE, &certificate_verify_of(0x0807, &signature));
        refused!(puppet, record, "WAIT_CV", 51, Fault::BadSignature);
    }
    let mut puppet = asked_for_a_key(required());
    let record = puppet.record(HANDSHAKE, &certificate_message(&[], &[]));
    refused!(
        puppet,
        record,
        "WAIT_CERT",
        116,
        Fault::CertificateRequired { .. }
    );
    let mut puppet = asked_for_a_key(optional());
    puppet.say(&certificate_message(&[], &[])).unwrap();
    puppet.finish_for_tickets();
    assert!(puppet.us.negotiated().unwrap().peer().is_none());
}
