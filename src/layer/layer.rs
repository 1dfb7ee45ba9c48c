//! The layer, and what it does at each of tracing's callbacks.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::call_site::CallSite;
use super::core::Core;
use super::limit::Passed;
#[cfg(feature = "log")]
use super::log_values;
use super::nodes::{Nodes, nearest_node, node_of};
#[cfg(feature = "opentelemetry")]
use super::otel_ids::active_otel_span;
use super::span_cache;
use super::this_thread::with_scratch;
use crate::context::{Node, SpanMoment};
use crate::filter::{answer_like, moved};
use crate::outputs::{Line, Places};
use crate::queue::{Head, Push};
use crate::record::{Capture, backtrace};

/// A layer that logs spans and events through its outputs, made by [`Builder::build`](crate::Builder::build).
///
/// It has no type parameters and works on any registry. A per-layer filter keeps away call sites that no output wants, so
/// other layers of the same registry still see them.
pub struct Layer {
    pub(super) core: Arc<Core>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("outputs", &self.core.outputs.lanes().len()).finish_non_exhaustive()
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.core.registry.set_type::<S>();
        self.core.filters.set_installed();
    }

    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.core.registry.set_subscriber(subscriber);
        answer_like(subscriber);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Context<'_, S>) {
        let core = &self.core;
        let meta = attributes.metadata();
        let site = core.call_site(meta);
        if site.has(CallSite::IN_CONTEXT) && !self.shows_inside(attributes, id, &registry) {
            return;
        }
        with_scratch(|scratch| {
            let mut capture = Capture::new(scratch, core.outputs.max_record_bytes());
            core.capture(site, site.outputs, &mut capture, |visitor| attributes.record(visitor));
            let Some(span) = registry.span(id) else { return };
            let parent = span.parent().and_then(|parent| {
                let cached = span_cache::with(core.serial, &parent.id(), Arc::clone);
                cached.or_else(|| nearest_node(&parent, core.serial))
            });
            let names_trace = site.has(CallSite::NAMES_TRACE);
            let mut node = if site.has(CallSite::HIDDEN) {
                Node::hidden(meta, parent, scratch.bytes())
            } else {
                Node::new(meta, parent, scratch.bytes(), names_trace, &core.ids)
            };
            if site.has(CallSite::LOGS_SPAN | CallSite::NAMES_REQUEST) {
                core.configure(&mut node, site, scratch.bytes());
            }
            span_cache::remember(core.serial, id, &node);
            let mut extensions = span.extensions_mut();
            if let Some(mut others) = extensions.replace(Nodes(SmallVec::from_buf([(core.serial, node)])))
                && let Some(nodes) = extensions.get_mut::<Nodes>()
            {
                others.0.retain(|(serial, _)| *serial != core.serial);
                if let (Some((_, other)), Some((_, node))) = (others.0.first(), nodes.0.first_mut())
                    && !site.has(CallSite::HIDDEN)
                {
                    *node = core.with_ids_of(other, node, site, scratch.bytes());
                    span_cache::remember(core.serial, id, node);
                }
                nodes.0.append(&mut others.0);
            }
        });
        if site.has(CallSite::LOGS_SPAN) {
            self.pass(id, &registry, SpanMoment::New);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, registry: Context<'_, S>) {
        let core = &self.core;
        with_scratch(|scratch| {
            let cached = span_cache::with(core.serial, id, Arc::clone);
            let node = cached.or_else(|| registry.span(id).and_then(|span| node_of(&span, core.serial)));
            if let Some(node) = node {
                let site = core.call_site(node.meta());
                let mut capture = Capture::new(scratch, core.outputs.max_record_bytes());
                core.capture(site, site.outputs, &mut capture, |visitor| values.record(visitor));
                node.record(scratch.bytes());
            }
        });
    }

    fn on_enter(&self, id: &Id, registry: Context<'_, S>) {
        moved();
        #[cfg(feature = "opentelemetry")]
        if let Some(otel) = &self.core.otel {
            self.look_up_otel_ids(otel, id);
        }
        if self.core.diagnostics.span_lines.is_some() {
            self.pass(id, &registry, SpanMoment::Enter);
        }
    }

    fn on_exit(&self, id: &Id, registry: Context<'_, S>) {
        moved();
        if self.core.diagnostics.span_lines.is_some() {
            self.pass(id, &registry, SpanMoment::Exit);
        }
    }

    fn on_close(&self, id: Id, registry: Context<'_, S>) {
        if self.core.diagnostics.span_lines.is_some() || self.core.diagnostics.held_lines.is_some() {
            self.close(&id, &registry);
        }
        span_cache::forget(self.core.serial, &id);
    }

    fn on_event(&self, event: &Event<'_>, registry: Context<'_, S>) {
        let site = self.core.call_site(event.metadata());
        if site.outputs == 0 && !site.has(CallSite::LOG | CallSite::HELD_BACK | CallSite::IN_CONTEXT) {
            return;
        }
        if site.has(CallSite::SLOW_PATH) {
            self.log_on_slow_path(event, &registry, site);
        } else {
            self.log(event, &registry, site, None, self.core.outputs.first());
        }
    }
}

impl Layer {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Captures an event and submits it to the outputs that want it. `places`: the outputs that the call site's mask means.
    ///
    /// It is compiled twice: for the slow path, where `passed` is set, and for all other events.
    #[inline(always)]
    pub(super) fn log<S>(
        &self,
        event: &Event<'_>,
        registry: &Context<'_, S>,
        site: CallSite,
        passed: Option<Passed>,
        places: &Places,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let meta = event.metadata();
        let is_log = site.has(CallSite::LOG);
        #[cfg(feature = "opentelemetry")]
        if let (Some(otel), Some(parent)) = (&core.otel, event.parent()) {
            self.look_up_otel_ids(otel, parent);
        }
        core.capture_line(
            #[inline(always)]
            |capture| {
                core.capture(site, site.outputs, capture, |visitor| event.record(visitor));
                #[cfg(feature = "log")]
                if is_log {
                    log_values::add(core, site, meta, capture);
                }
                if passed.is_some() {
                    if site.has(CallSite::REPEATS_NAMES) {
                        capture.tell_names_apart(meta);
                    }
                    if site.has(CallSite::BACKTRACE) {
                        capture.backtrace(&backtrace(false));
                    }
                }
            },
            #[inline(always)]
            |bytes| {
                if let (Some(limiter), Some(origin)) = (&core.limiter, passed.and_then(|passed| passed.sample_for)) {
                    limiter.store_sample(origin, bytes);
                }
                let time = passed.map_or_else(|| core.clock.now(), |passed| passed.time);
                let line = Line { head: Head::Event { meta, is_log }, time, bytes };
                if is_log {
                    return self.submit_log(event, registry, site, passed, line);
                }
                self.submit(event, registry, site, passed, line, (places, site.outputs));
            },
        );
    }

    /// Submits a line to the outputs of a mask.
    #[inline(always)]
    fn submit<S>(
        &self,
        event: &Event<'_>,
        registry: &Context<'_, S>,
        site: CallSite,
        passed: Option<Passed>,
        line: Line<'_>,
        (places, mask): (&Places, u64),
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let to_deliver = places.submit(
            mask,
            line,
            #[inline(always)]
            |mask, push| {
                self.with_node(event, registry, |node| match passed {
                    None => places.push(mask, Push { context: node, ..push }),
                    Some(_) => self.core.push_or_hold_back(places, site, mask, Push { context: node, ..push }),
                })
            },
        );
        places.deliver(to_deliver);
    }

    /// Submits a record of the `log` crate, whose target is among its fields.
    #[inline(never)]
    fn submit_log<S>(
        &self,
        event: &Event<'_>,
        registry: &Context<'_, S>,
        site: CallSite,
        passed: Option<Passed>,
        line: Line<'_>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (core, meta) = (&self.core, event.metadata());
        let mask = || match passed {
            Some(passed) if passed.is_in_context => {
                self.with_node(event, registry, |node| core.outputs_of_log_in(meta, line.bytes, node))
            }
            _ => core.outputs_of_log(meta, line.bytes),
        };
        core.outputs.with(mask, |places, mask| self.submit(event, registry, site, passed, line, (places, mask)));
    }

    /// Runs `run` with the node of the span that an event is in; with `None` outside any span.
    #[inline(always)]
    pub(super) fn with_node<S, T>(
        &self,
        event: &Event<'_>,
        registry: &Context<'_, S>,
        run: impl Fn(Option<&Arc<Node>>) -> T,
    ) -> T
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current = registry.current_span();
        let id = current.id().filter(|_| event.is_contextual());
        match id {
            #[cfg(feature = "opentelemetry")]
            None if event.is_contextual() && self.core.otel.is_some() => run(active_otel_span(event).as_ref()),
            None if event.is_contextual() => run(None),
            _ => id
                .and_then(|id| span_cache::with(self.core.serial, id, |node| run(Some(node))))
                .unwrap_or_else(|| run(self.look_up_node(event, id, registry).as_ref())),
        }
    }

    /// Looks up the node in the registry. `current`: the registry's current span, if the event is contextual.
    #[cold]
    fn look_up_node<S>(&self, event: &Event<'_>, current: Option<&Id>, registry: &Context<'_, S>) -> Option<Arc<Node>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = registry.event_span(event) else { return self.node_around_filtered::<S>(event, registry) };
        let Some(node) = node_of(&span, self.core.serial) else { return nearest_node(&span, self.core.serial) };
        if current == Some(&span.id()) {
            span_cache::remember(self.core.serial, &span.id(), &node);
        }
        Some(node)
    }

    /// Finds the nearest node around a span that our filter hides and another layer wants. The registry does not look
    /// beyond that span.
    fn node_around_filtered<S>(&self, event: &Event<'_>, registry: &Context<'_, S>) -> Option<Arc<Node>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current = registry.current_span();
        let id = event.parent().or_else(|| current.id().filter(|_| !event.is_root()))?;
        let subscriber = self.core.registry.subscriber()?;
        let span = subscriber.downcast_ref::<S>()?.span(id)?;
        nearest_node(&span, self.core.serial)
    }
}
