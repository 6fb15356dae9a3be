//! How extended key updates are agreed on: by a flag in ClientHello and EncryptedExtensions
//! (draft-ietf-tls-tlsflags), and what is off with them.

use super::{FLAGS, Peer, client, server};
use crate::client::Client;
use crate::connection::Status;
use crate::connection::tests::puppet::client::add_raw;
use crate::connection::tests::puppet::server::{encrypted_extensions, key_update};
use crate::connection::tests::puppet::session::Psk;
use crate::connection::tests::puppet::{HANDSHAKE, Puppet, WORLD, extension, refused};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error, Fault, Illegal};
use crate::message::Message;
use crate::server::Server;
use crate::session::{ReplayGuard, SessionCache, TicketKeys};

/// Returns the EncryptedExtensions that answer a ClientHello with these flags.
fn answer(server: &Server, flags: Option<&'static [u8]>) -> (Puppet, Vec<u8>) {
    let mut puppet = Puppet::calling(server);
    puppet.modes = vec![1];
    let hello = puppet.make_client_hello(|hello| {
        if let Some(flags) = flags {
            add_raw(hello, FLAGS.0, flags);
        }
    });
    puppet.say(&hello).unwrap();
    let answer = puppet.hear_flight().remove(1);
    (puppet, answer)
}

fn acknowledges(answer: &[u8]) -> bool {
    match Message::decode(answer).unwrap() {
        Message::EncryptedExtensions(answer) => answer.tls_flags().is_some(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_acknowledges_the_flag_if_it_is_configured_to() {
    let on = server().build().unwrap();
    let off = Server::builder()
        .identity(WORLD.server.clone())
        .build()
        .unwrap();
    for (flags, offered) in [
        (None, false),
        (Some(FLAGS.1), true),
        // With others, before and after it.
        (Some(&[5, 0xff, 0, 0x81, 0, 1][..]), true),
        (Some(&[3, 0, 0, 0x40]), false),
        (Some(&[1, 0x80]), false),
    ] {
        for (server, configured) in [(&on, true), (&off, false)] {
            let (mut puppet, answer) = answer(server, flags);
            let agreed = offered && configured;
            assert_eq!(acknowledges(&answer), agreed, "{flags:?}");
            puppet.lead_server_to("CONNECTED");
            let negotiated = puppet.us.negotiated().unwrap();
            assert_eq!(negotiated.extended_key_update(), agreed);
            // Otherwise keys are renewed as always.
            if !agreed {
                puppet.update(1);
                puppet.us.write(b"x").unwrap();
                puppet.hear_update(0);
                puppet.hear_data(b"x");
            }
        }
    }
}

/// "An implementation that receives an all-zero value for this extension or a value that contains
/// trailing zero bytes MUST generate a fatal illegal_parameter alert."
#[test]
fn invalid_flags() {
    for flags in [&[0][..], &[1, 0], &[3, 0, 1, 0]] {
        let mut puppet = Puppet::calling(&server().build().unwrap());
        let hello = puppet.make_client_hello(|hello| add_raw(hello, FLAGS.0, flags));
        let record = puppet.record(HANDSHAKE, &hello);
        refused!(
            puppet,
            record,
            "START",
            47,
            Fault::Illegal(Illegal::TlsFlags)
        );
        let mut puppet = Puppet::serving_at(&client().build().unwrap(), "WAIT_EE");
        let message = encrypted_extensions(&extension(FLAGS.0, flags));
        let record = puppet.record(HANDSHAKE, &message);
        refused!(
            puppet,
            record,
            "WAIT_EE",
            47,
            Fault::Illegal(Illegal::TlsFlags)
        );
    }
}

/// "An endpoint that receives an unsolicited flag in another message (HRR, SH, EE, or CT) MUST
/// generate a fatal illegal_parameter alert."
#[test]
fn a_flag_that_was_not_offered() {
    for flags in [&[1, 1][..], &[3, 1, 0, 0x80], &[4, 0, 0, 0x80, 1]] {
        let mut puppet = Puppet::serving_at(&client().build().unwrap(), "WAIT_EE");
        let message = encrypted_extensions(&extension(FLAGS.0, flags));
        let record = puppet.record(HANDSHAKE, &message);
        refused!(
            puppet,
            record,
            "WAIT_EE",
            47,
            Fault::Illegal(Illegal::FlagNotOffered)
        );
    }
    // Where the extension was not offered, RFC 9846, 4.3, applies: unsupported_extension.
    let mut puppet = Puppet::client_at("WAIT_EE");
    let message = encrypted_extensions(&extension(FLAGS.0, FLAGS.1));
    let record = puppet.record(HANDSHAKE, &message);
    refused!(
        puppet,
        record,
        "WAIT_EE",
        110,
        Fault::UnsolicitedExtension { .. }
    );
}

#[test]
fn a_client_offers_the_flag_if_it_is_configured_to() {
    let puppet = Puppet::serving(&client().build().unwrap());
    assert!(puppet.offer().tls_flags().unwrap().has(23));
    let flags = [&FLAGS.0.to_be_bytes()[..], &[0, 4], FLAGS.1].concat();
    assert!(puppet.client_hello.windows(8).any(|bytes| bytes == flags));
    let puppet = Puppet::client_at("WAIT_SH");
    assert_eq!(puppet.offer().tls_flags(), None);
    // A server that does not know the flag: keys are renewed as always.
    let mut puppet = Puppet::serving_at(&client().build().unwrap(), "CONNECTED");
    assert!(!puppet.us.negotiated().unwrap().extended_key_update());
    puppet.us.rekey().unwrap();
    puppet.hear_update(1);
    puppet.update(0);
    puppet.send(b"x").unwrap();
    assert_eq!(puppet.delivered, b"x");
}

/// The second ClientHello repeats the flags.
#[test]
fn after_a_retry() {
    let retrying = server()
        .groups([Group::X25519.code_point()])
        .build()
        .unwrap();
    let client = client()
        .groups([Group::X25519MlKem768, Group::X25519].map(Group::code_point))
        .key_shares([Group::X25519MlKem768.code_point()])
        .build()
        .unwrap();
    let mut pair = super::pairs::Pair::with(&client, &retrying);
    assert!(pair.client.negotiated().unwrap().extended_key_update());
    pair.updates_and_converses(1);
}

/// "An ExtendedKeyUpdate message prior to the sender having sent Finished": unexpected_message.
#[test]
fn before_the_finished() {
    let (puppet, _) = answer(&server().build().unwrap(), Some(FLAGS.1));
    let mut peer = Peer {
        puppet,
        epoch: None,
    };
    let key = peer.generate();
    let request = super::with_share(super::REQUEST, Group::X25519, key.public());
    let record = peer.puppet.record(HANDSHAKE, &request);
    refused!(
        peer.puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected { .. }
    );
    let mut puppet = Puppet::serving_at(&client().build().unwrap(), "WAIT_FINISHED");
    let record = puppet.record(HANDSHAKE, &request);
    refused!(
        puppet,
        record,
        "WAIT_FINISHED",
        10,
        Fault::Unexpected { .. }
    );
}

// ---- what is off with it ----

/// "endpoints that enable EKU MUST disable resumption using PSKs established via the
/// NewSessionTicket mechanism": also where the peer does not agree.
#[test]
fn there_are_no_tickets() {
    for flags in [None, Some(FLAGS.1)] {
        let server = server().build().unwrap();
        let (mut puppet, _) = answer(&server, flags);
        assert_eq!(puppet.finish_for_tickets(), []);
        puppet.us.write(b"x").unwrap();
        puppet.hear_data(b"x");
        puppet.hears_nothing();
        // One that is offered is ignored.
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.psks = vec![Psk::unknown()];
        assert!(!puppet.would_be_resumed());
    }
    // A ticket that our client receives is ignored.
    let client = client().build().unwrap();
    assert!(Puppet::serving(&client).offered_ticket().is_none());
    let (puppet, _) = Puppet::serving_a_ticket(&client);
    drop(puppet);
    assert!(Puppet::serving(&client).offered_ticket().is_none());
}

#[test]
fn what_was_asked_for_besides_is_refused() {
    let is = |error: Error, setting: &str| {
        assert!(
            matches!(
                &error,
                Error::Config(ConfigError::Setting { name, .. }) if *name == setting
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains("extended_key_update()"));
    };
    let cache = || SessionCache::new(10);
    is(client().sessions(cache()).build().unwrap_err(), "sessions");
    is(client().tickets(1, 0).build().unwrap_err(), "tickets");
    is(client().early_data(true).build().unwrap_err(), "early_data");
    let keys = || TicketKeys::rotating();
    let refused = server().ticket_keys(keys()).build().map(drop);
    is(refused.unwrap_err(), "ticket_keys");
    let refused = server().early_data(100, ReplayGuard::in_memory(10)).build();
    is(refused.map(drop).unwrap_err(), "early_data");
    // In any order, and not where it is turned off again.
    let refused = Client::builder()
        .trust(WORLD.authority.trust())
        .sessions(cache())
        .extended_key_update(true);
    is(refused.build().unwrap_err(), "sessions");
    client()
        .sessions(cache())
        .extended_key_update(false)
        .build()
        .unwrap();
    client()
        .sessions(SessionCache::new(0))
        .early_data(false)
        .build()
        .unwrap();
    server().without_tickets().build().unwrap();
}

/// A KeyUpdate before agreement is known does not exist; one after it is refused in both roles,
/// whatever the suite.
#[test]
fn a_key_update_is_refused_under_every_suite() {
    for suite in Suite::ALL {
        let mut peer = Peer::of_client(&client().build().unwrap(), Group::X25519, suite);
        peer.refuses(&key_update(0), 10);
        let mut peer = Peer::of_server(&server().build().unwrap(), Group::X25519, suite);
        assert_eq!(peer.puppet.send(b"x").unwrap(), Status::NeedsInput);
        peer.refuses(&key_update(1), 10);
    }
}
