//! What the layer keeps for each thread: the capture buffer, and the thread's number and name.

use std::cell::Cell;

use crate::record::{Capture, Scratch};

thread_local! {
    /// The buffer that captures write into. It is taken out while in use. An event that is logged while a value is being
    /// formatted finds none and uses a fresh one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };

    static THREAD: (u64, String) = number_and_name();
}

/// Runs `run` with this thread's buffer, emptied.
#[inline(always)]
pub(super) fn with_scratch<T>(run: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = Scratch::new(SCRATCH.try_with(Cell::take).unwrap_or_default());
    let result = run(&mut scratch);
    if let Some(buffer) = scratch.into_reusable() {
        let _ = SCRATCH.try_with(|place| place.set(buffer));
    }
    result
}

/// Adds this thread to a record.
#[inline]
pub(super) fn capture_thread(capture: &mut Capture<'_>) {
    let _ = THREAD.try_with(|(id, name)| capture.thread(*id, name));
}

/// Reads number and name of the thread. The standard library gives the number only as text, `ThreadId(7)`.
fn number_and_name() -> (u64, String) {
    let thread = std::thread::current();
    let digits: String = format!("{:?}", thread.id()).chars().filter(char::is_ascii_digit).collect();
    (digits.parse().unwrap_or(0), thread.name().unwrap_or_default().to_owned())
}
