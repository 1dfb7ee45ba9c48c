//! Many threads, much memory.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spanline::sink::{Memory, Writer};
use spanline::{Output, Overflow};
use tracing::Level;

use crate::support::faults::{Faulty, Gate, built, within};
use crate::support::ledger::{all_told, balance, in_order, log};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::wait::PATIENCE;

/// Events of each thread; set `SPANLINE_EVENTS=100000` for the figure of the promise.
fn events() -> u64 {
    std::env::var("SPANLINE_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

fn flood(dispatch: &tracing::Dispatch, threads: u64) {
    let start = Barrier::new(threads as usize);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let start = &start;
            scope.spawn(move || {
                within(dispatch, || {
                    start.wait();
                    (0..events()).for_each(|seq| log(Level::INFO, thread, seq));
                });
            });
        }
    });
}

#[test]
fn promise_20_sixty_four_threads_lose_nothing_when_they_may_wait() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).overflow(Overflow::Block { max_wait: PATIENCE }).queue_bytes(1 << 20);
    let (dispatch, guard) = built(spanline::builder().output(output));
    flood(&dispatch, 64);
    let handle = guard.handle();
    guard.close().unwrap();
    let lines = balance(&handle.metrics().outputs[0], &memory.text());
    assert_eq!(in_order(&lines) as u64, 64 * events());
}

#[test]
fn promise_20_sixty_four_threads_keep_the_books_when_they_may_not_wait() {
    let memory = Memory::new();
    let (dispatch, guard) = built(spanline::builder().output(Output::new(memory.clone()).queue_bytes(64 << 10)));
    flood(&dispatch, 64);
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    let lines = balance(output, &memory.text());
    in_order(&lines);
    all_told(output, &memory.text());
    assert_eq!(output.emitted.total(), 64 * events());
}

/// The most memory the process ever had in RAM, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

const BUDGET: u64 = 8 << 20;
const SLACK: u64 = 32 << 20;
/// A program has this much before it logs anything; what this binary of all tests, built for debugging, has beyond is
/// its own.
const PROGRAM: u64 = 10 << 20;

/// Runs `what` in a child with several outputs, the first of which is stuck, and checks the child's memory by the
/// `limit` in bytes.
fn bounded(test: &str, outputs: u64, limit: u64, what: impl FnOnce()) {
    if !is_child() {
        let (stdout, _) = Running::start(child_command(test)).finish();
        assert!(stdout.ends_with("bounded\n"), "{stdout}");
        return;
    }
    let stuck = Faulty::gated();
    let mut builder = spanline::builder().output(Output::new(Writer::new(stuck)).name("stuck"));
    for _ in 1..outputs {
        builder = builder.output(Output::new(Writer::new(std::io::sink())));
    }
    let guard = builder.shutdown_timeout(Duration::ZERO, Duration::ZERO).init().unwrap();
    let before = peak_bytes();
    what();
    let peak = peak_bytes();
    let held = guard.handle().metrics();
    assert!(held.outputs.iter().all(|output| output.queued_bytes <= BUDGET + (2 << 20)), "{held:#?}");
    let own = before.saturating_sub(PROGRAM);
    assert!(peak <= limit + own, "{} MiB, from {} MiB on", peak >> 20, before >> 20);
    println!("{} MiB, from {} MiB on\nbounded", peak >> 20, before >> 20);
    child_done();
}

#[test]
fn promise_16_large_lines_into_a_stuck_sink() {
    bounded("loss::load::promise_16_large_lines_into_a_stuck_sink", 1, BUDGET + SLACK, || {
        let value = "x".repeat(1 << 20);
        (0..500).for_each(|_| tracing::error!(value, "large"));
    });
}

#[test]
fn promise_16_large_spans_under_tiny_events() {
    bounded("loss::load::promise_16_large_spans_under_tiny_events", 1, BUDGET + SLACK, || {
        let value = "x".repeat(1 << 20);
        for _ in 0..500 {
            tracing::info_span!("large", value).in_scope(|| tracing::error!("tiny"));
        }
    });
}

/// Takes everything while its gate is open.
struct Gated(Gate);

impl std::io::Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.pass();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn promise_16_a_large_queue_that_fills_up_again_and_again() {
    // Millions of lines: quick, but not on a busy machine in a build without optimizations.
    const LONG: Duration = Duration::from_secs(5 * PATIENCE.as_secs());
    if !is_child() {
        let test = "loss::load::promise_16_a_large_queue_that_fills_up_again_and_again";
        let (stdout, _) = Running::start(child_command(test)).finish_within(LONG);
        assert!(stdout.ends_with("bounded\n"), "{stdout}");
        return;
    }
    let budget = 64 << 20;
    let gate = Gate::opened();
    let output = Output::new(Writer::new(Gated(gate.clone()))).queue_bytes(budget);
    let guard = spanline::builder().output(output).init().unwrap();
    let dropped = || guard.handle().metrics().dropped();
    for _ in 0..3 {
        gate.close();
        let before = dropped();
        while dropped() == before {
            (0..10_000).for_each(|number| tracing::error!(number, "tiny"));
        }
        gate.open();
        guard.handle().flush(LONG).unwrap();
    }
    let peak = peak_bytes();
    assert!(peak <= budget + SLACK, "{} MiB", peak >> 20);
    println!("bounded");
    child_done();
}

fn large_values(threads: usize) {
    let value = "x".repeat(10 << 20);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..10).for_each(|_| tracing::error!(value, "large")));
        }
    });
}

#[test]
fn promise_16_sixty_four_threads_with_large_values() {
    let name = "loss::load::promise_16_sixty_four_threads_with_large_values";
    // The value itself is the application's.
    bounded(name, 1, BUDGET + SLACK + (10 << 20), || large_values(64));
}

fn recorded_with(outside: bool) {
    let value = "x".repeat(1 << 20);
    let span = tracing::info_span!("large", value = tracing::field::Empty);
    span.in_scope(|| tracing::error!("tiny"));
    for _ in 0..500 {
        span.record("value", value.as_str());
        if outside {
            tracing::error!("tiny");
        } else {
            span.in_scope(|| tracing::error!("tiny"));
        }
    }
}

#[test]
fn promise_16_large_values_recorded_between_events() {
    bounded("loss::load::promise_16_large_values_recorded_between_events", 1, BUDGET + SLACK, || {
        recorded_with(false);
    });
}

#[test]
fn promise_16_large_values_recorded_between_events_of_others() {
    let name = "loss::load::promise_16_large_values_recorded_between_events_of_others";
    bounded(name, 1, BUDGET + SLACK, || recorded_with(true));
}

/// The healthy output delivers events that the stuck one refuses: what they saw must not stay.
#[test]
fn promise_16_large_values_recorded_while_another_output_goes_on() {
    let name = "loss::load::promise_16_large_values_recorded_while_another_output_goes_on";
    bounded(name, 2, 2 * BUDGET + SLACK, || recorded_with(false));
}

#[test]
fn set_filter_under_load_loses_no_count() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).overflow(Overflow::Block { max_wait: PATIENCE });
    let (dispatch, guard) = built(spanline::builder().filter("info").output(output));
    let (handle, done) = (guard.handle(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                handle.set_filter("warn").unwrap();
                handle.set_filter("info").unwrap();
            }
        });
        let logging = [0, 1].map(|thread| {
            let dispatch = &dispatch;
            scope.spawn(move || within(dispatch, || (0..5_000).for_each(|seq| log(Level::INFO, thread, seq))))
        });
        logging.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    within(&dispatch, || log(Level::ERROR, 9, 0));
    guard.close().unwrap();
    in_order(&balance(&handle.metrics().outputs[0], &memory.text()));
}

/// A line carries what was recorded before it, and none later, while other threads log in the same span.
#[test]
fn recorded_values_are_exact_under_load() {
    #[derive(serde::Deserialize)]
    struct Seen {
        thread: u64,
        seq: u64,
        value: Option<u64>,
    }
    let memory = Memory::new();
    let output = Output::new(memory.clone()).overflow(Overflow::Block { max_wait: PATIENCE }).queue_bytes(64 << 10);
    let (dispatch, guard) = built(spanline::builder().output(output));
    let done = AtomicBool::new(false);
    within(&dispatch, || {
        let span = tracing::info_span!("shared", value = tracing::field::Empty);
        std::thread::scope(|scope| {
            for thread in 1..=2 {
                let (dispatch, span, done) = (&dispatch, &span, &done);
                scope.spawn(move || {
                    within(dispatch, || {
                        for seq in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                            span.in_scope(|| log(Level::INFO, thread, seq));
                        }
                    });
                });
            }
            for seq in 0..5_000_u64 {
                span.record("value", seq);
                if seq % 3 > 0 {
                    span.in_scope(|| log(Level::INFO, 0, seq));
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    });
    guard.close().unwrap();
    let mut newest = [None; 3];
    for line in memory.lines() {
        let seen: Seen = serde_json::from_str(&line).unwrap();
        if seen.thread == 0 {
            assert_eq!(seen.value, Some(seen.seq));
        }
        let before = std::mem::replace(&mut newest[seen.thread as usize], seen.value);
        assert!(before <= seen.value, "{before:?} before {line}");
    }
}
