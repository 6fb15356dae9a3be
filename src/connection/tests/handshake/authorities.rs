//! certificate_authorities and signature_algorithms_cert (RFC 9846, 4.3.3 and 4.3.4): what both
//! sides request with them, and how both choose by them. (`server_flight.rs` tests oid_filters.)

use crate::client::Client;
use crate::code_point::SignatureScheme;
use crate::connection::tests::puppet::client::{add, add_raw, asking_server, required};
use crate::connection::tests::puppet::server::certificate_request_with;
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, WORLD, certificate_of, extension, message, plain, refused, server, vector,
};
use crate::error::{DecodeProblem, Fault};
use crate::identity::{Authority, Identity};
use crate::message::ClientHelloExtension::{CertificateAuthorities, SignatureAlgorithmsCert};
use crate::server::{ClientAuth, Server};

/// `opaque DistinguishedName<1..2^16-1>`: a Name of one commonName, as UTF8String.
fn name(common_name: &str) -> Vec<u8> {
    name_as(0x0c, common_name)
}

/// The same, with a string of this tag.
fn name_as(tag: u8, common_name: &str) -> Vec<u8> {
    let text = [&[tag, common_name.len() as u8][..], common_name.as_bytes()].concat();
    let attribute = [&[0x30, 5 + text.len() as u8, 6, 3, 0x55, 4, 3][..], &text].concat();
    let set = [&[0x31, attribute.len() as u8][..], &attribute].concat();
    [&[0x30, set.len() as u8][..], &set].concat()
}

/// certificate_authorities
fn authorities(names: &[Vec<u8>]) -> Vec<u8> {
    extension(
        47,
        &vector(
            2,
            &names
                .iter()
                .flat_map(|name| vector(2, name))
                .collect::<Vec<_>>(),
        ),
    )
}

/// Returns what our client presents for a request with Ed25519 and these extensions.
fn shown(request: &[Vec<u8>]) -> Vec<u8> {
    shown_of(&WORLD.client, request)
}

/// The same with this identity.
fn shown_of(identity: &Identity, request: &[Vec<u8>]) -> Vec<u8> {
    let client = Client::builder()
        .trust(WORLD.authority.trust())
        .identity(identity.clone())
        .build()
        .unwrap();
    let mut puppet = Puppet::serving_at(&client, "WAIT_CERT_CR");
    let request = certificate_request_with(
        &[],
        &[&[extension(13, &[0, 2, 8, 7])][..], request]
            .concat()
            .concat(),
    );
    puppet.say(&request).unwrap();
    puppet.lead_to("WAIT_FINISHED");
    puppet.say_finished();
    puppet.hear_client_flight().swap_remove(0)
}

/// 4.3.4: the names are there "to guide certificate selection", and with one certificate there is
/// nothing to select. They may be those of a root (4.3.4: "for a trust anchor or subordinate CA")
/// whose authorities the server has and the client does not, or be written with other string types:
/// only the server can tell whether it accepts the chain.
#[test]
fn our_client_shows_its_only_certificate() {
    let below = Authority::builder("below")
        .build_under(&WORLD.authority)
        .unwrap();
    let issued = below.issue_client("me").unwrap();
    let key = issued.key_pem().unwrap();
    let alone = Identity::from_pem(&issued.certificates()[0], key.expose()).unwrap();
    assert_eq!(
        (issued.certificates().len(), alone.certificates().len()),
        (2, 1)
    );
    for identity in [&issued, &alone] {
        for names in [
            &[name("test")][..],
            &[name_as(0x13, "below")],
            &[name("other")],
        ] {
            assert_eq!(
                shown_of(identity, &[authorities(names)]),
                certificate_of(identity)
            );
        }
    }
}

/// 4.5.1: an empty Certificate if it cannot be verified.
#[test]
fn our_client_shows_what_the_server_would_take() {
    let (all, nothing) = (certificate_of(&WORLD.client), message(11, &[0, 0, 0, 0]));
    assert_eq!(shown(&[]), all);
    assert_eq!(shown(&[authorities(&[name("test")])]), all);
    assert_eq!(
        shown(&[authorities(&[name("other"), name("test"), name("third")])]),
        all
    );
    for others in [
        &[name("other")][..],
        &[name("tes"), name("test2"), name("Test")],
        &[vec![0x30, 0]],
    ] {
        assert_eq!(shown(&[authorities(others)]), all);
    }
    // 4.3.3: this extension is for the signatures in certificates. Without it signature_algorithms
    // applies to them too.
    assert_eq!(shown(&[extension(50, &[0, 2, 8, 7])]), all);
    assert_eq!(shown(&[extension(50, &[0, 4, 4, 3, 8, 7])]), all);
    assert_eq!(shown(&[extension(50, &[0, 4, 4, 3, 8, 4])]), nothing);
    assert_eq!(
        shown(&[
            extension(50, &[0, 4, 4, 3, 8, 4]),
            authorities(&[name("test")])
        ]),
        nothing
    );
}

/// `DistinguishedName authorities<3..2^16-1>`, each `opaque DistinguishedName<1..2^16-1>`.
#[test]
fn syntax() {
    for data in [
        &[][..],
        &[0, 0],
        &[0, 1, 0],
        &[0, 2, 0, 0],
        &[0, 3, 0, 1],
        &[0, 3, 0, 2, 1],
        &[0, 3, 0, 1, 1, 0],
    ] {
        let mut puppet = Puppet::client_at("WAIT_CERT_CR");
        let request = certificate_request_with(
            &[],
            &[extension(13, &[0, 2, 8, 7]), extension(47, data)].concat(),
        );
        let record = puppet.record(HANDSHAKE, &request);
        refused!(
            puppet,
            record,
            "WAIT_CERT_CR",
            50,
            Fault::Decode {
                message: "CertificateRequest",
                ..
            }
        );
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|hello| add_raw(hello, 47, data));
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
    let mut puppet = Puppet::calling(&server());
    let hello = puppet.make_client_hello(|hello| add(hello, SignatureAlgorithmsCert(vec![])));
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        50,
        Fault::Decode {
            problem: DecodeProblem::Empty,
            ..
        }
    );
}

/// Returns the Certificate of our server for a client that trusts these authorities.
fn chosen(server: &Server, names: &[&str]) -> Vec<u8> {
    let mut puppet = Puppet::calling(server);
    let hello = puppet.make_client_hello(|hello| {
        if !names.is_empty() {
            let names: Vec<&'static [u8]> = names
                .iter()
                .map(|common_name| &*name(common_name).leak())
                .collect();
            add(hello, CertificateAuthorities(names));
        }
    });
    puppet.say(&hello).unwrap();
    puppet.hear_flight().swap_remove(2)
}

/// 4.5.1.2: a server with two certificates for one name presents the one that the client's
/// authorities lead to, or the first if they lead to none.
#[test]
fn our_server_chooses_between_two_identities_of_a_name() {
    let (two, three) = (
        Authority::new("two").unwrap(),
        Authority::new("three").unwrap(),
    );
    let issue = |authority: &Authority| authority.issue_server(["db.internal"]).unwrap();
    let identities: [Identity; 3] = [WORLD.server.clone(), issue(&two), issue(&three)];
    let builder = identities
        .iter()
        .fold(Server::builder(), |builder, identity| {
            builder.identity_by_name(identity.clone())
        });
    let server = builder.build().unwrap();
    for (names, index) in [
        (&[][..], 0),
        (&["test"], 0),
        (&["two"], 1),
        (&["three"], 2),
        (&["other", "three"], 2),
        // Our order decides among several.
        (&["three", "two"], 1),
        (&["other"], 0),
    ] {
        assert_eq!(
            chosen(&server, names),
            certificate_of(&identities[index]),
            "{names:?}"
        );
    }
    // A certificate for the name is preferred to a wildcard, whatever issued them.
    let server = Server::builder()
        .identity(issue(&two))
        .identity_by_name(WORLD.server.clone())
        .build()
        .unwrap();
    assert_eq!(chosen(&server, &["two"]), certificate_of(&WORLD.server));
}

/// 4.5.1.2: "If the server cannot produce a certificate chain that is signed only via the indicated
/// supported algorithms, then it SHOULD continue the handshake by sending a certificate chain of
/// its choice".
#[test]
fn our_server_has_no_other_signatures() {
    for schemes in [&[0x0807][..], &[0x0403, 0x0804]] {
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|hello| {
            add(
                hello,
                SignatureAlgorithmsCert(schemes.iter().copied().map(SignatureScheme).collect()),
            )
        });
        puppet.say(&hello).unwrap();
        assert_eq!(puppet.hear_flight()[2], certificate_of(&WORLD.server));
        puppet.lead_server_to("CONNECTED");
    }
}

/// The CertificateRequest of our server contains the names of its roots, unless it also trusts
/// keys, whose holders have no authority. It does not contain very many.
#[test]
fn what_our_server_asks_for() {
    let request = |client_auth: ClientAuth| {
        let mut puppet = Puppet::calling(&asking_server(client_auth));
        puppet.say_client_hello();
        puppet.hear_flight().swap_remove(2)
    };
    let schemes = extension(13, &[0, 2, 8, 7]);
    let with = |more: &[u8]| certificate_request_with(&[], &[&schemes[..], more].concat());
    assert_eq!(request(required()), with(&authorities(&[name("test")])));
    let stranger = WORLD.authority.trust().and(WORLD.stranger.trust());
    let named = request(ClientAuth::Optional(stranger));
    let orders = [
        [name("test"), name("stranger")],
        [name("stranger"), name("test")],
    ];
    assert!(
        orders
            .iter()
            .any(|names| named == with(&authorities(names))),
        "{named:?}"
    );
    let key = crate::identity::Trust::keys([WORLD.client.public_key()]);
    assert_eq!(request(ClientAuth::Required(key.clone())), with(&[]));
    assert_eq!(
        request(ClientAuth::Required(key.and(WORLD.authority.trust()))),
        with(&[])
    );
}
