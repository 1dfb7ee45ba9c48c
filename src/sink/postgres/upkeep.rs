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
//! do not wait for it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::session::Trouble;
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
    /// The last step left rows to delete.
    is_behind: bool,
    complaint: Option<Error>,
}

/// What the server answers to a statement.
pub(super) type Answer = Result<Vec<SimpleQueryMessage>, Trouble>;

impl Upkeep {
    /// Forgets what is known of the server: it may be another one.
    pub(super) fn connected(&mut self) {
        self.known.clear();
    }

    /// Makes partitions, as far as they are missing: for the days of lines, and ahead. `run` executes a statement.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn make_partitions(
        &mut self,
        lines: &Lines,
        table: &Table,
        run: impl Fn(&str) -> Answer,
    ) -> Result<(), Error> {
        if !self.by_day {
            return Ok(());
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
        let now = Instant::now();
        if self.make_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        for _ in 0..PARTITIONS {
            let Some(day) = self.wanted.first().copied() else { break };
            match run(&table.make_partition(start_of(day), start_of(day + 1))) {
                Ok(_) => {
                    self.wanted.remove(&day);
                    self.known.insert(day);
                }
                Err(trouble) => {
                    self.make_at = Some(after(now, AGAIN));
                    return self.note(trouble, "make a partition");
                }
            }
        }
        Ok(())
    }

    /// Deletes old rows, for a short time. `lines`: how many were just written.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn delete(&mut self, lines: usize, table: &Table, run: impl Fn(&str) -> Answer) -> Result<(), Error> {
        let Some(age) = self.age else { return Ok(()) };
        let begun = Instant::now();
        if !self.is_behind && self.look_at.is_some_and(|at| at > begun) {
            return Ok(());
        }
        let oldest = before(self.now(), age);
        let (next, trouble) = match self.step(oldest, STEP_ROWS.max(2 * lines), table, run) {
            Ok(true) => (PAUSE, None),
            Ok(false) => ((age / LOOKS).clamp(LOOK_EVERY[0], LOOK_EVERY[1]), None),
            Err(trouble) => (AGAIN, Some(trouble)),
        };
        self.is_behind = next == PAUSE;
        self.look_at = Some(after(begun, next));
        trouble.map_or(Ok(()), |trouble| self.note(trouble, "delete old lines"))
    }

    /// Returns when the sink is called without lines; `None` for never.
    pub(super) fn next(&self) -> Option<Instant> {
        let make_at = (!self.wanted.is_empty()).then(|| self.make_at.unwrap_or_else(Instant::now));
        self.look_at.into_iter().chain(make_at).min()
    }

    /// Returns what the server refused, once.
    pub(super) fn take_complaint(&mut self) -> Option<Error> {
        self.complaint.take()
    }

    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    /// Returns the days that may have a partition.
    fn days(&self, today: i64) -> RangeInclusive<i64> {
        let kept = self.age.map_or(LATE, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX) / DAY_NANOS);
        today - kept.min(LATE)..=today + EARLY
    }

    /// Drops the partitions that are too old, and deletes at most `limit` other rows. Returns whether there may be more.
    fn step(
        &mut self,
        oldest: Timestamp,
        limit: usize,
        table: &Table,
        run: impl Fn(&str) -> Answer,
    ) -> Result<bool, Trouble> {
        let leaf = if self.by_day {
            for name in texts(&run(&table.partitions())?) {
                let day = table.start_of_partition(name).map(day_of);
                if let Some(day) = day.filter(|day| start_of(day + 1) <= oldest) {
                    run(&table.drop_partition(start_of(day)))?;
                    self.known.remove(&day);
                }
            }
            table.other().to_owned()
        } else {
            let found = run(&table.with_old_rows(oldest))?;
            let Some(leaf) = texts(&found).next() else { return Ok(false) };
            leaf.to_owned()
        };
        let deleted = run(&table.delete(&leaf, oldest, limit))?;
        Ok(deleted.iter().any(|message| matches!(message, SimpleQueryMessage::CommandComplete(1..))))
    }

    /// Keeps what the server refused, to report it.
    fn note(&mut self, trouble: Trouble, doing: &str) -> Result<(), Error> {
        match trouble {
            Trouble::Refused(error) => {
                self.complaint = Some(error.of(doing));
                Ok(())
            }
            Trouble::Lost(error) => Err(error.of(doing)),
        }
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
