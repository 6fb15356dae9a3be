//! MQTT over our stream, against Mosquitto.

use std::process::Stdio;
use std::time::Duration;

use apps::mqtt::Session;
use apps::pki::{self, Failure};
use fleeting::{AlertDescription, Authority, Client, Error, Said, Trust};
use rumqttc::{Connect, Packet, Publish, QoS, Subscribe, SubscribeReasonCode};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::cause;
use crate::support::{Folder, free_port, listening, run};

/// Starts a broker that requires certificates. Who may do what is decided by the common name.
async fn start(folder: &Folder) -> (Child, u16) {
    let port = free_port();
    let path = folder.0.display();
    let access = "user alice\ntopic readwrite alice/#\ntopic read news\n";
    std::fs::write(folder.0.join("access"), access).unwrap();
    let config = format!(
        "listener {port} 127.0.0.1
cafile {path}/ca.pem
certfile {path}/server.pem
keyfile {path}/server.key
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
acl_file {path}/access
persistence false
user root
"
    );
    std::fs::write(folder.0.join("mosquitto.conf"), config).unwrap();
    let mut broker = Command::new("mosquitto")
        .args(["-c", &folder.file("mosquitto.conf")])
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Mosquitto must be installed: apt-get install mosquitto");
    listening(&mut broker, port).await;
    (broker, port)
}

async fn begin(client: &Client, port: u16, id: &str) -> Result<Session, Failure> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let stream = client.connect_async("localhost", tcp).await.unwrap();
    Session::begin(stream, Connect::new(id)).await
}

/// Receives a packet, which must come soon.
async fn next(session: &mut Session) -> Packet {
    let packet = tokio::time::timeout(Duration::from_secs(10), session.receive());
    packet.await.expect("nothing comes").unwrap()
}

#[tokio::test]
#[ignore = "needs Mosquitto"]
async fn messages_arrive_at_every_quality_of_service() {
    let folder = Folder::new("mosquitto");
    let (_broker, port) = start(&folder).await;
    let alice = pki::client(&folder.0, &[]).unwrap();
    let mut sender = begin(&alice, port, "sender").await.unwrap();
    let mut receiver = begin(&alice, port, "receiver").await.unwrap();
    receiver
        .send(Subscribe::new("alice/#", QoS::ExactlyOnce))
        .await
        .unwrap();
    let Packet::SubAck(granted) = next(&mut receiver).await else {
        panic!("no SUBACK");
    };
    assert_eq!(
        granted.return_codes,
        [SubscribeReasonCode::Success(QoS::ExactlyOnce)]
    );

    for (quality, length) in [
        (QoS::AtMostOnce, 5),
        (QoS::AtLeastOnce, 5),
        (QoS::ExactlyOnce, 5),
        (QoS::AtLeastOnce, 1_000_000),
    ] {
        let payload = vec![b'x'; length];
        sender
            .send(Publish::new("alice/log", quality, payload.clone()))
            .await
            .unwrap();
        match quality {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => assert!(matches!(next(&mut sender).await, Packet::PubAck(_))),
            QoS::ExactlyOnce => {
                assert!(matches!(next(&mut sender).await, Packet::PubRec(_)));
                assert!(matches!(next(&mut sender).await, Packet::PubComp(_)));
            }
        }
        let Packet::Publish(message) = next(&mut receiver).await else {
            panic!("no PUBLISH");
        };
        assert_eq!((&*message.topic, message.qos), ("alice/log", quality));
        assert!(message.payload == payload);
        if quality == QoS::ExactlyOnce {
            assert!(matches!(next(&mut receiver).await, Packet::PubRel(_)));
        }
    }

    // The name in the certificate is the user's: she may not write here. The broker acknowledges,
    // and drops the message.
    let mut news = begin(&alice, port, "news").await.unwrap();
    news.send(Subscribe::new("news", QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(matches!(next(&mut news).await, Packet::SubAck(_)));
    news.send(Publish::new("news", QoS::AtLeastOnce, "invented"))
        .await
        .unwrap();
    assert!(matches!(next(&mut news).await, Packet::PubAck(_)));
    news.send(rumqttc::Request::PingReq(rumqttc::PingReq))
        .await
        .unwrap();
    assert!(matches!(next(&mut news).await, Packet::PingResp));

    for session in [sender, receiver, news] {
        session.end().await.unwrap();
    }

    // The command.
    let broker = format!("localhost:{port}");
    let files = ["ca.pem", "client.pem", "client.key"].map(|name| folder.file(name));
    let [ca, cert, key] = files.each_ref().map(String::as_str);
    let options = [&*broker, "--ca", ca, "--cert", cert, "--key", key];
    let message = ["--topic", "alice/greetings", "hello"];
    let said = run(
        env!("CARGO_BIN_EXE_mqtt"),
        &[&options[..], &message].concat(),
    )
    .await;
    assert_eq!(
        said,
        "connected with TLS_AES_256_GCM_SHA384\nalice/greetings: hello"
    );
}

/// As with Redis, the alert is the first answer.
#[tokio::test]
#[ignore = "needs Mosquitto"]
async fn strangers_are_refused_with_an_alert() {
    let folder = Folder::new("mosquitto-strangers");
    let (_broker, port) = start(&folder).await;
    let trust = || Trust::roots_from_pem_file(folder.file("ca.pem")).unwrap();
    let nobody = Client::builder().trust(trust()).build().unwrap();
    let error = begin(&nobody, port, "").await.map(drop).unwrap_err();
    assert!(matches!(
        cause(&*error),
        Error::AlertReceived {
            alert: AlertDescription::CERTIFICATE_REQUIRED,
            said: Said::NoCertificate { .. },
            ..
        }
    ));

    let stranger = Authority::new("a stranger").unwrap();
    let stranger = stranger.issue_client("alice").unwrap();
    let stranger = Client::builder().trust(trust()).identity(stranger);
    let error = begin(&stranger.build().unwrap(), port, "")
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(
        cause(&*error),
        Error::AlertReceived {
            alert: AlertDescription::UNKNOWN_CA,
            said: Said::Certificate { .. },
            ..
        }
    ));
}

/// What cannot be sent before an acknowledgement was received is refused, and nothing is lost.
#[tokio::test]
#[ignore = "needs Mosquitto"]
async fn a_burst_arrives() {
    const COUNT: u16 = 300;
    let folder = Folder::new("mosquitto-burst");
    let (_broker, port) = start(&folder).await;
    let alice = pki::client(&folder.0, &[]).unwrap();
    let mut sender = begin(&alice, port, "sender").await.unwrap();
    let mut receiver = begin(&alice, port, "receiver").await.unwrap();
    receiver
        .send(Subscribe::new("alice/#", QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(matches!(next(&mut receiver).await, Packet::SubAck(_)));

    let mut acknowledged = 0;
    for number in 0..COUNT {
        let message = Publish::new("alice/log", QoS::AtLeastOnce, number.to_be_bytes());
        while sender.send(message.clone()).await.is_err() {
            assert!(matches!(next(&mut sender).await, Packet::PubAck(_)));
            acknowledged += 1;
        }
    }
    assert!(acknowledged > 100, "{acknowledged}");
    while acknowledged < COUNT {
        assert!(matches!(next(&mut sender).await, Packet::PubAck(_)));
        acknowledged += 1;
    }
    let mut missing: std::collections::BTreeSet<u16> = (0..COUNT).collect();
    while !missing.is_empty() {
        let Packet::Publish(message) = next(&mut receiver).await else {
            panic!("no PUBLISH");
        };
        let number = u16::from_be_bytes(message.payload[..].try_into().unwrap());
        assert!(missing.remove(&number), "{number} came twice");
    }
}
