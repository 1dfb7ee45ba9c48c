//! The sink [`Postgres`]: its settings, and the sink's protocol.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::address::Address;
use super::copy::put_row;
use super::session::{Done, Failed, Session, failed};
use super::table::Table;
use super::upkeep::Upkeep;
use crate::error::Error;
use crate::schema::Rows;
use crate::sink::reconnect::Reconnect;
use crate::sink::{Control, Lines, Next, OwnThreads, Profile, Secret, Sink};
use crate::sync::after;

/// A batch has this many lines at most.
const BATCH_LINES: usize = 10_000;
/// A batch has this many bytes at most.
const BATCH_BYTES: usize = 4 << 20;
/// A call waits this long for the server. Then the worker looks after orders, and calls again.
const CALL: Duration = Duration::from_millis(100);
/// How long the worker waits for more lines: a transaction waits for the server's disk, even for a single line.
const LINGER: Duration = Duration::from_millis(100);

/// Writes lines to a table of a PostgreSQL database.
///
/// The table is `log`, with the columns of [`columns`](Self::columns). It must exist, unless
/// [`create_table`](Self::create_table) is set. `line` is the line as the output's schema renders it.
///
/// A line is written when its transaction is committed. The page [*Databases*](crate::docs::databases) has the details.
///
/// # Errors
/// Building the log fails for an impossible setting. It does not wait for the server: if that cannot be reached, or lacks
/// the table, this is reported, and the lines wait.
///
/// # Examples
/// ```no_run
/// use spanline::Output;
/// use spanline::sink::{Postgres, Secret};
///
/// let database = Postgres::new("postgres://app@db.example/orders")
///     .password(Secret::file("/run/secrets/database"))
///     .create_table();
/// let guard = spanline::builder().output(Output::new(database)).init()?;
/// # Ok::<(), spanline::Error>(())
/// ```
#[must_use = "a database does nothing until it is given to an output"]
pub struct Postgres {
    url: String,
    password: Option<Secret>,
    table: String,
    columns: Vec<String>,
    creates: bool,
    timeout: Duration,
    threads: OwnThreads,
    connection: Connection,
    upkeep: Upkeep,
}

/// What is known of the server.
#[derive(Default)]
struct Connection {
    checked: Option<(Address, Table)>,
    session: Option<Session>,
    reconnect: Reconnect,
    /// Names this sink in this process at the server.
    sender: String,
    /// The number of the last batch.
    batch: u64,
    /// The batch that is on its way: its number, and the ids of its first and last line.
    sent: Option<(u64, RangeInclusive<u64>)>,
    /// The batch that may be committed, in the same way.
    unknown: Option<(u64, RangeInclusive<u64>)>,
}

impl Postgres {
    /// The name of the table.
    pub const DEFAULT_TABLE: &'static str = "log";

    /// How long connecting and each batch may take.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Creates a sink for the database at `url`: `postgres://user@host:5432/database`. Does not connect yet.
    ///
    /// Parameters follow after `?`, such as `sslmode=disable`. Without `sslmode`, TLS is required unless the host is
    /// `localhost`, a loopback address or a Unix socket. The certificate must be valid for the host, by the system's roots.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            table: Self::DEFAULT_TABLE.to_owned(),
            columns: Rows::DEFAULT.map(str::to_owned).to_vec(),
            creates: false,
            timeout: Self::DEFAULT_TIMEOUT,
            threads: OwnThreads::new(),
            connection: Connection::default(),
            upkeep: Upkeep::default(),
        }
    }

    /// Sets the password, in place of one in the URL. It is read for each connection.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Sets the name of the table, with or without its schema: `audit.log`.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Sets the columns, in this order: any of `time`, `level`, `target`, `module`, `file`, `line_number`, `thread`,
    /// `message`, `service`, `trace_id`, `span_id`, `request_id` and `line`. `field:customer_id` is the field of that name:
    /// of the event, else of the innermost span that has it, else a static one.
    ///
    /// The default is `time`, `level`, `target`, `message`, `service`, `trace_id`, `request_id`, `line`. Without `line`,
    /// what no column has is not stored.
    pub fn columns<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Creates the table with its indices, and a small table `…_senders`, where they are missing. With that table, no line
    /// is delivered twice when a connection is lost.
    pub fn create_table(mut self) -> Self {
        self.creates = true;
        self
    }

    /// Creates the table as [`create_table`](Self::create_table) does, with a partition for each day in UTC.
    ///
    /// Partitions are called `log_20261130`. They are created two days ahead, and when a line of another day comes, from a
    /// year ago to a week ahead. The partition `log_other` has all other times. The table must not exist without
    /// partitions. PostgreSQL 12 or later is needed.
    pub fn partitioned_by_day(mut self) -> Self {
        self.upkeep.by_day = true;
        self.create_table()
    }

    /// Keeps rows that are at most this old, by their time. Older ones are deleted in small steps, also without new lines.
    ///
    /// With [`partitioned_by_day`](Self::partitioned_by_day), a day's partition is dropped when all of it is too old.
    /// Without [`create_table`](Self::create_table), the user needs the rights `SELECT` and `DELETE`.
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.upkeep.age = Some(age);
        self
    }

    /// Sets how long connecting and each batch may take; the default is [`Self::DEFAULT_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks the settings, without a connection.
    #[cfg(feature = "config")]
    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        self.check().map(drop)
    }

    fn check(&self) -> Result<(Address, Table), Error> {
        if self.timeout.as_millis() == 0 {
            return Err(Error::invalid("timeout is zero; expected at least 1 ms, such as 5 s"));
        }
        let table = Table::new(&self.table, &self.columns, self.upkeep.by_day)?;
        if !table.rows.columns().iter().any(|column| column.is_time()) {
            let settings = [("partitioned_by_day", self.upkeep.by_day), ("keep_for", self.upkeep.age.is_some())];
            if let Some((setting, _)) = settings.into_iter().find(|(_, is_set)| *is_set) {
                return Err(Error::invalid(format!(
                    "{setting} is set, but there is no column `time`; add it, or remove {setting}"
                )));
            }
        }
        Ok((Address::parse(&self.url)?, table))
    }

    /// Begins to connect.
    fn connect(&mut self) -> Result<(), Error> {
        if self.connection.checked.is_none() {
            self.connection.checked = Some(self.check()?);
        }
        let Some((address, table)) = &self.connection.checked else { return Ok(()) };
        let password = self.password.as_ref().map(Secret::read).transpose()?;
        let (password, sender) = (password.as_deref(), &*self.connection.sender);
        let session = Session::begin(address, password, table, self.creates, sender, self.timeout, &self.threads)?;
        self.connection.session = Some(session);
        Ok(())
    }

    /// Ends the connection. The batch on its way may be committed.
    fn disconnect(&mut self) {
        self.connection.session = None;
        self.connection.unknown = self.connection.sent.take().or(self.connection.unknown.take());
    }

    /// Becomes another sender, without a connection.
    fn start_afresh(&mut self) {
        let random = || RandomState::new().hash_one(std::process::id());
        let checked = self.connection.checked.take();
        let sender = format!("{:016x}{:016x}", random(), random());
        self.connection = Connection { checked, sender, ..Connection::default() };
    }

    /// Does what is to be done next, for a short time.
    fn deliver(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let end = after(Instant::now(), CALL);
        loop {
            let connection = &mut self.connection;
            if let Some(session) = connection.session.as_mut().filter(|session| session.is_running()) {
                let now = Instant::now();
                match session.wait(end.saturating_duration_since(now), &self.threads) {
                    None => return Ok(Next::Later(now)),
                    Some(done) => self.settle(lines, done)?,
                }
                continue;
            }
            let (Some(session), Some((address, table))) = (&mut connection.session, &connection.checked) else {
                self.connect()?;
                continue;
            };
            match &connection.unknown {
                Some(_) if session.has_senders => session.ask(table.last_batch(&connection.sender), address),
                Some(_) => connection.unknown = None,
                None => match self.upkeep.due(lines, table).filter(|_| lines.ends_at().is_none()) {
                    Some(task) => session.keep_up(task, address),
                    None if lines.is_empty() => return Ok(self.upkeep.next().map_or(Next::Done, Next::Later)),
                    None => self.send(lines),
                },
            }
        }
    }

    /// Begins to send the lines that are offered.
    fn send(&mut self, lines: &mut Lines) {
        let connection = &mut self.connection;
        let (Some((_, table)), Some(session)) = (&connection.checked, &mut connection.session) else { return };
        let mut rows = Vec::with_capacity(lines.as_bytes().len() + lines.as_bytes().len() / 8);
        let (mut count, mut bytes, mut ids) = (0, 0, None);
        for line in lines.iter() {
            put_row(&mut rows, &table.rows, &line);
            count += 1;
            bytes += line.bytes.len();
            let first = ids.map_or(line.id, |ids: RangeInclusive<u64>| *ids.start());
            ids = Some(first..=line.id);
        }
        let Some(ids) = ids else { return };
        let batch = connection.batch + 1;
        let begin = if session.has_senders { table.begin(&connection.sender, batch) } else { "BEGIN".to_owned() };
        session.copy(begin, rows);
        self.upkeep.last_rows = count;
        connection.sent = Some((batch, ids));
        lines.hand_over(bytes);
    }

    /// Acts on what came of it.
    fn settle(&mut self, lines: &mut Lines, done: Done) -> Result<(), Error> {
        let connection = &mut self.connection;
        let Some((address, _)) = &connection.checked else { return Ok(()) };
        let doing = format!("write to {address}");
        let result = match done {
            Done::Connected => {
                self.upkeep.connected();
                return Ok(());
            }
            Done::KeptUp(report) => {
                // The lines are written, or will be: what was refused is only reported.
                self.upkeep.done(report)?.into_iter().for_each(|error| lines.report(error));
                return Ok(());
            }
            Done::Failed(error) => return Err(error),
            Done::Asked(last) => {
                if let Some((batch, ids)) = connection.unknown.take().filter(|(batch, _)| *batch <= last) {
                    connection.batch = connection.batch.max(batch);
                    lines.acknowledge(ids);
                }
                return Ok(());
            }
            Done::Copied(result) => result,
        };
        let Some((batch, ids)) = connection.sent.take() else { return Ok(()) };
        if result.is_ok() {
            connection.batch = batch;
            connection.reconnect.succeeded();
            lines.acknowledge(ids);
            return Ok(());
        }
        lines.give_back(ids.clone());
        match result {
            Ok(()) => Ok(()),
            // The text of the server may have a value, which is in the log only where the line is.
            Err(Failed::Refused(error)) => {
                let code = error.code().map(|code| code.code()).unwrap_or_default();
                Err(Error::rejected(format!("{doing}: the server refuses a value of this line (SQLSTATE {code})")))
            }
            Err(Failed::Before(error)) => Err(failed(&doing, &error)),
            Err(Failed::Late) => Err(Error::retry(format!("{doing}: no answer within {:?}", self.timeout))),
            Err(Failed::Unknown(why)) => {
                connection.batch = batch;
                connection.unknown = Some((batch, ids));
                Err(Error::retry(format!("{doing}: the connection was lost during a commit: {why}")))
            }
        }
    }
}

impl Sink for Postgres {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        if self.connection.session.as_ref().is_some_and(Session::is_foreign) || self.connection.sender.is_empty() {
            self.start_afresh();
        }
        if self.connection.session.as_ref().is_some_and(Session::is_lost) {
            self.disconnect();
        }
        if self.connection.session.is_none() {
            // Those of a connection that an order has ended.
            if lines.in_flight() > 0 {
                lines.give_back(..);
            }
            if let Some(at) = self.connection.reconnect.wait(Instant::now(), lines.ends_at()) {
                return Ok(Next::Later(at));
            }
        }
        self.deliver(lines).map_err(|error| {
            if error.is_rejected() {
                return error;
            }
            self.disconnect();
            self.connection.reconnect.failed(Instant::now());
            error.into_retry()
        })
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            // The worker connects: the program does not wait for the server.
            Control::Open => {
                self.connection.checked = Some(self.check()?);
                Ok(())
            }
            Control::Reopen => {
                self.disconnect();
                self.connection.reconnect.hurry();
                Ok(())
            }
            Control::Flush | Control::Close => {
                self.connection.reconnect.hurry();
                Ok(())
            }
            Control::Tick(now) => {
                self.upkeep.now = Some(now);
                Ok(())
            }
            Control::Forked => {
                self.start_afresh();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn profile(&self) -> Profile {
        let profile = Profile::new("postgres")
            .batch(BATCH_LINES, BATCH_BYTES, LINGER)
            .own_threads(&self.threads)
            // The first call connects.
            .by_clock(true)
            .logs_nothing();
        match Rows::new(&self.columns) {
            Ok(rows) => profile.rows(rows),
            // Opening it reports that.
            Err(_) => profile,
        }
    }
}

/// Shows the table, and where the server is.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("address", &Address::parse(&self.url).ok())
            .field("password", &self.password)
            .field("table", &self.table)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}
