//! What a listing knew, which tells the segments that came later.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::tail::Tail;
use crate::error::Error;
use crate::read::segment::Segment;
use crate::record::Timestamp;
use crate::rotation::{Compression, Segment as Position};

/// How much of two files is compared.
const HEAD_BYTES: usize = 4 << 10;

/// The closed segments that were there when the file at hand was the active one.
#[derive(Debug, Default)]
pub(super) struct Known {
    newest: Option<Position>,
    /// The numbers of the numbered segments, and when they were written to. Each rotation adds one to all numbers. An inode
    /// alone may be that of a later file.
    numbers: HashMap<(u64, u64), (u64, Option<Timestamp>)>,
    /// When the last of the numbered segments was written to.
    written_at: Option<Timestamp>,
}

/// The segments that came later.
#[derive(Debug, Default)]
pub(super) struct Later {
    pub(super) segments: Vec<Segment>,
    /// How many were removed before they were listed.
    pub(super) removed: u64,
}

impl Later {
    /// Returns an error if segments were removed. `path`: that of the log.
    pub(super) fn missing(&self, path: &Path) -> Option<Error> {
        let (path, removed) = (path.display(), self.removed);
        let (segments, they, their) = match removed {
            0 => return None,
            1 => ("segment was", "it was", "its"),
            _ => ("segments were", "they were", "their"),
        };
        let what = format!("{removed} {segments} removed before {they} read; {their} lines are missing here");
        Some(Error::retry(format!("follow {path}: {what}")))
    }
}

impl Known {
    pub(super) fn of(listed: &[Segment]) -> Self {
        let numbered = || listed.iter().filter_map(|segment| Some((segment, segment.number()?)));
        Self {
            newest: listed.iter().filter_map(Segment::place).max(),
            numbers: numbered()
                .filter_map(|(segment, number)| Some((segment.identity()?, (number, segment.written_at()))))
                .collect(),
            written_at: numbered().filter_map(|(segment, _)| segment.written_at()).max(),
        }
    }

    /// Returns those of the listed segments that came after the file at hand, which was the active one. Without one:
    /// after the listing. `identity`: that of the file at hand, also if it cannot be read.
    pub(super) fn later(&self, listed: Vec<Segment>, identity: Option<(u64, u64)>, at_hand: Option<&Tail>) -> Later {
        let is_at_hand = |segment: &Segment| identity.is_some() && segment.identity() == identity;
        let rotations_of = |segment: &Segment| {
            let (known, _) =
                self.numbers.get(&segment.identity()?).filter(|(_, time)| *time == segment.written_at())?;
            segment.number()?.checked_sub(*known)
        };
        let own = listed.iter().find(|segment| is_at_hand(segment));
        let rotations = own.and_then(Segment::number).or_else(|| listed.iter().find_map(rotations_of));
        let is_known = |segment: &Segment| self.has(segment, rotations) || is_at_hand(segment);
        let own = own.map(Segment::sequence);
        let first = listed.iter().rposition(is_known).map_or(0, |last| last + 1);
        let mut segments = listed.into_iter().skip(first).collect::<Vec<_>>();
        let mut removed = self.removed(&segments, own.flatten());
        // Compression has given it another inode.
        let is_packed = |segment: &Segment| at_hand.is_some_and(|tail| is_packed(tail, segment).unwrap_or(false));
        if own.is_none()
            && let Some(same) = segments.iter().position(is_packed)
        {
            removed = self.removed(&segments, None);
            segments.drain(..=same);
        }
        Later { segments, removed }
    }

    /// `rotations`: of a log with numbered segments, since the listing.
    fn has(&self, segment: &Segment, rotations: Option<u64>) -> bool {
        if let Some(place) = segment.place() {
            return Some(place) <= self.newest;
        }
        let Some(number) = segment.number() else { return false };
        match rotations {
            Some(rotations) => number > rotations,
            None => segment.written_at().is_some_and(|time| Some(time) <= self.written_at),
        }
    }

    /// Returns how many segments are missing, as the sequence numbers tell. `own`: that of the file at hand.
    fn removed(&self, later: &[Segment], own: Option<u64>) -> u64 {
        let mut sequences = later.iter().filter_map(Segment::sequence).peekable();
        let newest = self.newest.map(|newest| newest.sequence).filter(|sequence| *sequence != u64::MAX);
        let (Some(newest), Some(first)) = (own.or(newest), sequences.peek()) else { return 0 };
        // The file at hand may have been closed, and removed.
        let skipped = u64::from(own.is_none());
        let mut last = newest.saturating_add(skipped).min(first.saturating_sub(1));
        let mut removed = 0_u64;
        for sequence in sequences {
            removed = removed.saturating_add(sequence.saturating_sub(last).saturating_sub(1));
            last = sequence;
        }
        removed
    }
}

/// Returns whether a compressed segment has the bytes of the file at hand.
fn is_packed(tail: &Tail, segment: &Segment) -> Result<bool, Error> {
    if segment.is_active() || segment.compression() == Compression::Plain {
        return Ok(false);
    }
    let head = tail.head(HEAD_BYTES).unwrap_or_default();
    let mut packed = Vec::with_capacity(head.len());
    let read = segment.open()?.take(head.len() as u64).read_to_end(&mut packed);
    Ok(read.is_ok() && !head.is_empty() && packed == head)
}
