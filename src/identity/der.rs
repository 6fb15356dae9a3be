//! Reads DER element by element.

use core::time::Duration;

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use crate::error::CertificateError;

pub(crate) fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber(number),
    }
}

/// Returns the content of the next element, which must have this tag.
pub(crate) fn value<'a>(
    reader: &mut SliceReader<'a>,
    tag: Tag,
) -> Result<&'a [u8], CertificateError> {
    let any = AnyRef::decode(reader).map_err(malformed)?;
    if any.tag() == tag {
        Ok(any.value())
    } else {
        Err(CertificateError::Malformed)
    }
}

/// Like [`value`], as a reader.
pub(crate) fn inside<'a>(
    reader: &mut SliceReader<'a>,
    tag: Tag,
) -> Result<SliceReader<'a>, CertificateError> {
    SliceReader::new(value(reader, tag)?).map_err(malformed)
}

/// Returns the next element, which must have this tag, with its tag and length.
pub(crate) fn whole<'a>(
    reader: &mut SliceReader<'a>,
    tag: Tag,
) -> Result<&'a [u8], CertificateError> {
    if Tag::peek(reader).map_err(malformed)? != tag {
        return Err(CertificateError::Malformed);
    }
    reader.tlv_bytes().map_err(malformed)
}

pub(crate) fn malformed(_: der::Error) -> CertificateError {
    CertificateError::Malformed
}

/// Reads the next element, a Time (RFC 5280, 4.1.2.5), as Unix time:
/// `CHOICE { utcTime UTCTime, generalTime GeneralizedTime }`.
pub(crate) fn time(reader: &mut SliceReader<'_>) -> Result<Duration, CertificateError> {
    match Tag::peek(reader).map_err(malformed)? {
        Tag::UtcTime => UtcTime::decode(reader).map(|time| time.to_unix_duration()),
        _ => GeneralizedTime::decode(reader).map(|time| time.to_unix_duration()),
    }
    .map_err(malformed)
}
