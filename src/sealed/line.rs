//! Opens the sealed values in a line of text, of whichever schema.
//!
//! A token is found by its prefix. What stands around it tells its key, and how the value has to be written: JSON members,
//! also within a string, `key=value` with and without quotes, `key: value`. The token's name, time and event are compared
//! with the line. A line is not signed, so what surrounds a token may be anything; its tokens cannot be moved unnoticed.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use serde::de::IgnoredAny;

use super::chain::Fresh;
use super::field::{OpenedField, PREFIX, TokenOpener};
use super::key::Key;
use super::line_time::times_of;

/// How many tokens are remembered, to find those that stand in two lines.
const MAX_SEEN: usize = 64 * 1024;

/// Deeper escapes than in JSON in JSON in JSON are not looked for.
const MAX_BACKSLASHES: usize = 7;

/// Fields that schemas show under names of their readers.
const RENAMED: [&str; 2] = ["message", "error"];

/// Opens sealed values in lines, one after the other.
pub struct LineOpener {
    tokens: TokenOpener,
    /// Tokens of earlier lines, by the bytes that no other has.
    seen: HashSet<Fresh>,
    order: VecDeque<Fresh>,
}

/// A line with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedLine {
    /// The line, with values in place of the sealed ones that could be opened.
    pub line: Vec<u8>,
    /// How many values were opened.
    pub opened: usize,
    /// What is wrong with sealed values: one sentence each.
    pub findings: Vec<String>,
}

/// A token in a line.
struct Token {
    /// The token itself.
    place: Range<usize>,
    /// What its value takes the place of: with quotes, if it has them.
    replaced: Range<usize>,
    key: Option<String>,
    around: Around,
}

/// What stands around a token.
#[derive(Clone, Copy)]
enum Around {
    /// The quotes of a JSON string, each with this many backslashes.
    Json(usize),
    /// Quotes after a `=`.
    Quotes,
    /// Other text in quotes.
    QuotedText,
    /// Other text.
    Text,
}

impl LineOpener {
    /// Creates an opener that has seen no line.
    pub fn new(key: Key) -> Self {
        Self { tokens: TokenOpener::new(key), seen: HashSet::new(), order: VecDeque::new() }
    }

    /// Opens the sealed values in a line, and compares them with what surrounds them: the name of a value with its key, its
    /// time with the line's, and its event with that of the line's other values. A value that stood in one of the last 65,536
    /// places with sealed values is found, too.
    ///
    /// A line of JSON stays JSON. In other lines, a value is written as JSON. Its control characters are escaped.
    pub fn open_line(&mut self, line: &[u8]) -> OpenedLine {
        let mut opened = OpenedLine::default();
        let (mut first, mut fresh): (Option<OpenedField>, Vec<Fresh>) = (None, Vec::new());
        let (mut copied, mut next) = (0, Token::next(line, 0));
        let times = if next.is_some() { times_of(line) } else { Vec::new() };
        while let Some(token) = next {
            next = Token::next(line, token.place.end);
            let text = line.get(token.place.clone()).unwrap_or_default();
            let field = match self.tokens.open(std::str::from_utf8(text).unwrap_or_default()) {
                Ok(field) => field,
                Err(error) => {
                    let of = |key: &String| format!("the value of {}", key.escape_debug());
                    let key = token.key.as_ref().map_or("a value".to_owned(), of);
                    opened.findings.push(format!("{key} cannot be opened: {error}"));
                    continue;
                }
            };
            let is_of_line = first.as_ref().is_none_or(|first| first.is_of_line_of(&field));
            let is_in_time = times.is_empty() || times.iter().any(|time| time.is_of(field.time()));
            let was_seen = self.seen.contains(&field.fresh());
            opened.findings.extend(token.finding(&field, is_of_line, is_in_time, was_seen));
            opened.line.extend_from_slice(line.get(copied..token.replaced.start).unwrap_or_default());
            token.around.put(&shown(field.value()), &mut opened.line);
            copied = token.replaced.end;
            opened.opened += 1;
            fresh.push(field.fresh());
            first.get_or_insert(field);
        }
        opened.line.extend_from_slice(line.get(copied..).unwrap_or_default());
        fresh.into_iter().for_each(|fresh| self.remember(fresh));
        opened
    }

    fn remember(&mut self, fresh: Fresh) {
        if !self.seen.insert(fresh) {
            return;
        }
        self.order.push_back(fresh);
        if self.order.len() > MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

impl std::fmt::Debug for LineOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineOpener").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

/// Returns whether a key may be that of a field: schemas nest dotted names, and change case and separators.
fn is_same_name(name: &str, key: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let last = |text: &str| -> String { plain(text.rsplit('.').next().unwrap_or_default()) };
    let (whole, of_key): (String, String) = (plain(name), plain(key));
    whole == of_key || last(name) == last(key) || RENAMED.contains(&name)
}

/// Returns a value as JSON on one line, safe for terminals.
fn shown(value: &str) -> String {
    let string = || serde_json::to_string(value).unwrap_or_default();
    let is_json = serde_json::from_str::<IgnoredAny>(value).is_ok();
    let json = if is_json { value.to_owned() } else { string() };
    let mut shown = String::with_capacity(json.len());
    let (mut is_in_string, mut is_escaped) = (false, false);
    for char in json.chars() {
        let is_mark = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        match char {
            ' ' | '\t' | '\n' | '\r' if !is_in_string => {}
            char if char.is_control() || is_mark => shown.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => shown.push(char),
        }
        if char == '"' && !is_escaped {
            is_in_string = !is_in_string;
        }
        is_escaped = char == '\\' && !is_escaped;
    }
    shown
}

impl Around {
    /// Appends a value that is JSON.
    fn put(self, json: &str, out: &mut Vec<u8>) {
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
    fn finding(&self, field: &OpenedField, is_of_line: bool, is_in_time: bool, was_seen: bool) -> Option<String> {
        let name = field.name().escape_debug();
        match &self.key {
            Some(key) if !is_same_name(field.name(), key) => {
                let key = key.escape_debug();
                return Some(format!("the value of {name} was moved here: it stands under the name {key}"));
            }
            // Only in plain text, such as that of a template, a value has no name.
            None if !matches!(self.around, Around::Text) && !RENAMED.contains(&field.name()) => {
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
        } else {
            return None;
        };
        Some(format!("the value of {name} was moved here from another line: {why}"))
    }

    /// Returns the next token from a place on.
    fn next(line: &[u8], from: usize) -> Option<Self> {
        let rest = line.get(from..)?;
        let start = from + rest.windows(PREFIX.len()).position(|window| window == PREFIX.as_bytes())?;
        let body = line.get(start + PREFIX.len()..)?;
        let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let length = body.iter().position(|byte| !is_body(byte)).unwrap_or(body.len());
        let place = start..start + PREFIX.len() + length;
        let before = line.get(..start).unwrap_or_default();
        let behind = line.get(place.end..).unwrap_or_default();
        if let Some(backslashes) = quoted(before, behind) {
            let replaced = start - backslashes - 1..place.end + backslashes + 1;
            let before = trimmed(line.get(..replaced.start).unwrap_or_default());
            return Some(match before.split_last() {
                Some((b':', before)) => {
                    let key = json_key(trimmed(before), backslashes);
                    Self { place, replaced, key, around: Around::Json(backslashes) }
                }
                Some((b'=', before)) if backslashes == 0 => {
                    Self { place, replaced, key: bare_key(before), around: Around::Quotes }
                }
                _ => Self { place, replaced, key: None, around: Around::Json(backslashes) },
            });
        }
        let before = without_colours(before);
        let key = match before.split_last() {
            Some((b'=', before)) => bare_key(before),
            Some((b' ', _)) => trimmed(before).strip_suffix(b":").and_then(bare_key),
            _ => None,
        };
        let around = if ends_in_quotes(before) { Around::QuotedText } else { Around::Text };
        Some(Self { replaced: place.clone(), place, key, around })
    }
}

/// Returns how many backslashes the quotes around a token have; `None` if it has none.
fn quoted(before: &[u8], behind: &[u8]) -> Option<usize> {
    let backslashes = backslashes_at_end(before.strip_suffix(b"\"")?);
    let end = behind.iter().take_while(|byte| **byte == b'\\').count();
    let is_closed = backslashes == end && behind.get(end) == Some(&b'"');
    let is_level = (backslashes + 1).is_power_of_two() && backslashes <= MAX_BACKSLASHES;
    (is_closed && is_level).then_some(backslashes)
}

/// Returns the key of a JSON member, given what precedes its colon. In OTLP, that of the attribute.
fn json_key(before: &[u8], backslashes: usize) -> Option<String> {
    let (key, start) = string_at_end(before, backslashes)?;
    if key != "stringValue" {
        return Some(key);
    }
    let before = before.get(..start)?;
    let quote = ["\\".repeat(backslashes), "\"".to_owned()].concat();
    let opening = format!("{quote}key{quote}:{quote}");
    let at = before.windows(opening.len()).rposition(|window| window == opening.as_bytes())? + opening.len();
    let rest = before.get(at..)?;
    let end = rest.windows(quote.len()).position(|window| window == quote.as_bytes())?;
    Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
}

/// Returns the string that a text ends with, and where it begins with its quote.
fn string_at_end(text: &[u8], backslashes: usize) -> Option<(String, usize)> {
    let content = text.strip_suffix(b"\"")?;
    if backslashes_at_end(content) != backslashes {
        return None;
    }
    let content = content.get(..content.len() - backslashes)?;
    let mut end = content.len();
    loop {
        let quote = content.get(..end)?.iter().rposition(|byte| *byte == b'"')?;
        if backslashes_at_end(content.get(..quote)?) == backslashes {
            let key = String::from_utf8_lossy(content.get(quote + 1..)?).into_owned();
            return Some((key, quote - backslashes));
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

/// Returns whether a text ends within quotes.
fn ends_in_quotes(text: &[u8]) -> bool {
    let (mut is_inside, mut is_escaped) = (false, false);
    for byte in text {
        is_inside ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
    }
    is_inside
}
