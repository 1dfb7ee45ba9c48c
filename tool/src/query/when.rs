//! Times as people write them: `10m`, `today 14:00`, `2026-11-20T10:15:38Z`.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use spanline::record::Timestamp;

use crate::loggers::time::{NANOS, in_zone, of_number, of_text};

const EXPECTED: &str = "expected a time such as 2026-11-20T10:15:38Z, \"2026-11-20 14:00\", 10m, \"2 days\", \
     \"today 14:00\" or yesterday";

/// The names of units, and their seconds.
const UNITS: [(&[&str], i64); 5] = [
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["m", "min", "mins", "minute", "minutes"], 60),
    (&["h", "hour", "hours"], 3600),
    (&["d", "day", "days"], 86_400),
    (&["w", "week", "weeks"], 7 * 86_400),
];

/// Returns the nanoseconds since 1970 of a time. A span such as `10m` ends `now`. `zone`: that of times without an offset.
pub(crate) fn when<Z: TimeZone>(text: &str, now: Timestamp, zone: &Z) -> Result<i64, String> {
    let trimmed = text.trim();
    let found = absolute(trimmed, zone).or_else(|| of_day(trimmed, now, zone)).or_else(|| {
        let span = nanos_of_span(trimmed.strip_suffix("ago").unwrap_or(trimmed))?;
        now.as_nanos().checked_sub(span)
    });
    found.ok_or_else(|| format!("{EXPECTED}; found {text:?}"))
}

/// Reads a date and a time, a date, or a number since 1970.
fn absolute<Z: TimeZone>(text: &str, zone: &Z) -> Option<i64> {
    // `2026-11-20 14:00`, to which the seconds are added.
    let minutes = (text.len() == "2026-11-20 14:00".len()).then(|| format!("{text}:00"));
    if let Some(time) = of_text(minutes.as_deref().unwrap_or(text), zone) {
        return Some(time.at.as_nanos());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return nanos(date.and_time(NaiveTime::MIN), zone);
    }
    // Fewer digits are no time of a log.
    let is_number = text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number.then(|| of_number(text)).flatten().map(|time| time.at.as_nanos())
}

/// Reads `now`, `today`, `yesterday 14:00` and `14:00`.
fn of_day<Z: TimeZone>(text: &str, now: Timestamp, zone: &Z) -> Option<i64> {
    if text == "now" {
        return Some(now.as_nanos());
    }
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, clock.trim()),
        None if text.contains(':') => ("today", text),
        None => (text, "00:00"),
    };
    let back = match day {
        "today" => 0,
        "yesterday" => 1,
        _ => return None,
    };
    let clock = NaiveTime::parse_from_str(clock, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"));
    let today = now.to_datetime().with_timezone(zone).date_naive();
    nanos(today.checked_sub_days(chrono::Days::new(back))?.and_time(clock.ok()?), zone)
}

/// Returns the nanoseconds of a span of time, such as `1h30m` or `2 days`.
pub(crate) fn span(text: &str) -> Result<i64, String> {
    nanos_of_span(text).ok_or_else(|| format!("expected a span of time such as 30s, 5m or \"2 days\"; found {text:?}"))
}

fn nanos_of_span(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let behind = behind.trim_start();
        let letters = behind.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters)?;
        let (_, seconds) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
        let nanos = number.parse::<i64>().ok()?.checked_mul(*seconds)?.checked_mul(NANOS)?;
        total = total.checked_add(nanos)?;
        rest = behind.trim_start();
    }
    Some(total)
}

fn nanos<Z: TimeZone>(naive: NaiveDateTime, zone: &Z) -> Option<i64> {
    in_zone(naive, zone).checked_mul(NANOS)
}
