//! Values that no sign joins to their name.
//!
//! A value beside its name (`{ name: "password", value: "…" }`, in either order; a part of a form), an argument
//! (`--password …`), a setting or a clause of SQL (`PASSWORD '…'`), a cell of a table, and prose (`the password is …`).
//! Prose is harmless more often, so there a value has to be quoted or to look random.

use super::bounds::{before, byte, line_feed, run, starts, string_end};
use super::hit::Hit;
use super::matcher::Matcher;
use super::named::{Name, is_blank, is_name};
use super::names::{MAX_NAME_BYTES, is_code, is_password, is_short};
use super::value::is_version;
use super::view::{Marks, begins_word, word_start};

/// At most this many bytes stand between a name and the word `value`.
const MAX_BETWEEN: usize = 64;

/// At most this many bytes before a name are searched for its value.
const MAX_BEFORE: usize = 512;

/// At most this many words that may be `value` are looked at there.
const MAX_VALUES: usize = 3;

/// Words between a name and its value in a sentence.
const FILLERS: [&[u8]; 13] = [
    b"is",
    b"was",
    b"are",
    b"is:",
    b"now",
    b"set",
    b"changed",
    b"reset",
    b"updated",
    b"generated",
    b"will",
    b"be",
    b"to",
];

/// At most this many of them are skipped.
const MAX_FILLERS: usize = 4;

/// At most this many bytes stand between `password for` and the password.
const MAX_SENTENCE: usize = 160;

/// Words that describe the name after them.
const DESCRIBING: [&[u8]; 8] = [b"name", b"key", b"header", b"field", b"param", b"parameter", b"variable", b"property"];

impl<'t> Matcher<'t> {
    /// After a name and a blank; `at` is behind the blank.
    pub(super) fn apart(&self, at: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        if marks.is_quoted {
            return self.flag(at, end, marks).or_else(|| self.described(end, marks));
        }
        let first = byte(text, at);
        match first {
            b'"' | b'\'' | b'\\' | b'`' => return self.apart_quoted(at, end, marks),
            b'|' => return self.cell(at, end, marks),
            b'.' if starts(text, at, b". \"") => return self.value(at + 2, self.name(end, marks)?),
            _ => {}
        }
        let word = run(text, at, |byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b',' | b'<' | b'>' | b';' | b')')
        });
        let start = self.back(end, MAX_NAME_BYTES, is_name);
        if before(text, start) == b'<' || before(text, start) == b':' {
            return self.element_behind(at, end);
        }
        if byte(text, start) == b'-' {
            return self.flag(at, end, marks);
        }
        match text.get(at..word) {
            Some(filler) if filler != b"to" && FILLERS.contains(&filler) => return self.told(at, end, marks),
            Some(b"for" | b"FOR" | b"to") => return self.told_for(word, end, marks),
            // `Unseal Key 1: …`
            Some([digits @ .., b':']) if (1..3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
                return self.value(word, self.name(end, marks)?);
            }
            _ if text.get(start..end) == Some(b"PASS") => return self.sent(at, 1),
            _ => {}
        }
        if matches!(byte(text, word), b'=' | b':') || text.get(at..word).is_some_and(|word| word.contains(&b'=')) {
            return self.described(end, marks);
        }
        let is_random = self.is_random_word(at, word);
        let name = if is_random { self.name(end, marks)? } else { return None };
        if is_short(name.text) || before(text, name.start) == b'/' || matches!(byte(text, word), b'=' | b'(') {
            return None;
        }
        let word = word - usize::from(matches!(before(text, word), b'.' | b':'));
        self.inside(at, word)
    }

    /// Returns whether a word has letters and digits as no word of a language, number or path has.
    pub(super) fn is_random_word(&self, at: usize, end: usize) -> bool {
        let word = self.text.get(at..end).unwrap_or_default();
        let has = |of: fn(&u8) -> bool| word.iter().any(of);
        word.len() >= 6
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !is_version(word)
            && !has(|byte| matches!(byte, b':' | b'(' | b'[' | b'{' | b'\\' | b'@'))
            && !word.starts_with(b"/")
            && !word.starts_with(b"-")
    }

    /// `the password is …`
    pub(super) fn told(&self, word: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let mut start = run(text, word, is_blank);
        for _ in 0..MAX_FILLERS {
            let filler = run(text, start, |byte| byte.is_ascii_lowercase());
            let behind = run(text, filler, |byte| is_blank(byte) || byte == b':');
            match text.get(start..filler) {
                Some(b"for") => return self.told_for(filler, end, marks),
                Some(word) if FILLERS.contains(&word) && behind > filler => start = behind,
                _ => break,
            }
        }
        let name = self.name(end, marks)?;
        if self.quoted(start).is_some() {
            return self.value(start, name);
        }
        self.told_word(start, name)
    }

    /// A word that may be a secret in a sentence.
    fn told_word(&self, start: usize, name: Name<'t>) -> Option<Hit> {
        let text = self.text;
        let end = run(text, start, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b',' | b'"' | b')'));
        let end = end - usize::from(byte(text, end - 1) == b'.' && end > start);
        let is_one = self.is_random_word(start, end) || (is_code(name.text) && self.is_code_value(start, end));
        self.inside(start, end).filter(|_| is_one)
    }

    /// Returns whether this is a number with the digits of a code.
    pub(super) fn is_code_value(&self, start: usize, end: usize) -> bool {
        let value = self.text.get(start..end).unwrap_or_default();
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        (4..=8).contains(&digits) && value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
    }

    /// `the password for … is …`, and `SET PASSWORD FOR … = '…'` in SQL.
    fn told_for(&self, from: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let near = text.get(..text.len().min(from + MAX_SENTENCE)).unwrap_or_default();
        let mut at = run(near, from, is_blank);
        let is_sign = loop {
            let word_end = run(near, at, |byte| !byte.is_ascii_whitespace());
            let word = near.get(at..word_end)?;
            at = run(near, word_end, |byte| byte.is_ascii_whitespace());
            match word {
                b"=" | b":" => break true,
                b"is" | b"is:" => break false,
                [.., b':'] => break false,
                _ if at >= near.len() => return None,
                _ => {}
            }
        };
        let name = self.name(end, marks)?;
        match self.quoted(at) {
            Some((content, quote, backslashes)) => {
                let close = string_end(text, content, quote, backslashes);
                self.inside(content, close).filter(|_| !self.is_placeholder(content, close, name))
            }
            None if is_sign => self.value(at, name),
            None => self.told_word(at, name),
        }
    }

    /// `PASSWORD '…'`, `invalid password "…"`.
    fn apart_quoted(&self, at: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let (content, quote, backslashes) =
            self.quoted(at).or((byte(text, at) == b'`').then_some((at + 1, b'`', 0)))?;
        let start = self.back(end, MAX_NAME_BYTES, is_name);
        if byte(text, start) == b'-' {
            return self.flag(at, end, marks);
        }
        let name = self.name(end, marks)?;
        let close = string_end(text, content, quote, backslashes);
        let value = text.get(content..close)?;
        let is_one = is_password(name.text) || value.iter().any(u8::is_ascii_digit);
        let behind = close + backslashes + 1;
        let is_list = byte(text, behind) == b',' && self.is_after_quote(name.start);
        // `secret "app" not found` names it.
        let is_found = [&b" not found"[..], b" does not", b" already", b" is missing", b" in namespace"];
        let is_list = is_list || is_found.iter().any(|status| starts(text, behind, status));
        let is_closed = close < text.len() || self.cut;
        (is_one && is_closed && !is_list && !is_short(name.text) && !self.is_placeholder(content, close, name))
            .then(|| self.inside(content, close))?
    }

    /// `| password | … |`
    fn cell(&self, bar: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let start = run(text, bar + 1, is_blank);
        let close = run(text, start, |byte| !is_blank(byte) && byte != b'|' && byte != b'\n');
        let bar = run(text, close, is_blank);
        let is_cell = byte(text, bar) == b'|' && text.get(start..close)?.iter().any(u8::is_ascii_digit);
        if is_cell { self.name(end, marks).and_then(|_| self.inside(start, close)) } else { None }
    }

    /// `--password …`, also where each argument is shown in quotes.
    fn flag(&self, at: usize, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let start = self.back(end, MAX_NAME_BYTES, is_name);
        let is_flag = byte(text, start) == b'-' && byte(text, start + 1) != b'>' && begins_word(text, start);
        if !is_flag || byte(text, at) == b'-' || (marks.is_quoted && self.quoted(at).is_none()) {
            return None;
        }
        let name = self.name(end, marks)?;
        self.value(at, Name { quotes: None, ..name })
    }

    /// `<password type="text">…`; the name ends at `end`.
    fn element_behind(&self, at: usize, end: usize) -> Option<Hit> {
        let near = self.text.get(..self.text.len().min(at + MAX_NAME_BYTES)).unwrap_or_default();
        let close = run(near, at, |byte| byte != b'>' && byte != b'<');
        let marks = Marks { end, quotes: None, is_quoted: false };
        if before(near, close) == b'/' {
            // `<password value="…"/>`
            return self.value_behind(end, self.name(end, marks)?);
        }
        if byte(near, close) == b'>' { self.element(close, end, marks) } else { None }
    }

    /// A listed name that is itself a value: `name: "password", value: "…"`, in either order, and a part of a form.
    pub(super) fn described(&self, end: usize, marks: Marks) -> Option<Hit> {
        let text = self.text;
        let of = |byte: u8| is_name(byte) && byte != b'[';
        let start = if marks.is_quoted {
            self.back(end, MAX_NAME_BYTES, |byte| !matches!(byte, b'"' | b'\'' | b'\\' | b'\n'))
        } else {
            word_start(text, self.back(end, MAX_NAME_BYTES, of), end)
        };
        let sign = self.back(start, 16, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b'('));
        // `key: Key("password")`
        let sign = if matches!(before(text, sign), b':' | b'=') {
            sign
        } else {
            self.back(self.back(sign, 16, is_name), 4, is_blank)
        };
        let sign = sign.checked_sub(1).filter(|sign| matches!(byte(text, *sign), b':' | b'='))?;
        let word_end = self.back(sign, 8, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b' '));
        let word = self.back(word_end, MAX_NAME_BYTES, |byte| byte.is_ascii_alphabetic());
        let describing = text.get(word..word_end)?;
        if !DESCRIBING.iter().any(|one| ends_with(describing, one)) {
            return None;
        }
        let name = Name { quotes: marks.quotes, start, text: text.get(start..end)? };
        if !self.rules.names.is_secret(name.text) {
            return None;
        }
        let feeds = line_feed(text, marks.end).and_then(|line| line_feed(text, line));
        match feeds {
            Some(body) if marks.is_quoted => self.inside(body, self.part_end(body)),
            _ => self.value_behind(marks.end, name).or_else(|| self.value_ahead(word, name)),
        }
    }

    /// Matches what is assigned to the word `value` after a name.
    fn value_behind(&self, behind: usize, name: Name<'t>) -> Option<Hit> {
        let near = self.text.get(..self.text.len().min(behind + MAX_BETWEEN)).unwrap_or_default();
        let close = run(near, behind, |byte| !matches!(byte, b'{' | b'}' | b'[' | b'<' | b'|'));
        let near = near.get(..close).unwrap_or_default();
        let mut at = behind;
        loop {
            at = run(near, at, |byte| byte | 0x20 != b'v');
            let end = run(near, at, |byte| byte.is_ascii_alphabetic());
            let (sign, quotes) = self.sign(end);
            if near.get(at..end).is_some_and(|word| word.eq_ignore_ascii_case(b"value"))
                && (begins_word(near, at) || byte(near, at) == b'V')
                && matches!(byte(self.text, sign), b':' | b'=')
            {
                return self.value(sign + 1, Name { quotes, ..name });
            }
            if end >= near.len() {
                return None;
            }
            at = end.max(at + 1);
        }
    }

    /// Matches what is assigned to the word `value` before the word that describes the name.
    fn value_ahead(&self, word: usize, name: Name<'t>) -> Option<Hit> {
        let from = word.saturating_sub(MAX_BEFORE);
        let window = self.text.get(from..word)?;
        let ahead = Matcher { rules: self.rules, text: self.text.get(..word)?, cut: false, jwt_until: 0 };
        let is_between = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\' | b',' | b')');
        let places = window.windows(4).enumerate().rev().filter(|(_, window)| *window == b"alue").take(MAX_VALUES);
        places.into_iter().find_map(|(at, _)| {
            let (sign, quotes) = self.sign(from + at + 4);
            let is_sign = matches!(byte(self.text, sign), b':' | b'=') && sign < word;
            let hit = is_sign.then(|| ahead.value(sign + 1, Name { quotes, ..name }))??;
            (run(self.text, hit.end, is_between) >= word).then_some(hit)
        })
    }

    /// Returns where the sign after a word may be, and the quotes of the word.
    pub(super) fn sign(&self, end: usize) -> (usize, Option<usize>) {
        let marks = Marks::behind(self.text, end);
        (run(self.text, marks.end, is_blank), marks.quotes)
    }

    /// Returns where a part of a form ends: before the boundary.
    fn part_end(&self, body: usize) -> usize {
        let text = self.text;
        let mut end = run(text, body, |byte| byte != b'-');
        while end < text.len() && !starts(text, end, b"--") {
            end = run(text, end + 1, |byte| byte != b'-');
        }
        end
    }
}

/// Returns whether a text ends with `end`, in any case.
pub(super) fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|from| text.get(from..))
        .is_some_and(|text| text.eq_ignore_ascii_case(end))
}
