//! Tests that no secret is shown by a `Debug`, `Display` or error of any public type, at any stage,
//! in any form that a log would give it.
//!
//! Everything is formatted while it is alive. Every `Secret` is recorded as it is dropped, and then
//! looked for in all that was formatted.

use core::fmt::{Debug, Display};
use core::str::FromStr;
use core::time::Duration;

use crate::client::Client;
use crate::connection::{Connection, Status};
use crate::crypto::random::{self, SystemRandom};
use crate::error::{ConfigError, Error, Fault, Illegal, NameError};
use crate::identity::{Authority, Identity, PublicKey, ServerName, Trust, Validity};
use crate::key_schedule::{EarlySecret, ExporterSecret, TrafficSecret};
use crate::secret::{Secret, recorder};
use crate::server::{ClientAuth, Server};
use crate::session::{ExternalPsk, PskNames};
use crate::time::Now;

/// Fails to compile if the type has the trait, because then there are two candidates for `f`.
macro_rules! assert_is_not {
    ($type:ty: $($bound:path),+) => {$({
        trait Ambiguous<A> {
            fn f() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Has;
        impl<T: ?Sized + $bound> Ambiguous<Has> for T {}
        <$type as Ambiguous<_>>::f();
    })+};
}

/// A secret, and what is made of one, cannot be shown, copied or compared by accident.
#[test]
fn a_secret_cannot_be_shown() {
    assert_is_not!(
        Secret: Display,
        Clone,
        PartialEq,
        AsRef<[u8]>,
        core::ops::Deref,
        core::hash::Hash
    );
    assert_is_not!(EarlySecret: Debug, Clone);
    assert_is_not!(TrafficSecret: Debug, Clone);
    assert_is_not!(ExporterSecret: Debug, Clone);
    assert_is_not!(crate::crypto::aead::AeadKey: Debug, Clone);
    assert_is_not!(crate::crypto::hkdf::Prk: Debug, Clone);
    assert_is_not!(crate::crypto::hmac::HmacKey: Debug, Clone);
    assert_is_not!(crate::crypto::key_exchange::EphemeralKey: Debug, Clone);
    assert_is_not!(crate::crypto::signature::SigningKey: Debug, Clone);
    assert_is_not!(crate::record::Seal: Debug, Clone);
    assert_is_not!(crate::record::Open: Debug, Clone);
    assert_is_not!(crate::session::WirePsk: Debug, Clone);
    assert_is_not!(Connection: Display, Clone);
}

/// Everything that was formatted.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, value: &impl Debug) {
        self.0 += &format!("{value:?}\n{value:#?}\n{value:x?}\n{value:X?}\n");
    }

    fn error(&mut self, error: impl Into<Error>) {
        let error = error.into();
        self.debug(&error);
        self.0 += &error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            self.0 += &format!("{cause} {cause:?}");
            source = cause.source();
        }
        let io = std::io::Error::from(error);
        self.0 += &format!("{io} {io:?}");
    }
}

fn now() -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap(),
    }
}

fn deliver(from: &mut Connection, to: &mut Connection) -> Result<Status, Error> {
    while !from.output().is_empty() {
        let space = to.input();
        let count = space.len().min(from.output().len());
        space[..count].copy_from_slice(&from.output()[..count]);
        to.received(count);
        from.sent(count);
    }
    to.process(now(), &mut SystemRandom)
}

fn identities(shown: &mut Shown) -> (Authority, Identity, Identity) {
    let authority = Authority::new("shown").unwrap();
    let (server, client) = (
        authority.issue_server(["a.example"]).unwrap(),
        authority.issue_client("a client").unwrap(),
    );
    let again = Identity::from_key_pem(server.key_pem().unwrap().expose()).unwrap();
    shown.debug(&again);
    let (server_key, authority_key) = (server.key_pem().unwrap(), authority.key_pem());
    shown.debug(&server_key);
    for value in [&server, &client] {
        shown.debug(value);
        shown.debug(&value.public_key());
    }
    shown.debug(&authority);
    shown.debug(&authority.certificate());
    shown.debug(&Authority::builder("x"));
    shown.debug(&authority.trust());
    shown.debug(&Trust::key_for("a.example", server.public_key()));
    shown.debug(&Validity::unlimited());
    shown.debug(&ServerName::parse("a.example").unwrap());

    // A key where something else was expected, and damaged keys.
    let key = server_key.expose();
    let text = core::str::from_utf8(key).unwrap();
    let chain = server.chain_pem();
    shown.error(Identity::from_pem(key, &chain).unwrap_err());
    shown.error(Identity::from_pem(key, key).unwrap_err());
    shown.error(Identity::from_pem(&chain, authority_key.expose()).unwrap_err());
    shown.error(Authority::from_pem(key, key).unwrap_err());
    shown.error(Trust::roots_from_pem(key).unwrap_err());
    shown.error(PublicKey::from_str(text).unwrap_err());
    shown.error(ServerName::parse(text).unwrap_err());
    shown.error(ServerName::parse(text.lines().nth(1).unwrap()).unwrap_err());
    for cut in 0..key.len() {
        if let Err(error) = Identity::from_key_pem(&key[..cut]) {
            shown.error(error);
        }
        let mut changed = Secret::copy_of(key).expose().to_vec();
        changed[cut] ^= 0x11;
        if let Err(error) = Identity::from_pem(&chain, &changed) {
            shown.error(error);
        }
    }
    (authority, server, client)
}

fn external_psks(shown: &mut Shown) {
    let (secret, names) = (
        random::secret(&mut SystemRandom, 32).unwrap(),
        PskNames {
            own: "a.example",
            peer: "b.example",
        },
    );
    let secret = secret.expose();
    shown.debug(&names);
    shown.debug(&ExternalPsk::new("an identity", secret, names).unwrap());
    shown.debug(&ExternalPsk::not_imported("an identity", secret).unwrap());
    // Swapped arguments: an identity is public, but the error must not show this one.
    shown.error(ExternalPsk::new(secret, "too short", names).unwrap_err());
    shown.error(ExternalPsk::new("", secret, names).unwrap_err());
    shown.error(
        ExternalPsk::new(
            "an identity",
            secret,
            PskNames {
                own: "a",
                peer: "a",
            },
        )
        .unwrap_err(),
    );
    shown.error(ExternalPsk::not_imported([7; 2000], secret).unwrap_err());
    for cut in 0..16 {
        shown.error(ExternalPsk::new("an identity", &secret[..cut], names).unwrap_err());
        shown.error(ExternalPsk::not_imported("an identity", &secret[..cut]).unwrap_err());
    }
}

fn connections(shown: &mut Shown, authority: &Authority, server: Identity, client: Identity) {
    let builder = Client::builder()
        .trust(authority.trust())
        .identity(client)
        .alpn(["x"]);
    shown.debug(&builder);
    let client = builder.build().unwrap();
    let builder = Server::builder()
        .identity(server)
        .client_auth(ClientAuth::Required(authority.trust()))
        .alpn(["x"]);
    shown.debug(&builder);
    let server = builder.build().unwrap();
    shown.debug(&client);
    shown.debug(&server);
    shown.debug(&ClientAuth::Required(authority.trust()));

    let mut c = client
        .connection("a.example", now(), &mut SystemRandom)
        .unwrap();
    let mut s = Connection::undecided(now());
    let show = |shown: &mut Shown, c: &Connection, s: &Connection| {
        for connection in [c, s] {
            shown.debug(connection);
            shown.debug(&connection.negotiated());
            shown.debug(&connection.client_hello());
        }
    };
    show(shown, &c, &s);
    shown.debug(&deliver(&mut c, &mut s).unwrap());
    show(shown, &c, &s);
    s.choose(&server, now(), &mut SystemRandom).unwrap();
    show(shown, &c, &s);
    deliver(&mut s, &mut c).unwrap();
    show(shown, &c, &s);
    deliver(&mut c, &mut s).unwrap();
    show(shown, &c, &s);
    assert!(s.negotiated().unwrap().peer().is_some());
    drop((
        c.export_keying_material(b"label", b"", 32).unwrap(),
        s.export_keying_material(b"label", b"", 32).unwrap(),
    ));
    for _ in 0..2 {
        c.rekey().unwrap();
        s.write(b"text").unwrap();
        deliver(&mut c, &mut s).unwrap();
        deliver(&mut s, &mut c).unwrap();
        show(shown, &c, &s);
        c.consume(usize::MAX);
    }
    shown.error(c.export_keying_material(b"", b"", 32).err().unwrap());
    // One side fails, and the other receives its alert.
    let space = s.input();
    space[..22].copy_from_slice(&[[23, 3, 3, 0, 17].as_slice(), &[0; 17]].concat());
    s.received(22);
    shown.error(s.process(now(), &mut SystemRandom).unwrap_err());
    shown.error(deliver(&mut s, &mut c).unwrap_err());
    show(shown, &c, &s);
    shown.error(Fault::Illegal(Illegal::Compression).in_state("START"));
    shown.error(ConfigError::KeyMismatch);
    shown.error(NameError::Invalid);
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the base64 form of three bytes.
fn base64(bytes: &[u8]) -> String {
    let bits = bytes
        .iter()
        .fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
    [18, 12, 6, 0]
        .map(|shift| char::from(BASE64[bits >> shift & 63]))
        .iter()
        .collect()
}

/// Returns nine bytes in every form in which a log might write them.
fn forms(bytes: &[u8]) -> Vec<String> {
    let join = |each: &dyn Fn(&u8) -> String, between| {
        bytes.iter().map(each).collect::<Vec<_>>().join(between)
    };
    vec![
        join(&|byte| format!("{byte:02x}"), ""),
        join(&|byte| format!("{byte:02X}"), ""),
        join(&|byte| format!("{byte}"), ", "),
        join(&|byte| format!("{byte:x}"), ", "),
        join(&|byte| format!("{byte:X}"), ", "),
        join(&|byte| format!("{byte:02x}"), ":"),
        join(&|byte| format!("        {byte},"), "\n"),
        bytes.escape_ascii().to_string(),
        String::from_utf8_lossy(bytes).into_owned(),
        bytes.chunks(3).map(base64).collect(),
    ]
}

#[test]
fn nothing_secret_is_shown() {
    let mut shown = Shown::default();
    recorder::take();
    let (authority, server, client) = identities(&mut shown);
    connections(&mut shown, &authority, server, client);
    external_psks(&mut shown);
    drop(authority);
    let secrets = recorder::take();
    assert!(
        secrets.len() > 100 && shown.0.len() > 10_000,
        "{} {}",
        secrets.len(),
        shown.0.len()
    );

    assert_not_in(&shown.0, &secrets);
    // Public values are found, which proves that secrets would be.
    assert!(shown.0.contains("a.example") && shown.0.contains("CONNECTED"));
}

/// Asserts that no part of these secrets is in the text, in any form.
pub(super) fn assert_not_in(text: &str, secrets: &[Vec<u8>]) {
    // RFC 8410, section 7: the bytes before every seed are not secret.
    let public: [&[u8]; 2] = [
        &[
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ],
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI\n-----END PRIVATE KEY-----\n",
    ];
    let known = |bytes: &[u8]| {
        public
            .iter()
            .any(|known| known.windows(bytes.len()).any(|window| window == bytes))
    };
    let mut looked_for = 0;
    for secret in secrets {
        for bytes in secret.chunks_exact(9).filter(|bytes| !known(bytes)) {
            for form in forms(bytes) {
                assert!(
                    !text.contains(&form),
                    "{form:?}, of a secret of {} bytes, is shown",
                    secret.len()
                );
                looked_for += 1;
            }
        }
    }
    assert!(looked_for > 1000, "{looked_for}");
}

#[test]
fn this_test_knows_the_forms() {
    let bytes = [0x00, 0x10, 0xff, 0x41, 0x42, 0x43, 0x0a, 0x5c, 0x7f];
    let shown = format!("{bytes:?} {bytes:x?} {bytes:X?} {bytes:02x?} {bytes:#?} ABD/QUJDClx/")
        .replace("02, ", "2, ");
    for index in [2, 3, 4, 9] {
        assert!(
            shown.contains(&forms(&bytes)[index]),
            "{}",
            forms(&bytes)[index]
        );
    }
    assert!(format!("{:#?}", [bytes]).contains(&forms(&bytes)[6]));
}
