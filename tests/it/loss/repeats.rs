//! Consecutive equal lines are written once, and one line counts the others.

use std::sync::atomic::{AtomicI64, Ordering};

use spanline::metrics::Reason;
use spanline::record::Timestamp;
use spanline::sink::Memory;
use spanline::{Handle, Output};
use tracing::{Level, error, info, info_span, warn};
use tracing_subscriber::Registry;

use crate::support::faults::{built, within};
use crate::support::ledger::{Line, all_told, balance, read};
use crate::support::stage::parsed;
use crate::support::wait::{PATIENCE, until};

/// Runs `run` under a log that leaves out repeated lines; its clock gains a second with each look. The books balance.
fn lines(set: impl FnOnce(Output) -> Output, run: impl FnOnce(&Handle)) -> (Vec<Line>, Memory) {
    let (clock, memory) = (AtomicI64::new(0), Memory::new());
    let now = move || Timestamp::from_nanos(clock.fetch_add(1_000_000_000, Ordering::SeqCst));
    let output = set(Output::new(memory.clone()).deduplicate());
    let (dispatch, guard) = built(spanline::builder().filter("trace").clock(now).output(output));
    let handle = guard.handle();
    within(&dispatch, || run(&handle));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    balance(output, &memory.text());
    all_told(output, &memory.text());
    (read(&memory.text()), memory)
}

/// The lines, with the number of those that each reports.
fn said(lines: &[Line]) -> Vec<(&str, u64)> {
    lines.iter().map(|line| (line.message.as_str(), line.suppressed)).collect()
}

fn poll(seq: u64) {
    warn!(target: "db", seq, "not connected");
}

#[test]
fn a_run_of_equal_lines_is_one_line_and_a_count_in_its_place() {
    let (lines, memory) = lines(
        |output| output,
        |_| {
            (0..5).for_each(|_| poll(7));
            info!("other");
            poll(7);
            poll(8);
            poll(8);
        },
    );
    let expected = [
        ("not connected", 0),
        ("not connected", 4),
        ("other", 0),
        ("not connected", 0),
        ("not connected", 0),
        ("not connected", 1),
    ];
    assert_eq!(said(&lines), expected);
    let summary = &parsed(&memory)[1];
    assert_eq!((&summary["level"], &summary["target"], &summary["seq"]), (&"WARN".into(), &"db".into(), &7.into()));
    assert_eq!((&summary["reason"], lines[1].first < lines[1].last), (&"repeated".into(), true), "{summary}");
}

#[test]
fn lines_of_other_spans_levels_and_call_sites_are_not_equal() {
    let (lines, memory) = lines(
        |output| output,
        |_| {
            for request in ["r-1", "r-2"] {
                info_span!("request", request_id = request).in_scope(|| (0..3).for_each(|_| poll(1)));
            }
            info!("text");
            info!("text");
            error!("text");
        },
    );
    let counts: Vec<_> = said(&lines).iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [0, 2, 0, 2, 0, 0, 0]);
    let parsed = parsed(&memory);
    assert_eq!(
        (&parsed[1]["request_id"], &parsed[3]["request_id"]),
        (&"r-1".into(), &"r-2".into()),
        "the count has its span"
    );
    assert_eq!(parsed[0]["span_id"], parsed[1]["span_id"]);
}

#[test]
fn a_value_recorded_on_the_span_ends_a_run() {
    let (lines, _) = lines(
        |output| output,
        |_| {
            let span = info_span!("request", status = tracing::field::Empty);
            let log = || span.in_scope(|| poll(1));
            log();
            log();
            span.record("status", 200);
            log();
        },
    );
    assert_eq!(said(&lines), [("not connected", 0), ("not connected", 1), ("not connected", 0)]);
}

#[test]
fn a_flush_reports_what_was_repeated_so_far() {
    let (lines, _) = lines(
        |output| output,
        |handle| {
            (0..3).for_each(|_| poll(1));
            handle.flush(PATIENCE).unwrap();
            (0..4).for_each(|_| poll(1));
            handle.flush(PATIENCE).unwrap();
            handle.flush(PATIENCE).unwrap();
        },
    );
    assert_eq!(said(&lines), [("not connected", 0), ("not connected", 2), ("not connected", 4)]);
}

#[test]
fn a_run_that_nothing_ends_is_reported_after_a_while() {
    let (_, memory) = lines(
        |output| output,
        |handle| {
            (0..3).for_each(|_| poll(1));
            until("the line that says so, which nothing else follows", || handle.metrics().outputs[0].notices == 1);
        },
    );
    assert_eq!(memory.lines().len(), 2);
}

#[test]
fn a_line_that_the_record_filter_refuses_is_filtered_and_not_repeated() {
    let takes = |record: &spanline::record::Record<'_>| record.field("noise").is_none();
    let (lines, _) = lines(
        |output| output.record_filter(takes),
        |_| {
            poll(1);
            for _ in 0..3 {
                info!(noise = true, "noise");
            }
            poll(1);
        },
    );
    assert_eq!(said(&lines), [("not connected", 0), ("not connected", 1)]);
}

#[test]
fn repeated_lines_are_counted_as_dropped_and_need_no_notice_besides() {
    let (dispatch, guard) = built(spanline::builder().output(Output::new(Memory::new()).deduplicate()));
    let handle = guard.handle();
    within(&dispatch, || (0..10).for_each(|_| poll(1)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(output.dropped.reason(Reason::Repeated).level(Level::WARN), 9);
    assert_eq!((output.emitted.total(), output.written.total(), output.notices), (10, 1, 1));
}

#[test]
fn threads_that_log_equal_lines_lose_none_of_the_count() {
    let (lines, _) = lines(
        |output| output,
        |_| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| within(&dispatch, || (0..1_000).for_each(|_| poll(1))));
                }
            });
        },
    );
    let total: u64 = lines.iter().map(|line| if line.is_notice() { line.suppressed } else { 1 }).sum();
    assert_eq!(total, 4_000);
}

#[test]
fn a_long_repeated_line_is_reported_within_the_limit_of_a_line() {
    let memory = Memory::new();
    let builder = spanline::builder().max_line_bytes(512).output(Output::new(memory.clone()).deduplicate());
    let (dispatch, guard) = built(builder);
    let text = "x".repeat(400);
    within(&dispatch, || (0..3).for_each(|_| info!(%text, "long")));
    guard.close().unwrap();
    assert_eq!(parsed(&memory)[1]["suppressed"], 2);
    assert!(memory.lines().iter().all(|line| line.len() <= 512), "{}", memory.text());
}

#[test]
fn an_appender_refuses_to_leave_out_repeated_lines() {
    let error = Output::new(Memory::new()).deduplicate().appender().err().unwrap();
    assert!(error.is_invalid() && error.to_string().contains("deduplicate"), "{error}");
    let (_layer, _guard) =
        spanline::builder().output(Output::new(Memory::new()).deduplicate()).build::<Registry>().unwrap();
}
