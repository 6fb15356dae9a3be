//! TLS 1.3 for Rust programs. Session keys that are fresh, fast, renewed, and gone.
//!
//! `fleeting` speaks TLS 1.3 as [RFC 9846] writes it. Both sides prove who they are with Ed25519
//! certificates or keys, and with nothing else: it is for one's own services, not for the public
//! web. It is pure Rust, has no global state, and needs no provider to be installed.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use fleeting::{Authority, Client, ClientAuth, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One's own authority. A real one is kept on disk, and its certificate handed out: `certificate_pem`, `key_pem`, `Trust::roots_from_pem`.
//! let authority = Authority::new("my services")?;
//!
//! // A server that wants to know its clients.
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
//! // the handshake is done
//! let mut tls = client.connect("db.internal", TcpStream::connect(address)?)?;
//! println!("{} after {}", tls.cipher_suite(), tls.group());
//! let mut greeting = String::new();
//! tls.read_to_string(&mut greeting)?; // up to the server's close(), and known to be complete
//! assert_eq!(greeting, "welcome, CN=alice");
//! tls.close()?;
//! # serving.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin
//!
//! | for | there is |
//! |---|---|
//! | a connection over a `TcpStream`, or anything else that is `Read + Write` | [`Client::connect`], [`Server::accept`], [`Stream`] |
//! | reading in one thread and writing in another | [`Stream::into_split`], [`ReadHalf`], [`WriteHalf`] |
//! | transports that do not block, deadlines, a configuration chosen by the ClientHello | [`Client::start`], [`Server::start`], [`Handshake`] |
//! | an event loop of one's own: no socket, clock or thread inside | [`Connection`] |
//! | who one is | [`Identity`] |
//! | a private key that is held elsewhere: by an agent, an HSM | [`Identity::with_signer`], [`Signer`]; [`Identity::asking`] where the answer takes its time |
//! | whom one trusts: roots, and keys bound to names | [`Trust`] |
//! | no certificates at all | [`Identity::generate`], [`Trust::key_for`], [`ServerBuilder::identity_for`] |
//! | coming back without certificates and signatures (resumption): it works by itself, and is tuned by | [`SessionCache`] at clients, [`TicketKeys`] at servers |
//! | early data (0-RTT), for what may happen twice | [`ClientBuilder::early_data`], [`Handshake::early_data`]; [`ServerBuilder::early_data`], [`ReplayGuard`] |
//! | a secret that two parties share, in place of certificates | [`ExternalPsk`], [`ClientBuilder::external_psk`], [`ServerBuilder::external_psks`] |
//! | what a handshake asks the program: a configuration, a signature, a replay | [`Question`], [`Progress::Ask`], [`Status::Ask`] |
//! | a server whose certificate is renewed, or whose configuration changes otherwise, while it serves | [`LiveServer`] |
//! | how keys are agreed: X25519MLKEM768, X25519, secp256r1 | [`ClientBuilder::groups`], [`ServerBuilder::groups`] |
//! | issuing certificates for a private PKI | [`Authority`] |
//! | what went wrong, the alert that says so, and what to do about it | [`Error`], [`Fault`] |
//!
//! The [`guide`] explains each of these tasks in a section of its own. It also says what the
//! library does not do, and what happens to a key.
//!
//! # The floors
//!
//! For those who read the source: a file imports only from floors below its own, and a test holds
//! that.
//!
//! ```text
//! F10 internals           what works on secrets, for this repository's own benchmarks and tests, behind the feature `_internals`: no part of the API
//! F9  stream/             what applications hold: a handshake and a stream over a transport
//! F8  connection/         the sans-IO core: bytes in, events out; plaintext in, bytes out
//! F7  client/  server/    the two state machines of appendix A, each with its table (state, message) -> handler
//! F6  handshake/          what both of them share
//! F5  record/             section 5: records sealed, opened, taken apart and joined
//!     session/            pre-shared keys: from outside, and from earlier connections: tickets, a client's cache, what keeps early data from coming twice
//! F4  key_schedule/       section 7: secrets in, secrets out
//!     identity/           who we are and whom we trust
//! F3  crypto/             primitives behind plain functions and small enums
//!     message/            section 4: bytes to types and back; no policy, no crypto
//! F2  error/              one error, one alert
//! F1  secret  code_point  level  time  sync
//! ```
//!
//! [RFC 9846]: https://www.rfc-editor.org/rfc/rfc9846

#![cfg_attr(not(feature = "accelerate"), forbid(unsafe_code))]
#![cfg_attr(feature = "accelerate", deny(unsafe_code))]
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
pub use crypto::random::SystemRandom;
pub use error::{CertificateError, ConfigError, DecodeProblem, Error, Fault, Illegal, NameError};
pub use handshake::{Answer, EarlyData, Negotiated, Question};
pub use identity::{
    Authority, AuthorityBuilder, CertificateBuilder, CertificateInfo, Identity, Peer, PublicKey,
    RevocationListBuilder, RevocationLists, ServerName, Signer, Trust, Validity,
};
pub use record::Padding;
pub use secret::Secret;
pub use server::{ClientAuth, ClientHello, LiveServer, Server, ServerBuilder};
pub use session::{
    ExternalPsk, PskIdentity, PskNames, ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict,
    SessionCache, TicketKey, TicketKeys,
};
pub use stream::{EarlyDataWriter, Handshake, Pair, Progress, ReadHalf, Split, Stream, WriteHalf};
pub use time::Now;

#[doc = include_str!("guide.md")]
pub mod guide {}

/// The README's examples, so that `cargo test` compiles them.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
