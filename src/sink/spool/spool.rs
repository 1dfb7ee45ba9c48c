//! The sink [`Spool`]: when lines go to disk, and when they come back.

use std::time::{Duration, Instant};

use super::disk::{Disk, Folder};
use super::replay::Replay;
use super::settings::{Limits, Settings};
use super::store::{Put, Store};
use crate::error::Error;
use crate::metrics::{ByLevel, Reason};
use crate::record::Timestamp;
use crate::sink::inner::{Calling, Inner};
use crate::sink::{Control, Lines, Next};
use crate::sync::after;

/// A disk that has failed is tried again after this time.
pub(super) const DISK_PAUSE: Duration = Duration::from_secs(1);

/// So much is written to disk at a time.
const WRITE_BYTES: usize = 256 << 10;

/// A line on which the sink panics so often is given up.
const MAX_PANICS: u32 = 3;

/// Keeps lines on disk while a sink does not take them, and delivers them later, also after a restart.
///
/// While the sink takes lines, nothing is written to the disk. The page [*Spool*](crate::docs::spool) has the details.
///
/// # Errors
/// Building the log fails if the directory cannot be used, unless the spool is [`optional`](Self::optional), or if a limit is
/// out of bounds. While the log runs, a disk that fails or is full is reported, and lines wait in memory as without a spool.
///
/// # Examples
/// ```
/// use spanline::Output;
/// use spanline::sink::{Memory, Spool};
///
/// // In place of `Memory`: a sink for a server.
/// let output = Output::new(Spool::new("spool/orders", Memory::new()).max_bytes(1 << 30));
/// # let _ = output;
/// ```
pub struct Spool {
    pub(super) settings: Settings,
    pub(super) inner: Inner,
    pub(super) store: Option<Store>,
    pub(super) replay: Option<Replay>,
    pub(super) phase: Phase,
    /// When the sink got ahead last, or lines came after a time without any.
    pub(super) moved: Instant,
    /// The last call has left lines that the sink did not take.
    pub(super) has_left: bool,
    pub(super) timing: Timing,
    pub(super) reports: Vec<Error>,
    pub(super) now: Option<Timestamp>,
    #[cfg(test)]
    pub(super) fake: Option<super::tests::FakeDisk>,
}

/// When the disk is used again.
#[derive(Debug, Default)]
pub(super) struct Timing {
    /// When it is tried again after a failure.
    pub(super) disk_at: Option<Instant>,
    sync_at: Option<Instant>,
    /// The directory could not be used at the start. What ended processes have left in it waits.
    pub(super) is_unopened: bool,
    /// The directory was opened once.
    has_taken_over: bool,
    /// When it looks again for what ended processes have left. `None`: at the next call.
    look_at: Option<Instant>,
}

/// How often a spool without lines looks for what ended processes have left.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Where new lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To the sink.
    Direct,
    /// To disk, from the id `from` on. Those before it are delivered first.
    Spooling { from: u64, since: Timestamp },
}

impl Spool {
    /// Opens the directory. The first time, takes over what ended processes have left.
    pub(super) fn open_store(&mut self) -> Result<(), Error> {
        #[cfg(test)]
        if let Some(fake) = self.fake.clone() {
            return Ok(self.use_disk(Box::new(fake))?);
        }
        let path = self.settings.path.display().to_string();
        let failed = |error| Error::io(format!("open the spool {path}"), error);
        let folder = Folder::open(&self.settings.path).map_err(failed)?;
        if let Some(why) = folder.exposure().map_err(failed)? {
            self.reports.push(Error::retry(format!("the spool {path} is not safe from other users: {why}")));
        }
        self.use_disk(Box::new(folder)).map_err(failed)
    }

    fn use_disk(&mut self, disk: Box<dyn Disk>) -> std::io::Result<()> {
        let max_bytes = self.settings.max_bytes.as_u64();
        let limits = Limits { max_bytes, drops_newest: self.settings.drops_newest };
        self.store = Some(Store::open(disk, limits, !self.timing.has_taken_over)?);
        (self.timing.is_unopened, self.timing.has_taken_over) = (false, true);
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.settings.max_bytes.within("max_bytes", Self::MIN_MAX_BYTES, 1 << 50)?;
        self.settings.replay_bytes.within("replay_bytes_per_second", 1 << 10, 1 << 40)?;
        Ok(())
    }

    /// Opens the store where it is needed: in a forked child, after the end of the log, or after a failure.
    pub(super) fn has_store(&mut self, now: Instant) -> bool {
        if self.store.is_none() && self.timing.disk_at.is_none_or(|at| at <= now) {
            self.timing.disk_at = None;
            if let Err(error) = self.open_store() {
                self.reports.push(error);
                self.timing.disk_at = Some(after(now, DISK_PAUSE));
            }
        }
        self.store.is_some()
    }

    /// Puts back what another program has removed, and opens again what the program has closed.
    fn repair(&mut self, now: Instant) {
        let Some(store) = self.store.as_mut().filter(|_| self.timing.disk_at.is_none_or(|at| at <= now)) else {
            return;
        };
        if store.is_whole() {
            return;
        }
        let path = &self.settings.path;
        let repaired = store.repair(|| Ok(Box::new(Folder::open(path)?)));
        if let Err(error) = repaired {
            store.problem("repair", "", error);
            self.timing.disk_at = Some(after(now, DISK_PAUSE));
        }
    }

    /// How long a sink that does not get ahead is waited for.
    fn time_left(&self, lines: &Lines) -> Duration {
        let ending = lines.ends_at().map(|at| at.saturating_duration_since(self.moved) / 2);
        ending.map_or(self.settings.patience, |ending| ending.min(self.settings.patience))
    }

    fn is_stalled(&self, lines: &Lines, now: Instant) -> bool {
        now.saturating_duration_since(self.moved) >= self.time_left(lines)
    }

    /// Returns whether offered lines have to go to disk now, and during a shutdown those in flight, too.
    fn has_to_spool(&self, lines: &Lines, now: Instant) -> bool {
        let is_full = lines.is_crowded() && lines.has_offered() && (self.has_left || lines.in_flight() > 0);
        let is_late = self.is_stalled(lines, now) && self.has_left && lines.has_offered();
        is_full || is_late || (lines.ends_at().is_some() && !lines.is_done() && self.is_stalled(lines, now))
    }

    /// Offers new lines to the sink. `None`: they have to go to disk.
    pub(super) fn direct(&mut self, lines: &mut Lines, now: Instant) -> Result<Option<Next>, Error> {
        if lines.is_done() {
            self.moved = now;
        }
        if self.has_to_spool(lines, now) && self.has_store(now) && self.timing.disk_at.is_none_or(|at| at <= now) {
            return Ok(None);
        }
        let give_up = after(self.moved, self.time_left(lines)).max(after(now, Duration::from_millis(1)));
        let mut wait = give_up;
        if !self.inner.is_ready(now) {
            self.has_left = lines.has_offered();
        } else if let Err(error) = self.inner.open(now) {
            lines.report(error);
            self.has_left = lines.has_offered();
        } else {
            let progress = lines.progress();
            let result = self.inner.call(lines, Calling::New, now);
            let has_moved = lines.progress() > progress;
            if has_moved {
                self.moved = now;
            }
            self.has_left = !lines.is_empty() && !has_moved;
            match result {
                Err(error) if error.is_rejected() => return Err(error),
                Err(error) => {
                    lines.give_back(..);
                    self.has_left = lines.has_offered();
                    lines.report(error);
                }
                Ok(Next::Later(at)) if self.has_left || lines.ends_at().is_some() => wait = wait.min(at),
                Ok(next) => return Ok(Some(next)),
            }
        }
        let retry = self.inner.retry_at().filter(|_| !lines.is_done());
        if self.has_to_spool(lines, now) && self.has_store(now) && self.timing.disk_at.is_none_or(|at| at <= now) {
            return Ok(None);
        }
        Ok(Some(Next::Later(retry.map_or(wait, |retry| retry.min(wait)))))
    }

    pub(super) fn begin(&mut self, lines: &mut Lines) {
        let first = lines.first_offered_id();
        let torn = if lines.at_line_start() { 0 } else { first + 1 };
        let in_flight = lines.iter_in_flight().last().map_or(0, |line| line.id + 1);
        let since = self.now.unwrap_or_else(Timestamp::now);
        self.phase = Phase::Spooling { from: first.max(torn).max(in_flight), since };
        let path = self.settings.path.display();
        lines.remark(format!("lines go to the spool {path} until the sink takes them again"));
    }

    /// Writes the offered lines from the id `from` on to disk.
    fn keep(&mut self, lines: &mut Lines, from: u64, now: Instant) {
        let Some(store) = &mut self.store else { return };
        if self.timing.disk_at.is_some_and(|at| at > now) {
            return;
        }
        let mut is_left = true;
        while is_left {
            is_left = false;
            let (mut first, mut last, mut bytes) = (None, 0, 0);
            let (mut is_full, mut dropped, mut time) = (false, ByLevel::default(), None);
            let mut failed = None;
            for line in lines.iter().filter(|line| line.id >= from) {
                match store.put(&line) {
                    Ok(Put::Kept) => bytes += line.bytes.len(),
                    Ok(Put::Dropped) => {
                        dropped.add(line.level, u64::from(!line.is_notice));
                        time = Some(line.time);
                    }
                    Ok(Put::SegmentFull) => is_full = true,
                    Err(error) => failed = Some(error),
                }
                if is_full || failed.is_some() {
                    is_left = is_full;
                    break;
                }
                first.get_or_insert(line.id);
                last = line.id;
                if bytes >= WRITE_BYTES {
                    is_left = true;
                    break;
                }
            }
            match store.commit() {
                Ok(()) => {
                    if let Some(first) = first {
                        lines.spool(first..=last);
                        for (level, count) in dropped.levels() {
                            lines.spooled_dropped(Reason::SpoolFull, level, count, time.unwrap_or_default());
                        }
                    }
                    self.timing.disk_at = None;
                    if let Some(replay) = self.replay.as_mut().filter(|_| bytes > 0) {
                        replay.came(bytes);
                    }
                }
                Err(error) => failed = Some(error),
            }
            if is_full && failed.is_none() {
                store.rotate();
            }
            if let Some(error) = failed {
                self.timing.disk_at = Some(after(now, DISK_PAUSE));
                store.problem("write to", "", error);
                is_left = false;
            }
        }
    }

    /// Delivers lines that were taken or in flight when the spool began, before all others. Returns whether some are left.
    fn finish_first(&mut self, lines: &mut Lines, from: u64, now: Instant) -> bool {
        let is_left = |lines: &Lines| lines.in_flight() > 0 || (lines.has_offered() && lines.first_offered_id() < from);
        if !is_left(lines) {
            return false;
        }
        let progress = lines.progress();
        if self.inner.is_ready(now) && self.inner.open(now).is_ok() {
            let inner = &mut self.inner;
            let result = lines.until(from, |lines| inner.call(lines, Calling::New, now));
            if let Err(error) = result {
                lines.give_back(..);
                lines.report(error);
            }
        }
        if lines.progress() > progress {
            self.moved = now;
        }
        let is_ending = lines.ends_at().is_some();
        if is_left(lines) && self.is_stalled(lines, now) && (lines.at_line_start() || is_ending) {
            let mut all: Vec<_> = lines.iter_in_flight().chain(lines.iter().filter(|line| line.id < from)).collect();
            all.sort_by_key(|line| line.id);
            let stored = self.store.as_mut().map(|store| store.put_before(all.into_iter()));
            match stored {
                Some(Ok(())) => drop(lines.spool(..from)),
                Some(Err(error)) => lines.report(Error::io("write to the spool", error)),
                None => {}
            }
        }
        is_left(lines)
    }

    /// Sends lines from the disk. Returns when to go on.
    fn send(&mut self, lines: &mut Lines, now: Instant) -> Next {
        let batch = self.settings.batch;
        let rate = self.settings.replay_bytes.as_u64();
        let replay = self.replay.get_or_insert_with(|| Replay::new(lines, batch, rate));
        let Some(store) = &mut self.store else { return Next::Done };
        if !self.inner.is_ready(now) {
            return self.inner.retry_at().map_or(Next::Done, Next::Later);
        }
        if let Err(error) = self.inner.open(now) {
            lines.report(error);
            return self.inner.retry_at().map_or(Next::Done, Next::Later);
        }
        let paced = replay.fill(store, now).unwrap_or_else(|error| {
            store.problem("read from", "", error);
            Some(after(now, DISK_PAUSE))
        });
        let mut next = Next::Done;
        if !replay.is_done() {
            replay.offer();
            let result = self.inner.call(&mut replay.lines, Calling::Replayed, now);
            replay.settle(lines);
            match result {
                Ok(asked) => {
                    let is_left = replay.lines.has_offered();
                    next = if is_left && replay.lines.is_empty() { Next::More } else { asked };
                    let is_more = !is_left && !replay.is_read && paced.is_none() && replay.lines.in_flight() == 0;
                    next = if is_more || (is_left && next == Next::Done) { Next::More } else { next };
                }
                Err(error) if error.is_rejected() => {
                    replay.rejected(lines, error);
                    replay.settle(lines);
                    next = Next::More;
                }
                Err(error) => {
                    replay.lines.give_back(..);
                    lines.report(error);
                    next = self.inner.retry_at().map_or(Next::Done, Next::Later);
                }
            }
        }
        if replay.has_done() {
            match self.inner.control(Control::Flush) {
                Ok(()) => replay.release(store),
                Err(error) => {
                    lines.report(error);
                    next = next.or_at(Some(after(now, DISK_PAUSE)));
                }
            }
        }
        store.tidy(replay.is_read && replay.is_done());
        next.or_at(paced)
    }

    /// Everything that happens while lines are on disk.
    pub(super) fn spool(&mut self, lines: &mut Lines, from: u64, now: Instant) -> Next {
        self.repair(now);
        self.keep(lines, from, now);
        // Before the sink is called, which may panic.
        self.report(lines);
        let is_first = self.finish_first(lines, from, now);
        let mut next =
            if is_first { Next::Later(after(now, Duration::from_millis(20))) } else { self.send(lines, now) };
        if let Some(store) = &mut self.store {
            let is_unsynced = store.is_unsynced();
            let interval = self.settings.sync_interval;
            let due = is_unsynced.then(|| *self.timing.sync_at.get_or_insert_with(|| after(now, interval)));
            if due.is_some_and(|due| due <= now) {
                self.timing.sync_at = None;
                if let Err(error) = store.sync() {
                    store.problem("sync", "", error);
                    self.timing.sync_at = Some(after(now, interval.max(DISK_PAUSE)));
                }
            }
            self.timing.sync_at = self.timing.sync_at.filter(|_| store.is_unsynced());
            next = next.or_at(self.timing.sync_at);
        }
        let is_empty = self.store.as_ref().is_none_or(Store::is_empty);
        let is_sent = self.replay.as_ref().is_none_or(Replay::is_done);
        if is_empty && is_sent && !is_first {
            self.phase = Phase::Direct;
            (self.moved, self.has_left) = (now, false);
            if self.timing.disk_at.is_none() {
                let path = self.settings.path.display();
                lines.remark(format!("all lines of the spool {path} are sent"));
            }
            if lines.has_offered() && next == Next::Done {
                next = Next::More;
            }
        }
        let next = next.or_at(self.timing.disk_at.filter(|_| lines.has_offered()));
        // The worker takes it for a failure when lines are left.
        if next == Next::Done && lines.has_offered() { Next::Later(after(now, DISK_PAUSE)) } else { next }
    }

    /// Takes over what processes have left that ended since it last looked, and outputs of this one that were replaced.
    /// Returns when it looks again.
    pub(super) fn look_for_others(&mut self, now: Instant) -> Option<Instant> {
        let is_due = self.timing.look_at.is_none_or(|at| at <= now);
        if is_due {
            self.repair(now);
        }
        let store = self.store.as_mut().filter(|store| store.is_empty())?;
        if is_due {
            self.timing.look_at = Some(after(now, LOOK_EVERY));
            if let Err(error) = store.take_over() {
                store.problem("look into", "", error);
            }
        }
        self.timing.look_at
    }

    /// Counts what was taken over. Returns whether there may be more.
    pub(super) fn count_taken_over(&mut self, lines: &mut Lines) -> bool {
        let Some(taken) = self.store.as_mut().and_then(Store::scan_next) else { return false };
        for (level, count) in taken.levels() {
            lines.take_over(level, count);
        }
        if self.phase == Phase::Direct {
            self.begin(lines);
        }
        true
    }

    /// Reports what the store has lost, and what went wrong.
    pub(super) fn report(&mut self, lines: &mut Lines) {
        for error in self.reports.drain(..) {
            lines.report(error);
        }
        if let Some(store) = &mut self.store {
            let (lost, problems) = store.take_findings();
            for line in lost {
                lines.spooled_dropped(line.reason, line.level, line.lines, line.time);
            }
            problems.into_iter().for_each(|problem| lines.report(problem));
        }
        let since = match self.phase {
            Phase::Direct => None,
            Phase::Spooling { since, .. } => Some(since),
        };
        let bytes = self.store.as_ref().map_or(0, Store::bytes);
        lines.set_spool(bytes, since, self.replay.as_ref().map_or(0, Replay::written_bytes));
    }

    pub(super) fn after_panic(&mut self, lines: &mut Lines) {
        let Some((calling, panics)) = self.inner.take_panic() else { return };
        if calling == Calling::Replayed
            && let Some(replay) = &mut self.replay
        {
            replay.lines.give_back(..);
            if panics.is_multiple_of(MAX_PANICS) {
                replay.give_up_line(lines, Reason::Panicked);
            }
            replay.settle(lines);
        }
    }

    /// Lets go of the spool. In a forked child, it is the parent's.
    pub(super) fn forget(&mut self) {
        (self.store, self.replay, self.phase) = (None, None, Phase::Direct);
        (self.timing.disk_at, self.timing.sync_at, self.has_left, self.timing.is_unopened) = (None, None, false, false);
    }

    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.repair(Instant::now());
        let path = self.settings.path.display();
        let synced = self.store.as_mut().filter(|store| store.is_unsynced()).map_or(Ok(()), Store::sync);
        synced.map_err(|error| Error::io(format!("sync the spool {path}"), error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::FakeDisk;
    use super::*;

    impl Spool {
        /// Uses a disk of the tests, once it can be used.
        pub(in super::super) fn open_with(&mut self, disk: &FakeDisk) {
            self.fake = Some(disk.clone());
            self.timing.is_unopened = true;
            let _ = self.open_store();
        }

        /// No failure is waited for.
        pub(in super::super) fn make_ready(&mut self) {
            self.inner.revive();
            self.timing.disk_at = None;
        }

        pub(in super::super) fn store(&self) -> Option<&Store> {
            self.store.as_ref()
        }

        pub(in super::super) fn is_direct(&self) -> bool {
            self.phase == Phase::Direct
        }
    }
}
