//! The sink `Otlp`, against a server that decodes requests with the message types of opentelemetry-proto.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use spanline::metrics::Reason;
use spanline::record::json;
use spanline::schema::Edits;
use spanline::sink::{Memory, Otlp};
use spanline::{Output, schema};

use crate::sinks::http::{Stage, quick};
use crate::support::http_server::{Request, Server, Step};
use crate::support::stage::fixed;

pub(crate) fn decoded(request: &Request) -> ExportLogsServiceRequest {
    use prost::Message;
    match request.header("content-type") {
        Some("application/x-protobuf") => ExportLogsServiceRequest::decode(&*request.bytes()).unwrap(),
        Some("application/json") => serde_json::from_slice(&request.bytes()).unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn records(request: &ExportLogsServiceRequest) -> Vec<LogRecord> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records.clone()).collect()
}

fn sink(server: &Server) -> Otlp {
    Otlp::new(server.url()).requests(quick)
}

#[test]
fn records_are_written_in_order_through_faults() {
    for is_json in [false, true] {
        let server = Server::start([Step::status(503), Step::Close, Step::Garbage, Step::status(429)]);
        let sink = if is_json { sink(&server).json() } else { sink(&server).requests(|http| http.gzip()) };
        let stage = Stage::of(Output::new(sink));
        stage.within(|| {
            for number in 0..500_i64 {
                match number % 3 {
                    0 => tracing::info!(number, "line"),
                    1 => tracing::warn!(target: "other", number, "line"),
                    _ => tracing::debug!(number, "line"),
                }
            }
        });
        stage.flush();
        let good: Vec<_> = server.requests().into_iter().filter(|request| request.status == Some(200)).collect();
        assert!(good.iter().all(|request| request.line == "POST /v1/logs HTTP/1.1"));
        let requests: Vec<_> = good.iter().map(decoded).collect();
        let all: Vec<_> = requests.iter().flat_map(records).collect();
        let number = |record: &LogRecord| {
            let attribute = record.attributes.iter().find(|attribute| attribute.key == "number").unwrap();
            attribute.value.clone().unwrap().value.unwrap()
        };
        let numbers: Vec<_> = all.iter().map(number).collect();
        assert_eq!(numbers, (0..500).map(Any::IntValue).collect::<Vec<_>>());
        let service = &requests[0].resource_logs[0].resource.as_ref().unwrap().attributes[0];
        assert_eq!(service.key, "service.name");
        if !is_json {
            assert!(requests.iter().all(|request| request.resource_logs.len() == 1), "one resource for each request");
        }
        assert_eq!(stage.books().written.total(), 500);
        stage.guard.close().unwrap();
    }
}

/// Logs what a record can have.
fn any_lines() {
    let request = tracing::info_span!("request", request_id = "r-1", tenant = 7);
    request.in_scope(|| {
        tracing::info!(user = "ada", on = true, part = 0.5, wide = u64::MAX, empty = "", "text with \n and \u{7f}");
        let inner = tracing::info_span!("inner", tenant = 8);
        let failed = std::io::Error::other("disk full");
        inner.in_scope(|| tracing::error!(error = &failed as &dyn std::error::Error, "failed"));
        tracing::warn!(
            nested = json(&serde_json::json!({"a": [1, -2.5, null, {"b": "c"}], "d": {}, "e": true})),
            "nested"
        );
    });
    tracing::debug!(name: "order.paid", negative = -1, "");
    tracing::trace!("long {}", "x".repeat(40_000));
    tracing::info!(bytes = &b"\n\x00\xff"[..], "bytes");
}

#[test]
fn protobuf_has_the_content_of_the_schema_otel() {
    let build = |output: Output| {
        fixed().service("orders").static_field("version", "1.2").static_field("shard", 3_u64).output(output)
    };
    let memory = Memory::new();
    let (layer, guard) = build(Output::new(memory.clone()).schema(schema::Otel::new())).build().unwrap();
    use tracing_subscriber::prelude::*;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), any_lines);
    guard.close().unwrap();
    let expected: Vec<ExportLogsServiceRequest> =
        memory.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();

    let server = Server::start([]);
    let (layer, guard) = build(Output::new(sink(&server))).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), any_lines);
    guard.close().unwrap();
    let found: Vec<_> = server.requests().iter().map(decoded).collect();
    let found_records: Vec<_> = found.iter().flat_map(records).collect();
    let sorted = |mut record: LogRecord| {
        record.attributes.sort_by(|one, other| one.key.cmp(&other.key));
        record
    };
    assert_eq!(found_records.len(), expected.len());
    for (found, expected) in found_records.into_iter().zip(expected.iter().flat_map(records)) {
        assert_eq!(sorted(found), sorted(expected));
    }
    assert_eq!(found[0].resource_logs[0].resource, expected[0].resource_logs[0].resource);
    let scope = |request: &ExportLogsServiceRequest| request.resource_logs[0].scope_logs[0].scope.clone();
    assert_eq!(scope(&found[0]), scope(&expected[0]));
}

#[test]
fn reserved_names_and_edits_keep_the_message_whole() {
    let server = Server::start([]);
    let edits = Edits::new().rename("user", "enduser.id").remove("secret").insert("team", "checkout");
    let stage = Stage::of(Output::new(sink(&server)).edits(edits));
    stage.within(|| tracing::info!(user = "ada", secret = 1, spans = "own", "line"));
    stage.flush();
    let record = records(&decoded(&server.requests()[0])).remove(0);
    let mut keys: Vec<_> = record.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.retain(|key| !key.starts_with("code."));
    keys.sort_unstable();
    assert_eq!(keys, ["enduser.id", "fields.spans", "team"]);
    stage.guard.close().unwrap();
}

#[test]
fn a_partial_success_counts_its_lines_as_rejected() {
    let bodies = [
        (false, "\n\u{7}\u{8}\u{3}\u{12}\u{3}why"),
        (true, "{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"why\"}}"),
    ];
    for (is_json, body) in bodies {
        let server = Server::start([Step::json(200, body)]);
        let sink = sink(&server).requests(|http| http.batch(10, 1 << 20, std::time::Duration::from_secs(60)));
        let stage = Stage::of(Output::new(if is_json { sink.json() } else { sink }));
        stage.within(|| (0..10).for_each(|number| tracing::info!(number, "line")));
        stage.flush();
        let books = stage.books();
        assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (7, 3), "{books:#?}");
        assert!(format!("{:?}", stage.said.all()).contains("why"));
        assert_eq!(server.requests().iter().map(|request| records(&decoded(request)).len()).max(), Some(10));
        stage.guard.close().unwrap();
    }
}

#[test]
fn a_line_of_another_schema_is_rejected_and_the_complaint_says_why() {
    for is_json in [false, true] {
        let server = Server::start([]);
        let sink = if is_json { sink(&server).json() } else { sink(&server) };
        let stage = Stage::of(Output::new(sink).schema(schema::Flat::new()));
        stage.within(|| (0..10).for_each(|number| tracing::info!(number, "line")));
        stage.flush();
        let books = stage.books();
        assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (0, 10), "{books:#?}");
        assert!(format!("{:?}", stage.said.all()).contains("remove the schema"));
        stage.guard.close().unwrap();
    }
}
