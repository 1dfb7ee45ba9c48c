//! Reads a segment block by block, and goes on behind damage.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read};

use super::block::{BlockHead, HEAD_BYTES, Kind, MARK, MOST_BLOCKS, block_digest, is_signed};
use super::chain::ChainKey;
use super::finding::{Blocks, Finding};
use super::header::{NoHeader, Position, ReadHeader, sealed_for};
use super::key::Key;
use super::signing::{Checking, Digest, SIGNATURE_BYTES};
use crate::error::Error;
use zeroize::Zeroizing;

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

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

/// What a block, or its absence, has told.
#[derive(Debug)]
pub(crate) enum Item {
    /// Whole lines, each with its newline. Empty without a key.
    Lines(Vec<u8>),
    /// What is wrong. Lines may follow.
    Finding(Finding),
}

/// How far a segment was read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The digests of all intact blocks.
    pub(super) seen: BTreeMap<u32, Digest>,
    /// Positions that a later block has skipped.
    gaps: Vec<Blocks>,
    /// The position after the last block, and the number of the next line.
    next: (u32, u64),
    /// Lines in intact blocks.
    pub(super) lines: u64,
    /// The first and the last time in intact blocks of lines.
    pub(super) times: Option<(i64, i64)>,
    /// The highest retention mark in blocks.
    pub(super) removed: u64,
    /// Damaged blocks, to find where they come from: place, digest, signature.
    pub(super) foreign: Vec<(u64, Digest, [u8; SIGNATURE_BYTES])>,
    pub(super) is_ended: bool,
    is_finished: bool,
    waiting: VecDeque<Finding>,
}

/// The chain keys of a segment.
struct ChainKeys {
    first: ChainKey,
    position: u32,
    current: ChainKey,
    /// How many keys may still be derived: a hostile file asks for many.
    steps_left: u64,
}

/// A source, and what was read of it but not used.
struct Buffered<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    /// The place of `start` in the file.
    at: u64,
}

impl<R: Read> Opener<R> {
    /// Reads the header. Without a key, blocks are checked, but their lines stay sealed.
    ///
    /// # Errors
    /// The source cannot be read, has no header that this version knows, or is not sealed for the key. `name`: the file's,
    /// for the message.
    pub(crate) fn new(source: R, key: Option<&Key>, name: &str) -> Result<Self, Error> {
        let mut source = Buffered { source, bytes: Vec::new(), start: 0, at: 0 };
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
        let mut progress = Progress { next: (0, header.header.first_line), ..Progress::default() };
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
    fn read_block(&mut self) -> io::Result<Option<Vec<u8>>> {
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
        let (payload, signature) = rest.split_at(rest.len() - SIGNATURE_BYTES);
        let digest = block_digest(head_bytes, payload);
        let is_signed = is_signed(self.checking, &digest, signature);
        if !is_signed && !self.source.is_followed_by_block(bytes)? {
            // Its length is wrong.
            self.skip_damage(MARK.len())?;
            return Ok(None);
        }
        let block = self.source.unread().get(..bytes).unwrap_or_default();
        let (head_bytes, rest) = block.split_at(HEAD_BYTES);
        let (payload, signature) = rest.split_at(head.payload_bytes as usize);
        let signature = <[u8; SIGNATURE_BYTES]>::try_from(signature).ok();
        let is_known = self.progress.seen.contains_key(&head.position);
        let text = match head.kind {
            Kind::Lines if is_signed || head.position < self.progress.next.0.saturating_add(FAR) => {
                open_lines(self.keys.as_mut(), &mut self.decompressor, &head, head_bytes, payload)
            }
            Kind::Lines => Text::Damaged,
            Kind::End | Kind::Retention => Text::NotOpened,
        };
        let mark = <[u8; 8]>::try_from(payload).map_or(0, u64::from_be_bytes);
        self.source.skip(bytes);
        let is_intact = match (is_signed, &text) {
            (true, Text::Damaged) => {
                self.progress.waiting.push_back(Finding::Forged { position: head.position });
                self.progress.skip(&head);
                return Ok(None);
            }
            (true, _) => true,
            (false, Text::Lines(_)) => {
                if self.header.is_signed {
                    self.progress.waiting.push_back(Finding::Signature { position: head.position });
                }
                true
            }
            (false, _) => false,
        };
        if !is_intact {
            self.progress.waiting.push_back(Finding::Damaged { position: head.position, at });
            self.progress
                .foreign
                .extend(signature.filter(|_| self.progress.foreign.len() < MOST_FOREIGN).map(|it| (at, digest, it)));
            self.progress.skip(&head);
            return Ok(None);
        }
        self.progress.place(&head, digest, self.header.digest, at);
        if head.kind == Kind::Retention && is_signed {
            self.progress.removed = self.progress.removed.max(mark);
        }
        match text {
            Text::Lines(text) if !is_known => Ok(Some(text)),
            Text::NotOpened if head.kind == Kind::Lines && !is_known => Ok(Some(Vec::new())),
            _ => Ok(None),
        }
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

impl Progress {
    /// Notes an intact block.
    fn place(&mut self, head: &BlockHead, digest: Digest, header: Digest, at: u64) {
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
            Kind::Lines => {
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
    fn skip(&mut self, head: &BlockHead) {
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

    fn finish(&mut self) {
        self.is_finished = true;
        self.waiting.extend(self.gaps.drain(..).map(Finding::Missing));
        if !self.is_ended {
            self.waiting.push_back(Finding::NoEnd { lines: self.lines });
        }
    }
}

impl<R: Read> Buffered<R> {
    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        let count = count.min(self.bytes.len() - self.start);
        self.start += count;
        self.at += count as u64;
    }

    /// Returns whether a block that ends after `bytes` bytes is the last one, or the next block begins there and not before.
    fn is_followed_by_block(&mut self, bytes: usize) -> io::Result<bool> {
        let is_last = !self.fill(bytes + MARK.len())? && self.unread().len() == bytes;
        let ahead = self.unread().get(MARK.len()..).unwrap_or_default();
        let inside = ahead.get(..bytes.min(ahead.len())).and_then(find);
        Ok(inside.map_or(is_last, |place| place + MARK.len() == bytes))
    }

    /// Reads until `count` bytes are unread. Returns whether there are that many.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.bytes.len() - self.start < count {
            if self.start > 0 {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            let held = self.bytes.len();
            self.bytes.resize(held + READ_BYTES, 0);
            let read = self.source.read(self.bytes.get_mut(held..).unwrap_or_default());
            self.bytes.truncate(held + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Returns where the next mark is.
fn find(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let ahead = bytes.get(from..)?;
        let place = from + ahead.iter().position(|byte| *byte == MARK[0])?;
        if bytes.get(place..).is_some_and(|ahead| ahead.starts_with(&MARK)) {
            return Some(place);
        }
        from = place + 1;
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
            parts.push(sealer.seal(&batch(&format!("line {number}\n"))).unwrap());
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
                Item::Lines(lines) => text.extend(lines),
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
