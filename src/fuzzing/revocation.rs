//! The target `revocation`: any lists, and a server that they may revoke. The input says who signs
//! a list, and the list is signed here, because no fuzzer guesses a signature.

use std::sync::OnceLock;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_cert::der::pem::{LineEnding, encode_string};

use crate::crypto::signature::SigningKey;
use crate::error::CertificateError;
use crate::fuzzing::parties::{NAME, now};
use crate::identity::{Authority, Peer, RevocationLists, ServerName, Trust, Validity};
use crate::secret::Secret;

/// A complete list, with its signature.
pub(super) const WHOLE: u8 = 0;

/// A TBSCertList for the root to sign.
pub(super) const BY_ROOT: u8 = 1;

/// A TBSCertList for the authority below the root to sign.
pub(super) const BY_BELOW: u8 = 2;

/// The largest number of lists, because the fuzzer depends on the number of its runs.
const MAX_LISTS: usize = 8;

/// Verifies a server under lists. Each has its signer (one byte), its length (two bytes), and as
/// much of the list as there is.
pub fn revocation(data: &[u8]) {
    let mut read = Vec::new();
    for der in lists(data) {
        match RevocationLists::from_der([&der]) {
            Ok(_) => read.push(der),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if read.is_empty() {
        return;
    }
    let from_der = |ders: &[Vec<u8>]| {
        RevocationLists::from_der(ders).expect("each of them was read by itself")
    };
    let all = from_der(&read);
    let strict = verdict([all.clone()]);
    if let Ok((_, expires)) = &strict {
        // RFC 9846, 4.7.1: until then a ticket may stand for the peer.
        assert!(
            *expires >= Duration::from_secs(now().unix.as_secs()),
            "accepted, and yet over at {expires:?}"
        );
    }

    // The form of the lists does not matter: their order, DER or PEM, one handle or several, loaded
    // or reloaded.
    read.reverse();
    assert_eq!(verdict([from_der(&read)]), strict, "backwards");
    assert_eq!(
        verdict([
            RevocationLists::from_pem(read.iter().map(|der| text(der)).collect::<String>())
                .expect("as PEM")
        ]),
        strict,
        "as PEM"
    );
    assert_eq!(
        verdict(read.iter().map(|der| from_der(core::slice::from_ref(der)))),
        strict,
        "by handles of their own"
    );
    let reloaded = from_der(&read[..1]);
    let handle = reloaded.clone();
    handle
        .reload_der(&read)
        .expect("each of them was read by itself");
    assert_eq!(verdict([reloaded]), strict, "reloaded");

    // Settings that allow more accept more servers, but never a revoked one.
    let lenient = verdict([all.allow_unknown().allow_expired()]);
    assert!(
        lenient.is_ok() || strict.is_err(),
        "{strict:?}, and {lenient:?} where more is allowed"
    );
    for (verdict, allowed) in [(&strict, false), (&lenient, true)] {
        match verdict {
            Ok(_) | Err(CertificateError::Revoked | CertificateError::RevocationListNotIssuers) => {
            }
            Err(CertificateError::UnknownRevocation | CertificateError::RevocationListExpired)
                if !allowed => {}
            Err(error) => panic!("{error}"),
        }
    }

    for der in &read {
        for authority in &scene().authorities {
            carry_on(authority, der);
        }
    }
}

/// Issues the authority's next list, if the former one is its own. It must be a list that can be
/// continued, and whoever was revoked must stay revoked.
fn carry_on(authority: &Authority, former: &[u8]) {
    let day = Duration::from_secs(24 * 60 * 60);
    let validity = Validity::between(now().unix - day, now().unix + day).expect("a validity");
    let after = |former: &[u8]| {
        authority
            .revocation_list()
            .following(text(former))
            .validity(validity)
            .issue_der()
    };
    let Ok(next) = after(former) else { return };
    let last = after(&next).expect("it follows what we made");
    let alone = |der: &[u8]| {
        verdict([RevocationLists::from_der([der])
            .expect("what we write we read")
            .allow_unknown()
            .allow_expired()])
    };
    if alone(former) == Err(CertificateError::Revoked) {
        assert_eq!(alone(&next).err(), Some(CertificateError::Revoked));
        assert_eq!(alone(&last).err(), Some(CertificateError::Revoked));
    }
}

/// Returns the lists of an input, signed.
pub(super) fn lists(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut lists = Vec::new();
    while let [signer, high, low, rest @ ..] = data
        && lists.len() < MAX_LISTS
    {
        let (part, after) =
            rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
        data = after;
        lists.push(match *signer {
            BY_ROOT | BY_BELOW => signed(part, &scene().keys[usize::from(*signer - BY_ROOT)]),
            _ => part.to_vec(),
        });
    }
    lists
}

/// RFC 5280, 5.1: CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue
/// BIT STRING }.
fn signed(tbs: &[u8], key: &SigningKey) -> Vec<u8> {
    const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
    let signature = [&[0x03, 65, 0][..], &key.sign(tbs)].concat();
    let content = [tbs, &ED25519, &signature].concat();
    let length = u32::try_from(content.len())
        .expect("a short list")
        .to_be_bytes();
    let length = match length {
        [0, 0, 0, short] if short < 0x80 => vec![short],
        [0, 0, 0, byte] => vec![0x81, byte],
        [0, 0, high, low] => vec![0x82, high, low],
        [_, high, middle, low] => vec![0x83, high, middle, low],
    };
    [&[0x30], &length[..], &content].concat()
}

fn text(der: &[u8]) -> String {
    encode_string("X509 CRL", LineEnding::LF, der).expect("a short list")
}

/// Verifies the server under these lists. Returns the digest of the trust that accepted it, and the
/// time until which it is accepted.
pub(super) fn verdict(
    lists: impl IntoIterator<Item = RevocationLists>,
) -> Result<([u8; 32], Duration), CertificateError> {
    let Scene {
        trust, chain, name, ..
    } = scene();
    let trust = lists
        .into_iter()
        .fold(trust.clone(), Trust::with_revocation_lists);
    let chain: Vec<_> = chain.iter().map(Vec::as_slice).collect();
    let verified = trust.verify_server(&chain, Some(name), now())?;
    let digest = *verified.trust_digest();
    Ok((
        digest,
        Peer::from_verified(verified)
            .expires()
            .expect("a path ends"),
    ))
}

/// A root, an authority below it, and a server certified by that authority. None of them ever
/// changes.
pub(super) struct Scene {
    /// The authorities, root first.
    pub(super) authorities: [Authority; 2],
    keys: [SigningKey; 2],
    trust: Trust,
    chain: Vec<Vec<u8>>,
    name: ServerName,
}

pub(super) fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let texts = include_str!("../../tests/vectors/revocation.txt");
        let text = |name: &str| {
            texts
                .split("\n= ")
                .find_map(|part| part.strip_prefix(name))
                .expect("a certificate")
        };
        let authority =
            |name: &str| Authority::from_pem(text(name), text(name)).expect("an authority");
        let authorities = ["fuzzing", "below"].map(authority);
        let leaf = CertificateDer::from_pem_slice(text(NAME).as_bytes())
            .expect("a certificate")
            .to_vec();
        let chain = vec![leaf, authorities[1].certificates()[0].clone()];
        let key = |byte| SigningKey::from_seed(Secret::copy_of(&[byte; 32])).expect("32 bytes");
        Scene {
            trust: authorities[0].trust(),
            authorities,
            keys: [key(5), key(6)],
            chain,
            name: ServerName::parse(NAME).expect("a name"),
        }
    })
}
