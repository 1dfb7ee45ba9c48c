//! Events that are asked for more than a line: repeats are limited, a backtrace goes with them, they are held back or
//! release what was.
//!
//! One bit of what is known of a call site leads here; all others know nothing of it.

use std::cell::Cell;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::limit::Passed;
use super::{
    CallSite, Core, KIND_BACKTRACE, KIND_CLOSES, KIND_HIDDEN, KIND_HOLDS, KIND_LIMITED, KIND_LOG, KIND_NAMES_REQUEST,
    KIND_RELEASES, Known, Layer, NO_CALL_SITE, PLACES,
};
use crate::context::{Node, Timing, is_hidden};
use crate::filter::ID_FIELDS;
use crate::held::{HeldLine, Store};
use crate::queue::{Head, Push, Pushed};
use crate::record::Fields;

/// What a log does beyond lines for events.
#[derive(Debug)]
pub(crate) struct Extras {
    /// Events at and above this level carry a backtrace.
    pub(crate) backtrace: LevelFilter,
    /// Spans that pass have a line when they close.
    pub(crate) closes: Option<Targets>,
    /// Where lines are held back.
    pub(crate) held: Option<Arc<Store>>,
    /// Events at and above this level release them.
    pub(crate) release_at: Option<Level>,
}

thread_local! {
    /// Which outputs a call site's events are held back from: as the cache of those that want them.
    static HELD: [Cell<CallSite>; PLACES] = const { [const { Cell::new(NO_CALL_SITE) }; PLACES] };
}

impl Core {
    /// What a call site is asked for, as bits of its kind. `is_log`: its records have targets of their own.
    pub(super) fn special_kind(&self, meta: &Metadata<'_>, is_log: bool) -> u64 {
        let extras = &self.extras;
        let (target, level) = (meta.target(), *meta.level());
        if meta.is_span() {
            let closes = extras.closes.as_ref().is_some_and(|closes| closes.would_enable(target, &level));
            let closes = closes && !is_hidden(meta);
            let has_id = || meta.fields().iter().any(|field| ID_FIELDS.contains(&field.name()));
            let named = extras.held.is_some() && (is_hidden(meta) || has_id());
            return u64::from(closes) * KIND_CLOSES + u64::from(named) * KIND_NAMES_REQUEST;
        }
        let releases = extras.release_at.is_some_and(|release| level <= release);
        let holds = extras.held.is_some() && !releases && (is_log || self.filters.held_mask(target, level) != 0);
        u64::from(level <= extras.backtrace) * KIND_BACKTRACE
            + u64::from(releases) * KIND_RELEASES
            + u64::from(holds) * KIND_HOLDS
    }

    /// Sets what is asked of a new span. `fields`: what was captured of it.
    #[cold]
    pub(super) fn ask(&self, node: &mut Arc<Node>, kind: u64, fields: &[u8]) {
        let timing = (kind & KIND_CLOSES != 0).then(|| Timing::new(self.clock.elapsed()));
        // Of a hidden span only its fields tell.
        let is_id = |name: &str| ID_FIELDS.contains(&name);
        let names_request = kind & KIND_NAMES_REQUEST != 0
            && (kind & KIND_HIDDEN == 0
                || Fields::new(fields).any(|(key, _)| key.name(node.meta()).is_some_and(is_id)));
        Node::ask(node, names_request, timing);
    }

    /// Pushes an event of which more is asked, and what it releases before it.
    #[inline(never)]
    pub(super) fn push_special(&self, kind: u64, mask: u64, push: Push<'_>) -> u64 {
        let (Some(store), Some(node)) = (&self.extras.held, push.context) else { return self.push(mask, push) };
        let released = if kind & KIND_RELEASES == 0 { 0 } else { self.release(store, node, mask, push.may_wait) };
        let to_deliver = released | self.push(mask, push);
        // The log's own threads have rules of their own.
        if kind & KIND_HOLDS != 0 && push.may_wait {
            self.hold_back(store, node, &push);
        }
        to_deliver
    }

    /// Pushes what the request of `node` has held back from the outputs in `mask`.
    pub(super) fn release(&self, store: &Store, node: &Arc<Node>, mask: u64, may_wait: bool) -> u64 {
        let request = node.request();
        let mut to_deliver = 0;
        if let Some(mut taken) = request.holds().then(|| store.take(request, mask)).flatten() {
            for (line, bound) in taken.lines() {
                let head = Head::Event { meta: line.meta, is_log: line.is_log };
                let push = Push { head, time: line.time, bytes: line.bytes, context: None, may_wait };
                for (bit, lane) in self.lanes.iter().enumerate().filter(|(bit, _)| (line.mask & mask) >> bit & 1 == 1) {
                    let pushed = lane.queue.push_held_back(push, bound);
                    to_deliver |= u64::from(pushed == Pushed::DeliverYourself) << bit;
                }
            }
        }
        to_deliver
    }

    fn hold_back(&self, store: &Store, node: &Arc<Node>, push: &Push<'_>) {
        let Head::Event { meta, is_log } = push.head else { return };
        let mask = if is_log {
            self.filters.held_mask(self.log_target(meta, push.bytes), *meta.level())
        } else {
            self.held_mask(meta)
        };
        if mask == 0 {
            return;
        }
        self.lanes_in(mask).for_each(|lane| lane.queue.hold_back(*meta.level()));
        let line = HeldLine { meta, is_log, time: push.time, bytes: push.bytes, mask };
        store.hold(node, &line, &mut |level, mask| self.lanes_in(mask).for_each(|lane| lane.queue.evict(level)));
    }

    /// The outputs from which a call site's events are held back.
    fn held_mask(&self, meta: &'static Metadata<'static>) -> u64 {
        let look = || Known { mask: self.filters.held_mask(meta.target(), *meta.level()), kind: 0 };
        self.cached(&HELD, meta, look).mask
    }
}

impl Layer {
    #[inline(never)]
    pub(super) fn log_special<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: Known)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let is_unheld = || event.is_root() || (event.is_contextual() && registry.current_span().id().is_none());
        if site.mask == 0 && site.kind & KIND_LOG == 0 && is_unheld() {
            return;
        }
        let passed = match &core.limiter {
            Some(limiter) if site.kind & KIND_LIMITED != 0 => core.judge(limiter, event, site),
            _ => Some(Passed { time: core.clock.now(), keep: None }),
        };
        if let Some(passed) = passed {
            self.log(event, registry, site, Some(passed));
        }
    }
}
