//! Lines in a table of an SQLite database.
//!
//! # Files
//! The database `orders.db` has `orders.db-wal` and `orders.db-shm` beside it while it is open. All have mode 0600, because
//! SQLite gives them that of the database, which `LibraryFile` creates or checks. The rules of log files hold.
//!
//! # Durability
//! A batch is one transaction, and a line is written when it is committed: the end of the process loses nothing. In the
//! journal mode WAL with `synchronous=NORMAL`, a commit does not wait for the disk, so a power cut may lose the last
//! transactions, always whole ones and the newest. `Control::Sync` syncs the `-wal` file, which makes all of them durable.
//! The database is intact after any crash.
//!
//! # Several processes
//! Several processes may write to one database, and others may read it. SQLite's locks order the transactions. A lock that
//! lasts longer than [`BUSY`](database::BUSY) is an error of this output, whose lines wait.
//!
//! # Forks
//! SQLite has state in the process that a fork breaks, even for connections that the child opens itself. So the sink ends in
//! a forked child, with an error that says so. Source: *How To Corrupt An SQLite Database File*, 2.6.
//!
//! `table` knows the names and the SQL, `database` the connection, `retention` what is deleted, and `sqlite` has the
//! settings and the sink's protocol.

mod database;
mod retention;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod sqlite;
mod table;

pub use sqlite::Sqlite;
