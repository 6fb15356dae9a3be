//! [`opened`]: decrypts what one side sent, by the secrets of a key log alone (RFC 9846, 5.2, 7.2
//! and 7.3). It uses nothing of the crate under test.

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use fleeting::CipherSuite;
use hkdf::Hkdf;
use sha2::{Sha256, Sha384};

use crate::support::records;

/// A decrypted record.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// The label of the secret, and how many KeyUpdates came after it.
    pub under: (String, u32),
    pub content_type: u8,
    pub content: Vec<u8>,
}

/// Decrypts every protected record of what one side sent. The secrets are in the order of their
/// use. Each record opens under the current secret, under the next one, or under the one after a
/// KeyUpdate.
pub fn opened(suite: CipherSuite, sent: &[u8], secrets: &[(String, Vec<u8>)]) -> Vec<Opened> {
    let mut waiting = secrets.iter().cloned();
    let mut current: Option<(String, Vec<u8>, u32, u64)> = None;
    let mut found = Vec::new();
    for record in records(sent).iter().filter(|record| record[0] == 23) {
        loop {
            let plain = current
                .as_ref()
                .and_then(|(_, secret, _, sequence)| open(suite, secret, *sequence, record));
            match (plain, &mut current) {
                (Some(mut content), Some((label, _, updates, sequence))) => {
                    *sequence += 1;
                    while content.last() == Some(&0) {
                        content.pop();
                    }
                    found.push(Opened {
                        under: (label.clone(), *updates),
                        content_type: content.pop().expect("a record of padding alone"),
                        content,
                    });
                    break;
                }
                (_, current) => {
                    *current = match (waiting.next(), current.take()) {
                        (Some((label, secret)), _) => Some((label, secret, 0, 0)),
                        (None, Some((label, secret, updates, sequence))) if sequence > 0 => {
                            let next = expand(suite, &secret, b"traffic upd", b"", secret.len());
                            Some((label, next, updates + 1, 0))
                        }
                        (None, current) => panic!("nothing opens it: {current:?}"),
                    }
                }
            }
        }
    }
    found
}

fn open(suite: CipherSuite, secret: &[u8], sequence: u64, record: &[u8]) -> Option<Vec<u8>> {
    let key_length = if suite == CipherSuite::TLS_AES_128_GCM_SHA256 {
        16
    } else {
        32
    };
    let key = expand(suite, secret, b"key", b"", key_length);
    let mut nonce: [u8; 12] = expand(suite, secret, b"iv", b"", 12).try_into().unwrap();
    for (byte, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= number;
    }
    match suite {
        CipherSuite::TLS_AES_128_GCM_SHA256 => open_with::<Aes128Gcm>(&key, &nonce, record),
        CipherSuite::TLS_AES_256_GCM_SHA384 => open_with::<Aes256Gcm>(&key, &nonce, record),
        _ => open_with::<ChaCha20Poly1305>(&key, &nonce, record),
    }
}

fn open_with<C>(key: &[u8], nonce: &[u8; 12], record: &[u8]) -> Option<Vec<u8>>
where
    C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit,
{
    let (header, sealed) = record.split_at(5);
    let (content, tag) = sealed.split_at(sealed.len() - 16);
    let (mut content, tag) = (content.to_vec(), <&[u8; 16]>::try_from(tag).unwrap());
    let cipher = C::new_from_slice(key).unwrap();
    cipher
        .decrypt_inout_detached(nonce.into(), header, (&mut content[..]).into(), tag.into())
        .ok()
        .map(|()| content)
}

/// HKDF-Expand-Label.
pub fn expand(
    suite: CipherSuite,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    length: usize,
) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).unwrap();
    let info = [
        &[0, byte(length), byte(6 + label.len())],
        &b"tls13 "[..],
        label,
        &[byte(context.len())],
        context,
    ]
    .concat();
    let mut out = vec![0; length];
    if suite == CipherSuite::TLS_AES_256_GCM_SHA384 {
        let hkdf = Hkdf::<Sha384>::from_prk(secret).unwrap();
        hkdf.expand(&info, &mut out).unwrap();
    } else {
        let hkdf = Hkdf::<Sha256>::from_prk(secret).unwrap();
        hkdf.expand(&info, &mut out).unwrap();
    }
    out
}
