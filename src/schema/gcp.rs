//! Google Cloud's structured logging, as its agents and Cloud Run read it from stdout and files.
//!
//! Source: <https://cloud.google.com/logging/docs/structured-logging> (special fields) and
//! <https://cloud.google.com/error-reporting/docs/formatting-error-messages>.

use std::borrow::Cow;

use tracing::Level;

use super::engine::{AS_JSON, AS_TEXT, Engine, Group, Layout, Parts, Place, Spelling, Stage, TOP, UNDER, marks};
use super::json::{self, Form};
use super::object::{described, is_reserved, keyed_switches, put_object, put_present, switches};
use super::resolved_fields::Origin;
use super::table::{BuiltIn, Keys};
use super::time_format::{Rfc3339, TimeFormat};
use crate::context::Context;
use crate::record::{Record, Value};

/// Lines for Google Cloud Logging.
///
/// Static fields become labels of the log entry; all other fields are in its payload. A field `httpRequest` that is a
/// nested JSON object becomes the entry's request.
#[derive(Debug, Default)]
pub struct Gcp {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Debug, Default)]
struct Options {
    time: TimeFormat,
    project: Option<String>,
    trace_sampled: Option<bool>,
    error_reporting: bool,
    ops_agent: bool,
    thread_id: bool,
    thread_name: bool,
}

/// The group of the labels.
const IN_LABELS: Group = 2;

const TRACE: &str = "logging.googleapis.com/trace";
const SPAN_ID: &str = "logging.googleapis.com/spanId";
const TRACE_SAMPLED: &str = "logging.googleapis.com/trace_sampled";
const SOURCE_LOCATION: &str = "logging.googleapis.com/sourceLocation";
const LABELS: &str = "logging.googleapis.com/labels";
const ERROR_EVENT: &str = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent";

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("gcp", LINE_KEYS, || Box::new(Gcp::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/severity",
    target: "/target",
    trace_id: "/logging.googleapis.com~1trace",
    request_id: Some("/request_id"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "time",
    "severity",
    "message",
    "target",
    "error",
    "stack_trace",
    "@type",
    "context",
    "serviceContext",
    "httpRequest",
    TRACE,
    SPAN_ID,
    TRACE_SAMPLED,
    SOURCE_LOCATION,
    LABELS,
    "request_id",
    "spans",
    "thread_id",
    "thread_name",
    "event_name",
    "truncated",
    "original_bytes",
    "fields",
    // Readers know these, but no line has them: a user's field must not be taken for one.
    "logging.googleapis.com",
    "exception",
    "timestamp",
    "timestampSeconds",
    "timestampNanos",
];

impl Gcp {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the id of the project that holds the traces. `logging.googleapis.com/trace` is then the trace's full name,
    /// which links the entry to it; otherwise it is the bare id.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.options.project = Some(id.into());
        self
    }

    /// Sets `logging.googleapis.com/trace_sampled` for lines that belong to a trace. By default it follows the trace's
    /// `traceparent`, if there is one.
    pub fn trace_sampled(mut self, sampled: bool) -> Self {
        self.options.trace_sampled = Some(sampled);
        self
    }

    /// Sets how `time` is spelled.
    pub fn time(mut self, time: Rfc3339) -> Self {
        self.options.time = time.into();
        self
    }

    switches! { options:
        /// Marks ERROR lines as error events, with their source location. Error Reporting then also takes those without
        /// a stack trace.
        error_reporting,
        /// Names severity, request and sampling as the Ops Agent reads them: `logging.googleapis.com/severity`,
        /// `logging.googleapis.com/httpRequest` and `logging.googleapis.com/traceSampled`. Other agents expect the default.
        ops_agent,
    }

    keyed_switches! { options: thread_id "thread_id", thread_name "thread_name" }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(&self, record: &Record<'_>) -> Layout {
        let Self { project, trace_sampled, error_reporting, ops_agent, thread_id, thread_name, time } = self.clone();
        let (has_service, holds_back) = (record.service().is_some(), record.statics.holds_back);
        let [severity, http_request, sampled_key] = if ops_agent { OPS_AGENT } else { DEFAULT };
        let is_mark = marks(record);
        let place = move |name: &str, origin| match origin {
            Origin::Static if has_service && name == "version" => Place::Hidden,
            Origin::Static => Place::Group(IN_LABELS),
            _ if is_mark(name) => Place::Group(UNDER),
            _ if is_reserved(name, KEYS) => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        Layout::new("{\"time\":\"", place)
            .time(time)
            .spelling(TOP, Spelling::json(DOUBLES, |name| Cow::Borrowed(name)))
            .spelling(UNDER, Spelling::json(DOUBLES, |name| Cow::Borrowed(name)))
            .spelling(IN_LABELS, Spelling::json(AS_TEXT, |name| Cow::Borrowed(name)))
            .takes("httpRequest", |value| matches!(value, Value::Json(text) if is_object(text)))
            .text(severity, Stage::CallSite, |parts| Some(parts.level.gcp().into()))
            .message("message", AS_TEXT)
            .event_name("event_name")
            .target("target")
            .error("error")
            .stack_text("stack_trace")
            .when(error_reporting, |layout| {
                let is_event = |level| level == Level::ERROR;
                layout
                    .text("@type", Stage::CallSite, move |parts| {
                        is_event(parts.record.level()).then_some(ERROR_EVENT.into())
                    })
                    .put("context", Stage::CallSite, move |parts, out| {
                        let place = parts.record.file().zip(parts.record.line());
                        let Some((file, line)) = place.filter(|_| is_event(parts.record.level())) else { return false };
                        // Error Reporting ignores an event without it.
                        let function = parts.record.module_path().unwrap_or(parts.record.target());
                        out.extend_from_slice(b"{\"reportLocation\":");
                        let members = [("filePath", Value::Str(file)), ("lineNumber", Value::from(line))];
                        put_object(out, members.into_iter().chain([("functionName", Value::Str(function))]));
                        out.push(b'}');
                        true
                    })
            })
            .put("serviceContext", Stage::Service, |parts, out| {
                let Some(service) = parts.service else { return false };
                let version = parts.static_field("version").map(|version| json::text_of(&version));
                let version = version.as_deref().map(|version| ("version", Value::Str(version)));
                put_object(out, std::iter::once(("service", Value::Str(service))).chain(version));
                true
            })
            .text(TRACE, Stage::Context, move |parts| {
                let trace = parts.trace?;
                Some(match &project {
                    Some(project) => format!("projects/{project}/traces/{trace}").into(),
                    None => trace.to_string().into(),
                })
            })
            .span(SPAN_ID)
            .value(sampled_key, Stage::Context, move |parts| {
                let sampled = trace_sampled.or_else(|| parts.record.context().and_then(Context::is_sampled));
                sampled.filter(|_| parts.trace.is_some()).map(Value::Bool)
            })
            .put(SOURCE_LOCATION, Stage::CallSite, |parts, out| {
                let Some((file, line)) = parts.record.file().zip(parts.record.line()) else { return false };
                put_object(out, [("file", Value::Str(file)), ("line", Value::Str(&line.to_string()))]);
                true
            })
            .value(http_request, Stage::Context, |parts| parts.taken)
            .request_member(http_request, REQUEST_FIELDS, |parts, out| parts.taken.is_none() && put_request(parts, out))
            .request("request_id", AS_JSON)
            .when(thread_id, |layout| layout.thread_id("thread_id"))
            .thread_name(thread_name, "thread_name")
            .truncation()
            .when(holds_back, Layout::held_back)
            .span_names("spans")
            .fields(TOP)
            .object(LABELS, |layout| layout.static_fields(IN_LABELS))
            .under_fields()
    }
}

described!(
    Gcp,
    wants_thread: |options| options.thread_id || options.thread_name,
    wants_local_time: |options| options.time.is_local()
);

/// The keys of severity, request and sampling.
const DEFAULT: [&str; 3] = ["severity", "httpRequest", TRACE_SAMPLED];

/// The same for the Ops Agent: `confgenerator/logging.go` and `confgenerator/filter/internal/ast/ast.go` in
/// <https://github.com/GoogleCloudPlatform/ops-agent>.
const OPS_AGENT: [&str; 3] =
    ["logging.googleapis.com/severity", "logging.googleapis.com/httpRequest", "logging.googleapis.com/traceSampled"];

/// The fields that [`put_request`] shows.
const REQUEST_FIELDS: &[&str] = &[
    "method",
    "path",
    "status",
    "request_bytes",
    "response_bytes",
    "latency_us",
    "http_version",
    "scheme",
    "host",
    "user_agent",
];

/// Appends Google's `HttpRequest`. Its sizes and its latency are texts.
fn put_request(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    let text = |name: &str| parts.of_request(name).map(|value| json::text_of(&value));
    let (Some(path), Some(Value::U64(micros))) = (text("path"), parts.of_request("latency_us")) else { return false };
    let latency = format!("{}.{:06}s", micros / 1_000_000, micros % 1_000_000);
    let url = match (text("scheme"), text("host")) {
        (Some(scheme), Some(host)) => format!("{scheme}://{host}{path}").into(),
        _ => path,
    };
    let protocol = text("http_version").map(|version| format!("HTTP/{version}"));
    let sizes = [text("request_bytes"), text("response_bytes")];
    put_present(
        out,
        [
            ("requestMethod", parts.of_request("method")),
            ("requestUrl", Some(Value::Str(&url))),
            ("status", parts.of_request("status")),
            ("requestSize", sizes[0].as_deref().map(Value::Str)),
            ("responseSize", sizes[1].as_deref().map(Value::Str)),
            ("latency", Some(Value::Str(&latency))),
            ("protocol", protocol.as_deref().map(Value::Str)),
            ("userAgent", parts.of_request("user_agent")),
        ],
    )
}

/// The back end keeps numbers as doubles: integers that these would round are texts.
const DOUBLES: Form = Form::Except(
    |value| match *value {
        Value::U64(number) => number > MAX_EXACT,
        Value::I64(number) => number.unsigned_abs() > MAX_EXACT,
        Value::U128(number) => number > u128::from(MAX_EXACT),
        Value::I128(number) => number.unsigned_abs() > u128::from(MAX_EXACT),
        _ => false,
    },
    |value, out| json::put_str(out, &json::text_of(value)),
);

/// Doubles hold all integers up to this one.
const MAX_EXACT: u64 = 1 << 53;

fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}
