//! Opens a directory along its path, on Unix.
//!
//! The system would follow any link on the way. Here each component is opened relative to the one before it, without
//! following links, and a link is read and followed only if root or the process's own user made it.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use rustix::fs::AtFlags;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::unix::own_user;

/// As the system limits it: more links than this are a circle.
const MAX_LINKS: u32 = 40;

/// A directory can come or go while it is created: this many attempts for each.
const ATTEMPTS: u32 = 16;

/// Opens a directory on the way. It need not be readable where the system allows that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PASS: OFlags = HOLD;

/// Opens the directory itself.
const HOLD: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the directory at the absolute `path`; creates what is missing, with `mode`.
pub(super) fn open(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let mut links = 0;
    let mut rest = components(path);
    let mut at = open_at(CWD, OsStr::new("/"), PASS)?;
    while let Some(name) = rest.pop() {
        match enter(at.as_fd(), &name, mode)? {
            Step::Entered(directory) => at = directory,
            Step::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                if target.is_absolute() {
                    at = open_at(CWD, OsStr::new("/"), PASS)?;
                }
                rest.extend(components(&target));
            }
        }
    }
    open_at(at.as_fd(), OsStr::new("."), HOLD)
}

/// Opens the directory `name` in `at`, without following a link.
pub(super) fn below(at: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    open_at(at, OsStr::new(name), HOLD)
}

enum Step {
    Entered(OwnedFd),
    Link(PathBuf),
}

/// Returns the names of a path, last first.
fn components(path: &Path) -> Vec<OsString> {
    let is_name = |component: &Component<'_>| matches!(component, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_name).map(|component| component.as_os_str().to_owned()).collect()
}

fn open_at(at: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(retry_on_intr(|| rustix::fs::openat(at, name, flags, Mode::empty()))?)
}

/// Opens `name` in `at`, creates it, or returns where the link leads.
fn enter(at: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<Step> {
    for _ in 0..ATTEMPTS {
        let refused = match open_at(at, name, PASS) {
            Ok(directory) => return Ok(Step::Entered(directory)),
            Err(error) => error,
        };
        if refused.kind() == ErrorKind::NotFound {
            match rustix::fs::mkdirat(at, name, Mode::RWXU) {
                Ok(()) => return created(at, name, mode).map(Step::Entered),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        match target(at, name) {
            Ok(None) => return Err(refused),
            Ok(Some(target)) => return Ok(Step::Link(target)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "another program creates and removes its directory repeatedly"))
}

/// Opens a directory that was just created, and sets its mode, whatever the umask.
fn created(at: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<OwnedFd> {
    let directory = open_at(at, name, PASS)?;
    let stat = rustix::fs::fstat(&directory)?;
    let mode = Mode::from_raw_mode(mode as _);
    if stat.st_uid == own_user() && Mode::from_raw_mode(stat.st_mode) != mode {
        // A file system without modes refuses; that is not an error.
        let _ = set_mode(directory.as_fd(), mode);
    }
    Ok(directory)
}

fn set_mode(directory: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
    match open_at(directory, OsStr::new("."), HOLD) {
        // The umask took the owner's bits. The path leads to what the descriptor holds, whatever its name is now.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            use std::os::fd::AsRawFd;
            Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", directory.as_raw_fd()), mode)?)
        }
        opened => Ok(rustix::fs::fchmod(opened?, mode)?),
    }
}

/// Returns where the link `name` leads; `None` if it is no link.
///
/// # Errors
/// Another user made the link.
fn target(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<PathBuf>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let (stat, target) = {
        // The link itself as a descriptor: its owner and its target belong together.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = open_at(at, name, flags)?;
        let stat = rustix::fs::fstat(&link)?;
        (stat, move || rustix::fs::readlinkat(&link, "", Vec::new()))
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let (stat, target) = {
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        (stat, move || rustix::fs::readlinkat(at, name, Vec::new()))
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let own = own_user();
    if stat.st_uid != 0 && stat.st_uid != own {
        let (name, owner) = (name.display(), stat.st_uid);
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!(
                "`{name}` in its path is a symbolic link that another user (uid {owner}) made; expected links of root or \
                 of this process's own user (uid {own}) only"
            ),
        ));
    }
    Ok(Some(PathBuf::from(OsString::from_vec(target()?.into_bytes()))))
}
