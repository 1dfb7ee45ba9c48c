//! The setters of diagnostics: backtraces, panics, lines of spans, the flight recorder.

use tracing::level_filters::LevelFilter;

use super::builder::Builder;
use crate::filter::{FilterSetting, IntoFilter};
use crate::flight_recorder::FlightRecorder;

impl Builder {
    /// Adds the field `backtrace` to events at and above this level. Off by default.
    ///
    /// It has at most 10 KiB, and omits the log's own frames and those of async runtimes. The thread that logs captures
    /// it. The first one takes much longer, because it reads the program's symbols.
    pub fn backtrace(mut self, level: impl Into<LevelFilter>) -> Self {
        self.diagnostics.backtrace = level.into();
        self
    }

    /// Sets whether a panic is logged as an ERROR line; by default, `init` does and `build` does not.
    ///
    /// The line has the target `panic`, the panic's text as its message and as an error of the type `panic`, the panic's
    /// file, line and thread, and the span in which it happened. It is logged before the previous panic hook runs. It
    /// has a `backtrace` if the variable `RUST_BACKTRACE` or [`backtrace`](Self::backtrace) asks for one.
    ///
    /// A panic in the `Debug` or `Display` of a logged value is not the program's: it is caught, and only its field
    /// reports it. A panic hook that is set later and does not call the previous one suppresses these lines.
    pub fn log_panics(mut self, log: bool) -> Self {
        self.diagnostics.log_panics = Some(log);
        self
    }

    /// Logs a line when a span that passes this filter opens. Off by default.
    ///
    /// The line has `"message":"new"` and the keys of a [close line](Self::span_close). Together with
    /// [`span_enter`](Self::span_enter), [`span_exit`](Self::span_exit) and `span_close`, it is what `FmtSpan` is for
    /// `tracing_subscriber::fmt`; each has its filter.
    ///
    /// # Examples
    /// ```
    /// // As `FmtSpan::NEW | FmtSpan::CLOSE`, and all four for one target.
    /// spanline::builder().span_new("info").span_close("info").span_enter("off,orders=debug").span_exit("off,orders=debug");
    /// ```
    pub fn span_new(mut self, filter: impl IntoFilter) -> Self {
        self.diagnostics.span_new = Some(FilterSetting::new(filter));
        self
    }

    /// Logs a line each time a span that passes this filter is entered: `"message":"enter"`, with the span's times so
    /// far. Off by default. The span of a future is entered at each poll.
    ///
    /// The line has the keys of a [close line](Self::span_close).
    pub fn span_enter(mut self, filter: impl IntoFilter) -> Self {
        self.diagnostics.span_enter = Some(FilterSetting::new(filter));
        self
    }

    /// Logs a line each time a span that passes this filter is exited: `"message":"exit"`, with the span's times so far.
    /// Off by default.
    ///
    /// The line has the keys of a [close line](Self::span_close).
    pub fn span_exit(mut self, filter: impl IntoFilter) -> Self {
        self.diagnostics.span_exit = Some(FilterSetting::new(filter));
        self
    }

    /// Logs a line when a span that passes this filter closes. Off by default.
    ///
    /// The line has `"message":"close"`, the span's fields, including those recorded late, and `duration_us`, `busy_us`
    /// and `idle_us` in microseconds. It goes to each output that takes events of the span's target and level.
    ///
    /// Busy is the time in which at least one thread was inside the span. Idle is the rest, in which an async task
    /// waited. Each enter and each exit of such a span costs a clock read. A bad directive is an error of `init` and
    /// `build`.
    pub fn span_close(mut self, filter: impl IntoFilter) -> Self {
        self.diagnostics.span_close = Some(FilterSetting::new(filter));
        self
    }

    /// Keeps detail that no output wants in memory, and writes it if its request logs an ERROR.
    ///
    /// The lines that [`FlightRecorder`] selects are written before the ERROR's line, in order, with their own times
    /// and `"held_back":true`, to the outputs that receive the ERROR.
    ///
    /// A request is the nearest span with a field `request_id`, `trace_id` or `traceparent`, or else the outermost
    /// span. When its span closes, its lines are freed. A [panic](Self::log_panics) in the request counts as its ERROR.
    /// Not held back are lines outside any span, lines that a [rate limit](Self::rate_limit) suppresses, and lines of
    /// the log's own threads. An output that takes no ERROR of the same target receives nothing.
    ///
    /// A line that is held back costs its capture and a copy, and is counted in
    /// [`OutputMetrics::held_back`](crate::metrics::OutputMetrics::held_back).
    ///
    /// # Examples
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
    pub fn flight_recorder(mut self, recorder: FlightRecorder) -> Self {
        self.diagnostics.flight_recorder = Some(recorder);
        self
    }
}
