//! `spanline cat`: the lines of logs, in the order they were written.

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use spanline::read::{self, Lines};

use crate::log_paths::expanded;
use crate::once::Once;
use crate::report::Report;
use crate::sealed::{Key, KeyArgs, MOST_LINE_BYTES, warn_of_plain, with_key};

/// Print the lines of logs, oldest first
///
/// Prints all files of each log: closed segments, decompressed, then the file that is being written. A file that several
/// paths lead to is printed once. The bytes of a line are printed as they are.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, one closed segment of it, a pattern such as `'logs/*.log'`, or `-` for stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

impl Args {
    /// Returns whether stdin is one of the inputs.
    pub(super) fn reads_stdin(&self) -> bool {
        self.paths.iter().any(|path| path == Path::new("-"))
    }
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Some(key) = args.keys.beside(args.reads_stdin(), report) else { return Ok(()) };
    let mut printer = Printer { output, is_torn: false, buffer: vec![0; 64 << 10] };
    let mut once = Once::default();
    for path in expanded(&args.paths, report) {
        if path == Path::new("-") {
            match &key {
                Some(key) => printer.print_lines(Lines::from_source("stdin", io::stdin()), key, report)?,
                None => printer.print(Stdin(io::stdin().lock()), report)?,
            }
            continue;
        }
        let mut segments = report.check(read::segments(path)).unwrap_or_default();
        if let Some(key) = &key {
            segments.retain(|segment| once.is_first(segment));
            warn_of_plain(&segments, report);
            printer.print_lines(Lines::new(segments), key, report)?;
            continue;
        }
        for segment in segments.iter().filter(|segment| once.is_first(segment)) {
            if let Some(reader) = report.check(segment.open()) {
                printer.print(reader, report)?;
            }
        }
    }
    Ok(())
}

/// Reads stdin. Its errors say so.
struct Stdin(io::StdinLock<'static>);

impl Read for Stdin {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes).map_err(|error| match error.kind() {
            ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, format!("read stdin: {error}")),
        })
    }
}

struct Printer<'a, W> {
    output: &'a mut W,
    /// The last line printed has no newline.
    is_torn: bool,
    buffer: Vec<u8>,
}

impl<W: Write> Printer<'_, W> {
    /// Prints lines that a key opens, and reports what cannot be read between them.
    fn print_lines(&mut self, lines: Lines, key: &Key, report: &mut Report) -> io::Result<()> {
        let mut lines = with_key(lines.max_line_bytes(MOST_LINE_BYTES), Some(key));
        loop {
            match lines.next_line() {
                Ok(Some(line)) => {
                    if std::mem::take(&mut self.is_torn) {
                        self.output.write_all(b"\n")?;
                    }
                    self.output.write_all(line)?;
                    self.is_torn = lines.is_torn();
                    if !self.is_torn {
                        self.output.write_all(b"\n")?;
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    report.check::<(), _>(Err(error));
                }
            }
        }
    }

    /// Prints one segment. The first line never continues the torn last line of the segment before.
    fn print(&mut self, mut reader: impl Read, report: &mut Report) -> io::Result<()> {
        let mut is_first = true;
        loop {
            let bytes = match reader.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => &self.buffer[..report.check(read).unwrap_or(0)],
            };
            let Some(last) = bytes.last() else { return Ok(()) };
            if self.is_torn && is_first {
                self.output.write_all(b"\n")?;
            }
            is_first = false;
            self.is_torn = *last != b'\n';
            self.output.write_all(bytes)?;
        }
    }
}
