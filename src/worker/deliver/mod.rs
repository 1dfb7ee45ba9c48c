//! Renders a batch and gets it into the sink.

mod render;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use tracing::Level;

use super::backoff::Backoff;
use super::durability::Unsynced;
use super::{ECHO, Lane, Parts};
use crate::error::Error;
use crate::fork;
use crate::limit::Summary;
use crate::metrics::{Delivered, Reason};
use crate::queue::{Batch, Command, Order, Taken, WorkerCounts};
use crate::record::{Clock, Statics, Timestamp, discard, notice_metadata};
use crate::redaction::Redactor;
use crate::schema::Schema;
use crate::sink::{Control, Lines, Sink};

/// Lines are rendered and written this many bytes at a time: few system calls, and still in the processor's cache.
const CHUNK_BYTES: usize = 256 * 1024;

/// While lines keep coming, it is looked so often which call sites have suppressed lines to tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A line on which the sink panicked so often without getting ahead is given up.
const MAX_PANICS: u32 = 3;

/// Everything that empties one queue.
pub(crate) struct Engine {
    schema: Box<dyn Schema>,
    redactor: Option<Redactor>,
    sink: Box<dyn Sink>,
    lines: Lines,
    /// The half of the double buffer that is not pending.
    spare: Option<Batch>,
    max_bytes: usize,
    max_line_bytes: usize,
    statics: Arc<Statics>,
    clock: Clock,
    /// When it was last looked whether there are repeats to tell.
    looked: Instant,
    tally: WorkerCounts,
    unsynced: Unsynced,
    /// The sink did not pass on all that it had taken.
    unflushed: bool,
    /// When it is asked to once more, if it may succeed.
    flush: Backoff,
    closed: bool,
    /// A batch is being delivered, also while the engine is let go of for a moment.
    under_way: bool,
    /// This is a forked child, and the schema and the sink do not know yet.
    forked: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// The engine, held.
type Turn<'a> = MutexGuard<'a, Engine>;

/// A line that was not written, and why.
type Lost = (Reason, Level, Timestamp);

/// What is resolved once the rendered lines are written.
#[derive(Default)]
struct Resolved {
    /// What the queue accounts for the records they came from.
    bytes: usize,
    /// Records of which no line came.
    lost: Vec<Lost>,
    /// When the first record behind them in the batch was logged.
    next: Option<Timestamp>,
}

impl Engine {
    pub(crate) fn new(parts: Parts, delivered: Arc<Delivered>) -> Self {
        Self {
            schema: parts.schema,
            redactor: parts.redactor,
            sink: parts.sink,
            lines: Lines::counted(delivered),
            spare: Some(Batch::new(parts.max_bytes)),
            max_bytes: parts.max_bytes,
            max_line_bytes: parts.max_line_bytes,
            statics: parts.statics,
            clock: parts.clock,
            looked: Instant::now(),
            tally: WorkerCounts::default(),
            unsynced: Unsynced::new(parts.durability),
            unflushed: false,
            flush: Backoff::new(),
            closed: false,
            under_way: false,
            forked: false,
        }
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// In a forked child: drops what the parent was writing. User code is told later, when something is logged.
    pub(crate) fn begin_anew(&mut self) {
        self.lines.forget();
        self.tally = WorkerCounts::default();
        self.unsynced.clear();
        self.unflushed = false;
        self.flush.clear();
        self.under_way = false;
        self.forked = true;
    }

    /// An empty batch.
    pub(crate) fn spare(&mut self) -> Batch {
        self.spare.take().unwrap_or_else(|| Batch::new(self.max_bytes))
    }

    /// Gives back memory that a burst took.
    pub(crate) fn trim(&mut self, lane: &Lane) {
        lane.queue.trim();
        if self.spare.as_ref().is_some_and(Batch::is_bloated) {
            self.spare = Some(Batch::new(self.max_bytes));
        }
    }

    /// Writes a batch, the notices of losses after it, and carries out the orders.
    pub(crate) fn deliver<'a>(mut engine: Turn<'a>, taken: Taken, lane: &'a Lane) -> Turn<'a> {
        let Taken { mut batch, losses, orders, last } = taken;
        let outer_echo = ECHO.try_with(|echo| echo.replace(batch.is_echo())).unwrap_or(false);
        engine.under_way = true;
        engine.prepare(&batch, lane);
        let mut released = 0;
        while let Some(block) = batch.take_block() {
            let mut next = 0;
            while next < block.len() {
                let mut lost = Vec::new();
                let first = next;
                next = engine.render(&batch, &block, next, lane, &mut lost);
                let bytes = block.bytes_of(first, next);
                released += bytes;
                let oldest = block.time(next).or_else(|| batch.first_time());
                engine = Self::write(engine, lane, Resolved { bytes, lost, next: oldest });
                if fork::is_wanted() {
                    (engine, ()) = lane.rest(engine, fork::let_pass);
                }
            }
            lane.queue.give_back(block);
        }
        for loss in &losses {
            engine.render_notice(loss);
        }
        let repeats = engine.repeats(lane, last, batch.is_empty() || !orders.is_empty());
        for summary in &repeats {
            if engine.lines.len() >= CHUNK_BYTES {
                engine = Self::write(engine, lane, Resolved::default());
            }
            engine.render_repeats(summary);
        }
        if !losses.is_empty() || !repeats.is_empty() {
            engine = Self::write(engine, lane, Resolved::default());
        }
        lane.queue.release(batch.bytes().saturating_sub(released), &[], None);
        let flushes = orders.iter().any(|order| matches!(order.command, Command::Flush | Command::Sync));
        let nothing = batch.is_empty() && losses.is_empty() && repeats.is_empty();
        if !flushes
            && (!nothing || engine.flush.at().is_some_and(|at| at <= Instant::now()))
            && let Err(error) = engine.control(Control::Flush)
        {
            engine.report(lane, &error);
        }
        let mut written = batch.by_level();
        written.add(*notice_metadata().level(), losses.len() as u64);
        engine.unsynced.batch_written(written, last);
        if !orders.iter().any(|order| order.command == Command::Sync) {
            engine.sync_if_due(lane);
        }
        if let Some(redactor) = &mut engine.redactor {
            let found = redactor.take_found();
            engine.tally.redacted += found;
        }
        let done: Vec<_> = orders.into_iter().map(|order| (order, engine.carry_out(order))).collect();
        batch.clear();
        engine.spare = Some(batch);
        engine.under_way = false;
        let _ = ECHO.try_with(|echo| echo.set(outer_echo));
        lane.queue.batch_done(&engine.tally, done, engine.is_settled());
        engine
    }

    /// Tells the schema and the sink what they have to know before a batch.
    fn prepare(&mut self, batch: &Batch, lane: &Lane) {
        if std::mem::take(&mut self.forked) {
            let told = catch_unwind(AssertUnwindSafe(|| self.schema.forked()));
            told.unwrap_or_else(discard);
            if let Err(error) = self.control(Control::Forked) {
                self.report(lane, &error);
            }
        }
        if !batch.is_empty() {
            let now = self.clock.now();
            if let Err(error) = self.control(Control::Tick(now)) {
                self.report(lane, &error);
            }
        }
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Error> {
        if self.closed {
            return Err(Error::closed("the sink has ended"));
        }
        match order.command {
            // No flush has come before it.
            Command::Sync => self.sync().inspect_err(|error| self.flush_failed(error)),
            Command::Flush => self.control(Control::Flush),
            Command::Reopen => self.control(Control::Reopen),
            Command::Rotate => self.control(Control::Rotate),
        }
    }

    /// Makes all that was written durable.
    fn sync(&mut self) -> Result<(), Error> {
        let result = self.control(Control::Sync);
        if result.is_ok() {
            self.tally.syncs += 1;
            self.unsynced.clear();
        } else {
            self.tally.failed_syncs += 1;
            self.unsynced.failed();
        }
        result
    }

    fn sync_and_report(&mut self, lane: &Lane) {
        if let Err(error) = self.sync() {
            self.tally.last_error = Some(format!("{error:#}").into());
            lane.complain("sync", &format!("what was written is not durable yet: {error:#}"));
        }
    }

    fn sync_if_due(&mut self, lane: &Lane) {
        if self.closed {
            self.unsynced.clear();
        } else if self.unsynced.is_due() {
            self.sync_and_report(lane);
        }
    }

    /// Whether all that was taken is done with.
    fn is_settled(&self) -> bool {
        self.closed || (!self.unflushed && self.unsynced.is_settled())
    }

    /// When there is something to do although nothing comes: to flush again, or to make durable.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.unsynced.due().into_iter().chain(self.flush.at()).min()
    }

    /// Ends the sink. A flush that fails is tried again until the deadline, as a write is.
    pub(crate) fn close<'a>(mut engine: Turn<'a>, lane: &'a Lane) -> Turn<'a> {
        let begun = Instant::now();
        engine.under_way = true;
        let mut backoff = Backoff::new();
        let mut flushed;
        loop {
            flushed = engine.control(Control::Flush);
            let Some(error) = flushed.as_ref().err().filter(|error| error.is_retryable() && !engine.closed) else {
                break;
            };
            engine.report(lane, error);
            let pause = backoff.failed();
            let go_on;
            (engine, go_on) = lane.rest(engine, || lane.queue.pause(pause, begun));
            if !go_on {
                break;
            }
        }
        engine.under_way = false;
        let this = &mut *engine;
        if !this.closed && this.unsynced.is_left() {
            this.sync_and_report(lane);
            lane.queue.batch_done(&this.tally, Vec::new(), this.is_settled());
        }
        if let Err(error) = flushed.and_then(|()| this.control(Control::Close)) {
            this.report(lane, &error);
        }
        engine
    }

    /// What limits of repeats have suppressed, and it is time to tell. `quiet`: there is time to look for it.
    fn repeats(&mut self, lane: &Lane, last: bool, quiet: bool) -> Vec<Summary> {
        let Some(share) = lane.limit.as_ref().filter(|share| share.is_open()) else { return Vec::new() };
        if !(last || quiet || share.is_due() || self.looked.elapsed() >= LOOK_EVERY) {
            return Vec::new();
        }
        self.looked = Instant::now();
        share.take((!last).then(|| self.clock.now()))
    }

    /// Gets all rendered lines into the sink, however long it takes, and says what became of them.
    fn write<'a>(mut engine: Turn<'a>, lane: &'a Lane, resolved: Resolved) -> Turn<'a> {
        let Resolved { bytes, mut lost, next } = resolved;
        let mut backoff = Backoff::new();
        let mut panics = 0;
        let mut moved_last = Instant::now();
        while !engine.lines.is_empty() && !engine.closed {
            let this = &mut *engine;
            let cursor = this.lines.cursor();
            let result = catch_unwind(AssertUnwindSafe(|| this.sink.write(&mut this.lines)));
            // Backwards, when the sink took back the beginning of a line.
            let moved = this.lines.cursor() as i64 - cursor as i64;
            this.tally.written_bytes = this.tally.written_bytes.saturating_add_signed(moved);
            if moved > 0 {
                this.unsynced.wrote(moved_last);
                backoff.clear();
                (panics, moved_last) = (0, Instant::now());
            }
            this.sync_if_due(lane);
            let error = match result {
                Ok(Ok(())) if moved > 0 || this.lines.is_empty() => continue,
                Ok(Ok(())) => Error::retry("the sink took nothing"),
                Ok(Err(error)) => error,
                Err(payload) => {
                    discard(payload);
                    this.tally.panics += 1;
                    panics += 1;
                    lane.complain("sink panicked", "the sink panicked; what it had not taken is offered again");
                    if panics < MAX_PANICS {
                        continue;
                    }
                    panics = 0;
                    this.skip(Reason::Panicked, &mut lost);
                    continue;
                }
            };
            this.report(lane, &error);
            if error.is_closed() {
                this.closed = true;
                lane.queue.park();
            } else if error.is_rejected() {
                this.skip(Reason::Rejected, &mut lost);
            } else if !this.lines.is_empty() {
                this.tally.retries += 1;
                lane.queue.report(&this.tally);
                let pause = backoff.failed();
                let go_on;
                (engine, go_on) = lane.rest(engine, || lane.queue.pause(pause, moved_last));
                if !go_on {
                    break;
                }
            }
        }
        let reason = if engine.closed { Reason::Closed } else { Reason::Shutdown };
        while !engine.lines.is_empty() {
            engine.skip(reason, &mut lost);
        }
        engine.lines.clear(2 * CHUNK_BYTES);
        lane.queue.release(bytes, &lost, next);
        engine
    }

    fn skip(&mut self, reason: Reason, lost: &mut Vec<Lost>) {
        match self.lines.give_up_line() {
            Some((_, _, true)) => self.tally.notices -= 1,
            Some((level, time, false)) => lost.push((reason, level, time)),
            None => {}
        }
    }

    fn report(&mut self, lane: &Lane, error: &Error) {
        self.tally.last_error = Some(format!("{error:#}").into());
        let what = if error.is_closed() { "closed" } else { "failed" };
        lane.complain(what, &format!("{error:#}"));
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        let result = catch_unwind(AssertUnwindSafe(|| self.sink.control(control))).unwrap_or_else(|payload| {
            discard(payload);
            self.tally.panics += 1;
            Err(Error::retry(format!("the sink panicked at {control:?}")))
        });
        match (control, &result) {
            (Control::Flush, Err(error)) => self.flush_failed(error),
            (Control::Flush | Control::Sync, Ok(())) => {
                self.unflushed = false;
                self.flush.clear();
            }
            _ => {}
        }
        result
    }

    fn flush_failed(&mut self, error: &Error) {
        self.unflushed = true;
        if error.is_retryable() {
            self.flush.failed();
        } else {
            self.flush.clear();
        }
    }
}
