//! Names in a text, and the values assigned to them.
//!
//! A name ends before a `:` or `=`, with or without quotes. Marks may surround it: `**password**`, `user["password"]`,
//! terminal colours. Its value ends where its quotes or brackets close, at any depth of escaping (`\"` for JSON inside
//! a text), and otherwise at the end of the word. A value that is never closed ends with the text.

use super::bounds::{
    backslashes_at_end, before, block, byte, escape_begin, escape_end, group_end, line_end, quoted_end, run, starts,
    string_end, tripled,
};
use super::hit::{Hit, With};
use super::matcher::Matcher;
use super::names::{MAX_NAME_BYTES, is_line};

/// A name before a value.
#[derive(Clone, Copy)]
pub(super) struct Name<'t> {
    pub(super) text: &'t [u8],
    /// Backslashes before its quotes; `None` without quotes.
    pub(super) quotes: Option<usize>,
}

/// At most this many blanks between a name and its sign, or backslashes before a quote, are skipped.
const MAX_BLANKS: usize = 32;

/// At most this many bytes stand between two strings.
const MAX_BETWEEN: usize = 256;

/// At most this many marks beside a name are skipped, such as the two of `**password**`.
const MAX_MARKS: usize = 4;

impl<'t> Matcher<'t> {
    /// Returns the name that ends before `end`, with or without quotes.
    pub(super) fn name_before(&self, end: usize) -> Option<Name<'t>> {
        let text = self.text;
        let mut end = self.back(end, MAX_BLANKS, is_blank);
        let mut last = before(text, end);
        let mut is_index = false;
        if matches!(last, b'*' | b'`' | b'm' | b']' | b'D') {
            (end, is_index) = self.without_marks(end);
            last = before(text, end);
        }
        if matches!(last, b'"' | b'\'') {
            let whole = end - 1;
            let end = self.back(whole, MAX_BLANKS, |byte| byte == b'\\');
            let start = self.back(end, MAX_NAME_BYTES, |byte| !matches!(byte, b'"' | b'\'' | b'\\'));
            let quotes = (!is_index).then_some(whole - end);
            return (start < end).then_some(Name { text: text.get(start..end)?, quotes });
        }
        let start = self.back(end, MAX_NAME_BYTES, is_name);
        let start = match before(text, start) {
            // The `n` of `\n` does not belong to the name.
            b'\\' if matches!(byte(text, start), b'n' | b'r' | b't') => start + 1,
            b'\\' | b'\x1b' | b'}' | b';' | b'%' => after_mark(text, start, end),
            _ => start,
        };
        (start < end).then_some(Name { text: text.get(start..end)?, quotes: None })
    }

    /// Returns where a name ends without the marks of Markdown, of a terminal or of an index after it; and whether it
    /// is an index.
    #[cold]
    fn without_marks(&self, mut end: usize) -> (usize, bool) {
        let text = self.text;
        for _ in 0..MAX_MARKS {
            let begin = match before(text, end) {
                b'*' | b'`' => end - 1,
                b'm' => escape_begin(text, end),
                b']' if matches!(before(text, end - 1), b'"' | b'\'') => return (end - 1, true),
                b'D' if text.get(..end).is_some_and(|text| text.ends_with(b"%5D")) => return (end - 3, true),
                _ => end,
            };
            if begin == end {
                break;
            }
            end = begin;
        }
        (end, false)
    }

    /// Matches the value of a secret name, from `from` on.
    pub(super) fn value(&self, from: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        let mut start = run(text, from, is_blank);
        if matches!(byte(text, start), b'\x1b' | b'\\' | b'*') {
            start = self.behind_marks(start);
        }
        if start >= text.len() || self.is_replaced(start) {
            return None;
        }
        // In the place of a JSON value, the replacement has to be a string.
        let bare = name.quotes.map_or(With::Bare, With::Quoted);
        let word = run(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'#'));
        // `&"…"`
        let quoted = self.quoted(run(text, start, |byte| byte == b'&'));
        if let Some((content, quote, backslashes)) = quoted {
            if let Some((from, end)) = tripled(text, content, quote, backslashes) {
                return self.inside(from, end);
            }
            if self.is_between(content, quote, backslashes) {
                return None;
            }
            return self.inside(content, quoted_end(text, content, quote, backslashes));
        }
        let prefix = text.get(start..word).unwrap_or_default();
        if prefix.len() <= 3
            && let Some((content, quote, backslashes)) = self.quoted(word)
            && (quote == b'"' || matches!(prefix, b"b" | b"r" | b"u"))
        {
            // `b"…"`, `r#"…"`
            return self.inside(content, string_end(text, content, quote, backslashes));
        }
        let of = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'&' | b'!' | b'<' | b'>');
        let path = run(text, start, of);
        let open = if starts(text, path, b" {") && path > start { path + 1 } else { path };
        if matches!(byte(text, open), b'(' | b'[' | b'{') {
            return Some(Hit { start, end: group_end(text, open), with: bare });
        }
        if matches!(byte(text, start), b'|' | b'>')
            && let Some((from, end)) = block(text, start)
        {
            return self.inside(from, end);
        }
        if name.quotes.is_some() {
            let of =
                |byte: u8| !byte.is_ascii_whitespace() && !matches!(byte, b',' | b'}' | b']' | b')' | b'"' | b'\\');
            let end = run(text, start, of);
            return self.some_word(start, end).then_some(Hit { start, end, with: bare });
        }
        if is_line(name.text) {
            let end = line_end(text, start);
            return self.some_word(start, end).then_some(Hit { start, end, with: bare });
        }
        let mut end = self.word_end(start);
        if byte(text, end) == b'"' {
            // The backslashes before it belong to the quote.
            end -= backslashes_at_end(text.get(start..end).unwrap_or_default());
        }
        self.some_word(start, end).then_some(Hit { start, end, with: bare })
    }

    /// Returns where a value begins after the marks of Markdown and of a terminal.
    #[cold]
    fn behind_marks(&self, start: usize) -> usize {
        let text = self.text;
        let mut at = start;
        for _ in 0..MAX_MARKS {
            let stars = run(text, at, |byte| byte == b'*');
            let behind = if stars == at { escape_end(text, at) } else { stars };
            let next = run(text, behind, is_blank);
            // A masked value has none after it: `password=*** user=bob`.
            if behind == at || stars > at + 2 || (stars > at && next == behind) {
                break;
            }
            at = next;
        }
        at
    }

    /// Returns whether this is not a string, but what stands between two: the name ended the first, as in `"password:
    /// ", "next"`. A quoted value is followed by a sign and rarely begins with one.
    fn is_between(&self, content: usize, quote: u8, backslashes: usize) -> bool {
        let closes = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b')' | b']' | b'}' | b':' | b';');
        let first = byte(self.text, content);
        if !closes(first) || content >= self.text.len() {
            return false;
        }
        let near = self.text.get(..self.text.len().min(content + MAX_BETWEEN)).unwrap_or_default();
        let end = string_end(near, content, quote, backslashes);
        if end >= near.len() {
            let next = byte(near, content + 1);
            let is_end = closes(next) || matches!(next, b'"' | b'\\');
            return is_end && near.len() == self.text.len() && !self.cut && !first.is_ascii_whitespace();
        }
        let behind = end + backslashes + 1;
        match byte(near, behind) {
            // More backslashes than the quote has: an escape in the next string.
            b'\\' => run(near, behind, |byte| byte == b'\\') > behind + backslashes,
            b'.' | b'&' | b'>' | b'<' | b'\'' | b'"' | b'`' | b'#' | b'|' => false,
            byte => !closes(byte),
        }
    }

    /// Returns whether a word is a value.
    fn some_word(&self, start: usize, end: usize) -> bool {
        let word = self.text.get(start..end).unwrap_or_default();
        let is = |other: &&[u8]| word.eq_ignore_ascii_case(other);
        match word {
            b"" | b"?" => false,
            // A placeholder in SQL.
            [b'$', digits @ ..] if !digits.is_empty() && digits.len() < 4 => !digits.iter().all(u8::is_ascii_digit),
            _ => !NOTHING.iter().any(is) && !word.iter().all(|byte| *byte == b'*'),
        }
    }

    /// Returns where the assigned word ends. After the name of a scheme, the next word belongs to it.
    fn word_end(&self, start: usize) -> usize {
        let end = self.one_word_end(start);
        let word = self.text.get(start..end).unwrap_or_default();
        let is_scheme = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
        let next = run(self.text, end, |byte| byte == b' ');
        if is_scheme && next > end { self.one_word_end(next) } else { end }
    }

    fn one_word_end(&self, start: usize) -> usize {
        let text = self.text;
        // A value may begin with `<`, and so does the end of an element.
        let mut end = start + usize::from(byte(text, start) == b'<' && byte(text, start + 1) != b'/');
        loop {
            end = run(text, end, |byte| {
                !matches!(
                    byte,
                    b'\n'
                        | b'\r'
                        | b'\x1b'
                        | b'"'
                        | b' '
                        | b'\t'
                        | b'&'
                        | b';'
                        | b'<'
                        | b','
                        | b')'
                        | b']'
                        | b'}'
                        | b'\''
                )
            });
            // A sign that may be part of the value, unless nothing follows it.
            let closes =
                |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b')' | b']' | b'}' | b'\'' | b'"');
            let is_part = matches!(byte(text, end), b',' | b')' | b']' | b'}' | b'\'') && !closes(byte(text, end + 1));
            if !is_part {
                return end;
            }
            end += 1;
        }
    }
}

/// Words that precede credentials.
const SCHEMES: [&[u8]; 8] =
    [b"bearer", b"basic", b"digest", b"token", b"apikey", b"negotiate", b"ntlm", b"aws4-hmac-sha256"];

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'$') || !byte.is_ascii()
}

/// Words that stand for no value.
const NOTHING: [&[u8]; 7] = [b"none", b"null", b"nil", b"true", b"false", b"undefined", b"empty"];

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Returns where a name begins after the mark that it seems to begin with: `[1m` of a terminal, `5B` of a `[` in a URL.
#[cold]
fn after_mark(text: &[u8], start: usize, end: usize) -> usize {
    let name = text.get(start..end).unwrap_or_default();
    let digits = match name.iter().position(|byte| *byte == b'[') {
        _ if before(text, start) == b'%' => return start + if name.starts_with(b"5B") { 2 } else { 0 },
        Some(open) => open + 1,
        None if before(text, start) == b';' => 0,
        None => return start,
    };
    let behind = run(name, digits, |byte| byte.is_ascii_digit());
    if byte(name, behind) == b'm' && (behind > digits || digits > 0) { start + behind + 1 } else { start }
}
