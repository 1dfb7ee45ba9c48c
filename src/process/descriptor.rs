//! Descriptors that the log holds.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, Stat};
use rustix::io::Errno;

/// The number of the first descriptor behind the standard streams.
const FIRST: i32 = 3;

/// Identifies a file independently of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types differ between systems")]
    pub(crate) fn of(stat: &Stat) -> Self {
        Self(stat.st_dev as u64, stat.st_ino as u64)
    }

    /// Returns whether the path leads to the file.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|found| self == Self(found.dev(), found.ino()))
    }
}

/// A descriptor that the log holds.
///
/// The program may close it and reuse its number, as daemons do. So its identity is checked before each use. Once the
/// number is not the log's any more, it is neither used nor closed, even if the same file comes back under it.
#[derive(Debug)]
pub(crate) struct Descriptor<T: AsFd> {
    /// `None` only while it is dropped.
    held: Option<T>,
    identity: Identity,
    access: OFlags,
    is_lost: AtomicBool,
}

impl<T: AsFd + From<OwnedFd> + Into<OwnedFd>> Descriptor<T> {
    /// Holds a descriptor. Its number is above those of the standard streams: what a program without them prints must not
    /// land in the log.
    pub(crate) fn new(held: T) -> io::Result<Self> {
        let is_standard = held.as_fd().as_raw_fd() < FIRST;
        let held = if is_standard { T::from(rustix::io::fcntl_dupfd_cloexec(held, FIRST)?) } else { held };
        let identity = Identity::of(&rustix::fs::fstat(&held)?);
        let access = access(&held)?;
        Ok(Self { held: Some(held), identity, access, is_lost: AtomicBool::new(false) })
    }
}

impl<T: AsFd> Descriptor<T> {
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the descriptor, and the state of its file.
    ///
    /// # Errors
    /// The program has closed it, or the system cannot tell what it is.
    pub(crate) fn get(&self) -> io::Result<(&T, Stat)> {
        let held = self.held.as_ref().filter(|_| !self.is_lost.load(Ordering::Relaxed)).ok_or_else(closed)?;
        let found = rustix::fs::fstat(held).and_then(|stat| Ok((stat, access(held)?)));
        self.check(found).map(|stat| (held, stat))
    }

    /// Returns whether the program has closed it.
    pub(crate) fn is_lost(&self) -> bool {
        let _ = self.get();
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Checks what the system found under the number. An error of the file system proves nothing.
    fn check(&self, found: rustix::io::Result<(Stat, OFlags)>) -> io::Result<Stat> {
        match found {
            Ok((stat, access)) if Identity::of(&stat) == self.identity && access == self.access => Ok(stat),
            Err(error) if error != Errno::BADF => Err(error.into()),
            _ => {
                self.is_lost.store(true, Ordering::Relaxed);
                Err(closed())
            }
        }
    }
}

impl<T: AsFd> Drop for Descriptor<T> {
    fn drop(&mut self) {
        let is_own = self.get().is_ok();
        if let Some(held) = self.held.take()
            && !is_own
        {
            // The number may belong to the program now.
            std::mem::forget(held);
        }
    }
}

#[cfg(test)]
impl<T: AsFd> Descriptor<T> {
    /// Takes its number away, as the program may.
    #[expect(unsafe_code, reason = "two own one number")]
    pub(crate) fn take_number(&self) -> OwnedFd {
        use std::os::fd::FromRawFd;
        let number = self.get().unwrap().0.as_fd().as_raw_fd();
        // SAFETY: the number is open. The test leads it elsewhere, so that this descriptor is lost.
        unsafe { OwnedFd::from_raw_fd(number) }
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "the program has closed the log's descriptor")
}

/// Returns how the file was opened. The program may open the same file in another way, to read its log for example.
fn access(held: impl AsFd) -> rustix::io::Result<OFlags> {
    Ok(rustix::fs::fcntl_getfl(held)? & (OFlags::RWMODE | OFlags::APPEND))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// The program closes all descriptors. Then the log opens its directory again, and gets the same number for it.
    #[test]
    fn a_number_that_comes_back_with_the_same_file_stays_lost() {
        let directory = tempfile::tempdir().unwrap();
        let held = Descriptor::new(File::open(directory.path()).unwrap()).unwrap();
        let mut number = held.take_number();
        rustix::io::dup2(File::open("/dev/null").unwrap(), &mut number).unwrap();
        held.get().unwrap_err();
        rustix::io::dup2(File::open(directory.path()).unwrap(), &mut number).unwrap();
        held.get().unwrap_err();
        drop(held);
        assert!(rustix::fs::fstat(&number).is_ok(), "it was closed");
    }

    /// A network file system fails for a while.
    #[test]
    fn a_number_that_cannot_be_checked_is_not_lost() {
        let held = Descriptor::new(tempfile::tempfile().unwrap()).unwrap();
        for errno in [Errno::IO, Errno::STALE, Errno::NOMEM] {
            let error = held.check(Err(errno)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
            assert!(!held.is_lost(), "{errno}");
        }
        held.get().unwrap();
        assert_eq!(held.check(Err(Errno::BADF)).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(held.is_lost());
    }

    /// The program opens the log's file for reading, and gets the log's number for it.
    #[test]
    fn a_number_with_the_same_file_and_other_rights_is_lost() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let held = Descriptor::new(File::options().append(true).open(file.path()).unwrap()).unwrap();
        let mut number = held.take_number();
        rustix::io::dup2(File::open(file.path()).unwrap(), &mut number).unwrap();
        held.get().unwrap_err();
        drop(held);
        assert!(rustix::fs::fstat(&number).is_ok(), "it was closed");
    }
}
