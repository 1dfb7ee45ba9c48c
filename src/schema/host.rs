//! The names of the machine and the program.

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

/// Returns the program's name.
pub(super) fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_suffix(std::env::consts::EXE_SUFFIX).map(str::to_owned).unwrap_or(name)
}
