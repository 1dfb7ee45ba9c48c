//! A queue in a forked child: empty, with books of its own, and without a worker.

use super::{Phase, Queue, State, Tally, Waiting};
use crate::metrics::{ByLevel, DeliveredCounts, Dropped};
use crate::sync::MutexGuard;

impl Queue {
    /// Keeps everybody else out, for the moment of a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, State> {
        self.lock()
    }

    /// In the child, while `state` is still held there: begins anew. `is_usable`: whether the sink is in a state in
    /// which it can go on.
    pub(crate) fn begin_anew(&self, state: &mut State, is_usable: bool) {
        let awaited_worker = std::mem::take(&mut state.awaits_worker);
        state.phase = match state.phase {
            _ if !is_usable => Phase::Lost,
            Phase::Ended if awaited_worker => Phase::Forked,
            Phase::Running | Phase::Closing | Phase::Ending | Phase::Forked => Phase::Forked,
            ended @ (Phase::Ended | Phase::Abandoned | Phase::Lost) => ended,
        };
        self.delivered.reset();
        self.beside.reset();
        while let Some(mut block) = state.pending.take_block() {
            block.clear();
            state.spare.give_back(block);
        }
        state.spare.begin_anew();
        state.pending.clear();
        state.used = 0;
        state.retained = 0;
        state.ending = None;
        state.telling_until = None;
        state.waiting = Waiting::No;
        state.urgent = false;
        state.calls_sink = false;
        state.blocked = 0;
        state.emitted = ByLevel::default();
        state.released = ByLevel::default();
        state.dropped = Dropped::default();
        state.taken = ByLevel::default();
        state.settled = 0;
        state.overdue = 0;
        state.lost = ByLevel::default();
        state.oldest_taken = None;
        state.written_in_time = (state.phase == Phase::Abandoned).then(DeliveredCounts::default);
        state.losses.clear();
        state.refused_since_take = false;
        state.orders.clear();
        state.done_ticket = state.last_ticket;
        state.failures.clear();
        state.given_up.clear();
        // They belong to a runtime whose threads are not here: to drop one is its code, too.
        std::mem::forget(std::mem::take(&mut state.wakers));
        state.tally = Tally::default();
    }
}
