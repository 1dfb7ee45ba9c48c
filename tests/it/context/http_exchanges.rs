//! Requests of servers that are not made of `tower` services.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::{HeaderValue, Request, Response, request, response};
use serde_json::{Value, json};
use spanline::tower::{Exchange, Outcome, ResponseError, ServerLayer};
use tracing::info;

use crate::support::http::{PARENT, TRACE, lines, text};

fn head(method: &str) -> request::Parts {
    let request = Request::builder().method(method).uri("http://orders:8080/orders/7?key=secret");
    request.header("x-request-id", "r-1").header("traceparent", PARENT).body(()).unwrap().into_parts().0
}

fn answer(status: u16) -> response::Parts {
    Response::builder().status(status).body(()).unwrap().into_parts().0
}

/// The last line of what `run` does with the exchange of a request.
fn last_line(method: &str, run: impl FnOnce(Exchange)) -> Value {
    lines(|| async { run(ServerLayer::new().begin(&mut head(method))) }).pop().unwrap()
}

#[test]
fn a_handler_runs_in_the_request_and_its_line_has_everything() {
    let lines = lines(|| async {
        let mut exchange = ServerLayer::new().begin(&mut head("GET"));
        assert_eq!(exchange.request_id(), "r-1");
        exchange.set_route("/orders/{id}");
        let id = exchange
            .handle(async {
                tokio::task::yield_now().await;
                info!("handling");
                spanline::tower::set_request_variable("items", 3);
                7
            })
            .await;
        let mut head = answer(200);
        exchange.respond(&mut head, Some(5));
        assert_eq!(head.headers["x-request-id"], "r-1");
        exchange.run(|| info!(id, "sending"));
        exchange.add_bytes(5);
        exchange.finish(Outcome::Completed, None);
        exchange.finish(Outcome::BodyError, None);
        drop(exchange);
        info!("outside");
    });
    let messages: Vec<_> = lines.iter().map(|line| text(line, "message")).collect();
    assert_eq!(messages, ["handling", "sending", "request finished", "outside"]);
    for line in &lines[..3] {
        let ids = [&line["request_id"], &line["trace_id"], &line["route"], &line["method"]];
        assert_eq!(ids, [&json!("r-1"), &json!(TRACE), &json!("/orders/{id}"), &json!("GET")], "{line}");
    }
    let last = &lines[2];
    let known = [&last["status"], &last["path"], &last["request_bytes"], &last["response_bytes"], &last["items"]];
    assert_eq!(known, [&json!(200), &json!("/orders/7"), &json!(0), &json!(5), &json!(3)]);
    assert_eq!(lines[3].get("request_id"), None);
}

#[test]
fn an_exchange_that_is_dropped_has_a_line_that_says_why() {
    let cancelled = last_line("GET", drop);
    assert_eq!((&cancelled["outcome"], &cancelled["level"]), (&json!("cancelled"), &json!("WARN")));
    let aborted = last_line("GET", |mut exchange| {
        exchange.respond(&mut answer(200), Some(5));
        exchange.add_bytes(4);
    });
    assert_eq!((&aborted["outcome"], &aborted["response_bytes"]), (&json!("aborted"), &json!(4)));
    let complete = last_line("GET", |mut exchange| {
        exchange.respond(&mut answer(200), Some(5));
        exchange.add_bytes(5);
    });
    assert_eq!(complete["outcome"], "completed");
    let without_body = last_line("HEAD", |mut exchange| exchange.respond(&mut answer(200), Some(5)));
    assert_eq!(without_body["outcome"], "completed");
    let no_content = last_line("GET", |mut exchange| exchange.respond(&mut answer(204), None));
    assert_eq!(no_content["outcome"], "completed");
    let panicked = last_line("GET", |mut exchange| {
        let run = || exchange.run(|| panic!("no order"));
        catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    });
    assert_eq!(panicked["outcome"], "panicked");
}

#[test]
fn a_future_that_panics_is_told_from_one_that_is_dropped() {
    let lines = lines(|| async {
        let mut exchange = ServerLayer::new().begin(&mut head("GET"));
        let panicking = tokio::spawn(async move { exchange.handle(async { panic!("no order") }).await });
        assert!(panicking.await.unwrap_err().is_panic());
        let mut exchange = ServerLayer::new().begin(&mut head("GET"));
        let pending = tokio::spawn(async move { exchange.handle(std::future::pending::<()>()).await });
        tokio::task::yield_now().await;
        pending.abort();
        assert!(pending.await.unwrap_err().is_cancelled());
    });
    let outcomes: Vec<_> = lines.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["panicked", "cancelled"]);
}

#[test]
fn a_passed_on_error_and_the_settings_of_the_layer_apply() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .trust_when(|_| false)
            .on_request(|request, fields| fields.add("port", request.uri.port_u16().unwrap()))
            .on_response(|response, fields| fields.add("cached", response.headers.contains_key("age")))
            .trace_id_header(http::HeaderName::from_static("x-trace-id"));
        let mut exchange = layer.begin(&mut head("GET"));
        let mut head = answer(502);
        head.headers.insert("age", HeaderValue::from_static("1"));
        head.extensions.insert(ResponseError::new("database is away"));
        exchange.respond(&mut head, Some(0));
        assert!(head.headers.contains_key("x-trace-id"));
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let known = [&line["level"], &line["port"], &line["cached"], &line["upstream_request_id"]];
    assert_eq!(known, [&json!("ERROR"), &json!(8080), &json!(true), &json!("r-1")]);
    assert!(line["error"].to_string().contains("database is away"), "{line}");
    assert_ne!(line["trace_id"], TRACE);
}

/// HTTP/2 has no header for a body without a size, and HTTP/1 does.
#[test]
fn a_size_that_the_head_does_not_tell_is_not_zero() {
    let bytes = |version: http::Version, header: Option<(&'static str, &'static str)>| {
        let mut head = head("POST");
        head.version = version;
        if let Some((name, value)) = header {
            head.headers.insert(name, HeaderValue::from_static(value));
        }
        lines(|| async { drop(ServerLayer::new().begin(&mut head)) })[0].get("request_bytes").cloned()
    };
    let (http_1, http_2) = (http::Version::HTTP_11, http::Version::HTTP_2);
    assert_eq!(bytes(http_1, None), Some(json!(0)));
    assert_eq!(bytes(http_1, Some(("transfer-encoding", "chunked"))), None);
    assert_eq!(bytes(http_1, Some(("content-length", "7"))), Some(json!(7)));
    assert_eq!(bytes(http_2, Some(("content-length", "7"))), Some(json!(7)));
    assert_eq!(bytes(http_2, None), None);
}

/// A framework may have layers around its routes and around some of them.
#[test]
fn an_exchange_inside_another_one_continues_it() {
    let lines = lines(|| async {
        let mut head = head("GET");
        let outer = ServerLayer::new().begin(&mut head);
        let inner = ServerLayer::new().trust_when(|_| false).begin(&mut head);
        assert_eq!(inner.request_id(), "r-1");
        drop(inner);
        drop(outer);
    });
    let [inner, outer] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&inner["trace_id"], &inner["parent_span_id"]), (&json!(TRACE), &outer["span_id"]));
}
