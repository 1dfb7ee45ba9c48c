//! Seals blocks that are written at once, under one signature.

use super::block::{BlockHead, HEAD_BYTES, Kind, MOST_SIGNED, block_digest};
use super::chain::{ChainKey, TAG_BYTES, fresh};
use super::signing::{DIGEST_BYTES, Digest, Purpose, SIGNATURE_BYTES, Signing};
use crate::error::Error;

/// How far a segment has come: what its next block needs.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) chain_key: ChainKey,
    pub(super) position: u32,
    /// That of the last block, or of the header.
    pub(super) digest: Digest,
    /// The number of the next line in the chain.
    pub(super) next_line: u64,
}

/// What a block says about its lines.
#[derive(Clone, Copy)]
pub(super) struct Stated {
    pub(super) lines: u32,
    pub(super) times: (i64, i64),
    pub(super) text_bytes: u32,
}

/// A block is in the file as soon as it has this many bytes of the group.
pub(super) struct Written {
    pub(super) end: usize,
    /// The place behind the block.
    pub(super) place: Place,
}

/// The blocks that were sealed so far.
pub(super) struct Group {
    blocks: Vec<u8>,
    place: Place,
    /// How many blocks follow the first one.
    covers: u8,
    /// Where the digests of those, and the signature, stand.
    proof_at: usize,
    digests: Vec<u8>,
    written: Vec<Written>,
}

impl Group {
    /// Begins a group of `count` blocks. `blocks`: memory for them, which is empty.
    pub(super) fn new(blocks: Vec<u8>, place: Place, count: usize) -> Result<Self, Error> {
        let covers =
            count.checked_sub(1).filter(|covers| *covers < MOST_SIGNED).and_then(|covers| u8::try_from(covers).ok());
        let covers = covers.ok_or_else(|| Error::rejected(format!("seal lines: {count} batches at once")))?;
        Ok(Self { blocks, place, covers, proof_at: 0, digests: Vec::new(), written: Vec::with_capacity(count) })
    }

    /// Adds a block. `kind`: that of the first one of a group. `payload` adds its payload.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        stated: Stated,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_first = self.written.is_empty();
        let start = self.blocks.len();
        self.blocks.resize(start + HEAD_BYTES, 0);
        payload(&mut self.blocks)?;
        let no_room = || Error::rejected("seal lines: the block has no room for its head");
        let block = self.blocks.get_mut(start..).ok_or_else(no_room)?;
        let (head_bytes, payload) = block.split_at_mut_checked(HEAD_BYTES).ok_or_else(no_room)?;
        let kind = if is_first { kind } else { Kind::CoveredLines };
        let tag_bytes = if kind.has_lines() { TAG_BYTES } else { 0 };
        let payload_bytes = u32::try_from(payload.len() + tag_bytes);
        let head = BlockHead {
            kind,
            covers: if is_first { self.covers } else { 0 },
            payload_bytes: payload_bytes.map_err(|_| Error::rejected("seal lines: the batch is too long"))?,
            position: self.place.position,
            lines: stated.lines,
            first_line: self.place.next_line,
            times: stated.times,
            text_bytes: stated.text_bytes,
            fresh: fresh()?,
            previous: self.place.digest,
        };
        head_bytes.copy_from_slice(&head.encode());
        if kind.has_lines() {
            let tag = self.place.chain_key.batch(&head.fresh).seal(head_bytes, payload)?;
            self.blocks.extend_from_slice(&tag);
        }
        let (head_bytes, payload) =
            self.blocks.get(start..).and_then(|block| block.split_at_checked(HEAD_BYTES)).ok_or_else(no_room)?;
        let digest = block_digest(head_bytes, payload);
        self.digests.extend_from_slice(&digest);
        if is_first {
            self.proof_at = self.blocks.len();
            self.blocks.resize(self.proof_at + usize::from(self.covers) * DIGEST_BYTES + SIGNATURE_BYTES, 0);
        }
        self.place = Place {
            chain_key: self.place.chain_key.next(),
            position: self.place.position + 1,
            digest,
            next_line: self.place.next_line + u64::from(stated.lines),
        };
        self.written.push(Written { end: self.blocks.len(), place: self.place.clone() });
        Ok(())
    }

    /// Signs all blocks, and returns them.
    pub(super) fn sign(mut self, key: &Signing) -> (Vec<u8>, Vec<Written>) {
        let signature = key.sign(Purpose::Block, &self.digests);
        let proof = self.digests.get(DIGEST_BYTES..).unwrap_or_default().iter().chain(&signature);
        let places = self.blocks.get_mut(self.proof_at..).unwrap_or_default();
        places.iter_mut().zip(proof).for_each(|(place, byte)| *place = *byte);
        (self.blocks, self.written)
    }
}
