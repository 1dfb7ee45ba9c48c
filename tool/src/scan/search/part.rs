//! The search in one part of a log.

use super::super::opened::Failure;
use super::super::pieces::OpenPiece;
use super::backwards::last_time;
use super::hits::Hits;
use super::question::Question;

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
    let parser = &mut piece.parser;
    while let Some(line) = piece.lines.next_line()? {
        let settled = parser.settled();
        parser.read_line(line.bytes, line.is_cut);
        let entry = parser.entry(line.bytes);
        if question.needs_times {
            hits.times.add(entry.time());
        }
        if question.needle.as_ref().is_some_and(|needle| !needle.is_in(line.bytes)) || !question.filter.matches(&entry)
        {
            hits.passed.count(&entry);
        } else if question.is_count {
            hits.passed.count(&entry);
            hits.counted += 1;
        } else {
            hits.push(line.bytes, line.is_cut, settled);
            if hits.size() >= most {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Reads only lines that have the needle.
fn search_needle(piece: &mut OpenPiece, question: &Question, most: usize, hits: &mut Hits) -> Result<bool, Failure> {
    let (Some(needle), Some(part)) = (&question.needle, &piece.range) else { return Ok(true) };
    let parser = &mut piece.parser;
    let mut known_from = 0;
    while let Some(line) = piece.lines.next_line_with(needle)? {
        if !needle.is_in(line.bytes) {
            continue;
        }
        let settled = parser.settled();
        parser.read_line(line.bytes, line.is_cut);
        let entry = parser.entry(line.bytes);
        if !question.filter.matches(&entry) {
            continue;
        }
        if question.is_count {
            hits.passed.count(&entry);
            hits.counted += 1;
            continue;
        }
        if question.needs_times {
            let time = entry.time();
            hits.times.add(time.or_else(|| last_time(&part.file, known_from..line.at, settled)));
            known_from = line.at;
        }
        hits.push(line.bytes, line.is_cut, settled);
        if hits.size() >= most {
            return Ok(false);
        }
    }
    Ok(true)
}
