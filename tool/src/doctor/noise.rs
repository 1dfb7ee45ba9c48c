//! The call sites that write most.

use std::collections::HashMap;

use crate::entry::{Entry, Part};
use crate::stats::start;

/// When there are more call sites, those that have written least are forgotten.
const MAX_SITES: usize = 16 << 10;

/// How many call sites are named.
const NAMED: usize = 5;

/// A call site, and how much it has written.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) target: String,
    /// The beginning of its messages, with `#` in place of words that have digits.
    pub(crate) message: String,
    pub(crate) lines: u64,
    /// Its share of all bytes.
    pub(crate) share: f64,
}

/// How much each call site has written. Lines of the same target and message are of one.
#[derive(Debug, Default)]
pub(super) struct Noise {
    sites: HashMap<(String, String), (u64, u64)>,
    bytes: u64,
}

impl Noise {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let bytes = entry.line().len() as u64 + 1;
        self.bytes += bytes;
        let text = |part| entry.text(part).unwrap_or_default();
        let (target, message) = (text(Part::Target), text(Part::Message));
        let key = (start(&target, MAX_BYTES).to_owned(), without_values(&message));
        if let Some((lines, sum)) = self.sites.get_mut(&key) {
            *lines += 1;
            *sum += bytes;
            return;
        }
        if self.sites.len() >= MAX_SITES {
            self.forget();
        }
        self.sites.insert(key, (1, bytes));
    }

    /// Forgets at least half of the call sites.
    fn forget(&mut self) {
        let mut sizes: Vec<u64> = self.sites.values().map(|(_, bytes)| *bytes).collect();
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable(middle);
        let median = *median;
        self.sites.retain(|_, (_, bytes)| *bytes > median);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.bytes += other.bytes;
        for (key, (lines, bytes)) in other.sites {
            let known = self.sites.entry(key).or_default();
            known.0 += lines;
            known.1 += bytes;
        }
    }

    /// Returns those that write most.
    pub(super) fn noisiest(self) -> Vec<Site> {
        let all = self.bytes.max(1) as f64;
        let mut sites: Vec<_> = self.sites.into_iter().collect();
        sites.sort_by(|one, other| other.1.1.cmp(&one.1.1).then_with(|| one.0.cmp(&other.0)));
        let site = |((target, message), (lines, bytes)): ((String, String), (u64, u64))| Site {
            target,
            message,
            lines,
            share: bytes as f64 / all,
        };
        sites.into_iter().take(NAMED).map(site).collect()
    }
}

/// How much of a message tells call sites apart, in bytes.
const MAX_BYTES: usize = 80;

/// Returns the beginning of a message with `#` in place of words that have digits, which most often are values.
fn without_values(message: &str) -> String {
    let mut shape = String::with_capacity(MAX_BYTES);
    for part in start(message, MAX_BYTES).split_inclusive(|char: char| !char.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            shape.push('#');
            shape.push_str(part.get(word.len()..).unwrap_or_default());
        } else {
            shape.push_str(part);
        }
    }
    shape
}
