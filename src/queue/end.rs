//! The end: draining, handing over to those who still log, waiting for that, giving up.

use std::time::Duration;

use super::order::wake_all;
use super::turn::MAX_LINGER;
use super::{Batch, Phase, Queue, State};
use crate::metrics::{ByLevel, DeliveredCounts, Reason};
use crate::sync::{Instant, MutexGuard, PoisonError};

/// Whoever logs after the end writes the line himself, and tries no longer than this; then the output is given up.
pub(crate) const LATE_PATIENCE: Duration = Duration::from_secs(1);

/// Whoever tells of lines left behind is waited for so long: it takes one write to stderr, which may be stuck too.
const TELLING: Duration = Duration::from_secs(1);

/// How long a worker's end is still waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    finished: u64,
    patience: Duration,
    deadline: Instant,
    last: Instant,
}

/// Who writes what is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deliverer {
    /// The worker; nobody waits for it.
    Worker,
    /// The worker, for the last time; whoever pushes waits for it.
    EndingWorker,
    /// The caller.
    Caller,
    /// A worker that the caller now has to start.
    NewWorker,
    /// A worker that somebody has started.
    StartingWorker,
    /// What is pushed is lost.
    Nobody,
}

impl Queue {
    /// Asks the worker to drain what there is and to end. It is waited for as long as it makes progress: each time it
    /// does, `patience` begins anew, up to `cap` in all. Whoever closes first sets the deadline for all who wait.
    pub(crate) fn close(&self, patience: Duration, cap: Duration) {
        let mut state = self.lock();
        match state.phase {
            Phase::Running => state.phase = Phase::Closing,
            // There is nothing yet that a worker would have to write.
            Phase::Forked => {
                state.phase = Phase::Ended;
                self.room.notify_all();
            }
            _ => {}
        }
        if state.ending.is_none() {
            state.ending = Some(self.begin_to_wait(&state, patience, cap));
        }
        self.work.notify_all();
    }

    /// Whether nothing is left to take.
    pub(crate) fn is_drained(&self) -> bool {
        self.lock().is_drained()
    }

    /// All that was there when the log was closed is written: from now on each push waits for its line. Returns
    /// whether nothing is left.
    pub(crate) fn begin_end(&self) -> bool {
        let mut state = self.lock();
        if state.phase == Phase::Closing {
            state.phase = Phase::Ending;
        }
        state.is_drained()
    }

    /// The worker has ended: says false, and goes on, when something came in meanwhile.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.lock();
        if !state.is_drained() && state.phase == Phase::Ending {
            return false;
        }
        if state.phase == Phase::Ending {
            state.phase = Phase::Ended;
        }
        self.room.notify_all();
        true
    }

    /// Waits a moment for another thread, which delivers what this one pushed. Returns whether that is done, or taking
    /// too long: then the line stays queued with the worker, or, after its end, the output is given up.
    ///
    /// # Blocking
    /// For some milliseconds.
    pub(crate) fn wait_delivered(&self, ending: &mut Ending) -> bool {
        let mut state = self.lock();
        if !self.is_delivered(&state) {
            (state, _) = self.room.wait_timeout(state, MAX_LINGER).unwrap_or_else(PoisonError::into_inner);
        }
        if self.is_delivered(&state) {
            return true;
        }
        if self.is_overdue(&state, ending) {
            if state.phase == Phase::Ended {
                self.abandon(state);
            }
            return true;
        }
        false
    }

    fn is_delivered(&self, state: &State) -> bool {
        let left = self.unfinished(state, self.progress(state)).total();
        state.phase == Phase::Abandoned || (left == 0 && state.orders.is_empty())
    }

    /// Says that the next one may deliver.
    pub(crate) fn let_deliver(&self) {
        let _state = self.lock();
        self.room.notify_all();
    }

    /// Begins to wait for somebody who delivers, as long as he makes progress.
    pub(crate) fn wait_with(&self, patience: Duration) -> Ending {
        self.begin_to_wait(&self.lock(), patience, Duration::MAX)
    }

    fn begin_to_wait(&self, state: &State, patience: Duration, cap: Duration) -> Ending {
        let now = Instant::now();
        let last = after(now, cap);
        Ending { finished: self.finished(state), patience, deadline: after(now, patience).min(last), last }
    }

    /// Looks whether the worker has ended after [`close`](Self::close), and waits for that as long as `nap`. When it
    /// has, or has got nothing done for too long, returns the lines left behind, which then count as dropped: once, to
    /// one caller. That one says so and then calls [`told`](Self::told); the others wait for it, as the process may end
    /// with them.
    ///
    /// # Blocking
    /// For `nap` at most.
    pub(crate) fn wait_ended(&self, nap: Duration) -> Option<u64> {
        let mut state = self.lock();
        let until = if state.has_worker() { state.ending.map(|ending| ending.deadline) } else { state.telling_until };
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if !nap.min(left).is_zero() {
            (state, _) = self.room.wait_timeout(state, nap.min(left)).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.has_worker() {
            return state.telling_until.is_none_or(|until| Instant::now() >= until).then_some(0);
        }
        let mut ending = state.ending?;
        let is_overdue = self.is_overdue(&state, &mut ending);
        state.ending = Some(ending);
        if !is_overdue {
            return None;
        }
        state.telling_until = Some(after(Instant::now(), TELLING));
        Some(self.abandon(state))
    }

    /// What was left behind has been told.
    pub(crate) fn told(&self) {
        self.lock().telling_until = None;
        self.room.notify_all();
    }

    /// Whether nothing got done for too long.
    fn is_overdue(&self, state: &State, ending: &mut Ending) -> bool {
        let (now, finished) = (Instant::now(), self.finished(state));
        if finished != ending.finished {
            ending.finished = finished;
            ending.deadline = after(now, ending.patience).min(ending.last);
        }
        now >= ending.deadline
    }

    /// Lines that the worker has done with: shows progress.
    fn finished(&self, state: &State) -> u64 {
        let progress = self.progress(state);
        progress.written.total() + progress.spooled.total() + state.lost.total()
    }

    /// Who writes what is queued now.
    pub(crate) fn deliverer(&self) -> Deliverer {
        let mut state = self.lock();
        match state.phase {
            Phase::Running | Phase::Closing => Deliverer::Worker,
            Phase::Ending => Deliverer::EndingWorker,
            Phase::Ended | Phase::Abandoned => Deliverer::Caller,
            Phase::Forked => match std::mem::replace(&mut state.awaits_worker, true) {
                false => Deliverer::NewWorker,
                true => Deliverer::StartingWorker,
            },
            Phase::Lost => Deliverer::Nobody,
        }
    }

    /// A worker begins to run; the caller holds the engine. Returns false when it is not wanted any more.
    pub(crate) fn begin_work(&self) -> bool {
        let mut state = self.lock();
        let is_late = state.phase == Phase::Ended && state.ending.is_none();
        if std::mem::take(&mut state.awaits_worker) && (is_late || state.phase == Phase::Forked) {
            state.phase = Phase::Running;
            self.room.notify_all();
        }
        state.has_worker()
    }

    /// Waits until a worker that was started begins to run, but no longer than `longest`: then whoever pushes delivers.
    ///
    /// # Blocking
    /// For `longest` at most.
    pub(crate) fn await_worker(&self, longest: Duration) {
        let starts = |state: &mut State| state.phase == Phase::Forked;
        let waited = self.room.wait_timeout_while(self.lock(), longest, starts);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.phase == Phase::Forked {
            state.phase = Phase::Ended;
            self.room.notify_all();
        }
    }

    /// Waits a moment for whoever has let go of the engine in the middle of a batch.
    ///
    /// # Blocking
    /// For some milliseconds.
    pub(crate) fn wait_a_moment(&self) {
        drop(self.room.wait_timeout(self.lock(), MAX_LINGER));
    }

    pub(super) fn abandon(&self, mut state: MutexGuard<'_, State>) -> u64 {
        state.phase = Phase::Abandoned;
        let progress = self.progress(&state);
        let left = self.unfinished(&state, progress);
        state.written_in_time = Some(DeliveredCounts { in_flight: ByLevel::default(), ..progress });
        let now = state.pending.last_time();
        for (level, lines) in left.levels() {
            state.lose_lines(Reason::Shutdown, level, lines, now);
        }
        state.used = 0;
        state.retained = 0;
        state.oldest_taken = None;
        let pending = std::mem::replace(&mut state.pending, Batch::new(0));
        let spare = state.spare.surplus();
        self.work.notify_all();
        self.room.notify_all();
        let wakers = state.wakers_of_ended();
        drop(state);
        wake_all(wakers);
        drop((pending, spare));
        left.total()
    }
}

/// The instant so long after `start`; a duration beyond what an instant can hold ends in a year.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    start.checked_add(duration.min(YEAR)).unwrap_or(start)
}
