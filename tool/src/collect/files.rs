//! The files of services: whether lines can be written to them, before they are handed over to the outputs.
//!
//! An output keeps the lines of a file that cannot be written, and flushes nothing as long as it has them. So such lines are left
//! with their senders, which wait, and those of other services go on.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use spanline::sink::Route;

use super::parse::Incoming;
use super::reporter::Reporter;
use crate::escape::escaped;

/// The files of services, of all outputs that have some.
pub(super) struct Files {
    routes: Vec<Route>,
    reporter: Reporter,
    /// The services whose files cannot be written.
    blocked: HashMap<Option<String>, String>,
}

impl Files {
    pub(super) fn new(routes: Vec<Route>, reporter: Reporter) -> Self {
        Self { routes, reporter, blocked: HashMap::new() }
    }

    /// Returns whether services have files.
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Returns those of the services of records that have a file that cannot be written. Says so once, and says when it can.
    pub(super) fn blocked<'r>(&mut self, records: impl Iterator<Item = &'r Incoming>) -> Vec<Option<&'r str>> {
        if self.routes.is_empty() {
            return Vec::new();
        }
        let mut services: Vec<_> = records.map(|record| record.service.as_deref()).collect();
        services.sort_unstable();
        services.dedup();
        services.retain(|service| self.is_blocked(*service));
        services
    }

    fn is_blocked(&mut self, service: Option<&str>) -> bool {
        let paths = self.routes.iter().filter_map(|route| route.path(service));
        let failed = paths.map(|path| (check(&path), path)).find_map(|(result, path)| Some((result.err()?, path)));
        let key = service.map(str::to_owned);
        match failed {
            Some((why, path)) => {
                let path = escaped(&path);
                if !self.blocked.contains_key(&key) {
                    self.reporter.pass_on(&format!(
                        "cannot write to {path}: {why}; the senders of such lines wait until that is mended"
                    ));
                }
                self.blocked.insert(key, path);
                true
            }
            None => {
                if let Some(path) = self.blocked.remove(&key) {
                    self.reporter.pass_on(&format!("{path} can be written again"));
                }
                false
            }
        }
    }
}

/// Checks whether the library would write to a file: one of this user, that has no other name and that is no link.
#[cfg(unix)]
fn check(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return check_directory(path),
        Err(error) => return Err(error),
    };
    let refused = |why: &str| Err(io::Error::other(why.to_owned()));
    if !found.is_file() {
        return refused("it is no regular file");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refused("it belongs to another user");
    }
    if found.nlink() > 1 {
        return refused("it has another name, too");
    }
    // Something else may have been put there in the meantime.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let flags = i32::try_from(flags).unwrap_or_default();
    fs::OpenOptions::new().read(true).append(true).custom_flags(flags).open(path).map(drop)
}

#[cfg(unix)]
fn check_directory(path: &Path) -> io::Result<()> {
    use rustix::fs::Access;

    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        // The library creates it.
        Err(rustix::io::Errno::NOENT) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(not(unix))]
fn check(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map(drop),
    }
}
