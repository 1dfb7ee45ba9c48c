//! Orders to the sink, and those who wait for them.

use super::{Phase, Pushed, Queue, Tally, after};
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
        while state.done_ticket < ticket {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            let given_up = matches!(state.phase, Phase::Abandoned | Phase::Lost);
            let Some(left) = left.filter(|_| !given_up) else {
                match state.orders.iter().position(|order| order.ticket == ticket) {
                    Some(at) => drop(state.orders.remove(at)),
                    None if !given_up => state.given_up.push(ticket),
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

    pub(crate) fn is_synchronous(&self) -> bool {
        self.synchronous.is_some()
    }

    /// Waits until all that has been pushed to a synchronous queue is written, and durable where it has to be. Returns
    /// false when that takes too long: then it stays queued with the worker.
    ///
    /// # Blocking
    /// For the `max_wait` of [`Overflow::Block`](crate::Overflow::Block), or
    /// [`DEFAULT_MAX_WAIT`](crate::DEFAULT_MAX_WAIT), at most.
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

    /// Says that the batch taken last is done with, and what became of the orders. `settled`: it is durable, too, where
    /// it has to be.
    pub(crate) fn batch_done(&self, tally: &Tally, done: Vec<(Order, Result<(), Error>)>, settled: bool) {
        let mut state = self.lock();
        state.tally = tally.clone();
        if settled {
            state.settled = state.taken.total();
        }
        if !done.is_empty() || self.is_synchronous() || state.phase != Phase::Running {
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
}
