//! ClickHouse as the engine that answers questions.

use std::collections::HashMap;
use std::io;

use super::address::Address;
use super::client::{Client, Failure};
use super::columns::NO_TIME;
use super::condition::Condition;
use super::lines::StoredLines;
use super::rows::RowReader;
use super::segments::{self, Known, Sum, Which, is_complete};
use super::sql::{ids, signed, times};
use super::table::Tables;
use crate::scan::Totals;

/// ClickHouse's code for a database or a table that is missing.
const MISSING: [u32; 2] = [60, 81];

/// How often a question is asked again whose lines have changed meanwhile.
const ATTEMPTS: u32 = 5;

/// The order of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Logs merged by time: as `find` prints them.
    Merged,
    /// One log after the other, and their segments in order.
    Logs,
    /// By their own times, the newest first.
    Newest,
}

/// A part of the lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion<'c> {
    pub(crate) condition: &'c Condition,
    pub(crate) order: Order,
    /// How many are wanted at most.
    pub(crate) limit: Option<u64>,
}

/// ClickHouse, and the segments that are loaded there.
#[derive(Debug)]
pub(crate) struct Engine {
    client: Client,
    tables: Tables,
    /// Those that are complete, in the order of logs.
    segments: Vec<Known>,
}

impl Engine {
    /// Connects.
    ///
    /// # Errors
    /// The node is not reached, or has no such tables.
    pub(crate) fn connect(address: &Address, password: Option<String>) -> Result<Self, String> {
        let (client, tables) = (Client::new(address.clone(), password), Tables::new(address));
        let segments = segments::known(&client, &tables, Which::Complete).map_err(|failure| match failure.code {
            Some(code) if MISSING.contains(&code) => format!("{failure}; load logs first: spanline load --to …"),
            _ => failure.to_string(),
        })?;
        Ok(Self { client, tables, segments })
    }

    /// Returns whether there are lines of several logs.
    pub(crate) fn are_several(&self) -> bool {
        self.segments
            .iter()
            .any(|known| Some(&known.source.log) != self.segments.first().map(|first| &first.source.log))
    }

    /// Returns how many segments there are, and the totals of their lines.
    pub(crate) fn totals(&self) -> (u64, Totals) {
        let mut totals = Totals::default();
        self.segments.iter().for_each(|known| totals.add(known.loaded.totals));
        (self.segments.len() as u64, totals)
    }

    /// Returns lines.
    ///
    /// # Errors
    /// The node refuses the query.
    pub(crate) fn lines(&self, portion: Portion<'_>) -> Result<StoredLines, String> {
        let statement = statement_of(&self.tables, portion, &self.carried());
        let rows = self.client.stream(&statement).map_err(|failure| failure.to_string())?;
        Ok(StoredLines::new(self.client.clone(), rows, self.times_before()))
    }

    /// Returns how many lines meet a condition.
    ///
    /// # Errors
    /// The node fails.
    pub(crate) fn count(&self, condition: &Condition) -> Result<u64, String> {
        let rows = self.rows(&self.select("toUInt64(count())", condition, ""), |row| row.u64())?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// Asks questions that take several queries. If lines are loaded meanwhile, it asks them again.
    ///
    /// # Errors
    /// The node fails, or lines are loaded all the time.
    pub(crate) fn consistent<T>(&mut self, mut ask: impl FnMut(&Self) -> Result<T, String>) -> Result<T, String> {
        for _ in 0..ATTEMPTS {
            let answer = ask(self)?;
            let sum = Sum::ask(&self.client, &self.tables).map_err(|failure| failure.to_string())?;
            if sum == Sum::of(&self.segments) {
                return Ok(answer);
            }
            let segments = segments::known(&self.client, &self.tables, Which::Complete);
            self.segments = segments.map_err(|failure| failure.to_string())?;
        }
        Err("lines were loaded while they were counted; try again after spanline load".to_owned())
    }

    /// Returns a query about lines that meet a condition.
    pub(super) fn select(&self, what: &str, condition: &Condition, behind: &str) -> String {
        select(&self.tables, what, condition, behind)
    }

    /// Runs a query, and reads all its rows.
    pub(super) fn rows<T>(
        &self,
        query: &str,
        mut read: impl FnMut(&mut RowReader<&[u8]>) -> io::Result<T>,
    ) -> Result<Vec<T>, String> {
        let bytes = self.client.run(query).map_err(|failure| failure.to_string())?;
        let mut rest = bytes.as_slice();
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let mut reader = RowReader::new(rest);
            let failed = |error: io::Error| self.failed(&error).to_string();
            rows.push(read(&mut reader).map_err(failed)?);
            rest = reader.into_inner();
        }
        Ok(rows)
    }

    fn failed(&self, error: &io::Error) -> Failure {
        self.client.failure(&format!("read the answer: {error}"), None)
    }

    /// Returns the segments that begin before the latest time of those before them in their log, and that time.
    fn carried(&self) -> Vec<(u64, i64)> {
        let mut carried = Vec::new();
        let (mut log, mut latest) = ("", NO_TIME);
        for Known { id, source, loaded, .. } in &self.segments {
            if source.log != log {
                (log, latest) = (&source.log, NO_TIME);
            }
            if latest > loaded.places.0 {
                carried.push((*id, latest));
            }
            latest = latest.max(loaded.places.1);
        }
        carried
    }

    /// Returns the last time before each segment in its log.
    fn times_before(&self) -> HashMap<u64, i64> {
        let mut times = HashMap::new();
        let (mut log, mut last) = ("", NO_TIME);
        for Known { id, source, loaded, .. } in &self.segments {
            if source.log != log {
                (log, last) = (&source.log, NO_TIME);
            }
            times.insert(*id, last);
            last = if loaded.last_time == NO_TIME { last } else { loaded.last_time };
        }
        times
    }
}

/// Returns the query for a part of the lines, as it is without segments whose times overlap.
pub(crate) fn statement(address: &Address, portion: Portion<'_>) -> String {
    statement_of(&Tables::new(address), portion, &[])
}

/// Returns a query about lines that meet a condition.
pub(super) fn select(tables: &Tables, what: &str, condition: &Condition, behind: &str) -> String {
    format!(
        "SELECT {what}\nFROM {}\nWHERE {}\n{behind}{}FORMAT RowBinary",
        tables.lines(),
        filter(tables, condition),
        { if behind.is_empty() { "" } else { "\n" } }
    )
}

fn filter(tables: &Tables, condition: &Condition) -> String {
    let terms = [is_complete(tables)].into_iter().chain(condition.terms().iter().cloned());
    terms.collect::<Vec<_>>().join("\n  AND ")
}

/// Returns the query for a part of the lines. Behind the last one is a row that says that this was all.
fn statement_of(tables: &Tables, portion: Portion<'_>, carried: &[(u64, i64)]) -> String {
    let Portion { condition, order, limit } = portion;
    let place = match carried {
        [] => "place".to_owned(),
        carried => {
            let ids = ids(carried.iter().map(|(id, _)| *id));
            let times = times(carried.iter().map(|(_, time)| *time));
            format!("greatest(place, transform(segment, {ids}, {times}, {}))", signed(NO_TIME))
        }
    };
    let order = match order {
        Order::Merged => "merged, log, sequence, at",
        Order::Logs => "log, sequence, at",
        Order::Newest => "time DESC, log DESC, sequence DESC, at DESC",
    };
    let first = limit.map(|limit| format!("\nORDER BY {order} LIMIT {limit}")).unwrap_or_default();
    format!(
        "SELECT is_end, settled_as, is_cut, present, time, segment, line FROM\n\
         (SELECT toUInt8(0) AS is_end, CAST(settled, 'Int8') AS settled_as, is_cut, present, time, segment, line, {place} AS merged, \
         log, sequence, at\n\
         FROM {}\nWHERE {}{first}\n\
         UNION ALL\nSELECT toUInt8(1), toInt8(0), toUInt8(0), toUInt8(0), toInt64(0), toUInt64(0), '', toInt64(0), '', toUInt64(0), toUInt64(0))\n\
         ORDER BY is_end, {order} FORMAT RowBinary",
        tables.lines(),
        filter(tables, condition)
    )
}
