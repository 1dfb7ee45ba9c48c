//! A file that a library opens by its path, such as a database.
//!
//! The rules of log files hold for it: links of other users on the way, and files that are not this user's, are refused, and
//! a new file is private. The library opens the path after the check. So the file is compared by its identity afterwards,
//! and again while it is used.
//!
//! An existing file is inspected, never opened: closing a second descriptor of a file would release the locks that the
//! library has on it (POSIX locks belong to the process).

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::failed::failed;
use super::path_mistake::path_mistake;
use super::rolling_file::RollingFile;
use crate::error::Error;
use crate::sink::directory::{Directory, Identity, Links};

/// A file that a library opens by its path.
#[derive(Debug)]
pub(in crate::sink) struct LibraryFile {
    directory: Directory,
    name: String,
    identity: Identity,
    /// Files of the library beside it: their suffixes, and what they are.
    beside: Vec<(String, Identity)>,
    /// Without a link on the way.
    path: PathBuf,
}

impl LibraryFile {
    /// Checks the file at `path`, and those beside it with these suffixes. Creates what is missing: the directories, and the
    /// file itself, empty.
    ///
    /// # Errors
    /// An invalid setting, if the path or what is there must not be used. A retryable error, if the system refuses.
    pub(in crate::sink) fn prepare(path: &Path, suffixes: &[&str]) -> Result<Self, Error> {
        let invalid = |why: &str| Err(Error::invalid(format!("open {}: {why}", path.display())));
        if let Some(mistake) = path_mistake(path) {
            return invalid(&mistake);
        }
        let whole = std::path::absolute(path).map_err(failed("open", path))?;
        let (Some(folder), Some(name)) = (whole.parent(), whole.file_name().and_then(OsStr::to_str)) else {
            return invalid("the path has no file name in UTF-8; expected a file, such as `logs/orders.db`");
        };
        let directory = Directory::open(folder, RollingFile::DEFAULT_DIRECTORY_MODE).map_err(failed("open", path))?;
        match directory.create(name) {
            // It is new, so nobody has a lock on it that closing it could release.
            Ok(created) => drop(created),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create", path)(error)),
        }
        let entry = directory.inspect(name).map_err(failed("inspect", path))?;
        entry.check(Links::One).map_err(failed("open", path))?;
        for suffix in suffixes {
            let beside = format!("{name}{suffix}");
            match directory.inspect(&beside).and_then(|entry| entry.check(Links::One)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("open", &directory.path().join(&beside))(error));
                }
                _ => {}
            }
        }
        let found = folder.canonicalize().map_err(failed("open", path))?.join(name);
        let file = Self { name: name.to_owned(), identity: entry.identity, beside: Vec::new(), path: found, directory };
        if !file.is_there() {
            let why = "another program replaces it; expected a file that stays";
            return Err(Error::retry(format!("open {}: {why}", path.display())));
        }
        Ok(file)
    }

    /// Returns the path for the library: absolute, and without links.
    pub(in crate::sink) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes the files beside it, which the library has made. From now on, they belong to it.
    ///
    /// # Errors
    /// One of them is missing.
    pub(in crate::sink) fn note_beside(&mut self, suffixes: &[&str]) -> io::Result<()> {
        self.beside.clear();
        for suffix in suffixes {
            let entry = self.directory.inspect(&format!("{}{suffix}", self.name))?;
            self.beside.push(((*suffix).to_owned(), entry.identity));
        }
        Ok(())
    }

    /// Returns whether the file is still at its path, and those beside it.
    pub(in crate::sink) fn is_there(&self) -> bool {
        self.leads_to("", self.identity)
            && self.beside.iter().all(|(suffix, identity)| self.leads_to(suffix, *identity))
    }

    fn leads_to(&self, suffix: &str, identity: Identity) -> bool {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        identity.is_at(Path::new(&path))
    }

    /// Returns why other users may replace the file; `None` if they may not.
    pub(in crate::sink) fn exposure(&self) -> Option<Error> {
        let why = self.directory.exposure().ok().flatten()?;
        let directory = self.directory.path().display();
        Some(Error::retry(format!(
            "the directory {directory}: {why}; other users can rename and remove the log's files"
        )))
    }

    /// Makes the file beside it with this suffix durable, if there is one, and the names in the directory.
    ///
    /// The library must not lock that file.
    ///
    /// # Errors
    /// [`Error::not_durable`] if the disk failed.
    pub(in crate::sink) fn sync_beside(&self, suffix: &str) -> Result<(), Error> {
        let path = self.path.display();
        let doing = format!("sync {path}{suffix}");
        let synced = match self.directory.open_file(&format!("{}{suffix}", self.name), Links::One) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => return Err(Error::io(doing, error)),
            Ok(opened) => opened.get().and_then(std::fs::File::sync_data),
        };
        let synced = synced.and_then(|()| self.directory.sync());
        synced.map_err(|error| Error::not_durable(doing).with_source(error))
    }
}
