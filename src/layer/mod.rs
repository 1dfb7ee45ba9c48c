//! tracing's callbacks → records. All of it runs on the thread that logs.
//!
//! For an event: look up which outputs want it (cached by call site), capture its fields into a scratch buffer that
//! belongs to the thread, find the current span's node in the registry, read the clock, push to each output's queue.
//! The user's code (`Debug`, `Display`) runs during the capture alone, when no lock and no thread-local is held.

mod call_site;
mod close;
mod current;
mod limit;
#[cfg(feature = "log")]
mod log_values;
#[cfg(feature = "opentelemetry")]
mod otel;
mod panics;
mod recent;
mod secrets;
mod special;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Dispatch, Event, Metadata, Span, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::context::{IdSource, Node, Timing};
use crate::filter::Filters;
use crate::limit::Limiter;
use crate::metrics::Reason;
use crate::queue::{Head, Push, Pushed};
use crate::record::{Capture, Clock, Fields, Scratch, Value, backtrace};
use crate::redact::Rules;
use crate::worker::{self, Lane};

use call_site::{
    CallSite, KIND_BACKTRACE, KIND_CLOSES, KIND_HIDDEN, KIND_HOLDS, KIND_LIMITED, KIND_LOG, KIND_NAMES_REQUEST,
    KIND_NAMES_TRACE, KIND_RELEASES, KIND_SPECIAL, Known, NO_CALL_SITE, PLACES, SECRET_FIELDS,
};
pub(crate) use current::with_current;
use limit::Passed;
#[cfg(feature = "log")]
pub(crate) use log_values::with_log_values;
#[cfg(feature = "opentelemetry")]
pub(crate) use otel::Otel;
pub(crate) use panics::{is_looking, listen, log_panic};
pub(crate) use special::Extras;

/// Renders spans and events as lines, through its outputs: made by [`Builder::build`](crate::Builder::build).
///
/// It has no type parameters and sits on any registry. Call sites that no output wants are kept from it by a
/// per-layer filter, so that other layers in the same registry are not silenced.
pub struct Layer {
    core: Arc<Core>,
}

/// Where a layer has been put.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Finds a span's nodes in the registry it sits on, whose type is known only when it is put there.
    find: OnceLock<Find>,
    /// The subscriber it is a part of.
    subscriber: OnceLock<WeakDispatch>,
}

/// Shows the nodes of a span, then those of the spans around it, until it is enough.
type Find = fn(&Dispatch, &Id, &mut dyn FnMut(&Id, Option<&Nodes>) -> bool);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("outputs", &self.core.lanes.len()).finish_non_exhaustive()
    }
}

/// What a layer, its guard and its handles share.
#[derive(Debug)]
pub(crate) struct Core {
    /// Unique in the process: tells the nodes of several layers in one registry apart.
    pub(crate) serial: u64,
    pub(crate) lanes: Vec<Arc<Lane>>,
    pub(crate) filters: Arc<Filters>,
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    /// Captured texts of one record are cut to this in all.
    pub(crate) max_record_bytes: usize,
    pub(crate) wants_thread: bool,
    /// Limits of repeats, where there are any.
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// Whether the ids are those of OpenTelemetry.
    #[cfg(feature = "opentelemetry")]
    pub(crate) otel: Option<Otel>,
    /// Which values are not captured, where there are any.
    pub(crate) redact: Option<Arc<Rules>>,
    pub(crate) extras: Extras,
    pub(crate) place: Place,
}

/// A span's nodes, one for each layer in the registry: usually one. The registry drops them when the span closes.
#[derive(Debug, Default)]
struct Nodes(SmallVec<[(u64, Arc<Node>); 1]>);

impl Drop for Nodes {
    fn drop(&mut self) {
        self.0.iter().for_each(|(_, node)| node.end());
    }
}

impl Nodes {
    #[inline]
    fn of(&self, core: u64) -> Option<&Arc<Node>> {
        self.0.iter().find(|(serial, _)| *serial == core).map(|(_, node)| node)
    }
}

fn node_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, core: u64) -> Option<Arc<Node>> {
    span.extensions().get::<Nodes>()?.of(core).cloned()
}

impl Core {
    pub(crate) fn next_serial() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    fn lanes_in(&self, mask: u64) -> impl Iterator<Item = &Arc<Lane>> {
        self.lanes.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1).map(|(_, lane)| lane)
    }

    /// Pushes to each output in `mask`; returns those outputs that the caller has to empty itself.
    #[inline]
    fn push(&self, mask: u64, push: Push<'_>) -> u64 {
        let mut to_deliver = 0;
        for (bit, lane) in self.lanes.iter().enumerate() {
            if mask >> bit & 1 == 1 && lane.queue.push(push) == Pushed::DeliverYourself {
                to_deliver |= 1 << bit;
            }
        }
        to_deliver
    }

    /// On a thread of the log: the outputs in `mask` that may take an event of it. The others count it as lost.
    #[cold]
    fn outside_own(&self, mask: u64, push: &Push<'_>) -> u64 {
        let mut others = 0;
        for (bit, lane) in self.lanes.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            if lane.refuses_own() {
                lane.queue.refuse(Reason::OwnThread, push.head.level(), push.time);
            } else {
                others |= 1 << bit;
            }
        }
        others
    }

    /// The mask of a `log` record, by the target that it carries itself.
    #[cold]
    fn mask_of_log(&self, meta: &'static Metadata<'static>, form: &[u8]) -> u64 {
        self.filters.mask(self.log_target(meta, form), *meta.level())
    }

    /// The target that a `log` record carries itself.
    fn log_target<'a>(&self, meta: &'static Metadata<'static>, form: &'a [u8]) -> &'a str {
        let target = Fields::new(form).find(|(key, _)| key.name(meta) == Some("log.target"));
        target.and_then(|(_, value)| value.as_str()).unwrap_or(meta.target())
    }

    #[inline]
    fn capture_thread(&self, capture: &mut Capture<'_>) {
        if self.wants_thread {
            let _ = THREAD.try_with(|(id, name)| capture.thread(*id, name));
        }
    }
}

thread_local! {
    /// The buffer that captures go to. It is taken out while in use: an event logged by a value being formatted
    /// finds none and uses a fresh one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };

    static THREAD: (u64, String) = this_thread();
}

/// Runs `with` on an empty buffer of this thread.
#[inline(always)]
fn with_scratch<T>(with: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = Scratch::new(SCRATCH.try_with(Cell::take).unwrap_or_default());
    let result = with(&mut scratch);
    if let Some(kept) = scratch.into_kept() {
        let _ = SCRATCH.try_with(|place| place.set(kept));
    }
    result
}

/// Number and name of the thread. The number is to be had only as text, `ThreadId(7)`.
fn this_thread() -> (u64, String) {
    let thread = std::thread::current();
    let digits: String = format!("{:?}", thread.id()).chars().filter(char::is_ascii_digit).collect();
    (digits.parse().unwrap_or(0), thread.name().unwrap_or_default().to_owned())
}

impl Layer {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl Layer {
    /// The node of the span an event is in. `current`: the span the registry calls the current one, where that counts.
    #[cold]
    fn look_up_node<S>(&self, event: &Event<'_>, current: Option<&Id>, registry: &Context<'_, S>) -> Option<Arc<Node>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = registry.event_span(event) else { return self.node_above_hidden::<S>(event, registry) };
        let node = node_of(&span, self.core.serial)?;
        if current == Some(&span.id()) {
            recent::remember(self.core.serial, &span.id(), &node);
        }
        Some(node)
    }

    /// The nearest span of ours above one that our filter hides and another layer wants: the registry leads no
    /// further than to that one.
    fn node_above_hidden<S>(&self, event: &Event<'_>, registry: &Context<'_, S>) -> Option<Arc<Node>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current = registry.current_span();
        let id = event.parent().or_else(|| current.id().filter(|_| !event.is_root()))?;
        let subscriber = self.core.place.subscriber.get()?.upgrade()?;
        let span = subscriber.downcast_ref::<S>()?.span(id)?;
        span.scope().find_map(|span| node_of(&span, self.core.serial))
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        let find: Find = |dispatch, id, with| {
            let span = dispatch.downcast_ref::<S>().and_then(|registry| registry.span(id));
            for span in span.iter().flat_map(SpanRef::scope) {
                if with(&span.id(), span.extensions().get::<Nodes>()) {
                    return;
                }
            }
        };
        let _ = self.core.place.find.set(find);
    }

    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.core.place.subscriber.set(subscriber.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Context<'_, S>) {
        let core = &self.core;
        let meta = attributes.metadata();
        let site = core.call_site(meta);
        with_scratch(|scratch| {
            let mut capture = Capture::new(scratch, core.max_record_bytes);
            core.capture(site, site.mask, &mut capture, |visitor| attributes.record(visitor));
            let Some(span) = registry.span(id) else { return };
            let parent = span.parent().and_then(|parent| {
                let recent = recent::with(core.serial, &parent.id(), Arc::clone);
                recent.or_else(|| node_of(&parent, core.serial))
            });
            let names_trace = site.kind & KIND_NAMES_TRACE != 0;
            let mut node = if site.kind & KIND_HIDDEN != 0 {
                Node::hidden(meta, parent, scratch.bytes())
            } else {
                Node::new(meta, parent, scratch.bytes(), names_trace, &core.ids)
            };
            if site.kind & (KIND_CLOSES | KIND_NAMES_REQUEST) != 0 {
                core.ask(&mut node, site.kind, scratch.bytes());
            }
            recent::remember(core.serial, id, &node);
            let mut extensions = span.extensions_mut();
            if let Some(mut others) = extensions.replace(Nodes(SmallVec::from_buf([(core.serial, node)])))
                && let Some(nodes) = extensions.get_mut::<Nodes>()
            {
                nodes.0.extend(others.0.drain(..).filter(|(serial, _)| *serial != core.serial));
            }
        });
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, registry: Context<'_, S>) {
        let core = &self.core;
        with_scratch(|scratch| {
            let recent = recent::with(core.serial, id, Arc::clone);
            let node = recent.or_else(|| registry.span(id).and_then(|span| node_of(&span, core.serial)));
            if let Some(node) = node {
                let site = core.call_site(node.meta());
                let mut capture = Capture::new(scratch, core.max_record_bytes);
                core.capture(site, site.mask, &mut capture, |visitor| values.record(visitor));
                node.record(scratch.bytes());
            }
        });
    }

    fn on_enter(&self, id: &Id, registry: Context<'_, S>) {
        #[cfg(feature = "opentelemetry")]
        if let Some(otel) = &self.core.otel {
            self.know_ids(otel, id);
        }
        if self.core.extras.closes.is_some() {
            self.time(id, &registry, Timing::enter);
        }
    }

    fn on_exit(&self, id: &Id, registry: Context<'_, S>) {
        if self.core.extras.closes.is_some() {
            self.time(id, &registry, Timing::exit);
        }
    }

    fn on_close(&self, id: Id, registry: Context<'_, S>) {
        if self.core.extras.closes.is_some() || self.core.extras.held.is_some() {
            self.close(&id, &registry);
        }
    }

    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        let core = &self.core;
        let meta = event.metadata();
        let site = core.call_site(meta);
        if site.mask == 0 && site.kind & (KIND_LOG | KIND_HOLDS) == 0 {
            return;
        }
        if site.kind & KIND_SPECIAL == 0 {
            self.log(event, &registry, site, None);
        } else {
            self.log_special(event, &registry, site);
        }
    }
}

impl Layer {
    /// Captures an event and pushes it to the outputs that want it. Once for those of which more is asked
    /// and once for all others, which then know nothing of that.
    #[inline(always)]
    fn log<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: Known, passed: Option<Passed>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let meta = event.metadata();
        let is_log = site.kind & KIND_LOG != 0;
        #[cfg(feature = "opentelemetry")]
        if let (Some(otel), Some(parent)) = (&core.otel, event.parent()) {
            self.know_ids(otel, parent);
        }
        with_scratch(
            // A call of its own would cost an event some 50 instructions.
            #[inline(always)]
            |scratch| {
                let mut capture = Capture::new(scratch, core.max_record_bytes);
                core.capture_thread(&mut capture);
                #[cfg(feature = "log")]
                if is_log {
                    log_values::add(core, site, &mut capture);
                }
                core.capture(site, site.mask, &mut capture, |visitor| event.record(visitor));
                if passed.is_some() && site.kind & KIND_BACKTRACE != 0 {
                    capture.backtrace(&backtrace(false));
                }
                if let (Some(limiter), Some(origin)) = (&core.limiter, passed.and_then(|passed| passed.keep)) {
                    limiter.keep(origin, scratch.bytes());
                }
                let mut mask = if is_log { core.mask_of_log(meta, scratch.bytes()) } else { site.mask };
                let is_own = worker::own_lane().is_some();
                let push = Push {
                    head: Head::Event { meta, is_log },
                    time: passed.map_or_else(|| core.clock.now(), |passed| passed.time),
                    bytes: scratch.bytes(),
                    context: None,
                    may_wait: !is_own,
                };
                if is_own {
                    mask = core.outside_own(mask, &push);
                }
                let current = registry.current_span();
                let id = current.id().filter(|_| event.is_contextual());
                let push = |node: Option<&Arc<Node>>| match passed {
                    None => core.push(mask, Push { context: node, ..push }),
                    Some(_) => core.push_special(site.kind, mask, Push { context: node, ..push }),
                };
                let to_deliver = match id {
                    None if event.is_contextual() => push(None),
                    _ => id
                        .and_then(|id| recent::with(core.serial, id, |node| push(Some(node))))
                        .unwrap_or_else(|| push(self.look_up_node(event, id, registry).as_ref())),
                };
                if to_deliver != 0 {
                    core.lanes_in(to_deliver).for_each(|lane| lane.deliver_here());
                }
            },
        );
    }
}

/// Context variables: fields for a span and all below it that its call site does not declare.
pub trait SpanExt {
    /// Sets a variable: from now on it is in the line of every event in this span and in the spans below it, under
    /// the rules of a span's field. A later value of the same name replaces it. A span that is disabled, or not in a
    /// registry with a spanline layer, ignores it.
    ///
    /// ```
    /// use spanline::SpanExt;
    ///
    /// let span = tracing::info_span!("request", request_id = "r-1");
    /// span.set_variable("tenant", "acme");
    /// span.set_variable("attempt", 2u64);
    /// ```
    fn set_variable<'v>(&self, name: &str, value: impl Into<Value<'v>>);
}

impl SpanExt for Span {
    fn set_variable<'v>(&self, name: &str, value: impl Into<Value<'v>>) {
        let value = value.into();
        self.with_subscriber(|(id, dispatch)| {
            let Some(layer) = dispatch.downcast_ref::<Layer>() else { return };
            let Some(find) = layer.core.place.find.get() else { return };
            let mut found = SmallVec::<[(u64, Arc<Node>); 1]>::new();
            find(dispatch, id, &mut |_, nodes| {
                found = nodes.map(|nodes| nodes.0.clone()).unwrap_or_default();
                true
            });
            with_scratch(|scratch| {
                let value = layer.core.variable(name, value);
                Capture::new(scratch, layer.core.max_record_bytes).named(name, &value);
                found.iter().for_each(|(_, node)| node.record(scratch.bytes()));
            });
        });
    }
}
