//! Context beyond the spans of one thread: across services, tasks and threads, and with variables.
//!
//! [`TraceContext`] comes from other services and goes to them. [`with`] adds fields to everything below. [`Scope`] takes the
//! current span and subscriber to another task or thread. All of these are spans to tracing, which keeps them in place
//! over `.await`s; the layer passes their fields on.

mod baggage;
mod entered;
mod formats;
mod incoming;
#[cfg(feature = "opentelemetry")]
mod otel;
#[cfg(feature = "tower")]
mod outside;
mod scope;
#[cfg(feature = "tokio")]
pub mod task;
mod trace_context;
mod variables;

pub use crate::context::new_request_id;
pub use baggage::{from_baggage, to_baggage};
pub use entered::Entered;
pub use formats::Format;
pub use scope::{InScope, Scope, carry};
pub use trace_context::{TraceContext, context};
pub use variables::{Variables, with};

#[cfg(feature = "tower")]
pub(crate) use incoming::Incoming;
#[cfg(feature = "tower")]
pub(crate) use outside::Outside;
