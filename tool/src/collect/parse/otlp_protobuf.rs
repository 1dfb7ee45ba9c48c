//! OTLP's requests in protobuf.
//!
//! Source: `opentelemetry/proto/collector/logs/v1/logs_service.proto`, `logs.proto`, `common.proto` and `resource.proto` in
//! <https://github.com/open-telemetry/opentelemetry-proto>, version 1.7. Unknown fields are ignored, as protobuf has it. The
//! tests make requests with the types generated from these files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spanline::record::Timestamp;

use super::field::{Field, float};
use super::incoming::Incoming;
use super::otlp::{Fields, LogRecord, MAX_DEPTH, Origin, Records};
use super::refused::Refused;
use super::wire::{Message, Wire};

/// Reads an `ExportLogsServiceRequest`.
///
/// # Errors
/// When it is anything else, too deep or too large. None of its records counts then.
pub(crate) fn otlp_protobuf(body: &[u8], now: Timestamp) -> Result<Vec<Incoming>, Refused> {
    let mut records = Records::new(now);
    for field in Message(body) {
        if let (1, value) = field? {
            read_resource_logs(value.bytes()?, &mut records)?;
        }
    }
    Ok(records.all)
}

fn read_resource_logs(message: &[u8], records: &mut Records) -> Result<(), Refused> {
    let mut resource = Origin::default();
    let mut schema = "";
    // Members may come in any order.
    for field in Message(message) {
        match field? {
            (1, value) => read_resource(value.bytes()?, &mut resource, records)?,
            (3, value) => schema = value.text()?,
            _ => {}
        }
    }
    if !schema.is_empty() {
        resource.add_of_resource("otel.resource.schema_url".to_owned(), schema.into(), records)?;
    }
    for field in Message(message) {
        if let (2, value) = field? {
            read_scope_logs(value.bytes()?, &resource, records)?;
        }
    }
    Ok(())
}

fn read_resource(message: &[u8], resource: &mut Origin, records: &mut Records) -> Result<(), Refused> {
    for field in Message(message) {
        match field? {
            (1, value) => {
                let (name, value) = read_attribute(value.bytes()?)?;
                resource.add_of_resource(name, value, records)?;
            }
            (2, value) if value.varint()? != 0 => {
                let count = Field::U64(value.varint()?);
                resource.add_of_resource("otel.resource.dropped_attributes_count".to_owned(), count, records)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_scope_logs(message: &[u8], resource: &Origin, records: &mut Records) -> Result<(), Refused> {
    let mut scope = Origin::default();
    let mut schema = "";
    for field in Message(message) {
        match field? {
            (1, value) => read_scope(value.bytes()?, &mut scope, records)?,
            (3, value) => schema = value.text()?,
            _ => {}
        }
    }
    if !schema.is_empty() {
        scope.add_of_scope("schema_url", schema, records)?;
    }
    for field in Message(message) {
        if let (2, value) = field? {
            let record = read_record(value.bytes()?, records)?;
            records.add(record, resource, &scope)?;
        }
    }
    Ok(())
}

fn read_scope(message: &[u8], scope: &mut Origin, records: &mut Records) -> Result<(), Refused> {
    for field in Message(message) {
        match field? {
            (1, value) => scope.name = Some(value.text()?.to_owned()),
            (2, value) if !value.text()?.is_empty() => scope.add_of_scope("version", value.text()?, records)?,
            (3, value) => {
                let (name, value) = read_attribute(value.bytes()?)?;
                scope.add_of_scope(&name, value, records)?;
            }
            (4, value) if value.varint()? != 0 => {
                scope.add_of_scope("dropped_attributes_count", Field::U64(value.varint()?), records)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_record(message: &[u8], records: &mut Records) -> Result<LogRecord, Refused> {
    let mut record = LogRecord { fields: Fields::with_capacity(8), ..LogRecord::default() };
    for field in Message(message) {
        match field? {
            (1, value) => record.time = value.fixed64()?,
            (2, value) => record.severity = value.varint()?,
            (3, value) => record.severity_text = value.text()?.to_owned(),
            (5, value) => record.body = Some(read_any(value.bytes()?)?),
            (6, value) => {
                let (name, value) = read_attribute(value.bytes()?)?;
                records.put(&mut record.fields, name, value)?;
            }
            (7, value) => record.dropped_attributes = value.varint()?,
            (8, value) => record.flags = value.fixed32()?.into(),
            (9, value) => record.trace_id = hex(value.bytes()?),
            (10, value) => record.span_id = hex(value.bytes()?),
            (11, value) => record.observed_time = value.fixed64()?,
            (12, value) => record.event_name = value.text()?.to_owned(),
            _ => {}
        }
    }
    Ok(record)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// Reads a `KeyValue`.
fn read_attribute(message: &[u8]) -> Result<(String, Field), Refused> {
    let (key, value) = key_value(message)?;
    Ok((key.to_owned(), read_any(value)?))
}

/// Returns the key and the value of a `KeyValue`. The value is empty if there is none.
fn key_value(message: &[u8]) -> Result<(&str, &[u8]), Refused> {
    let (mut key, mut any): (&str, &[u8]) = ("", &[]);
    for field in Message(message) {
        match field? {
            (1, value) => key = value.text()?,
            (2, value) => any = value.bytes()?,
            _ => {}
        }
    }
    Ok((key, any))
}

/// Reads an `AnyValue`.
fn read_any(message: &[u8]) -> Result<Field, Refused> {
    Ok(match any(message)? {
        Some((1, value)) => value.text()?.into(),
        Some((2, value)) => Field::Bool(value.varint()? != 0),
        Some((3, value)) => Field::I64(value.varint()?.cast_signed()),
        Some((4, value)) => Field::F64(f64::from_bits(value.fixed64()?)),
        Some((7, value)) => Field::Bytes(value.bytes()?.to_owned()),
        _ => {
            let mut json = String::new();
            put_any(message, &mut json, MAX_DEPTH)?;
            Field::Json(json)
        }
    })
}

/// Returns the variant of an `AnyValue`; the last one, should there be several.
fn any(message: &[u8]) -> Result<Option<(u64, Wire<'_>)>, Refused> {
    let mut found = None;
    for field in Message(message) {
        found = Some(field?).filter(|(number, _)| (1..=7).contains(number)).or(found);
    }
    Ok(found)
}

/// Appends an `AnyValue` as JSON.
fn put_any(message: &[u8], json: &mut String, depth: usize) -> Result<(), Refused> {
    let deeper = || depth.checked_sub(1).ok_or(Refused::TooDeep);
    match any(message)? {
        Some((1, value)) => put_text(value.text()?, json),
        Some((2, value)) => json.push_str(if value.varint()? == 0 { "false" } else { "true" }),
        Some((3, value)) => json.push_str(&value.varint()?.cast_signed().to_string()),
        Some((4, value)) => match f64::from_bits(value.fixed64()?) {
            number if number.is_finite() => json.push_str(&float(number)),
            number if number.is_nan() => json.push_str("\"NaN\""),
            number => json.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
        },
        Some((7, value)) => put_text(&STANDARD.encode(value.bytes()?), json),
        Some((5, value)) => {
            let mut before = '[';
            for item in Message(value.bytes()?) {
                if let (1, item) = item? {
                    json.push(std::mem::replace(&mut before, ','));
                    put_any(item.bytes()?, json, deeper()?)?;
                }
            }
            json.push_str(if before == '[' { "[]" } else { "]" });
        }
        Some((6, value)) => {
            let mut before = '{';
            for item in Message(value.bytes()?) {
                if let (1, item) = item? {
                    let (key, value) = key_value(item.bytes()?)?;
                    json.push(std::mem::replace(&mut before, ','));
                    put_text(key, json);
                    json.push(':');
                    put_any(value, json, deeper()?)?;
                }
            }
            json.push_str(if before == '{' { "{}" } else { "}" });
        }
        _ => json.push_str("null"),
    }
    Ok(())
}

/// Appends a text as JSON.
pub(super) fn put_text(text: &str, json: &mut String) {
    // Writing a text cannot fail.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}
