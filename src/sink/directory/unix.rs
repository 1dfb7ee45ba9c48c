//! A directory as a descriptor, on Unix.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use super::attributes::Attributes;
use super::held_file::HeldFile;
use super::trust::{Entry, Kind, Links};
use super::walk;
use crate::process::Descriptor;
pub(in super::super) use crate::process::Identity;
use crate::record::Timestamp;

/// New files are private until their attributes are set.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Names are this long at most where the file system gives no limit.
const NAME_BYTES: usize = 255;

/// A directory, held open.
#[derive(Debug)]
pub(in super::super) struct Directory {
    descriptor: Descriptor<OwnedFd>,
    path: PathBuf,
    /// The root directory through which `path` led here.
    root: Identity,
}

impl Directory {
    /// Opens the directory at `path`, which is absolute. Creates it, and those above it, with `mode` if it is missing.
    ///
    /// # Errors
    /// Part of the path is a symbolic link that neither root nor the process's own user made, or the system refuses.
    pub(in super::super) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let descriptor = Descriptor::new(walk::open(path, mode)?)?;
        Ok(Self { descriptor, path: path.to_owned(), root: root()? })
    }

    /// Opens the directory `name` in it. A link is not followed.
    pub(in super::super) fn enter(&self, name: &str) -> io::Result<Self> {
        let descriptor = Descriptor::new(walk::below(self.fd()?, name)?)?;
        Ok(Self { descriptor, path: self.path.join(name), root: self.root })
    }

    /// Removes the directory `name` in it, which must be empty.
    pub(in super::super) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(self.fd()?, name, AtFlags::REMOVEDIR)?)
    }

    /// Returns whether it can be used: nobody has removed it, and the program has not closed its descriptor.
    #[cfg(feature = "spool")]
    pub(in super::super) fn is_there(&self) -> bool {
        self.descriptor.get().is_ok_and(|(_, stat)| stat.st_nlink > 0)
    }

    /// Returns the path at which it was opened.
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the process has another root directory since: `path` may now lead anywhere.
    pub(in super::super) fn has_other_root(&self) -> bool {
        root().is_ok_and(|root| root != self.root)
    }

    /// Returns why users other than root and the process's own may rename or remove files here; `None` if they may not.
    pub(in super::super) fn exposure(&self) -> io::Result<Option<String>> {
        let stat = rustix::fs::fstat(self.fd()?)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        let (owner, group) = (stat.st_uid, stat.st_gid);
        let is_sticky = mode.contains(Mode::SVTX);
        let is_foreign_group = group != 0 && group != rustix::process::getegid().as_raw();
        Ok(if owner != 0 && owner != own_user() {
            Some(format!("it belongs to another user (uid {owner})"))
        } else if !is_sticky && mode.contains(Mode::WOTH) {
            Some(format!("every user may write to it (mode {:04o}) and it is not sticky", mode.bits()))
        } else if !is_sticky && mode.contains(Mode::WGRP) && is_foreign_group {
            Some(format!("the group {group} may write to it (mode {:04o}) and it is not sticky", mode.bits()))
        } else {
            None
        })
    }

    /// Inspects what is at `name`. A link is not followed.
    pub(in super::super) fn inspect(&self, name: &str) -> io::Result<Entry> {
        Ok(entry(&rustix::fs::statat(self.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Returns whether that file is at `name`.
    pub(in super::super) fn leads_to(&self, name: &str, identity: Identity) -> bool {
        self.inspect(name).is_ok_and(|entry| entry.identity == identity)
    }

    /// Opens a file for reading and appending, if it may be trusted.
    pub(in super::super) fn open_file(&self, name: &str, links: Links) -> io::Result<HeldFile> {
        self.inspect(name)?.check(links)?;
        // Opening a FIFO would wait for its other end.
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.fd()?;
        let opened = retry_on_intr(|| rustix::fs::openat(fd, name, flags | OFlags::CLOEXEC, Mode::empty()))?;
        let file = HeldFile::new(opened.into())?;
        // Another file may have been put there in the meantime.
        file.entry()?.check(links)?;
        Ok(file)
    }

    /// Creates a file that must not exist. Only its owner has access until [`set_attributes`](Self::set_attributes).
    pub(in super::super) fn create(&self, name: &str) -> io::Result<HeldFile> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = self.fd()?;
        let file = File::from(retry_on_intr(|| rustix::fs::openat(fd, name, flags, PRIVATE))?);
        // The umask may have removed bits. A file system without modes refuses; that is not an error.
        let _ = rustix::fs::fchmod(&file, PRIVATE);
        HeldFile::new(file)
    }

    /// Sets the group and mode of a file of the log.
    ///
    /// # Errors
    /// The process may not give the file that group. Then the group that it has gets no access.
    pub(in super::super) fn set_attributes(file: &File, attributes: Attributes) -> io::Result<()> {
        let mut mode = Mode::from_raw_mode(attributes.mode as _);
        let mut result = Ok(());
        if let Some(group) = attributes.group
            && rustix::fs::fstat(file)?.st_gid != group
        {
            result = rustix::fs::fchown(file, None, Some(Gid::from_raw(group)));
            if result.is_err() {
                mode -= Mode::RWXG;
            }
        }
        // A file system without modes refuses; that is not an error.
        let _ = rustix::fs::fchmod(file, mode);
        Ok(result?)
    }

    /// Makes the file accessible to its owner only.
    pub(in super::super) fn make_private(file: &File) -> io::Result<()> {
        if Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode) != PRIVATE {
            let _ = rustix::fs::fchmod(file, PRIVATE);
        }
        Ok(())
    }

    /// Renames to a name that must be free. The caller holds the lock file.
    pub(in super::super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let fd = self.fd()?;
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(fd, from, fd, to, RenameFlags::NOREPLACE) {
                // The system or the file system does not support it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                renamed => return Ok(renamed?),
            }
        }
        match rustix::fs::statat(fd, to, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => Ok(rustix::fs::renameat(fd, from, fd, to)?),
        }
    }

    /// Renames a file, in place of what is at `to`.
    #[cfg(feature = "spool")]
    pub(in super::super) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        let fd = self.fd()?;
        Ok(rustix::fs::renameat(fd, from, fd, to)?)
    }

    /// Opens a file that is going to be removed; `None` while another process writes it.
    pub(in super::super) fn claim(&self, name: &str) -> io::Result<Option<HeldFile>> {
        let file = self.open_file(name, Links::Any)?;
        Ok(file.get().is_ok_and(try_exclusive).then_some(file))
    }

    /// Removes a file of this user, unless it is gone already.
    pub(in super::super) fn remove(&self, name: &str) -> io::Result<()> {
        match self.inspect(name).and_then(|entry| entry.check(Links::Any)) {
            Ok(()) => self.unlink(name),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes `name` a symbolic link to `target` at once. Replaces a link of this user, and nothing else.
    pub(in super::super) fn place_link(&self, name: &str, target: &Path) -> io::Result<()> {
        let fd = self.fd()?;
        let before = match self.inspect(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            inspected => Some(inspected?),
        };
        if let Some(before) = &before {
            before.check_link()?;
            if rustix::fs::readlinkat(fd, name, Vec::new())?.as_bytes() == target.as_os_str().as_bytes() {
                return Ok(());
            }
        }
        let temporary = format!(".{name}.tmp");
        match self.inspect(&temporary) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A crash, or another process that does the same, left it.
            inspected => {
                inspected?.check_link()?;
                self.unlink(&temporary)?;
            }
        }
        rustix::fs::symlinkat(target, fd, &temporary)?;
        let placed = match before {
            None => self.rename_new(&temporary, name),
            Some(before) => self.replace_link(&temporary, name, before.identity),
        };
        placed.inspect_err(|_| drop(self.unlink(&temporary)))
    }

    /// Renames the link `from` to `to`, in place of the link `before`.
    fn replace_link(&self, from: &str, to: &str, before: Identity) -> io::Result<()> {
        let fd = self.fd()?;
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            let exchange = || renameat_with(fd, from, fd, to, RenameFlags::EXCHANGE);
            match exchange() {
                // The system or the file system does not support it.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                Err(error) => return Err(error.into()),
                Ok(()) if self.leads_to(from, before) => return self.unlink(from),
                Ok(()) => {
                    // Another program has put something else there meanwhile.
                    exchange()?;
                    return Err(ErrorKind::ResourceBusy.into());
                }
            }
        }
        if !self.leads_to(to, before) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        Ok(rustix::fs::renameat(fd, from, fd, to)?)
    }

    pub(super) fn unlink(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(self.fd()?, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Calls `visit` with each name that is UTF-8.
    pub(in super::super) fn each_name(&self, mut visit: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let mut entries = Dir::read_from(self.fd()?)?;
        while let Some(found) = entries.read() {
            if let Ok(name) = found?.file_name().to_str() {
                visit(name)?;
            }
        }
        Ok(())
    }

    /// Sets the mode of what is at `name`.
    #[cfg(feature = "control")]
    pub(super) fn set_mode(&self, name: &str, mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::chmodat(self.fd()?, name, mode, AtFlags::empty())?)
    }

    /// Returns the path of its descriptor.
    #[cfg(all(target_os = "linux", feature = "control"))]
    pub(super) fn through_descriptor(&self) -> io::Result<PathBuf> {
        use std::os::fd::AsRawFd;
        Ok(PathBuf::from(format!("/proc/self/fd/{}", self.fd()?.as_raw_fd())))
    }

    /// Makes the directory's entries durable.
    pub(in super::super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.fd()?)?)
    }

    /// Returns how long a name may be, in bytes.
    pub(in super::super) fn longest_name(&self) -> usize {
        let limit = self.fd().and_then(|fd| Ok(rustix::fs::fstatvfs(fd)?.f_namemax));
        limit.ok().and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0).unwrap_or(NAME_BYTES)
    }

    /// Returns whether something is mounted at `name`, which then cannot be renamed.
    pub(in super::super) fn is_mount_point(&self, name: &str) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{StatxAttributes, StatxFlags, statx};
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let found = self.fd().and_then(|fd| Ok(statx(fd, name, flags, StatxFlags::BASIC_STATS)?));
            found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = name;
            false
        }
    }

    /// Returns whether the program has closed its descriptor.
    pub(in super::super) fn is_lost(&self) -> bool {
        self.descriptor.is_lost()
    }

    /// Returns the descriptor, if it still is that of the directory.
    fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.descriptor.get().map(|(fd, _)| fd.as_fd())
    }
}

/// Returns the user that new files belong to.
pub(super) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types differ between systems")]
pub(super) fn entry(stat: &Stat) -> Entry {
    let nanos = (stat.st_mtime as i64).saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64);
    Entry {
        identity: Identity::of(stat),
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified: Timestamp::from_nanos(nanos),
        links: u64::from(stat.st_nlink),
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            FileType::Socket => Kind::Socket,
            _ => Kind::Other,
        },
        owner: stat.st_uid,
        group: stat.st_gid,
        mode: u32::from(Mode::from_raw_mode(stat.st_mode).bits()),
    }
}

fn root() -> io::Result<Identity> {
    Ok(Identity::of(&rustix::fs::stat("/")?))
}

/// Waits for every write to the file that has begun: setting its times takes the same lock in the kernel.
pub(in super::super) fn await_writes(file: &File) {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
}

/// Takes the exclusive lock unless another process holds any. Gives up the held lock first, which is lost on failure.
pub(in super::super) fn try_exclusive(file: &File) -> bool {
    file.try_lock().is_ok()
}

/// Takes or keeps a shared lock unless another process holds the exclusive one. Without locks, returns true.
pub(in super::super) fn try_shared(file: &File) -> bool {
    !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns whether the error says that the file system has no locks.
pub(in super::super) fn lacks_locks(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP)) || error.kind() == ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    /// The program closes all descriptors, and opens another directory under the same number.
    #[test]
    fn a_descriptor_that_the_program_has_reused_is_neither_used_nor_closed() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = Directory::open(ours.path(), 0o750).unwrap();
        directory.create("a").unwrap();
        let program = File::open(theirs.path()).unwrap();
        let number = directory.fd().unwrap().as_raw_fd();
        let mut taken = directory.descriptor.take_number();
        rustix::io::dup2(&program, &mut taken).unwrap();
        for error in [
            directory.create("b").map(drop).unwrap_err(),
            directory.inspect("a").map(drop).unwrap_err(),
            directory.rename_new("a", "c").unwrap_err(),
            directory.each_name(|_| Ok(())).unwrap_err(),
            directory.sync().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        drop(directory);
        let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
        assert!(link.is_ok_and(|link| link == theirs.path()) || cfg!(not(target_os = "linux")));
        assert_eq!(std::fs::read_dir(theirs.path()).unwrap().count(), 0);
        assert!(ours.path().join("a").exists());
    }

    #[test]
    fn missing_directories_are_created_whatever_is_in_the_path() {
        let root = tempfile::tempdir().unwrap();
        let made = Directory::open(&root.path().join("a/b/../c/./d"), 0o711).unwrap();
        assert_eq!(made.exposure().unwrap(), None);
        for path in ["a", "a/b", "a/c", "a/c/d"] {
            let found = std::fs::metadata(root.path().join(path)).unwrap();
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&found) & 0o7777, 0o711, "{path}");
        }
        made.create("file").unwrap();
        let refused = Directory::open(&root.path().join("a/c/d/file/e"), 0o711).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotADirectory);
        std::fs::remove_dir_all(root.path().join("a")).unwrap();
        assert_eq!(made.create("late").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
