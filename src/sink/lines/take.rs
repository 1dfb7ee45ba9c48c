//! The sink's side: taking lines, and saying what became of those in flight.

use std::ops::RangeBounds;

use super::buffer::{Lines, Position};
use super::chunk::{Entry, State};
use crate::metrics::{ByLevel, Reason};

impl Lines {
    /// Moves the cursor past `bytes` more bytes, which are written; never past the last line.
    pub fn advance(&mut self, bytes: usize) {
        let (written, resent, passed) = self.pass(bytes, State::Done);
        self.changes.written_bytes += passed as u64;
        self.is_part_handed &= passed == 0;
        self.delivered.add(written);
        if resent > 0 {
            self.delivered.resend(resent);
        }
        self.settle();
    }

    /// Runs `run` with only the lines before the id `end`.
    pub(in crate::sink) fn until<T>(&mut self, end: u64, run: impl FnOnce(&mut Self) -> T) -> T {
        let whole = self.offer_end;
        self.offer_end = whole.min(end);
        let result = run(self);
        self.offer_end = whole;
        result
    }

    /// Moves the cursor past `bytes` more bytes, which are on their way: each whole line is in flight until it is
    /// [acknowledged](Self::acknowledge), [given back](Self::give_back) or [rejected](Self::reject).
    pub fn hand_over(&mut self, bytes: usize) {
        let first = self.first_id();
        let (handed, resent, passed) = self.pass(bytes, State::InFlight);
        if passed == 0 {
            return;
        }
        self.changes.hands_over = true;
        if self.changes.handed_from.is_none() {
            self.changes.handed_from = first;
        }
        self.is_part_handed = self.cursor != self.line_start();
        self.delivered.hand_over(handed);
        self.delivered.resend(resent);
    }

    /// Says that lines in flight are written: `7..=7`, `..=7` for all up to it, `..` for all.
    ///
    /// A line that was given back and is acknowledged after all, by its id or one after it, is written too. Other ids change
    /// nothing.
    pub fn acknowledge(&mut self, ids: impl RangeBounds<u64>) {
        let mut written = ByLevel::default();
        let mut landed = ByLevel::default();
        let names_all = matches!(ids.end_bound(), std::ops::Bound::Unbounded);
        self.finish(ids, |entry, bytes| {
            let is_in_flight = entry.state == State::InFlight;
            if !is_in_flight && (names_all || !entry.is_again) {
                return None;
            }
            landed.add(entry.level, u64::from(is_in_flight) * entry.counted());
            written.add(entry.level, entry.counted());
            Some(bytes as u64)
        });
        self.delivered.land(landed);
        self.delivered.add(written);
        self.settle();
    }

    /// Offers lines in flight again, before newer ones: `..` gives back all, as after a lost connection. A line that was
    /// handed over in part is offered from its beginning.
    pub fn give_back(&mut self, ids: impl RangeBounds<u64>) {
        let mut landed = ByLevel::default();
        let ids = self.ids_in(&ids);
        let before = self.next;
        let is_part_named = self.first_id().is_some_and(|first| ids.contains(&first));
        for id in ids {
            let Some(at) = self.position(id) else { continue };
            let Some(entry) = self.chunks.get_mut(at.chunk).and_then(|chunk| chunk.entries.get_mut(at.index)) else {
                continue;
            };
            if entry.state == State::InFlight {
                entry.state = State::Offered;
                entry.is_again = true;
                landed.add(entry.level, entry.counted());
                self.in_flight -= 1;
                self.offered += 1;
                self.changes.given_back += 1;
                self.next = self.next.min(at);
            }
        }
        if self.next != before {
            self.abandon_part(before);
            self.cursor = self.line_start();
            self.is_part_handed = false;
        } else if self.is_part_handed && is_part_named {
            self.cursor = self.line_start();
            self.is_part_handed = false;
        }
        self.delivered.land(landed);
    }

    /// The sink goes on with an earlier line, so the line at `before` starts anew. Of one that was dropped half-way
    /// nothing is left to send.
    fn abandon_part(&mut self, before: Position) {
        let Some(chunk) = self.chunks.get_mut(before.chunk) else { return };
        let start = chunk.start(before.index);
        let Some(entry) = chunk.entries.get_mut(before.index) else { return };
        if entry.state == State::OwedNewline || entry.is_cut {
            self.offered -= usize::from(entry.state == State::Offered);
            entry.state = State::Done;
            chunk.done += 1;
        } else if !self.is_part_handed {
            let part = self.cursor.saturating_sub(start) as u64;
            self.changes.written_bytes = self.changes.written_bytes.saturating_sub(part);
        }
    }

    /// Drops lines that the peer refuses for good. They count as rejected, and `reason` is reported.
    pub fn reject(&mut self, ids: impl RangeBounds<u64>, reason: impl Into<String>) {
        let mut dropped = Vec::new();
        let mut landed = ByLevel::default();
        self.finish(ids, |entry, _| {
            landed.add(entry.level, u64::from(entry.state == State::InFlight) * entry.counted());
            dropped.push(entry.dropped(Reason::Rejected));
            Some(0)
        });
        self.delivered.land(landed);
        if !dropped.is_empty() {
            self.changes.dropped.append(&mut dropped);
            self.changes.reject_reason = Some(reason.into());
        }
        self.settle();
    }

    /// Moves the cursor back to the beginning of the line it is in: what was taken of it does not count.
    pub fn rewind_line(&mut self) {
        let start = self.line_start();
        if self.cursor > start && !self.owes_newline() {
            if !self.is_part_handed {
                let part = (self.cursor - start) as u64;
                self.changes.written_bytes = self.changes.written_bytes.saturating_sub(part);
            }
            self.cursor = start;
            self.is_part_handed = false;
        }
    }

    /// As [`advance`](Self::advance), but the first of these lines has come to nothing: it is to be delivered again,
    /// after the others, and after the rest of one that is delivered in part. False, and nothing done, when there are
    /// no others. The cursor stands at the beginning of a line.
    pub(crate) fn advance_past_first(&mut self, bytes: usize) -> bool {
        let (start, first_index, reached) = (self.cursor, self.next.index, self.cursor.saturating_add(bytes));
        let Some(chunk) = self.chunks.get_mut(self.next.chunk) else { return false };
        let last = chunk.entries.iter().skip(first_index).take_while(|entry| entry.end < reached).count();
        let others = chunk.entries.get_mut(first_index..=first_index + last).unwrap_or_default();
        let (Some(first), Some(end)) = (others.first().map(|entry| entry.end), others.last().map(|entry| entry.end))
        else {
            return false;
        };
        let length = first - start;
        if last == 0 || chunk.bytes.get(start..end).is_none() {
            return false;
        }
        others.rotate_left(1);
        others.iter_mut().for_each(|entry| entry.end -= length);
        if let Some(moved) = others.last_mut() {
            moved.end = end;
        }
        if let Some(bytes) = chunk.bytes.get_mut(start..end) {
            bytes.rotate_left(length);
        }
        if let Some(columns) = chunk.columns.get_mut(first_index..=first_index + last) {
            columns.rotate_left(1);
        }
        self.advance(bytes - length);
        true
    }

    /// Moves the cursor past `bytes`; whole lines get the state `to`. Returns those lines, how many of them were sent
    /// before, and how many bytes were passed.
    fn pass(&mut self, bytes: usize, to: State) -> (ByLevel, u64, usize) {
        let mut lines = ByLevel::default();
        let (mut resent, mut left) = (0, bytes);
        while left > 0 {
            let Some(chunk) = self.chunks.get(self.next.chunk) else { break };
            let (run_index, run_end) = self.run_in(chunk);
            let reached = self.cursor.saturating_add(left).min(run_end);
            if reached == self.cursor {
                break;
            }
            // Whole lines that no sink has taken before: nearly all.
            let is_fresh = to == State::Done
                && chunk.first_id + self.next.index as u64 >= self.untouched
                && self.cursor == chunk.start(self.next.index);
            left -= reached - self.cursor;
            self.cursor = reached;
            let Some(chunk) = self.chunks.get_mut(self.next.chunk) else { break };
            let mut index = self.next.index;
            let run = chunk.entries.get_mut(self.next.index..run_index).unwrap_or_default();
            let whole = if is_fresh { run.len() } else { 0 };
            let (fresh, known) = run.split_at_mut(whole);
            for entry in fresh {
                if entry.end > reached {
                    break;
                }
                index += 1;
                lines.add(entry.level, entry.counted());
                entry.state = State::Done;
            }
            let (mut passed, mut done, mut flying) = (index - self.next.index, index - self.next.index, 0);
            for entry in known {
                if entry.end > reached {
                    break;
                }
                index += 1;
                passed += usize::from(entry.state == State::Offered);
                lines.add(entry.level, entry.counted());
                resent += u64::from(entry.is_again);
                // The newline of a cut line is no line to wait for.
                entry.state = if entry.is_cut { State::Done } else { to };
                if entry.state == State::InFlight { flying += 1 } else { done += 1 }
            }
            chunk.done += done;
            self.offered -= passed;
            self.in_flight += flying;
            self.next.index = index;
            self.find_next();
        }
        let passed = bytes - left;
        self.changes.steps += u64::from(passed > 0 && to == State::Done);
        (lines, resent, passed)
    }

    /// Ends lines of `ids` for which `end` returns their bytes written.
    pub(super) fn finish(&mut self, ids: impl RangeBounds<u64>, mut end: impl FnMut(&Entry, usize) -> Option<u64>) {
        for id in self.ids_in(&ids) {
            let Some(at) = self.position(id) else { continue };
            let Some(chunk) = self.chunks.get_mut(at.chunk) else { continue };
            let start = chunk.start(at.index);
            let Some(entry) = chunk.entries.get_mut(at.index) else { continue };
            if !matches!(entry.state, State::Offered | State::InFlight) {
                continue;
            }
            let Some(written) = end(entry, entry.end - start) else { continue };
            let is_in_flight = entry.state == State::InFlight;
            // Half of it may lie in the sink: its newline has to follow.
            let is_torn = at == self.next && self.cursor > start && !self.is_part_handed && written == 0;
            if is_torn {
                self.cursor = entry.end - 1;
                entry.owe_newline();
            } else {
                entry.state = State::Done;
                chunk.done += 1;
            }
            self.in_flight -= usize::from(is_in_flight);
            self.offered -= usize::from(!is_in_flight);
            self.changes.written_bytes += written;
            self.changes.steps += 1;
            self.untouched = self.untouched.max(id + 1);
            if !is_torn && at == self.next {
                self.find_next();
            }
        }
    }
}
