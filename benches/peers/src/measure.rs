//! The loops: steps back to back, single calls with a clock around each, and the pace between them.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::peers::{Measure, Peer, measure_step};
use crate::timer::Timer;
use crate::work::Work;

/// From this rate on a thread waits for the next call by spinning: a sleep would be too coarse.
const SPIN_FROM_PER_S: u64 = 1_000;
/// Several threads cannot all spin on few cores; they sleep so long, then do what is due back to back.
const NAP: Duration = Duration::from_millis(1);
/// After the warm-up, for what it logged to be written.
const SETTLE: Duration = Duration::from_millis(30);

const BURSTS: u64 = 20;
/// Longer than any worker takes for the lines of a burst.
const REST: Duration = Duration::from_millis(12);

/// Who runs how much.
#[derive(Clone, Copy)]
pub struct Load {
    pub work: Work,
    pub threads: usize,
    /// Steps of each thread before anything counts.
    pub warm_up: u64,
    /// Steps of all threads together.
    pub steps: u64,
}

/// Steps back to back: when they began, and how long each thread was at it.
pub struct BackToBack {
    pub begun: Instant,
    pub threads: Vec<Duration>,
}

/// Runs the steps and looks at the clock only around all of them.
pub fn back_to_back<P: Peer>(peer: &P, load: Load) -> BackToBack {
    struct Loop<'a>(Load, &'a Barrier);
    impl Measure for Loop<'_> {
        type Output = (Instant, Duration);

        fn run(self, mut step: impl FnMut()) -> Self::Output {
            let Self(load, start) = self;
            warm_up(load.warm_up, start, &mut step);
            let begun = Instant::now();
            (0..load.steps / load.threads as u64).for_each(|_| step());
            (begun, begun.elapsed())
        }
    }
    let results = on_threads(load.threads, |start| measure_step(peer, load.work, Loop(load, start)));
    let begun = results.iter().map(|(begun, _)| *begun).min().expect("a thread");
    BackToBack { begun, threads: results.into_iter().map(|(_, took)| took).collect() }
}

/// Runs the steps in bursts, with rests in which the workers catch up, so that no queue fills up; nanoseconds a step of
/// each burst, sorted.
pub fn bursts<P: Peer>(peer: &P, load: Load) -> Vec<f64> {
    struct Bursts(Load);
    impl Measure for Bursts {
        type Output = Vec<f64>;

        fn run(self, mut step: impl FnMut()) -> Self::Output {
            let steps = self.0.steps / BURSTS;
            let mut burst = || {
                let begun = Instant::now();
                (0..steps).for_each(|_| step());
                let took = begun.elapsed();
                std::thread::sleep(REST);
                took.as_nanos() as f64 / steps as f64
            };
            // The first one warms up.
            burst();
            (0..BURSTS).map(|_| burst()).collect()
        }
    }
    let mut all = measure_step(peer, load.work, Bursts(load));
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// Times each call, at full speed or at `per_s` of all threads together; nanoseconds, sorted.
pub fn calls<P: Peer>(peer: &P, load: Load, per_s: Option<u64>) -> Vec<f64> {
    struct Calls<'a>(Load, Option<u64>, &'a Barrier);
    impl Measure for Calls<'_> {
        type Output = Vec<f64>;

        fn run(self, mut step: impl FnMut()) -> Self::Output {
            let Self(load, per_s, start) = self;
            let timer = Timer::new();
            let count = load.steps / load.threads as u64;
            // Written once before, so that no page of it is new while it counts.
            let mut took = vec![1u64; count as usize];
            warm_up(load.warm_up, start, &mut step);
            let mut pace = Pace::new(timer, per_s, load.threads);
            for (at, took) in took.iter_mut().enumerate() {
                pace.wait(at as u64);
                let begun = timer.ticks();
                step();
                *took = timer.ticks() - begun;
            }
            took.into_iter().map(|ticks| timer.nanos(ticks)).collect()
        }
    }
    let results = on_threads(load.threads, |start| measure_step(peer, load.work, Calls(load, per_s, start)));
    let mut all: Vec<f64> = results.into_iter().flatten().collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// The value that a share of all lie at or below, by nearest rank.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Runs `body` on this many threads and joins them. `body` receives the barrier at which they meet.
fn on_threads<R: Send>(threads: usize, body: impl Fn(&Barrier) -> R + Sync) -> Vec<R> {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        // All are spawned before any is joined.
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| body(&start))).collect();
        handles.into_iter().map(|handle| handle.join().expect("no panic of a caller")).collect()
    })
}

fn warm_up(steps: u64, start: &Barrier, step: &mut impl FnMut()) {
    (0..steps).for_each(|_| step());
    std::thread::sleep(SETTLE);
    start.wait();
}

/// When a thread's next call is due. A call that is late is made at once, so the rate holds on average.
struct Pace {
    timer: Timer,
    begun: u64,
    every: Option<Every>,
}

#[derive(Clone, Copy)]
struct Every {
    ticks: f64,
    waiting: Waiting,
}

#[derive(Clone, Copy)]
enum Waiting {
    Spin,
    /// Until the call is due.
    Sleep,
    /// One nap at a time, whatever comes due meanwhile.
    Nap,
}

impl Pace {
    fn new(timer: Timer, per_s: Option<u64>, threads: usize) -> Self {
        let every = per_s.map(|per_s| Every {
            ticks: timer.ticks_in(Duration::from_secs(1)) as f64 * threads as f64 / per_s as f64,
            waiting: match threads {
                1 if per_s >= SPIN_FROM_PER_S => Waiting::Spin,
                1 => Waiting::Sleep,
                _ => Waiting::Nap,
            },
        });
        Self { timer, begun: timer.ticks(), every }
    }

    #[inline]
    fn wait(&mut self, call: u64) {
        let Some(every) = self.every else { return };
        let due = self.begun + (every.ticks * call as f64) as u64;
        while let Some(left) = due.checked_sub(self.timer.ticks()).filter(|left| *left > 0) {
            match every.waiting {
                Waiting::Spin => std::hint::spin_loop(),
                Waiting::Sleep => std::thread::sleep(Duration::from_nanos(self.timer.nanos(left) as u64)),
                Waiting::Nap => std::thread::sleep(NAP),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 0.999, 1.0].map(|share| percentile(&sorted, share)), [100.0, 198.0, 200.0, 200.0]);
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
    }
}
