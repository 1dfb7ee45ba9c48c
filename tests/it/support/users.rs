//! Child processes of another user: the attacker, and the service that is attacked.
#![cfg(unix)]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A user id without an account, which plants files.
pub(crate) const ATTACKER: u32 = 40_401;
/// A user id without an account, which the service runs as.
pub(crate) const SERVICE: u32 = 40_402;

/// Returns whether this process may act as other users.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Reports on stderr that a test cannot play a second user; returns whether it can.
pub(crate) fn may_play_users(test: &str) -> bool {
    if !is_root() {
        eprintln!("{test}: not root, so no second user can be played; only what needs none is checked");
    }
    is_root()
}

/// Runs the command as that user, with the group of the same number and no other.
pub(crate) fn as_user(command: &mut Command, user: u32) {
    command.uid(user).gid(user);
}

/// Gives away what is at `path`; a link itself, not its target.
pub(crate) fn give(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
}
