//! Lines that were read back, on their way to the sink.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::LEVELS;
use super::store::{Position, Store};
use crate::error::Error;
use crate::metrics::{ByLevel, Delivered, Reason};
use crate::sink::{Batching, CHUNK_BYTES, Lines, Offer};
use crate::sync::after;

/// Lines in memory take this many bytes at most.
const MEMORY_BYTES: usize = 16 << 20;

/// While it waits for its rate, it looks this often.
const NAP: Duration = Duration::from_millis(10);

/// Lines that were read back, on their way to the sink.
pub(super) struct Replay {
    pub(super) lines: Lines,
    delivered: Arc<Delivered>,
    /// Where the lines lie that are not done, by id.
    positions: VecDeque<(u64, Position)>,
    written: ByLevel,
    written_bytes: u64,
    batch: Batching,
    /// So few lines are offered, in search of one that the sink rejects.
    limit: Option<usize>,
    pace: Pace,
    /// All lines on disk were read.
    pub(super) is_read: bool,
}

/// How much may be read now.
#[derive(Debug)]
struct Pace {
    bytes_per_second: f64,
    allowance: f64,
    at: Instant,
}

impl Replay {
    pub(super) fn new(context: &Lines, batch: Batching, bytes_per_second: u64) -> Self {
        let delivered = Arc::<Delivered>::default();
        Self {
            lines: Lines::replayed(Arc::clone(&delivered), context),
            delivered,
            positions: VecDeque::new(),
            written: ByLevel::default(),
            written_bytes: 0,
            batch,
            limit: None,
            pace: Pace { bytes_per_second: bytes_per_second as f64, allowance: CHUNK_BYTES as f64, at: Instant::now() },
            is_read: false,
        }
    }

    /// Bytes have come to the disk: as many more may be read, so that the replay gets ahead of them.
    pub(super) fn came(&mut self, bytes: usize) {
        self.pace.allowance += bytes as f64;
        self.is_read = false;
    }

    pub(super) fn is_done(&self) -> bool {
        self.lines.is_done()
    }

    /// Returns the bytes of all lines that were written.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Reads as many lines as the memory and the rate allow. Returns when more may be read, if it stopped for the rate.
    pub(super) fn fill(&mut self, store: &mut Store, now: Instant) -> io::Result<Option<Instant>> {
        let pace = &mut self.pace;
        let burst = (pace.bytes_per_second / 10.0).max(CHUNK_BYTES as f64);
        let earned = now.saturating_duration_since(pace.at).as_secs_f64() * pace.bytes_per_second;
        // What has come earns its allowance in full.
        pace.allowance = if pace.allowance > burst { pace.allowance } else { (pace.allowance + earned).min(burst) };
        pace.at = now;
        if self.lines.is_done() {
            self.lines.clear(2 * CHUNK_BYTES);
        }
        // Segments that are being read cannot be dropped, so little is read ahead.
        let ahead = usize::try_from(store.limits.segment_bytes()).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let batch = if self.batch.bytes == usize::MAX { 0 } else { self.batch.bytes.saturating_mul(2) };
        let memory = ahead.max(batch.min(MEMORY_BYTES));
        while self.lines.retained_bytes() < memory {
            if pace.allowance <= 0.0 {
                return Ok(Some(after(now, NAP)));
            }
            self.lines.begin_chunk(CHUNK_BYTES);
            let (lines, positions) = (&mut self.lines, &mut self.positions);
            let is_found = store.read(&mut |line, position| {
                lines.buffer().extend_from_slice(line.bytes);
                lines.end_line(line.level, line.time, None, line.is_notice);
                lines.add_columns(line.columns.clone());
                positions.push_back((lines.end_id() - 1, position));
                pace.allowance -= line.bytes.len() as f64;
            })?;
            if !is_found {
                self.is_read = true;
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Chooses what the sink sees in its next call.
    pub(super) fn offer(&mut self) {
        let lines = self.batch.lines.min(self.limit.unwrap_or(usize::MAX));
        self.lines.offer(Offer { bytes: self.batch.bytes, lines });
    }

    /// Moves what the sink has done to the books.
    pub(super) fn settle(&mut self, outer: &mut Lines) {
        outer.spooled_left_out(self.lines.take_left_out());
        let (dropped, reason) = self.lines.take_dropped();
        for line in dropped.into_iter().filter(|line| !line.is_notice) {
            outer.spooled_dropped(line.reason, line.level, line.lines, line.time);
        }
        if let Some(reason) = reason {
            outer.report(Error::rejected(reason));
        }
        let written = self.delivered.counts().written;
        let new = written.minus(self.written);
        let bytes = self.lines.written_bytes();
        let new_bytes = bytes.saturating_sub(self.written_bytes);
        let level_of_bytes = LEVELS.into_iter().find(|level| new.level(*level) > 0);
        for (level, lines) in new.levels() {
            let bytes = if Some(level) == level_of_bytes { new_bytes } else { 0 };
            outer.spooled_written(level, lines, bytes);
        }
        if level_of_bytes.is_some() {
            self.written_bytes = bytes;
        }
        self.written = written;
        if new.total() > 0 && self.limit.is_some() {
            self.limit = self.limit.map(|limit| limit.saturating_mul(2)).filter(|limit| !self.lines.fewer_than(*limit));
        }
    }

    /// Returns whether the disk has lines that are done.
    pub(super) fn has_done(&self) -> bool {
        self.positions.front().is_some_and(|(id, _)| *id < self.first_open())
    }

    /// Removes the lines that are done from the disk. The sink was flushed: until then, it may have them in a buffer, which
    /// the end of the process would lose.
    pub(super) fn release(&mut self, store: &mut Store) {
        let open = self.first_open();
        while self.positions.front().is_some_and(|(id, _)| *id < open) {
            if let Some((_, position)) = self.positions.pop_front() {
                store.acknowledge(position);
            }
        }
    }

    /// Returns the id of the first line that is not done.
    fn first_open(&self) -> u64 {
        if self.lines.is_done() { u64::MAX } else { self.lines.oldest_id() }
    }

    /// The sink rejects what it was offered: half of it is offered next, and a single line is dropped.
    pub(super) fn rejected(&mut self, outer: &mut Lines, error: Error) {
        match self.lines.refuse_call() {
            0 => outer.report(error),
            1 => {
                self.give_up_line(outer, Reason::Rejected);
                outer.report(error);
            }
            lines => self.limit = Some((lines / 2).max(1)),
        }
    }

    /// Drops the first line.
    pub(super) fn give_up_line(&mut self, outer: &mut Lines, reason: Reason) {
        if let Some(line) = self.lines.give_up_line(reason).filter(|line| !line.is_notice) {
            outer.spooled_dropped(line.reason, line.level, line.lines, line.time);
        }
    }
}
