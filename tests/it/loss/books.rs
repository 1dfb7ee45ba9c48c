//! The books balance for each output, reason and level.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use spanline::metrics::{OutputMetrics, Reason};
use spanline::record::Timestamp;
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Error, Output, Overflow};
use tracing::Level;

use crate::support::faults::{Fault, Faulty, Gate, Taken, built, ends_at_broken_pipe, sink, within};
use crate::support::ledger::{LEVELS, Line, all_told, balance, in_order, log, read};

#[test]
fn promise_01_books_balance_when_nothing_goes_wrong() {
    let memory = Memory::new();
    let (dispatch, guard) = built(spanline::builder().filter("trace").output(Output::new(memory.clone())));
    within(&dispatch, || (0..1_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics();
    let output = metrics.output("memory").unwrap();
    assert_eq!(in_order(&balance(output, &memory.text())), 1_000);
    assert_eq!((metrics.dropped(), output.queued.total(), output.queued_bytes), (0, 0, 0));
    assert_eq!(output.written.level(Level::DEBUG), 200);
}

#[test]
fn promise_01_books_balance_for_each_way_of_losing() {
    for overflow in
        [Overflow::Shed, Overflow::DropNewest, Overflow::Block { max_wait: std::time::Duration::from_nanos(1) }]
    {
        let file = Faulty::gated();
        let output = Output::new(Writer::new(file.clone())).name("out").overflow(overflow).queue_bytes(16 << 10);
        let (dispatch, guard) = built(spanline::builder().filter("trace").output(output));
        within(&dispatch, || (0..2_000).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
        let handle = guard.handle();
        let before = handle.metrics();
        let held = before.output("out").unwrap();
        assert_eq!(held.emitted.total(), 2_000);
        assert_eq!(
            held.emitted.total(),
            held.dropped.total() + held.queued.total(),
            "{overflow:?}: all is held or lost"
        );
        assert!(held.queued_bytes <= 16 << 10);
        file.gate.open();
        guard.close().unwrap();
        let metrics = handle.metrics();
        let output = metrics.output("out").unwrap();
        let lines = balance(output, &file.text());
        in_order(&lines);
        all_told(output, &file.text());
        assert_eq!(lines.len() as u64 + output.dropped.total(), 2_000);
        assert!(output.dropped.reason(Reason::QueueFull).total() > 0, "{overflow:?}");
        assert_eq!(output.dropped.reason(Reason::Shed).total() > 0, overflow == Overflow::Shed);
    }
}

#[test]
fn promise_01_books_of_several_outputs_are_kept_apart() {
    let (quiet, broken) = (Memory::new(), Faulty::new());
    broken.then([Fault::Broken]);
    let (dispatch, guard) = built(
        spanline::builder()
            .filter("trace")
            .on_complaint(|_| {})
            .output(Output::new(quiet.clone()).name("quiet").output_filter("warn"))
            .output(Output::new(ends_at_broken_pipe(broken.clone())).name("broken")),
    );
    within(&dispatch, || (0..500).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics();
    let (one, other) = (metrics.output("quiet").unwrap(), metrics.output("broken").unwrap());
    assert_eq!(balance(one, &quiet.text()).len(), 200);
    assert_eq!(balance(other, &broken.text()).len(), 0);
    assert_eq!(other.dropped.reason(Reason::Closed).total(), 500);
    assert_eq!(other.dropped.reason(Reason::Closed).level(Level::TRACE), 100);
    assert_eq!(metrics.dropped(), 500);
}

#[test]
fn promise_01_books_balance_while_a_call_waits_for_room() {
    let (file, max_wait) = (Faulty::gated(), std::time::Duration::from_secs(60));
    let output = Output::new(Writer::new(file.clone())).name("out").overflow(Overflow::Block { max_wait });
    let (dispatch, guard) = built(spanline::builder().output(output.queue_bytes(4 << 10)));
    let handle = guard.handle();
    std::thread::scope(|scope| {
        scope.spawn(|| within(&dispatch, || (0..500).for_each(|seq| log(Level::INFO, 0, seq))));
        file.gate.wait_reached(1);
        let mut last = u64::MAX;
        crate::support::wait::until("the thread to be stopped", || {
            let now = handle.metrics().outputs[0].emitted.total();
            let output = &handle.metrics().outputs[0];
            let known = output.written.total() + output.dropped.total() + output.queued.total();
            assert_eq!(output.emitted.total(), known, "{output:#?}");
            std::mem::replace(&mut last, now) == now && now > 0
        });
        file.gate.open();
    });
    guard.close().unwrap();
    assert_eq!(balance(&handle.metrics().outputs[0], &file.text()).len(), 500);
}

#[test]
fn a_snapshot_shows_each_counter() {
    let (gate, mut failed) = (Gate::shut(), false);
    let at_gate = gate.clone();
    let scripted = sink(move |lines: &mut Lines| {
        at_gate.pass();
        if !std::mem::replace(&mut failed, true) {
            return Err(Error::retry("not yet"));
        }
        Taken::default().all(lines);
        Ok(())
    });
    let builder = spanline::builder().on_complaint(|_| {}).output(Output::new(scripted).name("out"));
    let (dispatch, guard) = built(builder);
    let handle = guard.handle();
    within(&dispatch, || tracing::error!("one"));
    gate.wait_reached(1);
    within(&dispatch, || tracing::info!("two"));
    let metrics = handle.metrics();
    let output = metrics.output("out").unwrap();
    assert_eq!((output.name.as_str(), output.emitted.total(), output.written.total()), ("out", 2, 0));
    assert_eq!((output.queued.level(Level::ERROR), output.queued.level(Level::INFO)), (1, 1));
    assert!(output.queued_bytes > 0);
    assert!(metrics.output("other").is_none());
    gate.open();
    handle.flush(crate::support::wait::PATIENCE).unwrap();
    let metrics = handle.metrics();
    let output = metrics.output("out").unwrap();
    assert_eq!((output.written.total(), output.queued.total(), output.queued_bytes), (2, 0, 0));
    assert_eq!((output.retries, output.panics, output.notices), (1, 0, 0));
    assert_eq!(output.last_error.as_deref(), Some("not yet"));
    assert!(output.written_bytes > 100);
}

#[test]
fn a_snapshot_shows_how_old_the_oldest_queued_line_is() {
    let now = Arc::new(AtomicI64::new(10_000));
    let (clock, gate, one_each) = (Arc::clone(&now), Gate::shut(), Gate::shut());
    let (at_gate, at_each) = (gate.clone(), one_each.clone());
    let scripted = sink(move |lines: &mut Lines| {
        at_gate.pass();
        let first = lines.iter().next().map_or(0, |line| line.bytes.len());
        lines.advance(first);
        at_each.pass();
        Ok(())
    });
    let builder = spanline::builder().clock(move || Timestamp::from_nanos(clock.load(Ordering::SeqCst)));
    let (dispatch, guard) = built(builder.output(Output::new(scripted).name("out").queue_bytes(1 << 20)));
    let handle = guard.handle();
    let oldest = || handle.metrics().outputs[0].oldest_queued.map(|age| age.as_nanos());
    let at = |time: i64| now.store(time, Ordering::SeqCst);
    assert_eq!(oldest(), None);
    assert_eq!(handle.metrics().outputs[0].max_queued_bytes, 1 << 20);
    within(&dispatch, || tracing::error!("taken at once"));
    gate.wait_reached(1);
    at(10_100);
    within(&dispatch, || tracing::info!("waits"));
    at(10_250);
    assert_eq!(oldest(), Some(250), "the line under way counts");
    at(9_000);
    assert_eq!(oldest(), Some(0), "the clock has stepped back");
    at(10_250);
    gate.open();
    one_each.wait_reached(1);
    assert_eq!(oldest(), Some(150), "only the second line is left");
    one_each.open();
    handle.flush(crate::support::wait::PATIENCE).unwrap();
    assert_eq!(oldest(), None);
    guard.close().unwrap();
    assert_eq!(oldest(), None);
}

/// A chunk is written line by line: the oldest line is the one at the cursor.
#[test]
fn the_oldest_queued_line_is_the_first_that_the_sink_has_not_taken() {
    let now = Arc::new(AtomicI64::new(0));
    let (clock, gate, first) = (Arc::clone(&now), Gate::shut(), Gate::shut());
    let (at_gate, at_first) = (gate.clone(), first.clone());
    let scripted = sink(move |lines: &mut Lines| {
        at_first.pass();
        let length = lines.iter().next().map_or(0, |line| line.bytes.len());
        lines.advance(length);
        at_gate.pass();
        Ok(())
    });
    let builder = spanline::builder().clock(move || Timestamp::from_nanos(clock.load(Ordering::SeqCst)));
    let (dispatch, guard) = built(builder.output(Output::new(scripted)));
    let handle = guard.handle();
    within(&dispatch, || tracing::error!("first"));
    first.wait_reached(1);
    for time in [10, 20, 30] {
        now.store(time, Ordering::SeqCst);
        within(&dispatch, || tracing::info!("one of one chunk"));
    }
    now.store(100, Ordering::SeqCst);
    first.open();
    for (reached, age) in [(1, Some(90)), (2, Some(80)), (3, Some(70))] {
        gate.wait_reached(reached);
        assert_eq!(handle.metrics().outputs[0].oldest_queued.map(|age| age.as_nanos()), age);
        gate.open_for_one();
    }
    gate.open();
    guard.close().unwrap();
}

mod property {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::support::wait::PATIENCE;

    /// What happens between two waits for the threads.
    #[derive(Clone, Debug)]
    struct Round {
        /// The filter that is set before, by its place among the levels.
        filter: Option<usize>,
        faults: Vec<Fault>,
        /// Whether the sink is stuck while the threads log.
        stuck: bool,
        /// The levels that each thread logs at.
        threads: [Vec<u8>; 3],
        flush: bool,
    }

    fn faults() -> impl Strategy<Value = Vec<Fault>> {
        let fault = prop_oneof![
            4 => (1..400_usize).prop_map(Fault::Short),
            1 => Just(Fault::Interrupted),
            1 => Just(Fault::WouldBlock),
            1 => Just(Fault::NoSpace),
            1 => Just(Fault::Io),
            1 => Just(Fault::Zero),
            2 => Just(Fault::Panic),
        ];
        prop::collection::vec(fault, 0..8)
    }

    fn round() -> impl Strategy<Value = Round> {
        let levels = || prop::collection::vec(0..5_u8, 0..40);
        let threads = [levels(), levels(), levels()];
        let rest = (proptest::option::weighted(0.3, 0..5_usize), faults(), any::<bool>(), any::<bool>());
        (rest, threads).prop_map(|((filter, faults, stuck, flush), threads)| Round {
            filter,
            faults,
            stuck,
            threads,
            flush,
        })
    }

    fn overflow() -> impl Strategy<Value = Overflow> {
        prop_oneof![
            Just(Overflow::Shed),
            Just(Overflow::DropNewest),
            Just(Overflow::Block { max_wait: std::time::Duration::from_nanos(1) }),
        ]
    }

    fn run(overflow: Overflow, max_bytes: u64, limit: Option<u64>, rounds: &[Round]) {
        let file = Faulty::new();
        let output = Output::new(Writer::new(file.clone())).name("out").overflow(overflow).queue_bytes(max_bytes);
        let mut builder = spanline::builder().filter("trace").on_complaint(|_| {}).output(output);
        if let Some(lines) = limit {
            let period = std::time::Duration::from_millis(1);
            builder = builder.rate_limit(lines, period).rate_limit_errors(lines, period);
        }
        let (dispatch, guard) = built(builder);
        let handle = guard.handle();
        let (mut filter, mut next) = (4, [0_u64; 3]);
        // The model: what passed the filter, in each thread's order.
        let mut logged = BTreeMap::<(u64, u64), Level>::new();
        for round in rounds {
            if let Some(level) = round.filter {
                filter = level;
                handle.set_filter(LEVELS[level].as_str()).unwrap();
            }
            file.then(round.faults.iter().copied());
            if round.stuck {
                file.gate.close();
            }
            std::thread::scope(|scope| {
                for (thread, levels) in round.threads.iter().enumerate() {
                    let (dispatch, first) = (&dispatch, next[thread]);
                    scope.spawn(move || {
                        within(dispatch, || {
                            for (seq, level) in (first..).zip(levels) {
                                log(LEVELS[usize::from(*level)], thread as u64, seq);
                            }
                        });
                    });
                }
            });
            for (thread, levels) in round.threads.iter().enumerate() {
                for level in levels.iter().map(|level| usize::from(*level)) {
                    if level <= filter {
                        logged.insert((thread as u64, next[thread]), LEVELS[level]);
                    }
                    next[thread] += 1;
                }
            }
            file.gate.open();
            if round.flush {
                handle.flush(PATIENCE).unwrap();
            }
        }
        guard.close().unwrap();
        judge(&handle.metrics().outputs[0], &file.text(), &logged);
    }

    fn judge(output: &OutputMetrics, text: &str, logged: &BTreeMap<(u64, u64), Level>) {
        // What a line that was given up has left behind stands alone, and there is no more of it than of those.
        let is_whole = |line: &&str| serde_json::from_str::<Line>(line).is_ok();
        let pieces = text.lines().filter(|line| !is_whole(line)).count() as u64;
        assert!(pieces <= output.panics / 3, "{text}\n{output:#?}");
        let whole: String = text.lines().filter(is_whole).flat_map(|line| [line, "\n"]).collect();
        let lines: Vec<_> = read(&whole).into_iter().filter(|line| !line.is_notice()).collect();
        in_order(&lines);
        for line in &lines {
            let level = logged.get(&(line.thread, line.seq)).map(Level::as_str);
            assert_eq!(level, Some(line.level.as_str()), "nobody logged {line:?}");
        }
        for level in LEVELS {
            let emitted = logged.values().filter(|logged| **logged == level).count() as u64;
            let valid = lines.iter().filter(|line| line.level == level.as_str()).count() as u64;
            let dropped: u64 = output.dropped.reasons().map(|(_, by_level)| by_level.level(level)).sum();
            assert_eq!(output.emitted.level(level), emitted, "{level}: {output:#?}");
            assert_eq!(output.written.level(level), valid, "{level}: {output:#?}");
            assert_eq!(emitted, valid + dropped, "{level}: {output:#?}");
        }
        assert_eq!(output.queued.total(), 0);
        if output.panics == 0 {
            all_told(output, &whole);
        }
    }

    #[test]
    fn promise_01_any_sequence_of_lines_and_faults_keeps_the_books_balanced() {
        let cases = std::env::var("SPANLINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let limit = proptest::option::weighted(0.3, 1..8_u64);
        let queue_bytes = (0..16_u64 << 10).prop_map(|bytes| bytes.max(4 << 10));
        let strategy = (overflow(), queue_bytes, limit, prop::collection::vec(round(), 1..5));
        runner
            .run(&strategy, |(overflow, max_bytes, limit, rounds)| {
                run(overflow, max_bytes, limit, &rounds);
                Ok(())
            })
            .unwrap();
    }
}
