//! `spanline stats`: what the lines of logs say together.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(all(unix, feature = "follow", feature = "collect"))]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "clickhouse")]
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use spanline::record::Timestamp;

use super::conditions::{Conditions, Selection};
#[cfg(feature = "clickhouse")]
use super::engine::{Chosen, EngineArgs};
#[cfg(feature = "clickhouse")]
use crate::clickhouse::{self, Condition, Explanation, Order, Portion, explain};
use crate::entry::Parser;
#[cfg(all(unix, feature = "follow", feature = "collect"))]
use crate::export::{Export, ExportArgs};
#[cfg(all(unix, feature = "follow", feature = "collect"))]
use crate::follow::{END_PATIENCE, Stop, UntilStop};
use crate::inputs::{inputs, reads_stdin};
use crate::loggers::time::NANOS;
use crate::page::{is_refused, write_page};
use crate::report::Report;
use crate::scan::{Input, Totals, scan};
#[cfg(all(unix, feature = "follow", feature = "collect"))]
use crate::scan::{Stream, scan_while};
use crate::show::{ColorChoice, Printer, Style, value_of};
use crate::stats::{
    Answer, Disk, MAX_SERVICES, Measure, Names, Questions, Run, Stats, Window, grouped, span_text, time_text,
};
#[cfg(all(unix, feature = "follow", feature = "collect"))]
use crate::stats::{Counter, tell};
#[cfg(all(unix, feature = "follow"))]
use crate::stats::{Settings, Shown, watch};

const EXAMPLES: &str = "\
Examples:
  spanline stats logs
  spanline stats logs --since 1h --field elapsed_ms --by path
  cat *.log | spanline stats --json
  spanline stats logs --html stats.html
  spanline stats logs --watch

Exit status:
  0  everything was counted, also if that is no line
  1  something could not be read; stderr says what
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
    #[command(flatten)]
    page: PageArgs,
    #[cfg(all(unix, feature = "follow"))]
    #[command(flatten)]
    live: Live,
    #[cfg(all(unix, feature = "follow", feature = "collect"))]
    #[command(flatten)]
    export: ExportArgs,
    #[cfg(feature = "clickhouse")]
    #[command(flatten)]
    engine: EngineArgs,
}

/// The page that is written instead.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct PageArgs {
    /// Write a page for browsers to this file, which must be new; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Replace the file of `--html`, if it is a regular one
    #[arg(long, requires = "html")]
    force: bool,
}

/// Whether it goes on with the lines that come.
#[cfg(all(unix, feature = "follow"))]
#[derive(clap::Args)]
#[command(next_help_heading = "Live")]
struct Live {
    /// Go on with new lines, as `follow` does, and show the answer every second; `q` or Ctrl-C ends with the last one. Without a
    /// terminal, and with --json, each answer that differs is printed
    #[arg(long, short, conflicts_with = "html")]
    watch: bool,
    /// Go on with new lines until Ctrl-C, SIGTERM or the end of stdin, and print the answer then
    #[arg(long, short, conflicts_with_all = ["watch", "html"])]
    follow: bool,
}

#[cfg(all(unix, feature = "follow"))]
impl Live {
    /// Returns when answers are shown; `None` if nothing is live.
    fn shown(&self, is_json: bool) -> Option<Shown> {
        match (self.watch, self.follow) {
            (true, _) if is_json => Some(Shown::Listed),
            (true, _) => Some(Shown::Replaced),
            (false, true) => Some(Shown::Last),
            (false, false) => None,
        }
    }
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

#[cfg(all(unix, feature = "follow"))]
impl Args {
    /// Returns whether it goes on with new lines.
    pub(super) fn is_live(&self) -> bool {
        self.live.watch || self.live.follow
    }
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args {
        selection: Selection { paths, conditions, keys },
        shape,
        page,
        #[cfg(all(unix, feature = "follow"))]
        live,
        #[cfg(all(unix, feature = "follow", feature = "collect"))]
        export,
        #[cfg(feature = "clickhouse")]
        engine,
    } = args;
    if page.html.as_ref().is_some_and(|path| is_refused(path, page.force, report)) {
        return Ok(());
    }
    let Some(key) = keys.beside(reads_stdin(&paths), report) else { return Ok(()) };
    #[cfg(all(unix, feature = "follow"))]
    if live.shown(false).is_some() && key.is_some() {
        report.usage::<()>(Err("--key: sealed logs are not followed; remove --watch and --follow".to_owned()));
        return Ok(());
    }
    #[cfg(all(unix, feature = "follow", feature = "clickhouse"))]
    if live.shown(false).is_some() && !engine.reads_files() {
        report.usage::<()>(Err("--watch and --follow read files; remove --engine clickhouse".to_owned()));
        return Ok(());
    }
    #[cfg(all(unix, feature = "follow", feature = "collect", feature = "clickhouse"))]
    if export.is_given() && !engine.reads_files() {
        report.usage::<()>(Err("--to and --prometheus pass on lines of files; remove --engine clickhouse".to_owned()));
        return Ok(());
    }
    // Before the address of the scrape is printed: its reader may send a signal at once.
    #[cfg(all(unix, feature = "follow", feature = "collect"))]
    let stop = if export.is_given() && live.shown(false).is_none() { Some(Stop::new(true)?.flag()) } else { None };
    #[cfg(all(unix, feature = "follow", feature = "collect"))]
    let Some(export) = export.start(report) else { return Ok(()) };
    #[cfg(all(unix, feature = "follow"))]
    if let Some(shown) = live.shown(shape.json) {
        let questions = shape.questions(conditions, true);
        #[cfg(feature = "collect")]
        let onward = export.as_ref().map(|export| export as _);
        #[cfg(not(feature = "collect"))]
        let onward = None;
        let settings = Settings { paths: &paths, questions: &questions, shown, onward };
        let watched = watch(&settings, |answer, run, output| shape.write(answer, run, output), output, report);
        #[cfg(feature = "collect")]
        export.into_iter().for_each(|export| export.end(report));
        return watched;
    }
    let begun = Instant::now();
    let questions = shape.questions(conditions, false);
    let counted_here = |report: &mut Report| {
        let inputs = inputs(&paths, key.as_ref(), report);
        let files = inputs.len() as u64;
        #[cfg(all(unix, feature = "follow", feature = "collect"))]
        let (visitors, totals) = match export.zip(stop) {
            Some((export, stop)) => counted(inputs, &questions, (export, stop), report),
            None => plain(inputs, &questions, report),
        };
        #[cfg(not(all(unix, feature = "follow", feature = "collect")))]
        let (visitors, totals) = plain(inputs, &questions, report);
        let read = begun.elapsed();
        let answer = report.check(Stats::merge(&questions, visitors))?;
        Some((answer, Run { files, totals, read, merge: begun.elapsed().saturating_sub(read) }))
    };
    #[cfg(feature = "clickhouse")]
    let counted = match engine.choose(&paths, key.is_some(), report) {
        None => return Ok(()),
        Some(Chosen::Files) => counted_here(report),
        Some(Chosen::Explain(address)) => return explain_counts(output, &address, &questions),
        Some(Chosen::Stored(engine)) => counted_there(*engine, &questions, begun, report),
    };
    #[cfg(not(feature = "clickhouse"))]
    let counted = counted_here(report);
    let Some((answer, run)) = counted else { return Ok(()) };
    match &page.html {
        None => shape.write(&answer, &run, output)?,
        Some(path) if path == Path::new("-") => output.write_all(shape.html(&answer, &run).as_bytes())?,
        Some(path) => write_page(path, shape.html(&answer, &run).as_bytes(), page.force, report),
    }
    Ok(())
}

/// Counts all lines.
fn plain<'q>(inputs: Vec<Input>, questions: &'q Questions, report: &mut Report) -> (Vec<Stats<'q>>, Totals) {
    let scanned = scan(inputs, || Stats::new(questions), report);
    (scanned.visitors, scanned.totals)
}

/// Counts all lines, passes them on, and waits for the outputs. A signal ends it early: what has arrived on stdin counts.
#[cfg(all(unix, feature = "follow", feature = "collect"))]
fn counted<'q>(
    inputs: Vec<Input>,
    questions: &'q Questions,
    (export, stop): (Export, Arc<AtomicBool>),
    report: &mut Report,
) -> (Vec<Stats<'q>>, Totals) {
    let mut is_stopped = None;
    let stoppable = |input: Input| match input {
        Input::Stdin(_, key) => {
            let stdin = UntilStop::stdin(Arc::clone(&stop))?;
            is_stopped = Some(stdin.is_stopped());
            Ok(Input::Stdin(Stream::new(stdin), key))
        }
        input => Ok(input),
    };
    let inputs = report.check(inputs.into_iter().map(stoppable).collect::<io::Result<_>>()).unwrap_or_default();
    let (has_stdin, halt, mut since) = (is_stopped.is_some(), AtomicBool::new(false), None);
    let meanwhile = |report: &Report| {
        tell(&export, report);
        let is_over = |since: Instant| !has_stdin || since.elapsed() >= END_PATIENCE;
        if stop.load(Ordering::Relaxed) && is_over(*since.get_or_insert_with(Instant::now)) {
            halt.store(true, Ordering::Relaxed);
        }
    };
    let scanned = scan_while(inputs, || Counter::new(questions, Some(&export), &halt), meanwhile, report);
    let is_stopped = is_stopped.is_some_and(|is_stopped| is_stopped.load(Ordering::Relaxed));
    if is_stopped || !scanned.is_whole || scanned.visitors.iter().any(Counter::has_left_out) {
        report.failure("interrupted before all lines were counted");
    }
    let (visitors, totals) = (scanned.visitors, scanned.totals);
    let stats = visitors.into_iter().map(Counter::end).collect();
    export.end(report);
    (stats, totals)
}

/// Counts lines in ClickHouse. Reports why it cannot.
#[cfg(feature = "clickhouse")]
fn counted_there(
    mut engine: clickhouse::Engine,
    questions: &Questions,
    begun: Instant,
    report: &mut Report,
) -> Option<(Answer, Run)> {
    let condition = Condition::of(&questions.filter);
    let answer = engine.consistent(|engine| clickhouse::answer(engine, questions, &condition));
    let answer = answer.map_err(|why| report.failure(&why)).ok()?;
    let (files, totals) = engine.totals();
    Some((answer, Run { files, totals, read: begun.elapsed(), merge: Duration::ZERO }))
}

#[cfg(feature = "clickhouse")]
fn explain_counts(output: &mut impl Write, address: &clickhouse::Address, questions: &Questions) -> io::Result<()> {
    let condition = Condition::of(&questions.filter);
    let is_counted = condition.is_exact() && questions.measures.is_empty();
    let lines = Portion { condition: &condition, order: Order::Logs, limit: None };
    let explanation = if is_counted { Explanation::Answer(&condition, questions) } else { Explanation::Lines(lines) };
    explain(output, address, &explanation)
}

impl Shape {
    /// `is_live`: whether the clock goes on.
    fn questions(&self, conditions: Conditions, is_live: bool) -> Questions {
        let seconds = self.recent.div_euclid(NANOS).max(1);
        let window = match (self.clock, is_live) {
            (false, _) => Window::OfLogs(seconds),
            #[cfg(all(unix, feature = "follow"))]
            (true, true) => Window::UpToNow(seconds),
            (true, _) => Window::Since(Timestamp::now().as_nanos().saturating_sub(self.recent).div_euclid(NANOS)),
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

    /// Writes an answer, and how long it took.
    fn write(&self, answer: &Answer, run: &Run, output: &mut impl Write) -> io::Result<()> {
        if !self.json {
            run.write_head(answer, output)?;
            answer.write(output, &self.lately())?;
            self.write_recent(answer, output)?;
            return run.write_end(output);
        }
        let mut all = answer.json(&recent_errors(answer));
        if let Value::Object(all) = &mut all {
            all.insert("run".to_owned(), run.json());
        }
        writeln!(output, "{}", crate::escape::escaped_json(&all.to_string()))
    }

    /// Returns a page of an answer.
    fn html(&self, answer: &Answer, run: &Run) -> String {
        answer.html(run, &self.lately(), &recent_errors(answer))
    }

    /// Returns what is recent.
    fn lately(&self) -> String {
        format!("in the last {}", span_text(self.recent))
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

/// Returns the recent errors as objects.
fn recent_errors(answer: &Answer) -> Vec<Value> {
    let mut parser = Parser::default();
    answer.recent.entries.iter().map(|recent| value_of(&recent.entry(&mut parser))).collect()
}
