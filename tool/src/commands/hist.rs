//! `spanline hist`: lines over time, by level.

use std::io::{self, IsTerminal, Write};

use serde_json::json;

use super::conditions::Selection;
#[cfg(feature = "clickhouse")]
use super::engine::{Chosen, EngineArgs};
#[cfg(feature = "clickhouse")]
use crate::clickhouse::{Condition, Engine, Explanation, Order, Portion, each, explain};
use crate::entry::Entry;
use crate::inputs::{inputs, reads_stdin};
use crate::loggers::time::NANOS;
use crate::query::{Filter, span};
use crate::report::Report;
use crate::scan::{Input, Place, Visit, scan};
use crate::show::ColorChoice;
use crate::stats::{Timeline, steps_json, write_bars};

const EXIT_STATUS: &str = "\
Exit status:
  0  everything was counted, also if that is no line
  1  something could not be read; stderr says what
  2  the command line is wrong";

/// Print how many lines there are over time, by level
///
/// A row for each step of time: its first second, a bar with a part for each level, all lines, warnings, and errors. Steps
/// are as short as `--rows` allows: 1, 5, 10 or 30 seconds, 1, 5, 10 or 30 minutes, 1 or 6 hours, 1, 7 or 364 days.
#[derive(clap::Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    shape: Shape,
    #[cfg(feature = "clickhouse")]
    #[command(flatten)]
    engine: EngineArgs,
}

/// What is printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// How many rows there are at most
    #[arg(long, value_name = "COUNT", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    rows: u16,
    /// How long a step is at least, such as `1m`; then there can be more rows
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with = "rows")]
    every: Option<i64>,
    /// Print one JSON object; its keys are documented in docs/tool.md
    #[arg(long)]
    json: bool,
    /// Whether bars have colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

/// More rows are not printed, whatever the step.
const MAX_ROWS: usize = 100_000;

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args {
        selection: Selection { paths, conditions, keys },
        shape,
        #[cfg(feature = "clickhouse")]
        engine,
    } = args;
    let filter = conditions.filter();
    let Some(key) = keys.beside(reads_stdin(&paths), report) else { return Ok(()) };
    #[cfg(feature = "clickhouse")]
    let counted = match engine.choose(&paths, key.is_some(), report) {
        None => return Ok(()),
        Some(Chosen::Files) => counted_here(inputs(&paths, key.as_ref(), report), &filter, report),
        Some(Chosen::Explain(address)) => return explain_counts(output, &address, &Condition::of(&filter)),
        Some(Chosen::Stored(mut engine)) => match engine.consistent(|engine| counted_there(engine, &filter)) {
            Ok(counted) => counted,
            Err(why) => {
                report.failure(&why);
                return Ok(());
            }
        },
    };
    #[cfg(not(feature = "clickhouse"))]
    let counted = counted_here(inputs(&paths, key.as_ref(), report), &filter, report);
    let (timeline, without_time) = counted;
    let every = shape.every.map(|nanos| nanos.div_euclid(NANOS).max(1));
    let most = if every.is_some() { MAX_ROWS } else { shape.rows.into() };
    let (seconds, steps) = timeline.steps(most, every);
    if shape.json {
        let steps: Vec<_> = steps_json(&steps);
        writeln!(output, "{}", json!({ "step_seconds": seconds, "steps": steps, "without_time": without_time }))?;
    } else {
        write_bars(output, &steps, shape.color.paint(io::stdout().is_terminal()))?;
        output.flush()?;
        if without_time > 0 {
            let (lines, have) = if without_time == 1 { ("line", "has") } else { ("lines", "have") };
            report.note(&format!("{without_time} {lines} {have} no time"));
        }
    }
    Ok(())
}

/// Returns the lines of files over time, and how many have no time.
fn counted_here(inputs: Vec<Input>, filter: &Filter, report: &mut Report) -> (Timeline, u64) {
    let (mut timeline, mut without_time) = (Timeline::default(), 0);
    for counts in scan(inputs, || Counts::new(filter), report).visitors {
        timeline.merge(counts.timeline);
        without_time += counts.without_time;
    }
    (timeline, without_time)
}

/// Returns the same of lines in ClickHouse, which counts them unless the tool has to judge them.
#[cfg(feature = "clickhouse")]
fn counted_there(engine: &Engine, filter: &Filter) -> Result<(Timeline, u64), String> {
    let condition = Condition::of(filter);
    if condition.is_exact() {
        return Ok((engine.timeline(&condition)?, engine.count_without_time(&condition)?));
    }
    let mut counts = Counts::new(filter);
    let portion = Portion { condition: &condition, order: Order::Logs, limit: None };
    each(engine, portion, |entry, _| counts.visit(entry, Place::default()))?;
    Ok((counts.timeline, counts.without_time))
}

#[cfg(feature = "clickhouse")]
fn explain_counts(
    output: &mut impl Write,
    address: &crate::clickhouse::Address,
    condition: &Condition,
) -> io::Result<()> {
    let lines = Portion { condition, order: Order::Logs, limit: None };
    let explanation = if condition.is_exact() { Explanation::Timeline(condition) } else { Explanation::Lines(lines) };
    explain(output, address, &explanation)
}

/// The lines that one thread has seen.
struct Counts<'f> {
    filter: &'f Filter,
    timeline: Timeline,
    without_time: u64,
}

impl<'f> Counts<'f> {
    fn new(filter: &'f Filter) -> Self {
        Self { filter, timeline: Timeline::default(), without_time: 0 }
    }
}

impl Visit for Counts<'_> {
    fn visit(&mut self, entry: &Entry<'_>, _: Place) {
        if !self.filter.matches(entry) {
            return;
        }
        match entry.time() {
            Some(time) => self.timeline.add(time.div_euclid(NANOS), entry.level()),
            None => self.without_time += 1,
        }
    }
}
