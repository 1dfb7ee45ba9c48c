//! The sealed file that is being written, and its chain.
//!
//! One writer has it open at a time, and holds its exclusive lock. So a block that was not wholly written is cut off again.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::failed::failed;
use super::log_files::LogFiles;
use crate::error::Error;
use crate::record::Timestamp;
use crate::sealed::{Batch, Head, Recipients, Sealer, Signer};
use crate::sink::directory::{Directory, HeldFile, Links, lacks_locks, try_exclusive};
use crate::sync;

/// For whom a log is sealed, and where its head is kept.
#[derive(Clone, Debug)]
pub(super) struct Sealing {
    pub(super) recipients: Recipients,
    pub(super) signer: Option<Signer>,
    pub(super) head: Arc<Mutex<Option<Head>>>,
}

/// One chain.
#[derive(Debug)]
pub(super) struct SealedChain {
    sealer: Sealer,
    /// The name of the file while it is being written.
    pub(super) active: String,
    file: Option<SealedFile>,
    head: Arc<Mutex<Option<Head>>>,
    /// To be marked as removed.
    owed: u64,
    /// The head of the segment is still to be logged.
    is_unannounced: bool,
    /// Why a file that was closed may not be durable.
    not_durable: Option<String>,
}

#[derive(Debug)]
struct SealedFile {
    file: HeldFile,
    bytes: u64,
    unsynced: bool,
}

impl SealedChain {
    /// Begins a chain, without a file.
    pub(super) fn new(sealing: &Sealing, active: String) -> Result<Self, Error> {
        let sealer = Sealer::new(sealing.recipients.clone(), sealing.signer.clone())?;
        Ok(Self {
            sealer,
            active,
            file: None,
            head: Arc::clone(&sealing.head),
            owed: 0,
            is_unannounced: false,
            not_durable: None,
        })
    }

    /// Sets the segment that the chain follows.
    pub(super) fn follow(&mut self, head: Head, file: &str) {
        self.sealer.follow(head, file);
    }

    /// Returns whether its first segment is still to be begun.
    pub(super) fn is_new(&self) -> bool {
        self.sealer.is_new()
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.sealer.is_full()
    }

    pub(super) fn has_lines(&self) -> bool {
        self.sealer.has_lines()
    }

    /// Returns the size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.bytes)
    }

    /// Returns the head of a segment that has its first block, once.
    pub(super) fn take_begun(&mut self) -> Option<Head> {
        let is_new = self.has_lines() && std::mem::take(&mut self.is_unannounced);
        self.sealer.head().filter(|_| is_new)
    }

    /// Returns whether the program has closed the descriptor.
    pub(super) fn is_lost(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.file.is_lost())
    }

    /// Returns whether the file is at its name in the directory.
    pub(super) fn is_in(&self, directory: &Directory, name: &str) -> bool {
        self.file.as_ref().is_some_and(|file| directory.leads_to(name, file.file.identity()))
    }

    /// Returns whether the log's path leads to the file.
    pub(super) fn is_at(&self, files: &LogFiles) -> bool {
        let path = files.path(&self.active);
        let is_of = |file: &SealedFile| {
            let by_path = file.file.identity().is_at(&path);
            by_path || (files.directory.has_other_root() && self.is_in(&files.directory, &self.active))
        };
        self.file.as_ref().is_some_and(is_of)
    }

    /// Returns the size of the file if it is not as long as this writer has left it.
    pub(super) fn foreign_bytes(&self) -> Option<u64> {
        let file = self.file.as_ref()?;
        let bytes = file.file.entry().map_or(0, |entry| entry.bytes);
        (bytes != file.bytes).then_some(bytes)
    }

    /// Returns the number of the segment that is being written.
    pub(super) fn segment(&self) -> Option<u64> {
        self.sealer.segment_number()
    }

    /// Creates the file, and writes the header. The caller holds the lock file, and no other file has the name.
    pub(super) fn begin(&mut self, files: &LogFiles, now: Timestamp) -> Result<Option<Error>, Error> {
        let path = files.path(&self.active);
        let file = files.directory.create(&self.active).map_err(failed("create", &path))?;
        let group = file.get().and_then(|file| Directory::set_attributes(file, files.attributes)).err();
        // A file system without locks has one writer, too, if the program is set up so.
        let _ = file.get().is_ok_and(try_exclusive);
        let begun = self.sealer.begin(files.names.active(), now).and_then(|header| {
            let mut file = SealedFile { file, bytes: 0, unsynced: false };
            file.append(&header).1.map_err(failed("write to", &path))?;
            Ok(file)
        });
        let file = begun.inspect_err(|_| drop(files.directory.remove(&self.active)))?;
        self.file = Some(file);
        self.sealer.commit();
        *sync::lock(&self.head) = self.sealer.head();
        self.is_unannounced = true;
        Ok(group.map(failed("set the group of", &path)))
    }

    /// Seals lines. Returns blocks to [`append`](Self::append).
    pub(super) fn seal(&mut self, batches: &[Batch<'_>]) -> Result<Vec<u8>, Error> {
        self.sealer.seal(batches)
    }

    /// Writes blocks: all or none, unless what was written of them cannot be cut off. Returns how many are in the file.
    pub(super) fn append(&mut self, blocks: Vec<u8>) -> (usize, io::Result<()>) {
        let Some(file) = &mut self.file else { return (0, Err(io::ErrorKind::NotFound.into())) };
        let (bytes, result) = file.append(&blocks);
        let count = self.sealer.commit_first(bytes);
        *sync::lock(&self.head) = self.sealer.head();
        self.sealer.give_back(blocks);
        (count, result)
    }

    /// Notes that files up to this number are about to be removed, and writes the mark if that is possible now.
    pub(super) fn mark_removed(&mut self, number: u64, now: Timestamp) -> Result<(), Error> {
        self.owed = self.owed.max(number);
        self.pay(now)
    }

    /// Writes the mark that is owed.
    pub(super) fn pay(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.owed == 0 || self.file.is_none() {
            return Ok(());
        }
        if let Some(block) = self.sealer.retention(self.owed, now)? {
            self.append(block).1.map_err(|error| Error::io("write the mark of retention", error))?;
            self.sync().map_err(|error| Error::io("sync the mark of retention", error))?;
        }
        self.owed = 0;
        Ok(())
    }

    /// Writes the end of the segment.
    pub(super) fn end(&mut self, now: Timestamp) -> Result<(), Error> {
        let block = self.sealer.end(now)?;
        self.append(block).1.map_err(|error| Error::io("write the end of a segment", error))
    }

    /// Closes the file, which is called `name` now.
    pub(super) fn close(&mut self, name: &str) {
        if let Err(error) = self.sync() {
            self.not_durable = Some(format!("sync {name}: {error}"));
        }
        self.sealer.close(name);
        if let Some(file) = self.file.take() {
            // Closing the file does not suffice: a forked process may have inherited the lock.
            let _ = file.file.get().and_then(File::unlock);
        }
    }

    /// The file that was closed last is called `name` now, if that is its head.
    pub(super) fn renamed(&mut self, head: Head, name: &str) {
        self.sealer.renamed(head, name);
    }

    /// Removes a file without a line.
    pub(super) fn discard_empty(&mut self, directory: &Directory) {
        if self.sealer.is_empty() && self.is_in(directory, &self.active) {
            let _ = directory.remove(&self.active);
            self.sealer.discard();
            self.file = None;
            *sync::lock(&self.head) = self.sealer.head();
        }
    }

    /// Lets go of a file that belongs to a parent, too.
    pub(super) fn forget(&mut self) {
        self.file = None;
    }

    /// Takes why a file that was closed may not be durable.
    pub(super) fn take_not_durable(&mut self) -> Option<String> {
        self.not_durable.take()
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_mut().filter(|file| file.unsynced) else { return Ok(()) };
        file.file.get()?.sync_data()?;
        file.unsynced = false;
        Ok(())
    }
}

impl SealedFile {
    /// Appends all of `bytes`, or nothing, unless what was written cannot be cut off. Returns how many are in the file.
    fn append(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut file = match self.file.get() {
            Ok(file) => file,
            Err(error) => return (0, Err(error)),
        };
        let before = self.bytes;
        let result = file.write_all(bytes);
        if result.is_ok() {
            self.bytes += bytes.len() as u64;
        } else if file.set_len(before).is_err() {
            // A reader skips what follows the last whole block.
            self.bytes = self.file.entry().map_or(before, |entry| entry.bytes);
        }
        let written = usize::try_from(self.bytes.saturating_sub(before)).unwrap_or(usize::MAX);
        self.unsynced |= written > 0;
        (written, result)
    }
}

/// Opens a file that a writer has left, if none has it open. `attempts`: how often to try, a millisecond apart. A reader
/// looks for a moment whether the file is locked.
///
/// # Errors
/// The file may not be trusted, or cannot be opened.
pub(super) fn open_left(directory: &Directory, name: &str, attempts: u32) -> io::Result<Option<HeldFile>> {
    let file = directory.open_file(name, Links::One)?;
    for attempt in 0..attempts {
        match file.get()?.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) if lacks_locks(&error) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if attempt + 1 < attempts => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    Ok(None)
}
