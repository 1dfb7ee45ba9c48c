//! `spanline find`: the lines of logs that meet conditions.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;

use chrono::Local;
use regex::bytes::Regex;
use spanline::record::Timestamp;

use crate::entry::{Entry, Form};
use crate::inputs::{Merged, sources};
use crate::loggers::LineLevel;
use crate::nearest::unknown;
use crate::query::{self, Expression, Filter};
use crate::report::Report;
use crate::show::{ColorChoice, Format, Printer};

const LANGUAGE: &str = r#"The language of --where:
  status >= 500 and elapsed_ms > 10    =, !=, <, <=, >, >=; and, or, not, parentheses
  path ~ "/orders/[0-9]+"              ~ and !~ match a regular expression somewhere in the text
  has user_id and not user_id = null   whether there is a field
  level >= warn or labels.user_id = 7  levels by rank; dots lead into objects, unless a key has them
  time >= "today 14:00"                times as for --since
  Names: level, time, service, target, message, request_id, trace_id, and every field. A comparison with a field that a
  line lacks is false. Unusual names are put in quotes.

Examples:
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
#[command(after_help = LANGUAGE)]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, one file of it, a directory with logs in it, or `-` for stdin; without one: stdin
    /// if it is a pipe or a file, else the working directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    shape: Shape,
}

/// What is found.
#[derive(clap::Args)]
#[command(next_help_heading = "Conditions")]
pub(super) struct Conditions {
    /// Only lines of this level and more severe ones
    #[arg(long, short, value_name = "LEVEL", value_parser = level)]
    level: Option<LineLevel>,
    /// Only lines of this service; can be repeated, as the next three
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only lines of this target, or of a module in it
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// Only lines of the request with this id
    #[arg(long, value_name = "ID")]
    request: Vec<String>,
    /// Only lines of the trace with this id
    #[arg(long, value_name = "ID")]
    trace: Vec<String>,
    /// Only lines from this time on: `2026-11-20T10:15:38Z`, `2026-11-20 14:00`, `10m`, `2 days`, `today 14:00`, `yesterday`
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only lines before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only lines that meet this expression; the language is described below
    #[arg(long = "where", value_name = "EXPRESSION", value_parser = expression)]
    expression: Option<Expression>,
    /// Only lines that match this regular expression as they are written; if repeated, all of them
    #[arg(long, value_name = "REGEX", value_parser = query::grep)]
    grep: Vec<Regex>,
}

/// How it is printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// Also print this many lines before and behind each line found
    #[arg(long, short = 'C', value_name = "LINES", default_value_t = 0, hide_default_value = true)]
    context: usize,
    /// Stop after this many lines were found
    #[arg(long, value_name = "LINES")]
    limit: Option<NonZeroU64>,
    /// Print only how many lines were found
    #[arg(long)]
    count: bool,
    /// How lines are printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Whether they have colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { paths, conditions, shape } = args;
    let is_terminal = io::stdout().is_terminal();
    let format = shape.format.unwrap_or(if is_terminal { Format::Pretty } else { Format::Raw });
    let filter = conditions.filter();
    let mut lines = Merged::new(sources(&paths, report));
    let around = if shape.count { 0 } else { shape.context };
    let mut printer = Printer::new(output, format, shape.color.paint(is_terminal), lines.are_several(), around);
    let limit = shape.limit.map_or(u64::MAX, NonZeroU64::get);
    let (mut found, mut unparsed) = (0_u64, Unparsed::default());
    while found < limit || printer.is_open() {
        if !lines.is_ready() {
            printer.flush()?;
        }
        let Some(entry) = lines.advance(report).then(|| lines.entry()).flatten() else { break };
        unparsed.count(&entry);
        if found == limit || !filter.matches(&entry) {
            printer.passed(&entry)?;
            continue;
        }
        found += 1;
        if !shape.count {
            printer.found(&entry)?;
        }
    }
    if shape.count {
        writeln!(output, "{found}")?;
    }
    output.flush()?;
    unparsed.report(report);
    if found == 0 {
        report.fail();
    }
    Ok(())
}

impl Conditions {
    pub(super) fn filter(self) -> Filter {
        Filter {
            level: self.level,
            services: self.service,
            targets: self.target,
            requests: self.request,
            traces: self.trace,
            since: self.since,
            until: self.until,
            expression: self.expression,
            grep: self.grep,
        }
    }
}

/// Counts the lines that are no records.
#[derive(Default)]
struct Unparsed {
    text: u64,
    broken: u64,
}

impl Unparsed {
    fn count(&mut self, entry: &Entry<'_>) {
        match entry.form() {
            Form::Text => self.text += 1,
            Form::Broken => self.broken += 1,
            _ => {}
        }
    }

    fn report(&self, report: &Report) {
        let Self { text, broken } = self;
        if text + broken > 0 {
            let of = text + broken;
            let (lines, were, records) =
                if of == 1 { ("line", "was", "no record") } else { ("lines", "were", "no records") };
            report.note(&format!("{of} {lines} {were} {records}: {broken} broken, {text} of plain text"));
        }
    }
}

fn level(text: &str) -> Result<LineLevel, String> {
    LineLevel::named(text).ok_or_else(|| unknown("level", text, &LineLevel::NAMES))
}

fn time(text: &str) -> Result<i64, String> {
    query::when(text, Timestamp::now(), &Local)
}

pub(super) fn expression(text: &str) -> Result<Expression, query::Mistake> {
    query::parse(text, Timestamp::now())
}
