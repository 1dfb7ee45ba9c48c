//! The end of a queue: draining, handing over to threads that still log, waiting for that, and giving up.

use std::time::Duration;

use super::life::{Ending, Phase};
use super::orders::wake_all;
use super::queue::{Queue, State};
use super::wakeups::LOOK_EVERY;
use crate::metrics::{ByLevel, DeliveredCounts, Reason};
use crate::sync::{Instant, MutexGuard, wait_timeout, wait_timeout_while};

/// Which thread writes what is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deliverer {
    /// The worker. The caller does not wait for it.
    Worker,
    /// The worker, for the last time. The caller waits for it.
    EndingWorker,
    /// The caller.
    Caller,
    /// A worker that the caller has to start now.
    NewWorker,
    /// A worker that another thread has started.
    StartingWorker,
    /// No thread. What is pushed is lost.
    Nobody,
}

impl Queue {
    /// Asks the worker to drain the queue and to end. Waits for it continue while it makes progress: each progress
    /// renews `patience`, up to `cap` in all. The first call sets the deadline for all that wait.
    pub(crate) fn close(&self, patience: Duration, cap: Duration) {
        let mut state = self.lock();
        match state.life.phase {
            Phase::Running => state.life.phase = Phase::Closing,
            // There is nothing that a worker would have to write.
            Phase::Forked => {
                state.life.phase = Phase::Ended;
                self.room.notify_all();
            }
            _ => {}
        }
        if state.life.ending.is_none() {
            state.life.ending = Some(Ending::begin(self.finished(&state), patience, cap));
        }
        self.work.notify_all();
    }

    /// Whether nothing is left to take.
    pub(crate) fn is_drained(&self) -> bool {
        self.lock().is_drained()
    }

    /// Begins the last phase: what was queued at the close is written, and each push now waits for its line. Returns
    /// whether nothing is left.
    pub(crate) fn begin_end(&self) -> bool {
        let mut state = self.lock();
        if state.life.phase == Phase::Closing {
            state.life.phase = Phase::Ending;
        }
        state.is_drained()
    }

    /// Ends the worker. Returns false when something came in meanwhile; the worker then goes on.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.lock();
        if !state.is_drained() && state.life.phase == Phase::Ending {
            return false;
        }
        if state.life.phase == Phase::Ending {
            state.life.phase = Phase::Ended;
        }
        self.room.notify_all();
        true
    }

    /// Waits a moment for another thread, which delivers what this one pushed. Returns true when that is done or takes
    /// too long. In the latter case, the line stays queued with the worker, or, after its end, the output is abandoned.
    ///
    /// # Blocking
    /// For a few milliseconds.
    pub(crate) fn wait_delivered(&self, ending: &mut Ending) -> bool {
        let mut state = self.lock();
        if !self.is_delivered(&state) {
            state = wait_timeout(&self.room, state, LOOK_EVERY);
        }
        if self.is_delivered(&state) {
            return true;
        }
        if ending.is_overdue(self.finished(&state)) {
            if state.life.phase == Phase::Ended {
                self.abandon(state);
            }
            return true;
        }
        false
    }

    fn is_delivered(&self, state: &State) -> bool {
        state.life.phase == Phase::Abandoned || (self.unfinished(state).total() == 0 && state.orders.is_empty())
    }

    /// Lets the next thread deliver.
    pub(crate) fn let_deliver(&self) {
        let _state = self.lock();
        self.room.notify_all();
    }

    /// Begins to wait for a thread that delivers, while it makes progress.
    pub(crate) fn wait_with(&self, patience: Duration) -> Ending {
        Ending::begin(self.finished(&self.lock()), patience, Duration::MAX)
    }

    /// Waits for the worker's end after [`close`](Self::close).
    ///
    /// When it has ended, or made no progress for too long, returns the number of unwritten lines, which then count as
    /// dropped. Only one caller gets that number: it reports it and then calls [`end_reported`](Self::end_reported).
    /// The others wait for it, as the process may end with them.
    ///
    /// # Blocking
    /// For `nap` at most.
    pub(crate) fn wait_ended(&self, nap: Duration) -> Option<u64> {
        let mut state = self.lock();
        let life = &state.life;
        let until = if life.has_worker() { life.ending.map(|ending| ending.deadline()) } else { life.reporting_until };
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if !nap.min(left).is_zero() {
            state = wait_timeout(&self.room, state, nap.min(left));
        }
        if !state.life.has_worker() {
            return state.life.reporting_until.is_none_or(|until| Instant::now() >= until).then_some(0);
        }
        let finished = self.finished(&state);
        if !state.life.ending.as_mut()?.is_overdue(finished) {
            return None;
        }
        state.life.begin_report();
        Some(self.abandon(state))
    }

    /// Returns whether the worker has not ended, and is waited for.
    pub(crate) fn has_worker(&self) -> bool {
        self.lock().life.has_worker()
    }

    /// Waits, on the worker of this queue, until that of another one has ended: its lines come first. Not longer than there
    /// is something to do.
    ///
    /// # Blocking
    /// Until then: others end the log, or the output, with a deadline. Progress of the other renews that of this queue.
    pub(crate) fn await_end_of(&self, other: &Self) {
        let mut seen = other.finished(&other.lock());
        loop {
            let state = other.lock();
            let finished = other.finished(&state);
            if !state.life.has_worker() {
                return;
            }
            drop(state);
            let mut state = self.lock();
            if state.life.is_over() || (state.life.phase != Phase::Running && state.is_drained()) {
                return;
            }
            if std::mem::replace(&mut seen, finished) != finished {
                state.life.ending.iter_mut().for_each(Ending::renew);
            }
            drop(wait_timeout(&self.room, state, LOOK_EVERY));
        }
    }

    /// Tells the others that the unwritten lines were reported.
    pub(crate) fn end_reported(&self) {
        self.lock().life.reporting_until = None;
        self.room.notify_all();
    }

    /// Returns which thread writes what is queued now.
    pub(crate) fn deliverer(&self) -> Deliverer {
        let mut state = self.lock();
        match state.life.phase {
            Phase::Running | Phase::Closing => Deliverer::Worker,
            Phase::Ending => Deliverer::EndingWorker,
            Phase::Ended | Phase::Abandoned => Deliverer::Caller,
            Phase::Forked => match std::mem::replace(&mut state.life.awaits_worker, true) {
                false => Deliverer::NewWorker,
                true => Deliverer::StartingWorker,
            },
            Phase::Lost => Deliverer::Nobody,
        }
    }

    /// Begins the work of a worker, which holds the engine. Returns false when it is no longer wanted.
    pub(crate) fn begin_work(&self) -> bool {
        let mut state = self.lock();
        let is_late = state.life.phase == Phase::Ended && state.life.ending.is_none();
        if std::mem::take(&mut state.life.awaits_worker) && (is_late || state.life.phase == Phase::Forked) {
            state.life.phase = Phase::Running;
            self.room.notify_all();
        }
        state.life.has_worker()
    }

    /// Waits until a started worker runs. After `longest`, callers deliver their own lines.
    ///
    /// # Blocking
    /// For `longest` at most.
    pub(crate) fn await_worker(&self, longest: Duration) {
        let starts = |state: &mut State| state.life.phase == Phase::Forked;
        let mut state = wait_timeout_while(&self.room, self.lock(), longest, starts);
        if state.life.phase == Phase::Forked {
            state.life.phase = Phase::Ended;
            self.room.notify_all();
        }
    }

    /// Waits a moment for the thread that let go of the engine in the middle of a batch.
    ///
    /// # Blocking
    /// For a few milliseconds.
    pub(crate) fn wait_a_moment(&self) {
        drop(wait_timeout(&self.room, self.lock(), LOOK_EVERY));
    }

    /// Gives up on the worker, and counts what it has not finished as dropped. Returns how many lines that are.
    pub(super) fn abandon(&self, mut state: MutexGuard<'_, State>) -> u64 {
        state.life.phase = Phase::Abandoned;
        let now = state.buffer.pending.last_time();
        // Read once: the worker may be writing, and both numbers have to fit together.
        let counts = state.books.progress.counts(&self.delivered);
        let left = state.books.progress.unfinished(&counts, state.buffer.pending.by_level());
        state.books.progress.when_abandoned = Some(DeliveredCounts { in_flight: ByLevel::default(), ..counts });
        state.books.progress.oldest_taken = None;
        for (level, lines) in left.levels() {
            state.books.drop_lines(Reason::Shutdown, level, lines, now);
        }
        let memory = state.buffer.dismantle();
        self.work.notify_all();
        self.room.notify_all();
        let wakers = state.orders.finished_wakers(true);
        drop(state);
        wake_all(wakers);
        drop(memory);
        left.total()
    }
}
