//! The layer: tracing's callbacks become records. All of it runs on the logging thread.
//!
//! For an event, the layer
//!
//! 1. looks up which outputs want it, in a cache by call site (`call_site`, `classify`),
//! 2. captures its fields into a buffer of the thread (`core`, `secrets`),
//! 3. finds the node of its span (`span_cache`, `nodes`),
//! 4. reads the clock, and submits the line to the outputs (`outputs`).
//!
//! User code (`Debug`, `Display`) runs during the capture only, when no lock and no thread-local borrow is held. Call sites
//! that need more take the slow path: repeats are limited (`limit`), backtraces are added, lines are held back or
//! released (`hold_back`). `early` keeps events that come before the log.

mod announce;
mod call_site;
mod classify;
mod close;
mod core;
mod current;
mod diagnostics;
mod early;
mod find_node;
mod foreign_filter;
mod hold_back;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod layer;
mod limit;
#[cfg(feature = "log")]
mod log_values;
mod nodes;
#[cfg(feature = "opentelemetry")]
mod otel;
#[cfg(feature = "opentelemetry")]
mod otel_ids;
mod panics;
mod relay;
mod secrets;
mod services;
mod slow_path;
mod span_cache;
mod span_ext;
mod span_lines;
mod this_thread;

pub use layer::Layer;
pub use span_ext::SpanExt;

pub(crate) use self::core::Core;
pub(crate) use current::with_current;
pub(crate) use diagnostics::Diagnostics;
pub(crate) use early::EarlyLayer;
#[cfg(feature = "tower")]
pub(crate) use find_node::grant;
#[cfg(feature = "tower")]
pub(crate) use foreign_filter::complain_of_hidden_request;
pub(crate) use foreign_filter::open_context;
#[cfg(feature = "log")]
pub(crate) use log_values::with_log_values;
pub(crate) use nodes::HostRegistry;
#[cfg(feature = "opentelemetry")]
pub(crate) use otel::Otel;
#[cfg(feature = "tower")]
pub(crate) use panics::panics_logged;
pub(crate) use panics::{is_looking, listen, log_panic};
pub(crate) use services::Services;
#[cfg(feature = "tower")]
pub(crate) use span_ext::set_request_variable;
pub(crate) use span_lines::SpanLines;
