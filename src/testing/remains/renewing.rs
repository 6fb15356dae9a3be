//! What a connection leaves in memory while it lives on and renews its keys: by the policy, and by
//! extended key updates that either side begins, or both at once.

use core::time::Duration;
use std::path::Path;

use super::{Pair, Run, authority, connect, deliver, identity};
use crate::client::Client;
use crate::connection::seed_updates;
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::handshake::RekeyPolicy;
use crate::server::Server;
use crate::time::Now;

fn pair(suite: Suite, group: Group, keys: &Path, extended: bool, policy: RekeyPolicy) -> Pair {
    let authority = authority(keys);
    let server = Server::builder()
        .identity(identity(keys, "server"))
        .without_tickets()
        .extended_key_update(extended)
        .rekey_policy(policy)
        .build()
        .unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .cipher_suites([suite.code_point()])
        .groups([group.code_point()])
        .extended_key_update(extended)
        .rekey_policy(policy)
        .build()
        .unwrap();
    connect(&client, &server, 61, false)
}

/// Both sides write, and what they write arrives.
fn converse(pair: &mut Pair) {
    pair.client.write(b"to the server").unwrap();
    pair.server.write(b"to the client").unwrap();
    pair.settle();
}

/// The time passes.
fn at(pair: &mut Pair, seconds: u64) {
    let now = Now {
        monotonic: Duration::from_secs(seconds),
        ..super::now()
    };
    for side in [&mut pair.client, &mut pair.server] {
        side.process(now, &mut pair.rng).unwrap();
    }
}

/// Each pause comes after a renewal, while the connection lives on: the secrets of the generation
/// or epoch before are gone.
pub(super) fn script(suite: Suite, group: Group, keys: &Path, extended: bool, run: &mut dyn Run) {
    seed_updates(62);
    let policy = RekeyPolicy::never().age(Duration::from_secs(60));
    let mut pair = pair(suite, group, keys, extended, policy);
    converse(&mut pair);
    run.dropped("the handshake");
    run.pause();

    // By age.
    at(&mut pair, 100);
    for _ in 0..3 {
        converse(&mut pair);
    }
    run.dropped("a renewal by age");
    run.pause();

    // By both programs at once.
    at(&mut pair, 110);
    pair.client.rekey().unwrap();
    pair.server.rekey().unwrap();
    for _ in 0..3 {
        converse(&mut pair);
    }
    if extended {
        assert_eq!((pair.client.epoch(), pair.server.epoch()), (2, 2));
        // Not compared: that would put the bytes into registers, which this test searches.
        for side in [&pair.client, &pair.server] {
            drop(
                side.export_epoch_keying_material(2, b"label", b"", 32)
                    .unwrap(),
            );
        }
    }
    run.dropped("a renewal by both programs");
    run.pause();

    // One that never ends: the server has requested it, and is cut off.
    at(&mut pair, 120);
    pair.server.rekey().unwrap();
    deliver(&mut pair.server, &mut pair.client, &mut pair.rng);
    drop(pair.client);
    run.dropped("a renewal that is cut off, the client's");
    run.pause();
    drop(pair.server);
    run.dropped("a renewal that is cut off, the server's");
    run.pause();
}
