//! How deep the calls go, and that they leave nothing: measured by painting the stack and reading
//! it back through `/proc/self/mem`.
//!
//! The results hold for one level of optimization and one set of widths: `just scrub-levels` runs
//! this at several.

use std::cell::{Cell, RefCell};
use std::ops::Range;

thread_local! {
    /// If true, the stack is left as it is, to see what would be overwritten.
    pub(super) static OFF: Cell<bool> = const { Cell::new(false) };

    /// The addresses where the stack was overwritten since this was last taken.
    static OVERWRITTEN: RefCell<Vec<Range<usize>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn note(stack: &[u8]) {
    let Range { start, end } = stack.as_ptr_range();
    OVERWRITTEN.with_borrow_mut(|overwritten| overwritten.push(start.addr()..end.addr()));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::ops::Range;

    use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
    use aes_gcm::aes::{Aes128Enc, Aes256Enc};
    use x509_cert::der::pem as rfc7468;

    use super::super::*;
    use super::{OFF, OVERWRITTEN};
    use crate::crypto::aead::AeadKey;
    use crate::crypto::backend::Backend;
    use crate::crypto::hkdf::Prk;
    use crate::crypto::hmac::HmacKey;
    use crate::crypto::kernel::signal::SignalStack;
    use crate::crypto::kernel::{CLEARED, GcmKey};
    use crate::crypto::key_exchange::{EphemeralKey, Group, respond, respond_on};
    use crate::crypto::random::SystemRandom;
    use crate::crypto::signature::SigningKey;
    use crate::secret::Secret;
    use crate::testing::memory::Memory;

    /// How much stack is painted, in bytes: more than any call uses.
    const PAINTED: usize = 384 * KIB;
    const PAINT: u8 = 0xa5;

    /// More stack than reading it back uses, in bytes.
    const READING: usize = 16 * KIB;

    #[inline(never)]
    fn paint() {
        let stack = [PAINT; PAINTED];
        optimization_barrier(&stack);
    }

    /// Calls `f` so far down that reading the stack back does not reach its frames. Returns the
    /// address where they begin.
    #[inline(never)]
    fn below(f: impl FnOnce()) -> usize {
        let room = [0u8; READING];
        f();
        optimization_barrier(&room);
        room.as_ptr().addr()
    }

    /// The stack after a call.
    struct Stack {
        /// The bytes from the deepest one that was changed.
        used: Vec<u8>,
        /// The address of that byte.
        deepest: usize,
    }

    #[inline(never)]
    fn stack_after(off: bool, f: impl FnOnce()) -> Stack {
        let memory = Memory::own();
        let mut stack = vec![0; PAINTED - 2 * READING];
        OFF.set(off);
        OVERWRITTEN.take();
        paint();
        let top = below(f);
        OFF.set(false);
        let bottom = top - stack.len();
        memory.read(bottom, &mut stack);
        let unused = stack.iter().position(|byte| *byte != PAINT).unwrap();
        assert!(unused > 0, "more stack was used than is painted");
        Stack {
            used: stack.split_off(unused),
            deepest: bottom + unused,
        }
    }

    impl Stack {
        /// Returns the indices of those byte strings that occur in the stack.
        fn holds(&self, secrets: &[Vec<u8>]) -> Vec<usize> {
            let mut begins = HashMap::<&[u8], Vec<usize>>::new();
            for (number, secret) in secrets.iter().enumerate() {
                begins.entry(&secret[..8]).or_default().push(number);
            }
            let mut found = Vec::new();
            for (at, window) in self
                .used
                .windows(8)
                .enumerate()
                .filter(|(_, window)| *window != [0; 8])
            {
                let candidates = begins.get(window).into_iter().flatten().copied();
                found.extend(
                    candidates.filter(|number| self.used[at..].starts_with(&secrets[*number])),
                );
            }
            found
        }
    }

    /// A call that is scrubbed: its name, how much is overwritten after it, the call, and bytes
    /// that must not stay.
    struct Call {
        name: String,
        limit: usize,
        call: Box<dyn Fn() -> Box<dyn FnOnce()>>,
        secrets: Vec<Vec<u8>>,
    }

    /// Returns bytes that do not occur by chance. The secrets themselves are not on the test's
    /// stack, because they are made inside vectors.
    fn odd(len: usize, seed: u8) -> Vec<u8> {
        (0..len)
            .map(|i| {
                (i + i / 256).to_le_bytes()[0]
                    .wrapping_mul(37)
                    .wrapping_add(seed)
                    ^ 0x5a
            })
            .collect()
    }

    /// The operation on a record.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Seal,
        Open,
        /// Opens a record with a wrong tag.
        Refuse,
    }

    const NONCE: [u8; 12] = *b"record nonce";

    /// Makes a call for a record of this many bytes, of which half are in a head.
    fn record(key: AeadKey, act: Act, len: usize) -> Box<dyn FnOnce()> {
        let mut buffer = plaintext(len);
        let mut head = buffer[..len / 2 + 30].to_vec();
        match act {
            Act::Seal => Box::new(move || {
                optimization_barrier(&key.seal(&NONCE, b"aad..", &head, &mut buffer).is_ok());
                std::mem::forget((key, head, buffer));
            }),
            Act::Open | Act::Refuse => {
                let mut tag = key.seal_in_place(&NONCE, b"aad..", &mut buffer).unwrap();
                tag[0] ^= u8::from(matches!(act, Act::Refuse));
                Box::new(move || {
                    let opened = key
                        .open(&NONCE, b"aad..", &mut buffer, &tag, &mut head)
                        .is_ok();
                    optimization_barrier(&opened);
                    std::mem::forget((key, head, buffer));
                })
            }
        }
    }

    fn plaintext(len: usize) -> Vec<u8> {
        odd(len, 6)
    }

    /// Returns the key, the plaintext and, for AES, everything that the kernel and `aes-gcm` derive
    /// from the key: round keys, powers of H, the tag's mask and key stream. Each is also included
    /// with its bytes reversed, as GHASH uses them.
    fn record_secrets(suite: Suite, key: &[u8]) -> Vec<Vec<u8>> {
        let mut secrets = vec![key.to_vec()];
        if suite != Suite::ChaCha20Poly1305Sha256 {
            let encrypt = |block: [u8; 16]| {
                let mut block = block.into();
                match key.len() {
                    16 => Aes128Enc::new_from_slice(key)
                        .unwrap()
                        .encrypt_block(&mut block),
                    _ => Aes256Enc::new_from_slice(key)
                        .unwrap()
                        .encrypt_block(&mut block),
                }
                block.to_vec()
            };
            secrets.push(encrypt([0; 16]));
            // RFC 5288, 3, and SP 800-38D, 7.1: the counter is 1 for the tag's mask, and 2 for the
            // first block of key stream.
            secrets.extend((1_u32..1200).map(|count| {
                encrypt(
                    [&NONCE[..], &count.to_be_bytes()]
                        .concat()
                        .try_into()
                        .unwrap(),
                )
            }));
            let kernel = Width::ALL
                .into_iter()
                .find_map(|width| GcmKey::new(width, key));
            secrets.extend(
                kernel
                    .iter()
                    .flat_map(GcmKey::blocks)
                    .map(|block| block.to_ne_bytes().to_vec()),
            );
        }
        secrets.extend(plaintext(256).chunks(16).map(<[u8]>::to_vec));
        let reversed: Vec<_> = secrets
            .iter()
            .map(|secret| secret.iter().rev().copied().collect())
            .collect();
        [secrets, reversed].concat()
    }

    fn calls() -> Vec<Call> {
        let mut calls = Vec::new();
        let mut add = |name: String,
                       limit,
                       secrets: Vec<Vec<u8>>,
                       call: Box<dyn Fn() -> Box<dyn FnOnce()>>| {
            calls.push(Call {
                name,
                limit,
                call,
                secrets,
            });
        };
        for backend in Backend::all() {
            for group in Group::ALL {
                let limit = match group {
                    Group::X25519MlKem768 => KEM,
                    Group::Secp256r1 => P256,
                    Group::X25519 => DEEP,
                };
                let private = odd(
                    if group == Group::X25519MlKem768 {
                        96
                    } else {
                        32
                    },
                    1,
                );
                let client =
                    || EphemeralKey::from_private(Backend::Portable, group, &private).unwrap();
                let offer = client().public().to_vec();
                let (peer, shared) = respond(group, &offer, &mut SystemRandom).unwrap();
                let mut secrets: Vec<_> = private.chunks(32).map(<[u8]>::to_vec).collect();
                secrets.extend(private.chunks(32).map(|part| part[1..31].to_vec()));
                secrets.extend(shared.expose().chunks(32).map(<[u8]>::to_vec));
                let key = private.clone();
                add(
                    format!("{backend:?} {group:?} public"),
                    limit,
                    secrets.clone(),
                    Box::new(move || {
                        let private = Secret::copy_of(&key);
                        Box::new(move || {
                            std::mem::forget(EphemeralKey::from_private(
                                backend,
                                group,
                                private.expose(),
                            ))
                        })
                    }),
                );
                add(
                    format!("{backend:?} {group:?} agree"),
                    limit,
                    secrets,
                    Box::new(move || {
                        let key = EphemeralKey::from_private(backend, group, &private).unwrap();
                        let peer = peer.clone();
                        Box::new(move || drop(key.agree(&peer)))
                    }),
                );
            }
            // The encapsulated secret is not known here, but the test also sees that nothing at all
            // stays.
            let offer = EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom)
                .unwrap()
                .public()
                .to_vec();
            add(
                format!("{backend:?} X25519MlKem768 respond"),
                KEM,
                Vec::new(),
                Box::new(move || {
                    let offer = offer.clone();
                    Box::new(move || {
                        drop(respond_on(
                            backend,
                            Group::X25519MlKem768,
                            &offer,
                            &mut SystemRandom,
                        ))
                    })
                }),
            );

            let seed = odd(32, 3);
            let expanded = sha2::Digest::chain_update(<sha2::Sha512 as sha2::Digest>::new(), &seed);
            let expanded = sha2::Digest::finalize(expanded).to_vec();
            let nonce =
                sha2::Digest::chain_update(<sha2::Sha512 as sha2::Digest>::new(), &expanded[32..]);
            let nonce = sha2::Digest::finalize(sha2::Digest::chain_update(nonce, b"message"));
            let nonce = curve25519_dalek::Scalar::from_bytes_mod_order_wide(&nonce.into());
            let secrets = vec![
                seed.clone(),
                expanded[1..31].to_vec(),
                expanded[32..].to_vec(),
                nonce.to_bytes()[..24].to_vec(),
            ];
            let key = seed.clone();
            add(
                format!("{backend:?} ed25519 from seed"),
                DEEP,
                secrets.clone(),
                Box::new(move || {
                    let seed = Secret::copy_of(&key);
                    Box::new(move || {
                        std::mem::forget(Box::new(SigningKey::from_seed_with(backend, seed)))
                    })
                }),
            );
            add(
                format!("{backend:?} ed25519 sign"),
                DEEP,
                secrets,
                Box::new(move || {
                    let key = SigningKey::from_seed_with(backend, Secret::copy_of(&seed)).unwrap();
                    Box::new(move || {
                        optimization_barrier(&key.sign(b"message"));
                        std::mem::forget(key);
                    })
                }),
            );
        }
        // These secrets come from `identity::pem`.
        let der = odd(48, 7);
        let pem = rfc7468::encode_string("PRIVATE KEY", rfc7468::LineEnding::LF, &der).unwrap();
        let secrets: Vec<_> = [der.clone(), pem.as_bytes()[28..92].to_vec()]
            .concat()
            .chunks(16)
            .map(<[u8]>::to_vec)
            .collect();
        let text = pem.clone();
        add(
            "pem decode".into(),
            DEEP,
            secrets.clone(),
            Box::new(move || {
                let (text, mut out) = (text.clone(), vec![0; 48]);
                Box::new(move || {
                    assert!(scrubbed(|| rfc7468::Decoder::new_detect_wrap(
                        text.as_bytes()
                    )
                    .unwrap()
                    .decode(&mut out)
                    .is_ok()));
                    std::mem::forget((text, out));
                })
            }),
        );
        add(
            "pem encode".into(),
            DEEP,
            secrets,
            Box::new(move || {
                let (der, mut out) = (der.clone(), vec![0; pem.len()]);
                Box::new(move || {
                    assert!(scrubbed(|| rfc7468::encode(
                        "PRIVATE KEY",
                        rfc7468::LineEnding::LF,
                        &der,
                        &mut out
                    )
                    .is_ok()));
                    std::mem::forget((der, out));
                })
            }),
        );
        for suite in Suite::ALL {
            let widths = Width::ALL
                .into_iter()
                .filter(|width| suite != Suite::ChaCha20Poly1305Sha256 && GcmKey::runs(*width));
            for width in widths.map(Some).chain([None]) {
                let key = odd(suite.key_len(), 4);
                let (key_limit, limit) = match width {
                    Some(Width::AesNi) => (KERNEL_KEY, KERNEL[0]),
                    Some(Width::Avx2) => (KERNEL_KEY, KERNEL[1]),
                    Some(Width::Avx512) => (KERNEL_KEY, KERNEL[2]),
                    None if suite == Suite::ChaCha20Poly1305Sha256 => (KEY, CHACHA20),
                    None => (KEY, AES_GCM),
                };
                let secrets = record_secrets(suite, &key);
                let bytes = key.clone();
                add(
                    format!("{suite:?} key, {width:?}"),
                    key_limit,
                    secrets.clone(),
                    Box::new(move || {
                        let key = Secret::copy_of(&bytes);
                        Box::new(move || {
                            std::mem::forget(AeadKey::with(width, suite, key.expose()))
                        })
                    }),
                );
                let lengths = [64, 100, 200, 1000, 16_384];
                for (len, act) in lengths
                    .into_iter()
                    .flat_map(|len| [Act::Seal, Act::Open, Act::Refuse].map(|act| (len, act)))
                {
                    let key = key.clone();
                    add(
                        format!("{suite:?} record, {width:?}: {act:?} {len} bytes"),
                        limit,
                        secrets.clone(),
                        Box::new(move || record(AeadKey::with(width, suite, &key), act, len)),
                    );
                }
            }
        }
        for algorithm in HashAlgorithm::ALL {
            let len = algorithm.output_len();
            let key = odd(len, 5);
            let pads =
                [0x36, 0x5c].map(|pad| key.iter().map(|byte| byte ^ pad).collect::<Vec<_>>());
            let prk = Prk::extract(algorithm, &key, &key);
            let okm =
                Prk::from_secret(algorithm, Secret::copy_of(&key)).expand(&[b"info"], 2 * len);
            let [inner, outer] = pads;
            let secrets = vec![
                key.clone(),
                inner,
                outer,
                prk.secret().expose().to_vec(),
                okm.expose()[..len].to_vec(),
                okm.expose()[len..].to_vec(),
            ];
            type Use = fn(HashAlgorithm, Secret);
            let uses: [(&str, Use); 6] = [
                ("hmac key", |algorithm, key| {
                    std::mem::forget(HmacKey::new(algorithm, key.expose()))
                }),
                ("hmac tag", |algorithm, key| {
                    HmacKey::new(algorithm, key.expose())
                        .tag_into(&[b"message"], &mut vec![0; algorithm.output_len()])
                }),
                ("hmac verify", |algorithm, key| {
                    assert!(
                        !HmacKey::new(algorithm, key.expose()).verify(&[b"message"], key.expose())
                    )
                }),
                ("hkdf extract", |algorithm, key| {
                    std::mem::forget(Prk::extract(algorithm, key.expose(), key.expose()))
                }),
                ("hkdf from secret", |algorithm, key| {
                    std::mem::forget(Prk::from_secret(algorithm, key))
                }),
                ("hkdf expand", |algorithm, key| {
                    drop(
                        Prk::from_secret(algorithm, key)
                            .expand(&[b"info"], 2 * algorithm.output_len()),
                    )
                }),
            ];
            for (name, call) in uses {
                let key = key.clone();
                add(
                    format!("{algorithm:?} {name}"),
                    if algorithm == HashAlgorithm::Sha256 {
                        SHALLOW
                    } else {
                        DEEP
                    },
                    secrets.clone(),
                    Box::new(move || {
                        let key = Secret::copy_of(&key);
                        Box::new(move || call(algorithm, key))
                    }),
                );
            }
        }
        calls
    }

    /// The margin that a depth must leave beyond what was measured with it, for other compilers,
    /// targets and settings. Between settings that share a depth (units of code generation,
    /// link-time optimization, overflow checks), the measured use varied by a quarter.
    fn spare(name: &str, used: usize) -> usize {
        match name {
            _ if name.contains("record") => used / 4,
            _ if name.contains("MlKem") || name.contains("key,") => used / 2,
            _ => used,
        }
    }

    #[test]
    fn the_depth_is_more_than_any_call_uses() {
        for Call {
            name, limit, call, ..
        } in calls()
        {
            stack_after(false, call());
            let overwritten = OVERWRITTEN.take();
            assert_eq!(
                overwritten.iter().map(Range::len).max(),
                Some(limit),
                "the most that {name} overwrites"
            );
            // Two calls of one act may begin at slightly different places.
            let end = overwritten.iter().map(|range| range.end).max().unwrap();
            let used = end.saturating_sub(stack_after(true, call()).deepest);
            println!("{name}: {used} of {limit} bytes");
            assert!(
                used + spare(&name, used) <= limit,
                "{name} uses {used} bytes of stack, of which {limit} are overwritten"
            );
        }
    }

    #[test]
    fn nothing_stays_on_the_stack() {
        // How many secrets stay when nothing is overwritten, by kind of call.
        let mut left = BTreeMap::<String, usize>::new();
        for Call {
            name,
            limit,
            call,
            secrets,
        } in calls()
        {
            let kind = name.split(':').next().unwrap().to_owned();
            *left.entry(kind).or_default() += stack_after(true, call()).holds(&secrets).len();

            let stack = stack_after(false, call());
            let found = stack.holds(&secrets);
            assert!(
                found.is_empty(),
                "{name} leaves secrets {found:?} on the stack"
            );
            // Nothing at all stays, known or not, below what ran afterwards: another call of the
            // same act, or almost nothing after a record.
            let afterwards = if name.contains("record") {
                128
            } else {
                limit / 2
            };
            let last = OVERWRITTEN
                .take()
                .into_iter()
                .rfind(|range| range.len() == limit)
                .unwrap();
            let dead =
                &stack.used[last.start - stack.deepest..last.end - afterwards - stack.deepest];
            let other = dead.iter().filter(|byte| **byte != 0).count();
            assert!(
                other == 0,
                "{name} leaves {other} unknown bytes on the stack"
            );
        }
        // If the stack is not overwritten, many calls leave secrets, among them AES-GCM of every
        // width. Otherwise this test sees nothing.
        println!("{left:#?}");
        for (kind, left) in left
            .iter()
            .filter(|(kind, _)| kind.contains("Gcm") && kind.contains("record"))
        {
            assert!(
                *left > 0,
                "{kind}: leaves nothing, although nothing is overwritten"
            );
        }
        assert!(left.values().filter(|left| **left > 0).count() >= 8);
    }

    /// A signal that arrives after a call finds no secret in the registers, which the handler's
    /// frame saves to memory.
    #[test]
    fn nothing_stays_in_registers() {
        // How many calls leave secrets when the registers are not cleared, by kind of call.
        let mut left = BTreeMap::<String, usize>::new();
        for Call {
            name,
            call,
            secrets,
            ..
        } in calls()
        {
            // General registers have 8 bytes.
            let pieces: HashSet<_> = secrets
                .iter()
                .flat_map(|secret| secret.as_chunks::<8>().0)
                .collect();
            let found = |off| {
                let mut stack = SignalStack::new();
                let call = call();
                // What making the call leaves is not its own.
                clear_registers();
                OFF.set(off);
                call();
                let stack = stack.raise();
                OFF.set(false);
                let windows = stack.windows(8);
                windows
                    .filter(|window| pieces.contains(&<[u8; 8]>::try_from(*window).unwrap()))
                    .count()
            };
            let kind = name.split(':').next().unwrap().to_owned();
            *left.entry(kind).or_default() += found(true);
            let found = found(false);
            assert!(
                found == 0 || !CLEARED,
                "{name} leaves pieces of secrets in registers"
            );
        }
        println!("{left:#?}");
        // Otherwise this test sees nothing.
        for (kind, left) in &left {
            if kind.contains("record, None") {
                assert!(
                    *left > 0,
                    "{kind}: leaves nothing, although nothing is cleared"
                );
            }
        }
        assert!(left.values().filter(|left| **left > 0).count() >= 8);
    }
}
