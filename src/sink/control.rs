//! Orders to a sink.

use crate::record::Timestamp;

/// Orders to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Open, connect, check. Sent once on the thread that builds, before the first line. After a retryable error the log
    /// starts anyway, and the worker sends it again, with backoff, until it succeeds.
    Open,
    /// Hand all that was written to the system, and send what is buffered. Sent after each batch that is wholly written,
    /// before the rest of a batch waits because its lines may be [echoes](crate::metrics::Reason::Echo), for
    /// [`Handle::flush`](crate::Handle::flush), and before the end of the log.
    Flush,
    /// Make all that was written durable: for [`Handle::sync`](crate::Handle::sync), and as
    /// [`Durability`](crate::Durability) sets, then again after an error. After
    /// [`Error::not_durable`](crate::Error::not_durable), the next one covers only lines that are written later.
    Sync,
    /// Close what is open and open it again: after a rename by another program, or to connect again. Revives a sink that
    /// has returned a [closed](crate::Error::is_closed) error.
    Reopen,
    /// Close the current segment and begin a new one.
    Rotate,
    /// Sent before each batch, and before a call at the time that [`Next::Later`](super::Next::Later) set: the time is now
    /// this. A sink that acts by the clock uses this time.
    Tick(Timestamp),
    /// Sent in a forked child, before its first line. What is open belongs to the parent as well: let go of it without a
    /// word to the other side and without releasing locks, and open it again where sharing it would do harm. The parent's
    /// threads do not exist here. Lines in flight are the parent's.
    Forked,
    /// The log is being shut down: finish what is running. Lines logged later may still follow.
    Close,
}
