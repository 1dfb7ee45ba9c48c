//! Requests that have begun, and have no line that says how they ended.

use super::finding::{Example, Finding};
use super::sample::Sample;
use crate::counted::counted;
use crate::entry::{Entry, Part};
use crate::query::Expression;
use crate::scan::Place;

/// A request that has logged this short a time before the last line may still be under way, in seconds.
const MAY_GO_ON: i64 = 60;

/// The requests that were met.
#[derive(Debug, Default)]
pub(super) struct Requests {
    requests: Sample<Request>,
}

#[derive(Debug, Default)]
struct Request {
    has_end: bool,
    /// The second of its last line, and that line.
    last: Option<(i64, Example)>,
}

impl Requests {
    pub(super) fn add(&mut self, entry: &Entry<'_>, place: Place, second: Option<i64>, end: &Expression) {
        let Some(id) = entry.text(Part::Request) else { return };
        let Some(request) = self.requests.get(&id) else { return };
        request.has_end |= end.is_met(entry);
        if !request.has_end
            && let Some(second) = second
        {
            request.see(second, Example::new(place, entry.line()));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.requests.merge(other.requests, |one, other| {
            one.has_end |= other.has_end;
            if let Some((second, example)) = other.last {
                one.see(second, example);
            }
        });
    }

    /// `newest`: the second of the last line of all.
    pub(super) fn findings(&self, newest: i64) -> Option<Finding> {
        let ended = self.requests.values().filter(|request| request.has_end).count() as u64;
        // Without any end, the services do not log it.
        if ended == 0 {
            return None;
        }
        let is_open = |request: &&Request| {
            !request.has_end && request.last.as_ref().is_some_and(|(second, _)| newest - second > MAY_GO_ON)
        };
        let open: Vec<_> = self.requests.values().filter(is_open).collect();
        let weight = self.requests.weight();
        let (count, ended) = (open.len() as u64 * weight, ended * weight);
        let about = if weight > 1 { "about " } else { "" };
        (count > 0).then(|| Finding {
            kind: "request_without_end",
            count,
            text: format!("{about}{} without a line that says how they ended, {ended} with one", counted(count, "request", "requests")),
            advice: "look for requests that hang or were cancelled, and for processes that were killed; `--end` describes such lines",
            example: open.into_iter().filter_map(|request| request.last.as_ref()).map(|(_, example)| example).min().cloned(),
        })
    }
}

impl Request {
    fn see(&mut self, second: i64, example: Example) {
        if self.last.as_ref().is_none_or(|(last, _)| *last < second) {
            self.last = Some((second, example));
        }
    }
}
