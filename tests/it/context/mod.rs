//! Context: ids, inherited fields, HTTP, and lines held back.

pub(crate) mod close_lines;
pub(crate) mod field_values;
pub(crate) mod held_back;
#[cfg(feature = "axum")]
pub(crate) mod http;
pub(crate) mod ids_and_fields;
pub(crate) mod inherit;
#[cfg(feature = "opentelemetry")]
pub(crate) mod otel;
pub(crate) mod record;
