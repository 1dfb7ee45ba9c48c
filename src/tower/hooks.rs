//! The user's hooks: what they add and decide. A hook that panics is ignored, so it harms no request.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, request, response};
use tracing::{Level, Span};

use super::detail::DetailHeader;
use super::finished::Finished;
use crate::context::read_request_id;
use crate::error::Error;
use crate::propagate::{Format, Incoming, Variables, from_baggage};
use crate::record::{FieldValue, add_undeclared, discard};
use crate::values::{Source, UndeclaredFields};

/// The fields that a hook adds to a request's span or to its line.
///
/// A field with the name of one of the layer's fields gets `_` appended: `status_`. There are exceptions. A well-formed
/// `request_id` that [`on_request`](super::ServerLayer::on_request) adds becomes the request's id. Its `user_agent`, `host`,
/// `scheme` and `http_version` replace those of the line. An `error` is used for the line; if the layer has one, it becomes
/// `error_`.
#[derive(Default)]
pub struct Fields {
    pub(super) fields: UndeclaredFields,
    /// The request id that the hook has set.
    pub(super) request_id: Option<String>,
    takes_id: bool,
    /// The names of the layer's fields that the hook may use.
    may_use: &'static [&'static str],
}

/// What `on_request` may replace in the request's line.
const REPLACEABLE: [&str; 4] = ["user_agent", "host", "scheme", "http_version"];

/// Variables of these names are not those of a request.
pub(super) const NO_VARIABLES: &[&str] = &["request_id", "method", "route", "traceparent", "tracestate", "trace_id"];

/// The fields of the request's line, and those that name its trace. The span's fields are among them, because a field of an event hides one of the span.
/// `error` is not: the layer rarely has one.
const LINE_NAMES: &[&str] = &[
    "request_id",
    "method",
    "route",
    "message",
    "status",
    "latency_us",
    "http_version",
    "scheme",
    "host",
    "path",
    "user_agent",
    "request_bytes",
    "response_bytes",
    "grpc_status",
    "grpc_message",
    "outcome",
    "traceparent_rejected",
    "tracestate_rejected",
    "request_id_rejected",
    "trace_header_rejected",
    "baggage_rejected",
    "upstream_request_id",
    "upstream_trace_id",
    "upstream_span_id",
    "traceparent",
    "tracestate",
    "trace_id",
];

/// Returns whether the layer has a field of this name.
pub(super) fn is_own_name(name: &str) -> bool {
    LINE_NAMES.contains(&name)
}

impl Fields {
    /// Adds a field; the last duplicate wins, and `None` adds nothing.
    pub fn add<'v>(&mut self, name: &str, value: impl Into<FieldValue<'v>>) {
        let value = value.into();
        if self.takes_id && name == "request_id" {
            let text = match &value.0 {
                Source::Value(value) => value.to_text(),
                Source::Text(text) => Some(text.as_ref().into()),
                _ => None,
            };
            if let Some(text) = text.filter(|text| read_request_id(text.as_bytes()).is_ok()) {
                self.request_id = Some(text.into_owned());
                return;
            }
        }
        if is_own_name(name) && !self.may_use.contains(&name) {
            add_undeclared(&mut self.fields, &format!("{name}_"), &value);
        } else {
            add_undeclared(&mut self.fields, name, &value);
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fields").field(&self.fields).finish()
    }
}

type Route = dyn Fn(&request::Parts) -> Option<String> + Send + Sync;
type OnRequest = dyn Fn(&request::Parts, &mut Fields) + Send + Sync;
type OnResponse = dyn Fn(&response::Parts, &mut Fields) + Send + Sync;
type InnerSpan = dyn Fn(&request::Parts) -> Span + Send + Sync;
type TrustWhen = dyn Fn(&request::Parts) -> bool + Send + Sync;
type LogWhen = dyn Fn(&Finished<'_>) -> bool + Send + Sync;
type LineLevel = dyn Fn(&Finished<'_>) -> Level + Send + Sync;

/// The settings of a [`ServerLayer`](super::ServerLayer).
#[derive(Clone)]
pub(super) struct Hooks {
    pub(super) request_id: HeaderName,
    /// The header for the trace's id in responses.
    pub(super) trace_id: Option<HeaderName>,
    pub(super) formats: Arc<[Format]>,
    /// The members of the caller's baggage that become fields.
    pub(super) baggage: Arc<[String]>,
    pub(super) trust_when: Option<Arc<TrustWhen>>,
    pub(super) route: Option<Arc<Route>>,
    pub(super) on_request: Option<Arc<OnRequest>>,
    pub(super) on_response: Option<Arc<OnResponse>>,
    pub(super) span: Option<Arc<InnerSpan>>,
    pub(super) log_when: Option<Arc<LogWhen>>,
    pub(super) level: Option<Arc<LineLevel>>,
    pub(super) detail: Option<DetailHeader>,
}

impl Default for Hooks {
    fn default() -> Self {
        let request_id = HeaderName::from_static("x-request-id");
        Self {
            request_id,
            trace_id: None,
            formats: Arc::new([Format::W3c]),
            baggage: Arc::default(),
            trust_when: None,
            route: None,
            on_request: None,
            on_response: None,
            span: None,
            log_when: None,
            level: None,
            detail: None,
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl Hooks {
    /// Returns the matched route, from the hook or the framework.
    pub(super) fn route(&self, parts: &request::Parts) -> Option<String> {
        match &self.route {
            Some(hook) => caught(|| hook(parts)).flatten(),
            #[cfg(feature = "axum")]
            None => super::in_axum::matched_route(parts),
            #[cfg(not(feature = "axum"))]
            None => None,
        }
    }

    /// Parses the caller's ids.
    pub(super) fn incoming(&self, headers: &HeaderMap) -> Incoming {
        let header = |name: &str| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
        let name = self.request_id.as_str();
        Incoming::read(&self.formats, name, header)
    }

    /// Parses the caller's baggage.
    pub(super) fn baggage(&self, headers: &HeaderMap) -> Result<Variables, Error> {
        match self.baggage.is_empty() {
            true => Ok(Variables::default()),
            false => from_baggage(&self.baggage, headers.get_all("baggage")),
        }
    }

    /// Returns whether the caller's ids may be continued; a hook that panics means no.
    pub(super) fn trusts(&self, parts: &request::Parts) -> bool {
        self.trust_when.as_ref().is_none_or(|hook| caught(|| hook(parts)).unwrap_or(false))
    }

    /// Returns the span that the program opens inside the request's span, else the request's span.
    pub(super) fn inner_span(&self, parts: &request::Parts, request: &Span) -> Span {
        let opened = self.span.as_ref().and_then(|hook| request.in_scope(|| caught(|| hook(parts))));
        // A disabled span is no place for lines.
        opened.filter(|span| !span.is_disabled()).unwrap_or_else(|| request.clone())
    }

    pub(super) fn request_fields(&self, parts: &request::Parts) -> Fields {
        let fields = Fields { takes_id: true, may_use: &REPLACEABLE, ..Fields::default() };
        filled(fields, self.on_request.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields)))
    }

    pub(super) fn response_fields(&self, parts: &response::Parts) -> UndeclaredFields {
        filled(Fields::default(), self.on_response.as_ref().map(|hook| |fields: &mut Fields| hook(parts, fields)))
            .fields
    }

    /// Returns whether a hook may ask for the headers when the request has finished.
    pub(super) fn ask_for_headers(&self) -> bool {
        self.log_when.is_some() || self.level.is_some()
    }

    /// Returns the line's level; a hook that panics means the default.
    pub(super) fn level(&self, finished: &Finished<'_>) -> Level {
        let chosen = self.level.as_ref().and_then(|hook| caught(|| hook(finished)));
        chosen.unwrap_or_else(|| finished.level())
    }

    /// Returns whether a line is wanted; a hook that panics means yes.
    pub(super) fn wants(&self, finished: &Finished<'_>) -> bool {
        self.log_when.as_ref().is_none_or(|hook| caught(|| hook(finished)).unwrap_or(true))
    }
}

fn filled(mut fields: Fields, hook: Option<impl FnOnce(&mut Fields)>) -> Fields {
    if let Some(hook) = hook {
        let _ = caught(|| hook(&mut fields));
    }
    fields
}

pub(super) fn caught<T>(hook: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(discard).ok()
}
