//! Other layers in the same registry: a second one of spanline, filters for all layers, and layers that look for errors.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use spanline::propagate::TraceContext;
use spanline::sink::Memory;
use spanline::{Guard, Output};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, reload};

use super::trace_context::{PARENT, TRACE};
use crate::support::child::child;
use crate::support::stage::{Said, fixed, parsed};

/// A layer with the filter `filter`.
fn log<S>(filter: &str) -> (impl Layer<S> + use<S>, Guard, Memory)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let memory = Memory::new();
    let builder = spanline::builder().filter(filter).output(Output::new(memory.clone()));
    let (layer, guard) = builder.build().unwrap();
    (layer, guard, memory)
}

#[test]
fn promise_38_two_layers_give_a_span_the_same_ids() {
    // Of the spans around an event, each layer sees others.
    for (one, two) in
        [("trace", "trace"), ("trace", "info,mid=off"), ("info,mid=off,out=off", "trace"), ("mid=off", "out=off")]
    {
        let one = &format!("{one},it=trace,in=trace");
        let two = &format!("{two},it=trace,in=trace");
        let (first, first_guard, first_memory) = log(one);
        let (second, second_guard, second_memory) = log(two);
        with_default(tracing_subscriber::registry().with(first).with(second), || {
            info_span!(target: "out", "outer").in_scope(|| {
                info_span!(target: "mid", "middle").in_scope(|| {
                    info_span!(target: "in", "inner", v = 1).in_scope(|| info!("deep"));
                });
            });
            let late = info_span!(target: "in", "late", trace_id = tracing::field::Empty).entered();
            let below = info_span!(target: "in", "below").entered();
            late.record("trace_id", TRACE);
            info!("in a trace that is known later");
            drop((below, late));
            info_span!(target: "in", "alone").in_scope(|| {
                info!(sent = spanline::propagate::context().unwrap().traceparent(), "alone");
            });
        });
        first_guard.close().unwrap();
        second_guard.close().unwrap();
        let (first, second) = (parsed(&first_memory), parsed(&second_memory));
        assert_eq!((first.len(), second.len()), (3, 3));
        for (own, other) in first.iter().zip(&second) {
            for id in ["trace_id", "span_id"] {
                assert!(own[id].is_string() && own[id] == other[id], "{one} beside {two}: {own} {other}");
            }
        }
        assert_eq!(first[1]["trace_id"], TRACE);
        let alone = &first[2];
        let ids = format!("00-{}-{}-01", alone["trace_id"].as_str().unwrap(), alone["span_id"].as_str().unwrap());
        assert_eq!(alone["sent"], ids);
    }
}

/// What variables and a context from outside give to the lines under a filter of the whole registry.
fn lines_under_filter<S: Subscriber + Send + Sync>(
    install: impl FnOnce(EnvFilter) -> (S, Guard, Memory),
) -> Vec<Value> {
    let (subscriber, guard, memory) = install(EnvFilter::new("it=info"));
    with_default(subscriber, || {
        for _ in 0..2 {
            spanline::with("tenant", "acme").in_scope(|| {
                TraceContext::from_traceparent(PARENT).unwrap().in_scope(|| {
                    info_span!("consume").in_scope(|| info!("in both"));
                });
            });
        }
    });
    guard.close().unwrap();
    parsed(&memory)
}

#[test]
fn variables_and_contexts_pass_a_filter_of_the_whole_registry() {
    let inside = lines_under_filter(|filter| {
        let (layer, guard, memory) = log("trace");
        (tracing_subscriber::registry().with(layer).with(filter), guard, memory)
    });
    let outside = lines_under_filter(|filter| {
        let (layer, guard, memory) = log("trace");
        (tracing_subscriber::registry().with(filter).with(layer), guard, memory)
    });
    for lines in [inside, outside] {
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert_eq!((&line["tenant"], &line["trace_id"]), (&json!("acme"), &json!(TRACE)));
            assert_eq!(line["spans"], json!(["consume"]));
        }
    }
}

#[test]
fn a_log_that_takes_nothing_opens_no_context() {
    let (layer, guard, _) = log("off");
    with_default(tracing_subscriber::registry().with(layer).with(EnvFilter::new("off")), || {
        assert!(spanline::with("tenant", "acme").span().is_disabled());
    });
    guard.close().unwrap();
}

/// Notes what the fields of spans and events look like to other layers.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, String)>>>);

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push((field.name().to_owned(), format!("{value:?}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.lock().unwrap().push((field.name().to_owned(), format!("an error: {value}")));
    }
}

impl<S: Subscriber> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        attributes.record(&mut self.clone());
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

#[test]
fn variables_are_a_plain_text_to_other_layers() {
    let (memory, seen) = (Memory::new(), Seen::default());
    let (layer, guard) = fixed().output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer).with(seen.clone()), || {
        let span = info_span!("request");
        spanline::SpanExt::set_variable(&span, "plan", "free");
        spanline::with("tenant", "acme").and("attempt", 2u64).and("token", "t-1").in_scope(|| info!("x"));
    });
    guard.close().unwrap();
    let seen = seen.0.lock().unwrap().clone();
    let expected = [("variables", "tenant=acme attempt=2 token=t-1"), ("message", "x")];
    assert_eq!(seen, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let line = &parsed(&memory)[0];
    assert_eq!((&line["tenant"], &line["attempt"], &line["token"]), (&json!("acme"), &json!(2), &json!("<redacted>")));
}

/// Only values of spanline carry other fields.
#[test]
fn a_field_of_a_program_is_never_taken_for_a_carrier() {
    let lines = crate::support::stage::lines(|| {
        info!(target: "spanline::http", added = %"tenant=acme", variables = ?"a", "forged");
    });
    assert_eq!((&lines[0]["added"], &lines[0]["variables"]), (&json!("tenant=acme"), &json!("\"a\"")));
}

#[cfg(feature = "tower")]
fn serve() {
    use http::{Request, Response};
    use http_body_util::Empty;
    use tower::{ServiceExt, service_fn};

    let handler = service_fn(|_: Request<Empty<bytes::Bytes>>| async {
        info!("handling");
        Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
    });
    let layer = spanline::tower::ServerLayer::new()
        .on_request(|_, fields| fields.add("tenant", "acme"))
        .on_response(|_, fields| fields.add("cached", true));
    let service = tower_layer::Layer::layer(&layer, handler);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    drop(runtime.block_on(service.oneshot(Request::get("/").body(Empty::new()).unwrap())).unwrap());
}

#[cfg(feature = "tower")]
#[test]
fn fields_of_hooks_are_a_plain_text_to_other_layers() {
    let (memory, seen) = (Memory::new(), Seen::default());
    let (layer, guard) = fixed().output(Output::new(memory.clone())).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer).with(seen.clone()), serve);
    guard.close().unwrap();
    let seen = seen.0.lock().unwrap().clone();
    assert!(seen.iter().all(|(_, value)| !value.starts_with("an error")), "{seen:?}");
    let added: Vec<_> = seen.iter().filter(|(name, _)| name == "added").map(|(_, value)| value.as_str()).collect();
    assert_eq!(added, ["tenant=acme", "cached=true"]);
    let lines = parsed(&memory);
    assert!(lines.iter().all(|line| line["tenant"] == "acme" && line.get("added").is_none()), "{lines:?}");
    assert_eq!(lines[1]["cached"], true);
}

#[cfg(feature = "tower")]
#[test]
fn a_filter_that_hides_requests_is_reported_once() {
    for (filter, expected) in [("it=info", 1), ("it=info,spanline=info", 0)] {
        let said = Said::default();
        let builder = fixed().on_complaint(said.hook()).output(Output::new(Memory::new()));
        let (layer, guard) = builder.build().unwrap();
        with_default(tracing_subscriber::registry().with(layer).with(EnvFilter::new(filter)), || {
            serve();
            serve();
        });
        guard.close().unwrap();
        let said = said.all();
        assert_eq!(said.len(), expected, "{said:?}");
        assert!(said.iter().all(|text| text.contains("spanline=info") && text.contains("Builder::filter")), "{said:?}");
    }
    // Our own filter hides them on purpose.
    let said = Said::default();
    let builder = fixed().filter("off").on_complaint(said.hook()).output(Output::new(Memory::new()));
    let (layer, guard) = builder.build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), serve);
    guard.close().unwrap();
    assert_eq!(said.all(), [""; 0]);
}

#[test]
fn a_layer_in_a_wrapper_that_hides_it_logs_with_a_complaint() {
    let (memory, said) = (Memory::new(), Said::default());
    let builder = fixed().on_complaint(said.hook()).output(Output::new(memory.clone()));
    let (layer, guard) = builder.build().unwrap();
    let (layer, handle) = reload::Layer::new(layer);
    with_default(tracing_subscriber::registry().with(layer), || {
        info!("first");
        info_span!("request").in_scope(|| info!("second"));
    });
    drop(handle);
    guard.close().unwrap();
    assert_eq!(parsed(&memory).len(), 2);
    let said = said.all();
    assert!(
        said.len() == 1 && said[0].contains("`reload::Layer`") && said[0].contains("Handle::set_filter"),
        "{said:?}"
    );
}

/// No layer, of the type of `_`.
fn none_like<L>(_: &L) -> Option<L> {
    None
}

/// Such a layer has no filter id, and tracing-subscriber panics when it calls it.
/// In its own process: in a debug build, tracing-subscriber does not bear events that only other subscribers want.
#[test]
fn a_layer_that_is_reloaded_into_a_registry_is_refused_with_a_complaint() {
    child(
        "context::neighbours::a_layer_that_is_reloaded_into_a_registry_is_refused_with_a_complaint",
        &[],
        reload_a_layer,
    );
}

fn reload_a_layer() {
    let (memory, said) = (Memory::new(), Said::default());
    let builder = fixed().on_complaint(said.hook()).output(Output::new(memory.clone()));
    let (layer, guard) = builder.build::<tracing_subscriber::Registry>().unwrap();
    let (place, handle) = reload::Layer::new(none_like(&layer));
    with_default(tracing_subscriber::registry().with(place), || {
        info!("before");
        handle.reload(Some(layer)).unwrap();
        info!("behind");
        info_span!("request").in_scope(|| info!("in a span"));
    });
    guard.close().unwrap();
    assert_eq!(memory.lines(), [""; 0]);
    let said = said.all();
    assert!(said.len() == 1 && said[0].contains("with(layer)") && said[0].contains("Handle::set_filter"), "{said:?}");
}
