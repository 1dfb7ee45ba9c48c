//! Secrets whose listed name is not the name they are assigned to.
//!
//! `{ name: "password", value: "…" }`, in lists of headers, variables and settings; a part of a form, below its name;
//! `API key: …`, with a blank in the name; and the signature of a signed URL.

use super::assigned::{Name, is_blank, is_name};
use super::bounds::{byte, line_feed, run, starts, string_end};
use super::hit::Hit;
use super::matcher::Matcher;
use super::names::MAX_NAME_BYTES;

/// The shortest text that is taken for a signature, in bytes.
const MIN_SIGNATURE: usize = 20;

/// At most this many bytes stand between a name and the word `value`.
const MAX_BETWEEN: usize = 64;

impl<'t> Matcher<'t> {
    /// Matches what is secret after the sign at `at`, though the name before the sign is not listed.
    #[inline]
    pub(super) fn indirect(&self, at: usize, name: Name<'_>) -> Option<Hit> {
        match name.text {
            b"name" | b"Name" | b"key" | b"Key" | b"KEY" => self.described(at, name),
            b"sig" | b"X-Amz-Signature" | b"X-Goog-Signature" => self.signature(at, name),
            _ => None,
        }
    }

    #[cold]
    fn signature(&self, at: usize, name: Name<'_>) -> Option<Hit> {
        let before = at.checked_sub(name.text.len() + 1).map(|before| byte(self.text, before));
        if !matches!(before, Some(b'?' | b'&')) {
            return None;
        }
        self.value(at + 1, name).filter(|hit| hit.end - hit.start >= MIN_SIGNATURE || self.cut)
    }

    #[cold]
    fn described(&self, at: usize, name: Name<'_>) -> Option<Hit> {
        let text = self.text;
        if name.quotes.is_none()
            && !name.text.ends_with(b"ame")
            && let Some(name) = self.two_words_before(at, name.text.len())
        {
            return self.value(at + 1, name);
        }
        let from = run(text, at + 1, is_blank);
        let near = text.get(..text.len().min(from + MAX_NAME_BYTES)).unwrap_or_default();
        let quoted = self.quoted(from);
        let (name, behind) = match quoted {
            Some((content, quote, backslashes)) => {
                let end = string_end(near, content, quote, backslashes);
                (near.get(content..end)?, end + backslashes + 1)
            }
            None => {
                let end = run(near, from, is_name);
                (near.get(from..end)?, end)
            }
        };
        if !self.rules.names.is_secret(name) {
            return None;
        }
        let lines = line_feed(text, behind).and_then(|line| line_feed(text, line));
        match lines {
            Some(body) if quoted.is_some() => self.inside(body, self.part_end(body)),
            _ => self.value_beside(behind, name),
        }
    }

    /// Returns the two words before `at` if they form a listed name, as in `API key`. `last`: bytes of the second word.
    fn two_words_before(&self, at: usize, last: usize) -> Option<Name<'t>> {
        let end = self.back(at, MAX_NAME_BYTES, is_blank);
        let blank = end.checked_sub(last + 1).filter(|blank| byte(self.text, *blank) == b' ')?;
        let text = self.text.get(self.back(blank, MAX_NAME_BYTES, is_name)..end)?;
        self.rules.names.is_secret(text).then_some(Name { text, quotes: None })
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

    /// Matches what is assigned to the word `value` after a name.
    fn value_beside(&self, behind: usize, name: &[u8]) -> Option<Hit> {
        let near = self.text.get(..self.text.len().min(behind + MAX_BETWEEN)).unwrap_or_default();
        let mut at = behind;
        loop {
            at = run(near, at, |byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'"' | b'\''));
            match line_feed(near, at) {
                Some(next) => at = next,
                None if byte(near, at) == b'\\' => at += 1,
                None => break,
            }
        }
        let end = run(near, at, |byte| byte.is_ascii_alphanumeric());
        let is_value = near.get(at..end).is_some_and(|word| word.eq_ignore_ascii_case(b"value"));
        let sign = run(near, end, |byte| is_blank(byte) || matches!(byte, b'\\' | b'"' | b'\''));
        if !is_value || !matches!(byte(near, sign), b':' | b'=') {
            return None;
        }
        let quotes = self.name_before(sign)?.quotes;
        self.value(sign + 1, Name { text: name, quotes })
    }
}
