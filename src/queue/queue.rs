//! The queue: one lock, its signals, and the snapshot of its counters.

use std::sync::Arc;
use std::time::Duration;

use super::books::Books;
use super::buffer::Buffer;
use super::counters::Counters;
use super::life::Life;
use super::orders::Orders;
use super::overflow::Overflow;
use super::wakeups::Wakeups;
use crate::metrics::{ByLevel, Delivered, OutputMetrics, Reason};
use crate::record::Timestamp;
use crate::sync::{Condvar, Instant, Mutex, MutexGuard, lock, try_lock};

/// One output's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Signals the worker.
    pub(super) work: Condvar,
    /// Signals blocked callers, and those that wait for an order or for the end.
    pub(super) room: Condvar,
    pub(super) overflow: Overflow,
    /// How long a caller waits until its line is written; `None` when it does not.
    pub(super) synchronous: Option<Duration>,
    pub(super) delivered: Arc<Delivered>,
    pub(super) counters: Counters,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) buffer: Buffer,
    pub(super) books: Books,
    pub(super) orders: Orders,
    pub(super) life: Life,
    pub(super) wakeups: Wakeups,
}

impl Queue {
    /// Makes a queue that holds `max_bytes` in memory. `synchronous`: a caller waits up to this long until its line is
    /// written.
    pub(crate) fn new(
        overflow: Overflow,
        synchronous: Option<Duration>,
        max_bytes: usize,
        delivered: Arc<Delivered>,
    ) -> Self {
        let state = State {
            buffer: Buffer::new(max_bytes),
            books: Books::new(),
            orders: Orders::default(),
            life: Life::default(),
            wakeups: Wakeups::default(),
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            overflow,
            synchronous,
            delivered,
            counters: Counters::default(),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        try_lock(&self.state)
    }

    /// Makes the worker look at once.
    pub(super) fn wake(&self, state: &mut State) {
        if state.wakeups.request() {
            self.work.notify_one();
        }
    }

    /// Returns the lines that are neither written nor lost nor spooled.
    pub(super) fn unfinished(&self, state: &State) -> ByLevel {
        let progress = &state.books.progress;
        progress.unfinished(&progress.counts(&self.delivered), state.buffer.pending.by_level())
    }

    /// Returns how many lines are finished. A change shows progress.
    pub(super) fn finished(&self, state: &State) -> u64 {
        state.books.progress.finished(&self.delivered)
    }

    /// Returns since when the sink's spool holds lines.
    pub(crate) fn spooling_since(&self) -> Option<Timestamp> {
        self.delivered.spool_state().since()
    }

    /// Returns until when the end of the log waits for the worker, if it shows no progress.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.lock().life.ending.map(|ending| ending.deadline())
    }

    /// Returns the counters, and the time of the oldest queued record. Takes the lock once, and allocates nothing under
    /// it.
    pub(crate) fn metrics(&self) -> (OutputMetrics, Option<Timestamp>) {
        let state = self.lock();
        let State { buffer, books, .. } = &*state;
        let worker = books.worker.clone();
        let pending = buffer.pending.by_level();
        let counts = books.progress.counts(&self.delivered);
        let unfinished = books.progress.unfinished(&counts, pending);
        let (limited, sampled) = (self.counters.rate_limited.by_level(), self.counters.sampled.by_level());
        let held_back = self.counters.held_back.by_level();
        let oldest = if unfinished.total() <= pending.total() {
            buffer.pending.first_time()
        } else {
            books.progress.oldest_taken(&self.delivered)
        };
        let emitted = books.emitted.plus(limited).plus(sampled).plus(held_back);
        let (limited, sampled, held_back) = (limited.all(), sampled.all(), held_back.all());
        let metrics = OutputMetrics {
            emitted: emitted.all(),
            events: emitted.first,
            taken_over: counts.taken_over,
            written: counts.written,
            dropped: books.dropped.plus(Reason::RateLimited, limited).plus(Reason::Sampled, sampled),
            filtered: books.filtered,
            queued: unfinished.minus(counts.in_flight),
            in_flight: counts.in_flight,
            spooled: counts.spooled,
            spooled_bytes: self.delivered.spool_state().bytes(),
            replayed_bytes: self.delivered.spool_state().replayed_bytes(),
            resent: self.delivered.resent(),
            held_back: held_back.minus(books.released),
            released: books.released,
            evicted: self.counters.evicted.by_level(),
            queued_bytes: buffer.used() as u64,
            max_queued_bytes: buffer.max_bytes() as u64,
            written_bytes: worker.written_bytes,
            notices: worker.notices,
            retries: worker.retries,
            panics: worker.panics,
            syncs: worker.syncs,
            failed_syncs: worker.failed_syncs,
            not_durable: worker.not_durable,
            redacted: worker.redacted + self.counters.redacted(),
            overdue: books.overdue,
            ..OutputMetrics::default()
        };
        drop(state);
        (OutputMetrics { last_error: worker.last_error.map(|error| (*error).to_owned()), ..metrics }, oldest)
    }
}

impl State {
    /// Whether nothing is left to write, not even a notice. Once the output was abandoned or its sink has ended, a loss
    /// cannot be reported.
    pub(super) fn is_drained(&self) -> bool {
        let no_notice = self.life.refuses() || self.books.losses.need_no_notice();
        self.buffer.pending.is_empty() && self.orders.is_empty() && no_notice
    }
}
