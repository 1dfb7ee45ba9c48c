//! The layouts of JSON lines: their keys, and all else that is between values.
//!
//! The lines of one call site differ only in their values. So the bytes between values are compared with those of lines before,
//! and need not be read again: which keys they have, and what each member is. Layouts are a tree, because call sites share
//! their first keys.
//!
//! A layout is learned from a line that was read as a whole. So whatever is found here is what reading as a whole would find.

use std::ops::Range;

use super::fields::{Name, names};
use super::member::{Key, Member};
use super::roles::Roles;
use super::value::{Shape, Value};
use super::walk::{Json, Kind};
use crate::loggers::{Dialect, UNKNOWN};

/// More places in layouts are not learned. Programs have thousands of call sites at most.
const MAX_NODES: u16 = 8192;

/// More ends of lines are not learned.
const MAX_ENDS: usize = 8192;

/// More keys in one place are not learned: they are values, such as ids.
const MAX_NEXT: usize = 24;

/// Longer ones are not learned, in bytes.
const MAX_LITERAL: usize = 256;

/// Lines that were read before.
#[derive(Debug)]
pub(super) struct Layouts {
    /// The first one is the start of a line.
    nodes: Vec<Node>,
    /// How many ends they have together.
    ends: usize,
}

/// A member of a line with a known layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// The number of the node that has the key.
    node: u16,
    kind: Kind,
    start: u32,
    end: u32,
}

impl Placed {
    #[inline]
    pub(super) fn value<'e>(&self, line: &'e [u8]) -> Value<'e> {
        let bytes = line.get(self.start as usize..self.end as usize).unwrap_or_default();
        Value::new(Shape::Json(self.kind), bytes)
    }
}

/// What comes before a value.
#[derive(Debug, Default)]
struct Node {
    /// The bytes between the value before and this one, such as `,"level":`.
    literal: Literal,
    /// Where the key is in them.
    key: Range<usize>,
    /// What may come behind the value, the longest literals first.
    next: Vec<u16>,
    ends: Vec<End>,
}

/// Bytes that lines begin with. The first of them are compared as one number.
#[derive(Debug, Default)]
struct Literal {
    bytes: Box<[u8]>,
    head: u128,
    /// The bits of `head` that count.
    mask: u128,
}

/// How many bytes of a literal are one number.
const HEAD: usize = size_of::<u128>();

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let mut head = [0; HEAD];
        let mut mask = [0; HEAD];
        head.iter_mut().zip(&mut mask).zip(bytes).for_each(|((head, mask), byte)| (*head, *mask) = (*byte, u8::MAX));
        Self { bytes: bytes.into(), head: u128::from_ne_bytes(head), mask: u128::from_ne_bytes(mask) }
    }

    #[inline]
    fn begins(&self, line: &[u8]) -> bool {
        match line.first_chunk() {
            Some(first) if u128::from_ne_bytes(*first) & self.mask != self.head => false,
            Some(_) if self.bytes.len() <= HEAD => true,
            _ => line.starts_with(&self.bytes),
        }
    }
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
    /// The names of fields that the members are, if they do not depend on values.
    pub(super) names: Option<Box<[Name]>>,
}

impl Default for Layouts {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], ends: 0 }
    }
}

/// A layout: the number of its last node, that of its end there, and whether the level is a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout(u16, usize, bool);

impl Layouts {
    /// Reads the members of a line with a known layout. `None` for any other line.
    pub(super) fn read(&self, line: &[u8], members: &mut Vec<Placed>) -> Option<Layout> {
        // So all places fit.
        u32::try_from(line.len()).ok()?;
        members.clear();
        let json = Json::new(line);
        let (mut number, mut node, mut at) = (0, self.nodes.first()?, 0);
        loop {
            let rest = line.get(at..)?;
            let next = |next: &u16| Some((*next, self.node(*next).filter(|next| next.literal.begins(rest))?));
            let Some(next) = node.next.iter().find_map(next) else {
                let end = node.ends.iter().position(|end| *end.literal == *rest)?;
                let level = node.ends.get(end)?.level.and_then(|level| members.get(level));
                return Some(Layout(number, end, level.is_some_and(|level| level.kind == Kind::Number)));
            };
            (number, node) = next;
            let start = at + node.literal.bytes.len();
            let (kind, end) = json.value_end(start)?;
            members.push(Placed { node: number, kind, start: start as u32, end: end as u32 });
            at = end;
        }
    }

    #[inline]
    fn node(&self, number: u16) -> Option<&Node> {
        self.nodes.get(usize::from(number))
    }

    /// Returns the key of a member.
    pub(super) fn key(&self, member: &Placed) -> &[u8] {
        self.node(member.node).and_then(|node| node.literal.bytes.get(node.key.clone())).unwrap_or_default()
    }

    /// Returns what a line of a layout is.
    pub(super) fn known(&self, Layout(node, end, has_number): Layout) -> Option<&Known> {
        self.node(node)?.ends.get(end)?.known.get(usize::from(has_number))?.as_ref()
    }

    /// Learns the layout of a line with these members. `None` if there are too many.
    pub(super) fn learn(&mut self, line: &[u8], members: &[Member]) -> Option<()> {
        let (mut number, mut at) = (0, 0);
        for member in members {
            let Key::Line(key) = &member.key else { return None };
            let literal = line.get(at..member.value.start)?;
            number = self.next(number, literal, key.start - at..key.end - at)?;
            at = member.value.end;
        }
        let place = |name: &str| members.iter().rposition(|member| member.key(line) == name.as_bytes());
        let literal = line.get(at..).filter(|literal| literal.len() <= MAX_LITERAL)?;
        let node = self.nodes.get_mut(usize::from(number))?;
        let end = match node.ends.iter().position(|end| *end.literal == *literal) {
            Some(end) => end,
            None if node.ends.len() < MAX_NEXT && self.ends < MAX_ENDS => {
                self.ends += 1;
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
        let names = names(dialect, members.iter().map(|member| member.key(line)));
        *known = Some(Known { dialect, roles: Roles::new(dialect, place), names });
        Some(())
    }

    /// Returns the node behind another one with a literal.
    fn next(&mut self, number: u16, literal: &[u8], key: Range<usize>) -> Option<u16> {
        let next = self.node(number)?.next.clone();
        let is_it = |next: &&u16| self.node(**next).is_some_and(|next| *next.literal.bytes == *literal);
        if let Some(next) = next.iter().find(is_it) {
            return Some(*next);
        }
        let new = u16::try_from(self.nodes.len()).ok().filter(|new| *new < MAX_NODES)?;
        if next.len() >= MAX_NEXT || literal.len() > MAX_LITERAL {
            return None;
        }
        // One literal may begin with another one, which has less space at its end.
        let length = |next: &u16| self.node(*next).map_or(0, |next| next.literal.bytes.len());
        let at = next.iter().position(|other| length(other) < literal.len()).unwrap_or(next.len());
        self.nodes.push(Node { literal: Literal::new(literal), key, ..Node::default() });
        self.nodes.get_mut(usize::from(number))?.next.insert(at, new);
        Some(new)
    }
}
