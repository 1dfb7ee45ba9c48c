//! The end of a span: its closing line, where one is wanted, and what its request held back.
//!
//! Only a log that was asked for either gets here; see `Layer`'s callbacks.

use std::sync::Arc;

use tracing::span::Id;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Layer, node_of, recent, with_scratch};
use crate::context::{Node, Timing};
use crate::queue::{Head, Push};
use crate::record::{Capture, Value};
use crate::worker;

impl Layer {
    /// Looks at the node of an open span.
    fn with_node<S, T>(&self, id: &Id, registry: &Context<'_, S>, with: impl Fn(&Arc<Node>) -> T) -> Option<T>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = self.core.serial;
        recent::with(core, id, &with).or_else(|| {
            let node = node_of(&registry.span(id)?, core)?;
            recent::remember(core, id, &node);
            Some(with(&node))
        })
    }

    /// Reads the clock for a span that is entered or left.
    #[cold]
    pub(super) fn time<S>(&self, id: &Id, registry: &Context<'_, S>, tell: fn(&Timing, u64))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_node(id, registry, |node| {
            if let Some(timing) = node.timing() {
                tell(timing, self.core.clock.elapsed());
            }
        });
    }

    #[cold]
    pub(super) fn close<S>(&self, id: &Id, registry: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(node) = self.with_node(id, registry, Arc::clone) else { return };
        if let Some(timing) = node.timing() {
            self.log_close(&node, timing);
        }
        if let Some(store) = self.core.extras.held.as_ref().filter(|_| node.holds()) {
            store.end(node.serial());
        }
    }

    fn log_close(&self, node: &Arc<Node>, timing: &Timing) {
        let core = &self.core;
        let meta: &'static Metadata<'static> = node.meta();
        let mut mask = core.filters.mask(meta.target(), *meta.level());
        if mask == 0 {
            return;
        }
        let times = timing.close(core.clock.elapsed());
        with_scratch(|scratch| {
            let mut capture = Capture::new(scratch, core.max_record_bytes);
            core.capture_thread(&mut capture);
            capture.named("message", &Value::Str("close"));
            for (name, us) in
                [("duration_us", times.duration_us), ("busy_us", times.busy_us), ("idle_us", times.idle_us)]
            {
                capture.named(name, &Value::U64(us));
            }
            let is_own = worker::own_lane().is_some();
            let push = Push {
                head: Head::Event { meta, is_log: false },
                time: core.clock.now(),
                bytes: scratch.bytes(),
                context: Some(node),
                may_wait: !is_own,
            };
            if is_own {
                mask = core.outside_own(mask, &push);
            }
            let to_deliver = core.push(mask, push);
            core.lanes_in(to_deliver).for_each(|lane| lane.deliver_here());
        });
    }
}
