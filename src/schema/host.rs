//! The machine's name.

/// Returns the machine's name; `-` if it has none, because readers reject lines without one.
pub(super) fn hostname() -> String {
    // miri leaves a part of what it returns uninitialized.
    #[cfg(miri)]
    let name = String::new();
    #[cfg(all(unix, not(miri)))]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(any(unix, miri)))]
    let name = std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    if name.trim().is_empty() { "-".to_owned() } else { name }
}
