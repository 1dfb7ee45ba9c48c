//! When the worker calls a sink again.

use std::time::Instant;

/// When the worker calls the sink again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When lines or an order come; at once, when lines are left that the sink has not taken.
    Done,
    /// At once, even without lines.
    More,
    /// At that time, even without lines: to send a batch by age, to keep a connection alive, to try again. When lines
    /// are left that the sink has not taken, it is not called earlier, except for an order or by its waker.
    Later(Instant),
}

#[cfg(feature = "spool")]
impl Next {
    /// Returns it, or `Later` at `at` if that is earlier.
    pub(super) fn or_at(self, at: Option<Instant>) -> Self {
        match (self, at) {
            (Self::Later(next), Some(at)) => Self::Later(next.min(at)),
            (Self::Done, Some(at)) => Self::Later(at),
            (next, _) => next,
        }
    }
}
