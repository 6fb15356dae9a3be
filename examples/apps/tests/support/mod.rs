//! A folder with a PKI, axum's server with a few routes, and other people's programs.

#![allow(dead_code, reason = "each test binary uses only a part")]

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use apps::listener::{Client, Listener};
use apps::pki;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::routing::{get, post};
use fleeting::{HyperConnector, Peer};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Version};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// A folder with a PKI, which is removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fleeting-{name}-{}", std::process::id()));
        pki::ensure(&path, &["localhost", "127.0.0.1"]).unwrap();
        Self(path)
    }

    /// Returns the path of a file in it, as an argument.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves: `/` says who the client is and by which version it asks, `/echo` returns what is posted.
pub async fn serve(folder: &Folder, alpn: &[&str]) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener::new(tcp, pki::server(&folder.0, alpn).unwrap()).unwrap();
    let hello = async |ConnectInfo(client): ConnectInfo<Client>, request: Request| {
        assert!(client.address.ip().is_loopback());
        let who = client.peer.map(|peer| peer.subject().to_string());
        format!("{who:?} by {:?}", request.version())
    };
    let app = Router::new()
        .route("/", get(hello))
        .route("/echo", post(async |body: axum::body::Bytes| body))
        .layer(DefaultBodyLimit::disable());
    let app = app.into_make_service_with_connect_info::<Client>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub type Requests = legacy::Client<HyperConnector, Full<Bytes>>;

/// hyper's client, by our connector.
pub fn requests(folder: &Folder, alpn: &[&str]) -> Requests {
    let connector = HyperConnector::new(pki::client(&folder.0, alpn).unwrap());
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// Makes a request, and checks who answers it.
pub async fn request(
    client: &Requests,
    method: Method,
    uri: String,
    body: Bytes,
) -> (Version, Bytes) {
    let request = hyper::Request::builder()
        .method(method)
        .uri(uri)
        .body(Full::new(body))
        .unwrap();
    let response = client.request(request).await.unwrap();
    assert!(response.status().is_success(), "{response:?}");
    let server = response.extensions().get::<Peer>().unwrap();
    assert_eq!(server.names(), ["localhost", "127.0.0.1"]);
    let version = response.version();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (version, body)
}

/// Runs a program to its end, and returns what it writes.
pub async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .unwrap_or_else(|error| panic!("{program}: {error}; it must be installed"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {text}{errors}");
    text.trim_end().to_owned()
}

/// Returns a free port, for programs that cannot be asked for the one that the system gave them.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until a server accepts connections.
pub async fn listening(server: &mut Child, port: u16) {
    for _ in 0..1000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        if let Some(status) = server.try_wait().unwrap() {
            panic!("the server on port {port} has ended: {status}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server on port {port} does not listen");
}
