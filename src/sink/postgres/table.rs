//! The table and the table of senders: their names, and the SQL for them.

use crate::error::Error;
use crate::schema::{Column, Rows};

/// The key of each row, which the server counts up.
const KEY: &str = "id";

/// The server cuts longer names. Room for the endings of indices and of the table of senders is left.
const MAX_NAME_BYTES: usize = 40;

/// A table with a name and columns that were checked.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// With its schema, if one is set, quoted for SQL.
    name: String,
    senders: String,
    /// The name alone.
    plain: String,
    pub(super) rows: Rows,
}

impl Table {
    /// Checks a name, with or without a schema, and the columns.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(super) fn new(name: &str, columns: &[String]) -> Result<Self, Error> {
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
        Ok(Self { name, senders, plain: plain.to_owned(), rows })
    }

    /// Returns the statements that create what is missing.
    pub(super) fn create(&self) -> String {
        let Self { name, senders, plain, .. } = self;
        let columns: String =
            self.rows.columns().iter().map(|column| format!(", {} {}", quoted(&column.name), kind(column))).collect();
        let mut sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} (\"{KEY}\" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY{columns});\
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
