//! The context beyond the spans of one thread: from and to other services, across tasks and threads, and with variables.
//!
//! Everything here is a span to tracing, so it is tracing that keeps it right over `.await`s, and the layer that hands
//! it down. [`TraceContext`] is what comes from and goes to other services; [`with`] adds fields for everything below;
//! [`Scope`] takes span and subscriber along.

#[cfg(feature = "opentelemetry")]
mod otel;
mod scope;
#[cfg(feature = "tokio")]
pub mod task;
mod trace_context;
mod variables;

pub use crate::context::new_request_id;
pub use scope::{InScope, Scope, carry};
pub use trace_context::{TraceContext, context};
pub use variables::{Variables, with};

#[cfg(feature = "opentelemetry")]
pub(crate) use otel::adopt;
#[cfg(feature = "tower")]
pub(crate) use trace_context::Incoming;

use tracing::Span;
use tracing::span::EnteredSpan;

/// Ends what was entered when it is dropped, on the thread where it was entered.
#[derive(Debug)]
#[must_use = "it ends at once when it is not kept"]
pub struct Entered {
    _span: EnteredSpan,
}

impl Entered {
    fn new(span: Span) -> Self {
        Self { _span: span.entered() }
    }
}
