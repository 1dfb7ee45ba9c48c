//! Opens files safely: the active file, its lock file, its segments.
//!
//! In a directory that other users may write to, anything may be at a path. What is not a regular file of this user is
//! refused before it is touched, and links are never followed. Modes are set only on files created here, so that the
//! umask has no effect.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::Error;

/// Between inspecting and opening, a file can come or go: this many attempts.
const ATTEMPTS: u32 = 16;

/// The permission bits of new files; without effect where there are none.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(super) struct Modes {
    pub(super) file: u32,
    pub(super) directory: u32,
}

/// Adds the path to an error. A wrong path is an invalid setting; everything else can be retried.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let doing = format!("{doing} {}", path.display());
        match error.kind() {
            ErrorKind::InvalidInput => Error::invalid(doing).with_source(error),
            _ => Error::io(doing, error),
        }
    }
}

/// Opens a file for reading and appending; creates it and its directories if they are missing.
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

/// Opens an existing file for reading and appending.
pub(super) fn open(path: &Path) -> io::Result<File> {
    check(&fs::symlink_metadata(path)?)?;
    let file = options().open(path)?;
    // Another file may have been put there in the meantime.
    check(&file.metadata()?)?;
    Ok(file)
}

/// Creates a file that must not exist.
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

/// Renames to a name that must be free. The caller holds the lock file.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The system or the file system does not support it.
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

    /// Identifies a file, whatever its name is now.
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

    /// Returns the user that new files belong to: the owner of a fresh pipe.
    fn own_uid() -> io::Result<u32> {
        let (reader, _writer) = io::pipe()?;
        Ok(File::from(OwnedFd::from(reader)).metadata()?.uid())
    }

    pub(super) fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    /// Sets the mode, whatever the umask. A file system without modes refuses; that is not an error.
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

    /// Takes the exclusive lock unless another process holds any. Gives up the held lock first, which is lost on
    /// failure.
    pub(in super::super) fn try_exclusive(file: &File) -> bool {
        file.try_lock().is_ok()
    }

    /// Takes or keeps a shared lock unless another process holds the exclusive one. Without locks, returns true.
    pub(in super::super) fn try_shared(file: &File) -> bool {
        !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

#[cfg(not(unix))]
pub(super) use other::{Identity, await_writes, mode_of, try_exclusive, try_shared};
#[cfg(not(unix))]
use other::{check, create_directory, options, set_mode};

/// For systems whose files have neither modes nor identity: the file at the path counts as the one opened there.
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

    /// A lock would prevent even its holder from writing.
    pub(in super::super) fn try_exclusive(_: &File) -> bool {
        false
    }

    pub(in super::super) fn try_shared(_: &File) -> bool {
        true
    }
}
