//! Lines of `Flat`, received and written again.

use std::error::Error;
use std::fmt;

use proptest::prelude::*;
use spanline::record::{Relayed, SpanId, Timestamp, TraceId};
use spanline::sink::Memory;
use spanline::{Handle, Output};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::super::{json, syslog};
use super::{Field, Incoming, NOW, golden};

/// Returns the lines of what is relayed.
fn lines(relay: impl FnOnce(&Handle)) -> Vec<String> {
    let memory = Memory::new();
    let (_layer, guard) =
        spanline::builder().filter("trace").output(Output::new(memory.clone())).build::<Registry>().unwrap();
    relay(&guard.handle());
    guard.close().unwrap();
    memory.text().lines().map(ToOwned::to_owned).collect()
}

/// Returns the same lines after a receiver.
fn again(lines_before: &[String]) -> Vec<String> {
    lines(|handle| {
        for line in lines_before {
            json(line.as_bytes(), NOW).unwrap().relay(handle).unwrap();
        }
    })
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn a_line_of_an_event_is_written_again_byte_for_byte() {
    let memory = Memory::new();
    let builder = spanline::builder().filter("trace").service("orders").output(Output::new(memory.clone()));
    let (layer, guard) = builder.build().unwrap();
    let failed = Failed("order not loaded", Some(Box::new(Failed("query failed", None))));
    let error: &(dyn Error + 'static) = &failed;
    let alone = Failed("alone", None);
    let alone: &(dyn Error + 'static) = &alone;
    let nested = serde_json::json!({"items": ["tea", 2, 1.5, null, true, {}], "to": {"zip": 12345678901_u64, "": []}});
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!(user_id = 42, user.id = "u-7", "order \"loaded\"\n\u{202e}");
        tracing::warn!(large = u64::MAX, small = i64::MIN, wide = u128::MAX, float = 0.1, whole = 1.0, huge = 1e300);
        tracing::debug!(nan = f64::NAN, zero = -0.0, yes = true, bytes = &b"\x00\xff"[..], empty = "");
        tracing::error!(error, nested = spanline::json(&nested), "with an error");
        tracing::error!(error = alone, "without a source");
        tracing::error!(error = "a text", cause = error, request_id = "r-1");
        tracing::error!(error = 404, level = "forged", spans = 1, fields = "x", message = 7);
        tracing::error!(level_name = "critical", "the ledger does not balance");
        tracing::info!(
            trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
            span_id = "00f067aa0ba902b7",
            x = 1,
            "in a trace"
        );
        tracing::info!(
            request_id = 7,
            parent_span_id = "00f067aa0ba902b7",
            name = "n",
            ts = 1,
            severity = "x",
            msg = "y"
        );
    });
    guard.close().unwrap();
    let before: Vec<_> = memory.text().lines().map(ToOwned::to_owned).collect();
    assert_eq!(before.len(), 10);
    assert_eq!(again(&before), before);
}

#[test]
fn a_line_that_was_relayed_once_stays_the_same() {
    for name in ["flat", "nested", "ecs", "gcp", "datadog", "bunyan", "pino", "lambda", "gelf", "splunk", "otel"] {
        let golden = golden(&format!("{name}.jsonl"));
        let once = again(&golden);
        assert_eq!(once.len(), golden.len());
        assert_eq!(again(&once), once, "{name}");
    }
}

#[test]
fn a_line_of_another_program_keeps_all_its_members() {
    for line in golden("flat.jsonl") {
        let once = again(std::slice::from_ref(&line)).remove(0);
        let parsed = |line: &str| -> serde_json::Map<String, serde_json::Value> { serde_json::from_str(line).unwrap() };
        let (before, after) = (parsed(&line), parsed(&once));
        for (key, value) in before.iter().filter(|(key, _)| *key != "fields") {
            // The library marks what is named like fields of `log` records.
            let marked = format!("kv.{key}");
            let found = after.get(key).or_else(|| after.get("fields")?.get(key)).or_else(|| after.get(&marked));
            assert_eq!(found, Some(value), "{key} of {line} in {once}");
        }
    }
}

#[test]
fn records_without_a_target_or_a_message_are_written() {
    let all = lines(|handle| {
        json(br#"{"msg":"hi"}"#, NOW).unwrap().relay(handle).unwrap();
        syslog(b"<11>Nov 20 11:15:38 host orders[1]: hi", NOW).relay(handle).unwrap();
        json(b"{}", NOW).unwrap().relay(handle).unwrap();
    });
    assert_eq!(all.len(), 3);
    assert!(all[0].contains(r#""target":"relayed","message":"hi""#), "{}", all[0]);
    assert!(
        all[1].contains(r#""message":"hi","facility":1,"hostname":"host","pid":1,"service":"orders""#),
        "{}",
        all[1]
    );
}

/// Any field; many with the names of keys.
fn any_field() -> impl Strategy<Value = (String, Field)> {
    let name = prop_oneof![
        "[a-z_]{0,6}",
        any::<String>(),
        prop::sample::select(vec![
            "timestamp",
            "level",
            "target",
            "message",
            "error",
            "service",
            "request_id",
            "trace_id",
            "span_id",
            "spans",
            "fields",
            "event_name",
            "thread_name",
            "parent_span_id",
            "level_name",
            "truncated",
            "log.target",
            "msg",
            "time",
            "event",
            "logger",
            "v",
            "name",
            "kv.message",
            "traceparent",
            "status",
            "@timestamp",
            "severity",
            "requestId",
            "x_2",
            "x",
            "held_back",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    let value = prop_oneof![
        any::<String>().prop_map(Field::Text),
        prop::sample::select(vec!["CRITICAL", "info", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", ""])
            .prop_map(Field::from),
        any::<bool>().prop_map(Field::Bool),
        any::<i64>().prop_map(Field::I64),
        any::<u64>().prop_map(Field::U64),
        any::<f64>().prop_map(Field::F64),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Field::Bytes),
        prop::sample::select(vec![
            "null",
            "1.50",
            "[]",
            "{}",
            "-0",
            "1e400",
            "{\"a\":[1E5,{\"a\":1,\"a\":\"\\ud800\"}]}",
            "{\"message\":\"m\"}"
        ])
        .prop_map(|json| Field::Json(json.to_owned())),
    ];
    (name, value)
}

fn any_record() -> impl Strategy<Value = Incoming> {
    let ids = (proptest::option::of(1..u128::MAX), proptest::option::of(1..u64::MAX));
    let texts = (any::<String>(), proptest::option::of(any::<String>()), proptest::option::of("[^ ].{0,9}"));
    let fields = proptest::collection::vec(any_field(), 0..8);
    (0..5_usize, any::<i64>(), ids, texts, fields).prop_map(
        |(level, nanos, (trace, span), (target, message, service), fields)| {
            use tracing::Level;
            Incoming {
                time: Timestamp::from_nanos(nanos),
                level: [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE][level],
                target,
                message,
                service,
                trace_id: trace.and_then(|id| TraceId::parse(&format!("{id:032x}"))),
                span_id: span.and_then(|id| SpanId::parse(&format!("{id:016x}"))),
                fields,
            }
        },
    )
}

proptest! {
    #[test]
    fn any_record_is_written_again_byte_for_byte(record in any_record()) {
        let before = lines(|handle| record.relay(handle).unwrap());
        prop_assert_eq!(before.len(), 1);
        prop_assert_eq!(again(&before), before);
    }

    #[test]
    fn any_event_is_written_again_byte_for_byte(message in any::<String>(), text in any::<String>(), numbers in any::<(u64, i64, f64)>()) {
        let before = lines(|handle| {
            let record = Relayed::new(tracing::Level::INFO, NOW).target("t").service("s").message(&message);
            let record = record.field("text", &text).field("a", numbers.0).field("b", numbers.1).field("c", numbers.2);
            handle.relay(&record).unwrap();
        });
        prop_assert_eq!(again(&before), before);
    }
}
