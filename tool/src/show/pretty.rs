//! Entries for people: a line for each, and lines below it for errors and long texts.
//!
//! ```text
//! 2026-11-20 10:15:38.123456 ERROR orders::db  order lost  user_id=42 request_id=r-1
//!     error: connection refused (DbError)
//!       caused by: timed out
//! ```
//!
//! All parts are written into one buffer. On a terminal, what is wider than it is folded.

use super::below;
use super::clock::{Clock, Times, Zone};
use super::fold::{begin_line, fold, put_spaces, width};
use super::paint::{Ink, Paint};
use super::repeats::Repeats;
use super::services::Services;
use super::text::{put_escaped, put_part, put_quoted, put_quoted_part, put_shown};
use crate::entry::{Entry, Field, Part, View};

/// Where the other lines of an entry begin.
const INDENT: usize = 4;

/// A terminal that is narrower than this folds lines better itself.
const MIN_LIMIT: usize = 40;

/// What the output for people is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) paint: Paint,
    pub(crate) times: Times,
    pub(crate) zone: Zone,
    /// How wide the terminal is; `None`: nothing is folded.
    pub(crate) width: Option<usize>,
    /// Whether the fields are printed that a request's line before has, too.
    pub(crate) repeats: bool,
    /// Whether each field has a line below the message.
    pub(crate) is_list: bool,
}

/// Writes entries with aligned columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pretty {
    paint: Paint,
    /// Whether the lines of several logs are mixed, so that each needs its service.
    are_several: bool,
    service: Column,
    target: Column,
    message: Column,
    clock: Clock,
    services: Services,
    limit: usize,
    /// `None` if all fields are printed.
    repeats: Option<Repeats>,
    is_list: bool,
    /// Whether the last entry has something for the lines below it.
    has_below: bool,
}

/// A column, as wide as the widest text in it so far.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    width: usize,
    /// Wider texts do not count.
    max_width: usize,
}

impl Column {
    const fn new(max_width: usize) -> Self {
        Self { width: 0, max_width }
    }

    /// Returns how many spaces follow a text of this width.
    fn padding(&mut self, width: usize) -> usize {
        if width <= self.max_width {
            self.width = self.width.max(width);
        }
        self.width.saturating_sub(width)
    }
}

impl Pretty {
    pub(crate) fn new(look: Look, are_several: bool) -> Self {
        Self {
            paint: look.paint,
            are_several,
            service: Column::new(16),
            target: Column::new(28),
            message: Column::new(40),
            services: Services::default(),
            clock: Clock::new(look.times, look.zone),
            limit: look.width.filter(|width| *width >= MIN_LIMIT).unwrap_or(usize::MAX),
            repeats: (!look.repeats && !look.is_list).then(Repeats::default),
            is_list: look.is_list,
            has_below: false,
        }
    }

    /// Writes an entry to the empty `out`, without its last newline.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>) {
        let view = entry.view();
        if !entry.is_record() {
            self.begin_repeats(b"");
            put_message(out, &view);
            return;
        }
        let fields = entry.fields(&view);
        let column = self.put_head(out, &view);
        let start = out.len();
        put_message(out, &view);
        let message_width = width(out.get(start..).unwrap_or_default());
        let mut column = fold(out, start, column, INDENT, self.limit);
        let padding = self.message.padding(message_width);
        if !self.is_list {
            self.begin_repeats(view.bytes(Part::Request).or_else(|| view.bytes(Part::Trace)).unwrap_or_default());
            let end = out.len();
            put_spaces(out, padding + 1);
            column += padding + 1;
            self.put_pairs(out, &view, &fields, column);
            // Without a pair, only the padding is there.
            if out.get(end..).is_some_and(|behind| behind.iter().all(|byte| *byte == b' ')) {
                out.truncate(end);
            }
        } else {
            self.put_list(out, &view, &fields);
        }
        if self.has_below {
            below::put(out, self.paint, &fields, self.limit);
        }
    }

    fn begin_repeats(&mut self, id: &[u8]) {
        if let Some(repeats) = &mut self.repeats {
            repeats.begin(id);
        }
    }

    /// Writes what is left of the message. Returns the column behind it.
    fn put_head(&mut self, out: &mut Vec<u8>, view: &View<'_>) -> usize {
        let mut column = 0;
        if let Some(time) = view.time.filter(|_| self.clock.is_shown()) {
            let clock = &mut self.clock;
            self.paint.put_with(out, Ink::Faint, |out| {
                let start = out.len();
                clock.put(out, time);
                column = out.len() - start + 1;
            });
            out.push(b' ');
        }
        let level = view.level.map_or("", |level| level.as_str());
        let put_level = |out: &mut Vec<u8>| {
            out.extend_from_slice(level.as_bytes());
            put_spaces(out, 5_usize.saturating_sub(level.len()));
        };
        match view.level {
            Some(level) => self.paint.put_with(out, Ink::Level(level), put_level),
            None => put_level(out),
        }
        out.push(b' ');
        column += level.len().max(5) + 1;
        let service = view.text(Part::Service).filter(|_| self.are_several);
        let ink = service.map_or(Ink::Faint, |service| self.services.ink(service));
        let has_service = service.is_some_and(|service| !service.is_empty());
        let has_target = view.bytes(Part::Target).is_some_and(|target| !target.is_empty());
        let service = (&mut self.service, Part::Service, has_service, ink);
        for (columns, part, is_there, ink) in [service, (&mut self.target, Part::Target, has_target, Ink::Faint)] {
            if !is_there {
                // The others have one.
                let padding = if columns.width > 0 { columns.width + 2 } else { 0 };
                put_spaces(out, padding);
                column += padding;
                continue;
            }
            let mut text_width = 0;
            self.paint.put_with(out, ink, |out| {
                let start = out.len();
                put_part(out, view, part);
                text_width = width(out.get(start..).unwrap_or_default());
            });
            let padding = columns.padding(text_width) + 2;
            put_spaces(out, padding);
            column += text_width + padding;
        }
        column
    }

    /// Writes the fields behind the message. A mark stands for those that the line before has.
    fn put_pairs(&mut self, out: &mut Vec<u8>, view: &View<'_>, fields: &[Field<'_>], column: usize) {
        let (mut column, mut is_repeated) = (column, false);
        self.has_below = false;
        for field in fields {
            if below::is_below(field, fields) {
                self.has_below = true;
                continue;
            }
            let value = field.value;
            if self.repeats.as_mut().is_some_and(|repeats| repeats.is_repeated(&field.name, value.bytes())) {
                is_repeated = true;
                continue;
            }
            column = self.put_pair(out, column, &field.name, |out| put_shown(out, value));
        }
        for part in [Part::Service, Part::Request, Part::Trace] {
            let Some(text) = view.bytes(part).filter(|_| part != Part::Service || !self.are_several) else { continue };
            if self.repeats.as_mut().is_some_and(|repeats| repeats.is_repeated(part.name(), text)) {
                is_repeated = true;
                continue;
            }
            column = self.put_pair(out, column, part.name(), |out| put_quoted_part(out, view, part));
        }
        if is_repeated {
            self.paint.put_with(out, Ink::Faint, |out| out.extend_from_slice(" …".as_bytes()));
        }
    }

    /// Writes a name and its value behind a space, on another line if it has no room. Returns the column behind it.
    fn put_pair(&self, out: &mut Vec<u8>, column: usize, name: &str, put_value: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = out.len();
        out.push(b' ');
        let mut name_place = 0..0;
        let put_name = |out: &mut Vec<u8>| {
            let start = out.len();
            put_quoted(out, name);
            out.push(b'=');
            name_place = start..out.len();
        };
        self.paint.put_with(out, Ink::Name, put_name);
        let value = out.len();
        put_value(out);
        if self.limit == usize::MAX {
            return 0;
        }
        let name_width = width(out.get(name_place).unwrap_or_default());
        let value_width = width(out.get(value..).unwrap_or_default());
        if column + 1 + name_width + value_width <= self.limit {
            return column + 1 + name_width + value_width;
        }
        let pair = out.split_off(start);
        begin_line(out, INDENT);
        out.extend_from_slice(pair.get(1..).unwrap_or_default());
        let value = out.len() - (pair.len() - (value - start));
        fold(out, value, INDENT + name_width, INDENT + 2, self.limit)
    }

    /// Writes each field on a line.
    fn put_list(&mut self, out: &mut Vec<u8>, view: &View<'_>, fields: &[Field<'_>]) {
        self.has_below = false;
        for field in fields {
            if below::is_below(field, fields) {
                self.has_below = true;
            } else {
                below::put_lines(out, self.paint, &field.name, &field.value.shown(), self.limit);
            }
        }
        for part in [Part::Service, Part::Request, Part::Trace] {
            if let Some(text) = view.text(part).filter(|_| part != Part::Service || !self.are_several) {
                below::put_lines(out, self.paint, part.name(), text, self.limit);
            }
        }
    }
}

fn put_message(out: &mut Vec<u8>, view: &View<'_>) {
    match view.plain_text(Part::Message) {
        Some(plain) => out.extend_from_slice(plain),
        None => put_escaped(out, view.text(Part::Message).unwrap_or_default().trim_end_matches('\r')),
    }
}
