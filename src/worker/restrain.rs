//! Lets the sink rest where its [`Brake`](super::brake::Brake) asks for it.

use std::time::{Duration, Instant};

use super::brake::REST;
use super::engine::{Engine, Turn};
use super::lane::Lane;
use super::pump::Resolved;
use crate::queue::Block;
use crate::sync::after;

/// Lines in flight are waited for this long.
const PATIENCE: Duration = Duration::from_secs(1);

impl Engine {
    /// Decides which records of a block are dropped, as they could be echoes. Returns their places, in order.
    ///
    /// `is_urgent`: somebody waits for the lines; all of them pass.
    pub(super) fn restrain<'a>(
        mut engine: Turn<'a>,
        block: &Block,
        lane: &'a Lane,
        is_urgent: bool,
    ) -> (Turn<'a>, Vec<usize>) {
        let is_closed = engine.delivery.is_closed;
        let Some(brake) = engine.brake.as_mut().filter(|_| !is_closed) else { return (engine, Vec::new()) };
        let verdict = brake.judge(block);
        if is_urgent || (verdict.unpaid.is_empty() && verdict.lesson.is_none()) {
            return (engine, Vec::new());
        }
        let length = verdict.lesson.unwrap_or_default();
        if verdict.unpaid.is_empty() {
            (engine, _) = lane.rest(engine, || lane.queue.rest(length));
            return (engine, Vec::new());
        }
        engine = Self::finish_flight(engine, lane);
        if engine.delivery.is_closed || engine.delivery.lines.in_flight() > 0 {
            return (engine, Vec::new());
        }
        let now = engine.renderer.clock.now();
        let tail = engine.brake.as_ref().map(|brake| brake.tail(now)).unwrap_or_default();
        let came;
        (engine, came) = lane.rest(engine, || {
            lane.queue.rest(tail)?;
            lane.queue.rest(length.max(REST))
        });
        let dropped = match (came, &mut engine.brake) {
            (Some(came), Some(brake)) => brake.settle(verdict.unpaid, came),
            _ => Vec::new(),
        };
        (engine, dropped)
    }

    /// Works until nothing is in flight, for a limited time.
    fn finish_flight<'a>(mut engine: Turn<'a>, lane: &'a Lane) -> Turn<'a> {
        let until = after(Instant::now(), PATIENCE);
        while engine.delivery.lines.in_flight() > 0 && !engine.delivery.is_closed && Instant::now() < until {
            let due = engine.due().map_or(until, |due| due.min(until));
            let moved_last = engine.delivery.moved_last;
            let called;
            (engine, called) = lane.rest(engine, || lane.queue.wait_for_call(Some(due), moved_last));
            let Some(woken) = called else { break };
            engine.delivery.schedule.is_woken |= woken;
            engine = Self::pump(engine, lane, Resolved::default(), true);
        }
        engine
    }
}
