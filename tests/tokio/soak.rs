//! Futures that are dropped at random moments, over transports that move random parts: every
//! accepted byte arrives once, in order, or its loss is reported.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fleeting::{AsyncStream, AsyncWriteHalf, Error, Pair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};

use crate::fickle::Fickle;
use crate::{Seeded, builders, connected, connected_by, content, inner, polled, soon};

/// What a side can do with its sending direction.
trait Sending: AsyncWrite + Unpin {
    async fn rekey(&mut self) -> io::Result<()>;
    fn set_corked(&mut self, corked: bool) -> io::Result<()>;
    async fn write_in_place(&mut self, data: &[u8]) -> io::Result<usize>;
}

macro_rules! sending {
    ($type:ident: $($bound:tt)*) => {
        impl<S: $($bound)*> Sending for $type<S> {
            async fn rekey(&mut self) -> io::Result<()> {
                self.rekey().await
            }

            fn set_corked(&mut self, corked: bool) -> io::Result<()> {
                self.set_corked(corked)
            }

            async fn write_in_place(&mut self, data: &[u8]) -> io::Result<usize> {
                self.write_with(data.len(), |place| {
                    place.copy_from_slice(&data[..place.len()]);
                    place.len()
                })
                .await
            }
        }
    };
}

sending!(AsyncStream: AsyncRead + AsyncWrite + Unpin);
sending!(AsyncWriteHalf: AsyncWrite + Unpin);

/// `tokio::io::split`'s half knows only the traits.
impl<S: AsyncRead + AsyncWrite + Unpin> Sending for tokio::io::WriteHalf<S> {
    async fn rekey(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_corked(&mut self, _: bool) -> io::Result<()> {
        Ok(())
    }

    async fn write_in_place(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write(data).await
    }
}

/// One act of sending, of which the future is dropped after some polls. Returns how many bytes were
/// accepted.
async fn act(seed: &mut Seeded, to: &mut impl Sending, sent: usize) -> usize {
    let times = 1 + seed.below(3) as u32;
    // The same place of the text may be offered with another length, and never goes out twice.
    let data = content(sent, [1, 50, 2000, 40_000][seed.below(4)]);
    let accepted = match seed.below(8) {
        0 => polled(times, to.flush()).await.map(|done| done.map(|()| 0)),
        1 => polled(times, to.rekey()).await.map(|done| done.map(|()| 0)),
        2 => Some(to.set_corked(seed.below(2) == 0).map(|()| 0)),
        3 => {
            let (head, tail) = data.split_at(data.len() / 3);
            let parts = [io::IoSlice::new(head), io::IoSlice::new(tail)];
            polled(times, to.write_vectored(&parts)).await
        }
        4 => polled(times, to.write_in_place(&data)).await,
        _ => polled(times, to.write(&data)).await,
    };
    accepted.map_or(0, |accepted| accepted.unwrap())
}

/// Reads some of the text, and compares. Returns true at the end.
async fn read_some(seed: &mut Seeded, from: &mut (impl AsyncRead + Unpin), at: &mut usize) -> bool {
    let mut out = vec![0; 1 + seed.below(30_000)];
    let times = 1 + seed.below(3) as u32;
    match polled(times, from.read(&mut out)).await {
        None => false,
        Some(count) => {
            let count = count.unwrap();
            assert!(out[..count] == content(*at, count), "at {at}");
            *at += count;
            count == 0
        }
    }
}

type Io = Fickle<DuplexStream>;

async fn fickle_pair(seed: u64) -> (AsyncStream<Io>, AsyncStream<Io>) {
    let (here, there) = duplex([70, 3000, 100_000][(seed % 3) as usize]);
    // Half of them renew their keys by extended updates.
    let (client, server) = builders();
    let extended = seed % 2 == 1;
    connected_by(
        &client.extended_key_update(extended).build().unwrap(),
        &server.extended_key_update(extended).build().unwrap(),
        Fickle::new(here, seed),
        Fickle::new(there, seed.wrapping_mul(31)),
    )
    .await
}

const LENGTH: usize = 150_000;

/// One side in one task. Returns how many bytes it sent and received.
async fn one_task(mut seed: Seeded, mut stream: AsyncStream<Io>) -> (usize, usize) {
    let (mut sent, mut received) = (0, 0);
    let (mut closed, mut ended) = (false, false);
    while !(closed && ended) {
        if !ended && seed.below(2) == 0 {
            ended = read_some(&mut seed, &mut stream, &mut received).await;
        } else if sent < LENGTH {
            sent += act(&mut seed, &mut stream, sent).await;
        } else if !closed {
            let times = 1 + seed.below(3) as u32;
            if let Some(done) = polled(times, stream.shutdown()).await {
                done.unwrap();
                closed = true;
            }
        }
        tokio::task::yield_now().await;
    }
    (sent, received)
}

#[tokio::test]
async fn one_task_a_side() {
    for seed in 0..40 {
        let (client, server) = fickle_pair(seed).await;
        let (client, server) = soon(&format!("seed {seed}"), async {
            tokio::join!(
                one_task(Seeded(seed), client),
                one_task(Seeded(!seed), server)
            )
        })
        .await;
        assert_eq!(client.0, server.1, "seed {seed}");
        assert_eq!(server.0, client.1, "seed {seed}");
    }
}

/// Writes in a task of its own, and waits as tasks do; some writes are cut short by a time-out.
async fn writing(mut seed: Seeded, mut to: impl Sending) -> usize {
    let mut sent = 0;
    while sent < LENGTH {
        if seed.below(4) == 0 {
            sent += act(&mut seed, &mut to, sent).await;
        } else {
            let data = content(sent, 1 + seed.below(20_000));
            let limit = Duration::from_micros(seed.below(300) as u64);
            if let Ok(accepted) = tokio::time::timeout(limit, to.write(&data)).await {
                sent += accepted.unwrap();
            }
        }
    }
    to.shutdown().await.unwrap();
    sent
}

async fn reading(mut seed: Seeded, mut from: impl AsyncRead + Unpin) -> usize {
    let mut received = 0;
    loop {
        let mut out = vec![0; 1 + seed.below(30_000)];
        let count = from.read(&mut out).await.unwrap();
        assert!(out[..count] == content(received, count), "at {received}");
        received += count;
        if count == 0 {
            return received;
        }
    }
}

/// Runs four tasks, and compares what they sent and received.
async fn four_tasks<R, W>(seed: u64, client: (R, W), server: (R, W))
where
    R: AsyncRead + Unpin + Send + 'static,
    W: Sending + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    let spawn_writing = |seed: Seeded, to: W| {
        // `act` is not `Send` for all types that it could have, so it runs on a thread of its own.
        let runtime = runtime.clone();
        tokio::task::spawn_blocking(move || runtime.block_on(writing(seed, to)))
    };
    let a = spawn_writing(Seeded(seed), client.1);
    let b = spawn_writing(Seeded(!seed), server.1);
    let c = tokio::spawn(reading(Seeded(seed ^ 77), client.0));
    let d = tokio::spawn(reading(Seeded(seed ^ 99), server.0));
    let (a, b, c, d) = soon(&format!("seed {seed}"), async { tokio::join!(a, b, c, d) }).await;
    assert_eq!(a.unwrap(), d.unwrap(), "seed {seed}");
    assert_eq!(b.unwrap(), c.unwrap(), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_halves_a_side() {
    for seed in 100..120 {
        let (here, there) = duplex([70, 3000, 100_000][(seed % 3) as usize]);
        let fickle = |io, seed| {
            let (reader, writer) = split(Fickle::new(io, seed));
            Pair { reader, writer }
        };
        let (client, server) = connected(fickle(here, seed), fickle(there, seed * 31)).await;
        let (client, server) = (client.into_split().unwrap(), server.into_split().unwrap());
        four_tasks(seed, client, server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokios_own_halves() {
    for seed in 200..220 {
        let (client, server) = fickle_pair(seed).await;
        four_tasks(seed, split(client), split(server)).await;
    }
}

/// A side that goes away at a random moment: the other one reads no more than was accepted, and
/// either all of it and the end, or an error.
#[tokio::test]
async fn a_side_that_goes_away() {
    let mut cut = 0;
    for seed in 0..60 {
        let (mut client, mut server) = fickle_pair(seed).await;
        let mut random = Seeded(seed);
        let accepted = Arc::new(AtomicUsize::new(0));
        let there = accepted.clone();
        let acts = random.below(60);
        let leaving = async move {
            let mut sent = 0;
            for _ in 0..acts {
                sent += act(&mut random, &mut client, sent).await;
                there.store(sent, Ordering::Relaxed);
            }
            match random.below(3) {
                0 => drop(client),
                1 => drop(client.into_inner()),
                _ => {
                    let _ = polled(2, client.shutdown()).await;
                }
            }
        };
        let staying = async {
            let mut received = 0;
            loop {
                let mut out = [0; 3000];
                match server.read(&mut out).await {
                    Ok(0) => return (received, true),
                    Ok(count) => {
                        assert!(out[..count] == content(received, count), "at {received}");
                        received += count;
                    }
                    Err(error) => {
                        assert!(matches!(inner(error), Error::Truncated), "seed {seed}");
                        return (received, false);
                    }
                }
            }
        };
        let (received, whole) = soon("a side that stays", async {
            tokio::join!(staying, leaving)
        })
        .await
        .0;
        let accepted = accepted.load(Ordering::Relaxed);
        assert!(received <= accepted, "seed {seed}");
        if whole {
            assert_eq!(received, accepted, "seed {seed}");
        } else {
            cut += 1;
        }
    }
    assert!(
        (5..55).contains(&cut),
        "both ends are tested: {cut} of 60 were cut"
    );
}
