//! What a full spool drops: the less severe lines first.

use std::io;

use tracing::Level;

use super::frame::{self, Body, HEADER_BYTES, LEVELS};
use super::reader::Reader;
use super::segment::Segment;
use super::store::Store;
use crate::metrics::{ByLevel, Reason};

impl Store {
    /// Makes room for `bytes` more. Returns false when the line of `level` is the one to drop.
    pub(super) fn make_room(&mut self, bytes: u64, level: Level) -> bool {
        let is_severe = level <= Level::WARN;
        while self.bytes() + bytes > self.limits.max_bytes {
            if !is_severe && self.limits.drops_newest {
                return false;
            }
            // The segment that is read, and the one that is written, stay as they are.
            let is_begun = |at: usize, segment: &Segment| {
                at == self.read_at && (segment.reading.outstanding > 0 || self.reader.offset() > segment.start)
            };
            let last = self.segments.len().saturating_sub(1);
            let mut may_go = (self.read_at..last)
                .filter(|at| self.segments.get(*at).is_some_and(|segment| !is_begun(*at, segment)))
                .collect::<Vec<_>>();
            if self.limits.drops_newest {
                may_go.reverse();
            }
            let has_mild = |at: &usize| self.segments.get(*at).is_some_and(|segment| mild(segment.lines).total() > 0);
            let shed = match may_go.iter().copied().find(has_mild) {
                Some(at) => self.shed_mild(at),
                None if is_severe && !self.limits.drops_newest => {
                    may_go.first().is_some_and(|at| self.drop_segment(*at))
                }
                None => false,
            };
            if !shed {
                return false;
            }
        }
        true
    }

    fn drop_segment(&mut self, at: usize) -> bool {
        let Some(segment) = self.segments.remove(at) else { return false };
        self.remove(&segment.place.name());
        self.lose(Reason::SpoolFull, segment.lines, segment.last_time);
        self.begin_reading_again(at);
        true
    }

    /// Drops the lines of a segment that are less severe than WARN.
    fn shed_mild(&mut self, at: usize) -> bool {
        let Some(segment) = self.segments.get(at) else { return false };
        let (lines, time) = (segment.lines, segment.last_time);
        if lines.level(Level::ERROR) + lines.level(Level::WARN) == 0 {
            return self.drop_segment(at);
        }
        match self.rewrite(at) {
            Ok(kept) => {
                self.lose(Reason::SpoolFull, lines.minus(kept), time);
                true
            }
            // Another program has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.give_up_segment(at),
            Err(error) => {
                let name = self.segments.get(at).map_or_else(String::new, |segment| segment.place.name());
                self.problem("shorten", &name, error);
                false
            }
        }
    }

    /// Writes a segment anew, with only its severe lines, which it returns.
    fn rewrite(&mut self, at: usize) -> io::Result<ByLevel> {
        let Some(old) = self.segments.get_mut(at) else { return Ok(ByLevel::default()) };
        let (salt, end, mut reader) = (old.salt, old.bytes, Reader::at(old.start));
        let (mut bytes, mut kept, mut index) = (frame::header(&salt), ByLevel::default(), 0);
        let file = old.file(&mut *self.disk)?;
        while let Some(length) = reader.find(file, &salt, end)? {
            if let Some(Body::Line(line)) = frame::body(reader.frame(length), &salt, reader.offset())
                && line.level <= Level::WARN
            {
                let offset = bytes.len() as u64;
                frame::put_line(&mut bytes, &salt, offset, index, &line.as_line());
                index += 1;
                kept.add(line.level, u64::from(!line.is_notice));
            }
            reader.pass(length);
        }
        let offset = bytes.len() as u64;
        frame::put_end(&mut bytes, &salt, offset, index, kept);
        old.close();
        if old.start > HEADER_BYTES as u64 {
            // A cursor of an earlier process leads into the segment. Without it, lines may be sent again.
            let cursor = format!("{}.cursor", old.place.owner);
            self.disk.remove(&cursor)?;
        }
        let (name, temporary) = (old.place.name(), format!("{}.tmp", old.place.name()));
        self.write_whole(&temporary, &bytes)?;
        self.disk.replace(&temporary, &name)?;
        if let Some(segment) = self.segments.get_mut(at) {
            segment.bytes = bytes.len() as u64;
            (segment.lines, segment.index, segment.start) = (kept, index, HEADER_BYTES as u64);
            segment.reading.done = ByLevel::default();
        }
        self.unsynced.names = true;
        self.begin_reading_again(at);
        Ok(kept)
    }

    /// The segment at `at` is another one now. If the reader is there, it has read no line of it.
    fn begin_reading_again(&mut self, at: usize) {
        if at == self.read_at {
            self.reader = Reader::at(self.segments.get(at).map_or(0, |segment| segment.start));
        }
    }
}

/// Returns the lines that are dropped before others.
fn mild(lines: ByLevel) -> ByLevel {
    let mut mild = ByLevel::default();
    LEVELS.into_iter().filter(|level| *level > Level::WARN).for_each(|level| mild.add(level, lines.level(level)));
    mild
}
