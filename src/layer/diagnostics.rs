//! What a log adds for finding faults: backtraces, lines of the lives of spans, and detail held back until an error.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::span_lines::SpanLines;
use crate::flight_recorder::HeldLines;

/// What a log adds for finding faults.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    /// Events at this level and above have a backtrace.
    pub(crate) backtrace: LevelFilter,
    /// Spans that log lines of their lives.
    pub(crate) span_lines: Option<SpanLines>,
    /// The lines that are held back.
    pub(crate) held_lines: Option<Arc<HeldLines>>,
    /// Events at this level and above release them.
    pub(crate) release_at: Option<Level>,
}
