//! Records of other programs: their lines are those of an event with the same values, in every schema.

use serde_json::json;
use spanline::metrics::Reason;
use spanline::record::{Relayed, SpanId, Timestamp, TraceId, Value};
use spanline::schema::{NAMES, by_name};
use spanline::sink::Memory;
use spanline::{Builder, Output, Overflow, Redact};
use tracing::Level;
use tracing::subscriber::with_default;
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::stage::{Gate, NOW, Site, fixed, parsed};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// What the lines are in a schema, when `relay` relays records.
fn text_in(schema: &str, builder: Builder, relay: impl FnOnce(&spanline::Handle)) -> String {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).schema(by_name(schema).unwrap());
    let (_layer, guard) = builder.output(output).build::<Registry>().unwrap();
    relay(&guard.handle());
    guard.close().unwrap();
    memory.text()
}

/// The same in `Flat`, read strictly.
fn lines(builder: Builder, relay: impl FnOnce(&spanline::Handle)) -> Vec<serde_json::Value> {
    let memory = Memory::new();
    let (_layer, guard) = builder.output(Output::new(memory.clone())).build::<Registry>().unwrap();
    relay(&guard.handle());
    guard.close().unwrap();
    parsed(&memory)
}

fn order() -> Relayed<'static> {
    Relayed::new(Level::WARN, NOW).target("payments::card").message("card declined").field("order", 1234)
}

#[test]
fn a_relayed_record_has_the_line_of_an_event_in_every_schema() {
    let site = Site::event("payments::card", Level::WARN, &["message", "order", "request_id"]);
    for name in NAMES {
        let memory = Memory::new();
        let output = Output::new(memory.clone()).schema(by_name(name).unwrap());
        let (layer, guard) = fixed().service("payments").output(output).build().unwrap();
        with_default(tracing_subscriber::registry().with(layer), || {
            site.log(&[Some(&"card declined"), Some(&1234), Some(&"r-1")]);
        });
        guard.close().unwrap();
        let relayed = text_in(name, fixed().service("collector"), |handle| {
            handle.relay(&order().service("payments").field("request_id", "r-1")).unwrap();
        });
        assert_eq!(relayed, memory.text(), "{name}");
    }
}

/// What one record prepares does not show in the next.
#[test]
fn relayed_records_of_several_services_do_not_mix_in_any_schema() {
    let (trace, span) = (TraceId::parse(TRACE).unwrap(), SpanId::parse(SPAN).unwrap());
    let records: [fn() -> Relayed<'static>; 6] = [
        || order().service("payments"),
        || order().service("orders").target("orders"),
        || order().field("version", "2").field("order", 1),
        || order().service("payments").field("service", 7).field("log.file", "x").field("message", "y"),
        || Relayed::new(Level::WARN, Timestamp::from_nanos(1)),
        || Relayed::new(Level::ERROR, NOW).service("").message("").field("error", "e").field("", true),
    ];
    let with_ids = |record: Relayed<'static>, ids: usize| match ids {
        0 => record,
        1 => record.trace_id(trace),
        2 => record.span_id(span),
        _ => record.trace_id(trace).span_id(span),
    };
    for name in NAMES {
        for log_service in [None, Some("collector")] {
            let builder =
                || log_service.map_or_else(fixed, |service| fixed().service(service).static_field("region", "eu"));
            let all = || (0..4).flat_map(|ids| records.map(|record| with_ids(record(), ids)));
            let apart: String =
                all().map(|record| text_in(name, builder(), |handle| handle.relay(&record).unwrap())).collect();
            let together = text_in(name, builder(), |handle| {
                all().for_each(|record| handle.relay(&record).unwrap());
            });
            // `Console` aligns targets with those before.
            let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            assert_eq!(words(&together), words(&apart), "{name}");
        }
    }
}

#[test]
fn a_relayed_record_keeps_its_ids_and_its_service() {
    let (trace, span) = (TraceId::parse(TRACE).unwrap(), SpanId::parse(SPAN).unwrap());
    let lines = lines(fixed().service("collector"), |handle| {
        handle.relay(&order().service("payments").trace_id(trace).span_id(span)).unwrap();
        handle.relay(&order().span_id(span)).unwrap();
    });
    let expected = json!({"timestamp": "2026-11-20T10:15:38.123456Z", "level": "WARN", "target": "payments::card",
        "message": "card declined", "service": "payments", "trace_id": TRACE, "span_id": SPAN, "order": 1234});
    assert_eq!(lines[0], expected);
    assert_eq!((&lines[1]["service"], &lines[1]["span_id"]), (&json!("collector"), &json!(SPAN)));
    assert!(lines[1].get("trace_id").is_none() && lines[1].get("spans").is_none(), "{}", lines[1]);
}

#[test]
fn promise_31_a_relayed_record_forges_no_member_of_the_line() {
    let lines = lines(fixed(), |handle| {
        let record = Relayed::new(Level::INFO, NOW).message("m").service("a\nb\"");
        let record = record.field("level", "ERROR").field("timestamp", "now").field("trace_id", "forged");
        let record = record.field("log.target", "t").field("log.service", "s").field("message", "n").field("x", 1);
        let record = record.field("x", 2).field("json", Value::Json("{\"a\":[1,2]")).field("none", None::<u64>);
        handle.relay(&record).unwrap();
    });
    let line = &lines[0];
    assert_eq!((&line["level"], &line["message"], &line["target"]), (&json!("INFO"), &json!("m"), &json!("relayed")));
    assert_eq!((&line["service"], &line["kv.log.target"]), (&json!("a\nb\""), &json!("t")));
    assert_eq!((&line["kv.log.service"], &line["kv.message"]), (&json!("s"), &json!("n")));
    assert_eq!((&line["x"], &line["x_2"], &line["fields"]["level"]), (&json!(2), &json!(1), &json!("ERROR")), "{line}");
    assert!(line.get("none").is_none(), "{line}");
}

#[test]
fn the_filters_and_the_redaction_of_the_log_apply_to_relayed_records() {
    let builder = fixed().filter("info,noisy=off").redact(Redact::new().values());
    let lines = lines(builder, |handle| {
        handle.relay(&Relayed::new(Level::DEBUG, NOW).message("too detailed")).unwrap();
        handle.relay(&Relayed::new(Level::ERROR, NOW).target("noisy::x").message("off")).unwrap();
        let card = "4111 1111 1111 1111";
        handle.relay(&Relayed::new(Level::INFO, NOW).message(card).field("password", "p").field("n", card)).unwrap();
    });
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].to_string().contains("4111") && lines[0]["password"] != "p", "{}", lines[0]);
}

#[test]
fn promise_1_a_relayed_record_that_an_output_refuses_is_an_error_and_is_counted() {
    let gate = Gate::default();
    let output = Output::new(gate.clone()).overflow(Overflow::DropNewest).queue_bytes(64 * 1024);
    let (_layer, guard) = fixed().output(output).build::<Registry>().unwrap();
    let handle = guard.handle();
    let refused = (0..5000).filter(|_| handle.relay(&order()).is_err_and(|error| error.is_retryable())).count() as u64;
    gate.open();
    guard.close().unwrap();
    let output = handle.metrics().outputs.remove(0);
    assert!(refused > 0);
    assert_eq!((output.emitted.total(), output.dropped.reason(Reason::QueueFull).total()), (5000, refused));
    assert!(handle.relay(&order()).is_ok(), "after the end, the caller writes its own line");
    let (_appender, guard) = Output::new(Memory::new()).appender().unwrap();
    assert!(guard.handle().relay(&order()).is_err_and(|error| error.is_invalid()));
}

#[test]
fn promise_17_a_long_relayed_record_is_cut_and_keeps_its_service() {
    let long = "x".repeat(5000);
    let lines = lines(fixed().max_line_bytes(1000), |handle| {
        handle.relay(&order().service("payments").field("long", long.as_str())).unwrap();
    });
    assert_eq!((&lines[0]["service"], &lines[0]["truncated"]), (&json!("payments"), &json!(true)));
    // Only the message stays.
    let many: Vec<String> = (0..60).map(|number| format!("a_rather_long_name_for_a_field_{number}")).collect();
    let lines = lines_of_many(&many);
    assert_eq!((&lines[0]["service"], &lines[0]["target"]), (&json!("payments"), &json!("payments::card")));
}

fn lines_of_many(names: &[String]) -> Vec<serde_json::Value> {
    lines(fixed().max_line_bytes(1000), |handle| {
        let record = names.iter().fold(order().service("payments"), |record, name| record.field(name, 1));
        handle.relay(&record).unwrap();
    })
}

#[test]
fn a_relayed_record_counts_once_for_its_own_service() {
    let builder = fixed().service("collector").output(Output::new(Memory::new())).output(Output::new(Memory::new()));
    let (_layer, guard) = builder.build::<Registry>().unwrap();
    let handle = guard.handle();
    for record in [order().service("payments"), order().service("payments"), order().service("orders"), order()] {
        handle.relay(&record).unwrap();
    }
    let counts = handle.metrics().by_service_level();
    let warnings = ["payments.warn", "orders.warn", "collector.warn"].map(|name| counts[name]);
    assert_eq!((warnings, counts["payments.error"]), ([2, 1, 1], 0));
}
