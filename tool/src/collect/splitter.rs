//! Splits a stream of bytes into frames, in bounded memory.
//!
//! A frame that is longer than the limit is cut: its beginning is kept, and the rest is skipped as it arrives. The buffer
//! holds at most one such beginning and what one read adds to it.

/// The largest length that is believed. Beyond it, the sender speaks something else.
const MAX_LENGTH: u64 = 64 << 20;

/// Digits of a length in RFC 6587's octet counting.
const MAX_DIGITS: usize = 8;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;

/// How a stream shows where a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By a newline, or by a NUL behind a JSON object or a message of syslog: GELF and Python's `SysLogHandler` send that.
    Newline,
    /// By a newline, or by its length as for [`Framing::Length32`], which the first byte shows: no text begins with a NUL.
    LinesOrLength32,
    /// By its length, as four bytes in network order in front of it.
    Length32,
    /// By its length, as digits and a space in front of it.
    OctetCount,
    /// As one of the two ways of RFC 6587, which the first bytes show.
    Syslog,
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) bytes: &'a [u8],
    /// Its length before it was cut.
    pub(super) original_bytes: Option<u64>,
}

/// What comes next is no frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoFrame(pub(super) &'static str);

/// Splits one stream.
#[derive(Debug)]
pub(super) struct Splitter {
    framing: Framing,
    max_bytes: usize,
    buffer: Vec<u8>,
    /// Where the next frame begins in the buffer.
    at: usize,
    /// How much of it has no newline.
    scanned: usize,
    /// Its length, once that was read.
    length: Option<u64>,
    /// How much of it was skipped.
    skipped: u64,
}

impl Splitter {
    pub(super) fn new(framing: Framing, max_bytes: usize) -> Self {
        Self { framing, max_bytes, buffer: Vec::new(), at: 0, scanned: 0, length: None, skipped: 0 }
    }

    /// Returns the buffer to read into, with room.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.at);
        self.at = 0;
        if self.buffer.capacity() > 2 * READ_BYTES && self.buffer.len() < READ_BYTES {
            // A long line does not keep its memory.
            self.buffer.shrink_to(READ_BYTES);
        }
        self.buffer.reserve(READ_BYTES);
        &mut self.buffer
    }

    /// Returns whether a frame has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.at < self.buffer.len() || self.length.is_some()
    }

    /// Returns whether a newline ends the frame that has begun.
    pub(super) fn is_line(&self) -> bool {
        self.framing == Framing::Newline
    }

    /// Returns the next frame, if it is there.
    ///
    /// # Errors
    /// What comes next is no frame, and nothing after it can be read.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, NoFrame> {
        if matches!(self.framing, Framing::Syslog | Framing::LinesOrLength32) {
            let Some(framing) = self.shown() else { return Ok(None) };
            self.framing = framing;
        }
        if self.framing == Framing::Newline {
            return Ok(self.next_line());
        }
        // Some senders end a counted message with a newline, too.
        while self.framing == Framing::OctetCount && self.length.is_none() && self.unread().first() == Some(&b'\n') {
            self.at += 1;
        }
        if self.length.is_none() {
            let Some((length, header)) = self.header()? else { return Ok(None) };
            if length > MAX_LENGTH {
                return Err(NoFrame("a frame's length is beyond 64 MiB"));
            }
            self.length = Some(length);
            self.at += header;
        }
        Ok(self.next_counted())
    }

    /// Returns the frame that the end of the stream has cut off.
    pub(super) fn rest(&mut self) -> Option<Frame<'_>> {
        if !self.has_begun() {
            return None;
        }
        let (at, skipped) = (self.at, std::mem::take(&mut self.skipped));
        self.at = self.buffer.len();
        self.length = None;
        self.scanned = 0;
        let bytes = self.buffer.get(at..).unwrap_or_default();
        let kept = bytes.get(..self.max_bytes).unwrap_or(bytes);
        let all = bytes.len() as u64 + skipped;
        Some(Frame { bytes: kept, original_bytes: (all > kept.len() as u64).then_some(all) })
    }

    /// Returns the framing that the first bytes show; `None` if more are needed.
    fn shown(&self) -> Option<Framing> {
        let unread = self.unread();
        let first = *unread.first()?;
        if self.framing == Framing::LinesOrLength32 {
            return Some(if first == 0 { Framing::Length32 } else { Framing::Newline });
        }
        if !first.is_ascii_digit() || first == b'0' {
            return Some(Framing::Newline);
        }
        // A text may begin with a date.
        match unread.iter().find(|byte| !byte.is_ascii_digit()) {
            Some(b' ') => Some(Framing::OctetCount),
            None if unread.len() <= MAX_DIGITS => None,
            _ => Some(Framing::Newline),
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Reads a length, and returns it with the size of its text.
    fn header(&self) -> Result<Option<(u64, usize)>, NoFrame> {
        let unread = self.unread();
        if self.framing == Framing::Length32 {
            return Ok(unread.first_chunk().map(|bytes| (u64::from(u32::from_be_bytes(*bytes)), bytes.len())));
        }
        let digits = unread.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let no_frame = NoFrame("a message of syslog does not begin with its length");
        match unread.get(digits) {
            _ if digits > MAX_DIGITS => Err(no_frame),
            None => Ok(None),
            Some(b' ') if digits > 0 => {
                let length = unread.iter().take(digits).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
                Ok(Some((length, digits + 1)))
            }
            Some(_) => Err(no_frame),
        }
    }

    fn next_counted(&mut self) -> Option<Frame<'_>> {
        let length = self.length?;
        let there = self.unread().len() as u64;
        if there + self.skipped < length {
            self.skip();
            return None;
        }
        let at = self.at;
        // Cannot fail: it is at most what is in memory.
        let taken = usize::try_from(length - self.skipped).unwrap_or_default();
        self.at += taken;
        self.length = None;
        self.skipped = 0;
        let kept = taken.min(self.max_bytes);
        let bytes = self.buffer.get(at..at + kept).unwrap_or_default();
        Some(Frame { bytes, original_bytes: (length > kept as u64).then_some(length) })
    }

    fn next_line(&mut self) -> Option<Frame<'_>> {
        let unread = self.unread();
        let ends_by_nul = matches!(unread.first(), Some(b'{' | b'<'));
        let is_end = |byte: &u8| *byte == b'\n' || (*byte == 0 && ends_by_nul);
        let newline = unread.iter().skip(self.scanned).position(is_end);
        let Some(newline) = newline.map(|at| at + self.scanned) else {
            self.skip();
            self.scanned = self.unread().len();
            return None;
        };
        let (at, skipped) = (self.at, std::mem::take(&mut self.skipped));
        self.at += newline + 1;
        self.scanned = 0;
        let bytes = self.buffer.get(at..at + newline.min(self.max_bytes)).unwrap_or_default();
        let all = newline as u64 + skipped;
        let original_bytes = (all > bytes.len() as u64).then_some(all);
        let bytes = if original_bytes.is_none() { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        Some(Frame { bytes, original_bytes })
    }

    /// Forgets what is beyond the limit of a frame that goes on.
    fn skip(&mut self) {
        let end = self.at + self.max_bytes;
        if self.buffer.len() > end {
            self.skipped += (self.buffer.len() - end) as u64;
            self.buffer.truncate(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `bytes` that arrive in pieces of `step`. Each frame with its length if it was cut.
    fn split(framing: Framing, max_bytes: usize, bytes: &[u8], step: usize) -> (Vec<(String, Option<u64>)>, bool) {
        let mut splitter = Splitter::new(framing, max_bytes);
        let mut frames = Vec::new();
        let owned = |frame: Frame<'_>| (String::from_utf8_lossy(frame.bytes).into_owned(), frame.original_bytes);
        for piece in bytes.chunks(step) {
            splitter.room().extend_from_slice(piece);
            loop {
                match splitter.next() {
                    Ok(Some(frame)) => frames.push(owned(frame)),
                    Ok(None) => break,
                    Err(_) => return (frames, true),
                }
            }
            assert!(splitter.buffer.len() <= max_bytes + step + 4);
        }
        frames.extend(splitter.rest().map(owned));
        assert!(!splitter.has_begun());
        (frames, false)
    }

    #[track_caller]
    fn assert_split(framing: Framing, bytes: &[u8], frames: &[(&str, Option<u64>)]) {
        let expected: Vec<_> = frames.iter().map(|(text, cut)| ((*text).to_owned(), *cut)).collect();
        for step in 1..=bytes.len() {
            assert_eq!(split(framing, 8, bytes, step), (expected.clone(), false), "in pieces of {step}");
        }
    }

    #[test]
    fn frames_are_split_however_they_arrive() {
        assert_split(
            Framing::Newline,
            b"a\r\n\nbc\n12345678\nx",
            &[("a", None), ("", None), ("bc", None), ("12345678", None), ("x", None)],
        );
        assert_split(Framing::Length32, b"\0\0\0\x01a\0\0\0\0\0\0\0\x02b\n", &[("a", None), ("", None), ("b\n", None)]);
        assert_split(Framing::Syslog, b"3 <1>5 <1>ab4 <1>\n", &[("<1>", None), ("<1>ab", None), ("<1>\n", None)]);
        assert_split(Framing::Syslog, b"3 <1>\n5 <1>ab\n\n", &[("<1>", None), ("<1>ab", None)]);
        assert_split(Framing::Syslog, b"<1>a\n12 <2>\n", &[("<1>a", None), ("12 <2>", None)]);
        assert_split(Framing::LinesOrLength32, b"\0\0\0\x01a\0\0\0\x02b\n", &[("a", None), ("b\n", None)]);
        assert_split(Framing::LinesOrLength32, b"a\n\0b\n", &[("a", None), ("\0b", None)]);
    }

    /// Python's `SysLogHandler` ends messages so over TCP, and GELF's senders their objects.
    #[test]
    fn a_nul_ends_a_message_and_an_object() {
        assert_split(
            Framing::Syslog,
            b"<1>a\0<2>b\0\n<3>\nc",
            &[("<1>a", None), ("<2>b", None), ("", None), ("<3>", None), ("c", None)],
        );
        assert_split(Framing::LinesOrLength32, b"{}\0{1}\0", &[("{}", None), ("{1}", None)]);
        assert_split(Framing::Newline, b"a\0b\n", &[("a\0b", None)]);
    }

    #[test]
    fn a_text_that_begins_with_a_date_is_no_count() {
        assert_split(Framing::Syslog, b"2026-1\n1\n", &[("2026-1", None), ("1", None)]);
    }

    #[test]
    fn long_frames_are_cut_and_the_next_one_is_whole() {
        assert_split(
            Framing::Newline,
            b"1234567890\r\nb\n123456789",
            &[("12345678", Some(11)), ("b", None), ("12345678", Some(9))],
        );
        assert_split(Framing::Length32, b"\0\0\0\x0a1234567890\0\0\0\x01b", &[("12345678", Some(10)), ("b", None)]);
        assert_split(Framing::Syslog, b"10 12345678901 b", &[("12345678", Some(10)), ("b", None)]);
    }

    #[test]
    fn what_is_no_frame_ends_the_stream() {
        for (framing, bytes) in [
            (Framing::Length32, &b"GET / HTTP/1.1\r\n"[..]),
            (Framing::Syslog, b"1 a<1>b"),
            (Framing::OctetCount, b"123456789 a"),
        ] {
            assert!(split(framing, 8, bytes, 3).1, "{bytes:?}");
        }
    }
}
