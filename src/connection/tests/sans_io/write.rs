//! Writing from several buffers, and writing directly into the record. The records contain the same
//! bytes, with any padding (RFC 9846, 5.4).

use proptest::prelude::*;

use crate::connection::Connection;
use crate::connection::tests::puppet::{APPLICATION_DATA, HANDSHAKE, Puppet};
use crate::error::Error;
use crate::record::Padding;

pub(crate) const FULL: usize = 16384;

pub(crate) const PADDINGS: [Padding; 5] = [
    Padding::None,
    Padding::Block(100),
    Padding::Block(5000),
    Padding::PowerOfTwo,
    Padding::Full,
];

impl Puppet {
    /// Returns the contents of the records that were sent.
    pub(crate) fn hear_all(&mut self) -> Vec<Vec<u8>> {
        let mut contents = Vec::new();
        while let Some(record) = self.hear() {
            assert_eq!(record.content_type, APPLICATION_DATA);
            contents.push(record.content);
        }
        contents
    }

    pub(crate) fn hear_lengths(&mut self) -> Vec<usize> {
        self.hear_all().iter().map(Vec::len).collect()
    }
}

/// Returns bytes that depend on their position.
pub(crate) fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1] ^ seed)
        .collect()
}

#[test]
fn small_buffers_share_a_record_and_large_ones_stay_where_they_are() {
    let [mut puppet, _] = Puppet::both_connected();
    for (lengths, records) in [
        (&[][..], &[][..]),
        (&[0, 0], &[]),
        (&[1, 0, 2, 3], &[6]),
        (&[100, FULL, 100], &[100, FULL, 100]),
        (&[FULL, 100, 100], &[FULL, 200]),
        (&[10_000, 10_000, 1], &[FULL, 3617]),
        (&[FULL - 1, 1, 1], &[FULL, 1]),
        (&[FULL + 10, 20], &[FULL, 30]),
        (
            &[20_000, 20_000],
            &[FULL, 20_000 - FULL, FULL, 20_000 - FULL],
        ),
    ] {
        let buffers: Vec<Vec<u8>> = lengths
            .iter()
            .zip(1..)
            .map(|(length, seed)| bytes(*length, seed))
            .collect();
        assert_eq!(
            puppet.us.write_vectored(&buffers).unwrap(),
            lengths.iter().sum::<usize>()
        );
        let heard = puppet.hear_all();
        assert_eq!(
            heard.iter().map(Vec::len).collect::<Vec<_>>(),
            records,
            "{lengths:?}"
        );
        assert_eq!(heard.concat(), buffers.concat());
    }
}

/// Tickets contain the client's certificate, so several together can exceed what may wait. They
/// leave space for the data with which they are sent: if nothing waited before, a caller would take
/// "0 bytes written" for the end.
#[test]
fn long_tickets_leave_room_for_data() {
    type Writes = fn(&mut Connection) -> Result<usize, Error>;
    let ways: [Writes; 2] = [
        |us| us.write(b"x"),
        |us| {
            us.write_with(1, |place| {
                place[0] = b'x';
                1
            })
        },
    ];
    for write in ways {
        let [_, mut puppet] = Puppet::both_connected();
        puppet.us.sender.ticket(&[4; 8 * FULL]);
        assert_eq!(write(&mut puppet.us).unwrap(), 1);
        for _ in 0..8 {
            assert_eq!(puppet.hear_type(HANDSHAKE).content.len(), FULL);
        }
        assert_eq!(puppet.hear_all(), [b"x"]);
    }
}

#[test]
fn what_may_wait_is_bounded() {
    let [mut puppet, _] = Puppet::both_connected();
    assert_eq!(
        puppet
            .us
            .write_vectored(&[vec![1; 30_000], vec![2; 30_000], vec![3; 30_000]])
            .unwrap(),
        76_384
    );
    assert_eq!(
        puppet
            .us
            .write_vectored(&[vec![1; 10], vec![2; 10]])
            .unwrap(),
        0
    );
    assert_eq!(
        puppet
            .us
            .write_with(10, |_| panic!("there is no room"))
            .unwrap(),
        0
    );
    assert_eq!(puppet.hear_lengths(), [FULL, 13_616, FULL, 13_616, FULL]);
}

#[test]
fn what_is_lent_goes_out_as_far_as_it_was_written() {
    for padding in PADDINGS {
        for (asked, written, sent) in [
            (10, 0, 0),
            (10, 7, 7),
            (10, 10, 10),
            (1000, 1000, 1000),
            (20_000, FULL, FULL),
            (10, usize::MAX, 10),
            (0, 0, 0),
        ] {
            let [mut puppet, _] = Puppet::both_connected();
            puppet.us.sender.padding = padding;
            let write = |place: &mut [u8]| {
                assert_eq!(place.len(), asked.min(FULL));
                let length = place.len();
                place.copy_from_slice(&bytes(length, 9));
                written
            };
            assert_eq!(puppet.us.write_with(asked, write).unwrap(), sent);
            assert_eq!(puppet.hear_all().concat(), bytes(sent, 9));
            // Data that was written but not sent is discarded.
            let count = |place: &mut [u8]| {
                assert!(sent > 0 || place.iter().all(|byte| *byte == 0));
                0
            };
            assert_eq!(puppet.us.write_with(asked, count).unwrap(), 0);
            puppet.hears_nothing();
        }
    }
    // The peer's limit (RFC 8449, section 4) includes type and padding.
    let [mut puppet, _] = Puppet::both_connected();
    puppet.us.sender.limit(64);
    puppet.us.sender.padding = Padding::Full;
    assert_eq!(puppet.us.write_with(100, |place| place.len()).unwrap(), 63);
    assert_eq!(puppet.us.write_with(100, |_| 5).unwrap(), 5);
    assert_eq!(puppet.hear_lengths(), [63, 5]);
    puppet.us.close();
    assert!(matches!(
        puppet
            .us
            .write_with(100, |_| panic!("nothing goes out any more")),
        Err(Error::Closed)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_byte_is_lost(
        rounds in prop::collection::vec(
            (
                prop::collection::vec(prop_oneof![0usize..200, 0usize..40_000], 0..6),
                any::<bool>(),
                any::<bool>(),
            ),
            1..5,
        ),
        padding in prop::sample::select(&PADDINGS[..]),
        limit in prop_oneof![Just(16385usize), 64usize..16385],
    ) {
        let [mut puppet, _] = Puppet::both_connected();
        puppet.us.sender.padding = padding;
        puppet.us.sender.limit(limit);
        let (mut expected, mut heard) = (Vec::new(), Vec::new());
        for (lengths, lends, hears) in rounds {
            let buffers: Vec<Vec<u8>> = lengths
                .iter()
                .zip(1..)
                .map(|(length, seed)| bytes(*length, seed))
                .collect();
            let taken = puppet.us.write_vectored(&buffers).unwrap();
            expected.extend_from_slice(&buffers.concat()[..taken]);
            if lends {
                let lent = bytes(300, 99);
                let taken = puppet
                    .us
                    .write_with(300, |place| {
                        place.copy_from_slice(&lent[..place.len()]);
                        place.len()
                    })
                    .unwrap();
                expected.extend_from_slice(&lent[..taken]);
            }
            if hears {
                heard.extend(puppet.hear_all().concat());
            } else {
                let some = puppet.us.output().len() / 2;
                puppet.take(some);
            }
        }
        heard.extend(puppet.hear_all().concat());
        prop_assert!(heard == expected);
    }
}
