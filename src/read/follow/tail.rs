//! One plain file that may grow, shrink, or go away.

use std::fs::{File, Metadata};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::decode::is_sealed_start;
use super::super::open::{failed, identity, read_at};
use super::super::segment::PlainFile;
use super::super::segment_lines::{Longest, too_long};
use crate::error::Error;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
/// The last bytes read, which are compared with the file before it is read on.
const MARK_BYTES: usize = 64;
/// A longer line's memory is released after it.
const KEPT_BYTES: usize = 1 << 20;

/// Reads a file to its end, as often as it grows.
pub(super) struct Tail {
    path: PathBuf,
    file: Arc<File>,
    identity: Option<(u64, u64)>,
    /// Where reading goes on.
    offset: u64,
    /// The bytes just before `offset`. Other bytes there mean that the file was truncated and written again.
    mark: Vec<u8>,
    /// What was read. Lines before `start` were returned.
    buffer: Vec<u8>,
    start: usize,
    /// No newline is between `start` and this.
    scanned: usize,
    /// The line returned last.
    line: Line,
    /// Bytes up to the next newline are left out.
    skips: bool,
    has_filled: bool,
    longest: Longest,
}

/// Where a line is in the buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    start: usize,
    end: usize,
    /// Whether it was longer.
    is_cut: bool,
}

/// What was found in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line, with its newline.
    Line,
    /// All was read.
    End,
    /// The file has other bytes, or fewer, than were read.
    Truncated,
}

impl Tail {
    /// Begins at `offset`, or behind the line that is there.
    pub(super) fn new(path: &Path, file: Arc<File>, offset: u64, longest: Longest) -> Result<Self, Error> {
        let metadata = file.metadata().map_err(failed("read", path))?;
        let mut tail = Self {
            path: path.to_owned(),
            file,
            identity: identity(&metadata),
            offset: 0,
            mark: Vec::new(),
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            line: Line::default(),
            skips: false,
            has_filled: false,
            longest,
        };
        tail.refuse_sealed()?;
        tail.go_to(offset).map_err(failed("read", path))?;
        Ok(tail)
    }

    /// Begins behind the last newline.
    pub(super) fn at_end(path: &Path, file: Arc<File>, longest: Longest) -> Result<Self, Error> {
        let mut end = file.metadata().map_err(failed("read", path))?.len();
        let mut bytes = vec![0; READ_BYTES];
        let limit = u64::try_from(longest.bytes).unwrap_or(u64::MAX);
        let least = end.saturating_sub(limit);
        let offset = loop {
            let begin = end.saturating_sub(READ_BYTES as u64).max(least);
            let chunk = bytes.get_mut(..usize::try_from(end - begin).unwrap_or(0)).unwrap_or_default();
            let read = read_at(&file, chunk, begin).map_err(failed("read", path))?;
            let last = chunk.get(..read).unwrap_or_default().iter().rposition(|byte| *byte == b'\n');
            match last {
                Some(at) => break begin + at as u64 + 1,
                None if begin <= least => break begin,
                None => end = begin,
            }
        };
        Self::new(path, file, offset, longest)
    }

    /// Returns the same place in a copy of the file.
    pub(super) fn in_copy(&mut self, path: &Path, file: Arc<File>, metadata: &Metadata) -> Self {
        let copy = Self {
            path: path.to_owned(),
            file,
            identity: identity(metadata),
            offset: self.offset,
            mark: std::mem::take(&mut self.mark),
            buffer: std::mem::take(&mut self.buffer),
            start: self.start,
            scanned: self.scanned,
            line: self.line,
            skips: self.skips,
            has_filled: false,
            longest: self.longest,
        };
        self.restart();
        copy
    }

    /// Goes to the next line.
    ///
    /// # Errors
    /// The file cannot be read, or a line is too long. Reading can continue.
    pub(super) fn advance(&mut self) -> Result<Step, Error> {
        self.line.is_cut = false;
        loop {
            if self.find_line() {
                if !std::mem::take(&mut self.skips) {
                    return Ok(Step::Line);
                }
                continue;
            }
            if self.skips {
                self.drop_rest();
            } else if self.buffer.len() - self.start > self.longest.bytes {
                self.skips = true;
                if self.longest.is_cut {
                    self.take_line(self.buffer.len());
                    self.start = self.buffer.len();
                    return Ok(Step::Line);
                }
                self.drop_rest();
                return Err(too_long(self.path.display(), self.longest.bytes));
            }
            match self.fill().map_err(failed("read", &self.path))? {
                Step::Line => {}
                step => return Ok(step),
            }
        }
    }

    /// Returns whether the file was read since the last call.
    pub(super) fn take_filled(&mut self) -> bool {
        std::mem::take(&mut self.has_filled)
    }

    /// Returns the line without its newline.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.get(self.line.start..self.line.end).unwrap_or_default()
    }

    /// Returns whether the line was longer.
    pub(super) fn is_cut(&self) -> bool {
        self.line.is_cut
    }

    /// Returns whether the last line has no newline.
    pub(super) fn has_rest(&self) -> bool {
        self.start < self.buffer.len() && !self.skips
    }

    /// Returns whether it was last written to this long ago, or longer.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let modified = self.file.metadata().and_then(|metadata| metadata.modified());
        modified.ok().and_then(|modified| modified.elapsed().ok()).is_some_and(|elapsed| elapsed >= age)
    }

    /// Goes to the last line, which has no newline. Returns false if there is none.
    pub(super) fn take_torn(&mut self) -> bool {
        self.take_line(self.buffer.len());
        self.start = self.buffer.len();
        self.scanned = self.start;
        self.line.start < self.line.end && !self.skips
    }

    /// Begins anew, at the first byte.
    pub(super) fn restart(&mut self) {
        self.offset = 0;
        self.mark.clear();
        self.skips = false;
        self.drop_rest();
    }

    pub(super) fn set_longest(&mut self, longest: Longest) {
        self.longest = longest;
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Returns the file, and where the next line begins in it.
    pub(super) fn position(&self) -> (PlainFile, u64) {
        let unread = u64::try_from(self.buffer.len() - self.start).unwrap_or(0);
        (PlainFile::new(self.path.clone(), Arc::clone(&self.file)), self.offset.saturating_sub(unread))
    }

    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        self.identity
    }

    /// Returns the first bytes of the file, at most `limit`.
    pub(super) fn head(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; limit];
        let read = read_at(&self.file, &mut head, 0)?;
        head.truncate(read);
        Ok(head)
    }

    /// Returns whether a file has the bytes that were read last, at the same place, and is as long at least.
    pub(super) fn is_copied_in(&self, file: &File) -> bool {
        let mut bytes = vec![0; self.mark.len()];
        let at = self.offset.saturating_sub(self.mark.len() as u64);
        let is_read = read_at(file, &mut bytes, at).is_ok_and(|read| read == bytes.len());
        !self.mark.is_empty() && is_read && bytes == self.mark
    }

    fn refuse_sealed(&self) -> Result<(), Error> {
        if !is_sealed_start(&self.head(16).map_err(failed("read", &self.path))?) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::invalid(format!("follow {path}: it is sealed, which can be read but not followed")))
    }

    /// Goes to an offset, or behind the line that is there.
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        if offset == 0 {
            return Ok(());
        }
        let mark = u64::try_from(MARK_BYTES).unwrap_or(0).min(offset);
        let mut bytes = vec![0; MARK_BYTES.min(usize::try_from(mark).unwrap_or(0))];
        let read = read_at(&self.file, &mut bytes, offset - mark)?;
        if read < bytes.len() {
            // It is shorter by now.
            return Ok(());
        }
        self.offset = offset;
        self.skips = bytes.last() != Some(&b'\n');
        self.mark = bytes;
        Ok(())
    }

    /// Looks for a newline in what was read.
    fn find_line(&mut self) -> bool {
        let mut rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let Ok(skipped) = rest.skip_until(b'\n') else { return false };
        self.scanned += skipped;
        let is_line = skipped > 0 && self.buffer.get(self.scanned - 1) == Some(&b'\n');
        if is_line {
            self.take_line(self.scanned - 1);
            self.start = self.scanned;
        }
        is_line
    }

    /// Goes to the line that begins at `start`, or to the part of it that is returned.
    fn take_line(&mut self, end: usize) {
        let most = self.start.saturating_add(self.longest.bytes);
        let is_cut = self.longest.is_cut && end > most;
        self.line = Line { start: self.start, end: if is_cut { most } else { end }, is_cut };
    }

    fn drop_rest(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES);
        (self.start, self.scanned, self.line) = (0, 0, Line::default());
    }

    /// Reads on. Returns [`Step::Line`] if there was something to read.
    fn fill(&mut self) -> io::Result<Step> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEPT_BYTES);
        }
        // In one read with the mark, as the file may be truncated and written again at any time.
        let (end, mark) = (self.buffer.len(), self.mark.len());
        self.buffer.resize(end + mark + READ_BYTES, 0);
        let space = self.buffer.get_mut(end..).unwrap_or_default();
        let read = read_at(&self.file, space, self.offset.saturating_sub(mark as u64));
        let is_same = read.as_ref().is_ok_and(|read| *read >= mark) && space.starts_with(&self.mark);
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.buffer.truncate(end);
                return if error.kind() == io::ErrorKind::Interrupted { Ok(Step::End) } else { Err(error) };
            }
        };
        if !is_same {
            self.buffer.truncate(end);
            return Ok(Step::Truncated);
        }
        self.buffer.truncate(end + read);
        let kept = self.buffer.get(end..).unwrap_or_default();
        let kept = kept.get(kept.len().saturating_sub(MARK_BYTES)..).unwrap_or_default().to_vec();
        self.buffer.drain(end..end + mark);
        self.mark = kept;
        self.offset = self.offset.saturating_add((read - mark) as u64);
        self.has_filled |= read > mark;
        Ok(if read == mark { Step::End } else { Step::Line })
    }
}
