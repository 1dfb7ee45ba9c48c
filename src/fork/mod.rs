//! Forks of the process: everything pauses while the process is doubled, and starts afresh in the child.
//!
//! Only the forking thread lives on in the child. It holds every lock of the log across the fork, so in the child each
//! lock is free, or held by that thread. Locks of `tracing`, and those of a user's sink, are not held.
//!
//! What has a lock, or a state that is the parent's, implements [`AtFork`]. [`Rank`] is the order of the locks.
//! `process` calls [`before`], [`in_parent`] and [`in_child`] at the right moments.
//!
//! No user code runs around a fork. A child that logs calls it before its first line: the schema's and the sink's
//! `forked`, and [`AtFork::child_logs`].
//!
//! This module knows no participant, so that each of them can use it.

mod gate;
mod hooks;
mod participants;
mod rank;

pub(crate) use gate::{is_wanted, let_pass};
pub(crate) use hooks::{before, child_logs, in_child, in_parent};
pub(crate) use participants::{register, register_statics};
pub(crate) use rank::Rank;

use std::time::Instant;

/// Something that pauses for a fork and starts afresh in the child.
pub(crate) trait AtFork: Send + Sync {
    /// Its place in the order of locks.
    fn rank(&self) -> Rank;

    /// Pauses it: takes its locks. `begun`: when the fork began to take locks, for limits on the whole wait.
    ///
    /// The result holds the locks and releases them when it is dropped. In the child it is called first, while all
    /// locks are held and no other thread exists. It then starts everything afresh. It runs no user code.
    ///
    /// # Blocking
    /// While another thread holds one of the locks, which must be for a moment only, or the wait has to be bounded.
    fn pause(&self, begun: Instant) -> Paused<'_>;

    /// Called in the child when it is about to log for the first time. No lock is held, so user code may run.
    fn child_logs(&self) {}
}

/// A paused participant: its held locks, with what starts it afresh in the child.
pub(crate) type Paused<'a> = Box<dyn FnMut() + 'a>;
