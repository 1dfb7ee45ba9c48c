//! A context at one moment: the span, and the versions of it and of those around it that an event has seen.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Context, FIRST_EPOCH, Node, Version, epoch, hold_records};

/// Versions of a span and its ancestors, each with the span's serial, the innermost first; spans on which nothing was
/// recorded have none.
type Recorded = Option<Arc<[(u64, Arc<Version>)]>>;

/// Tries to look at a chain of spans while nobody records.
const LOOKS: u32 = 3;

/// A context at one moment: what a queued record holds.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    node: Arc<Node>,
    epoch: u64,
    /// The latest stamp among the versions.
    version: u64,
    recorded: Recorded,
}

impl Bound {
    /// Binds a node as it is now. `epoch` was read before; `parent` is its parent bound at the same epoch, where that
    /// is at hand.
    pub(crate) fn new(node: &Arc<Node>, epoch: u64, parent: Option<&Bound>) -> Self {
        let recorded = match parent {
            _ if epoch == FIRST_EPOCH => None,
            Some(parent) if node.newest() == 0 => parent.recorded.clone(),
            _ => Self::versions(node),
        };
        let version = recorded.iter().flat_map(|versions| versions.iter()).map(|(_, version)| version.stamp).max();
        Self { node: Arc::clone(node), epoch, version: version.unwrap_or(0), recorded }
    }

    /// The versions of a span and its ancestors at one moment.
    ///
    /// Somebody may record on several of them while they are looked at one by one. What was then put together might never
    /// have been true, and yet have the key of what is: so it is looked at again, at last with all recording held up.
    fn versions(node: &Arc<Node>) -> Recorded {
        for _ in 0..LOOKS {
            let before = epoch();
            let versions = Self::versions_by_now(node);
            if epoch() == before {
                return versions;
            }
        }
        let _held = hold_records();
        Self::versions_by_now(node)
    }

    fn versions_by_now(node: &Arc<Node>) -> Recorded {
        let chain = std::iter::successors(Some(&**node), |node| node.parent.as_deref());
        let versions: SmallVec<[_; 4]> = chain.filter_map(|node| Some((node.serial, node.version()?))).collect();
        (!versions.is_empty()).then(|| versions.into_iter().collect())
    }

    /// Whether it is this node, and nothing has changed since.
    #[inline]
    pub(crate) fn is(&self, node: &Arc<Node>, epoch: u64) -> bool {
        self.epoch == epoch && Arc::ptr_eq(&self.node, node)
    }

    /// Whether both are one context at one moment.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is(&other.node, other.epoch) && self.version == other.version
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context { leaf: &self.node, version: self.version, recorded: self.recorded.as_deref().unwrap_or_default() }
    }
}
