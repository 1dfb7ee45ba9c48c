//! OpenTelemetry's log records in protobuf, for the sink [`Otlp`](crate::sink::Otlp).
//!
//! The lines have the content of [`Otel`](super::Otel), with one difference: a field whose name is taken is the attribute
//! `fields.<name>`. A line is binary: the lengths and bytes of a `LogRecord`, of its scope and of its resource. The sink puts
//! records of the same scope and resource together.
//!
//! The engine writes the fields of a record one after the other. An attribute is a message, and its length comes before it,
//! so the engine leaves it out and [`put_message`] adds it.
//! Source: `opentelemetry/proto/logs/v1/logs.proto` and `common.proto` in
//! <https://github.com/open-telemetry/opentelemetry-proto>, version 1.7.

use std::borrow::Cow;

use super::Schema;
use super::edit::Edits;
use super::engine::{Engine, Group, Layout, Parts, Place, Spelling, Stage, Syntax, TOP, UNDER, marks};
use super::json::{self, Form, Json, Tree};
use super::object::is_reserved;
use super::otel::{KEYS, MAX_DEPTH, attribute_name, each_of_resource, event_name, resource_name};
use super::protobuf::{put_bytes, put_varint, take, take_bytes, take_varint, varint_bytes};
use super::resolved_fields::Origin;
use crate::record::{Record, Value};

/// Field numbers with their wire types.
mod tag {
    pub(super) const TIME: u8 = 0x09;
    pub(super) const SEVERITY: u8 = 0x10;
    pub(super) const SEVERITY_TEXT: u8 = 0x1a;
    pub(super) const ATTRIBUTE: u8 = 0x32;
    pub(super) const FLAGS: u8 = 0x45;
    pub(super) const TRACE_ID: u8 = 0x4a;
    pub(super) const SPAN_ID: u8 = 0x52;
    pub(super) const OBSERVED_TIME: u8 = 0x59;
    pub(super) const EVENT_NAME: u8 = 0x62;
    /// No fields of a record: its scope and its resource follow it.
    pub(super) const SCOPE: u8 = 0x6a;
    pub(super) const RESOURCE: u8 = 0x72;
    /// In a `KeyValue`, and in other messages.
    pub(super) const KEY: u8 = 0x0a;
    pub(super) const VALUE: u8 = 0x12;
    pub(super) const ITEM: u8 = 0x0a;
    /// In an `AnyValue`.
    pub(super) const STRING: u8 = 0x0a;
    pub(super) const BOOL: u8 = 0x10;
    pub(super) const INT: u8 = 0x18;
    pub(super) const DOUBLE: u8 = 0x21;
    pub(super) const ARRAY: u8 = 0x2a;
    pub(super) const LIST: u8 = 0x32;
    pub(super) const BYTES: u8 = 0x3a;
}

/// An attribute: its tag and its key, then its value. Its length is missing.
const ATTRIBUTES: Syntax = Syntax {
    before: Cow::Borrowed("\x32\x0a"),
    name: |name, out| put_bytes(out, name.as_bytes()),
    between: Cow::Borrowed("\x12"),
    form: ANY,
};

/// An `AnyValue` behind its length.
const ANY: Form = Form::Own(|value, out| put_any(out, value));

/// The body's tag.
const BODY: &str = "\x2a";

/// The group of the static fields, which are in the resource.
const RESOURCE: Group = 2;

/// Renders log records in protobuf.
#[derive(Debug, Default)]
pub(crate) struct OtelProtobuf {
    engine: Engine,
    fields: Vec<u8>,
}

/// The parts of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OtelLine<'l> {
    pub(crate) record: &'l [u8],
    pub(crate) scope: &'l [u8],
    pub(crate) resource: &'l [u8],
}

impl<'l> OtelLine<'l> {
    /// Splits a line. What follows the parts, such as a newline, does not count. `None` for a line of another schema.
    pub(crate) fn split(mut line: &'l [u8]) -> Option<Self> {
        let mut part = || take_bytes(&mut line);
        let line = Self { record: part()?, scope: part()?, resource: part()? };
        (line.record.first() == Some(&tag::TIME)).then_some(line)
    }
}

impl OtelProtobuf {
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

/// Describes the lines. `record`: any record, which has what the builder was told.
fn layout(record: &Record<'_>) -> Layout {
    let is_mark = marks(record);
    let place = move |name: &str, origin| match origin {
        Origin::Static => Place::Hidden,
        // It has a member, so the static one stays beside it.
        _ if name == "request_id" => Place::Hidden,
        _ if is_reserved(name, KEYS) || name == "held_back" && is_mark(name) => Place::Group(UNDER),
        _ => Place::Group(TOP),
    };
    let holds_back = record.statics.holds_back;
    Layout::new("", place)
        .tail(None)
        .end(b"")
        .spelling(TOP, Spelling::by(ATTRIBUTES, attribute_name))
        .spelling(UNDER, Spelling::prefixed(ATTRIBUTES, "fields."))
        .spelling(RESOURCE, Spelling::by(ATTRIBUTES, resource_name))
        .members(Stage::CallSite, |parts, out| {
            out.push(tag::SEVERITY);
            put_varint(out, parts.level.otel());
            out.push(tag::SEVERITY_TEXT);
            put_bytes(out, parts.level.upper().as_bytes());
            true
        })
        .syntax(Syntax::unnamed(BODY, ANY))
        .message("", ANY)
        .members(Stage::CallSite, |parts, out| {
            event_name(parts).is_some_and(|name| put_field(out, tag::EVENT_NAME, name.as_bytes()))
        })
        .syntax(ATTRIBUTES)
        .request("request_id", ATTRIBUTES.form)
        .error_texts("exception.message", "exception.type", "exception.stacktrace")
        .request_attributes()
        .file("code.file.path")
        .line("code.line.number")
        .span_names("spans")
        .truncation()
        .fields(TOP)
        .when(holds_back, Layout::held_back)
        .inserts()
        .fields(UNDER)
        .members(Stage::Context, |parts, out| parts.trace.is_some_and(|id| put_field(out, tag::TRACE_ID, &id.bytes())))
        .members(Stage::Context, |parts, out| parts.span.is_some_and(|id| put_field(out, tag::SPAN_ID, &id.bytes())))
        .members(Stage::Context, |parts, out| {
            let sampled = parts.record.context().and_then(|context| context.is_sampled());
            sampled.filter(|_| parts.trace.is_some()).is_some_and(|sampled| {
                out.push(tag::FLAGS);
                out.extend_from_slice(&u32::from(sampled).to_le_bytes());
                true
            })
        })
        .members(Stage::CallSite, |parts, out| {
            let mut scope = Vec::new();
            put_field(&mut scope, tag::KEY, parts.record.target().as_bytes());
            put_field(out, tag::SCOPE, &scope)
        })
        .members(Stage::Service, put_resource)
}

impl Schema for OtelProtobuf {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let nanos = record.timestamp().as_nanos().max(0).to_le_bytes();
        let fields = &mut self.fields;
        fields.clear();
        for tag in [tag::TIME, tag::OBSERVED_TIME] {
            fields.push(tag);
            fields.extend_from_slice(&nanos);
        }
        self.engine.render(record, fields, || layout(record));
        let start = out.len();
        if put_line(fields, out).is_none() {
            out.truncate(start);
        }
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(&edits.clone().give(attribute_name));
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }
}

/// Appends a line whose fields are `fields`: record, scope and resource, each behind its length.
fn put_line(mut fields: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut scope, mut resource): (&[u8], &[u8]) = (&[], &[]);
    // The record is nearly always shorter than 16 KiB, so its length has two bytes.
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    while let Some((tag, rest)) = fields.split_first() {
        let field = fields;
        fields = rest;
        match *tag {
            tag::ATTRIBUTE => put_message(&mut fields, out)?,
            tag::SCOPE => scope = take_bytes(&mut fields)?,
            tag::RESOURCE => resource = take_bytes(&mut fields)?,
            tag::TIME | tag::OBSERVED_TIME => take(&mut fields, 8).map(drop)?,
            tag::FLAGS => take(&mut fields, 4).map(drop)?,
            tag::SEVERITY => take_varint(&mut fields).map(drop)?,
            _ => take_bytes(&mut fields).map(drop)?,
        }
        if !matches!(*tag, tag::ATTRIBUTE | tag::SCOPE | tag::RESOURCE) {
            out.extend_from_slice(field.get(..field.len() - fields.len())?);
        }
    }
    let length = out.len() - start - 2;
    let mut prefix = Vec::with_capacity(8);
    put_varint(&mut prefix, length as u64);
    out.splice(start..start + 2, prefix);
    put_bytes(out, scope);
    put_bytes(out, resource);
    Some(())
}

/// Appends an attribute with its length, which the engine has left out.
fn put_message(fields: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
    let whole = *fields;
    for _ in [tag::KEY, tag::VALUE] {
        take(fields, 1)?;
        take_bytes(fields)?;
    }
    put_field(out, tag::ATTRIBUTE, whole.get(..whole.len() - fields.len())?);
    Some(())
}

/// Appends the resource: the service and the static fields; returns true.
fn put_resource(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    let mut message = Vec::new();
    each_of_resource(parts, |name, value| put_attribute(&mut message, tag::ITEM, name, |out| put_any(out, value)));
    put_field(out, tag::RESOURCE, &message)
}

/// Appends a `KeyValue`. `put` appends its value with the value's length.
fn put_attribute(out: &mut Vec<u8>, tag: u8, name: &str, put: impl FnOnce(&mut Vec<u8>)) {
    let mut message = Vec::new();
    put_field(&mut message, tag::KEY, name.as_bytes());
    message.push(tag::VALUE);
    put(&mut message);
    put_field(out, tag, &message);
}

/// Appends an `AnyValue` behind its length.
fn put_any(out: &mut Vec<u8>, value: &Value<'_>) {
    let integer = match *value {
        Value::I64(number) => Some(number),
        Value::U64(number) => i64::try_from(number).ok(),
        Value::I128(number) => i64::try_from(number).ok(),
        Value::U128(number) => i64::try_from(number).ok(),
        _ => None,
    };
    if let Some(number) = integer {
        return put_int(out, number);
    }
    match *value {
        Value::F64(number) if number.is_finite() => {
            out.extend_from_slice(&[9, tag::DOUBLE]);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Bool(on) => out.extend_from_slice(&[2, tag::BOOL, u8::from(on)]),
        Value::Bytes(bytes) => put_tagged(out, tag::BYTES, bytes),
        Value::Json(text) => match Tree::of(text).and_then(|tree| any_of_json(tree.root(), MAX_DEPTH)) {
            Some(any) => put_bytes(out, &any),
            None => put_tagged(out, tag::STRING, text.as_bytes()),
        },
        _ => put_tagged(out, tag::STRING, json::text_of(value).as_bytes()),
    }
}

fn put_int(out: &mut Vec<u8>, number: i64) {
    let number = number.cast_unsigned();
    put_varint(out, 1 + varint_bytes(number) as u64);
    out.push(tag::INT);
    put_varint(out, number);
}

/// Appends an `AnyValue` of a text or bytes behind its length.
fn put_tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let length = bytes.len() as u64;
    put_varint(out, 1 + varint_bytes(length) as u64 + length);
    put_field(out, tag, bytes);
}

/// Returns nested JSON as an `AnyValue`; `None` when it is too deep or has half of a surrogate pair.
fn any_of_json(json: Json<'_>, depth: usize) -> Option<Vec<u8>> {
    let (mut any, mut items) = (Vec::new(), Vec::new());
    match json.first() {
        b'{' => {
            for (key, value) in json.members().filter(|_| depth > 0)?.last_of_equal() {
                let value = any_of_json(value, depth - 1)?;
                put_attribute(&mut items, tag::ITEM, key, |out| put_bytes(out, &value));
            }
            put_field(&mut any, tag::LIST, &items);
        }
        b'[' => {
            for item in json.items() {
                let item = any_of_json(item, depth.checked_sub(1)?)?;
                put_field(&mut items, tag::ITEM, &item);
            }
            put_field(&mut any, tag::ARRAY, &items);
        }
        b'"' => {
            put_field(&mut any, tag::STRING, json.string()?.as_bytes());
        }
        b'n' => {}
        first @ (b't' | b'f') => any.extend_from_slice(&[tag::BOOL, u8::from(first == b't')]),
        _ => match (json.text().parse::<i64>(), json.text().parse::<f64>()) {
            (Ok(number), _) => {
                any.push(tag::INT);
                put_varint(&mut any, number.cast_unsigned());
            }
            (_, Ok(number)) if number.is_finite() && json.text().contains(['.', 'e', 'E']) => {
                any.push(tag::DOUBLE);
                any.extend_from_slice(&number.to_le_bytes());
            }
            _ => {
                put_field(&mut any, tag::STRING, json.text().as_bytes());
            }
        },
    }
    Some(any)
}

/// Appends a field of bytes, text or a message; returns true.
fn put_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) -> bool {
    out.push(tag);
    put_bytes(out, bytes);
    true
}
