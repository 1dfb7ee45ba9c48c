//! The settings: which lines are held back, how many, and what releases them.

use tracing::Level;
use tracing_subscriber::filter::Targets;

use super::held_lines::HeldLines;
use crate::error::Error;
use crate::filter;

/// Which lines are held back, and how many: for [`Builder::flight_recorder`](crate::Builder::flight_recorder).
///
/// ```
/// use spanline::FlightRecorder;
/// use tracing::Level;
///
/// let recorder = FlightRecorder::new("orders=debug,sqlx=trace").memory_bytes(16 << 20).release_at(Level::WARN);
/// # drop(recorder);
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are passed to `Builder::flight_recorder`"]
pub struct FlightRecorder {
    directives: String,
    memory_bytes: usize,
    memory_bytes_per_request: usize,
    release_at: Level,
}

impl FlightRecorder {
    /// The default memory of all requests together, in bytes: the detail of hundreds of requests.
    pub const DEFAULT_MEMORY_BYTES: usize = 4 << 20;

    /// The default memory of one request, in bytes: a thousand lines.
    pub const DEFAULT_MEMORY_BYTES_PER_REQUEST: usize = 256 << 10;

    /// Holds back the lines that pass these `target=level` directives and that an output does not want.
    ///
    /// `Builder::init` and `Builder::build` report a bad directive.
    pub fn new(directives: &str) -> Self {
        Self {
            directives: directives.to_owned(),
            memory_bytes: Self::DEFAULT_MEMORY_BYTES,
            memory_bytes_per_request: Self::DEFAULT_MEMORY_BYTES_PER_REQUEST,
            release_at: Level::ERROR,
        }
    }

    /// Sets the memory of all requests together, in bytes; [`Self::DEFAULT_MEMORY_BYTES`] by default.
    ///
    /// When it is used up, the request whose span was opened first loses its lines.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets the memory of one request, in bytes; [`Self::DEFAULT_MEMORY_BYTES_PER_REQUEST`] by default.
    ///
    /// When it is used up, the request loses its oldest lines.
    pub fn memory_bytes_per_request(mut self, bytes: usize) -> Self {
        self.memory_bytes_per_request = bytes;
        self
    }

    /// Sets the level at and above which an event releases the lines of its request; ERROR by default.
    pub fn release_at(mut self, level: Level) -> Self {
        self.release_at = level;
        self
    }

    /// Returns which lines are held back, the level that releases them, and the memory for them.
    ///
    /// # Errors
    /// Names the first bad directive.
    pub(crate) fn start(&self) -> Result<(Targets, Level, HeldLines), Error> {
        let held_lines = HeldLines::new(self.memory_bytes, self.memory_bytes_per_request);
        Ok((filter::parse(&self.directives)?, self.release_at, held_lines))
    }
}
