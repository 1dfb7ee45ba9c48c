//! `Http` and `Otlp` against real servers: chdb behind a small HTTP shim, and rotel.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use spanline::Output;
use spanline::sink::{Http, Otlp};
use tracing::Level;

use crate::sinks::http::{Stage, quick};
use crate::sinks::otlp::{decoded, records};
use crate::support::faults::{built, within};
use crate::support::http_server::Server;
use crate::support::ledger::log;
use crate::support::places::target;
use crate::support::stage::Said;
use crate::support::wait::until;

/// Returns a program of `.ci/run`'s tools. Without it, the test fails there and is left out elsewhere.
fn tool(path: &str) -> Option<PathBuf> {
    let path = target().join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing, which .ci/run installs", path.display());
    println!("not tested: {} is missing", path.display());
    None
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// ClickHouse's engine, as a server that takes inserts and, at `/select`, queries. It fails the first insert after it has
/// stored it, as a server does whose answer is lost.
const SHIM: &str = r#"
import http.server, sys, threading, urllib.parse
from chdb import session
base = session.Session(sys.argv[1])
lost = [True]
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            self.answer(body)
    def answer(self, body):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        statement = query.pop("query", None)
        status, answer = 200, ""
        try:
            if statement is None:
                answer = base.query(body, "CSV").bytes().decode()
            else:
                insert, format = statement.split(" FORMAT ")
                settings = ", ".join(f"{name} = '{value}'" for name, value in query.items())
                base.query(f"{insert} SETTINGS {settings} FORMAT {format} {body}")
                if lost.pop() if lost else False:
                    self.close_connection = True
                    return
        except Exception as error:
            status, answer = 500, str(error)
        answer = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Runs a statement, and returns its answer as CSV.
fn query(port: u16, statement: &str) -> String {
    use std::io::Write;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(crate::support::wait::PATIENCE)).unwrap();
    let length = statement.len();
    write!(stream, "POST /select HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{statement}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{answer}");
    body.to_owned()
}

#[test]
fn clickhouse_stores_each_line_once_although_an_answer_is_lost() {
    let Some(python) = tool("servers/bin/python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut shim = Command::new(python);
    shim.args(["-c", SHIM]).arg(folder.path().join("base")).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut shim = Running(shim.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(shim.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let port: u16 = port.trim().parse().unwrap();
    query(port, "CREATE DATABASE logs");
    query(
        port,
        "CREATE TABLE logs.orders (timestamp DateTime64(6, 'UTC'), level LowCardinality(String), target String, \
         message String, service String, thread UInt8, seq UInt64) ENGINE = MergeTree ORDER BY (service, timestamp) \
         SETTINGS non_replicated_deduplication_window = 1000",
    );
    let sink = Http::clickhouse(format!("http://127.0.0.1:{port}"), "logs.orders");
    let stage = Stage::new(sink.batch(100, 1 << 20, Duration::from_millis(5)));
    stage.within(|| (0..1_000).for_each(|number| log(Level::INFO, 0, number)));
    stage.flush();
    let counted = query(port, "SELECT count(), uniq(seq), min(seq), max(seq), any(service) FROM logs.orders");
    assert_eq!(counted.trim(), "1000,1000,0,999,\"orders\"");
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total()), (1_000, 0), "{books:#?}");
    // A row that can never be inserted is found.
    stage.within(|| tracing::info!(seq = "x", thread = 0, "line"));
    stage.within(|| log(Level::INFO, 0, 1_000));
    stage.flush();
    assert_eq!(query(port, "SELECT max(seq) FROM logs.orders").trim(), "1000");
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total()), (1_001, 1), "{books:#?}");
    stage.guard.close().unwrap();
}

/// Finds a free port. Another process may take it first; then the test fails.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn rotel_takes_what_otlp_sends_and_passes_it_on() {
    let Some(rotel) = tool("servers/lib/rotel-agent") else { return };
    let folder = tempfile::tempdir().unwrap();
    let behind = Server::start([]);
    behind.always(crate::support::http_server::Step::Answer(
        200,
        "Content-Type: application/x-protobuf\r\n",
        String::new(),
    ));
    let (http, grpc) = (free_port(), free_port());
    let mut agent = Command::new(rotel);
    agent
        .args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .arg(format!("--otlp-http-endpoint=127.0.0.1:{http}"))
        .arg(format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"))
        .arg(format!("--otlp-exporter-endpoint={}", behind.url()))
        .current_dir(folder.path())
        .stdout(Stdio::null());
    let _agent = Running(agent.spawn().unwrap());
    for is_json in [false, true] {
        let before = behind.requests().len();
        let sink = Otlp::new(format!("http://127.0.0.1:{http}")).requests(quick);
        let stage = Stage::of(Output::new(if is_json { sink.json() } else { sink.requests(|http| http.gzip()) }));
        stage.within(|| (0..1_000_u64).for_each(|number| tracing::info!(number, "line")));
        // rotel may not listen yet: the lines wait.
        stage.flush();
        assert_eq!(stage.books().written.total(), 1_000);
        let mut found = BTreeSet::new();
        until("rotel to pass on all records", || {
            found = behind.requests()[before..]
                .iter()
                .flat_map(|request| records(&decoded(request)))
                .map(number_of)
                .collect();
            found.len() == 1_000
        });
        assert_eq!(found, (0..1_000).collect());
        stage.guard.close().unwrap();
    }
}

fn number_of(record: opentelemetry_proto::tonic::logs::v1::LogRecord) -> i64 {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let attribute = record.attributes.into_iter().find(|attribute| attribute.key == "number").unwrap();
    match attribute.value.unwrap().value.unwrap() {
        Value::IntValue(number) => number,
        other => panic!("{other:?}"),
    }
}

/// A server with TLS that asks for a certificate, and prints the bodies of requests.
const TLS: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), end="", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
context.load_verify_locations("ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Makes an authority, and certificates of a server and a client.
const CERTIFICATES: &str = "set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=authority -days 2
for name in server client; do
    openssl req $key -keyout $name.key -out $name.csr -subj /CN=$name
    printf 'subjectAltName=IP:127.0.0.1' >$name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile $name.ext
done";

#[test]
#[cfg(unix)]
fn own_roots_and_a_client_certificate_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder.path()).output();
    if !made.is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing, which .ci/run installs");
        println!("not tested: openssl is missing");
        return;
    }
    let mut server = Command::new("python3");
    server.args(["-c", TLS]).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running(server.spawn().unwrap());
    let mut printed = BufReader::new(server.0.stdout.take().unwrap());
    let mut port = String::new();
    printed.read_line(&mut port).unwrap();
    let url = format!("https://127.0.0.1:{}", port.trim());
    let file = |name: &str| folder.path().join(name);

    // Mozilla's authorities have not signed the server's certificate.
    let said = Said::default();
    let patience = Duration::from_millis(10);
    let builder = spanline::builder().filter("trace").on_complaint(said.hook()).shutdown_timeout(patience, patience);
    let (dispatch, guard) = built(builder.output(Output::new(quick(Http::new(&url)))));
    within(&dispatch, || log(Level::INFO, 0, 0));
    until("a complaint", || said.all().iter().any(|text| text.contains("certificate")));
    assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(1));

    let sink = quick(Http::new(&url)).root_certificates(file("ca.pem"));
    let stage = Stage::new(sink.client_certificate(file("client.pem"), file("client.key")));
    stage.within(|| (0..100).for_each(|number| log(Level::INFO, 0, number)));
    stage.flush();
    for number in 0..100 {
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        assert!(line.contains(&format!("\"seq\":{number},")), "{line}");
    }
    assert_eq!(stage.books().retries, 0);
    stage.guard.close().unwrap();
}
