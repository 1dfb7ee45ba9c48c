//! Files that were sealed once and are kept: each later version opens them.

use std::fs;
use std::path::PathBuf;

use spanline::sealed::{Checks, Key, Recipients, Signer};
use spanline::sink::{Control, Sink};
use spanline::{RollingFile, read};

use super::python::{python, rust, write};
use crate::support::log_directory::{NOON, at, lines};
use crate::support::places::root;

fn vectors() -> PathBuf {
    root().join("tests/sealed/vectors")
}

/// Makes them. Only for a new version of the format, in a new folder: `tests/sealed/vectors/README.md`.
#[test]
#[ignore = "writes the vectors, which never change"]
fn makes_the_vectors() {
    let folder = vectors();
    fs::create_dir_all(&folder).unwrap();
    let (key, recipient) = Key::generate();
    fs::write(folder.join("key"), key.as_bytes()).unwrap();
    let signer = Signer::generate().unwrap();
    fs::write(folder.join("verifier"), format!("{}\n", signer.verifier())).unwrap();
    let recipients = Recipients::parse(recipient).unwrap();
    let file = || RollingFile::new(folder.join("audit.log")).seal_to(recipients.clone()).sign_with(signer.clone());
    let group = |number: usize, lines: usize| -> Vec<String> {
        (0..lines)
            .map(|line| format!(r#"{{"group":{number},"line":{line},"text":"größe 日志 \"{}\""}}"#, line * line))
            .collect()
    };
    // Several batches, a few lines, one empty line; then another process start.
    let groups = [group(0, 350), group(1, 3), vec![String::new()], group(2, 20)];
    write(file(), &groups[..3]);
    write(file(), &groups[3..]);
    fs::write(folder.join("lines"), groups.concat().join("\n") + "\n").unwrap();
}

#[test]
fn both_readers_open_what_the_first_version_has_sealed() {
    let folder = vectors();
    let path = folder.join("audit.log");
    let lines = fs::read_to_string(folder.join("lines")).unwrap();
    let key = Key::parse(fs::read_to_string(folder.join("key")).unwrap()).unwrap();
    assert!(rust(&path, &key) == (lines.clone(), true));
    let verifier = fs::read_to_string(folder.join("verifier")).unwrap().parse().unwrap();
    let report = read::verify(read::segments(&path).unwrap(), &Checks::new().verifier(verifier)).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let numbers: Vec<_> = report.rows.iter().map(|row| row.chain.as_ref().unwrap().1).collect();
    assert_eq!(numbers, [0, 1, 2, 0]);
    let files: Vec<_> = read::segments(&path).unwrap().iter().map(|segment| segment.path().to_owned()).collect();
    let Some(read) = python(&folder.join("key"), &files) else { return };
    assert!(read.is_whole && read.lines == lines, "{}", read.problems);
}

fn covered() -> PathBuf {
    root().join("tests/sealed/covered")
}

/// Each one is a batch. The first four are written at once.
fn covered_lines() -> Vec<String> {
    (0..5).map(|line| format!(r#"{{"line":{line},"text":"{}"}}"#, "größe 日志 ".repeat(2300))).collect()
}

/// Makes them, as above.
#[test]
#[ignore = "writes the vectors, which never change"]
fn makes_the_covered_vectors() {
    let folder = covered();
    fs::create_dir_all(&folder).unwrap();
    let (key, recipient) = Key::generate();
    fs::write(folder.join("key"), key.as_bytes()).unwrap();
    let mut log = RollingFile::new(folder.join("audit.log")).seal_to(Recipients::parse(recipient).unwrap());
    log.control(Control::Open).unwrap();
    let texts = covered_lines();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    for texts in texts.chunks(4) {
        log.write(&mut lines(texts, at(NOON))).unwrap();
    }
    log.control(Control::Close).unwrap();
}

#[test]
fn both_readers_open_batches_that_one_signature_covers() {
    let folder = covered();
    let path = folder.join("audit.log");
    let bytes = fs::read(&path).unwrap();
    let blocks = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\xfesealed\n"));
    assert_eq!(
        blocks.map(|at| [bytes[at + 8], bytes[at + 9]]).collect::<Vec<_>>(),
        [[1, 3], [4, 0], [4, 0], [4, 0], [1, 0], [2, 0]]
    );
    let lines = covered_lines().join("\n") + "\n";
    let key = Key::parse(fs::read_to_string(folder.join("key")).unwrap()).unwrap();
    assert!(rust(&path, &key) == (lines.clone(), true));
    let Some(read) = python(&folder.join("key"), &[path]) else { return };
    assert!(read.is_whole && read.lines == lines, "{}", read.problems);
}
