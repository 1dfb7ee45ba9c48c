//! An order to all outputs as a future, for those who must not block.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::queue::Command;
use crate::worker::Lane;

/// What the outputs answer to an order. The order stands from the moment the future is made; one that has not begun when
/// the future is dropped is not carried out.
#[must_use = "the order stands, but only awaiting it says that it is done"]
pub(super) struct Answer {
    under_way: Vec<(Arc<Lane>, u64)>,
    /// Of the outputs that have answered.
    result: Result<(), Error>,
}

impl Answer {
    pub(super) fn new(lanes: &[Arc<Lane>], command: Command) -> Self {
        let mut answer = Self { under_way: Vec::with_capacity(lanes.len()), result: Ok(()) };
        for lane in lanes {
            match lane.order(command) {
                Ok(ticket) => answer.under_way.push((Arc::clone(lane), ticket)),
                Err(error) => answer.add(lane, Err(error)),
            }
        }
        answer
    }

    /// The first error is told.
    fn add(&mut self, lane: &Lane, outcome: Result<(), Error>) {
        if self.result.is_ok() {
            self.result = outcome.map_err(|error| error.of_output(&lane.name));
        }
    }
}

impl Future for Answer {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        for (lane, ticket) in std::mem::take(&mut self.under_way) {
            match lane.queue.poll_done(ticket, context.waker()) {
                Some(outcome) => self.add(&lane, outcome),
                None => self.under_way.push((lane, ticket)),
            }
        }
        if self.under_way.is_empty() { Poll::Ready(std::mem::replace(&mut self.result, Ok(()))) } else { Poll::Pending }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        for (lane, ticket) in &self.under_way {
            lane.queue.forget(*ticket);
        }
    }
}
