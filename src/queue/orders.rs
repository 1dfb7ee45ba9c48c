//! Orders to the sink, and their results for the threads and tasks that wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::error::Error;

/// What an order asks of the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Flush,
    Sync,
    Reopen,
    Rotate,
}

/// Something that the sink does once all earlier records are delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) ticket: u64,
    pub(crate) command: Command,
}

/// All orders of one queue. Tickets count up. Orders are finished in order, except for those that do not wait for lines in
/// flight.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Those that the worker has not taken.
    waiting: Vec<Order>,
    last_ticket: u64,
    done_ticket: u64,
    failures: Vec<(u64, Error)>,
    /// Orders that the worker has taken and nobody waits for any more.
    forgotten: Vec<u64>,
    /// Orders that were finished although earlier ones are not.
    done_early: Vec<u64>,
    /// Tasks that wait for an order.
    wakers: Vec<(u64, Waker)>,
}

impl Orders {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    pub(super) fn add(&mut self, ticket: u64, command: Command) {
        self.waiting.push(Order { ticket, command });
    }

    /// Takes what the worker is to do.
    pub(super) fn take(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.waiting)
    }

    /// Returns whether the sink is to be reopened.
    pub(super) fn has_reopen(&self) -> bool {
        self.waiting.iter().any(|order| order.command == Command::Reopen)
    }

    /// Takes the orders to reopen the sink.
    pub(super) fn take_reopens(&mut self) -> Vec<Order> {
        self.waiting.extract_if(.., |order| order.command == Command::Reopen).collect()
    }

    /// Returns the result of an order; `None` while it is under way. `is_over`: no thread will carry it out.
    pub(super) fn outcome(&mut self, ticket: u64, is_over: bool) -> Option<Result<(), Error>> {
        let is_early =
            self.done_early.iter().position(|early| *early == ticket).map(|at| self.done_early.swap_remove(at));
        if self.done_ticket >= ticket || is_early.is_some() {
            let failed = self.failures.iter().position(|(failed, _)| *failed == ticket);
            return Some(failed.map_or(Ok(()), |at| Err(self.failures.swap_remove(at).1)));
        }
        if is_over {
            self.waiting.retain(|order| order.ticket != ticket);
            return Some(Err(no_answer()));
        }
        None
    }

    /// Drops the interest in an order that is under way. One that was not taken yet is not carried out.
    pub(super) fn forget(&mut self, ticket: u64) {
        match self.waiting.iter().position(|order| order.ticket == ticket) {
            Some(at) => drop(self.waiting.remove(at)),
            None => self.forgotten.push(ticket),
        }
    }

    /// Records the results of orders that were carried out.
    pub(super) fn finish(&mut self, done: Vec<(Order, Result<(), Error>)>) {
        for (order, result) in done {
            self.done_ticket = self.done_ticket.max(order.ticket);
            if let Some(at) = self.forgotten.iter().position(|ticket| *ticket == order.ticket) {
                self.forgotten.swap_remove(at);
            } else if let Err(error) = result {
                self.failures.push((order.ticket, error));
            }
        }
    }

    /// Records the results of orders that earlier ones, which wait for their lines, do not hold up.
    pub(super) fn finish_early(&mut self, done: Vec<(Order, Result<(), Error>)>) {
        for (order, result) in done {
            if let Some(at) = self.forgotten.iter().position(|ticket| *ticket == order.ticket) {
                self.forgotten.swap_remove(at);
                continue;
            }
            self.done_early.push(order.ticket);
            self.failures.extend(result.err().map(|error| (order.ticket, error)));
        }
    }

    /// Registers the waker of a task that waits for an order.
    pub(super) fn wake_at_end_of(&mut self, ticket: u64, waker: &Waker) {
        match self.wakers.iter_mut().find(|(of, _)| *of == ticket) {
            Some((_, known)) => known.clone_from(waker),
            None => self.wakers.push((ticket, waker.clone())),
        }
    }

    /// Removes the waker of a task that waits no longer. The caller drops it without the lock: that is user code.
    pub(super) fn remove_waker(&mut self, ticket: u64) -> Option<Waker> {
        let at = self.wakers.iter().position(|(of, _)| *of == ticket)?;
        Some(self.wakers.swap_remove(at).1)
    }

    /// Removes the wakers of orders that are no longer under way. `is_over`: none is.
    pub(super) fn finished_wakers(&mut self, is_over: bool) -> Vec<Waker> {
        let (done, early) = (self.done_ticket, &self.done_early);
        let is_done = |ticket: u64| is_over || ticket <= done || early.contains(&ticket);
        self.wakers.extract_if(.., |(ticket, _)| is_done(*ticket)).map(|(_, waker)| waker).collect()
    }

    /// Forgets all orders, in a forked child. Those who wait for them are the parent's threads.
    pub(super) fn reset_in_child(&mut self) {
        // They belong to a runtime whose threads do not exist here. Dropping them would run its code.
        std::mem::forget(std::mem::take(&mut self.wakers));
        *self = Self { last_ticket: self.last_ticket, done_ticket: self.last_ticket, ..Self::default() };
    }
}

/// Wakes tasks. The caller holds no lock: a waker is user code.
pub(super) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // Its drop may panic too.
            std::mem::forget(payload);
        }
    }
}

pub(super) fn no_answer() -> Error {
    Error::timeout("the output did not answer in time")
}
