//! The blocks of a segment.

use super::chain::Fresh;
use super::header::Fields;
use super::signing::{Checking, Digest, Purpose, SIGNATURE_BYTES, digest};

/// What every block begins with. Text never has the first byte.
pub(super) const MARK: [u8; 8] = *b"\xfesealed\n";

/// The bytes before the payload.
pub(super) const HEAD_BYTES: usize = 100;

/// The smallest block.
pub(super) const LEAST_BYTES: usize = HEAD_BYTES + SIGNATURE_BYTES;

/// The most bytes of lines in a block that are read, and of their payload.
pub(super) const MOST_TEXT_BYTES: u32 = 64 << 20;

/// A segment has fewer blocks: more would take long to skip, where some are missing.
pub(super) const MOST_BLOCKS: u32 = 1 << 24;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Lines,
    /// Nothing follows.
    End,
    /// Files up to a number may be missing.
    Retention,
}

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) kind: Kind,
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
        };
        let fields: [&[u8]; 11] = [
            &MARK,
            &[kind, 0, 0, 0],
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
        let kind = match fields.array()? {
            [1, 0, 0, 0] => Kind::Lines,
            [2, 0, 0, 0] => Kind::End,
            [3, 0, 0, 0] => Kind::Retention,
            _ => return None,
        };
        let head = Self {
            kind,
            payload_bytes: fields.u32()?,
            position: fields.u32()?,
            lines: fields.u32()?,
            first_line: fields.u64()?,
            times: (fields.i64()?, fields.i64()?),
            text_bytes: fields.u32()?,
            fresh: fields.array()?,
            previous: fields.array()?,
        };
        let is_possible = head.payload_bytes <= MOST_TEXT_BYTES && head.text_bytes <= MOST_TEXT_BYTES;
        (is_possible && head.position < MOST_BLOCKS).then_some(head)
    }

    /// Returns how many bytes the whole block has.
    pub(super) fn block_bytes(&self) -> usize {
        LEAST_BYTES + self.payload_bytes as usize
    }
}

/// Returns the digest of a block.
pub(super) fn block_digest(head: &[u8], payload: &[u8]) -> Digest {
    digest(&[head, payload])
}

/// Returns whether a block's signature is by that key.
pub(super) fn is_signed(key: Option<Checking>, digest: &Digest, signature: &[u8]) -> bool {
    let signature = <&[u8; SIGNATURE_BYTES]>::try_from(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.accepts(Purpose::Block, digest, signature))
}
