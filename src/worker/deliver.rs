//! One turn of the worker: renders a batch, offers its lines to the sink, and carries out orders.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::barriers::Barrier;
use super::engine::{Engine, Turn};
use super::lane::Lane;
use super::own_thread::Echo;
use super::pump::Resolved;
use super::renderer::Rendering;
use crate::error::Error;
use crate::fork;
use crate::metrics::Reason;
use crate::queue::{Batch, Block, Command, Gone, Order, Taken};
use crate::record::notice_metadata;
use crate::sink::{CHUNK_BYTES, Control};
use crate::sync::after;

/// While an order or a full queue waits for lines in flight, the sink is called this often: it may learn only then what
/// became of them.
const ASK_EVERY: Duration = Duration::from_millis(20);

impl Engine {
    /// Delivers a batch, then the notices of losses, and carries out the orders.
    pub(crate) fn deliver<'a>(mut engine: Turn<'a>, taken: Taken, lane: &'a Lane) -> Turn<'a> {
        let Taken { mut batch, mut losses, mut orders, last, woken, total } = taken;
        let _echo = Echo::enter(batch.is_echo());
        engine.is_under_way = true;
        engine.taken = total;
        engine.delivery.moved_last = Instant::now();
        engine.delivery.schedule.is_woken |= woken;
        engine.prepare(&batch, lane);
        let has_orders = !orders.is_empty();
        let is_urgent = last || has_orders || lane.queue.is_synchronous();
        engine.reopens = orders.extract_if(.., |order| order.command == Command::Reopen).collect();
        let first_id = engine.delivery.lines.end_id();
        engine.judge(&batch, is_urgent);
        let mut released = 0;
        while let Some(block) = batch.take_block() {
            engine = Self::deliver_judged(engine, &batch, &block, lane, is_urgent, &mut released);
            lane.queue.give_back(block);
        }
        let are_echoes = engine.echo_limit.is_some() && engine.delivery.lines.end_id() == first_id;
        if are_echoes && !batch.is_empty() && !last {
            lane.queue.keep_own_losses(&mut losses);
        }
        for loss in &losses {
            let this = &mut *engine;
            this.renderer.render_notice(loss, &mut this.delivery.lines, &mut this.counts);
        }
        let not_durable = engine.syncing.take_not_durable();
        if let Some(count) = not_durable {
            let this = &mut *engine;
            this.renderer.render_not_durable(count, &mut this.delivery.lines, &mut this.counts);
        }
        let is_reported = {
            let this = &mut *engine;
            this.renderer.render_due_report(last || has_orders, &mut this.delivery.lines, &mut this.counts)
        };
        let repeats = engine.repeats(lane, last, batch.is_empty() || has_orders);
        for summary in &repeats {
            if engine.delivery.lines.len() >= CHUNK_BYTES {
                engine = Self::pump(engine, lane, Resolved::default(), is_urgent);
                engine.delivery.lines.begin_chunk(CHUNK_BYTES);
            }
            let this = &mut *engine;
            this.renderer.render_repeats(summary, &mut this.delivery.lines, &mut this.counts);
        }
        let waits = engine.barriers.wait_for(engine.delivery.lines.first_offered_id());
        if engine.delivery.lines.has_offered() || engine.delivery.calls_now(is_urgent || waits) {
            engine = Self::pump(engine, lane, Resolved::default(), is_urgent || waits);
        }
        let oldest = engine.delivery.lines.oldest_time();
        let retained = engine.delivery.lines.retained_bytes();
        let rest = batch.bytes().saturating_sub(released);
        engine.delivery.used_bytes = lane.queue.release(rest, Gone::default(), oldest, retained);
        let notices = losses.len() + usize::from(not_durable.is_some());
        let is_nothing = (batch.is_empty() || are_echoes) && notices == 0 && repeats.is_empty() && !is_reported;
        engine.finish_batch(batch, orders, lane, Finish { is_nothing, is_last: last, notices });
        engine
    }

    /// Renders a range of a block and offers its lines, a chunk at a time.
    pub(super) fn deliver_range<'a>(
        mut engine: Turn<'a>,
        batch: &Batch,
        (block, range): (&Block, Range<usize>),
        lane: &'a Lane,
        is_urgent: bool,
        released: &mut usize,
    ) -> Turn<'a> {
        let Range { start: mut next, end } = range;
        while next < end {
            if !engine.delivery.may_render() {
                engine = Self::make_room(engine, lane);
            }
            let mut resolved = Resolved::default();
            let first = next;
            let this = &mut *engine;
            let limit = this.delivery.render_limit();
            let (lines, counts) = (&mut this.delivery.lines, &mut this.counts);
            let to = Rendering { batch, block, end, lines, limit, resolved: &mut resolved, counts };
            next = this.renderer.render(next, to, lane);
            resolved.bytes = block.bytes_of(first, next);
            *released += resolved.bytes;
            resolved.next = block.time(next).or_else(|| batch.first_time());
            engine = Self::pump(engine, lane, resolved, is_urgent);
            if fork::is_wanted() {
                (engine, ()) = lane.rest(engine, fork::let_pass);
            }
        }
        engine
    }

    /// Tells the schema and the sink what they have to know before a batch.
    fn prepare(&mut self, batch: &Batch, lane: &Lane) {
        if std::mem::take(&mut self.is_forked) {
            self.renderer.forget();
            #[cfg(feature = "sealed")]
            self.renderer.sealing.forked();
            if let Err(error) = self.control(Control::Forked) {
                self.report(lane, &error);
            }
        }
        self.renderer.refresh_statics();
        if !batch.is_empty() || self.delivery.schedule.is_due() {
            let now = self.renderer.clock.now();
            if let Err(error) = self.control(Control::Tick(now)) {
                self.report(lane, &error);
            }
        }
    }

    /// Flushes, syncs and carries out orders after a batch; later, where they wait for lines in flight.
    fn finish_batch(&mut self, batch: Batch, mut orders: Vec<Order>, lane: &Lane, finish: Finish) {
        if self.delivery.lines.has_offered() {
            self.hurry(&orders, lane);
        }
        orders.append(&mut self.reopens);
        orders.sort_by_key(|order| order.ticket);
        let is_done = self.delivery.lines.is_done();
        let flushes = orders.iter().any(|order| matches!(order.command, Command::Flush | Command::Sync));
        if !flushes && (!finish.is_nothing || self.syncing.is_flush_due()) {
            self.flush_written(lane);
        }
        let mut written = batch.by_level();
        written.add(*notice_metadata().level(), finish.notices as u64);
        if let Some(redactor) = &mut self.renderer.redactor {
            let found = redactor.take_found();
            self.counts.redacted += found;
        }
        #[cfg(feature = "sealed")]
        self.renderer.end_sealing(lane);
        self.spare.give_back(batch);
        self.is_under_way = false;
        let id = self.delivery.lines.end_id();
        let barrier = Barrier { id, taken: self.taken, written, is_last: finish.is_last, orders, flushed: None };
        if is_done && self.barriers.is_empty() {
            return self.complete(barrier, lane);
        }
        // A sink that is called without lines adds none: while its lines are in flight, they would pile up.
        let has_lines = !finish.is_nothing || finish.is_last;
        let is_awaited = self.syncing.unsynced.is_wanted() || lane.queue.is_synchronous();
        if !barrier.orders.is_empty() || (has_lines && is_awaited) {
            self.barriers.push(barrier);
        }
        self.advance_barriers(lane);
        lane.queue.batch_done(&self.counts, Vec::new(), None);
    }

    /// Carries out the orders whose lines are handed over, and completes those whose lines are done.
    pub(super) fn advance_barriers(&mut self, lane: &Lane) {
        if self.barriers.is_empty() {
            return;
        }
        let first = self.delivery.lines.first_offered_id();
        while let Some(barrier) = self.barriers.next_handed(first) {
            let reopens = barrier.orders.extract_if(.., |order| order.command == Command::Reopen).collect::<Vec<_>>();
            let flushes = barrier.orders.iter().any(|order| order.command == Command::Flush);
            barrier.flushed = Some(Ok(()));
            let id = barrier.id;
            if !reopens.is_empty() {
                // A reopen does not wait for lines that the old connection never acknowledges.
                self.carry_out_early(reopens, lane);
            }
            if flushes {
                let flushed = self.control(Control::Flush);
                self.barriers.set_flushed(id, flushed);
            }
        }
        let oldest = if self.delivery.lines.is_done() { u64::MAX } else { self.delivery.lines.oldest_id() };
        while let Some(barrier) = self.barriers.pop_done(oldest) {
            self.complete(barrier, lane);
        }
        if !self.barriers.is_empty() && self.delivery.lines.in_flight() > 0 {
            self.delivery.schedule.call_by(after(Instant::now(), ASK_EVERY));
        }
    }

    /// Completes a barrier: all lines before it are done.
    fn complete(&mut self, mut barrier: Barrier, lane: &Lane) {
        self.syncing.unsynced.batch_written(barrier.written, barrier.is_last);
        if !barrier.orders.iter().any(|order| order.command == Command::Sync) {
            self.sync_if_due(lane);
        }
        let flushed = barrier.flushed.take();
        let orders = std::mem::take(&mut barrier.orders);
        let mut flushed = flushed.filter(|_| !self.delivery.is_closed);
        let done: Vec<_> = orders
            .into_iter()
            .map(|order| match flushed.take_if(|_| order.command == Command::Flush) {
                Some(result) => (order, result),
                None => (order, self.carry_out(order, lane)),
            })
            .collect();
        let settled = self.is_settled().then_some(barrier.taken);
        lane.queue.batch_done(&self.counts, done, settled);
    }

    /// Carries out orders before the lines that precede them are done.
    fn carry_out_early(&mut self, orders: Vec<Order>, lane: &Lane) {
        let done = orders.into_iter().map(|order| (order, self.carry_out(order, lane))).collect();
        lane.queue.orders_done(&self.counts, done);
    }

    fn carry_out(&mut self, order: Order, lane: &Lane) -> Result<(), Error> {
        if order.command == Command::Reopen {
            return self.reopen(lane);
        }
        if self.delivery.is_closed {
            return Err(Error::closed("the sink has ended"));
        }
        match order.command {
            // No flush has come before it.
            Command::Sync => self.sync().inspect_err(|error| self.syncing.flush_failed(error)),
            Command::Flush => self.control(Control::Flush),
            Command::Reopen => self.reopen(lane),
            Command::Rotate => self.control(Control::Rotate),
        }
    }

    /// Reopens the sink, and revives it where it has ended.
    fn reopen(&mut self, lane: &Lane) -> Result<(), Error> {
        let result = self.control(Control::Reopen);
        if self.delivery.is_closed && !result.as_ref().is_err_and(Error::is_closed) {
            self.delivery.is_closed = false;
            self.delivery.attempts.moved();
            lane.queue.unpark();
        }
        // It may have lines to give back, or take those that it did not take before.
        self.delivery.schedule.is_woken |= !self.delivery.lines.is_done();
        result
    }

    /// The sink does not take lines, for which orders wait: it is told that somebody waits. An order to reopen it does not
    /// wait at all.
    fn hurry(&mut self, orders: &[Order], lane: &Lane) {
        self.reopen_early(lane);
        if orders.iter().any(|order| order.command == Command::Flush) {
            // The flush that counts follows the lines.
            let _ = self.control(Control::Flush);
            self.delivery.schedule.is_woken = true;
        }
    }

    /// Reopens the sink before the lines that precede the orders, which it does not take. Returns whether there was one.
    pub(super) fn reopen_early(&mut self, lane: &Lane) -> bool {
        let mut reopens = std::mem::take(&mut self.reopens);
        reopens.append(&mut lane.queue.take_reopens());
        let is_any = !reopens.is_empty();
        if is_any {
            self.carry_out_early(reopens, lane);
        }
        is_any
    }

    /// Waits until acknowledgements have made room for more lines, as the budget is used up.
    fn make_room<'a>(mut engine: Turn<'a>, lane: &'a Lane) -> Turn<'a> {
        if let Err(error) = engine.control(Control::Flush) {
            engine.report(lane, &error);
        }
        Self::work_until(engine, lane, |engine| engine.delivery.may_render())
    }

    /// Calls the sink, and waits for its waker and its times, until `is_enough` or all lines are done.
    pub(super) fn work_until<'a>(mut engine: Turn<'a>, lane: &'a Lane, is_enough: impl Fn(&Self) -> bool) -> Turn<'a> {
        loop {
            engine = Self::pump(engine, lane, Resolved::default(), true);
            if engine.delivery.is_closed || engine.delivery.lines.is_done() || is_enough(&engine) {
                return engine;
            }
            let reopens = lane.queue.take_reopens();
            if !reopens.is_empty() {
                engine.carry_out_early(reopens, lane);
                continue;
            }
            engine.delivery.schedule.call_by(after(Instant::now(), ASK_EVERY));
            let (due, moved_last) = (engine.due(), engine.delivery.moved_last);
            let called;
            (engine, called) = lane.rest(engine, || lane.queue.wait_for_call(due, moved_last));
            match called {
                Some(woken) => engine.delivery.schedule.is_woken |= woken,
                None => {
                    engine.give_up(lane, Reason::Shutdown, Resolved::default());
                    return engine;
                }
            }
        }
    }
}

/// What is known of a batch once its lines were offered.
#[derive(Clone, Copy)]
struct Finish {
    is_nothing: bool,
    is_last: bool,
    notices: usize,
}
