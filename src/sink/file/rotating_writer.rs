//! Writes lines to the active file: follows it when it is moved, and rotates it by size and time.
//!
//! Before: [`RollingFile`](super::RollingFile) passes lines on. After: [`ActiveFile`] appends them. Between rotations,
//! a run of lines is written in one call.

use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::active_file::ActiveFile;
use super::compressor::Compressor;
use super::durable::Durable;
use super::failed::failed;
use super::kept::Kept;
use super::log_files::{DirectoryListing, DirectoryLock, LogFiles, SegmentFile};
use super::newest_link::NewestLink;
use super::problems::{Condition, Problems};
use super::prune_time::PruneTime;
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Compression, PeriodState, Schedule, Segment};
use crate::sink::directory::Directory;
use crate::sink::{Line, Lines, Next};

/// After a failed rotation, the old file is written to for this long before the next attempt.
pub(super) const RETRY_NANOS: i64 = 10_000_000_000;

/// Returns the time by which a line belongs to a file: when it happened. For a record of another program that is when it
/// arrived, because times that anybody may send must not close files, and so remove older ones.
pub(super) fn file_time(line: &Line<'_>, clock: Timestamp) -> Timestamp {
    if line.is_relayed { clock } else { line.time }
}

#[derive(Debug)]
pub(super) struct RotatingWriter {
    pub(super) files: Arc<LogFiles>,
    pub(super) active: ActiveFile,
    pub(super) schedule: Schedule,
    rotate_bytes: Option<u64>,
    /// The time of the latest line or tick.
    pub(super) now: Option<Timestamp>,
    /// A rotation was requested and is still to be done.
    wanted: bool,
    /// When a rotation failed; cleared by the next success.
    failed_at: Option<Timestamp>,
    /// To be reported once all lines are written.
    pub(super) problems: Problems,
    /// What the next segment must follow, also when all were removed.
    pub(super) newest: Option<Segment>,
    prune_time: PruneTime,
    pub(super) durable: Durable,
    compressor: Compressor,
}

impl RotatingWriter {
    pub(super) fn open(files: LogFiles, rotate_bytes: Option<u64>) -> Result<Self, Error> {
        let exposed = files.exposure()?;
        let schedule = Schedule::new(files.calendar);
        if rotate_bytes.is_some() || !schedule.is_endless() {
            files.check_rotation()?;
        }
        let prune_time = PruneTime::new(files.retention.age.is_some());
        let files = Arc::new(files);
        let mut active = ActiveFile::open(&files)?;
        let listing = files.list().inspect_err(|_| active.discard_empty(&files))?;
        let mut writer = Self {
            compressor: Compressor::new(Arc::clone(&files)),
            files,
            active,
            schedule,
            rotate_bytes,
            now: None,
            wanted: false,
            failed_at: None,
            problems: Problems::default(),
            newest: None,
            prune_time,
            durable: Durable { newest: listing.newest, moved: true, kept: Kept::new() },
        };
        writer.problems.set(Condition::ExposedDirectory, exposed);
        writer.files.link.iter().try_for_each(NewestLink::place)?;
        writer.opened();
        writer.begin(&listing);
        writer.prune();
        writer.compressor.wake(&writer.files, &listing, None);
        Ok(writer)
    }

    /// Returns the directory that it holds open.
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.files.directory
    }

    /// `clock`: what the time is now.
    pub(super) fn write(&mut self, lines: &mut Lines, clock: Timestamp) -> Result<(), Error> {
        while !lines.is_empty() {
            let time = lines.iter().next().map_or(clock, |line| file_time(&line, clock));
            self.at(time);
            if !self.active.awaits_rest() {
                self.follow()?;
            }
            let size = self.active.settle(lines).map_err(failed("write to", &self.files.active_path))?;
            if self.is_due(size, lines, clock) && !self.is_waiting(time) {
                if self.files.period_of.is_some() && self.is_over(time) {
                    // The caller begins the file of the next period.
                    return Ok(());
                }
                self.attempt_rotation(time);
                continue;
            }
            let run = self.run(size, lines, clock);
            if let Err(error) = self.active.append(lines, run, &mut self.durable.kept) {
                self.make_room(error, time)?;
            }
        }
        self.report()
    }

    /// Rotates a file that may not grow, if this log rotates at all. Returns an error if that does not help.
    fn make_room(&mut self, error: io::Error, time: Timestamp) -> Result<(), Error> {
        let rotates = self.rotate_bytes.is_some() || !self.schedule.is_endless();
        let is_full = rotates && error.kind() == ErrorKind::FileTooLarge;
        let error = failed("write to", &self.files.active_path)(error);
        if !is_full || self.is_waiting(time) {
            return Err(error);
        }
        if self.active.len().is_ok_and(|len| len == 0) {
            return Err(error.into_rejected("the first line is larger than the file may be"));
        }
        self.attempt_rotation(time);
        Ok(())
    }

    /// Sets the time, and does what is due.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), Error> {
        self.at(now);
        self.report()
    }

    fn at(&mut self, now: Timestamp) {
        self.now = Some(now);
        if self.prune_time.is_due(now) {
            self.prune();
        }
        self.compressor.tick(now);
    }

    /// Returns when the writer has to be called although no line comes.
    pub(super) fn next(&self) -> Next {
        self.prune_time.next(self.now)
    }

    /// Returns what went wrong without preventing a write; each error once.
    pub(super) fn report(&mut self) -> Result<(), Error> {
        self.problems.take().or_else(|| self.compressor.take_problem()).map_or(Ok(()), Err)
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

    /// Returns whether the program has closed a descriptor. Each is checked before its number is used again.
    pub(super) fn is_lost(&self) -> bool {
        self.active.is_lost() | self.files.directory.is_lost()
    }

    /// Reopens the path; returns what is in the directory.
    fn reopen_listed(&mut self) -> Result<DirectoryListing, Error> {
        let _ = self.is_lost();
        let mut files = LogFiles::clone(&self.files);
        files.find_directory()?;
        self.problems.set(Condition::ExposedDirectory, files.exposure()?);
        let mut active = ActiveFile::open(&files)?;
        active.follow(&self.active);
        let listing = files.list()?;
        if !listing.holds(self.active.identity()) && self.active.has_name() {
            // It cannot be found later to be made durable.
            self.active.sync().map_err(failed("sync the file that was at", &self.files.active_path))?;
        }
        self.files = Arc::new(files);
        self.active = active;
        let link = self.files.link.as_ref().and_then(|link| link.place().err()).map(Error::into_retry);
        self.problems.set(Condition::Link, link);
        self.opened();
        self.keep_empty();
        self.durable.moved = true;
        self.failed_at = None;
        self.begin(&listing);
        Ok(listing)
    }

    /// Gives a new active file the attributes of the log's files; takes those of an existing one for later files.
    fn opened(&mut self) {
        if self.active.is_new() {
            self.problems.set(Condition::Group, self.active.set_attributes(&self.files).err());
        } else {
            self.learn_attributes();
        }
        let lock = (!self.active.lock_again()).then(|| {
            Error::retry(format!(
                "lock {}: another program holds its lock; spanline writes without one: let only trusted users read the \
                 file",
                self.files.active_path.display()
            ))
        });
        self.problems.set(Condition::ForeignLock, lock);
    }

    /// Makes the file stay without a line, unless it is to be created with one.
    pub(super) fn keep_empty(&mut self) {
        if !self.files.is_lazy {
            self.active.keep();
        }
    }

    /// Removes an empty file that is to be created with its first line. That line opens the path again.
    pub(super) fn await_line(&mut self) {
        if self.files.is_lazy {
            self.active.discard_empty(&self.files);
        }
    }

    fn learn_attributes(&mut self) {
        if let Ok(entry) = self.active.entry() {
            let attributes = self.files.new_files.following(&entry);
            if attributes != self.files.attributes {
                Arc::make_mut(&mut self.files).attributes = attributes;
            }
        }
    }

    /// Waits for the compression of closed segments, for `limit` at most. A log that did not start, or that no line came
    /// to, leaves no empty file. A later line creates the file again.
    pub(super) fn finish(&mut self, limit: Duration) -> Result<(), Error> {
        self.compressor.finish(limit);
        self.active.discard_empty(&self.files);
        self.report()
    }

    /// Opens the path again if it leads to another file by now. If that fails, a file that was only renamed is kept.
    fn follow(&mut self) -> Result<(), Error> {
        if self.is_lost() {
            return self.reopen();
        }
        if self.active.lock_again() {
            self.problems.set(Condition::ForeignLock, None);
        }
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

    /// Determines the active file's period: from when the file was last written to, but not before the newest segment.
    /// Without a period, from when its first line was written.
    fn begin(&mut self, listing: &DirectoryListing) {
        self.problems.set(Condition::LeftAlone, self.files.left_alone(listing));
        self.newest = listing.newest.into_iter().chain(self.newest).reduce(Segment::highest);
        let written = self.active.len().is_ok_and(|len| len > 0);
        if self.files.period_of.is_some() {
            return self.schedule.begin(self.files.period_of);
        }
        let newest = listing.newest.and_then(|newest| self.files.calendar.start(newest.label?));
        let known = || if self.schedule.is_endless() { self.active.begun() } else { self.active.modified() };
        let time = if written { known().max(newest) } else { None };
        self.schedule.begin(time);
    }

    /// Returns whether a rotation is due before the first line.
    fn is_due(&mut self, size: u64, lines: &Lines, clock: Timestamp) -> bool {
        let Some(line) = lines.iter().next().filter(|_| lines.at_line_start()) else { return false };
        let time = file_time(&line, clock);
        if self.files.period_of.is_some() {
            let is_other = self.schedule.state_at(time) != PeriodState::Current;
            return is_other || (size > 0 && (self.wanted || !self.fits(size, &line)));
        }
        if size == 0 || self.schedule.state_at(time) == PeriodState::ClockSteppedBack {
            self.schedule.begin(Some(time));
        }
        if size == 0 {
            self.wanted = false;
        }
        self.wanted || !self.fits(size, &line) || self.schedule.state_at(time) == PeriodState::Over
    }

    fn fits(&self, size: u64, line: &Line<'_>) -> bool {
        let passes = |limit| size.saturating_add(line.bytes.len() as u64) > limit;
        size == 0 || !self.rotate_bytes.is_some_and(passes)
    }

    /// Returns how many bytes to write in one call: the first line, or the rest of it, and the lines that go with it.
    ///
    /// Lines in several chunks, as after a failure, take a call for each chunk.
    fn run(&self, size: u64, lines: &Lines, clock: Timestamp) -> usize {
        let most = lines.as_bytes().len();
        let unlimited = self.failed_at.is_some() || (self.rotate_bytes.is_none() && self.schedule.is_endless());
        if unlimited && lines.at_line_start() {
            return most;
        }
        let mut run = 0;
        for line in lines.iter() {
            let goes_on = unlimited
                || (self.fits(size + run as u64, &line)
                    && self.schedule.state_at(file_time(&line, clock)) == PeriodState::Current);
            if run > 0 && (!goes_on || run + line.bytes.len() > most) {
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
    pub(super) fn is_waiting(&self, time: Timestamp) -> bool {
        let since = |at: Timestamp| time.as_nanos().saturating_sub(at.as_nanos());
        self.failed_at.is_some_and(|at| (-RETRY_NANOS..RETRY_NANOS).contains(&since(at)))
    }

    pub(super) fn postpone(&mut self, error: Error, time: Timestamp) {
        self.failed_at = Some(time);
        self.problems.failed(error);
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
    pub(super) fn rotate(&mut self, time: Timestamp) -> Result<(), Error> {
        let lock = self.files.lock()?;
        self.problems.set(Condition::NoLocks, self.files.missing_locks(&lock));
        let mut listing = match self.active.is_at(&self.files) && self.active.is_in(&self.files) {
            true => self.close_segment(time, &lock)?,
            false => self.reopen_listed()?,
        };
        let pruned = self.files.prune_listed(&mut listing, self.now, &lock);
        self.pruned(pruned);
        self.compressor.wake(&self.files, &listing, self.now);
        Ok(())
    }

    fn close_segment(&mut self, time: Timestamp, lock: &DirectoryLock) -> Result<DirectoryListing, Error> {
        self.learn_attributes();
        let mut listing = self.files.list()?;
        self.problems.set(Condition::LeftAlone, self.files.left_alone(&listing));
        let newest = listing.newest.into_iter().chain(self.newest).reduce(Segment::highest);
        let segment = self.files.next_place(&mut listing, newest, self.schedule.label(time), lock)?;
        let before = self.replace_active(&self.files.names.segment(segment, Compression::Plain))?;
        if let Ok(entry) = before.entry() {
            listing.add(segment, SegmentFile { compression: Compression::Plain, entry });
        }
        before.release();
        self.newest = Some(segment);
        self.durable.moved = true;
        self.schedule.begin(self.files.period_of.or(Some(time)));
        Ok(listing)
    }

    /// Renames the active file to `closed` and opens a new one. Returns the renamed one.
    fn replace_active(&mut self, closed: &str) -> Result<ActiveFile, Error> {
        let (directory, active, path) = (&self.files.directory, self.files.names.active(), &self.files.active_path);
        directory.rename_new(active, closed).map_err(failed("rotate", path))?;
        let opened = match directory.leads_to(closed, self.active.identity()) {
            true => ActiveFile::open(&self.files),
            false => Err(Error::retry(format!("rotate {}: another program replaced it meanwhile", path.display()))),
        };
        match opened {
            Ok(opened) => {
                let before = mem::replace(&mut self.active, opened);
                self.opened();
                self.keep_empty();
                Ok(before)
            }
            Err(error) => {
                directory.rename_new(closed, active).map_err(failed("undo the rotation of", path))?;
                Err(error)
            }
        }
    }

    fn prune(&mut self) {
        let pruned = self.files.prune(self.now);
        self.pruned(pruned);
    }

    /// Notes when to look for segments that are too old again.
    fn pruned(&mut self, pruned: Result<Option<Timestamp>, Error>) {
        let expiry = pruned.unwrap_or_else(|error| {
            self.problems.failed(error);
            None
        });
        self.prune_time.looked(self.now, expiry);
    }
}

impl Drop for RotatingWriter {
    /// For a sink that is dropped without being closed.
    fn drop(&mut self) {
        self.active.discard_empty(&self.files);
    }
}
