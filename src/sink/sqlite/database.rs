//! The connection to the database: opening it, its checks, and one transaction for each batch.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, TransactionBehavior};

use super::table::Table;
use crate::error::Error;
use crate::process::Mark;
use crate::schema::Cell;
use crate::sink::Lines;
use crate::sink::file::LibraryFile;

/// How long a call waits for a lock that another process holds. The worker then offers the lines again.
pub(super) const BUSY: Duration = Duration::from_millis(200);

/// Marks a database as one of spanline: `span` in ASCII.
const APPLICATION_ID: i32 = 0x7370_616e;

/// The version of the table. Increased when an older spanline could not use it.
const VERSION: i32 = 1;

/// The `-wal` file goes to the database when it has this size: often enough for its readers, and seldom enough for the
/// disk. SQLite cuts it back to this size, after a burst or a long read.
const WAL_BYTES: u32 = 16 << 20;

/// The size of a new database's pages. Of SQLite's own, 4 KiB, few rows fill one: they cost a third more time. Larger ones
/// cost a quiet log more writes.
const PAGE_BYTES: u32 = 8 << 10;

/// The files that can be beside the database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Those of them that stay while it is open.
const IN_USE: [&str; 2] = ["-wal", "-shm"];

/// A database, open.
#[derive(Debug)]
pub(super) struct Database {
    /// `None` only while it is dropped.
    connection: Option<Connection>,
    pub(super) file: LibraryFile,
    /// The process that opened it. No other may use or close it.
    process: u32,
    /// Stands for its descriptors.
    mark: Arc<Mark>,
    insert: String,
}

impl Database {
    /// Opens the database; creates it with its table if it is missing.
    ///
    /// # Errors
    /// An invalid setting, if the file is no database for this table. A retryable error, if the system refuses, or another
    /// process holds a lock.
    pub(super) fn open(path: &Path, table: &Table) -> Result<Self, Error> {
        let file = LibraryFile::prepare(path, &BESIDE)?;
        let doing = format!("open {}", path.display());
        let mark = Mark::new().map_err(|error| Error::io(&*doing, error))?;
        let failed = |error| failed(&doing, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(file.path(), flags | OpenFlags::SQLITE_OPEN_NOFOLLOW);
        let connection = opened.map_err(failed)?;
        let (process, insert) = (std::process::id(), table.insert());
        let mut database = Self { connection: Some(connection), file, process, mark, insert };
        database.set_up(path, table).map_err(|error| match error {
            SetUp::Sql(error) => failed(error),
            SetUp::Other(error) => error,
        })?;
        // They were made by the transaction above.
        database.file.note_beside(&IN_USE).map_err(|error| Error::io(&*doing, error))?;
        if !database.file.is_there() {
            let why = "another program replaces it; expected a file that stays";
            return Err(Error::retry(format!("open {}: {why}", path.display())));
        }
        Ok(database)
    }

    fn set_up(&self, path: &Path, table: &Table) -> Result<(), SetUp> {
        let connection = self.connection()?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        let invalid = |error: Error| SetUp::Other(error.of(&format!("open {}", path.display())));
        // Nothing is changed in a database of another program.
        let snapshot = connection.unchecked_transaction()?;
        // All of it is read at one moment: another process may be creating it.
        let is_new = self.check(table).map_err(|error| error.map(invalid))?;
        drop(snapshot);
        if is_new {
            // Only possible before the first table.
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("wal") {
            let why = "its file system has no shared memory, which WAL needs; use a local disk";
            return Err(invalid(Error::invalid(why)));
        }
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
        let page: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_BYTES / page.max(512))?;
        let transaction = Transaction::begin(connection)?;
        // Another process may have created it in the meantime.
        self.check(table).map_err(|error| error.map(invalid))?;
        connection.execute_batch(&table.create())?;
        let found = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        if found("application_id")? != APPLICATION_ID || found("user_version")? != VERSION {
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Checks whether the table may be in this database. Returns whether the database is empty.
    fn check(&self, table: &Table) -> Result<bool, SetUp> {
        let connection = self.connection()?;
        let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let (application, version) = (number("application_id")?, number("user_version")?);
        let is_empty = count("SELECT count(*) FROM sqlite_schema")? == 0;
        if application != APPLICATION_ID && (application != 0 || version != 0 || !is_empty) {
            let why = "the database belongs to another program; expected one of spanline, or no file; use another path";
            return Err(SetUp::Other(Error::invalid(why)));
        }
        if application == APPLICATION_ID && version > VERSION {
            return Err(SetUp::Other(Error::invalid(format!(
                "a newer spanline made the database (version {version}; expected at most {VERSION}); update this program, or \
                 use another path"
            ))));
        }
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let names = columns.query_map([&table.name], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        if !names.is_empty() {
            table.check(&names).map_err(SetUp::Other)?;
        }
        Ok(is_empty)
    }

    /// Returns the connection.
    pub(super) fn connection(&self) -> rusqlite::Result<&Connection> {
        // It is there until the drop.
        self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)
    }

    /// Returns whether the program has closed its descriptors. Then it must not be used.
    pub(super) fn is_lost(&self) -> bool {
        self.mark.is_lost()
    }

    /// Completes the database, whose `-wal` file has the last rows, because one of its files was moved or removed. Without
    /// that, these rows would be lost, or appear in another database that comes to its path. Returns why it cannot be
    /// completed.
    ///
    /// # Errors
    /// A reader prevents it for now.
    pub(super) fn complete(&self) -> Result<Option<Error>, Error> {
        let path = self.file.path().display();
        let completed = self.connection().and_then(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        });
        match completed {
            Ok(0) => Ok(None),
            Ok(_) => Err(Error::retry(format!(
                "{path}: one of its files was moved or removed, and another connection reads it; close that"
            ))),
            Err(error) => {
                Ok(Some(failed(&format!("{path}: one of its files was moved or removed; write its last rows"), error)))
            }
        }
    }

    /// Inserts the lines that are offered, in one transaction. Returns how many bytes they have.
    pub(super) fn insert(&self, lines: &Lines, table: &Table) -> rusqlite::Result<usize> {
        let connection = self.connection()?;
        let transaction = Transaction::begin(connection)?;
        let mut bytes = 0;
        {
            let mut insert = connection.prepare(&self.insert)?;
            for line in lines.iter() {
                bytes += line.bytes.len();
                let put = |place, cell: Cell<'_>| bind(&mut insert, place + 1, cell);
                table.rows.each_cell(line.bytes, line.time, line.level, put)?;
                insert.raw_execute()?;
            }
        }
        transaction.commit()?;
        Ok(bytes)
    }
}

/// Closes the connection, unless it is another process's: there, closing it could remove files that are in use. Nor if the
/// program has closed its descriptors, whose numbers may be those of other files by now.
impl Drop for Database {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && (self.process != std::process::id() || self.is_lost())
        {
            std::mem::forget(connection);
        }
    }
}

/// A transaction that writes. It is rolled back unless it is committed.
pub(super) struct Transaction<'c>(rusqlite::Transaction<'c>);

impl<'c> Transaction<'c> {
    /// Begins it with the lock for writing. Later, another process could have come first.
    pub(super) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map(Self)
    }

    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.commit()
    }
}

enum SetUp {
    Sql(rusqlite::Error),
    Other(Error),
}

impl SetUp {
    fn map(self, with: impl FnOnce(Error) -> Self) -> Self {
        match self {
            Self::Sql(_) => self,
            Self::Other(error) => with(error),
        }
    }
}

impl From<rusqlite::Error> for SetUp {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Binds a value of a row.
fn bind(insert: &mut Statement<'_>, place: usize, cell: Cell<'_>) -> rusqlite::Result<()> {
    match cell {
        Cell::Null => insert.raw_bind_parameter(place, rusqlite::types::Null),
        Cell::Number(number) => insert.raw_bind_parameter(place, number),
        Cell::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => insert.raw_bind_parameter(place, text),
            Err(_) => insert.raw_bind_parameter(place, &*String::from_utf8_lossy(text)),
        },
    }
}

/// Adds to an error of SQLite what failed. What is no database can only be a mistake; everything else can be retried.
pub(super) fn failed(doing: &str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            Error::invalid(format!("{doing}: it is no SQLite database; expected one, or no file; use another path"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::retry(format!("{doing}: another connection has locked it")).with_source(error)
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            let advice = "move it away and recover it with `sqlite3 … .recover`";
            Error::retry(format!("{doing}: the database is damaged; {advice}")).with_source(error)
        }
        _ => Error::retry(doing).with_source(error),
    }
}

/// Returns whether a row itself is refused: by a constraint or a trigger that the table's owner has added.
pub(super) fn is_refused(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch))
}

/// Returns whether the same connection may succeed later.
pub(super) fn is_passing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull | OutOfMemory))
}
