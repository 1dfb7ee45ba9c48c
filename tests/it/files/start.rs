//! Opening a log: restarts, torn last lines, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, SystemTime};

use spanline::RollingFile;

use crate::support::log_directory::{Dir, NOON, Play, at, refusal};

#[test]
fn a_restart_appends() {
    let dir = Dir::new();
    for text in ["a", "b", "c"] {
        dir.log().rotate_bytes(4).open().put(text, NOON);
    }
    assert_eq!(dir.closed(), ["a\nb\n"]);
    assert_eq!(dir.active(), "c\n");
}

#[test]
fn a_restart_after_the_boundary_rotates() {
    let dir = Dir::new();
    dir.log().daily().open().put("yesterday", "2026-11-19T23:00:00Z");
    let yesterday = SystemTime::UNIX_EPOCH + Duration::from_nanos(at("2026-11-19T23:00:00Z").as_nanos() as u64);
    File::options().append(true).open(dir.path()).unwrap().set_modified(yesterday).unwrap();
    dir.log().daily().open().put("today", NOON);
    assert_eq!(dir.closed(), ["yesterday\n"]);
    assert_eq!(dir.active(), "today\n");
}

#[cfg(unix)]
#[test]
fn promise_05_a_torn_tail_is_closed_off() {
    let dir = Dir::new();
    fs::write(dir.path(), "whole\n{\"torn\":").unwrap();
    let mut log = dir.log().open();
    assert_eq!(dir.active(), "whole\n{\"torn\":\n");
    log.put("next", NOON);
    assert_eq!(dir.active(), "whole\n{\"torn\":\nnext\n");
}

#[test]
fn promise_05_a_tail_torn_by_another_process_is_closed_off_too() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("mine", NOON);
    File::options().append(true).open(dir.path()).unwrap().write_all(b"{\"torn\":").unwrap();
    log.put("next", NOON);
    assert_eq!(dir.active(), "mine\n{\"torn\":\nnext\n");
}

#[test]
fn promise_30_errors_at_start_name_path_and_cause() {
    let dir = Dir::new();
    fs::write(dir.join("file"), "").unwrap();
    let error = refusal(RollingFile::new(dir.join("file/orders.log")));
    assert!(error.contains("file/orders.log") && (error.contains("Not a directory") || cfg!(not(unix))), "{error}");
    assert!(refusal(RollingFile::new("/")).contains("no file name"));
    for log in [dir.log().rotate_bytes(0), dir.log().daily_at(24, 0), dir.log().daily_at(3, 60)] {
        let error = refusal(log);
        assert!(error.contains("orders.log"), "{error}");
    }
    let day = Duration::from_secs(24 * 3600);
    for log in [dir.log().keep_files(7), dir.log().keep_for(day), dir.log().keep_bytes(1 << 20)] {
        let error = refusal(log);
        assert!(error.contains("orders.log") && error.contains("is set but rotation is not; add `daily()`"), "{error}");
    }
    assert_eq!(dir.names(), ["file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_30_a_file_system_that_refuses_is_an_error() {
    let error = refusal(RollingFile::new("/proc/nobody/orders.log"));
    assert!(error.contains("/proc/nobody/orders.log"), "{error}");
}
