//! How a line spells its time: RFC 3339, or a number of seconds or parts of seconds since 1970.

use std::fmt::Display;

use chrono::{DateTime, FixedOffset, Local, TimeZone};

use crate::error::Error;
use crate::record::Timestamp;
#[cfg(feature = "time-zones")]
use crate::time_zone::{NamedZone, named};

/// How a line spells its time.
///
/// ```
/// use spanline::schema::{Flat, Rfc3339, TimeFormat};
///
/// Flat::new().time(TimeFormat::EpochMillis); // "timestamp":1795169738123
/// Flat::new().time(Rfc3339::millis().local()); // "timestamp":"2026-11-20T11:15:38.123+01:00"
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeFormat {
    /// A date and a time of day, as text.
    Rfc3339(Rfc3339),
    /// A number of seconds since 1970, with six decimals.
    EpochSeconds,
    /// A whole number of milliseconds since 1970.
    EpochMillis,
    /// A whole number of microseconds since 1970.
    EpochMicros,
    /// A whole number of nanoseconds since 1970.
    EpochNanos,
}

/// A date and a time of day in RFC 3339, in UTC unless a zone is set. The default has six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339 {
    decimals: usize,
    zone: Zone,
}

/// The zone of a line's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    Local,
    Fixed(FixedOffset),
    #[cfg(feature = "time-zones")]
    Named(NamedZone),
}

impl Zone {
    /// Returns the zone that is this many minutes east of UTC.
    pub(super) fn offset_minutes(minutes: i32) -> Result<Self, Error> {
        let offset = minutes.checked_mul(60).and_then(FixedOffset::east_opt).ok_or_else(|| {
            Error::invalid(format!("offset_minutes is {minutes}; expected less than a day: -1439 to 1439"))
        })?;
        Ok(Self::Fixed(offset))
    }

    /// Returns the zone with this name.
    #[cfg(feature = "time-zones")]
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        named(name).map(Self::Named).map_err(Error::invalid)
    }
}

impl Rfc3339 {
    /// Creates a format with three decimals: `2026-11-20T10:15:38.123Z`.
    pub const fn millis() -> Self {
        Self { decimals: 3, zone: Zone::Utc }
    }

    /// Creates a format with six decimals: `2026-11-20T10:15:38.123456Z`.
    pub const fn micros() -> Self {
        Self { decimals: 6, zone: Zone::Utc }
    }

    /// Creates a format with nine decimals: `2026-11-20T10:15:38.123456789Z`.
    pub const fn nanos() -> Self {
        Self { decimals: 9, zone: Zone::Utc }
    }

    /// Writes local times with their offset: `2026-11-20T11:15:38.123456+01:00`.
    pub const fn local(mut self) -> Self {
        self.zone = Zone::Local;
        self
    }

    /// Writes the times of a zone that is this many minutes east of UTC, with the offset.
    ///
    /// # Errors
    /// When the offset is a day or more.
    pub fn offset_minutes(mut self, minutes: i32) -> Result<Self, Error> {
        self.zone = Zone::offset_minutes(minutes)?;
        Ok(self)
    }

    /// Writes the times of the zone with this name, such as `Europe/Berlin`, with their offset.
    ///
    /// # Errors
    /// When there is no such zone; the error suggests the nearest one.
    #[cfg(feature = "time-zones")]
    pub fn time_zone(mut self, name: &str) -> Result<Self, Error> {
        self.zone = Zone::named(name)?;
        Ok(self)
    }
}

impl Default for Rfc3339 {
    fn default() -> Self {
        Self::micros()
    }
}

impl Default for TimeFormat {
    fn default() -> Self {
        Self::Rfc3339(Rfc3339::default())
    }
}

impl From<Rfc3339> for TimeFormat {
    fn from(format: Rfc3339) -> Self {
        Self::Rfc3339(format)
    }
}

impl TimeFormat {
    /// Returns whether times are numbers, which need no quotes.
    pub(super) fn is_number(self) -> bool {
        !matches!(self, Self::Rfc3339(_))
    }

    /// Returns whether times are local.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Rfc3339(Rfc3339 { zone: Zone::Local, .. }))
    }

    /// Returns how many digits stand for the part of a second.
    pub(super) fn decimals(self) -> usize {
        match self {
            Self::Rfc3339(Rfc3339 { decimals, .. }) => decimals,
            Self::EpochMillis => 3,
            Self::EpochSeconds | Self::EpochMicros => 6,
            Self::EpochNanos => 9,
        }
    }

    /// Returns what all times of a second begin and end with, around the digits of its parts.
    ///
    /// `None` when there is no such text: a number before 1970-01-01T00:00:01 has no whole second, or counts down.
    pub(super) fn of_second(self, time: Timestamp) -> Option<(String, String)> {
        let utc = time.to_datetime();
        Some(match self {
            Self::Rfc3339(Rfc3339 { zone: Zone::Utc, .. }) => (utc.format(SECOND).to_string(), "Z".to_owned()),
            Self::Rfc3339(Rfc3339 { zone: Zone::Local, .. }) => in_zone(&utc.with_timezone(&Local)),
            Self::Rfc3339(Rfc3339 { zone: Zone::Fixed(offset), .. }) => in_zone(&utc.with_timezone(&offset)),
            #[cfg(feature = "time-zones")]
            Self::Rfc3339(Rfc3339 { zone: Zone::Named(zone), .. }) => in_zone(&utc.with_timezone(&zone)),
            _ if time.as_nanos() < NANOS => return None,
            Self::EpochSeconds => (format!("{}.", time.as_nanos() / NANOS), String::new()),
            _ => ((time.as_nanos() / NANOS).to_string(), String::new()),
        })
    }

    /// Returns a time that has no text of its second.
    pub(super) fn whole(self, time: Timestamp) -> String {
        let nanos = time.as_nanos();
        match self {
            Self::EpochSeconds => {
                let micros = nanos.div_euclid(1_000);
                let sign = if micros < 0 { "-" } else { "" };
                format!("{sign}{}.{:06}", micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000)
            }
            Self::EpochMillis => nanos.div_euclid(1_000_000).to_string(),
            Self::EpochMicros => nanos.div_euclid(1_000).to_string(),
            Self::EpochNanos | Self::Rfc3339(_) => nanos.to_string(),
        }
    }
}

const NANOS: i64 = 1_000_000_000;

const SECOND: &str = "%Y-%m-%dT%H:%M:%S.";

/// Returns the text of a second, and the offset of its zone.
fn in_zone<Z: TimeZone<Offset: Display>>(time: &DateTime<Z>) -> (String, String) {
    (time.format(SECOND).to_string(), time.format("%:z").to_string())
}
