//! A span, and the lines in it.

use crate::loggers::LineLevel;

/// Which span it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) id: Option<String>,
    /// The numbers of its trace, its service and its name.
    pub(super) trace: Option<usize>,
    pub(super) service: Option<usize>,
    pub(super) name: Option<usize>,
    /// What it handles, such as `POST /orders`.
    pub(super) about: Option<String>,
    /// The numbers of the names of the spans around it and its own, of the same program.
    pub(super) path: Box<[usize]>,
}

/// How the parent of a span is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Parent {
    #[default]
    Unknown,
    /// A line has the parent's id.
    Id(String),
    /// The number of a span.
    Span(usize),
}

/// When a span was, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Its first and its last line.
    pub(super) lines: Option<(i64, i64)>,
    /// Its start and its end, where a line says them.
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
}

impl Seen {
    pub(super) fn line(&mut self, time: i64) {
        let (first, last) = self.lines.unwrap_or((time, time));
        self.lines = Some((first.min(time), last.max(time)));
    }

    /// A line says that the span ends after this many nanoseconds.
    pub(super) fn ends(&mut self, time: i64, nanos: i64) {
        let start = time.saturating_sub(nanos);
        self.start = Some(self.start.map_or(start, |known| known.min(start)));
        self.end = Some(self.end.map_or(time, |known| known.max(time)));
    }
}

/// A line in a span.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) time: Option<i64>,
    pub(super) level: Option<LineLevel>,
    pub(super) message: Box<str>,
    pub(super) error: Option<Box<str>>,
}

impl Event {
    pub(super) fn is_severe(&self) -> bool {
        self.level >= Some(LineLevel::Warn)
    }

    pub(super) fn is_error(&self) -> bool {
        self.level >= Some(LineLevel::Error)
    }
}

/// How many lines a span has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) warnings: u64,
    pub(super) errors: u64,
    /// Events that are counted only.
    pub(super) folded: u64,
}

/// A span, as its lines tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    pub(super) identity: Identity,
    pub(super) parent: Parent,
    pub(super) seen: Seen,
    pub(super) counts: Counts,
    /// The first events, and the first severe ones.
    pub(super) events: Vec<Event>,
    /// The times of all lines.
    pub(super) times: Vec<i64>,
    /// Whether `times` lacks some.
    pub(super) has_other_times: bool,
    /// Whether it stands for lines outside any span.
    pub(super) is_outside: bool,
}

impl Span {
    pub(super) fn has_lines(&self) -> bool {
        self.counts.lines > 0
    }
}
