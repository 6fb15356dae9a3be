//! TLS 1.3 for Rust programs, with session keys that are renewed and wiped.
//!
//! `fleeting` implements TLS 1.3 as [RFC 9846] specifies it. Servers authenticate with Ed25519
//! certificates or keys, and so do clients if the server requires it. Two sides that share a secret
//! can authenticate with that instead. There is no other way to authenticate: the crate is for your
//! own services, not for the public web. It is pure Rust, has no global state, and needs no crypto
//! provider.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use fleeting::{Authority, Client, ClientAuth, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A private authority. A real one is kept on disk (`certificate_pem`, `key_pem`), and its
//! // certificate is distributed (`Trust::roots_from_pem`).
//! let authority = Authority::new("my services")?;
//!
//! // A server that authenticates its clients.
//! let server = Server::builder()
//!     .identity(authority.issue_server(["db.internal"])?)
//!     .client_auth(ClientAuth::Required(authority.trust()))
//!     .build()?;
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let serving = std::thread::spawn(move || -> std::io::Result<()> {
//!     let (tcp, _) = listener.accept()?;
//!     let mut tls = server.accept(tcp)?;
//!     let who = tls.peer().map(|peer| peer.subject()).unwrap_or_default();
//!     write!(tls, "welcome, {who}")?;
//!     tls.close()
//! });
//!
//! // A client.
//! let client = Client::builder()
//!     .trust(authority.trust())
//!     .identity(authority.issue_client("alice")?)
//!     .build()?;
//! let tcp = TcpStream::connect(address)?;
//! let mut tls = client.connect("db.internal", tcp)?; // performs the handshake
//! println!("{} after {}", tls.cipher_suite(), tls.group());
//! let mut greeting = String::new();
//! tls.read_to_string(&mut greeting)?; // until the server's close(), so it is complete
//! assert_eq!(greeting, "welcome, CN=alice");
//! tls.close()?;
//! # serving.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin
//!
//! | to | use |
//! |---|---|
//! | connect over a `TcpStream` or anything `Read + Write` | [`Client`], [`Server`], [`Stream`] |
//! | read and write in two threads | [`Stream::into_split`], [`ReadHalf`], [`WriteHalf`] |
//! | use non-blocking transports, deadlines | [`Client::start`], [`Server::start`], [`Handshake`] |
//! | use tokio (feature `tokio`) | `Client::connect_async`, `Server::accept_async`, `AsyncStream` |
//! | drive an event loop of your own | [`Connection`]: no socket, clock or thread inside |
//! | say who you are | [`Identity`] |
//! | keep the private key in an agent or HSM | [`Signer`], [`Identity::asking`] |
//! | say whom you trust | [`Trust`]: roots, and keys bound to names |
//! | name peers by SPIFFE ID | [`Trust::spiffe_roots_from_pem`], [`Peer::spiffe_id`] |
//! | work without certificates | [`Identity::generate`], [`Trust::key_for`] |
//! | tune resumption, which is on by default | [`SessionCache`], [`TicketKeys`] |
//! | send early data (0-RTT) | [`ClientBuilder::early_data`], [`Handshake::early_data`] |
//! | accept early data | [`ServerBuilder::early_data`], [`ReplayGuard`] |
//! | share a secret instead of certificates | [`ExternalPsk`] |
//! | answer what a handshake asks | [`Question`], [`Progress::Ask`], [`Status::Ask`] |
//! | replace a server's configuration while it serves | [`LiveServer`] |
//! | load certificates, roots and lists again when their files change | [`CredentialFiles`] |
//! | choose when session keys are renewed | [`RekeyPolicy`] |
//! | end connections by age or when idle | [`ServerBuilder::max_connection_age`], [`ServerBuilder::idle_timeout`] |
//! | end sessions and running connections | [`RevokedSessions`], [`Client::forget`], [`Connections`] |
//! | choose how keys are agreed | [`ClientBuilder::groups`], [`ServerBuilder::groups`] |
//! | issue certificates for a private PKI | [`Authority`], [`CertificationRequest`] |
//! | read what a certificate says | [`CertificateInfo`] |
//! | find out what went wrong and what to do | [`Error`], [`Fault`] |
//! | decrypt a recording, in tests (feature `key-log`) | `KeyLogFile`, `KeyLog` |
//!
//! The [`guide`] explains each of these tasks in a section of its own. It also says what the
//! library does not do, and what happens to a key.
//!
//! # The floors
//!
//! For readers of the source: a file imports only from floors below its own, and a test enforces
//! that.
//!
//! ```text
//! F10 internals           for this repository's benchmarks, feature `_internals`; not API
//! F9  stream/             what applications hold: a handshake and a stream over a transport
//! F8  connection/         the sans-IO core: bytes in, events out; plaintext in, bytes out
//! F7  client/  server/    the state machines of appendix A, with their tables of legal messages
//! F6  handshake/          what both of them share
//! F5  record/             section 5: records sealed, opened, deframed and joined
//!     session/            pre-shared keys: external ones, tickets, a client's cache, replay guards
//! F4  key_schedule/       section 7: secrets in, secrets out
//!     identity/           who we are and whom we trust
//! F3  crypto/             primitives behind plain functions and small enums
//!     message/            section 4: bytes to types and back; no policy, no crypto
//! F2  error/  counters    one error, one alert; what happened, in numbers
//! F1  secret  code_point  level  time  sync
//! ```
//!
//! [RFC 9846]: https://www.rfc-editor.org/rfc/rfc9846

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(any(feature = "accelerate", test)), forbid(unsafe_code))]
#![cfg_attr(any(feature = "accelerate", test), deny(unsafe_code))]
#![warn(missing_docs, rust_2018_idioms, unreachable_pub)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::panic
    )
)]

mod client;
mod code_point;
mod connection;
mod counters;
mod crypto;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod identity;
#[cfg(any(test, feature = "_internals"))]
#[doc(hidden)]
pub mod internals;
mod key_schedule;
mod level;
mod message;
mod record;
mod secret;
mod server;
mod session;
mod stream;
mod sync;
#[cfg(test)]
mod testing;
mod time;

pub use client::{Client, ClientBuilder};
pub use code_point::{
    AlertDescription, CertificateType, CipherSuite, ContentType, ExtensionType, NamedGroup,
    ProtocolVersion, SignatureScheme,
};
pub use connection::{Connection, Status};
pub use counters::{Counters, Stats};
pub use crypto::random::SystemRandom;
pub use error::{
    CertificateError, ConfigError, DecodeProblem, Error, Fault, Illegal, NameError, Offer, Said,
    Side, TimeLimit,
};
pub use handshake::{
    Answer, Connections, EarlyData, Negotiated, Question, RekeyPolicy, RunningConnection,
};
#[cfg(feature = "key-log")]
#[cfg_attr(docsrs, doc(cfg(feature = "key-log")))]
pub use handshake::{KeyLog, KeyLogFile};
pub use identity::{
    Acceptance, CertificateInfo, CredentialFiles, Credentials, Identity, Peer, PublicKey,
    ReloadEvent, ReloadPart, Reloading, RevocationLists, ServerName, Signer, SkippedRoot, Trust,
    Validity,
};
#[cfg(any(test, fuzzing, feature = "authority"))]
#[cfg_attr(docsrs, doc(cfg(feature = "authority")))]
pub use identity::{
    Authority, AuthorityBuilder, CertificateBuilder, CertificationRequest, RevocationListBuilder,
};
pub use record::Padding;
pub use secret::Secret;
pub use server::{ClientAuth, ClientHello, LiveServer, Server, ServerBuilder};
pub use session::{
    ExternalPsk, PskIdentity, PskNames, ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict,
    RevokedSessions, SessionCache, TicketKey, TicketKeys,
};
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use stream::{
    AsyncEarlyDataWriter, AsyncHandshake, AsyncProgress, AsyncReadHalf, AsyncSplit, AsyncStream,
    AsyncWriteHalf,
};
pub use stream::{EarlyDataWriter, Handshake, Pair, Progress, ReadHalf, Split, Stream, WriteHalf};
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use stream::{HyperConnector, HyperStream};
pub use time::Now;

#[doc = include_str!("guide/contents.md")]
#[doc = include_str!("guide/first_steps.md")]
#[doc = include_str!("guide/features_and_examples.md")]
#[doc = include_str!("guide/sessions.md")]
#[doc = include_str!("guide/authentication.md")]
#[doc = include_str!("guide/transports.md")]
#[doc = include_str!("guide/applications.md")]
#[doc = include_str!("guide/operation.md")]
#[doc = include_str!("guide/other_libraries.md")]
#[doc = include_str!("guide/promises.md")]
pub mod guide {}

/// The README's examples, so that `cargo test` compiles them.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
