//! The text that bytes represent: escapes, entities and terminal colours, decoded where a boundary is looked for.
//!
//! A log often shows a text inside another one: `\n` in `Debug` and JSON, `\u0026` and `\/` in JSON, `&quot;` in HTML,
//! `%22` in a URL, `\u{1b}[1m` of a terminal. Words begin and end in the text inside. [`unit`] reads one character of
//! it, [`begins_word`] and [`word_start`] look back, and [`Marks`] skips what stands around a name.
//!
//! Matches are ranges of the bytes, so nothing is decoded as a whole.

use super::bounds::{before, byte, run, run_back, starts};

/// Entities of HTML and XML, with the character that each represents.
const ENTITIES: [(&[u8], u8); 14] = [
    (b"&quot;", b'"'),
    (b"&#34;", b'"'),
    (b"&#x22;", b'"'),
    (b"&apos;", b'\''),
    (b"&#39;", b'\''),
    (b"&#x27;", b'\''),
    (b"&amp;", b'&'),
    (b"&#38;", b'&'),
    (b"&lt;", b'<'),
    (b"&#60;", b'<'),
    (b"&gt;", b'>'),
    (b"&#62;", b'>'),
    (b"&#61;", b'='),
    (b"&nbsp;", b' '),
];

/// How a terminal escape begins, also in texts that escape it.
const ESCAPES: [&[u8]; 6] = [b"\x1b[", b"u{1b}[", b"u001b[", b"u001B[", b"x1b[", b"033["];

/// The longest terminal escape, in bytes.
const MAX_ESCAPE: usize = 24;

/// The most backslashes that are read before an escaped character.
const MAX_BACKSLASHES: usize = 64;

/// Returns the character at `at`, and the position after it. A byte that is no escape represents itself.
pub(super) fn unit(text: &[u8], at: usize) -> (u8, usize) {
    match byte(text, at) {
        b'&' => {
            let found = ENTITIES.iter().find(|(name, _)| starts(text, at, name));
            found.map_or((b'&', at + 1), |(name, char)| (*char, at + name.len()))
        }
        b'%' => hex(text, at + 1, 2).map_or((b'%', at + 1), |char| (char, at + 3)),
        b'\\' => {
            let escape =
                run(text.get(..text.len().min(at + MAX_BACKSLASHES)).unwrap_or_default(), at, |byte| byte == b'\\');
            match byte(text, escape) {
                b'n' => (b'\n', escape + 1),
                b'r' => (b'\r', escape + 1),
                b't' => (b'\t', escape + 1),
                b'u' => hex(text, escape + 1, 4).map_or((b'\\', at + 1), |char| (char, escape + 5)),
                b'x' => hex(text, escape + 1, 2).map_or((b'\\', at + 1), |char| (char, escape + 3)),
                sign @ (b'/' | b'"' | b'\'') => (sign, escape + 1),
                _ => (b'\\', at + 1),
            }
        }
        byte => (byte, at + 1),
    }
}

/// Reads a character in hexadecimal digits; one beyond ASCII counts as a letter.
fn hex(text: &[u8], at: usize, digits: usize) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(at..at + digits)?).ok()?;
    let char = u32::from_str_radix(digits, 16).ok()?;
    Some(u8::try_from(char).unwrap_or(b'x'))
}

/// Returns whether a word may begin at `at`: the character before it is neither a letter nor a digit.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    let last = before(text, at);
    (last.is_ascii() && !last.is_ascii_alphanumeric()) || escape_before(text, at)
}

/// Returns whether the bytes before `at` are an escape for a character that is no letter or digit.
fn escape_before(text: &[u8], at: usize) -> bool {
    let last = before(text, at);
    let one = at.checked_sub(2).map_or(b' ', |at| byte(text, at));
    if one == b'\\' && matches!(last, b'n' | b'r' | b't' | b'f' | b'b' | b'v' | b'0') {
        return true;
    }
    if last == b'm' && escape_begin(text, at) < at {
        return true;
    }
    last.is_ascii_hexdigit()
        && [3, 4, 6].into_iter().filter_map(|length| at.checked_sub(length)).any(|from| {
            let (char, end) = unit(text, from);
            end == at && matches!(byte(text, from), b'\\' | b'%') && !char.is_ascii_alphanumeric()
        })
}

/// Returns where a word begins whose bytes run back from `end` to `start`, without an escape that seems to belong to
/// it: `npassword` after a backslash, `[1mtoken` of a terminal, `5Btoken` of a `[` in a URL.
pub(super) fn word_start(text: &[u8], start: usize, end: usize) -> usize {
    let begin = match before(text, start) {
        b'\\' | b'%' => unit(text, start - 1).1,
        b'\x1b' | b'}' | b';' => start,
        _ => return start,
    };
    let word = text.get(begin..end).unwrap_or_default();
    // The rest of a terminal escape.
    let digits = usize::from(word.first() == Some(&b'['));
    let behind = run(word, digits, |byte| byte.is_ascii_digit());
    let is_escape = before(text, start) != b'%' && byte(word, behind) == b'm' && (behind > digits || digits > 0);
    let begin = if is_escape { begin + behind + 1 } else { begin };
    if begin < end { begin } else { start }
}

/// Returns where the terminal escape that begins at `at` ends; `at` if none begins there.
pub(super) fn escape_end(text: &[u8], at: usize) -> usize {
    let start = run(text, at, |byte| byte == b'\\');
    let Some(begin) = ESCAPES.iter().find(|begin| starts(text, start, begin)) else { return at };
    let end = run(text, start + begin.len(), |byte| byte.is_ascii_digit() || byte == b';');
    if byte(text, end) == b'm' { end + 1 } else { at }
}

/// Returns where the terminal escape that ends with the `m` before `end` begins; `end` if none does.
fn escape_begin(text: &[u8], end: usize) -> usize {
    let from = end.saturating_sub(MAX_ESCAPE);
    let piece = text.get(from..end - 1).unwrap_or_default();
    let digits = run_back(piece, |byte| byte.is_ascii_digit() || byte == b';');
    let piece = piece.get(..digits).unwrap_or_default();
    let Some(begin) = ESCAPES.iter().find(|begin| piece.ends_with(begin)) else { return end };
    from + piece.len() - begin.len()
}

/// What stands between a name and the sign after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// The position after the marks.
    pub(super) end: usize,
    /// Backslashes before the quote that closes the name; `None` without quotes, and for an index.
    pub(super) quotes: Option<usize>,
    /// Whether a quote of any form closes the name.
    pub(super) is_quoted: bool,
}

/// At most this many marks beside a name are skipped, such as the two of `**password**`.
const MAX_MARKS: usize = 5;

impl Marks {
    /// Skips quotes, stars, brackets of an index and terminal colours after a name that ends at `at`.
    pub(super) fn behind(text: &[u8], at: usize) -> Self {
        let mut marks = Self { end: at, quotes: None, is_quoted: false };
        let mut is_index = false;
        for _ in 0..MAX_MARKS {
            let end = marks.end;
            let raw = byte(text, end);
            if raw.is_ascii_alphanumeric() || raw == b' ' {
                break;
            }
            let colour = if matches!(raw, b'\\' | b'\x1b') { escape_end(text, end) } else { end };
            if colour > end {
                marks.end = colour;
                continue;
            }
            let (char, behind) = unit(text, end);
            match char {
                b'"' | b'\'' if !marks.is_quoted => {
                    marks.is_quoted = true;
                    let backslashes = if raw == b'\\' { behind - end - 1 } else { 0 };
                    let is_plain = matches!(byte(text, behind - 1), b'"' | b'\'');
                    marks.quotes = is_plain.then_some(backslashes);
                }
                b'*' | b'`' => {}
                b']' => is_index = true,
                _ => break,
            }
            marks.end = behind;
        }
        if is_index {
            marks.quotes = None;
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_after_any_escape() {
        for text in [
            "\\nX",
            "\\tX",
            "\\r\\nX",
            "\\u0026X",
            "\\x1b[31mX",
            "\\u{1b}[0mX",
            "\x1b[1;32mX",
            "&quot;X",
            "&#34;X",
            "%22X",
            "\\\"X",
            "\\/X",
            "\\\\nX",
            " X",
            "X",
            "\\u003dX",
        ] {
            assert!(begins_word(text.as_bytes(), text.len() - 1), "{text}");
        }
        for text in ["aX", "9X", "nX", "\\u0041X", "%41X", "[31mX", "éX"] {
            assert!(!begins_word(text.as_bytes(), text.len() - 1), "{text}");
        }
    }

    #[test]
    fn an_escape_represents_one_character() {
        for (text, char) in [
            ("&quot;", b'"'),
            ("%3D", b'='),
            ("\\u003d", b'='),
            ("\\\\\\\"", b'"'),
            ("\\/", b'/'),
            ("\\n", b'\n'),
            ("x", b'x'),
            ("&", b'&'),
            ("%", b'%'),
            ("\\", b'\\'),
        ] {
            assert_eq!(unit(text.as_bytes(), 0), (char, text.len()), "{text}");
        }
    }
}
