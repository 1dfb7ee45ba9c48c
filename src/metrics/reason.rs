//! Why lines are dropped.

use std::fmt;

/// Why a line was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// The queue was filling up, and [`Overflow::Shed`](crate::Overflow::Shed) drops less severe levels first.
    Shed,
    /// The record alone was larger than the queue.
    TooLarge,
    /// The line was logged on the output's own worker thread, by the sink for example.
    OwnThread,
    /// The sink had ended (a closed pipe), or the log was shut down before its worker answered.
    Closed,
    /// The sink refused the line permanently, or the schema rendered nothing.
    Rejected,
    /// The schema or the sink panicked on the line.
    Panicked,
    /// The shutdown deadline passed before the line was written.
    Shutdown,
    /// Its call site had reached the limit of the period: [`Builder::rate_limit`](crate::Builder::rate_limit).
    RateLimited,
    /// [`Builder::sampling`](crate::Builder::sampling) did not choose it or its trace.
    Sampled,
    /// It was equal to the line before: [`Output::deduplicate`](crate::Output::deduplicate).
    Repeated,
    /// The sink's spool on disk was full.
    SpoolFull,
    /// A file of the sink's spool was damaged.
    Damaged,
    /// The sink's client logged it because the sink delivered lines, on a thread that it shares with the program.
    Echo,
}

impl Reason {
    pub(crate) const ALL: [Reason; 14] = [
        Reason::QueueFull,
        Reason::Shed,
        Reason::TooLarge,
        Reason::OwnThread,
        Reason::Closed,
        Reason::Rejected,
        Reason::Panicked,
        Reason::Shutdown,
        Reason::RateLimited,
        Reason::Sampled,
        Reason::Repeated,
        Reason::SpoolFull,
        Reason::Damaged,
        Reason::Echo,
    ];

    /// Returns the name that loss notices and exported metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue_full",
            Reason::Shed => "shed",
            Reason::TooLarge => "too_large",
            Reason::OwnThread => "own_thread",
            Reason::Closed => "closed",
            Reason::Rejected => "rejected",
            Reason::Panicked => "panicked",
            Reason::Shutdown => "shutdown",
            Reason::RateLimited => "rate_limited",
            Reason::Sampled => "sampled",
            Reason::Repeated => "repeated",
            Reason::SpoolFull => "spool_full",
            Reason::Damaged => "damaged",
            Reason::Echo => "echo",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
