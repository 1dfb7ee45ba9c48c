//! When a sink connects again: after a pause that grows, and that differs between processes.
//!
//! A server that comes back meets all its clients at once unless their pauses are random. Each pause is drawn from the whole
//! range up to its limit (*full jitter*), which spreads them best.
//! Source: M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::sync::after;

/// The limit of the first pause. A restart of a server is over sooner than people notice.
const FIRST_LIMIT: Duration = Duration::from_millis(100);

/// The limit that pauses grow to.
const LAST_LIMIT: Duration = Duration::from_secs(10);

/// The failed attempts to connect in a row, and when the next attempt is due.
#[derive(Debug, Default)]
pub(super) struct Reconnect {
    failures: u32,
    /// When the last attempt failed, and the pause that follows.
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    begun: Instant,
    limit: Duration,
    /// The random part of the limit, from 0 to 1.
    part: f64,
}

impl Reconnect {
    /// Returns when the next attempt is due, if that is later than `now`. `ends_at`: when the log ends, if that was ordered.
    /// Several attempts fit into the time that is left: a pause is limited to a quarter of it.
    pub(super) fn wait(&self, now: Instant, ends_at: Option<Instant>) -> Option<Instant> {
        let Pause { begun, limit, part } = self.pause?;
        let left = ends_at.map(|end| (end.saturating_duration_since(begun) / 4).max(FIRST_LIMIT));
        let at = after(begun, left.map_or(limit, |left| limit.min(left)).mul_f64(part));
        Some(at).filter(|at| *at > now)
    }

    /// Records a failed attempt.
    pub(super) fn failed(&mut self, now: Instant) {
        let limit = LAST_LIMIT.min(FIRST_LIMIT.saturating_mul(1 << self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(Pause { begun: now, limit, part: fraction() });
    }

    /// Records that the peer has answered. A connection alone proves little: a server that is about to fail accepts some.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Makes the next attempt due now: somebody waits for it, such as the end of the log.
    pub(super) fn hurry(&mut self) {
        self.pause = None;
    }
}

/// Returns a random number from 0 to 1. The keys of a new `RandomState` are random in each process.
fn fraction() -> f64 {
    const BITS: u32 = 32;
    (RandomState::new().hash_one(Instant::now()) >> (64 - BITS)) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew_after_success() {
        let (mut reconnect, mut now) = (Reconnect::default(), Instant::now());
        assert_eq!(reconnect.wait(now, None), None);
        let mut longest = Duration::ZERO;
        for attempt in 0..200 {
            reconnect.failed(now);
            let pause = reconnect.wait(now, None).map_or(Duration::ZERO, |at| at - now);
            assert!(pause <= LAST_LIMIT.min(FIRST_LIMIT * (1 << attempt.min(16))), "{attempt}: {pause:?}");
            longest = longest.max(pause);
            now += pause;
        }
        assert!(longest > LAST_LIMIT / 2, "{longest:?}");
        reconnect.succeeded();
        reconnect.failed(now);
        assert!(reconnect.wait(now, None).is_none_or(|at| at <= now + FIRST_LIMIT));
        reconnect.hurry();
        assert_eq!(reconnect.wait(now, None), None);
    }

    #[test]
    fn at_the_end_of_the_log_several_attempts_fit_into_the_time_that_is_left() {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(5);
        let (mut reconnect, mut now, mut attempts) = (Reconnect::default(), begin, 0);
        // The server has been away for long.
        (0..20).for_each(|_| reconnect.failed(begin));
        while now < end {
            reconnect.failed(now);
            let at = reconnect.wait(now, Some(end)).unwrap_or(now + Duration::from_millis(1));
            assert!(at - now <= Duration::from_millis(1250));
            (now, attempts) = (at, attempts + 1);
        }
        assert!((5..5_000).contains(&attempts), "{attempts}");
    }

    /// 10,000 senders lose their server for a minute. Afterwards, no tenth of a second has more than a few hundred of them.
    #[test]
    fn ten_thousand_senders_do_not_come_back_at_once() {
        const SENDERS: usize = 10_000;
        let begin = Instant::now();
        let back = begin + Duration::from_secs(60);
        let mut arrivals = vec![0_usize; 200];
        for _ in 0..SENDERS {
            let (mut reconnect, mut now) = (Reconnect::default(), begin);
            while now < back {
                reconnect.failed(now);
                now = reconnect.wait(now, None).unwrap_or(now);
            }
            let tenth = (now - back).as_millis() as usize / 100;
            arrivals[tenth.min(199)] += 1;
        }
        let most = arrivals.iter().max().copied().unwrap_or_default();
        assert!(most < SENDERS / 20, "{most} in one tenth of a second");
        assert_eq!(arrivals[101..].iter().sum::<usize>(), 0, "all are back after the longest pause");
    }
}
