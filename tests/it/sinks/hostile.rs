//! Promise 40: a sink that misbehaves does not use up a core, hang a thread or unbalance the books.

use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::record::Timestamp;
use spanline::sink::{Async, AsyncSink, Batch, Control, Lines, Memory, Next, Sink};
use spanline::{Error, Output};
use tracing::Level;

use crate::sinks::peer::{End, Peer, Stage, Step, balanced};
use crate::support::faults::{built, within};
use crate::support::ledger::log;
use crate::support::wait::{PATIENCE, until};

/// How often the sink is called in 300 ms.
fn calls(stage: &Stage) -> u64 {
    let before = stage.peer.calls();
    std::thread::sleep(Duration::from_millis(300));
    stage.peer.calls() - before
}

#[test]
fn promise_40_lines_on_which_a_sink_panics_after_handing_them_over_are_given_up() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::HandOver(usize::MAX), Step::End(End::Panic)]);
    stage.log(0..5);
    stage.until("all to be given up", |books| books.dropped.reason(Reason::Panicked).total() == 5);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_pauses_grow_while_lines_are_handed_over_and_given_back() {
    let stage = Stage::new(Peer::default());
    stage.peer.always([Step::HandOver(usize::MAX), Step::End(End::Retry)]);
    stage.log(0..5);
    until("a call", || stage.peer.calls() > 0);
    let calls = calls(&stage);
    assert!(calls < 20, "{calls} calls");
    stage.peer.always([Step::HandOver(usize::MAX), Step::AcknowledgeAll]);
    stage.until("all", |books| books.written.total() == 5);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_a_sink_that_asks_to_be_called_at_once_and_does_nothing_uses_no_core() {
    let stage = Stage::new(Peer::default());
    stage.log(0..5);
    for end in [End::Later(0), End::More] {
        stage.peer.always([Step::GiveBackAll, Step::HandOver(usize::MAX), Step::End(end)]);
        stage.peer.wake();
        until("a call", || stage.peer.calls() > 0);
        let calls = calls(&stage);
        assert!((1..=320).contains(&calls), "{end:?}: {calls} calls");
    }
    stage.peer.always([Step::AcknowledgeAll, Step::Write(usize::MAX)]);
    stage.until("all", |books| books.written.total() == 5);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_reopen_reaches_a_sink_whose_lines_in_flight_fill_the_queue() {
    let stage = Stage::of(Peer::default(), |output| output.queue_bytes(64 << 10));
    stage.peer.always([Step::HandOver(usize::MAX)]);
    let mut seq = 0;
    while stage.books().dropped.total() < 1_000 {
        stage.log(seq..seq + 100);
        seq += 100;
        assert!(stage.books().queued_bytes <= 72 << 10, "{:#?}", stage.books());
        std::thread::sleep(Duration::from_millis(2));
    }
    stage.handle.reopen(PATIENCE).unwrap();
    assert!(stage.peer.with(|state| state.controls.contains(&Control::Reopen)));
    stage.peer.always([Step::GiveBackAll, Step::Write(usize::MAX)]);
    stage.peer.wake();
    stage.until("the rest", |books| books.in_flight.total() + books.queued.total() == 0);
    stage.guard.close().unwrap();
}

#[test]
fn promise_40_reopen_and_flush_reach_a_sink_that_takes_no_lines() {
    for end in [End::Retry, End::Later(600_000)] {
        let stage = Stage::new(Peer::default());
        stage.peer.always([Step::End(end)]);
        stage.log(0..5);
        for _ in 0..3 {
            until("a call", || stage.peer.calls() > 0);
            // It is called at once, too.
            let calls = stage.peer.calls();
            stage.handle.reopen(PATIENCE).unwrap();
            assert!(stage.peer.with(|state| state.controls.contains(&Control::Reopen)), "{end:?}");
            until("another call", || stage.peer.calls() > calls);
        }
        stage.peer.always([Step::End(End::Later(600_000))]);
        stage.handle.reopen(PATIENCE).unwrap();
        stage.peer.with(|state| state.controls.clear());
        let calls = stage.peer.calls();
        assert!(stage.handle.flush(Duration::from_millis(50)).is_err());
        until("a flush", || stage.peer.with(|state| state.controls.contains(&Control::Flush)));
        until("another call", || stage.peer.calls() > calls);
        stage.peer.always([Step::Write(usize::MAX)]);
        stage.handle.reopen(PATIENCE).unwrap();
        stage.handle.flush(PATIENCE).unwrap();
        stage.until("all", |books| books.written.total() == 5);
        stage.guard.close().unwrap();
    }
}

#[test]
fn promise_40_a_late_line_that_is_handed_over_again_and_again_does_not_hold_its_thread() {
    for end in [End::Retry, End::Later(1)] {
        let stage = Stage::new(Peer::default());
        stage.guard.close().unwrap();
        stage.peer.always([Step::GiveBackAll, Step::HandOver(usize::MAX), Step::End(end)]);
        let begun = Instant::now();
        within(&stage.dispatch, || log(Level::INFO, 0, 1));
        assert!(begun.elapsed() < PATIENCE / 2, "{end:?}: {:?}", begun.elapsed());
        assert_eq!(balanced(&stage.handle.metrics()).dropped.total(), 1);
    }
}

#[test]
fn promise_40_ids_that_are_not_in_flight_change_nothing() {
    let mut lines = Lines::default();
    for _ in 0..3 {
        lines.push_line(b"0123456789\n", Level::INFO, Timestamp::from_nanos(1));
    }
    lines.hand_over(11 + 4);
    let rest = |lines: &Lines| lines.first().map(|line| (line.id, line.bytes.to_vec()));
    lines.give_back(99..);
    lines.give_back(..1);
    #[expect(clippy::reversed_empty_ranges, reason = "a sink may do so")]
    lines.acknowledge(7..3);
    lines.acknowledge(u64::MAX..);
    assert_eq!((lines.in_flight(), rest(&lines)), (1, Some((2, b"456789\n".to_vec()))));
    lines.give_back(2..=2);
    assert_eq!((lines.in_flight(), rest(&lines)), (1, Some((2, b"0123456789\n".to_vec()))));
}

#[test]
fn promise_40_a_spool_cannot_count_more_lines_than_it_has() {
    let sink: Box<dyn Sink> = Box::new(|lines: &mut Lines| -> Result<Next, Error> {
        lines.take_over(Level::INFO, 2);
        lines.spooled_written(Level::INFO, 5, 10);
        lines.spooled_dropped(Reason::Rejected, Level::INFO, 5, Timestamp::from_nanos(1));
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    });
    let (dispatch, guard) = built(spanline::builder().output(Output::new(sink)));
    within(&dispatch, || log(Level::INFO, 0, 1));
    let handle = guard.handle();
    handle.flush(PATIENCE).unwrap();
    assert_eq!(balanced(&handle.metrics()).written.total(), 3);
    guard.close().unwrap();
}

/// Never answers on its first connection.
struct Hanging {
    memory: Memory,
    is_reopened: bool,
}

impl AsyncSink for Hanging {
    fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let (mut memory, answers) = (self.memory.clone(), self.is_reopened);
        async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            let mut lines = Lines::default();
            lines.push_line(&batch.bytes, Level::INFO, Timestamp::from_nanos(0));
            memory.write(&mut lines).map(drop)
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.is_reopened |= control == Control::Reopen;
        Ok(())
    }
}

#[test]
fn promise_40_reopen_frees_an_async_sink_whose_future_hangs() {
    let memory = Memory::new();
    let hanging = Hanging { memory: memory.clone(), is_reopened: false };
    let (dispatch, guard) = built(spanline::builder().output(Output::new(Async::new(hanging))));
    let handle = guard.handle();
    within(&dispatch, || (0..5).for_each(|seq| log(Level::INFO, 0, seq)));
    until("lines in flight", || handle.metrics().outputs[0].in_flight.total() == 5);
    handle.reopen(PATIENCE).unwrap();
    handle.flush(PATIENCE).unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), books.resent, memory.lines().len()), (5, 5, 5));
    guard.close().unwrap();
}

#[test]
fn promise_40_a_sink_that_always_has_more_to_do_holds_up_neither_lines_nor_orders() {
    let memory = Memory::new();
    let mut into = memory.clone();
    let sink: Box<dyn Sink> = Box::new(move |lines: &mut Lines| -> Result<Next, Error> {
        into.write(lines)?;
        // One more line of an endless spool.
        lines.take_over(Level::INFO, 1);
        lines.spooled_written(Level::INFO, 1, 10);
        Ok(Next::More)
    });
    let (dispatch, guard) = built(spanline::builder().output(Output::new(sink)));
    within(&dispatch, || (0..5).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    handle.flush(PATIENCE).unwrap();
    within(&dispatch, || log(Level::INFO, 0, 5));
    handle.flush(PATIENCE).unwrap();
    assert_eq!(memory.lines().len(), 6);
    guard.close().unwrap();
}
