//! A waterfall for a terminal.
//!
//! ```text
//! orders  request POST /orders  ██████████████████████████████  14.5 ms
//! stock     request POST /stock      ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒✖           9.58 ms
//!             ✖ ERROR request failed: cannot call warehouse     +10.8 ms
//! ```

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::extents::Extent;
use super::rows::{Kind, Row, Waterfall};
use super::signs::Signs;
use super::span::Event;
use super::summary::{Summary, oddities};
use super::units::duration;
use crate::counted::counted;
use crate::escape::escaped_text;
use crate::loggers::LineLevel;
use crate::show::{Ink, Paint};

/// How a waterfall is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) paint: Paint,
    pub(super) signs: &'static Signs,
    /// Columns of the terminal.
    pub(super) width: usize,
}

/// Deeper rows are not indented further.
const MAX_INDENT: usize = 24;
const MAX_SERVICE: usize = 16;
/// What is left of the bars, and behind them.
const DURATION: usize = 11;
const LEAST_BAR: usize = 8;

/// Draws rows.
struct Drawing<'w, 't> {
    waterfall: &'w Waterfall<'t>,
    style: Style,
    whole: Option<Extent>,
    service: usize,
    label: usize,
    bar: usize,
}

/// Appends a waterfall.
pub(super) fn put(out: &mut String, waterfall: &Waterfall<'_>, style: Style) {
    let summary = Summary::new(waterfall, style.signs.micro);
    let drawing = Drawing::new(waterfall, style);
    for (name, id) in &summary.ids {
        drawing.put_line(out, &format!("{name} {id}"), Ink::Name);
    }
    if let Some(time) = &summary.time {
        drawing.put_line(out, time, Ink::Faint);
    }
    drawing.put_line(out, &summary.counts, Ink::Faint);
    out.push('\n');
    for row in &waterfall.rows {
        drawing.put_row(out, row);
    }
    out.push('\n');
    if let Some((total, parts)) = &summary.chain {
        drawing.put_line(out, &format!("longest chain {total}, most of it in"), Ink::Name);
        for [time, share, name] in parts {
            let (time, share) = (drawing.right(time, DURATION), drawing.right(share, 6));
            drawing.put_plain(out, &format!("{time}{share}  {name}"));
        }
        out.push('\n');
    }
    for note in &summary.notes {
        drawing.put_wrapped(out, note, " ");
    }
    drawing.put_wrapped(out, style.signs.legend, "  ");
}

impl<'w, 't> Drawing<'w, 't> {
    fn new(waterfall: &'w Waterfall<'t>, style: Style) -> Self {
        let whole = waterfall.tree.whole().filter(|whole| whole.nanos() > 0);
        let mut drawing = Self { waterfall, style, whole, service: 0, label: 0, bar: 0 };
        let services = waterfall.tree.store.services.all.iter().map(|name| drawing.safe(name).width().min(MAX_SERVICE));
        drawing.service = services.max().unwrap_or(0).min(style.width / 4);
        let is_bar = |row: &&Row<'_>| matches!(row.kind, Kind::Span | Kind::Gap(_) | Kind::More { .. });
        let labels = waterfall.rows.iter().filter(is_bar).map(|row| indent(row) + drawing.label_of(row).width());
        let space = style.width.saturating_sub(drawing.left() + DURATION + 3);
        let label = labels.max().unwrap_or(0);
        drawing.label = label.min((space * 3 / 5).max(space.saturating_sub(60))).max(8);
        drawing.bar = space.saturating_sub(drawing.label + 1);
        if drawing.bar < LEAST_BAR || whole.is_none() {
            drawing.label = label.min(space);
            drawing.bar = 0;
        }
        drawing
    }

    /// Returns the columns of the service and the space behind it.
    fn left(&self) -> usize {
        if self.service > 0 { self.service + 2 } else { 0 }
    }

    /// Returns a text from a log as it can be printed.
    fn safe(&self, text: &str) -> String {
        let text = escaped_text(text);
        if !self.style.signs.is_ascii || text.is_ascii() {
            return text;
        }
        text.chars().fold(String::with_capacity(text.len()), |mut safe, char| {
            if char.is_ascii() {
                safe.push(char);
            } else {
                safe.extend(char.escape_unicode());
            }
            safe
        })
    }

    /// Cuts a text to a number of columns.
    fn fit(&self, text: &str, columns: usize) -> String {
        if text.width() <= columns {
            return text.to_owned();
        }
        let (mut fit, mut used) = (String::new(), 0);
        let room = columns.saturating_sub(self.style.signs.cut.width());
        for char in text.chars() {
            used += char.width().unwrap_or(0);
            if used > room {
                break;
            }
            fit.push(char);
        }
        if columns > 0 {
            fit.push_str(self.style.signs.cut);
        }
        fit
    }

    fn put_line(&self, out: &mut String, text: &str, ink: Ink) {
        let text = self.fit(&self.safe(text), self.style.width);
        self.style.paint.put(out, ink, &text);
        out.push('\n');
    }

    fn put_plain(&self, out: &mut String, text: &str) {
        out.push_str(&self.fit(&self.safe(text), self.style.width));
        out.push('\n');
    }

    /// Returns a text with spaces in front, up to a number of columns.
    fn right(&self, text: &str, columns: usize) -> String {
        format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
    }

    /// Writes a text of the program in as many lines as it needs. `between`: what is between its parts.
    fn put_wrapped(&self, out: &mut String, text: &str, between: &str) {
        let mut used = 0;
        for word in text.split(between) {
            if used > 0 && used + between.width() + word.width() > self.style.width {
                out.push('\n');
                used = 0;
            } else if used > 0 {
                out.push_str(between);
                used += between.width();
            }
            self.style.paint.put(out, Ink::Faint, word);
            used += word.width();
        }
        out.push('\n');
    }

    /// Returns the text in front of a bar.
    fn label_of(&self, row: &Row<'_>) -> String {
        let tree = self.waterfall.tree;
        match &row.kind {
            Kind::Span => {
                let span = tree.span(row.span);
                let about = span.and_then(|span| span.identity.about.as_deref());
                let mut label = self.safe(&tree.name(row.span));
                if let Some(about) = about {
                    let _ = write!(label, " {}", self.safe(about));
                }
                if let Some(remark) = tree.remark(row.span) {
                    let _ = write!(label, " {remark}");
                }
                label
            }
            Kind::Gap(gap) => {
                let arrow = self.style.signs.arrow;
                format!("gap: {} {arrow} {}", self.safe(&gap.after), self.safe(&gap.before))
            }
            Kind::More { spans, .. } => format!("{} more", counted(*spans as u64, "span", "spans")),
            Kind::Event(_) | Kind::Folded(_) => String::new(),
        }
    }

    fn put_row(&self, out: &mut String, row: &Row<'_>) {
        match &row.kind {
            Kind::Span => {
                let extent = self.waterfall.tree.extent(row.span);
                self.put_label(out, row, None);
                self.put_bar(out, row.span, extent);
                self.put_duration(out, extent.map(|extent| (extent.nanos(), extent.is_measured)));
                for oddity in oddities(self.waterfall, row.span, self.style.signs.micro) {
                    self.put_text(out, row, Ink::Level(LineLevel::Warn), &format!("^ {oddity}"), None);
                }
            }
            Kind::Gap(gap) => {
                self.put_label(out, row, Some(Ink::Faint));
                let (from, to) = self.cells(gap.start, gap.end);
                let dots = self.style.signs.gap.repeat(to - from);
                let text = format!("{}{dots}{}", " ".repeat(from), " ".repeat(self.bar.saturating_sub(to)));
                self.style.paint.put(out, Ink::Faint, &text);
                self.put_duration(out, Some((gap.nanos(), true)));
            }
            Kind::More { nanos, .. } => {
                self.put_label(out, row, Some(Ink::Faint));
                out.push_str(&" ".repeat(self.bar));
                self.put_duration(out, Some((*nanos, true)));
            }
            Kind::Event(event) => self.put_event(out, row, event),
            Kind::Folded(count) => {
                let text = format!("{} counted only", counted(*count, "further line", "further lines"));
                self.put_text(out, row, Ink::Faint, &text, None);
            }
        }
    }

    /// Writes the service, and the name in its place in the tree.
    fn put_label(&self, out: &mut String, row: &Row<'_>, ink: Option<Ink>) {
        let is_span = matches!(row.kind, Kind::Span);
        if self.service > 0 {
            let name = self.waterfall.tree.service(row.span).filter(|_| is_span).unwrap_or_default();
            let name = self.fit(&self.safe(name), self.service);
            self.style.paint.put(out, self.ink(row.span), &name);
            out.push_str(&" ".repeat(self.service.saturating_sub(name.width()) + 2));
        }
        let indent = indent(row).min(self.label / 2);
        let label = self.fit(&self.label_of(row), self.label.saturating_sub(indent));
        out.push_str(&" ".repeat(indent));
        match ink {
            Some(ink) => self.style.paint.put(out, ink, &label),
            None => out.push_str(&label),
        }
        out.push_str(&" ".repeat(self.label.saturating_sub(indent + label.width()) + 1));
    }

    fn ink(&self, span: usize) -> Ink {
        let service = self.waterfall.tree.span(span).and_then(|span| span.identity.service);
        service.map_or(Ink::Faint, Ink::Service)
    }

    /// Returns the first cell of a time, and the one behind its last.
    fn cells(&self, start: i64, end: i64) -> (usize, usize) {
        let Some(whole) = self.whole.filter(|_| self.bar > 0) else { return (0, 0) };
        let place = |time: i64| time.saturating_sub(whole.start) as f64 / whole.nanos() as f64 * self.bar as f64;
        let from = (place(start).floor() as usize).min(self.bar - 1);
        let to = (place(end).ceil() as usize).clamp(from + 1, self.bar);
        (from, to)
    }

    /// Draws a span and the events in it.
    fn put_bar(&self, out: &mut String, number: usize, extent: Option<Extent>) {
        let (Some(extent), Some(span), true) = (extent, self.waterfall.tree.span(number), self.bar > 0) else {
            out.push_str(&" ".repeat(self.bar));
            return;
        };
        let signs = self.style.signs;
        let (from, to) = self.cells(extent.start, extent.end);
        let bar = if self.waterfall.is_in_chain(number) { signs.chain } else { signs.span };
        let ink = self.ink(number);
        let mut cells: Vec<(&str, Ink, u8)> = vec![(" ", Ink::Faint, 0); self.bar];
        cells.iter_mut().take(to).skip(from).for_each(|cell| *cell = (bar, ink, 0));
        for event in &span.events {
            let Some(time) = event.time else { continue };
            let (at, _) = self.cells(time, time);
            let (sign, weight) = signs.of(event);
            let ink = if event.is_severe() { Ink::Level(event.level.unwrap_or(LineLevel::Warn)) } else { ink };
            if let Some(cell) = cells.get_mut(at).filter(|cell| cell.2 < weight) {
                *cell = (sign, ink, weight);
            }
        }
        for cells in cells.chunk_by(|one, other| one.2 == other.2 && one.0 == other.0) {
            let Some((_, ink, _)) = cells.first() else { continue };
            let text: String = cells.iter().map(|(sign, ..)| *sign).collect();
            if text.trim().is_empty() { out.push_str(&text) } else { self.style.paint.put(out, *ink, &text) }
        }
    }

    /// Writes a duration to the right, and whether it is at least that.
    fn put_duration(&self, out: &mut String, nanos: Option<(i64, bool)>) {
        let text = match nanos {
            Some((nanos, true)) => duration(nanos, self.style.signs.micro),
            Some((nanos, false)) => format!("{}{}", self.style.signs.at_least, duration(nanos, self.style.signs.micro)),
            None => "no time".to_owned(),
        };
        let padding = DURATION.saturating_sub(text.width());
        let _ = writeln!(out, "{} {text}", " ".repeat(padding + 1));
    }

    fn put_event(&self, out: &mut String, row: &Row<'_>, event: &Event) {
        let (sign, _) = self.style.signs.of(event);
        let level = event.level.map_or("", LineLevel::as_str);
        let error = event.error.as_deref().filter(|error| **error != *event.message);
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        let after = event.time.zip(self.whole).map(|(time, whole)| time.saturating_sub(whole.start));
        let ink = event.level.map_or(Ink::Faint, Ink::Level);
        let text = format!("{sign} {level} {}{error}", event.message);
        self.put_text(out, row, ink, &text, after);
    }

    /// Writes a text over the whole width, and how long after the start it happened.
    fn put_text(&self, out: &mut String, row: &Row<'_>, ink: Ink, text: &str, after: Option<i64>) {
        let is_own = matches!(row.kind, Kind::Span);
        let indent = (self.left() + indent(row) + 2 * usize::from(is_own)).min(self.style.width / 3);
        let after = after.map(|nanos| format!("+{}", duration(nanos, self.style.signs.micro))).unwrap_or_default();
        let room = self.style.width.saturating_sub(indent + after.width() + 2);
        let text = self.fit(&self.safe(text), room);
        out.push_str(&" ".repeat(indent));
        self.style.paint.put(out, ink, &text);
        if !after.is_empty() {
            let padding = self.style.width.saturating_sub(indent + text.width() + after.width() + 1);
            out.push_str(&" ".repeat(padding.max(1)));
            self.style.paint.put(out, Ink::Faint, &after);
        }
        out.push('\n');
    }
}

/// Returns the columns in front of a row.
fn indent(row: &Row<'_>) -> usize {
    (2 * row.depth).min(MAX_INDENT)
}
