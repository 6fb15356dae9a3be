//! Finished (RFC 9846, 4.5.3): a MAC over the whole handshake, and what it proves.

use crate::crypto::hash::Digest;
use crate::error::Fault;
use crate::handshake::transcript::Transcript;
use crate::key_schedule::FinishedKey;
use crate::message::Finished;

/// Proof that the peer saw the same handshake and derived the same keys. Made only by [`verify`].
pub(crate) struct FinishedVerified(());

/// Verifies the peer's Finished over the transcript before it.
pub(crate) fn verify(
    key: &FinishedKey,
    transcript: &Digest,
    message: &Finished<'_>,
) -> Result<FinishedVerified, Fault> {
    // RFC 9846, 4.5.3: "opaque verify_data[Hash.length]": any other length does not follow the
    // syntax.
    let verify_data = message.verify_data(transcript.as_bytes().len())?;
    // RFC 9846, 4.5.3: "Recipients of Finished messages MUST verify that the contents are correct
    // and if incorrect MUST terminate the connection with a decrypt_error alert."
    if key.verify(transcript, verify_data) {
        Ok(FinishedVerified(()))
    } else {
        Err(Fault::BadFinished)
    }
}

/// Makes our own Finished over the transcript, and adds it.
pub(crate) fn make(key: &FinishedKey, transcript: &mut Transcript) -> Result<Vec<u8>, Fault> {
    let verify_data = key.verify_data(&transcript.digest());
    let message = Finished {
        verify_data: &verify_data,
    }
    .encode()?;
    transcript.add(&message);
    Ok(message)
}
