//! The books: emitted = valid lines + drops, by output, reason and level.

use std::collections::BTreeMap;

use serde::Deserialize;
use spanline::sink::Lines;
use spanline::{Error, Memory, Output, OutputMetrics, Overflow, Reason, Writer};
use tracing::Level;

use crate::faults::{Fault, Faulty, Gate, Taken, built, sink, within};

pub(crate) const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// One line of a test's log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) thread: u64,
    pub(crate) seq: u64,
    pub(crate) dropped: u64,
    pub(crate) reason: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

impl Line {
    pub(crate) fn is_notice(&self) -> bool {
        self.target == "spanline" && !self.reason.is_empty()
    }
}

/// Logs one line with its number at a level.
pub(crate) fn log(level: Level, thread: u64, seq: u64) {
    match level {
        Level::ERROR => tracing::error!(thread, seq, "line"),
        Level::WARN => tracing::warn!(thread, seq, "line"),
        Level::INFO => tracing::info!(thread, seq, "line"),
        Level::DEBUG => tracing::debug!(thread, seq, "line"),
        Level::TRACE => tracing::trace!(thread, seq, "line"),
    }
}

/// Reads a log; each line must be one JSON object and end in a newline.
#[track_caller]
pub(crate) fn read(text: &str) -> Vec<Line> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn: {:?}", text.lines().last());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not a line: {error}: {line:?}")))
        .collect()
}

/// Balances the books of one output against the whole of what its sink took. Returns the lines, notices left out.
#[track_caller]
pub(crate) fn balance(output: &OutputMetrics, text: &str) -> Vec<Line> {
    let (notices, lines): (Vec<_>, Vec<_>) = read(text).into_iter().partition(Line::is_notice);
    for level in LEVELS {
        let valid = lines.iter().filter(|line| line.level == level.as_str()).count() as u64;
        assert_eq!(output.written.level(level), valid, "valid lines of {level}: {output:#?}");
        let dropped: u64 = output.dropped.reasons().map(|(_, by_level)| by_level.level(level)).sum();
        let known = valid + dropped + output.queued.level(level);
        assert_eq!(output.emitted.level(level), known, "{level}: {output:#?}");
    }
    assert_eq!(output.notices, notices.len() as u64, "{output:#?}");
    assert_eq!(output.written_bytes, text.len() as u64, "{output:#?}");
    let mut told = BTreeMap::<_, u64>::new();
    notices.iter().for_each(|notice| *told.entry(notice.reason.clone()).or_default() += notice.dropped);
    for (reason, dropped) in told {
        let counted = output.dropped.reasons().find(|(known, _)| known.as_str() == reason);
        assert!(
            counted.is_some_and(|(_, by_level)| dropped <= by_level.total()),
            "{reason}: {dropped} told, {output:#?}"
        );
    }
    lines
}

/// Asks that each loss that was counted is told in the log, too.
#[track_caller]
pub(crate) fn all_told(output: &OutputMetrics, text: &str) {
    for (reason, by_level) in output.dropped.reasons() {
        let notices = read(text).into_iter().filter(|line| line.is_notice() && line.reason == reason.as_str());
        let told: u64 = notices.map(|notice| notice.dropped).sum();
        assert_eq!(told, by_level.total(), "{reason} in the log: {output:#?}");
    }
}

/// Asks that each thread's lines are there in its order, none twice. Returns how many there are.
#[track_caller]
pub(crate) fn in_order(lines: &[Line]) -> usize {
    let mut last = BTreeMap::new();
    for line in lines {
        if let Some(before) = last.insert(line.thread, line.seq) {
            assert!(before < line.seq, "thread {}: {} after {before}", line.thread, line.seq);
        }
    }
    lines.len()
}

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
    for overflow in [Overflow::Shed, Overflow::DropNewest, Overflow::Block { max_wait: Default::default() }] {
        let file = Faulty::gated();
        let output = Output::new(Writer::new(file.clone())).name("out").overflow(overflow).max_bytes(16 << 10);
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
            .output(Output::new(quiet.clone()).name("quiet").filter("warn"))
            .output(Output::new(Writer::new(broken.clone())).name("broken")),
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
    let (dispatch, guard) = built(spanline::builder().output(output.max_bytes(4 << 10)));
    let handle = guard.handle();
    std::thread::scope(|scope| {
        scope.spawn(|| within(&dispatch, || (0..500).for_each(|seq| log(Level::INFO, 0, seq))));
        file.gate.wait_reached(1);
        let mut last = u64::MAX;
        crate::faults::until("the thread to be stopped", || {
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
    handle.flush(crate::faults::PATIENCE).unwrap();
    let metrics = handle.metrics();
    let output = metrics.output("out").unwrap();
    assert_eq!((output.written.total(), output.queued.total(), output.queued_bytes), (2, 0, 0));
    assert_eq!((output.retries, output.panics, output.notices), (1, 0, 0));
    assert_eq!(output.last_error.as_deref(), Some("not yet"));
    assert!(output.written_bytes > 100);
}
