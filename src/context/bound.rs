//! A context at one moment: a span, and the recorded versions that an event has seen.

use std::sync::Arc;

use smallvec::SmallVec;

use super::context::Context;
use super::epoch::{FIRST_EPOCH, epoch, hold_records, recording};
use super::node::Node;
use super::recorded::Version;

/// Versions of a span and its ancestors, each with the span's serial, innermost first. Spans on which nothing was recorded
/// are omitted: most contexts have none, or one.
type Versions = SmallVec<[(u64, Arc<Version>); 1]>;

/// The number of attempts to read a chain of spans while no span records.
const READS: u32 = 3;

/// A context at one moment: what a queued record holds.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    node: Arc<Node>,
    epoch: u64,
    /// The latest stamp among the versions.
    version: u64,
    recorded: Versions,
}

impl Bound {
    /// Binds a node as it is now. `epoch`: read before. `parent`: the parent bound at the same epoch, if at hand.
    pub(crate) fn new(node: &Arc<Node>, epoch: u64, parent: Option<&Bound>) -> Self {
        let recorded = match parent {
            _ if epoch == FIRST_EPOCH => Versions::new(),
            Some(parent) if node.newest() == 0 => parent.recorded.clone(),
            _ => Self::versions(node),
        };
        let version = recorded.iter().map(|(_, version)| version.stamp).max();
        Self { node: Arc::clone(node), epoch, version: version.unwrap_or(0), recorded }
    }

    /// Returns the versions of a span and its ancestors at one moment.
    ///
    /// Spans may record while they are read one by one. The result could then mix moments and still have the key of a
    /// real one. So it is read again, and at last with all recording stopped.
    fn versions(node: &Arc<Node>) -> Versions {
        for _ in 0..READS {
            // A fork waits for it: the child finds no span locked.
            let _recording = recording();
            let before = epoch();
            let versions = Self::read_versions(node);
            if epoch() == before {
                return versions;
            }
        }
        let _stopped = hold_records();
        Self::read_versions(node)
    }

    fn read_versions(node: &Arc<Node>) -> Versions {
        node.chain().filter_map(|node| Some((node.serial(), node.latest()?))).collect()
    }

    /// Returns whether it is this node, and nothing has changed since.
    #[inline]
    pub(crate) fn is(&self, node: &Arc<Node>, epoch: u64) -> bool {
        self.epoch == epoch && Arc::ptr_eq(&self.node, node)
    }

    /// Returns whether both are the same context at the same moment.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is(&other.node, other.epoch) && self.version == other.version
    }

    pub(crate) fn into_node(self) -> Arc<Node> {
        self.node
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context { leaf: &self.node, version: self.version, recorded: &self.recorded }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tracing::Metadata;

    use super::*;
    use crate::context::{IdSource, SpanView};
    use crate::values::{Value, put_named};

    fn meta() -> &'static Metadata<'static> {
        crate::record::notice_metadata()
    }

    fn encoded(value: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        put_named(&mut encoded, "v", &Value::U64(value));
        encoded
    }

    fn number(value: &Value<'_>) -> Option<u64> {
        if let Value::U64(number) = value { Some(*number) } else { None }
    }

    fn value(bound: &Bound) -> u64 {
        match bound.context().spans().next().and_then(|span| span.fields().last().map(|(_, value)| number(&value))) {
            Some(Some(value)) => value,
            other => panic!("{other:?}"),
        }
    }

    fn node(parent: Option<Arc<Node>>) -> Arc<Node> {
        Node::new(meta(), parent, &encoded(0), false, &IdSource::seeded(1))
    }

    #[test]
    fn a_bound_context_keeps_the_values_of_its_moment() {
        let node = node(None);
        let mut bound = vec![Bound::new(&node, epoch(), None)];
        for value in 1..=50 {
            node.record(&encoded(value));
            bound.push(Bound::new(&node, epoch(), None));
        }
        for (expected, bound) in bound.iter().enumerate() {
            assert_eq!(value(bound), expected as u64);
        }
        assert!(bound.windows(2).all(|pair| pair[0].context().key() != pair[1].context().key()));
    }

    #[test]
    fn a_version_that_no_queued_event_saw_is_freed() {
        let node = node(None);
        node.record(&encoded(1));
        let first = Arc::downgrade(&node.latest().expect("a version"));
        let bound = Bound::new(&node, epoch(), None);
        node.record(&encoded(2));
        let second = Arc::downgrade(&node.latest().expect("a version"));
        node.record(&encoded(3));
        assert!(node.latest().is_some() && second.upgrade().is_none() && first.upgrade().is_some());
        drop(bound);
        assert!(first.upgrade().is_none());
    }

    /// While one thread records on two spans, each pair of values that another thread sees has a distinct key.
    #[test]
    fn equal_keys_mean_equal_values_while_spans_record() {
        let parent = node(None);
        let child = node(Some(Arc::clone(&parent)));
        let done = AtomicBool::new(false);
        let values = |bound: &Bound| {
            let last = |span: SpanView<'_>| span.fields().last().and_then(|(_, value)| number(&value));
            bound.context().spans().map(last).collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 1..=if cfg!(miri) { 100 } else { 20_000 } {
                    child.record(&encoded(value));
                    parent.record(&encoded(value));
                }
                done.store(true, Ordering::Relaxed);
            });
            let mut seen = std::collections::HashMap::new();
            while !done.load(Ordering::Relaxed) {
                let bound = Bound::new(&child, epoch(), None);
                let before = seen.entry(bound.context().key()).or_insert_with(|| values(&bound));
                assert_eq!(*before, values(&bound));
            }
        });
    }

    #[test]
    fn a_child_is_bound_to_what_its_parent_has_recorded() {
        let parent = node(None);
        let child = node(Some(Arc::clone(&parent)));
        parent.record(&encoded(7));
        let now = epoch();
        let apart = Bound::new(&child, now, None);
        let together = Bound::new(&child, now, Some(&Bound::new(&parent, now, None)));
        for bound in [apart, together] {
            let above = bound.context().spans().nth(1).expect("the parent");
            assert_eq!(above.fields().last().and_then(|(_, value)| number(&value)), Some(7));
        }
    }

    #[test]
    fn a_long_chain_of_spans_is_dropped_without_recursion() {
        let mut leaf = node(None);
        for _ in 0..if cfg!(miri) { 1_000 } else { 200_000 } {
            leaf = node(Some(leaf));
        }
        drop(leaf);
    }
}
