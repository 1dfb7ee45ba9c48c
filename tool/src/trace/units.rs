//! Durations and times for people.

use chrono::Local;
use spanline::record::Timestamp;

/// Returns a duration with three digits, such as `14.5 ms`.
pub(super) fn duration(nanos: i64, micro: &str) -> String {
    let digits = |value: f64, unit: &str| {
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.decimals$} {unit}")
    };
    let value = nanos as f64;
    match nanos.unsigned_abs() {
        0 => "0".to_owned(),
        1..1_000 => format!("{nanos} ns"),
        1_000..999_500 => digits(value / 1e3, micro),
        999_500..999_500_000 => digits(value / 1e6, "ms"),
        999_500_000..60_000_000_000 => digits(value / 1e9, "s"),
        60_000_000_000..3_600_000_000_000 => {
            let seconds = nanos / 1_000_000_000;
            format!("{} m {} s", seconds / 60, seconds % 60)
        }
        3_600_000_000_000..172_800_000_000_000 => {
            let minutes = nanos / 60_000_000_000;
            format!("{} h {} m", minutes / 60, minutes % 60)
        }
        _ => format!("{} d {} h", nanos / 86_400_000_000_000, nanos / 3_600_000_000_000 % 24),
    }
}

/// Returns a part of a whole, such as `21 %`.
pub(super) fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0 %".to_owned();
    }
    format!("{:.0} %", part as f64 / whole as f64 * 100.0)
}

/// Returns a time of this machine's zone, with its offset.
pub(super) fn local_time(nanos: i64) -> String {
    let time = Timestamp::from_nanos(nanos).to_datetime().with_timezone(&Local);
    time.format("%Y-%m-%d %H:%M:%S%.6f %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (nanos, text) in [
            (0, "0"),
            (999, "999 ns"),
            (1_500, "1.50 µs"),
            (14_463_000, "14.5 ms"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_996_000, "10.0 ms"),
            (2_310_000_000, "2.31 s"),
            (72_000_000_000, "1 m 12 s"),
            (7_260_000_000_000, "2 h 1 m"),
            (i64::MAX, "106751 d 23 h"),
        ] {
            assert_eq!(duration(nanos, "µs"), text);
        }
        assert_eq!(share(1, 3), "33 %");
    }
}
