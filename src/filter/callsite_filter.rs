//! What tracing asks the filters: which call sites are seen, always or at this moment.
//!
//! A call site may be wanted only inside the spans of a directive, or of a request that was granted detail. If the filter
//! is that of a whole registry, tracing asks each time, and the current span decides before an event or a span is made. A
//! filter of one layer lets all of them pass, and the layer decides: tracing-subscriber keeps the answer for a layer until
//! the next event, which may be another one, logged by an expression among the fields.

use std::fmt::Debug;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::Id;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};

use super::call_sites::{self, Known, Parent, Wanted};
use super::filters::Filters;
use super::grants::follow_grants;
use super::here::Moment;
use crate::context::Node;

/// Finds the nodes of spans for the filter of a layer.
pub(crate) trait FindNode: Debug + Send + Sync {
    /// Passes on the node of a span, or of the nearest one around it that has one.
    fn find(&self, span: &Id, run: &mut dyn FnMut(&Node));
}

/// Hides what no output wants: as a filter from its layer, without silencing other layers; as a layer from the whole
/// registry.
#[derive(Debug)]
pub(crate) struct CallsiteFilter {
    pub(crate) filters: Arc<Filters>,
    nodes: Arc<dyn FindNode>,
}

impl CallsiteFilter {
    /// `nodes`: those of the layer.
    pub(crate) fn new(filters: &Arc<Filters>, nodes: Arc<dyn FindNode>) -> Self {
        follow_grants(filters);
        Self { filters: Arc::clone(filters), nodes }
    }

    /// Returns whether the call site is wanted now. `current`: returns the current span.
    #[inline]
    fn is_wanted_now(&self, meta: &Metadata<'_>, current: impl Fn() -> Option<Id>) -> bool {
        let generation = self.filters.generation();
        let known = call_sites::known(generation, meta).unwrap_or_else(|| self.look_up(generation, meta));
        match known {
            Known { wanted: Wanted::Inside, parent: Parent::Current } => {
                let moment = Moment::now(generation);
                moment.answer().unwrap_or_else(|| self.find_out(moment, current()))
            }
            // The layer decides. One that is unknown is let through once, which tells.
            Known { wanted: Wanted::Inside, .. } => true,
            Known { wanted, .. } => wanted == Wanted::Always,
        }
    }

    #[cold]
    fn look_up(&self, generation: u64, meta: &Metadata<'_>) -> Known {
        // Records of `log` are in the current span.
        let parent = if call_sites::is_static(meta) { Parent::Unknown } else { Parent::Current };
        let known = Known { wanted: self.filters.wants(meta), parent };
        call_sites::remember(generation, meta, known);
        known
    }

    /// Returns whether the current span is inside one that a directive or a grant names.
    #[cold]
    fn find_out(&self, moment: Moment, current: Option<Id>) -> bool {
        let mut is_inside = false;
        if let Some(current) = current {
            self.nodes.find(&current, &mut |node| is_inside = self.filters.matches(node));
        }
        moment.remember(is_inside);
        is_inside
    }

    fn max_level(&self) -> LevelFilter {
        self.filters.max_event_level().max(self.filters.max_span_level())
    }
}

impl<S> Filter<S> for CallsiteFilter {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.filters.wants(meta) != Wanted::Never
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        match self.filters.is_installed() && self.filters.wants(meta) != Wanted::Never {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.filters.is_installed() { self.max_level() } else { LevelFilter::OFF })
    }
}

impl<S: Subscriber> Layer<S> for CallsiteFilter {
    fn enabled(&self, meta: &Metadata<'_>, registry: Context<'_, S>) -> bool {
        self.is_wanted_now(meta, || registry.current_span().id().cloned())
    }

    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        match self.filters.wants(meta) {
            Wanted::Always => Interest::always(),
            Wanted::Inside => Interest::sometimes(),
            Wanted::Never => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level())
    }
}
