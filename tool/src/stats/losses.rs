//! The lines that a log reports as lost.

use std::collections::BTreeMap;

use super::names::short_name;
use crate::entry::{Entry, Part, Path};

/// More are not told apart.
const MAX_REASONS: usize = 256;

/// Lost lines by service and reason, as the library reports them: a line of the target `spanline` with a number `dropped`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses(BTreeMap<(String, String), u64>);

impl Losses {
    /// Adds what an entry of the target `spanline` reports, if it does.
    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let number = |name: &str| Path::new(name).value(entry)?.number()?.as_count();
        let Some(lines) = number("dropped") else { return };
        let reason = Path::new("reason").value(entry).map(|reason| short_name(&reason.shown()).to_owned());
        let service = entry.text(Part::Service).map(|service| short_name(&service).to_owned());
        let key = (service.unwrap_or_default(), reason.unwrap_or_default());
        if self.0.len() < MAX_REASONS || self.0.contains_key(&key) {
            add(self.0.entry(key).or_default(), lines);
        } else {
            add(self.0.entry(Default::default()).or_default(), lines);
        }
    }

    /// Returns service, reason and number of lines.
    pub(crate) fn merge(all: Vec<Self>) -> Vec<(String, String, u64)> {
        let mut sum = BTreeMap::<_, u64>::new();
        for (key, lines) in all.into_iter().flat_map(|one| one.0) {
            add(sum.entry(key).or_default(), lines);
        }
        sum.into_iter().map(|((service, reason), lines)| (service, reason, lines)).collect()
    }
}

/// A log may say anything.
fn add(sum: &mut u64, lines: u64) {
    *sum = sum.saturating_add(lines);
}
