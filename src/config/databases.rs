//! Sections of sinks that write to databases.

use crate::settings::{Key, Kind, Section};
#[cfg(feature = "postgres")]
use crate::sink::Postgres;
use crate::sink::Sink;
#[cfg(feature = "sqlite")]
use crate::sink::Sqlite;

const COLUMNS: &str = "The columns: any of `time`, `level`, `target`, `module`, `file`, `line_number`, `thread`, `message`, \
                       `service`, `trace_id`, `span_id`, `request_id`, `line`, and `field:NAME`.";
const DEFAULT_COLUMNS: &str = "time, level, target, message, service, trace_id, request_id, line";

#[cfg(feature = "sqlite")]
pub(super) fn sqlite(section: &mut Section<'_>) -> Box<dyn Sink> {
    let path = section.path(Key::required("sqlite", Kind::Path, "The path of the database.")).unwrap_or_default();
    let sink = section
        .on(Sqlite::new(path))
        .text("table", Sqlite::DEFAULT_TABLE, "The name of the table.", Sqlite::table)
        .texts("columns", DEFAULT_COLUMNS, COLUMNS, Sqlite::columns)
        .duration("keep_for", "no limit", "How long to keep a row.", Sqlite::keep_for)
        .bytes("keep_bytes", "no limit", "How many bytes of the database may be in use.", Sqlite::keep_bytes)
        .done();
    section.check(|| sink.check_settings());
    Box::new(sink)
}

#[cfg(feature = "postgres")]
pub(super) fn postgres(section: &mut Section<'_>) -> Box<dyn Sink> {
    let doc = "The URL of the database, without a password.";
    let key = Key::required("postgres", Kind::Form("postgres://app@db.example.com/logs"), doc);
    let url = section.text(key).unwrap_or_default();
    let partitions = "Creates the table with a partition for each day.";
    let sink = section
        .on(Postgres::new(url))
        .secret("password", "none", "The password.", Postgres::password)
        .text("table", Postgres::DEFAULT_TABLE, "The name of the table.", Postgres::table)
        .texts("columns", DEFAULT_COLUMNS, COLUMNS, Postgres::columns)
        .flag("create_table", "Creates the table where it is missing.", Postgres::create_table)
        .flag("partitioned_by_day", partitions, Postgres::partitioned_by_day)
        .duration("keep_for", "no limit", "How long to keep a partition.", Postgres::keep_for)
        .duration("timeout", "5 s", "How long connecting and each batch may take.", Postgres::timeout)
        .done();
    section.check(|| sink.check_settings());
    Box::new(sink)
}
