//! What the user has set, and the limits that follow.

use std::path::PathBuf;
use std::time::Duration;

use crate::byte_size::ByteSize;
use crate::sink::Batching;

/// What the user has set.
pub(super) struct Settings {
    pub(super) path: PathBuf,
    pub(super) max_bytes: ByteSize,
    pub(super) drops_newest: bool,
    pub(super) patience: Duration,
    pub(super) sync_interval: Duration,
    pub(super) replay_bytes: ByteSize,
    pub(super) is_optional: bool,
    pub(super) batch: Batching,
}

/// The limits of a spool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_bytes: u64,
    /// The newest lines are dropped when it is full; the oldest otherwise.
    pub(super) drops_newest: bool,
}

impl Limits {
    /// A segment is this part of a spool: so much is dropped at a time.
    const PARTS: u64 = 16;
    const SMALLEST_SEGMENT: u64 = 64 << 10;
    const LARGEST_SEGMENT: u64 = 4 << 20;

    pub(super) fn segment_bytes(&self) -> u64 {
        (self.max_bytes / Self::PARTS).clamp(Self::SMALLEST_SEGMENT, Self::LARGEST_SEGMENT)
    }
}
