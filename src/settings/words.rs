//! Sizes, durations and times in words.

use std::time::Duration;

use chrono::FixedOffset;

use crate::advice::{expected, nearest, quoted};

/// Units of a duration, each with the names that it has and its nanoseconds.
const UNITS: [(&[&str], u128); 8] = [
    (&["ns", "nanosecond", "nanoseconds"], 1),
    (&["us", "µs", "microsecond", "microseconds"], 1_000),
    (&["ms", "msec", "millisecond", "milliseconds"], 1_000_000),
    (&["s", "sec", "secs", "second", "seconds"], NANOS),
    (&["min", "m", "mins", "minute", "minutes"], 60 * NANOS),
    (&["h", "hour", "hours"], 3_600 * NANOS),
    (&["d", "day", "days"], 86_400 * NANOS),
    (&["w", "week", "weeks"], 7 * 86_400 * NANOS),
];
const NANOS: u128 = 1_000_000_000;

/// What a duration looks like.
pub(crate) const DURATION: &str =
    "numbers with units (ns, us, ms, s, min, h, days, weeks), such as `100 ms` or `1 h 30 min`";

/// Parses a duration such as `100 ms`, `7 days` or `1 h 30 min`.
///
/// # Errors
/// What was expected.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut nanos: u128 = 0;
    let mut meant = None;
    let mut is_duration = !rest.is_empty();
    while is_duration && !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|char: char| !char.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let known = UNITS.iter().find(|(names, _)| names.contains(&unit));
        match (number.parse::<u128>(), known) {
            (Ok(number), Some((_, factor))) => {
                nanos = nanos.saturating_add(number.saturating_mul(*factor));
                rest = after.trim_start();
            }
            (Ok(number), None) => {
                let names = UNITS.iter().flat_map(|(names, _)| names.iter().map(|name| (*name, *name)));
                meant = nearest(unit, 1, names).map(|unit| quoted(&format!("{number} {unit}")));
                is_duration = false;
            }
            _ => is_duration = false,
        }
    }
    if !is_duration {
        return Err(format!("{} is no duration{}", quoted(text), expected(meant, DURATION)));
    }
    match u64::try_from(nanos / NANOS) {
        Ok(seconds) => Ok(Duration::new(seconds, u32::try_from(nanos % NANOS).unwrap_or(0))),
        Err(_) => Err(format!("{} is too long", quoted(text))),
    }
}

/// The time zone of a text such as `millis local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zoned {
    Utc,
    Local,
    /// Minutes east of UTC.
    Minutes(i32),
}

impl Zoned {
    /// Parses `utc`, `local` or an offset such as `+02:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "utc" | "UTC" | "Z" => Some(Self::Utc),
            "local" => Some(Self::Local),
            _ => Some(Self::Minutes(text.parse::<FixedOffset>().ok()?.local_minus_utc() / 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_from_words() {
        for (text, millis) in [
            ("100 ms", 100),
            ("100ms", 100),
            ("5 s", 5_000),
            ("2 minutes", 120_000),
            ("1 h 30 min", 5_400_000),
            ("1h30m", 5_400_000),
            ("7 days", 7 * 86_400_000),
            ("0 s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1 s", "1.5 s", "5 parsecs", "1 s 2", "é"] {
            assert!(duration(text).unwrap_err().contains("xpected numbers with units"), "{text}");
        }
        assert!(duration("5 mintes").unwrap_err().contains("did you mean `5 minutes`?"));
        assert!(duration(&format!("{} weeks", u128::MAX)).unwrap_err().contains("too long"));
    }

    #[test]
    fn a_zone_is_a_word_or_an_offset() {
        assert_eq!(Zoned::parse("local"), Some(Zoned::Local));
        assert_eq!(Zoned::parse("+05:30"), Some(Zoned::Minutes(330)));
        assert_eq!(Zoned::parse("-03:00"), Some(Zoned::Minutes(-180)));
        assert_eq!(Zoned::parse("Europe/Berlin"), None);
    }
}
