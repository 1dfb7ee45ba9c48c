//! What other programs send by default, which is not always what a listener's name suggests.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::collect_support::{Collector, connect, find, messages, post, records, until};

struct Stage {
    folder: tempfile::TempDir,
    collector: Collector,
}

impl Stage {
    fn start(listen: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = listen.iter().flat_map(|listen| ["--listen", listen]);
        let args: Vec<&str> = listen.chain(["--to", "files:logs", "--shutdown-timeout", "60s"]).collect();
        Self { collector: Collector::start(folder.path(), &args), folder }
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn port(&self, index: usize) -> String {
        self.collector.at(index).port().to_string()
    }
}

/// Vector, fluent-bit and winston send arrays, and so does `Http::json_array`. They were set aside as one line, of which only
/// the beginning was kept, and answered with 200.
#[test]
fn an_array_over_http_is_a_record_for_each_element() {
    let mut stage = Stage::start(&["http://127.0.0.1:0"]);
    let at = stage.collector.at(0);
    let elements: Vec<String> =
        (0..5_000).map(|number| format!(r#"{{"message":"{number}","text":"{}"}}"#, "x".repeat(100))).collect();
    let answer =
        post(at, "/logs", &[("Content-Type", "application/json")], format!("[{}]", elements.join(",")).as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"accepted":5000,"refused":0}"#));
    let expected: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    assert_eq!(messages(&stage.logs(), "default"), expected);
    let pretty = b"{\n  \"message\": \"pretty\",\n  \"service\": \"shop\"\n}\n";
    assert_eq!(post(at, "/", &[], pretty).body, r#"{"accepted":1,"refused":0}"#);
    assert_eq!(messages(&stage.logs(), "shop"), ["pretty"]);
    let mixed = post(at, "/", &[], b"[{\"message\":\"a\",\"service\":\"mixed\"}, 7, \"b\"]");
    assert_eq!(mixed.body, r#"{"accepted":1,"refused":2}"#);
    assert_eq!(stage.collector.stop()["received"], 5_004);
}

#[test]
fn the_librarys_http_sink_may_send_arrays() {
    use tracing_subscriber::layer::SubscriberExt;
    let mut stage = Stage::start(&["http://127.0.0.1:0"]);
    let sink = spanline::sink::Http::new(format!("http://{}/", stage.collector.at(0))).json_array();
    let builder = spanline::builder().service("orders").filter_variable(None).output(spanline::Output::new(sink));
    let (layer, guard) = builder.build::<tracing_subscriber::Registry>().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        (0..100).for_each(|number| tracing::info!(number, "line"));
    });
    guard.close().unwrap();
    let report = stage.collector.stop();
    assert_eq!((&report["received"], &report["refused"]), (&100.into(), &0.into()));
    assert_eq!(messages(&stage.logs(), "orders").len(), 100);
}

/// Python's `SysLogHandler` ends messages with a NUL. They became one line with the level of the first, and a connection
/// without a newline was closed after the line timeout.
#[test]
fn pythons_syslog_handler_sends_a_record_for_each_message() {
    let Some(python) = find("python3") else { return };
    let mut stage = Stage::start(&["syslog+tcp://127.0.0.1:0", "syslog+udp://127.0.0.1:0"]);
    let script = "
import logging, logging.handlers, socket, sys
for port, kind in ((sys.argv[1], socket.SOCK_STREAM), (sys.argv[2], socket.SOCK_DGRAM)):
    handler = logging.handlers.SysLogHandler(('127.0.0.1', int(port)), socktype=kind)
    handler.ident = 'shop: '
    logging.getLogger().handlers = [handler]
    for number in range(3):
        logging.error('line %s', number)
    logging.warning('last')
    handler.close()
";
    let ports = [stage.port(0), stage.port(1)];
    assert!(Command::new(python).args(["-c", script]).args(ports).status().unwrap().success());
    let logs = stage.logs();
    until("all are written", || records(&logs, "shop").0.len() == 8);
    let mut found: Vec<(String, String)> = records(&logs, "shop").0.iter().map(text_and_level).collect();
    found.sort();
    let twice = |text: &str, level: &str| vec![(text.to_owned(), level.to_owned()); 2];
    let expected =
        [twice("last", "WARN"), twice("line 0", "ERROR"), twice("line 1", "ERROR"), twice("line 2", "ERROR")];
    assert_eq!(found, expected.concat());
    assert_eq!(stage.collector.stop()["refused"], 0);
}

fn text_and_level(record: &serde_json::Value) -> (String, String) {
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    (text("message"), text("level"))
}

/// Python's graypy compresses datagrams, as most senders of GELF do.
#[test]
fn a_compressed_datagram_of_gelf_is_a_record() {
    let mut stage = Stage::start(&["udp://127.0.0.1:0"]);
    let text = br#"{"version":"1.1","host":"h","short_message":"hi","level":4,"_service":"shop"}"#;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(&encoder.finish().unwrap(), stage.collector.at(0)).unwrap();
    let logs = stage.logs();
    until("it is written", || messages(&logs, "shop") == ["hi"]);
    assert_eq!(stage.collector.stop()["refused"], 0);
}

/// Senders of GELF over TCP do so.
#[test]
fn a_nul_ends_an_object() {
    let mut stage = Stage::start(&["tcp://127.0.0.1:0"]);
    let mut sender = connect(stage.collector.at(0));
    let line =
        |number| format!(r#"{{"version":"1.1","host":"h","short_message":"{number}","level":4,"_service":"shop"}}"#);
    sender.write_all(format!("{}\0{}\0", line(1), line(2)).as_bytes()).unwrap();
    let logs = stage.logs();
    until("both are written while the connection is open", || messages(&logs, "shop") == ["1", "2"]);
    assert_eq!(stage.collector.stop()["refused"], 0);
}

/// A handler derived from Python's `SocketHandler` never reads, so acknowledgements would make its system discard lines.
#[test]
fn frames_arrive_over_tcp_without_acknowledgements_and_a_pickle_is_one_refused_line() {
    let Some(python) = find("python3") else { return };
    let mut stage = Stage::start(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0"]);
    let script = "
import json, logging, logging.handlers, struct, sys
class Frames(logging.handlers.SocketHandler):
    def makePickle(self, record):
        text = json.dumps({'message': record.getMessage(), 'service': 'frames'}).encode()
        return struct.pack('>L', len(text)) + text
def log(handler, lines):
    logging.getLogger().handlers = [handler]
    for number in range(lines):
        logging.error('%s', number)
    handler.close()
log(Frames('127.0.0.1', int(sys.argv[1])), 5000)
log(logging.handlers.SocketHandler('127.0.0.1', int(sys.argv[1])), 2)
log(logging.handlers.DatagramHandler('127.0.0.1', int(sys.argv[2])), 1)
";
    let ports = [stage.port(0), stage.port(1)];
    assert!(Command::new(python).args(["-c", script]).args(ports).status().unwrap().success());
    let logs = stage.logs();
    until("all are written", || records(&logs, "frames").0.len() == 5_000 && records(&logs, "refused").0.len() == 3);
    let report = stage.collector.stop();
    assert_eq!((&report["received"], &report["refused"]), (&5_003.into(), &3.into()));
    assert!(records(&logs, "refused").0.iter().all(|record| record["reason"] == "pickle"));
    assert_eq!(messages(&logs, "frames"), (0..5_000).map(|number| number.to_string()).collect::<Vec<_>>());
}
