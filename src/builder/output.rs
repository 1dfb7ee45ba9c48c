//! The output: the settings of one destination.

use std::fmt;
use std::time::Duration;

use tracing::Level;

use crate::byte_size::ByteSize;
use crate::filter::{FilterSetting, IntoFilter};
use crate::queue::Overflow;
use crate::record::Record;
use crate::schema::{Edits, Schema};
use crate::sink::{Profile, Sink};
use crate::worker::{Durability, RecordFilter};

/// When lines begin with the priority that systemd's journal reads, see [`Output::journal_prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalPrefix {
    /// When the journal reads the stream: the variable `JOURNAL_STREAM` names it. On a terminal, in a file or in a pipe,
    /// lines stay as they are.
    IfJournal,
    /// Always: something between the process and the journal passes the lines on.
    Always,
}

/// One destination: a sink, the schema of its lines, and the queue in front of it.
///
/// Each output has its own worker thread, so a stuck output delays no other. For your own destinations and formats, see
/// [`Sink`] and [`Schema`].
///
/// # Examples
/// ```
/// use spanline::schema::Ecs;
/// use spanline::{Output, Overflow, RollingFile};
///
/// let file = RollingFile::new("logs/orders.log").daily().keep_files(7);
/// let output = Output::new(file)
///     .name("file")                                   // in complaints, metrics and `Handle::set_output_filter`
///     .schema(Ecs::new())
///     .output_filter("warn")
///     .overflow(Overflow::block());
/// # let _ = output;
/// ```
#[must_use = "an output does nothing until it is given to `Builder::output` or becomes an appender"]
pub struct Output {
    pub(super) name: Option<String>,
    pub(super) sink: Box<dyn Sink>,
    /// What the sink says about itself.
    pub(super) profile: Profile,
    pub(super) schema: Option<Box<dyn Schema>>,
    pub(super) edits: Edits,
    pub(super) strips_ansi: bool,
    /// Sealed fields are shown.
    #[cfg(feature = "sealed")]
    pub(super) unseals: bool,
    pub(super) journal_prefix: Option<JournalPrefix>,
    pub(super) filter: Option<FilterSetting>,
    /// Events of this level and above are too severe.
    pub(super) below: Option<Level>,
    pub(super) record_filter: Option<RecordFilter>,
    pub(super) deduplicates: bool,
    pub(super) overflow: Overflow,
    pub(super) synchronous: Option<Duration>,
    pub(super) durability: Durability,
    pub(super) queue_bytes: ByteSize,
}

impl Output {
    /// The default size of the queue, in bytes: tens of thousands of lines, half a minute of a busy service.
    pub const DEFAULT_QUEUE_BYTES: u64 = 8 << 20;

    /// Creates an output to `sink`, with the schema [`Flat`](crate::schema::Flat), [`Overflow::Shed`] and
    /// [`Self::DEFAULT_QUEUE_BYTES`].
    pub fn new<S: Sink>(sink: S) -> Self {
        Self {
            name: None,
            profile: sink.profile(),
            sink: Box::new(sink),
            schema: None,
            edits: Edits::new(),
            strips_ansi: false,
            #[cfg(feature = "sealed")]
            unseals: false,
            journal_prefix: None,
            filter: None,
            below: None,
            record_filter: None,
            deduplicates: false,
            overflow: Overflow::default(),
            synchronous: None,
            durability: Durability::default(),
            queue_bytes: ByteSize::new(Self::DEFAULT_QUEUE_BYTES),
        }
    }

    /// Sets the name that metrics, complaints and the worker thread (`spanline-<name>`) carry; by default, the sink's own
    /// name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the format of the lines.
    pub fn schema(mut self, schema: impl Schema) -> Self {
        self.schema = Some(Box::new(schema));
        self
    }

    /// Renames, removes or inserts fields of the lines. Replaces earlier edits.
    pub fn edits(mut self, edits: Edits) -> Self {
        self.edits = edits;
        self
    }

    /// Removes terminal sequences from texts, such as the colours in a report of `color-eyre`. By default, they stay in the
    /// text, with their control characters escaped.
    ///
    /// This holds for messages, fields, errors and backtraces, of events and of spans. What remains is what a terminal
    /// would show. A sequence without an end hides no text. Nested JSON and bytes are not changed. For an
    /// [`Appender`](crate::Appender), whose lines are not changed either, this is an error.
    pub fn strip_ansi(mut self) -> Self {
        self.strips_ansi = true;
        self
    }

    /// Shows the values of sealed fields in this output: those of [`Builder::seal_fields`](crate::Builder::seal_fields), and
    /// those from [`sealed`](crate::sealed()). By default, no output shows them.
    ///
    /// This is for an output that is protected otherwise, such as a file that is sealed as a whole.
    #[cfg(feature = "sealed")]
    pub fn unsealed_fields(mut self) -> Self {
        self.unseals = true;
        self
    }

    /// Begins each line with its priority, `<6>`, as systemd's journal expects it on [`Stdout`](crate::Stdout) and
    /// [`Stderr`](crate::Stderr) of a service. The journal removes it and sets `PRIORITY`, so `journalctl --priority`
    /// and its colours work. Each physical line of a schema such as `Console::pretty` gets it.
    ///
    /// ERROR is 3, WARN 4, INFO 6, DEBUG and TRACE 7. An event's field `level_name` also gives 5 (`NOTICE`), 2 (`CRITICAL`,
    /// `FATAL`) and 1 (`ALERT`, `EMERGENCY`), see [Schemas](crate::docs::schemas).
    ///
    /// For a sink that is no standard stream, [`JournalPrefix::IfJournal`] is an error of `init` and `build`.
    ///
    /// # Examples
    /// ```
    /// use spanline::schema::Console;
    /// use spanline::{JournalPrefix, Output, Stderr};
    ///
    /// Output::new(Stderr::new()).schema(Console::new()).journal_prefix(JournalPrefix::IfJournal);
    /// ```
    pub fn journal_prefix(mut self, when: JournalPrefix) -> Self {
        self.journal_prefix = Some(when);
        self
    }

    /// Further filters this output: an event must also pass the [global filter](crate::Builder::filter).
    ///
    /// A bad directive is an error of `init` and `build`.
    pub fn output_filter(mut self, filter: impl IntoFilter) -> Self {
        self.filter = Some(FilterSetting::new(filter));
        self
    }

    /// Takes only events that are less severe than `level`: an upper bound, where a filter sets the lower one.
    ///
    /// With it, several outputs share the levels, so that each line is written once. The call site decides, at no cost for
    /// lines that the output does not take. The output's own notices are WARN lines, and it always has them.
    ///
    /// A bound that leaves no level, also together with [`output_filter`](Self::output_filter), is an error of `init` and
    /// `build`. [`Builder::stdout_and_stderr`](crate::Builder::stdout_and_stderr) is the short form for the two standard
    /// streams.
    ///
    /// # Examples
    /// ```
    /// use spanline::{Output, Stderr, Stdout};
    /// use tracing::Level;
    ///
    /// spanline::builder()
    ///     .output(Output::new(Stdout::new()).below(Level::WARN))                 // INFO and less severe
    ///     .output(Output::new(Stderr::new()).output_filter(Level::WARN));        // WARN and ERROR
    /// ```
    pub fn below(mut self, level: Level) -> Self {
        self.below = Some(level);
        self
    }

    /// Further filters this output by what is in a record: its fields, those of the spans around it, and its metadata.
    ///
    /// `takes` runs on the output's worker, after redaction and sealing, and before the schema. So a refused line has been captured
    /// and queued; a level or a target costs less in [`output_filter`](Self::output_filter). Refused lines are counted as
    /// [`filtered`](crate::metrics::OutputMetrics::filtered), not as dropped, and nothing reports them. The log's notices
    /// pass. A line on which `takes` panics is dropped as [`panicked`](crate::metrics::Reason::Panicked).
    ///
    /// # Examples
    /// ```
    /// use spanline::record::Value;
    /// use spanline::{Output, RollingFile};
    ///
    /// Output::new(RollingFile::new("logs/audit.log")).record_filter(|record| record.field("audit") == Some(Value::Bool(true)));
    /// ```
    pub fn record_filter(mut self, takes: impl FnMut(&Record<'_>) -> bool + Send + 'static) -> Self {
        self.record_filter = Some(Box::new(takes));
        self
    }

    /// Writes one of consecutive equal lines, and counts the others. Off by default.
    ///
    /// Lines are equal if their call site, their fields and their spans are; times may differ. The run is reported in the
    /// same place by a line of the same call site, with the same fields and `suppressed` (how many), `"reason":"repeated"`,
    /// and `first` and `last` (their times): before the next other line, or a second after the run's beginning. A flush
    /// and the end of the log report it at once. [`Reason::Repeated`](crate::metrics::Reason::Repeated) counts the lines.
    ///
    /// The output's worker compares them, so a repeated line has been captured and queued.
    /// [`Builder::rate_limit`](crate::Builder::rate_limit) suppresses before that, and also where other lines come between.
    ///
    /// # Examples
    /// ```
    /// use spanline::{Output, Stderr};
    ///
    /// Output::new(Stderr::new()).deduplicate();
    /// ```
    pub fn deduplicate(mut self) -> Self {
        self.deduplicates = true;
        self
    }

    /// Sets what happens when the queue is full.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Makes each call that logs wait until its line is written, at most `max_wait`.
    ///
    /// This is for audit logs, which must not miss the last line before a SIGKILL. The call wakes the worker and waits
    /// for it. Lines that several threads log at the same time are written together. The queue, its [`Overflow`] and
    /// all other outputs behave as before.
    ///
    /// A `max_wait` of zero is an error of `init` and `build`.
    ///
    /// # Blocking
    /// Each call waits for its write. If the sink hangs or fails, the call returns after `max_wait`. It is then counted
    /// as [`overdue`](crate::metrics::OutputMetrics::overdue) and reported, and the line stays queued until the sink
    /// takes it. The wait parks the thread, also on an async executor. On one of the log's own threads, in a sink for
    /// example, no call waits.
    ///
    /// # Durability
    /// A written line has been handed to the system: it survives any end of the process, but not a power cut. With
    /// [`Durability::EveryBatch`], the line is also durable before the call returns. With [`Durability::AtLevel`],
    /// lines of such a level are. The call also returns when the line can no longer be made durable: it then counts as
    /// [`not_durable`](crate::metrics::OutputMetrics::not_durable), and the log reports it.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use spanline::{Durability, Output, RollingFile};
    ///
    /// let audit = Output::new(RollingFile::new("logs/audit.log"))
    ///     .output_filter("off,orders::audit=info")
    ///     .synchronous(Duration::from_millis(500))
    ///     .durability(Durability::EveryBatch);
    /// ```
    pub fn synchronous(mut self, max_wait: Duration) -> Self {
        self.synchronous = Some(max_wait);
        self
    }

    /// Sets when written lines are made durable; [`Durability::Never`] by default.
    ///
    /// With any other setting, the rest is made durable when the log ends.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the memory limit of the queue: 4 KiB to 1 GiB, [`Self::DEFAULT_QUEUE_BYTES`] by default.
    ///
    /// The limit covers the records that wait or are being written, and the context of their spans. Memory that a burst
    /// needed is released when the output is idle. Values are cut so that a record fits into half of the log's smallest
    /// queue.
    pub fn queue_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.queue_bytes = bytes.into();
        self
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("name", self.name.as_ref().unwrap_or(&self.profile.name))
            .field("filter", &self.filter)
            .field("below", &self.below)
            .field("overflow", &self.overflow)
            .field("synchronous", &self.synchronous)
            .field("durability", &self.durability)
            .field("queue_bytes", &self.queue_bytes)
            .finish_non_exhaustive()
    }
}
