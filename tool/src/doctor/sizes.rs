//! Lines that are too long for readers.

use super::finding::{Finding, Seen};
use crate::counted::counted;
use crate::entry::Entry;
use crate::scan::Place;

/// What some readers take at most, in bytes, the smallest first.
///
/// Sources: Docker's json-file driver splits at 16 KiB; Splunk's `TRUNCATE` and Loki's `max_line_size` by default; CloudWatch's
/// `PutLogEvents`; this tool.
const LIMITS: [(usize, &str); 5] = [
    (10_000, "Splunk cuts them (TRUNCATE)"),
    (16 << 10, "Docker splits them"),
    (256 << 10, "Loki refuses them (max_line_size)"),
    ((1 << 20) - 26, "CloudWatch refuses them"),
    (1 << 20, "this tool reads only their first MiB"),
];

/// How many lines are above each limit.
#[derive(Debug, Default)]
pub(super) struct Sizes([Seen; LIMITS.len()]);

impl Sizes {
    pub(super) fn add(&mut self, place: Place, entry: &Entry<'_>) {
        let line = entry.line();
        for ((limit, _), seen) in LIMITS.iter().zip(&mut self.0) {
            // Of a longer line, only this much is here.
            let is_above = line.len() > *limit || entry.is_cut() && line.len() == *limit;
            if !is_above {
                return;
            }
            seen.add(place, line);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(one, other)| one.merge(other));
    }

    pub(super) fn findings(self) -> Vec<Finding> {
        let finding = |((limit, why), seen): (&(usize, &str), Seen)| {
            let text = format!("{} longer than {limit} bytes: {why}", counted(seen.count, "line", "lines"));
            seen.finding("long_line", text, "log less, or set `Output::max_line_bytes`")
        };
        LIMITS.iter().zip(self.0).filter_map(finding).collect()
    }
}
