//! The settings: which lines are held back, how many, and what releases them.

use tracing::Level;

use super::held_lines::HeldLines;
use crate::byte_size::ByteSize;
use crate::error::Error;
use crate::filter::{Directives, FilterSetting, IntoFilter};

/// A smaller limit could not hold a few lines.
const MIN_MEMORY_BYTES: u64 = 4 << 10;
const MAX_MEMORY_BYTES: u64 = 64 << 30;
const MAX_MEMORY_BYTES_PER_REQUEST: u64 = 1 << 30;

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
    filter: FilterSetting,
    memory_bytes: ByteSize,
    memory_bytes_per_request: ByteSize,
    release_at: Level,
}

impl FlightRecorder {
    /// The default memory of all requests together, in bytes: the detail of hundreds of requests.
    pub const DEFAULT_MEMORY_BYTES: u64 = 4 << 20;

    /// The default memory of one request, in bytes: a thousand lines.
    pub const DEFAULT_MEMORY_BYTES_PER_REQUEST: u64 = 256 << 10;

    /// Holds back the lines that pass this filter and that an output does not want.
    ///
    /// `Builder::init` and `Builder::build` report a bad directive.
    pub fn new(filter: impl IntoFilter) -> Self {
        Self {
            filter: FilterSetting::new(filter),
            memory_bytes: ByteSize::new(Self::DEFAULT_MEMORY_BYTES),
            memory_bytes_per_request: ByteSize::new(Self::DEFAULT_MEMORY_BYTES_PER_REQUEST),
            release_at: Level::ERROR,
        }
    }

    /// Sets the memory limit of all requests together: 4 KiB to 64 GiB, [`Self::DEFAULT_MEMORY_BYTES`] by default.
    ///
    /// When it is used up, the request whose span was opened first loses its lines.
    pub fn memory_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.memory_bytes = bytes.into();
        self
    }

    /// Sets the memory limit of one request: 4 KiB to 1 GiB, [`Self::DEFAULT_MEMORY_BYTES_PER_REQUEST`] by default.
    ///
    /// When it is used up, the request loses its oldest lines.
    pub fn memory_bytes_per_request(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.memory_bytes_per_request = bytes.into();
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
    /// A directive is bad, or a limit is out of bounds.
    pub(crate) fn start(self) -> Result<(Directives, Level, HeldLines), Error> {
        let (all, each) = self.sizes()?;
        let filter = self.filter.parse().map_err(|error| error.of("flight_recorder"))?;
        Ok((filter, self.release_at, HeldLines::new(all, each)))
    }

    /// Returns the memory of all requests, and of one.
    ///
    /// # Errors
    /// A limit is out of bounds.
    pub(crate) fn sizes(&self) -> Result<(usize, usize), Error> {
        let all = self.memory_bytes.within("FlightRecorder::memory_bytes", MIN_MEMORY_BYTES, MAX_MEMORY_BYTES)?;
        let setting = "FlightRecorder::memory_bytes_per_request";
        let each = self.memory_bytes_per_request.within(setting, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES_PER_REQUEST)?;
        Ok((all, each))
    }
}
