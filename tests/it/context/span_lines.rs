//! Lines when a span opens, is entered, is exited and closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use spanline::record::{Kind, Record, Timestamp};
use spanline::schema::Schema;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::stage::{NOW, fixed, lines_of, parsed};
use spanline::schema::{NAMES, by_name};

fn all(builder: Builder) -> Builder {
    builder.span_new("info").span_enter("info").span_exit("info").span_close("info")
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[test]
fn each_moment_of_a_span_has_a_line_in_order() {
    let time = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&time);
    let now = move || Timestamp::from_nanos(NOW.as_nanos() + clock.load(Ordering::SeqCst) * 1000);
    let lines = lines_of(all(spanline::builder().clock(now).id_seed(1)), || {
        let span = info_span!(target: "orders", "request", request_id = "r-1", status = Empty);
        time.fetch_add(10, Ordering::SeqCst);
        span.in_scope(|| {
            time.fetch_add(5, Ordering::SeqCst);
            info!("inside");
        });
        span.record("status", 200);
        span.in_scope(|| ());
    });
    assert_eq!(messages(&lines), ["new", "enter", "inside", "exit", "enter", "exit", "close"]);
    let of_span: Vec<_> = lines.iter().filter(|line| line["message"] != "inside").collect();
    for line in &of_span {
        assert_eq!(
            (&line["request_id"], &line["target"], &line["spans"]),
            (&json!("r-1"), &json!("orders"), &json!(["request"]))
        );
        assert_eq!(line["span_id"], of_span[0]["span_id"]);
    }
    let times = |line: &Value| ["duration_us", "busy_us", "idle_us"].map(|name| line[name].as_u64().unwrap());
    let all: Vec<_> = of_span.iter().map(|line| times(line)).collect();
    assert_eq!(all, [[0, 0, 0], [10, 0, 10], [15, 5, 10], [15, 5, 10], [15, 5, 10], [15, 5, 10]]);
    assert_eq!((of_span[0].get("status"), &of_span[3]["status"]), (None, &json!(200)), "what was recorded by then");
}

/// The keys of a line: of JSON at any depth, or the words before `=`.
fn keys(line: &str) -> Vec<String> {
    fn of(value: &Value, path: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| of(value, &format!("{path}.{key}"), all)),
            Value::Array(elements) => elements.iter().for_each(|element| match element["key"].as_str() {
                Some(key) => all.push(format!("{path}.{key}")),
                None => of(element, path, all),
            }),
            _ => all.push(path.to_owned()),
        }
    }
    let mut all = Vec::new();
    match serde_json::from_str(line) {
        Ok(value) => of(&value, "", &mut all),
        Err(_) => all.extend(line.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0.to_owned()))),
    }
    all
}

#[test]
fn the_lines_have_the_keys_of_a_close_line_in_every_schema() {
    for name in NAMES {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(by_name(name).unwrap());
        let (layer, guard) = all(fixed()).output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            info_span!("request", request_id = "r-1", user_id = 7).in_scope(|| ());
        });
        guard.close().unwrap();
        let text = memory.text();
        if name == "pretty" {
            for moment in ["new", "enter", "exit", "close"] {
                assert!(text.contains(moment), "{name}: {text}");
            }
            continue;
        }
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{name}: {text}");
        for (line, moment) in lines.iter().zip(["new", "enter", "exit", "close"]) {
            assert!(line.contains(moment), "{name}: {line}");
            assert_eq!(keys(line), keys(lines[3]), "{name}: {line}");
        }
    }
}

#[test]
fn each_moment_has_its_filter_and_outputs_keep_theirs() {
    let [all, warnings] = [(); 2].map(|()| Memory::new());
    let builder = fixed()
        .span_new("off,a=info")
        .span_exit("off,b=info")
        .output(Output::new(all.clone()))
        .output(Output::new(warnings.clone()).output_filter("warn"));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!(target: "a", "a").in_scope(|| ());
        info_span!(target: "b", "b").in_scope(|| ());
        info_span!(target: "c", "c").in_scope(|| ());
    });
    guard.close().unwrap();
    let lines = parsed(&all);
    let said: Vec<_> =
        lines.iter().map(|line| (line["target"].as_str().unwrap(), line["message"].as_str().unwrap())).collect();
    assert_eq!(said, [("a", "new"), ("b", "exit")]);
    assert!(parsed(&warnings).is_empty());
}

#[test]
fn a_bad_filter_names_its_setting() {
    let set: [fn(Builder) -> Builder; 3] =
        [|log| log.span_new("loud!"), |log| log.span_enter("loud!"), |log| log.span_exit("loud!")];
    for (set, name) in set.into_iter().zip(["span_new", "span_enter", "span_exit"]) {
        let error = set(spanline::builder().output(Output::new(Memory::new()))).build::<Registry>().err().unwrap();
        assert!(error.is_invalid() && format!("{error:#}").contains(name), "{error:#}");
    }
}

/// Writes the kind of each record.
struct Kinds;

impl Schema for Kinds {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{:?}", record.kind()).as_bytes());
    }
}

#[test]
fn a_schema_can_tell_the_moments_apart() {
    let memory = Memory::new();
    let (layer, guard) = all(fixed()).output(Output::new(memory.clone()).schema(Kinds)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("db", message = "enter").in_scope(|| info!("new"));
    });
    guard.close().unwrap();
    let kinds = [Kind::SpanNew, Kind::SpanEnter, Kind::Event, Kind::SpanExit, Kind::SpanClose];
    assert_eq!(memory.lines(), kinds.map(|kind| format!("{kind:?}")));
}
