//! Control of a running log, and its end.
//!
//! [`Guard`] owns the log and ends it. [`Handle`] flushes, syncs, reopens and rotates the outputs, changes filters and
//! static fields, and reads the counters. `shutdown` ends the log whichever way the process ends. `signals` starts that for SIGTERM and
//! its like. All of them act on the lanes that the builder started.

mod flush_future;
mod fork_statics;
mod guard;
mod handle;
pub(crate) mod shutdown;
#[cfg(all(unix, feature = "signals"))]
pub(crate) mod signals;
mod static_fields;

pub use guard::Guard;
pub use handle::Handle;
pub(crate) use shutdown::{Deadlines, before_the_end};
pub(crate) use static_fields::StaticFields;
