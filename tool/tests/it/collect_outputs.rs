//! Outputs that refuse lines, or go away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::collect_support::{Collector, acknowledged, connect, frame, post};

/// A server that speaks ClickHouse's protocol. It refuses each insert with a row whose message is `poison`.
#[derive(Clone, Default)]
struct ClickHouse {
    rows: Arc<Mutex<Vec<String>>>,
    /// It answers 503.
    is_down: Arc<AtomicBool>,
}

impl ClickHouse {
    fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, server) = (listener.local_addr().unwrap(), self.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(&stream.unwrap()));
            }
        });
        address
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            if line.is_empty() {
                return;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let (status, text) = if self.is_down.load(Ordering::Relaxed) {
                ("503 Service Unavailable", "")
            } else if body.contains(r#""message":"poison""#) {
                ("400 Bad Request", "Code: 27. DB::Exception: Cannot parse input")
            } else {
                self.rows.lock().unwrap().extend(body.lines().map(str::to_owned));
                ("200 OK", "")
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            if { stream }.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Returns how many rows have a message.
    fn count(&self, message: &str) -> usize {
        let part = format!(r#""message":"{message}"#);
        self.rows.lock().unwrap().iter().filter(|row| row.contains(&part)).count()
    }
}

/// Its sender would send it again without an end.
#[test]
fn a_line_that_an_output_rejects_is_set_aside_and_the_others_are_written() {
    let server = ClickHouse::default();
    let to = format!("clickhouse://{}/log", server.start());
    let folder = tempfile::tempdir().unwrap();
    let args = ["--listen", "length32://127.0.0.1:0", "--to", &to, "--to", "files:logs"];
    let mut collector = Collector::start(folder.path(), &args);
    let mut sender = connect(collector.at(0));
    let lines = ["one", "two", "poison", "three", "four", "five"];
    let frames = lines.map(|message| frame(&format!(r#"{{"message":"{message}"}}"#)));
    sender.write_all(&frames.concat()).unwrap();
    assert_eq!(acknowledged(&mut sender, 6), 6);
    let report = collector.stop();
    assert_eq!((&report["rejected"], &report["written"]), (&1.into(), &6.into()), "{report}");
    for message in ["one", "two", "three", "four", "five", "refused a line: an output does not take it"] {
        assert!(server.count(message) > 0, "{message} is missing");
    }
    assert_eq!(server.count("poison"), 0);
}

#[test]
fn promise_50_all_outputs_have_what_is_acknowledged() {
    let server = ClickHouse::default();
    server.is_down.store(true, Ordering::Relaxed);
    let to = format!("clickhouse://{}/log", server.start());
    let folder = tempfile::tempdir().unwrap();
    let args = ["--listen", "http://127.0.0.1:0", "--to", &to, "--to", "files:logs", "--write-timeout", "500ms"];
    let mut collector = Collector::start(folder.path(), &args);
    let at = collector.at(0);
    for _ in 0..3 {
        let answer = post(at, "/", &[], b"{\"message\":\"line\"}");
        assert_eq!(answer.status, 503, "the file has it, and the database has not");
    }
    server.is_down.store(false, Ordering::Relaxed);
    super::collect_support::until("the database takes lines again", || {
        post(at, "/", &[], b"{\"message\":\"line\"}").status == 200
    });
    assert!(server.count("line") > 0);
    collector.stop();
}

/// Each attempt bounds the names of services again.
#[test]
fn a_line_of_a_service_beyond_the_limit_is_the_same_after_many_attempts() {
    let server = ClickHouse::default();
    server.is_down.store(true, Ordering::Relaxed);
    let to = format!("clickhouse://{}/log", server.start());
    let folder = tempfile::tempdir().unwrap();
    let args = ["--listen", "tcp://127.0.0.1:0", "--to", &to, "--write-timeout", "100ms", "--max-services", "1"];
    let mut collector = Collector::start(folder.path(), &args);
    let mut senders: Vec<_> = (0..4).map(|_| connect(collector.at(0))).collect();
    for (number, sender) in senders.iter_mut().enumerate() {
        writeln!(sender, r#"{{"service":"service-{number}","message":"line"}}"#).unwrap();
    }
    // Some wait for their turn, and are offered again.
    let begun = std::time::Instant::now();
    super::collect_support::until("attempts have failed", || begun.elapsed().as_secs() >= 2);
    server.is_down.store(false, Ordering::Relaxed);
    super::collect_support::until("all lines are written", || server.count("line") >= 4);
    collector.stop();
    let rows = server.rows.lock().unwrap();
    let others: Vec<_> = rows.iter().filter(|row| row.contains("original_service")).collect();
    assert!(others.len() >= 3, "{rows:?}");
    for row in others {
        assert!(row.contains("service-") && row.matches("original_service").count() == 1, "{row}");
    }
}

/// Lines of two days in turn would otherwise close a file each, and remove those of all other senders.
#[test]
fn times_of_senders_close_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--listen", "length32://127.0.0.1:0", "--to", "files:logs", "--keep-files", "1"];
    let mut collector = Collector::start(folder.path(), &args);
    let mut sender = connect(collector.at(0));
    for number in 1..=40 {
        let day = 1 + number % 9;
        let line = format!(r#"{{"service":"orders","time":"202{day}-01-01T00:00:00Z","message":"{number}"}}"#);
        sender.write_all(&frame(&line)).unwrap();
        let mut count = [0; 4];
        sender.read_exact(&mut count).unwrap();
        assert_eq!(u32::from_be_bytes(count), number);
    }
    collector.stop();
    assert_eq!(super::collect_support::messages(&folder.path().join("logs"), "orders").len(), 40);
}

/// A directory is in the place of one file.
#[test]
fn a_file_that_cannot_be_written_stops_only_the_senders_of_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    std::fs::create_dir_all(logs.join("stock.log")).unwrap();
    let listen =
        ["--listen", "tcp://127.0.0.1:0", "--listen", "length32://127.0.0.1:0", "--listen", "http://127.0.0.1:0"];
    let mut collector = Collector::start(folder.path(), &[&listen[..], &["--to", "files:logs"]].concat());
    let mut blocked = connect(collector.at(0));
    for number in 0..500 {
        writeln!(blocked, r#"{{"service":"stock","message":"{number}"}}"#).unwrap();
    }
    let complaints = |part: &str| {
        let said =
            |report: &serde_json::Value| report["problem"].as_str().is_some_and(|problem| problem.contains(part));
        collector.reports().filter(said).count()
    };
    super::collect_support::until("the file is named", || complaints("cannot write to logs/stock.log") > 0);
    // Those of the other service are written at once, whatever comes for the blocked one.
    let mut sender = connect(collector.at(1));
    for number in 1..=20 {
        sender.write_all(&frame(&format!(r#"{{"service":"orders","message":"{number}"}}"#))).unwrap();
        let mut count = [0; 4];
        sender.read_exact(&mut count).unwrap();
        assert_eq!(u32::from_be_bytes(count), number);
        let stock = post(collector.at(2), "/", &[], br#"{"service":"stock","message":"http"}"#);
        assert_eq!(stock.status, 503, "nothing is acknowledged that is not written");
    }
    // Neither line of a request is written if one cannot be.
    let both = b"{\"service\":\"orders\",\"message\":\"both\"}\n{\"service\":\"stock\",\"message\":\"both\"}";
    assert_eq!(post(collector.at(2), "/", &[], both).status, 503);
    let mut turned_away = connect(collector.at(1));
    turned_away.write_all(&frame(r#"{"service":"stock","message":"frame"}"#)).unwrap();
    assert_eq!(acknowledged(&mut turned_away, 1), 0);
    let expected: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(super::collect_support::messages(&logs, "orders"), expected);
    assert_eq!((complaints("cannot write to"), complaints("can be written again")), (1, 0));
    std::fs::remove_dir(logs.join("stock.log")).unwrap();
    let stock = || super::collect_support::messages(&logs, "stock");
    super::collect_support::until("all lines are there", || logs.join("stock.log").is_file() && stock().len() >= 500);
    assert_eq!(post(collector.at(2), "/", &[], both).status, 200);
    assert_eq!((complaints("cannot write to"), complaints("can be written again")), (1, 1));
    drop(blocked);
    collector.stop();
    let expected: Vec<_> = (0..500).map(|number| number.to_string()).chain(["both".to_owned()]).collect();
    assert_eq!(stock(), expected, "once, and in order");
}
