//! Promise 9: a signal that ends the process first lets the log be written; and SIGHUP of promise 23.
#![cfg(all(unix, feature = "signals"))]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::raise;
use spanline::sink::{Lines, Sink, Writer};
use spanline::{Builder, Output};
use tracing::Level;

use crate::support::faults::{Faulty, Gate, Taken, sink};
use crate::support::ledger::{in_order, log, read};
use crate::support::process::{Running, child_behind, child_command, file, how, is_child, log_on_four_threads};
use crate::support::wait::{PATIENCE, until};

const LONG: Duration = Duration::from_secs(600);

fn builder() -> Builder {
    spanline::builder().flush_on_signals()
}

/// Waits for the signal that ends the process, but not longer than the parent does.
fn wait_for_the_end() -> ! {
    std::thread::sleep(PATIENCE);
    panic!("no signal has ended this process");
}

#[track_caller]
fn run(mut command: Command, how: &str, file: &Path) -> (ExitStatus, String) {
    command.env("SPANLINE_IT_FILE", file).env("SPANLINE_IT_HOW", how);
    let mut child = Running::start(command);
    let status = child.wait();
    (status, child.stderr())
}

#[track_caller]
fn lines_in(file: &Path) -> usize {
    in_order(&read(&std::fs::read_to_string(file).unwrap()))
}

const SIGNALS: [(&str, i32); 3] = [("TERM", SIGTERM), ("INT", SIGINT), ("QUIT", SIGQUIT)];

/// The signal that the child is to send to itself.
fn signal() -> i32 {
    SIGNALS.into_iter().find(|(name, _)| *name == how()).unwrap().1
}

#[test]
fn promise_09_a_signal_ends_the_process_when_the_log_is_written() {
    let test = this_test!();
    if is_child() {
        let guard = builder().output(Output::new(file())).init().unwrap();
        std::mem::forget(guard);
        log_on_four_threads(500);
        raise(signal()).unwrap();
        wait_for_the_end();
    }
    for (name, signal) in SIGNALS {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("it.log");
            // SIGQUIT leaves no core behind.
            let command = child_behind("sh", &["-c", "ulimit -c 0; exec \"$@\"", "sh"], test);
            let (status, stderr) = run(command, name, &path);
            assert_eq!(status.signal(), Some(signal), "{status}: {stderr}");
            assert_eq!(lines_in(&path), 2_000, "{name}: {stderr}");
        }
    }
}

#[test]
fn promise_09_as_process_1_it_exits_with_the_status_of_the_signal() {
    let test = this_test!();
    const SPACE: [&str; 2] = ["-Urpf", "--mount-proc"];
    if is_child() {
        assert_eq!(std::process::id(), 1);
        let guard = builder().output(Output::new(file())).init().unwrap();
        std::mem::forget(guard);
        log_on_four_threads(500);
        raise(signal()).unwrap();
        wait_for_the_end();
    }
    // Containers and hardened systems may refuse it; where root may not, nobody may.
    let probe = Command::new("unshare").args(SPACE).arg("true").output();
    match probe {
        Ok(output) if output.status.success() => {}
        refused => return eprintln!("not tested: a process namespace is refused here: {refused:?}"),
    }
    for (name, signal) in SIGNALS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let (status, stderr) = run(child_behind("unshare", &SPACE, test), name, &path);
        assert_eq!(status.code(), Some(128 + signal), "{status}: {stderr}");
        assert_eq!(lines_in(&path), 2_000, "{name}");
    }
}

/// tokio's listener hears of the signal as well, and what it logs while there is time is written.
#[test]
fn promise_09_it_lives_beside_tokios_signals() {
    let test = this_test!();
    if is_child() {
        let heard = Gate::shut();
        let (gate, mut file) = (heard.clone(), file());
        let waits = sink(move |lines: &mut Lines| {
            gate.pass();
            file.write(lines).map(drop)
        });
        let builder = builder().shutdown_timeout(PATIENCE, PATIENCE).output(Output::new(waits));
        let listen = async {
            let mut stream = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(signal())).unwrap();
            log(Level::INFO, 0, 0);
            raise(signal()).unwrap();
            stream.recv().await;
            log(Level::INFO, 0, 1);
            heard.open();
            std::future::pending::<()>().await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::mem::forget(builder.init().unwrap());
        runtime.block_on(listen);
    }
    for (name, signal) in &SIGNALS[..2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let (status, stderr) = run(child_command(test), name, &path);
        assert_eq!(status.signal(), Some(*signal), "{status}: {stderr}");
        assert_eq!(lines_in(&path), 2, "{stderr}");
    }
}

/// tokio's listener ends the program by itself; there, the guard does what is needed.
#[test]
fn promise_09_a_program_that_exits_by_itself_is_not_disturbed() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut stream = tokio::signal::unix::signal(kind).unwrap();
            raise(SIGTERM).unwrap();
            stream.recv().await;
            log(Level::INFO, 0, 0);
        });
        drop(guard);
        std::process::exit(6);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run(child_command(name), "", &path);
    assert_eq!((status.code(), lines_in(&path)), (Some(6), 1), "{stderr}");
}

#[test]
fn promise_09_a_second_signal_ends_the_process_at_once() {
    let name = this_test!();
    if is_child() {
        let stuck = Faulty::gated();
        let builder = builder().shutdown_timeout(LONG, LONG).output(Output::new(Writer::new(stuck.clone())));
        std::mem::forget(builder.init().unwrap());
        log(Level::INFO, 0, 0);
        stuck.gate.wait_reached(1);
        raise(signal()).unwrap();
        // The first has to be seen before there can be a second.
        loop {
            std::thread::park_timeout(Duration::from_millis(5));
            raise(SIGTERM).unwrap();
        }
    }
    let (status, stderr) = run(child_command(name), "INT", Path::new(""));
    assert_eq!(status.signal(), Some(SIGTERM), "{status}: {stderr}");
}

#[test]
fn promise_09_a_stuck_output_is_given_up_in_time() {
    let name = this_test!();
    if is_child() {
        let (stuck, timeout) = (Faulty::gated(), Duration::from_millis(200));
        let output = Output::new(Writer::new(stuck.clone())).name("stuck");
        std::mem::forget(builder().shutdown_timeout(timeout, timeout).output(output).init().unwrap());
        log(Level::INFO, 0, 0);
        stuck.gate.wait_reached(1);
        raise(SIGTERM).unwrap();
        wait_for_the_end();
    }
    let (status, stderr) = run(child_command(name), "", Path::new(""));
    assert_eq!(status.signal(), Some(SIGTERM), "{status}: {stderr}");
    let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("spanline: ")).collect();
    assert_eq!(reports, ["spanline: output stuck: 1 lines were not written in time"]);
}

/// `nohup` and shells start programs that are to survive a signal.
#[test]
fn promise_09_a_signal_that_was_ignored_from_the_start_stays_ignored() {
    let name = this_test!();
    if is_child() {
        std::mem::forget(builder().output(Output::new(file())).init().unwrap());
        raise(SIGINT).unwrap();
        log(Level::INFO, 0, 0);
        raise(SIGTERM).unwrap();
        wait_for_the_end();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let command = child_behind("sh", &["-c", "trap '' INT; exec \"$@\"", "sh"], name);
    let (status, stderr) = run(command, "", &path);
    assert_eq!(status.signal(), Some(SIGTERM), "{status}: {stderr}");
    assert_eq!(lines_in(&path), 1);
}

/// A forked child has nothing to write until it logs; from then on a signal waits for that.
#[test]
#[allow(unsafe_code)]
fn promise_09_a_forked_child_ends_by_the_signal_too() {
    let name = this_test!();
    if is_child() {
        std::mem::forget(builder().output(Output::new(file())).init().unwrap());
        for thread in 0..2 {
            // SAFETY: the child has one thread; it logs, and ends by the signal.
            let id = unsafe { libc::fork() };
            if id == 0 {
                (0..500 * thread).for_each(|seq| log(Level::INFO, thread, seq));
                raise(SIGTERM).unwrap();
                wait_for_the_end();
            }
            let mut status = 0;
            until("the forked child to end", || {
                // SAFETY: `status` is there to be written to.
                unsafe { libc::waitpid(id, &mut status, libc::WNOHANG) == id }
            });
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == SIGTERM, "{status}");
        }
        // The children's signals are not the parent's.
        log(Level::INFO, 2, 0);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run(child_command(name), "", &path);
    assert!(status.success(), "{stderr}");
    assert_eq!(lines_in(&path), 501);
}

#[test]
fn promise_23_sighup_reopens_all_files() {
    let name = this_test!();
    if is_child() {
        let path = std::env::var("SPANLINE_IT_FILE").unwrap();
        let (taken, reopened) = (Taken::default(), Arc::new(std::sync::atomic::AtomicU64::new(0)));
        let counts = Arc::clone(&reopened);
        let other = crate::support::faults::Acts {
            write: move |lines: &mut Lines| {
                taken.all(lines);
                Ok(())
            },
            control: move |control| {
                let is_reopen = control == spanline::sink::Control::Reopen;
                counts.fetch_add(u64::from(is_reopen), std::sync::atomic::Ordering::Relaxed);
                Ok(())
            },
        };
        let builder = spanline::builder().reopen_on_sighup().output(Output::new(file())).output(Output::new(other));
        let guard = builder.init().unwrap();
        for round in 0..3 {
            log(Level::INFO, 0, round);
            guard.handle().flush(PATIENCE).unwrap();
            std::fs::rename(&path, format!("{path}.{round}")).unwrap();
            raise(SIGHUP).unwrap();
            // Without a line: only the signal can have made it.
            until("the new file", || Path::new(&path).exists());
        }
        until("the other output", || reopened.load(std::sync::atomic::Ordering::Relaxed) == 3);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run(child_command(name), "", &path);
    assert!(status.success(), "{stderr}");
    for round in 0..3 {
        assert_eq!(lines_in(&folder.path().join(format!("it.log.{round}"))), 1);
    }
    assert_eq!(lines_in(&path), 0);
}
