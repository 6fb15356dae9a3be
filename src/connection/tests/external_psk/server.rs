//! External PSKs at our server (RFC 9846, 4.3.9, 4.3.11 and F.6; RFC 9258): which it accepts, and
//! what happens to the others.

use crate::code_point::{CipherSuite, ExtensionType};
use crate::connection::tests::puppet::client::{add, remove, required, set};
use crate::connection::tests::puppet::session::{Psk, Ticket};
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Keys, Puppet, WORLD, certificate_message, now, plain, refused,
};
use crate::connection::{Connection, Status};
use crate::crypto::hmac::TAGS;
use crate::crypto::key_exchange::Group;
use crate::crypto::random::SystemRandom;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, DecodeProblem, Error, Fault, Illegal};
use crate::handshake::{EarlyData as Outcome, Question};
use crate::key_schedule::EarlySecret;
use crate::message::ClientHelloExtension::{
    EarlyData, KeyShare, SignatureAlgorithms, SupportedGroups,
};
use crate::message::{ClientHello, ClientHelloExtension, OfferedPsks, PskIdentity as Identity};
use crate::secret::Secret;
use crate::server::{Server, ServerBuilder};
use crate::session::{ExternalPsk, PskIdentity, PskNames, ReplayGuard, TicketKeys};

const AES128: Suite = Suite::Aes128GcmSha256;
const AES256: Suite = Suite::Aes256GcmSha384;

/// The secret that the client called "sensor" and our server, "hub", share as "site 4".
pub(crate) const SECRET: [u8; 32] = *b"32 bytes: what a generator gives";

pub(crate) fn at_the_hub() -> ExternalPsk {
    ExternalPsk::new(
        "site 4",
        SECRET,
        PskNames {
            own: "hub",
            peer: "sensor",
        },
    )
    .unwrap()
}

/// The PSK that the sensor offers.
pub(crate) fn offered(suite: Suite) -> Psk {
    Psk::imported(b"site 4", &SECRET, ["sensor", "hub"], suite)
}

/// A server that accepts only its PSK.
fn alone() -> ServerBuilder {
    Server::builder().external_psks([at_the_hub()])
}

/// A server that also has a certificate.
fn besides() -> ServerBuilder {
    alone().identity(WORLD.server.clone())
}

fn both() -> [Server; 2] {
    [alone().build().unwrap(), besides().build().unwrap()]
}

/// A client that offers these PSKs, and the suite of the first.
fn calling(server: &Server, psks: &[Psk]) -> Puppet {
    let mut puppet = Puppet::calling_for_tickets(server);
    puppet.suite = psks.first().map_or(AES128, |psk| psk.suite);
    puppet.psks = psks.to_vec();
    puppet
}

/// Completes the handshake. Returns true if it uses a PSK, from outside or from a ticket.
fn is_taken_with(puppet: &mut Puppet, edit: impl FnOnce(&mut ClientHello<'_>)) -> bool {
    let hello = puppet.make_client_hello(edit);
    puppet.say(&hello).unwrap();
    let flight: Vec<u8> = puppet
        .hear_flight()
        .iter()
        .map(|message| message[0])
        .collect();
    let taken = puppet.psk.is_some();
    // RFC 9846, 4.5.1 and 4.4.2: with a PSK there are only ServerHello, EncryptedExtensions and
    // Finished, without Certificate and CertificateRequest.
    assert_eq!(taken, flight == [2, 8, 20], "{flight:?}");
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"data").unwrap();
    assert_eq!(puppet.delivered, b"data");
    let negotiated = puppet.us.negotiated().unwrap();
    assert_eq!(
        (taken, false),
        (
            negotiated.external_psk().is_some(),
            taken && negotiated.peer().is_some()
        )
    );
    taken
}

fn is_taken(mut puppet: Puppet) -> bool {
    is_taken_with(&mut puppet, |_| {})
}

/// Asserts that such a ClientHello is refused. The alert is in the clear, and nothing precedes it.
macro_rules! refused_hello {
    ($puppet:expr, $edit:expr, $alert:expr, $fault:pat $(if $guard:expr)?) => {{
        let mut puppet = $puppet;
        let hello = puppet.make_client_hello($edit);
        refused!(puppet, plain(HANDSHAKE, &hello), "START", $alert, $fault $(if $guard)?);
    }};
}

fn is_missing(fault: &Fault, extension: ExtensionType) -> bool {
    matches!(
        fault,
        Fault::MissingExtension { message: "ClientHello", extension: got } if *got == extension
    )
}

// ---- what is taken ----

/// An imported PSK ("imp binder") works with every suite, through the PSK for that suite's hash
/// (RFC 9258, 5.1). One without import ("ext binder") works with those of SHA-256. No other
/// extensions are needed: RFC 9846, 9.2 requires signature_algorithms only if certificates may be
/// needed.
#[test]
fn with_every_suite() {
    let secret = b"not to be imported";
    let as_it_is = || ExternalPsk::not_imported("plain", secret).unwrap();
    for suite in Suite::ALL {
        for server in [
            alone(),
            besides(),
            besides().client_auth(required()),
            alone().client_auth(required()),
        ] {
            let server = server
                .external_psks([at_the_hub(), as_it_is()])
                .build()
                .unwrap();
            for (psk, name, identity) in [
                (offered(suite), Some("sensor"), &b"site 4"[..]),
                (Psk::not_imported(b"plain", secret), None, b"plain"),
            ] {
                if psk.suite.hash() != suite.hash() {
                    continue;
                }
                let mut puppet = calling(&server, &[psk]);
                puppet.suite = suite;
                assert!(is_taken_with(&mut puppet, |hello| remove(
                    hello,
                    SignatureAlgorithms(vec![])
                )));
                let negotiated = puppet.us.negotiated().unwrap();
                assert_eq!(negotiated.cipher_suite(), suite.code_point());
                assert!(!negotiated.resumed());
                let psk = negotiated.external_psk().unwrap();
                assert_eq!((psk.identity(), psk.peer_name()), (identity, name));
            }
        }
    }
}

/// 4.3.11: "If the binder value ... does not validate": each label is for its own kind of PSK (RFC
/// 9258, 5.2: "to ensure that the two cannot be confused").
#[test]
fn the_label_of_the_binder() {
    use crate::key_schedule::PskKind::*;
    let server = alone()
        .external_psks([
            at_the_hub(),
            ExternalPsk::not_imported("plain", SECRET).unwrap(),
        ])
        .build()
        .unwrap();
    for (psk, right) in [
        (offered(AES128), Imported),
        (offered(AES256), Imported),
        (Psk::not_imported(b"plain", &SECRET), External),
    ] {
        for kind in [External, Imported, Resumption] {
            let puppet = calling(
                &server,
                &[Psk {
                    kind,
                    ..psk.clone()
                }],
            );
            if kind == right {
                assert!(is_taken(puppet));
            } else {
                refused_hello!(puppet, |_| {}, 51, Fault::BadBinder);
            }
        }
    }
}

/// "the first one that is known" of several is selected, and its index is returned, also among
/// tickets. Unknown ones are ignored (4.3.11).
#[test]
fn the_first_that_it_knows() {
    let server = besides().build().unwrap();
    let ticket = Puppet::tickets_of(&server).remove(0).psk();
    let (psk, unknown) = (offered(AES128), Psk::unknown());
    // These have the same secret, but other parties, or the same parties in the other direction.
    let others = [["sensor", "another"], ["hub", "sensor"], ["another", "hub"]];
    let [other, reflected, stranger] =
        others.map(|names| Psk::imported(b"site 4", &SECRET, names, AES128));
    let before = Psk::imported(b"site 3", &SECRET, ["sensor", "hub"], AES128);
    for (psks, resumed) in [
        (vec![ticket.clone(), psk.clone()], true),
        (vec![psk.clone(), ticket.clone()], false),
        (vec![unknown.clone(), psk.clone()], false),
        (
            vec![
                other.clone(),
                reflected.clone(),
                stranger.clone(),
                before.clone(),
                psk.clone(),
            ],
            false,
        ),
        (vec![offered(AES256), psk.clone(), unknown.clone()], false),
        (
            vec![
                unknown.clone(),
                unknown.clone(),
                ticket.clone(),
                psk.clone(),
            ],
            true,
        ),
    ] {
        let mut puppet = calling(&server, &psks);
        puppet.suite = AES128;
        // `hear_flight` continues with the PSK that the server's index selects: a wrong one would
        // lead to other keys.
        puppet.say_client_hello();
        assert_eq!(puppet.hear_flight().len(), 3);
        puppet.lead_server_to("CONNECTED");
        let negotiated = puppet.us.negotiated().unwrap();
        assert_eq!(
            (negotiated.resumed(), negotiated.external_psk().is_some()),
            (resumed, !resumed)
        );
    }
    assert!(!is_taken(calling(
        &server,
        &[other, reflected, stranger, before]
    )));
}

/// At most 8 are tried (our limit): a hello with thousands costs no more than a small one.
#[test]
fn a_thousand_identities() {
    for server in [alone(), besides()] {
        let server = server.build().unwrap();
        for (before, after, taken) in [(7, 992, true), (8, 992, false), (1000, 0, false)] {
            let mut psks = vec![Psk::unknown(); before];
            psks.push(offered(AES128));
            psks.extend(vec![Psk::unknown(); after]);
            let mut puppet = calling(&server, &psks);
            let hello = puppet.make_client_hello(|_| {});
            puppet.transcript.extend_from_slice(&hello);
            let records: Vec<u8> = hello
                .chunks(16384)
                .flat_map(|part| plain(HANDSHAKE, part))
                .collect();
            if taken || server.config.identity_for(None, &[]).unwrap().is_some() {
                puppet.feed(&records).unwrap();
                assert_eq!(puppet.hear_flight().len() == 3, taken);
            } else {
                refused!(puppet, records, "START", 51, Fault::UnknownPsk);
            }
        }
    }
}

/// 4.3.11.1: "For identities established externally, an obfuscated_ticket_age of 0 SHOULD be used,
/// and servers MUST ignore the value."
#[test]
fn the_age_is_ignored() {
    for server in both() {
        for obfuscated_ticket_age in [0, 1, 0x7fff_ffff, u32::MAX] {
            assert!(is_taken(calling(
                &server,
                &[Psk {
                    obfuscated_ticket_age,
                    ..offered(AES128)
                }]
            )));
        }
    }
}

/// 4.3.9: "If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers
/// MUST abort the handshake", and: "MUST NOT select a key exchange mode that is not listed by the
/// client". With psk_ke(0) alone it is as if no PSK were offered.
#[test]
fn modes() {
    for server in both() {
        let mut puppet = calling(&server, &[offered(AES128)]);
        puppet.modes = Vec::new();
        refused_hello!(puppet, |_| {}, 109, fault if is_missing(&fault, ExtensionType(45)));
        let mut puppet = calling(&server, &[offered(AES128)]);
        puppet.modes = vec![0, 0x0b, 1];
        assert!(is_taken(puppet));
    }
    let psk_ke = |server| {
        let mut puppet = calling(server, &[offered(AES128)]);
        puppet.modes = vec![0];
        puppet
    };
    let [alone, besides] = both();
    refused_hello!(psk_ke(&alone), |_| {}, 51, Fault::UnknownPsk);
    assert!(!is_taken(psk_ke(&besides)));
}

/// 9.2: supported_groups and key_share are required in every mode that we support.
#[test]
fn what_must_be_there_besides() {
    for server in both() {
        let puppet = || calling(&server, &[offered(AES128)]);
        refused_hello!(
            puppet(),
            |hello| remove(hello, KeyShare(vec![])),
            109,
            fault if is_missing(&fault, ExtensionType(51))
        );
        refused_hello!(
            puppet(),
            |hello| remove(hello, SupportedGroups(vec![])),
            109,
            fault if is_missing(&fault, ExtensionType(10))
        );
    }
}

// ---- the hash ----

/// 4.3.11: a PSK is for one hash, and is not accepted with a suite of another.
#[test]
fn a_suite_of_another_hash() {
    for psk in [
        offered(AES256),
        offered(AES128),
        Psk::not_imported(b"plain", &SECRET),
    ] {
        let other = if psk.suite == AES256 { AES128 } else { AES256 };
        let psks = || {
            [
                at_the_hub(),
                ExternalPsk::not_imported("plain", SECRET).unwrap(),
            ]
        };
        let with = |server: ServerBuilder| {
            let mut puppet = calling(
                &server.external_psks(psks()).build().unwrap(),
                std::slice::from_ref(&psk),
            );
            puppet.suite = other;
            puppet
        };
        assert!(!is_taken(with(besides())));
        refused_hello!(with(alone()), |_| {}, 51, Fault::UnknownPsk);
    }
}

/// 4.3.11: "client-provided, externally established PSKs SHOULD influence cipher suite selection".
/// Our order comes first, unless the PSK would then be unusable.
#[test]
fn the_choice_of_the_suite() {
    let sha256 = || Psk::not_imported(b"plain", &SECRET);
    let (aes128, aes256, chacha) = (0x1301, 0x1302, 0x1303);
    for (served, psks, chosen) in [
        ([aes128, aes256, chacha], vec![offered(AES256)], aes256),
        ([aes256, aes128, chacha], vec![offered(AES128)], aes128),
        ([aes256, chacha, aes128], vec![sha256()], chacha),
        // Either suite fits, so the server's own order decides.
        (
            [aes256, aes128, chacha],
            vec![offered(AES128), offered(AES256)],
            aes256,
        ),
        (
            [chacha, aes256, aes128],
            vec![offered(AES256), offered(AES128)],
            chacha,
        ),
        // An unknown PSK has no influence, nor does one too far back in the list.
        ([aes256, aes128, chacha], vec![Psk::unknown()], aes256),
        (
            [aes256, aes128, chacha],
            [vec![Psk::unknown(); 8], vec![sha256()]].concat(),
            aes256,
        ),
        (
            [aes256, aes128, chacha],
            vec![Psk::unknown(), sha256()],
            aes128,
        ),
    ] {
        let known = [
            at_the_hub(),
            ExternalPsk::not_imported("plain", SECRET).unwrap(),
        ];
        let server = besides()
            .external_psks(known)
            .cipher_suites(served.map(CipherSuite))
            .build()
            .unwrap();
        let choose = |modes: &[u8]| {
            let mut puppet = calling(&server, &psks);
            puppet.modes = modes.to_vec();
            let taken = is_taken_with(&mut puppet, |hello| {
                hello.cipher_suites = [chacha, aes128, aes256].map(CipherSuite).to_vec()
            });
            (taken, puppet.us.negotiated().unwrap().cipher_suite().0)
        };
        let known = psks
            .iter()
            .take(8)
            .any(|psk| *psk.identity != *Psk::unknown().identity);
        assert_eq!(choose(&[1]), (known, chosen), "{served:?}");
        // A PSK that cannot be accepted has no influence either.
        assert_eq!(choose(&[0]), (false, served[0]));
    }
}

/// A server that accepts only PSKs but has no suite that fits one could serve nobody.
#[test]
fn a_server_whose_suites_fit_none() {
    let server = |psks: &[ExternalPsk]| {
        Server::builder()
            .external_psks(psks.to_vec())
            .cipher_suites([CipherSuite(0x1302)])
    };
    let plain = ExternalPsk::not_imported("plain", SECRET).unwrap();
    let error = server(std::slice::from_ref(&plain)).build().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Config(ConfigError::Setting {
                name: "external_psks",
                ..
            })
        ),
        "{error}"
    );
    server(&[plain.clone(), at_the_hub()]).build().unwrap();
    server(&[plain])
        .identity(WORLD.server.clone())
        .build()
        .unwrap();
}

// ---- what is refused ----

/// A server that accepts only PSKs. 4.3.11: "If no acceptable PSKs are found, the server SHOULD
/// perform a non-PSK handshake if possible", which is not possible here. F.6: "treat the cases
/// where there is no valid PSK identity and where there is an identity but it has an invalid binder
/// identically". The client receives the same alert, decrypt_error, but the error distinguishes the
/// cases.
#[test]
fn unknown_and_wrong_are_told_alike() {
    let server = alone().build().unwrap();
    let wrong = |suite: Suite| {
        let mut psk = offered(suite);
        psk.key[7] ^= 1;
        psk
    };
    for suite in Suite::ALL {
        refused_hello!(
            calling(
                &server,
                &[Psk {
                    suite,
                    ..Psk::unknown()
                }]
            ),
            |_| {},
            51,
            Fault::UnknownPsk
        );
        refused_hello!(
            calling(&server, &[wrong(suite)]),
            |_| {},
            51,
            Fault::BadBinder
        );
        // These are the right bytes with another length.
        for length in [32, 33, 47, 49, 255]
            .into_iter()
            .filter(|length| *length != suite.hash().output_len())
        {
            let (mut puppet, hello) = with_binder(&server, &offered(suite), length);
            refused!(puppet, hello, "START", 51, Fault::BadBinder);
        }
    }
    // `opaque PskBinderEntry<32..255>`: a violation does not depend on the PSK, and is noticed
    // before any lookup.
    for psk in [offered(AES128), Psk::unknown()] {
        for length in [0, 1, 31] {
            let (mut puppet, hello) = with_binder(&server, &psk, length);
            refused!(
                puppet,
                hello,
                "START",
                50,
                Fault::Decode {
                    problem: DecodeProblem::Length | DecodeProblem::Empty,
                    ..
                }
            );
        }
    }
}

/// Returns a ClientHello with this PSK and a binder of this length, padded with zeros.
fn with_binder(server: &Server, psk: &Psk, length: usize) -> (Puppet, Vec<u8>) {
    let mut puppet = calling(server, std::slice::from_ref(psk));
    let hello = puppet.make_client_hello(|_| {});
    let right = hello[hello.len() - psk.suite.hash().output_len()..].to_vec();
    let binder = [right, vec![0; 255]].concat()[..length].to_vec();
    puppet.psks.clear();
    let hello = puppet.make_client_hello(|hello| {
        let identities = vec![Identity {
            identity: psk.identity.clone().leak(),
            obfuscated_ticket_age: 0,
        }];
        add(
            hello,
            ClientHelloExtension::PreSharedKey(OfferedPsks {
                identities,
                binders: vec![binder.leak()],
            }),
        );
    });
    (puppet, plain(HANDSHAKE, &hello))
}

/// F.6: an unknown identity takes as much computation as a wrong binder. This is counted in HMACs,
/// because times say little in a test.
#[test]
fn unknown_and_wrong_cost_the_same() {
    let server = alone().build().unwrap();
    let cost = |psks: &[Psk]| {
        let mut puppet = calling(&server, psks);
        let hello = puppet.make_client_hello(|_| {});
        let before = TAGS.get();
        puppet.feed(&plain(HANDSHAKE, &hello)).unwrap_err();
        TAGS.get() - before
    };
    for suite in Suite::ALL {
        let wrong = cost(&[Psk {
            key: vec![7; 32],
            ..offered(suite)
        }]);
        assert!(wrong > 0);
        assert_eq!(
            cost(&[Psk {
                suite,
                ..Psk::unknown()
            }]),
            wrong
        );
        assert_eq!(
            cost(&vec![
                Psk {
                    suite,
                    ..Psk::unknown()
                };
                8
            ]),
            wrong
        );
        let other = Psk::imported(b"site 5", &SECRET, ["sensor", "hub"], suite);
        assert_eq!(cost(&[other]), wrong);
    }
}

/// 9.2: a server that requires a missing extension sends missing_extension.
#[test]
fn no_psk_at_a_server_of_psks_alone() {
    let server = alone().build().unwrap();
    refused_hello!(
        Puppet::calling(&server),
        |_| {},
        109,
        fault if is_missing(&fault, ExtensionType(41))
    );
    refused_hello!(
        Puppet::calling_for_tickets(&server),
        |_| {},
        109,
        fault if is_missing(&fault, ExtensionType(41))
    );
}

/// A server that also has a certificate. 4.3.11: "Any unknown PSKs (e.g., ones not in the PSK
/// database or encrypted with an unknown key) SHOULD simply be ignored". A known one with a wrong
/// binder is not ignored: "MUST abort the handshake"; 6.2: decrypt_error.
#[test]
fn beside_a_certificate() {
    let server = besides().build().unwrap();
    assert!(!is_taken(calling(&server, &[Psk::unknown()])));
    let wrong = Psk {
        key: vec![7; 32],
        ..offered(AES128)
    };
    refused_hello!(
        calling(&server, std::slice::from_ref(&wrong)),
        |_| {},
        51,
        Fault::BadBinder
    );
    // A later PSK with a right binder does not help. PSKs after the selected one do not count.
    refused_hello!(
        calling(&server, &[wrong.clone(), offered(AES128)]),
        |_| {},
        51,
        Fault::BadBinder
    );
    assert!(is_taken(calling(&server, &[offered(AES128), wrong])));
    // A client that could not verify the certificate does not receive it.
    refused_hello!(
        calling(&server, &[Psk::unknown()]),
        |hello| remove(hello, SignatureAlgorithms(vec![])),
        109,
        fault if is_missing(&fault, ExtensionType(13))
    );
}

/// 4.5.1: with a PSK there are no certificates, even if all other clients need one.
#[test]
fn no_certificate_with_a_psk() {
    let messages: [fn(&Puppet) -> Vec<u8>; 3] = [
        Puppet::certificate,
        |_| certificate_message(&[], &[]),
        Puppet::certificate_verify,
    ];
    for server in [alone(), besides()] {
        let server = server.client_auth(required()).build().unwrap();
        for make in messages {
            let mut puppet = calling(&server, &[offered(AES128)]);
            puppet.lead_server_to("WAIT_FINISHED");
            let message = make(&puppet);
            let record = puppet.record(HANDSHAKE, &message);
            refused!(
                puppet,
                record,
                "WAIT_FINISHED",
                10,
                Fault::Unexpected {
                    expected: "Finished",
                    ..
                }
            );
        }
    }
}

/// Early data directly under such a PSK is never accepted: the PSK has no age that would limit how
/// long a replay must be remembered (8.2 and 8.3). 4.3.10: "return a regular 1-RTT response", and
/// skip it.
#[test]
fn early_data_is_rejected() {
    for server in [alone(), besides()] {
        let server = server
            .early_data(1000, ReplayGuard::in_memory(100))
            .build()
            .unwrap();
        let psk = offered(AES128);
        let mut puppet = calling(&server, std::slice::from_ref(&psk));
        let hello = puppet.make_client_hello(|hello| add(hello, EarlyData));
        let early = EarlySecret::new(AES128.hash(), Some(&Secret::copy_of(&psk.key)))
            .client_early_traffic(&AES128.hash().hash(&hello));
        let mut keys = Keys::new(AES128, early);
        puppet.say(&hello).unwrap();
        let flight = puppet.hear_flight();
        assert!(puppet.psk.is_some());
        // EncryptedExtensions has server_name(0) alone, as no session is resumed, and no
        // early_data(42).
        assert_eq!(flight[1], [8, 0, 0, 6, 0, 4, 0, 0, 0, 0]);
        let record = keys.seal(0x0303, &[&b"GET /"[..], &[APPLICATION_DATA]].concat());
        puppet.feed(&record).unwrap();
        puppet.lead_server_to("CONNECTED");
        assert!(puppet.delivered.is_empty());
        assert_eq!(
            puppet.us.negotiated().unwrap().early_data(),
            Outcome::Rejected
        );
    }
}

// ---- after a HelloRetryRequest ----

/// Our server has requested a share for secp256r1, and waits for it.
fn retried(server: &Server, psks: &[Psk], suites: &[u16]) -> Puppet {
    let mut puppet = Puppet::calling_without_share(server);
    puppet.modes = vec![1];
    puppet.psks = psks.to_vec();
    let hello = puppet.make_client_hello(|hello| {
        use crate::code_point::NamedGroup;
        set(
            hello,
            KeyShare(vec![crate::message::KeyShareEntry {
                group: NamedGroup(0x001e),
                key_exchange: &[9; 56],
            }]),
        );
        hello.cipher_suites = suites.iter().copied().map(CipherSuite).collect();
    });
    puppet.say(&hello).unwrap();
    puppet.hear_retry();
    puppet.share(Group::Secp256r1);
    puppet
}

/// 4.2.2: "Updating the pre_shared_key extension ... by recomputing the obfuscated_ticket_age and
/// binder values and (optionally) removing any PSKs which are incompatible with the server's
/// indicated cipher suite." 4.3.11.2: the binder then covers the first ClientHello and the retry as
/// well.
#[test]
fn retries() {
    let suites = [0x1301, 0x1302];
    for server in both() {
        for suite in [AES128, AES256] {
            let with = |psks: &[Psk], second: &[Psk]| {
                let mut puppet = retried(&server, psks, &suites);
                puppet.psks = second.to_vec();
                puppet
            };
            let (this, other) = (
                offered(suite),
                offered(if suite == AES128 { AES256 } else { AES128 }),
            );
            for (psks, second) in [
                (vec![this.clone()], vec![this.clone()]),
                (
                    vec![Psk::unknown(), this.clone()],
                    vec![Psk::unknown(), this.clone()],
                ),
                (vec![Psk::unknown(), this.clone()], vec![this.clone()]),
            ] {
                let mut puppet = with(&psks, &second);
                // The retry already has the suite that the PSK fits.
                assert_eq!(puppet.suite, suite);
                let same = |hello: &mut ClientHello<'_>| {
                    hello.cipher_suites = suites.map(CipherSuite).to_vec()
                };
                assert!(is_taken_with(&mut puppet, same));
            }
            // The PSK of the other hash may be removed or kept.
            let both = [this.clone(), other.clone()];
            for second in [&both[..], &both[..1]]
                .into_iter()
                .filter(|_| suite == AES128)
            {
                let mut puppet = with(&both, second);
                assert!(is_taken_with(&mut puppet, |hello| hello.cipher_suites =
                    suites.map(CipherSuite).to_vec()));
            }
        }
        // This binder covers only the second ClientHello.
        let mut puppet = retried(&server, &[offered(AES128)], &[0x1301]);
        let transcript = std::mem::take(&mut puppet.transcript);
        let hello = puppet.make_client_hello(|_| {});
        puppet.transcript = transcript;
        refused!(
            puppet,
            plain(HANDSHAKE, &hello),
            "START",
            51,
            Fault::BadBinder
        );
    }
    // This PSK was not in the first ClientHello. (A server that accepts only PSKs did not even send
    // a retry.)
    let [alone, besides] = both();
    let mut puppet = retried(&besides, &[Psk::unknown()], &[0x1301]);
    puppet.psks = vec![offered(AES128)];
    refused_hello!(
        puppet,
        |_| {},
        47,
        Fault::Illegal(Illegal::HelloChanged {
            field: "pre_shared_key"
        })
    );
    // No PSK is left.
    let mut puppet = retried(&alone, &[offered(AES128)], &[0x1301]);
    puppet.psks.clear();
    refused_hello!(puppet, |_| {}, 109, fault if is_missing(&fault, ExtensionType(41)));
    let mut puppet = retried(&besides, &[offered(AES128)], &[0x1301]);
    puppet.psks.clear();
    assert!(!is_taken(puppet));
}

// ---- tickets ----

fn with_keys(keys: &TicketKeys, psks: Vec<ExternalPsk>) -> ServerBuilder {
    Server::builder()
        .ticket_keys(keys.clone())
        .external_psks(psks)
}

fn ticket_under_psk(server: &Server) -> Ticket {
    calling(server, &[offered(AES128)])
        .finish_for_tickets()
        .remove(0)
}

/// A session that was made under a PSK is resumed as that PSK's, by any process that has it. So is
/// a session that follows it, even if all other clients need a certificate.
#[test]
fn a_ticket_knows_the_psk() {
    let keys = TicketKeys::rotating();
    let changes: [fn(ServerBuilder) -> ServerBuilder; 3] = [
        |server| server,
        |server| server.client_auth(required()),
        |server| server.identity(WORLD.server.clone()),
    ];
    for with in changes {
        let server = || with(with_keys(&keys, vec![at_the_hub()])).build().unwrap();
        let mut ticket = ticket_under_psk(&server());
        for _ in 0..3 {
            let mut puppet = Puppet::calling_with_ticket(&server(), &ticket);
            assert!(puppet.would_be_resumed());
            ticket = puppet.finish_for_tickets().remove(0);
            let negotiated = puppet.us.negotiated().unwrap();
            assert!(negotiated.resumed() && negotiated.peer().is_none());
            assert_eq!(
                negotiated.external_psk().unwrap().peer_name(),
                Some("sensor")
            );
        }
    }
}

/// A ticket ends with its PSK: if that is removed, or has another secret, name or identity, no
/// client can use the ticket.
#[test]
fn a_ticket_ends_with_its_psk() {
    let keys = TicketKeys::rotating();
    let ticket = ticket_under_psk(&with_keys(&keys, vec![at_the_hub()]).build().unwrap());
    let psk = |identity: &str, secret: [u8; 32], own: &str, peer: &str| {
        ExternalPsk::new(identity, secret, PskNames { own, peer }).unwrap()
    };
    let another = psk(
        "site 5",
        [7, 8].repeat(16).try_into().unwrap(),
        "hub",
        "valve",
    );
    for instead in [
        vec![another.clone()],
        vec![
            another.clone(),
            psk(
                "site 4",
                std::array::from_fn(|at| SECRET[at] ^ 1),
                "hub",
                "sensor",
            ),
        ],
        vec![another.clone(), psk("site 4", SECRET, "hub", "valve 2")],
        vec![another.clone(), psk("site 4", SECRET, "hub 2", "sensor")],
        vec![another.clone(), psk("site 3", SECRET, "hub", "sensor")],
        vec![
            another.clone(),
            ExternalPsk::not_imported("site 4", SECRET).unwrap(),
        ],
    ] {
        let server = with_keys(&keys, instead.clone()).build().unwrap();
        refused_hello!(
            Puppet::calling_with_ticket(&server, &ticket),
            |_| {},
            51,
            Fault::UnknownPsk
        );
        // If the server has a certificate, the handshake is a full one, and asks for a client
        // certificate.
        let ticket = ticket_under_psk(
            &with_keys(&keys, vec![at_the_hub()])
                .identity(WORLD.server.clone())
                .client_auth(required())
                .build()
                .unwrap(),
        );
        let server = with_keys(&keys, instead)
            .identity(WORLD.server.clone())
            .client_auth(required())
            .build()
            .unwrap();
        let mut puppet = Puppet::calling_with_ticket(&server, &ticket);
        assert!(!puppet.would_be_resumed());
        assert_eq!(puppet.state(), "WAIT_CERT");
    }
    // Other PSKs may be added and removed.
    let server = with_keys(&keys, vec![another, at_the_hub()])
        .build()
        .unwrap();
    assert!(Puppet::calling_with_ticket(&server, &ticket).would_be_resumed());
}

// ---- a choice by the PSK ----

/// A server that looks the PSK up after it has the ClientHello, by what `PskIdentity` parses.
#[test]
fn a_configuration_chosen_by_the_psk() {
    let mut puppet = calling(&both()[0], &[Psk::unknown(), offered(AES128)]);
    puppet.us = Connection::undecided(now());
    let hello = puppet.make_client_hello(|_| {});
    assert_eq!(
        puppet.say(&hello).unwrap(),
        Status::Ask(Question::Configuration)
    );
    let offer = puppet.us.client_hello().unwrap();
    assert_eq!(
        offer.psk_identities().collect::<Vec<_>>(),
        [&Psk::unknown().identity[..], &offered(AES128).identity]
    );
    let named: Vec<_> = offer
        .psk_identities()
        .filter_map(PskIdentity::parse)
        .collect();
    assert_eq!(
        named,
        [PskIdentity {
            identity: b"site 4",
            client: "sensor",
            server: "hub"
        }]
    );
    let psk = ExternalPsk::new(
        named[0].identity,
        SECRET,
        PskNames {
            own: named[0].server,
            peer: named[0].client,
        },
    )
    .unwrap();
    let server = Server::builder().external_psks([psk]).build().unwrap();
    puppet.us.choose(&server, now(), &mut SystemRandom).unwrap();
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    assert_eq!(
        puppet
            .us
            .negotiated()
            .unwrap()
            .external_psk()
            .unwrap()
            .peer_name(),
        Some("sensor")
    );

    // A wrong choice is refused as usual, in RECVD_CH.
    let mut puppet = calling(&server, &[Psk::unknown()]);
    puppet.us = Connection::undecided(now());
    puppet.say_client_hello();
    let error = puppet
        .us
        .choose(&server, now(), &mut SystemRandom)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Protocol {
                state: "RECVD_CH",
                fault: Fault::UnknownPsk
            }
        ),
        "{error}"
    );
    puppet.has_failed(&error, Some(51));
}
