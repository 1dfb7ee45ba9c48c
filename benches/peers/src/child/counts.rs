//! What does not depend on the speed of the machine, or little: allocations, CPU time, context switches.

use std::time::Duration;

use super::{Sample, sample};
use crate::measure::Load;
use crate::peers::{Measure, Peer, measure_step};
use crate::{allocations, proc};

/// For a worker to finish what it has, where nothing may be asked of it.
const SETTLE: Duration = Duration::from_millis(250);
/// After its last line a worker may poll so long before it has to sleep.
const FALLS_ASLEEP: Duration = Duration::from_secs(2);

/// Of a step, once warm.
pub(super) fn allocations<P: Peer>(peer: P, load: Load) -> Vec<Sample> {
    struct Count(Load);
    impl Measure for Count {
        type Output = u64;

        fn run(self, mut step: impl FnMut()) -> u64 {
            (0..self.0.warm_up).for_each(|_| step());
            std::thread::sleep(SETTLE);
            allocations::begin();
            (0..self.0.steps).for_each(|_| step());
            allocations::of_this_thread()
        }
    }
    let caller = measure_step(&peer, load.work, Count(load));
    // All rendering is done by then. Ending the log is not part of a step.
    std::thread::sleep(SETTLE);
    let all = allocations::of_all();
    peer.finish();
    vec![
        sample("allocations_caller", caller as f64 / load.steps as f64, "per step"),
        sample("allocations_all", all as f64 / load.steps as f64, "per step"),
    ]
}

/// CPU time of a line, all that a worker does included.
pub(super) fn worker_cost<P: Peer>(peer: P, load: Load) -> Vec<Sample> {
    struct Cost(Load);
    impl Measure for Cost {
        type Output = f64;

        fn run(self, mut step: impl FnMut()) -> f64 {
            (0..self.0.warm_up).for_each(|_| step());
            std::thread::sleep(SETTLE);
            let before = proc::workers_cpu_nanos();
            (0..self.0.steps).for_each(|_| step());
            std::thread::sleep(SETTLE);
            (proc::workers_cpu_nanos() - before) as f64 / (self.0.steps * self.0.work.lines()) as f64
        }
    }
    let nanos = measure_step(&peer, load.work, Cost(load));
    peer.finish();
    vec![sample("worker_per_line", nanos, "ns")]
}

/// Of a worker that gets a line now and then: twice as many switches as wake-ups, if nothing else takes the processor from
/// it.
pub(super) fn trickle_switches<P: Peer>(peer: &P, per_s: u64, lines: u64) -> Vec<Sample> {
    let every = Duration::from_secs(1) / per_s as u32;
    let logged = |lines| {
        peer.inside(|context| {
            (0..lines).for_each(|_| {
                peer.w1e(context);
                std::thread::sleep(every);
            });
        });
    };
    logged(per_s.min(lines));
    let before = proc::workers_switches();
    logged(lines);
    let switches = (proc::workers_switches() - before) as f64;
    vec![sample("switches_per_s", switches * per_s as f64 / lines as f64, "switches/s")]
}

/// Of a worker that has nothing to do.
pub(super) fn idle_switches<P: Peer>(peer: &P, lines: u64, watched: Duration) -> Vec<Sample> {
    peer.inside(|context| (0..lines).for_each(|_| peer.w1e(context)));
    std::thread::sleep(FALLS_ASLEEP);
    let before = proc::workers_switches();
    std::thread::sleep(watched);
    vec![sample("idle_switches", (proc::workers_switches() - before) as f64, "switches")]
}
