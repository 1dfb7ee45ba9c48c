//! A record that another program made, with its own time, service and ids.

use tracing::Level;

use super::own::DEFAULT_TARGET;
use crate::context::{SpanId, TraceId};
use crate::values::{FieldValue, Timestamp};

/// A record that another program made, for [`Handle::relay`](crate::Handle::relay).
///
/// It borrows its texts. The order of the fields is kept.
#[derive(Debug)]
#[must_use = "a record is in the log only after `Handle::relay`"]
pub struct Relayed<'a> {
    pub(crate) level: Level,
    pub(crate) time: Timestamp,
    pub(crate) target: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    pub(crate) trace: Option<TraceId>,
    pub(crate) span: Option<SpanId>,
    pub(crate) fields: Vec<(&'a str, FieldValue<'a>)>,
}

impl<'a> Relayed<'a> {
    /// Creates a record of a level and a time, with the target `relayed`.
    ///
    /// The time may be any. A [`RollingFile`](crate::RollingFile) rotates by when the record arrives.
    pub fn new(level: Level, time: Timestamp) -> Self {
        let (target, fields) = (DEFAULT_TARGET, Vec::new());
        Self { level, time, target, service: None, message: None, trace: None, span: None, fields }
    }

    /// Sets the target. Filters judge the record by it and by the level.
    pub fn target(mut self, target: &'a str) -> Self {
        self.target = target;
        self
    }

    /// Sets the service that the record comes from, in place of the log's own.
    pub fn service(mut self, service: &'a str) -> Self {
        self.service = Some(service);
        self
    }

    /// Sets the text.
    pub fn message(mut self, message: &'a str) -> Self {
        self.message = Some(message);
        self
    }

    /// Sets the id of the trace.
    pub fn trace_id(mut self, id: TraceId) -> Self {
        self.trace = Some(id);
        self
    }

    /// Sets the id of the span in which the other program made the record.
    pub fn span_id(mut self, id: SpanId) -> Self {
        self.span = Some(id);
        self
    }

    /// Adds a field, as an event has it: `request_id`, for example. An absent value adds none.
    ///
    /// A name that begins with `log.` and the name `message` get the prefix `kv.`, like key-values of the `log` crate.
    pub fn field(mut self, name: &'a str, value: impl Into<FieldValue<'a>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}
