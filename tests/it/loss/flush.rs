//! Orders: `flush` is a barrier; `sync`, `reopen` and `rotate` come after all earlier lines.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use spanline::sink::{Control, Lines, Writer};
use spanline::{Error, Output, Overflow};
use tracing::Level;

use crate::support::faults::{Acts, Fault, Faulty, Gate, Taken, built, sink, within};
use crate::support::ledger::{balance, in_order, log, read};
use crate::support::wait::{PATIENCE, until};

/// Counts lines of each thread in a text that comes in pieces.
#[derive(Default)]
struct Counts {
    rest: String,
    seen: [u64; 4],
}

impl Counts {
    fn add(&mut self, text: &str) {
        self.rest.push_str(text);
        let end = self.rest.rfind('\n').map_or(0, |end| end + 1);
        for line in read(&self.rest[..end]) {
            assert_eq!(line.seq, self.seen[line.thread as usize]);
            self.seen[line.thread as usize] += 1;
        }
        self.rest.drain(..end);
    }
}

#[test]
fn promise_11_flush_is_a_barrier_for_all_threads_and_outputs() {
    const ROUNDS: u64 = 1_000;
    const LINES: u64 = 10;
    let path = tempfile::NamedTempFile::new().unwrap();
    let taken = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&taken);
    let collecting = sink(move |lines: &mut Lines| {
        into.lock().unwrap().push_str(std::str::from_utf8(lines.as_bytes()).unwrap());
        lines.advance(lines.as_bytes().len());
        Ok(())
    });
    let overflow = Overflow::Block { max_wait: PATIENCE };
    let (dispatch, guard) = built(
        spanline::builder()
            .output(Output::new(Writer::new(path.reopen().unwrap())).name("file").overflow(overflow))
            .output(Output::new(collecting).name("other").overflow(overflow)),
    );
    let handle = guard.handle();
    let (allowed, logged) = (AtomicU64::new(LINES), [const { AtomicU64::new(0) }; 4]);
    std::thread::scope(|scope| {
        for (thread, logged) in logged.iter().enumerate() {
            let (dispatch, allowed) = (&dispatch, &allowed);
            scope.spawn(move || {
                within(dispatch, || {
                    for seq in 0..ROUNDS * LINES {
                        while allowed.load(Ordering::Relaxed) <= seq {
                            std::thread::yield_now();
                        }
                        log(Level::INFO, thread as u64, seq);
                        logged.store(seq + 1, Ordering::Release);
                    }
                });
            });
        }
        let (mut in_file, mut in_other) = (Counts::default(), Counts::default());
        let mut file = path.reopen().unwrap();
        for round in 1..=ROUNDS {
            let before: Vec<_> = logged.iter().map(|logged| logged.load(Ordering::Acquire)).collect();
            handle.flush(PATIENCE).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            in_file.add(&text);
            in_other.add(&std::mem::take(&mut *taken.lock().unwrap()));
            for (thread, before) in before.into_iter().enumerate() {
                assert!(in_file.seen[thread] >= before, "round {round}, thread {thread}");
                assert!(in_other.seen[thread] >= before, "round {round}, thread {thread}");
            }
            allowed.store((round + 1) * LINES, Ordering::Relaxed);
        }
    });
    guard.close().unwrap();
    assert_eq!(handle.metrics().outputs[0].written.total(), 4 * ROUNDS * LINES);
}

#[test]
fn many_concurrent_flushes_are_all_answered() {
    let file = Faulty::gated();
    let (dispatch, guard) = built(spanline::builder().output(Output::new(Writer::new(file.clone()))));
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    std::thread::scope(|scope| {
        let flushes: Vec<_> = (0..16).map(|_| scope.spawn(|| handle.flush(PATIENCE))).collect();
        let hasty: Vec<_> = (0..16).map(|_| scope.spawn(|| handle.flush(Duration::from_millis(1)))).collect();
        for hasty in hasty {
            assert!(hasty.join().unwrap().unwrap_err().is_timeout());
        }
        file.gate.open();
        flushes.into_iter().for_each(|flush| flush.join().unwrap().unwrap());
    });
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
}

#[test]
fn an_abandoned_order_answers_no_other() {
    let (gate, failing) = (Gate::shut(), Arc::new(AtomicBool::new(true)));
    let (at_gate, fails) = (gate.clone(), Arc::clone(&failing));
    let stubborn = Acts {
        write: |lines: &mut Lines| {
            Taken::default().all(lines);
            Ok(())
        },
        control: move |control| {
            if control == Control::Sync {
                at_gate.pass();
                if fails.load(Ordering::Relaxed) {
                    return Err(Error::retry("no disk"));
                }
            }
            Ok(())
        },
    };
    let (_, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(stubborn)));
    let handle = guard.handle();
    until("an order to be under way", || {
        assert!(handle.sync(Duration::from_millis(1)).unwrap_err().is_timeout());
        gate.reached() > 0
    });
    assert!(handle.sync(Duration::from_millis(1)).unwrap_err().is_timeout());
    gate.open();
    handle.flush(PATIENCE).unwrap();
    assert!(handle.sync(PATIENCE).unwrap_err().to_string().contains("no disk"));
    failing.store(false, Ordering::Relaxed);
    handle.sync(PATIENCE).unwrap();
    guard.close().unwrap();
}

#[test]
fn each_of_a_hundred_waiting_threads_gets_the_failure() {
    let (gate, refused) = (Gate::shut(), |_| Err(Error::rejected("read-only")));
    let at_gate = gate.clone();
    let stubborn = Acts {
        write: move |lines: &mut Lines| {
            at_gate.pass();
            Taken::default().all(lines);
            Ok(())
        },
        control: move |control| if control == Control::Reopen { refused(control) } else { Ok(()) },
    };
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(stubborn).name("out")));
    let handle = guard.handle();
    within(&dispatch, || log(Level::ERROR, 0, 0));
    gate.wait_reached(1);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..100).map(|_| scope.spawn(|| handle.reopen(PATIENCE))).collect();
        gate.open();
        for asked in asked {
            let error = asked.join().unwrap().unwrap_err();
            assert!(error.is_rejected() && error.to_string().contains("output out: read-only"), "{error:?}");
        }
    });
    guard.close().unwrap();
}

#[test]
fn orders_come_after_all_earlier_lines() {
    let happened = Arc::new(Mutex::new(Vec::new()));
    let (written, ordered) = (Arc::clone(&happened), Arc::clone(&happened));
    let watching = Acts {
        write: move |lines: &mut Lines| {
            let text = String::from_utf8_lossy(lines.as_bytes()).into_owned();
            written.lock().unwrap().extend(read(&text).into_iter().map(|line| line.seq.to_string()));
            lines.advance(lines.as_bytes().len());
            Ok(())
        },
        control: move |control| {
            if !matches!(control, Control::Tick(_) | Control::Flush) {
                ordered.lock().unwrap().push(format!("{control:?}"));
            }
            Ok(())
        },
    };
    let (dispatch, guard) = built(spanline::builder().output(Output::new(watching)));
    let handle = guard.handle();
    let orders = [spanline::Handle::sync, spanline::Handle::reopen, spanline::Handle::rotate];
    for (seq, order) in orders.into_iter().enumerate() {
        within(&dispatch, || log(Level::INFO, 0, seq as u64));
        order(&handle, PATIENCE).unwrap();
    }
    within(&dispatch, || log(Level::INFO, 0, 3));
    guard.close().unwrap();
    let happened = happened.lock().unwrap();
    assert_eq!(happened[..], ["Open", "0", "Sync", "1", "Reopen", "2", "Rotate", "3", "Close"]);
}

#[test]
fn the_answer_of_a_sink_comes_back_with_the_name_of_its_output() {
    let failing = Acts {
        write: |_: &mut Lines| Ok(()),
        control: |control| match control {
            Control::Flush => Err(Error::retry("the disk is on fire")),
            Control::Sync => Err(Error::closed("it burned down")),
            _ => Ok(()),
        },
    };
    let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(Duration::ZERO, Duration::ZERO);
    let (_, guard) =
        built(builder.output(Output::new(failing).name("f")).output(Output::new(spanline::sink::Memory::new())));
    let handle = guard.handle();
    let error = handle.flush(PATIENCE).unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "output f: the disk is on fire");
    let error = handle.sync(PATIENCE).unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.to_string(), "output f: it burned down");
    handle.reopen(PATIENCE).unwrap();
}

#[test]
fn an_error_goes_at_once_and_needs_no_flush() {
    let (sent, came) = mpsc::channel();
    let signalling = sink(move |lines: &mut Lines| {
        Taken::default().all(lines);
        let _ = sent.send(());
        Ok(())
    });
    let (dispatch, _guard) = built(spanline::builder().output(Output::new(signalling)));
    // One line at a time, each awaited: the worker lingers before each INFO and before no ERROR.
    let spent = |level| {
        let begun = Instant::now();
        for seq in 0..50 {
            within(&dispatch, || log(level, 0, seq));
            came.recv_timeout(PATIENCE).unwrap();
        }
        begun.elapsed()
    };
    let (infos, errors) = (spent(Level::INFO), spent(Level::ERROR));
    assert!(errors < infos, "ERROR {errors:?}, INFO {infos:?}");
}

#[test]
fn the_longest_timeout_is_no_overflow() {
    let memory = spanline::sink::Memory::new();
    let output = Output::new(memory.clone()).overflow(Overflow::Block { max_wait: Duration::MAX }).queue_bytes(4 << 10);
    let builder = spanline::builder().shutdown_timeout(Duration::MAX, Duration::MAX).output(output);
    let (dispatch, guard) = built(builder);
    let handle = guard.handle();
    within(&dispatch, || (0..5_000).for_each(|seq| log(Level::INFO, 0, seq)));
    handle.flush(Duration::MAX).unwrap();
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &memory.text())), 5_000);
}

#[test]
fn a_batch_is_flushed_also_when_another_order_comes_with_it() {
    let file = Faulty::new();
    let buffered = std::io::BufWriter::with_capacity(1 << 20, file.clone());
    let (dispatch, guard) = built(spanline::builder().output(Output::new(Writer::new(buffered))));
    let handle = guard.handle();
    for seq in 0..20 {
        within(&dispatch, || log(Level::INFO, 0, seq));
        handle.rotate(PATIENCE).unwrap();
        assert_eq!(read(&file.text()).len() as u64, seq + 1);
    }
}

/// A log whose sink buffers all it is given until it is flushed.
fn buffered(file: &Faulty) -> (tracing::Dispatch, spanline::Guard) {
    let buffered = std::io::BufWriter::with_capacity(1 << 20, file.clone());
    built(spanline::builder().on_complaint(|_| {}).output(Output::new(Writer::new(buffered))))
}

#[test]
fn promise_03_a_failed_flush_is_retried_although_no_line_follows() {
    let file = Faulty::new();
    file.then([Fault::Io, Fault::NoSpace, Fault::Io]);
    let (dispatch, guard) = buffered(&file);
    within(&dispatch, || log(Level::INFO, 0, 0));
    until("the line is flushed", || !file.text().is_empty());
    assert_eq!(in_order(&balance(&guard.handle().metrics().outputs[0], &file.text())), 1);
    guard.close().unwrap();
}

#[test]
fn promise_03_a_flush_that_fails_at_shutdown_is_retried_until_the_deadline() {
    let file = Faulty::new();
    file.then([Fault::Io; 12]);
    let (dispatch, guard) = buffered(&file);
    let handle = guard.handle();
    within(&dispatch, || log(Level::INFO, 0, 0));
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &file.text())), 1);
}
