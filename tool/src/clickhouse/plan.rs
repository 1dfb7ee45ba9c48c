//! What is to be loaded: the segments of logs that are not loaded as they are now.

use std::collections::HashMap;

use spanline::read::Segment;
use spanline::record::Timestamp;

use super::identity::{Content, Index, stamp};
use super::parallel::in_parallel;
use super::segments::{Known, Source, State};
use super::upload;
use crate::escape::escaped;
use crate::inputs::LogSegments;
use crate::report::Report;

/// How far the numbers of segments are apart, so that others fit between them.
const STEP: u64 = 1 << 32;

/// A segment that is to be loaded.
pub(super) struct Job<'s> {
    pub(super) segment: &'s Segment,
    /// What it has. Nothing else is loaded of it.
    pub(super) content: Content,
    /// Says whether it has changed since it was read.
    pub(super) stamp: Option<String>,
    pub(super) source: Source,
    /// What it takes the place of.
    pub(super) replaced: Option<Known>,
}

/// What a load has to do.
#[derive(Default)]
pub(super) struct Plan<'s> {
    pub(super) jobs: Vec<Job<'s>>,
    /// How many segments are loaded as they are now.
    pub(super) skipped: u64,
    /// How many of them had to be read to see that.
    pub(super) read_again: u64,
    /// The segments whose files have got other stamps since they were loaded.
    pub(super) stamps: Vec<(u64, String)>,
}

/// A segment, what it has, and what is loaded of it.
struct Found<'s, 'k> {
    segment: &'s Segment,
    path: String,
    stamp: Option<String>,
    /// `None` if the segment was not read.
    content: Option<Content>,
    known: Option<&'k Known>,
    is_whole: bool,
}

impl<'s> Plan<'s> {
    /// Compares the segments of logs with those that are known. Reports those that cannot be read. `listed`: when they were listed.
    pub(super) fn new(
        (logs, listed): (&'s [LogSegments], Timestamp),
        names: &[String],
        known: &[Known],
        report: &mut Report,
    ) -> Self {
        let mut of_log: HashMap<&str, Vec<&Known>> = HashMap::new();
        for one in known.iter().filter(|one| one.state == State::Complete) {
            of_log.entry(&one.source.log).or_default().push(one);
        }
        let known_of = |name: &String| of_log.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut indices: Vec<Index<'_>> = names.iter().map(|name| Index::new(known_of(name))).collect();
        let mut found: Vec<Vec<Found<'_, '_>>> = Vec::new();
        for (log, index) in logs.iter().zip(&mut indices) {
            found.push(log.segments.iter().map(|segment| unchanged(segment, listed, index)).collect());
        }
        read_all(&mut found, listed, &indices, report);
        let mut plan = Self::default();
        for ((mut found, index), name) in found.into_iter().zip(&mut indices).zip(names) {
            found.retain(|found| found.is_whole || found.content.is_some());
            match_all(&mut found, index);
            plan.add(found, name);
        }
        plan
    }

    fn add(&mut self, found: Vec<Found<'s, '_>>, name: &str) {
        let places: Vec<_> = found.iter().map(|found| found.known.map(|known| known.source.sequence)).collect();
        for (found, sequence) in found.into_iter().zip(sequences(&places)) {
            let Found { segment, path, stamp, content, known, is_whole } = found;
            match (known, content) {
                (Some(known), content) if is_whole => {
                    self.skipped += 1;
                    self.read_again += u64::from(content.is_some());
                    // Where files have no stamps, there is none to be stored.
                    self.stamps.extend(stamp.filter(|stamp| *stamp != known.stamp).map(|stamp| (known.id, stamp)));
                }
                (known, Some(content)) if content.bytes > 0 => {
                    let source = Source { log: name.to_owned(), sequence, path, is_active: segment.is_active() };
                    self.jobs.push(Job { segment, content, stamp, source, replaced: known.cloned() });
                }
                _ => {}
            }
        }
    }
}

/// Finds a segment by what says that it has not changed since it was read.
fn unchanged<'s, 'k>(segment: &'s Segment, listed: Timestamp, index: &mut Index<'k>) -> Found<'s, 'k> {
    let stamp = stamp(segment.path(), listed);
    let known = stamp.as_ref().and_then(|stamp| index.claim_unchanged(stamp));
    Found { segment, path: escaped(segment.path()), stamp, content: None, known, is_whole: known.is_some() }
}

/// Reads the segments that were not found yet.
fn read_all(found: &mut [Vec<Found<'_, '_>>], listed: Timestamp, indices: &[Index<'_>], report: &mut Report) {
    let wanted = found.iter_mut().zip(indices).flat_map(|(found, index)| found.iter_mut().map(move |one| (one, index)));
    let wanted: Vec<_> = wanted.filter(|(one, _)| !one.is_whole).collect();
    let bytes = wanted.iter().map(|(one, _)| one.segment.bytes()).sum();
    let results = in_parallel(wanted, bytes, report, |(one, index), read| {
        let is_plain = one.segment.compression() == spanline::read::Compression::Plain;
        // The receiver is gone only if the load has ended.
        let told = |bytes| {
            if is_plain {
                let _ = read.send(bytes);
            }
        };
        let content = upload::open(one.segment).and_then(|reader| {
            Content::of(reader, index, &one.path, told).map_err(|error| format!("read {}: {error}", one.path))
        });
        if !is_plain {
            let _ = read.send(one.segment.bytes());
        }
        // One that it had before and behind was that of what was read.
        one.stamp = one.stamp.take().filter(|before| stamp(one.segment.path(), listed).as_ref() == Some(before));
        content.map(|content| one.content = Some(content))
    });
    results.into_iter().filter_map(|result| result.flatten().err()).for_each(|why| report.failure(&why));
}

/// Finds what is loaded of segments.
fn match_all<'k>(found: &mut [Found<'_, 'k>], index: &mut Index<'k>) {
    // First those that are whole, so that none of them is taken for the beginning of another one.
    for one in found.iter_mut().filter(|one| !one.is_whole) {
        one.known = one.content.as_ref().and_then(|content| index.claim_whole(content));
        one.is_whole = one.known.is_some();
    }
    for one in found.iter_mut().filter(|one| !one.is_whole) {
        one.known = one.content.as_ref().and_then(|content| index.claim_beginning(content, &one.path));
    }
}

/// Returns the numbers of a log's segments, in order: those that are known, and new ones between them.
fn sequences(known: &[Option<u64>]) -> Vec<u64> {
    let most = known.iter().flatten().max().copied().unwrap_or(0);
    // For each place, the next known number, and how many unknown ones are in front of it.
    let mut next = None;
    let mut behind: Vec<Option<(u64, u64)>> = Vec::with_capacity(known.len());
    for one in known.iter().rev() {
        next = match one {
            Some(known) => Some((0, *known)),
            None => next.map(|(missing, known)| (missing + 1, known)),
        };
        behind.push(next);
    }
    let mut before = 0_u64;
    let mut number = |behind: Option<(u64, u64)>| {
        before = match behind {
            Some((0, known)) => known,
            Some((missing, next)) if next.saturating_sub(before) > missing => before + (next - before) / (missing + 1),
            // Where there is no room left, it comes last.
            _ => before.max(most).saturating_add(STEP),
        };
        before
    };
    behind.into_iter().rev().map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_is_loaded_later_keeps_its_place() {
        let first = sequences(&[None, None, None]);
        assert_eq!(first, [STEP, 2 * STEP, 3 * STEP]);
        let [one, _, three] = first[..] else { panic!() };
        for known in [
            vec![Some(one), None, Some(three)],
            vec![Some(one), None, None, None, Some(three), None],
            vec![None, Some(one), None, Some(three)],
            vec![None, None],
            vec![Some(three), None],
        ] {
            let numbers = sequences(&known);
            assert!(numbers.is_sorted_by(|one, other| one < other), "{known:?}: {numbers:?}");
            assert!(known.iter().zip(&numbers).all(|(known, number)| known.is_none_or(|known| known == *number)));
        }
        assert_eq!(sequences(&[Some(1), None, Some(2)]), [1, 2 + STEP, 2], "no room is left");
    }
}
