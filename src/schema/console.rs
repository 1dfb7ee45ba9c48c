//! Lines for people at a terminal: one per event, aligned and coloured, never with a raw control character.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write;

use chrono::{Local, Timelike};
use tracing::Level;

use super::common_fields::{put_marks, views};
use super::edit::Edits;
use super::resolved_fields::{ResolvedField, resolved_fields};
use super::table::BuiltIn;
use super::{Schema, json};
use crate::context::{Context, ContextKey};
use crate::record::{ErrorChain, Record, Timestamp, Value};

/// Lines for people: time of day, level, target, message, fields; the ids at the end, dimmed.
///
/// ```text
/// 10:15:38.123456 INFO  orders            order loaded  user_id=42 method=GET  request  request_id=r-1 trace_id=4bf92f…
/// ```
///
/// [`compact`](Self::compact) omits the target and the long ids. [`pretty`](Self::pretty) uses several lines per event.
/// [`fold`](Self::fold) shows the spans' fields only once.
#[derive(Debug)]
pub struct Console {
    color: Color,
    colored: bool,
    utc: bool,
    shape: Shape,
    fold: bool,
    time: Time,
    /// Column of the message: grows with the targets seen, up to a limit.
    target_width: usize,
    /// The times of the first line and of the last two.
    times: Option<(Timestamp, Timestamp, Timestamp)>,
    /// Contexts whose fields have been shown.
    shown: VecDeque<ContextKey>,
    edits: Edits,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// When the sink is a terminal. `NO_COLOR` turns colours off, `CLICOLOR_FORCE` turns them on.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Line,
    Compact,
    Pretty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    OfDay,
    SinceStart,
    SinceLast,
}

pub(super) const ROWS: &[BuiltIn] = &[
    row("console", || Box::new(Console::new()), || Box::new(reproducible())),
    row("compact", || Box::new(Console::new().compact()), || Box::new(reproducible().compact())),
    row("pretty", || Box::new(Console::new().pretty()), || Box::new(reproducible().pretty())),
];

const fn row(name: &'static str, new: fn() -> Box<dyn Schema>, reproducible: fn() -> Box<dyn Schema>) -> BuiltIn {
    BuiltIn { reproducible, ..BuiltIn::text(name, None, new) }
}

fn reproducible() -> Console {
    Console::new().utc().color(Color::Never)
}

/// At most this many contexts are remembered as shown: more than anyone watches at a time.
const MAX_SHOWN: usize = 256;

/// A longer target does not move the messages of the other lines.
const MAX_TARGET_WIDTH: usize = 32;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";

impl Console {
    /// Creates the schema: colours if the sink is a terminal, local time.
    pub fn new() -> Self {
        Self {
            color: Color::Auto,
            colored: false,
            utc: false,
            shape: Shape::Line,
            fold: false,
            time: Time::OfDay,
            target_width: 0,
            times: None,
            shown: VecDeque::new(),
            edits: Edits::new(),
        }
    }

    /// Sets when to colour.
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self.colored = color == Color::Always;
        self
    }

    /// Shows UTC instead of local time.
    pub fn utc(mut self) -> Self {
        self.utc = true;
        self
    }

    /// Omits the target, `trace_id` and `span_id`.
    pub fn compact(mut self) -> Self {
        self.shape = Shape::Compact;
        self
    }

    /// Uses several lines per event: its message, its own fields, the spans' fields, then the spans and ids. Each
    /// source of an error has its own line.
    pub fn pretty(mut self) -> Self {
        self.shape = Shape::Pretty;
        self
    }

    /// Shows the spans' fields and the long ids only in the first line of a span; later lines show the spans' names and
    /// `request_id`.
    pub fn fold(mut self) -> Self {
        self.fold = true;
        self
    }

    /// Shows the time since the first line instead of the time of day.
    pub fn since_start(mut self) -> Self {
        self.time = Time::SinceStart;
        self
    }

    /// Shows the time since the previous line instead of the time of day.
    pub fn since_last(mut self) -> Self {
        self.time = Time::SinceLast;
        self
    }

    fn paint(&self, out: &mut Vec<u8>, style: &str, paint: impl FnOnce(&mut Vec<u8>)) {
        if self.colored {
            out.extend_from_slice(style.as_bytes());
        }
        paint(out);
        if self.colored {
            out.extend_from_slice(RESET.as_bytes());
        }
    }

    fn put_time(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        if let (Time::SinceStart | Time::SinceLast, Some((first, before, now))) = (self.time, self.times) {
            let since = if self.time == Time::SinceStart { first } else { before };
            let micros = now.as_nanos().saturating_sub(since.as_nanos()) / 1000;
            let sign = if micros < 0 { '-' } else { '+' };
            let (seconds, micros) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
            return self.paint(out, DIM, |out| {
                let _ = write!(out, "{:>15} ", format_args!("{sign}{seconds}.{micros:06}").to_string());
            });
        }
        let time = record.timestamp().to_datetime();
        let (time, nanos) = if self.utc {
            (time.time(), time.nanosecond())
        } else {
            let local = time.with_timezone(&Local);
            (local.time(), local.nanosecond())
        };
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        self.paint(out, DIM, |out| {
            let _ = write!(out, "{hour:02}:{minute:02}:{second:02}.{:06} ", nanos / 1000);
        });
    }

    /// Keeps the times of this line and the previous one. `again`: the same line is rendered again, shortened.
    fn keep_time(&mut self, now: Timestamp, again: bool) {
        self.times = match self.times {
            Some((first, before, _)) if again => Some((first, before, now)),
            Some((first, _, last)) => Some((first, last, now)),
            None => Some((now, now, now)),
        };
    }

    /// Returns whether the context's fields have been shown.
    fn is_folded(&mut self, record: &Record<'_>, again: bool) -> bool {
        let Some(context) = record.context().filter(|_| self.fold) else { return false };
        let key = context.key();
        if self.shown.contains(&key) {
            return !(again && self.shown.back() == Some(&key));
        }
        if self.shown.len() == MAX_SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(key);
        false
    }

    /// Begins a group of fields, or whatever else follows the message.
    fn put_gap(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.shape == Shape::Pretty { b"\n   " } else { b" " });
    }

    /// Appends an error and its sources, a line each.
    fn put_sources(&self, out: &mut Vec<u8>, name: &str, chain: ErrorChain<'_>) {
        out.extend_from_slice(b"\n    ");
        self.paint(out, DIM, |out| put_plain(out, &Value::Str(name)));
        out.extend_from_slice(b": ");
        put_text(out, chain.message());
        for source in chain.sources() {
            out.extend_from_slice(b"\n      caused by: ");
            put_text(out, source);
        }
    }

    fn put_field(&self, out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
        out.push(b' ');
        self.paint(out, DIM, |out| {
            put_plain(out, &Value::Str(name));
            out.push(b'=');
        });
        put_plain(out, value);
    }
}

/// A field's name and value, and whether it is the event's own.
type Field<'a> = (Cow<'a, str>, (Value<'a>, bool));

impl Console {
    /// Appends message, fields, spans and ids.
    fn put_rest(&self, record: &Record<'_>, fields: &[Field<'_>], folded: bool, out: &mut Vec<u8>) {
        let pretty = self.shape == Shape::Pretty;
        let find = |name: &str| fields.iter().find(|field| field.0 == name).map(|(_, (value, _))| value);
        if let Some(message) = find("message") {
            out.push(b' ');
            self.paint(out, BOLD, |out| match message {
                Value::Str(text) => put_text(out, text),
                value => put_plain(out, value),
            });
        }
        for shown_own in [true, false] {
            let mut gap = true;
            for (name, (value, own)) in fields {
                if *own != shown_own || matches!(&**name, "message" | "request_id") || folded && !own {
                    continue;
                }
                if let (true, Value::Error(chain)) = (pretty, value) {
                    self.put_sources(out, name, *chain);
                    gap = true;
                    continue;
                }
                if std::mem::take(&mut gap) {
                    self.put_gap(out);
                }
                self.put_field(out, name, value);
            }
            if let Some(original) = if shown_own { record.original_bytes() } else { None } {
                if gap {
                    self.put_gap(out);
                }
                self.put_field(out, "truncated", &Value::Bool(true));
                self.put_field(out, "original_bytes", &Value::U64(original));
            }
        }
        let request = find("request_id");
        if let Some(context) = record.context() {
            self.put_gap(out);
            out.push(b' ');
            self.paint(out, DIM, |out| {
                let names: Vec<_> = context.names().collect();
                for (place, name) in names.iter().rev().enumerate() {
                    if place > 0 {
                        out.push(b':');
                    }
                    put_text(out, name);
                }
            });
        } else if pretty && request.is_some() {
            self.put_gap(out);
        }
        let ids = record.context().filter(|_| !folded && self.shape != Shape::Compact);
        if request.is_none() && ids.is_none() {
            return;
        }
        out.push(b' ');
        self.paint(out, DIM, |out| {
            if let Some(request) = request {
                out.extend_from_slice(b" request_id=");
                put_plain(out, request);
            }
            if let Some(context) = ids {
                if let Some(trace) = context.trace_id() {
                    let _ = write!(out, " trace_id={trace}");
                }
                if let Some(span) = context.span_id() {
                    let _ = write!(out, " span_id={span}");
                }
            }
        });
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Console {
    fn wants_local_time(&self) -> bool {
        !self.utc && self.time == Time::OfDay
    }

    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let again = record.max_value_bytes != usize::MAX;
        self.keep_time(record.timestamp(), again);
        let folded = self.is_folded(record, again);
        self.put_time(record, out);
        let level = record.level();
        self.paint(out, level_style(level), |out| {
            let _ = write!(out, "{:<5} ", level.as_str());
        });
        if self.shape != Shape::Compact {
            let target = record.target();
            self.target_width = self.target_width.max(target.chars().count().min(MAX_TARGET_WIDTH));
            let padding = self.target_width.saturating_sub(target.chars().count());
            self.paint(out, DIM, |out| put_text(out, target));
            out.resize(out.len() + padding + 1, b' ');
        }

        let views = views(record);
        let mut fields = resolved_fields(record, &views);
        put_marks(&mut fields, record);
        let ours = own_names(record);
        // The message and the error are the event's.
        let is_ours = |field: &ResolvedField<'_>| {
            ours.contains(&Some(field.name)) || !field.is_own() && matches!(field.name, "message" | "error")
        };
        let name = |field: &ResolvedField<'_>| -> Cow<'_, str> { format!("fields.{}", field.name).into() };
        let name = |field| if is_ours(field) { name(field) } else { Cow::Borrowed(field.name) };
        let mut fields: Vec<Field<'_>> =
            fields.iter().map(|field| (name(field), (field.value, field.is_own()))).collect();
        self.edits.apply(&mut fields, |value| (value, true));
        self.put_rest(record, &fields, folded, out);
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.edits = edits.clone();
        true
    }

    fn terminal(&mut self, is_terminal: bool) {
        if self.color == Color::Auto {
            self.colored = auto_color(is_terminal, |name| std::env::var_os(name));
        }
    }
}

/// The names that the line itself uses: a user's field with such a name is marked.
fn own_names(record: &Record<'_>) -> [Option<&'static str>; 4] {
    let context = record.context();
    let cut = record.original_bytes().is_some();
    [
        context.and_then(Context::trace_id).map(|_| "trace_id"),
        context.and_then(Context::span_id).map(|_| "span_id"),
        cut.then_some("truncated"),
        cut.then_some("original_bytes"),
    ]
}

/// Returns whether to colour under [`Color::Auto`]. A non-empty `NO_COLOR` turns colours off. `CLICOLOR_FORCE` other
/// than `0` turns them on, also when the sink is not a terminal.
fn auto_color(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    is_terminal || set("CLICOLOR_FORCE").is_some_and(|value| value != "0")
}

fn level_style(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[1;31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        _ => "\x1b[35m",
    }
}

/// Appends text, with its unsafe characters as Rust escapes.
fn put_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return out.extend_from_slice(text.as_bytes());
    }
    for char in text.chars() {
        if json::is_unsafe(char) {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Appends a value or a name; text that could be mistaken for something else is quoted.
fn put_plain(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Str(text) if !text.is_empty() && !text.bytes().any(|byte| b" \"\\=".contains(&byte)) => {
            put_text(out, text);
        }
        Value::Error(_) => put_plain(out, &Value::Str(&json::text_of(value))),
        value => json::put_value(out, value),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::auto_color;

    #[test]
    fn colour_follows_the_terminal_unless_a_variable_says_otherwise() {
        let with =
            |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| OsString::from(value));
        assert!(auto_color(true, |_| None));
        assert!(!auto_color(false, |_| None));
        assert!(!auto_color(true, with("NO_COLOR", "1")));
        assert!(auto_color(true, with("NO_COLOR", "")), "empty does not count");
        assert!(auto_color(false, with("CLICOLOR_FORCE", "1")));
        assert!(!auto_color(false, with("CLICOLOR_FORCE", "0")));
    }
}
