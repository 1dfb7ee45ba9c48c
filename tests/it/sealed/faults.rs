//! Disks that fail below a sealed log. The system calls are refused in a child process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, unsafe_code)]

use std::fs;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, setrlimit};
use spanline::sealed::{Checks, Key, Recipients};
use spanline::sink::{Control, Sink};
use spanline::{Durability, Output, RollingFile};

use super::files::{assert_whole, opened, verified};
use crate::support::log_directory::{Dir, NOON, Play, at, lines};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::seccomp::refuse;
use crate::support::wait::PATIENCE;

const PATH: &str = "SPANLINE_IT_FILE";
const RECIPIENT: &str = "SPANLINE_IT_RECIPIENT";

/// How large a file may become in `promise_47_a_write_that_was_cut_…`: two of five batches fit.
const MOST_FILE_BYTES: u64 = 100_000;

fn path() -> PathBuf {
    PathBuf::from(std::env::var_os(PATH).unwrap())
}

fn file() -> RollingFile {
    RollingFile::new(path()).seal_to(Recipients::parse(std::env::var(RECIPIENT).unwrap()).unwrap())
}

/// Runs the test as a child that seals. Returns the log, its key, and what the child has said.
fn run(test: &str) -> (Dir, Key, String) {
    let (dir, (key, recipient)) = (Dir::new(), Key::generate());
    let mut command = child_command(test);
    command.env(PATH, dir.0.path().canonicalize().unwrap().join("orders.log")).env(RECIPIENT, recipient);
    let told = Running::start(command).finish().0;
    (dir, Key::parse(&*key).unwrap(), told)
}

#[test]
fn promise_2_lines_of_a_sealed_log_whose_sync_failed_are_counted_as_not_durable_and_reported() {
    if is_child() {
        refuse(libc::SYS_fdatasync, None, libc::EIO);
        let output = Output::new(file()).name("audit").durability(Durability::EveryBatch);
        let guard = spanline::builder().output(output).init().unwrap();
        tracing::info!(number = 1, "line");
        guard.handle().flush(PATIENCE).unwrap();
        let handle = guard.handle();
        crate::support::wait::until("the failure", || handle.metrics().outputs[0].not_durable >= 1);
        let output = &handle.metrics().outputs[0];
        assert!(output.failed_syncs >= 1 && output.syncs == 0, "{output:#?}");
        // The log reports it with the next line.
        tracing::info!(number = 2, "line");
        handle.flush(PATIENCE).unwrap();
        let _ = guard.close();
        child_done();
    }
    let (dir, key, _) = run(this_test!());
    let (lines, _) = opened(&dir.path(), &key);
    let is_notice =
        |line: &&String| line.contains("log lines may not survive a power cut") && line.contains("\"not_durable\":1");
    assert!(lines.iter().any(|line| is_notice(&line)), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("\"number\":1")).count(), 1, "{lines:?}");
}

#[test]
fn promise_2_a_sealed_log_goes_on_in_a_new_segment_after_a_failed_sync() {
    if is_child() {
        let mut log = file().open();
        log.put("a", NOON);
        let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
        let is_it = |link: &PathBuf| fs::read_link(link).is_ok_and(|target| target == path());
        let descriptor = open.into_iter().find(is_it).unwrap();
        let descriptor = descriptor.file_name().unwrap().to_str().unwrap().parse().unwrap();
        refuse(libc::SYS_fdatasync, Some(descriptor), libc::EIO);
        assert!(log.control(Control::Sync).unwrap_err().is_not_durable());
        let _ = log.try_put("b", at(NOON));
        // The segment that was closed is not durable, either.
        assert!(log.control(Control::Sync).unwrap_err().is_not_durable());
        log.control(Control::Close).unwrap();
        child_done();
    }
    let (dir, key, _) = run(this_test!());
    assert_eq!(dir.segments().len(), 1);
    assert_eq!(opened(&dir.path(), &key), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    assert_whole(&dir.path(), &Checks::new().key(&key));
}

/// Lines that take much room after compression, too.
fn random_lines() -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    (0..1000).map(|number| format!("{number} {}", (0..18).map(|_| random()).collect::<String>())).collect()
}

/// Whole batches of the write that are in the file belong to the log, and the others are written again.
#[test]
fn promise_47_a_write_that_was_cut_and_cannot_be_undone_repeats_no_line() {
    if is_child() {
        let mut log = file().open();
        let texts = random_lines();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        // SAFETY: no handler is set.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        setrlimit(Resource::Fsize, Rlimit { current: Some(MOST_FILE_BYTES), maximum: None }).unwrap();
        refuse(libc::SYS_ftruncate, None, libc::EPERM);
        let mut lines = lines(&texts, at(NOON));
        for _ in 0..10 {
            let _ = log.write(&mut lines);
        }
        assert!(lines.is_empty());
        let _ = log.control(Control::Close);
        child_done();
    }
    let (dir, key, _) = run(this_test!());
    let (lines, errors) = opened(&dir.path(), &key);
    assert!(lines == random_lines(), "{} lines, {errors:?}", lines.len());
    assert!(!dir.segments().is_empty(), "{:?}", dir.names());
    let report = verified(&dir.path(), &Checks::new().key(&key));
    let is_cut = |finding: &String| finding.contains("is cut after");
    assert!(report.rows[0].lines > 0 && report.rows[0].findings.len() == 1, "{report:#?}");
    assert!(report.findings.is_empty() && report.rows.iter().all(|row| row.findings.iter().all(is_cut)), "{report:#?}");
}
