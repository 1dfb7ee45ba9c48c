//! Which of the loaded segments a file is, under any name and compressed or not: its first bytes, as many as were loaded, have the
//! same hash.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::io::{self, Read};

use siphasher::sip128::{Hasher128, SipHasher13};

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
    pub(super) fn hash(&self) -> String {
        format!("{:032x}", self.hasher.finish128().as_u128())
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

/// The hashes of the beginnings of a file.
#[derive(Debug)]
pub(super) struct Beginnings {
    hashes: BTreeMap<u64, String>,
    /// How long the file is; `None` if it is longer than all segments.
    bytes: Option<u64>,
}

impl Beginnings {
    /// Reads as much of a file as the longest of the segments has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(reader: impl Read, segments: &[&Known]) -> io::Result<Self> {
        let mut lengths: Vec<u64> = segments.iter().map(|known| known.loaded.totals.bytes).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let mut reader = Hashing::new(reader);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut hashes = BTreeMap::new();
        for length in lengths {
            while reader.hashed_bytes() < length {
                let most = usize::try_from(length - reader.hashed_bytes()).unwrap_or(usize::MAX).min(BUFFER_BYTES);
                if read(&mut reader, buffer.get_mut(..most).unwrap_or_default())? == 0 {
                    return Ok(Self { hashes, bytes: Some(reader.hashed_bytes()) });
                }
            }
            hashes.insert(length, reader.hash());
        }
        let bytes = reader.hashed_bytes();
        let is_end = read(&mut reader, buffer.get_mut(..1).unwrap_or_default())? == 0;
        Ok(Self { hashes, bytes: is_end.then_some(bytes) })
    }

    /// Returns whether the file has no bytes.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == Some(0)
    }

    /// Returns whether the file is a segment as it was loaded, and nothing more.
    pub(super) fn is_whole(&self, known: &Known) -> bool {
        self.begins_with(known) && self.bytes == Some(known.loaded.totals.bytes)
    }

    /// Returns whether the file begins as a segment was loaded.
    pub(super) fn begins_with(&self, known: &Known) -> bool {
        let bytes = known.loaded.totals.bytes;
        known.state == State::Complete && bytes > 0 && self.hashes.get(&bytes) == Some(&known.loaded.hash)
    }
}

fn read(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments::{Loaded, Source};
    use super::*;

    fn known(bytes: &[u8]) -> Known {
        let mut reader = Hashing::new(bytes);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        let mut loaded = Loaded { hash: reader.hash(), ..Loaded::default() };
        loaded.totals.bytes = reader.hashed_bytes();
        let source = Source { log: String::new(), sequence: 1, path: String::new(), is_active: true };
        Known { id: 1, state: State::Complete, source, loaded }
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let (short, long) = (known(b"abc\n"), known(&b"abc\n".repeat(200_000)));
        for (bytes, is_short, is_long) in [
            (b"abc\n".to_vec(), (true, true), (false, false)),
            (b"abc\nd".to_vec(), (false, true), (false, false)),
            (b"abc\n".repeat(200_000), (false, true), (true, true)),
            (b"abc\n".repeat(200_001), (false, true), (false, true)),
            (b"abd\n".to_vec(), (false, false), (false, false)),
            (b"ab".to_vec(), (false, false), (false, false)),
            (Vec::new(), (false, false), (false, false)),
        ] {
            let beginnings = Beginnings::of(bytes.as_slice(), &[&long, &short]).unwrap();
            let is = |known: &Known| (beginnings.is_whole(known), beginnings.begins_with(known));
            assert_eq!((is(&short), is(&long)), (is_short, is_long), "{} bytes", bytes.len());
        }
    }
}
