//! `spanline find`: the lines of logs that meet conditions.

use std::io::{self, Write};
use std::path::PathBuf;

use super::conditions::{Conditions, LANGUAGE};
#[cfg(feature = "clickhouse")]
use super::engine::{Chosen, EngineArgs};
use super::index::IndexArgs;
use super::shape::Shape;
#[cfg(feature = "clickhouse")]
use crate::clickhouse::{Condition, Explanation, Order, Portion, explain};
use crate::entry::Entry;
use crate::inputs::{Merged, reads_stdin, report_cut_lines, searchable, sources};
use crate::query::{Filter, Sample, Sampler};
use crate::report::Report;
use crate::scan::{Question, Search};
use crate::sealed::{Key, KeyArgs};
use crate::show::{Printer, Rounds, Unparsed};

const EXAMPLES: &str = r#"Examples:
  spanline find logs/orders.log --level warn --since 10m
  spanline find logs --where 'status >= 500 and path ~ "/orders/"' --context 3
  kubectl logs orders | spanline find --request r-1 --format json

Exit status:
  0  something was found
  1  nothing was found, or something could not be read; stderr says what
  2  the command line is wrong"#;

/// Print the lines of logs that meet conditions
///
/// Reads all files of each log, also of other loggers: tracing_subscriber, bunyan, pino, ECS, Google Cloud, logfmt, syslog,
/// and `epoch-seconds | level | message | service | trace`. The lines of several logs are merged by time; a line without a
/// time stays behind the line before it. Lines that are no records are printed if no condition needs more than their text,
/// and are counted on stderr.
#[derive(clap::Args)]
#[command(after_help = format!("{LANGUAGE}\n\n{EXAMPLES}"))]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, one file of it, a directory with logs in it, a pattern such as
    /// `'logs/*.log'`, or `-` for stdin; without one: stdin if it is a pipe or a file, else the working directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    conditions: Conditions,
    /// Print only every N-th line found, or a share such as `1%`: whole traces, as their ids decide
    #[arg(long, value_name = "N", help_heading = "Output")]
    sample: Option<Sample>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    index: IndexArgs,
    #[cfg(feature = "clickhouse")]
    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    /// Returns whether stdin is one of the inputs.
    pub(super) fn reads_stdin(&self) -> bool {
        reads_stdin(&self.paths)
    }
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args {
        paths,
        conditions,
        sample,
        shape,
        keys,
        index,
        #[cfg(feature = "clickhouse")]
        engine,
    } = args;
    let filter = conditions.filter();
    let (limit, counts_only) = (shape.limit(), shape.count);
    let wanted = Wanted {
        filter: &filter,
        has_context: shape.has_context(),
        is_count: counts_only && sample.is_none(),
        limit: Some(limit).filter(|limit| *limit < u64::MAX && sample.is_none()),
        index: &index,
    };
    let Some(style) = report.usage(shape.style()) else { return Ok(()) };
    let Some(key) = keys.beside(reads_stdin(&paths), report) else { return Ok(()) };
    #[cfg(feature = "clickhouse")]
    let (lines, is_stored) = match engine.choose(&paths, key.is_some(), report) {
        None => return Ok(()),
        Some(Chosen::Files) => (wanted.read(&paths, key.as_ref(), report), false),
        Some(chosen) => match wanted.ask(chosen, output, report)? {
            None => return Ok(()),
            Some(lines) => (Lines::Each(lines), true),
        },
    };
    #[cfg(not(feature = "clickhouse"))]
    let (lines, is_stored) = (wanted.read(&paths, key.as_ref(), report), false);
    let printed = match lines {
        Lines::Searched(search, are_several) if !counts_only && sample.is_none() => {
            print_all(search, style.rounds(are_several), limit, output, report)?
        }
        lines => {
            let mut lines = lines.each();
            let mut sampler = sample.map(Sampler::new);
            let printer = (!counts_only).then(|| style.printer(&mut *output, lines.are_several()));
            let is_found = |entry: &Entry<'_>| {
                filter.matches(entry) && sampler.as_mut().is_none_or(|sampler| sampler.takes(entry))
            };
            print_each(&mut lines, printer, is_found, limit, report)?
        }
    };
    // A node that fails causes an error, never a smaller number.
    if counts_only && !(is_stored && report.has_failed()) {
        writeln!(output, "{}", printed.found)?;
    }
    output.flush()?;
    printed.unparsed.report(report);
    report_cut_lines(printed.cut_lines, report);
    if printed.found == 0 {
        report.fail();
    }
    Ok(())
}

/// What was printed, or counted.
struct Printed {
    found: u64,
    unparsed: Unparsed,
    /// How many lines were read of which only the first bytes count.
    cut_lines: u64,
}

/// Prints all lines that a search finds, up to a limit.
fn print_all(
    mut search: Search,
    mut rounds: Rounds,
    limit: u64,
    output: &mut impl Write,
    report: &mut Report,
) -> io::Result<Printed> {
    let (mut found, mut cut_lines, mut line) = (0, 0, Vec::new());
    rounds.begin(output)?;
    while found < limit {
        if !search.is_ready() {
            rounds.print(output)?;
            output.flush()?;
        }
        match search.next_line(&mut line) {
            Ok(Some(known)) => {
                found += 1;
                cut_lines += u64::from(known.is_cut);
                rounds.put(&line, known, output)?;
            }
            Ok(None) => break,
            Err(why) => report.failure(&why),
        }
    }
    rounds.print(output)?;
    let passed = search.passed();
    Ok(Printed { found, unparsed: rounds.unparsed().and_passed(passed), cut_lines: cut_lines + passed.cut })
}

/// Prints the lines that are found, one after the other, and those around them, up to a limit. Without a printer, it counts
/// them.
fn print_each(
    lines: &mut Merged,
    mut printer: Option<Printer<'_, impl Write>>,
    mut is_found: impl FnMut(&Entry<'_>) -> bool,
    limit: u64,
    report: &mut Report,
) -> io::Result<Printed> {
    if let Some(printer) = &mut printer {
        printer.begin()?;
    }
    let (mut found, mut unparsed) = (0_u64, Unparsed::default());
    while found < limit || printer.as_ref().is_some_and(Printer::is_open) {
        if let Some(printer) = printer.as_mut().filter(|_| !lines.is_ready()) {
            printer.flush()?;
        }
        let Some(entry) = lines.advance(report).then(|| lines.entry()).flatten() else { break };
        unparsed.count(&entry);
        let is_found = found < limit && is_found(&entry);
        found += u64::from(is_found);
        match &mut printer {
            Some(printer) if is_found => printer.found(&entry)?,
            Some(printer) => printer.passed(&entry)?,
            None => {}
        }
    }
    let found = found.saturating_add(lines.counted()).min(limit);
    Ok(Printed { found, unparsed: unparsed.and_passed(lines.passed()), cut_lines: lines.cut_lines() })
}

/// The lines that may be meant.
enum Lines {
    /// Those that are, and whether they are those of several logs.
    Searched(Search, bool),
    Each(Merged),
}

impl Lines {
    fn each(self) -> Merged {
        match self {
            Self::Searched(search, are_several) => Merged::stored(search, are_several),
            Self::Each(lines) => lines,
        }
    }
}

/// What is looked for.
struct Wanted<'f> {
    filter: &'f Filter,
    /// Whether also lines are printed that do not meet the conditions.
    has_context: bool,
    is_count: bool,
    limit: Option<u64>,
    index: &'f IndexArgs,
}

impl Wanted<'_> {
    /// Returns the lines of files and stdin that may be meant: all of them if the lines around matter, or come one by one.
    fn read(&self, paths: &[PathBuf], key: Option<&Key>, report: &mut Report) -> Lines {
        let is_search = !self.has_context && key.is_none();
        match is_search.then(|| searchable(paths, report)).flatten() {
            Some(logs) => {
                let are_several = logs.len() > 1;
                let is_count = self.is_count && self.limit.is_none();
                let question =
                    Question { is_count, index: self.index.store(), ..Question::of_filter(self.filter.clone()) };
                Lines::Searched(Search::new(logs, question), are_several)
            }
            None => Lines::Each(Merged::new(sources(paths, key, report))),
        }
    }

    /// Returns the lines of ClickHouse that may be meant; `None` if all was printed, or reported.
    #[cfg(feature = "clickhouse")]
    fn ask(&self, chosen: Chosen, output: &mut impl Write, report: &mut Report) -> io::Result<Option<Merged>> {
        let condition = Condition::of(self.filter);
        let condition = if self.has_context { condition.widened() } else { condition };
        let limit = self.limit.filter(|_| condition.is_exact());
        let portion = Portion { condition: &condition, order: Order::Merged, limit };
        let counts = self.is_count && condition.is_exact();
        match chosen {
            Chosen::Files => {}
            Chosen::Explain(address) if counts => explain(output, &address, &Explanation::Count(&condition))?,
            Chosen::Explain(address) => explain(output, &address, &Explanation::Lines(portion))?,
            Chosen::Stored(engine) if counts => match engine.count(&condition) {
                Ok(found) => {
                    let found = self.limit.map_or(found, |limit| found.min(limit));
                    writeln!(output, "{found}")?;
                    if found == 0 {
                        report.fail();
                    }
                }
                Err(why) => report.failure(&why),
            },
            Chosen::Stored(engine) => match engine.lines(portion) {
                Ok(lines) => return Ok(Some(Merged::stored(lines, engine.are_several()))),
                Err(why) => report.failure(&why),
            },
        }
        Ok(None)
    }
}
