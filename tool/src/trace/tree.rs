//! Spans as trees: parents, order and times.
//!
//! 1. [`link`] finds the parent of each span: by its id, by the names around it, or none. Circles are cut open.
//! 2. [`Tree::new`] orders the spans, each behind its parent.
//! 3. [`extents`](super::extents) gives each span its start and its end.

use std::collections::HashMap;

use super::extents::{Extent, extents};
use super::place::place;
use super::span::{Identity, Parent, Span};
use super::store::Store;

/// Spans with their places in the tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) store: Store,
    /// The parent of each span.
    pub(super) parents: Vec<Option<usize>>,
    pub(super) children: Vec<Vec<usize>>,
    /// Spans without a parent.
    pub(super) roots: Vec<usize>,
    /// All spans, each behind its parent.
    pub(super) order: Vec<usize>,
    pub(super) extents: Vec<Option<Extent>>,
    /// Spans whose parents lead back to them.
    pub(super) in_circles: Vec<bool>,
    /// Spans without lines, whose parents were found by time.
    pub(super) placed: Vec<bool>,
}

impl Tree {
    pub(super) fn new(mut store: Store) -> Self {
        let mut parents = link(&mut store);
        let in_circles = cut_circles(&mut parents);
        let mut children = vec![Vec::new(); parents.len()];
        let mut roots = Vec::new();
        for (number, parent) in parents.iter().enumerate() {
            match parent.and_then(|parent| children.get_mut(parent)) {
                Some(children) => children.push(number),
                None => roots.push(number),
            }
        }
        let order = order(&roots, &children);
        let extents = extents(&store.spans, &parents, &children, &order);
        let placed = vec![false; parents.len()];
        let mut tree = Self { store, parents, children, roots, order, extents, in_circles, placed };
        place(&mut tree);
        tree.sort();
        tree
    }

    /// Sorts siblings by their start. Spans without a time come last.
    fn sort(&mut self) {
        let extents = &self.extents;
        let start = |number: &usize| extents.get(*number).copied().flatten().map_or(i64::MAX, |extent| extent.start);
        self.roots.sort_by_key(start);
        self.children.iter_mut().for_each(|children| children.sort_by_key(start));
        self.order = order(&self.roots, &self.children);
        self.store.renumber(&self.order);
    }

    pub(super) fn span(&self, number: usize) -> Option<&Span> {
        self.store.spans.get(number)
    }

    pub(super) fn extent(&self, number: usize) -> Option<Extent> {
        self.extents.get(number).copied().flatten()
    }

    pub(super) fn parent(&self, number: usize) -> Option<usize> {
        self.parents.get(number).copied().flatten()
    }

    pub(super) fn children_of(&self, number: usize) -> &[usize] {
        self.children.get(number).map_or(&[], Vec::as_slice)
    }

    /// Returns the name of a span as people see it.
    pub(super) fn name(&self, number: usize) -> String {
        let Some(span) = self.span(number) else { return String::new() };
        let id = || span.identity.id.as_deref().map(|id| format!("span {}", id.get(..8).unwrap_or(id)));
        match self.store.names.name(span.identity.name) {
            Some(name) => name.to_owned(),
            None if span.is_outside => "(outside of spans)".to_owned(),
            None => id().unwrap_or_else(|| "(unnamed)".to_owned()),
        }
    }

    /// Returns what is said behind the name of a span of which only the id is known.
    pub(super) fn remark(&self, number: usize) -> Option<&'static str> {
        let span = self.span(number).filter(|span| !span.has_lines() && span.identity.name.is_none())?;
        let is_placed = self.placed.get(number).copied().unwrap_or(false);
        span.identity.id.as_ref().map(|_| if is_placed { "(no lines, placed by time)" } else { "(no lines)" })
    }

    pub(super) fn service(&self, number: usize) -> Option<&str> {
        self.store.services.name(self.span(number)?.identity.service)
    }

    /// Returns by how many nanoseconds a span of another service than its parent's begins before it. Their clocks differ.
    pub(super) fn skew(&self, number: usize) -> Option<i64> {
        let parent = self.parent(number)?;
        let is_other = self.service(number)? != self.service(parent)?;
        let early = self.extent(parent)?.start.saturating_sub(self.extent(number)?.start);
        (is_other && early > TOLERANCE_NANOS).then_some(early)
    }

    /// Returns the start and the end of all spans.
    pub(super) fn whole(&self) -> Option<Extent> {
        self.extents.iter().flatten().copied().reduce(|one, other| Extent {
            start: one.start.min(other.start),
            end: one.end.max(other.end),
            is_measured: false,
        })
    }
}

/// A line's time and the duration in it are not read at the same instant.
pub(super) const TOLERANCE_NANOS: i64 = 100_000;

/// Returns the parent of each span. Adds spans for parents that have no lines.
fn link(store: &mut Store) -> Vec<Option<usize>> {
    let mut by_id: HashMap<(Option<usize>, String), usize> = HashMap::new();
    let mut by_path: HashMap<PathKey, Vec<usize>> = HashMap::new();
    for (number, span) in store.spans.iter().enumerate() {
        if let Some(id) = &span.identity.id {
            by_id.insert((span.identity.trace, id.clone()), number);
        }
        if let Some(key) = PathKey::of(&span.identity, 0) {
            by_path.entry(key).or_default().push(number);
        }
    }
    let mut parents = Vec::with_capacity(store.spans.len());
    // Spans that are added have parents too.
    while let Some(span) = store.spans.get(parents.len()) {
        let identity = span.identity.clone();
        let start = span.seen.start.or(span.seen.lines.map(|(first, _)| first));
        let parent = match span.parent.clone() {
            Parent::Span(number) => Some(number),
            Parent::Id(id) => Some(*by_id.entry((identity.trace, id)).or_insert_with_key(|(trace, id)| {
                let identity = Identity { id: Some(id.clone()), trace: *trace, ..Identity::default() };
                store.spans.push(Span { identity, ..Span::default() });
                store.spans.len() - 1
            })),
            Parent::Unknown => PathKey::of(&identity, 1).map(|key| {
                let known = by_path.entry(key).or_default();
                nearest(&store.spans, known, start).unwrap_or_else(|| {
                    let path: Box<[usize]> = identity.path.iter().take(identity.path.len() - 1).copied().collect();
                    let identity = Identity { id: None, about: None, name: path.last().copied(), path, ..identity };
                    store.spans.push(Span { identity, ..Span::default() });
                    known.push(store.spans.len() - 1);
                    store.spans.len() - 1
                })
            }),
        };
        parents.push(parent);
    }
    parents
}

/// Where a span is by its names: its trace, its service, and the names.
#[derive(PartialEq, Eq, Hash)]
struct PathKey(Option<usize>, Option<usize>, Box<[usize]>);

impl PathKey {
    /// Returns the key of a span, without the last names of its path.
    fn of(identity: &Identity, without: usize) -> Option<Self> {
        let length = identity.path.len().checked_sub(without).filter(|length| *length > 0)?;
        Some(Self(identity.trace, identity.service, identity.path.get(..length)?.into()))
    }
}

/// Returns the span that began last before a time, else the first.
fn nearest(spans: &[Span], known: &[usize], time: Option<i64>) -> Option<usize> {
    /// More of the same path are not compared.
    const MAX_COMPARED: usize = 64;
    let start = |number: &&usize| spans.get(**number)?.seen.lines.map(|(first, _)| first);
    let before = known.iter().rev().take(MAX_COMPARED).filter(|number| start(number) <= time);
    before.max_by_key(start).or(known.first()).copied()
}

/// Removes a parent from each circle of parents. Returns which spans were in one.
fn cut_circles(parents: &mut [Option<usize>]) -> Vec<bool> {
    /// What is known of a span: nothing, that this walk has met it, or that its parents lead to a root.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mark {
        New,
        Met(usize),
        Done,
    }
    let mut marks = vec![Mark::New; parents.len()];
    let mut in_circles = vec![false; parents.len()];
    for start in 0..parents.len() {
        let (mut walk, mut next) = (Vec::new(), Some(start));
        while let Some(number) = next {
            match marks.get_mut(number) {
                Some(mark) if *mark == Mark::New => *mark = Mark::Met(start),
                Some(Mark::Met(by)) if *by == start => {
                    // The walk came back to this one. The first of the circle becomes its root.
                    let circle = walk.iter().rposition(|met| *met == number).unwrap_or(0);
                    let members = walk.get(circle..).unwrap_or_default();
                    members.iter().for_each(|member| set(&mut in_circles, *member, true));
                    if let Some(root) = members.iter().min() {
                        set(parents, *root, None);
                    }
                    break;
                }
                _ => break,
            }
            walk.push(number);
            next = parents.get(number).copied().flatten();
        }
        walk.into_iter().for_each(|number| set(&mut marks, number, Mark::Done));
    }
    in_circles
}

pub(super) fn set<T>(list: &mut [T], number: usize, value: T) {
    if let Some(place) = list.get_mut(number) {
        *place = value;
    }
}

/// Returns all spans, each behind its parent and before its next sibling.
fn order(roots: &[usize], children: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(children.len());
    let mut next: Vec<usize> = roots.iter().rev().copied().collect();
    while let Some(number) = next.pop() {
        order.push(number);
        next.extend(children.get(number).into_iter().flatten().rev());
    }
    order
}
