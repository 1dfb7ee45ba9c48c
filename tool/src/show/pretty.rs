//! Entries for people: a line for each, and lines below it for errors and long texts.
//!
//! ```text
//! 2026-11-20 10:15:38.123456 ERROR orders::db  order lost  user_id=42 request_id=r-1
//!     error: connection refused (DbError)
//!       caused by: timed out
//! ```

use std::fmt::Write;

use chrono::Local;
use spanline::record::Timestamp;

use super::logfmt::{is_plain, put_text};
use super::paint::{Ink, Paint};
use super::services::Services;
use crate::entry::{Entry, Field, Part, Value, View};
use crate::escape::{escaped_json, escaped_text};

/// The names under which loggers have an error as an object.
const ERRORS: [&str; 4] = ["error", "err", "exception", "fields.error"];

/// Writes entries with aligned columns.
#[derive(Debug)]
pub(super) struct Pretty {
    paint: Paint,
    /// Whether the lines of several logs are mixed, so that each needs its service.
    are_several: bool,
    service: Column,
    target: Column,
    message: Column,
    clock: Clock,
    services: Services,
}

/// The local time of the last line. Lines of the same second share most of it.
#[derive(Debug, Default)]
struct Clock {
    second: Option<i64>,
    text: String,
}

impl Clock {
    /// Returns a time with its date and microseconds.
    fn text(&mut self, nanos: i64) -> &str {
        let second = nanos.div_euclid(1_000_000_000);
        if self.second != Some(second) {
            let time = Timestamp::from_nanos(nanos).to_datetime().with_timezone(&Local);
            self.text = time.format("%Y-%m-%d %H:%M:%S.").to_string();
            self.second = Some(second);
        }
        // The microseconds of the line before.
        self.text.truncate(self.text.rfind('.').map_or(0, |dot| dot + 1));
        let _ = write!(self.text, "{:06}", nanos.rem_euclid(1_000_000_000) / 1000);
        &self.text
    }
}

/// A column, as wide as the widest text in it so far.
#[derive(Debug)]
struct Column {
    width: usize,
    /// Wider texts do not count.
    max_width: usize,
}

impl Column {
    const fn new(max_width: usize) -> Self {
        Self { width: 0, max_width }
    }

    /// Returns the spaces behind a text that is in the column.
    fn padding(&mut self, text: &str) -> String {
        let width = text.chars().count();
        if width <= self.max_width {
            self.width = self.width.max(width);
        }
        " ".repeat(self.width.saturating_sub(width))
    }
}

impl Pretty {
    pub(super) fn new(paint: Paint, are_several: bool) -> Self {
        Self {
            paint,
            are_several,
            service: Column::new(16),
            target: Column::new(28),
            message: Column::new(40),
            clock: Clock::default(),
            services: Services::default(),
        }
    }

    /// Writes an entry to the empty `out`, without its last newline.
    pub(super) fn put(&mut self, out: &mut String, entry: &Entry<'_>) {
        let view = entry.view();
        let message = view.text(Part::Message).unwrap_or_default();
        let message = escaped_text(message.trim_end_matches('\r'));
        if !entry.is_record() {
            out.push_str(&message);
            return;
        }
        let fields = entry.fields(&view);
        let (below, beside): (Vec<_>, Vec<_>) = fields.iter().partition(|field| is_below(field));
        self.put_head(out, &view);
        out.push_str(&message);
        let mut pairs = String::new();
        for field in beside {
            self.put_pair(&mut pairs, &field.name, |out| put_shown(out, field.value));
        }
        for part in [Part::Service, Part::Request, Part::Trace] {
            if let Some(text) = view.text(part).filter(|_| part != Part::Service || !self.are_several) {
                self.put_pair(&mut pairs, part.name(), |out| put_quoted(out, text));
            }
        }
        let padding = self.message.padding(&message);
        if !pairs.is_empty() {
            out.push_str(&padding);
            out.push(' ');
            out.push_str(&pairs);
        }
        below.into_iter().for_each(|field| self.put_below(out, field));
    }

    /// Writes what is left of the message.
    fn put_head(&mut self, out: &mut String, view: &View<'_>) {
        if let Some(time) = view.time {
            let clock = self.clock.text(time);
            self.paint.put(out, Ink::Faint, clock);
            out.push(' ');
        }
        match view.level {
            Some(level) => self.paint.put(out, Ink::Level(level), &format!("{:5}", level.as_str())),
            None => out.push_str("     "),
        }
        out.push(' ');
        let service = view.text(Part::Service).filter(|_| self.are_several);
        let target = view.text(Part::Target);
        let ink = service.map_or(Ink::Faint, |service| self.services.ink(service));
        for (column, text, ink) in [(&mut self.service, service, ink), (&mut self.target, target, Ink::Faint)] {
            let text = escaped_text(text.unwrap_or_default());
            let padding = column.padding(&text);
            if column.width > 0 {
                self.paint.put(out, ink, &text);
                out.push_str(&padding);
                out.push_str("  ");
            }
        }
    }

    fn put_pair(&self, out: &mut String, name: &str, put_value: impl FnOnce(&mut String)) {
        out.push(' ');
        self.paint.put_with(out, Ink::Name, |out| {
            put_quoted(out, name);
            out.push('=');
        });
        put_value(out);
    }

    /// Writes a field in separate lines.
    fn put_below(&self, out: &mut String, field: &Field<'_>) {
        if !ERRORS.contains(&&*field.name) || !field.value.is_object() {
            self.put_lines(out, &field.name, &field.value.shown());
            return;
        }
        let member = |name: &str| field.value.member(name).map(Value::shown);
        let kind = ["type", "name"].into_iter().find_map(member).map(|kind| format!(" ({kind})"));
        let message = format!("{}{}", member("message").unwrap_or_default(), kind.unwrap_or_default());
        self.put_lines(out, &field.name, &message);
        for cause in field.value.member("chain").into_iter().flat_map(Value::items) {
            out.push_str("\n      caused by: ");
            out.push_str(&escaped_text(&cause.shown()));
        }
        for stack in ["stack", "stack_trace", "backtrace"] {
            if let Some(text) = member(stack) {
                self.put_lines(out, stack, &text);
            }
        }
    }

    /// Writes a name, and each line of a text.
    fn put_lines(&self, out: &mut String, name: &str, text: &str) {
        out.push_str("\n    ");
        self.paint.put(out, Ink::Name, &format!("{}:", escaped_text(name)));
        let is_one = !text.trim_end().contains('\n');
        for line in text.trim_end().lines() {
            out.push_str(if is_one { " " } else { "\n      " });
            out.push_str(&escaped_text(line));
        }
    }
}

/// Returns whether a field needs separate lines: an error, or a text of several lines.
fn is_below(field: &Field<'_>) -> bool {
    let is_error =
        || ERRORS.contains(&&*field.name) && field.value.is_object() && field.value.member("message").is_some();
    is_error() || field.value.text().is_some_and(|text| text.trim_end().contains('\n'))
}

fn put_shown(out: &mut String, value: Value<'_>) {
    match value.text() {
        Some(text) => put_quoted(out, &text),
        None => out.push_str(&escaped_json(&value.shown())),
    }
}

/// Writes a text in quotes if it needs them, and safe for a terminal.
fn put_quoted(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    put_text(&mut quoted, text);
    out.push_str(&escaped_json(&quoted));
}
