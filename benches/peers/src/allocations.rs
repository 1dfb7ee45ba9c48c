//! Counts allocations, while asked to: of one thread, and of all.
//!
//! Switched off it costs a load of a flag, so it can stay under all measurements.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// No destructor, so it can be used in those of others.
    static MINE: Cell<u64> = const { Cell::new(0) };
}

pub struct Counting;

/// Begins to count.
pub fn begin() {
    COUNTING.store(true, Ordering::SeqCst);
}

/// Allocations of this thread since `begin`.
pub fn of_this_thread() -> u64 {
    MINE.get()
}

/// Allocations of all threads since `begin`.
pub fn of_all() -> u64 {
    ALL.load(Ordering::SeqCst)
}

fn count() {
    if COUNTING.load(Ordering::Relaxed) {
        ALL.fetch_add(1, Ordering::Relaxed);
        let _ = MINE.try_with(|mine| mine.set(mine.get() + 1));
    }
}

// SAFETY: all of it is the system's allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised to us.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}
