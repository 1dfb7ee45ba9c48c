//! The process at the other end of a Unix socket, where no crate tells it safely.
//!
//! rustix does on Linux, but its process ids are never 0, which is that of a peer in another container.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Returns the user at the other end, and the process; `None` where the system does not tell, or the process is not of this
/// container.
///
/// # Errors
/// The system does not tell, or there is no such request that is known here.
#[allow(unsafe_code, reason = "no crate offers this request as a safe function")]
pub(crate) fn peer_user(stream: impl AsFd) -> io::Result<(u32, Option<u32>)> {
    let stream = stream.as_fd();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        let (descriptor, place) = (stream.as_raw_fd(), (&raw mut found).cast());
        // SAFETY: the descriptor is open, and the place has the length that is given.
        let status =
            unsafe { libc::getsockopt(descriptor, libc::SOL_SOCKET, libc::SO_PEERCRED, place, &raw mut length) };
        match status {
            0 => Ok((found.uid, u32::try_from(found.pid).ok().filter(|pid| *pid != 0))),
            _ => Err(io::Error::last_os_error()),
        }
    }
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    {
        let (mut user, mut group) = (0, 0);
        // SAFETY: the descriptor is open, and both places are there to be written to.
        match unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut user, &raw mut group) } {
            0 => Ok((user, None)),
            _ => Err(io::Error::last_os_error()),
        }
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    {
        let _ = stream.as_raw_fd();
        Err(io::ErrorKind::Unsupported.into())
    }
}
