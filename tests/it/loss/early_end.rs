//! A log that the program ends long before its last line.

use std::time::{Duration, Instant};

use spanline::sink::Memory;
use spanline::{Guard, Output};
use tracing::info;

use crate::support::faults::{built, within};
use crate::support::stage::Said;
use crate::support::wait::PATIENCE;

/// A line this long after the end is reported.
const LATE: Duration = Duration::from_secs(1);

/// Ends a log by `end` and logs until the log complains. Returns what it said.
fn complaint_after(end: impl FnOnce(Guard)) -> String {
    let (first, second, said) = (Memory::new(), Memory::new(), Said::default());
    let builder = spanline::builder().on_complaint(said.hook());
    let builder = builder.output(Output::new(first.clone())).output(Output::new(second).output_filter("warn"));
    let (dispatch, guard) = built(builder);
    within(&dispatch, || {
        let begun = Instant::now();
        end(guard);
        let mut lines = 0;
        while said.all().is_empty() {
            info!("after the end");
            lines += 1;
            assert!(said.all().is_empty() || begun.elapsed() >= LATE, "too early: {:?}", said.all());
            assert!(begun.elapsed() < PATIENCE, "no complaint");
            std::thread::yield_now();
        }
        (0..100).for_each(|_| tracing::warn!("for both outputs"));
        assert_eq!(said.all().len(), 1, "{:?}", said.all());
        assert_eq!(first.lines().len(), lines + 100, "every line was written");
    });
    said.all().remove(0)
}

#[test]
fn promise_54_a_guard_dropped_at_once_is_one_complaint_that_names_the_cause() {
    let said = complaint_after(drop);
    assert!(said.contains("when its guard was dropped"), "{said}");
    assert!(said.contains("`_guard`") && said.contains("`let _ = …` drops it at once"), "{said}");
}

#[test]
fn promise_54_a_log_closed_too_early_is_one_complaint() {
    let said = complaint_after(|guard| guard.close().unwrap());
    assert!(said.contains("when `Guard::close` was called"), "{said}");
}
