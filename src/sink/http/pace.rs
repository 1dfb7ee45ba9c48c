//! When the next request is sent.

use std::time::{Duration, Instant};

use crate::sink::reconnect::Reconnect;
use crate::sync::after;

#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) reconnect: Reconnect,
    /// The server wants no request before.
    not_before: Option<Instant>,
    /// The last connection broke while it was used.
    pub(super) expects: bool,
}

impl Pace {
    /// Notes an answer, and how long the server wants no further request.
    pub(super) fn answered(&mut self, retry_after: Option<Duration>) {
        self.not_before = retry_after.map(|pause| after(Instant::now(), pause));
    }

    pub(super) fn succeeded(&mut self) {
        self.reconnect.succeeded();
        self.expects = false;
    }

    /// Returns when the next request may be sent, if that is later than `now`. `ends_at`: when the log ends.
    pub(super) fn wait(&self, now: Instant, ends_at: Option<Instant>) -> Option<Instant> {
        self.reconnect.wait(now, ends_at).into_iter().chain(self.not_before.filter(|at| *at > now)).max()
    }
}
