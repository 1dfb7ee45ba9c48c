//! Lets lines rest, and probes whether a sink answers a delivery: see [`echo_limit`](super::echo_limit).

use std::time::{Duration, Instant};

use super::echo_limit::{Course, Rest};
use super::engine::{Engine, Turn};
use super::lane::Lane;
use super::mark::Mark;
use super::pump::Resolved;
use crate::metrics::{DroppedLine, Reason};
use crate::queue::{Batch, Block};
use crate::record::Timestamp;

/// How often the worker looks at what came.
const NAP: Duration = Duration::from_millis(5);

impl Engine {
    /// Judges which records of a batch may be echoes.
    pub(super) fn judge(&mut self, batch: &Batch, is_urgent: bool) {
        let may_rest = !is_urgent && !self.delivery.is_closed;
        if let Some(limit) = &mut self.echo_limit {
            limit.judge(batch, may_rest);
        }
    }

    /// Delivers a block, without the records that are echoes. Suspects rest before.
    pub(super) fn deliver_judged<'a>(
        mut engine: Turn<'a>,
        batch: &Batch,
        block: &Block,
        lane: &'a Lane,
        is_urgent: bool,
        released: &mut usize,
    ) -> Turn<'a> {
        let mut next = 0;
        while next < block.len() {
            let Some(limit) = &mut engine.echo_limit else {
                return Self::deliver_range(engine, batch, (block, 0..block.len()), lane, is_urgent, released);
            };
            if limit.begins_rest() {
                engine = Self::rest(engine, lane, block.time(next), true);
                continue;
            }
            let run = limit.take_run(block.len() - next);
            let range = next..next + run.length;
            next = range.end;
            let oldest = block.time(next).or_else(|| batch.first_time());
            if run.is_dropped {
                let bytes = block.bytes_of(range.start, range.end);
                *released += bytes;
                let records = range.filter_map(|index| block.get(index));
                let dropped = records.map(|(entry, _)| DroppedLine::new(Reason::Echo, entry.head.level(), entry.time));
                engine
                    .resolve(lane, Resolved { bytes, dropped: dropped.collect(), next: oldest, ..Resolved::default() });
                continue;
            }
            engine = Self::deliver_range(engine, batch, (block, range), lane, is_urgent || run.is_probe, released);
            if run.is_probe {
                engine = Self::watch(engine, lane, oldest);
            }
        }
        engine
    }

    /// Lets the batch rest, until its first suspect can be a probe or there is no need for it.
    fn rest<'a>(mut engine: Turn<'a>, lane: &'a Lane, oldest: Option<Timestamp>, is_first: bool) -> Turn<'a> {
        let mut rest = Rest::begin(is_first);
        loop {
            let marks;
            (engine, marks) = Self::listen(engine, lane, oldest);
            let now = engine.renderer.clock.now();
            let (Some(marks), Some(limit)) = (marks, &mut engine.echo_limit) else { return engine };
            if limit.hear(&marks, &mut rest, now) != Course::GoOn {
                return engine;
            }
        }
    }

    /// Watches what is logged after a probe, and acts on it.
    fn watch<'a>(mut engine: Turn<'a>, lane: &'a Lane, oldest: Option<Timestamp>) -> Turn<'a> {
        engine.flush_written(lane);
        let (since, mut answers) = (Instant::now(), Vec::new());
        loop {
            let marks;
            (engine, marks) = Self::listen(engine, lane, oldest);
            let Some(limit) = &mut engine.echo_limit else { return engine };
            let course = marks.map_or(Course::Pass, |marks| limit.hear_answers(&marks, since, &mut answers));
            match course {
                Course::GoOn => {}
                Course::Pass => {
                    limit.abandon_probe();
                    return engine;
                }
                Course::Probe => break,
            }
        }
        let Some(limit) = &mut engine.echo_limit else { return engine };
        let Some(proven) = limit.conclude(&answers) else { return engine };
        let (is_first, has_suspects) = (limit.may_complain(), limit.has_suspects());
        if is_first {
            engine.complain_of(&proven, lane);
        }
        if has_suspects { Self::rest(engine, lane, oldest, false) } else { engine }
    }

    /// Serves the sink, waits a moment, and returns what was logged since the last call. `None`: lines are wanted now.
    ///
    /// The sink is flushed before, so that nothing that it has buffered waits for the end of the batch.
    fn listen<'a>(mut engine: Turn<'a>, lane: &'a Lane, oldest: Option<Timestamp>) -> (Turn<'a>, Option<Vec<Mark>>) {
        if engine.delivery.calls_now(false) {
            engine = Self::pump(engine, lane, Resolved { next: oldest, ..Resolved::default() }, false);
        }
        engine.flush_written(lane);
        let Some(limit) = &engine.echo_limit else { return (engine, None) };
        let (shown, holds_back) = (limit.seen, limit.holds_back());
        let mut marks = Vec::new();
        let see = |(entry, bytes): (&_, &[u8])| marks.push(Mark::of(entry, bytes, holds_back));
        let look;
        (engine, look) = lane.rest(engine, || lane.queue.look(NAP, shown, see));
        engine.delivery.schedule.is_woken |= look.is_woken;
        if let Some(limit) = &mut engine.echo_limit {
            limit.seen = look.shown;
            if look.is_flood {
                limit.confirm_suspects();
            }
        }
        let goes_on = !(look.is_wanted || look.is_flood || engine.delivery.is_closed);
        (engine, goes_on.then_some(marks))
    }

    fn complain_of(&self, echo: &Mark, lane: &Lane) {
        let (what, target) = match echo.target() {
            Some(target) => (format!("target `{target}`"), target),
            None => ("a target of the `log` crate".to_owned(), "<target>"),
        };
        let text = format!(
            "{what} logs a line for each delivery; such lines are dropped as `echo`. \
             Name it in Profile::own_targets, or set `{target}=off` in this output's filter"
        );
        lane.complain("echo", &text);
    }

    /// Notes that the sink is about to be called.
    pub(super) fn call_begins(&mut self) {
        if let Some(limit) = &mut self.echo_limit {
            limit.call_begins(self.renderer.clock.now());
        }
    }

    /// Notes that the sink has returned.
    pub(super) fn call_ends(&mut self) {
        if let Some(limit) = &mut self.echo_limit {
            limit.call_ends(self.renderer.clock.now(), self.delivery.lines.in_flight());
        }
    }

    /// Notes that the sink is about to deliver lines; `None` where that does not matter, or there are none.
    #[inline]
    pub(super) fn write_begins(&mut self) -> Option<Instant> {
        let has_lines = self.delivery.lines.has_offered() || self.delivery.lines.in_flight() > 0;
        if self.echo_limit.is_none() || !has_lines {
            return None;
        }
        self.call_begins();
        Some(Instant::now())
    }

    /// Notes that the sink has returned from delivering lines.
    #[inline]
    pub(super) fn write_ends(&mut self, began: Option<Instant>) {
        let (Some(began), Some(limit)) = (began, &mut self.echo_limit) else { return };
        limit.measure(began, self.delivery.lines.in_flight());
        self.call_ends();
    }
}
