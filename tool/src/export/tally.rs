//! The counts that a scrape gets, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::escape::escaped_text;
use crate::loggers::LineLevel;
use crate::stats::LevelCounts;

/// What all threads have counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    services: BTreeMap<String, LevelCounts>,
    unparsed: u64,
}

impl Tally {
    /// Adds the counts of some lines. `unparsed`: lines that are no records.
    pub(super) fn add(&self, services: BTreeMap<String, LevelCounts>, unparsed: u64) {
        let mut counts = self.counts();
        counts.unparsed += unparsed;
        for (service, more) in services {
            *counts.services.entry(service).or_default() += more;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one lock of counts, which ignores poisoning")]
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the answer to a scrape.
    pub(super) fn to_prometheus(&self) -> String {
        const LINES: &str = "spanline_stats_lines_total";
        const UNPARSED: &str = "spanline_stats_unparsed_lines_total";
        let counts = self.counts();
        let mut text =
            format!("# HELP {LINES} Lines that meet the conditions, by service and level.\n# TYPE {LINES} counter\n");
        for (service, of_levels) in &counts.services {
            let service = escaped_label(service);
            let levels = LineLevel::ALL.map(|level| (level.as_str().to_lowercase(), of_levels.of(level)));
            for (level, lines) in levels.into_iter().chain([("none".to_owned(), of_levels.without)]) {
                let _ = writeln!(text, "{LINES}{{service=\"{service}\",level=\"{level}\"}} {lines}");
            }
        }
        let _ = write!(
            text,
            "# HELP {UNPARSED} Lines that meet the conditions and are no records.\n# TYPE {UNPARSED} counter\n\
             {UNPARSED} {}\n",
            counts.unparsed
        );
        text
    }
}

/// Escapes a label's value: the backslash, the quote and the line feed as the format requires, and what controls a terminal.
fn escaped_label(value: &str) -> String {
    let lines: Vec<_> = value.split('\n').map(escaped_text).collect();
    lines.join("\n").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_another_label_or_line() {
        let tally = Tally::default();
        let mut counts = LevelCounts::default();
        counts.add(Some(LineLevel::Warn));
        counts.add(None);
        tally.add([("a\"} 9\nb\\\u{1b}[2J".to_owned(), counts)].into(), 3);
        let text = tally.to_prometheus();
        let name = r#"a\"} 9\nb\\\\u{1b}[2J"#;
        assert!(
            text.contains(&format!("spanline_stats_lines_total{{service=\"{name}\",level=\"warn\"}} 1\n")),
            "{text}"
        );
        assert!(text.contains(",level=\"none\"} 1\n") && text.contains(",level=\"error\"} 0\n"), "{text}");
        assert!(text.ends_with("spanline_stats_unparsed_lines_total 3\n"), "{text}");
    }
}
