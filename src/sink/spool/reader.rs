//! Reads the frames of one segment in order, past damage.

use std::io;

use super::disk::DiskFile;
use super::frame::{self, FRAME_BYTES, HEADER_BYTES, Salt};

/// So much is read at a time: few system calls, and little memory.
const READ_BYTES: usize = 256 << 10;

/// A place in a segment, and what was read ahead of it.
#[derive(Debug)]
pub(super) struct Reader {
    /// Where the buffer begins in the file.
    base: u64,
    buffer: Vec<u8>,
    at: usize,
    /// Whole frames behind the last valid one that are damaged.
    damaged: u64,
}

impl Reader {
    pub(super) fn at(offset: u64) -> Self {
        Self { base: offset.max(HEADER_BYTES as u64), buffer: Vec::new(), at: 0, damaged: 0 }
    }

    /// Returns where the next frame is looked for.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Finds the next valid frame, and returns its length. `None`: there is none before `end`, where the reader then stands.
    pub(super) fn find(&mut self, file: &mut dyn DiskFile, salt: &Salt, end: u64) -> io::Result<Option<usize>> {
        loop {
            let left = usize::try_from(end.saturating_sub(self.offset())).unwrap_or(usize::MAX);
            if left < FRAME_BYTES || !self.fill(file, FRAME_BYTES, end)? {
                *self = Self { damaged: self.damaged, ..Self::at(end) };
                return Ok(None);
            }
            if let Some(body) = frame::body_length(self.rest(), salt).filter(|body| *body <= left - FRAME_BYTES) {
                let length = FRAME_BYTES + body;
                if self.fill(file, length, end)? && frame::body(self.frame(length), salt, self.offset()).is_some() {
                    return Ok(Some(length));
                }
                self.damaged += 1;
            }
            let after = self.rest().get(1..).unwrap_or_default();
            let marker = after.windows(4).position(|bytes| bytes == &salt[..4]);
            // The marker may begin in the last three bytes.
            self.at += 1 + marker.unwrap_or(after.len().saturating_sub(3));
        }
    }

    /// Returns the frame that was found.
    pub(super) fn frame(&self, length: usize) -> &[u8] {
        self.rest().get(..length).unwrap_or_default()
    }

    pub(super) fn pass(&mut self, length: usize) {
        self.at += length;
        self.damaged = 0;
    }

    /// Returns how many whole frames behind the last valid one are damaged, as far as their marker and length tell.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Reads ahead until `wanted` bytes are there. Returns false if the file ends before.
    fn fill(&mut self, file: &mut dyn DiskFile, wanted: usize, end: u64) -> io::Result<bool> {
        if self.rest().len() >= wanted {
            return Ok(true);
        }
        self.buffer.drain(..self.at.min(self.buffer.len()));
        (self.base, self.at) = (self.offset(), 0);
        let known = self.buffer.len();
        let left = usize::try_from(end.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.buffer.resize(wanted.max(READ_BYTES).min(left).max(known), 0);
        let read = file.read_at(self.base + known as u64, self.buffer.get_mut(known..).unwrap_or_default());
        self.buffer.truncate(known + *read.as_ref().unwrap_or(&0));
        self.buffer.shrink_to(2 * READ_BYTES);
        read.map(|_| self.buffer.len() >= wanted)
    }
}
