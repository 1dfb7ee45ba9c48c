//! Files that are renamed, deleted, truncated or blocked by somebody else while the log writes to them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};

use spanline::RollingFile;
use spanline::sink::{Control, Sink};

use crate::support::log_directory::{Dir, NOON, Play, at, later, read};

#[cfg(unix)]
#[test]
fn promise_23_a_deleted_or_renamed_file_is_noticed() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::remove_file(dir.path()).unwrap();
    log.put("b", NOON);
    assert_eq!(dir.active(), "b\n");
    fs::rename(dir.path(), dir.join("orders.log.1")).unwrap();
    log.put("c", NOON);
    assert_eq!(dir.active(), "c\n");
    assert_eq!(read(&dir.join("orders.log.1")), "b\n");
    fs::rename(dir.path(), dir.join("orders.log.2")).unwrap();
    fs::write(dir.path(), "made by logrotate\n").unwrap();
    log.control(Control::Reopen).unwrap();
    log.put("d", NOON);
    log.control(Control::Sync).unwrap();
    assert_eq!(dir.active(), "made by logrotate\nd\n");
}

#[test]
fn promise_23_copytruncate_leaves_no_hole() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(40).open();
    log.put("a line before it is truncated", NOON);
    File::options().write(true).open(dir.path()).unwrap().set_len(0).unwrap();
    log.put("a line after it was truncated", NOON);
    assert_eq!(dir.active(), "a line after it was truncated\n");
    assert!(dir.segments().is_empty());
}

#[cfg(unix)]
#[test]
fn promise_24_a_missing_directory_is_created_again() {
    let dir = Dir::new();
    let path = dir.join("deep/er/orders.log");
    let mut log = RollingFile::new(&path).open();
    log.put("a", NOON);
    fs::remove_dir_all(dir.join("deep")).unwrap();
    log.put("b", NOON);
    assert_eq!(read(&path), "b\n");
}

#[test]
fn promise_24_a_failed_rotation_keeps_the_old_file_and_is_retried() {
    let dir = Dir::new();
    let mut log = dir.log().rotate_bytes(4).open();
    let start = at(NOON);
    fs::create_dir(dir.join(".orders.log.lock")).unwrap();
    log.put("a", NOON);
    log.put("b", NOON);
    let error = log.try_put("c", start).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains(".orders.log.lock"), "{error}");
    log.try_put("d", later(start, 1)).unwrap();
    fs::remove_dir(dir.join(".orders.log.lock")).unwrap();
    log.try_put("e", later(start, 2)).unwrap();
    assert_eq!(dir.active(), "a\nb\nc\nd\ne\n");
    log.try_put("f", later(start, 30)).unwrap();
    assert_eq!(dir.closed(), ["a\nb\nc\nd\ne\n"]);
    assert_eq!(dir.active(), "f\n");
}

#[test]
fn promise_24_a_requested_rotation_that_failed_is_retried() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::create_dir(dir.join(".orders.log.lock")).unwrap();
    assert!(log.control(Control::Rotate).is_err());
    fs::remove_dir(dir.join(".orders.log.lock")).unwrap();
    log.try_put("b", later(at(NOON), 30)).unwrap();
    assert_eq!(dir.closed(), ["a\n"]);
    assert_eq!(dir.active(), "b\n");
}

#[cfg(unix)]
#[test]
fn promise_24_lines_continue_in_a_renamed_file_while_its_path_is_taken() {
    let dir = Dir::new();
    let mut log = dir.log().open();
    log.put("a", NOON);
    fs::rename(dir.path(), dir.join("moved.log")).unwrap();
    fs::create_dir(dir.path()).unwrap();
    assert!(log.try_put("b", at(NOON)).unwrap_err().is_retryable());
    log.put("c", NOON);
    fs::remove_dir(dir.path()).unwrap();
    log.try_put("d", later(at(NOON), 30)).unwrap();
    assert_eq!(read(&dir.join("moved.log")), "a\nb\nc\n");
    assert_eq!(dir.active(), "d\n");
}
