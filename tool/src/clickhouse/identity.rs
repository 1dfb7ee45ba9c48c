//! Which of the loaded segments a file is, under any name and compressed or not: its first bytes, as many as were loaded, have the
//! same hash.
//!
//! A file that has not changed since it was hashed need not be read again: see [`stamp`].

use std::collections::{HashMap, HashSet};
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::Path;

use siphasher::sip128::{Hasher128, SipHasher13};
use spanline::record::Timestamp;

use super::segments::{Known, State};

const BUFFER_BYTES: usize = 256 << 10;

/// Hashes what passes through it.
pub(super) struct Hashing<R> {
    reader: R,
    hasher: SipHasher13,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, hasher: SipHasher13::new(), bytes: 0 }
    }

    /// Returns the hash of all bytes so far.
    pub(super) fn hash(&self) -> u128 {
        self.hasher.finish128().as_u128()
    }

    pub(super) fn hashed_bytes(&self) -> u64 {
        self.bytes
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.hasher.write(bytes.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Returns what tells whether a file was written, renamed or replaced since it was listed. `None` if it was changed after that, so
/// that another file may be open, or so short before that a further change may not show.
///
/// The time of the last change of the inode is part of it, which no program can set.
#[cfg(unix)]
pub(super) fn stamp(path: &Path, listed: Timestamp) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    /// What happens to a file within this time after its last change may leave no trace in its times, in nanoseconds. FAT counts
    /// two seconds.
    const COARSEST_NANOS: i128 = 2_100_000_000;

    let metadata = std::fs::metadata(path).ok()?;
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let changed = nanos(metadata.ctime(), metadata.ctime_nsec());
    let written = nanos(metadata.mtime(), metadata.mtime_nsec());
    let is_settled = i128::from(listed.as_nanos()) - changed.max(written) > COARSEST_NANOS;
    let (device, inode, bytes) = (metadata.dev(), metadata.ino(), metadata.len());
    is_settled.then(|| format!("{device}:{inode}:{bytes}:{written}:{changed}"))
}

/// Files have no such identity here.
#[cfg(not(unix))]
pub(super) fn stamp(_: &Path, _: Timestamp) -> Option<String> {
    None
}

/// A file as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// How long it is, decompressed.
    pub(super) bytes: u64,
    /// That of all its bytes.
    pub(super) hash: u128,
    /// The lengths and hashes of those of its beginnings that were loaded as segments.
    begins: Vec<(u64, u128)>,
}

impl Content {
    /// Reads all of a file. `read`: is told how many bytes were read since the last call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(reader: impl Read, index: &Index<'_>, path: &str, mut read: impl FnMut(u64)) -> io::Result<Self> {
        let mut reader = Hashing::new(reader);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut begins = Vec::new();
        let mut lengths = index.lengths(path).peekable();
        loop {
            let to_next = lengths.peek().map_or(u64::MAX, |next| next - reader.hashed_bytes());
            let most = usize::try_from(to_next).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            match reader.read(buffer.get_mut(..most).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
                Ok(0) => break,
                Ok(bytes) => read(bytes as u64),
            }
            if lengths.next_if_eq(&reader.hashed_bytes()).is_some() {
                let beginning = (reader.hashed_bytes(), reader.hash());
                begins.extend(index.is_loaded(beginning).then_some(beginning));
            }
        }
        Ok(Self { bytes: reader.hashed_bytes(), hash: reader.hash(), begins })
    }
}

/// The complete segments of one log.
#[derive(Debug, Default)]
pub(super) struct Index<'k> {
    /// By their lengths and hashes. Of equal ones, the first is the last here.
    contents: HashMap<(u64, u128), Vec<&'k Known>>,
    stamps: HashMap<&'k str, &'k Known>,
    /// The lengths of those that were written to when they were loaded.
    active: Vec<u64>,
    /// The lengths of the others, by their paths. Their writers may have kept them open for a while.
    closed: HashMap<&'k str, Vec<u64>>,
    claimed: HashSet<u64>,
}

impl<'k> Index<'k> {
    pub(super) fn new(known: &[&'k Known]) -> Self {
        let mut index = Self::default();
        for known in known.iter().rev().filter(|known| known.state == State::Complete) {
            let bytes = known.loaded.totals.bytes;
            index.contents.entry((bytes, known.loaded.hash)).or_default().push(known);
            if !known.stamp.is_empty() {
                index.stamps.insert(&known.stamp, known);
            }
            if known.source.is_active {
                index.active.push(bytes);
            } else {
                index.closed.entry(&known.source.path).or_default().push(bytes);
            }
        }
        index.active.sort_unstable();
        index.active.dedup();
        index
    }

    /// Returns the lengths of the segments that a file may have been, in order.
    fn lengths(&self, path: &str) -> impl Iterator<Item = u64> + use<> {
        let mut lengths = self.active.clone();
        if let Some(closed) = self.closed.get(path) {
            lengths.extend(closed);
            lengths.sort_unstable();
            lengths.dedup();
        }
        lengths.into_iter().filter(|length| *length > 0)
    }

    fn is_loaded(&self, content: (u64, u128)) -> bool {
        self.contents.contains_key(&content)
    }

    /// Claims the segment that a file is, if the file has not changed since it was hashed.
    pub(super) fn claim_unchanged(&mut self, stamp: &str) -> Option<&'k Known> {
        let known = *self.stamps.get(stamp)?;
        self.claimed.insert(known.id).then_some(known)
    }

    /// Claims the segment that a file is: as it was loaded, and nothing more.
    pub(super) fn claim_whole(&mut self, content: &Content) -> Option<&'k Known> {
        let equal = self.contents.get_mut(&(content.bytes, content.hash))?;
        while let Some(known) = equal.pop() {
            if self.claimed.insert(known.id) {
                return Some(known);
            }
        }
        None
    }

    /// Claims the longest segment that a file has been before it has grown.
    pub(super) fn claim_beginning(&mut self, content: &Content, path: &str) -> Option<&'k Known> {
        let may_grow = |known: &Known| known.source.is_active || known.source.path == path;
        for beginning in content.begins.iter().rev() {
            let equal = self.contents.get(beginning).map(Vec::as_slice).unwrap_or_default();
            let found = equal.iter().rev().find(|known| may_grow(known) && !self.claimed.contains(&known.id));
            if let Some(known) = found {
                self.claimed.insert(known.id);
                return Some(known);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments::{Loaded, Source};
    use super::*;

    fn known(id: u64, bytes: &[u8], path: &str, is_active: bool) -> Known {
        let mut reader = Hashing::new(bytes);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        let mut loaded = Loaded { hash: reader.hash(), ..Loaded::default() };
        loaded.totals.bytes = reader.hashed_bytes();
        let source = Source { log: String::new(), sequence: 1, path: path.to_owned(), is_active };
        Known { id, state: State::Complete, source, loaded, stamp: format!("stamp {id}"), second: 0 }
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let (short, long) = (known(1, b"abc\n", "", true), known(2, &b"abc\n".repeat(200_000), "", true));
        for (bytes, whole, beginning) in [
            (b"abc\n".to_vec(), Some(1), None),
            (b"abc\nd".to_vec(), None, Some(1)),
            (b"abc\n".repeat(200_000), Some(2), Some(1)),
            (b"abc\n".repeat(200_001), None, Some(2)),
            (b"abd\n".to_vec(), None, None),
            (b"ab".to_vec(), None, None),
            (Vec::new(), None, None),
        ] {
            let mut index = Index::new(&[&long, &short]);
            let content = Content::of(bytes.as_slice(), &index, "", |_| {}).unwrap();
            let id = |known: Option<&Known>| known.map(|known| known.id);
            let found = (id(index.claim_whole(&content)), id(index.claim_beginning(&content, "")));
            assert_eq!(found, (whole, beginning), "{} bytes", bytes.len());
        }
    }

    #[test]
    fn a_segment_is_claimed_once_and_a_closed_one_grows_only_at_its_path() {
        let (one, two) = (known(1, b"abc\n", "a", false), known(2, b"abc\n", "b", false));
        let mut index = Index::new(&[&one, &two]);
        let content = Content::of(&b"abc\n"[..], &index, "c", |_| {}).unwrap();
        let whole = |index: &mut Index<'_>| index.claim_whole(&content).map(|known| known.id);
        assert_eq!([whole(&mut index), whole(&mut index), whole(&mut index)], [Some(1), Some(2), None]);
        let mut index = Index::new(&[&one, &two]);
        let grown = Content::of(&b"abc\nd"[..], &index, "b", |_| {}).unwrap();
        assert_eq!(index.claim_beginning(&grown, "b").map(|known| known.id), Some(2));
        let elsewhere = Content::of(&b"abc\nd"[..], &index, "c", |_| {}).unwrap();
        assert!(index.claim_beginning(&elsewhere, "c").is_none());
        assert_eq!(index.claim_unchanged("stamp 1").map(|known| known.id), Some(1));
        assert!(index.claim_unchanged("stamp 1").is_none() && index.claim_unchanged("stamp 2").is_none());
    }

    #[test]
    fn a_stamp_tells_of_a_change_that_keeps_the_size_and_the_time_of_writing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc\n").unwrap();
        assert_eq!(stamp(file.path(), Timestamp::now()), None, "it has just been changed");
        let begun = std::time::Instant::now();
        let settled = || loop {
            assert!(begun.elapsed().as_secs() < 60);
            match stamp(file.path(), Timestamp::now()) {
                Some(stamp) => break stamp,
                None => std::thread::park_timeout(std::time::Duration::from_millis(50)),
            }
        };
        let before = settled();
        let written = std::fs::metadata(file.path()).unwrap().modified().unwrap();
        std::fs::write(file.path(), "abd\n").unwrap();
        file.as_file().set_modified(written).unwrap();
        assert_ne!(before, settled());
    }
}
