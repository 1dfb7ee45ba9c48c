//! The logging threads' side: adding records, and counting those that do not come.

use std::time::Duration;

use tracing::Level;

use super::counters::Counters;
use super::entry::Push;
use super::life::Phase;
use super::overflow::Overflow;
use super::queue::{Queue, State};
use crate::context::{Bound, epoch};
use crate::metrics::Reason;
use crate::record::{Grant, Timestamp};
use crate::sync::{Instant, MutexGuard, after, wait_timeout};

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The worker will deliver it.
    Queued,
    /// It is queued, but the output is synchronous, or no worker runs, or not for long. The caller delivers it, or
    /// waits for the thread that does.
    DeliverYourself,
    /// It was refused, and the loss was counted.
    Refused,
}

/// A longer record is copied before the lock is taken.
const LONG_BYTES: usize = 8 * 1024;

impl Queue {
    /// Adds one record: one copy into the pending batch, under one lock. `is_first`: no other output counts the event.
    ///
    /// # Blocking
    /// Waits for room only under [`Overflow::Block`]. The lock itself is never held across I/O.
    #[inline]
    pub(crate) fn push(&self, push: Push<'_>, is_first: bool) -> Pushed {
        if push.bytes.len() > LONG_BYTES {
            return self.push_long(push, is_first);
        }
        self.push_as(push, is_first, None, None)
    }

    /// Adds one long record, which is copied before the lock is taken: other threads do not wait for it.
    #[cold]
    fn push_long(&self, push: Push<'_>, is_first: bool) -> Pushed {
        let mut granted = Grant::default();
        // All threads together may have no more memory for copies. It is then copied under the lock.
        let copy = granted.grow(push.bytes.len()).then(|| push.bytes.to_vec());
        self.push_as(push, is_first, None, copy)
    }

    /// Adds a line that was held back, with the context that it had then. It was counted then. Never waits.
    #[cold]
    pub(crate) fn push_held_back(&self, push: Push<'_>, bound: Option<&Bound>) -> Pushed {
        self.push_as(push, false, Some(bound), None)
    }

    /// Adds one record. `held_back`: the context of a line that was held back, if it had one. `copy`: its bytes, if they
    /// have been copied already.
    #[inline(always)]
    fn push_as(
        &self,
        push: Push<'_>,
        is_first: bool,
        held_back: Option<Option<&Bound>>,
        copy: Option<Vec<u8>>,
    ) -> Pushed {
        let level = push.head.level();
        let mut state = self.lock();
        let mut give_up = None;
        // Lines that were held back come by the hundreds. If each waited, their sum would have no bound.
        let may_wait = push.may_wait && held_back.is_none();
        let placed = loop {
            if state.life.refuses() {
                break Err(Reason::Closed);
            }
            let epoch = epoch();
            let place = match held_back.flatten() {
                None => state.buffer.pending.place(&push, epoch),
                Some(bound) => state.buffer.pending.place_bound(&push, bound, epoch),
            };
            match state.buffer.refusal(self.overflow, &push, place.cost) {
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
        // Counted only when its fate is known, so that the books balance while a call waits.
        let books = &mut state.books;
        let counted = if held_back.is_some() { &mut books.released } else { books.emitted.part_mut(is_first) };
        counted.add(level, 1);
        let (place, epoch) = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                books.drop_lines(reason, level, 1, push.time);
                if state.wakeups.is_worker_asleep() && !state.life.parked {
                    // Perhaps no other line comes with which the loss could be reported.
                    self.wake(&mut state);
                }
                // Nobody can deliver it, but the caller has to complain.
                return if state.life.phase == Phase::Lost { Pushed::DeliverYourself } else { Pushed::Refused };
            }
        };
        state.buffer.add(&push, place, epoch, held_back.flatten(), copy);
        if state.life.caller_delivers() {
            return Pushed::DeliverYourself;
        }
        if self.synchronous.is_some() {
            self.wake(&mut state);
            return Pushed::DeliverYourself;
        }
        if state.wakeups.is_worker_asleep() || level == Level::ERROR || state.buffer.is_over_half() {
            self.wake(&mut state);
        }
        Pushed::Queued
    }

    #[cold]
    fn wait_for_room<'a>(&'a self, mut state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.wake(&mut state);
        state.wakeups.blocked_callers += 1;
        let mut state = wait_timeout(&self.room, state, longest);
        state.wakeups.blocked_callers -= 1;
        state
    }

    /// Counts records that were refused before they came here. `is_first`: no other output counts them.
    pub(crate) fn refuse(&self, reason: Reason, level: Level, lines: u64, time: Timestamp, is_first: bool) {
        if lines > 0 {
            let mut state = self.lock();
            state.books.emitted.part_mut(is_first).add(level, lines);
            state.books.drop_lines(reason, level, lines, time);
        }
    }

    /// Wakes the worker: there will be something to report although no line may come, so it must not go to sleep for
    /// good.
    #[cold]
    pub(crate) fn wake_worker(&self) {
        self.wake(&mut self.lock());
    }

    /// Wakes the worker if that takes no waiting: for a panicking thread.
    pub(crate) fn try_wake_worker(&self) {
        if let Some(mut state) = self.try_lock() {
            self.wake(&mut state);
        }
    }

    /// Counts a line that a rate limit or sampling has suppressed. `is_first`: no other output counts it.
    pub(crate) fn suppress(&self, reason: Reason, level: Level, is_first: bool) {
        let Counters { rate_limited, sampled, .. } = &self.counters;
        (if reason == Reason::Sampled { sampled } else { rate_limited }).part(is_first).add_one(level);
    }

    /// Counts a line that is held back. `is_first`: no other output counts it.
    pub(crate) fn hold_back(&self, level: Level, is_first: bool) {
        self.counters.held_back.part(is_first).add_one(level);
    }

    /// Counts a line that was held back and gave way to another.
    pub(crate) fn evict(&self, level: Level) {
        self.counters.evicted.add_one(level);
    }

    /// Counts values that were left out when they were captured.
    pub(crate) fn count_redacted(&self, values: u64) {
        self.counters.add_redacted(values);
    }
}
