//! Tests that no secret, no ticket and no application data is in a span or an event (feature
//! `tracing`).
//!
//! Whole conversations are logged at the lowest level. Then everything that was in a `Secret`, and
//! what else must not be there, is looked for in the log.

use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level, dispatcher};

use super::shown::assert_not_in;
use crate::client::Client;
use crate::connection::Connection;
use crate::crypto::random::SystemRandom;
use crate::error::Error;
use crate::identity::Authority;
use crate::message::Message;
use crate::secret::recorder;
use crate::server::{ClientAuth, Server};
use crate::session::{ExternalPsk, PskNames, ReplayGuard};
use crate::time::Now;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn now() -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap(),
    }
}

/// Moves bytes until neither side sends anything, and reads all data.
fn settle(client: &mut Connection, server: &mut Connection) -> Result<(), Error> {
    while !client.output().is_empty() || !server.output().is_empty() {
        deliver(client, server)?;
        deliver(server, client)?;
    }
    Ok(())
}

fn deliver(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut read = [0; 1000];
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
        to.process_into(&mut read, now(), &mut SystemRandom)?;
        to.consume(usize::MAX);
    }
    to.process_into(&mut read, now(), &mut SystemRandom)
        .map(drop)
}

/// Returns the ticket in a ClientHello that is about to be sent.
fn ticket(client: &Connection) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([client.output()[3], client.output()[4]]));
    let Message::ClientHello(hello) = Message::decode(&client.output()[5..5 + length]).unwrap()
    else {
        panic!("a ClientHello");
    };
    hello.pre_shared_key().unwrap().identities[0]
        .identity
        .to_vec()
}

const NAME: &str = "a.example";
const DATA: [&[u8]; 3] = [
    b"the early data of this conversation",
    b"what the client says in it",
    b"what the server says in it",
];
const PSK_IDENTITY: &str = "zq-4711-jx-sensor-9183";

/// Converses in every way. Returns the tickets that were used.
fn converse() -> Vec<Vec<u8>> {
    let authority = Authority::new("traced").unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("a client").unwrap())
        .early_data(true)
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(authority.issue_server([NAME]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()))
        .early_data(1000, ReplayGuard::in_memory(10))
        .build()
        .unwrap();
    let connect = |client: &Client| client.connection(NAME, now(), &mut SystemRandom).unwrap();
    let talk = |c: &mut Connection, s: &mut Connection| {
        settle(c, s).unwrap();
        c.write(DATA[1]).unwrap();
        s.write(DATA[2]).unwrap();
        c.rekey().unwrap();
        settle(c, s).unwrap();
        s.close();
        settle(c, s).unwrap();
    };
    let (mut c, mut s) = (connect(&client), Connection::undecided(now()));
    deliver(&mut c, &mut s).unwrap();
    s.choose(&server, now(), &mut SystemRandom).unwrap();
    talk(&mut c, &mut s);

    let (mut c, mut s) = (connect(&client), server.connection(now()));
    let resumed = ticket(&c);
    c.write_early_data(DATA[0]).unwrap();
    talk(&mut c, &mut s);

    // A resumed connection that fails at both sides.
    let (mut c, mut s) = (connect(&client), server.connection(now()));
    let failed = ticket(&c);
    settle(&mut c, &mut s).unwrap();
    let space = s.input();
    space[..22].copy_from_slice(&[[23, 3, 3, 0, 17].as_slice(), &[0; 17]].concat());
    s.received(22);
    s.process(now(), &mut SystemRandom).unwrap_err();
    deliver(&mut s, &mut c).unwrap_err();

    let secret = crate::crypto::random::secret(&mut SystemRandom, 32).unwrap();
    let psk = |own, peer| {
        let names = PskNames { own, peer };
        ExternalPsk::new(PSK_IDENTITY, secret.expose(), names).unwrap()
    };
    let client = Client::builder().external_psk(psk("left", "right"));
    let client = client.build().unwrap();
    let server = Server::builder().external_psks([psk("right", "left")]);
    let server = server.build().unwrap();
    talk(&mut connect(&client), &mut server.connection(now()));
    vec![resumed, failed]
}

#[test]
fn nothing_secret_is_traced() {
    // While there is only one subscriber, `tracing` asks that of the thread which comes first to an
    // event, and remembers its answer for all threads. Other tests have none.
    let _another = Dispatch::new(NoSubscriber::new());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    recorder::take();
    let mut secrets = dispatcher::with_default(&Dispatch::new(subscriber), converse);
    secrets.extend(DATA.map(<[u8]>::to_vec));
    secrets.push(PSK_IDENTITY.into());
    secrets.extend(recorder::take());
    assert!(secrets.len() > 100, "{}", secrets.len());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_not_in(&text, &secrets);
    // All of it was logged.
    for event in [
        "question answered",
        "early data accepted",
        "external_psk=true",
        "key update received",
        "ticket received",
        "connection failed",
        "bad_record_mac",
        NAME,
        "a client",
    ] {
        assert!(text.contains(event), "{event}: {text}");
    }
}
