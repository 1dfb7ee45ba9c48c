//! `spanline stats`: what the lines of logs say together.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spanline::record::Timestamp;

use super::conditions::{Conditions, Selection};
use crate::entry::Parser;
use crate::inputs::inputs;
use crate::loggers::time::NANOS;
use crate::report::Report;
use crate::scan::{Totals, scan};
use crate::show::{ColorChoice, Printer, Style, value_of};
use crate::stats::{
    Answer, Disk, MAX_SERVICES, Measure, Names, Questions, Stats, Window, grouped, span_text, time_text,
};

const EXAMPLES: &str = "\
Examples:
  spanline stats logs
  spanline stats logs --since 1h --field elapsed_ms --by path
  cat *.log | spanline stats --json

Exit status:
  0  everything was counted
  1  something could not be read, or no line was found; stderr says what
  2  the command line is wrong";

/// Count lines by service and level, traces, errors, and quantiles of fields
///
/// Reads all files at the same time, in one pass. Counts are exact; an estimate is marked with ≈, a lower bound with ≥.
/// Lines that are no records are counted separately.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    shape: Shape,
}

/// What is printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// Also print quantiles of this numeric field; can be repeated
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
    /// For each value of this field
    #[arg(long, value_name = "FIELD", requires = "field")]
    by: Option<String>,
    /// How many of the most frequent messages and targets are printed
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    top: usize,
    /// How many of the recent errors are printed
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    errors: usize,
    /// Up to how long before the last line an error is recent, and a trace active
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = crate::query::span)]
    recent: i64,
    /// Recent is what was logged that long before now, not before the last line
    #[arg(long)]
    clock: bool,
    /// How much disk may be taken for what does not fit in memory, in MiB, in the directory for temporary files
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    disk: u64,
    /// Print one JSON object; its keys are documented in docs/tool.md
    #[arg(long)]
    json: bool,
    /// Whether the recent errors have colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let begun = Instant::now();
    let Args { selection: Selection { paths, conditions }, shape } = args;
    let questions = shape.questions(conditions);
    let inputs = inputs(&paths, report);
    let files = inputs.len() as u64;
    let scanned = scan(inputs, || Stats::new(&questions), report);
    let read = begun.elapsed();
    let merged = Stats::merge(&questions, scanned.visitors);
    let Some(answer) = report.check(merged) else { return Ok(()) };
    let run = Run { files, totals: scanned.totals, read, merge: begun.elapsed().saturating_sub(read) };
    if shape.json {
        let mut parser = Parser::default();
        let entries = answer.recent.entries.iter().map(|recent| value_of(&recent.entry(&mut parser)));
        let mut all = answer.json(&entries.collect::<Vec<_>>());
        if let Value::Object(all) = &mut all {
            all.insert("run".to_owned(), run.json());
        }
        writeln!(output, "{}", crate::escape::escaped_json(&all.to_string()))?;
    } else {
        run.write_head(&answer, output)?;
        answer.write(output, &format!("in the last {}", span_text(shape.recent)))?;
        shape.write_recent(&answer, output)?;
        run.write_end(output)?;
    }
    if answer.lines == 0 {
        report.fail();
    }
    Ok(())
}

impl Shape {
    fn questions(&self, conditions: Conditions) -> Questions {
        let seconds = self.recent.div_euclid(NANOS).max(1);
        let window = match self.clock {
            true => Window::Since(Timestamp::now().as_nanos().saturating_sub(self.recent).div_euclid(NANOS)),
            false => Window::OfLogs(seconds),
        };
        let measure = |field: &String| Arc::new(Measure::new(field.clone(), self.by.clone()));
        Questions {
            filter: conditions.filter(),
            window,
            errors: self.errors,
            top: self.top,
            measures: self.field.iter().map(measure).collect(),
            services: Names::new(MAX_SERVICES),
            disk: Arc::new(Disk::new(self.disk.saturating_mul(1 << 20))),
        }
    }

    fn write_recent(&self, answer: &Answer, output: &mut impl Write) -> io::Result<()> {
        let Some(since) = answer.recent_since else { return Ok(()) };
        let count = answer.recent.count;
        let shown = answer.recent.entries.len() as u64;
        let most = if shown < count { format!(", the newest {} of them", grouped(shown)) } else { String::new() };
        writeln!(output, "\nrecent errors: {} since {}{most}", grouped(count), time_text(since))?;
        let paint = self.color.paint(io::stdout().is_terminal());
        let mut printer = Printer::new(output, Style::pretty(paint), true, 0);
        let mut parser = Parser::default();
        for recent in &answer.recent.entries {
            printer.found(&recent.entry(&mut parser))?;
        }
        Ok(())
    }
}

/// How the pass went.
struct Run {
    files: u64,
    totals: Totals,
    read: Duration,
    /// Putting together what the threads have counted.
    merge: Duration,
}

impl Run {
    fn write_head(&self, answer: &Answer, output: &mut impl Write) -> io::Result<()> {
        write!(output, "{} lines", grouped(answer.lines))?;
        if answer.lines < self.totals.lines {
            write!(output, " of {}", grouped(self.totals.lines))?;
        }
        write!(output, " in {} {}", grouped(self.files), if self.files == 1 { "file" } else { "files" })?;
        if let Some((first, last)) = answer.times {
            let (first, last) = (first.div_euclid(NANOS), last.div_euclid(NANOS));
            write!(output, ", from {} to {}", time_text(first), time_text(last))?;
        }
        let Totals { text, broken, cut, .. } = self.totals;
        writeln!(output, "\nno records: {} broken, {} of plain text", grouped(broken), grouped(text))?;
        if cut > 0 {
            writeln!(output, "{} lines count only by their first MiB", grouped(cut))?;
        }
        writeln!(output)
    }

    fn write_end(&self, output: &mut impl Write) -> io::Result<()> {
        let seconds = self.read.as_secs_f64().max(1e-9);
        let per_line = self.read.as_nanos() as f64 / self.totals.lines.max(1) as f64;
        write!(
            output,
            "\n{seconds:.2} s: {per_line:.0} ns for each line, {:.2} million lines/s, {:.2} GB/s; {:.0} ms to merge",
            self.totals.lines as f64 / seconds / 1e6,
            self.totals.bytes as f64 / seconds / 1e9,
            self.merge.as_secs_f64() * 1e3,
        )?;
        match peak_memory() {
            Some(bytes) => writeln!(output, "; {:.0} MB of memory", bytes as f64 / 1e6),
            None => writeln!(output),
        }
    }

    fn json(&self) -> Value {
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
