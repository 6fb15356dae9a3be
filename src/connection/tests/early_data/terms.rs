//! Whether our server accepts early data that is offered (RFC 9846, 4.3.10 and 8.3). What it
//! rejects is skipped, the handshake continues without it, and the session is resumed if possible.
//! In all these tests a store shows whether anything was recorded: only accepted early data is.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use crate::code_point::{CipherSuite, NamedGroup};
use crate::connection::tests::puppet::client::{add, required, set};
use crate::connection::tests::puppet::early_client::{builder, guard, ticket_of};
use crate::connection::tests::puppet::session::{Psk, Ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, now, plain, refused,
};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::EarlyData;
use crate::message::ClientHelloExtension::{
    Alpn, EarlyData as Offered, KeyShare, RecordSizeLimit, SupportedVersions,
};
use crate::message::{ClientHello, KeyShareEntry};
use crate::server::{ClientAuth, Server, ServerBuilder};
use crate::session::{ReplayEntry, ReplayGuard, ReplayStore, ReplayVerdict, TicketKeys};

/// Counts the entries that it is asked about, and reports all of them as fresh.
#[derive(Default)]
struct Store(Mutex<Vec<ReplayEntry>>);

impl ReplayStore for Store {
    fn check_and_insert(&self, entry: &ReplayEntry) -> ReplayVerdict {
        self.0.lock().unwrap().push(*entry);
        ReplayVerdict::Fresh
    }
}

/// What the servers of a test share.
struct Zone {
    store: Arc<Store>,
    keys: TicketKeys,
}

impl Zone {
    fn new() -> Self {
        Self {
            store: Arc::default(),
            keys: TicketKeys::rotating(),
        }
    }

    fn without_early_data(&self) -> ServerBuilder {
        builder().ticket_keys(self.keys.clone())
    }

    fn builder(&self) -> ServerBuilder {
        self.without_early_data().early_data(
            1000,
            ReplayGuard::with_store("here", Arc::clone(&self.store)),
        )
    }

    fn server(&self) -> Server {
        self.builder().build().unwrap()
    }

    /// Returns how many entries were recorded.
    fn recorded(&self) -> usize {
        self.store.0.lock().unwrap().len()
    }

    #[track_caller]
    fn takes(&self, puppet: Puppet) {
        self.offered(puppet, |_| {}, true);
    }

    #[track_caller]
    fn rejects(&self, puppet: Puppet) {
        self.offered(puppet, |_| {}, false);
    }

    /// The puppet offers early data in its ClientHello, as edited. Returns it connected.
    #[track_caller]
    fn offered(
        &self,
        mut puppet: Puppet,
        edit: impl FnOnce(&mut ClientHello<'_>),
        taken: bool,
    ) -> Puppet {
        let before = self.recorded();
        let hello = puppet.make_client_hello(edit);
        puppet.derive_early_keys(&hello);
        puppet.say(&hello).unwrap();
        assert_eq!(puppet.completes_early(), taken);
        assert_eq!(self.recorded() - before, usize::from(taken));
        puppet
    }
}

/// Returns a ticket of a connection that began with this ClientHello.
fn ticket_after(server: &Server, edit: impl FnOnce(&mut ClientHello<'_>)) -> Ticket {
    let mut puppet = Puppet::calling_for_tickets(server);
    let hello = puppet.make_client_hello(edit);
    puppet.say(&hello).unwrap();
    puppet.hear_flight();
    puppet.finish_for_tickets().remove(0)
}

fn suite(code_point: u16) -> Suite {
    Suite::from_code_point(CipherSuite(code_point)).unwrap()
}

fn alpn(protocol: &'static [u8]) -> impl Fn(&mut ClientHello<'_>) {
    move |hello| {
        if !protocol.is_empty() {
            add(hello, Alpn(vec![protocol]));
        }
    }
}

// ---- the PSK ----

/// "If the client opts to do so, it MUST supply both the "pre_shared_key" and "early_data"
/// extensions". Without a PSK no early data can be accepted.
#[test]
fn without_a_psk() {
    let zone = Zone::new();
    for server in [
        zone.server(),
        zone.builder().client_auth(required()).build().unwrap(),
    ] {
        for modes in [vec![], vec![1]] {
            let mut puppet = Puppet::calling(&server);
            puppet.modes = modes;
            let hello = puppet.make_client_hello(|hello| add(hello, Offered));
            puppet.say(&hello).unwrap();
            // EncryptedExtensions: server_name alone.
            assert_eq!(puppet.hear_flight()[1], [8, 0, 0, 6, 0, 4, 0, 0, 0, 0]);
            assert!(!puppet.us.takes_early_data());
            puppet.feed(&plain(APPLICATION_DATA, &[7; 100])).unwrap();
            puppet.lead_server_to("CONNECTED");
            assert_eq!(
                puppet.us.negotiated().unwrap().early_data(),
                EarlyData::Rejected
            );
        }
    }
    assert_eq!(zone.recorded(), 0);
}

/// Without early_data there is no early data, whatever the ticket allows.
#[test]
fn that_is_not_offered() {
    let zone = Zone::new();
    let server = zone.server();
    let mut puppet = Puppet::calling_with_ticket(&server, &ticket_of(&server));
    assert!(puppet.is_resumed());
    assert_eq!(
        puppet.us.negotiated().unwrap().early_data(),
        EarlyData::NotOffered
    );
    assert_eq!(zone.recorded(), 0);
}

/// "The server MUST have selected the first key offered in the client's "pre_shared_key"
/// extension."
#[test]
fn under_another_psk_than_the_first() {
    let zone = Zone::new();
    let server = zone.server();
    let [one, two] = &Puppet::tickets_of(&server)[..] else {
        panic!("not two tickets")
    };
    let offering = |psks: Vec<Psk>| {
        let mut puppet = Puppet::calling_early(&server, one);
        puppet.psks = psks;
        puppet
    };
    zone.takes(offering(vec![one.psk(), two.psk()]));
    zone.takes(offering(vec![two.psk(), Psk::unknown()]));
    zone.rejects(offering(vec![Psk::unknown(), one.psk()]));
    zone.rejects(offering(vec![Psk::unknown(), one.psk(), two.psk()]));
    zone.rejects(offering(vec![Psk::unknown()]));
    // One of our tickets for another hash precedes the one that is selected.
    let mut puppet = Puppet::calling_for_tickets(&server);
    puppet.suite = suite(0x1302);
    let other_hash = puppet.finish_for_tickets().remove(0);
    let puppet = zone.offered(offering(vec![other_hash.psk(), one.psk()]), |_| {}, false);
    assert!(puppet.us.negotiated().unwrap().resumed());
    // The PSK cannot be used in the only mode that we support.
    let mut puppet = offering(vec![one.psk()]);
    puppet.modes = vec![0];
    let puppet = zone.offered(puppet, |_| {}, false);
    assert!(!puppet.us.negotiated().unwrap().resumed());
}

/// Early data under a ticket of another virtual host, or for other client authentication, which
/// does not open there.
#[test]
fn under_a_ticket_that_is_not_taken() {
    let zone = Zone::new();
    let ticket = ticket_of(&zone.server());
    for client_auth in [required(), ClientAuth::Optional(WORLD.authority.trust())] {
        let asking = zone.builder().client_auth(client_auth).build().unwrap();
        let puppet = zone.offered(Puppet::calling_early(&asking, &ticket), |_| {}, false);
        assert!(!puppet.us.negotiated().unwrap().resumed());
    }
}

/// The PSK is resumed, but its ticket did not allow early data.
#[test]
fn under_a_ticket_that_allows_none() {
    let zone = Zone::new();
    let ticket = ticket_of(&zone.without_early_data().build().unwrap());
    assert_eq!(ticket.max_early_data_size, None);
    let puppet = zone.offered(
        Puppet::calling_early(&zone.server(), &ticket),
        |_| {},
        false,
    );
    assert!(puppet.us.negotiated().unwrap().resumed());
}

/// F.5: "TLS implementations MUST NOT enable 0-RTT (either sending or accepting) unless
/// specifically requested by the application".
#[test]
fn at_a_server_that_takes_none() {
    let zone = Zone::new();
    let ticket = ticket_of(&zone.server());
    let server = zone.without_early_data().build().unwrap();
    let puppet = zone.offered(Puppet::calling_early(&server, &ticket), |_| {}, false);
    assert!(puppet.us.negotiated().unwrap().resumed());
}

// ---- the same parameters as before ----

/// "it MUST verify that the following values are the same as those associated with the selected
/// PSK: ... The selected cipher suite". The same hash, which is enough to resume (4.7.1), is not
/// enough.
#[test]
fn with_another_suite() {
    let zone = Zone::new();
    let server = zone.server();
    for (then, later) in [
        (0x1301, 0x1303),
        (0x1303, 0x1301),
        (0x1301, 0x1301),
        (0x1302, 0x1302),
        (0x1303, 0x1303),
    ] {
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.suite = suite(then);
        let ticket = puppet.finish_for_tickets().remove(0);
        let mut puppet = Puppet::calling_early(&server, &ticket);
        puppet.suite = suite(later);
        let puppet = zone.offered(puppet, |_| {}, then == later);
        assert!(puppet.us.negotiated().unwrap().resumed());
        // The other suites that are offered do not matter: the selected one does.
        let mut puppet = Puppet::calling_early(&server, &ticket);
        puppet.suite = suite(later);
        let other = CipherSuite(if later == 0x1302 { 0x1303 } else { 0x1302 });
        let only = zone
            .builder()
            .cipher_suites([CipherSuite(later)])
            .build()
            .unwrap();
        puppet.us = only.connection(now());
        zone.offered(
            puppet,
            |hello| hello.cipher_suites.insert(0, other),
            then == later,
        );
    }
}

/// "The selected ALPN protocol, if any".
#[test]
fn with_another_protocol() {
    let zone = Zone::new();
    let server = zone.builder().alpn(["a", "b"]).build().unwrap();
    for then in [&b""[..], b"a", b"b"] {
        let ticket = ticket_after(&server, alpn(then));
        for later in [&b""[..], b"a", b"b"] {
            let puppet = zone.offered(
                Puppet::calling_early(&server, &ticket),
                alpn(later),
                then == later,
            );
            let negotiated = puppet.us.negotiated().unwrap();
            assert!(negotiated.resumed());
            assert_eq!(negotiated.alpn().unwrap_or_default(), later);
        }
    }
    // The server selects the first of its protocols that the client offers, not that of the early
    // data.
    let ticket = ticket_after(&server, alpn(b"b"));
    zone.offered(
        Puppet::calling_early(&server, &ticket),
        |hello| add(hello, Alpn(vec![b"b", b"a"])),
        false,
    );
}

/// "etc.": the session's group. Early data has no key exchange of its own, so it is as secret as
/// the one that the session comes from, which must be one that we accept now. A resumption
/// exchanges keys anew.
#[test]
fn under_a_group_that_is_not_accepted_any_more() {
    let zone = Zone::new();
    let with = |groups: &[Group]| {
        let groups = groups.iter().map(|group| group.code_point());
        zone.builder().groups(groups).build().unwrap()
    };
    let (hybrid, x25519) = (Group::X25519MlKem768, Group::X25519);
    let both = with(&[hybrid, x25519]);
    let with_share = |mut puppet: Puppet, share: Group| {
        puppet.groups = vec![share.code_point()];
        puppet.share(share);
        puppet
    };
    for (then, server, now, taken) in [
        (x25519, &both, x25519, true),
        (x25519, &both, hybrid, true),
        (hybrid, &both, x25519, true),
        (x25519, &with(&[x25519]), x25519, true),
        (hybrid, &with(&[hybrid]), hybrid, true),
        (x25519, &with(&[hybrid]), hybrid, false),
        (hybrid, &with(&[x25519]), x25519, false),
    ] {
        let ticket = with_share(Puppet::calling_for_tickets(&both), then)
            .finish_for_tickets()
            .remove(0);
        let puppet = with_share(Puppet::calling_early(server, &ticket), now);
        let puppet = zone.offered(puppet, |_| {}, taken);
        assert!(
            puppet.us.negotiated().unwrap().resumed(),
            "{then:?} {now:?}"
        );
    }
    // The tickets of a resumed connection are of its own group.
    let ticket = with_share(Puppet::calling_for_tickets(&both), x25519)
        .finish_for_tickets()
        .remove(0);
    let strict = with(&[hybrid]);
    let mut puppet = with_share(Puppet::calling_with_ticket(&strict, &ticket), hybrid);
    let ticket = puppet.finish_for_tickets().remove(0);
    assert!(puppet.us.negotiated().unwrap().resumed());
    zone.takes(with_share(Puppet::calling_early(&strict, &ticket), hybrid));
}

/// 8.2: "having a single storage zone be authoritative for a given ticket and refusing 0-RTT for
/// that ticket in any other zone".
#[test]
fn in_another_zone() {
    let zone = Zone::new();
    let ticket = ticket_of(&zone.server());
    let build = |guard: ReplayGuard| zone.without_early_data().early_data(1000, guard);
    let here = || ReplayGuard::with_store("here", Arc::clone(&zone.store));
    let others = [
        build(guard()),
        build(ReplayGuard::with_store("there", Arc::clone(&zone.store))),
        build(ReplayGuard::with_store("", Arc::clone(&zone.store))),
        // An entry that is forgotten after one window must not be fresh in another.
        build(here()).early_data_window(Duration::from_secs(11)),
        build(here()).early_data_window(Duration::from_secs(9)),
    ];
    for other in others {
        let puppet = zone.offered(
            Puppet::calling_early(&other.build().unwrap(), &ticket),
            |_| {},
            false,
        );
        assert!(puppet.us.negotiated().unwrap().resumed());
    }
    zone.takes(Puppet::calling_early(
        &build(here()).build().unwrap(),
        &ticket,
    ));
    // Two guards in memory are two zones, but a clone of one is the same zone.
    let (one, other) = (guard(), guard());
    let ticket = ticket_of(&build(one.clone()).build().unwrap());
    zone.rejects(Puppet::calling_early(
        &build(other).build().unwrap(),
        &ticket,
    ));
    let mut puppet = Puppet::calling_early(&build(one).build().unwrap(), &ticket);
    assert!(puppet.would_be_accepted());
}

/// A client that is no longer accepted is told so when the handshake is complete (6.2:
/// access_denied), and its early data is not accepted before that.
#[test]
fn of_a_client_that_is_not_let_in() {
    let zone = Zone::new();
    let open = zone.builder().client_auth(required()).build().unwrap();
    let closed = zone
        .builder()
        .client_auth(required())
        .authorize(|_| Err("not any more"))
        .build()
        .unwrap();
    let ticket = ticket_of(&open);
    let mut puppet = Puppet::calling_early(&closed, &ticket);
    puppet.say_client_hello();
    puppet.hear_flight();
    assert!(!puppet.is_accepted() && puppet.psk.is_some());
    let finished = puppet.finished();
    let record = puppet.record(HANDSHAKE, &finished);
    refused!(puppet, record, "WAIT_FINISHED", 49, Fault::Denied(_));
    assert_eq!(zone.recorded(), 0);
    zone.takes(Puppet::calling_early(&open, &ticket));
}

// ---- freshness ----

/// The time when tickets are issued here. The clock does not advance by itself.
const THEN: Duration = Duration::from_secs(1_800_000_000);

const SECOND: Duration = Duration::from_secs(1);

fn ticket_then(server: &Server) -> Ticket {
    let mut puppet = Puppet::calling_for_tickets(server);
    puppet.clock = Some(THEN);
    puppet.finish_for_tickets().remove(0)
}

/// Returns a client that states this age of the ticket in milliseconds, and a server whose clock
/// shows this time.
fn aged(server: &Server, ticket: &Ticket, clock: Duration, age: u32) -> Puppet {
    let mut puppet = Puppet::calling_early(server, ticket);
    puppet.clock = Some(clock);
    // 4.3.11: "obfuscated_ticket_age", modulo 2^32.
    puppet.psks[0].obfuscated_ticket_age = ticket.age_add.wrapping_add(age);
    puppet
}

/// 8.3: "expected_arrival_time = adjusted_creation_time + clients_ticket_age ... is then compared
/// against the current server wall clock time and if they differ by more than a certain amount,
/// 0-RTT is rejected". The limit is 10 seconds or what was set, exact to the millisecond, in both
/// directions.
#[test]
fn at_the_edges_of_the_window() {
    let zone = Zone::new();
    for window in [10_000, 60_000, 1] {
        let server = zone
            .builder()
            .early_data_window(Duration::from_millis(window.into()))
            .build()
            .unwrap();
        let ticket = ticket_then(&server);
        let at = THEN + 100 * SECOND;
        for (age, fresh) in [
            (100_000, true),
            (100_000 - window, true),
            (100_000 - window - 1, false),
            (100_000 + window, true),
            (100_000 + window + 1, false),
            (0, false),
            (u32::MAX, false),
        ] {
            let puppet = zone.offered(aged(&server, &ticket, at, age), |_| {}, fresh);
            // "the server SHOULD proceed with the handshake but reject 0-RTT".
            assert!(puppet.us.negotiated().unwrap().resumed(), "{window} {age}");
        }
    }
    // 10 seconds are the default.
    let server = zone.server();
    let ticket = ticket_then(&server);
    zone.takes(aged(&server, &ticket, THEN + 30 * SECOND, 20_000));
    zone.rejects(aged(&server, &ticket, THEN + 30 * SECOND, 19_999));
}

/// "computed by subtracting ticket_age_add from PskIdentity.obfuscated_ticket_age modulo 2^32".
#[test]
fn with_an_age_that_wraps() {
    let zone = Zone::new();
    let day = 24 * 3600;
    let server = zone
        .builder()
        .ticket_lifetime(Duration::from_secs(7 * day))
        .max_session_age(Duration::from_secs(30 * day))
        .build()
        .unwrap();
    let age: u32 = 6 * 24 * 3600 * 1000;
    let tickets = (0..1000).flat_map(|_| {
        let mut puppet = Puppet::calling_for_tickets(&server);
        puppet.clock = Some(THEN);
        puppet.request_tickets(8, 8);
        puppet.finish_for_tickets()
    });
    // One of eight does.
    let (mut wrapped, mut others) = (false, false);
    for ticket in tickets {
        let seen = if ticket.age_add.checked_add(age).is_none() {
            &mut wrapped
        } else {
            &mut others
        };
        if !core::mem::replace(seen, true) {
            zone.takes(aged(
                &server,
                &ticket,
                THEN + Duration::from_millis(age.into()),
                age,
            ));
        }
        if wrapped && others {
            return;
        }
    }
    panic!("no such ticket");
}

/// The server's clock was set back, or differs from that of the server that issued the ticket.
/// Early data is accepted within the window, and not outside it.
#[test]
fn with_a_clock_set_back() {
    let zone = Zone::new();
    let server = zone.server();
    let ticket = ticket_then(&server);
    zone.takes(aged(&server, &ticket, THEN - 10 * SECOND, 0));
    zone.rejects(aged(&server, &ticket, THEN - 10 * SECOND, 1));
    // A ticket from further in the future than clocks may differ is not accepted at all.
    let puppet = zone.offered(
        aged(&server, &ticket, THEN - 3600 * SECOND, 0),
        |_| {},
        false,
    );
    assert!(!puppet.us.negotiated().unwrap().resumed());
}

/// An expired ticket brings no early data either.
#[test]
fn under_a_ticket_that_is_over() {
    let zone = Zone::new();
    let server = zone.builder().ticket_lifetime(60 * SECOND).build().unwrap();
    let ticket = ticket_then(&server);
    zone.takes(aged(&server, &ticket, THEN + 60 * SECOND, 60_000));
    let puppet = zone.offered(
        aged(&server, &ticket, THEN + 61 * SECOND, 61_000),
        |_| {},
        false,
    );
    assert!(!puppet.us.negotiated().unwrap().resumed());
}

// ---- what is refused altogether ----

/// 8.2: "the server first verifies the PSK binder". A wrong one is refused (4.3.11), and nothing is
/// recorded. The same holds for hellos that are refused for other reasons.
#[test]
fn a_hello_that_is_refused_records_nothing() {
    let zone = Zone::new();
    let server = zone.server();
    let ticket = ticket_of(&server);
    let mut puppet = Puppet::calling_early(&server, &ticket);
    let mut hello = puppet.make_client_hello(|_| {});
    *hello.last_mut().unwrap() ^= 1;
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        51,
        Fault::BadBinder
    );
    assert_eq!(zone.recorded(), 0);
    // The same hello with the right binder is fresh afterwards.
    puppet.us = server.connection(now());
    *hello.last_mut().unwrap() ^= 1;
    puppet.derive_early_keys(&hello);
    puppet.say(&hello).unwrap();
    assert!(puppet.completes_early());
    assert_eq!(zone.recorded(), 1);

    let point = KeyShareEntry {
        group: NamedGroup(0x0017),
        key_exchange: &[4; 65],
    };
    type Edit<'a> = &'a dyn Fn(&mut ClientHello<'_>);
    let edits: [(Edit<'_>, u8); 5] = [
        (&|hello| hello.compression_methods = &[0, 1], 47),
        (&|hello| set(hello, SupportedVersions(vec![])), 50),
        (&|hello| add(hello, RecordSizeLimit(63)), 47),
        (&|hello| hello.cipher_suites = vec![CipherSuite(0x1304)], 40),
        (&|hello| set(hello, KeyShare(vec![point.clone()])), 47),
    ];
    for (edit, alert) in edits {
        let mut puppet = Puppet::calling_early(&server, &ticket);
        let hello = puppet.make_client_hello(edit);
        refused!(puppet, plain(HANDSHAKE, &hello), "START", alert, _);
    }
    // early_data follows pre_shared_key, which "MUST be the last extension" (4.3.11).
    let mut puppet = Puppet::calling_early(&server, &ticket);
    puppet.offers_early_data = false;
    let mut hello = puppet.make_client_hello(|_| {});
    hello.extend_from_slice(&[0, 42, 0, 0]);
    grow(&mut hello, 4);
    refused!(
        puppet,
        plain(HANDSHAKE, &hello),
        "START",
        47,
        Fault::Illegal(Illegal::PskNotLast)
    );
    assert_eq!(zone.recorded(), 1);
}

/// Increases the lengths of the message and the extensions in one of our ClientHellos.
fn grow(hello: &mut [u8], by: usize) {
    // msg_type and length; version, random, session id of 32, one suite, compression.
    for at in [2, 4 + 2 + 32 + 33 + 4 + 2] {
        let length = usize::from(u16::from_be_bytes([hello[at], hello[at + 1]])) + by;
        hello[at..at + 2].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    }
}
