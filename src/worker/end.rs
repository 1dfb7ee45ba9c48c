//! The end of a sink: what is buffered is sent, and what is in flight is waited for.

use std::time::Instant;

use super::backoff::Backoff;
use super::engine::{Engine, Turn};
use super::lane::Lane;
use crate::sink::Control;

impl Engine {
    /// Ends the sink. A flush that fails is tried again until the deadline, as a write is. Lines in flight are waited for
    /// until then.
    pub(crate) fn close<'a>(mut engine: Turn<'a>, lane: &'a Lane) -> Turn<'a> {
        let begun = Instant::now();
        engine.is_under_way = true;
        engine.delivery.moved_last = begun;
        let mut backoff = Backoff::new();
        let mut flushed;
        loop {
            flushed = engine.control(Control::Flush);
            let Some(error) = flushed.as_ref().err().filter(|error| error.is_retryable() && !engine.delivery.is_closed)
            else {
                break;
            };
            engine.report(lane, error);
            let pause = backoff.failed();
            let goes_on;
            (engine, goes_on) = lane.rest(engine, || lane.queue.pause(pause, begun, false));
            if !goes_on {
                break;
            }
        }
        engine = Self::drain(engine, lane);
        engine.is_under_way = false;
        let this = &mut *engine;
        if !this.delivery.is_closed && this.syncing.unsynced.is_left() {
            if let Err(why) = this.sync_and_report(lane) {
                lane.ended_not_durable(&why);
            }
            let settled = this.is_settled().then_some(this.taken);
            lane.queue.batch_done(&this.counts, Vec::new(), settled);
        }
        if let Some(lines) = this.syncing.take_not_durable() {
            lane.ended_not_durable(&format!("{lines} lines may not survive a power cut: their sync failed"));
        }
        if let Err(error) = flushed.and_then(|()| this.control(Control::Close)) {
            this.report(lane, &error);
        }
        engine
    }

    /// Works until no line is left, or the output was given up.
    pub(crate) fn drain<'a>(mut engine: Turn<'a>, lane: &'a Lane) -> Turn<'a> {
        if engine.delivery.lines.is_done() {
            return engine;
        }
        // Others wait for these lines, too: they may not take the engine meanwhile.
        engine.is_under_way = true;
        engine = Self::work_until(engine, lane, |_| false);
        engine.is_under_way = false;
        engine
    }
}
