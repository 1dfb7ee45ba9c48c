//! Requests: one trace and one request id through all services, a line for each however it ends, and hostile headers.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use serde_json::{Value, json};
use spanline::sink::Memory;
use spanline::tower::{ClientLayer, ServerLayer};
use spanline::{Builder, Output};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What is logged while `run` runs, all of it on this thread.
fn lines_of<F: Future>(builder: Builder, run: impl FnOnce() -> F) -> Vec<Value> {
    let memory = Memory::new();
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run());
    });
    guard.close().unwrap();
    parsed(&memory)
}

fn lines<F: Future>(run: impl FnOnce() -> F) -> Vec<Value> {
    lines_of(fixed().filter("info,hyper=off,hyper_util=off,reqwest=off"), run)
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// Sends one request through a service and reads the response to its end.
async fn send<S, B>(service: S, request: Request<Body>) -> Response<Bytes>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

async fn listen(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// A service that asks the next one, if there is one, from inside a span of its own.
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

/// What comes with a request is nobody's word.
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

type Polled = Poll<Option<Result<Frame<Bytes>, io::Error>>>;

/// A body whose frames come out of a function.
struct Scripted(Box<dyn FnMut() -> Polled + Send>);

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        (self.0)()
    }
}

/// A body of one frame after which `then` happens.
fn body_then(mut then: impl FnMut() -> Polled + Send + 'static) -> Body {
    let mut first = Some(Frame::data(Bytes::from_static(b"first")));
    Body::new(Scripted(Box::new(move || match first.take() {
        Some(frame) => Poll::Ready(Some(Ok(frame))),
        None => then(),
    })))
}

#[test]
fn however_a_request_ends_there_is_one_line() {
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
fn it_works_without_axum() {
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
fn what_hooks_add_takes_the_place_of_nothing_that_the_layer_says() {
    let lines = lines(|| async {
        let layer = ServerLayer::new()
            .on_request(|_, fields| {
                fields.add("method", "mine");
                fields.add("route", "mine");
            })
            .on_response(|_, fields| {
                let names = ["status", "message", "request_id", "method", "outcome", "latency_us", "path"];
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
    for name in ["status_", "message_", "request_id_", "method_", "outcome_", "latency_us_", "path_"] {
        assert_eq!(last[name], "mine", "{name}");
    }
}

#[test]
fn an_error_of_a_hook_is_in_the_line_unless_the_layer_has_one() {
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
}

#[test]
fn a_request_id_of_a_hooks_own_is_the_same_in_lines_responses_and_onward() {
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
fn what_hooks_add_is_redacted_by_its_name_as_any_field() {
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
fn a_hook_that_panics_harms_no_request() {
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
fn a_request_is_no_part_of_what_the_server_was_started_in() {
    let lines = lines(|| async {
        let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        let sent = send(app, request("GET", "/"));
        tracing::Instrument::instrument(sent, info_span!("server", port = 80)).await;
    });
    assert_eq!((&lines[0]["spans"], lines[0].get("port")), (&json!(["request"]), None));
}
