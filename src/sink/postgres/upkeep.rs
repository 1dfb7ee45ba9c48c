//! What the sink does to the table besides writing rows: partitions for new days, and the end of old rows.
//!
//! # Partitions
//! Each day in UTC has a partition, and one partition has all other times: those far from now, and those of a day whose
//! partition could not be made yet. So no line waits for a partition. Days are made ahead, and when a line of a day without
//! one comes. A new partition first takes the rows of its day from the other one, and is then attached, which blocks
//! neither readers nor writers of the other days.
//!
//! # Old rows
//! A partition is dropped as a whole. Rows of all other tables are deleted in short steps.
//!
//! A step that the server refuses, such as one that a reader's lock delays, is reported and tried again later. The lines
//! do not wait for it longer than for a lock.
//!
//! [`Upkeep`] decides on a [`Task`], which runs on the connection like a batch, and learns from its [`Report`].

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::session::failed;
use super::table::Table;
use crate::error::Error;
use crate::record::Timestamp;
use crate::sink::Lines;
use crate::sync::after;

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Partitions that are made ahead, today's included.
const AHEAD: i64 = 3;
/// Rows of later days are those of a wrong clock.
const EARLY: i64 = 7;
/// Rows of earlier days are few, and a partition for each would be a burden.
const LATE: i64 = 366;
/// A call makes this many partitions at most. Lines wait meanwhile.
const PARTITIONS: usize = 10;

/// A step deletes at most this many rows, or twice as many as the last batch had, so it gets ahead of new lines.
const STEP_ROWS: usize = 5_000;
/// The pause between two steps: other outputs and the server get their turn.
const PAUSE: Duration = Duration::from_millis(20);
/// How often to look for old rows: a hundred times in the time that they are kept, within these limits.
const LOOKS: u32 = 100;
const LOOK_EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// When to try again what the server refused.
const AGAIN: Duration = Duration::from_secs(60);

/// The settings, and what is due.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    pub(super) by_day: bool,
    pub(super) age: Option<Duration>,
    pub(super) now: Option<Timestamp>,
    /// The days that have a partition, counted since 1970.
    known: BTreeSet<i64>,
    wanted: BTreeSet<i64>,
    make_at: Option<Instant>,
    look_at: Option<Instant>,
    /// How many rows the last batch had.
    pub(super) last_rows: usize,
}

/// What is to be done at the server.
pub(super) enum Task {
    /// Makes partitions: each with its day and its statement.
    Make(Vec<(i64, String)>),
    /// Drops the partitions that are too old, and deletes at most `limit` other rows.
    Delete { table: Table, by_day: bool, oldest: Timestamp, limit: usize },
}

/// What was done.
pub(super) enum Report {
    /// The days that have a partition now.
    Made(Vec<i64>, Result<(), Trouble>),
    /// Whether there may be more to delete.
    Deleted(Result<bool, Trouble>),
}

/// Why a statement was not executed.
pub(super) enum Trouble {
    /// The server refuses it, and the connection goes on.
    Refused(Error),
    /// The connection cannot be used any more.
    Lost(Error),
}

impl Upkeep {
    /// Forgets what is known of the server: it may be another one.
    pub(super) fn connected(&mut self) {
        self.known.clear();
    }

    /// Returns what is to be done before lines are sent.
    pub(super) fn due(&mut self, lines: &Lines, table: &Table) -> Option<Task> {
        self.partitions(lines, table).or_else(|| self.deletion(table))
    }

    /// Returns the partitions that are missing: for the days of lines, and ahead.
    fn partitions(&mut self, lines: &Lines, table: &Table) -> Option<Task> {
        if !self.by_day {
            return None;
        }
        let today = day_of(self.now());
        let days = self.days(today);
        self.known.retain(|day| days.contains(day));
        self.wanted.retain(|day| days.contains(day));
        let mut last = None;
        for line in lines.iter() {
            let day = Some(day_of(line.time));
            if day != last {
                last = day;
                self.wanted.extend(day.filter(|day| days.contains(day) && !self.known.contains(day)));
            }
        }
        self.wanted.extend((today..today + AHEAD).filter(|day| !self.known.contains(day)));
        if self.wanted.is_empty() || self.make_at.is_some_and(|at| at > Instant::now()) {
            return None;
        }
        let make = |day: &i64| (*day, table.make_partition(start_of(*day), start_of(*day + 1)));
        Some(Task::Make(self.wanted.iter().take(PARTITIONS).map(make).collect()))
    }

    /// Returns the next step of deletion, if it is due.
    fn deletion(&mut self, table: &Table) -> Option<Task> {
        let age = self.age?;
        if self.look_at.is_some_and(|at| at > Instant::now()) {
            return None;
        }
        let (oldest, limit) = (before(self.now(), age), STEP_ROWS.max(2 * self.last_rows));
        Some(Task::Delete { table: table.clone(), by_day: self.by_day, oldest, limit })
    }

    /// Takes note of what was done. Returns what the server refused.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn done(&mut self, report: Report) -> Result<Option<Error>, Error> {
        let now = Instant::now();
        let (result, doing) = match report {
            Report::Made(days, result) => {
                self.wanted.retain(|day| !days.contains(day));
                self.known.extend(days);
                self.make_at = result.is_err().then(|| after(now, AGAIN));
                (result, "make a partition")
            }
            Report::Deleted(result) => {
                let look_every = self.age.unwrap_or_default() / LOOKS;
                let next = match &result {
                    Ok(true) => PAUSE,
                    Ok(false) => look_every.clamp(LOOK_EVERY[0], LOOK_EVERY[1]),
                    Err(_) => AGAIN,
                };
                self.look_at = Some(after(now, next));
                (result.map(drop), "delete old lines")
            }
        };
        match result {
            Ok(()) => Ok(None),
            Err(Trouble::Refused(error)) => Ok(Some(error.of(doing))),
            Err(Trouble::Lost(error)) => Err(error.of(doing)),
        }
    }

    /// Returns when the sink is called without lines; `None` for never.
    pub(super) fn next(&self) -> Option<Instant> {
        let make_at = (!self.wanted.is_empty()).then(|| self.make_at.unwrap_or_else(Instant::now));
        self.look_at.into_iter().chain(make_at).min()
    }

    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    /// Returns the days that may have a partition.
    fn days(&self, today: i64) -> RangeInclusive<i64> {
        let kept = self.age.map_or(LATE, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX) / DAY_NANOS);
        today - kept.min(LATE)..=today + EARLY
    }
}

impl Task {
    /// Executes it. `doing`: the beginning of an error. Each statement may take `limit`.
    pub(super) async fn run(self, client: &Client, limit: Duration, doing: &str) -> Report {
        let server = Server { client, limit, doing };
        match self {
            Self::Make(partitions) => {
                let mut made = Vec::new();
                for (day, sql) in partitions {
                    if let Err(trouble) = server.execute(&sql).await {
                        return Report::Made(made, Err(trouble));
                    }
                    made.push(day);
                }
                Report::Made(made, Ok(()))
            }
            Self::Delete { table, by_day, oldest, limit } => {
                Report::Deleted(server.delete(&table, by_day, oldest, limit).await)
            }
        }
    }
}

/// A connection on which a task runs.
struct Server<'a> {
    client: &'a Client,
    limit: Duration,
    doing: &'a str,
}

impl Server<'_> {
    /// Executes statements, as one transaction.
    async fn execute(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Trouble> {
        let Self { client, limit, doing } = self;
        match timeout(*limit, client.simple_query(sql)).await {
            Err(_) => Err(Trouble::Lost(Error::retry(format!("{doing}: no answer within {limit:?}")))),
            Ok(Err(error)) if error.as_db_error().is_some() && !client.is_closed() => {
                Err(Trouble::Refused(failed(doing, &error)))
            }
            Ok(Err(error)) => Err(Trouble::Lost(failed(doing, &error))),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// Drops the partitions that are too old, and deletes at most `limit` other rows. Returns whether there may be more.
    async fn delete(&self, table: &Table, by_day: bool, oldest: Timestamp, limit: usize) -> Result<bool, Trouble> {
        let leaf = if by_day {
            for name in texts(&self.execute(&table.partitions()).await?) {
                let day = table.start_of_partition(name).map(day_of);
                if let Some(day) = day.filter(|day| start_of(day + 1) <= oldest) {
                    self.execute(&table.drop_partition(start_of(day))).await?;
                }
            }
            table.other().to_owned()
        } else {
            let found = self.execute(&table.with_old_rows(oldest)).await?;
            let Some(leaf) = texts(&found).next() else { return Ok(false) };
            leaf.to_owned()
        };
        let deleted = self.execute(&table.delete(&leaf, oldest, limit)).await?;
        Ok(deleted.iter().any(|message| matches!(message, SimpleQueryMessage::CommandComplete(1..))))
    }
}

/// Returns the first value of each row.
fn texts(answer: &[SimpleQueryMessage]) -> impl Iterator<Item = &str> {
    answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

fn day_of(time: Timestamp) -> i64 {
    time.as_nanos().div_euclid(DAY_NANOS)
}

fn start_of(day: i64) -> Timestamp {
    Timestamp::from_nanos(day.saturating_mul(DAY_NANOS))
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(now.as_nanos().saturating_sub(age))
}
