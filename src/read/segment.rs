//! One file of a log.

use std::fmt;
#[cfg(feature = "sealed")]
use std::fs::TryLockError;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "sealed")]
use super::decode::{Bare, Key, bare};
use super::decode::{Content, Source, content, decoded};
use super::lines::Lines;
use super::open::{failed, identity, open, read_at};
#[cfg(feature = "sealed")]
use super::sealed::SealedLines;
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::{Compression, Label, Segment as Position, SegmentNames};

/// One file of a log, as it was when it was listed: the active file or a closed segment.
#[derive(Clone, Debug)]
pub struct Segment {
    path: PathBuf,
    compression: Compression,
    stored: Stored,
    role: Role,
}

/// What a listing says about a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stored {
    bytes: u64,
    written_at: Option<Timestamp>,
    /// What no other file has; `None` where files have no stable identity.
    identity: Option<(u64, u64)>,
}

impl Stored {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let written_at = metadata.modified().map(chrono::DateTime::<chrono::Utc>::from).ok().map(Timestamp::from);
        Self { bytes: metadata.len(), written_at, identity: identity(metadata) }
    }

    pub(super) fn written_at(&self) -> Option<Timestamp> {
        self.written_at
    }
}

#[derive(Clone, Debug)]
enum Role {
    /// Stays open, as a rotation gives its path to another file. `None` if it could not be opened.
    Active(Option<Arc<File>>),
    /// Stays open, as a rotation gives it another number. `None` if it could not be opened.
    Numbered(Position, Option<Arc<File>>),
    /// Was the active file of a period that has ended.
    Ended(Label, Option<Arc<File>>),
    /// Its compression, and with it its name, may change.
    Closed(Arc<SegmentNames>, Position),
    /// A compressed file that is no segment by its name.
    Single,
}

impl Segment {
    pub(super) fn active(path: PathBuf, file: Option<Arc<File>>, stored: Stored) -> Self {
        Self { path, compression: Compression::Plain, stored, role: Role::Active(file) }
    }

    pub(super) fn closed(
        path: PathBuf,
        names: Arc<SegmentNames>,
        position: Position,
        compression: Compression,
        stored: Stored,
    ) -> Self {
        Self { path, compression, stored, role: Role::Closed(names, position) }
    }

    pub(super) fn numbered(
        path: PathBuf,
        (position, compression): (Position, Compression),
        file: Option<Arc<File>>,
        stored: Stored,
    ) -> Self {
        Self { path, compression, stored, role: Role::Numbered(position, file) }
    }

    /// Makes the active file that of a period that has ended.
    pub(super) fn end(&mut self, label: Label) {
        if let Role::Active(file) = &mut self.role {
            self.role = Role::Ended(label, file.take());
        }
    }

    pub(super) fn single(path: PathBuf, compression: Compression, stored: Stored) -> Self {
        Self { path, compression, stored, role: Role::Single }
    }

    /// Returns the path at which it was listed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how its bytes were stored when it was listed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Returns its size on disk when it was listed, in bytes.
    pub fn bytes(&self) -> u64 {
        self.stored.bytes
    }

    /// Returns whether it is the active file.
    pub fn is_active(&self) -> bool {
        matches!(self.role, Role::Active(_))
    }

    /// Returns what no other file has, under any name; `None` where files have no stable identity.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        self.stored.identity
    }

    /// Returns the place that its name says; `None` for the active file and for numbered segments.
    pub(super) fn place(&self) -> Option<Position> {
        match &self.role {
            Role::Ended(label, _) => Some(Position { label: Some(*label), sequence: u64::MAX }),
            _ => self.position(),
        }
    }

    /// Returns its number now: the newest segment has 1.
    pub(super) fn number(&self) -> Option<u64> {
        match &self.role {
            Role::Numbered(position, _) => Some(u64::MAX - position.sequence),
            _ => None,
        }
    }

    /// Returns whether both are one file, under any name.
    #[cfg(feature = "sealed")]
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.stored.identity.is_some() && self.stored.identity == other.stored.identity
    }

    /// Returns what it covers, as its name says: the first moment of its period on a wall clock in the log's zone, such as
    /// `2026-11-20`; `None` for the active file and for numbered segments.
    pub fn period(&self) -> Option<String> {
        let label = match &self.role {
            Role::Ended(label, _) => Some(*label),
            _ => self.position().and_then(|position| position.label),
        };
        label.map(|label| label.to_string())
    }

    /// Returns when it was last written to, as of the listing; compression does not change that.
    pub fn written_at(&self) -> Option<Timestamp> {
        self.stored.written_at()
    }

    /// Returns whether it was written to within this time, as of the listing, or at a time that is not known.
    pub(super) fn is_younger_than(&self, age: Duration) -> bool {
        let written_at = self.written_at().map(|at| SystemTime::from(at.to_datetime()));
        written_at.and_then(|at| at.elapsed().ok()).is_none_or(|elapsed| elapsed < age)
    }

    /// Returns its sequence number, which grows by one with each rotation; `None` for the active file
    /// and for numbered segments, whose numbers change.
    pub fn sequence(&self) -> Option<u64> {
        self.position().map(|position| position.sequence)
    }

    /// Opens it for reading, decompressed. The first bytes say how it is compressed, whatever the name. A sealed segment needs
    /// a key: see [`lines`](Self::lines).
    ///
    /// Each call starts at the beginning. A segment that was compressed since it was listed is opened decompressed.
    ///
    /// # Errors
    /// The file cannot be opened, it has been removed since it was listed, or the feature that decompresses it is not
    /// enabled.
    pub fn open(&self) -> Result<Reader, Error> {
        let (path, compression, file) = self.open_stored()?;
        Ok(Reader { source: decoded(Shared::source(file), compression, &path)?, path })
    }

    /// Opens it for reading by position, so that several threads can read parts of it; `None` if its bytes are no lines as
    /// they are: it is compressed or sealed, and [`open`](Self::open) reads it from its beginning.
    ///
    /// # Errors
    /// The file cannot be opened or read, or it has been removed since it was listed.
    pub fn open_plain(&self) -> Result<Option<PlainFile>, Error> {
        let (path, compression, file) = self.open_stored()?;
        let (content, _) = content(Shared::source(Arc::clone(&file))).map_err(failed("read", &path))?;
        let is_plain = content == Content::Unknown && compression == Compression::Plain;
        Ok(is_plain.then_some(PlainFile { path, file }))
    }

    /// Opens it for reading by position, its bytes as they are stored: compressed or sealed, if it is.
    ///
    /// # Errors
    /// The file cannot be opened, or it has been removed since it was listed.
    pub fn open_raw(&self) -> Result<PlainFile, Error> {
        self.open_stored().map(|(path, _, file)| PlainFile { path, file })
    }

    /// Returns whether it is sealed, as its first bytes say.
    ///
    /// # Errors
    /// The file cannot be opened or read, or it has been removed since it was listed.
    #[cfg(feature = "sealed")]
    pub fn is_sealed(&self) -> Result<bool, Error> {
        let (path, compression, file) = self.open_stored()?;
        Ok(matches!(bare(Shared::source(file), compression, &path)?, Bare::Sealed(_)))
    }

    /// Opens it as a sealed file with a key; `None` if it is none.
    #[cfg(feature = "sealed")]
    pub(super) fn open_sealed(&self, key: &Key) -> Result<Option<SealedLines>, Error> {
        let (path, compression, file) = self.open_stored()?;
        match bare(Shared::source(file), compression, &path)? {
            Bare::Sealed(source) => SealedLines::new(source, &path, key, self.is_live()).map(Some),
            Bare::Lines(_) => Ok(None),
        }
    }

    /// Opens it as it is stored. Returns where it was found.
    pub(super) fn open_stored(&self) -> Result<(PathBuf, Compression, Arc<File>), Error> {
        if let Some(file) = self.held() {
            return Ok((self.path.clone(), self.compression, Arc::clone(file)));
        }
        for (path, compression) in self.places() {
            match open(&path) {
                Ok(file) => return Ok((path, compression, Arc::new(file))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("open", &path)(error)),
            }
        }
        let path = self.path.display();
        Err(Error::retry(format!("open {path}: it was removed after it was listed; its lines are missing here")))
    }

    /// Opens it as it is stored.
    #[cfg(feature = "sealed")]
    pub(super) fn source(&self) -> Result<Source, Error> {
        self.open_stored().map(|(_, _, file)| Shared::source(file))
    }

    /// Returns whether it is an active file that could not be opened.
    pub(super) fn is_unopened(&self) -> bool {
        self.is_active() && self.held().is_none()
    }

    /// Returns the file that stays open.
    pub(super) fn held(&self) -> Option<&Arc<File>> {
        match &self.role {
            Role::Active(file) | Role::Numbered(_, file) | Role::Ended(_, file) => file.as_ref(),
            Role::Closed(..) | Role::Single => None,
        }
    }

    /// Returns whether the writer of a sealed file has it open: it holds the file's lock.
    #[cfg(feature = "sealed")]
    pub(super) fn is_live(&self) -> bool {
        let Some(file) = self.held() else { return false };
        let is_locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        if !is_locked {
            let _ = file.unlock();
        }
        is_locked
    }

    /// Returns whether the file that stays open is empty by now.
    #[cfg(feature = "sealed")]
    pub(super) fn is_empty(&self) -> bool {
        self.held().is_some_and(|file| file.metadata().is_ok_and(|metadata| metadata.len() == 0))
    }

    /// Returns its lines.
    pub fn lines(&self) -> Lines {
        Lines::new([self.clone()])
    }

    fn position(&self) -> Option<Position> {
        match &self.role {
            Role::Closed(_, position) => Some(*position),
            _ => None,
        }
    }

    /// Returns where it may be by now. The writer removes one file only after the next one is complete.
    fn places(&self) -> Vec<(PathBuf, Compression)> {
        let mut places = vec![(self.path.clone(), self.compression)];
        if let Role::Closed(names, position) = &self.role {
            let path = |compression| self.path.with_file_name(names.segment(*position, compression));
            places.extend(Compression::ALL.map(|compression| (path(compression), compression)));
        }
        places
    }
}

/// Reads the decompressed bytes of one segment, or of another source. Its errors name the path.
pub struct Reader {
    pub(super) path: PathBuf,
    pub(super) source: Box<dyn Read + Send>,
}

impl Reader {
    /// Reads another source, such as stdin, decompressed as its first bytes say. `name`: what its errors call it.
    ///
    /// # Blocking
    /// Waits for the first bytes, at most 16.
    ///
    /// # Errors
    /// It is sealed or cannot be read, or the feature that decompresses it is not enabled.
    pub fn new(name: impl Into<PathBuf>, source: impl Read + Send + 'static) -> Result<Self, Error> {
        let path = name.into();
        Ok(Self { source: decoded(Box::new(source), Compression::Plain, &path)?, path })
    }

    /// Returns the path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.source.read(bytes).map_err(|error| match error.kind() {
            // Callers try again by this kind alone.
            ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, format!("read {}: {error}", self.path.display())),
        })
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A file whose bytes are read by position; those of [`Segment::open_plain`] are lines. Its clones share one open file.
#[derive(Clone, Debug)]
pub struct PlainFile {
    path: PathBuf,
    file: Arc<File>,
}

impl PlainFile {
    pub(super) fn new(path: PathBuf, file: Arc<File>) -> Self {
        Self { path, file }
    }

    /// Returns the path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its size now, in bytes.
    ///
    /// # Errors
    /// The file cannot be examined. The error does not name it.
    pub fn bytes(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Returns what the system says about the open file now, whatever is at its path by now.
    ///
    /// # Errors
    /// The file cannot be examined. The error does not name it.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Reads bytes from a position on, and returns how many. It is 0 only at the end of the file, or if `bytes` is empty.
    ///
    /// # Errors
    /// The file cannot be read. The error does not name it.
    pub fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        read_at(&self.file, bytes, position)
    }
}

/// Reads an open file from its beginning, also if others read it.
struct Shared {
    file: Arc<File>,
    offset: u64,
}

impl Shared {
    fn source(file: Arc<File>) -> Source {
        Box::new(Self { file, offset: 0 })
    }
}

impl Read for Shared {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file, bytes, self.offset)?;
        self.offset = self.offset.saturating_add(read as u64);
        Ok(read)
    }
}
