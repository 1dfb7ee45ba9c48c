//! Promises 41 and 42: sinks whose server is stuck. The end of the log keeps its deadline and leaves all on disk, an order is
//! obeyed, and memory stays within the budgets.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use spanline::sink::{Http, Memory, Otlp, Postgres, Sink, Spool, Tcp, Tls, Unix};
use spanline::{Output, Overflow};
use tracing::Level;

use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::log;
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::sample::is_long;
use crate::support::wait::{PATIENCE, until};

/// How a server is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stuck {
    /// Takes connections and reads nothing.
    Silent,
    /// Answers no attempt to connect: its backlog is full.
    Deaf,
}

/// A server that is stuck.
struct Server {
    address: SocketAddr,
    _listener: TcpListener,
    /// They fill the backlog.
    _clients: Vec<TcpStream>,
}

impl Server {
    fn start(stuck: Stuck) -> Self {
        if stuck == Stuck::Silent {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            return Self { address: listener.local_addr().unwrap(), _listener: listener, _clients: Vec::new() };
        }
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
        let descriptor = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&descriptor, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        listen(&descriptor, 0).unwrap();
        let listener = TcpListener::from(descriptor);
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            clients.push(client);
            assert!(clients.len() < 100, "the backlog is never full");
        }
        Self { address, _listener: listener, _clients: clients }
    }
}

const KINDS: [&str; 8] = ["tcp", "acknowledged", "tls", "unix", "http", "otlp", "elastic", "postgres"];

/// A sink with its defaults.
fn sink(kind: &str, address: SocketAddr, socket: &Path) -> Box<dyn Sink> {
    let url = format!("http://{address}");
    match kind {
        "tcp" => Box::new(Tcp::new(address.to_string())),
        "acknowledged" => Box::new(Tcp::new(address.to_string()).acknowledged()),
        "tls" => Box::new(Tcp::new(address.to_string()).tls(Tls::new().server_name("localhost"))),
        "unix" => Box::new(Unix::stream(socket)),
        "http" => Box::new(Http::new(url)),
        "otlp" => Box::new(Otlp::new(url)),
        "elastic" => Box::new(Http::elastic(url, "logs")),
        "postgres" => Box::new(Postgres::new(format!("postgres://a@{address}/a"))),
        _ => unreachable!(),
    }
}

fn lines(kind: &str, stuck: Stuck, lines: u64) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _unix = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let server = Server::start(stuck);
    let memory = Memory::new();
    let complaints = Complaints::default();
    let spool = Spool::new(folder.path().join("spool"), sink(kind, server.address, &socket));
    let output = Output::new(spool).name("out");
    // The deadlines are the defaults.
    let builder = spanline::builder().filter("trace").on_complaint(complaints.hook());
    let (dispatch, guard) = built(builder.output(output).output(Output::new(memory.clone())));
    let handle = guard.handle();
    within(&dispatch, || (0..lines).for_each(|seq| log(Level::INFO, 0, seq)));
    until("the other output", || memory.lines().len() as u64 == lines);
    // A flush waits no longer than it may.
    let begun = Instant::now();
    let _ = handle.flush(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(3), "{kind} {stuck:?}: flush took {:?}", begun.elapsed());
    within(&dispatch, || (lines..2 * lines).for_each(|seq| log(Level::INFO, 0, seq)));
    let begun = Instant::now();
    let closed = guard.close();
    let took = begun.elapsed();
    let books = crate::sinks::peer::balanced(&handle.metrics());
    println!("{kind} {stuck:?}: closed in {took:?}, {:?}", books.spooled);
    // Plain TCP: what the peer's kernel has is written.
    assert_eq!(books.dropped.total(), 0, "{kind} {stuck:?}: {closed:?} {books:#?} {:?}", complaints.all());
    assert_eq!(books.spooled.total() + books.written.total(), 2 * lines, "{kind} {stuck:?}: {books:#?}");
    assert!(took < Duration::from_secs(10), "{kind} {stuck:?}: {took:?}");
}

#[test]
fn promise_42_the_end_leaves_all_lines_on_disk_whatever_the_server_does() {
    std::thread::scope(|scope| {
        for stuck in [Stuck::Silent, Stuck::Deaf] {
            for kind in KINDS {
                if (kind, stuck) != ("unix", Stuck::Deaf) {
                    scope.spawn(move || lines(kind, stuck, 100));
                }
            }
        }
    });
}

/// How much memory this process has, in KiB: `VmRSS` or `VmHWM`.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

const QUEUE_BYTES: u64 = 2 << 20;

/// The queue, twice that for a batch as rows or a body, and what a connection and its threads need.
const MOST_KIB: u64 = ((3 * QUEUE_BYTES) >> 10) + (12 << 10);

/// Logs 3,000 lines/s for a minute in the long run; as many lines as fill the queue several times else.
#[test]
fn promise_41_memory_stays_within_the_budget_while_a_server_is_stuck() {
    const KIND: &str = "SPANLINE_IT_KIND";
    if !is_child() {
        std::thread::scope(|scope| {
            for kind in KINDS {
                scope.spawn(move || {
                    let mut command = child_command(
                        "sinks::stuck::promise_41_memory_stays_within_the_budget_while_a_server_is_stuck",
                    );
                    command.env(KIND, kind);
                    let (stdout, _) = Running::start(command).finish_within(2 * PATIENCE);
                    print!("{stdout}");
                });
            }
        });
        return;
    }
    let kind = std::env::var(KIND).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _unix = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let server = Server::start(Stuck::Silent);
    let output =
        Output::new(sink(&kind, server.address, &socket)).queue_bytes(QUEUE_BYTES).overflow(Overflow::DropNewest);
    let deadline = Duration::from_millis(200);
    let builder = spanline::builder().filter("trace").on_complaint(|_| {}).shutdown_timeout(deadline, deadline);
    let (dispatch, guard) = built(builder.output(output));
    let pad = "x".repeat(200);
    let burst = |seq: u64| within(&dispatch, || tracing::info!(seq, pad, "line"));
    (0..10).for_each(burst);
    let before = memory("VmRSS");
    let begun = Instant::now();
    let total = if is_long() { 180_000 } else { 60_000 };
    for seq in 0..total {
        burst(seq);
        if is_long() {
            let due = begun + Duration::from_micros(seq * 333);
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        } else if seq % 1_000 == 0 {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    let grown = memory("VmHWM") - before;
    let books = guard.handle().metrics().outputs.remove(0);
    println!("{kind}: {grown} KiB, {} dropped, {} bytes queued", books.dropped.total(), books.queued_bytes);
    assert!(books.dropped.total() > 0, "{kind}: the queue was never full: {books:#?}");
    assert!(books.max_queued_bytes <= QUEUE_BYTES, "{books:#?}");
    assert!(grown < MOST_KIB, "{kind}: {grown} KiB of {MOST_KIB}");
    let begun = Instant::now();
    let _ = guard.close();
    assert!(begun.elapsed() < PATIENCE / 2, "{kind}");
    child_done()
}
