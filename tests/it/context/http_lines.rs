//! The request's line has what the handler adds, and what was set outside the layer.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response};
use axum::routing::get;
use serde_json::json;
use spanline::SpanExt;
use spanline::propagate::TraceContext;
use spanline::tower::{ServerLayer, set_request_variable};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::field::Empty;
use tracing::{Span, info, info_span};

use crate::support::http::{PARENT, TRACE, lines, request, send, text};

/// A handler that adds fields in each way, inside its own span.
#[tracing::instrument(fields(shown = Empty))]
async fn handle() {
    Span::current().record("shown", "in the handler only");
    Span::current().set_variable("below", "in the handler only");
    set_request_variable("items", 3);
    set_request_variable("status", "not a status");
    info!("handling");
}

#[test]
fn the_line_has_what_a_handler_sets_on_the_request() {
    let lines = lines(|| async {
        let layer = || ServerLayer::new().span(|_| info_span!("order", order = Empty));
        let handler = || async {
            Span::current().record("order", 7);
            Span::current().set_variable("tenant", "acme");
            handle().await;
        };
        let app = Router::new().route("/", get(handler)).layer(layer());
        send(app, request("GET", "/")).await;
        let plain = service_fn(move |_: Request<Body>| async move {
            handler().await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        send(layer().layer(plain), request("GET", "/")).await;
    });
    assert_eq!(lines.len(), 4);
    for pair in lines.chunks(2) {
        for line in pair {
            assert_eq!((&line["order"], &line["tenant"], &line["items"]), (&json!(7), &json!("acme"), &json!(3)));
        }
        assert_eq!(pair[0]["below"], "in the handler only");
        let last = &pair[1];
        assert_eq!((last.get("below"), last.get("shown"), &last["status"]), (None, None, &json!(200)), "{last}");
        assert_eq!(last["spans"], json!(["request", "order"]));
    }
}

#[test]
fn a_request_variable_is_in_the_lines_of_all_its_layers_and_nowhere_else() {
    let lines = lines(|| async {
        set_request_variable("items", 1);
        let _span = info_span!("no request").entered();
        set_request_variable("items", 2);
        let inner = Router::new().route("/", get(|| async { set_request_variable("items", 3) }));
        let app = inner.layer(ServerLayer::new()).layer(ServerLayer::new());
        send(app, request("GET", "/")).await;
        info!("after");
    });
    assert_eq!(
        lines.iter().map(|line| line.get("items").cloned()).collect::<Vec<_>>(),
        [Some(json!(3)), Some(json!(3)), None]
    );
}

#[test]
fn a_span_that_the_filters_hide_does_not_cut_the_request_off() {
    let builder = crate::support::stage::fixed().filter("info,it::hidden=off");
    let lines = crate::support::http::lines_of(builder, || async {
        let layer = ServerLayer::new().span(|_| info_span!(target: "it::hidden", "order"));
        let handler = || async {
            let _span = tracing::trace_span!(target: "it::hidden", "deep").entered();
            set_request_variable("items", 3);
        };
        send(Router::new().route("/", get(handler)).layer(layer), request("GET", "/")).await;
    });
    assert_eq!((lines.len(), &lines[0]["items"], text(&lines[0], "method")), (1, &json!(3), "GET"));
}

#[test]
fn variables_set_outside_the_layer_are_in_the_lines_of_the_request() {
    let lines = lines(|| async {
        let plain = service_fn(|_: Request<Body>| async {
            info!("handling");
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let layer = || {
            ServerLayer::new().on_request(|request, fields| {
                if request.uri.path() == "/hook" {
                    fields.add("zone", "of the hook");
                }
            })
        };
        let axum = Router::new().fallback_service(plain).layer(layer());
        for path in ["/", "/hook"] {
            let outside = || spanline::with("zone", "outer").and("method", "mine").and("host", "mine");
            let around = |future| {
                let _server = info_span!("server", port = 80).entered();
                outside().instrument(future)
            };
            around(Box::pin(async { drop(send(axum.clone(), request("GET", path)).await) }) as Sent).await;
            around(Box::pin(async { drop(send(layer().layer(plain), request("GET", path)).await) }) as Sent).await;
        }
    });
    assert_eq!(lines.len(), 8);
    for (index, line) in lines.iter().enumerate() {
        let zone = if index < 4 { "outer" } else { "of the hook" };
        assert_eq!((text(line, "zone"), text(line, "method"), line.get("port")), (zone, "GET", None), "{line}");
        assert_eq!(line["spans"], json!(["request"]));
    }
}

type Sent<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

#[test]
fn a_request_without_ids_continues_the_context_entered_outside_the_layer() {
    let context = || TraceContext::from_headers([("traceparent", PARENT), ("x-request-id", "outside-1")]).unwrap();
    let lines = lines(|| async {
        let app = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        context().instrument(send(app.clone(), request("GET", "/"))).await;
        spanline::with("trace_id", TRACE).and("request_id", 7).instrument(send(app.clone(), request("GET", "/"))).await;
        let mut own = request("GET", "/");
        own.headers_mut().insert("x-request-id", HeaderValue::from_static("caller-1"));
        let parent = "00-11111111111111111111111111111111-2222222222222222-01";
        own.headers_mut().insert("traceparent", HeaderValue::from_static(parent));
        let answered = context().instrument(send(app, own)).await;
        assert_eq!(answered.headers()["x-request-id"], "caller-1");
    });
    let ids = |line: &serde_json::Value| {
        ["trace_id", "parent_span_id", "request_id"]
            .map(|name| line.get(name).and_then(|id| id.as_str()).map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids(&lines[0]), [some(TRACE), some("00f067aa0ba902b7"), some("outside-1")]);
    assert_eq!(ids(&lines[1]), [some(TRACE), None, some("7")]);
    assert_eq!(ids(&lines[2]), [some(&"1".repeat(32)), some("2222222222222222"), some("caller-1")]);
    assert!(lines.iter().all(|line| line.get("fields").is_none()), "{lines:?}");
}

#[test]
fn variables_around_an_outer_request_do_not_reach_a_call_within_the_process() {
    let lines = lines(|| async {
        let inner = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        let call = || async move {
            spanline::with("tenant", "acme").instrument(inner.oneshot(request("GET", "/"))).await.unwrap();
        };
        let outer = Router::new().route("/outer", get(call)).layer(ServerLayer::new());
        spanline::with("zone", "outer").instrument(send(outer, request("GET", "/outer"))).await;
    });
    let seen: Vec<_> = lines.iter().map(|line| (text(line, "path"), line.get("tenant"), line.get("zone"))).collect();
    let (acme, zone) = (json!("acme"), json!("outer"));
    assert_eq!(seen, [("/", Some(&acme), None), ("/outer", None, Some(&zone))]);
}
