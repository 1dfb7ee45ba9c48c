//! The process as a whole: its end, its forks, its threads and its signals. The only folder with `unsafe`. Safe functions
//! elsewhere decide what happens; this folder calls them.

#[cfg(all(unix, feature = "signals"))]
mod arrivals;
#[cfg(unix)]
mod descriptor;
mod hooks;
#[cfg(any(feature = "http", feature = "postgres", feature = "sqlite"))]
mod mark;
#[cfg(all(target_os = "linux", feature = "net"))]
mod outgoing;
#[cfg(all(unix, feature = "control"))]
mod peer_user;
#[cfg(all(unix, any(feature = "config", feature = "control")))]
mod privileged;
#[cfg(all(unix, feature = "signals"))]
mod semaphore;
#[cfg(unix)]
mod signals;
mod threads;

#[cfg(all(unix, feature = "signals"))]
pub(crate) use arrivals::Arrivals;
#[cfg(unix)]
pub(crate) use descriptor::{Descriptor, Identity};
pub(crate) use hooks::{Held, Hooks, watch};
#[cfg(any(feature = "http", feature = "postgres", feature = "sqlite"))]
pub(crate) use mark::Mark;
#[cfg(all(target_os = "linux", feature = "net"))]
pub(crate) use outgoing::outgoing_bytes;
#[cfg(all(unix, feature = "control"))]
pub(crate) use peer_user::peer_user;
#[cfg(all(unix, any(feature = "config", feature = "control")))]
pub(crate) use privileged::is_privileged;
#[cfg(all(unix, feature = "signals"))]
pub(crate) use signals::is_ignored;
pub(crate) use threads::{spawn, without_write_signals};
