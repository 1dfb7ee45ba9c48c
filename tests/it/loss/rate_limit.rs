//! Rate limits: at most a number of lines per call site and period, and one line that counts the suppressed ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use spanline::metrics::{OutputMetrics, Reason};
use spanline::record::Timestamp;
use spanline::sink::{Lines, Memory, Writer};
use spanline::{Builder, Output};
use tracing::Level;
use tracing_subscriber::Registry;

use crate::support::faults::{Faulty, Gate, Taken, built, sink, within};
use crate::support::ledger::{LEVELS, Line, all_told, balance, in_order, log, read};
use crate::support::wait::{PATIENCE, until};

const SECOND: i64 = 1_000_000_000;
const PERIOD: Duration = Duration::from_secs(10);

/// A clock that the test sets.
#[derive(Clone, Debug, Default)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn set(&self, seconds: i64) {
        self.0.store(seconds * SECOND, Ordering::SeqCst);
    }

    fn builder(&self) -> Builder {
        let hands = self.clone();
        spanline::builder().filter("trace").clock(move || Timestamp::from_nanos(hands.0.load(Ordering::SeqCst)))
    }
}

fn at(seconds: i64) -> String {
    Timestamp::from_nanos(seconds * SECOND).to_string()
}

fn summaries(text: &str) -> Vec<Line> {
    read(text).into_iter().filter(|line| line.suppressed > 0).collect()
}

fn limited(output: &OutputMetrics) -> u64 {
    output.dropped.reason(Reason::RateLimited).total()
}

#[test]
fn one_line_counts_the_suppressed_lines_and_their_period() {
    let (hands, memory) = (Hands::default(), Memory::new());
    let (dispatch, guard) = built(hands.builder().rate_limit(3, PERIOD).output(Output::new(memory.clone())));
    let handle = guard.handle();
    let repeat = |seq: u64| tracing::warn!(target: "db", seq, "attempt {seq} failed");
    within(&dispatch, || {
        for seq in 0..9 {
            hands.set(100 + seq as i64);
            repeat(seq);
        }
        tracing::info!("another call site");
    });
    handle.flush(PATIENCE).unwrap();
    let output = handle.metrics().outputs[0].clone();
    assert_eq!(balance(&output, &memory.text()).len(), 4);
    assert_eq!((limited(&output), output.dropped.reason(Reason::RateLimited).level(Level::WARN)), (6, 6));
    assert!(summaries(&memory.text()).is_empty(), "the period is not over");
    hands.set(110);
    within(&dispatch, || repeat(9));
    handle.flush(PATIENCE).unwrap();
    let told = summaries(&memory.text());
    let [line] = &told[..] else { panic!("one line, not {told:#?}") };
    assert_eq!((line.level.as_str(), line.target.as_str(), line.message.as_str()), ("WARN", "db", "attempt 2 failed"));
    assert_eq!((line.suppressed, line.reason.as_str()), (6, "rate_limited"));
    assert_eq!((line.first.clone(), line.last.clone()), (at(103), at(108)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(balance(output, &memory.text()).len(), 5);
    assert_eq!((output.notices, output.written.total()), (1, 5));
    all_told(output, &memory.text());
}

#[test]
fn a_storm_is_reported_each_period_and_the_rest_at_the_end() {
    let (hands, memory) = (Hands::default(), Memory::new());
    let (dispatch, guard) = built(hands.builder().rate_limit(1, PERIOD).output(Output::new(memory.clone())));
    let handle = guard.handle();
    within(&dispatch, || {
        for second in 0..35 {
            hands.set(second);
            log(Level::INFO, 0, second as u64);
            handle.flush(PATIENCE).unwrap();
        }
    });
    guard.close().unwrap();
    let told: Vec<u64> = summaries(&memory.text()).iter().map(|line| line.suppressed).collect();
    assert_eq!(told, [9, 9, 9, 4]);
    let seqs: Vec<_> = balance(&handle.metrics().outputs[0], &memory.text()).iter().map(|line| line.seq).collect();
    assert_eq!(seqs, [0, 10, 20, 30]);
    within(&dispatch, || (0..5).for_each(|seq| log(Level::INFO, 1, seq)));
    let output = &handle.metrics().outputs[0];
    balance(output, &memory.text());
    assert_eq!(limited(output), 31, "what is logged after the end is not limited, as nobody would tell it");
}

#[test]
fn an_idle_worker_reports_suppressed_lines_too() {
    let (hands, memory) = (Hands::default(), Memory::new());
    let (dispatch, guard) = built(hands.builder().rate_limit(1, PERIOD).output(Output::new(memory.clone())));
    within(&dispatch, || (0..5).for_each(|seq| log(Level::INFO, 0, seq)));
    hands.set(11);
    until("the line that says so, which nothing else follows", || memory.text().contains("\"suppressed\":4"));
    guard.close().unwrap();
    assert_eq!(summaries(&memory.text()).len(), 1);
}

#[test]
fn a_clock_that_steps_back_suppresses_nothing_for_longer() {
    let (hands, memory) = (Hands::default(), Memory::new());
    let (dispatch, guard) = built(hands.builder().rate_limit(2, PERIOD).output(Output::new(memory.clone())));
    let handle = guard.handle();
    let five = |first: u64| within(&dispatch, || (first..first + 5).for_each(|seq| log(Level::INFO, 0, seq)));
    hands.set(40_000_000);
    five(0);
    hands.set(40_000_000 - 3);
    five(5);
    hands.set(1_000);
    five(10);
    handle.flush(PATIENCE).unwrap();
    assert_eq!(summaries(&memory.text()).iter().map(|line| line.suppressed).collect::<Vec<_>>(), [11]);
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    let seqs: Vec<_> = balance(output, &memory.text()).iter().map(|line| line.seq).collect();
    assert_eq!(seqs, [0, 1, 10, 11], "a small step begins no new period, a large one does");
    assert_eq!(limited(output), 11);
    all_told(output, &memory.text());
}

#[test]
fn errors_have_a_separate_limit() {
    for (errors, expected) in [(None, 100), (Some(4), 4)] {
        let memory = Memory::new();
        let mut builder = Hands::default().builder().rate_limit(7, PERIOD);
        if let Some(lines) = errors {
            builder = builder.rate_limit_errors(lines, PERIOD);
        }
        let (dispatch, guard) = built(builder.output(Output::new(memory.clone())));
        within(&dispatch, || (0..500).for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
        let handle = guard.handle();
        guard.close().unwrap();
        let output = &handle.metrics().outputs[0];
        balance(output, &memory.text());
        all_told(output, &memory.text());
        for level in LEVELS {
            assert_eq!(output.emitted.level(level), 100);
            assert_eq!(output.written.level(level), if level == Level::ERROR { expected } else { 7 });
        }
    }
}

#[test]
fn several_threads_share_the_limit_of_a_call_site() {
    let (hands, memory) = (Hands::default(), Memory::new());
    let (dispatch, guard) = built(hands.builder().rate_limit(100, PERIOD).output(Output::new(memory.clone())));
    for round in 0..3 {
        hands.set(round * 20);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let dispatch = &dispatch;
                scope.spawn(move || {
                    within(dispatch, || {
                        for seq in 0..1_000 {
                            log(LEVELS[1 + seq as usize % 4], thread, round as u64 * 1_000 + seq);
                        }
                    });
                });
            }
        });
    }
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &memory.text())), 3 * 4 * 100);
    assert_eq!(limited(output), 3 * 4 * 900);
    all_told(output, &memory.text());
}

#[test]
fn each_output_reports_the_lines_it_would_have_had_also_when_filters_change() {
    let hands = Hands::default();
    let memories = [(); 3].map(|()| Memory::new());
    let builder = hands
        .builder()
        .rate_limit(1, PERIOD)
        .output(Output::new(memories[0].clone()).name("all"))
        .output(Output::new(memories[1].clone()).name("changes").output_filter("warn"))
        .output(Output::new(memories[2].clone()).name("none").output_filter("off"));
    let (dispatch, guard) = built(builder);
    let handle = guard.handle();
    let ten = || within(&dispatch, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
    ten();
    handle.set_output_filter("changes", "info").unwrap();
    ten();
    handle.set_filter("warn").unwrap();
    ten();
    handle.set_filter("info").unwrap();
    handle.set_output_filter("changes", "warn").unwrap();
    ten();
    hands.set(20);
    handle.flush(PATIENCE).unwrap();
    let told = |memory: &Memory| summaries(&memory.text()).iter().map(|line| line.suppressed).collect::<Vec<_>>();
    assert_eq!((told(&memories[0]), told(&memories[1]), told(&memories[2])), (vec![29], vec![10], vec![]));
    guard.close().unwrap();
    for (output, memory) in handle.metrics().outputs.iter().zip(&memories) {
        balance(output, &memory.text());
        all_told(output, &memory.text());
    }
    let emitted: Vec<_> = handle.metrics().outputs.iter().map(|output| output.emitted.total()).collect();
    assert_eq!(emitted, [30, 10, 0]);
}

#[test]
fn a_stuck_output_reports_later_and_loses_no_count() {
    let (hands, file, memory) = (Hands::default(), Faulty::gated(), Memory::new());
    let builder = hands.builder().rate_limit(1, PERIOD).output(Output::new(Writer::new(file.clone())).name("stuck"));
    let (dispatch, guard) = built(builder.output(Output::new(memory.clone()).name("memory")));
    let handle = guard.handle();
    within(&dispatch, || {
        for second in (0..50).step_by(2) {
            hands.set(second);
            log(Level::INFO, 0, second as u64);
        }
    });
    file.gate.open();
    guard.close().unwrap();
    for (output, text) in handle.metrics().outputs.iter().zip([file.text(), memory.text()]) {
        assert_eq!(balance(output, &text).len(), 5);
        assert_eq!(limited(output), 20);
        all_told(output, &text);
    }
}

#[test]
fn a_suppressed_value_is_not_formatted() {
    struct Counted<'a>(&'a AtomicU64);
    impl std::fmt::Debug for Counted<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fetch_add(1, Ordering::Relaxed);
            f.write_str("counted")
        }
    }
    let (memory, times) = (Memory::new(), AtomicU64::new(0));
    let (dispatch, guard) = built(Hands::default().builder().rate_limit(2, PERIOD).output(Output::new(memory.clone())));
    within(&dispatch, || (0..10).for_each(|_| tracing::info!(value = ?Counted(&times), "line")));
    guard.close().unwrap();
    assert_eq!((times.load(Ordering::Relaxed), memory.lines().len()), (2, 3));
}

#[test]
fn a_sink_that_logs_is_not_limited_and_terminates() {
    let (taken, late) = (Taken::default(), Arc::new(std::sync::OnceLock::<tracing::Dispatch>::new()));
    let (into, dispatch) = (taken.clone(), Arc::clone(&late));
    let talks = sink(move |lines: &mut Lines| {
        into.all(lines);
        if let Some(dispatch) = dispatch.get() {
            within(dispatch, || log(Level::WARN, 99, 0));
        }
        Ok(())
    });
    let (dispatch, guard) = built(Hands::default().builder().rate_limit(1, PERIOD).output(Output::new(talks)));
    late.set(dispatch.clone()).unwrap();
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(balance(output, &taken.text()).len(), 1);
    assert_eq!(limited(output), 99);
    assert!(output.dropped.reason(Reason::OwnThread).total() > 0);
}

/// All records of one level share a call site of `tracing-log`.
#[cfg(feature = "log")]
#[test]
fn records_of_the_log_crate_differ_by_target_file_and_line() {
    let record = |target: &str, line: u32, text: &str| {
        let meta = log::MetadataBuilder::new().target(target).level(log::Level::Warn).build();
        let mut record = log::RecordBuilder::new();
        let record = record.metadata(meta).file(Some("src/pool.rs")).line(Some(line));
        tracing_log::format_trace(&record.args(format_args!("{text}")).build()).unwrap();
    };
    let memory = Memory::new();
    let builder = Hands::default().builder().filter("info,quiet=off").rate_limit(2, PERIOD);
    let (dispatch, guard) = built(builder.output(Output::new(memory.clone())));
    within(&dispatch, || {
        for number in 0..5 {
            record("pool", 1, &format!("one {number}"));
            record("pool", 2, "two");
            record("pool::inner", 1, "three");
            record("quiet", 1, "four");
        }
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(balance(output, &memory.text()).len(), 6);
    let mut told: Vec<_> =
        summaries(&memory.text()).into_iter().map(|line| (line.target, line.message, line.suppressed)).collect();
    told.sort();
    let expected = [("pool", "one 1"), ("pool", "two"), ("pool::inner", "three")];
    assert_eq!(told, expected.map(|(target, message)| (target.to_owned(), message.to_owned(), 3)));
    assert_eq!(output.emitted.total(), 15);
}

#[test]
fn a_limit_without_lines_or_period_is_an_error() {
    for builder in [
        spanline::builder().rate_limit(0, PERIOD),
        spanline::builder().rate_limit(1, Duration::ZERO),
        spanline::builder().rate_limit_errors(0, PERIOD),
    ] {
        let error = builder.output(Output::new(Memory::new())).build::<Registry>().err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains("rate_limit"), "{error}");
    }
}

/// More call sites than the table has places: some are not limited, and none is lost.
#[test]
fn with_many_call_sites_the_books_balance_and_every_count_is_reported() {
    let (memory, gate) = (Memory::new(), Gate::shut());
    let (into, at_gate) = (Taken::default(), gate.clone());
    let taken = into.clone();
    let slow = sink(move |lines: &mut Lines| {
        at_gate.pass();
        into.all(lines);
        Ok(())
    });
    let builder = Hands::default().builder().rate_limit(1, PERIOD).output(Output::new(slow).name("slow"));
    let (dispatch, guard) = built(builder.output(Output::new(memory.clone()).name("memory")));
    within(&dispatch, || {
        for number in 0..5_000 {
            let site = crate::support::stage::Site::event(&format!("target-{number}"), Level::INFO, &["message"]);
            (0..3).for_each(|_| site.log(&[Some(&"line")]));
        }
    });
    gate.open();
    let handle = guard.handle();
    guard.close().unwrap();
    for (output, text) in handle.metrics().outputs.iter().zip([taken.text(), memory.text()]) {
        balance(output, &text);
        all_told(output, &text);
        assert_eq!(output.emitted.total(), 15_000);
        assert!((2_000..=2 * 2_048).contains(&limited(output)), "{}", limited(output));
    }
}
