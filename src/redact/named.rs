//! Listed names, and the shape of what follows them.
//!
//! An anchor marks the last letter of a word. [`Matcher::named`] looks at what follows the word: quotes and other marks,
//! and then a sign, a bracket or a blank. Only then it compares the name. Each shape has one function; the value itself
//! is read by `value`.

use super::bounds::{before, byte, character_data_end, group_end, run, run_back, starts, string_end};
use super::hit::Hit;
use super::matcher::Matcher;
use super::names::{MAX_NAME_BYTES, is_pair};
use super::view::{Marks, unit, word_start};

/// A name before a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'t> {
    pub(super) text: &'t [u8],
    /// Where it begins.
    pub(super) start: usize,
    /// Backslashes before its quotes; `None` without quotes.
    pub(super) quotes: Option<usize>,
}

/// At most this many blanks between a name and its sign are skipped.
const MAX_BLANKS: usize = 64;

/// A type that holds a value without quotes is judged by this many bytes.
const MAX_GROUP: usize = 256;

/// What a scope allows.
const ACTIONS: [&[u8]; 9] = [b"read", b"write", b"list", b"delete", b"create", b"admin", b"manage", b"update", b"view"];

impl<'t> Matcher<'t> {
    /// Matches what follows the word that ends at `end`, if it ends a listed name.
    pub(super) fn named(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        let end = self.behind_number(end)?;
        let marks = Marks::behind(text, end);
        let near = text.get(..text.len().min(marks.end + MAX_BLANKS)).unwrap_or_default();
        let sign = run(near, marks.end, is_blank);
        let (char, behind) = unit(text, sign);
        match char {
            b':' | b'=' => self.assigned(sign, behind, char, end, marks),
            b'(' if sign == end => self.called(sign, end),
            b'{' if sign == end || sign == end + 1 => {
                let apart = || if sign > end { self.apart(sign, end, marks) } else { None };
                self.structure(sign, end).or_else(apart)
            }
            b'>' if byte(text, sign) == b'>' => self.element(sign, end, marks),
            b'>' => self.escaped_element(behind, end, marks),
            b',' if marks.is_quoted => self.pair(sign, end, marks).or_else(|| self.described(end, marks)),
            b',' => self.tuple(sign, end, marks).or_else(|| self.described(end, marks)),
            b'.' if starts(text, sign, b"....") => {
                let value = run(text, sign, |byte| byte == b'.');
                if is_blank(byte(text, value)) { None } else { self.value(value, self.name(end, marks)?) }
            }
            b'<' if sign == end && byte(text, end + 1) == b'/' => self.element_pair(end),
            b'/' if sign == end => self.link(self.name(end, marks)?.start, end),
            b'-' if byte(text, sign + 1) == b'>' && sign > marks.end => self.told(sign + 2, end, marks),
            b'\n' | b'\r' | b')' | b'}' | b';' => self.described(end, marks),
            _ if sign > marks.end => self.apart(sign, end, marks),
            _ => None,
        }
    }

    /// `<param-name>password</param-name><param-value>…</param-value>`, and `<key>password</key><string>…</string>`.
    fn element_pair(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        let start = self.name_start(end);
        let near = text.get(..text.len().min(end + MAX_GROUP)).unwrap_or_default();
        let close = run(near, end, |byte| byte != b'>');
        let open = run(near, close + 1, |byte| byte.is_ascii_whitespace());
        let from = run(near, open, |byte| byte != b'>') + 1;
        let is_pair = before(text, start) == b'>' && byte(near, open) == b'<' && byte(near, open + 1) != b'/';
        if !is_pair || before(near, from - 1) == b'/' {
            return None;
        }
        self.name(end, Marks { end, quotes: None, is_quoted: false })?;
        self.inside(from, run(text, from, |byte| byte != b'<'))
    }

    /// Returns where a name ends with the number after it: `password2`, `password_1`. `None` if the name goes on.
    pub(super) fn behind_number(&self, end: usize) -> Option<usize> {
        let text = self.text;
        let first = byte(text, end);
        let from = end + usize::from(matches!(first, b'_' | b'-'));
        let digits =
            run(text.get(..text.len().min(from + MAX_BLANKS)).unwrap_or_default(), from, |byte| byte.is_ascii_digit());
        let next = byte(text, digits);
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        match digits > from {
            true => (!goes_on(next)).then_some(digits),
            false if first == b'_' || (first == b'-' && goes_on(next)) => None,
            false => Some(end),
        }
    }

    /// Returns the name that ends at `end` if it is listed.
    pub(super) fn name(&self, end: usize, marks: Marks) -> Option<Name<'t>> {
        let start = self.name_start(end);
        let names = &self.rules.names;
        let of = |start: usize| {
            let text = self.text.get(start..end)?;
            names.is_secret(text).then_some(Name { text, start, quotes: marks.quotes })
        };
        // A name of two words.
        let two = || {
            let blank = start.checked_sub(1).filter(|blank| byte(self.text, *blank) == b' ')?;
            let first = self.name_start(blank);
            if first < blank { of(first) } else { None }
        };
        of(start).or_else(two)
    }

    fn name_start(&self, end: usize) -> usize {
        word_start(self.text, self.back(end, MAX_NAME_BYTES, is_name), end)
    }

    /// After `:` or `=`.
    fn assigned(&self, sign: usize, behind: usize, char: u8, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let from = match (char, byte(text, behind)) {
            // A path in Rust. In LDIF, the value after two colons is in base64.
            (b':', b':') if is_blank(byte(text, behind + 1)) => behind + 1,
            (b':', b':') => return None,
            (b':', b'/' | b'\\') if starts(text, behind, b"//") || starts(text, behind, b"\\/\\/") => return None,
            // A comparison, unless a string follows.
            (b'=', b'=') if self.quoted(run(text, behind + 1, |byte| byte == b' ')).is_none() => return None,
            (b'=', b'~') => return None,
            (_, b'=' | b'>') => behind + 1,
            _ => behind,
        };
        let name = self.name(end, marks)?;
        // `a ? token : b` and `arn:aws:secret:a` assign nothing.
        let is_choice = sign > marks.end && byte(text, name.start.saturating_sub(2)) == b'?';
        let is_path = sign == end && before(text, name.start) == b':' && !is_blank(byte(text, behind));
        // `token:read` is a scope.
        let is_scope =
            || ACTIONS.iter().any(|action| starts(text, behind, action) && !is_name(byte(text, behind + action.len())));
        if char == b':' && (is_choice || is_path || (sign == end && is_scope())) {
            return None;
        }
        self.value(from, name)
    }

    /// `Password("…")`, and `PASSWORD('…')` in SQL.
    fn called(&self, open: usize, end: usize) -> Option<Hit> {
        let text = self.text;
        let first = run(text, open + 1, |byte| byte.is_ascii_whitespace());
        let marks = Marks { end, quotes: None, is_quoted: false };
        if let Some((content, quote, backslashes)) = self.quoted(first) {
            let name = self.name(end, marks)?;
            let end = string_end(text, content, quote, backslashes);
            let behind = end + backslashes + 1;
            if is_pair(name.text) && byte(text, behind) == b',' {
                return self.inside(first, group_end(text, open).saturating_sub(1));
            }
            return self.inside(content, end).filter(|_| !self.is_placeholder(content, end, name));
        }
        let is_type = text.get(self.name_start(end)).is_some_and(u8::is_ascii_uppercase);
        if !is_type {
            return None;
        }
        let name = self.name(end, marks)?;
        let near = text.get(..text.len().min(open + MAX_GROUP)).unwrap_or_default();
        let content = near.get(first..group_end(near, open)).unwrap_or_default();
        // A type in a type, a list of bytes, or a value without quotes.
        if !content.iter().any(|byte| *byte == b'"' || byte.is_ascii_digit()) {
            return None;
        }
        let close = group_end(text, open);
        let close = close - usize::from(byte(text, close - 1) == b')' && close > open + 1);
        self.inside(first, close).filter(|_| !self.is_placeholder(first, close, name))
    }

    /// `Password { value: "…" }`.
    fn structure(&self, open: usize, end: usize) -> Option<Hit> {
        let text = self.text;
        let start = self.name_start(end);
        let word = text.get(start..end)?;
        let is_type = word.first().is_some_and(u8::is_ascii_uppercase);
        if !is_type || !self.holds_text(open + 1) {
            return None;
        }
        self.name(end, Marks { end, quotes: None, is_quoted: false })?;
        let close = group_end(text, open);
        let close = close - usize::from(byte(text, close - 1) == b'}' && close > open + 1);
        self.inside(open + 1, close)
    }

    /// Returns whether the first field of a struct holds its text; a parser's tokens have other fields.
    fn holds_text(&self, from: usize) -> bool {
        const FIELDS: [&[u8]; 11] = [
            b"value",
            b"inner",
            b"raw",
            b"data",
            b"0",
            b"secret",
            b"code",
            b"content",
            b"text",
            b"bytes",
            b"inner_secret",
        ];
        let text = self.text;
        let name = run(text, from, |byte| byte.is_ascii_whitespace());
        let of = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let end = run(text.get(..text.len().min(name + MAX_NAME_BYTES)).unwrap_or_default(), name, of);
        let is_one = text.get(name..end).is_some_and(|field| FIELDS.contains(&field));
        let value = byte(text, run(text, end + 1, |byte| byte == b' '));
        is_one && byte(text, end) == b':' && !value.is_ascii_uppercase()
    }

    /// `<password>…</password>`, with or without a namespace and attributes, and `<entry key="password">…</entry>`.
    pub(super) fn element(&self, at: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let from = at.saturating_sub(MAX_NAME_BYTES);
        let tag = text.get(from..at)?;
        let begin = from + run_back(tag, |byte| !matches!(byte, b'<' | b'>'));
        let tag = text.get(begin..at)?;
        if before(text, begin) != b'<' || begin == 0 || tag.ends_with(b"/") {
            return None;
        }
        let name_end = run(tag, 0, |byte| is_name(byte) || byte == b':');
        let first = tag.get(..name_end)?.rsplit(|byte| *byte == b':').next()?;
        let is_attribute = marks.is_quoted
            && [&b"name="[..], b"key=", b"id="].iter().any(|key| {
                let key_end = self.back(end, MAX_NAME_BYTES, |byte| !matches!(byte, b'"' | b'\'' | b'<'));
                text.get(..key_end.saturating_sub(1)).is_some_and(|text| text.ends_with(key))
            });
        let is_own = name_end == tag.len() || byte(tag, name_end).is_ascii_whitespace();
        if !(is_own && self.rules.names.is_secret(first) || is_attribute && self.name(end, marks).is_some()) {
            return None;
        }
        if starts(text, at + 1, b"<![CDATA[") {
            return self.inside(at + 10, character_data_end(text, at + 10));
        }
        let close = run(text, at + 1, |byte| byte != b'<');
        if starts(text, close, b"</") && starts(text, close + 2, tag.get(..name_end).unwrap_or_default()) {
            return self.inside(at + 1, close);
        }
        let content = run(text, at + 1, |byte| !matches!(byte, b'<' | b'"'));
        self.inside(at + 1, content).filter(|_| !is_attribute && byte(text, at + 1) != b' ')
    }

    /// `&lt;password&gt;…&lt;/password&gt;`.
    fn escaped_element(&self, from: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let name = self.name(end, marks)?;
        let opens = name.start.checked_sub(4).is_some_and(|at| starts(text, at, b"&lt;"));
        let close = run(text, from, |byte| byte != b'&' && byte != b'<');
        self.inside(from, close).filter(|_| opens)
    }

    /// `("password", "…")`, also in a list of pairs, and `"--password", "…"`.
    fn pair(&self, comma: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let name = self.name(end, marks)?;
        let next = run(text, comma + 1, |byte| byte.is_ascii_whitespace());
        let open = self.back(name.start, MAX_NAME_BYTES, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b'-'));
        let is_flag = byte(text, name.start) == b'-';
        let bracket = before(text, open);
        let outside = before(text, open.saturating_sub(1));
        let is_list = bracket == b'[' && !matches!(outside, b'[' | b',' | b' ');
        if !is_flag && (is_list || !matches!(bracket, b'(' | b'[' | b'{')) {
            return None;
        }
        if is_flag && self.quoted(next).is_none() {
            return None;
        }
        let hit = self.value(next, name)?;
        // `("token", 3)` is a count or a place.
        if hit.end - hit.start < 4 && text.get(hit.start..hit.end)?.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let behind =
            run(text, hit.end, |byte| matches!(byte, b'\\' | b'"' | b'\'' | b',') || byte.is_ascii_whitespace());
        (bracket != b'[' || is_flag || byte(text, behind) == b']' || behind >= text.len()).then_some(hit)
    }

    /// `{password,<<"…">>}` in Erlang.
    fn tuple(&self, comma: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let next = run(text, comma + 1, |byte| byte == b' ');
        let value = run(text, next, |byte| byte == b'<');
        let name = self.name(end, marks).filter(|name| before(text, name.start) == b'{')?;
        if value == next + 2 { self.value(value, name) } else { None }
    }
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'$') || !byte.is_ascii()
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
