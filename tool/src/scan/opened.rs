//! The lines of a piece that is open.

use std::io::{self, Read};

use spanline::read::Lines;

use super::lines::{Line, MAX_LINE_BYTES, StreamLines};
use crate::query::Needle;
use crate::report::with_sources;

/// Returns one line after the other.
pub(super) enum PieceLines {
    /// Of bytes that are lines.
    Bytes { lines: StreamLines<Box<dyn Read + Send>>, name: Option<String> },
    /// Of a source that is opened with a key.
    Opened { lines: Box<Lines>, line: Vec<u8>, at: u64 },
}

/// Why a line cannot be read.
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether nothing is behind it.
    pub(super) is_end: bool,
}

impl Failure {
    fn of_read(name: Option<&String>, error: &io::Error) -> Self {
        let why = name.map_or_else(|| error.to_string(), |name| format!("read {name}: {error}"));
        Self { why, is_end: true }
    }
}

impl PieceLines {
    /// `name`: names them in messages, unless the errors of the stream do.
    pub(super) fn new(lines: StreamLines<Box<dyn Read + Send>>, name: Option<String>) -> Self {
        Self::Bytes { lines, name }
    }

    pub(super) fn opened(lines: Lines) -> Self {
        let lines = Box::new(lines.max_line_bytes(MAX_LINE_BYTES).cut_long_lines());
        Self::Opened { lines, line: Vec::new(), at: 0 }
    }

    /// Returns where the next line begins, or the rest of the last one.
    pub(super) fn at(&self) -> u64 {
        match self {
            Self::Bytes { lines, .. } => lines.at(),
            Self::Opened { at, .. } => *at,
        }
    }

    /// Returns the next line that has the needle, and may return others; `None` at the end.
    ///
    /// # Errors
    /// As [`next_line`](Self::next_line).
    pub(super) fn next_line_with(&mut self, needle: &Needle) -> Result<Option<Line<'_>>, Failure> {
        match self {
            Self::Bytes { lines, name } => {
                lines.next_line_with(needle).map_err(|error| Failure::of_read(name.as_ref(), &error))
            }
            Self::Opened { .. } => self.next_line(),
        }
    }

    /// Returns the next line; `None` at the end.
    ///
    /// # Errors
    /// Something cannot be read, or is damaged. Lines may follow unless it is the end.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, Failure> {
        match self {
            Self::Bytes { lines, name } => lines.next_line().map_err(|error| Failure::of_read(name.as_ref(), &error)),
            Self::Opened { lines, line, at } => {
                match lines.next_line() {
                    Ok(Some(next)) => {
                        line.clear();
                        line.extend_from_slice(next);
                    }
                    Ok(None) => return Ok(None),
                    Err(error) => return Err(Failure { why: with_sources(&error), is_end: false }),
                }
                let start = *at;
                *at += line.len() as u64 + u64::from(!lines.is_torn());
                Ok(Some(Line { bytes: line, at: start, is_cut: lines.is_cut() }))
            }
        }
    }
}
