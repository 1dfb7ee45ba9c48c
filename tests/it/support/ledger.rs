//! Numbered lines, and the checks that a log and its counters agree about them.

use std::collections::BTreeMap;

use serde::Deserialize;
use spanline::metrics::OutputMetrics;
use tracing::Level;

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
    pub(crate) suppressed: u64,
    pub(crate) reason: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

impl Line {
    pub(crate) fn is_notice(&self) -> bool {
        (self.target == "spanline" || self.suppressed > 0) && !self.reason.is_empty()
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
        let known = valid + dropped + output.filtered.level(level) + output.queued.level(level);
        assert_eq!(output.emitted.level(level), known, "{level}: {output:#?}");
    }
    assert_eq!(output.notices, notices.len() as u64, "{output:#?}");
    assert_eq!(output.written_bytes, text.len() as u64, "{output:#?}");
    let mut told = BTreeMap::<_, u64>::new();
    notices
        .iter()
        .for_each(|notice| *told.entry(notice.reason.clone()).or_default() += notice.dropped + notice.suppressed);
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
        let told: u64 = notices.map(|notice| notice.dropped + notice.suppressed).sum();
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
