//! When something that has failed is tried again: after a pause that grows.

use std::time::{Duration, Instant};

use crate::sync::after;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Failures in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
    /// Not before this; none while nothing has failed.
    at: Option<Instant>,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { pause: FIRST_PAUSE, at: None }
    }

    /// Records a failed attempt. Returns the pause before the next one.
    pub(super) fn failed(&mut self) -> Duration {
        let pause = self.pause;
        self.at = Some(after(Instant::now(), pause));
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// It went well, or need not be tried any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }
}
