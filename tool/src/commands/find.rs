//! `spanline find`: the lines of logs that meet conditions.

use std::io::{self, Write};
use std::path::PathBuf;

use super::conditions::{Conditions, LANGUAGE};
use super::shape::Shape;
use crate::inputs::{Merged, sources};
use crate::report::Report;
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
    /// A log, such as `logs/orders.log`, one file of it, a directory with logs in it, or `-` for stdin; without one: stdin
    /// if it is a pipe or a file, else the working directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    shape: Shape,
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { paths, conditions, shape } = args;
    let filter = conditions.filter();
    let mut lines = Merged::new(sources(&paths, report));
    let mut printer = shape.printer(output, lines.are_several());
    let limit = shape.limit();
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
