//! What the times of lines do not say themselves.

use spanline::record::Timestamp;

/// What is known of a line's time before the line is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// When the file was written last; `None`: now.
    pub(super) written: Option<i64>,
    /// The time that the line had when an engine stored it. The zone may have been another one then.
    pub(super) stored: Option<i64>,
}

impl Clock {
    /// Returns the time from which the year of a line is told that has none.
    pub(super) fn written(self) -> Timestamp {
        self.written.map_or_else(Timestamp::now, Timestamp::from_nanos)
    }
}
