//! A segment as a writer finds it.

use std::io::{self, Read, Seek, SeekFrom};

use super::block::{BlockHead, HEAD_BYTES, MARK, Proof, block_digest};
use super::finding::is_of_a_crash;
use super::header::{Position, ReadHeader};
use super::opener::{Item, Opener};
use super::sealer::Head;
use super::signing::{Checking, Digest};
use crate::record::Timestamp;

/// How much is read at once, from the end to the beginning.
const READ_BYTES: usize = 64 << 10;

/// How many places that look like blocks, but are none, are looked at. More are left to the reader of whole files.
const MOST_TRIED: usize = 64;

/// What a writer finds in a file, without a key.
pub(crate) struct Found {
    pub(crate) head: Head,
    /// There is no block, and no damage.
    pub(crate) is_empty: bool,
    /// When it was begun, if its writer has signed that.
    pub(crate) begun: Option<Timestamp>,
}

/// Finds the last intact block of a file; `None` if it is no sealed file.
///
/// A file may be large, and its log waits. So this reads the file from its end.
pub(crate) fn inspect(mut source: impl Read + Seek, name: &str) -> Option<Found> {
    source.rewind().ok()?;
    let mut opener = Opener::new(&mut source, None, name).ok()?;
    let header = opener.header.clone();
    let begun = header.is_signed.then(|| Timestamp::from_nanos(header.header.begun));
    let (chain, number) = (header.header.chain, header.header.number);
    let found = |digest, is_empty| Found { head: Head(Position { chain, number, digest }), is_empty, begun };
    // The first block, or damage, decides.
    let first = opener.next_item().ok()?;
    let is_damaged = matches!(first, Some(Item::Finding(finding)) if !is_of_a_crash(&finding));
    if opener.progress.seen.is_empty() && !is_damaged {
        return Some(found(header.digest, true));
    }
    if let Some(digest) = last_block(&mut source, &header).ok()? {
        return Some(found(digest, false));
    }
    source.rewind().ok()?;
    let mut opener = Opener::new(source, None, name).ok()?;
    while opener.next_item().ok()?.is_some() {}
    Some(found(opener.last().digest, false))
}

/// Returns the digest of the last block that its writer has signed, looking from the end.
fn last_block(source: &mut (impl Read + Seek), header: &ReadHeader) -> io::Result<Option<Digest>> {
    let checking = Checking::new(&header.header.key);
    let length = source.seek(SeekFrom::End(0))?;
    let (mut end, mut tried) = (length, 0);
    // Blocks whose signature stands before them.
    let mut covered = Vec::new();
    while end > header.bytes as u64 {
        let start = end.saturating_sub(READ_BYTES as u64).max(header.bytes as u64);
        // A mark may begin before `end`, and go on behind it.
        let bytes = read_at(source, start, (end - start) as usize + MARK.len() - 1)?;
        let mut places = bytes.windows(MARK.len()).enumerate().rev().filter(|(_, window)| *window == MARK);
        for (place, _) in &mut places {
            if tried == MOST_TRIED {
                return Ok(None);
            }
            tried += 1;
            match block_at(source, start + place as u64, length)? {
                Some((digest, Some(proof))) if proof.is_by(checking) => {
                    let last = proof.covered().rev().find(|digest| covered.contains(digest));
                    return Ok(Some(last.unwrap_or(digest)));
                }
                Some((digest, None)) => covered.push(digest),
                _ => {}
            }
        }
        end = start;
    }
    Ok(None)
}

/// Returns the digest of the block at a place, and its signature.
fn block_at(source: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<(Digest, Option<Proof>)>> {
    let bytes = read_at(source, at, HEAD_BYTES)?;
    let Some(head) = BlockHead::parse(&bytes).filter(|head| at + head.block_bytes() as u64 <= length) else {
        return Ok(None);
    };
    let rest = read_at(source, at + HEAD_BYTES as u64, head.block_bytes() - HEAD_BYTES)?;
    let Some((payload, proof)) = rest.split_at_checked(head.payload_bytes as usize) else { return Ok(None) };
    let digest = block_digest(&bytes, payload);
    Ok(Some((digest, Proof::new(&digest, proof))))
}

/// Reads up to `count` bytes.
fn read_at(source: &mut (impl Read + Seek), at: u64, count: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    source.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
