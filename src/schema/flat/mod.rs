//! One JSON object a line, every key at the top level and there once: the default.
//!
//! Order: `timestamp level target message`, the event's own fields, `held_back backtrace`, what is switched on (`file` …), `service` and the
//! static fields, `request_id trace_id span_id parent_span_id`, the spans' fields from the inside out, `spans`
//! (outermost first), `fields`.
//!
//! There are two ways to a line. [`general`](mod@general) is the rule: it merges all fields and works out what goes
//! where, for any record. The fast way below gives the same bytes for the records nearly all are: no name is reserved or
//! there twice in the event or in a span. Then the head and the declared keys come prepared from the call site's
//! [`Plan`], and the context as one run of bytes that was rendered when it was first seen, without what the event
//! has itself.

mod addresses;
mod contexts;
mod fixed;
mod flat_schema;
mod general;
mod members;
mod options;
mod plan;
mod prepared;
mod shapes;
mod slots;

pub use flat_schema::Flat;
pub(super) use flat_schema::ROWS;
pub use options::SpanFields;
pub(crate) use slots::is_reserved;
