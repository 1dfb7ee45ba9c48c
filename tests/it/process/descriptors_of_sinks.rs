//! Promise 52 for sinks beyond this process: the program closes all descriptors and reuses their numbers, as daemons do.
//!
//! No sink writes to a file of the program, and none closes one. Each goes on with a new connection. SQLite cannot, and
//! neither can tokio with the feature `signal`, which this test has: no new runtime starts, so lines for PostgreSQL wait.
#![cfg(all(
    target_os = "linux",
    feature = "http",
    feature = "gzip",
    feature = "zstd",
    feature = "journald",
    feature = "postgres",
    feature = "spool",
    feature = "sqlite"
))]
#![allow(unsafe_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::time::Duration;

use spanline::sink::{Fallback, Http, Journald, Postgres, Secret, Spool, Sqlite, Tcp, Udp, Unix};
use spanline::{Output, RollingFile};
use tracing::Level;

use crate::process::descriptors::{close_all, is_program_file, open_program_file, program_path};
use crate::sinks::server::{Server, Stored};
use crate::support::http_server;
use crate::support::ledger::log;
use crate::support::postgres;
use crate::support::process::{FILE, HOW, Running, child_command, child_done, how, is_child};
use crate::support::wait::{PATIENCE, until};

const ADDRESS: &str = "SPANLINE_IT_ADDRESS";

/// Before and after the program has closed all descriptors.
const BEFORE: u64 = 10;
const ALL: u64 = 60;

/// The output of a row, at an address that stands for its server.
fn output(name: &str, at: &str, folder: &Path) -> Output {
    let path = |name: &str| folder.join(name);
    match name {
        "tcp" => Output::new(Tcp::new(at)),
        "frames" => Output::new(Tcp::new(at).acknowledged()),
        "udp" => Output::new(Udp::new(at)),
        "unix" => Output::new(Unix::stream(path("stream"))),
        "unix datagrams" => Output::new(Unix::datagram(path("datagrams"))),
        "journald" => Output::new(Journald::new().socket(path("datagrams"))),
        "http" => Output::new(Http::new(at).batch(100, 64 << 10, Duration::from_millis(5))),
        "sqlite" => Output::new(Sqlite::new(path("log.db"))),
        "postgres" => Output::new(Postgres::new(at).password(Secret::text(postgres::PASSWORD)).create_table()),
        "spool" => Output::new(Spool::new(path("spool"), Tcp::new(at)).patience(Duration::from_millis(10))),
        "fallback" => Output::new(Fallback::new(Tcp::new(at), RollingFile::new(path("fallback.log")))),
        other => panic!("{other}"),
    }
}

/// The name of an output, its address, and what stands for its server.
type Row = (&'static str, String, Option<Box<dyn Send>>);

/// Starts what stands for the servers, in the parent, so that all descriptors of the child are the log's.
fn serve(stored: &Stored, folder: &Path) -> Vec<Row> {
    let (lines, frames, streamed) = (stored.clone(), stored.clone(), stored.clone());
    let tcp = Server::start(move |_, stream| lines.lines(stream, usize::MAX));
    let acknowledged = Server::start(move |_, stream| frames.frames(stream, u32::MAX, true));
    let http = http_server::Server::start([]);
    let (udp, unix) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UnixListener::bind(folder.join("stream")).unwrap());
    let (udp_at, http_at) = (udp.local_addr().unwrap().to_string(), http.url());
    std::thread::spawn(move || {
        for stream in unix.incoming().map(Result::unwrap) {
            let streamed = streamed.clone();
            std::thread::spawn(move || streamed.lines(&stream, usize::MAX));
        }
    });
    let datagrams = UnixDatagram::bind(folder.join("datagrams")).unwrap();
    std::thread::spawn(move || while datagrams.recv(&mut [0; 4096]).is_ok() {});
    let nowhere = Server::nowhere().to_string();
    let mut rows: Vec<Row> = vec![
        ("tcp", tcp.address.to_string(), Some(Box::new(tcp))),
        ("frames", acknowledged.address.to_string(), Some(Box::new(acknowledged))),
        ("udp", udp_at, Some(Box::new(udp))),
        ("unix", String::new(), None),
        ("unix datagrams", String::new(), None),
        ("journald", String::new(), None),
        ("http", http_at, Some(Box::new(http))),
        ("sqlite", String::new(), None),
        ("spool", nowhere.clone(), None),
        ("fallback", nowhere, None),
    ];
    if let Some(server) = postgres::Server::start() {
        rows.push(("postgres", server.url(), Some(Box::new(server))));
    }
    rows
}

/// The child: logs, loses all descriptors, and logs again.
fn play(folder: &Path) -> ! {
    let (how, at) = (how(), std::env::var(ADDRESS).unwrap());
    let (name, forks) = how.strip_suffix(", forked").map_or((&*how, false), |name| (name, true));
    let output = output(name, &at, folder).name("out");
    let builder = spanline::builder().filter("info").on_complaint(|_| {}).output(output);
    let end = if name == "postgres" { Duration::from_millis(100) } else { PATIENCE };
    let guard = builder.shutdown_timeout(end, end).init().unwrap();
    let handle = guard.handle();
    (0..BEFORE).for_each(|seq| log(Level::INFO, 0, seq));
    let books = || handle.metrics().outputs.remove(0);
    until("the first lines", || books().written.total() + books().spooled.total() == BEFORE);
    if forks {
        // SAFETY: the child runs on with this thread alone, as the log promises to support.
        let child = unsafe { libc::fork() };
        if child != 0 {
            let mut status = 0;
            // SAFETY: the child is this process's own, and `status` has room for the answer. It has done the work.
            unsafe {
                libc::waitpid(child, &raw mut status, 0);
                libc::_exit(i32::from(status != 0));
            }
        }
    }
    close_all();
    let mut program = open_program_file();
    (BEFORE..ALL).for_each(|seq| log(Level::INFO, 0, seq));
    let (ends, waits) = (name == "sqlite", name == "postgres");
    until("the others", || {
        let books = books();
        let is_tried = waits && books.retries > 2;
        is_tried || (books.queued.total() + books.in_flight.total() == 0 && books.emitted.total() > 0)
    });
    program.write_all(b"program\n").unwrap();
    let closed = guard.close();
    let books = books();
    let done = books.written.total() + books.spooled.total();
    let expected = if forks { ALL - BEFORE } else { ALL };
    let lost = if ends || waits { ALL - BEFORE } else { 0 };
    assert_eq!((done, books.dropped.total()), (expected - lost, lost), "{books:#?} {closed:?}");
    for number in 3..64 {
        assert!(is_program_file(number), "{number} was closed");
    }
    program.write_all(b"program\n").unwrap();
    assert_eq!(fs::read_to_string(program_path()).unwrap(), "program\n".repeat(2));
    child_done()
}

#[test]
fn promise_52_no_sink_uses_a_descriptor_that_the_program_has_reused() {
    if is_child() {
        let file = std::path::PathBuf::from(std::env::var_os(FILE).unwrap());
        play(file.parent().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let stored = Stored::default();
    for (name, at, server) in serve(&stored, folder.path()) {
        for how in [name.to_owned(), format!("{name}, forked")] {
            let mut command = child_command(this_test!());
            let file = folder.path().join(how.replace([' ', ','], "-"));
            fs::create_dir(&file).unwrap();
            for socket in ["stream", "datagrams"] {
                let _ = std::os::unix::fs::symlink(folder.path().join(socket), file.join(socket));
            }
            command.env(FILE, file.join("it.log")).env(HOW, &how).env(ADDRESS, &at);
            let mut child = Running::start(command);
            let status = child.wait();
            let mut text = String::new();
            let _ = child.0.stdout.take().unwrap().read_to_string(&mut text);
            assert!(status.success(), "{how}: {status}: {text} {}", child.stderr());
        }
        drop(server);
    }
    // Each of the three streams twice: all lines, and those that the child of a fork has logged.
    assert_eq!(stored.missing(ALL), Vec::<u64>::new());
}
