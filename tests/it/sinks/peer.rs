//! A sink that hands lines over to a scripted peer, and what the tests ask of its books.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spanline::metrics::{Metrics, OutputMetrics};
use spanline::sink::{Control, Lines, Next, Profile, Sink};
use spanline::{Error, Guard, Handle, Output};
use tracing::{Dispatch, Level};

use crate::support::faults::{built, within};
use crate::support::ledger::{LEVELS, log};
use crate::support::wait::{PATIENCE, until};

/// What the sink does in one call, one step after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Hands over this number of lines, or all.
    HandOver(usize),
    /// Hands over this number of bytes.
    HandOverBytes(usize),
    /// Writes this number of lines at once.
    Write(usize),
    /// Writes this number of bytes at once.
    WriteBytes(usize),
    /// Acknowledges the lines in flight at these places.
    Acknowledge(Vec<usize>),
    AcknowledgeAll,
    GiveBack(Vec<usize>),
    GiveBackAll,
    /// Rejects the line in flight at this place.
    Reject(usize),
    /// Rejects the offered line at this place.
    RejectOffered(usize),
    /// Moves this number of offered lines to a spool.
    Spool(usize),
    /// Finds this number of lines in the spool, of an earlier process.
    TakeOver(Level, u64),
    /// Writes what is in the spool, or loses it.
    Unspool(bool),
    /// Ends the call.
    End(End),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Done,
    More,
    Later(u64),
    Retry,
    Rejected,
    Closed,
    Panic,
}

/// What the peer has. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    script: VecDeque<Step>,
    /// Once the script has ended.
    pub(crate) always: Vec<Step>,
    /// Each time that a line reached the peer: its number.
    pub(crate) received: Vec<u64>,
    /// What was written in bytes, whole lines or not.
    part: Vec<u8>,
    /// By id: the level, and the number of a line that was whole.
    spool: BTreeMap<u64, (Level, Option<u64>)>,
    pub(crate) calls: u64,
    pub(crate) controls: Vec<Control>,
    pub(crate) waker: Option<std::task::Waker>,
    /// How often the sink fails to open.
    pub(crate) open_failures: u32,
    pub(crate) batch: Option<(usize, usize, Duration)>,
    /// Lines and bytes of each offer.
    pub(crate) offers: Vec<(usize, usize)>,
}

impl Peer {
    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The next calls do this.
    pub(crate) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.with(|state| state.script.extend(steps));
    }

    /// Ends the script, whatever is left of it.
    pub(crate) fn end_script(&self) {
        self.with(|state| state.script.clear());
    }

    pub(crate) fn always(&self, steps: impl IntoIterator<Item = Step>) {
        self.with(|state| state.always = steps.into_iter().collect());
    }

    pub(crate) fn calls(&self) -> u64 {
        self.with(|state| state.calls)
    }

    pub(crate) fn received(&self) -> Vec<u64> {
        self.with(|state| state.received.clone())
    }

    /// Has the worker call the sink.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.with(|state| state.waker.clone()) {
            waker.wake();
        }
    }

    pub(crate) fn output(&self) -> Output {
        Output::new(PeerSink(self.clone())).name("out")
    }
}

struct PeerSink(Peer);

/// The number of a line; `None` for a notice, and for what is left of a line.
fn seq(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(line).ok()?["seq"].as_u64()
}

impl State {
    /// Takes `bytes` of what is offered.
    fn take(&mut self, lines: &Lines, bytes: usize) -> usize {
        let mut left = bytes;
        for line in lines.iter() {
            let piece = &line.bytes[..left.min(line.bytes.len())];
            self.part.extend_from_slice(piece);
            left -= piece.len();
            if self.part.ends_with(b"\n") {
                let whole = std::mem::take(&mut self.part);
                self.received.extend(seq(whole.strip_suffix(b"\n").unwrap()));
            }
            if left == 0 {
                break;
            }
        }
        bytes - left
    }

    fn step(&mut self, step: Step, lines: &mut Lines) -> Option<End> {
        let length = |lines: &Lines, count: usize| lines.iter().take(count).map(|line| line.bytes.len()).sum();
        let ids = |lines: &Lines| lines.iter_in_flight().map(|line| line.id).collect::<Vec<_>>();
        match step {
            Step::HandOver(count) => {
                let taken = self.take(lines, length(lines, count));
                lines.hand_over(taken);
            }
            Step::HandOverBytes(bytes) => {
                let taken = self.take(lines, bytes);
                lines.hand_over(taken);
            }
            Step::Write(count) => {
                let taken = self.take(lines, length(lines, count));
                lines.advance(taken);
            }
            Step::WriteBytes(bytes) => {
                let taken = self.take(lines, bytes);
                lines.advance(taken);
            }
            Step::Acknowledge(places) => {
                let ids = ids(lines);
                places.iter().filter_map(|at| ids.get(*at)).for_each(|id| lines.acknowledge(*id..=*id));
            }
            Step::AcknowledgeAll => lines.acknowledge(..),
            Step::GiveBack(places) => {
                let ids = ids(lines);
                places.iter().filter_map(|at| ids.get(*at)).for_each(|id| lines.give_back(*id..=*id));
                self.part.clear();
            }
            Step::GiveBackAll => {
                lines.give_back(..);
                self.part.clear();
            }
            Step::Reject(at) => {
                if let Some(id) = ids(lines).get(at) {
                    lines.reject(*id..=*id, "refused by name");
                }
            }
            Step::RejectOffered(at) => {
                let id = lines.iter().nth(at).map(|line| line.id);
                if let Some(id) = id {
                    lines.reject(id..=id, "refused by name");
                }
            }
            Step::Spool(count) => {
                let offered = lines.iter().take(count);
                let taken: Vec<_> = offered.map(|line| (line.id, line.level, seq(line.bytes))).collect();
                for (id, level, seq) in taken {
                    // No book counts a notice, nor the rest of a line that was dropped.
                    if lines.spool(id..=id).total() > 0 {
                        self.spool.insert(id, (level, seq));
                    }
                }
                self.part.clear();
            }
            Step::TakeOver(level, count) => {
                lines.take_over(level, count);
                let ids = u64::MAX - self.spool.len() as u64 - count..u64::MAX - self.spool.len() as u64;
                self.spool.extend(ids.map(|id| (id, (level, None))));
            }
            Step::Unspool(is_written) => {
                for (_, (level, seq)) in std::mem::take(&mut self.spool) {
                    if is_written {
                        self.received.extend(seq);
                        lines.spooled_written(level, 1, 1);
                    } else {
                        let time = spanline::record::Timestamp::from_nanos(0);
                        lines.spooled_dropped(spanline::metrics::Reason::Rejected, level, 1, time);
                    }
                }
            }
            Step::End(end) => return Some(end),
        }
        None
    }
}

impl Sink for PeerSink {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let end = self.0.with(|state| {
            state.calls += 1;
            state.waker = Some(lines.waker());
            state.offers.push((lines.iter().count(), lines.iter().map(|line| line.bytes.len()).sum()));
            let mut end = None;
            while end.is_none()
                && let Some(step) = state.script.pop_front()
            {
                end = state.step(step, lines);
            }
            for step in state.always.clone() {
                if end.is_none() {
                    end = state.step(step, lines);
                }
            }
            end.unwrap_or(End::Done)
        });
        match end {
            End::Done => Ok(Next::Done),
            End::More => Ok(Next::More),
            End::Later(ms) => Ok(Next::Later(Instant::now() + Duration::from_millis(ms))),
            // A peer that is connected to anew knows nothing of half a line.
            End::Retry => Err(Error::retry("not now")),
            End::Rejected => Err(Error::rejected("one of these is bad")),
            End::Closed => Err(Error::closed("gone")),
            End::Panic => crate::support::faults::panic_quietly(),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.with(|state| {
            state.controls.push(control);
            if control == Control::Open && state.open_failures > 0 {
                state.open_failures -= 1;
                return Err(Error::retry("nobody there"));
            }
            Ok(())
        })
    }

    fn profile(&self) -> Profile {
        let profile = Profile::new("peer");
        match self.0.with(|state| state.batch) {
            Some((lines, bytes, linger)) => profile.batch(lines, bytes, linger),
            None => profile,
        }
    }
}

/// A log whose only output is a peer.
pub(crate) struct Stage {
    pub(crate) peer: Peer,
    pub(crate) dispatch: Dispatch,
    pub(crate) guard: Guard,
    pub(crate) handle: Handle,
}

impl Stage {
    pub(crate) fn new(peer: Peer) -> Self {
        Self::of(peer, |output| output)
    }

    pub(crate) fn of(peer: Peer, with: impl FnOnce(Output) -> Output) -> Self {
        let builder = spanline::builder().filter("trace").on_complaint(|_| {}).output(with(peer.output()));
        let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_millis(500), PATIENCE));
        let handle = guard.handle();
        Self { peer, dispatch, guard, handle }
    }

    /// Logs lines with these numbers.
    pub(crate) fn log(&self, numbers: std::ops::Range<u64>) {
        within(&self.dispatch, || numbers.for_each(|seq| log(LEVELS[seq as usize % 5], 0, seq)));
    }

    /// The books, which balance.
    #[track_caller]
    pub(crate) fn books(&self) -> OutputMetrics {
        balanced(&self.handle.metrics())
    }

    /// Waits until the books, which balance all the time, have what is asked for.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, fact: impl Fn(&OutputMetrics) -> bool) {
        until(what, || fact(&self.books()));
    }
}

/// The books of the only output, which balance.
#[track_caller]
pub(crate) fn balanced(metrics: &Metrics) -> OutputMetrics {
    let output = &metrics.outputs[0];
    for level in LEVELS {
        let come = output.emitted.level(level) + output.taken_over.level(level);
        let dropped: u64 = output.dropped.reasons().map(|(_, by_level)| by_level.level(level)).sum();
        let kept = [output.queued, output.in_flight, output.held_back, output.spooled];
        let gone: u64 = [output.written, output.filtered].iter().chain(&kept).map(|count| count.level(level)).sum();
        assert_eq!(come, dropped + gone, "{level}: {output:#?}");
    }
    output.clone()
}
