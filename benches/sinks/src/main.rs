//! Measures spanline's sinks for servers beside their peers: how many lines a second arrive at a server on the same machine.
//!
//! One thread logs as fast as it can for a time, and then waits until the log has sent what it still has. What counts is
//! what the server has received by then, so a logger that drops lines is not faster for it. spanline waits where its queue
//! is full. The peers run in the same process, in turns with it.

mod peers;
mod servers;
mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;
use spanline::sink::{Http, Otlp, Postgres, Secret, Sink, Sqlite, Syslog, Tcp, Udp};
use spanline::{Output, Overflow};
use tracing_subscriber::prelude::*;

use servers::{NEEDLE, Server};

const PATIENCE: Duration = Duration::from_secs(120);

/// Measures how many lines a second arrive at a server on this machine.
#[derive(Parser)]
struct Args {
    /// For how many seconds each measurement logs
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only those whose name contains this
    only: Option<String>,
}

/// Lines that were logged and that have arrived, and how long that took.
#[derive(Clone, Copy)]
pub struct Figures {
    pub logged: u64,
    pub arrived: u64,
    pub seconds: f64,
}

impl Figures {
    fn rate(self) -> f64 {
        self.arrived as f64 / self.seconds
    }
}

/// Logs the line for a time. Returns how many.
pub fn log_for(time: Duration) -> u64 {
    let end = Instant::now() + time;
    let mut order = 0_u64;
    let _request = tracing::info_span!("request", request_id = "01981c1e-7a4b-7000-8000-000000000000").entered();
    loop {
        for _ in 0..256 {
            tracing::info!(order, customer = "ada@example.com", amount = 12.5, "order loaded");
            order += 1;
        }
        if Instant::now() >= end {
            return order;
        }
    }
}

/// What spanline delivers through a sink. `arrived`: how many lines are there, once all are written.
fn ours(sink: impl Sink, time: Duration, arrived: impl FnOnce() -> u64) -> Figures {
    let output = Output::new(sink).queue_bytes(32 << 20_u64).overflow(Overflow::Block { max_wait: PATIENCE });
    let builder = spanline::builder().filter("info").service("orders").shutdown_timeout(PATIENCE, PATIENCE);
    let (layer, guard) = builder.output(output).build().expect("a log");
    let begun = Instant::now();
    let logged = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || log_for(time));
    guard.handle().flush(PATIENCE).expect("a server that answers");
    let seconds = begun.elapsed().as_secs_f64();
    let books = guard.handle().metrics().outputs.remove(0);
    assert_eq!((books.written.total(), books.dropped.total()), (logged, 0), "{books:#?}");
    Figures { logged, arrived: arrived(), seconds }
}

/// The same with a server that counts what it receives.
fn to(server: &Server, sink: impl Sink, time: Duration) -> Figures {
    let before = server.arrived.lines.load(Ordering::Relaxed);
    ours(sink, time, || {
        // It may still be counting what it has read.
        let mut last = (Instant::now(), before);
        while last.0.elapsed() < Duration::from_millis(200) {
            let now = server.arrived.lines.load(Ordering::Relaxed);
            if now != last.1 {
                last = (Instant::now(), now);
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        last.1 - before
    })
}

type Measure = Box<dyn Fn(Duration) -> Option<Figures>>;

fn http(make: fn(&str) -> Http) -> Measure {
    Box::new(move |time| {
        let server = Server::http();
        Some(to(&server, make(&format!("http://{}", server.address)), time))
    })
}

fn otlp(make: fn(&str) -> Otlp) -> Measure {
    Box::new(move |time| {
        let server = Server::http();
        Some(to(&server, make(&format!("http://{}", server.address)), time))
    })
}

fn sqlite(time: Duration) -> Option<Figures> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    // Each line was committed when it counts as written.
    let figures = ours(Sqlite::new(&path), time, || 0);
    Some(Figures { arrived: figures.logged, ..figures })
}

fn postgres(time: Duration) -> Option<Figures> {
    let server = support::postgres::Server::start()?;
    let password = Secret::text(support::postgres::PASSWORD);
    let sink = Postgres::new(server.url()).password(password).create_table();
    Some(ours(sink, time, || server.sql("SELECT count(*) FROM log").parse().expect("a number")))
}

/// The columns of both databases.
const COLUMNS: &str = "time, level, target, message, service, trace_id, request_id, line";

/// How fast SQLite itself makes such rows, in the same table and the same transactions: the limit of any program.
fn sqlite_alone(time: Duration) -> Option<Figures> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    ours(Sqlite::new(&path), Duration::ZERO, || 0);
    let database = rusqlite::Connection::open(&path).expect("a database");
    let settings = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2048";
    database.execute_batch(settings).expect("settings");
    let insert = format!(
        "INSERT INTO log ({COLUMNS}) WITH RECURSIVE numbers(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers \
         WHERE n < ?1 + 9999) SELECT printf('2030-01-01T%016dZ', n), level, target, message, service, trace_id, \
         request_id, one.line FROM numbers, (SELECT * FROM log WHERE id = 1) AS one"
    );
    let mut insert = database.prepare(&insert).expect("a statement");
    let (begun, mut logged) = (Instant::now(), 0);
    while begun.elapsed() < time {
        logged += insert.execute([logged as i64]).expect("rows") as u64;
    }
    Some(Figures { logged, arrived: logged, seconds: begun.elapsed().as_secs_f64() })
}

/// How fast PostgreSQL itself makes such rows, without a client.
fn postgres_alone(time: Duration) -> Option<Figures> {
    let server = support::postgres::Server::start()?;
    let password = Secret::text(support::postgres::PASSWORD);
    ours(Postgres::new(server.url()).password(password).create_table(), Duration::ZERO, || 0);
    let count = || server.sql("SELECT count(*) FROM log").parse::<u64>().expect("a number");
    let before = count();
    let seconds = time.as_secs_f64();
    let begun = Instant::now();
    server.sql(&format!(
        "DO $$ DECLARE stop timestamptz := clock_timestamp() + interval '{seconds} s'; done bigint := 0; \
         BEGIN WHILE clock_timestamp() < stop LOOP \
         INSERT INTO log ({COLUMNS}) SELECT time + n * interval '1 us', level, target, message, service, trace_id, \
         request_id, line FROM generate_series(done, done + 9999) n, (SELECT * FROM log ORDER BY id LIMIT 1) one; \
         COMMIT; done := done + 10000; END LOOP; END $$"
    ));
    let seconds = begun.elapsed().as_secs_f64();
    let arrived = count() - before;
    Some(Figures { logged: arrived, arrived, seconds })
}

/// The measurements: a name, what is measured, and the peer's name for one of ours with the same task.
fn cases() -> Vec<(&'static str, Option<&'static str>, Measure)> {
    let tcp: Measure = Box::new(|time| {
        let server = Server::stream();
        Some(to(&server, Tcp::new(server.address.to_string()), time))
    });
    let acknowledged: Measure = Box::new(|time| {
        let server = Server::acknowledging();
        Some(to(&server, Tcp::new(server.address.to_string()).acknowledged(), time))
    });
    let udp: Measure = Box::new(|time| {
        let server = Server::datagrams();
        Some(to(&server, Udp::new(server.address.to_string()), time))
    });
    let syslog: Measure = Box::new(|time| {
        let server = Server::stream();
        Some(to(&server, Syslog::tcp(server.address.to_string()), time))
    });
    vec![
        ("Tcp", None, tcp),
        ("Tcp, acknowledged", None, acknowledged),
        ("Udp", None, udp),
        ("Syslog::tcp", Some("syslog"), syslog),
        ("syslog", None, Box::new(|time| Some(peers::syslog(time)))),
        ("Http, NDJSON", None, http(|url| Http::new(url))),
        ("Http::loki", Some("tracing-loki"), http(|url| Http::loki(url, [("env", "prod")]))),
        ("tracing-loki", None, Box::new(|time| Some(peers::loki(time)))),
        ("Http::clickhouse", None, http(|url| Http::clickhouse(url, "logs"))),
        ("Otlp, protobuf", Some("opentelemetry-otlp"), otlp(|url| Otlp::new(url))),
        ("opentelemetry-otlp", None, Box::new(|time| Some(peers::otlp(time, true)))),
        ("Otlp, JSON", Some("opentelemetry-otlp, simple"), otlp(|url| Otlp::new(url).json())),
        ("opentelemetry-otlp, simple", None, Box::new(|time| Some(peers::otlp(time, false)))),
        ("Sqlite", Some("SQLite alone"), Box::new(sqlite)),
        ("SQLite alone", None, Box::new(sqlite_alone)),
        ("Postgres", Some("PostgreSQL alone"), Box::new(postgres)),
        ("PostgreSQL alone", None, Box::new(postgres_alone)),
    ]
}

fn main() {
    let args = Args::parse();
    let time = Duration::from_secs_f64(args.seconds);
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| name.contains(only));
    let cases: Vec<_> = cases().into_iter().filter(|(name, ..)| wanted(name)).collect();
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); cases.len()];
    for round in 0..args.rounds {
        for (at, (name, _, measure)) in cases.iter().enumerate() {
            eprintln!("round {} of {}: {name}", round + 1, args.rounds);
            all[at].extend(measure(time));
        }
    }
    let medians: Vec<Option<Figures>> = all.into_iter().map(median).collect();
    let rate_of = |wanted: &str| {
        let at = cases.iter().position(|(name, ..)| *name == wanted)?;
        medians[at].map(Figures::rate)
    };
    println!("{:26} {:>12} {:>10}   ratio", "", "lines/s", "arrived");
    for ((name, peer, _), figures) in cases.iter().zip(&medians) {
        let Some(figures) = figures else {
            println!("{name:26} {:>12}", "no server");
            continue;
        };
        let share = 100.0 * figures.arrived as f64 / figures.logged as f64;
        let ratio = peer.and_then(|peer| Some(format!("{:.1} x {peer}", figures.rate() / rate_of(peer)?)));
        println!("{name:20} {:>12.0} {share:>9.1}%   {}", figures.rate(), ratio.unwrap_or_default());
    }
    println!("Each line has the text {NEEDLE:?}, three fields, a request id and a trace.");
}

fn median(mut figures: Vec<Figures>) -> Option<Figures> {
    figures.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
    figures.get(figures.len() / 2).copied()
}
