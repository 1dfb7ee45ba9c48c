//! The rows of a waterfall: spans, the events and the gaps in them, by time.

use std::cmp::Reverse;

use super::chain::chain;
use super::gaps::{Gap, gaps};
use super::span::Event;
use super::tree::{Tree, set};
use crate::loggers::LineLevel;

/// What is shown of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// At most this many spans, those in the chain and those with errors first, then the longest.
    pub(super) spans: usize,
    /// Events of this level and more severe ones have rows.
    pub(super) level: LineLevel,
    /// Gaps longer than this share of the whole.
    pub(super) gap_share: f64,
}

/// A row.
#[derive(Debug)]
pub(super) struct Row<'t> {
    pub(super) depth: usize,
    pub(super) span: usize,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug)]
pub(super) enum Kind<'t> {
    Span,
    Event(&'t Event),
    Gap(Gap),
    /// Spans that are not shown, and how long they took together.
    More {
        spans: usize,
        nanos: i64,
    },
    /// Events of a span that were only counted.
    Folded(u64),
}

/// A trace, ready to be shown.
#[derive(Debug)]
pub(super) struct Waterfall<'t> {
    pub(super) tree: &'t Tree,
    /// The time of the longest chain that is each span's own; `None` outside it.
    pub(super) chain: Vec<Option<i64>>,
    pub(super) rows: Vec<Row<'t>>,
}

impl<'t> Waterfall<'t> {
    pub(super) fn new(tree: &'t Tree, choice: &Choice) -> Self {
        let chain = chain(tree);
        let shown = shown(tree, &chain, choice.spans);
        let least = tree.whole().map_or(i64::MAX, |whole| (whole.nanos() as f64 * choice.gap_share) as i64);
        let mut rows = Vec::new();
        let mut next: Vec<Row<'t>> = Vec::new();
        push_spans(tree, &shown, &tree.roots, 0, &mut next);
        next.reverse();
        while let Some(row) = next.pop() {
            if let Kind::Span = row.kind {
                let from = next.len();
                push_inside(tree, &shown, &row, choice, least, &mut next);
                if let Some(inside) = next.get_mut(from..) {
                    inside.reverse();
                }
            }
            rows.push(row);
        }
        Self { tree, chain, rows }
    }

    /// Returns whether a span is in the longest chain.
    pub(super) fn is_in_chain(&self, number: usize) -> bool {
        self.chain.get(number).is_some_and(Option::is_some)
    }

    /// Returns the spans of the chain by the time of it that is their own, the longest first.
    pub(super) fn longest(&self) -> Vec<(usize, i64)> {
        let own = self.chain.iter().enumerate();
        let mut own: Vec<_> = own.filter_map(|(number, own)| Some((number, (*own)?))).collect();
        own.sort_by_key(|(_, nanos)| Reverse(*nanos));
        own
    }

    /// Returns the length of the chain.
    pub(super) fn chain_nanos(&self) -> i64 {
        self.chain.iter().flatten().fold(0, |sum: i64, own| sum.saturating_add(*own))
    }
}

/// Returns which spans are shown.
fn shown(tree: &Tree, chain: &[Option<i64>], limit: usize) -> Vec<bool> {
    let count = tree.store.spans.len();
    if count <= limit {
        return vec![true; count];
    }
    let mut shown = vec![false; count];
    let mut ranked = tree.order.clone();
    ranked.sort_by_key(|number| {
        let is_in_chain = chain.get(*number).is_some_and(Option::is_some);
        let has_error = tree.span(*number).is_some_and(|span| span.counts.errors > 0);
        let nanos = tree.extent(*number).map_or(0, |extent| extent.nanos());
        Reverse((is_in_chain, has_error, nanos))
    });
    let mut left = limit;
    for number in ranked {
        let is_hidden = |number: &usize| !shown.get(*number).copied().unwrap_or(true);
        let path = std::iter::successors(Some(number), |number| tree.parent(*number)).take_while(is_hidden);
        let path: Vec<usize> = path.take(left + 1).collect();
        if path.len() > left {
            continue;
        }
        left -= path.len();
        path.into_iter().for_each(|number| set(&mut shown, number, true));
        if left == 0 {
            break;
        }
    }
    shown
}

/// Adds the rows of siblings, and one for those that are not shown.
fn push_spans<'t>(tree: &Tree, shown: &[bool], spans: &[usize], depth: usize, rows: &mut Vec<Row<'t>>) {
    let is_shown = |number: &&usize| shown.get(**number).copied().unwrap_or(false);
    let row = |span, kind| Row { depth, span, kind };
    rows.extend(spans.iter().filter(is_shown).map(|number| row(*number, Kind::Span)));
    let hidden: Vec<usize> = spans.iter().filter(|number| !is_shown(number)).copied().collect();
    if let Some(first) = hidden.first() {
        let nanos = hidden.iter().filter_map(|number| tree.extent(*number));
        let nanos = nanos.fold(0, |sum: i64, extent| sum.saturating_add(extent.nanos()));
        rows.push(row(*first, Kind::More { spans: count(tree, &hidden), nanos }));
    }
}

/// Returns how many spans there are, with those inside them.
fn count(tree: &Tree, spans: &[usize]) -> usize {
    let (mut count, mut next) = (0, spans.to_vec());
    while let Some(number) = next.pop() {
        count += 1;
        next.extend(tree.children_of(number));
    }
    count
}

/// Adds the rows inside a span, by time.
fn push_inside<'t>(
    tree: &'t Tree,
    shown: &[bool],
    row: &Row<'t>,
    choice: &Choice,
    least: i64,
    rows: &mut Vec<Row<'t>>,
) {
    let (depth, number) = (row.depth + 1, row.span);
    let Some(span) = tree.span(number) else { return };
    let mut inside = Vec::new();
    push_spans(tree, shown, tree.children_of(number), depth, &mut inside);
    let start = |number| tree.extent(number).map_or(i64::MAX, |extent| extent.start);
    let mut timed: Vec<(i64, Row<'t>)> = Vec::with_capacity(inside.len());
    let mut more = None;
    for row in inside {
        match row.kind {
            Kind::More { .. } => more = Some(row),
            _ => timed.push((start(row.span), row)),
        }
    }
    let is_chosen = |event: &&Event| choice.level == LineLevel::Trace || event.level >= Some(choice.level);
    for event in span.events.iter().filter(is_chosen) {
        timed.push((event.time.unwrap_or(i64::MIN), Row { depth, span: number, kind: Kind::Event(event) }));
    }
    for gap in gaps(tree, number, least) {
        timed.push((gap.start, Row { depth, span: number, kind: Kind::Gap(gap) }));
    }
    timed.sort_by_key(|(time, _)| *time);
    rows.extend(timed.into_iter().map(|(_, row)| row));
    rows.extend(more);
    if span.counts.folded > 0 {
        rows.push(Row { depth, span: number, kind: Kind::Folded(span.counts.folded) });
    }
}
