//! The time that a line begins with. What is rendered of it is reused for the whole second.

use super::time_format::TimeFormat;
use crate::record::Timestamp;

/// What follows the time in a JSON object.
pub(super) const QUOTE: &str = "\"";

/// The head of a line, with its time.
#[derive(Debug)]
pub(super) struct ClockText {
    head: String,
    /// What follows the time.
    tail: &'static str,
    format: TimeFormat,
    /// When the second of `text` begins.
    second: Option<i64>,
    text: Vec<u8>,
    /// Where the digits of the part of a second are in `text`; empty if it is rendered for each line.
    digits: std::ops::Range<usize>,
}

const NANOS: i64 = 1_000_000_000;

impl ClockText {
    /// `head`: what precedes the time, including an opening quote. `tail`: what follows it. A number has no quotes.
    pub(super) fn new(mut head: String, mut tail: &'static str, format: TimeFormat) -> Self {
        if format.is_number() && tail == QUOTE {
            head.truncate(head.trim_end_matches('"').len());
            tail = "";
        }
        Self { head, tail, format, second: None, text: Vec::new(), digits: 0..0 }
    }

    /// Returns head, time and tail.
    #[inline]
    pub(super) fn text(&mut self, time: Timestamp) -> &[u8] {
        let nanos = time.as_nanos();
        let since = |second: i64| nanos.checked_sub(second).filter(|since| (0..NANOS).contains(since));
        let since = match self.second.and_then(since) {
            Some(since) => since,
            None => self.begin_second(time),
        } as u32;
        match self.text.get_mut(self.digits.clone()) {
            Some([a, b, c, d, e, f]) => {
                let micros = since / 1_000;
                [*a, *b] = pair(micros / 10_000);
                [*c, *d] = pair(micros / 100 % 100);
                [*e, *f] = pair(micros % 100);
            }
            Some([a, b, c, rest @ ..]) => {
                let millis = since / 1_000_000;
                ([*a, *b], *c) = (pair(millis / 10), b'0' + (millis % 10) as u8);
                if let [d, e, f, g, h, i] = rest {
                    let nanos = since % 1_000_000;
                    [*d, *e] = pair(nanos / 10_000);
                    [*f, *g] = pair(nanos / 100 % 100);
                    [*h, *i] = pair(nanos % 100);
                }
            }
            _ => {}
        }
        &self.text
    }

    /// Renders another second. Returns how many nanoseconds of it have passed.
    #[cold]
    fn begin_second(&mut self, time: Timestamp) -> i64 {
        let since = time.as_nanos().rem_euclid(NANOS);
        let Self { head, tail, format, .. } = self;
        let Some((before, after)) = format.of_second(time) else {
            self.text = format!("{head}{}{tail}", format.whole(time)).into_bytes();
            (self.second, self.digits) = (None, 0..0);
            return since;
        };
        let start = head.len() + before.len();
        self.text = format!("{head}{before}{:0<1$}{after}{tail}", "", format.decimals()).into_bytes();
        self.digits = start..start + format.decimals();
        // The earliest second begins before the earliest timestamp, so its start is unknown: each line renders it again.
        self.second = time.as_nanos().checked_sub(since);
        since
    }
}

/// Returns the two digits of a number below 100.
#[inline]
fn pair(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::schema::Rfc3339;

    fn text(format: impl Into<TimeFormat>, nanos: i64) -> String {
        let mut clock = ClockText::new("{\"time\":\"".to_owned(), QUOTE, format.into());
        String::from_utf8(clock.text(Timestamp::from_nanos(nanos)).to_vec()).unwrap()
    }

    const NOW: i64 = 1_795_169_738_123_456_789;

    #[test]
    fn texts_have_quotes_and_numbers_have_none() {
        assert_eq!(text(Rfc3339::millis(), NOW), "{\"time\":\"2026-11-20T10:15:38.123Z\"");
        assert_eq!(text(Rfc3339::micros(), NOW), "{\"time\":\"2026-11-20T10:15:38.123456Z\"");
        assert_eq!(text(Rfc3339::nanos(), NOW), "{\"time\":\"2026-11-20T10:15:38.123456789Z\"");
        assert_eq!(text(TimeFormat::EpochSeconds, NOW), "{\"time\":1795169738.123456");
        assert_eq!(text(TimeFormat::EpochMillis, NOW), "{\"time\":1795169738123");
        assert_eq!(text(TimeFormat::EpochMicros, NOW), "{\"time\":1795169738123456");
        assert_eq!(text(TimeFormat::EpochNanos, NOW), "{\"time\":1795169738123456789");
        let indian = Rfc3339::millis().offset_minutes(330).unwrap();
        assert_eq!(text(indian, NOW), "{\"time\":\"2026-11-20T15:45:38.123+05:30\"");
        let error = Rfc3339::millis().offset_minutes(-1440).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("-1440"), "{error}");
    }

    /// Numbers before the first second have no leading zeros, and those before 1970 count down.
    #[test]
    fn numbers_near_1970_are_json_numbers() {
        for (nanos, seconds, millis) in [
            (0, "0.000000", "0"),
            (5_000_000, "0.005000", "5"),
            (-1, "-0.000001", "-1"),
            (-1_500_000_000, "-1.500000", "-1500"),
        ] {
            assert_eq!(text(TimeFormat::EpochSeconds, nanos), format!("{{\"time\":{seconds}"));
            assert_eq!(text(TimeFormat::EpochMillis, nanos), format!("{{\"time\":{millis}"));
            assert_eq!(text(TimeFormat::EpochNanos, nanos), format!("{{\"time\":{nanos}"));
        }
    }

    proptest! {
        /// The text of a second is reused, whatever times follow each other.
        #[test]
        fn every_time_reads_back(times in proptest::collection::vec(prop_oneof![any::<i64>(), NOW..NOW + 3 * NANOS, -NANOS..2 * NANOS], 1..20)) {
            let offset = FixedOffset::west_opt(5400).unwrap();
            let west = Rfc3339::nanos().offset_minutes(-90).unwrap();
            let clock = |format: TimeFormat| ClockText::new(String::new(), "", format);
            let mut clocks = [
                TimeFormat::EpochNanos, TimeFormat::EpochMicros, TimeFormat::EpochMillis, TimeFormat::EpochSeconds,
                Rfc3339::millis().into(), Rfc3339::nanos().into(), west.into(),
            ].map(clock);
            for nanos in times {
                let time = Timestamp::from_nanos(nanos);
                let utc: DateTime<Utc> = time.to_datetime();
                let expected = [
                    nanos.to_string(),
                    nanos.div_euclid(1_000).to_string(),
                    nanos.div_euclid(1_000_000).to_string(),
                    format!("{:.6}", nanos.div_euclid(1_000) as f64 / 1e6),
                    utc.to_rfc3339_opts(SecondsFormat::Millis, true),
                    utc.to_rfc3339_opts(SecondsFormat::Nanos, true),
                    utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Nanos, false),
                ];
                for (place, (clock, expected)) in clocks.iter_mut().zip(expected).enumerate() {
                    let text = String::from_utf8(clock.text(time).to_vec()).unwrap();
                    // A float has not all digits of distant times.
                    if place == 3 {
                        prop_assert!((text.parse::<f64>().unwrap() - expected.parse::<f64>().unwrap()).abs() < 2e-6);
                    } else {
                        prop_assert_eq!(text, expected);
                    }
                }
            }
        }
    }
}
