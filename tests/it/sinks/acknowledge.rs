//! Promise 40: sinks that acknowledge late, in part, out of order or never; the books balance at every moment.

use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::sink::Control;

use crate::sinks::peer::{End, Peer, Stage, Step};
use crate::support::wait::{PATIENCE, until};

/// Hands over all that it is offered, and waits.
fn silent() -> Peer {
    let peer = Peer::default();
    peer.always([Step::HandOver(usize::MAX)]);
    peer
}

#[test]
fn promise_40_lines_handed_over_are_in_flight_until_they_are_acknowledged() {
    let stage = Stage::new(silent());
    stage.log(0..100);
    stage.until("all to be in flight", |books| books.in_flight.total() == 100);
    let books = stage.books();
    assert_eq!((books.written.total(), books.queued.total(), books.written_bytes), (0, 0, 0));
    assert!(books.queued_bytes > 0 && books.oldest_queued.is_some(), "they are still in memory: {books:#?}");
    stage.peer.then([Step::Acknowledge((0..40).collect())]);
    stage.peer.wake();
    stage.until("a part", |books| books.written.total() == 40);
    assert_eq!(stage.books().in_flight.total(), 60);
    stage.peer.then([Step::AcknowledgeAll]);
    stage.peer.wake();
    // Their memory is free once the worker has left the batch, a moment after the sink has counted them.
    stage.until("the rest", |books| books.written.total() == 100 && books.queued_bytes == 0);
    let books = stage.books();
    assert_eq!((books.in_flight.total(), books.resent, books.retries), (0, 0, 0));
    assert!(books.written_bytes > 1_000);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_acknowledgements_may_come_out_of_order_and_twice() {
    let stage = Stage::new(silent());
    stage.log(0..10);
    stage.until("all to be in flight", |books| books.in_flight.total() == 10);
    for places in [vec![9, 0, 5], vec![3, 3, 99], vec![0, 1, 2, 3, 4, 5]] {
        stage.peer.then([Step::Acknowledge(places)]);
        let calls = stage.peer.calls();
        stage.peer.wake();
        until("a call", || stage.peer.calls() > calls);
        stage.books();
    }
    stage.until("all but those that were not named", |books| books.written.total() == 10);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_newer_lines_go_on_while_older_ones_are_in_flight() {
    let stage = Stage::new(silent());
    for round in 0..20 {
        stage.log(round * 10..round * 10 + 10);
        stage.until("them to be in flight", |books| books.in_flight.total() == round * 10 + 10);
    }
    assert_eq!(stage.peer.received(), (0..200).collect::<Vec<_>>());
    stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
    stage.peer.wake();
    stage.until("all", |books| books.written.total() == 200);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_lines_given_back_are_offered_again_in_order_before_newer_ones() {
    let stage = Stage::new(silent());
    stage.log(0..6);
    stage.until("all to be in flight", |books| books.in_flight.total() == 6);
    stage.peer.then([Step::GiveBack(vec![4, 1]), Step::HandOver(1), Step::End(End::Later(600_000))]);
    stage.peer.wake();
    stage.until("one of them", |books| books.queued.total() == 1 && books.resent == 1);
    stage.log(6..8);
    stage.peer.wake();
    stage.until("all to be in flight", |books| books.in_flight.total() == 8);
    assert_eq!(stage.peer.received(), [0, 1, 2, 3, 4, 5, 1, 4, 6, 7]);
    assert_eq!(stage.books().resent, 2);
    stage.peer.always([Step::AcknowledgeAll]);
    stage.guard.close().unwrap();
    assert_eq!(stage.handle.metrics().outputs[0].written.total(), 8);
}

#[test]
fn promise_40_after_an_error_what_is_in_flight_is_sent_again() {
    for end in [End::Retry, End::Panic] {
        let stage = Stage::new(silent());
        stage.log(0..5);
        stage.until("all to be in flight", |books| books.in_flight.total() == 5);
        stage.peer.then([Step::Acknowledge(vec![1]), Step::End(end)]);
        stage.peer.wake();
        stage.until("them to be sent again", |books| books.resent == 4);
        assert_eq!(stage.peer.received(), [0, 1, 2, 3, 4, 0, 2, 3, 4], "{end:?}");
        stage.peer.always([Step::AcknowledgeAll]);
        stage.guard.close().unwrap();
        let books = &stage.handle.metrics().outputs[0];
        assert_eq!((books.written.total(), books.dropped.total(), books.resent), (5, 0, 4));
    }
}

#[test]
fn promise_40_a_line_handed_over_in_part_is_sent_whole_after_an_error() {
    let peer = Peer::default();
    peer.then([Step::HandOverBytes(30), Step::End(End::Later(600_000))]);
    let stage = Stage::new(peer);
    stage.log(0..3);
    until("a call", || stage.peer.calls() > 0);
    assert_eq!(stage.books().in_flight.total(), 0, "only whole lines are in flight");
    stage.peer.then([Step::GiveBackAll, Step::End(End::Retry)]);
    stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
    stage.peer.wake();
    stage.until("all", |books| books.written.total() == 3);
    assert_eq!(stage.peer.received(), [0, 1, 2]);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_memory_stays_within_the_budget_of_a_peer_that_never_acknowledges() {
    for max_bytes in [16 << 10, 256 << 10, 2 << 20] {
        let stage = Stage::of(silent(), |output| output.queue_bytes(max_bytes));
        for round in 0..40 {
            stage.log(round * 1_000..round * 1_000 + 1_000);
            let books = stage.books();
            // A chunk is rendered before it is accounted for.
            assert!(books.queued_bytes <= books.max_queued_bytes / 8 * 9, "{books:#?}");
        }
        let books = stage.books();
        assert!(max_bytes > 1 << 20 || books.dropped.total() > 0, "it is full");
        assert!(books.in_flight.total() > 0);
        stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
        stage.peer.wake();
        stage.handle.flush(PATIENCE).unwrap();
        let books = stage.books();
        assert_eq!((books.queued.total(), books.in_flight.total(), books.queued_bytes), (0, 0, 0));
        let mut received = stage.peer.received();
        received.dedup();
        assert_eq!(received.len() as u64, books.written.total());
        assert!(received.is_sorted());
        stage.guard.close().unwrap();
    }
}

#[test]
fn promise_40_the_end_keeps_its_deadline_with_a_peer_that_never_acknowledges() {
    let stage = Stage::new(silent());
    stage.log(0..100);
    let begun = Instant::now();
    assert_eq!(stage.guard.close().unwrap_err().unwritten_lines(), Some(100));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let books = crate::sinks::peer::balanced(&stage.handle.metrics());
    assert_eq!((books.dropped.reason(Reason::Shutdown).total(), books.in_flight.total()), (100, 0));
}

/// 30 acknowledgements, one each 50 ms, with a timeout of 500 ms.
#[test]
fn promise_40_the_end_waits_while_acknowledgements_come() {
    let stage = Stage::new(silent());
    stage.log(0..30);
    stage.until("all to be in flight", |books| books.in_flight.total() == 30);
    stage.peer.always([Step::Acknowledge(vec![0]), Step::End(End::Later(50))]);
    stage.guard.close().unwrap();
    let books = crate::sinks::peer::balanced(&stage.handle.metrics());
    assert_eq!((books.written.total(), books.dropped.total()), (30, 0));
    let controls = stage.peer.with(|state| state.controls.clone());
    assert!(controls.contains(&Control::Flush) && controls.ends_with(&[Control::Close]), "{controls:?}");
}

#[test]
fn a_flush_waits_for_acknowledgements_and_for_no_newer_line() {
    let stage = Stage::new(silent());
    stage.log(0..10);
    stage.until("all to be in flight", |books| books.in_flight.total() == 10);
    let peer = stage.peer.clone();
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| stage.handle.flush(PATIENCE));
        until("the sink to be told", || peer.with(|state| state.controls.contains(&Control::Flush)));
        stage.log(10..20);
        stage.until("newer lines to be in flight", |books| books.in_flight.total() == 20);
        assert!(!flushed.is_finished());
        peer.then([Step::Acknowledge((0..10).collect())]);
        peer.wake();
        flushed.join().unwrap().unwrap();
    });
    assert_eq!(stage.books().in_flight.total(), 10);
    assert!(stage.handle.flush(Duration::from_millis(50)).unwrap_err().is_timeout());
    stage.handle.reopen(PATIENCE).unwrap();
    stage.peer.always([Step::AcknowledgeAll]);
    stage.guard.close().unwrap();
}

#[test]
fn a_synchronous_call_returns_when_its_line_is_acknowledged() {
    let peer = silent();
    peer.always([Step::AcknowledgeAll, Step::HandOver(usize::MAX), Step::End(End::Later(5))]);
    let stage = Stage::of(peer, |output| output.synchronous(PATIENCE));
    for seq in 0..10 {
        stage.log(seq..seq + 1);
        let books = stage.books();
        assert_eq!((books.written.total(), books.in_flight.total(), books.overdue), (seq + 1, 0, 0));
    }
    stage.guard.close().unwrap();
}

#[test]
fn a_line_after_the_end_waits_for_its_acknowledgement() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::AcknowledgeAll, Step::HandOver(usize::MAX), Step::End(End::Later(5))]);
    let Stage { peer, dispatch, guard, handle } = stage;
    guard.close().unwrap();
    crate::support::faults::within(&dispatch, || crate::support::ledger::log(tracing::Level::INFO, 0, 7));
    let books = crate::sinks::peer::balanced(&handle.metrics());
    assert_eq!((books.written.total(), peer.received()), (1, vec![7]));
}
