//! Writes the segments of one chain, as bytes.
//!
//! Each call returns bytes to append, and [`commit`](Sealer::commit) says that they were written. A call that follows without
//! a commit replaces the one before: it makes other bytes, with another key, for the same place.

use std::fmt;
use std::io::Cursor;

use super::block::{Kind, MOST_BLOCKS, MOST_TEXT_BYTES};
use super::chain::{ChainKey, fresh, new_secret, without_traces};
use super::group::{Group, Place, Stated, Written};
use super::header::{ChainId, Header, Position};
use super::recipients::Recipients;
use super::signing::{Signer, Signing};
use crate::error::Error;
use crate::record::Timestamp;

/// How the lines of a batch are compressed.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// Memory that is kept for the next blocks: enough for 256 KiB of lines that compress to a half.
const MOST_SPARE_BYTES: usize = 256 << 10;

/// More than what stands behind a payload: its tag, and the signature of several blocks.
const MOST_PROOF_BYTES: usize = 1 << 10;

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
    place: Place,
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
    Blocks { written: Vec<Written>, removed: u64 },
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
        let place = Place { chain_key: ChainKey::new(&secret), position: 0, digest, next_line: self.next_line };
        let open = Open { key, place, lines: 0 };
        self.pending = Some(Pending::Begun(Box::new(open)));
        Ok(bytes)
    }

    /// Returns the blocks of some batches, under one signature.
    pub(crate) fn seal(&mut self, batches: &[Batch<'_>]) -> Result<Vec<u8>, Error> {
        without_traces(|| self.make_blocks(batches))
    }

    fn make_blocks(&mut self, batches: &[Batch<'_>]) -> Result<Vec<u8>, Error> {
        let failed = |error| Error::io("compress lines", error);
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(LEVEL).map_err(failed)?),
        };
        let open = self.segment.as_ref().ok_or_else(no_segment)?;
        let mut group = Group::new(std::mem::take(&mut self.spare), open.place.clone(), batches.len())?;
        for batch in batches {
            let text_bytes = u32::try_from(batch.text.len()).ok().filter(|bytes| *bytes <= MOST_TEXT_BYTES);
            let stated = Stated {
                lines: batch.lines,
                times: (batch.first.as_nanos(), batch.last.as_nanos()),
                text_bytes: text_bytes.ok_or_else(|| Error::rejected("seal lines: a batch is longer than 64 MiB"))?,
            };
            group.add(Kind::Lines, stated, |blocks| {
                blocks.reserve(zstd::zstd_safe::compress_bound(batch.text.len()) + MOST_PROOF_BYTES);
                let mut payload = Cursor::new(&mut *blocks);
                payload.set_position(payload.get_ref().len() as u64);
                compressor.compress_to_buffer(batch.text, &mut payload).map(drop).map_err(failed)
            })?;
        }
        Ok(self.sign(group))
    }

    /// Signs blocks, which are to be written now.
    fn sign(&mut self, group: Group) -> Vec<u8> {
        let Some(open) = &self.segment else { return Vec::new() };
        let (blocks, written) = group.sign(&open.key);
        self.pending = Some(Pending::Blocks { written, removed: self.removed });
        blocks
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
        self.mark(Kind::End, now, &[])
    }

    /// Returns a block that says which files may be missing; `None` if an earlier one says so.
    pub(crate) fn retention(&mut self, removed: u64, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        if removed <= self.removed {
            return Ok(None);
        }
        let bytes = self.mark(Kind::Retention, now, &removed.to_be_bytes())?;
        if let Some(Pending::Blocks { removed: mark, .. }) = &mut self.pending {
            *mark = removed;
        }
        Ok(Some(bytes))
    }

    /// Returns a block without lines.
    fn mark(&mut self, kind: Kind, now: Timestamp, payload: &[u8]) -> Result<Vec<u8>, Error> {
        without_traces(|| {
            let open = self.segment.as_ref().ok_or_else(no_segment)?;
            let mut group = Group::new(Vec::new(), open.place.clone(), 1)?;
            let stated = Stated { lines: 0, times: (now.as_nanos(), now.as_nanos()), text_bytes: 0 };
            group.add(kind, stated, |block| {
                block.extend_from_slice(payload);
                Ok(())
            })?;
            Ok(self.sign(group))
        })
    }

    /// The bytes that were returned last are written. Forgets the keys that they were sealed with.
    pub(crate) fn commit(&mut self) {
        self.commit_first(usize::MAX);
    }

    /// The first `bytes` of those that were returned last are written, and cannot be removed. Returns how many whole blocks
    /// they hold: these are part of the segment, and the others are not.
    pub(crate) fn commit_first(&mut self, bytes: usize) -> usize {
        match (self.pending.take(), &mut self.segment) {
            (Some(Pending::Begun(open)), segment) => {
                *segment = Some(*open);
                self.number += 1;
                // It has certified this segment, and is wiped.
                self.before.iter_mut().for_each(|before| before.key = None);
                0
            }
            (Some(Pending::Blocks { mut written, removed }), Some(open)) => {
                written.retain(|block| block.end <= bytes);
                let count = written.len();
                let Some(last) = written.pop() else { return 0 };
                open.lines += last.place.next_line - self.next_line;
                open.place = last.place;
                self.next_line = open.place.next_line;
                self.removed = removed;
                self.before = None;
                count
            }
            _ => 0,
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
        self.number == 1 && self.segment.as_ref().is_some_and(|open| open.place.position == 0)
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
        self.segment.as_ref().is_some_and(|open| open.place.position >= MOST_BLOCKS - 1024)
    }

    /// Returns how far the chain has come: to its last block, also while that is in the segment before.
    pub(crate) fn head(&self) -> Option<Head> {
        let is_new = self.segment.as_ref().is_none_or(|open| open.place.position == 0);
        match &self.before {
            Some(before) if is_new => Some(Head(before.position)),
            _ if is_new => None,
            _ => self.end_of_segment(),
        }
    }

    /// Returns the last block of the segment, or its header.
    fn end_of_segment(&self) -> Option<Head> {
        let number = self.number.checked_sub(1)?;
        self.segment.as_ref().map(|open| Head(Position { chain: self.chain, number, digest: open.place.digest }))
    }
}

fn no_segment() -> Error {
    Error::retry("seal lines: no segment is begun")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Key;
    use crate::sealed::opener::{Item, Opener};
    use crate::sealed::signing::digest;

    fn found(bytes: &[u8], key: Option<&Key>) -> (String, Vec<String>) {
        let mut opener = Opener::new(bytes, key, "a.log").unwrap();
        let (mut text, mut findings) = (Vec::new(), Vec::new());
        while let Some(item) = opener.next_item().unwrap() {
            match item {
                Item::Lines(block) => text.extend(block.text),
                Item::Finding(finding) => findings.push(finding.to_string()),
            }
        }
        (String::from_utf8(text).unwrap(), findings)
    }

    /// The forger has the format, the recipients, and what the process holds now: the segment's key, and the next chain key.
    #[test]
    fn promise_47_a_forger_with_the_memory_of_the_process_replaces_nothing_that_was_sealed_before() {
        let (file, recipient) = Key::generate();
        let (key, recipients) = (Key::parse(&*file).unwrap(), Recipients::parse(recipient).unwrap());
        let at = Timestamp::from_nanos(7);
        let batch = |text| Batch { text, lines: 1, first: at, last: at };
        let mut sealer = Sealer::new(recipients, None).unwrap();
        let header = sealer.begin("a.log", at).unwrap();
        sealer.commit();
        sealer.seal(&[batch(b"line 0\n"), batch(b"line 1\n")]).unwrap();
        sealer.commit();
        let last = sealer.seal(&[batch(b"line 2\n")]).unwrap();
        sealer.commit();
        let open = sealer.segment.as_ref().unwrap();
        let forge = |count: usize| {
            let chain_key = open.place.chain_key.clone();
            let place = Place { chain_key, position: 0, digest: digest(&[&header]), next_line: 0 };
            let mut group = Group::new(Vec::new(), place, count).unwrap();
            for _ in 0..count {
                let stated = Stated { lines: 1, times: (7, 7), text_bytes: 6 };
                let payload = |block: &mut Vec<u8>| {
                    block.extend(zstd::bulk::compress(b"other\n", LEVEL).unwrap());
                    Ok(())
                };
                group.add(Kind::Lines, stated, payload).unwrap();
            }
            group.sign(&open.key).0
        };
        let all = [header.clone(), forge(3)].concat();
        let (text, findings) = found(&all, Some(&key));
        assert_eq!(text, "");
        for position in 0..3 {
            let name = format!("block {position} is forged");
            assert!(findings.iter().any(|finding| finding.starts_with(&name)), "{findings:?}");
        }
        // A later block names what stood there: this shows without the key, too.
        let some = [header.clone(), forge(2), last].concat();
        assert!(found(&some, None).1.contains(&"block 1 was replaced".to_owned()));
        let (text, findings) = found(&some, Some(&key));
        assert!(text == "line 2\n" && findings[1].starts_with("block 1 is forged"), "{findings:?}");
    }
}
