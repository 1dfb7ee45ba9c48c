//! The time that a line begins with. What is rendered of it is reused for the whole second.

use crate::record::Timestamp;

/// What most lines begin with.
const HEAD: &str = "{\"timestamp\":\"";

/// The head of a line, with its time in RFC 3339 with six decimals.
#[derive(Debug)]
pub(super) struct ClockText {
    head: String,
    /// When the second of `text` begins.
    second: Option<i64>,
    text: Vec<u8>,
}

const NANOS: i64 = 1_000_000_000;

impl ClockText {
    /// `head`: what precedes the time, including its opening quote.
    pub(super) fn new(head: impl Into<String>) -> Self {
        Self { head: head.into(), second: None, text: Vec::new() }
    }

    /// Returns head, time and closing quote.
    #[inline]
    pub(super) fn text(&mut self, time: Timestamp) -> &[u8] {
        let nanos = time.as_nanos();
        let since = |second: i64| nanos.checked_sub(second).filter(|since| (0..NANOS).contains(since));
        let since = match self.second.and_then(since) {
            Some(since) => since,
            None => self.begin_second(time),
        };
        let micros = since as u32 / 1000;
        if let Some([a, b, c, d, e, f, _, _]) = self.text.last_chunk_mut::<8>() {
            [*a, *b] = pair(micros / 10_000);
            [*c, *d] = pair(micros / 100 % 100);
            [*e, *f] = pair(micros % 100);
        }
        &self.text
    }

    /// Renders another second. Returns how many nanoseconds of it have passed.
    #[cold]
    fn begin_second(&mut self, time: Timestamp) -> i64 {
        let since = time.as_nanos().rem_euclid(NANOS);
        let text = format!("{}{}000000Z\"", self.head, time.to_datetime().format("%Y-%m-%dT%H:%M:%S."));
        // The earliest second begins before the earliest timestamp, so its start is unknown: each line renders it again.
        (self.second, self.text) = (time.as_nanos().checked_sub(since), text.into_bytes());
        since
    }
}

/// Returns the two digits of a number below 100.
#[inline]
fn pair(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

impl Default for ClockText {
    fn default() -> Self {
        Self::new(HEAD)
    }
}
