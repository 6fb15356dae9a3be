//! Primitives behind plain functions and small enums. No type of a dependency appears in a
//! signature here.
//!
//! ```text
//! suite         which AEAD and which hash, and how many records a key may protect
//! hash          transcript hashes                      sha2
//! hmac, hkdf    RFC 2104, RFC 5869; pads kept          hmac, hkdf
//! aead          seals and opens records                aes-gcm         or our kernel;
//!                                                      chacha20poly1305
//! key_exchange  in the shape of a KEM: X25519          x25519-dalek    or graviola
//!               ML-KEM-768, always with X25519         ml-kem          or graviola
//!               secp256r1                              p256            or graviola
//! signature     Ed25519                                ed25519-dalek   or graviola to sign
//! random        the generator that the caller hands in
//! backend       which of two columns this CPU gets
//! scrub         overwrites the stack after a call that worked on a secret
//! ```
//!
//! The left column is complete by itself on every target that `getrandom` supports. Secrets come in
//! as slices of a [`Secret`](crate::Secret) and go out in a new one. What a primitive keeps for
//! itself (expanded keys, HMAC pads) is on the heap and is wiped on drop.

#![cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "some of it is used only by tests of both backends"
    )
)]

pub(crate) mod aead;
pub(crate) mod backend;
pub(crate) mod hash;
pub(crate) mod hkdf;
pub(crate) mod hmac;
pub(crate) mod kernel;
pub(crate) mod key_exchange;
pub(crate) mod random;
pub(crate) mod scrub;
pub(crate) mod signature;
pub(crate) mod suite;

#[cfg(test)]
mod tests;
