//! Losses that the log has not reported yet.

use tracing::Level;

use crate::metrics::{ByLevel, Reason};
use crate::record::Timestamp;

/// How often an ongoing loss is reported.
const NOTICE_NANOS: i64 = 1_000_000_000;

/// Lines lost for one reason since the last report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) reason: Reason,
    pub(crate) by_level: ByLevel,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Loss {
    /// Whether the lines were logged because the output writes lines.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.reason, Reason::OwnThread | Reason::Echo)
    }
}

/// Losses to report, at most one for each reason.
#[derive(Debug, Default)]
pub(super) struct Losses {
    unreported: Vec<Loss>,
    /// A line was lost since the worker took the last batch.
    lost_since_take: bool,
}

impl Losses {
    /// Reserves room for all reasons, so that the list never grows under the lock.
    pub(super) fn new() -> Self {
        Self { unreported: Vec::with_capacity(Reason::ALL.len()), lost_since_take: false }
    }

    pub(super) fn add(&mut self, reason: Reason, level: Level, lines: u64, time: Timestamp) {
        self.lost_since_take = true;
        match self.unreported.iter_mut().find(|loss| loss.reason == reason) {
            Some(loss) => {
                loss.by_level.add(level, lines);
                loss.first = loss.first.min(time);
                loss.last = loss.last.max(time);
            }
            None => {
                let mut by_level = ByLevel::default();
                by_level.add(level, lines);
                self.unreported.push(Loss { reason, by_level, first: time, last: time });
            }
        }
    }

    /// Puts back what was taken out and was not reported.
    pub(super) fn put_back(&mut self, loss: Loss) {
        match self.unreported.iter_mut().find(|newer| newer.reason == loss.reason) {
            Some(newer) => {
                newer.by_level = newer.by_level.plus(loss.by_level);
                newer.first = newer.first.min(loss.first);
                newer.last = newer.last.max(loss.last);
            }
            None => self.unreported.push(loss),
        }
    }

    /// Takes out what is to be reported now. `all`: also losses that go on. `alone`: no line would be written but the
    /// notice.
    pub(super) fn take_due(&mut self, all: bool, alone: bool) -> Vec<Loss> {
        let all = !std::mem::take(&mut self.lost_since_take) || all;
        let is_due = |loss: &mut Loss| {
            // A sink that logs loses a line at each write. A separate notice would cause one more write.
            (all || loss.last.as_nanos() - loss.first.as_nanos() >= NOTICE_NANOS) && !(alone && loss.is_own())
        };
        self.unreported.extract_if(.., is_due).collect()
    }

    /// Whether there is nothing that deserves a notice with no other line to write. Losses of the output's own
    /// lines are reported together with others only, as a notice alone could cause more of them.
    pub(super) fn need_no_notice(&self) -> bool {
        self.unreported.iter().all(Loss::is_own)
    }

    /// Empties it and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.unreported.clear();
        self.lost_since_take = false;
    }
}
