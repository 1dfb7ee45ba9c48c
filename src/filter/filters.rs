//! The filters of one layer, and what tracing asks them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::ArcSwap;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level, Metadata, dispatcher};

use super::call_sites::{self, Parent, Wanted};
use super::callsite_filter::CallsiteFilter;
use super::compiled::removed;
use super::directives::Directives;
use super::filter_set::{FilterSet, check_bound};
use crate::complaint::Complaints;
use crate::context::{Node, epoch, is_hidden};
use crate::error::Error;
use crate::sync;

/// Spans with one of these fields pass on an id.
pub(crate) const ID_FIELDS: [&str; 3] = ["request_id", "trace_id", "traceparent"];

/// The filters of one layer, shared with its handles.
#[derive(Debug)]
pub(crate) struct Filters {
    filters: ArcSwap<FilterSet>,
    generation: AtomicU64,
    /// Changes with the directives for events inside some spans, and with grants; zero without any.
    context_stamp: AtomicU64,
    /// Whether this layer serves the `log` crate, whose level then follows.
    serves_log: AtomicBool,
    /// Whether the layer has been told that it is in a registry.
    is_installed: AtomicBool,
    /// Says why the layer logs nothing.
    complaints: Arc<Complaints>,
}

/// Numbers the generations of all layers, so that a result cached for one layer never serves another.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns a new stamp for the answers that spans remember.
fn context_stamp(filters: &FilterSet) -> u64 {
    if filters.has_context() { next_generation() } else { 0 }
}

/// Allows one change at a time. Of two concurrent rebuilds, the one with the older result could be the last to store it.
pub(crate) fn hold_changes() -> MutexGuard<'static, ()> {
    static CHANGING: Mutex<()> = Mutex::new(());
    sync::lock(&CHANGING)
}

impl Filters {
    pub(crate) fn new(filters: FilterSet, complaints: Arc<Complaints>) -> Self {
        let context_stamp = AtomicU64::new(context_stamp(&filters));
        Self {
            filters: ArcSwap::from_pointee(filters),
            generation: AtomicU64::new(next_generation()),
            context_stamp,
            serves_log: false.into(),
            is_installed: false.into(),
            complaints,
        }
    }

    /// Must be called when the layer is added to a registry.
    pub(crate) fn set_installed(&self) {
        self.is_installed.store(true, Ordering::Relaxed);
    }

    /// Returns whether the layer was added to a registry; complains if not. A registry that asks it all the same gives it
    /// no id for its filter, without which tracing-subscriber cannot call it: its debug builds panic.
    pub(super) fn is_installed(&self) -> bool {
        let is_installed = self.is_installed.load(Ordering::Relaxed);
        if !is_installed {
            self.complaints.say_once(
                "reload",
                "nothing is logged: `reload::Handle::reload` has put the layer into a registry that exists already, \
                 which gives its filter no id; add the layer when the registry is built, with `with(layer)`, and change \
                 its filters with `Guard::handle` and `Handle::set_filter`",
            );
        }
        is_installed
    }

    /// Returns a number that changes with each change of a filter. It is unique among all layers of the process.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns the filters in force.
    pub(crate) fn current(&self) -> Arc<FilterSet> {
        self.filters.load_full()
    }

    /// Returns the outputs that want events of this target and level, one bit for each.
    pub(crate) fn mask(&self, target: &str, level: Level) -> u64 {
        self.filters.load().mask(target, level)
    }

    /// Returns the outputs that would want such events inside the spans of all directives.
    pub(crate) fn mask_in_any(&self, target: &str, level: Level) -> u64 {
        self.filters.load().mask_in_any(target, level)
    }

    /// Returns whether a directive lets events of this level pass inside some spans, of any target.
    pub(crate) fn has_level_in_context(&self, level: Level) -> bool {
        self.filters.load().has_level_in_context(level)
    }

    /// Returns the outputs that want such events inside `node`.
    #[cold]
    pub(crate) fn mask_in(&self, target: &str, level: Level, node: &Node) -> u64 {
        self.filters.load().mask_in(target, level, node)
    }

    /// Returns whether a directive names the span or one around it, or detail was granted to either. The span remembers
    /// the answer.
    #[inline]
    pub(crate) fn matches(&self, node: &Node) -> bool {
        // A new one is stored after the new filters.
        let stamp = self.context_stamp.load(Ordering::Acquire);
        if stamp == 0 {
            return false;
        }
        // Neither decreases, so the sum is new when the filters or any recorded values are.
        node.is_inside_remembered(stamp + epoch(), |node| {
            node.is_granted() || self.filters.load().in_context().any(|directive| directive.matches(node))
        })
    }

    /// Returns the outputs from which events of this target and level are held back, one bit for each.
    pub(crate) fn held_back_mask(&self, target: &str, level: Level) -> u64 {
        self.filters.load().held_back_mask(target, level)
    }

    /// Returns the most verbose level of which some event is written or held back.
    pub(crate) fn max_event_level(&self) -> LevelFilter {
        self.filters.load().max_event_level()
    }

    /// Returns the most verbose level of which some span is seen.
    pub(super) fn max_span_level(&self) -> LevelFilter {
        self.filters.load().max_span_level()
    }

    /// Returns a complaint about levels that a filter asks for and that are not compiled in.
    pub(crate) fn removed(&self) -> Option<String> {
        let asked = self.max_event_level();
        let of_tracing = removed("tracing", asked, tracing::level_filters::STATIC_MAX_LEVEL);
        #[cfg(feature = "log")]
        let of_tracing = of_tracing.or_else(|| {
            let compiled = tracing_log::AsTrace::as_trace(&log::STATIC_MAX_LEVEL);
            self.serves_log.load(Ordering::Relaxed).then(|| removed("log", asked, compiled)).flatten()
        });
        of_tracing
    }

    /// Returns whether events of this target and level are written or held back.
    #[cfg(feature = "log")]
    pub(crate) fn wants_events(&self, target: &str, level: Level) -> bool {
        self.filters.load().wants_events(target, level)
    }

    /// Checks that an event passes both a new filter of an output and the output's upper bound.
    ///
    /// # Errors
    /// None does.
    pub(crate) fn check_bound(&self, output: usize, own: &Directives) -> Result<(), Error> {
        check_bound(Some(own), self.filters.load().below.get(output).copied().flatten())
    }

    /// Returns whether hidden spans are seen, which have no target and no level of a program.
    pub(crate) fn sees_hidden_spans(&self) -> bool {
        self.filters.load().sees_any_span()
    }

    /// Returns whether spans with an id field, of this target and level, are seen.
    #[cfg(feature = "tower")]
    pub(crate) fn sees_requests(&self, target: &str, level: Level) -> bool {
        self.filters.load().sees_span(target, level, true)
    }

    /// Returns when the layer wants to see the call site.
    pub(super) fn wants(&self, meta: &Metadata<'_>) -> Wanted {
        let filters = self.filters.load();
        let (target, level) = (meta.target(), *meta.level());
        let (always, inside) = if !meta.is_span() {
            (filters.is_wanted(target, level), filters.mask_in_any(target, level) != 0)
        } else if is_hidden(meta) {
            (filters.sees_any_span(), false)
        } else {
            let has_id = || meta.fields().iter().any(|field| ID_FIELDS.contains(&field.name()));
            let always = filters.sees_span(target, level, has_id()) || filters.names_span(meta);
            (always, filters.sees_span_in_any(target, level))
        };
        match (always, inside) {
            (true, _) => Wanted::Always,
            // Nothing follows that the layer could decide about.
            (false, true) if call_sites::is_question(meta) => Wanted::Always,
            (false, true) => Wanted::Inside,
            (false, false) => Wanted::Never,
        }
    }

    /// Returns whether spans of this call site are seen only inside others.
    pub(crate) fn wants_span_inside(&self, meta: &Metadata<'_>) -> bool {
        self.wants(meta) == Wanted::Inside
    }

    /// Returns whether such a span is seen inside `node`.
    pub(crate) fn sees_span_in(&self, meta: &Metadata<'_>, node: &Node) -> bool {
        self.filters.load().sees_span_in(meta.target(), *meta.level(), node)
    }

    /// Remembers where what a call site makes belongs to. `is_contextual`: in the current span.
    pub(crate) fn learn_parent(&self, meta: &'static Metadata<'static>, is_contextual: bool) {
        let parent = if is_contextual { Parent::Current } else { Parent::Named };
        call_sites::remember_parent(self.generation(), meta, parent);
    }

    /// Changes filters for all events that begin after this returns.
    pub(crate) fn change(&self, change: impl Fn(&mut FilterSet)) {
        let _changing = hold_changes();
        self.filters.rcu(|filters| {
            let mut filters = FilterSet::clone(filters);
            change(&mut filters);
            Arc::new(filters)
        });
        self.context_stamp.store(context_stamp(&self.filters.load()), Ordering::Release);
        self.generation.store(next_generation(), Ordering::Release);
        self.rebuild_interests();
        if self.serves_log.load(Ordering::Relaxed) {
            self.serve_log();
        }
    }

    /// Makes tracing ask again which call sites are wanted.
    fn rebuild_interests(&self) {
        let is_ours = |current: &Dispatch| {
            current
                .downcast_ref::<CallsiteFilter>()
                .is_some_and(|filter| std::ptr::eq(Arc::as_ptr(&filter.filters), self))
        };
        if !dispatcher::get_default(is_ours) {
            // While the process has only one subscriber, tracing asks the calling thread's. If the layer is installed for a
            // scope on another thread, this thread has none, which would silence every call site. Once a second
            // subscriber has been registered, tracing asks all of them.
            drop(Dispatch::new(NoSubscriber::new()));
        }
        tracing::callsite::rebuild_interest_cache();
    }

    /// Sets the most verbose level of which the `log` crate makes records, now and after each change.
    pub(crate) fn serve_log(&self) {
        self.serves_log.store(true, Ordering::Relaxed);
        #[cfg(feature = "log")]
        log::set_max_level(tracing_log::AsLog::as_log(&self.max_event_level()));
    }
}
