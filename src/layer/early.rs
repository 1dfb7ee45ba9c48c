//! Events before the log exists: they are kept in bounded memory, and delivered once there are outputs.
//!
//! A process has one global subscriber, so what is installed early has to be what serves the log later. An [`EarlyLayer`]
//! captures spans and events with a core without outputs. [`EarlyLayer::complete`] pushes what was kept, and from then on
//! passes all callbacks to the log's layer. That one finds the nodes of spans that were opened before, because both cores
//! have the same serial.
//!
//! Before: `builder` installs it. After: `outputs`.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::call_site::CallSite;
use super::core::{Core, log_target};
use super::layer::Layer;
#[cfg(feature = "log")]
use super::log_values;
use crate::context::{Bound, Node, epoch};
use crate::filter::{CallsiteFilter, Filters, FindNode};
use crate::fork::{AtFork, Paused, Rank};
use crate::metrics::Reason;
use crate::queue::{Head, Push};
use crate::record::Timestamp;
use crate::sync;

/// Losses are told apart by this many targets and levels. What else is lost counts for no target.
const MAX_LOSSES: usize = 64;

/// A layer that keeps events until there is a log. Clones are the same layer.
#[derive(Clone)]
pub(crate) struct EarlyLayer(Arc<Slot>);

/// The layer's two phases.
struct Slot {
    early: Layer,
    late: OnceLock<Layer>,
    kept: Mutex<Kept>,
    max_bytes: usize,
    subscriber: OnceLock<WeakDispatch>,
}

/// What is kept.
#[derive(Default)]
struct Kept {
    lines: Vec<EarlyLine>,
    bytes: usize,
    losses: Vec<EarlyLoss>,
}

struct EarlyLine {
    meta: &'static Metadata<'static>,
    is_log: bool,
    time: Timestamp,
    fields: Box<[u8]>,
    context: Option<Bound>,
}

/// Lines for which there was no room.
struct EarlyLoss {
    target: Box<str>,
    level: Level,
    lines: u64,
    first: Timestamp,
    last: Timestamp,
}

/// The event came when the log had just taken over.
struct TooLate;

impl Kept {
    /// Whether a line of this level and cost has no room: the less severe levels leave room for the others.
    fn refuses(&self, level: Level, cost: usize, max_bytes: usize) -> bool {
        let limit = match level {
            Level::TRACE | Level::DEBUG => max_bytes / 2,
            Level::INFO => max_bytes / 5 * 4,
            _ => max_bytes,
        };
        self.bytes + cost > limit
    }

    fn lose(&mut self, target: &str, level: Level, time: Timestamp) {
        let target = if self.losses.len() < MAX_LOSSES { target } else { "" };
        match self.losses.iter_mut().find(|loss| &*loss.target == target && loss.level == level) {
            Some(loss) => {
                loss.lines += 1;
                (loss.first, loss.last) = (loss.first.min(time), loss.last.max(time));
            }
            None => self.losses.push(EarlyLoss { target: target.into(), level, lines: 1, first: time, last: time }),
        }
    }
}

impl EarlyLayer {
    /// Keeps up to `max_bytes`. `core` has no outputs, and filters that let everything pass.
    pub(crate) fn new(core: Core, max_bytes: usize) -> Self {
        Self(Arc::new(Slot {
            early: Layer::new(Arc::new(core)),
            late: OnceLock::new(),
            kept: Mutex::default(),
            max_bytes,
            subscriber: OnceLock::new(),
        }))
    }

    /// Returns the filter that hides from the layer what the log does not want. `filters`: those of the log.
    pub(crate) fn call_site_filter(&self, filters: &Arc<Filters>) -> CallsiteFilter {
        CallsiteFilter::new(filters, Arc::clone(&self.0.early.core) as Arc<dyn FindNode>)
    }

    /// Returns the serial that the core of the log needs.
    pub(crate) fn serial(&self) -> u64 {
        self.0.early.core.serial
    }

    /// Returns the layer of the log, once there is one.
    pub(super) fn late(&self) -> Option<&Layer> {
        self.0.late.get()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.late().is_some()
    }

    /// Makes a fork wait while lines are added. The child begins without them.
    pub(crate) fn register_for_forks(&self) {
        crate::fork::register(&self.0);
    }

    /// Pushes what was kept, and passes everything that follows to `layer`.
    pub(crate) fn complete(&self, layer: Layer) {
        let slot = &self.0;
        let core = Arc::clone(&layer.core);
        core.registry.set_type::<Registry>();
        if let Some(subscriber) = slot.subscriber.get().and_then(WeakDispatch::upgrade) {
            core.registry.set_subscriber(&subscriber);
        }
        let mut kept = sync::lock(&slot.kept);
        let mut to_deliver = 0;
        for outputs in std::mem::take(&mut *kept).push(&core) {
            to_deliver |= outputs;
        }
        // Threads that log now wait for the lock, so the lines of each thread stay in order.
        let _ = slot.late.set(layer);
        drop(kept);
        core.outputs.first().deliver(to_deliver);
    }

    /// Captures an event, and keeps it if there is room.
    fn keep<S>(&self, event: &Event<'_>, registry: &Context<'_, S>) -> Result<(), TooLate>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (slot, core) = (&self.0, &self.0.early.core);
        let meta = event.metadata();
        let site = core.call_site(meta);
        let is_log = site.has(CallSite::LOG);
        core.capture_line(
            |capture| {
                core.capture(site, 0, capture, |visitor| event.record(visitor));
                #[cfg(feature = "log")]
                if is_log {
                    log_values::add(core, site, meta, capture);
                }
                if site.has(CallSite::REPEATS_NAMES) {
                    capture.tell_names_apart(meta);
                }
            },
            |fields| {
                let time = core.clock.now();
                slot.early.with_node(event, registry, |node| slot.add(meta, is_log, time, fields, node))
            },
        )
    }
}

impl Kept {
    /// Pushes all lines to the outputs that want them. Returns, for each, the outputs that the caller has to deliver.
    fn push<'a>(self, core: &'a Core) -> impl Iterator<Item = u64> + 'a {
        for EarlyLoss { target, level, lines, first, last } in self.losses {
            // Where the target is not known, each output may have wanted the lines.
            let mask = if target.is_empty() { u64::MAX } else { core.filters.mask(&target, level) };
            core.outputs.first().count(mask, |lane, is_first| {
                lane.queue.refuse(Reason::QueueFull, level, 1, first, is_first);
                lane.queue.refuse(Reason::QueueFull, level, lines - 1, last, is_first);
            });
        }
        self.lines.into_iter().map(|EarlyLine { meta, is_log, time, fields, context }| {
            let target = if is_log { log_target(meta, &fields) } else { meta.target() };
            let mask = core.filters.mask(target, *meta.level());
            core.outputs.first().count(mask, |lane, is_first| lane.queue.hold_back(*meta.level(), is_first));
            let head = Head::Event { meta, is_log };
            let push = Push { head, time, bytes: &fields, context: None, may_wait: false };
            core.outputs.first().push_by(mask, |lane, _| lane.queue.push_held_back(push, context.as_ref()))
        })
    }
}

impl Slot {
    fn add(
        &self,
        meta: &'static Metadata<'static>,
        is_log: bool,
        time: Timestamp,
        fields: &[u8],
        node: Option<&Arc<Node>>,
    ) -> Result<(), TooLate> {
        let mut cost = size_of::<EarlyLine>() + fields.len();
        let mut next = node;
        while let Some(node) = next {
            cost += node.bytes();
            next = node.parent();
        }
        let context = node.map(|node| Bound::new(node, epoch(), None));
        let mut kept = sync::lock(&self.kept);
        if self.late.get().is_some() {
            return Err(TooLate);
        }
        let level = *meta.level();
        if kept.refuses(level, cost, self.max_bytes) {
            kept.lose(if is_log { log_target(meta, fields) } else { meta.target() }, level, time);
        } else {
            kept.bytes += cost;
            kept.lines.push(EarlyLine { meta, is_log, time, fields: fields.into(), context });
        }
        Ok(())
    }
}

impl<S> tracing_subscriber::Layer<S> for EarlyLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.0.early.core.registry.set_type::<S>();
    }

    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        tracing_subscriber::Layer::<S>::on_register_dispatch(&self.0.early, subscriber);
        let _ = self.0.subscriber.set(subscriber.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Context<'_, S>) {
        self.layer().on_new_span(attributes, id, registry);
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, registry: Context<'_, S>) {
        self.layer().on_record(id, values, registry);
    }

    fn on_enter(&self, id: &Id, registry: Context<'_, S>) {
        self.layer().on_enter(id, registry);
    }

    fn on_exit(&self, id: &Id, registry: Context<'_, S>) {
        self.layer().on_exit(id, registry);
    }

    fn on_close(&self, id: Id, registry: Context<'_, S>) {
        self.layer().on_close(id, registry);
    }

    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        if self.late().is_none() && self.keep(event, &registry).is_ok() {
            return;
        }
        if let Some(late) = self.late() {
            late.on_event(event, registry);
        }
    }
}

impl EarlyLayer {
    /// Returns the layer that serves now.
    fn layer(&self) -> &Layer {
        self.late().unwrap_or(&self.0.early)
    }
}

impl Layer {
    /// Returns the layer of a subscriber, also if it was installed before the log.
    pub(crate) fn of(subscriber: &Dispatch) -> Option<&Self> {
        let early = || subscriber.downcast_ref::<EarlyLayer>().map(EarlyLayer::layer);
        subscriber.downcast_ref::<Self>().or_else(early)
    }
}

/// In a child, the kept lines are the parent's.
impl AtFork for Slot {
    fn rank(&self) -> Rank {
        Rank::EarlyLines
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut kept = sync::lock(&self.kept);
        Box::new(move || *kept = Kept::default())
    }
}

impl fmt::Debug for EarlyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyLayer").field("is_complete", &self.is_complete()).finish_non_exhaustive()
    }
}
