//! `flush_async` and `sync_async`: the same barrier, with nobody's thread held up.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use spanline::sink::{Control, Lines, Writer};
use spanline::{Error, Guard, Output};
use tokio::runtime::{Builder, Runtime};
use tracing::{Dispatch, Level};

use crate::support::faults::{Acts, Faulty, Gate, Taken, built, within};
use crate::support::ledger::{log, read};
use crate::support::wait::{PATIENCE, until};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn written_to(file: &Faulty) -> (Dispatch, Guard) {
    built(spanline::builder().on_complaint(|_| {}).output(Output::new(Writer::new(file.clone()))))
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn promise_11_a_task_that_awaits_the_flush_finds_its_lines_written() {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 100;
    let file = Faulty::new();
    let (dispatch, guard) = written_to(&file);
    let handle = guard.handle();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (handle, file, dispatch) = (handle.clone(), file.clone(), dispatch.clone());
                tokio::spawn(async move {
                    for seq in 0..ROUNDS {
                        within(&dispatch, || log(Level::INFO, task, seq));
                        if seq % 2 == 0 { handle.flush_async().await } else { handle.sync_async().await }.unwrap();
                        let text = file.text();
                        assert!(read(&text).iter().any(|line| line.thread == task && line.seq == seq));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    guard.close().unwrap();
}

#[test]
fn a_stuck_output_holds_up_the_task_and_not_its_thread() {
    let file = Faulty::gated();
    let (dispatch, guard) = written_to(&file);
    let handle = guard.handle();
    within(&dispatch, || log(Level::ERROR, 0, 0));
    file.gate.wait_reached(1);
    runtime().block_on(async {
        let patience = Duration::from_millis(20);
        assert!(tokio::time::timeout(patience, handle.flush_async()).await.is_err(), "the thread went on");
        let flush = handle.flush_async();
        file.gate.open();
        tokio::time::timeout(PATIENCE, flush).await.unwrap().unwrap();
    });
    assert_eq!(read(&file.text()).len(), 1);
    guard.close().unwrap();
}

#[test]
fn the_order_stands_before_it_is_awaited_and_is_taken_back_when_dropped() {
    let (gate, syncs) = (Gate::shut(), Arc::new(AtomicU64::new(0)));
    let (at_gate, synced) = (gate.clone(), Arc::clone(&syncs));
    let counting = Acts {
        write: move |lines: &mut Lines| {
            at_gate.pass();
            Taken::default().all(lines);
            Ok(())
        },
        control: move |control| {
            synced.fetch_add(u64::from(control == Control::Sync), Ordering::SeqCst);
            Ok(())
        },
    };
    let (dispatch, guard) = built(spanline::builder().output(Output::new(counting)));
    let handle = guard.handle();
    within(&dispatch, || log(Level::ERROR, 0, 0));
    gate.wait_reached(1);
    let (kept, dropped) = (handle.sync_async(), handle.sync_async());
    drop(dropped);
    gate.open();
    until("the order to be carried out unasked", || syncs.load(Ordering::SeqCst) > 0);
    runtime().block_on(kept).unwrap();
    assert_eq!(syncs.load(Ordering::SeqCst), 1, "not the one that was dropped");
    guard.close().unwrap();
}

#[test]
fn the_task_that_polled_last_is_woken_once() {
    let file = Faulty::gated();
    let (dispatch, guard) = written_to(&file);
    within(&dispatch, || log(Level::ERROR, 0, 0));
    file.gate.wait_reached(1);
    let mut flush = pin!(guard.handle().flush_async());
    let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    for woken in [&first, &first, &last] {
        let waker = Waker::from(Arc::clone(woken));
        assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    file.gate.open();
    until("the task to be woken", || last.0.load(Ordering::SeqCst) > 0);
    let outcome = flush.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(outcome, Poll::Ready(Ok(()))));
    assert_eq!((first.0.load(Ordering::SeqCst), last.0.load(Ordering::SeqCst)), (0, 1));
    guard.close().unwrap();
}

#[test]
fn a_waker_that_panics_harms_neither_the_worker_nor_the_others() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            crate::support::faults::panic_quietly()
        }
    }
    let file = Faulty::gated();
    let (dispatch, guard) = written_to(&file);
    let handle = guard.handle();
    within(&dispatch, || log(Level::ERROR, 0, 0));
    file.gate.wait_reached(1);
    let mut hostile = pin!(handle.flush_async());
    let waker = Waker::from(Arc::new(Panics));
    assert!(hostile.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let flush = handle.flush_async();
    file.gate.open();
    runtime().block_on(flush).unwrap();
    within(&dispatch, || log(Level::INFO, 0, 1));
    handle.flush(PATIENCE).unwrap();
    assert_eq!(read(&file.text()).len(), 2);
    guard.close().unwrap();
}

#[test]
fn errors_come_with_the_outputs_name_and_an_output_that_was_given_up_answers() {
    let failing = Acts {
        write: |_: &mut Lines| Ok(()),
        control: |control| match control {
            Control::Flush => Err(Error::rejected("no")),
            _ => Ok(()),
        },
    };
    let builder = spanline::builder().on_complaint(|_| {});
    let (_, guard) =
        built(builder.output(Output::new(failing).name("f")).output(Output::new(spanline::sink::Memory::new())));
    let error = runtime().block_on(guard.handle().flush_async()).unwrap_err();
    assert_eq!(error.to_string(), "output f: no");
    drop(guard);

    let stuck = Faulty::gated();
    let builder = spanline::builder().on_complaint(|_| {}).shutdown_timeout(Duration::from_millis(50), PATIENCE);
    let (dispatch, guard) = built(builder.output(Output::new(Writer::new(stuck.clone()))));
    within(&dispatch, || log(Level::ERROR, 0, 0));
    stuck.gate.wait_reached(1);
    let (handle, flush) = (guard.handle(), guard.handle().flush_async());
    let closing = std::thread::spawn(move || guard.close());
    let error = runtime().block_on(flush).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(closing.join().unwrap().unwrap_err().unwritten_lines(), Some(1));
    assert!(runtime().block_on(handle.flush_async()).unwrap_err().is_timeout());
    stuck.gate.open();
}
