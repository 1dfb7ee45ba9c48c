//! The one way in: every line passes here on its way to the queues.
//!
//! Events, closing lines, panics and the appender's lines are captured by their callers and [submitted](Outputs::submit)
//! here. Three rules then apply to all of them:
//!
//! 1. A line that a log's own thread logs (from inside a sink, for example) never returns to its own output, and is
//!    never passed on twice. Such lines are counted under [`Reason::OwnThread`]. They also never wait for a queue.
//! 2. The line is pushed to the queue of each output in its mask.
//! 3. An output without a worker is delivered by the calling thread.
//!
//! The first output of a line's mask counts the event for the whole log, so that each event counts once.
//!
//! A mask has one bit for each output: its *place*. The builder's outputs have the first ones, in its order. An output
//! that is added later gets a free place, or that of the output which it replaces.
//!
//! # Changes
//!
//! A mask and the outputs that it means must be of one moment. A call site that was looked up before the first change
//! means the outputs that the log began with, which stay in memory. Logging an event reads them without a check. After a
//! change, call sites carry a flag, and [`Outputs::with`] looks up the mask again beside the outputs of that moment. An
//! output that a late caller still has takes its line although it has ended: the caller then writes the line itself.
//!
//! The alternative was to load the outputs for each event through `arc_swap`. That costs each event of each program some
//! thirty instructions, for a change that few programs make.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::advice::unknown;
use crate::error::Error;
use crate::fork::{AtFork, Paused, Rank};
use crate::metrics::{ByLevel, Reason};
use crate::queue::{Head, Push, Pushed};
use crate::sync;
use crate::values::Timestamp;
use crate::worker::{self, Lane};

/// The outputs of one log.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// Those that the log began with.
    first: Places,
    /// Those that it has now.
    current: ArcSwap<Places>,
    /// How often they were changed.
    changes: AtomicU64,
    /// Those that were removed, and have not ended.
    leaving: Mutex<Leaving>,
    /// A change is over.
    changed: Condvar,
    /// The captured texts of one record are cut to this many bytes.
    max_record_bytes: AtomicUsize,
    /// Whether an output asked for the logging thread.
    wants_thread: AtomicBool,
}

/// Outputs by place.
#[derive(Clone, Debug)]
pub(crate) struct Places(Vec<Option<Arc<Lane>>>);

/// What changes of the outputs have left to do.
#[derive(Debug, Default)]
struct Leaving {
    lanes: Vec<Arc<Lane>>,
    /// The thread that changes the outputs.
    changing: Option<ThreadId>,
    /// A thread waits until the outputs have ended, and releases them.
    has_thread: bool,
    /// The events that released outputs have counted for the log.
    events: ByLevel,
    /// The log has ended: its outputs stay as they are.
    has_ended: bool,
}

/// The right to change the outputs. One thread has it at a time.
#[derive(Debug)]
pub(crate) struct Change<'a>(&'a Outputs);

/// A captured line, before its context is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    pub(crate) bytes: &'a [u8],
}

impl Outputs {
    pub(crate) fn new(lanes: Vec<Arc<Lane>>, max_record_bytes: usize, wants_thread: bool) -> Self {
        let first = Places(lanes.into_iter().map(Some).collect());
        Self {
            current: ArcSwap::from_pointee(first.clone()),
            first,
            changes: AtomicU64::new(0),
            leaving: Mutex::default(),
            changed: Condvar::new(),
            max_record_bytes: AtomicUsize::new(max_record_bytes),
            wants_thread: AtomicBool::new(wants_thread),
        }
    }

    /// Returns the outputs that masks mean which were looked up before the first change.
    #[inline(always)]
    pub(crate) fn first(&self) -> &Places {
        &self.first
    }

    /// Returns whether the outputs were ever changed.
    pub(crate) fn have_changed(&self) -> bool {
        self.changes.load(Ordering::Acquire) != 0
    }

    /// Runs `run` with a mask and the outputs that it means. `look_up` returns the mask by the filters in force.
    pub(crate) fn with<M, T>(&self, look_up: impl Fn() -> M, run: impl FnOnce(&Places, M) -> T) -> T {
        let mask = look_up();
        // New outputs are there before the filters that name them.
        if !self.have_changed() {
            return run(&self.first, mask);
        }
        loop {
            let changes = self.changes.load(Ordering::Acquire);
            let places = self.current.load();
            let mask = look_up();
            if self.changes.load(Ordering::Acquire) == changes {
                return run(&places, mask);
            }
        }
    }

    /// Returns the outputs in order of their places.
    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.current.load().iter().cloned().collect()
    }

    /// Ends the changes of outputs, because the log ends. Returns those that have not ended.
    pub(crate) fn end(&self) -> Vec<Arc<Lane>> {
        sync::lock(&self.leaving).has_ended = true;
        self.lanes_to_end()
    }

    /// Returns all outputs that have not ended, also those that were removed.
    pub(crate) fn lanes_to_end(&self) -> Vec<Arc<Lane>> {
        let leaving = self.leaving();
        let current = self.lanes();
        let is_elsewhere = |lane: &Arc<Lane>| !current.iter().any(|other| Arc::ptr_eq(lane, other));
        let works = |lane: &Arc<Lane>| lane.queue.has_worker();
        leaving.into_iter().filter(is_elsewhere).filter(works).chain(current.iter().cloned()).collect()
    }

    #[inline]
    pub(crate) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn wants_thread(&self) -> bool {
        self.wants_thread.load(Ordering::Relaxed)
    }

    /// Returns the names of the outputs, in the order of their places.
    pub(crate) fn names(&self) -> Vec<String> {
        self.current.load().iter().map(|lane| lane.name.clone()).collect()
    }

    /// Returns the place of the output with this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn place_of(&self, name: &str) -> Result<usize, Error> {
        let places = self.current.load();
        let names = places.iter().map(|lane| lane.name.as_str());
        places.place_of(name).ok_or_else(|| Error::invalid(unknown("output", name, names, &[])))
    }

    /// Complains about the use of the log, not about an output.
    #[cold]
    pub(crate) fn complain(&self, reason: &str, text: impl FnOnce() -> String) {
        if let Some(lane) = self.first.iter().next() {
            lane.complaints.say(reason, &text());
        }
    }

    /// Waits until no other thread changes the outputs, and begins a change.
    ///
    /// # Errors
    /// The log has ended, or this thread belongs to the log, or it changes the outputs already: a sink that is opened may
    /// not change them.
    pub(crate) fn change(&self) -> Result<Change<'_>, Error> {
        if worker::own_lane().is_some() {
            return Err(Error::own_thread("a thread of the log cannot change the log's outputs"));
        }
        let own = std::thread::current().id();
        let mut leaving = sync::lock(&self.leaving);
        while let Some(thread) = leaving.changing {
            if thread == own {
                return Err(Error::own_thread(
                    "the outputs are being changed by this thread, which opens a sink for it",
                ));
            }
            leaving = sync::wait(&self.changed, leaving);
        }
        leaving.check_end()?;
        leaving.changing = Some(own);
        Ok(Change(self))
    }

    /// Returns the outputs that were removed, and are not released.
    pub(crate) fn leaving(&self) -> Vec<Arc<Lane>> {
        sync::lock(&self.leaving).lanes.clone()
    }

    /// Returns whether there are such outputs, and no thread that releases them. The caller becomes it.
    pub(crate) fn begin_to_release(&self) -> bool {
        let mut leaving = sync::lock(&self.leaving);
        !leaving.lanes.is_empty() && !std::mem::replace(&mut leaving.has_thread, true)
    }

    /// No thread can release them now.
    pub(crate) fn cannot_release(&self) {
        sync::lock(&self.leaving).has_thread = false;
    }

    /// Forgets removed outputs for which `is_over` holds. Returns whether there are others; otherwise, the thread that
    /// releases them has to end.
    pub(crate) fn release(&self, mut is_over: impl FnMut(&Arc<Lane>) -> bool) -> bool {
        let mut leaving = sync::lock(&self.leaving);
        let Leaving { lanes, events, .. } = &mut *leaving;
        for lane in lanes.extract_if(.., |lane| is_over(lane)) {
            *events = events.plus(lane.queue.metrics().0.events);
        }
        leaving.has_thread = !leaving.lanes.is_empty();
        leaving.has_thread
    }

    /// Returns the outputs, and the events that removed ones have counted for the log, both of one moment.
    pub(crate) fn lanes_and_past_events(&self) -> (Vec<Arc<Lane>>, ByLevel) {
        let leaving = sync::lock(&self.leaving);
        let past = leaving.lanes.iter().fold(leaving.events, |events, lane| events.plus(lane.queue.metrics().0.events));
        (self.lanes(), past)
    }
}

impl Change<'_> {
    /// Returns the outputs as they are now.
    pub(crate) fn places(&self) -> Places {
        Places::clone(&self.0.current.load())
    }

    /// Makes room for the records of new outputs. Their queue holds `queue_bytes`.
    pub(crate) fn allow(&self, queue_bytes: usize, wants_thread: bool) {
        self.0.max_record_bytes.fetch_min(queue_bytes / 2, Ordering::Relaxed);
        self.0.wants_thread.fetch_or(wants_thread, Ordering::Relaxed);
    }

    /// Replaces the outputs. The end of those that are no longer there has to be begun, and then their
    /// [release](Outputs::release).
    ///
    /// The filters follow: they may name a new output only after this call, and no longer a removed one before it.
    ///
    /// # Errors
    /// The log has ended meanwhile. Nothing has changed.
    pub(crate) fn store(&self, places: &Places) -> Result<(), Error> {
        let mut leaving = sync::lock(&self.0.leaving);
        leaving.check_end()?;
        let before = self.0.current.swap(Arc::new(places.clone()));
        self.0.changes.fetch_add(1, Ordering::Release);
        let is_gone = |lane: &&Arc<Lane>| !places.iter().any(|other| Arc::ptr_eq(lane, other));
        leaving.lanes.extend(before.iter().filter(is_gone).cloned());
        Ok(())
    }
}

impl Leaving {
    fn check_end(&self) -> Result<(), Error> {
        match self.has_ended {
            true => Err(Error::closed("the log has ended, so its outputs stay as they are")),
            false => Ok(()),
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        sync::lock(&self.0.leaving).changing = None;
        self.0.changed.notify_one();
    }
}

/// A child has only the thread that forked: no change is under way, and what was to leave has the parent's lines.
impl AtFork for Outputs {
    fn rank(&self) -> Rank {
        Rank::Outputs
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut leaving = sync::lock(&self.leaving);
        Box::new(move || *leaving = Leaving { has_ended: leaving.has_ended, ..Leaving::default() })
    }
}

impl Places {
    /// Returns the outputs in order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Lane>> + Clone {
        self.0.iter().flatten()
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Arc<Lane>> {
        self.0.get(place)?.as_ref()
    }

    /// Puts an output into a place, or none; the places before it exist.
    pub(crate) fn set(&mut self, place: usize, lane: Option<Arc<Lane>>) {
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        if let Some(at) = self.0.get_mut(place) {
            *at = lane;
        }
    }

    /// Returns the place of the output with this name.
    pub(crate) fn place_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|lane| lane.as_ref().is_some_and(|lane| lane.name == name))
    }

    /// Returns the first place behind all outputs.
    pub(crate) fn end(&self) -> usize {
        self.0.len()
    }

    /// Passes each output in a mask to `count`, and whether it is the first, which counts the event for the log.
    pub(crate) fn count(&self, mask: u64, mut count: impl FnMut(&Lane, bool)) {
        self.in_mask(mask).enumerate().for_each(|(place, lane)| count(lane, place == 0));
    }

    /// Returns the outputs in a mask, each with its bit.
    #[inline]
    fn bits(&self, mask: u64) -> impl Iterator<Item = (usize, &Arc<Lane>)> {
        let wanted = self.0.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1);
        wanted.filter_map(|(bit, lane)| Some((bit, lane.as_ref()?)))
    }

    /// Returns the outputs in a mask.
    #[inline]
    pub(crate) fn in_mask(&self, mask: u64) -> impl Iterator<Item = &Arc<Lane>> {
        self.bits(mask).map(|(_, lane)| lane)
    }

    /// Submits a line to the outputs in `mask`, and returns the outputs that the caller has to [deliver](Self::deliver).
    ///
    /// `push` adds the context and calls [`push`](Self::push), or what does more for lines of its kind.
    #[inline(always)]
    #[must_use = "these outputs have no worker"]
    pub(crate) fn submit<'a>(&self, mut mask: u64, line: Line<'a>, push: impl FnOnce(u64, Push<'a>) -> u64) -> u64 {
        let is_own = worker::own_lane().is_some();
        let Line { head, time, bytes } = line;
        if is_own {
            mask = self.refuse_own(mask, &line);
        }
        push(mask, Push { head, time, bytes, context: None, may_wait: !is_own })
    }

    /// Pushes to each output in `mask`, and returns the outputs that the caller has to deliver.
    #[inline]
    pub(crate) fn push(&self, mask: u64, push: Push<'_>) -> u64 {
        self.push_by(mask, |lane, is_first| lane.queue.push(push, is_first))
    }

    /// Pushes by `push` to each output in `mask`, and returns the outputs that the caller has to deliver. `push` learns
    /// whether the output is the first.
    #[inline]
    pub(crate) fn push_by(&self, mask: u64, push: impl Fn(&Lane, bool) -> Pushed) -> u64 {
        let mut to_deliver = 0;
        let mut is_first = true;
        for (bit, lane) in self.bits(mask) {
            if push(lane, is_first) == Pushed::DeliverYourself {
                to_deliver |= 1 << bit;
            }
            is_first = false;
        }
        to_deliver
    }

    /// Writes what is queued for the outputs in `mask`, on this thread.
    #[inline]
    pub(crate) fn deliver(&self, mask: u64) {
        if mask != 0 {
            self.in_mask(mask).for_each(|lane| {
                lane.deliver_here();
                lane.complain_of_end();
            });
        }
    }

    /// On a thread of the log: returns the outputs in `mask` that may take the line. The others count it as lost.
    #[cold]
    fn refuse_own(&self, mask: u64, line: &Line<'_>) -> u64 {
        let refuses = self.bits(mask).filter(|(_, lane)| lane.refuses_own());
        let refusing = refuses.fold(0, |refusing, (bit, _)| refusing | 1 << bit);
        let others = mask & !refusing;
        self.count(refusing, |lane, is_first| {
            // The event counts in an output that takes it, if there is one.
            lane.queue.refuse(Reason::OwnThread, line.head.level(), 1, line.time, is_first && others == 0);
        });
        others
    }
}
