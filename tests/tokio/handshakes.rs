//! Handshakes: what they ask, early data, and futures that are dropped on the way.

use ed25519_dalek::{Signer, SigningKey};
use fleeting::{
    AlertDescription, Answer, AsyncHandshake, AsyncProgress, Authority, Client, EarlyData, Error,
    Identity, LiveServer, PublicKey, Question, ReplayGuard, Server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::fickle::Fickle;
use crate::{NAME, builders, connected, fetch_ticket, pair, polled, soon};

#[tokio::test]
async fn both_sides_learn_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (client, server) = connected(tcp, listener.accept().await.unwrap().0).await;
    assert_eq!(client.peer().unwrap().names(), [NAME]);
    assert_eq!(server.peer().unwrap().subject(), "CN=alice");
    assert_eq!(client.cipher_suite(), server.cipher_suite());
    assert_eq!(client.group(), server.group());
    assert_eq!(client.alpn(), None);
    assert_eq!(server.server_name(), Some(NAME));
    assert!(!client.resumed() && !server.resumed());
    assert!(client.external_psk().is_none());
    assert_eq!(client.early_data(), EarlyData::NotOffered);
    assert_eq!(
        client.channel_binding().unwrap(),
        server.channel_binding().unwrap()
    );
    // Ed25519 certificates have none.
    assert_eq!(client.server_end_point(), None);
    assert_eq!(
        client
            .export_keying_material("EXPORTER-test", b"", 40)
            .unwrap()
            .expose(),
        server
            .export_keying_material("EXPORTER-test", b"", 40)
            .unwrap()
            .expose()
    );
    assert_eq!(
        client.get_ref().peer_addr().unwrap(),
        listener.local_addr().unwrap()
    );
}

/// Every call is dropped after one poll, and made again.
#[tokio::test]
async fn a_dropped_advance_loses_nothing() {
    for seed in 0..20 {
        let (client, server) = pair();
        let (here, there) = duplex(100);
        let mut client = client.start_async(NAME, Fickle::new(here, seed)).unwrap();
        let mut server = server.start_async(Fickle::new(there, seed + 1000));
        let (mut client_done, mut server_done) = (false, false);
        while !(client_done && server_done) {
            if !client_done && let Some(progress) = polled(1, client.advance()).await {
                assert!(matches!(progress.unwrap(), AsyncProgress::Done));
                client_done = true;
            }
            if !server_done && let Some(progress) = polled(1, server.advance()).await {
                assert!(matches!(progress.unwrap(), AsyncProgress::Done));
                server_done = true;
            }
        }
        let mut client = client.finish().await.unwrap();
        let mut server = server.finish().await.unwrap();
        let (written, read) = tokio::join!(
            async {
                client.write_all(b"ping").await.unwrap();
                client.flush().await
            },
            async {
                let mut ping = [0; 4];
                server.read_exact(&mut ping).await.unwrap();
                ping
            }
        );
        written.unwrap();
        assert_eq!(&read, b"ping");
    }
}

#[tokio::test]
async fn a_configuration_is_chosen_by_name() {
    let authority = Authority::new("tests").unwrap();
    let server = |name: &str| {
        let identity = authority.issue_server([name]).unwrap();
        Server::builder()
            .identity(identity)
            .alpn([name])
            .build()
            .unwrap()
    };
    let servers = [server("one.internal"), server("two.internal")];
    let client = Client::builder()
        .trust(authority.trust())
        .alpn(["one.internal", "two.internal"])
        .build()
        .unwrap();
    for name in ["one.internal", "two.internal"] {
        let (here, there) = duplex(1 << 16);
        let mut handshake = AsyncHandshake::undecided(there);
        let (client, ()) = tokio::join!(client.connect_async(name, here), async {
            for _ in 0..2 {
                // The same question until it is answered.
                let progress = handshake.advance().await.unwrap();
                assert!(matches!(
                    progress,
                    AsyncProgress::Ask(Question::Configuration)
                ));
            }
            let asked = handshake.client_hello().unwrap().server_name().unwrap();
            let chosen = servers[usize::from(asked == "two.internal")].clone();
            let stream = handshake.choose(&chosen).unwrap().finish().await.unwrap();
            assert_eq!(stream.server_name(), Some(name));
        });
        assert_eq!(client.unwrap().alpn(), Some(name.as_bytes()));
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A client, and a server whose key is kept elsewhere.
fn asking() -> (Client, Server) {
    let authority = Authority::new("tests").unwrap();
    let public: PublicKey = key().verifying_key().to_bytes().into();
    let chain = authority
        .certificate()
        .server([NAME])
        .issue_for(public)
        .unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let server = Server::builder()
        .identity(Identity::asking(chain).unwrap())
        .build()
        .unwrap();
    (client, server)
}

/// The future that waits for the signer is dropped, and the handshake goes on from the question.
#[tokio::test]
async fn a_signature_comes_from_another_task() {
    let (client, server) = asking();
    let (here, there) = duplex(1 << 16);
    let mut handshake = server.start_async(there);
    let signed = async {
        let progress = handshake.advance().await.unwrap();
        assert!(matches!(progress, AsyncProgress::Ask(Question::Signature)));
        let message = handshake.to_sign().unwrap().to_vec();
        let never = tokio::spawn(std::future::pending::<Vec<u8>>());
        assert!(polled(3, never).await.is_none());
        let signing = tokio::spawn(async move { key().sign(&message).to_vec() });
        let signature = signing.await.unwrap();
        let handshake = handshake.answer(Answer::Signature(signature)).unwrap();
        handshake.finish().await
    };
    let (client, server) = tokio::join!(client.connect_async(NAME, here), signed);
    assert_eq!(client.unwrap().peer().unwrap().names(), [NAME]);
    server.unwrap();
}

#[tokio::test]
async fn a_question_is_refused_or_cannot_be_answered() {
    let (client, server) = asking();
    let (here, there) = duplex(1 << 16);
    let (refused, asked) =
        tokio::join!(client.connect_async(NAME, here), server.accept_async(there));
    assert!(matches!(asked.unwrap_err(), Error::Asked(_)));
    assert!(matches!(
        refused.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::INTERNAL_ERROR,
            ..
        }
    ));

    let (here, there) = duplex(1 << 16);
    let mut handshake = server.start_async(there);
    let (refused, _) = tokio::join!(client.connect_async(NAME, here), async {
        handshake.advance().await.unwrap();
        let _: DuplexStream = handshake.refuse(AlertDescription::ACCESS_DENIED);
    });
    assert!(matches!(
        refused.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::ACCESS_DENIED,
            ..
        }
    ));
}

/// Early data is written before the handshake, collected by `accept_async`, and read first.
#[tokio::test]
async fn early_data_is_read_first() {
    let (client, server) = builders();
    let client = client.early_data(true).build().unwrap();
    let server = server
        .early_data(1000, ReplayGuard::in_memory(100))
        .build()
        .unwrap();
    let server = LiveServer::new(server);
    for resumed in [false, true] {
        let (here, there) = duplex(1 << 16);
        let mut handshake = client.start_async(NAME, Fickle::new(here, 3)).unwrap();
        let connecting = async {
            match handshake.early_data() {
                Some(mut early) => {
                    assert!(resumed && early.remaining() == 1000);
                    early.write_all(b"early, ").await.unwrap();
                    early.shutdown().await.unwrap();
                }
                None => assert!(!resumed),
            }
            let mut stream = handshake.finish().await.unwrap();
            stream.write_all(b"late").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            (stream.early_data(), answer)
        };
        let accepting = async {
            let mut stream = server.accept_async(there).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            stream.write_all(b"answer").await.unwrap();
            stream.shutdown().await.unwrap();
            text
        };
        let ((outcome, answer), text) =
            soon("early data", async { tokio::join!(connecting, accepting) }).await;
        assert_eq!(answer, "answer");
        if resumed {
            assert_eq!(
                (outcome, text.as_str()),
                (EarlyData::Accepted, "early, late")
            );
        } else {
            assert_eq!((outcome, text.as_str()), (EarlyData::NotOffered, "late"));
        }
    }
}

/// The server answers early data before the handshake is complete.
#[tokio::test]
async fn early_data_is_answered_early() {
    let (client, server) = builders();
    let client = client.early_data(true).build().unwrap();
    let server = server
        .early_data(1000, ReplayGuard::in_memory(100))
        .build()
        .unwrap();
    fetch_ticket(&client, &server).await;

    let (here, there) = duplex(1 << 16);
    let mut handshake = client.start_async(NAME, here).unwrap();
    handshake
        .early_data()
        .unwrap()
        .write_all(b"question")
        .await
        .unwrap();
    let mut serving = server.start_async(there);
    let (client, ()) = tokio::join!(
        async {
            let mut stream = handshake.finish().await.unwrap();
            let mut answer = [0; 6];
            stream.read_exact(&mut answer).await.unwrap();
            answer
        },
        async {
            let AsyncProgress::EarlyData(data) = serving.advance().await.unwrap() else {
                panic!("early data comes first");
            };
            assert_eq!(data, b"question");
            assert_eq!(
                serving.early_negotiated().unwrap().server_name(),
                Some(NAME)
            );
            serving
                .early_data()
                .unwrap()
                .write_all(b"answer")
                .await
                .unwrap();
            serving.finish().await.unwrap();
        }
    );
    assert_eq!(&client, b"answer");
}

#[tokio::test]
async fn a_failure_is_told_to_both_sides() {
    let stranger = Authority::new("stranger").unwrap();
    let (_, server) = pair();
    let client = Client::builder().trust(stranger.trust()).build().unwrap();
    let (here, there) = duplex(1 << 16);
    let (client, server) =
        tokio::join!(client.connect_async(NAME, here), server.accept_async(there));
    assert_eq!(
        client.unwrap_err().alert(),
        Some(AlertDescription::UNKNOWN_CA)
    );
    assert!(matches!(
        server.unwrap_err(),
        Error::AlertReceived {
            alert: AlertDescription::UNKNOWN_CA,
            ..
        }
    ));
    let (client, _) = pair();
    assert!(matches!(
        client
            .connect_async("not a name", duplex(1).0)
            .await
            .unwrap_err(),
        Error::Name(_)
    ));
    assert!(matches!(
        client.connect_unnamed_async(duplex(1).0).await.unwrap_err(),
        Error::Config(_)
    ));
    assert!(client.start_unnamed_async(duplex(1).0).is_err());
}
