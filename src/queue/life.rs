//! The life of a queue: whether a worker runs, and how long its end is waited for.

use std::time::Duration;

use crate::sync::{Instant, after};

/// After the end, a logging thread writes its own line. It tries for this long; then the output is abandoned.
pub(crate) const LATE_PATIENCE: Duration = Duration::from_secs(1);

/// The longest that others wait for the thread that reports unwritten lines: it makes one write to stderr, which may be
/// stuck too.
const REPORTING: Duration = Duration::from_secs(1);

/// Which threads write what is queued, and until when they are waited for.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) phase: Phase,
    /// How long the end is waited for; set when the end begins.
    pub(super) ending: Option<Ending>,
    /// A thread reports unwritten lines. The others wait for it, but no longer than this.
    pub(super) reporting_until: Option<Instant>,
    /// A worker was started in a forked child and does not run yet.
    pub(super) awaits_worker: bool,
    /// The sink has ended: the queue refuses all records.
    pub(super) parked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Running,
    /// The worker drains the queue.
    Closing,
    /// What was queued at the close is drained. Each caller now waits for its line, so that the worker comes to an end
    /// although others go on logging.
    Ending,
    /// The worker has ended: each caller delivers its line.
    Ended,
    /// In a forked child: nothing was logged here yet, and no worker runs.
    Forked,
    /// The worker did not answer in time and is no longer waited for.
    Abandoned,
    /// In a forked child whose parent was in the middle of a write: the sink cannot be used.
    Lost,
}

impl Life {
    pub(super) fn has_worker(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Closing | Phase::Ending)
    }

    /// Whether no thread will write what is queued.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Abandoned | Phase::Lost)
    }

    /// Whether the queue refuses all records.
    #[inline]
    pub(super) fn refuses(&self) -> bool {
        self.parked || self.is_over()
    }

    /// Whether the caller has to see to the delivery of its record.
    #[inline]
    pub(super) fn caller_delivers(&self) -> bool {
        matches!(self.phase, Phase::Ending | Phase::Ended | Phase::Forked)
    }

    /// Begins to wait for the thread that reports unwritten lines.
    pub(super) fn begin_report(&mut self) {
        self.reporting_until = Some(after(Instant::now(), REPORTING));
    }

    /// Begins the life of a queue in a forked child. `is_usable`: the sink is in a state in which it can continue.
    pub(super) fn reset_in_child(&mut self, is_usable: bool) {
        let phase = match self.phase {
            _ if !is_usable => Phase::Lost,
            Phase::Ended if self.awaits_worker => Phase::Forked,
            Phase::Running | Phase::Closing | Phase::Ending | Phase::Forked => Phase::Forked,
            ended @ (Phase::Ended | Phase::Abandoned | Phase::Lost) => ended,
        };
        // A sink that has ended stays so.
        *self = Self { phase, parked: self.parked, ..Self::default() };
    }
}

/// How long an end is waited for: while it makes progress, within a cap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    finished: u64,
    patience: Duration,
    deadline: Instant,
    last: Instant,
}

impl Ending {
    /// Begins to wait. `finished`: how many lines are finished now. Each progress renews `patience`, up to `cap` in
    /// all.
    pub(super) fn begin(finished: u64, patience: Duration, cap: Duration) -> Self {
        let now = Instant::now();
        let last = after(now, cap);
        Self { finished, patience, deadline: after(now, patience).min(last), last }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Begins the wait anew, within the cap.
    pub(super) fn renew(&mut self) {
        self.deadline = after(Instant::now(), self.patience).min(self.last);
    }

    /// Whether there was no progress for too long. `finished`: how many lines are finished now.
    pub(super) fn is_overdue(&mut self, finished: u64) -> bool {
        let now = Instant::now();
        if finished != self.finished {
            self.finished = finished;
            self.renew();
        }
        now >= self.deadline
    }
}
