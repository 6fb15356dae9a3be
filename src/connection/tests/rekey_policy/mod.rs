//! Keys that are renewed without anyone asking (RFC 9846, 4.7.3 and 5.5), in both roles.

mod month;

use core::time::Duration;

use crate::client::Client;
use crate::connection::Status;
use crate::connection::tests::key_updates::MOST_UPDATES;
use crate::connection::tests::puppet::{APPLICATION_DATA, HANDSHAKE, Puppet, Side, WORLD, now};
use crate::crypto::random::SystemRandom;
use crate::error::{ConfigError, Error};
use crate::handshake::RekeyPolicy;
use crate::server::Server;
use crate::time::Now;

fn client(policy: RekeyPolicy) -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .rekey_policy(policy)
        .build()
        .unwrap()
}

fn server(policy: RekeyPolicy) -> Server {
    Server::builder()
        .identity(WORLD.server.clone())
        .rekey_policy(policy)
        .build()
        .unwrap()
}

/// Our client and our server with this policy, connected.
fn both(policy: RekeyPolicy) -> [Puppet; 2] {
    [
        Puppet::serving_at(&client(policy), "CONNECTED"),
        Puppet::calling_at(&server(policy), "CONNECTED"),
    ]
}

fn at(millis: u64) -> Now {
    Now {
        monotonic: Duration::from_millis(millis),
        ..now()
    }
}

impl Puppet {
    /// The connection is told the time, which sends nothing.
    #[track_caller]
    fn told(&mut self, millis: u64) {
        assert_eq!(
            self.us.process(at(millis), &mut SystemRandom).unwrap(),
            Status::NeedsInput
        );
        self.hears_nothing();
    }

    /// We write this, under the same key as before.
    #[track_caller]
    fn same_key(&mut self, data: &[u8]) {
        self.us.write(data).unwrap();
        self.hear_data(data);
        self.hears_nothing();
    }

    /// We write this, under a new key.
    #[track_caller]
    fn new_key(&mut self, data: &[u8]) {
        self.us.write(data).unwrap();
        self.hear_update(0);
        self.hear_data(data);
        self.hears_nothing();
    }

    /// The peer sends data at this time.
    #[track_caller]
    fn sends_at(&mut self, millis: u64, length: usize) {
        let record = self.record(APPLICATION_DATA, &vec![7; length]);
        self.us.input()[..record.len()].copy_from_slice(&record);
        self.us.received(record.len());
        let mut out = [0; 100];
        assert_eq!(
            self.us
                .process_into(&mut out, at(millis), &mut SystemRandom)
                .unwrap(),
            (length, Status::NeedsInput)
        );
    }

    #[track_caller]
    fn hear_update_of_any_kind(&mut self) -> u8 {
        let content = self.hear_type(HANDSHAKE).content;
        self.read.as_mut().unwrap().update();
        assert_eq!(content[..4], [24, 0, 0, 1]);
        content[4]
    }
}

// ---- our own key ----

#[test]
fn after_so_many_records() {
    for mut puppet in both(RekeyPolicy::never().records(3)) {
        for _ in 0..3 {
            puppet.same_key(b"x");
        }
        for _ in 0..10 {
            puppet.new_key(b"x");
            puppet.same_key(b"x");
            puppet.same_key(b"x");
        }
    }
}

/// Content, content type and padding count. One record may go beyond the limit.
#[test]
fn after_so_many_bytes() {
    for mut puppet in both(RekeyPolicy::never().bytes(100)) {
        puppet.same_key(&[7; 48]);
        puppet.same_key(&[7; 49]); // with the content types, 99 bytes
        puppet.same_key(&[7; 200]);
        puppet.new_key(&[7; 99]); // 100 bytes
        puppet.new_key(&[7; 98]);
        puppet.same_key(&[7; 1]);
        puppet.new_key(b"x");
    }
    // Within one call, too.
    for mut puppet in both(RekeyPolicy::never().bytes(20_000)) {
        assert_eq!(puppet.us.write(&[7; 4 * 16_384]).unwrap(), 4 * 16_384);
        for _ in 0..2 {
            puppet.hear_data(&[7; 16_384]);
            puppet.hear_data(&[7; 16_384]);
            if puppet.has_more_to_hear() {
                puppet.hear_update(0);
            }
        }
    }
}

/// A direction in which nothing is sent stays as it is, and is renewed before the next data.
#[test]
fn after_so_much_time() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60))) {
        puppet.same_key(b"x");
        puppet.told(59_999);
        puppet.same_key(b"x");
        puppet.told(60_000);
        puppet.new_key(b"x");
        puppet.told(119_999);
        puppet.same_key(b"x");
        for hour in 1..10 {
            puppet.told(hour * 3_600_000);
            puppet.told(hour * 3_600_000 + 1);
            puppet.us.flush().unwrap();
            puppet.hears_nothing();
            puppet.new_key(b"x");
            puppet.same_key(b"x");
        }
    }
}

/// The policy's default: 2^20 records, 2^30 bytes, 5 minutes.
#[test]
fn by_default() {
    for mut puppet in both(RekeyPolicy::default()) {
        puppet.told(299_999);
        puppet.same_key(b"x");
        puppet.told(300_000);
        puppet.new_key(b"x");
    }
    assert_eq!(
        RekeyPolicy::default(),
        RekeyPolicy::never()
            .records(1_048_576)
            .bytes(1_073_741_824)
            .age(Duration::from_secs(300))
    );
}

#[test]
fn never() {
    for mut puppet in both(RekeyPolicy::never()) {
        for year in 0..100 {
            puppet.told(year * 365 * 86_400_000);
            for _ in 0..100 {
                puppet.same_key(&[7; 16_384]);
            }
        }
    }
}

/// An update for another reason begins a key's life too.
#[test]
fn a_life_begins_with_every_update() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60)).records(5)) {
        puppet.told(40_000);
        puppet.us.rekey().unwrap();
        puppet.hear_update(1);
        puppet.update(0);
        puppet.told(99_999);
        for _ in 0..5 {
            puppet.same_key(b"x");
        }
        puppet.new_key(b"x");
        puppet.update(1);
        puppet.hear_update(0);
        puppet.told(159_998);
        puppet.same_key(b"x");
        puppet.told(159_999);
        puppet.new_key(b"x");
    }
}

/// Age alone renews no key more than once a second, whoever asked for the update before.
#[test]
fn not_more_than_once_a_second_because_of_age() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_millis(50))) {
        puppet.told(50);
        puppet.new_key(b"x");
        puppet.told(1049);
        puppet.same_key(b"x");
        puppet.told(1050);
        puppet.new_key(b"x");
        puppet.told(2000);
        puppet.us.rekey().unwrap();
        puppet.hear_update(1);
        puppet.told(2999);
        puppet.same_key(b"x");
        puppet.told(3000);
        puppet.new_key(b"x");
    }
}

/// Bytes and records renew keys at whatever rate data flows, unless a pace is set.
#[test]
fn at_a_pace() {
    for mut puppet in both(RekeyPolicy::never().records(1)) {
        puppet.same_key(b"x");
        for _ in 0..100 {
            puppet.new_key(b"x");
        }
    }
    for policy in [
        RekeyPolicy::never().records(1),
        RekeyPolicy::never().bytes(1),
    ] {
        for mut puppet in both(policy.max_updates_per_second(4)) {
            puppet.same_key(b"x");
            for round in 0..10 {
                puppet.told(round * 250);
                puppet.new_key(b"x");
                puppet.same_key(b"x");
                puppet.told(round * 250 + 249);
                puppet.same_key(b"x");
            }
        }
    }
}

/// A clock that goes back makes no key younger or older.
#[test]
fn a_clock_that_goes_back() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60))) {
        puppet.told(60_000);
        puppet.new_key(b"x");
        puppet.told(0);
        puppet.same_key(b"x");
        puppet.told(119_999);
        puppet.same_key(b"x");
        puppet.told(120_000);
        puppet.new_key(b"x");
    }
}

/// RFC 9846, 4.7.3: after 2^48-1 updates there is none. The policy does not end the connection.
#[test]
fn when_keys_cannot_be_renewed_any_more() {
    for mut puppet in both(RekeyPolicy::never()) {
        puppet.us.sender.start_at(0, MOST_UPDATES);
        puppet
            .us
            .sender
            .set_rekey_policy(RekeyPolicy::never().records(1));
        for _ in 0..10 {
            puppet.same_key(b"x");
        }
    }
}

/// Data that is gathered goes out under the key that is due when it is sealed.
#[test]
fn while_data_is_gathered() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60))) {
        puppet.us.set_corked(true).unwrap();
        puppet.us.write(b"before").unwrap();
        puppet.told(60_000);
        puppet.us.write(b" and after").unwrap();
        puppet.hears_nothing();
        puppet.us.flush().unwrap();
        puppet.hear_update(0);
        puppet.hear_data(b"before and after");
        puppet
            .us
            .write_with(5, |place| {
                place.copy_from_slice(b"again");
                5
            })
            .unwrap();
        puppet.told(120_000);
        puppet
            .us
            .write_with(1, |place| {
                place[0] = b'!';
                1
            })
            .unwrap();
        puppet.us.flush().unwrap();
        puppet.hear_update(0);
        puppet.hear_data(b"again!");
        puppet.hears_nothing();
    }
    // However it comes to be sealed.
    type Way = fn(&mut Puppet);
    let ways: [Way; 3] = [
        |puppet| puppet.us.flush().unwrap(),
        |puppet| puppet.us.set_corked(false).unwrap(),
        |puppet| puppet.us.close(),
    ];
    for seal in ways {
        for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60))) {
            puppet.us.set_corked(true).unwrap();
            puppet.us.write(b"x").unwrap();
            puppet.told(60_000);
            seal(&mut puppet);
            puppet.hear_update(0);
            puppet.hear_data(b"x");
        }
    }
}

/// A server's tickets precede its first data, and count.
#[test]
fn tickets_count() {
    let mut puppet = Puppet::calling_for_tickets(&server(RekeyPolicy::never().records(1)));
    puppet.lead_server_to("WAIT_FINISHED");
    let finished = puppet.finished();
    puppet.say(&finished).unwrap();
    puppet.install_application_keys(Side::Client);
    puppet.us.write(b"x").unwrap();
    assert_eq!(puppet.hear_type(HANDSHAKE).content[0], 4);
    puppet.hear_update(0);
    puppet.hear_data(b"x");
}

// ---- the peer's key ----

/// A peer is asked when it is half as far again past a limit, in the call that sees that. Ours is
/// renewed by the same message.
#[test]
fn the_peer_is_asked() {
    let never = RekeyPolicy::never();
    for (policy, length, count) in [
        (never.records(100), 1, 150),
        (never.bytes(100_000), 99, 1500),
        // Small limits are exceeded by tickets, and by the record that crosses the limit.
        (never.records(10), 1, 10 + 16),
        (never.bytes(32), 99, 328),
    ] {
        for mut puppet in both(policy) {
            for round in 0..5 {
                let now = round * 10_000_000;
                for _ in 1..count {
                    puppet.sends_at(now, length);
                    puppet.hears_nothing();
                }
                puppet.sends_at(now, length);
                puppet.hear_update(1);
                // RFC 9846, 4.7.3: not again "until receiving a subsequent KeyUpdate".
                for _ in 0..100 {
                    puppet.sends_at(now + 1_000_000, length);
                    puppet.hears_nothing();
                }
                puppet.update(0);
                puppet.same_key(b"x");
            }
        }
    }
}

/// A peer that has renewed its key in time, or sends nothing, is not asked.
#[test]
fn the_peer_is_asked_by_age() {
    for mut puppet in both(RekeyPolicy::never().age(Duration::from_secs(60))) {
        puppet.sends_at(89_999, 1);
        puppet.hears_nothing();
        puppet.update(0);
        puppet.told(1_000_000);
        puppet.update(0);
        puppet.sends_at(1_089_999, 1);
        puppet.hears_nothing();
        puppet.sends_at(1_090_000, 1);
        puppet.hear_update(1);
        puppet.update(0);
        puppet.sends_at(1_179_999, 1);
        puppet.hears_nothing();
    }
}

/// A peer that answers and reaches the limit again is asked once a second, and eight times until we
/// send data.
#[test]
fn the_peer_is_asked_now_and_then() {
    for mut puppet in both(RekeyPolicy::never().records(2)) {
        let mut start = 0;
        for _ in 0..3 {
            start += 1_000_000;
            for round in 0..8 {
                let now = start + round * 1000;
                for _ in 1..18 {
                    puppet.sends_at(now, 1);
                    puppet.hears_nothing();
                }
                puppet.sends_at(now, 1);
                puppet.hear_update(1);
                puppet.update(0);
                for _ in 0..20 {
                    puppet.sends_at(now + 999, 1);
                    puppet.hears_nothing();
                }
                puppet.update(0);
            }
            for _ in 0..100 {
                puppet.sends_at(start + 100_000, 1);
                puppet.hears_nothing();
            }
            puppet.same_key(b"x");
            puppet.sends_at(start + 100_000, 1);
            puppet.hear_update(1);
            puppet.update(0);
            puppet.same_key(b"x");
        }
    }
}

/// The request waits behind an answer that is owed, and is no answer itself.
#[test]
fn a_request_and_an_answer() {
    for mut puppet in both(RekeyPolicy::never().records(2)) {
        for _ in 1..18 {
            puppet.sends_at(0, 1);
        }
        let bytes = [
            puppet.record(APPLICATION_DATA, b"x"),
            puppet.take_update(1),
            puppet.record(APPLICATION_DATA, b"y"),
        ]
        .concat();
        puppet.feed(&bytes).unwrap();
        let both = [
            puppet.hear_update_of_any_kind(),
            puppet.hear_update_of_any_kind(),
        ];
        assert_eq!(both, [1, 0]);
        puppet.hears_nothing();
    }
}

/// Whoever cannot send does not ask.
#[test]
fn nobody_is_asked_after_the_end() {
    for mut puppet in both(RekeyPolicy::never().records(2)) {
        puppet.us.close();
        assert_eq!(puppet.hear_alert().content, [1, 0]);
        for _ in 0..100 {
            puppet.sends_at(0, 1);
            puppet.hears_nothing();
        }
    }
    for mut puppet in both(RekeyPolicy::never().records(2)) {
        puppet.us.sender.start_at(0, MOST_UPDATES);
        for _ in 0..100 {
            puppet.sends_at(0, 1);
            puppet.hears_nothing();
        }
    }
}

// ---- settings ----

#[test]
fn settings_that_cannot_be() {
    let never = RekeyPolicy::never();
    for policy in [
        never.records(0),
        never.bytes(0),
        never.age(Duration::ZERO),
        never.max_updates_per_second(0),
    ] {
        let errors = [
            Client::builder()
                .trust(WORLD.authority.trust())
                .rekey_policy(policy)
                .build()
                .map(|_| ()),
            Server::builder()
                .identity(WORLD.server.clone())
                .rekey_policy(policy)
                .build()
                .map(|_| ()),
        ];
        for error in errors {
            assert!(matches!(
                error,
                Err(Error::Config(ConfigError::Setting {
                    name: "rekey_policy",
                    ..
                }))
            ));
        }
    }
}

/// A server that chooses its configuration late uses that configuration's policy.
#[test]
fn the_policy_of_a_late_configuration() {
    let configured = server(RekeyPolicy::never().records(3));
    let mut puppet = Puppet::calling(&configured);
    puppet.us = crate::connection::Connection::undecided(now());
    puppet.say_client_hello();
    puppet
        .us
        .choose(&configured, now(), &mut SystemRandom)
        .unwrap();
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    for _ in 0..3 {
        puppet.same_key(b"x");
    }
    puppet.new_key(b"x");
}
