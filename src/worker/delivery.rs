//! The sink, its lines, and when it is to be called.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use crate::sink::{Batching, CHUNK_BYTES, Lines, Offer, Sink};
use crate::sync::after;

/// A queue's part that one render may take when lines are kept in memory, and that is free before it.
const RENDER_PART: usize = 16;

/// One sink at work.
pub(super) struct Delivery {
    pub(super) sink: Box<dyn Sink>,
    pub(super) lines: Lines,
    pub(super) schedule: Schedule,
    pub(super) attempts: Attempts,
    /// Memory that the queue accounts for, as of the last report.
    pub(super) used_bytes: usize,
    max_bytes: usize,
    /// The sink takes lines at once and keeps none in flight.
    is_plain: bool,
    /// The sink moves lines to disk when memory gets short.
    pub(super) spools: bool,
    /// The sink is open. A sink that could not connect at the start is opened before its first line.
    pub(super) is_open: bool,
    /// The sink has ended, until it is reopened.
    pub(super) is_closed: bool,
    /// When the sink got ahead last.
    pub(super) moved_last: Instant,
}

/// When the sink is called.
#[derive(Debug)]
pub(super) struct Schedule {
    batching: Batching,
    /// The sink wants to be called then.
    later: Option<Instant>,
    /// It has left lines that it was offered, and wants no others before then.
    is_declined: bool,
    /// It wants to be called at once, even without lines.
    pub(super) wants_more: bool,
    /// Its waker was woken.
    pub(super) is_woken: bool,
    /// Lines have been waiting for a full batch since then.
    waiting_since: Option<Instant>,
}

/// How the last calls went.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) backoff: Backoff,
    /// Panics in a row.
    pub(super) panics: u32,
    /// So few lines are offered, in search of one that the sink rejects.
    limit: Option<usize>,
}

impl Delivery {
    pub(super) fn new(
        sink: Box<dyn Sink>,
        lines: Lines,
        batching: Batching,
        max_bytes: usize,
        is_plain: bool,
        is_open: bool,
    ) -> Self {
        Self {
            sink,
            lines,
            schedule: Schedule {
                batching,
                later: None,
                is_declined: false,
                wants_more: false,
                is_woken: false,
                waiting_since: None,
            },
            attempts: Attempts { backoff: Backoff::new(), panics: 0, limit: None },
            used_bytes: 0,
            max_bytes,
            is_plain,
            spools: false,
            is_open,
            is_closed: false,
            moved_last: Instant::now(),
        }
    }

    /// Starts afresh, in a forked child: lines in flight are the parent's.
    pub(super) fn start_afresh(&mut self) {
        self.lines.forget();
        self.schedule.clear();
        self.schedule.waiting_since = None;
        self.attempts = Attempts { backoff: Backoff::new(), panics: 0, limit: None };
        self.used_bytes = 0;
    }

    /// Returns whether the sink is to be called now. `is_urgent`: somebody waits for the lines.
    pub(super) fn calls_now(&mut self, is_urgent: bool) -> bool {
        if self.is_closed {
            return false;
        }
        let schedule = &mut self.schedule;
        if schedule.is_woken || schedule.wants_more || schedule.is_due() {
            return true;
        }
        if !self.lines.has_offered() {
            return false;
        }
        is_urgent || (!schedule.is_declined && schedule.is_batch_ready(&self.lines))
    }

    /// Notes whether lines wait for a full batch. `was_called`: those that are left have just begun to wait.
    #[inline]
    pub(super) fn wait_for_batch(&mut self, was_called: bool) {
        self.schedule.wait_for_batch(&self.lines, was_called);
    }

    /// Returns what the sink is offered in its next call.
    pub(super) fn offer(&self) -> Offer {
        let batching = &self.schedule.batching;
        Offer { bytes: batching.bytes, lines: batching.lines.min(self.attempts.limit.unwrap_or(usize::MAX)) }
    }

    /// Returns when the sink is to be called although no line comes.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.is_closed {
            return None;
        }
        if self.schedule.wants_more || self.schedule.is_woken {
            return Some(Instant::now());
        }
        let linger = self.schedule.waiting_since.filter(|_| self.lines.has_offered() && !self.schedule.is_declined);
        let linger = linger.map(|since| after(since, self.schedule.batching.linger));
        self.schedule.later.into_iter().chain(linger).min()
    }

    /// Returns whether the budget has room for more rendered lines.
    pub(super) fn may_render(&self) -> bool {
        self.lines.is_done()
            || self.used_bytes <= self.max_bytes - self.max_bytes / RENDER_PART
            || (self.spools && !self.lines.has_offered())
    }

    /// Tells a sink that moves lines to disk when it has to.
    pub(super) fn set_pressure(&mut self, ends_at: impl FnOnce() -> Option<Instant>) {
        if self.spools {
            self.lines.set_pressure(self.used_bytes > self.max_bytes / 2, ends_at());
        }
    }

    /// Returns how far the current chunk may grow in one render.
    pub(super) fn render_limit(&mut self) -> usize {
        let keeps_none = self.is_plain || (self.lines.written_bytes() > 0 && !self.lines.hands_over());
        if keeps_none && self.lines.is_done() {
            return CHUNK_BYTES;
        }
        let part = (self.max_bytes / RENDER_PART).min(CHUNK_BYTES);
        self.lines.begin_chunk((2 * part).min(CHUNK_BYTES));
        (self.lines.len() + part).min(CHUNK_BYTES + part)
    }
}

impl Schedule {
    /// The sink is being called: what it asked for last is past.
    pub(super) fn clear(&mut self) {
        self.later = None;
        self.is_declined = false;
        self.wants_more = false;
        self.is_woken = false;
    }

    pub(super) fn call_at(&mut self, at: Instant, is_declined: bool) {
        self.later = Some(at);
        self.is_declined = is_declined;
    }

    /// Returns whether the time has come that the sink asked for.
    pub(super) fn is_due(&self) -> bool {
        self.later.is_some_and(|at| at <= Instant::now())
    }

    /// Returns the time that the sink asked for, if it has not come yet.
    pub(super) fn ahead(&self) -> Option<Instant> {
        self.later.filter(|at| *at > Instant::now())
    }

    /// Calls the sink at `at`, or before, where it wants that.
    pub(super) fn call_by(&mut self, at: Instant) {
        self.later = Some(self.later.map_or(at, |later| later.min(at)));
    }

    fn wait_for_batch(&mut self, lines: &Lines, was_called: bool) {
        if self.batching.linger == Duration::ZERO {
            return;
        }
        if !lines.has_offered() {
            self.waiting_since = None;
        } else if was_called || self.waiting_since.is_none() {
            self.waiting_since = Some(Instant::now());
        }
    }

    fn is_batch_ready(&self, lines: &Lines) -> bool {
        let Batching { lines: most_lines, bytes, linger } = self.batching;
        linger == Duration::ZERO
            || self.waiting_since.is_some_and(|since| since.elapsed() >= linger)
            || lines.fills(Offer { bytes, lines: most_lines })
    }
}

impl Attempts {
    /// The sink got ahead.
    pub(super) fn moved(&mut self) {
        self.backoff.clear();
        self.panics = 0;
    }

    /// The sink rejected one of `lines`: half of them are offered next.
    pub(super) fn halve(&mut self, lines: usize) {
        self.limit = Some((lines / 2).max(1));
    }

    /// The sink took lines: it may get more in one call.
    pub(super) fn grow(&mut self, lines: &Lines) {
        let grown = self.limit.map(|limit| limit.saturating_mul(2));
        self.limit = grown.filter(|limit| !lines.fewer_than(*limit));
    }
}
