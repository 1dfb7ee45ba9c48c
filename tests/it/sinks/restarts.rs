//! Promises 41 and 42: the program is restarted while its server is away, for each sink whose server acknowledges. Without a
//! spool it ends as programs do, and waits for its server. With one, SIGKILL ends it during an outage that is longer than the
//! queue can hold. `SPANLINE_LONG` logs 30,000 lines at 3,000/s, with outages of 2 s and a server that is stuck for 5 s.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use spanline::sink::{Http, Otlp, Postgres, Secret, Sink, Spool, Sqlite, Tcp};
use spanline::{Output, Overflow};
use tracing::Level;

use crate::sinks::server::{Server, Stored};
use crate::support::faults::{built, within};
use crate::support::http_server::{Request, Server as HttpServer, Step};
use crate::support::ledger::log;
use crate::support::postgres::{PASSWORD, Server as Database};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::sample::{is_long, tries};
use crate::support::wait::{PATIENCE, until};

const KINDS: [&str; 9] =
    ["acknowledged", "http", "otlp", "loki", "elastic", "splunk", "datadog", "clickhouse", "sqlite"];

/// Where lines go, and what can happen to it.
enum Place {
    Frames { server: Option<Server>, address: SocketAddr, stored: Stored, is_stuck: Arc<AtomicBool> },
    Http(HttpServer),
    Postgres(Box<Database>),
    Sqlite { path: PathBuf, lock: Option<rusqlite::Connection> },
}

impl Place {
    /// `None`: this machine lacks the server.
    fn start(kind: &str, folder: &Path) -> Option<Self> {
        Some(match kind {
            "acknowledged" => {
                let (stored, is_stuck) = (Stored::default(), Arc::new(AtomicBool::new(false)));
                let server = frames((std::net::Ipv4Addr::LOCALHOST, 0).into(), &stored, &is_stuck);
                Self::Frames { address: server.address, server: Some(server), stored, is_stuck }
            }
            "postgres" => Self::Postgres(Box::new(Database::start()?)),
            "sqlite" => Self::Sqlite { path: folder.join("log.db"), lock: None },
            _ => {
                let server = HttpServer::start([]);
                server.always(Step::By(answer));
                Self::Http(server)
            }
        })
    }

    fn address(&self) -> String {
        match self {
            Self::Frames { address, .. } => address.to_string(),
            Self::Http(server) => server.url(),
            Self::Postgres(server) => server.url(),
            Self::Sqlite { path, .. } => path.display().to_string(),
        }
    }

    fn leave(&mut self) {
        match self {
            Self::Frames { server, .. } => drop(server.take()),
            Self::Http(server) => server.kill(),
            Self::Postgres(server) => server.kill(),
            Self::Sqlite { path, lock } => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(PATIENCE).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                *lock = Some(connection);
            }
        }
    }

    fn come_back(&mut self) {
        match self {
            Self::Frames { server, address, stored, is_stuck } => *server = Some(frames(*address, stored, is_stuck)),
            Self::Http(server) => server.listen(),
            Self::Postgres(server) => server.run(),
            Self::Sqlite { lock, .. } => *lock = None,
        }
    }

    /// It takes connections and answers nothing, or goes on.
    fn stick(&mut self, sticks: bool) {
        match self {
            Self::Frames { is_stuck, .. } => {
                is_stuck.store(sticks, Ordering::SeqCst);
                // Its connections end, or it reads them already.
                self.leave();
                self.come_back();
            }
            Self::Http(server) => server.stuck(sticks),
            Self::Postgres(server) => server.signal(if sticks { Signal::STOP } else { Signal::CONT }),
            Self::Sqlite { .. } => {
                if sticks {
                    self.leave();
                } else {
                    self.come_back();
                }
            }
        }
    }

    /// The numbers of the lines in the order of their first arrival.
    fn numbers(&self) -> Vec<u64> {
        let all: Vec<u64> = match self {
            Self::Frames { stored, .. } => {
                stored.in_order();
                stored.connections().concat()
            }
            Self::Http(server) => server.stored().iter().flat_map(|line| numbers_in(line)).collect(),
            Self::Postgres(server) => {
                let found = server.sql("SELECT line ->> 'seq' FROM log WHERE target <> 'spanline' ORDER BY id");
                found.lines().map(|seq| seq.parse().unwrap()).collect()
            }
            Self::Sqlite { path, .. } => super::sqlite::numbers(path, 0),
        };
        let mut seen = std::collections::BTreeSet::new();
        all.into_iter().filter(|seq| seen.insert(*seq)).collect()
    }
}

/// A server that stores frames and acknowledges them.
fn frames(address: SocketAddr, stored: &Stored, is_stuck: &Arc<AtomicBool>) -> Server {
    let (taken, is_stuck) = (stored.clone(), Arc::clone(is_stuck));
    Server::start_at(address, move |_, stream| {
        if !is_stuck.load(Ordering::SeqCst) {
            return taken.frames(stream, u32::MAX, true);
        }
        // Until its connection is ended.
        let mut byte = [0];
        while stream.peek(&mut byte).is_ok_and(|length| length > 0) && is_stuck.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    })
}

/// The answer of each product.
fn answer(request: &Request) -> (u16, String) {
    let body = if request.line.contains("/ack?") {
        // Each batch has the same number.
        r#"{"acks":{"7":true}}"#
    } else if request.line.contains("/services/collector") {
        r#"{"text":"Success","code":0,"ackId":7}"#
    } else if request.line.contains("/_bulk") {
        r#"{"errors":false}"#
    } else {
        ""
    };
    (200, body.to_owned())
}

/// Finds the numbers of lines in any body: `seq`, and behind it the next digits.
fn numbers_in(text: &str) -> Vec<u64> {
    let after = text.split("seq").skip(1);
    let digits = after.map(|rest| rest.trim_start_matches(|char: char| !char.is_ascii_digit()));
    digits.map(|rest| rest.split(|char: char| !char.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
}

fn sink(kind: &str, address: &str) -> Box<dyn Sink> {
    let quick =
        |http: Http| Box::new(http.batch(500, 1 << 20, Duration::from_millis(20)).timeout(Duration::from_secs(2)));
    let token = || Secret::text("token");
    match kind {
        "acknowledged" => Box::new(Tcp::new(address).acknowledged().timeout(Duration::from_secs(2))),
        "http" => quick(Http::new(address)),
        "otlp" => Box::new(Otlp::new(address).json().requests(|http| *quick(http))),
        "loki" => quick(Http::loki(address, [("env", "test")])),
        "elastic" => quick(Http::elastic(address, "logs")),
        "splunk" => quick(Http::splunk_hec(address, token()).acknowledged()),
        "datadog" => quick(Http::datadog(address, token())),
        "clickhouse" => quick(Http::clickhouse(address, "logs")),
        "postgres" => {
            let database = Postgres::new(address).password(Secret::text(PASSWORD)).create_table();
            Box::new(database.timeout(Duration::from_secs(1)))
        }
        "sqlite" => Box::new(Sqlite::new(address)),
        _ => unreachable!(),
    }
}

const TASK: &str = "SPANLINE_IT_TASK";

/// Starts the program, which logs the lines `from..to`. `spool`: its folder.
fn program(test: &str, kind: &str, address: &str, from: u64, to: u64, spool: &str) -> Running {
    let mut command = child_command(test);
    command.env(TASK, [kind, address, &from.to_string(), &to.to_string(), spool].join("\n"));
    Running::start(command)
}

/// What a program prints at its end: lines that are written, dropped, taken over from another, and on disk.
fn ended(child: Running) -> Vec<u64> {
    let (stdout, _) = child.finish_within(2 * PATIENCE);
    stdout.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The program.
fn run() -> ! {
    let task = std::env::var(TASK).unwrap();
    let [kind, address, from, to, spool] = task.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    let mut output = Output::new(sink(kind, address)).queue_bytes(64 << 20);
    if !spool.is_empty() {
        // The queue holds a part of the lines.
        output = Output::new(Spool::new(spool, sink(kind, address))).queue_bytes(256 << 10);
    }
    let output = output.name("out").overflow(Overflow::Block { max_wait: PATIENCE });
    let builder = spanline::builder().filter("trace").output(output).shutdown_timeout(PATIENCE, PATIENCE);
    let (dispatch, guard) = built(builder);
    let begun = Instant::now();
    within(&dispatch, || {
        for seq in from..to {
            log(Level::INFO, 0, seq);
            // 3,000 lines/s.
            let due = begun + Duration::from_micros((seq - from) * 333);
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
    });
    let handle = guard.handle();
    let books = || super::peer::balanced(&handle.metrics());
    if !spool.is_empty() && from == 0 {
        until("all lines to be on disk", || books().spooled.total() == to);
        std::fs::write(Path::new(spool).with_extension("full"), "").unwrap();
        // It is killed.
        std::thread::park_timeout(2 * PATIENCE);
    } else if !spool.is_empty() {
        until("the spool to be empty", || books().written.total() >= to && books().spooled.total() == 0);
    }
    guard.close().unwrap();
    let books = books();
    println!(
        "{} {} {} {}",
        books.written.total(),
        books.dropped.total(),
        books.taken_over.total(),
        books.spooled.total()
    );
    child_done()
}

/// The books of both programs and the server's lines agree, whatever happened between them.
fn restart(test: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut place) = Place::start(kind, folder.path()) else { return };
    let lines = tries(3_000, 30_000) as u64;
    let half = lines / 2;
    let pass = |time: Duration| {
        let begun = Instant::now();
        until("the time to pass", || begun.elapsed() >= time);
    };
    let whole = Duration::from_micros(half * 333);
    let (away, stuck) = if is_long() { (2_000, 5_000) } else { (300, 400) };
    let (away, stuck) = (Duration::from_millis(away), Duration::from_millis(stuck));
    let first = program(test, kind, &place.address(), 0, half, "");
    until("lines", || matches!(place, Place::Sqlite { ref path, .. } if !path.exists()) || !is_empty(&place));
    // It is away while the first program ends.
    pass(whole.saturating_sub(away));
    place.leave();
    pass(2 * away);
    place.come_back();
    let first = ended(first);
    assert_eq!(first[..2], [half, 0], "{kind}: {first:?}");
    let second = program(test, kind, &place.address(), half, lines, "");
    until("lines", || place.numbers().len() as u64 > half);
    place.leave();
    pass(away);
    place.come_back();
    pass(whole / 4);
    place.stick(true);
    pass(stuck);
    place.stick(false);
    let second = ended(second);
    assert_eq!(second[..2], [lines - half, 0], "{kind}: {second:?}");
    assert_eq!(place.numbers(), (0..lines).collect::<Vec<_>>(), "{kind}");
}

/// Whether no line has arrived, as far as can be told without disturbing it.
fn is_empty(place: &Place) -> bool {
    match place {
        Place::Postgres(server) => server.psql("SELECT 1 FROM log LIMIT 1").is_none_or(|found| found.is_empty()),
        Place::Sqlite { path, .. } => !path.exists(),
        _ => place.numbers().is_empty(),
    }
}

#[test]
fn promise_41_a_restart_of_the_program_during_outages_loses_no_line_of_an_acknowledged_sink() {
    let test = this_test!();
    if is_child() {
        run();
    }
    std::thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || restart(test, kind));
        }
    });
}

#[test]
fn promise_41_a_restart_of_the_program_during_outages_loses_no_row_of_a_database() {
    let test = this_test!();
    if is_child() {
        run();
    }
    restart(test, "postgres");
}

/// The server is away from the start. The first program is killed when all is on disk, and the second one delivers it.
fn kill(test: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut place) = Place::start(kind, folder.path()) else { return };
    if let Place::Sqlite { path, .. } = &place {
        // A database that a program has left.
        let path = path.display().to_string();
        drop(built(spanline::builder().output(Output::new(Sqlite::new(path)))));
    }
    place.leave();
    let lines = tries(6_000, 30_000) as u64;
    let spool = folder.path().join("spool");
    let mut first = program(test, kind, &place.address(), 0, lines, spool.to_str().unwrap());
    until("all lines on disk", || spool.with_extension("full").exists());
    first.0.kill().unwrap();
    first.wait();
    let second = program(test, kind, &place.address(), lines, lines + 100, spool.to_str().unwrap());
    place.come_back();
    let second = ended(second);
    assert_eq!(second, [lines + 100, 0, lines, 0], "{kind}");
    assert_eq!(place.numbers(), (0..lines + 100).collect::<Vec<_>>(), "{kind}");
}

#[test]
fn promise_42_sigkill_during_an_outage_longer_than_the_queue_loses_no_line_with_a_spool() {
    let test = this_test!();
    if is_child() {
        run();
    }
    std::thread::scope(|scope| {
        for kind in ["acknowledged", "http", "otlp", "elastic", "splunk", "sqlite"] {
            scope.spawn(move || kill(test, kind));
        }
    });
}

#[test]
fn promise_42_sigkill_during_an_outage_of_a_database_loses_no_row_with_a_spool() {
    let test = this_test!();
    if is_child() {
        run();
    }
    kill(test, "postgres");
}
