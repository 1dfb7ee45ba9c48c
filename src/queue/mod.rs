//! The queue of one output: a double buffer, bounded in bytes, behind the only lock on the logging path.
//!
//! Logging threads [`push`] records into the pending [`Batch`]. The worker [`take`]s it by a swap and brings back an
//! empty one. A batch consists of [`Block`]s, which the worker returns one by one. The queue accounts for everything
//! that a record keeps in memory until it is delivered: its header, its captured bytes and, once per batch, its
//! contexts.
//!
//! The worker polls while there is work, so a push needs no wake-up. It is woken only when it sleeps, or for something
//! urgent: an ERROR, a flush, a queue that fills up.
//!
//! [`Queue`] is the lock and its signals. What the lock guards is grouped by purpose: [`buffer`], [`books`],
//! [`orders`], [`life`] and [`wakeups`]. What threads do with it has a file each: [`push`], [`take`], [`look`],
//! [`ask`] and [`end`].
//!
//! The queue knows neither schemas nor sinks.

mod ask;
mod batch;
mod block;
mod books;
mod buffer;
mod counters;
mod emitted;
mod end;
mod entry;
mod fork;
mod idle;
mod life;
mod look;
mod losses;
mod orders;
mod overflow;
mod push;
#[expect(clippy::module_inception, reason = "the type that the folder is about")]
mod queue;
mod spare;
mod take;
mod wakeups;

pub(crate) use batch::Batch;
pub(crate) use block::Block;
pub(crate) use books::WorkerCounts;
pub(crate) use end::Deliverer;
pub(crate) use entry::{Entry, Head, Push};
pub(crate) use idle::Idle;
pub(crate) use life::LATE_PATIENCE;
pub(crate) use look::MOST_SHOWN;
pub(crate) use losses::Loss;
pub(crate) use orders::{Command, Order};
pub use overflow::Overflow;
pub(crate) use push::Pushed;
pub(crate) use queue::Queue;
pub(crate) use take::{Gone, Taken};
