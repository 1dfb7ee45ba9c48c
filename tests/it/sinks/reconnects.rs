//! A thousand connections leave threads and descriptors as they were.

use super::server::{Server, Stored};
use super::tcp::Stage;
use crate::support::wait::{PATIENCE, until};

fn threads_and_descriptors() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Runs a test again in a process that has no other threads than this test's. Returns whether this is that process.
fn is_alone() -> bool {
    if std::env::var_os("SPANLINE_TEST_ALONE").is_some() {
        return true;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let filter = std::thread::current().name().unwrap().to_owned();
    child.args(["--exact", &filter, "--nocapture", "--test-threads=1"]).env("SPANLINE_TEST_ALONE", "1");
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {text}", String::from_utf8_lossy(&output.stdout));
    false
}

/// Connects anew a thousand times. `servers`: how many descriptors of theirs may be left.
fn reconnect(mut step: impl FnMut(u64), rounds: u64, servers: usize) {
    (0..rounds / 10).for_each(&mut step);
    let before = threads_and_descriptors();
    (rounds / 10..rounds).for_each(&mut step);
    until("threads and descriptors are as before", || {
        let (threads, descriptors) = threads_and_descriptors();
        threads <= before.0 + 2 && descriptors <= before.1 + servers
    });
}

#[test]
fn a_thousand_reconnects_leave_threads_and_descriptors() {
    if !is_alone() {
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
    // The server keeps up to 64 connections.
    reconnect(step, 1_000, 64);
    stored.in_order();
}

/// Each attempt fails, as with a server that is no server of TLS.
#[cfg(feature = "tls")]
#[test]
fn broken_handshakes_leave_threads_and_descriptors() {
    if !is_alone() {
        return;
    }
    let server =
        Server::start(|_, mut stream| drop(std::io::Write::write_all(&mut stream, b"220 mail.example ESMTP\r\n")));
    let folder = tempfile::tempdir().unwrap();
    // Few roots are read fast.
    let tls = crate::sinks::tls::verified(&crate::sinks::tls::certificates(folder.path()).0);
    let stage = Stage::of(spanline::sink::Tcp::new(server.address.to_string()).tls(tls));
    stage.log(0..1);
    let retries = || stage.guard.handle().metrics().outputs[0].retries;
    let step = |_| {
        let before = retries();
        stage.guard.handle().reopen(PATIENCE).unwrap();
        until("an attempt", || retries() > before);
    };
    reconnect(step, crate::support::sample::tries(100, 1_000) as u64, 64);
    // Its line is never sent.
    std::mem::forget(stage);
}

#[cfg(all(feature = "http", feature = "gzip", feature = "zstd", feature = "prometheus"))]
#[test]
fn a_thousand_reconnects_of_http_leave_threads_and_descriptors() {
    use crate::support::http_server::{Server, Step};
    if !is_alone() {
        return;
    }
    let server = Server::start([]);
    server.always(Step::ThenClose);
    let stage = crate::sinks::http::Stage::new(crate::sinks::http::sink(&server));
    let step = |seq: u64| {
        stage.log(seq..seq + 1);
        stage.flush();
        // Another thread, too.
        if seq.is_multiple_of(2) {
            stage.guard.handle().reopen(PATIENCE).unwrap();
        }
    };
    reconnect(step, 1_000, 8);
    assert!(server.connections() >= 1_000);
    stage.guard.close().unwrap();
}

#[cfg(feature = "postgres")]
#[test]
fn many_reconnects_of_postgres_leave_threads_and_descriptors() {
    use crate::support::postgres::{PASSWORD, Server};
    if !is_alone() {
        return;
    }
    let Some(server) = Server::start() else { return };
    let password = spanline::sink::Secret::text(PASSWORD);
    let stage = Stage::of(spanline::sink::Postgres::new(server.url()).password(password).create_table());
    let step = |seq: u64| {
        stage.log(seq..seq + 1);
        stage.guard.handle().flush(PATIENCE).unwrap();
        stage.guard.handle().reopen(PATIENCE).unwrap();
    };
    reconnect(step, crate::support::sample::tries(100, 1_000) as u64, 2);
    assert_eq!(stage.close().dropped.total(), 0);
}
