//! Waiting for facts. No test sleeps to be correct: it waits for a fact, and a fact that does not arrive within
//! [`PATIENCE`] fails the test.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// A fact that takes longer fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `fact` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "this did not happen in time: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Measures how long this machine leaves a thread waiting, to judge times beside it.
pub(crate) struct Stalls {
    stop: Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Stalls {
    pub(crate) fn measure() -> Self {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            let mut last = Instant::now();
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_micros(200));
                let now = Instant::now();
                longest = longest.max(now - last);
                last = now;
            }
            longest
        });
        Self { stop, thread }
    }

    /// Returns the longest stall since the start.
    pub(crate) fn longest(self) -> Duration {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
