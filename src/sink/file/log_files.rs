//! The files of one log: what is in the directory, who may rename and remove, what has to go.
//!
//! The writer and the compression thread share it. The active file is renamed, and segments are removed, only under the
//! lock file. Files whose names do not parse as this log's are never touched.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::open::{self, Identity, Modes, failed};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Compression, Retention, Segment, SegmentNames};

/// How often and how long the lock file is waited for: a second in all.
const LOCK_ATTEMPTS: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct LogFiles {
    /// The active file, absolute.
    pub(super) active_path: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) names: SegmentNames,
    pub(super) modes: Modes,
    pub(super) retention: Retention,
    /// How closed segments are stored.
    pub(super) compression: Compression,
}

/// What is in the directory.
#[derive(Debug, Default)]
pub(super) struct DirectoryListing {
    pub(super) closed: BTreeMap<Segment, Vec<SegmentFile>>,
    /// Compressed files that are being written, or that a crash left.
    pub(super) temporaries: Vec<(Segment, PathBuf)>,
    /// What the next segment must follow. Names taken by something other than a file count too.
    pub(super) newest: Option<Segment>,
}

/// The lock file, held.
#[derive(Debug)]
pub(super) struct DirectoryLock(File);

impl Drop for DirectoryLock {
    /// Closing the file does not suffice: a forked process may have inherited the lock.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// One file of a closed segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFile {
    pub(super) compression: Compression,
    pub(super) bytes: u64,
    pub(super) identity: Identity,
}

impl LogFiles {
    pub(super) fn path_of(&self, segment: Segment, compression: Compression) -> PathBuf {
        self.directory.join(self.names.segment(segment, compression))
    }

    pub(super) fn list(&self) -> Result<DirectoryListing, Error> {
        self.read_directory().map_err(failed("list", &self.directory))
    }

    fn read_directory(&self) -> io::Result<DirectoryListing> {
        let mut listing = DirectoryListing::default();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(segment) = self.names.parse_temporary(name) {
                listing.temporaries.push((segment, entry.path()));
            }
            let Some((segment, compression)) = self.names.parse(name) else { continue };
            listing.newest = Some(listing.newest.map_or(segment, |newest| newest.highest(segment)));
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    let stored = SegmentFile { compression, bytes: metadata.len(), identity: Identity::of(&metadata) };
                    listing.closed.entry(segment).or_default().push(stored);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listing)
    }

    /// Takes the lock file, and holds it until the returned value is dropped.
    ///
    /// # Blocking
    /// Waits for other processes, a second at most.
    pub(super) fn lock(&self) -> Result<DirectoryLock, Error> {
        let path = self.directory.join(self.names.lock());
        let file = open::open_or_create(&path, self.modes).map_err(failed("open", &path))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                // Without locks, the only protection is that files are renamed to new names only.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(DirectoryLock(file));
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
                Ok(()) => return Ok(DirectoryLock(file)),
            }
        }
        Err(Error::retry(format!(
            "lock {}: another process held it for a second; spanline tries again",
            path.display()
        )))
    }

    /// Removes the segments beyond a limit.
    pub(super) fn prune(&self, now: Option<Timestamp>) -> Result<(), Error> {
        if self.retention.is_unlimited() || self.surplus(&self.list()?, now).is_empty() {
            return Ok(());
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
    ) -> Result<(), Error> {
        let mut result = Ok(());
        for segment in self.surplus(listing, now) {
            for file in listing.closed.remove(&segment).unwrap_or_default() {
                let path = self.path_of(segment, file.compression);
                result = result.and(remove(&path).map_err(failed("remove", &path)));
            }
        }
        result
    }

    fn surplus(&self, listing: &DirectoryListing, now: Option<Timestamp>) -> Vec<Segment> {
        let size = |files: &Vec<SegmentFile>| files.iter().map(|file| file.bytes).sum();
        let closed: Vec<_> = listing.closed.iter().map(|(segment, files)| (*segment, size(files))).collect();
        listing.closed.keys().take(self.retention.surplus(&closed, now)).copied().collect()
    }
}

impl DirectoryListing {
    /// Adds a segment that has been closed since.
    pub(super) fn add(&mut self, segment: Segment, file: SegmentFile) {
        self.newest = Some(self.newest.map_or(segment, |newest| newest.highest(segment)));
        self.closed.entry(segment).or_default().push(file);
    }

    /// Returns whether the file is one of the closed segments.
    pub(super) fn holds(&self, identity: Identity) -> bool {
        self.closed.values().flatten().any(|file| file.identity == identity)
    }
}

/// Returns whether the path still leads to that file.
pub(super) fn leads_to(path: &Path, identity: Identity) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| Identity::of(&metadata) == identity)
}

/// Removes a file, unless it is gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
