//! What [`with`](super::with) and entered contexts have set around a request that begins.

use smallvec::SmallVec;

use super::trace_context::TraceContext;
use crate::layer::with_current;
use crate::record::{REQUESTS, Value};
use crate::values::UndeclaredFields;

/// What variables and entered contexts have set around a request that begins.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// The variables, outermost first.
    pub(crate) variables: UndeclaredFields,
    /// The ids that a request without ids continues.
    pub(crate) context: TraceContext,
}

impl Outside {
    /// Reads what is set on this thread, up to the nearest request. Spans around the request are not part of it.
    pub(crate) fn current() -> Self {
        let mut outside = Self::default();
        with_current(|context| {
            let within = context.spans().take_while(|span| span.target() != REQUESTS);
            let hidden: SmallVec<[_; 4]> = within.filter(|span| span.is_hidden()).collect();
            for (name, value) in hidden.iter().rev().flat_map(|span| span.all_fields()) {
                outside.add(name, &value);
            }
        });
        outside
    }

    fn add(&mut self, name: &str, value: &Value<'_>) {
        match (name, value.to_text()) {
            ("request_id", Some(id)) => self.context = self.context.clone().with_any_request_id(&id),
            ("traceparent", Some(text)) => self.context = self.context.clone().in_trace_of(&text),
            ("trace_id", Some(text)) => self.context = self.context.clone().in_trace(&text),
            // Without its `traceparent` it is ignored.
            ("tracestate", Some(text)) => {
                self.context = self.context.clone().with_tracestate(&text).unwrap_or_else(|_| self.context.clone());
            }
            _ => self.variables.put(name, value),
        }
    }
}
