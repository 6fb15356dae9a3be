//! Tests of external PSKs, tickets, their keys and the client's cache, with fixed times and peers
//! that are made here.

mod cache;
mod external_psk;
mod replay;
mod revoked;
mod session;
mod ticket;
mod ticket_key;
mod ticket_keys;

use core::time::Duration;

use crate::code_point::NamedGroup;
use crate::crypto::suite::Suite;
use crate::identity::{Authority, Identity, Peer, ServerName, Trust, Validity};
use crate::secret::Secret;
use crate::session::session::MAX_LIFETIME;
use crate::session::{ExternalPsk, ExternalPsks, PskNames, Session, TicketContent, Whose};
use crate::time::Now;

/// A time in the middle of 2026, a quarter of a second after a whole one.
const NOW: Duration = Duration::from_millis(1_782_864_000_250);
const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const BINDING: [u8; 32] = [0xb1; 32];

fn at(unix: Duration) -> Now {
    Now {
        monotonic: Duration::ZERO,
        unix,
    }
}

fn session(suite: Suite, peer: Option<Peer>) -> Session {
    session_of(suite, peer.map_or(Whose::Nobody, Whose::Peer))
}

fn session_of(suite: Suite, whose: Whose) -> Session {
    let psk = Secret::filled(suite.hash().output_len(), |out| {
        out.iter_mut()
            .zip(1..)
            .for_each(|(byte, value)| *byte = value)
    });
    Session {
        suite,
        group: NamedGroup::X25519,
        psk,
        since: NOW - HOUR,
        whose,
    }
}

/// The PSK that a server and its client share, as the server configures it.
fn external_psk(identity: &str, secret: u8) -> ExternalPsk {
    let secret = [[secret; 16], [secret ^ 0xff; 16]].concat();
    ExternalPsk::new(
        identity,
        secret,
        PskNames {
            own: "server",
            peer: "client",
        },
    )
    .unwrap()
}

/// No external PSKs.
fn no_psks() -> ExternalPsks {
    ExternalPsks::default()
}

/// A ticket's content without early data.
fn content(session: &Session) -> TicketContent<'_> {
    TicketContent {
        session,
        generation: 0x0807_0605_0403_0201,
        age_add: 0x0102_0304,
        early: None,
    }
}

fn plain() -> Session {
    session(Suite::Aes128GcmSha256, None)
}

/// A peer that is trusted by its key, with any name.
fn peer_by_key() -> Peer {
    let identity = Identity::self_signed(["key.internal"]).unwrap();
    verified(&Trust::keys([identity.public_key()]), &identity, None)
}

fn peer_by_name() -> Peer {
    let identity = Identity::generate().unwrap();
    verified(
        &Trust::key_for("db.internal", identity.public_key()),
        &identity,
        Some("db.internal"),
    )
}

/// A peer with a root that never expires, and a certificate that expires at this time, in whole
/// seconds.
fn peer_until(expires: Duration) -> Peer {
    let for_ever = Validity::between(NOW - DAY, NOW + 10_000 * DAY).unwrap();
    let authority = Authority::builder("resumption")
        .validity(for_ever)
        .build()
        .unwrap();
    let identity = Identity::generate().unwrap();
    let validity = Validity::between(NOW - DAY, expires).unwrap();
    let chain = authority
        .certificate()
        .validity(validity)
        .server(["db.internal", "*.a.example"])
        .issue_for(identity.public_key())
        .unwrap();
    let identity = Identity::from_pem(chain, identity.key_pem().unwrap().expose()).unwrap();
    let peer = verified(&authority.trust(), &identity, Some("db.internal"));
    assert_eq!(peer.expires(), Some(Duration::from_secs(expires.as_secs())));
    peer
}

fn verified(trust: &Trust, identity: &Identity, name: Option<&str>) -> Peer {
    let chain: Vec<_> = identity.certificates().iter().map(Vec::as_slice).collect();
    let name = name.map(|name| ServerName::parse(name).unwrap());
    Peer::from_verified(trust.verify_server(&chain, name.as_ref(), at(NOW)).unwrap())
}

fn assert_same(ours: &Session, other: &Session) {
    assert_eq!((ours.suite, ours.group), (other.suite, other.group));
    assert!(ours.psk.expose() == other.psk.expose());
    assert_eq!(ours.since, other.since);
    let told = |session: &Session| {
        session.whose.peer().map(|peer| {
            let leaf = peer.certificates().first().cloned();
            (
                leaf,
                peer.names(),
                peer.uris(),
                peer.public_key(),
                peer.subject(),
                peer.expires(),
            )
        })
    };
    assert_eq!(told(ours), told(other));
    let psk = |session: &Session| match &session.whose {
        Whose::Psk(psk) => Some(*psk.fingerprint()),
        Whose::Nobody | Whose::Peer(_) => None,
    };
    assert_eq!(psk(ours), psk(other));
}

#[test]
fn can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<crate::session::TicketKeys>();
    shared::<crate::session::TicketKey>();
    shared::<crate::session::SessionCache>();
    shared::<crate::session::ReplayGuard>();
    shared::<crate::session::ExternalPsk>();
}
