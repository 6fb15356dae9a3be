//! The puppet as a client, for the tests of our server: one method for each message, with a way to
//! change it.

use core::mem::discriminant;

use crate::code_point::{
    CipherSuite, ExtensionType, ProtocolVersion, PskKeyExchangeMode, SignatureScheme,
};
use crate::connection::tests::puppet::{Puppet, Side, WORLD, now, server};
use crate::crypto::key_exchange::EphemeralKey;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::message::{self, ClientHello, ClientHelloExtension, KeyShareEntry, Message};
use crate::secret::Secret;
use crate::server::{ClientAuth, Server};

/// The states of our server, in the order of RFC 9846, A.2. It passes through the others without
/// receiving anything.
pub(crate) const SERVER_STATES: [&str; 5] = [
    "START",
    "WAIT_CERT",
    "WAIT_CV",
    "WAIT_FINISHED",
    "CONNECTED",
];

/// Our server, which asks for a client certificate.
pub(crate) fn asking_server(client_auth: ClientAuth) -> Server {
    Server::builder()
        .identity(WORLD.server.clone())
        .client_auth(client_auth)
        .build()
        .unwrap()
}

pub(crate) fn required() -> ClientAuth {
    ClientAuth::Required(WORLD.authority.trust())
}

impl Puppet {
    /// Our server waits for a ClientHello.
    pub(crate) fn calling(server: &Server) -> Self {
        let mut puppet = Self::new(Side::Client, server.connection(now()));
        puppet.session_id = vec![0x1d; 32];
        puppet.key = Some(EphemeralKey::generate(puppet.group, &mut SystemRandom).unwrap());
        puppet
    }

    /// Our server is in this state, and all its output was heard. For WAIT_CERT and WAIT_CV it must
    /// ask for a certificate.
    pub(crate) fn calling_at(server: &Server, state: &str) -> Self {
        let mut puppet = Self::calling(server);
        puppet.lead_server_to(state);
        puppet
    }

    /// Our server is in this state. It asks for a certificate if the state requires that.
    pub(crate) fn server_at(state: &str) -> Self {
        match state {
            "WAIT_CERT" | "WAIT_CV" => Self::calling_at(&asking_server(required()), state),
            _ => Self::calling_at(&server(), state),
        }
    }

    pub(crate) fn lead_server_to(&mut self, state: &str) {
        while self.state() != state {
            let message = match self.state() {
                "START" => {
                    self.say_client_hello();
                    self.hear_flight();
                    continue;
                }
                "WAIT_EOED" => {
                    self.say_end_of_early_data();
                    continue;
                }
                "WAIT_CERT" => self.certificate(),
                "WAIT_CV" => self.certificate_verify(),
                "WAIT_FINISHED" => {
                    self.say_client_finished();
                    continue;
                }
                other => panic!("nothing leads from {other} to {state}"),
            };
            self.say(&message).unwrap();
        }
        self.hears_nothing();
    }

    /// Returns a ClientHello that our server accepts, except for what `edit` changes.
    pub(crate) fn make_client_hello(&self, edit: impl FnOnce(&mut ClientHello<'_>)) -> Vec<u8> {
        let key = self.key.as_ref().unwrap();
        let mut hello = ClientHello {
            legacy_version: ProtocolVersion(0x0303),
            random: [0xc1; 32],
            session_id: &self.session_id,
            cipher_suites: vec![self.suite.code_point()],
            compression_methods: &[0],
            extensions: Some(vec![
                ClientHelloExtension::ServerName(vec![message::ServerName::HostName(
                    "db.internal",
                )]),
                ClientHelloExtension::SupportedGroups(self.groups.clone()),
                ClientHelloExtension::SignatureAlgorithms(vec![SignatureScheme(0x0807)]),
                ClientHelloExtension::SupportedVersions(vec![ProtocolVersion(0x0304)]),
                ClientHelloExtension::KeyShare(vec![KeyShareEntry {
                    group: key.group().code_point(),
                    key_exchange: key.public(),
                }]),
            ]),
        };
        if !self.modes.is_empty() {
            add(
                &mut hello,
                ClientHelloExtension::PskKeyExchangeModes(
                    self.modes.iter().copied().map(PskKeyExchangeMode).collect(),
                ),
            );
        }
        if self.offers_early_data {
            add(&mut hello, ClientHelloExtension::EarlyData);
        }
        edit(&mut hello);
        self.encode_with_psks(hello)
    }

    pub(crate) fn say_client_hello(&mut self) {
        let hello = self.make_client_hello(|_| {});
        self.derive_early_keys(&hello);
        self.say(&hello).unwrap();
    }

    /// Hears the server's first flight up to its Finished, which is verified. Returns the messages.
    /// The keys in both directions then follow A.2.
    pub(crate) fn hear_flight(&mut self) -> Vec<Vec<u8>> {
        let mut flight = vec![self.hear_server_hello()];
        flight.extend(self.hear_to_finished());
        self.defer_if_accepted(&flight[1]);
        flight
    }

    /// Hears the server's ServerHello, and derives the keys.
    pub(crate) fn hear_server_hello(&mut self) -> Vec<u8> {
        let server_hello = self.hear_message();
        {
            let Message::ServerHello(hello) = Message::decode(&server_hello).unwrap() else {
                panic!("{server_hello:?}")
            };
            assert_eq!(hello.legacy_version, ProtocolVersion(0x0303));
            assert_eq!(hello.session_id_echo, self.session_id);
            assert_eq!(hello.compression_method, 0);
            assert_eq!(hello.supported_versions(), Some(ProtocolVersion(0x0304)));
            self.suite = Suite::from_code_point(CipherSuite(hello.cipher_suite.0)).unwrap();
            self.psk = hello
                .pre_shared_key()
                .map(|index| Secret::copy_of(&self.psks[usize::from(index)].key));
            let share = hello.key_share().unwrap();
            assert_eq!(share.group, self.group.code_point());
            self.shared = Some(self.key.take().unwrap().agree(share.key_exchange).unwrap());
        }
        assert!(
            self.heard_all_messages(),
            "RFC 9846, 5.1: ServerHello ends its record"
        );
        // RFC 9846, E.4: "immediately after its first handshake message".
        self.hear_change_cipher_spec();
        self.install_handshake_keys();
        server_hello
    }

    /// Hears the rest of the server's first flight.
    pub(crate) fn hear_to_finished(&mut self) -> Vec<Vec<u8>> {
        let mut flight = Vec::new();
        while flight
            .last()
            .is_none_or(|message: &Vec<u8>| message[0] != 20)
        {
            let expected = self
                .schedule
                .as_ref()
                .unwrap()
                .server_finished
                .verify_data(&self.digest());
            flight.push(self.hear_message());
            if flight.last().unwrap()[0] == 20 {
                assert_eq!(flight.last().unwrap()[4..], expected);
            }
        }
        assert!(
            self.heard_all_messages(),
            "RFC 9846, 5.1: Finished ends its record"
        );
        // RFC 9846, 4.5.3: the server's next records are under the application key.
        self.derive_application_secrets();
        self.install_application_keys(Side::Server);
        flight
    }

    /// Sends our Finished, and installs our application key.
    pub(crate) fn say_client_finished(&mut self) {
        let finished = self.finished();
        self.say(&finished).unwrap();
        self.install_application_keys(Side::Client);
        // RFC 9846, 4.7.1: a client that can use tickets receives them. They are in no transcript,
        // and are sent with the first data, even if it is empty.
        self.us.write(b"").unwrap();
        while let Some(record) = self.hear() {
            assert_eq!(
                (record.content_type, record.content[0]),
                (22, 4),
                "{record:?}"
            );
        }
    }
}

/// Replaces the extension of the same kind, or adds it at the end.
pub(crate) fn set<'a>(hello: &mut ClientHello<'a>, extension: ClientHelloExtension<'a>) {
    let extensions = hello.extensions.as_mut().unwrap();
    match extensions
        .iter_mut()
        .find(|other| discriminant(*other) == discriminant(&extension))
    {
        Some(other) => *other = extension,
        None => extensions.push(extension),
    }
}

/// Adds an extension, even if there is one of the same kind.
pub(crate) fn add<'a>(hello: &mut ClientHello<'a>, extension: ClientHelloExtension<'a>) {
    hello.extensions.as_mut().unwrap().push(extension);
}

/// Adds an extension of any type and content.
pub(crate) fn add_raw(hello: &mut ClientHello<'_>, extension_type: u16, data: &'static [u8]) {
    add(
        hello,
        ClientHelloExtension::Unknown {
            extension_type: ExtensionType(extension_type),
            data,
        },
    );
}

/// Removes the extensions of the same kind as this example.
pub(crate) fn remove<'a>(hello: &mut ClientHello<'a>, example: ClientHelloExtension<'a>) {
    hello
        .extensions
        .as_mut()
        .unwrap()
        .retain(|other| discriminant(other) != discriminant(&example));
}
