//! The limiter: the rules of one log, and what they have suppressed.
//!
//! The logging thread asks before it captures anything. Each worker reports what was suppressed in its output once the
//! period is over. The table of call sites has a constant size. When more call sites are busy than there are places, some
//! are not limited. A call site with unreported lines keeps its place, so every count is reported.
//!
//! A period begins with the first line of a call site. It is over when its length has passed in either direction, so a
//! clock that steps back does not extend it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tracing::{Level, Metadata};

use super::rule::{Bucket, Rule};
use super::sampling::Sampling;
use crate::context::{TraceDecision, TraceId};
use crate::fork::{AtFork, Paused, Rank};
use crate::metrics::Reason;
use crate::sync;
use crate::values::{Fields, Timestamp, put_named};

/// The call sites in one set: nearly always more than are busy there at once.
const WAYS: usize = 4;
const SETS: usize = 32;
/// The number of locks. Threads that log at different call sites seldom share one.
const SHARDS: usize = 16;

/// The bytes of the message in a summary: enough to recognise it.
const MAX_SAMPLE_BYTES: usize = 256;

/// A text in the summary that is at least this long was cut.
pub(crate) const SAMPLE_CUT_BYTES: usize = MAX_SAMPLE_BYTES - 3;

/// Where an event comes from: a call site of `tracing`, or of the `log` crate, whose records share a few call sites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) meta: &'static Metadata<'static>,
    /// A hash of target, file and line of a `log` record.
    pub(crate) log: Option<u64>,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.meta, other.meta) && self.log == other.log
    }
}

impl Origin {
    /// Returns the lock and the set that it belongs to.
    fn shard_and_set(self) -> (usize, usize) {
        let address = std::ptr::from_ref(self.meta) as usize as u64;
        let mixed = (address ^ self.log.unwrap_or(0)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        (mixed as usize % SHARDS, mixed as usize / SHARDS % SETS)
    }
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Log,
    /// Log it as the last one of the period. Its message stands for the suppressed ones.
    LogLast,
    /// Only count it.
    Suppress {
        reason: Reason,
        /// The outputs that had no unreported line before.
        first_for: u64,
    },
}

/// The suppressed lines of one call site, for one output to report.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) meta: &'static Metadata<'static>,
    pub(crate) is_log: bool,
    /// Captured fields: the message of the last line that was logged, and the place of a `log` record.
    pub(crate) sample: Vec<u8>,
    pub(crate) reason: Reason,
    pub(crate) lines: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// The limits of one log, and its busy call sites.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Of ERROR lines.
    errors: Option<Rule>,
    /// Of lines below a level.
    others: Option<(Rule, Level)>,
    /// Of the traces whose lines below a level are kept or dropped together.
    traces: Option<(Rule, Level)>,
    /// The traces that are still let in.
    new_traces: Bucket,
    shards: [Mutex<Shard>; SHARDS],
    /// The outputs that have something to report.
    open: AtomicU64,
    /// The outputs that have something to report now.
    due: AtomicU64,
    /// The log has ended. Nothing is suppressed any more, because it would not be reported.
    ended: AtomicBool,
}

/// What one lock guards.
#[derive(Debug)]
pub(crate) struct Shard(Vec<[Option<BusyCallSite>; WAYS]>);

impl Default for Shard {
    fn default() -> Self {
        Self((0..SETS).map(|_| Default::default()).collect())
    }
}

/// A call site with its current period.
#[derive(Debug)]
struct BusyCallSite {
    origin: Origin,
    start: Timestamp,
    lines: u64,
    bucket: Bucket,
    sample: Vec<u8>,
    /// The suppressed lines, for each output, by reason.
    unreported: Vec<[Unreported; REASONS.len()]>,
}

/// Why lines are suppressed.
const REASONS: [Reason; 2] = [Reason::RateLimited, Reason::Sampled];

#[derive(Clone, Copy, Debug, Default)]
struct Unreported {
    lines: u64,
    /// The start of the period in which the first line was suppressed.
    since: Timestamp,
    first: Timestamp,
    last: Timestamp,
}

impl BusyCallSite {
    fn new(origin: Origin, start: Timestamp) -> Self {
        Self { origin, start, lines: 0, bucket: Bucket::default(), sample: Vec::new(), unreported: Vec::new() }
    }

    /// Returns the outputs that have something to report about it.
    fn open(&self) -> u64 {
        self.unreported
            .iter()
            .enumerate()
            .fold(0, |open, (bit, all)| open | u64::from(all.iter().any(|unreported| unreported.lines > 0)) << bit)
    }

    /// Counts a line for the outputs in `mask`; returns those for which it is the first unreported one.
    fn suppress(&mut self, reason: Reason, mask: u64, time: Timestamp) -> u64 {
        let outputs = (u64::BITS - mask.leading_zeros()) as usize;
        if self.unreported.len() < outputs {
            self.unreported.resize(outputs, <[Unreported; REASONS.len()]>::default());
        }
        let mut first_for = 0;
        for (bit, all) in self.unreported.iter_mut().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            let is_first = all.iter().all(|unreported| unreported.lines == 0);
            first_for |= u64::from(is_first) << bit;
            let Some((_, unreported)) = REASONS.iter().zip(all).find(|(known, _)| **known == reason) else { continue };
            if unreported.lines == 0 {
                *unreported = Unreported { lines: 0, since: self.start, first: time, last: time };
            }
            unreported.lines += 1;
            unreported.first = unreported.first.min(time);
            unreported.last = unreported.last.max(time);
        }
        first_for
    }

    fn summary(&self, reason: Reason, unreported: Unreported) -> Summary {
        let Origin { meta, log } = self.origin;
        let Unreported { lines, first, last, .. } = unreported;
        Summary { meta, is_log: log.is_some(), sample: self.sample.clone(), reason, lines, first, last }
    }
}

/// Returns the place of a call site: its own, an empty one, or the place of the call site whose period began first and that
/// has nothing to report.
fn find(places: &mut [Option<BusyCallSite>; WAYS], origin: Origin, time: Timestamp) -> Option<&mut BusyCallSite> {
    let own = places.iter().position(|site| site.as_ref().is_some_and(|site| site.origin == origin));
    let at = own.or_else(|| {
        let free = places.iter().enumerate().filter(|(_, site)| site.as_ref().is_none_or(|site| site.open() == 0));
        free.min_by_key(|(_, site)| site.as_ref().map(|site| site.start)).map(|(at, _)| at)
    })?;
    let place = places.get_mut(at)?;
    if own.is_none() {
        *place = None;
    }
    Some(place.get_or_insert_with(|| BusyCallSite::new(origin, time)))
}

impl Limiter {
    /// `errors`: the rule of ERROR lines. `lines`: that of all others. `sampling`: in place of `lines`, or of traces.
    pub(crate) fn new(errors: Option<Rule>, lines: Option<Rule>, sampling: &[Sampling]) -> Self {
        let (open, due, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let sampled = |of_traces: bool| {
            let last = sampling.iter().rev().find(|sampling| sampling.of_traces == of_traces);
            last.map(|sampling| (sampling.rule, sampling.below))
        };
        let others = lines.map(|rule| (rule, Level::ERROR)).or_else(|| sampled(false));
        let (traces, new_traces) = (sampled(true), Bucket::default());
        Self { errors, others, traces, new_traces, shards: Default::default(), open, due, ended }
    }

    /// Returns the rule for lines of a level.
    fn rule(&self, level: Level) -> Option<Rule> {
        let other = self.others.filter(|(_, below)| level > *below).map(|(rule, _)| rule);
        if level == Level::ERROR { self.errors.or(other) } else { other }
    }

    /// Returns whether some lines of a level may be suppressed.
    pub(crate) fn limits(&self, level: Level) -> bool {
        self.rule(level).is_some() || self.samples_traces(level)
    }

    /// Returns whether lines of a level depend on their trace.
    pub(crate) fn samples_traces(&self, level: Level) -> bool {
        self.traces.is_some_and(|(_, below)| level > below)
    }

    /// Returns whether a trace is kept. `decision`: that of its outermost span in this process.
    pub(crate) fn keeps_trace(&self, trace: TraceId, decision: &TraceDecision, now: Timestamp) -> bool {
        match self.traces {
            Some((Rule::OneIn(one_in), _)) => trace.hash() <= u64::MAX / one_in,
            Some((Rule::TokenBucket { burst, every }, _)) => {
                decision.get_or_decide(|| self.new_traces.take(burst, every, now))
            }
            _ => true,
        }
    }

    /// Takes one of the [`SHARDS`] locks.
    fn hold(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        Some(sync::lock(self.shards.get(shard)?))
    }

    /// Applies the limit to an event that the outputs in `mask` want.
    ///
    /// No user code runs. It allocates only when a call site is met for the first time.
    pub(crate) fn judge(&self, origin: Origin, mask: u64, time: Timestamp) -> Verdict {
        let Some(rule) = self.rule(*origin.meta.level()) else { return Verdict::Log };
        self.with_site(origin, rule, time, |site| {
            let needs_sample = site.sample.is_empty();
            let passes = match rule {
                Rule::Window { lines, .. } if site.lines < lines => {
                    site.lines += 1;
                    return if site.lines == lines { Verdict::LogLast } else { Verdict::Log };
                }
                Rule::Window { .. } => false,
                Rule::OneIn(one_in) => {
                    site.lines += 1;
                    (site.lines - 1).is_multiple_of(one_in)
                }
                Rule::TokenBucket { burst, every } => site.bucket.take(burst, every, time),
            };
            match passes {
                true if needs_sample => Verdict::LogLast,
                true => Verdict::Log,
                false => self.suppress_at(site, rule.reason(), mask, time),
            }
        })
    }

    /// Counts an event of a trace that is not kept.
    pub(crate) fn suppress_trace(&self, origin: Origin, mask: u64, time: Timestamp) -> Verdict {
        let rule = self.traces.map_or(Rule::OneIn(1), |(rule, _)| rule);
        self.with_site(origin, rule, time, |site| self.suppress_at(site, rule.reason(), mask, time))
    }

    /// Runs `judge` with the place of a call site; the event is logged where there is none.
    fn with_site(
        &self,
        origin: Origin,
        rule: Rule,
        time: Timestamp,
        judge: impl FnOnce(&mut BusyCallSite) -> Verdict,
    ) -> Verdict {
        let (shard, set) = origin.shard_and_set();
        let Some(mut shard) = self.hold(shard) else { return Verdict::Log };
        if self.ended.load(Ordering::Relaxed) {
            return Verdict::Log;
        }
        let Some(site) = shard.0.get_mut(set).and_then(|places| find(places, origin, time)) else {
            return Verdict::Log;
        };
        if rule.is_over(site.start, time) {
            site.start = time;
            if let Rule::Window { .. } = rule {
                site.lines = 0;
            }
            let open = site.open();
            if open != 0 {
                self.due.fetch_or(open, Ordering::Relaxed);
            }
        }
        judge(site)
    }

    fn suppress_at(&self, site: &mut BusyCallSite, reason: Reason, mask: u64, time: Timestamp) -> Verdict {
        let first_for = site.suppress(reason, mask, time);
        if first_for != 0 {
            self.open.fetch_or(first_for, Ordering::Relaxed);
        }
        Verdict::Suppress { reason, first_for }
    }

    /// Stores the message of the last line that is logged, from its captured fields.
    pub(crate) fn store_sample(&self, origin: Origin, fields: &[u8]) {
        let mut sample = Vec::new();
        for (key, value) in Fields::new(fields) {
            if let Some(name) = key.name(origin.meta)
                && (name == "message" || (origin.log.is_some() && name.starts_with("log.")))
            {
                put_named(&mut sample, name, &value.truncated_to(MAX_SAMPLE_BYTES));
            }
        }
        let (shard, set) = origin.shard_and_set();
        if let Some(mut shard) = self.hold(shard)
            && let Some(places) = shard.0.get_mut(set)
            && let Some(site) = places.iter_mut().flatten().find(|site| site.origin == origin)
        {
            site.sample = sample;
        }
    }

    /// Forgets what was suppressed in an output that is gone.
    pub(crate) fn forget(&self, place: usize) {
        let bit = 1 << place;
        self.due.fetch_and(!bit, Ordering::Relaxed);
        self.open.fetch_and(!bit, Ordering::Relaxed);
        for shard in &self.shards {
            let mut shard = sync::lock(shard);
            let of_place = shard.0.iter_mut().flatten().flatten().filter_map(|site| site.unreported.get_mut(place));
            of_place.for_each(|unreported| *unreported = Default::default());
        }
    }

    /// Stops suppressing lines.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// In a child, what was suppressed is the parent's.
impl AtFork for Limiter {
    fn rank(&self) -> Rank {
        Rank::RateLimits
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut shards: Vec<_> = self.shards.iter().map(sync::lock).collect();
        Box::new(move || {
            shards.iter_mut().flat_map(|shard| &mut shard.0).flatten().for_each(|place| *place = None);
            self.open.store(0, Ordering::Relaxed);
            self.due.store(0, Ordering::Relaxed);
        })
    }
}

/// One output's share of the limiter.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) limiter: Arc<Limiter>,
    /// The output's index in the builder.
    pub(crate) place: usize,
}

impl Share {
    /// Returns whether there is something to report.
    pub(crate) fn is_open(&self) -> bool {
        self.limiter.open.load(Ordering::Relaxed) >> self.place & 1 == 1
    }

    /// Returns whether there is something to report now.
    pub(crate) fn is_due(&self) -> bool {
        self.limiter.due.load(Ordering::Relaxed) >> self.place & 1 == 1
    }

    /// Takes out what was suppressed in periods that are over at `now`; in all periods without `now`.
    pub(crate) fn take(&self, now: Option<Timestamp>) -> Vec<Summary> {
        let (limiter, bit) = (&*self.limiter, 1 << self.place);
        // A thread that suppresses a line that is not seen below sets both again.
        limiter.due.fetch_and(!bit, Ordering::Relaxed);
        limiter.open.fetch_and(!bit, Ordering::Relaxed);
        let mut summaries = Vec::new();
        let mut remains = false;
        for shard in 0..SHARDS {
            let Some(mut shard) = limiter.hold(shard) else { continue };
            for site in shard.0.iter_mut().flatten().flatten() {
                let all = site.unreported.get(self.place).copied().unwrap_or_default();
                for (at, (reason, unreported)) in REASONS.into_iter().zip(all).enumerate() {
                    if unreported.lines == 0 {
                        continue;
                    }
                    let of_site = limiter.rule(*site.origin.meta.level()).filter(|rule| rule.reason() == reason);
                    let rule = of_site.or(limiter.traces.map(|(rule, _)| rule));
                    if now.is_some_and(|now| rule.is_some_and(|rule| !rule.is_over(unreported.since, now)))
                        && unreported.since == site.start
                    {
                        remains = true;
                        continue;
                    }
                    summaries.push(site.summary(reason, unreported));
                    if let Some(unreported) = site.unreported.get_mut(self.place).and_then(|all| all.get_mut(at)) {
                        *unreported = Unreported::default();
                    }
                }
            }
        }
        if remains {
            limiter.open.fetch_or(bit, Ordering::Relaxed);
        }
        summaries
    }
}
