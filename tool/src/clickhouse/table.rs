//! The tables of a database, and the statements that create them.

use super::address::Address;
use super::columns::COLUMNS;
use super::segments::SEGMENT_COLUMNS;
use super::sql::{name, text};

/// The tables of a database.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    database: String,
    cluster: Option<String>,
}

impl Tables {
    pub(super) fn new(address: &Address) -> Self {
        Self { database: address.database.clone(), cluster: address.cluster.clone() }
    }

    /// Returns the table that questions are asked of.
    pub(super) fn lines(&self) -> String {
        self.table("lines")
    }

    /// Returns the table of a node that has rows: in a cluster, `lines` only distributes questions.
    pub(super) fn local(&self) -> String {
        self.table(self.local_name())
    }

    fn local_name(&self) -> &'static str {
        if self.cluster.is_some() { "lines_local" } else { "lines" }
    }

    /// Returns the table of segments, which each node has.
    pub(super) fn segments(&self) -> String {
        self.table("lines_segments")
    }

    fn table(&self, table: &str) -> String {
        format!("{}.{}", name(&self.database), name(table))
    }

    /// Returns the statements that create what is missing.
    pub(super) fn statements(&self) -> Vec<String> {
        let (local, segments) = (self.local(), self.segments());
        let mut statements = vec![
            format!("CREATE DATABASE IF NOT EXISTS {}", name(&self.database)),
            // Since ClickHouse 19.6, `ALTER TABLE … MODIFY TTL day + INTERVAL 30 DAY` removes old lines.
            format!(
                "CREATE TABLE IF NOT EXISTS {local}\n({})\nENGINE = MergeTree PARTITION BY day\nORDER BY (service, time, segment, \
                 at)\nSETTINGS index_granularity = 8192",
                columns(&COLUMNS)
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {segments}\n({})\nENGINE = MergeTree\nORDER BY (segment, state)\nSETTINGS \
                 index_granularity = 8192",
                columns(&SEGMENT_COLUMNS)
            ),
        ];
        if let Some(cluster) = &self.cluster {
            statements.push(format!(
                "CREATE TABLE IF NOT EXISTS {} AS {local} ENGINE = Distributed({}, {}, {})",
                self.lines(),
                text(cluster),
                text(&self.database),
                text(self.local_name())
            ));
        }
        statements
    }

    /// Returns the statement that inserts lines on a node.
    pub(super) fn insert(&self) -> String {
        insert(&self.local(), &COLUMNS)
    }

    /// Returns the statement that inserts states of segments on a node.
    pub(super) fn insert_segments(&self) -> String {
        insert(&self.segments(), &SEGMENT_COLUMNS)
    }

    /// Returns the query for the number of a cluster's shards; `None` without a cluster.
    pub(super) fn shards(&self) -> Option<String> {
        let cluster = text(self.cluster.as_ref()?);
        Some(format!(
            "SELECT toUInt64(uniqExact(shard_num)), toUInt64(count()) FROM system.clusters WHERE cluster = {cluster} FORMAT \
             RowBinary"
        ))
    }

    /// Returns the query for the number of deletions with a mark that are not done.
    pub(super) fn mutations(&self, mark: &str) -> String {
        format!(
            "SELECT toUInt64(count()) FROM system.mutations WHERE database = {} AND position(command, {}) > 0 AND is_done = 0 \
             FORMAT RowBinary",
            text(&self.database),
            text(mark)
        )
    }
}

/// Returns the statements that create what is missing in a database.
pub(crate) fn statements(address: &Address) -> Vec<String> {
    Tables::new(address).statements()
}

fn columns(columns: &[(&str, &str)]) -> String {
    columns.iter().map(|(column, of)| format!("{column} {of}")).collect::<Vec<_>>().join(",\n ")
}

fn insert(table: &str, columns: &[(&str, &str)]) -> String {
    let names: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
    format!("INSERT INTO {table} ({})", names.join(", "))
}
