//! Everything that empties one queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::barriers::Barriers;
use super::delivery::Delivery;
use super::echo_limit::EchoLimit;
use super::lane::{Lane, LaneConfig};
use super::renderer::Renderer;
use super::repeats::Repeats;
use super::syncing::Syncing;
use crate::error::Error;
use crate::limit::Summary;
use crate::metrics::Delivered;
use crate::queue::{Batch, Order, WorkerCounts};
use crate::record::discard;
use crate::sink::{Control, Lines, Next, Sink};

/// While lines keep coming, the engine looks this often for call sites with suppressed lines to report.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything that empties one queue.
pub(crate) struct Engine {
    pub(super) renderer: Renderer,
    pub(super) delivery: Delivery,
    pub(super) syncing: Syncing,
    pub(super) barriers: Barriers,
    /// None where writing causes no events, where callers wait for their lines, and where times are the user's.
    pub(super) echo_limit: Option<EchoLimit>,
    pub(super) counts: WorkerCounts,
    pub(super) spare: SpareBatch,
    /// How many records the queue handed out.
    pub(super) taken: u64,
    /// When it last looked for repeats to report.
    looked: Instant,
    /// A batch is being delivered, also while the engine is free for a moment.
    pub(super) is_under_way: bool,
    /// This is a forked child, and the schema and the sink were not told yet.
    pub(super) is_forked: bool,
    /// Orders of the current batch to reopen the sink. They follow its lines, unless the sink does not take these.
    pub(super) reopens: Vec<Order>,
}

/// In place of a sink that was dropped.
struct Released;

impl Sink for Released {
    fn write(&mut self, _: &mut Lines) -> Result<Next, Error> {
        Err(Error::closed("the output was removed"))
    }
}

/// The engine, held.
pub(super) type Turn<'a> = MutexGuard<'a, Engine>;

/// The half of the double buffer that is not pending.
pub(super) struct SpareBatch {
    batch: Option<Batch>,
    max_bytes: usize,
}

impl SpareBatch {
    /// Takes out an empty batch.
    fn take(&mut self) -> Batch {
        self.batch.take().unwrap_or_else(|| Batch::new(self.max_bytes))
    }

    pub(super) fn give_back(&mut self, mut batch: Batch) {
        batch.clear();
        self.batch = Some(batch);
    }

    fn trim(&mut self) {
        if self.batch.as_ref().is_some_and(Batch::is_bloated) {
            self.batch = Some(Batch::new(self.max_bytes));
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn new(config: LaneConfig, mut lines: Lines, is_open: bool) -> Self {
        let may_echo = !config.logs_nothing && config.synchronous.is_none() && !config.common.clock.is_custom();
        let statics = config.common.statics.load_full();
        lines.set_service(statics.service.as_deref().map(Arc::from));
        let mut delivery =
            Delivery::new(config.sink, lines, config.batching, config.queue_bytes, config.is_plain, is_open);
        delivery.spools = config.spools;
        if config.acts_by_clock {
            delivery.schedule.call_by(Instant::now());
        }
        Self {
            echo_limit: may_echo.then(|| EchoLimit::new(config.common.evidence, statics.holds_back)),
            delivery,
            renderer: Renderer {
                schema: config.schema,
                redactor: config.redactor,
                #[cfg(feature = "sealed")]
                sealing: config.sealing,
                record_filter: config.record_filter,
                repeats: config.deduplicates.then(Repeats::default),
                statics,
                shared_statics: config.common.statics,
                clock: config.common.clock,
                max_line_bytes: config.common.max_line_bytes,
                columns: config.columns,
            },
            syncing: Syncing::new(config.durability),
            barriers: Barriers::default(),
            counts: WorkerCounts::default(),
            spare: SpareBatch { batch: Some(Batch::new(config.queue_bytes)), max_bytes: config.queue_bytes },
            taken: 0,
            looked: Instant::now(),
            is_under_way: false,
            is_forked: false,
            reopens: Vec::new(),
        }
    }

    /// Returns lines that count in `delivered`.
    pub(super) fn lines(delivered: Arc<Delivered>) -> Lines {
        Lines::counted(delivered)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// In a forked child: drops what the parent was writing. User code is told later, when something is logged.
    pub(crate) fn start_afresh(&mut self) {
        self.delivery.start_afresh();
        self.barriers.clear();
        self.echo_limit.iter_mut().for_each(EchoLimit::begin_anew);
        self.counts = WorkerCounts::default();
        self.syncing.start_afresh();
        self.renderer.repeats.iter_mut().for_each(Repeats::start_afresh);
        self.taken = 0;
        self.is_under_way = false;
        self.is_forked = true;
    }

    /// Returns an empty batch.
    pub(crate) fn spare(&mut self) -> Batch {
        self.spare.take()
    }

    /// Takes out the sink, for good.
    pub(super) fn release(&mut self) -> Box<dyn Sink> {
        self.delivery.is_closed = true;
        std::mem::replace(&mut self.delivery.sink, Box::new(Released))
    }

    /// Gives back memory that a burst took.
    pub(crate) fn trim(&mut self, lane: &Lane) {
        lane.queue.trim();
        self.spare.trim();
    }

    /// Returns when there is something to do although nothing comes: a call of the sink, a flush or a sync.
    pub(crate) fn due(&self) -> Option<Instant> {
        let repeats = self.renderer.repeats.as_ref().and_then(Repeats::due);
        #[cfg(feature = "sealed")]
        let repeats = repeats.into_iter().chain(self.renderer.sealing.due());
        self.syncing.due().into_iter().chain(self.delivery.due()).chain(repeats).min()
    }

    /// Returns whether all that was taken is finished, and safe where it has to be.
    pub(super) fn is_settled(&self) -> bool {
        self.delivery.is_closed || self.syncing.is_settled()
    }

    /// Flushes what was written since the last flush, or what a flush has left that is due again. Lines that are offered
    /// or in flight come first.
    pub(super) fn flush_written(&mut self, lane: &Lane) {
        let lines = &self.delivery.lines;
        if lines.is_done()
            && (self.syncing.is_unflushed_before(lines.end_id()) || self.syncing.is_flush_due())
            && let Err(error) = self.control(Control::Flush)
        {
            self.report(lane, &error);
        }
    }

    /// Sends an order to the sink.
    pub(super) fn control(&mut self, control: Control) -> Result<(), Error> {
        let may_cause_events = !matches!(control, Control::Tick(_) | Control::Forked);
        // It is a part of the delivery if it covers lines that no flush has covered.
        let end = self.delivery.lines.oldest_id();
        let delivers = matches!(control, Control::Flush | Control::Sync) && self.syncing.is_unflushed_before(end);
        let began = delivers.then(Instant::now);
        if may_cause_events {
            self.call_begins();
        }
        let sink = &mut self.delivery.sink;
        let result = catch_unwind(AssertUnwindSafe(|| sink.control(control))).unwrap_or_else(|payload| {
            discard(payload);
            self.counts.panics += 1;
            Err(Error::retry(format!("the sink panicked at {control:?}")))
        });
        if may_cause_events {
            self.call_ends();
        }
        if let (Some(began), Some(limit)) = (began, &mut self.echo_limit) {
            limit.measure_flush(began.elapsed());
        }
        if control == Control::Flush {
            self.syncing.asked_to_flush(end);
        }
        if let Err(error) = &result {
            self.counts.last_error = Some(format!("{error:#}").into());
        }
        // A sink with lines in flight may now have a time at which it wants to be called.
        let wants_call = control == Control::Flush && self.delivery.lines.in_flight() > 0;
        self.delivery.schedule.is_woken |= wants_call;
        match (control, &result) {
            (Control::Flush, Err(error)) => self.syncing.flush_failed(error),
            (Control::Flush | Control::Sync, Ok(())) => self.syncing.flushed(),
            _ => {}
        }
        result
    }

    /// Makes all that was written durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let result = self.control(Control::Sync);
        let written = self.delivery.lines.written_lines();
        match &result {
            Ok(()) => {
                self.counts.syncs += 1;
                self.syncing.synced(written);
            }
            Err(error) => {
                self.counts.failed_syncs += 1;
                match error.is_not_durable() {
                    true => self.counts.not_durable += self.syncing.give_up(written),
                    false => self.syncing.unsynced.failed(),
                }
            }
        }
        result
    }

    /// Makes all that was written durable. Reports a failure, and returns its text.
    pub(super) fn sync_and_report(&mut self, lane: &Lane) -> Result<(), String> {
        self.sync()
            .map_err(|error| match error.is_not_durable() {
                true => format!("{error:#}"),
                false => format!("what was written is not durable yet: {error:#}"),
            })
            .inspect_err(|text| lane.complain("sync", text))
    }

    pub(super) fn sync_if_due(&mut self, lane: &Lane) {
        if self.delivery.is_closed {
            self.syncing.unsynced.clear();
        } else if self.syncing.unsynced.is_due() {
            let _ = self.sync_and_report(lane);
        }
    }

    /// Returns what limits of repeats have suppressed and is to be reported. `is_quiet`: there is time to look for it.
    pub(super) fn repeats(&mut self, lane: &Lane, is_last: bool, is_quiet: bool) -> Vec<Summary> {
        let Some(share) = lane.limit.as_ref().filter(|share| share.is_open()) else { return Vec::new() };
        if !(is_last || is_quiet || share.is_due() || self.looked.elapsed() >= LOOK_EVERY) {
            return Vec::new();
        }
        self.looked = Instant::now();
        share.take((!is_last).then(|| self.renderer.clock.now()))
    }

    /// Reports an error of the sink.
    pub(super) fn report(&mut self, lane: &Lane, error: &Error) {
        self.counts.last_error = Some(format!("{error:#}").into());
        let what = if error.is_closed() { "closed" } else { "failed" };
        lane.complain(what, &format!("{error:#}"));
    }
}
