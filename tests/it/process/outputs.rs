//! Outputs that are added and removed while the log runs.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use spanline::sink::{Control, Lines, Memory, Writer};
use spanline::{Error, Output, Overflow, RollingFile};
use tracing::{debug, info};

use crate::support::faults::{Acts, Faulty, Gate, Taken, built, sink, within};
use crate::support::ledger::read;
use crate::support::stage::messages;
use crate::support::wait::{PATIENCE, until};

const MAX_OUTPUTS: usize = 64;

fn memory(name: &str) -> (Memory, Output) {
    let memory = Memory::new();
    (memory.clone(), Output::new(memory).name(name))
}

#[test]
fn an_output_gets_the_lines_that_are_logged_while_it_is_there() {
    let (first, output) = memory("first");
    let (dispatch, guard) = built(spanline::builder().output(output));
    let handle = guard.handle();
    let log = |text: &str| within(&dispatch, || info!("{text}"));
    log("before");
    let (second, output) = memory("second");
    handle.add_output(output).unwrap();
    log("both");
    handle.remove_output("first").unwrap();
    assert_eq!(messages(&first), ["before", "both"], "its lines are written when the call returns");
    log("second");
    assert_eq!(handle.metrics().outputs.len(), 1);
    let events: u64 = handle.metrics().services.iter().map(|service| service.events.total()).sum();
    assert_eq!(events, 3, "the log's own count does not go back");
    let (again, output) = memory("first");
    handle.add_output(output).unwrap();
    log("again");
    drop(guard);
    assert_eq!(messages(&first), ["before", "both"]);
    assert_eq!(messages(&second), ["both", "second", "again"]);
    assert_eq!(messages(&again), ["again"]);
}

#[test]
fn a_new_output_has_its_own_filter_schema_and_bound() {
    let (first, output) = memory("first");
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(output.output_filter("info")));
    let handle = guard.handle();
    let (detail, output) = memory("detail");
    let detail_schema = spanline::schema::Flat::new().thread_name();
    handle.add_output(output.output_filter("debug").below(tracing::Level::INFO).schema(detail_schema)).unwrap();
    within(&dispatch, || {
        info!("info");
        debug!("debug");
    });
    handle.set_output_filter("detail", "off").unwrap();
    within(&dispatch, || debug!("hidden"));
    drop(guard);
    assert_eq!(messages(&first), ["info"]);
    assert_eq!(messages(&detail), ["debug"]);
    let line = detail.lines().remove(0);
    assert!(line.contains("\"thread_name\":"), "no output wanted the thread before: {line}");
}

#[test]
fn what_cannot_be_added_or_removed_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| RollingFile::new(folder.path().join(name));
    let (first, output) = memory("first");
    let (dispatch, guard) = built(spanline::builder().output(output).output(Output::new(file("a.log")).name("a")));
    let handle = guard.handle();
    let refused = |result: Result<(), Error>, why: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(handle.add_output(memory("first").1), "two outputs are called `first`");
    refused(handle.add_output(Output::new(file("a.log")).name("b")), "the output a writes to ");
    refused(handle.add_output(memory("b").1.output_filter("infos")), "infos");
    refused(handle.add_output(Output::new(file("a.log/b.log")).name("b")), "a.log");
    refused(handle.add_output(memory("b").1.queue_bytes(1)), "queue_bytes");
    refused(handle.remove_output("first1"), "did you mean `first`?");
    within(&dispatch, || info!("line"));
    assert_eq!(handle.metrics().outputs.len(), 2);
    drop(guard);
    assert_eq!(messages(&first), ["line"]);
}

#[test]
fn the_outputs_of_a_log_that_has_ended_stay_as_they_are() {
    let (_, guard) = built(spanline::builder().output(memory("first").1));
    let handle = guard.handle();
    drop(guard);
    let error = handle.add_output(memory("late").1).unwrap_err();
    assert!(error.is_closed() && error.to_string().contains("the log has ended"), "{error}");
    assert!(handle.remove_output("first").unwrap_err().is_closed());
}

#[test]
fn a_sink_that_changes_the_outputs_while_it_opens_gets_an_error() {
    let (_, guard) = built(spanline::builder().output(memory("first").1));
    let handle = guard.handle();
    let inner = handle.clone();
    let taken = Taken::default();
    let sink = Acts {
        write: move |lines: &mut Lines| {
            taken.all(lines);
            Ok(())
        },
        control: move |control| match control {
            Control::Open => inner.add_output(memory("inner").1),
            _ => Ok(()),
        },
    };
    let error = handle.add_output(Output::new(sink).name("outer")).unwrap_err();
    assert!(error.to_string().contains("being changed by this thread"), "{error}");
    handle.add_output(memory("later").1).unwrap();
    assert_eq!(handle.metrics().outputs.len(), 2);
}

#[test]
fn a_log_has_at_most_64_outputs_at_a_time_and_any_number_in_turn() {
    let (dispatch, guard) = built(spanline::builder().output(memory("0").1));
    let handle = guard.handle();
    for number in 1..MAX_OUTPUTS {
        handle.add_output(memory(&number.to_string()).1).unwrap();
    }
    let error = handle.add_output(memory("more").1).unwrap_err();
    assert!(error.to_string().contains("the log has 64 outputs; remove one first"), "{error}");
    for number in 0..MAX_OUTPUTS {
        handle.remove_output(&number.to_string()).unwrap();
        let (memory, output) = memory(&format!("new-{number}"));
        handle.add_output(output).unwrap();
        within(&dispatch, || info!("line"));
        handle.flush(PATIENCE).unwrap();
        assert_eq!(messages(&memory), ["line"], "{number}");
    }
}

#[test]
fn a_removed_output_that_is_stuck_reports_its_lines_and_delays_no_other() {
    let gate = Gate::shut();
    let stuck = {
        let gate = gate.clone();
        Output::new(sink(move |_: &mut Lines| {
            gate.pass();
            Err(Error::retry("shut"))
        }))
    };
    let (other, output) = memory("other");
    let timeout = std::time::Duration::from_millis(50);
    let builder = spanline::builder().shutdown_timeout(timeout, timeout).on_complaint(|_| {});
    let (dispatch, guard) = built(builder.output(stuck.name("stuck")).output(output));
    within(&dispatch, || (0..10).for_each(|number| info!("{number}")));
    let error = guard.handle().remove_output("stuck").unwrap_err();
    assert_eq!(error.unwritten_lines(), Some(10), "{error}");
    within(&dispatch, || info!("after"));
    guard.handle().flush(PATIENCE).unwrap();
    assert_eq!(messages(&other).len(), 11);
    gate.open();
}

#[test]
#[cfg(target_os = "linux")]
fn the_file_of_a_removed_output_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let output = Output::new(RollingFile::new(&path)).name("a");
    let (_dispatch, guard) = built(spanline::builder().output(output).output(memory("other").1));
    let is_open = || {
        let links =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().path().read_link().ok());
        links.into_iter().any(|link| link == path)
    };
    assert!(is_open());
    guard.handle().remove_output("a").unwrap();
    until("the file is closed", || !is_open());
}

/// Each line is in exactly one of the files that were there: an output is swapped for another thousands of times.
#[test]
fn promise_45_outputs_that_come_and_go_lose_and_duplicate_no_line() {
    const THREADS: u64 = 4;
    let file = Faulty::new();
    let always = Output::new(Writer::new(file.clone())).name("always");
    let (dispatch, guard) = built(spanline::builder().output(always.overflow(Overflow::Block { max_wait: PATIENCE })));
    let handle = guard.handle();
    let ends = AtomicBool::new(false);
    let begin = Barrier::new(THREADS as usize + 1);
    let mut kept: BTreeMap<String, Memory> = BTreeMap::new();
    std::thread::scope(|scope| {
        let logging: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (dispatch, ends, begin) = (&dispatch, &ends, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let mut seq = 0;
                    while !ends.load(Ordering::Relaxed) {
                        within(dispatch, || info!(thread, seq, "line"));
                        seq += 1;
                    }
                    seq
                })
            })
            .collect();
        begin.wait();
        for round in 0..300 {
            let (sink, output) = memory(&format!("turn-{}", round % 7));
            handle.add_output(output).unwrap();
            handle.remove_output(&format!("turn-{}", round % 7)).unwrap();
            kept.insert(format!("{round}"), sink);
        }
        ends.store(true, Ordering::Relaxed);
        let logged: Vec<u64> = logging.into_iter().map(|thread| thread.join().unwrap()).collect();
        handle.flush(PATIENCE).unwrap();
        let lines = read(&file.text());
        let mut next = [0; THREADS as usize];
        for line in &lines {
            assert_eq!(line.seq, next[line.thread as usize], "thread {}", line.thread);
            next[line.thread as usize] += 1;
        }
        assert_eq!(next.as_slice(), logged);
    });
    // What an output had is whole, and none has a line twice.
    for (round, memory) in &kept {
        let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
        for line in read(&memory.text()) {
            if let Some(last) = seen.insert(line.thread, line.seq) {
                assert!(line.seq > last, "round {round}, thread {}: {} after {last}", line.thread, line.seq);
            }
        }
    }
    drop(guard);
}
