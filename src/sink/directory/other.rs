//! A directory by its path, on systems without descriptors of directories.
//!
//! Files have neither owners nor modes nor identity here: the file at a path counts as the one opened there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::attributes::Attributes;
use super::held_file::HeldFile;
use super::trust::{Entry, Kind, Links};
use crate::record::Timestamp;

/// As NTFS limits it, in UTF-16 units, of which a byte of UTF-8 takes at most one.
const NAME_BYTES: usize = 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Identity;

impl Identity {
    pub(in super::super) fn is_of(self, _: &Metadata) -> bool {
        true
    }
}

/// A directory, by its path.
#[derive(Debug)]
pub(in super::super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(in super::super) fn open(path: &Path, _: u32) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned() })
    }

    pub(in super::super) fn enter(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Self { path }),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(in super::super) fn remove_directory(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(feature = "spool")]
    pub(in super::super) fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    pub(in super::super) fn has_other_root(&self) -> bool {
        false
    }

    pub(in super::super) fn is_lost(&self) -> bool {
        false
    }

    pub(in super::super) fn exposure(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    pub(in super::super) fn inspect(&self, name: &str) -> io::Result<Entry> {
        Ok(entry(&fs::symlink_metadata(self.path.join(name))?))
    }

    pub(in super::super) fn leads_to(&self, name: &str, _: Identity) -> bool {
        self.inspect(name).is_ok()
    }

    pub(in super::super) fn open_file(&self, name: &str, links: Links) -> io::Result<HeldFile> {
        self.inspect(name)?.check(links)?;
        let file = HeldFile::new(options().open(self.path.join(name))?)?;
        file.entry()?.check(links)?;
        Ok(file)
    }

    pub(in super::super) fn create(&self, name: &str) -> io::Result<HeldFile> {
        HeldFile::new(options().create_new(true).open(self.path.join(name))?)
    }

    pub(in super::super) fn set_attributes(_: &File, _: Attributes) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn make_private(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        match self.inspect(to) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(self.path.join(from), self.path.join(to)),
        }
    }

    #[cfg(feature = "spool")]
    pub(in super::super) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(in super::super) fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.inspect(name).and_then(|entry| entry.check(Links::Any));
        match removed.and_then(|()| fs::remove_file(self.path.join(name))) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    pub(in super::super) fn place_link(&self, _: &str, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn each_name(&self, mut visit: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        for found in fs::read_dir(&self.path)? {
            if let Some(name) = found?.file_name().to_str() {
                visit(name)?;
            }
        }
        Ok(())
    }

    pub(in super::super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn longest_name(&self) -> usize {
        NAME_BYTES
    }

    pub(in super::super) fn is_mount_point(&self, _: &str) -> bool {
        false
    }
}

pub(super) fn inspect(file: &File) -> io::Result<Entry> {
    Ok(entry(&file.metadata()?))
}

pub(super) fn own_user() -> u32 {
    0
}

fn entry(metadata: &Metadata) -> Entry {
    let modified = metadata.modified().map(chrono::DateTime::<chrono::Utc>::from);
    Entry {
        identity: Identity,
        bytes: metadata.len(),
        modified: modified.map(Timestamp::from).unwrap_or_default(),
        links: 1,
        kind: if metadata.is_file() { Kind::File } else { Kind::Other },
        owner: 0,
        group: 0,
        mode: 0,
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    options
}

pub(in super::super) fn await_writes(_: &File) {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// A lock would prevent even its holder from writing.
pub(in super::super) fn try_exclusive(_: &File) -> bool {
    false
}

pub(in super::super) fn try_shared(_: &File) -> bool {
    true
}

pub(in super::super) fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
}
