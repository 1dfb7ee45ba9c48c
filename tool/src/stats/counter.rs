//! Counts lines until a signal, and passes them on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::level_counts::LevelCounts;
use super::names::{OTHERS, short_name};
use super::statistics::{Questions, Stats};
use crate::entry::{Entry, Part};
use crate::report::Report;
use crate::scan::{Place, Visit};

/// After this many lines, or bytes of them, there may be no room left.
const LINES: usize = 256;
const BYTES: usize = 256 << 10;

/// How often it is looked for room.
const PAUSE: Duration = Duration::from_millis(20);

/// What gets the lines that count, and the counts while they grow.
pub(crate) trait Onward: Sync {
    /// Returns whether there is room for what each thread passes on between two looks.
    fn has_room(&self) -> bool;

    /// Takes a record. `service`: the name under which it counts.
    fn pass(&self, entry: &Entry<'_>, service: &str);

    /// Takes the counts of the lines that a thread has passed on since the last call. `unparsed`: lines that are no records.
    fn add(&self, services: BTreeMap<String, LevelCounts>, unparsed: u64);

    /// Returns what it has to complain of.
    fn complaints(&self) -> Vec<String>;
}

/// Reports what it has to complain of.
pub(crate) fn tell(onward: &dyn Onward, report: &Report) {
    onward.complaints().iter().for_each(|complaint| report.note(complaint));
}

/// The counts of one thread.
pub(crate) struct Counter<'q, 'o> {
    pub(crate) stats: Stats<'q>,
    questions: &'q Questions,
    onward: Option<&'o dyn Onward>,
    /// Set when no further line counts.
    stop: &'o AtomicBool,
    is_done: bool,
    counts: BTreeMap<String, LevelCounts>,
    unparsed: u64,
    lines: usize,
    bytes: usize,
    /// The service of the last line, which most often is that of the next one, and the name under which it counts.
    last: Option<(String, String)>,
}

impl<'q, 'o> Counter<'q, 'o> {
    pub(crate) fn new(questions: &'q Questions, onward: Option<&'o dyn Onward>, stop: &'o AtomicBool) -> Self {
        Self {
            stats: Stats::new(questions),
            questions,
            onward,
            stop,
            is_done: false,
            counts: BTreeMap::new(),
            unparsed: 0,
            lines: 0,
            bytes: 0,
            last: None,
        }
    }

    /// Tells the last counts, and returns all of them.
    #[cfg(feature = "collect")]
    pub(crate) fn end(mut self) -> Stats<'q> {
        self.flush();
        self.stats
    }

    /// Tells the counts so far.
    pub(crate) fn flush(&mut self) {
        if let Some(onward) = self.onward
            && self.lines > 0
        {
            onward.add(std::mem::take(&mut self.counts), std::mem::take(&mut self.unparsed));
            (self.lines, self.bytes) = (0, 0);
        }
    }

    /// Returns whether a line was left out, for which there was no room.
    pub(crate) fn has_left_out(&self) -> bool {
        self.is_done
    }

    /// Returns whether there may be no room for a line.
    pub(super) fn has_to_look(&self) -> bool {
        self.lines >= LINES || self.bytes >= BYTES
    }

    /// Counts a line for which there is room.
    pub(super) fn count(&mut self, entry: &Entry<'_>, place: Place) {
        if let Some(onward) = self.onward
            && self.questions.filter.matches(entry)
        {
            self.lines += 1;
            self.bytes += entry.line().len();
            if entry.is_record() {
                let service = self.service(entry);
                onward.pass(entry, &service);
                self.counts.entry(service).or_default().add(entry.level());
            } else {
                self.unparsed += 1;
            }
        }
        self.stats.visit(entry, place);
    }

    /// Returns the name under which the service of an entry counts.
    fn service(&mut self, entry: &Entry<'_>) -> String {
        let service = entry.text(Part::Service).unwrap_or_default();
        match &self.last {
            Some((last, name)) if *last == service => name.clone(),
            _ => {
                let name = short_name(&service);
                let name = if self.questions.services.admits(name) { name } else { OTHERS };
                let name = name.to_owned();
                self.last = Some((service.into_owned(), name.clone()));
                name
            }
        }
    }
}

impl Visit for Counter<'_, '_> {
    fn visit(&mut self, entry: &Entry<'_>, place: Place) {
        if self.has_to_look() {
            self.flush();
            while self.onward.is_some_and(|onward| !onward.has_room()) {
                if self.stop.load(Ordering::Relaxed) {
                    self.is_done = true;
                    return;
                }
                thread::sleep(PAUSE);
            }
        }
        self.count(entry, place);
    }

    fn is_done(&self) -> bool {
        self.is_done || self.stop.load(Ordering::Relaxed)
    }
}
