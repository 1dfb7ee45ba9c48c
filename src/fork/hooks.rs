//! The three moments of a fork.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Instant;

use super::participants::{participants, statics};
use super::{AtFork, Rank, gate};
use crate::process::Held;

/// What the forking thread holds.
struct Pause {
    /// In the order of their ranks.
    held: Vec<Held<dyn AtFork>>,
    list: MutexGuard<'static, Vec<Weak<dyn AtFork>>>,
}

thread_local! {
    /// Never dropped, so that it also exists when a destructor of another thread-local variable forks.
    static PAUSE: Cell<ManuallyDrop<Option<Pause>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

/// In a forked child: nothing was logged yet.
static IS_QUIET_CHILD: AtomicBool = AtomicBool::new(false);

fn replace(pause: Option<Pause>) -> Option<Pause> {
    PAUSE.try_with(|place| place.replace(ManuallyDrop::new(pause))).ok().and_then(ManuallyDrop::into_inner)
}

/// Pauses all participants, in the order of their ranks.
///
/// # Blocking
/// Until other threads have released their locks. The wait for engines is bounded.
pub(crate) fn before() {
    let begun = Instant::now();
    let (early, mut late): (Vec<_>, Vec<_>) = statics().partition(|one| one.rank() < Rank::Participants);
    let mut held = pause_all(early, begun);
    let list = participants();
    gate::set_wanted(true);
    late.extend(list.iter().filter_map(Weak::upgrade));
    held.extend(pause_all(late, begun));
    replace(Some(Pause { held, list }));
}

fn pause_all(mut participants: Vec<Arc<dyn AtFork>>, begun: Instant) -> Vec<Held<dyn AtFork>> {
    participants.sort_by_key(|one| one.rank());
    participants.into_iter().map(|one| Held::new(one, |one| one.pause(begun))).collect()
}

/// Resumes all participants.
pub(crate) fn in_parent() {
    if let Some(pause) = replace(None) {
        pause.resume();
    }
}

/// Starts all participants afresh and resumes them.
pub(crate) fn in_child() {
    if let Some(mut pause) = replace(None) {
        pause.held.iter_mut().for_each(Held::call);
        IS_QUIET_CHILD.store(true, Ordering::Relaxed);
        pause.resume();
    }
}

/// Tells the participants that this child is about to log. Only the first call in a child does something.
pub(crate) fn child_logs() {
    if IS_QUIET_CHILD.swap(false, Ordering::Relaxed) {
        statics().for_each(|one| one.child_logs());
    }
}

impl Pause {
    /// Releases all locks, in reverse order. Then user code may run: the last owner of an output drops its sink.
    fn resume(self) {
        let Self { held, list } = self;
        let owners: Vec<_> = held.into_iter().rev().map(Held::release).collect();
        gate::set_wanted(false);
        drop(list);
        drop(owners);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::fork::Paused;
    use crate::sync;

    struct Noted(Rank, &'static Mutex<Vec<String>>);

    impl AtFork for Noted {
        fn rank(&self) -> Rank {
            self.0
        }

        fn pause(&self, _: Instant) -> Paused<'_> {
            sync::lock(self.1).push(format!("pause {:?}", self.0));
            Box::new(move || sync::lock(self.1).push(format!("afresh {:?}", self.0)))
        }
    }

    #[test]
    fn participants_pause_in_the_order_of_their_ranks() {
        static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let ranks = [Rank::Logs, Rank::Engines, Rank::Queues, Rank::Engines];
        let all = ranks.map(|rank| Arc::new(Noted(rank, &NOTES)) as Arc<dyn AtFork>);
        let mut held = pause_all(all.to_vec(), Instant::now());
        held.iter_mut().for_each(Held::call);
        let expected = ["Engines", "Engines", "Queues", "Logs"];
        let expected: Vec<_> =
            ["pause", "afresh"].iter().flat_map(|what| expected.map(|rank| format!("{what} {rank}"))).collect();
        assert_eq!(*sync::lock(&NOTES), expected);
        assert_eq!(Arc::strong_count(&all[0]), 2);
        drop(held);
        assert_eq!(Arc::strong_count(&all[0]), 1);
    }
}
