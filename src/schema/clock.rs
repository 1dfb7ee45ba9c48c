//! The time that a line begins with. What is rendered of it is reused for the whole second.

use crate::record::Timestamp;

/// What most lines begin with.
const HEAD: &str = "{\"timestamp\":\"";

/// The head of a line, with its time in RFC 3339 with six decimals.
#[derive(Debug)]
pub(super) struct ClockText {
    head: &'static str,
    second: Option<i64>,
    text: Vec<u8>,
}

const NANOS: i64 = 1_000_000_000;

impl ClockText {
    /// `head`: what precedes the time, including its opening quote.
    pub(super) fn new(head: &'static str) -> Self {
        Self { head, second: None, text: Vec::new() }
    }

    /// Returns head, time and closing quote.
    #[inline]
    pub(super) fn text(&mut self, time: Timestamp) -> &[u8] {
        let (second, nanos) = (time.as_nanos().div_euclid(NANOS), time.as_nanos().rem_euclid(NANOS));
        if self.second != Some(second) {
            let text = format!("{}{}000000Z\"", self.head, time.to_datetime().format("%Y-%m-%dT%H:%M:%S."));
            (self.second, self.text) = (Some(second), text.into_bytes());
        }
        let mut micros = nanos as u32 / 1000;
        if let Some([digits @ .., _, _]) = self.text.last_chunk_mut::<8>() {
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (micros % 10) as u8;
                micros /= 10;
            }
        }
        &self.text
    }
}

impl Default for ClockText {
    fn default() -> Self {
        Self::new(HEAD)
    }
}
