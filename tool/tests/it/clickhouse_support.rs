//! ClickHouse's servers for the tests: nodes of Debian's package, version 18.16, alone or as a cluster, and the current engine,
//! chdb, behind a small HTTP server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Dir;

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `fact` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "this did not happen in time: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that the tool is given.
pub(crate) struct Server {
    process: Running,
    /// Its port for HTTP.
    pub(crate) port: u16,
    folder: TempDir,
    /// The program of a node.
    program: PathBuf,
}

/// Returns a program that the gate installs. Without it, the test fails there and is left out elsewhere.
fn program(places: &[PathBuf]) -> Option<PathBuf> {
    let found = places.iter().find(|place| place.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing, which .ci/run installs", places[0].display());
        println!("not tested: {} is missing", places[0].display());
    }
    found.cloned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

const USERS: &str = "<yandex><profiles><default/></profiles><quotas><default/></quotas><users>\
    <default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>\
    <reader><password>hunter2</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>\
    </reader></users></yandex>";

/// Starts nodes of one cluster, called `all`.
pub(crate) fn nodes(count: usize) -> Option<Vec<Server>> {
    let server = program(&["/usr/sbin/clickhouse-server".into(), "/usr/bin/clickhouse-server".into()])?;
    let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
    let shard =
        |(_, port): &(u16, u16)| format!("<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>");
    let shards: String = ports.iter().map(shard).collect();
    let servers: Vec<_> = ports.iter().map(|(http, tcp)| node(&server, *http, *tcp, &shards)).collect();
    for server in &servers {
        until("a node answers", || server.answers());
    }
    Some(servers)
}

fn node(server: &Path, http: u16, tcp: u16, shards: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "<yandex><logger><level>warning</level><log>{log}</log><errorlog>{log}</errorlog></logger>\
         <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host>\
         <interserver_http_host>127.0.0.1</interserver_http_host><path>{data}/</path><tmp_path>{tmp}/</tmp_path>\
         <users_config>users.xml</users_config><default_profile>default</default_profile>\
         <default_database>default</default_database><mark_cache_size>16777216</mark_cache_size>\
         <remote_servers><all>{shards}</all></remote_servers></yandex>",
        log = at("log"),
        data = at("data"),
        tmp = at("tmp"),
    );
    fs::create_dir(at("data")).unwrap();
    fs::create_dir(at("tmp")).unwrap();
    fs::write(at("users.xml"), USERS).unwrap();
    fs::write(at("config.xml"), config).unwrap();
    Server { process: start(server, folder.path()), port: http, folder, program: server.to_owned() }
}

fn start(server: &Path, folder: &Path) -> Running {
    let mut command = Command::new(server);
    command.arg(format!("--config-file={}", folder.join("config.xml").display())).current_dir(folder);
    Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// ClickHouse's engine as a server.
const SHIM: &str = r#"
import http.server, os, sys, tempfile, threading, urllib.parse
from chdb import session
base = session.Session(sys.argv[1])
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)).get("query")
        status, answer = 200, b""
        try:
            with lock:
                if query is None:
                    answer = bytes(base.query(body.decode()).bytes() or b"")
                else:
                    insert, format = query.rsplit(" FORMAT ", 1)
                    with tempfile.NamedTemporaryFile(dir=sys.argv[2]) as rows:
                        rows.write(body)
                        rows.flush()
                        base.query(f"{insert} FROM INFILE '{rows.name}' FORMAT {format}")
        except Exception as error:
            status, answer = 500, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Starts the current engine.
pub(crate) fn current_engine() -> Option<Server> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        |target| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(target),
    );
    let python = program(&[target.join("servers/bin/python")])?;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(&python);
    command.args(["-c", SHIM]).arg(folder.path().join("base")).arg(folder.path());
    let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut process = Running(process);
    let mut port = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    Some(Server { process, port: port.trim().parse().unwrap(), folder, program: python })
}

impl Server {
    /// Runs a statement. Returns its answer, or its error.
    pub(crate) fn query(&self, statement: &str) -> Result<String, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = statement.len();
        // Without chunks.
        write!(stream, "POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{statement}").map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if head.contains(" 200 ") { Ok(body.trim().to_owned()) } else { Err(body.to_owned()) }
    }

    fn answers(&self) -> bool {
        self.query("SELECT 1").is_ok()
    }

    /// Returns a number that a statement asks for.
    #[track_caller]
    pub(crate) fn number(&self, statement: &str) -> u64 {
        self.query(statement).unwrap().parse().unwrap()
    }

    /// Returns its URL as the tool takes it.
    pub(crate) fn url(&self, behind: &str) -> String {
        format!("clickhouse://127.0.0.1:{}/{behind}", self.port)
    }

    /// Stops it: it has its connections, and does nothing.
    pub(crate) fn stop(&self) {
        let pid = rustix::process::Pid::from_raw(self.process.0.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }

    /// Starts a node again that was killed.
    pub(crate) fn start(&mut self) {
        self.process = start(&self.program, self.folder.path());
        until("a node answers", || self.answers());
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

/// A proxy in front of a server that stops passing on what it gets, after some bytes.
pub(crate) struct Gate {
    pub(crate) port: u16,
    left: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn new(server: &Server, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = server.port;
        let left = Arc::new(AtomicUsize::new(bytes));
        let shared = Arc::clone(&left);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let left = Arc::clone(&shared);
                std::thread::spawn(move || pass(client, to, &left));
            }
        });
        Self { port, left }
    }

    /// Returns whether it passes on nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

fn pass(mut client: TcpStream, to: u16, left: &AtomicUsize) {
    let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
    let (mut back, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || drop(std::io::copy(&mut back, &mut to_client)));
    let mut bytes = [0; 16 << 10];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let before = left.load(Ordering::Relaxed);
        left.store(before.saturating_sub(read), Ordering::Relaxed);
        if before < read {
            // Until the client is gone.
            while matches!(client.read(&mut bytes), Ok(1..)) {}
            break;
        }
        if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
}

/// A proxy in front of a server that holds back all that follows a text, until it lets go.
pub(crate) struct Hold {
    port: u16,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    text: &'static str,
    is_met: AtomicBool,
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Hold {
    pub(crate) fn new(server: &Server, text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), server.port);
        let held = Arc::new(Held { text, ..Held::default() });
        let shared = Arc::clone(&held);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let held = Arc::clone(&shared);
                std::thread::spawn(move || held.pass(client, to));
            }
        });
        Self { port, held }
    }

    /// Returns its URL as the tool takes it.
    pub(crate) fn url(&self, behind: &str) -> String {
        format!("clickhouse://127.0.0.1:{}/{behind}", self.port)
    }

    pub(crate) fn holds(&self) -> bool {
        self.held.is_met.load(Ordering::SeqCst)
    }

    pub(crate) fn let_go(&self) {
        self.held.is_over.store(true, Ordering::SeqCst);
    }

    /// Returns how many bytes the server has answered.
    pub(crate) fn answered(&self) -> usize {
        self.held.answered.load(Ordering::SeqCst)
    }
}

impl Held {
    fn pass(self: Arc<Self>, mut client: TcpStream, to: u16) {
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut back, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let shared = Arc::clone(&self);
        std::thread::spawn(move || {
            let mut bytes = [0; 64 << 10];
            while let Ok(read @ 1..) = back.read(&mut bytes) {
                shared.answered.fetch_add(read, Ordering::SeqCst);
                if to_client.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            let _ = to_client.shutdown(std::net::Shutdown::Both);
        });
        let mut bytes = [0; 16 << 10];
        while let Ok(read @ 1..) = client.read(&mut bytes) {
            let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
            while is(&self.is_met) && !is(&self.is_over) {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            if server.write_all(&bytes[..read]).is_err() {
                break;
            }
            if bytes[..read].windows(self.text.len()).any(|window| window == self.text.as_bytes()) {
                self.is_met.store(true, Ordering::SeqCst);
            }
        }
        let _ = server.shutdown(std::net::Shutdown::Both);
    }
}

/// Runs the tool. Its output may be any bytes.
pub(crate) fn run(dir: &Dir, args: &[&str]) -> Output {
    dir.command(args).env("TZ", "UTC").output().unwrap()
}

/// Runs the tool, which has to succeed, and returns what it printed.
#[track_caller]
pub(crate) fn printed(dir: &Dir, args: &[&str]) -> String {
    let output = run(dir, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Numbers that are the same on every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    pub(crate) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Lines of all forms, full of traps: keys in any order, nested levels, JSON and SQL in texts, NUL, bytes that are not UTF-8.
/// `minute`: that of their times, which are not sorted.
pub(crate) fn lines(numbers: &mut Numbers, count: usize, minute: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..count {
        let time = format!(
            "2026-11-20T10:{:02}:{:02}.{:03}Z",
            minute + numbers.below(3),
            numbers.below(60),
            numbers.below(1000)
        );
        let trace = format!("{:032x}", numbers.below(40));
        let trace = if numbers.below(3) == 0 { trace.to_uppercase() } else { trace };
        let service = numbers.one(&["orders", "'; DROP TABLE lines; --", "a\\\\b", "gr\\u00f6\\u00dfe", "stock"]);
        let level = numbers.one(&["TRACE", "debug", "INFO", "Warning", "ERROR", "CRITICAL", "loud"]);
        let text = numbers.one(&[
            "order lost",
            "it's \\\\'",
            "\\u0000",
            "{\\\"level\\\":\\\"ERROR\\\"}",
            "a | b",
            "\\n'); DELETE FROM lines",
        ]);
        let id = numbers.below(40);
        match numbers.below(24) {
            0 => all.extend_from_slice(b"thread 'main' panicked at \xff\xfe\0 \\'"),
            1 => all.extend_from_slice(b"{\"level\":\"ERROR\",\"message\":\"half"),
            2 => all.extend(format!("ts={time} level={level} msg=\"{text}\" service=fmt request_id=r-{id}").bytes()),
            3 => all.extend(format!("1795169{:03}.25 | {level} | a | b | stock | {trace}", numbers.below(900)).bytes()),
            4 => all.extend(format!("<11>1 {time} host app - - - {text}").bytes()),
            5 => all.extend(
                format!(
                    r#"{{"@timestamp":"{time}","log.level":"{level}","message":"{text}","ecs.version":"1.6.0","service.name":"{service}","trace.id":"{trace}"}}"#
                )
                .bytes(),
            ),
            6 => all.extend(
                format!(
                    r#"{{"name":"bunyan","level":50,"time":"{time}","msg":"{text}","v":0,"pid":1,"hostname":"h"}}"#
                )
                .bytes(),
            ),
            7 => all.extend(
                format!(
                    r#"{{"timestamp":"{time}","level":"{level}","target":"spanline","message":"lost","dropped":3,"reason":"{text}"}}"#
                )
                .bytes(),
            ),
            8 => all.extend_from_slice(b"{\"message\":\"no time\",\"trace_id\":\"00000000000000000000000000000007\"}"),
            9 => {}
            _ => {
                let mut members = vec![
                    format!("\"timestamp\":\"{time}\""),
                    format!("\"level\":\"{level}\""),
                    format!("\"service\":\"{service}\""),
                    format!("\"target\":\"{}\"", numbers.one(&["orders", "orders::db", "orders_db", "spanline"])),
                    format!("\"message\":\"{text}\""),
                    format!("\"trace_id\":\"{trace}\""),
                    format!("\"span_id\":\"{:016x}\"", numbers.below(200)),
                    format!("\"x\":{{\"level\":\"ERROR\",\"trace_id\":\"no\",\"ms\":{}}}", numbers.below(9)),
                    format!("\"status\":{}", 200 + numbers.below(400)),
                ];
                if numbers.below(2) == 0 {
                    members.push(format!("\"request_id\":\"r-{id}\""));
                }
                for at in (1..members.len()).rev() {
                    members.swap(at, numbers.below(at + 1));
                }
                all.extend(format!("{{{}}}", members.join(",")).bytes());
            }
        }
        all.push(b'\n');
    }
    all
}
