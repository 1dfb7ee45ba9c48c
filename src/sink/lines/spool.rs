//! The books of a spool: lines that a sink keeps on disk.
//!
//! A spool wraps a sink. It moves lines to disk with [`Lines::spool`], which frees their memory, and says later what
//! became of them. The worker does not see those lines again.

use std::ops::RangeBounds;
#[cfg(feature = "spool")]
use std::sync::Arc;
#[cfg(any(feature = "net", feature = "spool"))]
use std::time::Instant;

use tracing::Level;

use super::buffer::Lines;
#[cfg(feature = "spool")]
use super::buffer::REPLAYED;
use super::chunk::State;
#[cfg(any(feature = "postgres", feature = "spool"))]
use crate::error::Error;
#[cfg(feature = "spool")]
use crate::metrics::Delivered;
use crate::metrics::{ByLevel, DroppedLine, Reason};
use crate::record::Timestamp;

impl Lines {
    /// Returns an empty buffer for lines from the spool. Their ids are those of no other lines.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn replayed(delivered: Arc<Delivered>, context: &Self) -> Self {
        let mut lines = Self::counted(delivered);
        lines.chunks.iter_mut().for_each(|chunk| chunk.first_id = REPLAYED);
        (lines.untouched, lines.oldest) = (REPLAYED, REPLAYED);
        lines.context.waker = context.context.waker.clone();
        lines.context.service.clone_from(&context.context.service);
        lines
    }

    /// Reports what went wrong without ending the call.
    #[cfg(any(feature = "postgres", feature = "spool"))]
    pub(in crate::sink) fn report(&mut self, error: Error) {
        self.changes.reports.push(error);
    }

    /// Tells the user something that is no failure, in a complaint.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn remark(&mut self, text: impl Into<String>) {
        self.changes.remarks.push(text.into());
    }

    /// Returns whether the queue is more than half full.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn is_crowded(&self) -> bool {
        self.context.is_crowded
    }

    /// Returns when lines that are not written or spooled are dropped, because the log is being shut down.
    #[cfg(any(feature = "net", feature = "spool"))]
    pub(in crate::sink) fn ends_at(&self) -> Option<Instant> {
        self.context.ends_at
    }

    /// Notes what the spool has on disk and what it has sent of it, for the metrics.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn set_spool(&self, bytes: u64, since: Option<Timestamp>, replayed_bytes: u64) {
        self.delivered.spool_state().set(bytes, since, replayed_bytes);
    }

    /// Says that lines, offered or in flight, are in a spool now. Returns how many of them count, by level: notices and the
    /// rest of a line that was dropped do not, and [`spooled_written`](Self::spooled_written) may not count them either.
    pub fn spool(&mut self, ids: impl RangeBounds<u64>) -> ByLevel {
        let (mut landed, mut spooled) = (ByLevel::default(), ByLevel::default());
        self.finish(ids, |entry, _| {
            landed.add(entry.level, u64::from(entry.state == State::InFlight) * entry.counted());
            spooled.add(entry.level, entry.counted());
            Some(0)
        });
        self.delivered.land(landed);
        self.delivered.spool(spooled);
        self.settle();
        spooled
    }

    /// Says that the sink is not meant to have offered lines: they count as filtered.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn leave_out(&mut self, ids: impl RangeBounds<u64>) {
        let mut left_out = ByLevel::default();
        self.finish(ids, |entry, _| {
            let is_offered = entry.state == State::Offered;
            left_out.add(entry.level, u64::from(is_offered) * entry.counted());
            is_offered.then_some(0)
        });
        self.changes.left_out = self.changes.left_out.plus(left_out);
        self.settle();
    }

    /// Says that the sink is not meant to have lines from the spool.
    #[cfg(feature = "spool")]
    pub(in crate::sink) fn spooled_left_out(&mut self, lines: ByLevel) {
        let lines = ByLevel::of(|level| self.most_spooled(level, lines.level(level)));
        self.delivered.unspool(lines);
        self.changes.left_out = self.changes.left_out.plus(lines);
        self.changes.steps += u64::from(lines.total() > 0);
    }

    /// Says that an earlier process left lines in the spool.
    pub fn take_over(&mut self, level: Level, lines: u64) {
        self.delivered.take_over(of(level, lines));
    }

    /// Says that lines from the spool are written, with `bytes` in all. No more lines count than are in the spool.
    pub fn spooled_written(&mut self, level: Level, lines: u64, bytes: u64) {
        let lines = self.most_spooled(level, lines);
        self.delivered.unspool(of(level, lines));
        self.delivered.add(of(level, lines));
        self.changes.written_bytes += bytes;
        self.changes.steps += 1;
    }

    /// Says that lines from the spool are lost. `time`: when the last of them was logged. No more lines count than are
    /// in the spool.
    pub fn spooled_dropped(&mut self, reason: Reason, level: Level, lines: u64, time: Timestamp) {
        let lines = self.most_spooled(level, lines);
        self.delivered.unspool(of(level, lines));
        self.changes.dropped.push(DroppedLine { reason, level, time, lines, is_notice: false });
        self.changes.steps += 1;
    }

    /// Returns `lines`, or how many lines of this level are in the spool if those are fewer.
    fn most_spooled(&self, level: Level, lines: u64) -> u64 {
        lines.min(self.delivered.counts().spooled.level(level))
    }
}

fn of(level: Level, lines: u64) -> ByLevel {
    let mut counted = ByLevel::default();
    counted.add(level, lines);
    counted
}
