//! The sink [`Sqlite`]: its settings, and the sink's protocol.

use std::path::PathBuf;
use std::time::Duration;

use super::database::{Database, failed, is_passing, is_refused};
use super::retention::Retention;
use super::table::Table;
use crate::byte_size::ByteSize;
use crate::error::Error;
use crate::record::Timestamp;
use crate::schema::Rows;
use crate::sink::{Control, Lines, Next, Profile, Sink};

/// A batch has this many lines at most. More make a transaction hardly faster.
const BATCH_LINES: usize = 10_000;
/// A batch has this many bytes at most.
const BATCH_BYTES: usize = 4 << 20;
/// How long the worker waits for more lines: each transaction writes some pages, even for a single line.
const LINGER: Duration = Duration::from_millis(100);

/// Writes lines to a table of an SQLite database.
///
/// The database is created with its table, `log`. Its columns are `id`, which counts up, and those of
/// [`columns`](Self::columns). Times are UTC, as text that sorts. `line` is the line as the output's schema renders it.
/// Columns without a value are NULL. `time`, `trace_id` and `request_id` have an index.
///
/// A line is written when its transaction is committed. The page [*Databases*](crate::docs::databases) has the details.
///
/// # Errors
/// Building the log fails for an impossible setting, a path that cannot be written to, and a database of another program
/// or of a newer spanline. If the database is locked, the log starts, and its lines wait.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use spanline::Output;
/// use spanline::sink::Sqlite;
///
/// let database = Sqlite::new("logs/orders.db").keep_for(Duration::from_secs(30 * 86_400)).keep_bytes(1 << 30);
/// let guard = spanline::builder().output(Output::new(database)).init()?;
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a database does nothing until it is given to an output"]
pub struct Sqlite {
    path: PathBuf,
    table: String,
    columns: Vec<String>,
    retention: Retention,
    now: Option<Timestamp>,
    open: Option<(Database, Table)>,
    /// What is wrong without preventing a write. Reported once.
    complaint: Option<Error>,
    /// Why SQLite cannot be used in this process any more.
    ended: Option<&'static str>,
}

impl Sqlite {
    /// The name of the table.
    pub const DEFAULT_TABLE: &'static str = "log";

    /// Creates a sink for the database at `path`. Does not open it yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            table: Self::DEFAULT_TABLE.to_owned(),
            columns: Rows::DEFAULT.map(str::to_owned).to_vec(),
            retention: Retention::default(),
            now: None,
            open: None,
            complaint: None,
            ended: None,
        }
    }

    /// Sets the name of the table: letters, digits and `_`.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Sets the columns of the table, besides `id`, in this order: any of `time`, `level`, `target`, `module`, `file`,
    /// `line_number`, `thread`, `message`, `service`, `trace_id`, `span_id`, `request_id` and `line`. `field:customer_id` is
    /// the field of that name: of the event, else of the innermost span that has it, else a static one.
    ///
    /// The default is `time`, `level`, `target`, `message`, `service`, `trace_id`, `request_id`, `line`. Without `line`,
    /// what no column has is not stored.
    ///
    /// ```
    /// # use spanline::sink::Sqlite;
    /// Sqlite::new("logs/orders.db").columns(["time", "level", "message", "module"]);
    /// ```
    pub fn columns<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Keeps rows that are at most this old, by their time. Older ones are deleted in small steps, also without new lines.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.retention.age = Some(age);
        self
    }

    /// Deletes the oldest rows while the database has more bytes in use. Free pages, which new rows reuse, and the `-wal`
    /// file do not count.
    pub fn keep_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.retention.bytes = Some(bytes.into().as_u64());
        self
    }

    /// Checks the settings, without the file.
    #[cfg(feature = "config")]
    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        self.checked_table().map(drop)
    }

    fn checked_table(&self) -> Result<Table, Error> {
        let table = Table::new(&self.table, &self.columns)?;
        if self.retention.age.is_some() && !table.rows.columns().iter().any(|column| column.is_time()) {
            return Err(Error::invalid("keep_for is set, but there is no column `time`; add it, or remove keep_for"));
        }
        if self.retention.bytes == Some(0) {
            return Err(Error::invalid("keep_bytes is 0 B; expected at least 1 B"));
        }
        Ok(table)
    }

    /// Returns the database; opens it if it is not open, or another program has moved it away.
    fn opened(&mut self) -> Result<&(Database, Table), Error> {
        if let Some(why) = self.ended {
            return Err(Error::closed(format!("{}: {why}, or log to another output", self.path.display())));
        }
        if let Some((database, _)) = self.open.as_ref().filter(|(database, _)| !database.file.is_there()) {
            self.complaint = database.complete()?;
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let table = self.checked_table()?;
                let database = Database::open(&self.path, &table)?;
                self.complaint = self.complaint.take().or(database.file.exposure());
                (database, table)
            }
        };
        Ok(self.open.insert(open))
    }

    fn insert(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let (database, table) = self.opened()?;
        match database.insert(lines, table) {
            Ok(bytes) => lines.advance(bytes),
            // The worker offers fewer lines, down to the one that is refused. SQLite's text may show a part of it.
            Err(error) if is_refused(&error) => {
                let code = error.sqlite_error().map_or(0, |error| error.extended_code);
                let path = self.path.display();
                return Err(Error::rejected(format!(
                    "write to {path}: the table refuses this line (SQLite code {code})"
                )));
            }
            Err(error) => {
                if !is_passing(&error) {
                    self.open = None;
                }
                return Err(failed(&format!("write to {}", self.path.display()), error));
            }
        }
        Ok(())
    }

    /// Lets go of a database whose descriptors the program has closed. SQLite remembers them for the file in the whole
    /// process, so no other connection to it is safe.
    fn notice_loss(&mut self) {
        if self.open.as_ref().is_some_and(|(database, _)| database.is_lost()) {
            self.ended = Some("the program has closed SQLite's descriptors; start the log after that");
            self.open = None;
        }
    }

    /// Deletes what is beyond the limits.
    fn prune(&mut self, lines: usize) -> Result<(), Error> {
        let Some((database, table)) = &self.open else { return Ok(()) };
        let now = self.now.unwrap_or_else(Timestamp::now);
        let doing = |error| failed(&format!("delete old lines from {}", self.path.display()), error);
        self.retention.apply(database, table, now, lines).map_err(doing)
    }
}

impl Sink for Sqlite {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.notice_loss();
        let count = lines.iter().count();
        if count > 0 {
            // What is wrong with the path now may be repaired later.
            self.insert(lines)
                .map_err(|error| if error.is_closed() || error.is_rejected() { error } else { error.into_retry() })?;
        }
        // The lines are written: an error here is only reported.
        self.prune(count)?;
        Ok(self.retention.next().map_or(Next::Done, Next::Later))
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.notice_loss();
        match control {
            Control::Open => {
                self.open = None;
                self.opened().map(drop)
            }
            Control::Reopen => {
                self.open = None;
                self.opened().map(drop).map_err(|error| if error.is_closed() { error } else { error.into_retry() })
            }
            Control::Sync => {
                let Some((database, _)) = &self.open else { return Ok(()) };
                database.file.sync_beside("-wal")
            }
            Control::Tick(now) => {
                self.now = Some(now);
                self.complaint.take().map_or(Ok(()), Err)
            }
            Control::Forked => {
                self.ended = Some("SQLite cannot be used in a forked process; start the log after the fork");
                // Its drop knows that it is the parent's.
                self.open = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn profile(&self) -> Profile {
        let profile = Profile::new("sqlite")
            .path(&self.path)
            .batch(BATCH_LINES, BATCH_BYTES, LINGER)
            .by_clock(self.retention.age.is_some() || self.retention.bytes.is_some())
            .logs_nothing();
        match Rows::new(&self.columns) {
            Ok(rows) => profile.rows(rows),
            // Opening it reports that.
            Err(_) => profile,
        }
    }
}
