//! Which lines belong to the trace or the request that was asked for.

use std::collections::BTreeSet;

use super::line::{Ids, MAX_ID_BYTES, hex};
use crate::query::{Needle, trace_forms};
use crate::stats::start;

/// More traces of one request, and more requests of one trace, are not searched for.
const MAX_IDS: usize = 1000;

/// An id, and those that belong to it.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The id as it was given, which may be a request's.
    id: String,
    /// The same in lower case, for traces and spans, and as hex digits.
    hex: Vec<String>,
    /// Finds it in lines; without one, any line may have it.
    needle: Option<Needle>,
    pub(super) traces: BTreeSet<String>,
    pub(super) requests: BTreeSet<String>,
    /// Whether the id is that of a request, so that its lines in all traces belong to it.
    is_request: bool,
    is_trace: bool,
    /// Whether a line was seen that may belong to one of the ids that were learned after it.
    has_others: bool,
}

impl Wanted {
    pub(super) fn new(id: &str) -> Self {
        let forms: Vec<_> = trace_forms(id).map(|form| hex(&form)).collect();
        Self {
            id: start(id, MAX_ID_BYTES).to_owned(),
            needle: Needle::of_ids([id].into_iter().chain(forms.iter().map(String::as_str))),
            hex: forms,
            traces: BTreeSet::new(),
            requests: BTreeSet::new(),
            is_request: false,
            is_trace: false,
            has_others: false,
        }
    }

    /// Returns whether the bytes of a line can have the id. If not, the line need not be looked at.
    pub(super) fn may_be_in(&self, line: &[u8]) -> bool {
        self.needle.as_ref().is_none_or(|needle| needle.is_in(line))
    }

    /// Returns the id in the forms that lines have it in.
    pub(super) fn ids(&self) -> Vec<String> {
        [self.id.clone()].into_iter().chain(self.hex.iter().cloned()).collect()
    }

    /// Returns the id, and those that were learned.
    pub(super) fn all_ids(&self) -> Vec<String> {
        self.ids().into_iter().chain(self.traces.iter().cloned()).chain(self.requests.iter().cloned()).collect()
    }

    /// Takes note of a line that does not have the id.
    pub(super) fn pass_over(&mut self) {
        self.has_others = true;
    }

    /// Learns from a line. Returns whether it has the id.
    pub(super) fn learn(&mut self, ids: &Ids) -> bool {
        let is_hex = |id: &Option<String>| id.as_ref().is_some_and(|id| self.hex.contains(id));
        let is_trace = is_hex(&ids.trace);
        let is_request = ids.request.as_ref() == Some(&self.id);
        let has_id = is_trace || is_request || is_hex(&ids.span) || is_hex(&ids.parent);
        if !has_id {
            self.pass_over();
            return false;
        }
        self.is_trace |= is_trace;
        self.is_request |= is_request;
        add(&mut self.traces, ids.trace.as_ref());
        add(&mut self.requests, ids.request.as_ref());
        true
    }

    /// Returns whether the lines have to be read once more: some may belong to the ids that were learned.
    pub(super) fn needs_more(&self) -> bool {
        let is_only_trace = self.is_trace && self.traces.len() == 1 && self.requests.is_empty();
        let is_only_request = self.is_request && self.requests.len() == 1 && self.traces.is_empty();
        let is_only_span = self.traces.is_empty() && self.requests.is_empty();
        self.has_others && !is_only_trace && !is_only_request && !is_only_span
    }

    /// Returns whether a line belongs to the trace, after all lines were learned from.
    pub(super) fn has(&self, ids: &Ids) -> bool {
        let is_in = |set: &BTreeSet<String>, id: &Option<String>| id.as_ref().is_some_and(|id| set.contains(id));
        let is_own = ids.request.as_ref() == Some(&self.id);
        is_own
            || is_in(&self.traces, &ids.trace)
            // A service that knows only the request's id.
            || ids.trace.is_none() && is_in(&self.requests, &ids.request)
    }
}

fn add(set: &mut BTreeSet<String>, id: Option<&String>) {
    if let Some(id) = id
        && set.len() < MAX_IDS
        && !set.contains(id)
    {
        set.insert(id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(trace: &str, request: &str, span: &str) -> Ids {
        let id = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ids { trace: id(trace), request: id(request), span: id(span), parent: None }
    }

    #[test]
    fn lines_of_the_traces_of_a_request_belong_to_it() {
        let mut wanted = Wanted::new("r-1");
        assert!(wanted.learn(&ids("t", "r-1", "1")) && !wanted.learn(&ids("t", "", "2")));
        assert!(wanted.needs_more());
        for (line, is) in [
            (ids("t", "", "2"), true),
            (ids("u", "r-1", ""), true),
            (ids("", "r-1", ""), true),
            (ids("u", "", ""), false),
            (ids("", "r-2", ""), false),
            (ids("", "", "1"), false),
        ] {
            assert_eq!(wanted.has(&line), is, "{line:?}");
        }
    }

    #[test]
    fn lines_with_only_the_request_of_a_trace_belong_to_it_and_its_other_traces_do_not() {
        let mut wanted = Wanted::new("T");
        wanted.learn(&ids("t", "r-1", ""));
        assert!(wanted.has(&ids("", "r-1", "")) && !wanted.has(&ids("u", "r-1", "")));
    }

    #[test]
    fn no_line_with_the_id_is_passed_over() {
        let wanted = Wanted::new("4BF92f3577b34da6a3ce929d0e0e4736");
        for line in [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "projects/p/traces/4BF92F3577B34DA6A3CE929D0E0E4736",
            "\"dd.trace_id\":\"11803532876627986230\"",
            "\\u0034bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            assert!(wanted.may_be_in(line.as_bytes()), "{line}");
        }
        assert!(!wanted.may_be_in(b"4bf92f3577b34da6a3ce929d0e0e4737"));
        assert!(Wanted::new("a.c").may_be_in(b"xA.c") && !Wanted::new("a.c").may_be_in(b"abc"));
        assert!(Wanted::new("gr\u{f6}\u{df}e").may_be_in("x gr\u{f6}\u{df}e".as_bytes()));
    }

    #[test]
    fn a_span_leads_to_its_trace() {
        let mut wanted = Wanted::new("5");
        wanted.learn(&ids("t", "", "5"));
        assert!(wanted.has(&ids("t", "", "6")) && !wanted.has(&ids("u", "", "5")));
    }
}
