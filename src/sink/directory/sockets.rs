//! A directory for Unix sockets, which only the process's own user can write to.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, listen, socket};

use super::unix::{Directory, Identity, own_user};

/// Write permission for others than the owner.
const OTHERS_WRITE: u32 = 0o022;

/// More peers than this do not wait unseen: those that connect and say nothing must not keep others waiting.
const BACKLOG: i32 = 16;

/// A directory for Unix sockets, held open.
#[derive(Debug)]
pub(crate) struct SocketDirectory(Directory);

impl SocketDirectory {
    /// Opens the directory at `path`, which is absolute, or creates it for this user only.
    ///
    /// # Errors
    /// It belongs to another user, others can write to it, a symbolic link of another user leads to it, or the system
    /// refuses.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let directory = Directory::open(path, 0o700)?;
        let entry = directory.inspect(".")?;
        let refuse = |why| Err(io::Error::new(ErrorKind::PermissionDenied, why));
        if !entry.is_own() {
            let own = own_user();
            let owner = entry.owner;
            return refuse(format!("it belongs to uid {owner}; expected this process's own user (uid {own})"));
        }
        if entry.mode & OTHERS_WRITE != 0 {
            let mode = entry.mode & 0o7777;
            return refuse(format!("other users can write to it (mode {mode:04o}); expected 0700 or 0755"));
        }
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Listens at `name`, for this user only. The name appears when peers can connect, and must be free.
    pub(crate) fn listen(&self, name: &str) -> io::Result<(UnixListener, Identity)> {
        let new = format!("{name}.new");
        let _ = self.0.unlink(&new);
        let listener = UnixListener::bind(self.reach(&new)?)?;
        let made = (|| {
            listener.set_nonblocking(true)?;
            listen(&listener, BACKLOG)?;
            self.0.set_mode(&new, Mode::RUSR | Mode::WUSR)?;
            let identity = self.0.inspect(&new)?.identity;
            self.0.rename_new(&new, name)?;
            Ok(identity)
        })();
        if made.is_err() {
            let _ = self.0.unlink(&new);
        }
        made.map(|identity| (listener, identity))
    }

    /// Returns whether a name leads to the socket that was made there.
    pub(crate) fn leads_to(&self, name: &str, identity: Identity) -> bool {
        self.0.leads_to(name, identity)
    }

    /// Removes the socket that was made at `name`, and nothing else that has come there since.
    pub(crate) fn remove(&self, name: &str, identity: Identity) {
        if self.0.leads_to(name, identity) {
            let _ = self.0.unlink(name);
        }
    }

    /// Removes a socket of this user at `name`, if no process listens there.
    pub(crate) fn remove_stale(&self, name: &str) {
        let Ok(entry) = self.0.inspect(name) else { return };
        if entry.is_own() && entry.kind == super::trust::Kind::Socket && self.is_refused(name) {
            self.remove(name, entry.identity);
        }
    }

    /// Returns whether nobody listens at `name`. A process that is only busy does.
    fn is_refused(&self, name: &str) -> bool {
        let connected = || {
            let socket = UnixListener::from(socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
            rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
            socket.set_nonblocking(true)?;
            io::Result::Ok(connect(&socket, &SocketAddrUnix::new(self.reach(name)?)?)?)
        };
        connected().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }

    /// Calls `visit` with each name that is UTF-8.
    pub(crate) fn each_name(&self, visit: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        self.0.each_name(visit)
    }

    /// Returns a path to `name` that the system accepts. On Linux it leads through the descriptor: whatever happens to the
    /// path meanwhile, and however long it is.
    fn reach(&self, name: &str) -> io::Result<PathBuf> {
        #[cfg(target_os = "linux")]
        {
            let through = self.0.through_descriptor()?;
            if through.exists() {
                return Ok(through.join(name));
            }
        }
        Ok(self.0.path().join(name))
    }
}
