//! Promise 21: a forked child logs as if it had started by itself, and its parent as if nothing had happened.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::schema::Flat;
use spanline::sink::Writer;
use spanline::{Handle, Output, Overflow};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::faults::Faulty;
use crate::support::fork::{fork, wait, whole};
use crate::support::ledger::{all_told, log, read};
use crate::support::log_directory::compressing;
use crate::support::process::{file, how, is_child, run_child};
use crate::support::wait::{PATIENCE, until};

const CHILDREN: u64 = 50;
pub(crate) const LINES: u64 = 100;

/// Threads that log, open spans and record on one of them until they are stopped; each gives how often it did.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<u64>>,
}

impl Busy {
    pub(crate) fn start(span: &tracing::Span) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let logged = Arc::new(AtomicU64::new(0));
        let threads = (0..4)
            .map(|thread| {
                let (stop, span, logged) = (Arc::clone(&stop), span.clone(), Arc::clone(&logged));
                std::thread::spawn(move || {
                    let mut seq = 0;
                    while !stop.load(Ordering::Relaxed) {
                        span.in_scope(|| log(Level::INFO, thread, seq));
                        span.record("step", seq);
                        seq += 1;
                        logged.fetch_add(1, Ordering::Relaxed);
                        if seq % 16 == 0 {
                            std::thread::park_timeout(Duration::from_micros(500));
                        }
                    }
                    seq
                })
            })
            .collect();
        until("all are at it", || logged.load(Ordering::Relaxed) > 1_000);
        Self { stop, threads }
    }

    pub(crate) fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

/// What a child does: logs, in a span of the parent's and outside it, and looks at its books.
pub(crate) fn log_in_child(handle: &Handle, span: &tracing::Span, thread: u64) {
    let before = handle.metrics();
    assert!(before.outputs.iter().all(|output| output.emitted.total() + output.dropped.total() == 0), "{before:#?}");
    for seq in 0..LINES {
        span.record("step", seq);
        match seq % 2 {
            0 => log(Level::INFO, thread, seq),
            _ => span.in_scope(|| log(Level::INFO, thread, seq)),
        }
    }
}

#[test]
fn promise_21_forked_children_log_while_the_parent_does() {
    let name = this_test!();
    if is_child() {
        let overflow = Overflow::Block { max_wait: PATIENCE };
        let guard = spanline::builder()
            .output(Output::new(file()).overflow(overflow))
            .output(Output::new(spanline::Stdout::new()).overflow(overflow))
            .init()
            .unwrap();
        let handle = guard.handle();
        let span = tracing::info_span!("request", request_id = "r-1", step = tracing::field::Empty);
        let busy = Busy::start(&span);
        for number in 0..CHILDREN {
            let id = fork(|| {
                log_in_child(&handle, &span, 100 + number);
                if number % 2 == 0 {
                    handle.flush(PATIENCE).unwrap();
                    let metrics = handle.metrics();
                    assert!(metrics.outputs.iter().all(|output| output.written.total() == LINES), "{metrics:#?}");
                    // SAFETY: ends the process at once.
                    unsafe { libc::_exit(0) };
                }
            });
            assert_eq!(wait(id), 0, "child {number}");
        }
        let logged = busy.stop();
        guard.close().unwrap();
        let metrics = handle.metrics();
        for output in &metrics.outputs {
            assert_eq!((output.emitted.total(), output.written.total()), (logged.iter().sum(), logged.iter().sum()));
        }
        eprintln!("logged {logged:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let mut command = crate::support::process::child_command(name);
    command.env("SPANLINE_IT_FILE", &path).env("SPANLINE_IT_HOW", "");
    let (stdout, stderr) = crate::support::process::Running::start(command).finish();
    let stdout: String = stdout.split_inclusive('\n').filter(|line| line.starts_with('{')).collect();
    for text in [std::fs::read_to_string(&path).unwrap(), stdout] {
        let counts = whole(&text);
        assert_eq!(counts.len() as u64, 4 + CHILDREN);
        assert!(counts.iter().all(|(thread, lines)| *thread < 100 || *lines == LINES), "{counts:?}");
        let parents: Vec<_> = (0..4).map(|thread| counts[&thread]).collect();
        assert!(stderr.contains(&format!("logged {parents:?}")), "{parents:?} {stderr}");
    }
}

#[test]
fn promise_21_a_child_has_its_own_ids_and_process_id() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(file()).schema(Flat::new().pid())).init().unwrap();
        let spans = |thread| {
            for seq in 0..20 {
                tracing::info_span!("root").in_scope(|| log(Level::INFO, thread, seq));
            }
        };
        spans(0);
        guard.handle().flush(PATIENCE).unwrap();
        for number in 1..=CHILDREN {
            let id = fork(|| spans(number));
            assert_eq!(wait(id), 0);
        }
        spans(CHILDREN + 1);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as u64, 20 * (CHILDREN + 2));
    for key in ["trace_id", "span_id"] {
        let ids: BTreeSet<_> = lines.iter().map(|line| line[key].as_str().unwrap()).collect();
        assert_eq!(ids.len(), lines.len(), "{key}");
    }
    let processes: BTreeSet<_> = lines.iter().map(|line| line["pid"].as_u64().unwrap()).collect();
    assert_eq!(processes.len() as u64, CHILDREN + 1);
}

/// The guard was dropped, or is just being dropped, when the process forks.
#[test]
fn promise_21_a_child_logs_after_its_parents_log_has_ended() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        let handle = guard.handle();
        (0..10).for_each(|seq| log(Level::INFO, 0, seq));
        let closing = match how().as_str() {
            "ended" => {
                drop(guard);
                None
            }
            _ => Some(std::thread::spawn(move || drop(guard))),
        };
        for number in 1..=20 {
            let id = fork(|| {
                (0..LINES).for_each(|seq| log(Level::INFO, number, seq));
                handle.flush(PATIENCE).unwrap();
                assert_eq!(handle.metrics().outputs[0].written.total(), LINES);
            });
            assert_eq!(wait(id), 0);
        }
        closing.map(std::thread::JoinHandle::join);
        (10..20).for_each(|seq| log(Level::INFO, 0, seq));
        return;
    }
    for how in ["ended", "ending"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let (status, stderr) = run_child(name, how, &path);
        assert!(status.success(), "{stderr}");
        let counts = whole(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(counts, BTreeMap::from_iter((0..=20).map(|thread| (thread, if thread == 0 { 20 } else { LINES }))));
    }
}

/// The child of a daemon: its parent exits, it goes on, rotates, and forks again.
#[test]
fn promise_21_a_daemon_goes_on_with_the_file_of_its_parent() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(compressing(file().rotate_bytes(4 << 10)))).init().unwrap();
        (0..200).for_each(|seq| log(Level::INFO, 0, seq));
        let id = fork(|| {
            (0..200).for_each(|seq| log(Level::INFO, 1, seq));
            let id = fork(|| (0..200).for_each(|seq| log(Level::INFO, 2, seq)));
            (200..400).for_each(|seq| log(Level::INFO, 1, seq));
            assert_eq!(wait(id), 0);
        });
        (200..400).for_each(|seq| log(Level::INFO, 0, seq));
        assert_eq!(wait(id), 0);
        guard.close().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (status, stderr) = run_child(name, "", &folder.path().join("it.log"));
    assert!(status.success(), "{stderr}");
    let mut seen = BTreeMap::<(u64, u64), u32>::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => String::from_utf8(bytes).unwrap(),
            Some("gz") => {
                let output = std::process::Command::new("gzip").arg("-dc").arg(&path).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            }
            _ => continue,
        };
        read(&text).iter().for_each(|line| *seen.entry((line.thread, line.seq)).or_default() += 1);
    }
    assert_eq!(seen.len(), 400 + 400 + 200);
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

/// Several threads that fork at once, while others flush, reopen, change filters and end a log.
#[test]
fn promise_21_forks_while_everything_else_happens() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        let handle = guard.handle();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (handle, stop) = (&handle, &stop);
            let keep = move |act: fn(&Handle)| {
                while !stop.load(Ordering::Relaxed) {
                    act(handle);
                }
            };
            scope.spawn(move || keep(|handle| handle.flush(PATIENCE).unwrap()));
            scope.spawn(move || keep(|handle| handle.reopen(PATIENCE).unwrap()));
            scope.spawn(move || keep(|handle| handle.set_filter("info").unwrap()));
            scope.spawn(move || {
                keep(|_| {
                    // Not a subscriber: tracing holds a lock while it creates one.
                    let (appender, guard) = Output::new(spanline::sink::Memory::new()).appender().unwrap();
                    appender.make_writer().write_all(b"line\n").unwrap();
                    guard.close().unwrap();
                });
            });
            let forking: Vec<_> = (0..2)
                .map(|thread| {
                    scope.spawn(move || {
                        for number in 0..15 {
                            let child = 100 * (thread + 1) + number;
                            let id = fork(|| {
                                (0..LINES).for_each(|seq| log(Level::INFO, child, seq));
                                handle.set_filter("info").unwrap();
                                handle.flush(PATIENCE).unwrap();
                            });
                            assert_eq!(wait(id), 0);
                        }
                    })
                })
                .collect();
            forking.into_iter().for_each(|thread| thread.join().unwrap());
            stop.store(true, Ordering::Relaxed);
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert!(counts.len() == 30 && counts.values().all(|lines| *lines == LINES), "{counts:?}");
}

/// With threads in the midst of being limited, so that one of its locks is nearly always held.
#[test]
fn promise_21_a_child_has_its_own_rate_limits() {
    let name = this_test!();
    if is_child() {
        let taken = Faulty::new();
        let output = Output::new(Writer::new(taken.clone()));
        let guard = spanline::builder().rate_limit(3, Duration::from_secs(1_000_000)).output(output).init().unwrap();
        let handle = guard.handle();
        let busy = Busy::start(&tracing::info_span!("busy", step = tracing::field::Empty));
        for _ in 0..CHILDREN {
            let id = fork(|| {
                (0..10).for_each(|seq| log(Level::INFO, 1, seq));
                handle.flush(PATIENCE).unwrap();
                let output = &handle.metrics().outputs[0];
                let counts = (output.emitted.total(), output.written.total(), output.notices);
                assert_eq!(counts, (10, 3, 0), "{output:#?}");
                assert_eq!(output.dropped.reason(Reason::RateLimited).total(), 7);
            });
            assert_eq!(wait(id), 0);
        }
        let logged: u64 = busy.stop().into_iter().sum();
        guard.close().unwrap();
        let output = &handle.metrics().outputs[0];
        assert_eq!((output.emitted.total(), output.written.total()), (logged, 3));
        assert_eq!(output.dropped.reason(Reason::RateLimited).total(), logged - 3);
        all_told(output, &taken.text());
        return;
    }
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// Its limit of address space leaves no room for a thread's stack.
#[cfg(target_os = "linux")]
#[test]
fn promise_21_a_child_that_can_start_no_worker_tells_what_was_suppressed() {
    let name = this_test!();
    if is_child() {
        let taken = Faulty::new();
        let output = Output::new(Writer::new(taken.clone()));
        let builder = spanline::builder().rate_limit(3, Duration::from_secs(1_000_000)).on_complaint(|_| {});
        let mut guard = Some(builder.output(output).init().unwrap());
        let handle = guard.as_ref().unwrap().handle();
        let id = fork(|| {
            use rustix::process::{Resource, Rlimit, setrlimit};
            let status = std::fs::read_to_string("/proc/self/statm").unwrap();
            let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
            let bytes = pages * rustix::param::page_size() as u64 + (1 << 20);
            setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: None }).unwrap();
            // The stacks of threads that the parent had are used again.
            let more = || {
                std::thread::Builder::new()
                    .spawn(|| {
                        loop {
                            std::thread::park();
                        }
                    })
                    .is_ok()
            };
            assert!((0..100).any(|_| !more()), "threads can still be started");
            (0..10).for_each(|seq| log(Level::INFO, 1, seq));
            guard.take().unwrap().close().unwrap();
            let output = &handle.metrics().outputs[0];
            let counts = (output.emitted.total(), output.written.total(), output.notices);
            assert_eq!(counts, (10, 3, 1), "{output:#?}");
            all_told(output, &taken.text());
        });
        assert_eq!(wait(id), 0);
        return;
    }
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}
