//! Gaps: times in a span in which nothing was logged and no span was inside it.

use super::extents::Extent;
use super::tree::{TOLERANCE_NANOS, Tree};

/// A time without a line.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    pub(super) start: i64,
    pub(super) end: i64,
    /// What was before it, and behind it.
    pub(super) after: String,
    pub(super) before: String,
}

impl Gap {
    pub(super) fn nanos(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// Returns the gaps of a span that last longer than `least` nanoseconds.
///
/// A span with nothing inside it but the line of its end has none: its bar says as much.
pub(super) fn gaps(tree: &Tree, number: usize, least: i64) -> Vec<Gap> {
    let (Some(span), Some(extent)) = (tree.span(number), tree.extent(number)) else { return Vec::new() };
    let children = tree.children_of(number);
    let is_before_end = |time: &i64| *time < extent.end.saturating_sub(TOLERANCE_NANOS);
    let has_inside = !children.is_empty() || span.times.iter().any(is_before_end);
    if span.has_other_times || !span.has_lines() || !has_inside || extent.nanos() <= least {
        return Vec::new();
    }
    let inner = children.iter().filter_map(|child| tree.extent(*child)).map(|child| (child.start, child.end));
    let mut covered: Vec<(i64, i64)> = span.times.iter().map(|time| (*time, *time)).chain(inner).collect();
    covered.push((extent.end, extent.end));
    covered.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = extent.start;
    for (start, end) in covered {
        let start = start.min(extent.end);
        if start.saturating_sub(at) > least {
            gaps.push((at, start));
        }
        at = at.max(end);
    }
    let named = |(start, end)| Gap {
        start,
        end,
        after: before(tree, number, start, &extent),
        before: behind(tree, number, end, &extent),
    };
    gaps.into_iter().map(named).collect()
}

/// Returns what ended at a time, or happened then.
fn before(tree: &Tree, number: usize, time: i64, extent: &Extent) -> String {
    let child =
        tree.children_of(number).iter().find(|child| tree.extent(**child).is_some_and(|child| child.end == time));
    match (child, message(tree, number, time)) {
        (Some(child), _) => tree.name(*child),
        (None, Some(message)) => message,
        (None, None) if time == extent.start => "its start".to_owned(),
        (None, None) => "a line".to_owned(),
    }
}

/// Returns what began at a time, or happened then.
fn behind(tree: &Tree, number: usize, time: i64, extent: &Extent) -> String {
    let child =
        tree.children_of(number).iter().find(|child| tree.extent(**child).is_some_and(|child| child.start == time));
    match (child, message(tree, number, time)) {
        (Some(child), _) => tree.name(*child),
        (None, Some(message)) => message,
        (None, None) if time == extent.end => "its end".to_owned(),
        (None, None) => "a line".to_owned(),
    }
}

fn message(tree: &Tree, number: usize, time: i64) -> Option<String> {
    let event = tree.span(number)?.events.iter().find(|event| event.time == Some(time))?;
    Some(format!("\"{}\"", event.message))
}
