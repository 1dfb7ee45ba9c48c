//! The one way in: every line passes here on its way to the queues.
//!
//! Events, closing lines, panics and the appender's lines are captured by their callers and [submitted](Outputs::submit)
//! here. Three rules then apply to all of them:
//!
//! 1. A line that a log's own thread logs (from inside a sink, for example) never returns to its own output, and is
//!    never passed on twice. Such lines are counted under [`Reason::OwnThread`]. They also never wait for a queue.
//! 2. The line is pushed to the queue of each output in its mask.
//! 3. An output without a worker is delivered by the calling thread.
//!
//! The first output of a line's mask counts the event for the whole log, so that each event counts once.
//!
//! A mask has one bit for each output, in the builder's order.

use std::sync::Arc;

use crate::metrics::Reason;
use crate::queue::{Head, Push, Pushed};
use crate::values::Timestamp;
use crate::worker::{self, Lane};

/// The outputs of one log.
#[derive(Clone, Debug)]
pub(crate) struct Outputs(Vec<Arc<Lane>>);

/// A captured line, before its context is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    pub(crate) bytes: &'a [u8],
}

impl Outputs {
    pub(crate) fn new(lanes: Vec<Arc<Lane>>) -> Self {
        Self(lanes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Complains about the use of the log, not about an output.
    #[cold]
    pub(crate) fn complain(&self, reason: &str, text: impl FnOnce() -> String) {
        if let Some(lane) = self.0.first() {
            lane.complaints.say(reason, &text());
        }
    }

    /// Passes each output in a mask to `count`, and whether it is the first, which counts the event for the log.
    pub(crate) fn count(&self, mask: u64, mut count: impl FnMut(&Lane, bool)) {
        self.in_mask(mask).enumerate().for_each(|(place, lane)| count(lane, place == 0));
    }

    /// Returns the outputs in a mask, each with its bit.
    #[inline]
    fn bits(&self, mask: u64) -> impl Iterator<Item = (usize, &Arc<Lane>)> {
        self.0.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1)
    }

    /// Returns the outputs in a mask.
    #[inline]
    pub(crate) fn in_mask(&self, mask: u64) -> impl Iterator<Item = &Arc<Lane>> {
        self.bits(mask).map(|(_, lane)| lane)
    }

    /// Submits a line to the outputs in `mask`, and returns the outputs that the caller has to [deliver](Self::deliver).
    ///
    /// `push` adds the context and calls [`push`](Self::push), or what does more for lines of its kind.
    #[inline(always)]
    #[must_use = "these outputs have no worker"]
    pub(crate) fn submit<'a>(&self, mut mask: u64, line: Line<'a>, push: impl FnOnce(u64, Push<'a>) -> u64) -> u64 {
        let is_own = worker::own_lane().is_some();
        let Line { head, time, bytes } = line;
        if is_own {
            mask = self.refuse_own(mask, &line);
        }
        push(mask, Push { head, time, bytes, context: None, may_wait: !is_own })
    }

    /// Pushes to each output in `mask`, and returns the outputs that the caller has to deliver.
    #[inline]
    pub(crate) fn push(&self, mask: u64, push: Push<'_>) -> u64 {
        self.push_by(mask, |lane, is_first| lane.queue.push(push, is_first))
    }

    /// Pushes by `push` to each output in `mask`, and returns the outputs that the caller has to deliver. `push` learns
    /// whether the output is the first.
    #[inline]
    pub(crate) fn push_by(&self, mask: u64, push: impl Fn(&Lane, bool) -> Pushed) -> u64 {
        let mut to_deliver = 0;
        let mut is_first = true;
        for (bit, lane) in self.bits(mask) {
            if push(lane, is_first) == Pushed::DeliverYourself {
                to_deliver |= 1 << bit;
            }
            is_first = false;
        }
        to_deliver
    }

    /// Writes what is queued for the outputs in `mask`, on this thread.
    #[inline]
    pub(crate) fn deliver(&self, mask: u64) {
        if mask != 0 {
            self.in_mask(mask).for_each(|lane| {
                lane.deliver_here();
                lane.complain_of_end();
            });
        }
    }

    /// On a thread of the log: returns the outputs in `mask` that may take the line. The others count it as lost.
    #[cold]
    fn refuse_own(&self, mask: u64, line: &Line<'_>) -> u64 {
        let refuses = self.bits(mask).filter(|(_, lane)| lane.refuses_own());
        let refusing = refuses.fold(0, |refusing, (bit, _)| refusing | 1 << bit);
        let others = mask & !refusing;
        self.count(refusing, |lane, is_first| {
            // The event counts in an output that takes it, if there is one.
            lane.queue.refuse(Reason::OwnThread, line.head.level(), 1, line.time, is_first && others == 0);
        });
        others
    }
}
