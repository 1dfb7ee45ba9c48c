//! Sealed segments: their lines, with a key, and whether they are whole.

use std::ops::Range;
use std::path::Path;

use super::decode::Source;
use super::segment::Segment;
use crate::error::Error;
use crate::sealed::{Checked, Checks, Item, Key, OpenedBlock, Opener, Place, Report, is_of_a_crash, time_between};

/// Checks the segments of one log, in the order of [`Log::segments`](super::Log::segments).
///
/// A segment that stands alone is checked by itself: what it says about others is not. One file is open at a time.
///
/// # Errors
/// A file was removed after it was listed: list the segments again.
///
/// # Examples
/// ```
/// # fn check(path: &str) -> Result<(), spanline::Error> {
/// use spanline::sealed::Checks;
///
/// let report = spanline::read::verify(spanline::read::segments(path)?, &Checks::new())?;
/// assert!(report.is_whole(), "{report:?}");
/// # Ok(())
/// # }
/// ```
pub fn verify(segments: impl IntoIterator<Item = Segment>, checks: &Checks) -> Result<Report, Error> {
    checks.check(segments.into_iter().map(|segment| {
        let source = segment.source();
        if source.is_err() && std::fs::symlink_metadata(segment.path()).is_err() {
            return Err(source.err().unwrap_or_else(|| Error::retry("a file was removed")));
        }
        Ok(Checked {
            path: segment.path().to_owned(),
            is_live: segment.is_live(),
            is_empty: segment.is_empty(),
            source,
        })
    }))
}

/// Returns why a file cannot be opened without a key.
pub(super) fn no_key(file: Source, path: &Path) -> Error {
    let name = path.display().to_string();
    match Opener::new(file, None, &name) {
        Ok(opener) => Error::invalid(format!("open {name}: {}", opener.needs_key())),
        Err(error) => error,
    }
}

/// Returns where a sealed segment stands among the others; `None` if it is none, or has no header that can be read.
pub(super) fn place(segment: &Segment) -> Option<Place> {
    let source = segment.source().ok()?;
    Opener::new(source, None, "").ok().map(|opener| opener.place())
}

/// The lines of one sealed file.
pub(super) struct SealedLines {
    opener: Opener<Source>,
    name: String,
    is_live: bool,
    block: OpenedBlock,
    /// Where the next line begins in the block, and where the last one is.
    next: usize,
    line: Range<usize>,
    /// That of the last line, in nanoseconds since 1970.
    time: i64,
}

impl SealedLines {
    /// Opens a file. `is_live`: a writer has it open.
    ///
    /// # Errors
    /// It cannot be read, has no header that this version knows, or is not sealed for the key.
    pub(super) fn new(file: Source, path: &Path, key: &Key, is_live: bool) -> Result<Self, Error> {
        let name = path.display().to_string();
        let opener = Opener::new(file, Some(key), &name)?;
        let time = opener.place().begun;
        let block = OpenedBlock { text: Vec::new(), times: (time, time) };
        Ok(Self { opener, name, is_live, block, next: 0, line: 0..0, time })
    }

    /// Goes to the next line. Returns false at the end.
    ///
    /// # Errors
    /// Something is damaged, which is [rejected](Error::is_rejected), and lines may follow. Or the file cannot be read.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        loop {
            let rest = self.block.text.get(self.next..).unwrap_or_default();
            if !rest.is_empty() {
                let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.line = self.next..self.next + length;
                self.next += length + 1;
                return Ok(true);
            }
            match self.opener.next_item().map_err(|error| Error::io(format!("read {}", self.name), error))? {
                None => return Ok(false),
                Some(Item::Lines(block)) => (self.block, self.next) = (block, 0),
                Some(Item::Finding(finding)) if self.is_live && is_of_a_crash(&finding) => {}
                Some(Item::Finding(finding)) => return Err(Error::rejected(format!("read {}: {finding}", self.name))),
            }
        }
    }

    /// Returns the path of the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the line without its newline.
    pub(super) fn line(&self) -> &[u8] {
        self.block.text.get(self.line.clone()).unwrap_or_default()
    }

    /// Returns the time of the line, in nanoseconds since 1970: as it stands there, or that of the lines around it.
    pub(super) fn time(&mut self) -> i64 {
        // Lines of several threads may stand in another order than that of their times.
        let (one, other) = self.block.times;
        let (first, last) = (one.min(other), one.max(other));
        self.time = time_between(self.line(), (first, last)).unwrap_or_else(|| self.time.clamp(first, last));
        self.time
    }
}
