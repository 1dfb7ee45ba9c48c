//! Who a peer is, as the system says.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use super::super::by::Peer;

/// The longest name of a program.
const MAX_COMMAND_CHARS: usize = 64;

/// Returns the peer, if it may control this process: its own user, or root.
///
/// # Errors
/// It may not, or the system does not tell who it is.
pub(super) fn trusted(stream: impl AsFd) -> io::Result<Peer> {
    let peer = peer(stream)?;
    let own = rustix::process::geteuid().as_raw();
    if peer.uid != own && peer.uid != 0 {
        let uid = peer.uid;
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("uid {uid} may not control this process; expected its own user (uid {own}) or root"),
        ));
    }
    Ok(peer)
}

fn peer(stream: impl AsFd) -> io::Result<Peer> {
    let (uid, pid) = crate::process::peer_user(stream)?;
    Ok(Peer { uid, pid, command: pid.and_then(command), reason: None })
}

/// Returns the name of a process's program, as it calls itself. Only Linux has it there.
fn command(pid: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(&name);
    Some(name.trim_end_matches('\n').chars().take(MAX_COMMAND_CHARS).collect())
}
