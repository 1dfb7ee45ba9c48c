//! Outgoing requests are logged on request, however they end.

use std::io;
use std::task::Poll;

use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::json;
use spanline::tower::ClientLayer;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::info_span;

use crate::support::http::{lines, lines_of, text};
use crate::support::stage::fixed;

#[test]
fn each_outgoing_request_is_a_line_with_its_status_and_duration() {
    let lines = lines(|| async {
        let service = service_fn(|request: Request<Body>| async move {
            match request.uri().path() {
                "/refused" => Err(io::Error::other("connection refused")),
                "/endless" => std::future::pending().await,
                path => {
                    assert!(request.headers().contains_key("traceparent"));
                    let status: u16 = path.trim_start_matches('/').parse().unwrap();
                    Ok(Response::builder().status(status).body(Body::empty()).unwrap())
                }
            }
        });
        let client = ClientLayer::new().log_requests().layer(service);
        let get = |path: &str| {
            let uri = format!("http://user:hidden@orders:8080{path}?token=hidden");
            client.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap())
        };
        let calls = async {
            for path in ["/200", "/404", "/503"] {
                get(path).await.unwrap();
            }
            assert!(get("/refused").await.is_err());
        };
        tracing::Instrument::instrument(calls, info_span!("checkout", order = 7)).await;
        let mut endless = Box::pin(get("/endless"));
        let polled = std::future::poll_fn(|context| Poll::Ready(endless.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    });
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (text(line, "path"), line["status"].as_u64(), text(line, "outcome"), text(line, "level")))
        .collect();
    assert_eq!(
        seen,
        [
            ("/200", Some(200), "completed", "INFO"),
            ("/404", Some(404), "completed", "INFO"),
            ("/503", Some(503), "completed", "WARN"),
            ("/refused", None, "service_error", "WARN"),
            ("/endless", None, "cancelled", "WARN"),
        ]
    );
    for line in &lines {
        assert_eq!((text(line, "method"), text(line, "host")), ("GET", "orders:8080"));
        assert!(line["latency_us"].is_u64() && !line.to_string().contains("hidden"), "{line}");
        assert_eq!(text(line, "target"), "spanline::http::client");
    }
    assert!(lines[..4].iter().all(|line| line["order"] == 7 && line["spans"] == json!(["checkout"])));
    assert_eq!(lines[3]["error"]["message"], "connection refused");
}

#[test]
fn without_being_asked_a_client_logs_nothing() {
    let lines = lines_of(fixed().filter("trace"), || async {
        let service = service_fn(|_: Request<Body>| async { Ok::<_, io::Error>(Response::new(Body::empty())) });
        ClientLayer::new().layer(service).oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    });
    assert!(lines.is_empty(), "{lines:?}");
}
