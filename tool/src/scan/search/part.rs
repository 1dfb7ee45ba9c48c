//! The search in one part of a log.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::opened::Failure;
use super::super::pieces::OpenPiece;
use super::backwards::last_time;
use super::hits::Hits;
use super::question::Question;
use crate::entry::Request;

/// What was found is passed on when this much of a part was read, in bytes.
const READ_BYTES: u64 = 8 << 20;

/// How much of a part is read.
pub(super) struct Limits<'l> {
    /// About how much may be found, in bytes.
    pub(super) most: usize,
    /// Whether nothing more is wanted.
    pub(super) is_ended: &'l AtomicBool,
}

impl Limits<'_> {
    /// Returns whether to stop. `read`: how many bytes were read.
    fn are_reached(&self, hits: &Hits, read: u64) -> bool {
        hits.size() >= self.most || read > READ_BYTES && hits.has_any() || self.is_ended.load(Ordering::Relaxed)
    }
}

/// Adds the lines of a part that meet the conditions, up to the limits. Returns whether it has no more.
pub(super) fn search(piece: &mut OpenPiece, question: &Question, limits: &Limits<'_>, hits: &mut Hits) -> bool {
    let ended = if reads_all(question, piece.range.is_some()) {
        search_lines(piece, question, limits, hits)
    } else {
        search_needle(piece, question, limits, hits)
    };
    match ended {
        Ok(false) => return false,
        Ok(true) => hits.failures.extend(piece.read_bytes().1),
        Err(failure) => {
            hits.failures.push(failure.why);
            if !failure.is_end {
                return false;
            }
        }
    }
    true
}

/// Returns whether also lines are read that do not have the needle. `is_plain`: compressed files have to be read anyway.
pub(super) fn reads_all(question: &Question, is_plain: bool) -> bool {
    question.needle.is_none() || question.reads_all || !is_plain
}

/// Reads all lines.
fn search_lines(
    piece: &mut OpenPiece,
    question: &Question,
    limits: &Limits<'_>,
    hits: &mut Hits,
) -> Result<bool, Failure> {
    let begun = piece.lines.at();
    let (parser, mut request) = (&mut piece.parser, Request::default());
    let takes_all = question.takes_all();
    while let Some(line) = piece.lines.next_line()? {
        let settled = parser.settled();
        // What such a line says can be read again, and does not matter here.
        let is_unread = takes_all && !parser.is_settling() && line.bytes.starts_with(b"{");
        if is_unread && !request.open(line.bytes) {
            hits.push_unread(line.bytes, line.is_cut, settled);
        } else {
            let has_needle = question.needle.as_ref().is_none_or(|needle| needle.is_in(line.bytes));
            let is_request = parser.each(line.bytes, line.is_cut, &mut request, |entry, _| {
                if question.needs_times {
                    hits.times.add(entry.time());
                }
                if !has_needle || !question.is_met(entry) {
                    hits.passed.count(entry);
                } else if question.is_count {
                    hits.passed.count(entry);
                    hits.counted += 1;
                } else {
                    hits.push(entry, settled);
                }
            });
            hits.passed.cut += u64::from(is_request && line.is_cut);
        }
        let at = line.at;
        if limits.are_reached(hits, at - begun) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads only lines that have the needle.
fn search_needle(
    piece: &mut OpenPiece,
    question: &Question,
    limits: &Limits<'_>,
    hits: &mut Hits,
) -> Result<bool, Failure> {
    let begun = piece.lines.at();
    let (Some(needle), Some(part)) = (&question.needle, &piece.range) else { return Ok(true) };
    let (parser, mut request) = (&mut piece.parser, Request::default());
    let mut known_from = 0;
    loop {
        // The first record decides how those with the needle are read.
        let is_settling = parser.is_settling();
        let next = if is_settling { piece.lines.next_line() } else { piece.lines.next_line_with(needle) };
        let Some(line) = next? else { return Ok(true) };
        if !needle.is_in(line.bytes) {
            if is_settling {
                parser.read_line(line.bytes, line.is_cut);
            }
            continue;
        }
        let settled = parser.settled();
        let is_request = parser.each(line.bytes, line.is_cut, &mut request, |entry, _| {
            if !question.is_met(entry) {
                return;
            }
            if question.is_count {
                hits.passed.count(entry);
                hits.counted += 1;
                return;
            }
            if question.needs_times {
                let time = entry.time();
                hits.times.add(time.or_else(|| last_time(&part.file, known_from..line.at, settled)));
                known_from = line.at;
            }
            hits.push(entry, settled);
        });
        hits.passed.cut += u64::from(is_request && line.is_cut);
        let at = line.at;
        if limits.are_reached(hits, at - begun) {
            return Ok(false);
        }
    }
}
