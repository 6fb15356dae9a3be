//! Many connections at once, whose keys are renewed.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::Barrier;

use crate::{NAME, content, pair, soon};

const CONNECTIONS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_renew_their_keys() {
    let (client, server) = pair();
    // All are open before the first one goes on.
    let open = Arc::new(Barrier::new(2 * CONNECTIONS));
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let (here, there) = duplex(1 << 12);
        let (client, server) = (client.clone(), server.clone());
        let (client_open, server_open) = (open.clone(), open.clone());
        tasks.push(tokio::spawn(async move {
            let mut tls = server.accept_async(there).await?;
            server_open.wait().await;
            let mut data = [0; 1000];
            loop {
                let count = tls.read(&mut data).await?;
                if count == 0 {
                    return tls.shutdown().await;
                }
                tls.write_all(&data[..count]).await?;
                tls.flush().await?;
            }
        }));
        tasks.push(tokio::spawn(async move {
            let mut tls = client.connect_async(NAME, here).await?;
            client_open.wait().await;
            for round in 0..5 {
                let sent = content(number * 10 + round, 3000);
                tls.write_all(&sent).await?;
                tls.rekey().await?;
                let mut read = vec![0; sent.len()];
                tls.read_exact(&mut read).await?;
                assert!(read == sent, "connection {number}");
            }
            tls.shutdown().await?;
            assert_eq!(tls.read(&mut [0]).await?, 0);
            Ok(())
        }));
    }
    for task in tasks {
        soon("a connection", task).await.unwrap().unwrap();
    }
}
