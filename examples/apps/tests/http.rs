//! axum's server, hyper's client and tonic, over HTTP/1.1 and HTTP/2.

mod support;

use apps::listener::Listener;
use apps::rpc::{self, Greeter};
use apps::{metrics, pki};
use fleeting::HyperConnector;
use hyper::body::Bytes;
use hyper::{Method, Version};
use support::{Folder, request, requests, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Endpoint, Server};

#[tokio::test]
async fn alpn_decides_on_the_version_of_http() {
    let folder = Folder::new("alpn");
    let both: &[&str] = &["h2", "http/1.1"];
    for (server, client, expected) in [
        (both, both, Version::HTTP_2),
        (both, &both[..1], Version::HTTP_2),
        (both, &both[1..], Version::HTTP_11),
        (&both[1..], both, Version::HTTP_11),
    ] {
        let port = serve(&folder, server).await.port();
        let client = requests(&folder, client);
        let large = Bytes::from(vec![7; 3_000_000]);
        for host in ["localhost", "127.0.0.1"] {
            let uri = format!("https://{host}:{port}");
            let (version, text) =
                request(&client, Method::GET, format!("{uri}/"), Bytes::new()).await;
            assert_eq!(version, expected);
            assert_eq!(text, format!("Some(\"CN=alice\") by {expected:?}"));
            let echo = request(&client, Method::POST, format!("{uri}/echo"), large.clone()).await;
            assert!(echo == (expected, large.clone()));
        }
    }
}

/// Many requests share connections, and all are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_at_once() {
    let folder = Folder::new("many");
    for alpn in [&["h2"], &["http/1.1"]] {
        let port = serve(&folder, alpn).await.port();
        let client = requests(&folder, alpn);
        let all: Vec<_> = (0..200_usize)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    let body = Bytes::from(vec![number as u8; number * 300]);
                    let uri = format!("https://localhost:{port}/echo");
                    let (_, echo) = request(&client, Method::POST, uri, body.clone()).await;
                    assert!(echo == body, "{number}");
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_request() {
    let (ours, theirs) = (Folder::new("ours"), Folder::new("theirs"));
    let port = serve(&theirs, &["h2"]).await.port();
    let error = requests(&ours, &["h2"])
        .get(format!("https://localhost:{port}/").parse().unwrap())
        .await
        .unwrap_err();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // Both authorities have the same name, and another key.
    assert!(
        cause
            .to_string()
            .contains("a signature on its path is wrong"),
        "{cause}"
    );
}

/// Over plain HTTP, as Prometheus asks.
#[tokio::test]
async fn counters_are_served() {
    let folder = Folder::new("metrics");
    let client = pki::client(&folder.0, &["h2"]).unwrap();
    let counted = client.clone();
    let routes = metrics::routes(move || {
        metrics::prometheus(&[(&[("role", "client")], counted.counters())])
    });
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(axum::serve(plain, routes).into_future());

    let port = serve(&folder, &["h2"]).await.port();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let tls = client.connect_async("localhost", tcp).await.unwrap();
    let mut metrics = TcpStream::connect(address).await.unwrap();
    let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    metrics.write_all(ask).await.unwrap();
    let mut answer = String::new();
    metrics.read_to_string(&mut answer).await.unwrap();
    let answer = answer.to_ascii_lowercase();
    for expected in [
        "http/1.1 200 ok\r\n",
        "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n",
        "\nfleeting_handshakes_completed_total{role=\"client\",kind=\"full\"} 1\n",
        "\nfleeting_connections_open{role=\"client\"} 1\n",
    ] {
        assert!(answer.contains(expected), "{answer}");
    }
    drop(tls);
}

#[tokio::test]
async fn tonic_calls_by_our_connector() {
    let folder = Folder::new("tonic");
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let listener = Listener::new(tcp, pki::server(&folder.0, &["h2"]).unwrap()).unwrap();
    tokio::spawn(
        Server::builder()
            .add_service(Greeter)
            .serve_with_incoming(rpc::incoming(listener)),
    );
    let connector = HyperConnector::new(pki::client(&folder.0, &["h2"]).unwrap());
    let endpoint = Endpoint::from_shared(format!("http://localhost:{port}")).unwrap();
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    for name in ["one", "two"] {
        let answer = rpc::greet(channel.clone(), name).await.unwrap();
        assert_eq!(answer, format!("hello, {name}: you are CN=alice"));
    }
}
