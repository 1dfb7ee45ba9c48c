//! Control of a running log, and its end.
//!
//! [`Guard`] owns the log and ends it. [`Handle`] flushes, syncs, reopens and rotates the outputs, changes filters and
//! static fields, and reads the counters. `shutdown` ends the log whichever way the process ends. `signals` starts that for SIGTERM and
//! its like. `filters` has the filters by their sources, and `thread` reverts those that are set for a time. `socket` lets
//! other processes of the same user do all this. All of them act on the lanes that the builder started.

mod by;
#[cfg(feature = "config")]
mod configuration;
mod filter_control;
mod filter_state;
mod filters;
mod flush_future;
mod fork_statics;
mod guard;
mod handle;
mod leaving;
pub(crate) mod shutdown;
#[cfg(all(unix, feature = "signals"))]
pub(crate) mod signals;
#[cfg(all(unix, feature = "control"))]
mod socket;
mod static_fields;
mod thread;

#[cfg(feature = "config")]
pub use configuration::Reloaded;
#[cfg(feature = "config")]
pub(crate) use configuration::{Configuration, NewText, Started};
pub(crate) use filter_control::FORCED;
pub use guard::Guard;
pub use handle::Handle;
pub(crate) use handle::LayerParts;
pub(crate) use leaving::await_end;
#[cfg(feature = "config")]
pub(crate) use leaving::release_later;
#[cfg(feature = "config")]
pub(crate) use shutdown::WeakLog;
pub(crate) use shutdown::{Deadlines, before_the_end};
pub(crate) use static_fields::StaticFields;
