//! The worker's side: rendering lines into the buffer, choosing what the sink sees, giving lines up.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tracing::{Level, Metadata};

use super::buffer::{Lines, Position};
use super::chunk::{Chunk, Entry, State};
use super::line::Columns;
use crate::error::Error;
use crate::metrics::{ByLevel, DroppedLine, Reason};
use crate::record::Timestamp;

/// How much of what is offered the sink may see in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
}

impl Offer {
    pub(crate) const ALL: Self = Self { bytes: usize::MAX, lines: usize::MAX };
}

impl Lines {
    /// Adds a line at the end, with a newline where it lacks one: for tests of your own sink.
    pub fn push_line(&mut self, line: &[u8], level: Level, time: Timestamp) {
        self.buffer().extend_from_slice(line);
        self.end_line(level, time, None, false);
    }

    pub(crate) fn set_waker(&mut self, waker: Waker) {
        self.context.waker = waker;
    }

    /// Tells the sink whether the queue is more than half full, and until when it has time.
    pub(crate) fn set_pressure(&mut self, is_crowded: bool, ends_at: Option<Instant>) {
        (self.context.is_crowded, self.context.ends_at) = (is_crowded, ends_at);
    }

    /// Takes out what went wrong without ending the call, and what the user is to know besides.
    pub(crate) fn take_reports(&mut self) -> (Vec<Error>, Vec<String>) {
        (std::mem::take(&mut self.changes.reports), std::mem::take(&mut self.changes.remarks))
    }

    pub(crate) fn set_service(&mut self, service: Option<Arc<str>>) {
        self.context.service = service;
    }

    /// Returns the buffer that a schema renders the next line into.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        // There is always a chunk.
        let last = self.chunks.len() - 1;
        &mut self.chunks[last].bytes
    }

    /// Ends the line that was rendered into the buffer; adds the newline where it is missing. Returns the buffer's length.
    #[inline]
    pub(crate) fn end_line(
        &mut self,
        level: Level,
        time: Timestamp,
        meta: Option<&'static Metadata<'static>>,
        is_notice: bool,
    ) -> usize {
        let Some(chunk) = self.chunks.back_mut() else { return 0 };
        if chunk.bytes.last() != Some(&b'\n') || chunk.end() == chunk.bytes.len() {
            chunk.bytes.push(b'\n');
        }
        let end = chunk.bytes.len();
        chunk.entries.push(Entry {
            end,
            level,
            time,
            meta,
            state: State::Offered,
            is_notice,
            is_cut: false,
            is_last_try: false,
            is_again: false,
        });
        self.offered += 1;
        end
    }

    /// Adds the columns of the line that was ended last.
    pub(crate) fn add_columns(&mut self, columns: Columns) {
        if let Some(chunk) = self.chunks.back_mut() {
            // Lines that no event made have none.
            chunk.columns.resize_with(chunk.entries.len().saturating_sub(1), Columns::default);
            chunk.columns_bytes += columns.resident_bytes();
            chunk.columns.push(columns);
        }
    }

    /// Takes back what was rendered after the last ended line.
    pub(crate) fn discard_unended(&mut self) {
        if let Some(chunk) = self.chunks.back_mut() {
            let end = chunk.end();
            chunk.bytes.truncate(end);
        }
    }

    /// Returns the bytes rendered into the current chunk, taken or not.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.chunks.back().map_or(0, |chunk| chunk.bytes.len())
    }

    /// Starts a new chunk when lines are kept and the last chunk has `bytes`.
    pub(crate) fn begin_chunk(&mut self, bytes: usize) {
        let Some(last) = self.chunks.back_mut().filter(|last| last.bytes.len() >= bytes) else { return };
        // What is kept may be kept for long.
        last.bytes.shrink_to_fit();
        last.entries.shrink_to_fit();
        let (first_id, entries, is_at_end) = (last.end_id(), last.entries.len(), self.chunks.len() - 1);
        self.chunks.push_back(Chunk { first_id, ..Chunk::default() });
        if self.next == (Position { chunk: is_at_end, index: entries }) {
            self.next = Position { chunk: is_at_end + 1, index: 0 };
            self.cursor = 0;
        }
        self.settle();
    }

    /// Sets what the sink sees in its next call, from the first offered line on. A single larger line is seen alone.
    pub(crate) fn offer(&mut self, offer: Offer) {
        self.offer_end = u64::MAX;
        self.changes.handed_from = None;
        self.changes.given_back = 0;
        if offer == Offer::ALL {
            return;
        }
        let (mut bytes, mut lines, mut end) = (0, 0, None);
        for line in self.iter() {
            bytes += line.bytes.len();
            lines += 1;
            if lines > 1 && (bytes > offer.bytes || lines > offer.lines) {
                end = Some(line.id);
                break;
            }
        }
        self.offer_end = end.unwrap_or(u64::MAX);
    }

    /// Returns how many lines the sink sees.
    pub(crate) fn visible(&self) -> usize {
        if self.offer_end == u64::MAX { self.offered } else { self.iter().count() }
    }

    /// Returns whether lines and bytes are offered that fill `offer`.
    pub(crate) fn fills(&self, offer: Offer) -> bool {
        if self.offered >= offer.lines {
            return true;
        }
        let mut bytes = 0;
        offer.bytes < usize::MAX
            && self.iter().any(|line| {
                bytes += line.bytes.len();
                bytes >= offer.bytes
            })
    }

    /// Returns whether lines are offered, whether the sink sees them or not.
    pub(crate) fn has_offered(&self) -> bool {
        self.offered > 0
    }

    /// Returns whether no line is left, neither offered nor in flight.
    pub(crate) fn is_done(&self) -> bool {
        self.offered == 0 && self.in_flight == 0
    }

    /// Returns the first id that is not done; the next line's when all are.
    pub(crate) fn oldest_id(&self) -> u64 {
        self.oldest
    }

    /// Returns the id of the first offered line; the next line's when none is offered.
    pub(crate) fn first_offered_id(&self) -> u64 {
        if self.offered == 0 { self.end_id() } else { self.first_id().unwrap_or_else(|| self.end_id()) }
    }

    /// Returns the next line's id.
    pub(crate) fn end_id(&self) -> u64 {
        self.chunks.back().map_or(self.untouched, Chunk::end_id)
    }

    /// Returns when the oldest line that is not done was logged.
    pub(crate) fn oldest_time(&self) -> Option<Timestamp> {
        if self.is_done() { None } else { self.entry(self.position(self.oldest)?).map(|entry| entry.time) }
    }

    /// Returns the memory of lines that are not done, and of those between them.
    pub(crate) fn retained_bytes(&self) -> usize {
        if self.is_done() { 0 } else { self.chunks.iter().map(Chunk::resident_bytes).sum() }
    }

    /// Returns whether fewer lines are offered than `lines`.
    pub(crate) fn fewer_than(&self, lines: usize) -> bool {
        self.offered < lines
    }

    /// Returns where the sink stands. More means that it has taken something.
    pub(crate) fn standing(&self) -> (u64, u64, usize) {
        (self.changes.steps, self.first_offered_id(), self.cursor)
    }

    /// Returns how far the sink has come for the first time. Lines that were given back and are handed over again do not
    /// count, so a peer that takes them and never keeps them shows no progress.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.changes.steps, self.untouched)
    }

    /// Returns how many lines were written, without notices.
    pub(crate) fn written_lines(&self) -> u64 {
        self.delivered.counts().written.total()
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        self.changes.written_bytes
    }

    /// Returns whether the sink ever handed lines over.
    pub(crate) fn hands_over(&self) -> bool {
        self.changes.hands_over
    }

    /// Gives back what the sink rejects with its last call, and returns the number of these lines.
    ///
    /// These are the lines that it gave back itself, or else those that it handed over. Without either, they are what it
    /// was offered, or all lines in flight if nothing was offered.
    pub(crate) fn refuse_call(&mut self) -> usize {
        let handed_from = self.changes.handed_from.take();
        if self.changes.given_back == 0 {
            match handed_from {
                Some(first) => self.give_back(first..),
                None if self.offered == 0 => self.give_back(..),
                None => {}
            }
        }
        if self.changes.given_back > 0 { self.changes.given_back } else { self.visible() }
    }

    /// Takes out the count of lines that the sink was not meant to have.
    pub(crate) fn take_left_out(&mut self) -> ByLevel {
        std::mem::take(&mut self.changes.left_out)
    }

    /// Takes out the lines that the sink dropped, and why it rejected the last of them.
    pub(crate) fn take_dropped(&mut self) -> (Vec<DroppedLine>, Option<String>) {
        (std::mem::take(&mut self.changes.dropped), self.changes.reject_reason.take())
    }

    /// Gives up the first offered line; `None` when that was counted before, or is still open. What lies in the sink of it
    /// already must not run into the next line: then its newline remains to be delivered, if need be with the next line.
    pub(crate) fn give_up_line(&mut self, reason: Reason) -> Option<DroppedLine> {
        let within = self.cursor != self.line_start() && !self.is_part_handed;
        if self.owes_newline() {
            return self.give_up_after_owed(reason);
        }
        let id = self.first_id()?;
        let chunk = self.chunks.get_mut(self.next.chunk)?;
        let entry = chunk.entries.get_mut(self.next.index)?;
        let given_up = (!entry.is_cut).then(|| entry.dropped(reason));
        if within && self.cursor == entry.end - 1 && !entry.is_cut && !entry.is_last_try {
            entry.is_last_try = true;
            return None;
        }
        if within && !entry.is_cut && !entry.is_last_try {
            entry.is_cut = true;
            self.cursor = entry.end - 1;
            return given_up;
        }
        self.offered -= 1;
        if within {
            entry.owe_newline();
        } else {
            entry.state = State::Done;
            chunk.done += 1;
        }
        self.untouched = self.untouched.max(id + 1);
        if !within {
            self.find_next();
        }
        self.settle();
        given_up
    }

    /// Gives up the line after a newline that is still owed: that newline now ends both.
    fn give_up_after_owed(&mut self, reason: Reason) -> Option<DroppedLine> {
        let owed = self.next;
        if let Some(entry) = self.chunks.get_mut(owed.chunk).and_then(|chunk| {
            chunk.done += 1;
            chunk.entries.get_mut(owed.index)
        }) {
            entry.state = State::Done;
        }
        self.find_next();
        let at = self.next;
        let chunk = self.chunks.get_mut(at.chunk)?;
        let entry = chunk.entries.get_mut(at.index).filter(|entry| entry.state == State::Offered)?;
        let dropped = entry.dropped(reason);
        entry.owe_newline();
        self.cursor = entry.end - 1;
        self.offered -= 1;
        self.untouched = self.untouched.max(self.first_id().unwrap_or(0) + 1);
        self.settle();
        Some(dropped)
    }

    /// Drops all lines that are not done.
    pub(crate) fn give_up_all(&mut self, reason: Reason, dropped: &mut Vec<DroppedLine>) {
        let mut landed = ByLevel::default();
        for chunk in &mut self.chunks {
            for entry in chunk.entries.iter_mut().filter(|entry| entry.state == State::InFlight) {
                landed.add(entry.level, entry.counted());
                dropped.push(entry.dropped(reason));
                entry.state = State::Done;
                chunk.done += 1;
                self.in_flight -= 1;
            }
        }
        self.delivered.land(landed);
        while self.offered > 0 {
            dropped.extend(self.give_up_line(reason));
        }
        self.settle();
    }

    /// Drops all there is, in a forked child: the parent writes it. Ids go on, so that an acknowledgement of one of those
    /// lines names none of the child's.
    pub(crate) fn forget(&mut self) {
        let mut fresh = Self::counted(Arc::clone(&self.delivered));
        let end_id = self.end_id();
        fresh.chunks.iter_mut().for_each(|chunk| chunk.first_id = end_id);
        (fresh.untouched, fresh.oldest) = (end_id, end_id);
        std::mem::swap(&mut fresh.context, &mut self.context);
        *self = fresh;
    }

    /// Empties it for the next chunk, once all lines are done, and gives back memory that one large line took.
    pub(crate) fn clear(&mut self, keep_bytes: usize) {
        let owes_newline = self.owes_newline();
        let end_id = self.end_id();
        let owed = self.entry(self.next).copied().filter(|_| owes_newline);
        self.chunks.truncate(1);
        let Some(chunk) = self.chunks.front_mut() else { return };
        chunk.clear(keep_bytes);
        chunk.first_id = end_id;
        if let Some(owed) = owed {
            chunk.bytes.push(b'\n');
            chunk.entries.push(Entry { end: 1, ..owed });
        }
        self.next = Position::default();
        self.cursor = 0;
        self.is_part_handed = false;
        self.untouched = end_id + u64::from(owes_newline);
        self.oldest = self.untouched;
        self.offer_end = u64::MAX;
        self.delivered.set_next_time(None);
    }
}
