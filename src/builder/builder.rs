//! The builder: the settings of a log.

use std::fmt;
use std::time::Duration;

use tracing::Level;

use super::assemble::standard;
use super::output::Output;
use super::settings::{Diagnostics, FilterSettings, Integrations, RateLimits, Secrets};
use crate::byte_size::ByteSize;
use crate::complaint::Complaints;
use crate::context::IdSource;
use crate::control::Deadlines;
#[cfg(doc)]
use crate::control::Guard;
use crate::record::{Clock, OwnedValue, Statics, Timestamp};
use crate::sink::{Stderr, Stdout};

/// Sets up the log.
///
/// [`init`](Self::init) installs the log for the whole process. [`build`](Self::build) returns a layer for your own
/// registry. Both check the settings: a limit that is out of bounds is an error that names it.
#[must_use = "nothing is installed until `init` or `build` is called"]
pub struct Builder {
    pub(super) statics: Statics,
    pub(super) filters: FilterSettings,
    pub(super) outputs: Vec<Output>,
    pub(super) max_line_bytes: ByteSize,
    pub(super) rate_limits: RateLimits,
    pub(super) secrets: Secrets,
    pub(super) clock: Clock,
    pub(super) ids: IdSource,
    pub(super) complaints: Complaints,
    pub(super) deadlines: Deadlines,
    pub(super) diagnostics: Diagnostics,
    pub(super) integrations: Integrations,
}

/// Creates a builder without outputs.
pub fn builder() -> Builder {
    Builder {
        statics: Statics::default(),
        filters: FilterSettings::default(),
        outputs: Vec::new(),
        max_line_bytes: ByteSize::new(Builder::DEFAULT_MAX_LINE_BYTES),
        rate_limits: RateLimits::default(),
        secrets: Secrets::default(),
        clock: Clock::default(),
        ids: IdSource::default(),
        complaints: Complaints::default(),
        deadlines: Deadlines::default(),
        diagnostics: Diagnostics::default(),
        integrations: Integrations::default(),
    }
}

impl Builder {
    /// The default maximum length of a line, in bytes: what collectors commonly accept.
    pub const DEFAULT_MAX_LINE_BYTES: u64 = 1 << 20;

    /// Sets the service's name, which every line carries.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.statics.service = Some(name.into());
        self
    }

    /// Adds a field to every line, such as `version` or `env`. The value may have any type.
    ///
    /// A field of an event or a span with the same name takes precedence. If a static field is set twice, the last
    /// value wins. An empty or reserved name is an error of `init` and `build`.
    pub fn static_field(mut self, name: impl Into<String>, value: impl Into<OwnedValue>) -> Self {
        self.statics.fields.push((name.into(), value.into()));
        self
    }

    /// Adds an output. At most 64.
    ///
    /// Without any, the log has one output to stdout, as [`init`](crate::init) does.
    pub fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// Adds two outputs that share the levels: lines below `level` go to stdout, `level` and above to stderr.
    ///
    /// Each line is written once, unless [`Handle::set_output_filter`](crate::Handle::set_output_filter) lowers the level of
    /// `stderr` later. A stream that is a terminal gets [`Console`](crate::schema::Console) lines, any other
    /// JSON. For other settings, add the two outputs with [`Output::below`] and [`Output::output_filter`].
    ///
    /// # Examples
    /// ```
    /// # let (_layer, guard) =
    /// spanline::builder().stdout_and_stderr(tracing::Level::WARN)
    /// # .build::<tracing_subscriber::Registry>()?;
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn stdout_and_stderr(self, level: Level) -> Self {
        self.output(standard(Stdout::new()).below(level)).output(standard(Stderr::new()).output_filter(level))
    }

    /// Sets the maximum length of a line: 256 bytes to 1 GiB, [`Self::DEFAULT_MAX_LINE_BYTES`] by default.
    ///
    /// Values are cut so that the line fits. The service and the static fields are never cut: if they take more than
    /// half of the limit as JSON, `init` and `build` return an error. Only a line of the log about itself may be longer,
    /// where nothing of it would be left.
    pub fn max_line_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.max_line_bytes = bytes.into();
        self
    }

    /// Replaces the system clock, for tests.
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Clock::custom(now);
        self
    }

    /// Seeds the id generator, for tests: every run makes the same ids, in the order in which spans are opened.
    ///
    /// A forked child repeats the ids of its parent.
    pub fn id_seed(mut self, seed: u64) -> Self {
        self.ids = IdSource::seeded(seed);
        self
    }

    /// Sets a hook for the log's complaints about itself, which otherwise go to stderr.
    ///
    /// Each reason is reported at most once in ten seconds. The hook runs on the thread that has something to complain of,
    /// also while the log ends, and must not block.
    pub fn on_complaint(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.complaints = Complaints::to(Box::new(hook));
        self
    }

    /// Sets how long the end of the log waits: `timeout` without progress, and `cap` in total.
    ///
    /// The defaults are [`Guard::DEFAULT_SHUTDOWN_TIMEOUT`] and [`Guard::DEFAULT_SHUTDOWN_CAP`].
    pub fn shutdown_timeout(mut self, timeout: Duration, cap: Duration) -> Self {
        self.deadlines = Deadlines { timeout, cap };
        self
    }
}

/// Prints names, not the values of static fields: one may be secret.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let static_fields: Vec<_> = self.statics.fields.iter().map(|(name, _)| name).collect();
        f.debug_struct("Builder")
            .field("service", &self.statics.service)
            .field("static_fields", &static_fields)
            .field("filters", &self.filters)
            .field("outputs", &self.outputs)
            .field("max_line_bytes", &self.max_line_bytes)
            .field("rate_limits", &self.rate_limits)
            .field("diagnostics", &self.diagnostics)
            .field("integrations", &self.integrations)
            .finish_non_exhaustive()
    }
}
