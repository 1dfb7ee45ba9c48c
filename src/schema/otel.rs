//! OpenTelemetry's OTLP in JSON, as the collector's file receiver reads it.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/> (a line is a whole `LogsData`) and
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (64-bit integers are strings, ids are hex, enums
//! are numbers). The tests read the lines with types generated from the protocol's definition.

use std::borrow::Cow;

use super::Schema;
use super::edit::Edits;
use super::engine::{
    Brackets, Engine, Group, Layout, Parts, Place, Spelling, Stage, Syntax, TOP, UNDER, marks, micros_as_seconds,
};
use super::json::{self, Form, Json, Tree};
use super::level::LineLevel;
use super::object::{is_reserved, switches};
use super::resolved_fields::Origin;
use super::table::{BuiltIn, Keys};
use crate::context::{SpanId, TraceId};
use crate::names::{Names, last_of_each};
use crate::record::{Kind, Record, Value};

/// Lines of OTLP/JSON.
///
/// The service and static fields form the resource, the target is the scope, and all other fields are attributes of the
/// record. [`Edits`] apply to attributes, by their names.
#[derive(Debug, Default)]
pub struct Otel {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    bare: bool,
    thread_id: bool,
    thread_name: bool,
    trace_sampled: Option<bool>,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("otel", LINE_KEYS, || Box::new(Otel::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/resourceLogs/0/scopeLogs/0/logRecords/0/severityNumber",
    target: "/resourceLogs/0/scopeLogs/0/scope/name",
    trace_id: "/resourceLogs/0/scopeLogs/0/logRecords/0/traceId",
    request_id: None,
    fields: None,
};

/// Attributes of a request's lines, each with the field that it has the value of.
const REQUEST_FIELDS: [(&str, &str); 8] = [
    ("http.response.status_code", "status"),
    ("http.route", "route"),
    ("url.path", "path"),
    ("url.scheme", "scheme"),
    ("network.protocol.version", "http_version"),
    ("user_agent.original", "user_agent"),
    ("http.request.body.size", "request_bytes"),
    ("http.response.body.size", "response_bytes"),
];

/// The methods that the conventions name. Another one is `_OTHER`.
const METHODS: [&str; 10] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

/// The names of gRPC's status codes, by their numbers.
#[rustfmt::skip]
const GRPC_STATUS: [&str; 17] = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
];

/// The attributes written here. A user's field with such a name is under the attribute `fields`.
pub(super) const KEYS: &[&str] = &[
    "request_id",
    "exception.message",
    "exception.stacktrace",
    "exception.type",
    "code.file.path",
    "code.line.number",
    "thread.id",
    "thread.name",
    "spans",
    "truncated",
    "original_bytes",
    "fields",
];

/// Those of a bare record.
const BARE_KEYS: &[&str] = &["target", "service.name"];

/// The group of the static fields of a bare record.
const RESOURCE: Group = 2;

/// Elements of a list of attributes.
const ATTRIBUTES: Syntax = Syntax {
    before: Cow::Borrowed(",{\"key\":"),
    name: |name, out| json::put_str(out, name),
    between: Cow::Borrowed(",\"value\":"),
    form: Form::Own(|value, out| {
        put_any(out, value);
        out.push(b'}');
    }),
};

/// An attribute with a list of attributes.
const NESTED: Syntax = Syntax { between: Cow::Borrowed(",\"value\":{\"kvlistValue\":{\"values\":"), ..ATTRIBUTES };

/// The form of the body.
const ANY: Form = Form::Own(|value, out| put_any(out, value));

/// Each level of nested JSON takes up to four levels of OTLP, and common readers stop at 128.
pub(super) const MAX_DEPTH: usize = 24;

impl Otel {
    /// Creates the schema. A line is a whole `LogsData` with resource and scope, as the collector's file receiver reads
    /// it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `flags` for lines that belong to a trace: whether it is sampled. By default, they follow the trace's
    /// `traceparent`, if there is one.
    pub fn trace_sampled(mut self, sampled: bool) -> Self {
        self.options.trace_sampled = Some(sampled);
        self
    }

    switches! { options:
        /// Writes a bare `LogRecord` per line, for readers that add resource and scope themselves. The target becomes
        /// the attribute `target`, the service `service.name`.
        bare,
        /// Adds the attribute `thread.id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds the attribute `thread.name`, where the thread has one.
        thread_name,
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let is_mark = marks(record);
        let resource: Vec<String> = record.static_fields().map(|(name, _)| resource_name(name).into_owned()).collect();
        let is_ours = move |name: &str| {
            let is_of_resource = || is_reserved(name, BARE_KEYS) || resource.iter().any(|other| other == name);
            is_reserved(name, KEYS) || self.bare && is_of_resource()
        };
        let place = move |name: &str, origin| match origin {
            Origin::Static if !self.bare => Place::Hidden,
            // It has a member, so the static one stays beside it.
            Origin::Event | Origin::Span | Origin::Variable if name == "request_id" => Place::Hidden,
            Origin::Static if !is_reserved(&resource_name(name), KEYS) => Place::Group(RESOURCE),
            _ => Place::Group(if is_ours(name) || name == "held_back" && is_mark(name) { UNDER } else { TOP }),
        };
        let holds_back = record.statics.holds_back;
        let sampled = self.trace_sampled;
        let fields = Brackets { open: Some(b'['), close: b"]}}}" };
        Layout::new("", place)
            .tail(None)
            .end(if self.bare { b"}" } else { b"" })
            .spelling(TOP, Spelling::by(ATTRIBUTES, attribute_name))
            .spelling(UNDER, Spelling::by(ATTRIBUTES, attribute_name))
            .spelling(RESOURCE, Spelling::by(ATTRIBUTES, resource_name))
            .members(Stage::CallSite, |parts, out| put_severity(out, parts.level))
            .syntax(Syntax::unnamed(",\"body\":", ANY))
            .message("", ANY)
            .members(Stage::CallSite, put_event_name)
            .syntax(Syntax::unnamed(",\"attributes\":", ANY))
            .enclosed("", Brackets { open: Some(b'['), close: b"]" }, |layout| {
                layout
                    .syntax(ATTRIBUTES)
                    .request("request_id", ATTRIBUTES.form)
                    .error_texts("exception.message", "exception.type", "exception.stacktrace")
                    .request_attributes()
                    .file("code.file.path")
                    .line("code.line.number")
                    .when(self.thread_id, |layout| layout.thread_id("thread.id"))
                    .thread_name(self.thread_name, "thread.name")
                    .span_names("spans")
                    .truncation()
                    .fields(TOP)
                    .when(holds_back, Layout::held_back)
                    .when(self.bare, |layout| layout.target("target").service("service.name").static_fields(RESOURCE))
                    .inserts()
                    .syntax(NESTED)
                    .enclosed("fields", fields, |layout| layout.fields(UNDER).static_fields(UNDER))
            })
            .syntax(Syntax::JSON)
            .members(Stage::Context, |parts, out| put_id(out, b",\"traceId\":\"", parts.trace.map(TraceId::digits)))
            .members(Stage::Context, |parts, out| put_id(out, b",\"spanId\":\"", parts.span.map(SpanId::digits)))
            .members(Stage::Context, move |parts, out| {
                let sampled = sampled.or_else(|| parts.record.context()?.is_sampled());
                sampled.filter(|_| parts.trace.is_some()).is_some_and(|sampled| {
                    out.extend_from_slice(if sampled { b",\"flags\":1" } else { b",\"flags\":0" });
                    true
                })
            })
            .when(!self.bare, |layout| layout.members(Stage::CallSite, put_scope).members(Stage::Service, put_resource))
    }
}

impl Schema for Otel {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        // The order of members does not count: the time comes first because all that follows is prepared.
        if !self.options.bare {
            out.extend_from_slice(b"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[");
        }
        put_times(out, record);
        self.engine.render(record, out, || self.options.layout(record));
    }

    fn wants_thread(&self) -> bool {
        self.options.thread_id || self.options.thread_name
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(&edits.clone().give(attribute_name));
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }
}

/// Returns the name of an attribute: the specification forbids empty names.
pub(super) fn attribute_name(name: &str) -> Cow<'_, str> {
    if name.is_empty() { Cow::Owned("_".to_owned()) } else { Cow::Borrowed(name) }
}

/// Returns the name of a static field among the attributes of the resource.
pub(super) fn resource_name(name: &str) -> Cow<'_, str> {
    match name {
        "version" => Cow::Owned("service.version".to_owned()),
        "env" => Cow::Owned("deployment.environment.name".to_owned()),
        name => attribute_name(name),
    }
}

/// Returns the event's name: the one that the program gave it, or that of the convention for panics.
pub(super) fn event_name<'p>(parts: &Parts<'p>) -> Option<&'p str> {
    match parts.record.site_kind() {
        Kind::Panic => Some("exception"),
        _ => parts.record.event_name(),
    }
}

/// Passes the attributes of the resource to `put`: the service and the static fields, each name once.
pub(super) fn each_of_resource(parts: &Parts<'_>, mut put: impl FnMut(&str, &Value<'_>)) {
    let service = parts.service.map(|service| ("service.name".into(), Value::Str(service)));
    let statics = last_of_each(parts.record.static_fields()).map(|(name, value)| (resource_name(name), value));
    let all: Vec<_> = service.into_iter().chain(statics).collect();
    let mut names = Names::default();
    all.iter().filter(|(name, _)| names.add(&**name)).for_each(|(name, value)| put(name, value));
}

/// Appends the event's name.
fn put_event_name(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    event_name(parts).is_some_and(|name| {
        out.extend_from_slice(b",\"eventName\":");
        json::put_str(out, name);
        true
    })
}

/// Ends the record, and appends the scope; returns true.
fn put_scope(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"}],\"scope\":{\"name\":");
    json::put_str(out, parts.record.target());
    out.push(b'}');
    true
}

/// Ends the scope, and appends the resource; returns true.
fn put_resource(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"}],\"resource\":{\"attributes\":");
    let mut separator = b'[';
    each_of_resource(parts, |name, value| {
        let start = out.len();
        ATTRIBUTES.put_key(name, out);
        ATTRIBUTES.form.put(value, out);
        if let Some(first) = out.get_mut(start) {
            *first = std::mem::replace(&mut separator, b',');
        }
    });
    out.extend_from_slice(if separator == b'[' { b"[]}}]}" } else { b"]}}]}" });
    true
}

/// Appends an id, if there is one.
fn put_id<const DIGITS: usize>(out: &mut Vec<u8>, key: &[u8], digits: Option<[u8; DIGITS]>) -> bool {
    digits.is_some_and(|digits| {
        out.extend_from_slice(key);
        out.extend_from_slice(&digits);
        out.push(b'"');
        true
    })
}

fn put_times(out: &mut Vec<u8>, record: &Record<'_>) {
    let nanos = record.timestamp().as_nanos().max(0);
    out.extend_from_slice(b"{\"timeUnixNano\":\"");
    json::put_int(out, nanos);
    out.extend_from_slice(b"\",\"observedTimeUnixNano\":\"");
    json::put_int(out, nanos);
    out.push(b'"');
}

/// Appends a level; returns true.
fn put_severity(out: &mut Vec<u8>, level: LineLevel) -> bool {
    out.extend_from_slice(b",\"severityNumber\":");
    json::put_int(out, level.otel());
    out.extend_from_slice(b",\"severityText\":\"");
    out.extend_from_slice(level.upper().as_bytes());
    out.push(b'"');
    true
}

impl Layout {
    /// Adds the attributes of a request's lines.
    pub(super) fn request_attributes(self) -> Self {
        let form = self.form();
        let put = move |text: Option<Cow<'_, str>>, out: &mut Vec<u8>| {
            text.is_some_and(|text| form.put(&Value::Str(&text), out))
        };
        self.request_field("http.request.method", "method", |method| match method {
            Value::Str(name) if !METHODS.contains(&name) => Value::Str("_OTHER"),
            method => method,
        })
        .request_member("http.request.method_original", &[], move |parts, out| {
            let method = parts.of_request("method").and_then(|method| method.as_str());
            put(method.filter(|name| !METHODS.contains(name)).map(Cow::Borrowed), out)
        })
        .request_fields(&REQUEST_FIELDS)
        .host_of_request("server.address", "server.port")
        .request_field("http.server.request.duration", "latency_us", micros_as_seconds)
        .request_member("rpc.response.status_code", &["grpc_status"], move |parts, out| put(grpc_status(parts), out))
        .request_member("error.type", &[], move |parts, out| put(error_of_request(parts), out))
    }
}

/// Returns the class of a request's failure: its outcome, or the status of the server's error.
fn error_of_request(parts: &Parts<'_>) -> Option<Cow<'static, str>> {
    match (parts.of_request("outcome")?.as_str()?, parts.of_request("status")) {
        (outcome @ ("panicked" | "service_error" | "body_error"), _) => Some(outcome.to_owned().into()),
        (_, Some(Value::U64(status))) if status >= 500 => Some(status.to_string().into()),
        _ if parts.is_fault_of_server() => grpc_status(parts),
        _ => None,
    }
}

/// Returns the name of a request's gRPC status, or the number of one that gRPC does not know.
fn grpc_status(parts: &Parts<'_>) -> Option<Cow<'static, str>> {
    let status = parts.of_request("grpc_status")?;
    let known = match status {
        Value::U64(code) => usize::try_from(code).ok().and_then(|code| GRPC_STATUS.get(code)),
        _ => None,
    };
    Some(known.map_or_else(|| json::text_of(&status).into_owned().into(), |name| Cow::Borrowed(*name)))
}

/// Appends an `AnyValue`.
fn put_any(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::I64(number) => put_int(out, number),
        Value::U64(number) if i64::try_from(number).is_ok() => put_int(out, number),
        Value::I128(number) if i64::try_from(number).is_ok() => put_int(out, number),
        Value::U128(number) if i64::try_from(number).is_ok() => put_int(out, number),
        // The protocol writes the others as strings, but not all readers accept them.
        Value::F64(number) if number.is_finite() => put_tagged(out, b"{\"doubleValue\":", value),
        Value::Bool(_) => put_tagged(out, b"{\"boolValue\":", value),
        Value::Bytes(_) => put_tagged(out, b"{\"bytesValue\":", value),
        Value::Json(text) => {
            let start = out.len();
            if Tree::of(text).and_then(|tree| put_json(out, tree.root(), MAX_DEPTH)).is_none() {
                out.truncate(start);
                put_text(out, text);
            }
        }
        _ => put_text(out, &json::text_of(value)),
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: &[u8], value: &Value<'_>) {
    out.extend_from_slice(tag);
    json::put_value(out, value);
    out.push(b'}');
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_tagged(out, b"{\"stringValue\":", &Value::Str(text));
}

fn put_int(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(b"{\"intValue\":\"");
    json::put_int(out, number);
    out.extend_from_slice(b"\"}");
}

/// Appends nested JSON as an `AnyValue`; returns `None` when it is too deep or has half of a surrogate pair.
fn put_json(out: &mut Vec<u8>, json: Json<'_>, depth: usize) -> Option<()> {
    match json.first() {
        b'{' => {
            let members = json.members().filter(|_| depth > 0)?;
            out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
            for (place, (key, value)) in members.last_of_equal().enumerate() {
                out.extend_from_slice(if place == 0 { b"{\"key\":" } else { b",{\"key\":" });
                json::put_str(out, key);
                out.extend_from_slice(b",\"value\":");
                put_json(out, value, depth - 1)?;
                out.push(b'}');
            }
            out.extend_from_slice(b"]}}");
        }
        b'[' if depth > 0 => {
            out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            for (place, item) in json.items().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_json(out, item, depth - 1)?;
            }
            out.extend_from_slice(b"]}}");
        }
        b'[' => return None,
        b'"' => put_text(out, &json.string()?),
        b'n' => out.extend_from_slice(b"{}"),
        first @ (b't' | b'f') => put_any(out, &Value::Bool(first == b't')),
        _ => match (json.text().parse::<i64>(), json.text().parse::<f64>()) {
            (Ok(number), _) => put_int(out, number),
            (_, Ok(number)) if number.is_finite() && json.text().contains(['.', 'e', 'E']) => {
                put_any(out, &Value::F64(number));
            }
            _ => put_text(out, json.text()),
        },
    }
    Some(())
}
