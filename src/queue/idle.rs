//! How long the worker waits for lines: seldom while few come, and asleep while none do.
//!
//! A poll that finds nothing doubles the wait, and one that finds little halves it. After the longest wait without a line
//! the worker sleeps, and the next line wakes it. So a line waits for the longest poll at most, and a log of a few lines a
//! second wakes its worker twice for each.

use std::time::Duration;

use crate::sync::Instant;

/// The worker's wait while it is busy.
const MIN_LINGER: Duration = Duration::from_millis(1);
/// The shortest wait while it is not.
const SHORT_LINGER: Duration = Duration::from_millis(5);
/// The longest wait: a line that comes meanwhile waits for its end.
const MAX_LINGER: Duration = Duration::from_millis(80);
/// A batch this large counts as busy.
const BUSY_BYTES: usize = 32 * 1024;
/// A smaller batch has few lines.
const FEW_BYTES: usize = 4 * 1024;
/// After this long without a line, an idle queue gives back memory.
const TRIM_AFTER: Duration = Duration::from_secs(2);
/// How often that is done: the queue has two batches.
const TRIMS: u8 = 2;

/// How busy the worker has been.
#[derive(Debug)]
pub(crate) struct Idle {
    /// When the last line was taken.
    since: Instant,
    last_bytes: usize,
    linger: Duration,
    /// Whether the longest wait brought no line.
    sleeps: bool,
    /// How often an empty batch was handed out before the sleep, for the worker to trim.
    trims: u8,
}

/// How the worker waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It looks again after this time.
    Poll(Duration),
    /// It sleeps until it is woken, or until memory is given back.
    Sleep(Option<Duration>),
    /// It gives back memory.
    Trim,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), last_bytes: 0, linger: SHORT_LINGER, sleeps: false, trims: 0 }
    }

    /// Whether much comes in.
    pub(crate) fn is_busy(&self) -> bool {
        self.last_bytes >= BUSY_BYTES
    }

    /// Whether nothing has come for a while.
    pub(crate) fn is_resting(&self) -> bool {
        self.trims > 0
    }

    /// Returns how to wait for the next line. `is_waited_for`: a line or a loss is there already, perhaps since the worker
    /// was busy, so nothing wakes it for that.
    pub(super) fn wait(&mut self, is_waited_for: bool) -> Wait {
        if self.sleeps && is_waited_for {
            return Wait::Poll(SHORT_LINGER);
        }
        if !self.sleeps {
            return Wait::Poll(if self.is_busy() { MIN_LINGER } else { self.linger });
        }
        if self.trims == TRIMS {
            return Wait::Sleep(None);
        }
        let left = TRIM_AFTER.saturating_sub(self.since.elapsed());
        if left.is_zero() {
            self.trims += 1;
            return Wait::Trim;
        }
        Wait::Sleep(Some(left))
    }

    /// Notes that a wait for `waited` brought no line.
    pub(super) fn found_nothing(&mut self, waited: Wait) {
        if matches!(waited, Wait::Poll(_)) {
            self.sleeps = self.linger == MAX_LINGER;
            self.linger = (self.linger * 2).min(MAX_LINGER);
            self.last_bytes = 0;
        }
    }

    /// Notes that `bytes` are taken.
    pub(super) fn takes(&mut self, bytes: usize) {
        if bytes > 0 {
            self.since = Instant::now();
            self.trims = 0;
            self.linger = match bytes {
                FEW_BYTES.. => SHORT_LINGER,
                _ if self.sleeps => MAX_LINGER,
                _ => (self.linger / 2).max(SHORT_LINGER),
            };
            self.sleeps = false;
        }
        self.last_bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `count` lines at a distance; returns how often the worker woke up, and the longest time that a line waited.
    fn played(distance: Duration, count: u32) -> (u32, Duration) {
        let mut idle = Idle::new();
        let (mut now, mut wakeups, mut longest) = (Duration::ZERO, 0, Duration::ZERO);
        let mut next = distance;
        let end = distance * count;
        while now < end {
            wakeups += 1;
            let wait = idle.wait(false);
            match wait {
                Wait::Poll(time) => now += time,
                Wait::Sleep(_) => now = now.max(next),
                Wait::Trim => unreachable!("lines come"),
            }
            if now < next {
                idle.found_nothing(wait);
                continue;
            }
            longest = longest.max(now - next);
            let mut lines = 0;
            while next <= now {
                next += distance;
                lines += 1;
            }
            idle.takes(lines * 300);
        }
        (wakeups, longest)
    }

    #[test]
    fn a_log_of_few_lines_seldom_wakes_its_worker() {
        for (lines_per_second, most) in [(1, 2), (2, 4), (5, 10), (10, 20), (13, 26), (20, 41)] {
            let (wakeups, longest) = played(Duration::from_secs(1) / lines_per_second, 1_000);
            let seconds = 1_000 / lines_per_second;
            assert!(wakeups <= most * seconds + 10, "{lines_per_second} lines/s: {wakeups} times in {seconds} s");
            assert!(longest <= MAX_LINGER, "{longest:?}");
        }
    }

    #[test]
    fn many_lines_wait_for_the_shortest_poll() {
        let (wakeups, longest) = played(Duration::from_micros(100), 100_000);
        assert!(longest <= SHORT_LINGER && (1_900..2_100).contains(&wakeups), "{wakeups} times, {longest:?}");
    }

    #[test]
    fn between_lines_a_second_apart_the_worker_sleeps() {
        let mut idle = Idle::new();
        while let wait @ Wait::Poll(_) = idle.wait(false) {
            idle.found_nothing(wait);
        }
        idle.takes(300);
        assert_eq!(idle.wait(false), Wait::Poll(MAX_LINGER));
        idle.found_nothing(Wait::Poll(MAX_LINGER));
        assert!(matches!(idle.wait(false), Wait::Sleep(Some(_))));
        assert_eq!(idle.wait(true), Wait::Poll(SHORT_LINGER), "what came before the sleep is not left lying");
    }
}
