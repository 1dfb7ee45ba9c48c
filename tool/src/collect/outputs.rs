//! Where received lines go.

use std::path::PathBuf;
use std::time::Duration;

use spanline::sink::Route;
use spanline::{ByteSize, Error, Guard};
use tracing_subscriber::Registry;

use super::limits::Limits;
use super::reporter::Reporter;
use crate::outputs::{Making, Target, targets};

/// The memory of an output's queue. Batches of all senders fit, because each is flushed before the next.
const QUEUE_BYTES: u64 = 64 << 20;

/// How long a record waits for room in a queue.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Settings of the command line.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Outputs")]
pub(crate) struct Writing {
    /// Where lines go; repeat it for several outputs
    ///
    /// files:DIR writes a rotating file for each service; console prints them; sqlite:FILE, postgres://user@host/database and
    /// clickhouse://host:8123/table store them in a table.
    #[arg(long = "to", value_name = "OUTPUT", required = true)]
    to: Vec<String>,
    /// Bytes of a file, after which `files` starts the next one; it does so every day, too
    #[arg(long, value_name = "BYTES", default_value = "100MiB")]
    rotate_bytes: ByteSize,
    /// Closed files of each service that `files` keeps, besides the one that grows
    #[arg(long, value_name = "COUNT", default_value_t = 14)]
    keep_files: usize,
    /// Files that `files` has open at once
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub(super) open_files: usize,
    /// A file with the password for postgres and clickhouse
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Acknowledge lines when they are durable, where an output has a sync: they survive a power cut
    #[arg(long)]
    pub(super) sync: bool,
}

impl Writing {
    /// Returns what says which file a service has, for each output that has such files.
    ///
    /// # Errors
    /// Says what to write.
    pub(super) fn routes(&self) -> Result<Vec<Route>, Error> {
        Ok(targets(&self.to)?.iter().filter_map(|target| target.route(self.rotate_bytes, self.keep_files)).collect())
    }
}

impl Writing {
    /// Checks what can be checked without opening anything.
    ///
    /// # Errors
    /// Says what to write.
    pub(super) fn check(&self) -> Result<(), Error> {
        let targets = targets(&self.to)?;
        let consoles = targets.iter().filter(|target| matches!(target, Target::Console)).count();
        if consoles > 1 {
            return Err(Error::invalid("--to console is there twice; lines would be printed twice"));
        }
        if self.password_file.is_some() && !targets.iter().any(Target::takes_password) {
            return Err(Error::invalid(
                "--password-file: no output takes a password; expected --to postgres://user@host/database or \
                 clickhouse://user@host:8123/table",
            ));
        }
        Ok(())
    }
}

/// The running outputs.
pub(super) struct Log {
    pub(super) guard: Guard,
    /// The log takes records while it exists.
    _layer: Box<dyn std::any::Any + Send>,
}

/// Starts the outputs.
///
/// # Errors
/// An output cannot be opened.
pub(super) fn start(writing: &Writing, limits: &Limits, reporter: &Reporter) -> Result<Log, Error> {
    // A line that is rendered as JSON grows. What grows more is cut by the library.
    let max_line = 2 * limits.max_line_bytes as u64 + (64 << 10);
    let queue = (8 * max_line).clamp(QUEUE_BYTES, 1 << 30);
    let reporter = reporter.clone();
    let builder = spanline::builder()
        .filter("trace")
        .filter_variable(None)
        .without_log()
        .max_line_bytes(max_line.min(1 << 30))
        .shutdown_timeout(limits.writing_at_end(), limits.writing_at_end())
        .on_complaint(move |complaint| reporter.pass_on(complaint));
    let making = Making {
        rotate_bytes: writing.rotate_bytes,
        keep_files: writing.keep_files,
        open_files: writing.open_files,
        password_file: writing.password_file.as_deref(),
        queue_bytes: queue,
        max_wait: MAX_WAIT.min(limits.write_timeout),
    };
    let builder = making.add_to(builder, &targets(&writing.to)?);
    let (layer, guard) = builder.build::<Registry>()?;
    Ok(Log { guard, _layer: Box::new(layer) })
}
