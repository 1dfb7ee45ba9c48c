//! `spanline open`: the lines of sealed logs, as they were before they were sealed.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;

use spanline::read::{Lines, Log, Segment};
use spanline::sealed::LineOpener;

use crate::once::Once;
use crate::report::Report;
use crate::sealed::{KeyArgs, MOST_LINE_BYTES, warn_of_plain, with_key};

const EXAMPLES: &str = "\
Examples:
  spanline open logs/audit.log --key auditor.key
  spanline open logs/audit.log --key-command 'pass show audit' | grep r-42

Exit status:
  0  every line was printed
  1  something could not be read, is damaged, or has no key; stderr says what, and the rest was printed
  2  the command line is wrong";

/// Print the lines of sealed logs, oldest first
///
/// Prints all files of each log, as `cat` does, and opens the sealed ones, and sealed fields in plain lines too. The lines of
/// processes that wrote to one log at the same time are merged by time. What is damaged is reported, and what follows it is
/// printed. A file that a service is writing to is printed as far as it has come. Whether lines or files are missing is for
/// `verify` to say.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A log, such as `logs/audit.log`, or one file of it
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let key = match args.keys.key(report) {
        Ok(key) => key,
        Err(why) => {
            report.failure(&why);
            return Ok(());
        }
    };
    let mut printer = Printer { output, fields: key.clone().map(LineOpener::new), is_torn: false };
    for segments in logs(&args.paths, report) {
        let lines = Lines::new(segments).max_line_bytes(MOST_LINE_BYTES);
        printer.print(with_key(lines, key.as_ref()), report)?;
    }
    Ok(())
}

/// Returns the segments of each log that the paths lead to: `logs/*` names all files of a log.
fn logs(paths: &[PathBuf], report: &mut Report) -> Vec<Vec<Segment>> {
    let mut logs: Vec<(PathBuf, Vec<Segment>)> = Vec::new();
    let mut once = Once::default();
    for path in paths {
        let Some(log) = report.check(Log::open(path)) else { continue };
        let mut segments = report.check(log.segments()).unwrap_or_default();
        segments.retain(|segment| once.is_first(segment));
        let active = log.active_path();
        match logs.last_mut() {
            Some((last, known)) if *last == active => known.append(&mut segments),
            _ => logs.push((active, segments)),
        }
    }
    let logs: Vec<_> = logs.into_iter().map(|(_, segments)| segments).collect();
    logs.iter().for_each(|segments| warn_of_plain(segments, report));
    logs
}

struct Printer<'a, W> {
    output: &'a mut W,
    /// Opens the sealed fields in a line.
    fields: Option<LineOpener>,
    /// The last line printed has no newline.
    is_torn: bool,
}

impl<W: Write> Printer<'_, W> {
    /// Prints the lines of one log, and reports what cannot be read between them.
    fn print(&mut self, mut lines: Lines, report: &mut Report) -> io::Result<()> {
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => match &mut self.fields {
                    Some(fields) => {
                        let opened = fields.open_line(line);
                        opened.findings.iter().for_each(|finding| report.failure(finding));
                        Cow::Owned(opened.line)
                    }
                    None => Cow::Borrowed(line),
                },
                Ok(None) => return Ok(()),
                Err(error) => {
                    report.check::<(), _>(Err(error));
                    continue;
                }
            };
            if self.is_torn {
                self.output.write_all(b"\n")?;
            }
            self.output.write_all(&line)?;
            drop(line);
            self.is_torn = lines.is_torn();
            if !self.is_torn {
                self.output.write_all(b"\n")?;
            }
        }
    }
}
