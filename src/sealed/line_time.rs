//! The times that a line of text shows.

use chrono::{DateTime, NaiveTime, Timelike};

use crate::record::Timestamp;

/// Keys whose numbers are times.
const KEYS: [&str; 5] = ["time", "timestamp", "ts", "timeUnixNano", "date"];

/// The length of a date and a time of day in RFC 3339 without decimals and zone.
const DATE_TIME_BYTES: usize = 19;

/// Zones differ by a multiple of this. A time of day without a zone is compared up to it.
const ZONE_STEP: i64 = 15 * 60 * 1_000_000_000;

/// A longer text is no time.
const MAX_TIME_BYTES: usize = 40;

/// A time as a line shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShownTime {
    nanos: i64,
    /// How many nanoseconds its last digit stands for.
    unit: i64,
    /// It is a time of day, in some zone.
    is_of_day: bool,
}

impl ShownTime {
    /// Returns whether this is how a line shows the time of an event.
    pub(super) fn is_of(&self, time: Timestamp) -> bool {
        let shown =
            |nanos: i64| (if self.is_of_day { nanos.rem_euclid(ZONE_STEP) } else { nanos }).div_euclid(self.unit);
        shown(self.nanos) == shown(time.as_nanos())
    }
}

/// Returns the time of a line that was logged between two times, in nanoseconds since 1970; `None` if it shows none of them.
pub(crate) fn time_between(line: &[u8], (first, last): (i64, i64)) -> Option<i64> {
    if first >= last {
        return Some(first);
    }
    times_of(line).into_iter().find_map(|time| {
        let since_first = || (time.nanos - first.rem_euclid(ZONE_STEP)).rem_euclid(ZONE_STEP);
        let nanos = if time.is_of_day { first.saturating_add(since_first()) } else { time.nanos };
        // It was rounded down.
        let (from, to) = (nanos, nanos.saturating_add(time.unit - 1));
        (to >= first && from <= last).then(|| nanos.clamp(first, last))
    })
}

/// Returns the times in a line: texts in RFC 3339, and numbers under keys such as `time`; or the time of day that it begins
/// with.
pub(super) fn times_of(line: &[u8]) -> Vec<ShownTime> {
    if let Some(time) = time_of_day(line) {
        return vec![time];
    }
    let mut times: Vec<_> = texts(line).collect();
    times.extend(KEYS.iter().flat_map(|key| numbers(line, key)));
    times
}

/// Reads the time of day that a line for people begins with.
fn time_of_day(line: &[u8]) -> Option<ShownTime> {
    let colour =
        line.strip_prefix(b"\x1b[").map_or(0, |rest| 3 + rest.iter().take_while(|byte| **byte != b'm').count());
    let text = line.get(colour..)?;
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')).count();
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let (clock, decimals) = text.split_once('.').unwrap_or((text, ""));
    let time = NaiveTime::parse_from_str(clock, "%H:%M:%S").ok()?;
    let decimals = decimals.get(..decimals.len().min(9))?;
    let part = if decimals.is_empty() { 0 } else { decimals.parse::<i64>().ok()?.checked_mul(unit(decimals.len()))? };
    let seconds = i64::from(time.num_seconds_from_midnight());
    Some(ShownTime { nanos: seconds * 1_000_000_000 + part, unit: unit(decimals.len()), is_of_day: true })
}

fn texts(line: &[u8]) -> impl Iterator<Item = ShownTime> {
    // The `T` of a text that begins ten bytes before it.
    let starts = line.iter().enumerate().filter(|(_, byte)| **byte == b'T').filter_map(|(at, _)| at.checked_sub(10));
    starts.filter_map(|start| {
        let text = line.get(start..)?;
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b':' | b'.' | b'+' | b'-');
        let length = text.iter().take(MAX_TIME_BYTES).take_while(|byte| is_part(byte)).count();
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        let behind = text.get(DATE_TIME_BYTES..)?.strip_prefix('.').unwrap_or_default();
        let decimals = behind.bytes().take_while(u8::is_ascii_digit).count();
        Some(ShownTime { nanos: time.timestamp_nanos_opt()?, unit: unit(decimals), is_of_day: false })
    })
}

/// Returns the numbers that stand under a key, as JSON and as `key=number`.
fn numbers<'l>(line: &'l [u8], key: &'l str) -> impl Iterator<Item = ShownTime> + 'l {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let begins = move |at: usize| !at.checked_sub(1).and_then(|before| line.get(before)).is_some_and(is_part);
    let places =
        line.windows(key.len()).enumerate().filter(move |(at, window)| *window == key.as_bytes() && begins(*at));
    places.filter_map(move |(at, _)| {
        let rest = line.get(at + key.len()..)?;
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
        let rest = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"="))?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
        let length =
            rest.iter().take(MAX_TIME_BYTES).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        number(std::str::from_utf8(rest.get(..length)?).ok()?)
    })
}

/// Reads seconds or parts of seconds since 1970: their number of digits tells which.
fn number(text: &str) -> Option<ShownTime> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let factor: i64 = match whole.len() {
        9..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        18..=19 => 1,
        _ => return None,
    };
    let decimals = decimals.get(..decimals.len().min(9))?;
    let part = if decimals.is_empty() { 0 } else { decimals.parse::<i64>().ok()?.checked_mul(unit(decimals.len()))? };
    let nanos = whole.parse::<i64>().ok()?.checked_mul(factor)?.checked_add(part / (1_000_000_000 / factor))?;
    let unit = if decimals.is_empty() { factor } else { (unit(decimals.len()) / (1_000_000_000 / factor)).max(1) };
    Some(ShownTime { nanos, unit, is_of_day: false })
}

/// Returns how many nanoseconds the last of some decimals of a second stands for.
fn unit(decimals: usize) -> i64 {
    10_i64.pow(9 - decimals.min(9) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shown(line: &str, nanos: i64) -> bool {
        times_of(line.as_bytes()).iter().any(|time| time.is_of(Timestamp::from_nanos(nanos)))
    }

    #[test]
    fn the_time_of_a_line_is_found_at_its_precision() {
        const NANOS: i64 = 1_795_169_738_123_456_789;
        for line in [
            r#"{"timestamp":"2026-11-20T10:15:38.123456Z","card":1}"#,
            r#"{"timestamp":"2026-11-20T11:15:38.123+01:00"}"#,
            r#"{"time":1795169738123,"x":1}"#,
            r#"{"@timestamp":1795169738.123456}"#,
            r#"{"timeUnixNano":"1795169738123456789"}"#,
            "time=2026-11-20T10:15:38Z level=info",
            "ts=1795169738 level=info",
            "10:15:38.123456 INFO  orders  paid  until=2030-01-01T00:00:00Z",
            "\x1b[2m12:45:38.123 \x1b[0m\x1b[32mINFO",
        ] {
            assert!(is_shown(line, NANOS), "{line}");
            assert!(!is_shown(line, NANOS + 1_000_000_000), "{line}");
        }
        for line in [
            "",
            "2026-13-20T10:15:38Z",
            "at 10:15:38 it was time=12",
            "uptime=1795169738",
            "99:99:99",
            "T",
            "timestamp=",
            r#"{"time":99999999999999999999}"#,
        ] {
            assert!(times_of(line.as_bytes()).is_empty(), "{line}");
        }
    }
}
