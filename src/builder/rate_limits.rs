//! The setters of limits: how many lines one call site can log, and which traces are logged.

use std::time::Duration;

use super::builder::Builder;
use crate::limit::{Rule, Sampling};

impl Builder {
    /// Limits repeats: each call site logs at most `lines` lines in a `period`. Off by default.
    ///
    /// The other lines are suppressed, and one summary line reports them when the period is over. ERROR is not limited:
    /// see [`rate_limit_errors`](Self::rate_limit_errors).
    ///
    /// A period begins with the first line of a call site, by the log's own clock. It ends with the first event that is
    /// at least one period later. The summary appears in each output that would have received the suppressed lines. It
    /// has the call site's level and target, the beginning of the last logged message, and the fields `suppressed` (how
    /// many), `reason`, `first` and `last` (their times). It is written with the next lines of that output, at most
    /// some seconds after the period, and before the log ends. In [`Metrics`](crate::metrics::Metrics), suppressed
    /// lines are dropped with [`Reason::RateLimited`](crate::metrics::Reason::RateLimited).
    ///
    /// A suppressed event is not captured: its values are not formatted. Records of the `log` crate are told apart by
    /// target, file and line. Lines that sinks log are not limited. The limiter's memory is bounded: if
    /// more call sites are busy at once than it has places for, some are not limited. Call sites without a limit pay
    /// nothing.
    ///
    /// Zero lines or a zero period is an error of `init` and `build`.
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
        self.rate_limits.lines = Some(Rule::Window { lines, period });
        self
    }

    /// Limits repeats of ERROR lines, as [`rate_limit`](Self::rate_limit) does for all other levels. Off by default.
    ///
    /// ERROR has a separate limit because the details of each may be wanted.
    pub fn rate_limit_errors(mut self, lines: u64, period: Duration) -> Self {
        self.rate_limits.errors = Some(Rule::Window { lines, period });
        self
    }

    /// Logs a share of the lines: one in N or a bucket of tokens, of each call site or of whole traces. Off by default.
    ///
    /// Lines of call sites and traces are sampled independently: call it once for each. The last call of a kind counts.
    /// Suppressed lines are reported as by [`rate_limit`](Self::rate_limit), at most about ten seconds late, with
    /// `"reason":"sampled"`, and counted as [`Reason::Sampled`](crate::metrics::Reason::Sampled). A line that is
    /// suppressed is not captured.
    ///
    /// Sampling that keeps everything or nothing is an error of `init` and `build`, and so is sampling of call sites
    /// together with `rate_limit`.
    ///
    /// # Examples
    /// ```
    /// use spanline::Sampling;
    ///
    /// spanline::builder().sampling(Sampling::one_in(100));                // of the lines of each call site
    /// spanline::builder().sampling(Sampling::one_in(10).of_traces());     // the same traces in all services
    /// ```
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.rate_limits.sampling.push(sampling);
        self
    }
}
