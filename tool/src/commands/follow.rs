//! `spanline follow`: new lines of logs as they are written, and the output of a command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::conditions::{Conditions, LANGUAGE};
use super::shape::Shape;
use crate::follow::{self, Begin, Screen, Settings};
#[cfg(feature = "keys")]
use crate::keys::{Desk, is_possible};
use crate::report::Report;

const EXAMPLES: &str = r#"Examples:
  spanline follow logs --level warn
  spanline follow orders/logs stock/logs -n 100 --where 'status >= 500'
  kubectl logs -f orders | spanline follow --request r-1
  spanline follow -- cargo run

Exit status:
  0  ended by Ctrl-C, by the end of stdin, by --limit, or by the reader of stdout
  1  something could not be read or written; stderr says what
  2  the command line is wrong
  With COMMAND: that of the command, 128 and the signal's number if a signal ended it, 127 if it was not found, 126 if it
  could not be started."#;

/// Print new lines of logs as they are written, and the output of a command
///
/// Reads logs of the same loggers as `find`. It continues when files are rotated, compressed, truncated, or removed and
/// created again, and adds the logs that appear in followed directories. The lines of several logs are merged by time; a
/// line that comes later than the window is printed when it comes. Files are looked at ten times a second, directories
/// every second.
#[derive(clap::Args)]
#[command(after_help = format!("{LANGUAGE}\n\n{EXAMPLES}"))]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, a directory with logs in it, or `-` for stdin; without one: the command, else stdin if
    /// it is a pipe or a file, else the working directory. A log that does not exist is waited for
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Start a command, and also follow its stdout and stderr. It has the stdin of `follow`. SIGINT, SIGTERM and SIGHUP are
    /// forwarded. If other processes keep its output open when it has ended, they are read for two more seconds
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// First print this many of the last lines that meet the conditions, in the last 16 MiB of each log [default: 10, and 1000
    /// with keys]
    #[arg(long, short = 'n', value_name = "LINES", conflicts_with = "from_start")]
    lines: Option<usize>,
    /// First print all lines that are there
    #[arg(long)]
    from_start: bool,
    /// Print lines one after the other, also on a terminal, where keys filter them otherwise
    #[arg(long)]
    plain: bool,
    /// How long lines of several logs wait for earlier lines of others, such as `200ms` or `2s`
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "200ms")]
    window: Duration,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    shape: Shape,
}

pub(super) fn run(args: Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { paths, command, lines, from_start, plain, window, conditions, shape } = args;
    let begin = |default| if from_start { Begin::Start } else { Begin::Last(lines.unwrap_or(default)) };
    let are_several = paths.len() > 1 || paths.iter().any(|path| path.is_dir()) || paths.is_empty();
    let are_several = are_several && (command.is_empty() || !paths.is_empty());
    let (limit, counts_only) = (shape.limit(), shape.count);
    let Some(style) = report.usage(shape.style()) else { return Ok(()) };
    // The stdin of this program is that of the command, too.
    let may_have_keys = !plain && command.is_empty() && limit == u64::MAX && !counts_only;
    #[cfg(feature = "keys")]
    if let Some(look) = style.look().filter(|_| may_have_keys && is_possible(&paths)) {
        let settings = Settings { paths, command, begin: begin(1000), window };
        let mut desk = Desk::new(output, conditions.filter(), look, are_several, report)?;
        let followed = follow::run(settings, &mut desk, report);
        return desk.end(report).and(followed);
    }
    let _ = may_have_keys;
    let settings = Settings { paths, command, begin: begin(10), window };
    let mut printer = style.printer(output, are_several);
    if !counts_only {
        printer.begin()?;
    }
    let mut screen = Screen::new(conditions.filter(), printer, limit, counts_only);
    let followed = follow::run(settings, &mut screen, report);
    let found = screen.end(report);
    followed?;
    if counts_only {
        writeln!(output, "{found}")?;
    }
    output.flush()
}

/// Reads a span of time.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(unit).unwrap_or((text, ""));
    let number = number.parse::<u32>().ok();
    let found = number.and_then(|number| match unit {
        "ms" => Some(Duration::from_millis(number.into())),
        "s" => Some(Duration::from_secs(number.into())),
        "" if number == 0 => Some(Duration::ZERO),
        _ => None,
    });
    let limit = Duration::from_secs(60);
    found
        .filter(|found| *found <= limit)
        .ok_or_else(|| format!("expected milliseconds or seconds such as 200ms or 2s, at most 60s; found {text:?}"))
}
