//! A directory by its path, on systems without descriptors of directories.
//!
//! Files have neither owners nor modes here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::attributes::Attributes;
use super::held_file::HeldFile;
use super::trust::{Entry, Kind, Links};
use crate::record::Timestamp;

/// As NTFS limits it, in UTF-16 units, of which a byte of UTF-8 takes at most one.
const NAME_BYTES: usize = 255;

/// A file, under any name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Identity {
    volume: u64,
    number: u64,
}

impl Identity {
    /// Returns whether the path leads to the file.
    pub(in super::super) fn is_at(self, path: &Path) -> bool {
        inspect_path(path).is_ok_and(|entry| entry.identity == self)
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
        inspect_path(&self.path.join(name))
    }

    pub(in super::super) fn leads_to(&self, name: &str, identity: Identity) -> bool {
        identity.is_at(&self.path.join(name))
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

    /// Opens a file that is going to be removed; `None` while another process has it open.
    pub(in super::super) fn claim(&self, name: &str) -> io::Result<Option<HeldFile>> {
        /// `FILE_SHARE_DELETE`: others may remove it, and neither read nor write it.
        const REMOVAL: u32 = 4;
        /// `ERROR_SHARING_VIOLATION`
        const IN_USE: i32 = 32;

        self.inspect(name)?.check(Links::Any)?;
        match OpenOptions::new().read(true).share_mode(REMOVAL).open(self.path.join(name)) {
            Err(error) if error.raw_os_error() == Some(IN_USE) => Ok(None),
            opened => HeldFile::new(opened?).map(Some),
        }
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

/// Inspects what is at a path, and follows no link.
fn inspect_path(path: &Path) -> io::Result<Entry> {
    /// `FILE_FLAG_OPEN_REPARSE_POINT` and `FILE_FLAG_BACKUP_SEMANTICS`: links and directories are opened too.
    const ANYTHING: u32 = 0x0020_0000 | 0x0200_0000;

    // Without access to its bytes, also while another program has it for itself.
    inspect(&OpenOptions::new().access_mode(0).custom_flags(ANYTHING).open(path)?)
}

pub(super) fn inspect(file: &File) -> io::Result<Entry> {
    let metadata = file.metadata()?;
    let information = winapi_util::file::information(file)?;
    let modified = metadata.modified().map(chrono::DateTime::<chrono::Utc>::from);
    Ok(Entry {
        identity: Identity { volume: information.volume_serial_number(), number: information.file_index() },
        bytes: metadata.len(),
        modified: modified.map(Timestamp::from).unwrap_or_default(),
        links: information.number_of_links(),
        kind: match metadata.file_type() {
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        },
        owner: 0,
        group: 0,
        mode: 0,
    })
}

pub(super) fn own_user() -> u32 {
    0
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
