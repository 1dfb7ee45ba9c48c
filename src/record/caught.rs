//! Panics of the user's code that are expected, and caught: the panic hook takes no notice of them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Result;

thread_local! {
    /// No destructor, so it can be used in those of others.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs the user's code; an `Err` is what it panicked with.
#[inline]
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T> {
    let outer = CATCHING.try_with(|catching| catching.replace(true)).unwrap_or(false);
    let result = catch_unwind(AssertUnwindSafe(run));
    let _ = CATCHING.try_with(|catching| catching.set(outer));
    result
}

/// Whether a panic on this thread would be caught here.
pub(crate) fn is_caught() -> bool {
    CATCHING.try_with(Cell::get).unwrap_or(false)
}
