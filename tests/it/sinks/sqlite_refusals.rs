//! `sink::Sqlite` writes to a table that refuses rows.
#![cfg(unix)]

use spanline::metrics::Reason;
use spanline::sink::Sqlite;
use tracing::Level;

use super::sqlite::{logged, numbers, to};
use crate::support::faults::Complaints;
use crate::support::ledger::log;

/// By a unique index and a trigger of the database's owner: each costs its row alone.
#[test]
fn a_row_that_the_table_refuses_costs_only_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    logged(to(Sqlite::new(&path)), || log(Level::INFO, 0, 0));
    let owner = rusqlite::Connection::open(&path).unwrap();
    owner
        .execute_batch(
            "CREATE UNIQUE INDEX once ON log (message) WHERE message <> 'line';\
             CREATE TRIGGER refuse BEFORE INSERT ON log WHEN NEW.message = 'raised' \
             BEGIN SELECT RAISE(ABORT, 'no hunter2'); END",
        )
        .unwrap();
    drop(owner);
    let complaints = Complaints::default();
    let books = logged(to(Sqlite::new(&path)).on_complaint(complaints.hook()), || {
        for seq in 1..50_u64 {
            match seq {
                11 | 33 => tracing::info!(thread = 0_u64, seq, "twice"),
                22 => tracing::info!(thread = 0_u64, seq, "raised"),
                _ => log(Level::INFO, 0, seq),
            }
        }
    });
    let rejected = books.dropped.reason(Reason::Rejected).total();
    assert_eq!((books.written.total(), rejected), (47, 2), "{books:#?} {:?}", complaints.all());
    assert_eq!(numbers(&path, 0), (0..50).filter(|seq| ![22, 33].contains(seq)).collect::<Vec<_>>());
    assert!(complaints.all().iter().any(|text| text.contains("the table refuses this line")), "{:?}", complaints.all());
    assert!(!format!("{complaints:?}{books:?}").contains("hunter2"), "{:?}", complaints.all());
}
