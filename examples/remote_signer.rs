//! A server whose private key is held by an agent.
//!
//! ```text
//! cargo run --release --example remote_signer
//! ```
//!
//! Here the agent is a slow thread behind a channel. It could be a process behind a socket, an HSM,
//! or a service on another machine.
//!
//! 1. An authority certifies the agent's public key. Neither the authority nor the server sees the
//!    private key.
//! 2. `Identity::with_signer`: the agent is called during the handshake, and the thread waits.
//! 3. `Identity::asking`: the handshake stops with a question, and the thread serves other clients
//!    until the agent has answered.
//! 4. If the agent does not sign, or has another key, the clients receive internal_error. The
//!    server never sends a wrong signature, because it could reveal the private key.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use common::Failure;
use ed25519_dalek::{Signer as _, SigningKey};
use fleeting::{
    AlertDescription, Answer, Authority, Client, Handshake, Identity, Progress, PublicKey,
    Question, Server, Signer, Stream,
};
use zeroize::Zeroizing;

const NAME: &str = "db.internal";

/// How long the agent takes for a signature. It makes several at a time.
const SIGNING: Duration = Duration::from_millis(100);

/// How many clients connect at the same time.
const CLIENTS: usize = 8;

/// How long to wait for a silent client.
const SILENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    common::exit_code(run())
}

fn run() -> Result<(), Failure> {
    let agent = Agent::start(new_key()?);
    let authority = Authority::new("remote signer")?;
    let certify = |key| authority.certificate().server([NAME]).issue_for(key);
    let chain = certify(agent.public_key)?;
    // Without tickets, because a resumed handshake needs no signature: see the example
    // `resumption`.
    let serving = |identity: Identity| {
        Server::builder()
            .identity(identity)
            .without_tickets()
            .build()
    };
    let client = Client::builder().trust(authority.trust()).build()?;

    let (failures, noted) = mpsc::channel();
    println!("fleeting remote signer: {CLIENTS} clients at a time, served by one thread\n");
    println!(
        "  the agent's key {}; a signature takes {} ms\n",
        agent.public_key,
        SIGNING.as_millis()
    );

    let address = serve_waiting(
        serving(Identity::with_signer(&chain, agent.clone())?)?,
        &failures,
    )?;
    let took = visit_all(&client, address)?;
    println!(
        "  a `Signer`: the thread waits for each    {:>4} ms",
        took.as_millis()
    );

    let address = serve_asking(
        serving(Identity::asking(&chain)?)?,
        agent.clone(),
        &failures,
    )?;
    let took = visit_all(&client, address)?;
    println!(
        "  `asking`: the thread serves others       {:>4} ms\n",
        took.as_millis()
    );
    if took > SIGNING * CLIENTS as u32 {
        return Err("the clients waited for each other".into());
    }

    let locked = Agent {
        requests: mpsc::channel().0,
        public_key: agent.public_key,
    };
    let address = serve_waiting(
        serving(Identity::with_signer(&chain, locked.clone())?)?,
        &failures,
    )?;
    refused("an agent that does not answer", &client, address, &noted)?;
    let address = serve_asking(serving(Identity::asking(&chain)?)?, locked, &failures)?;
    refused("the same with `Identity::asking`", &client, address, &noted)?;
    let other = certify(PublicKey::from(new_key()?.verifying_key().to_bytes()))?;
    let address = serve_waiting(serving(Identity::with_signer(other, agent)?)?, &failures)?;
    refused("an agent with another key", &client, address, &noted)?;
    Ok(())
}

fn new_key() -> Result<SigningKey, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

// ---- the agent ----

/// A handle to the thread that holds the key.
#[derive(Clone)]
struct Agent {
    requests: Sender<Request>,
    public_key: PublicKey,
}

struct Request {
    message: Vec<u8>,
    answer: Box<dyn FnOnce(Vec<u8>) + Send>,
}

impl Agent {
    /// Moves the key into the agent's thread.
    fn start(key: SigningKey) -> Self {
        let (requests, received) = mpsc::channel::<Request>();
        let public_key = key.verifying_key().to_bytes().into();
        thread::spawn(move || {
            for Request { message, answer } in received {
                // The message begins with 64 spaces and "TLS 1.3, server CertificateVerify"
                // (RFC 9846, 4.5.2). An agent with several users should sign nothing else.
                if !message.starts_with(
                    &[
                        b" ".repeat(64).as_slice(),
                        b"TLS 1.3, server CertificateVerify\0",
                    ]
                    .concat(),
                ) {
                    continue;
                }
                let signature = key.sign(&message).to_vec();
                thread::spawn(move || {
                    thread::sleep(SIGNING);
                    answer(signature);
                });
            }
        });
        Self {
            requests,
            public_key,
        }
    }

    /// Requests a signature and returns at once.
    fn ask(
        &self,
        message: &[u8],
        answer: impl FnOnce(Vec<u8>) + Send + 'static,
    ) -> Result<(), Failure> {
        let request = Request {
            message: message.to_vec(),
            answer: Box::new(answer),
        };
        Ok(self
            .requests
            .send(request)
            .map_err(|_| "the agent does not answer")?)
    }
}

/// The simple way: the caller waits.
impl Signer for Agent {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let (bring, brought) = mpsc::channel();
        self.ask(message, move |signature| drop(bring.send(signature)))?;
        Ok(brought.recv_timeout(SILENCE)?)
    }
}

// ---- a thread that waits for each signature ----

fn serve_waiting(server: Server, failures: &Sender<Failure>) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, failures) = (listener.local_addr()?, failures.clone());
    thread::spawn(move || {
        for tcp in listener.incoming() {
            note(
                &failures,
                tcp.map_err(Failure::from)
                    .and_then(|tcp| greet(server.accept(prepared(tcp)?)?)),
            );
        }
    });
    Ok(address)
}

// ---- a thread that does not ----

/// What the serving thread waits for.
enum Event {
    Client(TcpStream),
    /// The signature for the handshake of this client.
    Signature(usize, Vec<u8>),
}

fn serve_asking(
    server: Server,
    agent: Agent,
    failures: &Sender<Failure>,
) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (events, happened) = mpsc::channel();
    let serving = Serving {
        server,
        agent,
        failures: failures.clone(),
        events: events.clone(),
        waiting: BTreeMap::new(),
    };
    thread::spawn(move || serving.run(happened));
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            if events.send(Event::Client(tcp)).is_err() {
                break;
            }
        }
    });
    Ok(address)
}

struct Serving {
    server: Server,
    agent: Agent,
    failures: Sender<Failure>,
    /// Receives the agent's answers.
    events: Sender<Event>,
    /// The handshakes that wait for a signature.
    waiting: BTreeMap<usize, Handshake<TcpStream>>,
}

impl Serving {
    fn run(mut self, happened: Receiver<Event>) {
        for (number, event) in happened.into_iter().enumerate() {
            let result = match event {
                Event::Client(tcp) => self.begin(number, tcp),
                Event::Signature(number, signature) => self.go_on(number, signature),
            };
            note(&self.failures, result);
        }
    }

    /// Performs a client's handshake until it needs a signature.
    ///
    /// The sockets are blocking, with a time-out, because these clients send their ClientHello at
    /// once. For slow clients use non-blocking sockets: `advance` then returns `WouldBlock`, and
    /// the loop also waits for the sockets.
    fn begin(&mut self, number: usize, tcp: TcpStream) -> Result<(), Failure> {
        match self.server.start(prepared(tcp)?).advance()? {
            Progress::Ask(Question::Signature, handshake) => {
                let message = handshake.to_sign().ok_or("nothing to sign")?;
                let events = self.events.clone();
                if let Err(failure) = self.agent.ask(message, move |signature| {
                    drop(events.send(Event::Signature(number, signature)))
                }) {
                    // Without this alert the client would wait until its time-out.
                    handshake.refuse(AlertDescription::INTERNAL_ERROR);
                    return Err(failure);
                }
                self.waiting.insert(number, handshake);
                Ok(())
            }
            Progress::Done(tls) => greet(tls),
            other => Err(format!("unexpected: {other:?}").into()),
        }
    }

    /// Continues the handshake that waited for this signature. `handshake_timeout` includes the
    /// wait.
    fn go_on(&mut self, number: usize, signature: Vec<u8>) -> Result<(), Failure> {
        let handshake = self
            .waiting
            .remove(&number)
            .ok_or("a signature for an unknown handshake")?;
        greet(handshake.answer(Answer::Signature(signature))?.finish()?)
    }
}

// ---- shared by both servers, and the clients ----

fn prepared(tcp: TcpStream) -> Result<TcpStream, Failure> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SILENCE))?;
    Ok(tcp)
}

fn greet(mut tls: Stream<TcpStream>) -> Result<(), Failure> {
    tls.write_all(b"welcome")?;
    tls.close()?;
    Ok(())
}

/// The failure of one client does not stop the server. It is reported to `main`.
fn note(failures: &Sender<Failure>, result: Result<(), Failure>) {
    if let Err(failure) = result {
        let _ = failures.send(failure);
    }
}

fn visit(client: &Client, address: SocketAddr) -> Result<(), Failure> {
    let mut tls = client.connect(NAME, prepared(TcpStream::connect(address)?)?)?;
    let mut heard = String::new();
    tls.read_to_string(&mut heard)?;
    tls.close()?;
    if heard == "welcome" {
        Ok(())
    } else {
        Err(format!("the server said {heard:?}").into())
    }
}

/// Connects all clients at once. Returns the time until the last is served.
fn visit_all(client: &Client, address: SocketAddr) -> Result<Duration, Failure> {
    let began = Instant::now();
    let visits: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || visit(&client, address))
        })
        .collect();
    for visit in visits {
        visit.join().map_err(|_| "a client panicked")??;
    }
    Ok(began.elapsed())
}

fn refused(
    what: &str,
    client: &Client,
    address: SocketAddr,
    noted: &Receiver<Failure>,
) -> Result<(), Failure> {
    let Err(heard) = visit(client, address) else {
        return Err(format!("{what}: this was not refused").into());
    };
    println!(
        "  {what}:\n      the server: {}\n      the client: {heard}",
        noted.recv_timeout(SILENCE)?
    );
    Ok(())
}
