//! The groups (RFC 9846, 4.3.7, 4.3.8 and 7.4; RFC 10024) in both roles: what is offered, that each
//! works, and shares that are refused.

use crate::client::Client;
use crate::code_point::NamedGroup;
use crate::connection::tests::puppet::client::set;
use crate::connection::tests::puppet::{HANDSHAKE, Puppet, WORLD, client, plain, refused, server};
use crate::crypto::key_exchange::Group;
use crate::error::{DecodeProblem, Fault, Illegal};
use crate::message::ClientHelloExtension::{KeyShare, SupportedGroups};
use crate::message::{KeyShareEntry, Message, ServerHelloExtension};
use crate::server::Server;

const HYBRID: u16 = 0x11ec;
const X25519: u16 = 0x001d;
const SECP256R1: u16 = 0x0017;

fn named(groups: &[u16]) -> Vec<NamedGroup> {
    groups.iter().copied().map(NamedGroup).collect()
}

/// Our client with a share only for this group.
fn client_with(share: Group) -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .key_shares([share.code_point()])
        .build()
        .unwrap()
}

/// What our client offers: the groups and the groups of its shares, each in order.
fn offered(client: &Client) -> (Vec<u16>, Vec<(u16, usize)>) {
    let puppet = Puppet::serving(client);
    let offer = puppet.offer();
    let groups = offer
        .supported_groups()
        .unwrap()
        .iter()
        .map(|group| group.0)
        .collect();
    (
        groups,
        offer
            .key_share()
            .unwrap()
            .iter()
            .map(|share| (share.group.0, share.key_exchange.len()))
            .collect(),
    )
}

/// The first is X25519MLKEM768, with shares for it and for X25519. secp256r1 is offered if it is
/// configured. RFC 10024: the client's share of the hybrid has 1184 + 32 bytes.
#[test]
fn what_our_client_offers() {
    assert_eq!(
        offered(&client()),
        (
            vec![HYBRID, X25519, SECP256R1],
            vec![(HYBRID, 1216), (X25519, 32)]
        )
    );
    let with = |groups: &[u16], shares: Option<&[u16]>| {
        let builder = Client::builder()
            .trust(WORLD.authority.trust())
            .groups(named(groups));
        match shares {
            Some(shares) => builder.key_shares(named(shares)).build(),
            None => builder.build(),
        }
    };
    for (groups, shares, expected) in [
        (&[X25519][..], None, &[(X25519, 32)][..]),
        (&[HYBRID], None, &[(HYBRID, 1216)]),
        (
            &[HYBRID, SECP256R1],
            None,
            &[(HYBRID, 1216), (SECP256R1, 65)],
        ),
        (&[SECP256R1, X25519], None, &[(SECP256R1, 65)]),
        (&[X25519, HYBRID], None, &[(X25519, 32)]),
        // 4.3.8: "MUST appear in the same order", whatever the order of the setting.
        (
            &[SECP256R1, X25519, HYBRID],
            Some(&[HYBRID, X25519, SECP256R1][..]),
            &[(SECP256R1, 65), (X25519, 32), (HYBRID, 1216)],
        ),
        (&[X25519, SECP256R1], Some(&[]), &[]),
    ] {
        assert_eq!(
            offered(&with(groups, shares).unwrap()),
            (groups.to_vec(), expected.to_vec())
        );
    }
    for groups in [&[][..], &[X25519, X25519], &[0x0018], &[X25519, 0x0a0a]] {
        assert!(with(groups, None).is_err());
        assert!(
            Server::builder()
                .identity(WORLD.server.clone())
                .groups(named(groups))
                .build()
                .is_err()
        );
    }
    for shares in [&[X25519, X25519][..], &[HYBRID], &[0x0018]] {
        assert!(with(&[X25519, SECP256R1], Some(shares)).is_err());
    }
}

/// 4.3.8: "The key_exchange values ... MUST be generated independently": the X25519 half of the
/// hybrid is neither the X25519 share that is sent too, nor that of another connection.
#[test]
fn shares_are_independent() {
    let shares = || {
        let puppet = Puppet::serving(&client());
        let offer = puppet.offer();
        let [hybrid, x25519] = offer.key_share().unwrap() else {
            panic!("not two shares")
        };
        let (encapsulation_key, half) = hybrid.key_exchange.split_at(1184);
        [encapsulation_key, half, x25519.key_exchange].map(<[u8]>::to_vec)
    };
    let (one, two) = (shares(), shares());
    assert_ne!(one[1], one[2]);
    for (one, two) in one.iter().zip(&two) {
        assert_ne!(one, two);
    }
}

#[test]
fn each_group_completes() {
    for group in Group::ALL {
        let mut puppet = Puppet::serving(&client_with(group));
        puppet.group = group;
        puppet.lead_to("CONNECTED");
        assert_eq!(puppet.us.negotiated().unwrap().group(), group.code_point());

        let mut puppet = Puppet::calling_with(&server(), &[group], group);
        puppet.lead_server_to("CONNECTED");
        assert_eq!(puppet.us.negotiated().unwrap().group(), group.code_point());
    }
}

/// Returns invalid shares of the right length for a group, and what is wrong with each.
fn bad_shares(group: Group, length: usize) -> Vec<(Vec<u8>, Illegal)> {
    let group_code = group.code_point();
    let malformed = || Illegal::KeyShare { group: group_code };
    let mut bad: Vec<_> = [1, 31, 33, 64, 66, length - 1, length + 1, 2 * length]
        .into_iter()
        .filter(|other| *other != length)
        .map(|other| (vec![4; other], malformed()))
        .collect();
    match group {
        // RFC 7748, 6.1, and RFC 10024, "Shared secret": the shared secret is all-zero, also inside
        // the hybrid.
        Group::X25519 => bad.push((
            vec![0; length],
            Illegal::ZeroSharedSecret { group: group_code },
        )),
        Group::X25519MlKem768 => {}
        Group::Secp256r1 => {
            // 4.3.8.2: "legacy_form = 4"; these have another form, are not on the curve, have a
            // coordinate not below the prime, or are the point at infinity.
            for form in [0, 2, 3, 5, 6, 7] {
                bad.push(([&[form][..], &[4; 64]].concat(), malformed()));
            }
            bad.push(([&[4][..], &[1; 64]].concat(), malformed()));
            bad.push(([&[4][..], &[0; 64]].concat(), malformed()));
            bad.push(([&[4][..], &[0xff; 64]].concat(), malformed()));
        }
    }
    bad
}

/// 4.3.8.2 and 7.4: illegal_parameter. An empty share does not follow the syntax.
#[test]
fn shares_that_our_client_refuses() {
    for (group, length) in [
        (Group::X25519, 32),
        (Group::Secp256r1, 65),
        (Group::X25519MlKem768, 1088 + 32),
    ] {
        let refused = |share: &dyn Fn(&mut Vec<u8>), alert, expected: &dyn Fn(&Fault) -> bool| {
            let mut puppet = Puppet::serving(&client_with(group));
            puppet.group = group;
            let hello = puppet.server_hello(|hello| {
                let [_, ServerHelloExtension::KeyShare(entry)] =
                    &mut hello.extensions.as_mut().unwrap()[..]
                else {
                    panic!("no share")
                };
                assert_eq!(entry.key_exchange.len(), length);
                let mut bytes = entry.key_exchange.to_vec();
                share(&mut bytes);
                entry.key_exchange = bytes.leak();
            });
            refused!(puppet, plain(HANDSHAKE, &hello), "WAIT_SH", alert, fault if expected(&fault));
        };
        for (bad, illegal) in bad_shares(group, length) {
            refused(
                &|share| *share = bad.clone(),
                47,
                &|fault| matches!(fault, Fault::Illegal(got) if *got == illegal),
            );
        }
        refused(&|share| share.clear(), 50, &|fault| {
            matches!(
                fault,
                Fault::Decode {
                    problem: DecodeProblem::Empty,
                    ..
                }
            )
        });
        if group == Group::X25519MlKem768 {
            let zero = Illegal::ZeroSharedSecret {
                group: NamedGroup(HYBRID),
            };
            refused(
                &|share| share[1088..].fill(0),
                47,
                &|fault| matches!(fault, Fault::Illegal(got) if *got == zero),
            );
        }
    }
}

#[test]
fn shares_that_our_server_refuses() {
    for (group, length) in [
        (Group::X25519, 32),
        (Group::Secp256r1, 65),
        (Group::X25519MlKem768, 1184 + 32),
    ] {
        let refused = |share: &dyn Fn(&mut Vec<u8>), alert, expected: &dyn Fn(&Fault) -> bool| {
            let mut puppet = Puppet::calling_with(&server(), &[group], group);
            let mut bytes = puppet.key.as_ref().unwrap().public().to_vec();
            assert_eq!(bytes.len(), length);
            share(&mut bytes);
            let entry = KeyShareEntry {
                group: group.code_point(),
                key_exchange: bytes.leak(),
            };
            let hello = puppet.make_client_hello(|hello| set(hello, KeyShare(vec![entry])));
            refused!(puppet, plain(HANDSHAKE, &hello), "START", alert, fault if expected(&fault));
        };
        for (bad, illegal) in bad_shares(group, length) {
            refused(
                &|share| *share = bad.clone(),
                47,
                &|fault| matches!(fault, Fault::Illegal(got) if *got == illegal),
            );
        }
        refused(&|share| share.clear(), 50, &|fault| {
            matches!(
                fault,
                Fault::Decode {
                    problem: DecodeProblem::Empty,
                    ..
                }
            )
        });
        if group == Group::X25519MlKem768 {
            let zero = Illegal::ZeroSharedSecret {
                group: NamedGroup(HYBRID),
            };
            refused(
                &|share| share[1184..].fill(0),
                47,
                &|fault| matches!(fault, Fault::Illegal(got) if *got == zero),
            );
            // RFC 10024, "Server share": "the server MUST perform the encapsulation key check".
            // This key has a coefficient of 3329 or more.
            let malformed = Illegal::KeyShare {
                group: NamedGroup(HYBRID),
            };
            refused(
                &|share| share[..3].fill(0xff),
                47,
                &|fault| matches!(fault, Fault::Illegal(got) if *got == malformed),
            );
        }
    }
}

/// A ciphertext that was not made for the key causes no error in the exchange (FIPS 203, implicit
/// rejection). The keys of the two sides differ, so nothing can be decrypted.
#[test]
fn a_ciphertext_that_was_changed() {
    let mut puppet = Puppet::serving(&client());
    puppet.group = Group::X25519MlKem768;
    let hello = puppet.server_hello(|hello| {
        let [_, ServerHelloExtension::KeyShare(entry)] =
            &mut hello.extensions.as_mut().unwrap()[..]
        else {
            panic!("no share")
        };
        let mut bytes = entry.key_exchange.to_vec();
        bytes[500] ^= 1;
        entry.key_exchange = bytes.leak();
    });
    puppet.say(&hello).unwrap();
    puppet.install_handshake_keys();
    let record = puppet.record(HANDSHAKE, &[8, 0, 0, 2, 0, 0]);
    let error = puppet.feed(&record).unwrap_err();
    assert!(
        matches!(
            error,
            crate::error::Error::Protocol {
                state: "WAIT_EE",
                fault: Fault::BadRecordMac
            }
        ),
        "{error}"
    );
}

/// 4.3.7: "If the server has a group it prefers to the ones in the "key_share" extension but is
/// still willing to accept the ClientHello, it SHOULD send "supported_groups" ...; this extension
/// SHOULD contain all groups the server supports".
#[test]
fn what_our_server_would_have_liked() {
    let answer = |groups: &'static [u16]| {
        let mut puppet = Puppet::calling(&server());
        let hello = puppet.make_client_hello(|hello| set(hello, SupportedGroups(named(groups))));
        puppet.say(&hello).unwrap();
        let flight = puppet.hear_flight();
        let Message::EncryptedExtensions(answers) = Message::decode(&flight[1]).unwrap() else {
            panic!("{flight:?}")
        };
        answers.supported_groups().map(<[NamedGroup]>::to_vec)
    };
    // The share is for X25519.
    assert_eq!(answer(&[X25519]), None);
    assert_eq!(answer(&[SECP256R1, X25519]), None);
    let mut puppet = Puppet::calling(
        &Server::builder()
            .identity(WORLD.server.clone())
            .groups(named(&[SECP256R1, X25519]))
            .build()
            .unwrap(),
    );
    let hello =
        puppet.make_client_hello(|hello| set(hello, SupportedGroups(named(&[X25519, SECP256R1]))));
    puppet.say(&hello).unwrap();
    let flight = puppet.hear_flight();
    let Message::EncryptedExtensions(answers) = Message::decode(&flight[1]).unwrap() else {
        panic!("{flight:?}")
    };
    assert_eq!(
        answers.supported_groups(),
        Some(&named(&[SECP256R1, X25519])[..])
    );
}
