//! Whose ids a server continues, in which formats, and what it answers with.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use axum::routing::{any, get};
use http_body_util::Empty;
use serde_json::json;
use spanline::propagate::Format;
use spanline::tower::{ClientLayer, ServerLayer};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::info;

use crate::support::http::{PARENT, TRACE, lines, request, send, text};

fn with_headers(path: &str, headers: &[(&'static str, &'static str)]) -> Request<Body> {
    let mut request = request("GET", path);
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    request
}

#[test]
fn the_ids_of_a_caller_that_is_not_trusted_are_kept_apart() {
    let ids = [("traceparent", PARENT), ("x-request-id", "r-1"), ("tracestate", "a=1")];
    let lines = lines(|| async {
        let onward = Arc::new(Mutex::new(HeaderMap::new()));
        let sent = Arc::clone(&onward);
        let handler = move || async move {
            info!("handling");
            spanline::tower::inject(&mut sent.lock().unwrap());
        };
        let layer = ServerLayer::new().trust_when(|request| match request.uri.path() {
            "/panics" => panic!("in the hook"),
            path => path == "/inside",
        });
        let app = Router::new().fallback(any(handler)).layer(layer);
        for path in ["/outside", "/panics", "/inside"] {
            let answered = send(app.clone(), with_headers(path, &ids)).await;
            let is_trusted = path == "/inside";
            assert_eq!(answered.headers()["x-request-id"] == "r-1", is_trusted);
            let onward = onward.lock().unwrap().clone();
            assert_eq!(onward["traceparent"].to_str().unwrap().contains(TRACE), is_trusted);
            assert_eq!(onward["x-request-id"], answered.headers()["x-request-id"]);
            assert_eq!(onward.contains_key("tracestate"), is_trusted);
        }
        // Malformed ids are reported all the same.
        send(app, with_headers("/outside", &[("traceparent", "00-"), ("x-request-id", "r-2")])).await;
    });
    for pair in lines[..4].chunks(2) {
        for line in pair {
            assert!(
                text(line, "trace_id") != TRACE && line["request_id"] != "r-1" && line.get("parent_span_id").is_none()
            );
        }
        let last = &pair[1];
        assert_eq!((text(last, "upstream_trace_id"), text(last, "upstream_request_id")), (TRACE, "r-1"));
        assert_eq!(text(last, "upstream_span_id"), "00f067aa0ba902b7");
        assert_eq!(pair[0].get("upstream_trace_id"), None);
    }
    let inside = &lines[5];
    assert_eq!((text(inside, "trace_id"), inside.get("upstream_trace_id")), (TRACE, None));
    let malformed = &lines[7];
    assert_eq!((&malformed["upstream_request_id"], malformed.get("upstream_trace_id")), (&json!("r-2"), None));
    assert!(malformed.get("traceparent_rejected").is_some(), "{malformed}");
}

#[test]
fn a_server_continues_traces_in_the_formats_it_is_told() {
    let lines = lines(|| async {
        let all = [Format::W3c, Format::B3, Format::CloudTrace, Format::XRay, Format::Sentry, Format::Datadog];
        let layer = ServerLayer::new().formats(all).trace_id_header(HeaderName::from_static("x-trace-id"));
        let app = Router::new().route("/", get(|| async { info!("handling") })).layer(layer);
        let plain = Router::new().route("/", get(|| async {})).layer(ServerLayer::new());
        let b3 = [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")];
        let answered = send(app.clone(), with_headers("/", &b3)).await;
        assert_eq!(answered.headers()["x-trace-id"], "80f198ee56343ba864fe8b2a57d3eff7");
        // A trace without a span.
        let cloud = [("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000")];
        let answered = send(app.clone(), with_headers("/", &cloud)).await;
        assert_eq!(answered.headers()["x-trace-id"], "105445aa7843bc8bf206b12000100000");
        let broken =
            [("b3", "\"level\":\"FORGED\""), ("sentry-trace", "771a43a4192642f0b136d5159a501700-b7ad6b7169203331")];
        send(app, with_headers("/", &broken)).await;
        let answered = send(plain, with_headers("/", &b3)).await;
        assert!(!answered.headers().contains_key("x-trace-id"));
    });
    let ids: Vec<_> = lines.iter().map(|line| (text(line, "trace_id"), line["parent_span_id"].as_str())).collect();
    let (b3, cloud) = ("80f198ee56343ba864fe8b2a57d3eff7", "105445aa7843bc8bf206b12000100000");
    assert_eq!(ids[..2], [(b3, Some("e457b5a2e4d86bd1")); 2]);
    assert_eq!(ids[2..4], [(cloud, None); 2]);
    assert_eq!(ids[5], ("771a43a4192642f0b136d5159a501700", Some("b7ad6b7169203331")));
    assert!(text(&lines[5], "trace_header_rejected").starts_with("b3 `"), "{}", lines[5]);
    assert!(lines[6]["trace_id"] != b3 && lines.iter().all(|line| line["level"] == "INFO"));
    assert!(lines.iter().all(|line| line.get("fields").is_none()), "{lines:?}");
}

#[test]
fn a_client_sends_the_formats_it_is_told_and_removes_stale_headers() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    lines(|| async move {
        let service = service_fn(move |request: Request<Empty<Bytes>>| {
            record.lock().unwrap().push(request.headers().clone());
            async { Ok::<_, Infallible>(Response::new(())) }
        });
        let client = ClientLayer::new().formats([Format::B3Multi, Format::Datadog]).layer(service);
        let request = || {
            let stale = [("x-b3-flags", "1"), ("x-datadog-tags", "stale"), ("traceparent", "not ours")];
            let mut request = Request::get("/").body(Empty::new()).unwrap();
            stale
                .iter()
                .for_each(|(name, value)| drop(request.headers_mut().insert(*name, HeaderValue::from_static(value))));
            request
        };
        client.clone().oneshot(request()).await.unwrap();
        let context = spanline::propagate::TraceContext::from_traceparent(PARENT).unwrap();
        context.instrument(client.clone().oneshot(request())).await.unwrap();
        // A trace without a span has no headers of B3.
        spanline::with("trace_id", TRACE).instrument(client.oneshot(request())).await.unwrap();
    });
    let sent = sent.lock().unwrap();
    assert_eq!(sent[0]["x-b3-flags"], "1", "outside any span, nothing changes");
    let headers = &sent[1];
    assert_eq!(
        (&headers["x-b3-traceid"], &headers["x-b3-sampled"]),
        (&HeaderValue::from_static(TRACE), &HeaderValue::from_static("0"))
    );
    assert!(!headers.contains_key("x-b3-flags") && headers["traceparent"] == "not ours");
    assert_eq!(headers["x-datadog-trace-id"], 0xa3ce_929d_0e0e_4736_u64.to_string());
    assert_eq!(headers["x-datadog-tags"], "_dd.p.tid=4bf92f3577b34da6");
    let headers = &sent[2];
    assert!(headers["x-b3-flags"] == "1" && !headers.contains_key("x-b3-traceid"), "{headers:?}");
    assert_eq!(headers["x-datadog-tags"], "_dd.p.tid=4bf92f3577b34da6");
}

#[test]
fn allowed_baggage_is_in_every_line_and_goes_on() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&sent);
    let lines = lines(|| async move {
        let service = service_fn(move |request: Request<Empty<Bytes>>| {
            let values =
                request.headers().get_all("baggage").into_iter().map(|value| value.to_str().unwrap().to_owned());
            record.lock().unwrap().push(values.collect::<Vec<_>>());
            async { Ok::<_, Infallible>(Response::new(())) }
        });
        let client = ClientLayer::new().baggage(["tenant"]).layer(service);
        let handler = move || async move {
            info!("handling");
            let request = Request::get("/").header("baggage", "own=1").body(Empty::new()).unwrap();
            client.oneshot(request).await.unwrap();
        };
        let layer = ServerLayer::new().baggage(["tenant", "method", "request_id", "trace_id"]);
        let layer = layer.trust_when(|request| request.uri.path() != "/outside");
        let app = Router::new().fallback(any(handler)).layer(layer);
        let forged = format!("tenant=ac%20me,method=x,request_id=forged,trace_id={TRACE},other=1");
        for path in ["/", "/outside"] {
            let mut request = request("GET", path);
            request.headers_mut().insert("baggage", HeaderValue::try_from(&forged).unwrap());
            send(app.clone(), request).await;
        }
        send(app, with_headers("/", &[("baggage", "tenant")])).await;
    });
    let tenants: Vec<_> = lines.iter().map(|line| line["tenant"].as_str()).collect();
    assert_eq!(tenants, [Some("ac me"), Some("ac me"), None, None, None, None]);
    for line in &lines {
        assert!(line["method"] == "GET" && line["request_id"] != "forged" && line["trace_id"] != TRACE, "{line}");
        assert!(line.get("other").is_none() && line.get("fields").is_none(), "{line}");
    }
    assert_eq!(text(&lines[5], "baggage_rejected"), "baggage: a member has no `=`");
    let sent = sent.lock().unwrap();
    assert_eq!(sent[0], ["own=1", "tenant=ac%20me"]);
    assert_eq!((&sent[1], &sent[2]), (&vec!["own=1".to_owned()], &vec!["own=1".to_owned()]));
}
