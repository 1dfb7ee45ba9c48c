//! Writes lines to sealed files, and rotates them.
//!
//! As [`RotatingWriter`](super::rotating_writer::RotatingWriter), but with one writer for each file: a process start, and a
//! forked child, begins a chain. A child writes to a file beside that of its parent. Both close their files as segments of the
//! same log, under its lock file. What a crash has left is closed as it is by the next writer.

use std::io::ErrorKind;
use std::sync::Arc;

use super::failed::failed;
use super::file_writer::FileWriter;
use super::log_files::{DirectoryListing, DirectoryLock, LogFiles, SegmentFile};
use super::newest_link::NewestLink;
use super::problems::{Condition, Problems};
use super::prune_time::PruneTime;
use super::rotating_writer::{RETRY_NANOS, file_time};
use super::sealed_batches::batches;
use super::sealed_chain::{SealedChain, Sealing, open_left};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Compression, PeriodState, Schedule, Segment};
use crate::sealed::inspect;
use crate::sink::directory::{Directory, HeldFile, Links};
use crate::sink::{Control, Lines, Next};

/// The target of the lines that name the head of each segment.
pub(super) const HEAD_TARGET: &str = "spanline::sealed";

/// How often a file that another process may hold is tried: a quarter of a second.
const OPEN_ATTEMPTS: u32 = 250;

/// How many files are looked at to find the newest segment.
const MOST_UNREADABLE: usize = 100;

/// What the end of a segment needs.
const END_BYTES: u64 = 164;

#[derive(Debug)]
pub(super) struct SealedWriter {
    files: LogFiles,
    sealing: Sealing,
    chain: SealedChain,
    schedule: Schedule,
    rotate_bytes: Option<u64>,
    /// The time of the latest line or tick.
    now: Option<Timestamp>,
    /// A rotation was requested and is still to be done.
    wanted: bool,
    /// When a rotation failed; cleared by the next success.
    failed_at: Option<Timestamp>,
    problems: Problems,
    /// What the next segment must follow, also when all were removed.
    newest: Option<Segment>,
    prune_time: PruneTime,
    /// The process that writes: a fork without hooks shows here.
    process: u32,
}

impl SealedWriter {
    /// Opens the log. `is_child`: a parent writes to the log's file.
    pub(super) fn open(
        files: LogFiles,
        sealing: Sealing,
        rotate_bytes: Option<u64>,
        is_child: bool,
    ) -> Result<Self, Error> {
        let exposed = files.exposure()?;
        files.check_rotation()?;
        let active = if is_child { files.names.writer(std::process::id()) } else { files.names.active().to_owned() };
        let mut writer = Self {
            chain: SealedChain::new(&sealing, active)?,
            schedule: Schedule::new(files.calendar),
            prune_time: PruneTime::new(files.retention.age.is_some()),
            files,
            sealing,
            rotate_bytes,
            now: None,
            wanted: false,
            failed_at: None,
            problems: Problems::default(),
            newest: None,
            process: std::process::id(),
        };
        writer.problems.set(Condition::ExposedDirectory, exposed);
        let now = Timestamp::now();
        let lock = writer.files.lock()?;
        let mut listing = writer.begin(now, &lock)?;
        writer.files.link.iter().try_for_each(NewestLink::place)?;
        let pruned = writer.prune_listed(&mut listing, None, &lock);
        writer.pruned(pruned);
        drop(lock);
        Ok(writer)
    }

    /// Begins the next segment. Closes what other writers have left.
    fn begin(&mut self, time: Timestamp, lock: &DirectoryLock) -> Result<DirectoryListing, Error> {
        self.problems.set(Condition::NoLocks, self.files.missing_locks(lock));
        let mut listing = self.files.list()?;
        self.problems.set(Condition::LeftAlone, self.files.left_alone(&listing));
        self.adopt(&mut listing)?;
        if self.chain.is_new() {
            self.follow_newest(&listing);
        }
        let group = self.chain.begin(&self.files, time)?;
        self.problems.set(Condition::Group, group);
        self.schedule.begin(None);
        Ok(listing)
    }

    /// Closes files that no process writes: that of this log, and those of children.
    fn adopt(&mut self, listing: &mut DirectoryListing) -> Result<(), Error> {
        let mut left = Vec::new();
        let names = &self.files.names;
        let is_left = |name: &str| name == names.active() || names.is_writer(name);
        let listed = self.files.directory.each_name(|name| {
            left.extend(is_left(name).then(|| name.to_owned()));
            Ok(())
        });
        listed.map_err(failed("list", self.files.directory.path()))?;
        for name in left {
            let is_own = name == self.chain.active;
            let path = self.files.path(&name);
            match open_left(&self.files.directory, &name, if is_own { OPEN_ATTEMPTS } else { 1 }) {
                Ok(Some(file)) => self.adopt_file(&name, &file, listing)?,
                Ok(None) if is_own => {
                    return Err(Error::retry(format!(
                        "open {}: another process writes this sealed log; a chain of segments has one writer: give each \
                         process another path",
                        path.display()
                    )));
                }
                Err(error) if is_own && error.kind() != ErrorKind::NotFound => {
                    return Err(failed("open", &path)(error));
                }
                // A child that writes, or a file that is not one of this log.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn adopt_file(&mut self, name: &str, file: &HeldFile, listing: &mut DirectoryListing) -> Result<(), Error> {
        let path = self.files.path(name);
        let entry = file.entry().map_err(failed("inspect", &path))?;
        let found = file.get().ok().and_then(|file| inspect(file, name));
        if entry.bytes == 0 || found.as_ref().is_some_and(|found| found.is_empty) {
            return self.files.directory.remove(name).map_err(failed("remove", &path));
        }
        let begun = found.as_ref().and_then(|found| found.begun).unwrap_or(entry.modified);
        let label = self.files.calendar.label(begun.min(entry.modified));
        let segment = self.next_segment(listing, label);
        let closed = self.files.names.segment(segment, Compression::Plain);
        self.files.directory.rename_new(name, &closed).map_err(failed("rotate", &path))?;
        listing.add(segment, SegmentFile { compression: Compression::Plain, entry });
        self.newest = Some(segment);
        if let Some(found) = found {
            self.chain.renamed(found.head, &closed);
        }
        Ok(())
    }

    fn next_segment(&self, listing: &DirectoryListing, label: crate::rotation::Label) -> Segment {
        let newest = listing.newest.into_iter().chain(self.newest).reduce(Segment::highest);
        LogFiles::next_segment(listing, newest, label)
    }

    /// Makes the chain follow the newest segment of the log that is one: damage to a later file must not hide the others.
    fn follow_newest(&mut self, listing: &DirectoryListing) {
        for segment in listing.closed.keys().rev().take(MOST_UNREADABLE) {
            let name = self.files.names.segment(*segment, Compression::Plain);
            let file = self.files.directory.open_file(&name, Links::Any);
            if let Some(found) = file.ok().and_then(|file| inspect(file.get().ok()?, &name)) {
                return self.chain.follow(found.head, &name);
            }
        }
    }

    /// Makes sure that a segment can be written to.
    fn ready(&mut self, time: Timestamp) -> Result<(), Error> {
        if self.process != std::process::id() {
            self.restart()?;
        }
        if self.chain.is_open() && (self.chain.is_lost() || self.files.directory.is_lost()) {
            self.chain.close("");
        }
        if self.chain.is_open() && !self.chain.is_at(&self.files) {
            // The file was moved, or is gone. It ends where it is.
            let _ = self.chain.end(time);
            let name = self.chain.active.clone();
            self.chain.close(&name);
        }
        if !self.chain.is_open() {
            self.files.find_directory()?;
            let lock = self.files.lock()?;
            self.begin(time, &lock)?;
            return Ok(());
        }
        let Some(bytes) = self.chain.foreign_bytes() else { return Ok(()) };
        let is_cut = bytes < self.chain.bytes();
        if is_cut || !self.is_waiting(time) {
            let path = self.files.path(&self.chain.active);
            let segment = self.chain.segment();
            self.attempt_rotation(time);
            if is_cut && self.chain.segment() == segment {
                // Without its header, nothing that is written to it can be opened.
                let why = self.problems.take().map_or_else(String::new, |error| format!(": {error:#}"));
                let path = path.display();
                return Err(Error::retry(format!(
                    "write to {path}: another program has cut it, and it cannot be closed{why}"
                )));
            }
            self.problems.failed(Error::retry(format!(
                "write to {}: another program has changed its length, so the segment was closed; expected that only \
                 spanline writes to it",
                path.display()
            )));
        }
        Ok(())
    }

    /// Begins a chain in a process that was forked without a word.
    fn restart(&mut self) -> Result<(), Error> {
        self.chain.forget();
        self.process = std::process::id();
        self.chain = SealedChain::new(&self.sealing, self.files.names.writer(self.process))?;
        Ok(())
    }

    fn write_lines(&mut self, lines: &mut Lines, clock: Timestamp) -> Result<(), Error> {
        while let Some(line) = lines.first() {
            let time = file_time(&line, clock);
            if !lines.at_line_start() {
                lines.rewind_line();
            }
            self.at(time);
            self.ready(time)?;
            if !self.chain.has_lines() || self.schedule.state_at(time) == PeriodState::ClockSteppedBack {
                self.schedule.begin(Some(time));
            }
            if self.is_due(time) && !self.is_waiting(time) {
                self.attempt_rotation(time);
                continue;
            }
            if let Err(error) = self.chain.pay(time) {
                self.problems.failed(error);
            }
            let room = self.rotate_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(self.chain.bytes()));
            let batches = batches(lines, clock, &self.schedule, room);
            let blocks = self.chain.seal(&batches)?;
            let sizes: Vec<_> = batches.iter().map(|batch| batch.text.len()).collect();
            let passes = |limit| self.chain.bytes().saturating_add(blocks.len() as u64 + END_BYTES) > limit;
            if self.chain.has_lines() && self.rotate_bytes.is_some_and(passes) && !self.is_waiting(time) {
                self.attempt_rotation(time);
                continue;
            }
            let (written, result) = self.chain.append(blocks);
            lines.advance(sizes.into_iter().take(written).sum());
            if let Some(head) = self.chain.take_begun() {
                let log = self.files.names.active();
                tracing::info!(target: HEAD_TARGET, %head, log, "a sealed segment begins");
            }
            match result {
                Ok(()) => {}
                Err(error)
                    if error.kind() == ErrorKind::FileTooLarge && self.chain.has_lines() && !self.is_waiting(time) =>
                {
                    self.attempt_rotation(time);
                }
                Err(error) => return Err(failed("write to", &self.files.path(&self.chain.active))(error)),
            }
        }
        self.report()
    }

    fn is_due(&self, time: Timestamp) -> bool {
        self.chain.has_lines()
            && (self.wanted || self.schedule.state_at(time) == PeriodState::Over || self.chain.is_full())
    }

    fn at(&mut self, now: Timestamp) {
        self.now = Some(now);
        if self.process == std::process::id() && self.prune_time.is_due(now) {
            let pruned = self.prune(now);
            self.pruned(pruned);
        }
    }

    /// Returns whether a rotation failed recently, by the time of lines, which arrive out of order.
    fn is_waiting(&self, time: Timestamp) -> bool {
        let since = |at: Timestamp| time.as_nanos().saturating_sub(at.as_nanos());
        self.failed_at.is_some_and(|at| (-RETRY_NANOS..RETRY_NANOS).contains(&since(at)))
    }

    fn attempt_rotation(&mut self, time: Timestamp) {
        match self.rotate(time) {
            Ok(()) => (self.failed_at, self.wanted) = (None, false),
            // The next write begins a file, or fails.
            Err(error) if !self.chain.is_open() => self.problems.failed(error),
            Err(error) => {
                self.failed_at = Some(time);
                self.problems.failed(error);
            }
        }
    }

    /// Closes the segment under its name, and begins the next one. Removes what is due.
    fn rotate(&mut self, time: Timestamp) -> Result<(), Error> {
        let lock = self.files.lock()?;
        let listing = self.files.list()?;
        self.close_as_segment(&listing, time)?;
        let mut begun = self.begin(time, &lock);
        if begun.is_err() {
            // A full disk: what is removed makes room.
            let pruned = self.files.list().and_then(|mut listing| self.prune_listed(&mut listing, self.now, &lock));
            self.pruned(pruned);
            begun = self.begin(time, &lock);
        }
        let mut listing = begun?;
        let pruned = self.prune_listed(&mut listing, self.now, &lock);
        self.pruned(pruned);
        Ok(())
    }

    /// Gives the file its name as a segment, then ends it.
    fn close_as_segment(&mut self, listing: &DirectoryListing, time: Timestamp) -> Result<(), Error> {
        let segment = self.next_segment(listing, self.schedule.label(time));
        let closed = self.files.names.segment(segment, Compression::Plain);
        let path = self.files.path(&self.chain.active);
        self.files.directory.rename_new(&self.chain.active, &closed).map_err(failed("rotate", &path))?;
        if !self.chain.is_in(&self.files.directory, &closed) {
            let why = "another program replaced it meanwhile";
            return Err(Error::retry(format!("rotate {}: {why}", path.display())));
        }
        if let Err(error) = self.chain.end(time) {
            // The next header names the last block: nothing is missing.
            self.problems.failed(error);
        }
        self.chain.close(&closed);
        self.newest = Some(segment);
        Ok(())
    }

    fn prune(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        if self.files.retention.is_unlimited() {
            return Ok(None);
        }
        let lock = self.files.lock()?;
        let mut listing = self.files.list()?;
        if !self.chain.is_open() && !self.files.surplus(&listing, Some(now)).0.is_empty() {
            // The mark needs a file, also where no line needs one. On a full disk, what is removed makes room for it.
            match self.begin(now, &lock) {
                Ok(begun) => listing = begun,
                Err(error) => self.problems.failed(error),
            }
        }
        self.prune_listed(&mut listing, Some(now), &lock)
    }

    /// Removes the segments beyond a limit, after it has marked them as removed. A mark that cannot be written now follows
    /// later: a full disk must become empty again.
    fn prune_listed(
        &mut self,
        listing: &mut DirectoryListing,
        now: Option<Timestamp>,
        lock: &DirectoryLock,
    ) -> Result<Option<Timestamp>, Error> {
        let (surplus, _) = self.files.surplus(listing, now);
        if let Some(highest) = surplus.iter().map(|segment| segment.sequence).max()
            && let Err(error) = self.chain.mark_removed(highest, now.unwrap_or_else(Timestamp::now))
        {
            self.problems.failed(error);
        }
        self.files.prune_listed(listing, now, lock)
    }

    fn pruned(&mut self, pruned: Result<Option<Timestamp>, Error>) {
        let expiry = pruned.unwrap_or_else(|error| {
            self.problems.failed(error);
            None
        });
        self.prune_time.looked(self.now, expiry);
    }

    fn report(&mut self) -> Result<(), Error> {
        self.problems.take().map_or(Ok(()), Err)
    }

    fn sync(&mut self) -> Result<(), Error> {
        if let Some(why) = self.chain.take_not_durable() {
            return Err(Error::not_durable(format!("{why}; lines since the last sync may not survive a power cut")));
        }
        let path = self.files.path(&self.chain.active);
        if let Err(error) = self.chain.sync() {
            // The system may have dropped what it could not write: later lines go to another file.
            self.wanted = true;
            let error = failed("sync", &path)(error);
            return Err(Error::not_durable(format!(
                "{error:#}; lines since the last sync may not survive a power cut"
            )));
        }
        self.files.directory.sync().map_err(failed("sync", self.files.directory.path()))
    }

    fn rotate_now(&mut self) -> Result<(), Error> {
        let time = self.now.unwrap_or_else(Timestamp::now);
        self.ready(time)?;
        if self.chain.has_lines() {
            self.wanted = true;
            self.attempt_rotation(time);
        }
        self.report()
    }

    /// Ends the segment. A child's file becomes a segment at once; that of the log keeps its name until the next start.
    fn finish(&mut self) -> Result<(), Error> {
        if self.process != std::process::id() {
            return Ok(());
        }
        self.chain.discard_empty(&self.files.directory);
        if self.chain.is_open() {
            let time = self.now.unwrap_or_else(Timestamp::now);
            if self.chain.active == self.files.names.active() {
                self.chain.end(time)?;
                let name = self.chain.active.clone();
                self.chain.close(&name);
            } else {
                let lock = self.files.lock()?;
                let listing = self.files.list()?;
                self.close_as_segment(&listing, time)?;
                drop(lock);
            }
        }
        self.report()
    }
}

impl FileWriter for SealedWriter {
    fn write(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let clock = self.now.unwrap_or_else(Timestamp::now);
        self.write_lines(lines, clock)
    }

    fn next(&self) -> Next {
        self.prune_time.next(self.now)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Tick(now) => {
                self.at(now);
                self.report()
            }
            Control::Sync => self.sync(),
            Control::Reopen => self.ready(self.now.unwrap_or_else(Timestamp::now)),
            Control::Rotate => self.rotate_now(),
            Control::Close => self.finish(),
            _ => Ok(()),
        }
    }

    fn await_line(&mut self) {
        if self.files.is_lazy && self.process == std::process::id() {
            self.chain.discard_empty(&self.files.directory);
        }
    }

    fn directory(&self) -> &Arc<Directory> {
        &self.files.directory
    }
}

impl Drop for SealedWriter {
    /// For a sink that is dropped without being closed.
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.chain.discard_empty(&self.files.directory);
        }
    }
}
