//! The lock around an engine, for which a fork waits.
//!
//! Its holder may be in the middle of a write, for as long as the sink takes. So a fork waits for a limited time.
//! An engine that it does not get cannot be used in the child.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::own_thread::own_lane;
use crate::fork::{self, AtFork, Paused, Rank};
use crate::sync;

/// How long a fork waits for all writes under way. A late child is better than one that cannot use an output, even on a
/// machine that is too busy to finish a write.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a fork waits for an output that an earlier fork did not get. A program that forks often beside a slow sink
/// waits for it once.
const PATIENCE_WITH_SLOW: Duration = Duration::from_millis(10);
/// How often a fork tries to take the lock.
const NAP: Duration = Duration::from_micros(100);

/// The last fork got the engine.
const NEVER_STUCK: u64 = u64::MAX;

/// An engine behind its lock.
#[derive(Debug)]
pub(super) struct EngineLock {
    engine: Mutex<Engine>,
    lane: usize,
    /// How often the lock was taken.
    turns: AtomicU64,
    /// The turn for whose end the last fork did not wait.
    stuck_turn: AtomicU64,
    /// This is a forked child whose parent held the engine.
    is_lost: AtomicBool,
}

impl EngineLock {
    pub(super) fn new(lane: usize, engine: Engine) -> Self {
        Self {
            engine: Mutex::new(engine),
            lane,
            turns: AtomicU64::new(0),
            stuck_turn: AtomicU64::new(NEVER_STUCK),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Takes the engine; not while a fork wants it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Engine> {
        fork::let_pass();
        let engine = sync::lock(&self.engine);
        self.turns.fetch_add(1, Ordering::Relaxed);
        engine
    }

    /// Takes the engine if it is free, and no thread has let go of it only for a moment.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Engine>> {
        fork::let_pass();
        let engine = sync::try_lock(&self.engine)?;
        self.turns.fetch_add(1, Ordering::Relaxed);
        (!engine.is_under_way()).then_some(engine)
    }

    /// Whether a forked child cannot use the engine, because its parent was in the middle of a write.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Takes the engine for a fork, which began to wait at `begun`. Returns `None` when that takes too long.
    fn lock_for_fork(&self, begun: Instant) -> Option<MutexGuard<'_, Engine>> {
        let stuck_turn = self.stuck_turn.load(Ordering::Relaxed);
        let patience = if stuck_turn == NEVER_STUCK { PATIENCE } else { PATIENCE_WITH_SLOW };
        loop {
            if let Some(engine) = sync::try_lock(&self.engine) {
                self.stuck_turn.store(NEVER_STUCK, Ordering::Relaxed);
                return Some(engine);
            }
            let turn = self.turns.load(Ordering::Relaxed);
            if own_lane() == Some(self.lane) || stuck_turn == turn {
                return None;
            }
            if begun.elapsed() >= patience {
                self.stuck_turn.store(turn, Ordering::Relaxed);
                return None;
            }
            std::thread::sleep(NAP);
        }
    }
}

impl AtFork for EngineLock {
    fn rank(&self) -> Rank {
        Rank::Engines
    }

    /// Waits for [`PATIENCE`] at most, and not at all for a write that an earlier fork did not wait out.
    fn pause(&self, begun: Instant) -> Paused<'_> {
        let mut engine = self.lock_for_fork(begun);
        Box::new(move || match &mut engine {
            Some(engine) => engine.start_afresh(),
            None => self.is_lost.store(true, Ordering::Relaxed),
        })
    }
}
