//! A run of lines in one allocation, and the state of each line.

use tracing::{Level, Metadata};

use super::line::Columns;
use crate::metrics::{DroppedLine, Reason};
use crate::record::Timestamp;

/// Lines are rendered and offered this many bytes at a time: few system calls, and still in the processor's cache.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// What has become of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Offered,
    InFlight,
    /// Written, dropped or spooled.
    Done,
    /// Dropped half-way: only its newline is still to be delivered, before the next line.
    OwedNewline,
}

/// What is known of one line besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Where its bytes end in the chunk.
    pub(super) end: usize,
    pub(super) level: Level,
    pub(super) time: Timestamp,
    /// The call site; `None` for a line that an appender made.
    pub(super) meta: Option<&'static Metadata<'static>>,
    pub(super) state: State,
    /// Written by the log about itself, so no part of the books.
    pub(super) is_notice: bool,
    /// Dropped half-way, and counted: only its newline is still to come.
    pub(super) is_cut: bool,
    /// Its newline was all that was left when it was given up: a whole line, once that is written.
    pub(super) is_last_try: bool,
    /// It was in flight and given back.
    pub(super) is_again: bool,
}

impl Entry {
    /// The line is done, except for its newline, which no book counts.
    pub(super) fn owe_newline(&mut self) {
        self.state = State::OwedNewline;
        self.is_cut = true;
        self.is_again = false;
    }

    /// Returns the line as a dropped one.
    pub(super) fn dropped(&self, reason: Reason) -> DroppedLine {
        let is_notice = self.is_notice && !self.is_cut;
        DroppedLine { reason, level: self.level, time: self.time, lines: self.counted(), is_notice }
    }

    /// Returns 1 for a line that the books count.
    pub(super) fn counted(&self) -> u64 {
        u64::from(!self.is_notice && !self.is_cut)
    }
}

#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The id of the first line; the others follow.
    pub(super) first_id: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// One for each line, where the sink wants them.
    pub(super) columns: Vec<Columns>,
    /// The memory that they take.
    pub(super) columns_bytes: usize,
    /// Lines that are done.
    pub(super) done: usize,
}

impl Chunk {
    /// Returns where line `index` begins.
    pub(super) fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |before| before.end)
    }

    /// Returns where the last line ends.
    pub(super) fn end(&self) -> usize {
        self.entries.last().map_or(0, |last| last.end)
    }

    /// Returns the id after the last line's.
    pub(super) fn end_id(&self) -> u64 {
        self.first_id + self.entries.len() as u64
    }

    /// Returns the memory that its lines take.
    pub(super) fn resident_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>() + self.columns_bytes
    }

    pub(super) fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep_bytes);
        self.entries.clear();
        self.columns.clear();
        self.columns_bytes = 0;
        self.done = 0;
    }
}
