//! The counters as users read them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::by_level::{ByLevel, LEVELS, name_of};
use super::dropped::Dropped;

/// The counters of one output.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OutputMetrics {
    /// The output's name.
    pub name: String,
    /// Lines meant for the output: each event that passed its filters or was held back from it.
    pub emitted: ByLevel,
    /// Those of `emitted` that no output before this one was meant to have.
    pub(crate) events: ByLevel,
    /// Lines that an earlier process left in the output's spool.
    pub taken_over: ByLevel,
    /// Lines that the sink has written. The docs of each sink say what that means.
    pub written: ByLevel,
    /// Lines lost, by reason.
    pub dropped: Dropped,
    /// Lines that the output's [record filter](crate::Output::record_filter) refused, or that a level of
    /// `sink::Fallback` left out. They are not dropped: the output was not meant to have them.
    pub filtered: ByLevel,
    /// Lines that wait, or that were offered to the sink and not taken.
    pub queued: ByLevel,
    /// Lines that the sink has handed over and that are not acknowledged yet. They are still in memory.
    pub in_flight: ByLevel,
    /// Lines on disk, in the output's spool, still to be written.
    pub spooled: ByLevel,
    /// Bytes of the spool on disk.
    pub spooled_bytes: u64,
    /// How long the spool has held lines, by the log's own clock. `None` while it holds none.
    pub spooling_for: Option<Duration>,
    /// Bytes of lines that were written from the spool. The increase in a second is the rate of the replay.
    pub replayed_bytes: u64,
    /// Lines that were sent again because they were not acknowledged. The other counts have them once.
    pub resent: u64,
    /// Lines [held back](crate::Builder::flight_recorder) and not released: still in memory, freed with their request,
    /// or evicted.
    pub held_back: ByLevel,
    /// Lines that were held back and then released. Each is also queued, written or dropped.
    pub released: ByLevel,
    /// Lines of `held_back` that were evicted for newer ones. An error of their request no longer releases them.
    pub evicted: ByLevel,
    /// Memory of the queue, in bytes.
    pub queued_bytes: u64,
    /// The limit of `queued_bytes`: [`Output::queue_bytes`](crate::Output::queue_bytes).
    pub max_queued_bytes: u64,
    /// How long ago the oldest line that is queued or in flight was logged, by the log's own clock: how far the output is
    /// behind.
    ///
    /// `None` if there is no such line, and zero if the clock has stepped back since.
    pub oldest_queued: Option<Duration>,
    /// Bytes that the sink took.
    pub written_bytes: u64,
    /// Lines of the log about itself: notices of loss and of repeats. No other count includes them.
    pub notices: u64,
    /// Writes that failed and were retried.
    pub retries: u64,
    /// Caught panics of the sink and the schema.
    pub panics: u64,
    /// Successful syncs, by [`Durability`](crate::Durability) or [`Handle::sync`](crate::Handle::sync): each made all
    /// written lines durable.
    pub syncs: u64,
    /// Failed syncs. Each is retried, unless `Handle::sync` asked for it.
    pub failed_syncs: u64,
    /// Lines of `written` that a failed sync covered and that can no longer be made durable.
    pub not_durable: u64,
    /// Values and pieces of text that [`Redact`](crate::Redact) replaced.
    ///
    /// A value is counted when it is logged; a span's value once. A piece of text is counted when it is rendered; a
    /// span's once for each context that includes the span.
    pub redacted: u64,
    /// Calls to a [synchronous](crate::Output::synchronous) output that returned after `max_wait`, before their line
    /// was written or durable. The other counts include their lines.
    pub overdue: u64,
    /// The last error of the sink, with its causes: of a write, or of an order such as [`Handle::rotate`].
    ///
    /// [`Handle::rotate`]: crate::Handle::rotate
    pub last_error: Option<String>,
}

/// The events of one service.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServiceMetrics {
    /// The service's name; empty for a log without one.
    pub service: String,
    /// Events that at least one output was meant to have: see [`Metrics::by_service_level`].
    pub events: ByLevel,
}

/// A snapshot of all counters, from [`Handle::metrics`](crate::Handle::metrics).
///
/// # Examples
/// ```
/// # use spanline::sink::Memory;
/// # use spanline::Output;
/// # let output = Output::new(Memory::new()).name("file");
/// # let (_layer, guard) = spanline::builder().output(output).build::<tracing_subscriber::Registry>()?;
/// let metrics = guard.handle().metrics();
/// println!("{} lines dropped by all outputs", metrics.dropped());
/// for (reason, lines) in metrics.outputs[0].dropped.reasons() {
///     println!("{} dropped: {reason}", lines.total());
/// }
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry for each output, in the order of the builder.
    pub outputs: Vec<OutputMetrics>,
    /// One entry for each service, by name.
    pub services: Vec<ServiceMetrics>,
}

impl Metrics {
    /// Returns the counters of the output with this name.
    pub fn output(&self, name: &str) -> Option<&OutputMetrics> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Returns the number of events by service and level: `{"payment-service.info": 2, …}`, including zeros.
    ///
    /// Each event counts once, however many outputs it is meant for. It counts if it is part of
    /// [`emitted`](OutputMetrics::emitted) of at least one output: if an output's filter wants it, or if it is held back.
    /// With one output, the counts are those of its `emitted`.
    ///
    /// The lines of spans and panics, those of an appender, and events that were kept before `init` count too. So do events
    /// that a rate limit, sampling or a full queue drops: they happened. A line that is released later does not count
    /// again. Notices and lines that an earlier process left in a spool do not count.
    ///
    /// The keys of a log without a [`service`](crate::Builder::service) are the levels alone.
    ///
    /// # Examples
    /// ```
    /// use tracing_subscriber::prelude::*;
    ///
    /// # let memory = spanline::sink::Memory::new();
    /// let (layer, guard) = spanline::builder()
    ///     .service("payment-service")
    ///     # .output(spanline::Output::new(memory))
    ///     .build()?;
    /// # let subscriber = tracing_subscriber::registry().with(layer);
    /// # tracing::subscriber::with_default(subscriber, || {
    /// tracing::info!("paid");
    /// tracing::info!("paid");
    /// # });
    /// let counts = guard.handle().metrics().by_service_level();
    /// assert_eq!(counts["payment-service.info"], 2);
    /// assert_eq!(counts["payment-service.error"], 0);
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn by_service_level(&self) -> BTreeMap<String, u64> {
        let key = |service: &str, level| match service {
            "" => name_of(level).to_owned(),
            name => format!("{name}.{}", name_of(level)),
        };
        let of_service = |ServiceMetrics { service, events }: &ServiceMetrics| {
            LEVELS.map(|level| (key(service, level), events.level(level)))
        };
        self.services.iter().flat_map(of_service).collect()
    }

    /// Returns the number of lines that all outputs dropped.
    pub fn dropped(&self) -> u64 {
        self.outputs.iter().map(|output| output.dropped.total()).sum()
    }
}
