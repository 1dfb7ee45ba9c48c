//! Watches the file of a running log.
//!
//! One thread looks at the file every [`POLL`], and at once when the system reports a change in its directory. It compares
//! what the path leads to: so it sees an editor that renames a new file over the old one, and a link that leads elsewhere,
//! as those of Kubernetes do.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use crate::control::WeakLog;
use crate::error::Error;
use crate::process;

/// How often it looks where the system reports nothing.
const POLL: Duration = Duration::from_secs(2);
/// A file may be written in several steps: it is read when it has not changed for this long.
const SETTLE: Duration = Duration::from_millis(100);
/// It is read after this many such times in any case.
const MOST_SETTLES: u32 = 20;

/// What a path leads to. A change of any part means another text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    length: u64,
    /// The device and the file's number there.
    #[cfg(unix)]
    file: (u64, u64),
    /// Nanoseconds of the last change of the file's data or attributes.
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Version {
    /// `None` if there is no such file at the moment.
    fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            file: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Starts the thread, which ends with the log.
///
/// # Errors
/// No thread can be started.
pub(super) fn watch(path: &Path, log: WeakLog) -> Result<(), Error> {
    let path = path.to_owned();
    // Looked at here: a change right after the start is seen.
    let seen = Version::of(&path);
    process::spawn("spanline-watch", move || follow(&path, seen, &log))
        .map_err(|error| Error::io("cannot watch the configuration", error))
}

fn follow(path: &Path, mut seen: Option<Version>, log: &WeakLog) {
    // One report is enough: it says that there is something to look at.
    let (sender, changes) = sync_channel(1);
    // Its own sender keeps the channel open where the system reports nothing.
    let _reports = reports(path, sender.clone());
    let _open = sender;
    while log.handle().is_some() {
        let _ = changes.recv_timeout(POLL);
        let Some(mut now) = Version::of(path).filter(|now| Some(*now) != seen) else { continue };
        for _ in 0..MOST_SETTLES {
            std::thread::park_timeout(SETTLE);
            let later = Version::of(path).unwrap_or(now);
            if later == now {
                break;
            }
            now = later;
        }
        seen = Some(now);
        if let Some(handle) = log.handle() {
            let _ = handle.reconfigure(None, vec![("by", "a change of the file".into())]);
        }
    }
}

/// Makes the system report changes around the file, while the result lives.
#[cfg(feature = "watch")]
fn reports(path: &Path, sender: SyncSender<()>) -> Option<notify::RecommendedWatcher> {
    use notify::{RecursiveMode, Watcher};
    let report = move |_| {
        let _ = sender.try_send(());
    };
    let mut watcher = notify::recommended_watcher(report).ok()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    watcher.watch(directory, RecursiveMode::NonRecursive).ok()?;
    // Where the path is a link, its target changes elsewhere.
    if let Some(target) = fs::canonicalize(path).ok().as_deref().and_then(Path::parent) {
        let _ = watcher.watch(target, RecursiveMode::NonRecursive);
    }
    Some(watcher)
}

#[cfg(not(feature = "watch"))]
fn reports(_: &Path, _: SyncSender<()>) -> Option<()> {
    None
}
