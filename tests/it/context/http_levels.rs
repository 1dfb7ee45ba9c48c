//! Each failure of a request is one ERROR, with its error; a hook chooses the level of the line.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::Value;
use spanline::tower::{ResponseError, ServerLayer};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::Level;

use crate::support::http::{body_then, lines, lines_of, request, send, text};
use crate::support::stage::fixed;

fn levels(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| text(line, "level")).collect()
}

/// An error with two sources.
fn refused() -> anyhow::Error {
    anyhow::Error::new(io::Error::other("connection refused")).context("no payment").context("order not placed")
}

#[test]
fn an_error_that_the_handler_passes_on_is_in_the_line_with_its_chain() {
    let lines = lines(|| async {
        let handler = || async { (StatusCode::BAD_GATEWAY, Extension(ResponseError::new(refused())), "sorry") };
        let fails = || async {
            let body = body_then(|| Poll::Ready(Some(Err(io::Error::other("of the body")))));
            (Extension(ResponseError::new("of the handler")), body).into_response()
        };
        let layer = ServerLayer::new().on_response(|_, fields| fields.add("error", "of the hook"));
        let app = Router::new().route("/", get(handler)).route("/fails", get(fails)).layer(layer);
        send(app.clone(), request("GET", "/")).await;
        assert!(app.oneshot(request("GET", "/fails")).await.unwrap().into_body().collect().await.is_err());
    });
    assert_eq!(levels(&lines), ["ERROR", "ERROR"]);
    let error = &lines[0]["error"];
    assert_eq!(error["message"], "order not placed", "{}", lines[0]);
    let chain = lines[0].to_string();
    assert!(chain.contains("no payment") && chain.contains("connection refused"), "{chain}");
    assert_eq!(lines[0]["error_"], "of the hook");
    assert_eq!(lines[1]["error"]["message"], "of the body");
    assert!(lines[1]["error_"].to_string().contains("of the handler"), "{}", lines[1]);
}

#[test]
fn a_failure_under_several_layers_is_one_error() {
    let lines = lines(|| async {
        let fails = || async { (StatusCode::INTERNAL_SERVER_ERROR, Extension(ResponseError::new(refused()))) };
        let panics = || async {
            if true {
                panic!("in the handler")
            }
        };
        let app = Router::new()
            .route("/fails", get(fails))
            .route("/panics", get(panics))
            .route("/missing", get(|| async { StatusCode::NOT_FOUND }))
            .layer(ServerLayer::new())
            .layer(ServerLayer::new());
        send(app.clone(), request("GET", "/fails")).await;
        assert!(tokio::spawn(app.clone().oneshot(request("GET", "/panics"))).await.is_err());
        send(app, request("GET", "/missing")).await;
    });
    assert_eq!(levels(&lines), ["ERROR", "WARN", "ERROR", "WARN", "WARN", "WARN"]);
    assert!(lines[..2].iter().all(|line| line["error"]["message"] == "order not placed" && line["status"] == 500));
    assert!(lines[2..4].iter().all(|line| line["outcome"] == "panicked"));
}

#[test]
fn a_panic_with_a_line_is_one_error() {
    let mut lines = lines_of(fixed().filter("info").log_panics(true), || async {
        let panics = service_fn(|request: Request<Body>| async move {
            if request.uri().path() != "/fine" {
                panic!("in the handler")
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        assert!(tokio::spawn(ServerLayer::new().layer(panics).oneshot(request("GET", "/"))).await.is_err());
        send(ServerLayer::new().layer(panics), request("GET", "/fine")).await;
    });
    // Panics of tests at the same time are logged outside any request.
    lines.retain(|line| line.get("request_id").is_some());
    assert_eq!(levels(&lines), ["ERROR", "WARN", "INFO"]);
    assert_eq!((text(&lines[0], "target"), text(&lines[1], "outcome")), ("panic", "panicked"));
    assert_eq!(lines[0]["request_id"], lines[1]["request_id"]);
}

#[test]
fn a_hook_sets_the_level_from_all_that_is_known() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let lines = lines(|| async move {
        let layer = ServerLayer::new().level(move |finished| {
            let header = |headers: &HeaderMap, name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
            record.lock().unwrap().push((
                finished.level(),
                header(finished.request_headers(), "x-probe"),
                header(finished.response_headers(), "x-kind"),
                finished.error().map(ToString::to_string),
                finished.response_error().is_some_and(|error| error.error().is::<io::Error>()),
            ));
            match finished.status().map(|status| status.as_u16()) {
                _ if finished.request_headers().contains_key("x-probe") => Level::DEBUG,
                Some(404) => Level::INFO,
                Some(418) => panic!("in the hook"),
                _ if finished.response_headers().contains_key("x-kind") => Level::TRACE,
                _ => finished.level(),
            }
        });
        let fails = || async { (StatusCode::BAD_GATEWAY, Extension(ResponseError::new(io::Error::other("gone")))) };
        let app = Router::new()
            .route("/", get(|| async {}))
            .route("/kind", get(|| async { [("x-kind", "asset")] }))
            .route("/fails", get(fails))
            .route("/tea", get(|| async { StatusCode::IM_A_TEAPOT }))
            .layer(layer);
        let mut probe = request("GET", "/");
        probe.headers_mut().insert("x-probe", HeaderValue::from_static("yes"));
        send(app.clone(), probe).await;
        for path in ["/", "/missing", "/kind", "/fails", "/tea"] {
            send(app.clone(), request("GET", path)).await;
        }
    });
    let paths: Vec<_> = lines.iter().map(|line| (text(line, "path"), text(line, "level"))).collect();
    assert_eq!(paths, [("/", "INFO"), ("/missing", "INFO"), ("/fails", "ERROR"), ("/tea", "WARN")]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (Level::INFO, Some("yes".to_owned()), None, None, false));
    assert_eq!(seen[3], (Level::INFO, None, Some("asset".to_owned()), None, false));
    assert_eq!(seen[4], (Level::ERROR, None, None, Some("gone".to_owned()), true));
}

#[test]
fn the_line_of_a_grpc_call_has_its_message_and_the_hook_sees_both() {
    let lines = lines(|| async {
        for (message, trailers_only) in [("order%207 is g%C3%B6ne", false), ("%ff%", true)] {
            let app = service_fn(move |_: Request<Body>| async move {
                let mut map = HeaderMap::new();
                map.insert("grpc-status", HeaderValue::from_static("5"));
                map.insert("grpc-message", HeaderValue::from_static(message));
                let mut map = Some(map);
                let mut response = Response::new(Body::empty());
                match trailers_only {
                    true => *response.headers_mut() = map.take().unwrap(),
                    false => {
                        *response.body_mut() =
                            body_then(move || Poll::Ready(map.take().map(|map| Ok(Frame::trailers(map)))));
                    }
                }
                Ok::<_, Infallible>(response)
            });
            let layer = ServerLayer::new().level(|finished| match (finished.grpc_status(), finished.grpc_message()) {
                (Some(5), Some(message)) if message.starts_with("order 7") => Level::INFO,
                _ => finished.level(),
            });
            send(layer.layer(app), request("POST", "/orders.Orders/Get")).await;
        }
    });
    let seen: Vec<_> = lines.iter().map(|line| (text(line, "grpc_message"), text(line, "level"))).collect();
    assert_eq!(seen, [("order 7 is göne", "INFO"), ("\u{fffd}%", "WARN")]);
}
