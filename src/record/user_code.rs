//! Runs the user's `Debug`, `Display` and `Drop` during a capture, and catches their panics.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The number of values being captured on this thread, one inside the other.
    static FORMATTING: Cell<u32> = const { Cell::new(0) };
}

/// Returns whether user code is running on this thread to capture a value. Its panics are caught.
pub(crate) fn is_formatting() -> bool {
    FORMATTING.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

/// Runs user code; returns a panic as its payload.
#[inline]
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| {
        let _formatting = Formatting::enter();
        run()
    }))
}

/// Counts user code that is running. The panic hook runs before this is dropped.
struct Formatting;

impl Formatting {
    #[inline]
    fn enter() -> Self {
        let _ = FORMATTING.try_with(|depth| depth.set(depth.get().wrapping_add(1)));
        Self
    }
}

impl Drop for Formatting {
    #[inline]
    fn drop(&mut self) {
        let _ = FORMATTING.try_with(|depth| depth.set(depth.get().wrapping_sub(1)));
    }
}

/// Drops the payload of a panic. Its `Drop` is user code and may panic too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = guarded(|| drop(payload)) {
        std::mem::forget(again);
    }
}
