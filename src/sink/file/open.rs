//! Opens files with care: the active file, its lock file, its segments.
//!
//! In a directory that others may write to, anything may lie at a path. What is not a plain file of one's own is
//! refused before anything is done to it, and a link is never followed. Modes are set on what was made here, and
//! only there, so that the umask has no say.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::Error;

/// Between looking and opening, a file can come or go; that often is it looked at again.
const ATTEMPTS: u32 = 16;

/// The permission bits of what is made here; without a meaning where there are none.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(super) struct Modes {
    pub(super) file: u32,
    pub(super) directory: u32,
}

/// SegmentNames the path. What the caller chose wrongly is an invalid setting, everything else may pass.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let doing = format!("{doing} {}", path.display());
        match error.kind() {
            ErrorKind::InvalidInput => Error::invalid(format!("{doing}: {error}")),
            _ => Error::io(doing, error),
        }
    }
}

/// Opens a file for reading and appending; makes it, and its directories, where they are missing.
pub(super) fn open_or_create(path: &Path, modes: Modes) -> io::Result<File> {
    for _ in 0..ATTEMPTS {
        match open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return opened,
        }
        match create(path, modes.file) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), |directory| create_directories(directory, modes.directory))?;
            }
            created => return created,
        }
    }
    Err(io::Error::new(
        ErrorKind::ResourceBusy,
        "another program creates and removes it repeatedly; expected a file that stays",
    ))
}

/// Opens a file that is there for reading and appending.
pub(super) fn open(path: &Path) -> io::Result<File> {
    check(&fs::symlink_metadata(path)?)?;
    let file = options().open(path)?;
    // Another one may have been put there in the meantime.
    check(&file.metadata()?)?;
    Ok(file)
}

/// Makes a file that is not there.
pub(super) fn create(path: &Path, mode: u32) -> io::Result<File> {
    let file = options().create_new(true).open(path)?;
    set_mode(path, Some(&file), mode);
    Ok(file)
}

fn create_directories(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), |parent| create_directories(parent, mode))?;
    match create_directory(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        created => created?,
    }
    set_mode(path, None, mode);
    Ok(())
}

/// Makes the directory's entries durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Renames to a name that must not be taken. Who calls this holds the lock file.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The system or the file system cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

#[cfg(unix)]
pub(super) use unix::{Identity, await_writes, mode_of, try_exclusive, try_shared};
#[cfg(unix)]
use unix::{check, create_directory, options, set_mode};

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, Permissions, TryLockError};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};

    use rustix::fs::OFlags;

    use super::{ErrorKind, File, Metadata, OpenOptions, Path, fs, io};

    /// Which file it is, whatever it is called by now.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in super::super) struct Identity(u64, u64);

    impl Identity {
        pub(in super::super) fn of(metadata: &Metadata) -> Self {
            Self(metadata.dev(), metadata.ino())
        }
    }

    pub(super) fn options() -> OpenOptions {
        // Opening a FIFO would wait for its other end.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600).custom_flags(flags.bits().cast_signed());
        options
    }

    pub(super) fn check(metadata: &Metadata) -> io::Result<()> {
        let refused = |why| Err(io::Error::new(ErrorKind::InvalidInput, why));
        let kind = metadata.file_type();
        if kind.is_symlink() {
            refused("it is a symbolic link; expected a regular file or nothing at this path")
        } else if kind.is_dir() {
            refused("it is a directory; expected a regular file or nothing at this path")
        } else if !kind.is_file() {
            refused("it is not a regular file; expected one, or nothing at this path")
        } else if metadata.nlink() > 1 && metadata.uid() != own_uid()? {
            refused("it is a hard link to another user's file; remove the link")
        } else {
            Ok(())
        }
    }

    /// The user whose files are made here: the owner of a fresh pipe.
    fn own_uid() -> io::Result<u32> {
        let (reader, _writer) = io::pipe()?;
        Ok(File::from(OwnedFd::from(reader)).metadata()?.uid())
    }

    pub(super) fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    /// Whatever the umask. A file system that knows no modes refuses, which is nobody's fault.
    pub(super) fn set_mode(path: &Path, file: Option<&File>, mode: u32) {
        let permissions = Permissions::from_mode(mode);
        let _ = match file {
            Some(file) => file.set_permissions(permissions),
            None => fs::set_permissions(path, permissions),
        };
    }

    /// Waits for every write to the file that has begun: setting its times takes the same lock in the kernel.
    pub(in super::super) fn await_writes(file: &File) {
        use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
    }

    pub(in super::super) fn mode_of(metadata: &Metadata) -> u32 {
        metadata.permissions().mode() & 0o7777
    }

    /// Takes the lock if nobody else has any. What was held is given up first, and is gone if this fails.
    pub(in super::super) fn try_exclusive(file: &File) -> bool {
        file.try_lock().is_ok()
    }

    /// Takes or keeps a share of the lock, unless somebody has all of it. Without locks there is nothing to share.
    pub(in super::super) fn try_shared(file: &File) -> bool {
        !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[cfg(not(unix))]
pub(super) use other::{Identity, await_writes, mode_of, try_exclusive, try_shared};
#[cfg(not(unix))]
use other::{check, create_directory, options, set_mode};

/// Where files have neither modes nor identity: what is at the path is taken to be what was opened there.
#[cfg(not(unix))]
mod other {
    use super::{ErrorKind, File, Metadata, OpenOptions, Path, fs, io};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in super::super) struct Identity;

    impl Identity {
        pub(in super::super) fn of(_: &Metadata) -> Self {
            Self
        }
    }

    pub(super) fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        options
    }

    pub(super) fn check(metadata: &Metadata) -> io::Result<()> {
        match metadata.is_file() {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "it is not a regular file; expected one, or nothing at this path",
            )),
        }
    }

    pub(in super::super) fn await_writes(_: &File) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    pub(in super::super) fn mode_of(_: &Metadata) -> u32 {
        0
    }

    pub(super) fn create_directory(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(super) fn set_mode(_: &Path, _: Option<&File>, _: u32) {}

    /// Locks would keep even their holder from writing.
    pub(in super::super) fn try_exclusive(_: &File) -> bool {
        false
    }

    pub(in super::super) fn try_shared(_: &File) -> bool {
        true
    }
}
