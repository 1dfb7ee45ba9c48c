//! The outputs and the scrape of one run.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spanline::{ByteSize, Error, Guard, Handle};
use tracing_subscriber::Registry;

use super::record;
use super::scrape::Scrape;
use super::tally::Tally;
use crate::counted::{counted, plural};
use crate::entry::Entry;
use crate::outputs::{Making, Target, databases};
use crate::report::Report;
use crate::scan::MAX_LINE_BYTES;
use crate::stats::{LevelCounts, Onward};

/// The memory of an output's queue.
const QUEUE_BYTES: u64 = 64 << 20;

/// No line is relayed while a queue has more. Above that is room for what all threads relay at the same time.
const BUSY_BYTES: u64 = 24 << 20;

/// How long the end waits for outputs that write nothing, and in all.
const END_PATIENCE: Duration = Duration::from_secs(5);
const END_TIME: Duration = Duration::from_secs(60);

/// Only a line that grows a lot when it is rendered finds no room.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// No output is a file.
const FILE_BYTES: u64 = 100 << 20;

/// No more complaints wait to be reported.
const MAX_COMPLAINTS: usize = 100;

/// Where counts and lines go.
#[derive(clap::Args)]
#[command(next_help_heading = "Passing on")]
pub(crate) struct ExportArgs {
    /// Write the lines that count to a database, in batches of up to 10,000 lines or a second; repeat it for several
    ///
    /// sqlite:FILE, postgres://user@host/database and clickhouse://user@host:8123/table. Lines that are no records are not
    /// written. A run that is repeated writes all lines again.
    #[arg(long, value_name = "OUTPUT")]
    to: Vec<String>,
    /// A file with the password for `--to postgres://…` and `--to clickhouse://…`
    #[arg(long, value_name = "FILE", requires = "to")]
    to_password_file: Option<PathBuf>,
    /// Answer scrapes of Prometheus at this address while it runs, such as 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS")]
    prometheus: Option<String>,
}

/// The running outputs, and the scrape.
pub(crate) struct Export {
    tally: Arc<Tally>,
    log: Option<Log>,
    _scrape: Option<Scrape>,
}

struct Log {
    guard: Guard,
    handle: Handle,
    complaints: Complaints,
    /// The log takes records while it exists.
    _layer: Box<dyn Any + Send + Sync>,
}

/// What the outputs complain of, until it is reported.
#[derive(Clone, Debug, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    #[expect(clippy::disallowed_methods, reason = "the one lock of complaints, which ignores poisoning")]
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, complaint: &str) {
        let mut all = self.all();
        // If too many wait, the first ones say enough.
        if all.len() < MAX_COMPLAINTS {
            all.push(complaint.to_owned());
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.all())
    }
}

impl ExportArgs {
    /// Returns whether anything is passed on.
    pub(crate) fn is_given(&self) -> bool {
        !self.to.is_empty() || self.prometheus.is_some()
    }

    /// Starts what was asked for; `None` if nothing was, or if it fails, which is reported.
    pub(crate) fn start(&self, report: &mut Report) -> Option<Option<Export>> {
        if !self.is_given() {
            return Some(None);
        }
        let targets = match self.targets() {
            Ok(targets) => targets,
            Err(error) => {
                report.misuse(&error);
                return None;
            }
        };
        let started = self.start_all(&targets);
        let export = report.check(started)?;
        if let Some(scrape) = &export._scrape {
            report.note(&format!("answers scrapes at http://{}/metrics", scrape.address));
        }
        Some(Some(export))
    }

    fn targets(&self) -> Result<Vec<Target>, Error> {
        let targets = databases(&self.to)?;
        let is_address = |address: &String| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok())
        };
        if !self.prometheus.iter().all(is_address) {
            return Err(Error::invalid("--prometheus: expected an address and a port, such as 127.0.0.1:9090"));
        }
        if self.to_password_file.is_some() && !targets.iter().any(Target::takes_password) {
            return Err(Error::invalid("--to-password-file: no output takes a password"));
        }
        Ok(targets)
    }

    fn start_all(&self, targets: &[Target]) -> Result<Export, Error> {
        let tally = Arc::<Tally>::default();
        let log = if targets.is_empty() { None } else { Some(self.log(targets)?) };
        let (counts, handle) = (Arc::clone(&tally), log.as_ref().map(|log| log.handle.clone()));
        let text = move || {
            let outputs = handle.as_ref().map(|handle| handle.metrics().to_prometheus());
            counts.to_prometheus() + &outputs.unwrap_or_default()
        };
        let scrape = self.prometheus.as_ref().map(|address| Scrape::start(address, text)).transpose()?;
        Ok(Export { tally, log, _scrape: scrape })
    }

    fn log(&self, targets: &[Target]) -> Result<Log, Error> {
        let complaints = Complaints::default();
        let added = complaints.clone();
        let builder = spanline::builder()
            .filter("trace")
            .filter_variable(None)
            .without_log()
            // A line that is rendered as JSON grows.
            .max_line_bytes(2 * MAX_LINE_BYTES as u64 + (64 << 10))
            .shutdown_timeout(END_PATIENCE, END_TIME)
            .on_complaint(move |complaint| added.add(complaint));
        let making = Making {
            rotate_bytes: ByteSize::new(FILE_BYTES),
            keep_files: 1,
            open_files: 1,
            password_file: self.to_password_file.as_deref(),
            queue_bytes: QUEUE_BYTES,
            max_wait: MAX_WAIT,
        };
        let (layer, guard) = making.add_to(builder, targets).build::<Registry>()?;
        let handle = guard.handle();
        Ok(Log { guard, handle, complaints, _layer: Box::new(layer) })
    }
}

impl Export {
    /// Waits for the outputs, and reports what they have not written.
    ///
    /// # Blocking
    /// While they write, and then for five seconds.
    pub(crate) fn end(self, report: &mut Report) {
        let Some(Log { guard, handle, complaints, .. }) = self.log else { return };
        // What it lacks is counted below.
        let closed = guard.close();
        complaints.take().iter().for_each(|complaint| report.note(complaint));
        let mut is_whole = true;
        for output in &handle.metrics().outputs {
            let (all, written) = (output.emitted.total(), output.written.total());
            if written < all {
                is_whole = false;
                let why = output.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                let (missing, were) = (all - written, plural(all - written, "was", "were"));
                let all = counted(all, "line", "lines");
                report.failure(&format!("{}: {missing} of {all} {were} not written{why}", output.name));
            }
        }
        if is_whole {
            report.check(closed);
        }
    }
}

impl Onward for Export {
    fn has_room(&self) -> bool {
        let Some(log) = &self.log else { return true };
        log.handle.metrics().outputs.iter().all(|output| output.queued_bytes < BUSY_BYTES)
    }

    fn pass(&self, entry: &Entry<'_>, service: &str) {
        if let Some(log) = &self.log {
            // The output counts it as lost.
            let _ = record::relay(entry, service, &log.handle);
        }
    }

    fn add(&self, services: BTreeMap<String, LevelCounts>, unparsed: u64) {
        self.tally.add(services, unparsed);
    }

    fn complaints(&self) -> Vec<String> {
        self.log.iter().flat_map(|log| log.complaints.take()).collect()
    }
}
