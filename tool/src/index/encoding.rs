//! The bytes of an index.
//!
//! ```text
//! name and version, identity, when it was read, size of blocks, last line, blocks, their filters, checksum
//! ```
//!
//! Numbers have their smallest part first. The version is that of the tool too: another one may find ids and times in lines
//! where this one does not.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::block::{Block, Spread};
use super::identity::Identity;
use super::sidecar::{Index, Layout};

const HEAD: &str = concat!("spanline index 1 ", env!("CARGO_PKG_VERSION"), "\n");

/// What of its filters is set apart in bits.
const HAS_SPREAD: u64 = 1;
const IS_DOUBTFUL: u64 = 2;
const HAS_ANY_ID: u64 = 4;
const HAS_LINES: u64 = 8;

impl Index {
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

impl Identity {
    fn write(&self, writer: &mut Writer) {
        [self.device, self.inode, self.bytes].into_iter().for_each(|number| writer.u64(number));
        [self.written, self.changed].into_iter().for_each(|number| writer.i64(number));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            device: reader.u64()?,
            inode: reader.u64()?,
            bytes: reader.u64()?,
            written: reader.i64()?,
            changed: reader.i64()?,
        })
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Writes numbers.
#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }
}

/// Reads what [`Writer`] wrote. `None`: the bytes end before.
#[derive(Debug)]
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn i64(&mut self) -> Option<i64> {
        self.u64().map(u64::cast_signed)
    }

    fn bytes(&mut self, length: u64) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
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
