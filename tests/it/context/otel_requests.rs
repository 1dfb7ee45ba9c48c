//! The span of an HTTP request in OpenTelemetry, by its semantic conventions.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use opentelemetry::trace::{Link, SpanKind, Status, TraceState, TracerProvider};
use opentelemetry::{KeyValue, TraceId};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanData,
};
use serde_json::Value;
use spanline::Output;
use spanline::sink::Memory;
use spanline::tower::ServerLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use crate::support::http::{request, send};
use crate::support::stage::{fixed, parsed};

/// Remembers the attributes that spans have when they begin.
#[derive(Clone, Debug, Default)]
struct Sampler(Arc<Mutex<Vec<KeyValue>>>);

impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        _: Option<&opentelemetry::Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        self.0.lock().unwrap().extend(attributes.iter().cloned());
        let decision = SamplingDecision::RecordAndSample;
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

/// The lines, and the spans that are exported, while `run` runs on this thread.
fn both<F: Future>(sampler: Sampler, run: impl FnOnce() -> F) -> (Vec<Value>, Vec<SpanData>) {
    let (memory, exporter) = (Memory::new(), InMemorySpanExporter::default());
    let provider = SdkTracerProvider::builder().with_sampler(sampler).with_simple_exporter(exporter.clone()).build();
    let (layer, guard) = fixed().opentelemetry().output(Output::new(memory.clone())).build().unwrap();
    let is_shown = filter_fn(|meta| meta.target() != "spanline::propagate::context");
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_filter(is_shown);
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer).with(otel)), || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run());
    });
    guard.close().unwrap();
    (parsed(&memory), exporter.get_finished_spans().unwrap())
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string())
}

/// The span of one request to a service.
async fn answer<S>(service: S)
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: std::fmt::Display + Send,
    S::Future: Send,
{
    drop(ServerLayer::new().layer(service).oneshot(request("GET", "/")).await);
}

fn span_of<F: Future>(run: impl FnOnce() -> F) -> SpanData {
    both(Sampler::default(), run).1.pop().expect("a span")
}

fn status(code: u16) -> SpanData {
    span_of(|| {
        answer(service_fn(move |_| async move {
            Ok::<_, Infallible>(Response::builder().status(code).body(Body::empty()).unwrap())
        }))
    })
}

#[test]
fn a_request_is_a_server_span_with_its_route_and_status() {
    let sampler = Sampler::default();
    let (lines, spans) = both(sampler.clone(), || async {
        let app = Router::new().route("/orders/{id}", get(|| async { info!("handling") })).layer(ServerLayer::new());
        let mut request = request("GET", "/orders/7?key=secret");
        request.headers_mut().insert("host", "orders:8080".parse().unwrap());
        request.headers_mut().insert("user-agent", "curl/8.5.0".parse().unwrap());
        send(app, request).await;
    });
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&*span.name, &span.span_kind, &span.status), ("GET /orders/{id}", &SpanKind::Server, &Status::Unset));
    let expected = [
        ("http.request.method", "GET"),
        ("url.path", "/orders/7"),
        ("http.route", "/orders/{id}"),
        ("server.address", "orders"),
        ("server.port", "8080"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "curl/8.5.0"),
        ("http.response.status_code", "200"),
    ];
    for (key, value) in expected {
        assert_eq!(attribute(span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(span, "error.type"), None);
    // Samplers decide by what is known at the beginning.
    let begun: Vec<_> = sampler.0.lock().unwrap().iter().map(|pair| pair.key.to_string()).collect();
    assert!(["http.request.method", "url.path", "http.route"].iter().all(|key| begun.iter().any(|known| known == key)));
    // Kind and name are no fields of a line.
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| !line.to_string().contains("otel.")), "{lines:?}");
}

#[test]
fn only_failures_of_the_server_make_its_span_an_error() {
    for code in [200, 304, 404, 499] {
        let span = status(code);
        assert_eq!((&span.status, attribute(&span, "error.type")), (&Status::Unset, None), "{code}");
    }
    for code in [500, 503] {
        let span = status(code);
        assert_eq!(span.status, Status::error(""), "{code}");
        assert_eq!(attribute(&span, "error.type"), Some(code.to_string()));
    }
    let failed = span_of(|| answer(service_fn(|_| async { Err::<Response<Body>, _>(io::Error::other("away")) })));
    assert_eq!(
        (&failed.status, attribute(&failed, "error.type").as_deref()),
        (&Status::error(""), Some("service_error"))
    );
    assert_eq!(&*failed.name, "GET");
    let cancelled = span_of(|| async {
        let pending = service_fn(|_| std::future::pending::<Result<Response<Body>, io::Error>>());
        drop(ServerLayer::new().layer(pending).call(request("GET", "/")));
    });
    assert_eq!((&cancelled.status, attribute(&cancelled, "http.response.status_code")), (&Status::Unset, None));
}

#[test]
fn a_grpc_status_of_the_server_is_an_error() {
    let grpc = |code: &'static str| {
        span_of(move || {
            answer(service_fn(move |_| async move {
                let response = Response::builder().header("grpc-status", code).header("grpc-message", "away%21");
                Ok::<_, Infallible>(response.body(Body::empty()).unwrap())
            }))
        })
    };
    let unavailable = grpc("14");
    assert_eq!(
        (&unavailable.status, attribute(&unavailable, "error.type")),
        (&Status::error("away!"), Some("14".into()))
    );
    let not_found = grpc("5");
    assert_eq!((&not_found.status, attribute(&not_found, "error.type")), (&Status::Unset, None));
    assert_eq!(attribute(&not_found, "rpc.grpc.status_code").as_deref(), Some("5"));
}

#[test]
fn a_second_layer_is_no_second_server() {
    let (_, spans) = both(Sampler::default(), || async {
        let inner = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        send(inner.layer(ServerLayer::new()), request("GET", "/")).await;
    });
    let kinds: Vec<_> = spans.iter().map(|span| span.span_kind.clone()).collect();
    assert_eq!(kinds, [SpanKind::Internal, SpanKind::Server]);
}

#[test]
fn a_route_that_is_matched_later_is_in_the_span() {
    let span = span_of(|| async {
        let (mut head, ()) = Request::get("/orders/7").body(()).unwrap().into_parts();
        let mut exchange = ServerLayer::new().begin(&mut head);
        exchange.set_route("/orders/{id}");
        exchange.handle(async { info!("handling") }).await;
        let (mut head, ()) = Response::builder().status(StatusCode::OK).body(()).unwrap().into_parts();
        exchange.respond(&mut head, Some(0));
    });
    assert_eq!((&*span.name, attribute(&span, "http.route").as_deref()), ("GET /orders/{id}", Some("/orders/{id}")));
}
