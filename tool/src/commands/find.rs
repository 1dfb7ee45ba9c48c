//! `spanline find`: the lines of logs that meet conditions.

use std::io::{self, Write};
use std::path::PathBuf;

use super::conditions::{Conditions, LANGUAGE};
use super::shape::Shape;
use crate::inputs::{Merged, reads_stdin, sources};
use crate::query::{Sample, Sampler};
use crate::report::Report;
use crate::sealed::KeyArgs;
use crate::show::Unparsed;

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
}

impl Args {
    /// Returns whether stdin is one of the inputs.
    pub(super) fn reads_stdin(&self) -> bool {
        reads_stdin(&self.paths)
    }
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { paths, conditions, sample, shape, keys } = args;
    let filter = conditions.filter();
    let (limit, counts_only) = (shape.limit(), shape.count);
    let Some(style) = report.usage(shape.style()) else { return Ok(()) };
    let Some(key) = keys.beside(reads_stdin(&paths), report) else { return Ok(()) };
    let mut lines = Merged::new(sources(&paths, key.as_ref(), report));
    let mut printer = style.printer(output, lines.are_several());
    if !counts_only {
        printer.begin()?;
    }
    let mut sampler = sample.map(Sampler::new);
    let (mut found, mut unparsed) = (0_u64, Unparsed::default());
    while found < limit || printer.is_open() {
        if !lines.is_ready() {
            printer.flush()?;
        }
        let Some(entry) = lines.advance(report).then(|| lines.entry()).flatten() else { break };
        unparsed.count(&entry);
        let mut is_taken = || sampler.as_mut().is_none_or(|sampler| sampler.takes(&entry));
        if found == limit || !filter.matches(&entry) || !is_taken() {
            printer.passed(&entry)?;
            continue;
        }
        found += 1;
        if !counts_only {
            printer.found(&entry)?;
        }
    }
    if counts_only {
        writeln!(output, "{found}")?;
    }
    output.flush()?;
    unparsed.report(report);
    lines.report_cut_lines(report);
    if found == 0 {
        report.fail();
    }
    Ok(())
}
