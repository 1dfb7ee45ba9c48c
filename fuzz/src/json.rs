//! Each line of `Flat` is one strict object in which nothing is forged.

use std::collections::HashMap;

use serde_json::json as value;
use spanline::Output;
use spanline::metrics::Reason;
use spanline::sink::Memory;

use crate::input::{EVENTS, Scene, ended, expected};
use crate::support::any::Any;
use crate::support::strict;

/// Names that mean something special with some switches or kinds of values.
const SPECIAL: [&str; 20] = [
    "timestamp",
    "level",
    "target",
    "message",
    "service",
    "trace_id",
    "span_id",
    "parent_span_id",
    "spans",
    "fields",
    "error",
    "truncated",
    "original_bytes",
    "pid",
    "hostname",
    "thread_id",
    "thread_name",
    "file",
    "line",
    "module",
];

pub fn json(data: &[u8]) {
    let scene = Scene::new(data);
    let memory = Memory::new();
    let output = Output::new(memory.clone()).schema(scene.flat()).queue_bytes(1 << 20);
    let Some((dispatch, handle)) = ended(scene.builder().output(output)) else { return };
    scene.play(&dispatch);

    let text = String::from_utf8(memory.take()).unwrap();
    let lines: Vec<_> = text.split_terminator('\n').collect();
    assert!(text.is_empty() || text.ends_with('\n'));
    let output = handle.metrics().outputs.remove(0);
    let dropped = output.dropped.reason(Reason::Rejected).total();
    assert_eq!(output.emitted.total(), EVENTS as u64);
    assert_eq!(output.written.total() + dropped, EVENTS as u64, "{output:?}");
    assert_eq!(lines.len() as u64, output.written.total() + output.notices, "{text}");
    if output.notices == 0 && lines.len() > 1 {
        assert_eq!(lines[0], lines[1], "what is kept changes nothing");
    }
    for text in lines {
        let line = strict::line(text);
        if line["target"] == "spanline" && scene.target != "spanline" {
            continue;
        }
        assert!(text.len() as u64 <= scene.max_line_bytes() + 1, "{} bytes: {text}", text.len());
        assert_eq!(line["timestamp"], "2026-11-20T10:15:38.123456Z", "{text}");
        assert_eq!(line["level"], scene.level().as_str(), "{text}");
        assert_eq!(line["target"], value!(scene.target), "{text}");
        if let Some(service) = &scene.service {
            assert_eq!(line["service"], value!(service), "{text}");
        }
        if line.get("truncated").is_some() {
            continue;
        }
        // Of equal names the last that has a value.
        let mut own = HashMap::new();
        for (name, value) in &scene.own {
            if !matches!(value, Any::Empty) {
                own.insert(name.strip_prefix("r#").unwrap_or(name), expected(value).flatten());
            }
        }
        for (name, expected) in own.into_iter().filter_map(|(name, expected)| Some((name, expected?))) {
            if !SPECIAL.contains(&name) {
                assert_eq!(line.get(name), Some(&expected), "{name} in {text}");
            }
        }
    }
}
