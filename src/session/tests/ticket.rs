//! One session in one ticket: which content is restored, and which tickets do not open.

use ::hkdf::Hkdf;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::crypto::aead::AeadKey;
use crate::crypto::random::SystemRandom;
use crate::session::session::EarlyTerms;
use crate::session::session::MAX_TICKET_LEN;
use crate::session::tickets::ticket::{Header, State};
use crate::session::{TicketKey, TicketKeys};

const ZONE: [u8; 16] = *b"a zone of a kind";

fn seal(keys: &TicketKeys, session: &Session, lifetime: Duration) -> Option<(Vec<u8>, Duration)> {
    let sealed = keys
        .seal(
            &content(session),
            &BINDING,
            lifetime,
            at(NOW),
            &mut SystemRandom,
        )
        .unwrap();
    sealed.map(|sealed| (sealed.ticket, sealed.lifetime))
}

fn sealed(keys: &TicketKeys, session: &Session) -> Vec<u8> {
    seal(keys, session, 2 * HOUR).unwrap().0
}

fn opens(keys: &TicketKeys, ticket: &[u8], now: Duration) -> bool {
    keys.open(ticket, &BINDING, MAX_LIFETIME, &no_psks(), at(now))
        .is_some()
}

#[test]
fn a_session_comes_out_as_it_went_in() {
    let keys = TicketKeys::rotating();
    for suite in Suite::ALL {
        for peer in [
            None,
            Some(peer_by_key()),
            Some(peer_by_name()),
            Some(peer_until(NOW + 30 * DAY)),
        ] {
            let session = session(suite, peer);
            let ticket = sealed(&keys, &session);
            let opened = keys
                .open(&ticket, &BINDING, MAX_LIFETIME, &no_psks(), at(NOW + HOUR))
                .unwrap();
            assert_same(&opened.session, &session);
            // Times are exact to the millisecond, like NOW.
            assert_eq!(
                (opened.issued, opened.age_add, opened.early),
                (NOW, 0x0102_0304, None)
            );
        }
    }
}

/// No protocol, one with the shortest name, and one with the longest.
fn terms() -> [EarlyTerms; 3] {
    [
        (0, None),
        (16_384, Some(b"h".to_vec())),
        (u32::MAX, Some(vec![b'x'; 255])),
    ]
    .map(|(max_size, alpn)| EarlyTerms { max_size, alpn })
}

#[test]
fn the_session_of_an_external_psk_ends_with_it() {
    let keys = TicketKeys::rotating();
    let (ours, other) = (external_psk("2026-07", 1), external_psk("2026-08", 1));
    let session = session_of(Suite::Aes256GcmSha384, Whose::Psk(ours.clone()));
    let ticket = sealed(&keys, &session);
    let open = |psks: &[&ExternalPsk]| {
        let psks = ExternalPsks::new(psks.iter().map(|psk| (*psk).clone()).collect()).unwrap();
        keys.open(&ticket, &BINDING, MAX_LIFETIME, &psks, at(NOW))
    };
    assert_same(&open(&[&ours]).unwrap().session, &session);
    assert_same(&open(&[&other, &ours]).unwrap().session, &session);
    // The same holds in another process.
    assert_same(
        &open(&[&external_psk("2026-07", 1)]).unwrap().session,
        &session,
    );
    // The PSK was removed, has the same secret under another name, another secret under the same
    // name, or other parties, or is not imported.
    assert!(open(&[]).is_none());
    assert!(open(&[&other]).is_none());
    assert!(open(&[&external_psk("2026-07", 2)]).is_none());
    let secret = [[1; 16], [0xfe; 16]].concat();
    for names in [
        PskNames {
            own: "server",
            peer: "another",
        },
        PskNames {
            own: "client",
            peer: "server",
        },
    ] {
        assert!(open(&[&ExternalPsk::new("2026-07", &secret, names).unwrap()]).is_none());
    }
    let not_imported = ExternalPsk::not_imported("2026-07", &secret).unwrap();
    assert!(open(&[&not_imported]).is_none());
    // A PSK that is not imported has sessions too.
    let session = session_of(Suite::Aes128GcmSha256, Whose::Psk(not_imported.clone()));
    let ticket = sealed(&keys, &session);
    let psks = ExternalPsks::new(vec![not_imported]).unwrap();
    assert_same(
        &keys
            .open(&ticket, &BINDING, MAX_LIFETIME, &psks, at(NOW))
            .unwrap()
            .session,
        &session,
    );
    assert!(!opens(&keys, &ticket, NOW));
    // The session has no certificate, so no expiry of one ends it.
    assert!(session.is_current(at(NOW + 100 * DAY)) && session.peer_expires_in(at(NOW)).is_none());
}

#[test]
fn what_of_early_data_comes_out_as_it_went_in() {
    let keys = TicketKeys::rotating();
    let psk = external_psk("one", 1);
    let psks = ExternalPsks::new(vec![psk.clone()]).unwrap();
    for whose in [Whose::Nobody, Whose::Peer(peer_by_key()), Whose::Psk(psk)] {
        for terms in terms() {
            for age_add in [0, 1, u32::MAX] {
                let session = session_of(Suite::Aes256GcmSha384, whose.clone());
                let content = TicketContent {
                    session: &session,
                    generation: u64::from(age_add) << 20,
                    age_add,
                    early: Some((&terms, ZONE)),
                };
                let sealed = keys
                    .seal(&content, &BINDING, HOUR, at(NOW), &mut SystemRandom)
                    .unwrap()
                    .unwrap();
                let opened = keys
                    .open(
                        &sealed.ticket,
                        &BINDING,
                        MAX_LIFETIME,
                        &psks,
                        at(NOW + HOUR),
                    )
                    .unwrap();
                assert_same(&opened.session, &session);
                assert_eq!(
                    (opened.issued, opened.age_add, opened.early),
                    (NOW, age_add, Some((terms.clone(), ZONE)))
                );
                assert_eq!(opened.generation, content.generation);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_session_comes_out_as_it_went_in(
        suite in prop::sample::select(&Suite::ALL[..]),
        group: u16,
        psk in prop::collection::vec(any::<u8>(), 48),
        binding: [u8; 32],
        now in 0..1u64 << 42,
        before in 0..1u64 << 42,
        lifetime in 0..1_000_000u64,
        later in 0..1_000_000u64,
    ) {
        let now = Duration::from_millis(now);
        let session = Session {
            suite,
            group: NamedGroup(group),
            psk: Secret::copy_of(&psk[..suite.hash().output_len()]),
            since: now.saturating_sub(Duration::from_millis(before)),
            whose: Whose::Nobody,
        };
        let keys = TicketKeys::rotating();
        let asked = Duration::from_secs(lifetime);
        let sealed = keys
            .seal(
                &content(&session),
                &binding,
                asked,
                at(now),
                &mut SystemRandom,
            )
            .unwrap();
        prop_assert_eq!(sealed.is_none(), lifetime == 0);
        if let Some(sealed) = sealed {
            prop_assert_eq!(sealed.lifetime, asked.min(MAX_LIFETIME));
            let opened = keys.open(
                &sealed.ticket,
                &binding,
                MAX_LIFETIME,
                &no_psks(),
                at(now + Duration::from_secs(later)),
            );
            prop_assert_eq!(opened.is_some(), later <= sealed.lifetime.as_secs());
            opened
                .iter()
                .for_each(|opened| assert_same(&opened.session, &session));
        }
    }

    #[test]
    fn bytes_that_nobody_sealed_do_not_open(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        named: bool,
    ) {
        let keys = TicketKeys::rotating();
        let ticket = sealed(&keys, &plain());
        if named {
            bytes.splice(..bytes.len().min(16), ticket[..16].iter().copied());
        }
        prop_assert!(!opens(&keys, &bytes, NOW));
    }
}

#[test]
fn no_bit_can_be_changed() {
    let keys = TicketKeys::rotating();
    let session = session(Suite::Aes256GcmSha384, Some(peer_by_name()));
    let [_, terms, _] = terms();
    let content = TicketContent {
        early: Some((&terms, ZONE)),
        ..content(&session)
    };
    let ticket = keys
        .seal(&content, &BINDING, HOUR, at(NOW), &mut SystemRandom)
        .unwrap()
        .unwrap()
        .ticket;
    assert!(opens(&keys, &ticket, NOW));
    for at in 0..ticket.len() {
        for bit in 0..8 {
            let mut changed = ticket.clone();
            changed[at] ^= 1 << bit;
            assert!(!opens(&keys, &changed, NOW), "bit {bit} of byte {at}");
        }
        assert!(!opens(&keys, &ticket[..at], NOW), "cut after {at} bytes");
        assert!(
            !opens(&keys, &ticket[at + 1..], NOW),
            "without its first {at} bytes and one"
        );
    }
    assert!(!opens(&keys, &[&ticket[..], &[0]].concat(), NOW));
}

#[test]
fn another_binding_does_not_open() {
    // nginx CVE-2025-23419 and Go CVE-2025-68121, at this level: everything else on which a ticket
    // depends is in its binding.
    let keys = TicketKeys::rotating();
    let ticket = sealed(&keys, &plain());
    for at_byte in 0..32 {
        let mut other = BINDING;
        other[at_byte] ^= 1;
        assert!(
            keys.open(&ticket, &other, MAX_LIFETIME, &no_psks(), at(NOW))
                .is_none()
        );
    }
    assert!(
        keys.open(&ticket, &BINDING, MAX_LIFETIME, &no_psks(), at(NOW))
            .is_some()
    );
}

#[test]
fn a_ticket_opens_until_its_lifetime_is_over_and_not_before_it_was_issued() {
    // RFC 9846, 4.7.1 and 4.3.11.1.
    let keys = TicketKeys::rotating();
    let (ticket, lifetime) = seal(&keys, &plain(), 2 * HOUR + 999 * MILLI).unwrap();
    assert_eq!(lifetime, 2 * HOUR);
    assert!(opens(&keys, &ticket, NOW + lifetime));
    // The clock was set back. A difference of up to a minute may come from another machine's clock.
    let ticket = sealed(
        &keys,
        &Session {
            since: Duration::ZERO,
            ..plain()
        },
    );
    assert!(opens(&keys, &ticket, NOW - 60 * SECOND));
    assert!(!opens(&keys, &ticket, NOW - 60 * SECOND - MILLI));
    assert!(!opens(&keys, &ticket, Duration::ZERO));
    assert!(!opens(&keys, &ticket, NOW + 2 * HOUR + MILLI));
    assert!(!opens(&keys, &ticket, Duration::MAX));
}

#[test]
fn a_lifetime_that_has_become_shorter_holds_for_tickets_from_before() {
    let keys = TicketKeys::rotating();
    let (ticket, lifetime) = seal(&keys, &plain(), DAY).unwrap();
    assert_eq!(lifetime, DAY);
    let opens = |lifetime, now| {
        keys.open(&ticket, &BINDING, lifetime, &no_psks(), at(now))
            .is_some()
    };
    assert!(opens(HOUR, NOW + HOUR) && !opens(HOUR, NOW + HOUR + MILLI));
    // A longer lifetime does not apply to earlier tickets.
    assert!(opens(2 * DAY, NOW + DAY) && !opens(2 * DAY, NOW + DAY + MILLI));
}

#[test]
fn a_session_older_than_its_clock_does_not_open() {
    // The full handshake was made before the clock was set back, and the ticket after it.
    let keys = TicketKeys::rotating();
    let session = Session {
        since: NOW + HOUR,
        ..plain()
    };
    let ticket = sealed(&keys, &session);
    assert!(!opens(&keys, &ticket, NOW));
    assert!(opens(&keys, &ticket, NOW + HOUR));
}

#[test]
fn a_lifetime_is_whole_seconds_and_a_week_at_most() {
    let keys = TicketKeys::rotating();
    for (asked, given) in [
        (Duration::ZERO, None),
        (999 * MILLI, None),
        (SECOND, Some(SECOND)),
        (1999 * MILLI, Some(SECOND)),
        (7 * DAY, Some(7 * DAY)),
        (8 * DAY, Some(7 * DAY)),
        (Duration::MAX, Some(7 * DAY)),
    ] {
        assert_eq!(
            seal(&keys, &plain(), asked).map(|(_, lifetime)| lifetime),
            given,
            "{asked:?}"
        );
    }
}

#[test]
fn a_ticket_ends_with_its_peers_certificate() {
    // RFC 9846, 4.7.1: the lifetime of the peer's certificate is one of the limits.
    let expires = Duration::from_secs((NOW + HOUR).as_secs());
    let keys = TicketKeys::rotating();
    let session = session(Suite::ChaCha20Poly1305Sha256, Some(peer_until(expires)));
    let seal_at = |now| {
        keys.seal(
            &content(&session),
            &BINDING,
            2 * HOUR,
            at(now),
            &mut SystemRandom,
        )
        .unwrap()
    };
    // NOW is a quarter of a second after a whole one.
    let sealed = seal_at(NOW).unwrap();
    assert_eq!(sealed.lifetime, HOUR - SECOND);
    assert!(opens(&keys, &sealed.ticket, NOW + sealed.lifetime));
    assert!(!opens(&keys, &sealed.ticket, NOW + sealed.lifetime + MILLI));
    assert_eq!(seal_at(expires - SECOND).unwrap().lifetime, SECOND);
    for late in [
        expires - SECOND + MILLI,
        expires,
        expires + SECOND,
        expires + DAY,
    ] {
        assert!(seal_at(late).is_none());
    }
}

#[test]
fn two_tickets_have_nothing_in_common_but_the_keys_name() {
    let keys = TicketKeys::rotating();
    let tickets: Vec<_> = (0..200).map(|_| sealed(&keys, &plain())).collect();
    let pieces: std::collections::BTreeSet<_> = tickets
        .iter()
        .flat_map(|ticket| ticket[16..].chunks_exact(8))
        .collect();
    assert_eq!(
        pieces.len(),
        tickets
            .iter()
            .map(|ticket| ticket[16..].len() / 8)
            .sum::<usize>()
    );
    assert!(
        tickets
            .iter()
            .all(|ticket| ticket[..16] == tickets[0][..16])
    );
}

#[test]
fn what_is_too_long_for_a_client_hello_is_not_sent() {
    let names: Vec<_> = (0..600)
        .map(|number| format!("a-rather-long-label-{number}.internal"))
        .collect();
    let identity = Identity::self_signed(names.iter().map(String::as_str)).unwrap();
    assert!(identity.certificates()[0].len() > MAX_TICKET_LEN);
    let peer = verified(&Trust::keys([identity.public_key()]), &identity, None);
    let keys = TicketKeys::rotating();
    assert!(seal(&keys, &session(Suite::Aes128GcmSha256, Some(peer)), HOUR).is_none());
    // A ticket that is too long is not opened either.
    let ticket = sealed(&keys, &plain());
    assert!(!opens(
        &keys,
        &[&ticket[..], &vec![0; MAX_TICKET_LEN]].concat(),
        NOW
    ));
}

#[test]
fn a_ticket_is_as_long_as_a_ticket_may_be() {
    let keys = TicketKeys::rotating();
    let [.., terms] = terms();
    let session = session(Suite::Aes256GcmSha384, Some(peer_by_name()));
    let plain_len = sealed(&keys, &session_of(Suite::Aes256GcmSha384, Whose::Nobody)).len();
    let len = |content: &TicketContent<'_>| {
        let sealed = keys
            .seal(content, &BINDING, HOUR, at(NOW), &mut SystemRandom)
            .unwrap();
        sealed.map(|sealed| {
            // The capacity was reserved, so the plaintext never moved.
            assert_eq!(sealed.ticket.len(), sealed.ticket.capacity());
            sealed.ticket.len()
        })
    };
    let of_psk = session_of(Suite::Aes256GcmSha384, Whose::Psk(external_psk("one", 1)));
    assert_eq!(len(&content(&of_psk)), Some(plain_len + 32));
    let without = len(&content(&session)).unwrap();
    assert_eq!(
        len(&TicketContent {
            early: Some((&terms, ZONE)),
            ..content(&session)
        }),
        Some(without + 16 + 4 + 1 + 255)
    );
    // No handshake can agree on a protocol with this name, which would make the ticket longer than
    // a ClientHello allows.
    let terms = EarlyTerms {
        max_size: 1,
        alpn: Some(vec![b'x'; MAX_TICKET_LEN]),
    };
    assert_eq!(
        len(&TicketContent {
            early: Some((&terms, ZONE)),
            ..content(&session)
        }),
        None
    );
}

/// Returns the encoding of early data, by the diagram at the top of `ticket.rs`.
fn early(max_size: u32, alpn: &[u8]) -> Vec<u8> {
    let alpn_len = u8::try_from(alpn.len()).unwrap();
    [&[1], &ZONE[..], &max_size.to_be_bytes(), &[alpn_len], alpn].concat()
}

/// Returns the state of a ticket, by the same diagram.
fn state(suite: u16, lifetime: u32, psk: &[u8], whose: &[u8], early: &[u8]) -> Vec<u8> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap().to_be_bytes();
    let mut out = suite.to_be_bytes().to_vec();
    // x25519(0x001d)
    out.extend([0x00, 0x1d]);
    out.extend(millis(NOW - HOUR));
    out.extend(0x0807_0605_0403_0201_u64.to_be_bytes());
    out.extend(millis(NOW));
    out.extend(lifetime.to_be_bytes());
    out.extend(0x0102_0304_u32.to_be_bytes());
    out.push(u8::try_from(psk.len()).unwrap());
    out.extend(psk);
    out.extend(whose);
    out.extend(early);
    out
}

/// Returns the encoding of the owner, by the same diagram, if it is a peer.
fn by_peer(peer: &[u8]) -> Vec<u8> {
    [
        &[1],
        &u16::try_from(peer.len()).unwrap().to_be_bytes()[..],
        peer,
    ]
    .concat()
}

/// Returns the key that seals the ticket with this salt, and the data authenticated with it, under
/// a secret of sevens.
fn by_hand(salt: &[u8], version: u8) -> (AeadKey, [u8; 12], Vec<u8>) {
    let (_, hkdf) = Hkdf::<Sha256>::extract(Some(b"fleeting ticket v1"), &[7; 32]);
    let expand = |label: &[u8], salt: &[u8], out: &mut [u8]| {
        hkdf.expand_multi_info(&[label, salt], out).unwrap()
    };
    let (mut name, mut key, mut nonce) = ([0; 16], [0; 32], [0; 12]);
    expand(b"name", &[], &mut name);
    expand(b"key", salt, &mut key);
    expand(b"nonce", salt, &mut nonce);
    (
        AeadKey::new(Suite::Aes256GcmSha384, &key),
        nonce,
        [&[version], &name[..], &BINDING].concat(),
    )
}

/// A ring with that secret.
fn sevens() -> TicketKeys {
    let keys = TicketKeys::empty();
    keys.install(TicketKey::new([7; 32], NOW, NOW + HOUR, NOW + 3 * HOUR).unwrap());
    keys
}

#[test]
fn a_ticket_is_made_as_it_says() {
    // Processes of different versions may share a key, so this must not change without a new
    // version.
    let keys = sevens();
    let (peer, psk) = (peer_by_name(), external_psk("one", 1));
    let terms = EarlyTerms {
        max_size: 0x0a0b_0c0d,
        alpn: Some(b"h2".to_vec()),
    };
    for (whose, whose_told) in [
        (Whose::Nobody, vec![0]),
        (Whose::Peer(peer.clone()), by_peer(&peer.to_ticket())),
        (
            Whose::Psk(psk.clone()),
            [&[2], &psk.fingerprint()[..]].concat(),
        ),
    ] {
        let session = session_of(Suite::Aes256GcmSha384, whose);
        for (sealed_terms, told) in [
            (None, vec![0]),
            (Some((&terms, ZONE)), early(0x0a0b_0c0d, b"h2")),
        ] {
            let content = TicketContent {
                early: sealed_terms,
                ..content(&session)
            };
            let ticket = keys
                .seal(&content, &BINDING, 2 * HOUR, at(NOW), &mut SystemRandom)
                .unwrap()
                .unwrap()
                .ticket;
            let (key, nonce, aad) = by_hand(&ticket[16..48], 4);
            assert_eq!(ticket[..16], aad[1..17]);
            let (sealed, tag) = ticket[48..].split_last_chunk().unwrap();
            let mut opened = sealed.to_vec();
            key.open_in_place(&nonce, &aad, &mut opened, tag).unwrap();
            assert!(opened == state(0x1302, 7200, session.psk.expose(), &whose_told, &told));
        }
    }
}

#[test]
fn a_ticket_of_another_version_does_not_open() {
    // One is a ticket of the previous version, as it was sealed then: without a generation. The
    // other has the current content under the previous version's number.
    let keys = sevens();
    let now = state(0x1301, 7200, &[3; 32], &[0], &[0]);
    let then = [&now[..12], &now[20..]].concat();
    for (version, state, expected) in [
        (3, &then, false),
        (3, &now, false),
        (4, &then, false),
        (4, &now, true),
        (5, &now, false),
    ] {
        let salt = [9; 32];
        let (key, nonce, aad) = by_hand(&salt, version);
        let mut sealed = state.clone();
        let tag = key.seal_in_place(&nonce, &aad, &mut sealed).unwrap();
        let ticket = [&aad[1..17], &salt, &sealed, &tag].concat();
        assert!(Header::split(&ticket).is_some());
        assert_eq!(opens(&keys, &ticket, NOW), expected, "version {version}");
    }
}

#[test]
fn a_state_is_read_strictly() {
    let external = external_psk("one", 1);
    let psks = ExternalPsks::new(vec![external.clone()]).unwrap();
    let decode = |state: &[u8]| State::decode(state, &psks);
    let (psk, shown) = ([3; 48], peer_by_name().to_ticket());
    let (nobody, peer, by_psk) = (
        vec![0],
        by_peer(&shown),
        [&[2], &external.fingerprint()[..]].concat(),
    );
    for whose in [&nobody, &peer, &by_psk] {
        for early in [
            vec![0],
            early(0, b""),
            early(7, b"h2"),
            early(u32::MAX, &[b'x'; 255]),
        ] {
            let good = state(0x1302, 7200, &psk, whose, &early);
            assert!(
                decode(&good)
                    .unwrap()
                    .into_opened(MAX_LIFETIME, at(NOW))
                    .is_some()
            );
            for cut in 0..good.len() {
                assert!(decode(&good[..cut]).is_none(), "{cut}");
            }
            assert!(decode(&[&good[..], &[0]].concat()).is_none());
        }
    }
    assert!(State::decode(&state(0x1302, 7200, &psk, &by_psk, &[0]), &no_psks()).is_none());
    let none = &[0];
    assert!(decode(&state(0x1302, 604_800, &psk, &peer, none)).is_some());
    assert!(decode(&state(0x1301, 1, &psk[..32], &nobody, none)).is_some());
    for wrong in [
        state(0x1304, 7200, &psk, &peer, none),
        state(0x1301, 7200, &psk, &peer, none),
        state(0x1302, 7200, &psk[..32], &peer, none),
        state(0x1302, 7200, &psk[..47], &peer, none),
        state(0x1302, 7200, &[], &peer, none),
        state(0x1302, 0, &psk, &peer, none),
        state(0x1302, 604_801, &psk, &peer, none),
        state(0x1302, u32::MAX, &psk, &peer, none),
        state(0x1302, 7200, &psk, &by_peer(&[]), none),
        state(0x1302, 7200, &psk, &by_peer(&[0]), none),
        state(
            0x1302,
            7200,
            &psk,
            &by_peer(&[&shown[..], &[0]].concat()),
            none,
        ),
        state(0x1302, 7200, &psk, &[&[0], &peer[1..]].concat(), none),
        state(0x1302, 7200, &psk, &[&[3], &peer[1..]].concat(), none),
        state(0x1302, 7200, &psk, &[&[2], &[7; 32][..]].concat(), none),
        state(0x1302, 7200, &psk, &peer, &[1]),
        state(0x1302, 7200, &psk, &peer, &[2]),
        state(
            0x1302,
            7200,
            &psk,
            &peer,
            &[&[0], &early(7, b"h2")[1..]].concat(),
        ),
        state(
            0x1302,
            7200,
            &psk,
            &peer,
            &[&[2], &early(7, b"h2")[1..]].concat(),
        ),
    ] {
        assert!(decode(&wrong).is_none());
    }
}
