//! The kernel against `aes-gcm`: every width that this CPU has is compared with the same oracle.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::{Aes128Enc, Aes256Enc};
use proptest::prelude::*;

use super::{GcmKey, Width};

fn widths() -> impl Iterator<Item = Width> {
    Width::ALL.into_iter().filter(|width| GcmKey::runs(*width))
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|i| ((i + seed).wrapping_mul(7919) >> 3).to_le_bytes()[0])
        .collect()
}

/// Returns what `aes-gcm` makes of the same input.
fn oracle(key: &[u8], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let mut text = plaintext.to_vec();
    let buffer = (&mut text[..]).into();
    let tag = match key.len() {
        16 => AesGcm::<Aes128Enc, U12>::new_from_slice(key)
            .unwrap()
            .encrypt_inout_detached(nonce.into(), aad, buffer),
        _ => AesGcm::<Aes256Enc, U12>::new_from_slice(key)
            .unwrap()
            .encrypt_inout_detached(nonce.into(), aad, buffer),
    };
    (text, tag.unwrap().into())
}

/// Seals and opens with one head, and opens with a wrong tag. `expected` is the oracle's result.
fn check(
    key: &GcmKey,
    nonce: &[u8; 12],
    aad: &[u8],
    plaintext: &[u8],
    head: usize,
    expected: &(Vec<u8>, [u8; 16]),
) {
    let (ciphertext, tag) = expected;
    let what = || {
        format!(
            "{} bytes, {} of them in a head, {} of additional data",
            plaintext.len(),
            head,
            aad.len()
        )
    };
    // The bytes around the text are not touched.
    let mut room = vec![0xee; plaintext.len() + 128];
    let buffer = &mut room[64..][..plaintext.len()];
    buffer[head..].copy_from_slice(&plaintext[head..]);
    assert_eq!(
        key.seal(nonce, aad, &plaintext[..head], buffer),
        Some(*tag),
        "{}",
        what()
    );
    assert_eq!(buffer, ciphertext, "{}", what());
    let mut apart = vec![0xee; head + 128];
    assert_eq!(
        key.open(nonce, aad, buffer, tag, &mut apart[64..64 + head]),
        Some(()),
        "{}",
        what()
    );
    assert!(
        apart[64..64 + head] == plaintext[..head] && buffer[head..] == plaintext[head..],
        "{}",
        what()
    );

    buffer.copy_from_slice(ciphertext);
    let mut wrong = *tag;
    wrong[plaintext.len() % 16] ^= 1 << (head % 8);
    apart[64..64 + head].fill(0xee);
    assert_eq!(
        key.open(nonce, aad, buffer, &wrong, &mut apart[64..64 + head]),
        None,
        "{}",
        what()
    );
    assert!(buffer.iter().all(|byte| *byte == 0), "{}", what());
    assert!(
        apart[64..64 + head]
            .iter()
            .all(|byte| matches!(byte, 0 | 0xee)),
        "{}",
        what()
    );
    for around in [
        &room[..64],
        &room[64 + plaintext.len()..],
        &apart[..64],
        &apart[64 + head..],
    ] {
        assert!(around.iter().all(|byte| *byte == 0xee), "{}", what());
    }
}

#[test]
fn the_width_is_the_one_asked_for_or_the_widest() {
    let forced = std::env::var("FLEETING_AES_GCM")
        .ok()
        .filter(|_| cfg!(debug_assertions));
    let name = Width::best().map_or("portable", Width::name);
    match forced {
        Some(forced) => assert_eq!(
            name, forced,
            "FLEETING_AES_GCM names a width that this CPU lacks, or no width at all"
        ),
        None => assert_eq!(Width::best(), widths().last()),
    }
    println!("AES-GCM: {name}");
}

/// Compares with the instructions that the system reports.
#[cfg(target_os = "linux")]
#[test]
fn every_width_is_found_where_it_can_run() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let flags: Vec<_> = info
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap()
        .split_whitespace()
        .collect();
    let has = |names: &[&str]| names.iter().all(|name| flags.contains(name));
    let narrow = has(&["aes", "pclmulqdq", "avx"]);
    let middle = narrow && has(&["avx2", "vaes", "vpclmulqdq"]);
    let broad = middle && has(&["avx512f", "avx512bw", "avx512dq", "avx512vl", "bmi2"]);
    assert_eq!(Width::ALL.map(GcmKey::runs), [narrow, middle, broad]);
}

#[test]
fn every_length_up_to_2000_bytes() {
    for width in widths() {
        for key_len in [16, 32] {
            let (key, nonce, aad) = (
                bytes(key_len, 1),
                bytes(12, 2).try_into().unwrap(),
                bytes(5, 3),
            );
            let expanded = GcmKey::new(width, &key).unwrap();
            let plaintext = bytes(2000, 4);
            for len in 0..=2000 {
                let plaintext = &plaintext[..len];
                let expected = oracle(&key, &nonce, &aad, plaintext);
                for head in [0, len / 2, len.saturating_sub(1), len] {
                    check(&expanded, &nonce, &aad, plaintext, head, &expected);
                }
            }
        }
    }
}

#[test]
fn around_the_edges_of_batches_and_records() {
    let lens = [128usize, 256, 512]
        .into_iter()
        .flat_map(|batch| (1..6).map(move |count| count * batch))
        .chain([4096, 16384]);
    for len in lens.flat_map(|len| len - 33..len + 34) {
        for width in widths() {
            for key_len in [16, 32] {
                let (key, nonce, plaintext) = (
                    bytes(key_len, 5),
                    bytes(12, 6).try_into().unwrap(),
                    bytes(len, 7),
                );
                let expanded = GcmKey::new(width, &key).unwrap();
                let expected = oracle(&key, &nonce, b"", &plaintext);
                for head in [0, len & !511, (len & !511).saturating_sub(64), len] {
                    check(&expanded, &nonce, b"", &plaintext, head, &expected);
                }
            }
        }
    }
}

#[test]
fn every_length_of_additional_data() {
    for width in widths() {
        let (key, nonce, plaintext) = (
            bytes(32, 8),
            bytes(12, 9).try_into().unwrap(),
            bytes(1100, 10),
        );
        let expanded = GcmKey::new(width, &key).unwrap();
        for len in 0..200 {
            let aad = bytes(len, 11);
            for plaintext in [
                &plaintext[..0],
                &plaintext[..481],
                &plaintext[..496],
                &plaintext,
            ] {
                check(
                    &expanded,
                    &nonce,
                    &aad,
                    plaintext,
                    0,
                    &oracle(&key, &nonce, &aad, plaintext),
                );
            }
        }
    }
}

#[test]
fn keys_of_other_lengths_and_heads_that_are_too_long_are_refused() {
    for width in widths() {
        for len in (0..64).filter(|len| ![16, 32].contains(len)) {
            assert!(GcmKey::new(width, &vec![7; len]).is_none());
        }
        let key = GcmKey::new(width, &[7; 16]).unwrap();
        assert!(key.is_aes_128() && !GcmKey::new(width, &[7; 32]).unwrap().is_aes_128());
        assert_eq!(key.seal(&[0; 12], b"", &[0; 17], &mut [0; 16]), None);
        assert_eq!(
            key.open(&[0; 12], b"", &mut [0; 16], &[0; 16], &mut [0; 17]),
            None
        );
    }
}

proptest! {
    #[test]
    fn as_the_oracle(
        key in prop_oneof![
            prop::collection::vec(any::<u8>(), 16),
            prop::collection::vec(any::<u8>(), 32)
        ],
        nonce: [u8; 12],
        aad in prop::collection::vec(any::<u8>(), 0..40),
        plaintext in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(any::<u8>(), 0..9000)
        ],
        head: prop::sample::Index,
    ) {
        let expected = oracle(&key, &nonce, &aad, &plaintext);
        let head = head.index(plaintext.len() + 1);
        for width in widths() {
            check(
                &GcmKey::new(width, &key).unwrap(),
                &nonce,
                &aad,
                &plaintext,
                head,
                &expected,
            );
        }
    }

    /// Flips one bit of nonce, additional data, ciphertext or tag.
    #[test]
    fn any_bit_changes_the_tag(
        plaintext in prop::collection::vec(any::<u8>(), 0..1200),
        aad in prop::collection::vec(any::<u8>(), 5),
        bit: prop::sample::Index,
    ) {
        let (key, nonce) = (bytes(16, 12), bytes(12, 13));
        let (ciphertext, tag) = oracle(&key, nonce[..].try_into().unwrap(), &aad, &plaintext);
        let mut all = [&nonce[..], &aad, &ciphertext, &tag].concat();
        let bit = bit.index(8 * all.len());
        all[bit / 8] ^= 1 << (bit % 8);
        for width in widths() {
            let mut all = all.clone();
            let (nonce, rest) = all.split_at_mut(12);
            let (aad, rest) = rest.split_at_mut(5);
            let (ciphertext, tag) = rest.split_at_mut(plaintext.len());
            let opened = GcmKey::new(width, &key).unwrap().open(
                (&*nonce).try_into().unwrap(),
                aad,
                ciphertext,
                (&*tag).try_into().unwrap(),
                &mut [],
            );
            prop_assert_eq!(opened, None);
        }
    }
}
