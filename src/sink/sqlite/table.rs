//! The table: its names, and the SQL for it.

use crate::error::Error;
use crate::schema::{Column, Rows};

/// The key of each row, which SQLite counts up.
pub(super) const KEY: &str = "id";

/// Longer names are a mistake.
const MAX_NAME_BYTES: usize = 63;

/// A table with a name and columns that were checked.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) rows: Rows,
}

impl Table {
    /// Checks a name and the columns.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(super) fn new(name: &str, columns: &[String]) -> Result<Self, Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = name.bytes().all(is_word) && !name.starts_with(|first: char| first.is_ascii_digit());
        let is_free = !name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !is_name || !is_free {
            return Err(Error::invalid(format!(
                "no table can be called `{}`; expected letters, digits and `_`, such as `log`",
                name.escape_debug()
            )));
        }
        let rows = Rows::new(columns)?;
        if rows.columns().iter().any(|column| column.name.eq_ignore_ascii_case(KEY)) {
            return Err(Error::invalid(format!(
                "the column `{KEY}` is the key of each row; remove it, and read that field from the column `line`"
            )));
        }
        Ok(Self { name: name.to_owned(), rows })
    }

    /// Returns the statements that create what is missing of the table and its indices.
    pub(super) fn create(&self) -> String {
        let columns: String = self.rows.columns().iter().map(|column| format!(", {}", definition(column))).collect();
        let name = &self.name;
        let mut sql = format!("CREATE TABLE IF NOT EXISTS \"{name}\" (\"{KEY}\" INTEGER PRIMARY KEY{columns});");
        for column in self.rows.columns() {
            let of = quoted(&column.name);
            let index = quoted(&format!("{name}_{}", column.name));
            if column.is_time() {
                sql += &format!("CREATE INDEX IF NOT EXISTS {index} ON \"{name}\" ({of});");
            } else if column.is_id() {
                sql += &format!("CREATE INDEX IF NOT EXISTS {index} ON \"{name}\" ({of}) WHERE {of} IS NOT NULL;");
            }
        }
        sql
    }

    /// Returns the statement that inserts a row.
    pub(super) fn insert(&self) -> String {
        let names: Vec<_> = self.rows.columns().iter().map(|column| quoted(&column.name)).collect();
        let places = vec!["?"; names.len()].join(",");
        format!("INSERT INTO \"{}\" ({}) VALUES ({places})", self.name, names.join(","))
    }

    /// Checks the columns that the table in the database has.
    ///
    /// # Errors
    /// One is missing.
    pub(super) fn check(&self, found: &[String]) -> Result<(), Error> {
        let is_found = |name: &str| found.iter().any(|found| found.eq_ignore_ascii_case(name));
        if !is_found(KEY) {
            let name = &self.name;
            return Err(Error::invalid(format!(
                "its table `{name}` has no key `{KEY}`, so another program made it; set another name with `table`"
            )));
        }
        let missing: Vec<_> = self.rows.columns().iter().filter(|column| !is_found(&column.name)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let add: Vec<_> = missing
            .iter()
            .map(|column| format!("ALTER TABLE \"{}\" ADD COLUMN {};", self.name, definition(column)))
            .collect();
        Err(Error::invalid(format!(
            "its table `{}` has no column `{}`; add it with `{}`, or set another name with `table`",
            self.name,
            first.name,
            add.join(" ")
        )))
    }
}

fn definition(column: &Column) -> String {
    format!("{} {}", quoted(&column.name), if column.is_number() { "INTEGER" } else { "TEXT" })
}

/// Returns a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
