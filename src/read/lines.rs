//! The lines of segments, one after the other.

use std::io::Read;
use std::path::PathBuf;
use std::{fmt, vec};

use super::decode::{Key, Source};
#[cfg(feature = "sealed")]
use super::parallel::Parallel;
use super::segment::Segment;
use super::segment_lines::{Longest, SegmentLines};
use crate::error::Error;

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
    /// A source that is no segment, and its name, until it is open.
    source: Option<(PathBuf, Source)>,
    segment: Option<Segment>,
    lines: Option<SegmentLines>,
    is_torn: bool,
    is_cut: bool,
    longest: Longest,
    key: Option<Key>,
    /// Instead of the fields above, where processes have written at the same time.
    #[cfg(feature = "sealed")]
    parallel: Option<Parallel>,
    /// Whether it is known that none have.
    #[cfg(feature = "sealed")]
    is_sequence: bool,
}

impl Lines {
    /// The longest line, in bytes, unless set: 16 MiB, sixteen times what an output writes by default.
    pub const DEFAULT_MAX_LINE_BYTES: usize = 16 << 20;

    /// Creates the lines of `segments`, in the order given.
    pub fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        Self {
            rest: segments.into_iter().collect::<Vec<_>>().into_iter(),
            source: None,
            segment: None,
            lines: None,
            is_torn: false,
            is_cut: false,
            longest: Longest { bytes: Self::DEFAULT_MAX_LINE_BYTES, is_cut: false },
            key: None,
            #[cfg(feature = "sealed")]
            parallel: None,
            #[cfg(feature = "sealed")]
            is_sequence: false,
        }
    }

    /// Creates the lines of another source, such as stdin. Its first bytes say whether it is compressed or sealed. `name`: what
    /// its errors call it.
    pub fn from_source(name: impl Into<PathBuf>, source: impl Read + Send + 'static) -> Self {
        Self { source: Some((name.into(), Box::new(source))), ..Self::new([]) }
    }

    /// Sets the key that opens sealed segments. The lines of processes that have written to one sealed log at the same time
    /// are merged by their times.
    #[cfg(feature = "sealed")]
    pub fn key(mut self, key: &crate::sealed::Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Sets the longest line, in bytes without its newline; [`Self::DEFAULT_MAX_LINE_BYTES`] unless set.
    ///
    /// A longer line is skipped and reported as an error, or [cut](Self::cut_long_lines).
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.longest.bytes = bytes;
        self
    }

    /// Returns the first [`max_line_bytes`](Self::max_line_bytes) bytes of a longer line, and skips the rest of it. Unless set,
    /// all of it is skipped.
    pub fn cut_long_lines(mut self) -> Self {
        self.longest.is_cut = true;
        self
    }

    /// Returns the next line without its newline, or `None` after the last one.
    ///
    /// # Errors
    /// A segment cannot be read or was removed after it was listed, or a line is too long. Reading can continue: the next
    /// call returns what follows, the next segment or the next line. The lines of a damaged segment up to the damage are
    /// returned before the error.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        #[cfg(feature = "sealed")]
        self.find_parallel();
        #[cfg(feature = "sealed")]
        if let Some(parallel) = &mut self.parallel {
            return parallel.next_line();
        }
        loop {
            if let Some(lines) = &mut self.lines {
                if lines.advance()? {
                    self.is_torn = lines.is_torn();
                    self.is_cut = lines.is_cut();
                    break;
                }
                self.lines = None;
            }
            if let Some((name, source)) = self.source.take() {
                self.lines = Some(SegmentLines::of(source, &name, self.key.as_ref(), self.longest)?);
                continue;
            }
            let Some(segment) = self.rest.next() else { return Ok(None) };
            let opened = SegmentLines::open(&segment, self.key.as_ref(), self.longest);
            self.segment = Some(segment);
            self.lines = Some(opened?);
        }
        Ok(self.lines.as_ref().map(SegmentLines::line))
    }

    /// Returns whether the line returned last has no newline: a crash tore it, or its write is under way.
    pub fn is_torn(&self) -> bool {
        #[cfg(feature = "sealed")]
        if let Some(parallel) = &self.parallel {
            return parallel.is_torn();
        }
        self.is_torn
    }

    /// Returns whether the line returned last was longer, and was cut: see [`cut_long_lines`](Self::cut_long_lines).
    pub fn is_cut(&self) -> bool {
        #[cfg(feature = "sealed")]
        if let Some(parallel) = &self.parallel {
            return parallel.is_cut();
        }
        self.is_cut
    }

    /// Returns the segment of the line or error returned last.
    pub fn segment(&self) -> Option<&Segment> {
        #[cfg(feature = "sealed")]
        if let Some(parallel) = &self.parallel {
            return parallel.segment();
        }
        self.segment.as_ref()
    }

    /// Before the first line: looks whether processes have written at the same time.
    #[cfg(feature = "sealed")]
    fn find_parallel(&mut self) {
        let is_first = !std::mem::replace(&mut self.is_sequence, true) && self.segment.is_none();
        if let Some(key) = self.key.as_ref().filter(|_| is_first) {
            self.parallel = Parallel::find(self.rest.as_slice(), key, self.longest);
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("segment", &self.segment()).finish_non_exhaustive()
    }
}
