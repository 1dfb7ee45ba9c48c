//! The back ends' names for what describes an event, in lines of the program and of the log.

use spanline::Output;
use spanline::sink::Memory;
use tracing::subscriber::with_default;
use tracing::{Level, info_span};
use tracing_subscriber::prelude::*;

use super::{lines_by, read, schema};
use crate::support::stage::{Site, fixed};

/// What has a place of its name, while the line has no such value itself.
#[test]
fn a_users_field_takes_the_back_ends_own_name_if_it_is_free() {
    let names: &[(&str, &[&str])] = &[
        ("ecs", &["error.message", "error.type", "error.stack_trace"]),
        ("datadog", &["error.message", "error.kind", "error.stack"]),
        ("gcp", &["stack_trace"]),
        ("lambda", &["errorMessage", "errorType"]),
    ];
    for (name, keys) in names {
        let site = Site::event("orders", Level::INFO, keys);
        let [text, number] = [&"mine" as &dyn tracing::Value, &7 as &dyn tracing::Value].map(|value| {
            let lines = lines_by(schema(name), || site.log(&vec![Some(value); keys.len()]));
            read(&lines).remove(0)
        });
        for key in *keys {
            assert_eq!(text[*key], "mine", "{name}: {text}");
            assert_eq!(number.get(*key), None, "{name} has a text there: {number}");
        }
    }
}

/// Closing lines have their duration where the back end shows one.
#[test]
fn closing_lines_have_the_back_ends_duration() {
    for (name, key) in [("ecs", "event.duration"), ("datadog", "duration")] {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(schema(name));
        let (layer, guard) = fixed().span_close("info").output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || drop(info_span!("request")));
        guard.close().unwrap();
        let lines = memory.lines();
        let [line] = &read(&lines)[..] else { panic!("{lines:?}") };
        assert!(line[key].as_u64().is_some_and(|nanos| nanos % 1_000 == 0), "{line}");
        assert!(!line.to_string().contains("duration_us"), "{line}");
    }
}
