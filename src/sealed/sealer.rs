//! Writes the segments of one chain, as bytes.
//!
//! Each call returns bytes to append, and [`commit`](Sealer::commit) says that they were written. A call that follows without
//! a commit replaces the one before: it makes other bytes, with another key, for the same place.

use std::fmt;

use super::block::{BlockHead, HEAD_BYTES, Kind, block_digest};
use super::chain::{ChainKey, TAG_BYTES, fresh, new_secret, without_traces};
use super::header::{ChainId, Header, Position};
use super::recipients::Recipients;
use super::signing::{Digest, Purpose, SIGNATURE_BYTES, Signer, Signing};
use crate::error::Error;
use crate::record::Timestamp;

/// How the lines of a batch are compressed.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// Memory that is kept for the next block: enough for 64 KiB of lines.
const MOST_SPARE_BYTES: usize = 128 << 10;

/// Writes one chain.
pub(crate) struct Sealer {
    recipients: Recipients,
    signer: Option<Signer>,
    chain: ChainId,
    /// That of the next segment.
    number: u64,
    /// That of the next line.
    next_line: u64,
    /// Files up to this number may be missing.
    removed: u64,
    segment: Option<Open>,
    before: Option<Before>,
    pending: Option<Pending>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    /// The memory of an earlier block.
    spare: Vec<u8>,
}

/// The segment that is being written.
struct Open {
    key: Signing,
    chain_key: ChainKey,
    position: u32,
    digest: Digest,
    lines: u64,
}

/// The segment before the next one.
struct Before {
    position: Position,
    name: String,
    /// Its key, if this chain wrote it.
    key: Option<Signing>,
}

/// What is true as soon as the bytes returned last were written.
enum Pending {
    Begun(Box<Open>),
    Block { chain_key: ChainKey, digest: Digest, lines: u32, removed: u64 },
}

/// Lines to seal.
pub(crate) struct Batch<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) lines: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// A place in a chain, to be kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head(pub(super) Position);

impl Sealer {
    /// Begins a chain.
    pub(crate) fn new(recipients: Recipients, signer: Option<Signer>) -> Result<Self, Error> {
        Ok(Self {
            recipients,
            signer,
            chain: fresh()?,
            number: 0,
            next_line: 0,
            removed: 0,
            segment: None,
            before: None,
            pending: None,
            compressor: None,
            spare: Vec::new(),
        })
    }

    /// Sets the segment that the chain's first one follows: the newest of the log. Its retention mark does not count for this
    /// chain: anyone may have written it.
    pub(crate) fn follow(&mut self, head: Head, file: &str) {
        self.before = Some(Before { position: head.0, name: file.to_owned(), key: None });
    }

    /// Returns the header of the next segment of the log `name`.
    pub(crate) fn begin(&mut self, name: &str, now: Timestamp) -> Result<Vec<u8>, Error> {
        without_traces(|| self.make_header(name, now))
    }

    fn make_header(&mut self, name: &str, now: Timestamp) -> Result<Vec<u8>, Error> {
        let (key, secret) = (Signing::generate()?, new_secret()?);
        let before = self.before.as_ref();
        let previous_key = before.and_then(|before| before.key.as_ref());
        let header = Header {
            recipients: self.recipients.names(),
            chain: self.chain,
            number: self.number,
            begun: now.as_nanos(),
            first_line: self.next_line,
            removed: self.removed,
            key: key.public(),
            previous: before.map(|before| before.position),
            signer: self.signer.as_ref().map(|signer| *signer.verifier().bytes()),
            name: name.to_owned(),
            previous_name: before.map(|before| before.name.clone()).unwrap_or_default(),
            wrapped: self.recipients.wrap(&secret)?,
        };
        let signer = self.signer.as_ref().map(Signer::signing);
        let (bytes, digest) = header.encode(&key, previous_key, signer.as_ref())?;
        let open = Open { key, chain_key: ChainKey::new(&secret), position: 0, digest, lines: 0 };
        self.pending = Some(Pending::Begun(Box::new(open)));
        Ok(bytes)
    }

    /// Returns a block of lines.
    pub(crate) fn seal(&mut self, batch: &Batch<'_>) -> Result<Vec<u8>, Error> {
        let too_long = || Error::rejected("seal lines: a batch is longer than 64 MiB");
        let text_bytes = u32::try_from(batch.text.len()).ok().filter(|bytes| *bytes <= super::block::MOST_TEXT_BYTES);
        let text_bytes = text_bytes.ok_or_else(too_long)?;
        let failed = |error| Error::io("compress lines", error);
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(LEVEL).map_err(failed)?),
        };
        let mut block = std::mem::take(&mut self.spare);
        let most = HEAD_BYTES + zstd::zstd_safe::compress_bound(batch.text.len());
        block.reserve(most + TAG_BYTES + SIGNATURE_BYTES);
        block.resize(most, 0);
        let payload = block.get_mut(HEAD_BYTES..).unwrap_or_default();
        let count = compressor.compress_to_buffer(batch.text, payload).map_err(failed)?;
        block.truncate(HEAD_BYTES + count);
        let times = (batch.first.as_nanos(), batch.last.as_nanos());
        self.block(Kind::Lines, block, batch.lines, times, text_bytes)
    }

    /// Takes the memory of a block back.
    pub(crate) fn give_back(&mut self, mut block: Vec<u8>) {
        block.clear();
        if block.capacity() <= MOST_SPARE_BYTES {
            self.spare = block;
        }
    }

    /// Returns the last block of the segment.
    pub(crate) fn end(&mut self, now: Timestamp) -> Result<Vec<u8>, Error> {
        self.block(Kind::End, vec![0; HEAD_BYTES], 0, (now.as_nanos(), now.as_nanos()), 0)
    }

    /// Returns a block that says which files may be missing; `None` if an earlier one says so.
    pub(crate) fn retention(&mut self, removed: u64, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        if removed <= self.removed {
            return Ok(None);
        }
        let block = [&[0; HEAD_BYTES][..], &removed.to_be_bytes()].concat();
        let bytes = self.block(Kind::Retention, block, 0, (now.as_nanos(), now.as_nanos()), 0)?;
        if let Some(Pending::Block { removed: mark, .. }) = &mut self.pending {
            *mark = removed;
        }
        Ok(Some(bytes))
    }

    /// Seals a block. `block`: room for its head, and its payload.
    fn block(
        &mut self,
        kind: Kind,
        block: Vec<u8>,
        lines: u32,
        times: (i64, i64),
        text_bytes: u32,
    ) -> Result<Vec<u8>, Error> {
        without_traces(|| self.make_block(kind, block, lines, times, text_bytes))
    }

    fn make_block(
        &mut self,
        kind: Kind,
        mut block: Vec<u8>,
        lines: u32,
        times: (i64, i64),
        text_bytes: u32,
    ) -> Result<Vec<u8>, Error> {
        let Some(open) = &self.segment else { return Err(Error::retry("seal lines: no segment is begun")) };
        let tag_bytes = if kind == Kind::Lines { TAG_BYTES } else { 0 };
        let no_room = || Error::rejected("seal lines: the block has no room for its head");
        let (head_bytes, payload) = block.split_at_mut_checked(HEAD_BYTES).ok_or_else(no_room)?;
        let payload_bytes = u32::try_from(payload.len() + tag_bytes);
        let head = BlockHead {
            kind,
            payload_bytes: payload_bytes.map_err(|_| Error::rejected("seal lines: the batch is too long"))?,
            position: open.position,
            lines,
            first_line: self.next_line,
            times,
            text_bytes,
            fresh: fresh()?,
            previous: open.digest,
        };
        head_bytes.copy_from_slice(&head.encode());
        if kind == Kind::Lines {
            let tag = open.chain_key.batch(&head.fresh).seal(head_bytes, payload)?;
            block.extend_from_slice(&tag);
        }
        let (head_bytes, payload) = block.split_at_checked(HEAD_BYTES).ok_or_else(no_room)?;
        let digest = block_digest(head_bytes, payload);
        let signature = open.key.sign(Purpose::Block, &digest);
        block.extend_from_slice(&signature);
        let chain_key = open.chain_key.next();
        self.pending = Some(Pending::Block { chain_key, digest, lines, removed: self.removed });
        Ok(block)
    }

    /// The bytes that were returned last are written. Forgets the key that they were sealed with.
    pub(crate) fn commit(&mut self) {
        match (self.pending.take(), &mut self.segment) {
            (Some(Pending::Begun(open)), segment) => {
                *segment = Some(*open);
                self.number += 1;
                // It has certified this segment, and is wiped.
                self.before.iter_mut().for_each(|before| before.key = None);
            }
            (Some(Pending::Block { chain_key, digest, lines, removed }), Some(open)) => {
                (open.chain_key, open.digest) = (chain_key, digest);
                open.position += 1;
                open.lines += u64::from(lines);
                self.next_line += u64::from(lines);
                self.removed = removed;
                self.before = None;
            }
            _ => {}
        }
    }

    /// The segment is closed as `file`. The next one follows it.
    pub(crate) fn close(&mut self, file: &str) {
        let end = self.end_of_segment();
        if let (Some(open), Some(head)) = (self.segment.take(), end) {
            self.before = Some(Before { position: head.0, name: file.to_owned(), key: Some(open.key) });
        }
    }

    /// The segment that was closed last is called `file` now, if that is its head.
    pub(crate) fn renamed(&mut self, head: Head, file: &str) {
        if let Some(before) = self.before.as_mut().filter(|before| before.position == head.0) {
            before.name = file.to_owned();
        }
    }

    /// Returns whether there is no block in the whole chain: its file may be removed.
    pub(crate) fn is_empty(&self) -> bool {
        self.number == 1 && self.segment.as_ref().is_some_and(|open| open.position == 0)
    }

    /// The file of the segment that has no block is gone.
    pub(crate) fn discard(&mut self) {
        if self.is_empty() {
            self.segment = None;
            self.number -= 1;
        }
    }

    /// Returns the number of the segment that is being written.
    pub(crate) fn segment_number(&self) -> Option<u64> {
        self.segment.as_ref().and(self.number.checked_sub(1))
    }

    /// Returns whether no segment was begun.
    pub(crate) fn is_new(&self) -> bool {
        self.number == 0
    }

    /// Returns whether the segment that is being written has a line.
    pub(crate) fn has_lines(&self) -> bool {
        self.segment.as_ref().is_some_and(|open| open.lines > 0)
    }

    /// Returns whether a segment can hold no more blocks.
    pub(crate) fn is_full(&self) -> bool {
        // Room for the marks of retention, and for the end.
        self.segment.as_ref().is_some_and(|open| open.position >= super::block::MOST_BLOCKS - 1024)
    }

    /// Returns how far the chain has come: to its last block, also while that is in the segment before.
    pub(crate) fn head(&self) -> Option<Head> {
        let is_new = self.segment.as_ref().is_none_or(|open| open.position == 0);
        match &self.before {
            Some(before) if is_new => Some(Head(before.position)),
            _ if is_new => None,
            _ => self.end_of_segment(),
        }
    }

    /// Returns the last block of the segment, or its header.
    fn end_of_segment(&self) -> Option<Head> {
        let number = self.number.checked_sub(1)?;
        self.segment.as_ref().map(|open| Head(Position { chain: self.chain, number, digest: open.digest }))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("recipients", &self.recipients)
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spanline-head:1:")?;
        self.0.chain.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ":{}:", self.0.number)?;
        self.0.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
