//! A thousand connections leave threads and descriptors as they were.

use super::server::{Server, Stored};
use super::tcp::Stage;
use crate::support::wait::{PATIENCE, until};

fn threads_and_descriptors() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// The end of a process that has run this test alone: other tests have threads, too.
#[test]
fn a_thousand_reconnects_leave_threads_and_descriptors() {
    const NAME: &str = "a_thousand_reconnects_leave_threads_and_descriptors";
    if std::env::var_os("SPANLINE_TEST_ALONE").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let filter = std::thread::current().name().unwrap_or(NAME).to_owned();
        child.args(["--exact", &filter, "--nocapture"]).env("SPANLINE_TEST_ALONE", "1");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let stored = Stored::default();
    let taken = stored.clone();
    let server = Server::start(move |_, stream| taken.lines(stream, usize::MAX));
    // Found by name: the look-ups have threads.
    let stage = Stage::of(spanline::sink::Tcp::new(format!("localhost:{}", server.address.port())));
    let step = |seq: u64| {
        stage.log(seq..seq + 1);
        until("the line is there", || stored.missing(seq + 1).is_empty());
        stage.guard.handle().reopen(PATIENCE).unwrap();
    };
    (0..100).for_each(step);
    let settled = |before: (usize, usize)| {
        until("threads and descriptors are as before", || {
            let (threads, descriptors) = threads_and_descriptors();
            // The server keeps up to 64 connections.
            threads <= before.0 + 2 && descriptors <= before.1 + 64
        });
    };
    let before = threads_and_descriptors();
    (100..1_000).for_each(step);
    settled(before);
    stored.in_order();
}
