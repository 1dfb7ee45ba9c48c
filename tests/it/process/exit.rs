//! The end of the process: however it comes, the log is written within its deadline.
//!
//! `.ci/check-endings` does the same with its own `main` and with `panic = "abort"`.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use spanline::sink::{Lines, Sink, Writer};
use spanline::{Guard, Output};
use tracing::Level;

use crate::support::faults::{Faulty, Gate, Taken, panic_quietly, sink};
use crate::support::ledger::{in_order, log, read};
use crate::support::process::{FILE, HOW, Running, child_command, file, how, is_child, log_on_four_threads, run_child};
use crate::support::sample::tries;
use crate::support::wait::{PATIENCE, until};

const LONG: Duration = Duration::from_secs(600);

#[track_caller]
fn text_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

#[cfg(unix)]
#[test]
fn promise_08_nothing_is_lost_however_the_process_ends() {
    let name = this_test!();
    if is_child() {
        static KEPT: OnceLock<Guard> = OnceLock::new();
        let guard = spanline::builder().log_panics(false).output(Output::new(file())).init().unwrap();
        log_on_four_threads(500);
        match how().as_str() {
            "forget the guard, return" => std::mem::forget(guard),
            "guard in a static, return" => KEPT.set(guard).unwrap(),
            "exit" => std::process::exit(3),
            "forget the guard, panic" => {
                std::mem::forget(guard);
                panic!("the test says so");
            }
            "panic" => panic!("the test says so"),
            "panic twice" => {
                struct Panics;
                impl Drop for Panics {
                    fn drop(&mut self) {
                        panic!("and again");
                    }
                }
                std::mem::forget(guard);
                let _panics = Panics;
                panic!("the test says so");
            }
            how => panic!("{how}"),
        }
        return;
    }
    let ways = [
        ("forget the guard, return", Some(0)),
        ("guard in a static, return", Some(0)),
        ("exit", Some(3)),
        ("forget the guard, panic", Some(101)),
        ("panic", Some(101)),
        ("panic twice", None),
    ];
    for (how, code) in ways {
        for run in 0..tries(20, 200) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("it.log");
            let (status, stderr) = run_child(name, how, &path);
            assert_eq!(status.code(), code, "{how}: {stderr}");
            assert_eq!(in_order(&read(&text_of(&path))), 2_000, "{how}, run {run}: {stderr}");
        }
    }
}

/// What was logged when a call had returned is written, also when other threads go on logging to the last moment.
#[cfg(unix)]
#[test]
fn promise_08_threads_that_log_to_the_end_lose_no_line() {
    let name = this_test!();
    if is_child() {
        use std::io::Write;
        let guard = spanline::builder().output(Output::new(file())).init().unwrap();
        for thread in 0..4 {
            std::thread::spawn(move || {
                for seq in 0.. {
                    log(Level::INFO, thread, seq);
                    // Straight to the descriptor, in one piece.
                    let line = format!("returned {thread} {seq}\n");
                    let _ = std::io::stderr().write_all(line.as_bytes());
                }
            });
        }
        let handle = guard.handle();
        until("some lines", || handle.metrics().outputs[0].emitted.total() > 200);
        std::process::exit(0);
    }
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let mut command = child_command(name);
        command.env(FILE, &path).env(HOW, "");
        let (_, stderr) = Running::start(command).finish();
        let text = text_of(&path);
        // Only what was written by the last moment can be torn.
        let lines = read(text.rsplit_once('\n').map_or("", |(whole, _)| &text[..=whole.len()]));
        let mut returned = [0u64; 4];
        for line in stderr.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Some(rest) = line.trim_end().strip_prefix("returned ") else { continue };
            let (thread, seq) = rest.split_once(' ').unwrap();
            returned[thread.parse::<usize>().unwrap()] = seq.parse::<u64>().unwrap() + 1;
        }
        in_order(&lines);
        for (thread, returned) in returned.into_iter().enumerate() {
            let written = lines.iter().filter(|line| line.thread == thread as u64).count() as u64;
            assert!(written >= returned, "thread {thread}: {written} written, {returned} calls returned");
        }
    }
}

#[test]
fn promise_08_a_layer_without_init_is_ended_too() {
    let name = this_test!();
    if is_child() {
        let (dispatch, guard) = crate::support::faults::built(spanline::builder().output(Output::new(file())));
        std::mem::forget(guard);
        crate::support::faults::within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    assert_eq!(in_order(&read(&text_of(&path))), 1_000);
}

#[cfg(unix)]
#[test]
fn promise_08_the_deadline_moves_while_lines_get_written() {
    let name = this_test!();
    if is_child() {
        let slow = sink(|lines: &mut Lines| {
            while !lines.is_empty() {
                std::thread::sleep(Duration::from_millis(20));
                eprintln!("written");
                Taken::default().one(lines);
            }
            Ok(())
        });
        let guard = spanline::builder().shutdown_timeout(Duration::from_secs(1), LONG).output(Output::new(slow)).init();
        std::mem::forget(guard.unwrap());
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        std::process::exit(0);
    }
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success());
    assert_eq!(stderr.lines().filter(|line| *line == "written").count(), 100, "{stderr}");
}

/// The first panic only wakes the worker; the last one, which cannot unwind, waits for it.
#[test]
fn promise_08_a_panic_that_aborts_waits_for_a_slow_output() {
    let name = this_test!();
    if is_child() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("and again");
            }
        }
        let mut file = file();
        let slow = sink(move |lines: &mut Lines| {
            // The process ends sooner if nobody waits.
            std::thread::sleep(Duration::from_millis(500));
            file.write(lines).map(drop)
        });
        let guard = spanline::builder().log_panics(false).output(Output::new(slow)).init().unwrap();
        std::mem::forget(guard);
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        let _panics = Panics;
        panic!("the test says so");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.code().is_none() || cfg!(not(unix)), "{status}: {stderr}");
    assert_eq!(in_order(&read(&text_of(&path))), 100);
}

/// The guard on one thread and `exit` on another: one deadline, one report.
#[cfg(unix)]
#[test]
fn promise_07_a_stuck_output_does_not_keep_the_process_from_exiting() {
    let name = this_test!();
    if is_child() {
        let timeout = Duration::from_millis(300);
        let stuck = Faulty::gated();
        let output = Output::new(Writer::new(stuck.clone())).name("stuck");
        let guard = spanline::builder().shutdown_timeout(timeout, 2 * timeout).output(output).init().unwrap();
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        stuck.gate.wait_reached(1);
        match how().as_str() {
            "exit" => std::mem::forget(guard),
            _ => drop(std::thread::spawn(move || drop(guard))),
        }
        std::process::exit(4);
    }
    for how in ["exit", "both"] {
        let (status, stderr) = run_child(name, how, Path::new(""));
        assert_eq!(status.code(), Some(4), "{stderr}");
        let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("spanline: ")).collect();
        assert_eq!(reports, ["spanline: output stuck: 100 lines were not written in time"], "{how}");
    }
}

/// The worker is the one who exits: nobody waits for it, however long the deadline.
#[test]
fn promise_39_a_sink_that_calls_exit_is_not_waited_for() {
    let name = this_test!();
    if is_child() {
        let fatal = sink(|_: &mut Lines| std::process::exit(7));
        let guard = spanline::builder()
            .shutdown_timeout(LONG, LONG)
            .output(Output::new(fatal).name("fatal"))
            .output(Output::new(file()))
            .init()
            .unwrap();
        let handle = guard.handle();
        std::mem::forget(guard);
        log(Level::INFO, 0, 0);
        let _ = handle.flush(LONG);
        std::thread::park();
    }
    let folder = tempfile::tempdir().unwrap();
    let (status, stderr) = run_child(name, "", &folder.path().join("it.log"));
    assert_eq!(status.code(), Some(7), "{stderr}");
}

/// A sink that panics on its own worker, or a value that panics while it is captured, ends nothing.
#[test]
fn a_panic_that_is_caught_leaves_the_log_running() {
    let name = this_test!();
    if is_child() {
        struct Hostile;
        impl std::fmt::Debug for Hostile {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("the test says so");
            }
        }
        let (gate, mut panicked) = (Gate::opened(), false);
        let panics = sink(move |lines: &mut Lines| {
            gate.pass();
            if !std::mem::replace(&mut panicked, true) {
                panic_quietly();
            }
            lines.advance(lines.as_bytes().len());
            Ok(())
        });
        let guard = spanline::builder()
            .log_panics(false)
            .on_complaint(|_| {})
            .output(Output::new(panics).name("panics"))
            .output(Output::new(file()))
            .init()
            .unwrap();
        tracing::info!(value = ?Hostile, "hostile");
        let _ = std::panic::catch_unwind(|| panic!("caught by the program"));
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        let handle = guard.handle();
        handle.flush(PATIENCE).unwrap();
        assert_eq!(
            handle.metrics().outputs.iter().map(|output| output.written.total()).collect::<Vec<_>>(),
            [101, 101]
        );
        std::mem::forget(guard);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.log");
    let (status, stderr) = run_child(name, "", &path);
    assert!(status.success(), "{stderr}");
    assert_eq!(read(&text_of(&path)).len(), 101);
}

/// Logs one line when it is dropped.
struct Last(u64);

impl Drop for Last {
    fn drop(&mut self) {
        log(Level::INFO, self.0, 0);
    }
}

#[cfg(unix)]
#[test]
#[allow(unsafe_code)]
fn promise_14_events_at_the_very_end_are_written() {
    let name = this_test!();
    extern "C" fn before_ours() {
        log(Level::INFO, 1, 0);
    }
    extern "C" fn after_ours() {
        log(Level::INFO, 2, 0);
    }
    if is_child() {
        thread_local! {
            static LAST: Last = const { Last(3) };
            static LAST_OF_MAIN: Last = const { Last(4) };
        }
        // SAFETY: the function lives as long as the program and does not unwind.
        unsafe { libc::atexit(after_ours) };
        std::panic::set_hook(Box::new(|_| log(Level::INFO, 5, 0)));
        let guard = spanline::builder().log_panics(false).output(Output::new(file())).init().unwrap();
        // SAFETY: as above.
        unsafe { libc::atexit(before_ours) };
        let chained = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            log(Level::INFO, 6, 0);
            chained(panic);
        }));
        // Used in this order, or the other way round: the log's own thread-locals may be gone first.
        std::thread::spawn(|| {
            LAST.with(|_| {});
            log(Level::INFO, 0, 0);
        })
        .join()
        .unwrap();
        std::thread::spawn(|| {
            log(Level::INFO, 0, 1);
            thread_local!(static OTHER: Last = const { Last(7) });
            OTHER.with(|_| {});
        })
        .join()
        .unwrap();
        let unwound = std::thread::spawn(|| {
            let _last = Last(8);
            panic!("the test says so");
        });
        unwound.join().unwrap_err();
        LAST_OF_MAIN.with(|_| {});
        match how().as_str() {
            "forget" => std::mem::forget(guard),
            _ => drop(guard),
        }
        std::process::exit(0);
    }
    for how in ["forget", "drop"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.log");
        let (status, stderr) = run_child(name, how, &path);
        assert!(status.success(), "{stderr}");
        let mut threads: Vec<_> = read(&text_of(&path)).iter().map(|line| line.thread).collect();
        threads.sort_unstable();
        // `exit` on a thread that is not the main one, as a test runner may have it, drops no thread-locals there.
        threads.retain(|thread| *thread != 4);
        assert_eq!(threads, [0, 0, 1, 2, 3, 5, 6, 7, 8], "{how}: {stderr}");
    }
}
