//! A line that was not written, on its way to the books.

use tracing::Level;

use super::Reason;
use crate::record::Timestamp;

/// A line that was not written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DroppedLine {
    pub(crate) reason: Reason,
    pub(crate) level: Level,
    pub(crate) time: Timestamp,
    /// How many lines; none when it is a notice, which no book counts.
    pub(crate) lines: u64,
    pub(crate) is_notice: bool,
}

impl DroppedLine {
    pub(crate) fn new(reason: Reason, level: Level, time: Timestamp) -> Self {
        Self { reason, level, time, lines: 1, is_notice: false }
    }
}
