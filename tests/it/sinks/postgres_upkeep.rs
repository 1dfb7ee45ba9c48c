//! `sink::Postgres`: partitions by day, and the end of old rows, in a real server.
#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use spanline::metrics::OutputMetrics;
use spanline::record::Timestamp;
use spanline::sink::{Postgres, Secret};
use spanline::{Builder, Output, Overflow};
use tracing::info;

use crate::support::faults::{Complaints, built, within};
use crate::support::postgres::{PASSWORD, Server};
use crate::support::wait::{PATIENCE, until};

const DAY: i64 = 86_400_000_000_000;

/// 2026-11-20 at noon.
const TODAY: i64 = 1_795_176_000_000_000_000;

/// Events have the time that a test sets, and the log's threads another.
#[derive(Clone, Debug, Default)]
struct Times(Arc<AtomicI64>);

impl Times {
    /// Logs a line at noon of a day, counted from [`TODAY`].
    fn log(&self, day: i64) {
        self.0.store(TODAY + day * DAY, Ordering::SeqCst);
        info!(day, "line");
    }

    /// Sends lines to a database on a day.
    fn to(&self, database: Postgres, today: i64) -> Builder {
        let output = Output::new(database).overflow(Overflow::Block { max_wait: PATIENCE });
        let builder = spanline::builder().on_complaint(|_| {}).output(output).shutdown_timeout(PATIENCE, PATIENCE);
        let times = self.clone();
        builder.clock(move || {
            let thread = std::thread::current();
            let is_ours = thread.name().is_some_and(|name| name.starts_with("spanline-"));
            Timestamp::from_nanos(if is_ours { TODAY + today * DAY } else { times.0.load(Ordering::SeqCst) })
        })
    }
}

fn sink(server: &Server) -> Postgres {
    Postgres::new(server.url()).password(Secret::text(PASSWORD))
}

/// Logs lines at noon of days, in one log that exists on `today`.
fn log_on(database: Postgres, today: i64, days: impl IntoIterator<Item = i64>) -> OutputMetrics {
    let times = Times::default();
    let (dispatch, guard) = built(times.to(database, today));
    within(&dispatch, || days.into_iter().for_each(|day| times.log(day)));
    guard.handle().flush(PATIENCE).unwrap();
    let books = guard.handle().metrics().outputs.remove(0);
    guard.close().unwrap();
    books
}

/// Returns the partitions with rows, and how many each has.
fn rows(server: &Server) -> String {
    server.sql("SELECT tableoid::regclass, count(*) FROM log GROUP BY 1 ORDER BY 1").replace('\n', " ")
}

fn partitions(server: &Server) -> String {
    let sql = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'log'::regclass ORDER BY 1::text";
    server.sql(sql).replace('\n', " ")
}

#[test]
fn each_day_has_a_partition_and_one_has_all_times_that_are_far_away() {
    let Some(server) = Server::start() else { return };
    let books = log_on(sink(&server).partitioned_by_day(), 0, [0, 0, -5, 5, -400, 400, -366, 7]);
    assert_eq!((books.written.total(), books.dropped.total(), books.retries), (8, 0, 0), "{books:#?}");
    let expected = "log_20251119|1 log_20261115|1 log_20261120|2 log_20261125|1 log_20261127|1 log_other|2";
    let mut found: Vec<_> = rows(&server).split(' ').map(str::to_owned).collect();
    found.sort();
    assert_eq!(found.join(" "), expected);
    let ahead = "log_20261121 log_20261122";
    let mut all: Vec<_> = partitions(&server).split(' ').map(str::to_owned).collect();
    all.sort();
    assert_eq!(all.len(), 8, "{all:?}");
    assert!(ahead.split(' ').all(|day| all.iter().any(|name| name == day)), "{all:?}");
    let order = server.sql("SELECT line ->> 'day' FROM log ORDER BY id").replace('\n', " ");
    assert_eq!(order, "0 0 -5 5 -400 400 -366 7", "the key counts up over all partitions");
    let midnight =
        server.sql("SELECT count(*) FROM log_20261120 WHERE time < '2026-11-20 00:00Z' OR time >= '2026-11-21 00:00Z'");
    assert_eq!(midnight, "0");
}

#[test]
fn rows_move_to_the_partition_of_their_day_when_it_is_made() {
    let Some(server) = Server::start() else { return };
    log_on(sink(&server).partitioned_by_day(), 0, [30, 30, 31, 0]);
    assert!(rows(&server).contains("log_other|3"), "{}", rows(&server));
    let books = log_on(sink(&server).partitioned_by_day(), 29, [29]);
    assert_eq!((books.written.total(), books.retries), (1, 0), "{books:#?}");
    let mut found: Vec<_> = rows(&server).split(' ').map(str::to_owned).collect();
    found.sort();
    assert_eq!(found, ["log_20261120|1", "log_20261219|1", "log_20261220|2", "log_20261221|1"]);
}

#[test]
fn a_partition_is_dropped_when_all_of_its_day_is_too_old() {
    let Some(server) = Server::start() else { return };
    server.sql("CREATE TABLE log_20200101 (a int); CREATE TABLE log_backup (a int)");
    log_on(sink(&server).partitioned_by_day(), 0, -5..=0);
    let kept = || sink(&server).partitioned_by_day().keep_for(Duration::from_secs(3 * 86_400));
    let books = log_on(kept(), 0, [0, -10, -300]);
    assert_eq!(books.dropped.total(), 0);
    let (_, guard) = built(Times::default().to(kept(), 0));
    // Three days before noon is noon of day -3, whose afternoon is kept.
    until("old rows to go", || rows(&server).split(' ').count() == 4);
    guard.close().unwrap();
    let mut found: Vec<_> = rows(&server).split(' ').map(str::to_owned).collect();
    found.sort();
    assert_eq!(found, ["log_20261117|1", "log_20261118|1", "log_20261119|1", "log_20261120|2"]);
    assert!(!partitions(&server).contains("log_20261116"), "{}", partitions(&server));
    assert_eq!(server.sql("SELECT count(*) FROM log_20200101"), "0", "another table stays");

    let (_, guard) = built(Times::default().to(kept(), 2));
    until("the next partitions to go, without a line", || rows(&server).split(' ').count() == 2);
    guard.close().unwrap();
}

#[test]
fn rows_of_a_table_without_partitions_are_deleted_by_age_in_steps() {
    let Some(server) = Server::start() else { return };
    let keep = || sink(&server).keep_for(Duration::from_secs(3 * 86_400));
    log_on(sink(&server).create_table(), 0, [0]);
    server.sql("INSERT INTO log (time, level) SELECT '2026-11-01Z', 'INFO' FROM generate_series(1, 12000)");
    log_on(keep().create_table(), 0, [-4, -1, 0]);
    let (_, guard) = built(Times::default().to(keep(), 0));
    until("old rows to go", || server.sql("SELECT count(*) FROM log") == "3");
    guard.close().unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM log WHERE time < '2026-11-17 12:00Z'"), "0");

    // Partitions that another one made.
    server.sql(
        "CREATE TABLE own (time timestamptz, line json) PARTITION BY LIST (date_part('year', time AT TIME ZONE 'UTC')); \
         CREATE TABLE own_25 PARTITION OF own FOR VALUES IN (2025); CREATE TABLE own_rest PARTITION OF own DEFAULT",
    );
    let books = log_on(keep().table("own").columns(["time", "line"]), 0, [-400, -300, 0]);
    assert_eq!(books.written.total(), 3);
    let (_, guard) = built(Times::default().to(keep().table("own").columns(["time", "line"]), 0));
    until("old rows to go", || server.sql("SELECT count(*) FROM own") == "1");
    guard.close().unwrap();
}

#[test]
fn no_line_waits_for_a_partition_that_a_reader_delays() {
    let Some(server) = Server::start() else { return };
    log_on(sink(&server).partitioned_by_day(), 0, [0]);
    std::thread::scope(|scope| {
        scope.spawn(|| server.psql("SELECT count(*) FROM log; SELECT pg_sleep(600)"));
        let reader = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND wait_event = 'PgSleep'";
        until("a reader to have its locks", || !server.sql(reader).is_empty());
        let complaints = Complaints::default();
        let times = Times::default();
        let builder = times.to(sink(&server).partitioned_by_day(), 10).on_complaint(complaints.hook());
        let (dispatch, guard) = built(builder);
        within(&dispatch, || (0..100).for_each(|_| times.log(10)));
        guard.handle().flush(PATIENCE).unwrap();
        let books = guard.handle().metrics().outputs.remove(0);
        guard.close().unwrap();
        assert_eq!((books.written.total(), books.dropped.total()), (100, 0));
        let told = complaints.all().join("\n");
        assert!(told.contains("make a partition") && told.contains("lock timeout"), "{told}");
        assert!(rows(&server).contains("log_other|100"), "{}", rows(&server));
        server.sql(&format!("SELECT pg_terminate_backend(({reader} LIMIT 1))"));
    });
    log_on(sink(&server).partitioned_by_day(), 10, [10]);
    assert!(rows(&server).contains("log_20261130|101"), "{}", rows(&server));
}

#[test]
fn several_logs_that_begin_at_once_make_each_partition_once_and_lose_no_line() {
    let Some(server) = Server::start() else { return };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let books = log_on(sink(&server).partitioned_by_day(), 0, (-20..=0).chain(-20..=0));
                assert_eq!((books.written.total(), books.dropped.total()), (42, 0), "{books:#?}");
            });
        }
    });
    assert_eq!(server.sql("SELECT count(*), count(DISTINCT id) FROM log"), "168|168");
}

#[test]
fn settings_that_cannot_work_are_errors_that_say_what_to_do() {
    let new = || Postgres::new("postgres://app@127.0.0.1:1/orders").columns(["level", "line"]);
    let day = Duration::from_secs(86_400);
    for (database, setting) in [(new().partitioned_by_day(), "partitioned_by_day"), (new().keep_for(day), "keep_for")] {
        let builder = spanline::builder().output(Output::new(database));
        let error = builder.build::<tracing_subscriber::Registry>().map(drop).unwrap_err();
        let expected = format!("{setting} is set, but there is no column `time`; add it, or remove {setting}");
        assert!(error.is_invalid() && error.to_string().contains(&expected), "{error:?}");
    }
    let Some(server) = Server::start() else { return };
    log_on(sink(&server).create_table(), 0, [0]);
    let complaints = Complaints::default();
    let builder = Times::default().to(sink(&server).partitioned_by_day(), 0).on_complaint(complaints.hook());
    let (_, guard) = built(builder);
    let expected = "\"log\" is not partitioned (SQLSTATE 42P17); rename it, set another name with `table`, or remove `partitioned_by_day`";
    until("a complaint", || complaints.all().iter().any(|text| text.contains("not partitioned")));
    assert!(complaints.all().join("\n").contains(expected), "{complaints:?}");
    guard.close().unwrap();
}
