//! Promise 35: deep nesting and many records need no deep stack.

use std::collections::HashMap;

use serde_json::json;
use spanline::Output;
use spanline::sink::Memory;
use tracing::dispatcher::with_default;
use tracing::span::EnteredSpan;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;

use crate::context::inheritance::lossless;
use crate::support::stage::{fixed, parsed};

/// Enough for a program that does not recurse.
const SMALL_STACK: usize = 256 << 10;

#[test]
fn promise_35_ten_thousand_nested_spans() {
    const DEPTH: usize = 10_000;
    let memory = Memory::new();
    let (layer, guard) = fixed().output(lossless(&memory)).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK);
    thread
        .spawn(move || {
            with_default(&dispatch, || {
                let mut spans: Vec<EnteredSpan> = Vec::new();
                for depth in 0..DEPTH {
                    spans.push(info_span!("s", depth, request_id = (depth == 0).then_some("r-1")).entered());
                    if depth % 1000 == 999 {
                        info!(at = depth, "going in");
                    }
                }
                // The registry closes the innermost first, so that it does not recurse itself.
                while let Some(span) = spans.pop() {
                    if spans.len() % 1000 == 999 {
                        info!(at = spans.len(), "coming out");
                    }
                    drop(span);
                }
                info!("outside");
            });
        })
        .unwrap()
        .join()
        .unwrap();
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(lines.len(), 21);
    assert_eq!(lines[20].get("spans"), None);
    let mut ids = HashMap::new();
    for line in &lines[..20] {
        let depth = line["at"].as_u64().unwrap();
        assert_eq!((&line["depth"], &line["request_id"]), (&json!(depth), &json!("r-1")));
        assert_eq!(line["spans"].as_array().unwrap().len(), depth as usize + 1);
        assert_eq!(line["trace_id"], lines[0]["trace_id"]);
        assert_eq!(ids.entry(depth).or_insert(&line["span_id"]), &&line["span_id"]);
    }
}

#[test]
fn promise_35_a_chain_that_only_queued_lines_keep_is_dropped_without_recursion() {
    const DEPTH: usize = 10_000;
    let gate = crate::support::stage::Gate::default();
    let (layer, guard) = fixed().output(Output::new(gate.clone()).queue_bytes(64 << 20)).build().unwrap();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK);
    thread
        .spawn(move || {
            with_default(&dispatch, || {
                let mut spans: Vec<EnteredSpan> = (0..DEPTH).map(|_| info_span!("s").entered()).collect();
                info!("the innermost");
                while spans.pop().is_some() {}
            });
        })
        .unwrap()
        .join()
        .unwrap();
    gate.open();
    guard.close().unwrap();
    assert_eq!(parsed(&gate.memory)[0]["spans"].as_array().unwrap().len(), DEPTH);
}

#[test]
fn promise_35_ten_thousand_records_on_one_span() {
    const RECORDS: u64 = 10_000;
    for gated in [false, true] {
        let gate = crate::support::stage::Gate::default();
        if !gated {
            gate.open();
        }
        let (layer, guard) = fixed().output(Output::new(gate.clone()).queue_bytes(64 << 20)).build().unwrap();
        with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
            let span = info_span!("s", value = 0u64, request_id = "r-1");
            let _entered = span.enter();
            for value in 1..=RECORDS {
                span.record("value", value);
                if value % 100 == 0 {
                    info!(at = value, "line");
                }
            }
        });
        gate.open();
        guard.close().unwrap();
        let lines = parsed(&gate.memory);
        assert_eq!(lines.len() as u64, RECORDS / 100);
        for line in lines {
            assert_eq!((&line["value"], &line["request_id"]), (&line["at"], &json!("r-1")));
        }
    }
}
