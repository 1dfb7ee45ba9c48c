//! The worker's side: taking what is pending, recording what became of it, and pausing between tries.

use std::time::Duration;

use super::batch::Batch;
use super::block::Block;
use super::books::WorkerCounts;
use super::idle::{Idle, Wait};
use super::life::{LATE_PATIENCE, Phase};
use super::losses::Loss;
use super::orders::{Order, wake_all};
use super::queue::{Queue, State};
use super::wakeups::WorkerState;
use crate::error::Error;
use crate::metrics::{ByLevel, DroppedLine};
use crate::record::Timestamp;
use crate::sync::{Instant, wait, wait_timeout};

/// The worker takes a batch this large without waiting.
const BATCH_BYTES: usize = 128 * 1024;
/// The longest pause before a failed write is tried again while the log shuts down.
const LONGEST_PAUSE_AT_END: Duration = Duration::from_millis(20);

/// What the worker is to do next.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) batch: Batch,
    pub(crate) losses: Vec<Loss>,
    pub(crate) orders: Vec<Order>,
    /// Nothing more comes while this worker runs.
    pub(crate) last: bool,
    /// The sink's waker was woken.
    pub(crate) woken: bool,
    /// How many records were ever taken, including these.
    pub(crate) total: u64,
}

impl Queue {
    /// Waits until it is time to take what is pending.
    ///
    /// Returns at once when something is urgent or much is pending. Otherwise it lingers, so that lines go out many at
    /// a time. After a while without a line it sleeps until it is woken. `until`: when it returns in any case.
    ///
    /// # Blocking
    /// Yes; only the worker calls it.
    pub(crate) fn wait_for_work(&self, idle: &mut Idle, until: Option<Instant>) {
        let mut state = self.lock();
        let mut waited = None;
        loop {
            let pending = &state.buffer.pending;
            if state.life.phase != Phase::Running || state.wakeups.urgent || pending.bytes() >= BATCH_BYTES {
                break;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let is_waited_for = !(pending.is_empty() && state.books.losses.need_no_notice());
            if let Some(waited) = waited {
                if is_waited_for {
                    break;
                }
                idle.found_nothing(waited);
            }
            let wait = idle.wait(is_waited_for);
            let (worker, longest) = match wait {
                Wait::Poll(linger) => (WorkerState::Polling, Some(linger)),
                Wait::Sleep(longest) => (WorkerState::Asleep, longest),
                Wait::Trim => break,
            };
            state.wakeups.worker = worker;
            state = match left.into_iter().chain(longest).min() {
                Some(longest) => wait_timeout(&self.work, state, longest),
                None => self::wait(&self.work, state),
            };
            state.wakeups.worker = WorkerState::Working;
            waited = Some(wait);
        }
        idle.takes(state.buffer.pending.bytes());
    }

    /// Takes what is pending and leaves `spare`, an empty batch. The caller holds the engine until the batch is
    /// delivered, so that lines stay in order.
    pub(crate) fn take(&self, spare: Batch) -> Taken {
        self.lock().take(spare)
    }

    /// Takes back losses of the output's own lines, which would be reported alone and could cause more of them.
    pub(crate) fn keep_own_losses(&self, losses: &mut Vec<Loss>) {
        let mut state = self.lock();
        losses.extract_if(.., |loss| loss.is_own()).for_each(|loss| state.books.losses.put_back(loss));
    }

    /// Takes back a block that was delivered.
    pub(crate) fn give_back(&self, mut block: Block) {
        block.clear();
        self.lock().buffer.spare.give_back(block);
    }

    /// Frees memory that a burst took.
    pub(crate) fn trim(&self) {
        let surplus = self.lock().buffer.spare.surplus();
        drop(surplus);
    }

    /// Reserves again what was freed.
    pub(crate) fn untrim(&self) {
        let (missing, block_bytes) = self.lock().buffer.spare.missing();
        if missing > 0 {
            let blocks = (0..missing).map(|_| Block::new(block_bytes)).collect();
            self.lock().buffer.spare.add(blocks);
        }
    }

    /// Releases the memory of records that were resolved: `bytes` in all, rendered or in `gone`. `gone` also has lines that
    /// the sink dropped. `next`: the time of the first of the others that were taken. `retained`: the bytes
    /// of rendered lines that the sink has not finished. Returns the bytes accounted for now.
    pub(crate) fn release(&self, bytes: usize, gone: Gone<'_>, next: Option<Timestamp>, retained: usize) -> usize {
        let mut state = self.lock();
        state.books.progress.oldest_taken = next;
        state.buffer.release(bytes);
        if state.life.phase != Phase::Abandoned {
            state.buffer.retain(retained);
            state.books.filter_lines(gone.filtered);
            state.books.drop_repeated(gone.repeated);
            for line in gone.dropped.iter().filter(|line| line.lines > 0) {
                state.books.progress.lost.add(line.level, line.lines);
                state.books.drop_lines(line.reason, line.level, line.lines, line.time);
            }
        }
        let used = state.buffer.used();
        let has_much_room = state.buffer.has_much_room();
        if state.wakeups.wake_callers(has_much_room) {
            self.room.notify_all();
        }
        used
    }

    /// Makes the worker call the sink, whose waker was woken.
    pub(crate) fn call_sink(&self) {
        if self.lock().wakeups.request_call() {
            self.work.notify_one();
        }
    }

    /// Waits, with lines in flight, for the sink's waker, for an order to reopen the sink, or until `due`. Returns whether
    /// the waker was woken, or `None` when it is time to give up. `moved_last`: when the sink last made progress.
    ///
    /// # Blocking
    /// Until then.
    pub(crate) fn wait_for_call(&self, due: Option<Instant>, moved_last: Instant) -> Option<bool> {
        let mut state = self.lock();
        loop {
            if state.life.is_over() {
                return None;
            }
            if std::mem::take(&mut state.wakeups.calls_sink) {
                return Some(true);
            }
            if state.orders.has_reopen() {
                return Some(false);
            }
            if state.life.phase == Phase::Ended && moved_last.elapsed() >= LATE_PATIENCE {
                self.abandon(state);
                return None;
            }
            let left = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Some(false);
            }
            state.wakeups.worker = WorkerState::Polling;
            state = wait_timeout(&self.work, state, left);
            state.wakeups.worker = WorkerState::Working;
        }
    }

    /// Takes the orders to reopen the sink. They overtake lines for which a sink that never acknowledges leaves no room.
    pub(crate) fn take_reopens(&self) -> Vec<Order> {
        self.lock().orders.take_reopens()
    }

    /// Updates the worker's counts while a batch is still being written.
    pub(crate) fn report(&self, counts: &WorkerCounts) {
        self.lock().books.worker = counts.clone();
    }

    /// Marks a batch as finished and records its orders' results. `settled`: how many of all records that were taken are
    /// finished, and durable where they have to be.
    pub(crate) fn batch_done(
        &self,
        counts: &WorkerCounts,
        done: Vec<(Order, Result<(), Error>)>,
        settled: Option<u64>,
    ) {
        let mut state = self.lock();
        state.books.worker = counts.clone();
        let progress = &mut state.books.progress;
        progress.settled = progress.settled.max(settled.unwrap_or(0));
        let any_done = !done.is_empty();
        if any_done || self.synchronous.is_some() || state.life.phase != Phase::Running {
            self.room.notify_all();
        }
        if any_done {
            state.orders.finish(done);
            let is_over = state.life.is_over();
            let wakers = state.orders.finished_wakers(is_over);
            drop(state);
            wake_all(wakers);
        }
    }

    /// Records the results of orders that do not wait for lines in flight.
    pub(crate) fn orders_done(&self, counts: &WorkerCounts, done: Vec<(Order, Result<(), Error>)>) {
        let mut state = self.lock();
        state.books.worker = counts.clone();
        self.room.notify_all();
        state.orders.finish_early(done);
        let is_over = state.life.is_over();
        let wakers = state.orders.finished_wakers(is_over);
        drop(state);
        wake_all(wakers);
    }

    /// Refuses all records from now on: the sink has ended for good.
    pub(crate) fn park(&self) {
        let mut state = self.lock();
        state.life.parked = true;
        self.room.notify_all();
    }

    /// Takes records again: the sink was reopened.
    pub(crate) fn unpark(&self) {
        self.lock().life.parked = false;
    }

    /// Waits between two tries of a write. Returns false when it is time to give up. `moved_last`: when something was
    /// last written. `hears_reopen`: an order to reopen the sink ends the pause.
    ///
    /// # Blocking
    /// For `pause`, or shorter while the log shuts down.
    pub(crate) fn pause(&self, pause: Duration, moved_last: Instant, hears_reopen: bool) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            if hears_reopen && state.orders.has_reopen() && !state.life.is_over() {
                return true;
            }
            let longest = match state.life.phase {
                Phase::Running | Phase::Forked => pause,
                Phase::Closing | Phase::Ending | Phase::Ended => pause.min(LONGEST_PAUSE_AT_END),
                Phase::Abandoned | Phase::Lost => return false,
            };
            if state.life.phase == Phase::Ended && moved_last.elapsed() >= LATE_PATIENCE {
                self.abandon(state);
                return false;
            }
            let Some(left) = longest.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { return true };
            state.wakeups.worker = WorkerState::Polling;
            state = wait_timeout(&self.work, state, left);
            state.wakeups.worker = WorkerState::Working;
        }
    }
}

impl State {
    fn take(&mut self, spare: Batch) -> Taken {
        let batch = std::mem::replace(&mut self.buffer.pending, spare);
        let progress = &mut self.books.progress;
        progress.taken = progress.taken.plus(batch.by_level());
        progress.oldest_taken = batch.first_time();
        self.wakeups.urgent = false;
        let last = self.life.phase != Phase::Running;
        let losses = self.books.losses.take_due(last || !self.orders.is_empty(), batch.is_empty() && !last);
        let woken = std::mem::take(&mut self.wakeups.calls_sink);
        Taken { batch, losses, orders: self.orders.take(), last, woken, total: self.books.progress.taken.total() }
    }
}

/// Lines that will not be written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gone<'a> {
    pub(crate) dropped: &'a [DroppedLine],
    /// Those that the output does not take.
    pub(crate) filtered: ByLevel,
    /// Those that are equal to the line before.
    pub(crate) repeated: ByLevel,
}
