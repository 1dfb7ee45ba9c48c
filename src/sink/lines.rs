//! Rendered lines on their way into a sink, with a cursor.

use std::sync::Arc;

use tracing::Level;

use crate::metrics::{ByLevel, Delivered};
use crate::record::Timestamp;

/// Rendered lines, each ending in a newline, and a cursor: what lies before it has been delivered.
///
/// The cursor may rest inside a line, after a short write; the rest of that line then goes first.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where the first line begins: after a newline that is owed to the sink, if any.
    base: usize,
    ends: Vec<End>,
    /// Bytes delivered.
    cursor: usize,
    /// Lines wholly delivered or skipped.
    passed: usize,
    delivered: Arc<Delivered>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    level: Level,
    time: Timestamp,
    /// Written by the log about itself, so no part of the books.
    notice: bool,
    /// Given up half-way, and counted as lost: only its newline is still to come.
    cut: bool,
    /// Its newline was all that was left when it was given up: a whole line, once that is written.
    last_try: bool,
}

/// One rendered line, or what is left of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The bytes not yet delivered, the newline at the end included.
    pub bytes: &'a [u8],
    /// The level of the event.
    pub level: Level,
    /// When the event happened.
    pub time: Timestamp,
}

impl Lines {
    /// No lines yet; those delivered are counted in `delivered`.
    pub(crate) fn counted(delivered: Arc<Delivered>) -> Self {
        Self { delivered, ..Self::default() }
    }

    /// What is still to be delivered, all lines in one run.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.cursor..).unwrap_or_default()
    }

    /// The lines still to be delivered, in order. The first is cut at its start when the cursor is inside it.
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = self.cursor;
        self.ends.iter().skip(self.passed).map(move |end| {
            let bytes = self.bytes.get(start..end.at).unwrap_or_default();
            start = end.at;
            Line { bytes, level: end.level, time: end.time }
        })
    }

    /// Moves the cursor past `bytes` more delivered bytes; never past the end.
    pub fn advance(&mut self, bytes: usize) {
        self.cursor = self.cursor.saturating_add(bytes).min(self.bytes.len());
        let mut lines = ByLevel::default();
        while let Some(end) = self.ends.get(self.passed).filter(|end| end.at <= self.cursor) {
            lines.add(end.level, u64::from(!end.notice && !end.cut));
            self.passed += 1;
        }
        if let Some(next) = self.ends.get(self.passed) {
            self.delivered.set_next_time(Some(next.time));
        }
        self.delivered.add(lines);
    }

    /// As [`advance`](Self::advance), but the first of these lines has come to nothing: it is to be delivered again,
    /// after the others, and after the rest of one that is delivered in part. False, and nothing done, when there are
    /// no others. The cursor stands at the beginning of a line.
    pub(crate) fn advance_past_first(&mut self, bytes: usize) -> bool {
        let (start, reached) = (self.cursor, self.cursor.saturating_add(bytes));
        let last = self.ends.iter().skip(self.passed).take_while(|end| end.at < reached).count();
        let others = self.ends.get_mut(self.passed..=self.passed + last).unwrap_or_default();
        let (Some(first), Some(end)) = (others.first().map(|end| end.at), others.last().map(|end| end.at)) else {
            return false;
        };
        let length = first - start;
        if last == 0 || self.bytes.get(start..end).is_none() {
            return false;
        }
        others.rotate_left(1);
        others.iter_mut().for_each(|end| end.at -= length);
        if let Some(moved) = others.last_mut() {
            moved.at = end;
        }
        if let Some(bytes) = self.bytes.get_mut(start..end) {
            bytes.rotate_left(length);
        }
        self.advance(bytes - length);
        true
    }

    /// Whether everything has been delivered.
    pub fn is_empty(&self) -> bool {
        self.passed == self.ends.len()
    }

    /// Whether the cursor stands at the beginning of a line.
    pub fn at_line_start(&self) -> bool {
        self.cursor == self.line_start()
    }

    /// Moves the cursor back to the beginning of the line it is in: what was delivered of it has been taken back.
    pub fn rewind_line(&mut self) {
        self.cursor = self.cursor.min(self.line_start());
    }

    fn line_start(&self) -> usize {
        match self.passed.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |end| end.at),
            None => self.base,
        }
    }

    /// Adds a line at the end, with a newline where it lacks one: for tests of a sink of one's own.
    pub fn push_line(&mut self, line: &[u8], level: Level, time: Timestamp) {
        self.bytes.extend_from_slice(line);
        self.end_line(level, time, false);
    }

    /// The buffer a schema renders the next line into.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the line that was rendered into the buffer; adds the newline where it is missing.
    pub(crate) fn end_line(&mut self, level: Level, time: Timestamp, notice: bool) {
        if self.bytes.last() != Some(&b'\n') || self.ends.last().is_some_and(|end| end.at == self.bytes.len()) {
            self.bytes.push(b'\n');
        }
        self.ends.push(End { at: self.bytes.len(), level, time, notice, cut: false, last_try: false });
    }

    /// Takes back what was rendered after the last ended line.
    pub(crate) fn discard_unended(&mut self) {
        let end = self.ends.last().map_or(self.base, |end| end.at);
        self.bytes.truncate(end);
    }

    /// Gives up the first remaining line: its level and time, and whether it is a notice; `None` when that was
    /// told before, or is open still. What lies in the sink of it already must not run into the next line: then its
    /// newline remains to be delivered, if need be with the next line.
    pub(crate) fn give_up_line(&mut self) -> Option<(Level, Timestamp, bool)> {
        let within = !self.at_line_start();
        let end = self.ends.get_mut(self.passed)?;
        let given_up = (!end.cut).then_some((end.level, end.time, end.notice));
        if within && self.cursor == end.at - 1 && !end.cut && !end.last_try {
            end.last_try = true;
            return None;
        }
        if within && !end.cut && !end.last_try {
            end.cut = true;
            self.cursor = end.at - 1;
        } else {
            self.cursor = if within { self.cursor } else { end.at };
            self.passed += 1;
        }
        given_up
    }

    /// Bytes passed so far.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Bytes rendered, delivered or not.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Drops all there is, in a forked child: the parent writes it.
    pub(crate) fn forget(&mut self) {
        *self = Self::counted(Arc::clone(&self.delivered));
    }

    /// Empties it for the next chunk and gives back memory that one large line took.
    pub(crate) fn clear(&mut self, keep_bytes: usize) {
        let owes_newline = !self.as_bytes().is_empty();
        self.bytes.clear();
        self.bytes.extend(owes_newline.then_some(b'\n'));
        self.base = self.bytes.len();
        self.ends.clear();
        self.bytes.shrink_to(keep_bytes);
        self.cursor = 0;
        self.passed = 0;
        self.delivered.set_next_time(None);
    }
}
