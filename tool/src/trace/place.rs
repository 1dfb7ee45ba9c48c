//! Parents without lines, placed by time.
//!
//! A service that logs nothing when it calls another leaves only the id of the calling span, in the lines of the other. That
//! span is somewhere inside the caller: most likely in the innermost span of another service that lasted at least as long.

use super::tree::{Tree, set};

/// More such parents stay where they are: each is compared with all spans.
const MAX_PLACED: usize = 100;

/// Places spans without lines inside the spans that contain them.
pub(super) fn place(tree: &mut Tree) {
    let is_unknown = |number: &&usize| tree.span(**number).is_some_and(|span| !span.has_lines());
    let unknown: Vec<usize> = tree.roots.iter().filter(is_unknown).take(MAX_PLACED + 1).copied().collect();
    if unknown.len() > MAX_PLACED {
        return;
    }
    for number in unknown {
        if let Some(around) = innermost(tree, number) {
            set(&mut tree.parents, number, Some(around));
            set(&mut tree.placed, number, true);
            tree.roots.retain(|root| *root != number);
            if let Some(children) = tree.children.get_mut(around) {
                children.push(number);
            }
        }
    }
}

/// Returns the shortest span of another service that contains one in time.
fn innermost(tree: &Tree, number: usize) -> Option<usize> {
    let (span, inner) = (tree.span(number)?, tree.extent(number)?);
    let inside = inside(tree, number);
    let called: Vec<_> = tree.children_of(number).iter().map(|child| tree.service(*child)).collect();
    let contains = |other: &&usize| {
        let is_around = tree.extent(**other).is_some_and(|outer| outer.start <= inner.start && outer.end >= inner.end);
        let is_candidate = |other: &super::span::Span| other.has_lines() && other.identity.trace == span.identity.trace;
        is_around
            && tree.span(**other).is_some_and(is_candidate)
            && !called.contains(&tree.service(**other))
            && !inside.get(**other).is_some_and(|is| *is)
    };
    // Of equal ones, the innermost comes last.
    let nanos = |number: &&usize| tree.extent(**number).map(|extent| extent.nanos());
    tree.order.iter().rev().filter(contains).min_by_key(nanos).copied()
}

/// Returns for each span whether it is inside another one, or is it.
fn inside(tree: &Tree, number: usize) -> Vec<bool> {
    let mut inside = vec![false; tree.parents.len()];
    let mut next = vec![number];
    while let Some(number) = next.pop() {
        if let Some(is @ false) = inside.get_mut(number) {
            *is = true;
            next.extend_from_slice(tree.children_of(number));
        }
    }
    inside
}
