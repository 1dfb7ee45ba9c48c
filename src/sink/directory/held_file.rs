//! A file that the log holds open.

use std::fs::File;
use std::io::{self, Read, Write};

use super::Identity;
use super::trust::Entry;
#[cfg(unix)]
use super::unix::entry;
#[cfg(unix)]
use crate::process::Descriptor;

/// A file that the log holds open. Each access fails once the program has closed its descriptor.
#[derive(Debug)]
pub(in super::super) struct HeldFile {
    #[cfg(unix)]
    file: Descriptor<File>,
    #[cfg(not(unix))]
    file: File,
    #[cfg(not(unix))]
    identity: Identity,
}

#[cfg(unix)]
impl HeldFile {
    pub(in super::super) fn new(file: File) -> io::Result<Self> {
        Ok(Self { file: Descriptor::new(file)? })
    }

    pub(in super::super) fn identity(&self) -> Identity {
        self.file.identity()
    }

    /// Returns the file.
    ///
    /// # Errors
    /// The program has closed the descriptor, or the system cannot tell what it is.
    pub(in super::super) fn get(&self) -> io::Result<&File> {
        self.file.get().map(|(file, _)| file)
    }

    /// Returns whether the program has closed the descriptor.
    pub(in super::super) fn is_lost(&self) -> bool {
        self.file.is_lost()
    }

    /// Inspects the file.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub(in super::super) fn entry(&self) -> io::Result<Entry> {
        self.file.get().map(|(_, stat)| entry(&stat))
    }
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
impl HeldFile {
    pub(in super::super) fn new(file: File) -> io::Result<Self> {
        let identity = super::other::inspect(&file)?.identity;
        Ok(Self { file, identity })
    }

    pub(in super::super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(in super::super) fn get(&self) -> io::Result<&File> {
        Ok(&self.file)
    }

    pub(in super::super) fn is_lost(&self) -> bool {
        false
    }

    pub(in super::super) fn entry(&self) -> io::Result<Entry> {
        super::other::inspect(&self.file)
    }
}

impl Read for &HeldFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.get()?.read(bytes)
    }
}

impl Write for HeldFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.get()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
