//! Writes to one file that keeps its name, or to a file for each period.
//!
//! Where the path has a date, a new period's first line begins the file of that period, and nothing is renamed. Each file
//! has a [`RotatingWriter`]. A file that cannot be begun is tried again ten seconds later, and lines continue in the old
//! one. A line of an earlier period continues the file of that period if the clock was set back by more than a minute.

use std::sync::Arc;
use std::time::Duration;

use super::file_writer::FileWriter;
use super::log_files::LogFiles;
use super::prune_time::PruneTime;
use super::rotating_writer::{RotatingWriter, file_time};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{PathPattern, Retention};
use crate::sink::directory::Directory;
use crate::sink::{Control, Lines, Next};

/// How long the end of the log waits for compression; the next start does the rest.
const FINISH: Duration = Duration::from_secs(3);

/// The writer of a log.
#[derive(Debug)]
pub(super) struct LogWriter {
    writer: RotatingWriter,
    dated: Option<Dated>,
    /// The time of the last tick.
    clock: Option<Timestamp>,
}

/// What a log with a date in its path has beside the writer of the current file.
#[derive(Debug)]
struct Dated {
    pattern: Arc<PathPattern>,
    retention: Retention,
    rotate_bytes: Option<u64>,
    now: Option<Timestamp>,
    prune_time: PruneTime,
}

impl LogWriter {
    /// Creates the writer of a log whose file keeps its name.
    pub(super) fn new(writer: RotatingWriter) -> Self {
        Self { writer, dated: None, clock: None }
    }

    /// Opens the file of the period that `time` belongs to. Its settings are those of `files`.
    pub(super) fn open_dated(
        mut files: LogFiles,
        pattern: PathPattern,
        rotate_bytes: Option<u64>,
        time: Timestamp,
    ) -> Result<Self, Error> {
        // It applies to the files of all periods together.
        let retention = std::mem::take(&mut files.retention);
        let pattern = Arc::new(pattern);
        let prune_time = PruneTime::new(retention.age.is_some());
        let path = pattern.path(files.calendar.label(time));
        let writer = RotatingWriter::open(files.at(&path, time)?, rotate_bytes)?;
        let dated = Dated { pattern, retention, rotate_bytes, now: None, prune_time };
        let mut log = Self { writer, dated: Some(dated), clock: None };
        log.prune();
        Ok(log)
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), Error> {
        self.clock = Some(now);
        if let Some(dated) = &mut self.dated {
            dated.now = Some(now);
            if dated.prune_time.is_due(now) {
                self.prune();
            }
        }
        self.writer.tick(now)
    }

    /// Begins the file of another period. If that fails, lines continue in the old one.
    fn turn_to(&mut self, time: Timestamp) {
        let Some(dated) = &mut self.dated else { return };
        dated.now = Some(dated.now.map_or(time, |now| now.max(time)));
        match self.writer.turn_to(&dated.pattern, dated.rotate_bytes, time) {
            Ok(()) => self.prune(),
            Err(error) => self.writer.postpone(error, time),
        }
    }

    /// Removes the segments of all periods that are beyond a limit.
    fn prune(&mut self) {
        let Some(dated) = &mut self.dated else { return };
        let pruned = match dated.retention.is_unlimited() {
            true => Ok(None),
            false => self.writer.files.prune_dated(&dated.pattern, &dated.retention, dated.now),
        };
        let expiry = pruned.unwrap_or_else(|error| {
            self.writer.problems.failed(error);
            None
        });
        dated.prune_time.looked(dated.now, expiry);
    }
}

impl FileWriter for LogWriter {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let clock = self.clock.unwrap_or_else(Timestamp::now);
        loop {
            let line = lines.iter().next().filter(|_| lines.at_line_start());
            let time = line.map(|line| file_time(&line, clock));
            if let Some(time) = time.filter(|time| self.dated.is_some() && self.writer.is_over(*time)) {
                self.turn_to(time);
            }
            let newest = self.writer.newest;
            let written = self.writer.write(lines, clock);
            if self.dated.is_some() && self.writer.newest != newest {
                self.prune();
            }
            if written.is_err() || lines.is_empty() {
                return written;
            }
        }
    }

    fn next(&self) -> Next {
        self.dated.as_ref().map_or_else(|| self.writer.next(), |dated| dated.prune_time.next(dated.now))
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Tick(now) => self.tick(now),
            Control::Sync => self.writer.sync(),
            Control::Reopen => self.writer.reopen(),
            Control::Rotate => self.writer.rotate_now(),
            Control::Close => self.writer.finish(FINISH),
            _ => Ok(()),
        }
    }

    fn await_line(&mut self) {
        self.writer.await_line();
    }

    fn directory(&self) -> &Arc<Directory> {
        self.writer.directory()
    }
}
