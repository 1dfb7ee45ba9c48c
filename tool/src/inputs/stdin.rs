//! The lines of stdin.

use std::io::{self, BufRead, BufReader, Read};

use memchr::memchr;
use spanline::read::{Lines, Reader};

use super::source::MAX_LINE_BYTES;
use crate::report::with_sources;
use crate::sealed::{Key, with_key};

const READ_BYTES: usize = 64 << 10;

/// Reads stdin line by line, decompressed.
#[derive(Default)]
pub(super) struct StdinLines {
    /// What is read instead if there is a key, as stdin may be sealed.
    opened: Option<Box<Lines>>,
    /// `None` until its first bytes were needed, which say how it is compressed.
    reader: Option<BufReader<Reader>>,
    is_ended: bool,
    is_cut: bool,
    /// Is reported behind the line that it cut short.
    failure: Option<String>,
}

impl StdinLines {
    pub(super) fn new(key: Option<&Key>) -> Self {
        let lines = |key| with_key(Lines::from_source("stdin", io::stdin()), Some(key));
        let lines = key.map(|key| Box::new(lines(key).max_line_bytes(MAX_LINE_BYTES).cut_long_lines()));
        Self { opened: lines, ..Self::default() }
    }

    /// Returns whether the next line is here. If not, reading it may take any time.
    pub(super) fn is_ready(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| memchr(b'\n', reader.buffer()).is_some())
    }

    /// Returns whether the line that was read last was longer than [`MAX_LINE_BYTES`], which is what was read of it.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Reads the next line without its newline. Returns false at the end.
    ///
    /// # Errors
    /// Stdin cannot be read, or is sealed and has no key. Behind damage, reading can continue.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, String> {
        line.clear();
        if let Some(lines) = &mut self.opened {
            let next = lines.next_line().map_err(|error| with_sources(&error))?;
            line.extend_from_slice(next.unwrap_or_default());
            let is_line = next.is_some();
            self.is_cut = lines.is_cut();
            return Ok(is_line);
        }
        self.is_cut = false;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.is_ended {
            return Ok(false);
        }
        // A failure ends it. What was read before is a line.
        self.is_ended = true;
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let opened = Reader::new("stdin", io::stdin()).map_err(|error| with_sources(&error))?;
                self.reader.insert(BufReader::with_capacity(READ_BYTES, opened))
            }
        };
        let read = reader.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', line);
        if line.pop_if(|last| *last == b'\n').is_some() {
            self.is_ended = false;
            return Ok(true);
        }
        if line.len() > MAX_LINE_BYTES {
            line.truncate(MAX_LINE_BYTES);
            self.is_cut = true;
            let skipped = reader.skip_until(b'\n');
            self.is_ended = skipped.is_err();
            self.failure = skipped.err().map(|error| with_sources(&error));
            return Ok(true);
        }
        match read {
            Err(error) if line.is_empty() => Err(with_sources(&error)),
            read => {
                self.failure = read.err().map(|error| with_sources(&error));
                Ok(!line.is_empty())
            }
        }
    }
}
