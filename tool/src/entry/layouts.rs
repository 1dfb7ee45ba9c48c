//! The layouts of JSON lines: their keys, and all else that is between values.
//!
//! The lines of one call site differ only in their values. So the bytes between values are compared with those of lines before,
//! and need not be read again: which keys they have, and what each member is. Layouts are a tree, because call sites share
//! their first keys.
//!
//! A layout is learned from a line that was read as a whole. So whatever is found here is what reading as a whole would find.

use std::ops::Range;

use super::member::{Key, Member};
use super::roles::Roles;
use super::value::Shape;
use super::walk::{Json, Kind};
use crate::loggers::{Dialect, UNKNOWN};

/// More places in layouts are not learned. Programs have thousands of call sites at most.
const MAX_NODES: usize = 8192;

/// More keys in one place are not learned: they are values, such as ids.
const MAX_NEXT: usize = 24;

/// Longer ones are not learned, in bytes.
const MAX_LITERAL: usize = 256;

/// Lines that were read before.
#[derive(Debug)]
pub(super) struct Layouts {
    /// The first one is the start of a line.
    nodes: Vec<Node>,
}

/// What comes before a value.
#[derive(Debug, Default)]
struct Node {
    /// The bytes between the value before and this one, such as `,"level":`.
    literal: Box<[u8]>,
    /// Where the key is in them.
    key: Range<usize>,
    /// What may come behind the value, the longest literals first.
    next: Vec<usize>,
    ends: Vec<End>,
}

/// The end of a line.
#[derive(Debug)]
struct End {
    literal: Box<[u8]>,
    /// The number of the last member called `level`.
    level: Option<usize>,
    /// What a line is if its level is no number, and if it is one.
    known: [Option<Known>; 2],
}

/// What lines of a layout are.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) dialect: &'static Dialect,
    pub(super) roles: Roles,
}

impl Default for Layouts {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

/// A layout: the number of its last node, that of its end there, and whether the level is a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout(usize, usize, bool);

impl Layouts {
    /// Reads the members of a line with a known layout. `None` for any other line; then `members` has some of them.
    pub(super) fn read(&self, line: &[u8], members: &mut Vec<Member>) -> Option<Layout> {
        let json = Json::new(line);
        let (mut number, mut node, mut at) = (0, self.nodes.first()?, 0);
        loop {
            let rest = line.get(at..)?;
            let is_next = |next: &&usize| self.nodes.get(**next).is_some_and(|next| rest.starts_with(&next.literal));
            let Some(next) = node.next.iter().find(is_next) else {
                let end = node.ends.iter().position(|end| *end.literal == *rest)?;
                return Some(Layout(number, end, self.has_number(members, node.ends.get(end)?)));
            };
            (number, node) = (*next, self.nodes.get(*next)?);
            let key = at + node.key.start..at + node.key.end;
            let start = at + node.literal.len();
            let (kind, end) = json.value_end(start)?;
            members.push(Member { key: Key::Line(key), shape: Shape::Json(kind), value: start..end });
            at = end;
        }
    }

    fn has_number(&self, members: &[Member], end: &End) -> bool {
        let level = end.level.and_then(|level| members.get(level));
        level.is_some_and(|level| level.shape == Shape::Json(Kind::Number))
    }

    /// Returns what a line of a layout is.
    pub(super) fn known(&self, Layout(node, end, has_number): Layout) -> Option<&Known> {
        self.nodes.get(node)?.ends.get(end)?.known.get(usize::from(has_number))?.as_ref()
    }

    /// Learns the layout of a line with these members. Returns it unless there are too many.
    pub(super) fn learn(&mut self, line: &[u8], members: &[Member]) -> Option<Layout> {
        let (mut number, mut at) = (0, 0);
        for member in members {
            let Key::Line(key) = &member.key else { return None };
            let literal = line.get(at..member.value.start)?;
            number = self.next(number, literal, key.start - at..key.end - at)?;
            at = member.value.end;
        }
        let place = |name: &str| members.iter().rposition(|member| member.key(line) == name.as_bytes());
        let literal = line.get(at..).filter(|literal| literal.len() <= MAX_LITERAL)?;
        let node = self.nodes.get_mut(number)?;
        let end = match node.ends.iter().position(|end| *end.literal == *literal) {
            Some(end) => end,
            None if node.ends.len() < MAX_NEXT => {
                node.ends.push(End { literal: literal.into(), level: place("level"), known: [None, None] });
                node.ends.len() - 1
            }
            None => return None,
        };
        let first = |name: &str| members.iter().position(|member| member.key(line) == name.as_bytes());
        let has_number = place("level").and_then(|level| members.get(level));
        let has_number = has_number.is_some_and(|level| level.shape == Shape::Json(Kind::Number));
        let known = node.ends.get_mut(end)?.known.get_mut(usize::from(has_number))?;
        let dialect = Dialect::find(first, has_number).map_or(&UNKNOWN, |(_, dialect)| dialect);
        *known = Some(Known { dialect, roles: Roles::new(dialect, place) });
        Some(Layout(number, end, has_number))
    }

    /// Returns the node behind another one with a literal.
    fn next(&mut self, number: usize, literal: &[u8], key: Range<usize>) -> Option<usize> {
        let next = self.nodes.get(number)?.next.clone();
        let is_it = |next: &&usize| self.nodes.get(**next).is_some_and(|next| *next.literal == *literal);
        if let Some(next) = next.iter().find(is_it) {
            return Some(*next);
        }
        if self.nodes.len() >= MAX_NODES || next.len() >= MAX_NEXT || literal.len() > MAX_LITERAL {
            return None;
        }
        // One literal may begin with another one, which has less space at its end.
        let length = |next: &usize| self.nodes.get(*next).map_or(0, |next| next.literal.len());
        let at = next.iter().position(|other| length(other) < literal.len()).unwrap_or(next.len());
        let new = self.nodes.len();
        self.nodes.push(Node { literal: literal.into(), key, ..Node::default() });
        self.nodes.get_mut(number)?.next.insert(at, new);
        Some(new)
    }
}
