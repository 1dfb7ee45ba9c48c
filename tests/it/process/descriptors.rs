//! Promise 52: the log neither uses nor closes a descriptor that the program has reused, as daemons do.
#![cfg(unix)]
// The tests close descriptors and fork, as daemons do.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use spanline::{Handle, Output};
use tracing::Level;

use crate::support::ledger::{in_order, log, read};
use crate::support::process::{FILE, HOW, Running, child_command, child_done, file, how, is_child};
use crate::support::wait::PATIENCE;

/// More than the log and the test have.
const NUMBERS: std::ops::Range<i32> = 3..64;

/// Closes all descriptors from 3 up, as `closefrom(3)` does.
pub(crate) fn close_all() {
    for number in NUMBERS {
        // SAFETY: nothing else in this process uses a descriptor from now on but the log, which has to notice it.
        unsafe { libc::close(number) };
    }
}

/// The program's file, under every number that the log had.
pub(crate) fn open_program_file() -> File {
    let program = File::options().create(true).append(true).open(program_path()).unwrap();
    for number in NUMBERS.filter(|number| *number != program.as_raw_fd()) {
        // SAFETY: both numbers are the program's.
        unsafe { libc::dup2(program.as_raw_fd(), number) };
    }
    program
}

pub(crate) fn program_path() -> PathBuf {
    PathBuf::from(std::env::var_os(FILE).unwrap()).with_file_name("program.data")
}

/// Returns whether a number leads to the program's file.
#[cfg(target_os = "linux")]
pub(crate) fn is_program_file(number: i32) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target == program_path())
}

/// Logs and writes by turns, after all descriptors were closed.
fn run_as_daemon(handle: &Handle) {
    close_all();
    let mut program = open_program_file();
    for seq in 1..=100 {
        program.write_all(b"program\n").unwrap();
        log(Level::INFO, 0, seq);
        if seq % 10 == 0 {
            handle.flush(PATIENCE).unwrap();
        }
        if how().contains("rotate") && seq % 25 == 0 {
            handle.rotate(PATIENCE).unwrap();
        }
        if how().contains("sync") && seq % 25 == 0 {
            handle.sync(PATIENCE).unwrap();
        }
        if how().contains("again") && seq == 50 {
            std::mem::forget(program);
            close_all();
            program = open_program_file();
        }
    }
}

#[test]
fn promise_52_a_daemon_that_closes_all_descriptors_keeps_its_file_and_its_log() {
    let test = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        if how().contains("forks") {
            for _ in 0..2 {
                // SAFETY: the child runs on with this thread alone, as the log promises to support.
                match unsafe { libc::fork() } {
                    0 => {}
                    child => {
                        let mut status = 0;
                        // SAFETY: the child is this process's own, and `status` has room for the answer.
                        unsafe { libc::waitpid(child, &raw mut status, 0) };
                        // SAFETY: this ends the process without its exit handlers: the child has done the work.
                        unsafe { libc::_exit(i32::from(status != 0)) };
                    }
                }
            }
        }
        run_as_daemon(&handle);
        guard.close().unwrap();
        child_done();
    }
    for how in ["plain", "forks", "rotate", "forks rotate", "sync", "again", "again rotate sync"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let mut command = child_command(test);
        command.env(FILE, &path).env(HOW, how);
        let mut child = Running::start(command);
        let status = child.wait();
        assert!(status.success(), "{how}: {status}: {}", child.stderr());
        let program = std::fs::read_to_string(folder.path().join("program.data")).unwrap();
        assert_eq!(program, "program\n".repeat(100), "{how}");
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|name| name.extension().is_some_and(|extension| extension == "log"));
        // The active file is the last: its name has no time.
        names.sort_by_key(|name| (name == &path, name.clone()));
        let text: String = names.iter().map(|name| std::fs::read_to_string(name).unwrap()).collect();
        assert_eq!(in_order(&read(&text)), 101, "{how}: {names:?}");
    }
}
