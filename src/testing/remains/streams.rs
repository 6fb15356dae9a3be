//! What streams leave in memory: data that was gathered, and a half that is dropped while the other
//! one continues.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{Dropped, Pair, Run, Seeded, authority, connect, identity, now, signal};
use crate::client::Client;
use crate::connection::{Connection, Status};
use crate::crypto::random;
use crate::crypto::suite::Suite;
use crate::server::Server;
use crate::stream::{self, Stream};

/// Bytes on their way: what is written, or what can be read.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<u8>>>);

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap();
        let count = bytes.len().min(out.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        out[..count].copy_from_slice(&bytes[..count]);
        bytes.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's stream, and the server at the other end of it.
struct Scene {
    tls: Stream<stream::Pair<Wire, Wire>>,
    there: Wire,
    back: Wire,
    server: Connection,
    rng: Seeded,
}

impl Scene {
    fn new(suite: Suite, keys: &Path, seed: u64) -> Self {
        let authority = authority(keys);
        let server = Server::builder()
            .identity(identity(keys, "server"))
            .without_tickets()
            .build()
            .unwrap();
        let client = Client::builder()
            .trust(authority.trust())
            .cipher_suites([suite.code_point()])
            .build()
            .unwrap();
        let Pair {
            client,
            server,
            rng,
        } = connect(&client, &server, seed, false);
        let (there, back) = (Wire::default(), Wire::default());
        let tls = Stream::over(
            stream::Pair {
                reader: back.clone(),
                writer: there.clone(),
            },
            client,
        );
        Self {
            tls,
            there,
            back,
            server,
            rng,
        }
    }
}

/// Writes secrets and forgets them. While gathered, they are moved to a larger buffer, aside for a
/// KeyUpdate, and forward when the waiting bytes have gone.
pub(super) fn gathering(suite: Suite, keys: &Path, run: &mut dyn Run) {
    let mut scenes = [31, 32, 33].map(|seed| Scene::new(suite, keys, seed));
    run.dropped("handshakes");
    run.pause();
    for Scene {
        tls,
        there,
        back,
        server,
        rng,
    } in &mut scenes
    {
        tls.set_corked(true).unwrap();
        let mut say = |tls: &mut Stream<_>, length| {
            let secret = random::secret(rng, length).unwrap();
            tls.write_all(secret.expose()).unwrap();
        };
        for length in [40, 300, 300, 1000, 20_000, 700] {
            say(tls, length);
        }
        server.rekey().unwrap();
        server.write(b"answer").unwrap();
        back.write_all(server.output()).unwrap();
        server.sent(usize::MAX);
        assert_eq!(tls.read(&mut [0; 10]).unwrap(), 6);
        signal();
        say(tls, 100);
        there.0.lock().unwrap().clear();
    }
    let [mut flushed, dropped, taken] = scenes;
    flushed.tls.flush().unwrap();
    signal();
    drop(dropped.tls);
    drop(taken.tls.into_inner());
    run.dropped("what was gathered");
    run.pause();
    drop((flushed, dropped.server, taken.server));
    run.dropped("the end");
    run.pause();
}

const WRITER: &str = "the half that writes";

/// Drops the write half; the peer forgets the keys that it read with, and writes on.
pub(super) fn halves(suite: Suite, keys: &Path, run: &mut dyn Run) {
    let Scene {
        tls,
        there,
        back,
        mut server,
        mut rng,
    } = Scene::new(suite, keys, 41);
    let (mut reader, mut writer) = tls.into_split().unwrap();
    writer.write_all(b"some").unwrap();
    writer.rekey().unwrap();
    signal();
    writer.write_all(b"more").unwrap();
    run.dropped("the handshake");
    run.pause();

    drop(writer);
    run.dropped(WRITER);
    let mut wire = there.0.lock().unwrap();
    let space = server.input();
    space[..wire.len()].copy_from_slice(&wire);
    let count = wire.drain(..).len();
    server.received(count);
    while server.process(now(), &mut rng).unwrap() != Status::Closed {
        server.consume(usize::MAX);
    }
    run.dropped("the peer's");
    run.pause();

    server.write(b"read on").unwrap();
    back.0.lock().unwrap().extend_from_slice(server.output());
    let mut text = [0; 7];
    reader.read_exact(&mut text).unwrap();
    signal();
    assert_eq!(&text, b"read on");
    drop((reader, server));
    run.dropped("the end");
    run.pause();
}

/// Checks that the traffic secret was dropped together with the write half, and not later.
pub(super) fn dropped_with_the_half_that_writes(dropped: &[Dropped]) {
    let by = |what| {
        dropped
            .iter()
            .filter(move |one| one.what == what && one.secret.len() == 32)
            .map(|one| &one.secret)
    };
    assert!(
        by(WRITER).count() > 0
            && by(WRITER).all(|secret| by("the peer's").any(|peers| peers == secret))
    );
}

/// Panics after reading and writing, so that unwinding drops the stream, and takes another one
/// apart. The peers live on until then.
pub(super) fn panicking(suite: Suite, keys: &Path, run: &mut dyn Run) {
    let scenes = [51, 52].map(|seed| Scene::new(suite, keys, seed));
    run.dropped("handshakes");
    run.pause();
    let [mut panics, mut taken] = scenes;
    for Scene {
        tls, back, server, ..
    } in [&mut panics, &mut taken]
    {
        server.write(b"to the client").unwrap();
        back.write_all(server.output()).unwrap();
        server.sent(usize::MAX);
        signal();
        assert_eq!(tls.read(&mut [0; 20]).unwrap(), 13);
        signal();
        tls.write_all(b"to the server").unwrap();
        signal();
    }
    drop(taken.tls.into_inner());
    let mut tls = panics.tls;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        panics.server.write(b"more").unwrap();
        panics.back.write_all(panics.server.output()).unwrap();
        assert_eq!(tls.read(&mut [0; 20]).unwrap(), 4);
        panic!("this test panics")
    }));
    assert!(panicked.is_err());
    drop(taken.server);
    run.dropped("the end");
    run.pause();
}
