//! `Tcp` against servers that are down, stuck, slow, or break connections: what is written, and what is sent again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::{Memory, Tcp};
use spanline::{Guard, Output, Overflow};
use tracing::{Dispatch, Level};

use super::server::{Server, Stored};
use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::log;
use crate::support::wait::{PATIENCE, until};

/// A log whose only output is a sink.
pub(crate) struct Stage {
    pub(crate) dispatch: Dispatch,
    pub(crate) guard: Guard,
    pub(crate) complaints: Complaints,
}

impl Stage {
    pub(crate) fn of(sink: impl spanline::sink::Sink) -> Self {
        Self::with(Output::new(sink).name("out"))
    }

    pub(crate) fn with(output: Output) -> Self {
        let complaints = Complaints::default();
        let builder = spanline::builder().filter("trace").on_complaint(complaints.hook()).output(output);
        let builder = builder.max_line_bytes(1 << 20);
        let (dispatch, guard) = built(builder.shutdown_timeout(PATIENCE, PATIENCE));
        Self { dispatch, guard, complaints }
    }

    pub(crate) fn log(&self, numbers: std::ops::Range<u64>) {
        within(&self.dispatch, || numbers.for_each(|seq| log(Level::INFO, 0, seq)));
    }

    /// Ends the log, which writes everything. Returns the books, which balance.
    #[track_caller]
    pub(crate) fn close(self) -> OutputMetrics {
        let handle = self.guard.handle();
        drop(self.dispatch);
        self.guard.close().unwrap();
        super::peer::balanced(&handle.metrics())
    }
}

pub(crate) fn tcp(address: SocketAddr) -> Tcp {
    Tcp::new(address.to_string())
}

/// Waits until the peer has closed the connection, however much it sends before.
fn wait_for_end(mut stream: &TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

#[test]
fn promise_41_lines_arrive_once_and_in_order() {
    const LINES: u64 = 20_000;
    for is_framed in [false, true] {
        let stored = Stored::default();
        let taken = stored.clone();
        let server = Server::start(move |_, stream| match is_framed {
            false => taken.lines(stream, usize::MAX),
            true => taken.frames(stream, u32::MAX, false),
        });
        let sink = if is_framed { tcp(server.address).length32() } else { tcp(server.address) };
        let stage = Stage::of(sink);
        stage.log(0..LINES);
        let books = stage.close();
        until("the server has all", || stored.count() as u64 == LINES);
        assert_eq!(stored.connections(), [(0..LINES).collect::<Vec<_>>()]);
        assert_eq!((books.written.total(), books.resent), (LINES, 0), "{books:#?}");
    }
}

#[test]
fn promise_41_a_log_starts_before_its_server() {
    let address = Server::nowhere();
    let stage = Stage::of(tcp(address));
    stage.log(0..10);
    until("it is reported", || stage.complaints.all().iter().any(|text| text.contains(&address.to_string())));
    let stored = Stored::default();
    let taken = stored.clone();
    let _server = Server::start_at(address, move |_, stream| taken.lines(stream, usize::MAX));
    let books = stage.close();
    until("the server has all", || stored.count() == 10);
    assert_eq!(books.written.total(), 10);
}

#[test]
fn a_mistyped_address_fails_the_start() {
    for address in ["collector", "tcp://collector:1", "user:hunter2@collector:1"] {
        let builder = spanline::builder().output(Output::new(Tcp::new(address)));
        let error = builder.build::<tracing_subscriber::Registry>().err().unwrap();
        let text = format!("{error:#}");
        assert!(error.is_invalid() && text.contains("expected host:port") && !text.contains("hunter2"), "{text}");
        assert!(!format!("{:?}", Tcp::new(address)).contains("hunter2"));
    }
}

/// Each connection ends after one line. The next line is not sent into it.
#[test]
fn promise_41_a_line_is_not_sent_into_a_connection_that_has_ended() {
    // Of a burst, the server has to take its line within 10 ms. A busy machine may not let it.
    let bursts = (0..3).map(|_| lost_by_a_server_that_takes_one_line_of_each_connection());
    let lost: Vec<_> = bursts.take_while(|lost| !lost.is_empty()).collect();
    assert!(lost.len() < 3, "{lost:?}");
}

/// Returns which lines of a burst were lost. Lines with time between them never are.
fn lost_by_a_server_that_takes_one_line_of_each_connection() -> Vec<u64> {
    let stored = Stored::default();
    let taken = stored.clone();
    let (sender, ended) = channel();
    let server = Server::start(move |_, stream| {
        taken.lines(stream, 1);
        let _ = sender.send(());
    });
    let stage = Stage::of(tcp(server.address));
    for seq in 0..8 {
        stage.log(seq..seq + 1);
        until("the line is there", || stored.missing(seq + 1).is_empty());
        ended.recv_timeout(PATIENCE).unwrap();
    }
    assert!(stored.missing(8).is_empty());
    stage.log(8..40);
    assert_eq!(stage.close().written.total(), 40);
    stored.missing(40)
}

/// A server takes nothing, and ends the connection with what its kernel holds. Only that is lost.
#[test]
fn promise_41_a_broken_connection_loses_only_what_the_servers_kernel_had() {
    const LINES: u64 = 60_000;
    let stored = Stored::default();
    let taken = stored.clone();
    let (sender, closing) = channel();
    let (open, opened) = channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let server = Server::start(move |number, stream| {
        if number > 0 {
            return taken.lines(stream, usize::MAX);
        }
        opened.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        // Unread bytes make the close a reset.
        sender.send(rustix::io::ioctl_fionread(stream).unwrap()).unwrap();
    });
    let stage = Stage::with(Output::new(tcp(server.address)).name("out").queue_bytes(64 << 20));
    stage.log(0..LINES);
    let handle = stage.guard.handle();
    until("the connection is full", || {
        let before = handle.metrics().outputs[0].in_flight.total();
        std::thread::park_timeout(Duration::from_millis(100));
        before > 0 && handle.metrics().outputs[0].in_flight.total() == before
    });
    open.send(()).unwrap();
    let held = closing.recv_timeout(PATIENCE).unwrap();
    let books = stage.close();
    until("the last line is there", || stored.connections().iter().flatten().any(|seq| *seq == LINES - 1));
    stored.in_order();
    let missing = stored.missing(LINES);
    // They are the first ones: nobody read them.
    assert_eq!(missing, (0..missing.len() as u64).collect::<Vec<_>>());
    let shortest = "{\"time\":\"2026-11-20T10:15:38.123456Z\",\"level\":\"INFO\",\"thread\":0,\"seq\":0}\n".len();
    assert!(missing.len() * shortest <= held as usize, "{} lines, {held} bytes", missing.len());
    assert_eq!(books.written.total(), LINES);
    assert!(books.resent > 0, "{books:#?}");
}

/// The server ends the connection at each of some numbers of lines, with a reset, and says what it has stored.
#[test]
fn promise_41_acknowledged_lines_survive_resets_and_restarts() {
    const LINES: u64 = 4_000;
    let stored = Stored::default();
    let taken = stored.clone();
    let serve = move |number: usize, stream: &TcpStream| {
        let most = [1, 100, 0, 777, 5].get(number).copied().unwrap_or(u32::MAX);
        taken.frames(stream, most, true);
    };
    let server = Server::start(serve.clone());
    let address = server.address;
    let stage = Stage::of(tcp(address).acknowledged());
    stage.log(0..LINES / 2);
    until("half is there", || stored.missing(LINES / 2).is_empty());
    drop(server);
    stage.log(LINES / 2..LINES);
    let serve = move |number: usize, stream: &TcpStream| serve(number + 3, stream);
    let _server = Server::start_at(address, serve);
    let books = stage.close();
    assert!(stored.missing(LINES).is_empty(), "{:?}", stored.missing(LINES));
    stored.in_order();
    assert_eq!(books.written.total(), LINES);
}

/// Acknowledged means stored: what a server read without storing it is sent again.
#[test]
fn promise_41_what_is_not_acknowledged_is_sent_again() {
    let stored = Stored::default();
    let taken = stored.clone();
    let (sender, read) = channel();
    let server = Server::start(move |number, mut stream| {
        if number > 0 {
            return taken.frames(stream, u32::MAX, true);
        }
        stream.read_exact(&mut [0; 400]).unwrap();
        sender.send(()).unwrap();
    });
    let stage = Stage::of(tcp(server.address).acknowledged());
    stage.log(0..10);
    read.recv_timeout(PATIENCE).unwrap();
    let books = stage.close();
    assert_eq!(stored.connections().concat(), (0..10).collect::<Vec<_>>());
    assert!(books.resent > 0, "{books:#?}");
}

#[test]
fn promise_41_a_server_that_acknowledges_garbage_is_connected_to_again() {
    let stored = Stored::default();
    let taken = stored.clone();
    let server = Server::start(move |number, mut stream| {
        if number > 1 {
            return taken.frames(stream, u32::MAX, true);
        }
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        wait_for_end(stream);
    });
    let stage = Stage::of(tcp(server.address).acknowledged());
    stage.log(0..10);
    let complaints = stage.complaints.clone();
    stage.close();
    assert!(stored.missing(10).is_empty());
    assert!(complaints.all().iter().any(|text| text.contains("more than it was sent")), "{complaints:?}");
}

/// What a server says is nothing to a sink that asks for no acknowledgements, however much it is.
#[test]
fn promise_41_a_server_that_talks_is_not_listened_to() {
    let stored = Stored::default();
    let taken = stored.clone();
    let server = Server::start(move |_, stream| {
        let mut talking = stream.try_clone().unwrap();
        std::thread::spawn(move || while talking.write_all(&[b'x'; 65_536]).is_ok() {});
        taken.lines(stream, usize::MAX);
    });
    let stage = Stage::of(tcp(server.address));
    stage.log(0..1_000);
    stage.close();
    until("the server has all", || stored.missing(1_000).is_empty());
}

/// A server that is stuck, and one that takes a byte at a time: the calls return, the other output gets its lines, and the
/// end keeps its deadline. What was not written is counted.
#[test]
fn promise_41_a_stuck_server_delays_nobody() {
    const LINES: u64 = 50_000;
    for is_slow in [false, true] {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let server = Server::start(move |_, mut stream| {
            while !over.load(Ordering::Relaxed) {
                if is_slow {
                    let _ = stream.read_exact(&mut [0]);
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        let memory = Memory::new();
        let builder = spanline::builder().filter("trace").on_complaint(|_| {});
        let builder = builder
            .output(Output::new(tcp(server.address)).name("stuck").queue_bytes(4 << 20).overflow(Overflow::DropNewest));
        let builder = builder.output(Output::new(memory.clone()).name("other").queue_bytes(64 << 20));
        let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_millis(300), Duration::from_secs(1)));
        let handle = guard.handle();
        let begun = Instant::now();
        within(&dispatch, || (0..LINES).for_each(|seq| log(Level::INFO, 0, seq)));
        until("the other output has all", || handle.metrics().outputs[1].written.total() == LINES);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let ending = Instant::now();
        let unwritten = guard.close().unwrap_err().unwritten_lines().unwrap();
        assert!(ending.elapsed() < Duration::from_secs(10), "{:?}", ending.elapsed());
        assert!(unwritten > 0);
        let books = super::peer::balanced(&handle.metrics());
        let dropped = books.dropped.reason(Reason::Shutdown).total() + books.dropped.reason(Reason::QueueFull).total();
        assert_eq!(books.written.total() + dropped, LINES, "{books:#?}");
        drop(dispatch);
        is_over.store(true, Ordering::Relaxed);
        drop(server);
    }
}

/// Each connection is reset after 100 lines, as some load balancers do. Few lines are sent again.
#[test]
fn promise_41_a_server_that_resets_each_connection_after_some_lines_gets_few_twice() {
    // Within 10 ms after it has got lines, the server has to read some or to reset. A busy machine may not let it.
    let lost: Vec<_> = (0..3).map(|_| lost_by_a_server_that_resets()).take_while(|lost| !lost.is_empty()).collect();
    assert!(lost.len() < 3, "{lost:?}");
}

/// Returns which lines were lost.
fn lost_by_a_server_that_resets() -> Vec<u64> {
    const LINES: u64 = 2_000;
    let stored = Stored::default();
    let taken = stored.clone();
    // What is not read when it is closed resets it.
    let server = Server::start(move |_, stream| taken.lines(stream, 100));
    let output = Output::new(tcp(server.address)).queue_bytes(8_u64 << 20);
    let stage = Stage::with(output);
    stage.log(0..LINES);
    let books = stage.close();
    assert_eq!((books.written.total(), books.dropped.total()), (LINES, 0), "{books:#?}");
    stored.in_order();
    assert!((stored.count() as u64) < 8 * LINES, "{} lines came", stored.count());
    stored.missing(LINES)
}

/// The server has been away for so long that the pauses are long, and comes back while the log ends.
#[test]
fn promise_41_a_server_that_comes_back_during_the_end_gets_the_lines() {
    let address = Server::nowhere();
    let complaints = Complaints::default();
    let builder = spanline::builder().on_complaint(complaints.hook()).output(Output::new(tcp(address)));
    let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_secs(10), Duration::from_secs(10)));
    within(&dispatch, || log(Level::INFO, 0, 0));
    let handle = guard.handle();
    let retries = || handle.metrics().outputs.remove(0).retries;
    until("long pauses", || retries() >= 7);
    let before = retries();
    let ended = std::thread::spawn(move || guard.close());
    // The end tries at once, and then several times.
    until("another attempt", || retries() > before || ended.is_finished());
    let stored = Stored::default();
    let taken = stored.clone();
    let _server = Server::start_at(address, move |_, stream| taken.lines(stream, usize::MAX));
    ended.join().unwrap().unwrap();
    until("the line", || stored.count() == 1);
}
