//! Passes the records of the `log` crate to tracing, with their key-values.

use std::sync::Arc;

use tracing_log::AsTrace;

use super::install::other_logger;
use crate::error::Error;
use crate::filter::Filters;
use crate::layer::with_log_values;

/// Installs the logger of the process. It keeps at most `max_bytes` of a record's key-values.
///
/// # Errors
/// A logger is already installed.
pub(super) fn install(filters: &Arc<Filters>, max_bytes: usize) -> Result<(), Error> {
    let logger = Box::new(LogRecords { filters: Arc::clone(filters), max_bytes });
    log::set_boxed_logger(logger).map_err(|_| other_logger())
}

struct LogRecords {
    filters: Arc<Filters>,
    max_bytes: usize,
}

impl log::Log for LogRecords {
    /// Answers without asking the subscriber. If no event follows, a per-layer filter's `false` would stay on the
    /// thread and suppress the next event.
    fn enabled(&self, meta: &log::Metadata<'_>) -> bool {
        self.filters.wants_events(meta.target(), meta.level().as_trace())
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            with_log_values(record.key_values(), self.max_bytes, || {
                let _ = tracing_log::format_trace(record);
            });
        } else {
            // Another layer may want it.
            let _ = tracing_log::format_trace(record);
        }
    }

    fn flush(&self) {}
}
