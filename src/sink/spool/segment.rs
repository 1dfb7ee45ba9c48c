//! One file of a spool, and how far its lines have come.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::frame::{self, Body, Cursor, HEADER_BYTES, Salt};
use super::reader::Reader;
use crate::metrics::ByLevel;
use crate::record::Timestamp;

/// One file of a spool.
pub(super) struct Segment {
    /// No two segments of a process have the same.
    pub(super) key: u64,
    pub(super) place: Place,
    pub(super) salt: Salt,
    /// Open only while it is written or read.
    file: Option<Box<dyn DiskFile>>,
    /// The bytes that hold whole frames. Behind them may be a torn one.
    pub(super) bytes: u64,
    /// The number of the next frame.
    pub(super) index: u32,
    /// The lines from `start` on that count, damaged ones included.
    pub(super) lines: ByLevel,
    /// Where the first line begins that is not done.
    pub(super) start: u64,
    pub(super) reading: Reading,
    pub(super) is_sealed: bool,
    /// Lines were written to it since it was last synced.
    pub(super) is_unsynced: bool,
    pub(super) last_time: Timestamp,
}

/// Whose it is, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) owner: Arc<str>,
    pub(super) number: u64,
}

/// How far a segment was read and acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// The lines that were read, or are known to be lost.
    pub(super) read: ByLevel,
    /// Frames that were read and are not acknowledged.
    pub(super) outstanding: u64,
    /// Lines of the whole segment that are done.
    pub(super) done: ByLevel,
    /// Its lines were counted.
    pub(super) is_scanned: bool,
}

impl Place {
    pub(super) fn name(&self) -> String {
        format!("{}-{:016x}.seg", self.owner, self.number)
    }

    /// Parses the name of a segment.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (owner, number) = name.strip_suffix(".seg")?.split_once('-')?;
        let number = (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok())??;
        Some(Self { owner: owner.into(), number })
    }
}

impl Segment {
    /// Creates an empty one.
    pub(super) fn create(disk: &mut dyn Disk, key: u64, place: Place) -> io::Result<Self> {
        let salt = new_salt();
        let name = place.name();
        let mut file = disk.create(&name)?;
        if let Err(error) = file.append(&frame::header(&salt)) {
            let _ = disk.remove(&name);
            return Err(error);
        }
        let reading = Reading { is_scanned: true, ..Reading::default() };
        Ok(Self { salt, file: Some(file), bytes: HEADER_BYTES as u64, reading, ..Self::found(key, place) })
    }

    /// Returns one that another process has left, not yet scanned.
    pub(super) fn found(key: u64, place: Place) -> Self {
        Self {
            key,
            place,
            salt: Salt::default(),
            file: None,
            bytes: 0,
            index: 0,
            lines: ByLevel::default(),
            start: HEADER_BYTES as u64,
            reading: Reading::default(),
            is_sealed: true,
            is_unsynced: false,
            last_time: Timestamp::from_nanos(0),
        }
    }

    pub(super) fn file(&mut self, disk: &mut dyn Disk) -> io::Result<&mut dyn DiskFile> {
        let file = match self.file.take() {
            Some(file) => file,
            None => disk.open(&self.place.name())?,
        };
        Ok(&mut **self.file.insert(file))
    }

    /// Returns whether the file is there; `None` if it is not open.
    pub(super) fn is_there(&mut self) -> Option<bool> {
        self.file.as_mut().map(|file| file.is_there())
    }

    /// Closes the file. It is opened again when it is needed.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Counts the lines that another process has left in it, behind its cursor.
    pub(super) fn scan(&mut self, disk: &mut dyn Disk, cursor: Option<&Cursor>) -> io::Result<()> {
        let file = self.file(disk)?;
        let bytes = file.len()?;
        let mut header = [0; HEADER_BYTES];
        let read = file.read_at(0, &mut header)?;
        self.bytes = bytes;
        self.reading.is_scanned = true;
        let Some(salt) = frame::salt(header.get(..read).unwrap_or_default()) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is no segment of a spool; its lines are lost"));
        };
        self.salt = salt;
        if let Some(cursor) = cursor.filter(|cursor| cursor.segment == self.place.number) {
            self.start = cursor.offset.max(HEADER_BYTES as u64);
            self.reading.done = cursor.done;
        }
        let (start, mut reader) = (self.start, Reader::at(0));
        let (mut valid, mut frames, mut first_index, mut all) = (ByLevel::default(), 0, 0, None);
        let file = self.file(disk)?;
        // Its process may have ended before it synced the last lines.
        file.sync()?;
        let (mut index, mut last_time) = (0, Timestamp::from_nanos(0));
        while let Some(length) = reader.find(file, &salt, bytes)? {
            match frame::body(reader.frame(length), &salt, reader.offset()) {
                Some(Body::Line(line)) => {
                    index = line.index.saturating_add(1);
                    last_time = line.time;
                    if reader.offset() >= start {
                        valid.add(line.level, u64::from(!line.is_notice));
                        frames += 1;
                    } else {
                        first_index = index;
                    }
                }
                Some(Body::End(lines)) => all = Some(lines),
                None => {}
            }
            reader.pass(length);
        }
        self.lines = match all {
            Some(all) => at_least(all.minus(self.reading.done), valid),
            None => {
                // Frames are missing whose level nobody knows.
                let missing = u64::from(index.saturating_sub(first_index)).saturating_sub(frames) + reader.damaged();
                let mut lines = valid;
                lines.add(tracing::Level::INFO, missing);
                lines
            }
        };
        (self.index, self.last_time) = (index, last_time);
        self.close();
        Ok(())
    }

    /// Returns the lines that are lost, once all frames were read: those that count and were not found.
    pub(super) fn take_damaged(&mut self) -> ByLevel {
        let damaged = self.lines.minus(self.reading.read);
        self.reading.read = self.lines;
        damaged
    }
}

/// Returns the larger count of each level.
fn at_least(lines: ByLevel, least: ByLevel) -> ByLevel {
    lines.plus(least.minus(lines))
}

fn new_salt() -> Salt {
    let halves = [0, 1].map(|half: u64| RandomState::new().hash_one(half).to_le_bytes());
    let mut salt = Salt::default();
    salt.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
    salt
}
