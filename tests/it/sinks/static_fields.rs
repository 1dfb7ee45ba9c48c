//! Static fields that a handle sets while the log runs.

use std::time::Duration;

use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::{Handle, Output, Redact};
use tracing::info;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};
use spanline::schema::{NAMES, by_name};

const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of a log with a static field `role`, while `run` changes its fields.
fn lines(run: impl FnOnce(&Handle)) -> Vec<Value> {
    let memory = Memory::new();
    let builder = fixed().redact(Redact::new()).static_field("role", "follower");
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || run(&guard.handle()));
    guard.close().unwrap();
    parsed(&memory)
}

#[test]
fn lines_logged_after_the_call_have_the_field_and_flushed_ones_have_not() {
    let lines = lines(|handle| {
        info!("before");
        handle.flush(PATIENCE).unwrap();
        handle.set_static_field("role", "leader").unwrap();
        handle.set_static_field("epoch", 7).unwrap();
        info!("leads");
        handle.flush(PATIENCE).unwrap();
        handle.set_static_field("role", None::<&str>).unwrap();
        info!(epoch = 8, "the event's own field wins");
    });
    let fields: Vec<_> = lines.iter().map(|line| (line["role"].clone(), line["epoch"].clone())).collect();
    assert_eq!(fields, [(json!("follower"), Value::Null), (json!("leader"), json!(7)), (Value::Null, json!(8))]);
}

#[test]
fn a_field_set_while_the_log_runs_is_in_the_lines_of_every_schema() {
    for name in NAMES {
        let memory = Memory::new();
        let (layer, guard) =
            fixed().output(Output::new(memory.clone()).schema(by_name(name).unwrap())).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            let log = || info!("text");
            log();
            guard.handle().flush(PATIENCE).unwrap();
            guard.handle().set_static_field("shard_of_mine", 4711).unwrap();
            log();
        });
        guard.close().unwrap();
        let text = memory.text();
        // People at a terminal ask for static fields with a switch.
        let shown = usize::from(!matches!(name, "compact" | "console" | "pretty"));
        assert_eq!(text.matches("4711").count(), shown, "{name}: {text}");
    }
}

#[test]
fn a_secret_is_redacted_and_a_field_that_cannot_be_is_refused_without_effect() {
    let lines = lines(|handle| {
        handle.set_static_field("password", "hunter2").unwrap();
        let long = "x".repeat(1 << 20);
        for (name, value, wrong) in [("", "1", "empty"), ("level", "1", "reserved"), ("role", &long, "more than half")]
        {
            let error = handle.set_static_field(name, value).unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains(wrong), "{error}");
        }
        info!("text");
    });
    assert_eq!((&lines[0]["role"], &lines[0]["password"]), (&json!("follower"), &json!("<redacted>")));
}

#[test]
fn an_appender_has_no_static_fields() {
    let (_appender, guard) = Output::new(Memory::new()).appender().unwrap();
    let error = guard.handle().set_static_field("role", "leader").unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("no static fields"), "{error}");
}

#[test]
fn threads_that_set_fields_at_once_lose_none() {
    let lines = lines(|handle| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    (0..50).for_each(|at| handle.set_static_field(format!("f_{thread}_{at}"), at).unwrap());
                });
            }
        });
        info!("text");
    });
    let set = lines[0].as_object().unwrap().keys().filter(|key| key.starts_with("f_")).count();
    assert_eq!(set, 200);
}
