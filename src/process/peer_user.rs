//! The user at the other end of a Unix socket, on systems where no crate tells it safely.

use std::io;
use std::os::fd::AsFd;

/// Returns the user at the other end.
///
/// # Errors
/// The system does not tell, or there is no such request that is known here.
#[allow(unsafe_code, reason = "no crate offers this request as a safe function")]
pub(crate) fn peer_user(stream: impl AsFd) -> io::Result<u32> {
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    {
        use std::os::fd::AsRawFd;
        let (mut user, mut group) = (0, 0);
        // SAFETY: the descriptor is open, and both places are there to be written to.
        return match unsafe { libc::getpeereid(stream.as_fd().as_raw_fd(), &raw mut user, &raw mut group) } {
            0 => Ok(user),
            _ => Err(io::Error::last_os_error()),
        };
    }
    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd")))]
    {
        let _ = stream;
        Err(io::ErrorKind::Unsupported.into())
    }
}
