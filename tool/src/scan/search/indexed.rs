//! Leaves out the blocks of a log that have no line that is meant, as its index says.

use spanline::read::Segment;

use super::super::pieces::{Parts, Piece};
use super::hits::Hits;
use super::logs::Rest;
use super::part::reads_all;
use super::question::Question;
use crate::index::{Block, Stretch};

/// Splits a piece that is large, or that has an index: returns the first part, and those behind it.
pub(super) fn split(piece: Piece, question: &Question) -> (Rest, Vec<Rest>) {
    let indexed = piece.segment().and_then(|segment| parts(segment, question)).unwrap_or_default();
    let mut parts = indexed.into_iter();
    match parts.next() {
        Some(first) => (first, parts.collect()),
        None => {
            let (first, behind) = piece.split();
            (Rest::Piece(first), behind.into_iter().map(Rest::Piece).collect())
        }
    }
}

/// Returns the parts of a file, of which those are left out that need not be read; `None` if there are none.
fn parts(segment: &Segment, question: &Question) -> Option<Vec<Rest>> {
    let store = question.index.as_ref().filter(|_| !question.bounds.is_empty())?;
    // What fails here fails again, and is reported, when the segment is opened.
    let plain = segment.open_plain().ok()?;
    let is_plain = plain.is_some();
    let file = match plain {
        Some(plain) => plain,
        None => segment.open_raw().ok()?,
    };
    let index = store.index_of(&file)?;
    let mut stretches = index.stretches(&file, is_plain, &question.bounds)?;
    if !stretches.iter().any(|stretch| matches!(stretch, Stretch::Without(_))) {
        return None;
    }
    let without = |block: &Block| {
        // As if its lines were read, if they are.
        let is_counted = reads_all(question, is_plain);
        Rest::Without(if is_counted { Hits::without(block, question.needs_times) } else { Hits::default() })
    };
    if !is_plain {
        // It is one block.
        let all = stretches.iter().map(|stretch| match stretch {
            Stretch::Read(_) => None,
            Stretch::Without(block) => Some(without(block)),
        });
        return all.collect();
    }
    let parts = Parts::of(file).ok()?;
    read_from_start(&mut stretches, parts.settled);
    let rests = stretches.into_iter().flat_map(|stretch| {
        let (pieces, hits) = match stretch {
            Stretch::Read(range) => (Some(parts.pieces(range)), None),
            Stretch::Without(block) => (None, Some(without(&block))),
        };
        pieces.into_iter().flatten().map(Rest::Piece).chain(hits)
    });
    Some(rests.collect())
}

/// Reads a file from its start up to the last stretch whose lines depend on those before. `settled`: from here on, none do.
fn read_from_start(stretches: &mut Vec<Stretch>, settled: u64) {
    let depends =
        |stretch: &Stretch| matches!(stretch, Stretch::Read(range) if range.start > 0 && range.start < settled);
    let Some(number) = stretches.iter().rposition(depends) else { return };
    let mut behind = stretches.split_off(number);
    if let Some(Stretch::Read(range)) = behind.first_mut() {
        range.start = 0;
    }
    *stretches = behind;
}
