//! Times as old syslog has them, `Oct 11 22:14:15`: without a year and a zone.
//!
//! Source: RFC 3164, section 4.1.2.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone};
use spanline::record::Timestamp;

use super::time::{NANOS, fraction, in_zone, time_of_day};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The 29th of February is in one of four years, or of eight.
const YEARS: i32 = 8;

/// A time without a zone, and often without a year.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonthTime<'t> {
    /// Cisco may add it.
    year: Option<i32>,
    month: u32,
    day: u32,
    clock: &'t str,
    nanos: i64,
}

impl<'t> MonthTime<'t> {
    /// Reads the time at the beginning of a text; returns what is behind it and its space.
    pub(crate) fn read(text: &'t str) -> Option<(Self, &'t str)> {
        // Cisco marks times of a clock that is not synchronized.
        let text = text.strip_prefix(['*', '.']).unwrap_or(text);
        let month = MONTHS.iter().zip(1..).find(|(name, _)| text.get(..3) == Some(**name))?.1;
        let rest = text.get(3..)?.strip_prefix(' ')?;
        let (day, rest) = rest.strip_prefix(' ').unwrap_or(rest).split_once(' ')?;
        let is_day = (1..=2).contains(&day.len()) && day.bytes().all(|byte| byte.is_ascii_digit());
        let day = day.parse().ok().filter(|_| is_day)?;
        let (year, rest) = match rest.split_at_checked(4) {
            Some((year, behind)) if behind.starts_with(' ') => (year.parse::<i32>().ok(), behind.strip_prefix(' ')?),
            _ => (None, rest),
        };
        let clock = rest.get(..8)?;
        let (nanos, is_exact, rest) = fraction(rest.get(8..)?)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(' ').filter(|_| is_exact)? };
        let time = Self { year, month, day, clock, nanos };
        // A leap day is in some year.
        let date = NaiveDate::from_ymd_opt(year.unwrap_or(2000), month, day)?;
        time_of_day(date, clock).map(|_| (time, rest))
    }

    /// Returns the time in a year.
    fn in_year<Z: TimeZone>(&self, year: i32, zone: &Z) -> Option<Timestamp> {
        let naive = time_of_day(NaiveDate::from_ymd_opt(year, self.month, self.day)?, self.clock)?;
        in_zone(naive, zone).checked_mul(NANOS)?.checked_add(self.nanos).map(Timestamp::from_nanos)
    }

    /// Returns the times that it may be, of the years around one.
    fn times<Z: TimeZone>(&self, around: Timestamp, zone: &Z) -> impl Iterator<Item = Timestamp> {
        let day: DateTime<_> = around.to_datetime();
        let year = day.checked_add_days(Days::new(1)).unwrap_or(day).year();
        let years = self.year.map_or(year - YEARS..=year + YEARS, |year| year..=year);
        years.filter_map(|year| self.in_year(year, zone))
    }

    /// Returns the time that is nearest to now: for a line that has just come.
    #[cfg(feature = "collect")]
    pub(crate) fn nearest<Z: TimeZone>(&self, now: Timestamp, zone: &Z) -> Option<Timestamp> {
        self.times(now, zone).min_by_key(|time| time.as_nanos().abs_diff(now.as_nanos()))
    }

    /// Returns the latest time up to another one: for a line of a file that was written last then. Clocks and zones may differ by
    /// a day.
    #[cfg(feature = "find")]
    pub(crate) fn latest<Z: TimeZone>(&self, written: Timestamp, zone: &Z) -> Option<Timestamp> {
        const DAY: i64 = 86_400 * NANOS;
        let end = written.as_nanos().saturating_add(DAY);
        let is_before = |time: &Timestamp| time.as_nanos() <= end || self.year.is_some();
        self.times(written, zone).filter(is_before).max_by_key(|time| time.as_nanos())
    }
}

#[cfg(all(test, feature = "find"))]
mod tests {
    use chrono::Utc;

    use super::*;

    fn latest(text: &str, written: &str) -> Option<String> {
        let written = crate::loggers::time::of_text(written, &Utc)?.at;
        let (time, rest) = MonthTime::read(text)?;
        assert_eq!(rest, "");
        time.latest(written, &Utc).map(|time| time.to_datetime().to_rfc3339())
    }

    #[test]
    fn the_year_is_the_last_one_in_which_the_file_was_written_behind_it() {
        let cases = [
            ("Oct 11 22:14:15", "2026-10-11T22:14:15Z", "2026-10-11T22:14:15+00:00"),
            ("Oct 11 22:14:15", "2026-10-11T02:00:00Z", "2026-10-11T22:14:15+00:00"),
            ("Oct 11 22:14:15", "2026-10-01T00:00:00Z", "2025-10-11T22:14:15+00:00"),
            ("Dec 31 23:59:59", "2027-01-01T00:10:00Z", "2026-12-31T23:59:59+00:00"),
            ("Jan  1 00:00:01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01+00:00"),
            ("Feb 29 01:02:03", "2026-12-01T00:00:00Z", "2024-02-29T01:02:03+00:00"),
            ("Feb 29 01:02:03", "2103-12-01T00:00:00Z", "2096-02-29T01:02:03+00:00"),
            ("Oct 11 2019 22:14:15.5", "2026-12-01T00:00:00Z", "2019-10-11T22:14:15.500+00:00"),
        ];
        for (text, written, expected) in cases {
            assert_eq!(latest(text, written).as_deref(), Some(expected), "{text} in a file of {written}");
        }
        for not in
            ["Okt 11 22:14:15", "Oct 32 22:14:15", "Feb 30 22:14:15", "Oct +1 22:14:15", "Oct 11 24:14:15", "Oct"]
        {
            assert!(MonthTime::read(not).is_none(), "{not}");
        }
    }
}
