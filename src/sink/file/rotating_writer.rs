//! Writes lines to the active file: follows it when it is moved, and rotates it by size and time.
//!
//! Before: [`RollingFile`](super::RollingFile) passes lines on. After: [`ActiveFile`] appends them. Between rotations,
//! a run of lines is written in one call.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::active_file::ActiveFile;
use super::compressor::Compressor;
use super::log_files::{DirectoryListing, LogFiles, SegmentFile};
use super::open::{self, failed, rename_new};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Compression, PeriodState, Schedule, Segment};
use crate::sink::{Line, Lines};

/// After a failed rotation, the old file is written to for this long before the next attempt.
const RETRY_NANOS: i64 = 10_000_000_000;

#[derive(Debug)]
pub(super) struct RotatingWriter {
    files: Arc<LogFiles>,
    active: ActiveFile,
    schedule: Schedule,
    rotate_bytes: Option<u64>,
    /// The time of the latest line or tick.
    now: Option<Timestamp>,
    /// A rotation was requested and is still to be done.
    wanted: bool,
    /// When a rotation failed; cleared by the next success.
    failed_at: Option<Timestamp>,
    /// To be reported once all lines are written.
    problem: Option<Error>,
    /// What the next segment must follow, also when all were removed.
    newest: Option<Segment>,
    /// The newest segment when everything was last made durable.
    synced: Option<Segment>,
    /// Files were created or renamed since then.
    moved: bool,
    compressor: Compressor,
}

impl RotatingWriter {
    pub(super) fn open(files: LogFiles, schedule: Schedule, rotate_bytes: Option<u64>) -> Result<Self, Error> {
        let files = Arc::new(files);
        let active = ActiveFile::open(&files)?;
        let listing = files.list()?;
        let mut writer = Self {
            compressor: Compressor::new(Arc::clone(&files)),
            files,
            active,
            schedule,
            rotate_bytes,
            now: None,
            wanted: false,
            failed_at: None,
            problem: None,
            newest: None,
            synced: listing.newest,
            moved: true,
        };
        writer.begin(&listing);
        writer.prune();
        writer.compressor.wake(&listing, None);
        Ok(writer)
    }

    pub(super) fn write(&mut self, lines: &mut Lines) -> Result<(), Error> {
        while !lines.is_empty() {
            let time = lines.iter().next().map_or_else(Timestamp::default, |line| line.time);
            self.at(time);
            if !self.active.awaits_rest() {
                self.follow()?;
            }
            let size = self.active.settle(lines).map_err(failed("write to", &self.files.active_path))?;
            if self.is_due(size, lines) && !self.is_waiting(time) {
                self.attempt_rotation(time);
                continue;
            }
            let run = self.run(size, lines);
            self.active.append(lines, run).map_err(failed("write to", &self.files.active_path))?;
        }
        self.report()
    }

    /// Sets the time, and does what is due.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), Error> {
        self.at(now);
        self.report()
    }

    fn at(&mut self, now: Timestamp) {
        if self.now.replace(now).is_none() && self.files.retention.age.is_some() {
            self.prune();
        }
        self.compressor.tick(now);
    }

    /// Returns what went wrong without preventing a write; each error once.
    pub(super) fn report(&mut self) -> Result<(), Error> {
        self.problem.take().or_else(|| self.compressor.take_problem()).map_or(Ok(()), Err)
    }

    pub(super) fn rotate_now(&mut self) -> Result<(), Error> {
        self.wanted = true;
        self.follow()?;
        match self.active.len().map_err(failed("inspect", &self.files.active_path))? {
            0 => self.wanted = false,
            _ => self.attempt_rotation(self.now.or(self.active.modified()).unwrap_or_default()),
        }
        self.report()
    }

    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        self.reopen_listed().map(drop)
    }

    /// Reopens the path; returns what is in the directory.
    fn reopen_listed(&mut self) -> Result<DirectoryListing, Error> {
        let active = ActiveFile::open(&self.files)?;
        let listing = self.files.list()?;
        if !listing.holds(self.active.identity()) && self.active.has_name() {
            // It cannot be found later to be made durable.
            self.active.sync().map_err(failed("sync the file that was at", &self.files.active_path))?;
        }
        self.active = active;
        self.moved = true;
        self.failed_at = None;
        self.begin(&listing);
        Ok(listing)
    }

    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.active.sync().map_err(failed("sync", &self.files.active_path))?;
        if self.moved {
            let listing = self.files.list()?;
            for (segment, _) in listing.closed.iter().filter(|(segment, _)| Some(**segment) > self.synced) {
                // A compressed segment was made durable before it got its name.
                let path = self.files.path_of(*segment, Compression::Plain);
                if let Ok(file) = open::open(&path) {
                    file.sync_data().map_err(failed("sync", &path))?;
                }
            }
            open::sync_directory(&self.files.directory).map_err(failed("sync", &self.files.directory))?;
            self.synced = listing.newest;
            self.moved = false;
        }
        Ok(())
    }

    /// Waits for the compression of closed segments, for `limit` at most.
    pub(super) fn finish(&mut self, limit: Duration) -> Result<(), Error> {
        self.compressor.finish(limit);
        self.report()
    }

    /// Opens the path again if it leads to another file by now. If that fails, a file that was only renamed is kept.
    fn follow(&mut self) -> Result<(), Error> {
        if self.active.is_at(&self.files) {
            return Ok(());
        }
        let (time, has_name) = (self.now.unwrap_or_default(), self.active.has_name());
        if has_name && self.is_waiting(time) {
            return Ok(());
        }
        match self.reopen() {
            Err(error) if has_name => {
                self.postpone(error, time);
                Ok(())
            }
            reopened => reopened,
        }
    }

    /// Determines the active file's period: from when the newest segment was closed, or when the file was last written
    /// to.
    fn begin(&mut self, listing: &DirectoryListing) {
        self.newest = listing.newest.into_iter().chain(self.newest).reduce(Segment::highest);
        let written = self.active.len().is_ok_and(|len| len > 0);
        let closed = listing.newest.map(Segment::time);
        self.schedule.begin(if written { self.active.modified().max(closed) } else { None });
    }

    /// Returns whether a rotation is due before the first line.
    fn is_due(&mut self, size: u64, lines: &Lines) -> bool {
        let Some(line) = lines.iter().next().filter(|_| lines.at_line_start()) else { return false };
        if size == 0 || self.schedule.state_at(line.time) == PeriodState::ClockSteppedBack {
            self.schedule.begin(Some(line.time));
        }
        if size == 0 {
            self.wanted = false;
        }
        self.wanted || !self.fits(size, &line) || self.schedule.state_at(line.time) == PeriodState::Over
    }

    fn fits(&self, size: u64, line: &Line<'_>) -> bool {
        let passes = |limit| size.saturating_add(line.bytes.len() as u64) > limit;
        size == 0 || !self.rotate_bytes.is_some_and(passes)
    }

    /// Returns how many bytes to write in one call: the first line, or the rest of it, and the lines that go with it.
    fn run(&self, size: u64, lines: &Lines) -> usize {
        let unlimited = self.failed_at.is_some() || (self.rotate_bytes.is_none() && self.schedule.is_endless());
        if unlimited && lines.at_line_start() {
            return lines.as_bytes().len();
        }
        let mut run = 0;
        for line in lines.iter() {
            let goes_on = unlimited
                || (self.fits(size + run as u64, &line) && self.schedule.state_at(line.time) == PeriodState::Current);
            if run > 0 && !goes_on {
                break;
            }
            run += line.bytes.len();
            if !lines.at_line_start() {
                break;
            }
        }
        run
    }

    /// Returns whether a rotation failed recently, by the time of lines, which arrive out of order.
    fn is_waiting(&self, time: Timestamp) -> bool {
        let since = |at: Timestamp| time.as_nanos().saturating_sub(at.as_nanos());
        self.failed_at.is_some_and(|at| (-RETRY_NANOS..RETRY_NANOS).contains(&since(at)))
    }

    fn postpone(&mut self, error: Error, time: Timestamp) {
        self.failed_at = Some(time);
        self.problem = Some(error);
    }

    fn attempt_rotation(&mut self, time: Timestamp) {
        match self.rotate(time) {
            Ok(()) => {
                self.failed_at = None;
                self.wanted = false;
            }
            // The file or its directory was moved at that moment. The next check follows at once: waiting would leave
            // ten seconds of lines where nobody looks for them.
            Err(_) if !self.active.is_at(&self.files) => {}
            Err(error) => self.postpone(error, time),
        }
    }

    /// Closes the active file under a new name, unless another process has done so, and opens a new one. Removes and
    /// compresses what is due. Lists the directory once, which is most of the work when there are many segments.
    fn rotate(&mut self, time: Timestamp) -> Result<(), Error> {
        let lock = self.files.lock()?;
        let mut listing = match self.active.is_at(&self.files) {
            true => self.close_segment(time)?,
            false => self.reopen_listed()?,
        };
        if let Err(error) = self.files.prune_listed(&mut listing, self.now, &lock) {
            self.problem = Some(error);
        }
        self.compressor.wake(&listing, self.now);
        Ok(())
    }

    fn close_segment(&mut self, time: Timestamp) -> Result<DirectoryListing, Error> {
        let mut listing = self.files.list()?;
        let newest = listing.newest.into_iter().chain(self.newest).reduce(Segment::highest);
        let segment = Segment::after(newest, time);
        let (path, closed) = (&self.files.active_path, self.files.path_of(segment, Compression::Plain));
        rename_new(path, &closed).map_err(failed("rotate", path))?;
        let before = match ActiveFile::open(&self.files) {
            Ok(active) => mem::replace(&mut self.active, active),
            Err(error) => {
                rename_new(&closed, path).map_err(failed("undo the rotation of", path))?;
                return Err(error);
            }
        };
        let stored = SegmentFile {
            compression: Compression::Plain,
            bytes: before.len().unwrap_or(0),
            identity: before.identity(),
        };
        listing.add(segment, stored);
        before.release();
        self.newest = Some(segment);
        self.moved = true;
        self.schedule.begin(Some(time));
        Ok(listing)
    }

    fn prune(&mut self) {
        if let Err(error) = self.files.prune(self.now) {
            self.problem = Some(error);
        }
    }
}
