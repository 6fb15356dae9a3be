//! The traces of RFC 8448 for tests, read from `tests/vectors/rfc8448.txt`, which has a section for
//! each trace and a line for each value.

use std::collections::HashMap;

/// One trace: its values by name.
pub(crate) struct Trace(HashMap<&'static str, Vec<u8>>);

/// Returns the trace of this name. Sections 3 to 7 of RFC 8448 are `simple_1rtt`, `resumed_0rtt`,
/// `hello_retry_request`, `client_authentication` and `middlebox_compatibility`.
pub(crate) fn trace(name: &str) -> Trace {
    let text = include_str!("../../tests/vectors/rfc8448.txt");
    let section = text
        .split("\n[")
        .find_map(|section| section.strip_prefix(name)?.strip_prefix(']'))
        .expect("a trace of that name");
    Trace(
        section
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, hex)| (name, bytes(hex)))
            .collect(),
    )
}

impl Trace {
    /// Returns the value of this name.
    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.find(name)
            .unwrap_or_else(|| panic!("no value {name} in this trace"))
    }

    /// Returns the value of this name, if the trace has it.
    pub(crate) fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Returns the records in this value, each with its header.
    pub(crate) fn records(&self, name: &str) -> Vec<&[u8]> {
        let mut rest = self.get(name);
        let mut records = Vec::new();
        while let [_, _, _, high, low, ..] = rest {
            let (record, after) = rest.split_at(5 + usize::from(u16::from_be_bytes([*high, *low])));
            records.push(record);
            rest = after;
        }
        assert_eq!(rest, b"");
        records
    }

    /// Returns the single handshake message in the single unprotected record of this value.
    pub(crate) fn message(&self, name: &str) -> &[u8] {
        let [record] = self.records(name)[..] else {
            panic!("{name} is not one record")
        };
        assert_eq!(record[0], 22);
        &record[5..]
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}
