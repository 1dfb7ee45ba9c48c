//! Orders to the sink, and those who wait for them: threads, and tasks by their waker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::{Phase, Pushed, Queue, State, Tally, after};
use crate::error::Error;
use crate::sink::Control;
use crate::sync::{Instant, PoisonError};

/// Something the sink shall do once all earlier records are delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) ticket: u64,
    pub(crate) control: Control,
}

impl Queue {
    /// Asks the worker to do something once all that was pushed before is delivered. Returns its ticket, and whether
    /// the caller has to do it itself because no worker runs.
    pub(crate) fn order(&self, control: Control) -> (u64, Pushed) {
        let mut state = self.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        if matches!(state.phase, Phase::Abandoned | Phase::Lost) {
            return (ticket, Pushed::Refused);
        }
        state.orders.push(Order { ticket, control });
        if matches!(state.phase, Phase::Ended | Phase::Forked) {
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
        loop {
            if let Some(outcome) = state.outcome(ticket) {
                return outcome;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.forget(ticket);
                return Err(no_answer());
            }
            (state, _) = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What came of an order. None while it is under way: then `waker` is woken once there is something to say.
    pub(crate) fn poll_done(&self, ticket: u64, waker: &Waker) -> Option<Result<(), Error>> {
        let mut state = self.lock();
        let outcome = state.outcome(ticket);
        if outcome.is_none() {
            match state.wakers.iter_mut().find(|(of, _)| *of == ticket) {
                Some((_, known)) => known.clone_from(waker),
                None => state.wakers.push((ticket, waker.clone())),
            }
        }
        outcome
    }

    /// Nobody waits for an order any more. One that has not begun is not carried out.
    pub(crate) fn forget(&self, ticket: u64) {
        let mut state = self.lock();
        let is_over = state.outcome(ticket).is_some();
        if !is_over {
            state.forget(ticket);
        }
        let at = state.wakers.iter().position(|(of, _)| *of == ticket);
        let waker = at.map(|at| state.wakers.swap_remove(at));
        drop(state);
        drop(waker);
    }

    pub(crate) fn is_synchronous(&self) -> bool {
        self.synchronous.is_some()
    }

    /// Waits until all that has been pushed to a synchronous queue is written, and durable where it has to be. Returns
    /// false when that takes too long: then it stays queued with the worker.
    ///
    /// # Blocking
    /// For the `max_wait` of [`Overflow::Block`](crate::Overflow::Block), or
    /// [`Overflow::DEFAULT_MAX_WAIT`](crate::Overflow::DEFAULT_MAX_WAIT), at most.
    pub(crate) fn wait_settled(&self) -> bool {
        let Some(max_wait) = self.synchronous else { return true };
        let mut state = self.lock();
        let pushed = state.taken.total() + state.pending.by_level().total();
        let deadline = after(Instant::now(), max_wait);
        while state.settled < pushed && !matches!(state.phase, Phase::Abandoned | Phase::Lost) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.overdue += 1;
                return false;
            }
            (state, _) = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Notes that the end is near: what was written is durable, where it has to be.
    pub(crate) fn sync_done(&self, tally: &Tally, settled: bool) {
        let taken = self.lock().taken.total();
        self.batch_done(tally, Vec::new(), settled.then_some(taken));
    }

    /// Marks a batch as finished and records its orders' results. `settled`: so many of all records that were ever taken
    /// are finished, and durable where they have to be.
    pub(crate) fn batch_done(&self, tally: &Tally, done: Vec<(Order, Result<(), Error>)>, settled: Option<u64>) {
        let mut state = self.lock();
        state.tally = tally.clone();
        if let Some(settled) = settled {
            state.settled = state.settled.max(settled);
        }
        if !done.is_empty() || self.is_synchronous() || state.phase != Phase::Running {
            self.room.notify_all();
        }
        let any_done = !done.is_empty();
        for (order, result) in done {
            state.done_ticket = state.done_ticket.max(order.ticket);
            if let Some(at) = state.given_up.iter().position(|ticket| *ticket == order.ticket) {
                state.given_up.swap_remove(at);
            } else if let Err(error) = result {
                state.failures.push((order.ticket, error));
            }
        }
        if any_done {
            let wakers = state.wakers_of_ended();
            drop(state);
            wake_all(wakers);
        }
    }
}

impl State {
    /// What came of an order; none while it is under way.
    fn outcome(&mut self, ticket: u64) -> Option<Result<(), Error>> {
        if self.done_ticket >= ticket {
            let failed = self.failures.iter().position(|(failed, _)| *failed == ticket);
            return Some(failed.map_or(Ok(()), |at| Err(self.failures.swap_remove(at).1)));
        }
        if matches!(self.phase, Phase::Abandoned | Phase::Lost) {
            self.orders.retain(|order| order.ticket != ticket);
            return Some(Err(no_answer()));
        }
        None
    }

    /// Nobody waits for an order that is under way.
    fn forget(&mut self, ticket: u64) {
        match self.orders.iter().position(|order| order.ticket == ticket) {
            Some(at) => drop(self.orders.remove(at)),
            None => self.given_up.push(ticket),
        }
    }

    /// The wakers of those whose order is not under way any more.
    pub(super) fn wakers_of_ended(&mut self) -> Vec<Waker> {
        let (done, all) = (self.done_ticket, matches!(self.phase, Phase::Abandoned | Phase::Lost));
        self.wakers.extract_if(.., |(ticket, _)| all || *ticket <= done).map(|(_, waker)| waker).collect()
    }
}

/// Wakes tasks: with no lock held, as a waker is somebody else's code.
pub(super) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // Its own drop may panic too.
            std::mem::forget(payload);
        }
    }
}

fn no_answer() -> Error {
    Error::timeout("the output did not answer in time")
}
