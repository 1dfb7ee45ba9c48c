//! Promise 47: each change of a sealed log is found and named, and everything intact stays readable.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};

use spanline::sealed::{Checks, Key, Recipients};
use spanline::sink::{Control, Sink};
use spanline::{RollingFile, record::Timestamp};
use tempfile::TempDir;

use super::files::{assert_whole, findings, key, opened, verified};
use crate::support::log_directory::{NOON, at, lines, names};

/// What a block begins with.
const MARK: &[u8] = b"\xfesealed\n";

/// Lines in the whole log.
const LINES: usize = 20_000;

/// Lines in a batch: of lines with `LINE_BYTES`, no more fit.
const BATCH: i32 = 200;

/// The bytes of a line.
const LINE_BYTES: usize = 327;

/// A log of five segments: four closed, and the one that a close has ended. A segment has twenty batches.
struct Sealed {
    directory: TempDir,
    key: Key,
    /// The segments' names, in order.
    names: Vec<String>,
    /// The segments' bytes.
    files: Vec<Vec<u8>>,
}

impl Sealed {
    /// `at_once`: how many batches are written at once, with one signature.
    fn new(recipients: &Recipients, key: Key, at_once: i32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RollingFile::new(directory.path().join("audit.log")).seal_to(recipients.clone());
        log.control(Control::Open).unwrap();
        let start = at(NOON);
        for segment in 0..5 {
            for write in 0..20 / at_once {
                let from = segment * 4000 + write * at_once * BATCH;
                let line = |number| format!("{:1$}", format!("{{\"number\":{number}}}"), LINE_BYTES - 1);
                let texts: Vec<_> = (from..from + at_once * BATCH).map(line).collect();
                let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                let time = Timestamp::from_nanos(start.as_nanos() + i64::from(from) * 1_000_000);
                log.write(&mut lines(&texts, time)).unwrap();
            }
            if segment < 4 {
                log.control(Control::Rotate).unwrap();
            }
        }
        log.control(Control::Close).unwrap();
        let mut names: Vec<_> = names(directory.path()).into_iter().filter(|name| !name.starts_with('.')).collect();
        names.sort();
        let files = names.iter().map(|name| fs::read(directory.path().join(name)).unwrap()).collect();
        Self { directory, key, names, files }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.log")
    }

    fn file(&self, place: usize) -> PathBuf {
        self.directory.path().join(&self.names[place])
    }

    /// The places of the blocks in a segment, and its end.
    fn blocks(&self, place: usize) -> Vec<usize> {
        let bytes = &self.files[place];
        let mut places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(MARK)).collect();
        places.push(bytes.len());
        places
    }

    fn block(&self, place: usize, block: usize) -> &[u8] {
        let places = self.blocks(place);
        &self.files[place][places[block]..places[block + 1]]
    }

    /// Puts a changed segment in place, asks `check` what is found, and restores it.
    fn with<T>(&self, place: usize, bytes: &[u8], check: impl FnOnce(&Self) -> T) -> T {
        fs::write(self.file(place), bytes).unwrap();
        let result = check(self);
        fs::write(self.file(place), &self.files[place]).unwrap();
        result
    }

    /// What is found, without and with the key, and how many lines can still be read.
    fn found(&self) -> (String, String, usize) {
        let (lines, _) = opened(&self.path(), &self.key);
        let of = |checks: &Checks| findings_and_states(&verified(&self.path(), checks));
        (of(&Checks::new()), of(&Checks::new().key(&self.key)), lines.len())
    }

    /// Asks that a changed segment is found by both ways, with `name` in what is said, and how many lines can be read.
    #[track_caller]
    fn assert_found(&self, place: usize, bytes: &[u8], name: &str, lines: usize) {
        let (without, with, read) = self.with(place, bytes, Self::found);
        assert!(without.contains(name) && with.contains(name), "{name}: {without}\n{with}");
        assert_eq!(read, lines, "{name}: {with}");
    }
}

/// All findings, and the states of files that are not sealed.
fn findings_and_states(report: &spanline::sealed::Report) -> String {
    let states = report.rows.iter().filter(|row| row.state != spanline::sealed::State::Sealed);
    let states: Vec<_> = states.map(|row| format!("{}: {}", row.file, row.state)).collect();
    assert_eq!(report.is_whole(), states.is_empty() && findings(report).is_empty());
    format!("{}\n{}", findings(report), states.join("\n"))
}

fn sealed(at_once: i32) -> Sealed {
    let (key, recipients) = key();
    Sealed::new(&recipients, key, at_once)
}

/// A log with a signature for each block, and one with a signature for five of them.
fn both() -> [Sealed; 2] {
    [1, 5].map(sealed)
}

#[test]
fn promise_47_blocks_that_were_deleted_swapped_repeated_or_moved_are_found() {
    both().iter().for_each(assert_blocks_count);
}

fn assert_blocks_count(log: &Sealed) {
    let report = assert_whole(&log.path(), &Checks::new().key(&log.key));
    assert_eq!(report.rows.iter().map(|row| row.lines).collect::<Vec<_>>(), [4000; 5]);
    assert_eq!(opened(&log.path(), &log.key).0.len(), LINES);
    let places = log.blocks(1);
    let (file, cut) = (&log.files[1], |from: usize, to: usize| log.files[1][places[from]..places[to]].to_vec());
    let start = &file[..places[0]];
    let count = places.len() - 1;
    assert_eq!(count, 21, "twenty batches and the end");
    let deleted = [start, &cut(0, 7), &cut(8, count)].concat();
    log.assert_found(1, &deleted, "block 7 is missing, with 200 lines", LINES - 200);
    let swapped = [start, &cut(0, 7), &cut(8, 9), &cut(7, 8), &cut(9, count)].concat();
    log.assert_found(1, &swapped, "block 7 stands after a later one", LINES);
    let repeated = [start, &cut(0, 8), &cut(7, count)].concat();
    log.assert_found(1, &repeated, "block 7 is there twice", LINES);
    let moved = [start, &cut(0, 7), log.block(3, 7), &cut(8, count)].concat();
    log.assert_found(1, &moved, &format!("belongs to {}", log.names[3]), LINES - 200);
    let added = [file.as_slice(), &cut(3, 4)].concat();
    log.assert_found(1, &added, "block 3 is there twice", LINES);
    let no_end = [start, &cut(0, count - 1)].concat();
    log.assert_found(1, &no_end, "its end was removed or replaced", LINES);
    let tail = [start, &cut(0, count - 2)].concat();
    log.assert_found(1, &tail, "its end was removed or replaced", LINES - 200);
}

#[test]
fn promise_47_segments_that_were_deleted_swapped_renamed_or_replaced_are_found() {
    let (key, recipients) = key();
    let log = Sealed::new(&recipients, key.clone(), 5);
    let other = Sealed::new(&recipients, key, 5);
    let found = |change: &dyn Fn(&Path)| {
        change(log.directory.path());
        let found = log.found();
        names(log.directory.path()).iter().filter(|name| !name.starts_with('.')).for_each(|name| {
            fs::remove_file(log.directory.path().join(name)).unwrap();
        });
        (0..5).for_each(|place| fs::write(log.file(place), &log.files[place]).unwrap());
        found
    };
    let says = |found: &(String, String, usize), name: &str, lines: usize| {
        assert!(found.0.contains(name) && found.1.contains(name), "{name}: {found:?}");
        assert_eq!(found.2, lines, "{name}: {found:?}");
    };
    for place in 0..4 {
        let deleted = found(&|_| fs::remove_file(log.file(place)).unwrap());
        says(&deleted, &format!("{} is missing", log.names[place]), LINES - 4000);
    }
    let swapped = found(&|_| {
        fs::write(log.file(1), &log.files[2]).unwrap();
        fs::write(log.file(2), &log.files[1]).unwrap();
    });
    says(&swapped, "it was renamed: its writer closed it as", LINES);
    says(&swapped, "it stands after a later segment of its chain", LINES);
    let renamed = found(&|directory| {
        fs::rename(log.file(1), directory.join(log.names[1].replace("000002", "000009"))).unwrap();
    });
    says(&renamed, "it was renamed: its writer closed it as", LINES);
    let copied = found(&|directory| {
        fs::copy(log.file(1), directory.join(log.names[1].replace("000002", "000009"))).unwrap();
    });
    says(&copied, "it is a copy of", LINES + 4000);
    let replaced = found(&|_| fs::write(log.file(1), &other.files[1]).unwrap());
    says(&replaced, &format!("{} is missing", log.names[1]), LINES);
    let foreign = found(&|_| {
        let (own, others) = (log.blocks(1)[0], other.blocks(1)[0]);
        fs::write(log.file(1), [&other.files[1][..others], &log.files[1][own..]].concat()).unwrap();
    });
    says(&foreign, "is missing", LINES - 4000);
    let elsewhere = found(&|directory| {
        fs::rename(log.file(4), directory.join("audit.2027-01-01-000099.log")).unwrap();
    });
    assert!(!elsewhere.0.is_empty());
}

#[test]
fn promise_47_every_bit_of_a_header_and_a_bit_of_each_batch_count() {
    both().iter().for_each(assert_bits_count);
}

fn assert_bits_count(log: &Sealed) {
    let header = log.blocks(1)[0];
    let mut bytes = log.files[1].clone();
    // Not all of the 8 bits of each byte in this suite: `.ci/long` tries them.
    let step = if std::env::var_os("SPANLINE_LONG").is_some() { 1 } else { 17 };
    for bit in (0..header * 8).step_by(step) {
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(log.file(1), &bytes).unwrap();
        let report = verified(&log.path(), &Checks::new());
        assert!(!report.is_whole(), "bit {bit} of the header");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for (number, block) in log.blocks(1).windows(2).enumerate() {
        let at = block[0] + (number * 37) % (block[1] - block[0]);
        bytes[at] ^= 1 << (number % 8);
        let (without, with, lines) = log.with(1, &bytes, Sealed::found);
        assert!(!without.trim().is_empty() && !with.trim().is_empty(), "block {number}");
        assert!(lines >= LINES - 200, "block {number}: {lines}");
        bytes[at] ^= 1 << (number % 8);
    }
}

#[test]
fn promise_47_a_tail_that_is_cut_anywhere_is_found() {
    both().iter().for_each(assert_tail_counts);
}

fn assert_tail_counts(log: &Sealed) {
    let last = log.blocks(4);
    let bytes = &log.files[4];
    // The last batch and the end, at each byte.
    for cut in last[last.len() - 3]..bytes.len() {
        fs::write(log.file(4), &bytes[..cut]).unwrap();
        let report = verified(&log.path(), &Checks::new());
        assert!(!report.is_whole(), "cut at {cut}: {report:#?}");
        assert!(report.rows[4].lines >= 3800, "cut at {cut}");
    }
    let (lines, errors) = {
        fs::write(log.file(4), &bytes[..bytes.len() - 200]).unwrap();
        opened(&log.path(), &log.key)
    };
    assert_eq!(lines.len(), LINES - 200);
    assert!(errors.iter().any(|error| error.contains("ended without a seal, 3800 lines readable")), "{errors:?}");
}

/// The first of five blocks has the signature of all: what happens to it costs the others their signature, not their lines.
#[test]
fn promise_47_blocks_without_the_one_that_has_their_signature_are_found_and_open() {
    let log = sealed(5);
    let places = log.blocks(1);
    let cut = |from: usize, to: usize| log.files[1][places[from]..places[to]].to_vec();
    let start = &log.files[1][..places[0]];
    let signs = |block: usize| log.block(1, block)[9];
    assert_eq!((0..11).map(signs).collect::<Vec<_>>(), [4, 0, 0, 0, 0, 4, 0, 0, 0, 0, 4]);
    let unsigned = "block 8 is not signed: the block with its signature was changed, or is missing";
    let deleted = [start, &cut(0, 5), &cut(6, 21)].concat();
    log.assert_found(1, &deleted, unsigned, LINES - 200);
    let (_, with, _) = log.with(1, &deleted, Sealed::found);
    assert!(with.contains("block 5 is missing, with 200 lines"), "{with}");
    let (payload, signature) = (places[5] + 200, places[6] - 3);
    // A byte of the payload, of a digest that it signs, and of the signature.
    for (at, name, lines) in [
        (payload, "block 5, at byte ", LINES - 200),
        (signature - 64, "of block 5", LINES),
        (signature, "of block 5", LINES),
    ] {
        let mut bytes = log.files[1].clone();
        bytes[at] ^= 1;
        log.assert_found(1, &bytes, unsigned, lines);
        let (_, with, _) = log.with(1, &bytes, Sealed::found);
        assert!(with.contains(name), "{with}");
    }
    let swapped = [start, &cut(0, 5), &cut(6, 7), &cut(5, 6), &cut(7, 21)].concat();
    log.assert_found(1, &swapped, "block 6 is not signed", LINES);
    let moved = [start, &cut(0, 5), log.block(3, 5), &cut(6, 21)].concat();
    log.assert_found(1, &moved, &format!("belongs to {}", log.names[3]), LINES - 200);
    // All five of another segment.
    let from = log.blocks(3);
    let moved = [start, &cut(0, 5), &log.files[3][from[5]..from[10]], &cut(10, 21)].concat();
    log.assert_found(1, &moved, &format!("belongs to {}", log.names[3]), LINES - 1000);
}

/// 10,000 edits at random that are not at the very end: none is missed.
#[test]
fn promise_47_no_random_edit_is_missed() {
    both().iter().for_each(assert_edits_count);
}

fn assert_edits_count(log: &Sealed) {
    let edits = if std::env::var_os("SPANLINE_LONG").is_some() { 10_000 } else { 300 };
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for edit in 0..edits {
        let place = random(5);
        let mut bytes = log.files[place].clone();
        let at = random(bytes.len() - 1);
        let kind = random(5);
        match kind {
            0 => bytes[at] ^= 1 << random(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, u8::try_from(random(256)).unwrap()),
            3 => {
                let to = (at + 1 + random(2000)).min(bytes.len() - 1);
                drop(bytes.drain(at..to.max(at + 1)));
            }
            _ => {
                let from = random(bytes.len() - 1);
                let count = (1 + random(64)).min(bytes.len() - 1 - from.max(at)).max(1);
                let copied = bytes[from..from + count].to_vec();
                bytes[at..at + count].copy_from_slice(&copied);
            }
        }
        if bytes == log.files[place] {
            continue;
        }
        fs::write(log.file(place), &bytes).unwrap();
        let report = verified(&log.path(), &Checks::new());
        assert!(!report.is_whole(), "edit {edit} of kind {kind} at {at} in segment {place}");
        fs::write(log.file(place), &log.files[place]).unwrap();
    }
}
