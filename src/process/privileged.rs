//! Whether the process has more rights than the user who started it.

/// Returns whether the program's file gave the process rights that its user lacks: it is setuid or setgid, or has file
/// capabilities. The user has then chosen the environment, and is not trusted.
///
/// A daemon that gives up rights itself is no such process.
#[allow(unsafe_code, reason = "no crate tells this with a safe function")]
pub(crate) fn is_privileged() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: the function has no precondition; a value that the kernel does not pass is 0.
        unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
    }
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    {
        // SAFETY: the function has no precondition.
        unsafe { libc::issetugid() != 0 }
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
        use rustix::process::{getegid, geteuid, getgid, getuid};
        (getuid(), getgid()) != (geteuid(), getegid())
    }
}
