//! Compares the segments of a log: what is whole, what was changed, what is missing.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use super::finding::{Finding, is_of_a_crash};
use super::header::{ChainId, Position, ReadHeader};
use super::key::Key;
use super::opener::{Item, Opener};
use super::progress::Foreign;
use super::sealer::Head;
use super::signing::{Checking, Digest, Verifier};
use crate::error::Error;
use crate::record::Timestamp;
use crate::rotation::SegmentNames;

/// What to check, beside that each file is as it was written.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    key: Option<Key>,
    verifier: Option<Verifier>,
    heads: Vec<Head>,
    /// The files are not all of the log.
    is_part: bool,
}

/// What a check of sealed files has found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// One row for each file, in the order in which they were given.
    pub rows: Vec<Row>,
    /// What is wrong with the log as a whole: files that are missing, heads that it does not agree with.
    pub findings: Vec<String>,
}

/// One file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// Where the file was when it was listed.
    pub path: PathBuf,
    /// The file's name.
    pub file: String,
    /// Its chain in hexadecimal, and its number there; `None` if it is no sealed file.
    pub chain: Option<(String, u64)>,
    /// The lines in intact blocks.
    pub lines: u64,
    /// The time of the first and of the last line in intact blocks.
    pub times: Option<(Timestamp, Timestamp)>,
    /// What its end looks like.
    pub state: State,
    /// What is wrong with it.
    pub findings: Vec<String>,
}

/// What the end of a sealed file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its writer has ended it, or the next segment vouches for its last block.
    Sealed,
    /// A writer has it open.
    Open,
    /// A crash ended it, or somebody has cut it: which of both cannot be seen.
    Unsealed,
    /// It is no sealed file, or has no readable header.
    Unreadable,
}

/// A file to check.
pub(crate) struct Checked<'a> {
    pub(crate) path: PathBuf,
    /// A writer has it open.
    pub(crate) is_live: bool,
    /// It keeps its name until it is closed, and there is nothing in it.
    pub(crate) is_empty: bool,
    /// Its bytes, or why it cannot be opened.
    pub(crate) source: Result<Box<dyn Read + Send + 'a>, Error>,
}

/// What was read of one file.
struct Segment {
    header: ReadHeader,
    last: Position,
    /// The number of the line after its last one.
    next_line: u64,
    digests: Vec<Digest>,
    removed: u64,
    /// Those of blocks that are signed by others, also where they are missing.
    covered: Vec<Digest>,
    foreign: Vec<Foreign>,
}

impl Checks {
    /// Checks signatures, order and completeness, without a key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens all lines, too. This finds what an intruder has forged in the segment that was being written at that time.
    pub fn key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Accepts only segments that this signer has certified.
    pub fn verifier(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Expects that the log agrees with a head that was kept elsewhere, as `Handle::seal_heads` returns it. Several are given
    /// in the order in which they were logged. The segment of a head may be missing if a later head of its chain agrees, or if
    /// retention has removed segments and all heads that agree were logged later.
    ///
    /// # Errors
    /// The text is no head.
    pub fn expect(mut self, head: &str) -> Result<Self, Error> {
        self.heads.push(head.parse()?);
        Ok(self)
    }

    /// Checks files that are a part of a log: one file is checked by itself, and between several none may be missing.
    ///
    /// By default, the files are the whole log.
    pub fn part_of_log(mut self) -> Self {
        self.is_part = true;
        self
    }

    /// Checks the files of one log, in the order in which they were written. Takes each one after the one before was read:
    /// a log may have more files than a process may have open.
    ///
    /// # Errors
    /// The first one of `files`.
    pub(crate) fn check<'a>(
        &self,
        files: impl IntoIterator<Item = Result<Checked<'a>, Error>>,
    ) -> Result<Report, Error> {
        let mut rows = Vec::new();
        let mut segments = Vec::new();
        for file in files {
            let (row, segment) = self.read(file?);
            rows.push(row);
            segments.push(segment);
        }
        let mut report = Report { rows, findings: Vec::new() };
        let trusted = |segment: &&Segment| self.is_trusted(segment);
        let removed = segments.iter().flatten().filter(trusted).map(|segment| segment.removed).max().unwrap_or(0);
        self.compare(&segments, removed, &mut report);
        self.find_heads(&segments, removed, &mut report);
        Ok(report)
    }

    /// Reads one file.
    fn read(&self, file: Checked<'_>) -> (Row, Option<Segment>) {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut row = Row {
            path: file.path,
            file: name.clone(),
            chain: None,
            lines: 0,
            times: None,
            state: State::Unreadable,
            findings: Vec::new(),
        };
        if file.is_empty {
            // Its writer is about to write the header, or was killed before.
            row.state = if file.is_live { State::Open } else { State::Unsealed };
            return (row, None);
        }
        let opened = file.source.and_then(|source| Opener::new(source, self.key.as_ref(), &name));
        let mut opener = match opened {
            Ok(opener) => opener,
            Err(error) => {
                row.findings.push(format!("{error:#}"));
                return (row, None);
            }
        };
        row.state = State::Sealed;
        loop {
            match opener.next_item() {
                Ok(None) => break,
                Ok(Some(Item::Lines(_))) => {}
                Ok(Some(Item::Finding(finding))) if is_of_a_crash(&finding) => {
                    row.state = if file.is_live { State::Open } else { State::Unsealed };
                    if let Finding::Torn { .. } = finding
                        && !file.is_live
                    {
                        row.findings.push(finding.to_string());
                    }
                }
                Ok(Some(Item::Finding(finding))) => row.findings.push(finding.to_string()),
                Err(error) => {
                    row.findings.push(format!("read {name}: {error}"));
                    row.state = State::Unreadable;
                    break;
                }
            }
        }
        let header = opener.header.clone();
        let progress = &opener.progress;
        row.chain = Some((hex(&header.header.chain), header.header.number));
        row.lines = progress.lines;
        row.times = progress.times.map(|(from, to)| (Timestamp::from_nanos(from), Timestamp::from_nanos(to)));
        let segment = Segment {
            last: opener.last(),
            next_line: progress.next_line(),
            digests: std::iter::once(header.digest).chain(progress.seen.values().copied()).collect(),
            removed: header.header.removed.max(progress.removed),
            covered: progress.covered.values().copied().collect(),
            foreign: progress.foreign.clone(),
            header,
        };
        (row, Some(segment))
    }

    /// Compares each segment with the one that it names as its previous one.
    ///
    /// `removed`: files up to this number may be missing.
    fn compare(&self, segments: &[Option<Segment>], removed: u64, report: &mut Report) {
        let mut places: HashMap<(ChainId, u64), usize> = HashMap::new();
        for (place, segment) in segments.iter().enumerate() {
            let Some(segment) = segment else { continue };
            let header = &segment.header.header;
            if let Some(first) = places.get(&(header.chain, header.number)).copied() {
                let why = format!("it is a copy of {}, or was written in its place", file(report, first));
                add(report, place, why);
            } else {
                places.insert((header.chain, header.number), place);
            }
        }
        for (place, segment) in segments.iter().enumerate() {
            let Some(segment) = segment else { continue };
            if !self.is_trusted(segment) {
                add(report, place, "it was not certified by the signer of this verifier".to_owned());
            }
            if let Some(why) = wrong_name(&segment.header.header.name, file(report, place)) {
                add(report, place, why);
            }
            self.compare_previous(place, segment, segments, &places, removed, report);
        }
        Self::compare_order(segments, report);
        Self::find_gaps(segments, report);
        Self::find_origins(segments, report);
    }

    fn compare_previous(
        &self,
        place: usize,
        segment: &Segment,
        segments: &[Option<Segment>],
        places: &HashMap<(ChainId, u64), usize>,
        removed: u64,
        report: &mut Report,
    ) {
        let header = &segment.header.header;
        let Some(named) = header.previous else {
            if header.number > 0 {
                add(report, place, "it names no previous segment, and is not the first of its chain".to_owned());
            }
            return;
        };
        let found = places.get(&(named.chain, named.number)).copied();
        let previous = found.and_then(|found| Some((found, segments.get(found)?.as_ref()?)));
        let Some((before, previous)) = previous else {
            let names = SegmentNames::new(&header.name);
            let number = names.parse(&header.previous_name).map(|(segment, _)| segment.sequence);
            let is_alone = self.is_part && segments.len() == 1;
            // Retention removes the oldest ones. A mark does not explain a hole.
            let has_older = |number| numbers(segments, report).any(|(_, older)| older < number);
            let is_removed = number.is_some_and(|number| number <= removed && !has_older(number));
            if !is_alone && !is_removed {
                let name = if header.previous_name.is_empty() { "a segment" } else { &*header.previous_name };
                let finding = format!("{} is missing: {} follows it", shown(name), file(report, place));
                report.findings.push(finding);
            }
            return;
        };
        if segment.header.names_previous_key() && !segment.header.is_certified_by(&previous.header.header.key) {
            add(report, place, format!("it is not certified by {}", file(report, before)));
        }
        let is_same_chain = named.chain == header.chain;
        if header.number > 0 && (named.chain, named.number) != (header.chain, header.number - 1) {
            add(report, place, "it does not go on with the segment before it in its chain".to_owned());
        }
        if is_same_chain && !segment.header.names_previous_key() {
            add(report, place, format!("it has no certificate by {}", file(report, before)));
        }
        if previous.last.digest == named.digest {
            // The same writer went on, and only could not write the end. Another one has found what a crash, or somebody, left.
            let row = report.rows.get_mut(before).filter(|row| is_same_chain && row.state == State::Unsealed);
            row.into_iter().for_each(|row| row.state = State::Sealed);
            if is_same_chain && previous.next_line != header.first_line {
                let (before, next) = (previous.next_line, header.first_line);
                add(report, place, format!("its lines are numbered from {next}, and those before it end at {before}"));
            }
        } else if previous.digests.contains(&named.digest) {
            add(report, before, format!("something was added after {} was begun", file(report, place)));
        } else {
            add(report, before, format!("its end was removed or replaced: {} names another one", file(report, place)));
        }
        let name = file(report, before).to_owned();
        if !header.previous_name.is_empty() && header.previous_name != name {
            // A file that keeps the log's name until the next start.
            let is_active = header.previous_name == header.name;
            if !is_active {
                add(
                    report,
                    before,
                    format!("it was renamed: its writer closed it as {}", shown(&header.previous_name)),
                );
            }
        }
    }

    /// Finds segments of one chain in another order than that in which they were written.
    fn compare_order(segments: &[Option<Segment>], report: &mut Report) {
        let mut last: HashMap<ChainId, u64> = HashMap::new();
        for (place, segment) in segments.iter().enumerate() {
            let Some(segment) = segment else { continue };
            let header = &segment.header.header;
            let highest = last.entry(header.chain).or_insert(header.number);
            if header.number < *highest {
                add(report, place, "it stands after a later segment of its chain".to_owned());
            }
            *highest = header.number.max(*highest);
        }
    }

    /// Finds files that no other file names: the numbers in the names of a log's files have no gap.
    fn find_gaps(segments: &[Option<Segment>], report: &mut Report) {
        let mut all: Vec<_> = numbers(segments, report).collect();
        all.sort_by_key(|(_, number)| *number);
        let mut gaps = Vec::new();
        for pair in all.windows(2) {
            let [(before, from), (after, to)] = pair else { continue };
            let missing = to.saturating_sub(*from).saturating_sub(1);
            let end = format!("{} follows it", file(report, *after));
            let named = report.findings.iter().filter(|finding| finding.ends_with(&end)).count() as u64;
            if missing > named {
                let (before, after) = (file(report, *before), file(report, *after));
                let which = if missing == 1 { "1 file is".to_owned() } else { format!("{missing} files are") };
                gaps.push(format!("{which} missing between {before} and {after}"));
            }
        }
        report.findings.extend(gaps);
    }

    /// Finds blocks that were moved from one segment to another.
    fn find_origins(segments: &[Option<Segment>], report: &mut Report) {
        let keys: Vec<_> = segments.iter().map(|segment| Checking::new(&segment.as_ref()?.header.header.key)).collect();
        let covered: HashMap<_, _> = segments
            .iter()
            .enumerate()
            .flat_map(|(place, segment)| segment.iter().flat_map(|it| &it.covered).map(move |digest| (*digest, place)))
            .collect();
        for (place, segment) in segments.iter().enumerate() {
            for Foreign { at, digest, proof } in segment.iter().flat_map(|segment| &segment.foreign) {
                let origin = match proof {
                    Some(proof) => keys.iter().position(|key| proof.is_by(*key)),
                    None => covered.get(digest).copied(),
                };
                if let Some(origin) = origin.filter(|origin| *origin != place) {
                    add(report, place, format!("the block at byte {at} belongs to {}", file(report, origin)));
                }
            }
        }
    }

    /// Returns whether a segment was written by somebody who has the signer, if there is one to check.
    fn is_trusted(&self, segment: &Segment) -> bool {
        self.verifier.is_none_or(|verifier| segment.header.is_certified_by_signer(&verifier))
    }

    /// Compares the log with heads that were kept elsewhere. Only a head proves which segment is which: anybody can name a chain
    /// in a header.
    fn find_heads(&self, segments: &[Option<Segment>], removed: u64, report: &mut Report) {
        let place_of = |head: &Position| {
            let is_named = |segment: &&Segment| {
                let header = &segment.header.header;
                (header.chain, header.number) == (head.chain, head.number)
            };
            segments.iter().flatten().find(is_named)
        };
        let agrees = |Head(head): &Head| place_of(head).is_some_and(|segment| segment.digests.contains(&head.digest));
        // Who can only add heads can repeat an old one, but cannot put it before the others.
        let oldest = self.heads.iter().position(agrees);
        for (order, head) in self.heads.iter().enumerate() {
            if agrees(head) {
                continue;
            }
            if place_of(&head.0).is_some() {
                report.findings.push(format!("the log does not agree with the head {head}"));
                continue;
            }
            // What is missing before a segment is reported where that is compared with the one it names.
            let is_later = |later: &&Head| later.0.chain == head.0.chain && later.0.number > head.0.number;
            let is_vouched_for = self.heads.iter().filter(is_later).any(agrees);
            let is_removed = removed > 0 && oldest.is_some_and(|oldest| order < oldest);
            if !is_vouched_for && !is_removed {
                report.findings.push(format!("the segment of the head {head} is not there"));
            }
        }
    }
}

impl Report {
    /// Returns whether nothing was changed, and nothing is missing.
    pub fn is_whole(&self) -> bool {
        let is_whole = |row: &Row| row.findings.is_empty() && matches!(row.state, State::Sealed | State::Open);
        self.findings.is_empty() && self.rows.iter().all(is_whole)
    }
}

/// `sealed`, `open`, `ended without a seal` or `unreadable`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Unsealed => "ended without a seal",
            Self::Unreadable => "unreadable",
        })
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let mut parts = text.trim().strip_prefix("spanline-head:1:")?.split(':');
            let (chain, number, digest) = (parts.next()?, parts.next()?, parts.next()?);
            let (chain, digest) = (unhex(chain)?, unhex(digest)?);
            parts.next().is_none().then_some(())?;
            Some(Self(Position { chain, number: number.parse().ok()?, digest }))
        };
        parse().ok_or_else(|| {
            let start: String = text.chars().take(40).collect();
            Error::invalid(format!("head: expected `spanline-head:1:…`, found `{}`", start.escape_default()))
        })
    }
}

fn add(report: &mut Report, place: usize, finding: String) {
    if let Some(row) = report.rows.get_mut(place)
        && !row.findings.contains(&finding)
    {
        row.findings.push(finding);
    }
}

/// Returns the numbers in the names of closed files, with their rows.
fn numbers<'a>(segments: &'a [Option<Segment>], report: &'a Report) -> impl Iterator<Item = (usize, u64)> + use<'a> {
    segments.iter().enumerate().filter_map(|(place, segment)| {
        let names = SegmentNames::new(&segment.as_ref()?.header.header.name);
        names.parse(file(report, place)).map(|(segment, _)| (place, segment.sequence))
    })
}

fn file(report: &Report, place: usize) -> &str {
    report.rows.get(place).map_or("", |row| &row.file)
}

/// Returns why a file's name is not one of its log.
fn wrong_name(log: &str, file: &str) -> Option<String> {
    let names = SegmentNames::new(log);
    let is_of_log = file == log || names.is_writer(file) || names.parse(file).is_some();
    (!is_of_log).then(|| format!("it was renamed, or belongs to another log: its writer's log is {}", shown(log)))
}

/// Returns text of a file, safe for terminals.
fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Recipients;
    use crate::sealed::header::Header;
    use crate::sealed::sealer::{Batch, Sealer};
    use crate::sealed::signing::Signing;

    fn files<'a>(files: &[(&str, &'a [u8])]) -> Vec<Result<Checked<'a>, Error>> {
        let checked = |(name, bytes): &(&str, &'a [u8])| {
            Ok(Checked {
                path: PathBuf::from(name),
                is_live: false,
                is_empty: false,
                source: Ok(Box::new(*bytes) as Box<dyn Read + Send>),
            })
        };
        files.iter().map(checked).collect()
    }

    /// Everybody can name a chain in a header, and sign it with another key.
    #[test]
    fn promise_47_a_forged_header_explains_no_missing_head() {
        let recipients = Recipients::parse(Key::generate().1).unwrap();
        let mut sealer = Sealer::new(recipients.clone(), None).unwrap();
        let at = Timestamp::from_nanos(7);
        let mut bytes = sealer.begin("a.log", at).unwrap();
        sealer.commit();
        bytes.extend(sealer.seal(&[Batch { text: b"line\n", lines: 1, first: at, last: at }]).unwrap());
        sealer.commit();
        let head = sealer.head().unwrap();
        bytes.extend(sealer.end(at).unwrap());
        let key = Signing::generate().unwrap();
        let forged = Header {
            recipients: recipients.names(),
            chain: head.0.chain,
            number: 9,
            begun: 8,
            first_line: 1,
            removed: u64::MAX,
            key: key.public(),
            previous: Some(Position { number: 8, ..head.0 }),
            signer: None,
            name: "a.log".to_owned(),
            previous_name: "a.2026-01-01-000001.log".to_owned(),
            wrapped: Vec::new(),
        };
        let (forged, _) = forged.encode(&key, None, None).unwrap();
        let found = |given: &[(&str, &[u8])]| {
            let checks = Checks::new().expect(&head.to_string()).unwrap();
            checks.check(files(given)).unwrap().findings.join("; ")
        };
        assert_eq!(found(&[("a.log", &bytes)]), "");
        assert!(found(&[("a.log", &forged)]).contains("the segment of the head"), "{}", found(&[("a.log", &forged)]));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_a_row() {
        let mut given = files(&[("a.log", b"")]);
        if let Some(Ok(file)) = given.first_mut() {
            file.source = Err(Error::rejected("open a.log: permission denied"));
        }
        let report = Checks::new().check(given).unwrap();
        assert_eq!((report.rows[0].state, report.rows[0].findings.len()), (State::Unreadable, 1));
        assert!(!report.is_whole());
    }
}
