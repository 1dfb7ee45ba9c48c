//! Where a part of a text ends: a run of bytes, a string, a bracket.
//!
//! Only this file walks along a text, so that a test can count the steps.

/// Returns where the run of bytes for which `of` holds ends.
#[inline]
pub(super) fn run(text: &[u8], from: usize, of: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.iter().position(|byte| !of(*byte)).unwrap_or(rest.len());
    #[cfg(test)]
    STEPS.set(STEPS.get() + length + 1);
    from + length
}

/// Returns where the run of bytes for which `of` holds, and that ends with the text, begins.
#[inline]
pub(super) fn run_back(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
    let start = text.iter().rposition(|byte| !of(*byte)).map_or(0, |at| at + 1);
    #[cfg(test)]
    STEPS.set(STEPS.get() + text.len() - start + 1);
    start
}

#[cfg(test)]
thread_local! {
    /// Bytes looked at: a test shows that their number is linear in the text.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns the byte at `at`; a space beyond the text.
#[inline]
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

/// Returns the byte before `at`; a space before the text.
#[inline]
pub(super) fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(b' ', |at| byte(text, at))
}

#[inline]
pub(super) fn starts(text: &[u8], at: usize, with: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(with))
}

pub(super) fn backslashes_at_end(text: &[u8]) -> usize {
    text.len() - run_back(text, |byte| byte == b'\\')
}

/// Returns where the content of a string ends that begins at `from`, after a quote with this many backslashes before
/// it: at the quote that closes it or the text around it, else at the end of the text. Quotes inside have more
/// backslashes.
pub(super) fn string_end(text: &[u8], from: usize, quote: u8, backslashes: usize) -> usize {
    string_end_before(text, from, quote, backslashes, |_| false)
}

/// Like [`string_end`], but also ends before a byte for which `stops` holds.
fn string_end_before(text: &[u8], from: usize, quote: u8, backslashes: usize, stops: impl Fn(u8) -> bool) -> usize {
    let mut at = from;
    loop {
        let end = run(text, at, |byte| byte != quote && !stops(byte));
        if byte(text, end) != quote {
            return end;
        }
        let before = text.get(at..end).unwrap_or_default();
        let run = backslashes_at_end(before);
        if run < backslashes {
            return end - run;
        }
        if run % (2 * (backslashes + 1)) == backslashes {
            return end - backslashes;
        }
        at = end + 1;
    }
}

/// Like [`string_end`], for a value in which a doubled quote stands for one, as in SQL and CSV.
pub(super) fn quoted_end(text: &[u8], from: usize, quote: u8, backslashes: usize) -> usize {
    let closes = |at: usize| {
        let own = text.get(at..at + backslashes);
        own.is_some_and(|own| own.iter().all(|byte| *byte == b'\\')) && text.get(at + backslashes) == Some(&quote)
    };
    let mut end = string_end(text, from, quote, backslashes);
    while closes(end) && closes(end + backslashes + 1) {
        end = string_end(text, end + 2 * (backslashes + 1), quote, backslashes);
    }
    end
}

/// Returns where the content of a string in triple quotes begins and ends, as in TOML and Python.
pub(super) fn tripled(text: &[u8], content: usize, quote: u8, backslashes: usize) -> Option<(usize, usize)> {
    let length = backslashes + 1;
    let is_own = |at: usize| {
        let own = text.get(at..at + length).and_then(<[u8]>::split_last);
        own.is_some_and(|(last, own)| *last == quote && own.iter().all(|byte| *byte == b'\\'))
    };
    let from = content + 2 * length;
    if backslashes > MAX_TRIPLED || !is_own(content) || !is_own(content + length) {
        return None;
    }
    let mut end = from;
    loop {
        let behind = run(text, end, |byte| byte != quote);
        if behind >= text.len() {
            return Some((from, text.len()));
        }
        let begin = behind.saturating_sub(backslashes);
        if begin >= from && (0..3).all(|nth| is_own(begin + nth * length)) {
            return Some((from, begin));
        }
        end = behind + 1;
    }
}

/// Triple quotes with more backslashes before each are not recognised.
const MAX_TRIPLED: usize = 15;

/// Returns the position after the line feed at `at`, which may be escaped.
pub(super) fn line_feed(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let own = rest.iter().take(MAX_TRIPLED).take_while(|byte| **byte == b'\\').count();
    let (escape, rest) = rest.split_at_checked(own)?;
    let ends = if own == 0 { [&b"\n"[..], b"\r\n"] } else { [&b"n"[..], b"r"] };
    let end = ends.into_iter().find(|end| rest.starts_with(end))?;
    let behind = at + own + end.len();
    if end != b"r" {
        return Some(behind);
    }
    let is_feed = starts(text, behind, escape) && byte(text, behind + own) == b'n';
    is_feed.then_some(behind + own + 1)
}

/// Returns the bounds of a YAML block whose `|` or `>` is at `at`: it ends before the first line with less indentation.
pub(super) fn block(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let signs = run(text, at + 1, |byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+'));
    let line = line_feed(text, signs)?;
    let is_blank = |byte: u8| byte == b' ';
    let from = run(text, line, is_blank);
    let indent = from - line;
    if indent == 0 {
        return None;
    }
    let mut end = from;
    loop {
        end = run(text, end, |byte| !matches!(byte, b'\n' | b'\r' | b'\\' | b'"'));
        match (line_feed(text, end), byte(text, end)) {
            (Some(mut line), _) => {
                let mut behind = run(text, line, is_blank);
                // Empty lines belong to the block.
                while let Some(next) = line_feed(text, behind) {
                    (line, behind) = (next, run(text, next, is_blank));
                }
                if behind - line < indent {
                    return Some((from, end));
                }
                end = behind;
            }
            // The end of the text around it.
            (None, b'"') if byte(text, signs) == b'\\' => return Some((from, end)),
            _ if end >= text.len() => return Some((from, end)),
            (None, b'\\') => end = text.len().min(end + 2),
            _ => end += 1,
        }
    }
}

/// Returns where an XML `CDATA` section ends.
pub(super) fn character_data_end(text: &[u8], from: usize) -> usize {
    let mut end = run(text, from, |byte| byte != b']');
    while end < text.len() && !starts(text, end, b"]]>") {
        end = run(text, end + 1, |byte| byte != b']');
    }
    end
}

/// Returns where a value that takes the rest of its line ends: there, or at the quote that closes the text around it.
/// Quotes within the value are skipped: `Digest username="bob", response="…"`.
pub(super) fn line_end(text: &[u8], start: usize) -> usize {
    let feeds = |byte: u8| matches!(byte, b'\n' | b'\r');
    let is_quote = |at: usize, backslashes: usize| {
        let quote = text.get(at..at + backslashes + 1).and_then(<[u8]>::split_last);
        quote.is_some_and(|(quote, own)| *quote == b'"' && own.iter().all(|byte| *byte == b'\\'))
    };
    let mut at = start;
    loop {
        let quote = run(text, at, |byte| byte != b'"' && !feeds(byte));
        if byte(text, quote) != b'"' {
            return quote;
        }
        let backslashes = backslashes_at_end(text.get(at..quote).unwrap_or_default());
        let begins = quote - backslashes;
        // A closing quote is followed by a sign or by nothing. The quote in `dXNlcg=="` does not open a string.
        let behind = byte(text, quote + 1);
        let is_sign = behind.is_ascii_whitespace() || b",;:.}])>'\\\"".contains(&behind);
        let opens = !is_sign || is_quote(quote + 1, backslashes);
        if !opens || begins == start || !matches!(byte(text, begins - 1), b'=' | b' ' | b':') {
            return begins;
        }
        let end = string_end_before(text, quote + 1, b'"', backslashes, feeds);
        if !is_quote(end, backslashes) {
            return end;
        }
        at = end + backslashes + 1;
    }
}

/// Where the strings of a JSON text are: the content of the string around the current position, or of the next one.
#[derive(Clone, Copy)]
pub(super) struct Strings {
    start: usize,
    end: usize,
}

impl Strings {
    /// For a text that may be anything: no strings.
    pub(super) const UNKNOWN: Self = Self { start: usize::MAX, end: usize::MAX };

    pub(super) fn of(text: &[u8]) -> Self {
        let mut strings = Self::UNKNOWN;
        strings.begin(text, 0);
        strings
    }

    fn begin(&mut self, text: &[u8], from: usize) {
        self.start = run(text, from, |byte| byte != b'"') + 1;
        self.end = string_end(text, self.start, b'"', 0).max(self.start);
    }

    /// Returns the text up to the end of the string around `at`, or all of it. Positions must not decrease.
    #[inline]
    pub(super) fn around<'t>(&mut self, text: &'t [u8], at: usize) -> &'t [u8] {
        while self.end < at {
            self.begin(text, self.end + 1);
        }
        if self.are_around(at) { text.get(..self.end).unwrap_or(text) } else { text }
    }

    /// Returns whether the last position that was passed is in a string.
    #[inline]
    pub(super) fn are_around(&self, at: usize) -> bool {
        self.start <= at
    }
}

/// Returns the position after the bracket that closes the one at `open`. Strings inside are skipped.
pub(super) fn group_end(text: &[u8], open: usize) -> usize {
    let opening = byte(text, open);
    let closing = match opening {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    };
    let (mut depth, mut at) = (0usize, open);
    while at < text.len() {
        let step = match byte(text, at) {
            one if one == opening => {
                depth += 1;
                1
            }
            one if one == closing => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
                1
            }
            b'"' => {
                let backslashes = backslashes_at_end(text.get(open..at).unwrap_or_default());
                string_end(text, at + 1, b'"', backslashes) + backslashes + 1 - at
            }
            // A character literal, which may be a bracket.
            b'\'' if byte(text, at + 2) == b'\'' => 3,
            b'\'' if byte(text, at + 1) == b'\\' && byte(text, at + 3) == b'\'' => 4,
            _ => {
                let of = |byte: u8| byte != opening && byte != closing && !matches!(byte, b'"' | b'\'');
                run(text, at + 1, of) - at
            }
        };
        at += step;
    }
    text.len()
}
