//! Which files may be used: the one place that decides.

use std::io::{self, ErrorKind};

#[cfg(not(unix))]
use super::other as system;
#[cfg(unix)]
use super::unix as system;
use crate::record::Timestamp;

/// How many names a file may have.
///
/// A second hard link lets a file of this user, such as a private key, be written to or copied under another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Links {
    /// One: the file is written to, compressed, or locked.
    One,
    /// Any: a backup may have linked it. The file is only read or removed.
    Any,
}

/// What is at a name.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) identity: system::Identity,
    pub(in super::super) bytes: u64,
    pub(in super::super) modified: Timestamp,
    pub(in super::super) links: u64,
    pub(super) kind: Kind,
    pub(super) owner: u32,
    pub(super) group: u32,
    /// The permission bits, setuid and its like included.
    pub(super) mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(super) enum Kind {
    File,
    Directory,
    Link,
    Socket,
    Other,
}

impl Entry {
    /// Returns whether it belongs to the process's own user.
    pub(in super::super) fn is_own(&self) -> bool {
        self.owner == system::own_user()
    }

    /// Returns why the file must not be used; `None` if it may be.
    pub(in super::super) fn distrust(&self, links: Links) -> Option<String> {
        let own = system::own_user();
        match self.kind {
            Kind::Link => Some("it is a symbolic link; expected a regular file or nothing at this path".into()),
            Kind::Directory => Some("it is a directory; expected a regular file or nothing at this path".into()),
            Kind::Socket | Kind::Other => {
                Some("it is not a regular file; expected one, or nothing at this path".into())
            }
            Kind::File if self.owner != own => Some(format!(
                "it belongs to another user (uid {}); expected a file of this process's own user (uid {own}), or nothing \
                 at this path",
                self.owner
            )),
            Kind::File if links == Links::One && self.links > 1 => {
                Some(format!("it has {} hard links; expected a file with one name; remove the other names", self.links))
            }
            Kind::File => None,
        }
    }

    /// Returns an error unless it is a symbolic link of the process's own user.
    #[cfg(unix)]
    pub(super) fn check_link(&self) -> io::Result<()> {
        if self.kind == Kind::Link && self.is_own() {
            return Ok(());
        }
        let own = system::own_user();
        let why = format!(
            "what is there is no symbolic link of this process's own user (uid {own}); expected one, or nothing"
        );
        Err(io::Error::new(ErrorKind::InvalidInput, why))
    }

    /// Returns an error if the file must not be used.
    pub(in super::super) fn check(&self, links: Links) -> io::Result<()> {
        self.distrust(links).map_or(Ok(()), |why| Err(io::Error::new(ErrorKind::InvalidInput, why)))
    }
}
