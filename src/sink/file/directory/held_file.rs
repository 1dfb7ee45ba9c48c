//! A file that the log holds open.

use std::fs::File;
use std::io::{self, ErrorKind};

#[cfg(not(unix))]
use super::other::Identity;
use super::trust::Entry;
#[cfg(unix)]
use super::unix::Identity;

/// A file that the log holds open, and its identity.
///
/// The program may close the descriptor and reuse its number, as daemons do. So the identity is checked before each use,
/// and a descriptor of another file is not closed.
#[derive(Debug)]
pub(in super::super) struct HeldFile {
    /// Taken out at the end only.
    file: Option<File>,
    identity: Identity,
}

impl HeldFile {
    pub(in super::super) fn new(file: File) -> io::Result<Self> {
        let identity = Entry::of(&file)?.identity;
        Ok(Self { file: Some(file), identity })
    }

    pub(in super::super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the file.
    ///
    /// # Errors
    /// The descriptor is closed, or is that of another file.
    pub(in super::super) fn get(&self) -> io::Result<&File> {
        self.inspect().map(|(file, _)| file)
    }

    /// Inspects the file.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub(in super::super) fn entry(&self) -> io::Result<Entry> {
        self.inspect().map(|(_, entry)| entry)
    }

    fn inspect(&self) -> io::Result<(&File, Entry)> {
        if let Some(file) = &self.file
            && let Ok(entry) = Entry::of(file)
            && entry.identity == self.identity
        {
            return Ok((file, entry));
        }
        Err(io::Error::new(ErrorKind::NotFound, "the program has closed the descriptor of the log's file"))
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        let is_own = self.get().is_ok();
        if let Some(file) = self.file.take()
            && !is_own
        {
            // The number belongs to the program now.
            std::mem::forget(file);
        }
    }
}
