//! What begins at a trigger byte.

use super::assigned::{Name, is_name};
use super::bounds::{before, byte, character_data_end, group_end, run, run_back, starts, string_end};
use super::bytes::class;
use super::hit::{Hit, With};
use super::matcher::Matcher;
use super::names::MAX_NAME_BYTES;
use super::{cards, shapes};

impl<'t> Matcher<'t> {
    /// Matches at the first byte of a word.
    #[inline]
    pub(super) fn at_word(&mut self, at: usize, class: u16) -> Option<Hit> {
        let text = self.text;
        match class & class::ALL {
            class::DIGIT => {
                let end = run(text, at, |byte| byte.is_ascii_digit());
                let card = cards::may_be_card(text, at, end, self.cut).then(|| cards::card(text, at, self.cut))??;
                Some(Hit { start: card.start, end: card.end, with: With::LastFour })
            }
            class::B if shapes::may_be_scheme(text, at) => self.shown(shapes::credentials(text, at, self.cut)),
            class::MARK if shapes::may_be_prefix(text, at) => self.shown(shapes::prefixed(text, at, self.cut)),
            0 if starts(text, at, b"eyJ") => self.jwt(at),
            0 => self.shown(shapes::dotted(text, at, self.cut)),
            _ => None,
        }
    }

    /// Matches at a sign.
    #[inline]
    pub(super) fn at_sign(&mut self, at: usize, class: u16) -> Option<Hit> {
        let text = self.text;
        match class {
            class::MARK if shapes::may_be_prefix(text, at) => self.shown(shapes::prefixed(text, at, self.cut)),
            class::MARK if byte(text, at) == b'-' => self.dashes(at),
            class::ASSIGN => self.assigned(at),
            class::OPEN => self.opened(at),
            class::ANGLE => self.element(at),
            _ => None,
        }
    }

    /// At `-`: a private key, or an argument.
    fn dashes(&self, at: usize) -> Option<Hit> {
        let before = before(self.text, at);
        if byte(self.text, at + 1) != b'-' {
            let begins = before.is_ascii_whitespace() || matches!(before, b'"' | b'\'');
            return if begins { self.flag(at + 1) } else { None };
        }
        if starts(self.text, at, b"-----BEGIN ") {
            let range = shapes::pem(self.text, at)?;
            return Some(Hit { start: range.start, end: range.end, with: With::Bare });
        }
        self.flag(at + 2)
    }

    fn jwt(&mut self, at: usize) -> Option<Hit> {
        if at < self.jwt_until {
            return None;
        }
        let (is_one, end) = shapes::jwt(self.text, at, self.cut);
        self.jwt_until = end;
        if is_one { self.shown(Some(at..end)) } else { None }
    }

    /// At `:` or `=`: the password in a URL, or what is assigned to a secret name.
    fn assigned(&self, at: usize) -> Option<Hit> {
        let text = self.text;
        if starts(text, at, b"://") {
            let range = shapes::url_password(text, at, self.cut).or_else(|| shapes::webhook(text, at))?;
            let hit = Hit { start: range.start, end: range.end, with: With::Bare };
            return Some(hit).filter(|hit| !self.is_replaced(hit.start));
        }
        if starts(text, at, b":AA")
            && let Some(range) = shapes::bot_token(text, at, self.cut)
        {
            return self.inside(range.start, range.end);
        }
        let name = self.name_before(at)?;
        if !self.rules.names.is_secret(name.text) {
            return self.indirect(at, name);
        }
        let from = match (byte(text, at), byte(text, at + 1)) {
            // A path in Rust.
            (b':', b':') => return None,
            // A comparison, unless a string follows.
            (b'=', b'=') if self.quoted(run(text, at + 2, |byte| byte == b' ')).is_none() => return None,
            (_, b'=' | b'>') => at + 2,
            _ => at + 1,
        };
        self.value(from, name)
    }

    /// At a bracket: `Password("…")`, `Password { … }`, `("password", "…")`.
    fn opened(&self, at: usize) -> Option<Hit> {
        let text = self.text;
        let open = byte(text, at);
        if open == b'{' {
            let name = self.name_before(at).filter(|name| name.quotes.is_none())?;
            let is_struct = name.text.first().is_some_and(u8::is_ascii_uppercase);
            let is_token = name.text.ends_with(b"oken") && !self.holds_text(at + 1);
            if !is_struct || is_token || !self.rules.names.is_secret(name.text) {
                return None;
            }
            let end = group_end(text, at);
            let end = end - usize::from(byte(text, end - 1) == b'}' && end > at + 1);
            return self.inside(at + 1, end);
        }
        let first = run(text, at + 1, |byte| byte.is_ascii_whitespace());
        let (content, quote, backslashes) = self.quoted(first)?;
        let tight = before(text, at).is_ascii_alphanumeric();
        if open == b'(' && tight {
            let name = self.name_before(at)?;
            let is_secret = self.rules.names.is_secret(name.text);
            return is_secret
                .then(|| string_end(text, content, quote, backslashes))
                .and_then(|end| self.inside(content, end));
        }
        // A pair. `[` counts only inside other brackets, as a list of two names is more common elsewhere.
        let before = before(text, at);
        if open == b'[' && !matches!(before, b'[' | b',' | b' ') {
            return None;
        }
        let end = content + MAX_NAME_BYTES;
        let end = string_end(text.get(..end.min(text.len())).unwrap_or_default(), content, quote, backslashes);
        let name = Name { text: text.get(content..end)?, quotes: Some(backslashes) };
        let comma = end + backslashes + 1;
        if byte(text, comma) != b',' || !self.rules.names.is_secret(name.text) {
            return None;
        }
        let next = run(text, comma + 1, |byte| byte.is_ascii_whitespace());
        let hit = self.value(next, name)?;
        let behind =
            run(text, hit.end, |byte| matches!(byte, b'\\' | b'"' | b'\'' | b',') || byte.is_ascii_whitespace());
        (open == b'(' || matches!(byte(text, behind), b']') || behind >= text.len()).then_some(hit)
    }

    /// Returns whether the first field of a struct holds its text; a parser's tokens have other fields.
    fn holds_text(&self, from: usize) -> bool {
        let text = self.text;
        let name = run(text, from, |byte| byte.is_ascii_whitespace());
        let of = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let end = run(text.get(..text.len().min(name + MAX_NAME_BYTES)).unwrap_or_default(), name, of);
        let is_one = matches!(text.get(name..end), Some(b"value" | b"inner" | b"raw" | b"data" | b"0" | b"secret"));
        is_one && byte(text, end) == b':' && self.quoted(run(text, end + 1, |byte| byte == b' ')).is_some()
    }

    /// At `>`: `<password>…</password>`, with or without a namespace and attributes.
    fn element(&self, at: usize) -> Option<Hit> {
        let from = at.saturating_sub(MAX_NAME_BYTES);
        let tag = self.text.get(from..at)?;
        let begin = run_back(tag, |byte| !matches!(byte, b'<' | b'>'));
        let tag = tag.get(begin..)?;
        let name_end = run(tag, 0, |byte| is_name(byte) || byte == b':');
        let is_whole = name_end == tag.len() || byte(tag, name_end).is_ascii_whitespace();
        let name = tag.get(..name_end)?.rsplit(|byte| *byte == b':').next()?;
        let before = (from + begin).checked_sub(1)?;
        if byte(self.text, before) != b'<' || !is_whole || tag.ends_with(b"/") || !self.rules.names.is_secret(name) {
            return None;
        }
        if starts(self.text, at + 1, b"<![CDATA[") {
            return self.inside(at + 10, character_data_end(self.text, at + 10));
        }
        let end = run(self.text, at + 1, |byte| byte != b'<');
        if starts(self.text, end, b"</") && starts(self.text, end + 2, tag.get(..name_end).unwrap_or_default()) {
            return self.inside(at + 1, end);
        }
        self.inside(at + 1, run(self.text, at + 1, |byte| !matches!(byte, b'<' | b'"')))
    }

    /// After the dashes: `--password …`, also where each argument is shown in quotes.
    fn flag(&self, from: usize) -> Option<Hit> {
        let text = self.text;
        let end = run(text.get(..text.len().min(from + MAX_NAME_BYTES)).unwrap_or_default(), from, is_name);
        let name = text.get(from..end)?;
        if !name.first().is_some_and(u8::is_ascii_alphabetic) || !self.rules.names.is_secret(name) {
            return None;
        }
        let behind = match self.quoted(end) {
            Some((behind, ..)) => behind + usize::from(byte(text, behind) == b','),
            None => end,
        };
        let start = run(text, behind, |byte| byte == b' ');
        let is_value = start > end && (behind == end || self.quoted(start).is_some());
        if !is_value || byte(text, start) == b'-' {
            return None;
        }
        self.value(start, Name { text: name, quotes: None })
    }
}
