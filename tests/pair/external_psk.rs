//! External PSKs: two that know each other by a secret alone (RFC 9257 and 9258).

use fleeting::{Client, Error, ExternalPsk, Fault, NamedGroup, PskNames, Server};

use crate::support::{End, NAME, NOW, Pair, Seeded, pki};

fn psk(own: &str, peer: &str) -> ExternalPsk {
    ExternalPsk::new("site 4", [7, 8].repeat(16), PskNames { own, peer }).unwrap()
}

fn pair(client: &Client, server: &Server) -> Pair {
    let mut rng = Seeded(1);
    let connection = client.connection(NAME, NOW, &mut rng).unwrap();
    let mut pair = Pair { client: End::new(connection, rng), server: End::new(server.connection(NOW), Seeded(2)) };
    pair.settle();
    pair
}

#[test]
fn nothing_else_is_needed() {
    let client = Client::builder().external_psk(psk("sensor", "hub")).build().unwrap();
    let server = Server::builder().external_psks([psk("hub", "sensor")]).build().unwrap();
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
    let client = Client::builder().external_psk(psk("sensor", "hub")).key_shares([]).build().unwrap();
    let server = Server::builder().external_psks([psk("hub", "sensor")]).groups([NamedGroup::X25519]).build().unwrap();
    pair(&client, &server).assert_same_view();
}

#[test]
fn what_is_not_known_and_what_is_wrong_look_alike_where_there_is_nothing_else() {
    let client = Client::builder().external_psk(psk("sensor", "hub")).build().unwrap();
    let wrong = ExternalPsk::new("site 4", [8, 7].repeat(16), PskNames { own: "hub", peer: "sensor" }).unwrap();
    let unknown = psk("hub", "another");
    for (psk, unknown) in [(wrong, false), (unknown, true)] {
        let pair = pair(&client, &Server::builder().external_psks([psk]).build().unwrap());
        let Error::Protocol { fault, .. } = pair.server.error() else { panic!("{:?}", pair.server.error()) };
        assert!(matches!((fault, unknown), (Fault::UnknownPsk, true) | (Fault::BadBinder, false)), "{fault:?}");
        assert!(matches!(pair.client.error(), Error::AlertReceived(alert) if alert.0 == 51));
    }
}

#[test]
fn beside_a_certificate_an_unknown_one_is_ignored() {
    let builder = || Client::builder().external_psk(psk("sensor", "hub"));
    let server = Server::builder().identity(pki().server.clone()).external_psks([psk("hub", "another")]).build().unwrap();
    let trusting = pair(&builder().trust(pki().authority.trust()).build().unwrap(), &server);
    assert!(trusting.client.connection.negotiated().unwrap().peer().is_some());
    // Who trusts nothing else is not talked into it.
    let alone = pair(&builder().build().unwrap(), &server);
    assert!(matches!(alone.client.error(), Error::AlertReceived(_)), "{:?}", alone.client.error());
}
