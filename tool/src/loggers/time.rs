//! Reads times: RFC 3339 and its relatives, and numbers since 1970.

use std::ops::Range;

use chrono::{NaiveDate, NaiveDateTime, TimeZone};
use spanline::record::Timestamp;

/// How many there are in a second.
pub(crate) const NANOS: i64 = 1_000_000_000;

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) at: Timestamp,
    /// Whether the text says no more, and nothing had to be assumed. Otherwise it stays a field.
    pub(crate) is_exact: bool,
}

/// Reads a date and a time of day. Without an offset, the zone is that of this machine, and the time is not exact.
///
/// ISO 8601's basic offset (`+0100`) and its comma are read too, and a space in place of the `T`.
pub(crate) fn of_text<Z: TimeZone>(text: &str, zone: &Z) -> Option<Time> {
    if let Some(nanos) = usual(text.as_bytes()) {
        return Some(Time { at: Timestamp::from_nanos(nanos), is_exact: true });
    }
    let (naive, rest) = date_and_time(text)?;
    let (nanos, is_exact, rest) = fraction(rest)?;
    let (seconds, is_exact) = match rest.trim_start_matches(' ') {
        "" => (in_zone(naive, zone), false),
        "Z" | "z" | "UTC" => (naive.and_utc().timestamp(), is_exact),
        offset => (naive.and_utc().timestamp().checked_sub(offset_seconds(offset)?)?, is_exact),
    };
    let at = seconds.checked_mul(NANOS)?.checked_add(nanos)?;
    Some(Time { at: Timestamp::from_nanos(at), is_exact })
}

/// Reads the usual form, `2026-11-20T10:15:38.123456Z` with up to nine digits, in less time. `None` for any other form, and for
/// what may be no time.
#[inline]
pub(crate) fn usual(text: &[u8]) -> Option<i64> {
    let [date_and_time @ .., b'Z'] = text else { return None };
    let (to_minute, rest) = date_and_time.split_first_chunk()?;
    let [y, e, a, r, _, m, o, _, d, n, _, h, i, _, k, l] = digits_of(*to_minute)?;
    let [century, year_of_century, month, day, hour, minute] =
        [[y, e], [a, r], [m, o], [d, n], [h, i], [k, l]].map(|[tens, ones]| u32::from(tens * 10 + ones));
    let [b':', s, c, part @ ..] = rest else { return None };
    let [second] = pairs([[*s, *c]])?;
    let year = century * 100 + year_of_century;
    // Each month has 28 days. The times that nanoseconds hold end in the year 2262.
    let is_sure = (1970..2262).contains(&year) && (1..=12).contains(&month) && (1..=28).contains(&day);
    if !is_sure || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match part {
        [] => 0,
        [b'.', micros @ ..] if micros.len() == 6 => {
            // With two digits behind them, a power of two.
            let [a, b, c, d, e, f] = *micros else { return None };
            let [a, b, c, _] = pairs([[a, b], [c, d], [e, f], [b'0'; 2]])?;
            ((a * 100 + b) * 100 + c) * 1_000
        }
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let zeros = 9 - digits.len() as u32;
            let add = |number: u32, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'));
            digits.iter().try_fold(0, add)? * 10_u32.pow(zeros)
        }
        _ => return None,
    };
    let second_of_day = (hour * 60 + minute) * 60 + second;
    Some((i64::from(days(year, month, day)) * 86_400 + i64::from(second_of_day)) * NANOS + i64::from(nanos))
}

/// Returns the digits of `2026-11-20T10:15`, and 0 for what is between them. All bytes are compared at once.
#[inline(always)]
fn digits_of(text: [u8; 16]) -> Option<[u8; 16]> {
    const ZEROS: &[u8; 16] = b"0000-00-00T00:00";
    // For each digit one of these bytes, and 0 for the others.
    const fn each(byte: u8) -> u128 {
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < bytes.len() {
            if ZEROS[at] == b'0' {
                bytes[at] = byte;
            }
            at += 1;
        }
        u128::from_ne_bytes(bytes)
    }
    let digits = u128::from_ne_bytes(text) ^ u128::from_ne_bytes(*ZEROS);
    // Of a number up to 15, six more than 9 or less has no upper bits.
    let are_digits = digits & !each(0xf) == 0 && (digits + each(6)) & each(0xf0) == 0;
    are_digits.then(|| digits.to_ne_bytes())
}

/// Reads numbers of two digits.
#[inline(always)]
fn pairs<const N: usize>(digits: [[u8; 2]; N]) -> Option<[u32; N]> {
    let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
    let are_digits = digits.as_flattened().iter().fold(true, |are, byte| are & (digit(*byte) <= 9));
    are_digits.then(|| digits.map(|[tens, ones]| digit(tens) * 10 + digit(ones)))
}

/// Returns the days from 1970 to a day in that year or later.
///
/// Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*, `days_from_civil`, without the years before 0.
#[inline]
fn days(year: u32, month: u32, day: u32) -> u32 {
    // The year begins in March, so that the leap day is its last one.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// Returns the seconds since 1970 of a local time. In the hour that does not exist, the clock was not changed yet.
pub(crate) fn in_zone<Z: TimeZone>(naive: NaiveDateTime, zone: &Z) -> i64 {
    match zone.from_local_datetime(&naive).earliest() {
        Some(time) => time.timestamp(),
        None => {
            let offset = zone.offset_from_utc_datetime(&naive);
            naive.and_utc().timestamp() - i64::from(chrono::Offset::fix(&offset).local_minus_utc())
        }
    }
}

/// Reads `2026-11-20T10:15:38`; returns what is behind it.
fn date_and_time(text: &str) -> Option<(NaiveDateTime, &str)> {
    let byte = |at: usize| text.as_bytes().get(at).copied();
    let is_form = byte(4) == Some(b'-')
        && byte(7) == Some(b'-')
        && matches!(byte(10), Some(b'T' | b't' | b' '))
        && byte(13) == Some(b':')
        && byte(16) == Some(b':');
    if !is_form {
        return None;
    }
    let number = |range: Range<usize>| number(text.get(range)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    Some((time_of_day(date, text.get(11..19)?)?, text.get(19..)?))
}

/// Reads `10:15:38`. The second 60 is the one that follows 59.
pub(crate) fn time_of_day(date: NaiveDate, text: &str) -> Option<NaiveDateTime> {
    let number = |range: Range<usize>| number(text.get(range)?);
    let is_form = text.len() == 8 && text.get(2..3) == Some(":") && text.get(5..6) == Some(":");
    let (hour, minute, second) = (number(0..2)?, number(3..5)?, number(6..8)?);
    let (second, leap) = if second == 60 { (59, 1) } else { (second, 0) };
    let time = date.and_hms_opt(hour, minute, second).filter(|_| is_form)?;
    time.checked_add_signed(chrono::TimeDelta::seconds(leap))
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Reads the part of a second, if there is one; returns its nanoseconds, whether it has no finer part, and what is behind it.
pub(crate) fn fraction(text: &str) -> Option<(i64, bool, &str)> {
    let Some(digits) = text.strip_prefix(['.', ',']) else { return Some((0, true, text)) };
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?;
    let nanos = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + i64::from(digit - b'0'));
    let is_exact = digits.bytes().skip(9).all(|digit| digit == b'0');
    Some((nanos, is_exact, rest))
}

/// Reads `+01:00`, `+0100` or `+01`.
fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        3 => (text.get(1..3)?, "00"),
        5 => (text.get(1..3)?, text.get(3..5)?),
        6 if text.get(3..4) == Some(":") => (text.get(1..3)?, text.get(4..6)?),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// Reads a number since 1970: of seconds, milliseconds, microseconds or nanoseconds, by its size.
///
/// Seconds are read until the year 5138, which in milliseconds is the year 1973.
pub(crate) fn of_number(text: &str) -> Option<Time> {
    let (mantissa, exponent) = decimal(text)?;
    let whole = scaled(mantissa, exponent)?.0.unsigned_abs();
    let unit = match whole {
        0..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        _ => 0,
    };
    of_units(mantissa, exponent + unit)
}

fn of_units(mantissa: i128, exponent: i32) -> Option<Time> {
    let (nanos, is_exact) = scaled(mantissa, exponent)?;
    Some(Time { at: Timestamp::from_nanos(i64::try_from(nanos).ok()?), is_exact })
}

/// Returns the whole part of `mantissa × 10^exponent`, and whether there is no other.
fn scaled(mantissa: i128, exponent: i32) -> Option<(i128, bool)> {
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return Some((mantissa.checked_mul(power)?, true));
    }
    Some((mantissa.div_euclid(power), mantissa.rem_euclid(power) == 0))
}

/// Reads a JSON number as digits and the power of ten of the last one. `None` for one that is too long to be a time.
fn decimal(text: &str) -> Option<(i128, i32)> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || digits.len() + part.len() > 36 || !is_digits(digits) || !is_digits(part) {
        return None;
    }
    let mantissa: i128 = format!("{whole}{part}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| (-30..=30).contains(exponent))?;
    Some((mantissa, exponent - i32::try_from(part.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;
    use proptest::prelude::*;

    use super::*;

    const AT: i64 = 1_795_169_738_123_456_000;

    fn text(text: &str) -> Option<(i64, bool)> {
        let zone = FixedOffset::east_opt(3600).unwrap();
        of_text(text, &zone).map(|time| (time.at.as_nanos(), time.is_exact))
    }

    fn number_text(text: &str) -> Option<(i64, bool)> {
        of_number(text).map(|time| (time.at.as_nanos(), time.is_exact))
    }

    #[test]
    fn dates_are_read_in_their_zone() {
        for exact in [
            "2026-11-20T10:15:38.123456Z",
            "2026-11-20t11:15:38.123456000000+01:00",
            "2026-11-20 11:15:38,123456+0100",
            "2026-11-20 05:15:38.123456 -05",
            "2026-11-20 10:15:38.123456 UTC",
        ] {
            assert_eq!(text(exact), Some((AT, true)), "{exact}");
        }
        assert_eq!(text("2026-11-20 11:15:38,123456"), Some((AT, false)), "the zone is assumed");
        assert_eq!(text("2026-11-20T10:15:38.1234560001Z"), Some((AT, false)), "there are finer digits");
        assert_eq!(text("2016-12-31T23:59:60Z"), text("2017-01-01T00:00:00Z"));
        for not in [
            "yesterday",
            "",
            "2026-11-20",
            "2026-13-20T10:15:38Z",
            "2026-11-20T10:15:38.Z",
            "2026-11-20T10:15:38+24:00",
            "2026-11-20T10:15:38+é0",
            "2026-11-20T+1:15:38Z",
            "9999-11-20T10:15:38Z",
        ] {
            assert_eq!(text(not), None, "{not}");
        }
    }

    #[test]
    fn numbers_are_read_by_their_size() {
        for exact in
            ["1795169738.123456", "1.795169738123456e9", "1795169738123.456", "1795169738123456", "1795169738123456000"]
        {
            assert_eq!(number_text(exact), Some((AT, true)), "{exact}");
        }
        assert_eq!(number_text("1795169738.1234560001"), Some((AT, false)));
        assert_eq!(number_text("0"), Some((0, true)));
        assert_eq!(number_text("-1.5"), Some((-1_500_000_000, true)));
        for not in ["1e400", "1e30", "99999999999999999999", "", "-", ".5", "1e-400", "NaN"] {
            assert_eq!(number_text(not), None, "{not}");
        }
    }

    proptest! {
        #[test]
        fn any_time_is_read_as_it_was_written(nanos in any::<i64>()) {
            let written = Timestamp::from_nanos(nanos).to_datetime();
            let text_of = written.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
            if let Some(read) = usual(text_of.as_bytes()) {
                prop_assert_eq!(read, nanos);
            }
            prop_assert_eq!(text(&text_of), Some((nanos, true)));
            prop_assert_eq!(of_units(nanos.into(), 0).map(|time| time.at.as_nanos()), Some(nanos));
        }

        #[test]
        fn the_usual_form_is_read_as_chrono_does(text in "(19[67]|20[0-3]|226)[0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z") {
            if let Some(nanos) = usual(text.as_bytes()) {
                let expected = chrono::DateTime::parse_from_rfc3339(&text).ok().and_then(|time| time.timestamp_nanos_opt());
                prop_assert_eq!(Some(nanos), expected, "{}", text);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(any in any::<String>(), like in "[0-9TZ:.,+ e-]{0,40}") {
            for any in [any, like] {
                let _ = (text(&any), number_text(&any));
            }
        }
    }
}
