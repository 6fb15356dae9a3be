//! Extended key updates over blocking streams, whole and in halves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fleeting::{Authority, Client, Pair, RekeyPolicy, Server, Stream};

use crate::pipe::{End, Reader, wide_pipe};
use crate::side::{content, streams};

type Transport = Pair<Reader, End>;

fn configured(policy: RekeyPolicy) -> (Client, Server) {
    let authority = Authority::new("tests").unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .extended_key_update(true)
        .rekey_policy(policy)
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .extended_key_update(true)
        .rekey_policy(policy)
        .build()
        .unwrap();
    (client, server)
}

fn two() -> (Stream<Transport>, Stream<Transport>) {
    let (client, server) = configured(RekeyPolicy::never());
    let (a, b) = wide_pipe();
    let transport = |end: End| Pair {
        reader: end.reader(),
        writer: end,
    };
    streams(
        client.start("db.internal", transport(a)).unwrap(),
        server.start(transport(b)),
    )
}

fn say(from: &mut Stream<Transport>, to: &mut Stream<Transport>, data: &[u8]) {
    from.write_all(data).unwrap();
    let mut read = vec![0; data.len()];
    to.read_exact(&mut read).unwrap();
    assert_eq!(read, data);
}

/// Each message of an update goes out with what its sender sends next.
#[test]
fn an_update_goes_along_with_data() {
    let (mut client, mut server) = two();
    assert!(client.extended_key_update() && server.extended_key_update());
    let exported = |stream: &Stream<Transport>, epoch| {
        let exported = stream.export_epoch_keying_material(epoch, "label", "", 32);
        exported.unwrap().expose().to_vec()
    };
    let fixed = client.channel_binding().unwrap();
    for epoch in 1..4 {
        thread::sleep(Duration::from_millis(130));
        client.rekey().unwrap();
        say(&mut client, &mut server, b"with the request");
        assert!(server.wants_write(), "the response waits");
        say(&mut server, &mut client, b"after the response");
        assert!(client.wants_write(), "the finish waits");
        client.flush().unwrap();
        assert!(!client.wants_write());
        say(&mut client, &mut server, b"after the finish");
        assert_eq!((client.epoch(), server.epoch()), (epoch, epoch));
        assert_eq!(exported(&client, epoch), exported(&server, epoch));
        assert_eq!(exported(&client, epoch - 1), exported(&server, epoch - 1));
        assert_ne!(exported(&client, epoch - 1), exported(&client, epoch));
        assert_eq!(client.channel_binding().unwrap(), fixed);
        assert_eq!(server.channel_binding().unwrap(), fixed);
    }
}

/// Two pairs of threads, each with one direction of a connection: data flows both ways, keys are
/// renewed by the policy, and every byte arrives.
#[test]
fn halves_renew_keys_while_data_flows() {
    let (configuration, server) = configured(RekeyPolicy::never().bytes(50_000));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = thread::spawn(move || server.accept(listener.accept().unwrap().0).unwrap());
    let connection = TcpStream::connect(address).unwrap();
    let client = configuration.connect("db.internal", connection).unwrap();
    let server = accepted.join().unwrap();
    let mut threads = Vec::new();
    for stream in [client, server] {
        let (mut reader, mut writer) = stream.into_split().unwrap();
        threads.push(thread::spawn(move || {
            for round in 0..40 {
                writer.write_all(&content(20_000, round)).unwrap();
                if round % 10 == 9 {
                    thread::sleep(Duration::from_millis(130));
                }
            }
            writer.close().unwrap();
        }));
        threads.push(thread::spawn(move || {
            for round in 0..40 {
                let mut read = vec![0; 20_000];
                reader.read_exact(&mut read).unwrap();
                assert!(read == content(20_000, round), "round {round}");
            }
            assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let renewed = configuration.counters().key_updates_sent;
    assert!(renewed >= 2, "{renewed}");
}
