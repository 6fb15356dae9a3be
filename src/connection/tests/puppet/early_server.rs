//! The puppet with early data (RFC 9846, 4.3.10), as a server.
//!
//! ```text
//! offered ─> say_server_hello ─> say_parameters   (`read` are the early keys)
//!   takes_early_data:  `read` stays ──────────────────> say_finished ─> hear_client_flight
//!   rejects it:        `read` are the handshake keys ─> say_finished ─> hear_client_flight
//! ```

use core::mem;

use crate::client::{Client, ClientBuilder};
use crate::code_point::NamedGroup;
use crate::connection::tests::puppet::server::{encrypted_extensions, new_session_ticket_with};
use crate::connection::tests::puppet::session::Psk;
use crate::connection::tests::puppet::{APPLICATION_DATA, Keys, Puppet, WORLD, extension};
use crate::crypto::suite::Suite;
use crate::key_schedule::EarlySecret;
use crate::secret::Secret;

/// A client that offers early data if it can.
pub(crate) fn builder() -> ClientBuilder {
    Client::builder()
        .trust(WORLD.authority.trust())
        .groups([NamedGroup(0x001d), NamedGroup(0x0017)])
        .early_data(true)
}

pub(crate) fn early_client() -> Client {
    builder().build().unwrap()
}

/// `uint32 max_early_data_size;` in a NewSessionTicket.
pub(crate) fn ticket_for(max_size: u32) -> Vec<u8> {
    new_session_ticket_with(3600, &extension(42, &max_size.to_be_bytes()))
}

/// `ProtocolName protocol_name_list<2..2^16-1>;` with the chosen protocol (RFC 7301).
pub(crate) fn alpn(protocol: &[u8]) -> Vec<u8> {
    let name = [&[u8::try_from(protocol.len()).unwrap()], protocol].concat();
    extension(
        16,
        &[&u16::try_from(name.len()).unwrap().to_be_bytes()[..], &name].concat(),
    )
}

/// A client was connected once, with this suite and these extensions in EncryptedExtensions.
/// Returns the PSK that it now has.
pub(crate) fn visited(client: &Client, suite: Suite, extensions: &[u8], ticket: &[u8]) -> Psk {
    let mut puppet = Puppet::serving(client);
    puppet.suite = suite;
    puppet.lead_to("WAIT_EE");
    puppet.say_parameters(extensions);
    puppet.lead_to("CONNECTED");
    puppet.say_ticket(ticket)
}

/// The same, with this limit for early data.
pub(crate) fn known_early(client: &Client, max_size: u32) -> Psk {
    visited(client, Suite::Aes128GcmSha256, &[], &ticket_for(max_size))
}

impl Puppet {
    /// A client that offers early data, with the usual limit, has sent its hello.
    pub(crate) fn offered() -> Self {
        Self::offered_by(&early_client())
    }

    /// This client has sent its hello, after a first connection.
    pub(crate) fn offered_by(client: &Client) -> Self {
        let psk = known_early(client, 1000);
        Self::offered_under(client, &psk)
    }

    /// This client has sent its hello, under this session.
    pub(crate) fn offered_under(client: &Client, psk: &Psk) -> Self {
        let mut puppet = Self::serving(client);
        puppet.select(psk);
        puppet.hear_offer(psk)
    }

    /// This client has sent its hello, with its own PSK after that of this session.
    pub(crate) fn offered_before(client: &Client, psk: &Psk) -> Self {
        let mut puppet = Self::serving(client);
        let offer = puppet.offer();
        let identities = &offer.pre_shared_key().unwrap().identities;
        assert!(identities.len() > 1 && identities[0].identity == psk.identity);
        puppet.psk = Some(Secret::copy_of(&psk.key));
        puppet.hear_offer(psk)
    }

    fn hear_offer(mut self, psk: &Psk) -> Self {
        assert!(self.offer().early_data());
        // RFC 9846, E.4: "If offering early data, the record is placed immediately after the first
        // ClientHello."
        self.hear_change_cipher_spec();
        // RFC 9846, 7.1: client_early_traffic_secret covers the ClientHello.
        let early = EarlySecret::new(psk.suite.hash(), self.psk.as_ref());
        self.read = Some(Keys::new(
            psk.suite,
            early.client_early_traffic(&self.digest()),
        ));
        self.hears_nothing();
        self
    }

    /// A client whose early data is accepted is in this state, and all its early data was heard.
    pub(crate) fn accepted_at(state: &str) -> Self {
        let mut puppet = Self::offered();
        puppet.takes_early_data = true;
        puppet.write_early(b"GET /");
        puppet.lead_to(state);
        puppet
    }

    /// After ServerHello, a client whose early data may still be accepted continues under its early
    /// key.
    pub(crate) fn install_handshake_keys_for_client(&mut self) {
        let early = self.read.take();
        self.install_handshake_keys();
        if early.is_some() && self.psk.is_some() {
            self.deferred_read = mem::replace(&mut self.read, early);
        }
    }

    /// Sends EncryptedExtensions with these extensions, and the answer to early data.
    pub(crate) fn say_parameters(&mut self, extensions: &[u8]) {
        let answer = if self.takes_early_data {
            extension(42, &[])
        } else {
            Vec::new()
        };
        self.say(&encrypted_extensions(&[extensions, &answer].concat()))
            .unwrap();
        if !self.takes_early_data {
            self.end_early_data();
        }
    }

    /// Our client's next records are under its handshake keys, if they were not before.
    pub(crate) fn end_early_data(&mut self) {
        if let Some(keys) = self.deferred_read.take() {
            self.read = Some(keys);
        }
    }

    /// RFC 9846, 4.6: hears EndOfEarlyData if early data was accepted. It is in its own record, the
    /// last "under keys derived from the client_early_traffic_secret".
    pub(crate) fn hear_end_of_early_data(&mut self) {
        if self.deferred_read.is_some() {
            assert_eq!(self.hear_message(), [5, 0, 0, 0]);
            assert!(self.heard_all_messages());
            self.end_early_data();
        }
    }

    /// Our client sends this as early data, and the puppet hears it.
    pub(crate) fn write_early(&mut self, data: &[u8]) {
        assert_eq!(self.us.write_early_data(data).unwrap(), data.len());
        self.hear_early(data);
    }

    pub(crate) fn hear_early(&mut self, data: &[u8]) {
        let record = self.hear_type(APPLICATION_DATA);
        assert_eq!(
            (record.outer, record.version, &record.content[..]),
            (APPLICATION_DATA, 0x0303, data)
        );
    }
}
