//! The terminal that stdout is: its size, and how a command has all of it for a while.

#[cfg(all(unix, feature = "follow"))]
mod guard;
mod size;

#[cfg(all(unix, feature = "follow"))]
pub(crate) use guard::{Guard, Keys};
#[cfg(all(unix, feature = "follow"))]
pub(crate) use size::size;
pub(crate) use size::width;
