//! Signals that arrive, and the thread that waits for them.

#![expect(unsafe_code, reason = "what a signal handler does")]

use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::semaphore::Semaphore;

/// Signals that arrive. Clones share them.
#[derive(Clone)]
pub(crate) struct Arrivals {
    signals: Arc<[c_int]>,
    /// A bit for each of them: it has arrived.
    arrived: Arc<AtomicU64>,
    semaphore: &'static Semaphore,
}

impl Arrivals {
    pub(crate) fn new(signals: &[c_int]) -> io::Result<Self> {
        Ok(Self { signals: signals.into(), arrived: Arc::default(), semaphore: Semaphore::new()? })
    }

    /// Registers handlers, beside those that are there.
    pub(crate) fn listen(&self) -> io::Result<()> {
        for (bit, signal) in self.signals.iter().enumerate() {
            let (arrived, semaphore) = (Arc::clone(&self.arrived), self.semaphore);
            let arrive = move || {
                arrived.fetch_or(1 << bit, Ordering::SeqCst);
                semaphore.post();
            };
            // SAFETY: the handler changes a number and posts a semaphore, both of which a handler may do.
            unsafe { signal_hook::low_level::register(*signal, arrive) }?;
        }
        Ok(())
    }

    /// Waits for the next signal.
    pub(crate) fn next(&self) -> c_int {
        loop {
            let arrived = self.arrived.load(Ordering::SeqCst);
            let bit = arrived.trailing_zeros();
            if let Some(signal) = self.signals.get(bit as usize) {
                self.arrived.fetch_and(!(1 << bit), Ordering::SeqCst);
                return *signal;
            }
            self.semaphore.wait();
        }
    }
}
