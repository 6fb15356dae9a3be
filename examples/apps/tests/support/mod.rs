//! A folder with a PKI, and axum's server with a few routes.

#![allow(dead_code, reason = "each test binary uses only a part")]

use std::net::SocketAddr;
use std::path::PathBuf;

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
