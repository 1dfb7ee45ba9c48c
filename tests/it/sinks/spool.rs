//! Promise 40: the books of a sink that keeps lines on disk, and of lines that an earlier process left there.

use std::time::Duration;

use spanline::metrics::Reason;
use tracing::Level;

use crate::sinks::peer::{End, Peer, Stage, Step, balanced};
use crate::support::ledger::LEVELS;
use crate::support::wait::PATIENCE;

#[test]
fn a_spool_takes_lines_out_of_memory_and_keeps_the_books() {
    let peer = Peer::default();
    peer.always([Step::Spool(usize::MAX)]);
    let stage = Stage::new(peer);
    stage.log(0..50);
    // Their memory is free once the worker has left the batch, a moment after the sink has counted them.
    stage.until("all to be on disk", |books| books.spooled.total() == 50 && books.queued_bytes == 0);
    let books = stage.books();
    assert_eq!((books.written.total(), books.queued.total()), (0, 0));
    stage.handle.flush(PATIENCE).unwrap();
    stage.peer.then([Step::Unspool(true)]);
    stage.peer.wake();
    stage.until("them to be written", |books| books.written.total() == 50 && books.spooled.total() == 0);
    stage.log(50..60);
    stage.until("the others", |books| books.spooled.total() == 10);
    stage.peer.then([Step::Unspool(false)]);
    stage.peer.wake();
    stage.until("them to be lost", |books| books.dropped.total() == 10);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_lines_that_an_earlier_process_left_count_as_taken_over_until_they_are_written_or_dropped() {
    let peer = Peer::default();
    // The first call gets all lines.
    peer.with(|state| state.batch = Some((5, usize::MAX, Duration::from_secs(600))));
    let stage = Stage::new(peer);
    // A line of each level is in the way of the lines that are taken over.
    stage.peer.then([Step::Spool(2), Step::TakeOver(Level::WARN, 7), Step::TakeOver(Level::INFO, 3)]);
    stage.peer.always([Step::Write(usize::MAX), Step::End(End::Later(600_000))]);
    stage.log(0..5);
    stage.until("all to be written or on disk", |books| books.written.total() + books.spooled.total() == 15);
    let books = stage.books();
    assert_eq!((books.emitted.total(), books.taken_over.total(), books.spooled.total()), (5, 10, 12));
    assert_eq!((books.taken_over.level(Level::WARN), books.taken_over.level(Level::INFO)), (7, 3));
    assert_eq!((books.queued.total(), books.in_flight.total(), books.resent), (0, 0, 0));

    stage.peer.then([Step::Unspool(true), Step::TakeOver(Level::ERROR, 4)]);
    stage.peer.wake();
    stage.until("them to be written", |books| books.written.total() == 15);
    stage.until("more", |books| books.taken_over.total() == 14);
    assert_eq!(stage.books().spooled.total(), 4);

    stage.peer.then([Step::Unspool(false)]);
    stage.peer.wake();
    stage.until("them to be lost", |books| books.dropped.reason(Reason::Rejected).level(Level::ERROR) == 4);
    stage.guard.close().unwrap();
    let books = balanced(&stage.handle.metrics());
    assert_eq!((books.written.total(), books.taken_over.total(), books.spooled.total()), (15, 14, 0));
}

/// What stays on disk is neither queued nor lost: the next process takes it over.
#[test]
fn promise_40_lines_left_in_a_spool_delay_no_end_and_are_not_dropped() {
    let stage = Stage::new(Peer::default());
    stage.peer.then(LEVELS.map(|level| Step::TakeOver(level, 1_000)));
    stage.peer.always([Step::Spool(usize::MAX)]);
    stage.log(0..10);
    stage.handle.flush(PATIENCE).unwrap();
    stage.guard.close().unwrap();
    let books = balanced(&stage.handle.metrics());
    assert_eq!((books.spooled.total(), books.written.total(), books.dropped.total()), (5_010, 0, 0));
}

/// The books are read on other threads while the sink changes them.
#[test]
fn promise_40_the_books_balance_while_lines_are_taken_over() {
    let stage = Stage::new(Peer::default());
    let round = LEVELS.into_iter().flat_map(|level| [Step::TakeOver(level, 3), Step::Unspool(true)]);
    let round: Vec<_> = round.chain([Step::Spool(1), Step::HandOver(2), Step::AcknowledgeAll]).collect();
    stage.peer.always([round, vec![Step::Write(usize::MAX), Step::Unspool(false), Step::End(End::Later(1))]].concat());
    for start in (0..2_000).step_by(10) {
        stage.log(start..start + 10);
        stage.books();
    }
    stage.handle.flush(PATIENCE).unwrap();
    let books = stage.books();
    assert!(books.taken_over.total() > 0 && books.emitted.total() == 2_000, "{books:#?}");
    stage.peer.always([Step::Write(usize::MAX)]);
    stage.guard.close().unwrap();
    balanced(&stage.handle.metrics());
}
