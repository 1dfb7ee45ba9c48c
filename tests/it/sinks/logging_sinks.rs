//! Promise 39: a sink that logs, flushes or ends the process itself neither deadlocks nor feeds itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::sink::{Lines, Memory, Sink};
use spanline::{Error, Guard, Output};
use tracing::{Dispatch, Level};

use crate::support::faults::{Taken, built, sink, within};
use crate::support::ledger::{balance, log};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::wait::PATIENCE;

type Late<T> = Arc<OnceLock<T>>;

/// A sink that logs a line at each write.
fn talkative(taken: &Taken, dispatch: &Late<Dispatch>, writes: &Arc<AtomicU64>) -> impl Sink + use<> {
    let (taken, dispatch, writes) = (taken.clone(), Arc::clone(dispatch), Arc::clone(writes));
    sink(move |lines: &mut Lines| {
        taken.all(lines);
        let seq = writes.fetch_add(1, Ordering::Relaxed);
        if let Some(dispatch) = dispatch.get() {
            within(dispatch, || log(Level::INFO, 99, seq));
        }
        Ok(())
    })
}

#[test]
fn promise_39_a_sink_that_logs_reaches_the_others_and_not_itself() {
    let (taken, memory, dispatch) = (Taken::default(), Memory::new(), Late::default());
    let writes = Arc::new(AtomicU64::new(0));
    let talks = talkative(&taken, &dispatch, &writes);
    let builder =
        spanline::builder().output(Output::new(talks).name("talks")).output(Output::new(memory.clone()).name("memory"));
    let (built, guard) = built(builder);
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    for _ in 0..20 {
        handle.flush(PATIENCE).unwrap();
    }
    let said = writes.load(Ordering::Relaxed);
    assert!((1..=101).contains(&said), "{said} writes: it feeds itself");
    guard.close().unwrap();
    let metrics = handle.metrics();
    let (talks, other) = (metrics.output("talks").unwrap(), metrics.output("memory").unwrap());
    assert_eq!(balance(talks, &taken.text()).len(), 100);
    let said = writes.load(Ordering::Relaxed);
    assert_eq!(talks.dropped.reason(Reason::OwnThread).total(), said, "each line it logged is counted");
    let echoed = balance(other, &memory.text()).iter().filter(|line| line.thread == 99).count() as u64;
    assert_eq!(other.written.total() + other.dropped.total(), 100 + said);
    assert!(echoed >= 1);
    assert!(taken.text().contains(r#""reason":"own_thread""#), "it is told in the log");
}

#[test]
fn promise_39_two_sinks_that_log_do_not_feed_each_other() {
    let (one, other, dispatch) = (Taken::default(), Taken::default(), Late::default());
    let writes = Arc::new(AtomicU64::new(0));
    let builder = spanline::builder()
        .output(Output::new(talkative(&one, &dispatch, &writes)).name("one"))
        .output(Output::new(talkative(&other, &dispatch, &writes)).name("other"));
    let (built, guard) = built(builder);
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
    let settled = || {
        for _ in 0..30 {
            handle.flush(PATIENCE).unwrap();
        }
        writes.load(Ordering::Relaxed)
    };
    let said = settled();
    assert!(said <= 100, "{said} writes for 10 lines");
    assert_eq!(settled(), said, "nothing was logged in between");
    guard.close().unwrap();
    for (name, taken) in [("one", one), ("other", other)] {
        let metrics = handle.metrics();
        let lines = balance(metrics.output(name).unwrap(), &taken.text());
        assert_eq!(lines.iter().filter(|line| line.thread == 0).count(), 10);
    }
}

#[test]
fn promise_39_a_sink_that_flushes_is_told_so() {
    let (handle, answer) = (Late::<spanline::Handle>::default(), Arc::new(Mutex::new(None)));
    let (asks, answered) = (Arc::clone(&handle), Arc::clone(&answer));
    let flushing = sink(move |lines: &mut Lines| {
        Taken::default().all(lines);
        if let Some(handle) = asks.get() {
            *answered.lock().unwrap() = Some((handle.flush(PATIENCE), handle.metrics().outputs.len()));
        }
        Ok(())
    });
    let (dispatch, guard) = built(spanline::builder().output(Output::new(flushing)));
    handle.set(guard.handle()).unwrap();
    within(&dispatch, || log(Level::INFO, 0, 0));
    guard.close().unwrap();
    let (answer, outputs) = answer.lock().unwrap().take().unwrap();
    assert!(answer.unwrap_err().is_own_thread());
    assert_eq!(outputs, 1);
}

#[test]
fn promise_39_a_guard_dropped_on_a_worker_ends_the_log_without_waiting() {
    let (guard, taken) = (Arc::new(Mutex::new(None::<Guard>)), Taken::default());
    let (dropped, into) = (Arc::clone(&guard), taken.clone());
    let dropping = sink(move |lines: &mut Lines| {
        drop(dropped.lock().unwrap().take());
        into.all(lines);
        Ok(())
    });
    let (dispatch, own) = built(spanline::builder().output(Output::new(dropping)));
    let handle = own.handle();
    *guard.lock().unwrap() = Some(own);
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    handle.flush(PATIENCE).unwrap();
    assert_eq!(balance(&handle.metrics().outputs[0], &taken.text()).len(), 100);
}

#[test]
fn promise_39_a_sink_may_end_the_process() {
    let name = this_test!();
    if is_child() {
        let fatal = sink(|_: &mut Lines| std::process::exit(7));
        let guard = spanline::builder().output(Output::new(fatal)).init().unwrap();
        log(Level::ERROR, 0, 0);
        let _ = guard.handle().flush(PATIENCE);
        child_done();
    }
    let mut child = Running::start(child_command(name));
    assert_eq!(child.wait().code(), Some(7));
}

/// After shutdown the calling thread delivers its lines: two threads must not wait for each other's outputs.
#[test]
fn promise_39_sinks_that_log_after_the_end_do_not_deadlock() {
    let name = this_test!();
    if is_child() {
        let ended = Arc::new(AtomicBool::new(false));
        let writes = Arc::new(AtomicU64::new(0));
        let talks = |taken: &Taken| {
            let (taken, ended, writes) = (taken.clone(), Arc::clone(&ended), Arc::clone(&writes));
            sink(move |lines: &mut Lines| -> Result<(), Error> {
                taken.all(lines);
                if ended.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                    log(Level::INFO, 99, writes.fetch_add(1, Ordering::Relaxed));
                }
                Ok(())
            })
        };
        let (one, other) = (Taken::default(), Taken::default());
        let guard = spanline::builder()
            .output(Output::new(talks(&one)).name("one"))
            .output(Output::new(talks(&other)).name("other"))
            .init()
            .unwrap();
        let handle = guard.handle();
        guard.close().unwrap();
        ended.store(true, Ordering::Relaxed);
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    (0..500).for_each(|seq| log(Level::INFO, thread, seq));
                });
            }
        });
        handle.flush(Duration::from_secs(5)).unwrap();
        let said = writes.load(Ordering::Relaxed);
        assert!(said < 10 * 2_000, "{said} writes for 2,000 lines");
        for (name, taken) in [("one", one), ("other", other)] {
            let metrics = handle.metrics();
            let lines = balance(metrics.output(name).unwrap(), &taken.text());
            assert_eq!(lines.iter().filter(|line| line.thread < 4).count(), 2_000);
        }
        println!("done");
        child_done();
    }
    let (stdout, _) = Running::start(child_command(name)).finish();
    assert!(stdout.ends_with("done\n"), "{stdout}");
}
