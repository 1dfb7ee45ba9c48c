//! An order to all outputs as a future, for callers that must not block.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::queue::Command;
use crate::worker::Lane;

/// Waits for all outputs to carry out an order.
///
/// The order is given when the future is created. An order that has not begun when the future is dropped is cancelled.
#[must_use = "the order is given, but only awaiting the future shows when it is done"]
pub(super) struct FlushFuture {
    pending: Vec<(Arc<Lane>, u64)>,
    /// The first error of the outputs that have answered.
    result: Result<(), Error>,
}

impl FlushFuture {
    pub(super) fn new(lanes: &[Arc<Lane>], command: Command) -> Self {
        let mut future = Self { pending: Vec::with_capacity(lanes.len()), result: Ok(()) };
        for lane in lanes {
            match lane.order(command) {
                Ok(ticket) => future.pending.push((Arc::clone(lane), ticket)),
                Err(error) => future.add(lane, Err(error)),
            }
        }
        future
    }

    /// Keeps the first error.
    fn add(&mut self, lane: &Lane, outcome: Result<(), Error>) {
        if self.result.is_ok() {
            self.result = outcome.map_err(|error| error.of_output(&lane.name));
        }
    }
}

impl Future for FlushFuture {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        for (lane, ticket) in std::mem::take(&mut self.pending) {
            match lane.queue.poll_done(ticket, context.waker()) {
                Some(outcome) => self.add(&lane, outcome),
                None => self.pending.push((lane, ticket)),
            }
        }
        if self.pending.is_empty() { Poll::Ready(std::mem::replace(&mut self.result, Ok(()))) } else { Poll::Pending }
    }
}

impl Drop for FlushFuture {
    fn drop(&mut self) {
        for (lane, ticket) in &self.pending {
            lane.queue.forget(*ticket);
        }
    }
}
