//! The zone of times in lines that name none.

use std::str::FromStr;
use std::sync::OnceLock;

use chrono::{FixedOffset, Local, TimeZone};
use spanline::record::Timestamp;

use super::month_time::MonthTime;
use super::time::{self, Time};

/// What `--zone` says; without it, the zone of this machine.
static OF_LINES: OnceLock<Zone> = OnceLock::new();

/// A zone of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// That of this machine.
    Local,
    Offset(FixedOffset),
    Named(chrono_tz::Tz),
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("local") {
            return Ok(Self::Local);
        }
        if let Ok(offset) = text.parse::<FixedOffset>() {
            return Ok(Self::Offset(offset));
        }
        text.parse().map(Self::Named).map_err(|_| {
            "unknown zone; expected a name such as Europe/Berlin or UTC, an offset such as +02:00, or local".to_owned()
        })
    }
}

impl Zone {
    /// Makes it the zone of all lines that this process reads.
    pub(crate) fn of_lines(self) {
        // The command line says it once.
        let _ = OF_LINES.set(self);
    }
}

/// Reads a time of a line.
pub(crate) fn of_text(text: &str) -> Option<Time> {
    match OF_LINES.get() {
        None | Some(Zone::Local) => time::of_text(text, &Local),
        Some(Zone::Offset(zone)) => time::of_text(text, zone),
        Some(Zone::Named(zone)) => time::of_text(text, zone),
    }
}

/// Reads a time without a year, of a line in a file that was written last at another time.
pub(crate) fn of_month_time(text: &str, written: Timestamp) -> Option<Timestamp> {
    fn read<Z: TimeZone>(text: &str, written: Timestamp, zone: &Z) -> Option<Timestamp> {
        let (time, rest) = MonthTime::read(text)?;
        time.latest(written, zone).filter(|_| rest.is_empty())
    }
    match OF_LINES.get() {
        None | Some(Zone::Local) => read(text, written, &Local),
        Some(Zone::Offset(zone)) => read(text, written, zone),
        Some(Zone::Named(zone)) => read(text, written, zone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_name_or_an_offset() {
        assert_eq!("local".parse(), Ok(Zone::Local));
        assert_eq!("Europe/Berlin".parse(), Ok(Zone::Named(chrono_tz::Europe::Berlin)));
        assert_eq!("-03:30".parse(), Ok(Zone::Offset(FixedOffset::west_opt(12_600).unwrap())));
        for wrong in ["", "Berlin/Europe", "+25:00", "2026"] {
            assert!(wrong.parse::<Zone>().unwrap_err().contains("Europe/Berlin"), "{wrong}");
        }
    }
}
