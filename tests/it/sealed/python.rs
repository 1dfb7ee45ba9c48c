//! A second reader, in Python, made from the page about the format: it and the library agree on every file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spanline::sealed::{Checks, Key, Recipients, Signer};
use spanline::sink::{Control, Sink};
use spanline::{Output, RollingFile, read};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::log_directory::{NOON, at, lines};
use crate::support::places::{root, target};

const WAIT: Duration = Duration::from_secs(60);

/// What the Python reader has printed.
pub(super) struct Read {
    pub(super) lines: String,
    pub(super) problems: String,
    pub(super) is_whole: bool,
}

/// Runs `tests/sealed/reader.py`; `None` without its packages, where this is not the gate.
pub(super) fn python(key: &Path, files: &[PathBuf]) -> Option<Read> {
    let python = target().join("sealed/bin/python");
    if !python.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing, which .ci/run installs", python.display());
        println!("not tested: {} is missing", python.display());
        return None;
    }
    let reader = root().join("tests/sealed/reader.py");
    let output = Command::new(python).arg(reader).arg(key).args(files).output().unwrap();
    Some(Read {
        lines: String::from_utf8(output.stdout).unwrap(),
        problems: String::from_utf8(output.stderr).unwrap(),
        is_whole: output.status.success(),
    })
}

/// Logs lines through one process start: a rotation after each group, and a batch of at most 100 lines.
pub(super) fn write(file: RollingFile, groups: &[Vec<String>]) {
    let (appender, guard) = Output::new(file).appender().unwrap();
    for (number, lines) in groups.iter().enumerate() {
        if number > 0 {
            guard.handle().rotate(WAIT).unwrap();
        }
        // Each flush ends a batch.
        for lines in lines.chunks(100) {
            lines.iter().for_each(|line| writeln!(appender.make_writer(), "{line}").unwrap());
            guard.handle().flush(WAIT).unwrap();
        }
    }
    guard.close().unwrap();
}

/// Returns the files of a log, oldest first.
fn files(log: &Path) -> Vec<PathBuf> {
    read::segments(log).unwrap().iter().map(|segment| segment.path().to_owned()).collect()
}

/// Returns the lines that the library reads, and whether it finds the log whole.
pub(super) fn rust(log: &Path, key: &Key) -> (String, bool) {
    let mut text = String::new();
    let mut lines = read::Log::open(log).unwrap().lines().unwrap().key(key);
    loop {
        match lines.next_line() {
            Ok(Some(line)) => text.extend([std::str::from_utf8(line).unwrap(), "\n"]),
            Ok(None) => break,
            // Damage: lines may follow.
            Err(_) => {}
        }
    }
    (text, read::verify(read::segments(log).unwrap(), &Checks::new().key(key)).unwrap().is_whole())
}

struct Log {
    directory: tempfile::TempDir,
    key: Key,
    recipients: Recipients,
    lines: String,
}

impl Log {
    /// Writes a log of five files: three of one process start, two of the next one.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (text, recipient) = Key::generate();
        fs::write(directory.path().join("key"), text.as_bytes()).unwrap();
        let key = Key::parse(text.as_str()).unwrap();
        let recipients = Recipients::parse(recipient).unwrap();
        let mut log = Self { directory, key, recipients, lines: String::new() };
        let signer = Signer::generate().unwrap();
        let group = |number: usize| (0..2000).map(|line| format!("{number} {line} größe 日志")).collect::<Vec<_>>();
        let groups: Vec<_> = (0..5).map(group).collect();
        let file = || RollingFile::new(log.path()).seal_to(log.recipients.clone());
        write(file().sign_with(signer), &groups[..3]);
        write(file(), &groups[3..]);
        log.lines = groups.concat().join("\n") + "\n";
        log
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("audit.log")
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.path())
    }

    fn read(&self) -> Option<Read> {
        python(&self.directory.path().join("key"), &self.files())
    }
}

#[test]
fn the_reader_in_python_is_short() {
    let reader = fs::read_to_string(root().join("tests/sealed/reader.py")).unwrap();
    assert!(reader.lines().count() < 200);
}

#[test]
fn a_reader_made_from_the_page_opens_a_log_with_rotations_and_a_restart() {
    let log = Log::new();
    assert_eq!(log.files().len(), 5);
    let Some(read) = log.read() else { return };
    assert_eq!(read.problems, "");
    assert!(read.is_whole && read.lines == log.lines, "{} bytes of {}", read.lines.len(), log.lines.len());
    assert!(rust(&log.path(), &log.key) == (read.lines, true));
}

/// The second of three batches that one signature covers.
#[test]
fn both_readers_find_a_changed_batch_among_those_with_one_signature() {
    let directory = tempfile::tempdir().unwrap();
    let (text, recipient) = Key::generate();
    let (path, key) = (directory.path().join("audit.log"), directory.path().join("key"));
    fs::write(&key, text.as_bytes()).unwrap();
    let mut log = RollingFile::new(&path).seal_to(Recipients::parse(recipient).unwrap());
    log.control(Control::Open).unwrap();
    let texts: Vec<_> = (0..3).map(|number| format!("{number} {}", "x".repeat(40_000))).collect();
    log.write(&mut lines(&texts.iter().map(String::as_str).collect::<Vec<_>>(), at(NOON))).unwrap();
    log.control(Control::Close).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let blocks: Vec<_> = (0..bytes.len() - 8).filter(|at| bytes[*at..].starts_with(b"\xfesealed\n")).collect();
    assert_eq!(blocks.len(), 4);
    let Some(read) = python(&key, std::slice::from_ref(&path)) else { return };
    assert!(read.is_whole && read.lines.lines().count() == 3, "{}", read.problems);
    bytes[blocks[1] + 110] ^= 1;
    fs::write(&path, bytes).unwrap();
    let read = python(&key, std::slice::from_ref(&path)).unwrap();
    let (lines, is_whole) = rust(&path, &Key::parse(text.as_str()).unwrap());
    assert!(!read.is_whole && !is_whole, "{}", read.problems);
    assert!(read.lines == lines && lines == format!("{}\n{}\n", texts[0], texts[2]), "{}", read.problems);
}

#[test]
fn both_readers_find_the_same_edits_and_read_the_same_rest() {
    let log = Log::new();
    let Some(_) = log.read() else { return };
    let files = log.files();
    let bytes: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let blocks = |bytes: &[u8]| -> Vec<usize> {
        (0..bytes.len() - 8).filter(|at| bytes[*at..].starts_with(b"\xfesealed\n")).collect()
    };
    let at = blocks(&bytes[1]);
    assert!(at.len() >= 3, "{at:?}");
    let edit = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut edited = bytes[1].clone();
        edit(&mut edited);
        Some(edited)
    };
    let flip = |place: usize| edit(&move |bytes| bytes[place] ^= 4);
    let edits = [
        ("the header", flip(100)),
        ("a certificate", flip(16 + 8 + 62 + 300)),
        ("a length", flip(at[1] + 14)),
        ("a position", flip(at[1] + 19)),
        ("a time", flip(at[1] + 39)),
        ("a payload", flip(at[1] + 150)),
        ("a signature", flip(at[1] - 3)),
        ("a block deleted", edit(&|bytes| drop(bytes.drain(at[0]..at[1])))),
        ("a block twice", edit(&|bytes| bytes.extend_from_within(at[0]..at[1]))),
        ("the end cut", edit(&|bytes| bytes.truncate(bytes.len() - 1))),
        ("the last blocks cut", edit(&|bytes| bytes.truncate(at[1]))),
        ("a file deleted", None),
        ("a file replaced", Some(bytes[4].clone())),
    ];
    for (what, edited) in edits {
        match edited {
            Some(edited) => fs::write(&files[1], edited).unwrap(),
            None => fs::remove_file(&files[1]).unwrap(),
        }
        let read = log.read().unwrap();
        let (lines, is_whole) = rust(&log.path(), &log.key);
        assert!(!read.is_whole && !is_whole, "{what}: {}", read.problems);
        // A signature that is wrong alone costs the stricter reader its lines.
        if what != "a signature" && what != "the header" && what != "a certificate" {
            // What stands at the wrong place is put in the order of its times by one of them.
            let sorted = |lines: &str| {
                let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            let is_in_order = what != "a file replaced";
            let is_same = if is_in_order { read.lines == lines } else { sorted(&read.lines) == sorted(&lines) };
            assert!(is_same, "{what}: {} and {} bytes", read.lines.len(), lines.len());
        }
        fs::write(&files[1], &bytes[1]).unwrap();
    }
    let (other, _) = Key::generate();
    let key = log.directory.path().join("key");
    fs::write(&key, other.as_bytes()).unwrap();
    let read = python(&key, &files).unwrap();
    assert!(
        !read.is_whole && read.lines.is_empty() && read.problems.contains("; sealed for age1"),
        "{}",
        read.problems
    );
}
