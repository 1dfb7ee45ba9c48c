//! A record as a sender gave it.

use spanline::Handle;
use spanline::record::{Relayed, SpanId, Timestamp, TraceId};
use tracing::Level;

use super::field::Field;
use crate::loggers::LineLevel;

/// A record as a sender gave it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incoming {
    /// When the event happened; `now` if the sender does not say.
    pub(crate) time: Timestamp,
    pub(crate) level: Level,
    /// The logger; empty if the sender does not say.
    pub(crate) target: String,
    pub(crate) message: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    /// All else, in its order. A name may occur again.
    pub(crate) fields: Vec<(String, Field)>,
}

impl Incoming {
    /// Queues the record in the log's outputs.
    ///
    /// # Errors
    /// When an output did not take it.
    pub(crate) fn relay(&self, handle: &Handle) -> Result<(), spanline::Error> {
        let mut record = Relayed::new(self.level, self.time);
        if !self.target.is_empty() {
            record = record.target(&self.target);
        }
        if let Some(service) = &self.service {
            record = record.service(service);
        }
        if let Some(message) = &self.message {
            record = record.message(message);
        }
        if let Some(id) = self.trace_id {
            record = record.trace_id(id);
        }
        if let Some(id) = self.span_id {
            record = record.span_id(id);
        }
        handle.relay(&self.fields.iter().fold(record, |record, (name, value)| record.field(name, value.value())))
    }

    /// Creates a record without content.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            time: now,
            level: Level::INFO,
            target: String::new(),
            message: None,
            service: None,
            trace_id: None,
            span_id: None,
            fields: Vec::new(),
        }
    }

    /// Adds a field.
    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<Field>) {
        self.fields.push((name.into(), value.into()));
    }

    /// Returns how much memory the record takes. That of a line with many short fields is a multiple of the line's size.
    pub(crate) fn memory_bytes(&self) -> usize {
        let texts = [Some(&self.target), self.message.as_ref(), self.service.as_ref()];
        let texts: usize = texts.into_iter().flatten().map(String::capacity).sum();
        let fields: usize = self.fields.iter().map(|(name, value)| name.capacity() + value.memory_bytes()).sum();
        size_of::<Self>() + texts + fields + self.fields.capacity() * size_of::<(String, Field)>()
    }

    /// Sets the level. A level that `tracing` lacks also becomes the field `level_name`, which the library's schemas show.
    pub(super) fn set_level(&mut self, level: LineLevel) {
        self.level = level.tracing();
        let Some(name) = level.name() else { return };
        let is_it = |(other, value): &(String, Field)| match value {
            Field::Text(text) => other == LEVEL_NAME && text.eq_ignore_ascii_case(name),
            _ => false,
        };
        if !self.fields.iter().any(is_it) {
            self.push(LEVEL_NAME, name);
        }
    }
}

/// The field that names the level of a line.
const LEVEL_NAME: &str = "level_name";
