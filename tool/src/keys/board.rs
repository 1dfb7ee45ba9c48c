//! What is on the screen, and why: the lines, the filter, the selection.

use std::collections::VecDeque;

use super::kept::{Kept, Line, Readers};
use super::page::Page;
use super::rows::{Row, grouped, plain};
use super::typed::Typed;
use crate::entry::{Entry, Part};
use crate::loggers::LineLevel;
use crate::query::Filter;
use crate::show::Paint;
use crate::trace::{Trace, View, id_of};

/// The levels that `l` goes through, behind all of them.
const LEVELS: [LineLevel; 4] = [LineLevel::Debug, LineLevel::Info, LineLevel::Warn, LineLevel::Error];

/// A longer text of a line is cut, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Longer ids of requests are cut, in bytes.
const MAX_ID_BYTES: usize = 100;

/// What the keys are for.
#[derive(Debug)]
pub(super) enum Mode {
    Lines,
    /// A filter is typed. `before`: the one that was there.
    Typing {
        before: String,
    },
    Page(Page),
}

/// Which part of the rows is seen.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The number of the selected line; `None`: the newest lines are shown as they come.
    pub(super) selected: Option<u64>,
    /// That of the last line on the screen.
    pub(super) bottom: Option<u64>,
    /// How many rows were on the screen.
    pub(super) page: usize,
}

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) filter: bool,
    pub(super) draw: bool,
    pub(super) end: bool,
}

/// The state of the screen.
pub(super) struct Board {
    pub(super) kept: Kept,
    readers: Readers,
    filter: Filter,
    /// The numbers of the lines that meet the filter, in their order.
    matches: VecDeque<u64>,
    pub(super) rows: Vec<Row>,
    pub(super) typed: Typed,
    pub(super) level: Option<LineLevel>,
    pub(super) is_grouped: bool,
    pub(super) place: Place,
    pub(super) mode: Mode,
    /// What the user has to know.
    pub(super) note: Option<String>,
    pub(super) due: Due,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            kept: Kept::default(),
            readers: Readers::new(),
            filter: Filter::default(),
            matches: VecDeque::new(),
            rows: Vec::new(),
            typed: Typed::default(),
            level: None,
            is_grouped: false,
            place: Place::default(),
            mode: Mode::Lines,
            note: None,
            due: Due { draw: true, ..Due::default() },
        }
    }

    /// Takes a line. `text`: as it is shown.
    pub(super) fn take(&mut self, entry: &Entry<'_>, text: &[u8]) {
        let is_cut = text.len() > MAX_TEXT_BYTES;
        let text = String::from_utf8_lossy(text.get(..MAX_TEXT_BYTES).unwrap_or(text));
        let text = format!("{text}{}", if is_cut { "…" } else { "" });
        let id = entry.text(Part::Request).or_else(|| entry.text(Part::Trace)).filter(|_| entry.is_record());
        let id =
            id.map(|id| id.char_indices().take_while(|(at, _)| *at < MAX_ID_BYTES).map(|(_, char)| char).collect());
        self.due.draw = true;
        if self.kept.push(entry, id, text) {
            let number = self.kept.lines().last().map(|line| line.number);
            self.matches.extend(number.filter(|_| self.filter.matches(entry)));
            let first = self.kept.first();
            while self.matches.front().is_some_and(|number| *number < first) {
                self.matches.pop_front();
            }
        }
    }

    /// Returns how many lines meet the filter.
    pub(super) fn found(&self) -> usize {
        self.matches.len()
    }

    /// Brings the rows up to date.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.due.filter) {
            let valid = self.typed.valid.clone();
            let grep = valid.word.into_iter().collect();
            self.filter = Filter { level: self.level, expression: valid.expression, grep, ..Filter::default() };
            let (readers, filter) = (&mut self.readers, &self.filter);
            let mut matches = |line: &&Line| filter.matches(&readers.entry(line));
            self.matches = self.kept.lines().filter(|line| matches(line)).map(|line| line.number).collect();
        }
        self.rows = if self.is_grouped { grouped(&self.matches, &self.kept) } else { plain(&self.matches) };
    }

    /// Returns the place of the row with a line, or with the one behind it.
    pub(super) fn row_of(&self, number: u64) -> Option<usize> {
        let exact = self.rows.iter().position(|row| row.number() == Some(number));
        exact.or_else(|| self.rows.iter().position(|row| row.number().is_some_and(|other| other > number)))
    }

    /// Goes to the next level.
    pub(super) fn next_level(&mut self) {
        let next = self.level.map_or(Some(0), |level| LEVELS.iter().position(|one| *one == level).map(|at| at + 1));
        self.level = next.and_then(|next| LEVELS.get(next).copied());
        self.due.filter = true;
    }

    /// Begins or ends a pause.
    pub(super) fn pause(&mut self) {
        self.kept.pause();
        self.due.filter = true;
    }

    /// Shows the trace of the selected line, else of the last one.
    pub(super) fn trace(&mut self, columns: usize, paint: Paint) {
        let selected = self.place.selected.and_then(|number| self.row_of(number));
        let row = selected.and_then(|row| self.rows.get(row)).and_then(Row::number);
        let number = row.or_else(|| self.rows.iter().rev().find_map(Row::number));
        let Some(line) = number.and_then(|number| self.kept.line(number)) else {
            self.note = Some("there is no line".to_owned());
            return;
        };
        let Some(id) = id_of(&self.readers.entry(line)) else {
            self.note = Some("this line has no id of a trace, a request or a span".to_owned());
            return;
        };
        let view = View { spans: 500, level: LineLevel::Warn, gap_percent: 10.0 };
        let (kept, readers) = (&self.kept, &mut self.readers);
        let trace = Trace::of_lines(&id, view, |take| {
            let mut time = None;
            for line in kept.lines() {
                let entry = readers.entry(line);
                time = entry.time().or(time);
                take(&entry, time);
            }
        });
        let text = trace.map(|trace| trace.text(columns.clamp(40, 1000), false, paint)).unwrap_or_default();
        let note = "From the lines that are kept. `spanline trace` reads whole logs. q goes back.";
        self.mode = Mode::Page(Page::new(format!("{}\n\n{note}", text.trim_end())));
    }
}
