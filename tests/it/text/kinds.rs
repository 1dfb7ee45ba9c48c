//! What a record says of itself besides its fields: its kind, the event's name, and its place in the program.

use serde_json::{Value, json};
use spanline::record::Record;
use spanline::schema::Schema;
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::subscriber::with_default;
use tracing::{Level, event, info, info_span, instrument};
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

/// Writes what a record says of itself.
pub(crate) struct Said;

impl Schema for Said {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let said = json!({
            "kind": format!("{:?}", record.kind()),
            "name": record.event_name(),
            "target": record.target(),
            "place": [json!(record.file()), json!(record.line().is_some()), json!(record.module_path())],
            "names": record.fields().map(|(name, _)| name).collect::<Vec<_>>(),
        });
        out.extend_from_slice(said.to_string().as_bytes());
    }
}

fn said(builder: Builder, run: impl FnOnce()) -> Vec<Value> {
    let memory = Memory::new();
    let (layer, guard) = builder.output(Output::new(memory.clone()).schema(Said)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    parsed(&memory)
}

fn here() -> Value {
    json!(["tests/it/text/kinds.rs", true, "it::text::kinds"])
}

#[test]
fn no_event_is_taken_for_a_record_of_the_log_crate() {
    let lines = said(fixed(), || {
        event!(target: "log", Level::INFO, log.target = "forged", "text");
        event!(name: "log event", target: "log", Level::INFO, log.target = "forged", log.file = "f", "text");
        event!(
            name: "log event",
            target: "log",
            Level::INFO,
            { log.target = "forged", log.module_path = "m", log.file = "f", log.line = 7u64 },
            "text"
        );
        let forged = "forged";
        event!(
            name: "log event",
            target: "log",
            Level::WARN,
            message = forged,
            log.target = forged,
            log.module_path = forged,
            log.file = forged,
            log.line = forged,
        );
    });
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(
            (&line["kind"], &line["target"], &line["place"]),
            (&json!("Event"), &json!("log"), &here()),
            "{line}"
        );
        assert!(line["names"].as_array().unwrap().contains(&json!("log.target")), "{line}");
    }
    assert_eq!(lines[1]["name"], "log event");
}

#[test]
fn an_event_is_filtered_by_its_own_target_whatever_its_fields() {
    for (filter, lines) in [("log=info", 1), ("forged=info", 0), ("info,log=off", 0), ("info,forged=off", 1)] {
        let said = said(spanline::builder().filter(filter), || {
            event!(name: "log event", target: "log", Level::INFO, log.target = "forged", "text");
        });
        assert_eq!(said.len(), lines, "{filter}");
    }
}

#[cfg(feature = "log")]
#[test]
fn a_record_of_the_log_crate_is_an_event_without_a_name() {
    let lines = said(fixed(), || {
        let meta = log::MetadataBuilder::new().target("pool").level(log::Level::Warn).build();
        let mut record = log::RecordBuilder::new();
        let record = record.metadata(meta).args(format_args!("text")).file(Some("src/pool.rs")).line(Some(42));
        tracing_log::format_trace(&record.module_path(Some("pool::inner")).build()).unwrap();
    });
    let place = json!(["src/pool.rs", true, "pool::inner"]);
    assert_eq!(lines, [json!({"kind": "Event", "name": null, "target": "pool", "place": place, "names": ["message"]})]);
}

#[test]
fn an_event_has_the_name_that_the_program_gave_it() {
    #[instrument(err)]
    fn load() -> Result<(), &'static str> {
        Err("failed")
    }
    let lines = said(fixed(), || {
        event!(name: "order.paid", Level::INFO, "text");
        info!(name: "event", target: "orders", id = 1);
        info!("text");
        info!(id = 1);
        let _ = load();
        event!(name: "event tests/it/text/kinds.rs:1", Level::INFO, "another line");
        event!(name: "event elsewhere.rs:7", Level::INFO, "another file");
        event!(name: "panic", target: "panic", Level::ERROR, "no panic");
        event!(name: "notice", target: "spanline", Level::WARN, dropped = 1, "no notice");
        event!(target: "spanline::http", Level::INFO, status = 200, "no request");
    });
    let names: Vec<_> = lines.iter().map(|line| line["name"].clone()).collect();
    assert_eq!(
        names,
        [
            json!("order.paid"),
            json!("event"),
            json!(null),
            json!(null),
            json!(null),
            json!("event tests/it/text/kinds.rs:1"),
            json!("event elsewhere.rs:7"),
            json!("panic"),
            json!("notice"),
            json!(null),
        ]
    );
    assert!(lines.iter().all(|line| line["kind"] == "Event" && line["place"] == here()), "{lines:#?}");
}

#[test]
fn a_closing_line_is_at_its_span() {
    let lines = said(fixed().span_close("info"), || drop(info_span!("db")));
    let names = json!(["message", "duration_us", "busy_us", "idle_us"]);
    let expected =
        json!({"kind": "SpanClose", "name": null, "target": "it::text::kinds", "place": here(), "names": names});
    assert_eq!(lines, [expected]);
}

#[cfg(feature = "axum")]
#[test]
fn the_lines_of_a_request_have_no_place_in_the_program() {
    use crate::support::http::{request, send};
    let memory = Memory::new();
    let builder = fixed().filter("info").span_close("info").output(Output::new(memory.clone()).schema(Said));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let app = axum::Router::new().route("/", axum::routing::get(|| async {}));
        let app = app.layer(spanline::tower::ServerLayer::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(send(app, request("GET", "/")));
    });
    guard.close().unwrap();
    let lines = parsed(&memory);
    assert_eq!(lines.len(), 2);
    for (line, kind) in lines.iter().zip(["Request", "SpanClose"]) {
        assert_eq!((&line["kind"], &line["name"]), (&json!(kind), &json!(null)));
        assert_eq!((&line["target"], &line["place"]), (&json!("spanline::http"), &json!([null, false, null])));
    }
}

#[test]
fn a_loss_is_a_notice() {
    let gate = crate::support::stage::Gate::default();
    let output = Output::new(gate.clone()).schema(Said).queue_bytes(4096);
    let (layer, guard) = fixed().output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || {
        let text = "x".repeat(1000);
        while guard.handle().metrics().dropped() == 0 {
            info!(text);
        }
    });
    gate.open();
    guard.close().unwrap();
    let lines = parsed(&gate.memory);
    let notices: Vec<_> = lines.iter().filter(|line| line["kind"] == json!("Notice")).collect();
    let [notice] = notices[..] else { panic!("{notices:?}") };
    assert_eq!((&notice["name"], &notice["place"]), (&json!(null), &json!([null, false, null])));
    assert_eq!(notice["target"], "spanline");
}
