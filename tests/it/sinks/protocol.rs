//! What a sink can ask for and how it may fail: later, batches, rejected lines, closed and reopened, open later.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::{Control, Lines, Memory, Next, Sink};
use spanline::{Error, Handle, Output};

use crate::sinks::peer::{End, Peer, Stage, Step, balanced};
use crate::support::faults::{Faulty, built, within};
use crate::support::ledger::{LEVELS, log};
use crate::support::wait::{PATIENCE, until};

#[test]
fn a_sink_is_called_at_the_time_it_asked_for_without_lines() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::Write(usize::MAX), Step::End(End::Later(10))]);
    stage.log(0..1);
    until("more calls than lines", || stage.peer.calls() > 10);
    stage.peer.always([Step::Write(usize::MAX)]);
    stage.guard.close().unwrap();
    assert_eq!(stage.handle.metrics().outputs[0].written.total(), 1);
}

#[test]
fn a_sink_that_wants_lines_later_is_not_called_before() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::End(End::Later(600_000))]);
    stage.log(0..5);
    until("a call", || stage.peer.calls() == 1);
    stage.log(5..10);
    std::thread::sleep(Duration::from_millis(50));
    assert!(stage.peer.calls() <= 1, "lines alone do not change its mind");
    assert_eq!(stage.books().queued.total(), 10);
    stage.peer.always([Step::Write(usize::MAX)]);
    stage.handle.flush(PATIENCE).unwrap();
    assert_eq!(stage.books().written.total(), 10);
    stage.guard.close().unwrap();
}

#[test]
fn batches_are_as_large_as_the_sink_wants_and_linger() {
    let peer = Peer::default();
    peer.with(|state| state.batch = Some((10, usize::MAX, Duration::from_secs(600))));
    peer.always([Step::Write(usize::MAX)]);
    let stage = Stage::new(peer);
    stage.log(0..25);
    stage.until("two full batches", |books| books.written.total() == 20);
    assert_eq!(stage.books().queued.total(), 5, "the rest waits for a full batch");
    stage.handle.flush(PATIENCE).unwrap();
    assert_eq!(stage.books().written.total(), 25, "a flush does not wait");
    let offers = stage.peer.with(|state| state.offers.clone());
    assert!(offers.iter().all(|(lines, _)| *lines <= 10), "{offers:?}");
    stage.guard.close().unwrap();
}

#[test]
fn a_lingering_batch_is_offered_by_age() {
    let peer = Peer::default();
    peer.with(|state| state.batch = Some((usize::MAX, 200, Duration::from_millis(20))));
    peer.always([Step::Write(usize::MAX)]);
    let stage = Stage::new(peer);
    stage.log(0..3);
    stage.until("all", |books| books.written.total() == 3);
    let offers = stage.peer.with(|state| state.offers.clone());
    assert!(offers.iter().all(|(lines, bytes)| *lines == 1 || *bytes <= 200), "{offers:?}");
    stage.guard.close().unwrap();
}

/// Refuses each offer that has a certain line in it.
fn allergic(memory: Memory, bad: u64) -> impl Sink {
    move |lines: &mut Lines| {
        let bad = format!("\"seq\":{bad},");
        if String::from_utf8_lossy(lines.as_bytes()).contains(&bad) {
            return Err(Error::rejected("bad line"));
        }
        memory.clone().write(lines)
    }
}

#[test]
fn promise_40_a_line_that_the_sink_rejects_is_found_and_dropped_alone() {
    let memory = Memory::new();
    let builder = spanline::builder().service("s").on_complaint(|_| {}).filter("trace");
    let (dispatch, guard) = built(builder.output(Output::new(allergic(memory, 777)).name("out")));
    within(&dispatch, || (0..1_000).for_each(|seq| log(tracing::Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (999, 1));
    assert_eq!(books.last_error.as_deref(), Some("bad line"));
}

#[test]
fn promise_40_a_line_that_is_rejected_by_name_is_dropped_alone() {
    let peer = Peer::default();
    // The first call gets all lines.
    peer.with(|state| state.batch = Some((6, usize::MAX, Duration::from_secs(600))));
    peer.then([Step::HandOver(3), Step::Reject(1), Step::RejectOffered(1), Step::AcknowledgeAll]);
    peer.always([Step::Write(usize::MAX)]);
    let stage = Stage::of(peer, |output| output);
    stage.log(0..6);
    let is_over = |books: &OutputMetrics| books.written.total() + books.dropped.total() == 6;
    stage.until("all", |books| is_over(books) && books.last_error.is_some());
    let books = stage.books();
    assert_eq!(books.dropped.reason(Reason::Rejected).total(), 2, "{books:#?}");
    assert_eq!(books.last_error.as_deref(), Some("refused by name"));
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_a_batch_in_flight_that_is_rejected_as_a_whole_is_halved() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::HandOver(usize::MAX), Step::End(End::Rejected)]);
    stage.log(0..8);
    stage.until("all to be dropped, one after the other", |books| books.dropped.total() == 8);
    let books = stage.books();
    assert_eq!((books.in_flight.total(), books.dropped.reason(Reason::Rejected).total()), (0, 8));
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_reopen_revives_a_sink_that_has_ended() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::HandOver(1), Step::End(End::Closed)]);
    stage.log(0..10);
    stage.until("all to be lost", |books| books.dropped.reason(Reason::Closed).total() == 10);
    stage.log(10..20);
    assert_eq!(stage.books().dropped.reason(Reason::Closed).total(), 20);
    stage.peer.always([Step::Write(usize::MAX)]);
    stage.handle.reopen(PATIENCE).unwrap();
    stage.log(20..30);
    stage.handle.flush(PATIENCE).unwrap();
    assert_eq!(stage.books().written.total(), 10);
    stage.guard.close().unwrap();
}

#[test]
fn a_broken_pipe_is_tried_again() {
    let file = Faulty::new();
    file.then([crate::support::faults::Fault::Broken; 3]);
    let writer = spanline::sink::Writer::new(file);
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(writer)));
    within(&dispatch, || log(tracing::Level::INFO, 0, 0));
    let handle = guard.handle();
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), books.retries), (1, 3));
}

#[test]
fn a_sink_that_cannot_connect_at_the_start_is_opened_later() {
    let peer = Peer::default();
    peer.with(|state| state.open_failures = 3);
    peer.always([Step::Write(usize::MAX)]);
    let stage = Stage::new(peer);
    stage.log(0..10);
    stage.handle.flush(PATIENCE).unwrap();
    assert_eq!(stage.books().written.total(), 10);
    let opened = stage.peer.with(|state| state.controls.iter().filter(|control| **control == Control::Open).count());
    assert_eq!(opened, 4);
    stage.guard.close().unwrap();
}

#[test]
fn a_sink_that_can_never_open_fails_the_start() {
    struct Never;
    impl Sink for Never {
        fn write(&mut self, _: &mut Lines) -> Result<Next, Error> {
            Ok(Next::Done)
        }

        fn control(&mut self, _: Control) -> Result<(), Error> {
            Err(Error::closed("no such place"))
        }
    }
    let built = spanline::builder().output(Output::new(Never)).build::<tracing_subscriber::Registry>();
    assert!(built.err().unwrap().to_string().contains("no such place"));
}

#[test]
fn a_loop_over_the_first_line_compiles_and_a_boxed_closure_is_a_sink() {
    let memory = Memory::new();
    let mut into = memory.clone();
    let boxed: Box<dyn Sink> = Box::new(move |lines: &mut Lines| {
        while let Some(line) = lines.iter().next() {
            assert!(line.target.is_some() && line.id > 0);
            let mut one = Lines::default();
            one.push_line(line.bytes, line.level, line.time);
            into.write(&mut one)?;
            lines.advance(line.bytes.len());
        }
        assert!(lines.first().is_none());
        Ok(Next::Done)
    });
    let (dispatch, guard) = built(spanline::builder().output(Output::new(boxed)));
    within(&dispatch, || (0..5).for_each(|seq| log(tracing::Level::INFO, 0, seq)));
    guard.close().unwrap();
    assert_eq!(memory.lines().len(), 5);
}

fn step() -> impl Strategy<Value = Step> {
    let places = || prop::collection::vec(0..12_usize, 1..5);
    let end = prop::sample::select(vec![
        End::Done,
        End::More,
        End::Later(0),
        End::Later(1),
        End::Retry,
        End::Rejected,
        End::Panic,
        End::Done,
    ]);
    prop_oneof![
        4 => (1..20_usize).prop_map(Step::HandOver),
        2 => (1..300_usize).prop_map(Step::HandOverBytes),
        2 => (1..20_usize).prop_map(Step::Write),
        1 => (1..300_usize).prop_map(Step::WriteBytes),
        3 => places().prop_map(Step::Acknowledge),
        1 => Just(Step::AcknowledgeAll),
        2 => places().prop_map(Step::GiveBack),
        1 => Just(Step::GiveBackAll),
        1 => (0..8_usize).prop_map(Step::Reject),
        1 => (0..8_usize).prop_map(Step::RejectOffered),
        1 => (1..8_usize).prop_map(Step::Spool),
        1 => any::<bool>().prop_map(Step::Unspool),
        1 => (0..5_usize, 0..5_u64).prop_map(|(level, count)| Step::TakeOver(LEVELS[level], count)),
        4 => end.prop_map(Step::End),
    ]
}

/// Whether the peer gets lines in pieces, which it does not put together when others come between.
fn takes_parts(step: &Step) -> bool {
    matches!(step, Step::HandOverBytes(_) | Step::WriteBytes(_))
}

fn play(queue_bytes: u64, rounds: &[(Vec<Step>, u64)]) {
    let stage = Stage::of(Peer::default(), |output| output.queue_bytes(queue_bytes));
    stage.peer.always([Step::AcknowledgeAll, Step::Write(usize::MAX), Step::Unspool(true)]);
    let mut next = 0;
    for (steps, lines) in rounds {
        stage.peer.then(steps.iter().cloned());
        stage.log(next..next + lines);
        next += lines;
        stage.peer.wake();
        stage.books();
    }
    stage.handle.flush(PATIENCE).unwrap();
    // A step that takes lines over while the log closes would leave them in the spool.
    stage.peer.end_script();
    until("the spool to be empty", || {
        stage.peer.wake();
        stage.books().spooled.total() == 0
    });
    let Stage { peer, guard, handle, .. } = stage;
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    let left = books.queued.total() + books.in_flight.total() + books.spooled.total();
    assert_eq!((left, books.emitted.total()), (0, next), "{books:#?}");
    let come = next + books.taken_over.total();
    assert_eq!(books.written.total() + books.dropped.total(), come, "each line is written, or counted: {books:#?}");
    if !rounds.iter().flat_map(|(steps, _)| steps).any(takes_parts) {
        let mut received = peer.received();
        received.sort_unstable();
        received.dedup();
        assert!(received.len() as u64 + books.dropped.total() >= next, "each line is there, or counted: {books:#?}");
    }
}

#[test]
fn promise_40_any_script_of_a_sink_keeps_the_books_balanced_and_delivers_each_line() {
    let cases = std::env::var("SPANLINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let round = (prop::collection::vec(step(), 0..12), 0..40_u64);
    let strategy = (prop::sample::select(vec![4 << 10, 16 << 10, 1 << 20]), prop::collection::vec(round, 1..6));
    runner
        .run(&strategy, |(max_bytes, rounds)| {
            play(max_bytes, &rounds);
            Ok(())
        })
        .unwrap();
}

/// Carries out no order.
struct Refuses(Memory);

impl Sink for Refuses {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Rotate | Control::Reopen | Control::Sync => Err(Error::retry(format!("no {control:?}"))),
            _ => Ok(()),
        }
    }
}

#[test]
fn promise_54_the_error_of_a_failed_order_is_the_last_error() {
    let (_dispatch, guard) =
        built(spanline::builder().on_complaint(|_| {}).output(Output::new(Refuses(Memory::new()))));
    let handle = guard.handle();
    let last_error = || handle.metrics().outputs[0].last_error.clone();
    assert_eq!(last_error(), None);
    for (order, error) in
        [(Handle::rotate as fn(&_, _) -> _, "no Rotate"), (Handle::reopen, "no Reopen"), (Handle::sync, "no Sync")]
    {
        assert!(order(&handle, PATIENCE).unwrap_err().to_string().contains(error));
        assert_eq!(last_error().as_deref(), Some(error));
    }
    handle.flush(PATIENCE).unwrap();
    assert_eq!(last_error().as_deref(), Some("no Sync"), "it stays");
}
