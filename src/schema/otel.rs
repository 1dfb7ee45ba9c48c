//! OpenTelemetry's OTLP in JSON, as the collector's file receiver reads it.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/> (a line is a whole `LogsData`) and
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (64-bit integers are strings, ids are hex, enums
//! are numbers). The tests read the lines with types generated from the protocol's definition.

use std::borrow::Cow;

use tracing::Level;

use super::Schema;
use super::common_fields::{CommonFields, error_message, error_type, put_span_names, shown, views};
use super::edit::Edits;
use super::json::{self, Json, Tree};
use super::object::{is_reserved, switches, tell_apart};
use super::table::{BuiltIn, Keys};
use crate::names::{Names, last_of_each};
use crate::record::{Record, Value};

/// Lines of OTLP/JSON.
///
/// The service and static fields form the resource, the target is the scope, and all other fields are attributes of the
/// record. [`Edits`] apply to attributes, by their names.
#[derive(Debug, Default)]
pub struct Otel {
    bare: bool,
    thread_id: bool,
    thread_name: bool,
    trace_sampled: Option<bool>,
    edits: Edits,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("otel", LINE_KEYS, || Box::new(Otel::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/resourceLogs/0/scopeLogs/0/logRecords/0/severityNumber",
    target: "/resourceLogs/0/scopeLogs/0/scope/name",
    trace_id: "/resourceLogs/0/scopeLogs/0/logRecords/0/traceId",
    request_id: None,
    fields: None,
};

/// The attributes written here. A user's field with such a name is under the attribute `fields`.
const KEYS: &[&str] = &[
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

type Attributes<'a> = Vec<(Cow<'a, str>, AttributeValue<'a>)>;

/// The value of an attribute.
enum AttributeValue<'a> {
    Value(Value<'a>),
    /// The members of the attribute `fields`.
    Fields(Attributes<'a>),
}

/// Each level of nested JSON takes up to four levels of OTLP, and common readers stop at 128.
const MAX_DEPTH: usize = 24;

impl Otel {
    /// Creates the schema. A line is a whole `LogsData` with resource and scope, as the collector's file receiver reads
    /// it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `flags` for lines that belong to a trace: whether it is sampled. By default, they follow the trace's
    /// `traceparent`, if there is one.
    pub fn trace_sampled(mut self, sampled: bool) -> Self {
        self.trace_sampled = Some(sampled);
        self
    }

    switches! {
        /// Writes a bare `LogRecord` per line, for readers that add resource and scope themselves. The target becomes
        /// the attribute `target`, the service `service.name`.
        bare,
        /// Adds the attribute `thread.id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds the attribute `thread.name`, where the thread has one.
        thread_name,
    }
}

impl Schema for Otel {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let mut resource: Attributes<'_> = Vec::with_capacity(4);
        let mut resource_names = Names::default();
        let service = common.service.map(|service| ("service.name", Value::Str(service)));
        let statics = last_of_each(record.static_fields()).map(|(name, value)| match name {
            "version" => ("service.version", value),
            "env" => ("deployment.environment.name", value),
            name => (name, value),
        });
        for (name, value) in service.into_iter().chain(statics) {
            if resource_names.add(name) {
                resource.push((name.into(), AttributeValue::Value(value)));
            }
        }

        let stack = common.take_stack(record);
        let mut spans = Vec::new();
        put_span_names(&mut spans, &views);
        let spans = std::str::from_utf8(&spans).unwrap_or_default();
        let mut attributes: Attributes<'_> = Vec::with_capacity(common.fields.len() + 8);
        let mut put = |name: &'static str, value| attributes.push((name.into(), AttributeValue::Value(value)));
        if let Some(request) = common.request {
            put("request_id", request);
        }
        if let Some(error) = &common.error {
            put("exception.message", Value::Str(error_message(error)));
            if let Some(type_name) = error_type(error) {
                put("exception.type", Value::Str(type_name));
            }
        }
        if let Some(stack) = &stack {
            put("exception.stacktrace", Value::Str(stack));
        }
        if let Some((file, line)) = record.file().zip(record.line()) {
            put("code.file.path", Value::Str(file));
            put("code.line.number", Value::U64(line.into()));
        }
        if let Some(thread) = record.thread() {
            if self.thread_id {
                put("thread.id", Value::U64(thread.id));
            }
            if let Some(name) = thread.name.filter(|_| self.thread_name) {
                put("thread.name", Value::Str(name));
            }
        }
        if shown(&views).next().is_some() {
            put("spans", Value::Json(spans));
        }
        if let Some(original) = record.original_bytes() {
            put("truncated", Value::Bool(true));
            put("original_bytes", Value::U64(original));
        }
        let is_ours =
            |name: &str| is_reserved(name, KEYS) || self.bare && (name == "target" || resource_names.contains(name));
        let mut under_fields: Attributes<'_> = Vec::new();
        let mut names_under_fields = Names::default();
        for field in &common.fields {
            let to = if is_ours(field.name) {
                names_under_fields.add(field.name);
                &mut under_fields
            } else {
                &mut attributes
            };
            to.push((field.name.into(), AttributeValue::Value(field.value)));
        }
        if self.bare {
            attributes.push(("target".into(), AttributeValue::Value(Value::Str(record.target()))));
            for (name, value) in resource.drain(..) {
                if !is_reserved(&name, KEYS) {
                    attributes.push((name, value));
                } else if !names_under_fields.contains(&*name) {
                    under_fields.push((name, value));
                }
            }
        }
        if !under_fields.is_empty() {
            attributes.push(("fields".into(), AttributeValue::Fields(under_fields)));
        }
        self.edits.apply(&mut attributes, AttributeValue::Value);
        for (name, _) in &mut attributes {
            if name.is_empty() {
                // The specification forbids empty names.
                *name = Cow::Owned("_".to_owned());
            }
        }
        tell_apart(&mut attributes);

        if !self.bare {
            out.extend_from_slice(b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
            put_list(out, &resource);
            out.extend_from_slice(b"]},\"scopeLogs\":[{\"scope\":{\"name\":");
            json::put_str(out, record.target());
            out.extend_from_slice(b"},\"logRecords\":[");
        }
        put_times(out, record);
        put_severity(out, record.level());
        if let Some(message) = &common.message {
            out.extend_from_slice(b",\"body\":");
            put_any(out, message);
        }
        out.extend_from_slice(b",\"attributes\":[");
        put_list(out, &attributes);
        out.push(b']');
        if let Some(trace) = common.trace {
            out.extend_from_slice(b",\"traceId\":\"");
            out.extend_from_slice(&trace.digits());
            out.push(b'"');
        }
        if let Some(span) = common.span {
            out.extend_from_slice(b",\"spanId\":\"");
            out.extend_from_slice(&span.digits());
            out.push(b'"');
        }
        let sampled = self.trace_sampled.or_else(|| record.context()?.is_sampled());
        if let Some(sampled) = sampled.filter(|_| common.trace.is_some()) {
            out.extend_from_slice(if sampled { b",\"flags\":1" } else { b",\"flags\":0" });
        }
        out.extend_from_slice(if self.bare { b"}" } else { b"}]}]}]}" });
    }

    fn wants_thread(&self) -> bool {
        self.thread_id || self.thread_name
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.edits = edits.clone();
        true
    }
}

fn put_times(out: &mut Vec<u8>, record: &Record<'_>) {
    let nanos = record.timestamp().as_nanos().max(0);
    out.extend_from_slice(b"{\"timeUnixNano\":\"");
    json::put_int(out, nanos);
    out.extend_from_slice(b"\",\"observedTimeUnixNano\":\"");
    json::put_int(out, nanos);
    out.push(b'"');
}

fn put_severity(out: &mut Vec<u8>, level: Level) {
    let number: u8 = match level {
        Level::ERROR => 17,
        Level::WARN => 13,
        Level::INFO => 9,
        Level::DEBUG => 5,
        _ => 1,
    };
    out.extend_from_slice(b",\"severityNumber\":");
    json::put_int(out, number);
    out.extend_from_slice(b",\"severityText\":\"");
    out.extend_from_slice(level.as_str().as_bytes());
    out.push(b'"');
}

/// Appends a list of `KeyValue`s.
fn put_list(out: &mut Vec<u8>, list: &[(Cow<'_, str>, AttributeValue<'_>)]) {
    for (place, (name, value)) in list.iter().enumerate() {
        out.extend_from_slice(if place == 0 { b"{\"key\":" } else { b",{\"key\":" });
        json::put_str(out, name);
        out.extend_from_slice(b",\"value\":");
        match value {
            AttributeValue::Value(value) => put_any(out, value),
            AttributeValue::Fields(fields) => {
                out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
                put_list(out, fields);
                out.extend_from_slice(b"]}}");
            }
        }
        out.push(b'}');
    }
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
