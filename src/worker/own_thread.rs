//! Which threads belong to the log, for the time they do.

use std::cell::Cell;

thread_local! {
    /// The lane whose engine runs on this thread; zero on all threads but those of the log.
    static OWN_LANE: Cell<usize> = const { Cell::new(0) };
    /// Whether all that it writes right now was logged on threads of the log: an echo of an echo is not passed on.
    static ECHO: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether an event logged on this thread now would answer one that the log itself logged.
pub(crate) fn is_echo() -> bool {
    ECHO.try_with(Cell::get).unwrap_or(false)
}

/// Returns the lane whose engine runs on this thread, if any.
#[inline]
pub(crate) fn own_lane() -> Option<usize> {
    OWN_LANE.try_with(Cell::get).ok().filter(|lane| *lane != 0)
}

/// Marks the thread as one of the log's until it is dropped.
pub(super) struct Own(usize);

impl Own {
    pub(super) fn enter(lane: usize) -> Self {
        Self(OWN_LANE.try_with(|own| own.replace(lane)).unwrap_or(0))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = OWN_LANE.try_with(|own| own.set(self.0));
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
