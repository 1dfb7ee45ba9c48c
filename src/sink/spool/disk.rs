//! What a spool needs of a disk. The tests have one that fails, fills up and loses what was not synced.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sink::RollingFile;
use crate::sink::directory::{Directory, HeldFile, Links};

/// One directory.
pub(super) trait Disk: Send {
    fn names(&mut self) -> io::Result<Vec<String>>;
    /// Creates a file that must not exist, for its owner only.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Renames, in place of what is at `to`.
    fn replace(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file, unless it is gone already.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    fn sync_names(&mut self) -> io::Result<()>;
    /// Creates or opens a file, and locks it until it is dropped. `None`: another process holds it.
    fn lock(&mut self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>>;
    /// Waits for a moment, in which a lock may be released.
    fn wait_for_locks(&self) {}
    /// Returns whether the directory can be used: nobody has removed it, and the program has not closed its descriptor.
    fn is_there(&mut self) -> bool;
    /// Returns where it is, for messages.
    fn path(&self) -> PathBuf;
}

/// One file.
pub(super) trait DiskFile: Send {
    /// Returns whether the file has its name, and the program has not closed its descriptor.
    fn is_there(&mut self) -> bool;
    fn len(&mut self) -> io::Result<u64>;
    /// Appends all, or fails. Then a part may have been appended.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Fills `bytes` from `offset` on; fewer at the end.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

/// A process that ended a moment ago may have a child between `fork` and `exec`, which has its locks, too.
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// A directory of the file system, under the rules of log files.
#[derive(Debug)]
pub(super) struct Folder(Directory);

impl Folder {
    /// Opens the directory, and creates it if it is missing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        Directory::open(&path, RollingFile::DEFAULT_DIRECTORY_MODE).map(Self)
    }

    /// Returns why other users may rename or remove files here.
    pub(super) fn exposure(&self) -> io::Result<Option<String>> {
        self.0.exposure()
    }
}

impl Disk for Folder {
    fn names(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.0.each_name(|name| {
            names.push(name.to_owned());
            Ok(())
        })?;
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.0.create(name)?))
    }

    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.0.open_file(name, Links::One)?))
    }

    fn replace(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.0.replace(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn lock(&mut self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>> {
        let (file, _) = self.0.open_or_create(name, Links::One)?;
        match file.get()?.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Its holder may have removed it in between. Then the lock is that of a file without a name.
        if !self.0.leads_to(name, file.identity()) {
            return Ok(None);
        }
        Ok(Some(Box::new(file)))
    }

    fn wait_for_locks(&self) {
        std::thread::park_timeout(LOCK_WAIT);
    }

    fn is_there(&mut self) -> bool {
        self.0.is_there()
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl DiskFile for HeldFile {
    fn is_there(&mut self) -> bool {
        self.entry().is_ok_and(|entry| entry.links > 0)
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.entry()?.bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut file: &File = self.get()?;
        file.seek(SeekFrom::Start(offset))?;
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match io::Read::read(&mut file, rest) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.get()?.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.get()?.sync_data()
    }
}
