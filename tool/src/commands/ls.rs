//! `spanline ls`: the files of logs.

use std::io::{self, Write};
use std::path::PathBuf;

use spanline::read::Segment;

use crate::escape::escaped;
use crate::log_paths::{expanded, logs_at};
use crate::once::Once;
use crate::report::Report;

/// List the files of logs, oldest first
///
/// Prints what each file covers, when it was last written to in UTC, its size on disk in bytes, how it is stored, and its
/// path. PERIOD is the first moment of the file's period in the log's zone, as its name says; a dash stands for the file
/// that is being written. A file that several paths lead to is listed once.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, a directory with logs in it, or a pattern such as `'logs/*.log'`
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let mut rows = Vec::new();
    let mut once = Once::default();
    for path in expanded(&args.paths, report) {
        for log in logs_at(&path, report) {
            let segments = report.check(log.segments()).unwrap_or_default();
            rows.extend(rows_of(&segments).filter(|(segment, _)| once.is_first(segment)).map(|(_, row)| row));
        }
    }
    let bytes_width = rows.iter().map(|row| row.bytes.len()).max().unwrap_or(0).max("BYTES".len());
    if !rows.is_empty() {
        writeln!(output, "{:18}  {:20}  {:>bytes_width$}  {:5}  PATH", "PERIOD", "WRITTEN", "BYTES", "FORM")?;
    }
    for Row { period, written, bytes, compression, path } in rows {
        writeln!(output, "{period:18}  {written:20}  {bytes:>bytes_width$}  {compression:5}  {path}")?;
    }
    Ok(())
}

struct Row {
    period: String,
    written: String,
    bytes: String,
    compression: String,
    path: String,
}

/// Returns the segments of one log with their rows.
fn rows_of(segments: &[Segment]) -> impl Iterator<Item = (&Segment, Row)> {
    segments.iter().map(move |segment| {
        let written = segment.written_at().map(|time| time.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let row = Row {
            period: segment.period().unwrap_or_else(unknown),
            written: written.unwrap_or_else(unknown),
            bytes: segment.bytes().to_string(),
            compression: segment.compression().to_string(),
            path: escaped(segment.path().strip_prefix(".").unwrap_or(segment.path())),
        };
        (segment, row)
    })
}

fn unknown() -> String {
    "-".into()
}
