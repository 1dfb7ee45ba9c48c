//! Control of a running log, and its end.
//!
//! [`Guard`] owns the log and ends it. [`Handle`] flushes, syncs, reopens and rotates the outputs, changes filters and
//! static fields, and reads the counters. `shutdown` ends the log whichever way the process ends. `signals` starts that for SIGTERM and
//! its like. All of them act on the lanes that the builder started.

#[cfg(feature = "config")]
mod configuration;
mod flush_future;
mod fork_statics;
mod guard;
mod handle;
mod leaving;
pub(crate) mod shutdown;
#[cfg(all(unix, feature = "signals"))]
pub(crate) mod signals;
mod static_fields;

#[cfg(feature = "config")]
pub use configuration::Reloaded;
#[cfg(feature = "config")]
pub(crate) use configuration::{Configuration, NewText, Started};
pub use guard::Guard;
pub use handle::Handle;
pub(crate) use handle::LayerParts;
pub(crate) use leaving::await_end;
#[cfg(feature = "config")]
pub(crate) use leaving::release_later;
#[cfg(feature = "config")]
pub(crate) use shutdown::WeakLog;
pub(crate) use shutdown::{Deadlines, before_the_end, wait_ended};
pub(crate) use static_fields::StaticFields;
