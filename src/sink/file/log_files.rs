//! The files of one log: what is in the directory, who may rename and remove, what has to go.
//!
//! The writer and the compression thread share it. The active file is renamed, and segments are removed, only under the
//! lock file. Files whose names do not parse as this log's are never touched. Files with such a name that must not be
//! trusted, or whose number or year no log gave, are left alone as well: no segment takes their place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::failed::failed;
use super::newest_link::NewestLink;
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Calendar, Compression, Label, Retention, Segment, SegmentNames};
use crate::sink::directory::{Attributes, Directory, Entry, HeldFile, Identity, Links, NewFiles, lacks_locks};

/// How often and how long the lock file is waited for: a second in all.
const LOCK_ATTEMPTS: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
pub(super) struct LogFiles {
    pub(super) directory: Arc<Directory>,
    /// The active file, absolute.
    pub(super) active_path: PathBuf,
    pub(super) names: SegmentNames,
    /// What a segment is called after.
    pub(super) calendar: Calendar,
    /// A time in the period whose file this is, where the path has a date.
    pub(super) period_of: Option<Timestamp>,
    /// Settings of new files.
    pub(super) new_files: NewFiles,
    /// What new files get: as set, or as the active file has it.
    pub(super) attributes: Attributes,
    /// No empty file stays before its first line.
    pub(super) is_lazy: bool,
    /// Leads to the active file, where that is wanted.
    pub(super) link: Option<NewestLink>,
    /// A directory that other users may write to is an error.
    pub(super) is_strict: bool,
    pub(super) retention: Retention,
    /// How closed segments are stored.
    pub(super) compression: Compression,
}

/// What is in the directory.
#[derive(Debug, Default)]
pub(super) struct DirectoryListing {
    pub(super) closed: BTreeMap<Segment, Vec<SegmentFile>>,
    /// Compressed files that are being written, or that a crash left.
    pub(super) temporaries: Vec<(Segment, String)>,
    /// What the next segment must follow. What another user put there does not count.
    pub(super) newest: Option<Segment>,
    /// Places of segments with a name that is taken by something else.
    pub(super) taken: BTreeSet<Segment>,
    pub(super) left_alone: LeftAlone,
}

/// Names of this log that are not used, and why.
#[derive(Debug, Default)]
pub(super) struct LeftAlone {
    pub(super) count: usize,
    /// The first one: its name and the reason.
    pub(super) first: Option<(String, String)>,
}

/// The lock file, held.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: HeldFile,
    /// False where the file system has no locks.
    pub(super) is_held: bool,
}

impl Drop for DirectoryLock {
    /// Closing the file does not suffice: a forked process may have inherited the lock.
    fn drop(&mut self) {
        let _ = self.file.get().and_then(File::unlock);
    }
}

/// One file of a closed segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFile {
    pub(super) compression: Compression,
    pub(super) entry: Entry,
}

impl LogFiles {
    /// Returns the path of a file in the directory, for messages.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Opens the directory at the log's path again, or creates it. After a `chroot` the path may lead anywhere, so the
    /// held directory stays.
    pub(super) fn find_directory(&mut self) -> Result<(), Error> {
        if !self.directory.has_other_root() {
            let opened = Directory::open(self.directory.path(), self.new_files.directory_mode);
            self.directory = Arc::new(opened.map_err(failed("open", &self.active_path))?);
        }
        Ok(())
    }

    /// Returns whether the log's path still leads to that file.
    pub(super) fn leads_to(&self, identity: Identity) -> bool {
        let by_path = identity.is_at(&self.active_path);
        by_path || (self.directory.has_other_root() && self.directory.leads_to(self.names.active(), identity))
    }

    pub(super) fn list(&self) -> Result<DirectoryListing, Error> {
        self.read_directory().map_err(failed("list", self.directory.path()))
    }

    fn read_directory(&self) -> io::Result<DirectoryListing> {
        let mut listing = DirectoryListing::default();
        self.directory.each_name(|name| {
            let temporary = self.names.parse_temporary(name);
            let closed = self.names.parse(name).filter(|(segment, _)| !segment.may_be_a_date());
            let Some((segment, compression)) =
                closed.or_else(|| temporary.map(|segment| (segment, Compression::Plain)))
            else {
                return Ok(());
            };
            let entry = match self.directory.inspect(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                inspected => inspected?,
            };
            if let Some(why) = Self::distrust(segment, &entry) {
                listing.taken.insert(segment);
                if entry.is_own() && segment.leaves_room() {
                    // A directory of this user, for example: no attack, and no segment either.
                    listing.follow(segment);
                } else {
                    listing.left_alone.add(name, why);
                }
            } else if temporary.is_some() {
                listing.temporaries.push((segment, name.to_owned()));
            } else {
                if self.compression != Compression::Plain
                    && compression == Compression::Plain
                    && let Some(why) = entry.distrust(Links::One)
                {
                    listing.left_alone.add(name, why);
                }
                listing.add(segment, SegmentFile { compression, entry });
            }
            Ok(())
        })?;
        Ok(listing)
    }

    /// Returns why a file with a segment's name is left alone.
    pub(super) fn distrust(segment: Segment, entry: &Entry) -> Option<String> {
        let no_room = || "its number or year leaves no room for a successor".to_owned();
        entry.distrust(Links::Any).or_else(|| (!segment.leaves_room()).then(no_room))
    }

    /// Returns the place of the segment that is closed next.
    pub(super) fn next_segment(listing: &DirectoryListing, newest: Option<Segment>, label: Label) -> Segment {
        let mut segment = Segment::after(newest, label);
        while listing.taken.contains(&segment) {
            segment = segment.next();
        }
        segment
    }

    /// Returns a complaint if other users may write to the directory.
    ///
    /// # Errors
    /// They may, and the settings forbid it.
    pub(super) fn exposure(&self) -> Result<Option<Error>, Error> {
        let path = self.directory.path();
        let exposure = self.directory.exposure().map_err(failed("inspect", path))?;
        let why = exposure.map(|why| {
            format!("the directory {}: {why}; other users can rename and remove the log's files", path.display())
        });
        match why {
            Some(why) if self.is_strict => Err(Error::invalid(format!("{why}; strict_directory forbids that"))),
            why => Ok(why.map(Error::retry)),
        }
    }

    /// Returns a complaint about files that are left alone, if there are any.
    pub(super) fn left_alone(&self, listing: &DirectoryListing) -> Option<Error> {
        let LeftAlone { count, first: Some((name, why)) } = &listing.left_alone else { return None };
        let path = self.path(name);
        let others = if *count == 1 { String::new() } else { format!("; and {} more", count - 1) };
        Some(Error::retry(format!("left alone {}: {why}{others}", path.display())))
    }

    /// Returns a complaint if the lock file is not locked.
    pub(super) fn missing_locks(&self, lock: &DirectoryLock) -> Option<Error> {
        let path = self.directory.path().display();
        let why = "its file system has no locks; give each process its own file, segments stay uncompressed";
        (!lock.is_held).then(|| Error::retry(format!("the directory {path}: {why}")))
    }

    /// Checks what would make every rotation fail, as far as it can be known before.
    ///
    /// # Errors
    /// A name would be too long, something is mounted at the active file, or the lock file may not be trusted.
    pub(super) fn check_rotation(&self) -> Result<(), Error> {
        let (longest, limit) = (self.names.longest(self.compression), self.directory.longest_name());
        let refused = |name: &str, why: String| Error::invalid(format!("open {}: {why}", self.path(name).display()));
        let active = self.names.active();
        if longest > limit {
            let most = limit.saturating_sub(longest - active.len());
            return Err(refused(
                active,
                format!(
                    "the names of its segments would have up to {longest} bytes, the file system allows {limit}; expected \
                     a file name of at most {most} bytes"
                ),
            ));
        }
        if self.directory.is_mount_point(active) {
            let why = "it is a mount point, which cannot be renamed to rotate it; mount its directory instead";
            return Err(refused(active, why.into()));
        }
        let lock = self.names.lock();
        match self.directory.inspect(&lock).map(|entry| entry.distrust(Links::One)) {
            Ok(Some(why)) => Err(refused(&lock, format!("{why}; rotation needs this lock file"))),
            _ => Ok(()),
        }
    }

    /// Takes the lock file, and holds it until the returned value is dropped.
    ///
    /// Only the process's own user can open it, so no other user can hold its lock.
    ///
    /// # Blocking
    /// Waits for other processes, a second at most.
    pub(super) fn lock(&self) -> Result<DirectoryLock, Error> {
        let name = self.names.lock();
        let path = self.path(&name);
        let (file, _) = self.directory.open_or_create(&name, Links::One).map_err(failed("open", &path))?;
        Directory::make_private(file.get().map_err(failed("inspect", &path))?).map_err(failed("inspect", &path))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.get().map_err(TryLockError::Error).and_then(File::try_lock) {
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                // Without locks, the only protection is that files are renamed to new names only.
                Err(TryLockError::Error(error)) if lacks_locks(&error) => {
                    return Ok(DirectoryLock { file, is_held: false });
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
                Ok(()) => return Ok(DirectoryLock { file, is_held: true }),
            }
        }
        Err(Error::retry(format!(
            "lock {}: another process held it for a second; spanline tries again",
            path.display()
        )))
    }

    /// Removes the segments beyond a limit. Returns when the next one will be too old.
    pub(super) fn prune(&self, now: Option<Timestamp>) -> Result<Option<Timestamp>, Error> {
        if self.retention.is_unlimited() {
            return Ok(None);
        }
        let (surplus, expiry) = self.surplus(&self.list()?, now);
        if surplus.is_empty() {
            return Ok(expiry);
        }
        let lock = self.lock()?;
        self.prune_listed(&mut self.list()?, now, &lock)
    }

    /// Like [`prune`](Self::prune), with a listing made under the lock; removes them from the listing as well.
    pub(super) fn prune_listed(
        &self,
        listing: &mut DirectoryListing,
        now: Option<Timestamp>,
        _: &DirectoryLock,
    ) -> Result<Option<Timestamp>, Error> {
        let (surplus, expiry) = self.surplus(listing, now);
        let mut result = Ok(expiry);
        for segment in surplus {
            for file in listing.closed.remove(&segment).unwrap_or_default() {
                let name = self.names.segment(segment, file.compression);
                let removed = self.directory.remove(&name).map_err(failed("remove", &self.path(&name)));
                result = result.and_then(|expiry| removed.map(|()| expiry));
            }
        }
        result
    }

    /// Returns the segments beyond a limit, and when the next one will be too old.
    pub(super) fn surplus(
        &self,
        listing: &DirectoryListing,
        now: Option<Timestamp>,
    ) -> (Vec<Segment>, Option<Timestamp>) {
        let closed: Vec<_> = listing
            .closed
            .iter()
            .map(|(segment, files)| {
                let size = files.iter().map(|file| file.entry.bytes).sum();
                (self.closed_at(*segment, files, now), size)
            })
            .collect();
        let surplus = self.retention.surplus(&closed, now);
        let expiry = self.retention.expiry(&closed, &surplus);
        let is_surplus = |(place, segment): (usize, &Segment)| surplus.binary_search(&place).ok().map(|_| *segment);
        (listing.closed.keys().enumerate().filter_map(is_surplus).collect(), expiry)
    }
}

impl LogFiles {
    /// Returns when a segment was closed: its last write, which compression keeps. If that is in the future, the clock was
    /// ahead then, or the file was copied; its name tells instead.
    pub(super) fn closed_at(&self, segment: Segment, files: &[SegmentFile], now: Option<Timestamp>) -> Timestamp {
        let modified = files.iter().map(|file| file.entry.modified).min().unwrap_or_default();
        let is_past = |time: &Timestamp| now.is_none_or(|now| *time <= now);
        let named =
            || segment.label.and_then(|label| self.calendar.end(label)).map_or(modified, |end| end.min(modified));
        Some(modified).filter(is_past).unwrap_or_else(named)
    }
}

impl DirectoryListing {
    /// Adds a file of a closed segment.
    pub(super) fn add(&mut self, segment: Segment, file: SegmentFile) {
        self.follow(segment);
        self.closed.entry(segment).or_default().push(file);
    }

    /// Makes the next segment follow this one.
    fn follow(&mut self, segment: Segment) {
        self.newest = Some(self.newest.map_or(segment, |newest| newest.highest(segment)));
    }

    /// Returns whether the file is one of the closed segments.
    pub(super) fn holds(&self, identity: Identity) -> bool {
        self.closed.values().flatten().any(|file| file.entry.identity == identity)
    }
}

impl LeftAlone {
    fn add(&mut self, name: &str, why: String) {
        self.count += 1;
        self.first.get_or_insert_with(|| (name.to_owned(), why));
    }
}
