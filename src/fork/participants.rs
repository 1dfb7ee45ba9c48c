//! The list of all participants.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use super::AtFork;
use crate::sync;

/// Those that belong to a log.
static PARTICIPANTS: Mutex<Vec<Weak<dyn AtFork>>> = Mutex::new(Vec::new());

/// Those that exist once per process.
static STATICS: OnceLock<Vec<Arc<dyn AtFork>>> = OnceLock::new();

/// Adds a participant, unless it is there already. It leaves with its last owner.
pub(crate) fn register<T: AtFork + 'static>(participant: &Arc<T>) {
    let participant: Weak<dyn AtFork> = Arc::<T>::downgrade(participant);
    let mut all = participants();
    all.retain(|known| known.strong_count() > 0);
    if !all.iter().any(|known| known.ptr_eq(&participant)) {
        all.push(participant);
    }
}

/// Sets the participants that exist once per process. Only the first call counts.
pub(crate) fn register_statics(all: Vec<Arc<dyn AtFork>>) {
    let _ = STATICS.set(all);
}

/// Takes the list.
pub(super) fn participants() -> MutexGuard<'static, Vec<Weak<dyn AtFork>>> {
    sync::lock(&PARTICIPANTS)
}

pub(super) fn statics() -> impl Iterator<Item = Arc<dyn AtFork>> {
    STATICS.get().into_iter().flatten().cloned()
}
