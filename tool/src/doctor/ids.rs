//! Services most of whose lines have an id, and some have none.

use std::collections::BTreeMap;

use super::finding::{Finding, Seen};
use crate::counted::{counted, plural};
use crate::entry::{Entry, Part};
use crate::loggers::LineLevel;
use crate::scan::Place;
use crate::stats::Names;

/// How many warnings and errors of a service have ids.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<String, Counts>);

#[derive(Debug, Default)]
struct Counts {
    with: u64,
    without: Seen,
}

impl Ids {
    pub(super) fn add(&mut self, entry: &Entry<'_>, place: Place, service: &str, services: &Names) {
        if entry.level().is_none_or(|level| level < LineLevel::Warn) {
            return;
        }
        if !self.0.contains_key(service) {
            if !services.admits(service) {
                return;
            }
            self.0.insert(service.to_owned(), Counts::default());
        }
        let Some(counts) = self.0.get_mut(service) else { return };
        match entry.part(Part::Request).or_else(|| entry.part(Part::Trace)) {
            Some(_) => counts.with += 1,
            None => counts.without.add(place, entry.line()),
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (service, counts) in other.0 {
            let known = self.0.entry(service).or_default();
            known.with += counts.with;
            known.without.merge(counts.without);
        }
    }

    pub(super) fn findings(self) -> Vec<Finding> {
        let finding = |(service, counts): (String, Counts)| {
            // Where few lines have one, the service has no requests.
            let is_usual = counts.with > counts.without.count;
            let (with, without) = (counts.with, counts.without.count);
            let service = if service.is_empty() { "-" } else { &service };
            let text = format!(
                "{} of the service `{service}` {} no request_id and no trace_id; {with} {} one",
                counted(without, "warning or error", "warnings and errors"),
                plural(without, "has", "have"),
                plural(with, "has", "have"),
            );
            counts
                .without
                .finding("missing_id", text, "carry the context into threads and tasks: docs/context.md")
                .filter(|_| is_usual)
        };
        self.0.into_iter().filter_map(finding).collect()
    }
}
