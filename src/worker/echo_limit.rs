//! The amplification limit of one output: one logged line leads to at most two lines in it.
//!
//! A sink's client may log on threads of the program, under targets that no profile names. Then each delivered line can
//! cause the next one, without end. The limit detects this by experiment.
//!
//! - Suspects behind the last genuine line of a batch *rest*: nothing is delivered until no suspect has come for a while.
//! - Then a *probe* delivers the first suspect, and flushes it.
//! - A call site that logs again right after the probe, and is silent afterwards, is proven to echo. Its lines are
//!   dropped.
//! - If no call site answers, all suspects are confirmed. If other lines came meanwhile, that takes several probes.
//!
//! In doubt, lines pass: the first of WARN and ERROR, lines that a caller waits for, lines of a queue that fills up, and
//! lines that have rested for too long. A call site that the program uses, too, is proven late: at first, the client's
//! lines pass for some batches. See [`Evidence`] for what counts as evidence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::evidence::{Evidence, Fate, Finding, Findings, LONGEST, Repeat, TAIL};
use super::mark::{Mark, Site};
use crate::queue::{Batch, MOST_SHOWN};
use crate::record::Timestamp;

/// A rest is longer than a window by this, so that a call site that logs regularly also logs during a rest.
const MARGIN: Duration = Duration::from_millis(15);
/// Beside confirmed call sites, rests have several lengths, in turn. A call site that logs regularly answers after only
/// one of them.
const STEP: Duration = Duration::from_millis(20);
const STEPS: u32 = 3;
/// Other lines do not wait longer for a verdict.
const LONGEST_AMONG_OTHERS: Duration = Duration::from_millis(150);
/// A longer delivery does not make the rest longer.
const LONGEST_DELIVERY: Duration = Duration::from_millis(400);

/// One output's limit.
#[derive(Debug)]
pub(super) struct EchoLimit {
    evidence: Arc<Evidence>,
    /// Its number in the evidence.
    output: usize,
    /// Lines may come from a flight recorder.
    holds_back: bool,
    /// When the delivery under way began.
    began: Option<Instant>,
    /// How long the last delivery took.
    length: Duration,
    /// One for each record of the batch.
    fates: Vec<Fate>,
    /// The first record that is not delivered.
    next: usize,
    /// The record before which the batch rests.
    rests_at: Option<usize>,
    /// The next suspect is a probe.
    is_probing: bool,
    company: Company,
    /// How many of the pending records were looked at.
    pub(super) seen: usize,
    has_complained: bool,
}

/// Records that have the same fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) length: usize,
    pub(super) is_dropped: bool,
    /// The last one is a probe.
    pub(super) is_probe: bool,
}

/// Which lines came during an experiment, besides those that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Company {
    /// None but lines of call sites that were never confirmed.
    Alone,
    /// Lines of call sites that were confirmed, and are suspects again.
    Known,
    /// Lines that are no suspects.
    Others,
}

/// How an experiment goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    GoOn,
    /// The rest is over, or all answers to the probe have come.
    Probe,
    /// Without a verdict.
    Pass,
}

/// A rest under way.
#[derive(Debug)]
pub(super) struct Rest {
    begun: Instant,
    /// When the last suspect came.
    suspect_came: Instant,
    /// The rest is longer by this.
    extra: Duration,
}

impl Rest {
    /// `is_first`: no probe of this batch came before. Others may go first otherwise.
    pub(super) fn begin(is_first: bool) -> Self {
        let now = Instant::now();
        Self { begun: now, suspect_came: now, extra: if is_first { Duration::ZERO } else { 2 * MARGIN } }
    }
}

impl Drop for EchoLimit {
    fn drop(&mut self) {
        self.evidence.lock().remove_output(self.output);
    }
}

impl EchoLimit {
    pub(super) fn new(evidence: Arc<Evidence>, holds_back: bool) -> Self {
        let output = evidence.lock().add_output();
        Self {
            evidence,
            output,
            holds_back,
            began: None,
            length: Duration::ZERO,
            fates: Vec::new(),
            next: 0,
            rests_at: None,
            is_probing: false,
            company: Company::Alone,
            seen: 0,
            has_complained: false,
        }
    }

    /// Starts afresh, in a forked child. The evidence does so by itself.
    pub(super) fn begin_anew(&mut self) {
        self.began = None;
        self.fates.clear();
        (self.next, self.rests_at, self.is_probing) = (0, None, false);
    }

    pub(super) fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// The sink is about to be called.
    pub(super) fn call_begins(&mut self, now: Timestamp) {
        self.evidence.lock().open(self.output, now);
    }

    /// The sink has returned. The window stays open while lines are in flight.
    pub(super) fn call_ends(&mut self, now: Timestamp, in_flight: usize) {
        if in_flight == 0 {
            self.evidence.lock().close(self.output, now);
        }
    }

    /// Measures deliveries, from the call of the sink until nothing is in flight.
    pub(super) fn measure(&mut self, call_began: Instant, in_flight: usize) {
        let began = *self.began.get_or_insert(call_began);
        if in_flight == 0 {
            self.length = began.elapsed().min(LONGEST_DELIVERY);
            self.began = None;
        }
    }

    /// Adds the time that the sink has taken to flush what was delivered.
    pub(super) fn measure_flush(&mut self, length: Duration) {
        if self.began.is_none() {
            self.length = (self.length + length).min(LONGEST_DELIVERY);
        }
    }

    /// Judges all records of a batch. `may_rest`: nobody waits for them. A flood passes, so that its lines cost nothing here.
    ///
    /// Records up to the last genuine one are delivered at once. Suspects behind it rest, with what is behind them.
    pub(super) fn judge(&mut self, batch: &Batch, may_rest: bool) {
        self.fates.clear();
        (self.next, self.rests_at, self.seen, self.is_probing) = (0, None, 0, false);
        let mut findings = self.evidence.lock();
        findings.begin_batch(self.output);
        if batch.len() > MOST_SHOWN {
            return;
        }
        let mut repeat: Option<Repeat> = None;
        let (mut first_suspect, mut company, mut is_new) = (None, Company::Alone, false);
        for (entry, bytes) in batch.records() {
            if let Some(repeat) = repeat.as_ref().filter(|repeat| repeat.has_fate_of(entry)) {
                self.fates.push(repeat.fate);
                continue;
            }
            let mark = Mark::of(entry, bytes, self.holds_back);
            let (finding, fate) = findings.judge(self.output, &mark);
            repeat = findings.repeat(&mark, fate).filter(|_| !self.holds_back);
            match finding {
                Finding::Exempt | Finding::Genuine => {
                    (first_suspect, company, is_new) = (None, Company::Alone, false);
                }
                Finding::Trusted => company = Company::Others,
                Finding::Suspect => {
                    first_suspect = first_suspect.or(Some(self.fates.len()));
                    company = company.max(Company::of_suspect(&findings, mark.site));
                    is_new |= findings.is_new(mark.site);
                }
                Finding::Echo => {}
            }
            self.fates.push(fate);
        }
        self.company = company;
        self.rests_at = first_suspect.filter(|_| may_rest && (is_new || company < Company::Others));
    }

    /// Returns whether the next record is to rest now.
    pub(super) fn begins_rest(&mut self) -> bool {
        self.rests_at.take_if(|at| *at == self.next).is_some()
    }

    /// Takes the next records that have the same fate, at most `most`.
    pub(super) fn take_run(&mut self, most: usize) -> Run {
        let most = self.rests_at.map_or(most, |at| most.min(at - self.next));
        let rest = self.fates.get(self.next..).unwrap_or_default();
        let rest = rest.get(..most).unwrap_or(rest);
        let is_dropped = rest.first() == Some(&Fate::Drop);
        let length = rest.iter().take_while(|fate| (**fate == Fate::Drop) == is_dropped).count();
        let probe = rest.iter().take(length).position(|fate| self.is_probing && matches!(fate, Fate::Suspect(_)));
        let length = probe.map_or(length, |probe| probe + 1);
        self.next += length;
        // Records that were not judged pass.
        Run { length: if length == 0 { most } else { length }, is_dropped, is_probe: probe.is_some() }
    }

    /// Hears what was logged while the batch rests. `now`: by the clock of the lines.
    pub(super) fn hear(&mut self, marks: &[Mark], rest: &mut Rest, now: Timestamp) -> Course {
        let mut findings = self.evidence.lock();
        for mark in marks {
            match findings.find(self.output, mark) {
                Finding::Exempt => return Course::Pass,
                Finding::Genuine => {
                    self.company = Company::Others;
                    findings.confirm_unless_echo(mark.site);
                }
                Finding::Trusted => self.company = Company::Others,
                Finding::Suspect => {
                    findings.note(mark.site);
                    self.company = self.company.max(Company::of_suspect(&findings, mark.site));
                    if suspects(&self.fates, self.next).any(|site| site == mark.site) {
                        rest.suspect_came = Instant::now();
                    }
                }
                Finding::Echo => {}
            }
        }
        review(&findings, self.output, &mut self.fates, self.next);
        let Some(first) = suspects(&self.fates, self.next).next() else { return Course::Pass };
        let step =
            if self.company == Company::Alone { Duration::ZERO } else { STEP * (findings.proofs(first) % STEPS) };
        let quiet = self.quiet() + rest.extra + step;
        if rest.suspect_came.elapsed() >= quiet && findings.try_open(self.output, now) {
            self.is_probing = true;
            return Course::Probe;
        }
        let longest = if self.company == Company::Others { LONGEST_AMONG_OTHERS } else { LONGEST };
        if rest.begun.elapsed() >= longest {
            let is_alone = self.company == Company::Alone;
            suspects(&self.fates, self.next).for_each(|site| findings.was_silent(site, is_alone));
            return Course::Pass;
        }
        Course::GoOn
    }

    /// How long a rest is at least: longer than a window.
    fn quiet(&self) -> Duration {
        TAIL + self.length + MARGIN
    }

    /// Hears what was logged since the probe. `answers`: the suspects among them. Returns [`Course::Probe`] when it is over.
    ///
    /// A call site that has answered before is watched for longer. If it logs regularly, it does so again, although nothing
    /// was delivered.
    pub(super) fn hear_answers(&mut self, marks: &[Mark], since: Instant, answers: &mut Vec<Mark>) -> Course {
        let mut findings = self.evidence.lock();
        for mark in marks {
            match findings.find(self.output, mark) {
                Finding::Exempt => return Course::Pass,
                Finding::Genuine => {
                    self.company = Company::Others;
                    findings.confirm_unless_echo(mark.site);
                    answers.retain(|answer| answer.site != mark.site);
                }
                Finding::Trusted => self.company = Company::Others,
                Finding::Suspect => {
                    self.company = self.company.max(Company::of_suspect(&findings, mark.site));
                    if answers.iter().all(|known| known.site != mark.site) {
                        answers.push(*mark);
                    }
                }
                Finding::Echo => {}
            }
        }
        let rests = 2 * self.length + self.quiet() + TAIL + TAIL + MARGIN;
        let is_over = match self.company {
            _ if since.elapsed() >= LONGEST => true,
            Company::Alone if answers.iter().any(|answer| findings.is_noted(answer.site)) => since.elapsed() >= rests,
            Company::Alone => findings.is_closed(self.output),
            Company::Known | Company::Others => findings.is_prompt_over(self.output),
        };
        if is_over { Course::Probe } else { Course::GoOn }
    }

    /// Draws the conclusion of a probe. Returns the first call site that is proven to echo by it.
    pub(super) fn conclude(&mut self, answers: &[Mark]) -> Option<Mark> {
        self.is_probing = false;
        let is_alone = self.company == Company::Alone;
        let mut findings = self.evidence.lock();
        let prompt_end = findings.prompt_end(self.output);
        let mut prompt = answers.iter().filter(|answer| is_alone || answer.time.as_nanos() <= prompt_end).peekable();
        if prompt.peek().is_none() {
            let probe = self.next.saturating_sub(1);
            suspects(&self.fates, probe).for_each(|site| findings.was_silent(site, is_alone));
            return None;
        }
        let mut proven = None;
        for answer in prompt {
            if findings.answered(answer.site, is_alone) {
                proven = proven.or(Some(*answer));
            }
        }
        review(&findings, self.output, &mut self.fates, self.next);
        proven
    }

    /// Ends an experiment without a verdict.
    pub(super) fn abandon_probe(&mut self) {
        self.is_probing = false;
    }

    /// Confirms the call sites of all suspects.
    pub(super) fn confirm_suspects(&self) {
        let mut findings = self.evidence.lock();
        suspects(&self.fates, self.next).for_each(|site| findings.confirm(site));
    }

    pub(super) fn has_suspects(&self) -> bool {
        suspects(&self.fates, self.next).next().is_some()
    }

    /// Returns whether this is the first complaint.
    pub(super) fn may_complain(&mut self) -> bool {
        !std::mem::replace(&mut self.has_complained, true)
    }
}

impl Company {
    /// Returns the company that a suspect's line is.
    fn of_suspect(findings: &Findings, site: Site) -> Self {
        if findings.is_new(site) { Self::Alone } else { Self::Known }
    }
}

/// Looks again at the suspects from the record `next` on.
fn review(findings: &Findings, output: usize, fates: &mut [Fate], next: usize) {
    for fate in fates.iter_mut().skip(next) {
        if let Fate::Suspect(site) = *fate {
            *fate = findings.review(output, site);
        }
    }
}

/// Returns the call sites of suspects from the record `next` on.
fn suspects(fates: &[Fate], next: usize) -> impl Iterator<Item = Site> {
    fates.iter().skip(next).filter_map(|fate| match fate {
        Fate::Suspect(site) => Some(*site),
        _ => None,
    })
}
