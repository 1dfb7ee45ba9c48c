//! `sink::Postgres`: each line is a row, once and in order, through kills, stops and lost commits of a real server.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::{Memory, Postgres, Secret};
use spanline::{Builder, Output, Overflow};
use tracing::Level;

use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::log;
use crate::support::postgres::{PASSWORD, Server, url};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::sample::tries;
use crate::support::wait::{PATIENCE, until};

fn to(database: Postgres) -> Builder {
    let output = Output::new(database).overflow(Overflow::Block { max_wait: PATIENCE });
    spanline::builder().filter("trace").on_complaint(|_| {}).output(output).shutdown_timeout(PATIENCE, PATIENCE)
}

fn sink(url: &str) -> Postgres {
    Postgres::new(url).password(Secret::text(PASSWORD)).create_table()
}

fn logged(builder: Builder, run: impl FnOnce()) -> OutputMetrics {
    let (dispatch, guard) = built(builder);
    within(&dispatch, run);
    guard.handle().flush(PATIENCE).unwrap();
    let books = guard.handle().metrics().outputs.remove(0);
    guard.close().unwrap();
    books
}

/// Returns the numbers of the lines, in the order of the rows.
fn numbers(server: &Server) -> Vec<u64> {
    let found = server.sql("SELECT line ->> 'seq' FROM log WHERE target <> 'spanline' ORDER BY id");
    found.lines().map(|seq| seq.parse().unwrap()).collect()
}

const NASTY: &str = "a\0b \\N \\. \u{1b}[31m red \"quoted\" \\ \t \r\n second \u{fffe} ☃";

#[test]
fn a_line_is_a_row_with_its_columns_whatever_its_texts_are() {
    let Some(server) = Server::start() else { return };
    let books = logged(to(sink(&server.url())).service("orders"), || {
        let span = tracing::info_span!("request", request_id = "r-1");
        span.in_scope(|| tracing::warn!(target: "app", text = NASTY, "{NASTY}"));
    });
    assert_eq!(books.written.total(), 1);
    let row = server.sql(
        "SELECT level, target, service, request_id, length(trace_id), time > now() - interval '1 hour', \
         pg_typeof(time), pg_typeof(line) FROM log",
    );
    assert_eq!(row, "WARN|app|orders|r-1|32|t|timestamp with time zone|json");
    assert!(
        server.sql("SELECT message FROM log").starts_with(r#"a\u{0}b \N \. \u{1b}[31m red "quoted" \ \t \r\n second"#)
    );
    let line: Value = serde_json::from_str(&server.sql("SELECT line FROM log")).unwrap();
    assert_eq!((&line["message"], &line["text"]), (&NASTY.into(), &NASTY.into()));

    let classic = sink(&server.url()).table("classic").columns(["time", "level", "message", "module", "line_number"]);
    logged(to(classic), || tracing::error!("classic"));
    assert_eq!(
        server.sql("SELECT level, message, module, line_number > 0 FROM classic"),
        format!("ERROR|classic|{}|t", module_path!())
    );
}

#[test]
fn a_value_that_the_server_refuses_costs_only_its_line() {
    let Some(server) = Server::start() else { return };
    server.sql("CREATE TABLE orders (number integer, line json)");
    let database = Postgres::new(server.url()).password(Secret::text(PASSWORD)).table("orders");
    let complaints = Complaints::default();
    let builder = to(database.columns(["field:number", "line"])).on_complaint(complaints.hook());
    let books = logged(builder, || {
        for seq in 0..100_u64 {
            if seq == 37 { tracing::info!(number = "top secret", seq) } else { tracing::info!(number = seq, seq) }
        }
    });
    let rejected: u64 =
        books.dropped.reasons().filter(|(why, _)| *why == Reason::Rejected).map(|(_, by)| by.total()).sum();
    assert_eq!((books.written.total(), rejected), (99, 1), "{books:#?}");
    let found = server.sql("SELECT count(*), count(DISTINCT number) FROM orders WHERE number IS NOT NULL");
    assert_eq!(found, "99|99");
    let told = complaints.all().join("\n");
    assert!(told.contains("SQLSTATE 22P02") && !told.contains("top secret"), "{told}");
}

#[test]
fn promise_44_a_wrong_password_is_reported_without_it_and_costs_no_line() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong-hunter3").unwrap();
    let complaints = Complaints::default();
    let database = Postgres::new(server.url().replace("postgres@", "postgres:hunter4@"));
    let database = database.password(Secret::file(&file)).create_table();
    let debug = format!("{database:?}");
    let (dispatch, guard) = built(to(database).on_complaint(complaints.hook()));
    within(&dispatch, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
    until("a complaint", || complaints.all().iter().any(|text| text.contains("password authentication failed")));
    std::fs::write(&file, PASSWORD).unwrap();
    guard.handle().flush(PATIENCE).unwrap();
    let texts = format!("{debug}{complaints:?}{:?}", guard.handle().metrics());
    guard.close().unwrap();
    assert_eq!(numbers(&server), (0..10).collect::<Vec<_>>());
    assert!(!["hunter3", "hunter4", PASSWORD].iter().any(|secret| texts.contains(secret)), "{texts}");
}

#[test]
fn settings_that_can_only_be_a_mistake_fail_the_start() {
    let new = || Postgres::new("postgres://app@127.0.0.1:1/orders");
    for (database, expected) in [
        (Postgres::new("app@db"), "does not begin with `postgres://`"),
        (new().table("a b"), "no table can be called `a b`"),
        (new().columns(["massage"]), "unknown column `massage`"),
        (new().columns(["field:id"]), "the column `id` is the key"),
        (new().timeout(Duration::ZERO), "timeout is zero"),
    ] {
        let error = to(database).build::<tracing_subscriber::Registry>().map(drop).unwrap_err();
        assert!(error.is_invalid() && format!("{error:?}").contains(expected), "{error:?}");
    }
    // A server that is away is no mistake.
    let (_, guard) = built(to(new()));
    drop(guard);
}

const URL: &str = "SPANLINE_IT_URL";

/// A certificate that the system's roots do not cover is refused, before the password is sent. With `SSL_CERT_FILE`, the
/// connection has TLS: the server takes no other.
#[test]
fn a_connection_with_tls_needs_a_certificate_that_is_trusted() {
    if is_child() {
        let books = logged(to(sink(&std::env::var(URL).unwrap())), || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
        assert_eq!(books.written.total(), 10);
        child_done()
    }
    let Some(server) = Server::start_with_tls() else { return };
    let url = format!("postgres://postgres@localhost:{}/postgres?sslmode=require", server.port);
    let complaints = Complaints::default();
    let builder = to(sink(&url)).on_complaint(complaints.hook()).shutdown_timeout(Duration::ZERO, Duration::ZERO);
    let (dispatch, guard) = built(builder);
    within(&dispatch, || log(Level::INFO, 0, 99));
    until("a complaint", || !complaints.all().is_empty());
    assert!(complaints.all()[0].contains("TLS handshake"), "{complaints:?}");
    let _ = guard.close();
    assert_eq!(server.sql("SELECT count(*) FROM pg_class WHERE relname = 'log'"), "0");
    let mut command = child_command(this_test!());
    command.env(URL, &url).env("SSL_CERT_FILE", server.folder().join("server.crt"));
    Running::start(command).finish();
    assert_eq!(numbers(&server), (0..10).collect::<Vec<_>>());
    // A name that the certificate does not have.
    let other = url.replace("localhost", "127.0.0.1");
    let mut command = child_command(this_test!());
    command.env(URL, &other).env("SSL_CERT_FILE", server.folder().join("server.crt"));
    let mut child = Running::start(command);
    // It would write within moments; it never does.
    std::thread::park_timeout(Duration::from_millis(500));
    child.0.kill().unwrap();
    child.wait();
    assert_eq!(numbers(&server).len(), 10);
}

/// In a thread of a runtime, the client library's own runtime could not run.
#[test]
fn the_log_is_built_inside_a_runtime() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { logged(to(sink(&server.url())), || log(Level::INFO, 0, 0)) });
    assert_eq!(numbers(&server), [0]);
}

/// The server is killed twice, and stuck once for longer than the sink waits.
#[test]
fn every_line_arrives_once_and_in_order_through_kills_and_stops() {
    let Some(mut server) = Server::start() else { return };
    let least = tries(6_000, 30_000) as u64;
    let away = Duration::from_millis(tries(200, 2_000) as u64);
    // A server that takes long to start must not miss the lines.
    let is_over = AtomicBool::new(false);
    let memory = Memory::new();
    let builder = to(sink(&server.url()).timeout(Duration::from_secs(1))).output(Output::new(memory.clone()));
    let (dispatch, guard) = built(builder);
    let retries = || guard.handle().metrics().outputs[0].retries;
    let lines = std::thread::scope(|scope| {
        let logs = scope.spawn(|| {
            within(&dispatch, || {
                let begun = Instant::now();
                for seq in 0.. {
                    if seq >= least && is_over.load(Ordering::SeqCst) {
                        return seq;
                    }
                    log(Level::INFO, 0, seq);
                    // 3,000 lines/s.
                    let due = begun + Duration::from_micros(333 * seq);
                    std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                }
                0
            })
        });
        let logged = |share: u64| until("lines", || memory.lines().len() as u64 >= least * share / 5);
        for share in [1, 3] {
            logged(share);
            server.kill();
            let before = retries();
            until("a failed write", || retries() > before);
            // It is away for this long: that is the fault.
            std::thread::park_timeout(away);
            server.run();
            if share == 1 {
                logged(2);
                server.signal(Signal::STOP);
                let before = retries();
                until("a write that was given up", || retries() > before);
                std::thread::park_timeout(2 * away);
                server.signal(Signal::CONT);
            }
        }
        is_over.store(true, Ordering::SeqCst);
        logs.join().unwrap()
    });
    guard.handle().flush(PATIENCE).unwrap();
    let books = guard.handle().metrics().outputs.remove(0);
    guard.close().unwrap();
    assert_eq!((books.written.total(), books.dropped.total()), (lines, 0), "{books:#?}");
    let found = numbers(&server);
    let first_wrong = found.iter().zip(0..).find(|(found, expected)| *found != expected);
    assert_eq!((found.len() as u64, first_wrong), (lines, None));
    assert_eq!(memory.lines().len() as u64, lines);
}

/// Forwards a connection. The answer to the first COMMIT gets lost, and the connection with it.
fn lose_a_commit(listener: &TcpListener, port: u16) {
    let mut loses = true;
    while let Ok((mut client, _)) = listener.accept() {
        let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
        let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let lost = std::sync::Arc::new(AtomicBool::new(false));
        let is_lost = lost.clone();
        let returns = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = answers.read(&mut bytes) {
                if is_lost.load(Ordering::SeqCst) || back.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = back.shutdown(Shutdown::Both);
        });
        let mut bytes = [0; 65536];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            if loses && bytes[..count].ends_with(b"COMMIT\0") {
                loses = false;
                lost.store(true, Ordering::SeqCst);
            }
            if server.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
        returns.join().unwrap();
    }
}

#[test]
fn a_batch_whose_commit_is_unknown_is_delivered_once_with_the_table_of_senders_and_twice_without() {
    let Some(server) = Server::start() else { return };
    for has_senders in [true, false] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (proxy, port) = (listener.local_addr().unwrap().port(), server.port);
        std::thread::spawn(move || lose_a_commit(&listener, port));
        if !has_senders {
            server.sql("TRUNCATE log; DROP TABLE log_senders");
        }
        let database = Postgres::new(url(proxy)).password(Secret::text(PASSWORD));
        let database = if has_senders { database.create_table() } else { database };
        let complaints = Complaints::default();
        let books =
            logged(to(database).on_complaint(complaints.hook()), || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
        assert!(complaints.all().iter().any(|text| text.contains("lost during a commit")), "{complaints:?}");
        assert_eq!((books.written.total(), books.dropped.total()), (10, 0));
        let mut found = numbers(&server);
        assert_eq!(found.len() > 10, !has_senders, "{found:?}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, (0..10).collect::<Vec<_>>());
    }
}

/// A server that accepts and never answers delays the end of the log by its deadline at most.
#[test]
fn promise_41_a_server_that_never_answers_delays_no_other_output_and_no_shutdown() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (memory, deadline) = (Memory::new(), Duration::from_millis(500));
    let stuck = sink(&url(listener.local_addr().unwrap().port())).timeout(2 * PATIENCE);
    let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(deadline, deadline);
    let begun = Instant::now();
    let (dispatch, guard) = built(builder.output(Output::new(memory.clone())).output(Output::new(stuck)));
    let _connection = listener.accept().unwrap();
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    until("the other output to have all lines", || memory.lines().len() == 100);
    let error = guard.close().unwrap_err();
    assert_eq!(error.unwritten_lines(), Some(100), "{error:?}");
    assert!(begun.elapsed() < PATIENCE);
}

/// By a limit of an index, a trigger, a check and a view: each costs its row alone.
#[test]
fn each_way_to_refuse_a_row_costs_only_that_row() {
    let Some(server) = Server::start() else { return };
    server.sql(
        "CREATE TABLE log (id bigserial, time timestamptz, level text, target text, message text CHECK (message <> 'checked'), line json);\
         CREATE INDEX messages ON log (message);\
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF NEW.message = 'raised' THEN RAISE EXCEPTION 'no hunter2'; END IF; RETURN NEW; END $$;\
         CREATE TRIGGER refuse BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    // An entry of an index has 2,704 bytes at most. What repeats would be compressed.
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{state:016x}")
    };
    let long: String = (0..1_000).map(|_| random()).collect();
    let database = Postgres::new(server.url()).password(Secret::text(PASSWORD));
    let complaints = Complaints::default();
    let builder = to(database.columns(["time", "level", "target", "message", "line"])).on_complaint(complaints.hook());
    let books = logged(builder, || {
        for seq in 0..60_u64 {
            match seq {
                11 => tracing::info!(seq, "checked"),
                22 => tracing::info!(seq, "raised"),
                33 => tracing::info!(seq, "{long}"),
                _ => log(Level::INFO, 0, seq),
            }
        }
    });
    let rejected = books.dropped.reason(Reason::Rejected).total();
    assert_eq!((books.written.total(), rejected), (57, 3), "{books:#?} {complaints:?}");
    assert_eq!(numbers(&server), (0..60).filter(|seq| ![11, 22, 33].contains(seq)).collect::<Vec<_>>());
    assert!(!format!("{complaints:?}{books:?}").contains("hunter2"), "{complaints:?}");
}

#[test]
fn an_order_to_connect_anew_while_a_batch_is_on_its_way_repeats_no_line() {
    let Some(server) = Server::start() else { return };
    let (dispatch, guard) = built(to(sink(&server.url())));
    let logs = |numbers: std::ops::Range<u64>| within(&dispatch, || numbers.for_each(|seq| log(Level::INFO, 0, seq)));
    let books = || guard.handle().metrics().outputs.remove(0);
    logs(0..10);
    guard.handle().flush(PATIENCE).unwrap();
    for round in 1..=5 {
        server.signal(Signal::STOP);
        logs(round * 10..round * 10 + 10);
        until("lines on their way", || books().in_flight.total() == 10);
        let begun = Instant::now();
        guard.handle().reopen(PATIENCE).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "the order waited {:?}", begun.elapsed());
        server.signal(Signal::CONT);
        guard.handle().flush(PATIENCE).unwrap();
    }
    let books = books();
    guard.close().unwrap();
    assert_eq!((books.written.total(), books.dropped.total()), (60, 0), "{books:#?}");
    assert_eq!(numbers(&server), (0..60).collect::<Vec<_>>());
}

/// Also with a batch on its way, which the parent alone finishes.
#[test]
fn promise_21_a_forked_child_has_its_own_connection_and_the_parent_keeps_its_own() {
    use crate::support::fork::{fork, wait};
    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    let Some(server) = Server::start() else { child_done() };
    let (dispatch, guard) = built(to(sink(&server.url())));
    let logs = |numbers: std::ops::Range<u64>| within(&dispatch, || numbers.for_each(|seq| log(Level::INFO, 0, seq)));
    let written = || guard.handle().metrics().outputs[0].written.total();
    logs(0..10);
    guard.handle().flush(PATIENCE).unwrap();
    let child = fork(|| {
        logs(1_000..1_005);
        guard.handle().flush(PATIENCE).unwrap();
        assert_eq!(written(), 5);
    });
    logs(10..20);
    guard.handle().flush(PATIENCE).unwrap();
    assert_eq!(wait(child), 0);
    server.signal(Signal::STOP);
    logs(20..30);
    until("lines on their way", || guard.handle().metrics().outputs[0].in_flight.total() == 10);
    let child = fork(|| {
        logs(2_000..2_005);
        guard.handle().flush(PATIENCE).unwrap();
        assert_eq!(written(), 5);
    });
    server.signal(Signal::CONT);
    logs(30..40);
    guard.handle().flush(PATIENCE).unwrap();
    assert_eq!(wait(child), 0);
    logs(40..50);
    guard.handle().flush(PATIENCE).unwrap();
    let books = guard.handle().metrics().outputs.remove(0);
    assert_eq!((books.written.total(), books.resent), (50, 0), "{books:#?}");
    guard.close().unwrap();
    let (children, parent): (Vec<_>, Vec<_>) = numbers(&server).into_iter().partition(|seq| *seq >= 1_000);
    assert_eq!(parent, (0..50).collect::<Vec<_>>());
    assert_eq!(children, (1_000..1_005).chain(2_000..2_005).collect::<Vec<_>>());
    drop(server);
    child_done()
}
