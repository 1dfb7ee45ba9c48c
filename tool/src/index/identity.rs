//! Which file an index belongs to, and whether its bytes are still those that were read.

use std::fs::Metadata;
use std::hash::Hasher;
use std::io;
use std::ops::Range;

use siphasher::sip::SipHasher13;
use spanline::read::PlainFile;

/// A file that was changed this short before it was read may have been changed once more at the same time of its clock, in
/// nanoseconds.
const CLOCK_NANOS: i64 = 2_000_000_000;

/// A file, and when it was changed, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(crate) bytes: u64,
    /// When its bytes were changed.
    pub(super) written: i64,
    /// When anything of it was changed, also its name.
    pub(super) changed: i64,
}

/// How a file differs from what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its bytes are the same.
    None,
    /// They are the same where samples are, or some were added.
    Possible,
    /// They may be others.
    Any,
}

impl Identity {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let nanos = |seconds: i64, nanos: i64| seconds.checked_mul(1_000_000_000)?.checked_add(nanos);
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            written: nanos(metadata.mtime(), metadata.mtime_nsec())?,
            changed: nanos(metadata.ctime(), metadata.ctime_nsec())?,
        })
    }

    /// Files have no stable identity here.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Returns how a file may have changed since it was like this. `read`: when it was read, in nanoseconds since 1970.
    pub(super) fn change(&self, now: &Self, read: i64) -> Change {
        let is_same_file = (self.device, self.inode) == (now.device, now.inode);
        if !is_same_file || now.bytes < self.bytes {
            return Change::Any;
        }
        let is_settled = self.written.max(self.changed).saturating_add(CLOCK_NANOS) <= read;
        if is_settled && self == now {
            return Change::None;
        }
        // Another name changes only one of the times. A file that was written, and did not grow, has other bytes.
        if now.bytes > self.bytes || self.written == now.written { Change::Possible } else { Change::Any }
    }
}

/// How many samples of a part of a file are taken, and their size in bytes.
const SAMPLES: u64 = 8;
const SAMPLE_BYTES: usize = 32;

/// Returns the hash of samples of a part of a file: its first bytes, its last ones, and some between.
pub(super) fn samples(file: &PlainFile, part: Range<u64>) -> io::Result<u64> {
    let mut hasher = SipHasher13::new();
    let last = part.end.saturating_sub(SAMPLE_BYTES as u64).max(part.start);
    for number in 0..SAMPLES {
        let mut sample = [0; SAMPLE_BYTES];
        // Without overflow, also in the largest file.
        let at = part.start + (last - part.start) / (SAMPLES - 1) * number;
        let at = if number == SAMPLES - 1 { last } else { at };
        let wanted = (part.end - at).min(SAMPLE_BYTES as u64) as usize;
        let mut filled = 0;
        while let Some(rest) = sample.get_mut(filled..wanted).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        hasher.write(sample.get(..filled).unwrap_or_default());
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Identity = Identity { device: 1, inode: 2, bytes: 100, written: 0, changed: 5 };

    #[test]
    fn a_file_is_the_same_only_if_nothing_of_it_changed_and_its_clock_had_gone_on() {
        let read = CLOCK_NANOS + 5;
        for (now, read, change) in [
            (FILE, read, Change::None),
            (FILE, read - 1, Change::Possible),
            (Identity { changed: 6, ..FILE }, read, Change::Possible),
            (Identity { bytes: 101, written: 6, changed: 6, ..FILE }, read, Change::Possible),
            (Identity { written: 6, changed: 6, ..FILE }, read, Change::Any),
            (Identity { bytes: 99, written: 6, changed: 6, ..FILE }, read, Change::Any),
            (Identity { inode: 3, ..FILE }, read, Change::Any),
            (Identity { device: 3, ..FILE }, read, Change::Any),
        ] {
            assert_eq!(FILE.change(&now, read), change, "{now:?}");
        }
    }
}
