//! How deep the calls go, and that nothing stays: seen by painting the stack and reading it back through `/proc/self/mem`.

use std::cell::Cell;

thread_local! {
    /// Leaves the stack as it is, to measure what would be overwritten.
    pub(super) static OFF: Cell<bool> = const { Cell::new(false) };
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::{AES_GCM, CHACHA20, DEEP, KEM, KERNEL, P256, SHALLOW, optimization_barrier};
    use super::OFF;
    use crate::crypto::aead::AeadKey;
    use crate::crypto::backend::Backend;
    use crate::crypto::hash::HashAlgorithm;
    use crate::crypto::hkdf::Prk;
    use crate::crypto::hmac::HmacKey;
    use crate::crypto::kernel::{GcmKey, Width};
    use crate::crypto::key_exchange::{EphemeralKey, Group, respond, respond_on};
    use crate::crypto::random::SystemRandom;
    use crate::crypto::signature::SigningKey;
    use crate::crypto::suite::Suite;
    use crate::secret::Secret;
    use crate::testing::memory::Memory;

    /// How much stack is painted: far more than any call uses.
    const PAINTED: usize = 384 * 1024;
    const PAINT: u8 = 0xa5;

    /// What reading the stack back may use of it itself.
    const READING: usize = 2 * 1024;

    #[inline(never)]
    fn paint() {
        let stack = std::hint::black_box([PAINT; PAINTED]);
        optimization_barrier(&stack);
    }

    /// The stack below this function's frame after `f` ran on a freshly painted one; the deepest byte comes first.
    #[inline(never)]
    fn stack_after(f: impl FnOnce()) -> Vec<u8> {
        let memory = Memory::own();
        let mut stack = vec![0; PAINTED];
        let here = 0u8;
        let top = std::ptr::from_ref(&here).addr();
        paint();
        f();
        memory.read(top - PAINTED, &mut stack);
        stack
    }

    fn depth(f: impl FnOnce()) -> usize {
        OFF.set(true);
        let stack = stack_after(f);
        OFF.set(false);
        // The painted frame does not begin exactly where this one does: look past the few bytes that `paint` did not reach.
        let stack = &stack[READING..];
        stack.len() - stack.iter().position(|byte| *byte != PAINT).unwrap()
    }

    fn holds(stack: &[u8], needle: &[u8]) -> bool {
        stack.windows(needle.len()).any(|window| window == needle)
    }

    /// Every call that is scrubbed: its name, how much is overwritten after it, itself, and bytes that must not stay.
    struct Call {
        name: String,
        limit: usize,
        call: Box<dyn Fn() -> Box<dyn FnOnce()>>,
        secrets: Vec<Vec<u8>>,
    }

    /// Bytes that occur nowhere by chance. The secrets themselves are not on the stack of the test: they are made inside vectors.
    fn odd(len: usize, seed: u8) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i).unwrap().wrapping_mul(37).wrapping_add(seed) ^ 0x5a).collect()
    }

    fn calls() -> Vec<Call> {
        let mut calls = Vec::new();
        let mut add = |name: String, limit, secrets: Vec<Vec<u8>>, call: Box<dyn Fn() -> Box<dyn FnOnce()>>| {
            calls.push(Call { name, limit, call, secrets });
        };
        for backend in Backend::all() {
            for group in Group::ALL {
                let limit = match group {
                    Group::X25519MlKem768 => KEM,
                    Group::Secp256r1 => P256,
                    Group::X25519 => DEEP,
                };
                let private = odd(if group == Group::X25519MlKem768 { 96 } else { 32 }, 1);
                let client = || EphemeralKey::from_private(Backend::Portable, group, &private).unwrap();
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
                        Box::new(move || std::mem::forget(EphemeralKey::from_private(backend, group, private.expose())))
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
            // What is encapsulated is not known here: that nothing stays at all is seen.
            let offer = EphemeralKey::generate(Group::X25519MlKem768, &mut SystemRandom).unwrap().public().to_vec();
            add(
                format!("{backend:?} X25519MlKem768 respond"),
                KEM,
                Vec::new(),
                Box::new(move || {
                    let offer = offer.clone();
                    Box::new(move || drop(respond_on(backend, Group::X25519MlKem768, &offer, &mut SystemRandom)))
                }),
            );

            let seed = odd(32, 3);
            let expanded = sha2::Digest::chain_update(<sha2::Sha512 as sha2::Digest>::new(), &seed);
            let expanded = sha2::Digest::finalize(expanded).to_vec();
            let nonce = sha2::Digest::chain_update(<sha2::Sha512 as sha2::Digest>::new(), &expanded[32..]);
            let nonce = sha2::Digest::finalize(sha2::Digest::chain_update(nonce, b"message"));
            let nonce = curve25519_dalek::Scalar::from_bytes_mod_order_wide(&nonce.into());
            let secrets = vec![seed.clone(), expanded[1..31].to_vec(), expanded[32..].to_vec(), nonce.to_bytes()[..24].to_vec()];
            let key = seed.clone();
            add(
                format!("{backend:?} ed25519 from seed"),
                DEEP,
                secrets.clone(),
                Box::new(move || {
                    let seed = Secret::copy_of(&key);
                    Box::new(move || std::mem::forget(Box::new(SigningKey::from_seed_with(backend, seed))))
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
        for suite in Suite::ALL {
            let key = odd(suite.key_len(), 4);
            add(
                format!("{suite:?} key"),
                DEEP,
                vec![key.clone()],
                Box::new(move || {
                    let key = Secret::copy_of(&key);
                    Box::new(move || std::mem::forget(AeadKey::new(suite, key.expose())))
                }),
            );
            let widths = Width::ALL.into_iter().filter(|width| suite != Suite::ChaCha20Poly1305Sha256 && GcmKey::runs(*width));
            for (width, len) in widths.map(Some).chain([None]).flat_map(|width| [64, 100, 1000, 16_384].map(|len| (width, len))) {
                let key = odd(suite.key_len(), 4);
                let limit = match width {
                    Some(_) => KERNEL,
                    None if suite == Suite::ChaCha20Poly1305Sha256 => CHACHA20,
                    None => AES_GCM,
                };
                add(
                    format!("{suite:?} record of {len} bytes, {width:?}"),
                    limit,
                    vec![key.clone()],
                    Box::new(move || {
                        let key = AeadKey::with(width, suite, &key);
                        let mut buffer = vec![0; len];
                        Box::new(move || {
                            let tag = key.seal_in_place(&[0; 12], &[], &mut buffer).unwrap();
                            key.open_in_place(&[0; 12], &[], &mut buffer, &tag).unwrap();
                            std::mem::forget(key);
                        })
                    }),
                );
            }
        }
        for algorithm in HashAlgorithm::ALL {
            let len = algorithm.output_len();
            let key = odd(len, 5);
            let pads = [0x36, 0x5c].map(|pad| key.iter().map(|byte| byte ^ pad).collect::<Vec<_>>());
            let prk = Prk::extract(algorithm, &key, &key);
            let okm = Prk::from_secret(algorithm, Secret::copy_of(&key)).expand(&[b"info"], 2 * len);
            let [inner, outer] = pads;
            let secrets =
                vec![key.clone(), inner, outer, prk.secret().expose().to_vec(), okm.expose()[..len].to_vec(), okm.expose()[len..].to_vec()];
            type Use = fn(HashAlgorithm, Secret);
            let uses: [(&str, Use); 6] = [
                ("hmac key", |algorithm, key| std::mem::forget(HmacKey::new(algorithm, key.expose()))),
                ("hmac tag", |algorithm, key| {
                    HmacKey::new(algorithm, key.expose()).tag_into(&[b"message"], &mut vec![0; algorithm.output_len()])
                }),
                ("hmac verify", |algorithm, key| assert!(!HmacKey::new(algorithm, key.expose()).verify(&[b"message"], key.expose()))),
                ("hkdf extract", |algorithm, key| std::mem::forget(Prk::extract(algorithm, key.expose(), key.expose()))),
                ("hkdf from secret", |algorithm, key| std::mem::forget(Prk::from_secret(algorithm, key))),
                ("hkdf expand", |algorithm, key| drop(Prk::from_secret(algorithm, key).expand(&[b"info"], 2 * algorithm.output_len()))),
            ];
            for (name, call) in uses {
                let key = key.clone();
                add(
                    format!("{algorithm:?} {name}"),
                    if algorithm == HashAlgorithm::Sha256 { SHALLOW } else { DEEP },
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

    #[test]
    fn the_depth_is_more_than_any_call_uses() {
        for Call { name, limit, call, .. } in calls() {
            let depth = depth(call());
            println!("{name}: {depth} of {limit} bytes");
            let spare = match limit {
                _ if name.contains("record") => depth / 8,
                KEM => depth / 2,
                _ => depth,
            };
            assert!(depth + spare <= limit, "{name} uses {depth} bytes of stack, of which {limit} are overwritten");
        }
    }

    #[test]
    fn nothing_stays_on_the_stack() {
        let mut left = 0;
        for Call { name, limit, call, secrets } in calls() {
            OFF.set(true);
            let stack = stack_after(call());
            OFF.set(false);
            left += usize::from(secrets.iter().any(|secret| holds(&stack, secret)));

            let stack = stack_after(call());
            for (number, secret) in secrets.iter().enumerate() {
                assert!(!holds(&stack, secret), "{name} leaves secret {number} on the stack");
            }
            // And nothing at all, known or not, where reading the stack back did not reach.
            let dead = &stack[..stack.len() - READING];
            let other = dead[dead.len() - limit.saturating_sub(READING) / 2..].iter().filter(|byte| **byte != 0 && **byte != PAINT).count();
            // The hybrid's calls overwrite twice, less deep the second time: where that ended the address stays to which it returned.
            let address = if limit == KEM { size_of::<usize>() } else { 0 };
            assert!(other <= address, "{name} leaves {other} bytes of something on the stack");
        }
        // Without the wrapper many of them do, or this test sees nothing.
        println!("{left} calls would leave secrets");
        assert!(left >= 8, "only {left} calls leave secrets when nothing is overwritten");
    }
}
