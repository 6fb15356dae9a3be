//! The puppet with tickets and PSKs (RFC 9846, 4.3.11 and 4.7.1), in both roles.

use core::time::Duration;

use crate::client::Client;
use crate::connection::tests::puppet::client::add;
use crate::connection::tests::puppet::server::new_session_ticket;
use crate::connection::tests::puppet::{Puppet, Side, in_the_future, vector};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::key_schedule::{EarlySecret, PskKind, import_psk};
use crate::message::{
    ClientHello, ClientHelloExtension, Message, OfferedPsks, PskIdentity, ServerHelloExtension,
};
use crate::secret::Secret;
use crate::server::Server;

/// A PSK that is offered, with which the binder is made.
#[derive(Clone)]
pub(crate) struct Psk {
    pub(crate) identity: Vec<u8>,
    pub(crate) obfuscated_ticket_age: u32,
    pub(crate) key: Vec<u8>,
    pub(crate) suite: Suite,
    pub(crate) kind: PskKind,
}

impl Psk {
    /// A PSK that no server knows.
    pub(crate) fn unknown() -> Self {
        let identity = b"a ticket nobody knows".to_vec();
        Self {
            kind: PskKind::Resumption,
            identity,
            obfuscated_ticket_age: 12345,
            key: vec![0x95; 32],
            suite: Suite::Aes128GcmSha256,
        }
    }

    /// An imported external PSK, for suites with the hash of this one, and for a client and a
    /// server of these names. RFC 9258, 5.1: "struct { opaque external_identity<1...2^16-1>; opaque
    /// context<0..2^16-1>; uint16 target_protocol; uint16 target_kdf; } ImportedIdentity;"
    pub(crate) fn imported(
        identity: &[u8],
        secret: &[u8],
        [client, server]: [&str; 2],
        suite: Suite,
    ) -> Self {
        let context = [vector(1, client.as_bytes()), vector(1, server.as_bytes())].concat();
        // RFC 9258, section 10: HKDF_SHA256 is 1, HKDF_SHA384 is 2.
        let target_kdf = if suite.hash() == HashAlgorithm::Sha256 {
            1
        } else {
            2
        };
        let identity = [
            &vector(2, identity)[..],
            &vector(2, &context),
            &[0x03, 0x04],
            &[0, target_kdf],
        ]
        .concat();
        let key = import_psk(&Secret::copy_of(secret), &identity, suite.hash())
            .expose()
            .to_vec();
        Self {
            kind: PskKind::Imported,
            identity,
            obfuscated_ticket_age: 0,
            key,
            suite,
        }
    }

    /// An external PSK without import.
    pub(crate) fn not_imported(identity: &[u8], secret: &[u8]) -> Self {
        let (identity, key) = (identity.to_vec(), secret.to_vec());
        Self {
            kind: PskKind::External,
            identity,
            obfuscated_ticket_age: 0,
            key,
            suite: Suite::Aes128GcmSha256,
        }
    }

    fn identity(&self) -> PskIdentity<'_> {
        PskIdentity {
            identity: &self.identity,
            obfuscated_ticket_age: self.obfuscated_ticket_age,
        }
    }

    /// RFC 9846, 4.3.11.2: returns the binder over the transcript up to the list of binders.
    fn binder(&self, transcript: &[u8]) -> Vec<u8> {
        let hash = self.suite.hash();
        let early = EarlySecret::new(hash, Some(&Secret::copy_of(&self.key)));
        early.binder_key(self.kind).binder(&hash.hash(transcript))
    }
}

/// A NewSessionTicket of our server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) lifetime: u32,
    pub(crate) age_add: u32,
    pub(crate) nonce: Vec<u8>,
    pub(crate) ticket: Vec<u8>,
    /// The PSK that is derived from the resumption_secret and the nonce.
    pub(crate) key: Vec<u8>,
    pub(crate) suite: Suite,
    /// max_early_data_size, if it allows any.
    pub(crate) max_early_data_size: Option<u32>,
}

impl Ticket {
    /// Returns the PSK with an age of 0.
    pub(crate) fn psk(&self) -> Psk {
        let (identity, key) = (self.ticket.clone(), self.key.clone());
        Psk {
            kind: PskKind::Resumption,
            identity,
            obfuscated_ticket_age: self.age_add,
            key,
            suite: self.suite,
        }
    }
}

/// The puppet as a client.
impl Puppet {
    /// A client that offers psk_dhe_ke, and so can receive tickets.
    pub(crate) fn calling_for_tickets(server: &Server) -> Self {
        let mut puppet = Self::calling(server);
        puppet.modes = vec![1];
        puppet
    }

    /// A client that offers this ticket.
    pub(crate) fn calling_with_ticket(server: &Server, ticket: &Ticket) -> Self {
        let mut puppet = Self::calling_for_tickets(server);
        puppet.suite = ticket.suite;
        puppet.psks = vec![ticket.psk()];
        puppet
    }

    /// Returns the ClientHello with the PSKs at its end, and their binders.
    pub(crate) fn encode_with_psks<'a>(&'a self, mut hello: ClientHello<'a>) -> Vec<u8> {
        if self.psks.is_empty() {
            return hello.encode().unwrap();
        }
        hello
            .extensions
            .as_mut()
            .unwrap()
            .push(ClientHelloExtension::PreSharedKey(OfferedPsks {
                identities: self.psks.iter().map(Psk::identity).collect(),
                binders: self
                    .psks
                    .iter()
                    .map(|psk| &[0; 48][..psk.suite.hash().output_len()])
                    .collect(),
            }));
        let mut bytes = hello.encode().unwrap();
        // `PskBinderEntry binders<33..2^16-1>`, each `opaque PskBinderEntry<32..255>`.
        let binders: usize = self
            .psks
            .iter()
            .map(|psk| 1 + psk.suite.hash().output_len())
            .sum();
        bytes.truncate(bytes.len() - binders);
        let (transcript, length) = (
            [&self.transcript[..], &bytes[..bytes.len() - 2]].concat(),
            bytes.len(),
        );
        for psk in &self.psks {
            let binder = psk.binder(&transcript);
            bytes.push(binder.len().try_into().unwrap());
            bytes.extend_from_slice(&binder);
        }
        assert_eq!(bytes.len(), length + binders);
        bytes
    }

    /// Sends a ClientHello that asks for so many tickets (RFC 9149), and returns the server's
    /// flight.
    pub(crate) fn request_tickets(
        &mut self,
        new_session_count: u8,
        resumption_count: u8,
    ) -> Vec<Vec<u8>> {
        let hello = self.make_client_hello(|hello| {
            add(
                hello,
                ClientHelloExtension::TicketRequest {
                    new_session_count,
                    resumption_count,
                },
            )
        });
        self.say(&hello).unwrap();
        self.hear_flight()
    }

    /// Completes the handshake, and hears the tickets that follow.
    pub(crate) fn finish_for_tickets(&mut self) -> Vec<Ticket> {
        self.lead_server_to("WAIT_FINISHED");
        let finished = self.finished();
        self.say(&finished).unwrap();
        self.install_application_keys(Side::Client);
        assert_eq!(self.state(), "CONNECTED");
        // Tickets are sent with the first data, even if it is empty.
        self.hears_nothing();
        self.us.write(b"").unwrap();
        self.hear_tickets()
    }

    /// RFC 9846, 4.7.1: hears the tickets that follow our Finished.
    pub(crate) fn hear_tickets(&mut self) -> Vec<Ticket> {
        let digest = self.digest();
        let resumption = self.schedule.take().unwrap().main.into_resumption(&digest);
        let mut tickets = Vec::new();
        while self.has_more_to_hear() {
            let message = self.hear_message();
            let Message::NewSessionTicket(ticket) = Message::decode(&message).unwrap() else {
                panic!("{message:?}")
            };
            assert_eq!(
                ticket.extensions.len(),
                usize::from(ticket.early_data().is_some())
            );
            tickets.push(Ticket {
                lifetime: ticket.ticket_lifetime,
                age_add: ticket.ticket_age_add,
                nonce: ticket.ticket_nonce.to_vec(),
                ticket: ticket.ticket.to_vec(),
                key: resumption.psk(ticket.ticket_nonce).expose().to_vec(),
                suite: self.suite,
                max_early_data_size: ticket.early_data(),
            });
        }
        tickets
    }

    /// Returns the tickets of a full handshake with this server.
    pub(crate) fn tickets_of(server: &Server) -> Vec<Ticket> {
        Self::calling_for_tickets(server).finish_for_tickets()
    }

    /// Sends the ClientHello. Returns true if our server accepts the PSK.
    pub(crate) fn would_be_resumed(&mut self) -> bool {
        self.say_client_hello();
        self.hear_flight();
        self.psk.is_some()
    }

    /// Sends the ClientHello and completes the handshake. Returns true if our server accepts the
    /// PSK.
    pub(crate) fn is_resumed(&mut self) -> bool {
        self.say_client_hello();
        let flight: Vec<u8> = self
            .hear_flight()
            .iter()
            .map(|message| message[0])
            .collect();
        let resumed = self.psk.is_some();
        // RFC 9846, 4.5.1 and 4.4.2: with a PSK there is neither Certificate nor
        // CertificateRequest.
        assert_eq!(resumed, flight == [2, 8, 20]);
        self.finish_for_tickets();
        assert_eq!(self.us.negotiated().unwrap().resumed(), resumed);
        resumed
    }
}

/// The puppet as a server.
impl Puppet {
    /// Our client is connected, and was sent a ticket for this session.
    pub(crate) fn serving_a_ticket(client: &Client) -> (Self, Psk) {
        let mut puppet = Self::serving_at(client, "CONNECTED");
        let psk = puppet.say_ticket(&new_session_ticket());
        (puppet, psk)
    }

    /// Sends a NewSessionTicket, the first message after the client's Finished. Returns its PSK.
    pub(crate) fn say_ticket(&mut self, ticket: &[u8]) -> Psk {
        let digest = self.digest();
        let resumption = self.schedule.take().unwrap().main.into_resumption(&digest);
        self.say(ticket).unwrap();
        self.hears_nothing();
        let Message::NewSessionTicket(ticket) = Message::decode(ticket).unwrap() else {
            panic!("not a ticket")
        };
        let (identity, age) = (ticket.ticket.to_vec(), ticket.ticket_age_add);
        let key = resumption.psk(ticket.ticket_nonce).expose().to_vec();
        Psk {
            kind: PskKind::Resumption,
            identity,
            obfuscated_ticket_age: age,
            key,
            suite: self.suite,
        }
    }

    /// Our client connects some time later.
    pub(crate) fn serving_later(client: &Client, name: &str, later: Duration) -> Self {
        let us = client
            .connection(name, in_the_future(later), &mut SystemRandom)
            .unwrap();
        let mut puppet = Self::new(Side::Server, us);
        puppet.later = later;
        puppet.client_hello = puppet.hear_message();
        puppet.session_id = puppet.offer().session_id.to_vec();
        puppet
    }

    /// Returns the identity that our client offers, and its obfuscated_ticket_age.
    pub(crate) fn offered_ticket(&self) -> Option<(Vec<u8>, u32)> {
        let offer = self.offer();
        let psks = offer.pre_shared_key()?;
        assert_eq!((psks.identities.len(), psks.binders.len()), (1, 1));
        // RFC 9846, 4.3.9: only psk_dhe_ke(1) is offered with it.
        assert_eq!(
            offer
                .psk_key_exchange_modes()
                .unwrap()
                .iter()
                .map(|mode| mode.0)
                .collect::<Vec<_>>(),
            [1]
        );
        Some((
            psks.identities[0].identity.to_vec(),
            psks.identities[0].obfuscated_ticket_age,
        ))
    }

    /// Selects the PSK that our client offers, and verifies its binder.
    pub(crate) fn select(&mut self, psk: &Psk) {
        assert_eq!(self.offered_ticket().expect("a PSK").0, psk.identity);
        let length = psk.suite.hash().output_len();
        let (transcript, binder) = self.transcript.split_at(self.transcript.len() - length);
        // `binders<33..2^16-1>` and `PskBinderEntry<32..255>`: 2 and 1 bytes of length before the
        // binder.
        assert_eq!(binder, psk.binder(&transcript[..transcript.len() - 3]));
        self.suite = psk.suite;
        self.psk = Some(Secret::copy_of(&psk.key));
    }

    /// Asserts that the PSKs that our client offers have these identities and ages, in its order,
    /// and right binders (4.3.11.2). `before` is the transcript before the ClientHello.
    pub(crate) fn offers(&self, psks: &[&Psk], before: &[u8]) {
        let offer = self.offer();
        let offered = offer
            .pre_shared_key()
            .map(|psks| (psks.identities.as_slice(), psks.binders.as_slice()))
            .unwrap_or_default();
        let expected: Vec<_> = psks.iter().map(|psk| psk.identity()).collect();
        assert_eq!(offered.0, expected);
        let binders: usize = psks
            .iter()
            .map(|psk| 1 + psk.suite.hash().output_len())
            .sum();
        let covered = self.client_hello.len() - if psks.is_empty() { 0 } else { 2 + binders };
        let transcript = [before, &self.client_hello[..covered]].concat();
        let expected: Vec<_> = psks.iter().map(|psk| psk.binder(&transcript)).collect();
        assert_eq!(offered.1, expected);
    }

    /// Sends the ServerHello that selects this PSK, which has this index among those that our
    /// client offers, under the PSK's suite.
    pub(crate) fn say_selected(&mut self, index: u16, psk: &Psk) {
        self.suite = psk.suite;
        self.psk = Some(Secret::copy_of(&psk.key));
        let hello = self.server_hello(|hello| {
            hello
                .extensions
                .as_mut()
                .unwrap()
                .push(ServerHelloExtension::PreSharedKey(index))
        });
        self.say(&hello).unwrap();
        self.install_handshake_keys();
    }

    /// Our client resumes this session, and is in this state.
    pub(crate) fn resuming_at(client: &Client, psk: &Psk, state: &str) -> Self {
        let mut puppet = Self::serving(client);
        puppet.select(psk);
        puppet.lead_to(state);
        puppet
    }
}

/// A client was connected once. Returns the PSK that it now has.
pub(crate) fn known(client: &Client) -> Psk {
    Puppet::serving_a_ticket(client).1
}
