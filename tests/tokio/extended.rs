//! Extended key updates over async streams: reading sends what an update owes.

use std::time::Duration;

use fleeting::{AsyncStream, Client, ServerBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

use crate::{builders, connected_by, content, soon};

async fn two() -> (AsyncStream<DuplexStream>, AsyncStream<DuplexStream>) {
    let (client, server) = builders();
    let client = client.extended_key_update(true).build().unwrap();
    two_of(&client, server).await
}

async fn two_of(
    client: &Client,
    server: ServerBuilder,
) -> (AsyncStream<DuplexStream>, AsyncStream<DuplexStream>) {
    let server = server.extended_key_update(true).build().unwrap();
    let (here, there) = duplex(1 << 12);
    connected_by(client, &server, here, there).await
}

/// A server that only reads answers, and a client that only reads finishes: neither writes.
#[tokio::test]
async fn tasks_that_read_complete_an_update() {
    let (mut client, mut server) = two().await;
    for epoch in 1..4 {
        soon("an update", async {
            sleep(Duration::from_millis(130)).await;
            client.rekey().await.unwrap();
            let (mut ours, mut theirs) = ([0], [0]);
            tokio::select! {
                biased;
                read = client.read(&mut ours) => panic!("{read:?}"),
                read = server.read(&mut theirs) => panic!("{read:?}"),
                () = sleep(Duration::from_millis(50)) => {}
            }
        })
        .await;
        assert_eq!((client.epoch(), server.epoch()), (epoch, epoch));
        client.write_all(b"to the server").await.unwrap();
        client.flush().await.unwrap();
        let mut read = [0; 13];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"to the server");
    }
}

/// The same in halves, each in a task of its own, while data flows both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_renew_keys_while_data_flows() {
    let (configuration, server) = builders();
    let configuration = configuration.extended_key_update(true).build().unwrap();
    let (client, server) = two_of(&configuration, server).await;
    let mut tasks = Vec::new();
    for stream in [client, server] {
        let (mut reader, mut writer) = stream.into_split().unwrap();
        tasks.push(tokio::spawn(async move {
            for round in 0..50 {
                writer.write_all(&content(round, 20_000)).await.unwrap();
                writer.rekey().await.unwrap();
                sleep(Duration::from_millis(10)).await;
            }
            writer.close().await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            for round in 0..50 {
                let mut read = vec![0; 20_000];
                reader.read_exact(&mut read).await.unwrap();
                assert!(read == content(round, 20_000), "round {round}");
            }
            assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
        }));
    }
    for task in tasks {
        soon("a half", task).await.unwrap();
    }
    // 50 times 10 ms, at most every 125 ms.
    let renewed = configuration.counters().key_updates_sent;
    assert!((2..=10).contains(&renewed), "{renewed}");
}
