//! Promises 51 and 52: the log leaves the program's signals and descriptors alone.
#![cfg(unix)]
// The tests set what a program sets: dispositions, masks and descriptors.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::metrics::Reason;
use spanline::sink::Stdout;
use tracing::Level;

use crate::sinks::peer::balanced;
use crate::support::ledger::{in_order, log, read};
use crate::support::process::{
    FILE, HOW, Running, child_behind, child_command, child_done, file, how, is_child, log_on_four_threads,
    skip_to_own_part,
};
use crate::support::wait::PATIENCE;

fn by_default(signal: i32) {
    // SAFETY: the default action is a valid disposition, and no other thread of the child sets one.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

#[test]
fn promise_51_a_reader_that_goes_away_ends_the_output_and_not_the_program() {
    let test = this_test!();
    if is_child() {
        by_default(libc::SIGPIPE);
        let guard = spanline::builder().on_complaint(|_| {}).output(Output::new(Stdout::new())).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        // The parent closes its end when it has read the line, and then closes stdin.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        if how() == "worker" {
            log_on_four_threads(100);
        }
        guard.close().unwrap();
        // Delivered on this thread, as no worker runs any more.
        log(Level::ERROR, 0, 1);
        assert!(balanced(&handle.metrics()).dropped.reason(Reason::Closed).total() > 0);
        child_done();
    }
    for how in ["worker", "caller"] {
        let mut command = child_command(test);
        command.env(HOW, how).stdin(Stdio::piped());
        let mut child = Running::start(command);
        let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
        skip_to_own_part(&mut stdout);
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        drop(child.0.stdin.take());
        let status = child.wait();
        assert!(status.success(), "{how}: {status}: {}", child.stderr());
    }
}

#[test]
fn promise_51_a_file_that_may_not_grow_is_rotated_and_does_not_end_the_program() {
    let test = this_test!();
    if is_child() {
        by_default(libc::SIGXFSZ);
        let guard =
            spanline::builder().on_complaint(|_| {}).output(Output::new(file().rotate_bytes(1 << 20))).init().unwrap();
        let handle = guard.handle();
        log_on_four_threads(500);
        // No file can hold it.
        tracing::error!(text = "x".repeat(20_000));
        guard.close().unwrap();
        // Written on this thread.
        log(Level::ERROR, 9, 0);
        let books = balanced(&handle.metrics());
        assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (2_001, 1), "{books:#?}");
        child_done();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = child_behind("sh", &["-c", "ulimit -f 16; exec \"$@\"", "sh"], test);
    command.env(FILE, folder.path().join("it.log"));
    Running::start(command).finish();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let text: String = logs.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(text.lines().filter(|line| line.contains("\"seq\":")).count(), 2_001);
}

#[test]
fn promise_51_a_program_that_waits_for_its_signals_gets_them() {
    let test = this_test!();
    if is_child() {
        // Compression has a thread as well.
        let file = file().rotate_bytes(1_000);
        #[cfg(feature = "gzip")]
        let file = file.gzip();
        let guard = spanline::builder().output(Output::new(file)).init().unwrap();
        log_on_four_threads(50);
        // SAFETY: the set is initialized by `sigemptyset`, and the calls write only to what they are given.
        let received = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::kill(libc::getpid(), libc::SIGTERM);
            let mut signal = 0;
            libc::sigwait(&raw const set, &raw mut signal);
            signal
        };
        assert_eq!(received, libc::SIGTERM);
        guard.close().unwrap();
        child_done();
    }
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        // The harness's main thread waits for the test's: it may not take the signal either.
        let mut command = child_behind("python3", &["-c", BLOCK_TERM], test);
        command.env(FILE, folder.path().join("it.log"));
        Running::start(command).finish();
    }
}

/// Blocks SIGTERM and becomes the program of the arguments.
const BLOCK_TERM: &str = "import os, signal, sys; signal.pthread_sigmask(0, [15]); os.execv(sys.argv[1], sys.argv[1:])";

#[test]
fn promise_52_stdout_follows_descriptor_1() {
    let test = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(Stdout::new())).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        let path = std::env::var_os(FILE).unwrap();
        let file = File::create(path).unwrap();
        rustix::stdio::dup2_stdout(&file).unwrap();
        drop(file);
        (1..1_000).for_each(|seq| log(Level::INFO, 0, seq));
        handle.flush(PATIENCE).unwrap();
        // `$(daemon)` goes on now: nothing else holds the pipe. The parent then closes stdin.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        guard.close().unwrap();
        child_done();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let mut command = child_command(test);
    command.env(FILE, &path).stdin(Stdio::piped());
    let mut child = Running::start(command);
    assert_eq!(in_order(&read(&child.stdout())), 1);
    drop(child.0.stdin.take());
    let status = child.wait();
    assert!(status.success(), "{status}: {}", child.stderr());
    assert_eq!(read(&std::fs::read_to_string(path).unwrap()).len(), 999);
}

#[cfg(target_os = "linux")]
#[test]
fn promise_52_a_terminal_that_is_hung_up_ends_the_output_at_once() {
    let test = this_test!();
    if is_child() {
        let guard = spanline::builder().on_complaint(|_| {}).output(Output::new(Stdout::new())).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        log_on_four_threads(100);
        let begun = Instant::now();
        guard.close().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(balanced(&handle.metrics()).dropped.reason(Reason::Closed).total() > 0);
        child_done();
    }
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = child_command(test);
    command.stdout(terminal).stdin(Stdio::piped());
    let mut child = Running::start(command);
    let mut stdout = BufReader::new(File::from(master.as_fd().try_clone_to_owned().unwrap()));
    let mut line = String::new();
    while !line.contains("\"seq\":0") {
        line.clear();
        stdout.read_line(&mut line).unwrap();
    }
    drop((stdout, master));
    drop(child.0.stdin.take());
    let status = child.wait();
    assert!(status.success(), "{status}: {}", child.stderr());
}

/// As systemd's `StandardOutput=socket` and inetd may pass.
#[test]
fn promise_52_a_datagram_socket_as_stdout_gets_every_line_that_it_can_hold() {
    let test = this_test!();
    if is_child() {
        let output = Output::new(Stdout::new());
        let builder = spanline::builder().max_line_bytes(4 << 20).on_complaint(|_| {});
        let guard = builder.output(output).init().unwrap();
        let handle = guard.handle();
        // More than a datagram holds, in one batch, and then a line that none holds.
        let text = "x".repeat(20_000);
        for seq in 0..50_u64 {
            tracing::info!(seq, text);
        }
        tracing::info!(seq = 50, text = "y".repeat(2 << 20));
        tracing::info!(seq = 51);
        handle.flush(PATIENCE).unwrap();
        let books = balanced(&handle.metrics());
        assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (51, 1), "{books:#?}");
        guard.close().unwrap();
        child_done();
    }
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let mut command = child_command(test);
    command.stdout(Stdio::from(OwnedFd::from(theirs)));
    let mut child = Running::start(command);
    let reader = std::thread::spawn(move || {
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut received = Vec::new();
        let mut datagram = vec![0; 1 << 20];
        while !received.ends_with(&[51]) {
            let length = ours.recv(&mut datagram).unwrap();
            for line in datagram[..length].split(|byte| *byte == b'\n') {
                let line = serde_json::from_slice::<serde_json::Value>(line).unwrap_or_default();
                received.extend(line["seq"].as_u64());
            }
        }
        // The socket lives on: to the program, one without a reader is an output that has ended.
        (received, ours)
    });
    let status = child.wait();
    assert!(status.success(), "{status}: {}", child.stderr());
    assert_eq!(reader.join().unwrap().0, (0..50).chain([51]).collect::<Vec<_>>());
}

#[cfg(feature = "signals")]
#[test]
fn promise_51_sighup_can_flush_or_reopen_and_not_both() {
    let test = this_test!();
    if is_child() {
        let both = spanline::builder().flush_on_sighup().reopen_on_sighup();
        let error = both.init().unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("flush_on_sighup"), "{error}");
        let output = Output::new(file());
        let guard = spanline::builder().flush_on_sighup().output(output).init().unwrap();
        std::mem::forget(guard);
        log_on_four_threads(500);
        signal_hook::low_level::raise(libc::SIGHUP).unwrap();
        loop {
            std::thread::park_timeout(PATIENCE);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let mut command = child_command(test);
    command.env(FILE, &path);
    let mut child = Running::start(command);
    let status = child.wait();
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(libc::SIGHUP), "{status}: {}", child.stderr());
    assert_eq!(in_order(&read(&std::fs::read_to_string(path).unwrap())), 2_000);
}
