//! Context: ids, inherited fields, variables, HTTP, and the flight recorder.

pub(crate) mod baggage;
pub(crate) mod close_lines;
pub(crate) mod deep_spans;
pub(crate) mod field_values;
pub(crate) mod flight_recorder;
pub(crate) mod flight_recorder_limits;
#[cfg(feature = "axum")]
pub(crate) mod http_client;
#[cfg(all(feature = "axum", feature = "log"))]
pub(crate) mod http_detail;
#[cfg(all(feature = "axum", unix))]
pub(crate) mod http_detail_load;
#[cfg(feature = "axum")]
pub(crate) mod http_endings;
#[cfg(feature = "axum")]
pub(crate) mod http_exchanges;
#[cfg(feature = "tower")]
pub(crate) mod http_flush;
#[cfg(feature = "axum")]
pub(crate) mod http_hooks;
#[cfg(feature = "axum")]
pub(crate) mod http_layers;
#[cfg(feature = "axum")]
pub(crate) mod http_levels;
#[cfg(feature = "axum")]
pub(crate) mod http_lines;
#[cfg(feature = "axum")]
pub(crate) mod http_propagation;
#[cfg(feature = "axum")]
pub(crate) mod http_trust;
pub(crate) mod inheritance;
pub(crate) mod inherited_spans;
pub(crate) mod neighbours;
#[cfg(feature = "opentelemetry")]
pub(crate) mod otel;
#[cfg(all(feature = "axum", feature = "opentelemetry"))]
pub(crate) mod otel_requests;
pub(crate) mod recorded_fields;
pub(crate) mod scopes;
pub(crate) mod span_lines;
pub(crate) mod testing;
pub(crate) mod trace_context;
pub(crate) mod trace_formats;
pub(crate) mod variables;
