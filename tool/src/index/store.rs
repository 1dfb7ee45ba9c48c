//! Where indexes are: a directory in the cache of the user, which nobody else can read or change.
//!
//! It is `spanline` in `$XDG_CACHE_HOME` or `~/.cache`, with mode 0700. Links are not followed, files of other users are ignored.

#[cfg(unix)]
pub(crate) use self::unix::Store;

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File};
    use std::io::{self, Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, renameat, statat, unlinkat};
    use spanline::read::PlainFile;

    use super::super::identity::Identity;
    use super::super::sidecar::Index;

    /// How much all indexes may take, in bytes. The oldest are removed.
    const MOST_BYTES: u64 = 256 << 20;

    /// How much one may take: it is in memory while it is asked.
    const MOST_BYTES_OF_FILE: u64 = 32 << 20;

    /// The names of indexes end like this.
    const ENDING: &str = ".index";

    /// Returns where the directory is, if there can be one.
    fn path() -> Option<PathBuf> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
        Some(cache.join("spanline"))
    }

    /// A directory with indexes.
    #[derive(Debug)]
    pub(crate) struct Store {
        directory: OwnedFd,
        path: PathBuf,
    }

    impl Store {
        /// Opens the directory, if there is one that is safe.
        pub(crate) fn open() -> Option<Self> {
            Self::at(path()?).ok()
        }

        /// Opens the directory, and makes one if there is none.
        ///
        /// # Errors
        /// There can be none. The error says why.
        pub(crate) fn create() -> Result<Self, (PathBuf, io::Error)> {
            let none = || io::Error::other("expected an absolute path in XDG_CACHE_HOME or HOME");
            let path = path().ok_or_else(|| (PathBuf::from("the cache"), none()))?;
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.and_then(|()| Self::at(path.clone())).map_err(|error| (path, error))
        }

        /// Opens a directory, if it is safe.
        pub(crate) fn at(path: PathBuf) -> io::Result<Self> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = open(&path, flags, Mode::empty())?;
            let file = File::from(directory.try_clone()?);
            if !is_private(&file)? {
                return Err(io::Error::other("expected a directory of this user with mode 0700; found another one"));
            }
            Ok(Self { directory, path })
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        /// Returns the index of a file, which may be that of the file as it was before. What is wrong with one counts as none.
        pub(crate) fn index_of(&self, file: &PlainFile) -> Option<Index> {
            let identity = Identity::of(&file.metadata().ok()?)?;
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let found = File::from(openat(&self.directory, name(&identity), flags, Mode::empty()).ok()?);
            let metadata = found.metadata().ok()?;
            if !metadata.is_file() || !is_private(&found).ok()? || metadata.len() > MOST_BYTES_OF_FILE {
                return None;
            }
            let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
            found.take(MOST_BYTES_OF_FILE).read_to_end(&mut bytes).ok()?;
            let index = Index::decode(&bytes)?;
            ((index.identity.device, index.identity.inode) == (identity.device, identity.inode)).then_some(index)
        }

        /// Stores an index in place of the one before. Returns its size in bytes.
        ///
        /// # Errors
        /// It cannot be written. Then there is none of this file, or the one before.
        pub(crate) fn put(&self, index: &Index) -> io::Result<u64> {
            let bytes = index.encoded();
            if bytes.len() as u64 > MOST_BYTES_OF_FILE {
                return Err(io::Error::other("the index is too large"));
            }
            let name = name(&index.identity);
            let unfinished = format!(".{name}.{}", std::process::id());
            // That of a process that was killed.
            let _ = unlinkat(&self.directory, &unfinished, AtFlags::empty());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&self.directory, &unfinished, flags, Mode::RUSR | Mode::WUSR)?;
            let written = File::from(file)
                .write_all(&bytes)
                .and_then(|()| renameat(&self.directory, &unfinished, &self.directory, &name).map_err(io::Error::from));
            if let Err(error) = written {
                let _ = unlinkat(&self.directory, &unfinished, AtFlags::empty());
                return Err(error);
            }
            Ok(bytes.len() as u64)
        }

        /// Removes the oldest indexes while all take too much. Returns how much they take, in bytes.
        ///
        /// # Errors
        /// The directory cannot be listed.
        pub(crate) fn prune(&self) -> io::Result<u64> {
            self.prune_to(MOST_BYTES)
        }

        fn prune_to(&self, most: u64) -> io::Result<u64> {
            let mut found = Vec::new();
            for entry in Dir::read_from(&self.directory)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else { continue };
                let Ok(stat) = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                let is_own = name.ends_with(ENDING) || name.starts_with('.') && name.contains(ENDING);
                if is_own && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                    found.push((stat.st_mtime, stat.st_size.unsigned_abs(), name.to_owned()));
                }
            }
            found.sort_unstable();
            let mut bytes = found.iter().map(|(_, bytes, _)| *bytes).sum::<u64>();
            for (_, size, name) in found {
                if bytes <= most {
                    break;
                }
                if unlinkat(&self.directory, &name, AtFlags::empty()).is_ok() {
                    bytes -= size;
                }
            }
            Ok(bytes)
        }
    }

    /// Returns whether only this user can open a file.
    fn is_private(file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        Ok(metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0)
    }

    /// Returns the name of the index of a file.
    fn name(identity: &Identity) -> String {
        format!("{:x}-{:x}{ENDING}", identity.device, identity.inode)
    }

    #[cfg(test)]
    mod tests {
        use std::fs;

        use super::*;

        #[test]
        fn the_oldest_indexes_are_removed_and_nothing_else() {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            let put = |name: &str, second: u64| {
                let path = dir.path().join(name);
                fs::write(&path, [0; 1000]).unwrap();
                let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(second);
                File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
            };
            put("1-1.index", 3);
            put("1-2.index", 1);
            put(".1-3.index.77", 2);
            put("notes", 0);
            let store = Store::at(dir.path().to_owned()).unwrap();
            assert_eq!(store.prune_to(3000).unwrap(), 3000);
            assert_eq!(store.prune_to(1999).unwrap(), 1000);
            let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, ["1-1.index", "notes"]);
        }
    }
}

/// There are no indexes on this system.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) enum Store {}

#[cfg(not(unix))]
mod none {
    use std::io;
    use std::path::{Path, PathBuf};

    use spanline::read::PlainFile;

    use super::super::sidecar::Index;

    impl super::Store {
        pub(crate) fn open() -> Option<Self> {
            None
        }

        pub(crate) fn create() -> Result<Self, (PathBuf, io::Error)> {
            Err((PathBuf::from("the cache"), io::Error::other("files have no stable identity on this system")))
        }

        pub(crate) fn path(&self) -> &Path {
            match *self {}
        }

        pub(crate) fn index_of(&self, _: &PlainFile) -> Option<Index> {
            match *self {}
        }

        pub(crate) fn put(&self, _: &Index) -> io::Result<u64> {
            match *self {}
        }

        pub(crate) fn prune(&self) -> io::Result<u64> {
            match *self {}
        }
    }
}
