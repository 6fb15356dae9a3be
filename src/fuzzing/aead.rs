//! Compares AES-GCM by our own kernel, in each width that this CPU has, with `aes-gcm`.

use crate::crypto::aead::AeadKey;
use crate::crypto::kernel::{GcmKey, Width};
use crate::crypto::suite::Suite;

/// The value of bytes that must not be written: around a text, and where nothing was put.
const UNTOUCHED: u8 = 0xee;

/// The length of the longest text: the content of a record, its type, and one more byte.
const LONGEST: usize = (1 << 14) + 2;

/// What the input orders, in this sequence. Missing bytes are zero.
struct Orders<'a> {
    suite: Suite,
    /// Where the text begins in memory, counted from a multiple of 64.
    offset: usize,
    aad: &'a [u8],
    key: Vec<u8>,
    nonce: [u8; 12],
    text: Vec<u8>,
    /// How many bytes of the text are in another buffer, which is sealed from and opened into.
    head: usize,
    /// Which bit of nonce, additional data, ciphertext and tag is flipped.
    bit: usize,
}

impl<'a> Orders<'a> {
    fn new(mut data: &'a [u8]) -> Self {
        let mut take = |length: usize| {
            let (taken, rest) = data.split_at(length.min(data.len()));
            data = rest;
            taken
        };
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0usize, |number, byte| number << 8 | usize::from(*byte))
        };
        let [choice, head, bit, aad, repeats] = [1, 2, 3, 1, 1].map(|length| number(take(length)));
        let suite = [Suite::Aes128GcmSha256, Suite::Aes256GcmSha384][choice % 2];
        let padded = |bytes: &[u8], length: usize| [bytes, &[0; 32]].concat()[..length].to_vec();
        let key = padded(take(suite.key_len()), suite.key_len());
        let nonce = padded(take(12), 12).try_into().expect("12 bytes");
        let aad = take(aad);
        // A short input makes a long text, in which no two blocks are the same.
        let varied =
            |round: usize, at: usize, byte: u8| byte ^ round.wrapping_mul(at | 1).to_le_bytes()[0];
        let text = (0..=repeats).flat_map(|round| {
            data.iter()
                .enumerate()
                .map(move |(at, byte)| varied(round, at, *byte))
        });
        let text: Vec<u8> = text.take(LONGEST).collect();
        let head = head % (text.len() + 1);
        Self {
            suite,
            offset: choice / 2 % 64,
            aad,
            key,
            nonce,
            text,
            head,
            bit,
        }
    }
}

/// Memory for a text at this offset, with bytes around it.
struct Room {
    bytes: Vec<u8>,
    begin: usize,
    length: usize,
}

impl Room {
    fn new(offset: usize, length: usize) -> Self {
        let bytes = vec![UNTOUCHED; length + 256];
        let begin =
            bytes.as_ptr().addr().next_multiple_of(64) - bytes.as_ptr().addr() + 64 + offset;
        Self {
            bytes,
            begin,
            length,
        }
    }

    fn text(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..][..self.length]
    }

    fn around_is_untouched(&self) -> bool {
        let (before, rest) = self.bytes.split_at(self.begin);
        before
            .iter()
            .chain(&rest[self.length..])
            .all(|byte| *byte == UNTOUCHED)
    }
}

/// Seals and opens a text, with its head in another buffer, and checks that a flipped bit is
/// detected.
pub fn aead(data: &[u8]) {
    let Orders {
        suite,
        offset,
        aad,
        key,
        nonce,
        text,
        head,
        bit,
    } = Orders::new(data);
    let mut expected = text.clone();
    let expected_tag = AeadKey::with(None, suite, &key)
        .seal(&nonce, aad, &[], &mut expected)
        .expect("a short text");

    for width in Width::ALL.into_iter().filter(|width| GcmKey::runs(*width)) {
        let ours = AeadKey::with(Some(width), suite, &key);
        let mut room = Room::new(offset, text.len());
        room.text()[head..].copy_from_slice(&text[head..]);
        let tag = ours
            .seal(&nonce, aad, &text[..head], room.text())
            .expect("a short text");
        assert!(
            room.text() == expected && tag == expected_tag,
            "{width:?} seals otherwise"
        );

        let mut apart = Room::new(63 - offset, head);
        ours.open(&nonce, aad, room.text(), &tag, apart.text())
            .expect("what was sealed opens");
        assert!(
            apart.text() == &text[..head] && room.text()[head..] == text[head..],
            "{width:?} opens otherwise"
        );

        let mut all = [&nonce[..], aad, &expected, &expected_tag].concat();
        let bit = bit % (8 * all.len());
        all[bit / 8] ^= 1 << (bit % 8);
        let (nonce, rest) = all.split_first_chunk().expect("a nonce");
        let (aad, rest) = rest.split_at(aad.len());
        let (ciphertext, tag) = rest.split_last_chunk().expect("a tag");
        room.text().copy_from_slice(ciphertext);
        apart.text().fill(UNTOUCHED);
        assert!(
            ours.open(nonce, aad, room.text(), tag, apart.text())
                .is_err(),
            "{width:?} does not see bit {bit}"
        );
        assert!(
            room.text().iter().all(|byte| *byte == 0),
            "{width:?} leaves something in place"
        );
        assert!(
            apart
                .text()
                .iter()
                .all(|byte| matches!(*byte, 0 | UNTOUCHED)),
            "{width:?} leaves something apart"
        );
        assert!(
            room.around_is_untouched() && apart.around_is_untouched(),
            "{width:?} writes beside the text"
        );
    }
}

/// Seeds for each length of key and for the sizes at which the kernel changes its path: blocks,
/// vectors, batches, a record.
pub(super) fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let lengths = [0usize, 1, 16, 63, 64, 129, 256, 511, 513, 1400];
    let made = |at: usize, length: usize| -> Vec<u8> {
        (at..at + length)
            .map(|at| at.wrapping_mul(7919).to_le_bytes()[1])
            .collect()
    };
    let mut seeds = Vec::new();
    for (at, length) in lengths.into_iter().enumerate() {
        for (choice, key_len) in [(0u8, 16), (1, 32)] {
            for (repeats, head) in [(0u8, length / 2), (11, 8 * length)] {
                let [.., high, low] = head.to_be_bytes();
                let orders = [
                    choice | at.to_le_bytes()[0] << 1,
                    high,
                    low,
                    0,
                    low,
                    choice,
                    5,
                    repeats,
                ];
                let name = format!("{}-{length}-{repeats}", 8 * key_len);
                seeds.push((
                    "aead",
                    name,
                    [
                        &orders[..],
                        &made(at, key_len + 12 + 5),
                        &made(3 * at, length),
                    ]
                    .concat(),
                ));
            }
        }
    }
    seeds
}
