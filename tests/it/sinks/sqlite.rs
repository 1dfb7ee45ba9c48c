//! `sink::Sqlite`: each line is a row, once and in order, through locks, full disks, moved files and SIGKILL.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use spanline::metrics::OutputMetrics;
use spanline::schema::{Edits, Logfmt};
use spanline::sink::{Memory, Sqlite};
use spanline::{Builder, Output, Overflow};
use tracing::Level;

use crate::support::faults::{Complaints, built, within};
use crate::support::fork::{fork, wait};
use crate::support::ledger::{LEVELS, log};
use crate::support::log_directory::{at, mode, set_mode};
use crate::support::process::{Running, child_behind, child_command, child_done, is_child};
use crate::support::sample::tries;
use crate::support::users::{ATTACKER, give, is_root};
use crate::support::wait::{PATIENCE, until};

const FOLDER: &str = "SPANLINE_IT_FOLDER";

pub(super) fn to(database: Sqlite) -> Builder {
    let output = Output::new(database).overflow(Overflow::Block { max_wait: PATIENCE });
    spanline::builder().filter("trace").on_complaint(|_| {}).output(output).shutdown_timeout(PATIENCE, PATIENCE)
}

/// Logs what `run` logs.
pub(super) fn logged(builder: Builder, run: impl FnOnce()) -> OutputMetrics {
    let (dispatch, guard) = built(builder);
    within(&dispatch, run);
    guard.handle().flush(PATIENCE).unwrap();
    let books = guard.handle().metrics().outputs.remove(0);
    guard.close().unwrap();
    books
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

/// Returns the rows that a query gives, each value as text; NULL is `-`.
#[track_caller]
pub(super) fn query(path: &Path, sql: &str) -> Vec<Vec<String>> {
    let connection = open(path);
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Null => "-".to_owned(),
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => panic!("{other:?}"),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|column| Ok(text(row.get(column)?))).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[track_caller]
pub(super) fn one(path: &Path, sql: &str) -> String {
    query(path, sql).remove(0).remove(0)
}

/// Returns the numbers of a thread's lines, in the order of the rows.
pub(super) fn numbers(path: &Path, thread: u64) -> Vec<u64> {
    let sql = format!("SELECT line ->> '$.seq' FROM log WHERE line ->> '$.thread' = {thread} ORDER BY id");
    query(path, &sql).into_iter().map(|row| row[0].parse().unwrap()).collect()
}

/// Asks that the books and the table agree, and that the database is intact.
#[track_caller]
fn balanced(books: &OutputMetrics, path: &Path) {
    for level in LEVELS {
        let sql = format!("SELECT count(*) FROM log WHERE level = '{level}' AND target <> 'spanline'");
        assert_eq!(books.written.level(level).to_string(), one(path, &sql), "{level}: {books:#?}");
        let dropped: u64 = books.dropped.reasons().map(|(_, by_level)| by_level.level(level)).sum();
        assert_eq!(books.emitted.level(level), books.written.level(level) + dropped, "{level}: {books:#?}");
    }
    assert_eq!(one(path, "PRAGMA integrity_check"), "ok");
}

/// Returns why the log does not start.
#[track_caller]
fn refusal(database: Sqlite) -> String {
    let error = to(database).build::<tracing_subscriber::Registry>().map(drop).unwrap_err();
    assert!(error.is_invalid(), "{error:?}");
    format!("{error:?}")
}

const NASTY: &str = "a\0b \u{1b}[31m red \u{202e} \"quoted\" 'single' \\ \n second ☃";

#[test]
fn a_line_is_a_row_with_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/orders.db");
    let time = at("2026-11-20T10:15:38.123456Z");
    let builder = to(Sqlite::new(&path)).clock(move || time).service("orders");
    let books = logged(builder, || {
        tracing::warn!(target: "app", order = 7, "plain");
        let span = tracing::info_span!("request", request_id = "r-1");
        span.in_scope(|| tracing::info!(target: "app", text = NASTY, "{NASTY}"));
    });
    balanced(&books, &path);
    let rows = query(&path, "SELECT * FROM log ORDER BY id");
    let [plain, inside] = &rows[..] else { panic!("{rows:?}") };
    let names = query(&path, "SELECT name, type FROM pragma_table_info('log')");
    let names: Vec<_> = names.iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        names.join(", "),
        "id INTEGER, time TEXT, level TEXT, target TEXT, message TEXT, service TEXT, trace_id TEXT, request_id TEXT, line TEXT"
    );
    assert_eq!(plain[..8], ["1", "2026-11-20T10:15:38.123456Z", "WARN", "app", "plain", "orders", "-", "-"]);
    let line: Value = serde_json::from_str(&plain[8]).unwrap();
    assert_eq!((&line["order"], &line["message"]), (&7.into(), &"plain".into()));
    // The column is safe for terminals; the line has the text itself.
    let shown = r#"a\u{0}b \u{1b}[31m red \u{202e} "quoted" 'single' \ \n second ☃"#;
    assert_eq!((&*inside[4], &*inside[7]), (shown, "r-1"));
    let line: Value = serde_json::from_str(&inside[8]).unwrap();
    assert_eq!((&line["message"], &line["text"]), (&NASTY.into(), &NASTY.into()));
    assert_eq!(line["trace_id"], *inside[6]);
    assert_eq!((one(&path, "PRAGMA user_version"), one(&path, "PRAGMA journal_mode")), ("1".into(), "wal".into()));
    let plan = query(&path, "EXPLAIN QUERY PLAN SELECT * FROM log WHERE request_id = 'r-1'");
    assert!(plan[0][3].contains("log_request_id"), "{plan:?}");
    let plan = query(&path, "EXPLAIN QUERY PLAN SELECT * FROM log WHERE time > '2026-11-20'");
    assert!(plan[0][3].contains("log_time"), "{plan:?}");
}

/// The command of Debian's package, which is another build of SQLite.
#[test]
fn the_command_sqlite3_reads_the_log_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    within(&dispatch, || tracing::info!("first"));
    guard.handle().flush(PATIENCE).unwrap();
    let select = "PRAGMA integrity_check; SELECT message, line ->> '$.level' FROM log";
    match Command::new("sqlite3").arg(&path).arg(select).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\nfirst|INFO\n", "{output:?}"),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "sqlite3 is missing, which .ci/run installs: {error}");
            eprintln!("not tested: the command sqlite3 is missing");
        }
    }
    for name in ["orders.db", "orders.db-wal", "orders.db-shm"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    guard.close().unwrap();
}

#[test]
fn the_columns_are_those_that_were_set_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let classic = Sqlite::new(&path).table("classic").columns(["time", "level", "message", "module"]);
    logged(to(classic), || tracing::error!("classic"));
    assert_eq!(query(&path, "SELECT * FROM classic")[0][2..], ["ERROR", "classic", module_path!()]);
    let all =
        ["thread", "file", "line_number", "span_id", "field:customer id", "field:Price", "line", "service", "target"];
    let output = Output::new(Sqlite::new(&path).table("others").columns(all))
        .schema(Logfmt::new())
        .edits(Edits::new().rename("Price", "cost"));
    let line = line!() + 5;
    logged(spanline::builder().output(output), || {
        std::thread::scope(|scope| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let named = std::thread::Builder::new().name("till".to_owned());
            let log = move || within(&dispatch, || tracing::info!("customer id" = 7, Price = 1.5, "sold"));
            named.spawn_scoped(scope, log).unwrap();
        });
    });
    let row = &query(&path, "SELECT * FROM others")[0];
    assert_eq!(row[1..4], ["till", file!(), &line.to_string()]);
    assert_eq!((&row[4..7], &*row[8]), (&["-".to_owned(), "7".to_owned(), "1.5".to_owned()][..], "-"));
    assert!(row[7].contains("cost=1.5") && row[7].contains("msg=sold") | row[7].contains("message=sold"), "{row:?}");
}

#[test]
fn what_can_only_be_a_mistake_fails_the_start_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let new = || Sqlite::new(&path);
    for (database, expected) in [
        (new().table("a b"), "no table can be called `a b`"),
        (new().table("sqlite_x"), "no table can be called `sqlite_x`"),
        (new().columns(["massage"]), "unknown column `massage`; expected one of: time, level"),
        (new().columns(["level", "field:LEVEL"]), "two columns are called `LEVEL`"),
        (new().columns(["field:id"]), "the column `id` is the key"),
        (new().columns::<&str>([]), "there are no columns"),
        (new().columns(["line"]).keep_for(PATIENCE), "keep_for is set, but there is no column `time`"),
        (new().keep_bytes(0), "keep_bytes is 0 B"),
        (Sqlite::new("~/orders.db"), "only a shell expands `~`"),
    ] {
        let text = refusal(database);
        assert!(text.contains(expected), "{text}");
    }
    assert!(!path.exists());
    let appender = Output::new(new()).appender().map(drop).unwrap_err();
    assert!(appender.is_invalid() && appender.to_string().contains("lines without columns"), "{appender:?}");

    let sql = |sql: &str| {
        let _ = fs::remove_file(&path);
        open(&path).execute_batch(sql).unwrap();
    };
    for (made, expected) in [
        ("CREATE TABLE log (a)", "belongs to another program"),
        ("PRAGMA user_version = 3", "belongs to another program"),
        ("PRAGMA application_id = 7", "belongs to another program"),
        (
            "PRAGMA application_id = 1936744814; PRAGMA user_version = 2",
            "a newer spanline made the database (version 2",
        ),
        ("PRAGMA application_id = 1936744814; CREATE TABLE log (a)", "another program made it; set another name"),
        (
            "PRAGMA application_id = 1936744814; CREATE TABLE log (id INTEGER PRIMARY KEY, time, level, target, message, \
             service, trace_id, line)",
            "add it with `ALTER TABLE \"log\" ADD COLUMN \"request_id\" TEXT;`",
        ),
    ] {
        sql(made);
        let before = fs::read(&path).unwrap();
        let text = refusal(new());
        assert!(text.contains(expected) && text.contains("orders.db"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), before, "{made}");
    }
    fs::write(&path, "This is a letter, and no database at all. ".repeat(100)).unwrap();
    assert!(refusal(new()).contains("it is no SQLite database"));
}

#[test]
fn files_that_may_not_be_trusted_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let victim = folder.path().join("victim");
    fs::write(&victim, "").unwrap();
    for name in ["orders.db", "orders.db-wal", "orders.db-shm", "orders.db-journal"] {
        let planted = folder.path().join(name);
        let refused = |expected: &str| {
            let text = refusal(Sqlite::new(&path));
            assert!(text.contains(expected) && text.contains(name), "{text}");
            fs::remove_file(&planted).unwrap();
            let _ = fs::remove_file(&path);
        };
        std::os::unix::fs::symlink(&victim, &planted).unwrap();
        refused("it is a symbolic link");
        rustix::fs::mknodat(rustix::fs::CWD, &planted, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        refused("it is not a regular file");
        fs::hard_link(&victim, &planted).unwrap();
        refused("it has 2 hard links");
        if is_root() {
            fs::write(&planted, "").unwrap();
            give(&planted, ATTACKER);
            refused("it belongs to another user");
        }
    }
    assert_eq!(fs::read(&victim).unwrap(), b"");
    set_mode(folder.path(), 0o777);
    let complaints = Complaints::default();
    logged(to(Sqlite::new(&path)).on_complaint(complaints.hook()), || tracing::info!("exposed"));
    let told: Vec<_> = complaints.all().into_iter().filter(|text| text.contains("can rename and remove")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_locked_database_delays_only_its_own_output_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let memory = Memory::new();
    let complaints = Complaints::default();
    let builder = to(Sqlite::new(&path)).output(Output::new(memory.clone())).on_complaint(complaints.hook());
    let (dispatch, guard) = built(builder);
    let books = || guard.handle().metrics().outputs.remove(0);
    let mut other = open(&path);
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    until("the other output to have all lines", || memory.lines().len() == 1_000);
    until("several attempts", || books().retries >= 3);
    assert_eq!(books().written.total(), 0);
    assert_eq!(books().queued.total() + books().in_flight.total(), 1_000);
    lock.rollback().unwrap();
    guard.handle().flush(PATIENCE).unwrap();
    balanced(&books(), &path);
    assert_eq!(numbers(&path, 0), (0..1_000).collect::<Vec<_>>());
    assert!(complaints.all().iter().any(|text| text.contains("another connection has locked it")), "{complaints:?}");
    guard.close().unwrap();
}

#[test]
fn a_database_that_is_locked_at_the_start_gets_its_lines_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    logged(to(Sqlite::new(&path)), || log(Level::INFO, 0, 0));
    let mut other = open(&path);
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    within(&dispatch, || (1..100).for_each(|seq| log(Level::INFO, 0, seq)));
    drop(lock);
    guard.handle().flush(PATIENCE).unwrap();
    guard.close().unwrap();
    assert_eq!(numbers(&path, 0), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_moved_database_is_created_again_and_no_line_goes_to_a_file_without_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("orders.db"), folder.path().join("moved.db"));
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.handle().flush(PATIENCE).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let named = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::rename(named(&path), named(&moved)).unwrap();
    }
    within(&dispatch, || (100..200).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.handle().flush(PATIENCE).unwrap();
    guard.handle().reopen(PATIENCE).unwrap();
    within(&dispatch, || (200..300).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    assert_eq!(numbers(&moved, 0), (0..100).collect::<Vec<_>>());
    assert_eq!(numbers(&path, 0), (100..300).collect::<Vec<_>>());
}

/// Logs numbered lines until it is killed, or until it has logged as many as it was told.
fn child_logs(thread: u64, lines: u64) -> ! {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (dispatch, guard) = built(to(Sqlite::new(folder.join("orders.db"))));
    within(&dispatch, || {
        for seq in 0..lines {
            log(Level::INFO, thread, seq);
            if seq == 100 {
                guard.handle().flush(PATIENCE).unwrap();
                fs::write(folder.join("begun"), "").unwrap();
            }
        }
    });
    guard.close().unwrap();
    child_done()
}

#[test]
fn promise_05_the_database_is_intact_after_sigkill_at_any_moment() {
    if is_child() {
        child_logs(0, u64::MAX);
    }
    for kill in 0..tries(6, 300) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.db");
        let mut command = child_command(this_test!());
        command.env(FOLDER, folder.path());
        let mut child = Running::start(command);
        until("lines", || folder.path().join("begun").exists());
        // The moment of the kill is what is tried out.
        std::thread::park_timeout(Duration::from_millis(3 + 17 * kill as u64 % 150));
        child.0.kill().unwrap();
        child.wait();
        let found = numbers(&path, 0);
        assert!(found.len() > 100 && found.iter().copied().eq(0..found.len() as u64), "{} lines", found.len());
        assert_eq!(one(&path, "PRAGMA integrity_check"), "ok");
        // The next process goes on with it.
        let books = logged(to(Sqlite::new(&path)), || log(Level::WARN, 1, 0));
        assert_eq!((books.written.total(), numbers(&path, 1)), (1, vec![0]));
    }
}

#[test]
fn two_processes_write_to_one_database() {
    const LINES: u64 = 5_000;
    if is_child() {
        child_logs(1, LINES);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let mut command = child_command(this_test!());
    command.env(FOLDER, folder.path());
    let mut child = Running::start(command);
    let books = logged(to(Sqlite::new(&path)), || {
        let mut seq = 0;
        // Until the other has begun, and then as many as it writes.
        until("the child's lines", || {
            if let Some(status) = child.0.try_wait().unwrap().filter(|status| !status.success()) {
                panic!("the child: {status}\n{}", child.stderr());
            }
            log(Level::INFO, 0, seq);
            seq += 1;
            folder.path().join("begun").exists()
        });
        (seq..LINES).for_each(|seq| log(Level::INFO, 0, seq));
    });
    child.finish();
    assert_eq!(numbers(&path, 1), (0..LINES).collect::<Vec<_>>());
    assert_eq!(numbers(&path, 0), (0..books.written.total()).collect::<Vec<_>>());
    assert_eq!(one(&path, "PRAGMA integrity_check"), "ok");
}

/// The file system is full, and later has space again.
#[test]
fn a_full_disk_costs_no_line_once_there_is_space_again() {
    if is_child() {
        let path = Path::new("mnt/orders.db");
        fs::write("mnt/ballast", vec![1; 29 << 20]).unwrap();
        let (dispatch, guard) = built(to(Sqlite::new(path)));
        let logs = || (0..20_000).for_each(|seq| log(Level::INFO, 0, seq));
        within(&dispatch, logs);
        until("a failed write", || guard.handle().metrics().outputs[0].retries > 2);
        assert!(guard.handle().metrics().outputs[0].written.total() < 20_000);
        fs::remove_file("mnt/ballast").unwrap();
        guard.handle().flush(PATIENCE).unwrap();
        balanced(&guard.handle().metrics().outputs.remove(0), path);
        assert_eq!(numbers(path, 0), (0..20_000).collect::<Vec<_>>());
        guard.close().unwrap();
        child_done()
    }
    if !is_root() || !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        return eprintln!("not tested: nothing can be mounted here");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mnt")).unwrap();
    let mounted = r#"mount -t tmpfs -o size=32m none mnt && exec "$@""#;
    let mut command = child_behind("unshare", &["-m", "sh", "-c", mounted, "sh"], this_test!());
    command.current_dir(folder.path());
    Running::start(command).finish();
}

#[test]
fn sync_succeeds_before_during_and_after_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    let (dispatch, guard) = built(to(Sqlite::new(&path)));
    for mode in ["PASSIVE", "TRUNCATE", "RESTART"] {
        within(&dispatch, || log(Level::INFO, 0, 0));
        guard.handle().sync(PATIENCE).unwrap();
        open(&path).query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
        guard.handle().sync(PATIENCE).unwrap();
    }
    assert_eq!(guard.handle().metrics().outputs[0].failed_syncs, 0);
    guard.close().unwrap();
}

/// SQLite's state in the process is the parent's. The child says so, counts its lines, and harms nothing.
#[test]
fn a_forked_child_leaves_the_database_of_its_parent_alone() {
    if is_child() {
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
        let path = folder.join("orders.db");
        let complaints = Complaints::default();
        let (dispatch, guard) = built(to(Sqlite::new(&path)).on_complaint(complaints.hook()));
        let logs = |thread: u64| within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, thread, seq)));
        logs(0);
        guard.handle().flush(PATIENCE).unwrap();
        let child = fork(|| {
            logs(1);
            let _ = guard.handle().flush(PATIENCE);
            let books = guard.handle().metrics().outputs.remove(0);
            assert_eq!((books.written.total(), books.dropped.total()), (0, 100), "{books:#?}");
            assert!(complaints.all().iter().any(|text| text.contains("cannot be used in a forked process")));
            guard.handle().reopen(PATIENCE).unwrap_err();
        });
        assert_eq!(wait(child), 0);
        logs(2);
        guard.handle().flush(PATIENCE).unwrap();
        guard.close().unwrap();
        let all: Vec<_> = (0..100).collect();
        assert_eq!([numbers(&path, 0), numbers(&path, 1), numbers(&path, 2)], [all.clone(), vec![], all]);
        assert_eq!(one(&path, "PRAGMA integrity_check"), "ok");
        child_done()
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = child_command(this_test!());
    command.env(FOLDER, folder.path());
    Running::start(command).finish();
}
