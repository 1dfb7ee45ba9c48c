//! Calls the sink, and acts on its answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::engine::{Engine, Turn};
use super::lane::Lane;
use crate::error::Error;
use crate::metrics::{ByLevel, DroppedLine, Reason};
use crate::queue::Gone;
use crate::record::{Timestamp, discard};
use crate::sink::{CHUNK_BYTES, Control, Next};
use crate::sync::after;

/// A line on which the sink panicked so often without getting ahead is given up.
const MAX_PANICS: u32 = 3;

/// A sink that asks to be called at once and does not get ahead is called no sooner, so that it does not use up a core.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What is resolved once the rendered lines were offered.
#[derive(Default)]
pub(super) struct Resolved {
    /// What the queue accounts for the records they came from.
    pub(super) bytes: usize,
    /// Records of which no line came.
    pub(super) dropped: Vec<DroppedLine>,
    /// Records that the output does not take.
    pub(super) filtered: ByLevel,
    /// Records that are equal to the one before.
    pub(super) repeated: ByLevel,
    /// When the first record behind them in the batch was logged.
    pub(super) next: Option<Timestamp>,
}

/// What follows a call of the sink.
enum Then {
    CallAgain,
    Stop,
    Pause(Duration),
}

impl Engine {
    /// Calls the sink until it has no reason to be called, however long that takes, and reports what became of the lines.
    pub(super) fn pump<'a>(mut engine: Turn<'a>, lane: &'a Lane, mut resolved: Resolved, is_urgent: bool) -> Turn<'a> {
        let mut was_called = false;
        let mut gives_up = false;
        engine.delivery.wait_for_batch(false);
        while engine.delivery.calls_now(is_urgent) {
            was_called = true;
            match engine.call_sink(lane, &mut resolved.dropped) {
                Then::CallAgain => {}
                Then::Stop => break,
                Then::Pause(pause) => {
                    engine.counts.retries += 1;
                    lane.queue.report(&engine.counts);
                    if engine.reopen_early(lane) {
                        continue;
                    }
                    let moved_last = engine.delivery.moved_last;
                    let goes_on;
                    (engine, goes_on) = lane.rest(engine, || lane.queue.pause(pause, moved_last, true));
                    engine.reopen_early(lane);
                    if !goes_on {
                        gives_up = true;
                        break;
                    }
                }
            }
        }
        engine.delivery.wait_for_batch(was_called);
        if engine.delivery.is_closed {
            engine.give_up(lane, Reason::Closed, resolved);
        } else if gives_up {
            engine.give_up(lane, Reason::Shutdown, resolved);
        } else {
            engine.resolve(lane, resolved);
        }
        engine
    }

    /// Drops all lines.
    pub(super) fn give_up(&mut self, lane: &Lane, reason: Reason, mut resolved: Resolved) {
        self.delivery.lines.give_up_all(reason, &mut resolved.dropped);
        self.resolve(lane, resolved);
    }

    /// Reports to the queue what was delivered and dropped.
    pub(super) fn resolve(&mut self, lane: &Lane, resolved: Resolved) {
        let Resolved { bytes, dropped, filtered, repeated, next } = resolved;
        let notices = dropped.iter().filter(|line| line.is_notice).count();
        self.counts.notices = self.counts.notices.saturating_sub(notices as u64);
        let lines = &mut self.delivery.lines;
        let filtered = filtered.plus(lines.take_left_out());
        if lines.is_done() {
            lines.clear(2 * CHUNK_BYTES);
        }
        let oldest = lines.oldest_time().or(next);
        self.delivery.used_bytes =
            lane.queue.release(bytes, Gone { dropped: &dropped, filtered, repeated }, oldest, lines.retained_bytes());
        self.advance_barriers(lane);
    }

    /// Calls the sink once. A sink that could not connect at the start is opened before.
    fn call_sink(&mut self, lane: &Lane, dropped: &mut Vec<DroppedLine>) -> Then {
        if !self.delivery.is_open {
            let opened = self.control(Control::Open);
            if let Err(error) = opened {
                return self.failed(lane, &error, dropped);
            }
            self.delivery.is_open = true;
        }
        let began = self.write_begins();
        let delivery = &mut self.delivery;
        let offer = delivery.offer();
        delivery.lines.offer(offer);
        delivery.set_pressure(|| lane.queue.ends_at());
        let ahead = delivery.schedule.ahead();
        delivery.schedule.clear();
        let (before, progress) = (delivery.lines.standing(), delivery.lines.progress());
        let result = catch_unwind(AssertUnwindSafe(|| delivery.sink.write(&mut delivery.lines)));
        let has_moved = delivery.lines.standing() > before;
        let got_ahead = delivery.lines.progress() > progress;
        self.write_ends(began);
        let delivery = &mut self.delivery;
        let written_bytes = delivery.lines.written_bytes();
        let wrote = written_bytes > self.counts.written_bytes;
        self.counts.written_bytes = written_bytes;
        if wrote {
            self.syncing.unsynced.wrote(delivery.moved_last);
        }
        if got_ahead {
            delivery.moved_last = Instant::now();
            delivery.attempts.moved();
        }
        let (reports, remarks) = delivery.lines.take_reports();
        let (mut lost, reason) = delivery.lines.take_dropped();
        dropped.append(&mut lost);
        if let Some(reason) = reason {
            self.report(lane, &Error::rejected(reason));
        }
        for report in reports {
            self.counts.retries += u64::from(report.is_retryable());
            self.report(lane, &report);
        }
        remarks.iter().for_each(|remark| lane.complain(remark, remark));
        self.sync_if_due(lane);
        match result {
            Ok(Ok(next)) => self.answered(lane, next, has_moved, got_ahead, dropped),
            Ok(Err(error)) => {
                // What it asked for before still holds.
                ahead.into_iter().for_each(|at| self.delivery.schedule.call_by(at));
                self.failed(lane, &error, dropped)
            }
            Err(payload) => {
                discard(payload);
                self.panicked(lane, dropped)
            }
        }
    }

    fn answered(
        &mut self,
        lane: &Lane,
        next: Next,
        has_moved: bool,
        got_ahead: bool,
        dropped: &mut Vec<DroppedLine>,
    ) -> Then {
        let delivery = &mut self.delivery;
        let is_taken = delivery.lines.is_empty();
        if has_moved {
            delivery.attempts.grow(&delivery.lines);
        }
        match next {
            Next::Done if is_taken || has_moved => Then::CallAgain,
            Next::Done => self.failed(lane, &Error::retry("the sink took nothing"), dropped),
            Next::More if got_ahead => {
                delivery.schedule.wants_more = true;
                // Without lines to offer, new ones and orders come first.
                if delivery.lines.has_offered() { Then::CallAgain } else { Then::Stop }
            }
            Next::More => {
                delivery.schedule.call_at(after(Instant::now(), SHORTEST_WAIT), false);
                Then::Stop
            }
            Next::Later(at) => {
                let at = if got_ahead { at } else { at.max(after(Instant::now(), SHORTEST_WAIT)) };
                delivery.schedule.call_at(at, !is_taken);
                if is_taken && delivery.lines.has_offered() { Then::CallAgain } else { Then::Stop }
            }
        }
    }

    fn failed(&mut self, lane: &Lane, error: &Error, dropped: &mut Vec<DroppedLine>) -> Then {
        if error.is_rejected() {
            return self.rejected(lane, error, dropped);
        }
        self.report(lane, error);
        let delivery = &mut self.delivery;
        if error.is_closed() {
            delivery.is_closed = true;
            lane.queue.park();
            return Then::Stop;
        }
        let had_lines = !delivery.lines.is_done();
        delivery.lines.give_back(..);
        self.retry(had_lines)
    }

    /// The sink rejects what it was offered in this call: half of it is offered next, and a single line is dropped.
    fn rejected(&mut self, lane: &Lane, error: &Error, dropped: &mut Vec<DroppedLine>) -> Then {
        let delivery = &mut self.delivery;
        match delivery.lines.refuse_call() {
            0 => {
                self.report(lane, error);
                self.retry(false)
            }
            1 => {
                dropped.extend(delivery.lines.give_up_line(Reason::Rejected));
                self.report(lane, error);
                Then::CallAgain
            }
            lines => {
                delivery.attempts.halve(lines);
                Then::CallAgain
            }
        }
    }

    fn panicked(&mut self, lane: &Lane, dropped: &mut Vec<DroppedLine>) -> Then {
        self.counts.panics += 1;
        lane.complain("sink panicked", "the sink panicked; what it had not taken is offered again");
        let delivery = &mut self.delivery;
        delivery.lines.give_back(..);
        if !delivery.lines.has_offered() {
            return self.retry(true);
        }
        delivery.attempts.panics += 1;
        if delivery.attempts.panics >= MAX_PANICS {
            delivery.attempts.panics = 0;
            dropped.extend(delivery.lines.give_up_line(Reason::Panicked));
        }
        Then::CallAgain
    }

    /// Tries again after a pause. Without lines to offer, the worker goes on meanwhile.
    fn retry(&mut self, needs_call: bool) -> Then {
        let delivery = &mut self.delivery;
        if delivery.lines.has_offered() {
            return Then::Pause(delivery.attempts.backoff.failed());
        }
        if needs_call {
            let pause = delivery.attempts.backoff.failed();
            delivery.schedule.call_at(after(Instant::now(), pause), false);
        }
        Then::Stop
    }
}
