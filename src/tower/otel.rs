//! The request's span in OpenTelemetry, described by its semantic conventions for HTTP and gRPC servers.
//!
//! Source: OpenTelemetry semantic conventions 1.30, *HTTP spans* and *gRPC*. Kind and name are fields of the span, because
//! tracing-opentelemetry reads them only there.

use opentelemetry::trace::Status;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::outcome::Outcome;
use super::received::ReceivedRequest;
use super::sent::SentResponse;

/// Describes a request that begins, before the span's sampling is decided.
pub(super) fn describe_request(span: &Span, request: &ReceivedRequest) {
    let put = |key: &'static str, value: Option<&str>| {
        if let Some(value) = value {
            span.set_attribute(key, value.to_owned());
        }
    };
    let (address, port) = request.head.host().map(address_and_port).unzip();
    put("http.request.method", Some(request.method.as_str()));
    put("url.path", Some(&request.path));
    put("url.scheme", request.head.scheme());
    request.route.iter().for_each(|route| describe_route(span, route));
    put("server.address", address);
    put("network.protocol.version", request.head.http_version());
    put("user_agent.original", request.head.user_agent().as_deref());
    if let Some(port) = port.flatten() {
        span.set_attribute("server.port", i64::from(port));
    }
}

/// Describes the matched route.
pub(super) fn describe_route(span: &Span, route: &str) {
    span.set_attribute("http.route", route.to_owned());
}

/// Describes how a request ended.
pub(super) fn describe_end(span: &Span, response: &SentResponse, outcome: Outcome) {
    let status = response.status.map(|status| status.as_u16());
    if let Some(status) = status {
        span.set_attribute("http.response.status_code", i64::from(status));
    }
    if let Some(status) = response.grpc_status {
        span.set_attribute("rpc.grpc.status_code", i64::from(status));
    }
    // By the conventions, only the server's faults make its span an error.
    let kind = match (response.level(), outcome.level()) {
        (_, Level::ERROR) => outcome.as_str().to_owned(),
        (Level::ERROR, _) => status
            .filter(|status| *status >= 500)
            .map_or_else(|| response.grpc_status.unwrap_or_default().to_string(), |status| status.to_string()),
        _ => return,
    };
    span.set_attribute("error.type", kind);
    span.set_status(Status::error(response.grpc_message.clone().unwrap_or_default()));
}

/// Splits a host into name and port. An IPv6 address has brackets if there is a port.
fn address_and_port(host: &str) -> (&str, Option<u16>) {
    let split = host.rsplit_once(':').and_then(|(address, port)| Some((address, port.parse().ok()?)));
    match split.filter(|(address, _)| !address.contains(':') || address.ends_with(']')) {
        Some((address, port)) => (address, Some(port)),
        None => (host, None),
    }
}
