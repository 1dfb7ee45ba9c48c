//! The search in one part of a log.

use super::super::opened::Failure;
use super::super::pieces::OpenPiece;
use super::backwards::last_time;
use super::hits::Hits;
use super::question::Question;
use crate::entry::Request;

/// Adds the lines of a part that meet the conditions, up to about `most` bytes of them. Returns whether it has no more.
pub(super) fn search(piece: &mut OpenPiece, question: &Question, most: usize, hits: &mut Hits) -> bool {
    let ended = match &question.needle {
        // Compressed files have to be read anyway.
        Some(_) if piece.range.is_some() && !question.reads_all => search_needle(piece, question, most, hits),
        _ => search_lines(piece, question, most, hits),
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

/// Reads all lines.
fn search_lines(piece: &mut OpenPiece, question: &Question, most: usize, hits: &mut Hits) -> Result<bool, Failure> {
    let (parser, mut request) = (&mut piece.parser, Request::default());
    while let Some(line) = piece.lines.next_line()? {
        let settled = parser.settled();
        let has_needle = question.needle.as_ref().is_none_or(|needle| needle.is_in(line.bytes));
        let is_request = parser.each(line.bytes, line.is_cut, &mut request, |entry, _| {
            if question.needs_times {
                hits.times.add(entry.time());
            }
            if !has_needle || !question.filter.matches(entry) {
                hits.passed.count(entry);
            } else if question.is_count {
                hits.passed.count(entry);
                hits.counted += 1;
            } else {
                hits.push(entry, settled);
            }
        });
        hits.passed.cut += u64::from(is_request && line.is_cut);
        if hits.size() >= most {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads only lines that have the needle.
fn search_needle(piece: &mut OpenPiece, question: &Question, most: usize, hits: &mut Hits) -> Result<bool, Failure> {
    let (Some(needle), Some(part)) = (&question.needle, &piece.range) else { return Ok(true) };
    let (parser, mut request) = (&mut piece.parser, Request::default());
    let mut known_from = 0;
    while let Some(line) = piece.lines.next_line_with(needle)? {
        if !needle.is_in(line.bytes) {
            continue;
        }
        let settled = parser.settled();
        let is_request = parser.each(line.bytes, line.is_cut, &mut request, |entry, _| {
            if !question.filter.matches(entry) {
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
        if hits.size() >= most {
            return Ok(false);
        }
    }
    Ok(true)
}
