//! External PSKs at our client (RFC 9846, 4.3.11; RFC 9258): how it offers them, and which answers
//! it refuses.

use crate::client::{Client, ClientBuilder};
use crate::code_point::CipherSuite;
use crate::connection::tests::external_psk::server::{SECRET, offered};
use crate::connection::tests::puppet::retry::selected_group;
use crate::connection::tests::puppet::server::{
    certificate_request, encrypted_extensions, new_session_ticket, new_session_ticket_with,
};
use crate::connection::tests::puppet::session::Psk;
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, Side, WORLD, extension, now, plain, refused,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error, Fault, Illegal};
use crate::identity::Trust;
use crate::message::{ClientHelloExtension, ServerHelloExtension};
use crate::session::{ExternalPsk, PskNames, SessionCache};

const AES128: Suite = Suite::Aes128GcmSha256;
const AES256: Suite = Suite::Aes256GcmSha384;
const CHACHA20: Suite = Suite::ChaCha20Poly1305Sha256;

fn at_the_sensor() -> ExternalPsk {
    ExternalPsk::new(
        "site 4",
        SECRET,
        PskNames {
            own: "sensor",
            peer: "hub",
        },
    )
    .unwrap()
}

fn as_it_is() -> ExternalPsk {
    ExternalPsk::not_imported("plain", SECRET).unwrap()
}

/// A client that trusts only its PSK.
fn alone() -> ClientBuilder {
    Client::builder().external_psk(at_the_sensor())
}

/// A client that also trusts certificates.
fn besides() -> ClientBuilder {
    alone().trust(WORLD.authority.trust())
}

fn client(builder: ClientBuilder) -> Client {
    builder.build().unwrap()
}

/// The client has accepted this PSK and waits for EncryptedExtensions.
fn selected(client: &Client, index: u16, psk: &Psk) -> Puppet {
    let mut puppet = Puppet::serving(client);
    puppet.say_selected(index, psk);
    puppet
}

// ---- the offer ----

/// One for each hash, SHA-256 first; 4.3.11.1: "For identities established externally, an
/// obfuscated_ticket_age of 0 SHOULD be used"; "The "pre_shared_key" extension MUST be the last
/// extension"; 4.3.9: psk_dhe_ke(1) alone; 9.2: signature_algorithms only from a client that can
/// verify a signature.
#[test]
fn what_is_offered() {
    for (builder, trusts) in [
        (alone(), false),
        (besides(), true),
        (alone().sessions(SessionCache::new(0)), false),
    ] {
        let puppet = Puppet::serving(&client(builder));
        let offer = puppet.offer();
        puppet.offers(&[&offered(AES128), &offered(AES256)], &[]);
        assert!(
            offer
                .pre_shared_key()
                .unwrap()
                .identities
                .iter()
                .all(|psk| psk.obfuscated_ticket_age == 0)
        );
        assert!(matches!(
            offer.extensions.as_ref().unwrap().last(),
            Some(ClientHelloExtension::PreSharedKey(_))
        ));
        assert_eq!(
            offer
                .psk_key_exchange_modes()
                .unwrap()
                .iter()
                .map(|mode| mode.0)
                .collect::<Vec<_>>(),
            [1]
        );
        assert_eq!(offer.signature_algorithms().is_some(), trusts);
        assert!(offer.server_certificate_type().is_none() && !offer.early_data());
        assert!(offer.supported_groups().is_some() && offer.key_share().is_some());
    }
    // 4.3.11: PSKs whose hash belongs to no offered suite are left out.
    let suites = |builder: ClientBuilder, suites: &[u16]| {
        client(builder.cipher_suites(suites.iter().copied().map(CipherSuite)))
    };
    Puppet::serving(&suites(alone(), &[0x1302])).offers(&[&offered(AES256)], &[]);
    Puppet::serving(&suites(alone(), &[0x1303])).offers(&[&offered(AES128)], &[]);
    let plain = Psk::not_imported(b"plain", &SECRET);
    Puppet::serving(&suites(alone().external_psk(as_it_is()), &[0x1302, 0x1301]))
        .offers(&[&plain], &[]);
    Puppet::serving(&suites(besides().external_psk(as_it_is()), &[0x1302])).offers(&[], &[]);
}

/// A PSK that fits no suite could not be offered, and without other trust there would be nothing to
/// offer.
#[test]
fn a_client_without_anything_to_offer_is_refused() {
    let builder = || Client::builder().external_psk(as_it_is());
    let error = builder()
        .cipher_suites([CipherSuite(0x1302)])
        .build()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Config(ConfigError::Setting {
                name: "external_psk",
                ..
            })
        ),
        "{error}"
    );
    builder()
        .cipher_suites([CipherSuite(0x1302), CipherSuite(0x1303)])
        .build()
        .unwrap();
    builder()
        .cipher_suites([CipherSuite(0x1302)])
        .trust(WORLD.authority.trust())
        .build()
        .unwrap();
}

/// A complete handshake, whichever PSK the server selects, with every suite that it fits. Neither
/// side presents a certificate, and no hook is called.
#[test]
fn the_server_takes_it() {
    for builder in [alone(), besides(), alone().identity(WORLD.client.clone())] {
        let client = client(builder.authorize(|_| Err("nobody")));
        for (index, suite) in [(0, AES128), (1, AES256), (0, CHACHA20)] {
            client.config.sessions.clear();
            let mut puppet = selected(&client, index, &offered(suite));
            puppet.lead_to("CONNECTED");
            puppet.send(b"data").unwrap();
            assert_eq!(puppet.delivered, b"data");
            let negotiated = puppet.us.negotiated().unwrap();
            assert_eq!(
                (negotiated.cipher_suite(), negotiated.resumed()),
                (suite.code_point(), false)
            );
            assert!(negotiated.peer().is_none());
            assert_eq!(negotiated.external_psk().unwrap().peer_name(), Some("hub"));
        }
    }
    let mut puppet = selected(
        &client(Client::builder().external_psk(as_it_is())),
        0,
        &Psk::not_imported(b"plain", &SECRET),
    );
    puppet.lead_to("CONNECTED");
    assert_eq!(
        puppet
            .us
            .negotiated()
            .unwrap()
            .external_psk()
            .unwrap()
            .identity(),
        b"plain"
    );
}

// ---- what is refused of the answer ----

/// 4.3.11: "Clients MUST verify that the server's selected_identity is within the range supplied by
/// the client, that the server selected a cipher suite indicating a Hash associated with the PSK,
/// and that a server "key_share" extension is present ... illegal_parameter".
#[test]
fn a_wrong_choice() {
    let answer = |suite: Suite, index: u16, edit: fn(&mut Vec<ServerHelloExtension<'_>>)| {
        let mut puppet = Puppet::serving(&client(besides()));
        puppet.suite = suite;
        let hello = puppet.server_hello(|hello| {
            let extensions = hello.extensions.as_mut().unwrap();
            extensions.push(ServerHelloExtension::PreSharedKey(index));
            edit(extensions);
        });
        (puppet, plain(HANDSHAKE, &hello))
    };
    for index in [2, 3, 0xffff] {
        let (mut puppet, hello) = answer(AES128, index, |_| {});
        refused!(
            puppet,
            hello,
            "WAIT_SH",
            47,
            Fault::Illegal(Illegal::PskIndex(got)) if got == index
        );
    }
    for (suite, index) in [(AES256, 0), (AES128, 1), (CHACHA20, 1)] {
        let (mut puppet, hello) = answer(suite, index, |_| {});
        refused!(
            puppet,
            hello,
            "WAIT_SH",
            47,
            Fault::Illegal(Illegal::PskHash { suite: got }) if got == suite.code_point()
        );
    }
    for index in [0, 1] {
        let suite = [AES128, AES256][usize::from(index)];
        let (mut puppet, hello) = answer(suite, index, |extensions| {
            extensions.retain(|extension| !matches!(extension, ServerHelloExtension::KeyShare(_)))
        });
        refused!(
            puppet,
            hello,
            "WAIT_SH",
            47,
            Fault::Illegal(Illegal::PskWithoutKeyShare)
        );
    }
}

/// A server that selects another PSK than it uses fails: its messages are under other keys.
#[test]
fn the_keys_are_of_the_psk() {
    let mut puppet = selected(
        &client(alone()),
        0,
        &Psk {
            key: vec![7; 32],
            ..offered(AES128)
        },
    );
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&[]));
    let error = puppet.feed(&record).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "WAIT_EE",
                fault: Fault::BadRecordMac
            }
        ),
        "{error}"
    );
    assert_eq!(error.alert().unwrap().0, 20);
}

/// A ServerHello without a PSK: a client that trusts nothing else ends the handshake before any
/// certificate. Another client verifies the certificate as usual.
#[test]
fn the_server_does_not_take_it() {
    for suite in Suite::ALL {
        let mut puppet = Puppet::serving(&client(alone()));
        puppet.suite = suite;
        let hello = puppet.server_hello(|_| {});
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "WAIT_SH",
            40,
            Fault::PskNotTaken
        );

        let mut puppet = Puppet::serving(&client(besides()));
        puppet.suite = suite;
        puppet.lead_to("CONNECTED");
        let negotiated = puppet.us.negotiated().unwrap();
        assert!(negotiated.external_psk().is_none());
        assert_eq!(
            negotiated.peer().unwrap().public_key(),
            WORLD.server.public_key()
        );
    }
}

/// 4.4.2 and 4.5.1: with a PSK there is no CertificateRequest, Certificate or CertificateVerify.
#[test]
fn no_certificates_with_a_psk() {
    for client in [
        client(alone()),
        client(besides().identity(WORLD.client.clone())),
    ] {
        let messages: [fn(&Puppet) -> Vec<u8>; 3] = [
            Puppet::certificate,
            |_| certificate_request(),
            Puppet::certificate_verify,
        ];
        for make in messages {
            for state in ["WAIT_EE", "WAIT_FINISHED"] {
                let mut puppet = selected(&client, 0, &offered(AES128));
                puppet.lead_to(state);
                let message = make(&puppet);
                let record = puppet.record(HANDSHAKE, &message);
                refused!(puppet, record, state, 10, Fault::Unexpected { .. });
            }
        }
    }
}

/// Early data: 4.3: none was offered. 4.3.11: if it was offered under a session: "the client MUST
/// verify that the server's selected_identity is 0"; "illegal_parameter".
#[test]
fn early_data_is_not_for_it() {
    for client in [client(alone()), client(besides().early_data(true))] {
        assert!(!Puppet::serving(&client).offer().early_data());
        let mut puppet = selected(&client, 0, &offered(AES128));
        let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(42, &[])));
        refused!(
            puppet,
            record,
            "WAIT_EE",
            110,
            Fault::UnsolicitedExtension { message: "EncryptedExtensions", extension }
                if extension.0 == 42
        );
    }
    let client = client(alone().early_data(true));
    let mut puppet = selected(&client, 0, &offered(AES128));
    puppet.lead_to("CONNECTED");
    let session = puppet.say_ticket(&new_session_ticket_with(
        3600,
        &extension(42, &1000_u32.to_be_bytes()),
    ));
    let mut puppet = Puppet::serving(&client);
    assert!(puppet.offer().early_data());
    assert_eq!(
        puppet.offer().pre_shared_key().unwrap().identities[0].identity,
        session.identity
    );
    puppet.hear_change_cipher_spec();
    puppet.say_selected(1, &offered(AES128));
    let record = puppet.record(HANDSHAKE, &encrypted_extensions(&extension(42, &[])));
    refused!(
        puppet,
        record,
        "WAIT_EE",
        47,
        Fault::Illegal(Illegal::EarlyDataTerms { field: "the PSK" })
    );
}

// ---- beside a session ----

/// A session is offered before them (4.3.10: early data uses the first PSK), and the server may
/// select any.
#[test]
fn beside_a_session() {
    for (index, suite) in [(0, AES128), (1, AES128), (2, AES256)] {
        let client = client(alone());
        let mut puppet = selected(&client, 0, &offered(AES128));
        puppet.lead_to("CONNECTED");
        let session = puppet.say_ticket(&new_session_ticket());
        let mut puppet = Puppet::serving(&client);
        {
            let offer = puppet.offer();
            let psks = offer.pre_shared_key().unwrap();
            let identities: Vec<_> = psks.identities.iter().map(|psk| psk.identity).collect();
            assert_eq!(
                identities,
                [
                    &session.identity[..],
                    &offered(AES128).identity,
                    &offered(AES256).identity
                ]
            );
            assert_eq!(
                psks.identities[1..]
                    .iter()
                    .map(|psk| psk.obfuscated_ticket_age)
                    .collect::<Vec<_>>(),
                [0, 0]
            );
        }
        let psk = if index == 0 { session } else { offered(suite) };
        puppet.say_selected(index, &psk);
        puppet.lead_to("CONNECTED");
        let negotiated = puppet.us.negotiated().unwrap();
        // The server's identity is the hub, resumed or not.
        assert_eq!(negotiated.resumed(), index == 0);
        assert_eq!(negotiated.external_psk().unwrap().peer_name(), Some("hub"));
        assert!(negotiated.peer().is_none());
    }
}

/// Clients that share a cache do not use a session if they have another PSK, or none.
#[test]
fn whose_sessions_they_are() {
    let cache = SessionCache::new(100);
    let psk = |identity: &str, secret: [u8; 32], own: &str, peer: &str| {
        ExternalPsk::new(identity, secret, PskNames { own, peer }).unwrap()
    };
    let other_secret = std::array::from_fn(|at| SECRET[at] ^ 1);
    let trust = || Client::builder().trust(WORLD.authority.trust());
    let clients = [
        trust(),
        trust().external_psk(at_the_sensor()),
        trust().external_psk(psk("site 4", other_secret, "sensor", "hub")),
        trust().external_psk(psk("site 5", SECRET, "sensor", "hub")),
        trust().external_psk(psk("site 4", SECRET, "valve", "hub")),
        trust().external_psk(psk("site 4", SECRET, "sensor", "hub 2")),
        trust().external_psk(as_it_is()),
        alone(),
    ];
    let clients = clients.map(|builder| client(builder.sessions(cache.clone())));
    for (one, first) in clients.iter().enumerate() {
        cache.clear();
        // The last client accepts no certificate.
        let mut puppet = if one == 7 {
            selected(first, 0, &offered(AES128))
        } else {
            Puppet::serving(first)
        };
        puppet.lead_to("CONNECTED");
        let session = puppet.say_ticket(&new_session_ticket());
        for (two, second) in clients.iter().enumerate().filter(|(two, _)| *two != one) {
            let puppet = Puppet::serving(second);
            let offer = puppet.offer();
            let mut identities = offer
                .pre_shared_key()
                .iter()
                .flat_map(|psks| &psks.identities)
                .map(|psk| psk.identity)
                .collect::<Vec<_>>()
                .into_iter();
            assert!(
                identities.all(|identity| identity != session.identity),
                "{one} {two}"
            );
        }
        let puppet = Puppet::serving(first);
        assert_eq!(
            puppet.offer().pre_shared_key().unwrap().identities[0].identity,
            session.identity
        );
    }
}

/// Without a name, the PSK identifies the server. Sessions are kept by name, so there are none.
#[test]
fn a_server_without_a_name() {
    let unnamed = |client: &Client| {
        let mut puppet = Puppet::new(
            Side::Server,
            client.connection_unnamed(now(), &mut SystemRandom).unwrap(),
        );
        puppet.client_hello = puppet.hear_message();
        puppet.session_id = puppet.offer().session_id.to_vec();
        puppet
    };
    let keys = Trust::keys([WORLD.server.public_key()]);
    for builder in [alone(), alone().trust(keys)] {
        let client = client(builder.allow_unnamed());
        let mut puppet = unnamed(&client);
        puppet.offers(&[&offered(AES128), &offered(AES256)], &[]);
        assert!(
            puppet.offer().server_name().is_none() && puppet.offer().ticket_request().is_none()
        );
        puppet.say_selected(0, &offered(AES128));
        puppet.lead_to("CONNECTED");
        puppet.say_ticket(&new_session_ticket());
        let negotiated = puppet.us.negotiated().unwrap();
        assert_eq!(
            (
                negotiated.server_name(),
                negotiated.external_psk().unwrap().peer_name()
            ),
            (None, Some("hub"))
        );
        assert!(client.config.sessions.is_empty());
    }
    // A certificate proves nothing without a name, so roots cannot be trusted as well. Connecting
    // without a name must be allowed.
    let error = besides().allow_unnamed().build().unwrap_err();
    assert!(matches!(
        error,
        Error::Config(ConfigError::Setting {
            name: "allow_unnamed",
            ..
        })
    ));
    let error = client(alone())
        .connection_unnamed(now(), &mut SystemRandom)
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Config(ConfigError::Setting {
            name: "allow_unnamed",
            ..
        })
    ));
}

// ---- after a HelloRetryRequest ----

/// 4.2.2: "recomputing the obfuscated_ticket_age and binder values and (optionally) removing any
/// PSKs which are incompatible with the server's indicated cipher suite". PSKs of that hash stay,
/// and their binders also cover the first ClientHello and the retry (4.3.11.2).
#[test]
fn a_retry_keeps_what_fits() {
    for builder in [alone, besides] {
        for suite in Suite::ALL {
            let mut puppet = Puppet::serving(&client(builder()));
            puppet.suite = suite;
            let first = puppet.ask_for(Group::Secp256r1);
            // The transcript before the second ClientHello is what the puppet computes from the
            // first and the retry.
            let before = puppet.transcript.len() - puppet.client_hello.len();
            assert_ne!(first, puppet.client_hello);
            puppet.offers(&[&offered(suite)], &puppet.transcript[..before]);
            let taken = selected_after_retry(&mut puppet, suite);
            assert_eq!(taken.as_deref(), Some("hub"));
        }
    }
}

fn selected_after_retry(puppet: &mut Puppet, suite: Suite) -> Option<String> {
    puppet.say_selected(0, &offered(suite));
    puppet.lead_to("CONNECTED");
    puppet
        .us
        .negotiated()
        .unwrap()
        .external_psk()?
        .peer_name()
        .map(str::to_owned)
}

/// If none fits, a client that trusts certificates continues without a PSK. A client that trusts
/// nothing else fails, and does not send a ClientHello without a PSK.
#[test]
fn a_retry_that_nothing_fits() {
    let builder = || Client::builder().external_psk(as_it_is());
    let mut puppet = Puppet::serving(&client(builder()));
    puppet.suite = AES256;
    let retry = puppet.retry(&[selected_group(0x0017)]);
    refused!(
        puppet,
        plain(HANDSHAKE, &retry),
        "WAIT_SH",
        40,
        Fault::PskNotTaken
    );

    let mut puppet = Puppet::serving(&client(builder().trust(WORLD.authority.trust())));
    puppet.suite = AES256;
    puppet.ask_for(Group::Secp256r1);
    puppet.offers(&[], &[]);
    puppet.lead_to("CONNECTED");
    assert!(puppet.us.negotiated().unwrap().peer().is_some());

    // If a PSK fits, the rules are as before. An index that was valid in the first ClientHello but
    // not in the second is out of range.
    let mut puppet = Puppet::serving(&client(alone()));
    puppet.suite = AES256;
    puppet.ask_for(Group::Secp256r1);
    let hello = puppet.server_hello(|hello| {
        hello
            .extensions
            .as_mut()
            .unwrap()
            .push(ServerHelloExtension::PreSharedKey(1))
    });
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        47,
        Fault::Illegal(Illegal::PskIndex(1))
    );
    // The server must not change its mind and use no PSK either.
    let mut puppet = Puppet::serving(&client(alone()));
    puppet.ask_for(Group::Secp256r1);
    let hello = puppet.server_hello(|_| {});
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "WAIT_SH",
        40,
        Fault::PskNotTaken
    );
}
