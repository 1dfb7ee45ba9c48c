//! Which process has which spool: a lock file for each.
//!
//! `<owner>.lock` is locked while its process lives. The system releases the lock when the process ends, however that
//! happens. The process that gets the lock of another owner takes over its segments. It removes the lock file last.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::frame::Cursor;
use super::segment::{Place, Segment};
use super::settings::Limits;
use super::store::Store;
use crate::metrics::ByLevel;
use crate::record::Timestamp;

/// A name can be taken: this many attempts.
const ATTEMPTS: u32 = 16;

impl Store {
    /// Begins a spool in a directory. With `takes_over`, takes over those that ended processes have left.
    pub(super) fn open(mut disk: Box<dyn Disk>, limits: Limits, takes_over: bool) -> io::Result<Self> {
        let (owner, lock) = Self::claim(&mut *disk)?;
        let mut store = Self::new(disk, limits, owner, lock);
        if takes_over {
            store.take_over()?;
        }
        Ok(store)
    }

    /// Becomes an owner, with its lock.
    pub(super) fn claim(disk: &mut dyn Disk) -> io::Result<(Arc<str>, Box<dyn DiskFile>)> {
        for _ in 0..ATTEMPTS {
            let owner = new_owner();
            if let Some(lock) = disk.lock(&format!("{owner}.lock"))? {
                return Ok((owner, lock));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "another program takes the lock of each new file"))
    }

    /// Takes over what ended processes have left, oldest first. Only while there are no lines. What cannot be used is left
    /// where it is, and reported: a file that somebody has put there does not keep the log from starting.
    pub(super) fn take_over(&mut self) -> io::Result<()> {
        let names = self.disk.names()?;
        let own = Arc::clone(&self.owner);
        let owners: BTreeSet<&str> = names.iter().filter_map(|name| owner_of(name)).collect();
        let mut has_waited = false;
        for owner in owners.into_iter().filter(|owner| **owner != *own) {
            let name = format!("{owner}.lock");
            let mut locked = self.disk.lock(&name);
            // Once for all of them: most belong to processes that live.
            if matches!(locked, Ok(None)) && !std::mem::replace(&mut has_waited, true) {
                self.disk.wait_for_locks();
                locked = self.disk.lock(&name);
            }
            match locked {
                Ok(Some(lock)) => self.take_over_from(owner, lock)?,
                Ok(None) => {}
                Err(error) => self.problem("take over", &name, error),
            }
        }
        Ok(())
    }

    /// Takes over the segments of an owner, whose lock this is.
    fn take_over_from(&mut self, owner: &str, lock: Box<dyn DiskFile>) -> io::Result<()> {
        // Another process may have finished it since.
        let names = self.disk.names()?;
        let mut places: Vec<_> = names.iter().filter_map(|name| Place::parse(name)).collect();
        places.retain(|place| *place.owner == *owner);
        places.sort_by_key(|place| place.number);
        let cursor = self.read_cursor(owner);
        let owner: Arc<str> = owner.into();
        for name in names.iter().filter(|name| name.starts_with(&*owner) && name.ends_with(".tmp")) {
            self.remove(name);
        }
        let is_done = |place: &Place| cursor.as_ref().is_some_and(|cursor| place.number < cursor.segment);
        for place in places.extract_if(.., |place| is_done(place)) {
            self.remove(&place.name());
        }
        if places.is_empty() {
            self.remove(&format!("{owner}.cursor"));
            self.remove(&format!("{owner}.lock"));
            return Ok(());
        }
        for place in places {
            self.segments.push_back(Segment::found(self.next_key, place));
            self.next_key += 1;
        }
        self.cursors.extend(cursor.map(|cursor| (Arc::clone(&owner), cursor)));
        self.locks.push((owner, lock));
        self.names_changed();
        Ok(())
    }

    fn read_cursor(&mut self, owner: &str) -> Option<Cursor> {
        let name = format!("{owner}.cursor");
        let mut text = vec![0; 256];
        let read = self.disk.open(&name).and_then(|mut file| file.read_at(0, &mut text));
        match read.and_then(|read| Cursor::parse(text.get(..read).unwrap_or_default())) {
            Ok(cursor) => Some(cursor),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                self.problem("read", &name, error);
                None
            }
        }
    }

    /// Counts the lines of the next segment that was taken over. `None`: all are counted.
    pub(super) fn scan_next(&mut self) -> Option<ByLevel> {
        let at = self.segments.iter().position(|segment| !segment.reading.is_scanned)?;
        let segment = self.segments.get_mut(at)?;
        let cursor = self.cursors.iter().find(|(owner, _)| *owner == segment.place.owner).map(|(_, cursor)| cursor);
        let scanned = segment.scan(&mut *self.disk, cursor);
        segment.reading.is_scanned = true;
        let (lines, place) = (segment.lines, segment.place.clone());
        if let Err(error) = scanned {
            // What is no segment has no lines, and is removed. What cannot be read stays: it must not hold up the others.
            if error.kind() != ErrorKind::InvalidData {
                self.segments.remove(at);
                if !self.segments.iter().any(|segment| segment.place.owner == place.owner) {
                    self.locks.retain(|(of, _)| *of != place.owner);
                }
            }
            self.problem("take over", &place.name(), error);
        }
        self.begin_first();
        Some(lines)
    }
}

impl Store {
    /// Returns whether segments were taken over whose lines are not counted yet.
    pub(super) fn has_unscanned(&self) -> bool {
        self.segments.iter().any(|segment| !segment.reading.is_scanned)
    }
}

/// Returns whose file it is.
fn owner_of(name: &str) -> Option<&str> {
    let (owner, _) = name.split_once(['.', '-'])?;
    let is_owner = owner.len() == 20 && owner.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = [".lock", ".seg", ".cursor", ".tmp"].iter().any(|end| name.ends_with(end));
    (is_owner && is_ours).then_some(owner)
}

/// Returns a name that sorts by the time, in 20 hex digits.
fn new_owner() -> Arc<str> {
    let nanos = u64::try_from(Timestamp::now().as_nanos()).unwrap_or(0);
    let random = RandomState::new().hash_one(nanos) as u16;
    format!("{nanos:016x}{random:04x}").into()
}
