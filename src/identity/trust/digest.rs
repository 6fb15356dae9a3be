//! A digest of what a [`Trust`](crate::Trust) decides by, so that a verdict on a peer is used again
//! only under the same configuration.
//!
//! ```text
//! SHA-256("fleeting trust" || entry ...)          each different entry once, in byte order
//! entry = kind:u8 || (length:u32 || bytes) ...    a kind always has the same number of fields
//! ```
//!
//! No entry is the beginning of another, so different sets of entries are different text. Anything
//! else that comes to decide whether a peer is accepted must be an entry too, of a kind of its own.
//! Revocation lists are replaced while a program runs, and there may be thousands of entries. So if
//! there are lists, their digests and the digest of everything else are hashed together:
//!
//! ```text
//! SHA-256("fleeting trust with revocation lists" || digest
//!         || unknown_allowed:u8 || expired_allowed:u8
//!         || SHA-256(list) ...)                   in byte order
//! ```

use std::collections::BTreeSet;

use crate::crypto::hash;
use crate::identity::public_key::PublicKey;
use crate::identity::server_name::ServerName;
use crate::identity::trust::revocation_lists::InForce;

/// Separates this digest from everything else that is hashed.
const DOMAIN: &[u8] = b"fleeting trust";

/// Separates this digest from [`DOMAIN`]'s, since no entry is of the kind `b' '`.
const WITH_LISTS: &[u8] = b"fleeting trust with revocation lists";

/// Returns the digest for the entries with the digest `entries`, while these lists are in force.
pub(crate) fn with_lists(entries: &[u8; 32], lists: &InForce) -> [u8; 32] {
    let mut text = WITH_LISTS.to_vec();
    text.extend(entries);
    text.extend(lists.allowed().map(u8::from));
    text.extend(lists.digests().collect::<BTreeSet<_>>().iter().flatten());
    hash::sha256(&text)
}

/// The entries so far.
#[derive(Default)]
pub(crate) struct Entries(BTreeSet<Vec<u8>>);

impl Entries {
    /// Adds an authority: its subject, key, name constraints and path length.
    pub(crate) fn add_root(&mut self, fields: &[Vec<u8>; 4]) {
        self.add(1, &fields.each_ref().map(Vec::as_slice));
    }

    /// Adds a key for one name.
    pub(crate) fn add_bound(&mut self, name: &ServerName, key: &PublicKey) {
        // Different names have different texts, since `ServerName::parse` reads back what this
        // writes.
        self.add(2, &[name.to_string().as_bytes(), key.as_bytes()]);
    }

    /// Adds an authority of a trust domain.
    pub(crate) fn add_domain_root(&mut self, domain: &str, fields: &[Vec<u8>; 4]) {
        let [subject, key, constraints, path_length] = fields.each_ref().map(Vec::as_slice);
        let fields = [domain.as_bytes(), subject, key, constraints, path_length];
        self.add(4, &fields);
    }

    /// Adds a key for every name.
    pub(crate) fn add_key(&mut self, key: &PublicKey) {
        self.add(3, &[key.as_bytes()]);
    }

    fn add(&mut self, kind: u8, fields: &[&[u8]]) {
        let mut entry = vec![kind];
        for field in fields {
            // All fields come from certificates, of at most 65,535 bytes, or are shorter.
            entry.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            entry.extend(*field);
        }
        self.0.insert(entry);
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut text = DOMAIN.to_vec();
        text.extend(self.0.iter().flatten());
        hash::sha256(&text)
    }
}
