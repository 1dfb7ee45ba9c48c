//! `sink::Sqlite` while other programs move, remove or replace the files of its database.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use spanline::Handle;
use spanline::sink::Sqlite;
use tracing::{Dispatch, Level};

use crate::sinks::sqlite::{numbers, query, to};
use crate::support::faults::{built, within};
use crate::support::ledger::log;
use crate::support::wait::{PATIENCE, until};

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn write(dispatch: &Dispatch, handle: &Handle, numbers: std::ops::Range<u64>) {
    within(dispatch, || numbers.for_each(|seq| log(Level::INFO, 0, seq)));
    handle.flush(PATIENCE).unwrap();
}

/// The last rows are in the file `-wal`. Removing it, or the file `-shm`, removes no row that was written.
#[test]
fn a_removed_file_beside_the_database_costs_no_line() {
    for removed in [&["-wal"][..], &["-shm"], &["-wal", "-shm"]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db");
        let (dispatch, guard) = built(to(Sqlite::new(&path)));
        write(&dispatch, &guard.handle(), 0..100);
        for suffix in removed {
            fs::remove_file(beside(&path, suffix)).unwrap();
        }
        write(&dispatch, &guard.handle(), 100..200);
        // As another process sees it while the log runs, and after SIGKILL.
        assert_eq!(numbers(&path, 0), (0..200).collect::<Vec<_>>(), "{removed:?}");
        guard.close().unwrap();
        assert_eq!(query(&path, "PRAGMA integrity_check"), [["ok"]], "{removed:?}");
    }
}

/// The database is moved without the file `-wal`, which has all its rows. It gets them, and the new one does not.
#[test]
fn a_database_that_is_moved_alone_has_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("orders.db"), folder.path().join("moved.db"));
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    write(&dispatch, &guard.handle(), 0..100);
    fs::rename(&path, &moved).unwrap();
    write(&dispatch, &guard.handle(), 100..200);
    guard.close().unwrap();
    assert_eq!(numbers(&moved, 0), (0..100).collect::<Vec<_>>());
    assert_eq!(numbers(&path, 0), (100..200).collect::<Vec<_>>());
    assert_eq!(query(&path, "PRAGMA integrity_check"), [["ok"]]);
}

/// Another program's database is moved to the path, beside the file `-wal` of the log's own.
#[test]
fn a_database_of_another_program_that_comes_to_the_path_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("orders.db"), folder.path().join("other.db"));
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    write(&dispatch, &guard.handle(), 0..100);
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE accounts (name TEXT); INSERT INTO accounts VALUES ('ada');").unwrap();
    connection.close().unwrap();
    fs::rename(&other, &path).unwrap();
    within(&dispatch, || (100..200).for_each(|seq| log(Level::INFO, 0, seq)));
    let output = || guard.handle().metrics().outputs.remove(0);
    until("a complaint", || output().last_error.is_some_and(|error| error.contains("belongs to another program")));
    assert_eq!(query(&path, "SELECT name FROM accounts"), [["ada"]]);
    assert_eq!(output().queued.total() + output().in_flight.total(), 100, "its lines wait");
    // The operator moves it away again.
    fs::rename(&path, &other).unwrap();
    guard.close().unwrap();
    assert_eq!(query(&other, "SELECT name FROM accounts"), [["ada"]]);
    assert_eq!(numbers(&path, 0), (100..200).collect::<Vec<_>>());
}
