//! Reading into a buffer of the application: bytes that are not data leave nothing there.

use crate::connection::Status;
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{ALERT, APPLICATION_DATA, HANDSHAKE, Puppet, now};
use crate::crypto::random::SystemRandom;
use crate::error::Error;

/// The content of the buffer before.
const HELD: u8 = 0xee;

impl Puppet {
    /// Receives everything without processing it.
    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.us.input();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.us.received(count);
            bytes = &bytes[count..];
        }
    }

    /// Reads once. The buffer beyond the data must be unchanged or zero.
    #[track_caller]
    fn read(&mut self, room: usize) -> Result<(Vec<u8>, Status), Error> {
        let mut out = vec![HELD; room];
        let result = self.us.process_into(&mut out, now(), &mut SystemRandom);
        let count = result.as_ref().map_or(0, |(count, _)| *count);
        assert!(
            out[count..].iter().all(|byte| [0, HELD].contains(byte)),
            "something is left"
        );
        out.truncate(count);
        result.map(|(_, status)| (out, status))
    }

    /// Returns a KeyUpdate, and installs the keys of the next generation.
    fn renewal(&mut self) -> Vec<u8> {
        let record = self.protect(HANDSHAKE, &key_update(0), 40);
        self.write.as_mut().unwrap().update();
        record
    }
}

#[test]
fn several_records_with_key_updates_between_them() {
    for mut puppet in Puppet::both_connected() {
        let records = [
            puppet.protect(APPLICATION_DATA, b"one", 0),
            puppet.renewal(),
            puppet.protect(APPLICATION_DATA, b"two", 100),
            puppet.protect(APPLICATION_DATA, b"", 7),
            puppet.renewal(),
            puppet.protect(APPLICATION_DATA, b"three", 0),
        ];
        puppet.receive(&records.concat());
        assert_eq!(
            puppet.read(1000).unwrap(),
            (b"onetwothree".to_vec(), Status::NeedsInput)
        );
        assert_eq!(puppet.read(1000).unwrap(), (vec![], Status::NeedsInput));
    }
}

#[test]
fn buffers_shorter_than_the_record() {
    for room in 1..=20 {
        for mut puppet in Puppet::both_connected() {
            let records = [
                puppet.protect(APPLICATION_DATA, b"0123456789", 3),
                puppet.renewal(),
                puppet.protect(APPLICATION_DATA, b"abcdef", 0),
            ];
            puppet.receive(&records.concat());
            let mut all = Vec::new();
            loop {
                let (read, status) = puppet.read(room).unwrap();
                assert!(read.len() == room || status == Status::NeedsInput);
                all.extend(read);
                if status == Status::NeedsInput {
                    break;
                }
            }
            assert_eq!(all, b"0123456789abcdef");
        }
    }
}

#[test]
fn what_is_held_comes_first() {
    for mut puppet in Puppet::both_connected() {
        let records = [
            puppet.protect(APPLICATION_DATA, b"held", 0),
            puppet.protect(APPLICATION_DATA, b" and read", 0),
        ];
        puppet.receive(&records.concat());
        assert_eq!(
            puppet.us.process(now(), &mut SystemRandom).unwrap(),
            Status::Data
        );
        assert_eq!(puppet.us.plaintext(), b"held");
        puppet.us.consume(1);
        assert_eq!(
            puppet.read(100).unwrap(),
            (b"eld and read".to_vec(), Status::NeedsInput)
        );
    }
}

#[test]
fn what_came_before_an_error_or_the_end_is_read() {
    for mut puppet in Puppet::both_connected() {
        let mut wrong = puppet.protect(APPLICATION_DATA, b"forged", 0);
        wrong[8] ^= 1;
        let good = puppet.protect(APPLICATION_DATA, b"fine", 0);
        puppet.receive(&wrong);
        assert_eq!(puppet.read(100).unwrap_err().alert().unwrap().0, 20);
        puppet.receive(&good);
        assert_eq!(puppet.read(100).unwrap_err().alert().unwrap().0, 20);
    }
    for mut puppet in Puppet::both_connected() {
        let good = puppet.protect(APPLICATION_DATA, b"fine", 0);
        let mut wrong = puppet.protect(APPLICATION_DATA, b"forged", 0);
        wrong[8] ^= 1;
        puppet.receive(&[good, wrong].concat());
        assert_eq!(puppet.read(100).unwrap(), (b"fine".to_vec(), Status::Data));
        assert_eq!(puppet.read(100).unwrap_err().alert().unwrap().0, 20);
    }
    for mut puppet in Puppet::both_connected() {
        let records = [
            puppet.protect(APPLICATION_DATA, b"last", 0),
            puppet.protect(ALERT, &[1, 0], 50),
        ];
        puppet.receive(&records.concat());
        assert_eq!(
            puppet.read(100).unwrap(),
            (b"last".to_vec(), Status::Closed)
        );
        assert_eq!(puppet.read(100).unwrap(), (vec![], Status::Closed));
    }
}

/// RFC 9846, 5.1: no data is allowed inside a handshake message; 4.5.3: nor before the peer's
/// Finished.
#[test]
fn data_where_none_may_come_leaves_nothing() {
    for mut puppet in Puppet::both_connected() {
        let records = [
            puppet.protect(HANDSHAKE, &key_update(0)[..3], 0),
            puppet.protect(APPLICATION_DATA, b"inside", 0),
        ];
        puppet.receive(&records.concat());
        assert_eq!(puppet.read(100).unwrap_err().alert().unwrap().0, 10);
    }
    for mut puppet in Puppet::both_in_handshake() {
        let record = puppet.protect(APPLICATION_DATA, b"too early", 0);
        puppet.receive(&record);
        assert_eq!(puppet.read(100).unwrap_err().alert().unwrap().0, 10);
    }
}
