//! The lines of a piece that is open.

use std::io::Read;

use spanline::read::Lines;

use super::lines::{Line, MAX_LINE_BYTES, StreamLines};

/// Returns one line after the other.
pub(super) enum PieceLines {
    /// Of bytes that are lines.
    Bytes { lines: StreamLines<Box<dyn Read + Send>>, name: String },
    /// Of a source that is opened with a key.
    Opened { lines: Box<Lines>, line: Vec<u8>, at: u64 },
}

/// Why a line cannot be read.
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether nothing is behind it.
    pub(super) is_end: bool,
}

impl PieceLines {
    /// `name`: names them in messages.
    pub(super) fn new(lines: StreamLines<Box<dyn Read + Send>>, name: String) -> Self {
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

    /// Returns the next line; `None` at the end.
    ///
    /// # Errors
    /// Something cannot be read, or is damaged. Lines may follow unless it is the end.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, Failure> {
        match self {
            Self::Bytes { lines, name } => {
                let failed = |error| Failure { why: format!("read {name}: {error}"), is_end: true };
                lines.next_line().map_err(failed)
            }
            Self::Opened { lines, line, at } => {
                match lines.next_line() {
                    Ok(Some(next)) => {
                        line.clear();
                        line.extend_from_slice(next);
                    }
                    Ok(None) => return Ok(None),
                    Err(error) => return Err(Failure { why: error.to_string(), is_end: false }),
                }
                let start = *at;
                *at += line.len() as u64 + u64::from(!lines.is_torn());
                Ok(Some(Line { bytes: line, at: start, is_cut: lines.is_cut() }))
            }
        }
    }
}
