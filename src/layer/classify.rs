//! Works out what is known of a call site, when it is met first and after each change of a filter, and applies it to new
//! spans.

use std::sync::Arc;

use tracing::Metadata;

use super::call_site::{Cache, CallSite, cached, empty_cache};
use super::core::Core;
use crate::context::{Node, SpanMoments, Timing, is_hidden};
use crate::filter::ID_FIELDS;
use crate::record::{Fields, REQUESTS, is_own, repeats_names};

thread_local! {
    static CALL_SITES: Cache = const { empty_cache() };
    /// Which outputs the events of a call site are held back from.
    static HELD_BACK: Cache = const { empty_cache() };
}

/// The fields of tracing-log's call sites.
const LOG_FIELDS: [&str; 5] = ["message", "log.target", "log.module_path", "log.file", "log.line"];

/// Returns whether a call site is one of tracing-log's, of any version: all records of the `log` crate share them. No macro
/// can imitate them, because its call sites have a place in the source.
fn is_of_log(meta: &Metadata<'_>) -> bool {
    let has_place = meta.file().is_some() || meta.line().is_some() || meta.module_path().is_some();
    meta.is_event()
        && !has_place
        && (meta.target(), meta.name()) == ("log", "log event")
        && meta.fields().iter().map(|field| field.name()).eq(LOG_FIELDS)
}

/// Returns whether a call site is of a span or a line of HTTP requests. A target can be chosen; the crate cannot.
fn is_of_requests(meta: &Metadata<'_>) -> bool {
    cfg!(feature = "tower") && meta.target() == REQUESTS && is_own(meta)
}

impl Core {
    /// Returns what is known of a call site.
    #[inline]
    pub(super) fn call_site(&self, meta: &'static Metadata<'static>) -> CallSite {
        cached(&CALL_SITES, self.filters.generation(), meta, || self.classify(meta))
    }

    /// Returns the outputs from which the events of a call site are held back.
    pub(super) fn held_back_mask(&self, meta: &'static Metadata<'static>) -> u64 {
        let look_up = || CallSite { outputs: self.filters.held_back_mask(meta.target(), *meta.level()), flags: 0 };
        cached(&HELD_BACK, self.filters.generation(), meta, look_up).outputs
    }

    #[cold]
    fn classify(&self, meta: &'static Metadata<'static>) -> CallSite {
        if self.registry.take_hidden() {
            self.outputs.complain("reload", || {
                "the layer is inside a wrapper such as `reload::Layer`, which hides it and its filter: other layers may \
                 lose events that this one does not take, `SpanExt` has no effect, and `propagate::context` finds \
                 nothing; add the layer itself to the registry, and change its filters with `Handle::set_filter`"
                    .to_owned()
            });
        }
        let names = |name: &str| meta.fields().iter().any(|field| field.name() == name);
        let is_log = is_of_log(meta);
        let is_hidden = is_hidden(meta);
        let names_trace = is_hidden || meta.is_span() && (names("trace_id") || names("traceparent"));
        let is_limited = meta.is_event() && self.limiter.as_ref().is_some_and(|all| all.limits(*meta.level()));
        let diagnostics =
            if meta.is_span() { self.span_flags(meta, is_hidden) } else { self.event_flags(meta, is_log) };
        let flags = u64::from(is_log) * CallSite::LOG
            + u64::from(names_trace) * CallSite::NAMES_TRACE
            + u64::from(is_limited) * CallSite::LIMITED
            + u64::from(is_hidden) * CallSite::HIDDEN
            + u64::from(is_hidden || is_of_requests(meta)) * CallSite::CARRIES_FIELDS
            + diagnostics
            + self.secret_fields(meta, is_log);
        let outputs = self.filters.mask(meta.target(), *meta.level());
        // Asked after the filters, which name a new output later than it is there.
        let have_changed = meta.is_event() && self.outputs.have_changed();
        CallSite { outputs, flags: flags + u64::from(have_changed) * CallSite::OUTPUTS_CHANGED }
    }

    fn span_flags(&self, meta: &Metadata<'_>, is_hidden: bool) -> u64 {
        let logs_span = !is_hidden && !self.span_moments(meta).is_empty();
        let has_id = || meta.fields().iter().any(|field| ID_FIELDS.contains(&field.name()));
        let names_request = self.diagnostics.held_lines.is_some() && (is_hidden || has_id());
        u64::from(logs_span) * CallSite::LOGS_SPAN
            + u64::from(names_request) * CallSite::NAMES_REQUEST
            + u64::from(self.filters.wants_span_inside(meta)) * CallSite::IN_CONTEXT
    }

    /// Returns the moments at which spans of a call site log a line.
    fn span_moments(&self, meta: &Metadata<'_>) -> SpanMoments {
        self.diagnostics.span_lines.as_ref().map_or_else(SpanMoments::default, |lines| lines.moments(meta))
    }

    /// `is_log`: each record of the call site carries its own target.
    fn event_flags(&self, meta: &Metadata<'static>, is_log: bool) -> u64 {
        let diagnostics = &self.diagnostics;
        let (target, level) = (meta.target(), *meta.level());
        let releases = diagnostics.release_at.is_some_and(|release| level <= release);
        let is_held_back = diagnostics.held_lines.is_some()
            && !releases
            && (is_log || self.filters.held_back_mask(target, level) != 0);
        let most = self.filters.mask_in_any(target, level);
        let is_in_context =
            most & !self.filters.mask(target, level) != 0 || (is_log && self.filters.has_level_in_context(level));
        u64::from(level <= diagnostics.backtrace) * CallSite::BACKTRACE
            + u64::from(is_in_context) * CallSite::IN_CONTEXT
            + u64::from(releases) * CallSite::RELEASES
            + u64::from(is_held_back) * CallSite::HELD_BACK
            + u64::from(repeats_names(meta)) * CallSite::REPEATS_NAMES
    }

    /// Returns a new span's node with the ids that the span has in another layer. `fields`: its captured fields.
    #[cold]
    pub(super) fn with_ids_of(&self, other: &Node, node: &Node, site: CallSite, fields: &[u8]) -> Arc<Node> {
        let names_trace = site.has(CallSite::NAMES_TRACE);
        let mut node = Node::with_ids_of(other, node.parent().cloned(), fields, names_trace);
        self.configure(&mut node, site, fields);
        node
    }

    /// Sets whether a new span names a request, and its clock. `fields`: its captured fields.
    #[cold]
    pub(super) fn configure(&self, node: &mut Arc<Node>, site: CallSite, fields: &[u8]) {
        let timing =
            site.has(CallSite::LOGS_SPAN).then(|| Timing::new(self.clock.elapsed(), self.span_moments(node.meta())));
        // A hidden span names a request only if one of its fields does.
        let is_id = |name: &str| ID_FIELDS.contains(&name);
        let names_request = site.has(CallSite::NAMES_REQUEST)
            && (!site.has(CallSite::HIDDEN)
                || Fields::new(fields).any(|(key, _)| key.name(node.meta()).is_some_and(is_id)));
        Node::configure(node, names_request, timing);
    }
}
