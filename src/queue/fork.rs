//! The queue at a fork: locked while the process is doubled, and empty in the child, with fresh books and no worker.

use super::life::Phase;
use super::queue::{Queue, State};
use super::wakeups::Wakeups;
use crate::sync::MutexGuard;

impl Queue {
    /// Keeps all other threads out, for the moment of a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, State> {
        self.lock()
    }

    /// Starts afresh in the child, while `state` is still held there. `is_usable`: the sink is in a state in which it
    /// can continue.
    pub(crate) fn begin_anew(&self, state: &mut State, is_usable: bool) {
        self.delivered.reset();
        self.counters.reset();
        state.reset_in_child(is_usable);
    }
}

impl State {
    fn reset_in_child(&mut self, is_usable: bool) {
        self.life.reset_in_child(is_usable);
        self.buffer.reset_in_child();
        self.books.reset_in_child(self.life.phase == Phase::Abandoned);
        self.orders.reset_in_child();
        self.wakeups = Wakeups::default();
    }
}
