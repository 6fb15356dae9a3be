//! Connections that end by time, or from outside.

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fleeting::{
    Authority, Client, Connections, Error, LiveServer, RevokedSessions, Server, ServerBuilder,
    Stream, TicketKeys, TimeLimit,
};

use crate::pipe::{End, wide_pipe};
use crate::side::{inner, streams};

const NAME: &str = "db.internal";

/// Short enough to wait for.
const LIMIT: Duration = Duration::from_millis(80);

fn builders() -> (Client, ServerBuilder) {
    let authority = Authority::new("tests").unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder().identity(authority.issue_server([NAME]).unwrap());
    (client, server)
}

/// A client without limits, and this server.
fn connected(client: &Client, server: &Server) -> (Stream<End>, Stream<End>) {
    let (here, there) = wide_pipe();
    streams(client.start(NAME, here).unwrap(), server.start(there))
}

fn is_too_old(error: std::io::Error) -> bool {
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    let limit = TimeLimit::ConnectionAge;
    matches!(inner(error), Error::Expired { limit: reached } if reached == limit)
}

/// The peer read this, and then the end.
fn reads_to_the_end(client: &mut Stream<End>, expected: &str) {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, expected);
}

/// Each call notices the end, and the first sends close_notify, after what was gathered.
#[test]
fn each_call_notices_the_age() {
    let (client, server) = builders();
    let server = server.max_connection_age(LIMIT).build().unwrap();
    type Call = fn(&mut Stream<End>) -> std::io::Result<()>;
    let calls: [Call; 7] = [
        |tls| tls.read(&mut [0; 9]).map(drop),
        |tls| tls.fill_buf().map(drop),
        |tls| tls.write(b"x").map(drop),
        |tls| tls.write_with(1, |_| 1).map(drop),
        Stream::rekey,
        Write::flush,
        |tls| tls.set_corked(false),
    ];
    for call in calls {
        let (mut client, mut server) = connected(&client, &server);
        server.set_corked(true).unwrap();
        server.write_all(b"gathered").unwrap();
        thread::sleep(LIMIT);
        assert!(is_too_old(call(&mut server).unwrap_err()));
        reads_to_the_end(&mut client, "gathered");
        for call in calls {
            assert!(is_too_old(call(&mut server).unwrap_err()));
        }
        assert!(is_too_old(server.close().unwrap_err()));
        assert!(server.channel_binding().is_err());
    }
}

/// What arrived before the end is read first.
#[test]
fn what_was_received_is_read_first() {
    let (client, server) = builders();
    let server = server.max_connection_age(LIMIT).build().unwrap();
    let (mut client, mut server) = connected(&client, &server);
    client.write_all(&[7; 40_000]).unwrap();
    // One call of the transport receives several records.
    server.read_exact(&mut [0; 10]).unwrap();
    thread::sleep(LIMIT);
    assert!(is_too_old(server.write(b"x").unwrap_err()));
    let mut rest = Vec::new();
    let error = server.read_to_end(&mut rest).unwrap_err();
    assert!(is_too_old(error));
    assert!(rest.len() > 10_000 && rest.iter().all(|byte| *byte == 7));
    reads_to_the_end(&mut client, "");
}

#[test]
fn halves_notice_the_age() {
    let (client, server) = builders();
    let server = server.max_connection_age(LIMIT).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for reads_first in [false, true] {
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = client.clone();
        let asking = thread::spawn(move || {
            let mut tls = client.connect(NAME, tcp).unwrap();
            let mut all = String::new();
            tls.read_to_string(&mut all).unwrap();
            all
        });
        let tls = server.accept(listener.accept().unwrap().0).unwrap();
        let (mut reader, mut writer) = tls.into_split().unwrap();
        writer.write_all(b"data").unwrap();
        thread::sleep(LIMIT);
        if reads_first {
            assert!(is_too_old(reader.read(&mut [0; 9]).unwrap_err()));
        }
        assert!(is_too_old(writer.write(b"x").unwrap_err()));
        assert!(is_too_old(writer.flush().unwrap_err()));
        assert!(is_too_old(writer.rekey().unwrap_err()));
        assert!(is_too_old(writer.close().unwrap_err()));
        assert!(is_too_old(reader.read(&mut [0; 9]).unwrap_err()));
        assert!(is_too_old(reader.fill_buf().map(drop).unwrap_err()));
        assert_eq!(asking.join().unwrap(), "data");
    }
}

/// A read that waits ends when the transport's own time-out makes the program repeat it.
#[test]
fn a_waiting_read_ends_by_the_transports_timeout() {
    let (client, server) = builders();
    let server = server.idle_timeout(LIMIT).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let asking = thread::spawn(move || {
        let mut tls = client.connect(NAME, tcp).unwrap();
        tls.read(&mut [0]).unwrap()
    });
    let tcp = listener.accept().unwrap().0;
    let mut tls = server.accept(tcp).unwrap();
    let timeout = Some(LIMIT / 3);
    tls.get_ref().set_read_timeout(timeout).unwrap();
    let mut pauses = 0;
    let error = loop {
        match tls.read(&mut [0]) {
            Err(error) if crate::side::is_pause(&error) => pauses += 1,
            result => break result.unwrap_err(),
        }
    };
    let limit = TimeLimit::Idle;
    assert!(matches!(inner(error), Error::Expired { limit: reached } if reached == limit));
    assert!(pauses > 0);
    assert_eq!(asking.join().unwrap(), 0);
}

/// "To wake it, shut the socket down for reading. Writing must stay possible": a thread that waits
/// in `read`, in a stream and in a half, ends, and the peer sees an orderly end.
#[test]
fn a_waiting_thread_is_woken_through_its_socket() {
    let (client, server) = builders();
    let connections = Connections::new();
    let server = server.connections(connections.clone()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (tell, told) = mpsc::channel();
    for splits in [false, true] {
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (client, server) = (client.clone(), server.clone());
        let asking = thread::spawn(move || {
            let mut tls = client.connect(NAME, tcp).unwrap();
            tls.read(&mut [0]).unwrap()
        });
        let tcp = listener.accept().unwrap().0;
        let tell = tell.clone();
        let waiting = thread::spawn(move || {
            let mut tls = server.accept(tcp).unwrap();
            let socket = tls.get_ref().try_clone().unwrap();
            tls.on_end(move || socket.shutdown(Shutdown::Read).unwrap());
            tell.send(tls.connection_id()).unwrap();
            let error = if splits {
                let (mut reader, _writer) = tls.into_split().unwrap();
                reader.read(&mut [0]).unwrap_err()
            } else {
                tls.read(&mut [0]).unwrap_err()
            };
            inner(error)
        });
        let id = told.recv().unwrap();
        let running = connections.list();
        assert_eq!(running.len(), 1);
        assert_eq!(Some(running[0].id()), id);
        // Most likely it waits by now. If not, it ends all the same.
        thread::sleep(Duration::from_millis(20));
        assert!(running[0].end());
        assert!(matches!(waiting.join().unwrap(), Error::Ended));
        assert_eq!(asking.join().unwrap(), 0);
        assert!(connections.is_empty());
    }
}

/// The configurations of a live server share one list and one memory.
#[test]
fn a_live_server_keeps_both() {
    let authority = Authority::new("tests").unwrap();
    let identity = authority.issue_server([NAME]).unwrap();
    let alice = authority.issue_client("alice").unwrap();
    let connections = Connections::new();
    let revoked = RevokedSessions::in_memory(10);
    let keys = TicketKeys::rotating();
    let configured = || {
        Server::builder()
            .identity(identity.clone())
            .client_auth(fleeting::ClientAuth::Required(authority.trust()))
            .ticket_keys(keys.clone())
            .connections(connections.clone())
            .revoked_sessions(revoked.clone())
            .build()
            .unwrap()
    };
    let live = LiveServer::new(configured());
    let client = Client::builder()
        .trust(authority.trust())
        .identity(alice.clone())
        .tickets(1, 1)
        .build()
        .unwrap();
    let mut running = Vec::new();
    let mut resumes = |live: &LiveServer| {
        let (mut here, mut there) = connected(&client, &live.current());
        there.write_all(b"x").unwrap();
        here.read_exact(&mut [0]).unwrap();
        let resumed = here.resumed();
        running.push((here, there));
        resumed
    };
    assert!(!resumes(&live));
    live.replace(configured());
    assert!(resumes(&live));
    revoked.revoke_key(&alice.public_key());
    live.replace(configured());
    assert_eq!(connections.end_key(&alice.public_key()), 2);
    assert!(!resumes(&live) && resumes(&live));
    let ended = running
        .iter_mut()
        .map(|(_, there)| there.write(b"x").is_err());
    assert_eq!(ended.collect::<Vec<_>>(), [true, true, false, false]);
    // Ends count as what they are.
    assert_eq!(live.counters().connections_ended, 2);
    assert_eq!(live.counters().connections_failed, 0);
}
