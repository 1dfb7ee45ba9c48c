//! Requests carry one trace and one request id through all services; hostile headers are refused.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::routing::{any, get};
use http_body_util::Empty;
use serde_json::json;
use spanline::tower::{ClientLayer, ServerLayer};
use tower::ServiceExt;
use tower_layer::Layer;
use tracing::{info, info_span};

use crate::support::http::{PARENT, TRACE, lines, lines_of, listen, request, send, text};
use crate::support::stage::fixed;

/// A service that calls the next one, if any, from inside a span.
fn service(name: &'static str, next: Option<String>) -> Router {
    let handler = move || async move {
        let call = async {
            info!(app = name, "handling");
            let Some(next) = next else { return };
            let mut headers = HeaderMap::new();
            spanline::tower::inject(&mut headers);
            let response =
                reqwest::Client::new().get(format!("{next}/orders/7")).headers(headers).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.bytes().await.unwrap();
        };
        tracing::Instrument::instrument(call, info_span!("work")).await;
        "done"
    };
    let layer = ServerLayer::new().on_request(move |_, fields| fields.add("app", name));
    Router::new().route("/orders/{id}", get(handler)).layer(layer)
}

#[test]
fn a_chain_of_services_has_one_trace_and_one_request_id() {
    for sent in [None, Some(PARENT)] {
        let lines = lines(|| async {
            let third = listen(service("third", None)).await;
            let second = listen(service("second", Some(third))).await;
            let first = listen(service("first", Some(second))).await;
            let mut request = reqwest::Client::new().get(format!("{first}/orders/7"));
            if let Some(sent) = sent {
                request = request.header("traceparent", sent).header("x-request-id", "r-1");
            }
            let response = request.send().await.unwrap();
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            assert_eq!(response.text().await.unwrap(), "done");
            info!(id, "answered");
        });
        let of = |app: &str, message: &str| {
            let found = lines.iter().find(|line| line["app"] == app && line["message"] == message);
            found.unwrap_or_else(|| panic!("no {message} of {app}: {lines:#?}"))
        };
        let apps = ["first", "second", "third"];
        let answered = lines.iter().find(|line| line["message"] == "answered").unwrap();
        for app in apps {
            let (work, finished) = (of(app, "handling"), of(app, "request finished"));
            for line in [work, finished] {
                assert_eq!(line["trace_id"], of("first", "handling")["trace_id"]);
                assert_eq!(line["request_id"], answered["id"]);
                assert_eq!((&line["method"], &line["route"]), (&json!("GET"), &json!("/orders/{id}")));
            }
            assert_eq!((&work["spans"], &finished["spans"]), (&json!(["request", "work"]), &json!(["request"])));
            assert_eq!(work["parent_span_id"], finished["span_id"]);
            assert_eq!((&finished["status"], &finished["path"]), (&json!(200), &json!("/orders/7")));
            assert_eq!((&finished["response_bytes"], &finished["request_bytes"]), (&json!(4), &json!(0)));
            assert_eq!((&finished["outcome"], &finished["level"]), (&json!("completed"), &json!("INFO")));
            assert!(finished["latency_us"].is_u64() && finished.get("fields").is_none(), "{finished}");
        }
        for pair in apps.windows(2) {
            assert_eq!(of(pair[1], "request finished")["parent_span_id"], of(pair[0], "handling")["span_id"]);
        }
        let first = of("first", "request finished");
        match sent {
            Some(_) => {
                assert_eq!((text(first, "trace_id"), text(first, "parent_span_id")), (TRACE, "00f067aa0ba902b7"));
                assert_eq!(answered["id"], "r-1");
            }
            None => {
                assert!(first.get("parent_span_id").is_none());
                assert_eq!((text(answered, "id").len(), &text(answered, "id")[14..15]), (36, "7"));
            }
        }
    }
}

#[test]
fn the_current_context_goes_with_a_clients_request() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let lines = lines(|| async move {
        let app = Router::new().fallback(any(move |headers: HeaderMap| {
            record.lock().unwrap().push(headers);
            async {}
        }));
        let url = listen(app).await;
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
        let client = ClientLayer::new().layer(client.build_http::<Empty<Bytes>>());
        let request = || Request::get(&url).header("traceparent", "stale").body(Empty::new()).unwrap();
        client.clone().oneshot(request()).await.unwrap();
        let remote = [("traceparent", PARENT), ("tracestate", "a=1"), ("x-request-id", "r-1")];
        let other = ClientLayer::new().request_id_header(http::HeaderName::from_static("x-correlation-id"));
        let other = other.layer(client.clone());
        let call = async {
            let _response = client.oneshot(request()).await.unwrap();
            info!("called");
            let _response = other.oneshot(request()).await.unwrap();
        };
        let call = tracing::Instrument::instrument(call, {
            let _remote = spanline::propagate::TraceContext::from_headers(remote).unwrap().enter();
            info_span!("call")
        });
        call.await;
    });
    let sent = sent.lock().unwrap();
    assert_eq!((&sent[0]["traceparent"], sent[0].get("x-request-id")), (&HeaderValue::from_static("stale"), None));
    // The flag of the caller, who did not record, goes on.
    assert_eq!(sent[1]["traceparent"], format!("00-{TRACE}-{}-00", text(&lines[0], "span_id")));
    assert_eq!(sent[1].get_all("traceparent").iter().count(), 1);
    assert_eq!((sent[1]["tracestate"].as_bytes(), sent[1]["x-request-id"].as_bytes()), (&b"a=1"[..], &b"r-1"[..]));
    // Two layers, each with its own header.
    assert_eq!(
        (&sent[2]["x-correlation-id"], &sent[2]["x-request-id"]),
        (&sent[1]["x-request-id"], &sent[1]["x-request-id"])
    );
}

/// Headers of a request are not trusted.
#[test]
fn hostile_headers_are_replaced_and_noted() {
    let long = "x".repeat(60_000);
    let hostile: [&[u8]; 8] = [
        b"",
        b"00-",
        b"\xff\xfe\x80",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        long.as_bytes(),
        br#"","level":"FORGED","x":""#,
        "\u{202e}${jndi:ldap://x}".as_bytes(),
        b"\t",
    ];
    let memory = lines(|| async {
        for value in hostile {
            let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
            let mut request = request("GET", "/");
            for name in ["traceparent", "tracestate"] {
                request.headers_mut().insert(name, HeaderValue::from_bytes(value).unwrap());
            }
            let id = HeaderValue::from_bytes(&[value, b"<"].concat()).unwrap();
            request.headers_mut().insert("x-request-id", id);
            let response = send(app, request).await;
            let id = response.headers()["x-request-id"].to_str().unwrap();
            assert_eq!(id.len(), 36, "{id}");
        }
    });
    assert_eq!(memory.len(), hostile.len());
    for line in &memory {
        assert_eq!((line["level"].clone(), line["trace_id"].as_str().unwrap().len()), (json!("INFO"), 32));
        assert!(text(line, "traceparent_rejected").starts_with("traceparent `"), "{line}");
        assert!(text(line, "request_id_rejected").len() < 500 && line.get("parent_span_id").is_none(), "{line}");
        let text = line.to_string().replace('…', "");
        assert!(text.is_ascii() && text.len() < 3000, "{line}");
    }
    assert!(text(&memory[3], "traceparent_rejected").ends_with("version ff is forbidden"));
    assert!(text(&memory[3], "tracestate_rejected").contains("a member has no `=`"));
}

#[test]
fn doubled_headers_are_no_context() {
    let lines = lines(|| async {
        let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        let mut request = request("GET", "/");
        for name in ["traceparent", "x-request-id"] {
            request.headers_mut().append(name, HeaderValue::from_static(PARENT));
            request.headers_mut().append(name, HeaderValue::from_static(PARENT));
        }
        send(app, request).await;
    });
    assert_ne!(text(&lines[0], "trace_id"), TRACE);
    assert!(text(&lines[0], "traceparent_rejected").contains("more than once"));
    assert!(text(&lines[0], "request_id_rejected").contains("more than once"));
}

#[test]
fn long_paths_and_methods_are_cut_and_queries_are_not_logged() {
    let lines = lines(|| async {
        let app = Router::new().fallback(|| async { StatusCode::NOT_FOUND }).layer(ServerLayer::new());
        let path = format!("/{}?password=secret", "p".repeat(20_000));
        send(app, request(&"M".repeat(10_000), &path)).await;
    });
    let line = &lines[0];
    assert_eq!((text(line, "path").len(), text(line, "method").len(), line["status"].as_u64()), (1024, 32, Some(404)));
    assert!(line.get("route").is_none() && !line.to_string().contains("secret"), "{line}");
}

#[test]
fn a_request_under_two_layers_is_one_request() {
    let lines = lines(|| async {
        let inner = Router::new().route("/orders/{id}", get(|| async { info!("handling") })).layer(ServerLayer::new());
        let app = Router::new().nest("/api", inner).layer(ServerLayer::new());
        for parent in [None, Some(PARENT)] {
            let mut request = request("GET", "/api/orders/7?a=b");
            parent.map(|parent| request.headers_mut().insert("traceparent", HeaderValue::from_static(parent)));
            let response = send(app.clone(), request).await;
            info!(id = response.headers()["x-request-id"].to_str().unwrap(), "answered");
        }
    });
    for (lines, parent) in lines.chunks(4).zip([None, Some(&json!("00f067aa0ba902b7"))]) {
        let [handling, inner, outer, answered] = lines else { panic!("{lines:?}") };
        for line in [handling, inner, outer] {
            assert_eq!((&line["request_id"], &line["trace_id"]), (&answered["id"], &outer["trace_id"]), "{lines:?}");
        }
        assert_eq!((outer.get("parent_span_id"), &inner["parent_span_id"]), (parent, &outer["span_id"]));
        assert_eq!(inner["spans"], json!(["request", "request"]));
        let path = json!("/api/orders/7");
        assert_eq!((&inner["path"], &outer["path"]), (&path, &path), "as it was asked for");
    }
}

#[test]
fn the_ids_are_handed_down_where_the_lines_of_requests_are_hidden() {
    for filter in ["it=error", "warn,spanline=off"] {
        let lines = lines_of(fixed().filter(filter), || async {
            let handler = || async { tracing::error!("handling") };
            let app = Router::new().route("/", get(handler)).layer(ServerLayer::new());
            let mut request = request("GET", "/");
            request.headers_mut().insert("traceparent", HeaderValue::from_static(PARENT));
            send(app, request).await;
        });
        assert_eq!((lines.len(), text(&lines[0], "trace_id"), text(&lines[0], "request_id").len()), (1, TRACE, 36));
    }
}

#[test]
fn a_request_is_not_part_of_the_span_that_started_the_server() {
    let lines = lines(|| async {
        let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        let sent = send(app, request("GET", "/"));
        tracing::Instrument::instrument(sent, info_span!("server", port = 80)).await;
    });
    assert_eq!((&lines[0]["spans"], lines[0].get("port")), (&json!(["request"]), None));
}
