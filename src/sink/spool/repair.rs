//! Files of a spool that another program has removed, and descriptors that this program has closed.
//!
//! A removed file lives while it is open, and its lines would be lost with the process. So it is written again, byte by
//! byte: its frames and the cursor stay valid. A segment that was not open is lost, which reading it tells.

use std::io;
use std::sync::Arc;

use super::disk::Disk;
use super::reader::Reader;
use super::store::Store;
use crate::metrics::Reason;

impl Store {
    /// Returns whether the directory, the locks and the open segments are there.
    pub(super) fn is_whole(&mut self) -> bool {
        self.disk.is_there()
            && self.locks.iter_mut().all(|(_, lock)| lock.is_there())
            && self.segments.iter_mut().all(|segment| segment.is_there() != Some(false))
    }

    /// Makes the spool whole. `open` opens the directory again, and creates it if it is missing.
    ///
    /// # Errors
    /// The disk fails. What is not done yet is done the next time.
    pub(super) fn repair(&mut self, open: impl FnOnce() -> io::Result<Box<dyn Disk>>) -> io::Result<()> {
        if !self.disk.is_there() {
            self.disk = open()?;
        }
        self.lock_again()?;
        for at in 0..self.segments.len() {
            self.put_back(at)?;
        }
        // Those that were not open.
        let names = self.disk.names()?;
        while let Some(at) = self.segments.iter().position(|segment| !names.contains(&segment.place.name())) {
            let name = self.segments.get(at).map(|segment| segment.place.name()).unwrap_or_default();
            self.problem("keep", &name, io::Error::new(io::ErrorKind::NotFound, "another program has removed it"));
            self.give_up_segment(at);
        }
        self.names_changed();
        Ok(())
    }

    /// Locks the owners whose lock is gone. Another process may have taken one over meanwhile.
    fn lock_again(&mut self) -> io::Result<()> {
        for at in 0..self.locks.len() {
            let Some((owner, lock)) = self.locks.get_mut(at) else { break };
            if lock.is_there() {
                continue;
            }
            let owner = Arc::clone(owner);
            let name = format!("{owner}.lock");
            let locked = self.disk.lock(&name)?;
            let is_taken = locked.is_none();
            if let (Some((_, lock)), Some(locked)) = (self.locks.get_mut(at), locked) {
                *lock = locked;
            }
            if is_taken {
                self.hand_over(&owner)?;
                break;
            }
        }
        Ok(())
    }

    /// Leaves the segments of an owner to the process that has its lock. That process delivers their lines.
    fn hand_over(&mut self, owner: &Arc<str>) -> io::Result<()> {
        if **owner == *self.owner {
            let (owner, lock) = Self::claim(&mut *self.disk)?;
            self.locks.push((Arc::clone(&owner), lock));
            self.owner = owner;
        }
        self.locks.retain(|(of, _)| of != owner);
        let mut at = 0;
        while let Some(segment) = self.segments.get_mut(at) {
            if segment.place.owner != *owner {
                at += 1;
                continue;
            }
            let (lines, time, name) = (segment.take_damaged(), segment.last_time, segment.place.name());
            self.lose(Reason::Damaged, lines, time);
            self.problem("keep", &name, io::Error::other("another process has taken it over, as its lock was gone"));
            self.forget_segment(at);
        }
        Ok(())
    }

    /// Writes a removed segment again, and opens a lost one by its name.
    fn put_back(&mut self, at: usize) -> io::Result<()> {
        let Some(segment) = self.segments.get_mut(at) else { return Ok(()) };
        if segment.is_there() != Some(false) {
            return Ok(());
        }
        let name = segment.place.name();
        let mut bytes = vec![0; usize::try_from(segment.bytes).unwrap_or(0)];
        let read = segment.file(&mut *self.disk).and_then(|file| file.read_at(0, &mut bytes));
        if read.is_ok_and(|read| read == bytes.len()) {
            let temporary = format!("{name}.tmp");
            self.write_whole(&temporary, &bytes)?;
            self.disk.replace(&temporary, &name)?;
            self.problem("keep", &name, io::Error::other("another program has removed it; it is written again"));
        }
        if let Some(segment) = self.segments.get_mut(at) {
            segment.close();
            match segment.file(&mut *self.disk) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Drops a segment of which nothing is left.
    pub(super) fn give_up_segment(&mut self, at: usize) -> bool {
        let Some(segment) = self.segments.get_mut(at) else { return false };
        let (lines, time) = (segment.take_damaged(), segment.last_time);
        self.lose(Reason::Damaged, lines, time);
        self.forget_segment(at);
        true
    }

    fn forget_segment(&mut self, at: usize) {
        self.segments.remove(at);
        if at < self.read_at {
            self.read_at -= 1;
        } else if at == self.read_at {
            self.reader = Reader::at(self.segments.get(at).map_or(0, |next| next.start));
        }
    }
}
