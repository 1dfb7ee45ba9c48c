//! Promise 21: outputs and sinks across a fork.
#![cfg(unix)]
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::sink::{Control, Lines, Writer};
use spanline::{Output, Overflow};
use tracing::Level;

use crate::process::fork::{Busy, LINES};
use crate::support::faults::{Acts, Fault, Faulty, Gate, Taken, sink};
use crate::support::fork::{fork, wait, whole};
use crate::support::ledger::log;
use crate::support::process::{file, is_child, run_child};
use crate::support::wait::{PATIENCE, until};

/// `_exit` loses what is queued; a synchronous output has nothing queued, in a child neither.
#[test]
fn promise_21_a_synchronous_line_of_a_child_is_written_at_once() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert!((0..FORKS).all(|number| counts[&(100 + number)] == 10), "{counts:?}");
}

/// The worker hangs in a write at the fork: the child cannot use that output, says so, and has all others.
#[test]
fn promise_21_an_output_in_the_middle_of_a_write_is_lost_to_the_child_alone() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    let counts = whole(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(counts, BTreeMap::from_iter((0..=20).map(|thread| (thread, if thread == 0 { 20 } else { LINES }))));
    let reports = stderr.lines().filter(|line| line.starts_with("spanline: output stuck: its parent was writing"));
    assert_eq!(reports.count(), 20, "{stderr}");
}

/// A write that failed waits for its next try: that is no write under way.
#[test]
fn promise_21_a_failing_output_works_in_the_child() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// A batch of many writes takes longer than a fork waits: it comes between two of them.
#[test]
fn promise_21_a_fork_comes_between_two_writes() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// Programs are started while the log is busy, by a sink too: it forks on the worker.
#[test]
fn promise_21_a_sink_may_fork() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// A custom sink is told of the fork before its first line.
#[test]
fn promise_21_a_sink_is_told_of_the_fork_before_its_first_line() {
    let name = this_test!();
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
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

#[test]
fn promise_21_a_rolling_file_is_the_childs_own() {
    let name = this_test!();
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
                assert!(locks.lines().any(|line| holds(&line)), "the child writes under its own lock: {locks}");
            }
        });
        assert_eq!(wait(id), 0);
        assert!(is_locked(), "the child's end has taken the parent's lock");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    assert_eq!(whole(&std::fs::read_to_string(&path).unwrap()), BTreeMap::from([(0, 1), (1, 1)]));
}
