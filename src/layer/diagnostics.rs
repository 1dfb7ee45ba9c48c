//! What a log adds for finding faults: backtraces, closing lines of spans, and detail held back until an error.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::filter::Directives;
use crate::flight_recorder::HeldLines;

/// What a log adds for finding faults.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    /// Events at this level and above have a backtrace.
    pub(crate) backtrace: LevelFilter,
    /// Spans that pass log a line when they close.
    pub(crate) close_lines: Option<Directives>,
    /// The lines that are held back.
    pub(crate) held_lines: Option<Arc<HeldLines>>,
    /// Events at this level and above release them.
    pub(crate) release_at: Option<Level>,
}
