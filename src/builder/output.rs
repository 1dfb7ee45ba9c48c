//! One way out of the process: schema, queue, worker and sink.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing_subscriber::filter::Targets;

use super::{Builder, Deadlines, Guard};
use crate::appender::Appender;
use crate::complaint::Complaints;
use crate::error::Error;
use crate::filter;
use crate::held::Store;
use crate::limit::Share;
use crate::queue::Overflow;
use crate::record::{Clock, Statics};
use crate::redact::{Redactor, Rules};
use crate::schema::{Edits, Flat, Schema};
use crate::sink::{Profile, Sink};
use crate::worker::{Durability, Lane, LaneConfig};

/// A queue smaller than this would hold no line.
const MIN_QUEUE_BYTES: usize = 4 << 10;
/// A queue's offsets have 32 bits.
const MAX_QUEUE_BYTES: usize = 1 << 30;

/// One way out of the process: a sink, the schema of its lines, and the queue before it.
///
/// Each output has a worker thread of its own: a stuck one delays no other. See [`Sink`] and [`Schema`] for one's own.
pub struct Output {
    name: Option<String>,
    sink: Box<dyn Sink>,
    profile: Profile,
    schema: Option<Box<dyn Schema>>,
    edits: Edits,
    pub(super) filter: Option<Result<Targets, Error>>,
    pub(super) overflow: Overflow,
    synchronous: bool,
    durability: Durability,
    pub(super) queue_bytes: usize,
}

impl Output {
    /// The default size of the queue in bytes: tens of thousands of lines, half a minute of a busy service.
    pub const DEFAULT_QUEUE_BYTES: usize = 8 << 20;

    /// An output to `sink`: [`Flat`] lines, [`Overflow::Shed`], [`Self::DEFAULT_QUEUE_BYTES`].
    pub fn new<S: Sink>(sink: S) -> Self {
        Self {
            name: None,
            profile: sink.profile(),
            sink: Box::new(sink),
            schema: None,
            edits: Edits::new(),
            filter: None,
            overflow: Overflow::default(),
            synchronous: false,
            durability: Durability::default(),
            queue_bytes: Self::DEFAULT_QUEUE_BYTES,
        }
    }

    /// Its name in metrics, complaints and the worker thread's name (`spanline-<name>`); the sink's own name unless set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How its lines look.
    pub fn schema(mut self, schema: impl Schema) -> Self {
        self.schema = Some(Box::new(schema));
        self
    }

    /// What is renamed, dropped or added in its lines, in place of earlier edits.
    pub fn edits(mut self, edits: Edits) -> Self {
        self.edits = edits;
        self
    }

    /// What it takes of that which the [global filter](crate::Builder::filter) lets pass. A bad directive is an error
    /// of the builder's last step.
    pub fn output_filter(mut self, directives: &str) -> Self {
        self.filter = Some(filter::parse(directives));
        self
    }

    /// What happens when its queue is full.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Each line is written before the call that logs it returns: for audit logs, which must not miss the last line
    /// before a SIGKILL. Lines that threads log at the same time are written together.
    ///
    /// The worker writes them, woken at once, and the call waits for it. The queue, its [`Overflow`] and all other
    /// outputs stay what they are.
    ///
    /// # Blocking
    /// Each call waits for its write: a sink that hangs or fails delays it for the `max_wait` of [`Overflow::Block`], or
    /// [`Overflow::DEFAULT_MAX_WAIT`], at the most. Then the call returns, is counted as
    /// [`overdue`](crate::metrics::OutputMetrics::overdue) and reported, and the line stays queued, to be written as soon as the
    /// sink can. It parks the thread, on an async executor too. On a thread of the log itself, in a sink for example, no
    /// call waits.
    ///
    /// # Durability
    /// Written is handed to the system: it survives the end of the process, however that comes, and no power cut. With
    /// [`Durability::EveryBatch`] the line is durable, too, before the call returns; with [`Durability::AtLevel`] lines of
    /// such a level are.
    ///
    /// # Examples
    /// ```
    /// use spanline::{Durability, Output, RollingFile};
    ///
    /// Output::new(RollingFile::new("logs/audit.log"))
    ///     .output_filter("off,orders::audit=info")
    ///     .synchronous()
    ///     .durability(Durability::EveryBatch);
    /// ```
    pub fn synchronous(mut self) -> Self {
        self.synchronous = true;
        self
    }

    /// When what was written is made durable: [`Durability::Never`] unless set. Unless it is never, what is left is made
    /// durable also when the log ends.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What its queue holds in memory, in bytes; [`Self::DEFAULT_QUEUE_BYTES`] unless set. Less than 4 KiB becomes 4 KiB, in which
    /// a few lines have room; more than 1 GiB becomes 1 GiB.
    ///
    /// That counts the records that wait or are being written, and what their spans hand down. What a burst has taken is
    /// given back when nothing comes for a while.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes.clamp(MIN_QUEUE_BYTES, MAX_QUEUE_BYTES);
        self
    }

    /// Makes a writer for other formatters, in place of `tracing_appender::non_blocking`.
    ///
    /// Filters have no say in it, and the schema renders only the notices of loss: `Flat` unless set, `Console` for
    /// logs of plain text.
    ///
    /// # Errors
    /// A sink that cannot be opened, with its path and the cause.
    pub fn appender(self) -> Result<(Appender, Guard), Error> {
        let complaints = Arc::new(Complaints::default());
        let clock = Clock::default();
        let name = self.name_among(&[])?;
        let common = Common {
            max_line_bytes: Builder::DEFAULT_MAX_LINE_BYTES,
            statics: &Arc::default(),
            clock: &clock,
            complaints: &complaints,
            rules: None,
            held: None,
        };
        let lane = self.start(name, None, &common)?;
        let guard = Guard::new(Deadlines::default(), complaints, vec![Arc::clone(&lane)], None);
        Ok((Appender::new(lane, clock), guard))
    }

    /// Takes out the targets whose events do not reach it.
    pub(super) fn take_own_targets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.profile.own_targets)
    }

    pub(super) fn wants_thread(&self) -> bool {
        let schema = self.schema.as_ref().or(self.profile.schema.as_ref());
        schema.is_some_and(|schema| schema.wants_thread())
    }

    /// The name it was given, or one after its sink that no other has.
    pub(super) fn name_among(&self, others: &[Arc<Lane>]) -> Result<String, Error> {
        let taken = |name: &str| others.iter().any(|other| other.name == name);
        match &self.name {
            Some(name) if taken(name) => Err(Error::invalid(format!("two outputs are called `{name}`"))),
            Some(name) if name.is_empty() || name.contains('\0') => {
                Err(Error::invalid(format!("`{}` is no name for an output", name.escape_debug())))
            }
            Some(name) => Ok(name.clone()),
            None => {
                let numbered = (2..).map(|number| format!("{}-{number}", self.profile.name));
                let mut names = std::iter::once(self.profile.name.clone()).chain(numbered);
                Ok(names.find(|name| !taken(name)).unwrap_or_default())
            }
        }
    }

    pub(super) fn start(self, name: String, limit: Option<Share>, common: &Common<'_>) -> Result<Arc<Lane>, Error> {
        let schema = self.schema.or(self.profile.schema).unwrap_or_else(|| Box::new(Flat::new()));
        let mut schema = self.edits.on(schema);
        schema.terminal(self.profile.is_terminal);
        Lane::start(LaneConfig {
            name,
            schema,
            sink: self.sink,
            overflow: self.overflow,
            synchronous: self.synchronous,
            durability: self.durability,
            queue_bytes: self.queue_bytes,
            batching: self.profile.batch,
            own_threads: self.profile.own_threads,
            is_plain: self.profile.is_plain,
            wants_columns: self.profile.wants_columns,
            max_line_bytes: common.max_line_bytes,
            statics: Arc::clone(common.statics),
            clock: common.clock.clone(),
            complaints: Arc::clone(common.complaints),
            limit,
            redactor: common.rules.and_then(Redactor::new),
            held: common.held.cloned(),
        })
    }
}

/// What all outputs of a log have in common.
pub(super) struct Common<'a> {
    pub(super) max_line_bytes: usize,
    pub(super) statics: &'a Arc<Statics>,
    pub(super) clock: &'a Clock,
    pub(super) complaints: &'a Arc<Complaints>,
    /// What is redacted, if something is.
    pub(super) rules: Option<&'a Arc<Rules>>,
    /// Where lines are held back, if some are.
    pub(super) held: Option<&'a Arc<Store>>,
}

/// Asks that no two outputs write to one file: they would rotate it under each other, and mix their lines.
///
/// # Errors
/// Names the path.
pub(super) fn check_paths(outputs: &[Output]) -> Result<(), Error> {
    let mut seen = Vec::new();
    for path in outputs.iter().filter_map(|output| output.profile.path.as_deref()) {
        let known = resolved(path);
        if seen.contains(&known) {
            return Err(Error::invalid(format!("two outputs write to {}", path.display())));
        }
        seen.push(known);
    }
    Ok(())
}

/// The path without links and detours, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.canonicalize(), path.parent().map(Path::canonicalize), path.file_name()) {
        (Ok(whole), ..) => whole,
        (_, Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path,
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("name", self.name.as_ref().unwrap_or(&self.profile.name))
            .field("filter", &self.filter)
            .field("overflow", &self.overflow)
            .field("synchronous", &self.synchronous)
            .field("durability", &self.durability)
            .field("queue_bytes", &self.queue_bytes)
            .finish_non_exhaustive()
    }
}
