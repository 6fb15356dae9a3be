//! What our server sends before the handshake is complete: only an answer to early data that it
//! accepted, under its application key.

use crate::connection::tests::puppet::client::{add, asking_server, required};
use crate::connection::tests::puppet::early_client::{builder, guard, taking, ticket_of};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Puppet, Record, refused, server,
};
use crate::error::{Error, Fault};
use crate::message::ClientHelloExtension::RecordSizeLimit;
use crate::record::Padding;

fn answer(puppet: &mut Puppet, data: &[u8]) -> Record {
    assert_eq!(puppet.us.write_early_data(data).unwrap(), data.len());
    puppet.hear_type(APPLICATION_DATA)
}

/// 4.5.3: what follows the server's Finished is under its application key. Before the client's
/// Finished neither side has completed the handshake, and nothing that requires that is allowed.
#[test]
fn it_goes_before_the_clients_finished() {
    let mut puppet = Puppet::accepted(1000);
    // The server answers before early data arrives, while it arrives, and after its end.
    assert_eq!(answer(&mut puppet, b"one").content, b"one");
    puppet.send(b"early").unwrap();
    assert_eq!(answer(&mut puppet, b"two").content, b"two");
    let unfinished = |puppet: &mut Puppet, at: &str| {
        assert!(matches!(
            puppet.us.write(b"data"),
            Err(Error::WrongState { call: "write", state }) if state == at
        ));
        assert!(matches!(
            puppet.us.rekey(),
            Err(Error::WrongState { call: "rekey", state }) if state == at
        ));
        assert!(matches!(
            puppet.us.export_keying_material(b"label", b"", 32),
            Err(Error::WrongState { state, .. }) if state == at
        ));
        assert!(puppet.us.is_handshaking() && puppet.us.negotiated().is_none());
        puppet.hears_nothing();
    };
    unfinished(&mut puppet, "WAIT_EOED");
    puppet.say_end_of_early_data();
    assert_eq!(answer(&mut puppet, b"three").content, b"three");
    unfinished(&mut puppet, "WAIT_FINISHED");
    // The client's Finished ends this: what is written then is ordinary data, before which the
    // tickets are sent.
    puppet.say_client_finished();
    assert!(!puppet.us.takes_early_data());
    assert_eq!(puppet.us.write_early_data(b"four").unwrap(), 0);
    puppet.hears_nothing();
    puppet.us.write(b"four").unwrap();
    assert_eq!(puppet.hear_type(APPLICATION_DATA).content, b"four");
}

/// 4.7.1: tickets come after the client's Finished, whatever was sent before.
#[test]
fn no_ticket_goes_with_it() {
    let mut puppet = Puppet::accepted(1000);
    answer(&mut puppet, b"answer");
    puppet.say_end_of_early_data();
    answer(&mut puppet, b"answer");
    assert_eq!(puppet.finish_for_tickets().len(), 1);
}

/// Nothing can be sent if no early data was accepted: none offered, or rejected; with a full
/// handshake, with a request for a client certificate, and in a resumed session.
#[test]
fn nothing_goes_where_nothing_was_accepted() {
    let nothing = |puppet: &mut Puppet| {
        assert!(!puppet.us.takes_early_data());
        assert_eq!(puppet.us.write_early_data(b"answer").unwrap(), 0);
        assert!(matches!(
            puppet.us.write(b"data"),
            Err(Error::WrongState { call: "write", .. })
        ));
        puppet.hears_nothing();
    };
    nothing(&mut Puppet::server_at("START"));
    for (server, states) in [
        (server(), &["WAIT_FINISHED"][..]),
        (
            asking_server(required()),
            &["WAIT_CERT", "WAIT_CV", "WAIT_FINISHED"],
        ),
    ] {
        let ticket = ticket_of(&server);
        for state in states {
            nothing(&mut Puppet::calling_at(&server, state));
        }
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        puppet.lead_server_to("WAIT_FINISHED");
        nothing(&mut puppet);
        let mut puppet = Puppet::calling_early(&server, &ticket);
        puppet.lead_server_to("WAIT_FINISHED");
        nothing(&mut puppet);
    }
    // A server that would accept early data, before and after the hello of a client that offers
    // none.
    let server = taking(1000);
    let ticket = ticket_of(&server);
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
    nothing(&mut puppet);
    puppet.lead_server_to("WAIT_FINISHED");
    nothing(&mut puppet);
}

/// As much may be written as may wait in the output, whatever the client may send.
#[test]
fn it_waits_for_the_output() {
    let mut puppet = Puppet::accepted(1);
    let mut written = 0;
    loop {
        let taken = puppet.us.write_early_data(&[7; 100_000]).unwrap();
        if taken == 0 {
            break;
        }
        written += taken;
    }
    assert!((65_536..200_000).contains(&written), "{written}");
    let mut heard = 0;
    while let Some(record) = puppet.hear() {
        assert_eq!(record.content_type, APPLICATION_DATA);
        heard += record.content.len();
    }
    assert_eq!(heard, written);
    assert_eq!(answer(&mut puppet, b"more").content, b"more");
}

/// RFC 8449, section 4: the client's limit is known from its ClientHello and obeyed. RFC 9846, 5.4:
/// so is the padding policy.
#[test]
fn limit_and_padding_hold_for_it() {
    let server = builder()
        .early_data(1000, guard())
        .padding(Padding::Block(32))
        .build()
        .unwrap();
    let mut puppet = Puppet::calling_early(&server, &ticket_of(&server));
    let hello = puppet.make_client_hello(|hello| add(hello, RecordSizeLimit(64)));
    puppet.derive_early_keys(&hello);
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    assert!(puppet.is_accepted());
    assert_eq!(puppet.us.write_early_data(&[7; 200]).unwrap(), 200);
    let mut heard = 0;
    while let Some(record) = puppet.hear() {
        assert!(
            record.content.len() + 1 + record.padding <= 64,
            "{record:?}"
        );
        heard += record.content.len();
    }
    assert_eq!(heard, 200);
    // The client's records have no limit, since we sent none.
    let record = puppet.protect(APPLICATION_DATA, &[7; 1000], 5000);
    puppet.feed(&record).unwrap();
}

/// After a failure and after `close` nothing more is sent.
#[test]
fn nothing_goes_after_a_failure() {
    let mut puppet = Puppet::accepted(1000);
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, record, "WAIT_EOED", 10, Fault::Unexpected { .. });
    assert!(matches!(
        puppet.us.write_early_data(b"answer"),
        Err(Error::Protocol { .. })
    ));
    puppet.hears_nothing();

    let mut puppet = Puppet::accepted(1000);
    let error = puppet.alert(2, 40).unwrap_err();
    assert!(
        matches!(
            puppet.us.write_early_data(b"answer"),
            Err(Error::AlertReceived { .. })
        ),
        "{error}"
    );
    puppet.hears_nothing();

    let mut puppet = Puppet::accepted(1000);
    puppet.us.close();
    assert!(matches!(
        puppet.us.write_early_data(b"answer"),
        Err(Error::Closed)
    ));
    // user_canceled and close_notify (6.1), under the application key.
    assert_eq!(puppet.hear().unwrap().content, [1, 90]);
    assert_eq!(puppet.hear().unwrap().content, [1, 0]);
    puppet.hears_nothing();
}

/// 6: after an alert from the client, waiting output is not sent. An answer that was sent before a
/// wrong Finished remains sent.
#[test]
fn a_wrong_finished_after_an_answer() {
    let mut puppet = Puppet::accepted(1000);
    answer(&mut puppet, b"answer");
    puppet.say_end_of_early_data();
    let mut finished = puppet.finished();
    finished[4] ^= 1;
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, record, "WAIT_FINISHED", 51, Fault::BadFinished);

    let mut puppet = Puppet::accepted(1000);
    puppet.us.write_early_data(b"answer").unwrap();
    assert!(matches!(
        puppet.alert(2, 40),
        Err(Error::AlertReceived { .. })
    ));
    puppet.hears_nothing();
}
