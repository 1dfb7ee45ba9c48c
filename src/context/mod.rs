//! What spans pass on to the events inside them: ids, fields, and the spans around.
//!
//! A span is a [`Node`] with a link to its parent. Events hold a node by `Arc`, so nothing is copied. `Span::record` replaces
//! the node's latest version, stamped from one process-wide [`epoch()`]. A queued event is [`Bound`] to its node and to the
//! versions of that moment, those of the ancestors included. A queued line therefore never changes, and a version lives
//! exactly as long as a queued event that saw it. Each version has every field recorded so far, so an event needs at most
//! one per span.
//!
//! `layer` makes nodes and binds events; a schema reads them as a [`Context`]. This folder knows `values` only.

mod bound;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod context;
mod epoch;
mod granted;
mod hidden;
mod ids;
mod node;
#[cfg(feature = "opentelemetry")]
mod otel;
mod propagated;
mod recorded;
mod replacements;
mod request;
mod request_id;
mod span_ids;
mod span_moment;
mod span_view;
mod spare_nodes;
mod timing;
mod trace_decision;
mod trace_fields;
mod trace_ids;
mod traceparent;

pub use context::{Context, ContextKey};
pub use ids::{SpanId, TraceId};
pub use request_id::new_request_id;
pub use span_view::SpanView;

pub(crate) use bound::Bound;
pub(crate) use epoch::{epoch, hold_records};
#[cfg(feature = "tower")]
pub(crate) use granted::Grant;
#[cfg(test)]
pub(crate) use hidden::hidden_meta;
pub(crate) use hidden::{VARIABLES, is_hidden, open_hidden};
pub(crate) use ids::{IdSource, start_afresh};
pub(crate) use node::Node;
#[cfg(feature = "opentelemetry")]
pub(crate) use otel::OtelIds;
pub(crate) use propagated::PropagatedContext;
pub(crate) use replacements::FieldReplacements;
pub(crate) use request_id::read as read_request_id;
pub(crate) use span_moment::{SpanMoment, SpanMoments};
pub(crate) use spare_nodes::{keep, keep_for_all};
pub(crate) use timing::Timing;
pub(crate) use trace_decision::TraceDecision;
pub(crate) use trace_fields::named_trace;
pub(crate) use traceparent::{SAMPLED, TraceParent, read_state};
