//! Orders to the sink, and those who wait for them.

use super::{Phase, Pushed, Queue, Tally};
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

    /// Says that the batch taken last is done with, and what became of the orders.
    pub(crate) fn batch_done(&self, tally: &Tally, done: Vec<(Order, Result<(), Error>)>) {
        let mut state = self.lock();
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
}
