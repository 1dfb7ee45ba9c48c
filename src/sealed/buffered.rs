//! Reads ahead in a file.

use std::io::{self, ErrorKind, Read};

use memchr::memmem;

use super::block::MARK;

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

/// How much is read first: of many files, only the header is.
const FIRST_BYTES: usize = 16 << 10;

/// A source, and what was read of it but not used.
pub(super) struct Buffered<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    /// The place of `start` in the file.
    pub(super) at: u64,
    is_at_end: bool,
}

impl<R: Read> Buffered<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, bytes: Vec::new(), start: 0, at: 0, is_at_end: false }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.bytes.len() - self.start);
        self.start += count;
        self.at += count as u64;
    }

    /// Returns whether the next block, or the end, is `bytes` bytes ahead.
    pub(super) fn is_followed_by_block(&mut self, bytes: usize) -> io::Result<bool> {
        let has_more = self.fill(bytes + MARK.len())?;
        let ahead = self.unread().get(bytes..).unwrap_or_default();
        Ok(if has_more { ahead.starts_with(&MARK) } else { ahead.is_empty() })
    }

    /// Reads until `count` bytes are unread. Returns whether there are that many.
    pub(super) fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.bytes.len() - self.start < count {
            if self.is_at_end {
                return Ok(false);
            }
            // Moving a little for each block would take the square of the time.
            if self.start > self.bytes.len() / 2 {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            let held = self.bytes.len();
            let is_first = self.at == 0 && held < FIRST_BYTES;
            self.bytes.resize(held + if is_first { FIRST_BYTES } else { READ_BYTES }, 0);
            let read = self.source.read(self.bytes.get_mut(held..).unwrap_or_default());
            self.bytes.truncate(held + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => self.is_at_end = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Returns where the next mark is.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, &MARK)
}
