//! The blocks of a segment.
//!
//! Blocks that are written at once share a signature. It stands in the first one of them, with the digests of the others: so
//! each block is signed as soon as it is in the file, wherever a crash cuts it, and each one is checked by itself.

use super::chain::Fresh;
use super::header::Fields;
use super::signing::{Checking, DIGEST_BYTES, Digest, Purpose, SIGNATURE_BYTES, digest};

/// What every block begins with. Text never has the first byte.
pub(super) const MARK: [u8; 8] = *b"\xfesealed\n";

/// The bytes before the payload.
pub(super) const HEAD_BYTES: usize = 100;

/// The most blocks that one signature covers.
pub(super) const MOST_SIGNED: usize = 16;

/// The most bytes of lines in a block that are read, and of their payload.
pub(super) const MOST_TEXT_BYTES: u32 = 64 << 20;

/// A segment has fewer blocks: more would take long to skip, where some are missing.
pub(super) const MOST_BLOCKS: u32 = 1 << 24;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Lines,
    /// Lines, and the signature of an earlier block covers this one.
    CoveredLines,
    /// Nothing follows.
    End,
    /// Files up to a number may be missing.
    Retention,
}

impl Kind {
    pub(super) fn has_lines(self) -> bool {
        matches!(self, Self::Lines | Self::CoveredLines)
    }
}

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) kind: Kind,
    /// How many blocks after this one its signature covers.
    pub(super) covers: u8,
    pub(super) payload_bytes: u32,
    pub(super) position: u32,
    pub(super) lines: u32,
    /// The number of the first line in the chain.
    pub(super) first_line: u64,
    /// In nanoseconds since 1970, of the first and of the last line.
    pub(super) times: (i64, i64),
    pub(super) text_bytes: u32,
    pub(super) fresh: Fresh,
    pub(super) previous: Digest,
}

impl BlockHead {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let kind = match self.kind {
            Kind::Lines => 1,
            Kind::End => 2,
            Kind::Retention => 3,
            Kind::CoveredLines => 4,
        };
        let fields: [&[u8]; 11] = [
            &MARK,
            &[kind, self.covers, 0, 0],
            &self.payload_bytes.to_be_bytes(),
            &self.position.to_be_bytes(),
            &self.lines.to_be_bytes(),
            &self.first_line.to_be_bytes(),
            &self.times.0.to_be_bytes(),
            &self.times.1.to_be_bytes(),
            &self.text_bytes.to_be_bytes(),
            &self.fresh,
            &self.previous,
        ];
        let mut bytes = [0; HEAD_BYTES];
        let mut places = bytes.iter_mut();
        fields.into_iter().flatten().zip(&mut places).for_each(|(byte, place)| *place = *byte);
        bytes
    }

    /// Returns `None` for what no writer has written.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.get(..HEAD_BYTES)?);
        if fields.array()? != MARK {
            return None;
        }
        let (kind, covers) = match fields.array()? {
            [1, covers, 0, 0] => (Kind::Lines, covers),
            [2, 0, 0, 0] => (Kind::End, 0),
            [3, 0, 0, 0] => (Kind::Retention, 0),
            [4, 0, 0, 0] => (Kind::CoveredLines, 0),
            _ => return None,
        };
        let head = Self {
            kind,
            covers,
            payload_bytes: fields.u32()?,
            position: fields.u32()?,
            lines: fields.u32()?,
            first_line: fields.u64()?,
            times: (fields.i64()?, fields.i64()?),
            text_bytes: fields.u32()?,
            fresh: fields.array()?,
            previous: fields.array()?,
        };
        let is_possible = head.payload_bytes <= MOST_TEXT_BYTES
            && head.text_bytes <= MOST_TEXT_BYTES
            && usize::from(head.covers) < MOST_SIGNED;
        (is_possible && head.position < MOST_BLOCKS).then_some(head)
    }

    /// Returns how many bytes the whole block has.
    pub(super) fn block_bytes(&self) -> usize {
        HEAD_BYTES + self.payload_bytes as usize + self.proof_bytes()
    }

    /// Returns how many bytes stand behind the payload: the digests of the blocks that it covers, and the signature.
    pub(super) fn proof_bytes(&self) -> usize {
        match self.kind {
            Kind::CoveredLines => 0,
            _ => usize::from(self.covers) * DIGEST_BYTES + SIGNATURE_BYTES,
        }
    }
}

/// What stands behind a block's payload.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    /// What is signed: the block's digest, and those of the blocks that it covers.
    pub(super) digests: Vec<u8>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl Proof {
    /// Returns `None` if there is no signature.
    pub(super) fn new(digest: &Digest, proof: &[u8]) -> Option<Self> {
        let (covered, signature) = proof.split_last_chunk::<SIGNATURE_BYTES>()?;
        Some(Self { digests: [digest, covered].concat(), signature: *signature })
    }

    /// Returns whether the signature is by that key.
    pub(super) fn is_by(&self, key: Option<Checking>) -> bool {
        key.is_some_and(|key| key.accepts(Purpose::Block, &self.digests, &self.signature))
    }

    /// Returns the digests of the blocks that it covers, in the order of their positions.
    pub(super) fn covered(&self) -> impl DoubleEndedIterator<Item = Digest> {
        self.digests.as_chunks::<DIGEST_BYTES>().0.iter().skip(1).copied()
    }
}

/// Returns the digest of a block.
pub(super) fn block_digest(head: &[u8], payload: &[u8]) -> Digest {
    digest(&[head, payload])
}
