//! Trace contexts from and to other services.

use serde_json::{Value, json};
use spanline::Output;
use spanline::propagate::TraceContext;
use spanline::sink::Memory;
use tracing::{Dispatch, dispatcher, info, info_span};
use tracing_subscriber::prelude::*;

use crate::support::stage::{fixed, lines};

pub(crate) const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const REMOTE: &str = "00f067aa0ba902b7";

pub(crate) fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

fn context() -> TraceContext {
    spanline::propagate::context().unwrap()
}

#[test]
fn the_current_ids_are_those_of_the_line() {
    let lines = lines(|| {
        assert_eq!(spanline::propagate::context(), None);
        let span = info_span!("request", request_id = 7, traceparent = PARENT, tracestate = "a=1, b=2");
        span.in_scope(|| {
            let context = context();
            info!(traceparent = context.traceparent(), tracestate = context.tracestate(), id = context.request_id());
            info_span!("inner").in_scope(|| info!(traceparent = self::context().traceparent(), "inner"));
        });
        info_span!("fresh").in_scope(|| {
            let context = context();
            assert!(context.is_sampled() && context.request_id().is_none());
            info!(traceparent = context.traceparent(), "fresh");
        });
        assert_eq!(spanline::propagate::context(), None);
    });
    for line in &lines {
        let own = format!("00-{}-{}-01", text(line, "trace_id"), text(line, "span_id"));
        assert_eq!(line["traceparent"], own);
    }
    assert_eq!(lines[0]["trace_id"], TRACE);
    assert_eq!((&lines[0]["tracestate"], &lines[0]["id"]), (&json!("a=1,b=2"), &json!("7")));
    assert_eq!(lines[1]["trace_id"], TRACE);
    assert!(lines[1].get("tracestate").is_none(), "carried on, not shown: {}", lines[1]);
    assert_ne!(lines[2]["trace_id"], TRACE);
}

#[test]
fn outside_spanline_there_is_no_context() {
    assert_eq!(spanline::propagate::context(), None);
    let dispatch = Dispatch::new(tracing_subscriber::registry());
    dispatcher::with_default(&dispatch, || {
        info_span!("s").in_scope(|| assert_eq!(spanline::propagate::context(), None));
        assert_eq!(spanline::with("a", 1).in_scope(|| 7), 7);
    });
}

/// The registry's current span may be one that only another layer sees.
#[test]
fn a_span_seen_only_by_another_layer_keeps_the_context_around_it() {
    let memory = Memory::new();
    let (layer, guard) = fixed().filter("info,hidden=off").output(Output::new(memory)).build().unwrap();
    let other = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    dispatcher::with_default(&Dispatch::new(tracing_subscriber::registry().with(layer).with(other)), || {
        info_span!("outer", request_id = "r-1").in_scope(|| {
            let outer = context();
            info_span!(target: "hidden", "hidden").in_scope(|| assert_eq!(context(), outer));
        });
    });
    guard.close().unwrap();
}

#[test]
fn a_remote_context_is_the_parent_of_spans_inside() {
    let lines = lines(|| {
        let headers = [("TraceParent", PARENT), ("x-request-id", "r-1"), ("tracestate", "a=1"), ("accept", "*/*")];
        let remote = TraceContext::from_headers(headers).unwrap();
        assert_eq!(remote.traceparent().as_deref(), Some(PARENT));
        info_span!("consumer", queue = "q").in_scope(|| {
            remote.in_scope(|| {
                info!("directly inside");
                assert_eq!(context(), remote);
                info_span!("consume").in_scope(|| {
                    info!("in a span");
                    assert_eq!(context().tracestate(), Some("a=1"));
                    info_span!("inner").in_scope(|| info!("deeper"));
                });
            });
            info!("behind");
        });
        let _entered = remote.enter();
        info!("entered");
    });
    let [inside, span, inner, behind, entered] = &lines[..] else { panic!("{lines:#?}") };
    for line in [inside, span, inner, entered] {
        assert_eq!((text(line, "trace_id"), text(line, "request_id")), (TRACE, "r-1"));
        assert!(line.get("traceparent").or(line.get("fields")).or(line.get("tracestate")).is_none(), "{line}");
    }
    for line in [inside, entered] {
        assert_eq!(text(line, "parent_span_id"), REMOTE);
        assert!(line.get("span_id").is_none(), "{line}");
    }
    assert_eq!(inside["spans"], json!(["consumer"]));
    assert!(entered.get("spans").is_none(), "{entered}");
    assert_eq!((text(span, "parent_span_id"), &span["spans"]), (REMOTE, &json!(["consumer", "consume"])));
    assert_eq!(text(inner, "parent_span_id"), text(span, "span_id"));
    assert_ne!(text(behind, "trace_id"), TRACE);
    assert!(behind.get("request_id").is_none());
}

#[test]
fn a_request_id_alone_is_inherited_and_the_trace_begins_here() {
    let lines = lines(|| {
        let context = TraceContext::default().with_request_id("r-1").unwrap();
        assert_eq!((context.traceparent(), context.is_empty()), (None, false));
        context.in_scope(|| {
            info!("outside spans");
            assert_eq!(self::context(), context);
            info_span!("root").in_scope(|| info!("inside"));
        });
        assert!(TraceContext::from_headers([("accept", "*/*")]).unwrap().is_empty());
        TraceContext::default().in_scope(|| info!("in nothing"));
    });
    assert_eq!((text(&lines[0], "request_id"), lines[0].get("trace_id")), ("r-1", None));
    assert_eq!((text(&lines[1], "request_id"), text(&lines[1], "trace_id").len()), ("r-1", 32));
    assert!(lines[1].get("parent_span_id").is_none());
    assert!(lines[2].get("request_id").or(lines[2].get("trace_id")).is_none());
}

#[test]
fn errors_name_the_malformed_header() {
    let say = |result: Result<TraceContext, spanline::Error>| {
        let error = result.unwrap_err();
        assert!(error.is_invalid());
        error.to_string()
    };
    let error = say(TraceContext::from_traceparent("00-xyz\n\u{1b}[31m"));
    assert!(error.contains(r"traceparent `00-xyz\n\x1b[31m`: it is shorter"), "{error}");
    let error = say(TraceContext::from_bytes(&[0xff; 4000]));
    assert!(error.len() < 400 && error.contains('…'), "{error}");
    let error = say(TraceContext::from_headers([("traceparent", PARENT), ("traceparent", PARENT)]));
    assert!(error.contains("more than once"), "{error}");
    let error = say(TraceContext::from_headers([("x-request-id", "a b")]));
    assert!(error.contains("x-request-id `a b`"), "{error}");
    let error = say(TraceContext::default().with_tracestate("A=1"));
    assert!(error.contains("tracestate `A=1`: a key"), "{error}");
    let context = TraceContext::from_headers([("traceparent", PARENT), ("tracestate", "A=1")]).unwrap();
    assert_eq!(context.tracestate(), None);
}

#[test]
fn a_context_goes_through_headers_unchanged() {
    let context = TraceContext::from_headers([
        ("traceparent", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02-more"),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("x-request-id", "r-1"),
    ])
    .unwrap();
    assert!(!context.is_sampled());
    let mut headers = Vec::new();
    context.inject(|name, value| headers.push((name, value.to_owned())));
    let expected = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"),
        ("tracestate", "a=1,b=2"),
        ("x-request-id", "r-1"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(TraceContext::from_headers(headers).unwrap(), context);
}

proptest::proptest! {
    #[test]
    fn headers_of_any_bytes_are_read_or_refused(values in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..80), 3)) {
        let headers = ["traceparent", "tracestate", "x-request-id"].into_iter().zip(&values);
        let _ = TraceContext::from_headers(headers);
    }

    #[test]
    fn a_context_that_is_read_goes_on_as_one_that_is_read_the_same(
        parent in "[0-9a-e]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?",
        state in "( ?[a-z][a-z0-9_*/@-]{0,40}= ?[!-+./0-9]{1,150},?){0,40}",
        id in "[a-z0-9_.:+/=@~-]{1,128}",
    ) {
        let headers = [("traceparent", &parent), ("tracestate", &state), ("x-request-id", &id)];
        if let Ok(context) = TraceContext::from_headers(headers) {
            let mut sent = Vec::new();
            context.inject(|name, value| sent.push((name, value.to_owned())));
            proptest::prop_assert!(context.tracestate().is_none_or(|state| state.len() <= 512 && !state.is_empty()));
            proptest::prop_assert_eq!(TraceContext::from_headers(sent).unwrap(), context);
        }
    }
}
