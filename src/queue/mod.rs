//! The only lock on the logging path: a double buffer, bounded in bytes.
//!
//! The threads that log add records to the pending [`Batch`]; the worker takes it whole by a swap and brings back
//! an empty one. Both are allocated at the start, so nothing grows under the lock. What is accounted for is all that
//! a record keeps in memory until it is delivered: header, captured bytes and, once for each batch, the contexts.
//!
//! The worker polls while there is something to do, so a push costs no wake-up; only when it sleeps, or something
//! is urgent (an ERROR, a flush, a queue filling up), it is woken. See [`Queue::take`].

mod batch;

pub(crate) use batch::{Batch, Entry, Head};

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::context::{Node, Seen, epoch};
use crate::error::Error;
use crate::metrics::{ByLevel, Dropped, OutputMetrics, Reason};
use crate::record::Timestamp;
use crate::sink::{Control, Delivered};

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
        /// The longest a call may wait; [`DEFAULT_MAX_WAIT`] is a good value.
        max_wait: Duration,
    },
}

/// How long [`Overflow::Block`] waits unless set: long enough for a disk to catch up, too short to fail a request.
pub const DEFAULT_MAX_WAIT: Duration = Duration::from_millis(100);

impl Overflow {
    /// Waits for room, at most [`DEFAULT_MAX_WAIT`].
    pub fn block() -> Self {
        Overflow::Block { max_wait: DEFAULT_MAX_WAIT }
    }
}

/// The worker waits no longer than this before it takes what there is.
const MAX_LINGER: Duration = Duration::from_millis(5);
/// … and this long while much comes in.
const MIN_LINGER: Duration = Duration::from_millis(1);
/// So many pending bytes are taken without waiting.
const BATCH_BYTES: usize = 128 * 1024;
/// After this long without a line the worker sleeps until it is woken.
const IDLE: Duration = Duration::from_secs(1);
/// While the log is shut down, and somebody waits for it, a failed write is tried again this soon.
const LONGEST_PAUSE_AT_END: Duration = Duration::from_millis(20);
/// Whoever logs after the end writes the line himself, and tries no longer than this; then the output is given up.
pub(crate) const LATE_PATIENCE: Duration = Duration::from_secs(1);
/// A loss that goes on is told this often.
const NOTICE_NANOS: i64 = 1_000_000_000;

/// One output's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// The worker waits here.
    work: Condvar,
    /// Blocked callers, and those who wait for an order or for the end.
    room: Condvar,
    overflow: Overflow,
    max_bytes: usize,
    delivered: Arc<Delivered>,
}

#[derive(Debug)]
struct State {
    pending: Batch,
    /// Bytes accounted for: pending, and taken but not delivered.
    used: usize,
    phase: Phase,
    /// The sink has ended: nothing is taken in any more.
    parked: bool,
    waiting: Waiting,
    urgent: bool,
    /// Callers waiting for room.
    blocked: usize,
    emitted: ByLevel,
    dropped: Dropped,
    /// All that the worker ever took.
    taken: ByLevel,
    /// What it lost of that.
    lost: ByLevel,
    /// What had been written when the worker was given up; what it writes later is counted as lost already.
    written_in_time: Option<ByLevel>,
    in_flight_oldest: u64,
    newest: u64,
    losses: Vec<Loss>,
    refused_since_take: bool,
    orders: Vec<Order>,
    last_ticket: u64,
    done_ticket: u64,
    failures: Vec<(u64, Error)>,
    /// Orders under way that nobody waits for any more.
    given_up: Vec<u64>,
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
    /// The worker did not answer in time and is no longer waited for.
    Abandoned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    No,
    Polling,
    Asleep,
}

/// The instant so long after `start`; a duration beyond what an instant can hold ends in a year.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    start.checked_add(duration.min(YEAR)).unwrap_or(start)
}

/// What the worker counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written_bytes: u64,
    pub(crate) notices: u64,
    pub(crate) retries: u64,
    pub(crate) panics: u64,
    pub(crate) last_error: Option<String>,
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

/// Something the sink shall do once all earlier records are delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) ticket: u64,
    pub(crate) control: Control,
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
    /// It is queued, and no worker runs, or not for long: the caller delivers it, or waits for whoever does.
    DeliverYourself,
    /// It was refused, and the loss counted.
    Refused,
}

/// What the worker is to do next.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) batch: Batch,
    pub(crate) losses: Vec<Loss>,
    pub(crate) orders: Vec<Order>,
    /// Nothing more will come while this worker runs.
    pub(crate) last: bool,
}

impl Queue {
    /// A queue that holds `max_bytes` in memory.
    pub(crate) fn new(overflow: Overflow, max_bytes: usize, delivered: Arc<Delivered>) -> Self {
        let state = State {
            pending: Batch::new(max_bytes),
            used: 0,
            phase: Phase::Running,
            parked: false,
            waiting: Waiting::No,
            urgent: false,
            blocked: 0,
            emitted: ByLevel::default(),
            dropped: Dropped::default(),
            taken: ByLevel::default(),
            lost: ByLevel::default(),
            written_in_time: None,
            in_flight_oldest: u64::MAX,
            newest: 0,
            losses: Vec::with_capacity(Reason::ALL.len()),
            refused_since_take: false,
            orders: Vec::new(),
            last_ticket: 0,
            done_ticket: 0,
            failures: Vec::new(),
            given_up: Vec::new(),
            tally: Tally::default(),
        };
        Self { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new(), overflow, max_bytes, delivered }
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
        let level = push.head.level();
        let mut state = self.lock();
        let mut give_up = None;
        let placed = loop {
            if state.parked || state.phase == Phase::Abandoned {
                break Err(Reason::Closed);
            }
            let epoch = epoch();
            let place = state.pending.place(&push, epoch);
            match self.refusal(&state, &push, place.cost) {
                None => break Ok((place, epoch)),
                Some(reason) => match self.overflow {
                    Overflow::Block { max_wait } if push.may_wait && reason == Reason::QueueFull => {
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
        state.emitted.add(level, 1);
        let (place, epoch) = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                state.lose(reason, level, push.time);
                if state.waiting == Waiting::Asleep && !state.parked {
                    // Nothing else may come to tell it with.
                    self.wake(&mut state);
                }
                return Pushed::Refused;
            }
        };
        state.used += place.cost;
        state.newest = epoch;
        state.pending.add(&push, place, epoch);
        if matches!(state.phase, Phase::Ending | Phase::Ended) {
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

    fn wake(&self, state: &mut State) {
        if !state.urgent {
            state.urgent = true;
            if state.waiting != Waiting::No {
                self.work.notify_one();
            }
        }
    }

    /// Which epochs the records carry, for the contexts.
    pub(crate) fn seen(&self) -> Seen {
        let state = self.lock();
        let oldest = state.pending.oldest_epoch().min(state.in_flight_oldest).min(epoch());
        Seen { oldest, newest: state.newest }
    }

    /// Takes the pending batch for `spare`, an empty one, when it is time.
    ///
    /// Returns at once when something is urgent or much is pending. Otherwise it lingers a while, so that lines go
    /// out many at a time; after a second without a line it sleeps until it is woken.
    ///
    /// # Blocking
    /// Yes; only the worker calls it.
    pub(crate) fn take(&self, spare: Batch, idle: &mut Idle) -> Taken {
        let mut state = self.lock();
        let linger = if idle.last_bytes >= BATCH_BYTES / 4 { MIN_LINGER } else { MAX_LINGER };
        let mut waited = false;
        loop {
            if state.phase != Phase::Running || state.urgent || state.pending.bytes() >= BATCH_BYTES {
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
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                state.waiting = Waiting::Polling;
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
        state.take(spare)
    }

    /// Takes what there is, without waiting: for whoever delivers after the worker has ended.
    pub(crate) fn take_now(&self, spare: Batch) -> Taken {
        self.lock().take(spare)
    }

    /// Says that records with `bytes` in all have been resolved: delivered, or in `lost` for a reason.
    pub(crate) fn delivered(&self, bytes: usize, lost: &[(Reason, Level, Timestamp)]) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(bytes);
        if state.phase != Phase::Abandoned {
            for (reason, level, time) in lost {
                state.lost.add(*level, 1);
                state.lose(*reason, *level, *time);
            }
        }
        if state.blocked > 0 {
            self.room.notify_all();
        }
    }

    /// Says that the batch taken last is done with: its contexts are no longer looked at.
    pub(crate) fn batch_done(&self, tally: &Tally, done: Vec<(Order, Result<(), Error>)>) {
        let mut state = self.lock();
        state.in_flight_oldest = u64::MAX;
        state.tally = tally.clone();
        if !done.is_empty() || state.phase != Phase::Running {
            self.room.notify_all();
        }
        for (order, result) in done {
            state.done_ticket = state.done_ticket.max(order.ticket);
            if let Some(at) = state.given_up.iter().position(|ticket| *ticket == order.ticket) {
                state.given_up.swap_remove(at);
            } else if let Err(error) = result {
                state.failures.push((order.ticket, error));
            }
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
                Phase::Running => pause,
                Phase::Closing | Phase::Ending | Phase::Ended => pause.min(LONGEST_PAUSE_AT_END),
                Phase::Abandoned => return false,
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

    /// Asks the worker to do something once all that was pushed before is delivered. Returns its ticket, and whether
    /// the caller has to do it itself because no worker runs.
    pub(crate) fn order(&self, control: Control) -> (u64, Pushed) {
        let mut state = self.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        if state.phase == Phase::Abandoned {
            return (ticket, Pushed::Refused);
        }
        state.orders.push(Order { ticket, control });
        if state.phase == Phase::Ended {
            return (ticket, Pushed::DeliverYourself);
        }
        self.wake(&mut state);
        (ticket, Pushed::Queued)
    }

    /// Waits until an order is done.
    ///
    /// # Errors
    /// What the sink said, or a timeout.
    ///
    /// # Blocking
    /// Until `deadline` at most.
    pub(crate) fn wait_done(&self, ticket: u64, deadline: Instant) -> Result<(), Error> {
        let mut state = self.lock();
        while state.done_ticket < ticket {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            let Some(left) = left.filter(|_| state.phase != Phase::Abandoned) else {
                match state.orders.iter().position(|order| order.ticket == ticket) {
                    Some(at) => drop(state.orders.remove(at)),
                    None if state.phase != Phase::Abandoned => state.given_up.push(ticket),
                    None => {}
                }
                return Err(Error::timeout("the output did not answer in time"));
            };
            (state, _) = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        match state.failures.iter().position(|(failed, _)| *failed == ticket) {
            Some(at) => Err(state.failures.swap_remove(at).1),
            None => Ok(()),
        }
    }

    /// Asks the worker to drain what there is and to end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Closing;
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
        let written = self.written(state);
        state.phase == Phase::Abandoned || (self.held(state, written).total() == 0 && state.orders.is_empty())
    }

    /// Says that the next one may deliver.
    pub(crate) fn let_deliver(&self) {
        let _state = self.lock();
        self.room.notify_all();
    }

    /// Begins to wait for the worker's end, as long as it makes progress: each time it does, `patience` begins anew,
    /// up to `cap` in all.
    pub(crate) fn ending(&self, patience: Duration, cap: Duration) -> Ending {
        let now = Instant::now();
        let last = after(now, cap);
        let finished = self.finished(&self.lock());
        Ending { finished, patience, deadline: after(now, patience).min(last), last }
    }

    /// Looks whether the worker has ended, and waits for that as long as `nap`. When it has, or has got nothing done
    /// for too long, returns the lines left behind, which then count as dropped.
    ///
    /// # Blocking
    /// For `nap` at most.
    pub(crate) fn wait_ended(&self, ending: &mut Ending, nap: Duration) -> Option<u64> {
        let nap = nap.min(ending.deadline.saturating_duration_since(Instant::now()));
        let mut state = self.lock();
        if state.has_worker() && !nap.is_zero() {
            (state, _) = self.room.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.has_worker() {
            return Some(0);
        }
        self.is_overdue(&state, ending).then(|| self.abandon(state))
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
        self.written(state).total() + state.lost.total()
    }

    /// Lines written, those of the batch under way included.
    fn written(&self, state: &State) -> ByLevel {
        state.written_in_time.unwrap_or_else(|| ByLevel::of(|level| self.delivered.of(level)))
    }

    /// Lines the worker has not done with.
    fn held(&self, state: &State, written: ByLevel) -> ByLevel {
        match state.written_in_time {
            Some(_) => state.pending.by_level(),
            None => state.taken.minus(state.lost).minus(written).plus(state.pending.by_level()),
        }
    }

    fn abandon(&self, mut state: MutexGuard<'_, State>) -> u64 {
        state.phase = Phase::Abandoned;
        let written = self.written(&state);
        let left = self.held(&state, written);
        state.written_in_time = Some(written);
        let now = state.pending.last_time();
        for (level, lines) in left.levels() {
            for _ in 0..lines {
                state.lose(Reason::Shutdown, level, now);
            }
        }
        state.used = 0;
        let pending = std::mem::replace(&mut state.pending, Batch::new(0));
        self.work.notify_all();
        self.room.notify_all();
        drop(state);
        drop(pending);
        left.total()
    }

    pub(crate) fn metrics(&self, name: &str) -> OutputMetrics {
        let state = self.lock();
        let tally = state.tally.clone();
        let written = self.written(&state);
        OutputMetrics {
            name: name.to_owned(),
            emitted: state.emitted,
            written,
            dropped: state.dropped,
            queued: self.held(&state, written),
            queued_bytes: state.used as u64,
            written_bytes: tally.written_bytes,
            notices: tally.notices,
            retries: tally.retries,
            panics: tally.panics,
            last_error: tally.last_error,
        }
    }
}

impl State {
    fn has_worker(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Closing | Phase::Ending)
    }

    /// Whether nothing is left to write, a notice neither. Losses of the log's own threads are told with other lines
    /// only: writing them alone could make more. Once it was given up, losses never end and are not told.
    fn is_drained(&self) -> bool {
        let told = self.phase == Phase::Abandoned || self.losses.iter().all(Loss::is_own);
        self.pending.is_empty() && self.orders.is_empty() && told
    }

    fn take(&mut self, spare: Batch) -> Taken {
        let batch = std::mem::replace(&mut self.pending, spare);
        self.taken = self.taken.plus(batch.by_level());
        self.in_flight_oldest = self.in_flight_oldest.min(batch.oldest_epoch());
        self.urgent = false;
        let last = self.phase != Phase::Running;
        let told = !std::mem::take(&mut self.refused_since_take) || last || !self.orders.is_empty();
        // A sink that logs loses a line at each write; a notice of its own for that would be one more write.
        let silent = batch.is_empty() && !last;
        let (losses, later) = self.losses.drain(..).partition(|loss| {
            (told || loss.last.as_nanos() - loss.first.as_nanos() >= NOTICE_NANOS) && !(silent && loss.is_own())
        });
        self.losses = later;
        Taken { batch, losses, orders: std::mem::take(&mut self.orders), last }
    }

    #[cold]
    fn lose(&mut self, reason: Reason, level: Level, time: Timestamp) {
        self.dropped.add(reason, level, 1);
        self.refused_since_take = true;
        match self.losses.iter_mut().find(|loss| loss.reason == reason) {
            Some(loss) => {
                loss.by_level.add(level, 1);
                loss.first = loss.first.min(time);
                loss.last = loss.last.max(time);
            }
            None => {
                let mut by_level = ByLevel::default();
                by_level.add(level, 1);
                self.losses.push(Loss { reason, by_level, first: time, last: time });
            }
        }
    }
}

/// How long a worker's end is still waited for.
#[derive(Debug)]
pub(crate) struct Ending {
    finished: u64,
    patience: Duration,
    deadline: Instant,
    last: Instant,
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

    /// Whether nothing has come for a while.
    pub(crate) fn is_resting(&self) -> bool {
        self.trims > 0
    }
}
