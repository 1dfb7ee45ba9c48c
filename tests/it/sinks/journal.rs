//! The prefix that systemd's journal reads.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;

use spanline::schema::{Console, Edits, Flat};
use spanline::sink::Memory;
use spanline::{JournalPrefix, Output, RollingFile, Stderr};
use tracing::subscriber::with_default;
use tracing::{debug, error, info, info_span, trace, warn};
use tracing_subscriber::prelude::*;

use crate::support::process::{child_command, child_done, is_child};
use crate::support::stage::fixed;
use crate::support::strict;

fn lines(set: impl Fn(Output) -> Output, run: impl FnOnce()) -> Vec<String> {
    let memory = Memory::new();
    let output = set(Output::new(memory.clone())).journal_prefix(JournalPrefix::Always);
    let (layer, guard) = fixed().max_line_bytes(1000).output(output).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), run);
    guard.close().unwrap();
    memory.lines()
}

#[test]
fn each_line_begins_with_its_priority() {
    let lines = lines(
        |output| output.schema(Flat::new()).edits(Edits::new().rename("level", "severity")),
        || {
            error!("text");
            warn!("text");
            info!("text");
            debug!("text");
            trace!("text");
            error!(level_name = "critical", "text");
            info!(level_name = "NOTICE", "text");
            error!(level_name = "emergency", "text");
            info!(long = "x".repeat(5000), "text");
        },
    );
    let prefixes: Vec<_> = lines.iter().map(|line| line.split_at(3).0).collect();
    assert_eq!(prefixes, ["<3>", "<4>", "<6>", "<7>", "<7>", "<2>", "<5>", "<1>", "<6>"]);
    for line in &lines {
        assert!(line.len() <= 1000, "the limit includes the prefix: {line}");
        assert!(strict::line(line.split_at(3).1)["severity"].is_string());
    }
}

#[test]
fn each_physical_line_has_the_prefix() {
    let lines = lines(
        |output| output.schema(Console::new().pretty().utc()),
        || info_span!("request", request_id = "r-1").in_scope(|| warn!(user_id = 42, "text")),
    );
    assert!(lines.len() > 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("<4>") && line.len() > 3), "{lines:?}");
}

#[test]
fn a_stream_has_the_prefix_only_if_the_journal_reads_it() {
    let test = "sinks::journal::a_stream_has_the_prefix_only_if_the_journal_reads_it";
    if is_child() {
        let output = Output::new(Stderr::new()).journal_prefix(JournalPrefix::IfJournal);
        let guard = spanline::builder().output(output).init().unwrap();
        warn!("of the child");
        guard.close().unwrap();
        child_done();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stream");
    for is_journal in [true, false] {
        let stream = File::create(&path).unwrap();
        let (device, inode) = (stream.metadata().unwrap().dev(), stream.metadata().unwrap().ino());
        let mut command = child_command(test);
        // A service that starts another one with a pipe leaves it the variable.
        command.env("JOURNAL_STREAM", format!("{device}:{}", if is_journal { inode } else { inode + 1 }));
        assert!(command.stderr(stream).output().unwrap().status.success());
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().find(|line| line.contains("of the child")).unwrap_or_else(|| panic!("{text}"));
        assert!(line.starts_with(if is_journal { "<4>{" } else { "{" }), "{line}");
    }
}

#[test]
fn a_file_is_never_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        || Output::new(RollingFile::new(directory.path().join("a.log"))).journal_prefix(JournalPrefix::IfJournal);
    let error = fixed().output(output()).build::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("`JournalPrefix::Always`"), "{error}");
    let error = output().appender().map(drop).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("journal_prefix"), "{error}");
}
