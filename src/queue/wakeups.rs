//! Who waits, and whether somebody has to be woken.

use std::time::Duration;

use crate::sync::Instant;

/// What is not signalled is looked for this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// While the queue is nearly full, callers that wait for room are woken no more often than this.
const WAKE_CALLERS_EVERY: Duration = Duration::from_millis(1);

/// Who waits for a signal.
#[derive(Debug, Default)]
pub(super) struct Wakeups {
    pub(super) worker: WorkerState,
    /// The worker shall look at once.
    pub(super) urgent: bool,
    /// The worker shall call the sink, whose waker was woken.
    pub(super) calls_sink: bool,
    /// How many callers wait for room.
    pub(super) blocked_callers: usize,
    /// When they were last woken.
    callers_woken: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WorkerState {
    #[default]
    Working,
    Polling,
    Asleep,
}

impl Wakeups {
    /// Asks the worker to look at once. Returns whether it has to be signalled.
    #[inline]
    pub(super) fn request(&mut self) -> bool {
        !std::mem::replace(&mut self.urgent, true) && self.worker != WorkerState::Working
    }

    /// Asks the worker to call the sink. Returns whether it has to be signalled.
    pub(super) fn request_call(&mut self) -> bool {
        self.urgent = true;
        !std::mem::replace(&mut self.calls_sink, true) && self.worker != WorkerState::Working
    }

    #[inline]
    pub(super) fn is_worker_asleep(&self) -> bool {
        self.worker == WorkerState::Asleep
    }

    /// Whether callers that wait for room are to be woken now. While much gets done, they are woken rarely, so that
    /// they and the worker need not take turns for every chunk. A slow sink wakes them at once.
    pub(super) fn wake_callers(&mut self, has_much_room: bool) -> bool {
        let is_due = self.blocked_callers > 0
            && (has_much_room || self.callers_woken.is_none_or(|woken| woken.elapsed() >= WAKE_CALLERS_EVERY));
        if is_due {
            self.callers_woken = Some(Instant::now());
        }
        is_due
    }
}
