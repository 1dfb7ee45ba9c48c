//! Clocks of services that differ.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::sample::Sample;
use crate::counted::plural;
use crate::loggers::time::NANOS;
use crate::stats::start;

/// How many services of one trace are compared.
const MAX_SERVICES: usize = 8;

/// How much of a service's name counts, in bytes.
const MAX_BYTES: usize = 64;

/// A smaller difference is no finding, in nanoseconds.
const LEAST: i64 = NANOS / 10;

/// How many traces have to show it.
const LEAST_TRACES: u64 = 3;

/// When each service has logged in a trace.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    traces: Sample<Vec<Lines>>,
}

/// The first and the last line of a service in a trace.
#[derive(Clone, Debug)]
struct Lines {
    service: String,
    first: i64,
    last: i64,
}

/// What all traces of two services allow: the first one calls the other, so that all lines of the other one are between its
/// first and its last. The difference that has to be added to the other's clock is in this range.
#[derive(Debug)]
struct Bounds {
    least: i64,
    most: i64,
    traces: u64,
}

impl Clocks {
    pub(super) fn add(&mut self, trace: &str, service: &str, time: i64) {
        if let Some(lines) = self.traces.get(trace) {
            see(lines, Lines { service: start(service, MAX_BYTES).to_owned(), first: time, last: time });
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.traces.merge(other.traces, |one, other| other.into_iter().for_each(|lines| see(one, lines)));
    }

    /// A difference is found if all traces of two services fit to one, and none fits to clocks that agree.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut pairs = BTreeMap::<(&str, &str), Bounds>::new();
        for lines in self.traces.values() {
            for caller in lines {
                for called in lines.iter().filter(|called| called.service != caller.service) {
                    let (least, most) =
                        (caller.first.saturating_sub(called.first), caller.last.saturating_sub(called.last));
                    let bounds = pairs.entry((&caller.service, &called.service)).or_insert(Bounds {
                        least: i64::MIN,
                        most: i64::MAX,
                        traces: 0,
                    });
                    bounds.least = bounds.least.max(least);
                    bounds.most = bounds.most.min(most);
                    bounds.traces += 1;
                }
            }
        }
        let finding = |((caller, called), bounds): (&(&str, &str), &Bounds)| {
            let is_possible = bounds.least <= bounds.most && bounds.traces >= LEAST_TRACES;
            let other = pairs.get(&(*called, *caller));
            // If the calls can go the other way with the same clocks, they do.
            let is_explained = other.is_some_and(|other| other.least <= 0 && other.most >= 0);
            let off = if bounds.least > 0 { bounds.least } else { bounds.most.min(0) };
            if !is_possible || is_explained || off.unsigned_abs() < LEAST.unsigned_abs() {
                return None;
            }
            let (ahead, seconds) =
                (if off < 0 { "ahead of" } else { "behind" }, off.unsigned_abs() as f64 / NANOS as f64);
            Some(Finding {
                kind: "clock",
                count: bounds.traces,
                text: format!(
                    "the clock of `{called}` is at least {seconds:.3} s {ahead} that of `{caller}`, if `{caller}` calls it: {} {}",
                    bounds.traces,
                    plural(bounds.traces, "trace agrees", "traces agree")
                ),
                advice: "synchronise the clocks of their machines",
                example: None,
            })
        };
        pairs.iter().filter_map(finding).collect()
    }
}

fn see(all: &mut Vec<Lines>, lines: Lines) {
    if let Some(known) = all.iter_mut().find(|known| known.service == lines.service) {
        known.first = known.first.min(lines.first);
        known.last = known.last.max(lines.last);
    } else if all.len() < MAX_SERVICES {
        all.push(lines);
    }
}
