//! What is wrong without preventing a write, until it is reported.

use crate::error::Error;

/// What lasts until someone changes it. Each is reported once, and again only after it was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Other users may rename or remove the log's files.
    ExposedDirectory,
    /// Files with names of this log are not used.
    LeftAlone,
    /// Another program holds the lock of the active file.
    ForeignLock,
    /// The file system has no locks.
    NoLocks,
    /// The link to the newest file cannot be placed.
    Link,
    /// Files cannot get the group that they should have.
    Group,
}

/// The latest failure, and lasting conditions.
#[derive(Debug, Default)]
pub(super) struct Problems {
    failure: Option<Error>,
    known: Vec<Condition>,
    unreported: Vec<Error>,
}

impl Problems {
    /// Notes a failure; replaces an earlier one that is not reported yet.
    pub(super) fn failed(&mut self, error: Error) {
        self.failure = Some(error);
    }

    /// Notes that a condition holds, and why, or that it does not.
    pub(super) fn set(&mut self, condition: Condition, why: Option<Error>) {
        match why {
            None => self.known.retain(|known| *known != condition),
            Some(_) if self.known.contains(&condition) => {}
            Some(error) => {
                self.known.push(condition);
                self.unreported.push(error);
            }
        }
    }

    /// Takes all that is not reported yet, as one error.
    pub(super) fn take(&mut self) -> Option<Error> {
        if self.failure.is_none() && self.unreported.is_empty() {
            return None;
        }
        let all = self.failure.take().into_iter().chain(self.unreported.drain(..));
        all.reduce(|first, next| Error::retry(format!("{first:#}; {next:#}")))
    }
}
