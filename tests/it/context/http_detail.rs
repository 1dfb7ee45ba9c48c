//! A header grants one request more lines, if the program says so.
//!
//! A grant makes all logs of the process ask for grants, so most tests have a process.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use axum::routing::any;
use http_body_util::Empty;
use serde_json::Value;
use spanline::sink::Memory;
use spanline::tower::{ClientLayer, Detail, ServerLayer};
use spanline::{Output, SpanExt};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::dispatcher::with_default;
use tracing::{Dispatch, Instrument, Level, Span, debug, debug_span, info, info_span, trace, warn};
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::http::{lines, lines_of, request, send};
use crate::support::stage::{fixed, messages, parsed};

const DETAIL: HeaderName = HeaderName::from_static("x-log-detail");

/// A layer that grants `directives` to callers with the secret.
fn granting(directives: &str) -> ServerLayer {
    let detail = Detail::new(directives).unwrap();
    ServerLayer::new().detail_header(DETAIL, move |value, _| (value == "s3same").then(|| detail.clone()))
}

/// A request whose header has these values.
fn asking(values: &[&str]) -> Request<Body> {
    let mut request = request("GET", "/orders");
    for value in values {
        request.headers_mut().append(DETAIL, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}

fn messages_of(lines: &[Value]) -> Vec<&str> {
    let messages = lines.iter().map(|line| line["message"].as_str().unwrap());
    messages.filter(|message| *message != "request finished").collect()
}

/// Lines of two levels from the handler, from a span and a task below it, and from another target.
async fn handler(headers: HeaderMap) {
    let asked = headers.get_all(DETAIL).iter().count();
    trace!("trace {asked}");
    debug!("debug {asked}");
    info_span!("inner").in_scope(|| debug!(target: "sqlx::query", "query {asked}"));
    tokio::spawn(async move { debug!("task {asked}") }.in_current_span()).await.unwrap();
    std::thread::scope(|scope| {
        scope.spawn(spanline::propagate::carry(|| debug!("thread {asked}")));
    });
    info!("info {asked}");
}

#[test]
fn a_header_that_the_program_accepts_grants_its_request_detail_and_no_other() {
    child(this_test!(), &[], || {
        let serve = |layer: ServerLayer| {
            let lines = lines(|| async move {
                let app = Router::new().fallback(any(handler)).layer(layer);
                for values in [&[][..], &["guess"], &["s3same"], &[], &["s3same", "s3same"], &["s3same"]] {
                    send(app.clone(), asking(values)).await;
                }
                debug!("outside");
            });
            assert!(lines.iter().all(|line| !line.to_string().contains("s3same")));
            messages_of(&lines).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let detailed = ["debug 1", "query 1", "task 1", "thread 1", "info 1"];
        let expected = [&["info 0", "info 1"][..], &detailed, &["info 0", "info 2"], &detailed].concat();
        assert_eq!(serve(granting("debug")), expected);
        assert_eq!(serve(granting("debug,sqlx=off")).iter().filter(|line| line.starts_with("query")).count(), 0);
        let queries = serve(granting("sqlx=trace"));
        assert_eq!(queries, ["info 0", "info 1", "query 1", "info 1", "info 0", "info 2", "query 1", "info 1"]);
        assert_eq!(
            serve(ServerLayer::new()),
            ["info 0", "info 1", "info 1", "info 0", "info 2", "info 1"],
            "not by default"
        );
        let panics = ServerLayer::new().detail_header(DETAIL, |_, _| panic!("in the check"));
        assert_eq!(serve(panics), ["info 0", "info 1", "info 1", "info 0", "info 2", "info 1"]);
    });
}

#[test]
fn the_outputs_own_filters_stay_and_off_does_not() {
    child(this_test!(), &[], || {
        let log = |global: Option<&str>| {
            let memories = [(); 4].map(|()| Memory::new());
            let output = |place: usize| Output::new(memories[place].clone());
            let builder = fixed();
            let builder = match global {
                Some(filter) => builder.filter(filter),
                None => spanline::builder(),
            };
            let builder = builder
                .output(output(0))
                .output(output(1).output_filter("warn"))
                .output(output(2).output_filter("trace"))
                .output(output(3).below(Level::INFO));
            let (layer, guard) = builder.build().unwrap();
            with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
                let layer = granting("debug");
                for values in [&["s3same"][..], &["guess"]] {
                    let (mut head, _) = asking(values).into_parts();
                    let mut exchange = layer.begin(&mut head);
                    exchange.run(|| {
                        let asked = values[0];
                        debug!("debug {asked}");
                        warn!("warn {asked}");
                    });
                    std::mem::forget(exchange);
                }
            });
            guard.close().unwrap();
            memories.map(|memory| messages(&memory))
        };
        let [plain, warnings, all, below] = log(Some("error"));
        assert_eq!(plain, ["debug s3same", "warn s3same"]);
        assert_eq!(warnings, ["warn s3same"]);
        assert_eq!(all, plain);
        assert_eq!(below, ["debug s3same"]);
        let [plain, warnings, ..] = log(Some("off,orders=info"));
        assert_eq!((plain.len(), warnings.len()), (2, 1));
        let [plain, warnings, all, _] = log(None);
        assert_eq!(plain, ["debug s3same", "warn s3same", "warn guess"]);
        assert_eq!(warnings, ["warn s3same", "warn guess"]);
        assert_eq!(all, ["debug s3same", "warn s3same", "debug guess", "warn guess"]);
    });
}

#[test]
fn spans_of_the_granted_level_hand_down_their_fields() {
    child(this_test!(), &[], || {
        let lines = lines(|| async {
            let handler = || async {
                let span = debug_span!("load", table = "orders");
                span.set_variable("rows", 7);
                span.in_scope(|| info!("loaded"));
                debug_span!(parent: None, "apart", table = "none").in_scope(|| info!("apart"));
            };
            let app = Router::new().fallback(any(handler)).layer(granting("debug"));
            for value in ["s3same", "guess"] {
                send(app.clone(), asking(&[value])).await;
            }
        });
        let seen: Vec<_> = lines
            .iter()
            .filter(|line| line["message"] != "request finished")
            .map(|line| (line["table"].as_str(), line["rows"].as_u64(), line["request_id"].is_string()))
            .collect();
        assert_eq!(seen[0], (Some("orders"), Some(7), true));
        assert_eq!(seen[2], (None, None, true));
        assert!(seen[1].0.is_none() && seen[3].0.is_none());
    });
}

#[test]
fn a_client_passes_the_detail_on_only_if_it_is_told_to() {
    child(this_test!(), &[], || {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let service = {
            let sent = Arc::clone(&sent);
            service_fn(move |request: Request<Empty<Bytes>>| {
                sent.lock().unwrap().push(request.headers().get(DETAIL).cloned());
                async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
            })
        };
        let clients = [
            ClientLayer::new(),
            ClientLayer::new().detail_header(DETAIL),
            ClientLayer::new().detail_header_from(DETAIL, |value| {
                HeaderValue::from_str(&format!("next-{}", value.to_str().ok()?)).ok()
            }),
            ClientLayer::new().detail_header_from(DETAIL, |_| None),
            ClientLayer::new().detail_header_from(DETAIL, |_| panic!("in the hook")),
        ];
        lines(|| async {
            let handler = move || async move {
                for client in clients {
                    let call = client.layer(service.clone()).oneshot(Request::new(Empty::new()));
                    info_span!("call").in_scope(|| call).await.unwrap();
                }
            };
            let app = Router::new().fallback(any(handler)).layer(granting("debug"));
            for value in ["s3same", "guess"] {
                send(app.clone(), asking(&[value])).await;
            }
        });
        let sent = sent.lock().unwrap();
        let texts: Vec<_> = sent.iter().map(|value| value.as_ref().map(|value| value.to_str().unwrap())).collect();
        let none = [None; 5];
        assert_eq!(texts[..5], [None, Some("s3same"), Some("next-s3same"), None, None]);
        assert_eq!(texts[5..], none);
        assert!(sent.iter().flatten().all(HeaderValue::is_sensitive));
    });
}

#[test]
fn the_value_is_sensitive_in_the_requests_headers() {
    child(this_test!(), &[], || {
        let lines = lines(|| async {
            let handler = |headers: HeaderMap| async move { info!(?headers, "handling") };
            let app = Router::new().fallback(any(handler)).layer(granting("debug"));
            for values in [&["s3same"][..], &["guess-1", "guess-2"]] {
                send(app.clone(), asking(values)).await;
            }
        });
        let text = format!("{lines:?}");
        assert!(text.contains("Sensitive") && !text.contains("s3same") && !text.contains("guess"), "{text}");
    });
}

#[test]
fn detail_that_names_spans_or_nothing_is_refused() {
    let error = Detail::new("[request{id=1}]=debug").unwrap_err().to_string();
    assert!(error.contains("cannot name spans"), "{error}");
    assert!(Detail::new("").is_err() && Detail::new("inof").is_err());
    assert!(Detail::new(Level::DEBUG).is_ok());
}

/// The filter of the whole registry asks the current span before an event is made. What names its parent is asked later.
#[test]
fn detail_holds_in_a_log_that_init_has_installed() {
    child(this_test!(), &[], || {
        let memory = Memory::new();
        let guard = spanline::builder().filter("info").output(Output::new(memory.clone())).init().unwrap();
        let layer = granting("debug");
        let mut requests: Vec<_> = ["s3same", "guess"]
            .map(|value| {
                let (mut head, _) = asking(&[value]).into_parts();
                layer.begin(&mut head)
            })
            .into();
        for turn in 0..3 {
            for (place, exchange) in requests.iter_mut().enumerate() {
                let other = exchange.span().clone();
                exchange.run(|| {
                    debug!("debug {place} {turn}");
                    log::debug!("record {place} {turn}");
                    debug_span!("load", table = place).in_scope(|| info!("info {place} {turn}"));
                });
                // In no span, or in the other request.
                debug!(parent: &other, "named {place} {turn}");
                debug_span!(parent: &other, "apart", table = place).in_scope(|| info!("apart {place} {turn}"));
                debug!("outside");
                debug!(parent: None, "outside");
                assert!(Span::current().is_none());
            }
        }
        requests.drain(..).for_each(std::mem::forget);
        drop(guard);
        let lines = parsed(&memory);
        let expected = (0..3).flat_map(|turn| {
            ["debug 0", "record 0", "info 0", "named 0", "apart 0", "info 1", "apart 1"]
                .map(|text| format!("{text} {turn}"))
        });
        assert_eq!(messages(&memory), expected.collect::<Vec<_>>());
        for line in &lines {
            let message = line["message"].as_str().unwrap();
            let has_table = message.starts_with("info 0") || message.starts_with("apart 0");
            assert_eq!(line["table"].is_u64(), has_table, "{line}");
            assert!(line["request_id"].is_string(), "{line}");
        }
    });
}

/// Requests with and without a grant log at once, on several threads.
#[test]
fn requests_at_the_same_time_keep_apart() {
    child(this_test!(), &[], || {
        let lines = lines_of(fixed().filter("info"), || async {
            let layer = granting("debug");
            let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (layer, dispatch) = (&layer, &dispatch);
                    scope.spawn(move || {
                        with_default(dispatch, || {
                            for round in 0..200 {
                                let is_granted = (round + thread) % 3 == 0;
                                let value = if is_granted { "s3same" } else { "guess" };
                                let (mut head, _) = asking(&[value]).into_parts();
                                let mut exchange = layer.begin(&mut head);
                                exchange.run(|| {
                                    debug!(is_granted, "detail");
                                    info!(is_granted, "line");
                                });
                            }
                        });
                    });
                }
            });
        });
        let count = |message: &str, is_granted: bool| {
            lines.iter().filter(|line| line["message"] == message && line["is_granted"] == is_granted).count()
        };
        assert_eq!((count("line", true) + count("line", false), count("detail", false)), (800, 0));
        assert_eq!(count("detail", true), count("line", true));
    });
}
