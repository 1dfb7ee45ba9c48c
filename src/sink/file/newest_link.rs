//! A symbolic link to the file that is being written.
//!
//! It is replaced at once, so that a reader always finds it. A link of the process's own user is replaced, and nothing
//! else. The log itself never follows it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failed::failed;
use crate::error::Error;
use crate::sink::directory::Directory;

/// Where the link is, and where it leads.
#[derive(Clone, Debug)]
pub(super) struct NewestLink {
    directory: Arc<Directory>,
    name: String,
    target: PathBuf,
}

impl NewestLink {
    /// Creates the link at `path`, which is absolute, to the file `active`. Opens its directory, or creates it.
    pub(super) fn new(path: &Path, active: &Path, directory_mode: u32) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::invalid(format!("link {}: {why}", path.display())));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return refused("the path has no file name in UTF-8; expected one, such as `logs/current.log`");
        };
        if path == active {
            return refused("the log itself is at this path; expected another one");
        }
        let directory = Directory::open(parent, directory_mode).map_err(failed("open the directory of", path))?;
        // A tree that is moved as a whole keeps its links.
        let target = active.strip_prefix(parent).unwrap_or(active).to_owned();
        Ok(Self { directory: Arc::new(directory), name: name.to_owned(), target })
    }

    /// Returns the same link to another file.
    pub(super) fn to(&self, active: &Path) -> Self {
        let target = active.strip_prefix(self.directory.path()).unwrap_or(active).to_owned();
        Self { target, ..self.clone() }
    }

    /// Makes the link lead to the file.
    pub(super) fn place(&self) -> Result<(), Error> {
        let path = self.directory.path().join(&self.name);
        self.directory.place_link(&self.name, &self.target).map_err(failed("link", &path))
    }
}
