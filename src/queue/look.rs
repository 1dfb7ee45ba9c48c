//! The worker's look at what is pending, while lines that it took rest.

use std::time::Duration;

use super::entry::Entry;
use super::life::Phase;
use super::queue::{Queue, State};
use super::wakeups::WorkerState;
use crate::sync::wait_timeout;

/// The most records that one look shows. A batch of more is a flood, too.
pub(crate) const MOST_SHOWN: usize = 1024;
/// The most records that are shown under one lock, so that threads that log do not wait for it.
const SHOWN_AT_ONCE: usize = 64;

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
    /// Waits for `nap`, unless lines are wanted now, and shows `see` the pending records after the first `shown`. Nobody
    /// takes records meanwhile.
    ///
    /// # Blocking
    /// For `nap` at most.
    pub(crate) fn look(&self, nap: Duration, shown: usize, mut see: impl FnMut((&Entry, &[u8]))) -> Look {
        let mut state = self.lock();
        if !state.wants_lines() && !state.wakeups.calls_sink {
            state.wakeups.worker = WorkerState::Polling;
            state = wait_timeout(&self.work, state, nap);
            state.wakeups.worker = WorkerState::Working;
        }
        let end = state.buffer.pending.len().min(shown + MOST_SHOWN);
        let mut next = shown;
        while next < end {
            if next > shown {
                drop(state);
                state = self.lock();
            }
            let most = SHOWN_AT_ONCE.min(end - next);
            state.buffer.pending.records_from(next).take(most).for_each(&mut see);
            next += most;
        }
        let is_flood = state.buffer.pending.len() > shown + MOST_SHOWN;
        let is_woken = std::mem::take(&mut state.wakeups.calls_sink);
        Look { shown: end, is_flood, is_wanted: state.wants_lines(), is_woken }
    }
}

impl State {
    fn wants_lines(&self) -> bool {
        let has_room = !self.buffer.is_over_half() && self.wakeups.blocked_callers == 0;
        self.life.phase != Phase::Running || !self.orders.is_empty() || !has_room
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::Level;

    use super::*;
    use crate::metrics::Delivered;
    use crate::queue::{Head, Overflow, Push};
    use crate::record::Timestamp;

    /// Pushes records of several blocks, some of them large, and looks after each part.
    #[test]
    fn each_pending_record_is_shown_once_and_in_order() {
        let queue = Queue::new(Overflow::Shed, None, 4 << 20, Arc::<Delivered>::default());
        let length = |index: usize| if index.is_multiple_of(40) { 20_000 } else { 200 + index % 7 };
        let (mut pushed, mut shown, mut seen) = (0, 0, Vec::new());
        for part in [1, SHOWN_AT_ONCE, 3, 400, 0, MOST_SHOWN] {
            for _ in 0..part {
                let bytes = vec![b'a'; length(pushed)];
                let (head, time) = (Head::Line(Level::ERROR), Timestamp::from_nanos(pushed as i64));
                queue.push(Push { head, time, bytes: &bytes, context: None, may_wait: false }, true);
                pushed += 1;
            }
            let see = |(entry, bytes): (&Entry, &[u8])| seen.push((entry.time.as_nanos() as usize, bytes.len()));
            let look = queue.look(Duration::ZERO, shown, see);
            shown = look.shown;
            assert!(!look.is_flood);
            assert_eq!(shown, pushed);
        }
        assert_eq!(seen, (0..pushed).map(|index| (index, length(index))).collect::<Vec<_>>());
    }
}
