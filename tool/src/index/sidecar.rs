//! The index of one file.

use std::ops::Range;

use spanline::read::PlainFile;

use super::block::{Block, Bounds};
use super::identity::{Change, Identity, samples};

/// No file has more blocks.
const MAX_BLOCKS: u64 = 64 << 10;

/// How a file is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Into blocks of this size, in bytes. A line is in the block in which it begins.
    Blocks(u64),
    /// Not at all: it can only be read from its beginning.
    Whole,
}

impl Layout {
    /// Returns the ranges of the blocks of a file; `None` for more than an index has.
    pub(crate) fn ranges(self, bytes: u64) -> Option<impl Iterator<Item = Range<u64>> + use<>> {
        let size = match self {
            Self::Blocks(size) => size,
            Self::Whole => bytes.max(1),
        };
        let count = bytes.div_ceil(size.max(1));
        let range = move |number: u64| number * size..bytes.min((number + 1).saturating_mul(size));
        (size > 0 && count <= MAX_BLOCKS).then(|| (0..count).map(range))
    }

    /// Returns the number of the block in which a line begins.
    pub(crate) fn block_at(self, at: u64) -> u64 {
        match self {
            Self::Blocks(size) => at / size.max(1),
            Self::Whole => 0,
        }
    }
}

/// What is known of the blocks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(super) identity: Identity,
    /// Before it was read, in nanoseconds since 1970.
    pub(super) read: i64,
    pub(super) layout: Layout,
    /// Where its last line begins.
    pub(super) last_line: u64,
    /// The bytes before decide how the lines behind are read.
    pub(super) settled: u64,
    pub(super) blocks: Vec<Block>,
}

/// A part of a file, in the order of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// Has to be read.
    Read(Range<u64>),
    /// Has no line that is meant.
    Without(Block),
}

/// A file that is going to be read for an index.
#[derive(Debug)]
pub(crate) struct Unread {
    identity: Identity,
    read: i64,
    layout: Layout,
    samples: Vec<u64>,
}

impl Unread {
    /// Takes note of what the file is like before it is read. `None`: it has no index. `now`: in nanoseconds since 1970.
    pub(crate) fn new(file: &PlainFile, layout: Layout, now: i64) -> Option<Self> {
        let identity = Identity::of(&file.metadata().ok()?)?;
        let samples = layout.ranges(identity.bytes)?.map(|range| samples(file, range).ok()).collect::<Option<_>>()?;
        Some(Self { identity, read: now, layout, samples })
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.identity.bytes
    }

    /// Returns whether this is the same file, and did not change.
    pub(crate) fn is_still(&self, file: &PlainFile) -> bool {
        file.metadata().is_ok_and(|metadata| Identity::of(&metadata) == Some(self.identity))
    }

    /// Returns the index. `blocks`: those that have lines, and their numbers. `settled`: the bytes before decide how lines are
    /// read.
    pub(crate) fn index(self, blocks: Vec<(u64, Block)>, last_line: u64, settled: u64) -> Index {
        let mut all: Vec<_> = self.samples.into_iter().map(|samples| Block { samples, ..Block::default() }).collect();
        for (number, block) in blocks {
            if let Some(place) = usize::try_from(number).ok().and_then(|number| all.get_mut(number)) {
                *place = Block { samples: place.samples, ..block };
            }
        }
        Index { identity: self.identity, read: self.read, layout: self.layout, last_line, settled, blocks: all }
    }
}

impl Index {
    /// Returns whether it says all about a file as it is now.
    pub(crate) fn is_current(&self, file: &PlainFile) -> bool {
        let now = file.metadata().ok().and_then(|metadata| Identity::of(&metadata));
        now.is_some_and(|now| self.identity.change(&now, self.read) == Change::None)
    }

    /// Returns the parts of a file that have to be read, and the others between them; `None` if all of it has to be read.
    /// `is_plain`: whether its bytes are lines.
    pub(crate) fn stretches(&self, file: &PlainFile, is_plain: bool, bounds: &Bounds) -> Option<Vec<Stretch>> {
        if is_plain == (self.layout == Layout::Whole) {
            return None;
        }
        let now = Identity::of(&file.metadata().ok()?)?;
        let change = self.identity.change(&now, self.read);
        let has_grown = now.bytes > self.identity.bytes;
        if change == Change::Any || has_grown && self.layout == Layout::Whole {
            return None;
        }
        // The last line may have grown too.
        let count = if has_grown { self.layout.block_at(self.last_line) } else { u64::MAX };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let is_same = self.same_blocks(file, change)?;
        let known = self.layout.ranges(self.identity.bytes)?.zip(&self.blocks).zip(is_same).take(count);
        let mut stretches = Stretches::default();
        let mut end = 0;
        for ((range, block), is_same) in known {
            end = range.end;
            if block.may_have(bounds) || !is_same {
                stretches.read(range);
            } else {
                stretches.leave_out(block);
            }
        }
        if end < now.bytes {
            stretches.read(end..now.bytes);
        }
        Some(stretches.0)
    }

    /// Returns for each block whether the lines that begin in it are still the same, as far as samples tell; `None` if the lines
    /// may be read in another way now.
    fn same_blocks(&self, file: &PlainFile, change: Change) -> Option<Vec<bool>> {
        if change == Change::None {
            return Some(vec![true; self.blocks.len()]);
        }
        let blocks = self.layout.ranges(self.identity.bytes)?.zip(&self.blocks);
        let mut are_same: Vec<_> =
            blocks.map(|(range, block)| samples(file, range).is_ok_and(|samples| samples == block.samples)).collect();
        let before = if self.settled == 0 { 0 } else { self.layout.block_at(self.settled - 1) + 1 };
        if are_same.iter().zip(0..before).any(|(is_same, _)| !is_same) {
            return None;
        }
        // The last line of a block ends in the next one in which a line begins, or before.
        let mut is_end_same = true;
        for (is_same, block) in are_same.iter_mut().zip(&self.blocks).rev() {
            let is_block_same = *is_same;
            *is_same &= is_end_same;
            is_end_same = is_block_same && (block.has_lines || is_end_same);
        }
        Some(are_same)
    }
}

/// Joins parts that follow each other.
#[derive(Default)]
struct Stretches(Vec<Stretch>);

impl Stretches {
    fn read(&mut self, range: Range<u64>) {
        match self.0.last_mut() {
            Some(Stretch::Read(last)) => last.end = range.end,
            _ => self.0.push(Stretch::Read(range)),
        }
    }

    fn leave_out(&mut self, block: &Block) {
        match self.0.last_mut() {
            Some(Stretch::Without(last)) => last.join(block),
            _ => self.0.push(Stretch::Without(block.summary())),
        }
    }
}
