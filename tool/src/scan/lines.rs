//! The lines of a stream of bytes, as slices of one buffer.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use memchr::{memchr, memrchr};

use crate::query::Needle;

/// How much of a line counts.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

const BUFFER_BYTES: usize = 256 << 10;

/// A line in the buffer.
#[derive(Debug)]
pub(super) struct Line<'b> {
    /// Without its newline.
    pub(super) bytes: &'b [u8],
    /// Where it begins in the stream.
    pub(super) at: u64,
    /// Whether these are only its first bytes.
    pub(super) is_cut: bool,
}

/// Finds the lines that begin before an end.
#[derive(Debug)]
pub(super) struct StreamLines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What is in the buffer and not returned yet.
    unread: Range<usize>,
    /// Where `unread` begins in the stream.
    at: u64,
    /// Lines that begin here or later belong to another piece.
    end: u64,
    /// Whether `unread` begins inside a line whose first bytes were returned.
    is_inside: bool,
}

impl<R: Read> StreamLines<R> {
    /// `at`: where the first byte of `reader` is in its stream.
    pub(super) fn new(reader: R, at: u64, end: u64) -> Self {
        Self { reader, buffer: vec![0; BUFFER_BYTES], unread: 0..0, at, end, is_inside: false }
    }

    /// Leaves out the line that has begun before the stream.
    pub(super) fn skip_first(mut self) -> Self {
        self.is_inside = true;
        self
    }

    /// Returns where the next line begins, or the rest of the last one.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Returns the next line; `None` at the end. A last line need not have a newline.
    ///
    /// # Errors
    /// The stream cannot be read. There is nothing behind an error.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        if self.is_inside && !self.skip_line()? || self.at >= self.end {
            return Ok(None);
        }
        let mut searched = 0;
        let (length, behind) = loop {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            if let Some(newline) = memchr(b'\n', unread.get(searched..).unwrap_or_default()) {
                break (searched + newline, searched + newline + 1);
            }
            searched = unread.len();
            if searched > MAX_LINE_BYTES || !self.fill()? {
                break (searched, searched);
            }
        };
        if behind == 0 {
            return Ok(None);
        }
        let (start, at, is_cut) = (self.unread.start, self.at, length > MAX_LINE_BYTES);
        self.is_inside = is_cut && length == behind;
        self.take(behind);
        let bytes = self.buffer.get(start..start + length.min(MAX_LINE_BYTES)).unwrap_or_default();
        Ok(Some(Line { bytes, at, is_cut }))
    }

    /// Returns the next line that has the needle, and may return others: those that are longer than the buffer, and the last.
    ///
    /// # Errors
    /// As [`next_line`](Self::next_line).
    pub(super) fn next_line_with(&mut self, needle: &Needle) -> io::Result<Option<Line<'_>>> {
        if self.is_inside && !self.skip_line()? {
            return Ok(None);
        }
        while self.at < self.end {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            let Some(last) = memrchr(b'\n', unread) else {
                if unread.len() > MAX_LINE_BYTES || !self.fill()? {
                    break;
                }
                continue;
            };
            let whole = unread.get(..=last).unwrap_or_default();
            if let Some(found) = needle.find(whole) {
                let start = memrchr(b'\n', whole.get(..found).unwrap_or_default()).map_or(0, |newline| newline + 1);
                self.take(start);
                break;
            }
            self.take(last + 1);
        }
        self.next_line()
    }

    /// Goes behind the next newline. Returns false if there is none before the end.
    fn skip_line(&mut self) -> io::Result<bool> {
        while self.at < self.end {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            if let Some(newline) = memchr(b'\n', unread) {
                self.take(newline + 1);
                self.is_inside = false;
                return Ok(true);
            }
            self.take(unread.len());
            if !self.fill()? {
                break;
            }
        }
        Ok(false)
    }

    fn take(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.at += bytes as u64;
    }

    /// Reads more. Returns false at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        if self.unread.end == self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let room = self.buffer.get_mut(self.unread.end..).unwrap_or_default();
        loop {
            match self.reader.read(room) {
                Ok(read) => {
                    self.unread.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads at most a few bytes at once.
    struct Slow<'b>(&'b [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.1);
            self.0.read(&mut bytes[..length])
        }
    }

    fn lines(mut lines: StreamLines<impl Read>) -> Vec<(u64, usize, bool)> {
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.at, line.bytes.len(), line.is_cut));
        }
        all
    }

    #[test]
    fn a_long_line_counts_by_its_first_bytes() {
        const MAX: usize = MAX_LINE_BYTES;
        for (length, end, expected) in
            [(MAX, "\n", false), (MAX + 1, "\n", true), (MAX, "", false), (3 * MAX, "", true)]
        {
            let text = format!("a\n{}{end}b\n", "x".repeat(length));
            let text = if end.is_empty() { &text[..length + 2] } else { &text };
            let mut all = lines(StreamLines::new(Slow(text.as_bytes(), 100_000), 0, u64::MAX));
            if !end.is_empty() {
                assert_eq!(all.pop(), Some((length as u64 + 3, 1, false)));
            }
            assert_eq!(all, [(0, 1, false), (2, length.min(MAX), expected)], "{length} {end:?}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_file_have_each_line_once(
            text in "[a-z\n]{0,200}",
            mut ends in proptest::collection::vec(0..200_u64, 0..5),
            most in 1..20_usize,
        ) {
            let bytes = text.as_bytes();
            let mut expected = Vec::new();
            let mut at = 0;
            for line in text.split_terminator('\n') {
                expected.push((at, line.len(), false));
                at += line.len() as u64 + 1;
            }
            ends.sort_unstable();
            ends.push(200);
            let (mut start, mut all) = (0, Vec::new());
            for end in ends {
                // The byte before tells whether a line begins here.
                let from = start.min(bytes.len() as u64).saturating_sub(1);
                let piece = StreamLines::new(Slow(&bytes[from as usize..], most), from, end);
                all.extend(lines(if start == 0 { piece } else { piece.skip_first() }));
                start = end;
            }
            prop_assert_eq!(all, expected);
        }
    }
}
