//! Finds the sockets of running processes, in directories that no other user can write to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::escape::escaped;
use crate::report::Report;

/// More sockets in one directory are not asked.
const MAX_SOCKETS: usize = 1024;

/// The variable that names the directory.
const VARIABLE: &str = "SPANLINE_CONTROL";

/// Write permission for others than the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Services have names of this length in a socket's name.
const MAX_SERVICE_CHARS: usize = 64;

/// A process with a control socket.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The service as it is in the socket's name.
    pub(crate) service: String,
    pub(crate) pid: u32,
    /// Of the socket.
    name: String,
    directory: Arc<Directory>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    held: File,
    owner: u32,
}

impl Process {
    /// The uid of its user.
    pub(crate) fn user(&self) -> u32 {
        self.directory.owner
    }

    /// Whether it is of the service with this name.
    pub(crate) fn is_of(&self, service: &str) -> bool {
        self.service == file_name_of(service)
    }

    /// Connects to the process.
    ///
    /// # Blocking
    /// While as many others wait as the process lets wait.
    ///
    /// # Errors
    /// It is gone, or another user's: root must not be led to the socket of some other program.
    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        let path = self.directory.reach(&self.name);
        if !fs::symlink_metadata(&path)?.file_type().is_socket() {
            return Err(io::Error::other("it is no socket"));
        }
        let stream = UnixStream::connect(path)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let uid = rustix::net::sockopt::socket_peercred(&stream)?.uid.as_raw();
            if uid != self.directory.owner {
                let owner = self.directory.owner;
                return Err(io::Error::other(format!(
                    "it is of uid {uid}; expected the directory's owner (uid {owner})"
                )));
            }
        }
        Ok(stream)
    }

    /// Removes the socket, whose process is gone.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(self.directory.reach(&self.name));
    }
}

impl Directory {
    /// Opens a directory, if no other user than its owner can write to it, and the owner is this user. Root opens those of
    /// all users.
    ///
    /// # Errors
    /// It is another user's, or not what its name says. A FIFO or a link that another user has put there is not followed.
    fn open(place: Place) -> io::Result<Self> {
        let Place { path, owner, is_chosen, .. } = place;
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !is_chosen);
        let held = File::from(rustix::fs::open(&path, flags, Mode::empty())?);
        let found = held.metadata()?;
        let own = rustix::process::geteuid();
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if !found.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if found.uid() != own.as_raw() && !own.is_root() {
            return refuse(format!("it belongs to uid {}; expected this user (uid {})", found.uid(), own.as_raw()));
        }
        if let Some(owner) = owner.filter(|owner| *owner != found.uid()) {
            return refuse(format!("it belongs to uid {}; expected uid {owner}, as its name says", found.uid()));
        }
        if found.mode() & OTHERS_WRITE != 0 {
            return refuse(format!("other users can write to it (mode {:04o})", found.mode() & 0o7777));
        }
        Ok(Self { path, held, owner: found.uid() })
    }

    /// Returns a path to `name`. On Linux it leads through the descriptor, so that it can have any length.
    fn reach(&self, name: &str) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            let through = PathBuf::from(format!("/proc/self/fd/{}", self.held.as_raw_fd()));
            if through.exists() {
                return through.join(name);
            }
        }
        let _ = &self.held;
        self.path.join(name)
    }
}

/// A directory that may have sockets.
#[derive(Clone, Debug, Default)]
struct Place {
    path: PathBuf,
    /// The uid in its name.
    owner: Option<u32>,
    /// The user has named it. Links are followed.
    is_chosen: bool,
    /// That it cannot be used is a failure.
    is_needed: bool,
}

/// Returns all processes with a socket, sorted by service and pid. A directory that cannot be used is a failure. `of_all`:
/// also those of other users, for root.
pub(crate) fn processes(of_all: bool, report: &mut Report) -> Vec<Process> {
    let mut found = Vec::new();
    for place in places(of_all) {
        let Place { path, is_needed, .. } = place.clone();
        match Directory::open(place) {
            Ok(directory) => found.extend(in_directory(&Arc::new(directory)).take(MAX_SOCKETS)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if is_needed => report.failure(&format!("{}: {error}", escaped(&path))),
            Err(_) => {}
        }
    }
    found.sort_by(|a, b| (&a.service, a.pid, &a.name).cmp(&(&b.service, b.pid, &b.name)));
    found
}

/// Returns where sockets may be. `of_all`: also for other users.
fn places(of_all: bool) -> Vec<Place> {
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty() && value != "off");
    if let Some(path) = variable {
        return vec![Place { path: path.into(), owner: None, is_chosen: true, is_needed: true }];
    }
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let own = rustix::process::geteuid().as_raw();
    // Anybody can create the second one: it must not stop the command where the first one is used.
    let has_session = session.is_some();
    let session = session.map(|session| Place { path: session.join("spanline"), is_needed: true, ..Place::default() });
    let of_user = |path: PathBuf, user: u32| Place { path, owner: Some(user), ..Place::default() };
    let temporary = of_user(format!("/tmp/spanline-{own}").into(), own);
    let mut all: Vec<_> = session.into_iter().chain([Place { is_needed: !has_session, ..temporary }]).collect();
    if of_all {
        let users = names("/run/user").filter_map(|user| user.parse().ok());
        all.extend(users.map(|user: u32| of_user(format!("/run/user/{user}/spanline").into(), user)));
        let users = names("/tmp").filter_map(|name| name.strip_prefix("spanline-")?.parse().ok());
        all.extend(users.map(|user: u32| of_user(format!("/tmp/spanline-{user}").into(), user)));
    }
    let mut once: Vec<Place> = Vec::new();
    for place in all {
        if !once.iter().any(|known| known.path == place.path) {
            once.push(place);
        }
    }
    once
}

fn names(directory: impl AsRef<std::path::Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

fn in_directory(directory: &Arc<Directory>) -> impl Iterator<Item = Process> {
    names(directory.reach(".")).filter_map(|name| {
        let (service, pid) = name.strip_suffix(".sock")?.rsplit_once('.')?;
        let service = service.split_once('~').map_or(service, |(service, _)| service).to_owned();
        let pid = pid.parse().ok()?;
        Some(Process { service, pid, name, directory: Arc::clone(directory) })
    })
}

/// Returns a service's name as the library puts it into the name of a socket.
fn file_name_of(service: &str) -> String {
    let safe = |char: char| if char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.') { char } else { '_' };
    let name: String = service.chars().map(safe).take(MAX_SERVICE_CHARS).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name,
    }
}
