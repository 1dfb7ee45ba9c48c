//! What is lost when there is no room or the sink fails for good, and how the log tells it itself.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use spanline::metrics::{OutputMetrics, Reason};
use spanline::record::{Record, Timestamp, Value};
use spanline::schema::Schema;
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Error, Output, Overflow};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::faults::{
    Acts, Complaints, Fault, Faulty, Taken, built, ends_at_broken_pipe, panic_quietly, sink, within,
};
use crate::support::ledger::{LEVELS, Line, all_told, balance, in_order, log, read};
use crate::support::wait::{PATIENCE, until};

#[test]
fn promise_02_the_notice_has_count_reason_and_period() {
    let now = Arc::new(AtomicI64::new(0));
    let (clock, file) = (Arc::clone(&now), Faulty::gated());
    let output = Output::new(Writer::new(file.clone())).overflow(Overflow::DropNewest).queue_bytes(16 << 10);
    let builder = spanline::builder().clock(move || Timestamp::from_nanos(clock.load(Ordering::Relaxed)));
    let (dispatch, guard) = built(builder.output(output));
    let handle = guard.handle();
    let mut told_before = 0;
    for episode in 1..=3_i64 {
        let at = |seq: u64| episode * 1_000_000_000 + seq as i64 * 1_000;
        within(&dispatch, || {
            for seq in 0..1_000 {
                now.store(at(seq), Ordering::Relaxed);
                log(Level::INFO, 0, seq);
            }
        });
        file.gate.open();
        handle.flush(PATIENCE).unwrap();
        handle.flush(PATIENCE).unwrap();
        file.gate.close();
        let text = file.text();
        let (notices, lines): (Vec<_>, Vec<_>) = read(&text[told_before..]).into_iter().partition(Line::is_notice);
        told_before = text.len();
        let kept = lines.len() as u64;
        assert!(kept < 1_000, "the queue is too large for this test");
        assert_eq!(lines.last().unwrap().seq, kept - 1, "the newest are dropped");
        let [notice] = &notices[..] else { panic!("one line for an episode, not {notices:#?}") };
        assert_eq!(
            (notice.dropped, notice.reason.as_str(), notice.level.as_str()),
            (1_000 - kept, "queue_full", "WARN")
        );
        assert_eq!(notice.first, Timestamp::from_nanos(at(kept)).to_string());
        assert_eq!(notice.last, Timestamp::from_nanos(at(999)).to_string());
    }
    file.gate.open();
    guard.close().unwrap();
    all_told(&handle.metrics().outputs[0], &file.text());
}

#[test]
fn promise_02_a_loss_in_the_last_batch_is_told_before_the_end() {
    let taken = Taken::default();
    let into = taken.clone();
    let picky = sink(move |lines: &mut Lines| {
        let first = lines.iter().next().map(|line| String::from_utf8_lossy(line.bytes).into_owned());
        if first.is_some_and(|line| line.contains("\"seq\":")) {
            return Err(Error::rejected("no such lines"));
        }
        into.all(lines);
        Ok(())
    });
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(picky)));
    let handle = guard.handle();
    within(&dispatch, || (0..3).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(output.dropped.reason(Reason::Rejected).total(), 3);
    all_told(output, &taken.text());
    assert_eq!(balance(output, &taken.text()).len(), 0);
}

#[test]
fn promise_02_a_notice_alone_is_flushed_too() {
    let file = Faulty::gated();
    let buffered = std::io::BufWriter::with_capacity(1 << 20, file.clone());
    let output = Output::new(Writer::new(buffered)).overflow(Overflow::DropNewest).queue_bytes(8 << 10);
    let (dispatch, guard) = built(spanline::builder().output(output));
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    file.gate.open();
    until("the notice, which nothing follows", || file.text().contains("queue_full"));
    drop(guard);
}

/// Logs at one level until a line is refused; how many were taken, and the counters then.
fn fill(dispatch: &Dispatch, handle: &spanline::Handle, level: Level) -> (u64, OutputMetrics) {
    let dropped = || handle.metrics().dropped();
    let before = dropped();
    let mut taken = 0;
    within(dispatch, || {
        while dropped() == before {
            log(level, 0, taken);
            taken += 1;
        }
    });
    (taken - 1, handle.metrics().outputs[0].clone())
}

#[test]
fn shed_refuses_the_less_important_first() {
    const MAX: u64 = 64 << 10;
    let file = Faulty::gated();
    let output = Output::new(Writer::new(file.clone())).queue_bytes(MAX);
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(output));
    let handle = guard.handle();
    let mut taken_in_all = 0;
    let limits = [(Level::TRACE, MAX / 2), (Level::DEBUG, MAX / 2), (Level::INFO, MAX / 5 * 4), (Level::WARN, MAX)];
    for (level, limit) in limits {
        let (taken, output) = fill(&dispatch, &handle, level);
        taken_in_all += taken;
        assert_eq!(taken == 0, level == Level::DEBUG, "TRACE and DEBUG have the same limit");
        let line = output.queued_bytes / taken_in_all;
        assert!(output.queued_bytes <= limit && output.queued_bytes + 2 * line > limit, "{level}: {output:#?}");
        let reason = if level == Level::WARN { Reason::QueueFull } else { Reason::Shed };
        assert_eq!(output.dropped.reason(reason).level(level), 1, "{output:#?}");
    }
    let (taken, output) = fill(&dispatch, &handle, Level::ERROR);
    assert_eq!((taken, output.dropped.reason(Reason::QueueFull).level(Level::ERROR)), (0, 1));
    let (_, output) = fill(&dispatch, &handle, Level::TRACE);
    assert_eq!(output.dropped.reason(Reason::Shed).total(), 3, "a full queue is full for all: {output:#?}");
    file.gate.open();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    in_order(&balance(output, &file.text()).into_iter().filter(|line| line.level == "WARN").collect::<Vec<_>>());
    all_told(output, &file.text());
}

#[test]
fn drop_newest_ignores_levels() {
    let file = Faulty::gated();
    let output = Output::new(Writer::new(file.clone())).queue_bytes(64 << 10).overflow(Overflow::DropNewest);
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(output));
    let handle = guard.handle();
    let (taken, output) = fill(&dispatch, &handle, Level::TRACE);
    assert!(output.queued_bytes + 2 * output.queued_bytes / taken > 64 << 10, "{output:#?}");
    for level in LEVELS {
        assert_eq!(fill(&dispatch, &handle, level).0, 0, "{level}");
    }
    assert_eq!(handle.metrics().outputs[0].dropped.reason(Reason::QueueFull).total(), 6);
    file.gate.open();
    guard.close().unwrap();
    balance(&handle.metrics().outputs[0], &file.text());
}

#[test]
fn a_record_above_the_budget_is_counted_as_too_large() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).queue_bytes(8 << 10).overflow(Overflow::Block { max_wait: PATIENCE });
    let (appender, guard) = output.appender().unwrap();
    let handle = guard.handle();
    for bytes in [100, 9 << 10, 100] {
        appender.make_writer().write_all(&vec![b'x'; bytes]).unwrap();
    }
    until("the notice, without a flush", || memory.text().contains("too_large"));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!((output.written.total(), output.dropped.reason(Reason::TooLarge).level(Level::INFO)), (2, 1));
}

#[test]
fn a_queue_of_the_smallest_size_still_delivers() {
    let memory = Memory::new();
    let (dispatch, guard) =
        built(spanline::builder().filter("trace").output(Output::new(memory.clone()).queue_bytes(4 << 10)));
    let handle = guard.handle();
    let large = "x".repeat(100_000);
    within(&dispatch, || {
        for seq in 0..200 {
            let span = tracing::info_span!("large", large);
            span.in_scope(|| tracing::trace!(seq, large, "line"));
            handle.flush(PATIENCE).unwrap();
        }
    });
    guard.close().unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &memory.text())), 200);
}

#[test]
fn promise_15_a_sink_that_panics_continues_with_the_remaining_lines() {
    let (taken, mut calls) = (Taken::default(), 0);
    let into = taken.clone();
    let clumsy = sink(move |lines: &mut Lines| {
        calls += 1;
        if calls == 500 {
            // In the middle of line 500.
            into.bytes(lines, 20);
            panic_quietly();
        }
        into.one(lines);
        Ok(())
    });
    let complaints = Complaints::default();
    let (dispatch, guard) =
        built(spanline::builder().on_complaint(complaints.hook()).output(Output::new(clumsy).name("out")));
    let handle = guard.handle();
    within(&dispatch, || (0..4_000).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &taken.text())), 4_000);
    assert_eq!((output.panics, output.dropped.total()), (1, 0));
    assert!(complaints.all()[0].contains("output out: the sink panicked"), "{complaints:?}");
}

#[test]
fn promise_15_a_line_on_which_the_sink_always_panics_is_dropped() {
    let taken = Taken::default();
    let into = taken.clone();
    let allergic = sink(move |lines: &mut Lines| {
        if lines.iter().next().is_some_and(|line| String::from_utf8_lossy(line.bytes).contains("\"seq\":500,")) {
            panic_quietly();
        }
        into.one(lines);
        Ok(())
    });
    let (dispatch, guard) = built(spanline::builder().service("s").on_complaint(|_| {}).output(Output::new(allergic)));
    let handle = guard.handle();
    within(&dispatch, || (0..4_000).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &taken.text())), 3_999);
    assert_eq!(output.dropped.reason(Reason::Panicked).level(Level::INFO), 1);
    all_told(output, &taken.text());
}

/// Half of a line that is given up is there already: the next line must not be glued to it.
#[test]
fn a_line_dropped_half_way_harms_no_other() {
    for reason in [Reason::Panicked, Reason::Rejected] {
        let taken = Taken::default();
        let into = taken.clone();
        let allergic = sink(move |lines: &mut Lines| {
            let first = lines.iter().next().map(|line| String::from_utf8_lossy(line.bytes).into_owned());
            if first.is_some_and(|line| line.contains("\"seq\":5,")) {
                if lines.at_line_start() {
                    into.bytes(lines, 20);
                }
                match reason {
                    Reason::Rejected => return Err(Error::rejected("not this one")),
                    _ => panic_quietly(),
                }
            }
            into.one(lines);
            Ok(())
        });
        let builder = spanline::builder().service("s").on_complaint(|_| {}).output(Output::new(allergic));
        let (dispatch, guard) = built(builder);
        let handle = guard.handle();
        within(&dispatch, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
        guard.close().unwrap();
        let (text, output) = (taken.text(), &handle.metrics().outputs[0]);
        assert_eq!(output.dropped.reason(reason).total(), 1, "{output:#?}");
        let whole: Vec<_> = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()).collect();
        let seqs: Vec<_> = whole.iter().filter(|line| !line.is_notice()).map(|line| line.seq).collect();
        assert_eq!(seqs, [0, 1, 2, 3, 4, 6, 7, 8, 9], "{reason}: {text}");
        assert_eq!(text.lines().count(), whole.len() + 1, "what was written of it stands alone: {text}");
    }
}

/// Renders what [`spanline::schema::Flat`] does, but panics on some records.
struct Brittle(spanline::schema::Flat);

impl Schema for Brittle {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"half a li");
        let seq = record.fields().find(|(name, _)| *name == "seq").map(|(_, value)| value);
        if matches!(seq, Some(Value::U64(seq)) if seq % 100 == 7) {
            panic_quietly();
        }
        out.truncate(out.len() - b"half a li".len());
        self.0.render(record, out);
    }
}

#[test]
fn promise_15_a_schema_that_panics_loses_that_line_only() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).schema(Brittle(spanline::schema::Flat::new()));
    let (dispatch, guard) = built(spanline::builder().filter("trace").on_complaint(|_| {}).output(output));
    let handle = guard.handle();
    within(&dispatch, || (0..4_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &memory.text())), 3_960);
    assert_eq!((output.dropped.reason(Reason::Panicked).level(Level::INFO), output.panics), (40, 40));
    all_told(output, &memory.text());
}

#[test]
fn promise_15_a_sink_that_panics_at_each_order_still_writes() {
    let taken = Taken::default();
    let into = taken.clone();
    let clumsy = Acts {
        write: move |lines: &mut Lines| {
            into.all(lines);
            Ok(())
        },
        control: |control| if control == spanline::sink::Control::Open { Ok(()) } else { panic_quietly() },
    };
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(Output::new(clumsy)));
    let handle = guard.handle();
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    let error = handle.flush(PATIENCE).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    guard.close().unwrap();
    assert_eq!(balance(&handle.metrics().outputs[0], &taken.text()).len(), 100);
}

#[test]
fn a_rejected_line_is_skipped_alone() {
    let taken = Taken::default();
    let into = taken.clone();
    let picky = sink(move |lines: &mut Lines| {
        if lines.iter().next().is_some_and(|line| line.level == Level::DEBUG) {
            return Err(Error::rejected("no DEBUG here"));
        }
        into.one(lines);
        Ok(())
    });
    let (dispatch, guard) = built(spanline::builder().filter("trace").on_complaint(|_| {}).output(Output::new(picky)));
    let handle = guard.handle();
    within(&dispatch, || (0..1_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &taken.text())), 800);
    assert_eq!(output.dropped.reason(Reason::Rejected).level(Level::DEBUG), 200);
    assert_eq!(output.retries, 0);
    all_told(output, &taken.text());
}

#[test]
fn a_closed_sink_is_parked_and_not_called_again() {
    let file = Faulty::new();
    file.then([Fault::Short(1_000), Fault::Broken]);
    let complaints = Complaints::default();
    let output = Output::new(ends_at_broken_pipe(file.clone())).name("out");
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    let handle = guard.handle();
    file.gate.close();
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    file.gate.open();
    let error = handle.flush(PATIENCE).unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    let calls = file.gate.reached();
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    assert!(handle.flush(PATIENCE).is_err());
    guard.close().unwrap();
    assert_eq!(file.gate.reached(), calls, "it is not asked again");
    let output = &handle.metrics().outputs[0];
    let text = file.text();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    assert_eq!(read(whole).len() as u64, output.written.total());
    assert_eq!(output.written.total() + output.dropped.reason(Reason::Closed).total(), 2_000);
    assert_eq!(complaints.all().len(), 1, "{complaints:?}");
}
