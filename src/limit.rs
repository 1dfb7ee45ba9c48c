//! Limits of repeats: so many lines of one call site in a period, then only their number.
//!
//! The thread that logs asks before it captures anything; the workers say what was suppressed, each in its own output,
//! once the period is over. The table of call sites has a constant size: where more of them are busy at once than there
//! are places, some are not limited. What is suppressed and not told yet keeps its place, so every number is told.
//!
//! A period begins with the first line of a call site. One that seems longer than itself, in either direction, has ended:
//! so a clock that steps back suppresses nothing for longer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tracing::{Level, Metadata};

use crate::record::{Fields, Timestamp, put_named};
use crate::sync;

/// Call sites in one place of the table: more than are busy there at once, nearly always.
const WAYS: usize = 4;
const SETS: usize = 32;
/// Locks: threads that log at different call sites seldom meet.
pub(crate) const SHARDS: usize = 16;

/// The summary has so much of the message, in bytes; enough to recognise it.
const MAX_SAMPLE_BYTES: usize = 256;

/// A text of the summary that is as long was cut.
pub(crate) const SAMPLE_CUT_BYTES: usize = MAX_SAMPLE_BYTES - 3;

/// So many lines in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) lines: u64,
    pub(crate) period: Duration,
}

impl Limit {
    /// Whether more than a period lies between two times.
    fn is_over(&self, since: Timestamp, now: Timestamp) -> bool {
        u128::from(now.as_nanos().abs_diff(since.as_nanos())) >= self.period.as_nanos()
    }
}

/// Where an event comes from: a call site of `tracing`, or of the `log` crate, whose records share a few of those.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) meta: &'static Metadata<'static>,
    /// Target, file and line of a `log` record.
    pub(crate) log: Option<u64>,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.meta, other.meta) && self.log == other.log
    }
}

impl Origin {
    /// The lock, and the place behind it.
    fn place(self) -> (usize, usize) {
        let address = std::ptr::from_ref(self.meta) as usize as u64;
        let mixed = (address ^ self.log.unwrap_or(0)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        (mixed as usize % SHARDS, mixed as usize / SHARDS % SETS)
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Log,
    /// The same, and no more after it: its message stands for those.
    LogLast,
    /// `begins`: the outputs for which it is the first one that was not told yet.
    Suppress {
        begins: u64,
    },
}

/// Lines of one call site that were suppressed, for one output to tell.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) meta: &'static Metadata<'static>,
    pub(crate) is_log: bool,
    /// Captured fields: the message of the last line that was logged, and where a `log` record is from.
    pub(crate) sample: Vec<u8>,
    pub(crate) lines: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// The limits of one log, and its busy call sites.
#[derive(Debug)]
pub(crate) struct Limiter {
    errors: Option<Limit>,
    others: Option<Limit>,
    shards: [Mutex<Shard>; SHARDS],
    /// Outputs that have something to tell some time.
    open: AtomicU64,
    /// Outputs that have something to tell now.
    due: AtomicU64,
    /// The log ends: nothing is suppressed any more, as nobody would tell it.
    ended: AtomicBool,
}

/// What one lock guards.
#[derive(Debug)]
pub(crate) struct Shard(Vec<[Option<Site>; WAYS]>);

impl Default for Shard {
    fn default() -> Self {
        Self((0..SETS).map(|_| Default::default()).collect())
    }
}

impl Shard {
    /// In a forked child: what there is was the parent's.
    pub(crate) fn begin_anew(&mut self) {
        self.0.iter_mut().flatten().for_each(|place| *place = None);
    }
}

#[derive(Debug)]
struct Site {
    origin: Origin,
    start: Timestamp,
    lines: u64,
    sample: Vec<u8>,
    /// For each output.
    untold: Vec<Untold>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Untold {
    lines: u64,
    /// When the period began in which the first was suppressed.
    since: Timestamp,
    first: Timestamp,
    last: Timestamp,
}

impl Site {
    fn new(origin: Origin, start: Timestamp) -> Self {
        Self { origin, start, lines: 0, sample: Vec::new(), untold: Vec::new() }
    }

    /// The outputs that have something to tell of it.
    fn open(&self) -> u64 {
        self.untold.iter().enumerate().fold(0, |open, (bit, untold)| open | u64::from(untold.lines > 0) << bit)
    }

    /// Counts a line for the outputs in `mask`; returns those for which it is the first.
    fn suppress(&mut self, mask: u64, time: Timestamp) -> u64 {
        let outputs = (u64::BITS - mask.leading_zeros()) as usize;
        if self.untold.len() < outputs {
            self.untold.resize(outputs, Untold::default());
        }
        let mut begins = 0;
        for (bit, untold) in self.untold.iter_mut().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            if untold.lines == 0 {
                *untold = Untold { lines: 0, since: self.start, first: time, last: time };
                begins |= 1 << bit;
            }
            untold.lines += 1;
            untold.first = untold.first.min(time);
            untold.last = untold.last.max(time);
        }
        begins
    }

    fn summary(&self, untold: Untold) -> Summary {
        let Origin { meta, log } = self.origin;
        let Untold { lines, first, last, .. } = untold;
        Summary { meta, is_log: log.is_some(), sample: self.sample.clone(), lines, first, last }
    }
}

/// The place of a call site: its own, an empty one, or that of the one whose period began first, if all was told of it.
fn find(places: &mut [Option<Site>; WAYS], origin: Origin, time: Timestamp) -> Option<&mut Site> {
    let own = places.iter().position(|site| site.as_ref().is_some_and(|site| site.origin == origin));
    let at = own.or_else(|| {
        let free = places.iter().enumerate().filter(|(_, site)| site.as_ref().is_none_or(|site| site.open() == 0));
        free.min_by_key(|(_, site)| site.as_ref().map(|site| site.start)).map(|(at, _)| at)
    })?;
    let place = places.get_mut(at)?;
    if own.is_none() {
        *place = None;
    }
    Some(place.get_or_insert_with(|| Site::new(origin, time)))
}

impl Limiter {
    pub(crate) fn new(errors: Option<Limit>, others: Option<Limit>) -> Self {
        let (open, due, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self { errors, others, shards: Default::default(), open, due, ended }
    }

    /// The limit for lines of a level.
    pub(crate) fn limit(&self, level: Level) -> Option<Limit> {
        if level == Level::ERROR { self.errors } else { self.others }
    }

    /// Holds one of the [`SHARDS`] locks.
    pub(crate) fn hold(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        Some(sync::lock(self.shards.get(shard)?))
    }

    /// Judges an event that the outputs in `mask` want. No user code runs, and nothing is allocated but when a call
    /// site is met for the first time.
    pub(crate) fn judge(&self, origin: Origin, mask: u64, time: Timestamp) -> Verdict {
        let Some(limit) = self.limit(*origin.meta.level()) else { return Verdict::Log };
        let (shard, set) = origin.place();
        let Some(mut shard) = self.hold(shard) else { return Verdict::Log };
        if self.ended.load(Ordering::Relaxed) {
            return Verdict::Log;
        }
        let Some(site) = shard.0.get_mut(set).and_then(|places| find(places, origin, time)) else {
            return Verdict::Log;
        };
        if limit.is_over(site.start, time) {
            (site.start, site.lines) = (time, 0);
            let open = site.open();
            if open != 0 {
                self.due.fetch_or(open, Ordering::Relaxed);
            }
        }
        if site.lines < limit.lines {
            site.lines += 1;
            return if site.lines == limit.lines { Verdict::LogLast } else { Verdict::Log };
        }
        let begins = site.suppress(mask, time);
        if begins != 0 {
            self.open.fetch_or(begins, Ordering::Relaxed);
        }
        Verdict::Suppress { begins }
    }

    /// Keeps the message of the last line that is logged, from its captured fields.
    pub(crate) fn keep(&self, origin: Origin, fields: &[u8]) {
        let mut sample = Vec::new();
        for (key, value) in Fields::new(fields) {
            if let Some(name) = key.name(origin.meta)
                && (name == "message" || (origin.log.is_some() && name.starts_with("log.")))
            {
                put_named(&mut sample, name, &value.cut_to(MAX_SAMPLE_BYTES));
            }
        }
        let (shard, set) = origin.place();
        if let Some(mut shard) = self.hold(shard)
            && let Some(places) = shard.0.get_mut(set)
            && let Some(site) = places.iter_mut().flatten().find(|site| site.origin == origin)
        {
            site.sample = sample;
        }
    }

    /// Suppresses nothing from now on.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// In a forked child, besides [`Shard::begin_anew`].
    pub(crate) fn begin_anew(&self) {
        self.open.store(0, Ordering::Relaxed);
        self.due.store(0, Ordering::Relaxed);
    }
}

/// One output's part in the limiter.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) limiter: Arc<Limiter>,
    /// The output's place in the builder.
    pub(crate) place: usize,
}

impl Share {
    /// Whether there is something to tell some time.
    pub(crate) fn is_open(&self) -> bool {
        self.limiter.open.load(Ordering::Relaxed) >> self.place & 1 == 1
    }

    /// Whether there is something to tell now.
    pub(crate) fn is_due(&self) -> bool {
        self.limiter.due.load(Ordering::Relaxed) >> self.place & 1 == 1
    }

    /// Takes out what was suppressed in periods that are over at `now`; in all if there is no `now`.
    pub(crate) fn take(&self, now: Option<Timestamp>) -> Vec<Summary> {
        let (limiter, bit) = (&*self.limiter, 1 << self.place);
        // Both are set again by whoever suppresses a line that is not seen below.
        limiter.due.fetch_and(!bit, Ordering::Relaxed);
        limiter.open.fetch_and(!bit, Ordering::Relaxed);
        let mut summaries = Vec::new();
        let mut left = false;
        for shard in 0..SHARDS {
            let Some(mut shard) = limiter.hold(shard) else { continue };
            for site in shard.0.iter_mut().flatten().flatten() {
                let Some(untold) = site.untold.get(self.place).copied().filter(|untold| untold.lines > 0) else {
                    continue;
                };
                let limit = limiter.limit(*site.origin.meta.level());
                if now.is_some_and(|now| limit.is_some_and(|limit| !limit.is_over(untold.since, now)))
                    && untold.since == site.start
                {
                    left = true;
                    continue;
                }
                summaries.push(site.summary(untold));
                if let Some(untold) = site.untold.get_mut(self.place) {
                    *untold = Untold::default();
                }
            }
        }
        if left {
            limiter.open.fetch_or(bit, Ordering::Relaxed);
        }
        summaries
    }
}
