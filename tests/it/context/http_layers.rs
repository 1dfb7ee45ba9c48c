//! Beside the layers of tower-http: what each order logs. Upgraded connections and streams keep their ids.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use serde_json::Value;
use spanline::propagate::Scope;
use spanline::tower::ServerLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::info;

use crate::support::http::{body_then, lines, lines_of, listen, request, send, text};
use crate::support::stage::fixed;

fn app() -> Router {
    let panics = || async {
        if true {
            panic!("in the handler")
        }
    };
    let slow = || async { std::future::pending::<()>().await };
    Router::new()
        .route("/", get(|| async { "text" }))
        .route("/panics", get(panics))
        .route("/slow", get(slow))
        .route("/fails", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(1))
}

fn ending(line: &Value) -> (&str, Option<u64>, &str) {
    (text(line, "outcome"), line["status"].as_u64(), text(line, "level"))
}

#[test]
fn inside_the_server_layer_answers_of_other_layers_are_logged() {
    let mut lines = lines_of(fixed().filter("info,tower_http=off").log_panics(true), || async {
        let app = app().layer(CorsLayer::permissive()).layer(timeout()).layer(CatchPanicLayer::new());
        let app = app.layer(ServerLayer::new());
        for path in ["/panics", "/slow"] {
            let response = send(app.clone(), request("GET", path)).await;
            assert!(response.headers().contains_key("x-request-id"));
        }
        let mut preflight = request("OPTIONS", "/");
        preflight.headers_mut().insert("origin", HeaderValue::from_static("http://a"));
        preflight.headers_mut().insert("access-control-request-method", HeaderValue::from_static("GET"));
        send(app, preflight).await;
    });
    // Panics of tests at the same time are logged outside any request.
    lines.retain(|line| line.get("request_id").is_some());
    assert_eq!((text(&lines[0], "target"), text(&lines[0], "level")), ("panic", "ERROR"));
    assert_eq!(lines[0]["request_id"], lines[1]["request_id"]);
    assert_eq!(ending(&lines[1]), ("completed", Some(500), "WARN"));
    assert_eq!(ending(&lines[2]), ("completed", Some(408), "WARN"));
    assert_eq!((ending(&lines[3]), text(&lines[3], "method")), (("completed", Some(200), "INFO"), "OPTIONS"));
}

#[test]
fn outside_the_server_layer_they_are_not() {
    let lines = lines_of(fixed().filter("info,tower_http=off"), || async {
        let app = app().layer(ServerLayer::new());
        let app = app.layer(CorsLayer::permissive()).layer(timeout()).layer(CatchPanicLayer::new());
        for (path, status) in [("/panics", 500), ("/slow", 408)] {
            let response = send(app.clone(), request("GET", path)).await;
            assert!(response.status() == status && !response.headers().contains_key("x-request-id"));
        }
        let mut preflight = request("OPTIONS", "/");
        preflight.headers_mut().insert("origin", HeaderValue::from_static("http://a"));
        preflight.headers_mut().insert("access-control-request-method", HeaderValue::from_static("GET"));
        send(app, preflight).await;
    });
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(endings, [("panicked", None, "ERROR"), ("cancelled", None, "WARN")]);
}

#[test]
fn a_trace_layer_inside_has_the_ids_and_adds_an_error_unless_it_is_told_not_to() {
    let with = |trace: Router| {
        lines_of(fixed().filter("info,tower_http=debug"), || async {
            send(trace.layer(ServerLayer::new()), request("GET", "/fails")).await;
        })
    };
    let errors = |lines: &[Value]| lines.iter().filter(|line| line["level"] == "ERROR").count();
    let noisy = with(app().layer(TraceLayer::new_for_http()));
    assert!(noisy.len() > 2 && noisy.iter().all(|line| line["request_id"] == noisy[0]["request_id"]), "{noisy:?}");
    assert_eq!(errors(&noisy), 2);
    let quiet = with(app().layer(TraceLayer::new_for_http().on_failure(())));
    assert_eq!(errors(&quiet), 1);
}

#[test]
fn a_stream_logs_in_its_request() {
    let lines = lines(|| async {
        let streams = || async {
            body_then(move || {
                info!("streaming");
                std::task::Poll::Ready(None)
            })
        };
        // A task that fills a channel needs the line that carries the span along.
        let fills = || async {
            let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
            tokio::spawn(Scope::current().instrument(async move {
                info!("filling");
                sender.send_data(Bytes::from_static(b"text")).await.unwrap();
            }));
            Body::new(body)
        };
        let app = Router::new().route("/streams", get(streams)).route("/fills", get(fills)).layer(ServerLayer::new());
        for path in ["/streams", "/fills"] {
            let body = app.clone().oneshot(request("GET", path)).await.unwrap().into_body();
            body.collect().await.unwrap();
        }
    });
    assert_eq!(lines.len(), 4);
    for pair in lines.chunks(2) {
        assert_eq!((&pair[0]["request_id"], &pair[0]["trace_id"]), (&pair[1]["request_id"], &pair[1]["trace_id"]));
        assert_eq!((text(&pair[1], "message"), text(&pair[0], "message").len() > 6), ("request finished", true));
    }
}

#[test]
fn an_upgraded_connection_keeps_the_ids_of_its_request() {
    let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
    let lines = lines(|| async {
        let upgrade = move |mut request: Request<Body>| async move {
            let on_upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(Scope::current().instrument(async move {
                let mut upgraded = hyper_util::rt::TokioIo::new(on_upgrade.await.unwrap());
                info!("upgraded");
                upgraded.write_all(b"bye").await.unwrap();
                ended.send(()).unwrap();
            }));
            let response = Response::builder().status(101).header("upgrade", "echo").header("connection", "upgrade");
            response.body(Body::empty()).unwrap()
        };
        let url = listen(Router::new().route("/", get(upgrade)).layer(ServerLayer::new())).await;
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
        let head = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\nx-request-id: r-1\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        has_ended.recv().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"bye"));
    });
    let upgraded = lines.iter().find(|line| line["message"] == "upgraded").unwrap();
    let finished = lines.iter().find(|line| line["message"] == "request finished").unwrap();
    assert_eq!((text(upgraded, "request_id"), &upgraded["trace_id"]), ("r-1", &finished["trace_id"]));
    assert_eq!(finished["status"], 101);
}
