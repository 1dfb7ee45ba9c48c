//! The longest chain: the spans that decided how long the trace took.
//!
//! From the end of the longest root backwards: what ended last was waited for. Before it began, the span that ended last
//! before that was waited for, and so on; inside each of them likewise. The rest is the span's own time.
//!
//! Source: CRISP, <https://www.usenix.org/conference/atc22/presentation/zhang-zhizhou>, section 3.

use super::tree::{TOLERANCE_NANOS, Tree, set};

/// Returns for each span how many nanoseconds of the chain were its own; `None` if it is not in the chain.
pub(super) fn chain(tree: &Tree) -> Vec<Option<i64>> {
    let mut own = vec![None; tree.store.spans.len()];
    let nanos = |number: &&usize| tree.extent(**number).map(|extent| extent.nanos());
    // Of equal ones, the first.
    let Some(root) = tree.roots.iter().rev().max_by_key(nanos) else { return own };
    let Some(extent) = tree.extent(*root) else { return own };
    let mut next = vec![(*root, extent.start, extent.end)];
    // A span, and the part of it that belongs to the chain.
    while let Some((number, from, until)) = next.pop() {
        let mut children: Vec<_> =
            tree.children_of(number).iter().filter_map(|child| Some((*child, tree.extent(*child)?))).collect();
        children.sort_by_key(|(_, child)| (child.end, child.start));
        let (mut cursor, mut rest) = (until, 0_i64);
        for (child, inner) in children.into_iter().rev() {
            let is_before = inner.end <= cursor.saturating_add(TOLERANCE_NANOS);
            let (start, end) = (inner.start.max(from), inner.end.min(cursor));
            if !is_before || end <= start {
                continue;
            }
            rest = rest.saturating_add(cursor.saturating_sub(end));
            next.push((child, start, end));
            cursor = start;
        }
        rest = rest.saturating_add(cursor.saturating_sub(from).max(0));
        set(&mut own, number, Some(rest));
    }
    own
}
