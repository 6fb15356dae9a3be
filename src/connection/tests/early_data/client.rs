//! Early data that our client sends (RFC 9846, 4.3.10 and 4.6): when it is offered, what is sent,
//! and what follows if the server accepts it.

use crate::client::Client;
use crate::code_point::{CipherSuite, NamedGroup};
use crate::connection::observer::Observer;
use crate::connection::send::sender::Sender;
use crate::connection::tests::puppet::early_server::{
    alpn, builder, early_client, known_early, ticket_for, visited,
};
use crate::connection::tests::puppet::server::new_session_ticket;
use crate::connection::tests::puppet::session::known;
use crate::connection::tests::puppet::{
    APPLICATION_DATA, Puppet, Side, WORLD, extension, message, now,
};
use crate::connection::{Connection, Status};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::Error;
use crate::handshake::EarlyData;
use crate::identity::{ServerName, Trust};
use crate::key_schedule::EarlySecret;
use crate::message::ClientHelloExtension;
use crate::record::Padding;
use crate::secret::Secret;
use crate::session::SessionCache;
use crate::testing::rfc8448::trace;

/// How much may wait in the output before no more is accepted. This is our policy, in records of
/// 2^14 bytes and the bytes added to each: 5 of header, 1 of type and 16 of tag.
const MAX_WAITING: usize = 4 * (16384 + 22);

/// RFC 9846, 5.5: 2^24.5 records.
const MOST_RECORDS: u64 = 23_726_566;

fn early_data_of(puppet: &Puppet) -> EarlyData {
    puppet
        .us
        .negotiated()
        .expect("a complete handshake")
        .early_data()
}

// ---- the offer ----

/// 4.3.10: the client "MUST supply both the "pre_shared_key" and "early_data" extensions". 4.3.11:
/// "The "pre_shared_key" extension MUST be the last". E.4: in compatibility mode ChangeCipherSpec
/// comes "immediately after the first ClientHello", and nowhere else.
#[test]
fn what_goes_out() {
    for suite in Suite::ALL {
        for mode in [true, false] {
            let client = builder().compatibility_mode(mode).build().unwrap();
            visited(&client, suite, &[], &ticket_for(1000));
            let mut connection = client
                .connection("db.internal", now(), &mut SystemRandom)
                .unwrap();
            // 5.1: 0x0301 for an initial ClientHello.
            let output = connection.output();
            assert_eq!((&output[..3], output[5]), (&[22, 3, 1][..], 1));
            let end = 5 + usize::from(u16::from_be_bytes([output[3], output[4]]));
            let rest: &[u8] = if mode { &[20, 3, 3, 0, 1, 1] } else { &[] };
            assert_eq!(&output[end..], rest);
            assert!(connection.takes_early_data() && connection.early_data_left() == 1000);
            assert!(matches!(
                connection.write(b"data"),
                Err(Error::WrongState {
                    call: "write",
                    state: "WAIT_SH"
                })
            ));

            let psk = visited(&client, suite, &[], &ticket_for(1000));
            let mut puppet = Puppet::offered_under(&client, &psk);
            assert!(matches!(
                puppet.offer().extensions.unwrap().last(),
                Some(ClientHelloExtension::PreSharedKey(_))
            ));
            assert_eq!(puppet.us.write_early_data(b"GET /").unwrap(), 5);
            assert_eq!(puppet.us.write_early_data(b" HTTP/1.1").unwrap(), 9);
            assert_eq!(puppet.us.early_data_left(), 1000 - 14);
            puppet.hear_early(b"GET /");
            puppet.hear_early(b" HTTP/1.1");
            puppet.hears_nothing();
        }
    }
}

/// 4.7.1: max_early_data_size is "the maximum amount of 0-RTT data that the client is allowed to
/// send when using this ticket, in bytes. Only Application Data payload ... is counted."
#[test]
fn no_more_than_the_ticket_allows() {
    for max_size in [1, 2, 1000] {
        let client = early_client();
        let psk = known_early(&client, max_size);
        let mut puppet = Puppet::offered_under(&client, &psk);
        let length = usize::try_from(max_size).unwrap();
        assert_eq!(puppet.us.write_early_data(b"").unwrap(), 0);
        puppet.hears_nothing();
        for _ in 1..length {
            puppet.write_early(b"x");
        }
        assert_eq!(puppet.us.early_data_left(), 1);
        assert_eq!(puppet.us.write_early_data(b"two").unwrap(), 1);
        puppet.hear_early(b"t");
        assert!(puppet.us.early_data_left() == 0 && !puppet.us.takes_early_data());
        assert_eq!(puppet.us.write_early_data(b"wo").unwrap(), 0);
        puppet.hears_nothing();
        // The limit is reached, but the end is the same.
        puppet.takes_early_data = true;
        puppet.lead_to("CONNECTED");
        assert_eq!(early_data_of(&puppet), EarlyData::Accepted);
    }
}

/// As much is accepted as may wait, and the rest after that was sent.
#[test]
fn no_more_than_the_output_has_room_for() {
    let client = early_client();
    let psk = known_early(&client, u32::MAX);
    let mut puppet = Puppet::offered_under(&client, &psk);
    let all = usize::try_from(u32::MAX).unwrap();
    assert_eq!(puppet.us.early_data_left(), all);
    let data = vec![7; 1 << 20];
    let mut sent = 0;
    for _ in 0..3 {
        let taken = puppet.us.write_early_data(&data).unwrap();
        assert_eq!(taken, 4 * 16384);
        assert_eq!(puppet.us.output().len(), MAX_WAITING);
        sent += taken;
        assert_eq!(puppet.us.early_data_left(), all - sent);
        assert!(puppet.us.write_early_data(b"more").unwrap() == 0 && puppet.us.takes_early_data());
        for _ in 0..4 {
            puppet.hear_early(&[7; 16384]);
        }
    }
}

/// 5.4, and 4.7.1: "not padding or the inner content type byte".
#[test]
fn it_is_padded_as_all_data_is() {
    for (padding, padded) in [
        (Padding::None, 5),
        (Padding::Block(512), 512),
        (Padding::PowerOfTwo, 8),
        (Padding::Full, 16384),
    ] {
        let client = builder().padding(padding).build().unwrap();
        let psk = known_early(&client, 10);
        let mut puppet = Puppet::offered_under(&client, &psk);
        for left in [5, 0] {
            assert_eq!(puppet.us.write_early_data(b"GET /").unwrap(), 5);
            let record = puppet.hear_type(APPLICATION_DATA);
            assert_eq!(
                (&record.content[..], record.padding),
                (&b"GET /"[..], padded - 5)
            );
            assert_eq!(puppet.us.early_data_left(), left);
        }
        assert_eq!(puppet.us.write_early_data(b"GET /").unwrap(), 0);
    }
}

/// 5.5: there is no KeyUpdate before the handshake is complete, so the limit must not be reached.
/// No more is accepted, and EndOfEarlyData can still be sent.
#[test]
fn the_limit_of_the_aead_is_not_reached() {
    let mut puppet = Puppet::offered();
    puppet.takes_early_data = true;
    let start = MOST_RECORDS - 1030;
    puppet.us.sender.start_at(start, 0);
    puppet.read.as_mut().unwrap().sequence = start;
    let mut sent = 0;
    while puppet.us.write_early_data(b"x").unwrap() == 1 {
        puppet.hear_early(b"x");
        sent += 1;
    }
    assert!((1..1030).contains(&sent), "{sent}");
    puppet.hears_nothing();
    puppet.lead_to("CONNECTED");
    assert_eq!(early_data_of(&puppet), EarlyData::Accepted);
}

/// Checks that only early data is not offered: the session is offered all the same.
#[track_caller]
fn offers_psk_alone(puppet: &mut Puppet) {
    assert!(!puppet.offer().early_data() && puppet.offered_ticket().is_some());
    assert!(!puppet.us.takes_early_data() && puppet.us.early_data_left() == 0);
    assert_eq!(puppet.us.write_early_data(b"data").unwrap(), 0);
    // E.4: there is no ChangeCipherSpec either.
    puppet.hears_nothing();
}

/// F.5: not "unless specifically requested by the application". 4.7.1: not after a ticket without
/// early_data, or with a limit of 0 bytes.
#[test]
fn not_where_it_is_not_allowed() {
    let off = builder().early_data(false).build().unwrap();
    for (client, ticket) in [
        (off, ticket_for(1000)),
        (early_client(), new_session_ticket()),
        (early_client(), ticket_for(0)),
    ] {
        let psk = visited(&client, Suite::Aes128GcmSha256, &[], &ticket);
        let mut puppet = Puppet::serving(&client);
        offers_psk_alone(&mut puppet);
        puppet.select(&psk);
        puppet.lead_to("CONNECTED");
        assert_eq!(early_data_of(&puppet), EarlyData::NotOffered);
    }
    // `Client::connect` does not offer it, since its caller could not send any.
    let client = early_client();
    known_early(&client, 1000);
    let name = Some(ServerName::parse("db.internal").unwrap());
    let us = Connection::client(&client, name, false, now(), &mut SystemRandom).unwrap();
    let mut puppet = Puppet::new(Side::Server, us);
    puppet.client_hello = puppet.hear_message();
    offers_psk_alone(&mut puppet);
}

/// Without a session there is no key for early data. Without a name no session is kept.
#[test]
fn not_without_a_session() {
    let mut puppet = Puppet::serving(&early_client());
    assert!(!puppet.offer().early_data() && puppet.offer().pre_shared_key().is_none());
    assert_eq!(puppet.us.write_early_data(b"data").unwrap(), 0);
    puppet.hears_nothing();
    puppet.lead_to("CONNECTED");
    assert_eq!(early_data_of(&puppet), EarlyData::NotOffered);
    assert_eq!(puppet.us.write_early_data(b"data").unwrap(), 0);
    puppet.hears_nothing();

    let client = Client::builder()
        .trust(Trust::keys([WORLD.server.public_key()]))
        .allow_unnamed()
        .early_data(true)
        .build()
        .unwrap();
    for _ in 0..2 {
        let mut puppet = Puppet::new(
            Side::Server,
            client.connection_unnamed(now(), &mut SystemRandom).unwrap(),
        );
        puppet.client_hello = puppet.hear_message();
        puppet.session_id = puppet.offer().session_id.to_vec();
        assert!(!puppet.offer().early_data() && puppet.us.early_data_left() == 0);
        puppet.lead_to("CONNECTED");
        puppet.say(&ticket_for(1000)).unwrap();
    }
    assert!(client.config.sessions.is_empty());
}

/// 4.3.10: "The parameters for the 0-RTT data (version, symmetric cipher suite, ... (ALPN)
/// protocol, etc.) are those associated with the PSK in use". Early data is not sent with
/// parameters that are no longer offered.
#[test]
fn not_on_terms_that_are_not_offered_any_more() {
    let cache = SessionCache::new(10);
    let client = |suites: &[u16], protocols: &[&str]| {
        let suites = suites.iter().copied().map(CipherSuite);
        builder()
            .sessions(cache.clone())
            .cipher_suites(suites)
            .alpn(protocols.iter().copied())
            .build()
            .unwrap()
    };
    let before = client(&[0x1301, 0x1303], &["a", "b"]);
    // The parameters of the session, the parameters offered now, and whether early data is offered.
    let cases: [(Option<&[u8]>, Client, bool); 8] = [
        (Some(b"a"), client(&[0x1301, 0x1303], &["a", "b"]), true),
        (Some(b"b"), client(&[0x1303, 0x1301], &["c", "b"]), true),
        (Some(b"a"), client(&[0x1303], &["a"]), false),
        (Some(b"a"), client(&[0x1301], &["b"]), false),
        (Some(b"a"), client(&[0x1301], &[]), false),
        (None, client(&[0x1301], &[]), true),
        (None, client(&[0x1301], &["a"]), true),
        (None, client(&[0x1303], &[]), false),
    ];
    for (number, (protocol, now, offered)) in cases.into_iter().enumerate() {
        let answer = protocol.map(alpn).unwrap_or_default();
        let psk = visited(&before, Suite::Aes128GcmSha256, &answer, &ticket_for(1000));
        if offered {
            let mut puppet = Puppet::offered_under(&now, &psk);
            puppet.takes_early_data = true;
            puppet.write_early(b"GET /");
            puppet.lead_to("WAIT_EE");
            puppet.say_parameters(&answer);
            puppet.lead_to("CONNECTED");
            assert_eq!(early_data_of(&puppet), EarlyData::Accepted, "{number}");
        } else {
            offers_psk_alone(&mut Puppet::serving(&now));
        }
    }
}

/// The session's group is one of these parameters: early data is as secret as the key exchange of
/// the connection that the session comes from. A resumption exchanges keys anew.
#[test]
fn not_under_a_group_that_is_not_offered_any_more() {
    let cache = SessionCache::new(10);
    let client = |groups: &[u16]| {
        let groups = groups.iter().copied().map(NamedGroup);
        builder()
            .sessions(cache.clone())
            .groups(groups)
            .build()
            .unwrap()
    };
    let before = client(&[0x001d, 0x0017]);
    for (groups, offered) in [
        (&[0x001d, 0x0017][..], true),
        (&[0x11ec, 0x001d], true),
        (&[0x001d], true),
        (&[0x11ec], false),
        (&[0x11ec, 0x0017], false),
    ] {
        let (psk, now) = (known_early(&before, 1000), client(groups));
        if offered {
            Puppet::offered_under(&now, &psk);
            continue;
        }
        let mut puppet = Puppet::serving(&now);
        offers_psk_alone(&mut puppet);
        puppet.select(&psk);
        puppet.group = Group::X25519MlKem768;
        puppet.lead_to("CONNECTED");
        let negotiated = puppet.us.negotiated().unwrap();
        assert!(negotiated.resumed());
        assert_eq!(negotiated.early_data(), EarlyData::NotOffered);
        // The session that follows is of the new group.
        let psk = puppet.say_ticket(&ticket_for(1000));
        Puppet::offered_under(&now, &psk);
        cache.clear();
    }
}

// ---- taken ----

/// 4.3.10.2 ("Processing Order"): "Clients are permitted to "stream" 0-RTT data until they receive
/// the server's Finished, only then sending the EndOfEarlyData message, followed by the rest of the
/// handshake." 4.6: EndOfEarlyData is in the transcript, and "the following records are protected
/// under handshake traffic keys".
#[test]
fn it_is_taken() {
    for suite in Suite::ALL {
        for mode in [true, false] {
            let pieces: [[&[u8]; 3]; 3] =
                [[b""; 3], [b"GET /", b"one", b"two"], [b"", b"", b"late"]];
            for pieces in pieces {
                let client = builder().compatibility_mode(mode).build().unwrap();
                let psk = visited(&client, suite, &[], &ticket_for(1000));
                let mut puppet = Puppet::offered_under(&client, &psk);
                puppet.takes_early_data = true;
                let states = ["WAIT_SH", "WAIT_EE", "WAIT_FINISHED"];
                for (state, piece) in states.iter().zip(pieces) {
                    puppet.lead_to(state);
                    if !piece.is_empty() {
                        puppet.write_early(piece);
                    }
                    assert!(puppet.us.takes_early_data());
                    assert!(matches!(
                        puppet.us.write(b"data"),
                        Err(Error::WrongState { call: "write", state: at }) if at == *state
                    ));
                    puppet.hears_nothing();
                }
                puppet.lead_to("WAIT_FINISHED");
                puppet.say_finished();
                // EndOfEarlyData is alone under the early key, and Finished is alone under the
                // handshake key.
                puppet.hear_end_of_early_data();
                let flight = puppet.hear_client_flight();
                assert_eq!(
                    flight.iter().map(|message| message[0]).collect::<Vec<_>>(),
                    [20]
                );
                assert_eq!(early_data_of(&puppet), EarlyData::Accepted);
                assert!(puppet.us.negotiated().unwrap().resumed());

                assert!(puppet.us.early_data_left() == 0 && !puppet.us.takes_early_data());
                assert_eq!(puppet.us.write_early_data(b"early").unwrap(), 0);
                puppet.us.write(b"ordinary").unwrap();
                assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"ordinary");
                puppet.hears_nothing();
                puppet.send(b"answer").unwrap();
                assert_eq!(puppet.delivered, b"answer");
            }
        }
    }
}

/// The server's flight may be one record, or be cut anywhere. The answer is the same, and is not
/// sent before the flight is complete.
#[test]
fn it_ends_with_the_servers_finished_and_not_before() {
    for together in [true, false] {
        let mut puppet = Puppet::accepted_at("WAIT_EE");
        let parameters = message(8, &[0, 4, 0, 42, 0, 0]);
        puppet.transcript.extend_from_slice(&parameters);
        let finished = puppet.finished();
        puppet.transcript.extend_from_slice(&finished);
        let record = puppet.record(
            22,
            &if together {
                [&parameters[..], &finished].concat()
            } else {
                parameters
            },
        );
        let flight = if together {
            record
        } else {
            [record, puppet.record(22, &finished)].concat()
        };
        for byte in &flight[..flight.len() - 1] {
            assert_eq!(puppet.feed(&[*byte]).unwrap(), Status::NeedsInput);
            assert!(puppet.us.takes_early_data());
            puppet.hears_nothing();
        }
        puppet.feed(&flight[flight.len() - 1..]).unwrap();
        assert!(!puppet.us.is_handshaking());
        puppet.derive_application_secrets();
        puppet.install_application_keys(Side::Server);
        puppet.hear_client_flight();
        assert_eq!(early_data_of(&puppet), EarlyData::Accepted);
    }
}

/// RFC 8449, section 4: "Records are subject to the limits that were set in the handshake that
/// produces the keys that are used to protect those records". So records sent before
/// EncryptedExtensions may be longer, and those after it obey the limit.
#[test]
fn the_servers_record_size_limit() {
    let client = builder().padding(Padding::Full).build().unwrap();
    let psk = known_early(&client, 100_000);
    let mut puppet = Puppet::offered_under(&client, &psk);
    puppet.takes_early_data = true;
    puppet.write_early(&[7; 16384]);
    puppet.lead_to("WAIT_EE");
    puppet.write_early(&[7; 16384]);
    // 64 bytes of TLSInnerPlaintext: 63 of content and 1 of type.
    puppet.say_parameters(&extension(28, &[0, 64]));
    assert_eq!(puppet.us.write_early_data(&[7; 100]).unwrap(), 100);
    puppet.hear_early(&[7; 63]);
    puppet.hear_early(&[7; 37]);
    puppet.say_finished();
    puppet.hear_client_flight();
    puppet.us.write(&[7; 100]).unwrap();
    for content in [63, 37] {
        let record = puppet.hear_type(APPLICATION_DATA);
        assert_eq!(
            (record.content.len(), record.padding),
            (content, 63 - content)
        );
    }
    puppet.hears_nothing();
}

/// A session is used only once, and what was sent under it does not affect the next connection.
#[test]
fn the_next_connection_has_keys_of_its_own() {
    let client = early_client();
    let mut puppet = Puppet::offered_by(&client);
    puppet.takes_early_data = true;
    puppet.write_early(b"GET /");
    puppet.lead_to("CONNECTED");
    let psk = puppet.say_ticket(&ticket_for(7));
    let mut puppet = Puppet::offered_under(&client, &psk);
    assert_eq!(puppet.us.early_data_left(), 7);
    puppet.write_early(b"GET /");
    assert!(!Puppet::serving(&client).offer().early_data());
    let psk = known(&client);
    let mut puppet = Puppet::serving(&client);
    puppet.select(&psk);
    offers_psk_alone(&mut puppet);
}

/// RFC 8448, section 4: everything that the client sends until its Finished is the same byte for
/// byte, computed only from the messages and secrets.
#[test]
fn rfc8448_section_4_resumed_0rtt() {
    let trace = trace("resumed_0rtt");
    let (hash, suite) = (HashAlgorithm::Sha256, Suite::Aes128GcmSha256);
    let early = || EarlySecret::new(hash, Some(&Secret::copy_of(trace.get("psk"))));
    let hello = trace.message("record_client_hello_1");
    let hellos = hash.hash(&[hello, trace.message("record_server_hello")].concat());

    let mut out = Sender::new(true, Observer::server(None));
    out.message(hello);
    out.offer_early_data(suite, early().client_early_traffic(&hash.hash(hello)), 1024);
    assert_eq!(out.early_data(trace.get("early_data")).unwrap(), 6);
    out.defer(
        suite,
        early()
            .into_handshake(Secret::copy_of(trace.get("shared_secret")))
            .client_traffic(&hellos),
    );
    out.message(&crate::message::EndOfEarlyData.encode().unwrap());
    out.end_early_data();
    out.message(trace.get("client_finished"));
    out.flush_messages().unwrap();
    out.take_failure("WAIT_FINISHED").unwrap();
    let records = [
        "record_client_hello_1",
        "record_client_early_data",
        "record_end_of_early_data",
        "records_client_finished",
    ];
    assert_eq!(out.waiting(), records.map(|name| trace.get(name)).concat());
}
