//! The lines of requests, in the keys of each back end.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{any, get};
use serde_json::{Value, json};
use spanline::Output;
use spanline::schema::{Edits, Schema};
use spanline::sink::Memory;
use spanline::tower::ServerLayer;
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info};
use tracing_subscriber::prelude::*;

use super::schema;
use crate::support::http::{request, send};
use crate::support::stage::fixed;
use crate::support::strict;

/// The lines of two requests, one that succeeds and one that fails. Hooks add fields with the back ends' own names.
fn lines(set: impl Fn(Output) -> Output) -> [Value; 3] {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(set(Output::new(memory.clone()))).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let layer = ServerLayer::new().on_response(|_, fields| {
                for name in ["http.method", "http.request.method", "http_method", "http_request_method", "duration"] {
                    fields.add(name, "mine");
                }
            });
            let fails = || async { StatusCode::BAD_GATEWAY };
            let handler = || async { info!(status = "an order's", "handling") };
            let app = Router::new().route("/orders/{id}", get(handler)).route("/fails", get(fails)).layer(layer);
            for path in ["/orders/7", "/fails"] {
                let mut request = request("GET", path);
                request.headers_mut().insert("x-request-id", "r-1".parse().unwrap());
                send(app.clone(), request).await;
            }
        });
    });
    guard.close().unwrap();
    let lines: Vec<Value> = memory.lines().iter().map(|line| strict::line(line)).collect();
    lines.try_into().unwrap()
}

fn lines_by(schema: impl Fn() -> Box<dyn Schema>) -> [Value; 3] {
    lines(|output| output.schema(schema()))
}

/// An attribute of a line of `Otel`, which has each at most once.
fn attribute(line: &Value, key: &str) -> Option<Value> {
    let attributes = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"].as_array().unwrap();
    let mut found = attributes.iter().filter(|attribute| attribute["key"] == key);
    let value = found.next().map(|attribute| attribute["value"].clone());
    assert!(found.next().is_none(), "{key} is there twice: {line}");
    value
}

#[test]
fn ecs_has_requests_in_its_own_fields() {
    let [handling, succeeds, fails] = lines_by(|| schema("ecs"));
    assert_eq!((&handling["labels"]["status"], &handling["labels"]["method"]), (&json!("an order's"), &json!("GET")));
    assert_eq!(
        (&succeeds["http.request.method"], &succeeds["http.response.status_code"]),
        (&json!("GET"), &json!(200))
    );
    assert_eq!((&succeeds["url.path"], &succeeds["http.request.id"]), (&json!("/orders/7"), &json!("r-1")));
    assert_eq!((&succeeds["event.outcome"], &fails["event.outcome"]), (&json!("success"), &json!("failure")));
    assert_eq!(succeeds["event.duration"].as_u64().map(|nanos| nanos % 1000), Some(0), "{succeeds}");
    let labels = &succeeds["labels"];
    assert_eq!((&labels["route"], &labels["outcome"]), (&json!("/orders/{id}"), &json!("completed")));
    assert_eq!(labels["http_request_method"], "mine", "{labels}");
    for name in ["status", "latency_us", "path", "method", "response_bytes"] {
        assert!(labels.get(name).is_none(), "{name} in {labels}");
    }
}

#[test]
fn datadog_has_requests_in_its_standard_attributes() {
    let [handling, succeeds, fails] = lines_by(|| schema("datadog"));
    assert_eq!((&handling["status"], &handling["fields"]["status"]), (&json!("info"), &json!("an order's")));
    assert_eq!((&succeeds["http.method"], &succeeds["http.status_code"]), (&json!("GET"), &json!(200)));
    assert_eq!(
        (&succeeds["status"], &fails["status"], &fails["http.status_code"]),
        (&json!("info"), &json!("error"), &json!(502))
    );
    assert_eq!(
        (&succeeds["http.url_details.path"], &succeeds["http.request_id"]),
        (&json!("/orders/7"), &json!("r-1"))
    );
    assert_eq!((&succeeds["evt.outcome"], &succeeds["network.bytes_written"]), (&json!("completed"), &json!(0)));
    assert_eq!(succeeds["duration"].as_u64().map(|nanos| nanos % 1000), Some(0), "{succeeds}");
    assert_eq!(succeeds["fields"], json!({"http.method": "mine", "duration": "mine"}));
}

#[test]
fn gcp_has_requests_as_the_entrys_request() {
    let [handling, succeeds, fails] = lines_by(|| schema("gcp"));
    assert_eq!((handling.get("httpRequest"), &handling["status"]), (None, &json!("an order's")));
    let request = &succeeds["httpRequest"];
    assert_eq!((&request["requestMethod"], &request["requestUrl"]), (&json!("GET"), &json!("/orders/7")));
    assert_eq!((&request["status"], &fails["httpRequest"]["status"]), (&json!(200), &json!(502)));
    let seconds = request["latency"].as_str().and_then(|latency| latency.strip_suffix('s')).unwrap();
    assert!(seconds.parse::<f64>().is_ok() && request["responseSize"].is_string(), "{request}");
    assert_eq!(
        (succeeds.get("status"), succeeds.get("method"), &succeeds["route"]),
        (None, None, &json!("/orders/{id}"))
    );
}

#[test]
fn otel_has_requests_in_its_semantic_conventions() {
    let [_, succeeds, fails] = lines_by(|| schema("otel"));
    assert_eq!(attribute(&succeeds, "http.request.method"), Some(json!({"stringValue": "GET"})));
    assert_eq!(attribute(&succeeds, "http.response.status_code"), Some(json!({"intValue": "200"})));
    assert_eq!(attribute(&succeeds, "url.path"), Some(json!({"stringValue": "/orders/7"})));
    assert_eq!(attribute(&succeeds, "http.route"), Some(json!({"stringValue": "/orders/{id}"})));
    assert!(attribute(&succeeds, "http.server.request.duration").unwrap()["doubleValue"].is_f64());
    let error = |line: &Value| attribute(line, "error.type");
    assert_eq!((error(&succeeds), error(&fails)), (None, Some(json!({"stringValue": "502"}))));
    for name in ["status", "method", "path", "route", "latency_us"] {
        assert_eq!(attribute(&succeeds, name), None, "{name}");
    }
}

#[test]
fn bunyan_and_pino_have_requests_as_req_and_res() {
    let [handling, succeeds, fails] = lines_by(|| schema("bunyan"));
    assert_eq!((handling.get("req"), handling.get("res")), (None, None));
    assert_eq!(
        (&succeeds["req"], &succeeds["res"]),
        (&json!({"method": "GET", "url": "/orders/7"}), &json!({"statusCode": 200}))
    );
    assert!(fails["latency_us"].is_u64() && fails.get("status").is_none(), "{fails}");
    let [handling, succeeds, fails] = lines_by(|| schema("pino"));
    assert_eq!((handling.get("req"), handling.get("res"), &handling["status"]), (None, None, &json!("an order's")));
    assert_eq!(succeeds["req"], json!({"id": "r-1", "method": "GET", "url": "/orders/7"}));
    assert_eq!((&fails["res"], fails.get("latency_us")), (&json!({"statusCode": 502}), None));
    assert!(fails["responseTime"].is_f64(), "milliseconds: {fails}");
}

#[test]
fn graylog_and_splunk_have_requests_in_the_names_of_their_models() {
    let [handling, succeeds, _] = lines_by(|| schema("gelf"));
    assert_eq!((&handling["_status"], &handling["_method"]), (&json!("an order's"), &json!("GET")));
    assert_eq!(
        (&succeeds["_http_request_method"], &succeeds["_http_request_path"]),
        (&json!("GET"), &json!("/orders/7"))
    );
    assert_eq!((&succeeds["_http_response_code"], succeeds.get("_status")), (&json!(200), None));
    assert_eq!(succeeds["_fields_http_request_method"], "mine");
    let [handling, succeeds, _] = lines_by(|| schema("splunk"));
    assert_eq!((&handling["event"]["status"], &succeeds["event"]["status"]), (&json!("an order's"), &json!(200)));
    let event = &succeeds["event"];
    assert_eq!(
        (&event["http_method"], &event["uri_path"], &event["bytes_out"]),
        (&json!("GET"), &json!("/orders/7"), &json!(0))
    );
    assert_eq!(event["fields.http_method"], "mine");
}

/// The line of one request of gRPC, whose status is that of HTTP and of gRPC.
fn line_of_grpc(schema: Box<dyn Schema>, method: &str, status: &'static str) -> Value {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone()).schema(schema)).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let app = Router::new().route("/orders.Orders/Get", any(move || async move { [("grpc-status", status)] }));
            let mut request = request(method, "/orders.Orders/Get");
            request.headers_mut().insert("host", "orders.example:8443".parse().unwrap());
            request.headers_mut().insert("user-agent", "grpc-go/1.70".parse().unwrap());
            send(app.layer(ServerLayer::new()), request).await;
        });
    });
    guard.close().unwrap();
    strict::line(&memory.lines()[0])
}

#[test]
fn a_failure_of_grpc_is_one_although_its_status_of_http_is_200() {
    let outcome = |status| line_of_grpc(schema("ecs"), "POST", status)["event.outcome"].clone();
    assert_eq!(["0", "5", "14"].map(outcome), ["success", "success", "failure"]);
    let of_otel = |status, keys: [&str; 2]| {
        let line = line_of_grpc(schema("otel"), "POST", status);
        keys.map(|key| attribute(&line, key))
    };
    let keys = ["rpc.response.status_code", "error.type"];
    assert_eq!(of_otel("0", keys), [Some(json!({"stringValue": "OK"})), None]);
    assert_eq!(of_otel("5", keys), [Some(json!({"stringValue": "NOT_FOUND"})), None]);
    let unavailable = Some(json!({"stringValue": "UNAVAILABLE"}));
    assert_eq!(of_otel("14", keys), [unavailable.clone(), unavailable]);
    assert_eq!(of_otel("99", keys), [Some(json!({"stringValue": "99"})), None]);
}

#[test]
fn otel_has_only_methods_that_it_knows() {
    let of = |method: &str| {
        let line = line_of_grpc(schema("otel"), method, "0");
        ["http.request.method", "http.request.method_original", "method"].map(|key| attribute(&line, key))
    };
    assert_eq!(of("QUERY"), [Some(json!({"stringValue": "QUERY"})), None, None]);
    let [known, original] = ["_OTHER", "PURGE"].map(|text| Some(json!({ "stringValue": text })));
    assert_eq!(of("PURGE"), [known, original, None]);
}

#[test]
fn the_host_of_a_request_has_its_name_and_its_port_apart() {
    let line = |name| line_of_grpc(schema(name), "POST", "0");
    let [ecs, datadog, otel, gelf] = ["ecs", "datadog", "otel", "gelf"].map(line);
    assert_eq!((&ecs["url.domain"], &ecs["url.port"]), (&json!("orders.example"), &json!(8443)));
    assert_eq!(ecs["labels"].get("host"), None, "{ecs}");
    let of_datadog = ["http.url_details.host", "http.url_details.port"].map(|key| &datadog[key]);
    assert_eq!(of_datadog, [&json!("orders.example"), &json!(8443)]);
    let of_otel = ["server.address", "server.port", "host"].map(|key| attribute(&otel, key));
    let [name, port] = [json!({"stringValue": "orders.example"}), json!({"intValue": "8443"})];
    assert_eq!(of_otel, [Some(name), Some(port), None]);
    let of_gelf = ["_http_host", "_http_user_agent", "_http_response_bytes"].map(|key| &gelf[key]);
    assert_eq!(of_gelf, [&json!("orders.example:8443"), &json!("grpc-go/1.70"), &json!(0)]);
    let splunk = line("splunk")["event"].take();
    let of_splunk = ["url_domain", "dest_port", "http_user_agent"].map(|key| &splunk[key]);
    assert_eq!(of_splunk, [&json!("orders.example"), &json!(8443), &json!("grpc-go/1.70")]);
    assert!(splunk["response_time"].is_f64(), "milliseconds: {splunk}");
}

#[test]
fn a_users_description_of_the_request_stands_for_the_lines_own() {
    let memory = Memory::new();
    let (layer, guard) = fixed().output(Output::new(memory.clone()).schema(schema("gcp"))).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mine = spanline::record::Value::Json(r#"{"requestMethod": "PURGE"}"#);
            let layer = ServerLayer::new().on_response(move |_, fields| fields.add("httpRequest", mine));
            let app = Router::new().route("/", get(|| async {})).layer(layer);
            send(app, request("GET", "/")).await;
        });
    });
    guard.close().unwrap();
    let line = strict::line(&memory.lines()[0]);
    assert_eq!((&line["httpRequest"], &line["status"]), (&json!({"requestMethod": "PURGE"}), &json!(200)));
}

#[test]
fn edits_apply_to_the_keys_of_requests() {
    let edits = || Edits::new().rename("http.response.status_code", "code").remove("event.duration");
    let [_, succeeds, _] = lines(|output| output.schema(schema("ecs")).edits(edits()));
    assert_eq!((&succeeds["code"], succeeds.get("event.duration")), (&json!(200), None));
}
