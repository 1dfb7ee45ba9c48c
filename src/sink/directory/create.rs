//! Opens a file that may be missing.

use std::io::{self, ErrorKind};

use super::trust::Links;
use super::{Directory, HeldFile};

/// Between inspecting and opening, a file can come or go: this many attempts.
const ATTEMPTS: u32 = 16;

impl Directory {
    /// Opens a file for reading and appending, if it may be trusted, or creates it. Returns whether it was created.
    pub(in super::super) fn open_or_create(&self, name: &str, links: Links) -> io::Result<(HeldFile, bool)> {
        for _ in 0..ATTEMPTS {
            match self.open_file(name, links) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened.map(|file| (file, false)),
            }
            match self.create(name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => return created.map(|file| (file, true)),
            }
        }
        Err(io::Error::new(
            ErrorKind::ResourceBusy,
            "another program creates and removes it repeatedly; expected a file that stays",
        ))
    }
}
