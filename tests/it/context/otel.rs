//! Beside tracing-opentelemetry: the ids in the lines are those that it exports.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::{Value, json};
use spanline::propagate::TraceContext;
use spanline::sink::Memory;
use spanline::{Builder, Guard, Output};
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, parsed};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Name, trace id, span id and parent's id of a span that was exported.
type Exported = (String, String, String, String);

#[derive(Clone, Copy, Debug)]
enum Order {
    OursFirst,
    OursLast,
}

/// A registry with both layers.
fn install(order: Order, builder: Builder, provider: &SdkTracerProvider) -> (Dispatch, Guard) {
    let tracer = provider.tracer("test");
    let is_shown = filter_fn(|meta| meta.target() != "spanline::propagate::context" && meta.name() != "unseen");
    match order {
        Order::OursFirst => {
            let (layer, guard) = builder.opentelemetry().build().unwrap();
            let otel = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(is_shown);
            (Dispatch::new(tracing_subscriber::registry().with(layer).with(otel)), guard)
        }
        Order::OursLast => {
            let (layer, guard) = builder.opentelemetry().build().unwrap();
            let otel = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(is_shown);
            (Dispatch::new(tracing_subscriber::registry().with(otel).with(layer)), guard)
        }
    }
}

/// What `run` logs with both layers in the registry, and the spans it exports.
fn both(order: Order, builder: Builder, run: impl FnOnce()) -> (Vec<Value>, Vec<Exported>) {
    let (memory, exporter) = (Memory::new(), InMemorySpanExporter::default());
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let (dispatch, guard) = install(order, builder.output(Output::new(memory.clone())), &provider);
    with_default(&dispatch, run);
    guard.close().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let exported = spans.into_iter().map(|span| {
        let context = &span.span_context;
        let (trace, id) = (context.trace_id().to_string(), context.span_id().to_string());
        (span.name.into_owned(), trace, id, span.parent_span_id.to_string())
    });
    (parsed(&memory), exported.collect())
}

fn exported<'a>(all: &'a [Exported], name: &str) -> &'a Exported {
    all.iter().find(|span| span.0 == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

#[test]
fn the_ids_in_the_lines_are_those_that_are_exported() {
    for order in [Order::OursFirst, Order::OursLast] {
        let (lines, spans) = both(order, fixed(), || {
            let outer = info_span!("outer", request_id = "r-1", trace_id = "11111111111111111111111111111111");
            // Before it is entered for the first time.
            info!(parent: &outer, "outer");
            outer.in_scope(|| {
                let inner = info_span!("inner");
                inner.in_scope(|| {
                    info!("inner");
                    spanline::with("tenant", "acme").in_scope(|| {
                        info!("inner");
                        info_span!("deeper").in_scope(|| info!("deeper"));
                    });
                });
            });
        });
        assert_eq!(lines.len(), 4);
        for line in &lines {
            let (_, trace, id, parent) = exported(&spans, line["message"].as_str().unwrap());
            assert_eq!((&line["trace_id"], &line["span_id"]), (&json!(trace), &json!(id)), "{order:?}");
            let own_parent = line["parent_span_id"].as_str().unwrap_or("0000000000000000");
            assert_eq!(own_parent, parent, "{order:?}");
            assert_eq!(line["request_id"], "r-1");
        }
        assert_eq!(lines[2]["tenant"], "acme");
        // The event's own id does not count, but is not lost.
        assert_eq!(lines[0]["fields"]["trace_id"], "11111111111111111111111111111111");
    }
}

#[test]
fn a_span_hidden_from_opentelemetry_keeps_its_ids() {
    let (lines, spans) = both(Order::OursFirst, fixed(), || {
        info_span!("seen").in_scope(|| info_span!("unseen").in_scope(|| info!("x")));
        info_span!("unseen").in_scope(|| info!("x"));
    });
    let (_, trace, id, _) = exported(&spans, "seen");
    assert_eq!((&lines[0]["trace_id"], &lines[0]["parent_span_id"]), (&json!(trace), &json!(id)));
    assert_ne!(lines[1]["trace_id"], lines[0]["trace_id"]);
}

#[test]
fn opentelemetry_ids_are_propagated_to_other_services() {
    let (lines, _) = both(Order::OursLast, fixed(), || {
        info_span!("call").in_scope(|| {
            let context = spanline::propagate::context().unwrap();
            info!(sent = context.traceparent(), "x");
        });
    });
    let line = &lines[0];
    let expected = format!("00-{}-{}-01", line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap());
    assert_eq!(line["sent"], expected);
}

#[cfg(feature = "tower")]
#[test]
fn no_parent_is_of_another_trace() {
    for order in [Order::OursFirst, Order::OursLast] {
        let (lines, spans) = both(order, fixed(), || {
            // Hidden from it by the filter.
            TraceContext::from_traceparent(PARENT).unwrap().in_scope(|| {
                info!("directly");
                info_span!("consume").in_scope(|| info!("consumed"));
            });
        });
        assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(lines[0]["parent_span_id"], "00f067aa0ba902b7");
        let (_, trace, id, parent) = exported(&spans, "consume");
        assert_eq!((&lines[1]["trace_id"], &lines[1]["span_id"]), (&json!(trace), &json!(id)));
        assert_eq!((&**parent, lines[1].get("parent_span_id")), ("0000000000000000", None), "{order:?}");
    }
}

#[test]
fn a_request_is_in_the_trace_of_its_caller_for_opentelemetry_too() {
    use http::{Request, Response};
    use tower::{ServiceExt, service_fn};
    use tower_layer::Layer;

    let (lines, spans) = both(Order::OursLast, fixed(), || {
        let handler = service_fn(|_: Request<http_body_util::Empty<bytes::Bytes>>| async {
            info!("handling");
            Ok::<_, std::convert::Infallible>(Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
        });
        let service = spanline::tower::ServerLayer::new().layer(handler);
        let request = Request::get("/").header("traceparent", PARENT).body(http_body_util::Empty::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        drop(runtime.block_on(service.oneshot(request)).unwrap());
    });
    let (_, trace, id, parent) = exported(&spans, "GET");
    assert_eq!((lines.len(), trace.as_str(), parent.as_str()), (2, &PARENT[3..35], &PARENT[36..52]));
    for line in &lines {
        assert_eq!((&line["trace_id"], &line["span_id"]), (&json!(trace), &json!(id)));
        assert_eq!(line["parent_span_id"], json!(parent));
        assert!(line.get("fields").is_none(), "{line}");
    }
}

/// While its layer makes the ids of a span, under a lock, its sampler may log in that span.
#[test]
fn a_sampler_that_logs_does_not_deadlock() {
    use opentelemetry::trace::{Link, SpanKind, TraceState};
    use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

    #[derive(Clone, Debug)]
    struct Logs;

    impl ShouldSample for Logs {
        fn should_sample(
            &self,
            _: Option<&opentelemetry::Context>,
            _: opentelemetry::TraceId,
            name: &str,
            _: &SpanKind,
            _: &[opentelemetry::KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            info!(name, "sampling");
            let decision = SamplingDecision::RecordAndSample;
            SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
        }
    }

    for order in [Order::OursFirst, Order::OursLast] {
        let memory = Memory::new();
        let provider = SdkTracerProvider::builder().with_sampler(Logs).build();
        let (dispatch, guard) = install(order, fixed().output(Output::new(memory.clone())), &provider);
        with_default(&dispatch, || {
            info_span!("span").in_scope(|| info!("inside"));
            let early = info_span!("early");
            info!(parent: &early, "before it is entered");
            early.in_scope(|| info!("inside"));
        });
        guard.close().unwrap();
        let lines = parsed(&memory);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        // What the second sampling logs, inside an event, tracing drops where the subscriber is one for a scope.
        assert_eq!(messages, ["sampling", "inside", "before it is entered", "inside"], "{order:?}");
        assert_eq!(lines[2]["span_id"], lines[3]["span_id"]);
    }
}

#[test]
fn a_missing_layer_is_reported_once() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&said);
    let memory = Memory::new();
    let builder = fixed().opentelemetry().on_complaint(move |text| hook.lock().unwrap().push(text.to_owned()));
    let (layer, guard) = builder.output(Output::new(memory.clone())).build().unwrap();
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        let _remote = TraceContext::from_traceparent(PARENT).unwrap().enter();
        for _ in 0..200 {
            info_span!("span").in_scope(|| info!("x"));
        }
    });
    guard.close().unwrap();
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("tracing-opentelemetry"), "{said:?}");
    assert!(parsed(&memory).iter().all(|line| line["trace_id"] == PARENT[3..35]));
}

/// Every attribute that is exported, name and value.
fn attributes(run: impl FnOnce()) -> Vec<(String, String)> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let (layer, guard) = fixed().opentelemetry().output(Output::new(Memory::new())).build().unwrap();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer).with(otel)), run);
    guard.close().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let of_spans = spans.iter().flat_map(|span| &span.attributes);
    let of_events = spans.iter().flat_map(|span| &span.events.events).flat_map(|event| &event.attributes);
    of_spans.chain(of_events).map(|attribute| (attribute.key.to_string(), attribute.value.to_string())).collect()
}

#[test]
fn variables_are_exported_as_attributes_and_not_as_exceptions() {
    let exported = attributes(|| {
        spanline::with("tenant", "acme").in_scope(|| info_span!("request").in_scope(|| info!("x")));
    });
    assert!(exported.contains(&("variables".to_owned(), "tenant=acme".to_owned())), "{exported:?}");
    assert!(exported.iter().all(|(name, _)| !name.contains("exception") && !name.contains("error")), "{exported:?}");
}

#[test]
fn lines_under_a_span_that_opentelemetrys_interface_makes_have_its_ids() {
    use opentelemetry::trace::{TraceContextExt, Tracer};

    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let memory = Memory::new();
    let (dispatch, guard) = install(Order::OursLast, fixed().output(Output::new(memory.clone())), &provider);
    with_default(&dispatch, || {
        info!("before");
        let span = provider.tracer("test").start("own");
        let attached = opentelemetry::Context::current_with_span(span).attach();
        info!("inside");
        info_span!("deeper").in_scope(|| info!("deeper"));
        drop(attached);
        info!("behind");
    });
    guard.close().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let ids = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        (json!(span.span_context.trace_id().to_string()), json!(span.span_context.span_id().to_string()))
    };
    let lines = parsed(&memory);
    for (line, name) in [(&lines[1], "own"), (&lines[2], "deeper")] {
        assert_eq!((line["trace_id"].clone(), line["span_id"].clone()), ids(name), "{line}");
    }
    assert_eq!(ids("own").0, ids("deeper").0);
    assert_eq!(lines[1].get("spans"), None);
    for line in [&lines[0], &lines[3]] {
        assert_eq!(line.get("trace_id"), None, "{line}");
    }
}
