//! A disk in memory that fails on command, and that knows what a power cut undoes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, DiskFile};
use crate::sync::lock;

#[derive(Clone, Debug, Default)]
pub(in super::super) struct FakeDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    /// What a power cut leaves.
    durable_names: BTreeMap<String, u64>,
    locks: BTreeSet<u64>,
    next: u64,
    is_full: bool,
    is_unwritable: bool,
    operations: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

struct FakeFile {
    disk: FakeDisk,
    id: u64,
}

impl FakeDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    pub(super) fn set_unwritable(&self, is_unwritable: bool) {
        self.state().is_unwritable = is_unwritable;
    }

    pub(super) fn is_broken(&self) -> bool {
        let state = self.state();
        state.is_full || state.is_unwritable
    }

    /// Returns how often something was asked of it.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(super) fn bytes(&self) -> usize {
        let state = self.state();
        state.names.values().map(|id| state.files[id].bytes.len()).sum()
    }

    /// The system releases the locks of a process that has ended.
    pub(super) fn release_locks(&self) {
        self.state().locks.clear();
    }

    /// Changes one byte of a segment, if there is one.
    pub(super) fn flip(&self, at: u16) -> bool {
        let mut state = self.state();
        let segments: Vec<_> =
            state.names.iter().filter(|(name, _)| name.ends_with(".seg")).map(|(_, id)| *id).collect();
        let Some(id) = segments.get(usize::from(at) % segments.len().max(1)) else { return false };
        let bytes = &mut state.files.get_mut(id).unwrap().bytes;
        let at = (usize::from(at) * 7_919) % bytes.len().max(1);
        bytes.get_mut(at).map(|byte| *byte ^= 0x10).is_some()
    }

    /// Removes files, as another program may.
    pub(super) fn remove_files(&self, is_removed: impl Fn(&str) -> bool) {
        self.state().names.retain(|name, _| !is_removed(name));
    }

    /// Undoes what was not synced, except for a part.
    pub(super) fn power_cut(&self, kept: u8) {
        let mut state = self.state();
        for content in state.files.values_mut() {
            let unsynced = content.bytes.len().saturating_sub(content.synced);
            content.bytes.truncate(content.synced + unsynced * usize::from(kept) / 256);
            content.synced = content.bytes.len();
        }
        if kept.is_multiple_of(2) {
            state.names = state.durable_names.clone();
        }
        state.durable_names = state.names.clone();
        state.locks.clear();
    }
}

fn no_space() -> io::Error {
    ErrorKind::StorageFull.into()
}

impl State {
    fn check_writable(&self) -> io::Result<()> {
        if self.is_unwritable { Err(ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }
}

impl Disk for FakeDisk {
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.operations += 1;
        state.check_writable()?;
        if state.is_full {
            return Err(no_space());
        }
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.next += 1;
        let id = state.next;
        state.files.insert(id, Content::default());
        state.names.insert(name.to_owned(), id);
        drop(state);
        Ok(Box::new(FakeFile { disk: self.clone(), id }))
    }

    fn open(&mut self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let id = *self.state().names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(FakeFile { disk: self.clone(), id }))
    }

    fn replace(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operations += 1;
        state.check_writable()?;
        let id = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operations += 1;
        state.check_writable()?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.operations += 1;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn lock(&mut self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>> {
        let mut file = self.open(name);
        if file.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            file = self.create(name);
        }
        let file = file?;
        let id = self.state().names[name];
        Ok(self.state().locks.insert(id).then_some(file))
    }

    fn is_there(&mut self) -> bool {
        true
    }

    fn path(&self) -> PathBuf {
        "fake".into()
    }
}

impl DiskFile for FakeFile {
    fn is_there(&mut self) -> bool {
        self.disk.state().names.values().any(|id| *id == self.id)
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.id].bytes.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operations += 1;
        state.check_writable()?;
        let is_full = state.is_full;
        let content = state.files.get_mut(&self.id).unwrap();
        // A full disk takes the beginning.
        let taken = if is_full { bytes.len() / 2 } else { bytes.len() };
        content.bytes.extend_from_slice(&bytes[..taken]);
        if is_full { Err(no_space()) } else { Ok(()) }
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let rest = state.files[&self.id].bytes.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(bytes.len());
        bytes[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operations += 1;
        state.check_writable()?;
        let content = state.files.get_mut(&self.id).unwrap();
        content.bytes.truncate(bytes as usize);
        content.synced = content.synced.min(content.bytes.len());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operations += 1;
        state.check_writable()?;
        let content = state.files.get_mut(&self.id).unwrap();
        content.synced = content.bytes.len();
        Ok(())
    }
}
