//! Promise 21: lines in flight at a fork are the parent's. The child neither sends nor counts them.
#![allow(unsafe_code)]

use std::future::poll_fn;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use spanline::metrics::OutputMetrics;
use spanline::sink::{Async, AsyncSink, Batch, Control, Lines, Memory, Sink};
use spanline::{Error, Output};
use tracing::Level;

use crate::sinks::peer::{End, Peer, Stage, Step, balanced};
use crate::support::faults::{built, within};
use crate::support::fork::{fork, wait, whole};
use crate::support::ledger::log;
use crate::support::process::{is_child, run_child};
use crate::support::wait::{PATIENCE, until};

/// Runs the test again in a separate process, which forks.
fn in_own_process(name: &str) {
    let (status, stderr) = run_child(name, "", Path::new(""));
    assert!(status.success(), "{stderr}");
}

/// Emitted, written, in flight, queued, resent.
fn counts(books: &OutputMetrics) -> [u64; 5] {
    [books.emitted, books.written, books.in_flight, books.queued]
        .map(|count| count.total())
        .into_iter()
        .chain([books.resent])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// Forks while `first` lines are in flight. In the child, the sink first does `steps`, which name lines of the parent, and
/// then writes at once.
fn fork_with(stage: &Stage, first: u64, steps: &[Step]) {
    let received = stage.peer.received().len();
    let child = fork(|| {
        assert_eq!(counts(&stage.books()), [0; 5]);
        stage.peer.then(steps.iter().cloned());
        stage.peer.always([Step::Write(usize::MAX)]);
        stage.log(100..105);
        stage.handle.flush(PATIENCE).unwrap();
        assert_eq!(stage.peer.received()[received..], [100, 101, 102, 103, 104], "after {steps:?}");
        let books = stage.books();
        assert_eq!((counts(&books), books.dropped.total()), ([5, 5, 0, 0, 0], 0), "after {steps:?}");
        let told =
            stage.peer.with(|state| state.controls.iter().filter(|control| **control == Control::Forked).count());
        assert_eq!(told, 1);
    });
    assert_eq!(wait(child), 0, "after {steps:?}");
    assert_eq!(counts(&stage.books()), [first, 0, first, 0, 0], "the child has changed the parent's books");
    assert_eq!(stage.peer.received().len(), received);
}

#[test]
fn promise_21_lines_in_flight_at_a_fork_are_neither_sent_nor_counted_by_the_child() {
    let name = this_test!();
    if !is_child() {
        return in_own_process(name);
    }
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::HandOver(usize::MAX)]);
    stage.log(0..10);
    stage.until("all to be in flight", |books| books.in_flight.total() == 10);
    fork_with(&stage, 10, &[]);
    fork_with(&stage, 10, &[Step::AcknowledgeAll]);
    fork_with(&stage, 10, &[Step::GiveBackAll]);
    fork_with(&stage, 10, &[Step::Acknowledge(vec![0, 9]), Step::GiveBack(vec![1, 8]), Step::Reject(2)]);
    fork_with(&stage, 10, &[Step::End(End::Retry)]);
    fork_with(&stage, 10, &[Step::HandOver(usize::MAX), Step::AcknowledgeAll]);

    // The parent delivers them: some are acknowledged, the others are sent once more.
    stage.peer.then([Step::Acknowledge(vec![0, 1, 2, 3]), Step::End(End::Retry)]);
    stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
    stage.peer.wake();
    stage.until("all to be written", |books| books.written.total() == 10);
    assert_eq!(stage.peer.received(), (0..10).chain(4..10).collect::<Vec<_>>());
    stage.guard.close().unwrap();
    let books = balanced(&stage.handle.metrics());
    assert_eq!((counts(&books), books.dropped.total()), ([10, 10, 0, 0, 6], 0));
}

/// The connection in which the beginning went is the parent's.
#[test]
fn promise_21_a_line_handed_over_in_part_at_a_fork_is_finished_by_the_parent_alone() {
    let name = this_test!();
    if !is_child() {
        return in_own_process(name);
    }
    let stage = Stage::new(Peer::default());
    stage.peer.then([Step::HandOverBytes(30), Step::End(End::Later(600_000))]);
    stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
    stage.log(0..1);
    until("a call", || stage.peer.calls() > 0);
    stage.until("the call to be over", |books| counts(books) == [1, 0, 0, 1, 0]);
    let child = fork(|| {
        // What the peer has of the line is the parent's as well.
        let peer = stage.peer.clone();
        peer.always([Step::GiveBackAll, Step::Write(usize::MAX)]);
        stage.log(100..103);
        stage.handle.flush(PATIENCE).unwrap();
        assert_eq!(peer.received(), [100, 101, 102]);
        assert_eq!(counts(&stage.books()), [3, 3, 0, 0, 0]);
    });
    assert_eq!(wait(child), 0);
    stage.peer.wake();
    stage.until("it to be written", |books| books.written.total() == 1);
    assert_eq!(stage.peer.received(), [0]);
    stage.guard.close().unwrap();
}

/// A future that waits until it may go on.
#[derive(Clone, Default)]
struct Client {
    memory: Memory,
    open: Arc<Mutex<(bool, Option<Waker>)>>,
}

impl Client {
    fn open(&self) {
        let mut open = self.open.lock().unwrap();
        open.0 = true;
        if let Some(waker) = open.1.take() {
            waker.wake();
        }
    }
}

/// Ends a process that drops what another one has made.
struct Connection(u32);

impl Drop for Connection {
    fn drop(&mut self) {
        if std::process::id() != self.0 {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(98) };
        }
    }
}

impl AsyncSink for Client {
    fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let (client, connection) = (self.clone(), Connection(std::process::id()));
        async move {
            poll_fn(|context| {
                let mut open = client.open.lock().unwrap();
                if open.0 {
                    return Poll::Ready(());
                }
                open.1 = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            drop(connection);
            let mut lines = Lines::default();
            lines.push_line(batch.bytes.trim_ascii_end(), Level::INFO, spanline::record::Timestamp::from_nanos(0));
            client.memory.clone().write(&mut lines).map(drop)
        }
    }
}

#[test]
fn promise_21_a_future_that_runs_at_a_fork_is_neither_polled_nor_dropped_by_the_child() {
    let name = this_test!();
    if !is_child() {
        return in_own_process(name);
    }
    let client = Client::default();
    let (dispatch, guard) = built(spanline::builder().output(Output::new(Async::new(client.clone()))));
    let handle = guard.handle();
    within(&dispatch, || (0..5).for_each(|seq| log(Level::INFO, 0, seq)));
    until("the future to wait", || client.open.lock().unwrap().1.is_some());
    until("some lines to be in flight", || balanced(&handle.metrics()).in_flight.total() > 0);
    let child = fork(|| {
        client.open();
        within(&dispatch, || (0..3).for_each(|seq| log(Level::INFO, 1, seq)));
        handle.flush(PATIENCE).unwrap();
        assert_eq!(whole(&client.memory.text()).into_iter().collect::<Vec<_>>(), [(1, 3)]);
        assert_eq!(counts(&balanced(&handle.metrics())), [3, 3, 0, 0, 0]);
    });
    assert_eq!(wait(child), 0);
    assert!(client.memory.text().is_empty());
    client.open();
    guard.close().unwrap();
    assert_eq!(whole(&client.memory.text()).into_iter().collect::<Vec<_>>(), [(0, 5)]);
    assert_eq!(counts(&balanced(&handle.metrics())), [5, 5, 0, 0, 0]);
}
