//! The puppet as a server, for the tests of our client: one method for each message, with a way to
//! change it.

use crate::client::Client;
use crate::code_point::{CipherSuite, ProtocolVersion};
use crate::connection::tests::puppet::{
    HANDSHAKE, Puppet, Side, client, extension, message, now, vector,
};
use crate::crypto::key_exchange::respond;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::message::{ClientHello, KeyShareEntry, Message, ServerHello, ServerHelloExtension};

/// The states of our client, in the order of RFC 9846, A.1.
pub(crate) const CLIENT_STATES: [&str; 7] = [
    "WAIT_SH",
    "WAIT_EE",
    "WAIT_CERT_CR",
    "WAIT_CERT",
    "WAIT_CV",
    "WAIT_FINISHED",
    "CONNECTED",
];

impl Puppet {
    /// Our client has sent its ClientHello.
    pub(crate) fn serving(client: &Client) -> Self {
        Self::serving_name(client, "db.internal")
    }

    pub(crate) fn serving_name(client: &Client, name: &str) -> Self {
        let mut puppet = Self::new(
            Side::Server,
            client.connection(name, now(), &mut SystemRandom).unwrap(),
        );
        puppet.client_hello = puppet.hear_message();
        puppet.session_id = puppet.offer().session_id.to_vec();
        puppet
    }

    /// Our client is in this state, and all its output was heard.
    pub(crate) fn serving_at(client: &Client, state: &str) -> Self {
        let mut puppet = Self::serving(client);
        puppet.lead_to(state);
        puppet
    }

    /// Our client with the usual configuration is in this state.
    pub(crate) fn client_at(state: &str) -> Self {
        Self::serving_at(&client(), state)
    }

    /// Sends everything that leads to this state.
    pub(crate) fn lead_to(&mut self, state: &str) {
        while self.state() != state {
            let message = match self.state() {
                "WAIT_SH" => {
                    self.say_server_hello();
                    continue;
                }
                "WAIT_EE" => {
                    self.say_parameters(&[]);
                    continue;
                }
                "WAIT_CERT_CR" if state == "WAIT_CERT" => certificate_request(),
                "WAIT_CERT_CR" | "WAIT_CERT" => self.certificate(),
                "WAIT_CV" => self.certificate_verify(),
                "WAIT_FINISHED" => {
                    self.say_finished();
                    self.hear_client_flight();
                    continue;
                }
                other => panic!("nothing leads from {other} to {state}"),
            };
            self.say(&message).unwrap();
        }
        assert!(state == "WAIT_SH" || self.us.is_handshaking() == (state != "CONNECTED"));
        self.hears_nothing();
    }

    pub(crate) fn offer(&self) -> ClientHello<'_> {
        match Message::decode(&self.client_hello).unwrap() {
            Message::ClientHello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// Returns a ServerHello that answers our client, except for what `edit` changes.
    pub(crate) fn server_hello(&mut self, edit: impl FnOnce(&mut ServerHello<'_>)) -> Vec<u8> {
        let offered = self.offer();
        let group = self.group.code_point();
        let share = offered
            .key_share()
            .unwrap()
            .iter()
            .find(|share| share.group == group)
            .unwrap()
            .key_exchange;
        let (share, shared) = respond(self.group, share, &mut SystemRandom).unwrap();
        let mut hello = ServerHello {
            legacy_version: ProtocolVersion(0x0303),
            random: [0x5e; 32],
            session_id_echo: &self.session_id,
            cipher_suite: self.suite.code_point(),
            compression_method: 0,
            extensions: Some(vec![
                ServerHelloExtension::SupportedVersions(ProtocolVersion(0x0304)),
                ServerHelloExtension::KeyShare(KeyShareEntry {
                    group,
                    key_exchange: &share,
                }),
            ]),
        };
        edit(&mut hello);
        let encoded = hello.encode().unwrap();
        self.shared = Some(shared);
        encoded
    }

    pub(crate) fn say_server_hello(&mut self) {
        let selected = self.psk.is_some();
        let hello = self.server_hello(|hello| {
            if selected {
                hello
                    .extensions
                    .as_mut()
                    .unwrap()
                    .push(ServerHelloExtension::PreSharedKey(0));
            }
        });
        self.say(&hello).unwrap();
        self.install_handshake_keys_for_client();
    }

    /// Sends our Finished. What follows is under the application key, in both directions.
    pub(crate) fn say_finished(&mut self) {
        let finished = self.finished();
        self.say(&finished).unwrap();
        self.derive_application_secrets();
        self.install_application_keys(Side::Server);
    }

    /// Hears the client's second flight, and verifies its Finished. Returns the messages.
    pub(crate) fn hear_client_flight(&mut self) -> Vec<Vec<u8>> {
        let mut flight = Vec::new();
        self.hear_end_of_early_data();
        // RFC 9846, E.4: in compatibility mode, "immediately before its second flight".
        self.hear_change_cipher_spec();
        loop {
            let expected = self
                .schedule
                .as_ref()
                .unwrap()
                .client_finished
                .verify_data(&self.digest());
            let heard = self.hear_message();
            flight.push(heard);
            if flight.last().unwrap()[0] == 20 {
                assert_eq!(flight.last().unwrap()[4..], expected);
                assert!(self.heard_all_messages());
                self.install_application_keys(Side::Client);
                return flight;
            }
        }
    }

    /// Our client with another suite, after a complete handshake.
    pub(crate) fn client_with_suite(suite: Suite) -> Self {
        let mut puppet = Self::serving(&client());
        assert!(
            puppet
                .offer()
                .cipher_suites
                .contains(&CipherSuite(suite.code_point().0))
        );
        puppet.suite = suite;
        puppet.lead_to("CONNECTED");
        puppet
    }

    /// Returns a handshake record of several messages, which are added to the transcript.
    pub(crate) fn together(&mut self, messages: &[&[u8]]) -> Vec<u8> {
        let content = messages.concat();
        self.transcript.extend_from_slice(&content);
        self.record(HANDSHAKE, &content)
    }
}

/// RFC 9846, 4.4.2: an empty context, and signature_algorithms with Ed25519.
pub(crate) fn certificate_request() -> Vec<u8> {
    certificate_request_with(&[], &extension(13, &[0, 2, 0x08, 0x07]))
}

pub(crate) fn certificate_request_with(context: &[u8], extensions: &[u8]) -> Vec<u8> {
    message(13, &[vector(1, context), vector(2, extensions)].concat())
}

/// RFC 9846, 4.4.1.
pub(crate) fn encrypted_extensions(extensions: &[u8]) -> Vec<u8> {
    message(8, &vector(2, extensions))
}

/// RFC 9846, 4.7.1, with a lifetime of an hour.
pub(crate) fn new_session_ticket() -> Vec<u8> {
    new_session_ticket_with(3600, &[])
}

pub(crate) fn new_session_ticket_with(lifetime: u32, extensions: &[u8]) -> Vec<u8> {
    message(
        4,
        &[
            &lifetime.to_be_bytes()[..],
            &[1, 2, 3, 4],
            &vector(1, &[0]),
            &vector(2, b"ticket"),
            &vector(2, extensions),
        ]
        .concat(),
    )
}

/// RFC 9846, 4.7.3.
pub(crate) fn key_update(request_update: u8) -> Vec<u8> {
    message(24, &[request_update])
}
