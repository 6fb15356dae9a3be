//! What waits is sent while a program reads.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fleeting::Pair;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};

use crate::fickle::Fickle;
use crate::{connected, content, polled, soon};

/// A program that does not flush, over a transport that takes little, gets its answer.
#[tokio::test]
async fn a_request_is_sent_while_the_answer_is_awaited() {
    let (here, there) = duplex(64);
    let (mut client, mut server) = connected(here, there).await;
    let request = content(0, 20_000);
    let asking = async {
        client.write_all(&request).await.unwrap();
        assert!(client.wants_write());
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        answer
    };
    let answering = async {
        let mut read = vec![0; 20_000];
        server.read_exact(&mut read).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        server.flush().await.unwrap();
        read
    };
    let (answer, read) = soon("a request", async { tokio::join!(asking, answering) }).await;
    assert_eq!(&answer, b"answer");
    assert!(read == request);
}

/// `tokio::io::split` reads and writes in two tasks: the reader leaves the sending to the writer.
#[tokio::test]
async fn a_writer_that_waits_is_not_forgotten() {
    let (here, there) = duplex(64);
    let (client, mut server) = connected(here, there).await;
    let (mut reader, mut writer) = tokio::io::split(client);
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.unwrap();
        all
    });
    let writing = tokio::spawn(async move {
        writer.write_all(&content(0, 50_000)).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    // Each answer wakes the reader while the writer waits.
    let mut read = vec![0; 50_000];
    for part in read.chunks_mut(100) {
        server.read_exact(part).await.unwrap();
        server.write_all(&part[..1]).await.unwrap();
        server.flush().await.unwrap();
    }
    server.shutdown().await.unwrap();
    soon("the writer", writing).await.unwrap();
    let answers = soon("the reader", reading).await.unwrap();
    assert!(read == content(0, 50_000));
    assert!(answers.iter().eq(read.iter().step_by(100)));
}

/// The answer to a KeyUpdate goes out while a program only reads.
#[tokio::test]
async fn new_keys_are_answered_while_reading() {
    for (seed, split) in (0..20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let (here, there) = duplex(1 << 16);
        let client_io = Fickle::new(here, seed);
        let written = client_io.written.clone();
        let pair = {
            let (reader, writer) = tokio::io::split(client_io);
            Pair { reader, writer }
        };
        let (client, mut server) = connected(pair, there).await;
        let before = written.load(Ordering::Relaxed);
        let reading = tokio::spawn(async move {
            let mut byte = [0];
            if split {
                let (mut reader, _writer) = client.into_split().unwrap();
                reader.read_exact(&mut byte).await.unwrap();
            } else {
                let mut client = client;
                client.read_exact(&mut byte).await.unwrap();
                std::mem::forget(client);
            }
            byte
        });
        server.rekey().await.unwrap();
        soon("the answer", async {
            while written.load(Ordering::Relaxed) == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        server.write_all(b"x").await.unwrap();
        server.flush().await.unwrap();
        assert_eq!(&reading.await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn data_is_produced_in_place() {
    let (here, there) = duplex(1 << 16);
    let (mut client, server) = connected(here, there).await;
    let (mut reader, mut writer) = server.into_split().unwrap();
    let count = client
        .write_with(100, |place| {
            place.fill(7);
            place.len()
        })
        .await
        .unwrap();
    assert_eq!(count, 100);
    let mut read = [0; 100];
    reader.read_exact(&mut read).await.unwrap();
    assert_eq!(read, [7; 100]);

    writer.set_corked(true).unwrap();
    writer.write_with(3, |place| place.len()).await.unwrap();
    assert!(writer.is_corked() && !writer.wants_write());
    writer.rekey().await.unwrap();
    writer.close().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len(), 3);
    assert_eq!(
        reader.negotiated().server_name(),
        writer.negotiated().server_name()
    );
}

/// Who reads, and who writes and then does nothing any more.
#[derive(Clone, Copy, Debug)]
enum Split {
    /// `into_split`
    Ours,
    /// `tokio::io::split`
    Tokios,
}

/// A writer leaves bytes behind, because the transport takes few, and does nothing any more. The
/// reader, which waits, sends them; also if the writer began another write and dropped it.
#[tokio::test]
async fn what_the_writer_leaves_behind_is_sent_by_the_reader() {
    const SIZE: usize = 60_000;
    for split in [Split::Ours, Split::Tokios] {
        for drops_a_write in [false, true] {
            let (here, there) = duplex(64);
            let (client, mut server) = connected(here, there).await;
            let (mut reader, mut writer): (Box<dyn Reading>, Box<dyn Writing>) = match split {
                Split::Ours => {
                    let (reader, writer) = client.into_split().unwrap();
                    (Box::new(reader), Box::new(writer))
                }
                Split::Tokios => {
                    let (reader, writer) = tokio::io::split(client);
                    (Box::new(reader), Box::new(writer))
                }
            };
            // It waits before anything is written.
            let reading = tokio::spawn(async move {
                let mut answer = [0; 6];
                reader.read_exact(&mut answer).await.unwrap();
                answer
            });
            tokio::task::yield_now().await;
            let (done, keep) = tokio::sync::oneshot::channel::<()>();
            let writing = tokio::spawn(async move {
                let mut sent = writer.write(&content(0, SIZE)).await.unwrap();
                if drops_a_write {
                    let more = content(sent, 100);
                    if let Some(count) = polled(1, writer.write(&more)).await {
                        sent += count.unwrap();
                    }
                }
                done.send(()).unwrap();
                // Neither writes nor is dropped.
                std::mem::forget(writer);
                sent
            });
            keep.await.unwrap();
            let sent = soon("a write", writing).await.unwrap();
            let mut read = vec![0; sent];
            let what = format!("{split:?}, {drops_a_write}");
            soon(&what, server.read_exact(&mut read)).await.unwrap();
            assert!(read == content(0, sent));
            server.write_all(b"answer").await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(&soon(&what, reading).await.unwrap(), b"answer");
        }
    }
}

trait Reading: AsyncRead + Unpin + Send {}
impl<S: AsyncRead + Unpin + Send> Reading for S {}

trait Writing: AsyncWrite + Unpin + Send {}
impl<S: AsyncWrite + Unpin + Send> Writing for S {}

/// The stream goes to another task after a write was dropped in the first one.
#[tokio::test]
async fn a_stream_goes_to_another_task() {
    let (here, there) = duplex(64);
    let (mut client, mut server) = connected(here, there).await;
    let sent = client.write(&content(0, 30_000)).await.unwrap();
    assert!(polled(1, client.write(b"not this")).await.is_none());
    let reading = tokio::spawn(async move {
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        answer
    });
    let mut read = vec![0; sent];
    soon("the rest", server.read_exact(&mut read))
        .await
        .unwrap();
    assert!(read == content(0, sent));
    server.write_all(b"answer").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(&soon("an answer", reading).await.unwrap(), b"answer");
}
