//! JSON text taken apart: the place of each value in it, found in one pass at any depth.
//!
//! serde_json checks the text first, without recursion. The pass behind it relies on that and only looks for where
//! values begin and end. So a schema visits each value once, and every value keeps its text exactly.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use smallvec::SmallVec;

use crate::names::last_of_each;

/// The values of a JSON text, in the order in which they begin. An object's keys are among them.
#[derive(Debug)]
pub(in crate::schema) struct Tree<'t> {
    text: &'t str,
    places: SmallVec<[Place; 24]>,
}

/// Where a value is in the text.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
    /// The number of the first value behind it that is not inside it.
    next: usize,
    /// It is a string without escapes.
    is_plain: bool,
}

impl<'t> Tree<'t> {
    /// Takes a text apart; returns `None` for text that is not JSON.
    pub(in crate::schema) fn of(text: &'t str) -> Option<Self> {
        let text = text.trim_ascii();
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        let bytes = text.as_bytes();
        let mut places = SmallVec::new();
        let mut open = SmallVec::<[usize; 16]>::new();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let (start, next) = (at, places.len() + 1);
            let mut is_plain = false;
            match byte {
                b'{' | b'[' => {
                    open.push(places.len());
                    at += 1;
                }
                b'}' | b']' => {
                    at += 1;
                    let end = places.len();
                    if let Some(Place { end: end_of, next, .. }) = open.pop().and_then(|number| places.get_mut(number))
                    {
                        (*end_of, *next) = (at, end);
                    }
                    continue;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                    at += 1;
                    continue;
                }
                b'"' => (at, is_plain) = string_end(bytes, at),
                _ => at = scalar_end(bytes, at),
            }
            places.push(Place { start, end: at, next, is_plain });
        }
        Some(Self { text, places })
    }

    /// Returns the value that the text is.
    pub(in crate::schema) fn root(&'t self) -> Json<'t> {
        Json { tree: self, number: 0 }
    }
}

/// Returns where the string ends that begins at `at`, and whether it has no escapes.
fn string_end(bytes: &[u8], at: usize) -> (usize, bool) {
    let (mut at, mut is_plain) = (at + 1, true);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
        match bytes.get(at) {
            Some(b'\\') => (at, is_plain) = (at + 2, false),
            _ => return (bytes.len().min(at + 1), is_plain),
        }
    }
}

/// Returns where the number, `true`, `false` or `null` ends that begins at `at`.
fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let is_inside = |byte: &u8| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len()).max(1)
}

/// A value in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(in crate::schema) struct Json<'t> {
    tree: &'t Tree<'t>,
    number: usize,
}

/// The members of an object in their order, including equal keys.
pub(in crate::schema) struct Members<'t>(SmallVec<[(Cow<'t, str>, Json<'t>); 8]>);

impl<'t> Members<'t> {
    pub(in crate::schema) fn iter(&self) -> impl Iterator<Item = (&str, Json<'t>)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// Returns the last of several members with equal keys.
    pub(in crate::schema) fn last_of_equal(&self) -> impl Iterator<Item = (&str, Json<'t>)> {
        last_of_each(self.iter())
    }
}

impl<'t> Json<'t> {
    /// Returns the value's text, without the space around it.
    pub(in crate::schema) fn text(self) -> &'t str {
        self.place().and_then(|place| self.tree.text.get(place.start..place.end)).unwrap_or_default()
    }

    /// Returns the first byte, which tells the value's type.
    pub(in crate::schema) fn first(self) -> u8 {
        self.text().as_bytes().first().copied().unwrap_or_default()
    }

    /// Returns the values of an array; of an object, the keys and values.
    pub(in crate::schema) fn items(self) -> impl Iterator<Item = Self> {
        let end = self.next();
        let mut item = Self { number: self.number + 1, ..self };
        std::iter::from_fn(move || {
            let this = item;
            item.number = this.next();
            (this.number < end).then_some(this)
        })
    }

    /// Returns the members of an object; `None` if a key is not text: half of a surrogate pair.
    pub(in crate::schema) fn members(self) -> Option<Members<'t>> {
        let (mut members, mut items) = (SmallVec::new(), self.items());
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            members.push((key.string()?, value));
        }
        Some(Members(members))
    }

    /// Returns the text that a string stands for; `None` for half of a surrogate pair.
    pub(in crate::schema) fn string(self) -> Option<Cow<'t, str>> {
        let text = self.text();
        if self.place()?.is_plain {
            return text.get(1..text.len().saturating_sub(1)).map(Cow::Borrowed);
        }
        serde_json::from_str(text).ok().map(Cow::Owned)
    }

    fn place(self) -> Option<&'t Place> {
        self.tree.places.get(self.number)
    }

    /// Returns the number of the first value behind it that is not inside it.
    fn next(self) -> usize {
        self.place().map_or(self.number, |place| place.next)
    }
}
