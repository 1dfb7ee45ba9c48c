//! The lines of one output and how far each has come.

use std::collections::VecDeque;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::chunk::{Chunk, Entry, State};
use super::line::{Iter, Line};
use crate::error::Error;
use crate::metrics::{ByLevel, Delivered, DroppedLine};

/// Rendered lines, each ending in a newline, offered to a sink in order.
///
/// A sink takes lines from the cursor, in one of two ways:
///
/// - [`advance`](Self::advance) says that bytes are written. A sink that knows at once needs nothing else.
/// - [`hand_over`](Self::hand_over) says that bytes are on their way. The lines are *in flight*: they stay in memory until
///   the sink calls [`acknowledge`](Self::acknowledge), [`give_back`](Self::give_back) or [`reject`](Self::reject) with
///   their ids, in this call or a later one.
///
/// The cursor may rest inside a line, after a short write. The rest of that line then goes first.
#[derive(Debug)]
pub struct Lines {
    /// The oldest first. Only the last one grows.
    pub(super) chunks: VecDeque<Chunk>,
    /// The first offered line.
    pub(super) next: Position,
    /// How far into the chunk of `next` the sink has come.
    pub(super) cursor: usize,
    /// The line at the cursor was handed over in part, so it is sent whole if the sink loses its connection.
    pub(super) is_part_handed: bool,
    /// From this id on, no line was ever taken.
    pub(super) untouched: u64,
    /// The sink sees no line from this id on.
    pub(super) offer_end: u64,
    /// The first id that is not done.
    pub(super) oldest: u64,
    /// Lines offered, whether the sink sees them or not.
    pub(super) offered: usize,
    pub(super) in_flight: usize,
    pub(super) changes: Changes,
    pub(super) delivered: Arc<Delivered>,
    pub(super) context: SinkContext,
}

/// The first id of lines that come from a spool: no output has as many others.
pub(in crate::sink) const REPLAYED: u64 = 1 << 63;

/// A place among the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) chunk: usize,
    pub(super) index: usize,
}

/// What the sink has done since the worker last looked.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Times that the sink got ahead.
    pub(super) steps: u64,
    /// Bytes that count as written, ever. Falls when a sink takes back the beginning of a line.
    pub(super) written_bytes: u64,
    /// Lines that the sink rejected, or dropped from its spool.
    pub(super) dropped: Vec<DroppedLine>,
    /// Lines that the sink was not meant to have.
    pub(super) left_out: ByLevel,
    /// Why it rejected the last of them.
    pub(super) reject_reason: Option<String>,
    /// What went wrong without ending the call.
    pub(super) reports: Vec<Error>,
    /// What the user is to know besides, each text a complaint.
    pub(super) remarks: Vec<String>,
    /// The first id that was handed over in this call.
    pub(super) handed_from: Option<u64>,
    /// How many lines were given back in the current call.
    pub(super) given_back: usize,
    /// It has handed lines over once.
    pub(super) hands_over: bool,
}

/// What a sink may ask for besides lines.
#[derive(Debug)]
pub(super) struct SinkContext {
    pub(super) waker: Waker,
    pub(super) service: Option<Arc<str>>,
    /// The queue is more than half full.
    pub(super) is_crowded: bool,
    /// The log is being shut down. What is not written or spooled then is dropped.
    pub(super) ends_at: Option<Instant>,
}

impl Default for SinkContext {
    fn default() -> Self {
        Self { waker: Waker::noop().clone(), service: None, is_crowded: false, ends_at: None }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::counted(Arc::default())
    }
}

impl Lines {
    /// Returns no lines yet; those delivered are counted in `delivered`.
    pub(crate) fn counted(delivered: Arc<Delivered>) -> Self {
        Self {
            chunks: VecDeque::from([Chunk { first_id: 1, ..Chunk::default() }]),
            next: Position::default(),
            cursor: 0,
            is_part_handed: false,
            untouched: 1,
            offer_end: u64::MAX,
            oldest: 1,
            offered: 0,
            in_flight: 0,
            changes: Changes::default(),
            delivered,
            context: SinkContext::default(),
        }
    }

    /// Returns the offered bytes up to the next line that is not offered: all of them, for a sink that never hands lines
    /// over. [`iter`](Self::iter) goes on behind them.
    pub fn as_bytes(&self) -> &[u8] {
        let Some(chunk) = self.chunks.get(self.next.chunk) else { return &[] };
        let (_, end) = self.run_in(chunk);
        chunk.bytes.get(self.cursor..end).unwrap_or_default()
    }

    /// Returns the offered lines in order. The first is cut at its start when the cursor is inside it.
    pub fn iter(&self) -> Iter<'_> {
        Iter::offered(self)
    }

    /// Returns the first offered line, or what is left of it.
    pub fn first(&self) -> Option<Line<'_>> {
        self.iter().next()
    }

    /// Returns the lines in flight, by id.
    pub fn iter_in_flight(&self) -> Iter<'_> {
        Iter::in_flight(self)
    }

    /// Returns how many lines are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns whether no line is offered. Lines may still be in flight.
    pub fn is_empty(&self) -> bool {
        self.offered == 0 || self.first_id().is_some_and(|id| id >= self.offer_end)
    }

    /// Returns whether the cursor is at the beginning of a line.
    pub fn at_line_start(&self) -> bool {
        self.cursor == self.line_start() && !self.owes_newline()
    }

    /// Returns a waker that makes the worker call [`Sink::write`](crate::sink::Sink::write) again, for acknowledgements
    /// that arrive on other threads. Any thread may wake it at any time.
    pub fn waker(&self) -> Waker {
        self.context.waker.clone()
    }

    /// Returns the service's name, from the builder.
    pub fn service(&self) -> Option<&str> {
        self.context.service.as_deref()
    }

    /// Returns the index after the last line of the run at the cursor, and where that run ends.
    #[inline]
    pub(super) fn run_in(&self, chunk: &Chunk) -> (usize, usize) {
        let next_id = chunk.first_id + self.next.index as u64;
        if next_id >= self.untouched && self.offer_end == u64::MAX {
            return (chunk.entries.len(), chunk.end());
        }
        let visible = self.offer_end.saturating_sub(chunk.first_id).min(chunk.entries.len() as u64) as usize;
        let run = chunk.entries.get(self.next.index..visible).unwrap_or_default();
        let length = run.iter().take_while(|entry| matches!(entry.state, State::Offered | State::OwedNewline)).count();
        let index = self.next.index + length;
        (index, chunk.start(index).max(self.cursor))
    }

    /// Returns the id of the first offered line; `None` when there is none.
    pub(super) fn first_id(&self) -> Option<u64> {
        let chunk = self.chunks.get(self.next.chunk)?;
        (self.next.index < chunk.entries.len()).then(|| chunk.first_id + self.next.index as u64)
    }

    pub(super) fn entry(&self, at: Position) -> Option<&Entry> {
        self.chunks.get(at.chunk)?.entries.get(at.index)
    }

    pub(super) fn line_start(&self) -> usize {
        self.chunks.get(self.next.chunk).map_or(0, |chunk| chunk.start(self.next.index))
    }

    pub(super) fn owes_newline(&self) -> bool {
        self.entry(self.next).is_some_and(|entry| entry.state == State::OwedNewline)
    }

    /// Moves `next` to the first line from it on that is offered, and the cursor with it.
    pub(super) fn find_next(&mut self) {
        let before = self.next;
        while let Some(chunk) = self.chunks.get(self.next.chunk) {
            if chunk.first_id + self.next.index as u64 >= self.untouched && self.next.index < chunk.entries.len() {
                break;
            }
            let rest = chunk.entries.get(self.next.index..).unwrap_or_default();
            let is_open = |entry: &Entry| matches!(entry.state, State::Offered | State::OwedNewline);
            if let Some(skipped) = rest.iter().position(is_open) {
                self.next.index += skipped;
                break;
            }
            if self.next.chunk + 1 == self.chunks.len() {
                self.next.index = chunk.entries.len();
                break;
            }
            self.next = Position { chunk: self.next.chunk + 1, index: 0 };
        }
        if self.next != before {
            self.cursor = self.line_start();
            self.is_part_handed = false;
        }
        let next_id = self.chunks.get(self.next.chunk).map_or(0, |chunk| chunk.first_id + self.next.index as u64);
        self.untouched = self.untouched.max(next_id);
    }

    /// Returns the position of a line that is in memory.
    pub(super) fn position(&self, id: u64) -> Option<Position> {
        let chunk = self.chunks.partition_point(|chunk| chunk.end_id() <= id);
        let found = self.chunks.get(chunk)?;
        Some(Position { chunk, index: id.checked_sub(found.first_id)? as usize })
    }

    /// Returns the ids in `range` that may not be done.
    pub(super) fn ids_in(&self, range: &impl RangeBounds<u64>) -> std::ops::Range<u64> {
        let first = match range.start_bound() {
            Included(id) => *id,
            Excluded(id) => id.saturating_add(1),
            Unbounded => 0,
        };
        let end = match range.end_bound() {
            Included(id) => id.saturating_add(1),
            Excluded(id) => *id,
            Unbounded => u64::MAX,
        };
        let last = self.chunks.back().map_or(0, Chunk::end_id);
        // What a sink knows of lines in another buffer names none of these.
        if end < u64::MAX && end > REPLAYED && last < REPLAYED {
            return 0..0;
        }
        first.max(self.oldest)..end.min(last)
    }

    /// Moves `oldest` past lines that are done, and frees chunks of such lines. Returns the time of the oldest line.
    pub(super) fn settle(&mut self) {
        while self.chunks.len() > 1 && self.chunks.front().is_some_and(|chunk| chunk.done == chunk.entries.len()) {
            self.chunks.pop_front();
            // A chunk without an offered line is before the cursor's.
            self.next.chunk = self.next.chunk.saturating_sub(1);
        }
        self.oldest = match self.first_id().filter(|_| self.in_flight == 0) {
            Some(first) => first,
            None => self.oldest_from(self.oldest.max(self.chunks.front().map_or(0, |chunk| chunk.first_id))),
        };
        if let Some(oldest) = self.position(self.oldest).and_then(|at| self.entry(at)) {
            self.delivered.set_next_time(Some(oldest.time));
        }
    }

    /// Returns the first id from `id` on that is not done.
    fn oldest_from(&self, id: u64) -> u64 {
        let Some(at) = self.position(id) else { return id };
        let mut first = at.index;
        for chunk in self.chunks.iter().skip(at.chunk) {
            let rest = chunk.entries.get(first..).unwrap_or_default();
            if let Some(found) = rest.iter().position(|entry| !matches!(entry.state, State::Done | State::OwedNewline))
            {
                return chunk.first_id + (first + found) as u64;
            }
            first = 0;
        }
        self.chunks.back().map_or(id, Chunk::end_id)
    }
}
