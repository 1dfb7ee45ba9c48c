//! The lines of segments, one after the other.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::{fmt, vec};

use super::decode::Key;
use super::open::failed;
use super::segment::{Segment, is_damage};
use crate::error::Error;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
/// A longer line's memory is released with the next line.
const KEPT_LINE_BYTES: usize = 1 << 20;

/// Streams lines as bytes, from one segment after the other.
///
/// It is not an `Iterator`: each line borrows the one buffer.
///
/// # Examples
/// ```
/// # fn print(path: &str) -> Result<(), spanline::Error> {
/// let mut lines = spanline::read::Log::open(path)?.lines()?;
/// while let Some(line) = lines.next_line()? {
///     println!("{}", String::from_utf8_lossy(line));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Lines {
    /// The segments that are not open yet.
    rest: vec::IntoIter<Segment>,
    segment: Option<Segment>,
    reader: Option<BufReader<Box<dyn Read + Send>>>,
    /// What `reader` reads.
    path: PathBuf,
    line: Vec<u8>,
    is_torn: bool,
    /// Is reported after the line that it cut short.
    failure: Option<Error>,
    max_line_bytes: usize,
    key: Option<Key>,
}

impl Lines {
    /// The longest line, in bytes, unless set: 16 MiB, sixteen times what an output writes by default.
    pub const DEFAULT_MAX_LINE_BYTES: usize = 16 << 20;

    /// Creates the lines of `segments`, in the order given.
    pub fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        Self {
            rest: segments.into_iter().collect::<Vec<_>>().into_iter(),
            segment: None,
            reader: None,
            path: PathBuf::new(),
            line: Vec::new(),
            is_torn: false,
            failure: None,
            max_line_bytes: Self::DEFAULT_MAX_LINE_BYTES,
            key: None,
        }
    }

    /// Sets the key that opens sealed segments.
    #[cfg(feature = "sealed")]
    pub fn key(mut self, key: &crate::sealed::Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Sets the longest line, in bytes without its newline; [`Self::DEFAULT_MAX_LINE_BYTES`] unless set.
    ///
    /// A longer line is skipped and reported as an error.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Returns the next line without its newline, or `None` after the last one.
    ///
    /// # Errors
    /// A segment cannot be read or was removed after it was listed, or a line is too long. Reading can continue: the next
    /// call returns what follows, the next segment or the next line. The lines of a damaged segment up to the damage are
    /// returned before the error.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            let Some(reader) = &mut self.reader else {
                let Some(segment) = self.rest.next() else { return Ok(None) };
                let opened = segment.open_with(self.key.as_ref());
                self.segment = Some(segment);
                let reader = opened?;
                self.path = reader.path;
                self.reader = Some(BufReader::with_capacity(READ_BYTES, reader.source));
                continue;
            };
            self.line.clear();
            self.line.shrink_to(KEPT_LINE_BYTES);
            match read_line(reader, &mut self.line, self.max_line_bytes) {
                Ok(End::Newline) => {
                    self.is_torn = false;
                    return Ok(Some(&self.line));
                }
                Ok(End::TooLong) => {
                    let (path, limit) = (self.path.display(), self.max_line_bytes);
                    let advice = "set `max_line_bytes` higher to read it";
                    self.failure = Some(Error::rejected(format!(
                        "read {path}: skipped a line that is longer than the limit of {limit} bytes; {advice}"
                    )));
                }
                Ok(End::File) => self.reader = None,
                Err(error) if is_damage(&error) => return Err(Error::rejected(error.to_string())),
                Err(error) => {
                    self.reader = None;
                    self.failure = Some(failed("read", &self.path)(error));
                }
            }
            if self.reader.is_none() && !self.line.is_empty() {
                self.is_torn = true;
                return Ok(Some(&self.line));
            }
        }
    }

    /// Returns whether the line returned last has no newline: a crash tore it, or its write is under way.
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Returns the segment of the line or error returned last.
    pub fn segment(&self) -> Option<&Segment> {
        self.segment.as_ref()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("segment", &self.segment).finish_non_exhaustive()
    }
}

/// What ended a line.
enum End {
    Newline,
    File,
    TooLong,
}

/// Reads one line into the empty `line`, without its newline, and skips the rest of a line that is too long.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, max_bytes: usize) -> io::Result<End> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    reader.by_ref().take(limit).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(End::Newline);
    }
    if line.len() <= max_bytes {
        return Ok(End::File);
    }
    line.clear();
    reader.skip_until(b'\n')?;
    Ok(End::TooLong)
}
