//! The end: the guard drains everything, within its deadline, and says what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Output, Overflow, Stdout};
use tracing::Level;

use crate::support::faults::{Complaints, Fault, Faulty, Gate, Taken, built, sink, within};
use crate::support::ledger::{balance, in_order, log, read};
use crate::support::process::{Running, child_command, child_done, is_child};
use crate::support::wait::{PATIENCE, Stalls, until};

const LONG: Duration = Duration::from_secs(600);

/// Takes a line at a time, and some time for each.
fn slow(taken: &Taken, each: Duration) -> impl spanline::sink::Sink + use<> {
    let taken = taken.clone();
    sink(move |lines: &mut Lines| {
        while !lines.is_empty() {
            std::thread::sleep(each);
            taken.one(lines);
        }
        Ok(())
    })
}

#[test]
fn promise_06_the_guard_drains_what_a_slow_sink_has_not_taken() {
    let taken = Taken::default();
    let output = Output::new(slow(&taken, Duration::from_micros(50)));
    // In all it takes longer than the timeout; the deadline moves because lines get written.
    let (dispatch, guard) = built(spanline::builder().shutdown_timeout(Duration::from_secs(1), LONG).output(output));
    within(&dispatch, || (0..20_000).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &taken.text())), 20_000);
}

#[test]
fn promise_06_each_line_counts_as_progress_within_one_write() {
    let taken = Taken::default();
    let output = Output::new(slow(&taken, Duration::from_millis(100)));
    let builder = spanline::builder().shutdown_timeout(Duration::from_secs(1), LONG).output(output);
    let (dispatch, guard) = built(builder);
    within(&dispatch, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    assert_eq!(balance(&handle.metrics().outputs[0], &taken.text()).len(), 20);
}

#[test]
fn promise_06_a_stuck_output_takes_no_time_from_a_slow_one() {
    let (stuck, taken, timeout) = (Faulty::gated(), Taken::default(), Duration::from_secs(1));
    let builder = spanline::builder()
        .on_complaint(|_| {})
        .shutdown_timeout(timeout, LONG)
        .output(Output::new(Writer::new(stuck.clone())).name("stuck"))
        .output(Output::new(slow(&taken, Duration::from_millis(100))).name("slow"));
    let (dispatch, guard) = built(builder);
    within(&dispatch, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(20), "those of the stuck one");
    assert_eq!(balance(handle.metrics().output("slow").unwrap(), &taken.text()).len(), 20);
    stuck.gate.open();
}

#[test]
fn promise_06_the_cap_ends_shutdown_despite_progress() {
    let taken = Taken::default();
    let output = Output::new(slow(&taken, Duration::from_millis(20)));
    let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(PATIENCE, Duration::from_millis(300));
    let (dispatch, guard) = built(builder.output(output));
    within(&dispatch, || (0..100_000).for_each(|seq| log(Level::WARN, 0, seq)));
    let handle = guard.handle();
    let (begun, stalls) = (Instant::now(), Stalls::measure());
    let left = guard.close().unwrap_err().unwritten_lines().unwrap();
    let (spent, stall) = (begun.elapsed(), stalls.longest());
    assert!(spent < Duration::from_secs(3) + 2 * stall, "{spent:?}");
    let output = &handle.metrics().outputs[0];
    assert_eq!(output.dropped.reason(Reason::Shutdown).total(), left);
    assert_eq!(output.written.total() + output.dropped.total(), 100_000);
    assert!(output.written.total() > 0, "it made progress: {output:#?}");
}

#[test]
fn promise_07_a_stuck_output_is_abandoned_although_threads_wait_for_it() {
    let file = Faulty::gated();
    let output =
        Output::new(Writer::new(file.clone())).name("out").queue_bytes(64 << 10).overflow(Overflow::DropNewest);
    let complaints = Complaints::default();
    let timeout = Duration::from_millis(100);
    let builder = spanline::builder().on_complaint(complaints.hook()).shutdown_timeout(timeout, 3 * timeout);
    let (dispatch, guard) = built(builder.output(output));
    let handle = guard.handle();
    within(&dispatch, || (0..5_000).for_each(|seq| log(Level::INFO, 0, seq)));
    let held = handle.metrics().outputs[0].queued.total();
    let flushing = [(); 4].map(|()| {
        let handle = handle.clone();
        std::thread::spawn(move || handle.flush(LONG))
    });
    let (begun, stalls) = (Instant::now(), Stalls::measure());
    let left = guard.close().unwrap_err();
    let (spent, stall) = (begun.elapsed(), stalls.longest());
    assert!(spent < 30 * timeout + 2 * stall, "{spent:?}");
    assert_eq!(left.unwritten_lines(), Some(held));
    assert_eq!(left.to_string(), format!("{held} lines were not written in time"));
    for flushing in flushing {
        assert!(flushing.join().unwrap().unwrap_err().is_timeout());
    }
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.dropped.reason(Reason::Shutdown).total(), output.queued.total()), (held, 0));
    assert_eq!(output.dropped.total(), 5_000);
    within(&dispatch, || log(Level::ERROR, 0, 5_000));
    assert_eq!(handle.metrics().outputs[0].dropped.reason(Reason::Closed).level(Level::ERROR), 1);
    assert_eq!(complaints.all(), [format!("output out: {held} lines were not written in time")]);
    file.gate.open();
}

/// A pipe that nobody reads, a full queue, and others who flush.
#[test]
fn promise_07_a_stuck_pipe_does_not_hang_the_process() {
    let name = this_test!();
    if is_child() {
        let timeout = Duration::from_millis(200);
        let output = Output::new(Stdout::new()).queue_bytes(256 << 10);
        let guard = spanline::builder().shutdown_timeout(timeout, 2 * timeout).output(output).init().unwrap();
        let handle = guard.handle();
        for _ in 0..2 {
            let handle = guard.handle();
            std::thread::spawn(move || handle.flush(LONG));
        }
        (0..20_000).for_each(|seq| log(Level::INFO, 0, seq));
        until("the pipe to be full", || handle.metrics().outputs[0].dropped.total() > 0);
        drop(guard);
        let output = &handle.metrics().outputs[0];
        eprintln!("dropped {}", output.dropped.total());
        child_done();
    }
    let mut child = Running::start(child_command(name));
    let status = child.wait();
    let (stdout, stderr) = (child.stdout(), child.stderr());
    assert!(status.success(), "{stderr}");
    let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("spanline: ")).collect();
    assert_eq!(reports.len(), 1, "{stderr}");
    assert!(reports[0].contains("lines were not written in time"), "{stderr}");
    let whole = stdout.rfind('\n').map_or("", |end| &stdout[..=end]);
    let dropped: u64 = stderr.lines().find_map(|line| line.strip_prefix("dropped ")).unwrap().parse().unwrap();
    assert_eq!(in_order(&read(whole)) as u64 + dropped, 20_000, "{stderr}");
}

#[test]
fn promise_07_a_closed_stdout_neither_hangs_nor_panics() {
    let name = this_test!();
    if is_child() {
        let guard = spanline::builder().output(Output::new(Stdout::new())).init().unwrap();
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        (0..1_000).for_each(|seq| log(Level::INFO, 0, seq));
        drop(guard);
        log(Level::INFO, 0, 1_000);
        std::process::exit(5);
    }
    let mut command = child_command(name);
    command.stdin(std::process::Stdio::piped());
    let mut child = Running::start(command);
    let mut stdout = std::io::BufReader::new(child.0.stdout.take().unwrap());
    crate::support::process::skip_to_own_part(&mut stdout);
    drop(stdout);
    drop(child.0.stdin.take());
    assert_eq!(child.wait().code(), Some(5));
    let stderr = child.stderr();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(stderr.lines().filter(|line| line.starts_with("spanline: ")).count(), 1, "{stderr}");
}

#[test]
fn a_failing_write_is_tried_again_soon_once_the_end_has_begun() {
    let file = Faulty::new();
    file.always(Some(Fault::Io));
    let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(PATIENCE, PATIENCE);
    let (dispatch, guard) = built(builder.output(Output::new(Writer::new(file.clone()))));
    let handle = guard.handle();
    within(&dispatch, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
    until("some failures", || file.faults() >= 3);
    let closing = std::thread::spawn(move || guard.close());
    let before = file.faults();
    until("more failures", || file.faults() > before + 20);
    file.always(None);
    closing.join().unwrap().unwrap();
    assert_eq!(balance(&handle.metrics().outputs[0], &file.text()).len(), 10);
}

#[test]
fn lines_logged_after_the_end_are_written_by_the_caller_in_order() {
    let memory = Memory::new();
    let (dispatch, guard) = built(spanline::builder().output(Output::new(memory.clone())));
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    guard.close().unwrap();
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let (dispatch, memory) = (&dispatch, &memory);
            scope.spawn(move || {
                within(dispatch, || {
                    for seq in 0..200 {
                        log(Level::INFO, thread, seq);
                        let text = memory.text();
                        let mine = read(&text).into_iter().rfind(|line| line.thread == thread);
                        assert_eq!(mine.map(|line| line.seq), Some(seq), "it is there when the call returns");
                    }
                });
            });
        }
    });
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &memory.text())), 801);
    handle.flush(PATIENCE).unwrap();
}

/// Threads that log all the while the guard is dropped: each line is written by the worker or by its caller.
#[test]
fn lines_logged_during_the_end_are_all_written() {
    for round in 0..20 {
        let (memory, ended, logged) = (Memory::new(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let overflow = Overflow::Block { max_wait: PATIENCE };
        let (dispatch, guard) = built(spanline::builder().output(Output::new(memory.clone()).overflow(overflow)));
        let handle = guard.handle();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (dispatch, ended, logged) = (dispatch.clone(), Arc::clone(&ended), Arc::clone(&logged));
                std::thread::spawn(move || {
                    within(&dispatch, || {
                        let mut after = 0;
                        for seq in 0.. {
                            log(Level::INFO, thread, seq);
                            logged.fetch_add(1, Ordering::Relaxed);
                            after += u64::from(ended.load(Ordering::Relaxed));
                            if after > 20 {
                                break;
                            }
                        }
                    });
                })
            })
            .collect();
        until("some lines", || logged.load(Ordering::Relaxed) > 50);
        guard.close().unwrap();
        ended.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let lines = balance(&handle.metrics().outputs[0], &memory.text());
        assert_eq!(in_order(&lines) as u64, logged.load(Ordering::Relaxed), "round {round}");
    }
}

/// After shutdown the calling thread writes its own line, but stops retrying at some point.
#[test]
fn a_line_logged_after_the_end_into_a_failing_sink_is_given_up() {
    let file = Faulty::new();
    let builder = spanline::builder().on_complaint(|_| {}).output(Output::new(Writer::new(file.clone())));
    let (dispatch, guard) = built(builder);
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    guard.close().unwrap();
    file.always(Some(Fault::NoSpace));
    let late = std::thread::spawn(move || within(&dispatch, || (1..100).for_each(|seq| log(Level::INFO, 0, seq))));
    until("the calls to return", || late.is_finished());
    late.join().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(balance(output, &file.text()).len(), 1);
    assert_eq!(output.dropped.total(), 99);
}

/// What the worker thread of `output` costs while nobody logs.
#[cfg(target_os = "linux")]
fn switches(output: &str) -> u64 {
    let name: String = format!("spanline-{output}").chars().take(15).collect();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if comm.trim() == name {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
            return line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
    }
    panic!("no thread {name}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_worker_sleeps_until_there_is_something_to_do() {
    use std::io::Write;
    use tracing_subscriber::fmt::MakeWriter;
    let memory = Memory::new();
    let (appender, guard) = Output::new(memory.clone()).name("idle").queue_bytes(8 << 10).appender().unwrap();
    (0..50).for_each(|_| appender.make_writer().write_all(b"line\n").unwrap());
    guard.handle().flush(PATIENCE).unwrap();
    // This one waits in real time: it is about the passing of it.
    std::thread::sleep(Duration::from_millis(2_200));
    let before = switches("idle");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(switches("idle"), before, "the worker stirs while nobody logs");
    appender.make_writer().write_all(b"woken\n").unwrap();
    until("the line", || memory.text().ends_with("woken\n"));
    std::thread::sleep(Duration::from_millis(2_200));
    appender.make_writer().write_all(&[b'x'; 10_000]).unwrap();
    until("the notice of a loss that came in its sleep", || memory.text().contains("too_large"));
}

#[test]
fn a_guard_that_was_closed_or_never_used_ends_quietly() {
    let (gate, memory) = (Gate::opened(), Memory::new());
    for _ in 0..50 {
        let (_, guard) = built(spanline::builder().output(Output::new(memory.clone())));
        gate.pass();
        drop(guard);
    }
    let (_, guard) = built(spanline::builder().shutdown_timeout(LONG, LONG).output(Output::new(memory)));
    guard.close().unwrap();
}
