//! The lines of stdin.

use std::io::{self, BufRead, BufReader, Read, StdinLock};

use memchr::memchr;
use spanline::read::Lines;

const READ_BYTES: usize = 64 << 10;

/// Reads stdin line by line.
pub(super) struct StdinLines {
    reader: BufReader<StdinLock<'static>>,
    is_ended: bool,
}

impl StdinLines {
    pub(super) fn new() -> Self {
        Self { reader: BufReader::with_capacity(READ_BYTES, io::stdin().lock()), is_ended: false }
    }

    /// Returns whether the next line is here. If not, reading it may take any time.
    pub(super) fn is_ready(&self) -> bool {
        memchr(b'\n', self.reader.buffer()).is_some()
    }

    /// Reads the next line without its newline. Returns false at the end.
    ///
    /// # Errors
    /// Stdin cannot be read, or a line is too long. Reading can continue.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, String> {
        line.clear();
        if self.is_ended {
            return Ok(false);
        }
        let limit = Lines::DEFAULT_MAX_LINE_BYTES;
        let read = self.reader.by_ref().take(limit as u64 + 1).read_until(b'\n', line);
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        let skipped = match read {
            Ok(_) if is_whole => return Ok(true),
            Ok(_) if line.len() > limit => self.reader.skip_until(b'\n'),
            read => {
                self.is_ended = true;
                return match read {
                    Err(error) if line.is_empty() => Err(format!("read stdin: {error}")),
                    _ => Ok(!line.is_empty()),
                };
            }
        };
        line.clear();
        self.is_ended = skipped.is_err();
        Err(format!("read stdin: skipped a line that is longer than the limit of {limit} bytes"))
    }
}
