//! How far a segment was read, and what its blocks tell about those that are missing.

use std::collections::{BTreeMap, VecDeque};

use super::block::{BlockHead, Kind, Proof};
use super::finding::{Blocks, Finding};
use super::signing::Digest;

/// A damaged block.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    /// Its place in the file.
    pub(super) at: u64,
    pub(super) digest: Digest,
    /// `None` if an earlier block has its signature.
    pub(super) proof: Option<Proof>,
}

/// How far a segment was read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The digests of all intact blocks.
    pub(super) seen: BTreeMap<u32, Digest>,
    /// Positions that a later block has skipped.
    gaps: Vec<Blocks>,
    /// The position after the last block, and the number of the next line.
    pub(super) next: (u32, u64),
    /// Lines in intact blocks.
    pub(super) lines: u64,
    /// The first and the last time in intact blocks of lines.
    pub(super) times: Option<(i64, i64)>,
    /// The highest retention mark in blocks.
    pub(super) removed: u64,
    /// The digests of blocks that an earlier one has signed, by their positions.
    pub(super) covered: BTreeMap<u32, Digest>,
    /// Damaged blocks, to find where they come from.
    pub(super) foreign: Vec<Foreign>,
    pub(super) is_ended: bool,
    pub(super) is_finished: bool,
    pub(super) waiting: VecDeque<Finding>,
}

impl Progress {
    /// Creates that of a segment before its first block. `line`: the number of its first line.
    pub(super) fn new(line: u64) -> Self {
        Self { next: (0, line), ..Self::default() }
    }

    /// Notes which blocks the signature of the block at `position` covers.
    pub(super) fn covers(&mut self, position: u32, proof: &Proof) {
        self.covered.extend((position.saturating_add(1)..).zip(proof.covered()));
    }

    /// Notes an intact block.
    pub(super) fn place(&mut self, head: &BlockHead, digest: Digest, header: Digest, at: u64) {
        let position = head.position;
        if let Some(known) = self.seen.get(&position) {
            let finding =
                if *known == digest { Finding::Repeated { position } } else { Finding::Replaced { position } };
            return self.waiting.push_back(finding);
        }
        if self.is_ended {
            self.waiting.push_back(Finding::AfterEnd { at });
        }
        let before = match position.checked_sub(1) {
            Some(before) => self.seen.get(&before).copied(),
            None => Some(header),
        };
        if before.is_some_and(|before| before != head.previous) {
            let replaced = position.checked_sub(1).map(|position| Finding::Replaced { position });
            self.waiting.push_back(replaced.unwrap_or(Finding::Header));
        }
        let (next, line) = self.next;
        if position < next {
            if self.fill_gap(position) {
                self.waiting.push_back(Finding::Moved { position });
            }
        } else if position > next {
            self.gaps.push(Blocks { first: next, last: position - 1, lines: (line, head.first_line) });
        }
        if position >= next {
            self.next = (position.saturating_add(1), head.first_line.saturating_add(head.lines.into()));
        }
        self.seen.insert(position, digest);
        match head.kind {
            Kind::Lines | Kind::CoveredLines => {
                self.lines += u64::from(head.lines);
                let (first, last) = head.times;
                let (from, to) = self.times.unwrap_or(head.times);
                self.times = Some((from.min(first), to.max(last)));
            }
            Kind::End => self.is_ended = true,
            Kind::Retention => {}
        }
    }

    /// Notes a block that is reported as damaged: it is not missing.
    pub(super) fn skip(&mut self, head: &BlockHead) {
        if head.position == self.next.0 {
            self.next.0 = self.next.0.saturating_add(1);
        }
    }

    /// Returns whether a block was missing so far.
    fn fill_gap(&mut self, position: u32) -> bool {
        let Some(place) = self.gaps.iter().position(|gap| (gap.first..=gap.last).contains(&position)) else {
            return false;
        };
        let gap = self.gaps.remove(place);
        // The numbers of lines between two missing blocks are not known: the first rest keeps them.
        let rests = [
            position.checked_sub(1).map(|last| Blocks { last, ..gap }),
            Some(Blocks { first: position + 1, lines: (gap.lines.1, gap.lines.1), ..gap }),
        ];
        self.gaps.extend(rests.into_iter().flatten().filter(|rest| rest.first <= rest.last));
        true
    }

    /// Returns the number of the line after the last one.
    pub(super) fn next_line(&self) -> u64 {
        self.next.1
    }

    pub(super) fn finish(&mut self) {
        self.is_finished = true;
        self.waiting.extend(self.gaps.drain(..).map(Finding::Missing));
        if !self.is_ended {
            self.waiting.push_back(Finding::NoEnd { lines: self.lines });
        }
    }
}
