//! JSON text taken apart: the place of each value in it, found in one pass and without recursion.
//!
//! serde_json checks the text first. The pass behind it relies on that and only looks for where values begin and end. So
//! every value keeps its text exactly.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::refused::Refused;
use crate::loggers::string;

/// Deeper values are refused. Common readers stop at 128 levels, and the library writes no deeper lines.
const MAX_DEPTH: usize = 128;

/// The values of a JSON object, in the order in which they begin. Its keys are among them.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    text: &'t str,
    places: Vec<Place>,
}

/// Where a value is in the text.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    /// The number of the first value behind it that is not inside it.
    next: u32,
}

/// A value in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'t> {
    tree: &'t Tree<'t>,
    number: u32,
}

impl<'t> Tree<'t> {
    /// Takes the only JSON object in `bytes` apart. The mark of UTF-8 and the space around it do not count.
    pub(super) fn of(bytes: &'t [u8]) -> Result<Self, Refused> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        let Some(first) = bytes.first() else { return Err(Refused::Empty) };
        if u32::try_from(bytes.len()).is_err() {
            return Err(Refused::TooLarge);
        }
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) if *first == b'{' => return Err(Refused::NotUtf8),
            Err(_) => return Err(Refused::of_broken(bytes)),
        };
        match serde_json::from_str::<IgnoredAny>(text) {
            Err(_) => Err(Refused::of_broken(bytes)),
            Ok(_) if *first != b'{' => Err(Refused::NotAnObject),
            Ok(_) => Self::of_object(text),
        }
    }

    /// Takes checked text apart.
    fn of_object(text: &'t str) -> Result<Self, Refused> {
        let bytes = text.as_bytes();
        let mut places: Vec<Place> = Vec::with_capacity(32);
        let mut open: Vec<usize> = Vec::with_capacity(8);
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let start = at;
            match byte {
                b'{' | b'[' => {
                    open.push(places.len());
                    at += 1;
                }
                b'}' | b']' => {
                    at += 1;
                    let behind = places.len();
                    if let Some(place) = open.pop().and_then(|number| places.get_mut(number)) {
                        (place.end, place.next) = (at as u32, behind as u32);
                    }
                    continue;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                    at += 1;
                    continue;
                }
                b'"' => at = string_end(bytes, at),
                _ => at = scalar_end(bytes, at),
            }
            if open.len() > MAX_DEPTH {
                return Err(Refused::TooDeep);
            }
            places.push(Place { start: start as u32, end: at as u32, next: places.len() as u32 + 1 });
        }
        Ok(Self { text, places })
    }

    /// Returns the object.
    pub(super) fn root(&'t self) -> Json<'t> {
        Json { tree: self, number: 0 }
    }
}

impl<'t> Json<'t> {
    /// Returns the value's text, without the space around it.
    pub(super) fn text(self) -> &'t str {
        let range = |place: &Place| self.tree.text.get(place.start as usize..place.end as usize);
        self.place().and_then(range).unwrap_or_default()
    }

    /// Returns the first byte, which tells the value's type.
    pub(super) fn first(self) -> u8 {
        self.text().as_bytes().first().copied().unwrap_or_default()
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self.first(), b'-' | b'0'..=b'9')
    }

    /// Returns the values of an array; none for anything else.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        self.inside(b'[')
    }

    /// Returns the members of an object in their order, including equal keys; none for anything else.
    pub(super) fn members(self) -> impl Iterator<Item = (Cow<'t, str>, Self)> {
        let mut inside = self.inside(b'{');
        std::iter::from_fn(move || {
            let key = inside.next()?;
            Some((string(key.text()), inside.next()?))
        })
    }

    /// Returns the text that a string stands for.
    pub(super) fn string(self) -> Option<Cow<'t, str>> {
        (self.first() == b'"').then(|| string(self.text()))
    }

    /// Returns the values directly inside; none unless it begins with `first`.
    fn inside(self, first: u8) -> impl Iterator<Item = Self> {
        let end = if self.first() == first { self.next() } else { 0 };
        let mut item = Self { number: self.number + 1, ..self };
        std::iter::from_fn(move || {
            let this = item;
            item.number = this.next();
            (this.number < end).then_some(this)
        })
    }

    fn place(self) -> Option<&'t Place> {
        self.tree.places.get(self.number as usize)
    }

    /// Returns the number of the first value behind it that is not inside it.
    fn next(self) -> u32 {
        self.place().map_or(self.number, |place| place.next)
    }
}

/// Returns where the string ends that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return bytes.len().min(at + 1),
        }
    }
}

/// Returns where the number, `true`, `false` or `null` ends that begins at `at`.
fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let is_inside = |byte: &u8| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len()).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_keep_the_texts_of_their_values() {
        let text = r#" {"a" : [1, {"b":"]}"}] ,"a":"x\"y", "":-1.50e3,"c":null ,"d":{}}"#;
        let tree = Tree::of(text.as_bytes()).unwrap();
        let members: Vec<_> = tree.root().members().map(|(key, value)| (key.into_owned(), value.text())).collect();
        let expected = [("a", r#"[1, {"b":"]}"}]"#), ("a", r#""x\"y""#), ("", "-1.50e3"), ("c", "null"), ("d", "{}")];
        assert_eq!(members, expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_reason() {
        let refused = |bytes: &[u8]| Tree::of(bytes).unwrap_err();
        assert_eq!(refused(b"\r\n"), Refused::Empty);
        assert_eq!(refused(b"\xef\xbb\xbf"), Refused::Empty);
        assert_eq!(refused(b"hello"), Refused::NotJson);
        assert_eq!(refused(b"{\"a\":1"), Refused::NotJson);
        assert_eq!(refused(b"{\"a\":1} {}"), Refused::NotJson);
        assert_eq!(refused(b"{\"a\":\"\0\"}"), Refused::NotJson);
        assert_eq!(refused(b"{\"a\":\"\xff\"}"), Refused::NotUtf8);
        assert_eq!(refused(b"[1]"), Refused::NotAnObject);
        assert_eq!(refused(b"\x80\x04\x95"), Refused::Pickle);
        let deep = |levels| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        assert!(Tree::of(deep(128).as_bytes()).is_ok());
        assert_eq!(refused(deep(129).as_bytes()), Refused::TooDeep);
        assert_eq!(refused("[".repeat(1 << 20).as_bytes()), Refused::NotJson);
        assert_eq!(refused(deep(1 << 18).as_bytes()), Refused::TooDeep);
    }

    proptest! {
        #[test]
        fn any_string_is_read_as_it_was_written(text in any::<String>(), key in any::<String>()) {
            let json = serde_json::json!({ key.as_str(): text }).to_string();
            let tree = Tree::of(json.as_bytes()).unwrap();
            let (read, value) = tree.root().members().next().unwrap();
            prop_assert_eq!((&*read, &*value.string().unwrap()), (key.as_str(), text.as_str()));
        }
    }
}
