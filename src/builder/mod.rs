//! How it is put together: the only module that knows every stage.

mod answer;
mod end;
mod failures;
mod fork;
mod guard;
#[cfg(feature = "log")]
mod log_records;
mod output;
mod redact;
#[cfg(all(unix, feature = "signals"))]
mod signals;

use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub use guard::{Guard, Handle, Unwritten};
pub use output::Output;

use crate::complaint::Complaints;
use crate::context::IdSource;
use crate::error::Error;
use crate::filter::{self, CallsiteFilter, Filters};
#[cfg(feature = "opentelemetry")]
use crate::layer::Otel;
use crate::layer::{self, Core, Layer};
use crate::limit::{Limit, Limiter, Share};
use crate::record::{Clock, Statics, Timestamp};
use crate::redact::Redact;
use crate::schema::{self, Console};
use crate::sink::{Sink, Stdout};
use crate::worker::Lane;
use failures::Failures;
use guard::Deadlines;
use output::Common;

/// The mask of outputs has this many bits.
const MAX_OUTPUTS: usize = 64;

/// Sets up the log.
///
/// Ends in [`init`](Self::init), which installs it for the whole process, or [`build`](Self::build), which gives a
/// layer for a registry of one's own.
#[derive(Debug)]
#[must_use = "nothing is installed until `init` or `build` is called"]
pub struct Builder {
    statics: Statics,
    filter: Option<Result<Targets, Error>>,
    context_level: LevelFilter,
    outputs: Vec<Output>,
    max_line_bytes: usize,
    rate_limit: Option<Limit>,
    error_rate_limit: Option<Limit>,
    redact: Redact,
    clock: Clock,
    ids: IdSource,
    complaints: Complaints,
    deadlines: Deadlines,
    log: bool,
    failures: Failures,
    #[cfg(feature = "opentelemetry")]
    opentelemetry: bool,
    #[cfg(all(unix, feature = "signals"))]
    signals: signals::Wanted,
}

/// Begins to set up the log: no output yet.
pub fn builder() -> Builder {
    Builder {
        statics: Statics::default(),
        filter: None,
        context_level: LevelFilter::INFO,
        outputs: Vec::new(),
        max_line_bytes: Builder::DEFAULT_MAX_LINE_BYTES,
        rate_limit: None,
        error_rate_limit: None,
        redact: Redact::new(),
        clock: Clock::default(),
        ids: IdSource::default(),
        complaints: Complaints::default(),
        deadlines: Deadlines::default(),
        log: true,
        failures: Failures::default(),
        #[cfg(feature = "opentelemetry")]
        opentelemetry: false,
        #[cfg(all(unix, feature = "signals"))]
        signals: signals::Wanted::default(),
    }
}

/// Installs the twelve-factor default: JSON lines on stdout, or [`Console`] when stdout is a terminal; filtered by
/// `RUST_LOG`, else from INFO up.
///
/// The log ends when the guard is dropped: keep it until the end of `main`. If it is not dropped, the log ends with the
/// process; see [`Guard`].
///
/// # Errors
/// When a subscriber is already installed.
pub fn init() -> Result<Guard, Error> {
    builder().init()
}

impl Builder {
    /// The default limit of a line in bytes: what collectors commonly accept.
    pub const DEFAULT_MAX_LINE_BYTES: usize = 1 << 20;

    /// The service's name, in every line.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.statics.service = Some(name.into());
        self
    }

    /// A field in every line, such as `version` or `env`; an event's or a span's field of that name goes before it.
    /// Of equal names the last counts: set twice, it has the later value. An empty or reserved name is an error of
    /// `init` or `build`.
    pub fn static_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.statics.fields.push((name.into(), value.into()));
        self
    }

    /// What is logged at all, as `target=level` directives: `info,orders::db=debug,hyper=off`.
    ///
    /// Each output can have [a filter of its own](Output::output_filter) besides; an event must pass both. When this is not
    /// set, `init` takes the directives from `RUST_LOG`; without those, outputs that have no filter of their own take
    /// INFO and up. A bad directive is an error of `init` or `build`; one in `RUST_LOG` is skipped with one warning.
    pub fn filter(mut self, directives: &str) -> Self {
        self.filter = Some(filter::parse(directives));
        self
    }

    /// Spans with a field `request_id`, `trace_id` or `traceparent` hand it down up to this level (INFO unless set),
    /// also when the filters hide their own target.
    pub fn context_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.context_level = level.into();
        self
    }

    /// Adds an output; none means one to stdout, as [`init`](crate::init) has it. At most 64.
    pub fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// The longest line, in bytes; [`Self::DEFAULT_MAX_LINE_BYTES`] unless set. Less than 256 becomes 256. Values are cut so that
    /// it fits, those of static fields aside: if they and the service have more than half of it, that is an error of
    /// `init` or `build`.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes.max(256);
        self
    }

    /// Limits repeats: of each call site at most so many lines in a period. The rest are suppressed, and told in one line
    /// when the period is over. Off unless set. ERROR is not limited by this: see
    /// [`rate_limit_errors`](Self::rate_limit_errors).
    ///
    /// A period begins with the first line of a call site, by the log's own clock, and ends with the first event at which
    /// it is as long ago. The line that tells is one of that call site, in each output that would have had the others:
    /// its level, its target, the message of the last line that was logged (its beginning), and `suppressed`, how many
    /// more there were, `reason`, and the times of the `first` and the `last` of them. It comes with the next lines of
    /// that output, some seconds after the period at the latest, and before the log ends. In [`Metrics`](crate::metrics::Metrics)
    /// suppressed lines are dropped ones, by [`Reason::RateLimited`](crate::metrics::Reason::RateLimited).
    ///
    /// A suppressed event is not captured: its values are not formatted. Records of the `log` crate are told apart by
    /// target, file and line. What sinks log themselves is not limited. The memory for it is bounded, some hundred KiB:
    /// a program with some thousand call sites that are all busy at once has a few that are not limited. A call site
    /// whose limit is not set pays nothing.
    ///
    /// No line at all, or no period, is an error of `init` or `build`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use spanline::sink::Memory;
    /// use spanline::Output;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let memory = Memory::new();
    /// let builder = spanline::builder().rate_limit(2, Duration::from_secs(60)).output(Output::new(memory.clone()));
    /// let (layer, guard) = builder.build()?;
    /// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
    ///     for attempt in 0..10 {
    ///         tracing::warn!(attempt, "not connected");
    ///     }
    /// });
    /// drop(guard);
    /// assert_eq!(memory.lines().len(), 3);
    /// assert!(memory.text().contains(r#""message":"not connected","suppressed":8,"reason":"rate_limited""#));
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn rate_limit(mut self, lines: u64, period: Duration) -> Self {
        self.rate_limit = Some(Limit { lines, period });
        self
    }

    /// The same for ERROR lines, which have a limit of their own, as the details of each may be wanted. Off unless set.
    pub fn rate_limit_errors(mut self, lines: u64, period: Duration) -> Self {
        self.error_rate_limit = Some(Limit { lines, period });
        self
    }

    /// Takes the time from a function instead of the system: for tests.
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Clock::custom(now);
        self
    }

    /// Makes the same ids in every run, in the order the spans are opened: for tests. A forked child makes those of its
    /// parent again.
    pub fn id_seed(mut self, seed: u64) -> Self {
        self.ids = IdSource::seeded(seed);
        self
    }

    /// Where the log's own complaints go, instead of raw to stderr: at most one for each reason in ten seconds.
    pub fn on_complaint(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.complaints = Complaints::to(Box::new(hook));
        self
    }

    /// How long the end of the log waits for outputs that get nothing done, and for all of them at the most;
    /// [`Guard::DEFAULT_SHUTDOWN_TIMEOUT`] and [`Guard::DEFAULT_SHUTDOWN_CAP`] unless set.
    pub fn shutdown_timeout(mut self, timeout: Duration, cap: Duration) -> Self {
        self.deadlines = Deadlines { timeout, cap };
        self
    }

    /// Writes what is queued when SIGTERM, SIGINT or SIGQUIT comes, and only then lets it end the process: by the
    /// signal's default action, so that whoever waits for the process sees what it would have seen; as process 1 of a
    /// container, which has no default action, with the status 128 + n.
    ///
    /// The deadline is that of the [`Guard`]. A second signal ends the process at once. A signal that the process was
    /// started to ignore (`nohup`) stays ignored. Other handlers, such as `tokio::signal`, hear of the signals too, but
    /// have no more time than the log takes: a program that shuts down by itself does not need this, its guard does it.
    #[cfg(all(unix, feature = "signals"))]
    pub fn flush_on_signals(mut self) -> Self {
        self.signals.end = true;
        self
    }

    /// Has all outputs of the process open their files anew at each SIGHUP, as [`Handle::reopen`] does: for `logrotate`.
    #[cfg(all(unix, feature = "signals"))]
    pub fn reopen_on_sighup(mut self) -> Self {
        self.signals.reopen = true;
        self
    }

    /// Takes the trace and span ids of the layer of `tracing-opentelemetry` 0.34 in the same registry, whichever of the two
    /// layers comes first: for every span that it sees. They are settled when a span is entered first, or an event names
    /// it as its parent; `set_parent` has to come before. When no span ever has any, a complaint says so once.
    #[cfg(feature = "opentelemetry")]
    pub fn opentelemetry(mut self) -> Self {
        self.opentelemetry = true;
        self
    }

    /// Leaves the `log` crate alone; `init` takes its records otherwise.
    pub fn without_log(mut self) -> Self {
        self.log = false;
        self
    }

    /// Makes the layer, for a registry of one's own. The log ends when the guard is dropped, or with the process.
    ///
    /// The layer can be wrapped in `Option`, boxed and filtered like any other, and installed for a scope.
    ///
    /// # Errors
    /// A bad directive; two outputs of one name, or to one file; a sink that cannot be opened, with its path and the
    /// cause.
    pub fn build<S>(self) -> Result<(impl tracing_subscriber::Layer<S> + use<S>, Guard), Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (layer, filter, guard) = self.parts()?;
        Ok((layer.with_filter(filter), guard))
    }

    fn parts(mut self) -> Result<(Layer, CallsiteFilter, Guard), Error> {
        let global = self.filter.take().transpose()?;
        let reserved = |name: &str| name.is_empty() || schema::is_reserved(name);
        if let Some((name, _)) = self.statics.fields.iter().find(|(name, _)| reserved(name)) {
            return Err(Error::invalid(format!(
                "no static field can be called `{name}`: the name is empty or reserved"
            )));
        }
        let fixed = self.statics.bytes();
        if fixed > self.max_line_bytes / 2 {
            return Err(Error::invalid(format!(
                "the service and the static fields have {fixed} bytes, more than half of the longest line ({})",
                self.max_line_bytes
            )));
        }
        if self.outputs.is_empty() {
            self.outputs.push(default_output());
        }
        if self.outputs.len() > MAX_OUTPUTS {
            return Err(Error::invalid(format!("{} outputs; at most {MAX_OUTPUTS}", self.outputs.len())));
        }
        output::check_paths(&self.outputs)?;
        let limits = [self.error_rate_limit, self.rate_limit];
        if limits.iter().flatten().any(|limit| limit.lines == 0 || limit.period.is_zero()) {
            return Err(Error::invalid("a rate limit needs at least one line and a period; a filter hides all lines"));
        }
        let limiter = limits.iter().any(Option::is_some).then(|| Arc::new(Limiter::new(limits[0], limits[1])));
        let log_panics = self.failures.log_panics == Some(true);
        self.statics.backtraces = log_panics || self.failures.backtrace != LevelFilter::OFF;
        self.statics.holds_back = self.failures.held_back.is_some();
        let (extras, held) = self.failures.extras()?;
        let complaints = Arc::new(self.complaints);
        let rules = self.redact.rules();
        let statics = Arc::new(redact::statics(self.statics, rules.as_deref()));
        let smallest_queue =
            self.outputs.iter().map(|output| output.queue_bytes).min().unwrap_or(Output::DEFAULT_QUEUE_BYTES);
        let wants_thread = self.outputs.iter().any(Output::wants_thread);
        let mut filters = Vec::new();
        let mut own_targets = Vec::new();
        let mut lanes: Vec<Arc<Lane>> = Vec::new();
        let common = Common {
            max_line_bytes: self.max_line_bytes,
            statics: &statics,
            clock: &self.clock,
            complaints: &complaints,
            rules: rules.as_ref(),
            held: extras.held.as_ref(),
        };
        let started: Result<(), Error> = self.outputs.into_iter().try_for_each(|mut output| {
            filters.push(output.filter.take().transpose()?);
            own_targets.push(output.take_own_targets());
            let name = output.name_among(&lanes)?;
            let limit = limiter.clone().map(|limiter| Share { limiter, place: lanes.len() });
            lanes.push(output.start(name, limit, &common)?);
            Ok(())
        });
        let state = filter::State { global, outputs: filters, own_targets, context_level: self.context_level, held };
        let filters = Arc::new(Filters::new(state));
        // Workers run: the guard ends them when a later output has failed.
        #[cfg(feature = "opentelemetry")]
        let for_otel = Arc::clone(&complaints);
        let guard = Guard::new(self.deadlines, complaints, lanes.clone(), Some(Arc::clone(&filters)));
        started?;
        #[cfg(all(unix, feature = "signals"))]
        signals::watch(self.signals)?;
        let core = Arc::new(Core {
            serial: Core::next_serial(),
            lanes,
            filters: Arc::clone(&filters),
            clock: self.clock,
            ids: self.ids,
            max_record_bytes: self.max_line_bytes.min(smallest_queue / 2),
            wants_thread,
            limiter,
            #[cfg(feature = "opentelemetry")]
            otel: self.opentelemetry.then(|| Otel::new(for_otel)),
            redact: rules,
            extras,
            place: layer::Place::default(),
        });
        if log_panics {
            layer::listen(&core);
        }
        Ok((Layer::new(core), CallsiteFilter(filters), guard))
    }

    /// Installs the log for the whole process: as the global subscriber, and for the records of the `log` crate.
    ///
    /// Keep the guard until the end of `main`: the log ends when it is dropped, or with the process. Lines logged later
    /// are written by the thread that logs them.
    ///
    /// # Errors
    /// As [`build`](Self::build); and when a subscriber or a logger is already installed.
    pub fn init(mut self) -> Result<Guard, Error> {
        let mut skipped = Vec::new();
        if self.filter.is_none() {
            let directives = std::env::var("RUST_LOG").unwrap_or_default();
            let (targets, bad) = filter::parse_leniently(&directives);
            skipped = bad;
            if targets.iter().next().is_some() || targets.default_level().is_some() {
                self.filter = Some(Ok(targets));
            }
        }
        self.failures.log_panics.get_or_insert(true);
        #[cfg(feature = "log")]
        let log = self.log.then_some(self.max_line_bytes);
        let (layer, filter, guard) = self.parts()?;
        for (directive, why) in skipped.iter().take(1) {
            guard.complain("RUST_LOG", &format!("RUST_LOG directive `{directive}` skipped: {why}"));
        }
        #[cfg(feature = "log")]
        let filters = Arc::clone(&filter.0);
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(filter)));
        #[cfg(feature = "log")]
        if let Some(max_bytes) = log {
            log_records::install(&filters, max_bytes)?;
        }
        tracing::dispatcher::set_global_default(dispatch)
            .map_err(|_| Error::invalid("a global subscriber is already installed"))?;
        #[cfg(feature = "log")]
        if log.is_some() {
            filters.serve_log();
        }
        Ok(guard)
    }
}

fn default_output() -> Output {
    let stdout = Stdout::new();
    if stdout.profile().is_terminal { Output::new(stdout).schema(Console::new()) } else { Output::new(stdout) }
}
