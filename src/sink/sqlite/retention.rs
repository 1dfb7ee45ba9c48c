//! What is deleted from the table: rows that are too old, and the oldest while the database is too large.
//!
//! Each step is a short transaction. SQLite reuses the pages that it frees. Free pages beyond a reserve are given back to the
//! file system, a few at a time.

use std::time::{Duration, Instant};

use super::database::{Database, Transaction};
use super::table::{KEY, Table};
use crate::record::Timestamp;
use crate::sync::after;

/// A step deletes at most this many rows, or twice as many as the last batch had, so it gets ahead of new lines.
const STEP_ROWS: usize = 1_000;

/// Steps go on for this long in one call.
const CALL: Duration = Duration::from_millis(20);

/// The pause between calls while there is more to delete: other processes get their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// How often to look for rows that are too old: a hundred times in the time that they are kept, within these limits.
const LOOKS: u32 = 100;
const LOOK_EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Free pages that stay for new lines, and how many others one step gives back.
const RESERVE_PAGES: u64 = 256;
const STEP_PAGES: u64 = 512;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Retention {
    pub(super) age: Option<Duration>,
    pub(super) bytes: Option<u64>,
    /// When to look for old rows.
    look_at: Option<Instant>,
    /// The last call left something to delete.
    is_behind: bool,
}

impl Retention {
    /// Deletes what is beyond the limits, for a short time. `lines`: how many were just inserted.
    pub(super) fn apply(
        &mut self,
        database: &Database,
        table: &Table,
        now: Timestamp,
        lines: usize,
    ) -> rusqlite::Result<()> {
        let begun = Instant::now();
        let looks = self.age.is_some() && self.look_at.is_none_or(|at| at <= begun);
        if !(looks || self.is_behind || self.bytes.is_some()) {
            return Ok(());
        }
        let limit = STEP_ROWS.max(2 * lines);
        loop {
            let has_more = self.step(database, table, now, limit)?;
            self.is_behind = has_more;
            if !has_more {
                self.look_at = self.age.map(|age| after(begun, (age / LOOKS).clamp(LOOK_EVERY[0], LOOK_EVERY[1])));
                return Ok(());
            }
            if begun.elapsed() >= CALL {
                return Ok(());
            }
        }
    }

    /// Returns when the sink is called without lines; `None` for never.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.is_behind { Some(after(Instant::now(), PAUSE)) } else { self.look_at }
    }

    /// Deletes at most `limit` rows for each limit. Returns whether there may be more.
    fn step(&self, database: &Database, table: &Table, now: Timestamp, limit: usize) -> rusqlite::Result<bool> {
        let connection = database.connection()?;
        let name = &table.name;
        let number = |name: &str| {
            let found = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
            found.map(|found| u64::try_from(found).unwrap_or(0))
        };
        let oldest = self.age.zip(table.rows.columns().iter().find(|column| column.is_time())).map(|(age, column)| {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            (Timestamp::from_nanos(now.as_nanos().saturating_sub(age)), &column.name)
        });
        let mut deleted_old = 0;
        if let Some((oldest, column)) = oldest {
            let old: i64 = connection.query_row(
                &format!("SELECT EXISTS (SELECT 1 FROM \"{name}\" WHERE \"{column}\" < ?1)"),
                [oldest.to_string()],
                |row| row.get(0),
            )?;
            if old != 0 {
                let transaction = Transaction::begin(connection)?;
                deleted_old = connection.execute(
                    &format!(
                        "DELETE FROM \"{name}\" WHERE \"{KEY}\" IN (SELECT \"{KEY}\" FROM \"{name}\" \
                         WHERE \"{column}\" < ?1 ORDER BY \"{column}\" LIMIT {limit})"
                    ),
                    [oldest.to_string()],
                )?;
                transaction.commit()?;
            }
        }
        let (pages, free) = (number("page_count")?, number("freelist_count")?);
        let used = (pages - free.min(pages)).saturating_mul(number("page_size")?);
        let mut deleted_large = 0;
        if let Some(most) = self.bytes.filter(|most| used > *most) {
            // As many as are too many if all rows were equally large.
            let span = format!("SELECT coalesce(max(\"{KEY}\") - min(\"{KEY}\") + 1, 0) FROM \"{name}\"");
            let rows: i64 = connection.query_row(&span, [], |row| row.get(0))?;
            let share = u128::try_from(rows).unwrap_or(0) * u128::from(used - most) / u128::from(used.max(1));
            let limit = usize::try_from(share).unwrap_or(limit).saturating_add(1).min(limit);
            let transaction = Transaction::begin(connection)?;
            deleted_large = connection.execute(
                &format!(
                    "DELETE FROM \"{name}\" WHERE \"{KEY}\" IN \
                     (SELECT \"{KEY}\" FROM \"{name}\" ORDER BY \"{KEY}\" LIMIT {limit})"
                ),
                [],
            )?;
            transaction.commit()?;
        }
        let is_deleting = deleted_old >= limit || deleted_large > 0;
        let reserve = RESERVE_PAGES.max(pages / 10);
        let gives_back = !is_deleting && free > reserve;
        if gives_back {
            let count = (free - reserve).min(STEP_PAGES);
            // Each step of the statement frees a page.
            let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({count})"))?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
            return Ok(free - count > reserve && number("freelist_count")? < free);
        }
        Ok(is_deleting)
    }
}
