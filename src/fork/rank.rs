//! The order in which a fork takes locks.

/// The places of the participants in the order of locks. A fork takes them from first to last.
///
/// A thread that holds a lock may wait for locks of later ranks only. So the locks that take longest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A change of filters, which calls other layers of the program.
    FilterChanges,
    /// The list of participants. From here on, no thread takes an engine, and no participant is added.
    Participants,
    /// A change of outputs.
    Outputs,
    /// Engines, which write. They are waited for with a limit.
    Engines,
    /// Lines that wait for the log, and then for its queues.
    EarlyLines,
    /// Filters by their sources.
    FilterState,
    /// The control socket, and the thread that serves it.
    Control,
    /// Queues.
    Queues,
    /// The evidence of echoes.
    Echoes,
    /// The complaints already made.
    Complaints,
    /// Rate limits.
    RateLimits,
    /// Lines that are held back.
    HeldBack,
    /// Counts of other services.
    Services,
    /// Recording on spans.
    SpanRecords,
    /// The list of logs.
    Logs,
    /// Participants without a lock.
    Lockless,
}
