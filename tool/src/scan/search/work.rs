//! What threads share: who reads which part, and what was found.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::pieces::Input;
use super::hits::Hits;
use super::indexed::split;
use super::logs::{Log, Rest};
use super::part::{Limits, search};
use super::question::Question;
use crate::report::with_sources;

/// How much of what was found ahead waits, in bytes.
pub(super) const BUDGET_BYTES: usize = 32 << 20;

/// No more parts of a log are read ahead.
const MAX_AHEAD: usize = 16;

/// The most and the least that is taken of a part at once, in bytes.
const MAX_TAKEN_BYTES: usize = 4 << 20;
const MIN_TAKEN_BYTES: usize = 16 << 10;

/// The search, as threads see it.
pub(super) struct Shared {
    question: Question,
    /// How much of what is found in a part is taken at once, in bytes.
    most: usize,
    threads: usize,
    /// Whether nothing more is wanted.
    is_ended: AtomicBool,
    state: Mutex<State>,
    /// There is something to read.
    work: Condvar,
    /// A part has been read.
    found: Condvar,
}

struct State {
    logs: Vec<Log>,
    /// The logs that have parts to be read ahead, in turn.
    turns: VecDeque<usize>,
    /// The log whose next part is waited for.
    awaited: Option<usize>,
    /// The size of what was found and not taken.
    bytes: usize,
}

impl State {
    /// Returns the part that is to be read next.
    fn begin(&mut self, threads: usize) -> Option<(usize, u64, Rest)> {
        let has_room = self.bytes < BUDGET_BYTES;
        let awaited = self.awaited.and_then(|number| {
            let (id, rest) = self.logs.get_mut(number)?.begin(if has_room { MAX_AHEAD } else { threads })?;
            Some((number, id, rest))
        });
        if awaited.is_some() || !has_room {
            return awaited;
        }
        while let Some(number) = self.turns.pop_front() {
            let Some(log) = self.logs.get_mut(number) else { continue };
            let begun = log.begin(MAX_AHEAD);
            log.is_queued = false;
            self.queue(number);
            if let Some((id, rest)) = begun {
                return Some((number, id, rest));
            }
        }
        None
    }

    /// Gives a log a turn, if it has a part to be read ahead.
    fn queue(&mut self, number: usize) {
        if let Some(log) = self.logs.get_mut(number)
            && !log.is_queued
            && log.has_waiting(MAX_AHEAD)
        {
            log.is_queued = true;
            self.turns.push_back(number);
        }
    }
}

impl Shared {
    pub(super) fn new(logs: Vec<Vec<Input>>, question: Question, threads: usize, most: usize) -> Self {
        let mut state =
            State { logs: logs.into_iter().map(Log::new).collect(), turns: VecDeque::new(), awaited: None, bytes: 0 };
        (0..state.logs.len()).for_each(|number| state.queue(number));
        let (work, found) = (Condvar::new(), Condvar::new());
        Self { question, most, threads, is_ended: AtomicBool::new(false), state: Mutex::new(state), work, found }
    }

    #[expect(clippy::disallowed_methods, reason = "the one lock of the threads that search, which ignores poisoning")]
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "the one wait of the threads that search, which ignores poisoning")]
    fn wait<'s>(for_what: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        for_what.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads parts until the search has ended.
    pub(super) fn read_parts(self: &Arc<Self>) {
        while let Some((log, id, rest)) = self.next_part() {
            let turn = Turn { shared: Arc::clone(self), log, id, hits: None, rest: None };
            // The turn reports a panic when it is dropped. Without this thread, nobody might read the other parts.
            let _ = catch_unwind(AssertUnwindSafe(|| self.read(turn, rest)));
        }
    }

    fn read(&self, mut turn: Turn, rest: Rest) {
        let mut hits = Hits::default();
        let rest = match rest {
            Rest::Piece(piece) => {
                let (first, behind) = split(piece, &self.question);
                if !behind.is_empty() {
                    self.add_behind(turn.log, turn.id, behind.into_iter());
                }
                first
            }
            rest => rest,
        };
        let opened = match rest {
            Rest::Open(piece) => Ok(piece),
            Rest::Piece(piece) => piece.open(),
            Rest::Without(hits) => {
                turn.hits = Some(hits);
                return;
            }
        };
        match opened {
            Ok(mut piece) => {
                let limits = Limits { most: self.most, is_ended: &self.is_ended };
                if !search(&mut piece, &self.question, &limits, &mut hits) {
                    turn.rest = Some(piece.rest().map_or_else(|| Rest::Open(piece), Rest::Piece));
                }
            }
            Err(error) => hits.failures.push(with_sources(&error)),
        }
        turn.hits = Some(hits);
    }

    fn next_part(&self) -> Option<(usize, u64, Rest)> {
        let mut state = self.state();
        while !self.is_ended.load(Ordering::Relaxed) {
            if let Some(begun) = state.begin(self.threads) {
                return Some(begun);
            }
            state = Self::wait(&self.work, state);
        }
        None
    }

    fn add_behind(&self, number: usize, id: u64, rests: impl DoubleEndedIterator<Item = Rest>) {
        let mut state = self.state();
        if let Some(log) = state.logs.get_mut(number) {
            log.add_behind(id, rests);
            state.queue(number);
        }
        self.work.notify_all();
    }

    /// Returns what was found in the next part of a log, and waits for it. `None`: there is no further part.
    pub(super) fn take(&self, number: usize) -> Option<Hits> {
        let mut state = self.state();
        loop {
            let log = state.logs.get_mut(number)?;
            if log.is_ended() {
                return None;
            }
            if let Some(hits) = log.take() {
                state.bytes -= hits.size();
                state.awaited = None;
                state.queue(number);
                self.work.notify_all();
                return Some(hits);
            }
            state.awaited = Some(number);
            self.work.notify_all();
            state = Self::wait(&self.found, state);
        }
    }

    /// Returns whether the next part of a log can be taken at once.
    pub(super) fn is_found(&self, number: usize) -> bool {
        self.state().logs.get(number).is_none_or(|log| log.is_ended() || log.is_found())
    }

    /// Lets all threads end.
    pub(super) fn end(&self) {
        // With the lock, so that no thread begins to wait in the meantime.
        let state = self.state();
        self.is_ended.store(true, Ordering::Relaxed);
        self.work.notify_all();
        drop(state);
    }
}

/// Returns how much of what is found in a part of one of several logs is taken at once, in bytes.
pub(super) fn most_taken_bytes(logs: usize) -> usize {
    (BUDGET_BYTES / 2 / logs.max(1)).clamp(MIN_TAKEN_BYTES, MAX_TAKEN_BYTES)
}

/// A part that a thread reads. What was found is passed on when it is dropped, also by a panic.
struct Turn {
    shared: Arc<Shared>,
    log: usize,
    id: u64,
    hits: Option<Hits>,
    rest: Option<Rest>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let hits = self.hits.take().unwrap_or_else(|| {
            let mut none = Hits::default();
            none.failures.push("a thread that reads has panicked; the answer is not complete".to_owned());
            none
        });
        let mut state = self.shared.state();
        state.bytes += hits.size();
        if let Some(log) = state.logs.get_mut(self.log) {
            log.add_behind(self.id, self.rest.take().into_iter());
            log.end(self.id, hits);
        }
        self.shared.found.notify_all();
    }
}
