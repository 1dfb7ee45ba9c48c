//! `spanline load`: stores the lines of logs in ClickHouse.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use spanline::record::Timestamp;

use super::conditions::ZoneArgs;
use crate::clickhouse::{Address, Loader, Outcome, password, statements};
use crate::inputs::logs;
use crate::report::Report;
use crate::stats::{grouped, lines_text};

const AFTER_HELP: &str = "\
Examples:
  spanline load logs --to clickhouse://127.0.0.1/logs
  spanline load logs --to 'clickhouse://a/logs?cluster=two' --to 'clickhouse://b/logs?cluster=two'
  spanline find --engine clickhouse --url clickhouse://a/logs --level error

Exit status:
  0  everything is loaded
  1  something could not be read or stored; stderr says what; run it again to load the rest
  2  the command line is wrong";

/// Load logs to ClickHouse, where `find`, `trace`, `stats` and `hist` can read them
///
/// Creates the tables `lines` and `lines_segments` in the database, and loads each segment once, also when it was renamed by
/// rotation or compressed since. A segment that has grown takes the place of what was loaded of it. After a load that was killed,
/// the next one removes what it has left, and loads the rest: no line is there twice, and none is missing.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, a directory with logs in it, or a pattern such as `'logs/*.log'`
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where lines go: `clickhouse://[user@]host[:8123]/database`, or `clickhouse+https://…`; with `?cluster=NAME`, it is
    /// repeated for each node of a cluster
    // Not read by the parser, which would repeat a password.
    #[arg(long, value_name = "URL", required = true)]
    to: Vec<String>,
    /// A file with the user's password; without it, that of `CLICKHOUSE_PASSWORD`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The name of the machine whose logs these are; by default, its host name and a hash of `/etc/machine-id`
    ///
    /// Where a container gets another host name each time, a fixed one keeps its logs from being loaded twice
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    #[command(flatten)]
    zone: ZoneArgs,
    /// Print the SQL that creates the tables, without asking
    #[arg(long)]
    explain: bool,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let begun = Instant::now();
    args.zone.apply();
    let addresses = args.to.iter().map(|to| Address::parse(to).map_err(|why| format!("--to: {why}")));
    let Some(addresses) = report.usage(addresses.collect::<Result<Vec<_>, _>>()) else { return Ok(()) };
    if args.explain {
        let statements = addresses.first().map(statements).unwrap_or_default();
        return statements.iter().try_for_each(|statement| writeln!(output, "{statement};\n"));
    }
    let listed = Timestamp::now();
    let (has_stdin, logs) = logs(&args.paths, report);
    if has_stdin {
        let why = "load reads files: what was loaded of stdin could not be found again";
        report.usage::<()>(Err(why.to_owned()));
        return Ok(());
    }
    let loader = password(args.password_file.as_deref())
        .and_then(|password| Loader::new(&addresses, password.as_ref(), args.host.clone()));
    match loader {
        Ok(loader) => write(output, loader.load(&logs, listed, report), begun),
        Err(why) => {
            report.failure(&why);
            Ok(())
        }
    }
}

fn write(output: &mut impl Write, outcome: Outcome, begun: Instant) -> io::Result<()> {
    let Outcome { loaded, grown, skipped, read_again, removed, totals } = outcome;
    let seconds = begun.elapsed().as_secs_f64().max(1e-9);
    writeln!(
        output,
        "loaded {} of {} in {seconds:.2} s, {:.3} GB/s",
        lines_text(totals.lines),
        segments(loaded + grown),
        totals.bytes as f64 / seconds / 1e9
    )?;
    let again =
        if read_again > 0 { format!(", {} read again to see that", grouped(read_again)) } else { String::new() };
    let had_been_loaded = format!("had been loaded before{again}");
    for (count, what) in [
        (grown, "had grown, and took the place of what was loaded"),
        (skipped, had_been_loaded.as_str()),
        (removed, "had been loaded in part, and was removed first"),
    ] {
        if count > 0 {
            writeln!(output, "{} {what}", segments(count))?;
        }
    }
    Ok(())
}

fn segments(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "segment" } else { "segments" })
}
