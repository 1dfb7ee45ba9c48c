//! For people at a terminal: one line an event, aligned, coloured, never with a raw control character.

use std::ffi::OsString;
use std::io::Write;

use chrono::{Local, Timelike};
use tracing::Level;

use super::merged::merged;
use super::{Color, Schema, json};
use crate::record::{Record, Value};

/// Time of day, level, target, message, fields; the ids at the end, dimmed.
///
/// ```text
/// 10:15:38.123456 INFO  orders            order loaded  user_id=42 method=GET  request  request_id=r-1 trace_id=4bf92f…
/// ```
#[derive(Debug)]
pub struct Console {
    color: Color,
    colored: bool,
    utc: bool,
    /// Column of the message: grows with the targets seen, up to a limit.
    target_width: usize,
}

/// Longer targets do not push the messages of the others to the right.
const MAX_TARGET_WIDTH: usize = 32;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";

impl Console {
    /// Coloured when the sink is a terminal; local time.
    pub fn new() -> Self {
        Self { color: Color::Auto, colored: false, utc: false, target_width: 0 }
    }

    /// When to colour.
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

    fn put_field(&self, out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
        out.push(b' ');
        self.paint(out, DIM, |out| {
            put_text(out, name);
            out.push(b'=');
        });
        put_plain(out, value);
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Console {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.put_time(record, out);
        let level = record.level();
        self.paint(out, level_style(level), |out| {
            let _ = write!(out, "{:<5} ", level.as_str());
        });
        let target = record.target();
        self.target_width = self.target_width.max(target.chars().count().min(MAX_TARGET_WIDTH));
        let padding = self.target_width.saturating_sub(target.chars().count());
        self.paint(out, DIM, |out| put_text(out, target));
        out.resize(out.len() + padding + 1, b' ');

        let views: Vec<_> = record.context().into_iter().flat_map(|context| context.spans()).collect();
        let fields = merged(record, &views);
        if let Some(message) = fields.iter().find(|field| field.name == "message") {
            out.push(b' ');
            self.paint(out, BOLD, |out| match message.value {
                Value::Str(text) => put_text(out, text),
                value => put_plain(out, &value),
            });
        }
        let shown = |name: &str| name != "message" && name != "request_id";
        for own in [true, false] {
            let mut gap = true;
            for field in fields.iter().filter(|field| field.own == own && shown(field.name)) {
                if std::mem::take(&mut gap) {
                    out.push(b' ');
                }
                self.put_field(out, field.name, &field.value);
            }
            let marks = [
                record.is_held_back().then_some(("held_back", Value::Bool(true))),
                record.backtrace().map(|backtrace| ("backtrace", Value::Str(backtrace))),
            ];
            for (name, value) in marks.into_iter().flatten().filter(|_| own) {
                if std::mem::take(&mut gap) {
                    out.push(b' ');
                }
                self.put_field(out, name, &value);
            }
            if let Some(original) = record.original_bytes().filter(|_| own) {
                if gap {
                    out.push(b' ');
                }
                self.put_field(out, "truncated", &Value::Bool(true));
                self.put_field(out, "original_bytes", &Value::U64(original));
            }
        }
        let request = fields.iter().find(|field| field.name == "request_id");
        if let Some(context) = record.context() {
            out.extend_from_slice(b"  ");
            self.paint(out, DIM, |out| {
                let names: Vec<_> = context.names().collect();
                for (place, name) in names.iter().rev().enumerate() {
                    if place > 0 {
                        out.push(b':');
                    }
                    put_text(out, name);
                }
            });
        }
        let ids = record.context().map(|context| (context.trace_id(), context.span_id()));
        if request.is_none() && ids.is_none() {
            return;
        }
        out.push(b' ');
        self.paint(out, DIM, |out| {
            if let Some(request) = request {
                out.extend_from_slice(b" request_id=");
                put_plain(out, &request.value);
            }
            if let Some((trace, span)) = ids {
                if let Some(trace) = trace {
                    let _ = write!(out, " trace_id={trace}");
                }
                let _ = write!(out, " span_id={span}");
            }
        });
    }

    fn terminal(&mut self, is_terminal: bool) {
        if self.color == Color::Auto {
            self.colored = auto_color(is_terminal, |name| std::env::var_os(name));
        }
    }
}

/// Whether to colour of its own accord. Set to something, `NO_COLOR` forbids it; `CLICOLOR_FORCE` (not `0`) forces it,
/// also for a sink that is no terminal.
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

/// Text as it is, its unsafe characters as Rust escapes.
fn put_text(out: &mut Vec<u8>, text: &str) {
    for char in text.chars() {
        if json::is_unsafe(char) {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// A value, text in quotes where it would otherwise be taken for something else.
fn put_plain(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Str(text) if !text.is_empty() && !text.contains(|char: char| " \"\\=".contains(char)) => {
            put_text(out, text);
        }
        Value::Error(chain) => {
            let text = chain.sources().fold(chain.message().to_owned(), |text, source| text + ": " + source);
            put_plain(out, &Value::Str(&text));
        }
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
