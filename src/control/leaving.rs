//! Outputs that were removed from a running log: they end, and then give back what their sinks hold.
//!
//! A caller may have looked an output up just before it was removed, and log its line after the output has ended. It then
//! writes the line itself, so the sink stays for the time of [`GRACE`]. One thread for each log waits for that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shutdown::{has_ended, wait_ended};
use crate::metrics::Reason;
use crate::outputs::Outputs;
use crate::process;
use crate::record::discard;
use crate::sync::after;
use crate::worker::Lane;

/// A caller that takes longer between looking an output up and logging loses its line, which is counted and reported.
const GRACE: Duration = Duration::from_secs(1);
/// How soon the thread looks again, at first. A sink that is stuck is looked at less and less often.
const SHORTEST_NAP: Duration = Duration::from_millis(20);
const LONGEST_NAP: Duration = Duration::from_secs(2);

/// Waits for the end of outputs that were removed, and returns how many lines were dropped because they were not written in
/// time. Their sinks are dropped later.
///
/// # Blocking
/// As the end of a log.
pub(crate) fn await_end(outputs: &Arc<Outputs>, lanes: &[Arc<Lane>]) -> u64 {
    wait_ended(lanes.to_vec());
    release_later(outputs);
    // Not what the wait returns: another thread may have waited, too, and only one is told.
    lanes.iter().map(|lane| lane.metrics().dropped.reason(Reason::Shutdown).total()).sum()
}

/// Waits for the end of all outputs that were removed, and drops their sinks, on another thread.
pub(crate) fn release_later(outputs: &Arc<Outputs>) {
    if !outputs.begin_to_release() {
        return;
    }
    let all = Arc::clone(outputs);
    let run = move || {
        // What it drops is the program's.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| release_all(&all))) {
            discard(payload);
            all.cannot_release();
        }
    };
    if process::spawn("spanline-leave", run).is_err() {
        // The next removal tries again. Until then, the sinks stay, and the end of the log waits for them.
        outputs.cannot_release();
    }
}

fn release_all(outputs: &Outputs) {
    // With the time at which the sink can be dropped.
    let mut ended: Vec<(Arc<Lane>, Instant)> = Vec::new();
    let mut nap = SHORTEST_NAP;
    loop {
        let now = Instant::now();
        let released: Vec<_> = ended.extract_if(.., |(lane, at)| *at <= now && lane.release()).collect();
        let is_released = |lane: &Arc<Lane>| released.iter().any(|(other, _)| Arc::ptr_eq(other, lane));
        if !outputs.release(is_released) {
            return;
        }
        let known = ended.len();
        for lane in outputs.leaving() {
            let is_known = ended.iter().any(|(other, _)| Arc::ptr_eq(other, &lane));
            if !is_known && has_ended(&lane, Duration::ZERO).is_some() {
                ended.push((lane, after(now, GRACE)));
            }
        }
        let has_moved = !released.is_empty() || ended.len() > known;
        nap = if has_moved { SHORTEST_NAP } else { (nap * 2).min(LONGEST_NAP) };
        let next = ended.iter().filter(|(_, at)| *at > now).map(|(_, at)| *at - now).min();
        std::thread::park_timeout(next.map_or(nap, |next| next.clamp(SHORTEST_NAP, nap)));
    }
}
