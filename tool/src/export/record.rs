//! A line as a record for the library's outputs.

use spanline::record::{FieldValue, Relayed, SpanId, Timestamp, TraceId, Value};
use spanline::{Error, Handle};
use tracing::Level;

use crate::entry::{Entry, Part};
use crate::loggers::LineLevel;

/// Relays a line.
///
/// `service`: its name as it is counted; empty without one.
///
/// # Errors
/// An output did not take it.
pub(super) fn relay(entry: &Entry<'_>, service: &str, handle: &Handle) -> Result<(), Error> {
    let view = entry.view();
    let time = view.time.map_or_else(Timestamp::now, Timestamp::from_nanos);
    let mut record = Relayed::new(view.level.map_or(Level::INFO, LineLevel::tracing), time);
    if !service.is_empty() {
        record = record.service(service);
    }
    if let Some(target) = view.text(Part::Target) {
        record = record.target(target);
    }
    if let Some(message) = view.text(Part::Message) {
        record = record.message(message);
    }
    match view.text(Part::Trace).map(|text| (TraceId::parse(text), text)) {
        Some((Some(id), _)) => record = record.trace_id(id),
        Some((None, text)) => record = record.field(Part::Trace.name(), text),
        None => {}
    }
    if let Some(request) = view.text(Part::Request) {
        record = record.field(Part::Request.name(), request);
    }
    match view.level {
        // The schemas show it in place of the nearest level of `tracing`.
        Some(level) => {
            if let Some(name) = level.name() {
                record = record.field("level_name", name);
            }
        }
        None => record = record.field("without_level", true),
    }
    let fields: Vec<(String, Shown)> = entry
        .fields(&view)
        .into_iter()
        .map(|field| {
            // In a row, these are what the line was counted as.
            let is_taken = matches!(&*field.name, "level_name" | "service" | "without_level");
            let name = if is_taken { format!("fields.{}", field.name) } else { field.name.into_owned() };
            (name, Shown::of(field.value))
        })
        .collect();
    for (name, value) in &fields {
        match value {
            Shown::Text(text) if name == "span_id" && SpanId::parse(text).is_some() => {
                record = SpanId::parse(text).into_iter().fold(record, Relayed::span_id);
            }
            value => record = record.field(name, value.value()),
        }
    }
    handle.relay(&record)
}

/// A value of a field.
enum Shown {
    Text(String),
    Json(String),
}

impl Shown {
    fn of(value: crate::entry::Value<'_>) -> Self {
        if let Some(text) = value.text() {
            return Self::Text(text.into_owned());
        }
        let mut json = String::new();
        value.put_json(&mut json);
        // A line is read without looking into its values.
        match serde_json::from_str::<serde_json::Value>(&json) {
            Ok(_) => Self::Json(json),
            Err(_) => Self::Text(json),
        }
    }

    fn value(&self) -> FieldValue<'_> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Json(json) => Value::Json(json).into(),
        }
    }
}
