//! `spanline stats --to` and `--prometheus`: the database, the scrape and the printed answer say the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::Dir;
use crate::collect_support::find;
use crate::follow_support::{PATIENCE, Running, append};
use crate::stats_watch::line;
use crate::support::postgres::{PASSWORD, Server};

/// Lines by service and level, without zeros.
type Counts = BTreeMap<(String, String), u64>;

/// Lines of several services and levels, some of them unusual, and what is no record.
fn lines(from: u64, to: u64) -> String {
    let mut all = String::new();
    for number in from..to {
        let level = ["INFO", "WARN", "ERROR", "DEBUG", "TRACE", "CRITICAL", "notice"][number as usize % 7];
        let service = ["orders", "stock", r#"we\"ird\\ s\n"#, ""][number as usize % 4];
        all += &line(number, level, service);
        if number % 50 == 0 {
            all += "plain text\n{\"level\":\"INFO\",\"broken\n";
            all += &format!("1763633738 | WARN | pipe {number} | piped | abc\n");
        }
    }
    all
}

fn printed(stdout: &str) -> (Counts, Value) {
    let answer: Value = serde_json::from_str(stdout).unwrap();
    let mut counts = Counts::new();
    for (service, levels) in answer["services"].as_object().unwrap() {
        for (level, lines) in levels.as_object().unwrap().iter().filter(|(level, _)| *level != "total") {
            let lines = lines.as_u64().unwrap();
            if lines > 0 {
                counts.insert((service.clone(), level.clone()), lines);
            }
        }
    }
    (counts, answer)
}

/// The rows of a query for service, level and number, with a character between them that no name has. In a column, a text has
/// its newlines escaped.
fn rows(text: &str) -> Counts {
    let row = |row: &str| {
        let mut parts = row.split('\x1f');
        let mut next = || parts.next().unwrap().to_owned();
        ((next().replace("\\n", "\n"), next().to_lowercase()), next().parse().unwrap())
    };
    text.split('\x1e').filter(|text| !text.trim().is_empty()).map(|text| row(text.trim_start_matches('\n'))).collect()
}

fn of_sqlite(path: &Path) -> Option<Counts> {
    let mut sqlite = Command::new(find("sqlite3")?);
    sqlite.arg("-noheader").args(["-separator", "\x1f", "-newline", "\x1e"]).arg(path);
    let sql = "select coalesce(service, ''), level, count(*) from log where target <> 'spanline' group by 1, 2";
    let output = sqlite.arg(sql).output().unwrap();
    Some(rows(&String::from_utf8(output.stdout).unwrap()))
}

fn of_postgres(server: &Server) -> Counts {
    let sql = "select coalesce(service, '') || E'\\x1f' || level || E'\\x1f' || count(*) || E'\\x1e' from log \
               group by service, level";
    rows(&server.sql(sql))
}

/// Asks for the counts, and returns all of the answer, too.
fn scrape(running: &Running) -> (Counts, String) {
    let stderr = running.stderr();
    let address = stderr.split("http://").nth(1).unwrap().split("/metrics").next().unwrap();
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("text/plain; version=0.0.4"), "{head}");
    let mut counts = Counts::new();
    for sample in body.lines().filter_map(|line| line.strip_prefix("spanline_stats_lines_total{service=\"")) {
        let (service, rest) = sample.split_once("\",level=\"").unwrap();
        let (level, lines) = rest.split_once("\"} ").unwrap();
        let service = service.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
        if lines != "0" {
            counts.insert((service, level.to_owned()), lines.parse().unwrap());
        }
    }
    (counts, body.to_owned())
}

#[track_caller]
fn until(running: &Running, what: &str, fact: impl Fn(&Counts, &str) -> bool) -> (Counts, String) {
    let begun = Instant::now();
    loop {
        let (counts, text) = scrape(running);
        if fact(&counts, &text) {
            return (counts, text);
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {text}\n{}", running.stderr());
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

fn start(dir: &Dir, args: &[&str]) -> Running {
    let running = Running::start(dir.command(&[&["stats"], args].concat()));
    running.until_noted("answers scrapes at http://127.0.0.1:");
    running
}

#[test]
fn the_database_the_scrape_and_the_answer_agree_through_a_rotation() {
    let dir = Dir::new();
    let active = dir.path().join("a.log");
    dir.put("a.log.1", lines(0, 5000));
    dir.put("a.log", lines(5000, 9000));
    let args = ["a.log", "--follow", "--json", "--to", "sqlite:out.db", "--prometheus", "127.0.0.1:0"];
    let running = start(&dir, &args);
    until(&running, "the first lines", |counts, _| total(counts) == 9180);
    append(&active, &lines(9000, 10_000));
    fs::rename(&active, dir.path().join("a.log.0")).unwrap();
    append(&active, &lines(10_000, 12_000));
    let (scraped, text) = until(&running, "all lines", |counts, _| total(counts) == 12_240);
    assert!(text.contains("spanline_stats_unparsed_lines_total 480\n"), "{text}");
    let written = "spanline_lines_written_total{output=\"sqlite\",level=\"info\"}";
    assert!(text.contains(written) && text.contains("# TYPE spanline_stats_lines_total counter\n"), "{text}");
    running.signal(Signal::TERM);
    let (stdout, stderr, status) = running.end();
    let (counts, answer) = printed(&stdout);
    assert_eq!((status, stderr.lines().count()), (0, 1), "{stderr}");
    assert_eq!((&answer["lines"], &answer["run"]["lines"]), (&12_720.into(), &12_720.into()));
    assert_eq!(scraped, counts);
    assert!(counts.contains_key(&("we\"ird\\ s\n".to_owned(), "critical".to_owned())), "{counts:?}");
    let Some(rows) = of_sqlite(&dir.path().join("out.db")) else { return };
    assert_eq!(rows, counts);
}

/// A signal comes while lines are read and written: whatever was counted is in the database.
#[test]
fn what_was_counted_when_it_ends_is_in_the_database() {
    for follow in [true, false] {
        let dir = Dir::new();
        let active = dir.path().join("a.log");
        dir.put("a.log", lines(0, 40_000));
        let mut args = vec!["a.log", "--json", "--to", "sqlite:out.db", "--prometheus", "127.0.0.1:0"];
        args.extend(follow.then_some("--follow"));
        let running = start(&dir, &args);
        let writer = Writer::start(active);
        if follow {
            until(&running, "new lines", |counts, _| total(counts) > 41_000);
        }
        running.signal(Signal::TERM);
        let (stdout, stderr, status) = running.end();
        drop(writer);
        assert!(status == 0 || stderr.contains("interrupted before all lines"), "{status} {follow}: {stderr}");
        let (counts, _) = printed(&stdout);
        let Some(rows) = of_sqlite(&dir.path().join("out.db")) else { return };
        assert_eq!(rows, counts, "{stderr}");
    }
}

/// Writes lines until it is dropped.
struct Writer(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Writer {
    fn start(path: PathBuf) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            for number in 0..500 {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                append(&path, &lines(100 * number, 100 * number + 100));
            }
        });
        Self(is_over, Some(thread))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

#[test]
fn one_pass_over_conditions_is_written_and_ends() {
    let dir = Dir::new();
    dir.put("a.log", lines(0, 3000));
    let done = dir.run(&["stats", "a.log", "--level", "warn", "--json", "--to", "sqlite:out.db"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let (counts, _) = printed(&done.stdout);
    assert!(counts.keys().all(|(_, level)| ["warn", "error", "critical"].contains(&level.as_str())), "{counts:?}");
    let Some(rows) = of_sqlite(&dir.path().join("out.db")) else { return };
    assert_eq!(rows, counts);
}

/// The writer of stdin is quiet, and keeps it open. What is in the pipe when the signal comes counts.
#[test]
fn one_signal_ends_one_pass_over_stdin() {
    let dir = Dir::new();
    let args = ["stats", "-", "--json", "--to", "sqlite:out.db", "--prometheus", "127.0.0.1:0"];
    let mut command = dir.command(&args);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().unwrap();
    running.until_noted("answers scrapes at http://127.0.0.1:");
    stdin.write_all(lines(0, 10).as_bytes()).unwrap();
    running.signal_behind(|| stdin.write_all(lines(10, 200).as_bytes()).unwrap(), Signal::INT);
    let (stdout, stderr, status) = running.end();
    assert!(stderr.contains("interrupted before all lines were counted") && status == 1, "{status}: {stderr}");
    let (counts, answer) = printed(&stdout);
    assert_eq!(answer["run"]["lines"], 212);
    let Some(rows) = of_sqlite(&dir.path().join("out.db")) else { return };
    assert_eq!(rows, counts);
}

/// Each of them would have several seconds for its first bytes.
#[test]
fn connections_without_a_request_do_not_keep_a_scrape_waiting() {
    let dir = Dir::new();
    dir.put("a.log", lines(1, 2));
    let running = start(&dir, &["a.log", "--follow", "--prometheus", "127.0.0.1:0"]);
    let stderr = running.stderr();
    let address = stderr.split("http://").nth(1).unwrap().split("/metrics").next().unwrap().to_owned();
    let connect = || TcpStream::connect(address.parse::<SocketAddr>().unwrap()).unwrap();
    let idle: Vec<TcpStream> = std::iter::repeat_with(connect).take(500).collect();
    let begun = Instant::now();
    until(&running, "the line", |counts, _| total(counts) == 1);
    assert!(begun.elapsed() < PATIENCE, "it has waited for them: {:?}", begun.elapsed());
    drop(idle);
    assert_eq!(running.interrupt().2, 0);
}

#[test]
fn lines_wait_while_a_database_is_down_and_are_written_once() {
    let Some(mut server) = Server::start() else { return };
    let dir = Dir::new();
    dir.put("a.log", lines(0, 2000));
    dir.put("password", PASSWORD);
    let url = server.url();
    let args = ["a.log", "--follow", "--json", "--prometheus", "127.0.0.1:0", "--to", &url];
    let running = start(&dir, &[&args[..], &["--to-password-file", "password"]].concat());
    let written = |text: &str| -> u64 {
        let samples = text.lines().filter(|line| line.starts_with("spanline_lines_written_total{output=\"postgres\""));
        samples.map(|sample| sample.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    until(&running, "the first rows", |counts, text| written(text) == 2040 && total(counts) == 2040);
    server.kill();
    append(&dir.path().join("a.log"), &lines(2000, 5000));
    until(&running, "lines count while it is down", |counts, _| total(counts) == 5100);
    server.run();
    let (scraped, _) = until(&running, "all rows", |_, text| written(text) == 5100);
    let (stdout, stderr, status) = running.interrupt();
    assert_eq!(status, 0, "{stderr}");
    let (counts, _) = printed(&stdout);
    assert_eq!((&scraped, &of_postgres(&server)), (&counts, &counts));
}

#[test]
fn lines_that_no_output_takes_are_reported() {
    let dir = Dir::new();
    dir.put("a.log", lines(0, 100));
    // A port on which nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = format!("clickhouse://{free}/log");
    let done = dir.run(&["stats", "a.log", "--json", "--to", &to]);
    assert_eq!(total(&printed(&done.stdout).0), 102);
    assert!(done.stderr.contains("clickhouse: 102 of 102 lines were not written"), "{}", done.stderr);
    assert_eq!(done.status, 1);
}

#[test]
fn outputs_that_are_no_databases_are_refused() {
    let dir = Dir::new();
    dir.put("a.log", lines(0, 1));
    for (args, part) in [
        (&["--to", "console"][..], "--to: expected a database: sqlite:FILE"),
        (&["--to", "files:logs"], "--to: expected a database: sqlite:FILE"),
        (
            &["--to", "kafka://u:hunter2@x"],
            "--to: unknown output `kafka`; expected one of: sqlite, postgres, clickhouse, clickhouse+https\n",
        ),
        (&["--to", "sqlite:no/x.db"], "--to: found no directory no; create it first\n"),
        (&["--to", "sqlite:x.db", "--to-password-file", "p"], "no output takes a password"),
    ] {
        let done = dir.run(&[&["stats", "a.log"], args].concat());
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?}");
        assert!(done.stderr.contains(part) && !done.stderr.contains("hunter2"), "{}", done.stderr);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let done = dir.run(&["stats", "a.log", "--prometheus", "192.0.2.1:1"]);
    assert!(done.stderr.contains("listen on 192.0.2.1:1 for --prometheus"), "{}", done.stderr);
    assert_eq!(done.status, 1);
}

/// The database is slower than the pipe, so the pipe never runs dry.
#[test]
fn a_source_that_always_has_lines_keeps_no_other_one_waiting() {
    let dir = Dir::new();
    dir.put("quiet.log", line(1, "INFO", "first"));
    let mut command = dir.command(&["stats", "--watch", "--json", "--to", "sqlite:rows.db", "-", "quiet.log"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        let lines = line(1, "INFO", "busy").repeat(1000);
        while !is_over.load(Ordering::Relaxed) && stdin.write_all(lines.as_bytes()).is_ok() {}
    });
    running.until_printed("\"busy\"");
    append(&dir.path().join("quiet.log"), &line(2, "INFO", "second"));
    running.until_printed("\"second\"");
    stop.store(true, Ordering::Relaxed);
    running.interrupt();
    writer.join().unwrap();
}
