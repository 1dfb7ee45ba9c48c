//! What an event costs the thread that logs, beside `fmt().json()` with `tracing_appender::non_blocking`.
//!
//! `cargo bench --bench layer`: both write the same events to a file, in turns, in one run; medians of the rounds and
//! their ratio are printed. An event has four fields and lies inside two spans with request and trace id.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use spanline::{Output, Overflow, RollingFile};
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;

const ROUNDS: usize = 9;
const EVENTS: u32 = 200_000;

/// Logs the events; returns nanoseconds per call and per line, the flush included.
fn round(dispatch: &Dispatch, flush: impl FnOnce()) -> (f64, f64) {
    tracing::dispatcher::with_default(dispatch, || {
        let request = info_span!(
            "request",
            request_id = "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11",
            trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
            method = "GET",
            path = "/api/orders/42"
        );
        let _request = request.enter();
        let db = info_span!("db", table = "orders", attempt = 1u64);
        let _db = db.enter();
        let begun = Instant::now();
        for _ in 0..EVENTS {
            info!(user_id = black_box(42u64), elapsed_ms = 3.25f64, cached = true, sku = "AB-1234", "order loaded");
        }
        let called = begun.elapsed();
        flush();
        (per_event(called), per_event(begun.elapsed()))
    })
}

fn per_event(took: Duration) -> f64 {
    took.as_nanos() as f64 / f64::from(EVENTS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut ours = (Vec::new(), Vec::new());
    let mut theirs = (Vec::new(), Vec::new());
    for turn in 0..ROUNDS {
        let file = RollingFile::new(directory.path().join(format!("ours-{turn}.log")));
        let output = Output::new(file).overflow(Overflow::Block { max_wait: Duration::from_secs(5) });
        let (layer, guard) = spanline::builder().output(output).build().expect("a layer");
        let handle = guard.handle();
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        let (call, line) = round(&dispatch, || guard.close().expect("all written"));
        assert_eq!(handle.metrics().dropped(), 0);
        ours.0.push(call);
        ours.1.push(line);

        let file = tracing_appender::rolling::never(directory.path(), format!("theirs-{turn}.log"));
        let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default().lossy(false).finish(file);
        let layer = tracing_subscriber::fmt::layer().json().with_writer(writer);
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        let (call, line) = round(&dispatch, || drop(guard));
        theirs.0.push(call);
        theirs.1.push(line);
    }
    let (our_call, our_line) = (median(ours.0), median(ours.1));
    let (their_call, their_line) = (median(theirs.0), median(theirs.1));
    println!(
        "per call   spanline {our_call:8.0} ns   fmt().json() {their_call:8.0} ns   ratio {:.1}",
        their_call / our_call
    );
    println!(
        "per line   spanline {our_line:8.0} ns   fmt().json() {their_line:8.0} ns   ratio {:.1}",
        their_line / our_line
    );
}
