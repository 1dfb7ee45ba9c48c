//! A rolling file with the settings of `tracing-appender`.

use std::path::Path;

use tracing_appender::rolling::Rotation;

use super::RollingFile;
use crate::rotation::Period;

impl RollingFile {
    /// Creates a file with the arguments of `tracing_appender`'s
    /// [`RollingFileAppender::new`](tracing_appender::rolling::RollingFileAppender::new).
    ///
    /// `rolling::daily("logs", "orders.log")` becomes `from_tracing_appender(Rotation::DAILY, "logs", "orders.log")`.
    /// Both rotate in UTC and keep all segments. The prefix must not be empty: it names the active file.
    ///
    /// The names differ:
    ///
    /// | | tracing-appender | here |
    /// |---|---|---|
    /// | written to now | `logs/orders.log.2026-11-20` | `logs/orders.log` |
    /// | closed | `logs/orders.log.2026-11-19` | `logs/orders.2026-11-19-000042.log` |
    /// | `Rotation::NEVER` | `logs/orders.log` | `logs/orders.log` |
    ///
    /// Segments that tracing-appender left are foreign files here: they are neither removed nor compressed. New files
    /// are readable by their owner only; see [`RollingFile::DEFAULT_FILE_MODE`].
    ///
    /// The settings of `tracing_appender`'s builder are calls here. `max_log_files(n)` counts the active file, so it
    /// becomes [`keep_files(n - 1)`](RollingFile::keep_files). `filename_suffix("log")` becomes part of the prefix.
    /// `latest_symlink` is not needed: the active file keeps its name. For `logs/orders.log.2026-11-20`, write to
    /// `logs/orders.log.%Y-%m-%d`.
    ///
    /// # Examples
    /// ```
    /// use spanline::{Output, RollingFile};
    /// use tracing_appender::rolling::Rotation;
    ///
    /// // rolling::daily("logs", "orders.log")
    /// let output = Output::new(RollingFile::from_tracing_appender(Rotation::DAILY, "logs", "orders.log"));
    /// ```
    #[expect(clippy::needless_pass_by_value, reason = "the signature that tracing-appender has")]
    pub fn from_tracing_appender(
        rotation: Rotation,
        directory: impl AsRef<Path>,
        file_name_prefix: impl AsRef<Path>,
    ) -> Self {
        Self::new(directory.as_ref().join(file_name_prefix)).period(Period::from_rotation(&rotation))
    }
}
