//! Outputs whose lines are written before the call returns.

use std::io::BufWriter;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Durability, Output, Overflow, RollingFile};
use tracing::{Dispatch, Level};

use crate::files::durability::Happened;
use crate::support::faults::{Complaints, Fault, Faulty, Taken, built, ends_at_broken_pipe, sink, within};
use crate::support::ledger::{balance, in_order, log, read};
use crate::support::wait::{PATIENCE, until};

const HASTE: Duration = Duration::from_millis(5);

const THREADS: u64 = 4;

/// Runs `act` for each thread and number.
fn on_threads(dispatch: &Dispatch, lines: u64, act: impl Fn(u64, u64) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let act = &act;
            scope.spawn(move || within(dispatch, || (0..lines).for_each(|seq| act(thread, seq))));
        }
    });
}

#[test]
fn a_line_is_written_when_the_call_returns() {
    let seen: Arc<[AtomicU64; THREADS as usize]> = Arc::default();
    let (sees, taken) = (Arc::clone(&seen), Taken::default());
    let into = taken.clone();
    let watching = sink(move |lines: &mut Lines| {
        for line in read(&String::from_utf8_lossy(lines.as_bytes())) {
            sees[line.thread as usize].store(line.seq + 1, Ordering::Relaxed);
        }
        into.all(lines);
        Ok(())
    });
    let (dispatch, guard) = built(spanline::builder().output(Output::new(watching).synchronous(PATIENCE)));
    on_threads(&dispatch, 500, |thread, seq| {
        log(Level::INFO, thread, seq);
        assert_eq!(seen[thread as usize].load(Ordering::Relaxed), seq + 1);
    });
    let handle = guard.handle();
    guard.close().unwrap();
    within(&dispatch, || log(Level::INFO, 0, 500));
    assert_eq!(seen[0].load(Ordering::Relaxed), 501, "after the end, too");
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &taken.text())) as u64, THREADS * 500 + 1);
    assert_eq!(output.overdue, 0);
}

#[test]
fn a_line_leaves_the_sinks_own_buffer_too() {
    let file = Faulty::new();
    let buffered = BufWriter::with_capacity(1 << 20, file.clone());
    let (dispatch, _guard) =
        built(spanline::builder().output(Output::new(Writer::new(buffered)).synchronous(PATIENCE)));
    for seq in 0..50 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        assert_eq!(read(&file.text()).len() as u64, seq + 1);
    }
}

#[test]
fn a_line_that_stays_in_the_sinks_buffer_is_not_taken_for_written() {
    let file = Faulty::new();
    file.always(Some(Fault::NoSpace));
    let buffered = BufWriter::with_capacity(1 << 20, file.clone());
    let output = Output::new(Writer::new(buffered)).synchronous(HASTE);
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    assert!(handle.flush(PATIENCE).is_err());
    assert_eq!(handle.metrics().outputs[0].overdue, 1);
    file.always(None);
    handle.flush(PATIENCE).unwrap();
    assert_eq!(read(&file.text()).len(), 1);
}

#[test]
fn a_line_is_durable_when_the_call_returns() {
    let happened = Happened::default();
    let output = Output::new(happened.sink()).synchronous(PATIENCE).durability(Durability::EveryBatch);
    let (dispatch, guard) = built(spanline::builder().output(output));
    on_threads(&dispatch, 100, |thread, seq| {
        log(Level::INFO, thread, seq);
        assert!(happened.is_durable(thread, seq), "{:?}", happened.all());
    });
    let output = &guard.handle().metrics().outputs[0];
    assert!((100..=400).contains(&output.syncs), "{output:#?}");
}

#[test]
fn a_call_waits_until_a_failed_sync_has_succeeded() {
    let (happened, complaints) = (Happened::default(), Complaints::default());
    happened.fail_syncs(4);
    let output = Output::new(happened.sink()).synchronous(PATIENCE).durability(Durability::EveryBatch);
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    within(&dispatch, || log(Level::INFO, 0, 0));
    assert!(happened.is_durable(0, 0));
    let output = &guard.handle().metrics().outputs[0];
    assert_eq!((output.syncs, output.failed_syncs, output.overdue), (1, 4, 0));
}

#[test]
fn a_sink_that_fails_delays_a_call_no_longer_than_it_may() {
    let (file, complaints) = (Faulty::new(), Complaints::default());
    file.always(Some(Fault::NoSpace));
    let output = Output::new(Writer::new(file.clone())).name("audit").synchronous(HASTE);
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    let handle = guard.handle();
    on_threads(&dispatch, 5, |thread, seq| log(Level::INFO, thread, seq));
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.overdue, output.queued.total(), output.written.total()), (20, 20, 0), "{output:#?}");
    let told = "output audit: a synchronous line was not written in time; it stays queued";
    assert!(complaints.all().iter().any(|complaint| complaint == told), "{:?}", complaints.all());
    file.always(None);
    until("the worker to catch up", || handle.metrics().outputs[0].queued.total() == 0);
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &file.text())), 20);
}

#[test]
fn a_stuck_sink_delays_a_call_no_longer_than_it_may() {
    let file = Faulty::gated();
    let output = Output::new(Writer::new(file.clone())).synchronous(HASTE);
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
    on_threads(&dispatch, 5, |thread, seq| log(Level::INFO, thread, seq));
    let handle = guard.handle();
    assert_eq!(handle.metrics().outputs[0].overdue, 20);
    file.gate.open();
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &file.text())), 20);
}

#[test]
fn a_full_queue_is_as_full_for_a_synchronous_output() {
    let file = Faulty::gated();
    let overflow = Overflow::Block { max_wait: Duration::from_millis(1) };
    let output = Output::new(Writer::new(file.clone()))
        .synchronous(Duration::from_millis(1))
        .overflow(overflow)
        .queue_bytes(4 << 10);
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
    within(&dispatch, || (0..200).for_each(|seq| log(Level::INFO, 0, seq)));
    file.gate.open();
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert!(output.dropped.reason(Reason::QueueFull).total() > 0);
    in_order(&balance(output, &file.text()));
}

#[test]
fn a_sink_that_closes_or_panics_lets_the_calls_go() {
    for fault in [Fault::Broken, Fault::Panic] {
        let file = Faulty::new();
        file.always(Some(fault));
        let output = Output::new(ends_at_broken_pipe(file.clone())).synchronous(PATIENCE);
        let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
        within(&dispatch, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
        let output = &guard.handle().metrics().outputs[0];
        assert_eq!((output.dropped.total(), output.overdue), (20, 0), "{fault:?}");
    }
}

/// The sink of one output logs into a synchronous one that is stuck: a thread of the log does not wait.
#[test]
fn a_thread_of_the_log_does_not_wait_for_a_synchronous_output() {
    let (dispatch, stuck, taken) = (Arc::<OnceLock<Dispatch>>::default(), Faulty::gated(), Taken::default());
    let (late, into, said) = (Arc::clone(&dispatch), taken.clone(), AtomicBool::new(false));
    let talks = sink(move |lines: &mut Lines| {
        if let Some(dispatch) = late.get().filter(|_| !said.swap(true, Ordering::Relaxed)) {
            within(dispatch, || log(Level::INFO, 9, 0));
        }
        into.all(lines);
        Ok(())
    });
    let builder = spanline::builder()
        .output(Output::new(talks).name("talks").synchronous(PATIENCE))
        .output(Output::new(Writer::new(stuck.clone())).name("stuck").synchronous(PATIENCE));
    let (built, guard) = built(builder);
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| within(&built, || log(Level::INFO, 0, 0)));
        until("the first line to be written", || !taken.text().is_empty());
        let metrics = handle.metrics();
        assert_eq!(metrics.output("talks").unwrap().dropped.reason(Reason::OwnThread).total(), 1);
        stuck.gate.open();
        one.join().unwrap();
    });
    guard.close().unwrap();
    let metrics = handle.metrics();
    assert_eq!(balance(metrics.output("stuck").unwrap(), &stuck.text()).len(), 2);
    assert!(metrics.outputs.iter().all(|output| output.overdue == 0));
}

#[test]
fn promise_18_a_synchronous_file_is_not_delayed_by_a_stuck_output() {
    let (folder, stuck) = (tempfile::tempdir().unwrap(), Faulty::gated());
    let path = folder.path().join("audit.log");
    let builder = spanline::builder()
        .on_complaint(|_| {})
        .shutdown_timeout(Duration::from_millis(100), PATIENCE)
        .output(Output::new(Writer::new(stuck.clone())).name("stdout"))
        .output(Output::new(RollingFile::new(&path)).name("audit").synchronous(PATIENCE));
    let (dispatch, guard) = built(builder);
    for seq in 0..500 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        if seq % 50 == 0 {
            assert_eq!(read(&std::fs::read_to_string(&path).unwrap()).len() as u64, seq + 1);
        }
    }
    stuck.gate.wait_reached(1);
    let metrics = guard.handle().metrics();
    assert_eq!(metrics.output("stdout").unwrap().written.total(), 0, "it is stuck all the time");
    assert_eq!(metrics.output("audit").unwrap().overdue, 0);
    stuck.gate.open();
    guard.close().unwrap();
}

#[test]
fn orders_work_while_lines_are_logged() {
    const LINES: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let output = Output::new(RollingFile::new(&path)).synchronous(PATIENCE).durability(Durability::EveryBatch);
    let (dispatch, guard) = built(spanline::builder().output(output));
    let handle = guard.handle();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                handle.flush(PATIENCE).unwrap();
                handle.rotate(PATIENCE).unwrap();
                handle.reopen(PATIENCE).unwrap();
                handle.sync(PATIENCE).unwrap();
            }
        });
        on_threads(&dispatch, LINES, |thread, seq| log(Level::INFO, thread, seq));
        done.store(true, Ordering::Relaxed);
    });
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.written.total(), output.overdue, output.failed_syncs), (THREADS * LINES, 0, 0), "{output:#?}");
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    // The active file is the last one.
    files.sort_by_key(|file| (*file == path, file.clone()));
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert_eq!(in_order(&read(&text)) as u64, THREADS * LINES);
}

#[test]
fn an_appender_is_synchronous_too() {
    use std::io::Write as _;
    use tracing_subscriber::fmt::MakeWriter as _;
    let memory = Memory::new();
    let (appender, _guard) = Output::new(memory.clone()).synchronous(PATIENCE).appender().unwrap();
    for number in 1..=20 {
        appender.make_writer().write_all(b"line\n").unwrap();
        assert_eq!(memory.lines().len(), number);
    }
}
