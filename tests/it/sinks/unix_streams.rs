//! The streams of `Unix`: servers that are away, have a full backlog, or read nothing.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::sink::Unix;

use super::server::Stored;
use super::tcp::Stage;
use crate::support::faults::built;
use crate::support::wait::{PATIENCE, until};

#[test]
fn promise_41_a_unix_stream_gets_all_lines_and_counts_those_that_were_read() {
    const LINES: u64 = 5_000;
    for is_acknowledged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let sink = if is_acknowledged { Unix::stream(&path).acknowledged() } else { Unix::stream(&path) };
        let stage = Stage::of(sink);
        stage.log(0..LINES);
        let listener = UnixListener::bind(&path).unwrap();
        let (open, opened) = channel::<()>();
        let stored = Stored::default();
        let taken = stored.clone();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            opened.recv_timeout(PATIENCE).unwrap();
            match is_acknowledged {
                false => taken.lines(stream, usize::MAX),
                true => taken.frames(stream, u32::MAX, true),
            }
        });
        let handle = stage.guard.handle();
        until("lines are on their way", || handle.metrics().outputs[0].in_flight.total() > 0);
        handle.flush(Duration::from_millis(50)).unwrap_err();
        assert_eq!(handle.metrics().outputs[0].written.total(), 0, "nobody has read a line");
        open.send(()).unwrap();
        let books = stage.close();
        server.join().unwrap();
        assert_eq!(stored.connections(), [(0..LINES).collect::<Vec<_>>()]);
        assert_eq!((books.written.total(), books.resent), (LINES, 0));
    }
}

/// A server that accepts nobody: its backlog is full, and a connection would wait without end.
#[test]
fn promise_41_a_full_backlog_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut waiting = Vec::new();
    let (sender, connected) = channel();
    let filler = path.clone();
    // Fills the backlog, until a connection has to wait; the thread ends when the listener does.
    std::thread::spawn(move || while sender.send(std::os::unix::net::UnixStream::connect(&filler)).is_ok() {});
    while let Ok(stream) = connected.recv_timeout(Duration::from_millis(200)) {
        waiting.push(stream.unwrap());
    }
    let begun = Instant::now();
    let builder = spanline::builder().on_complaint(|_| {}).output(Output::new(Unix::stream(&path)));
    let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_millis(100), Duration::from_secs(1)));
    crate::support::faults::within(&dispatch, || tracing::info!("line"));
    assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    waiting
        .iter_mut()
        .for_each(|stream| assert!(stream.set_nonblocking(true).is_ok() && stream.read(&mut [0]).is_err()));
}
