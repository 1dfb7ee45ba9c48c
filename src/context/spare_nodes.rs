//! Nodes of spans that are gone, for the next spans.
//!
//! A node is opened on a logging thread, and its last reference is mostly dropped by a worker, once the lines are written.
//! Freed there, its memory would have to find its way back through the system's allocator. So each thread keeps a few, and
//! a worker leaves some for all threads.
//!
//! Only a node without any other reference comes here, so nothing can see that it is used again. The lock is only tried: a
//! thread that does not get it asks the allocator, also in a forked child whose parent held it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::node::Node;
use crate::sync;

/// The most that a thread keeps.
const MOST_OF_THREAD: usize = 32;
/// How many a thread takes from the common ones at once.
const MOVED: usize = 16;
/// The most common ones: about a quarter of a MiB.
const MOST: usize = 512;

static COMMON: Mutex<Vec<Arc<Node>>> = Mutex::new(Vec::new());
/// Their number, to be read without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OF_THREAD: RefCell<Vec<Arc<Node>>> = const { RefCell::new(Vec::new()) };
}

/// Takes a node that has no other reference.
#[inline]
pub(super) fn take() -> Option<Arc<Node>> {
    OF_THREAD
        .try_with(|nodes| {
            let mut nodes = nodes.try_borrow_mut().ok()?;
            if nodes.is_empty() && COUNT.load(Ordering::Relaxed) > 0 {
                refill(&mut nodes);
            }
            nodes.pop()
        })
        .ok()
        .flatten()
}

#[cold]
fn refill(nodes: &mut Vec<Arc<Node>>) {
    if let Some(mut common) = sync::try_lock(&COMMON) {
        let first = common.len().saturating_sub(MOVED);
        nodes.extend(common.drain(first..));
        COUNT.store(common.len(), Ordering::Relaxed);
    }
}

/// Keeps a node and those around it for this thread, as far as nothing else refers to them.
#[inline]
pub(crate) fn keep(node: Arc<Node>) {
    let mut node = Some(node);
    // Without the thread's own ones, they are freed.
    let _ = OF_THREAD.try_with(|nodes| {
        if let Ok(mut nodes) = nodes.try_borrow_mut() {
            while let Some(unused) = node.take() {
                let (unused, around) = unused.unused();
                let has_room = nodes.len() < MOST_OF_THREAD;
                nodes.extend(unused.filter(|_| has_room));
                node = around;
            }
        }
    });
}

/// Keeps nodes for all threads, and those around them, as far as nothing else refers to them.
pub(crate) fn keep_for_all(nodes: impl Iterator<Item = Arc<Node>>) {
    let mut common = sync::try_lock(&COMMON);
    for node in nodes {
        let mut next = Some(node);
        while let Some(node) = next.take() {
            let (unused, around) = node.unused();
            if let Some(common) = &mut common {
                let has_room = common.len() < MOST;
                common.extend(unused.filter(|_| has_room));
            }
            next = around;
        }
    }
    if let Some(common) = common {
        COUNT.store(common.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::IdSource;

    fn node(parent: Option<Arc<Node>>) -> Arc<Node> {
        Node::new(crate::record::notice_metadata(), parent, b"", false, &IdSource::seeded(1))
    }

    #[test]
    fn a_node_is_used_again_only_without_other_references() {
        let shared = node(None);
        let (address, serial) = (Arc::as_ptr(&shared), shared.serial());
        keep(Arc::clone(&shared));
        let other = node(None);
        assert_ne!(Arc::as_ptr(&other), address, "it is still in use");
        keep(shared);
        let again = node(Some(other));
        assert_eq!(Arc::as_ptr(&again), address);
        assert!(again.serial() > serial && again.parent().is_some());
    }

    #[test]
    fn a_chain_of_spans_is_kept_as_far_as_it_is_unused() {
        let root = node(None);
        let leaf = node(Some(node(Some(Arc::clone(&root)))));
        keep(leaf);
        assert_eq!(Arc::strong_count(&root), 1, "its children let go of it");
        assert!(node(None).parent().is_none());
    }
}
