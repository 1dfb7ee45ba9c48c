//! OTLP's requests in JSON, and lines of the schema [`Otel`](spanline::schema::Otel).
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: 64-bit integers are strings or numbers, ids are
//! hex digits, enums are numbers, keys are in camel case, and `null` is as good as nothing. An unknown member of a record is a
//! field.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spanline::record::Timestamp;

use super::field::Field;
use super::incoming::Incoming;
use super::otlp::{LogRecord, MAX_DEPTH, Origin, Records};
use super::otlp_protobuf::put_text;
use super::refused::Refused;
use super::text::{Json, Tree};

/// Reads an `ExportLogsServiceRequest`.
///
/// # Errors
/// When it is anything else, too deep or too large. None of its records counts then.
pub(crate) fn otlp_json(body: &[u8], now: Timestamp) -> Result<Vec<Incoming>, Refused> {
    let tree = Tree::of(body)?;
    let mut records = Records::new(now);
    read_request(tree.root(), &mut records)?;
    Ok(records.all)
}

/// Reads a line of the schema: a whole request with one record, or a bare record. `None` for any other line.
pub(super) fn line(root: Json<'_>, now: Timestamp) -> Option<Incoming> {
    match &*root.members().next()?.0 {
        "resourceLogs" => {
            let mut records = Records::new(now);
            read_request(root, &mut records).ok()?;
            let mut all = records.all.into_iter();
            // Several records are no line: then it is kept as it is.
            all.next().filter(|_| all.next().is_none() && root.members().count() == 1)
        }
        "timeUnixNano" | "observedTimeUnixNano" => {
            let mut record = read_record(root, &mut Records::new(now)).ok()?;
            let (mut resource, mut scope) = (Origin::default(), Origin::default());
            record.fields.retain_mut(|(name, value)| match value {
                Field::Text(text) if name == "service.name" && !text.is_empty() => {
                    resource.name = Some(std::mem::take(text));
                    false
                }
                Field::Text(text) if name == "target" => {
                    scope.name = Some(std::mem::take(text));
                    false
                }
                _ => true,
            });
            Some(record.into_incoming(&resource, &scope, now))
        }
        _ => None,
    }
}

fn read_request(root: Json<'_>, records: &mut Records) -> Result<(), Refused> {
    for (key, value) in root.members() {
        if key == "resourceLogs" {
            items(value)?.try_for_each(|logs| read_resource_logs(logs, records))?;
        }
    }
    Ok(())
}

fn read_resource_logs(logs: Json<'_>, records: &mut Records) -> Result<(), Refused> {
    let mut resource = Origin::default();
    for (key, value) in present(logs)? {
        match &*key {
            "resource" => {
                for (key, value) in present(value)? {
                    match &*key {
                        "attributes" => {
                            for item in items(value)? {
                                let (name, value) = read_attribute(item)?;
                                resource.add_of_resource(name, value, records)?;
                            }
                        }
                        "droppedAttributesCount" if integer(value)? != 0 => {
                            let count = Field::U64(integer(value)?);
                            resource.add_of_resource(
                                "otel.resource.dropped_attributes_count".to_owned(),
                                count,
                                records,
                            )?;
                        }
                        _ => {}
                    }
                }
            }
            "schemaUrl" if !text(value)?.is_empty() => {
                let url = Field::Text(text(value)?.into_owned());
                resource.add_of_resource("otel.resource.schema_url".to_owned(), url, records)?;
            }
            _ => {}
        }
    }
    for (key, value) in present(logs)? {
        if key == "scopeLogs" {
            items(value)?.try_for_each(|logs| read_scope_logs(logs, &resource, records))?;
        }
    }
    Ok(())
}

fn read_scope_logs(logs: Json<'_>, resource: &Origin, records: &mut Records) -> Result<(), Refused> {
    let mut scope = Origin::default();
    for (key, value) in present(logs)? {
        match &*key {
            "scope" => read_scope(value, &mut scope, records)?,
            "schemaUrl" if !text(value)?.is_empty() => scope.add_of_scope("schema_url", &*text(value)?, records)?,
            _ => {}
        }
    }
    for (key, value) in present(logs)? {
        if key == "logRecords" {
            for record in items(value)? {
                let record = read_record(record, records)?;
                records.add(record, resource, &scope)?;
            }
        }
    }
    Ok(())
}

fn read_scope(json: Json<'_>, scope: &mut Origin, records: &mut Records) -> Result<(), Refused> {
    for (key, value) in present(json)? {
        match &*key {
            "name" => scope.name = Some(text(value)?.into_owned()),
            "version" if !text(value)?.is_empty() => scope.add_of_scope("version", &*text(value)?, records)?,
            "attributes" => {
                for item in items(value)? {
                    let (name, value) = read_attribute(item)?;
                    scope.add_of_scope(&name, value, records)?;
                }
            }
            "droppedAttributesCount" if integer(value)? != 0 => {
                scope.add_of_scope("dropped_attributes_count", Field::U64(integer(value)?), records)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_record(json: Json<'_>, records: &mut Records) -> Result<LogRecord, Refused> {
    let mut record = LogRecord::default();
    for (key, value) in present(json)? {
        match &*key {
            "timeUnixNano" => record.time = integer(value)?,
            "observedTimeUnixNano" => record.observed_time = integer(value)?,
            "severityNumber" => match severity(value) {
                Some(number) => record.severity = number,
                None => records.put(&mut record.fields, "severity_number".to_owned(), Field::of_json(value))?,
            },
            "severityText" => record.severity_text = text(value)?.into_owned(),
            "body" => record.body = Some(read_any(value)?),
            "attributes" => {
                for item in items(value)? {
                    let (name, value) = read_attribute(item)?;
                    records.put(&mut record.fields, name, value)?;
                }
            }
            "droppedAttributesCount" => record.dropped_attributes = integer(value)?,
            "flags" => record.flags = integer(value)?,
            "traceId" => record.trace_id = text(value)?.into_owned(),
            "spanId" => record.span_id = text(value)?.into_owned(),
            "eventName" => record.event_name = text(value)?.into_owned(),
            _ => records.put(&mut record.fields, key.into_owned(), Field::of_json(value))?,
        }
    }
    Ok(record)
}

/// Reads a severity: a number, or the name of the enum's value, which some senders write.
fn severity(value: Json<'_>) -> Option<u64> {
    let Some(name) = value.string() else { return value.text().parse().ok() };
    let name = name.strip_prefix("SEVERITY_NUMBER_")?;
    let (level, place) = match name.as_bytes().last()? {
        digit @ b'2'..=b'4' => (name.get(..name.len() - 1)?, u64::from(digit - b'1')),
        _ => (name, 0),
    };
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    match levels.iter().position(|other| *other == level) {
        Some(at) => Some(at as u64 * 4 + 1 + place),
        None => (name == "UNSPECIFIED").then_some(0),
    }
}

/// Returns the members of an object that have a value.
fn present<'t>(json: Json<'t>) -> Result<impl Iterator<Item = (Cow<'t, str>, Json<'t>)>, Refused> {
    match json.first() {
        b'{' | b'n' => Ok(json.members().filter(|(_, value)| value.first() != b'n')),
        _ => Err(Refused::NotOtlp),
    }
}

fn items<'t>(json: Json<'t>) -> Result<impl Iterator<Item = Json<'t>>, Refused> {
    match json.first() {
        b'[' | b'n' => Ok(json.items()),
        _ => Err(Refused::NotOtlp),
    }
}

fn text(json: Json<'_>) -> Result<Cow<'_, str>, Refused> {
    json.string().ok_or(Refused::NotOtlp)
}

/// Returns an integer, which may be a string.
fn integer(json: Json<'_>) -> Result<u64, Refused> {
    let text = json.string().unwrap_or(Cow::Borrowed(json.text()));
    text.parse().map_err(|_| Refused::NotOtlp)
}

/// Reads a `KeyValue`.
fn read_attribute(json: Json<'_>) -> Result<(String, Field), Refused> {
    let (key, value) = key_value(json)?;
    Ok((key.into_owned(), value.map_or_else(|| Ok(Field::Json("null".to_owned())), read_any)?))
}

/// Returns the key and the value of a `KeyValue`.
fn key_value<'t>(json: Json<'t>) -> Result<(Cow<'t, str>, Option<Json<'t>>), Refused> {
    let (mut name, mut any) = (Cow::Borrowed(""), None);
    for (key, value) in present(json)? {
        match &*key {
            "key" => name = text(value)?,
            "value" => any = Some(value),
            _ => {}
        }
    }
    Ok((name, any))
}

/// The variants of an `AnyValue`.
enum Any<'t> {
    Text(Cow<'t, str>),
    Bool(bool),
    Int(i64),
    Double(Json<'t>),
    Array(Json<'t>),
    List(Json<'t>),
    Bytes(Cow<'t, str>),
    Nothing,
}

fn any<'t>(json: Json<'t>) -> Result<Any<'t>, Refused> {
    let mut found = Any::Nothing;
    for (key, value) in present(json)? {
        found = match &*key {
            "stringValue" => Any::Text(text(value)?),
            "boolValue" => Any::Bool(value.first() == b't'),
            "intValue" => {
                let number = value.string().unwrap_or(Cow::Borrowed(value.text()));
                Any::Int(number.parse().map_err(|_| Refused::NotOtlp)?)
            }
            "doubleValue" => Any::Double(value),
            "arrayValue" => Any::Array(value),
            "kvlistValue" => Any::List(value),
            "bytesValue" => Any::Bytes(text(value)?),
            _ => continue,
        };
    }
    Ok(found)
}

/// Reads an `AnyValue`.
fn read_any(json: Json<'_>) -> Result<Field, Refused> {
    Ok(match any(json)? {
        Any::Text(text) => Field::Text(text.into_owned()),
        Any::Bool(on) => Field::Bool(on),
        Any::Int(number) => Field::I64(number),
        Any::Double(number) => Field::of_json(number),
        // Text in another alphabet stays text.
        Any::Bytes(text) => match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Field::Bytes(bytes),
            Err(_) => Field::Text(text.into_owned()),
        },
        Any::Array(_) | Any::List(_) | Any::Nothing => {
            let mut out = String::new();
            put_any(json, &mut out, MAX_DEPTH)?;
            Field::Json(out)
        }
    })
}

/// Appends an `AnyValue` as plain JSON.
fn put_any(json: Json<'_>, out: &mut String, depth: usize) -> Result<(), Refused> {
    let deeper = || depth.checked_sub(1).ok_or(Refused::TooDeep);
    match any(json)? {
        Any::Text(text) | Any::Bytes(text) => put_text(&text, out),
        Any::Bool(on) => out.push_str(if on { "true" } else { "false" }),
        Any::Int(number) => out.push_str(&number.to_string()),
        Any::Double(number) => out.push_str(number.text()),
        Any::Array(array) => {
            out.push('[');
            for (place, item) in values(array)?.enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                put_any(item, out, deeper()?)?;
            }
            out.push(']');
        }
        Any::List(list) => {
            out.push('{');
            for (place, item) in values(list)?.enumerate() {
                let (key, value) = key_value(item)?;
                out.push_str(if place == 0 { "" } else { "," });
                put_text(&key, out);
                out.push(':');
                match value {
                    Some(value) => put_any(value, out, deeper()?)?,
                    None => out.push_str("null"),
                }
            }
            out.push('}');
        }
        Any::Nothing => out.push_str("null"),
    }
    Ok(())
}

/// Returns the items of `values`.
fn values<'t>(json: Json<'t>) -> Result<impl Iterator<Item = Json<'t>>, Refused> {
    let mut all = None;
    for (key, value) in present(json)? {
        if key == "values" {
            all = Some(items(value)?);
        }
    }
    Ok(all.into_iter().flatten())
}
