//! Each request gives one line, however it ends: answered, failed, cancelled or panicked.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::routing::{get, post};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::json;
use spanline::tower::ServerLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::info;

use crate::support::http::{body_then, lines, listen, request, send, text};

#[test]
fn the_level_follows_the_status() {
    let lines = lines(|| async {
        for status in [200, 304, 404, 503] {
            let app = service_fn(move |_: Request<Body>| async move {
                Ok::<_, Infallible>(Response::builder().status(status).body(Body::from("text")).unwrap())
            });
            send(ServerLayer::new().layer(app), request("GET", "/")).await;
        }
    });
    let seen: Vec<_> = lines.iter().map(|line| (line["status"].clone(), text(line, "level"))).collect();
    assert_eq!(seen, [(json!(200), "INFO"), (json!(304), "INFO"), (json!(404), "WARN"), (json!(503), "ERROR")]);
}

#[test]
fn each_ending_of_a_request_gives_one_line() {
    let app = || {
        let slow = || async {
            std::future::pending::<()>().await;
        };
        let panics = || async {
            if true {
                panic!("in the handler")
            }
        };
        let streams = || async { body_then(|| Poll::Pending) };
        let fails = || async { body_then(|| Poll::Ready(Some(Err(io::Error::other("disk on fire"))))) };
        let panics_late = || async { body_then(|| panic!("in the body")) };
        Router::new()
            .route("/slow", get(slow))
            .route("/panics", get(panics))
            .route("/streams", get(streams))
            .route("/fails", get(fails))
            .route("/panics-late", get(panics_late))
            .layer(ServerLayer::new())
    };
    let lines = lines(|| async {
        let mut slow = Box::pin(app().oneshot(request("GET", "/slow")));
        assert!(poll_once(slow.as_mut()).await.is_pending());
        drop(slow);
        // Dropped after it was caught, when nothing unwinds any more.
        let caught = tokio::spawn(app().oneshot(request("GET", "/panics"))).await;
        assert!(caught.unwrap_err().is_panic());
        let mut body = app().oneshot(request("GET", "/streams")).await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        drop(body);
        let body = app().oneshot(request("GET", "/fails")).await.unwrap().into_body();
        assert!(body.collect().await.is_err());
        let app = app();
        let late = tokio::spawn(async {
            app.oneshot(request("GET", "/panics-late")).await.unwrap().into_body().collect().await
        });
        assert!(late.await.unwrap_err().is_panic());
        let failing = service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>(io::Error::other("no backend")) });
        assert!(ServerLayer::new().layer(failing).oneshot(request("GET", "/failing")).await.is_err());
        let panicking = service_fn(|_: Request<Body>| -> std::future::Ready<Result<Response<Body>, Infallible>> {
            panic!("at once")
        });
        assert!(
            tokio::spawn(ServiceExt::oneshot(ServerLayer::new().layer(panicking), request("GET", "/at-once")))
                .await
                .is_err()
        );
    });
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (text(line, "path"), text(line, "outcome"), text(line, "level"), line["status"].as_u64()))
        .collect();
    let expected = [
        ("/slow", "cancelled", "WARN", None),
        ("/panics", "panicked", "ERROR", None),
        ("/streams", "aborted", "WARN", Some(200)),
        ("/fails", "body_error", "ERROR", Some(200)),
        ("/panics-late", "panicked", "ERROR", Some(200)),
        ("/failing", "service_error", "ERROR", None),
        ("/at-once", "panicked", "ERROR", None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(lines[2]["response_bytes"], 5);
    assert!(text(&lines[3]["error"], "message").contains("disk on fire"), "{}", lines[3]);
    assert_eq!(lines[5]["error"]["message"], "no backend");
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// hyper does not ask for bodies that the protocol has not, and not beyond the declared length.
#[test]
fn on_a_real_server_responses_without_a_body_are_complete() {
    let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
    let lines = lines(|| async {
        let upgrade = |mut request: Request<Body>| async move {
            let on_upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut upgraded = hyper_util::rt::TokioIo::new(on_upgrade.await.unwrap());
                upgraded.write_all(b"upgraded").await.unwrap();
            });
            let response = Response::builder().status(101).header("upgrade", "echo").header("connection", "upgrade");
            response.body(Body::empty()).unwrap()
        };
        let declared = || async {
            let body = body_then(|| Poll::Pending);
            Response::builder().header("content-length", 5).body(body).unwrap()
        };
        let log = ServerLayer::new().log_when(move |finished| {
            ended.send(finished.path().to_owned()).unwrap();
            true
        });
        let app = Router::new()
            .route("/text", get(|| async { "text" }))
            .route("/none", get(|| async { StatusCode::NO_CONTENT }))
            .route("/upgrade", get(upgrade))
            .route("/declared", get(declared))
            .route("/endless", get(|| async { body_then(|| Poll::Pending) }))
            .route("/upload", post(|body: Bytes| async move { body.len().to_string() }))
            .layer(log);
        let url = listen(app).await;
        let ask = |method: &str, path: &str, more: &str| format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n");
        let close = "connection: close\r\n";
        assert!(raw(&url, &ask("HEAD", "/text", close), None).await.ends_with("\r\n\r\n"));
        assert!(raw(&url, &ask("GET", "/text", close), None).await.ends_with("text"));
        assert!(raw(&url, &ask("GET", "/none", close), None).await.starts_with("HTTP/1.1 204"));
        let upgrade = raw(&url, &ask("GET", "/upgrade", "connection: upgrade\r\nupgrade: echo\r\n"), None).await;
        assert!(upgrade.starts_with("HTTP/1.1 101") && upgrade.ends_with("upgraded"), "{upgrade}");
        assert!(raw(&url, &ask("GET", "/declared", close), None).await.ends_with("first"));
        let chunks = "6\r\nsix by\r\n1\r\nt\r\n0\r\n\r\n";
        let upload = ask("POST", "/upload", "transfer-encoding: chunked\r\nconnection: close\r\n") + chunks;
        assert!(raw(&url, &upload, None).await.ends_with('7'));
        raw(&url, &ask("GET", "/endless", close), Some(100)).await;
        for _ in 0..7 {
            has_ended.recv().await.unwrap();
        }
    });
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (text(line, "path"), text(line, "outcome"), line["response_bytes"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("/text", "completed", 0),
        ("/text", "completed", 4),
        ("/none", "completed", 0),
        ("/upgrade", "completed", 0),
        ("/declared", "completed", 5),
        ("/upload", "completed", 1),
        ("/endless", "aborted", 5),
    ];
    assert_eq!(seen, expected);
    assert_eq!(lines[5]["request_bytes"], 7);
}

/// On bare hyper, whose bodies cannot be counted on their way in.
#[test]
fn the_layer_works_without_axum() {
    let lines = lines(|| async {
        let handler = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let bytes = request.into_body().collect().await?.to_bytes();
            info!(bytes = bytes.len(), "read");
            Ok::<_, hyper::Error>(Response::new(http_body_util::Full::new(bytes)))
        });
        let service = ServerLayer::new().route(|_| Some("echo".to_owned())).layer(handler);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let stream = hyper_util::rt::TokioIo::new(listener.accept().await.unwrap().0);
            let service = hyper_util::service::TowerToHyperService::new(service);
            hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await.unwrap();
        });
        let request =
            "POST / HTTP/1.1\r\nhost: x\r\nx-request-id: r-1\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        let response = raw(&url, request, None).await;
        assert!(response.contains("x-request-id: r-1\r\n") && response.ends_with("hello"), "{response}");
        server.await.unwrap();
    });
    assert_eq!((&lines[0]["message"], &lines[0]["request_id"]), (&json!("read"), &json!("r-1")));
    assert_eq!((&lines[1]["request_bytes"], &lines[1]["response_bytes"]), (&json!(5), &json!(5)));
    assert_eq!((&lines[1]["route"], &lines[1]["outcome"]), (&json!("echo"), &json!("completed")));
}

#[test]
fn the_status_of_a_grpc_call_is_in_its_trailers() {
    let lines = lines(|| async {
        for (status, trailers_only) in [("0", false), ("5", false), ("13", true)] {
            let app = service_fn(move |_: Request<Body>| async move {
                let mut map = HeaderMap::new();
                map.insert("grpc-status", HeaderValue::from_static(status));
                let mut map = Some(map);
                let mut response = Response::new(Body::empty());
                if trailers_only {
                    *response.headers_mut() = map.take().unwrap();
                } else {
                    *response.body_mut() =
                        body_then(move || Poll::Ready(map.take().map(|map| Ok(Frame::trailers(map)))));
                }
                Ok::<_, Infallible>(response)
            });
            send(ServerLayer::new().layer(app), request("POST", "/orders.Orders/Get")).await;
        }
    });
    let seen: Vec<_> = lines.iter().map(|line| (line["grpc_status"].as_u64(), text(line, "level"))).collect();
    assert_eq!(seen, [(Some(0), "INFO"), (Some(5), "WARN"), (Some(13), "ERROR")]);
}

/// Sends bytes to a server and reads until it closes, or only `enough` bytes and then leaves.
async fn raw(url: &str, bytes: &str, enough: Option<usize>) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    match enough {
        None => drop(stream.read_to_end(&mut read).await.unwrap()),
        Some(enough) => {
            read.resize(enough, 0);
            stream.read_exact(&mut read).await.unwrap();
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}
