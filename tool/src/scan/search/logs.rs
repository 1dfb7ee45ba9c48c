//! The parts of logs: which are to be read, are being read, and have been read.

use std::collections::VecDeque;

use super::super::pieces::{Input, OpenPiece, Piece};
use super::hits::Hits;

/// What is left of a part of a log.
pub(super) enum Rest {
    Piece(Piece),
    /// More than was taken of it.
    Open(OpenPiece),
    /// It has no line that is meant, as an index says.
    Without(Hits),
}

enum State {
    Waiting(Box<Rest>),
    Read,
    Found(Box<Hits>),
}

struct Part {
    id: u64,
    state: State,
}

/// The parts of one log, in their order.
#[derive(Default)]
pub(super) struct Log {
    parts: VecDeque<Part>,
    /// How many of them, from the first on, do not wait.
    begun: usize,
    last_id: u64,
    /// Whether it has a turn.
    pub(super) is_queued: bool,
}

impl Log {
    pub(super) fn new(inputs: Vec<Input>) -> Self {
        let mut log = Self::default();
        for (number, input) in inputs.into_iter().enumerate() {
            let part = log.waiting(Rest::Piece(Piece::whole(number, input)));
            log.parts.push_back(part);
        }
        log
    }

    fn waiting(&mut self, rest: Rest) -> Part {
        self.last_id += 1;
        Part { id: self.last_id, state: State::Waiting(Box::new(rest)) }
    }

    /// Returns whether all parts were taken.
    pub(super) fn is_ended(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns whether something was found in the first part.
    pub(super) fn is_found(&self) -> bool {
        matches!(self.parts.front(), Some(Part { state: State::Found(hits), .. }) if hits.has_any())
    }

    /// Returns the first part that waits, unless as many are begun: it is to be read.
    pub(super) fn begin(&mut self, most: usize) -> Option<(u64, Rest)> {
        // A part whose rest waits comes before parts that are begun.
        let number = self.parts.iter().take(self.begun + 1).position(|part| matches!(part.state, State::Waiting(_)))?;
        if self.begun >= most && number > 0 {
            return None;
        }
        let part = self.parts.get_mut(number)?;
        match std::mem::replace(&mut part.state, State::Read) {
            State::Waiting(rest) => {
                self.begun += 1;
                Some((part.id, *rest))
            }
            // Not possible, as the position says.
            other => {
                part.state = other;
                None
            }
        }
    }

    /// Returns whether another part may be begun.
    pub(super) fn has_waiting(&self, most: usize) -> bool {
        self.begun < most && self.begun < self.parts.len()
    }

    /// Adds what is behind a part.
    pub(super) fn add_behind(&mut self, id: u64, rests: impl DoubleEndedIterator<Item = Rest>) {
        let Some(number) = self.parts.iter().position(|part| part.id == id) else { return };
        for rest in rests.rev() {
            let part = self.waiting(rest);
            self.parts.insert(number + 1, part);
        }
    }

    /// Takes note of what was found in a part.
    pub(super) fn end(&mut self, id: u64, hits: Hits) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.id == id) {
            part.state = State::Found(Box::new(hits));
        }
    }

    /// Takes what was found in the first part.
    pub(super) fn take(&mut self) -> Option<Hits> {
        match self.parts.pop_front() {
            Some(Part { state: State::Found(hits), .. }) => {
                self.begun -= 1;
                Some(*hits)
            }
            other => {
                other.into_iter().for_each(|part| self.parts.push_front(part));
                None
            }
        }
    }
}
