//! Times in which a service has logged nothing.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::counted::counted;
use crate::loggers::time::NANOS;
use crate::stats::{Names, Timeline, span_text, time_text};

/// A time is a gap if it is this many times as long as the usual one between lines.
const UNUSUAL: i64 = 20;

/// The lines of each service over time.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeMap<String, Timeline>);

impl Silence {
    pub(super) fn add(&mut self, service: &str, second: i64, services: &Names) {
        if let Some(timeline) = self.0.get_mut(service) {
            timeline.add(second, None);
        } else if services.admits(service) {
            self.0.entry(service.to_owned()).or_default().add(second, None);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (service, timeline) in other.0 {
            self.0.entry(service).or_default().merge(timeline);
        }
    }

    /// `least`: what is no gap, in seconds.
    pub(super) fn findings(&self, least: i64) -> Vec<Finding> {
        let finding = |(service, timeline): (&String, &Timeline)| {
            let gaps = timeline.gaps();
            let mut lengths: Vec<i64> = gaps.iter().map(|gap| gap.seconds).collect();
            lengths.sort_unstable();
            let usual = *lengths.get(lengths.len() / 2)?;
            let longest = gaps.iter().max_by_key(|gap| gap.seconds)?;
            if longest.seconds < least || lengths.len() > 1 && longest.seconds < usual.saturating_mul(UNUSUAL) {
                return None;
            }
            let count = gaps.iter().filter(|gap| gap.seconds >= least).count() as u64;
            let service = if service.is_empty() { "-" } else { service };
            Some(Finding {
                kind: "gap",
                count,
                text: format!(
                    "the service `{service}` has logged nothing for {} from {} on, and {} for {} or longer",
                    span_text(longest.seconds.saturating_mul(NANOS)),
                    time_text(longest.from),
                    counted(count, "time", "times"),
                    span_text(least.saturating_mul(NANOS)),
                ),
                advice: "look for a restart, a stall, or files that are missing here",
                example: None,
            })
        };
        self.0.iter().filter_map(finding).collect()
    }
}
