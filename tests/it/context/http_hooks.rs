//! Hooks of the server layer add fields and choose which requests are logged.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use axum::http::{HeaderMap, HeaderValue};
use axum::routing::get;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use serde_json::json;
use spanline::tower::ServerLayer;
use tower::ServiceExt;
use tracing::info;

use crate::support::http::{body_then, lines, request, send, text};

#[test]
fn hooks_add_fields_and_choose_what_is_logged() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .request_id_header(http::HeaderName::from_static("x-correlation-id"))
            .on_request(|request, fields| {
                fields.add("tenant", request.headers["x-tenant"].to_str().unwrap());
                fields.add("tenants", 1);
            })
            .on_response(|response, fields| fields.add("cached", response.extensions.get::<bool>().is_some()))
            .log_when(|finished| finished.path() != "/healthz");
        let handler = || async {
            info!("handling");
            Extension(true)
        };
        let app = Router::new().route("/", get(handler)).route("/healthz", get(handler)).layer(layer);
        for path in ["/", "/healthz"] {
            let mut request = request("GET", path);
            request.headers_mut().insert("x-tenant", HeaderValue::from_static("acme"));
            request.headers_mut().insert("x-correlation-id", HeaderValue::from_static("c-1"));
            let response = send(app.clone(), request).await;
            assert_eq!(response.headers()["x-correlation-id"], "c-1");
            assert!(response.headers().get("x-request-id").is_none());
        }
    });
    let messages: Vec<_> = lines.iter().map(|line| text(line, "message")).collect();
    assert_eq!(messages, ["handling", "request finished", "handling"]);
    assert!(lines.iter().all(|line| line["tenant"] == "acme" && line["tenants"] == 1 && line["request_id"] == "c-1"));
    assert_eq!((&lines[1]["cached"], lines[0].get("cached")), (&json!(true), None));
}

#[test]
fn a_field_of_the_request_with_a_name_of_its_line_is_in_all_lines_under_another() {
    let lines = lines(|| async {
        let layer = ServerLayer::new().on_request(|_, fields| {
            fields.add("status", "mine");
            fields.add("path", "mine");
            fields.add("message", "mine");
        });
        let app = Router::new().route("/", get(|| async { info!("handling") })).layer(layer);
        send(app, request("GET", "/")).await;
    });
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let added = [&line["status_"], &line["path_"], &line["message_"]];
        assert_eq!(added, [&json!("mine"), &json!("mine"), &json!("mine")], "{line}");
    }
    assert_eq!((&lines[1]["status"], &lines[1]["path"]), (&json!(200), &json!("/")));
}

#[test]
fn fields_of_hooks_do_not_replace_those_of_the_layer() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .on_request(|_, fields| {
                fields.add("method", "mine");
                fields.add("route", "mine");
            })
            .on_response(|_, fields| {
                let names = [
                    "status",
                    "message",
                    "request_id",
                    "method",
                    "outcome",
                    "latency_us",
                    "path",
                    "user_agent",
                    "host",
                ];
                names.iter().for_each(|name| fields.add(name, "mine"));
            });
        let app = Router::new().route("/", get(|| async { info!("handling") })).layer(layer);
        let mut request = request("GET", "/");
        request.headers_mut().insert("x-request-id", HeaderValue::from_static("r-1"));
        assert_eq!(send(app, request).await.headers()["x-request-id"], "r-1");
    });
    for line in &lines {
        let said = [&line["request_id"], &line["method"], &line["route"], &line["method_"], &line["route_"]];
        assert_eq!(said, [&json!("r-1"), &json!("GET"), &json!("/"), &json!("mine"), &json!("mine")]);
    }
    let last = &lines[1];
    assert_eq!((text(last, "message"), &last["status"]), ("request finished", &json!(200)));
    assert_eq!((text(last, "outcome"), text(last, "path"), last["latency_us"].is_u64()), ("completed", "/", true));
    for name in
        ["status_", "message_", "request_id_", "method_", "outcome_", "latency_us_", "path_", "user_agent_", "host_"]
    {
        assert_eq!(last[name], "mine", "{name}");
    }
}

#[test]
fn an_error_of_a_hook_is_logged_unless_the_layer_has_one() {
    let lines = lines(|| async {
        let layer = ServerLayer::new().on_response(|_, fields| fields.add("error", "of the hook"));
        let fails = || async { body_then(|| Poll::Ready(Some(Err(io::Error::other("of the body"))))) };
        let app = Router::new().route("/", get(|| async { "text" })).route("/fails", get(fails)).layer(layer);
        send(app.clone(), request("GET", "/")).await;
        assert!(app.oneshot(request("GET", "/fails")).await.unwrap().into_body().collect().await.is_err());
    });
    let errors = [&lines[0]["error"], &lines[1]["error"]];
    assert_eq!(errors, [&json!({"message": "of the hook"}), &json!({"message": "of the body"})]);
    assert_eq!(text(&lines[1], "outcome"), "body_error");
    assert_eq!((&lines[1]["error_"], lines[0].get("error_")), (&json!("of the hook"), None));
}

#[test]
fn a_request_id_set_by_a_hook_is_the_same_in_lines_responses_and_calls() {
    for (given, sent_on) in [(json!("mine-1"), true), (json!(7), true), (json!("not an id\n"), false)] {
        let onward = Arc::new(Mutex::new(HeaderMap::new()));
        let (seen, answered) = (Arc::clone(&onward), Arc::new(Mutex::new(String::new())));
        let lines = lines(|| async {
            let id = given.clone();
            let layer = ServerLayer::new().on_request(move |_, fields| match id.as_u64() {
                Some(id) => fields.add("request_id", id),
                None => fields.add("request_id", id.as_str().unwrap()),
            });
            let handler = move || async move {
                info!("handling");
                spanline::tower::inject(&mut seen.lock().unwrap());
            };
            let app = Router::new().route("/", get(handler)).layer(layer);
            let mut request = request("GET", "/");
            request.headers_mut().insert("x-request-id", HeaderValue::from_static("r-1"));
            let response = send(app, request).await;
            *answered.lock().unwrap() = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        });
        let id = answered.lock().unwrap().clone();
        let wanted = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
        assert_eq!(id, if sent_on { wanted } else { "r-1".to_owned() });
        assert_eq!(onward.lock().unwrap()["x-request-id"], id);
        assert!(lines.iter().all(|line| line["request_id"] == id), "{lines:?}");
        assert!(lines.iter().all(|line| line.get("request_id_") == (!sent_on).then_some(&given)));
    }
}

#[test]
fn fields_of_hooks_are_redacted_by_name() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .on_request(|_, fields| {
                fields.add("authorization", "Bearer hunter2");
                fields.add("tenant", "acme");
            })
            .on_response(|_, fields| fields.add("set_cookie", "sid=hunter2"));
        let app = Router::new().route("/", get(|| async { info!("handling") })).layer(layer);
        send(app, request("GET", "/")).await;
    });
    assert_eq!((&lines[0]["authorization"], &lines[0]["tenant"]), (&json!("<redacted>"), &json!("acme")));
    assert_eq!((&lines[1]["authorization"], &lines[1]["set_cookie"]), (&json!("<redacted>"), &json!("<redacted>")));
}

#[test]
fn a_hook_that_panics_does_not_harm_the_request() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .route(|_| panic!("route"))
            .on_request(|_, fields| {
                fields.add("before", true);
                panic!("request")
            })
            .on_response(|_, _| panic!("response"))
            .log_when(|_| panic!("log"));
        let app = Router::new().route("/", get(|| async { "text" })).layer(layer);
        assert_eq!(send(app, request("GET", "/")).await.body(), "text");
    });
    assert_eq!((lines.len(), &lines[0]["before"], &lines[0]["outcome"]), (1, &json!(true), &json!("completed")));
}

#[test]
fn the_line_has_what_the_requests_head_says_of_client_and_server() {
    let long = "x".repeat(1000);
    let lines = lines(|| async {
        let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        for (version, uri, headers) in [
            (http::Version::HTTP_11, "/?token=hidden", vec![("host", "orders:8080"), ("user-agent", "curl/8.5")]),
            (http::Version::HTTP_2, "https://user:hidden@orders/?token=hidden", vec![("host", "other")]),
            (http::Version::HTTP_10, "/", vec![("host", "user:hidden@orders"), ("user-agent", &long)]),
            (http::Version::HTTP_11, "/", vec![("host", "not a host"), ("user-agent", "gr\u{fc}n")]),
        ] {
            let mut request = request("GET", uri);
            *request.version_mut() = version;
            for (name, value) in headers {
                request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            send(app.clone(), request).await;
        }
    });
    let names = ["http_version", "scheme", "host", "user_agent"];
    let said: Vec<_> = lines.iter().map(|line| names.map(|name| line.get(name).cloned().unwrap_or_default())).collect();
    let null = json!(null);
    assert_eq!(
        said,
        [
            [json!("1.1"), null.clone(), json!("orders:8080"), json!("curl/8.5")],
            [json!("2"), json!("https"), json!("orders"), null.clone()],
            [json!("1.0"), null.clone(), json!("orders"), json!(&long[..256])],
            [json!("1.1"), null.clone(), null, json!("gr\u{fc}n")],
        ]
    );
    assert!(lines.iter().all(|line| !line.to_string().contains("hidden")));
}

#[test]
fn what_a_hook_says_of_the_client_replaces_the_heads_words() {
    let lines = lines(|| async {
        let layer = ServerLayer::new().on_request(|_, fields| {
            ["http_version", "scheme", "host", "user_agent"].iter().for_each(|name| fields.add(name, "mine"));
        });
        let mut request = request("GET", "https://orders/");
        request.headers_mut().insert("user-agent", HeaderValue::from_static("curl/8.5"));
        send(Router::new().route("/", get(|| async { info!("handling") })).layer(layer), request).await;
    });
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let said = ["http_version", "scheme", "host", "user_agent"].map(|name| &line[name]);
        assert_eq!(said, [&json!("mine"); 4], "{line}");
    }
}
