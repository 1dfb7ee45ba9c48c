//! The presets of `Http`, against servers that follow the published documentation of each API.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use spanline::metrics::Reason;
use spanline::sink::{Http, Secret};
use tracing::Level;

use crate::sinks::http::{Stage, quick};
use crate::support::http_server::{Request, Server, Step};
use crate::support::ledger::log;

fn token() -> Secret {
    Secret::text("hunter2")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The numbers in texts that are JSON.
fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {value}"))
}

#[test]
fn loki_gets_streams_by_level_with_times_in_nanoseconds() {
    let server = Server::start([Step::status(503)]);
    server.always(Step::status(204));
    let stage = Stage::new(quick(Http::loki(server.url(), [("env", "prod")])));
    stage.within(|| {
        for number in 0..20 {
            log(if number % 3 == 0 { Level::WARN } else { Level::INFO }, 0, number);
        }
    });
    stage.flush();
    let mut found = BTreeSet::new();
    for request in server.requests().iter().filter(|request| request.status == Some(204)) {
        assert_eq!(request.line, "POST /loki/api/v1/push HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        for stream in parsed(&request.body)["streams"].as_array().unwrap() {
            let level = stream["stream"]["level"].as_str().unwrap();
            assert_eq!(stream["stream"], json!({"service_name": "orders", "level": level, "env": "prod"}));
            let mut last = 0;
            for value in stream["values"].as_array().unwrap() {
                let time: u64 = value[0].as_str().unwrap().parse().unwrap();
                assert!(time >= last && time > 1_600_000_000_000_000_000);
                last = time;
                let line = parsed(value[1].as_str().unwrap());
                assert_eq!(line["level"].as_str().unwrap().to_lowercase(), level);
                found.insert(seq(&line));
            }
        }
    }
    assert_eq!(found, (0..20).collect());
    stage.guard.close().unwrap();
}

/// The bulk API: an id is created once. Line 7 cannot be mapped; line 9 meets a full queue at first.
fn bulk(request: &Request) -> (u16, String) {
    assert!(request.line.starts_with("POST /logs-orders/_bulk?filter_path=errors,items"), "{}", request.line);
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    static STORED: std::sync::Mutex<BTreeSet<String>> = std::sync::Mutex::new(BTreeSet::new());
    static BUSY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    let mut stored = STORED.lock().unwrap();
    let lines: Vec<_> = request.body.lines().map(parsed).collect();
    let mut has_errors = false;
    let items: Vec<_> = lines
        .chunks(2)
        .map(|pair| {
            let id = pair[0]["create"]["_id"].as_str().unwrap();
            assert_eq!(
                pair[1]["ecs.version"].as_str().or(pair[1]["ecs"]["version"].as_str()).map(str::is_empty),
                Some(false)
            );
            // The log's own lines have none.
            let number: Option<u64> = pair[1]["labels"]["seq"].as_str().map(|number| number.parse().unwrap());
            let (status, error) = match number {
                Some(7) => (400, Some("document_parsing_exception")),
                Some(9) if BUSY.swap(false, std::sync::atomic::Ordering::SeqCst) => {
                    (429, Some("es_rejected_execution_exception"))
                }
                _ if !stored.insert(id.to_owned()) => (409, Some("version_conflict_engine_exception")),
                _ => (201, None),
            };
            has_errors |= error.is_some();
            match error {
                Some(kind) => json!({"create": {"status": status, "error": {"type": kind, "reason": "why"}}}),
                None => json!({"create": {"status": status}}),
            }
        })
        .collect();
    (200, json!({"errors": has_errors, "items": items}).to_string())
}

#[test]
fn elastic_retries_and_rejects_single_items_and_stores_none_twice() {
    let server = Server::start([Step::status(429), Step::By(bulk), Step::Close]);
    server.always(Step::By(bulk));
    let stage = Stage::new(quick(Http::elastic(server.url(), "logs-orders")));
    stage.within(|| {
        for number in 0..20_u64 {
            tracing::info!(seq = number, "line");
        }
    });
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (19, 1), "{books:#?}");
    let said = format!("{:?}", stage.said.all());
    assert!(said.contains("document_parsing_exception") || said.contains("429"), "{said}");
    stage.guard.close().unwrap();
}

#[test]
fn an_answer_of_another_server_is_no_success_for_elastic() {
    let server = Server::start([Step::status(200), Step::json(200, "{\"ok\":true}")]);
    server.always(Step::json(200, "{\"errors\":false}"));
    let stage = Stage::new(quick(Http::elastic(server.url(), "logs")));
    stage.within(|| tracing::info!(seq = 1, "line"));
    stage.flush();
    assert_eq!((server.requests().len(), stage.books().retries), (3, 2));
    stage.guard.close().unwrap();
}

#[test]
fn splunk_lines_are_written_when_they_are_indexed() {
    let server = Server::start([
        Step::json(503, "{\"text\":\"Server is busy\",\"code\":9}"),
        Step::json(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":4}"),
        Step::json(200, "{\"acks\":{\"4\":false}}"),
        Step::json(200, "{\"acks\":{\"4\":true}}"),
    ]);
    let stage = Stage::new(quick(Http::splunk_hec(server.url(), token()).acknowledged()));
    stage.within(|| tracing::info!(seq = 1, "line"));
    stage.flush();
    let requests = server.requests();
    let channel = requests[0].header("x-splunk-request-channel").unwrap().to_owned();
    assert_eq!(channel.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let ack = format!("POST /services/collector/ack?channel={channel} HTTP/1.1");
    let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
    let event = "POST /services/collector/event HTTP/1.1";
    assert_eq!(lines, [event, event, &ack, &ack]);
    assert_eq!(requests[2].body, "{\"acks\":[4]}");
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Splunk hunter2")));
    let event = parsed(&requests[1].body);
    assert!(event["event"]["message"] == "line" && event["source"] == "orders", "{event}");
    assert_eq!(stage.books().written.total(), 1);
    stage.guard.close().unwrap();
}

#[test]
fn splunk_names_the_event_that_it_rejects() {
    let server =
        Server::start([Step::json(400, "{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":2}")]);
    let stage = Stage::new(quick(Http::splunk_hec(server.url(), token())).batch(5, 1 << 20, Duration::from_secs(60)));
    stage.within(|| (0..5).for_each(|number| log(Level::INFO, 0, number)));
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (4, 1), "{books:#?}");
    let again = &server.requests()[1];
    // The notice of the loss may come with them.
    let sent: Vec<_> = again.body.lines().filter_map(|line| parsed(line)["event"]["seq"].as_u64()).collect();
    assert_eq!(sent, [3, 4], "those behind it are sent again");
    stage.guard.close().unwrap();
}

#[test]
fn datadog_gets_arrays_with_the_key_in_a_header() {
    let server = Server::start([Step::status(429)]);
    server.always(Step::status(202));
    let stage = Stage::new(quick(Http::datadog(server.url(), token())));
    stage.within(|| (0..10).for_each(|number| log(Level::INFO, 0, number)));
    stage.flush();
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "POST /api/v2/logs HTTP/1.1");
    assert_eq!(request.header("dd-api-key"), Some("hunter2"));
    assert_eq!(parsed(&request.body)[0]["service"], "orders");
    assert_eq!(stage.books().written.total(), 10);
    stage.guard.close().unwrap();
}

#[test]
fn clickhouse_gets_the_same_batch_with_the_same_token_again() {
    let busy = "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)";
    let parse =
        "Code: 27. DB::Exception: Cannot parse input: expected '\"' before: 'x' (CANNOT_PARSE_INPUT_ASSERTION_FAILED)";
    let server = Server::start([
        Step::json(500, busy),
        Step::Close,
        Step::json(404, "Code: 60. DB::Exception: Table logs.orders does not exist. (UNKNOWN_TABLE)"),
        Step::json(200, busy),
        Step::status(200),
        Step::json(400, parse),
    ]);
    let stage =
        Stage::new(quick(Http::clickhouse(server.url(), "logs.orders")).batch(4, 1 << 20, Duration::from_secs(60)));
    stage.within(|| (0..2).for_each(|number| log(Level::INFO, 0, number)));
    // Somebody waits, so the batch goes before it is full. Lines come while it is tried again.
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| stage.flush());
        crate::support::wait::until("a failure", || stage.books().retries > 0);
        stage.within(|| (2..3).for_each(|number| log(Level::INFO, 0, number)));
        flushed.join().unwrap();
    });
    stage.flush();
    let requests = server.requests();
    let first = &requests[0];
    assert!(
        first.line.starts_with("POST /?query=INSERT%20INTO%20logs.orders%20FORMAT%20JSONEachRow&"),
        "{}",
        first.line
    );
    for again in &requests[1..5] {
        assert_eq!((&again.line, &again.body), (&first.line, &first.body), "same lines, same token");
    }
    assert!(first.line.contains("insert_deduplication_token="));
    assert_ne!(requests[5].line, first.line);
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (2, 1), "{books:#?}");
    stage.guard.close().unwrap();
}
