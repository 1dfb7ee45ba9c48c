//! The lines on disk: a queue of segments. Lines are appended to the last one, and read from the first on.
//!
//! Nothing here waits or looks at a clock: `spool` decides when to append, read, acknowledge and sync.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use tracing::Level;

use super::disk::{Disk, DiskFile};
use super::frame::{self, Body, Cursor, END_BYTES, FRAME_BYTES, Stored};
use super::reader::Reader;
use super::segment::{Place, Segment};
use super::settings::Limits;
use crate::error::Error;
use crate::metrics::{ByLevel, DroppedLine, Reason};
use crate::record::Timestamp;
use crate::sink::Line;

/// Segments have even numbers from here on. One before them, with an odd number, holds lines that were in flight when the
/// spool began.
const FIRST_NUMBER: u64 = 1 << 32;

/// A frame without its line and texts takes this many bytes at most.
const MOST_BESIDES: usize = FRAME_BYTES + 14 + 24 + 3 * 4;

/// The spool of this process, with those that it took over.
pub(super) struct Store {
    pub(super) disk: Box<dyn Disk>,
    pub(super) limits: Limits,
    pub(super) owner: Arc<str>,
    /// The locks of this process's spool and of those that it took over.
    pub(super) locks: Vec<(Arc<str>, Box<dyn DiskFile>)>,
    pub(super) segments: VecDeque<Segment>,
    pub(super) reader: Reader,
    /// The segment that the reader is in.
    pub(super) read_at: usize,
    pub(super) cursors: Vec<(Arc<str>, Cursor)>,
    pub(super) unsynced: Unsynced,
    appending: Appending,
    findings: Findings,
    pub(super) next_key: u64,
}

/// What a power cut would undo.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    lines: bool,
    pub(super) names: bool,
    cursor: bool,
}

/// Frames that are not in the file yet.
#[derive(Debug, Default)]
struct Appending {
    buffer: Vec<u8>,
    lines: ByLevel,
    frames: u32,
    last_time: Option<Timestamp>,
}

/// What is to be reported.
#[derive(Debug, Default)]
struct Findings {
    lost: Vec<DroppedLine>,
    problems: Vec<Error>,
}

/// Where a line lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    key: u64,
    /// Where it ends.
    end: u64,
    level: Level,
    counts: bool,
}

/// What became of a line that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Kept,
    /// The spool is full.
    Dropped,
    /// The segment is full: commit, rotate, and try again.
    SegmentFull,
}

impl Store {
    pub(super) fn new(disk: Box<dyn Disk>, limits: Limits, owner: Arc<str>, lock: Box<dyn DiskFile>) -> Self {
        Self {
            disk,
            limits,
            locks: vec![(Arc::clone(&owner), lock)],
            owner,
            segments: VecDeque::new(),
            reader: Reader::at(0),
            read_at: 0,
            cursors: Vec::new(),
            unsynced: Unsynced::default(),
            appending: Appending::default(),
            findings: Findings::default(),
            next_key: 0,
        }
    }

    /// Returns whether no line is left.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.appending.buffer.len() as u64
    }

    /// Returns whether a power cut would lose lines, or repeat some.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced.lines || self.unsynced.names || self.unsynced.cursor
    }

    /// Takes out the lines that were lost, and what went wrong.
    pub(super) fn take_findings(&mut self) -> (Vec<DroppedLine>, Vec<Error>) {
        let Findings { lost, problems } = std::mem::take(&mut self.findings);
        (lost, problems)
    }

    pub(super) fn problem(&mut self, doing: &str, name: &str, error: io::Error) {
        let path = self.disk.path().join(name);
        self.findings.problems.push(Error::io(format!("{doing} {}", path.display()), error));
    }

    pub(super) fn lose(&mut self, reason: Reason, lines: ByLevel, time: Timestamp) {
        let of = |(level, lines)| DroppedLine { reason, level, time, lines, is_notice: false };
        self.findings.lost.extend(lines.levels().map(of));
    }

    /// Adds a line to what [`commit`](Self::commit) writes.
    ///
    /// # Errors
    /// No segment can be created.
    pub(super) fn put(&mut self, line: &Line<'_>) -> io::Result<Put> {
        let columns = line.columns;
        let texts = columns.map_or(0, |columns| {
            [&columns.request_id, &columns.field].into_iter().flatten().map(|text| text.len()).sum::<usize>()
        });
        let need = MOST_BESIDES + line.bytes.len() + line.target.map_or(0, str::len) + texts;
        if !self.make_room((need + END_BYTES) as u64, line.level) {
            return Ok(Put::Dropped);
        }
        if self.segments.back().is_none_or(|last| last.is_sealed || last.place.owner != self.owner) {
            self.begin_segment()?;
        }
        let Some(active) = self.segments.back() else { return Ok(Put::Dropped) };
        let offset = active.bytes + self.appending.buffer.len() as u64;
        let is_first = active.index == 0 && self.appending.frames == 0;
        if !is_first && offset + (need + END_BYTES) as u64 > self.limits.segment_bytes() {
            return Ok(Put::SegmentFull);
        }
        let appending = &mut self.appending;
        let index = active.index + appending.frames;
        frame::put_line(&mut appending.buffer, &active.salt, offset, index, line);
        appending.frames += 1;
        appending.lines.add(line.level, u64::from(!line.is_notice));
        appending.last_time = Some(line.time);
        Ok(Put::Kept)
    }

    /// Writes the lines that were put.
    ///
    /// # Errors
    /// None of them is in the spool.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let Appending { buffer, lines, frames, last_time } = std::mem::take(&mut self.appending);
        let Some(active) = self.segments.back_mut().filter(|_| frames > 0) else { return Ok(()) };
        let bytes = active.bytes;
        let file = active.file(&mut *self.disk)?;
        if let Err(error) = file.append(&buffer) {
            if file.truncate(bytes).is_err() {
                // What lies behind its frames stays there, and is skipped.
                active.is_sealed = true;
            }
            return Err(error);
        }
        active.bytes += buffer.len() as u64;
        active.index += frames;
        active.lines = active.lines.plus(lines);
        active.last_time = last_time.unwrap_or(active.last_time);
        active.is_unsynced = true;
        self.unsynced.lines = true;
        Ok(())
    }

    /// Ends the segment that is written.
    pub(super) fn rotate(&mut self) {
        let last = self.segments.len().saturating_sub(1);
        let Some(active) = self.segments.back_mut().filter(|active| !active.is_sealed) else { return };
        let mut end = Vec::new();
        frame::put_end(&mut end, &active.salt, active.bytes, active.index, active.lines);
        active.is_sealed = true;
        let ended = active.file(&mut *self.disk).and_then(|file| {
            file.append(&end)?;
            file.sync()
        });
        if ended.is_ok() {
            active.bytes += end.len() as u64;
            active.is_unsynced = false;
        }
        if self.read_at != last {
            active.close();
        }
        let name = active.place.name();
        if let Err(error) = ended {
            self.problem("end", &name, error);
        }
    }

    /// Keeps lines before all others: they were in flight when the spool began. Nothing was read yet.
    pub(super) fn put_before<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> io::Result<()> {
        let own = self.segments.iter().position(|segment| segment.place.owner == self.owner);
        let first = own.and_then(|at| self.segments.get(at)).map(|first| first.place.number);
        let number = first.unwrap_or(FIRST_NUMBER + 2 * self.next_key) - 1;
        let place = Place { owner: Arc::clone(&self.owner), number };
        let mut segment = Segment::create(&mut *self.disk, self.next_key, place)?;
        self.next_key += 1;
        let mut frames = Vec::new();
        for line in lines {
            let offset = segment.bytes + frames.len() as u64;
            frame::put_line(&mut frames, &segment.salt, offset, segment.index, &line);
            segment.index += 1;
            segment.lines.add(line.level, u64::from(!line.is_notice));
            segment.last_time = line.time;
        }
        let end = segment.bytes + frames.len() as u64;
        frame::put_end(&mut frames, &segment.salt, end, segment.index, segment.lines);
        let written = segment.file(&mut *self.disk).and_then(|file| file.append(&frames));
        if let Err(error) = written {
            let _ = self.disk.remove(&segment.place.name());
            return Err(error);
        }
        segment.bytes += frames.len() as u64;
        segment.is_sealed = true;
        let synced = segment.file(&mut *self.disk).and_then(DiskFile::sync);
        segment.is_unsynced = synced.is_err();
        self.unsynced.lines |= segment.is_unsynced;
        segment.close();
        let name = segment.place.name();
        self.segments.insert(own.unwrap_or(self.segments.len()), segment);
        self.reader = Reader::at(self.segments.get(self.read_at).map_or(0, |first| first.start));
        self.unsynced.names = true;
        if let Err(error) = synced {
            self.problem("sync", &name, error);
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        // No number is used twice: an old cursor must not lead into a new segment.
        let number = FIRST_NUMBER + 2 * self.next_key;
        let place = Place { owner: Arc::clone(&self.owner), number };
        let mut segment = Segment::create(&mut *self.disk, self.next_key, place)?;
        segment.is_sealed = false;
        self.next_key += 1;
        if self.segments.is_empty() {
            (self.read_at, self.reader) = (0, Reader::at(0));
        }
        self.segments.push_back(segment);
        self.unsynced.names = true;
        Ok(())
    }

    pub(super) fn names_changed(&mut self) {
        self.unsynced.names = true;
    }

    /// Begins to read at the first segment, whose beginning is known now.
    pub(super) fn begin_first(&mut self) {
        if self.read_at == 0 {
            self.reader = Reader::at(self.segments.front().map_or(0, |first| first.start));
        }
    }

    /// Reads the next line. Returns false when all were read.
    ///
    /// # Errors
    /// The disk fails: the same line is read again later.
    pub(super) fn read(&mut self, to: &mut dyn FnMut(&Stored<'_>, Position)) -> io::Result<bool> {
        loop {
            let last = self.segments.len().saturating_sub(1);
            let Some(segment) = self.segments.get_mut(self.read_at) else { return Ok(false) };
            let (salt, bytes, key) = (segment.salt, segment.bytes, segment.key);
            let found = segment.file(&mut *self.disk).and_then(|file| self.reader.find(file, &salt, bytes));
            let found = match found {
                // Another program has removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                found => found?,
            };
            let Some(length) = found else {
                if self.read_at == last && !segment.is_sealed {
                    return Ok(false);
                }
                self.finish_reading();
                continue;
            };
            let offset = self.reader.offset();
            let body = frame::body(self.reader.frame(length), &salt, offset);
            if let Some(Body::Line(line)) = &body {
                let counts = !line.is_notice;
                segment.reading.outstanding += 1;
                segment.reading.read.add(line.level, u64::from(counts));
                to(line, Position { key, end: offset + length as u64, level: line.level, counts });
            }
            let is_line = matches!(body, Some(Body::Line(_)));
            self.reader.pass(length);
            if is_line {
                return Ok(true);
            }
        }
    }

    /// Goes on with the next segment.
    fn finish_reading(&mut self) {
        let Some(segment) = self.segments.get_mut(self.read_at) else { return };
        // While its lines are in memory, it stays open: if another program removes it, it is written again.
        if segment.reading.outstanding == 0 {
            segment.close();
        }
        let (damaged, time) = (segment.take_damaged(), segment.last_time);
        if damaged.total() > 0 {
            let name = segment.place.name();
            let what = format!("{} lines of it are damaged and lost", damaged.total());
            self.problem("read", &name, io::Error::new(ErrorKind::InvalidData, what));
            self.lose(Reason::Damaged, damaged, time);
        }
        self.read_at += 1;
        self.reader = Reader::at(self.segments.get(self.read_at).map_or(0, |next| next.start));
        self.remove_done();
    }

    /// Marks a line as done. Lines are acknowledged in the order in which they were read.
    pub(super) fn acknowledge(&mut self, position: Position) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.key == position.key) {
            let reading = &mut segment.reading;
            reading.outstanding = reading.outstanding.saturating_sub(1);
            reading.done.add(position.level, u64::from(position.counts));
            segment.start = position.end;
            self.unsynced.cursor = true;
        }
    }

    /// Removes what is done. With `is_read`, all lines were read: then the last segment can be done, too.
    pub(super) fn tidy(&mut self, is_read: bool) {
        if is_read && self.read_at + 1 == self.segments.len() && self.appending.frames == 0 {
            let is_done = self.segments.iter().all(|segment| segment.reading.outstanding == 0)
                && self.segments.back().is_some_and(|last| self.reader.offset() >= last.bytes);
            if is_done {
                self.finish_reading();
            }
        }
        self.remove_done();
    }

    fn remove_done(&mut self) {
        while self.read_at > 0 && self.segments.front().is_some_and(|front| front.reading.outstanding == 0) {
            self.read_at -= 1;
            if let Some(front) = self.segments.pop_front() {
                self.remove(&front.place.name());
                if !self.segments.iter().any(|segment| segment.place.owner == front.place.owner) {
                    self.end_owner(&front.place.owner);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Err(error) = self.disk.remove(name) {
            self.problem("remove", name, error);
        }
    }

    /// Removes what is left of a spool without lines. Its own lock stays.
    fn end_owner(&mut self, owner: &Arc<str>) {
        self.remove(&format!("{owner}.cursor"));
        if self.segments.is_empty() {
            self.unsynced = Unsynced::default();
        }
        if *owner != self.owner {
            self.remove(&format!("{owner}.lock"));
            self.locks.retain(|(of, _)| of != owner);
        }
    }

    /// Removes this process's lock, if no line is left.
    pub(super) fn remove_lock(&mut self) {
        if self.is_empty() {
            let name = format!("{}.lock", self.owner);
            self.remove(&name);
        }
    }

    /// Makes lines durable, and notes how far they are acknowledged.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced.lines {
            // Also those that were sealed because of an error, and could not be synced then.
            for segment in self.segments.iter_mut().filter(|segment| segment.is_unsynced) {
                segment.file(&mut *self.disk)?.sync()?;
                segment.is_unsynced = false;
            }
        }
        self.unsynced.lines = false;
        if self.unsynced.names {
            self.disk.sync_names()?;
            self.unsynced.names = false;
        }
        if self.unsynced.cursor
            && let Some(front) = self.segments.front()
        {
            let Place { owner, number } = front.place.clone();
            let cursor = Cursor { segment: number, offset: front.start, done: front.reading.done };
            let (name, temporary) = (format!("{owner}.cursor"), format!("{owner}.cursor.tmp"));
            self.write_whole(&temporary, cursor.text().as_bytes())?;
            self.disk.replace(&temporary, &name)?;
        }
        self.unsynced.cursor = false;
        Ok(())
    }

    pub(super) fn write_whole(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.remove(name)?;
        let mut file = self.disk.create(name)?;
        file.append(bytes)?;
        file.sync()
    }
}
