//! Which machine a log is of, and the lock that keeps two loads of one machine apart.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::load::hash;
use crate::escape::escaped;
use crate::inputs::LogSegments;
use crate::report::Report;

/// Where a machine has its id.
const IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// Returns the name of this machine: its host name, and what tells it from others of the same name if it has an id.
pub(super) fn machine() -> String {
    let id = IDS.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    named(&host(), &id)
}

/// The id is secret, so only a hash of it is stored.
///
/// Source: `man machine-id`.
fn named(host: &str, id: &str) -> String {
    match id.trim() {
        // systemd has not written one yet.
        "" | "uninitialized" => host.to_owned(),
        id => format!("{host}.{:08x}", hash(&[b"spanline load", id.as_bytes()]) >> 32),
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Returns the name of a log: the machine, and the path of its active file.
pub(super) fn log_name(machine: &str, path: &Path) -> String {
    let parent = directory_of(path);
    let path = path.file_name().map_or(parent.clone(), |name| parent.join(name));
    format!("{machine}:{}", path.to_string_lossy())
}

fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = || std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned());
    fs::canonicalize(parent).unwrap_or_else(|_| absolute())
}

/// Locks the directories of logs, so that no other load of this machine finds the same segments. Nothing is written to them.
pub(super) fn locked(logs: &[LogSegments], report: &mut Report) -> Option<Vec<File>> {
    // A dated path names no directory, but those above its first date exist. Each is locked once: this process
    // would take its own lock for that of another load.
    let existing = |path: PathBuf| path.ancestors().find(|path| path.is_dir()).map(Path::to_owned);
    let directories: BTreeSet<PathBuf> = logs.iter().filter_map(|log| existing(directory_of(&log.path))).collect();
    let mut locks = Vec::new();
    for directory in directories {
        let file = match File::open(&directory) {
            Ok(file) => file,
            Err(error) => {
                report.failure(&format!("open {}, to lock it: {error}", escaped(&directory)));
                return None;
            }
        };
        match file.try_lock() {
            Ok(()) => locks.push(file),
            Err(TryLockError::WouldBlock) => {
                report.failure(&format!("load {}: another load is running; wait for its end", escaped(&directory)));
                return None;
            }
            Err(TryLockError::Error(error)) => {
                let path = escaped(&directory);
                report.note(&format!("{path} cannot be locked, so start no other load of its logs: {error}"));
            }
        }
    }
    Some(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_the_same_name_differ_and_no_id_is_shown() {
        let (one, other) = ("6b1c2d0b5b7f4e0e9d4f5d1c9d6f0a11\n", "6b1c2d0b5b7f4e0e9d4f5d1c9d6f0a12\n");
        let [one_name, other_name] = [one, other].map(|id| named("web", id));
        assert!(one_name.starts_with("web.") && one_name.len() == 12 && !one_name.contains("6b1c2d0b"));
        assert_ne!(one_name, other_name);
        assert_eq!(one_name, named("web", one.trim()));
        assert_eq!((named("web", ""), named("web", "uninitialized\n")), ("web".to_owned(), "web".to_owned()));
    }
}
