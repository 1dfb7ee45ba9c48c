//! The index of one file, and its bytes.
//!
//! ```text
//! name and version, identity, when it was read, size of blocks, last line, blocks, their filters, checksum
//! ```
//!
//! The version is that of the tool too: another one may find ids and times in lines where this one does not.

use std::hash::Hasher;
use std::ops::Range;

use siphasher::sip::SipHasher13;
use spanline::read::PlainFile;

use super::block::{Block, Bounds, Spread};
use super::bytes::{Reader, Writer};
use super::identity::{Change, Identity, samples};

const HEAD: &str = concat!("spanline index 1 ", env!("CARGO_PKG_VERSION"), "\n");

/// No file has more blocks.
const MAX_BLOCKS: u64 = 64 << 10;

/// What of its filters is set apart in bits.
const HAS_SPREAD: u64 = 1;
const IS_DOUBTFUL: u64 = 2;
const HAS_ANY_ID: u64 = 4;
const HAS_LINES: u64 = 8;

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
    read: i64,
    pub(super) layout: Layout,
    /// Where its last line begins.
    last_line: u64,
    /// The bytes before decide how the lines behind are read.
    settled: u64,
    blocks: Vec<Block>,
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

    /// Returns its bytes.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut writer = Writer(HEAD.as_bytes().to_vec());
        self.identity.write(&mut writer);
        writer.i64(self.read);
        let size = match self.layout {
            Layout::Blocks(size) => size,
            Layout::Whole => 0,
        };
        [size, self.last_line, self.settled, self.blocks.len() as u64]
            .into_iter()
            .for_each(|number| writer.u64(number));
        for block in &self.blocks {
            let flag = |is: bool, flag: u64| if is { flag } else { 0 };
            let flags = flag(block.spread.is_some(), HAS_SPREAD)
                | flag(block.is_doubtful, IS_DOUBTFUL)
                | flag(block.has_any_id, HAS_ANY_ID)
                | flag(block.has_lines, HAS_LINES);
            let Spread { earliest, latest, last } = block.spread.unwrap_or(Spread { earliest: 0, latest: 0, last: 0 });
            [earliest, latest, last].into_iter().for_each(|time| writer.i64(time));
            let numbers = [flags, block.text, block.broken, block.samples, block.ids.len() as u64];
            numbers.into_iter().for_each(|number| writer.u64(number));
        }
        self.blocks.iter().for_each(|block| writer.0.extend_from_slice(&block.ids));
        let sum = checksum(&writer.0);
        writer.u64(sum);
        writer.0
    }

    /// Reads what [`encoded`](Self::encoded) returned. `None`: something is wrong with it, or another version has written it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk()?;
        if !bytes.starts_with(HEAD.as_bytes()) || checksum(bytes) != u64::from_le_bytes(*sum) {
            return None;
        }
        let mut reader = Reader(bytes.strip_prefix(HEAD.as_bytes())?);
        let identity = Identity::read(&mut reader)?;
        let read = reader.i64()?;
        let layout = match reader.u64()? {
            0 => Layout::Whole,
            size => Layout::Blocks(size),
        };
        let (last_line, settled, count) = (reader.u64()?, reader.u64()?, reader.u64()?);
        if layout.ranges(identity.bytes)?.count() as u64 != count {
            return None;
        }
        let mut lengths = Vec::new();
        let mut blocks = Vec::new();
        for _ in 0..count {
            let spread = Spread { earliest: reader.i64()?, latest: reader.i64()?, last: reader.i64()? };
            let flags = reader.u64()?;
            blocks.push(Block {
                has_lines: flags & HAS_LINES != 0,
                spread: (flags & HAS_SPREAD != 0).then_some(spread),
                text: reader.u64()?,
                broken: reader.u64()?,
                is_doubtful: flags & IS_DOUBTFUL != 0,
                has_any_id: flags & HAS_ANY_ID != 0,
                ids: Vec::new(),
                samples: reader.u64()?,
            });
            lengths.push(reader.u64()?);
        }
        for (block, length) in blocks.iter_mut().zip(lengths) {
            block.ids = reader.bytes(length)?.to_vec();
        }
        reader.0.is_empty().then_some(Self { identity, read, layout, last_line, settled, blocks })
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block() -> impl Strategy<Value = Block> {
        let spread = proptest::option::of((any::<i64>(), any::<i64>(), any::<i64>()));
        let ids = proptest::collection::vec(any::<u8>(), 0..20);
        (spread, any::<[u64; 3]>(), any::<[bool; 3]>(), ids).prop_map(
            |(spread, numbers, [has_lines, is_doubtful, has_any_id], ids)| {
                let [text, broken, samples] = numbers;
                let spread = spread.map(|(earliest, latest, last)| Spread { earliest, latest, last });
                Block { has_lines, spread, text, broken, is_doubtful, has_any_id, ids, samples }
            },
        )
    }

    fn index() -> impl Strategy<Value = Index> {
        let size = prop_oneof![Just(0_u64), 1..50_u64];
        (proptest::collection::vec(block(), 1..10), size, any::<[u64; 4]>(), any::<[i64; 3]>()).prop_map(
            |(mut blocks, size, [device, inode, last_line, settled], [written, changed, read])| {
                let layout = if size == 0 { Layout::Whole } else { Layout::Blocks(size) };
                if layout == Layout::Whole {
                    blocks.truncate(1);
                }
                let bytes = blocks.len() as u64 * size.max(1);
                let identity = Identity { device, inode, bytes, written, changed };
                Index { identity, read, layout, last_line, settled, blocks }
            },
        )
    }

    proptest! {
        #[test]
        fn an_index_is_read_as_it_was_written(index in index()) {
            prop_assert_eq!(Index::decode(&index.encoded()), Some(index));
        }

        #[test]
        fn a_damaged_index_is_none(index in index(), at in any::<prop::sample::Index>(), bits in 1..=255_u8, end in any::<prop::sample::Index>()) {
            let bytes = index.encoded();
            let mut damaged = bytes.clone();
            damaged[at.index(bytes.len())] ^= bits;
            prop_assert_eq!(Index::decode(&damaged), None);
            prop_assert_eq!(Index::decode(&bytes[..end.index(bytes.len())]), None);
        }

        #[test]
        fn any_bytes_with_a_right_checksum_are_read_without_a_panic(bytes in any::<Vec<u8>>(), numbers in any::<[u64; 20]>()) {
            for rest in [bytes, numbers.iter().flat_map(|number| (number % 9).to_le_bytes()).collect()] {
                let mut bytes = HEAD.as_bytes().to_vec();
                bytes.extend_from_slice(&rest);
                bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
                let _ = Index::decode(&bytes);
            }
        }
    }
}
