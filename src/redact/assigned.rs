//! Names in a text, and what is assigned to them.
//!
//! A name ends before a `:` or `=`, in quotes or without, and may be marked: `**password**`, `user["password"]`, in
//! colours of a terminal. What stands behind it goes up to where its quotes or brackets close, at whatever depth of
//! escaping it is (`\"` in JSON in a text), or else to the end of its word; without a close, to the end of the text.

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
    /// Backslashes before its quotes, where it has some.
    pub(super) quotes: Option<usize>,
}

/// Bytes of blanks between a name and its sign, and of backslashes before a quote, that are passed over.
const MAX_BLANKS: usize = 32;

/// Between two texts are no more bytes.
const MAX_BETWEEN: usize = 256;

/// So many marks are passed over beside a name, as the two of `**password**`.
const MAX_MARKS: usize = 4;

impl<'t> Matcher<'t> {
    /// The name that ends before `end`, with quotes or without.
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
            // The `n` of a `\n` is none of it.
            b'\\' if matches!(byte(text, start), b'n' | b'r' | b't') => start + 1,
            b'\\' | b'\x1b' | b'}' | b';' | b'%' => after_mark(text, start, end),
            _ => start,
        };
        (start < end).then_some(Name { text: text.get(start..end)?, quotes: None })
    }

    /// Where a name ends without the marks behind it of Markdown, of a terminal or of an index, which is said.
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

    /// What stands behind a secret name, from `from` on.
    pub(super) fn value(&self, from: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        let mut start = run(text, from, is_blank);
        if matches!(byte(text, start), b'\x1b' | b'\\' | b'*') {
            start = self.behind_marks(start);
        }
        if start >= text.len() || self.is_replaced(start) {
            return None;
        }
        // As it stands in its place in JSON: there it has to be a string.
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
            // The backslashes before it are its own.
            end -= backslashes_at_end(text.get(start..end).unwrap_or_default());
        }
        self.some_word(start, end).then_some(Hit { start, end, with: bare })
    }

    /// Where a value begins behind the marks of Markdown and of a terminal.
    #[cold]
    fn behind_marks(&self, start: usize) -> usize {
        let text = self.text;
        let mut at = start;
        for _ in 0..MAX_MARKS {
            let stars = run(text, at, |byte| byte == b'*');
            let behind = if stars == at { escape_end(text, at) } else { stars };
            let next = run(text, behind, is_blank);
            // What is masked has no value behind it: `password=*** user=bob`.
            if behind == at || stars > at + 2 || (stars > at && next == behind) {
                break;
            }
            at = next;
        }
        at
    }

    /// Whether it is no string, but what stands between two: the name was the end of the first, as in `"password: ",
    /// "next"`. What is in quotes has a sign behind them, and seldom one at its beginning.
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
            // With more before it than the quote has: an escape, in the next text.
            b'\\' => run(near, behind, |byte| byte == b'\\') > behind + backslashes,
            b'.' | b'&' | b'>' | b'<' | b'\'' | b'"' | b'`' | b'#' | b'|' => false,
            byte => !closes(byte),
        }
    }

    /// Whether a word says something.
    fn some_word(&self, start: usize, end: usize) -> bool {
        let word = self.text.get(start..end).unwrap_or_default();
        let is = |other: &&[u8]| word.eq_ignore_ascii_case(other);
        match word {
            b"" | b"?" => false,
            // The place of a value in SQL.
            [b'$', digits @ ..] if !digits.is_empty() && digits.len() < 4 => !digits.iter().all(u8::is_ascii_digit),
            _ => !NOTHING.iter().any(is) && !word.iter().all(|byte| *byte == b'*'),
        }
    }

    /// Where the word ends that was assigned to a name; with the one behind it, if it is the name of a scheme.
    fn word_end(&self, start: usize) -> usize {
        let end = self.one_word_end(start);
        let word = self.text.get(start..end).unwrap_or_default();
        let is_scheme = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
        let next = run(self.text, end, |byte| byte == b' ');
        if is_scheme && next > end { self.one_word_end(next) } else { end }
    }

    fn one_word_end(&self, start: usize) -> usize {
        let text = self.text;
        // A value may begin with a `<`; the end of an element does, too.
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
            // A sign that may be a part of it as well, unless nothing is behind it.
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

/// Words before credentials.
const SCHEMES: [&[u8]; 8] =
    [b"bearer", b"basic", b"digest", b"token", b"apikey", b"negotiate", b"ntlm", b"aws4-hmac-sha256"];

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'$') || !byte.is_ascii()
}

/// Words that say that there is no value.
const NOTHING: [&[u8]; 7] = [b"none", b"null", b"nil", b"true", b"false", b"undefined", b"empty"];

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Where a name begins behind the mark it seems to begin with: `[1m` of a terminal, `5B` of a `[` in a URL.
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
