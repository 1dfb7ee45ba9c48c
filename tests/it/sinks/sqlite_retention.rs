//! `sink::Sqlite` deletes what is too old or too much, and nothing else.
#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use spanline::record::Timestamp;
use spanline::sink::Sqlite;
use tracing::Level;

use super::sqlite::{numbers, one, to};
use crate::support::faults::{built, within};
use crate::support::ledger::log;
use crate::support::log_directory::{at, later};
use crate::support::wait::{PATIENCE, until};

#[test]
fn rows_that_are_too_old_are_deleted_also_without_new_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let start = at("2026-11-20T00:00:00Z");
    let now = Arc::new(AtomicI64::new(start.as_nanos()));
    let clock = Arc::clone(&now);
    let builder = to(Sqlite::new(&path).keep_for(Duration::from_secs(100)));
    let (dispatch, guard) = built(builder.clock(move || Timestamp::from_nanos(clock.load(Ordering::Relaxed))));
    within(&dispatch, || (0..5_000).for_each(|seq| log(Level::INFO, 0, seq)));
    now.store(later(start, 80).as_nanos(), Ordering::Relaxed);
    within(&dispatch, || (0..10).for_each(|seq| log(Level::INFO, 1, seq)));
    guard.handle().flush(PATIENCE).unwrap();
    assert_eq!(one(&path, "SELECT count(*) FROM log"), "5010");
    now.store(later(start, 101).as_nanos(), Ordering::Relaxed);
    until("the old rows to be gone", || one(&path, "SELECT count(*) FROM log") == "10");
    assert_eq!(numbers(&path, 1), (0..10).collect::<Vec<_>>());
    until("the free pages to be given back", || one(&path, "PRAGMA freelist_count").parse::<u64>().unwrap() <= 256);
    guard.close().unwrap();
    assert_eq!(one(&path, "PRAGMA integrity_check"), "ok");
}

#[test]
fn a_database_stays_within_keep_bytes_and_keeps_the_newest_lines() {
    const BYTES: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (dispatch, guard) = built(to(Sqlite::new(&path).keep_bytes(BYTES)));
    within(&dispatch, || (0..30_000).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.handle().flush(PATIENCE).unwrap();
    let number = |name: &str| one(&path, &format!("PRAGMA {name}")).parse::<u64>().unwrap();
    let used = || (number("page_count") - number("freelist_count")) * number("page_size");
    until("the oldest rows to be gone", || used() <= BYTES);
    assert_eq!(guard.handle().metrics().outputs[0].written.total(), 30_000);
    guard.close().unwrap();
    let found = numbers(&path, 0);
    let first = 30_000 - found.len() as u64;
    assert!(found.iter().copied().eq(first..30_000) && found.len() > 500, "{} lines", found.len());
    assert_eq!(one(&path, "PRAGMA integrity_check"), "ok");
}
