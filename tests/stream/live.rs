//! A server's configuration is replaced while it serves: each connection uses exactly one of them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{
    Authority, Client, Connection, Handshake, Identity, LiveServer, NamedGroup, Now, Progress,
    Question, Server, Status, Stream, SystemRandom, TicketKeys,
};

use crate::pipe::wide_pipe;
use crate::side::streams;

const NAME: &str = "db.internal";

/// Two configurations that share nothing but their ticket keys, and a client that accepts either.
struct Scene {
    identities: [Identity; 2],
    servers: [Server; 2],
    client: Client,
}

const PROTOCOLS: [&[u8]; 2] = [b"first/1", b"second/1"];
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(31), Duration::from_secs(32)];

fn scene() -> Scene {
    let authority = Authority::new("tests").unwrap();
    let keys = TicketKeys::rotating();
    let identities = [(); 2].map(|()| authority.issue_server([NAME]).unwrap());
    let server = |index: usize| {
        let server = Server::builder()
            .identity(identities[index].clone())
            .alpn([PROTOCOLS[index]])
            .ticket_keys(keys.clone());
        server.handshake_timeout(TIMEOUTS[index]).build().unwrap()
    };
    let servers = [server(0), server(1)];
    let client = Client::builder()
        .trust(authority.trust())
        .alpn(PROTOCOLS)
        .groups([NamedGroup::X25519])
        .build()
        .unwrap();
    Scene {
        identities,
        servers,
        client,
    }
}

/// Exchanges data, after which the client has its tickets. Returns which of the two configurations
/// was used, or `None` if it was a mixture.
fn served_by<S: Read + Write>(
    scene: &Scene,
    (mut a, mut b): (Stream<S>, Stream<S>),
) -> Option<usize> {
    let mut text = [0; 5];
    a.write_all(b"hello").unwrap();
    b.read_exact(&mut text).unwrap();
    b.write_all(&text).unwrap();
    a.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello");
    assert_eq!((a.alpn(), a.resumed()), (b.alpn(), b.resumed()));
    (0..2).find(|index| {
        a.alpn() == Some(PROTOCOLS[*index])
            && a.peer().unwrap().public_key() == scene.identities[*index].public_key()
    })
}

#[test]
fn a_thousand_handshakes_while_it_is_swapped() {
    const THREADS: usize = 4;
    let scene = scene();
    let live = LiveServer::new(scene.servers[0].clone());
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let (resumed, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|_| {
                let live = live.clone();
                let (scene, counts, resumed) = (&scene, &counts, &resumed);
                scope.spawn(move || {
                    for _ in 0..1000 / THREADS {
                        let (a, b) = wide_pipe();
                        let (a, b) = streams(scene.client.start(NAME, a).unwrap(), live.start(b));
                        resumed.fetch_add(usize::from(a.resumed()), Ordering::Relaxed);
                        let index = served_by(scene, (a, b))
                            .expect("one of the two, and nothing of the other");
                        counts[index].fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let swapping = scope.spawn(|| {
            let mut swaps = 0;
            while !done.load(Ordering::Relaxed) {
                let former = live.replace(scene.servers[(swaps + 1) % 2].clone());
                // No other thread replaces it: `replace` returns the configuration from before.
                assert_eq!(
                    former.connection(now()).next_timeout(),
                    Some(TIMEOUTS[swaps % 2])
                );
                assert_eq!(
                    live.connection(now()).next_timeout(),
                    Some(TIMEOUTS[(swaps + 1) % 2])
                );
                swaps += 1;
                thread::yield_now();
            }
            swaps
        });
        for caller in callers {
            caller.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(swapping.join().unwrap() > 10);
    });
    let counts = counts.map(AtomicUsize::into_inner);
    assert_eq!(counts.iter().sum::<usize>(), 1000);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert!(
        resumed.into_inner() > 0,
        "tickets from before a swap are good after it"
    );
}

fn now() -> Now {
    Now::new(
        Duration::ZERO,
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
    )
}

#[test]
fn what_began_keeps_its_configuration() {
    let scene = scene();
    let live = LiveServer::from(scene.servers[0].clone());
    let (a, b) = wide_pipe();
    let (a, b) = (scene.client.start(NAME, a).unwrap(), live.start(b));
    live.replace(scene.servers[1].clone());
    assert_eq!(served_by(&scene, streams(a, b)), Some(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let accepted = thread::scope(|scope| {
        let serving = scope.spawn(|| live.accept(listener.accept().unwrap().0).unwrap());
        (
            scene.client.connect(NAME, tcp).unwrap(),
            serving.join().unwrap(),
        )
    });
    assert_eq!(served_by(&scene, accepted), Some(1));
    // `replace` returns the old configuration, which can be used again.
    let second = live.replace(scene.servers[0].clone());
    live.clone().replace(second);
    let (a, b) = wide_pipe();
    assert_eq!(
        served_by(
            &scene,
            streams(scene.client.start(NAME, a).unwrap(), live.start(b))
        ),
        Some(1)
    );
}

/// Tests what the documentation of LiveServer says of tickets.
#[test]
fn tickets_outlive_a_renewal_with_the_same_keys() {
    let authority = Authority::new("tests").unwrap();
    let first = authority.issue_server([NAME]).unwrap();
    let renewed = || {
        let chain = authority
            .certificate()
            .server([NAME])
            .issue_for(first.public_key())
            .unwrap();
        Identity::from_pem(chain, first.key_pem().unwrap().expose()).unwrap()
    };
    let keys = TicketKeys::rotating();
    let with = |identity: Identity| {
        Server::builder()
            .identity(identity)
            .ticket_keys(keys.clone())
            .build()
            .unwrap()
    };
    let with_keys_of_its_own = || Server::builder().identity(renewed()).build().unwrap();
    for (next, resumed) in [
        (with(renewed()), true),
        (with(authority.issue_server([NAME]).unwrap()), false),
        (with_keys_of_its_own(), false),
    ] {
        let client = Client::builder().trust(authority.trust()).build().unwrap();
        let live = LiveServer::new(with(first.clone()));
        let connect = || {
            let (a, b) = wide_pipe();
            let (mut a, mut b) = streams(client.start(NAME, a).unwrap(), live.start(b));
            b.write_all(b"x").unwrap();
            a.read_exact(&mut [0]).unwrap();
            a.resumed()
        };
        assert!(!connect() && connect());
        live.replace(next);
        assert_eq!(connect(), resumed);
    }
}

/// The choice depends on the whole ClientHello, and uses the configuration that is current at the
/// choice, not the one at the start.
#[test]
fn the_late_choice_takes_what_is_current_then() {
    let scene = scene();
    let live = LiveServer::new(scene.servers[0].clone());
    let (a, b) = wide_pipe();
    let (a, b) = (
        scene.client.start(NAME, a).unwrap(),
        Handshake::undecided(b),
    );
    let Progress::WouldBlock(a) = a.advance().unwrap() else {
        panic!("nobody has answered")
    };
    let Progress::Ask(Question::Configuration, b) = b.advance().unwrap() else {
        panic!("expected a question")
    };
    let hello = b.client_hello().unwrap();
    assert_eq!(hello.server_name(), Some(NAME));
    assert_eq!(hello.alpn().collect::<Vec<_>>(), PROTOCOLS);
    assert_eq!(hello.groups(), [NamedGroup::X25519]);
    live.replace(scene.servers[1].clone());
    let b = b.choose(&live.current()).unwrap();
    live.replace(scene.servers[0].clone());
    assert_eq!(served_by(&scene, streams(a, b)), Some(1));
}

/// The same without a transport.
#[test]
fn a_connection_is_chosen_late_too() {
    let scene = scene();
    let live = LiveServer::new(scene.servers[0].clone());
    let mut client = scene
        .client
        .connection(NAME, now(), &mut SystemRandom)
        .unwrap();
    let mut server = Connection::undecided(now());
    let sent = client.output().to_vec();
    assert_eq!(
        deliver(&mut client, &mut server),
        Status::Ask(Question::Configuration)
    );
    let hello = server.client_hello().unwrap();
    // RFC 9846, 5.1: the record's header has five bytes. RFC 9846, 4.2: the message consists of its
    // type, client_hello(1), its length and its content.
    assert_eq!(hello.as_bytes(), &sent[5..]);
    assert_eq!(hello.as_bytes()[0], 1);
    assert_eq!(
        (hello.server_name(), hello.groups()),
        (Some(NAME), &[NamedGroup::X25519][..])
    );

    live.replace(scene.servers[1].clone());
    server
        .choose(&live.current(), now(), &mut SystemRandom)
        .unwrap();
    deliver(&mut server, &mut client);
    deliver(&mut client, &mut server);
    for connection in [&client, &server] {
        assert_eq!(connection.negotiated().unwrap().alpn(), Some(PROTOCOLS[1]));
    }
    assert_eq!(
        client.negotiated().unwrap().peer().unwrap().public_key(),
        scene.identities[1].public_key()
    );
}

fn deliver(from: &mut Connection, to: &mut Connection) -> Status {
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
    }
    to.process(now(), &mut SystemRandom).unwrap()
}
