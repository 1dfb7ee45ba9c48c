//! The log's directory, held open, and what may be trusted in it.
//!
//! In a directory where other users may create files, anything may be at any name. The design has three parts:
//!
//! - `walk` opens the directory component by component. It follows a symbolic link only if root or the process's own
//!   user made it, and creates what is missing.
//! - [`Directory`] holds the descriptor. Every operation on a file of the log goes through it, relative to that
//!   descriptor: open, create, inspect, list, rename, remove, sync. No later change of the path leads it elsewhere, not
//!   even `chroot`. The path itself is kept for messages.
//! - `trust` decides, in one place, whether a file may be used: a regular file of the process's own user, with one name
//!   where more would be dangerous. A file is inspected before it is opened, because opening a FIFO or a device has
//!   effects, and again through its descriptor.
//!
//! The program may close all descriptors, and reuse their numbers. [`Directory`] and [`HeldFile`] neither use nor close such
//! a descriptor.
//!
//! On systems without such descriptors, `other` does the same operations by path.

mod attributes;
mod create;
mod held_file;
#[cfg(not(unix))]
mod other;
#[cfg(all(unix, feature = "control"))]
mod sockets;
mod trust;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod walk;

pub(super) use attributes::{Attributes, NewFiles};
pub(super) use held_file::HeldFile;
#[cfg(not(unix))]
pub(super) use other::{Directory, Identity, await_writes, lacks_locks, try_exclusive, try_shared};
#[cfg(all(unix, feature = "control"))]
pub(crate) use sockets::SocketDirectory;
pub(super) use trust::{Entry, Links};
#[cfg(unix)]
pub(super) use unix::{Directory, Identity, await_writes, lacks_locks, try_exclusive, try_shared};
