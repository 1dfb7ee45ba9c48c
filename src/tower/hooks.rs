//! What the user adds and decides. A hook that panics has said nothing, so that it harms no request.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{HeaderName, request, response};

use super::exchange::Finished;
use crate::context::{Dynamic, read_request_id};
use crate::record::{Value, discard};

/// Fields that a hook adds to a request's span or to its line.
///
/// One that is called like a field of the layer's own has `_` behind it: `status_`. But a `request_id` that
/// [`on_request`](super::ServerLayer::on_request) adds becomes the request's id, if it is well-formed, and an `error` is that
/// of the line, unless the layer has one.
#[derive(Debug, Default)]
pub struct Fields {
    pub(super) fields: Dynamic,
    /// Of a request: the id that the hook gives it.
    pub(super) request_id: Option<String>,
    takes_id: bool,
    /// What the layer itself says.
    own: &'static [&'static str],
}

/// In the request's span.
const SPAN_NAMES: &[&str] = &["request_id", "method", "route"];

/// In the request's line, what the span has included: a field of an event hides one of the span. `error` is not among them:
/// the layer rarely has one, and says it last.
const LINE_NAMES: &[&str] = &[
    "request_id",
    "method",
    "route",
    "message",
    "status",
    "latency_us",
    "path",
    "request_bytes",
    "response_bytes",
    "grpc_status",
    "outcome",
    "traceparent_rejected",
    "tracestate_rejected",
    "request_id_rejected",
];

impl Fields {
    /// Adds a field, under the rules of any other; of equal names the last counts.
    pub fn add<'v>(&mut self, name: &str, value: impl Into<Value<'v>>) {
        let value = value.into();
        if self.takes_id && name == "request_id" {
            let text = value.to_text().filter(|text| read_request_id(text.as_bytes()).is_ok());
            if let Some(text) = text {
                self.request_id = Some(text.into_owned());
                return;
            }
        }
        if self.own.contains(&name) {
            self.fields.put(&format!("{name}_"), &value);
        } else {
            self.fields.put(name, &value);
        }
    }
}

type Route = dyn Fn(&request::Parts) -> Option<String> + Send + Sync;
type OnRequest = dyn Fn(&request::Parts, &mut Fields) + Send + Sync;
type OnResponse = dyn Fn(&response::Parts, &mut Fields) + Send + Sync;
type LogWhen = dyn Fn(&Finished<'_>) -> bool + Send + Sync;

/// What a [`ServerLayer`](super::ServerLayer) was told.
#[derive(Clone)]
pub(super) struct Hooks {
    pub(super) request_id: HeaderName,
    pub(super) route: Option<Arc<Route>>,
    pub(super) on_request: Option<Arc<OnRequest>>,
    pub(super) on_response: Option<Arc<OnResponse>>,
    pub(super) log_when: Option<Arc<LogWhen>>,
}

impl Default for Hooks {
    fn default() -> Self {
        let request_id = HeaderName::from_static("x-request-id");
        Self { request_id, route: None, on_request: None, on_response: None, log_when: None }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl Hooks {
    /// The route that was matched, as the hook or the framework says.
    pub(super) fn route(&self, parts: &request::Parts) -> Option<String> {
        match &self.route {
            Some(hook) => caught(|| hook(parts)).flatten(),
            #[cfg(feature = "axum")]
            None => super::in_axum::matched_route(parts),
            #[cfg(not(feature = "axum"))]
            None => None,
        }
    }

    pub(super) fn request_fields(&self, parts: &request::Parts) -> Fields {
        let fields = Fields { takes_id: true, own: SPAN_NAMES, ..Fields::default() };
        added(fields, self.on_request.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields)))
    }

    pub(super) fn response_fields(&self, parts: &response::Parts) -> Dynamic {
        let fields = Fields { own: LINE_NAMES, ..Fields::default() };
        added(fields, self.on_response.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields))).fields
    }

    /// Whether a line is wanted; in doubt it is.
    pub(super) fn wants(&self, finished: &Finished<'_>) -> bool {
        self.log_when.as_ref().is_none_or(|hook| caught(|| hook(finished)).unwrap_or(true))
    }
}

fn added(mut fields: Fields, hook: Option<impl FnOnce(&mut Fields)>) -> Fields {
    if let Some(hook) = hook {
        let _ = caught(|| hook(&mut fields));
    }
    fields
}

fn caught<T>(hook: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(discard).ok()
}
