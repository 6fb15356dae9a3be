//! Finished (RFC 9846, 4.5.3): the proof that both sides saw the same handshake. EndOfEarlyData
//! (4.6), which comes before the client's.

use crate::code_point::HandshakeType;
use crate::error::{DecodeProblem, Fault};
use crate::message::codec::{Reader, Writer};

/// A MAC over the handshake so far.
///
/// ```text
/// struct {
///     opaque verify_data[Hash.length];
/// } Finished;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished<'a> {
    /// All bytes of the message, since the syntax does not say which hash it is.
    /// [`verify_data`](Self::verify_data) returns it checked.
    pub(crate) verify_data: &'a [u8],
}

impl<'a> Finished<'a> {
    pub(crate) const NAME: &'static str = "Finished";

    /// The longest `Hash.length`: that of SHA-384.
    pub(crate) const MAX_LEN: usize = 48;

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Self {
        Self {
            verify_data: r.remainder(),
        }
    }

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::FINISHED, Self::NAME, |w| {
            w.bytes(self.verify_data)
        })
    }

    /// Returns `verify_data` if it is as long as the hash's output. Any other length is a syntax
    /// error, not a wrong MAC.
    pub(crate) fn verify_data(&self, hash_len: usize) -> Result<&'a [u8], Fault> {
        if self.verify_data.len() == hash_len {
            Ok(self.verify_data)
        } else {
            Err(Fault::Decode {
                message: Self::NAME,
                field: "verify_data",
                problem: DecodeProblem::Length,
            })
        }
    }
}

/// The client's last message under the early traffic keys.
///
/// ```text
/// struct {} EndOfEarlyData;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndOfEarlyData;

impl EndOfEarlyData {
    pub(crate) const NAME: &'static str = "EndOfEarlyData";

    /// Encodes the whole message, with its header.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::END_OF_EARLY_DATA, Self::NAME, |_| {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::AlertDescription;
    use crate::message::Message;
    use crate::message::testing::{breach, bytes, message, round_trip, whole_message};

    #[test]
    fn a_finished_is_as_long_as_its_hash_and_no_other_length() {
        for length in [32, 48] {
            let Message::Finished(finished) = round_trip(message(20, &vec![7; length]).leak())
            else {
                panic!("not a Finished")
            };
            assert_eq!(finished.verify_data(length).unwrap(), vec![7; length]);
            for other in [0, 12, length - 1, length + 1] {
                let Message::Finished(finished) = round_trip(message(20, &vec![7; other]).leak())
                else {
                    panic!("not a Finished")
                };
                let fault = finished.verify_data(length).unwrap_err();
                assert!(matches!(
                    fault,
                    Fault::Decode {
                        message: "Finished",
                        field: "verify_data",
                        problem: DecodeProblem::Length
                    }
                ));
                assert_eq!(fault.alert(), AlertDescription::DECODE_ERROR);
            }
        }
    }

    #[test]
    fn end_of_early_data_is_empty() {
        assert_eq!(
            whole_message(bytes("05 000000"), "EndOfEarlyData", |_| false),
            Message::EndOfEarlyData(EndOfEarlyData)
        );
        assert_eq!(
            breach(&message(5, &[0])),
            ("EndOfEarlyData", "length", DecodeProblem::TrailingBytes)
        );
    }
}
