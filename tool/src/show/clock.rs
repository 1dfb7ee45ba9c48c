//! Times for people.

use std::io::Write;

use chrono::{Local, TimeZone, Utc};
use clap::ValueEnum;
use spanline::record::Timestamp;

const SECOND: i64 = 1_000_000_000;

/// Which time a line begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Times {
    /// The date and the time of day
    #[default]
    Absolute,
    /// How long ago it was
    Relative,
    /// The time since the line before
    Delta,
    /// The time since the first line
    Start,
    None,
}

/// The zone of absolute times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Zone {
    /// That of this machine
    #[default]
    Local,
    Utc,
}

/// Writes the times of lines, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clock {
    times: Times,
    zone: Zone,
    now: i64,
    /// The times of the first line and of the last one.
    ends: Option<(i64, i64)>,
    /// The second of the last line, and its text. Lines of the same second share it.
    second: Option<i64>,
    text: String,
}

impl Clock {
    pub(super) fn new(times: Times, zone: Zone) -> Self {
        let now = Timestamp::now().as_nanos();
        Self { times, zone, now, ends: None, second: None, text: String::new() }
    }

    /// Returns whether lines have a time at all.
    pub(super) fn is_shown(&self) -> bool {
        self.times != Times::None
    }

    /// Writes the time of the next line.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, nanos: i64) {
        let (first, last) = self.ends.unwrap_or((nanos, nanos));
        self.ends = Some((first, nanos));
        match self.times {
            Times::Absolute => self.put_absolute(out, nanos),
            Times::Relative => put_ago(out, self.now.saturating_sub(nanos)),
            Times::Delta => put_seconds(out, nanos.saturating_sub(last)),
            Times::Start => put_seconds(out, nanos.saturating_sub(first)),
            Times::None => {}
        }
    }

    /// Writes a time with its date and microseconds.
    fn put_absolute(&mut self, out: &mut Vec<u8>, nanos: i64) {
        let second = nanos.div_euclid(SECOND);
        if self.second != Some(second) {
            let time = Timestamp::from_nanos(nanos).to_datetime();
            self.text = match self.zone {
                Zone::Local => text(&time.with_timezone(&Local)),
                Zone::Utc => text(&time.with_timezone(&Utc)),
            };
            self.second = Some(second);
        }
        out.extend_from_slice(self.text.as_bytes());
        put_micros(out, nanos.rem_euclid(SECOND) / 1000);
    }
}

fn text<Z: TimeZone<Offset: std::fmt::Display>>(time: &chrono::DateTime<Z>) -> String {
    time.format("%Y-%m-%d %H:%M:%S.").to_string()
}

/// Writes the six digits of microseconds.
fn put_micros(out: &mut Vec<u8>, micros: i64) {
    let mut divisor = 100_000;
    while divisor > 0 {
        // Its remainder has one digit.
        out.push(b'0' + u8::try_from(micros / divisor % 10).unwrap_or(0));
        divisor /= 10;
    }
}

/// Writes a difference in seconds, `+0.000123`.
fn put_seconds(out: &mut Vec<u8>, nanos: i64) {
    let sign = if nanos < 0 { '-' } else { '+' };
    let nanos = nanos.unsigned_abs();
    let seconds = format!("{sign}{}", nanos / SECOND.unsigned_abs());
    let _ = write!(out, "{seconds:>5}.{:06}", nanos % SECOND.unsigned_abs() / 1000);
}

/// Writes how long ago a time was, `3d04h ago`.
fn put_ago(out: &mut Vec<u8>, nanos: i64) {
    let seconds = (nanos / SECOND).unsigned_abs();
    let span = match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    };
    let text = if nanos < 0 { format!("in {span}") } else { format!("{span} ago") };
    let _ = write!(out, "{text:>11}");
}
