//! The worker's look at what is pending, while lines that it took rest.

use std::time::Duration;

use super::entry::Entry;
use super::life::Phase;
use super::queue::{Queue, State};
use super::wakeups::WorkerState;
use crate::sync::wait_timeout;

/// The most records that one look shows. A batch of more is a flood, too.
pub(crate) const MOST_SHOWN: usize = 1024;

/// What a look at the queue found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// How many pending records were shown by now.
    pub(crate) shown: usize,
    /// More came than one look shows.
    pub(crate) is_flood: bool,
    /// Lines are wanted now: for an order, at the end, or because the queue fills up.
    pub(crate) is_wanted: bool,
    /// The sink's waker was woken.
    pub(crate) is_woken: bool,
}

impl Queue {
    /// Waits for `nap`, unless lines are wanted now, and shows `see` the pending records after the first `shown`.
    ///
    /// # Blocking
    /// For `nap` at most.
    pub(crate) fn look(&self, nap: Duration, shown: usize, see: impl FnMut((&Entry, &[u8]))) -> Look {
        let mut state = self.lock();
        if !state.wants_lines() && !state.wakeups.calls_sink {
            state.wakeups.worker = WorkerState::Polling;
            state = wait_timeout(&self.work, state, nap);
            state.wakeups.worker = WorkerState::Working;
        }
        let pending = &state.buffer.pending;
        pending.records().skip(shown).take(MOST_SHOWN).for_each(see);
        let is_flood = pending.len() > shown + MOST_SHOWN;
        let shown = pending.len().min(shown + MOST_SHOWN);
        let is_woken = std::mem::take(&mut state.wakeups.calls_sink);
        Look { shown, is_flood, is_wanted: state.wants_lines(), is_woken }
    }
}

impl State {
    fn wants_lines(&self) -> bool {
        let has_room = !self.buffer.is_over_half() && self.wakeups.blocked_callers == 0;
        self.life.phase != Phase::Running || !self.orders.is_empty() || !has_room
    }
}
