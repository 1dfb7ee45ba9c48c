//! The settings of [`Spool`].

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::settings::Settings;
use super::spool::{Phase, Spool, Timing};
use crate::byte_size::ByteSize;
use crate::sink::Sink;
use crate::sink::inner::Inner;

impl Spool {
    /// The default of [`max_bytes`](Self::max_bytes).
    pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;
    /// The smallest value of [`max_bytes`](Self::max_bytes): 16 segments of 64 KiB.
    pub const MIN_MAX_BYTES: u64 = 1 << 20;
    /// The default of [`patience`](Self::patience): a restart of a server takes longer, a slow answer does not.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(1);
    /// The default of [`sync_interval`](Self::sync_interval).
    pub const DEFAULT_SYNC_INTERVAL: Duration = Duration::from_millis(500);
    /// The default of [`replay_bytes_per_second`](Self::replay_bytes_per_second).
    pub const DEFAULT_REPLAY_BYTES_PER_SECOND: u64 = 16 << 20;

    /// Wraps a sink. Lines that it does not take go to files in `directory`, which is created if it is missing.
    ///
    /// Each destination needs a separate directory. Processes that send to the same destination can share one.
    pub fn new(directory: impl Into<PathBuf>, sink: impl Sink) -> Self {
        let settings = Settings {
            path: directory.into(),
            max_bytes: ByteSize::new(Self::DEFAULT_MAX_BYTES),
            drops_newest: false,
            patience: Self::DEFAULT_PATIENCE,
            sync_interval: Self::DEFAULT_SYNC_INTERVAL,
            replay_bytes: ByteSize::new(Self::DEFAULT_REPLAY_BYTES_PER_SECOND),
            is_optional: false,
            batch: sink.profile().batch,
        };
        Self {
            settings,
            inner: Inner::new(Box::new(sink)),
            store: None,
            replay: None,
            phase: Phase::Direct,
            moved: Instant::now(),
            has_left: false,
            timing: Timing::default(),
            reports: Vec::new(),
            now: None,
            #[cfg(test)]
            fake: None,
        }
    }

    /// Sets how many bytes the spool may take on disk: [`Self::DEFAULT_MAX_BYTES`] by default, at least
    /// [`Self::MIN_MAX_BYTES`].
    ///
    /// When it is full, the oldest lines are dropped, those of WARN and ERROR last.
    pub fn max_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.settings.max_bytes = bytes.into();
        self
    }

    /// Drops the newest lines when the spool is full, in place of the oldest. New lines of WARN and ERROR then replace the
    /// newest less severe ones on disk.
    pub fn drop_newest(mut self) -> Self {
        self.settings.drops_newest = true;
        self
    }

    /// Sets how long lines wait in memory for a sink that does not take them: [`Self::DEFAULT_PATIENCE`] by default. They go
    /// to disk earlier when the queue is half full, and during a shutdown.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Sets how long lines are on disk before they are synced: [`Self::DEFAULT_SYNC_INTERVAL`] by default. A power cut loses
    /// those of the last interval. With zero, each write is synced.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.settings.sync_interval = interval;
        self
    }

    /// Sets how many bytes in a second are sent from the disk, beyond those that come to it meanwhile:
    /// [`Self::DEFAULT_REPLAY_BYTES_PER_SECOND`] by default.
    pub fn replay_bytes_per_second(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.settings.replay_bytes = bytes.into();
        self
    }

    /// Starts the log without a spool if the directory cannot be used. One complaint reports it, and the directory is tried
    /// again when lines have to go to disk. By default, building the log fails.
    pub fn optional(mut self) -> Self {
        self.settings.is_optional = true;
        self
    }
}
