//! External PSKs: two peers that authenticate only by a shared secret (RFC 9257 and 9258).

use fleeting::{
    CipherSuite, Client, ClientAuth, Error, ExternalPsk, Fault, NamedGroup, PskIdentity, PskNames,
    Server, ServerBuilder, SessionCache, Status, TicketKeys,
};

use crate::support::{End, NAME, NOW, Pair, SUITES, Seeded, pki};

fn psk(own: &str, peer: &str) -> ExternalPsk {
    ExternalPsk::new("site 4", [7, 8].repeat(16), PskNames { own, peer }).unwrap()
}

fn pair(client: &Client, server: &Server) -> Pair {
    let mut pair = Pair::between(client, server, 1);
    pair.settle();
    pair
}

#[test]
fn nothing_else_is_needed() {
    let client = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .build()
        .unwrap();
    let server = Server::builder()
        .external_psks([psk("hub", "sensor")])
        .build()
        .unwrap();
    for resumed in [false, true] {
        let mut pair = pair(&client, &server);
        pair.assert_same_view();
        for (end, peer) in [(&pair.client, "hub"), (&pair.server, "sensor")] {
            let negotiated = end.connection.negotiated().unwrap();
            assert_eq!(negotiated.external_psk().unwrap().peer_name(), Some(peer));
            assert!(negotiated.peer().is_none());
            assert_eq!(negotiated.resumed(), resumed);
        }
        pair.server.write(b"tickets go with it");
        pair.settle();
        assert_eq!(pair.client.read, b"tickets go with it");
    }
}

#[test]
fn after_a_retry_too() {
    let client = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .key_shares([])
        .build()
        .unwrap();
    let server = Server::builder()
        .external_psks([psk("hub", "sensor")])
        .groups([NamedGroup::X25519])
        .build()
        .unwrap();
    pair(&client, &server).assert_same_view();
}

#[test]
fn what_is_not_known_and_what_is_wrong_look_alike_where_there_is_nothing_else() {
    let client = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .build()
        .unwrap();
    let wrong = ExternalPsk::new(
        "site 4",
        [8, 7].repeat(16),
        PskNames {
            own: "hub",
            peer: "sensor",
        },
    )
    .unwrap();
    let unknown = psk("hub", "another");
    for (psk, unknown) in [(wrong, false), (unknown, true)] {
        let pair = pair(
            &client,
            &Server::builder().external_psks([psk]).build().unwrap(),
        );
        let Error::Protocol { fault, .. } = pair.server.error() else {
            panic!("{:?}", pair.server.error())
        };
        assert!(
            matches!(
                (fault, unknown),
                (Fault::UnknownPsk, true) | (Fault::BadBinder, false)
            ),
            "{fault:?}"
        );
        assert!(matches!(pair.client.error(), Error::AlertReceived { alert, .. } if alert.0 == 51));
    }
}

#[test]
fn beside_a_certificate_an_unknown_one_is_ignored() {
    let builder = || Client::builder().external_psk(psk("sensor", "hub"));
    let server = Server::builder()
        .identity(pki().server.clone())
        .external_psks([psk("hub", "another")])
        .build()
        .unwrap();
    let trusting = pair(
        &builder().trust(pki().authority.trust()).build().unwrap(),
        &server,
    );
    assert!(
        trusting
            .client
            .connection
            .negotiated()
            .unwrap()
            .peer()
            .is_some()
    );
    // A client that trusts only the PSK does not accept another way.
    let alone = pair(&builder().build().unwrap(), &server);
    assert!(
        matches!(alone.client.error(), Error::AlertReceived { alert, .. } if alert.0 == 109),
        "{:?}",
        alone.client.error()
    );
}

/// Makes a PSK that is used without import, for peers that cannot import: it is the same in both
/// directions.
fn as_it_is() -> ExternalPsk {
    ExternalPsk::not_imported("plain", [7, 8].repeat(16)).unwrap()
}

/// A client that trusts only this PSK completed the handshake with it, as did the server, and data
/// pass.
fn assert_known(pair: &mut Pair, identity: &[u8]) {
    pair.assert_same_view();
    for end in [&pair.client, &pair.server] {
        assert_eq!(
            end.connection
                .negotiated()
                .unwrap()
                .external_psk()
                .unwrap()
                .identity(),
            identity
        );
    }
    pair.client.write(b"one way");
    pair.server.write(b"and the other");
    pair.settle();
    assert_eq!(
        (&pair.server.read[..], &pair.client.read[..]),
        (&b"one way"[..], &b"and the other"[..])
    );
}

/// An imported PSK works with every suite, and one without import with those of SHA-256 (RFC 9846,
/// 4.3.11). It works in every group, at once and after a retry, and at a server that requires more
/// of all other clients.
#[test]
fn with_every_suite_and_group() {
    let groups = [
        NamedGroup::X25519_MLKEM768,
        NamedGroup::X25519,
        NamedGroup::SECP256R1,
    ];
    for suite in SUITES {
        for group in groups {
            for shares in [&[group][..], &[]] {
                for (own, peers, identity) in [
                    (psk("sensor", "hub"), psk("hub", "sensor"), &b"site 4"[..]),
                    (as_it_is(), as_it_is(), b"plain"),
                ] {
                    if identity == b"plain" && suite == CipherSuite::TLS_AES_256_GCM_SHA384 {
                        continue;
                    }
                    let shares = shares.iter().copied();
                    let client = Client::builder()
                        .external_psk(own)
                        .cipher_suites([suite])
                        .groups([group])
                        .key_shares(shares)
                        .build()
                        .unwrap();
                    let required = ClientAuth::Required(pki().authority.trust());
                    let server = Server::builder()
                        .external_psks([peers])
                        .identity(pki().server.clone())
                        .client_auth(required)
                        .build()
                        .unwrap();
                    let mut pair = pair(&client, &server);
                    assert_known(&mut pair, identity);
                    let negotiated = pair.client.connection.negotiated().unwrap();
                    assert_eq!(
                        (negotiated.cipher_suite(), negotiated.group()),
                        (suite, group)
                    );
                }
            }
        }
    }
}

/// "client-provided, externally established PSKs SHOULD influence cipher suite selection" (RFC
/// 9846, 4.3.11): a server that prefers SHA-384 takes SHA-256 for a PSK that fits nothing else. A
/// server that does not know the PSK ignores it, so the suite of its retry does not fit the
/// client's PSK.
#[test]
fn the_suite_follows_the_psk() {
    let prefers = |server: ServerBuilder| {
        server
            .cipher_suites([SUITES[1], SUITES[0]])
            .build()
            .unwrap()
    };
    for shares in [vec![NamedGroup::X25519], vec![]] {
        let client = || {
            Client::builder()
                .external_psk(as_it_is())
                .groups([NamedGroup::X25519])
                .key_shares(shares.clone())
        };
        let known = prefers(Server::builder().external_psks([as_it_is()]));
        let mut known = pair(&client().build().unwrap(), &known);
        assert_known(&mut known, b"plain");
        assert_eq!(
            known.client.connection.negotiated().unwrap().cipher_suite(),
            SUITES[0]
        );

        let server = prefers(Server::builder().identity(pki().server.clone()));
        let trusting = pair(
            &client().trust(pki().authority.trust()).build().unwrap(),
            &server,
        );
        trusting.assert_same_view();
        assert_eq!(
            trusting
                .client
                .connection
                .negotiated()
                .unwrap()
                .cipher_suite(),
            SUITES[1]
        );
        let alone = pair(&client().build().unwrap(), &server);
        if shares.is_empty() {
            assert!(matches!(
                alone.client.error(),
                Error::Protocol {
                    state: "WAIT_SH",
                    fault: Fault::PskNotTaken
                }
            ));
            assert!(
                matches!(alone.server.error(), Error::AlertReceived { alert, .. } if alert.0 == 40)
            );
        } else {
            assert!(matches!(
                alone.server.error(),
                Error::Protocol {
                    fault: Fault::MissingExtension { .. },
                    ..
                }
            ));
            assert!(
                matches!(alone.client.error(), Error::AlertReceived { alert, .. } if alert.0 == 109)
            );
        }
    }
}

/// Replacing one secret by another (RFC 9257, section 6): a server that has both accepts clients
/// with either. When the old secret is removed, its tickets end too.
#[test]
fn secrets_are_changed() {
    let [old, new] = ["2026-10", "2026-11"].map(|identity| {
        move |own, peer| {
            let secret: Vec<u8> = identity.bytes().cycle().take(32).collect();
            ExternalPsk::new(identity, secret, PskNames { own, peer }).unwrap()
        }
    });
    let keys = TicketKeys::rotating();
    let server = |psks: Vec<ExternalPsk>| {
        Server::builder()
            .external_psks(psks)
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let sessions = SessionCache::new(10);
    let client = |psk| {
        Client::builder()
            .external_psk(psk)
            .sessions(sessions.clone())
            .build()
            .unwrap()
    };
    let clients = [client(old("sensor", "hub")), client(new("sensor", "hub"))];
    let both = server(vec![old("hub", "sensor"), new("hub", "sensor")]);
    let identities: [&[u8]; 2] = [b"2026-10", b"2026-11"];
    for resumed in [false, true] {
        for (client, identity) in clients.iter().zip(identities) {
            let mut pair = pair(client, &both);
            assert_known(&mut pair, identity);
            assert_eq!(
                pair.server.connection.negotiated().unwrap().resumed(),
                resumed
            );
        }
    }
    let after = server(vec![new("hub", "sensor")]);
    let refused = pair(&clients[0], &after);
    assert!(matches!(
        refused.server.error(),
        Error::Protocol {
            fault: Fault::UnknownPsk,
            ..
        }
    ));
    let mut pair = pair(&clients[1], &after);
    assert_known(&mut pair, b"2026-11");
    assert!(pair.client.connection.negotiated().unwrap().resumed());
}

/// A server name is not needed if the PSK identifies the server.
#[test]
fn a_server_without_a_name() {
    let client = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .allow_unnamed()
        .build()
        .unwrap();
    let server = Server::builder()
        .external_psks([psk("hub", "sensor")])
        .build()
        .unwrap();
    let mut rng = Seeded(1);
    let connection = client.connection_unnamed(NOW, &mut rng).unwrap();
    let mut pair = Pair {
        client: End::new(connection, rng),
        server: End::new(server.connection(NOW), Seeded(2)),
    };
    pair.settle_in(1);
    assert_known(&mut pair, b"site 4");
    assert_eq!(
        pair.server.connection.negotiated().unwrap().server_name(),
        None
    );
}

/// A server whose PSKs are elsewhere chooses its configuration by what the client offers.
#[test]
fn looked_up_when_the_client_is_there() {
    let client = Client::builder()
        .external_psk(psk("sensor", "hub"))
        .build()
        .unwrap();
    let mut rng = Seeded(1);
    let connection = client.connection(NAME, NOW, &mut rng).unwrap();
    let undecided = fleeting::Connection::undecided(NOW);
    let mut pair = Pair {
        client: End::new(connection, rng),
        server: End::new(undecided, Seeded(2)),
    };
    pair.settle();
    assert!(matches!(pair.server.status, Ok(Status::Ask(_))));
    let hello = pair.server.connection.client_hello().unwrap();
    // There is one identity for each hash, and both contain the same names.
    let named: Vec<_> = hello
        .psk_identities()
        .filter_map(PskIdentity::parse)
        .collect();
    assert_eq!(
        named,
        [PskIdentity {
            identity: b"site 4",
            client: "sensor",
            server: "hub"
        }; 2]
    );
    let server = Server::builder()
        .external_psks([psk(named[0].server, named[0].client)])
        .build()
        .unwrap();
    let End {
        connection, rng, ..
    } = &mut pair.server;
    connection.choose(&server, NOW, rng).unwrap();
    pair.settle();
    assert_known(&mut pair, b"site 4");
}

/// Two peers that are client and server to each other with one secret work in both directions at
/// once. A peer cannot connect to itself.
#[test]
fn both_ways_round() {
    let node = |own, peer| {
        let client = Client::builder()
            .external_psk(psk(own, peer))
            .build()
            .unwrap();
        (
            client,
            Server::builder()
                .external_psks([psk(own, peer)])
                .build()
                .unwrap(),
        )
    };
    let (one, two) = (node("one", "two"), node("two", "one"));
    assert_known(&mut pair(&one.0, &two.1), b"site 4");
    assert_known(&mut pair(&two.0, &one.1), b"site 4");
    for (client, server) in [one, two] {
        let reflected = pair(&client, &server);
        assert!(matches!(
            reflected.server.error(),
            Error::Protocol {
                fault: Fault::UnknownPsk,
                ..
            }
        ));
        assert!(
            matches!(reflected.client.error(), Error::AlertReceived { alert, .. } if alert.0 == 51)
        );
    }
}

/// RFC 9846, F.6: a server that accepts only PSKs does not reveal which PSKs it knows to clients
/// that hold none, not even by the suite of a retry.
#[test]
fn a_retry_does_not_tell_which_psks_are_known() {
    let server = Server::builder()
        .external_psks([psk("hub", "sensor")])
        .build()
        .unwrap();
    for peer in ["hub", "another"] {
        // An attacker who scans knows names but not the secret, and sends a hello without shares.
        // It offers the only suite that fits the PSK, and a better one.
        let wrong = ExternalPsk::new(
            "site 4",
            [9, 8].repeat(16),
            PskNames {
                own: "sensor",
                peer,
            },
        )
        .unwrap();
        let client = Client::builder()
            .external_psk(wrong)
            .key_shares([])
            .cipher_suites([CipherSuite::TLS_AES_256_GCM_SHA384]);
        let mut rng = Seeded(1);
        let connection = client
            .build()
            .unwrap()
            .connection(NAME, NOW, &mut rng)
            .unwrap();
        let mut hello = End::new(connection, rng).send(usize::MAX);
        // The suite follows the headers of the record and the message, legacy_version, random and
        // session id.
        let suites = 5 + 4 + 2 + 32 + 33;
        assert_eq!(hello[suites..suites + 4], [0, 2, 0x13, 2]);
        hello.splice(suites..suites + 4, [0, 4, 0x13, 1, 0x13, 2]);
        for length in [3, 7] {
            let longer = u16::from_be_bytes([hello[length], hello[length + 1]]) + 2;
            hello[length..length + 2].copy_from_slice(&longer.to_be_bytes());
        }
        let mut end = End::new(server.connection(NOW), Seeded(4));
        end.receive(&hello, usize::MAX);
        // An alert in the clear: fatal, decrypt_error(51).
        assert_eq!(
            end.send(usize::MAX),
            [21, 3, 3, 0, 2, 2, 51],
            "{peer}: {:?}",
            end.status
        );
    }
}
