//! The flight recorder stays within its memory, counts what it loses, and never delays a caller.

use std::time::Duration;

use serde_json::json;
use spanline::metrics::Reason;
use spanline::sink::Memory;
use spanline::{FlightRecorder, Output, Overflow};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Level, debug, error, info_span};
use tracing_subscriber::prelude::*;

use crate::context::flight_recorder::{assert_balanced, holding, logged, messages};
use crate::support::child::child;
use crate::support::stage::{Gate, fixed, parsed};

#[test]
fn promise_16_the_oldest_request_is_evicted_and_counted() {
    let held = FlightRecorder::new("trace").memory_bytes(64 << 10).memory_bytes_per_request(60 << 10);
    let long = "x".repeat(15_000);
    let (lines, metrics) = logged(fixed().filter("info").flight_recorder(held), || {
        let requests: Vec<_> = (0..10).map(|id| info_span!("request", request_id = id)).collect();
        requests.iter().for_each(|request| request.in_scope(|| debug!(long, "held")));
        requests.iter().for_each(|request| request.in_scope(|| error!("failed")));
    });
    let of: Vec<_> =
        lines.iter().filter(|line| line["held_back"] == true).map(|line| line["request_id"].clone()).collect();
    assert!(!of.is_empty() && of.len() < 5 && of.last() == Some(&json!(9)), "{of:?}");
    assert_eq!(metrics.evicted.level(Level::DEBUG), 10 - of.len() as u64);
    assert_eq!(metrics.held_back, metrics.evicted);
}

#[test]
fn promise_16_the_oldest_lines_of_a_too_large_request_are_evicted() {
    let held = FlightRecorder::new("trace").memory_bytes_per_request(10_000);
    let (lines, metrics) = logged(fixed().filter("info").flight_recorder(held), || {
        let _request = info_span!("request", request_id = 1).entered();
        debug!("the first");
        debug!(long = "x".repeat(100_000), "too large by itself");
        debug!("the last");
        error!("failed");
    });
    assert_eq!(messages(&lines), ["the first", "the last", "failed"]);
    assert_eq!((metrics.evicted.total(), metrics.released.total()), (1, 2));
    let held = FlightRecorder::new("trace").memory_bytes_per_request(10_000);
    let (lines, metrics) = logged(fixed().filter("info").flight_recorder(held), || {
        let _request = info_span!("request", request_id = 1).entered();
        for at in 0..1000 {
            info_span!("step", step = at).in_scope(|| debug!(at, "held"));
        }
        error!("failed");
    });
    let (_, held) = lines.split_last().unwrap();
    let numbers: Vec<_> = held.iter().map(|line| line["at"].as_u64().unwrap()).collect();
    assert!(numbers.len() >= 10 && numbers == (1000 - numbers.len() as u64..1000).collect::<Vec<_>>(), "{numbers:?}");
    assert!(held.iter().all(|line| line["at"] == line["step"]));
    assert_eq!(metrics.evicted.total() + metrics.released.total(), 1000);
}

#[test]
fn a_rate_limit_applies_to_logged_lines_and_not_to_held_ones() {
    let builder = holding().rate_limit(1, Duration::from_secs(60)).rate_limit_errors(1, Duration::from_secs(60));
    let (lines, metrics) = logged(builder, || {
        let _request = info_span!("request", request_id = 1).entered();
        for at in 0..3 {
            debug!(at, "held");
            error!(at, "failed");
        }
    });
    // Of three errors one is logged, and only that one asks.
    assert_eq!(messages(&lines), ["held", "failed", "failed"]);
    assert_eq!(lines[2]["suppressed"], 2);
    assert_eq!(metrics.dropped.reason(Reason::RateLimited).total(), 2);
    assert_eq!((metrics.released.total(), metrics.held_back.total()), (1, 2));
}

#[test]
fn promise_01_released_lines_without_room_are_counted_and_reported() {
    let gate = Gate::default();
    let output = Output::new(gate.clone()).queue_bytes(16 << 10).overflow(Overflow::Shed);
    let builder =
        fixed().filter("info").flight_recorder(FlightRecorder::new("trace").memory_bytes_per_request(1 << 20));
    let (layer, guard) = builder.output(output).build().unwrap();
    let handle = guard.handle();
    with_default(tracing_subscriber::registry().with(layer), || {
        let _request = info_span!("request", request_id = 1).entered();
        (0..1000).for_each(|at| debug!(at, "held"));
        assert_eq!(handle.metrics().outputs[0].held_back.total(), 1000);
        assert_eq!(handle.metrics().outputs[0].queued.total(), 0);
        error!("failed");
    });
    assert_balanced(&handle.metrics().outputs[0]);
    gate.open();
    guard.close().unwrap();
    let metrics = handle.metrics().outputs.pop().unwrap();
    assert_balanced(&metrics);
    assert_eq!((metrics.released.total(), metrics.held_back.total()), (1000, 0));
    assert!(metrics.dropped.reason(Reason::Shed).level(Level::DEBUG) > 0 && metrics.written.level(Level::DEBUG) > 0);
    assert_eq!(metrics.written.level(Level::ERROR), 1);
    assert!(gate.memory.text().contains("log lines were dropped"));
}

/// With a wait for each line this would take a quarter of an hour, which the child is not given.
#[test]
fn promise_18_released_lines_never_wait_for_room() {
    child(this_test!(), &[], || {
        let gate = Gate::default();
        let overflow = Overflow::Block { max_wait: Duration::from_secs(1) };
        let output = Output::new(gate.clone()).queue_bytes(16 << 10).overflow(overflow);
        let builder =
            fixed().filter("info").flight_recorder(FlightRecorder::new("trace").memory_bytes_per_request(1 << 20));
        let (layer, guard) = builder.output(output).build().unwrap();
        let handle = guard.handle();
        with_default(tracing_subscriber::registry().with(layer), || {
            let _request = info_span!("request", request_id = 1).entered();
            (0..1000).for_each(|at| debug!(at, "held"));
            error!("failed");
        });
        assert!(handle.metrics().outputs[0].dropped.reason(Reason::QueueFull).level(Level::DEBUG) > 0);
        gate.open();
        guard.close().unwrap();
        handle.metrics().outputs.iter().for_each(assert_balanced);
    });
}

/// Requests on all threads at once, their errors among them: every line is accounted for, and no line is in another's.
#[test]
fn promise_20_requests_on_many_threads_stay_apart() {
    const THREADS: u64 = 8;
    const REQUESTS: u64 = 200;
    let memory = Memory::new();
    let output = Output::new(memory.clone()).queue_bytes(64 << 20);
    let held = FlightRecorder::new("trace").memory_bytes(64 << 10).memory_bytes_per_request(16 << 10);
    let (layer, guard) = fixed().filter("info").flight_recorder(held).output(output).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let handle = guard.handle();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let dispatch = &dispatch;
            scope.spawn(move || {
                tracing::dispatcher::with_default(dispatch, || {
                    for request in 0..REQUESTS {
                        let id = thread * REQUESTS + request;
                        let _request = info_span!("request", request_id = id).entered();
                        for at in 0..10 {
                            info_span!("step", at).in_scope(|| debug!(of = id, "held"));
                        }
                        if request % 3 == 0 {
                            error!(of = id, "failed");
                        }
                    }
                });
            });
        }
        for _ in 0..100 {
            handle.metrics().outputs.iter().for_each(assert_balanced);
        }
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert!(lines.iter().all(|line| line["of"] == line["request_id"]));
    let metrics = handle.metrics().outputs.pop().unwrap();
    assert_balanced(&metrics);
    assert_eq!(metrics.emitted.level(Level::DEBUG), THREADS * REQUESTS * 10);
    let errors = THREADS * REQUESTS.div_ceil(3);
    assert_eq!(metrics.written.level(Level::ERROR), errors);
    assert_eq!(metrics.released.total(), metrics.written.level(Level::DEBUG));
    let written = lines.iter().filter(|line| line["held_back"] == true).count() as u64;
    assert_eq!(written, metrics.released.total());
}
