//! `spanline doctor`: what is wrong with logs.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::conditions::{Selection, expression};
use crate::counted::{counted, plural};
use crate::doctor::{Examination, Finding, Settings, Site};
use crate::escape::{escaped, escaped_json, escaped_text};
use crate::inputs::{inputs, reads_stdin};
use crate::loggers::time::NANOS;
use crate::query::{Expression, span};
use crate::report::Report;
use crate::scan::{Input, scan};

const EXIT_STATUS: &str = "\
Exit status:
  0  nothing was found, also in a log without lines
  1  something was found, or something could not be read; stderr says what
  2  the command line is wrong";

/// Tell what is wrong with logs
///
/// Looks for broken lines, keys that a line has twice, lines without a time or a level, fields of several types, lines that
/// are too long for readers, lost lines, requests without an end, times without lines, clocks that differ, and missing ids.
/// Names the call sites that write most.
#[derive(clap::Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    shape: Shape,
}

/// What counts as trouble, and how it is printed.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// Which line says how a request ended, in the language of `spanline find --where`
    #[arg(long, value_name = "EXPRESSION", value_parser = expression, default_value = END)]
    end: Expression,
    /// How long a service has to be silent
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "5m")]
    gap: i64,
    /// Print one JSON object; its keys are documented in docs/tool.md
    #[arg(long)]
    json: bool,
}

/// The lines of the library's layers, of spans that are closed, and usual ones of other loggers.
const END: &str =
    "has latency_us or has duration_us or has status or has elapsed_ms or message ~ '(?i)(finished|completed)'";

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { selection: Selection { paths, conditions, keys }, shape } = args;
    let settings = Settings::new(conditions.filter(), shape.end, shape.gap.div_euclid(NANOS).max(1));
    let Some(key) = keys.beside(reads_stdin(&paths), report) else { return Ok(()) };
    let inputs = inputs(&paths, key.as_ref(), report);
    let names: Vec<String> = inputs.iter().map(name).collect();
    let name = |input: usize| names.get(input).cloned().unwrap_or_default();
    let scanned = scan(inputs, || Examination::new(&settings), report);
    let (findings, sites) = Examination::findings(scanned.visitors, &settings);
    if shape.json {
        let all: Vec<Value> = findings.iter().map(|finding| finding.json(name)).collect();
        let site = |site: &Site| json!({ "target": site.target, "message": site.message, "lines": site.lines, "share": site.share });
        let sites: Vec<Value> = sites.iter().map(site).collect();
        let all = json!({ "lines": scanned.totals.lines, "findings": all, "noisiest": sites });
        writeln!(output, "{}", escaped_json(&all.to_string()))?;
    } else {
        findings.iter().try_for_each(|finding| write_finding(output, finding, name))?;
        write_sites(output, &sites)?;
        let lines = scanned.totals.lines;
        let all = counted(lines, "line", "lines");
        match findings.len() as u64 {
            0 => writeln!(output, "{all}: nothing is wrong with {}", plural(lines, "it", "them"))?,
            more => writeln!(output, "{all}, {}", counted(more, "finding", "findings"))?,
        }
    }
    if !findings.is_empty() {
        report.fail();
    }
    Ok(())
}

fn name(input: &Input) -> String {
    match input {
        Input::Segment(segment) | Input::Sealed(segment, _) => escaped(segment.path()),
        Input::Start(file, _) => escaped(file.path()),
        Input::Stdin(..) => "stdin".to_owned(),
    }
}

fn write_finding(output: &mut impl Write, finding: &Finding, name: impl Fn(usize) -> String) -> io::Result<()> {
    writeln!(output, "{}", escaped_text(&finding.text))?;
    if let Some(example) = &finding.example {
        let place = example.place;
        writeln!(output, "    such as {} at byte {}: {}", name(place.input), place.at, escaped_text(&example.text()))?;
    }
    writeln!(output, "    {}\n", finding.advice)
}

fn write_sites(output: &mut impl Write, sites: &[Site]) -> io::Result<()> {
    if sites.is_empty() {
        return Ok(());
    }
    writeln!(output, "what writes most, by its share of all bytes:")?;
    for Site { target, message, lines, share } in sites {
        let (target, message) = (escaped_text(target), escaped_text(message));
        let lines = counted(*lines, "line", "lines");
        writeln!(output, "    {:3.0} %  {lines}  {target}  {message}", share * 100.0)?;
    }
    writeln!(output)
}
