//! The lines of one segment.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::decode::{self, Key, decoded};
#[cfg(feature = "sealed")]
use super::decode::{Bare, bare};
use super::open::failed;
#[cfg(feature = "sealed")]
use super::sealed::SealedLines;
use super::segment::Segment;
use crate::error::Error;
use crate::rotation::Compression;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
/// A longer line's memory is released with the next line.
const KEPT_LINE_BYTES: usize = 1 << 20;

/// The longest line, and what becomes of longer ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Longest {
    pub(super) bytes: usize,
    /// Whether its first bytes are a line.
    pub(super) is_cut: bool,
}

/// Reads a segment line by line.
pub(super) struct SegmentLines {
    source: Source,
    longest: Longest,
    is_torn: bool,
    is_cut: bool,
    /// Is reported after the line that it cut short.
    failure: Option<Error>,
    is_ended: bool,
}

enum Source {
    Bytes {
        reader: BufReader<Box<dyn Read + Send>>,
        path: PathBuf,
        line: Vec<u8>,
    },
    #[cfg(feature = "sealed")]
    Sealed(Box<SealedLines>),
}

impl SegmentLines {
    /// Opens a segment. `key` opens it if it is sealed.
    pub(super) fn open(segment: &Segment, key: Option<&Key>, longest: Longest) -> Result<Self, Error> {
        Ok(Self::new(source(segment, key)?, longest))
    }

    /// Opens another source. `key` opens it if it is sealed.
    pub(super) fn of(bytes: decode::Source, name: &Path, key: Option<&Key>, longest: Longest) -> Result<Self, Error> {
        Ok(Self::new(stream(bytes, name, key)?, longest))
    }

    fn new(source: Source, longest: Longest) -> Self {
        Self { source, longest, is_torn: false, is_cut: false, failure: None, is_ended: false }
    }

    /// Goes to the next line. Returns false at the end.
    ///
    /// # Errors
    /// Something cannot be read, or a line is too long. Reading can continue.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.is_ended {
            return Ok(false);
        }
        self.is_cut = false;
        match &mut self.source {
            Source::Bytes { reader, path, line } => {
                line.clear();
                line.shrink_to(KEPT_LINE_BYTES);
                match read_line(reader, line, self.longest.bytes) {
                    Ok(End::Newline) => return Ok(true),
                    Ok(End::TooLong) if self.longest.is_cut => {
                        self.is_cut = true;
                        return Ok(true);
                    }
                    Ok(End::TooLong) => return Err(too_long(path.display(), self.longest.bytes)),
                    Ok(End::File) => {}
                    Err(error) => {
                        self.failure = Some(failed("read", path)(error));
                        self.is_cut = self.longest.is_cut && line.len() > self.longest.bytes;
                        if line.len() > self.longest.bytes && !self.is_cut {
                            line.clear();
                        }
                    }
                }
                self.is_ended = true;
                self.is_torn = !line.is_empty();
                if self.is_torn { Ok(true) } else { self.failure.take().map_or(Ok(false), Err) }
            }
            #[cfg(feature = "sealed")]
            Source::Sealed(lines) => {
                let advanced = lines.advance();
                // Behind damage, reading goes on.
                self.is_ended = match &advanced {
                    Ok(is_line) => !is_line,
                    Err(error) => !error.is_rejected(),
                };
                if advanced? && lines.line().len() > self.longest.bytes {
                    self.is_cut = self.longest.is_cut;
                    if !self.is_cut {
                        return Err(too_long(lines.name(), self.longest.bytes));
                    }
                }
                Ok(!self.is_ended)
            }
        }
    }

    /// Returns the line without its newline.
    pub(super) fn line(&self) -> &[u8] {
        let line = match &self.source {
            Source::Bytes { line, .. } => line,
            #[cfg(feature = "sealed")]
            Source::Sealed(lines) => lines.line(),
        };
        if self.is_cut { line.get(..self.longest.bytes).unwrap_or(line) } else { line }
    }

    /// Returns whether the line was longer.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns whether the line has no newline.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Returns the time of the line, in nanoseconds since 1970; `None` if the segment is not sealed.
    #[cfg(feature = "sealed")]
    pub(super) fn time(&mut self) -> Option<i64> {
        match &mut self.source {
            Source::Bytes { .. } => None,
            Source::Sealed(lines) => Some(lines.time()),
        }
    }
}

#[cfg(feature = "sealed")]
fn source(segment: &Segment, key: Option<&Key>) -> Result<Source, Error> {
    match key.map(|key| segment.open_sealed(key)).transpose()?.flatten() {
        Some(lines) => Ok(Source::Sealed(Box::new(lines))),
        None => bytes(segment),
    }
}

#[cfg(not(feature = "sealed"))]
fn source(segment: &Segment, _: Option<&Key>) -> Result<Source, Error> {
    bytes(segment)
}

fn bytes(segment: &Segment) -> Result<Source, Error> {
    let reader = segment.open()?;
    Ok(Source::new(reader.source, &reader.path))
}

#[cfg(feature = "sealed")]
fn stream(bytes: decode::Source, name: &Path, key: Option<&Key>) -> Result<Source, Error> {
    let Some(key) = key else { return Ok(Source::new(decoded(bytes, Compression::Plain, name)?, name)) };
    match bare(bytes, Compression::Plain, name)? {
        Bare::Sealed(bytes) => Ok(Source::Sealed(Box::new(SealedLines::new(bytes, name, key, false)?))),
        Bare::Lines(bytes) => Ok(Source::new(bytes, name)),
    }
}

#[cfg(not(feature = "sealed"))]
fn stream(bytes: decode::Source, name: &Path, _: Option<&Key>) -> Result<Source, Error> {
    Ok(Source::new(decoded(bytes, Compression::Plain, name)?, name))
}

impl Source {
    fn new(bytes: decode::Source, path: &Path) -> Self {
        Self::Bytes { reader: BufReader::with_capacity(READ_BYTES, bytes), path: path.to_owned(), line: Vec::new() }
    }
}

pub(super) fn too_long(path: impl std::fmt::Display, limit: usize) -> Error {
    let advice = "set `max_line_bytes` higher to read it";
    Error::rejected(format!("read {path}: skipped a line that is longer than the limit of {limit} bytes; {advice}"))
}

/// What ended a line.
enum End {
    Newline,
    File,
    TooLong,
}

/// Reads one line into the empty `line`, without its newline. Of a line that is too long, it reads one byte too much, and skips
/// the rest.
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
    reader.skip_until(b'\n')?;
    Ok(End::TooLong)
}
