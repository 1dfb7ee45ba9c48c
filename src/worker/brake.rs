//! The brake: keeps a sink from feeding itself through a client library that logs on threads of the program.
//!
//! Threads that a sink has marked and targets that it has named never come here. This is for what is left. A line that
//! the client logs because it writes a line would cause the next one, without end. The brake cannot see causes. It
//! compares the time of each line with the times at which the sink was at work.
//!
//! - A *window* begins with a call of the sink. It ends [`TAIL`] after the call has returned and nothing is in flight.
//! - A line logged outside every window is genuine. It gives one credit. Its call site is known after [`PROOFS`] such lines.
//! - A line logged inside a window passes if its call site is known. Else it is a suspect and costs one credit.
//! - A suspect without a credit makes the sink rest: nothing is in flight, no window is open, and no call is made for
//!   [`REST`]. Each line that comes meanwhile is genuine and pays for one suspect. What is left unpaid is dropped.
//!
//! So one genuine line leads to at most two lines, and an idle program soon has an idle sink. When in doubt, a line passes:
//! while somebody waits for it (a flush, the end of the log), while the queue is over half full, and while lines in flight
//! do not get done. Synchronous outputs have no brake, because the thread that waits for a line cannot log the next.
//!
//! The brake learns early. A call site that is not known yet makes the sink rest before the line is written. Its
//! neighbours then log outside every window, too. The same happens before a line that follows a drop, for longer each
//! time. A call site that logs inside windows only stays known for [`TRUST`] batches, and is looked at again in between.
//! That ends a loop that began because a line came later than [`TAIL`].

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::queue::{Block, Head};
use crate::record::{Fields, Key, Timestamp, Value};

/// A line that a call causes is logged this soon after it.
const TAIL: Duration = Duration::from_millis(50);
/// How long the sink rests before a suspect is dropped.
pub(super) const REST: Duration = Duration::from_millis(50);
/// How long the sink rests for a call site that is not known.
const LESSON: Duration = Duration::from_millis(20);
/// How often a lesson after a drop is twice as long as the one before.
const LESSONS: u32 = 6;
/// Genuine lines that make a call site known.
const PROOFS: u32 = 2;
/// A known call site may log in windows only for this many batches, and twice as many each time that it is confirmed.
const TRUST: u32 = 1024;
const MOST_TRUST: u32 = 1 << 16;
/// Beyond this many call sites, others pass.
const MOST_SITES: usize = 4096;
const MOST_CREDITS: u64 = 1_000_000;
/// Windows kept. Lines from before them pass, and prove nothing.
const MOST_WINDOWS: usize = 64;

/// What one output knows of its call sites.
#[derive(Debug, Default)]
pub(super) struct Brake {
    windows: VecDeque<Window>,
    /// When the last window that was forgotten began.
    forgotten: Option<Timestamp>,
    sites: HashMap<Site, Standing>,
    credits: u64,
    /// Credits given for lines that were counted during a rest and have not been judged yet.
    advanced: u64,
    batches: u64,
    /// Drops were followed by this many lessons.
    lessons: u32,
    /// A line was dropped since the last lesson, or a known call site is to be looked at again.
    wants_lesson: bool,
}

/// A time in which lines are suspect.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: Timestamp,
    end: Timestamp,
}

/// Where lines come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Site {
    /// A call site of `tracing`, by the address of its metadata.
    Event(usize),
    /// A target of the `log` crate, hashed.
    Log(u64),
    /// Lines of the appender.
    Appender,
}

/// What is known of a call site.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Genuine lines that are missing until it is known.
    missing: u32,
    trust: u32,
    /// For how many more batches it may log in windows only.
    left: u32,
    /// The last of these batches.
    batch: u64,
}

impl Default for Standing {
    fn default() -> Self {
        Self { missing: PROOFS, trust: TRUST, left: TRUST, batch: 0 }
    }
}

/// What is to be done before a block is written.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The places of suspects without a credit.
    pub(super) unpaid: Vec<usize>,
    /// For how long the sink is to rest.
    pub(super) lesson: Option<Duration>,
}

impl Brake {
    /// Starts afresh, in a forked child. Allocates nothing.
    pub(super) fn begin_anew(&mut self) {
        let Self { mut windows, mut sites, .. } = std::mem::take(self);
        windows.clear();
        sites.clear();
        *self = Self { windows, sites, ..Self::default() };
    }

    /// The sink is about to be called.
    pub(super) fn call_begins(&mut self, now: Timestamp) {
        match self.windows.back_mut() {
            Some(last) if now <= last.end => last.end = Timestamp::from_nanos(i64::MAX),
            _ => self.windows.push_back(Window { start: now, end: Timestamp::from_nanos(i64::MAX) }),
        }
        if self.windows.len() > MOST_WINDOWS {
            self.forgotten = self.windows.pop_front().map(|window| window.end);
        }
    }

    /// The sink has returned. The window stays open while lines are in flight.
    pub(super) fn call_ends(&mut self, now: Timestamp, in_flight: usize) {
        if let Some(last) = self.windows.back_mut().filter(|_| in_flight == 0) {
            last.end = Timestamp::from_nanos(now.as_nanos().saturating_add(TAIL.as_nanos() as i64));
        }
    }

    /// Returns how long the last window stays open.
    pub(super) fn tail(&self, now: Timestamp) -> Duration {
        let end = self.windows.back().map_or(0, |window| window.end.as_nanos());
        let nanos = u64::try_from(end.saturating_sub(now.as_nanos())).unwrap_or(0);
        // The clock may be the user's.
        Duration::from_nanos(nanos).min(TAIL)
    }

    /// A batch begins.
    pub(super) fn begin_batch(&mut self) {
        self.batches += 1;
    }

    /// Judges all records of a block.
    pub(super) fn judge(&mut self, block: &Block) -> Verdict {
        let mut verdict = Verdict::default();
        let (mut is_news, mut is_genuine) = (false, false);
        for index in 0..block.len() {
            let Some((entry, bytes)) = block.get(index) else { break };
            if self.forgotten.is_some_and(|forgotten| entry.time <= forgotten) {
                continue;
            }
            let site = Site::of(entry.head, bytes);
            if self.is_inside(entry.time) {
                if !self.passes(site) && !self.pay() && !is_held_back(bytes) {
                    verdict.unpaid.push(index);
                }
            } else {
                is_genuine = true;
                is_news |= self.prove(site);
            }
        }
        if is_news {
            self.lessons = 0;
            verdict.lesson = Some(LESSON);
        }
        if is_genuine && std::mem::take(&mut self.wants_lesson) {
            verdict.lesson = Some(LESSON * (1 << self.lessons.min(LESSONS)));
        }
        verdict
    }

    /// Takes the records that came while the sink rested as genuine, and has them pay. Returns what is to be dropped.
    pub(super) fn settle(&mut self, mut unpaid: Vec<usize>, genuine: u64) -> Vec<usize> {
        self.advanced += genuine;
        self.credits = (self.credits + genuine).min(MOST_CREDITS);
        unpaid.retain(|_| !self.pay());
        if !unpaid.is_empty() && self.lessons < LESSONS {
            self.lessons += 1;
            self.wants_lesson = true;
        }
        unpaid
    }

    /// Whether a line of this time may have been caused by a call. A clock that stands still makes no line suspect.
    fn is_inside(&self, time: Timestamp) -> bool {
        self.windows.iter().rev().any(|window| window.start < time && time < window.end)
    }

    /// Notes a genuine line. Returns whether its call site was not known before.
    fn prove(&mut self, site: Site) -> bool {
        if self.advanced > 0 {
            self.advanced -= 1;
        } else {
            self.credits = (self.credits + 1).min(MOST_CREDITS);
        }
        if self.sites.len() >= MOST_SITES && !self.sites.contains_key(&site) {
            return false;
        }
        let standing = self.sites.entry(site).or_default();
        let is_news = standing.missing > 0;
        standing.missing = standing.missing.saturating_sub(1);
        if standing.left <= standing.trust / 2 {
            standing.trust = (standing.trust * 2).min(MOST_TRUST);
        }
        standing.left = standing.trust;
        is_news
    }

    /// Returns whether a line logged inside a window comes from a known call site.
    fn passes(&mut self, site: Site) -> bool {
        let Some(standing) = self.sites.get_mut(&site) else { return self.sites.len() >= MOST_SITES };
        if standing.missing > 0 {
            return false;
        }
        if standing.batch != self.batches {
            standing.batch = self.batches;
            standing.left = standing.left.saturating_sub(1);
            self.wants_lesson |= standing.left == standing.trust / 2;
        }
        standing.left > 0
    }

    fn pay(&mut self) -> bool {
        let has_credit = self.credits > 0;
        self.credits = self.credits.saturating_sub(1);
        has_credit
    }
}

impl Site {
    fn of(head: Head, bytes: &[u8]) -> Self {
        match head {
            Head::Line(_) => Self::Appender,
            Head::Event { meta, is_log: false } => Self::Event(std::ptr::from_ref(meta).addr()),
            Head::Event { meta, is_log: true } => {
                let mut fields = Fields::new(bytes);
                let target = fields.find(|(key, _)| key.name(meta) == Some("log.target")).map(|(_, value)| value);
                let mut hasher = DefaultHasher::new();
                if let Some(Value::Str(target)) = target {
                    target.hash(&mut hasher);
                }
                Self::Log(hasher.finish())
            }
        }
    }
}

/// Whether a flight recorder held the record back. Its time is old, so that it proves nothing.
fn is_held_back(bytes: &[u8]) -> bool {
    Fields::new(bytes).any(|(key, _)| key == Key::HeldBack)
}
