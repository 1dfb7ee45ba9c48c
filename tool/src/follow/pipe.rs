//! Lines of stdin, or of a pipe of the command, without waiting for them.

use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::source::LONGEST;

const READ_BYTES: usize = 64 << 10;

/// How much is read at most when it is closed: more than a pipe holds.
const LAST_BYTES: usize = 2 << 20;

/// Splits what is read into lines.
pub(super) struct Pipe {
    name: &'static str,
    file: File,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// No newline is between `start` and this.
    scanned: usize,
    /// Bytes up to the next newline are left out: they are the rest of a long line.
    skips: bool,
    /// Whether a read does not wait.
    is_ready: bool,
    is_ended: bool,
}

impl Pipe {
    pub(super) fn new(name: &'static str, file: impl Into<OwnedFd>) -> Self {
        let file = File::from(file.into());
        let (start, scanned) = (0, 0);
        Self { name, file, buffer: Vec::new(), start, scanned, skips: false, is_ready: false, is_ended: false }
    }

    pub(super) fn stdin() -> io::Result<Self> {
        Ok(Self::new("stdin", io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// Returns what to wait for; `None` at the end.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_ended).then(|| self.file.as_fd())
    }

    /// Notes that something can be read.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Reads what is here, and then goes to the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn close(&mut self) -> Result<(), String> {
        // Another process may write without end.
        for _ in 0..LAST_BYTES / READ_BYTES {
            if self.is_ended || !self.has_more() {
                break;
            }
            self.read()?;
        }
        self.is_ended = true;
        Ok(())
    }

    /// Returns whether a read returns at once.
    fn has_more(&self) -> bool {
        let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut polled, Some(&now)), Ok(1..))
    }

    /// Reads the next line without its newline; false if none is here yet. The part of a long line that is shown comes as soon
    /// as it is here.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, String> {
        loop {
            if self.find_line(line) {
                if !std::mem::take(&mut self.skips) {
                    return Ok(true);
                }
                continue;
            }
            let rest = self.buffer.len() - self.start;
            if self.skips {
                self.clear();
            } else if rest >= LONGEST || (self.is_ended && rest > 0) {
                self.skips = rest >= LONGEST;
                line.clear();
                line.extend_from_slice(self.buffer.get(self.start..).unwrap_or_default());
                self.clear();
                return Ok(true);
            }
            if self.is_ended {
                return Ok(false);
            }
            if !std::mem::take(&mut self.is_ready) {
                return Ok(false);
            }
            self.read()?;
        }
    }

    fn find_line(&mut self, line: &mut Vec<u8>) -> bool {
        let mut rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let skipped = rest.skip_until(b'\n').unwrap_or(0);
        self.scanned += skipped;
        let is_line = skipped > 0 && self.buffer.get(self.scanned - 1) == Some(&b'\n');
        if is_line {
            line.clear();
            line.extend_from_slice(self.buffer.get(self.start..self.scanned - 1).unwrap_or_default());
            self.start = self.scanned;
        }
        is_line
    }

    fn clear(&mut self) {
        self.buffer.clear();
        (self.start, self.scanned) = (0, 0);
    }

    fn read(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let end = self.buffer.len();
        self.buffer.resize(end + READ_BYTES, 0);
        let read = self.file.read(self.buffer.get_mut(end..).unwrap_or_default());
        self.buffer.truncate(end + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => self.is_ended = true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => {
                self.is_ended = true;
                return Err(format!("read {}: {error}", self.name));
            }
        }
        Ok(())
    }
}
