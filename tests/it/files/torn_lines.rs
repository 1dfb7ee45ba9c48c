//! A full disk in the middle of a line: the line is repaired. A limit on the size of the process's files stands in for
//! the disk.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

use crate::files::child_process::child;
use crate::support::log_directory::{Dir, read};

#[cfg(target_os = "linux")]
#[test]
fn promise_04_a_line_that_did_not_fit_is_removed_and_written_later() {
    let dir = Dir::new();
    run_with_limited_files("full_disk", &dir.path());
    assert_eq!(dir.lines(), ["first", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_with_another_process_the_rest_of_the_line_is_written_first() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_shared", &dir.path());
    assert_eq!(dir.lines(), ["first", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_lines_of_another_process_behind_a_torn_line_stay_whole() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_contended", &dir.path());
    let lines = dir.lines();
    assert_eq!(lines[0], "first");
    assert!(lines[1].len() < 6000 && lines[1].starts_with('x'), "the torn part");
    assert_eq!(lines[2..], ["theirs", &"x".repeat(6000), "last"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_04_a_line_torn_before_a_rename_is_finished_in_the_renamed_file() {
    let dir = Dir::new();
    run_with_limited_files("full_disk_renamed", &dir.path());
    assert_eq!(read(&dir.join("orders.log.1")), format!("first\n{}\n", "x".repeat(6000)));
    assert_eq!(dir.lines(), ["last"]);
}

/// The child is killed by no signal, and can lift the limit by itself.
#[cfg(target_os = "linux")]
fn run_with_limited_files(role: &str, path: &Path) {
    let plain = child(role, path);
    let mut child = Command::new("sh");
    child.args(["-c", "trap '' XFSZ; exec prlimit --fsize=4096:unlimited \"$0\" \"$@\""]).arg(plain.get_program());
    child.args(plain.get_args()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
