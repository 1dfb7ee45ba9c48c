//! The table and the table of senders: their names, and the SQL for them.

use chrono::{NaiveDate, NaiveTime};

use crate::error::Error;
use crate::record::Timestamp;
use crate::schema::{Column, Rows};

/// The key of each row, which the server counts up.
const KEY: &str = "id";

/// The column that chooses the partition, and by which rows are old.
const TIME: &str = "time";

/// The day in the name of a partition.
const DAY: &str = "%Y%m%d";

/// What is not urgent waits this long for a lock, in milliseconds. Lines wait meanwhile.
const LOCK_MILLIS: u32 = 500;

/// The server cuts longer names. Room for the endings of indices and of the table of senders is left.
const MAX_NAME_BYTES: usize = 40;

/// A table with a name and columns that were checked.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// With its schema, if one is set, quoted for SQL.
    name: String,
    senders: String,
    /// The schema, if one is set, quoted for SQL, with the dot.
    prefix: String,
    /// The name alone.
    plain: String,
    /// The partition for the times of no other partition, quoted for SQL; `None` if the table has no partitions.
    other: Option<String>,
    pub(super) rows: Rows,
}

impl Table {
    /// Checks a name, with or without a schema, and the columns. `by_day`: each day has a partition.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(super) fn new(name: &str, columns: &[String], by_day: bool) -> Result<Self, Error> {
        let is_word = |part: &str| {
            let is_name = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_name
                && (1..=MAX_NAME_BYTES).contains(&part.len())
                && !part.starts_with(|first: char| first.is_ascii_digit())
        };
        let (schema, plain) = match name.split_once('.') {
            Some((schema, plain)) => (Some(schema), plain),
            None => (None, name),
        };
        if !schema.is_none_or(is_word) || !is_word(plain) {
            return Err(Error::invalid(format!(
                "no table can be called `{}`; expected letters, digits and `_`, at most {MAX_NAME_BYTES}, such as `log` or \
                 `audit.log`",
                name.escape_debug()
            )));
        }
        let rows = Rows::new(columns)?;
        if let Some(key) = rows.columns().iter().find(|column| column.name == KEY) {
            return Err(Error::invalid(format!(
                "the column `{}` is the key of each row; remove it, and read that field from the column `line`",
                key.name
            )));
        }
        let prefix = schema.map_or(String::new(), |schema| format!("\"{schema}\"."));
        let (name, senders) = (format!("{prefix}\"{plain}\""), format!("{prefix}\"{plain}_senders\""));
        let other = by_day.then(|| format!("{prefix}\"{plain}_other\""));
        Ok(Self { name, senders, prefix, plain: plain.to_owned(), other, rows })
    }

    /// Returns the statements that create what is missing.
    pub(super) fn create(&self) -> String {
        let Self { name, senders, plain, .. } = self;
        let columns: String =
            self.rows.columns().iter().map(|column| format!(", {} {}", quoted(&column.name), kind(column))).collect();
        let (key, other) = match &self.other {
            Some(other) => (
                // A key of a table with partitions has the column that chooses the partition.
                format!(", PRIMARY KEY (\"{KEY}\", \"{TIME}\")) PARTITION BY RANGE (\"{TIME}\")"),
                format!("CREATE TABLE IF NOT EXISTS {other} PARTITION OF {name} DEFAULT;"),
            ),
            None => (format!(", PRIMARY KEY (\"{KEY}\"))"), String::new()),
        };
        // Of two processes that create it at once, one would fail.
        let mut sql = format!(
            "SELECT pg_advisory_xact_lock(hashtext('spanline'), 0);\
             CREATE TABLE IF NOT EXISTS {name} (\"{KEY}\" bigint GENERATED ALWAYS AS IDENTITY{columns}{key};{other}\
             CREATE TABLE IF NOT EXISTS {senders} (sender text PRIMARY KEY, batch bigint NOT NULL, \
             seen timestamptz NOT NULL DEFAULT now());"
        );
        for column in self.rows.columns() {
            let of = quoted(&column.name);
            let index = quoted(&format!("{plain}_{}", column.name));
            if column.is_time() {
                sql += &format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({of});");
            } else if column.is_id() {
                sql += &format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({of}) WHERE {of} IS NOT NULL;");
            }
        }
        sql
    }

    /// Returns the query for whether the table of senders is there.
    pub(super) fn has_senders(&self) -> String {
        format!("SELECT 1 WHERE to_regclass('{}') IS NOT NULL", self.senders)
    }

    /// Returns the statements that add a sender, and remove those that were not seen for a month.
    pub(super) fn enter(&self, sender: &str) -> String {
        let senders = &self.senders;
        format!(
            "DELETE FROM {senders} WHERE seen < now() - interval '30 days';\
             INSERT INTO {senders} (sender, batch) VALUES ('{sender}', 0) ON CONFLICT DO NOTHING"
        )
    }

    /// Returns the statements that begin a transaction, and count the batch.
    pub(super) fn begin(&self, sender: &str, batch: u64) -> String {
        format!("BEGIN; UPDATE {} SET batch = {batch}, seen = now() WHERE sender = '{sender}'", self.senders)
    }

    /// Returns the query for the last batch that was committed. It waits for a transaction that is not over.
    pub(super) fn last_batch(&self, sender: &str) -> String {
        format!("SELECT batch FROM {} WHERE sender = '{sender}' FOR UPDATE", self.senders)
    }

    /// Returns the statements that make the partition of a day, unless it is there. The day's rows move to it.
    pub(super) fn make_partition(&self, from: Timestamp, to: Timestamp) -> String {
        let (name, other, partition) = (&self.name, self.other(), self.partition(from));
        format!(
            "SET LOCAL lock_timeout = {LOCK_MILLIS}; DO $$ BEGIN \
             PERFORM pg_advisory_xact_lock(hashtext('spanline'), to_regclass('{name}')::oid::int); \
             IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{partition}') \
             AND inhparent = to_regclass('{name}')) THEN \
             LOCK TABLE {other} IN ACCESS EXCLUSIVE MODE; \
             CREATE TABLE {partition} (LIKE {name} INCLUDING DEFAULTS); \
             WITH moved AS (DELETE FROM {other} WHERE \"{TIME}\" >= '{from}' AND \"{TIME}\" < '{to}' RETURNING *) \
             INSERT INTO {partition} SELECT * FROM moved; \
             ALTER TABLE {name} ATTACH PARTITION {partition} FOR VALUES FROM ('{from}') TO ('{to}'); \
             END IF; END $$"
        )
    }

    /// Returns the query for the names of the partitions.
    pub(super) fn partitions(&self) -> String {
        format!(
            "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = to_regclass('{}')",
            self.name
        )
    }

    /// Returns the begin of the day that a partition is for; `None` if it is not for a day.
    pub(super) fn start_of_partition(&self, name: &str) -> Option<Timestamp> {
        let day = name.strip_prefix(&*self.plain)?.strip_prefix('_').filter(|day| day.len() == 8)?;
        let day = NaiveDate::parse_from_str(day, DAY).ok()?;
        Some(day.and_time(NaiveTime::MIN).and_utc().into())
    }

    /// Returns the statement that drops the partition of a day.
    pub(super) fn drop_partition(&self, from: Timestamp) -> String {
        format!("SET LOCAL lock_timeout = {LOCK_MILLIS}; DROP TABLE IF EXISTS {}", self.partition(from))
    }

    fn partition(&self, from: Timestamp) -> String {
        format!("{}\"{}_{}\"", self.prefix, self.plain, from.to_datetime().format(DAY))
    }

    /// Returns the partition for the times of no other partition.
    pub(super) fn other(&self) -> &str {
        self.other.as_deref().unwrap_or(&self.name)
    }

    /// Returns the query for the table with rows before a time: this one or, if it has partitions, one of those.
    pub(super) fn with_old_rows(&self, oldest: Timestamp) -> String {
        format!("SELECT tableoid::regclass FROM {} WHERE \"{TIME}\" < '{oldest}' LIMIT 1", self.name)
    }

    /// Returns the statement that deletes at most `limit` rows before a time from a table without partitions.
    pub(super) fn delete(&self, table: &str, oldest: Timestamp, limit: usize) -> String {
        format!(
            "SET LOCAL lock_timeout = {LOCK_MILLIS}; DELETE FROM ONLY {table} WHERE ctid = ANY (ARRAY(\
             SELECT ctid FROM ONLY {table} WHERE \"{TIME}\" < '{oldest}' LIMIT {limit}))"
        )
    }

    /// Returns the statement that takes rows.
    pub(super) fn copy(&self) -> String {
        let names: Vec<_> = self.rows.columns().iter().map(|column| quoted(&column.name)).collect();
        format!("COPY {} ({}) FROM STDIN", self.name, names.join(","))
    }
}

fn kind(column: &Column) -> &'static str {
    if column.is_time() {
        "timestamptz"
    } else if column.is_number() {
        "bigint"
    } else if column.is_line() {
        "json"
    } else {
        "text"
    }
}

/// Returns a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
