//! Sealed values in a line of text, and what stands around them.

use std::ops::Range;

use memchr::memmem;

use super::field::{OpenedField, PREFIX};

/// Deeper escapes than in JSON in JSON in JSON are not looked for.
const MAX_BACKSLASHES: usize = 7;

/// Fields that schemas show under names of their readers.
const RENAMED: [&str; 2] = ["message", "error"];

/// The key of a text in OTLP. Its attribute has its name.
const OTLP_TEXT: &str = "stringValue";

/// Keys of the objects in which schemas put the fields of events and spans. A field may stand in several of them.
const WRAPPERS: [&str; 3] = ["fields", "span", "spans"];

/// How far before a token its names are looked for.
const FAR: usize = 1 << 20;

/// How many bytes of a line are looked at for the names of all its tokens.
const MOST_LOOKED_AT: usize = 256 << 20;

/// Finds the tokens of a line, one after the other.
pub(super) struct Tokens<'l> {
    line: &'l [u8],
    next: usize,
    /// Up to where quotes were counted, and whether that is within quotes and behind a backslash.
    quotes: (usize, bool, bool),
    /// What may still be looked at.
    budget: usize,
}

/// A token in a line.
pub(super) struct Token {
    /// The token itself.
    pub(super) place: Range<usize>,
    /// What its value takes the place of: with quotes, if it has them.
    pub(super) replaced: Range<usize>,
    pub(super) around: Around,
    /// The names that it stands under, the outermost first.
    names: Vec<String>,
    /// The outermost names are too far away.
    is_far: bool,
}

/// What stands around a token.
#[derive(Clone, Copy)]
pub(super) enum Around {
    /// The quotes of a JSON string, each with this many backslashes.
    Json(usize),
    /// Quotes after a `=`.
    Quotes,
    /// Other text in quotes.
    QuotedText,
    /// Other text.
    Text,
}

/// Returns whether a value stands under its name: schemas nest dotted names below others, and change case and separators.
fn is_at_its_name(name: &str, names: &[String]) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let places: Vec<_> = names.iter().flat_map(|name| name.split('.')).map(plain).collect();
    let parts: Vec<_> = name.split('.').map(plain).collect();
    // Each part below the one before, or all in one name.
    places.ends_with(&parts) || places.last().is_some_and(|last| *last == parts.concat())
}

impl Around {
    /// Appends a value that is JSON.
    pub(super) fn put(self, json: &str, out: &mut Vec<u8>) {
        let string = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match self {
            Self::Json(backslashes) => {
                let levels = (backslashes + 1).ilog2();
                let escaped = (0..levels).fold(json.to_owned(), |text, _| escaped(&text));
                out.extend_from_slice(escaped.as_bytes());
            }
            Self::Quotes if string.is_none() => {
                out.extend_from_slice(format!("\"{}\"", escaped(json)).as_bytes());
            }
            Self::QuotedText => {
                let text = string.map_or_else(|| escaped(json), str::to_owned);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Quotes | Self::Text => out.extend_from_slice(json.as_bytes()),
        }
    }
}

fn escaped(json: &str) -> String {
    json.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Token {
    /// Returns what is wrong with the place of the value.
    pub(super) fn finding(
        &self,
        field: &OpenedField,
        is_of_line: bool,
        is_in_time: bool,
        was_seen: bool,
        is_copy: bool,
    ) -> Option<String> {
        let name = field.name().escape_debug();
        match self.name() {
            _ if RENAMED.contains(&field.name()) => {}
            Some(_) if self.is_far => {
                return Some(format!(
                    "the place of the value of {name} is not known: the names around it are too far away"
                ));
            }
            Some(key) if !is_at_its_name(field.name(), &self.names) => {
                return Some(format!("the value of {name} was moved here: it stands under the name {key}"));
            }
            // Only in plain text, such as that of a template, a value has no name.
            None if !matches!(self.around, Around::Text) => {
                return Some(format!("the value of {name} was moved here: it stands within a text or a list"));
            }
            _ => {}
        }
        let why = if !is_in_time {
            format!("it is of {}", field.time())
        } else if !is_of_line {
            "the line's first sealed value is of another event".to_owned()
        } else if was_seen {
            "it stood in an earlier line, too".to_owned()
        } else if is_copy && !RENAMED.contains(&field.name()) {
            return Some(format!("the value of {name} was copied: it stands at two places of the line"));
        } else {
            return None;
        };
        Some(format!("the value of {name} was moved here from another line: {why}"))
    }

    /// Returns the names that it stands under, without those of spans and events, which may show one value several times.
    pub(super) fn place_in_line(&self) -> &[String] {
        let wrappers = self.names.iter().take_while(|name| WRAPPERS.contains(&name.as_str())).count();
        self.names.get(wrappers..).unwrap_or_default()
    }

    /// Returns the name that it stands under, safe for terminals.
    pub(super) fn name(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.names.join(".").escape_debug().to_string())
    }
}

impl<'l> Tokens<'l> {
    pub(super) fn new(line: &'l [u8]) -> Self {
        Self { line, next: 0, quotes: (0, false, false), budget: MOST_LOOKED_AT }
    }

    /// Returns what precedes a place, as far as it is looked at.
    fn before(&self, end: usize) -> &'l [u8] {
        self.line.get(end.saturating_sub(FAR)..end).unwrap_or_default()
    }

    /// Returns the names of a token that stands in an object, given its key with what precedes that, and whether some are too
    /// far away.
    fn names(&mut self, member: Option<(String, &[u8])>, backslashes: usize, is_cut: bool) -> (Vec<String>, bool) {
        let Some((key, before)) = member else { return (Vec::new(), false) };
        let is_otlp = key == OTLP_TEXT;
        let mut names = if is_otlp { Vec::new() } else { vec![key] };
        let near = before.get(before.len().saturating_sub(self.budget)..).unwrap_or_default();
        let rest = enclosing(near, backslashes, is_otlp, &mut names);
        self.budget = self.budget.saturating_sub(near.len() - rest);
        names.reverse();
        (names, rest == 0 && (is_cut || near.len() < before.len()))
    }

    /// Returns whether a place is within quotes.
    fn is_within_quotes(&mut self, place: usize) -> bool {
        let (from, mut is_inside, mut is_escaped) = self.quotes;
        for byte in self.line.get(from..place).unwrap_or_default() {
            is_inside ^= *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
        }
        self.quotes = (place.max(from), is_inside, is_escaped);
        is_inside
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.next + memmem::find(self.line.get(self.next..)?, PREFIX.as_bytes())?;
        let body = self.line.get(start + PREFIX.len()..)?;
        let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = body.iter().position(|byte| !is_body(byte)).unwrap_or(body.len());
        let place = start..start + PREFIX.len() + length;
        self.next = place.end;
        let before = self.before(start);
        if let Some(backslashes) = quoted(before, self.line.get(place.end..).unwrap_or_default()) {
            let replaced = start - backslashes - 1..place.end + backslashes + 1;
            let before = trimmed(self.before(replaced.start));
            let ((names, is_far), around) = match before.split_last() {
                Some((b':', before)) => {
                    let member = split_string(trimmed(before), backslashes);
                    (self.names(member, backslashes, replaced.start > FAR), Around::Json(backslashes))
                }
                Some((b'=', before)) if backslashes == 0 => {
                    ((bare_key(before).into_iter().collect(), false), Around::Quotes)
                }
                _ => ((Vec::new(), false), Around::Json(backslashes)),
            };
            return Some(Token { place, replaced, around, names, is_far });
        }
        let around = if self.is_within_quotes(start) { Around::QuotedText } else { Around::Text };
        let before = without_colours(before);
        let key = match before.split_last() {
            Some((b'=', before)) => bare_key(before),
            Some((b' ', _)) => trimmed(before).strip_suffix(b":").and_then(bare_key),
            _ => None,
        };
        Some(Token { replaced: place.clone(), place, around, names: key.into_iter().collect(), is_far: false })
    }
}

/// Adds the names around a place, the innermost first, given what precedes it: the keys of objects, and of texts that hold JSON.
/// Returns how much it has not looked at.
///
/// In OTLP, which the key `stringValue` shows, a name is the text under `key` beside the value.
fn enclosing(before: &[u8], mut backslashes: usize, mut is_otlp: bool, names: &mut Vec<String>) -> usize {
    let mut rest = before;
    // How many objects and lists were closed that are not opened yet; the string that stands behind.
    let (mut depth, mut behind) = (0_usize, None);
    while let Some((last, ahead)) = rest.split_last() {
        let outer = match last {
            b'"' => match split_string(rest, backslashes) {
                Some((_, ahead)) if depth > 0 => {
                    rest = ahead;
                    continue;
                }
                Some((text, ahead)) => {
                    if is_otlp && text == "key" {
                        names.extend(behind.take());
                    }
                    behind = Some(text);
                    rest = ahead;
                    continue;
                }
                // The text begins here in which this JSON stands.
                None if depth == 0 && backslashes > 0 && backslashes_at_end(ahead) == (backslashes - 1) / 2 => {
                    backslashes = (backslashes - 1) / 2;
                    ahead.get(..ahead.len() - backslashes).unwrap_or_default()
                }
                None => break,
            },
            b'{' | b'[' if depth == 0 => ahead,
            _ => {
                match last {
                    b'}' | b']' => depth += 1,
                    b'{' | b'[' => depth -= 1,
                    _ => {}
                }
                rest = ahead;
                continue;
            }
        };
        behind = None;
        let outer = trimmed(without_colours(outer));
        match outer.split_last() {
            Some((b':', before)) => {
                let Some((key, before)) = split_string(trimmed(before), backslashes) else { break };
                is_otlp |= key == OTLP_TEXT;
                names.extend((!is_otlp).then_some(key));
                rest = before;
            }
            Some((b'=', before)) => {
                names.extend(bare_key(before));
                break;
            }
            _ => rest = outer,
        }
    }
    rest.len()
}

/// Returns how many backslashes the quotes around a token have; `None` if it has none.
fn quoted(before: &[u8], behind: &[u8]) -> Option<usize> {
    let backslashes = backslashes_at_end(before.strip_suffix(b"\"")?);
    let end = behind.iter().take_while(|byte| **byte == b'\\').count();
    let is_closed = backslashes == end && behind.get(end) == Some(&b'"');
    let is_level = (backslashes + 1).is_power_of_two() && backslashes <= MAX_BACKSLASHES;
    (is_closed && is_level).then_some(backslashes)
}

/// Returns the string that a text ends with, and what precedes its quote.
fn split_string(text: &[u8], backslashes: usize) -> Option<(String, &[u8])> {
    // Behind an escaped backslash, a quote has more of them.
    let is_quote = |text: &[u8]| backslashes_at_end(text) % (2 * (backslashes + 1)) == backslashes;
    let content = text.strip_suffix(b"\"").filter(|content| is_quote(content))?;
    let content = content.get(..content.len() - backslashes)?;
    let mut end = content.len();
    loop {
        let quote = memchr::memrchr(b'"', content.get(..end)?)?;
        if is_quote(content.get(..quote)?) {
            let string = String::from_utf8_lossy(content.get(quote + 1..)?).into_owned();
            return Some((string, content.get(..quote - backslashes)?));
        }
        end = quote;
    }
}

/// Returns the name that a text ends with.
fn bare_key(text: &[u8]) -> Option<String> {
    let text = without_colours(text);
    let is_end =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'(' | b'[' | b',' | b';' | b'"' | b'=');
    let start = text.iter().rposition(is_end).map_or(0, |at| at + 1);
    let mut name = text.get(start..)?;
    // The rest of a terminal colour.
    if text.get(..start)?.ends_with(b"\x1b[") {
        name = name.splitn(2, |byte| *byte == b'm').nth(1)?;
    }
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Returns a text without terminal colours at its end.
fn without_colours(mut text: &[u8]) -> &[u8] {
    while let Some(inner) = text.strip_suffix(b"m") {
        let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        match inner.get(..inner.len() - digits).and_then(|rest| rest.strip_suffix(b"\x1b[")) {
            Some(rest) => text = rest,
            None => break,
        }
    }
    text
}

fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii_end()
}

fn backslashes_at_end(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| **byte == b'\\').count()
}
