//! `spanline trace`: a waterfall of one trace or request.

use std::io::{self, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::conditions::ZoneArgs;
#[cfg(feature = "clickhouse")]
use super::engine::{Chosen, EngineArgs};
use super::index::IndexArgs;
#[cfg(feature = "clickhouse")]
use crate::clickhouse::{Condition, Engine, Explanation, Order, Portion, explain};
use crate::entry::Parser;
#[cfg(feature = "clickhouse")]
use crate::inputs::Merged;
use crate::inputs::{or_default, reads_stdin};
use crate::loggers::LineLevel;
use crate::nearest::unknown;
use crate::page::{is_refused, write_page};
use crate::report::Report;
use crate::sealed::KeyArgs;
use crate::show::ColorChoice;
use crate::terminal::width;
use crate::trace::{Logs, Trace, View, id_of};

const AFTER_HELP: &str = r#"Examples:
  spanline trace 4bf92f3577b34da6a3ce929d0e0e4736 logs
  spanline trace r-1 orders/logs stock/logs --level info
  grep 'order lost' logs/orders.log | tail -1 | spanline trace - logs
  spanline trace r-1 logs --html r-1.html

Exit status:
  0  the trace was found
  1  nothing was found, or something could not be read or written; stderr says what
  2  the command line is wrong"#;

/// Draw one trace or request: its spans to scale, errors, gaps and the longest chain
///
/// The lines may be of any services and loggers, with or without lines for spans that close. Of a request, all traces are
/// drawn; of a trace, also the lines that have only the id of its request. Spans without a duration in a line last from
/// their first to their last line.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The id of a trace, a request or a span; a line that has one; or `-` for such a line on stdin
    #[arg(value_name = "ID", required_unless_present = "line", allow_hyphen_values = false)]
    id: Option<String>,
    /// Logs, directories with logs in them, or `-` for stdin; without one: stdin if it is a pipe or a file, else the working
    /// directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A line of the trace, instead of an id; `-` reads it from stdin
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    line: Option<String>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    zone: ZoneArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    index: IndexArgs,
    #[cfg(feature = "clickhouse")]
    #[command(flatten)]
    engine: EngineArgs,
}

/// What is shown.
#[derive(clap::Args)]
#[command(next_help_heading = "What is shown")]
struct ViewArgs {
    /// Give lines of this level and more severe ones a row; all lines are marked on the bars
    #[arg(long, short, value_name = "LEVEL", value_parser = level, default_value = "warn")]
    level: LineLevel,
    /// Show at most this many spans: those of the longest chain, those with errors, and the longest others [default: 500,
    /// and 5000 in a page]
    #[arg(long, value_name = "SPANS")]
    limit: Option<NonZeroUsize>,
    /// Name gaps that are longer than this share of the whole time
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    gap: u8,
}

/// How it is written.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Print the spans as JSON
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Write a page for browsers to this file, which must be new; `-` is stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace the file of `--html`, if it is a regular one
    #[arg(long, requires = "html")]
    force: bool,
    /// Columns to fill; by default those of the terminal, else 100
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
    /// Draw with ASCII; the default unless the locale is UTF-8
    #[arg(long)]
    ascii: bool,
    /// Whether there are colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args {
        id,
        mut paths,
        line,
        view,
        output: shape,
        zone,
        keys,
        index,
        #[cfg(feature = "clickhouse")]
        engine,
    } = args;
    zone.apply();
    let is_page = shape.html.is_some();
    if shape.html.as_ref().is_some_and(|path| is_refused(path, shape.force, report)) {
        return Ok(());
    }
    // With `--line`, the first argument is a path.
    let given = match (line, id) {
        (Some(line), id) => {
            paths.splice(..0, id.map(PathBuf::from));
            Given::Line(line)
        }
        (None, Some(id)) => Given::IdOrLine(id),
        (None, None) => return Ok(()),
    };
    let takes_stdin = given.is_stdin();
    let Some(id) = given.id(report) else { return Ok(()) };
    let Some(key) = keys.beside(takes_stdin || reads_stdin(&paths), report) else { return Ok(()) };
    #[cfg(feature = "clickhouse")]
    let engine = match engine.choose(&paths, key.is_some(), report) {
        None => return Ok(()),
        Some(Chosen::Files) => None,
        Some(Chosen::Stored(engine)) => Some(engine),
        Some(Chosen::Explain(address)) => {
            let condition = Condition::of_ids(std::slice::from_ref(&id));
            let lines = Portion { condition: &condition, order: Order::Merged, limit: None };
            return explain(output, &address, &Explanation::Lines(lines));
        }
    };
    let paths = match (takes_stdin, paths.is_empty()) {
        (true, true) => vec![PathBuf::from(".")],
        (true, false) => paths.into_iter().filter(|path| path != Path::new("-")).collect(),
        (false, _) => or_default(paths),
    };
    let limit = view.limit.map_or(if is_page { 5000 } else { 500 }, NonZeroUsize::get);
    let view = View { spans: limit, level: view.level, gap_percent: f64::from(view.gap) };
    #[cfg(feature = "clickhouse")]
    let trace = match engine {
        Some(engine) => match stored(&id, *engine, view, report) {
            Some(trace) => trace,
            None => return Ok(()),
        },
        None => Trace::read(&id, &Logs { paths, key: key.as_ref(), index: index.store() }, view, report),
    };
    #[cfg(not(feature = "clickhouse"))]
    let trace = Trace::read(&id, &Logs { paths, key: key.as_ref(), index: index.store() }, view, report);
    let Some(trace) = trace else {
        report.failure(&format!("found no line with the id {id}"));
        return Ok(());
    };
    match &shape.html {
        Some(path) if path == Path::new("-") => output.write_all(trace.html().as_bytes()),
        Some(path) => {
            write_page(path, trace.html().as_bytes(), shape.force, report);
            Ok(())
        }
        None if shape.json => trace.write_json(output),
        None => {
            let is_terminal = io::stdout().is_terminal();
            let width = shape.width.map_or_else(columns, usize::from);
            output.write_all(trace.text(width, shape.ascii, shape.color.paint(is_terminal)).as_bytes())
        }
    }
}

/// Reads a trace whose lines are in ClickHouse. `None`: lines are missing, which was reported.
#[cfg(feature = "clickhouse")]
fn stored(id: &str, mut engine: Engine, view: View, report: &mut Report) -> Option<Option<Trace>> {
    let read = engine.consistent(|engine| {
        let open = |ids: &[String], report: &mut Report| {
            let condition = Condition::of_ids(ids);
            let lines = engine.lines(Portion { condition: &condition, order: Order::Merged, limit: None });
            let lines = lines.map_err(|why| report.failure(&why)).ok()?;
            Some(Merged::stored(lines, engine.are_several()))
        };
        Ok(Trace::read_stored(id, open, view, report))
    });
    let trace = read.map_err(|why| report.failure(&why)).ok()?;
    (!report.has_failed()).then_some(trace)
}

/// What the user passes.
enum Given {
    Line(String),
    IdOrLine(String),
}

impl Given {
    fn is_stdin(&self) -> bool {
        let (Self::Line(text) | Self::IdOrLine(text)) = self;
        text == "-"
    }

    /// Returns the id, also that of a line. Reports a line without one.
    fn id(self, report: &mut Report) -> Option<String> {
        let is_stdin = self.is_stdin();
        let may_be_id = !is_stdin && matches!(self, Self::IdOrLine(_));
        let line = match self {
            Self::IdOrLine(id) if !is_stdin && !id.trim_start().starts_with('{') && !id.contains([' ', '=']) => {
                return Some(id);
            }
            Self::Line(line) | Self::IdOrLine(line) if !is_stdin => line,
            _ => first_line(report)?,
        };
        let mut parser = Parser::default();
        let line = line.trim().as_bytes();
        parser.read(line);
        let entry = parser.entry(line);
        // An id may have such characters, too.
        if may_be_id && !entry.is_record() {
            return Some(String::from_utf8_lossy(line).into_owned());
        }
        let id = id_of(&entry);
        if id.is_none() {
            let expected = "expected the id of a trace, a request or a span, or a line with one";
            report.misuse(&io::Error::other(format!("{expected}; found a line without an id")));
        }
        id
    }
}

/// Returns the first line of stdin that is not empty.
fn first_line(report: &mut Report) -> Option<String> {
    /// More is no line that somebody pastes.
    const MAX_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    if let Err(error) = io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes) {
        report.failure(&format!("read stdin: {error}"));
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned())
}

/// Returns the columns of the terminal, else a width that fits most.
fn columns() -> usize {
    const DEFAULT: usize = 100;
    width().map_or(DEFAULT, |columns| columns.clamp(40, 1000))
}

fn level(text: &str) -> Result<LineLevel, String> {
    LineLevel::named(text).ok_or_else(|| unknown("level", text, &LineLevel::NAMES))
}
