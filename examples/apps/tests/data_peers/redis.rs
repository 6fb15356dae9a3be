//! The `redis` crate over our streams, against Redis: the async one, and the blocking one by its
//! parser.

use std::io::Write;
use std::net;
use std::process::Stdio;
use std::time::Duration;

use apps::pki;
use fleeting::{AlertDescription, AsyncStream, Authority, Client, Error, Said, Trust};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, AsyncTypedCommands, FromRedisValue, Parser, RedisConnectionInfo,
    RedisError, cmd, pipe,
};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::cause;
use crate::support::{Folder, free_port, listening, run};

/// Starts a server that requires certificates.
async fn start(folder: &Folder) -> (Child, u16) {
    let port = free_port();
    let mut server = Command::new("redis-server")
        .args(["--port", "0", "--tls-port", &port.to_string()])
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            &folder.file(""),
        ])
        .args(["--tls-cert-file", &folder.file("server.pem")])
        .args(["--tls-key-file", &folder.file("server.key")])
        .args(["--tls-ca-cert-file", &folder.file("ca.pem")])
        .args(["--tls-auth-clients", "yes", "--tls-protocols", "TLSv1.3"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Redis must be installed: apt-get install redis-server");
    listening(&mut server, port).await;
    (server, port)
}

async fn connect(client: &Client, port: u16) -> AsyncStream<TcpStream> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client.connect_async("localhost", tcp).await.unwrap()
}

async fn commands(client: &Client, port: u16) -> Result<MultiplexedConnection, RedisError> {
    let info = RedisConnectionInfo::default();
    let stream = connect(client, port).await;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    tokio::spawn(driver);
    Ok(connection)
}

#[tokio::test]
#[ignore = "needs Redis"]
async fn commands_pipelines_and_messages() {
    let folder = Folder::new("redis");
    let (_server, port) = start(&folder).await;
    let alice = pki::client(&folder.0, &[]).unwrap();
    let mut redis = commands(&alice, port).await.unwrap();
    redis.set("color", "blue").await.unwrap();
    assert_eq!(redis.get("color").await.unwrap().as_deref(), Some("blue"));
    assert_eq!(redis.get("none").await.unwrap(), None);
    let large = "x".repeat(5_000_000);
    redis.set("large", &large).await.unwrap();
    assert!(redis.get("large").await.unwrap() == Some(large));

    // Many commands at once, and many tasks on one connection.
    let mut pipeline = pipe();
    for number in 0..10_000 {
        pipeline.set(format!("key {number}"), number).ignore();
        pipeline.get(format!("key {number}"));
    }
    let answers: Vec<i32> = pipeline.query_async(&mut redis).await.unwrap();
    assert!(answers.into_iter().eq(0..10_000));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let mut redis = redis.clone();
            tokio::spawn(async move { redis.incr("counter", 1).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(redis.get("counter").await.unwrap().as_deref(), Some("100"));

    let info = RedisConnectionInfo::default();
    let mut subscriber = PubSub::new(&info, connect(&alice, port).await)
        .await
        .unwrap();
    subscriber.subscribe("news").await.unwrap();
    let mut messages = subscriber.into_on_message();
    for number in 0..100 {
        assert_eq!(redis.publish("news", number).await.unwrap(), 1);
        let message = tokio::time::timeout(Duration::from_secs(10), messages.next());
        let message = message.await.unwrap().unwrap();
        assert_eq!(message.get_payload::<i32>().unwrap(), number);
        assert_eq!(message.get_channel_name(), "news");
    }

    // The command does the same.
    let server = format!("localhost:{port}");
    let files = ["ca.pem", "client.pem", "client.key"].map(|name| folder.file(name));
    let [ca, cert, key] = files.each_ref().map(String::as_str);
    let options = [&*server, "--ca", ca, "--cert", cert, "--key", key];
    for count in 1..3 {
        let said = run(env!("CARGO_BIN_EXE_redis"), &options).await;
        assert_eq!(
            said,
            format!("connected with TLS_AES_128_GCM_SHA256\nrun {count} times")
        );
    }
}

#[tokio::test]
#[ignore = "needs Redis"]
async fn blocking_by_the_parser() {
    let folder = Folder::new("redis-blocking");
    let (_server, port) = start(&folder).await;
    let alice = pki::client(&folder.0, &[]).unwrap();
    let blocking = move || {
        let tcp = net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut stream = alice.connect("localhost", tcp).unwrap();
        let mut parser = Parser::new();
        let mut ask = |command: &redis::Cmd| {
            stream.write_all(&command.get_packed_command()).unwrap();
            stream.flush().unwrap();
            parser.parse_value(&mut stream).unwrap()
        };
        ask(cmd("SET").arg("color").arg("blue"));
        String::from_redis_value(ask(cmd("GET").arg("color"))).unwrap()
    };
    let color = tokio::task::spawn_blocking(blocking).await.unwrap();
    assert_eq!(color, "blue");
}

/// In TLS 1.3 the client has finished its handshake before the server checks who it is. So
/// `connect_async` succeeds, and the first answer is the alert.
#[tokio::test]
#[ignore = "needs Redis"]
async fn strangers_are_refused_with_an_alert() {
    let folder = Folder::new("redis-strangers");
    let (_server, port) = start(&folder).await;
    let trust = || Trust::roots_from_pem_file(folder.file("ca.pem")).unwrap();
    let nobody = Client::builder().trust(trust()).build().unwrap();
    let error = commands(&nobody, port).await.map(drop).unwrap_err();
    assert!(matches!(
        cause(&error),
        Error::AlertReceived {
            alert: AlertDescription::CERTIFICATE_REQUIRED,
            said: Said::NoCertificate { .. },
            ..
        }
    ));

    let stranger = Authority::new("a stranger").unwrap();
    let stranger = stranger.issue_client("alice").unwrap();
    let stranger = Client::builder().trust(trust()).identity(stranger);
    let error = commands(&stranger.build().unwrap(), port)
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(
        cause(&error),
        Error::AlertReceived {
            alert: AlertDescription::UNKNOWN_CA,
            said: Said::Certificate { .. },
            ..
        }
    ));
}
