//! When what was written is made durable.

use std::time::{Duration, Instant};

use tracing::Level;

use super::backoff::Backoff;
use crate::metrics::ByLevel;
use crate::sync::after;

/// When an output makes durable what it has written, so that it survives a power cut and a crash of the system. (The
/// end of the process, SIGKILL included, loses nothing that was written, however this is set.)
///
/// Making durable is [`Control::Sync`](crate::sink::Control::Sync) to the sink: `fdatasync` of a file, and its
/// directory after a file was made or renamed. Sinks that know no such thing ignore it. It happens on the output's
/// worker: no call waits for it, unless the output is [synchronous](crate::Output::synchronous).
///
/// # Errors
/// A sync that fails is reported, counted in [`failed_syncs`](crate::metrics::OutputMetrics::failed_syncs) and tried again
/// until one succeeds. Linux may forget what it could not write once it has said so, so a later success proves nothing
/// about earlier lines. [`RollingFile`](crate::RollingFile) therefore writes the lines that such a sync covered to a new
/// segment, if they are still in memory. Otherwise they count as
/// [`not_durable`](crate::metrics::OutputMetrics::not_durable), and the log reports how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The system decides, usually within half a minute; and [`Handle::sync`](crate::Handle::sync).
    #[default]
    Never,
    /// At most so long after a line was written, also when nothing follows it. What the sink does at that moment is
    /// waited for, and the sync itself takes its time.
    Interval(Duration),
    /// After each batch that has a line of this level or a graver one. Those before it become durable with it.
    AtLevel(Level),
    /// After each batch, which is what was logged while the one before it was written: the more is logged, the more
    /// lines share a sync.
    EveryBatch,
}

/// What is still to be made durable.
#[derive(Debug)]
pub(super) struct Unsynced {
    when: Durability,
    /// Something was written since the last success.
    any: bool,
    /// When it is to be made durable.
    due: Option<Instant>,
    retry: Backoff,
}

impl Unsynced {
    pub(super) fn new(when: Durability) -> Self {
        Self { when, any: false, due: None, retry: Backoff::new() }
    }

    /// Something was written, and nothing before `since`.
    pub(super) fn wrote(&mut self, since: Instant) {
        self.any = true;
        if let Durability::Interval(longest) = self.when
            && self.due.is_none()
        {
            self.due = Some(after(since, longest));
        }
    }

    /// A batch of such lines is written. `last`: perhaps nobody comes later.
    pub(super) fn batch_written(&mut self, by_level: ByLevel, last: bool) {
        let wanted = match self.when {
            Durability::Never => false,
            Durability::Interval(_) => last,
            Durability::AtLevel(level) => by_level.levels().any(|(of_line, _)| of_line <= level),
            Durability::EveryBatch => true,
        };
        if self.any && wanted {
            self.due = Some(Instant::now());
        }
    }

    /// When it is time to make durable what was written, if there is need to.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.map(|due| self.retry.at().map_or(due, |at| due.max(at)))
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }

    /// Returns whether lines are to be made durable without an order.
    pub(super) fn is_wanted(&self) -> bool {
        self.when != Durability::Never
    }

    /// Whether something would stay behind when the log ends.
    pub(super) fn is_left(&self) -> bool {
        self.any && self.when != Durability::Never
    }

    /// Whether all that a batch has to wait for is done.
    pub(super) fn is_settled(&self) -> bool {
        self.due.is_none() || matches!(self.when, Durability::Interval(_))
    }

    /// All that was written is durable, or cannot be made so any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.when);
    }

    /// Records a failed attempt.
    pub(super) fn failed(&mut self) {
        self.retry.failed();
    }
}
