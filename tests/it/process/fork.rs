//! Promise 21: a forked child logs as if it had begun by itself, and its parent as if nothing had happened.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::schema::Flat;
use spanline::sink::Writer;
use spanline::sink::{Control, Lines};
use spanline::{Handle, Output, Overflow};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::loss::faults::{Acts, Fault, Faulty, Gate, PATIENCE, Taken, is_child, sink, until};
use crate::loss::ledger::{all_told, log, read};
use crate::process::exit::{file, how, run_child};

const CHILDREN: u64 = 50;
const LINES: u64 = 100;

/// A forked child that takes longer hangs.
const HUNG: Duration = Duration::from_secs(20);

/// Runs `child` in a forked process, which then exits as a program does, and gives its id.
pub(crate) fn fork(child: impl FnOnce()) -> i32 {
    // SAFETY: the child has one thread; it uses the allocator, which the C library makes fit for that, and what these
    // tests are about.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed: {}", std::io::Error::last_os_error()),
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // `std::process::exit` takes a lock that another thread may have held at the fork as it started or ended.
            // SAFETY: the only thread of the process, or the only one that could exit.
            unsafe { libc::exit(if done.is_ok() { 0 } else { 99 }) }
        }
        id => id,
    }
}

/// Waits for a forked process: the code it exited with, or minus the signal that ended it.
#[track_caller]
pub(crate) fn wait(id: i32) -> i32 {
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` is there to be written to.
        match unsafe { libc::waitpid(id, &mut status, libc::WNOHANG) } {
            0 if begun.elapsed() < HUNG => std::thread::park_timeout(Duration::from_millis(1)),
            0 => {
                // SAFETY: a child of ours that was not waited for yet.
                unsafe { libc::kill(id, libc::SIGKILL) };
                panic!("the forked child hangs");
            }
            _ if libc::WIFSIGNALED(status) => return -libc::WTERMSIG(status),
            _ => return libc::WEXITSTATUS(status),
        }
    }
}

/// Asks that the lines of each thread are all there, once each and in order. Returns the first unused number of each.
#[track_caller]
fn whole(text: &str) -> BTreeMap<u64, u64> {
    let mut next = BTreeMap::<u64, u64>::new();
    for line in read(text) {
        let expected = next.entry(line.thread).or_default();
        assert_eq!(line.seq, *expected, "thread {}", line.thread);
        *expected += 1;
    }
    next
}

/// Threads that log, open spans and record on one of them until they are stopped; each gives how often it did.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<u64>>,
}

impl Busy {
    fn start(span: &tracing::Span) -> Self {
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

    fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

/// What a child does: logs, in a span of the parent's and outside it, and looks at its books.
fn log_in_child(handle: &Handle, span: &tracing::Span, thread: u64) {
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
    const NAME: &str = "process::fork::promise_21_forked_children_log_while_the_parent_does";
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
    let mut command = crate::loss::faults::child_command(NAME);
    command.env("SPANLINE_IT_FILE", &path).env("SPANLINE_IT_HOW", "");
    let (stdout, stderr) = crate::loss::faults::Running::start(command).finish();
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
fn promise_21_a_child_has_ids_and_a_process_id_of_its_own() {
    const NAME: &str = "process::fork::promise_21_a_child_has_ids_and_a_process_id_of_its_own";
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
    let (status, stderr) = run_child(NAME, "", &path);
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

/// `_exit` loses what is queued; a synchronous output has nothing queued, in a child neither.
#[test]
fn promise_21_what_a_child_logs_synchronously_is_written_at_once() {
    const NAME: &str = "process::fork::promise_21_what_a_child_logs_synchronously_is_written_at_once";
    const FORKS: u64 = 20;
    if is_child() {
        let output = Output::new(file()).synchronous(PATIENCE);
        let guard = spanline::builder().output(output).init().unwrap();
        let span = tracing::info_span!("request", step = tracing::field::Empty);
        let busy = Busy::start(&span);
        for number in 0..FORKS {
            let id = fork(|| {
                (0..10).for_each(|seq| log(Level::INFO, 100 + number, seq));
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(0) };
            });
            assert_eq!(wait(id), 0, "child {number}");
        }
        let logged: u64 = busy.stop().iter().sum();
        let output = &guard.handle().metrics().outputs[0];
        assert_eq!((output.written.total(), output.overdue), (logged, 0), "{output:#?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(NAME, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert!((0..FORKS).all(|number| counts[&(100 + number)] == 10), "{counts:?}");
}

/// The worker hangs in a write at the fork: the child cannot use that output, says so, and has all others.
#[test]
fn promise_21_an_output_in_the_middle_of_a_write_is_lost_to_the_child_alone() {
    const NAME: &str = "process::fork::promise_21_an_output_in_the_middle_of_a_write_is_lost_to_the_child_alone";
    if is_child() {
        let stuck = Faulty::gated();
        let guard = spanline::builder()
            .output(Output::new(Writer::new(stuck.clone())).name("stuck"))
            .output(Output::new(file()))
            .init()
            .unwrap();
        let handle = guard.handle();
        (0..10).for_each(|seq| log(Level::INFO, 0, seq));
        stuck.gate.wait_reached(1);
        for number in 1..=20 {
            let id = fork(|| {
                (0..LINES).for_each(|seq| log(Level::INFO, number, seq));
                let metrics = handle.metrics();
                let stuck = metrics.output("stuck").unwrap();
                assert_eq!((stuck.emitted.total(), stuck.dropped.reason(Reason::Closed).total()), (LINES, LINES));
                assert!(handle.flush(PATIENCE).unwrap_err().is_timeout());
            });
            assert_eq!(wait(id), 0);
        }
        stuck.gate.open();
        (10..20).for_each(|seq| log(Level::INFO, 0, seq));
        guard.close().unwrap();
        assert_eq!(whole(&stuck.text()), BTreeMap::from([(0, 20)]));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(NAME, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(counts, BTreeMap::from_iter((0..=20).map(|thread| (thread, if thread == 0 { 20 } else { LINES }))));
    let reports = stderr.lines().filter(|line| line.starts_with("spanline: output stuck: its parent was writing"));
    assert_eq!(reports.count(), 20, "{stderr}");
}

/// A write that failed waits for its next try: that is no write under way.
#[test]
fn promise_21_a_failing_output_works_in_the_child() {
    const NAME: &str = "process::fork::promise_21_a_failing_output_works_in_the_child";
    if is_child() {
        let failing = Faulty::new();
        failing.always(Some(Fault::NoSpace));
        let output = Output::new(Writer::new(failing.clone()));
        let guard = spanline::builder().on_complaint(|_| {}).output(output).init().unwrap();
        let handle = guard.handle();
        (0..10).for_each(|seq| log(Level::INFO, 0, seq));
        until("it fails", || failing.faults() > 3);
        let child = failing.clone();
        let id = fork(|| {
            child.always(None);
            (0..LINES).for_each(|seq| log(Level::INFO, 1, seq));
            handle.flush(PATIENCE).unwrap();
            assert_eq!(whole(&child.text()), BTreeMap::from([(1, LINES)]));
            assert_eq!(handle.metrics().outputs[0].written.total(), LINES);
        });
        assert_eq!(wait(id), 0);
        failing.always(None);
        guard.close().unwrap();
        assert_eq!(whole(&failing.text()), BTreeMap::from([(0, 10)]));
        return;
    }
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// A batch of many writes takes longer than a fork waits: it comes between two of them.
#[test]
fn promise_21_a_fork_comes_between_two_writes() {
    const NAME: &str = "process::fork::promise_21_a_fork_comes_between_two_writes";
    if is_child() {
        let (gate, taken, writes) = (Gate::shut(), Taken::default(), Arc::new(AtomicU64::new(0)));
        let (at_gate, into, counts) = (gate.clone(), taken.clone(), Arc::clone(&writes));
        let slow = sink(move |lines: &mut Lines| {
            at_gate.pass();
            if counts.fetch_add(1, Ordering::Relaxed) > 0 {
                std::thread::sleep(Duration::from_millis(50));
            }
            into.all(lines);
            Ok(())
        });
        let output = Output::new(slow).overflow(Overflow::DropNewest);
        let guard = spanline::builder().output(output).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        gate.wait_reached(1);
        let long = "x".repeat(4 << 10);
        (1..=1_500).for_each(|seq| tracing::info!(thread = 0, seq, long, "line"));
        gate.open();
        until("the long batch", || writes.load(Ordering::Relaxed) >= 3);
        let child = taken.clone();
        let id = fork(|| {
            let before = child.text().len();
            (0..LINES).for_each(|seq| log(Level::INFO, 1, seq));
            handle.flush(PATIENCE).unwrap();
            assert_eq!(whole(&child.text()[before..]), BTreeMap::from([(1, LINES)]));
        });
        assert_eq!(wait(id), 0);
        assert!(handle.metrics().outputs[0].queued.total() > 0, "the batch was over before the fork");
        guard.close().unwrap();
        assert_eq!(whole(&taken.text()), BTreeMap::from([(0, 1_501)]));
        return;
    }
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// The guard was dropped, or is just being dropped, when the process forks.
#[test]
fn promise_21_a_child_logs_after_its_parents_log_has_ended() {
    const NAME: &str = "process::fork::promise_21_a_child_logs_after_its_parents_log_has_ended";
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
        let (status, stderr) = run_child(NAME, how, &path);
        assert!(status.success(), "{stderr}");
        let counts = whole(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(counts, BTreeMap::from_iter((0..=20).map(|thread| (thread, if thread == 0 { 20 } else { LINES }))));
    }
}

/// The child of a daemon: its parent exits, it goes on, rotates, and forks again.
#[test]
fn promise_21_a_daemon_goes_on_with_the_file_of_its_parent() {
    const NAME: &str = "process::fork::promise_21_a_daemon_goes_on_with_the_file_of_its_parent";
    if is_child() {
        let guard = spanline::builder().output(Output::new(file().rotate_bytes(4 << 10).gzip())).init().unwrap();
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
    let (status, stderr) = run_child(NAME, "", &folder.path().join("it.log"));
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

/// Programs are started while the log is busy, by a sink too: it forks on the worker.
#[test]
fn promise_21_a_sink_may_fork() {
    const NAME: &str = "process::fork::promise_21_a_sink_may_fork";
    if is_child() {
        let (taken, into) = (Taken::default(), Taken::default());
        let into_taken = into.clone();
        let forks = sink(move |lines: &mut Lines| {
            assert_eq!(wait(fork(|| {})), 0);
            // Forks, and does not only spawn, because of the hook.
            let mut command = std::process::Command::new("true");
            // SAFETY: the hook does nothing.
            unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, || Ok(())) };
            assert!(command.status().unwrap().success());
            into_taken.all(lines);
            Ok(())
        });
        let guard = spanline::builder()
            .output(Output::new(forks).name("forks"))
            .output(Output::new(Writer::new(Faulty::new())).name("other"))
            .init()
            .unwrap();
        let handle = guard.handle();
        for seq in 0..20 {
            log(Level::INFO, 0, seq);
            handle.flush(PATIENCE).unwrap();
        }
        guard.close().unwrap();
        assert_eq!(whole(&into.text()), BTreeMap::from([(0, 20)]));
        assert!(taken.text().is_empty());
        return;
    }
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// Several threads that fork at once, while others flush, reopen, change filters and end a log.
#[test]
fn promise_21_forks_and_all_else_at_once() {
    const NAME: &str = "process::fork::promise_21_forks_and_all_else_at_once";
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
                    // Not a subscriber: while one is made, tracing holds a lock of its own.
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
    let (status, stderr) = run_child(NAME, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert!(counts.len() == 30 && counts.values().all(|lines| *lines == LINES), "{counts:?}");
}

/// A sink of one's own hears of the fork before its first line.
#[test]
fn promise_21_a_sink_is_told_of_the_fork_before_its_first_line() {
    const NAME: &str = "process::fork::promise_21_a_sink_is_told_of_the_fork_before_its_first_line";
    if is_child() {
        let heard = Arc::new(AtomicU64::new(0));
        let (writes, hears) = (Arc::clone(&heard), Arc::clone(&heard));
        let output = Output::new(Acts {
            write: move |lines: &mut Lines| {
                // In the child, told first.
                assert!(std::env::var_os("FORKED").is_none() || writes.load(Ordering::Relaxed) == 1);
                Taken::default().all(lines);
                Ok(())
            },
            control: move |control| {
                hears.fetch_add(u64::from(control == Control::Forked), Ordering::Relaxed);
                Ok(())
            },
        });
        let guard = spanline::builder().output(output).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        let id = fork(|| {
            // SAFETY: the only thread.
            unsafe { std::env::set_var("FORKED", "1") };
            (0..3).for_each(|seq| log(Level::INFO, 1, seq));
            handle.flush(PATIENCE).unwrap();
            assert_eq!((heard.load(Ordering::Relaxed), handle.metrics().outputs[0].panics), (1, 0));
        });
        assert_eq!(wait(id), 0);
        assert_eq!(heard.load(Ordering::Relaxed), 0);
        return;
    }
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// With threads in the midst of being limited, so that one of its locks is nearly always held.
#[test]
fn promise_21_a_child_has_limits_of_repeats_of_its_own() {
    const NAME: &str = "process::fork::promise_21_a_child_has_limits_of_repeats_of_its_own";
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
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// Its limit of address space leaves no room for a thread's stack.
#[cfg(target_os = "linux")]
#[test]
fn promise_21_a_child_that_can_start_no_worker_tells_what_was_suppressed() {
    const NAME: &str = "process::fork::promise_21_a_child_that_can_start_no_worker_tells_what_was_suppressed";
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
    let (status, stderr) = run_child(NAME, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

#[test]
fn promise_21_a_rolling_file_is_the_childs_own() {
    const NAME: &str = "process::fork::promise_21_a_rolling_file_is_the_childs_own";
    if is_child() {
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        let path = std::env::var_os("SPANLINE_IT_FILE").unwrap();
        let is_locked = || std::fs::File::open(&path).unwrap().try_lock().is_err();
        assert!(is_locked());
        let id = fork(|| {
            log(Level::INFO, 1, 0);
            handle.flush(PATIENCE).unwrap();
            #[cfg(target_os = "linux")]
            {
                let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
                let locks = std::fs::read_to_string("/proc/locks").unwrap();
                let own = format!(" {} ", std::process::id());
                let holds = |line: &&str| line.contains(&own) && line.contains(&format!(":{inode} "));
                assert!(locks.lines().any(|line| holds(&line)), "the child writes under a lock of its own: {locks}");
            }
        });
        assert_eq!(wait(id), 0);
        assert!(is_locked(), "the child's end has taken the parent's lock");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(NAME, "", &path);
    assert!(status.success(), "{stderr}");
    assert_eq!(whole(&std::fs::read_to_string(&path).unwrap()), BTreeMap::from([(0, 1), (1, 1)]));
}
