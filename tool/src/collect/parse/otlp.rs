//! What OTLP's records mean, in protobuf or JSON.
//!
//! The resource's `service.name` is the service, and the scope's name the target. Everything else is a field: the record's
//! attributes, then those of the scope (`otel.scope.…`, as OpenTelemetry names them outside OTLP), then those of the resource.
//!
//! Sources: `opentelemetry/proto/logs/v1/logs.proto` in <https://github.com/open-telemetry/opentelemetry-proto>;
//! <https://opentelemetry.io/docs/specs/otel/logs/data-model/>.

use spanline::record::{SpanId, Timestamp, TraceId};

use super::field::Field;
use super::incoming::Incoming;
use super::refused::Refused;
use super::text::Tree;
use crate::loggers::LineLevel;

/// The most records of a request.
const MAX_RECORDS: usize = 100_000;

/// The most memory of a request's records, each with its attributes and those of its resource and scope. A small request
/// could otherwise become very large.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Attributes of values may be nested this deep, which is about half as deep as the readers of protobuf go.
pub(super) const MAX_DEPTH: usize = 64;

/// Fields with their names.
pub(super) type Fields = Vec<(String, Field)>;

/// A resource, or a scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The name of the service, or of the scope.
    pub(super) name: Option<String>,
    pub(super) fields: Fields,
}

/// A log record as it was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct LogRecord {
    /// Nanoseconds since 1970; 0 if unknown.
    pub(super) time: u64,
    pub(super) observed_time: u64,
    pub(super) severity: u64,
    pub(super) severity_text: String,
    pub(super) body: Option<Field>,
    pub(super) fields: Fields,
    pub(super) dropped_attributes: u64,
    pub(super) flags: u64,
    /// In hex digits.
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) event_name: String,
}

/// The records of a request.
#[derive(Debug)]
pub(super) struct Records {
    now: Timestamp,
    pub(super) all: Vec<Incoming>,
    bytes: usize,
}

impl Origin {
    /// Adds an attribute of a resource.
    pub(super) fn add_of_resource(&mut self, name: String, value: Field, records: &mut Records) -> Result<(), Refused> {
        match value {
            Field::Text(service) if name == "service.name" && !service.is_empty() && self.name.is_none() => {
                self.name = Some(service);
                Ok(())
            }
            value => records.put(&mut self.fields, name, value),
        }
    }

    /// Adds an attribute of a scope.
    pub(super) fn add_of_scope(
        &mut self,
        name: &str,
        value: impl Into<Field>,
        records: &mut Records,
    ) -> Result<(), Refused> {
        records.put(&mut self.fields, format!("otel.scope.{name}"), value.into())
    }

    /// Returns how much memory its fields take in each record.
    fn memory_bytes(&self) -> usize {
        self.fields.iter().map(|(name, value)| size_of::<(String, Field)>() + name.len() + value.memory_bytes()).sum()
    }
}

impl Records {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, all: Vec::new(), bytes: 0 }
    }

    /// Adds a field to those of a record, a resource or a scope.
    pub(super) fn put(&mut self, fields: &mut Fields, name: String, value: Field) -> Result<(), Refused> {
        self.take(size_of::<(String, Field)>() + name.capacity() + value.memory_bytes())?;
        fields.push((name, value));
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, record: LogRecord, resource: &Origin, scope: &Origin) -> Result<(), Refused> {
        let of_origin = size_of::<Incoming>() + resource.memory_bytes() + scope.memory_bytes();
        self.take(of_origin)?;
        if self.all.len() >= MAX_RECORDS {
            return Err(Refused::TooLarge);
        }
        self.all.push(record.into_incoming(resource, scope, self.now));
        Ok(())
    }
}

impl LogRecord {
    pub(super) fn into_incoming(self, resource: &Origin, scope: &Origin, now: Timestamp) -> Incoming {
        let mut incoming = Incoming::new(now);
        incoming.service.clone_from(&resource.name);
        incoming.target = scope.name.clone().unwrap_or_default();
        let mut late = Fields::new();
        let mut put = |name: &str, value: Field| late.push((name.to_owned(), value));
        match self.body {
            Some(Field::Text(message)) => incoming.message = Some(message),
            Some(body) => put("body", body),
            None => {}
        }
        if !self.event_name.is_empty() {
            put("event_name", Field::Text(self.event_name));
        }
        // The specification says so.
        let time = if self.time == 0 { self.observed_time } else { self.time };
        match i64::try_from(time) {
            Ok(0) => {}
            Ok(time) => incoming.time = Timestamp::from_nanos(time),
            Err(_) => put("time_unix_nano", Field::U64(time)),
        }
        if !matches!(self.observed_time, 0) && self.observed_time != time {
            put("observed_time_unix_nano", Field::U64(self.observed_time));
        }
        let level = put_severity(self.severity, self.severity_text, &mut put);
        incoming.trace_id = TraceId::parse(&self.trace_id);
        if incoming.trace_id.is_none() && has_id(&self.trace_id) {
            put("trace_id", Field::Text(self.trace_id));
        }
        incoming.span_id = SpanId::parse(&self.span_id);
        if incoming.span_id.is_none() && has_id(&self.span_id) {
            put("span_id", Field::Text(self.span_id));
        }
        if self.flags != 0 {
            put("trace_flags", Field::U64(self.flags));
        }
        if self.dropped_attributes != 0 {
            put("dropped_attributes_count", Field::U64(self.dropped_attributes));
        }
        self.fields.into_iter().for_each(|(name, value)| put_attribute(&mut incoming.fields, name, value));
        incoming.fields.append(&mut late);
        incoming.fields.extend(scope.fields.iter().chain(&resource.fields).cloned());
        if let Some(level) = level {
            incoming.set_level(level);
        }
        incoming
    }
}

/// Returns the level. What it does not tell of a severity is put as fields.
fn put_severity(number: u64, text: String, put: &mut impl FnMut(&str, Field)) -> Option<LineLevel> {
    let named = LineLevel::named(&text);
    let (level, is_all) = match (LineLevel::of_otel(number), named) {
        // Two levels have the number of FATAL.
        (Some((LineLevel::Fatal, true)), Some(LineLevel::Emergency)) => (named, true),
        (Some((level, is_all)), _) => (Some(level), is_all),
        (None, level) => (level, number == 0),
    };
    if !is_all {
        put("severity_number", Field::U64(number));
    }
    if !text.is_empty() && (named.is_none() || named != level) {
        put("severity_text", Field::Text(text));
    }
    level
}

/// Returns whether an id says something: zeros stand for none.
fn has_id(digits: &str) -> bool {
    digits.bytes().any(|digit| digit != b'0')
}

/// The names that the library's schemas for OTLP write themselves.
const RESERVED: [&str; 11] = [
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
];

/// Adds an attribute. A user's field whose name was reserved has its name again.
fn put_attribute(fields: &mut Fields, name: String, value: Field) {
    if let Some(plain) = name.strip_prefix("fields.").filter(|name| RESERVED.contains(name)) {
        return fields.push((plain.to_owned(), value));
    }
    match &value {
        Field::Json(json) if name == "fields" => match Tree::of(json.as_bytes()) {
            Ok(tree) if tree.root().members().next().is_some() => {
                fields.extend(tree.root().members().map(|(name, value)| (name.into_owned(), Field::of_json(value))));
            }
            _ => fields.push((name, value)),
        },
        _ => fields.push((name, value)),
    }
}
