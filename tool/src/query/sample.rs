//! A part of the lines that were found.

use std::num::NonZeroU64;
use std::str::FromStr;

use crate::entry::{Entry, Part};
use crate::fnv::fnv1a;

/// How many of the lines are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    /// The first one, and each that comes this many lines behind the one taken last.
    Every(NonZeroU64),
    /// This share of the traces, from 0 to 1, and of the lines without one.
    Share(f64),
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sample = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(|percent: f64| Self::Share(percent / 100.0)),
            None => text.parse().ok().map(Self::Every),
        };
        sample
            .filter(|sample| !matches!(sample, Self::Share(share) if !(*share > 0.0 && *share <= 1.0)))
            .ok_or_else(|| "expected a number of lines, such as 100, or a share, such as 1%".to_owned())
    }
}

/// Takes a part of the lines that it is asked about.
#[derive(Debug)]
pub(crate) struct Sampler {
    sample: Sample,
    asked: u64,
    /// The share of the lines without an id that is still to be taken.
    owed: f64,
}

impl Sampler {
    pub(crate) fn new(sample: Sample) -> Self {
        Self { sample, asked: 0, owed: 0.0 }
    }

    /// Returns whether a line is taken. With a share, the lines of a trace are taken all, or none: their id decides, the same
    /// way on each run and in each log.
    pub(crate) fn takes(&mut self, entry: &Entry<'_>) -> bool {
        match self.sample {
            Sample::Every(lines) => {
                let is_taken = self.asked.is_multiple_of(lines.get());
                self.asked += 1;
                is_taken
            }
            Sample::Share(share) => match entry.text(Part::Trace).or_else(|| entry.text(Part::Request)) {
                Some(id) => fraction(&id) < share,
                None => {
                    self.owed += share;
                    let is_taken = self.owed >= 1.0;
                    self.owed -= if is_taken { 1.0 } else { 0.0 };
                    is_taken
                }
            },
        }
    }
}

/// Returns a number from 0 to 1 that is the same for an id in any case, and evenly spread over ids.
///
/// Source: the last steps of SplitMix64, as ids that are counted up differ in few bits.
fn fraction(id: &str) -> f64 {
    let hash = fnv1a(id.bytes().map(|byte| byte.to_ascii_lowercase()));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let hash = hash ^ (hash >> 31);
    // As many bits as a double has.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_spread_evenly() {
        for share in [0.01, 0.1, 0.5] {
            let taken = (0..100_000).filter(|id| fraction(&format!("{id:032x}")) < share).count() as f64;
            assert!((taken / 100_000.0 - share).abs() < 0.005, "{share}: {taken}");
        }
        assert!((fraction("ABC") - fraction("abc")).abs() < f64::EPSILON);
    }
}
