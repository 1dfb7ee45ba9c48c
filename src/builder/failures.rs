//! What the log does when something goes wrong in the program: backtraces, panics, the times of spans, detail held back.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::Builder;
use crate::error::Error;
use crate::filter;
use crate::flight_recorder::FlightRecorder;
use crate::layer::Diagnostics;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Failures {
    pub(super) backtrace: LevelFilter,
    /// `None`: as `init` and `build` have it.
    pub(super) log_panics: Option<bool>,
    span_close: Option<Result<Targets, Error>>,
    pub(super) held_back: Option<FlightRecorder>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { backtrace: LevelFilter::OFF, log_panics: None, span_close: None, held_back: None }
    }
}

impl Failures {
    /// # Errors
    /// A bad directive.
    pub(super) fn extras(self) -> Result<(Diagnostics, Option<(Targets, Level)>), Error> {
        let closes = self.span_close.transpose()?;
        let (held, store) = match self.held_back.as_ref().map(FlightRecorder::start).transpose()? {
            Some((targets, release, store)) => (Some((targets, release)), Some((Arc::new(store), release))),
            None => (None, None),
        };
        let (store, release_at) = store.unzip();
        Ok((Diagnostics { backtrace: self.backtrace, close_lines: closes, held_lines: store, release_at }, held))
    }
}

impl Builder {
    /// Events at and above this level say how the program came there: `backtrace` in the line, without the frames of the
    /// log itself, at most 16 KiB. Off unless set.
    ///
    /// It is taken on the thread that logs: some hundred microseconds, and milliseconds for the first, which reads the
    /// program's symbols.
    pub fn backtrace(mut self, level: impl Into<LevelFilter>) -> Self {
        self.failures.backtrace = level.into();
        self
    }

    /// Whether a panic becomes an ERROR line, of the target `panic`, before the panic hook that was there runs: with the
    /// panic's text, `location`, `thread`, and the span it happened in. With `init` it does unless this says
    /// otherwise, with `build` only if this says so.
    ///
    /// It has a `backtrace` when the variable `RUST_BACKTRACE` asks for one or [`backtrace`](Self::backtrace) does. A
    /// panic of a value that is being logged is not one of the program's: it is caught, and only its field says so. A
    /// panic hook that is set later without calling the one it finds takes these lines away.
    pub fn log_panics(mut self, log: bool) -> Self {
        self.failures.log_panics = Some(log);
        self
    }

    /// Spans whose target and level pass these directives have a line when they close, in each output that takes
    /// events of their target and level: `"message":"close"`, and `duration_us`, `busy_us` and `idle_us` in microseconds.
    /// Off unless set. A bad directive is an error of `init` or `build`.
    ///
    /// Busy is the time that somebody was in the span, counted once however many threads were; idle is the rest, in which
    /// an async task waited. The line has the span's fields, those recorded late among them. It costs two clock reads
    /// each time a span is entered and left.
    pub fn span_close(mut self, directives: &str) -> Self {
        self.failures.span_close = Some(filter::parse(directives));
        self
    }

    /// Keeps detail in memory that no filter lets pass, and writes it when the request it belongs to logs an ERROR: the
    /// lines of that request that an output does not want, up to the levels that [`FlightRecorder`] says, come before the
    /// ERROR's line, in order, with their own times and `"held_back":true`, to the outputs that get the ERROR.
    ///
    /// A request is the nearest span with a field `request_id`, `trace_id` or `traceparent`, else the outermost one. What
    /// is logged outside any span is not held back, nor what a [limit of repeats](Self::rate_limit) suppresses, nor what
    /// the log's own threads log; and nothing is for an output that takes no ERROR of the same target. When the
    /// request's span closes, what it held is freed. A [panic](Self::log_panics) in the request counts as its ERROR.
    ///
    /// A line that is held back costs its capture and a copy, and is counted in
    /// [`OutputMetrics::held_back`](crate::metrics::OutputMetrics::held_back).
    ///
    /// ```
    /// use spanline::sink::Memory;
    /// use spanline::{FlightRecorder, Output};
    /// # use tracing_subscriber::prelude::*;
    ///
    /// # let memory = Memory::new();
    /// let builder = spanline::builder().filter("info").flight_recorder(FlightRecorder::new("debug").memory_bytes(16 << 20));
    /// # let (layer, guard) = builder.output(Output::new(memory.clone())).build()?;
    /// # tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
    /// tracing::info_span!("request", request_id = "r-1").in_scope(|| {
    ///     tracing::debug!(attempt = 1, "connecting");
    ///     tracing::error!("not connected");
    /// });
    /// # });
    /// # drop(guard);
    /// # assert!(memory.lines()[0].contains(r#""message":"connecting","attempt":1,"held_back":true"#));
    /// # assert_eq!(memory.lines().len(), 2);
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn flight_recorder(mut self, held_back: FlightRecorder) -> Self {
        self.failures.held_back = Some(held_back);
        self
    }
}
