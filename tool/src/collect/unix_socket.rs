//! Unix sockets at paths: only their user may connect, and they are removed at the end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

/// How long to wait for another process that binds a socket in the same directory.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The pause before the directory is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// A socket's path. It is removed when this is dropped, unless another file is there by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Its device and number.
    identity: (u64, u64),
    /// Keeps the number from being used again.
    _held: Option<OwnedFd>,
}

/// Binds a stream socket.
///
/// # Errors
/// Another process listens there, the path is another kind of file, or the system refuses.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    bind(path, |path| UnixListener::bind(path))
}

/// Binds a datagram socket, as [`listen`].
pub(super) fn datagrams(path: &Path) -> io::Result<(UnixDatagram, SocketFile)> {
    bind(path, |path| UnixDatagram::bind(path))
}

fn bind<S>(path: &Path, bind: impl FnOnce(&Path) -> io::Result<S>) -> io::Result<(S, SocketFile)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Of two processes that find the same dead socket, only one replaces it.
    let folder = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    lock(&folder)?;
    remove_dead(path)?;
    // The process has no other thread yet that makes files.
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = bind(path);
    rustix::process::umask(before);
    let bound = bound?;
    #[cfg(target_os = "linux")]
    let held = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok();
    #[cfg(not(target_os = "linux"))]
    let held = None;
    let file = fs::symlink_metadata(path)?;
    Ok((bound, SocketFile { path: path.to_owned(), identity: (file.dev(), file.ino()), _held: held }))
}

/// Locks a directory. Anybody who can read it can lock it, so the wait has an end.
fn lock(folder: &OwnedFd) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if begun.elapsed() < MAX_WAIT => thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => {
                let what = "another process has locked the directory; expected one that only this user can read";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
            }
            locked => return Ok(locked?),
        }
    }
}

/// Connects to a stream socket, without waiting for a process that accepts nothing.
fn connect_stream(path: &Path) -> Result<(), Errno> {
    let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    ioctl_fionbio(&socket, true)?;
    match net::connect(&socket, &SocketAddrUnix::new(path)?) {
        // Its queue is full.
        Err(Errno::WOULDBLOCK | Errno::INPROGRESS) => Ok(()),
        connected => connected,
    }
}

/// Removes a socket that no process listens at.
fn remove_dead(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::other("expected a socket or nothing there, found another kind of file"));
    }
    let datagram = || UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    let connected = match connect_stream(path) {
        // It is a socket of datagrams.
        Err(Errno::PROTOTYPE) => datagram(),
        connected => connected.map_err(io::Error::from),
    };
    match connected {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let file = fs::symlink_metadata(&self.path);
        if file.is_ok_and(|file| (file.dev(), file.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_socket_is_its_users_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let (_socket, file) = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_dead_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for _ in 0..2 {
            drop(UnixListener::bind(&path).unwrap());
            let (living, file) = datagrams(&path).unwrap();
            assert!(listen(&path).unwrap_err().to_string().contains("another process listens there"));
            drop(living);
            let (living, new) = listen(&path).unwrap();
            drop(file);
            assert!(path.exists(), "the path is another socket's by now");
            assert_eq!(datagrams(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop((living, new));
        }
        // Nor does it wait for one that accepts nothing, or for a directory that another user has locked.
        let full = folder.path().join("full");
        let _full = UnixListener::bind(&full).unwrap();
        let mut waiting = Vec::new();
        while waiting.len() < 1 << 14 {
            let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
            ioctl_fionbio(&socket, true).unwrap();
            if net::connect(&socket, &SocketAddrUnix::new(&*full).unwrap()).is_err() {
                break;
            }
            waiting.push(socket);
        }
        assert_eq!(listen(&full).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let locked = open(folder.path(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        flock(&locked, FlockOperation::LockExclusive).unwrap();
        assert!(listen(&folder.path().join("new")).unwrap_err().to_string().contains("locked the directory"));
        drop(locked);
        fs::write(&path, "mine").unwrap();
        assert!(listen(&path).unwrap_err().to_string().contains("another kind of file"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
