//! Files that were left, in which lines may come late: a writer may not have noticed the rotation.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::segment_lines::Longest;
use super::tail::{Step, Tail};
use crate::error::Error;

/// How long such a file is looked at.
pub(super) const LINGER: Duration = Duration::from_secs(5);
/// How many there are at most.
const MAX_FILES: usize = 32;

/// The files that were left, the oldest first.
#[derive(Default)]
pub(super) struct Lingering {
    files: VecDeque<(Tail, Instant)>,
    /// Which of them has the last line.
    place: usize,
}

impl Lingering {
    pub(super) fn push(&mut self, tail: Tail) {
        if self.files.len() >= MAX_FILES {
            self.files.pop_front();
        }
        self.files.push_back((tail, Instant::now()));
    }

    pub(super) fn tails(&self) -> impl Iterator<Item = &Tail> {
        self.files.iter().map(|(tail, _)| tail)
    }

    pub(super) fn set_longest(&mut self, longest: Longest) {
        self.files.iter_mut().for_each(|(tail, _)| tail.set_longest(longest));
    }

    /// Goes to the next late line. Returns whether it is torn; `None` if there is no line.
    ///
    /// # Errors
    /// A file cannot be read, or a line is too long. Reading can continue.
    pub(super) fn advance(&mut self) -> Result<Option<bool>, Error> {
        for place in 0..self.files.len() {
            self.place = place;
            let Some((tail, _)) = self.files.get_mut(place) else { break };
            match tail.advance() {
                Ok(Step::Line) => return Ok(Some(false)),
                Ok(Step::End) => {}
                Ok(Step::Truncated) => tail.restart(),
                Err(error) => {
                    // What cannot be read must not stop the others.
                    if !error.is_rejected() {
                        self.files.remove(place);
                    }
                    return Err(error);
                }
            }
        }
        self.place = 0;
        while let Some((tail, left)) = self.files.front_mut()
            && left.elapsed() >= LINGER
        {
            if tail.take_torn() {
                return Ok(Some(true));
            }
            self.files.pop_front();
        }
        Ok(None)
    }

    /// Returns the last line.
    pub(super) fn line(&self) -> &[u8] {
        self.files.get(self.place).map(|(tail, _)| tail.line()).unwrap_or_default()
    }

    /// Returns whether the last line was longer.
    pub(super) fn is_cut(&self) -> bool {
        self.files.get(self.place).is_some_and(|(tail, _)| tail.is_cut())
    }

    /// Returns the path of the file with the last line.
    pub(super) fn path(&self) -> Option<&Path> {
        self.files.get(self.place).map(|(tail, _)| tail.path())
    }
}
