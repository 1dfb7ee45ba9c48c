//! The worker's thread, and what it writes in answer to the log itself.

use std::cell::Cell;

use crate::sink::{enter_thread, owner_of_thread};

thread_local! {
    /// Whether all that it writes right now was logged on threads of the log: an echo of an echo is not passed on.
    static ECHO: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether an event logged on this thread now would answer one that the log itself logged.
pub(crate) fn is_echo() -> bool {
    ECHO.try_with(Cell::get).unwrap_or(false)
}

/// Returns the lane that this thread belongs to, if any: as its worker, or as a thread of its sink.
#[inline]
pub(crate) fn own_lane() -> Option<usize> {
    owner_of_thread()
}

/// Marks the thread as one of a lane's until it is dropped.
pub(super) struct Own(usize);

impl Own {
    pub(super) fn enter(lane: usize) -> Self {
        Self(enter_thread(lane))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        enter_thread(self.0);
    }
}

/// Marks what this thread writes as an echo, or not, until it is dropped.
pub(super) struct Echo(bool);

impl Echo {
    pub(super) fn enter(is_echo: bool) -> Self {
        Self(ECHO.try_with(|echo| echo.replace(is_echo)).unwrap_or(false))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = ECHO.try_with(|echo| echo.set(self.0));
    }
}
