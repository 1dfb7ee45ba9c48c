//! What the outputs of one log know of echoes.
//!
//! An echo is a line that a sink's client logs because the sink delivers lines. Its thread belongs to the program, so only
//! times can tell. The outputs of one log share the evidence, because their clients' lines reach all of them. But each
//! output counts its own batches, because the same line is in a batch of each.
//!
//! - A *window* is open while a sink delivers lines, and [`TAIL`] longer.
//! - A line logged outside every window is genuine, and confirms its call site.
//! - A confirmed call site is trusted for some batches, and for more each time that it is confirmed.
//! - A call site that logs after each delivery, but not while the sink rests, is proven to echo. Its lines inside a window
//!   are dropped. Each line outside every window pays for one of them, and enough of them clear it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tracing::Metadata;

use super::mark::{Mark, Site};
use crate::addresses::AddressKeys;
use crate::fork::{AtFork, Paused, Rank};
use crate::queue::{Entry, Head};
use crate::record::Timestamp;
use crate::sync::{self, Mutex, MutexGuard};

/// A line that a delivery causes is logged this soon after it.
pub(super) const TAIL: Duration = Duration::from_millis(50);
/// Among lines of other call sites, only a line that comes this soon is an answer.
const PROMPT: Duration = Duration::from_millis(10);
/// A delivery that takes longer keeps no window open. Nothing waits longer for a verdict.
pub(super) const LONGEST: Duration = Duration::from_secs(1);
/// For how many batches a call site is trusted that was confirmed once.
const TRUST: u32 = 8;
const MOST_TRUST: u32 = 1024;
/// How often a call site has to answer a delivery until it is proven to echo, if it was ever confirmed.
const PROOFS_IF_CONFIRMED: u32 = 64;
/// If other lines come in between: how many answers prove an echo, and how many silences confirm a call site.
const PROOFS_AMONG_OTHERS: u32 = 3;
/// How many answers prove an echo if earlier deliveries went unanswered.
const PROOFS_IF_LATE: u32 = 2;
/// A call site that appears after more windows than this is late.
const EARLY_WINDOWS: u64 = 8;
/// This number of lines outside windows clears a call site that was proven to echo.
const CREDITS: u32 = 16;
/// The lines of other call sites pass.
const MOST_SITES: usize = 4096;
const MOST_WINDOWS: usize = 64;

/// The evidence, which all outputs of a log share.
#[derive(Debug, Default)]
pub(crate) struct Evidence(Mutex<Findings>);

impl Evidence {
    pub(super) fn lock(&self) -> MutexGuard<'_, Findings> {
        sync::lock(&self.0)
    }
}

impl AtFork for Evidence {
    fn rank(&self) -> Rank {
        Rank::Echoes
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut findings = self.lock();
        Box::new(move || findings.reset_in_child())
    }
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Oldest first. They do not overlap.
    windows: VecDeque<Window>,
    /// How many windows there were.
    opened: u64,
    /// By the number of the output.
    outputs: Vec<Deliveries>,
    /// The numbers of outputs that were removed.
    free: Vec<usize>,
    sites: HashMap<Site, Standing, AddressKeys>,
    /// When the last probe began.
    probed: i64,
}

/// A time in which lines may be echoes.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: i64,
    end: i64,
}

/// The windows and batches of one output.
#[derive(Debug)]
struct Deliveries {
    closes: Closing,
    /// The number of the batch that is judged.
    batch: u64,
    /// In how many batches call sites of WARN and ERROR have logged, while they log in windows only.
    loud: HashMap<Site, Count, AddressKeys>,
    /// In how many batches confirmed call sites have used their trust.
    spent: HashMap<Site, Count, AddressKeys>,
}

impl Deliveries {
    fn new() -> Self {
        let closes = Closing { time: i64::MIN, at: Instant::now() };
        Self { closes, batch: 0, loud: HashMap::default(), spent: HashMap::default() }
    }
}

/// When the last window closes, by the clock of the lines and by the system's.
#[derive(Clone, Copy, Debug)]
struct Closing {
    time: i64,
    at: Instant,
}

/// What is known of a call site.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// It has logged in windows only.
    New { proofs: u32, silences: u32, is_early: bool },
    /// It has logged without a delivery. `trust`: for how many batches of each output it is trusted.
    Confirmed { trust: u32, proofs: u32 },
    /// It answers deliveries. `credits`: how many of its lines pass.
    Echo { credits: u32 },
}

/// In how many batches a call site has logged, and the last of them.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    batches: u32,
    batch: u64,
}

/// Whether a record is delivered, rests or is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    /// It may be an echo.
    Suspect(Site),
    Drop,
}

/// Which records have the same fate as the one before, for the same reasons: those of its call site and window.
#[derive(Debug)]
pub(super) struct Repeat {
    meta: &'static Metadata<'static>,
    window: Window,
    pub(super) fate: Fate,
}

impl Repeat {
    #[inline]
    pub(super) fn has_fate_of(&self, entry: &Entry) -> bool {
        let time = entry.time.as_nanos();
        let is_inside = self.window.start < time && time < self.window.end;
        is_inside && matches!(entry.head, Head::Event { meta, is_log: false } if std::ptr::eq(meta, self.meta))
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Exempt,
    /// Logged outside every window.
    Genuine,
    /// Logged inside a window, by a call site that is trusted.
    Trusted,
    Suspect,
    Echo,
}

impl Findings {
    /// Adds an output, and returns its number.
    pub(super) fn add_output(&mut self) -> usize {
        if let Some(number) = self.free.pop() {
            return number;
        }
        self.outputs.push(Deliveries::new());
        self.outputs.len() - 1
    }

    /// Removes an output. The next one gets its number.
    pub(super) fn remove_output(&mut self, number: usize) {
        self.outputs.get_mut(number).into_iter().for_each(|output| *output = Deliveries::new());
        self.free.push(number);
    }

    /// Opens the window of an output, or keeps it open.
    pub(super) fn open(&mut self, output: usize, now: Timestamp) {
        self.close_after(output, now, LONGEST);
    }

    /// Closes the window of an output after the tail.
    pub(super) fn close(&mut self, output: usize, now: Timestamp) {
        self.close_after(output, now, TAIL);
    }

    fn close_after(&mut self, output: usize, now: Timestamp, length: Duration) {
        let time = now.as_nanos();
        self.follow_step_back(time);
        if self.windows.back().is_none_or(|last| last.end < time) {
            self.opened += 1;
            self.windows.push_back(Window { start: time, end: time });
            if self.windows.len() > MOST_WINDOWS {
                self.windows.pop_front();
            }
        }
        if let Some(output) = self.outputs.get_mut(output) {
            output.closes = Closing {
                time: time.saturating_add(length.as_nanos() as i64),
                at: sync::after(Instant::now(), length),
            };
        }
        let end = self.outputs.iter().map(|output| output.closes.time).max();
        if let (Some(last), Some(end)) = (self.windows.back_mut(), end) {
            last.end = end;
        }
    }

    /// After the system's clock has stepped back, no window begins later than now, and none closes later than it could.
    fn follow_step_back(&mut self, now: i64) {
        let Some(last) = self.windows.back_mut().filter(|last| now < last.start) else { return };
        last.start = now;
        self.windows.retain(|window| window.start <= now);
        let latest = now.saturating_add(LONGEST.as_nanos() as i64);
        self.outputs.iter_mut().for_each(|output| output.closes.time = output.closes.time.min(latest));
    }

    /// Returns whether the window of an output is closed.
    pub(super) fn is_closed(&self, output: usize) -> bool {
        self.closing(output).is_none_or(|closing| closing.at <= Instant::now())
    }

    /// Returns until when an answer to the last delivery of an output is prompt.
    pub(super) fn prompt_end(&self, output: usize) -> i64 {
        let tail = (TAIL - PROMPT).as_nanos() as i64;
        self.closing(output).map_or(i64::MIN, |closing| closing.time.saturating_sub(tail))
    }

    /// Returns whether no answer would be prompt any more.
    pub(super) fn is_prompt_over(&self, output: usize) -> bool {
        self.closing(output).is_none_or(|closing| closing.at <= sync::after(Instant::now(), TAIL - PROMPT))
    }

    fn closing(&self, output: usize) -> Option<Closing> {
        self.outputs.get(output).map(|output| output.closes)
    }

    /// Opens the window of an output if all are closed. Returns whether it did.
    pub(super) fn try_open(&mut self, output: usize, now: Timestamp) -> bool {
        let are_closed = (0..self.outputs.len()).all(|output| self.is_closed(output));
        if are_closed {
            self.probed = now.as_nanos();
            self.open(output, now);
        }
        are_closed
    }

    /// A clock that stands still opens no window.
    fn window(&self, time: Timestamp) -> Option<&Window> {
        let time = time.as_nanos();
        self.windows.iter().rev().take_while(|window| time < window.end).find(|window| window.start < time)
    }

    /// Returns which of the next records have the same fate as this one.
    pub(super) fn repeat(&self, mark: &Mark, fate: Fate) -> Option<Repeat> {
        let window =
            self.window(mark.time).filter(|_| !matches!(self.sites.get(&mark.site), Some(Standing::Echo { .. })))?;
        Some(Repeat { meta: mark.meta?, window: *window, fate })
    }

    /// Begins to judge a batch of an output.
    pub(super) fn begin_batch(&mut self, output: usize) {
        self.outputs.get_mut(output).into_iter().for_each(|output| output.batch += 1);
    }

    /// Judges a record of an output's batch.
    pub(super) fn judge(&mut self, output: usize, mark: &Mark) -> (Finding, Fate) {
        if mark.free_batches > 0 && !mark.is_exempt {
            self.count_loud(output, mark);
        }
        let finding = self.find(output, mark);
        let fate = match finding {
            Finding::Exempt => Fate::Pass,
            Finding::Genuine => {
                self.confirm(mark.site);
                Fate::Pass
            }
            Finding::Trusted => {
                self.spend(output, mark.site);
                Fate::Pass
            }
            Finding::Suspect => {
                self.note(mark.site);
                self.forget_silences(mark);
                Fate::Suspect(mark.site)
            }
            Finding::Echo => Fate::Drop,
        };
        (finding, fate)
    }

    /// Returns what a record of an output is.
    pub(super) fn find(&self, output: usize, mark: &Mark) -> Finding {
        let loud = self.outputs.get(output).and_then(|output| output.loud.get(&mark.site));
        if mark.is_exempt || (mark.free_batches > 0 && loud.is_none_or(|loud| loud.batches <= mark.free_batches)) {
            return Finding::Exempt;
        }
        if self.window(mark.time).is_none() {
            return Finding::Genuine;
        }
        match self.sites.get(&mark.site) {
            None if self.sites.len() >= MOST_SITES => Finding::Trusted,
            None | Some(Standing::New { .. }) => Finding::Suspect,
            Some(Standing::Confirmed { trust, .. }) if self.has_trust(output, mark.site, *trust) => Finding::Trusted,
            Some(Standing::Confirmed { .. }) => Finding::Suspect,
            Some(Standing::Echo { credits: 0 }) => Finding::Echo,
            Some(Standing::Echo { .. }) => Finding::Trusted,
        }
    }

    /// Counts a batch for the call site of a WARN or ERROR in a window. A line outside every window ends the count, and
    /// confirms it as that of any line does.
    fn count_loud(&mut self, output: usize, mark: &Mark) {
        if self.window(mark.time).is_none() {
            for output in &mut self.outputs {
                output.loud.remove(&mark.site);
            }
            self.confirm(mark.site);
        } else if let Some(output) = self.outputs.get_mut(output)
            && (output.loud.len() < MOST_SITES || output.loud.contains_key(&mark.site))
        {
            output.loud.entry(mark.site).or_default().add(output.batch);
        }
    }

    /// Returns whether a call site that is trusted for `trust` batches is trusted in the present one of an output.
    fn has_trust(&self, output: usize, site: Site, trust: u32) -> bool {
        let Some(output) = self.outputs.get(output) else { return false };
        output.spent.get(&site).is_none_or(|spent| spent.batches < trust || spent.batch == output.batch)
    }

    /// Notes a call site that logs in a window.
    pub(super) fn note(&mut self, site: Site) {
        let is_early = self.opened <= EARLY_WINDOWS;
        self.sites.entry(site).or_insert(Standing::New { proofs: 0, silences: 0, is_early });
    }

    /// Notes that a call site has logged without a delivery, or not after one.
    pub(super) fn confirm(&mut self, site: Site) {
        if self.sites.len() >= MOST_SITES && !self.sites.contains_key(&site) {
            return;
        }
        let spent = self.outputs.iter_mut().filter_map(|output| output.spent.remove(&site));
        let spent = spent.map(|spent| spent.batches).max().unwrap_or(0);
        let confirmed = Standing::Confirmed { trust: TRUST, proofs: 0 };
        let standing = self.sites.entry(site).or_insert(confirmed);
        match standing {
            Standing::Confirmed { trust, proofs } => {
                if spent >= *trust / 2 {
                    *trust = (*trust * 2).min(MOST_TRUST);
                }
                *proofs = 0;
            }
            Standing::Echo { credits } if *credits + 1 < CREDITS => *credits += 1,
            _ => *standing = confirmed,
        }
    }

    /// Confirms a call site whose line is looked at before its batch is judged.
    pub(super) fn confirm_unless_echo(&mut self, site: Site) {
        if !matches!(self.sites.get(&site), Some(Standing::Echo { .. })) {
            self.confirm(site);
        }
    }

    /// Counts a line of a trusted call site.
    fn spend(&mut self, output: usize, site: Site) {
        match self.sites.get_mut(&site) {
            Some(Standing::Confirmed { .. }) => {
                if let Some(output) = self.outputs.get_mut(output) {
                    output.spent.entry(site).or_default().add(output.batch);
                }
            }
            Some(Standing::Echo { credits }) => *credits = credits.saturating_sub(1),
            _ => {}
        }
    }

    /// Notes that a call site has answered a delivery after a rest. Returns whether it is proven to echo. `is_alone`: no
    /// lines of other call sites came meanwhile.
    pub(super) fn answered(&mut self, site: Site, is_alone: bool) -> bool {
        let Some(standing) = self.sites.get_mut(&site) else {
            self.note(site);
            return false;
        };
        let (proofs, needed) = match standing {
            Standing::New { proofs, .. } if !is_alone => (proofs, PROOFS_AMONG_OTHERS),
            Standing::New { proofs, is_early, .. } => (proofs, if *is_early { 1 } else { PROOFS_IF_LATE }),
            Standing::Confirmed { proofs, .. } => (proofs, PROOFS_IF_CONFIRMED),
            Standing::Echo { .. } => return false,
        };
        *proofs += 1;
        let is_proven = *proofs >= needed;
        if is_proven {
            *standing = Standing::Echo { credits: 0 };
        }
        is_proven
    }

    /// Notes that a call site was silent after a delivery.
    pub(super) fn was_silent(&mut self, site: Site, is_alone: bool) {
        match self.sites.get_mut(&site) {
            Some(Standing::New { silences, .. }) if !is_alone && *silences + 1 < PROOFS_AMONG_OTHERS => *silences += 1,
            _ => self.confirm(site),
        }
    }

    /// Forgets that a call site was silent, if its line came later after the last probe.
    fn forget_silences(&mut self, mark: &Mark) {
        let after_probe = mark.time.as_nanos().saturating_sub(self.probed);
        if let Some(Standing::New { silences, .. }) = self.sites.get_mut(&mark.site)
            && (0..TAIL.as_nanos() as i64).contains(&after_probe)
        {
            *silences = 0;
        }
    }

    /// Returns whether a call site was never confirmed.
    pub(super) fn is_new(&self, site: Site) -> bool {
        matches!(self.sites.get(&site), None | Some(Standing::New { .. }))
    }

    /// Returns whether anything is known of a call site.
    pub(super) fn is_noted(&self, site: Site) -> bool {
        self.sites.contains_key(&site)
    }

    /// Returns how often a call site has answered a delivery.
    pub(super) fn proofs(&self, site: Site) -> u32 {
        match self.sites.get(&site) {
            Some(Standing::New { proofs, .. } | Standing::Confirmed { proofs, .. }) => *proofs,
            _ => 0,
        }
    }

    /// Returns the present fate of an output's suspect.
    pub(super) fn review(&self, output: usize, site: Site) -> Fate {
        match self.sites.get(&site) {
            Some(Standing::Echo { .. }) => Fate::Drop,
            Some(Standing::Confirmed { trust, .. }) if self.has_trust(output, site, *trust) => Fate::Pass,
            _ => Fate::Suspect(site),
        }
    }

    /// Starts afresh, in a forked child. Allocates nothing.
    fn reset_in_child(&mut self) {
        self.windows.clear();
        self.sites.clear();
        self.opened = 0;
        for output in &mut self.outputs {
            output.loud.clear();
            output.spent.clear();
            output.closes.time = i64::MIN;
        }
    }
}

impl Count {
    fn add(&mut self, batch: u64) {
        if self.batch != batch {
            *self = Self { batches: self.batches.saturating_add(1), batch };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges a line of the call site 1 in the next batch of an output.
    fn judged(findings: &mut Findings, output: usize, millis: i64, free_batches: u32) -> Finding {
        let time = Timestamp::from_nanos(millis * 1_000_000);
        findings.begin_batch(output);
        findings.judge(output, &Mark { site: 1, time, is_exempt: false, free_batches, meta: None }).0
    }

    /// Returns findings of three outputs, whose windows are open from 1000 ms to 2000 ms.
    fn three_outputs() -> (Findings, [usize; 3]) {
        let mut findings = Findings::default();
        let outputs = [(); 3].map(|()| findings.add_output());
        for output in outputs {
            findings.open(output, Timestamp::from_nanos(1_000_000_000));
        }
        (findings, outputs)
    }

    #[test]
    fn a_warning_that_three_outputs_deliver_counts_as_one_batch_of_each() {
        for free_batches in [4, 64] {
            let (mut findings, outputs) = three_outputs();
            for batch in 0..i64::from(free_batches) {
                for output in outputs {
                    assert_eq!(judged(&mut findings, output, 1001 + batch, free_batches), Finding::Exempt, "{batch}");
                }
            }
            for output in outputs {
                assert_eq!(judged(&mut findings, output, 1100, free_batches), Finding::Suspect);
            }
            assert_eq!(judged(&mut findings, outputs[0], 900, free_batches), Finding::Exempt);
            for output in outputs {
                assert_eq!(judged(&mut findings, output, 1101, free_batches), Finding::Exempt, "the count is over");
            }
        }
    }

    #[test]
    fn a_line_that_three_outputs_deliver_uses_the_trust_of_one_batch_of_each() {
        let (mut findings, outputs) = three_outputs();
        for trust in [TRUST, 2 * TRUST] {
            for output in outputs {
                assert_eq!(judged(&mut findings, output, 900, 0), Finding::Genuine);
            }
            for batch in 0..i64::from(trust) {
                for output in outputs {
                    assert_eq!(judged(&mut findings, output, 1001 + batch, 0), Finding::Trusted, "{batch} of {trust}");
                }
            }
            for output in outputs {
                assert_eq!(judged(&mut findings, output, 1100, 0), Finding::Suspect);
            }
        }
    }

    /// Two sinks deliver, the clock steps back an hour, and one of the sinks delivers no more.
    #[test]
    fn windows_open_after_the_clock_has_stepped_back() {
        let at = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
        let mut findings = Findings::default();
        let (one, other) = (findings.add_output(), findings.add_output());
        for output in [one, other] {
            findings.open(output, at(7_200_000));
            findings.close(output, at(7_200_001));
        }
        findings.open(one, at(3_600_000));
        findings.close(one, at(3_600_001));
        assert!(findings.window(at(3_600_010)).is_some());
        assert!(findings.window(at(3_604_000)).is_none());
        findings.open(one, at(3_605_000));
        assert!(findings.window(at(3_605_001)).is_some());
    }
}
