//! Frames: lines as they lie on disk. This header is the format.
//!
//! All numbers are little-endian. A *text* is its length as `u32`, then that many bytes.
//!
//! A segment begins with a header of 32 bytes: `SPLSPOOL`, the version `1` as `u32`, a random salt of 16 bytes, and the
//! CRC-32 (IEEE) of these 28 bytes. The same header follows once more, for the case that the first is damaged. Frames follow
//! from offset 64 on, without gaps:
//!
//! | bytes | content |
//! |---|---|
//! | 4 | the marker: the first four bytes of the salt |
//! | 4 | the length of the body |
//! | 4 | the CRC-32 of the salt, the frame's offset in the file as `u64`, the length, and the body |
//! | length | the body |
//!
//! A body begins with the flags (`u8`), the level (`u8`, 1 is ERROR and 5 is TRACE), the number of the frame in its segment
//! (`u32`, from 0), and the time in nanoseconds since 1970 (`i64`). Flags say which parts follow, in this order: 2 the trace
//! id (high and low half, `u64` each), 4 the span id (`u64`), 8 the target, 16 the request id, 32 the field, each a text. The
//! rest is the line, with its newline. Flag 1: the line is a notice, which no book counts. Flag 128: the end of the segment;
//! five `u64` follow, the counted lines of each level from ERROR on.
//!
//! A reader that finds no valid frame looks for the next marker with one. What it skips is damage, or a torn end. The salt
//! prevents a line that contains the bytes of a frame from becoming one.

use std::io;

use tracing::Level;

use crate::metrics::ByLevel;
use crate::record::{SpanId, Timestamp, TraceId};
use crate::sink::{Columns, Line};

/// Both headers.
pub(super) const HEADER_BYTES: usize = 2 * HALF;
const HALF: usize = 32;
pub(super) const FRAME_BYTES: usize = 12;
const MAGIC: &[u8; 8] = b"SPLSPOOL";
const VERSION: u32 = 1;

const NOTICE: u8 = 1;
const TRACE: u8 = 2;
const SPAN: u8 = 4;
const TARGET: u8 = 8;
const REQUEST: u8 = 16;
const FIELD: u8 = 32;
const END: u8 = 128;

/// The bytes of an end frame.
pub(super) const END_BYTES: usize = FRAME_BYTES + 14 + 5 * 8;

pub(super) const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// The random bytes of a segment.
pub(super) type Salt = [u8; 16];

/// A line that was read back.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub(super) level: Level,
    pub(super) time: Timestamp,
    pub(super) index: u32,
    pub(super) is_notice: bool,
    pub(super) columns: Columns,
    pub(super) bytes: &'a [u8],
}

impl Stored<'_> {
    /// Returns it as a line that can be stored again.
    pub(super) fn as_line(&self) -> Line<'_> {
        Line {
            id: 0,
            bytes: self.bytes,
            level: self.level,
            time: self.time,
            target: self.columns.log_target.as_deref(),
            columns: Some(&self.columns),
            is_relayed: false,
            is_notice: self.is_notice,
        }
    }
}

/// What a body holds.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Line(Stored<'a>),
    End(ByLevel),
}

pub(super) fn header(salt: &Salt) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HALF);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(salt);
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.repeat(2)
}

/// Returns the salt of a valid header, or of the second one.
pub(super) fn salt(header: &[u8]) -> Option<Salt> {
    header.get(..HEADER_BYTES)?.chunks_exact(HALF).find_map(salt_of)
}

fn salt_of(mut rest: &[u8]) -> Option<Salt> {
    let covered = rest.get(..HALF - 4)?;
    let (magic, version) = (take(&mut rest, 8)?, u32::from_le_bytes(array(&mut rest)?));
    let salt = array(&mut rest)?;
    let is_valid = magic == MAGIC && version == VERSION && crc32fast::hash(covered).to_le_bytes() == *rest;
    is_valid.then_some(salt)
}

/// Appends the frame of a line, which begins at `offset` of its file.
pub(super) fn put_line(to: &mut Vec<u8>, salt: &Salt, offset: u64, index: u32, line: &Line<'_>) {
    let columns = line.columns;
    let texts = [
        (TARGET, line.target),
        (REQUEST, columns.and_then(|columns| columns.request_id.as_deref())),
        (FIELD, columns.and_then(|columns| columns.field.as_deref())),
    ];
    let trace = columns.and_then(|columns| columns.trace_id);
    let span = columns.and_then(|columns| columns.span_id);
    let mut flags = if line.is_notice { NOTICE } else { 0 };
    flags |= if trace.is_some() { TRACE } else { 0 } | if span.is_some() { SPAN } else { 0 };
    texts.iter().filter(|(_, text)| text.is_some()).for_each(|(flag, _)| flags |= flag);
    put(to, salt, offset, |to| {
        put_start(to, flags, level_number(line.level), index, line.time);
        if let Some(trace) = trace {
            let (high, low) = trace.halves();
            to.extend_from_slice(&high.to_le_bytes());
            to.extend_from_slice(&low.to_le_bytes());
        }
        span.iter().for_each(|span| to.extend_from_slice(&span.number().to_le_bytes()));
        for text in texts.into_iter().filter_map(|(_, text)| text) {
            to.extend_from_slice(&length(text.len()));
            to.extend_from_slice(text.as_bytes());
        }
        to.extend_from_slice(line.bytes);
    });
}

/// Appends the frame that ends a segment.
pub(super) fn put_end(to: &mut Vec<u8>, salt: &Salt, offset: u64, index: u32, lines: ByLevel) {
    put(to, salt, offset, |to| {
        put_start(to, END, 0, index, Timestamp::from_nanos(0));
        LEVELS.into_iter().for_each(|level| to.extend_from_slice(&lines.level(level).to_le_bytes()));
    });
}

fn put_start(to: &mut Vec<u8>, flags: u8, level: u8, index: u32, time: Timestamp) {
    to.extend_from_slice(&[flags, level]);
    to.extend_from_slice(&index.to_le_bytes());
    to.extend_from_slice(&time.as_nanos().to_le_bytes());
}

fn put(to: &mut Vec<u8>, salt: &Salt, offset: u64, body: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.extend_from_slice(&salt[..4]);
    to.extend_from_slice(&[0; 8]);
    let body_start = to.len();
    body(to);
    let length = length(to.len() - body_start);
    let crc = crc(salt, offset, length, to.get(body_start..).unwrap_or_default()).to_le_bytes();
    if let Some(head) = to.get_mut(start + 4..body_start) {
        head.copy_from_slice(&[length, crc].concat());
    }
}

/// Returns the length of the body of the frame at the beginning of `bytes`; `None` if no frame can begin there.
pub(super) fn body_length(bytes: &[u8], salt: &Salt) -> Option<usize> {
    let length = bytes.get(4..8)?.try_into().ok()?;
    bytes.starts_with(&salt[..4]).then_some(u32::from_le_bytes(length) as usize)
}

/// Returns the body of the frame that `bytes` is, if it is valid.
pub(super) fn body<'a>(bytes: &'a [u8], salt: &Salt, offset: u64) -> Option<Body<'a>> {
    let (head, body) = bytes.split_at_checked(FRAME_BYTES)?;
    let found = head.get(8..12)?;
    let length = length(body.len());
    if head.get(4..8)? != length || crc(salt, offset, length, body).to_le_bytes() != *found {
        return None;
    }
    parse(body)
}

fn parse(mut rest: &[u8]) -> Option<Body<'_>> {
    let [flags, level] = array(&mut rest)?;
    let index = u32::from_le_bytes(array(&mut rest)?);
    let time = Timestamp::from_nanos(i64::from_le_bytes(array(&mut rest)?));
    if flags & END != 0 {
        let mut lines = ByLevel::default();
        for level in LEVELS {
            lines.add(level, u64::from_le_bytes(array(&mut rest)?));
        }
        return Some(Body::End(lines));
    }
    let level = *LEVELS.get(usize::from(level).checked_sub(1)?)?;
    let mut columns = Columns::default();
    if flags & TRACE != 0 {
        let high = u64::from_le_bytes(array(&mut rest)?);
        let low = SpanId::from_number(u64::from_le_bytes(array(&mut rest)?));
        columns.trace_id = low.map(|low| TraceId::of_halves(high, low));
    }
    if flags & SPAN != 0 {
        columns.span_id = SpanId::from_number(u64::from_le_bytes(array(&mut rest)?));
    }
    for (flag, to) in
        [(TARGET, &mut columns.log_target), (REQUEST, &mut columns.request_id), (FIELD, &mut columns.field)]
    {
        if flags & flag != 0 {
            let length = u32::from_le_bytes(array(&mut rest)?) as usize;
            *to = Some(std::str::from_utf8(take(&mut rest, length)?).ok()?.into());
        }
    }
    Some(Body::Line(Stored { level, time, index, is_notice: flags & NOTICE != 0, columns, bytes: rest }))
}

fn crc(salt: &Salt, offset: u64, length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(salt);
    hasher.update(&offset.to_le_bytes());
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

fn level_number(level: Level) -> u8 {
    LEVELS.iter().position(|known| *known == level).map_or(5, |at| at as u8 + 1)
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}

/// How far the lines of a spool are acknowledged: the text of its cursor file.
///
/// One line: `spanline-spool-cursor 1`, the number of the segment in 16 hex digits, the offset behind the last frame that is
/// done, the lines of each level from ERROR on that are done in this segment, and the CRC-32 of all that in 8 hex digits,
/// separated by single spaces. Segments with a smaller number are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) done: ByLevel,
}

impl Cursor {
    pub(super) fn text(&self) -> String {
        let done = LEVELS.map(|level| self.done.level(level).to_string()).join(" ");
        let text = format!("spanline-spool-cursor 1 {:016x} {} {done}", self.segment, self.offset);
        format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
    }

    pub(super) fn parse(text: &[u8]) -> io::Result<Self> {
        let found = std::str::from_utf8(text).ok().and_then(Self::parse_text);
        found.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong; all lines are sent again")
        })
    }

    fn parse_text(text: &str) -> Option<Self> {
        let (text, crc) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(text.as_bytes()) {
            return None;
        }
        let mut words = text.strip_prefix("spanline-spool-cursor 1 ")?.split(' ');
        let segment = u64::from_str_radix(words.next()?, 16).ok()?;
        let offset = words.next()?.parse().ok()?;
        let mut done = ByLevel::default();
        for level in LEVELS {
            done.add(level, words.next()?.parse().ok()?);
        }
        Some(Self { segment, offset, done })
    }
}
