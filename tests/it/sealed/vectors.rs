//! Files that were sealed once and are kept: each later version opens them.

use std::fs;
use std::path::PathBuf;

use spanline::sealed::{Checks, Key, Recipients, Signer};
use spanline::{RollingFile, read};

use super::python::{python, rust, write};
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
