//! Whether a thread is inside a span that a directive or a grant names, remembered from one event to the next.
//!
//! The answer holds until the thread enters or leaves a span, any span records a value, or a filter changes.

use std::cell::Cell;

use crate::context::epoch;

/// What an answer depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Of the filters, unique among all layers.
    generation: u64,
    epoch: u64,
    moves: u64,
}

thread_local! {
    /// How often this thread has entered or left a span of some layer.
    static MOVES: Cell<u64> = const { Cell::new(0) };

    static ANSWER: Cell<(Moment, bool)> =
        const { Cell::new((Moment { generation: 0, epoch: 0, moves: 0 }, false)) };
}

/// Must be called when this thread has entered or left a span.
#[inline(always)]
pub(crate) fn moved() {
    MOVES.with(|moves| moves.set(moves.get().wrapping_add(1)));
}

impl Moment {
    #[inline(always)]
    pub(super) fn now(generation: u64) -> Self {
        Self { generation, epoch: epoch(), moves: MOVES.with(Cell::get) }
    }

    /// Returns the answer that this thread has found at this moment.
    #[inline(always)]
    pub(super) fn answer(self) -> Option<bool> {
        let (moment, answer) = ANSWER.with(Cell::get);
        (moment == self).then_some(answer)
    }

    pub(super) fn remember(self, answer: bool) {
        ANSWER.with(|place| place.set((self, answer)));
    }
}
