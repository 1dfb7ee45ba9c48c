//! The time a line begins with: what is rendered of it serves for the whole second.

use crate::record::Timestamp;

/// Where most lines begin.
const HEAD: &str = "{\"timestamp\":\"";

/// The head of a line, with its time in RFC 3339 and six decimals.
#[derive(Debug)]
pub(super) struct ClockText {
    head: &'static str,
    second: Option<i64>,
    text: Vec<u8>,
}

const NANOS: i64 = 1_000_000_000;

impl ClockText {
    /// `head`: what stands before the time, its opening quote included.
    pub(super) fn new(head: &'static str) -> Self {
        Self { head, second: None, text: Vec::new() }
    }

    /// Head, time and closing quote.
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
