//! The worker's side: taking what is pending, saying what became of it, pausing between tries.

use std::time::Duration;

use super::{Batch, Block, LATE_PATIENCE, Loss, Order, Phase, Queue, State, Tally, Waiting};
use crate::record::Timestamp;
use crate::sink::DroppedLine;
use crate::sync::{Instant, PoisonError};

/// The worker waits no longer than this before it takes what there is.
pub(super) const MAX_LINGER: Duration = Duration::from_millis(5);
/// … and this long while much comes in.
const MIN_LINGER: Duration = Duration::from_millis(1);
/// So many pending bytes are taken without waiting.
const BATCH_BYTES: usize = 128 * 1024;
/// Those who wait for room are woken no more often than this while the queue is nearly full.
const LET_IN_EVERY: Duration = Duration::from_millis(1);
/// So many bytes in one take are much.
const BUSY_BYTES: usize = BATCH_BYTES / 4;
/// After this long without a line the worker sleeps until it is woken.
const IDLE: Duration = Duration::from_secs(1);
/// While the log is shut down, and somebody waits for it, a failed write is tried again this soon.
const LONGEST_PAUSE_AT_END: Duration = Duration::from_millis(20);
/// A loss that goes on is told this often.
const NOTICE_NANOS: i64 = 1_000_000_000;

/// What the worker is to do next.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) batch: Batch,
    pub(crate) losses: Vec<Loss>,
    pub(crate) orders: Vec<Order>,
    /// Nothing more will come while this worker runs.
    pub(crate) last: bool,
    /// The sink's waker was woken.
    pub(crate) woken: bool,
    /// All records that were ever taken, these included.
    pub(crate) total: u64,
}

/// While lines are retained, this part of the budget stays free, so that rendering them does not exceed it.
const RESERVED_PART: usize = 8;

impl Queue {
    /// Waits until it is time to take what is pending.
    ///
    /// Returns at once when something is urgent or much is pending. Otherwise it lingers a while, so that lines go
    /// out many at a time; after a second without a line it sleeps until it is woken. `until`: when there is something
    /// to do in any case.
    ///
    /// # Blocking
    /// Yes; only the worker calls it.
    pub(crate) fn wait_for_work(&self, idle: &mut Idle, until: Option<Instant>) {
        let mut state = self.lock();
        let linger = if idle.is_busy() { MIN_LINGER } else { MAX_LINGER };
        let mut waited = false;
        loop {
            if state.phase != Phase::Running || state.urgent || state.pending.bytes() >= BATCH_BYTES {
                break;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if waited && !(state.pending.is_empty() && state.losses.iter().all(Loss::is_own)) {
                break;
            }
            if waited && idle.since.elapsed() >= IDLE {
                if idle.trims < HALVES {
                    idle.trims += 1;
                    break;
                }
                state.waiting = Waiting::Asleep;
                state = match left {
                    Some(left) => self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                    None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
            } else {
                state.waiting = Waiting::Polling;
                let linger = left.map_or(linger, |left| left.min(linger));
                (state, _) = self.work.wait_timeout(state, linger).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting = Waiting::No;
            waited = true;
        }
        if !state.pending.is_empty() {
            idle.since = Instant::now();
            idle.trims = 0;
        }
        idle.last_bytes = state.pending.bytes();
    }

    /// Takes what is pending for `spare`, an empty batch. Whoever takes it holds the engine until it is delivered, so
    /// that lines stay in order.
    pub(crate) fn take(&self, spare: Batch) -> Taken {
        self.lock().take(spare)
    }

    /// Takes back a block that has been delivered.
    pub(crate) fn give_back(&self, mut block: Block) {
        block.clear();
        self.lock().spare.give_back(block);
    }

    /// Gives memory back to the system that a burst took.
    pub(crate) fn trim(&self) {
        let surplus = self.lock().spare.surplus();
        drop(surplus);
    }

    /// Reserves again what was given back.
    pub(crate) fn untrim(&self) {
        let (missing, block_bytes) = self.lock().spare.missing();
        if missing > 0 {
            let blocks = (0..missing).map(|_| Block::new(block_bytes)).collect();
            self.lock().spare.add(blocks);
        }
    }

    /// Notes that records with `bytes` in all have been resolved: rendered, or in `lost` for a reason, as are lines that
    /// the sink dropped. `next`: when the first of the others was logged. `retained`: the bytes of rendered lines that the
    /// sink has not finished. Returns the bytes accounted for now.
    pub(crate) fn delivered(
        &self,
        bytes: usize,
        lost: &[DroppedLine],
        next: Option<Timestamp>,
        retained: usize,
    ) -> usize {
        let mut state = self.lock();
        state.oldest_taken = next;
        state.used = state.used.saturating_sub(bytes);
        if state.phase != Phase::Abandoned {
            let retained = if retained == 0 { 0 } else { retained + self.max_bytes / RESERVED_PART };
            state.used = (state.used - state.retained).saturating_add(retained);
            state.retained = retained;
            for line in lost.iter().filter(|line| line.lines > 0) {
                state.lost.add(line.level, line.lines);
                state.lose_lines(line.reason, line.level, line.lines, line.time);
            }
        }
        let used = state.used;
        // Whoever waits for room is let in seldom while much gets done, so that the two need not take turns for every
        // chunk; but at once by a slow sink.
        if state.blocked > 0 && (state.used <= self.max_bytes / 4 * 3 || state.let_in.elapsed() >= LET_IN_EVERY) {
            state.let_in = Instant::now();
            self.room.notify_all();
        }
        used
    }

    /// Has the worker call the sink: its waker was woken.
    pub(crate) fn call_sink(&self) {
        let mut state = self.lock();
        state.calls_sink = true;
        state.urgent = true;
        if state.waiting != Waiting::No {
            self.work.notify_one();
        }
    }

    /// Waits, with lines in flight, until the sink's waker is woken, or `due`. Returns whether it was woken; `None` when it
    /// is time to give up. `moved_last`: when the sink got ahead last.
    ///
    /// # Blocking
    /// Until then.
    pub(crate) fn wait_for_call(&self, due: Option<Instant>, moved_last: Instant) -> Option<bool> {
        let mut state = self.lock();
        loop {
            if matches!(state.phase, Phase::Abandoned | Phase::Lost) {
                return None;
            }
            if std::mem::take(&mut state.calls_sink) {
                return Some(true);
            }
            if state.phase == Phase::Ended && moved_last.elapsed() >= LATE_PATIENCE {
                self.abandon(state);
                return None;
            }
            let left = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Some(false);
            }
            let nap = if state.phase == Phase::Ended { LONGEST_PAUSE_AT_END } else { IDLE };
            state.waiting = Waiting::Polling;
            (state, _) = self.work.wait_timeout(state, left.min(nap)).unwrap_or_else(PoisonError::into_inner);
            state.waiting = Waiting::No;
        }
    }

    /// Updates the counters while a batch is still being written.
    pub(crate) fn report(&self, tally: &Tally) {
        self.lock().tally = tally.clone();
    }

    /// The sink has ended for good: nothing more is taken in.
    pub(crate) fn park(&self) {
        let mut state = self.lock();
        state.parked = true;
        self.room.notify_all();
    }

    /// The sink was reopened: lines are taken in again.
    pub(crate) fn unpark(&self) {
        self.lock().parked = false;
    }

    /// Waits between two tries of a write; returns false when it is time to give up. `moved_last`: when something
    /// was written last.
    ///
    /// # Blocking
    /// For `pause`, shorter when the log is shut down.
    pub(crate) fn pause(&self, pause: Duration, moved_last: Instant) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let longest = match state.phase {
                Phase::Running | Phase::Forked => pause,
                Phase::Closing | Phase::Ending | Phase::Ended => pause.min(LONGEST_PAUSE_AT_END),
                Phase::Abandoned | Phase::Lost => return false,
            };
            if state.phase == Phase::Ended && moved_last.elapsed() >= LATE_PATIENCE {
                self.abandon(state);
                return false;
            }
            let Some(left) = longest.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { return true };
            state.waiting = Waiting::Polling;
            (state, _) = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state.waiting = Waiting::No;
        }
    }
}

impl State {
    fn take(&mut self, spare: Batch) -> Taken {
        let batch = std::mem::replace(&mut self.pending, spare);
        self.taken = self.taken.plus(batch.by_level());
        self.oldest_taken = batch.first_time();
        self.urgent = false;
        let last = self.phase != Phase::Running;
        let told = !std::mem::take(&mut self.refused_since_take) || last || !self.orders.is_empty();
        // A sink that logs loses a line at each write; a notice of its own for that would be one more write.
        let silent = batch.is_empty() && !last;
        let due = |loss: &mut Loss| {
            (told || loss.last.as_nanos() - loss.first.as_nanos() >= NOTICE_NANOS) && !(silent && loss.is_own())
        };
        // What stays keeps its place: the list never grows under the lock.
        let losses = self.losses.extract_if(.., due).collect();
        let (orders, woken) = (std::mem::take(&mut self.orders), std::mem::take(&mut self.calls_sink));
        Taken { batch, losses, orders, last, woken, total: self.taken.total() }
    }

    /// Bytes accounted for that nothing takes yet.
    pub(super) fn reserve(&self, max_bytes: usize) -> usize {
        if self.retained == 0 { 0 } else { max_bytes / RESERVED_PART }
    }
}

/// How busy the worker has been.
#[derive(Debug)]
pub(crate) struct Idle {
    since: Instant,
    last_bytes: usize,
    /// Times an empty batch was handed out before sleeping, for the worker to trim.
    trims: u8,
}

/// The queue has two batches.
const HALVES: u8 = 2;

impl Idle {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), last_bytes: 0, trims: 0 }
    }

    /// Whether much is coming in.
    pub(crate) fn is_busy(&self) -> bool {
        self.last_bytes >= BUSY_BYTES
    }

    /// Whether nothing has come for a while.
    pub(crate) fn is_resting(&self) -> bool {
        self.trims > 0
    }
}
