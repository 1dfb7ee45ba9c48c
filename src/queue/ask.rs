//! Orders from the callers' side, and the waits of synchronous outputs.

use std::task::Waker;

use super::life::Phase;
use super::orders::{Command, no_answer};
use super::push::Pushed;
use super::queue::Queue;
use crate::error::Error;
use crate::sync::{Instant, after, wait_timeout};

impl Queue {
    /// Asks the worker to do something once all earlier records are delivered. Returns the order's ticket, and whether
    /// the caller has to carry it out because no worker runs.
    pub(crate) fn order(&self, command: Command) -> (u64, Pushed) {
        let mut state = self.lock();
        let ticket = state.orders.next_ticket();
        if state.life.is_over() {
            return (ticket, Pushed::Refused);
        }
        state.orders.add(ticket, command);
        if matches!(state.life.phase, Phase::Ended | Phase::Forked) {
            return (ticket, Pushed::DeliverYourself);
        }
        self.wake(&mut state);
        (ticket, Pushed::Queued)
    }

    /// Waits until an order is done.
    ///
    /// # Errors
    /// The sink's error, or a timeout.
    ///
    /// # Blocking
    /// Until `deadline` at most.
    pub(crate) fn wait_done(&self, ticket: u64, deadline: Instant) -> Result<(), Error> {
        let mut state = self.lock();
        loop {
            let is_over = state.life.is_over();
            if let Some(outcome) = state.orders.outcome(ticket, is_over) {
                return outcome;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.orders.forget(ticket);
                return Err(no_answer());
            }
            state = wait_timeout(&self.room, state, left);
        }
    }

    /// Returns the result of an order. While it is under way, returns `None`, and `waker` is woken at its end.
    pub(crate) fn poll_done(&self, ticket: u64, waker: &Waker) -> Option<Result<(), Error>> {
        let mut state = self.lock();
        let is_over = state.life.is_over();
        let outcome = state.orders.outcome(ticket, is_over);
        if outcome.is_none() {
            state.orders.wake_at_end_of(ticket, waker);
        }
        outcome
    }

    /// Drops the interest in an order. One that was not begun is not carried out.
    pub(crate) fn forget(&self, ticket: u64) {
        let mut state = self.lock();
        let is_over = state.life.is_over();
        if state.orders.outcome(ticket, is_over).is_none() {
            state.orders.forget(ticket);
        }
        let waker = state.orders.remove_waker(ticket);
        drop(state);
        drop(waker);
    }

    pub(crate) fn is_synchronous(&self) -> bool {
        self.synchronous.is_some()
    }

    /// Waits until everything pushed to a synchronous queue is written, and durable where it has to be. Returns false
    /// when that takes too long; the lines then stay queued.
    ///
    /// # Blocking
    /// For the `max_wait` of [`Overflow::Block`](crate::Overflow::Block), or
    /// [`Overflow::DEFAULT_MAX_WAIT`](crate::Overflow::DEFAULT_MAX_WAIT), at most.
    pub(crate) fn wait_settled(&self) -> bool {
        let Some(max_wait) = self.synchronous else { return true };
        let mut state = self.lock();
        let pushed = state.books.progress.taken.total() + state.buffer.pending.by_level().total();
        let deadline = after(Instant::now(), max_wait);
        while state.books.progress.settled < pushed && !state.life.is_over() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.books.overdue += 1;
                return false;
            }
            state = wait_timeout(&self.room, state, left);
        }
        true
    }
}
