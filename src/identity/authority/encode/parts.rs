//! Parts that certificates and revocation lists share.

use core::time::Duration;

use x509_cert::der::{self, DateTime, Encode};
use x509_cert::ext::{Criticality, Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::time::{self, Time};

use crate::identity::validity::Validity;

/// Encodes both moments as X.509 times.
pub(crate) fn validity(validity: Validity) -> der::Result<time::Validity> {
    // RFC 5280, 4.1.2.5: UTCTime through the year 2049, which `Time::from` sees to.
    let time = |at: Duration| {
        DateTime::from_unix_duration(Duration::from_secs(at.as_secs())).map(Time::from)
    };
    Ok(time::Validity::new(
        time(validity.not_before())?,
        time(validity.not_after())?,
    ))
}

pub(crate) fn extension<T: Criticality + der::oid::AssociatedOid + Encode>(
    content: &T,
    subject: &Name,
) -> der::Result<Extension> {
    content.to_extension(subject, &[])
}
