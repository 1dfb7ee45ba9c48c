//! The open active file.
//!
//! Its writer holds a share of its lock as long as it is open: it is not compressed away under it, and nothing is cut
//! off while there is more than one writer. Between writes `end` is where this writer left the file: if it ends
//! elsewhere, somebody else wrote or cut it, and its last byte is looked at before anything follows.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use super::open::{self, Identity, await_writes, failed, try_exclusive, try_shared};
use super::store::{Store, leads_to};
use crate::error::Error;
use crate::record::Timestamp;
use crate::sink::Lines;

/// Another process may just be looking at the file, or renaming it: tried this often, a quarter of a second in all.
const ATTEMPTS: u32 = 250;
/// A file that is seen growing so often has somebody who ends its lines.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Active {
    file: File,
    identity: Identity,
    /// Where the file ends, as far as this writer knows, and does so with a whole line or this writer's `fragment`.
    end: Option<u64>,
    /// The last write ended inside a line.
    fragment: bool,
    /// The lock was lost.
    lost: bool,
    unsynced: bool,
}

impl Active {
    /// Opens or creates it, and ends the torn line that a crash left, if nobody else is writing.
    pub(super) fn open(store: &Store) -> Result<Self, Error> {
        let path = &store.path;
        for _ in 0..ATTEMPTS {
            let file = open::open_or_create(path, store.modes).map_err(failed("open", path))?;
            let identity = Identity::of(&file.metadata().map_err(failed("look at", path))?);
            let mut active = Self { file, identity, end: None, fragment: false, lost: false, unsynced: false };
            if try_exclusive(&active.file) && leads_to(path, identity) {
                // A full disk is met again, and reported, with the first line.
                let _ = active.close_off();
            }
            if try_shared(&active.file) && leads_to(path, identity) {
                return Ok(active);
            }
            thread::sleep(PAUSE);
        }
        Err(Error::retry(format!("open {}: another program has locked it", path.display())))
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether the path still leads to it.
    pub(super) fn is_at(&self, store: &Store) -> bool {
        !self.lost && leads_to(&store.path, self.identity)
    }

    /// Whether what is written to it can still be found under some name.
    pub(super) fn has_name(&self) -> bool {
        #[cfg(unix)]
        let has_name = |metadata: std::fs::Metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 0;
        #[cfg(not(unix))]
        let has_name = |_| true;
        self.file.metadata().is_ok_and(has_name)
    }

    /// Whether the rest of the first line belongs here: its beginning is what this file ends with.
    pub(super) fn awaits_rest(&self) -> bool {
        self.fragment && self.len().is_ok_and(|len| Some(len) == self.end)
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// When it was last written to.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        let modified = self.file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        Some(chrono::DateTime::<chrono::Utc>::from(modified).into())
    }

    /// Makes its end and the cursor agree: what follows is the rest of a line that it ends with, or a whole line.
    /// Returns its size.
    pub(super) fn settle(&mut self, lines: &mut Lines) -> io::Result<u64> {
        if self.end != Some(self.len()?) {
            self.fragment = false;
            self.close_off()?;
        }
        if self.fragment && lines.at_line_start() {
            // The rest was given up.
            self.end_line()?;
        }
        if !self.fragment && !lines.at_line_start() {
            lines.rewind_line();
        }
        Ok(self.end.unwrap_or_default())
    }

    /// Ends a line that somebody else has torn. A file grows in steps while a line is written to it, so an end without
    /// a newline is torn only if it is still there when no write is under way any more.
    fn close_off(&mut self) -> io::Result<()> {
        for _ in 0..LOOKS {
            let size = self.len()?;
            self.end = Some(size);
            if size == 0 || self.byte_at(size - 1)? == Some(b'\n') {
                break;
            }
            await_writes(&self.file);
            if self.len()? == size {
                return self.end_line();
            }
        }
        Ok(())
    }

    fn byte_at(&mut self, at: u64) -> io::Result<Option<u8>> {
        let mut byte = [0];
        self.file.seek(SeekFrom::Start(at))?;
        Ok((self.file.read(&mut byte)? == 1).then_some(byte[0]))
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.file.write_all(b"\n")?;
        self.end = Some(self.file.stream_position()?);
        self.fragment = false;
        Ok(())
    }

    /// Writes `bytes` bytes of `lines` at its end, in one call, and advances past what was taken.
    ///
    /// When the cursor is inside a line, that must be the rest of this line.
    pub(super) fn append(&mut self, lines: &mut Lines, bytes: usize) -> io::Result<()> {
        let before = self.end;
        let rest = self.fragment;
        let written = loop {
            match self.file.write(lines.as_bytes().get(..bytes).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                written => break written,
            }
        };
        match written {
            Ok(written) => {
                let end = self.file.stream_position()?;
                self.unsynced = true;
                self.end = Some(end);
                if rest && before != end.checked_sub(written as u64) {
                    // Somebody got between the two parts of the line: it is sent again, whole.
                    self.end = None;
                    self.fragment = false;
                    lines.rewind_line();
                    return Ok(());
                }
                lines.advance(written);
                self.fragment = !lines.at_line_start();
                Ok(())
            }
            Err(error) => {
                self.cut_back(lines);
                Err(error)
            }
        }
    }

    /// Takes back the beginning of a line, if nobody else is writing to the file.
    fn cut_back(&mut self, lines: &mut Lines) {
        let Some(end) = self.end.filter(|_| self.fragment) else { return };
        let delivered = lines.as_bytes().len();
        if try_exclusive(&self.file) && self.len().is_ok_and(|len| len == end) {
            lines.rewind_line();
            let part = lines.as_bytes().len() - delivered;
            let whole = end.saturating_sub(part as u64);
            if self.file.set_len(whole).is_ok() {
                self.end = Some(whole);
                self.fragment = false;
            } else {
                lines.advance(part);
            }
        }
        // Asking for the whole lock gave up the share.
        self.lost = !try_shared(&self.file);
    }

    /// Gives up its share of the lock, now that it is closed. Closing the file would not do: a forked process may have
    /// inherited it.
    pub(super) fn release(self) {
        let _ = self.file.unlock();
    }

    /// Makes what was written to it durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }
}
