//! How a pass went.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::table::{grouped, lines_text, time_text};
use crate::counted::plural;
use crate::loggers::time::NANOS;
use crate::scan::Totals;

/// What was read, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) files: u64,
    pub(crate) totals: Totals,
    pub(crate) read: Duration,
    /// Putting together what the threads have counted.
    pub(crate) merge: Duration,
}

impl Run {
    pub(crate) fn write_head(&self, answer: &Answer, output: &mut impl Write) -> io::Result<()> {
        self.head(answer).iter().try_for_each(|line| writeln!(output, "{line}"))?;
        writeln!(output)
    }

    /// Returns what was read, as lines of text.
    pub(crate) fn head(&self, answer: &Answer) -> Vec<String> {
        let lines = if answer.lines < self.totals.lines {
            format!("{} of {}", grouped(answer.lines), lines_text(self.totals.lines))
        } else {
            lines_text(answer.lines)
        };
        let mut first = format!("{lines} in {} {}", grouped(self.files), plural(self.files, "file", "files"));
        if let Some((start, last)) = answer.times {
            let (start, last) = (start.div_euclid(NANOS), last.div_euclid(NANOS));
            first = format!("{first}, from {} to {}", time_text(start), time_text(last));
        }
        let Totals { text, broken, cut, .. } = self.totals;
        let mut lines = vec![first, format!("no records: {} broken, {} of plain text", grouped(broken), grouped(text))];
        if cut > 0 {
            let by = plural(cut, "counts only by its first MiB", "count only by their first MiB");
            lines.push(format!("{} {by}", lines_text(cut)));
        }
        lines
    }

    pub(crate) fn write_end(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "\n{}", self.end())
    }

    /// Returns how long it took, as a line of text.
    pub(crate) fn end(&self) -> String {
        let seconds = self.read.as_secs_f64().max(1e-9);
        let per_line = self.read.as_nanos() as f64 / self.totals.lines.max(1) as f64;
        let memory = peak_memory().map(|bytes| format!("; {:.0} MB of memory", bytes as f64 / 1e6));
        format!(
            "{seconds:.2} s: {per_line:.0} ns for each line, {:.2} million lines/s, {:.2} GB/s; {:.0} ms to merge{}",
            self.totals.lines as f64 / seconds / 1e6,
            self.totals.bytes as f64 / seconds / 1e9,
            self.merge.as_secs_f64() * 1e3,
            memory.unwrap_or_default(),
        )
    }

    pub(crate) fn json(&self) -> Value {
        let Totals { bytes, lines, text, broken, cut } = self.totals;
        json!({
            "files": self.files,
            "bytes": bytes,
            "lines": lines,
            "broken": broken,
            "plain_text": text,
            "cut": cut,
            "seconds": self.read.as_secs_f64(),
            "merge_seconds": self.merge.as_secs_f64(),
            "peak_memory_bytes": peak_memory(),
        })
    }
}

/// Returns the most memory that the process has had, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kilobytes.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
