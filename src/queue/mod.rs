//! The only lock on the logging path: a double buffer, bounded in bytes.
//!
//! The threads that log add records to the pending [`Batch`]; the worker takes it whole by a swap and brings back
//! an empty one. A batch is made of [`Block`]s, which the worker gives back one by one. What is accounted for is all that a record keeps in memory until it is
//! delivered: header, captured bytes and, once for each batch, the contexts.
//!
//! The worker polls while there is something to do, so a push costs no wake-up; only when it sleeps, or something
//! is urgent (an ERROR, a flush, a queue filling up), it is woken.
//!
//! Here is what a thread that logs does; the worker's side is in `turn`, orders are in `order`, the end is in `end`.

mod batch;
mod beside;
mod block;
mod end;
mod fork;
mod order;
mod turn;

pub(crate) use batch::{Batch, Head};
use beside::Beside;
pub(crate) use block::Block;
use block::Spare;
pub(crate) use end::{Deliverer, LATE_PATIENCE, after};
pub(crate) use order::Order;
pub(crate) use turn::{Idle, Taken};

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tracing::Level;

use crate::context::{Bound, Node, epoch};
use crate::error::Error;
use crate::metrics::{ByLevel, Delivered, DeliveredCounts, Dropped, OutputMetrics, Reason};
use crate::record::Timestamp;
use crate::sync::{Condvar, Instant, Mutex, MutexGuard, PoisonError};

/// What happens to a record for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Less important lines give way early: TRACE and DEBUG are refused above half full, INFO above 80 %, WARN and
    /// ERROR only when the queue is full. Never waits.
    #[default]
    Shed,
    /// Every line is refused when the queue is full. Never waits.
    DropNewest,
    /// The thread that logs waits until there is room, at most so long; then the line is refused. It parks the
    /// thread, on an async executor too.
    Block {
        /// The longest a call may wait; [`Self::DEFAULT_MAX_WAIT`] is a good value.
        max_wait: Duration,
    },
}

impl Overflow {
    /// The default wait of [`Overflow::Block`]: long enough for a disk to catch up, too short to fail a request.
    pub const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(100);

    /// Waits for room, at most [`Self::DEFAULT_MAX_WAIT`].
    pub fn block() -> Self {
        Overflow::Block { max_wait: Self::DEFAULT_MAX_WAIT }
    }
}

/// One output's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// The worker waits here.
    work: Condvar,
    /// Blocked callers, and those who wait for an order or for the end.
    room: Condvar,
    overflow: Overflow,
    /// Whoever pushes waits until the line is written, but no longer than this.
    synchronous: Option<Duration>,
    max_bytes: usize,
    delivered: Arc<Delivered>,
    beside: Beside,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pending: Batch,
    spare: Spare,
    /// Bytes accounted for: pending, taken but not delivered, and `retained`.
    used: usize,
    /// What of them is rendered lines that the sink has not finished, and room to render more.
    retained: usize,
    phase: Phase,
    /// How long the end is waited for; from the time it has begun.
    ending: Option<end::Ending>,
    /// Somebody is telling of lines left behind, and is waited for no longer than this.
    telling_until: Option<Instant>,
    /// A worker was started, in a forked child, and does not run yet.
    awaits_worker: bool,
    /// The sink has ended: nothing is taken in any more.
    parked: bool,
    waiting: Waiting,
    urgent: bool,
    /// The sink's waker was woken.
    calls_sink: bool,
    /// Callers waiting for room.
    blocked: usize,
    /// When they were last woken.
    let_in: Instant,
    emitted: ByLevel,
    /// Lines that were held back and have come in since.
    released: ByLevel,
    dropped: Dropped,
    /// All that the worker ever took.
    taken: ByLevel,
    /// How many of these it has done with, and made durable where it has to.
    settled: u64,
    /// Calls that did not wait for that to the end.
    overdue: u64,
    /// What it lost of that.
    lost: ByLevel,
    /// When the first record of those it has taken and not resolved was logged.
    oldest_taken: Option<Timestamp>,
    /// What had been written when the worker was given up; what it writes later is counted as lost already.
    written_in_time: Option<DeliveredCounts>,
    losses: Vec<Loss>,
    refused_since_take: bool,
    orders: Vec<Order>,
    last_ticket: u64,
    done_ticket: u64,
    failures: Vec<(u64, Error)>,
    /// Orders under way that nobody waits for any more.
    given_up: Vec<u64>,
    /// Tasks that wait for an order.
    wakers: Vec<(u64, Waker)>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The worker drains what there is.
    Closing,
    /// What there was is drained. Whoever pushes now waits for his line to be written, so that the worker comes to an
    /// end although others go on logging.
    Ending,
    /// The worker has ended: whoever pushes also delivers.
    Ended,
    /// In a forked child: nothing was logged here yet, and no worker runs.
    Forked,
    /// The worker did not answer in time and is no longer waited for.
    Abandoned,
    /// In a forked child whose parent was in the middle of a write: the sink cannot be used.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    No,
    Polling,
    Asleep,
}

/// What the worker counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written_bytes: u64,
    pub(crate) notices: u64,
    pub(crate) retries: u64,
    pub(crate) panics: u64,
    pub(crate) syncs: u64,
    pub(crate) failed_syncs: u64,
    pub(crate) redacted: u64,
    /// Shared, so that a snapshot copies no text under the lock.
    pub(crate) last_error: Option<Arc<str>>,
}

/// Lines lost for one reason since it was last told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) reason: Reason,
    pub(crate) by_level: ByLevel,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Loss {
    fn is_own(&self) -> bool {
        self.reason == Reason::OwnThread
    }
}

/// A record on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push<'a> {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    pub(crate) bytes: &'a [u8],
    pub(crate) context: Option<&'a Arc<Node>>,
    /// Whether the thread may wait for room: not a thread of the log itself.
    pub(crate) may_wait: bool,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The worker will deliver it.
    Queued,
    /// It is queued, and the output is synchronous, or no worker runs, or not for long: the caller delivers it, or
    /// waits for whoever does.
    DeliverYourself,
    /// It was refused, and the loss counted.
    Refused,
}

impl Queue {
    /// A queue that holds `max_bytes` in memory. `synchronous`: whoever pushes waits until the line is written.
    pub(crate) fn new(overflow: Overflow, synchronous: bool, max_bytes: usize, delivered: Arc<Delivered>) -> Self {
        let state = State {
            pending: Batch::new(max_bytes),
            spare: Spare::new(max_bytes),
            used: 0,
            retained: 0,
            phase: Phase::Running,
            ending: None,
            telling_until: None,
            awaits_worker: false,
            parked: false,
            waiting: Waiting::No,
            urgent: false,
            calls_sink: false,
            blocked: 0,
            let_in: Instant::now(),
            emitted: ByLevel::default(),
            released: ByLevel::default(),
            dropped: Dropped::default(),
            taken: ByLevel::default(),
            settled: 0,
            overdue: 0,
            lost: ByLevel::default(),
            oldest_taken: None,
            written_in_time: None,
            losses: Vec::with_capacity(Reason::ALL.len()),
            refused_since_take: false,
            orders: Vec::new(),
            last_ticket: 0,
            done_ticket: 0,
            failures: Vec::new(),
            given_up: Vec::new(),
            wakers: Vec::new(),
            tally: Tally::default(),
        };
        let max_wait = match overflow {
            Overflow::Block { max_wait } => max_wait,
            _ => Overflow::DEFAULT_MAX_WAIT,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            overflow,
            synchronous: synchronous.then_some(max_wait),
            max_bytes,
            delivered,
            beside: Beside::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one record: one copy into the pending batch, under one lock.
    ///
    /// # Blocking
    /// Waits for room only under [`Overflow::Block`]; the lock itself is never held across I/O.
    #[inline]
    pub(crate) fn push(&self, push: Push<'_>) -> Pushed {
        self.push_as(push, None)
    }

    /// The same; `held`: the context of a line that was held back, where it had one.
    #[inline(always)]
    fn push_as(&self, push: Push<'_>, held: Option<Option<&Bound>>) -> Pushed {
        let level = push.head.level();
        let mut state = self.lock();
        let mut give_up = None;
        // Lines that were held back come by the hundreds: each with a wait of its own would be no bound.
        let may_wait = push.may_wait && held.is_none();
        let placed = loop {
            if state.parked || matches!(state.phase, Phase::Abandoned | Phase::Lost) {
                break Err(Reason::Closed);
            }
            let epoch = epoch();
            let place = match held.flatten() {
                None => state.pending.place(&push, epoch),
                Some(bound) => state.pending.place_bound(&push, bound, epoch),
            };
            match self.refusal(&state, &push, place.cost) {
                None => break Ok((place, epoch)),
                Some(reason) => match self.overflow {
                    Overflow::Block { max_wait } if may_wait && reason == Reason::QueueFull => {
                        let now = Instant::now();
                        let deadline = *give_up.get_or_insert(after(now, max_wait));
                        let Some(left) = deadline.checked_duration_since(now).filter(|left| !left.is_zero()) else {
                            break Err(reason);
                        };
                        state = self.wait_for_room(state, left);
                    }
                    _ => break Err(reason),
                },
            }
        };
        // Not before it is known what becomes of it: the books balance also while a call waits.
        let counted = if held.is_some() { &mut state.released } else { &mut state.emitted };
        counted.add(level, 1);
        let (place, epoch) = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                state.lose(reason, level, push.time);
                if state.waiting == Waiting::Asleep && !state.parked {
                    // Nothing else may come to tell it with.
                    self.wake(&mut state);
                }
                // Nobody can deliver it, but somebody has to say so.
                return if state.phase == Phase::Lost { Pushed::DeliverYourself } else { Pushed::Refused };
            }
        };
        state.used += place.cost;
        let State { pending, spare, .. } = &mut *state;
        pending.add(&push, place, epoch, held.flatten(), spare);
        if matches!(state.phase, Phase::Ending | Phase::Ended | Phase::Forked) {
            return Pushed::DeliverYourself;
        }
        if self.synchronous.is_some() {
            self.wake(&mut state);
            return Pushed::DeliverYourself;
        }
        if state.waiting == Waiting::Asleep || level == Level::ERROR || state.used > self.max_bytes / 2 {
            self.wake(&mut state);
        }
        Pushed::Queued
    }

    /// Why there is no room for a record of `cost` bytes; `None` when there is.
    #[inline]
    fn refusal(&self, state: &State, push: &Push<'_>, cost: usize) -> Option<Reason> {
        let after = state.used + cost;
        if after <= self.max_bytes / 2 && !state.pending.is_full() {
            return None;
        }
        self.refusal_when_filling(state, push, after)
    }

    #[cold]
    fn refusal_when_filling(&self, state: &State, push: &Push<'_>, after: usize) -> Option<Reason> {
        if Batch::own_bytes(push) > self.max_bytes {
            return Some(Reason::TooLarge);
        }
        // A large context alone does not shut a record out of an empty queue.
        if state.used == 0 {
            return None;
        }
        if after > self.max_bytes || state.pending.is_full() {
            return Some(Reason::QueueFull);
        }
        let limit = match (self.overflow, push.head.level()) {
            (Overflow::Shed, Level::TRACE | Level::DEBUG) => self.max_bytes / 2,
            (Overflow::Shed, Level::INFO) => self.max_bytes / 5 * 4,
            _ => self.max_bytes,
        };
        (after > limit).then_some(Reason::Shed)
    }

    #[cold]
    fn wait_for_room<'a>(&self, mut state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.wake(&mut state);
        state.blocked += 1;
        let (mut state, _) = self.room.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner);
        state.blocked -= 1;
        state
    }

    /// Counts a record that was refused before it came here.
    pub(crate) fn refuse(&self, reason: Reason, level: Level, time: Timestamp) {
        let mut state = self.lock();
        state.emitted.add(level, 1);
        state.lose(reason, level, time);
    }

    /// Has the worker look at once, if that takes no waiting: for a thread that is in trouble.
    pub(crate) fn nudge(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            self.wake(&mut state);
        }
    }

    fn wake(&self, state: &mut State) {
        if !state.urgent {
            state.urgent = true;
            if state.waiting != Waiting::No {
                self.work.notify_one();
            }
        }
    }

    /// What the worker has done, the batch under way included.
    fn progress(&self, state: &State) -> DeliveredCounts {
        state.written_in_time.unwrap_or_else(|| self.delivered.counts())
    }

    /// Lines the worker has not finished, in flight or not.
    fn unfinished(&self, state: &State, progress: DeliveredCounts) -> ByLevel {
        match state.written_in_time {
            Some(_) => state.pending.by_level(),
            None => {
                let all = state.taken.plus(progress.taken_over).plus(state.pending.by_level());
                all.minus(state.lost).minus(progress.written).minus(progress.spooled)
            }
        }
    }

    /// When the oldest of the `queued` records was logged.
    fn oldest(&self, state: &State, queued: ByLevel) -> Option<Timestamp> {
        if queued.total() <= state.pending.by_level().total() {
            return state.pending.first_time();
        }
        state.oldest_taken.map(|taken| self.delivered.next_time().map_or(taken, |next| next.max(taken)))
    }

    /// The counters, and when the oldest queued record was logged. Takes the lock once, and allocates nothing under it.
    pub(crate) fn metrics(&self) -> (OutputMetrics, Option<Timestamp>) {
        let state = self.lock();
        let tally = state.tally.clone();
        let progress = self.progress(&state);
        let unfinished = self.unfinished(&state, progress);
        let (suppressed, held) = (self.beside.suppressed.by_level(), self.beside.held.by_level());
        let oldest = self.oldest(&state, unfinished);
        let metrics = OutputMetrics {
            emitted: state.emitted.plus(suppressed).plus(held),
            taken_over: progress.taken_over,
            written: progress.written,
            in_flight: progress.in_flight,
            spooled: progress.spooled,
            resent: self.delivered.resent(),
            dropped: state.dropped.plus(Reason::RateLimited, suppressed),
            queued: unfinished.minus(progress.in_flight),
            held_back: held.minus(state.released),
            released: state.released,
            evicted: self.beside.evicted.by_level(),
            queued_bytes: (state.used - state.reserve(self.max_bytes)) as u64,
            max_queued_bytes: self.max_bytes as u64,
            written_bytes: tally.written_bytes,
            notices: tally.notices,
            retries: tally.retries,
            panics: tally.panics,
            syncs: tally.syncs,
            failed_syncs: tally.failed_syncs,
            redacted: tally.redacted + self.beside.redacted(),
            overdue: state.overdue,
            ..OutputMetrics::default()
        };
        drop(state);
        (OutputMetrics { last_error: tally.last_error.map(|error| (*error).to_owned()), ..metrics }, oldest)
    }
}

impl State {
    fn has_worker(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Closing | Phase::Ending)
    }

    /// Whether nothing is left to write, a notice neither. Losses of the log's own threads are told with other lines
    /// only: writing them alone could make more. Once the output was given up or its sink has ended, they cannot be told.
    fn is_drained(&self) -> bool {
        let mute = matches!(self.phase, Phase::Abandoned | Phase::Lost) || self.parked;
        let told = mute || self.losses.iter().all(Loss::is_own);
        self.pending.is_empty() && self.orders.is_empty() && told
    }

    #[cold]
    fn lose(&mut self, reason: Reason, level: Level, time: Timestamp) {
        self.lose_lines(reason, level, 1, time);
    }

    fn lose_lines(&mut self, reason: Reason, level: Level, lines: u64, time: Timestamp) {
        self.dropped.add(reason, level, lines);
        self.refused_since_take = true;
        match self.losses.iter_mut().find(|loss| loss.reason == reason) {
            Some(loss) => {
                loss.by_level.add(level, lines);
                loss.first = loss.first.min(time);
                loss.last = loss.last.max(time);
            }
            None => {
                let mut by_level = ByLevel::default();
                by_level.add(level, lines);
                self.losses.push(Loss { reason, by_level, first: time, last: time });
            }
        }
    }
}
