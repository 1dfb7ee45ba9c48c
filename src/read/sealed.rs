//! Sealed segments: their lines, with a key, and whether they are whole.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::segment::Segment;
use crate::error::Error;
use crate::sealed::{Checked, Checks, Finding, Item, Key, Opener, Report, is_of_a_crash};

/// Checks the segments of one log, in the order of [`Log::segments`](super::Log::segments).
///
/// A segment that stands alone is checked by itself: what it says about others is not.
///
/// # Errors
/// A file cannot be opened.
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
    let mut files = Vec::new();
    for segment in segments {
        let name = segment.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(Checked { name, is_live: segment.is_live(), source: segment.stored()? });
    }
    Ok(checks.check(files))
}

/// Returns a reader of the lines of a sealed file. Each finding is an error with a [`Damage`]; reading goes on behind it.
pub(super) fn sealed(
    file: Box<dyn Read + Send>,
    path: &Path,
    key: Option<&Key>,
    is_live: bool,
) -> Result<Box<dyn Read + Send>, Error> {
    let name = path.display().to_string();
    let opener = Opener::new(file, key, &name)?;
    if key.is_none() {
        return Err(Error::invalid(format!("open {name}: {}", opener.needs_key())));
    }
    Ok(Box::new(SealedLines { opener, name, is_live, lines: Vec::new(), read: 0 }))
}

struct SealedLines {
    opener: Opener<Box<dyn Read + Send>>,
    name: String,
    is_live: bool,
    lines: Vec<u8>,
    read: usize,
}

impl Read for SealedLines {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.read == self.lines.len() {
            match self.opener.next_item()? {
                None => return Ok(0),
                Some(Item::Lines(lines)) => (self.lines, self.read) = (lines, 0),
                Some(Item::Finding(finding)) if self.is_live && is_of_a_crash(&finding) => {}
                Some(Item::Finding(finding)) => return Err(self.damage(&finding)),
            }
        }
        let mut rest = self.lines.get(self.read..).unwrap_or_default();
        let count = rest.read(bytes)?;
        self.read += count;
        Ok(count)
    }
}

impl SealedLines {
    fn damage(&self, finding: &Finding) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, Damage(format!("read {}: {finding}", self.name)))
    }
}

/// What is wrong with a sealed segment. What follows can still be read.
#[derive(Debug)]
pub(super) struct Damage(String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}
