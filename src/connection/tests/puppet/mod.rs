//! A peer that the test controls: it chooses every message, record, key, padding and boundary.
//!
//! 1. [`Puppet::say`] sends a handshake message as a correct peer would; [`Puppet::protect`] and
//!    [`plain`] make any possible record.
//! 2. [`Puppet::feed`] passes bytes to the connection under test, and takes the resulting
//!    plaintext.
//! 3. [`Puppet::hear`] opens what the connection under test sends, record by record, under the keys
//!    that the standard requires.
//! 4. [`Puppet::refused`] ends every test of a violation: it checks the typed error, the alert that
//!    the peer decrypts, and that nothing else is sent.
//!
//! The puppet has its own record protection, because `record::Seal` would refuse most of what must
//! be tried here. The primitives and the key schedule are the crate's, which RFC 8448 has proven.

pub(super) mod client;
pub(super) mod early_client;
pub(super) mod early_server;
pub(super) mod retry;
pub(super) mod server;
pub(super) mod session;

use core::time::Duration;
use std::sync::LazyLock;

use crate::client::Client;
use crate::code_point::NamedGroup;
use crate::connection::sink::{ConnectionSink, Decided};
use crate::connection::tests::puppet::session::Psk;
use crate::connection::{Connection, Status};
use crate::crypto::aead::AeadKey;
use crate::crypto::hash::Digest;
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault};
use crate::handshake::Sink;
use crate::identity::{Authority, Identity, Validity};
use crate::key_schedule::{EarlySecret, FinishedKey, Iv, TrafficSecret};
use crate::secret::Secret;
use crate::server::Server;
use crate::time::Now;

pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// The identities in these tests, made once.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) stranger: Authority,
    pub(crate) server: Identity,
    pub(crate) client: Identity,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority = Authority::builder("test")
        .validity(Validity::unlimited())
        .build()
        .unwrap();
    let server = authority.issue_server(["db.internal"]).unwrap();
    let client = authority.issue_client("me").unwrap();
    World {
        authority,
        stranger: Authority::new("stranger").unwrap(),
        server,
        client,
    }
});

pub(crate) fn now() -> Now {
    let unix = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Now {
        monotonic: Duration::ZERO,
        unix,
    }
}

/// This much later. Nobody waits for the time to pass, so the handshake does not time out.
pub(crate) fn in_the_future(by: Duration) -> Now {
    let Now { monotonic, unix } = now();
    Now {
        monotonic,
        unix: unix + by,
    }
}

pub(crate) fn client() -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .build()
        .unwrap()
}

pub(crate) fn server() -> Server {
    Server::builder()
        .identity(WORLD.server.clone())
        .build()
        .unwrap()
}

/// One direction's keys.
pub(crate) struct Keys {
    suite: Suite,
    secret: Option<TrafficSecret>,
    key: AeadKey,
    iv: Iv,
    pub(crate) sequence: u64,
}

impl Keys {
    pub(crate) fn new(suite: Suite, secret: TrafficSecret) -> Self {
        let (key, iv) = secret.keys(suite);
        Self {
            suite,
            secret: Some(secret),
            key,
            iv,
            sequence: 0,
        }
    }

    /// RFC 9846, 7.2: the next generation.
    pub(crate) fn update(&mut self) {
        *self = Self::new(self.suite, self.secret.take().unwrap().next());
    }

    /// RFC 9846, 5.2: the whole record for a TLSInnerPlaintext of any shape.
    pub(crate) fn seal(&mut self, version: u16, inner: &[u8]) -> Vec<u8> {
        let mut record = header(APPLICATION_DATA, version, inner.len() + 16);
        let mut body = inner.to_vec();
        let tag = self
            .key
            .seal_in_place(&self.iv.nonce(self.sequence), &record, &mut body)
            .unwrap();
        self.sequence += 1;
        record.extend_from_slice(&body);
        record.extend_from_slice(&tag);
        record
    }

    /// Returns the TLSInnerPlaintext of a record, if it opens as the one with this number.
    pub(crate) fn try_open(&self, sequence: u64, header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let (inner, tag) = body.split_last_chunk::<16>()?;
        let mut inner = inner.to_vec();
        let nonce = self.iv.nonce(sequence);
        let opened = self.key.open_in_place(&nonce, header, &mut inner, tag);
        opened.ok().map(|_| inner)
    }

    /// Opens a record, and returns its TLSInnerPlaintext.
    fn open(&mut self, header: &[u8], body: &[u8]) -> Vec<u8> {
        let (inner, tag) = body.split_last_chunk::<16>().expect("room for a tag");
        let mut inner = inner.to_vec();
        self.key
            .open_in_place(&self.iv.nonce(self.sequence), header, &mut inner, tag)
            .expect("a record under the keys that the standard requires");
        self.sequence += 1;
        inner
    }
}

fn header(content_type: u8, version: u16, length: usize) -> Vec<u8> {
    let mut header = vec![content_type];
    header.extend_from_slice(&version.to_be_bytes());
    header.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    header
}

/// An unprotected record.
pub(crate) fn plain(content_type: u8, content: &[u8]) -> Vec<u8> {
    plain_version(content_type, 0x0303, content)
}

pub(crate) fn plain_version(content_type: u8, version: u16, content: &[u8]) -> Vec<u8> {
    [&header(content_type, version, content.len()), content].concat()
}

/// A handshake message of any type and content.
pub(crate) fn message(msg_type: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[msg_type], &length[1..], body].concat()
}

/// What the connection under test sent in one record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The type on the wire, 23 for a protected record.
    pub(crate) outer: u8,
    pub(crate) version: u16,
    /// The content's own type.
    pub(crate) content_type: u8,
    pub(crate) content: Vec<u8>,
    pub(crate) padding: usize,
}

/// Which side the puppet plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The state of the key schedule.
pub(crate) struct Schedule {
    pub(crate) client_finished: FinishedKey,
    pub(crate) server_finished: FinishedKey,
    pub(crate) main: crate::key_schedule::MainSecret,
    /// It waits for the client's Finished.
    pub(crate) client_application: Option<TrafficSecret>,
    pub(crate) server_application: Option<TrafficSecret>,
}

/// The peer, and the connection under test.
pub(crate) struct Puppet {
    pub(crate) side: Side,
    pub(crate) us: Connection,
    pub(crate) suite: Suite,
    pub(crate) write: Option<Keys>,
    pub(crate) read: Option<Keys>,
    pub(crate) transcript: Vec<u8>,
    pub(crate) schedule: Option<Schedule>,
    /// The group of the key exchange.
    pub(crate) group: Group,
    /// The key exchange's result, until the hellos are in the transcript.
    pub(crate) shared: Option<Secret>,
    /// The PSK that was selected.
    pub(crate) psk: Option<Secret>,
    pub(crate) key: Option<crate::crypto::key_exchange::EphemeralKey>,
    pub(crate) client_hello: Vec<u8>,
    pub(crate) session_id: Vec<u8>,
    /// The supported_groups of our ClientHello.
    pub(crate) groups: Vec<NamedGroup>,
    /// The psk_key_exchange_modes of our ClientHello. If empty, the extension is not sent.
    pub(crate) modes: Vec<u8>,
    /// The PSKs that our ClientHello offers, with binders.
    pub(crate) psks: Vec<Psk>,
    /// If true, our ClientHello offers early data, under the first of them.
    pub(crate) offers_early_data: bool,
    /// The keys of the offered early data.
    pub(crate) early: Option<Keys>,
    /// Our handshake keys, while accepted early data has not ended.
    pub(crate) deferred: Option<Keys>,
    /// If true, the dummy ChangeCipherSpec was heard, which is sent only once (RFC 9846, E.4).
    pub(crate) changed_cipher_spec: bool,
    /// The identity that we present in Certificate.
    pub(crate) identity: Identity,
    /// Our client's handshake keys, while its early data has not ended.
    pub(crate) deferred_read: Option<Keys>,
    /// If true, we are a server that accepts early data.
    pub(crate) takes_early_data: bool,
    /// The plaintext that the connection under test has received.
    pub(crate) delivered: Vec<u8>,
    /// The early data that it has received.
    pub(crate) early_data: Vec<u8>,
    /// How far the clock of the connection under test is ahead.
    pub(crate) later: Duration,
    /// The time that its clock shows, if it must not advance by itself: Unix time.
    pub(crate) clock: Option<Duration>,
    pub(crate) raw: Vec<u8>,
    pub(crate) messages: Vec<u8>,
}

impl Puppet {
    pub(crate) fn new(side: Side, us: Connection) -> Self {
        let identity = if side == Side::Server {
            WORLD.server.clone()
        } else {
            WORLD.client.clone()
        };
        Self {
            side,
            us,
            suite: Suite::Aes128GcmSha256,
            write: None,
            read: None,
            transcript: Vec::new(),
            schedule: None,
            group: Group::X25519,
            shared: None,
            psk: None,
            key: None,
            client_hello: Vec::new(),
            session_id: Vec::new(),
            groups: vec![NamedGroup(0x001d)],
            modes: Vec::new(),
            psks: Vec::new(),
            offers_early_data: false,
            early: None,
            deferred: None,
            changed_cipher_spec: false,
            identity,
            deferred_read: None,
            takes_early_data: false,
            delivered: Vec::new(),
            early_data: Vec::new(),
            later: Duration::ZERO,
            clock: None,
            raw: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Our client and our server in the clear, before they have received anything.
    pub(crate) fn both_in_the_clear() -> [Self; 2] {
        [Self::client_at("WAIT_SH"), Self::server_at("START")]
    }

    /// Our client and our server under handshake keys.
    pub(crate) fn both_in_handshake() -> [Self; 2] {
        [Self::client_at("WAIT_EE"), Self::server_at("WAIT_FINISHED")]
    }

    /// Our client and our server under application keys.
    pub(crate) fn both_connected() -> [Self; 2] {
        [Self::client_at("CONNECTED"), Self::server_at("CONNECTED")]
    }

    /// The state of the connection under test, by its name in RFC 9846, appendix A.
    pub(crate) fn state(&self) -> &'static str {
        self.us.receiver.machine.state_name()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.suite.hash().hash(&self.transcript)
    }

    // ---- towards the connection under test ----

    /// Returns a record with this content under the current keys, protected if there are any.
    pub(crate) fn record(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        match &self.write {
            Some(_) => self.protect(content_type, content, 0),
            None => plain(content_type, content),
        }
    }

    /// Returns a protected record with this content and padding.
    pub(crate) fn protect(&mut self, content_type: u8, content: &[u8], padding: usize) -> Vec<u8> {
        self.protect_inner(&[content, &[content_type], &vec![0; padding]].concat())
    }

    /// Returns a protected record with this TLSInnerPlaintext.
    pub(crate) fn protect_inner(&mut self, inner: &[u8]) -> Vec<u8> {
        self.write.as_mut().expect("keys").seal(0x0303, inner)
    }

    /// Passes bytes to the connection and takes the resulting plaintext.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<Status, Error> {
        loop {
            let space = self.us.input();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.us.received(count);
            bytes = &bytes[count..];
            let status = self.process()?;
            if bytes.is_empty() {
                return Ok(status);
            }
        }
    }

    fn process(&mut self) -> Result<Status, Error> {
        let now = self.clock.map_or_else(
            || in_the_future(self.later),
            |unix| Now {
                monotonic: Duration::ZERO,
                unix,
            },
        );
        loop {
            match self.us.process(now, &mut SystemRandom)? {
                Status::EarlyData => {
                    assert!(
                        self.us.plaintext().is_empty() && !self.us.early_plaintext().is_empty()
                    );
                    self.early_data.extend_from_slice(self.us.early_plaintext());
                    self.us.consume(usize::MAX);
                }
                Status::Data => {
                    assert!(self.us.early_plaintext().is_empty());
                    self.delivered.extend_from_slice(self.us.plaintext());
                    self.us.consume(usize::MAX);
                }
                status => return Ok(status),
            }
        }
    }

    /// Sends a handshake message in a record of its own.
    pub(crate) fn say(&mut self, message: &[u8]) -> Result<Status, Error> {
        self.transcript.extend_from_slice(message);
        let record = self.record(HANDSHAKE, message);
        self.feed(&record)
    }

    /// Sends application data.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<Status, Error> {
        let record = self.protect(APPLICATION_DATA, data, 0);
        self.feed(&record)
    }

    pub(crate) fn alert(&mut self, level: u8, description: u8) -> Result<Status, Error> {
        let record = self.record(ALERT, &[level, description]);
        self.feed(&record)
    }

    /// Makes the connection under test do what a step has decided.
    pub(crate) fn decide(&mut self, step: impl FnOnce(&mut dyn Sink)) -> Result<(), Error> {
        let mut sink = ConnectionSink {
            sender: Some(&mut self.us.sender),
            decided: Decided::default(),
        };
        step(&mut sink);
        let decided = sink.decided;
        self.us.receiver.apply(decided, now(), &mut self.us.sender)
    }

    // ---- from the connection under test ----

    /// Returns true if there is more output to hear.
    pub(crate) fn has_more_to_hear(&mut self) -> bool {
        self.raw.extend_from_slice(self.us.output());
        self.us.sent(usize::MAX);
        !self.raw.is_empty() || !self.messages.is_empty()
    }

    /// Takes this many bytes of its output. They are heard with the rest.
    pub(crate) fn take(&mut self, count: usize) {
        self.raw.extend_from_slice(&self.us.output()[..count]);
        self.us.sent(count);
    }

    /// Hears the next record that it sent, if any.
    pub(crate) fn hear(&mut self) -> Option<Record> {
        self.raw.extend_from_slice(self.us.output());
        self.us.sent(usize::MAX);
        if self.raw.is_empty() {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([self.raw[3], self.raw[4]]));
        let record: Vec<u8> = self.raw.drain(..5 + length).collect();
        let (head, body) = record.split_at(5);
        let (outer, version) = (head[0], u16::from_be_bytes([head[1], head[2]]));
        if outer != APPLICATION_DATA {
            assert!(
                self.read.is_none() || outer == CHANGE_CIPHER_SPEC,
                "sent unprotected though there are keys: {record:?}"
            );
            return Some(Record {
                outer,
                version,
                content_type: outer,
                content: body.to_vec(),
                padding: 0,
            });
        }
        let inner = self
            .read
            .as_mut()
            .expect("a protected record, and no keys yet")
            .open(head, body);
        let end = inner
            .iter()
            .rposition(|byte| *byte != 0)
            .expect("a content type");
        Some(Record {
            outer,
            version,
            content_type: inner[end],
            content: inner[..end].to_vec(),
            padding: inner.len() - end - 1,
        })
    }

    /// Hears the next record, which must have this type.
    pub(crate) fn hear_type(&mut self, content_type: u8) -> Record {
        let record = self.hear().expect("a record");
        assert_eq!(record.content_type, content_type, "{record:?}");
        record
    }

    /// Hears the next record, which must be an alert. RFC 9846, E.4: a client's alert under
    /// handshake keys is preceded by what precedes its second flight.
    pub(crate) fn hear_alert(&mut self) -> Record {
        if self.side == Side::Server && self.read.is_some() {
            self.hear_change_cipher_spec();
        }
        self.hear_type(ALERT)
    }

    /// Hears the next handshake message, and adds it to the transcript.
    pub(crate) fn hear_message(&mut self) -> Vec<u8> {
        loop {
            if let [_, high, middle, low, ..] = self.messages[..] {
                let length =
                    4 + usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap();
                if self.messages.len() >= length {
                    let message: Vec<u8> = self.messages.drain(..length).collect();
                    self.transcript.extend_from_slice(&message);
                    return message;
                }
            }
            let record = self.hear_type(HANDSHAKE);
            self.messages.extend_from_slice(&record.content);
        }
    }

    /// RFC 9846, E.4: hears the dummy ChangeCipherSpec, which is required if the session id is not
    /// empty, and is sent only once.
    pub(crate) fn hear_change_cipher_spec(&mut self) {
        if !self.session_id.is_empty() && !self.changed_cipher_spec {
            assert_eq!(self.hear_type(CHANGE_CIPHER_SPEC).content, [1]);
            self.changed_cipher_spec = true;
        }
    }

    /// Returns true if the messages heard so far ended with their record.
    pub(crate) fn heard_all_messages(&self) -> bool {
        self.messages.is_empty()
    }

    /// Asserts that nothing was sent.
    pub(crate) fn hears_nothing(&mut self) {
        let record = self.hear();
        assert_eq!(record, None);
    }

    // ---- the result of a violation ----

    /// Asserts that these bytes are refused in this state: by a typed error, with the alert under
    /// the current keys and nothing else, and permanently.
    #[track_caller]
    pub(crate) fn refused(&mut self, bytes: &[u8], state: &str, alert: u8) -> Fault {
        let (delivered, handshaking) = (
            self.delivered.len() + self.early_data.len(),
            self.us.is_handshaking(),
        );
        let error = self.feed(bytes).expect_err("a refusal");
        let fault = match &error {
            Error::Protocol { state: at, fault } => {
                assert_eq!(*at, state, "{error}");
                fault.clone()
            }
            other => panic!("{other}"),
        };
        assert_eq!(fault.alert().0, alert, "{error}");
        assert_eq!(
            self.delivered.len() + self.early_data.len(),
            delivered,
            "refused bytes gave plaintext"
        );
        assert!(
            self.us.plaintext().is_empty() && self.us.early_plaintext().is_empty(),
            "plaintext of refused bytes is held"
        );
        self.has_failed(&error, Some(alert));
        assert!(!handshaking || self.us.negotiated().is_none());
        fault
    }

    /// Asserts that the connection has failed permanently with this error, and sent this alert.
    #[track_caller]
    pub(crate) fn has_failed(&mut self, error: &Error, alert: Option<u8>) {
        // RFC 9846, A.1: clients "SHOULD first rekey to the handshake keys if possible".
        self.end_early_data();
        if let Some(alert) = alert {
            let record = self.hear_alert();
            // RFC 9846, section 6: all alerts but close_notify and user_canceled are fatal(2).
            assert_eq!(record.content, [2, alert]);
            assert_eq!(
                record.outer,
                if self.read.is_some() {
                    APPLICATION_DATA
                } else {
                    ALERT
                }
            );
        }
        self.hears_nothing();
        let same = |other: Error| assert_eq!(other.to_string(), error.to_string());
        same(self.process().expect_err("the first error sticks"));
        // Nothing that follows is processed, whether right or wrong.
        let more = if self.write.is_some() {
            self.protect(APPLICATION_DATA, b"more", 0)
        } else {
            plain(ALERT, &[2, 40])
        };
        let delivered = self.delivered.len();
        same(self.feed(&more).expect_err("the first error sticks"));
        same(self.feed(&[0xff; 600]).expect_err("the first error sticks"));
        assert_eq!(self.delivered.len(), delivered);
        same(
            self.us
                .write(b"data")
                .expect_err("nothing is sent after a failure"),
        );
        same(
            self.us
                .rekey()
                .expect_err("nothing is sent after a failure"),
        );
        same(
            self.us
                .export_keying_material(b"label", b"", 32)
                .expect_err("keys are forgotten"),
        );
        assert!(self.us.negotiated().is_none() && self.us.next_timeout().is_none());
        self.us.close();
        self.hears_nothing();
    }

    // ---- keys ----

    /// Once the hellos are in the transcript, installs both handshake keys for us (RFC 9846, 7.1
    /// and 7.3).
    pub(crate) fn install_handshake_keys(&mut self) {
        let shared = self.shared.take().expect("a shared secret");
        let secret = EarlySecret::new(self.suite.hash(), self.psk.as_ref()).into_handshake(shared);
        let digest = self.digest();
        let (client, server) = (
            secret.client_traffic(&digest),
            secret.server_traffic(&digest),
        );
        self.schedule = Some(Schedule {
            client_finished: client.finished_key(),
            server_finished: server.finished_key(),
            main: secret.into_main(),
            client_application: None,
            server_application: None,
        });
        let (write, read) = if self.side == Side::Client {
            (client, server)
        } else {
            (server, client)
        };
        self.write = Some(Keys::new(self.suite, write));
        self.read = Some(Keys::new(self.suite, read));
    }

    /// Once the server's Finished is in the transcript, derives both application secrets.
    pub(crate) fn derive_application_secrets(&mut self) {
        let digest = self.digest();
        let schedule = self.schedule.as_mut().expect("handshake keys");
        schedule.client_application = Some(schedule.main.client_traffic(&digest));
        schedule.server_application = Some(schedule.main.server_traffic(&digest));
    }

    /// Installs the application keys for the records of one side.
    pub(crate) fn install_application_keys(&mut self, sender: Side) {
        let schedule = self.schedule.as_mut().expect("handshake keys");
        let secret = if sender == Side::Client {
            &mut schedule.client_application
        } else {
            &mut schedule.server_application
        };
        let keys = Keys::new(self.suite, secret.take().expect("the server's Finished"));
        *(if sender == self.side {
            &mut self.write
        } else {
            &mut self.read
        }) = Some(keys);
    }

    // ---- messages that both sides send ----

    /// RFC 9846, 4.5.2: returns what a CertificateVerify signs, written out from the standard.
    pub(crate) fn signed_content(&self, signer: Side) -> Vec<u8> {
        let context: &[u8] = match signer {
            Side::Client => b"TLS 1.3, client CertificateVerify",
            Side::Server => b"TLS 1.3, server CertificateVerify",
        };
        [&[0x20; 64], context, &[0], self.digest().as_bytes()].concat()
    }

    /// Returns a Certificate with an entry for each certificate of the chain, without extensions.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        certificate_of(&self.identity)
    }

    pub(crate) fn certificate_verify(&self) -> Vec<u8> {
        certificate_verify_of(
            0x0807,
            &self
                .identity
                .sign(&self.signed_content(self.side))
                .unwrap()
                .unwrap(),
        )
    }

    pub(crate) fn finished(&self) -> Vec<u8> {
        let schedule = self.schedule.as_ref().expect("handshake keys");
        let key = if self.side == Side::Client {
            &schedule.client_finished
        } else {
            &schedule.server_finished
        };
        message(20, &key.verify_data(&self.digest()))
    }
}

/// RFC 9846, 4.5.1: returns a Certificate message.
pub(crate) fn certificate_of(identity: &Identity) -> Vec<u8> {
    let entries: Vec<_> = identity
        .certificates()
        .iter()
        .map(|der| (der.as_slice(), &[][..]))
        .collect();
    certificate_message(&[], &entries)
}

/// Returns a Certificate with a context, certificates, and the encoded extensions of each.
pub(crate) fn certificate_message(context: &[u8], entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = entries
        .iter()
        .flat_map(|(der, extensions)| [vector(3, der), vector(2, extensions)].concat())
        .collect();
    message(11, &[vector(1, context), vector(3, &list)].concat())
}

/// RFC 9846, 4.5.2: a CertificateVerify message.
pub(crate) fn certificate_verify_of(scheme: u16, signature: &[u8]) -> Vec<u8> {
    message(
        15,
        &[&scheme.to_be_bytes()[..], &vector(2, signature)].concat(),
    )
}

/// `opaque vector<..>` with a length field of this many bytes.
pub(crate) fn vector(width: usize, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().to_be_bytes();
    [&length[length.len() - width..], bytes].concat()
}

/// `Extension`
pub(crate) fn extension(extension_type: u16, data: &[u8]) -> Vec<u8> {
    [&extension_type.to_be_bytes()[..], &vector(2, data)].concat()
}

/// Asserts that a violation is refused in this state, with this alert and this fault.
macro_rules! refused {
    ($puppet:expr, $bytes:expr, $state:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let bytes = $bytes;
        let fault = $puppet.refused(&bytes, $state, $alert);
        assert!(matches!(fault.clone(), $fault $(if $guard)?), "{fault:?}");
    }};
}

pub(crate) use refused;
