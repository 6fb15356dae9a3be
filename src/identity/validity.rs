//! [`Validity`]: the period in which a certificate is valid.

use core::time::Duration;
use std::time::SystemTime;

use der::asn1::AnyRef;
use der::{DateTime, Decode, Reader, SliceReader, Tag, Tagged};

use crate::error::{ConfigError, Error};
use crate::identity::der::{inside, time};

/// 9999-12-31T23:59:59Z, the end of X.509's time; as notAfter it means "no end" (RFC 5280,
/// 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);

/// How long before now a certificate becomes valid, since clocks differ.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// The period in which a certificate is valid, in whole seconds.
///
/// ```
/// use core::time::Duration;
/// use fleeting::Validity;
///
/// let quarter = Validity::days(90);
/// let year_2030 =
///     Validity::between(Duration::from_secs(1_893_456_000), Duration::from_secs(1_924_991_999))?;
/// assert_eq!(year_2030.not_before(), Duration::from_secs(1_893_456_000));
/// # Ok::<(), fleeting::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub(super) not_before: Duration,
    pub(super) not_after: Duration,
}

impl Validity {
    /// Returns a validity of this many days from now, by the system's clock. It begins five minutes
    /// ago, since clocks differ.
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`). Use [`between`](Self::between)
    /// there.
    pub fn days(days: u32) -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        // X.509 has only whole seconds.
        let now = Duration::from_secs(now.as_secs());
        let not_after = now
            .saturating_add(Duration::from_secs(86_400 * u64::from(days)))
            .min(END_OF_TIME);
        Self {
            not_before: now.saturating_sub(BACKDATED),
            not_after,
        }
    }

    /// Returns a validity from one moment to another, both given as time since 1970-01-01 00:00:00
    /// UTC.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] with [`ConfigError::Setting`] if the second moment is not after
    /// the first, or is later than the year 9999.
    pub fn between(not_before: Duration, not_after: Duration) -> Result<Self, Error> {
        let reason = if not_after <= not_before {
            "it ends before it begins"
        } else if not_after > END_OF_TIME {
            "it ends after the year 9999"
        } else {
            return Ok(Self {
                not_before,
                not_after,
            });
        };
        Err(ConfigError::Setting {
            name: "validity",
            reason,
        }
        .into())
    }

    /// Returns a validity for all times (1970 through 9999), for certificates that only carry a
    /// key.
    pub fn unlimited() -> Self {
        Self {
            not_before: Duration::ZERO,
            not_after: END_OF_TIME,
        }
    }

    /// Returns the first moment, as time since 1970-01-01 00:00:00 UTC.
    pub fn not_before(&self) -> Duration {
        self.not_before
    }

    /// Returns the last moment, as time since 1970-01-01 00:00:00 UTC.
    pub fn not_after(&self) -> Duration {
        self.not_after
    }

    /// Reads the Validity of a certificate, with tag and length.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let mut outer = SliceReader::new(der).ok()?;
        let mut validity = inside(&mut outer, Tag::Sequence).ok()?;
        outer.finish().ok()?;
        let (not_before, not_after) = (time(&mut validity).ok()?, time(&mut validity).ok()?);
        validity.finish().ok()?;
        Some(Self {
            not_before,
            not_after,
        })
    }
}

/// Returns a moment since 1970 as text in the form of RFC 3339.
pub(crate) fn date(moment: Duration) -> String {
    match DateTime::from_unix_duration(moment) {
        Ok(date) => date.to_string(),
        Err(_) => "a time after the year 9999".to_owned(),
    }
}

/// Returns the first date before 1970 in the Validity of a certificate (with tag and length), such
/// as `1950-01-01`. [`Validity`] counts from 1970, and so does path validation.
pub(crate) fn date_before_1970(der: &[u8]) -> Option<String> {
    let mut outer = SliceReader::new(der).ok()?;
    let mut validity = inside(&mut outer, Tag::Sequence).ok()?;
    core::iter::from_fn(|| AnyRef::decode(&mut validity).ok()).find_map(|time| {
        let text = core::str::from_utf8(time.value()).ok()?;
        let text = match time.tag() {
            // RFC 5280, 4.1.2.5.1: from 50 on, the two digits are those of a year before 2000.
            Tag::UtcTime if text < "50" => format!("20{text}"),
            Tag::UtcTime => format!("19{text}"),
            _ => text.to_owned(),
        };
        let date = text
            .get(..8)
            .filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()))?;
        let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
        (year < "1970").then(|| format!("{year}-{month}-{day}"))
    })
}
