//! The handle: orders to all outputs, filters and counters while the log runs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "config")]
use super::configuration::Configuration;
use super::filter_control::FilterControl;
use super::flush_future::FlushFuture;
use super::shutdown::Deadlines;
use super::static_fields::StaticFields;
use super::thread::ControlThread;
use crate::error::Error;
use crate::filter::{FilterSetting, IntoFilter};
use crate::layer::{Core, Services};
use crate::metrics::Metrics;
use crate::outputs::Outputs;
use crate::queue::Command;
use crate::record::{OwnedValue, Relayed};
use crate::sync::after;
use crate::worker::Common;

/// Controls a running log. Clones control the same log.
#[derive(Clone)]
pub struct Handle {
    pub(super) outputs: Arc<Outputs>,
    /// `None` for an appender, whose lines another formatter filters and makes.
    pub(super) layer: Option<LayerParts>,
}

/// What the log of a layer has, and that of an appender has not.
#[derive(Clone, Debug)]
pub(crate) struct LayerParts {
    pub(crate) core: Arc<Core>,
    pub(super) static_fields: StaticFields,
    pub(super) services: Arc<Services>,
    pub(super) filters: Arc<FilterControl>,
    pub(super) thread: Arc<ControlThread>,
    /// What further outputs share with the others.
    pub(crate) common: Common,
    /// How long the end of an output may take.
    pub(crate) deadlines: Deadlines,
    /// What a text can change the log by.
    #[cfg(feature = "config")]
    pub(crate) configuration: Option<Arc<dyn Configuration>>,
}

impl Handle {
    pub(super) fn new(outputs: Arc<Outputs>, layer: Option<LayerParts>) -> Self {
        Self { outputs, layer }
    }

    pub(crate) fn outputs(&self) -> &Arc<Outputs> {
        &self.outputs
    }

    /// Returns what a layer has. `lacks` completes "an appender".
    ///
    /// # Errors
    /// It is an appender's handle.
    pub(crate) fn layer(&self, lacks: &str) -> Result<&LayerParts, Error> {
        self.layer.as_ref().ok_or_else(|| Error::invalid(format!("an appender {lacks}")))
    }

    /// Waits until all outputs have handed everything logged before, by any thread, to the system.
    ///
    /// # Errors
    /// The timeout ran out, a sink failed, or the caller is one of the log's own threads, which cannot wait for
    /// themselves.
    ///
    /// # Blocking
    /// Waits at most `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.order(Command::Flush, timeout)
    }

    /// Waits until everything logged before is durable, where the sink supports it: for files, by `fdatasync`.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// Waits at most `timeout`.
    pub fn sync(&self, timeout: Duration) -> Result<(), Error> {
        self.order(Command::Sync, timeout)
    }

    /// Flushes as [`flush`](Self::flush) does, for async code.
    ///
    /// The order is given by the call, not by the first poll. The future is ready once everything logged before the
    /// call has been handed to the system. It has no timeout: while an output is stuck, it stays pending. Wrap it in
    /// the runtime's timeout. An order that has not begun when the future is dropped is cancelled.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). A timeout is reported only for an output that was abandoned at the end of the log.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (_, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// tokio::time::timeout(Duration::from_secs(1), guard.handle().flush_async()).await??;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the outputs flush, but only awaiting the future shows when they are done"]
    pub fn flush_async(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        FlushFuture::new(&self.outputs.lanes_to_end(), Command::Flush)
    }

    /// Syncs as [`sync`](Self::sync) does, for async code; see [`flush_async`](Self::flush_async).
    ///
    /// # Errors
    /// As [`flush_async`](Self::flush_async).
    #[must_use = "the outputs sync, but only awaiting the future shows when they are done"]
    pub fn sync_async(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        FlushFuture::new(&self.outputs.lanes_to_end(), Command::Sync)
    }

    /// Makes all sinks close and reopen their files, after another program has renamed them.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// Waits at most `timeout`.
    pub fn reopen(&self, timeout: Duration) -> Result<(), Error> {
        self.order(Command::Reopen, timeout)
    }

    /// Closes the current segment of every rolling file and starts a new one.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    ///
    /// # Blocking
    /// Waits at most `timeout`.
    pub fn rotate(&self, timeout: Duration) -> Result<(), Error> {
        self.order(Command::Rotate, timeout)
    }

    /// Replaces the global filter, for events that begin after this call returns, until
    /// [`reset_filter`](Self::reset_filter).
    ///
    /// If `init` installed the log for the `log` crate, that crate's level follows. A span that was disabled when it
    /// was opened stays disabled: its events inherit nothing from it.
    ///
    /// # Errors
    /// A directive has a mistake, or there is none: the error says what to write, and the filter stays as it was. An
    /// appender has no filter.
    ///
    /// # Blocking
    /// Takes time for each directive and for each call site of the program. Meanwhile, other threads keep logging at call sites
    /// that they have used before.
    pub fn set_filter(&self, filter: impl IntoFilter) -> Result<(), Error> {
        self.control_filter(None, FilterSetting::new(filter), None)
    }

    /// Replaces the filter of one output.
    ///
    /// # Errors
    /// As [`set_filter`](Self::set_filter). No output has that name, or no event passes both the filter and the output's
    /// [upper bound](crate::Output::below).
    pub fn set_output_filter(&self, output: &str, filter: impl IntoFilter) -> Result<(), Error> {
        self.control_filter(Some(output), FilterSetting::new(filter), None)
    }

    /// Sets a field of every line, or replaces one of that name; an absent value, such as `None::<u64>`, removes it.
    ///
    /// All lines that are logged after this call returns have it, in all outputs. Lines that still wait in a queue have
    /// it too: [`flush`](Self::flush) before, if they must not. Everything else is as for
    /// [`Builder::static_field`](crate::Builder::static_field).
    ///
    /// # Errors
    /// The name is empty or reserved, or the static fields would take more than half of a line. Nothing has changed then.
    /// An appender has no static fields.
    ///
    /// # Examples
    /// ```
    /// # let (_layer, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// let handle = guard.handle();
    /// handle.set_static_field("role", "leader")?;
    /// handle.set_static_field("epoch", 7)?;
    /// handle.set_static_field("role", None::<&str>)?;         // lines no longer have it
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn set_static_field(&self, name: impl AsRef<str>, value: impl Into<OwnedValue>) -> Result<(), Error> {
        let layer = self.layer("has no static fields; add them to the formatter that writes to it")?;
        layer.static_fields.set(name.as_ref(), value.into())
    }

    /// Logs a record that another program made, with its own time, service and ids.
    ///
    /// It goes to each output whose filter wants it, and is redacted, cut and rendered like an event. Rate limits,
    /// sampling and the flight recorder do not concern it. A receiver of logs answers its sender after
    /// [`flush`](Self::flush): then everything relayed before has been handed over, or is counted as dropped.
    ///
    /// # Errors
    /// An output did not take the record, because its queue is full beyond its [`Overflow`](crate::Overflow) or because
    /// it has ended. Its books have the loss; other outputs may have taken the record. An appender takes none.
    ///
    /// # Blocking
    /// As logging an event does: only under [`Overflow::Block`](crate::Overflow::Block).
    ///
    /// # Examples
    /// ```
    /// use spanline::record::{Relayed, Timestamp, TraceId};
    /// use tracing::Level;
    ///
    /// # let (_layer, guard) = spanline::builder().build::<tracing_subscriber::Registry>()?;
    /// let mut record = Relayed::new(Level::WARN, Timestamp::now())
    ///     .service("payments")
    ///     .target("payments::card")
    ///     .message("card declined")
    ///     .field("order", 1234);
    /// if let Some(trace) = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736") {
    ///     record = record.trace_id(trace);
    /// }
    /// guard.handle().relay(&record)?;
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn relay(&self, record: &Relayed<'_>) -> Result<(), Error> {
        let LayerParts { core, services, .. } =
            self.layer("takes ready lines; write the record to it, or relay it to a layer's log")?;
        core.relay(record, services)
    }

    /// Complains once about levels that the filters ask for and that are not compiled in.
    pub(super) fn complain_of_levels(&self) {
        let removed = self.layer.as_ref().and_then(|layer| layer.core.filters.removed());
        if let Some(text) = removed {
            self.complain_once("compiled levels", &text);
        }
    }

    /// Complains about the log.
    pub(crate) fn complain_once(&self, reason: &str, text: &str) {
        if let Some(layer) = &self.layer {
            layer.common.complaints.say_once(reason, text);
        }
    }

    /// Returns a snapshot of all counters.
    ///
    /// It is cheap enough to take every second. It takes each queue's lock once, to copy some numbers, and allocates
    /// only the snapshot. The numbers of one output are consistent. Those of two outputs are not of the same instant.
    pub fn metrics(&self) -> Metrics {
        let (lanes, past) = self.outputs.lanes_and_past_events();
        let outputs: Vec<_> = lanes.iter().map(|lane| lane.metrics()).collect();
        let events = outputs.iter().fold(past, |events, output| events.plus(output.events));
        let services = match &self.layer {
            Some(LayerParts { static_fields, services, .. }) => services.with_own(&static_fields.service(), events),
            None => Services::default().with_own("", events),
        };
        Metrics { services, outputs }
    }

    /// Returns how far the chain of each sealed output has come: its name, and a head for `spanline verify --expect`.
    ///
    /// The files alone cannot show that their end was replaced or removed. A head that is kept elsewhere can.
    #[cfg(feature = "sealed")]
    pub fn seal_heads(&self) -> Vec<(String, String)> {
        let (lanes, _) = self.outputs.lanes_and_past_events();
        let heads = lanes.iter().filter_map(|lane| {
            let head = (*crate::sync::lock(lane.head.as_ref()?))?;
            Some((lane.name.clone(), head.to_string()))
        });
        heads.collect()
    }

    /// Gives the order to all outputs before it waits, so that they work in parallel.
    fn order(&self, command: Command, timeout: Duration) -> Result<(), Error> {
        let deadline = after(Instant::now(), timeout);
        // Those that leave have lines, too, which were logged before.
        let lanes = self.outputs.lanes_to_end();
        let tickets: Vec<_> = lanes.iter().map(|lane| (lane, lane.order(command))).collect();
        let mut result = Ok(());
        for (lane, ticket) in tickets {
            let done = ticket.and_then(|ticket| lane.queue.wait_done(ticket, deadline));
            result = result.and(done.map_err(|error| error.of_output(&lane.name)));
        }
        result
    }
}

/// Prints the outputs' names and counts.
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("outputs", &self.outputs.lanes()).finish_non_exhaustive()
    }
}
