//! What the log does when something goes wrong in the program: backtraces, panics.

use tracing::level_filters::LevelFilter;

use super::Builder;
use crate::error::Error;
use crate::layer::Extras;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Failures {
    pub(super) backtrace: LevelFilter,
    /// `None`: as `init` and `build` have it.
    pub(super) log_panics: Option<bool>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { backtrace: LevelFilter::OFF, log_panics: None }
    }
}

impl Failures {
    /// # Errors
    /// A bad directive.
    pub(super) fn extras(self) -> Result<Extras, Error> {
        Ok(Extras { backtrace: self.backtrace })
    }
}

impl Builder {
    /// Events at and above this level say how the program came there: `backtrace` in the line, without the frames of the
    /// log itself, at most 16 KiB. Off unless set.
    ///
    /// It is taken on the thread that logs: some hundred microseconds, and milliseconds for the first, which reads the
    /// program's symbols.
    pub fn backtrace(mut self, level: impl Into<LevelFilter>) -> Self {
        self.failures.backtrace = level.into();
        self
    }

    /// Whether a panic becomes an ERROR line, of the target `panic`, before the panic hook that was there runs: with the
    /// panic's text, `location`, `thread`, and the span it happened in. With `init` it does unless this says
    /// otherwise, with `build` only if this says so.
    ///
    /// It has a `backtrace` when the variable `RUST_BACKTRACE` asks for one or [`backtrace`](Self::backtrace) does. A
    /// panic of a value that is being logged is not one of the program's: it is caught, and only its field says so. A
    /// panic hook that is set later without calling the one it finds takes these lines away.
    pub fn log_panics(mut self, log: bool) -> Self {
        self.failures.log_panics = Some(log);
        self
    }
}
