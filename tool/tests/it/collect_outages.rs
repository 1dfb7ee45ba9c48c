//! Senders that wait for acknowledgements, while they and the receiver are killed: every line arrives, in order.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::sink::Tcp;
use tracing_subscriber::layer::SubscriberExt;

use super::collect_support::{Collector, PATIENCE, acknowledged, connect, frame, records, until};

/// Frames that a sender sends before it waits.
const WINDOW: u64 = 200;

/// A sender that speaks the protocol, and dies every now and then: its connection breaks in the middle of a frame.
struct Sender {
    service: String,
    address: SocketAddr,
    lines: u64,
    /// It dies each time when it has sent this many frames.
    life: u64,
}

impl Sender {
    /// Sends all lines. Counts those that were acknowledged in `progress`.
    fn run(&self, progress: &AtomicU64) {
        let mut next = 0;
        while next < self.lines {
            next += self.live(next, progress);
        }
    }

    /// Sends lines from `first` on, over one connection. Returns how many were acknowledged.
    fn live(&self, first: u64, progress: &AtomicU64) -> u64 {
        let mut stream = connect(self.address);
        let (mut sent, mut heard) = (0, 0);
        while first + sent < self.lines {
            let window = WINDOW.min(self.lines - first - sent).min(self.life - sent);
            let frames = (first + sent..first + sent + window).map(|number| {
                frame(&format!(r#"{{"service":"{}","message":"line","number":{number}}}"#, self.service))
            });
            let frames: Vec<u8> = frames.flatten().collect();
            if stream.write_all(&frames).is_err() {
                return heard;
            }
            sent += window;
            if sent == self.life {
                // It dies within the next frame, and does not hear of the last ones.
                let _ = stream.write_all(b"\0\0\0\x50{\"service\":\"to");
                return heard;
            }
            let now = u64::from(read_up_to(&mut stream, heard, sent));
            progress.fetch_add(now - heard, Ordering::Relaxed);
            heard = now;
            if heard < sent {
                return heard;
            }
        }
        heard
    }
}

/// Reads acknowledgements from `heard` up to `sent` frames.
fn read_up_to(stream: &mut std::net::TcpStream, heard: u64, sent: u64) -> u32 {
    let mut count = u32::try_from(heard).unwrap();
    let mut number = [0; 4];
    while u64::from(count) < sent && std::io::Read::read_exact(stream, &mut number).is_ok() {
        let next = u32::from_be_bytes(number);
        assert!(next > count && u64::from(next) <= sent, "acknowledged {next} after {count}, of {sent}");
        count = next;
    }
    count
}

/// Asserts that each line of a service is there, and that no line came before an earlier one.
#[track_caller]
fn assert_complete(folder: &Path, service: &str, lines: u64, kills: usize) {
    let (records, torn) = records(folder, service);
    assert!(torn <= kills, "{service} has {torn} torn lines");
    let mut next = 0;
    for record in records.iter().filter(|record| record["message"] == "line") {
        let number = record["number"].as_u64().unwrap();
        assert!(number <= next, "{service}: {number} came before {next}");
        next = next.max(number + 1);
    }
    assert_eq!(next, lines, "{service} is not complete");
}

#[test]
fn promise_50_lines_of_100_senders_arrive_while_they_and_the_receiver_are_killed() {
    const SENDERS: u64 = 100;
    const KILLS: usize = 2;
    let lines = if std::env::var_os("SPANLINE_LONG").is_some() { 10_000 } else { 1_000 };
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let to = format!("files:{}", logs.display());
    let mut collector = Collector::start(folder.path(), &["--listen", "length32://127.0.0.1:0", "--to", &to]);
    let again = ["--listen", &collector.addresses[0].clone(), "--to", &to];
    let address = collector.at(0);
    let (progress, begin) = (AtomicU64::new(0), Barrier::new(SENDERS as usize));
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (progress, begin) = (&progress, &begin);
            let service = format!("sender-{sender}");
            let sender = Sender { service, address, lines, life: lines / 3 + 7 * sender };
            scope.spawn(move || {
                begin.wait();
                sender.run(progress);
            });
        }
        for kill in 1..=KILLS as u64 {
            let part = SENDERS * lines * kill / 4;
            until("a part is acknowledged", || progress.load(Ordering::Relaxed) >= part);
            collector.kill();
            collector = Collector::start(folder.path(), &again);
        }
    });
    let report = collector.stop();
    assert_eq!(report["received"], report["written"]);
    assert_eq!((report["refused"].as_u64(), report["connections"].as_u64()), (Some(0), Some(0)));
    for sender in 0..SENDERS {
        assert_complete(&logs, &format!("sender-{sender}"), lines, KILLS);
    }
    let files = std::fs::read_dir(&logs).unwrap().count();
    assert_eq!(files, SENDERS as usize + 1, "a file for each service, and the default one");
}

#[test]
fn promise_50_the_librarys_own_sink_loses_nothing_through_a_restart() {
    const LINES: u64 = 5_000;
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let to = format!("files:{}", logs.display());
    let mut collector = Collector::start(folder.path(), &["--listen", "length32://127.0.0.1:0", "--to", &to]);
    let again = ["--listen", &collector.addresses[0].clone(), "--to", &to];
    let sink = Tcp::new(collector.at(0).to_string()).acknowledged().timeout(Duration::from_secs(10));
    let builder = spanline::builder().service("orders").filter("info").filter_variable(None);
    let builder = builder.output(Output::new(sink).name("out")).on_complaint(|_| {});
    let (layer, guard) = builder.shutdown_timeout(PATIENCE, PATIENCE).build::<tracing_subscriber::Registry>().unwrap();
    let handle = guard.handle();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in 0..LINES {
            tracing::info!(number, "line");
            if number == LINES / 2 {
                until("some lines are acknowledged", || handle.metrics().outputs[0].written.total() > 0);
                collector.kill();
                collector = Collector::start(folder.path(), &again);
            }
        }
    });
    guard.close().unwrap();
    let books = &handle.metrics().outputs[0];
    assert_eq!((books.written.total(), books.dropped.total()), (LINES, 0));
    let report = collector.stop();
    assert_eq!((report["refused"].as_u64(), report["senders"].as_u64()), (Some(0), Some(1)));
    assert_complete(&logs, "orders", LINES, 1);
}

/// A full disk: nothing is acknowledged, and nothing is lost once there is room.
/// Each half of the end took the whole time, so that supervisors killed the receiver.
#[test]
fn the_end_takes_no_longer_than_its_timeout_while_an_output_is_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--listen", "tcp://127.0.0.1:0", "--to", "postgres://x@127.0.0.1:1/x", "--shutdown-timeout", "8s"];
    let args = [&args[..], &["--report-every", "10ms"]].concat();
    let mut collector = Collector::start(folder.path(), &args);
    connect(collector.at(0)).write_all(b"{\"message\":\"line\"}\n").unwrap();
    until("the line is received", || collector.reports().any(|report| report["received"] == 1));
    let begun = Instant::now();
    assert_eq!(collector.terminate().code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
}

#[test]
fn promise_50_nothing_is_acknowledged_that_no_output_has_written() {
    let folder = tempfile::tempdir().unwrap();
    // A directory takes the place of the file, which cannot be opened.
    let logs = folder.path().join("logs");
    let to = format!("files:{}", logs.display());
    let args = ["--listen", "length32://127.0.0.1:0", "--listen", "http://127.0.0.1:0", "--write-timeout", "300ms"];
    let mut collector = Collector::start(folder.path(), &[&args[..], &["--to", &to]].concat());
    let blocked = logs.join("blocked.log");
    std::fs::create_dir(&blocked).unwrap();
    let line = r#"{"service":"blocked","message":"line"}"#;
    let mut sender = connect(collector.at(0));
    sender.write_all(&frame(line)).unwrap();
    assert_eq!(acknowledged(&mut sender, 1), 0, "the connection ends without an acknowledgement");
    let answer = super::collect_support::post(collector.at(1), "/", &[], line.as_bytes());
    assert_eq!((answer.status, answer.headers.get("retry-after").map(String::as_str)), (503, Some("1")), "{answer:?}");
    std::fs::remove_dir(&blocked).unwrap();
    let mut sender = connect(collector.at(0));
    let mut heard = 0;
    until("the line is written", || {
        if heard == 0 {
            sender = connect(collector.at(0));
            sender.write_all(&frame(line)).unwrap();
            heard = acknowledged(&mut sender, 1);
        }
        heard == 1
    });
    collector.stop();
    assert!(!records(&logs, "blocked").0.is_empty());
}
