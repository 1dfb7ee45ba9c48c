//! Opens the sealed values in a line of text, of whichever schema.
//!
//! A token is found by its prefix. What stands around it tells its key, and how the value has to be written: JSON members,
//! also within a string, `key=value` with and without quotes, `key: value`. The token's name, time and event are compared
//! with the line. A line is not signed, so what surrounds a token may be anything.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::de::IgnoredAny;

use super::chain::Fresh;
use super::field::{OpenedField, TokenOpener};
use super::key::Key;
use super::line_time::times_of;
use super::token::Tokens;

/// How many tokens are remembered, to find those that stand in two lines.
const MAX_SEEN: usize = 64 * 1024;

/// The most sealed values of a line that are opened. A line that a program has logged has no room for more.
const MAX_TOKENS: usize = 16 * 1024;

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
        let mut first: Option<OpenedField> = None;
        // The tokens of this line, with the place of each.
        let mut places: HashMap<Fresh, Vec<String>> = HashMap::new();
        let mut copied = 0;
        let mut tokens = Tokens::new(line).peekable();
        let times = if tokens.peek().is_some() { times_of(line) } else { Vec::new() };
        for (number, token) in tokens.enumerate() {
            if number == MAX_TOKENS {
                opened
                    .findings
                    .push(format!("the line has more than {MAX_TOKENS} sealed values: the others stay sealed"));
                break;
            }
            let text = line.get(token.place.clone()).unwrap_or_default();
            let field = match self.tokens.open(std::str::from_utf8(text).unwrap_or_default()) {
                Ok(field) => field,
                Err(error) => {
                    let key = token.name().map_or("a value".to_owned(), |name| format!("the value of {name}"));
                    opened.findings.push(format!("{key} cannot be opened: {error}"));
                    continue;
                }
            };
            let is_of_line = first.as_ref().is_none_or(|first| first.is_of_line_of(&field));
            let is_in_time = times.is_empty() || times.iter().any(|time| time.is_of(field.time()));
            let was_seen = self.seen.contains(&field.fresh());
            let place = token.place_in_line();
            let is_copy = places.get(&field.fresh()).is_some_and(|known| known != place);
            opened.findings.extend(token.finding(&field, is_of_line, is_in_time, was_seen, is_copy));
            places.insert(field.fresh(), place.to_owned());
            opened.line.extend_from_slice(line.get(copied..token.replaced.start).unwrap_or_default());
            token.around.put(&shown(field.value()), &mut opened.line);
            copied = token.replaced.end;
            opened.opened += 1;
            first.get_or_insert(field);
        }
        opened.line.extend_from_slice(line.get(copied..).unwrap_or_default());
        places.into_keys().for_each(|fresh| self.remember(fresh));
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
