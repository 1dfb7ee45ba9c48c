//! When spans start and end, as far as lines tell.
//!
//! A line with a duration, such as a close line, says it exactly. Otherwise, a span lasts from its first line to its last
//! one, including those of the spans inside it. A span of another service is inside it too, but the clock of that service
//! may differ: it never extends a span beyond what the span's own service has measured around it.

use super::span::Span;

/// A start and an end in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Whether a line says how long the span took.
    pub(super) is_measured: bool,
}

impl Extent {
    pub(super) fn nanos(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    fn with(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end), ..self }
    }
}

/// Returns the times of all spans; `None` for those of which no line has a time.
pub(super) fn extents(
    spans: &[Span],
    parents: &[Option<usize>],
    children: &[Vec<usize>],
    order: &[usize],
) -> Vec<Option<Extent>> {
    let bounds = bounds(spans, parents, order);
    let mut extents: Vec<Option<Extent>> = vec![None; spans.len()];
    for number in order.iter().rev() {
        let Some(span) = spans.get(*number) else { continue };
        let mut extent = own(span);
        if span.seen.end.is_none() {
            let service = span.identity.service;
            for child in children.get(*number).into_iter().flatten() {
                let Some(inner) = extents.get(*child).copied().flatten() else { continue };
                let is_same = spans.get(*child).is_some_and(|child| child.identity.service == service);
                let inner = if is_same { Some(inner) } else { clamp(inner, bounds.get(*number).copied().flatten()) };
                extent = match (extent, inner) {
                    (Some(extent), Some(inner)) => Some(extent.with(inner)),
                    (extent, inner) => extent.or(inner.map(|inner| Extent { is_measured: false, ..inner })),
                };
            }
            // The line of its opening says when it began.
            if let (Some(extent), Some(start)) = (&mut extent, span.seen.start) {
                extent.start = start.min(extent.end);
            }
        }
        if let Some(place) = extents.get_mut(*number) {
            *place = extent;
        }
    }
    extents
}

/// Returns what the lines of a span say.
fn own(span: &Span) -> Option<Extent> {
    let (first, last) = span.seen.lines?;
    let start = span.seen.start.unwrap_or(first);
    let end = span.seen.end.unwrap_or(last).max(last);
    Some(Extent { start: start.min(end), end, is_measured: span.seen.end.is_some() })
}

/// Returns for each span the measured times of the nearest span around it in the same service.
fn bounds(spans: &[Span], parents: &[Option<usize>], order: &[usize]) -> Vec<Option<Extent>> {
    let mut bounds: Vec<Option<Extent>> = vec![None; spans.len()];
    for number in order {
        let Some(parent) = parents.get(*number).copied().flatten() else { continue };
        let (Some(span), Some(around)) = (spans.get(*number), spans.get(parent)) else { continue };
        if span.identity.service != around.identity.service {
            continue;
        }
        let measured = own(around).filter(|extent| extent.is_measured);
        let bound = measured.or_else(|| bounds.get(parent).copied().flatten());
        if let Some(place) = bounds.get_mut(*number) {
            *place = bound;
        }
    }
    bounds
}

/// Returns the part of an extent that is inside `bound`.
fn clamp(extent: Extent, bound: Option<Extent>) -> Option<Extent> {
    let Some(bound) = bound else { return Some(extent) };
    let (start, end) = (extent.start.max(bound.start), extent.end.min(bound.end));
    (start <= end).then_some(Extent { start, end, ..extent })
}
