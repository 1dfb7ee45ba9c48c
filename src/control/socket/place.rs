//! Where the socket is: the directory, the name in it, and what dead processes have left there.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use rustix::process::{Pid, test_kill_process};

use crate::error::Error;
use crate::sink::SocketDirectory;

/// The variable that names the directory, or switches the socket off.
pub(super) const VARIABLE: &str = "SPANLINE_CONTROL";

/// What its value is then.
pub(super) const OFF: &str = "off";

/// Sockets end so.
const SUFFIX: &str = ".sock";

/// What is at the end of a name until peers can connect.
const NEW: &str = ".new";

/// A longer name of a service is cut.
const MAX_SERVICE_BYTES: usize = 64;

/// The sockets of one process with one service: a process may have several logs.
const MAX_LOGS: u32 = 16;

/// Returns the directory: that of the variable, of the user's session, or one below `/tmp`.
///
/// # Errors
/// The variable has a relative path, and there is no working directory.
pub(super) fn directory(variable: Option<OsString>) -> io::Result<PathBuf> {
    if let Some(path) = variable {
        return std::path::absolute(path);
    }
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    Ok(session.map_or_else(
        || PathBuf::from(format!("/tmp/spanline-{}", rustix::process::geteuid().as_raw())),
        |session| session.join("spanline"),
    ))
}

/// Returns the names that a socket of this process may have.
pub(super) fn names(service: &str) -> impl Iterator<Item = String> {
    let (service, pid) = (safe(service), std::process::id());
    (1..=MAX_LOGS).map(move |number| match number {
        1 => format!("{service}.{pid}{SUFFIX}"),
        _ => format!("{service}~{number}.{pid}{SUFFIX}"),
    })
}

/// Returns a service's name as part of a file name.
fn safe(service: &str) -> String {
    let safe = |char: char| if char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.') { char } else { '_' };
    let name: String = service.chars().map(safe).take(MAX_SERVICE_BYTES).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name,
    }
}

/// Returns the name of this process's program.
pub(super) fn program() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "process".to_owned())
}

/// Opens the directory.
///
/// # Errors
/// It is not this user's alone, or the system refuses.
pub(super) fn open(path: &std::path::Path) -> Result<SocketDirectory, Error> {
    SocketDirectory::open(path).map_err(|error| {
        Error::io(
            format!(
                "no control socket: cannot use the directory {}; set {VARIABLE} to another one, or to `{OFF}`",
                path.display()
            ),
            error,
        )
    })
}

/// Removes sockets of this user that processes have left which are gone.
pub(super) fn remove_stale(directory: &SocketDirectory) {
    let mut stale = Vec::new();
    let _ = directory.each_name(|name| {
        if pid_of(name).is_some_and(is_gone) {
            stale.push(name.to_owned());
        }
        Ok(())
    });
    stale.iter().for_each(|name| directory.remove_stale(name));
}

/// Returns the process that a socket is named after.
fn pid_of(name: &str) -> Option<Pid> {
    let name = name.strip_suffix(NEW).unwrap_or(name);
    let (_, pid) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    Pid::from_raw(pid.parse().ok()?)
}

/// Whether no process has this id. One of another user has.
fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_whatever_the_service_is_called() {
        for (service, expected) in [
            ("orders", "orders"),
            ("", "_"),
            ("../../etc", "_./.._etc".replace('/', "_").as_str()),
            ("a b/ä\0\n", "a_b____"),
            (".hidden", "_hidden"),
        ] {
            assert_eq!(safe(service), expected, "{service}");
        }
        let name = names(&"x".repeat(1000)).next().unwrap();
        assert!(name.len() < 100);
        assert_eq!(pid_of(&name).map(|pid| pid.as_raw_nonzero().get().unsigned_abs()), Some(std::process::id()));
        assert!(names("a").all(|name| pid_of(&name).is_some()));
        for other in ["a.sock", "a.x.sock", "a.1", "a.-1.sock.x", "a.0.sock"] {
            assert_eq!(pid_of(other), None, "{other}");
        }
    }
}
