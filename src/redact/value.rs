//! The value of a secret name: where it begins and ends, and whether it is one.
//!
//! A value ends where its quotes or brackets close, at any depth of escaping (`\"` for JSON inside a text), and
//! otherwise at the end of the word. A value that is never closed ends with the text. Placeholders, and words that say
//! what is wrong with a value, are no values.

use super::bounds::{
    backslashes_at_end, before, block, byte, group_end, line_end, line_feed, quoted_end, run, starts, string_end,
    tripled,
};
use super::hit::{Hit, With};
use super::matcher::Matcher;
use super::named::{Name, is_blank, is_name};
use super::names::{is_directory, is_line, is_list, is_phrase, is_short};
use super::view::{escape_end, unit};

/// At most this many bytes stand between two strings.
const MAX_BETWEEN: usize = 256;

/// At most this many marks before a value are skipped.
const MAX_MARKS: usize = 4;

impl<'t> Matcher<'t> {
    /// Matches the value of a secret name, from `from` on.
    pub(super) fn value(&self, from: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        let mut start = run(text, from, is_blank);
        if matches!(byte(text, start), b'\x1b' | b'\\' | b'*' | b'`') {
            start = self.behind_marks(start);
        }
        if start >= text.len() || self.is_replaced(start) {
            return None;
        }
        if name.quotes.is_none()
            && let Some(line) = line_feed(text, start)
        {
            return self.next_line(line, name);
        }
        // In the place of a JSON value, the replacement has to be a string.
        let bare = name.quotes.map_or(With::Bare, With::Quoted);
        let word = run(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'#'));
        // `&"…"`, and `<<"…">>` in Erlang.
        let sign = run(text, start, |byte| matches!(byte, b'&' | b'<'));
        if let Some((content, quote, backslashes)) = self.quoted(sign) {
            if let Some((from, end)) = tripled(text, content, quote, backslashes) {
                return self.inside(from, end);
            }
            if self.is_between(content, quote, backslashes) {
                return None;
            }
            let end = quoted_end(text, content, quote, backslashes);
            return self.inside(content, end).filter(|_| !self.is_placeholder(content, end, name));
        }
        if let Some((content, end)) = self.encoded_string(start) {
            let has_text = text.get(content..end)?.iter().any(u8::is_ascii_alphanumeric);
            return self.inside(content, end).filter(|_| has_text && !self.is_placeholder(content, end, name));
        }
        let prefix = text.get(start..word).unwrap_or_default();
        // The dump of a string in PHP, and a list in Go.
        if prefix == b"string" && byte(text, word) == b'(' {
            let behind = run(text, word + 1, |byte| byte.is_ascii_digit());
            let open = run(text, behind + 1, is_blank);
            if let Some((content, quote, backslashes)) = self.quoted(open).filter(|_| byte(text, behind) == b')') {
                return self.inside(content, string_end(text, content, quote, backslashes));
            }
        }
        let list = run(text, start + 2, |byte| byte.is_ascii_alphanumeric());
        if starts(text, start, b"[]") && byte(text, list) == b'{' && list > start + 2 {
            return Some(Hit { start, end: group_end(text, list), with: bare });
        }
        if byte(text, start) == b'!' && name.quotes.is_none() && is_blank(before(text, start)) {
            return self.tagged(start, name);
        }
        if prefix.len() <= 3
            && let Some((content, quote, backslashes)) = self.quoted(word)
            && (quote == b'"' || matches!(prefix, b"b" | b"r" | b"u" | b"N"))
        {
            // `b"…"`, `r#"…"`, `N'…'`
            return self.inside(content, string_end(text, content, quote, backslashes));
        }
        let of =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'&' | b'!' | b'<' | b'>' | b'.');
        let path = run(text, start, of);
        let open = if starts(text, path, b" {") && path > start { path + 1 } else { path };
        if matches!(byte(text, open), b'(' | b'[' | b'{') {
            let end = group_end(text, open);
            // `{SSHA}…`
            let goes_on = path == start && byte(text, end).is_ascii_alphanumeric();
            let end = if goes_on { self.word_end(end) } else { end };
            let hit = Hit { start, end, with: bare };
            return (!self.is_placeholder(start, end, name)).then_some(hit);
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
            return self.some_word(start, end, name).then_some(Hit { start, end, with: bare });
        }
        if is_line(name.text) {
            let near = text.len().min(start + MAX_BETWEEN);
            if !is_phrase(name.text) && self.is_prose(start, near) {
                return None;
            }
            let end = line_end(text, start);
            let first = run(text, start, |byte| byte.is_ascii_digit());
            let is_count = self.rules.names.is_count(name.text)
                && first > start
                && !is_name(byte(text, first))
                && byte(text, first) != b'=';
            let is_one = !is_count && self.some_word(start, end, name);
            return is_one.then_some(Hit { start, end, with: bare });
        }
        let mut end = self.word_end(start);
        if byte(text, end) == b'"' {
            // The backslashes before it belong to the quote.
            end -= backslashes_at_end(text.get(start..end).unwrap_or_default());
        }
        let is_one = self.some_word(start, end, name) && !self.is_status(start, end, name);
        if is_list(name.text) {
            end = self.list_end(end);
        }
        is_one.then_some(Hit { start, end, with: bare })
    }

    /// Returns where a list of words ends, the first of which ends at `end`: `8812-7731, 9913-0042`.
    fn list_end(&self, mut end: usize) -> usize {
        let text = self.text;
        loop {
            let next = run(text, end + 1, |byte| byte == b' ');
            let word = run(text, next, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let has_digit = text.get(next..word).is_some_and(|word| word.iter().any(u8::is_ascii_digit));
            if byte(text, end) != b',' || !has_digit {
                return end;
            }
            end = word;
        }
    }

    /// Matches a value with a tag of YAML: `!vault |`. A tag may also look a value up.
    fn tagged(&self, start: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        let tag = run(text, start, |byte| byte.is_ascii_alphanumeric() || byte == b'!');
        let looks_up = [&b"!secret"[..], b"!env", b"!ENV", b"!Ref", b"!Sub", b"!GetAtt", b"!reference"];
        if looks_up.contains(&text.get(start..tag)?) {
            return None;
        }
        let value = run(text, tag, is_blank);
        if let Some((_, end)) = block(text, value).filter(|_| matches!(byte(text, value), b'|' | b'>') && value > tag) {
            return self.inside(start, end);
        }
        let end = self.word_end(start);
        self.inside(start, end).filter(|_| self.some_word(start, end, name))
    }

    /// Matches a value on the line after its name: one word, or one string.
    fn next_line(&self, line: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        let start = run(text, line, is_blank);
        // One empty line.
        let start = line_feed(text, start).map_or(start, |line| run(text, line, is_blank));
        if let Some((content, quote, backslashes)) = self.quoted(start) {
            let end = string_end(text, content, quote, backslashes);
            return self.inside(content, end).filter(|_| end < text.len());
        }
        let end = self.word_end(start);
        let word = text.get(start..end)?;
        let ends_line = end >= text.len() || line_feed(text, run(text, end, is_blank)).is_some();
        let is_value =
            ends_line && !word.ends_with(b":") && !word.contains(&b'=') && word.iter().any(u8::is_ascii_digit);
        (is_value && self.some_word(start, end, name)).then(|| self.inside(start, end))?
    }

    /// Returns the content of a string whose quotes are encoded: `&quot;…&quot;`, `%22…%22`.
    fn encoded_string(&self, start: usize) -> Option<(usize, usize)> {
        let text = self.text;
        let (char, content) = match byte(text, start) {
            b'&' | b'%' | b'\\' => unit(text, start),
            b'`' => (b'"', start + 1),
            _ => return None,
        };
        if !matches!(char, b'"' | b'\'') {
            return None;
        }
        let quote = text.get(start..content)?;
        let mut end = run(text, content, |byte| byte != quote.first().copied().unwrap_or(b' ') && byte != b'\n');
        while end < text.len() && !starts(text, end, quote) && byte(text, end) != b'\n' {
            end = run(text, end + 1, |byte| byte != quote.first().copied().unwrap_or(b' ') && byte != b'\n');
        }
        Some((content, end))
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

    /// Returns whether a part of the text stands for a value that is not shown, or that is found elsewhere.
    pub(super) fn is_placeholder(&self, start: usize, end: usize, name: Name<'_>) -> bool {
        if end - start > MAX_BETWEEN {
            return false;
        }
        let value = self.text.get(start..end).unwrap_or_default();
        let inner = |open: &[u8], close: &[u8]| value.strip_prefix(open).and_then(|value| value.strip_suffix(close));
        let is_plain = |text: &[u8]| {
            text.iter().all(|byte| {
                byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'_' | b':' | b'*' | b'.' | b'-' | b'?')
            })
        };
        let masked = !value.is_empty() && value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'));
        let bracketed = [(&b"["[..], &b"]"[..]), (b"(", b")"), (b"<", b">")];
        masked
            || is_version(value)
            || (is_directory(name.text) && matches!(value, [b'/', ..] | [_, b':', b'\\', ..]))
            || value.starts_with(b"${")
            || value.starts_with(b"{{")
            || matches!(value, b"Some" | b"None")
            || bracketed
                .into_iter()
                .any(|(open, close)| inner(open, close).is_some_and(|text| !text.is_empty() && is_plain(text)))
            || value.windows(8).any(|window| window.eq_ignore_ascii_case(b"REDACTED"))
            || LOOKED_UP.iter().any(|function| value.starts_with(function))
            || value.strip_prefix(b"$").is_some_and(|name| {
                !name.is_empty() && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
            })
            || (self.rules.names.is_count(name.text) && is_number_list(value))
    }

    /// Returns whether a word is a value.
    fn some_word(&self, start: usize, end: usize, name: Name<'_>) -> bool {
        let word = self.text.get(start..end).unwrap_or_default();
        let is = |other: &&[u8]| word.eq_ignore_ascii_case(other);
        let is_digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        if is_short(name.text) && name.quotes.is_none() {
            // `pin: 17` and `pass: 2` are counts or places.
            let has_digit = word.iter().any(u8::is_ascii_digit);
            let is_pin = is_digits && word.len() >= 4;
            let is_pass = !is_digits && word.len() >= 5 && has_digit;
            if !(is_pin || is_pass) {
                return false;
            }
        }
        match word {
            b"" | b"?" => false,
            _ if self.is_placeholder(start, end, name) => false,
            // A placeholder in SQL.
            [b'$', digits @ ..] if !digits.is_empty() && digits.len() < 4 => !digits.iter().all(u8::is_ascii_digit),
            [b':', name @ ..] if !name.is_empty() => !name.iter().all(u8::is_ascii_lowercase),
            _ => !NOTHING.iter().any(is),
        }
    }

    /// Returns whether an unquoted word says what is wrong with a value, or begins a sentence.
    fn is_status(&self, start: usize, end: usize, name: Name<'_>) -> bool {
        let text = self.text;
        let word = text.get(start..end).unwrap_or_default();
        let is_word = !word.is_empty() && word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
        let may_be_prose = is_blank(before(text, start)) && !name.text.starts_with(b"-");
        let is_listed = matches!(word, b"password" | b"token" | b"secret");
        let begins_sentence = || may_be_prose && SENTENCES.contains(&word) && self.is_prose(start, end);
        begins_sentence()
            || is_word && (is_listed || STATUS.contains(&word) || (may_be_prose && self.is_prose(start, end)))
    }

    /// Returns whether a sentence begins at `start`: two words of letters, the second of which is no name.
    fn is_prose(&self, start: usize, end: usize) -> bool {
        let text = self.text;
        let first = run(text, start, |byte| byte.is_ascii_lowercase());
        let word = run(text, start, |byte| byte.is_ascii_alphabetic());
        if text.get(start..word).is_some_and(|word| SENTENCES.contains(&word)) && is_blank(byte(text, word)) {
            return true;
        }
        let second = run(text, first, |byte| byte == b' ');
        let behind = run(text, second, |byte| byte.is_ascii_lowercase());
        if first == start {
            return false;
        }
        if first >= end && end >= text.len() || second == first {
            return STATUS.contains(&text.get(start..first).unwrap_or_default()) && (first >= end || second == first);
        }
        let is_second = behind > second && !is_name(byte(text, behind)) && !matches!(byte(text, behind), b':' | b'=');
        let is_scheme = SCHEMES.contains(&text.get(start..first).unwrap_or_default());
        is_second && !is_scheme
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

/// Words that begin a sentence.
const SENTENCES: [&[u8]; 15] = [
    b"The",
    b"This",
    b"An",
    b"No",
    b"Not",
    b"Your",
    b"Must",
    b"Invalid",
    b"Missing",
    b"Please",
    b"Could",
    b"Cannot",
    b"Unable",
    b"Failed",
    b"Expected",
];

/// Words that stand for no value.
const NOTHING: [&[u8]; 9] = [b"none", b"null", b"nil", b"true", b"false", b"undefined", b"empty", b"yes", b"no"];

/// Words that say something about a value instead of showing it.
const STATUS: [&[u8]; 42] = [
    b"absent",
    b"accepted",
    b"bad",
    b"blank",
    b"changed",
    b"denied",
    b"disabled",
    b"enabled",
    b"error",
    b"expected",
    b"expired",
    b"failed",
    b"failure",
    b"found",
    b"hidden",
    b"ignored",
    b"include",
    b"incorrect",
    b"invalid",
    b"malformed",
    b"mismatch",
    b"missing",
    b"no",
    b"off",
    b"ok",
    b"omit",
    b"on",
    b"optional",
    b"present",
    b"rejected",
    b"removed",
    b"required",
    b"revoked",
    b"rotated",
    b"same-origin",
    b"sent",
    b"set",
    b"unchanged",
    b"unset",
    b"unknown",
    b"valid",
    b"yes",
];

/// Where a value is looked up instead of shown.
const LOOKED_UP: [&[u8]; 8] =
    [b"os.environ", b"env(", b"env!(", b"std::env", b"process.env", b"getenv(", b"os.Getenv(", b"secrets."];

/// Returns whether this is the version of a package: `9.0.2`, `v0.5.0`, `^1.2`.
pub(super) fn is_version(value: &[u8]) -> bool {
    let digits = value.trim_ascii_start();
    let digits = digits.get(usize::from(matches!(digits, [b'v' | b'^' | b'~' | b'=', ..]))..).unwrap_or_default();
    let mut parts = digits.split(|byte| *byte == b'.');
    let number = |part: &[u8]| (1..=5).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let [first, second, third] = [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    let last = third.split(|byte| matches!(byte, b'-' | b'+')).next().unwrap_or_default();
    number(first)
        && number(second)
        && (number(last) || (third.is_empty() && digits.len() < value.len()))
        && parts.next().is_none()
}

/// Returns whether this is a number, or a list of numbers.
fn is_number_list(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'[' | b']' | b',' | b' ' | b'.');
    !value.is_empty() && value.iter().all(is_part)
}
