//! Which lines belong to the trace or the request that was asked for.

use std::collections::BTreeSet;

use super::line::{Ids, hex};

/// More traces of one request, and more requests of one trace, are not searched for.
const MAX_IDS: usize = 1000;

/// An id, and those that belong to it.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The id as it was given, which may be a request's.
    id: String,
    /// The same in lower case, for traces and spans.
    hex: String,
    pub(super) traces: BTreeSet<String>,
    pub(super) requests: BTreeSet<String>,
    /// Whether the id is that of a request, so that its lines in all traces belong to it.
    is_request: bool,
    is_trace: bool,
    /// Lines whose span, or whose parent, has the id.
    has_span: bool,
    /// Whether a line was seen that may belong to one of the ids that were learned after it.
    has_others: bool,
}

impl Wanted {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            hex: hex(id),
            traces: BTreeSet::new(),
            requests: BTreeSet::new(),
            is_request: false,
            is_trace: false,
            has_span: false,
            has_others: false,
        }
    }

    /// Learns from a line. Returns whether it has the id.
    pub(super) fn learn(&mut self, ids: &Ids) -> bool {
        let is_trace = ids.trace.as_ref() == Some(&self.hex);
        let is_request = ids.request.as_ref() == Some(&self.id);
        let is_span = ids.span.as_ref() == Some(&self.hex);
        let has_id = is_trace || is_request || is_span || ids.parent.as_ref() == Some(&self.hex);
        if !has_id {
            self.has_others |= ids.trace.is_some() || ids.request.is_some();
            return false;
        }
        self.is_trace |= is_trace;
        self.is_request |= is_request;
        self.has_span |= !is_trace && !is_request;
        add(&mut self.traces, ids.trace.as_ref());
        add(&mut self.requests, ids.request.as_ref());
        true
    }

    /// Returns whether the lines have to be read once more: some may belong to the ids that were learned.
    pub(super) fn needs_more(&self) -> bool {
        let is_only_trace = self.is_trace && self.traces.len() == 1 && self.requests.is_empty();
        let is_only_request = self.is_request && self.requests.len() == 1 && self.traces.is_empty();
        self.has_others && !is_only_trace && !is_only_request
    }

    /// Returns whether a line belongs to the trace, after all lines were learned from.
    pub(super) fn has(&self, ids: &Ids) -> bool {
        let is_in = |set: &BTreeSet<String>, id: &Option<String>| id.as_ref().is_some_and(|id| set.contains(id));
        let is_own = ids.request.as_ref() == Some(&self.id);
        is_own
            || is_in(&self.traces, &ids.trace)
            // A service that knows only the request's id.
            || ids.trace.is_none() && is_in(&self.requests, &ids.request)
            || ids.trace.is_none() && ids.request.is_none() && self.has_span && self.has_id_of_span(ids)
    }

    fn has_id_of_span(&self, ids: &Ids) -> bool {
        ids.span.as_ref() == Some(&self.hex) || ids.parent.as_ref() == Some(&self.hex)
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
    fn a_span_leads_to_its_trace() {
        let mut wanted = Wanted::new("5");
        wanted.learn(&ids("t", "", "5"));
        assert!(wanted.has(&ids("t", "", "6")) && !wanted.has(&ids("u", "", "5")));
    }
}
