//! Orders, and promises of durability, that wait for the lines before them.
//!
//! A sink that hands lines over finishes them later, and out of order. Newer lines go on meanwhile.

use std::collections::VecDeque;

use crate::error::Error;
use crate::metrics::ByLevel;
use crate::queue::Order;

/// What waits for lines that are in flight, in order.
#[derive(Debug, Default)]
pub(super) struct Barriers(VecDeque<Barrier>);

/// What is to be done once all lines before an id are done.
#[derive(Debug)]
pub(super) struct Barrier {
    /// The first id behind it.
    pub(super) id: u64,
    /// All that the queue had handed out by then.
    pub(super) taken: u64,
    /// The lines of its batch, for [`Durability`](super::Durability).
    pub(super) written: ByLevel,
    pub(super) is_last: bool,
    pub(super) orders: Vec<Order>,
    /// What the sink said to an early flush.
    pub(super) flushed: Option<Result<(), Error>>,
}

impl Barriers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, barrier: Barrier) {
        self.0.push_back(barrier);
    }

    /// Takes out the first barrier if all lines before it are done. `oldest`: the first line that is not.
    pub(super) fn pop_done(&mut self, oldest: u64) -> Option<Barrier> {
        if self.0.front()?.id <= oldest { self.0.pop_front() } else { None }
    }

    /// Returns a barrier whose orders the sink may get now, as all lines before it were handed over: before `first`.
    pub(super) fn next_handed(&mut self, first: u64) -> Option<&mut Barrier> {
        self.0.iter_mut().find(|barrier| barrier.id <= first && barrier.flushed.is_none() && !barrier.orders.is_empty())
    }

    /// Returns whether an order waits for lines that are still to be offered, from `first` on.
    pub(super) fn wait_for(&self, first: u64) -> bool {
        self.0.iter().any(|barrier| barrier.id > first && !barrier.orders.is_empty())
    }

    /// Notes what the sink said to an early flush.
    pub(super) fn set_flushed(&mut self, id: u64, flushed: Result<(), Error>) {
        if let Some(barrier) = self.0.iter_mut().find(|barrier| barrier.id == id && !barrier.orders.is_empty()) {
            barrier.flushed = Some(flushed);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
