//! Finished (RFC 9846, 4.5.3): the proof that both saw the same handshake. And EndOfEarlyData (4.6), which comes before the client's.

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
    /// All bytes of the message: which hash it is, the syntax does not tell. [`verify_data`](Self::verify_data) gives it checked.
    pub(crate) verify_data: &'a [u8],
}

impl<'a> Finished<'a> {
    pub(crate) const NAME: &'static str = "Finished";

    /// Reads the body, without the handshake header.
    pub(crate) fn read(r: &mut Reader<'a>) -> Self {
        Self { verify_data: r.remainder() }
    }

    /// The whole message, with its header.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::FINISHED, Self::NAME, |w| w.bytes(self.verify_data))
    }

    /// `verify_data`, if it is as long as the hash's output; any other length is a breach of the syntax, not a wrong MAC.
    pub(crate) fn verify_data(&self, hash_len: usize) -> Result<&'a [u8], Fault> {
        if self.verify_data.len() == hash_len {
            Ok(self.verify_data)
        } else {
            Err(Fault::Decode { message: Self::NAME, field: "verify_data", problem: DecodeProblem::Length })
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

    /// The whole message, with its header.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Fault> {
        Writer::message(HandshakeType::END_OF_EARLY_DATA, Self::NAME, |_| {})
    }
}
