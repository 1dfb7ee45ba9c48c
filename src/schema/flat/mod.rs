//! One JSON object per line, every key once and at the top level: the default.
//!
//! Order: `timestamp level target message`, the event's own fields, `held_back backtrace`, what is switched on (`file`
//! …), `service` and the static fields, `request_id trace_id span_id parent_span_id`, the spans' fields from the
//! innermost outwards, `spans` (outermost first), `fields`.
//!
//! There are two ways to a line, with the same result. `general` is the rule: it resolves all fields and decides where
//! each goes, for any record. `prepared` is the fast way, for nearly all records: no name is reserved, or there twice
//! in the event or in a span. The head and the declared keys then come from the call site's `plan`, and the context is
//! one run of bytes that was rendered when it was first seen (`contexts`), without the fields that the event has
//! itself.

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
