//! Reads a segment block by block, and goes on behind damage.

use std::io::{self, Read};

use super::block::{BlockHead, HEAD_BYTES, Kind, MARK, MOST_BLOCKS, Proof, block_digest};
use super::buffered::{Buffered, find};
use super::chain::ChainKey;
use super::finding::Finding;
use super::header::{ChainId, NoHeader, Position, ReadHeader, sealed_for};
use super::key::Key;
use super::progress::{Foreign, Progress};
use super::signing::Checking;
use crate::error::Error;
use zeroize::Zeroizing;

/// A block whose signature is wrong is tried this far ahead: its position may be wrong, too.
const FAR: u32 = 4096;

/// The most damaged blocks of one segment that are compared with other segments.
const MOST_FOREIGN: usize = 1000;

/// Reads one segment.
pub(crate) struct Opener<R> {
    source: Buffered<R>,
    pub(super) header: ReadHeader,
    checking: Option<Checking>,
    keys: Option<ChainKeys>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    pub(super) progress: Progress,
}

/// The lines of a block.
#[derive(Debug)]
pub(crate) struct OpenedBlock {
    /// Whole lines, each with its newline. Empty without a key.
    pub(crate) text: Vec<u8>,
    /// The time of the first and of the last line, in nanoseconds since 1970.
    pub(crate) times: (i64, i64),
}

/// What a block, or its absence, has told.
#[derive(Debug)]
pub(crate) enum Item {
    Lines(OpenedBlock),
    /// What is wrong. Lines may follow.
    Finding(Finding),
}

/// What tells segments apart: the chain, and the number there.
pub(crate) type SegmentId = (ChainId, u64);

/// Where a segment stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: SegmentId,
    /// The one that it follows.
    pub(crate) previous: Option<SegmentId>,
    /// When it was begun, in nanoseconds since 1970.
    pub(crate) begun: i64,
}

impl Place {
    /// Returns the segment before it, unless it is the first one of its chain.
    pub(crate) fn previous_in_chain(&self) -> Option<SegmentId> {
        self.previous.filter(|(chain, _)| *chain == self.id.0)
    }
}

/// The chain keys of a segment.
struct ChainKeys {
    first: ChainKey,
    position: u32,
    current: ChainKey,
    /// How many keys may still be derived: a hostile file asks for many.
    steps_left: u64,
}

impl<R: Read> Opener<R> {
    /// Reads the header. Without a key, blocks are checked, but their lines stay sealed.
    ///
    /// # Errors
    /// The source cannot be read, has no header that this version knows, or is not sealed for the key. `name`: the file's,
    /// for the message.
    pub(crate) fn new(source: R, key: Option<&Key>, name: &str) -> Result<Self, Error> {
        let mut source = Buffered::new(source);
        let invalid = |why: String| Error::rejected(format!("open {name}: {why}"));
        let mut wanted = 1;
        let header = loop {
            let is_there = source.fill(wanted).map_err(|error| Error::io(format!("read {name}"), error))?;
            match ReadHeader::parse(source.unread()) {
                Ok(header) => break header,
                Err(NoHeader::Incomplete(bytes)) if is_there && bytes > wanted => wanted = bytes,
                Err(NoHeader::Incomplete(_)) => return Err(invalid(truncated(source.unread()))),
                Err(NoHeader::Invalid(why)) => return Err(invalid(why)),
            }
        };
        source.skip(header.bytes);
        let secret = key.map(|key| key.unwrap(&header.header.wrapped)).transpose();
        let secret = secret.and_then(|secret| {
            let secret = secret
                .map(|secret| <[u8; 32]>::try_from(secret.as_slice()).map(|secret| Box::new(Zeroizing::new(secret))));
            secret.transpose().map_err(|_| "its header holds no secret".to_owned())
        });
        let secret = secret.map_err(|why| invalid(format!("{why}{}", sealed_for(&header.header.recipients))))?;
        let keys = secret.map(|secret| ChainKeys::new(ChainKey::new(&secret)));
        let mut progress = Progress::new(header.header.first_line);
        if !header.is_signed {
            progress.waiting.push_back(Finding::Header);
        }
        let checking = Checking::new(&header.header.key);
        Ok(Self { source, checking, keys, header, decompressor: None, progress })
    }

    /// Returns the next lines or finding; `None` at the end.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(crate) fn next_item(&mut self) -> io::Result<Option<Item>> {
        loop {
            if let Some(finding) = self.progress.waiting.pop_front() {
                return Ok(Some(Item::Finding(finding)));
            }
            if self.progress.is_finished {
                return Ok(None);
            }
            if let Some(lines) = self.read_block()? {
                return Ok(Some(Item::Lines(lines)));
            }
        }
    }

    /// Returns where the segment stands in the log.
    pub(crate) fn place(&self) -> Place {
        let header = &self.header.header;
        Place {
            id: (header.chain, header.number),
            previous: header.previous.map(|previous| (previous.chain, previous.number)),
            begun: header.begun,
        }
    }

    /// Returns what is missing to open it, and for whom it is sealed.
    pub(crate) fn needs_key(&self) -> String {
        let advice = "expected a key: `Lines::key`, or the command `spanline open --key`";
        format!("{advice}{}", sealed_for(&self.header.header.recipients))
    }

    /// Returns where the segment ends.
    pub(super) fn last(&self) -> Position {
        let digest = self.progress.seen.last_key_value().map_or(self.header.digest, |(_, digest)| *digest);
        Position { chain: self.header.header.chain, number: self.header.header.number, digest }
    }

    /// Reads one block, or what stands in its place.
    fn read_block(&mut self) -> io::Result<Option<OpenedBlock>> {
        self.source.fill(HEAD_BYTES)?;
        if self.source.unread().is_empty() {
            self.progress.finish();
            return Ok(None);
        }
        let at = self.source.at;
        let Some(head) = BlockHead::parse(self.source.unread()) else {
            self.skip_damage(1)?;
            return Ok(None);
        };
        let bytes = head.block_bytes();
        if !self.source.fill(bytes)? {
            self.skip_damage(MARK.len())?;
            return Ok(None);
        }
        let block = self.source.unread().get(..bytes).unwrap_or_default();
        if find(block.get(MARK.len()..).unwrap_or_default()).is_some() {
            // Another block begins inside it: its length is wrong. Nothing of it is hashed, however much it claims.
            self.skip_damage(MARK.len())?;
            return Ok(None);
        }
        let (head_bytes, rest) = block.split_at(HEAD_BYTES);
        let (payload, proof) = rest.split_at(head.payload_bytes as usize);
        let digest = block_digest(head_bytes, payload);
        let proof = Proof::new(&digest, proof);
        let is_signed = match &proof {
            Some(proof) => proof.is_by(self.checking),
            None => self.progress.covered.get(&head.position) == Some(&digest),
        };
        if !is_signed && !self.source.is_followed_by_block(bytes)? {
            // Its length is wrong.
            self.skip_damage(MARK.len())?;
            return Ok(None);
        }
        let block = self.source.unread().get(..bytes).unwrap_or_default();
        let (head_bytes, rest) = block.split_at(HEAD_BYTES);
        let payload = rest.get(..head.payload_bytes as usize).unwrap_or_default();
        let is_known = self.progress.seen.contains_key(&head.position);
        let text = match head.kind {
            Kind::Lines | Kind::CoveredLines
                if is_signed || head.position < self.progress.next.0.saturating_add(FAR) =>
            {
                open_lines(self.keys.as_mut(), &mut self.decompressor, &head, head_bytes, payload)
            }
            Kind::Lines | Kind::CoveredLines => Text::Damaged,
            Kind::End | Kind::Retention => Text::NotOpened,
        };
        let mark = <[u8; 8]>::try_from(payload).map_or(0, u64::from_be_bytes);
        self.source.skip(bytes);
        if is_signed && let Some(proof) = &proof {
            self.progress.covers(head.position, proof);
        }
        let is_intact = match (is_signed, &text) {
            (true, Text::Damaged) => {
                self.progress.waiting.push_back(Finding::Forged { position: head.position });
                self.progress.skip(&head);
                return Ok(None);
            }
            (true, _) => true,
            (false, Text::Lines(_)) => {
                if self.header.is_signed {
                    let position = head.position;
                    let is_covered = head.kind == Kind::CoveredLines;
                    let finding =
                        if is_covered { Finding::Uncovered { position } } else { Finding::Signature { position } };
                    self.progress.waiting.push_back(finding);
                }
                true
            }
            (false, _) => false,
        };
        if !is_intact {
            let position = head.position;
            // Without its signature and the key, nobody can tell whether it was changed, too.
            let is_uncovered = head.kind == Kind::CoveredLines && !self.progress.covered.contains_key(&position);
            let is_sealed = matches!(text, Text::NotOpened);
            let finding = if is_uncovered && is_sealed {
                Finding::Uncovered { position }
            } else {
                Finding::Damaged { position, at }
            };
            self.progress.waiting.push_back(finding);
            if self.progress.foreign.len() < MOST_FOREIGN {
                self.progress.foreign.push(Foreign { at, digest, proof });
            }
            self.progress.skip(&head);
            return Ok(None);
        }
        self.progress.place(&head, digest, self.header.digest, at);
        if head.kind == Kind::Retention && is_signed {
            self.progress.removed = self.progress.removed.max(mark);
        }
        let opened = |text| OpenedBlock { text, times: head.times };
        Ok(match text {
            Text::Lines(text) if !is_known => Some(opened(text)),
            Text::NotOpened if head.kind.has_lines() && !is_known => Some(opened(Vec::new())),
            _ => None,
        })
    }

    /// Goes on with the next mark, `from` bytes ahead or further.
    fn skip_damage(&mut self, from: usize) -> io::Result<()> {
        let at = self.source.at;
        let begins_like_a_block = self.source.unread().iter().zip(MARK).all(|(byte, mark)| *byte == mark);
        self.source.skip(from);
        loop {
            let found = find(self.source.unread());
            // A mark may be cut at the end of what was read.
            let searched = self.source.unread().len().saturating_sub(MARK.len() - 1);
            self.source.skip(found.unwrap_or(searched));
            let unread = self.source.unread().len();
            if found.is_none() && self.source.fill(unread + 1)? {
                continue;
            }
            if found.is_none() {
                self.source.skip(unread);
            }
            let count = self.source.at - at;
            let is_torn = found.is_none() && begins_like_a_block;
            let finding = if is_torn { Finding::Torn { at, count } } else { Finding::Bytes { at, count } };
            self.progress.waiting.push_back(finding);
            return Ok(());
        }
    }
}

/// What became of a block's lines.
enum Text {
    Lines(Vec<u8>),
    /// There is no key.
    NotOpened,
    Damaged,
}

/// Opens the lines of a block.
fn open_lines(
    keys: Option<&mut ChainKeys>,
    decompressor: &mut Option<zstd::bulk::Decompressor<'static>>,
    head: &BlockHead,
    head_bytes: &[u8],
    payload: &[u8],
) -> Text {
    let Some(keys) = keys else { return Text::NotOpened };
    let mut packed = payload.to_vec();
    let Some(key) = keys.at(head.position) else { return Text::Damaged };
    if !key.batch(&head.fresh).open(head_bytes, &mut packed) {
        return Text::Damaged;
    }
    let decompressor = match decompressor {
        Some(decompressor) => decompressor,
        none => match zstd::bulk::Decompressor::new() {
            Ok(new) => none.insert(new),
            Err(_) => return Text::Damaged,
        },
    };
    match decompressor.decompress(&packed, head.text_bytes as usize) {
        Ok(text) if text.len() == head.text_bytes as usize => Text::Lines(text),
        _ => Text::Damaged,
    }
}

impl ChainKeys {
    fn new(first: ChainKey) -> Self {
        Self { current: first.clone(), position: 0, first, steps_left: 8 * u64::from(MOST_BLOCKS) }
    }

    /// Returns the chain key of a block; `None` if too many were asked for.
    fn at(&mut self, position: u32) -> Option<&ChainKey> {
        if position < self.position {
            (self.position, self.current) = (0, self.first.clone());
        }
        self.steps_left = self.steps_left.checked_sub((position - self.position).into())?;
        while self.position < position {
            self.current = self.current.next();
            self.position += 1;
        }
        Some(&self.current)
    }
}

/// Returns why there is no whole header.
fn truncated(bytes: &[u8]) -> String {
    let names = bytes.get(24..).map(|names| {
        let length =
            bytes.get(18..20).and_then(|length| <[u8; 2]>::try_from(length).ok()).map_or(0, u16::from_be_bytes);
        String::from_utf8_lossy(names.get(..usize::from(length)).unwrap_or(names)).into_owned()
    });
    format!(
        "its header is cut after {} bytes{}",
        bytes.len(),
        names.map(|names| sealed_for(&names)).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Timestamp;
    use crate::sealed::Recipients;
    use crate::sealed::sealer::{Batch, Sealer};

    fn batch(text: &str) -> Batch<'_> {
        let at = Timestamp::from_nanos(7);
        Batch { text: text.as_bytes(), lines: text.lines().count() as u32, first: at, last: at }
    }

    /// Returns the blocks of a segment with `count` batches: its header first, its end last. Each batch has a line.
    fn parts(recipients: &Recipients, count: u32) -> Vec<Vec<u8>> {
        let mut sealer = Sealer::new(recipients.clone(), None).unwrap();
        let mut parts = vec![sealer.begin("a.log", Timestamp::from_nanos(1)).unwrap()];
        sealer.commit();
        for number in 0..count {
            parts.push(sealer.seal(&[batch(&format!("line {number}\n"))]).unwrap());
            sealer.commit();
        }
        parts.push(sealer.end(Timestamp::from_nanos(9)).unwrap());
        sealer.commit();
        parts
    }

    fn key() -> (Key, Recipients) {
        let (file, recipient) = Key::generate();
        (Key::parse(&*file).unwrap(), Recipients::parse(recipient).unwrap())
    }

    fn opened(bytes: &[u8], key: Option<&Key>) -> (String, Vec<String>) {
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

    #[test]
    fn what_was_sealed_opens() {
        let (key, recipients) = key();
        let whole = parts(&recipients, 3).concat();
        assert_eq!(opened(&whole, Some(&key)), ("line 0\nline 1\nline 2\n".to_owned(), vec![]));
        assert_eq!(opened(&whole, None), (String::new(), vec![]));
    }

    #[test]
    fn promise_47_each_change_is_named_and_costs_only_its_block() {
        let (key, recipients) = key();
        let parts = parts(&recipients, 4);
        let other = self::parts(&recipients, 4);
        let joined = |places: &[usize]| places.iter().map(|place| parts[*place].clone()).collect::<Vec<_>>().concat();
        let check = |bytes: &[u8], text: &str, findings: &[&str]| {
            let found = opened(bytes, Some(&key));
            assert_eq!(
                (found.0.as_str(), found.1.iter().map(String::as_str).collect::<Vec<_>>()),
                (text, findings.to_vec())
            );
        };
        let all = "line 0\nline 1\nline 2\nline 3\n";
        check(&joined(&[0, 1, 3, 4, 5]), "line 0\nline 2\nline 3\n", &["block 1 is missing, with 1 line"]);
        check(&joined(&[0, 1, 4, 5]), "line 0\nline 3\n", &["blocks 1 to 2 are missing, with 2 lines"]);
        check(&joined(&[0, 1, 2, 2, 3, 4, 5]), all, &["block 1 is there twice"]);
        let swapped = "line 0\nline 2\nline 1\nline 3\n";
        check(&joined(&[0, 1, 3, 2, 4, 5]), swapped, &["block 1 stands after a later one"]);
        check(&joined(&[0, 1, 2, 3, 4]), all, &["ended without a seal, 4 lines readable"]);
        check(
            &[joined(&[0, 1]), other[2].clone(), joined(&[3, 4, 5])].concat(),
            "line 0\nline 2\nline 3\n",
            &[&format!("block 1, at byte {}, was changed", parts[0].len() + parts[1].len())],
        );
        check(&joined(&[0, 1, 2, 3, 4, 5, 3]), all, &["block 2 is there twice"]);
    }

    #[test]
    fn promise_47_every_changed_bit_is_found() {
        let (key, recipients) = key();
        let parts = parts(&recipients, 3);
        let whole = parts.concat();
        let header = parts[0].len();
        let mut bytes = whole.clone();
        for bit in 0..whole.len() * 8 {
            // `tests/it/sealed` tries every bit.
            if bit / 8 < header || bit % 23 != 0 {
                continue;
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
            let lines = match Opener::new(&bytes[..], Some(&key), "a.log") {
                Err(_) => 0,
                Ok(_) => {
                    let (text, findings) = opened(&bytes, Some(&key));
                    assert!(!findings.is_empty(), "bit {bit}");
                    text.lines().count()
                }
            };
            assert!(bit / 8 < header || lines >= 2, "bit {bit}: {lines}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..whole.len() {
            let found = Opener::new(&whole[..cut], Some(&key), "a.log").map(|_| opened(&whole[..cut], Some(&key)));
            assert!(found.is_err() == (cut < header), "cut {cut}");
            assert!(found.is_err() || !found.unwrap().1.is_empty(), "cut {cut}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_names_its_recipients() {
        let (_, recipients) = key();
        let (other, _) = key();
        let whole = parts(&recipients, 1).concat();
        let names = recipients.names();
        let error = |bytes: &[u8]| Opener::new(bytes, Some(&other), "a.log").err().unwrap().to_string();
        assert_eq!(
            error(&whole),
            format!("open a.log: this key is not one of its recipients; it is sealed for {names}")
        );
        assert_eq!(
            error(&whole[..200]),
            format!("open a.log: its header is cut after 200 bytes; it is sealed for {names}")
        );
        let mut later = whole;
        later[17] = 2;
        let expected = "open a.log: it has version 2 of the format; this program reads up to 1; it is sealed for ";
        assert_eq!(error(&later), format!("{expected}{names}"));
    }
}
