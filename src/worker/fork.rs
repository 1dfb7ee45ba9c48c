//! Forks: all lanes are held while the process is doubled, so that the child finds none of them in use by a thread that
//! does not exist there.
//!
//! The order of locks: the list of lanes, engines, queues, complaints, limits of repeats, what is held back. Engines are waited for a short while only: one
//! that is in the middle of a write stays out, and its lane cannot be used in the child. Everything else is held for
//! moments by whoever holds it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::lane::Lane;
use crate::complaint::Complaints;
use crate::held::{self, Store};
use crate::limit::{Limiter, SHARDS, Shard};
use crate::process::Held;
use crate::queue::State;
use crate::sync;

/// A fork waits so long in all for writes under way: a child that cannot use an output is worse than a late one, also on
/// a machine that is too busy to finish a write.
const PATIENCE: Duration = Duration::from_secs(1);
/// … and so long for an output that an earlier fork has not got hold of: whoever starts many programs beside a slow
/// sink pays once.
const PATIENCE_WITH_SLOW: Duration = Duration::from_millis(10);
/// How often it is looked whether they are done.
const NAP: Duration = Duration::from_micros(100);

/// No fork has missed the engine last time.
pub(super) const NEVER_STUCK: u64 = u64::MAX;

static LANES: Mutex<Vec<Weak<Lane>>> = Mutex::new(Vec::new());

/// A fork waits for engines: nobody takes hold of one who has none.
static WANTED: AtomicBool = AtomicBool::new(false);

/// In a forked child: nothing has been logged yet.
static IS_QUIET_CHILD: AtomicBool = AtomicBool::new(false);
static WHEN_CHILD_LOGS: OnceLock<fn()> = OnceLock::new();

/// What a forked child does when it starts to log.
pub(crate) fn when_child_logs(act: fn()) {
    let _ = WHEN_CHILD_LOGS.set(act);
}

pub(super) fn began_in_child() {
    if IS_QUIET_CHILD.swap(false, Ordering::Relaxed)
        && let Some(act) = WHEN_CHILD_LOGS.get()
    {
        act();
    }
}

fn lanes() -> MutexGuard<'static, Vec<Weak<Lane>>> {
    sync::lock(&LANES)
}

pub(super) fn watch(lane: &Arc<Lane>) {
    let mut lanes = lanes();
    lanes.retain(|lane| lane.strong_count() > 0);
    lanes.push(Arc::downgrade(lane));
}

#[inline]
pub(super) fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Waits while a fork is under way, holding nothing.
#[inline]
pub(super) fn let_pass() {
    if is_wanted() {
        drop(lanes());
    }
}

type HeldEngine = Held<Lane, Engine>;
type HeldComplaints = Held<Complaints, HashMap<String, Instant>>;

/// All lanes, held.
pub(crate) struct HeldLanes {
    engines: Vec<(Arc<Lane>, Option<HeldEngine>)>,
    queues: Vec<Held<Lane, State>>,
    complaints: Vec<HeldComplaints>,
    limits: Vec<Held<Limiter, Shard>>,
    held_back: Vec<Held<Store, held::Shard>>,
    list: MutexGuard<'static, Vec<Weak<Lane>>>,
}

/// Holds all lanes.
///
/// # Blocking
/// For [`PATIENCE`] at most; not at all for a write that an earlier fork has not waited out.
pub(crate) fn hold_lanes() -> HeldLanes {
    let list = lanes();
    WANTED.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    let all: Vec<_> = list.iter().filter_map(Weak::upgrade).collect();
    let engines = all.into_iter().map(|lane| {
        let engine = Held::new(&lane, |lane| await_engine(lane, begun));
        (lane, engine)
    });
    let engines: Vec<_> = engines.collect();
    let queues = engines.iter().filter_map(|(lane, _)| Held::new(lane, |lane| Some(lane.queue.hold()))).collect();
    let mut complaints: Vec<HeldComplaints> = Vec::new();
    for (lane, _) in &engines {
        if !complaints.iter().any(|held| Arc::ptr_eq(held.owner(), &lane.complaints)) {
            complaints.extend(Held::new(&lane.complaints, |complaints| Some(complaints.hold())));
        }
    }
    let mut limits: Vec<Held<Limiter, Shard>> = Vec::new();
    for limiter in engines.iter().filter_map(|(lane, _)| lane.limit.as_ref()).map(|share| &share.limiter) {
        if !limits.iter().any(|held| Arc::ptr_eq(held.owner(), limiter)) {
            limits.extend((0..SHARDS).filter_map(|shard| Held::new(limiter, |limiter| limiter.hold(shard))));
        }
    }
    let mut held_back: Vec<Held<Store, held::Shard>> = Vec::new();
    for store in engines.iter().filter_map(|(lane, _)| lane.held.as_ref()) {
        if !held_back.iter().any(|held| Arc::ptr_eq(held.owner(), store)) {
            held_back.extend((0..held::SHARDS).filter_map(|shard| Held::new(store, |store| store.hold_shard(shard))));
        }
    }
    HeldLanes { engines, queues, complaints, limits, held_back, list }
}

fn await_engine(lane: &Lane, begun: Instant) -> Option<MutexGuard<'_, Engine>> {
    let stuck_turn = lane.stuck_turn.load(Ordering::Relaxed);
    let patience = if stuck_turn == NEVER_STUCK { PATIENCE } else { PATIENCE_WITH_SLOW };
    loop {
        let engine = sync::try_lock(&lane.engine);
        if engine.is_some() {
            lane.stuck_turn.store(NEVER_STUCK, Ordering::Relaxed);
            return engine;
        }
        let turn = lane.turns.load(Ordering::Relaxed);
        if lane.is_own_thread() || stuck_turn == turn {
            return None;
        }
        if begun.elapsed() >= patience {
            lane.stuck_turn.store(turn, Ordering::Relaxed);
            return None;
        }
        std::thread::sleep(NAP);
    }
}

impl HeldLanes {
    /// Lets go of all of them. User code may run: the sink of a lane that nobody else has any more is dropped.
    pub(crate) fn release(self) {
        let Self { engines, queues, complaints, limits, held_back, list } = self;
        let (lanes, engines): (Vec<_>, Vec<_>) = engines.into_iter().unzip();
        drop((held_back, limits, complaints, queues, engines));
        WANTED.store(false, Ordering::Relaxed);
        drop(list);
        drop(lanes);
    }

    /// In the child: has all lanes begin anew, and lets go of them.
    pub(crate) fn begin_anew(mut self) {
        for ((lane, engine), queue) in self.engines.iter_mut().zip(&mut self.queues) {
            lane.queue.begin_anew(queue, engine.is_some());
            if let Some(engine) = engine {
                engine.begin_anew();
            }
        }
        IS_QUIET_CHILD.store(true, Ordering::Relaxed);
        self.complaints.iter_mut().for_each(|last| last.clear());
        for shard in &mut self.limits {
            shard.begin_anew();
            shard.owner().begin_anew();
        }
        for shard in &mut self.held_back {
            shard.begin_anew();
            shard.owner().begin_anew();
        }
        self.release();
    }
}
