//! The process as a whole: its end, its forks, its threads and its signals. The only folder with `unsafe`. Safe functions
//! elsewhere decide what happens; this folder calls them.

#[cfg(unix)]
mod descriptor;
mod hooks;
#[cfg(unix)]
mod signals;
mod threads;

#[cfg(unix)]
pub(crate) use descriptor::{Descriptor, Identity};
pub(crate) use hooks::{Held, Hooks, watch};
#[cfg(all(unix, feature = "signals"))]
pub(crate) use signals::is_ignored;
pub(crate) use threads::{spawn, without_write_signals};
