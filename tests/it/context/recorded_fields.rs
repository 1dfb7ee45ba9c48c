//! `Span::record` and context variables: what is logged stays as it was, what follows has the new value.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

use proptest::prelude::*;
use serde_json::{Value, json};
use spanline::{Output, SpanExt};
use tracing::dispatcher::with_default;
use tracing::field::Empty;
use tracing::{Dispatch, Span, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{Gate, fixed, parsed};

/// A log whose worker waits at a gate.
fn gated() -> (Gate, Dispatch, spanline::Guard) {
    let gate = Gate::default();
    let (layer, guard) = fixed().output(Output::new(gate.clone()).queue_bytes(64 << 20)).build().unwrap();
    (gate, Dispatch::new(tracing_subscriber::registry().with(layer)), guard)
}

#[test]
fn promise_37_a_thousand_waiting_lines_keep_the_value_they_were_logged_with() {
    let (gate, dispatch, guard) = gated();
    with_default(&dispatch, || {
        let outer = info_span!("outer", value = 0, request_id = "r-1");
        let inner = info_span!(parent: &outer, "inner");
        for value in 0..1000 {
            if value % 10 == 0 {
                outer.record("value", value);
            }
            if value % 10 == 5 {
                outer.set_variable("variable", value);
            }
            let span = if value % 2 == 0 { &outer } else { &inner };
            span.in_scope(|| info!(at = value, "waiting"));
        }
        // Both are closed before the worker has rendered more than its first batch.
    });
    assert!(gate.memory.lines().is_empty());
    gate.open();
    guard.close().unwrap();
    let lines = parsed(&gate.memory);
    assert_eq!(lines.len(), 1000);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(
            (&line["at"], &line["value"], &line["request_id"]),
            (&json!(at), &json!(at / 10 * 10), &json!("r-1"))
        );
        let variable = (at >= 5).then(|| json!((at - 5) / 10 * 10 + 5));
        assert_eq!(line.get("variable"), variable.as_ref());
    }
}

#[test]
fn promise_37_a_span_entered_on_two_threads() {
    const ROUNDS: u64 = 50;
    for open_first in [true, false] {
        let (gate, dispatch, guard) = gated();
        if open_first {
            gate.open();
        }
        let span = with_default(&dispatch, || info_span!("shared", round = Empty, request_id = 7));
        let barrier = Arc::new(Barrier::new(3));
        let threads = [0, 1].map(|thread| {
            let (dispatch, span, barrier) = (dispatch.clone(), span.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                with_default(&dispatch, || {
                    let _entered = span.enter();
                    for round in 0..ROUNDS {
                        barrier.wait();
                        for _ in 0..10 {
                            info!(thread, logged_in = round, "line");
                            info_span!("below").in_scope(|| info!(thread, logged_in = round, "line"));
                        }
                        barrier.wait();
                    }
                });
            })
        });
        for round in 0..ROUNDS {
            span.record("round", round);
            barrier.wait();
            barrier.wait();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        gate.open();
        drop(span);
        guard.close().unwrap();
        let lines = parsed(&gate.memory);
        assert_eq!(lines.len(), ROUNDS as usize * 40);
        for line in lines {
            assert_eq!(line["round"], line["logged_in"]);
            assert_eq!(line["request_id"], 7);
        }
    }
}

#[test]
fn promise_37_values_recorded_on_one_thread_while_another_logs_never_go_back() {
    const VALUES: u64 = 20_000;
    let (gate, dispatch, guard) = gated();
    gate.open();
    let span = with_default(&dispatch, || info_span!("shared", value = 0u64));
    let (recorder, recorded_by) = (span.clone(), dispatch.clone());
    let thread = std::thread::spawn(move || {
        with_default(&recorded_by, || (1..=VALUES).for_each(|value| _ = recorder.record("value", value)));
    });
    with_default(&dispatch, || {
        let below = info_span!(parent: &span, "below");
        let _entered = below.enter();
        while !thread.is_finished() {
            (0..100).for_each(|_| info!("line"));
            guard.handle().flush(std::time::Duration::from_secs(60)).unwrap();
        }
        thread.join().unwrap();
        info!("the last");
    });
    guard.close().unwrap();
    let values: Vec<_> = parsed(&gate.memory).iter().map(|line| line["value"].as_u64().unwrap()).collect();
    assert!(values.is_sorted());
    assert_eq!(values.last(), Some(&VALUES));
}

/// What a program does with three nested spans.
#[derive(Clone, Debug)]
enum Step {
    Record { span: usize, field: &'static str, value: i32 },
    Variable { span: usize, name: &'static str, value: i32 },
    Log { span: usize },
}

const NAMES: [&str; 4] = ["a", "b", "opened", "request_id"];

fn step() -> impl Strategy<Value = Step> {
    let name = || proptest::sample::select(&NAMES[..]);
    prop_oneof![
        (0..3usize, name(), any::<i32>()).prop_map(|(span, field, value)| Step::Record { span, field, value }),
        (0..3usize, name(), any::<i32>()).prop_map(|(span, name, value)| Step::Variable { span, name, value }),
        (0..3usize).prop_map(|span| Step::Log { span }),
    ]
}

fn open() -> Span {
    info_span!("span", a = Empty, b = Empty, opened = 0, request_id = Empty)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn promise_37_every_line_has_the_values_of_its_time(
        steps in proptest::collection::vec(step(), 1..60),
        wait: bool,
        flush_at in 0..60usize,
    ) {
        let (gate, dispatch, guard) = gated();
        if !wait {
            gate.open();
        }
        let mut model = [const { BTreeMap::new() }; 3];
        model.iter_mut().for_each(|fields: &mut BTreeMap<&str, Value>| drop(fields.insert("opened", json!(0))));
        let mut expected = Vec::new();
        with_default(&dispatch, || {
            let outer = open();
            let middle = outer.in_scope(open);
            let inner = middle.in_scope(open);
            let spans = [outer, middle, inner];
            for (at, step) in steps.iter().enumerate() {
                if at == flush_at && !wait {
                    guard.handle().flush(std::time::Duration::from_secs(60)).unwrap();
                }
                match *step {
                    Step::Record { span, field, value } => {
                        spans[span].record(field, value);
                        model[span].insert(field, json!(value));
                    }
                    Step::Variable { span, name, value } => {
                        spans[span].set_variable(name, value);
                        model[span].insert(name, json!(value));
                    }
                    Step::Log { span } => {
                        spans[span].in_scope(|| info!("line"));
                        let mut merged = BTreeMap::new();
                        model[..=span].iter().for_each(|fields| merged.extend(fields.clone()));
                        expected.push(merged);
                    }
                }
            }
        });
        gate.open();
        guard.close().unwrap();
        let lines = parsed(&gate.memory);
        prop_assert_eq!(lines.len(), expected.len());
        for (line, expected) in lines.iter().zip(&expected) {
            for name in NAMES {
                prop_assert_eq!(line.get(name), expected.get(name), "{} in {}", name, line);
            }
        }
    }
}
