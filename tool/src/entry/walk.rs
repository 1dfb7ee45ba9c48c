//! The members of one JSON object, found in one pass over its bytes.
//!
//! The walk yields the places of each top-level key and value, and allocates nothing. It checks all of the object, nested
//! values too: a line counts as JSON if serde_json takes it for JSON, and only then. The exceptions are on the lenient side:
//! bytes in strings that are not UTF-8, and halves of surrogate pairs, are for the reader of the value to replace.
//!
//! Time is linear in the number of bytes. Nested values need no recursion, and at most [`MAX_DEPTH`] levels are read.

use std::ops::Range;

use super::special::{digits, special};

/// Deeper lines are broken. Common readers stop at 128 levels, and the library writes no deeper lines.
pub(crate) const MAX_DEPTH: u32 = 128;

/// What a value is.
///
/// A word, so that what holds one is copied by words: a processor waits for bytes that it has just written one by one and reads
/// as a word. Counting a line took a quarter longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Kind {
    /// A string, with its quotes.
    Text,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

/// The place of a key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The key, without its quotes.
    pub(crate) key: Range<usize>,
    pub(crate) kind: Kind,
    pub(crate) value: Range<usize>,
}

/// Walks over the members of an object, in their order. Equal keys are yielded each time.
#[derive(Debug)]
pub(crate) struct Walk<'l> {
    json: Json<'l>,
    at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Inside,
    Whole,
    Broken,
}

impl<'l> Walk<'l> {
    /// Starts at the only object in `bytes`, which white space may surround.
    pub(crate) fn new(bytes: &'l [u8]) -> Self {
        Self { json: Json::new(bytes), at: 0, state: State::Begin }
    }

    /// Returns whether the walk has ended, and `bytes` are one whole object.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Goes to the next member; `Some(None)` at the end of the object, and `None` where it is broken.
    fn step(&mut self) -> Option<Option<Found>> {
        let json = &self.json;
        let mut at = json.space_end(self.at);
        if self.state == State::Begin {
            at = json.space_end(json.expect(at, b'{')?);
            if json.byte(at)? == b'}' {
                return json.end(at + 1).map(|()| None);
            }
        } else if json.byte(at)? == b'}' {
            return json.end(at + 1).map(|()| None);
        } else {
            at = json.space_end(json.expect(at, b',')?);
        }
        let key_start = json.expect(at, b'"')?;
        let key_end = json.string_end(key_start)?;
        at = json.space_end(key_end);
        at = json.space_end(json.expect(at, b':')?);
        let (kind, end) = json.value_end(at)?;
        self.at = end;
        Some(Some(Found { key: key_start..key_end - 1, kind, value: at..end }))
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if matches!(self.state, State::Whole | State::Broken) {
            return None;
        }
        let found = self.step();
        self.state = match &found {
            Some(Some(_)) => State::Inside,
            Some(None) => State::Whole,
            None => State::Broken,
        };
        found.flatten()
    }
}

/// Returns where the JSON string ends whose first quote is at `start`.
pub(super) fn json_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    Json { bytes }.string_end(start + 1)
}

/// Returns the places of the values of an array at a place; none for anything else.
pub(super) fn items(bytes: &[u8], array: Range<usize>) -> impl Iterator<Item = (Kind, Range<usize>)> {
    let json = Json { bytes: bytes.get(..array.end).unwrap_or_default() };
    let mut next = json.expect(array.start, b'[');
    std::iter::from_fn(move || {
        let start = json.space_end(next?);
        let (kind, end) = json.value_end(start)?;
        next = json.expect(json.space_end(end), b',');
        Some((kind, start..end))
    })
}

/// Returns whether the bytes are a number as JSON spells it.
pub(super) fn is_number(bytes: &[u8]) -> bool {
    let is_start = matches!(bytes.first(), Some(b'-' | b'0'..=b'9'));
    is_start && Json { bytes }.number_end(0) == Some(bytes.len())
}

/// The bytes, and where things end in them. `None` stands for bytes that are not JSON.
#[derive(Debug)]
pub(super) struct Json<'l> {
    bytes: &'l [u8],
}

impl<'l> Json<'l> {
    pub(super) fn new(bytes: &'l [u8]) -> Self {
        Self { bytes }
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Returns where the byte ends that is expected.
    fn expect(&self, at: usize, byte: u8) -> Option<usize> {
        (self.byte(at)? == byte).then_some(at + 1)
    }

    fn space_end(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    }

    /// Expects nothing but white space.
    fn end(&self, at: usize) -> Option<()> {
        (self.space_end(at) == self.bytes.len()).then_some(())
    }

    /// Returns where the string ends whose first character is at `start`, with its quote.
    #[inline]
    fn string_end(&self, start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            at += special(self.bytes.get(at..)?)?;
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at = self.escape_end(at + 1)?,
                // JSON forbids control characters.
                _ => return None,
            }
        }
    }

    /// Returns where the escape ends whose backslash is in front of `at`.
    fn escape_end(&self, at: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
            b'u' => self.bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
            _ => None,
        }
    }

    /// Returns what the value at `at` is, and where it ends.
    #[inline(always)]
    pub(super) fn value_end(&self, at: usize) -> Option<(Kind, usize)> {
        let (kind, end) = match self.byte(at)? {
            b'"' => (Kind::Text, self.string_end(at + 1)),
            b'{' => (Kind::Object, self.nested_end(at)),
            b'[' => (Kind::Array, self.nested_end(at)),
            _ => return self.scalar_end(at),
        };
        Some((kind, end?))
    }

    fn scalar_end(&self, at: usize) -> Option<(Kind, usize)> {
        let (kind, end) = match self.byte(at)? {
            b'"' => (Kind::Text, self.string_end(at + 1)),
            b't' => (Kind::True, self.word_end(at, b"true")),
            b'f' => (Kind::False, self.word_end(at, b"false")),
            b'n' => (Kind::Null, self.word_end(at, b"null")),
            _ => (Kind::Number, self.number_end(at)),
        };
        Some((kind, end?))
    }

    fn word_end(&self, at: usize, word: &[u8]) -> Option<usize> {
        let end = at + word.len();
        (self.bytes.get(at..end)? == word).then_some(end)
    }

    fn number_end(&self, at: usize) -> Option<usize> {
        let at = self.expect(at, b'-').unwrap_or(at);
        let mut at = match self.byte(at)? {
            b'0' => at + 1,
            _ => self.digits_end(at)?,
        };
        if let Some(part) = self.expect(at, b'.') {
            at = self.digits_end(part)?;
        }
        if let Some(exponent) = self.expect(at, b'e').or_else(|| self.expect(at, b'E')) {
            let signed = self.expect(exponent, b'+').or_else(|| self.expect(exponent, b'-'));
            at = self.digits_end(signed.unwrap_or(exponent))?;
        }
        Some(at)
    }

    /// Returns where the digits end, of which there is at least one.
    fn digits_end(&self, at: usize) -> Option<usize> {
        let end = at + digits(self.bytes.get(at..)?);
        (end > at).then_some(end)
    }

    /// Returns where the object or array ends that begins at `at`.
    fn nested_end(&self, at: usize) -> Option<usize> {
        let mut open = Open::default();
        open.push(self.byte(at)?)?;
        let mut at = at + 1;
        let mut may_close = true;
        loop {
            at = self.space_end(at);
            if !(may_close && self.byte(at)? == open.closing()) {
                if open.is_object() {
                    at = self.space_end(self.string_end(self.expect(at, b'"')?)?);
                    at = self.space_end(self.expect(at, b':')?);
                }
                let byte = self.byte(at)?;
                if matches!(byte, b'{' | b'[') {
                    open.push(byte)?;
                    at += 1;
                    may_close = true;
                    continue;
                }
                at = self.space_end(self.scalar_end(at)?.1);
            }
            // Behind a value.
            while self.byte(at)? == open.closing() {
                at += 1;
                open.pop();
                if open.depth == 0 {
                    return Some(at);
                }
                at = self.space_end(at);
            }
            at = self.expect(at, b',')?;
            may_close = false;
        }
    }
}

/// The objects and arrays that are open: a bit for each.
#[derive(Debug, Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, byte: u8) -> Option<()> {
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(byte == b'{');
        // The object that is walked over is a level, too.
        (self.depth < MAX_DEPTH).then_some(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn closing(&self) -> u8 {
        if self.is_object() { b'}' } else { b']' }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Keys and values; `None` for bytes that are no whole object.
    fn walked(bytes: &[u8]) -> Option<Vec<(String, String)>> {
        let mut walk = Walk::new(bytes);
        let text = |range: Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
        let members = walk.by_ref().map(|found| (text(found.key), text(found.value))).collect();
        walk.is_whole().then_some(members)
    }

    /// Whether serde_json takes the bytes for an object.
    fn is_object(bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        is_json && text.trim_ascii_start().starts_with('{')
    }

    #[test]
    fn members_are_found_whatever_surrounds_them() {
        let line = b" \t{ \"a\" : [1, {\"b\":\"]}\\\"\"} ] ,\"a\":\"x\\\"y\\\\\",\"\":-1.50e+3 ,\"c\":null,\"d\":{ },\"e.f\":true}\r\n";
        let expected = [
            ("a", "[1, {\"b\":\"]}\\\"\"} ]"),
            ("a", "\"x\\\"y\\\\\""),
            ("", "-1.50e+3"),
            ("c", "null"),
            ("d", "{ }"),
            ("e.f", "true"),
        ];
        assert_eq!(walked(line).unwrap(), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(walked(b"{}").unwrap(), []);
    }

    #[test]
    fn what_is_no_whole_object_is_broken() {
        for broken in [
            "",
            " ",
            "{",
            "[1]",
            "\"{}\"",
            "{}{}",
            "{} x",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[1 2]}",
            "{\"a\":[1,]}",
            "{\"a\":{1:2}}",
            "{\"a\":[}]}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":-}",
            "{\"a\":t}",
            "{\"a\":nul",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"x",
            "{\"a\":\"\t\"}",
            "{\"a\n\":1}",
            "{'a':1}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":NaN}",
            "{\"a\":[[]",
            "\u{feff}{}",
        ] {
            assert_eq!(walked(broken.as_bytes()), None, "{broken}");
            assert!(!is_object(broken.as_bytes()), "{broken}");
        }
    }

    #[test]
    fn deep_lines_are_broken_without_recursion() {
        let deep = |levels| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        assert!(walked(deep(128).as_bytes()).is_some());
        assert!(walked(deep(129).as_bytes()).is_none());
        assert!(walked(format!("{{\"a\":{}", "[".repeat(1 << 20)).as_bytes()).is_none());
    }

    #[test]
    fn bytes_that_are_not_utf_8_do_not_break_a_line() {
        let mut walk = Walk::new(b"{\"a\xff\":\"b\xc3\",\"c\":1}");
        assert_eq!(walk.by_ref().map(|found| found.key).collect::<Vec<_>>(), [2..4, 12..13]);
        assert!(walk.is_whole());
        assert!(walked(b"{\xff\"a\":1}").is_none());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Exact, as serde_json reads other doubles a little wrong.
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            any::<String>().prop_map(Value::from),
            "[\"\\\\{}\\[\\],: \u{1}é]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// An object's members, with white space between them.
    fn any_line() -> impl Strategy<Value = (Vec<(String, Value)>, String)> {
        let key = prop_oneof![any::<String>(), "[a-c.\"\\\\]{0,3}"];
        (proptest::collection::vec((key, any_value()), 0..8), "[ \t\r\n]{0,2}").prop_map(|(members, space)| {
            let one = |(key, value): &(String, Value)| {
                let text = if key.len() % 2 == 0 { value.to_string() } else { format!("{value:#}") };
                format!("{space}{}{space}:{space}{text}{space}", Value::from(key.as_str()))
            };
            let inside = members.iter().map(one).collect::<Vec<_>>().join(",");
            (members, format!("{space}{{{inside}{space}}}{space}"))
        })
    }

    proptest! {
        #[test]
        fn any_object_is_walked_over_as_serde_json_reads_it((members, line) in any_line()) {
            let walked = walked(line.as_bytes()).unwrap();
            prop_assert_eq!(walked.len(), members.len());
            for ((key, value), (walked_key, walked_value)) in members.iter().zip(&walked) {
                let quoted = format!("\"{walked_key}\"");
                prop_assert_eq!(&*crate::loggers::string(&quoted), key);
                prop_assert_eq!(&serde_json::from_str::<Value>(walked_value).unwrap().to_string(), &value.to_string());
            }
        }

        #[test]
        fn a_damaged_object_is_taken_for_json_if_serde_json_does(
            (_, line) in any_line(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<prop::sample::Index>()), 1..4),
        ) {
            const BYTES: &[u8] = b"{}[]\",:\\ \t\n01eE+-.tfnu\xff\x00\x1fa";
            let mut line = line.into_bytes();
            for (at, what, byte) in damage {
                let at = at.index(line.len() + 1);
                match what {
                    0 => line.truncate(at),
                    1 => line.insert(at, *byte.get(BYTES)),
                    _ if at < line.len() => line[at] = *byte.get(BYTES),
                    _ => {}
                }
            }
            prop_assert_eq!(walked(&line).is_some(), is_object(&line), "{}", String::from_utf8_lossy(&line));
        }

        #[test]
        fn any_bytes_are_walked_over_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            like in "[{}\\[\\]\",:\\\\ 0-9eE.+\\-tfnu]{0,60}",
        ) {
            prop_assert_eq!(walked(&bytes).is_some(), is_object(&bytes));
            let like = format!("{{{like}");
            prop_assert_eq!(walked(like.as_bytes()).is_some(), is_object(like.as_bytes()), "{}", like);
        }
    }
}
