//! Passes the records of the `log` crate on to tracing, with the key-values they carry.

use std::sync::Arc;

use tracing_log::AsTrace;

use crate::error::Error;
use crate::filter::Filters;
use crate::layer::with_log_values;

/// Installs it as the logger of the process. `max_bytes`: so much of a record's key-values is kept.
///
/// # Errors
/// When there is a logger already.
pub(super) fn install(filters: &Arc<Filters>, max_bytes: usize) -> Result<(), Error> {
    log::set_boxed_logger(Box::new(LogRecords { filters: Arc::clone(filters), max_bytes }))
        .map_err(|_| Error::invalid("a logger is already installed for the `log` crate; see `Builder::without_log`"))
}

struct LogRecords {
    filters: Arc<Filters>,
    max_bytes: usize,
}

impl log::Log for LogRecords {
    /// Answered here: to a question without an event behind it, a per-layer filter's no would stay on the thread and
    /// swallow the event after it.
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
