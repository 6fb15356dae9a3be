//! The extended key update (draft-ietf-tls-extended-key-update), in both roles.
//!
//! Here the puppet is the peer; `agreement.rs` is about the handshake, `pairs.rs` has two of ours,
//! `halves.rs` a connection in two halves, and `healing.rs` somebody who knows every secret of an
//! epoch.

mod agreement;
mod halves;
mod healing;
mod pairs;

use core::cmp::Ordering;
use core::time::Duration;

use crate::client::{Client, ClientBuilder};
use crate::connection::Status;
use crate::connection::tests::key_updates::MOST_RECORDS;
use crate::connection::tests::puppet::client::add;
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Keys, Puppet, Side, WORLD, extension, message, now, refused,
    vector,
};
use crate::crypto::key_exchange::{EphemeralKey, Group, respond};
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{Error, Fault, Illegal};
use crate::handshake::RekeyPolicy;
use crate::key_schedule::{Epoch, EpochSecrets};
use crate::message::{ClientHelloExtension, TlsFlags};
use crate::server::{Server, ServerBuilder};
use crate::time::Now;

/// extended_key_update, with the number that we chose.
const TYPE: u8 = 240;
/// tls_flags with the number that we chose.
const FLAGS: (u16, &[u8]) = (62, &[3, 0, 0, 0x80]);

const REQUEST: u8 = 0;
const RESPONSE: u8 = 1;
const FINISH: u8 = 2;

fn client() -> ClientBuilder {
    Client::builder()
        .trust(WORLD.authority.trust())
        .extended_key_update(true)
}

fn server() -> ServerBuilder {
    Server::builder()
        .identity(WORLD.server.clone())
        .extended_key_update(true)
}

/// A peer that renews keys in this way.
struct Peer {
    puppet: Puppet,
    epoch: Option<Epoch>,
}

/// An ExtendedKeyUpdate with a key share.
fn with_share(kind: u8, group: Group, share: &[u8]) -> Vec<u8> {
    let group = group.code_point().0.to_be_bytes();
    message(TYPE, &[&[kind], &group[..], &vector(2, share)].concat())
}

fn finish() -> Vec<u8> {
    message(TYPE, &[FINISH])
}

impl Peer {
    /// Our client, connected.
    fn of_client(client: &Client, group: Group, suite: Suite) -> Self {
        let mut puppet = Puppet::serving(client);
        (puppet.group, puppet.suite) = (group, suite);
        puppet.lead_to("WAIT_EE");
        puppet.say_parameters(&extension(FLAGS.0, FLAGS.1));
        puppet.lead_to("CONNECTED");
        Self::of(puppet)
    }

    /// Our server, connected.
    fn of_server(server: &Server, group: Group, suite: Suite) -> Self {
        let mut puppet = Puppet::calling(server);
        puppet.suite = suite;
        puppet.group = group;
        puppet.groups = vec![group.code_point()];
        puppet.key = Some(EphemeralKey::generate(group, &mut SystemRandom).unwrap());
        let hello = puppet.make_client_hello(|hello| {
            add(
                hello,
                ClientHelloExtension::TlsFlags(TlsFlags::extended_key_update()),
            );
        });
        puppet.say(&hello).unwrap();
        puppet.hear_flight();
        puppet.lead_server_to("CONNECTED");
        Self::of(puppet)
    }

    fn of(mut puppet: Puppet) -> Self {
        assert!(puppet.us.negotiated().unwrap().extended_key_update());
        let main = puppet.schedule.take().unwrap().main;
        let epoch = Some(main.into_epoch(puppet.digest()));
        Self { puppet, epoch }
    }

    /// Our client and our server.
    fn both_with(policy: RekeyPolicy) -> [Self; 2] {
        let client = client().rekey_policy(policy).build().unwrap();
        let server = server().rekey_policy(policy).build().unwrap();
        let (group, suite) = (Group::X25519, Suite::Aes128GcmSha256);
        [
            Self::of_client(&client, group, suite),
            Self::of_server(&server, group, suite),
        ]
    }

    fn both() -> [Self; 2] {
        Self::both_with(RekeyPolicy::never())
    }

    /// Derives the next epoch. Returns the keys that we send under, and those of the connection
    /// under test.
    fn next(&mut self, shared: &crate::secret::Secret, messages: [&[u8]; 2]) -> (Keys, Keys) {
        let suite = self.puppet.suite;
        let epoch = self.epoch.take().unwrap();
        let transcript = suite
            .hash()
            .hash(&[epoch.transcript().as_bytes(), &messages.concat()].concat());
        let (next, EpochSecrets { client, server, .. }) = epoch.next(shared, transcript);
        self.epoch = Some(next);
        let (own, theirs) = match self.puppet.side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        (Keys::new(suite, own), Keys::new(suite, theirs))
    }

    fn generate(&self) -> EphemeralKey {
        EphemeralKey::generate(self.puppet.group, &mut SystemRandom).unwrap()
    }

    /// We request an update.
    fn request(&mut self, key: &EphemeralKey) -> Vec<u8> {
        let request = with_share(REQUEST, self.puppet.group, key.public());
        self.say(&request);
        request
    }

    /// Sends a message under the current keys.
    #[track_caller]
    fn say(&mut self, message: &[u8]) {
        let record = self.puppet.protect(HANDSHAKE, message, 0);
        assert_eq!(self.puppet.feed(&record).unwrap(), Status::NeedsInput);
    }

    /// Hears an ExtendedKeyUpdate. Returns it and its key share.
    #[track_caller]
    fn hear(&mut self, kind: u8) -> (Vec<u8>, Vec<u8>) {
        let message = self.puppet.hear_type(HANDSHAKE).content;
        assert_eq!(message[0], TYPE);
        assert_eq!(message[4], kind);
        let group = self.puppet.group.code_point().0.to_be_bytes();
        assert_eq!(message[5..7], group);
        let share = message[9..].to_vec();
        assert_eq!(message[5..], [&group[..], &vector(2, &share)].concat());
        (message, share)
    }

    #[track_caller]
    fn hear_finish(&mut self) {
        assert_eq!(self.puppet.hear_type(HANDSHAKE).content, finish());
    }

    /// We renew the keys.
    #[track_caller]
    fn updates(&mut self) {
        let key = self.generate();
        let request = self.request(&key);
        self.is_answered(key, &request);
    }

    /// The connection under test responds to our request. Returns the keys that we have after our
    /// finish.
    #[track_caller]
    fn hear_response(&mut self, key: EphemeralKey, request: &[u8]) -> Keys {
        let (response, share) = self.hear(RESPONSE);
        let shared = key.agree(&share).unwrap();
        let (own, theirs) = self.next(&shared, [request, &response]);
        self.puppet.read = Some(theirs);
        own
    }

    /// The connection under test responds to our request, and we finish.
    #[track_caller]
    fn is_answered(&mut self, key: EphemeralKey, request: &[u8]) {
        let own = self.hear_response(key, request);
        self.say(&finish());
        self.puppet.write = Some(own);
    }

    /// The connection under test renews the keys.
    #[track_caller]
    fn is_updated(&mut self) {
        let (request, share) = self.hear(REQUEST);
        self.answers(&request, &share);
    }

    /// We respond to its request, and it finishes.
    #[track_caller]
    fn answers(&mut self, request: &[u8], share: &[u8]) {
        let theirs = self.responds(request, share);
        self.hear_finish();
        self.puppet.read = Some(theirs);
    }

    /// We respond to its request. Returns the keys that it has after its finish.
    fn responds(&mut self, request: &[u8], share: &[u8]) -> Keys {
        let group = self.puppet.group;
        let (own_share, shared) = respond(group, share, &mut SystemRandom).unwrap();
        let response = with_share(RESPONSE, group, &own_share);
        let (own, theirs) = self.next(&shared, [request, &response]);
        self.say(&response);
        self.puppet.write = Some(own);
        theirs
    }

    /// Both sides read what the other writes.
    #[track_caller]
    fn converses(&mut self) {
        self.puppet.send(b"to us").unwrap();
        assert_eq!(self.puppet.delivered, b"to us");
        self.puppet.delivered.clear();
        self.puppet.us.write(b"from us").unwrap();
        self.puppet.hear_data(b"from us");
        self.puppet.hears_nothing();
    }

    /// The clock of the connection under test shows this.
    #[track_caller]
    fn told(&mut self, millis: u64) {
        let now = Now {
            monotonic: Duration::from_millis(millis),
            ..now()
        };
        assert_eq!(
            self.puppet.us.process(now, &mut SystemRandom).unwrap(),
            Status::NeedsInput
        );
    }

    /// This message is refused, with this alert.
    #[track_caller]
    fn refuses(&mut self, message: &[u8], alert: u8) -> Fault {
        let record = self.puppet.protect(HANDSHAKE, message, 0);
        self.puppet.refused(&record, "CONNECTED", alert)
    }
}

// ---- the update ----

#[test]
fn every_group_and_suite_both_ways() {
    for group in Group::ALL.into_iter().filter(|group| group.is_available()) {
        for suite in Suite::ALL {
            let client = client().groups([group.code_point()]).build().unwrap();
            let server = server().build().unwrap();
            for mut peer in [
                Peer::of_client(&client, group, suite),
                Peer::of_server(&server, group, suite),
            ] {
                for round in 0..3 {
                    peer.updates();
                    assert_eq!(peer.puppet.us.epoch(), 2 * round + 1);
                    peer.converses();
                    peer.told(1000 * (round + 1));
                    peer.puppet.us.rekey().unwrap();
                    peer.is_updated();
                    assert_eq!(peer.puppet.us.epoch(), 2 * round + 2);
                    peer.converses();
                }
            }
        }
    }
}

/// Data goes on under the old keys until each side has sent its last message.
#[test]
fn data_flows_meanwhile() {
    for mut peer in Peer::both() {
        // The peer begins.
        let key = peer.generate();
        let request = peer.request(&key);
        let own = peer.hear_response(key, &request);
        peer.puppet.us.write(b"under the new key").unwrap();
        peer.puppet.send(b"under the old key").unwrap();
        assert_eq!(peer.puppet.delivered, b"under the old key");
        peer.puppet.hear_data(b"under the new key");
        peer.say(&finish());
        peer.puppet.write = Some(own);
        peer.puppet.delivered.clear();
        peer.converses();
        // We begin.
        peer.told(1000);
        peer.puppet.us.rekey().unwrap();
        peer.puppet.us.write(b"still the old key").unwrap();
        let (request, share) = peer.hear(REQUEST);
        peer.puppet.hear_data(b"still the old key");
        peer.converses();
        peer.answers(&request, &share);
        peer.converses();
        assert_eq!(peer.puppet.us.epoch(), 2);
    }
}

/// RFC 9846, 5.1: a request changes no key, so it need not end its record.
#[test]
fn a_request_in_a_record_with_others_is_answered() {
    for mut peer in Peer::both() {
        let key = peer.generate();
        let request = with_share(REQUEST, peer.puppet.group, key.public());
        // Here it is spread over two.
        let (first, second) = request.split_at(10);
        for part in [first, second] {
            let record = peer.puppet.protect(HANDSHAKE, part, 3);
            peer.puppet.feed(&record).unwrap();
        }
        peer.is_answered(key, &request);
        peer.converses();
    }
}

/// The exporters of an epoch: the same on both sides, different for each epoch, and independent of
/// those of RFC 9846, 7.5, which stay.
#[test]
fn keying_material_belongs_to_an_epoch() {
    for mut peer in Peer::both() {
        let fixed = |peer: &Peer| {
            let exported = peer.puppet.us.export_keying_material(b"label", b"", 32);
            exported.unwrap().expose().to_vec()
        };
        let of = |peer: &Peer, epoch| {
            peer.puppet
                .us
                .export_epoch_keying_material(epoch, b"label", b"", 32)
                .map(|exported| exported.expose().to_vec())
        };
        let before = fixed(&peer);
        let mut all = vec![before.clone(), of(&peer, 0).unwrap()];
        for epoch in 1..5 {
            peer.updates();
            assert_eq!(fixed(&peer), before);
            let new = of(&peer, epoch).unwrap();
            assert!(!all.contains(&new));
            assert_eq!(&of(&peer, epoch - 1).unwrap(), all.last().unwrap());
            all.push(new);
            for gone in epoch
                .checked_sub(2)
                .into_iter()
                .chain([epoch + 1, u64::MAX])
            {
                assert!(matches!(of(&peer, gone), Err(Error::Config(_))));
            }
        }
    }
    for puppet in Puppet::both_connected() {
        let exported = puppet.us.export_epoch_keying_material(0, b"label", b"", 32);
        assert!(matches!(exported, Err(Error::Config(_))));
        assert_eq!(puppet.us.epoch(), 0);
    }
}

// ---- requests that cross ----

/// Returns a key whose share compares to this one in this way.
fn key_with(peer: &Peer, share: &[u8], ordering: Ordering) -> EphemeralKey {
    loop {
        let key = peer.generate();
        if key.public().cmp(share) == ordering {
            return key;
        }
    }
}

/// "the ExtendedKeyUpdate(key_update_request) with the lower lexicographic order ... MUST be
/// ignored".
#[test]
fn the_greater_request_goes_on() {
    for (ordering, ours_goes_on) in [(Ordering::Less, true), (Ordering::Greater, false)] {
        for mut peer in Peer::both() {
            for round in 1..4 {
                peer.told(1000 * round);
                peer.puppet.us.rekey().unwrap();
                let (request, share) = peer.hear(REQUEST);
                let key = key_with(&peer, &share, ordering);
                let crossing = peer.request(&key);
                if ours_goes_on {
                    peer.puppet.hears_nothing();
                    peer.answers(&request, &share);
                } else {
                    peer.is_answered(key, &crossing);
                }
                peer.converses();
                assert_eq!(peer.puppet.us.epoch(), round);
            }
        }
    }
}

/// "If the tie-break comparison yields equality ..., the endpoint MUST treat this as a protocol
/// violation, send an "unexpected_message" alert".
#[test]
fn equal_requests() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let (request, _) = peer.hear(REQUEST);
        peer.refuses(&request, 10);
    }
}

// ---- violations ----

/// "A peer that has sent an Extended Key Update MUST NOT initiate another until the previous update
/// completes. If a peer violates this rule, the receiving peer MUST ... send an
/// "unexpected_message" alert".
#[test]
fn a_second_request() {
    for mut peer in Peer::both() {
        let key = peer.generate();
        peer.request(&key);
        peer.hear(RESPONSE);
        // From here on we are heard under the key after the response.
        let fault = {
            let second = with_share(REQUEST, Group::X25519, peer.generate().public());
            let record = peer.puppet.protect(HANDSHAKE, &second, 0);
            peer.puppet.feed(&record).unwrap_err()
        };
        assert!(
            matches!(
                fault,
                Error::Protocol {
                    fault: Fault::Unexpected { .. },
                    ..
                }
            ),
            "{fault}"
        );
    }
    // One that crossed ours and was ignored counts too.
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let (_, share) = peer.hear(REQUEST);
        for last in [false, true] {
            let key = key_with(&peer, &share, Ordering::Less);
            if last {
                let second = with_share(REQUEST, Group::X25519, key.public());
                peer.refuses(&second, 10);
            } else {
                peer.request(&key);
            }
        }
    }
}

/// "Implementations that receive a classic KeyUpdate message after successfully negotiating the
/// Extended Key Update functionality MUST terminate the connection": at any time, in either form.
#[test]
fn a_plain_key_update() {
    for request_update in [0, 1] {
        for mut peer in Peer::both() {
            peer.refuses(&key_update(request_update), 10);
        }
        for mut peer in Peer::both() {
            peer.puppet.us.rekey().unwrap();
            peer.hear(REQUEST);
            let fault = peer.refuses(&key_update(request_update), 10);
            assert!(fault.to_string().contains("ExtendedKeyUpdate"), "{fault}");
        }
    }
}

#[test]
fn messages_that_nobody_waits_for() {
    let share = EphemeralKey::generate(Group::X25519, &mut SystemRandom).unwrap();
    let response = with_share(RESPONSE, Group::X25519, share.public());
    for message in [&response, &finish()] {
        for mut peer in Peer::both() {
            peer.refuses(message, 10);
        }
        // After a complete update too.
        for mut peer in Peer::both() {
            peer.updates();
            peer.refuses(message, 10);
        }
    }
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        peer.hear(REQUEST);
        peer.refuses(&finish(), 10);
    }
    for kind in 3..=255 {
        for mut peer in Peer::both() {
            peer.refuses(&message(TYPE, &[kind]), 10);
        }
    }
    // Where it was not agreed on, it is as unknown as any other type, whatever is in it.
    let request = with_share(REQUEST, Group::X25519, share.public());
    for message in [
        &request,
        &response,
        &finish(),
        &message(TYPE, &[]),
        &message(TYPE, &[0]),
    ] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(HANDSHAKE, message, 0);
            refused!(puppet, record, "CONNECTED", 10, Fault::Unexpected { .. });
        }
    }
}

/// "An implementation that receives an algorithm other than previously negotiated MUST terminate
/// the connection with an "illegal_parameter" alert."
#[test]
fn another_group() {
    let is_group = |fault: &Fault| {
        matches!(
            fault,
            Fault::Illegal(Illegal::UpdateGroup { negotiated, got })
                if *negotiated == Group::X25519.code_point()
                    && *got == Group::X25519MlKem768.code_point()
        )
    };
    let group = Group::X25519MlKem768;
    let key = EphemeralKey::generate(group, &mut SystemRandom).unwrap();
    for mut peer in Peer::both() {
        let fault = peer.refuses(&with_share(REQUEST, group, key.public()), 47);
        assert!(is_group(&fault), "{fault}");
    }
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        peer.hear(REQUEST);
        let fault = peer.refuses(&with_share(RESPONSE, group, key.public()), 47);
        assert!(is_group(&fault), "{fault}");
    }
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        peer.hear(REQUEST);
        // A request that crosses, too.
        let fault = peer.refuses(&with_share(REQUEST, group, key.public()), 47);
        assert!(is_group(&fault), "{fault}");
    }
}

#[test]
fn shares_of_the_wrong_length_or_of_small_order() {
    for share in [&[7; 31][..], &[7; 33], &[0; 32]] {
        for mut peer in Peer::both() {
            peer.refuses(&with_share(REQUEST, Group::X25519, share), 47);
        }
        for mut peer in Peer::both() {
            peer.puppet.us.rekey().unwrap();
            peer.hear(REQUEST);
            peer.refuses(&with_share(RESPONSE, Group::X25519, share), 47);
        }
    }
}

/// RFC 9846, 5.1: messages that precede a change of keys end their record.
#[test]
fn a_response_or_a_finish_that_does_not_end_its_record() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let (_, share) = peer.hear(REQUEST);
        let (own, _) = respond(Group::X25519, &share, &mut SystemRandom).unwrap();
        let response = with_share(RESPONSE, Group::X25519, &own);
        let record = peer
            .puppet
            .protect(HANDSHAKE, &[&response, &[TYPE][..]].concat(), 0);
        refused!(
            peer.puppet,
            record,
            "CONNECTED",
            10,
            Fault::NotAligned { .. }
        );
    }
    for mut peer in Peer::both() {
        let key = peer.generate();
        let request = peer.request(&key);
        peer.hear_response(key, &request);
        let record = peer
            .puppet
            .protect(HANDSHAKE, &[&finish(), &finish()[..]].concat(), 0);
        refused!(
            peer.puppet,
            record,
            "CONNECTED",
            10,
            Fault::NotAligned { .. }
        );
    }
}

/// Records under the keys of the wrong epoch do not open.
#[test]
fn keys_change_with_the_last_message_alone() {
    // The old key after a finish.
    for mut peer in Peer::both() {
        let key = peer.generate();
        let request = peer.request(&key);
        peer.hear_response(key, &request);
        peer.say(&finish());
        let record = peer.puppet.protect(APPLICATION_DATA, b"old", 0);
        refused!(peer.puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
    }
    // "The Responder MUST ensure that it has received ExtendedKeyUpdate(key_update_finish),
    // encrypted with the old key, before accepting any messages encrypted with the new keys."
    for content in [&finish()[..], b"data"] {
        for mut peer in Peer::both() {
            let key = peer.generate();
            let request = peer.request(&key);
            let own = peer.hear_response(key, &request);
            peer.puppet.write = Some(own);
            let content_type = if content == b"data" {
                APPLICATION_DATA
            } else {
                HANDSHAKE
            };
            let record = peer.puppet.protect(content_type, content, 0);
            refused!(peer.puppet, record, "CONNECTED", 20, Fault::BadRecordMac);
        }
    }
}

// ---- how often ----

/// 64 requests at once. (`handshake/extended_key_update.rs` tests that time allows more.)
#[test]
fn a_peer_that_requests_without_end_is_stopped() {
    for mut peer in Peer::both() {
        for _ in 0..64 {
            peer.updates();
        }
        let key = peer.generate();
        let request = with_share(REQUEST, Group::X25519, key.public());
        let fault = peer.refuses(&request, 10);
        assert!(matches!(fault, Fault::TooMany { limit: 64, .. }), "{fault}");
    }
}

/// The program can ask as often as it likes: eight updates a second are begun.
#[test]
fn eight_a_second_are_begun() {
    for mut peer in Peer::both() {
        let mut begun = 0;
        for millis in 0..2000 {
            peer.told(millis);
            peer.puppet.us.rekey().unwrap();
            if peer.puppet.has_more_to_hear() {
                peer.is_updated();
                begun += 1;
            }
        }
        assert_eq!(begun, 16);
        peer.converses();
    }
}

/// One that was wanted too early is begun as soon as it may be, by any call that sends.
#[test]
fn an_update_that_came_too_early_is_made_up_for() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        peer.is_updated();
        peer.puppet.us.rekey().unwrap();
        peer.puppet.hears_nothing();
        assert!(!peer.puppet.us.wants_write());
        peer.told(124);
        peer.puppet.hears_nothing();
        peer.told(125);
        peer.is_updated();
        peer.converses();
    }
}

/// While one is running, no other is begun, and nothing is reported as waiting. One that the
/// program asked for meanwhile follows.
#[test]
fn one_at_a_time() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let (request, share) = peer.hear(REQUEST);
        for millis in [1000, 2000, 3000] {
            peer.told(millis);
            peer.puppet.us.rekey().unwrap();
            peer.puppet.hears_nothing();
            assert!(!peer.puppet.us.wants_write());
        }
        // Another is begun after it: somebody may know the private key of the one that was running.
        peer.answers(&request, &share);
        peer.told(4000);
        peer.is_updated();
        peer.puppet.hears_nothing();
        // The same for one that the peer began.
        let key = peer.generate();
        let request = peer.request(&key);
        let own = peer.hear_response(key, &request);
        peer.told(10_000);
        peer.puppet.us.rekey().unwrap();
        peer.puppet.hears_nothing();
        assert!(!peer.puppet.us.wants_write());
        peer.say(&finish());
        peer.puppet.write = Some(own);
        peer.is_updated();
        peer.converses();
    }
}

// ---- the policy ----

#[test]
fn the_policy_renews_keys_in_this_way() {
    for mut peer in Peer::both_with(RekeyPolicy::never().records(3)) {
        for round in 1..5 {
            peer.told(1000 * round);
            // The limit is reached, and nothing waits for the update.
            for _ in 0..3 {
                peer.puppet.us.write(b"x").unwrap();
                peer.puppet.hear_data(b"x");
            }
            peer.puppet.us.write(b"x").unwrap();
            let (request, share) = peer.hear(REQUEST);
            peer.puppet.hear_data(b"x");
            for _ in 0..10 {
                peer.puppet.us.write(b"x").unwrap();
                peer.puppet.hear_data(b"x");
            }
            peer.answers(&request, &share);
            assert_eq!(peer.puppet.us.epoch(), round);
        }
    }
    for mut peer in Peer::both_with(RekeyPolicy::never().age(Duration::from_secs(60))) {
        peer.told(59_999);
        peer.converses();
        peer.told(60_000);
        peer.puppet.hears_nothing();
        peer.puppet.us.write(b"x").unwrap();
        let (request, share) = peer.hear(REQUEST);
        peer.puppet.hear_data(b"x");
        peer.answers(&request, &share);
        peer.converses();
    }
}

/// A peer's key that is late is renewed by an update of ours.
#[test]
fn a_late_peer_is_asked_in_this_way() {
    for mut peer in Peer::both_with(RekeyPolicy::never().records(3)) {
        // 3 + 16, as for a KeyUpdate.
        for _ in 0..18 {
            peer.puppet.send(b"x").unwrap();
            peer.puppet.hears_nothing();
        }
        peer.puppet.send(b"x").unwrap();
        peer.is_updated();
        peer.puppet.delivered.clear();
        peer.converses();
        peer.puppet.hears_nothing();
    }
}

/// RFC 9846, 5.5: if no reply comes before the AEAD's limit, nothing more is sent under the key.
#[test]
fn no_reply_before_the_limit() {
    for mut peer in Peer::both() {
        // Far enough before the limit, an update is begun.
        peer.puppet
            .us
            .sender
            .start_at(MOST_RECORDS - (1 << 22) - 1, 0);
        peer.puppet.read.as_mut().unwrap().sequence = MOST_RECORDS - (1 << 22) - 1;
        peer.puppet.us.write(b"x").unwrap();
        peer.puppet.hear_data(b"x");
        peer.puppet.us.write(b"x").unwrap();
        let (request, share) = peer.hear(REQUEST);
        peer.puppet.hear_data(b"x");
        peer.answers(&request, &share);
        peer.told(1000);
        peer.puppet.us.sender.start_at(MOST_RECORDS - 32, 0);
        peer.puppet.read.as_mut().unwrap().sequence = MOST_RECORDS - 32;
        peer.puppet.us.write(b"x").unwrap();
        peer.hear(REQUEST);
        peer.puppet.hear_data(b"x");
        for _ in 0..28 {
            peer.puppet.us.write(b"x").unwrap();
            peer.puppet.hear_data(b"x");
        }
        // Two are left, for the messages of an update or for an alert.
        let error = peer.puppet.us.write(b"x").unwrap_err();
        assert!(matches!(error, Error::KeyLimit), "{error}");
    }
    // Where a request would not fit any more, none is begun.
    for mut peer in Peer::both() {
        peer.puppet.us.sender.start_at(MOST_RECORDS - 31, 0);
        peer.puppet.read.as_mut().unwrap().sequence = MOST_RECORDS - 31;
        let error = peer.puppet.us.rekey().unwrap_err();
        assert!(matches!(error, Error::KeyLimit), "{error}");
        peer.puppet.us.write(b"x").unwrap();
        peer.puppet.hear_data(b"x");
        peer.puppet.hears_nothing();
    }
}

// ---- the end ----

/// After our close_notify the peer's response still changes its keys.
#[test]
fn a_response_after_we_closed() {
    for mut peer in Peer::both() {
        peer.puppet.us.rekey().unwrap();
        let (request, share) = peer.hear(REQUEST);
        peer.puppet.us.close();
        peer.puppet.hear_alert();
        peer.responds(&request, &share);
        peer.puppet.hears_nothing();
        peer.puppet.send(b"under the new key").unwrap();
        assert_eq!(peer.puppet.delivered, b"under the new key");
        let extended = peer.puppet.us.receiver.extended().unwrap();
        assert!(extended.sends_nothing());
    }
}

/// After our close_notify nothing is kept that could send, and a request is not answered.
#[test]
fn a_request_after_we_closed() {
    for mut peer in Peer::both() {
        peer.puppet.us.close();
        peer.puppet.hear_alert();
        for _ in 0..3 {
            let key = peer.generate();
            peer.request(&key);
        }
        peer.puppet.hears_nothing();
        peer.puppet.send(b"under the old key").unwrap();
        assert_eq!(peer.puppet.delivered, b"under the old key");
        let extended = peer.puppet.us.receiver.extended().unwrap();
        assert!(extended.sends_nothing());
    }
}

/// After the peer's close_notify no update is begun, and we go on sending.
#[test]
fn no_update_after_the_peer_closed() {
    for mut peer in Peer::both_with(RekeyPolicy::never().records(3)) {
        peer.puppet.alert(1, 0).unwrap();
        peer.puppet.us.rekey().unwrap();
        for _ in 0..10 {
            peer.puppet.us.write(b"x").unwrap();
            peer.puppet.hear_data(b"x");
        }
        peer.puppet.hears_nothing();
        assert!(!peer.puppet.us.wants_write());
    }
}
