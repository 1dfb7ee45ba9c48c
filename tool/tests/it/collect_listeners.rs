//! Each kind of listener with a real sender.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use spanline::Output;
use spanline::sink::{Http, Otlp, Sink, Syslog, Tcp, Udp, Unix};
use tracing_subscriber::layer::SubscriberExt;

use super::collect_support::{Collector, PATIENCE, connect, find, messages, records, refused, until};

/// Logs lines through a sink, as the service `orders`. Returns when the sink has written all.
#[track_caller]
fn log_through(sink: impl Sink, numbers: std::ops::Range<u64>) {
    let builder = spanline::builder().service("orders").filter("trace").filter_variable(None);
    let builder = builder.output(Output::new(sink).name("out")).on_complaint(|_| {});
    let (layer, guard) = builder.shutdown_timeout(PATIENCE, PATIENCE).build::<tracing_subscriber::Registry>().unwrap();
    let (handle, lines) = (guard.handle(), numbers.end - numbers.start);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for number in numbers {
            tracing::warn!(target: "orders::cart", number, nested = spanline::json(&["a", "b"]), "größe \"x\"");
        }
    });
    guard.close().unwrap();
    assert_eq!(handle.metrics().outputs[0].written.total(), lines);
}

/// Asserts that the lines of [`log_through`] are there, in order.
#[track_caller]
fn assert_lines(logs: &Path, lines: u64) -> Vec<Value> {
    let (records, torn) = records(logs, "orders");
    assert_eq!((records.len() as u64, torn), (lines, 0));
    for (number, record) in (0..).zip(&records) {
        assert_eq!(record["message"], "größe \"x\"", "{record}");
        assert_eq!((&record["level"], &record["target"]), (&"WARN".into(), &"orders::cart".into()), "{record}");
        assert_eq!(record["number"].as_u64().or_else(|| record["number"].as_str()?.parse().ok()), Some(number));
    }
    records
}

/// A receiver that writes to files, its directory, and its arguments but the listeners.
struct Stage {
    folder: tempfile::TempDir,
    to: String,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = format!("files:{}", folder.path().join("logs").display());
        Self { folder, to }
    }

    fn start(&self, listen: &[&str]) -> Collector {
        let mut args: Vec<&str> = listen.iter().flat_map(|listen| ["--listen", listen]).collect();
        // Other tests may slow it down.
        args.extend(["--to", &self.to, "--shutdown-timeout", "60s"]);
        Collector::start(self.folder.path(), &args)
    }

    fn logs(&self) -> std::path::PathBuf {
        self.folder.path().join("logs")
    }

    fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }
}

#[test]
fn json_lines_arrive_over_tcp_and_frames_are_acknowledged() {
    for scheme in ["tcp", "length32"] {
        let stage = Stage::new();
        let mut collector = stage.start(&[&format!("{scheme}://127.0.0.1:0")]);
        let sink = Tcp::new(collector.at(0).to_string());
        log_through(if scheme == "tcp" { sink } else { sink.acknowledged() }, 0..1000);
        let report = collector.stop();
        assert_eq!((&report["received"], &report["senders"]), (&1000.into(), &1.into()));
        let records = assert_lines(&stage.logs(), 1000);
        assert_eq!(records[0]["nested"], serde_json::json!(["a", "b"]));
    }
}

/// Its system counts lines as written that are in the receiver's socket. They are read before the end.
#[test]
fn a_receiver_that_ends_in_good_order_loses_nothing_of_plain_connections() {
    const LINES: u64 = 20_000;
    let stage = Stage::new();
    let mut collector = stage.start(&["tcp://127.0.0.1:0"]);
    let (listen, address) = (collector.addresses[0].clone(), collector.at(0));
    let (logs, file) = (stage.logs(), stage.logs().join("orders.log"));
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || log_through(Tcp::new(address.to_string()), 0..LINES));
        for _ in 0..3 {
            let before = fs::metadata(&file).map_or(0, |file| file.len());
            until("more lines arrive", || {
                sender.is_finished() || fs::metadata(&file).is_ok_and(|file| file.len() > before)
            });
            collector.stop();
            collector = stage.start(&[&listen]);
        }
        sender.join().unwrap();
    });
    collector.stop();
    let (records, torn) = records(&logs, "orders");
    assert_eq!(torn, 0);
    // A connection that waits at the end is read beside the one before it, so only each connection has its order.
    let arrived: BTreeSet<u64> = records.iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert_eq!(arrived, (0..LINES).collect());
}

/// Their systems have taken what they sent. Only those were read that the receiver had accepted before the signal.
#[test]
fn connections_that_wait_to_be_accepted_at_the_end_are_read() {
    let stage = Stage::new();
    let mut collector = stage.start(&["tcp://127.0.0.1:0"]);
    kill_process(collector.pid(), Signal::STOP).unwrap();
    for number in 0..100 {
        let mut sender = connect(collector.at(0));
        sender.write_all(format!("{{\"message\":\"{number}\"}}\n").as_bytes()).unwrap();
    }
    kill_process(collector.pid(), Signal::TERM).unwrap();
    kill_process(collector.pid(), Signal::CONT).unwrap();
    assert!(collector.wait().success());
    assert_eq!(messages(&stage.logs(), "default").len(), 100);
}

#[test]
fn a_unix_socket_is_its_users_and_replaces_only_a_dead_one() {
    let stage = Stage::new();
    let (path, listen) = (stage.socket(), format!("unix:{}", stage.socket()));
    // A socket that a killed receiver has left.
    drop(UnixListener::bind(&path).unwrap());
    let mut collector = stage.start(&[&listen]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = ["--listen", &listen, "--to", "console"];
    let (status, said) = refused(stage.folder.path(), &second);
    assert!(said.contains("another process listens there") && status == 1, "{said}");
    log_through(Unix::stream(&path), 0..100);
    let report = collector.stop();
    assert_eq!(report["received"], 100);
    assert!(!Path::new(&path).exists(), "the socket is removed at the end");
    assert_lines(&stage.logs(), 100);
    // Other files stay.
    fs::write(&path, "mine").unwrap();
    let (status, _) = refused(stage.folder.path(), &second);
    assert!(status == 1 && fs::read_to_string(&path).unwrap() == "mine");
}

#[test]
fn datagrams_arrive_over_udp_and_unix_sockets() {
    let stage = Stage::new();
    let mut collector = stage.start(&["udp://127.0.0.1:0"]);
    log_through(Udp::new(collector.at(0).to_string()), 0..100);
    // Nobody acknowledges datagrams. At the end, those that have arrived are read.
    collector.stop();
    assert_lines(&stage.logs(), 100);
    let stage = Stage::new();
    let mut collector = stage.start(&[&format!("unixgram:{}", stage.socket())]);
    log_through(Unix::datagram(stage.socket()), 0..100);
    collector.stop();
    assert_lines(&stage.logs(), 100);
}

#[test]
#[cfg(target_os = "linux")]
fn datagrams_that_the_system_drops_are_counted() {
    const SENT: u64 = 100_000;
    let stage = Stage::new();
    let mut collector = stage.start(&["udp://127.0.0.1:0"]);
    kill_process(collector.pid(), Signal::STOP).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..SENT {
        let line = format!(r#"{{"message":"{number}","service":"orders"}}"#);
        socket.send_to(line.as_bytes(), collector.at(0)).unwrap();
    }
    kill_process(collector.pid(), Signal::CONT).unwrap();
    let report = collector.stop();
    let (received, lost) = (report["received"].as_u64().unwrap(), report["datagrams_lost"].as_u64().unwrap());
    assert!(lost > 0, "{report}");
    assert_eq!(received + lost, SENT, "{report}");
    assert_eq!(records(&stage.logs(), "orders").0.len() as u64, received);
}

#[test]
fn syslog_arrives_in_both_framings_and_over_udp() {
    for (kind, listen) in ["syslog+tcp", "syslog+tcp", "syslog+udp"].into_iter().enumerate() {
        let stage = Stage::new();
        let mut collector = stage.start(&[&format!("{listen}://127.0.0.1:0")]);
        let address = collector.at(0).to_string();
        match kind {
            0 => log_through(Syslog::tcp(&address), 0..100),
            1 => log_through(Syslog::tcp(&address).newlines(), 0..100),
            _ => log_through(Syslog::udp(&address), 0..100),
        }
        let report = collector.stop();
        assert_eq!((&report["received"], &report["refused"]), (&100.into(), &0.into()));
        let (records, _) = records(&stage.logs(), "orders");
        assert_eq!(records.len(), 100, "{listen}");
        let text = |record: &Value| record["message"].as_str().unwrap_or_default().starts_with("größe \"x\"");
        assert!(records.iter().all(|record| text(record) && record["level"] == "WARN"), "{}", records[0]);
    }
}

#[test]
fn the_program_logger_reaches_the_receiver() {
    if find("logger").is_none() {
        return;
    }
    let stage = Stage::new();
    let mut collector = stage.start(&["syslog+udp://127.0.0.1:0", "syslog+tcp://127.0.0.1:0"]);
    let send = |transport: &str, address: SocketAddr, format: &[&str], text: &str| {
        let mut command = Command::new("logger");
        command.args(["--server", "127.0.0.1", "--port", &address.port().to_string(), transport, "--tag", "shop"]);
        assert!(command.args(format).arg(text).status().unwrap().success());
    };
    send("--udp", collector.at(0), &["--rfc5424"], "one");
    send("--udp", collector.at(0), &["--rfc3164"], "two");
    send("--tcp", collector.at(1), &["--rfc5424", "--octet-count"], "three");
    send("--tcp", collector.at(1), &["--rfc3164"], "four");
    collector.stop();
    let mut texts = messages(&stage.logs(), "shop");
    texts.sort();
    assert_eq!(texts, ["four", "one", "three", "two"]);
}

#[test]
fn http_takes_ndjson_compressed_and_not() {
    for compression in ["none", "gzip", "zstd"] {
        let stage = Stage::new();
        let mut collector = stage.start(&["http://127.0.0.1:0"]);
        let sink = Http::new(format!("http://{}/logs", collector.at(0)));
        log_through(
            match compression {
                "gzip" => sink.gzip(),
                "zstd" => sink.zstd(),
                _ => sink,
            },
            0..1000,
        );
        let report = collector.stop();
        assert_eq!((&report["received"], &report["written"]), (&1000.into(), &1000.into()));
        assert_lines(&stage.logs(), 1000);
    }
}

#[test]
fn otlp_arrives_as_protobuf_and_as_json() {
    for is_json in [false, true] {
        let stage = Stage::new();
        let mut collector = stage.start(&["http://127.0.0.1:0"]);
        let sink = Otlp::new(format!("http://{}", collector.at(0)));
        log_through(if is_json { sink.json() } else { sink }, 0..1000);
        let report = collector.stop();
        assert_eq!((&report["received"], &report["refused"]), (&1000.into(), &0.into()));
        assert_lines(&stage.logs(), 1000);
    }
}

#[test]
fn lines_go_to_a_database_and_to_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let out = fs::File::create(folder.path().join("out")).unwrap();
    let mut command = Command::new("sh");
    // The receiver replaces the shell.
    command.args(["-c", "exec \"$0\" \"$@\" >out", env!("CARGO_BIN_EXE_spanline")]);
    command.args([
        "collect",
        "--report",
        "json",
        "--listen",
        "tcp://127.0.0.1:0",
        "--to",
        "console",
        "--to",
        "sqlite:log.db",
        "--to",
        "files:first",
        "--to",
        "files:second",
    ]);
    drop(out);
    let mut collector = Collector::spawn(command.current_dir(folder.path()));
    connect(collector.at(0))
        .write_all(b"{\"message\":\"one\",\"service\":\"a\"}\n{\"message\":\"two\",\"service\":\"b\"}\n")
        .unwrap();
    collector.stop();
    let printed = fs::read_to_string(folder.path().join("out")).unwrap();
    let is_printed =
        |text: &str, service: &str| printed.lines().any(|line| line.contains(text) && line.contains(service));
    assert!(is_printed("one", "service=a") && is_printed("two", "service=b"), "{printed}");
    for files in ["first", "second"] {
        assert_eq!(messages(&folder.path().join(files), "a"), ["one"]);
    }
    let Some(sqlite) = find("sqlite3") else { return };
    let mut query = Command::new(sqlite);
    let rows = query.arg(folder.path().join("log.db")).arg("select message, service from log order by id").output();
    assert_eq!(String::from_utf8(rows.unwrap().stdout).unwrap(), "one|a\ntwo|b\n");
}
